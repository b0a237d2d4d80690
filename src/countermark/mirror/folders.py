"""Saved images: what the index of their folder lists, and how what lies beside them is found again."""

from countermark.core.digest import Digest
from countermark.core.errors import InputError
from countermark.core.ports import ImageSource
from countermark.formats import oci
from countermark.formats.oci import Descriptor
from countermark.mirror.look import Load
from countermark.mirror.ports import SavedFolder
from countermark.schemes.cosign import beside
from countermark.schemes.cosign.beside import REFERRER, SUFFIXES, Attached
from countermark.schemes.cosign.find import legacy_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_KIND = "kind"  # cosign's annotation in the index of a saved image
_IMAGE, _INDEX = "dev.cosignproject.cosign/image", "dev.cosignproject.cosign/imageIndex"
_TAG_KINDS = {"sig": "dev.cosignproject.cosign/sigs", "att": "dev.cosignproject.cosign/atts"}
_OUR_KIND = "dev.countermark/"  # what cosign's save leaves out: its load passes over kinds that it does not know
_NAME = "org.opencontainers.image.ref.name"


def entries(load: Load, tag: str) -> "Iterator[Descriptor]":
    """What the index of a saved image lists: the image first, as cosign marks it; then what lies beside it."""
    root = load.root
    kind = _INDEX if root.media_type in oci.INDEXES else _IMAGE
    yield _entry(root.digest, root.media_type, root.content, {_KIND: kind, _NAME: tag})
    for each in load.beside:
        found = each.attached
        kind = _TAG_KINDS.get(found.kind, "") if each.subject == root.digest else ""
        annotations = {_KIND: kind or _OUR_KIND + found.kind}
        if found.kind != REFERRER:
            annotations[_NAME] = found.name
        yield _entry(found.digest, found.media_type, found.content, annotations)


def _entry(
    digest: Digest, media_type: str, content: bytes, annotations: "Mapping[str, str]"
) -> Descriptor:
    return Descriptor(
        media_type=media_type,
        digest=digest,
        size=len(content),
        artifact_type=oci.parse_document(content, media_type).artifact_type,
        annotations={name: text for name, text in annotations.items() if text},
    )


class Saved:
    """A saved image, and what lies beside it: by the index's marks, and by what names a subject."""

    def __init__(self, folder: SavedFolder) -> None:
        """Look through a folder.

        Raises:
            InputError: no image was saved there, or several. EvidenceError, StorageError: it cannot be read.
        """
        self._folder = folder
        entries = folder.entries()
        images = [each for each in entries if each.annotations.get(_KIND) in (_IMAGE, _INDEX)]
        if len({each.digest for each in images}) != 1:
            raise InputError(
                f"the folder holds {len(images)} images that were saved, expected is one"
            )
        self._root = images[0]
        self._tagged: dict[str, Descriptor] = {}
        for each in entries:
            tag = self._tag(each)
            if tag:
                self._tagged.setdefault(tag, each)
        self._referrers: dict[Digest, list[Attached]] = {}
        for digest in folder.referring():
            self._read(digest)

    def _tag(self, entry: Descriptor) -> str:
        """The tag under which an entry belongs, "" where it is none of those beside an image."""
        name = entry.annotations.get(_NAME, "")
        digest, _, suffix = name.rpartition(".")
        if suffix in SUFFIXES and digest.startswith("sha256-") and len(digest) == 71:
            return name
        for kind, mark in _TAG_KINDS.items():
            if entry.annotations.get(_KIND) == mark:
                return legacy_tag(self._root.digest, kind)
        return ""

    def _read(self, digest: Digest) -> None:
        content, media_type = self._folder.manifest(digest)
        named = oci.referrer_of(content, media_type)
        if named is not None:
            found = beside.read(REFERRER, str(digest), content, media_type)
            self._referrers.setdefault(named[0], []).append(found)

    def image(self) -> ImageSource:
        """The image, as a source."""
        return _FolderImage(self._folder, self._root.digest)

    def attached(self, subject: Digest) -> "Sequence[Attached]":
        """What lies beside a manifest."""
        found: list[Attached] = []
        for suffix in SUFFIXES:
            tag = legacy_tag(subject, suffix)
            if tag in self._tagged:
                found.append(
                    beside.read(suffix, tag, *self._folder.manifest(self._tagged[tag].digest))
                )
        return [*found, *self._referrers.get(subject, ())]


class _FolderImage:
    """The image in a folder, as a source."""

    def __init__(self, folder: SavedFolder, root: Digest) -> None:
        self._folder, self._root = folder, root

    def root(self) -> tuple[bytes, str]:
        return self._folder.manifest(self._root)

    def manifest(self, digest: Digest) -> tuple[bytes, str]:
        return self._folder.manifest(digest)

    def open_blob(self, digest: Digest, size: int) -> "Iterator[bytes]":
        return self._folder.open_blob(digest, size)

    def close(self) -> None:
        self._folder.close()
