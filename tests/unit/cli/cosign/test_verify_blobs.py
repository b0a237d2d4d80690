"""Files, verified in every form in which cosign has signed them, and everything that must not verify."""

import json
from collections.abc import Callable
from hashlib import sha256, sha384, sha512
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes

import fake_blobs as blobs
import fake_sigstore as fake
from fake_blobs import BLOB, CUSTOM
from fake_sigstore import ALICE, ISSUER, Document
from playing import Play, both

SIGSTORE = fake.Sigstore()
KEYS = {kind: fake.new_key(kind) for kind in ("P-256", "P-384", "P-521", "rsa", "ed25519")}
KEY, OTHER = KEYS["P-256"], fake.new_key()
LEAF = SIGSTORE.authority.issue()
UNLOGGED = ("--key", "key.pub", "--insecure-ignore-tlog")
BY_ALICE = ("--certificate-identity", ALICE, "--certificate-oidc-issuer", ISSUER)
ROOT = ("--trusted-root", "root.json")
WARNING = (
    "WARNING: Skipping tlog verification is an insecure practice that lacks transparency and "
    "auditability verification for the blob.\n"
)
BAD = "invalid signature when validating ASN.1 encoded signature"
NO_LOG = (
    "failed to verify log inclusion: not enough verified log entries from transparency log: 0 < 1"
)


@pytest.fixture
def put(folder: Path) -> Callable[[str, object], Path]:
    """Writes a file into the folder in which the commands run, which has the blob, its key and the trusted root."""

    def write(name: str, content: object) -> Path:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else fake.compact(content))
        return path

    write("blob", BLOB)
    write("key.pub", fake.pem(KEY).encode())
    write("root.json", SIGSTORE.trusted_root())
    return write


Put = Callable[[str, object], Path]


def line(*words: str) -> tuple[str, ...]:
    return words


def tail(error: str) -> str:
    """The lines about an error, without warnings and hints."""
    lines = [line for line in error.splitlines() if line.startswith(("Error: ", "error during"))]
    return "".join(f"{line}\n" for line in lines)


# Keys ---------------------------------------------------------------------------------------------------


def test_a_bundle_by_a_key(play: Play, put: Put) -> None:
    put("b.json", blobs.bundle(KEY))
    words = line("verify-blob", *UNLOGGED, "--bundle", "b.json")
    assert play(*words, "blob") == (0, "", WARNING + "Verified OK\n")
    assert play(*words, "-", typed=BLOB) == (0, "", WARNING + "Verified OK\n")
    assert play(*words, "env://BLOB", BLOB=BLOB.decode())[0] == 0
    quiet = ("--key", "key.pub", "--private-infrastructure", "--bundle", "b.json", "blob")
    status, _, err = play("verify-blob", *quiet)
    assert status == 0
    assert "WARNING" not in err


@pytest.mark.parametrize("kind", list(KEYS))
def test_keys_of_every_kind_with_their_own_hash(play: Play, put: Put, kind: str) -> None:
    put("key.pub", fake.pem(KEYS[kind]).encode())
    digest = {} if kind != "ed25519" else {"algorithm": "SHA2_512", "digest": ""}
    if digest:
        digest["digest"] = fake.b64(sha512(BLOB).digest())
    put("b.json", blobs.bundle(KEYS[kind], digest=digest))
    put("signature", fake.b64(blobs.signature(KEYS[kind])).encode())
    for given in (("--bundle", "b.json"), ("--signature", "signature")):
        assert play("verify-blob", *UNLOGGED, *given, "blob")[0] == 0
        put("changed", BLOB + b".")
        assert play("verify-blob", *UNLOGGED, *given, "changed")[0] == 1


@pytest.mark.parametrize("kind", ["P-384", "P-521"])
def test_p384_and_p521_with_the_hash_that_cosign_verifies_with(
    play: Play, put: Put, kind: str
) -> None:
    put("key.pub", fake.pem(KEYS[kind]).encode())
    put("b.json", blobs.bundle(KEYS[kind], hash_=hashes.SHA256()))
    assert play("verify-blob", *UNLOGGED, "--bundle", "b.json", "blob")[0] == 0
    digest = sha256(BLOB).hexdigest()
    assert play("verify-blob", *UNLOGGED, "--bundle", "b.json", f"sha256:{digest}")[0] == 0


