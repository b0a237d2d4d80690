"""A private Sigstore in the server's folder: its keys made at the first start, its parts, the routes to them.

All that clients have ever to believe stands in ``sigstore/trusted_root.json``: it is written once the keys are kept,
and says from then on what this Sigstore is, whatever it is started with. The keys are sealed with the server's master
key.
"""

import os
import secrets
from datetime import datetime, timedelta

from countermark.adapters import storage
from countermark.adapters.certificate_entries import CertificateEntryTable
from countermark.adapters.database import migrate
from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_connection import Timeouts
from countermark.adapters.http_server import Route
from countermark.adapters.identity_accounts import AccountFile
from countermark.adapters.identity_issuer import FetchedDocuments
from countermark.adapters.log_index import SqlLogIndex
from countermark.adapters.service_keys import SealedFiles
from countermark.adapters.sqlite import SqliteDatabase
from countermark.adapters.tile_folder import TileFolder
from countermark.adapters.tuf_files import TufFolder
from countermark.core import limits
from countermark.core.errors import ConfigError, EvidenceError, InputError
from countermark.core.ports import Clock
from countermark.core.value import Value
from countermark.formats import trusted_root
from countermark.formats.trusted_root import Authority, Instance, TrustedRoot
from countermark.proofs import (
    certificate_extensions,
    checkpoints,
    issuing,
    signatures,
    signing_keys,
    spki,
    timestamp_issuing,
    x509,
)
from countermark.proofs.signing_keys import LocalKey
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
from countermark.services.log_publishing import Publisher
from countermark.services.log_sequencer import Sequencer
from countermark.services.log_witnesses import Witnesses
from countermark.services.timestamp_authority import PATH as TIMESTAMP_PATH
from countermark.services.timestamp_authority import TimestampAuthority
from countermark.services.transparency_log import Shard, TransparencyLog
from countermark.services.trust_root import TrustRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from countermark.core.ports import Request, Response

    class _Service(Protocol):
        """What each service is to the server."""

        def serves(self, path: str) -> bool: ...

        def answer(self, request: Request) -> Response: ...


FOLDER = "sigstore"
_ISSUER_PATH = "/identity"
_TUF_PATH = "/tuf/"
_AUTHORITY, _CERTIFICATE_LOG, _LOG, _TIMESTAMPS = (
    "authority",
    "certificate-log",
    "log",
    "timestamps",
)
_EARLY = timedelta(minutes=5)  # clients' clocks may be behind ours
_LIFE = timedelta(days=3650)
_ISSUER_TIMEOUTS = Timeouts(connect=5.0, read=5.0, answer=10.0)  # a stranger's request waits for it


