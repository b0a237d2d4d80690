"""Images in files: OCI layouts and docker archives."""

from hashlib import sha256, sha512

from countermark.core.digest import Digest
from countermark.core.errors import Code, InputError, MalformedError
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from countermark.core.ports import ImageSource, ImageTarget
    from countermark.core.reference import ImageReference

_OCI, _ARCHIVE = "oci:", "docker-archive:"
KINDS = "oci:DIR[:NAME], docker-archive:FILE[:REF], docker-daemon:IMAGE"


class FilePlace(Value):
    """A place in files, in skopeo's notation: ``oci:DIR[:NAME]`` or ``docker-archive:FILE[:REF]``.

    A path has no colon, as skopeo has it, so that what follows the first one is the name.
    """

    kind: str
    path: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> "FilePlace":
        """Read a place.

        Raises:
            InputError: another kind, or no path.
        """
        for kind in (_OCI, _ARCHIVE):
            if text.startswith(kind):
                path, _, name = text.removeprefix(kind).partition(":")
                if not path:
                    raise InputError(f"{text}: there is no path")
                return cls(kind=kind, path=path, name=name)
        raise InputError(f"not a place for images: {text[:80]!r}", hint=f"these are: {KINDS}")


def open_source(text: str, temporary_folder: str) -> "ImageSource":
    """Open an image in files for reading; ``temporary_folder`` is where compressed archives are unpacked.

    Raises:
        InputError: no such place. NotFoundError: no such image. EvidenceError: what is there is none.
        StorageError: it cannot be read.
    """
    place = FilePlace.parse(text)
    if place.kind == _OCI:
        from countermark.adapters.oci_layout import LayoutSource  # noqa: PLC0415 - only what is used

        return LayoutSource(place.path, place.name)
    from countermark.adapters.docker_archive import ArchiveSource  # noqa: PLC0415 - as above

    return ArchiveSource(place.path, place.name, temporary_folder)


def open_target(text: str, reference: "ImageReference") -> "ImageTarget":
    """Open a place in files for writing; without a name the image gets the reference's.

    Raises:
        InputError: no such place, or a folder that is no OCI layout.
        StorageError: it cannot be written to.
    """
    place = FilePlace.parse(text)
    if place.kind == _OCI:
        from countermark.adapters.oci_layout import LayoutTarget  # noqa: PLC0415 - only what is used

        return LayoutTarget(place.path, place.name or reference.tag or "")
    from countermark.adapters.docker_archive_writing import ArchiveTarget  # noqa: PLC0415 - as above

    familiar = reference.replace(digest=None).familiar if reference.tag else ""
    return ArchiveTarget(place.path, place.name or familiar)


def checked(pieces: "Iterator[bytes]", digest: Digest, size: int) -> "Iterator[bytes]":
    """Pass bytes on, and raise at their end unless they were the right ones.

    Raises:
        MalformedError: ``checksum``, another digest or length.
    """
    hasher = sha256() if digest.algorithm == "sha256" else sha512()
    count = 0
    for piece in pieces:
        count += len(piece)
        if count > size:
            break
        hasher.update(piece)
        yield piece
    if count != size:
        more = "more" if count > size else "fewer"
        raise MalformedError(f"{digest} has {more} than {size} bytes", code=Code.CHECKSUM)
    if hasher.hexdigest() != digest.hex:
        raise MalformedError(f"the bytes are not those of {digest}", code=Code.CHECKSUM)
