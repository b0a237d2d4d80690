"""A log looked through: everything that could be wrong with one is found, and nothing is where nothing is."""

import pytest

import log_requests
from countermark.core.errors import (
    Code,
    EvidenceError,
    MalformedError,
    NotFoundError,
    RollbackError,
)
from countermark.core.ports_hosting import Request
from countermark.core.ports_sigstore import IndexedEntry, LogState
from countermark.formats.log_records import Record
from countermark.formats.tiles import CHECKPOINT
from countermark.formats.tlog import Checkpoint
from countermark.formats.trusted_root import Instance
from countermark.proofs import checkpoints, log, signing_keys
from countermark.services import log_requests as requests
from countermark.services.log_audit import LogAudit, LogTrust, Seen
from countermark.services.log_terms import terms_of
from hosted_registry import Body
from log_requests import document
from logs import KEY, ORIGIN, MemoryIndex, MemoryTiles, entry, sequencer

pytestmark = pytest.mark.slow

INSTANCE = Instance(
    base_url=f"https://{ORIGIN}",
    key=KEY.public_der,
    key_details="PKIX_ED25519",
    log_id=checkpoints.key_id(ORIGIN, KEY.public),
    start=None,
)
TRUST = LogTrust(instances=(INSTANCE,))
SIZE = 600


def plain(number: int) -> IndexedEntry:
    """An entry that says nothing it could be found by."""
    return entry(number).replace(terms=())


class World:
    """A log of some entries, and somebody who looks through it."""

    def __init__(self, size: int = SIZE, first: int = 0) -> None:
        self.index, self.store = MemoryIndex(), MemoryTiles()
        self.sequencer = sequencer(self.index, self.store)
        self.sequencer.open()
        self.grow(size, first)
        self.audit = LogAudit(self.store, TRUST)

    def grow(self, count: int, first: int | None = None) -> None:
        first = len(self.index.entries) if first is None else first
        for number in range(first, first + count):
            self.sequencer.add(plain(number))

    def problems(self) -> list[str]:
        looked: list[int] = []
        found = self.audit.verify(self.audit.newest(), self.index, looked.append)
        assert found or sum(looked) == len(self.index.entries)
        return found


@pytest.fixture(scope="module")
def large() -> World:
    return World()


@pytest.fixture
def world(large: World) -> World:
    """The same log, to be bent."""
    copy = World(0)
    copy.index.now, copy.index.entries = large.index.now, [*large.index.entries]
    copy.index.bodies = dict(large.index.bodies)
    copy.store.files = dict(large.store.files)
    return copy


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512])
def test_a_log_that_is_right(size: int) -> None:
    assert World(size).problems() == []


def test_a_large_one(large: World) -> None:
    assert large.problems() == []
    assert large.audit.verify(large.audit.newest(), None, lambda _: None) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("tile/0/000", "tile/0/000 is not what its entries hash to"),
        ("tile/0/001", "tile/0/001 is not what its entries hash to"),
        ("tile/0/002.p/88", "tile/0/002.p/88 is not what its entries hash to"),
        ("tile/1/000.p/2", "tile/1/000.p/2 is not what its entries hash to"),
        ("tile/entries/000", "tile/0/000 is not what its entries hash to"),
        (
            "tile/entries/002.p/88",
            "the entries are not those of the checkpoint: their root is another",
        ),
    ],
)
def test_a_bit_that_is_another(path: str, text: str, world: World) -> None:
    content = bytearray(world.store.files[path])
    content[5] ^= 1
    world.store.files[path] = bytes(content)
    assert any(text in each for each in world.problems())


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/000",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/002.p/88",
    ],
)
@pytest.mark.parametrize("how", ["gone", "cut off", "longer"])
def test_a_file_that_is_not_whole(path: str, how: str, world: World) -> None:
    content = world.store.files.pop(path)
    if how != "gone":
        world.store.files[path] = content[:-1] if how == "cut off" else content + b"\0"
    assert any(path in each for each in world.problems())


def test_problems_are_told_up_to_a_number(world: World) -> None:
    world.index.entries = [plain(n + 1) for n in range(SIZE)]
    assert len(world.problems()) == 100


def test_an_index_that_says_something_else(world: World) -> None:
    entries = world.index.entries
    right = [*entries]
    entries[7] = entries[7].replace(identity=bytes(32))
    entries[300] = entries[300].replace(terms=(bytes(16),))
    assert world.problems() == [
        "the index has another entry 7 than the tiles",
        "the index would not find entry 300 by what it says",
    ]
    world.index.entries = right[:-1]
    assert world.problems() == ["the index does not have entry 599"]
    world.index.entries = [*right, plain(SIZE)]
    assert world.problems() == ["the index has entries behind its own size, 600"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"size": 599}, "the index has 599 entries, the checkpoint 600"),
        ({"root": bytes(32)}, "the index has another root than the checkpoint"),
        ({"settled": 256}, "the index does not have all bodies from entry 256 on"),
    ],
)
def test_an_index_in_another_state(change: dict[str, object], text: str, world: World) -> None:
    world.index.now = world.index.now.replace(**change)
    assert world.problems() == [text]


def test_bodies_that_are_others(world: World) -> None:
    world.index.bodies[550] = (b"another", b"")
    assert world.problems() == ["the index has another body of entry 550 than the tiles"]


def test_an_index_that_is_ahead_is_right(world: World) -> None:
    shown = world.audit.newest()
    world.grow(3)
    assert world.audit.verify(shown, world.index, lambda _: None) == []


