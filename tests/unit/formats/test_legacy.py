"""Signatures as they were kept before bundles: layers with annotations, and bundles of files."""

import json
from typing import Any

import pytest

import fake_blobs as blobs
import fake_sigstore as fake
from countermark.core.digest import Digest
from countermark.core.errors import MalformedError
from countermark.formats import legacy, oci
from countermark.formats.legacy import BUNDLE, CERTIFICATE, CHAIN, SIGNATURE, TIMESTAMP
from fake_sigstore import Document
from world import GOOD

SIGSTORE = fake.Sigstore()
LEAF = SIGSTORE.authority.issue()
KEY = fake.new_key()
PAYLOAD = fake.simple(GOOD)
LAYERS = {
    "key": fake.legacy(KEY, PAYLOAD),
    "logged": fake.legacy(KEY, PAYLOAD, log=SIGSTORE.first_log),
    "certified": fake.legacy(LEAF, PAYLOAD, log=SIGSTORE.first_log, stamps=SIGSTORE.stamps),
    "attested": fake.legacy_attestation(LEAF, fake.statement(GOOD, fake.SLSA), log=SIGSTORE.first_log,
                                        stamps=SIGSTORE.stamps),
}  # fmt: skip


@pytest.mark.parametrize("name", list(LAYERS))
def test_layers_are_read_and_written(name: str) -> None:
    layer = LAYERS[name]
    found = legacy.from_layer(layer.media_type, layer.annotations, layer.content)
    assert found.media_type == layer.media_type
    assert found.is_attestation == (name == "attested")
    assert found.annotations() == dict(sorted(layer.annotations.items()))
    assert found.stamped == (layer.content if found.is_attestation else found.signature)
    again = legacy.from_layer(found.media_type, found.annotations(), found.payload)
    assert again == found


def test_parts_of_a_layer() -> None:
    layer = LAYERS["certified"]
    found = legacy.from_layer(layer.media_type, layer.annotations, layer.content)
    assert found.certificate == LEAF.pem
    assert found.chain.count("BEGIN CERTIFICATE") == 2
    assert found.entry is not None
    assert (found.entry.proof, found.entry.kind) == (None, "hashedrekord")
    assert found.timestamp.startswith(b"\x30")


def bent(name: str, text: str | None, layer: str = "certified") -> dict[str, str]:
    annotations = dict(LAYERS[layer].annotations)
    if text is None:
        del annotations[name]
    else:
        annotations[name] = text
    return annotations


ENTRY = json.loads(LAYERS["certified"].annotations[BUNDLE])


def entry(**changes: Any) -> str:
    payload = {**ENTRY["Payload"], **changes}
    return json.dumps({**ENTRY, "Payload": payload})


@pytest.mark.parametrize(
    ("annotations", "path"),
    [
        (bent(SIGNATURE, None), SIGNATURE),
        (bent(SIGNATURE, "%"), SIGNATURE),
        (bent(BUNDLE, "{}"), f"{BUNDLE}.Payload"),
        (bent(BUNDLE, "nonsense"), ""),
        (bent(BUNDLE, entry(body="%")), f"{BUNDLE}.Payload.body"),
        (bent(BUNDLE, entry(logID="zz")), f"{BUNDLE}.Payload.logID"),
        (bent(BUNDLE, entry(logIndex="1")), f"{BUNDLE}.Payload.logIndex"),
        (bent(BUNDLE, entry(integratedTime=None)), f"{BUNDLE}.Payload.integratedTime"),
        (bent(TIMESTAMP, "{}"), f"{TIMESTAMP}.SignedRFC3161Timestamp"),
        (bent(TIMESTAMP, '{"SignedRFC3161Timestamp":"%"}'), f"{TIMESTAMP}.SignedRFC3161Timestamp"),
    ],
)
def test_layers_that_are_refused(annotations: dict[str, str], path: str) -> None:
    with pytest.raises(MalformedError) as caught:
        legacy.from_layer(legacy.SIGNATURE_TYPE, annotations, PAYLOAD)
    assert caught.value.path == path


def test_other_layers_are_no_signatures() -> None:
    with pytest.raises(MalformedError):
        legacy.from_layer("text/plain", LAYERS["key"].annotations, PAYLOAD)
    with pytest.raises(MalformedError):  # no envelope
        legacy.from_layer(legacy.ATTESTATION_TYPE, LAYERS["attested"].annotations, PAYLOAD)


def test_empty_annotations_are_as_none() -> None:
    annotations = bent(BUNDLE, "") | {TIMESTAMP: "", CERTIFICATE: "", CHAIN: ""}
    found = legacy.from_layer(legacy.SIGNATURE_TYPE, annotations, PAYLOAD)
    assert (found.entry, found.timestamp, found.certificate, found.chain) == (None, b"", "", "")


def test_the_image_that_holds_them() -> None:
    layer = oci.Descriptor(
        media_type=legacy.SIGNATURE_TYPE, digest=Digest.of(PAYLOAD), size=len(PAYLOAD)
    )
    manifest, config = legacy.encode_image([(layer, LAYERS["key"].annotations)])
    found = oci.parse_manifest(manifest, oci.OCI_MANIFEST)
    assert found.config.digest == Digest.of(config)
    (kept,) = found.layers
    assert (kept.digest, kept.annotations) == (layer.digest, LAYERS["key"].annotations)
    assert json.loads(config)["rootfs"]["diff_ids"] == [str(layer.digest)]


# Bundles of files -------------------------------------------------------------------------------------------


BLOBS: dict[str, Document] = {
    "key": blobs.old_bundle(KEY),
    "certified": blobs.old_bundle(LEAF, log=SIGSTORE.first_log),
    "attested": blobs.old_bundle(LEAF, log=SIGSTORE.first_log, attested=blobs.statement()),
}


@pytest.mark.parametrize("name", list(BLOBS))
def test_blob_bundles_are_read_and_written(name: str) -> None:
    content = fake.compact(BLOBS[name])
    found = legacy.parse_blob_bundle(content)
    assert found.encode() == content
    assert legacy.is_blob_bundle(content)
    assert (found.envelope() is not None) == (name == "attested")
    assert bool(found.certificate) == (name != "key")


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({}, "base64Signature"),
        ({"base64Signature": 1}, "base64Signature"),
        ({"base64Signature": "%"}, "base64Signature"),
        ({"base64Signature": "AA==", "more": 1}, "more"),
        ({"base64Signature": "AA==", "cert": "%"}, "cert"),
        ({"base64Signature": "AA==", "rekorBundle": {}}, "rekorBundle.Payload"),
        ({"base64Signature": "AA==", "rekorBundle": []}, "rekorBundle"),
    ],
)
def test_blob_bundles_that_are_refused(document: Document, path: str) -> None:
    with pytest.raises(MalformedError) as caught:
        legacy.parse_blob_bundle(fake.compact(document))
    assert caught.value.path == path


@pytest.mark.parametrize("content", [b"", b"nonsense", b"[]", b'{"mediaType":"x"}', b"\xff"])
def test_what_is_no_blob_bundle(content: bytes) -> None:
    assert not legacy.is_blob_bundle(content)


def test_a_broken_envelope_is_none() -> None:
    with pytest.raises(MalformedError):
        legacy.BlobBundle(signature=b"{}").envelope()
    assert legacy.BlobBundle(signature=b"\x30").envelope() is None
