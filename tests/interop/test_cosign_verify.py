"""What the real cosign signs, ours verifies through the engine; and what it thinks of the Sigstore of our tests."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import fake_sigstore
from countermark.core.digest import Digest
from countermark.core.errors import Code
from countermark.core.reference import ImageReference
from countermark.formats import oci
from countermark.policy.model import Decision, Verdict
from interop.cosign_images import Image

SCAN = "https://acme.test/scan/v1"


LEGACY = ("--use-signing-config=false", "--tlog-upload=false", "--new-bundle-format=false", "-y")
QA = "signers: {qa: {cosign: {key: cosign.pub, acceptUnlogged: a test%s}}}\n"
RULE = "rules: [{images: '**', require: %s}]\n"


def policy(more: str = "", require: str = "qa") -> str:
    return QA % more + RULE % require


def codes(decision: Decision) -> set[Code]:
    judged = [layer.requirement for layer in decision.layers if layer.requirement]
    return {reason.code for each in judged for reason in each.reasons}


@pytest.mark.parametrize("kind", ["bundle", "legacy"])
def test_a_key_signs(make_image: Callable[[str], Image], kind: str) -> None:
    image = make_image("one")
    assert image.verify(policy()).verdict == Verdict.DENIED
    assert codes(image.verify(policy())) == {Code.UNSIGNED}
    flags = LEGACY if kind == "legacy" else image.cosign.key_only
    image.run("sign", "--key", "cosign.key", *flags, image.reference).ok()
    decision = image.verify(policy())
    assert decision.verdict == Verdict.ALLOWED
    (claim,) = decision.claims
    assert claim.digest == image.digest
    assert not claim.proven_time
    # by digest alone too
    by_digest = f"{image.reference.rpartition(':')[0]}@{image.digest}"
    assert image.verify(policy(), by_digest).verdict == Verdict.ALLOWED


@pytest.mark.parametrize("kind", ["bundle", "legacy"])
def test_another_key_is_refused(
    make_image: Callable[[str], Image], kind: str, tmp_path: Path
) -> None:
    image = make_image("one")
    flags = LEGACY if kind == "legacy" else image.cosign.key_only
    image.run("sign", "--key", "cosign.key", *flags, image.reference).ok()
    image.run("generate-key-pair", "--output-key-prefix", "other").ok()
    theirs = policy().replace("cosign.pub", "other.pub")
    decision = image.verify(theirs)
    assert decision.verdict == Verdict.DENIED
    assert codes(decision) == {Code.BAD_SIGNATURE if kind == "legacy" else Code.KEY_MATERIAL}
    # cosign stops at the first kind that it finds; ours finds the good one beside the other
    image.run("sign", "--key", "other.key", *image.cosign.key_only, image.reference).ok()
    assert image.verify(theirs).verdict == Verdict.ALLOWED
    assert image.verify(policy()).verdict == Verdict.ALLOWED
    if kind == "legacy":
        words = ("verify", "--key", "cosign.pub", *image.cosign.offline)
        image.run(*words, image.reference).refused("no matching attestations")


def test_annotations(make_image: Callable[[str], Image]) -> None:
    for kind in ("bundle", "legacy"):
        image = make_image(kind)
        flags = LEGACY if kind == "legacy" else image.cosign.key_only
        image.run("sign", "--key", "cosign.key", "-a", "env=prod", *flags, image.reference).ok()
        assert image.verify(policy(", annotations: {env: prod}")).verdict == Verdict.ALLOWED
        wrong = image.verify(policy(", annotations: {env: test}"))
        assert codes(wrong) == {Code.ANNOTATIONS}


def test_the_signature_of_another_image(make_image: Callable[[str], Image]) -> None:
    """Whoever can write to the registry copies a signature from one image to another."""
    good, bad = make_image("good"), make_image("bad")
    good.run("sign", "--key", "cosign.key", *LEGACY, good.reference).ok()
    there = ImageReference.parse(good.reference).repository
    here = ImageReference.parse(bad.reference).repository
    client = good.place.client
    content, media_type = client.tagged(there, f"sha256-{good.digest.hex}.sig")
    for each in oci.children(content, media_type):
        blob = client.blob(there, each.digest, each.size)
        client.put_blob(here, each.digest, each.size, iter((blob,)))
    client.put_manifest(here, f"sha256-{bad.digest.hex}.sig", media_type, content)
    assert codes(bad.verify(policy())) == {Code.WRONG_SUBJECT}
    assert good.verify(policy()).verdict == Verdict.ALLOWED


@pytest.mark.parametrize("kind", ["bundle", "legacy"])
def test_attestations(make_image: Callable[[str], Image], kind: str) -> None:
    image = make_image("one")
    predicate = {
        "buildDefinition": {"buildType": "https://acme.test/build", "score": 7.5},
        "runDetails": {},
    }
    (image.cosign.folder / "predicate.json").write_text(json.dumps(predicate))
    flags = LEGACY if kind == "legacy" else image.cosign.key_only
    words = (
        "attest",
        "--key",
        "cosign.key",
        "--type",
        SCAN,
        "--predicate",
        "predicate.json",
    )
    image.run(*words, *flags, image.reference).ok()
    # cosign verify takes an attestation for a signature; ours does not
    assert image.verify(policy()).verdict == Verdict.DENIED
    attested = "{attested: %s, by: qa%s}"
    assert image.verify(policy(require=attested % (SCAN, ""))).verdict == Verdict.ALLOWED
    assert image.verify(policy(require=attested % ("vuln", ""))).verdict == Verdict.DENIED
    for condition, verdict in (
        ('predicate.buildDefinition.buildType == "https://acme.test/build"', Verdict.ALLOWED),
        ("predicate.buildDefinition.score > 7.0", Verdict.ALLOWED),
        ("predicate.buildDefinition.score > 8.0", Verdict.DENIED),
        ("predicate.nothing == 1", Verdict.DENIED),
    ):
        where = f", where: '{condition}'"
        assert image.verify(policy(require=attested % (SCAN, where))).verdict == verdict
    image.run("sign", "--key", "cosign.key", *flags, image.reference).ok()
    both = f"[qa, {attested % (SCAN, '')}]"
    assert image.verify(policy(require=both)).verdict == Verdict.ALLOWED  # fmt: skip


def test_signatures_in_another_repository(make_image: Callable[[str], Image], slug: str) -> None:
    image = make_image("one")
    other = f"{image.place.address}/{slug}/signatures"
    environment = image.place.environment | {"COSIGN_REPOSITORY": other}
    flags = LEGACY  # bundles are refused there by some registries: their subject is elsewhere
    image.cosign(
        "sign", "--key", "cosign.key", *flags, image.reference, environment=environment
    ).ok()
    assert image.verify(policy()).verdict == Verdict.DENIED
    there = f"registries: {{'{image.place.address}': {{signatures: '{other}'}}}}\n"
    assert image.verify(policy() + there).verdict == Verdict.ALLOWED


@pytest.mark.parametrize("algorithm", ["P-384", "P-521", "ed25519", "rsa"])
def test_keys_of_all_kinds(make_image: Callable[[str], Image], algorithm: str) -> None:
    """cosign signs with them, and cannot always verify what it signed; ours can."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    image = make_image("one")
    key = fake_sigstore.new_key(algorithm)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (image.cosign.folder / "plain.pem").write_bytes(private)
    image.run("import-key-pair", "--key", "plain.pem", "--output-key-prefix", "own", "-y").ok()
    flags = image.cosign.unchecked if algorithm == "ed25519" else image.cosign.key_only
    image.run("sign", "--key", "own.key", *flags, image.reference).ok()
    assert image.verify(policy().replace("cosign.pub", "own.pub")).verdict == Verdict.ALLOWED


