"""Bundles put together, brought up to date and shown."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import fake_blobs as blobs
import fake_sigstore as fake
from countermark.formats import bundle as bundles
from fake_blobs import BLOB
from fake_sigstore import Document
from playing import NOWHERE, Play, both
from servers import Asked, Server, answer, handling

SIGSTORE = fake.Sigstore()
KEY, OTHER = fake.new_key(), fake.new_key()
LEAF = SIGSTORE.authority.issue()
SIGNATURE = blobs.signature(KEY)
CREATE = ("bundle", "create", "--artifact", "blob")
TYPE = "application/vnd.dev.sigstore.bundle+json;version=0.3"

Put = Callable[[str, object], Path]


@pytest.fixture
def put(folder: Path) -> Put:
    def write(name: str, content: object) -> Path:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else fake.compact(content))
        return path

    write("blob", BLOB)
    write("key.pub", fake.pem(KEY).encode())
    write("sig", fake.b64(SIGNATURE).encode())
    write("old.json", blobs.old_bundle(KEY))
    write("oldatt.json", blobs.old_bundle(KEY, attested=blobs.statement()))
    write("att.json", blobs.envelope_of(KEY, blobs.statement()))
    return write


class Rekor:
    """A log of the first kind: what it has, by place; and what it was asked."""

    def __init__(self, log: fake.Log) -> None:
        self.log, self.entries = log, dict[int, Document]()
        self.status, self.found = 200, list[Document]()

    def add(self, body: bytes, kind: tuple[str, str]) -> Document:
        entry = self.log.add(body, kind)
        proof = entry["inclusionProof"]
        said = {
            "body": entry["canonicalizedBody"],
            "integratedTime": int(entry["integratedTime"]),
            "logID": self.log.id.hex(),
            "logIndex": int(entry["logIndex"]),
            "verification": {
                "inclusionProof": {
                    "checkpoint": proof["checkpoint"]["envelope"],
                    "hashes": [b64decode(each).hex() for each in proof["hashes"]],
                    "logIndex": int(proof["logIndex"]),
                    "rootHash": b64decode(proof["rootHash"]).hex(),
                    "treeSize": int(proof["treeSize"]),
                },
                "signedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
            },
        }
        self.entries[int(entry["logIndex"])] = said
        self.found.append({"24296fb24b8ad77a" + "0" * 64: said})
        return entry

    def handle(self, asked: Asked) -> bytes:
        if self.status != 200:
            return answer(self.status, b'{"code":1,"message":"no"}')
        if asked.method == "POST" and asked.target == "/api/v1/log/entries/retrieve":
            return answer(200, fake.compact(self.found))
        index = int(asked.target.removeprefix("/api/v1/log/entries?logIndex="))
        if index not in self.entries:
            return answer(404, b'{"code":404,"message":"entry not found"}')
        return answer(200, fake.compact({"24296fb24b8ad77a": self.entries[index]}))


@pytest.fixture
def rekor() -> Rekor:
    return Rekor(fake.Log("rekor.example.test", first_kind=True))


@pytest.fixture
def server(rekor: Rekor) -> Iterator[Server]:
    with Server(handling(rekor.handle)) as running:
        yield running


# Create -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("--signature", "sig", "--key", "key.pub"),
        ("--bundle", "old.json", "--key", "key.pub"),
        ("--bundle", "oldatt.json", "--key", "key.pub"),
        ("--signature", "sig", "--attestation", "att.json", "--key", "key.pub"),
    ],
)
def test_what_is_made_verifies(play: Play, put: Put, words: tuple[str, ...]) -> None:
    status, out, err = play(*CREATE, "--ignore-tlog", *words)
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["mediaType"] == TYPE
    assert out == json.dumps(found, separators=(",", ":")) + "\n"
    put("made.json", found)
    command = "verify-blob-attestation" if "dsseEnvelope" in found else "verify-blob"
    verified = play(
        command, "--key", "key.pub", "--insecure-ignore-tlog", "--bundle", "made.json", "blob"
    )
    assert verified[0] == 0
    assert play(*CREATE, "--ignore-tlog", *words, "--out", "again.json") == (0, "", "")
    assert Path("again.json").read_bytes() == out.encode()[:-1]


def test_certificates_and_timestamps(play: Play, put: Put) -> None:
    signature = blobs.signature(LEAF)
    put("sig", fake.b64(signature).encode())
    put("stamp", blobs.stamped(SIGSTORE.stamps, signature))
    put("cert.pem", LEAF.pem.encode())
    put("cert.b64", fake.b64(LEAF.pem.encode()).encode())
    put("root.json", SIGSTORE.trusted_root())
    words = (*CREATE, "--ignore-tlog", "--signature", "sig", "--rfc3161-timestamp", "stamp")
    made = [play(*words, "--certificate", name) for name in ("cert.pem", "cert.b64")]
    assert made[0] == made[1]
    put("made.json", made[0][1].encode())
    verified = play(
        *("verify-blob", "--bundle", "made.json", "--trusted-root", "root.json", "blob"),
        *("--certificate-identity", fake.ALICE, "--certificate-oidc-issuer", fake.ISSUER),
        *("--insecure-ignore-tlog", "--use-signed-timestamps"),
    )
    assert verified[0] == 0


def test_an_entry_of_the_log_is_found(play: Play, put: Put, rekor: Rekor, server: Server) -> None:
    rekor.add(fake.body_v1(KEY, BLOB, SIGNATURE), ("hashedrekord", "0.0.1"))
    words = (*CREATE, "--signature", "sig", "--key", "key.pub", "--rekor-url", server.url)
    status, out, _ = play(*words)
    assert status == 0
    (entry,) = bundles.parse(out.encode()).entries
    assert entry.body == fake.body_v1(KEY, BLOB, SIGNATURE)
    (asked,) = server.asked
    assert json.loads(asked.body) == {"entries": [json.loads(entry.body)]}
    rekor.add(fake.body_v1(OTHER, BLOB, blobs.signature(OTHER)), ("hashedrekord", "0.0.1"))
    assert play(*words)[1] == out  # another's entry is none of ours
    rekor.found = rekor.found[1:]
    text = "signature not found in transparency log"
    assert both(text) in play(*words)[2]
    rekor.found = []
    assert both(text) in play(*words)[2]
    rekor.status = 500
    assert "searching log query: " in play(*words)[2]
    rekor.status = 400
    assert "searching log query: " in play(*words)[2]


def test_an_entry_of_an_attestation_is_found(
    play: Play, put: Put, rekor: Rekor, server: Server
) -> None:
    envelope = json.loads(Path("att.json").read_bytes())
    rekor.add(fake.body_dsse(KEY, envelope), ("dsse", "0.0.1"))
    words = (*CREATE, "--bundle", "oldatt.json", "--attestation", "att.json", "--key", "key.pub")
    status, out, _ = play(*words, "--rekor-url", server.url)
    assert status == 0
    assert bundles.parse(out.encode()).entries[0].kind == "dsse"
    (asked,) = server.asked
    proposal = json.loads(asked.body)["entries"][0]
    assert proposal["spec"]["proposedContent"]["envelope"] == Path("att.json").read_text()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("bundle", "create"), "must supply --artifact"),
        (CREATE, "must at least supply signature via --bundle or --signature"),
        ((*CREATE, "--attestation", "att.json"), "must at least supply signature via --bundle or --signature"),
        ((*CREATE, "--signature", "sig", "--ignore-tlog"),
         "invalid bundle: validation error: missing verification material"),
        ((*CREATE, "--signature", "none", "--ignore-tlog"), "open none: no such file or directory"),
        ((*CREATE, "--bundle", "none", "--ignore-tlog"), "reading none: open none: no such file or directory"),
        ((*CREATE, "--signature", "blob", "--ignore-tlog"), "illegal base64 data at input byte 4"),
        ((*CREATE, "--signature", "sig", "--key", "none"),
         "loading public key: open none: no such file or directory"),
        ((*CREATE, "--signature", "sig", "--certificate", "sig"), "unable to decode provided certificate"),
        (("bundle", "create", "--artifact", "none", "--signature", "sig", "--key", "key.pub"),
         "open none: no such file or directory"),
        (("bundle", "create", "--artifact", "sig", "--signature", "sig", "--key", "key.pub", "--ignore-tlog"),
         "the signature is not by this key over this artifact"),
        (("bundle", "create", "--artifact", "sig", "--bundle", "oldatt.json", "--key", "key.pub", "--ignore-tlog"),
         "the attestation: provided artifact digests do not match digests in statement"),
        ((*CREATE, "--bundle", "logged.json", "--key", "key.pub", "--ignore-tlog"),
         "cannot ignore transparency log when the provided bundle contains a Signed Entry Timestamp"),
    ],
)  # fmt: skip
def test_bundles_that_are_not_made(play: Play, put: Put, words: tuple[str, ...], text: str) -> None:
    put("logged.json", blobs.old_bundle(KEY, log=SIGSTORE.first_log))
    status, out, err = play(*words)
    assert (status, out, err) == (1, "", both(text))


# Upgrade ----------------------------------------------------------------------------------------------------


def older(version: str, change: Callable[[Document], object] = lambda made: None) -> Document:
    made = fake.bundle(LEAF, blobs.statement(), log=SIGSTORE.first_log)
    made["mediaType"] = f"application/vnd.dev.sigstore.bundle+json;version={version}"
    material = made["verificationMaterial"]
    chain = [{"rawBytes": fake.b64(der)} for der in (LEAF.der, SIGSTORE.authority.chain[0])]
    del material["certificate"]
    material["x509CertificateChain"] = {"certificates": chain}
    change(made)
    return made


@pytest.mark.parametrize("version", ["0.1", "0.2"])
def test_older_bundles_verify_when_they_are_upgraded(play: Play, put: Put, version: str) -> None:
    put("older.json", older(version))
    put("root.json", SIGSTORE.trusted_root())
    status, out, err = play("bundle", "upgrade", "older.json", "--out", "new.json")
    assert (status, out) == (0, "")
    assert err == (
        f"Upgrading from v{version} to v0.3...\n"
        "Truncating certificate chain to only the leaf certificate...\n"
        f"  Certificate 0 Identity: {fake.ALICE}\n"
        "  Certificate 1 Identity: CN=example intermediate\n"
        "Successfully upgraded bundle written to new.json\n"
    )
    identity = ("--certificate-identity", fake.ALICE, "--certificate-oidc-issuer", fake.ISSUER)
    for name in ("older.json", "new.json"):
        words = (
            "verify-blob-attestation",
            *identity,
            "--trusted-root",
            "root.json",
            "--bundle",
            name,
        )
        assert play(*words, "blob")[0] == 0
    assert bundles.parse(Path("new.json").read_bytes()).certificates == (LEAF.der,)


def test_a_new_bundle_stays_as_it_is(play: Play, put: Put) -> None:
    content = json.dumps(blobs.bundle(KEY), indent=1)
    put("new.json", content.encode())
    status, out, err = play("bundle", "upgrade", "new.json")
    assert (status, out) == (0, f"{content}\n")
    assert err == "Bundle is already at v0.3, no upgrade needed.\n"


def without_proof(made: Document) -> None:
    for entry in made["verificationMaterial"]["tlogEntries"]:
        del entry["inclusionProof"]


def test_a_missing_proof_is_fetched_and_compared(
    play: Play, put: Put, rekor: Rekor, server: Server
) -> None:
    made = older("0.1")
    entry = made["verificationMaterial"]["tlogEntries"][0]
    logged = rekor.add(b64decode(entry["canonicalizedBody"]), ("dsse", "0.0.1"))
    made["verificationMaterial"]["tlogEntries"] = [logged]
    without_proof(made)
    put("older.json", made)
    words = ("bundle", "upgrade", "older.json", "--rekor-url", server.url)
    status, out, err = play(*words)
    assert status == 0
    assert (
        f"Fetching missing inclusion proof from Rekor for log index {logged['logIndex']}..." in err
    )
    (found,) = bundles.parse(out.encode()).entries
    assert found.proof is not None
    assert found.proof.tree_size == len(rekor.log.leaves)
    rekor.entries[int(logged["logIndex"])]["body"] = fake.b64(fake.body_v1(KEY, BLOB, SIGNATURE))
    assert "upgrading bundle: the log has another entry at" in play(*words)[2]
    rekor.entries.clear()
    assert "upgrading bundle: fetching log entry by index: " in play(*words)[2]
    status, _, err = play("bundle", "upgrade", "older.json", "--rekor-url", NOWHERE)
    assert status == 1
    assert "connection refused" in err


def test_bundles_from_before_bundles(play: Play, put: Put, rekor: Rekor, server: Server) -> None:
    """cosign does not read them; an attestation and a file's signature are the same signature in both forms."""
    verify = ("--key", "key.pub", "--insecure-ignore-tlog", "--bundle", "new.json", "blob")
    keyed = blobs.old_bundle(KEY, log=rekor.log)
    entry = rekor.add(b64decode(keyed["rekorBundle"]["Payload"]["body"]), ("hashedrekord", "0.0.1"))
    keyed["rekorBundle"]["Payload"]["logIndex"] = int(entry["logIndex"])
    put("logged.json", {**keyed, "cert": fake.b64(fake.pem(KEY).encode())})
    for name, command in (
        ("logged.json", "verify-blob"),
        ("oldatt.json", "verify-blob-attestation"),
    ):
        words = ("bundle", "upgrade", name, "--out", "new.json", "--rekor-url", server.url)
        status, _, err = play(*words)
        assert status == 0
        assert err.startswith("Upgrading from the format before bundles to v0.3...\n")
        assert play(command, *verify)[0] == 0
    status, _, err = play("bundle", "upgrade", "old.json")
    assert status == 1
    assert err.startswith(both("upgrading bundle: nothing in it says what is signed"))
    logged = blobs.old_bundle(LEAF, log=rekor.log)
    body = b64decode(logged["rekorBundle"]["Payload"]["body"])
    entry = rekor.add(body, ("hashedrekord", "0.0.1"))
    logged["rekorBundle"]["Payload"]["logIndex"] = int(entry["logIndex"])
    put("logged.json", logged)
    status, out, _ = play("bundle", "upgrade", "logged.json", "--rekor-url", server.url)
    assert status == 0
    found = bundles.parse(out.encode())
    assert found.certificates == (LEAF.der,)
    assert isinstance(found.content, bundles.MessageSignature)
    assert found.content.digest == sha256(BLOB).digest()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "reading input file: open x.json: no such file or directory"),
        (b"hello", "upgrading bundle: unmarshaling bundle: not JSON: a value is expected at character 0"),
        ({"mediaType": "x"}, "upgrading bundle: unsupported bundle version: x"),
        ({"base64Signature": "%"}, "upgrading bundle: base64Signature is not base64"),
        (older("0.2", without_proof),
         "upgrading bundle: unmarshaling bundle: verificationMaterial.tlogEntries[0]: inclusion proof missing "
         "in bundle (required for bundle v0.2)"),
    ],
)  # fmt: skip
def test_bundles_that_are_not_upgraded(play: Play, put: Put, content: Any, text: str) -> None:
    if content is not None:
        put("x.json", content)
    status, out, err = play("bundle", "upgrade", "x.json")
    assert (status, out, err) == (1, "", both(text))


