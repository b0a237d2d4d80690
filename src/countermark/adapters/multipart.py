"""Several files in one request body (RFC 7578), as Notary v1 servers take them."""

from countermark.core.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_BOUNDARY = b"countermark"


def encode_files(files: "Mapping[str, bytes]") -> tuple[str, bytes]:
    """Write files as parts called ``files`` with the names as file names; return the Content-Type and the body.

    The boundary is the same every time for the same files and occurs in none of them.

    Raises:
        InputError: a name has characters that would end the quotes around it.
    """
    number = 0
    while any(_delimiter(number) in content for content in files.values()):
        number += 1
    delimiter = _delimiter(number)
    parts: list[bytes] = []
    for name, content in files.items():
        if not name or not name.isprintable() or set(name) & set('"\\'):
            raise InputError(f"not a name of a file: {name[:80]!r}")
        parts += (
            delimiter,
            b'\r\nContent-Disposition: form-data; name="files"; filename="',
            name.encode("utf-8"),
            b'"\r\nContent-Type: application/octet-stream\r\n\r\n',
            content,
            b"\r\n",
        )
    body = b"".join((*parts, delimiter, b"--\r\n"))
    return f"multipart/form-data; boundary={delimiter[2:].decode('ascii')}", body


def _delimiter(number: int) -> bytes:
    return b"--%b-%06d" % (_BOUNDARY, number)
