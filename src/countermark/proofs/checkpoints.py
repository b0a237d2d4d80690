"""Checkpoints: a log's signed word for its state, checked and signed.

C2SP signed-note; specs: cosign, 2g. Rekor 1 signs the same kind of note with an ECDSA key, names it by the first
bytes of its log ID, and writes its tree's number behind the host.
"""

from countermark.core.errors import Code, EvidenceError, MalformedError
from countermark.core.light import Sequence, sha256
from countermark.formats import tlog
from countermark.formats.tlog import Checkpoint, Note, NoteSignature
from countermark.formats.trusted_root import Instance
from countermark.proofs import signatures, spki
from countermark.proofs.spki import PublicKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.core.ports_sigstore import SigningKey
    from countermark.proofs.cosignatures import WitnessKey

_ED25519, _ALGORITHM = b"\x01", b"\xff"
_RSA = b"PKIX-RSA-PKCS#1v1.5"


def key_id(name: str, key: PublicKey) -> bytes:
    """The identifier of a log's key, whole: its first four bytes stand in notes, all of it in log entries."""
    head = name.encode("utf-8") + b"\n"
    if key.kind == "ed25519":
        return sha256(head + _ED25519 + key.raw).digest()
    if key.kind == "rsa":
        return sha256(head + _ALGORITHM + _RSA + key.der).digest()
    return sha256(key.der).digest()


def is_first_kind(origin: str) -> bool:
    """Say whether a checkpoint's first line is Rekor 1's: ``host - number``."""
    host, dash, number = origin.rpartition(" - ")
    return bool(host and dash) and number.isascii() and number.isdigit()


def check(
    content: str, log: Instance, *, witnesses: "Sequence[WitnessKey]" = (), threshold: int = 0
) -> Checkpoint:
    """Check that a log has signed a checkpoint, and that so many of these witnesses have cosigned it.

    Raises:
        EvidenceError: ``checkpoint``: another log's, not signed by this one, one in its name that is wrong, or too
            few witnesses; ``malformed``.
    """
    note = Note.parse(content)
    found = _checked(note, log)
    if witnesses or threshold:
        from countermark.proofs import cosignatures  # noqa: PLC0415 - where somebody demands them

        cosignatures.check(note, witnesses, threshold)
    return found


def _checked(note: Note, log: Instance) -> Checkpoint:
    found = Checkpoint.parse(note.text)
    key = spki.parse(log.key)
    if is_first_kind(found.origin):
        name = found.origin.rpartition(" - ")[0]
        return _signed(note, found, name, key, log.log_id)
    if not log.origin:
        raise _wrong(
            "the trusted root does not say where the log is, so that its checkpoints cannot be told apart"
        )
    return check_origin(note, log.origin, key)


def check_origin(note: Note, origin: str, key: PublicKey) -> Checkpoint:
    """Check that a key has signed a note under an origin's name.

    Raises:
        EvidenceError: as ``check``.
    """
    found = Checkpoint.parse(note.text)
    if found.origin != origin:
        raise _wrong(f"got origin {found.origin[:100]!r}, expected is {origin!r}")
    return _signed(note, found, origin, key, key_id(origin, key))


def _signed(
    note: Note, checkpoint: Checkpoint, name: str, key: PublicKey, wanted: bytes
) -> Checkpoint:
    ours = [each for each in note.signatures if each.name == name and each.key_id == wanted[:4]]
    if not ours:
        raise _wrong("the checkpoint is not signed by the log")
    for each in ours:
        if not signatures.verify(key, note.text.encode("utf-8"), each.value):
            raise _wrong(f"invalid signature for key {name}+{wanted[:4].hex()}")
    return checkpoint


def _wrong(reason: str) -> EvidenceError:
    return EvidenceError(reason, code=Code.CHECKPOINT)


def sign(checkpoint: Checkpoint, key: "SigningKey") -> Note:
    """Sign a checkpoint under its origin's name.

    Raises:
        KeyAccessError, UnavailableError: the key's keeper does not sign.
        MalformedError: the key is none that we can name.
    """
    text = checkpoint.encode()
    public = spki.parse(key.public_der)
    if not tlog.is_name(checkpoint.origin):
        raise MalformedError(f"no log's origin: {checkpoint.origin[:80]!r}")
    signature = NoteSignature(
        name=checkpoint.origin,
        key_id=key_id(checkpoint.origin, public)[:4],
        value=key.sign(text.encode("utf-8")),
    )
    return Note(text=text, signatures=(signature,))
