"""Docker archives, written: tar files that docker load and skopeo take."""

import os
import tarfile
from threading import Lock

from countermark.adapters import storage
from countermark.adapters.image_files import checked
from countermark.core.digest import Digest
from countermark.core.errors import InputError, MalformedError
from countermark.core.reference import ImageReference
from countermark.formats import oci, strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE_MODE = 0o644


class ArchiveTarget:
    """An image for one platform being written to a docker archive: ImageTarget.

    Blobs stay as they are, compressed layers too; docker and skopeo unpack them when they load. The file takes its
    place when all of it is there.
    """

    takes_index = False

    def __init__(self, path: str, name: str) -> None:
        """Take a file's path, and the name that docker load gives the image, "" for none.

        Raises:
            InputError: a name that is no reference with a tag, or a folder in the file's place.
            StorageError: the file cannot be written.
        """
        self._names = [_checked_name(name)] if name else []
        if os.path.isdir(path):
            raise InputError(f"{path} is a folder, and an archive is a file")
        self._lock = Lock()
        self._written: dict[Digest, str] = {}
        self._manifest: oci.Manifest | None = None
        self._file = storage.Replacement(path, mode=_FILE_MODE)
        self._file.__enter__()
        self._open = True

    def has_blob(self, digest: Digest, size: int) -> bool:
        """Say whether a blob has been written into this archive."""
        del size
        with self._lock:
            return digest in self._written

    def put_blob(self, digest: Digest, size: int, content: "Iterator[bytes]") -> None:
        """Write a blob; EvidenceError unless digest and size are right. One at a time: a tar file has one end."""
        name = f"{digest.hex}.tar"
        with self._lock:
            self._add(name, size, checked(content, digest, size))
            self._written[digest] = name

    def put_manifest(self, digest: Digest, media_type: str, content: bytes) -> None:
        """Remember the manifest, which is not written as such.

        Raises:
            MalformedError: it is an index.
        """
        del digest
        self._manifest = oci.parse_manifest(content, media_type)

    def finish(self, root: Digest) -> None:
        """Write the list of images and the archive's end, and put the file in its place."""
        del root  # the only manifest there is
        if self._manifest is None:
            raise MalformedError("no manifest was written")
        missing = [str(d.digest) for d in self._manifest.layers if d.digest not in self._written]
        if missing:
            raise MalformedError(f"layers that are not to be had: {', '.join(missing)[:200]}")
        entry = {
            "Config": self._written[self._manifest.config.digest],
            "RepoTags": self._names,
            "Layers": [self._written[layer.digest] for layer in self._manifest.layers],
        }
        listed = strict_json.compact([entry])
        self._add("manifest.json", len(listed), iter((listed,)))
        self._file.write(b"\0" * (2 * tarfile.BLOCKSIZE))
        self._open = False
        self._file.__exit__(None, None, None)

    def _add(self, name: str, size: int, pieces: "Iterator[bytes]") -> None:
        info = tarfile.TarInfo(name)
        info.size = size
        info.mode = _FILE_MODE  # no time and no owner: the same image is the same file
        self._file.write(info.tobuf(tarfile.GNU_FORMAT))
        for piece in pieces:
            self._file.write(piece)
        self._file.write(b"\0" * (-size % tarfile.BLOCKSIZE))

    def discard(self) -> None:
        """Remove the unfinished file."""
        if self._open:
            self._open = False
            self._file.__exit__(InterruptedError, None, None)


def _checked_name(name: str) -> str:
    reference = ImageReference.parse(name).with_default_tag()
    if reference.digest is not None:
        raise InputError(f"{name}: an archive's image has a name with a tag, not a digest")
    return reference.familiar
