"""Docker's trust folder: private keys and cached metadata, locked and atomic.

The layout is docker's and notary's, so that all share one folder (specs: notary v1, 3.1):

    private/<key ID>.key                     one private key each, PEM
    tuf/<GUN>/metadata/<role>.json           the server's bytes as last verified
    tuf/<GUN>/countermark.json               what we remember beside that; docker does not look at it
    tuf/<GUN>/countermark.lock               held by us while a repository's files are read, judged and written

Docker takes no locks, and deletes before it writes: a file that it is just writing may be missing or cut off for us.
Ours is replaced as a whole, so docker never sees half of it.
"""

import os

from countermark.adapters import storage
from countermark.core import limits
from countermark.core.errors import InputError, MalformedError
from countermark.core.ports import StoredKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OURS = "countermark"
_BASE_ROLES = frozenset(("root", "targets", "snapshot", "timestamp"))
_ROLE_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_HEX = frozenset("0123456789abcdef")
_LOCK = "countermark.lock"
_KEY_BLOCKS = tuple(
    b"%sPRIVATE KEY-----" % kind for kind in (b"ENCRYPTED ", b"RSA ", b"EC ", b"ED25519 ", b"")
)
_DURABLE = frozenset(("root", OURS))  # what trust is pinned to; the others can be fetched again


class CachedMetadata:
    """The metadata part of a trust folder: TrustCache.

    Its thief learns which images are used, and nothing secret. Who can write it chooses what is believed: the cached
    root is the pin of every repository that was trusted on first use, and the cached versions are the memory that a
    rollback is measured against. A root that the policy names is not weakened.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def read(self, gun: str, name: str) -> bytes | None:
        """Return a cached file, None where there is none.

        Raises:
            InputError: a GUN or role name that could lead elsewhere.
            StorageError: it is there and cannot be read. MalformedError: it is longer than any metadata.
        """
        return storage.read(self._path(gun, name), limits.METADATA_BYTES)

    def write(self, gun: str, files: "Mapping[str, bytes | None]") -> None:
        """Replace files, each atomically, in the order given; None removes one.

        Raises:
            InputError: as ``read``. StorageError: ``no-space`` or ``refused``; files before it have been written.
        """
        paths = [(self._path(gun, name), name, content) for name, content in files.items()]
        for path, name, content in paths:
            if content is None:
                storage.remove(path, durable=name in _DURABLE)
            else:
                storage.write(path, content, durable=name in _DURABLE)

    def locked(self, gun: str) -> storage.Lock:
        """Keep other processes of ours from writing this repository's files meanwhile."""
        return storage.Lock(os.path.join(self._folder(gun), _LOCK))

    def names(self, gun: str) -> tuple[str, ...]:
        """List what is there of a repository, so that it can be forgotten."""
        metadata = os.path.join(self._folder(gun), "metadata")
        found = [
            path[len(metadata) + 1 : -len(".json")]
            for path in storage.regular_files(metadata, ".json")
        ]
        names = [name for name in found if name in _BASE_ROLES or _is_delegation(name)]
        if os.path.exists(self._path(gun, OURS)):
            names.append(OURS)
        return tuple(sorted(names))

    def _folder(self, gun: str) -> str:
        check_gun(gun)
        return os.path.join(self._root, "tuf", *gun.split("/"))

    def _path(self, gun: str, name: str) -> str:
        if name == OURS:
            return os.path.join(self._folder(gun), f"{OURS}.json")
        if name not in _BASE_ROLES and not _is_delegation(name):
            raise InputError(f"not a role name: {name[:80]!r}")
        return os.path.join(self._folder(gun), "metadata", f"{name}.json")


def _is_delegation(name: str) -> bool:
    first, *parts = name.split("/")
    return first == "targets" and all(part and _ROLE_LETTERS.issuperset(part) for part in parts)


def _is_key_id(text: str) -> bool:
    return len(text) == 64 and _HEX.issuperset(text)


def check_gun(gun: str) -> None:
    """Refuse a repository name that is no path of its own below ``tuf/``.

    Neither may it lead out (``..``, an absolute path), nor lie where another repository keeps a file: ``a/metadata``
    is a repository as any other, but ``a/metadata/targets`` keeps its root where ``a`` keeps a delegation.

    Raises:
        InputError: such a name.
    """
    parts = gun.split("/")
    for part in parts:
        if not part or part.startswith(".") or "\0" in part or part.startswith(f"{OURS}."):
            raise InputError(f"not a repository name: {gun[:80]!r}")
    if "/metadata/targets/" in f"/{gun}/":
        raise InputError(f"repository name {gun[:80]!r} lies inside another repository's metadata")


