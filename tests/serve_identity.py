"""Serve our issuer on loopback, a program of its own: ``serve_identity.py PORT FOLDER [CERT KEY]``.

Accounts are in ``FOLDER/users``; keys are in memory. Prints its issuer's URL once it takes connections; its log goes
to stderr.
"""

import sys
from datetime import UTC, datetime

import identity
from countermark.adapters.granian_server import leave
from countermark.adapters.http_server import Bounds, HttpServer, Route, Services
from countermark.adapters.identity_accounts import AccountFile
from countermark.services.identity_provider.people import People
from countermark.services.identity_provider.provider import IdentityProvider
from countermark.services.identity_provider.settings import Settings


def clock() -> datetime:
    return datetime.now(UTC)


def main(arguments: list[str]) -> None:
    port, folder = int(arguments[0]), arguments[1]
    tls = (arguments[2], arguments[3]) if len(arguments) > 2 else None
    issuer = f"{'https' if tls else 'http'}://localhost:{port}/identity"
    people = People(AccountFile(f"{folder}/users"), clock, b"secret")
    provider = IdentityProvider(
        Settings(issuer=issuer, poll_seconds=1),
        identity.MemoryServiceKeys(),
        people,
        clock,
        b"another secret",
    )
    route = Route(name="identity", serves=provider.serves, handler=provider.answer)
    server = HttpServer(
        ("127.0.0.1", port), tls, Services(routes=[route]), Bounds(), clock, sys.stderr.write
    )

    def ready(_: tuple[str, int]) -> None:
        sys.stdout.write(issuer + "\n")
        sys.stdout.flush()

    leave(0 if server.run(ready) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
