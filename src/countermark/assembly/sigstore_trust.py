"""What the clients of a private Sigstore have to believe, and the keys behind it: made at the first start, rotated.

All of it stands in ``trusted_root.json``, which is written once everything that it names is kept: keys first, then
where a log lies, then the file. So a crash leaves what was believed before, or what is believed from then on; a key
that no trusted root names is never used. What signed before stays there with the time at which that ended.
"""

import os
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from countermark.adapters import storage
from countermark.adapters.http_url import Url
from countermark.adapters.service_keys import SealedFiles
from countermark.assembly.log_places import CERTIFICATE_TILES, TILES, LogPlace, LogPlaces
from countermark.core import limits
from countermark.core.errors import ConfigError, EvidenceError, InputError
from countermark.core.ports import Clock
from countermark.core.ports_sigstore import SigningKey
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
from countermark.services.sigstore_parts import TRUSTED_ROOT
from countermark.services.timestamp_authority import PATH as TIMESTAMP_PATH

AUTHORITY, CERTIFICATE_LOG, LOG, TIMESTAMPS = ("authority", "certificate-log", "log", "timestamps")
_LOGS = (LOG, CERTIFICATE_LOG)
_ALGORITHMS = {LOG: "ed25519"}
_EARLY = timedelta(minutes=5)  # clients' clocks may be behind ours
_SECOND = timedelta(seconds=1)
_LIFE = timedelta(days=3650)
# What a certificate's key signs comes after the certificate: its issuer, and the log that promised it, count so long.
_LATE = {AUTHORITY: issuing.LEAF_LIFE, CERTIFICATE_LOG: issuing.LEAF_LIFE}


