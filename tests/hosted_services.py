"""Services of ours, called without sockets or served on loopback."""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import unquote

from countermark.core.ports_hosting import Request, Response
from hosted_registry import Answer, Body
from servers import Asked, Script, handling
from servers import answer as written


class Service(Protocol):
    def serves(self, path: str) -> bool: ...

    def answer(self, request: Request) -> Response: ...


def ask(
    service: Service,
    method: str,
    target: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask a service as its server would."""
    path, _, query = target.partition("?")
    request = Request(
        method=method,
        path=unquote(path),
        query=query,
        headers={name.lower(): value for name, value in (headers or {}).items()},
        body=Body((body,)),
    )
    return Answer(service.answer(request))


def serving(*services: Service) -> Script:
    """A script for ``servers.Server``: the first service that serves a path answers."""

    def handle(asked: Asked) -> bytes:
        path = unquote(asked.target.partition("?")[0])
        for service in services:
            if service.serves(path):
                found = ask(service, asked.method, asked.target, asked.body, dict(asked.headers))
                body = b"" if asked.method == "HEAD" else found.body
                return written(found.status, body, found.pairs)
        return written(404, b"nothing here")

    return handling(handle)
