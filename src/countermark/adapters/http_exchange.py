"""One question to an HTTP server and its answer: what is asked, how it is sent, what comes back."""

from countermark.adapters.http_errors import ResetError
from countermark.adapters.http_tls import HostTls
from countermark.adapters.http_url import Url
from countermark.adapters.http_wire import (
    LAST_CHUNK,
    Head,
    Headers,
    bounded,
    chunk,
    request_head,
)
from countermark.core import limits
from countermark.core.errors import Code, CountermarkError, MalformedError
from countermark.core.value import Value
from countermark.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Self

    from countermark.adapters.http_connection import Connection

USER_AGENT = f"countermark/{VERSION}"
_IDEMPOTENT = frozenset(("GET", "HEAD", "PUT"))  # and not DELETE: its second answer is 404


class HttpRequest(Value):
    """What to ask.

    Attributes:
        url: where; plain http only to loopback.
        headers: fields beside Host, User-Agent and the body's own.
        body: bytes, or pieces that can be read once; then nothing is ever sent again.
        length: of the pieces; None sends them chunked.
        max_bytes: the longest body that is taken.
        follow: whether redirects are followed (GET and HEAD only).
        tls: what docker's folders add for this server.
        retry: statuses that mean "try again" here, besides those that always do.
        harmless_twice: it may be sent again after a failure, whatever its method.
    """

    method: str
    url: Url
    headers: "Mapping[str, str]" = {}  # noqa: RUF012 - frozen, and never written to
    body: "bytes | Iterator[bytes]" = b""
    length: int | None = None
    max_bytes: int = limits.JSON_BYTES
    follow: bool = False
    tls: HostTls = HostTls()
    retry: tuple[int, ...] = ()
    harmless_twice: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether the request may be sent again after a failure."""
        again = self.harmless_twice or self.method in _IDEMPOTENT
        return again and isinstance(self.body, bytes)


class Answer(Value):
    """A whole answer; ``url`` is the one that gave it, after redirects."""

    status: int
    headers: Headers
    content: bytes
    url: Url


class Stream:
    """An answer whose body is still on its way; to be closed, or used as a context, or read to its end."""

    def __init__(
        self, head: Head, url: Url, pieces: "Iterator[bytes]", done: "Callable[[bool], None]"
    ) -> None:
        self.status, self.headers, self.url = head.status, head.headers, url
        self._pieces = pieces
        self._done = done
        self._open = True

    def chunks(self) -> "Iterator[bytes]":
        """Yield the body once, in pieces as they come; the connection is given back after the last.

        Raises:
            MalformedError: ``too-large``. UnavailableError: it breaks off, or is no HTTP.
        """
        try:
            yield from self._pieces
        except BaseException:
            self.close()
            raise
        self._finish(whole=True)

    def read(self) -> bytes:
        """Read the rest of the body."""
        return b"".join(self.chunks())

    def close(self) -> None:
        """Give up the rest of the body."""
        self._finish(whole=False)

    def beginning(self) -> bytes:
        """Read what a refusal says, or its beginning: never an error, since its status is what counts."""
        found = b""
        try:
            for piece in self.chunks():
                found += piece
                if len(found) > limits.UNREAD_BYTES:
                    break
        except CountermarkError:
            pass
        self.close()
        return found[: limits.UNREAD_BYTES]

    def discard(self) -> None:
        """Read a short rest, so that the connection can be used again, else close."""
        left = limits.UNREAD_BYTES
        try:
            for piece in self._pieces:
                left -= len(piece)
                if left < 0:
                    break
        except CountermarkError:
            left = -1
        self._finish(whole=left >= 0)

    def _finish(self, *, whole: bool) -> None:
        if self._open:
            self._open = False
            self._done(whole)

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def has_end(head: Head, method: str) -> bool:
    """Say whether an answer ends before the connection does."""
    if method == "HEAD" or head.status in (204, 304):
        return True
    return bool(head.headers.all("content-length") or head.headers.all("transfer-encoding"))


def send(connection: "Connection", request: HttpRequest) -> bool:
    """Send head and body; False where the peer stopped taking it, which its answer may explain (413, 401).

    Raises:
        ResetError: nothing was taken. MalformedError: the pieces are more or fewer bytes than announced.
        Whatever the pieces themselves raise.
    """
    body = request.body
    length = len(body) if isinstance(body, bytes) else request.length
    head = request_head(request.method, request.url.target, _fields(request, length))
    if isinstance(body, bytes):
        connection.send(head + body if len(body) <= limits.UNREAD_BYTES else head)
        if len(body) <= limits.UNREAD_BYTES:
            return True
        body = iter((body,))
    else:
        connection.send(head)
    try:
        for piece in _framed(body, length):
            connection.send(piece)
    except ResetError:
        return False
    return True


def exchanged(
    connection: "Connection", request: HttpRequest, targets: "Sequence[str]"
) -> "Iterator[tuple[Answer, bool]]":
    """Yield the answers to several GETs, which are sent before the first is read, and whether more can come.

    Raises:
        ResetError, UnavailableError, MalformedError: as for one answer; those before were yielded.
    """
    rest = request_head("GET", "/", _fields(request, 0)).partition(b" / ")[2]
    heads = [b"GET %b %b" % (target.encode("ascii"), rest) for target in targets]
    # no more than a server takes in while nobody reads its answers: neither side must wait for the other
    count = max(limits.AHEAD_BYTES // max(map(len, heads)), 1)
    for first in range(0, len(targets), count):
        connection.send(b"".join(heads[first : first + count]))
        for target in targets[first : first + count]:
            head = connection.reader.head()
            pieces = connection.reader.body(head, "GET")
            content = b"".join(bounded(pieces, head, request.max_bytes))
            url = request.url.replace(target=target)
            keeps = head.keeps and has_end(head, "GET")
            yield Answer(status=head.status, headers=head.headers, content=content, url=url), keeps
            if not keeps:
                return


def _framed(pieces: "Iterator[bytes]", length: int | None) -> "Iterator[bytes]":
    left = length
    for piece in pieces:
        if left is None:
            if piece:
                yield chunk(piece)
            continue
        left -= len(piece)
        if left < 0:
            break
        yield piece
    if left is None:
        yield LAST_CHUNK
    elif left:
        more = "more" if left < 0 else "fewer"
        raise MalformedError(
            f"{more} bytes to send than the {length} announced", code=Code.CHECKSUM
        )


def _fields(request: HttpRequest, length: int | None) -> "list[tuple[str, str]]":
    fields = [
        ("Host", request.url.authority),
        ("User-Agent", USER_AGENT),
        ("Accept-Encoding", "identity"),
        *request.headers.items(),
    ]
    if length is None:
        fields.append(("Transfer-Encoding", "chunked"))
    elif length or request.method in ("POST", "PUT", "PATCH"):
        fields.append(("Content-Length", str(length)))
    return fields
