"""The application that Granian calls: checks a request, finds its service, turns errors into answers.

What Granian leaves open is decided here: hosts, paths, sizes, how long anybody may stand still, how many may wait. A
request with both Content-Length and Transfer-Encoding never shows us the former: hyper follows the latter and closes
the connection after the answer, as RFC 9112, 6.3 demands.
"""

import asyncio
import secrets
import time
import traceback
from collections.abc import Mapping
from typing import Any

from countermark.adapters.http_bodies import (
    BodyReader,
    ClientGoneError,
    Receive,
    Send,
    Sender,
    SmallBody,
    StreamedBody,
    with_short_file,
)
from countermark.adapters.http_log import Metrics, Served, ServerLog
from countermark.adapters.http_paths import BadPathError, cleaned, decoded, quoted
from countermark.adapters.http_server import Bounds, Services
from countermark.adapters.http_workers import Workers
from countermark.core.errors import Code, CountermarkError
from countermark.core.ports import Clock
from countermark.core.ports_hosting import Handler, HotAnswer, Request, RequestBody, Response
from countermark.formats import strict_json

Headers = list[tuple[bytes, bytes]]

EVERYWHERE = (("Server", "countermark"), ("X-Content-Type-Options", "nosniff"))
_JSON = ("Content-Type", "application/json; charset=utf-8")
_HOT_HEADERS = 24  # a request with more is looked at closely
_GONE = 499  # nginx's number for "the client left"; only in logs and counters