class Trust:
    """What is believed of a Sigstore.

    Args:
        folder: the Sigstore's.
        url: how clients reach it.
        keys: its keys in the folder.
        places: where its logs lie.
        clock: the time.
        outside: gives its keys that lie elsewhere, by service.
    """

    def __init__(
        self,
        folder: str,
        url: str,
        keys: SealedFiles,
        places: LogPlaces,
        clock: Clock,
        outside: "Callable[[str], Sequence[SigningKey]]" = lambda _: (),
    ) -> None:
        """Read it; made where there is nothing yet.

        Raises:
            StorageError, KeyAccessError: what is there cannot be read or opened. ConfigError: it is wrong.
        """
        self.path = os.path.join(folder, TRUSTED_ROOT)
        self._url, self._keys, self._places, self._clock = url, keys, places, clock
        self._outside = outside
        content = storage.read(self.path, limits.TRUSTED_ROOT_BYTES)
        if content is None:
            self._believe(self._first())
            return
        try:
            self.root = trusted_root.parse(content)
        except EvidenceError as error:
            raise ConfigError(str(error), file=self.path) from None

    def _believe(self, root: TrustedRoot) -> None:
        storage.write(self.path, root.encode(), mode=0o644)
        self.root = root

    # Keys -----------------------------------------------------------------------------------------------

    def key(self, service: str, public_der: bytes) -> SigningKey:
        """One of our keys for a service: the one that the trusted root names.

        Raises:
            ConfigError: it is not among ours. KeyAccessError, StorageError: it cannot be opened.
            UnavailableError: its keeper is out of reach.
        """
        for outside in self._outside(service):
            if outside.public_der == public_der:
                return outside
        for name in self._names(service):
            key = self._opened(name)
            if key.public_der == public_der:
                return key
        raise ConfigError(
            f"none of the keys for {service} is the one that the trusted root names",
            file=self.path,
            hint="name it again, if it lies elsewhere: --service-key",
        )

    def _names(self, service: str) -> list[str]:
        """Our keys for a service, the newest first: ``log``, ``log-2`` and so on."""
        pattern = re.compile(rf"{service}(-[1-9][0-9]{{0,8}})?")
        found = [name for name in self._keys.names() if pattern.fullmatch(name)]
        return sorted(found, key=lambda name: int(name[len(service) + 1 :] or 1), reverse=True)

    def _opened(self, name: str) -> LocalKey:
        private = self._keys.get(name)
        if private is None:
            raise ConfigError(f"the key {name} is missing", file=self.path)
        return signing_keys.from_pkcs8(private)

    def _first_key(self, service: str) -> SigningKey:
        """The first key for a service; after a crash it may be there already."""
        for outside in self._outside(service):
            return outside
        return self._opened(service) if self._names(service) else self._made(service)

    def _new_key(self, service: str) -> SigningKey:
        """Another key for a service: one that lies elsewhere and has not been used, or a new one in the folder.

        Raises:
            InputError: there are only used ones elsewhere.
        """
        outside = self._outside(service)
        used = self._used(service)
        for key in outside:
            if key.public_der not in used:
                return key
        if outside:
            raise InputError(
                f"each key for {service} that lies elsewhere is in use already",
                hint="name the new one besides: --service-key",
            )
        return self._made(service)

    def logs(self, service: str) -> tuple[Instance, ...]:
        """What the trusted root names for LOG or CERTIFICATE_LOG, the newest last."""
        return self.root.logs if service == LOG else self.root.ct_logs

    def authorities(self, service: str) -> tuple[Authority, ...]:
        """What the trusted root names for AUTHORITY or TIMESTAMPS, the newest last."""
        return self.root.authorities if service == AUTHORITY else self.root.timestamp_authorities

    def named(self, service: str) -> "tuple[Instance | Authority, ...]":
        """What the trusted root names for a service, the newest last."""
        return self.logs(service) if service in _LOGS else self.authorities(service)

    def _used(self, service: str) -> set[bytes]:
        if service in _LOGS:
            return {log.key for log in self.logs(service)}
        return {public_key_of(authority) for authority in self.authorities(service)}

    def _made(self, service: str) -> LocalKey:
        newest = next(iter(self._names(service)), "")
        number = int(newest[len(service) + 1 :] or 1) + 1
        made = signing_keys.generate(_ALGORITHMS.get(service, "ecdsa-p256"))
        self._keys.put(f"{service}-{number}" if newest else service, made.to_pkcs8())
        return made

    # The first time -------------------------------------------------------------------------------------

    def _first(self) -> TrustedRoot:
        """Make the keys that are missing, and certificates for them."""
        now = self._clock()
        log = _instance(self._url, self._first_key(LOG), _start(now))
        certificate_log = _instance(self._url, self._first_key(CERTIFICATE_LOG), _start(now))
        self._places.begin(log.log_id, LogPlace(name=log.origin))
        self._places.begin(certificate_log.log_id, self._certificate_place(certificate_log, 1))
        return TrustedRoot(
            logs=(log,),
            authorities=(self._authority(self._first_key(AUTHORITY), 1, now),),
            ct_logs=(certificate_log,),
            timestamp_authorities=(self._timestamps(self._first_key(TIMESTAMPS), 1, now),),
        )

    def _authority(self, key: SigningKey, number: int, now: datetime) -> Authority:
        """Certify an authority's key under a root whose own key nobody keeps: nothing more comes of it."""
        name, start = trusted_root.host_of(self._url), _start(now)
        more, end = _counted(number), start + _LIFE
        root_key = signing_keys.generate("ecdsa-p384")
        root_name = issuing.subject(name, f"{name[:40]} root{more}")
        root = issuing.make_root(root_key, root_name, start, end)
        between = issuing.make_intermediate(
            issuing.Signer(root, root_key),
            spki.parse(key.public_der),
            issuing.subject(name, f"{name[:40]} signers{more}"),
            start,
            end,
            certificate_extensions.CODE_SIGNING,
        )
        return Authority(
            organization=name,
            common_name=f"{name[:40]} signers{more}",
            uri=self._url,
            certificates=(between.der, root.der),
            start=start,
        )

    def _timestamps(self, key: SigningKey, number: int, now: datetime) -> Authority:
        name = trusted_root.host_of(self._url)
        called = f"{name[:40]} timestamps{_counted(number)}"
        return Authority(
            organization=name,
            common_name=called,
            uri=self._url + TIMESTAMP_PATH,
            certificates=timestamp_issuing.issue_chain(key, name, called, now),
            start=_start(now),
        )

    def _certificate_place(self, log: Instance, number: int) -> LogPlace:
        """Where a certificate log lies, in tiles; its checkpoints need a name that no other log has."""
        path = _path("certificates", number)
        return LogPlace(
            name=f"{log.origin}/certificates/{number}",
            tiles=CERTIFICATE_TILES + _suffix(log, number),
            path=path,
        )

    # Rotation -------------------------------------------------------------------------------------------

    def rotate(self, service: str, url: str = "", *, restored: bool = False) -> None:
        """Give a service a new key. A log ends with its key, and another begins.

        Args:
            service: one of AUTHORITY, CERTIFICATE_LOG, LOG, TIMESTAMPS.
            url: of a new log: its own address, whose host no log of ours has had yet.
            restored: the log ended in a backup: it says nothing more, since more of it may have been seen.

        Raises:
            InputError: an address that will not do, too many rotations. StorageError, KeyAccessError: nothing has
                changed.
        """
        root, now = self.root, self._clock()
        number = len(self.named(service)) + 1
        if number > limits.TRUSTED_ROOT_ENTRIES:
            raise InputError("no trusted root has room for more of a kind")
        if url:
            self._check_address(url)
        end = now.replace(microsecond=0) + _SECOND + _LATE.get(service, timedelta(0))
        if service == AUTHORITY:
            made = self._authority(self._new_key(service), number, now)
            root = root.replace(authorities=(*_ended(root.authorities, end), made))
        elif service == TIMESTAMPS:
            made = self._timestamps(self._new_key(service), number, now)
            stamps = (*_ended(root.timestamp_authorities, end), made)
            root = root.replace(timestamp_authorities=stamps)
        else:
            if restored:
                self._mark_restored(service)
            log = self._next_log(service, url, number, now)
            if service == LOG:
                root = root.replace(logs=(*_ended_logs(root.logs, end), log))
            else:
                root = root.replace(ct_logs=(*_ended_logs(root.ct_logs, end), log))
        self._believe(root)

    def _next_log(self, service: str, url: str, number: int, now: datetime) -> Instance:
        path = _path("log" if service == LOG else "certificates", number)
        log = _instance(url or self._url + path, self._new_key(service), _start(now))
        if service == CERTIFICATE_LOG:
            place = self._certificate_place(log, number)
        else:
            place = LogPlace(
                name=f"{log.origin}/log/{number}",
                tiles=TILES + _suffix(log, number),
                path="" if url else path,
                url=url,
            )
        self._places.begin(log.log_id, place)
        return log

    def _mark_restored(self, service: str) -> None:
        log = self.logs(service)[-1]
        place = self._places.of(log.log_id)
        if place is None and service == LOG:
            place = LogPlace(name=log.origin)
        if place is not None:
            self._places.put(log.log_id, place.replace(is_restored=True))

    def _check_address(self, url: str) -> None:
        found = Url.parse(url)
        if found.target != "/" or url.endswith("/"):
            raise InputError(
                f"{url[:200]}: a log's address has no path", hint="as https://log2.example.com"
            )
        hosts = {trusted_root.host_of(self._url), *(each.origin for each in self.root.logs)}
        if found.host in hosts:
            raise InputError(
                f"{found.host} has a log already",
                hint="give a host of its own, or no --url: then the new log is under a path",
            )


