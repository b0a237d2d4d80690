"""HTTP/1.1 as bytes: a request's head out, an answer's head and body in, read so that no two readers disagree.

RFC 9112, and stricter where peers have disagreed (request smuggling, response splitting): lines end with CRLF only,
no folded headers, no white space before a colon, Content-Length once and never beside Transfer-Encoding, the only
transfer coding is ``chunked``. Go, which wrote all registries and trust servers, sends nothing else.
"""

from countermark.adapters.http_errors import ResetError, malformed
from countermark.core import limits
from countermark.core.errors import Code, InputError, MalformedError, UnavailableError
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_HEX = frozenset(b"0123456789abcdefABCDEF")
_BAD_IN_VALUE = frozenset(range(32)) - {9} | {127}
_PIECE = 65_536
_MAX_LENGTH_DIGITS = 18  # fits in 63 bits
_MAX_CHUNK_DIGITS = 15


class Headers:
    """Header fields in the order sent; names are lower case."""

    __slots__ = ("_fields",)

    def __init__(self, fields: "Iterable[tuple[str, str]]") -> None:
        self._fields = tuple(fields)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a name."""
        return tuple(value for field, value in self._fields if field == name)

    def one(self, name: str) -> str:
        """The only value of a name, "" where there is none.

        Raises:
            UnavailableError: ``malformed``, it was sent twice, so that readers could take different ones.
        """
        values = self.all(name)
        if len(values) > 1:
            raise malformed(f"{name} sent {len(values)} times")
        return values[0] if values else ""

    def __iter__(self) -> "Iterator[tuple[str, str]]":
        return iter(self._fields)

    def __repr__(self) -> str:
        return f"Headers({', '.join(name for name, _ in self._fields)})"  # values may be secrets


class Head(Value):
    """An answer's first part. ``keeps``: the peer leaves the connection open."""

    status: int
    headers: Headers
    keeps: bool
    reason: str = ""


def request_head(method: str, target: str, fields: "Iterable[tuple[str, str]]") -> bytes:
    """Write a request's head.

    Raises:
        InputError: a line break or another control character in a field, a name that is no token.
    """
    lines = [f"{method} {target} HTTP/1.1".encode("ascii")]
    for name, value in fields:
        raw_name, raw = name.encode("ascii", "replace"), value.encode("utf-8", "replace")
        if not raw_name or not _TOKEN.issuperset(raw_name) or not _BAD_IN_VALUE.isdisjoint(raw):
            raise InputError(f"header {name[:80]!r} has characters that headers cannot have")
        lines.append(raw_name + b": " + raw)
    return b"\r\n".join([*lines, b"", b""])


def parse_head(raw: bytes) -> Head:
    """Read an answer's head, without the empty line that ends it.

    Raises:
        UnavailableError: ``malformed``.
    """
    status_line, *lines = raw.split(b"\r\n")
    version, status, reason = _status_line(status_line)
    if len(lines) > limits.HEADER_LINES:
        raise malformed(f"more than {limits.HEADER_LINES} header lines")
    headers = Headers([_field(line) for line in lines])
    connection = ",".join(headers.all("connection")).lower()
    options = {option.strip() for option in connection.split(",")}
    keeps = "close" not in options and (version == b"HTTP/1.1" or "keep-alive" in options)
    return Head(status=status, headers=headers, keeps=keeps, reason=reason)


def _status_line(line: bytes) -> tuple[bytes, int, str]:
    version, _, rest = line.partition(b" ")
    digits, _, reason = rest.partition(b" ")
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or len(digits) != 3 or not digits.isdigit():
        raise malformed(f"status line {_shown(line)}")
    if digits[:1] not in b"12345" or not _BAD_IN_VALUE.isdisjoint(reason):
        raise malformed(f"status line {_shown(line)}")
    return version, int(digits), reason.decode("latin-1")


def _field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    # a folded line begins with white space, which no token has
    if not colon or not name or not _TOKEN.issuperset(name):
        raise malformed(f"header line {_shown(line)}")
    value = value.strip(b" \t")
    if not _BAD_IN_VALUE.isdisjoint(value):
        raise malformed(f"control characters in header {_shown(name)}")
    return name.decode("ascii").lower(), value.decode("latin-1")


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("latin-1"))


