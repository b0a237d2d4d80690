"""Signatures as cosign kept them before bundles: layers under ``.sig`` and ``.att`` tags, and bundles of files.

Specs: cosign, 2a. An attestation or a file's signature is the same signature in both forms, and converts; an image's
is not, since each form signs other bytes.
"""

from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import MalformedError
from countermark.core.light import Mapping, Sequence
from countermark.core.value import Value
from countermark.formats import oci, strict_json
from countermark.formats.bundle import LogEntry
from countermark.formats.go_text import encode_json, from_base64, to_base64
from countermark.formats.payloads import Envelope
from countermark.formats.strict_json import Reader

SIGNATURE_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
ATTESTATION_TYPE = "application/vnd.dsse.envelope.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
CERTIFICATE = "dev.sigstore.cosign/certificate"
CHAIN = "dev.sigstore.cosign/chain"
BUNDLE = "dev.sigstore.cosign/bundle"
TIMESTAMP = "dev.sigstore.cosign/rfc3161timestamp"
PREDICATE_TYPE = "predicateType"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_ZERO_TIME = "0001-01-01T00:00:00Z"


class LegacySignature(Value):
    """A signature as it lies in a layer.

    Attributes:
        payload: the layer: a simple-signing payload, or an envelope in JSON.
        signature: its bytes; of an attestation those in the envelope.
        is_attestation: it is an envelope.
        certificate, chain: PEM texts, "" where there are none.
        entry: what Rekor 1 promised, None where it was not asked; it has no inclusion proof.
        timestamp: an RFC 3161 answer, DER; b"" without one.
        predicate_type: of an attestation.
    """

    payload: bytes
    signature: bytes
    is_attestation: bool = False
    certificate: str = ""
    chain: str = ""
    entry: LogEntry | None = None
    timestamp: bytes = b""
    predicate_type: str = ""

    @property
    def stamped(self) -> bytes:
        """What its timestamp is over: of an attestation, unlike in bundles, the whole envelope."""
        return self.payload if self.is_attestation else self.signature

    def annotations(self) -> dict[str, str]:
        """What stands beside the layer, in cosign's order (that of the names)."""
        found = {SIGNATURE: "" if self.is_attestation else to_base64(self.signature)}
        if self.entry is not None:
            found[BUNDLE] = encode_json(_entry_members(self.entry)).decode("utf-8")
        if self.certificate:
            found[CERTIFICATE], found[CHAIN] = self.certificate, self.chain
        if self.timestamp:
            stamp = {"SignedRFC3161Timestamp": to_base64(self.timestamp)}
            found[TIMESTAMP] = encode_json(stamp).decode("utf-8")
        if self.predicate_type:
            found[PREDICATE_TYPE] = self.predicate_type
        return dict(sorted(found.items()))

    @property
    def media_type(self) -> str:
        """The layer's media type."""
        return ATTESTATION_TYPE if self.is_attestation else SIGNATURE_TYPE


def from_layer(media_type: str, annotations: Mapping[str, str], content: bytes) -> LegacySignature:
    """Read a layer.

    Raises:
        MalformedError: it is no signature, or what stands beside it is none.
    """
    if media_type not in (SIGNATURE_TYPE, ATTESTATION_TYPE):
        raise MalformedError(f"a layer of type {media_type[:100]!r} is no signature")
    if SIGNATURE not in annotations:
        raise MalformedError(f"annotation {SIGNATURE} is missing", path=SIGNATURE)
    is_attestation = media_type == ATTESTATION_TYPE
    if is_attestation:
        signature = Envelope.parse(content).signatures[0].value
    else:
        signature = from_base64(annotations[SIGNATURE], SIGNATURE)
    return LegacySignature(
        payload=content,
        signature=signature,
        is_attestation=is_attestation,
        certificate=annotations.get(CERTIFICATE, ""),
        chain=annotations.get(CHAIN, ""),
        entry=_entry(annotations[BUNDLE]) if annotations.get(BUNDLE) else None,
        timestamp=parse_timestamp(
            annotations[TIMESTAMP].encode("utf-8", "surrogatepass"), TIMESTAMP
        )
        if annotations.get(TIMESTAMP)
        else b"",
        predicate_type=annotations.get(PREDICATE_TYPE, ""),
    )


def _entry(text: str) -> LogEntry:
    document = strict_json.parse(
        text.encode("utf-8", "surrogatepass"), max_bytes=limits.SIGNATURE_BYTES
    )
    return read_entry(Reader(document, BUNDLE))


