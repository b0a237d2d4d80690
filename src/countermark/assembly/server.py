"""``countermark serve``: a registry and a trust server on one address, with all that they keep in one folder."""

import gc
import os
import secrets
import sys
import threading

from countermark.adapters import storage
from countermark.adapters.blob_store import BlobStore
from countermark.adapters.blob_uploads import UploadStore
from countermark.adapters.database import SqlTrustStore, migrate
from countermark.adapters.http_server import Bounds, HttpServer, Route, Services
from countermark.adapters.http_url import is_loopback
from countermark.adapters.manifest_store import ManifestStore
from countermark.adapters.registry_cleaning import clean_unfinished
from countermark.adapters.server_keys import SealedKeys
from countermark.adapters.sqlite import SqliteDatabase
from countermark.assembly.data_folder import alone_on
from countermark.assembly.server_tls import our_certificate
from countermark.config import Config
from countermark.core import limits
from countermark.core.errors import ConfigError, InputError
from countermark.core.ports import Clock
from countermark.services.access import Access, check_start
from countermark.services.notary import Notary
from countermark.services.passwords import Passwords
from countermark.services.registry.guard import guarded
from countermark.services.registry.routes import registry
from countermark.services.registry.stores import Stores

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from countermark.assembly.sigstore import Sigstore
    from countermark.core.ports_sigstore import SigningKey

DEFAULT_LISTEN = "127.0.0.1:5443"
_ANY = ("0.0.0.0", "::")  # noqa: S104 - addresses to listen on, which no certificate names


