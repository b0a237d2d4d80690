"""A log's files as those read them who look for something: a partial tile may have become a full one meanwhile.

C2SP tlog-tiles: a log may drop partial tiles once the full one is there, whose beginning they are.
"""

from collections.abc import Callable, Iterator

from countermark.core import limits
from countermark.core.errors import EvidenceError, MalformedError, NotFoundError
from countermark.core.ports_sigstore import TileReader
from countermark.formats import tiles
from countermark.formats.tiles import CHECKPOINT, ENTRIES, EXTRA, TilePlace


class LogFiles:
    """A log's files behind a reader."""

    def __init__(self, reader: TileReader) -> None:
        """Take what reads them."""
        self._reader = reader

    def checkpoint(self) -> str | None:
        """The newest checkpoint, as it stands; None where there is none.

        Raises:
            MalformedError: it is no text. What the reader raises.
        """
        content = self._reader.read(CHECKPOINT, limits.NOTE_BYTES)
        try:
            return None if content is None else content.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError("the log's checkpoint is no text") from None

    def tile(self, place: TilePlace) -> bytes | None:
        """A tile or a bundle, cut from the full one where that has taken its place; None where there is none.

        Raises:
            MalformedError: what is there is none. What the reader raises.
        """
        most = tiles.BUNDLE_BYTES if place.level < 0 else tiles.TILE_BYTES
        content = self._reader.read(place.path, most)
        if content is not None or place.width == tiles.WIDTH:
            return content
        content = self._reader.read(place.whole.path, most)
        return None if content is None else tiles.cut(content, place.level, place.width)

    def hashes(self, level: int, index: int, width: int) -> list[bytes]:
        """The hashes of a tile that must be there.

        Raises:
            NotFoundError: it is not. MalformedError: it is none of this width.
        """
        place = TilePlace(level=level, index=index, width=width)
        return self._demand(place, tiles.parse_tile)

    def bundle(self, index: int, width: int) -> list[bytes]:
        """The entries of a bundle that must be there.

        Raises:
            NotFoundError: it is not. MalformedError: it is none of this width.
        """
        place = TilePlace(level=ENTRIES, index=index, width=width)
        return self._demand(place, tiles.parse_entries)

    def extras(self, index: int, width: int) -> list[bytes]:
        """What lies beside the entries of a bundle, nothing where the log has nothing beside them.

        Raises:
            MalformedError: what is there is none of this width.
        """
        content = self.tile(TilePlace(level=EXTRA, index=index, width=width))
        return [b""] * width if content is None else tiles.parse_entries(content, width)

    def entries(self, start: int, end: int, size: int) -> Iterator[bytes]:
        """Yield the entries from one place until before another, in a log of some size.

        Raises:
            NotFoundError, MalformedError: as ``bundle``.
        """
        for index in range(start // tiles.WIDTH, -(-end // tiles.WIDTH)):
            first = index * tiles.WIDTH
            width = tiles.width_in(ENTRIES, index, size)
            yield from self.bundle(index, width)[max(0, start - first) : end - first]

    def _demand(self, place: TilePlace, parse: Callable[[bytes, int], list[bytes]]) -> list[bytes]:
        try:
            content = self.tile(place)
            if content is not None:
                return parse(content, place.width)
        except EvidenceError as error:
            raise MalformedError(f"{place.path}: {error}", path=place.path) from None
        raise NotFoundError(f"the log has no {place.path}")
