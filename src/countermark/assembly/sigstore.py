"""A private Sigstore in the server's folder: its keys made at the first start, its parts, the routes to them.

All that clients have ever to believe stands in ``sigstore/trusted_root.json``: it is written once the keys are kept,
and says from then on what this Sigstore is, whatever it is started with. The keys are sealed with the server's master
key.
"""

import os
import secrets

from countermark.adapters import storage
from countermark.adapters.certificate_entries import CertificateEntryTable
from countermark.adapters.database import migrate
from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_connection import Timeouts
from countermark.adapters.http_server import Route
from countermark.adapters.identity_accounts import AccountFile
from countermark.adapters.identity_issuer import FetchedDocuments
from countermark.adapters.service_keys import SealedFiles
from countermark.adapters.sqlite import SqliteDatabase
from countermark.adapters.tuf_files import TufFolder
from countermark.assembly import restored_logs
from countermark.assembly.log_places import DATABASE, LogPlace, LogPlaces
from countermark.assembly.log_stores import LogSettings, LogStores
from countermark.assembly.sigstore_logs import (
    LogOpener,
    OpenedLog,
    end,
    transparency_services,
)
from countermark.assembly.sigstore_trust import (
    AUTHORITY,
    CERTIFICATE_LOG,
    LOG,
    TIMESTAMPS,
    Trust,
    public_key_of,
)
from countermark.core import limits
from countermark.core.errors import ConfigError, InputError
from countermark.core.ports import Clock
from countermark.core.ports_sigstore import CertificateEntries, SigningKey
from countermark.core.value import Value
from countermark.formats import trusted_root
from countermark.formats.trusted_root import Instance
from countermark.proofs import issuing, timestamp_issuing, x509
from countermark.services import sigstore_parts
from countermark.services.certificate_authority import CertificateAuthority
from countermark.services.certificate_log import CertificateLogServer
from countermark.services.identity_provider.people import People
from countermark.services.identity_provider.provider import IdentityProvider
from countermark.services.identity_provider.settings import Settings
from countermark.services.identity_tokens import issuer_file
from countermark.services.identity_tokens.checks import TokenChecks
from countermark.services.identity_tokens.issuer_keys import IssuerKeys
from countermark.services.identity_tokens.issuers import Issuers
from countermark.services.log_certificates import LoggedCertificates
from countermark.services.log_witnesses import Witnesses
from countermark.services.timestamp_authority import PATH as TIMESTAMP_PATH
from countermark.services.timestamp_authority import TimestampAuthority
from countermark.services.trust_root import TrustRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from countermark.assembly.sigstore_logs import Service


FOLDER = "sigstore"
_ISSUER_PATH = "/identity"
_TUF_PATH = "/tuf/"
_ISSUER_TIMEOUTS = Timeouts(connect=5.0, read=5.0, answer=10.0)  # a stranger's request waits for it


class SigstoreSettings(Value):
    """How a private Sigstore is started.

    Attributes:
        folder: where it keeps everything.
        master_key: the file of the key that seals the others; ``make_master`` makes it where it is missing.
        url: how clients reach it, as ``https://sigstore.example.com``.
        issuers: file of the OpenID issuers that are believed besides its own, "" for none.
        htpasswd: gives the text of a file of users who may sign in besides the accounts kept here.
        logs: where new logs begin, how those elsewhere are reached, and who witnesses them.
        outside: gives the keys of a service that lie elsewhere (``sigstore_keys.py``).
    """

    folder: str
    master_key: str
    make_master: bool
    url: str
    issuers: str = ""
    htpasswd: "Callable[[], str]" = lambda: ""
    logs: LogSettings = LogSettings()
    outside: "Callable[[str], Sequence[SigningKey]]" = lambda _: ()