def test_ed25519_round_trips_without_a_digest(play: Play, put: Put) -> None:
    """What cosign's sign-blob makes of such a key, and its verify-blob refuses: no digest, pure Ed25519."""
    put("key.pub", fake.pem(KEYS["ed25519"]).encode())
    made = blobs.bundle(KEYS["ed25519"])
    made["messageSignature"]["messageDigest"] = {}
    put("b.json", made)
    assert play("verify-blob", *UNLOGGED, "--bundle", "b.json", "blob")[0] == 0
    status, _, err = play(
        "verify-blob", *UNLOGGED, "--bundle", "b.json", f"sha256:{sha256(BLOB).hexdigest()}"
    )
    assert status == 1
    assert "can only be verified with artifacts, and not just their digest" in err


@pytest.mark.parametrize(
    ("kind", "algorithm", "status"),
    [
        ("P-256", "sha256", 0),
        ("P-384", "sha384", 0),
        ("P-384", "sha256", 1),
        ("P-521", "sha512", 0),
        ("rsa", "sha256", 0),
        ("P-256", "sha512", 1),
    ],
)
def test_a_digest_instead_of_the_file(
    play: Play, put: Put, kind: str, algorithm: str, status: int
) -> None:
    put("key.pub", fake.pem(KEYS[kind]).encode())
    functions = {"sha256": sha256, "sha384": sha384, "sha512": sha512}
    said = {
        "algorithm": algorithm.upper().replace("SHA", "SHA2_"),
        "digest": fake.b64(functions[algorithm](BLOB).digest()),
    }
    put("b.json", blobs.bundle(KEYS[kind], digest=said))
    digest = functions[algorithm](BLOB).hexdigest()
    words = line("verify-blob", *UNLOGGED, "--bundle", "b.json", f"{algorithm}:{digest}")
    assert play(*words)[0] == status
    other = functions[algorithm](b"other").hexdigest()
    words = line("verify-blob", *UNLOGGED, "--bundle", "b.json", f"{algorithm}:{other}")
    assert play(*words)[0] == 1


def test_a_signature_by_itself(play: Play, put: Put) -> None:
    signature = blobs.signature(KEY)
    put("b64", fake.b64(signature).encode() + b"\n")
    put("raw", signature)
    for given in ("b64", "raw", fake.b64(signature)):
        assert play("verify-blob", *UNLOGGED, "--signature", given, "blob")[0] == 0
    put("other", BLOB + b".")
    status, _, err = play("verify-blob", *UNLOGGED, "--signature", "raw", "other")
    assert (status, tail(err)) == (1, both(BAD))
    assert play("verify-blob", *UNLOGGED, "--signature", "AAAA", "blob")[0] == 1


def test_old_bundles(play: Play, put: Put) -> None:
    put("old.json", blobs.old_bundle(KEY))
    words = line("verify-blob", *UNLOGGED, "--bundle", "old.json")
    assert play(*words, "blob") == (0, "", WARNING + "Verified OK\n")
    put("logged.json", blobs.old_bundle(KEY, log=SIGSTORE.first_log))
    words = line("verify-blob", "--key", "key.pub", *ROOT, "--bundle", "logged.json")
    assert play(*words, "blob") == (0, "", "Verified OK\n")
    put("unlogged.json", blobs.old_bundle(KEY))
    words = line("verify-blob", "--key", "key.pub", *ROOT, "--bundle", "unlogged.json")
    assert play(*words, "blob")[0] == 1
    made = blobs.old_bundle(KEY, log=SIGSTORE.first_log)
    made["rekorBundle"]["Payload"]["integratedTime"] += 1
    put("moved.json", made)
    words = line("verify-blob", "--key", "key.pub", *ROOT, "--bundle", "moved.json")
    assert "promise does not verify" in play(*words, "blob")[2]


def test_old_bundles_with_the_key_where_a_certificate_would_be(play: Play, put: Put) -> None:
    made = blobs.old_bundle(KEY)
    made["cert"] = fake.b64(fake.pem(KEY).encode())
    put("old.json", made)
    assert play("verify-blob", *UNLOGGED, "--bundle", "old.json", "blob")[0] == 0
    made["cert"] = fake.b64(fake.pem(OTHER).encode())
    put("old.json", made)
    assert play("verify-blob", *UNLOGGED, "--bundle", "old.json", "blob")[0] == 1


