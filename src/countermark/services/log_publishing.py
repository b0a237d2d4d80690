"""What a log says of itself: its checkpoint, signed over what is durable, cosigned, shown.

Nothing is signed that contradicts what was shown before: a log that was put back to an earlier state says so and
takes nothing more, since its next checkpoint would be another history.
"""

from collections.abc import Sequence
from datetime import datetime

from countermark.core.errors import EvidenceError, StorageError
from countermark.core.ports import Clock
from countermark.core.ports_sigstore import SigningKey, TileStore
from countermark.core.value import Value
from countermark.formats.tiles import CHECKPOINT
from countermark.formats.tlog import Checkpoint, Note
from countermark.proofs import checkpoints, spki
from countermark.services.log_reading import LogFiles
from countermark.services.log_tree import LogTree
from countermark.services.log_witnesses import Witnesses

_FROZEN = "Log frozen \u2014 "  # rekor-tiles, cmd/freeze-checkpoint
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Published(Value):
    """A checkpoint that everybody may see: what it says, and the note as it stands."""

    checkpoint: Checkpoint
    note: str

    @property
    def is_last(self) -> bool:
        """Whether it says that the log is frozen."""
        return any(line.startswith(_FROZEN) for line in self.checkpoint.extensions)


class Publisher:
    """Signs and shows a log's checkpoints.

    Args:
        origin: the log's name in them.
        keys: sign them, all of them; the first one is by which the log is known.
        store: where they are shown.
        witnesses: cosign them.
        clock: the time.
    """

    def __init__(
        self,
        origin: str,
        keys: Sequence[SigningKey],
        store: TileStore,
        witnesses: Witnesses,
        clock: Clock,
    ) -> None:
        self.origin = origin
        self._keys, self._store, self._witnesses, self._clock = keys, store, witnesses, clock
        self.log_id = checkpoints.key_id(origin, spki.parse(keys[0].public_der))

    def shown(self) -> Published | None:
        """Read the checkpoint that is shown now; None where there is none, or what a crash left of one.

        Raises:
            StorageError: it is another log's, or none of our keys signed it. UnavailableError.
        """
        try:
            text = LogFiles(self._store).checkpoint()
            note = None if text is None else Note.parse(text)
        except EvidenceError:
            return None
        if text is None or note is None:
            return None
        problem = ""
        for key in self._keys:
            try:
                found = checkpoints.check_origin(note, self.origin, spki.parse(key.public_der))
            except EvidenceError as error:
                problem = problem or str(error)
            else:
                return Published(checkpoint=found, note=text)
        raise StorageError(f"the checkpoint that is there is not one of this log: {problem}")

    def check(self, tree: LogTree) -> Published | None:
        """Read the checkpoint that is shown, and demand that a tree grew from it.

        Raises:
            StorageError: it did not: the tree is an earlier one, or another. UnavailableError.
        """
        found = self.shown()
        if found is None:
            return None
        size = found.checkpoint.size
        if size > tree.state.size:
            raise StorageError(
                f"the log has shown {size} entries, and its index has {tree.state.size}",
                hint="restore the newest backup of the index; an older one would fork the log",
            )
        if tree.root_at(size) != found.checkpoint.root:
            raise StorageError(
                f"the log has shown another tree of {size} entries than its index has",
                hint="restore index and tiles from one backup",
            )
        return found

    def publish(self, tree: LogTree) -> Published:
        """Sign a tree's state, have it cosigned, and show it.

        Raises:
            KeyAccessError, UnavailableError: the keys' keeper does not sign, too few witnesses do. StorageError.
        """
        extensions = (_FROZEN + _unix_date(self._clock()),) if tree.state.is_frozen else ()
        checkpoint = Checkpoint(
            origin=self.origin,
            size=tree.state.size,
            root=tree.state.root,
            extensions=extensions,
        )
        signed = [checkpoints.sign(checkpoint, key) for key in self._keys]
        lines = tuple(line for note in signed for line in note.signatures)
        note = signed[0].replace(signatures=lines)
        note = self._witnesses.cosign(note, checkpoint.size, tree.consistency)
        text = note.encode()
        # not synced: after a loss of power it is made again from what is
        self._store.write(CHECKPOINT, text.encode(), durable=False)
        return Published(checkpoint=checkpoint, note=text)


def _unix_date(moment: datetime) -> str:
    """Write a time as Go's ``time.UnixDate``."""
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return f"{day} {month} {moment.day:2d} {moment:%H:%M:%S} UTC {moment.year}"
