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