# Identities -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "proof", [{"log": SIGSTORE.log, "stamps": SIGSTORE.stamps}, {"log": SIGSTORE.first_log}]
)
def test_a_bundle_by_an_identity(play: Play, put: Put, proof: dict[str, Any]) -> None:
    put("b.json", blobs.bundle(LEAF, **proof))
    words = line("verify-blob", *ROOT, "--bundle", "b.json")
    assert play(*words, *BY_ALICE, "blob") == (0, "", "Verified OK\n")
    patterns = (
        "--certificate-identity-regexp",
        "alice@.*",
        "--certificate-oidc-issuer-regexp",
        ".*",
    )
    assert play(*words, *patterns, "blob")[0] == 0
    key = play(*words, "--key", "key.pub", "blob")
    assert (key[0], tail(key[2])) == (1, both("expected key signature, not certificate"))


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (
            ("--certificate-identity", "bob@example.test", "--certificate-oidc-issuer", ISSUER),
            f'expected SAN value "bob@example.test", got "{ALICE}"',
        ),
        (
            ("--certificate-identity-regexp", "^bob", "--certificate-oidc-issuer", ISSUER),
            f'expected SAN value to match regex "^bob", got "{ALICE}"',
        ),
        (  # cosign searches, and so takes this one
            ("--certificate-identity-regexp", "alice", "--certificate-oidc-issuer", ISSUER),
            f'expected SAN value to match regex "alice", got "{ALICE}"',
        ),
        (
            ("--certificate-identity", ALICE, "--certificate-oidc-issuer", "https://x.test"),
            f'expected issuer value "https://x.test", got "{ISSUER}"',
        ),
        (
            (*BY_ALICE, "--certificate-github-workflow-trigger", "push"),
            'expected GithubWorkflowTrigger to be "push", got ""',
        ),
    ],
)
def test_another_identity(play: Play, put: Put, flags: tuple[str, ...], text: str) -> None:
    put("b.json", blobs.bundle(LEAF, log=SIGSTORE.log, stamps=SIGSTORE.stamps))
    status, _, err = play("verify-blob", *ROOT, "--bundle", "b.json", *flags, "blob")
    start = (
        "failed to verify certificate identity: no matching CertificateIdentity found, last error: "
    )
    assert (status, tail(err)) == (1, both(start + text))


def bent(change: Callable[[Document], object]) -> Document:
    made = blobs.bundle(LEAF, log=SIGSTORE.log, stamps=SIGSTORE.stamps)
    change(made)
    return made


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: blobs.bundle(LEAF, stamps=SIGSTORE.stamps), NO_LOG),
        (lambda: blobs.bundle(LEAF, log=fake.Log(), stamps=SIGSTORE.stamps), NO_LOG),
        (
            lambda: blobs.bundle(LEAF, log=SIGSTORE.log),
            "failed to verify timestamps: threshold not met for verified signed timestamps: 0 < 1",
        ),
        (
            lambda: blobs.bundle(
                LEAF, log=SIGSTORE.log, stamps=fake.TimestampAuthority("strangers")
            ),
            "failed to verify timestamps: threshold not met for verified signed timestamps: 0 < 1",
        ),
        (
            lambda: blobs.bundle(
                fake.Authority("strangers").issue(), log=SIGSTORE.log, stamps=SIGSTORE.stamps
            ),
            "failed to verify leaf certificate: leaf certificate verification failed",
        ),
        (
            lambda: blobs.bundle(
                SIGSTORE.authority.issue(sct=False), log=SIGSTORE.log, stamps=SIGSTORE.stamps
            ),
            "failed to verify signed certificate timestamp: only able to verify 0 SCT entries; "
            "unable to meet threshold of 1",
        ),
        (
            lambda: bent(
                lambda made: made["messageSignature"].update(
                    messageDigest={"algorithm": "SHA2_256", "digest": fake.b64(bytes(32))}
                )
            ),
            "failed to verify signature: artifact digest does not match message digest",
        ),
    ],
)  # fmt: skip
def test_what_an_identity_cannot_do_without(
    play: Play, put: Put, make: Callable[[], Document], text: str
) -> None:
    put("b.json", make())
    status, _, err = play("verify-blob", *ROOT, *BY_ALICE, "--bundle", "b.json", "blob")
    assert (status, tail(err)) == (1, both(text))


