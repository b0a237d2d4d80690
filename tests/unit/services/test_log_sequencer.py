"""A log takes each entry once, proves what it answers, and stays one log whatever fails on the way."""

import threading
from contextlib import AbstractContextManager, nullcontext, suppress

import pytest

from countermark.core import limits
from countermark.core.errors import (
    Code,
    CountermarkError,
    RefusedError,
    StorageError,
    UnavailableError,
)
from countermark.core.ports_sigstore import LogState
from countermark.formats.tiles import CHECKPOINT, TilePlace
from countermark.formats.tlog import Checkpoint
from countermark.proofs import checkpoints, log, signing_keys
from countermark.proofs.log_tiles import TileTree
from countermark.services.log_publishing import Publisher
from countermark.services.log_reading import LogFiles
from countermark.services.log_sequencer import PUSHED_BACK, Added, Sequencer
from countermark.services.log_witnesses import Witnesses
from logs import (
    KEY,
    NOW,
    ORIGIN,
    MemoryIndex,
    MemoryTiles,
    clock,
    entry,
    opened,
    publisher,
    sequencer,
    whole,
)

pytestmark = pytest.mark.slow

FULL = StorageError("full", code=Code.NO_SPACE)


@pytest.fixture
def index() -> MemoryIndex:
    return MemoryIndex()


@pytest.fixture
def store() -> MemoryTiles:
    return MemoryTiles()


def check(added: Added, number: int) -> None:
    tree = opened(added.published.note)
    assert tree == added.published.checkpoint
    leaf = log.leaf_hash(entry(number).body)
    log.check_inclusion(added.place, tree.size, leaf, added.hashes, tree.root)


def test_an_empty_log_shows_its_checkpoint(index: MemoryIndex, store: MemoryTiles) -> None:
    shown = sequencer(index, store).open()
    assert opened(shown.note) == Checkpoint(origin=ORIGIN, size=0, root=log.EMPTY_ROOT)
    assert store.files == {CHECKPOINT: shown.note.encode()}


def test_entries_one_by_one(index: MemoryIndex, store: MemoryTiles) -> None:
    one = sequencer(index, store)
    for number in range(600):
        added = one.add(entry(number))
        assert (added.place, added.is_duplicate) == (number, False)
        check(added, number)
        assert store.files[CHECKPOINT].decode() == added.published.note
    assert whole(store) == [entry(number).body for number in range(600)]
    assert index.now.settled == 512
    assert sorted(index.bodies) == list(range(512, 600))


def test_full_tiles_are_durable_and_partial_ones_go_once_they_are_of_no_use(
    index: MemoryIndex, store: MemoryTiles
) -> None:
    one = sequencer(index, store)
    for number in range(700):
        one.add(entry(number))
    full = {name for name in store.files if ".p/" not in name}
    expected = {f"tile/{kind}/{n:03}" for kind in ("0", "entries") for n in range(2)}
    assert full == expected | {CHECKPOINT}
    assert full - {CHECKPOINT} <= set(store.durable)
    assert {name.partition(".p/")[0] for name in store.files if ".p/" in name} == {
        "tile/0/001", "tile/0/002", "tile/entries/001", "tile/entries/002", "tile/1/000",
    }  # fmt: skip


def test_an_entry_that_is_there_is_not_added_again(index: MemoryIndex, store: MemoryTiles) -> None:
    one = sequencer(index, store)
    for number in range(3):
        one.add(entry(number))
    again = one.add(entry(1))
    assert (again.place, again.is_duplicate) == (1, True)
    assert len(whole(store)) == 3


def test_what_lies_beside_entries(index: MemoryIndex, store: MemoryTiles) -> None:
    one = sequencer(index, store)
    for number in range(300):
        one.add(entry(number, extra=b"beside %d" % number))
    files = LogFiles(store)
    assert files.extras(0, 256)[255] == b"beside 255"
    assert files.extras(1, 44) == [b"beside %d" % n for n in range(256, 300)]
    assert LogFiles(MemoryTiles()).extras(0, 2) == [b"", b""]


def many(one: Sequencer, numbers: range, threads: int) -> list[tuple[int, Added]]:
    found: list[tuple[int, Added]] = []

    def work(first: int) -> None:
        for number in numbers[first::threads]:
            found.append((number, one.add(entry(number))))

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found


