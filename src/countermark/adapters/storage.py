"""Private atomic files.

Files of ours are 0600 in folders 0700. A file is replaced as a whole: written beside its place, synced, renamed;
whoever reads sees the old content or the new one, and a full disk or a crash leaves the old one. Locks are advisory
(``flock``) and keep our own processes apart; programs that take no locks, as docker, still never see half a file.

A thief who can read what is stored here reads it; one who can write it replaces files at will: each store that is
built on these functions says in its own words what that wins.
"""

import errno
import os
import stat
import time

from countermark.core.errors import (
    Code,
    CountermarkError,
    MalformedError,
    StorageError,
    UnavailableError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

FILE_MODE = 0o600
FOLDER_MODE = 0o700
LOCK_SECONDS = 120.0  # the longest that we wait for another process: a publish over a slow network
_LOCK_POLL_SECONDS = 0.02
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
_ABSENT = (errno.ENOENT, errno.ENOTDIR)
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


def translated(error: OSError, what: str) -> CountermarkError:
    """Turn what the system says into ours; ``what`` begins the message, as ``cannot write /a/b``."""
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    message = f"{what}: {reason}"
    if error.errno in _NO_SPACE:
        return StorageError(message, code=Code.NO_SPACE, hint="free some space, and try again")
    if error.errno in _NOT_ALLOWED:
        return StorageError(message, code=Code.REFUSED)
    return StorageError(message)


def read(path: str, max_bytes: int, *, follow: bool = True) -> bytes | None:
    """Read a whole regular file, None where there is none; without ``follow`` a symbolic link is none.

    Raises:
        MalformedError: ``too-large``, more than max_bytes.
        StorageError: it is there and cannot be read, or is no regular file.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in _ABSENT or (error.errno == errno.ELOOP and not follow):
            return None
        raise translated(error, f"cannot read {path}") from None
    try:
        return _read_all(descriptor, path, max_bytes)
    except OSError as error:
        raise translated(error, f"cannot read {path}") from None
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, path: str, max_bytes: int) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise StorageError(f"cannot read {path}: not a regular file", code=Code.INSECURE)
    parts: list[bytes] = []
    left = max_bytes + 1
    while left > 0 and (part := os.read(descriptor, left)):
        parts.append(part)
        left -= len(part)
    if left <= 0:
        raise MalformedError(
            f"{path} is longer than {max_bytes} bytes", code=Code.TOO_LARGE, path=path
        )
    return b"".join(parts)


def write(path: str, content: bytes, *, mode: int = FILE_MODE, durable: bool = True) -> None:
    """Put a file in place, whole or not at all; missing folders are made private.

    ``durable``: it is on the disk when this returns, also after a loss of power.

    Raises:
        StorageError: ``no-space``, ``refused``, or another trouble of the disk; the old file is still there.
    """
    with Replacement(path, mode=mode, durable=durable) as new:
        new.write(content)


class Replacement:
    """A file being written beside its place: takes the place when the block ends, vanishes when it fails.

    Raises (from any step):
        StorageError: as ``write`` has it.
    """

    def __init__(self, path: str, *, mode: int = FILE_MODE, durable: bool = True) -> None:
        self.path = path
        self._mode, self._durable = mode, durable
        self._folder = os.path.dirname(path) or "."
        name = os.path.basename(path)
        # ends in .tmp, so that whoever lists *.key or *.json never takes it for one
        self._temporary = os.path.join(self._folder, f".{name[:200]}.{os.urandom(8).hex()}.tmp")
        self._descriptor = -1

    def __enter__(self) -> "Replacement":
        make_folder(self._folder)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._descriptor = os.open(self._temporary, flags, self._mode)
            os.fchmod(self._descriptor, self._mode)
        except OSError as error:
            self._discard()
            raise translated(error, f"cannot write {self.path}") from None
        return self

    def write(self, content: bytes) -> None:
        """Append some bytes."""
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise translated(error, f"cannot write {self.path}") from None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            if self._durable:
                os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            os.replace(self._temporary, self.path)
            if self._durable:
                sync_folder(self._folder)
        except OSError as error:
            self._discard()
            raise translated(error, f"cannot write {self.path}") from None

    def _discard(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        try:
            os.unlink(self._temporary)
        except OSError:
            pass  # never made, or on a disk that refuses everything now


def remove(path: str, *, durable: bool = True) -> None:
    """Remove a file; nothing happens where there is none.

    Raises:
        StorageError: it is there and cannot be removed.
    """
    try:
        os.unlink(path)
        if durable:
            sync_folder(os.path.dirname(path) or ".")
    except OSError as error:
        if error.errno not in _ABSENT:
            raise translated(error, f"cannot remove {path}") from None


def make_folder(path: str) -> None:
    """Make a private folder and those above it; what is there stays as it is.

    Raises:
        StorageError: it cannot be made, or something else is in its place.
    """
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    if above and above != path:
        make_folder(above)
    try:
        os.mkdir(path, FOLDER_MODE)
        sync_folder(above or ".")
    except FileExistsError:
        if not os.path.isdir(path):
            raise StorageError(f"cannot make folder {path}: a file is in its place") from None
    except OSError as error:
        raise translated(error, f"cannot make folder {path}") from None


def sync_folder(path: str) -> None:
    """Put a folder's entries on the disk; OSError stays one."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(descriptor)


def regular_files(folder: str, suffix: str) -> "Iterator[str]":
    """Yield the paths of all regular files below a folder whose names end so; links are not followed.

    Raises:
        StorageError: a folder is there and cannot be listed.
    """

    def fail(error: OSError) -> None:
        if error.errno not in _ABSENT:
            raise translated(error, f"cannot list {error.filename or folder}") from None

    for above, _, names in os.walk(folder, onerror=fail):
        for name in sorted(names):
            path = os.path.join(above, name)
            if name.endswith(suffix) and not os.path.islink(path) and os.path.isfile(path):
                yield path


def is_private(path: str) -> bool:
    """Say whether nobody but its owner may read or write a file or folder; what is not there is private."""
    try:
        return not os.stat(path).st_mode & 0o077
    except OSError:
        return True


class Lock:
    """Keeps other processes, and threads, of ours out while the block runs; not to be taken twice by one thread.

    Where the folder cannot be written (read-only, full disk) or the file system has no locks, the block runs without:
    nothing can be written there anyway, or not by us. The lock file stays, since removing it would let two in.

    Raises:
        UnavailableError: another process has held it for ``seconds``.
    """

    def __init__(self, path: str, seconds: float = LOCK_SECONDS) -> None:
        self._path, self._seconds = path, seconds
        self._descriptor = -1

    def __enter__(self) -> None:
        try:
            make_folder(os.path.dirname(self._path) or ".")
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self._path, flags, FILE_MODE)
        except StorageError as error:
            if error.code not in (Code.REFUSED, Code.NO_SPACE):
                raise
        except OSError as error:
            if error.errno not in _NOT_ALLOWED + _NO_SPACE:
                raise translated(error, f"cannot lock {self._path}") from None
        if self._descriptor >= 0:
            self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + self._seconds
        while not self._try():
            if time.monotonic() >= deadline:
                self._close()
                raise UnavailableError(
                    f"another process has held {self._path} for {self._seconds:g} s",
                    hint="wait for it or end it, and try again",
                )
            time.sleep(_LOCK_POLL_SECONDS)

    def _try(self) -> bool:
        try:
            import fcntl  # noqa: PLC0415 - what only reads needs no lock

            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EINTR):
                return False
            if error.errno in _NO_LOCKS:
                return True
            self._close()
            raise translated(error, f"cannot lock {self._path}") from None
        return True

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)  # closing releases
            self._descriptor = -1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        self._close()