def test_a_signature_of_something_else_with_all_its_proofs(play: Play, put: Put) -> None:
    put("b.json", blobs.bundle(LEAF, b"other", log=SIGSTORE.log, stamps=SIGSTORE.stamps))
    status, _, err = play("verify-blob", *ROOT, *BY_ALICE, "--bundle", "b.json", "blob")
    assert status == 1
    assert "the log entry is about another signature" in err


def test_what_may_be_left_out(play: Play, put: Put) -> None:
    put("b.json", blobs.bundle(SIGSTORE.authority.issue(sct=False), stamps=SIGSTORE.stamps))
    words = line("verify-blob", *ROOT, *BY_ALICE, "--bundle", "b.json", "blob")
    assert play(*words, "--insecure-ignore-tlog", "--insecure-ignore-sct")[0] == 0
    put("late.json", blobs.bundle(LEAF))  # nothing proves when, and now it has expired
    words = line("verify-blob", *ROOT, *BY_ALICE, "--bundle", "late.json", "blob")
    assert play(*words, "--insecure-ignore-tlog")[0] == 1
    put("first.json", blobs.bundle(LEAF, log=SIGSTORE.first_log))
    words = line("verify-blob", *ROOT, *BY_ALICE, "--bundle", "first.json", "blob")
    assert play(*words)[0] == 0
    assert play(*words, "--use-signed-timestamps")[0] == 1


def test_a_chain_in_a_bundle_is_taken_where_it_is_allowed(play: Play, put: Put) -> None:
    def chained(made: Document) -> None:
        material = made["verificationMaterial"]
        leaf = material.pop("certificate")
        between = {"rawBytes": fake.b64(SIGSTORE.authority.chain[0])}
        material["x509CertificateChain"] = {"certificates": [leaf, between]}

    put("b.json", bent(chained))
    words = line("verify-blob", *ROOT, *BY_ALICE, "--bundle", "b.json", "blob")
    assert (
        "verification material cannot be X.509 certificate chain (for bundle v0.3)"
        in play(*words)[2]
    )
    assert play(*words, "--allow-certificate-chain")[0] == 0


def test_old_signatures_by_an_identity(play: Play, put: Put) -> None:
    put("old.json", blobs.old_bundle(LEAF, log=SIGSTORE.first_log))
    words = line("verify-blob", *ROOT, *BY_ALICE, "--bundle", "old.json", "blob")
    assert play(*words)[::2] == (0, "Verified OK\n")
    bob = ("--certificate-identity", "bob", "--certificate-oidc-issuer", ISSUER)
    status, _, err = play("verify-blob", *ROOT, *bob, "--bundle", "old.json", "blob")
    assert (status, tail(err)) == (
        1,
        both(
            "none of the expected identities matched what was in the certificate, "
            f"got subjects [{ALICE}] with issuer {ISSUER}"
        ),
    )


def test_certificate_chain_and_timestamp_by_themselves(play: Play, put: Put) -> None:
    """All that lay beside a signature before bundles, and flags instead of a trusted root."""
    signature = blobs.signature(LEAF)
    put("sig", fake.b64(signature).encode())
    put("cert.pem", LEAF.pem.encode())
    put("cert.b64", fake.b64(LEAF.pem.encode()).encode())
    put("ca.pem", "".join(map(fake.pem_of, SIGSTORE.authority.chain)).encode())
    put("roots.pem", fake.pem_of(SIGSTORE.authority.chain[-1]).encode())
    put("between.pem", fake.pem_of(SIGSTORE.authority.chain[0]).encode())
    put("tsa.pem", "".join(map(fake.pem_of, SIGSTORE.stamps.chain)).encode())
    put("stamp", blobs.stamped(SIGSTORE.stamps, signature))
    words = line(
        *("verify-blob", *BY_ALICE, "--signature", "sig", "--insecure-ignore-tlog"),
        *("--insecure-ignore-sct", "--rfc3161-timestamp", "stamp"),
        *("--timestamp-certificate-chain", "tsa.pem", "blob"),
    )
    chain = ("--certificate-chain", "ca.pem")
    for certificate in ("cert.pem", "cert.b64"):
        assert play(*words, "--certificate", certificate, *chain)[0] == 0
    roots = ("--ca-roots", "roots.pem", "--ca-intermediates", "between.pem")
    assert play(*words, "--certificate", "cert.pem", *roots)[0] == 0
    variables = {"SIGSTORE_ROOT_FILE": "ca.pem"}
    assert play(*words, "--certificate", "cert.pem", **variables)[0] == 0
    put("other.pem", "".join(map(fake.pem_of, fake.Authority().chain)).encode())
    assert play(*words, "--certificate", "cert.pem", "--certificate-chain", "other.pem")[0] == 1
    put("stamp", blobs.stamped(SIGSTORE.stamps, b"another signature"))
    assert play(*words, "--certificate", "cert.pem", *chain)[0] == 1