def test_many_at_once(index: MemoryIndex, store: MemoryTiles) -> None:
    found = many(sequencer(index, store), range(800), 16)
    for number, added in found:
        check(added, number)
    assert sorted(added.place for _, added in found) == list(range(800))
    assert sorted(whole(store)) == sorted(entry(n).body for n in range(800))
    assert index.appends < 600  # not one each


def test_one_entry_many_times_at_once(index: MemoryIndex, store: MemoryTiles) -> None:
    one = sequencer(index, store)
    found: list[Added] = []
    workers = [threading.Thread(target=lambda: found.append(one.add(entry(1)))) for _ in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [added.place for added in found] == [0] * 12
    assert sum(not added.is_duplicate for added in found) == 1


def test_two_processes_on_one_store(index: MemoryIndex, store: MemoryTiles) -> None:
    one, other = sequencer(index, store), sequencer(index, store)
    for number in range(0, 600, 2):
        assert one.add(entry(number)).place == number
        check(other.add(entry(number + 1)), number + 1)
    assert other.add(entry(0)).is_duplicate
    assert whole(store) == [entry(number).body for number in range(600)]


class Unlocked(MemoryIndex):
    """An index whose lock keeps nobody out, as over some network file systems."""

    def exclusive(self) -> AbstractContextManager[None]:
        return nullcontext()


def test_two_processes_that_no_lock_keeps_apart_make_no_two_logs(store: MemoryTiles) -> None:
    index = Unlocked()
    found: list[tuple[int, Added]] = []

    def work(first: int) -> None:
        one = sequencer(index, store)
        for number in range(first, first + 150):
            with suppress(UnavailableError, StorageError):
                found.append((number, one.add(entry(number))))

    workers = [threading.Thread(target=work, args=(n,)) for n in range(0, 600, 150)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    places = [added.place for number, added in found]
    assert len(places) == len(set(places))
    sequencer(index, store).open()
    bodies = whole(store)
    for number, added in found:
        check(added, number)
        assert bodies[added.place] == entry(number).body
        size, root = added.published.checkpoint.size, added.published.checkpoint.root
        assert TileTree(LogFiles(store).hashes).root(size) == root


# What fails -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 1, 255, 256, 300, 511, 512])
@pytest.mark.parametrize("writes", range(8))
def test_a_write_that_fails_loses_nothing(
    before: int, writes: int, index: MemoryIndex, store: MemoryTiles
) -> None:
    one = sequencer(index, store)
    for number in range(before):
        one.add(entry(number))
    store.fail_at, store.problem = writes, FULL
    with suppress(StorageError):
        check(one.add(entry(before)), before)
    failed = store.fail_at is None
    store.fail_at = None
    shown = opened(store.files[CHECKPOINT].decode()) if before else None
    again = one.add(entry(before))
    assert again.place == before
    # it was in the index when a tile could not be written, or was answered
    assert again.is_duplicate
    assert failed or writes > 2  # the bundle, the tile, the checkpoint
    assert whole(store) == [entry(number).body for number in range(before + 1)]
    if shown is not None:
        assert shown.size <= before + 1


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600])
@pytest.mark.parametrize("writes", [0, 1, 2, 3, 4, 5, 6, 100])
def test_power_that_is_lost_loses_nothing_that_was_answered(
    size: int, writes: int, index: MemoryIndex, store: MemoryTiles
) -> None:
    one = sequencer(index, store)
    for number in range(size):
        one.add(entry(number))
    shown = opened(store.files[CHECKPOINT].decode())
    store.fail_at, store.problem = writes, FULL
    with suppress(StorageError):
        one.add(entry(size))
    store.fail_at = None
    store.lose_power()
    tree = opened(sequencer(index, store).open().note)
    assert tree.size == size + 1
    assert whole(store)[:size] == [entry(number).body for number in range(size)]
    files = LogFiles(store)
    path = TileTree(files.hashes).consistency(shown.size, tree.size)
    log.check_consistency(shown.size, tree.size, path, shown.root, tree.root)


@pytest.mark.parametrize("left", [b"", b"log.exa", b"\xff\xfe", b"text\n\n"])
def test_a_checkpoint_that_a_crash_left_half_is_made_again(
    left: bytes, index: MemoryIndex, store: MemoryTiles
) -> None:
    sequencer(index, store).add(entry(0))
    store.files[CHECKPOINT] = left
    assert opened(sequencer(index, store).open().note).size == 1
    assert opened(store.files[CHECKPOINT].decode()).size == 1


