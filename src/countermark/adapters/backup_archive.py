"""Backups as tar files: a head, files and hard links, and at the end the SHA-256 of each.

The file is private, and in place whole or not at all. Whoever reads it reads what is in it; whoever writes it chooses
what is restored: sums find what is cut off or damaged, not forgery.
"""

import os
import tarfile
from contextlib import suppress
from hashlib import sha256
from io import BytesIO

from countermark.adapters import storage
from countermark.core import limits
from countermark.core.errors import Code, MalformedError, StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import IO, Any

HEAD = "countermark-backup.json"
_SUMS = "SHA256SUMS"
_FILES = "files/"
_SUMS_BYTES = 1024 * limits.MIB  # some 10 million files
_PIECE = 1024 * 1024


class _Hashed:
    """A file that is hashed while it is read."""

    def __init__(self, file: "IO[bytes]") -> None:
        self._file, self.hash = file, sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self.hash.update(piece)
        return piece


class BackupWriter:
    """Writes a backup; it takes its place when the block ends, and vanishes when that fails.

    Raises (from any step):
        StorageError: a file cannot be read, or the backup not be written.
    """

    def __init__(self, path: str, head: bytes) -> None:
        self._new = storage.Replacement(path)
        self._head = head
        self._sums: dict[str, str] = {}
        self._names: dict[tuple[int, int], str] = {}  # of files with several names
        self.bytes = 0

    def __enter__(self) -> "BackupWriter":
        self._new.__enter__()
        target: Any = self._new  # tarfile only writes to it
        self._tar = tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT)
        self._plain(HEAD, self._head)
        return self

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        value: "BaseException | None",
        trace: "TracebackType | None",
    ) -> None:
        try:
            if kind is None:
                lines = "".join(f"{digest}  {name}\n" for name, digest in self._sums.items())
                self._plain(_SUMS, lines.encode())
                self._tar.close()
            else:
                with suppress(StorageError):  # as the disk that is full
                    self._tar.close()
        except BaseException as error:
            self._new.__exit__(type(error), error, error.__traceback__)
            raise
        self._new.__exit__(kind, value, trace)

    def __contains__(self, name: str) -> bool:
        return name in self._sums

    def __len__(self) -> int:
        return len(self._sums)

    def _plain(self, name: str, content: bytes, mode: int = storage.FILE_MODE) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), mode
        self._tar.addfile(info, BytesIO(content))

    def add(self, name: str, content: bytes, mode: int = storage.FILE_MODE) -> None:
        """Add a file of this content."""
        self._plain(_FILES + name, content, mode)
        self._sums[name] = sha256(content).hexdigest()
        self.bytes += len(content)

    def add_file(self, name: str, path: str) -> bool:
        """Add a file as it is; say whether it was still there."""
        try:
            with open(path, "rb", opener=_no_links) as file:
                self._add_open(name, file)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise storage.translated(error, f"cannot back up {path}") from None
        return True

    def _add_open(self, name: str, file: "IO[bytes]") -> None:
        status = os.fstat(file.fileno())
        info = tarfile.TarInfo(_FILES + name)
        info.mode, info.mtime = status.st_mode & 0o777, int(status.st_mtime)
        same = status.st_dev, status.st_ino
        known = self._names.get(same) if status.st_nlink > 1 else None
        if known is not None:
            info.type, info.linkname = tarfile.LNKTYPE, _FILES + known
            self._tar.addfile(info)
            self._sums[name] = self._sums[known]
            return
        info.size = status.st_size
        hashed = _Hashed(file)
        self._tar.addfile(info, hashed)
        self._sums[name] = hashed.hash.hexdigest()
        self._names[same] = name
        self.bytes += status.st_size


def _no_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)


def unpack(path: str, folder: str) -> bytes:
    """Put a backup's files into a new folder, all checked; return the head.

    Raises:
        MalformedError: it is no backup of ours, is cut off, or damaged. StorageError: it cannot be read, or a file
            not be written.
    """
    sums: dict[str, str] = {}
    try:
        with open(path, "rb") as file, tarfile.open(fileobj=file, mode="r|") as archive:
            head = _content(archive, archive.next(), HEAD, limits.POLICY_BYTES)
            while (info := archive.next()) is not None and info.name != _SUMS:
                name = _name(info.name)
                if name in sums:
                    raise MalformedError(f"a backup with {name[:200]!r} twice")
                sums[name] = _unpacked(archive, info, folder, name, sums)
            told = _content(archive, info, _SUMS, _SUMS_BYTES)
    except tarfile.TarError as error:
        raise MalformedError(f"{path} is no backup, or is cut off: {error}") from None
    except OSError as error:
        raise storage.translated(error, f"cannot restore {path}") from None
    lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    if lines.encode() != told:
        raise MalformedError(f"{path} is damaged", code=Code.CHECKSUM)
    return head


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo | None, name: str, most: int) -> bytes:
    if info is None or info.name != name or not info.isreg():
        raise MalformedError(f"no backup of ours, or cut off: {name} is missing")
    if info.size > most:
        raise MalformedError(f"{name} is too long", code=Code.TOO_LARGE)
    file = archive.extractfile(info)
    content = b"" if file is None else file.read()
    if len(content) != info.size:
        raise MalformedError("a backup that is cut off")
    return content


def _name(member: str) -> str:
    """The place of a file in the folder, which it does not leave.

    Raises:
        MalformedError: it would.
    """
    name = member.removeprefix(_FILES)
    parts = name.split("/")
    if not member.startswith(_FILES) or any(part in ("", ".", "..") for part in parts):
        raise MalformedError(f"not a place in a backup: {member[:200]!r}")
    return name


def _unpacked(
    archive: tarfile.TarFile,
    info: tarfile.TarInfo,
    folder: str,
    name: str,
    sums: dict[str, str],
) -> str:
    path = os.path.join(folder, name)
    storage.make_folder(os.path.dirname(path))
    if info.islnk():
        other = _name(info.linkname)
        if other not in sums:
            raise MalformedError(f"a backup's link to nothing: {other[:200]!r}")
        _linked(os.path.join(folder, other), path)
        return sums[other]
    source = archive.extractfile(info) if info.isreg() else None
    if source is None:
        raise MalformedError(f"neither file nor hard link in a backup: {name[:200]!r}")
    digest, size = sha256(), 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as target:
        while piece := source.read(_PIECE):
            digest.update(piece)
            size += target.write(piece)
        os.fchmod(descriptor, info.mode & 0o644 | 0o600)
        os.utime(descriptor, (info.mtime, info.mtime))
        target.flush()
        os.fsync(descriptor)
    if size != info.size:
        raise MalformedError("a backup that is cut off")
    return digest.hexdigest()


def _linked(source: str, path: str) -> None:
    """Give a file another name, or a copy where the file system has no hard links."""
    try:
        os.link(source, path)
    except OSError:
        content = storage.read(source, 1 << 62)
        if content is None:
            raise StorageError(f"cannot restore {path}: {source} is gone") from None
        storage.write(path, content)
