"""The keys of issuers: found through their discovery documents, remembered, asked for again when a new one signs.

Tokens are sent by strangers, and a token names the issuer and the key that it wants: so what it can make us fetch is
bounded. Each issuer is asked by one thread at a time, not sooner than a minute after the last time, a few at once.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from countermark.core import limits
from countermark.core.errors import CountermarkError, UnavailableError
from countermark.core.ports_sigstore import IssuerDocuments
from countermark.formats import strict_json
from countermark.proofs import token_keys
from countermark.proofs.token_keys import TokenKey

DISCOVERY_PATH = "/.well-known/openid-configuration"
_RETRY = timedelta(seconds=5)  # while an issuer's keys were never had
_REFRESH = timedelta(seconds=limits.KEY_SET_REFRESH_SECONDS)
_LIFE = timedelta(seconds=limits.KEY_SET_SECONDS)
_STALE = timedelta(seconds=limits.KEY_SET_STALE_SECONDS)
_NEVER = timedelta(days=36_500)


class _Known:
    """What is remembered of one issuer."""

    def __init__(self) -> None:
        self.asking = threading.Lock()
        self.keys: tuple[TokenKey, ...] = ()
        self.fetched: datetime | None = None
        self.tried: datetime | None = None

    def age(self, now: datetime) -> timedelta:
        """How old the keys are; a clock that was set back makes them too old."""
        if self.fetched is None or now < self.fetched:
            return _NEVER
        return now - self.fetched

    def serves(self, key_id: str, now: datetime) -> bool:
        """Say whether the keys are fresh and the one that a token names is among them."""
        return self.age(now) < _LIFE and (not key_id or any(k.id == key_id for k in self.keys))

    def may_ask(self, now: datetime) -> bool:
        """Say whether the issuer may be asked again by now."""
        pause = _REFRESH if self.age(now) < _STALE else _RETRY
        return self.tried is None or not timedelta(0) <= now - self.tried < pause


class IssuerKeys:
    """The keys of issuers, fetched when needed.

    Args:
        documents: fetches.
        own: issuers of this very process: their URLs, and what gives their key sets; they are never asked over HTTP.
        wait_seconds: for somebody else's request to the same issuer, or for one of the places.
    """

    def __init__(
        self,
        documents: IssuerDocuments,
        own: Mapping[str, Callable[[], bytes]] | None = None,
        *,
        wait_seconds: float = 10.0,
    ) -> None:
        self._documents, self._wait_seconds = documents, wait_seconds
        self._own = dict(own or {})
        self._own_known: dict[str, tuple[bytes, tuple[TokenKey, ...]]] = {}
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(limits.ISSUER_FETCHES)
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def keys(
        self, issuer: str, key_id: str, now: datetime, ca_certificates: str = ""
    ) -> Sequence[TokenKey]:
        """Return an issuer's keys, asked for again where ``key_id`` is not among those remembered.

        Raises:
            UnavailableError: they cannot be had now.
        """
        if issuer in self._own:
            return self._own_keys(issuer)
        known = self._entry(issuer)
        if known.serves(key_id, now):
            return known.keys
        # while one thread asks, the others go on with what is known; where nothing is, they wait for it
        usable = known.age(now) < _STALE
        if not known.asking.acquire(timeout=0 if usable else self._wait_seconds):
            return self._or_unavailable(known, issuer, usable=usable)
        try:
            if not known.serves(key_id, now) and known.may_ask(now):
                self._ask(known, issuer, now, ca_certificates, usable=usable)
        finally:
            known.asking.release()
        return self._or_unavailable(known, issuer, usable=known.age(now) < _STALE)

    def _own_keys(self, issuer: str) -> Sequence[TokenKey]:
        content = self._own[issuer]()
        known = self._own_known.get(issuer)
        if known is None or known[0] != content:
            known = self._own_known[issuer] = content, token_keys.parse_key_set(content)
        return known[1]

    def _entry(self, issuer: str) -> _Known:
        with self._lock:
            known = self._known.get(issuer)
            if known is None:
                known = self._known[issuer] = _Known()
            self._known.move_to_end(issuer)
            while len(self._known) > limits.ISSUERS_KNOWN:
                self._known.popitem(last=False)
            return known

    def _ask(
        self, known: _Known, issuer: str, now: datetime, ca_certificates: str, *, usable: bool
    ) -> None:
        known.tried = now
        if not self._places.acquire(timeout=self._wait_seconds):
            if usable:
                return
            raise UnavailableError("too many issuers are being asked for their keys")
        try:
            known.keys = self._fetched(issuer, ca_certificates)
            known.fetched = now
        except CountermarkError as error:
            if not usable:
                raise UnavailableError(f"no keys of issuer {issuer[:200]}: {error}") from None
        finally:
            self._places.release()

    def _fetched(self, issuer: str, ca_certificates: str) -> tuple[TokenKey, ...]:
        """OpenID Connect Discovery, 4: the document must be the issuer's own, and say where its keys are."""
        fetch = self._documents.fetch
        content = fetch(
            issuer.rstrip("/") + DISCOVERY_PATH, limits.DISCOVERY_BYTES, ca_certificates
        )
        document = strict_json.Reader(
            strict_json.parse(content, max_bytes=limits.DISCOVERY_BYTES), ""
        )
        if document.text("issuer") != issuer:
            raise UnavailableError("its discovery document is another issuer's")
        place = document.text("jwks_uri")
        if issuer.startswith("https://") and not place.startswith("https://"):
            raise UnavailableError("its keys are not served over TLS")
        return token_keys.parse_key_set(fetch(place, limits.KEY_SET_BYTES, ca_certificates))

    @staticmethod
    def _or_unavailable(known: _Known, issuer: str, *, usable: bool) -> Sequence[TokenKey]:
        if not usable:
            raise UnavailableError(f"no keys of issuer {issuer[:200]}: asked a moment ago in vain")
        return known.keys