def read_entry(found: Reader) -> LogEntry:
    """Read what cosign calls a Rekor bundle: ``SignedEntryTimestamp`` and ``Payload``.

    Raises:
        MalformedError: it is none.
    """
    payload = found.object("Payload")
    body = from_base64(payload.text("body"), f"{payload.path}.body")
    outer = Reader(strict_json.parse(body), f"{payload.path}.body")
    log_id = payload.text("logID")
    try:
        raw_id = bytes.fromhex(log_id)
    except ValueError:
        path = f"{payload.path}.logID"
        raise MalformedError(f"{path} is not hexadecimal", path=path) from None
    promise = found.text("SignedEntryTimestamp")
    return LogEntry(
        log_index=payload.integer("logIndex"),
        log_id=raw_id,
        kind=outer.text("kind"),
        version=outer.text("apiVersion"),
        integrated_time=payload.integer("integratedTime"),
        promise=from_base64(promise, f"{found.path}.SignedEntryTimestamp"),
        proof=None,
        body=body,
    )


def parse_timestamp(content: bytes, path: str = "") -> bytes:
    """Read what cosign keeps of a timestamp, beside a layer or in a file: JSON around an RFC 3161 answer.

    Raises:
        MalformedError: it is none.
    """
    found = Reader(strict_json.parse(content, max_bytes=limits.SIGNATURE_BYTES), path)
    name = "SignedRFC3161Timestamp"
    return from_base64(found.text(name), f"{path}.{name}" if path else name)


def encode_timestamp(timestamp: bytes) -> bytes:
    """Write what ``parse_timestamp`` reads."""
    return encode_json({"SignedRFC3161Timestamp": to_base64(timestamp)})


def _entry_members(entry: LogEntry) -> "dict[str, object]":
    return {
        "SignedEntryTimestamp": to_base64(entry.promise),
        "Payload": {
            "body": to_base64(entry.body),
            "integratedTime": entry.integrated_time,
            "logIndex": entry.log_index,
            "logID": entry.log_id.hex(),
        },
    }


# The image that holds them ------------------------------------------------------------------------------------


def encode_image(
    layers: "Sequence[tuple[oci.Descriptor, Mapping[str, str]]]",
) -> tuple[bytes, bytes]:
    """Write the manifest and the configuration of the image under a tag: a layer each, with what stands beside it."""
    config = encode_json(
        {
            "architecture": "",
            "created": _ZERO_TIME,
            "history": [{"created": _ZERO_TIME} for _ in layers],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [str(layer.digest) for layer, _ in layers]},
            "config": {},
        }
    )
    manifest = encode_json(
        {
            "schemaVersion": 2,
            "mediaType": oci.OCI_MANIFEST,
            "config": {
                "mediaType": _CONFIG_TYPE,
                "size": len(config),
                "digest": str(Digest.of(config)),
            },
            "layers": [
                {
                    "mediaType": layer.media_type,
                    "size": layer.size,
                    "digest": str(layer.digest),
                    "annotations": dict(annotations),
                }
                for layer, annotations in layers
            ],
        }
    )
    return manifest, config


# Bundles of files ---------------------------------------------------------------------------------------------


class BlobBundle(Value):
    """What ``sign-blob --bundle`` wrote before bundles: a signature, a certificate or key (PEM), Rekor's promise."""

    signature: bytes
    certificate: bytes = b""
    entry: LogEntry | None = None

    def envelope(self) -> Envelope | None:
        """The envelope that ``attest-blob`` put where a signature stands, None where a signature does.

        Raises:
            MalformedError: something else is there.
        """
        return Envelope.parse(self.signature) if self.signature.startswith(b"{") else None

    def encode(self) -> bytes:
        """Write it as cosign does."""
        found: dict[str, object] = {"base64Signature": to_base64(self.signature)}
        if self.certificate:
            found["cert"] = to_base64(self.certificate)
        if self.entry is not None:
            found["rekorBundle"] = _entry_members(self.entry)
        return encode_json(found)


def is_blob_bundle(content: bytes) -> bool:
    """Say whether this is such a bundle, sound or not, and none of today's."""
    try:
        document = strict_json.parse(content, max_bytes=limits.SIGNATURE_BYTES)
    except MalformedError:
        return False
    return isinstance(document, dict) and "base64Signature" in document


def parse_blob_bundle(content: bytes) -> BlobBundle:
    """Read such a bundle.

    Raises:
        MalformedError: it is none.
    """
    document = Reader(strict_json.parse(content, max_bytes=limits.SIGNATURE_BYTES))
    for name in document.names():
        if name not in ("base64Signature", "cert", "rekorBundle"):
            raise MalformedError(f"unknown field {name[:80]!r}", path=name)
    certificate = b""
    if document.has("cert") and document.text("cert"):
        certificate = from_base64(document.text("cert"), "cert")
    return BlobBundle(
        signature=from_base64(document.text("base64Signature"), "base64Signature"),
        certificate=certificate,
        entry=read_entry(document.object("rekorBundle")) if document.has("rekorBundle") else None,
    )
