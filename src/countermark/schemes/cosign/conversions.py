"""Attestations from one form into the other: layers under ``.att`` tags, and bundles; what is signed stays as it is.

Signature, statement, certificate and log entry are the same in both (specs: cosign, 2a and 2c). A timestamp is not:
in a layer it is over the whole envelope, in a bundle over the signature. An image's signature signs other bytes in
each.
"""

from countermark.core.errors import InputError
from countermark.formats.bundle import Bundle, LogEntry
from countermark.formats.legacy import LegacySignature
from countermark.formats.payloads import IN_TOTO, Envelope, InTotoStatement
from countermark.proofs.pem import Block
from countermark.schemes.cosign import material

_STAMPED = "its timestamp is over other bytes than the other form's"
_AGAIN = "attest it again in the form that is wanted"


def to_bundle(found: LegacySignature, proven: LogEntry | None, key_hint: str = "") -> Bundle:
    """Write an attestation from a layer as a bundle; ``proven`` is its log entry with the log's proof of it.

    Raises:
        InputError: it cannot be said in a bundle, or the entry is another one.
        MalformedError: its parts are none.
    """
    if not found.is_attestation:
        raise InputError("an image's signature signs other bytes in a bundle", hint="sign it again")
    if found.timestamp:
        raise InputError(_STAMPED, hint=_AGAIN)
    envelope = Envelope.parse(found.payload)
    return Bundle(
        version="0.3",
        certificates=material.certificates(found.certificate)[:1],
        is_chain=False,
        key_hint="" if found.certificate else key_hint,
        entries=() if found.entry is None else (_proven(found.entry, proven),),
        timestamps=(),
        content=envelope,
    )


def _proven(entry: LogEntry, proven: LogEntry | None) -> LogEntry:
    if proven is None or proven.proof is None or not proven.proof.checkpoint:
        raise InputError(
            "a bundle needs the log's proof of its entry", hint="ask the log that has the entry"
        )
    if (proven.body, proven.log_id) != (entry.body, entry.log_id):
        raise InputError(f"the log has another entry at {entry.log_index}")
    return entry.replace(proof=proven.proof)


def to_legacy(found: Bundle) -> LegacySignature:
    """Write an attestation from a bundle as a layer; the log's proof has no place in it, its promise has.

    Raises:
        InputError: it cannot be said in a layer.
        MalformedError: it states nothing.
    """
    envelope = found.content
    if not isinstance(envelope, Envelope) or envelope.payload_type != IN_TOTO:
        raise InputError("it is no attestation")
    if found.timestamps:
        raise InputError(_STAMPED, hint=_AGAIN)
    if len(found.entries) > 1:
        raise InputError(
            f"{len(found.entries)} log entries, a layer has place for one", hint=_AGAIN
        )
    entry = found.entries[0] if found.entries else None
    if entry is not None and not (entry.promise and entry.integrated_time):
        raise InputError(
            "its log entry is of Rekor 2, which gives no promise, and a layer has place for nothing else",
            hint="keep it as a bundle, or attest it again with a Rekor 1",
        )
    leaf, *chain = found.certificates or (b"",)
    return LegacySignature(
        payload=envelope.encode(),
        signature=envelope.signatures[0].value,
        is_attestation=True,
        certificate=_pem(leaf) if leaf else "",
        chain="".join(_pem(each) for each in chain),
        entry=None if entry is None else entry.replace(proof=None),
        predicate_type=InTotoStatement.parse(envelope.payload).predicate_type,
    )


def _pem(content: bytes) -> str:
    return Block(type="CERTIFICATE", content=content).encode().decode("ascii")