def test_keys_of_logs_by_themselves(play: Play, put: Put) -> None:
    put("old.json", blobs.old_bundle(LEAF, log=SIGSTORE.first_log))
    put("ca.pem", "".join(map(fake.pem_of, SIGSTORE.authority.chain)).encode())
    variables = {
        "SIGSTORE_ROOT_FILE": "ca.pem",
        "SIGSTORE_REKOR_PUBLIC_KEY": str(
            put("rekor.pub", fake.pem(SIGSTORE.first_log.key).encode())
        ),
        "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": str(
            put("ct.pub", fake.pem(SIGSTORE.authority.ct_key).encode())
        ),
    }
    words = line("verify-blob", *BY_ALICE, "--bundle", "old.json", "blob")
    assert play(*words, **variables)[0] == 0
    put("rekor.pub", fake.pem(OTHER).encode())
    assert play(*words, **variables)[0] == 1
    put("rekor.pub", b"nonsense")
    assert "setting trusted material: " in play(*words, **variables)[2]


# What is no signature -----------------------------------------------------------------------------------


def test_an_attestation_is_no_signature(play: Play, put: Put) -> None:
    put("att.json", fake.bundle(KEY, blobs.statement()))
    status, _, err = play("verify-blob", *UNLOGGED, "--bundle", "att.json", "blob")
    assert status == 1
    assert f"states {CUSTOM!r}, expected is a signature" in err
    put("sign.json", fake.bundle(KEY, blobs.statement(predicate=fake.SIGN)))
    assert play("verify-blob", *UNLOGGED, "--bundle", "sign.json", "blob")[0] == 0


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ((), "provide a key with --key or --sk, a certificate to verify against with --certificate, "
             "or a bundle with --bundle"),
        (("--bundle", "b.json"), "--certificate-identity or --certificate-identity-regexp is required "
                                 "for verification in keyless mode"),
        (UNLOGGED, "missing flag '--signature'"),
        ((*UNLOGGED, "--bundle", "none"), "reading none: open none: no such file or directory"),
        ((*UNLOGGED, "--bundle", "none", *ROOT), "reading none: open none: no such file or directory"),
        ((*UNLOGGED, "--bundle", "b.json", "--signature", "x"),
         "unsupported: signature may not be provided using --signature when using --new-bundle-format"),
        ((*UNLOGGED, "--bundle", "b.json", "--ca-roots", "x"),
         "unsupported: CA roots/intermediates must be provided using --trusted-root when using "
         "--new-bundle-format"),
        ((*UNLOGGED, "--bundle", "b.json", "--certificate", "x"),
         "exactly one of: key reference (--key), certificate (--cert) or hardware token (--sk) must be "
         "provided"),
        ((*UNLOGGED, "--signature", "x", "--rfc3161-timestamp", "x"),
         "when specifying --rfc3161-timestamp-path, you must also specify --use-signed-timestamps or "
         "--timestamp-certificate-chain"),
        ((*UNLOGGED, "--signature", "x", "--use-signed-timestamps"),
         "when specifying --use-signed-timestamps or --timestamp-certificate-chain, you must also specify "
         "--rfc3161-timestamp-path"),
        ((*UNLOGGED, "--bundle", "b.json", "--signature-digest-algorithm", "md5"),
         "unknown digest algorithm: md5"),
        ((*UNLOGGED, "--bundle", "b.json", "--signature-digest-algorithm", "sha512"),
         "--signature-digest-algorithm sha512 does not belong to this key"),
        ((*UNLOGGED, "--bundle", "b.json", "--sct", "x"),
         "--sct is not taken by countermark: it counts where Fulcio puts it: in the certificate"),
        ((*UNLOGGED, "--bundle", "blob"), "blob: not JSON: a value is expected at character 0"),
        (("--key", "key.pub", *ROOT, "--bundle", "b.json"), NO_LOG),
        (("--key", "key.pub", "--trusted-root", "none", "--bundle", "b.json"),
         "setting trusted material: loading trusted root: failed to read trusted root open none: "
         "no such file or directory"),
        (("--key", "none", "--insecure-ignore-tlog", "--bundle", "b.json"),
         "loading verifier from key opts: loading public key: open none: no such file or directory"),
    ],
)  # fmt: skip
def test_what_is_refused(play: Play, put: Put, flags: tuple[str, ...], text: str) -> None:
    put("b.json", blobs.bundle(KEY))
    status, out, err = play("verify-blob", *flags, "blob")
    assert (status, out, tail(err)) == (1, "", both(text))


