"""A log looked through by somebody who believes nothing but its key: the whole of it, what is new, what is searched.

Every entry is hashed into the tree that a signed checkpoint names, so that a log can neither leave one out for us nor
show us another history than it did before. What the tiles between say is compared where the whole is verified, and is
not needed elsewhere: from the edge of the tree that we saw and the entries since, the new root must follow.
"""

from collections.abc import Callable, Iterator, Sequence

from countermark.core.errors import (
    Code,
    EvidenceError,
    MalformedError,
    NotFoundError,
    RollbackError,
)
from countermark.core.ports_sigstore import LogIndex, LogState, TileReader
from countermark.core.value import Value
from countermark.formats import log_records, tiles
from countermark.formats.log_records import Record
from countermark.formats.tiles import TilePlace
from countermark.formats.tlog import Checkpoint
from countermark.formats.trusted_root import Instance
from countermark.proofs import checkpoints
from countermark.proofs.cosignatures import WitnessKey
from countermark.proofs.log import EMPTY_ROOT, check_inclusion, leaf_hash
from countermark.proofs.log_tiles import Edge, FullTile, TileTree
from countermark.services.log_reading import LogFiles
from countermark.services.log_terms import terms_of_body

_PROBLEMS = 100  # told; a log that has more is not mended one by one
_TRIES = 20  # to see an index that nobody changes meanwhile
Progress = Callable[[int], object]  # so many entries more have been looked at


class LogTrust(Value):
    """By which a log is known: its entries in a trusted root (any of them), and whoever must have cosigned."""

    instances: tuple[Instance, ...]
    witnesses: tuple[WitnessKey, ...] = ()
    threshold: int = 0

    def check(self, note: str) -> Checkpoint:
        """Check a checkpoint.

        Raises:
            EvidenceError: ``checkpoint``, none of these logs has signed it; ``malformed``.
        """
        problem: EvidenceError | None = None
        for instance in self.instances:
            try:
                return checkpoints.check(
                    note, instance, witnesses=self.witnesses, threshold=self.threshold
                )
            except EvidenceError as error:
                if problem is None or instance.origin == note.partition("\n")[0]:
                    problem = error
        raise problem or EvidenceError("no log is trusted", code=Code.CHECKPOINT)


class Seen(Value):
    """A checkpoint that was checked: what it says, and the note as it stands."""

    checkpoint: Checkpoint
    note: str


class Found(Value):
    """An entry that is proven to be in a log."""

    place: int
    body: bytes

    def record(self) -> Record | None:
        """What it says; None where it is of a kind that we cannot read."""
        try:
            return log_records.parse(self.body)
        except EvidenceError:
            return None


