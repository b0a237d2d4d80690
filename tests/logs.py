"""A log in memory: an index and tiles that fail when they are told to, and entries for it."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

from countermark.core.errors import Code, CountermarkError, MalformedError, RefusedError
from countermark.core.ports_sigstore import IndexedEntry, LogIndex, LogState, TileStore
from countermark.formats.tiles import CHECKPOINT, TilePlace
from countermark.formats.tlog import Checkpoint, Note
from countermark.proofs import checkpoints, log, signing_keys
from countermark.proofs.log_tiles import Edge, TileTree
from countermark.services.log_publishing import Publisher
from countermark.services.log_reading import LogFiles
from countermark.services.log_sequencer import Sequencer
from countermark.services.log_witnesses import Witnesses

NOW = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)
ORIGIN = "log.example.test"
KEY = signing_keys.generate("ed25519")


class MemoryIndex:
    """Port ``LogIndex``. ``fail_before`` and ``fail_after`` are raised once around the next append."""

    def __init__(self) -> None:
        self.now = LogState(size=0, root=log.EMPTY_ROOT, settled=0)
        self.entries: list[IndexedEntry] = []
        self.bodies: dict[int, tuple[bytes, bytes]] = {}
        self.appends = 0
        self.fail_before: CountermarkError | None = None
        self.fail_after: CountermarkError | None = None
        self._lock, self._changing = threading.Lock(), threading.Lock()

    def exclusive(self) -> AbstractContextManager[None]:
        return self._held()

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._lock:
            yield

    def state(self) -> LogState:
        return self.now

    def find(self, identities: Sequence[bytes]) -> Mapping[bytes, int]:
        places = {entry.identity: place for place, entry in enumerate(self.entries)}
        return {each: places[each] for each in identities if each in places}

    def append(
        self, base: LogState, entries: Sequence[IndexedEntry], root: bytes, settled: int
    ) -> None:
        if problem := self.fail_before:
            self.fail_before = None
            raise problem
        with self._changing:
            self._append(base, entries, root, settled)
        if problem := self.fail_after:
            self.fail_after = None
            raise problem

    def _append(
        self, base: LogState, entries: Sequence[IndexedEntry], root: bytes, settled: int
    ) -> None:
        known = self.find([entry.identity for entry in entries])
        if (base.size, base.root) != (self.now.size, self.now.root) or known or self.now.is_frozen:
            raise RefusedError("conflict", code=Code.VERSION_CONFLICT)
        for entry in entries:
            self.bodies[len(self.entries)] = (entry.body, entry.extra)
            self.entries.append(entry)
        self.bodies = {place: body for place, body in self.bodies.items() if place >= settled}
        self.now = LogState(size=len(self.entries), root=root, settled=settled)
        self.appends += 1

    def unsettled(self, start: int) -> Sequence[tuple[bytes, bytes]]:
        return [body for place, body in sorted(self.bodies.items()) if place >= start]

    def freeze(self) -> None:
        self.now = self.now.replace(is_frozen=True)

    def search(self, terms: Sequence[bytes], limit: int) -> Sequence[int]:
        found = [n for n, entry in enumerate(self.entries) if set(entry.terms) & set(terms)]
        return found[:limit]

    def listed(self, start: int, count: int) -> Sequence[tuple[int, bytes, frozenset[bytes]]]:
        return [
            (place, entry.identity, frozenset(entry.terms))
            for place, entry in enumerate(self.entries)
        ][start : start + count]


class MemoryTiles:
    """Port ``TileStore``. ``lose_power`` loses what is not durable; ``fail_at`` counts writes down to a failure."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.durable: dict[str, bytes] = {}
        self.writes: list[tuple[str, bool]] = []
        self.fail_at: int | None = None
        self.problem: CountermarkError = RefusedError("not set")

    def read(self, path: str, max_bytes: int) -> bytes | None:
        content = self.files.get(_known(path))
        if content is not None and len(content) > max_bytes:
            raise MalformedError(f"{path} is too long", code=Code.TOO_LARGE)
        return content

    def write(self, path: str, content: bytes, *, durable: bool = True) -> None:
        _known(path)
        if self.fail_at is not None:
            self.fail_at -= 1
            if self.fail_at < 0:
                self.fail_at = None
                raise self.problem
        self.files[path] = content
        self.writes.append((path, durable))
        if durable:
            self.durable[path] = content

    def remove_partial(self, path: str) -> None:
        _known(path)
        for files in (self.files, self.durable):
            # in one step, and taken by whoever comes first: two sequencers may share these files
            for name in tuple(files):
                if name.startswith(f"{path}.p/"):
                    files.pop(name, None)

    def lose_power(self) -> None:
        self.files = self.durable.copy()


def _known(path: str) -> str:
    return path if path == CHECKPOINT else TilePlace.parse(path).path


def clock() -> datetime:
    return NOW


def publisher(store: TileStore, witnesses: Witnesses | None = None) -> Publisher:
    return Publisher(ORIGIN, [KEY], store, witnesses or Witnesses((), 0, clock), clock)


def sequencer(index: LogIndex, store: TileStore, witnesses: Witnesses | None = None) -> Sequencer:
    return Sequencer(index, store, publisher(store, witnesses))


def entry(number: int, extra: bytes = b"") -> IndexedEntry:
    body = b"entry %d" % number
    leaf = log.leaf_hash(body)
    return IndexedEntry(identity=leaf, body=body, extra=extra, terms=(leaf[:16],))


def opened(text: str) -> Checkpoint:
    """A checkpoint of ours, checked."""
    return checkpoints.check_origin(Note.parse(text), ORIGIN, KEY.public)


def whole(store: TileStore) -> list[bytes]:
    """All entries of a log as its files have them, proven to be those of its checkpoint."""
    files = LogFiles(store)
    text = files.checkpoint()
    assert text is not None
    tree = opened(text)
    bodies = list(files.entries(0, tree.size, tree.size))
    edge = Edge()
    for body in bodies:
        edge.append(log.leaf_hash(body))
    assert (edge.size, edge.root()) == (tree.size, tree.root)
    assert TileTree(files.hashes).root(tree.size) == tree.root
    return bodies