def test_a_file_that_is_not_there(play: Play, put: Put) -> None:
    put("b.json", blobs.bundle(KEY))
    words = line("verify-blob", *UNLOGGED, "--bundle", "b.json")
    assert tail(play(*words, "none")[2]) == both("open none: no such file or directory")
    assert play(*words, ".")[0] == 1
    assert tail(play(*words, "env://NONE")[2]) == both("loading URL: env var $NONE not found")
    assert "unsupported --digestAlg" in play(*words, "md5:00")[2]
    assert "unable to decode provided digest" in play(*words, "sha256:zz")[2]


def test_the_trusted_root_of_a_sigstore_is_asked_for(play: Play, put: Put) -> None:
    put("b.json", blobs.bundle(KEY, log=SIGSTORE.log))
    status, _, err = play("verify-blob", "--key", "key.pub", "--bundle", "b.json", "blob")
    assert status == 1
    assert "getting trusted root from TUF for new bundle verification: " in err


# Attestations -----------------------------------------------------------------------------------------------


FORMS: dict[str, Callable[[bytes], object]] = {
    "bundle": lambda statement: fake.bundle(KEY, statement),
    "old": lambda statement: blobs.old_bundle(KEY, attested=statement),
    "envelope": lambda statement: blobs.envelope_of(KEY, statement),
}


def attestation(form: str) -> tuple[str, ...]:
    flag = "--signature" if form == "envelope" else "--bundle"
    return ("verify-blob-attestation", *UNLOGGED, flag, "att.json")


@pytest.mark.parametrize("form", list(FORMS))
def test_attestations_in_every_form(play: Play, put: Put, form: str) -> None:
    put("att.json", FORMS[form](blobs.statement()))
    words = attestation(form)
    warning = WARNING.replace("blob.", "blob attestation.")
    status, out, err = play(*words, "blob")
    assert (status, out) == (0, "")
    assert err.endswith(warning + "Verified OK\n")
    digest = sha256(BLOB).hexdigest()
    assert play(*words, "--digest", digest, "--digestAlg", "sha256")[0] == 0
    assert play(*words, "--digest", digest.upper(), "--digestAlg", "sha256")[0] == 0
    assert play(*words, "--check-claims=false")[0] == 0
    put("other", b"other")
    assert play(*words, "--check-claims=false", "other")[0] == 0
    status, _, err = play(*words, "other")
    old = "no matching subject digest found"
    new = "failed to verify signature: provided artifact digests do not match digests in statement"
    assert (status, tail(err)) == (1, both(new if form == "bundle" else old))
    status, _, err = play(*words, "--type", "spdx", "blob")
    assert tail(err) == both(f"invalid predicate type, expected spdx got {CUSTOM}")
    assert play(*words, "--type", CUSTOM, "blob")[0] == 0
    ignoring = play(*words, "--digest", "zz", "--digestAlg", "sha256", "blob")
    assert ignoring[0] == 0
    assert "WARNING: Ignoring provided --digest in favor of provided blob\n" in ignoring[2]