class Application:
    """The ASGI application (asgi.readthedocs.io, HTTP 2.3)."""

    def __init__(self, services: Services, bounds: Bounds, clock: Clock, log: ServerLog) -> None:
        self._services = services
        self._bounds = bounds
        self._clock = clock
        self._log = log
        self._metrics = Metrics()
        self._workers = Workers(bounds.threads, "worker")
        self._streams = Workers(bounds.streams, "stream")
        # requests in or before the workers, by whether they stream
        self._busy = {False: 0, True: 0}
        self.draining = False

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        call = Served(scope["method"], scope["client"][0] if scope.get("client") else "")
        # most of all requests by far: done here, without a step that they do not need
        if b"/_trust/tuf/" in scope["raw_path"] and (answer := self._hot(scope, call)):
            status, body = answer.status, answer.body
            await send({"type": "http.response.start", "status": status, "headers": answer.headers})
            await send({"type": "http.response.body", "body": body})
            call.status, call.size = status, len(body)
        else:
            self._metrics.active += 1
            try:
                call.status, call.size = await self._answer(scope, receive, send, call)
            finally:
                self._metrics.active -= 1
        call.at = self._clock()
        call.seconds = time.perf_counter() - started
        self._metrics.served(call)
        self._log.served(call)

    async def _answer(
        self, scope: Mapping[str, Any], receive: Receive, send: Send, call: Served
    ) -> tuple[int, int]:
        sender = Sender(send, self._streams, self._bounds.idle_seconds)
        try:
            response = await self._respond(scope, receive, call)
            if response.problem:
                self._report(response.problem, secrets.token_hex(6), call)
            response = self._finished(response)
            await sender.response(response, head_only=call.method == "HEAD")
            return response.status, sender.size
        except ClientGoneError as error:
            call.note = str(error)
            if not sender.started:  # it may still be listening
                await sender.response(self._finished(_cut_off(error)), head_only=False)
            return _GONE, sender.size  # returning before the end makes Granian cut the connection
        except Exception as error:  # noqa: BLE001 - the outer edge
            # a bug of ours, or a file that broke while it was sent
            failed = self._failed(error, call)
            if not sender.started:
                await sender.response(self._finished(failed), head_only=call.method == "HEAD")
            return failed.status, sender.size

    def _hot(self, scope: Mapping[str, Any], call: Served) -> HotAnswer | None:
        """Answer from memory, if this is a plain request for what is there."""
        raw: bytes = scope["raw_path"]
        headers: Headers = scope["headers"]
        if self._services.hot is None or call.method != "GET" or len(headers) > _HOT_HEADERS:
            return None
        if b"%" in raw or b"//" in raw or b"/." in raw:
            return None
        authorization, hosts = "", 0
        for name, value in headers:
            if name == b"host":
                hosts += bool(value)
            elif name == b"authorization":
                authorization = value.decode("latin-1")
            elif name == b"user-agent":
                call.agent = value.decode("latin-1")
        if hosts != 1 or self.draining:
            return None
        call.path = raw.decode("latin-1")
        call.route = "trust"
        return self._services.hot(call.path, authorization)

    # the other requests ---------------------------------------------------------------------------

    async def _respond(self, scope: Mapping[str, Any], receive: Receive, call: Served) -> Response:
        call.route = "server"
        try:
            call.path = path = decoded(scope["raw_path"])
        except BadPathError as error:
            call.path = scope["raw_path"].decode("latin-1")
            return plain_error(400, "BAD_REQUEST", str(error))
        headers = _headers(scope["headers"])
        call.agent = headers.get("user-agent", "")
        if refusal := self._refused(scope, path, headers):
            return refusal
        if own := await self._own(path, call.method):
            return own
        for route in self._services.routes:
            if route.serves(path):
                call.route = route.name
                return await self._handled(route.handler, scope, receive, headers, call)
        return plain_error(404, "NOT_FOUND", "there is nothing at this address")

    def _refused(
        self, scope: Mapping[str, Any], path: str, headers: Mapping[str, str]
    ) -> Response | None:
        raw: Headers = scope["headers"]
        if sum(len(name) + len(value) + 4 for name, value in raw) > self._bounds.header_bytes:
            return plain_error(431, "HEADERS_TOO_LARGE", "the request's headers are too large")
        hosts = [value for name, value in raw if name == b"host" and value]
        if len(hosts) != 1 and not (scope["http_version"] in ("1", "1.0") and not hosts):
            return plain_error(400, "BAD_REQUEST", "a request needs one Host")
        for name in ("authorization", "content-type", "content-length", "transfer-encoding"):
            if sum(other == name.encode() for other, _ in raw) > 1:
                return plain_error(400, "BAD_REQUEST", f"more than one {name}")
        if "content-length" in headers and "transfer-encoding" in headers:
            return plain_error(400, "BAD_REQUEST", "content-length beside transfer-encoding")
        if (clean := cleaned(path)) != path:  # as gorilla/mux does for registries and notary-server
            query: bytes = scope["query_string"]
            target = quoted(clean) + ("?" + query.decode("latin-1") if query else "")
            return Response(status=301, headers=(("Location", target),))
        return None

    async def _own(self, path: str, method: str) -> Response | None:
        if path not in ("/healthz", "/readyz", "/metrics"):
            return None
        if method not in ("GET", "HEAD"):
            return Response(status=405, headers=(("Allow", "GET, HEAD"),))
        if path == "/metrics":
            text = self._metrics.text().encode()
            return Response(
                status=200,
                headers=(("Content-Type", "text/plain; version=0.0.4; charset=utf-8"),),
                body=text,
            )
        if path == "/healthz":
            return Response(status=200, headers=(_JSON,), body=b'{"status":"alive"}\n')
        return await self._streams.run(self._ready)

    def _ready(self) -> Response:
        failed = {"server": "draining"} if self.draining else {}
        for name, check in self._services.checks.items():
            try:
                check()
            except CountermarkError as error:
                failed[name] = error.code
                self._log.event("error", f"{name} is not ready: {error}", self._clock())
        body: dict[str, object] = {"status": "not ready", "failed": failed}
        if not failed:
            body = {"status": "ready"}
        return Response(
            status=503 if failed else 200,
            headers=(_JSON, ("Cache-Control", "no-store")),
            body=strict_json.compact(body) + b"\n",
        )

    async def _handled(
        self,
        handler: Handler,
        scope: Mapping[str, Any],
        receive: Receive,
        headers: Mapping[str, str],
        call: Served,
    ) -> Response:
        length = headers.get("content-length", "")
        stated = int(length) if length.isascii() and length.isdigit() else None
        streaming = "expect" in headers or (stated or 0) > self._bounds.small_bytes
        limit = self._bounds.waiting + (self._bounds.streams if streaming else self._bounds.threads)
        if self._busy[streaming] >= limit:
            return Response(status=503, headers=(("Retry-After", "1"),))
        self._busy[streaming] += 1
        try:
            if not length and "transfer-encoding" not in headers:
                body: RequestBody = SmallBody(b"")  # RFC 9112, 6.3: nothing to wait for
            else:
                reader = BodyReader(receive, self._bounds.idle_seconds)
                body = await self._body(reader, stated, streaming=streaming)
            request = Request(
                method=call.method,
                path=call.path,
                query=scope["query_string"].decode("latin-1"),
                headers=headers,
                body=body,
                client=call.client,
            )
            workers = self._workers if isinstance(body, SmallBody) else self._streams
            return await workers.run(self._run, handler, request, call)
        finally:
            self._busy[streaming] -= 1

    async def _body(
        self, reader: BodyReader, stated: int | None, *, streaming: bool
    ) -> RequestBody:
        loop = asyncio.get_running_loop()
        if streaming:
            return StreamedBody(reader, loop, stated)
        content = await reader.all_of_small(self._bounds.small_bytes)
        return StreamedBody(reader, loop, stated) if content is None else SmallBody(content)

    def _run(self, handler: Handler, request: Request, call: Served) -> Response:
        """Call a handler in a worker thread; what it did not turn into its peer's words becomes ours."""
        try:
            response = handler(request)
            return response if request.method == "HEAD" else with_short_file(response)
        except ClientGoneError:
            raise
        except CountermarkError as error:
            call.note = f"{error.code}: {error}"
            if error.http_status >= 500:
                return unavailable() if error.http_status == 503 else self._failed(error, call)
            status = 413 if error.code == Code.TOO_LARGE else error.http_status
            return plain_error(status, error.code.upper().replace("-", "_"), str(error))

    def _failed(self, error: Exception, call: Served) -> Response:
        """Log what went wrong under a name that the client is told, and tell it no more."""
        bug = secrets.token_hex(6)
        known = isinstance(error, CountermarkError)
        trace = "" if known else "".join(traceback.format_exception(error))[-8000:]
        self._report(f"{type(error).__name__}: {error}", bug, call, trace)
        return plain_error(500, "INTERNAL", f"something went wrong here; it is logged as {bug}")

    def _report(self, problem: str, bug: str, call: Served, trace: str = "") -> None:
        more = {"bug": bug, "method": call.method, "path": call.path[:1024]}
        self._log.event("error", problem, self._clock(), **more, trace=trace)

    def _finished(self, response: Response) -> Response:
        more = [*EVERYWHERE]
        if self.draining:
            more.append(("Connection", "close"))
        return response.replace(headers=(*response.headers, *more))

    def close(self) -> None:
        """Let go of the workers without waiting for those that are stuck."""
        for workers in (self._workers, self._streams):
            workers.close()


def _headers(raw: Headers) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def plain_error(status: int, code: str, message: str) -> Response:
    """Make an error body in the shape that registries and trust servers share."""
    body = {"errors": [{"code": code, "message": message}]}
    return Response(status=status, headers=(_JSON,), body=strict_json.compact(body) + b"\n")


def _cut_off(error: ClientGoneError) -> Response:
    response = plain_error(error.http_status, "INCOMPLETE", str(error))
    return response.replace(headers=(*response.headers, ("Connection", "close")))


def unavailable() -> Response:
    """Say that trying again may help."""
    response = plain_error(503, "UNAVAILABLE", "the service cannot answer now; try again")
    return response.replace(headers=(*response.headers, ("Retry-After", "1")))
