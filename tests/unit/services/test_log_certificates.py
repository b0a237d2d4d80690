"""A certificate log's entries in a log of ours: kept once, shown as they are, proven from tiles as from memory."""

from collections.abc import Callable

import pytest

from countermark.core.errors import Code, EvidenceError, InputError, StorageError
from countermark.core.ports_sigstore import LoggedCertificate
from countermark.proofs import log
from countermark.services.certificate_tree import CertificateTree
from countermark.services.log_certificates import LoggedCertificates
from logs import MemoryIndex, MemoryTiles, sequencer

SIZE = 300


def certificate(number: int, time: int = 0) -> LoggedCertificate:
    return LoggedCertificate(leaf=b"leaf %d at %d" % (number, time), extra=b"above %d" % number)


def identity(number: int) -> bytes:
    return b"%032d" % number


class World:
    def __init__(self, size: int) -> None:
        self.index, self.store = MemoryIndex(), MemoryTiles()
        self.entries = LoggedCertificates(sequencer(self.index, self.store), self.index, self.store)
        for number in range(size):
            assert self.entries.add(identity(number), certificate(number)) == certificate(number)


@pytest.fixture(scope="module")
def world() -> World:
    return World(SIZE)


def test_an_empty_one() -> None:
    entries = World(0).entries
    assert (entries.size(), list(entries.range(0, 5))) == (0, [])
    assert entries.head() == (0, log.EMPTY_ROOT)


def test_entries_are_shown_as_they_were_given(world: World) -> None:
    entries = world.entries
    assert entries.size() == SIZE
    for start, end in ((0, SIZE), (0, 1), (255, 257), (256, 256), (299, 400), (300, 301), (10, 5)):
        expected = [certificate(n) for n in range(start, min(end, SIZE))]
        assert list(entries.range(start, end)) == expected


@pytest.mark.parametrize("number", [0, 255, 256, 299])
def test_what_was_sent_before_is_the_one_that_is_there(number: int, world: World) -> None:
    assert world.entries.add(identity(number), certificate(number, 7)) == certificate(number)
    assert world.entries.size() == SIZE


def test_proofs_from_tiles_are_those_of_the_tree_in_memory(world: World) -> None:
    entries = world.entries
    memory = CertificateTree(entries)
    assert memory.head() == entries.head()
    for size in (1, 2, 255, 256, 257, SIZE):
        for first in (0, 1, size // 2, size):
            assert tuple(memory.consistency(first, size)) == tuple(entries.consistency(first, size))
        for place in (0, size // 2, size - 1):
            assert tuple(memory.inclusion(place, size)) == tuple(entries.inclusion(place, size))
            leaf = log.leaf_hash(certificate(place).leaf)
            assert entries.proof_of(leaf, size) == (place, entries.inclusion(place, size))


def test_what_cannot_be_proven(world: World) -> None:
    entries = world.entries
    leaf = log.leaf_hash(certificate(200).leaf)
    asks: list[Callable[[], object]] = [
        lambda: entries.consistency(1, SIZE + 1),
        lambda: entries.inclusion(0, SIZE + 1),
        lambda: entries.proof_of(leaf, SIZE + 1),
        lambda: entries.proof_of(leaf, 200),
        lambda: entries.proof_of(bytes(32), SIZE),
    ]
    for ask in asks:
        with pytest.raises(InputError):
            ask()
    wrongs: list[Callable[[], object]] = [
        lambda: entries.consistency(5, 4),
        lambda: entries.inclusion(4, 4),
    ]
    for wrong in wrongs:
        with pytest.raises(EvidenceError) as caught:
            wrong()
        assert caught.value.code == Code.INCLUSION


def test_what_is_too_large_or_cannot_be_kept() -> None:
    world = World(1)
    for content in ((b"x" * 65_536, b""), (b"", b"x" * 65_536)):
        entry = LoggedCertificate(leaf=content[0], extra=content[1])
        with pytest.raises(EvidenceError):
            world.entries.add(identity(7), entry)
    world.index.fail_before = StorageError("full", code=Code.NO_SPACE)
    with pytest.raises(StorageError):
        world.entries.add(identity(7), certificate(7))
    assert world.entries.size() == 1
