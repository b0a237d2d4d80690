"""Small files of people and programs: policies, configuration, public keys, shims."""

import os

from countermark.adapters import storage
from countermark.core import limits
from countermark.core.errors import InputError


class Files:
    """Reads whole small files and replaces them atomically."""

    def read_bytes(self, path: str) -> bytes | None:
        """Read a file, None where there is none.

        Raises:
            StorageError: it is there and cannot be read. MalformedError: it is larger than any such file.
        """
        return storage.read(path, limits.POLICY_BYTES)

    def read(self, path: str) -> str | None:
        """Read a text, None where there is none."""
        content = self.read_bytes(path)
        return None if content is None else content.decode("utf-8", "replace")

    def read_large(self, path: str, max_bytes: int) -> bytes | None:
        """Read a file that may be large, None where there is none.

        Raises:
            StorageError: it is there and cannot be read. MalformedError: it is larger.
        """
        return storage.read(path, max_bytes)

    def write_private(self, path: str, content: bytes) -> None:
        """Write a file that only its owner may read."""
        storage.write(path, content)

    def write_public(self, path: str, content: bytes) -> None:
        """Write a file that everybody may read."""
        storage.write(path, content, mode=0o644)

    def write_executable(self, path: str, text: str) -> None:
        """Write a script that everybody may run."""
        storage.write(path, text.encode(), mode=0o755)

    def write_result(self, path: str, content: bytes) -> None:
        """Write a private file where a person wants it: no folder is made, links are followed, devices written to.

        Raises:
            InputError: as ``check_result``. StorageError: it cannot be written.
        """
        self.check_result(path)
        if not os.path.exists(path) or os.path.isfile(path):
            storage.write(os.path.realpath(path), content)
            return
        try:
            with open(path, "wb") as file:
                file.write(content)
        except OSError as error:
            raise storage.translated(error, f"cannot write {path}") from None

    def check_result(self, path: str) -> None:
        """Look whether a file could be written there, before anything is done whose result would be lost.

        Raises:
            InputError: its folder is not there, a folder has its name, or we may not write there.
        """
        if os.path.isdir(path):
            raise InputError(f"open {path}: is a directory")
        folder = os.path.dirname(os.path.realpath(path))
        if not os.path.isdir(folder):
            raise InputError(f"open {path}: no such file or directory")
        if not os.access(path if os.path.exists(path) else folder, os.W_OK):
            raise InputError(f"open {path}: permission denied")

    def remove(self, path: str) -> None:
        """Remove a file."""
        storage.remove(path)

    def exists(self, path: str) -> bool:
        """Say whether something has this name."""
        return os.path.lexists(path)

    def is_folder(self, path: str) -> bool:
        """Say whether this is a folder."""
        return os.path.isdir(path)

    def is_private(self, path: str) -> bool:
        """Say whether nobody but its owner may read or write it."""
        return storage.is_private(path)