# Inspect ----------------------------------------------------------------------------------------------------


def test_what_is_shown_of_a_keys_bundle(play: Play, put: Put) -> None:
    made = blobs.bundle(KEY)
    put("b.json", made)
    size = len(b64decode(made["messageSignature"]["signature"]))
    status, out, err = play("bundle", "inspect", "b.json")
    assert status == 0
    hint = sha256(fake.spki(KEY)).hexdigest()
    assert out == (
        "- Bundle Media Type: application/vnd.dev.sigstore.bundle.v0.3+json\n"
        "- Verification Material:\n"
        "  - Content: Public Key Identifier\n"
        f"    - Hint: {hint}\n"
        "- Content:\n"
        "  - Type: Message Signature\n"
        "  - Message Digest:\n"
        "    - Algorithm: SHA2_256\n"
        "    - Digest: Present (32 bytes)\n"
        f"  - Signature: Present ({size} bytes)\n"
    )  # fmt: skip
    assert err.startswith(
        "WARNING: This command only inspects the contents of the bundle.\n"
        "It does not perform cryptographic verification or verify log inclusion.\n\n"
        "Local TUF environment not initialized, some details will be omitted: "
    )


def test_warnings_stand_in_the_list(play: Play, put: Put) -> None:
    def shown(document: Document) -> str:
        put("x.json", document)
        status, out, _ = play("bundle", "inspect", "x.json")
        assert status == 0
        return out

    nameless = blobs.bundle(KEY)
    nameless["verificationMaterial"] = {"publicKey": {}}
    assert "- [!] WARNING: Public key hint is empty\n" in shown(nameless)
    mismatched = fake.bundle(KEY, blobs.statement())
    mismatched["dsseEnvelope"]["signatures"][0]["keyid"] = "AAAA"
    assert "- Key Hint: 000000\n" in shown(mismatched)
    assert "- [!] WARNING: Key hint mismatch with Verification Material\n" in shown(mismatched)
    old = older("0.1", lambda made: made.update(mediaType=bundles.MEDIA_TYPE))
    assert "v0.3 bundle should use single certificate, not chain\n" in shown(old)
    hostile = fake.bundle(KEY, b'{"subject":[{"name":"\\u001b[31m"}],"predicateType":"x"}')
    assert "\x1b" not in shown(hostile)
    assert "- Name: \\x1b[31m\n" in shown(hostile)


def test_certificates_that_cannot_be_read_are_told(play: Play, put: Put) -> None:
    made = fake.bundle(LEAF, blobs.statement(), stamps=SIGSTORE.stamps)
    made["verificationMaterial"]["certificate"]["rawBytes"] = "AAAA"
    stamps = made["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    stamps[0]["signedTimestamp"] = "AAAA"
    put("x.json", made)
    out = play("bundle", "inspect", "x.json")[1]
    assert "- Error: parsing certificate: " in out
    assert out.index("Timestamp [0]") < out.index("- Content:\n")
