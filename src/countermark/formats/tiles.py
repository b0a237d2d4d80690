"""Tiles: how a log's hashes and entries lie in files, as C2SP specifies it.

C2SP tlog-tiles; specs: cosign, 2g. A tile has up to 256 hashes of one level of the tree (levels count eight at a
time), a bundle the entries under a tile of level 0. Those with fewer than 256 are partial and say so in their name;
they never change either, since a longer one has another name.
"""

from countermark.core.errors import Code, MalformedError
from countermark.core.light import Sequence
from countermark.core.value import Value

HEIGHT = 8  # levels of hashes in one tile
WIDTH = 1 << HEIGHT
HASH_BYTES = 32
TILE_BYTES = WIDTH * HASH_BYTES
ENTRY_BYTES = 0xFFFF  # the longest entry
BUNDLE_BYTES = WIDTH * (2 + ENTRY_BYTES)
CHECKPOINT = "checkpoint"
ENTRIES = -1  # in a level's place: a bundle of entries
EXTRA = -2  # the same: what lies beside the entries and is not hashed; no part of C2SP
_NAMES = {ENTRIES: "entries", EXTRA: "extra"}
_LEVELS = {name: level for level, name in _NAMES.items()}
_HIGHEST = 7  # 256^8 = 2^64
_LARGEST_INDEX = 2**56
_DIGITS = frozenset("0123456789")


class TilePlace(Value):
    """Which tile: its level (``ENTRIES`` or ``EXTRA`` for a bundle), its place in the level, how many it has."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it lies, below what serves the log."""
        kind = _NAMES.get(self.level) or str(self.level)
        part = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{kind}/{_number(self.index)}{part}"

    @property
    def whole(self) -> "TilePlace":
        """The same tile once it is full."""
        return TilePlace(level=self.level, index=self.index)

    @classmethod
    def parse(cls, path: str) -> "TilePlace":
        """Read a path.

        Raises:
            MalformedError: it is none, or written in another way than ours.
        """
        words = path.split("/")
        if len(words) < 3 or words[0] != "tile":
            raise MalformedError(f"not a tile: {path[:80]!r}")
        level = _LEVELS[words[1]] if words[1] in _LEVELS else _decimal(words[1], _HIGHEST)
        width = WIDTH
        if len(words) > 3 and words[-2].endswith(".p"):
            width = _decimal(words.pop(), WIDTH - 1)
            words[-1] = words[-1].removesuffix(".p")
        found = cls(level=level, index=_index(words[2:]), width=width)
        if not width or found.path != path:
            raise MalformedError(f"not a tile: {path[:80]!r}")
        return found


def _decimal(text: str, largest: int) -> int:
    if not text or len(text) > 3 or not _DIGITS.issuperset(text) or int(text) > largest:
        raise MalformedError(f"not a tile's number: {text[:40]!r}")
    return int(text)


def _index(groups: "list[str]") -> int:
    if len(groups) > 6:
        raise MalformedError("not a tile's number: too long")
    found = 0
    for group in groups:
        found = found * 1000 + _decimal(group.removeprefix("x"), 999)
    if found >= _LARGEST_INDEX:
        raise MalformedError("not a tile's number: too large")
    return found


def _number(index: int) -> str:
    """Write a number in groups of three digits, all but the last marked: ``x001/x234/067``."""
    found = f"{index % 1000:03}"
    while index := index // 1000:
        found = f"x{index % 1000:03}/{found}"
    return found


def width_in(level: int, index: int, size: int) -> int:
    """How many hashes or entries a tile has in a tree of some size; 0 where it is not there yet."""
    height = max(level, 0) * HEIGHT
    return max(0, min(WIDTH, (size >> height) - index * WIDTH))


def places_in(size: int) -> "list[TilePlace]":
    """The tiles and bundles at the right edge of a tree that are partial."""
    found = []
    for level in (ENTRIES, *range(_HIGHEST + 1)):
        count = size >> max(level, 0) * HEIGHT
        if count % WIDTH:
            found.append(TilePlace(level=level, index=count // WIDTH, width=count % WIDTH))
    return found


def parse_tile(content: bytes, width: int) -> "list[bytes]":
    """Read a tile of so many hashes.

    Raises:
        MalformedError: it has another length.
    """
    if len(content) != width * HASH_BYTES:
        raise MalformedError(f"not a tile of {width} hashes: {len(content)} bytes")
    return [content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES)]


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """Write a bundle of entries: the length of each in two bytes, and its bytes.

    Raises:
        MalformedError: ``too-large``: one is longer than the form allows.
    """
    for entry in entries:
        if len(entry) > ENTRY_BYTES:
            raise MalformedError(f"an entry of {len(entry)} bytes", code=Code.TOO_LARGE)
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def parse_entries(content: bytes, width: int) -> "list[bytes]":
    """Read a bundle of so many entries.

    Raises:
        MalformedError: it is cut off, or has more or fewer.
    """
    found: list[bytes] = []
    position = 0
    while position < len(content) and len(found) < width:
        length = int.from_bytes(content[position : position + 2])
        start, position = position + 2, position + 2 + length
        found.append(content[start:position])
    if position != len(content) or len(found) != width:
        raise MalformedError(f"not a bundle of {width} entries")
    return found


def cut(content: bytes, level: int, width: int) -> bytes:
    """Take the first so many of a tile or a bundle.

    Raises:
        MalformedError: it has fewer.
    """
    if level < 0:
        end = 0
        for _ in range(width):
            if end + 2 > len(content):
                raise MalformedError(f"not a bundle of {width} entries")
            end += 2 + int.from_bytes(content[end : end + 2])
    else:
        end = width * HASH_BYTES
    if end > len(content):
        raise MalformedError(f"a tile that is cut off: {len(content)} bytes")
    return content[:end]
