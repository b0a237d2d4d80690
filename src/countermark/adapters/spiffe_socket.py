"""Asks a SPIFFE agent on its socket for an identity token (JWT-SVID).

The Workload API is gRPC, and this is the one call of it that we make, so that no gRPC library is needed: one request
and one answer on one HTTP/2 connection (RFC 9113), headers written without compression (RFC 7541, 6.2.2). What the
agent's own headers say is not read: without a message there is no token, whatever the reason.

Source: SPIFFE_Workload_API.md and SPIFFE_Workload_Endpoint.md, ``workload.proto``.
"""

import socket

from countermark.core import limits
from countermark.core.errors import Code, InputError, MalformedError, RefusedError, UnavailableError
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 30.0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_PATH = b"/SpiffeWorkloadAPI/FetchJWTSVID"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_ACK = _END_STREAM = 0x1
_END_HEADERS, _PADDED = 0x4, 0x8
_STREAM = 1
# the largest that may come as long as we allow no larger ones (RFC 9113, 4.2)
_FRAME_BYTES = 16_384
_FRAMES = 64
# no dynamic table for what is sent to us, no pushed streams
_OUR_SETTINGS = b"\x00\x01\x00\x00\x00\x00" + b"\x00\x02\x00\x00\x00\x00"


def token(address: str, audience: str) -> str:
    """Fetch a token for an audience; ``address`` is ``unix:/path``, ``unix:///path`` or ``tcp://ip:port``.

    Raises:
        InputError: no such address. UnavailableError: no agent answers there. RefusedError: it gives no token.
        MalformedError: what it says is no answer.
    """
    try:
        with _connected(address) as connection:
            connection.sendall(_request(audience))
            answer = b"".join(_messages(connection))
    except OSError as error:
        raise UnavailableError(
            f"the SPIFFE agent at {address[:200]} does not answer: {error}"
        ) from None
    if len(answer) < 5:
        raise RefusedError(
            "the SPIFFE agent gives no identity token",
            status=403,
            code=Code.TOKEN,
            hint="is this workload registered with it?",
        )
    return _svid(_unframed(answer))


def _connected(address: str) -> socket.socket:
    kind, _, rest = address.partition(":")
    if kind == "unix" and rest.startswith("/"):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(_SECONDS)
        try:
            made.connect("/" + rest.lstrip("/"))
        except BaseException:
            made.close()
            raise
        return made
    host, colon, port = rest.removeprefix("//").rpartition(":")
    if kind == "tcp" and colon and port.isascii() and port.isdigit():
        return socket.create_connection((host.strip("[]"), int(port[:5])), _SECONDS)
    raise InputError(f"not a SPIFFE endpoint: {address[:200]!r}")


# What is sent -----------------------------------------------------------------------------------------------


def _request(audience: str) -> bytes:
    text = audience.encode("utf-8")
    message = b"\x0a" + _varint(len(text)) + text  # JWTSVIDRequest.audience
    data = b"\0" + len(message).to_bytes(4) + message
    headers = b"".join(
        (
            b"\x83\x86",  # :method POST, :scheme http, from the static table
            b"\x04" + _text(_PATH),
            b"\x01" + _text(b"localhost"),
            b"\0" + _text(b"content-type") + _text(b"application/grpc"),
            b"\0" + _text(b"te") + _text(b"trailers"),
            b"\0" + _text(b"workload.spiffe.io") + _text(b"true"),  # against requests by mistake
        )
    )
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, _OUR_SETTINGS)
        + _frame(_HEADERS, _END_HEADERS, _STREAM, headers)
        + _frame(_DATA, _END_STREAM, _STREAM, data)
    )


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + content


def _text(content: bytes) -> bytes:
    return bytes((len(content),)) + content  # all of ours are shorter than 127


def _varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes((number & 0x7F | 0x80,))
        number >>= 7
    return found + bytes((number,))


# What comes -------------------------------------------------------------------------------------------------


class _Frame(Value):
    kind: int
    flags: int
    stream: int
    content: bytes


def _messages(connection: socket.socket) -> "Iterator[bytes]":
    """Yield the answer's data until it ends; the agent's own questions are answered on the way."""
    left = limits.TOKEN_BYTES
    for _ in range(_FRAMES):
        frame = _received(connection)
        if frame.kind in (_SETTINGS, _PING) and not frame.flags & _ACK:
            content = frame.content if frame.kind == _PING else b""
            connection.sendall(_frame(frame.kind, _ACK, 0, content))
        elif frame.kind == _GOAWAY or (frame.kind == _RESET and frame.stream == _STREAM):
            raise UnavailableError("the SPIFFE agent broke the call off")
        if frame.stream != _STREAM:
            continue
        if frame.kind == _DATA:
            content = _unpadded(frame)
            left -= len(content)
            if left < 0:
                raise _malformed("it is too long")
            yield content
        if frame.kind in (_DATA, _HEADERS) and frame.flags & _END_STREAM:
            return
    raise _malformed("it does not end")


def _received(connection: socket.socket) -> _Frame:
    head = _exactly(connection, 9)
    size = int.from_bytes(head[:3])
    if size > _FRAME_BYTES:
        raise _malformed("a frame is too long")
    return _Frame(
        kind=head[3],
        flags=head[4],
        stream=int.from_bytes(head[5:]) & 0x7FFFFFFF,
        content=_exactly(connection, size),
    )


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = connection.recv(count - len(found))
        if not piece:
            raise UnavailableError("the SPIFFE agent broke the call off")
        found += piece
    return found


def _unpadded(frame: _Frame) -> bytes:
    if not frame.flags & _PADDED:
        return frame.content
    if not frame.content or frame.content[0] >= len(frame.content):
        raise _malformed("a frame is padded with more than it has")
    return frame.content[1 : len(frame.content) - frame.content[0]]


def _unframed(answer: bytes) -> bytes:
    """Take the one message out of gRPC's frame around it."""
    if answer[0] or int.from_bytes(answer[1:5]) != len(answer) - 5:
        raise _malformed("it is not one message")
    return answer[5:]


def _svid(message: bytes) -> str:
    """Take the first token out of a JWTSVIDResponse: ``svids[0].svid``."""
    for number, svid in _fields(message):
        if number != 1:
            continue
        for inner, content in _fields(svid):
            if inner == 2:
                return content.decode("utf-8", "replace")
    raise _malformed("there is no token in it")


def _fields(message: bytes) -> "Iterator[tuple[int, bytes]]":
    """Yield the fields of a protobuf message that have bytes; all of these messages' do."""
    at = 0
    while at < len(message):
        tag, at = _number(message, at)
        if tag & 7 != 2:
            raise _malformed("a field is of another type")
        size, at = _number(message, at)
        if at + size > len(message):
            raise _malformed("a field is longer than it")
        yield tag >> 3, message[at : at + size]
        at += size


def _number(message: bytes, at: int) -> tuple[int, int]:
    found = 0
    for shift in range(0, 35, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return found, at
    raise _malformed("a number does not end")


def _malformed(why: str) -> MalformedError:
    return MalformedError(f"the SPIFFE agent's answer cannot be read: {why}")
