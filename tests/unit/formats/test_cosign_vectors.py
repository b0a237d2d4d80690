"""What cosign 3.1.3 wrote: read, written again byte for byte, and verified."""

import json
from base64 import b64decode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from countermark.core.digest import Digest
from countermark.core.signer import CosignSigner, Identity
from countermark.formats import bundle, legacy, payloads, signing_config, strict_json, trusted_root
from countermark.formats.bundle import MessageSignature
from countermark.formats.payloads import Envelope, InTotoStatement
from countermark.schemes.cosign import artifacts, check, verifier
from countermark.schemes.cosign.material import Artifact, Material
from world import NOW

FOLDER = Path(__file__).parents[2] / "vectors" / "cosign"
BUNDLES = sorted(path.name for path in FOLDER.glob("*.sigstore.json"))
PREDICATE = "https://example.test/p/v1"
BLOB = (FOLDER / "blob").read_bytes()
ALICE = Identity(subject="alice@example.test", issuer="https://accounts.example.test")


def read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def the_blob() -> Artifact:
    def hashed(name: str) -> bytes:
        assert name == "sha256"
        return sha256(BLOB).digest()

    return Artifact(hashed, lambda: BLOB)


def verified(material: Material, predicate: str = "") -> None:
    is_certified = bool(material.certificates)
    common = {"name": "x", "predicate": predicate}
    if is_certified:
        signer = CosignSigner(identity=ALICE, **common)  # type: ignore[arg-type]
    else:
        key = read("cosign.pub").decode()
        signer = CosignSigner(key=key, accept_unlogged="a test", **common)  # type: ignore[arg-type]
    root = trusted_root.parse(read("trusted_root.json")) if is_certified else None
    check.check(material, verifier.wanted_of(signer, the_blob(), NOW, root))


def test_there_are_bundles() -> None:
    assert len(BUNDLES) == 6


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles(name: str) -> None:
    found = bundle.parse(read(name))
    assert found.version == "0.3"
    assert found.encode() == read(name)
    is_attestation = isinstance(found.content, Envelope)
    assert is_attestation == ("attestation" in name)
    material = artifacts.of_bundle(read(name), the_blob(), name)
    verified(material, PREDICATE if is_attestation else "")


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.v02.json")))
def test_older_bundles(name: str) -> None:
    found = bundle.parse(read(name))
    assert (found.version, found.is_chain, len(found.certificates)) == ("0.2", True, 2)
    upgraded = found.replace(version="0.3", is_chain=False, certificates=found.certificates[:1])
    assert upgraded.encode() == read(name.replace("v02", "sigstore"))


def test_bundles_from_before_bundles() -> None:
    found = legacy.parse_blob_bundle(read("legacy-message.json"))
    assert found.encode() == read("legacy-message.json")
    assert found.signature == b64decode(read("signature.b64"))
    assert found.envelope() is None
    verified(artifacts.of_blob_bundle(read("legacy-message.json"), the_blob(), "x"))
    verified(artifacts.detached(found.signature, the_blob(), "x"))


def test_attestations_from_before_bundles() -> None:
    content = read("legacy-attestation.json")
    found = legacy.parse_blob_bundle(content)
    assert found.encode() == content
    assert found.signature == read("envelope.json")
    envelope = found.envelope()
    assert envelope is not None
    assert envelope.encode() == read("envelope.json")
    verified(artifacts.of_blob_bundle(content, the_blob(), "x", is_attestation=True), PREDICATE)


def test_statements() -> None:
    """What is stated about a file, and how ours writes the same."""
    found = bundle.parse(read("attestation.sigstore.json")).content
    assert isinstance(found, Envelope)
    statement = InTotoStatement.parse(found.payload)
    (subject,) = statement.subjects
    assert (subject.name, subject.digests) == ("blob", {"sha256": sha256(BLOB).hexdigest()})
    assert statement.predicate == json.loads(read("predicate.json"))
    predicate = strict_json.compact(json.loads(read("predicate.json")))
    assert payloads.encode_attestation([subject], PREDICATE, predicate) == found.payload


@pytest.mark.parametrize(
    ("name", "annotations"),
    [("payload.json", {}), ("payload-annotated.json", {"b": "<&>", "a": "1"})],
)
def test_simple_signing(name: str, annotations: dict[str, str]) -> None:
    found = payloads.parse(read(name))
    assert found.repository == "registry.example.test/team/pay"
    assert found.digest == Digest.parse("sha256:" + "a" * 64)
    assert dict(found.optional) == annotations
    assert payloads.encode(found.repository, found.digest, annotations) == read(name)


def test_the_trusted_root() -> None:
    found = trusted_root.parse(read("trusted_root.json"))
    assert strict_json.compact(found.members()) == read("trusted_root.json")
    assert [log.origin for log in found.logs] == ["rekor.example.test", "log.example.test"]
    assert found.authorities[0].end == datetime(2035, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    assert trusted_root.parse(found.encode()) == found


def test_the_signing_config() -> None:
    found = signing_config.parse(read("signing_config.json"))
    assert strict_json.compact(found.members()) == read("signing_config.json")
    assert found.logs[0].end == datetime(2027, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)
    assert signing_config.parse(found.encode()) == found


def test_a_message_says_its_digest() -> None:
    found = bundle.parse(read("message.sigstore.json")).content
    assert isinstance(found, MessageSignature)
    assert (found.algorithm, found.digest) == ("sha256", sha256(BLOB).digest())
