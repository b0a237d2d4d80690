"""What a transparency log says of a signature: that it has this very one, and perhaps since when.

An entry proves something only if a log that is trusted says so, and if it is about this signature by this key over
this content: a sound entry of another signature proves nothing (CVE-2022-36056). Of Rekor 2 the body is one that we
write ourselves; of Rekor 1, which has seen more than a signature holds, everything is compared that can be (specs:
cosign, 2g and 3.3, step 2). Places, sizes and roots that stand in two places have to be the same in both: cosign
3.1.3 reads one of them and lets the other be anything.
"""

from countermark.core.errors import Code, EvidenceError, MalformedError, SignatureError
from countermark.core.light import UTC, datetime, sha256
from countermark.core.value import Value
from countermark.formats import rekor
from countermark.formats.bundle import InclusionProof, LogEntry
from countermark.formats.rekor import DsseRecord, HashedRekord, IntotoRecord
from countermark.formats.tlog import Note
from countermark.formats.trusted_root import Instance, TrustedRoot
from countermark.proofs import checkpoints, log, pem, signatures, spki
from countermark.proofs.spki import PublicKey
from countermark.schemes.cosign.material import Material

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.proofs.cosignatures import WitnessKey

_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z


class LogRecord(Value):
    """A log that is proven to have a signature.

    Attributes:
        log: which one, as it is trusted.
        index: the entry's place in it.
        time: since when, as the log promises; None where it does not say.
        witnesses: the names of those who cosigned that, of the witnesses that were demanded.
    """

    log: Instance
    index: int
    time: datetime | None
    witnesses: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """How people call the log."""
        return self.log.origin or self.log.log_id.hex()[:12]

    def is_in_service(self, at: datetime) -> bool:
        """Say whether the log's key was in service at a time, to the second, in which timestamps are."""
        start = self.log.start
        return self.log.is_in_service(at) or (
            start is not None and at == start.replace(microsecond=0)
        )


def check(
    entry: LogEntry, material: Material, key: PublicKey, root: TrustedRoot
) -> LogRecord | None:
    """Check one entry; None where no trusted log is named.

    Raises:
        EvidenceError: ``entry``, it is about something else; ``promise``, ``inclusion``, ``checkpoint``, it is not
            proven; ``malformed``.
    """
    problem: EvidenceError | None = None
    for instance in root.logs:
        if instance.log_id != entry.log_id:
            continue
        try:
            return _record(entry, instance, material, key)
        except EvidenceError as error:
            problem = error
    if problem is not None:
        raise problem
    return None


def _record(entry: LogEntry, instance: Instance, material: Material, key: PublicKey) -> LogRecord:
    if (entry.kind, entry.version) == (rekor.HASHEDREKORD, rekor.VERSION_2):
        _check_second(entry, instance, material, key)
        return LogRecord(log=instance, index=entry.log_index, time=None)
    time = _promised(entry, instance) if entry.promise else None
    if entry.proof is not None:
        _check_inclusion(entry.proof, entry.body, instance)
    if time is None and entry.proof is None:
        raise EvidenceError("the log neither promises nor proves it", code=Code.PROMISE)
    _check_first(entry, material, key)
    return LogRecord(log=instance, index=entry.log_index, time=time)


def witnessed(
    record: LogRecord, entry: LogEntry, witnesses: "tuple[WitnessKey, ...]", needed: int
) -> LogRecord:
    """Demand that so many of these witnesses, if any, have cosigned the checkpoint that proves an entry.

    Raises:
        EvidenceError: ``checkpoint``, too few did, or a cosignature is wrong.
    """
    if not needed:
        return record
    if entry.proof is None:
        raise EvidenceError(
            f"log {record.origin} only promises it, which no witness sees", code=Code.CHECKPOINT
        )
    from countermark.proofs import cosignatures  # noqa: PLC0415 - where somebody demands them

    note = Note.parse(entry.proof.checkpoint)
    return record.replace(witnesses=cosignatures.check(note, witnesses, needed))


# What proves an entry -----------------------------------------------------------------------------------


def _promised(entry: LogEntry, instance: Instance) -> datetime:
    """Check a log's promise (signed entry timestamp), which is all that says when.

    Raises:
        EvidenceError: ``promise``.
    """
    if not signatures.verify(spki.parse(instance.key), rekor.promised(entry), entry.promise):
        raise SignatureError("the log's promise does not verify", code=Code.PROMISE)
    if not 0 < entry.integrated_time <= _LAST_SECOND:
        raise EvidenceError("the log's promise names no time", code=Code.PROMISE)
    time = datetime.fromtimestamp(entry.integrated_time, UTC)
    if not instance.is_in_service(time):
        raise EvidenceError(
            f"the log promised it at {time:%Y-%m-%dT%H:%M:%SZ}, when it was not in service",
            code=Code.PROMISE,
        )
    return time