class AnswerReader:
    """Reads the answers of one connection, one after the other, from a function that receives bytes.

    ``receive(max_bytes)`` returns b"" at the end and raises UnavailableError; ``begun`` says for its messages whether
    the answer being read has begun.
    """

    def __init__(self, receive: "Callable[[int], bytes]") -> None:
        self._receive = receive
        self._held = b""
        self.begun = False

    @property
    def at_rest(self) -> bool:
        """Whether nothing has come that no answer has asked for."""
        return not self._held

    def head(self) -> Head:
        """Read the next answer's head, over interim ones (1xx).

        Raises:
            ResetError: the connection ended before it began. UnavailableError: ``malformed``, or it broke off.
        """
        self.begun = False
        for _ in range(limits.INTERIM_ANSWERS + 1):
            head = parse_head(self._head_bytes())
            if head.status == 101:
                raise malformed("switches to a protocol that nobody asked for")
            if head.status >= 200:
                return head
        raise malformed(f"more than {limits.INTERIM_ANSWERS} interim answers")

    def _head_bytes(self) -> bytes:
        searched = 0
        while (end := self._held.find(b"\r\n\r\n", searched)) < 0:
            if len(self._held) > limits.HEADER_BYTES:
                break
            searched = max(len(self._held) - 3, 0)
            piece = self._receive(_PIECE)
            if not piece:
                if self.begun:
                    raise UnavailableError("unexpected EOF")
                raise ResetError("EOF")
            self.begun = True
            self._held += piece
        if end < 0 or end > limits.HEADER_BYTES:
            raise malformed(f"head longer than {limits.HEADER_BYTES} bytes")
        raw, self._held = self._held[:end], self._held[end + 4 :]
        return raw

    def body(self, head: Head, method: str) -> "Iterator[bytes]":
        """Yield the body of an answer (RFC 9112, 6.3).

        Raises:
            UnavailableError: at once where its length is ambiguous; from a step where it breaks off.
        """
        if method == "HEAD" or head.status in (204, 304):
            return iter(())
        coding, length = body_length(head)
        if coding:
            return self._chunked()
        return self._until_end() if length is None else self._sized(length)

    def _take(self, max_bytes: int) -> bytes:
        if not self._held:
            piece = self._receive(min(max_bytes, _PIECE))
            if not piece:
                raise UnavailableError("unexpected EOF")
            if len(piece) <= max_bytes:
                return piece
            self._held = piece
        piece, self._held = self._held[:max_bytes], self._held[max_bytes:]
        return piece

    def _sized(self, length: int) -> "Iterator[bytes]":
        while length:
            piece = self._take(length)
            length -= len(piece)
            yield piece

    def _until_end(self) -> "Iterator[bytes]":
        held, self._held = self._held, b""
        if held:
            yield held
        while piece := self._receive(_PIECE):
            yield piece

    def _line(self) -> bytes:
        while (end := self._held.find(b"\r\n")) < 0:
            if len(self._held) > limits.CHUNK_LINE_BYTES:
                break
            piece = self._receive(_PIECE)
            if not piece:
                raise UnavailableError("unexpected EOF")
            self._held += piece
        if end < 0 or end > limits.CHUNK_LINE_BYTES:
            raise malformed("chunk line too long")
        line, self._held = self._held[:end], self._held[end + 2 :]
        return line

    def _chunked(self) -> "Iterator[bytes]":
        while size := _chunk_size(self._line()):
            yield from self._sized(size)
            if self._line():
                raise malformed("a chunk is longer than it says")
        for _ in range(limits.HEADER_LINES):
            line = self._line()
            if not line:
                return
            _field(line)  # trailers are read and not believed
        raise malformed(f"more than {limits.HEADER_LINES} trailers")


def body_length(head: Head) -> tuple[bool, int | None]:
    """Say how a body ends: whether it is chunked, else its length, None where it ends with the connection.

    Raises:
        UnavailableError: ``malformed``, two readers could see different ends.
    """
    codings = head.headers.all("transfer-encoding")
    length = head.headers.one("content-length")
    if head.headers.one("content-encoding").lower() not in ("", "identity"):
        raise malformed("compressed, which nobody asked for")
    if codings:
        if length or head.headers.all("content-length"):
            raise malformed("both Content-Length and Transfer-Encoding")
        if len(codings) > 1 or codings[0].lower() != "chunked":
            raise malformed(f"transfer coding {codings[0][:40]!r}")
        return True, None
    if not head.headers.all("content-length"):
        return False, None
    if not (length.isascii() and length.isdigit()) or len(length) > _MAX_LENGTH_DIGITS:
        raise malformed(f"Content-Length {length[:40]!r}")
    return False, int(length)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].rstrip(b" \t")
    if not 0 < len(digits) <= _MAX_CHUNK_DIGITS or not _HEX.issuperset(digits):
        raise malformed(f"chunk size {_shown(line)}")
    if not _BAD_IN_VALUE.isdisjoint(line):
        raise malformed("control characters in a chunk line")
    return int(digits, 16)


def bounded(pieces: "Iterator[bytes]", head: Head, max_bytes: int) -> "Iterator[bytes]":
    """Yield a body, refused when it is longer than allowed: at once where it says so itself.

    Raises:
        MalformedError: ``too-large``.
    """
    length = head.headers.one("content-length")
    if length.isdigit() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    left = max_bytes
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise _too_large(max_bytes)
        yield piece


def _too_large(max_bytes: int) -> MalformedError:
    return MalformedError(f"answer longer than {max_bytes} bytes", code=Code.TOO_LARGE)


def chunk(piece: bytes) -> bytes:
    """Write one chunk of a body whose length is not known beforehand."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


LAST_CHUNK = b"0\r\n\r\n"