class Sigstore:
    """All parts of one private Sigstore."""

    def __init__(self, settings: SigstoreSettings, clock: Clock) -> None:
        """Take the folder; keys are made, and certificates issued, where there are none yet.

        Raises:
            StorageError, KeyAccessError: what is there cannot be read or opened. ConfigError: it is wrong.
        """
        self._settings, self._clock = settings, clock
        storage.make_folder(settings.folder)
        self.keys = SealedFiles(
            os.path.join(settings.folder, "keys"), settings.master_key, make=settings.make_master
        )
        self._stores = LogStores(settings.folder, settings.logs)
        self.places = LogPlaces(settings.folder, self._stores.home())
        self.trust = Trust(
            settings.folder, settings.url, self.keys, self.places, clock, settings.outside
        )
        self._database = SqliteDatabase(os.path.join(settings.folder, DATABASE))
        migrate(self._database)
        self._witnesses = self._stores.witnesses(clock)
        self._stores.own = self._database
        self._logs = LogOpener(self._stores, self.places, clock)
        self._notes: list[str] = []
        self.checks: dict[str, Callable[[], None]] = {}
        storage.write(
            os.path.join(settings.folder, "url"), f"{settings.url}\n".encode(), mode=0o644
        )

    def close(self) -> None:
        """Let go of the databases and of the witnesses."""
        self._witnesses.close()
        self._stores.close()
        self._database.close()

    def _path(self, name: str) -> str:
        return os.path.join(self._settings.folder, name)

    # The services ---------------------------------------------------------------------------------------

    def routes(self) -> tuple[Route, ...]:
        """Where each service is.

        Raises:
            ConfigError: the file of issuers is wrong. StorageError, KeyAccessError: what is kept cannot be used.
        """
        self._end_restored()
        identity = self._identity_provider()
        certificate_logs, logs = self._open_certificate_logs(), self._open_logs()
        authority = self._certificate_authority(self._tokens(identity), certificate_logs[-1])
        stamps, tuf = self._timestamp_authority(), self.trust_root()
        self.publish()
        services: dict[str, list[Service]] = {
            "identity": [identity],
            "authority": [authority],
            "certificate-log": list(certificate_logs),
            "log": transparency_services(logs),
            "timestamps": [stamps],
            "trust-root": [tuf],
        }
        return tuple(
            Route(name=name, serves=service.serves, handler=service.answer)
            for name, same in services.items()
            for service in same
        )

    def settle(self) -> None:
        """Finish what a rotation began: former logs are frozen, and the TUF repository hands out what is believed.

        Raises:
            As ``routes``.
        """
        self._end_restored()
        self._open_certificate_logs()
        self._open_logs()
        self.publish()

    def rotate(self, service: str, url: str = "") -> None:
        """Give a service a new key; a log that was restored from a backup ends as such.

        Raises:
            As ``Trust.rotate``.
        """
        pending = restored_logs.pending(self._settings.folder)
        self.trust.rotate(service, url, restored=service in pending)
        if service in pending:
            left = [each for each in pending if each != service]
            restored_logs.remember(self._settings.folder, left)

    def _end_restored(self) -> None:
        """Begin the logs that follow those of a folder that was restored from a backup."""
        pending = restored_logs.pending(self._settings.folder)
        if LOG in pending and self._settings.logs.witnesses:
            raise InputError(
                "the log was restored from a backup, and ends; its witnesses know the next one by another host",
                hint="begin it with `countermark sigstore rotate log --url URL`",
            )
        for service in pending:
            self.rotate(service)
            self._notes.append(
                f"the {service} was restored from a backup, and ended; another began"
            )

    def publish(self) -> None:
        """Hand out what is believed now.

        Raises:
            StorageError, KeyAccessError: it cannot be signed, or not be written.
        """
        tuf = self.trust_root()
        tuf.publish(sigstore_parts.targets(self.parts(), self._clock()))
        tuf.refresh()

    def parts(self) -> sigstore_parts.Parts:
        """What its clients are told."""
        base = self._settings.url
        place = self._logs.place(self.trust.root.logs[-1])
        return sigstore_parts.Parts(
            operator=trusted_root.host_of(base),
            trusted=self.trust.root,
            authority_url=base,
            issuer_url=self.issuer_url,
            log_url=place.url or base + place.path,
            timestamp_url=base + TIMESTAMP_PATH,
        )

    @property
    def issuer_url(self) -> str:
        """Where tokens come from."""
        return self._settings.url + _ISSUER_PATH

    def trust_root(self) -> TrustRoot:
        """The TUF repository."""
        files = TufFolder(self._path("tuf"))
        return TrustRoot(files, self.keys, self._clock, prefix=_TUF_PATH)

    def _identity_provider(self) -> IdentityProvider:
        accounts = AccountFile(accounts_path(self._settings.folder))
        people = People(
            accounts, self._clock, secrets.token_bytes(32), htpasswd=self._settings.htpasswd
        )
        settings = Settings(issuer=self.issuer_url)
        return IdentityProvider(settings, self.keys, people, self._clock, secrets.token_bytes(32))

    def _tokens(self, identity: IdentityProvider) -> TokenChecks:
        issuers = Issuers(())
        if self._settings.issuers:
            content = storage.read(self._settings.issuers, limits.POLICY_BYTES)
            if content is None:
                raise ConfigError("there is no such file", file=self._settings.issuers)
            issuers = issuer_file.parse(content, self._settings.issuers)
        documents = FetchedDocuments(HttpClient(timeouts=_ISSUER_TIMEOUTS))
        keys = IssuerKeys(documents, {self.issuer_url: identity.key_set})
        return TokenChecks(issuers.and_also(identity.believed()), keys, identity.withdrawn)

    def _open_certificate_logs(self) -> list[CertificateLogServer]:
        """The certificate logs, the oldest first: the last one takes certificates."""
        root = self.trust.root
        chains = [each.certificates[-1] for each in root.authorities]
        found = []
        for log in root.ct_logs:
            key, is_closed = self.trust.key(CERTIFICATE_LOG, log.key), log is not root.ct_logs[-1]
            place = self.places.of(log.log_id)
            entries = self._certificate_entries(log, place, key, is_closed=is_closed)
            path = place.path if place else ""
            server = CertificateLogServer(
                key, entries, chains, self._clock, path, is_closed=is_closed
            )
            found.append(server)
        return found

    def _certificate_entries(
        self, log: Instance, place: LogPlace | None, key: SigningKey, *, is_closed: bool
    ) -> CertificateEntries:
        if not is_closed:
            self.places.check_home(log.log_id, "certificate log")
        if place is None:  # of an earlier version of the program
            return CertificateEntryTable(self._database)
        nobody = Witnesses((), 0, self._clock)  # they know logs by the names of hosts
        opened = self._logs.opened(log, place, place.name, key, nobody)
        self._take_up(opened, "certificate log", is_closed=is_closed)
        return LoggedCertificates(opened.sequencer, opened.index, opened.files)

    def _open_logs(self) -> list[OpenedLog]:
        """The transparency logs, the oldest first: the last one takes entries."""
        found = []
        logs = self.trust.root.logs
        self.places.check_home(logs[-1].log_id, "transparency log")
        for log in logs:
            key, place = self.trust.key(LOG, log.key), self._logs.place(log)
            opened = self._logs.opened(log, place, log.origin, key, self._witnesses)
            self._take_up(opened, "transparency log", is_closed=log is not logs[-1])
            found.append(opened)
        return found

    def _take_up(self, log: OpenedLog, name: str, *, is_closed: bool) -> None:
        if is_closed:
            end(log)
        else:
            log.sequencer.open()
            self.checks[name] = log.sequencer.check

    def _certificate_authority(
        self, tokens: TokenChecks, log: CertificateLogServer
    ) -> CertificateAuthority:
        *former, newest = self.trust.root.authorities
        key = self.trust.key(AUTHORITY, public_key_of(newest))
        signer = issuing.Signer(x509.parse(newest.certificates[0]), key)
        return CertificateAuthority(
            issuing.LeafIssuer(signer),
            newest.certificates,
            tokens,
            self._clock,
            log,
            [each.certificates for each in former],
        )

    def _timestamp_authority(self) -> TimestampAuthority:
        newest = self.trust.root.timestamp_authorities[-1]
        key = self.trust.key(TIMESTAMPS, public_key_of(newest))
        stamper = timestamp_issuing.Stamper(key, newest.certificates)
        return TimestampAuthority(stamper, newest.certificates, self._clock)

    # What people are told -------------------------------------------------------------------------------

    def directions(self, data: str, ca: str) -> list[str]:
        """The few lines that each kind of client needs."""
        base, tuf = self._settings.url, self._settings.url + _TUF_PATH.rstrip("/")
        root = self._path(os.path.join("tuf", "root.json"))
        trust, python = (
            f"{name}={ca} " if ca else "" for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
        )
        return [
            f"a private Sigstore at {base}: certificates, log, timestamps, identities",
            f"  countermark sigstore use --data {data}   lets you sign and verify with it",
            f"  countermark sigstore user add you@example.com --data {data}   makes an account",
            f"  {trust}cosign initialize --mirror {tuf} --root {root}",
            f"  {python}sigstore --instance {tuf} trust-instance {root}",
            *([f"  NODE_EXTRA_CA_CERTS={ca}   for sigstore-js"] if ca else []),
            f"  countermark sigstore export --data {data} --to FOLDER   for hosts without network",
            *self._notes,
        ]


def accounts_path(folder: str) -> str:
    """Where the accounts of our own issuer lie."""
    return os.path.join(folder, "identity", "users")


def base_url(host: str, port: int) -> str:
    """How clients reach a server of ours.

    Raises:
        InputError: the port is not known before it starts.
    """
    if port == 0:
        raise InputError(
            "a Sigstore needs a port that stays",
            hint="its clients are told its address: give --listen HOST:PORT",
        )
    return f"https://{host}" if port == 443 else f"https://{host}:{port}"
