"""Request bodies into worker threads and responses out of them, a piece at a time, with back-pressure.

A handler is a plain function in a thread; sockets belong to the event loop. A body is read ahead by one piece and no
more, and a piece of a response is made when the one before it has left, so neither a slow reader nor a fast writer
fills the memory. Whoever stands still for too long is cut off.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import Future
from typing import Any

from countermark.adapters.http_workers import Workers
from countermark.core.errors import Code, InputError
from countermark.core.ports_hosting import FileRange, Response

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# handed to or taken from a worker thread at once: each costs a change of threads
PIECE_BYTES = 256 * 1024
SHORT_BYTES = 64 * 1024  # of a file that is read whole, by the worker that found it


class ClientGoneError(InputError):
    """The client left, or stood still, before its request was whole or its answer was out."""

    code = Code.MALFORMED

    def __init__(self, message: str, *, http_status: int = 400) -> None:
        super().__init__(message)
        self.http_status = http_status


def _too_large(max_bytes: int) -> InputError:
    return InputError(f"the request's body is larger than {max_bytes} bytes", code=Code.TOO_LARGE)


async def _within(step: Awaitable[Any], seconds: float) -> Any:
    """Wait for a step of Granian's, but no longer.

    Unlike ``asyncio.wait_for``, which waits for what it has cancelled: a client that stands still is let go of at
    once, whatever becomes of the step.

    Raises:
        TimeoutError: it took longer.
    """
    task = asyncio.ensure_future(step)
    try:
        done, _ = await asyncio.wait((task,), timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if done:
        return task.result()
    task.add_done_callback(_forgotten)
    task.cancel()
    raise TimeoutError


def _forgotten(task: "asyncio.Future[Any]") -> None:
    if not task.cancelled():
        task.exception()  # looked at, so that nobody is told of it


class BodyReader:
    """The event loop's end of a request body."""

    def __init__(self, receive: Receive, idle_seconds: float) -> None:
        self._receive = receive
        self._idle_seconds = idle_seconds
        self.ended = False

    async def piece(self) -> bytes:
        """Return the next ``PIECE_BYTES`` or a little more, fewer only at the end, and b"" after it.

        Raises:
            ClientGoneError: the connection ended first, or nothing came for ``idle_seconds``.
        """
        parts: list[bytes] = []
        size = 0
        while not self.ended and size < PIECE_BYTES:
            try:
                message = await _within(self._receive(), self._idle_seconds)
            except TimeoutError:
                raise ClientGoneError(
                    f"the client sent nothing for {self._idle_seconds:.0f} seconds",
                    http_status=408,
                ) from None
            if message["type"] != "http.request":
                raise ClientGoneError("the request ended before its stated length")
            self.ended = not message.get("more_body", False)
            part = bytes(message.get("body", b""))
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    async def all_of_small(self, max_bytes: int) -> bytes | None:
        """Return a body of at most max_bytes; None when it is longer, with what was read left in ``ahead``."""
        parts: list[bytes] = []
        size = 0
        while part := await self.piece():
            parts.append(part)
            size += len(part)
            if size > max_bytes:
                self.ahead = b"".join(parts)
                return None
        return b"".join(parts)

    ahead: bytes = b""


