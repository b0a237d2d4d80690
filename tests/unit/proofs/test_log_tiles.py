"""A tree over tiles grows as RFC 6962 says, and proves from tiles what the whole tree would."""

import pytest

import merkle
from countermark.core.errors import Code, EvidenceError
from countermark.formats import tiles
from countermark.proofs import log
from countermark.proofs.log_tiles import Edge, TileTree

LEAVES = [log.leaf_hash(b"%d" % n) for n in range(66_000)]
SIZES = (1, 2, 255, 256, 257, 511, 512, 513, 1000)


class Store:
    """Tiles in memory, in which the partial ones are those of the size that was built."""

    def __init__(self, size: int) -> None:
        self.found: dict[tuple[int, int], tuple[bytes, ...]] = {}
        self.edge = Edge()
        self.reads: list[tuple[int, int]] = []
        for leaf in LEAVES[:size]:
            for full in self.edge.append(leaf):
                self.found[full.level, full.index] = full.hashes
        for level, hashes in enumerate(self.edge.partial()):
            self.found[level, (size >> 8 * level) // 256] = hashes

    def __call__(self, level: int, index: int, width: int) -> tuple[bytes, ...]:
        self.reads.append((level, index))
        hashes = self.found[level, index]
        assert len(hashes) >= width
        return hashes


LARGE = Store(66_000)


@pytest.mark.parametrize("size", SIZES)
def test_roots_and_proofs(size: int) -> None:
    store = Store(size)
    tree = TileTree(store)
    root = merkle.root(LEAVES[:size])
    assert store.edge.root() == tree.root(size) == root
    for index in {0, 1, size // 2, size - 2, size - 1} & set(range(size)):
        assert list(tree.inclusion(index, size)) == merkle.path(index, LEAVES[:size])
    for first in {1, 2, 3, 128, 255, 256, 257, size // 2, size - 1, size} & set(range(1, size + 1)):
        assert list(tree.consistency(first, size)) == merkle.proof(first, LEAVES[:size])
    assert tree.root(0) == log.EMPTY_ROOT
    assert tree.consistency(0, size) == ()


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 66_000, 300])
def test_three_levels_of_tiles_and_smaller_trees_within(size: int) -> None:
    tree = TileTree(LARGE)
    root = merkle.root(LEAVES[:size])
    assert tree.root(size) == root
    for index in (0, 255, 256, size - 1):
        log.check_inclusion(index, size, LEAVES[index], tree.inclusion(index, size), root)
    for first in (1, 255, 256, 299, size - 1):
        old = merkle.root(LEAVES[:first])
        log.check_consistency(first, size, tree.consistency(first, size), old, root)


def test_a_proof_reads_a_tile_of_each_level_and_what_is_remembered_not_again() -> None:
    LARGE.reads.clear()
    tree = TileTree(LARGE)
    tree.inclusion(1000, 65_536)
    assert sorted(set(LARGE.reads)) == [(0, 3), (1, 0)]
    LARGE.reads.clear()
    tree.inclusion(1001, 65_536)
    assert LARGE.reads == []


def test_few_tiles_are_remembered() -> None:
    tree = TileTree(LARGE)
    for index in range(0, 65_536, 256):
        tree.inclusion(index, 65_536)
    assert len(tree._known) == 128


def test_a_tree_that_grows_meanwhile() -> None:
    tree = TileTree(LARGE)
    for size in (3, 100, 101, 255, 256, 258, 600):
        root = merkle.root(LEAVES[:size])
        assert tree.root(size) == root
        log.check_inclusion(2, size, LEAVES[2], tree.inclusion(2, size), root)


def test_what_is_no_part_of_a_tree() -> None:
    tree = TileTree(LARGE)
    for index, size in ((-1, 5), (5, 5), (0, 0)):
        with pytest.raises(EvidenceError) as caught:
            tree.inclusion(index, size)
        assert caught.value.code == Code.INCLUSION
    for first, second in ((-1, 5), (6, 5)):
        with pytest.raises(EvidenceError) as caught:
            tree.consistency(first, second)
        assert caught.value.code == Code.INCLUSION


@pytest.mark.parametrize("size", [0, 1, 255, 256, 700, 65_536])
def test_an_edge_is_taken_up_again(size: int) -> None:
    store = Store(size)
    again = Edge(size, store.edge.partial())
    copy = again.copy()
    for leaf in LEAVES[size : size + 300]:
        assert [*again.append(leaf)] == [*store.edge.append(leaf)]
    assert again.root() == store.edge.root() == merkle.root(LEAVES[: size + 300])
    assert copy.root() == merkle.root(LEAVES[:size])
    assert (copy.size, again.size) == (size, size + 300)


@pytest.mark.parametrize(
    ("size", "widths"),
    [(1, [0]), (2, [1]), (256, [0]), (256, [0, 2]), (256, [1]), (0, [1]), (-1, [255])],
)
def test_an_edge_that_does_not_fit_its_size(size: int, widths: list[int]) -> None:
    with pytest.raises(EvidenceError) as caught:
        Edge(size, [LEAVES[:width] for width in widths])
    assert caught.value.code == Code.INCLUSION


def test_tiles_that_become_full_come_with_those_above() -> None:
    edge = Edge()
    full = [each for leaf in LEAVES[:65_536] for each in edge.append(leaf)]
    assert [(each.level, each.index) for each in full[-2:]] == [(0, 255), (1, 0)]
    assert len(full) == 257
    assert len(full[-1].hashes) == tiles.WIDTH
