"""Folders that hold an image with all that lies beside it, as ``cosign save`` makes them: OCI layouts and more.

The index lists the image and what lay under its tags. What refers to it is listed too where we saved it; cosign
leaves it among the blobs, so that whoever reads such a folder has to look through them.
"""

import os

from countermark.adapters import storage
from countermark.adapters.image_files import checked
from countermark.adapters.oci_layout import LayoutTarget, blob_path, read_index, read_pieces
from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import Code, EvidenceError, InputError, MalformedError, NotFoundError
from countermark.formats import oci

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MARK = b'"subject"'  # what every manifest that refers to another has in it


class SavedImages:
    """Reads such a folder. Who can write there chooses what is in it; what a digest names is checked."""

    def __init__(self, folder: str) -> None:
        """Take a folder.

        Raises:
            NotFoundError: there is none. InputError: it is no OCI layout. EvidenceError: its files are wrong.
        """
        index = read_index(folder)
        if index is None:
            raise NotFoundError(f"no such folder: {folder}")
        self._folder, self._entries = folder, index.manifests

    def entries(self) -> "Sequence[oci.Descriptor]":
        """What the index lists, in its order."""
        return self._entries

    def manifest(self, digest: Digest) -> tuple[bytes, str]:
        """Return a manifest, and its media type.

        Raises:
            NotFoundError: it is not in the folder. EvidenceError: it is not what its digest says.
        """
        path = blob_path(self._folder, digest)
        content = storage.read(path, limits.MANIFEST_BYTES, follow=False)
        if content is None:
            raise NotFoundError(f"{self._folder} has no {digest}")
        if not digest.matches(content):
            raise EvidenceError(
                f"{self._folder}: the bytes are not those of {digest}", code=Code.CHECKSUM
            )
        return content, oci.parse_document(content).media_type

    def open_blob(self, digest: Digest, size: int) -> "Iterator[bytes]":
        """Yield a blob's bytes; the last step raises EvidenceError unless digest and size are right."""
        return checked(read_pieces(blob_path(self._folder, digest)), digest, size)

    def referring(self) -> "Iterator[Digest]":
        """Yield the manifests among the blobs that name a subject, in the order of their names.

        Raises:
            MalformedError: ``too-large``, there are more files than are looked at.
        """
        folder = os.path.join(self._folder, "blobs", "sha256")
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            raise storage.translated(error, f"cannot read {folder}") from None
        if len(names) > limits.SAVED_BLOBS:
            raise MalformedError(
                f"{folder} has {len(names)} files, at most {limits.SAVED_BLOBS} are looked at",
                code=Code.TOO_LARGE,
            )
        for name in names:
            digest = self._referrer(os.path.join(folder, name), name)
            if digest is not None:
                yield digest

    def _referrer(self, path: str, name: str) -> Digest | None:
        try:
            digest = Digest.parse(f"sha256:{name}")
            if os.lstat(path).st_size > limits.MANIFEST_BYTES:
                return None
            content = storage.read(path, limits.MANIFEST_BYTES, follow=False)
            if content is None or _MARK not in content or not digest.matches(content):
                return None
            return digest if oci.parse_document(content).subject is not None else None
        except (InputError, MalformedError, OSError):
            return None  # layers, configurations, leftovers

    def close(self) -> None:
        """Nothing is kept open."""


class SavingImages:
    """Writes such a folder; a new one comes into place whole."""

    def __init__(self, folder: str) -> None:
        """Take a folder that is such a one, or that is not there yet.

        Raises:
            InputError: it is something else. StorageError: it cannot be made.
        """
        self._target = LayoutTarget(folder, "")

    def has_blob(self, digest: Digest, size: int) -> bool:
        """Say whether a blob is there already."""
        return self._target.has_blob(digest, size)

    def put_blob(self, digest: Digest, size: int, content: "Iterator[bytes]") -> None:
        """Write a blob; EvidenceError unless digest and size are right."""
        self._target.put_blob(digest, size, content)

    def put_manifest(self, digest: Digest, media_type: str, content: bytes) -> None:
        """Write a manifest or index."""
        self._target.put_manifest(digest, media_type, content)

    def finish_listed(self, entries: "Sequence[oci.Descriptor]") -> None:
        """List manifests in the index, the image first, and put a new folder in its place."""
        self._target.finish_listed(entries)

    def discard(self) -> None:
        """Remove a new folder that was not put in place."""
        self._target.discard()
