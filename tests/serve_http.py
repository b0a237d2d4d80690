"""Serve handlers that try the HTTP server out: ``serve_http.py [--tls CERT KEY]``, a program of its own.

Prints its port once it takes connections and, at the end, whether all requests ended in time; its log goes to stderr.
"""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from countermark.adapters.granian_server import leave
from countermark.adapters.http_server import Bounds, HttpServer, Route, Services
from countermark.core.errors import Code, InputError, StorageError, UnavailableError
from countermark.core.ports_hosting import FileRange, HotAnswer, Request, Response

HOT = HotAnswer(
    status=200,
    headers=((b"content-type", b"text/plain"), (b"content-length", b"3"), (b"server", b"us")),
    body=b"hot",
)
ready = {"store": True}


def echo(request: Request) -> Response:
    body = request.body.read(1000)
    lines = [request.method, request.path, request.query, body.decode("latin-1")]
    lines += [f"{name}: {value}" for name, value in sorted(request.headers.items())]
    text = "\n".join(lines).encode()
    return Response(status=200, headers=(("Content-Type", "text/plain"),), body=text)


def count(request: Request) -> Response:
    sizes = [len(chunk) for chunk in request.body.chunks()]
    return Response(status=200, body=f"{sum(sizes)} {max(sizes, default=0)}".encode())


def stream(request: Request) -> Response:
    def pieces() -> Iterator[bytes]:
        try:
            for number in range(int(request.query)):
                yield bytes([number % 256]) * 100_000
            if request.headers.get("x-fail"):
                raise RuntimeError("half-way")
        finally:
            say("stream closed")

    return Response(status=200, body=pieces())


def file(request: Request) -> Response:
    path, start, length = request.query.split(",")
    return Response(status=206, body=FileRange(path=path, start=int(start), length=int(length)))


def wait(request: Request) -> Response:
    time.sleep(float(request.query))
    return Response(status=200, body=b"waited")


def fail(request: Request) -> Response:
    match request.query:
        case "bug":
            raise RuntimeError("secret of the house")
        case "busy":
            raise UnavailableError("secret of the house")
        case "disk":
            raise StorageError("secret of the house", code=Code.NO_SPACE)
        case "problem":
            return Response(status=500, problem="secret of the house")
        case "ready" | "unready":
            ready["store"] = request.query == "ready"
            return Response(status=200)
        case _:
            raise InputError("your words are wrong", code=Code.BAD_INPUT)


def check() -> None:
    if not ready["store"]:
        raise UnavailableError("secret of the house")


def hot(path: str, authorization: str) -> HotAnswer | None:
    return HOT if path == "/v2/app/_trust/tuf/timestamp.json" and authorization != "no" else None


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    handlers = {"echo": echo, "count": count, "stream": stream, "file": file, "wait": wait}
    handlers |= {"fail": fail, "v2": echo}
    routes = [
        Route(name=name, serves=lambda path, name=name: path.split("/")[1] == name, handler=handler)  # type: ignore[misc]
        for name, handler in handlers.items()
    ]
    tls = (arguments[1], arguments[2]) if arguments[:1] == ["--tls"] else None
    server = HttpServer(
        ("127.0.0.1", 0),
        tls,
        Services(routes=routes, hot=hot, checks={"store": check}),
        Bounds(threads=2, streams=4, waiting=2, idle_seconds=1.0, drain_seconds=2.0),
        lambda: datetime.now(UTC),
        sys.stderr.write,
    )
    drained = server.run(lambda address: say(str(address[1])))
    say(f"drained {drained}")
    leave(0 if drained else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
