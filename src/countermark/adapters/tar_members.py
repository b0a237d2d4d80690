"""What lies where in a tar file: regular members only, none that leads elsewhere."""

import os
import posixpath
import tarfile

from countermark.adapters import storage
from countermark.adapters.oci_layout import read_pieces
from countermark.core import limits
from countermark.core.errors import Code, MalformedError
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

MAX_MEMBERS = 100_000  # docker writes three or four for each layer
_HEADER_READ = limits.MIB  # the longest name or extended header that is read
_GZIP = b"\x1f\x8b"


class Member(Value):
    """A regular member's bytes: ``size`` of them from ``start`` in the archive."""

    start: int
    size: int


class _Bounded:
    """A file that is read in small pieces only: tarfile reads an extended header as long as it says it is."""

    def __init__(self, file: "IO[bytes]") -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _HEADER_READ:
            raise MalformedError("a tar header is too long", code=Code.TOO_LARGE)
        return self._file.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()


def members(path: str) -> dict[str, Member]:
    """List a tar file's members by name. Links count where they lead to a member, as docker save writes them.

    Raises:
        MalformedError: no tar file, cut off, or a member that leads elsewhere or is there twice.
    """
    found: dict[str, Member] = {}
    links: dict[str, str] = {}
    try:
        with open(path, "rb") as file, tarfile.open(fileobj=_Bounded(file), mode="r:") as archive:  # type: ignore[call-overload]
            for place, info in enumerate(archive):
                if place >= MAX_MEMBERS:
                    raise MalformedError(f"more than {MAX_MEMBERS} members", code=Code.TOO_LARGE)
                _take(info, found, links)
                archive.members = []  # tarfile keeps every member that it has seen
            _check_end(file.seek(0, os.SEEK_END), found)
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise MalformedError(f"{path} is no tar archive, or cut off: {str(error)[:80]}") from None
    except OSError as error:
        raise storage.translated(error, f"cannot read {path}") from None
    for name, target in links.items():
        if target in found:
            found.setdefault(name, found[target])
    return found


def _take(info: tarfile.TarInfo, found: dict[str, Member], links: dict[str, str]) -> None:
    name = _inside(info.name)
    if info.isdir():
        return
    if name in found or name in links:
        raise MalformedError(f"{name[:80]!r} is in the archive twice")
    if info.issym():
        links[name] = _inside(posixpath.join(posixpath.dirname(name), info.linkname))
    elif info.islnk():
        links[name] = _inside(info.linkname)
    elif info.isreg() and not info.issparse():
        found[name] = Member(start=info.offset_data, size=info.size)
    else:
        raise MalformedError(f"{name[:80]!r} is no regular file", code=Code.INSECURE)


def _inside(name: str) -> str:
    """Return a member's name without ``./``, refuse one that leads out of the archive."""
    plain = posixpath.normpath(name)
    if not name or plain.startswith(("/", "../")) or plain == ".." or "\0" in name:
        raise MalformedError(f"{name[:80]!r} leads out of the archive", code=Code.INSECURE)
    return plain


def _check_end(length: int, found: dict[str, Member]) -> None:
    if any(member.start + member.size > length for member in found.values()):
        raise MalformedError("the archive is cut off")


def plain_file(path: str, temporary_folder: str) -> tuple[str, bool]:
    """Unpack a gzip-compressed archive into a temporary file: the file to read, and whether it is temporary.

    How large it gets is bounded by the disk alone.

    Raises:
        NotFoundError: no such file. MalformedError: it does not unpack. StorageError: no room, or not readable.
    """
    start = b"".join(read_pieces(path, 0, 2))
    if start != _GZIP:
        return path, False
    import gzip  # noqa: PLC0415 - compressed archives only
    import zlib  # noqa: PLC0415 - as above

    target = os.path.join(temporary_folder, f"countermark-{os.urandom(8).hex()}.tar")
    try:
        with gzip.open(path, "rb") as packed, storage.Replacement(target, durable=False) as new:
            while piece := packed.read(limits.BLOB_CHUNK):
                new.write(piece)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise MalformedError(f"{path} does not unpack: {str(error)[:80]}") from None
    except OSError as error:
        raise storage.translated(error, f"cannot unpack {path}") from None
    return target, True
