"""cosign's commands on files, the real ones and ours on the same input: the same output, words and exit status.

Where ours differs on purpose, a table says so; docs/compatibility.md says why.
"""

import json
import os
import sys
from hashlib import sha256

import pytest

import fake_blobs as blobs
import fake_sigstore as fake
from countermark.proofs import cosign_keys, public_keys, signing_keys
from fake_blobs import BLOB
from fake_sigstore import ALICE, ISSUER
from interop.cosign_peers import PASSWORD, Cosign
from interop.processes import Outcome, run

SIGSTORE = fake.Sigstore()
LEAF = SIGSTORE.authority.issue()
OFFLINE = ("--key", "cosign.pub", "--insecure-ignore-tlog")
IDENTITY = ("--certificate-identity", ALICE, "--certificate-oidc-issuer", ISSUER)
ROOT = ("--trusted-root", "root.json")
DIGEST = sha256(BLOB).hexdigest()
AT = "start-time=2026-01-01T00:00:00Z"
SERVICE = f"url=https://x.test,api-version=1,{AT},operator=us"
KINDS = ("P-256", "P-384", "P-521", "rsa", "ed25519")


class Pair:
    """The real program and ours in one folder."""

    def __init__(self, cosign: Cosign) -> None:
        self.real, self.folder = cosign, cosign.folder
        (self.folder / "blob").write_bytes(BLOB)
        (self.folder / "other").write_bytes(b"other")

    def ours(self, *words: str, stdin: bytes = b"") -> Outcome:
        given = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "DOCKER_CONFIG": str(self.folder),
            "COSIGN_PASSWORD": PASSWORD,
            "TUF_MIRROR": "http://127.0.0.1:1",
        }
        program = (sys.executable, "-m", "countermark", "cosign")
        return run([*program, *words], given, self.folder, stdin)

    def write(self, name: str, content: object) -> None:
        raw = content if isinstance(content, bytes) else fake.compact(content)
        (self.folder / name).write_bytes(raw)

    def agree(self, *words: str, status: int | None = None) -> Outcome:
        """Demand that both print and return the same."""
        real, ours = self.real(*words), self.ours(*words)
        assert (ours.exit, ours.out, ours.err) == (real.exit, real.out, real.err), real.text
        assert status in (None, ours.exit), ours.text
        return ours


@pytest.fixture
def pair(cosign: Cosign) -> Pair:
    return Pair(cosign)


@pytest.fixture
def signed(pair: Pair) -> Pair:
    """A folder in which the real one has signed and attested a file in each form that it has."""
    cosign = pair.real
    cosign("generate-key-pair").ok()
    (pair.folder / "predicate").write_text('{"a": 1}')
    key = ("--key", "cosign.key")
    cosign("sign-blob", *key, "--bundle", "b.json", *cosign.key_only, "blob").ok()
    attested = ("--predicate", "predicate", "--bundle", "att.json", "blob")
    cosign("attest-blob", *key, *cosign.key_only, *attested).ok()
    old = (
        *("--use-signing-config=false", "--tlog-upload=false", "--new-bundle-format=false", "-y"),
        "--output-signature",
    )
    cosign("sign-blob", *key, *old, "sig", "--bundle", "old.json", "blob").ok()
    attested = ("--predicate", "predicate", "--bundle", "oldatt.json", "blob")
    cosign("attest-blob", *key, *old, "attsig", *attested).ok()
    return pair


# Verifying ------------------------------------------------------------------------------------------------


