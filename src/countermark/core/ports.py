"""Everything we need from the outside world, as protocols.

One question per protocol. Adapters fulfil them, tests fulfil them with ``tests/world.py``; the rules above
see nothing else of the world. Whatever an adapter meets it turns into the errors of ``core/errors.py``:
NotFoundError where the peer says that there is no such thing, RefusedError where it says that we may not (401, 403)
or that what we sent is wrong (400), UnavailableError for anything that may differ later (no connection, TLS
failure, timeout, 5xx, 429), EvidenceError kinds where its bytes break a limit or do not match their digest.
"""

from countermark.core.digest import Digest
from countermark.core.light import Callable, Iterator, Mapping, Sequence, datetime
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Protocol
else:
    Protocol = object  # typing costs a cold start 3 ms

Clock = Callable[[], datetime]  # aware, UTC; read once per verification


# Registries -----------------------------------------------------------------------------------------


class Registry(Protocol):
    """What a registry says an image is now."""

    def resolve(self, reference: ImageReference) -> Subject:
        """Ask which digest a tag (or digest) has now; size and media type come with it.

        Raises:
            NotFoundError, RefusedError, UnavailableError, EvidenceError: see the module.
        """
        ...

    def manifest(self, repository: Repository, digest: Digest) -> tuple[bytes, str]:
        """Fetch a manifest by digest: its bytes, hashed again by us, and its media type.

        Raises:
            EvidenceError: the bytes do not have this digest, or are too large.
        """
        ...


class BlobSource(Protocol):
    """Blobs that can be read, once each, from the start."""

    def open_blob(self, repository: Repository, digest: Digest, size: int) -> Iterator[bytes]:
        """Yield a blob's bytes; the last step raises EvidenceError unless digest and size are right."""
        ...


class RegistryWriter(Protocol):
    """A registry that takes images."""

    def has_blob(self, repository: Repository, digest: Digest) -> bool:
        """Say whether a blob is there already."""
        ...

    def put_blob(
        self, repository: Repository, digest: Digest, size: int, content: Iterator[bytes]
    ) -> None:
        """Upload a blob of known digest and size."""
        ...

    def put_manifest(
        self, repository: Repository, name: str, media_type: str, content: bytes
    ) -> Digest:
        """Put a manifest under a tag or digest and return the digest that the registry says it has."""
        ...


# Images elsewhere ---------------------------------------------------------------------------------------


class ImageSource(Protocol):
    """An image, or an index of several, in a file, a folder or a store: what it names can be read.

    Manifests and blobs come with their digests checked; threads may share one.
    """

    def root(self) -> tuple[bytes, str]:
        """Return the manifest or index itself, and its media type.

        Raises:
            NotFoundError: the place has no such image. EvidenceError: what is there is none.
        """
        ...

    def manifest(self, digest: Digest) -> tuple[bytes, str]:
        """Return a manifest that the root names, and its media type."""
        ...

    def open_blob(self, digest: Digest, size: int) -> Iterator[bytes]:
        """Yield a blob's bytes; the last step raises EvidenceError unless digest and size are right."""
        ...

    def close(self) -> None:
        """Let go of what was opened or made for reading."""
        ...


class ImageTarget(Protocol):
    """A place that an image is written to: whole with ``finish``, or not at all. Threads may share one.

    ``takes_index`` is False where only an image for one platform fits.
    """

    takes_index: bool

    def has_blob(self, digest: Digest, size: int) -> bool:
        """Say whether a blob is there already."""
        ...

    def put_blob(self, digest: Digest, size: int, content: Iterator[bytes]) -> None:
        """Write a blob; EvidenceError unless digest and size are right."""
        ...

    def put_manifest(self, digest: Digest, media_type: str, content: bytes) -> None:
        """Write a manifest or index; what it names has been written before."""
        ...

    def finish(self, root: Digest) -> None:
        """Put the image in place, under the name that the target was made for; ``root`` was written last."""
        ...

    def discard(self) -> None:
        """Leave nothing behind of what was not finished; to be called in any case, and harmless after finish."""
        ...


class LocalImages(Protocol):
    """The image store of a docker daemon."""

    def pull(self, repository: Repository, digest: Digest, progress: "Progress") -> None:
        """Have the daemon fetch an image by digest."""
        ...

    def tag(self, source: ImageReference, name: ImageReference) -> None:
        """Give an image of the store a further name."""
        ...