class Server:
    """One server on one data folder; two processes never share one."""

    def __init__(
        self,
        config: Config,
        default_data: str,
        clock: Clock,
        environment: "Mapping[str, str]",
        open_key: "Callable[[str], SigningKey]",
    ) -> None:
        """Take the configuration, and check what can be checked before anything is made.

        ``environment`` is where the secrets of stores elsewhere are looked for; ``open_key`` opens keys elsewhere.

        Raises:
            InputError: an address that is none, or is open to everybody without being told so.
        """
        settings = config.serve
        self._settings, self._clock, self._environment = settings, clock, environment
        self._open_key = open_key
        self.data = os.path.abspath(settings.data or default_data)
        self.host, self.port = _address(settings.listen or DEFAULT_LISTEN)
        check_start(
            self.host,
            loopback=is_loopback(self.host),
            users=bool(settings.htpasswd),
            allow_anonymous_write=settings.allow_anonymous_write,
        )
        self._own_ca = not settings.tls_cert
        self.sigstore: Sigstore | None = None

    def run(self, ready: "Callable[[], None]") -> int:
        """Serve until told to stop; ``ready`` is called once connections are taken.

        Raises:
            InputError, ConfigError, StorageError: it cannot start.
        """
        gc.enable()  # the command line turns it off for its short life
        storage.make_folder(self.data)
        with alone_on(self.data, "stop it, or choose another --data"):
            return self._run(ready)

    def _run(self, ready: "Callable[[], None]") -> int:
        tls = self._tls()
        database = SqliteDatabase(os.path.join(self.data, "trust.db"))
        sigstore = None
        try:
            migrate(database)
            sigstore = self._sigstore() if self._settings.sigstore else None
            server = HttpServer(
                (self.host, self.port),
                tls,
                self._services(database, sigstore),
                Bounds(),
                self._clock,
                _log,
            )

            def started(address: tuple[str, int]) -> None:
                self.port = address[1]
                ready()

            whole = server.run(started, last=True)
        finally:
            database.close()
            if sigstore is not None:
                sigstore.close()
        from countermark.adapters import granian_server

        granian_server.leave(0 if whole else 1)

    def _sigstore(self) -> "Sigstore":
        """The private Sigstore, whose libraries nobody else loads."""
        from countermark.assembly.log_stores import settings_of
        from countermark.assembly.sigstore import FOLDER, Sigstore, SigstoreSettings, base_url
        from countermark.assembly.sigstore_keys import OutsideKeys

        settings = self._settings
        self.sigstore = Sigstore(
            SigstoreSettings(
                folder=os.path.join(self.data, FOLDER),
                master_key=self._master_key(),
                make_master=not settings.master_key_file,
                url=base_url((settings.tls_names or (self.host,))[0], self.port),
                issuers=settings.issuers,
                htpasswd=self._users if settings.htpasswd else lambda: "",
                logs=settings_of(settings, self._environment),
                outside=OutsideKeys(settings.service_keys, self._open_key).of,
            ),
            self._clock,
        )
        return self.sigstore

    def _master_key(self) -> str:
        return self._settings.master_key_file or os.path.join(self.data, "master.key")

    def _services(self, database: SqliteDatabase, sigstore: "Sigstore | None") -> Services:
        settings = self._settings
        folder = os.path.join(self.data, "registry")
        storage.make_folder(folder)
        clean_unfinished(folder, self._clock())
        access = self._access()
        store = SqlTrustStore(database)
        keys = SealedKeys(database, self._master_key(), make=not settings.master_key_file)
        notary = Notary(store, keys, access, self._clock)
        blobs, manifests = BlobStore(folder), ManifestStore(folder)
        stores = Stores(
            blobs=blobs,
            uploads=UploadStore(folder, blobs),
            manifests=manifests,
            tags=manifests,
            accept_sparse=settings.accept_sparse,
        )
        images = guarded(registry(stores, _log_line), access)
        routes = () if sigstore is None else sigstore.routes()
        checks = {} if sigstore is None else sigstore.checks
        return Services(
            routes=(
                Route(name="notary", serves=notary.serves, handler=notary.answer),
                Route(name="token", serves=access.serves, handler=access.answer),
                Route(name="registry", serves=lambda path: path.startswith("/v2"), handler=images),
                *routes,
            ),
            hot=notary.hot,
            checks={"trust store": notary.check} | checks,
        )

    def _access(self) -> Access:
        settings, secret = self._settings, secrets.token_bytes(32)
        passwords = None
        if settings.htpasswd:
            passwords = Passwords(self._users, self._clock, secret)
        return Access(passwords, self._clock, secret, everybody_reads=not settings.require_login)

    def _users(self) -> str:
        path = self._settings.htpasswd
        content = storage.read(path, limits.POLICY_BYTES)
        if content is None:
            raise ConfigError("there is no such file", file=path)
        return content.decode("utf-8", "replace")

    def _tls(self) -> tuple[str, str]:
        settings = self._settings
        if settings.tls_cert:
            return settings.tls_cert, settings.tls_key
        names = list(settings.tls_names)
        names += [n for n in (self.host, "localhost", "127.0.0.1") if n not in names]
        folder = os.path.join(self.data, "tls")
        return our_certificate(folder, [n for n in names if n not in _ANY], self._clock())

    def directions(self) -> list[str]:
        """What people and clients need to know, once it listens."""
        names = self._settings.tls_names or (self.host,)
        lines = []
        for name in names:
            place = f"{name}:{self.port}" if self.port != 443 else name
            lines.append(
                f"serving https://{place} (registry and trust server), data in {self.data}"
            )
            if self._own_ca:
                ca = os.path.join(self.data, "tls", "ca.crt")
                lines += [
                    f"clients trust it through {ca}, copied to",
                    f"  ~/.docker/tls/{place}/ca.crt           docker's trust client, notary, countermark",
                    f"  /etc/docker/certs.d/{place}/ca.crt     the docker daemon, skopeo, podman",
                ]
        if self.sigstore is not None:
            ca = os.path.join(self.data, "tls", "ca.crt") if self._own_ca else ""
            lines += self.sigstore.directions(self.data, ca)
        if not self._settings.htpasswd and not is_loopback(self.host):
            lines.append(
                "warning: anybody who reaches this address may publish (--allow-anonymous-write)"
            )
        lines.append("keep a copy of the data folder; master.key in it opens the server's own keys")
        return lines


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port[:6]) > 65535:
        raise InputError(
            f"not an address: {text[:80]!r}", hint="write HOST:PORT, as 127.0.0.1:5443"
        )
    return host.strip("[]"), int(port)


_LOG_LOCK = threading.Lock()


def _log(line: str) -> None:
    with _LOG_LOCK:
        sys.stderr.write(line)
        sys.stderr.flush()


def _log_line(line: str) -> None:
    _log(f"{line}\n")
