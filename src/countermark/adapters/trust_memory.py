"""What a worker remembers of a trust store: files by checksum, and which is the newest."""

import threading
from collections import OrderedDict
from collections.abc import Collection

from countermark.core.ports_hosting import StoredFile

# of one remembered file beside its content, so that many small ones count too
_OVERHEAD_BYTES = 600


class _Repository:
    __slots__ = ("files", "newest", "size")

    def __init__(self) -> None:
        self.newest: dict[str, StoredFile] = {}
        self.files: dict[tuple[str, str], StoredFile] = {}
        self.size = 0


class TrustMemory:
    """Files of the repositories last asked about, at most ``max_bytes`` in all; safe for threads.

    A file named by checksum never changes, and is kept under its repository and role, so that nobody reads it through
    another repository. Which version is newest does change: ``forget`` it then. A reader that asked the store
    before such a change and comes back after it must not put back what it read: it hands in the ``age`` from before.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._repositories: OrderedDict[str, _Repository] = OrderedDict()
        self._size = 0
        self._age = 0

    @property
    def age(self) -> int:
        """How often anything was forgotten."""
        return self._age

    def newest(self, gun: str, role: str) -> StoredFile | None:
        """Return the newest version of a role, if it is remembered."""
        with self._lock:
            repository = self._repositories.get(gun)
            if repository is None:
                return None
            self._repositories.move_to_end(gun)
            return repository.newest.get(role)

    def by_hash(self, gun: str, role: str, sha256: str) -> StoredFile | None:
        """Return the version of a role that has a hash, if it is remembered."""
        with self._lock:
            repository = self._repositories.get(gun)
            if repository is None:
                return None
            self._repositories.move_to_end(gun)
            return repository.files.get((role, sha256))

    def remember(self, file: StoredFile, age: int, *, newest: bool = False) -> StoredFile:
        """Keep a file that was read at an ``age``; return it, or the equal one that was there already."""
        with self._lock:
            if age != self._age:
                return file
            repository = self._repositories.setdefault(file.gun, _Repository())
            self._repositories.move_to_end(file.gun)
            key = (file.role, file.sha256)
            known = repository.files.get(key)
            if known is None:
                size = len(file.content) + _OVERHEAD_BYTES
                repository.size += size
                self._size += size
                known = repository.files[key] = file
            if newest:
                repository.newest[file.role] = known
            self._shrink()
            return known

    def forget(self, gun: str, roles: Collection[str] | None) -> None:
        """Forget which versions of some roles of a repository are newest; with None, all of the repository."""
        with self._lock:
            self._age += 1
            repository = self._repositories.get(gun)
            if repository is None:
                return
            if roles is None:
                self._size -= repository.size
                del self._repositories[gun]
            else:
                for role in roles:
                    repository.newest.pop(role, None)

    def forget_all(self) -> None:
        """Forget everything: somebody else changed we know not what."""
        with self._lock:
            self._age += 1
            self._repositories.clear()
            self._size = 0

    def _shrink(self) -> None:
        while self._size > self._max_bytes and self._repositories:
            _, repository = self._repositories.popitem(last=False)
            self._size -= repository.size
