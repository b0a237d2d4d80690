"""Waits for the browser that comes back from signing in (RFC 8252, 7.3).

Any program of this machine, and any page in a browser on it, can send something here: what came is believed for
nothing but the ``state`` in it, which the caller compares.
"""

import socket
from time import monotonic
from urllib.parse import parse_qsl

from countermark.adapters import storage
from countermark.adapters.http_url import Url
from countermark.core.errors import Code, InputError, UnavailableError

_HEAD_BYTES = 16 * 1024
_VISITS = 64  # favicons and the like, before the one that is waited for
_VISIT_SECONDS = 5.0
_PATH = "/auth/callback"  # sigstore's
_THANKS = b"<!doctype html><title>Signed in</title><p>You are signed in. This window can be closed."
_NOT_FOUND = b"<!doctype html><title>Not found</title><p>There is nothing here."


class RedirectListener:
    """Listens on loopback, on a port of its own.

    Attributes:
        url: where a browser has to come back to.
    """

    def __init__(self, wanted: str = "") -> None:
        """Begin to listen; ``wanted`` is the URL to use, on loopback, with port 0 (or none) for any.

        Raises:
            InputError: it is none, or not on this machine. StorageError: the port is not to be had.
        """
        host, port, self._path = _place(wanted)
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(("127.0.0.1", port))
            self._listener.listen(8)
        except OSError as error:
            self._listener.close()
            raise storage.translated(error, f"cannot listen on port {port}") from None
        self.url = f"http://{host}:{self._listener.getsockname()[1]}{self._path}"

    def wait(self, seconds: float) -> dict[str, str]:
        """Wait for a browser, and return the parameters that it brings: each once, or none.

        Raises:
            UnavailableError: nobody came.
        """
        deadline = monotonic() + seconds
        for _ in range(_VISITS):
            self._listener.settimeout(max(deadline - monotonic(), 0.001))
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                break
            with connection:
                found = self._visited(connection)
            if found is not None:
                return found
        raise UnavailableError(
            "nobody signed in in time", code=Code.TOKEN, hint="begin again, or use the device flow"
        )

    def _visited(self, connection: socket.socket) -> dict[str, str] | None:
        """Answer one visitor; None where it is not the one that is waited for."""
        try:
            connection.settimeout(_VISIT_SECONDS)
            method, _, rest = _head(connection).partition(b" ")
            path, _, query = rest.partition(b" ")[0].partition(b"?")
            if method != b"GET" or path.decode("latin-1") != self._path:
                _answer(connection, b"404 Not Found", _NOT_FOUND)
                return None
            found = _parameters(query)
            _answer(connection, b"200 OK", _THANKS)
            return found
        except OSError:
            return None  # it went away again

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


def _place(wanted: str) -> tuple[str, int, str]:
    if not wanted:
        return "localhost", 0, _PATH
    text = wanted.replace(":0/", "/", 1) if ":0/" in wanted else wanted
    url = Url.parse(text)
    if url.scheme != "http" or url.host not in ("localhost", "127.0.0.1"):
        raise InputError(
            f"a browser comes back to this machine only: {wanted[:200]!r}",
            hint="http://localhost:PORT/auth/callback, with PORT 0 for any",
        )
    has_port = text == wanted and f":{url.port}" in wanted
    return url.host, url.port if has_port else 0, url.target.partition("?")[0]


def _head(connection: socket.socket) -> bytes:
    """Read a request's head, and return its first line; of one that is too long nothing."""
    found = b""
    while b"\r\n\r\n" not in found:
        if len(found) > _HEAD_BYTES:
            return b""
        piece = connection.recv(4096)
        if not piece:
            return b""
        found += piece
    return found.partition(b"\r\n")[0]


def _parameters(query: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=32)
    except ValueError:
        return {}
    found = dict(pairs)
    return found if len(found) == len(pairs) else {}  # a parameter twice could be read both ways


def _answer(connection: socket.socket, status: bytes, body: bytes) -> None:
    head = (
        b"HTTP/1.1 %b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n"
        b"Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    )
    connection.sendall(head % (status, len(body)) + body)