@pytest.mark.parametrize("problem", [FULL, UnavailableError("busy")])
def test_an_index_that_refuses(
    problem: CountermarkError, index: MemoryIndex, store: MemoryTiles
) -> None:
    one = sequencer(index, store)
    one.add(entry(0))
    index.fail_before = problem
    with pytest.raises(type(problem)):
        one.add(entry(1))
    assert len(index.entries) == 1
    check(one.add(entry(1)), 1)


def test_an_index_of_which_nobody_knows_whether_it_took_it(
    index: MemoryIndex, store: MemoryTiles
) -> None:
    one = sequencer(index, store)
    index.fail_after = FULL
    with pytest.raises(StorageError):
        one.add(entry(0))
    again = one.add(entry(0))
    assert (again.place, again.is_duplicate) == (0, True)
    assert whole(store) == [entry(0).body]


def test_a_conflict_is_tried_again_and_not_for_ever(index: MemoryIndex, store: MemoryTiles) -> None:
    one = sequencer(index, store)
    index.fail_before = RefusedError("conflict", code=Code.VERSION_CONFLICT)
    check(one.add(entry(0)), 0)

    class Contended(MemoryIndex):
        def append(self, *_: object) -> None:
            self.appends += 1
            raise RefusedError("conflict", code=Code.VERSION_CONFLICT)

    contended = Contended()
    with pytest.raises(UnavailableError, match=PUSHED_BACK):
        sequencer(contended, MemoryTiles()).add(entry(0))
    assert contended.appends == limits.LOG_CONFLICTS


def test_a_refusal_that_is_no_conflict_is_told(index: MemoryIndex, store: MemoryTiles) -> None:
    index.fail_before = RefusedError("no")
    with pytest.raises(RefusedError, match="no"):
        sequencer(index, store).add(entry(0))


def test_a_mistake_of_ours_is_told_to_all_who_wait(store: MemoryTiles) -> None:
    class Mistaken(MemoryIndex):
        def find(self, identities: object) -> dict[bytes, int]:
            raise ZeroDivisionError

    one = sequencer(Mistaken(), store)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            one.add(entry(0))


def test_a_key_that_does_not_sign(index: MemoryIndex, store: MemoryTiles) -> None:
    class Keeper:
        public_der = KEY.public_der
        works = False

        def sign(self, message: bytes) -> bytes:
            if not self.works:
                raise UnavailableError("the keeper is away")
            return KEY.sign(message)

        def sign_digest(self, digest: bytes) -> bytes:
            raise AssertionError

    keeper = Keeper()
    shown = Publisher(ORIGIN, [keeper], store, Witnesses((), 0, clock), clock)
    one = Sequencer(index, store, shown)
    with pytest.raises(UnavailableError, match="away"):
        one.add(entry(0))
    assert CHECKPOINT not in store.files
    keeper.works = True
    assert one.add(entry(0)).is_duplicate
    assert whole(store) == [entry(0).body]


# Too many -------------------------------------------------------------------------------------------------