# The Sigstore of our tests: what it makes, the real cosign believes too --------------------------------------

# the older format has no place for an entry of the second kind of log
MATERIAL = (
    ("bundle", "second log and timestamp"),
    ("bundle", "first log"),
    ("bundle", "first log and timestamp"),
    ("legacy", "first log"),
    ("legacy", "first log and timestamp"),
)


@pytest.fixture(scope="module")
def sigstore() -> fake_sigstore.Sigstore:
    return fake_sigstore.Sigstore()


@pytest.mark.parametrize(("kind", "what"), MATERIAL)
def test_cosign_believes_what_our_tests_make(
    make_image: Callable[[str], Image], sigstore: fake_sigstore.Sigstore, kind: str, what: str
) -> None:
    image = make_image("one")
    leaf = sigstore.authority.issue()
    log = sigstore.log if "second" in what else sigstore.first_log
    stamps = sigstore.stamps if "timestamp" in what else None
    repository = ImageReference.parse(image.reference).repository
    if kind == "legacy":
        layer = fake_sigstore.legacy(
            leaf, fake_sigstore.simple(image.digest), log=log, stamps=stamps
        )
        upload(image, layer)
    else:
        bundle = fake_sigstore.bundle(
            leaf, fake_sigstore.statement(image.digest, annotations={}), log=log, stamps=stamps
        )
        upload_bundle(image, fake_sigstore.compact(bundle))
    (image.cosign.folder / "root.json").write_bytes(sigstore.trusted_root())
    words = ("verify", "--trusted-root", "root.json", "--certificate-identity", fake_sigstore.ALICE)
    image.run(*words, "--certificate-oidc-issuer", fake_sigstore.ISSUER, image.reference).ok()
    alice = f"{{issuer: {fake_sigstore.ISSUER}, subject: {fake_sigstore.ALICE}, trust: root.json}}"
    decision = image.verify(f"signers: {{alice: {{cosign: {alice}}}}}\n" + RULE % "alice")
    assert decision.verdict == Verdict.ALLOWED, decision.findings
    (claim,) = decision.claims
    assert claim.proven_time
    assert claim.signed_at == fake_sigstore.SIGNED_AT
    assert repository.name in image.reference


