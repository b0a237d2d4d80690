"""Files that cosign's commands are given, and what is read from them."""

from countermark.adapters import given_files
from countermark.core import limits
from countermark.schemes.cosign.material import Artifact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program


def read(program: "Program", place: str, max_bytes: int = limits.SIGNATURE_BYTES) -> bytes:
    """Read a file, a variable or a URL.

    Raises:
        InputError: there is none. MalformedError, StorageError, UnavailableError: it cannot be read.
    """
    return given_files.load(place, program.http, program.environment, max_bytes)


def artifact(program: "Program", place: str) -> Artifact:
    """Take the file that is signed: from a path, ``-`` for standard input, a variable, a URL.

    Raises:
        As ``read``.
    """
    if place == "-":
        return _held(program.standard_input(limits.HELD_ARTIFACT_BYTES))
    if "://" in place:
        return _held(read(program, place, limits.HELD_ARTIFACT_BYTES))
    file = given_files.LocalFile(place)
    return Artifact(file.hashed, file.content)


def _held(content: bytes) -> Artifact:
    import hashlib

    return Artifact(lambda name: hashlib.new(name, content).digest(), lambda: content)
