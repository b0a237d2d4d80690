"""Where everything lies in the folder of a registry, and how a file gets there whole.

    pool/sha256/ab/abcd...                              blobs, by the name that repositories share
    repositories/team/app/_blobs/sha256/abcd...         blobs, by the name that makes them readable there
    repositories/team/app/_manifests/sha256/1234...     a line with the media type, then the manifest
    repositories/team/app/_tags/latest                  a digest
    repositories/team/app/_referrers/sha256-12../sha256-56..   the descriptor of a manifest that names a subject
    uploads/UUID.HASH                                   what has come of a blob; HASH is of the repository's name
    temporary/...                                       files being written

A component of a repository's name never begins with ``_`` (distribution-spec, pulling manifests), so our own folders
never meet a repository's. A file is written in ``temporary``, synced, and renamed to its place; its writer holds a
lock on it, so that what a crash left behind can be told from what is still being written.
"""

import errno
import fcntl
import os
from hashlib import sha256

from countermark.adapters import storage
from countermark.core.digest import Digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

ALGORITHMS = ("sha256", "sha512")


class RegistryPlaces:
    """Paths in the folder of a registry."""

    __slots__ = ("pool", "repositories", "temporary", "uploads")

    def __init__(self, root: str) -> None:
        self.pool = os.path.join(root, "pool")
        self.repositories = os.path.join(root, "repositories")
        self.temporary = os.path.join(root, "temporary")
        self.uploads = os.path.join(root, "uploads")

    def repository(self, name: str, *rest: str) -> str:
        """A place in a repository's folder."""
        return os.path.join(self.repositories, name, *rest)

    def blob(self, name: str, digest: Digest) -> str:
        """A repository's name of a blob."""
        return self.repository(name, "_blobs", digest.algorithm, digest.hex)

    def pooled(self, digest: Digest) -> str:
        """The pool's name of a blob."""
        return os.path.join(self.pool, digest.algorithm, digest.hex[:2], digest.hex)

    def manifest(self, name: str, digest: Digest) -> str:
        """A manifest."""
        return self.repository(name, "_manifests", digest.algorithm, digest.hex)

    def tag(self, name: str, tag: str) -> str:
        """A tag."""
        return self.repository(name, "_tags", tag)

    def referrers(self, name: str, subject: Digest) -> str:
        """The folder of those who name a subject."""
        return self.repository(name, "_referrers", f"{subject.algorithm}-{subject.hex}")

    def upload(self, name: str, upload: str) -> str:
        """An upload, which only the repository that began it can name."""
        return os.path.join(self.uploads, f"{upload}.{sha256(name.encode()).hexdigest()[:32]}")


class NewFile:
    """A file being written, locked, that vanishes when the block ends unless it was moved to its place.

    Raises (from any step):
        OSError: callers translate.
    """

    def __init__(self, places: RegistryPlaces) -> None:
        self._folder = places.temporary
        self.path = ""
        self.descriptor = -1

    def __enter__(self) -> "NewFile":
        storage.make_folder(self._folder)
        while not self._made():
            os.close(self.descriptor)
        return self

    def _made(self) -> bool:
        """Make and lock it; False where a cleaning came between the two."""
        self.path = os.path.join(self._folder, os.urandom(16).hex())
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self.descriptor = os.open(self.path, flags, storage.FILE_MODE)
        return try_lock(self.descriptor) and os.fstat(self.descriptor).st_nlink > 0

    def write(self, content: bytes) -> None:
        """Append some bytes."""
        write_all(self.descriptor, content)

    def move(self, place: str) -> None:
        """Sync the file and put it in its place, durably."""
        os.fsync(self.descriptor)
        storage.make_folder(os.path.dirname(place))
        os.replace(self.path, place)
        storage.sync_folder(os.path.dirname(place))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        discard(self.path)  # no longer there once it was moved
        if self.descriptor >= 0:
            os.close(self.descriptor)


def put_file(places: RegistryPlaces, place: str, content: bytes) -> None:
    """Put a small file in its place, whole and durably, over what was there.

    Raises:
        StorageError: ``no-space`` or another trouble of the disk; what was there is still there.
    """
    try:
        with NewFile(places) as new:
            new.write(content)
            new.move(place)
    except OSError as error:
        raise storage.translated(error, f"cannot write {place}") from None


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of it; OSError stays one."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def try_lock(descriptor: int) -> bool:
    """Lock an open file against our other threads and processes; False where one of them has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno == errno.EWOULDBLOCK:
            return False
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            raise  # those four: a file system without locks
    return True


def discard(path: str) -> bool:
    """Remove a file that nobody needs; False where that did not work, or it was gone."""
    try:
        os.unlink(path)
    except OSError:
        return False
    return True


def names(folder: str) -> list[str]:
    """List a folder in the order of bytes; one that is not there is empty.

    Raises:
        StorageError: it is there and cannot be listed.
    """
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return []
        raise storage.translated(error, f"cannot list {folder}") from None


def repository_names(places: RegistryPlaces) -> list[str]:
    """Name every repository that has a folder, in the order of bytes."""
    return sorted(_below(places.repositories, ""))


def _below(folder: str, prefix: str) -> "Iterator[str]":
    entries = names(folder)
    if prefix and any(entry.startswith("_") for entry in entries):
        yield prefix
    for entry in entries:
        if not entry.startswith("_"):
            yield from _below(os.path.join(folder, entry), f"{prefix}/{entry}" if prefix else entry)