SAME_BLOB: tuple[tuple[str, ...], ...] = (
    (*OFFLINE, "--bundle", "b.json", "blob"),
    (*OFFLINE, "--bundle", "b.json", f"sha256:{DIGEST}"),
    (*OFFLINE, "--bundle", "b.json", "other"),
    (*OFFLINE, "--bundle", "b.json", f"sha256:{'0' * 64}"),
    (*OFFLINE, "--bundle", "b.json", "none"),
    (*OFFLINE, "--bundle", "none", "blob"),
    (*OFFLINE, "--bundle", "old.json", "blob"),
    (*OFFLINE, "--bundle", "old.json", "other"),
    (*OFFLINE, "--signature", "sig", "blob"),
    (*OFFLINE, "--signature", "sig", "other"),
    (*OFFLINE, "--signature", "sig", "--bundle", "b.json", "blob"),
    (*OFFLINE, "blob"),
    ("--key", "cosign.pub", "--private-infrastructure", "--bundle", "b.json", "blob"),
    ("--key", "cosign.key", "--insecure-ignore-tlog", "--bundle", "b.json", "blob"),
    ("--key", "none", "--insecure-ignore-tlog", "--bundle", "b.json", "blob"),
    ("--key", "env://NONE", "--insecure-ignore-tlog", "--bundle", "b.json", "blob"),
    ("--key", "cosign.pub", "--trusted-root", "none", "--bundle", "b.json", "blob"),
    ("--key", "cosign.pub", *IDENTITY, "--bundle", "b.json", "blob"),
    ("--bundle", "b.json", "blob"),
    ("--bundle", "b.json", "--certificate-identity", "x", "blob"),
    ("blob",),
    (*OFFLINE, "--bundle", "b.json", "--certificate", "x", "blob"),
    (*OFFLINE, "--bundle", "b.json", "--certificate-chain", "x", "blob"),
    (*OFFLINE, "--bundle", "b.json", "--rfc3161-timestamp", "x", "blob"),
    (*OFFLINE, "--signature", "sig", "--rfc3161-timestamp", "x", "blob"),
    (*OFFLINE, "--signature", "sig", "--signature-digest-algorithm", "sha9", "blob"),
    (*OFFLINE, "--bundle", "b.json", "blob", "other"),
    (*OFFLINE, "--nosuch", "blob"),
)
SAME_ATTESTATION: tuple[tuple[str, ...], ...] = (
    (*OFFLINE, "--bundle", "att.json", "blob"),
    (*OFFLINE, "--bundle", "oldatt.json", "blob"),
    (*OFFLINE, "--signature", "attsig", "blob"),
    (*OFFLINE, "--bundle", "att.json", "other"),
    (*OFFLINE, "--bundle", "oldatt.json", "other"),
    (*OFFLINE, "--signature", "attsig", "other"),
    (*OFFLINE, "--bundle", "att.json", "none"),
    (*OFFLINE, "--bundle", "att.json"),
    (*OFFLINE, "--bundle", "att.json", "--check-claims=false"),
    (*OFFLINE, "--signature", "attsig", "--check-claims=false", "other"),
    (*OFFLINE, "--bundle", "att.json", "--digest", DIGEST, "--digestAlg", "sha256"),
    (*OFFLINE, "--bundle", "att.json", "--digest", "0" * 64, "--digestAlg", "sha256"),
    (*OFFLINE, "--signature", "attsig", "--digest", DIGEST, "--digestAlg", "sha256"),
    (*OFFLINE, "--bundle", "att.json", "--digest", "zz", "--digestAlg", "sha256", "blob"),
    (*OFFLINE, "--bundle", "att.json", "--digestAlg", "md5", "blob"),
    (*OFFLINE, "--bundle", "att.json", "--digestAlg", "sha512", "blob"),
    (*OFFLINE, "--signature", "attsig", "--digestAlg", "sha512", "blob"),
    (*OFFLINE, "--bundle", "att.json", "--type", "spdx", "blob"),
    (*OFFLINE, "--signature", "attsig", "--type", "spdx", "blob"),
    (*OFFLINE, "--bundle", "att.json", "--type", blobs.CUSTOM, "blob"),
    (*OFFLINE, "--bundle", "att.json", "--type=", "blob"),
    (*OFFLINE, "--bundle", "b.json", "blob"),
    (*OFFLINE, "--bundle", "none", "blob"),
    (*OFFLINE, "--signature", "none", "blob"),
    (*OFFLINE, "blob"),
    ("--key", "none", "--insecure-ignore-tlog", "--bundle", "att.json", "blob"),
    ("--bundle", "att.json", "blob"),
    ("--signature", "attsig", "blob"),
)


