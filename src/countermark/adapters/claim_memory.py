"""Last good claims in a private folder, for policies that say how long such an answer counts."""

import os

from countermark.adapters import storage
from countermark.core import limits
from countermark.core.errors import InputError

_HEX = frozenset("0123456789abcdef")


class FolderClaims:
    """Fulfils ClaimMemory. Who can write here can make a signer that is silent vouch, for as long as ``lastGood``."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def recall(self, name: str) -> bytes | None:
        """Return what was kept under a name, None where nothing is.

        Raises:
            StorageError: it cannot be read.
        """
        return storage.read(self._path(name), limits.CLAIM_MEMORY_BYTES, follow=False)

    def remember(self, name: str, content: bytes | None) -> None:
        """Keep a content under a name, atomically and privately; None forgets it.

        Raises:
            StorageError: it cannot be written.
        """
        if content is None:
            storage.remove(self._path(name), durable=False)
        else:
            storage.write(self._path(name), content, durable=False)

    def _path(self, name: str) -> str:
        if len(name) != 64 or not _HEX.issuperset(name):
            raise InputError(f"not the name of a claim: {name[:80]!r}")
        return os.path.join(self._folder, name)
