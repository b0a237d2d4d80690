"""Tiles: names and bytes there and back, and nothing else is taken for one."""

import pytest

from countermark.core.errors import Code, EvidenceError, MalformedError
from countermark.formats import tiles
from countermark.formats.tiles import ENTRIES, EXTRA, TilePlace


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 5, 256, "tile/0/005"),
        (1, 999, 1, "tile/1/999.p/1"),
        (0, 1000, 255, "tile/0/x001/000.p/255"),
        (7, 1_234_067, 256, "tile/7/x001/x234/067"),
        (ENTRIES, 273, 256, "tile/entries/273"),
        (ENTRIES, 1_234_067, 8, "tile/entries/x001/x234/067.p/8"),
        (EXTRA, 7, 8, "tile/extra/007.p/8"),
        (0, 2**56 - 1, 256, "tile/0/x072/x057/x594/x037/x927/935"),
    ],
)
def test_paths(level: int, index: int, width: int, path: str) -> None:
    place = TilePlace(level=level, index=index, width=width)
    assert place.path == path
    assert TilePlace.parse(path) == place
    assert place.whole.path == path.partition(".p/")[0]


@pytest.mark.parametrize(
    "path",
    [
        "", "tile", "tile/0", "tile/0/", "/tile/0/000", "tile/0/0", "tile/0/0000", "tile/8/000", "tile/00/000",
        "tile/-1/000", "tile/x/000", "tile/0/abc", "tile/0/x000", "tile/0/x000/001", "tile/0/001/001",
        "tile/0/x001", "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01",
        "tile/0/000.p/1/2", "tile/0/000/1", "tile/0/000/", "tile/0//000", "tile/data/000", "checkpoint",
        "tile/0/x072/x057/x594/x037/x927/936", "tile/0/x001/x001/x001/x001/x001/x001/001",
        "tile/0/\u0663\u0660\u0660",
        "tile/0/../000", "tile/entries/x001/.p/5", "tile/0/.p/5", "tile/0/xx01/000",
    ],
)  # fmt: skip
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(MalformedError):
        TilePlace.parse(path)


@pytest.mark.parametrize(
    ("level", "index", "size", "width"),
    [
        (0, 0, 0, 0), (0, 0, 1, 1), (0, 0, 300, 256), (0, 1, 300, 44), (0, 2, 300, 0), (1, 0, 300, 1),
        (ENTRIES, 1, 300, 44), (1, 0, 65_536, 256),
    ],
)  # fmt: skip
def test_widths(level: int, index: int, size: int, width: int) -> None:
    assert tiles.width_in(level, index, size) == width


def test_the_right_edge() -> None:
    assert tiles.places_in(0) == []
    assert [each.path for each in tiles.places_in(256)] == ["tile/1/000.p/1"]
    assert [each.path for each in tiles.places_in(70_000)] == [
        "tile/entries/273.p/112", "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "entries", [[], [b""], [b"a"], [b"a", b"", b"bc"], [b"x" * 65_535] * 2, [b"e"] * 256]
)
def test_bundles(entries: list[bytes]) -> None:
    content = tiles.encode_entries(entries)
    assert tiles.parse_entries(content, len(entries)) == entries
    for width in range(len(entries)):
        assert tiles.parse_entries(tiles.cut(content, ENTRIES, width), width) == entries[:width]
    for wrong in (len(entries) + 1, len(entries) - 1):
        with pytest.raises(MalformedError):
            tiles.parse_entries(content, wrong)


def test_an_entry_that_is_too_long() -> None:
    with pytest.raises(EvidenceError) as caught:
        tiles.encode_entries([b"x" * 65_536])
    assert caught.value.code == Code.TOO_LARGE


@pytest.mark.parametrize("content", [b"\0", b"\0\1", b"\0\2a", b"\0\1a\0", b"\0\1ab"])
def test_bundles_that_are_cut_off(content: bytes) -> None:
    with pytest.raises(MalformedError):
        tiles.parse_entries(content, 1)


@pytest.mark.parametrize("content", [b"", b"\0", b"\0\2a"])
def test_nothing_is_cut_from_what_has_less(content: bytes) -> None:
    with pytest.raises(MalformedError):
        tiles.cut(content, ENTRIES, 1)


def test_tiles_of_hashes() -> None:
    hashes = [bytes([n]) * 32 for n in range(5)]
    assert tiles.parse_tile(b"".join(hashes), 5) == hashes
    assert tiles.parse_tile(tiles.cut(b"".join(hashes), 0, 3), 3) == hashes[:3]
    for width in (4, 6):
        with pytest.raises(MalformedError):
            tiles.parse_tile(b"".join(hashes), width)
    with pytest.raises(MalformedError):
        tiles.cut(b"".join(hashes), 0, 6)
