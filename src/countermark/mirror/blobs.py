"""Send the blobs of an image and of what lies beside it, a few at once."""

from countermark.core.digest import Digest
from countermark.core.ports import ImageSource, Progress
from countermark.core.reference import Repository
from countermark.formats.oci import Descriptor
from countermark.images import TRANSFERS, in_parallel
from countermark.mirror.look import Load, parts_beside
from countermark.mirror.ports import MirrorRegistry, SavingFolder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol
else:
    Protocol = object


class Blobs(Protocol):
    """Where blobs go: the image's, and those of what lies beside it."""

    def has(self, blob: Descriptor, *, is_beside: bool) -> bool:
        """Say whether a blob is there already."""
        ...

    def put(self, blob: Descriptor, content: "Iterator[bytes]", *, is_beside: bool) -> None:
        """Put a blob there."""
        ...


class FolderBlobs:
    """A folder's blobs: one place for all."""

    def __init__(self, folder: SavingFolder) -> None:
        """Take the folder."""
        self._folder = folder

    def has(self, blob: Descriptor, *, is_beside: bool) -> bool:
        """Say whether it is there."""
        del is_beside
        return self._folder.has_blob(blob.digest, blob.size)

    def put(self, blob: Descriptor, content: "Iterator[bytes]", *, is_beside: bool) -> None:
        """Write it."""
        del is_beside
        self._folder.put_blob(blob.digest, blob.size, content)


class RegistryBlobs:
    """A registry's blobs: the image's in its repository, the others where signatures are kept."""

    def __init__(
        self,
        registry: MirrorRegistry,
        repository: Repository,
        place: Repository,
        mounts: "tuple[Repository, ...]",
    ) -> None:
        """``mounts`` are where both come from, where that is a registry."""
        self._registry, self._mounts = registry, mounts
        self._places = {False: repository, True: place}

    def has(self, blob: Descriptor, *, is_beside: bool) -> bool:
        """Say whether it is there, or can be had from another repository of the same registry."""
        place = self._places[is_beside]
        if self._registry.has_blob(place, blob.digest):
            return True
        if not self._mounts:
            return False
        source = self._mounts[is_beside]
        return source.registry == place.registry and self._registry.mount_blob(
            place, blob.digest, source
        )

    def put(self, blob: Descriptor, content: "Iterator[bytes]", *, is_beside: bool) -> None:
        """Upload it."""
        self._registry.put_blob(self._places[is_beside], blob.digest, blob.size, content)


def send(
    load: Load, origin: ImageSource, side: ImageSource, target: Blobs, progress: Progress
) -> None:
    """Send all blobs; ``origin`` has the image's, ``side`` those of what lies beside it.

    Raises:
        Whatever source and target raise.
    """
    image = {blob.digest: blob for part in load.parts for blob in part.blobs}
    others: dict[Digest, Descriptor] = {}
    for each in load.beside:
        for part in parts_beside(each, side):
            others.update((blob.digest, blob) for blob in part.blobs)

    def one(blob: Descriptor, source: ImageSource, *, is_beside: bool) -> None:
        if not target.has(blob, is_beside=is_beside):
            content = source.open_blob(blob.digest, blob.size)
            target.put(blob, content, is_beside=is_beside)
        progress.advance(blob.size)

    progress.begin("copying", sum(blob.size for blob in (image | others).values()))
    try:
        in_parallel(
            lambda blob: one(blob, origin, is_beside=False), list(image.values()), TRANSFERS
        )
        in_parallel(lambda blob: one(blob, side, is_beside=True), list(others.values()), TRANSFERS)
    finally:
        progress.finish()
