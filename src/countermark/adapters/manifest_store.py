"""Manifests, tags and referrers on disk: one small file each, atomic and durable.

Order makes a crash harmless. Putting: the referrer's entry, the manifest, then its tags, so that no tag ever points
to nothing and a referrer's entry without its manifest is passed over. Removing: tags, manifest, entry.

Whoever writes here moves tags and hides manifests; what a digest names, clients check. Whoever reads here reads all.
"""

import os
from threading import Lock

from countermark.adapters import storage
from countermark.adapters.registry_places import (
    ALGORITHMS,
    RegistryPlaces,
    names,
    put_file,
    repository_names,
)
from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import Code, InputError, StorageError
from countermark.core.ports_hosting import StoredManifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import TracebackType

_FILE_BYTES = limits.MANIFEST_BYTES + limits.MEDIA_TYPE_CHARS + 1
_STRIPES = 64  # locks between threads; two repositories may share one


class ManifestStore:
    """Stores manifests; see the module for what a thief wins. Fulfils ``HostedManifests`` and ``HostedTags``."""

    def __init__(self, root: str) -> None:
        """Use the folder of a registry, made when first written to."""
        self._places = RegistryPlaces(root)
        self._stripes = tuple(Lock() for _ in range(_STRIPES))

    def locked(self, repository: str) -> "AbstractContextManager[None]":
        """Keep our other threads and processes from writing this repository's manifests meanwhile.

        Raises:
            UnavailableError: another process has held it too long.
        """
        stripe = self._stripes[hash(repository) % _STRIPES]
        return _Locked(stripe, storage.Lock(self._places.repository(repository, "_lock")))

    def find(self, repository: str, digest: Digest) -> StoredManifest | None:
        """Return a manifest, None where there is none.

        Raises:
            StorageError: it is there and cannot be read.
        """
        stored = storage.read(self._places.manifest(repository, digest), _FILE_BYTES)
        if stored is None:
            return None
        media_type, _, content = stored.partition(b"\n")
        return StoredManifest(
            digest=digest, media_type=media_type.decode("ascii", "replace"), content=content
        )

    def has(self, repository: str, digest: Digest) -> bool:
        """Say whether a manifest is there."""
        return os.path.isfile(self._places.manifest(repository, digest))

    def put(
        self, repository: str, manifest: StoredManifest, referrer: tuple[Digest, bytes] | None
    ) -> None:
        """Store a manifest durably; ``referrer`` is the subject that it names, and its descriptor in JSON.

        Raises:
            StorageError: ``no-space`` or another trouble of the disk.
        """
        if referrer is not None:
            subject, descriptor = referrer
            put_file(self._places, self._entry(repository, subject, manifest.digest), descriptor)
        place = self._places.manifest(repository, manifest.digest)
        put_file(
            self._places, place, manifest.media_type.encode("ascii") + b"\n" + manifest.content
        )

    def remove(self, repository: str, digest: Digest, subject: Digest | None) -> None:
        """Remove a manifest, all tags that point to it, and what lists it as a referrer of its subject.

        Raises:
            StorageError: something cannot be removed.
        """
        for tag in self.tags(repository) or ():
            if self.tagged(repository, tag) == digest:
                self.untag(repository, tag)
        storage.remove(self._places.manifest(repository, digest))
        if subject is not None:
            storage.remove(self._entry(repository, subject, digest))

    def referrers(self, repository: str, subject: Digest) -> tuple[bytes, ...]:
        """Return the descriptors (JSON) of the manifests that name a subject, in the order of their digests.

        Raises:
            StorageError: an entry is there and cannot be read.
        """
        folder = self._places.referrers(repository, subject)
        found: list[bytes] = []
        for name in names(folder):
            algorithm, _, value = name.partition("-")
            try:
                manifest = Digest(algorithm=algorithm, hex=value)
            except InputError:
                continue
            # an entry without its manifest: a crash came between the two
            if self.has(repository, manifest):
                entry = storage.read(os.path.join(folder, name), _FILE_BYTES)
                if entry is not None:
                    found.append(entry)
        return tuple(found)

    def tagged(self, repository: str, tag: str) -> Digest | None:
        """Return the digest that a tag points to.

        Raises:
            StorageError: the tag's file cannot be read, or is none of ours.
        """
        path = self._places.tag(repository, tag)
        content = storage.read(path, 256)
        if content is None:
            return None
        try:
            return Digest.parse(content.decode("ascii", "replace"))
        except InputError:
            raise StorageError(f"{path} is not a digest", code=Code.MALFORMED) from None

    def tag(self, repository: str, tag: str, digest: Digest) -> None:
        """Point a tag to a manifest, durably.

        Raises:
            StorageError: ``no-space`` or another trouble of the disk; the tag is as before.
        """
        put_file(self._places, self._places.tag(repository, tag), str(digest).encode("ascii"))

    def untag(self, repository: str, tag: str) -> bool:
        """Remove a tag; False where there was none.

        Raises:
            StorageError: it is there and cannot be removed.
        """
        path = self._places.tag(repository, tag)
        if not os.path.isfile(path):
            return False
        storage.remove(path)
        return True

    def tags(self, repository: str) -> tuple[str, ...] | None:
        """Return all tags in the order of their bytes, None where there is no such repository."""
        known = ("_manifests", "_blobs")
        if not any(os.path.isdir(self._places.repository(repository, part)) for part in known):
            return None
        return tuple(names(self._places.repository(repository, "_tags")))

    def repositories(self) -> tuple[str, ...]:
        """Return the names of all repositories that have a manifest, in the order of their bytes."""
        return tuple(
            name
            for name in repository_names(self._places)
            if any(names(self._places.repository(name, "_manifests", a)) for a in ALGORITHMS)
        )

    def _entry(self, repository: str, subject: Digest, manifest: Digest) -> str:
        folder = self._places.referrers(repository, subject)
        return os.path.join(folder, f"{manifest.algorithm}-{manifest.hex}")


class _Locked:
    """Two locks, the one between threads first: it wakes its waiters, the one between processes is polled."""

    def __init__(self, threads: "Lock", processes: storage.Lock) -> None:
        self._threads, self._processes = threads, processes

    def __enter__(self) -> None:
        self._threads.acquire()
        try:
            self._processes.__enter__()
        except BaseException:
            self._threads.release()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        try:
            self._processes.__exit__(kind, value, trace)
        finally:
            self._threads.release()
