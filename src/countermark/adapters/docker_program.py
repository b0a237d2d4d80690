"""The real docker program, as the drop-in runs it, and the files of its builds."""

import os

from countermark.adapters import process, storage
from countermark.core import limits
from countermark.core.errors import EvidenceError, InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TRUST = "DOCKER_CONTENT_TRUST"


class DockerProgram:
    """The docker that stands behind the drop-in, with the environment that it is to see.

    Once ours has spoken, its own content trust is switched off: it would ask the same servers again, and sign twice.
    """

    def __init__(self, path: str, environment: "Mapping[str, str]") -> None:
        self._path, self._environment = path, environment

    def become(self, words: "Sequence[str]", *, trusted: bool) -> int:
        """Turn into it; this returns only by an exception. What we printed must have been flushed.

        Raises:
            NotFoundError, InputError: it cannot be run.
        """
        environment = self._without_trust() if trusted else self._environment
        process.become(self._path, ("docker", *words), environment)

    def call(
        self, words: "Sequence[str]", *, given: bytes | None = None, hidden_line: str = ""
    ) -> int:
        """Run it with its content trust off, and return its exit status.

        Raises:
            NotFoundError, InputError: it cannot be run.
        """
        return process.call(
            (self._path, *words),
            environment=self._without_trust(),
            given=given,
            hidden_line=hidden_line.encode(),
        )

    def _without_trust(self) -> "dict[str, str]":
        return {**self._environment, _TRUST: "0"}


class BuildFolder:
    """The files that a build reads, and the Dockerfile that is made for it."""

    def __init__(self, temporary_folder: str, source: int = 0) -> None:
        """Take where temporary folders are made, and the descriptor of standard input."""
        self._temporary, self._source = temporary_folder, source

    def read(self, path: str) -> bytes | None:
        """Return a file's content, None where there is none.

        Raises:
            InputError: it is longer than a Dockerfile may be. StorageError: it cannot be read.
        """
        try:
            return storage.read(path, limits.MIB)
        except EvidenceError as error:
            raise InputError(str(error)) from None

    def is_folder(self, path: str) -> bool:
        """Say whether a path is a folder."""
        return os.path.isdir(path)

    def standard_input(self) -> bytes:
        """Read standard input to its end.

        Raises:
            InputError: it is longer than a Dockerfile may be.
        """
        parts: list[bytes] = []
        left = limits.MIB + 1
        try:
            while left > 0 and (part := os.read(self._source, left)):
                parts.append(part)
                left -= len(part)
        except OSError as error:
            raise storage.translated(error, "cannot read standard input") from None
        if left <= 0:
            raise InputError(f"standard input is longer than {limits.MIB} bytes, so no Dockerfile")
        return b"".join(parts)

    def write_temporary(self, files: "Mapping[str, bytes]") -> str:
        """Write files into a new private folder, and return the folder's path.

        Raises:
            StorageError: there is no room, or no right to.
        """
        folder = os.path.join(self._temporary, f"countermark-{os.urandom(8).hex()}")
        storage.make_folder(folder)
        for name, content in files.items():
            storage.write(os.path.join(folder, name), content, durable=False)
        return folder

    def remove_temporary(self, folder: str) -> None:
        """Remove that folder with all that was written into it; what cannot be removed stays."""
        import shutil  # noqa: PLC0415 - builds only

        shutil.rmtree(folder, ignore_errors=True)