class Progress(Protocol):
    """Shows people that long work goes on."""

    def begin(self, text: str, total: int) -> None:
        """Begin: what is being done, and how many bytes it takes, 0 where nobody knows."""
        ...

    def advance(self, count: int) -> None:
        """So many bytes more; any thread may say so."""
        ...

    def finish(self) -> None:
        """End, whether or not all was done."""
        ...


# Docker Content Trust ---------------------------------------------------------------------------------


class Fetched(Value):
    """A file of a trust server, and when the server says it was last changed (None: it did not say)."""

    content: bytes
    modified: datetime | None = None


class TrustServer(Protocol):
    """One Notary v1 server, read."""

    @property
    def address(self) -> str:
        """``host[:port]``, as shown to people."""
        ...

    def fetch(self, gun: str, name: str, max_bytes: int) -> Fetched:
        """Fetch ``name`` without ``.json``: ``timestamp``, ``targets/releases.<sha256 hex>``, ``2.root``.

        Raises:
            NotFoundError: 404. RefusedError: 400, 401, 403 (``status``). UnavailableError: all else.
            EvidenceError: ``too-large``, more than max_bytes.
        """
        ...


class TrustPublisher(TrustServer, Protocol):
    """One Notary v1 server, written."""

    def server_key(self, gun: str, role: str, *, rotate: bool = False) -> bytes:
        """Ask for the public key (JSON) that the server holds for timestamp or snapshot; or for a new one."""
        ...

    def publish(self, gun: str, files: Mapping[str, bytes]) -> None:
        """Send changed roles (name without ``.json`` to bytes): all are taken or none.

        Raises:
            RefusedError: status 400 and the body that says why; 401, 403.
        """
        ...

    def delete(self, gun: str) -> None:
        """Delete all metadata of a repository."""
        ...


class TrustServers(Protocol):
    """Chooses the trust server of a repository."""

    def server_for(self, repository: Repository, url: str = "") -> TrustPublisher:
        """Return the server at ``url``, else the configured one, else the one docker would ask."""
        ...


class TrustCache(Protocol):
    """The metadata part of a trust folder, per repository (GUN).

    Names are role names, or ``countermark`` for what we remember beside docker's files.
    """

    def read(self, gun: str, name: str) -> bytes | None:
        """Return a cached file, None where there is none."""
        ...

    def write(self, gun: str, files: Mapping[str, bytes | None]) -> None:
        """Replace files, each atomically, in the order given; None removes one."""
        ...

    def locked(self, gun: str) -> "AbstractContextManager[None]":
        """Keep other processes that share the folder from writing this repository's files meanwhile."""
        ...


class ClaimMemory(Protocol):
    """Where fresh claims are kept, for policies that say how long a last good answer counts.

    Names are 64 hex digits, contents at most CLAIM_MEMORY_BYTES. Whoever can write here can make a signer that
    is silent vouch for an image, for as long as the policy's ``lastGood`` and nowhere without one.
    """

    def recall(self, name: str) -> bytes | None:
        """Return what was kept under a name, None where nothing is."""
        ...

    def remember(self, name: str, content: bytes | None) -> None:
        """Keep a content under a name, atomically and privately; None forgets it."""
        ...


class StoredKey(Value):
    """A private key file as listed: its canonical key ID, role (``root``, ``targets``, a signer), GUN or ""."""

    id: str
    role: str
    gun: str = ""


class KeyFiles(Protocol):
    """The private-key part of a trust folder; contents are PEM texts as ``proofs/key_files`` reads them."""

    def list(self) -> Sequence[StoredKey]:
        """List keys in order of their IDs; files that are no keys are left out."""
        ...

    def read(self, key_id: str) -> bytes | None:
        """Return a key file's PEM, None where there is none."""
        ...

    def write(self, key_id: str, pem: bytes) -> None:
        """Store a key file privately (0600) and durably."""
        ...

    def remove(self, key_id: str) -> None:
        """Remove a key file; nothing happens where there is none."""
        ...


class PassphraseRequest(Value):
    """What a passphrase is for.

    Attributes:
        key_id: the canonical key ID, "" where there is none yet.
        role: ``root``, ``targets``, ``snapshot``, or the signer's name.
        new: choose one for a new key, rather than open an existing key.
        attempt: 0 for the first try, then one more each time the last one was wrong.
    """

    key_id: str
    role: str
    new: bool = False
    attempt: int = 0


class Passphrases(Protocol):
    """Where passphrases come from: the environment, a terminal, a test."""

    def passphrase(self, request: PassphraseRequest) -> str:
        """Return a passphrase.

        Raises:
            KeyAccessError: none is to be had, or no further attempt is allowed.
        """
        ...
