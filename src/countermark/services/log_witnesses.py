"""Witnesses: asked to cosign a checkpoint of ours, all at once, and what they answer checked.

C2SP tlog-witness: a request names the size that the witness has seen, proves that the log only grew since, and brings
the checkpoint; a witness that has seen another size says which (409). One that does not answer is left in peace for a
while, so that it holds up nobody.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from countermark.core import limits
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    InputError,
    UnavailableError,
)
from countermark.core.ports import Clock
from countermark.core.ports_sigstore import WitnessServer
from countermark.core.value import Value
from countermark.formats.go_text import to_base64
from countermark.formats.tlog import Note, NoteSignature
from countermark.proofs.cosignatures import WitnessKey

Prove = Callable[[int], Sequence[bytes]]  # that the tree grew from one of so many entries

_COSIGNED, _CONFLICT = 200, 409
_PAUSE = timedelta(seconds=limits.WITNESS_PAUSE_SECONDS)


class Witness(Value):
    """A witness that we ask: its key, and where it is."""

    key: WitnessKey
    server: WitnessServer


class _Known:
    """What we know of a witness: the size that it has seen, and when it may be asked again."""

    def __init__(self) -> None:
        self.size = 0
        self.not_before: datetime | None = None


class Witnesses:
    """Those whom a log asks.

    Args:
        witnesses: whom.
        needed: how many must have cosigned before a checkpoint is shown to anybody.
        clock: the time.

    Raises:
        InputError: more are needed than there are.
    """

    def __init__(self, witnesses: Sequence[Witness], needed: int, clock: Clock) -> None:
        if needed > len(witnesses):
            raise InputError(f"{needed} witnesses are demanded, and {len(witnesses)} are known")
        self._witnesses, self._needed, self._clock = tuple(witnesses), needed, clock
        self._known = [_Known() for _ in self._witnesses]
        self._workers: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def cosign(self, note: Note, size: int, prove: Prove) -> Note:
        """Return a note with the lines of those who have cosigned it.

        Raises:
            UnavailableError: too few have.
        """
        if not self._witnesses:
            return note
        proving = threading.Lock()

        def alone(old: int) -> Sequence[bytes]:
            with proving:  # they ask at once, and the tree is one
                return prove(old)

        with self._lock:
            if self._workers is None:
                self._workers = ThreadPoolExecutor(len(self._witnesses), "witness")
            asked = [
                (known, self._workers.submit(self._ask, witness, known, note, size, alone))
                for witness, known in zip(self._witnesses, self._known, strict=True)
            ]
            lines: list[NoteSignature] = []
            problems: list[str] = []
            for known, answer in asked:
                try:
                    lines += answer.result()
                except CountermarkError as error:
                    known.not_before = self._clock() + _PAUSE
                    problems.append(str(error))
        if len(lines) < self._needed:
            raise UnavailableError(
                f"{len(lines)} witnesses of {self._needed} have cosigned: {'; '.join(problems)[:400]}"
            )
        return note.replace(signatures=(*note.signatures, *lines))

    def _ask(
        self, witness: Witness, known: _Known, note: Note, size: int, prove: Prove
    ) -> list[NoteSignature]:
        if known.not_before is not None and self._clock() < known.not_before:
            raise UnavailableError(f"{witness.key.name} is left in peace")
        status, body = witness.server.add_checkpoint(_request(known.size, note, size, prove))
        if status == _CONFLICT:
            known.size = _seen(witness.key, body, size)
            status, body = witness.server.add_checkpoint(_request(known.size, note, size, prove))
        if status != _COSIGNED:
            raise UnavailableError(f"{witness.key.name} answered {status}")
        known.size, known.not_before = size, None
        return _checked(witness.key, body, note)

    def close(self) -> None:
        """Let go of the threads."""
        with self._lock:
            if self._workers is not None:
                self._workers.shutdown(wait=False, cancel_futures=True)


def _request(old: int, note: Note, size: int, prove: Prove) -> bytes:
    hashes = prove(old) if 0 < old < size else ()
    lines = [f"old {old}", *(to_base64(each) for each in hashes)]
    return ("\n".join(lines) + "\n\n" + note.encode()).encode()


def _seen(key: WitnessKey, body: bytes, size: int) -> int:
    """Read which size a witness has seen.

    Raises:
        EvidenceError: ``checkpoint``: more than we have, so that this is not the log that it knows.
    """
    text = body.decode("utf-8", "replace").removesuffix("\n")
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise UnavailableError(f"{key.name} answered a conflict without a size")
    if int(text) > size:
        raise EvidenceError(
            f"{key.name} has seen {int(text)} entries of this log, which has {size}",
            code=Code.CHECKPOINT,
        )
    return int(text)


def _checked(key: WitnessKey, body: bytes, note: Note) -> list[NoteSignature]:
    """Take a witness's own lines from its answer, each of which must be right."""
    answered = Note.parse(f"{note.text}\n{body.decode('utf-8', 'replace')}")
    lines = [
        each for each in answered.signatures if each.name == key.name and each.key_id == key.key_id
    ][:1]
    if not lines or not key.cosigned_at(note.replace(signatures=tuple(lines))):
        raise EvidenceError(f"{key.name} answered no cosignature of its own", code=Code.CHECKPOINT)
    return lines