def test_files_verify_as_there(signed: Pair) -> None:
    for words in SAME_BLOB:
        signed.agree("verify-blob", *words)
    for words in SAME_ATTESTATION:
        signed.agree("verify-blob-attestation", *words)


def test_standard_input(signed: Pair) -> None:
    words = ("verify-blob", *OFFLINE, "--bundle", "b.json", "-")
    for content in (BLOB, b"other"):
        real, ours = signed.real(*words, stdin=content), signed.ours(*words, stdin=content)
        assert (ours.exit, ours.err) == (real.exit, real.err)


def test_what_ours_refuses_and_takes_besides(signed: Pair) -> None:
    """Each is in docs/compatibility.md."""
    signed.write("root.json", SIGSTORE.trusted_root())
    attestation = ("verify-blob", *OFFLINE, "--bundle", "att.json", "blob")
    assert "Verified OK" in signed.real(*attestation).ok().err
    signed.ours(*attestation).refused("expected is a signature")
    old = ("verify-blob", *OFFLINE, *ROOT, "--bundle", "old.json", "blob")
    signed.real(*old).refused("--trusted-root only supported with --new-bundle-format")
    assert signed.ours(*old).ok().err.endswith("Verified OK\n")
    missing = ("verify-blob", *OFFLINE, *ROOT, "--bundle", "none", "blob")
    signed.real(*missing).refused("--trusted-root only supported with --new-bundle-format")
    signed.ours(*missing).refused("reading none: open none: no such file or directory")


# Keys: faults 6 and 7 of the real one stay out --------------------------------------------------------------


def handed_over(pair: Pair, algorithm: str) -> None:
    key = signing_keys.generate(algorithm)
    pair.write("cosign.key", cosign_keys.encode(key, PASSWORD.encode()))
    pair.write("cosign.pub", public_keys.encode(key.public))