def _start(now: datetime) -> datetime:
    return (now - _EARLY).replace(microsecond=0)


def _instance(base_url: str, key: SigningKey, start: datetime) -> Instance:
    """What is believed of a log; an Ed25519 key is known by its name too, as the checkpoints of Rekor 2 have it."""
    public = spki.parse(key.public_der)
    return Instance(
        base_url=base_url,
        key=key.public_der,
        key_details=signatures.key_details(public),
        log_id=checkpoints.key_id(trusted_root.host_of(base_url), public),
        start=start,
    )


def _ended(authorities: tuple[Authority, ...], end: datetime) -> tuple[Authority, ...]:
    return (*authorities[:-1], *(each.replace(end=end) for each in authorities[-1:]))


def _ended_logs(logs: tuple[Instance, ...], end: datetime) -> tuple[Instance, ...]:
    return (*logs[:-1], *(each.replace(end=end) for each in logs[-1:]))


def _counted(number: int) -> str:
    return f" {number}" if number > 1 else ""


def _path(word: str, number: int) -> str:
    return f"/{word}/{number}" if number > 1 else ""


def _suffix(log: Instance, number: int) -> str:
    """What tells a log's files from those of others, also of one that a crash kept from ever beginning."""
    return f"-{log.log_id.hex()[:16]}" if number > 1 else ""


def public_key_of(authority: Authority) -> bytes:
    """The public key that an authority signs with: that of the first of its certificates."""
    return x509.parse(authority.certificates[0]).key.der
