"""One signature as it was found, in whichever form it lies.

A bundle says what it is; an older signature is a layer whose parts stand in annotations (specs: cosign, 2a to 2c).
From here on they are alike, and go through the same steps.
"""

from countermark.core.errors import MalformedError
from countermark.core.value import Value
from countermark.formats import bundle as bundles
from countermark.formats.bundle import LogEntry
from countermark.formats.oci import Descriptor
from countermark.formats.payloads import Envelope


class Material(Value):
    """A signature, what it signs, and what is said to prove it.

    Attributes:
        name: what it is, in a few words for people: ``bundle 1a2b3c4d5e6f``.
        place: where it lies.
        signature: its bytes.
        signed: the bytes that it is over: a simple-signing payload, or an envelope's pre-authentication encoding.
        stamped: the bytes that its timestamps are over.
        payload: the statement: an in-toto statement, or a simple-signing payload where ``envelope`` is None.
        envelope: the envelope around a statement.
        certificates: DER, the leaf first; empty for a key.
        key_hint: which key made it, as it says itself; "" where it does not.
        entries: what transparency logs say about it.
        timestamps: RFC 3161 answers, DER.
    """

    name: str
    place: str
    signature: bytes
    signed: bytes
    stamped: bytes
    payload: bytes
    envelope: Envelope | None = None
    certificates: tuple[bytes, ...] = ()
    key_hint: str = ""
    entries: tuple[LogEntry, ...] = ()
    timestamps: tuple[bytes, ...] = ()


def of_bundle(content: bytes, name: str, place: str) -> Material:
    """Read a Sigstore bundle about an image.

    Raises:
        EvidenceError: it is none, or signs something else than a statement.
    """
    found = bundles.parse(content)
    envelope = found.content
    if not isinstance(envelope, Envelope):
        # only its digest would be there, and not the statement that names an image
        raise MalformedError("a bundle without an envelope says nothing about an image")
    (signature,) = envelope.signatures
    return Material(
        name=name,
        place=place,
        signature=signature.value,
        signed=envelope.pae,
        stamped=signature.value,
        payload=envelope.payload,
        envelope=envelope,
        certificates=found.certificates,
        key_hint=found.key_hint or signature.key_id,
        entries=found.entries,
        timestamps=found.timestamps,
    )


def of_layer(layer: Descriptor, content: bytes, name: str, place: str) -> Material:
    """Read a signature or attestation that lies as a layer, with its parts in annotations.

    Raises:
        EvidenceError: it is none.
    """
    from countermark.formats import legacy  # noqa: PLC0415 - most signatures are bundles now

    found = legacy.from_layer(layer.media_type, layer.annotations, content)
    envelope = Envelope.parse(content) if found.is_attestation else None
    return Material(
        name=name,
        place=place,
        signature=found.signature,
        signed=envelope.pae if envelope is not None else content,
        stamped=found.stamped,
        payload=envelope.payload if envelope is not None else content,
        envelope=envelope,
        certificates=_certificates(found.certificate) + _certificates(found.chain),
        key_hint=envelope.signatures[0].key_id if envelope is not None else "",
        entries=() if found.entry is None else (found.entry,),
        timestamps=(found.timestamp,) if found.timestamp else (),
    )


def _certificates(text: str) -> tuple[bytes, ...]:
    if not text:
        return ()
    from countermark.proofs import pem  # noqa: PLC0415 - with legacy

    blocks = pem.parse(text.encode())
    if not blocks or any(block.type != "CERTIFICATE" for block in blocks):
        raise MalformedError("not a PEM text of certificates")
    return tuple(block.content for block in blocks)