class SmallBody:
    """A body that has arrived as a whole (port ``RequestBody``)."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, max_bytes: int) -> bytes:
        """See the port."""
        if len(self._content) > max_bytes:
            raise _too_large(max_bytes)
        return self._content

    def chunks(self) -> Iterator[bytes]:
        """See the port."""
        if self._content:
            yield self._content


class StreamedBody:
    """A body that is still arriving (port ``RequestBody``); used by one worker thread."""

    def __init__(
        self, reader: BodyReader, loop: asyncio.AbstractEventLoop, stated_length: int | None
    ) -> None:
        self._reader = reader
        self._loop = loop
        self._stated_length = stated_length

    def read(self, max_bytes: int) -> bytes:
        """See the port."""
        if self._stated_length is not None and self._stated_length > max_bytes:
            raise _too_large(max_bytes)
        parts: list[bytes] = []
        size = 0
        for part in self.chunks():
            size += len(part)
            if size > max_bytes:
                raise _too_large(max_bytes)
            parts.append(part)
        return b"".join(parts)

    def chunks(self) -> Iterator[bytes]:
        """See the port."""
        following = self._ask()
        if self._reader.ahead:
            ahead, self._reader.ahead = self._reader.ahead, b""
            yield ahead
        while part := following.result():
            following = self._ask()
            yield part

    def _ask(self) -> "Future[bytes]":
        return asyncio.run_coroutine_threadsafe(self._reader.piece(), self._loop)


class Sender:
    """Sends one response; ``size`` counts the bytes of its body as they leave."""

    def __init__(self, send: Send, workers: Workers, idle_seconds: float) -> None:
        self._send = send
        self._workers = workers
        self._idle_seconds = idle_seconds
        self.started = False
        self.size = 0

    async def response(self, response: Response, *, head_only: bool) -> None:
        """Send a whole response, or its head.

        Raises:
            ClientGoneError: the client read nothing for ``idle_seconds``.
            Exception: whatever a streamed body raised; the answer is then cut off.
        """
        headers = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in response.headers]
        length = _length(response)
        if length is not None and not any(name == b"content-length" for name, _ in headers):
            headers.append((b"content-length", str(length).encode()))
        body = response.body
        if isinstance(body, bytes):
            await self.start(response.status, headers)
            await self._piece(b"" if head_only else body, more=False)
        elif isinstance(body, FileRange):
            await self._file(response.status, headers, body, head_only=head_only)
        else:
            await self._stream(response.status, headers, body, head_only=head_only)

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send status and headers."""
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _piece(self, content: bytes, *, more: bool) -> None:
        message = {"type": "http.response.body", "body": content, "more_body": more}
        if len(content) < PIECE_BYTES and not more:  # fits what granian buffers: no need of a timer
            await self._send(message)
        else:
            try:
                await _within(self._send(message), self._idle_seconds)
            except TimeoutError:
                raise ClientGoneError(
                    f"the client read nothing for {self._idle_seconds:.0f} seconds"
                ) from None
        self.size += len(content)

    async def _file(
        self, status: int, headers: list[tuple[bytes, bytes]], part: FileRange, *, head_only: bool
    ) -> None:
        descriptor = await self._workers.run(_open, part)
        try:
            await self.start(status, headers)
            position, end = part.start, part.start if head_only else part.start + part.length
            while position < end:
                count = min(PIECE_BYTES, end - position)
                piece = await self._workers.run(os.pread, descriptor, count, position)
                if not piece:
                    raise OSError(f"{part.path} became shorter while it was sent")
                position += len(piece)
                await self._piece(piece, more=True)
            await self._piece(b"", more=False)
        finally:
            os.close(descriptor)

    async def _stream(
        self,
        status: int,
        headers: list[tuple[bytes, bytes]],
        body: Iterator[bytes],
        *,
        head_only: bool,
    ) -> None:
        try:
            # the first piece before the head: what goes wrong at once can still be told
            piece = None if head_only else await self._workers.run(_next, body)
            await self.start(status, headers)
            while piece is not None:
                await self._piece(piece, more=True)
                piece = await self._workers.run(_next, body)
            await self._piece(b"", more=False)
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                await self._workers.run(close)


def _length(response: Response) -> int | None:
    if response.status in (204, 304) or response.status < 200:
        return None  # RFC 9110, 8.6: no Content-Length here
    if isinstance(response.body, bytes):
        return len(response.body)
    return response.body.length if isinstance(response.body, FileRange) else None


def with_short_file(response: Response) -> Response:
    """Read a short file that is to be sent, in the worker that found it: to change threads takes longer.

    Raises:
        OSError: it is not there any more, or shorter than it was.
    """
    part = response.body
    if not isinstance(part, FileRange) or part.length > SHORT_BYTES:
        return response
    descriptor = _open(part)
    try:
        content = os.pread(descriptor, part.length, part.start)
    finally:
        os.close(descriptor)
    if len(content) != part.length:
        raise OSError(f"{part.path} became shorter while it was read")
    return response.replace(body=content)


def _open(part: FileRange) -> int:
    descriptor = os.open(part.path, os.O_RDONLY | os.O_CLOEXEC)
    if os.fstat(descriptor).st_size < part.start + part.length:
        os.close(descriptor)
        raise OSError(f"{part.path} is shorter than the part of it that was to be sent")
    return descriptor


def _next(body: Iterator[bytes]) -> bytes | None:
    return next(body, None)
