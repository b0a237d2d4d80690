"""What hosting a registry and a trust server needs from outside, as protocols; requests and answers of HTTP.

Errors are as ``core/ports.py`` says.
"""

from countermark.core.digest import Digest
from countermark.core.light import Callable, Iterator, Mapping, Sequence, datetime
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Protocol
else:
    Protocol = object  # as in ports.py

# The registry that we host --------------------------------------------------------------------------------


class StoredBlob(Value):
    """A blob as it lies in a repository of ours: a file, and its length in bytes."""

    path: str
    size: int


class HostedBlobs(Protocol):
    """The blobs of our own registry: each is readable only from repositories that it was put or mounted into."""

    def find(self, repository: str, digest: Digest) -> StoredBlob | None:
        """Return a repository's blob, None where it has none of this digest."""
        ...

    def keep(self, repository: str, digest: Digest) -> None:
        """Count a blob's time without a manifest from now: who has seen it will not send it again."""
        ...

    def mount(self, repository: str, digest: Digest, source: str | None) -> bool:
        """Put a blob of another repository (None: of whichever has it) into this one; False where it is not there."""
        ...

    def remove(self, repository: str, digest: Digest) -> bool:
        """Take a blob out of one repository; False where it had none."""
        ...


class HostedUploads(Protocol):
    """Blobs on their way into our own registry. What is received of one survives a restart.

    Raises (all that take an upload):
        NotFoundError: the repository has no such upload.
        InputError: ``out-of-order``, ``version-conflict`` (somebody else is sending), ``too-large``, ``checksum``;
            and whatever the body itself raises.
        StorageError: ``no-space`` or another trouble of the disk; nothing of this part was kept.
    """

    def begin(self, repository: str, algorithm: str = "sha256") -> str:
        """Start an upload and return its identifier; the algorithm says which digest will probably end it."""
        ...

    def received(self, repository: str, upload: str) -> int:
        """How many bytes have come."""
        ...

    def receive(
        self, repository: str, upload: str, parts: Iterator[bytes], start: int | None
    ) -> int:
        """Append a part that begins at ``start`` (None: wherever the last one ended); return the new length."""
        ...

    def finish(
        self,
        repository: str,
        upload: str,
        parts: Iterator[bytes],
        start: int | None,
        digest: Digest,
    ) -> None:
        """Append the last part and put the blob into the repository, durably, if it has this digest."""
        ...

    def take(self, repository: str, parts: Iterator[bytes], digest: Digest) -> None:
        """Receive a whole blob at once."""
        ...

    def cancel(self, repository: str, upload: str) -> None:
        """Forget an upload."""
        ...


class StoredManifest(Value):
    """A manifest as it was pushed."""

    digest: Digest
    media_type: str
    content: bytes


class HostedManifests(Protocol):
    """The manifests of our own registry. Whoever writes holds ``locked`` around what it checks and what it writes."""

    def locked(self, repository: str) -> "AbstractContextManager[None]":
        """Keep everybody else from writing this repository's manifests and tags meanwhile."""
        ...

    def find(self, repository: str, digest: Digest) -> StoredManifest | None:
        """Return a manifest, None where there is none."""
        ...

    def has(self, repository: str, digest: Digest) -> bool:
        """Say whether a manifest is there."""
        ...

    def put(
        self, repository: str, manifest: StoredManifest, referrer: tuple[Digest, bytes] | None
    ) -> None:
        """Store a manifest durably; ``referrer`` is the subject that it names, and its descriptor in JSON."""
        ...

    def remove(self, repository: str, digest: Digest, subject: Digest | None) -> None:
        """Remove a manifest, all tags that point to it, and what lists it as a referrer of its subject."""
        ...

    def referrers(self, repository: str, subject: Digest) -> Sequence[bytes]:
        """Return the descriptors (JSON) of the manifests that name a subject, in a lasting order."""
        ...


class HostedTags(Protocol):
    """The tags and names of our own registry; writers hold ``HostedManifests.locked``."""

    def tagged(self, repository: str, tag: str) -> Digest | None:
        """Return the digest that a tag points to."""
        ...

    def tag(self, repository: str, tag: str, digest: Digest) -> None:
        """Point a tag to a manifest, durably."""
        ...

    def untag(self, repository: str, tag: str) -> bool:
        """Remove a tag; False where there was none."""
        ...

    def tags(self, repository: str) -> Sequence[str] | None:
        """Return all tags in the order of their bytes, None where there is no such repository."""
        ...

    def repositories(self) -> Sequence[str]:
        """Return the names of all repositories that have a manifest, in the order of their bytes."""
        ...


