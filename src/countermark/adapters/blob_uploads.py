"""Uploads under way: each a file that grows, so that it survives a restart.

Two requests never write to one upload at a time (a lock on its file). What came before a connection broke is kept,
and the client may go on from there; what came before the disk was full is dropped. The digest is computed while the
bytes come in; after a restart, or for another algorithm than was announced, the file is read again.
"""

import errno
import os
import uuid
from collections import OrderedDict
from datetime import UTC, datetime
from hashlib import sha256, sha512
from threading import Lock

from countermark.adapters import storage
from countermark.adapters.registry_cleaning import clean_unfinished
from countermark.adapters.registry_places import (
    NewFile,
    RegistryPlaces,
    discard,
    try_lock,
    write_all,
)
from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import Code, InputError, NotFoundError, StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from countermark.adapters.blob_store import BlobStore

_CLEANING_SECONDS = 3_600.0
_REMEMBERED = 1_000  # uploads whose hash so far is kept in memory, some 500 bytes each
_UUID_CHARS = frozenset("0123456789abcdef-")


class UploadStore:
    """Receives blobs; whoever writes in its folder can only make an upload fail. Fulfils ``HostedUploads``."""

    def __init__(
        self, root: str, blobs: "BlobStore", max_bytes: int = limits.UPLOADED_BLOB_BYTES
    ) -> None:
        """Use the folder of a registry; finished uploads go to ``blobs``, which must be of the same folder."""
        self._places = RegistryPlaces(root)
        self._blobs = blobs
        self._max_bytes = max_bytes
        self._hashes: OrderedDict[str, _RunningHash] = OrderedDict()
        self._hashes_lock = Lock()
        self._root = root
        self._cleaned = 0.0

    def begin(self, repository: str, algorithm: str = "sha256") -> str:
        """Start an upload and return its identifier, a UUID (distribution-spec, POST then PUT).

        Raises:
            StorageError: ``no-space`` or another trouble of the disk.
        """
        upload = str(uuid.uuid4())
        path = self._places.upload(repository, upload)
        storage.make_folder(self._places.uploads)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(path, flags, storage.FILE_MODE)
            made = os.fstat(descriptor).st_mtime
            os.close(descriptor)
        except OSError as error:
            raise storage.translated(error, f"cannot write {path}") from None
        self._remember(upload, _RunningHash(algorithm))
        self._clean(made)
        return upload

    def _clean(self, now: float) -> None:
        """Remove what others gave up, now and then; ``now`` is by the clock that uploads' ages are of."""
        with self._hashes_lock:
            if now - self._cleaned < _CLEANING_SECONDS:
                return
            self._cleaned = now
        try:
            clean_unfinished(self._root, datetime.fromtimestamp(now, UTC))
        except StorageError:
            pass  # of no concern to whom this upload belongs; the next cleaning will tell again

    def received(self, repository: str, upload: str) -> int:
        """How many bytes have come.

        Raises:
            NotFoundError: the repository has no such upload.
        """
        try:
            return os.stat(self._path(repository, upload)).st_size
        except FileNotFoundError:
            raise _unknown(upload) from None
        except OSError as error:
            raise storage.translated(error, f"cannot look at upload {upload}") from None

    def receive(
        self, repository: str, upload: str, parts: "Iterator[bytes]", start: int | None
    ) -> int:
        """Append a part that begins at ``start`` (None: wherever the last one ended); return the new length.

        Raises:
            NotFoundError, InputError, StorageError: as ``HostedUploads`` has it.
        """
        with self._opened(repository, upload) as file:
            self._remember(upload, file.hash)
            file.append(parts, start, self._max_bytes)
            return file.length

    def finish(
        self,
        repository: str,
        upload: str,
        parts: "Iterator[bytes]",
        start: int | None,
        digest: Digest,
    ) -> None:
        """Append the last part and put the blob into the repository, durably, if it has this digest.

        An upload that has another digest is dropped, as distribution does.

        Raises:
            NotFoundError, InputError, StorageError: as ``HostedUploads`` has it.
        """
        with self._opened(repository, upload) as file:
            if file.length == 0 and start in (None, 0):
                file.hash.reset(digest.algorithm)  # nothing lost, whatever was announced
            file.append(parts, start, self._max_bytes)
            try:
                found = file.digest(digest.algorithm)
                if found != digest:
                    discard(file.path)
                    self._forget(upload)
                    raise _other_digest(found, digest)
                os.fsync(file.descriptor)
                self._blobs.adopt(file.path, repository, digest)
            except OSError as error:
                raise storage.translated(error, f"cannot keep blob {digest}") from None
        self._forget(upload)

    def take(self, repository: str, parts: "Iterator[bytes]", digest: Digest) -> None:
        """Receive a whole blob at once; of one that breaks off, nothing is kept.

        Raises:
            InputError, StorageError: as ``HostedUploads`` has it.
        """
        running = _RunningHash(digest.algorithm)
        try:
            with NewFile(self._places) as new:
                for part in parts:
                    _check_size(running.length + len(part), self._max_bytes)
                    new.write(part)
                    running.add(part)
                if running.digest != digest:
                    raise _other_digest(running.digest, digest)
                os.fsync(new.descriptor)
                self._blobs.adopt(new.path, repository, digest)
        except OSError as error:
            raise storage.translated(error, f"cannot keep blob {digest}") from None

    def cancel(self, repository: str, upload: str) -> None:
        """Forget an upload.

        Raises:
            NotFoundError: the repository has no such upload.
            InputError: ``version-conflict``, somebody is sending it.
        """
        with self._opened(repository, upload) as file:
            discard(file.path)
        self._forget(upload)

    def _path(self, repository: str, upload: str) -> str:
        if len(upload) != 36 or not _UUID_CHARS.issuperset(upload):
            raise _unknown(upload)
        return self._places.upload(repository, upload)

    def _opened(self, repository: str, upload: str) -> "_OpenUpload":
        with self._hashes_lock:
            running = self._hashes.get(upload) or _RunningHash("sha256")
        return _OpenUpload(self._path(repository, upload), upload, running)

    def _remember(self, upload: str, running: "_RunningHash") -> None:
        with self._hashes_lock:
            self._hashes[upload] = running
            while len(self._hashes) > _REMEMBERED:
                self._hashes.popitem(last=False)

    def _forget(self, upload: str) -> None:
        with self._hashes_lock:
            self._hashes.pop(upload, None)


