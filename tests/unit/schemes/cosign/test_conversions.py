"""Attestations from one form into the other: what proves them stays byte for byte, what cannot be said is refused."""

import json
from collections.abc import Callable

import pytest

import fake_sigstore as fake
from countermark.core.errors import InputError
from countermark.formats import bundle as bundles
from countermark.formats import legacy
from countermark.formats.bundle import Bundle
from countermark.formats.legacy import LegacySignature
from countermark.formats.oci import Descriptor
from countermark.schemes.cosign import conversions, material
from countermark.schemes.cosign.material import Material
from fake_sigstore import SLSA, Document, Layer
from world import GOOD

SIGSTORE = fake.Sigstore()
LEAF = SIGSTORE.authority.issue()
KEY = fake.new_key()
STATEMENT = fake.statement(GOOD, SLSA)
SIGNERS: dict[str, "fake.Leaf | fake.PrivateKey"] = {"certificate": LEAF, "key": KEY}


def bundle(**options: object) -> Bundle:
    made: Document = fake.bundle(LEAF, STATEMENT, **options)  # type: ignore[arg-type]
    return bundles.parse(fake.compact(made))


def layer(found: Layer) -> LegacySignature:
    return legacy.from_layer(found.media_type, found.annotations, found.content)


def facts(found: Material) -> tuple[object, ...]:
    """What is signed and what proves it, wherever it lies; proofs have a place in bundles only."""
    entries = [each.replace(proof=None) for each in found.entries]
    return found.signature, found.signed, found.payload, found.certificates[:1], entries


def of_bundle(found: Bundle) -> Material:
    return material.of_bundle(found.encode(), "bundle", "here")


def of_layer(found: LegacySignature) -> Material:
    descriptor = Descriptor(
        media_type=found.media_type,
        digest=GOOD,
        size=len(found.payload),
        annotations=found.annotations(),
    )
    return material.of_layer(descriptor, found.payload, "layer", "here")


@pytest.mark.parametrize("signer", list(SIGNERS))
@pytest.mark.parametrize("logged", [False, True], ids=["unlogged", "logged"])
def test_a_bundle_becomes_a_layer_and_a_bundle_again(signer: str, logged: bool) -> None:
    log = SIGSTORE.first_log if logged else None
    made = bundles.parse(fake.compact(fake.bundle(SIGNERS[signer], STATEMENT, log=log)))
    older = conversions.to_legacy(made)
    assert facts(of_layer(older)) == facts(of_bundle(made))
    assert older.annotations()["predicateType"] == SLSA
    proven = made.entries[0] if logged else None
    assert conversions.to_bundle(older, proven, made.key_hint) == made


@pytest.mark.parametrize("signer", list(SIGNERS))
def test_a_layer_becomes_a_bundle(signer: str) -> None:
    older = layer(fake.legacy_attestation(SIGNERS[signer], STATEMENT))
    made = conversions.to_bundle(older, None, "a-key")
    assert facts(of_bundle(made)) == facts(of_layer(older))
    assert made.key_hint == ("a-key" if signer == "key" else "")
    assert len(made.certificates) == (signer == "certificate")


def test_a_layer_gets_the_proof_that_the_log_gives() -> None:
    made = bundle(log=SIGSTORE.first_log)
    older = conversions.to_legacy(made)
    other = bundle(log=SIGSTORE.first_log).entries[0]
    entry = made.entries[0]
    for proven, text in (
        (None, "needs the log's proof"),
        (entry.replace(proof=None), "needs the log's proof"),
        (entry.replace(body=other.body + b" "), "the log has another entry"),
        (entry.replace(log_id=bytes(32)), "the log has another entry"),
    ):
        with pytest.raises(InputError, match=text):
            conversions.to_bundle(older, proven)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: fake.legacy_attestation(LEAF, STATEMENT, stamps=SIGSTORE.stamps), "other bytes"),
        (lambda: fake.legacy(LEAF, fake.simple(GOOD)), "signs other bytes"),
    ],
    ids=["stamped", "signature"],
)
def test_layers_that_cannot_be_bundles(make: Callable[[], Layer], text: str) -> None:
    with pytest.raises(InputError, match=text):
        conversions.to_bundle(layer(make()), None)


def test_bundles_that_cannot_be_layers() -> None:
    first = bundle(log=SIGSTORE.first_log)
    twice = first.replace(entries=(*first.entries, *bundle(log=SIGSTORE.first_log).entries))
    rekor_2 = bundle(log=fake.Log(), stamps=None)
    message = json.loads(first.encode()) | {"messageSignature": {"signature": fake.b64(b"s")}}
    del message["dsseEnvelope"]
    for made, text in (
        (rekor_2, "Rekor 2"),
        (bundle(stamps=SIGSTORE.stamps), "timestamp"),
        (twice, "2 log entries"),
        (bundles.parse(fake.compact(message)), "no attestation"),
        (bundle(payload_type="text/plain"), "no attestation"),
    ):
        with pytest.raises(InputError, match=text):
            conversions.to_legacy(made)
