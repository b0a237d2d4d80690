"""Blobs on disk: content-addressed, atomic, durable.

A blob is one file with one name for each repository that has it (hard links), and one more in the pool, where
another repository's push of the same bytes finds it. So a blob is readable just where it was put or mounted, giving
it to another repository is one atomic system call, and what nobody has any more is what has one name left: nothing is
counted, and nothing can be counted wrongly. Where the file system has no hard links, each repository has its own copy
and the pool stays empty.

Whoever writes here chooses what is served under a digest. Clients hash what they pull, so they refuse it: the worst
is a refusal. Whoever reads here reads every image.
"""

import errno
import os

from countermark.adapters import storage
from countermark.adapters.registry_places import NewFile, RegistryPlaces, discard
from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.ports_hosting import StoredBlob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# no hard links here, or not of this file: a file system without them, too many names, another disk
_NO_LINK = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


class BlobStore:
    """Finds, mounts and removes blobs; see the module for what a thief wins. Fulfils ``HostedBlobs``."""

    def __init__(self, root: str, link: "Callable[[str, str], None]" = os.link) -> None:
        """Use a folder, made when first written to; ``link`` makes hard links."""
        self._places = RegistryPlaces(root)
        self._link = link

    def find(self, repository: str, digest: Digest) -> StoredBlob | None:
        """Return a repository's blob, None where it has none of this digest.

        Raises:
            StorageError: it cannot be looked at.
        """
        path = self._places.blob(repository, digest)
        try:
            return StoredBlob(path=path, size=os.stat(path).st_size)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None
            raise storage.translated(error, f"cannot look at {path}") from None

    def keep(self, repository: str, digest: Digest) -> None:
        """Count a blob's time without a manifest from now; a disk that takes no writes is left alone."""
        try:
            os.utime(self._places.blob(repository, digest))
        except OSError:
            pass  # gone, or read-only: then nothing is collected either

    def mount(self, repository: str, digest: Digest, source: str | None) -> bool:
        """Put a blob of another repository (None: of whichever has it) into this one.

        Raises:
            StorageError: ``no-space`` or another trouble of the disk.
        """
        if source is None:
            origin = self._places.pooled(digest)
            if not _has_more_names(
                origin
            ):  # the last repository that had it gave it up: it is gone
                return self.find(repository, digest) is not None
        else:
            origin = self._places.blob(source, digest)
        place = self._places.blob(repository, digest)
        try:
            self._name(origin, place)
            os.utime(place)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise storage.translated(error, f"cannot write {place}") from None
        return True

    def remove(self, repository: str, digest: Digest) -> bool:
        """Take a blob out of one repository; False where it had none. Who is reading it reads on.

        Raises:
            StorageError: it is there and cannot be removed.
        """
        if self.find(repository, digest) is None:
            return False
        storage.remove(self._places.blob(repository, digest))
        return True

    def adopt(self, path: str, repository: str, digest: Digest) -> None:
        """Make a file, locked, synced and with this digest, a blob of a repository; it leaves its old place.

        Raises:
            OSError: it did not work; the file may still be in its old place.
        """
        place, pooled = self._places.blob(repository, digest), self._places.pooled(digest)
        storage.make_folder(os.path.dirname(place))
        if _same_bytes(pooled, path) and self._add_name(pooled, place):
            os.unlink(path)
        elif self._put_name(path, place):
            # the repository's name came first: with the pool's alone it would be collected
            storage.make_folder(os.path.dirname(pooled))
            os.replace(path, pooled)
            storage.sync_folder(os.path.dirname(pooled))
        else:
            os.utime(path)
            os.replace(path, place)
        storage.sync_folder(os.path.dirname(place))

    def _add_name(self, origin: str, place: str) -> bool:
        """Give a pooled blob one more name; False where that cannot be, or another file has the name already."""
        try:
            os.utime(origin)  # its time without a manifest begins
            self._link(origin, place)
        except FileExistsError:
            return _is_one_file(origin, place)
        except OSError as error:
            if error.errno not in (*_NO_LINK, errno.ENOENT):  # that one: collected meanwhile
                raise
            return False
        return True

    def _put_name(self, path: str, place: str) -> bool:
        """Give a new file its name as a blob too, over what has that name; False without hard links.

        The name on the way is one of a locked file, so it is not taken for what a crash left.
        """
        storage.make_folder(self._places.temporary)
        second = os.path.join(self._places.temporary, os.urandom(16).hex())
        os.utime(path)
        try:
            self._link(path, second)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            return False
        try:
            os.replace(second, place)
        except OSError:
            discard(second)
            raise
        return True

    def _name(self, origin: str, place: str) -> None:
        """Give a blob one more name, durably; a copy where it can have none."""
        storage.make_folder(os.path.dirname(place))
        try:
            self._link(origin, place)
        except FileExistsError:
            return
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            self._copy(origin, place)
        storage.sync_folder(os.path.dirname(place))

    def _copy(self, origin: str, place: str) -> None:
        with open(origin, "rb") as source, NewFile(self._places) as new:
            while part := source.read(limits.BLOB_CHUNK):
                new.write(part)
            new.move(place)


def _is_one_file(first: str, second: str) -> bool:
    try:
        return os.path.samefile(first, second)
    except OSError:
        return False


def _has_more_names(path: str) -> bool:
    try:
        return os.stat(path).st_nlink > 1
    except OSError:
        return False


def _same_bytes(first: str, second: str) -> bool:
    """Say whether two files are equal: a pooled blob that the disk has spoilt must not be handed on."""
    try:
        with open(first, "rb") as one, open(second, "rb") as other:
            if os.fstat(one.fileno()).st_size != os.fstat(other.fileno()).st_size:
                return False
            while part := one.read(limits.BLOB_CHUNK):
                if part != other.read(limits.BLOB_CHUNK):
                    return False
            return True
    except OSError:
        return False
