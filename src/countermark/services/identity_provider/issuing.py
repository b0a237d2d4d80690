"""The keys that our issuer signs with, and the tokens that it makes.

A key is published a day before it signs and a day after, so that whoever remembers our keys has the right one.
Its private half lies in the port ``ServiceKeys``, under a name that says when it was made.
"""

import secrets
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from countermark.core.errors import Code, CountermarkError, KeyAccessError
from countermark.core.ports import Clock
from countermark.core.ports_sigstore import ServiceKeys
from countermark.core.value import Value
from countermark.formats.strict_json import Json
from countermark.proofs import token_keys, tokens
from countermark.proofs.token_keys import IssuingKey
from countermark.services.identity_provider.people import Person
from countermark.services.identity_provider.settings import Settings

ALGORITHM = "ES256"  # all that check our tokens know it, and it signs five times as fast as RS256
_PREFIX = "identity-provider-"
_TIME = "%Y%m%dt%H%M%Sz"
_LOOK = timedelta(seconds=60)  # how often others' keys are looked for


class Made(Value):
    """A token, its ``jti``, and when it ends."""

    token: str
    id: str
    until: datetime


class _Key(Value):
    """A key as it lies in the store."""

    created: datetime
    name: str


class Tokens:
    """Makes tokens, and the key set that they are checked with.

    Args:
        settings: the issuer's.
        keys: where private keys lie.
        clock: the time.
    """

    def __init__(self, settings: Settings, keys: ServiceKeys, clock: Clock) -> None:
        self._settings, self._store, self._clock = settings, keys, clock
        self._rotation = timedelta(seconds=settings.rotation_seconds)
        self._overlap = timedelta(seconds=settings.overlap_seconds)
        self._lock = threading.Lock()
        self._keys: tuple[_Key, ...] = ()
        self._opened: dict[str, IssuingKey] = {}
        self._looked: datetime | None = None
        self._published: tuple[tuple[str, ...], bytes] = ((), b"")

    def key_set(self) -> bytes:
        """The public keys as they are published now.

        Raises:
            KeyAccessError, StorageError: a private key cannot be had.
        """
        kept = self._publishable(self._clock())
        names = tuple(key.name for key in kept)
        published = self._published
        if published[0] != names:
            published = names, token_keys.encode_key_set([self._open(key) for key in kept])
            self._published = published
        return published[1]

    def plan(self) -> Made:
        """Name a token before it is made, so that a code can say which one it was given for."""
        now = self._clock()
        until = now + timedelta(seconds=self._settings.token_seconds)
        return Made(token="", id=secrets.token_urlsafe(16), until=until)

    def issue(
        self,
        planned: Made,
        person: Person,
        audience: Sequence[str],
        scope: frozenset[str],
        more: dict[str, Json],
    ) -> Made:
        """Make a token (OpenID Connect Core, 2) for a person.

        Args:
            planned: from ``plan``.
            person: whom it names.
            audience: whom it is for; the first is always Sigstore's or the client's own name.
            scope: what was asked for; with ``email`` it has the address.
            more: further claims: ``nonce``, ``auth_time``.
        """
        now = self._clock()
        claims: dict[str, Json] = {
            "iss": self._settings.issuer,
            "sub": person.name,
            "aud": audience[0] if len(audience) == 1 else list(audience),
            "exp": int(planned.until.timestamp()),
            "iat": int(now.timestamp()),
            "jti": planned.id,
            **more,
        }
        if len(audience) > 1:
            claims["azp"] = audience[-1]
        if "email" in scope and person.email:
            claims |= {"email": person.email, "email_verified": True}
        return planned.replace(token=tokens.issue(claims, self._open(self._signing(now))))

    # keys -------------------------------------------------------------------------------------------

    def _signing(self, now: datetime) -> _Key:
        """The newest key that has been published long enough; at the very start the only one there is."""
        keys = self._current(now)
        ready = [key for key in keys if key.created + self._overlap <= now]
        return ready[-1] if ready else keys[0]

    def _publishable(self, now: datetime) -> list[_Key]:
        """The key that signs, those after it, and those before it that signed what may still be good."""
        keys = self._current(now)
        life = timedelta(seconds=self._settings.token_seconds)
        kept = []
        for key, following in zip(keys, (*keys[1:], None), strict=True):
            if following is None or now < following.created + 2 * self._overlap + life:
                kept.append(key)
        return kept

    def _current(self, now: datetime) -> tuple[_Key, ...]:
        with self._lock:
            looked = self._looked
            if looked is None or not timedelta(0) <= now - looked < _LOOK:
                self._keys = self._listed()
                self._looked = now
            if not self._keys or self._keys[-1].created + self._rotation <= now:
                self._make(now)
            return self._keys

    def _listed(self) -> tuple[_Key, ...]:
        found = [(_created(name), name) for name in self._store.names()]
        keys = [_Key(created=at, name=name) for at, name in found if at is not None]
        return tuple(sorted(keys, key=lambda key: (key.created, key.name)))

    def _open(self, key: _Key) -> IssuingKey:
        opened = self._opened.get(key.name)
        if opened is None:
            private = self._store.get(key.name)
            if private is None:
                raise KeyAccessError(f"the issuer's key {key.name} is gone")
            opened = self._opened[key.name] = token_keys.from_pkcs8(private)
        return opened

    def _make(self, now: datetime) -> None:
        made = token_keys.generate(ALGORITHM)
        name = f"{_PREFIX}{now.astimezone(UTC).strftime(_TIME)}-{secrets.token_hex(4)}"
        try:
            self._store.put(name, made.to_pkcs8())
        except CountermarkError as error:
            # the old key goes on signing while the store is full; without one there is nothing to go on with
            if not self._keys or error.code != Code.NO_SPACE:
                raise
            return
        self._keys = self._listed()


def _created(name: str) -> datetime | None:
    if not name.startswith(_PREFIX):
        return None
    try:
        moment = name.removeprefix(_PREFIX).partition("-")[0]
        return datetime.strptime(moment, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
