"""A TUF repository's files in a folder.

All of them are public, and believed for their signatures alone: a thief of the folder wins nothing, and who can write
it breaks clients or keeps newer files from them, no more.
"""

import os
import re

from countermark.adapters import storage
from countermark.core import limits
from countermark.core.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_NAME = re.compile(r"(targets/)?[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


class TufFolder:
    """The files of a repository that we hand out (port ``TufFiles``)."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes | None:
        """See the port."""
        return storage.read(self._path(name), limits.TUF_FILE_BYTES, follow=False)

    def write(self, name: str, content: bytes) -> None:
        """See the port."""
        storage.write(self._path(name), content)

    def locked(self) -> "AbstractContextManager[None]":
        """See the port."""
        return storage.Lock(os.path.join(self._folder, ".lock"))

    def _path(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise InputError(f"not a file of a TUF repository: {name[:80]!r}")
        return os.path.join(self._folder, name)
