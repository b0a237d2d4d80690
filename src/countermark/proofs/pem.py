"""PEM as Go reads and writes it: headers are sorted, and a blank line after them may be missing.

Certificates in trust data are PEM texts whose every byte is part of a key ID, so writing follows Go's
``encoding/pem`` to the letter. Source: specs, notary v1, 1.4 and 3.2.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from countermark.core.errors import MalformedError
from countermark.core.light import Mapping
from countermark.core.value import Value

_BEGIN, _END, _DASHES = b"-----BEGIN ", b"-----END ", b"-----"
_COLUMNS = 48  # bytes in a line of 64 characters
_BLOCKS = 1_000  # of one file; a file of keys has a handful


class Block(Value):
    """One block: its type (as ``CERTIFICATE``), its headers, its bytes."""

    type: str
    content: bytes
    headers: Mapping[str, str] = {}  # noqa: RUF012 - frozen, and never written to

    def _check(self) -> None:
        if any(not text.isprintable() for text in (self.type, *self.headers.values())):
            raise MalformedError("PEM header with a control character")

    def encode(self) -> bytes:
        """Write it as Go does: ``Proc-Type`` first, other headers sorted, lines of 64 columns."""
        lines = [_BEGIN + self.type.encode() + _DASHES]
        if self.headers:
            names = sorted(self.headers, key=lambda name: (name != "Proc-Type", name))
            lines += [f"{name}: {self.headers[name]}".encode() for name in names]
            lines.append(b"")
        lines += [
            b2a_base64(self.content[i : i + _COLUMNS], newline=False)
            for i in range(0, len(self.content), _COLUMNS)
        ]
        lines.append(_END + self.type.encode() + _DASHES)
        return b"\n".join(lines) + b"\n"


def parse(text: bytes) -> tuple[Block, ...]:
    """Read all blocks of a text; what stands between them is passed over.

    Raises:
        MalformedError: a block is broken or does not end. (Go passes over such a block, and so loses keys silently.)
    """
    found: list[Block] = []
    lines = iter(text.split(b"\n"))
    for line in lines:
        name = _label(line, _BEGIN)
        if name is None:
            continue
        if len(found) == _BLOCKS:
            raise MalformedError(f"more than {_BLOCKS} PEM blocks")
        inside: list[bytes] = []
        for inner in lines:
            if inner.startswith(_END):
                break
            inside.append(inner)
        else:
            raise MalformedError("PEM block does not end")
        if _label(inner, _END) != name:
            raise MalformedError("PEM block ends under another name")
        found.append(_block(name, inside))
    return tuple(found)


def _label(line: bytes, prefix: bytes) -> bytes | None:
    line = line.rstrip(b" \t\r")
    if not line.startswith(prefix) or not line.endswith(_DASHES):
        return None
    return line[len(prefix) : -len(_DASHES)]


def _block(name: bytes, lines: list[bytes]) -> Block:
    headers: dict[str, str] = {}
    try:
        for used, line in enumerate(lines):  # noqa: B007 - how many were headers
            key, colon, value = line.partition(b":")
            if not colon:
                break
            headers[key.decode().strip()] = value.decode().strip()
        else:
            used = len(lines)
        body = b"".join(b"".join(lines[used:]).split())
        return Block(
            type=name.decode(), content=a2b_base64(body, strict_mode=True), headers=headers
        )
    except (Base64Error, UnicodeDecodeError, ValueError):
        raise MalformedError("PEM block is not base64") from None
