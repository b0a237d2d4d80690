"""A log's tiles as files in a folder, which any web server could hand out.

Whoever can read here reads a public log. Whoever can write breaks it so that everybody sees it: proofs fail.
"""

import os
import shutil

from countermark.adapters import storage
from countermark.formats import tiles
from countermark.formats.tiles import TilePlace

_MODE = 0o644


class TileFolder:
    """The files of one log (port ``TileStore``)."""

    def __init__(self, folder: str) -> None:
        """Take the folder; it is made, for ourselves alone, once something is written."""
        self._folder = folder

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """See the port."""
        return storage.read(self._path(path), max_bytes)

    def write(self, path: str, content: bytes, *, durable: bool = True) -> None:
        """See the port."""
        storage.write(self._path(path), content, mode=_MODE, durable=durable)

    def remove_partial(self, path: str) -> None:
        """See the port."""
        folder = f"{self._path(path)}.p"
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise storage.translated(error, f"cannot remove {folder}") from None

    def _path(self, path: str) -> str:
        """Where a file lies; a path that is not of a log's file never gets below the folder, nor out of it.

        Raises:
            MalformedError: it is not.
        """
        if path != tiles.CHECKPOINT:
            TilePlace.parse(path)
        return os.path.join(self._folder, path)