def _check_inclusion(proof: InclusionProof, body: bytes, instance: Instance) -> None:
    """Check that a body is in a log's tree: the proof leads to the checkpoint that the log signed.

    Raises:
        EvidenceError: ``checkpoint``, ``inclusion``.
    """
    checkpoint = checkpoints.check(proof.checkpoint, instance)
    if (proof.tree_size, proof.root_hash) != (checkpoint.size, checkpoint.root):
        raise EvidenceError("the proof is of another tree than the checkpoint", code=Code.INCLUSION)
    leaf = log.leaf_hash(body)
    log.check_inclusion(proof.log_index, proof.tree_size, leaf, proof.hashes, proof.root_hash)


# What an entry is about ---------------------------------------------------------------------------------


def _check_second(entry: LogEntry, instance: Instance, material: Material, key: PublicKey) -> None:
    """Check an entry of Rekor 2: its body is what we write about this signature, and that is in the tree.

    Raises:
        EvidenceError: ``entry``, ``checkpoint``, ``inclusion``; ``malformed``, it has no proof.
    """
    if entry.body != _own_body(material, key):
        raise EvidenceError("the log entry is about another signature", code=Code.ENTRY)
    if entry.proof is None:
        raise MalformedError("the log entry has no inclusion proof")
    if entry.proof.log_index != entry.log_index:
        raise EvidenceError("the log entry names two places in the log", code=Code.INCLUSION)
    if entry.integrated_time or entry.promise:
        raise EvidenceError("a log of this kind promises nothing", code=Code.PROMISE)
    _check_inclusion(entry.proof, entry.body, instance)


def _own_body(material: Material, key: PublicKey) -> bytes:
    """Write what a log has of this signature; Ed25519 is logged as Ed25519ph alone."""
    algorithm = signatures.hash_for(key)
    details = signatures.key_details(key, prehashed=True)
    if material.certificates:
        verifier = rekor.Verifier(key_details=details, certificate=material.certificates[0])
    else:
        verifier = rekor.Verifier(key_details=details, public_key=key.der)
    digest = material.digest(algorithm)
    return rekor.encode_record_2(digest, material.signature, verifier, algorithm)


def _check_first(entry: LogEntry, material: Material, key: PublicKey) -> None:
    """Check that an entry of Rekor 1 says the same signature, key or certificate, and content.

    Raises:
        EvidenceError: ``entry``.
    """
    try:
        kind, version, record = rekor.parse_record(entry.body)
    except MalformedError as error:
        raise EvidenceError(
            f"the log entry is none of a signature: {error}", code=Code.ENTRY
        ) from None
    if (kind, version) != (entry.kind, entry.version):
        raise EvidenceError("the log entry is of another kind than it says", code=Code.ENTRY)
    if isinstance(record, HashedRekord):
        _check_hashed(record, entry.body, material)
        verifier = record.public_key
    else:
        verifier = _check_envelope(record, material)
    expected = material.certificates[0] if material.certificates else key.der
    if _unwrapped(verifier) != expected:
        raise EvidenceError("the log entry is about another key", code=Code.ENTRY)


def _check_hashed(record: HashedRekord, body: bytes, material: Material) -> None:
    if record.algorithm not in signatures.HASH_BYTES:
        raise EvidenceError("the log entry has a hash that is not taken", code=Code.ENTRY)
    digest = material.digest(record.algorithm).hex()
    own = rekor.encode_record_1(digest, material.signature, record.public_key, record.algorithm)
    if body != own:
        raise EvidenceError("the log entry is about another signature", code=Code.ENTRY)


def _check_envelope(record: DsseRecord | IntotoRecord, material: Material) -> bytes:
    """Compare what is logged of an envelope, and return its verifier (PEM)."""
    is_this = (
        material.envelope is not None
        and record.payload_hash == sha256(material.payload).hexdigest()
        and [signature for signature, _ in record.signatures] == [material.signature]
    )
    if not is_this:
        raise EvidenceError("the log entry is about another envelope", code=Code.ENTRY)
    return record.signatures[0][1]


def _unwrapped(text: bytes) -> bytes:
    """Take what a PEM text of one certificate or key holds."""
    try:
        blocks = pem.parse(text)
    except MalformedError:
        blocks = ()
    if len(blocks) != 1 or blocks[0].type not in ("CERTIFICATE", "PUBLIC KEY"):
        raise EvidenceError("the log entry names no key", code=Code.ENTRY)
    return blocks[0].content