class LogAudit:
    """One log, and by which it is known."""

    def __init__(self, reader: TileReader, trust: LogTrust) -> None:
        self._files, self._trust = LogFiles(reader), trust
        self._tree = TileTree(self._files.hashes)

    def newest(self) -> Seen:
        """Read the log's checkpoint and check it.

        Raises:
            NotFoundError: there is none. EvidenceError: it does not verify. What the reader raises.
        """
        note = self._files.checkpoint()
        if note is None:
            raise NotFoundError("the log has no checkpoint")
        return Seen(checkpoint=self._trust.check(note), note=note)

    def remembered(self, note: str) -> Seen:
        """Take a checkpoint that we have seen before.

        Raises:
            EvidenceError: it does not verify.
        """
        return Seen(checkpoint=self._trust.check(note), note=note)

    def since(self, before: Seen | None, now: Seen) -> Iterator[Found]:
        """Yield the entries that came after a checkpoint (None: all); the last step proves them, and all before.

        Raises:
            RollbackError: the log has fewer entries than before. EvidenceError: ``checkpoint``, it shows another
            history than before; ``inclusion``, its entries are not those of its checkpoint. NotFoundError: one is
            missing. What the reader raises.
        """
        old, new = before.checkpoint if before else None, now.checkpoint
        size = old.size if old else 0
        if old is not None:
            _demand_growth(old, new)
        edge = self._edge(size)
        if edge.root() != (old.root if old else EMPTY_ROOT):
            raise EvidenceError(
                f"the log shows another tree of {size} entries than before", code=Code.CHECKPOINT
            )
        for place, body in enumerate(self._files.entries(size, new.size, new.size), size):
            edge.append(leaf_hash(body))
            yield Found(place=place, body=body)
        if edge.root() != new.root:
            raise EvidenceError(
                "the log's entries are not those of its checkpoint", code=Code.INCLUSION
            )

    def _edge(self, size: int) -> Edge:
        """The edge of the tree of the first entries; its root says whether it is the right one."""
        partial: list[Sequence[bytes]] = [[]]
        level = 0
        while count := size >> level * tiles.HEIGHT:
            index, width = divmod(count, tiles.WIDTH)
            hashes = self._files.hashes(level, index, width) if width else []
            partial[level:] = [hashes]
            level += 1
        return Edge(size, partial)

    def at(self, places: Sequence[int], now: Seen) -> Iterator[Found]:
        """Yield entries by their places, each proven.

        Raises:
            EvidenceError: ``inclusion``, one is not what the checkpoint has there. NotFoundError: one is missing.
            What the reader raises.
        """
        size, root = now.checkpoint.size, now.checkpoint.root
        for place in places:
            if place >= size:
                return  # added meanwhile
            (body,) = self._files.entries(place, place + 1, size)
            check_inclusion(place, size, leaf_hash(body), self._tree.inclusion(place, size), root)
            yield Found(place=place, body=body)

    # The whole ------------------------------------------------------------------------------------------

    def verify(self, now: Seen, index: LogIndex | None, progress: Progress) -> list[str]:
        """Read all of a log again: every entry, tile and bundle, and what the index says; return what is wrong.

        Raises:
            What the reader and the index raise, but for what is missing or malformed.
        """
        problems: list[str] = []
        edge = Edge()
        size = now.checkpoint.size
        for number in range(-(-size // tiles.WIDTH)):
            width = tiles.width_in(tiles.ENTRIES, number, size)
            try:
                bodies = self._files.bundle(number, width)
            except (NotFoundError, MalformedError) as error:
                return [*problems, f"{error}; nothing after it was looked at"]
            full = [tile for body in bodies for tile in edge.append(leaf_hash(body))]
            problems += [text for tile in full if (text := self._wrong(tile))]
            if index is not None:
                problems += _wrong_in_index(index, number * tiles.WIDTH, bodies)
            if len(problems) >= _PROBLEMS:
                return problems[:_PROBLEMS]
            progress(width)
        problems += self._wrong_at_edge(edge)
        if edge.root() != now.checkpoint.root:
            problems.append("the entries are not those of the checkpoint: their root is another")
        if index is not None:
            problems += _wrong_state(index, now.checkpoint, self._tree)
        return problems

    def _wrong(self, tile: FullTile) -> str:
        place = TilePlace(level=tile.level, index=tile.index, width=len(tile.hashes))
        try:
            found = self._files.hashes(place.level, place.index, place.width)
        except (NotFoundError, MalformedError) as error:
            return str(error)
        return (
            "" if tuple(found) == tile.hashes else f"{place.path} is not what its entries hash to"
        )

    def _wrong_at_edge(self, edge: Edge) -> list[str]:
        found = []
        for level, hashes in enumerate(edge.partial()):
            if hashes:
                index = edge.size >> (level + 1) * tiles.HEIGHT
                found.append(self._wrong(FullTile(level=level, index=index, hashes=hashes)))
        return [text for text in found if text]


def _demand_growth(old: Checkpoint, new: Checkpoint) -> None:
    if old.size > new.size:
        raise RollbackError(f"the log has {new.size} entries, and had {old.size} before")
    if old.size == new.size and old.root != new.root:
        raise EvidenceError(
            f"the log shows another tree of {old.size} entries than before", code=Code.CHECKPOINT
        )


def _wrong_in_index(index: LogIndex, start: int, bodies: Sequence[bytes]) -> list[str]:
    listed = {place: rest for place, *rest in index.listed(start, len(bodies))}
    found = []
    for place, body in enumerate(bodies, start):
        identity, terms = listed.get(place, (None, frozenset()))
        if identity is None:
            found.append(f"the index does not have entry {place}")
        elif identity != leaf_hash(body):
            found.append(f"the index has another entry {place} than the tiles")
        elif terms != frozenset(terms_of_body(body)):
            found.append(f"the index would not find entry {place} by what it says")
    return found


def _wrong_state(index: LogIndex, shown: Checkpoint, tree: TileTree) -> list[str]:
    """Compare an index with the checkpoint; it may be ahead of it by what is being added just now."""
    for _ in range(_TRIES):
        state = index.state()
        behind = index.listed(state.size, 1)
        bodies = [body for body, _ in index.unsettled(state.settled)]
        if index.state() == state:
            return _compared(state, shown, tree, bodies, has_more=bool(behind))
    return ["the index changes too fast to be compared with the checkpoint"]


def _compared(
    state: LogState, shown: Checkpoint, tree: TileTree, bodies: Sequence[bytes], *, has_more: bool
) -> list[str]:
    if state.size < shown.size:
        return [f"the index has {state.size} entries, the checkpoint {shown.size}"]
    if state.size == shown.size and state.root != shown.root:
        return ["the index has another root than the checkpoint"]
    if has_more:
        return [f"the index has entries behind its own size, {state.size}"]
    if len(bodies) != state.size - state.settled:
        return [f"the index does not have all bodies from entry {state.settled} on"]
    found = []
    for place, body in enumerate(bodies[: shown.size - state.settled], state.settled):
        try:
            path = tree.inclusion(place, shown.size)
            check_inclusion(place, shown.size, leaf_hash(body), path, shown.root)
        except (EvidenceError, NotFoundError):
            found.append(f"the index has another body of entry {place} than the tiles")
    return found