class _RunningHash:
    """The hash of the first ``length`` bytes of a file; changed only by who has locked that file."""

    __slots__ = ("_function", "algorithm", "length")

    def __init__(self, algorithm: str) -> None:
        self.reset(algorithm)

    def reset(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self.length = 0
        self._function = sha512() if algorithm == "sha512" else sha256()

    def add(self, content: bytes) -> None:
        self._function.update(content)
        self.length += len(content)

    def catch_up(self, descriptor: int, length: int) -> None:
        """Read on from the file until so many bytes are hashed."""
        while self.length < length:
            part = os.pread(descriptor, min(limits.BLOB_CHUNK, length - self.length), self.length)
            if not part:
                raise OSError(errno.EIO, "the file became shorter")
            self.add(part)

    @property
    def digest(self) -> Digest:
        return Digest(algorithm=self.algorithm, hex=self._function.hexdigest())


class _OpenUpload:
    """An upload's file, open and locked while the block runs."""

    def __init__(self, path: str, upload: str, running: _RunningHash) -> None:
        self.path, self.hash = path, running
        self.descriptor = -1
        self.length = 0
        self._upload = upload

    def __enter__(self) -> "_OpenUpload":
        try:
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            if not try_lock(self.descriptor):
                self._close()
                raise InputError(
                    f"another request is sending upload {self._upload}", code=Code.VERSION_CONFLICT
                )
            found = os.fstat(self.descriptor)
        except FileNotFoundError:
            raise _unknown(self._upload) from None
        except OSError as error:
            self._close()
            raise storage.translated(error, f"cannot open upload {self._upload}") from None
        if found.st_nlink == 0 or not os.path.exists(self.path):  # finished or cancelled just now
            self._close()
            raise _unknown(self._upload)
        self.length = found.st_size
        return self

    def append(self, parts: "Iterator[bytes]", start: int | None, max_bytes: int) -> None:
        """Write what comes at the end of the file.

        Raises:
            InputError: ``out-of-order``, ``too-large``, or what the parts raise.
            StorageError: ``no-space`` or another trouble of the disk; the file is as before.
        """
        if start is not None and start != self.length:
            raise InputError(
                f"the part begins at {start}, {self.length} bytes have come", code=Code.OUT_OF_ORDER
            )
        begun = self.length
        try:
            os.lseek(self.descriptor, begun, os.SEEK_SET)
            for part in parts:
                _check_size(self.length + len(part), max_bytes)
                write_all(self.descriptor, part)
                if self.hash.length == self.length:
                    self.hash.add(part)
                self.length += len(part)
        except OSError as error:
            self._cut(begun)
            raise storage.translated(error, f"cannot write upload {self._upload}") from None

    def _cut(self, length: int) -> None:
        """Give back the room of a part that did not fit."""
        if self.hash.length > length:
            self.hash.reset(self.hash.algorithm)
        try:
            os.ftruncate(self.descriptor, length)
        except OSError:
            discard(self.path)  # of unknown length now: the client starts anew
        self.length = length

    def digest(self, algorithm: str) -> Digest:
        """The digest of all that has come; OSError stays one."""
        if self.hash.algorithm != algorithm or self.hash.length > self.length:
            self.hash.reset(algorithm)
        self.hash.catch_up(self.descriptor, self.length)
        return self.hash.digest

    def _close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)  # closing releases the lock
            self.descriptor = -1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        self._close()


def _check_size(length: int, max_bytes: int) -> None:
    if length > max_bytes:
        raise InputError(f"a blob has at most {max_bytes} bytes", code=Code.TOO_LARGE)


def _unknown(upload: str) -> NotFoundError:
    return NotFoundError(f"no upload {upload[:40]!r} in this repository")


def _other_digest(found: Digest, wanted: Digest) -> InputError:
    return InputError(f"the content has digest {found}, not {wanted}", code=Code.CHECKSUM)
