"""OCI layout folders, as image-spec 1.1 (image-layout.md) has them: blobs by digest, and an index of names."""

import os
import stat

from countermark.adapters import storage
from countermark.adapters.image_files import checked
from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    EvidenceError,
    InputError,
    MalformedError,
    NotFoundError,
    StorageError,
)
from countermark.formats import oci, strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REF_NAME = "org.opencontainers.image.ref.name"
_LAYOUT = strict_json.compact({"imageLayoutVersion": "1.0.0"})
_MARKER = "oci-layout"
_INDEX = "index.json"
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755  # images are no secrets, and others read layouts too


def blob_path(folder: str, digest: Digest) -> str:
    """Where a blob lies."""
    return os.path.join(folder, "blobs", digest.algorithm, digest.hex)


def read_index(folder: str) -> oci.Index | None:
    """Read a layout's index, None where there is no folder.

    Raises:
        InputError: a folder that is no layout. EvidenceError: its files are wrong.
    """
    if not os.path.lexists(folder):
        return None
    marker = storage.read(os.path.join(folder, _MARKER), 4096, follow=False)
    if marker is None:
        raise InputError(f"{folder} is not an OCI layout: it has no file {_MARKER}")
    version = strict_json.Reader(strict_json.parse(marker)).text("imageLayoutVersion")
    if version != "1.0.0":
        raise MalformedError(
            f"{folder}: OCI layout version {version[:40]!r}", code=Code.NOT_SUPPORTED
        )
    for part in ("blobs", "blobs/sha256", "blobs/sha512"):
        if os.path.islink(os.path.join(folder, part)):
            raise MalformedError(f"{folder}/{part} is a link", code=Code.INSECURE)
    content = storage.read(os.path.join(folder, _INDEX), limits.MANIFEST_BYTES, follow=False)
    if content is None:
        raise MalformedError(f"{folder} has no {_INDEX}")
    return oci.parse_index(content)


class LayoutSource:
    """An image in an OCI layout folder: ImageSource.

    Who can write the folder chooses the image; what a digest names is checked. Links in it are not followed.
    """

    def __init__(self, folder: str, name: str) -> None:
        """Find the image: by name, else the only one.

        Raises:
            NotFoundError: no folder, no such name, or several images and no name.
            InputError, EvidenceError: as ``read_index``.
        """
        self._folder = folder
        index = read_index(folder)
        if index is None:
            raise NotFoundError(f"no such folder: {folder}")
        self._root = _chosen(index, name, folder)

    def root(self) -> tuple[bytes, str]:
        """Return the manifest or index itself, and its media type."""
        return self._manifest(self._root.digest), self._root.media_type

    def manifest(self, digest: Digest) -> tuple[bytes, str]:
        """Return a manifest that the root names, and its media type.

        Raises:
            NotFoundError: it is not in the folder. EvidenceError: it is not what its digest says.
        """
        content = self._manifest(digest)
        return content, oci.parse_document(content).media_type

    def _manifest(self, digest: Digest) -> bytes:
        content = storage.read(blob_path(self._folder, digest), limits.MANIFEST_BYTES, follow=False)
        if content is None:
            raise NotFoundError(f"{self._folder} has no {digest}")
        if not digest.matches(content):
            raise EvidenceError(
                f"{self._folder}: the bytes are not those of {digest}", code=Code.CHECKSUM
            )
        return content

    def open_blob(self, digest: Digest, size: int) -> "Iterator[bytes]":
        """Yield a blob's bytes; the last step raises EvidenceError unless digest and size are right."""
        return checked(read_pieces(blob_path(self._folder, digest)), digest, size)

    def close(self) -> None:
        """Nothing is kept open."""


def _chosen(index: oci.Index, name: str, folder: str) -> oci.Descriptor:
    found = [m for m in index.manifests if not name or m.annotations.get(REF_NAME) == name]
    if len({m.digest for m in found}) == 1:
        return found[0]
    names = sorted(m.annotations.get(REF_NAME, str(m.digest)) for m in index.manifests)
    if not found:
        raise NotFoundError(
            f"{folder} has no image {name!r}" if name else f"{folder} has no image",
            hint=f"it has {', '.join(names)[:400]}" if names else "",
        )
    raise NotFoundError(
        f"{folder} has several images",
        hint=f"name one: oci:{folder}:NAME; it has {', '.join(names)[:400]}",
    )


