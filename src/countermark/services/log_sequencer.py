"""Adds entries to a log: many at once, one batch after the other, each answered when it is durable and proven.

Whoever comes first adds all that wait, so that a disk's sync is paid for once; nobody else in any process adds
meanwhile. An entry that is answered is in the index durably, in the tiles, and under a checkpoint that is shown.
"""

import threading
from collections.abc import Sequence

from countermark.core import limits
from countermark.core.errors import Code, CountermarkError, RefusedError, UnavailableError
from countermark.core.ports_sigstore import IndexedEntry, LogIndex, TileStore
from countermark.core.value import Value
from countermark.proofs.log import check_inclusion, leaf_hash
from countermark.services.log_publishing import Published, Publisher
from countermark.services.log_tree import LogTree

PUSHED_BACK = "reached max pushback; retry"
FROZEN = "This log has been frozen, please switch to the latest log."
_GATHERING_SECONDS = 0.004  # less than a batch takes


class Added(Value):
    """An entry in the log: its place, whether it was there before, and what proves that it is there."""

    place: int
    is_duplicate: bool
    published: Published
    hashes: tuple[bytes, ...]


class _Ticket:
    """An entry on its way; its bell rings when it is done, or has to lead."""

    def __init__(self, entry: IndexedEntry) -> None:
        self.entry = entry
        self.leads = False
        self.added: Added | None = None
        self.problem: Exception | None = None
        self._bell = threading.Lock()
        self._bell.acquire()

    def wait(self, seconds: float) -> None:
        """Return once the bell has rung, or after so long."""
        self._bell.acquire(timeout=seconds)

    def ring(self) -> None:
        """Ring the bell, unless it has rung and nobody has listened."""
        if self._bell.locked():
            self._bell.release()

    def result(self) -> Added:
        """What became of it."""
        if self.problem is not None:
            raise self.problem
        if self.added is None:
            raise UnavailableError(PUSHED_BACK)
        return self.added


