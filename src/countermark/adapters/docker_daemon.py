"""Requests to a docker daemon, over a Unix socket or TLS; its errors in docker's words."""

import errno
import os
import socket

from countermark.adapters.docker_contexts import DockerEndpoint
from countermark.adapters.http_connection import Connection, Timeouts, Waiting, connect
from countermark.adapters.http_exchange import HttpRequest, Stream, send
from countermark.adapters.http_tls import HostTls, SystemRoots, TlsContexts
from countermark.adapters.http_url import Url, is_loopback, quote
from countermark.adapters.http_wire import Head, bounded
from countermark.core import limits
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    InputError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.formats import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_HOST = "unix:///var/run/docker.sock"
SILENCE_SECONDS = 600.0  # a daemon unpacking or pushing a large layer says nothing for minutes
WORK_SECONDS = 24 * 3600.0
_UNBOUNDED = 1 << 62  # images are as large as they are; events are bounded one by one
_PORTS = {True: 2376, False: 2375}


class Daemon:
    """A docker daemon that can be asked; each request has a connection for itself."""

    def __init__(self, endpoint: DockerEndpoint) -> None:
        """Take where it is.

        Raises:
            InputError: a kind of address that is not spoken here (``not-supported``), or plain TCP to another machine
                (``insecure``).
        """
        self.address = endpoint.host or DEFAULT_HOST
        kind, _, rest = self.address.partition("://")
        self._path = ""
        self._url = Url.parse("http://docker")
        self._tls: HostTls | None = None
        self._roots = SystemRoots(file=endpoint.ca_file)
        if kind == "unix":
            self._path = rest
        elif kind == "tcp":
            self._url = self._tcp(endpoint, rest.rstrip("/"))
        else:
            raise InputError(
                f"docker daemon at {self.address}: only unix:// and tcp:// are spoken here",
                code=Code.NOT_SUPPORTED,
                hint="forward its socket, and give DOCKER_HOST=unix://...",
            )

    def _tcp(self, endpoint: DockerEndpoint, rest: str) -> Url:
        secure = bool(endpoint.ca_file or endpoint.cert_file)
        if secure:
            pairs = ((endpoint.cert_file, endpoint.key_file),) if endpoint.cert_file else ()
            self._tls = HostTls(client_pairs=pairs)
        scheme = "https" if secure else "http"
        url = Url.parse(f"{scheme}://{rest}")
        if not rest.rpartition(":")[2].isdigit():
            url = url.replace(port=_PORTS[secure])
        if not secure and not is_loopback(url.host):
            raise InputError(
                f"docker daemon at {self.address}: no TLS, so that anybody on the way can speak for it",
                code=Code.INSECURE,
                hint="set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or forward its socket",
            )
        return url

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: "Mapping[str, str] | None" = None,
        body: "bytes | Iterator[bytes]" = b"",
    ) -> Stream:
        """Ask, and return the answer, which is a good one (2xx).

        Raises:
            NotFoundError: 404. RefusedError: 400, 401, 403, 409. UnavailableError: no daemon, or another answer.
        """
        request = HttpRequest(
            method=method,
            url=self._url.replace(target=path),
            headers={**(headers or {}), "Connection": "close"},
            body=body,
            max_bytes=_UNBOUNDED,
        )
        connection = self._connected()
        try:
            send(connection, request)
            head = connection.reader.head()
            pieces = bounded(connection.reader.body(head, method), head, request.max_bytes)
        except BaseException:
            connection.close()
            raise
        stream = Stream(head, request.url, pieces, lambda _whole: connection.close())
        if not 200 <= head.status < 300:
            raise self._failure(head, stream)
        return stream

    def content(self, method: str, path: str) -> bytes:
        """Ask, and return the whole of a short answer.

        Raises:
            As ``ask``. UnavailableError: it is longer than any such answer.
        """
        parts: list[bytes] = []
        with self.ask(method, path) as answer:
            for piece in answer.chunks():
                parts.append(piece)
                if sum(map(len, parts)) > limits.JSON_BYTES:
                    raise UnavailableError("the docker daemon's answer is too long")
        return b"".join(parts)

    def _connected(self) -> Connection:
        waiting = Waiting(Timeouts(read=SILENCE_SECONDS, answer=WORK_SECONDS))
        if not self._path:
            tls = TlsContexts(self._roots).context(self._tls) if self._tls else None
            try:
                return connect(self._url, None, tls, waiting)
            except UnavailableError as error:
                raise UnavailableError(f"{self._unreachable()} ({error})") from None
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(limits.CONNECT_SECONDS)
            sock.connect(self._path)
        except OSError as error:
            sock.close()
            if error.errno == errno.EACCES:
                raise RefusedError(
                    "permission denied while trying to connect to the Docker daemon socket"
                    f" at {self.address}",
                    hint="join the group that owns the socket, or use sudo",
                ) from None
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise UnavailableError(self._unreachable(), hint=reason) from None
        return Connection(sock, self._path, waiting)

    def _unreachable(self) -> str:
        return (
            f"Cannot connect to the Docker daemon at {self.address}. Is the docker daemon running?"
        )

    def _failure(self, head: Head, answer: Stream) -> CountermarkError:
        """Turn an error answer, ``{"message": ...}``, into an error with docker's words."""
        content = b""
        with answer:
            for piece in answer.chunks():
                content += piece
                if len(content) > limits.TOKEN_BYTES:
                    break
        message = f"Error response from daemon: {error_message(content) or head.reason}"
        if head.status == 404:
            return NotFoundError(message, status=404)
        if head.status in (400, 401, 403, 409):
            return RefusedError(message, status=head.status, body=content)
        return UnavailableError(message, status=head.status)


def error_message(content: bytes) -> str:
    """Read the message of an error answer, "" where there is none."""
    try:
        return strict_json.Reader(strict_json.parse(content)).text("message")[:1000]
    except EvidenceError:
        return content.decode("utf-8", "replace").strip()[:200]


def escaped(name: str) -> str:
    """Write an image's name into a path; slashes, colons and at-signs stand as they are.

    Raises:
        InputError: characters that no name has, or parts that lead elsewhere.
    """
    parts = name.split("/")
    if not name or any(part in ("", ".", "..") for part in parts):
        raise InputError(f"not the name of an image: {name[:80]!r}")
    return quote(name, "/:@")


def with_query(path: str, *pairs: tuple[str, str]) -> str:
    """Add parameters to a path."""
    return path + "?" + "&".join(f"{name}={quote(value)}" for name, value in pairs)
