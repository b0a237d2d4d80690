"""Docker archives, read: the tar files that docker save writes, as one image with a manifest."""

import re

from countermark.adapters import storage
from countermark.adapters.image_files import checked
from countermark.adapters.oci_layout import read_pieces
from countermark.adapters.tar_members import Member, members, plain_file
from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import Code, InputError, MalformedError, NotFoundError
from countermark.core.reference import ImageReference
from countermark.core.value import Value
from countermark.formats import oci, strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
# how a compressed layer begins, and what its media type ends with
_COMPRESSIONS = ((b"\x1f\x8b", "+gzip"), (b"\x28\xb5\x2f\xfd", "+zstd"))
_UNKNOWN = (b"BZh", b"\xfd7zXZ\x00")  # docker load takes them, registries have no type for them
_NUMBER = re.compile(r"@[0-9]{1,6}")


class ArchivedImage(Value):
    """What ``manifest.json`` says of one image: names of members, and the image's own names."""

    config: str
    layers: tuple[str, ...]
    names: tuple[str, ...]


class ArchiveSource:
    """An image in a docker archive: ImageSource.

    The archive has no manifest of a registry's kind, so one is made here, OCI's, with the layers as they are. Who can
    write the file chooses the image. Members that lead out of the archive are refused.
    """

    def __init__(
        self, path: str, name: str, temporary_folder: str, *, is_temporary: bool = False
    ) -> None:
        """Find the image: by reference or ``@N``, else the only one. A compressed archive is unpacked first.

        ``is_temporary``: the file is removed when this is closed.

        Raises:
            NotFoundError: no file, or no such image. EvidenceError: no archive, or one that is cut off.
            StorageError: it cannot be read or unpacked.
        """
        self._path, unpacked = plain_file(path, temporary_folder)
        self._temporary = unpacked or is_temporary
        try:
            self._members = members(self._path)
            self._image = _chosen(self._images(), name, path)
            self._blobs: dict[Digest, Member] = {}
            self._manifest = self._made()
        except BaseException:
            self.close()
            raise

    def _images(self) -> tuple[ArchivedImage, ...]:
        listed = strict_json.parse(self._small("manifest.json"))
        if not isinstance(listed, list):
            raise MalformedError("manifest.json is not a list", path="manifest.json")
        found = []
        for place, value in enumerate(listed):
            entry = strict_json.Reader(value, f"manifest.json[{place}]")
            found.append(
                ArchivedImage(
                    config=entry.text("Config"),
                    layers=entry.texts("Layers") if entry.has("Layers") else (),
                    names=entry.texts("RepoTags") if entry.has("RepoTags") else (),
                )
            )
        return tuple(found)

    def _made(self) -> bytes:
        """Make the manifest: the config and the layers as they lie in the archive, and their digests."""
        config = self._small(self._image.config)
        declared = strict_json.Reader(strict_json.parse(config)).object("rootfs").texts("diff_ids")
        if len(declared) != len(self._image.layers):
            raise MalformedError(
                f"{len(self._image.layers)} layers, and the config has {len(declared)}",
                path="rootfs.diff_ids",
            )
        if len(declared) > limits.LAYERS:
            raise MalformedError(f"more than {limits.LAYERS} layers", code=Code.TOO_LARGE)
        digest = Digest.of(config)
        self._blobs[digest] = self._member(self._image.config)
        layers = [
            self._layer(name, diff_id)
            for name, diff_id in zip(self._image.layers, declared, strict=True)
        ]
        described = oci.Descriptor(media_type=_CONFIG, digest=digest, size=len(config))
        return strict_json.compact(
            {
                "schemaVersion": 2,
                "mediaType": oci.OCI_MANIFEST,
                "config": described.encode(),
                "layers": [layer.encode() for layer in layers],
            }
        )

    def _layer(self, name: str, diff_id: str) -> oci.Descriptor:
        member = self._member(name)
        start = b"".join(read_pieces(self._path, member.start, min(member.size, 8)))
        if start.startswith(_UNKNOWN):
            raise MalformedError(
                f"layer {name[:80]} is compressed in an odd way", code=Code.NOT_SUPPORTED
            )
        ending = next((word for magic, word in _COMPRESSIONS if start.startswith(magic)), "")
        # a plain layer's diff ID is its digest, and is checked when it is read
        digest = self._hashed(member) if ending else _digest(diff_id)
        self._blobs[digest] = member
        return oci.Descriptor(media_type=_LAYER + ending, digest=digest, size=member.size)

    def _hashed(self, member: Member) -> Digest:
        from hashlib import sha256  # noqa: PLC0415 - compressed layers only

        hasher = sha256()
        for piece in read_pieces(self._path, member.start, member.size):
            hasher.update(piece)
        return Digest(algorithm="sha256", hex=hasher.hexdigest())

    def _member(self, name: str) -> Member:
        member = self._members.get(name)
        if member is None:
            raise MalformedError(
                f"the archive has no {name[:80]!r}: it is cut off, or not docker's"
            )
        return member

    def _small(self, name: str) -> bytes:
        member = self._member(name)
        if member.size > limits.JSON_BYTES:
            raise MalformedError(f"{name[:80]} is too long", code=Code.TOO_LARGE)
        return b"".join(read_pieces(self._path, member.start, member.size))

    def root(self) -> tuple[bytes, str]:
        """Return the manifest, and its media type."""
        return self._manifest, oci.OCI_MANIFEST

    def manifest(self, digest: Digest) -> tuple[bytes, str]:
        """Return the manifest, the only one.

        Raises:
            NotFoundError: another digest.
        """
        if not digest.matches(self._manifest):
            raise NotFoundError(f"the archive has no {digest}")
        return self.root()

    def open_blob(self, digest: Digest, size: int) -> "Iterator[bytes]":
        """Yield a blob's bytes; the last step raises EvidenceError unless digest and size are right."""
        member = self._blobs.get(digest)
        if member is None:
            raise NotFoundError(f"the archive has no {digest}")
        return checked(read_pieces(self._path, member.start, member.size), digest, size)

    def close(self) -> None:
        """Remove what was unpacked."""
        if self._temporary:
            storage.remove(self._path, durable=False)
            self._temporary = False


def _digest(text: str) -> Digest:
    try:
        return Digest.parse(text)
    except InputError as error:
        raise MalformedError(f"rootfs.diff_ids: {error}", path="rootfs.diff_ids") from None


def _chosen(images: tuple[ArchivedImage, ...], name: str, path: str) -> ArchivedImage:
    if _NUMBER.fullmatch(name):
        found = list(images[int(name[1:]) :][:1])
    elif name:
        wanted = str(ImageReference.parse(name).with_default_tag())
        found = [image for image in images if wanted in _full_names(image)]
    else:
        found = list(images)
    if len(found) == 1:
        return found[0]
    names = ", ".join(tag for image in images for tag in image.names)[:400]
    if not found:
        raise NotFoundError(
            f"{path} has no image {name!r}", hint=f"it has {names}" if names else ""
        )
    raise NotFoundError(f"{path} has several images", hint=f"name one of {names}, or @0, @1, ...")


def _full_names(image: ArchivedImage) -> list[str]:
    found = []
    for name in image.names:
        try:
            found.append(str(ImageReference.parse(name).with_default_tag()))
        except InputError:
            continue  # a name that cannot be asked for
    return found