def test_an_index_that_never_stands_still(world: World) -> None:
    sizes = iter(range(600, 10_000))

    class Restless(MemoryIndex):
        def state(self) -> LogState:
            return world.index.now.replace(size=next(sizes))

        def listed(self, start: int, count: int) -> list[tuple[int, bytes, frozenset[bytes]]]:
            return list(world.index.listed(start, count))

    problems = world.audit.verify(world.audit.newest(), Restless(), lambda _: None)
    assert problems == ["the index changes too fast to be compared with the checkpoint"]


# What is new ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [None, 0, 1, 255, 256, 300, 511, 512, 599, 600])
def test_what_came_since(before: int | None) -> None:
    world = World(before or 0)
    seen = world.audit.newest() if before is not None else None
    world.grow(SIZE - (before or 0))
    now = world.audit.newest()
    found = list(world.audit.since(seen, now))
    assert [each.place for each in found] == list(range(before or 0, SIZE))
    assert [each.body for each in found] == [plain(n).body for n in range(before or 0, SIZE)]
    if seen is not None:
        assert world.audit.remembered(seen.note) == seen


def test_a_log_that_shows_another_history(large: World) -> None:
    for size in (SIZE, SIZE + 50):
        other = World(size, first=5000)
        with pytest.raises(EvidenceError, match="another tree of 600") as caught:
            list(other.audit.since(large.audit.newest(), other.audit.newest()))
        assert caught.value.code == Code.CHECKPOINT


def test_a_log_that_shrank(large: World) -> None:
    other = World(20)
    with pytest.raises(RollbackError):
        list(other.audit.since(large.audit.newest(), other.audit.newest()))


@pytest.mark.parametrize("path", ["tile/entries/000", "tile/entries/002.p/88"])
def test_an_entry_that_is_withheld(path: str, world: World) -> None:
    content = bytearray(world.store.files[path])
    content[5] ^= 1
    world.store.files[path] = bytes(content)
    with pytest.raises(EvidenceError, match="not those of its checkpoint") as caught:
        list(world.audit.since(None, world.audit.newest()))
    assert caught.value.code == Code.INCLUSION
    del world.store.files[path]
    with pytest.raises(NotFoundError):
        list(world.audit.since(None, world.audit.newest()))


def test_tiles_below_what_was_seen_are_not_believed(world: World) -> None:
    seen = world.audit.newest()
    world.grow(300)
    now = world.audit.newest()
    content = bytearray(world.store.files["tile/1/000.p/3"])
    world.store.files["tile/1/000.p/2"] = bytes(content[:63]) + b"\0"
    with pytest.raises(EvidenceError, match="another tree of 600"):
        list(LogAudit(world.store, TRUST).since(seen, now))


def test_entries_at_places(large: World) -> None:
    now = large.audit.newest()
    found = list(large.audit.at([0, 255, 599, 600, 601], now))
    assert [each.body for each in found] == [plain(n).body for n in (0, 255, 599)]


def test_an_entry_at_a_place_that_is_another(world: World) -> None:
    content = bytearray(world.store.files["tile/entries/000"])
    content[5] ^= 1
    world.store.files["tile/entries/000"] = bytes(content)
    with pytest.raises(EvidenceError) as caught:
        list(world.audit.at([0], world.audit.newest()))
    assert caught.value.code == Code.INCLUSION


# Whom it believes ---------------------------------------------------------------------------------------------


def test_no_checkpoint() -> None:
    with pytest.raises(NotFoundError):
        LogAudit(MemoryTiles(), TRUST).newest()


@pytest.mark.parametrize("content", [b"", b"\xff", b"text\n\n"])
def test_a_checkpoint_that_is_none(content: bytes, world: World) -> None:
    world.store.files[CHECKPOINT] = content
    with pytest.raises(MalformedError):
        world.audit.newest()


def test_a_checkpoint_of_nobody_we_trust(world: World) -> None:
    with pytest.raises(EvidenceError, match="no log is trusted"):
        LogAudit(world.store, LogTrust(instances=())).newest()
    stranger = INSTANCE.replace(base_url="https://other.example.test")
    newer = signing_keys.generate("ed25519")
    other = INSTANCE.replace(key=newer.public_der, log_id=checkpoints.key_id(ORIGIN, newer.public))
    for instances, text in (
        ((stranger,), "got origin"),
        ((stranger, other), "not signed by the log"),
        ((other, stranger), "not signed by the log"),
    ):
        with pytest.raises(EvidenceError, match=text) as caught:
            LogAudit(world.store, LogTrust(instances=instances)).newest()
        assert caught.value.code == Code.CHECKPOINT
    both = LogTrust(instances=(stranger, other, INSTANCE))
    assert LogAudit(world.store, both).newest().checkpoint.size == SIZE
    with pytest.raises(EvidenceError, match="cosigned by 0 witnesses"):
        LogAudit(world.store, TRUST.replace(threshold=1)).newest()


def parsed(body: bytes) -> Record:
    asked = Request(method="POST", path="/", query="", headers={}, body=Body((body,)))
    return requests.record_of(requests.read(asked))


def test_what_entries_say(world: World) -> None:
    record = parsed(log_requests.encoded(document()))
    body = record.encode()
    new = IndexedEntry(identity=log.leaf_hash(body), body=body, terms=terms_of(record))
    world.sequencer.add(new)
    now = world.audit.newest()
    assert isinstance(now, Seen)
    assert isinstance(now.checkpoint, Checkpoint)
    first, last = world.audit.at([0, SIZE], now)
    assert first.record() is None
    assert last.record() == record
    assert world.problems() == []
