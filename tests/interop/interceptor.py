"""A TLS server between client and trust server that shows, replaces, replays or loses what passes.

It has a certificate that the clients believe, so that only the metadata's own signatures stand between it and them.
"""

import http.server
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from interop.peers import Authority


class Passing(NamedTuple):
    """An answer on its way to the client."""

    status: int
    body: bytes
    kind: str = "application/json"


LOST = Passing(0, b"")  # the connection closes without an answer


class Interceptor:
    """Passes everything on to ``upstream``, through ``alter`` if set; remembers the answers and the requests."""

    def __init__(
        self, folder: Path, authority: Authority, upstream: str, ca: Path, name: str = "interceptor"
    ) -> None:
        """Listen on a port of the kernel's choice."""
        folder.mkdir(parents=True, exist_ok=True)
        identity = authority.issue(name)
        self.ca = authority.ca
        self.upstream = upstream
        self.alter: Alter = _unchanged
        self.remembered: dict[str, Passing] = {}
        self.requests: list[str] = []
        self._upstream_context = ssl.create_default_context(cafile=str(ca))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.certificate, identity.key)
        self._server = _TLSServer(("127.0.0.1", 0), self._handler(), context)
        self.address = f"localhost:{self._server.server_address[1]}"
        self.url = f"https://{self.address}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and wait for the last request."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)

    def reset(self) -> None:
        """Pass everything unchanged again, and forget."""
        self.alter = _unchanged
        self.remembered.clear()
        self.requests.clear()

    def replay(self, old: dict[str, Passing]) -> None:
        """Answer from what was remembered before, and pass the rest."""
        self.alter = old.get

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Passing:
        request = urllib.request.Request(
            self.upstream + path, data=body or None, method=method, headers=headers
        )
        try:
            with urllib.request.urlopen(
                request, context=self._upstream_context, timeout=30
            ) as answer:
                return Passing(answer.status, answer.read(), answer.headers.get("Content-Type", ""))
        except urllib.error.HTTPError as error:
            with error:
                return Passing(error.code, error.read(), error.headers.get("Content-Type", ""))

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        interceptor = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    body = self._chunks()
                kept = {
                    n: v
                    for n, v in self.headers.items()
                    if n.lower() in ("content-type", "accept", "user-agent")
                }
                interceptor.requests.append(f"{self.command} {self.path}")
                answer = interceptor._ask(self.command, self.path, kept, body)
                interceptor.remembered[self.path] = answer
                answer = interceptor.alter(self.path, answer)
                if answer.status == 0:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.kind or "application/json")
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_DELETE = _pass  # noqa: N815 - http.server's names

            def _chunks(self) -> bytes:
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def log_message(self, *_: object) -> None:
                """Say nothing: ``requests`` has it."""

        return Handler


class _TLSServer(http.server.ThreadingHTTPServer):
    def __init__(
        self,
        address: tuple[str, int],
        handler: type[http.server.BaseHTTPRequestHandler],
        context: ssl.SSLContext,
    ) -> None:
        super().__init__(address, handler)
        self._context = context

    def finish_request(self, request: object, client_address: object) -> None:
        """Shake hands in the connection's own thread, so that a client that will not delays nobody."""
        try:
            with self._context.wrap_socket(request, server_side=True) as wrapped:  # type: ignore[arg-type]
                super().finish_request(wrapped, client_address)
        except OSError:
            return  # a client that refused our certificate, or went away


def _unchanged(_path: str, answer: Passing) -> Passing:
    return answer


Alter = Callable[[str, Passing], Passing]