@pytest.mark.parametrize("form", list(FORMS))
def test_attestations_by_another_key(play: Play, put: Put, form: str) -> None:
    put("key.pub", fake.pem(OTHER).encode())
    made = FORMS[form](blobs.statement())
    if form == "bundle" and isinstance(made, dict):
        made["verificationMaterial"]["publicKey"]["hint"] = ""
    put("att.json", made)
    status, _, err = play(*attestation(form), "blob")
    core = "accepted signatures do not match threshold, Found: 0, Expected 1"
    new = f"failed to verify signature: could not verify envelope: {core}"
    assert (status, tail(err)) == (1, both(new if form == "bundle" else core))


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_other_digests_of_the_file(play: Play, put: Put, algorithm: str) -> None:
    statement = blobs.statement(algorithm=algorithm)
    put("att.json", fake.bundle(KEY, statement))
    assert play(*attestation("bundle"), "blob")[0] == 0
    put("att.json", FORMS["old"](statement))
    assert play(*attestation("old"), "blob")[0] == 1  # cosign takes sha256 alone, unless it is told
    assert play(*attestation("old"), "--digestAlg", algorithm, "blob")[0] == 0


@pytest.mark.parametrize(
    "proof", [{"log": SIGSTORE.log, "stamps": SIGSTORE.stamps}, {"log": SIGSTORE.first_log}]
)
def test_an_attestation_by_an_identity(play: Play, put: Put, proof: dict[str, Any]) -> None:
    put("att.json", fake.bundle(LEAF, blobs.statement(), **proof))
    words = line("verify-blob-attestation", *ROOT, "--bundle", "att.json")
    assert play(*words, *BY_ALICE, "blob") == (0, "", "Verified OK\n")
    bob = ("--certificate-identity", "bob", "--certificate-oidc-issuer", ISSUER)
    assert play(*words, *bob, "blob")[0] == 1


def test_an_old_attestation_by_an_identity(play: Play, put: Put) -> None:
    made = blobs.old_bundle(LEAF, log=SIGSTORE.first_log, attested=blobs.statement())
    put("att.json", made)
    words = line("verify-blob-attestation", *ROOT, *BY_ALICE, "--bundle", "att.json")
    assert play(*words, "blob")[0] == 0
    put("other.json", blobs.old_bundle(LEAF, attested=blobs.statement(b"other")))
    other = json.loads(Path("other.json").read_bytes())
    put("swapped.json", {**made, "base64Signature": other["base64Signature"]})
    words = line("verify-blob-attestation", *ROOT, *BY_ALICE, "--bundle", "swapped.json")
    put("other", b"other")
    status, _, err = play(*words, "other")
    assert status == 1
    assert "the log entry is about another envelope" in err


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (("--bundle", "b.json", "blob"), "bundle does not contain a DSSE envelope"),
        (("blob",), "please specify path to the DSSE envelope signature via --signature or --bundle"),
        (("--bundle", "b.json"), "must provide path to blob or digest and digestAlg; "
                                 "run `cosign verify-blob-attestation -h` for more help"),
        (("--bundle", "b.json", "--digest", "00"),
         "must provide path to blob or digest and digestAlg; "
         "run `cosign verify-blob-attestation -h` for more help"),
        (("--bundle", "att.json", "--type=", "blob"),
         "converting to consumable policy validation: missing predicate type"),
        (("--bundle", "att.json", "--digestAlg", "md5", "blob"),
         'unsupported --digestAlg "md5"; supported values are sha256, sha384, sha512'),
        (("--bundle", "att.json", "none"), "open none: no such file or directory"),
        (("--signature", "none", "blob"), "reading none: open none: no such file or directory"),
        (("--bundle", "att.json", "--signature", "att.json", "blob"),
         "unsupported: signature may not be provided using --signature when using --new-bundle-format"),
        (("--bundle", "att.json", "--digest", "0" * 64, "--digestAlg", "sha256"),
         "failed to verify signature: provided artifact digest does not match any digest in statement"),
    ],
)  # fmt: skip
def test_attestations_that_are_refused(
    play: Play, put: Put, flags: tuple[str, ...], text: str
) -> None:
    put("b.json", blobs.bundle(KEY))
    put("att.json", fake.bundle(KEY, blobs.statement()))
    status, out, err = play("verify-blob-attestation", *UNLOGGED, *flags)
    assert (status, out, tail(err)) == (1, "", both(text))
