"""Files that are signed: what is known of them, and signatures of them in each form."""

from hashlib import sha256, sha384, sha512

import pytest

import fake_blobs as blobs
import fake_sigstore as fake
from countermark.core.errors import Code, EvidenceError, InputError, MalformedError
from countermark.core.signer import CosignSigner
from countermark.proofs import spki
from countermark.schemes.cosign import artifacts, check, verifier
from countermark.schemes.cosign.material import Artifact
from fake_blobs import BLOB
from world import NOW, subject

KEY = fake.new_key()
HASHES = {"sha256": sha256, "sha384": sha384, "sha512": sha512}
SIGNER = CosignSigner(name="x", key=fake.pem(KEY), accept_unlogged="a test")


def file(content: bytes = BLOB) -> Artifact:
    return Artifact(lambda name: HASHES[name](content).digest(), lambda: content)


def known(*names: str) -> Artifact:
    return Artifact(digests={name: HASHES[name](BLOB).digest() for name in names})


def test_each_digest_is_computed_once() -> None:
    asked = []

    def hashed(name: str) -> bytes:
        asked.append(name)
        return b"x"

    made = Artifact(hashed)
    assert made.digest("sha256") == made.digest("sha256") == made.digest("sha512") == b"x"
    assert asked == ["sha256", "sha512"]
    assert made.knows("sha384")
    assert not made.is_here


def test_what_is_not_known_is_said() -> None:
    made = known("sha256", "sha512")
    assert (made.knows("sha256"), made.knows("sha384"), made.content()) == (True, False, None)
    with pytest.raises(EvidenceError, match="only the file's sha256 and sha512 is known") as caught:
        made.digest("sha384")
    assert caught.value.code == Code.WRONG_SUBJECT


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "rsa", "ed25519"])
def test_signatures_over_files_and_digests(kind: str) -> None:
    key = fake.new_key(kind)
    public, signature = spki.parse(fake.spki(key)), blobs.signature(key)
    assert check.is_signed(public, file(), signature)
    assert not check.is_signed(public, file(b"other"), signature)
    assert not check.is_signed(public, file(), signature[:-1] + bytes([signature[-1] ^ 1]))
    own = {"P-384": "sha384", "P-521": "sha512"}.get(kind, "sha256")
    if kind != "ed25519":
        assert check.is_signed(public, known(own), signature)
    if kind in ("P-384", "P-521"):
        with pytest.raises(EvidenceError, match=f"its {own} is needed"):
            check.is_signed(public, known("sha256"), signature)
    if kind == "ed25519":
        with pytest.raises(EvidenceError, match="and not just their digest"):
            check.is_signed(public, known("sha256"), signature)
        # Ed25519ph is over the digest, so that one is enough to say no
        assert not check.is_signed(public, known("sha512"), signature)


def test_an_attestation_may_be_about_anything_where_that_is_wanted() -> None:
    content = fake.compact(fake.bundle(KEY, blobs.statement(b"whatever")))
    made = artifacts.of_bundle(content, None, "x")
    signer = SIGNER.replace(predicate=blobs.CUSTOM)
    assert check.check(made, verifier.wanted_of(signer, None, NOW, None)).stated.annotations == ()
    with pytest.raises(EvidenceError) as caught:
        check.check(made, verifier.wanted_of(signer, file(), NOW, None))
    assert caught.value.code == Code.WRONG_SUBJECT
    with pytest.raises(EvidenceError) as other:
        check.check(made, verifier.wanted_of(SIGNER, None, NOW, None))
    assert other.value.code == Code.PREDICATE


def test_a_files_bundle_is_no_images() -> None:
    made = artifacts.of_bundle(fake.compact(blobs.bundle(KEY)), file(), "x")
    with pytest.raises(MalformedError):
        check.check(made, verifier.wanted_of(SIGNER, subject(), NOW, None))
    with pytest.raises(TypeError):
        _ = verifier.wanted_of(SIGNER, file(), NOW, None).image


def test_a_signature_needs_its_file() -> None:
    with pytest.raises(MalformedError):
        artifacts.of_bundle(fake.compact(blobs.bundle(KEY)), None, "x")
    with pytest.raises(MalformedError):
        artifacts.detached(b"x", None, "x")
    with pytest.raises(MalformedError):
        artifacts.of_blob_bundle(fake.compact(blobs.old_bundle(KEY)), None, "x")


def test_another_certificate_than_the_one_given() -> None:
    leaf, other = fake.Sigstore().authority.issue(), fake.Sigstore().authority.issue()
    content = fake.compact(blobs.old_bundle(leaf))
    same = artifacts.of_blob_bundle(content, file(), "x", certificates=(leaf.der,))
    assert same.certificates == (leaf.der,)
    with pytest.raises(EvidenceError) as caught:
        artifacts.of_blob_bundle(content, file(), "x", certificates=(other.der,))
    assert caught.value.code == Code.KEY_MATERIAL
    bare = fake.compact(blobs.old_bundle(leaf.key))
    given = artifacts.of_blob_bundle(bare, file(), "x", certificates=(leaf.der,))
    assert given.certificates == (leaf.der,)


def test_digests_in_words() -> None:
    assert artifacts.digest_named("file") is None
    digest = sha256(BLOB).hexdigest()
    found = artifacts.digest_named(f"sha256:{digest}")
    assert found is not None
    assert found.digest("sha256").hex() == digest
    assert artifacts.of_digest("sha256", digest.upper()).digest("sha256").hex() == digest
    for algorithm, text in (
        ("md5", "00"),
        ("sha256", "zz"),
        ("sha256", "00"),
        ("sha256", f" {digest}"),
        ("sha512", digest),
    ):
        with pytest.raises(InputError):
            artifacts.of_digest(algorithm, text)
