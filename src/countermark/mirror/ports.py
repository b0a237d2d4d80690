"""What taking images elsewhere needs from outside, as protocols; errors are as ``core/ports.py`` says."""

from countermark.core.digest import Digest
from countermark.core.reference import Repository
from countermark.formats.oci import Descriptor
from countermark.images import FullRegistry
from countermark.schemes.cosign.attach import SignatureRegistry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Protocol
else:
    Protocol = object


class MirrorRegistry(FullRegistry, SignatureRegistry, Protocol):
    """A registry that images are taken from and brought to, with all that lies beside them."""

    def mount_blob(self, repository: Repository, digest: Digest, source: Repository) -> bool:
        """Put a blob of another repository of the same registry into this one; False where it has to be uploaded."""
        ...


class SavedFolder(Protocol):
    """A folder with a saved image, read."""

    def entries(self) -> "Sequence[Descriptor]":
        """What its index lists."""
        ...

    def manifest(self, digest: Digest) -> tuple[bytes, str]:
        """Return a manifest, and its media type."""
        ...

    def open_blob(self, digest: Digest, size: int) -> "Iterator[bytes]":
        """Yield a blob's bytes, checked."""
        ...

    def referring(self) -> "Iterator[Digest]":
        """Yield the manifests in it that name a subject."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class SavingFolder(Protocol):
    """A folder that an image is saved in: whole with ``finish_listed``, or not at all."""

    def has_blob(self, digest: Digest, size: int) -> bool:
        """Say whether a blob is there already."""
        ...

    def put_blob(self, digest: Digest, size: int, content: "Iterator[bytes]") -> None:
        """Write a blob."""
        ...

    def put_manifest(self, digest: Digest, media_type: str, content: bytes) -> None:
        """Write a manifest."""
        ...

    def finish_listed(self, entries: "Sequence[Descriptor]") -> None:
        """List manifests in the index, the image first, and put the folder in place."""
        ...

    def discard(self) -> None:
        """Leave nothing behind of what was not finished."""
        ...