class Sequencer:
    """The one way into a log.

    Args:
        index: what is true of the log.
        store: its tiles.
        publisher: its checkpoints.
        seconds: the longest that an entry waits for its turn.
    """

    def __init__(
        self,
        index: LogIndex,
        store: TileStore,
        publisher: Publisher,
        seconds: float = limits.LOG_SECONDS,
    ) -> None:
        self._index, self._store, self._publisher = index, store, publisher
        self._seconds = seconds
        self._arrived = threading.Condition()  # over the queue
        self._waiting: list[_Ticket] = []
        self._is_led = False  # somebody adds, or is about to
        self._expected = 1  # entries of the last batch
        self._turn = threading.Lock()  # over all below
        self._tree: LogTree | None = None
        self._published: Published | None = None

    @property
    def log_id(self) -> bytes:
        """What names the log in entries."""
        return self._publisher.log_id

    def add(self, entry: IndexedEntry) -> Added:
        """Add an entry, unless one of its identity is there; return once it is durable and proven.

        Raises:
            RefusedError: ``withdrawn``, the log is frozen.
            UnavailableError: it is not added, or is not proven now: too many wait, too few witnesses cosign.
            StorageError, KeyAccessError: the same, and somebody has to look after it.
        """
        ticket = _Ticket(entry)
        with self._arrived:
            if len(self._waiting) >= limits.LOG_WAITING:
                raise UnavailableError(PUSHED_BACK)
            self._waiting.append(ticket)
            ticket.leads = not self._is_led
            self._is_led = True
            if len(self._waiting) >= self._expected:
                self._arrived.notify()
        if not ticket.leads:
            ticket.wait(self._seconds)
            self._give_up(ticket)
        if ticket.leads:
            self._lead()
        return ticket.result()

    def _give_up(self, ticket: _Ticket) -> None:
        """Take a ticket back that nobody has taken yet."""
        with self._arrived:
            if ticket in self._waiting and not ticket.leads:
                self._waiting.remove(ticket)

    def _lead(self) -> None:
        """Add all that wait, then let the first of those lead who have come meanwhile."""
        with self._arrived:
            # those who were answered just now get a moment to come again
            self._arrived.wait_for(lambda: len(self._waiting) >= self._expected, _GATHERING_SECONDS)
            batch = self._waiting[: limits.LOG_BATCH]
            del self._waiting[: limits.LOG_BATCH]
            self._expected = len(batch)
        try:
            with self._turn:
                self._add(batch)
        except Exception as error:
            self._tree = None  # whatever it knows may be wrong
            for ticket in batch:
                ticket.problem = error
            if not isinstance(error, CountermarkError):
                raise
        finally:
            for ticket in batch:
                ticket.ring()
            with self._arrived:
                self._is_led = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].leads = True
                    self._waiting[0].ring()

    def _add(self, batch: Sequence[_Ticket]) -> None:
        for _ in range(limits.LOG_CONFLICTS):
            try:
                with self._index.exclusive():
                    tree = self._current()
                    places = self._placed(tree, batch)
                    published = self._shown(tree)
            except RefusedError as error:
                if error.code != Code.VERSION_CONFLICT:
                    raise
                self._tree = None
                continue
            for ticket, (place, is_duplicate) in zip(batch, places, strict=True):
                ticket.added = _proven(
                    tree, ticket.entry, place, published, is_duplicate=is_duplicate
                )
            return
        raise UnavailableError(PUSHED_BACK)

    def _current(self) -> LogTree:
        """The tree as the index has it now: ours, or made anew where somebody else has added."""
        state = self._index.state()
        tree = self._tree
        if tree is None or tree.state.replace(settled=state.settled) != state:
            tree = LogTree(state, self._index, self._store)
            self._published = self._publisher.check(tree)
            self._tree = tree
        return tree

    def _placed(self, tree: LogTree, batch: Sequence[_Ticket]) -> list[tuple[int, bool]]:
        """Say where each entry is, and whether it was there before; those that were not are added."""
        if tree.state.is_frozen:
            raise RefusedError(FROZEN, code=Code.WITHDRAWN)
        known = dict(self._index.find([ticket.entry.identity for ticket in batch]))
        fresh: list[IndexedEntry] = []
        found: list[tuple[int, bool]] = []
        for ticket in batch:
            place = known.get(ticket.entry.identity)
            is_duplicate = place is not None
            if place is None:
                place = known[ticket.entry.identity] = tree.state.size + len(fresh)
                fresh.append(ticket.entry)
            found.append((place, is_duplicate))
        if fresh:
            tree.grow(fresh)
        return found

    def _shown(self, tree: LogTree) -> Published:
        """The checkpoint over all of the tree, made where there is none yet."""
        shown, state = self._published, tree.state
        if shown is None or (shown.checkpoint.size, shown.is_last) != (state.size, state.is_frozen):
            shown = self._published = self._publisher.publish(tree)
        return shown

    def open(self) -> Published:
        """Take the log up, make what a crash has left undone, and show its checkpoint; return that.

        Raises:
            StorageError: it cannot be taken up. UnavailableError, KeyAccessError.
        """
        with self._turn, self._index.exclusive():
            return self._shown(self._current())

    def shown(self) -> Published:
        """The checkpoint that everybody sees now; the log is taken up where nothing has been shown yet.

        Raises:
            As ``open``.
        """
        return self._publisher.shown() or self.open()

    def freeze(self) -> Published:
        """Take no entries any more, for ever, and say so in the last checkpoint; return that.

        Raises:
            As ``open``.
        """
        with self._turn, self._index.exclusive():
            self._index.freeze()
            return self._shown(self._current())

    def is_frozen(self) -> bool:
        """Say whether the log takes no entries any more."""
        return self._index.state().is_frozen

    def check(self) -> None:
        """Ask whether the log can be read; raises what it meets."""
        self._index.state()


def _proven(
    tree: LogTree, entry: IndexedEntry, place: int, published: Published, *, is_duplicate: bool
) -> Added:
    """Prove that an entry is where it is, under a checkpoint that is shown."""
    hashes: tuple[bytes, ...] = ()
    if not is_duplicate:
        checkpoint = published.checkpoint
        hashes = tree.inclusion(place)
        leaf = leaf_hash(entry.body)
        check_inclusion(place, checkpoint.size, leaf, hashes, checkpoint.root)
    return Added(place=place, is_duplicate=is_duplicate, published=published, hashes=hashes)
