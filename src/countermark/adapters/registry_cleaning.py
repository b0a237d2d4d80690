"""Removes from the folder of a registry what nobody needs: broken writes, old uploads, unreferenced blobs.

All of it is safe beside a server that runs on the same folder: what is being written is locked, a repository's
manifests cannot change while its blobs are looked through, and a blob that was just pushed, mounted or asked for is
left alone for the grace period, so that its manifest has time to come.
"""

import os
from datetime import datetime, timedelta

from countermark.adapters import storage
from countermark.adapters.manifest_store import ManifestStore
from countermark.adapters.registry_places import (
    ALGORITHMS,
    RegistryPlaces,
    discard,
    names,
    repository_names,
    try_lock,
)
from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import InputError
from countermark.core.value import Value
from countermark.formats import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

UPLOAD_AGE = timedelta(hours=24)  # distribution: 168 h
# an image whose push takes longer than this may lose a layer, and be refused
GRACE = timedelta(hours=24)


class Cleaned(Value):
    """What was removed: broken writes, uploads, blobs out of repositories, and the bytes that became free."""

    broken: int = 0
    uploads: int = 0
    blobs: int = 0
    bytes: int = 0


def clean_unfinished(root: str, now: datetime, max_age: timedelta = UPLOAD_AGE) -> Cleaned:
    """Remove what a crash left half written, and uploads to which nothing was added for so long.

    To be called at each start, and now and then.

    Raises:
        StorageError: a folder cannot be listed.
    """
    places = RegistryPlaces(root)
    broken = [_remove_unlocked(path) for path in _paths(places.temporary)]
    before = (now - max_age).timestamp()
    old = [_remove_unlocked(path, before) for path in _paths(places.uploads)]
    return Cleaned(
        broken=sum(size is not None for size in broken),
        uploads=sum(size is not None for size in old),
        bytes=sum(size or 0 for size in broken + old),
    )


def collect_garbage(root: str, now: datetime, grace: timedelta = GRACE) -> Cleaned:
    """Remove blobs that no manifest of their repository names, and then those that no repository has.

    Manifests stay, tagged or not: a manifest without a tag may be a child of an index or a signature.

    Raises:
        StorageError, EvidenceError: something cannot be read; what was not yet looked at stays.
        UnavailableError: a repository was locked too long.
    """
    places = RegistryPlaces(root)
    unfinished = clean_unfinished(root, now)
    manifests = ManifestStore(root)
    before = (now - grace).timestamp()
    blobs = freed = 0
    for name in repository_names(places):
        with manifests.locked(name):
            for path in _unreferenced(places, manifests, name):
                size = _remove_older(path, before)
                blobs += size is not None
                freed += size or 0
    freed += sum(_remove_nameless(path) for path in _pooled(places))
    return unfinished.replace(blobs=blobs, bytes=unfinished.bytes + freed)


def _unreferenced(places: RegistryPlaces, manifests: ManifestStore, name: str) -> "Iterator[str]":
    """The paths of a repository's blobs that none of its manifests names."""
    needed: set[str] = set()
    for digest in _digests(places.repository(name, "_manifests")):
        manifest = manifests.find(name, digest)
        if manifest is not None:
            needed |= named_digests(
                strict_json.parse(manifest.content, max_bytes=limits.MANIFEST_BYTES)
            )
    for digest in _digests(places.repository(name, "_blobs")):
        if str(digest) not in needed:
            yield places.blob(name, digest)


def named_digests(value: strict_json.Json) -> set[str]:
    """Every text under a member ``digest``, wherever it is.

    So that manifests of kinds that we do not know keep their blobs too.
    """
    found: set[str] = set()
    rest = [value]
    while rest:
        value = rest.pop()
        if isinstance(value, list):
            rest += value
        elif isinstance(value, dict):
            rest += value.values()
            named = value.get("digest")
            if isinstance(named, str):
                found.add(named)
    return found


def _digests(folder: str) -> "Iterator[Digest]":
    for algorithm in ALGORITHMS:
        for name in names(os.path.join(folder, algorithm)):
            try:
                yield Digest(algorithm=algorithm, hex=name)
            except InputError:
                continue  # none of ours


def _paths(folder: str) -> list[str]:
    return [os.path.join(folder, name) for name in names(folder)]


def _pooled(places: RegistryPlaces) -> "Iterator[str]":
    for algorithm in ALGORITHMS:
        for folder in _paths(os.path.join(places.pool, algorithm)):
            yield from _paths(folder)


def _remove_unlocked(path: str, before: float | None = None) -> int | None:
    """Remove a file that nobody has locked and nobody has written to since; return its size, None if it stays."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None  # gone meanwhile
    try:
        found = os.fstat(descriptor)
        if (before is not None and found.st_mtime >= before) or not try_lock(descriptor):
            return None
        return found.st_size if discard(path) else None
    finally:
        os.close(descriptor)


def _remove_older(path: str, before: float) -> int | None:
    """Take a blob out of its repository; return the bytes that became free, None if it stays."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    if found.st_mtime >= before:
        return None
    storage.remove(path)
    return found.st_size if found.st_nlink == 1 else 0


def _remove_nameless(path: str) -> int:
    """Remove a pooled blob that no repository has; return the bytes that became free.

    A push or mount meanwhile either gets a second name for it first, or finds it gone and keeps its own.
    """
    try:
        found = os.stat(path)
    except OSError:
        return 0
    return found.st_size if found.st_nlink == 1 and discard(path) else 0