# Servers ----------------------------------------------------------------------------------------------


class RequestBody(Protocol):
    """A request's body, read once, in a worker thread."""

    def read(self, max_bytes: int) -> bytes:
        """Read all of it; InputError (``too-large``) when it is longer, or ends before its stated length."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Yield it piece by piece; InputError when it ends before its stated length."""
        ...


class Request(Value):
    """An HTTP request as a handler sees it.

    ``path`` is percent-decoded, ``query`` is not; header names are lower case; ``client`` is the peer's address.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: RequestBody
    client: str = ""


class FileRange(Value):
    """A part of a file to be sent: ``length`` bytes from ``start``."""

    path: str
    start: int
    length: int


class Response(Value):
    """An HTTP answer: the body is bytes, a stream, or a range of a file.

    ``problem`` is for our own log and never sent: what went wrong here, where that was our fault.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | FileRange | Iterator[bytes] = b""
    problem: str = ""


Handler = Callable[[Request], Response]


# Hosting a trust server ---------------------------------------------------------------------------------


class HotAnswer(Value):
    """An answer that is ready in memory: whole, with its headers as they go out."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


# Percent-decoded path and the Authorization header's value, or ""; None where the answer needs a worker thread.
HotReads = Callable[[str, str], HotAnswer | None]


class StoredFile(Value):
    """One version of one role's metadata: the bytes as published, and when; ``sha256`` is lower-case hex."""

    gun: str
    role: str
    version: int
    sha256: str
    content: bytes
    created: datetime


class FeedEntry(Value):
    """One line of the changefeed: an ``update`` to a timestamp version, or a ``deletion`` (version 0, no hash)."""

    id: int
    gun: str
    version: int
    sha256: str
    category: str
    created: datetime


class TrustStore(Protocol):
    """Where a trust server keeps metadata: every version of every role, and the order of what happened.

    What ``publish`` and ``delete`` have returned from survives a crash and a power failure. Any method raises
    UnavailableError when the store is busy or out of reach, and StorageError (``no-space``) when it is full.
    """

    def newest(self, gun: str, role: str) -> StoredFile | None:
        """Return the highest version of a role."""
        ...

    def by_hash(self, gun: str, role: str, sha256: str) -> StoredFile | None:
        """Return the version of this role of this repository that has a hash."""
        ...

    def by_version(self, gun: str, role: str, version: int) -> StoredFile | None:
        """Return one version of a role."""
        ...

    def publish(self, files: Sequence[StoredFile], base: str, now: datetime) -> None:
        """Add versions of one repository's roles in one step, its next timestamp among them.

        Args:
            files: all of one GUN, a timestamp among them.
            base: the sha256 of the newest timestamp when the files were made, "" for none.
            now: time of the entry in the changefeed.

        Raises:
            RefusedError: ``version-conflict``, somebody else published meanwhile; nothing was added.
        """
        ...

    def delete(self, gun: str, now: datetime) -> bool:
        """Remove all metadata of a repository; say whether there was any."""
        ...

    def changes(self, gun: str, after: int, count: int) -> Sequence[FeedEntry]:
        """List the changefeed in order; ``gun`` "" for all.

        ``count`` entries whose id is greater than ``after``; a negative count counts backwards from ``after``
        (0: from the newest), and still lists in order.
        """
        ...

    def peek(self, gun: str, role: str) -> StoredFile | None:
        """Return what ``newest`` would where memory alone says so, else None: fast, and each time the same object."""
        ...

    def check(self) -> None:
        """Ask whether the store works; raises what any other method would."""
        ...


class HeldKey(Value):
    """A private key that a server holds for one role of one repository: key ID and PKCS 8 DER."""

    id: str
    private: bytes


class ServerKeys(Protocol):
    """The private keys that a trust server signs snapshots and timestamps with.

    A key is pending until a root has named it; there is at most one pending key per role of a repository, so that
    whoever asks twice gets the same one.
    """

    def held(self, gun: str, role: str) -> Sequence[HeldKey]:
        """Return the keys of a role, pending or not, newest first.

        Raises:
            KeyAccessError: a stored key cannot be opened with our master key.
        """
        ...

    def pending(self, gun: str, role: str, now: datetime) -> HeldKey:
        """Return the pending key of a role, made now if there is none.

        Raises:
            UnavailableError: too many keys are pending.
        """
        ...

    def used(self, gun: str, role: str, key_id: str) -> None:
        """Note that a root names a key, which is pending no longer."""
        ...
