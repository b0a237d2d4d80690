"""Serve our certificate authority on loopback: ``serve_certificates.py PORT FOLDER [--no-log]``.

With it come our issuer of tokens, which it believes, and its certificate log under ``/log``. In the folder are
``users``, ``chain.pem`` and ``ct.pub`` for clients; ``ca.key`` and ``entries.db``. Prints its URL once it takes
connections; its log goes to stderr.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import identity
from countermark.adapters.certificate_entries import CertificateEntryTable
from countermark.adapters.database import migrate
from countermark.adapters.granian_server import leave
from countermark.adapters.http_server import Bounds, HttpServer, Route, Services
from countermark.adapters.identity_accounts import AccountFile
from countermark.adapters.sqlite import SqliteDatabase
from countermark.proofs import issuing, public_keys, signing_keys
from countermark.proofs.certificate_extensions import CODE_SIGNING
from countermark.proofs.certificates import encode_pem
from countermark.services.certificate_authority import CertificateAuthority
from countermark.services.certificate_log import CertificateLogServer
from countermark.services.identity_provider.people import People
from countermark.services.identity_provider.provider import IdentityProvider
from countermark.services.identity_provider.settings import Settings
from countermark.services.identity_tokens.checks import TokenChecks
from countermark.services.identity_tokens.issuer_keys import IssuerKeys
from countermark.services.identity_tokens.issuers import Issuers


def clock() -> datetime:
    return datetime.now(UTC)


class Authority:
    """Keys and certificates, made anew."""

    def __init__(self) -> None:
        start = clock().replace(microsecond=0) - timedelta(hours=1)
        end = start + timedelta(days=3650)
        root_key, key = signing_keys.generate("ecdsa-p384"), signing_keys.generate()
        root = issuing.make_root(root_key, issuing.subject("test", "root"), start, end)
        above = issuing.Signer(root, root_key)
        name = issuing.subject("test", "intermediate")
        own = issuing.make_intermediate(above, key.public, name, start, end, CODE_SIGNING)
        self.key, self.log_key = key, signing_keys.generate()
        self.issuer = issuing.LeafIssuer(issuing.Signer(own, key))
        self.chain = (own.der, root.der)

    def write(self, folder: Path) -> None:
        (folder / "chain.pem").write_bytes(b"".join(encode_pem(each) for each in self.chain))
        (folder / "ct.pub").write_bytes(public_keys.encode(self.log_key.public))
        (folder / "ca.key").write_bytes(self.key.to_pkcs8())


def main(arguments: list[str]) -> None:
    port, folder = int(arguments[0]), Path(arguments[1])
    url = f"http://localhost:{port}"
    authority = Authority()
    authority.write(folder)
    provider = IdentityProvider(
        Settings(issuer=f"{url}/identity"),
        identity.MemoryServiceKeys(),
        People(AccountFile(f"{folder}/users"), clock, b"secret"),
        clock,
        b"another secret",
    )
    tokens = TokenChecks(
        Issuers([provider.believed()]),
        IssuerKeys(identity.Documents(), {f"{url}/identity": provider.key_set}),
    )
    database = SqliteDatabase(str(folder / "entries.db"))
    migrate(database)
    entries = CertificateEntryTable(database)
    log = CertificateLogServer(authority.log_key, entries, authority.chain, clock, "/log")
    asked = None if "--no-log" in arguments else log
    certificates = CertificateAuthority(authority.issuer, authority.chain, tokens, clock, asked)
    routes = [
        Route(name="identity", serves=provider.serves, handler=provider.answer),
        Route(name="log", serves=log.serves, handler=log.answer),
        Route(name="certificates", serves=lambda _: True, handler=certificates.answer),
    ]
    server = HttpServer(
        ("127.0.0.1", port), None, Services(routes=routes), Bounds(), clock, sys.stderr.write
    )

    def ready(_: tuple[str, int]) -> None:
        sys.stdout.write(url + "\n")
        sys.stdout.flush()

    leave(0 if server.run(ready) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