class SigstoreSettings(Value):
    """How a private Sigstore is started.

    Attributes:
        folder: where it keeps everything.
        master_key: the file of the key that seals the others; ``make_master`` makes it where it is missing.
        url: how clients reach it, as ``https://sigstore.example.com``.
        issuers: file of the OpenID issuers that are believed besides its own, "" for none.
        htpasswd: gives the text of a file of users who may sign in besides the accounts kept here.
    """

    folder: str
    master_key: str
    make_master: bool
    url: str
    issuers: str = ""
    htpasswd: "Callable[[], str]" = lambda: ""


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
        self._root = self._trusted_root()
        self._database = SqliteDatabase(os.path.join(settings.folder, "log.db"))
        migrate(self._database)
        self.checks: dict[str, Callable[[], None]] = {}
        storage.write(
            os.path.join(settings.folder, "url"), f"{settings.url}\n".encode(), mode=0o644
        )

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    # What is believed -----------------------------------------------------------------------------------

    def _path(self, name: str) -> str:
        return os.path.join(self._settings.folder, name)

    def _trusted_root(self) -> TrustedRoot:
        path = self._path(sigstore_parts.TRUSTED_ROOT)
        content = storage.read(path, limits.TRUSTED_ROOT_BYTES)
        if content is None:
            made = self._first_root(self._clock())
            storage.write(path, made.encode(), mode=0o644)
            return made
        try:
            return trusted_root.parse(content)
        except EvidenceError as error:
            raise ConfigError(str(error), file=path) from None

    def _first_root(self, now: datetime) -> TrustedRoot:
        """Make the keys that are missing, and certificates for them."""
        start = (now - _EARLY).replace(microsecond=0)
        name = trusted_root.host_of(self._settings.url)
        base = self._settings.url
        log, certificate_log = self._key(_LOG, "ed25519"), self._key(_CERTIFICATE_LOG)
        log_key = spki.parse(log.public_der)
        stamps = timestamp_issuing.issue_chain(
            self._key(_TIMESTAMPS), name, f"{name[:40]} timestamps", now
        )
        return TrustedRoot(
            logs=(
                Instance(
                    base_url=base,
                    key=log.public_der,
                    key_details="PKIX_ED25519",
                    log_id=checkpoints.key_id(name, log_key),
                    start=start,
                ),
            ),
            authorities=(
                Authority(
                    organization=name,
                    common_name=f"{name[:40]} signers",
                    uri=base,
                    certificates=self._authority(name, start),
                    start=start,
                ),
            ),
            ct_logs=(
                Instance(
                    base_url=base,
                    key=certificate_log.public_der,
                    key_details=signatures.key_details(spki.parse(certificate_log.public_der)),
                    log_id=checkpoints.key_id("", spki.parse(certificate_log.public_der)),
                    start=start,
                ),
            ),
            timestamp_authorities=(
                Authority(
                    organization=name,
                    common_name=f"{name[:40]} timestamps",
                    uri=base + TIMESTAMP_PATH,
                    certificates=stamps,
                    start=start,
                ),
            ),
        )

    def _authority(self, name: str, start: datetime) -> tuple[bytes, ...]:
        """Certify the authority's key under a root whose own key nobody keeps: nothing more comes of it."""
        end = start + _LIFE
        root_key = signing_keys.generate("ecdsa-p384")
        root = issuing.make_root(root_key, issuing.subject(name, f"{name[:40]} root"), start, end)
        between = issuing.make_intermediate(
            issuing.Signer(root, root_key),
            spki.parse(self._key(_AUTHORITY).public_der),
            issuing.subject(name, f"{name[:40]} signers"),
            start,
            end,
            certificate_extensions.CODE_SIGNING,
        )
        return between.der, root.der

    def _key(self, name: str, algorithm: str = "ecdsa-p256") -> LocalKey:
        private = self.keys.get(name)
        if private is None:
            made = signing_keys.generate(algorithm)
            self.keys.put(name, made.to_pkcs8())
            return made
        return signing_keys.from_pkcs8(private)

    # The services ---------------------------------------------------------------------------------------

    def routes(self) -> tuple[Route, ...]:
        """Where each service is.

        Raises:
            ConfigError: the file of issuers is wrong. StorageError, KeyAccessError: what is kept cannot be used.
        """
        identity = self._identity_provider()
        tokens = self._tokens(identity)
        certificate_log = self._certificate_log()
        authority = self._certificate_authority(tokens, certificate_log)
        log = self._log()
        self.checks["transparency log"] = log.check
        stamps = self._timestamp_authority()
        tuf = self.trust_root()
        tuf.publish(sigstore_parts.targets(self.parts(), self._clock()))
        tuf.refresh()
        services: dict[str, _Service] = {
            "identity": identity,
            "authority": authority,
            "certificate-log": certificate_log,
            "log": log,
            "timestamps": stamps,
            "trust-root": tuf,
        }
        return tuple(
            Route(name=name, serves=service.serves, handler=service.answer)
            for name, service in services.items()
        )

    def parts(self) -> sigstore_parts.Parts:
        """What its clients are told."""
        base = self._settings.url
        return sigstore_parts.Parts(
            operator=trusted_root.host_of(base),
            trusted=self._root,
            authority_url=base,
            issuer_url=self.issuer_url,
            log_url=base,
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

    def _certificate_log(self) -> CertificateLogServer:
        roots = [each.certificates[-1] for each in self._root.authorities]
        entries = CertificateEntryTable(self._database)
        return CertificateLogServer(self._key(_CERTIFICATE_LOG), entries, roots, self._clock)

    def _certificate_authority(
        self, tokens: TokenChecks, log: CertificateLogServer
    ) -> CertificateAuthority:
        *former, newest = self._root.authorities
        signer = issuing.Signer(x509.parse(newest.certificates[0]), self._key(_AUTHORITY))
        return CertificateAuthority(
            issuing.LeafIssuer(signer),
            newest.certificates,
            tokens,
            self._clock,
            log,
            [each.certificates for each in former],
        )

    def _log(self) -> TransparencyLog:
        newest = self._root.logs[-1]
        store = TileFolder(self._path("tiles"))
        witnesses = Witnesses((), 0, self._clock)
        publisher = Publisher(newest.origin, [self._key(_LOG)], store, witnesses, self._clock)
        if publisher.log_id != newest.log_id:
            raise ConfigError(
                "the log's key is not the one that the trusted root names",
                file=self._path(sigstore_parts.TRUSTED_ROOT),
            )
        index = SqlLogIndex(self._database, newest.origin)
        sequencer = Sequencer(index, store, publisher)
        sequencer.open()
        return TransparencyLog([Shard(origin=newest.origin, sequencer=sequencer, files=store)])

    def _timestamp_authority(self) -> TimestampAuthority:
        certificates = self._root.timestamp_authorities[-1].certificates
        stamper = timestamp_issuing.Stamper(self._key(_TIMESTAMPS), certificates)
        return TimestampAuthority(stamper, certificates, self._clock)

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