def upload_bundle(image: Image, content: bytes) -> None:
    """Attach a bundle as cosign does."""
    where, client = ImageReference.parse(image.reference).repository, image.place.client
    subject, _ = client.manifest(where, image.digest)
    layer = _blob(image, fake_sigstore.BUNDLE_TYPE, content)
    manifest = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "artifactType": fake_sigstore.BUNDLE_TYPE,
        "config": _blob(image, oci.EMPTY_CONFIG, b"{}"),
        "layers": [layer],
        "subject": {
            "mediaType": oci.OCI_MANIFEST,
            "digest": str(image.digest),
            "size": len(subject),
        },
    }
    raw = json.dumps(manifest).encode()
    client.put_manifest(where, str(Digest.of(raw)), oci.OCI_MANIFEST, raw)


def upload(image: Image, layer: fake_sigstore.Layer) -> None:
    """Put one layer under the image's ``.sig`` tag as cosign does."""
    where, client = ImageReference.parse(image.reference).repository, image.place.client
    described = {**_blob(image, layer.media_type, layer.content), "annotations": layer.annotations}
    config = {
        "architecture": "",
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": [described["digest"]]},
        "config": {},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": _blob(
            image, "application/vnd.oci.image.config.v1+json", json.dumps(config).encode()
        ),
        "layers": [described],
    }
    tag = f"sha256-{image.digest.hex}.sig"
    client.put_manifest(where, tag, oci.OCI_MANIFEST, json.dumps(manifest).encode())  # fmt: skip


def _blob(image: Image, media_type: str, content: bytes) -> dict[str, object]:
    where, digest = ImageReference.parse(image.reference).repository, Digest.of(content)
    image.place.client.put_blob(where, digest, len(content), iter((content,)))
    return {"mediaType": media_type, "digest": str(digest), "size": len(content)}
