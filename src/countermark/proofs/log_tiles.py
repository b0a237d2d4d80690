"""A log's tree over its tiles: grown at its right edge, proofs read from tiles, never the whole of it in memory.

RFC 6962, 2.1, for the shape of the tree and its proofs; C2SP tlog-tiles for which of its hashes lie in tiles:
those of every eighth level, so that what is between is hashed again from the tile below it.
"""

from countermark.core.errors import Code, EvidenceError
from countermark.core.light import Callable, Sequence
from countermark.core.value import Value
from countermark.formats import tiles
from countermark.proofs.log import EMPTY_ROOT, node_hash

# Level and index of a tile, and how many of its hashes are needed: that many or more, in order.
ReadTile = Callable[[int, int, int], Sequence[bytes]]

_REMEMBERED = 128  # full tiles of which the hashes between are kept: 4 MiB
_NODES = 2 * tiles.WIDTH - 1


class FullTile(Value):
    """A tile that has become full."""

    level: int
    index: int
    hashes: tuple[bytes, ...]


class Edge:
    """The right edge of a tree: the partial tile of each level. Grows by leaf hashes; gives what becomes full."""

    def __init__(self, size: int = 0, partial: Sequence[Sequence[bytes]] = ()) -> None:
        """Take a tree of some size by its partial tiles, that of level 0 first; absent ones are empty.

        Raises:
            EvidenceError: ``inclusion``, they do not have as many hashes as such a tree's.
        """
        self.size = size
        self._levels = [list(hashes) for hashes in partial] or [[]]
        count = size
        for hashes in self._levels:
            if len(hashes) != count % tiles.WIDTH:
                raise EvidenceError("partial tiles do not fit the tree's size", code=Code.INCLUSION)
            count //= tiles.WIDTH
        if count:
            raise EvidenceError("partial tiles do not fit the tree's size", code=Code.INCLUSION)

    def copy(self) -> "Edge":
        """Another that grows by itself."""
        return Edge(self.size, self._levels)

    def append(self, leaf: bytes) -> "list[FullTile]":
        """Add a leaf hash; return the tiles that are full now, the lowest first."""
        full: list[FullTile] = []
        level, added = 0, leaf
        while True:
            if level == len(self._levels):
                self._levels.append([])
            hashes = self._levels[level]
            hashes.append(added)
            if len(hashes) < tiles.WIDTH:
                self.size += 1
                return full
            index = (self.size >> (level * tiles.HEIGHT)) // tiles.WIDTH
            full.append(FullTile(level=level, index=index, hashes=tuple(hashes)))
            added = subtree(hashes)
            hashes.clear()
            level += 1

    def partial(self) -> "list[tuple[bytes, ...]]":
        """The partial tiles, that of level 0 first; one may be empty."""
        return [tuple(hashes) for hashes in self._levels]

    def root(self) -> bytes:
        """The hash over the whole tree."""
        root = b""
        for hashes in self._levels:
            end = len(hashes)
            while end:
                width = end & -end
                left = subtree(hashes[end - width : end])
                root = node_hash(left, root) if root else left
                end -= width
        return root or EMPTY_ROOT


def subtree(hashes: Sequence[bytes]) -> bytes:
    """Hash together what is the bottom of a full subtree: a power of two of hashes."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


class TileTree:
    """A tree that lies in tiles. Asks for tiles as they are needed, and remembers what it hashed of full ones."""

    def __init__(self, read: ReadTile) -> None:
        self._read = read
        self._nodes: dict[tuple[int, int], list[bytes]] = {}

    def root(self, size: int) -> bytes:
        """The hash over a tree's first entries."""
        return self._range(0, size, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """Prove that an entry is in a tree (RFC 6962, 2.1.1).

        Raises:
            EvidenceError: ``inclusion``, it is not. What reading tiles raises.
        """
        if not 0 <= index < size:
            raise EvidenceError(f"index is beyond size: {index} >= {size}", code=Code.INCLUSION)
        found = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                found.append(self._range(middle, end, size))
                end = middle
            else:
                found.append(self._range(start, middle, size))
                start = middle
        return tuple(reversed(found))

    def consistency(self, first: int, second: int) -> tuple[bytes, ...]:
        """Prove that a tree begins with a smaller one (RFC 6962, 2.1.2); nothing is to be proven of an empty one.

        Raises:
            EvidenceError: ``inclusion``, it is not smaller. What reading tiles raises.
        """
        if not 0 <= first <= second:
            raise EvidenceError(
                f"no tree of {second} entries grew from one of {first}", code=Code.INCLUSION
            )
        if first in (0, second):
            return ()
        found = []
        start, end = 0, second
        while first != end:
            middle = start + _split(end - start)
            if first <= middle:
                found.append(self._range(middle, end, second))
                end = middle
            else:
                found.append(self._range(start, middle, second))
                start = middle
        if start:  # else whoever checks has it: it is the smaller tree's root
            found.append(self._range(start, end, second))
        return tuple(reversed(found))

    def _range(self, start: int, end: int, size: int) -> bytes:
        """Hash what is between two places, of which the first is a multiple of the power of two that covers all."""
        if end - start == 1 << (end - start).bit_length() - 1:
            level = (end - start).bit_length() - 1
            return self._node(level, start >> level, size)
        middle = start + _split(end - start)
        return node_hash(self._range(start, middle, size), self._range(middle, end, size))

    def _node(self, level: int, index: int, size: int) -> bytes:
        """The hash of a full subtree of 2^level entries."""
        tile_level, inner = divmod(level, tiles.HEIGHT)
        per_tile = tiles.HEIGHT - inner  # as a power of two
        tile_index, place = index >> per_tile, index & ((1 << per_tile) - 1)
        nodes = self._nodes.get((tile_level, tile_index))
        if nodes is None:
            width = tiles.width_in(tile_level, tile_index, size)
            hashes = self._read(tile_level, tile_index, width)
            if width < tiles.WIDTH:
                return subtree(hashes[place << inner : (place + 1) << inner])
            nodes = self._remember(tile_level, tile_index, hashes)
        # row after row, the lowest first: 256, 128, 64, ...
        return nodes[2 * tiles.WIDTH - (2 * tiles.WIDTH >> inner) + place]

    def _remember(self, level: int, index: int, hashes: Sequence[bytes]) -> list[bytes]:
        nodes = list(hashes[: tiles.WIDTH])
        for at in range(0, _NODES - 1, 2):
            nodes.append(node_hash(nodes[at], nodes[at + 1]))
        if len(self._nodes) >= _REMEMBERED:
            del self._nodes[next(iter(self._nodes))]
        self._nodes[level, index] = nodes
        return nodes


def _split(count: int) -> int:
    """The largest power of two that is smaller (RFC 6962, 2.1: k)."""
    return 1 << (count - 1).bit_length() - 1
