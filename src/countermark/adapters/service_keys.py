"""The private keys of a Sigstore that we host: sealed files in a folder.

Each is sealed (``proofs/sealing.py``) under a master key that lies elsewhere, for its own name. A thief of the folder
alone wins nothing; one of the master key too is every service: he certifies anybody, rewrites the log's newest part,
stamps any time, and hands out another trusted root. Whoever can only write the folder can lose keys, but put none in.
"""

import os
import re
from collections.abc import Sequence

from countermark.adapters import master_key, storage
from countermark.core import limits
from countermark.core.errors import Code, InputError, KeyAccessError
from countermark.proofs import sealing

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?")
_SUFFIX = ".key"


class SealedFiles:
    """Private keys in a folder (port ``ServiceKeys``).

    Args:
        folder: where they lie, one file each.
        master_path: the master key's file.
        make: whether to make that file (0600) if it is missing; never where keys are sealed already.

    Raises:
        StorageError: the master key's file is missing, or a file cannot be read or written.
        KeyAccessError: it holds no master key, or not the one that the keys were sealed with.
    """

    def __init__(self, folder: str, master_path: str, *, make: bool) -> None:
        self._folder = folder
        names = self.names()
        self._master = master_key.load(master_path, make=make and not names)
        for name in names:
            self.get(name)

    def names(self) -> Sequence[str]:
        """See the port."""
        start = len(self._folder) + 1
        found = (
            path[start : -len(_SUFFIX)] for path in storage.regular_files(self._folder, _SUFFIX)
        )
        return sorted(name for name in found if _NAME.fullmatch(name))

    def get(self, name: str) -> bytes | None:
        """See the port."""
        sealed = storage.read(self._path(name), limits.KEY_FILE_BYTES)
        return None if sealed is None else sealing.unseal(self._master, sealed, _context(name))

    def put(self, name: str, private: bytes) -> None:
        """See the port.

        Raises:
            KeyAccessError: ``key-exists``. StorageError: it cannot be written.
        """
        path = self._path(name)
        with storage.Lock(os.path.join(self._folder, ".lock")):
            if os.path.lexists(path):
                raise KeyAccessError(f"there is a key {name} already", code=Code.KEY_EXISTS)
            storage.write(path, sealing.seal(self._master, private, _context(name)))

    def _path(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise InputError(f"not a name for a key: {name[:80]!r}")
        return os.path.join(self._folder, name + _SUFFIX)


def _context(name: str) -> bytes:
    return f"service key\0{name}".encode()