def round_trip(pair: Pair, forms: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Have the real one sign, and return how its verification and ours end, by form."""
    cosign, key = pair.real, ("--key", "cosign.key")
    cosign("sign-blob", *key, "--bundle", "b.json", *cosign.unchecked, "blob").ok()
    old = ("--use-signing-config=false", "--tlog-upload=false", "--new-bundle-format=false", "-y")
    cosign("sign-blob", *key, *old, "--output-signature", "sig", "blob").ok()
    found = {}
    for form in forms:
        given = ("--bundle", "b.json") if form == "bundle" else ("--signature", "sig")
        words = ("verify-blob", *OFFLINE, *given)
        found[form] = (cosign(*words, "blob").exit, pair.ours(*words, "blob").exit)
        pair.ours(*words, "other").refused()
    return found


@pytest.mark.parametrize("algorithm", ["ecdsa-p384", "ecdsa-p521"])
def test_p384_and_p521_keys_round_trip(pair: Pair, algorithm: str) -> None:
    handed_over(pair, algorithm)
    assert round_trip(pair, ("bundle", "signature")) == {"bundle": (1, 0), "signature": (1, 0)}


def test_ed25519_keys_round_trip(pair: Pair) -> None:
    handed_over(pair, "ed25519")
    assert round_trip(pair, ("bundle", "signature")) == {"bundle": (1, 0), "signature": (0, 0)}


@pytest.mark.parametrize("algorithm", ["rsa-2048", "ecdsa-p256"])
def test_other_keys_round_trip_in_both(pair: Pair, algorithm: str) -> None:
    handed_over(pair, algorithm)
    assert round_trip(pair, ("bundle", "signature")) == {"bundle": (0, 0), "signature": (0, 0)}


# Identities -------------------------------------------------------------------------------------------------


@pytest.fixture
def certified(pair: Pair) -> Pair:
    pair.write("root.json", SIGSTORE.trusted_root())
    second = {"log": SIGSTORE.log, "stamps": SIGSTORE.stamps}
    pair.write("second.json", blobs.bundle(LEAF, log=SIGSTORE.log, stamps=SIGSTORE.stamps))
    pair.write("first.json", blobs.bundle(LEAF, log=SIGSTORE.first_log))
    pair.write("att.json", fake.bundle(LEAF, blobs.statement(), **second))  # type: ignore[arg-type]
    pair.write("unlogged.json", blobs.bundle(LEAF, stamps=SIGSTORE.stamps))
    pair.write("stranger.json", blobs.bundle(LEAF, log=fake.Log(), stamps=SIGSTORE.stamps))
    return pair


def test_identities_verify_as_there(certified: Pair) -> None:
    words: tuple[str, ...]
    for name in ("second.json", "first.json"):
        words = ("verify-blob", *ROOT, "--bundle", name)
        certified.agree(*words, *IDENTITY, "blob", status=0)
        for flags in (
            ("--certificate-identity-regexp", ".*@example.test", IDENTITY[2], ISSUER),
            ("--certificate-identity", ALICE, "--certificate-oidc-issuer-regexp", "https://.*"),
        ):
            certified.agree(*words, *flags, "blob", status=0)
        for flags in (
            ("--certificate-identity", "bob@example.test", IDENTITY[2], ISSUER),
            ("--certificate-identity-regexp", "^bob", IDENTITY[2], ISSUER),
            ("--certificate-identity", ALICE, IDENTITY[2], "https://other.test"),
        ):
            certified.agree(*words, *flags, "blob", status=1)
    words = ("verify-blob-attestation", *ROOT, "--bundle", "att.json", *IDENTITY)
    certified.agree(*words, "blob", status=0)
    certified.agree(*words, "other", status=1)


def test_what_is_said_first_is_the_same(certified: Pair) -> None:
    """Below cosign's words ours says what was found."""
    for name in ("unlogged.json", "stranger.json"):
        words: tuple[str, ...] = ("verify-blob", *ROOT, "--bundle", name, *IDENTITY, "blob")
        real, ours = certified.real(*words), certified.ours(*words)
        assert ours.exit == real.exit == 1
        assert ours.err.startswith(real.err)


def test_patterns_match_the_whole(certified: Pair) -> None:
    pattern = (
        "--certificate-identity-regexp",
        "alice",
        "--certificate-oidc-issuer-regexp",
        "example",
    )
    words = ("verify-blob", *ROOT, "--bundle", "second.json", *pattern, "blob")
    certified.real(*words).ok()
    certified.ours(*words).refused('expected SAN value to match regex "alice"')


# Trusted roots and signing configs --------------------------------------------------------------------------


@pytest.fixture
def materials(pair: Pair) -> Pair:
    for name, certificates in (
        ("ca.pem", SIGSTORE.authority.chain),
        ("root.pem", SIGSTORE.authority.chain[-1:]),
        ("tsa.pem", SIGSTORE.stamps.chain),
    ):
        pair.write(name, "".join(map(fake.pem_of, certificates)).encode())
    for kind in KINDS:
        pair.write(f"{kind}.pub", fake.pem(fake.new_key(kind)).encode())
    pair.write("empty", b"")
    return pair


SAME_ROOT = (
    "",
    "--fulcio url=https://f.test,certificate-chain=ca.pem",
    "--fulcio url=https://f.test,certificate-chain=root.pem,start-time=2026-01-01T00:00:00.5Z "
    "--fulcio url=https://e.test,certificate-chain=ca.pem,start-time=2025-01-01T00:00:00+02:00",
    *(f"--rekor url=https://r.test,public-key={kind}.pub,{AT}" for kind in KINDS),
    *(f"--rekor url=https://r.test:1/x,public-key={kind}.pub,{AT},origin=r.test" for kind in KINDS),
    f"--ctfe url=https://c.test,public-key=P-256.pub,{AT},end-time=2027-01-01T00:00:00Z",
    "--tsa url=https://t.test,certificate-chain=tsa.pem",
    "--certificate-chain ca.pem --fulcio-uri https://f.test",
    "--rekor-key ed25519.pub,r.test --rekor-url https://r.test",
    "--rekor-key P-256.pub --rekor-start-time 2026-01-01T00:00:00Z",
    "--ctfe-key P-256.pub --ctfe-url https://c.test --ctfe-end-time 2026-01-01T00:00:00Z",
    "--timestamp-certificate-chain tsa.pem",
    "--timestamp-certificate-chain ca.pem",
    "--rekor-url https://r.test",
    "--tsa url=https://t.test,certificate-chain=ca.pem",
    "--tsa url=https://t.test,certificate-chain=empty",
    "--fulcio certificate-chain=ca.pem",
    "--fulcio url=x",
    "--fulcio url=x,certificate-chain=none",
    "--fulcio x",
    *(
        f"--fulcio url=x,certificate-chain=ca.pem,start-time={time}"
        for time in ("x", "2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00",
                     "2026-01-01T00:00:00ZZ", "2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z", "26-01-01T00:00:00Z")
    ),
    "--rekor url=x,public-key=P-256.pub",
    "--rekor url=x,public-key=empty,start-time=x",
    "--rekor url=x,public-key=P-256.pub,start-time=x",
    "--ctfe url=x,public-key=none,start-time=x",
    "--certificate-chain ca.pem --fulcio x",
    "--rekor-url x --rekor x",
)  # fmt: skip
SAME_CONFIG = (
    "",
    f"--fulcio {SERVICE}",
    f"--fulcio {SERVICE} --rekor {SERVICE} --rekor-config ANY --oidc-provider {SERVICE} --tsa {SERVICE} "
    "--tsa-config EXACT:2",
    f"--fulcio {SERVICE.replace('=1,', '=0,')},end-time=2027-01-01T00:00:00.25Z",
    "--base-config base.json",
    "--base-config base.json --no-default-fulcio --no-default-oidc --rekor-config EXACT:3",
    f"--base-config base.json --tsa {SERVICE} --tsa-config any",
    "--base-config none",
    "--base-config base.json --with-default-services",
    f"--rekor {SERVICE}",
    f"--tsa {SERVICE}",
    *(
        f"--rekor-config {text}"
        for text in ("SOME", "ALL:2", "EXACT", "EXACT:x", "EXACT:99999999999", "all")
    ),
    "--tsa-config ANY:1",
    "--fulcio url=x",
    "--fulcio x",
    "--oidc-provider url=x,api-version=x,start-time=x,operator=x",
    "--oidc-provider url=x,api-version=-1,start-time=x,operator=x",
    "--oidc-provider url=x,api-version=1,start-time=x,operator=x",
)


def test_trusted_roots_are_the_same_byte_for_byte(materials: Pair) -> None:
    for line in SAME_ROOT:
        materials.agree("trusted-root", "create", *line.split())


def test_signing_configs_are_the_same_byte_for_byte(materials: Pair) -> None:
    whole = ("signing-config", "create", *SAME_CONFIG[2].split(), "--out", "base.json")
    materials.real(*whole).ok()
    for line in SAME_CONFIG:
        materials.agree("signing-config", "create", *line.split())


def test_our_trusted_root_is_believed_there(materials: Pair) -> None:
    log, ct = SIGSTORE.log, SIGSTORE.authority.ct_key
    materials.write("log.pub", fake.pem(log.key).encode())
    materials.write("ct.pub", fake.pem(ct).encode())
    materials.ours(
        *("trusted-root", "create", "--out", "root.json"),
        *("--fulcio", "url=https://f.test,certificate-chain=ca.pem"),
        *("--rekor", f"url=https://{log.host},public-key=log.pub,{AT},origin={log.host}"),
        *("--ctfe", f"url=https://ct.test,public-key=ct.pub,{AT}"),
        *("--tsa", "url=https://t.test,certificate-chain=tsa.pem"),
    ).ok()
    materials.write("b.json", blobs.bundle(LEAF, log=log, stamps=SIGSTORE.stamps))
    materials.agree("verify-blob", *ROOT, *IDENTITY, "--bundle", "b.json", "blob", status=0)


# Bundles ----------------------------------------------------------------------------------------------------


def test_bundles_are_made_as_there(signed: Pair) -> None:
    words = ("bundle", "create", "--artifact", "blob", "--ignore-tlog")
    key = ("--key", "cosign.pub")
    for given in (
        (*key, "--signature", "sig"),
        (*key, "--bundle", "old.json"),
        (*key, "--bundle", "oldatt.json"),
        (*key, "--signature", "sig", "--attestation", "attsig"),
        ("--signature", "sig"),
        (*key, "--signature", "none"),
        (*key, "--bundle", "none"),
        ("--key", "none", "--signature", "sig"),
        (),
    ):
        signed.agree(*words, *given)
    signed.agree("bundle", "create")
    signed.agree(
        "bundle", "create", "--artifact", "none", *key, "--signature", "sig", "--ignore-tlog"
    )
    garbage = (
        "bundle",
        "create",
        "--artifact",
        "other",
        *key,
        "--signature",
        "sig",
        "--ignore-tlog",
    )
    signed.real(*garbage).ok()
    signed.ours(*garbage).refused("the signature is not by this key over this artifact")


@pytest.fixture
def shelf(certified: Pair) -> Pair:
    """Bundles of all kinds."""
    certified.write("key.json", blobs.bundle(fake.new_key()))
    for kind in ("P-384", "rsa", "ed25519"):
        leaf = SIGSTORE.authority.issue(
            "https://ci.test/x", key=fake.new_key(kind), extensions={2: "push", 9: "u"}
        )
        certified.write(
            f"{kind}.json", fake.bundle(leaf, blobs.statement(), stamps=SIGSTORE.stamps)
        )
    chained = fake.bundle(LEAF, blobs.statement(), log=SIGSTORE.first_log)
    material = chained["verificationMaterial"]
    chain = [{"rawBytes": fake.b64(der)} for der in (LEAF.der, *SIGSTORE.authority.chain[:1])]
    del material["certificate"]
    chained["verificationMaterial"] = {"x509CertificateChain": {"certificates": chain}, **material}
    for version in ("0.1", "0.2"):
        chained["mediaType"] = f"application/vnd.dev.sigstore.bundle+json;version={version}"
        certified.write(f"{version}.json", chained)
    return certified


def test_bundles_are_upgraded_as_there(shelf: Pair) -> None:
    for name in ("0.1.json", "0.2.json", "second.json", "key.json", "none"):
        shelf.agree("bundle", "upgrade", name)
    shelf.agree("bundle", "upgrade", "0.1.json", "--out", "made.json")
    shelf.write("odd.json", {"mediaType": "x", "verificationMaterial": {"publicKey": {}}})
    shelf.agree("bundle", "upgrade", "odd.json", status=1)


def test_bundles_are_shown_as_there(shelf: Pair) -> None:
    names = sorted(path.name for path in shelf.folder.glob("*.json") if "root" not in path.name)
    for name in names:
        content = json.loads((shelf.folder / name).read_bytes())
        if "verificationMaterial" not in content:
            continue
        real, ours = shelf.real("bundle", "inspect", name), shelf.ours("bundle", "inspect", name)
        assert (ours.exit, ours.out) == (real.exit, real.out)
        assert ours.err.splitlines()[:3] == real.err.splitlines()[:3]
    assert len(names) >= 10
    ours, real = (each("bundle", "inspect", "none") for each in (shelf.ours, shelf.real))
    assert ours.err.splitlines()[-2:] == real.err.splitlines()[-2:]


def test_old_bundles_are_upgraded_and_then_verify_there(signed: Pair) -> None:
    signed.real("bundle", "upgrade", "oldatt.json").refused('unknown field "base64Signature"')
    signed.ours("bundle", "upgrade", "oldatt.json", "--out", "new.json").ok()
    signed.agree("verify-blob-attestation", *OFFLINE, "--bundle", "new.json", "blob", status=0)
    signed.ours("bundle", "upgrade", "old.json").refused("nothing in it says what is signed")
    words = ("--artifact", "blob", "--bundle", "old.json", "--key", "cosign.pub", "--ignore-tlog")
    signed.ours("bundle", "create", *words, "--out", "new.json").ok()
    signed.agree("verify-blob", *OFFLINE, "--bundle", "new.json", "blob", status=0)