def read_pieces(path: str, start: int = 0, size: int | None = None) -> "Iterator[bytes]":
    """Yield the bytes of a regular file, or of a part of it; a link is none.

    Raises:
        NotFoundError: there is no such file. StorageError: it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise NotFoundError(f"no such file: {path}") from None
    except OSError as error:
        raise storage.translated(error, f"cannot read {path}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StorageError(f"cannot read {path}: not a regular file", code=Code.INSECURE)
        left = os.fstat(descriptor).st_size - start if size is None else size
        while left > 0:
            piece = os.pread(descriptor, min(left, limits.BLOB_CHUNK), start)
            if not piece:
                return
            start += len(piece)
            left -= len(piece)
            yield piece
    except OSError as error:
        raise storage.translated(error, f"cannot read {path}") from None
    finally:
        os.close(descriptor)


class LayoutTarget:
    """An image being written to an OCI layout folder: ImageTarget.

    A new folder is made beside its place and renamed when all is in it. Into a layout that is there, blobs are added,
    and the index changes last: readers see the old names or the new one. Blobs of an unfinished image may remain; no
    name leads to them.
    """

    takes_index = True

    def __init__(self, folder: str, name: str) -> None:
        """Take a folder that is a layout, or that is not there yet; ``name`` may be "".

        Raises:
            InputError: another folder or file. StorageError: a new one cannot be made there.
        """
        self._final, self._name = folder.rstrip("/") or "/", name
        self._is_new = read_index(folder) is None
        self._folder = self._final
        self._types: dict[Digest, tuple[str, int]] = {}
        if self._is_new:
            self._folder = f"{self._final}.{os.urandom(8).hex()}.tmp"
            self._make(self._folder)
            self._write(os.path.join(self._folder, _MARKER), _LAYOUT)

    def has_blob(self, digest: Digest, size: int) -> bool:
        """Say whether a blob is there already, as far as its length shows."""
        try:
            found = os.lstat(blob_path(self._folder, digest))
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == size

    def put_blob(self, digest: Digest, size: int, content: "Iterator[bytes]") -> None:
        """Write a blob; EvidenceError unless digest and size are right."""
        path = blob_path(self._folder, digest)
        self._make(os.path.dirname(path))
        with storage.Replacement(path, mode=_FILE_MODE) as new:
            for piece in checked(content, digest, size):
                new.write(piece)

    def put_manifest(self, digest: Digest, media_type: str, content: bytes) -> None:
        """Write a manifest or index; what it names has been written before."""
        self.put_blob(digest, len(content), iter((content,)))
        self._types[digest] = (media_type, len(content))

    def finish(self, root: Digest) -> None:
        """Name the image in the index, and put a new folder in its place.

        Raises:
            StorageError: something has come into that place meanwhile, or the disk is full.
        """
        media_type, size = self._types[root]
        annotations = {REF_NAME: self._name} if self._name else {}
        self.finish_listed(
            [oci.Descriptor(media_type=media_type, digest=root, size=size, annotations=annotations)]
        )

    def finish_listed(self, entries: "Sequence[oci.Descriptor]") -> None:
        """Put several manifests into the index, the image first, and a new folder in its place.

        Raises:
            As ``finish``.
        """
        root = entries[0].digest
        with storage.Lock(os.path.join(self._folder, _MARKER)):  # ours only, and no file more
            index = None if self._is_new else read_index(self._folder)
            others = [m for m in index.manifests if not self._replaces(m, root)] if index else []
            listed = {entry.digest for entry in entries[1:]}
            others = [m for m in others if m.digest not in listed]
            content = oci.encode_index([*others, *entries])
            self._write(os.path.join(self._folder, _INDEX), content)
        if self._is_new:
            self._rename()

    def _replaces(self, other: oci.Descriptor, root: Digest) -> bool:
        named = other.annotations.get(REF_NAME, "")
        return named == self._name if self._name else other.digest == root and not named

    def _rename(self) -> None:
        try:
            os.rename(self._folder, self._final)  # fails where a folder with something in it is
            storage.sync_folder(os.path.dirname(self._final) or ".")
        except OSError as error:
            raise storage.translated(error, f"cannot make {self._final}") from None
        self._folder = self._final
        self._is_new = False

    def discard(self) -> None:
        """Remove a new folder that was not put in place."""
        if self._is_new:
            remove_tree(self._folder)

    def _make(self, folder: str) -> None:
        try:
            os.makedirs(folder, _FOLDER_MODE, exist_ok=True)
        except OSError as error:
            raise storage.translated(error, f"cannot make {folder}") from None

    def _write(self, path: str, content: bytes) -> None:
        storage.write(path, content, mode=_FILE_MODE)


def remove_tree(folder: str) -> None:
    """Remove a folder of ours with all that is in it; what cannot be removed stays."""
    import shutil  # noqa: PLC0415 - only where something is thrown away

    shutil.rmtree(folder, ignore_errors=True)
