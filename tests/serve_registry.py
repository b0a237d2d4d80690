"""Serve the registry on a folder, as a program: ``serve_registry.py FOLDER [--sparse] [--tls CERT KEY]``.

Prints its port once it takes connections, and stops at SIGTERM.
"""

import sys
from datetime import UTC, datetime

from countermark.adapters.http_server import Bounds, HttpServer, Route, Services
from countermark.adapters.registry_cleaning import clean_unfinished
from hosted_registry import HostedRegistry


def main(arguments: list[str]) -> None:
    folder = arguments[0]
    tls = None
    if "--tls" in arguments:
        place = arguments.index("--tls")
        tls = (arguments[place + 1], arguments[place + 2])
    clean_unfinished(folder, datetime.now(UTC))
    hosted = HostedRegistry(folder, accept_sparse="--sparse" in arguments)
    route = Route(
        name="registry", serves=lambda path: path.startswith("/v2"), handler=hosted.handler
    )
    server = HttpServer(
        ("127.0.0.1", 0),
        tls,
        Services(routes=(route,)),
        Bounds(),
        lambda: datetime.now(UTC),
        lambda line: None if '"status":2' in line else sys.stderr.write(line),
    )
    server.run(lambda address: say(str(address[1])))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