class Slow(MemoryIndex):
    """An index that lets nobody through until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go = threading.Event(), threading.Event()

    def state(self) -> LogState:
        self.entered.set()
        assert self.go.wait(20)
        return super().state()


def test_who_waits_too_long_is_pushed_back_and_not_added(store: MemoryTiles) -> None:
    index = Slow()
    one = Sequencer(index, store, publisher(store), seconds=0.01)
    first = threading.Thread(target=one.add, args=(entry(0),))
    first.start()
    assert index.entered.wait(20)
    with pytest.raises(UnavailableError, match=PUSHED_BACK):
        one.add(entry(1))
    index.go.set()
    first.join()
    assert [each.body for each in index.entries] == [entry(0).body]
    assert one.add(entry(1)).place == 1


def test_nobody_joins_a_queue_that_is_too_long(store: MemoryTiles) -> None:
    index = Slow()
    one = Sequencer(index, store, publisher(store))
    first = threading.Thread(target=one.add, args=(entry(0),))
    first.start()
    assert index.entered.wait(20)
    one._waiting.extend([None] * limits.LOG_WAITING)  # type: ignore[list-item]
    with pytest.raises(UnavailableError, match=PUSHED_BACK):
        one.add(entry(1))
    one._waiting.clear()
    index.go.set()
    first.join()


# Another history --------------------------------------------------------------------------------------------


def test_an_index_put_back_to_an_earlier_state_adds_nothing(
    index: MemoryIndex, store: MemoryTiles
) -> None:
    one = sequencer(index, store)
    for number in range(3):
        one.add(entry(number))
    shown = store.files[CHECKPOINT]
    old = MemoryIndex()
    for number in range(2):
        sequencer(old, MemoryTiles()).add(entry(number))
    for _ in range(2):
        with pytest.raises(StorageError, match="has shown 3 entries, and its index has 2"):
            sequencer(old, store).add(entry(7))
    assert len(old.entries) == 2
    assert store.files[CHECKPOINT] == shown


def test_an_index_with_another_history_adds_nothing(index: MemoryIndex, store: MemoryTiles) -> None:
    one = sequencer(index, store)
    for number in range(3):
        one.add(entry(number))
    other = MemoryIndex()
    for number in range(10, 15):
        sequencer(other, MemoryTiles()).add(entry(number))
    with pytest.raises(StorageError, match="another tree of 3 entries"):
        sequencer(other, store).open()


def test_a_checkpoint_of_another_log_or_key(index: MemoryIndex, store: MemoryTiles) -> None:
    for origin, key in ((ORIGIN, signing_keys.generate("ed25519")), ("other.example.test", KEY)):
        tree = Checkpoint(origin=origin, size=0, root=log.EMPTY_ROOT)
        store.files[CHECKPOINT] = checkpoints.sign(tree, key).encode().encode()
        with pytest.raises(StorageError, match="not one of this log"):
            sequencer(index, store).open()


@pytest.mark.parametrize("path", ["tile/1/000.p/2"])
def test_a_tile_that_is_gone(path: str, index: MemoryIndex, store: MemoryTiles) -> None:
    one = sequencer(index, store)
    for number in range(600):
        one.add(entry(number))
    content = store.files.pop(path)
    with pytest.raises(StorageError, match="do not belong together"):
        sequencer(index, store).open()
    for wrong in (content[:-1], bytes(64)):
        store.files[path] = wrong
        with pytest.raises(StorageError, match="do not belong together"):
            sequencer(index, store).open()
    store.files[path] = content
    assert sequencer(index, store).open().checkpoint.size == 600


def test_bodies_that_are_gone(index: MemoryIndex, store: MemoryTiles) -> None:
    one = sequencer(index, store)
    for number in range(5):
        one.add(entry(number))
    del index.bodies[4]
    with pytest.raises(StorageError, match="different roots"):
        sequencer(index, store).open()


# The end ----------------------------------------------------------------------------------------------------


def test_a_frozen_log(index: MemoryIndex, store: MemoryTiles) -> None:
    one = sequencer(index, store)
    for number in range(3):
        one.add(entry(number))
    assert not one.is_frozen()
    last = opened(one.freeze().note)
    assert last.size == 3
    assert last.extensions == ("Log frozen — Thu Nov  5 12:00:00 UTC 2026",)
    assert NOW.day == 5
    for each in (one, sequencer(index, store)):
        assert each.is_frozen()
        for number in (0, 7):
            with pytest.raises(RefusedError) as caught:
                each.add(entry(number))
            assert caught.value.code == Code.WITHDRAWN
        assert each.open().is_last
    assert opened(store.files[CHECKPOINT].decode()) == last
    assert whole(store) == [entry(number).body for number in range(3)]


def test_a_crash_between_freezing_and_saying_so(index: MemoryIndex, store: MemoryTiles) -> None:
    one = sequencer(index, store)
    one.add(entry(0))
    store.fail_at, store.problem = 2, FULL
    with pytest.raises(StorageError):
        one.freeze()
    store.fail_at = None
    assert not opened(store.files[CHECKPOINT].decode()).extensions
    assert sequencer(index, store).open().is_last


def test_several_keys_sign(index: MemoryIndex, store: MemoryTiles) -> None:
    new = signing_keys.generate("ecdsa-p256")
    old = sequencer(index, store)
    old.add(entry(0))
    both = Sequencer(
        index, store, Publisher(ORIGIN, [new, KEY], store, Witnesses((), 0, clock), clock)
    )
    note = both.add(entry(1)).published.note
    assert opened(note).size == 2
    assert both.log_id == checkpoints.key_id(ORIGIN, new.public)
    only = Sequencer(index, store, Publisher(ORIGIN, [new], store, Witnesses((), 0, clock), clock))
    assert only.open().checkpoint.size == 2


def test_a_log_that_can_be_read(index: MemoryIndex, store: MemoryTiles) -> None:
    sequencer(index, store).check()
    assert TilePlace.parse("tile/0/000").index == 0