def pem_headers(pem: bytes) -> "dict[str, str] | None":
    """Read the header lines of a private key's first PEM block, None where there is no such block.

    Old files lack the blank line after the headers (specs: notary v1, 3.2); base64 has no colon, so that a line with
    one is a header.
    """
    rest = pem
    while True:
        _, begin, rest = rest.partition(b"-----BEGIN ")
        if not begin:
            return None
        kind = next((kind for kind in _KEY_BLOCKS if rest.startswith(kind)), None)
        if kind is not None and b"-----END " + kind in rest:
            break
    headers: dict[str, str] = {}
    for line in rest[len(kind) :].lstrip().splitlines():
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        if not colon:
            break
        headers[name.strip()] = value.strip()
    return headers


class PrivateKeys:
    """The private-key part of a trust folder: KeyFiles.

    Its thief has the keys as soon as he has their passphrases, and at once where a key has none: he can sign as their
    owner. Who can write it can take keys away, or put one of his own under another's ID; whoever opens a key checks
    that it is the one asked for.
    """

    def __init__(self, root: str) -> None:
        self._folder = os.path.join(root, "private")
        self._unmoved: dict[str, bytes] | None = None

    def list(self) -> "Sequence[StoredKey]":
        """List keys in order of their IDs; files that are no keys are left out.

        Raises:
            StorageError: the folder cannot be read.
        """
        found: dict[str, StoredKey] = {}
        for key_id, pem in self._contents():
            headers = pem_headers(pem)
            if headers is not None and key_id not in found:
                role, gun = headers.get("role", ""), headers.get("gun", "")
                found[key_id] = StoredKey(id=key_id, role=role, gun=gun)
        return [found[key_id] for key_id in sorted(found)]

    def read(self, key_id: str) -> bytes | None:
        """Return a key file's PEM, None where there is none.

        Raises:
            StorageError: it cannot be read. InputError: not a key ID.
        """
        path = self._path(key_id)
        content = storage.read(path, limits.KEY_FILE_BYTES, follow=False)
        if content is not None:
            return content
        return next((pem for found, pem in self._contents() if found == key_id), None)

    def write(self, key_id: str, pem: bytes) -> None:
        """Store a key file privately (0600) and durably.

        Raises:
            StorageError: it cannot be written. InputError: not a key ID, or no private key in PEM.
        """
        if pem_headers(pem) is None:
            raise InputError("not a private key in PEM")
        storage.write(self._path(key_id), pem)

    def remove(self, key_id: str) -> None:
        """Remove a key file; nothing happens where there is none."""
        self._path(key_id)
        self._move_old()
        for path in tuple(storage.regular_files(self._folder, ".key")):
            if os.path.basename(path) == f"{key_id}.key":
                storage.remove(path)

    def warnings(self) -> tuple[str, ...]:
        """Say what others on this machine could read or write, a text each."""
        paths = [self._folder, *storage.regular_files(self._folder, ".key")]
        return tuple(
            f"{path} can be read or written by other users; chmod go= {path}"
            for path in paths
            if not storage.is_private(path)
        )

    def _path(self, key_id: str) -> str:
        if not _is_key_id(key_id):
            raise InputError(f"not a key ID (64 hex digits): {key_id[:80]!r}")
        return os.path.join(self._folder, f"{key_id}.key")

    def _contents(self) -> "Sequence[tuple[str, bytes]]":
        """Read every file that is named like a key, also one that could not be moved from the old layout."""
        unmoved = self._move_old()
        found = []
        for path in storage.regular_files(self._folder, ".key"):
            key_id = os.path.basename(path)[: -len(".key")]
            if not _is_key_id(key_id):
                continue
            try:
                content = storage.read(path, limits.KEY_FILE_BYTES, follow=False)
            except MalformedError:  # too long for a key, so it is none
                continue
            if content is not None:
                found.append((key_id, content))
        return found + sorted(unmoved.items())

    def _move_old(self) -> "dict[str, bytes]":
        if self._unmoved is None:
            from countermark.adapters import trust_folder_migration  # noqa: PLC0415 - rare

            self._unmoved = trust_folder_migration.move(self._folder)
        return self._unmoved
