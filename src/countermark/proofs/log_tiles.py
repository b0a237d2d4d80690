"""A log's tree over its tiles: grown at its right edge, proofs read from tiles, never the whole of it in memory.

RFC 6962, 2.1, for the shape of the tree and its proofs; C2SP tlog-tiles for which of its hashes lie in tiles:
those of every eighth level, so that what is between is hashed again from the tile below it.
"""

from itertools import pairwise

from countermark.core.errors import Code, EvidenceError
from countermark.core.light import Callable, Sequence
from countermark.core.value import Value
from countermark.formats import tiles
from countermark.proofs.log import EMPTY_ROOT, node_hash

# Level and index of a tile, and how many of its hashes are needed: that many or more, in order.
ReadTile = Callable[[int, int, int], Sequence[bytes]]

_REMEMBERED = 128  # tiles whose hashes and those between are kept: 5 MiB


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
        self._full_subtrees: list[
            bytes
        ] = []  # the largest first: a one in the size's binary for each
        count = size
        for hashes in self._levels:
            if len(hashes) != count % tiles.WIDTH:
                raise EvidenceError("partial tiles do not fit the tree's size", code=Code.INCLUSION)
            count //= tiles.WIDTH
            self._full_subtrees[:0] = _full_subtrees(hashes)
        if count:
            raise EvidenceError("partial tiles do not fit the tree's size", code=Code.INCLUSION)

    def copy(self) -> "Edge":
        """Another that grows by itself."""
        other = Edge()
        other.size = self.size
        other._levels = [list(hashes) for hashes in self._levels]
        other._full_subtrees = list(self._full_subtrees)
        return other

    def append(self, leaf: bytes) -> "list[FullTile]":
        """Add a leaf hash; return the tiles that are full now, the lowest first."""
        full: list[FullTile] = []
        self._levels[0].append(leaf)
        height, node = 0, leaf
        while self.size >> height & 1:  # a full subtree of this height stands to its left
            node = node_hash(self._full_subtrees.pop(), node)
            height += 1
            if height % tiles.HEIGHT == 0:
                full.append(self._filled(height // tiles.HEIGHT - 1, node))
        self._full_subtrees.append(node)
        self.size += 1
        return full

    def _filled(self, level: int, node: bytes) -> FullTile:
        """Empty a level whose tile is full; the hash over it goes into the level above."""
        hashes = tuple(self._levels[level])
        self._levels[level].clear()
        if level + 1 == len(self._levels):
            self._levels.append([])
        self._levels[level + 1].append(node)
        index = self.size >> ((level + 1) * tiles.HEIGHT)
        return FullTile(level=level, index=index, hashes=hashes)

    def partial(self) -> "list[tuple[bytes, ...]]":
        """The partial tiles, that of level 0 first; one may be empty."""
        return [tuple(hashes) for hashes in self._levels]

    def tile(self, level: int, index: int) -> Sequence[bytes] | None:
        """The hashes of a partial tile; None where that tile is not at the edge."""
        if level >= len(self._levels) or index != self.size >> (level + 1) * tiles.HEIGHT:
            return None
        return self._levels[level]

    def root(self) -> bytes:
        """The hash over the whole tree."""
        if not self._full_subtrees:
            return EMPTY_ROOT
        *left, root = self._full_subtrees
        for each in reversed(left):
            root = node_hash(each, root)
        return root


def _full_subtrees(hashes: Sequence[bytes]) -> list[bytes]:
    """The full subtrees over the hashes of a partial tile, the largest first."""
    found: list[bytes] = []
    for count, each in enumerate(hashes):
        node = each
        while count & 1:
            node = node_hash(found.pop(), node)
            count >>= 1  # noqa: PLW2901 - counts down in binary
        found.append(node)
    return found


class TileTree:
    """A tree that lies in tiles. Asks for them as they are needed, and remembers what it hashed."""

    def __init__(self, read: ReadTile) -> None:
        self._read = read
        self._known: dict[tuple[int, int], list[list[bytes]]] = {}

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
        place = index & ((1 << per_tile) - 1)
        rows = self._rows(tile_level, index >> per_tile, size)
        return rows[inner][place]

    def _rows(self, level: int, index: int, size: int) -> list[list[bytes]]:
        """The hashes of a tile, those over pairs of them, and so on up; as many as are full."""
        width = tiles.width_in(level, index, size)
        rows = self._known.get((level, index))
        if rows is None:
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            rows = self._known[level, index] = [[] for _ in range(tiles.HEIGHT)]
        if len(rows[0]) < width:
            _extend(rows, self._read(level, index, width)[len(rows[0]) : width])
        return rows


def _extend(rows: list[list[bytes]], hashes: Sequence[bytes]) -> None:
    added: Sequence[bytes] = hashes
    for row, above in pairwise(rows):
        row.extend(added)
        start = 2 * len(above)
        added = [node_hash(row[at], row[at + 1]) for at in range(start, len(row) - 1, 2)]
    rows[-1].extend(added)


def _split(count: int) -> int:
    """The largest power of two that is smaller (RFC 6962, 2.1: k)."""
    return 1 << (count - 1).bit_length() - 1
