"""Codes and devices on their way to a token: in memory, bounded, short-lived, good for one use.

A restart loses them, and whoever waits begins again. Codes are kept as hashes, so that a picture of our memory shows
none that is still good.
"""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypeVar

from countermark.core import limits
from countermark.core.errors import UnavailableError
from countermark.core.value import Value

K = TypeVar("K")
V = TypeVar("V")

_SECRET_BYTES = 32
# RFC 8628, 6.1: no vowels, so no words; 20 letters to the power of 8
_USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_USER_CODE_CHARS = 8
_SLOW_DOWN_SECONDS = 5  # RFC 8628, 3.5


class CodeGrant(Value):
    """What a code stands for."""

    client: str
    redirect: str
    challenge: str
    nonce: str
    scope: frozenset[str]
    person: str
    signed_in: datetime
    expires: datetime


class Codes:
    """Authorization codes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[bytes, CodeGrant] = OrderedDict()
        self._redeemed: OrderedDict[bytes, tuple[str, datetime]] = OrderedDict()
        self._withdrawn: OrderedDict[str, datetime] = OrderedDict()

    def add(self, grant: CodeGrant) -> str:
        """Make a code; where there are too many, the oldest goes."""
        code = secrets.token_urlsafe(_SECRET_BYTES)
        with self._lock:
            self._waiting[_hash(code)] = grant
            _trim(self._waiting, limits.CODES)
        return code

    def take(
        self, code: str, token_id: str, token_until: datetime, now: datetime
    ) -> CodeGrant | None:
        """Take what a code stands for, once; None where it is unknown, too old, or was used before.

        A second use takes back the token that the first one gave (RFC 6749, 4.1.2): somebody has stolen the code.

        Args:
            code: as it was sent.
            token_id: of the token that is given for it now.
            token_until: when that one ends.
            now: the time.
        """
        key = _hash(code)
        with self._lock:
            if key in self._redeemed:
                given, until = self._redeemed[key]
                self._withdrawn[given] = until
                _trim(self._withdrawn, limits.REDEEMED_CODES)
                return None
            grant = self._waiting.pop(key, None)
            if grant is None or now >= grant.expires:
                return None
            self._redeemed[key] = token_id, token_until
            _trim(self._redeemed, limits.REDEEMED_CODES)
        return grant

    def is_withdrawn(self, token_id: str) -> bool:
        """Say whether a token was taken back."""
        with self._lock:
            return token_id in self._withdrawn


class Device:
    """A device that waits; ``person`` is who let it in, ``refused`` that somebody did not want it."""

    def __init__(self, user_code: str, asked: "DeviceRequest", interval: int) -> None:
        self.user_code, self.asked, self.interval = user_code, asked, interval
        self.polled: datetime | None = None
        self.person = ""
        self.refused = False
        self.signed_in = asked.at


class DeviceRequest(Value):
    """What a device asked for: which program it is, from which address, when."""

    client: str
    scope: frozenset[str]
    challenge: str
    address: str
    at: datetime


class Devices:
    """Devices that wait for somebody to let them in (RFC 8628).

    Args:
        life: how long they wait, in seconds.
        interval: how often they may ask, in seconds.
        random: gives random numbers below another, for user codes.
    """

    def __init__(
        self, life: int, interval: int, random: Callable[[int], int] = secrets.randbelow
    ) -> None:
        self._life, self._interval, self._random = timedelta(seconds=life), interval, random
        self._lock = threading.Lock()
        self._by_code: OrderedDict[bytes, Device] = OrderedDict()
        self._by_user_code: dict[str, Device] = {}

    def begin(self, asked: DeviceRequest) -> tuple[str, Device]:
        """Let a device wait; return its secret code, and the device with the code that a person types.

        Raises:
            UnavailableError: too many wait, all in all or at this address.
        """
        code = secrets.token_urlsafe(_SECRET_BYTES)
        with self._lock:
            self._forget_old(asked.at)
            mine = sum(device.asked.address == asked.address for device in self._by_code.values())
            if len(self._by_code) >= limits.DEVICES or mine >= limits.DEVICES_PER_CLIENT:
                raise UnavailableError("too many devices wait to be let in", hint="try again later")
            device = Device(self._new_user_code(), asked, self._interval)
            self._by_code[_hash(code)] = self._by_user_code[device.user_code] = device
        return code, device

    def _is_over(self, device: Device, now: datetime) -> bool:
        return now >= device.asked.at + self._life

    def _new_user_code(self) -> str:
        while True:
            letters = (self._random(len(_USER_CODE_LETTERS)) for _ in range(_USER_CODE_CHARS))
            code = "".join(_USER_CODE_LETTERS[letter] for letter in letters)
            if code not in self._by_user_code:
                return code

    def _forget_old(self, now: datetime) -> None:
        """All live equally long, so the first are the oldest."""
        while self._by_code:
            key, device = next(iter(self._by_code.items()))
            if not self._is_over(device, now):
                return
            self._drop(key, device)

    def _drop(self, key: bytes, device: Device) -> None:
        self._by_code.pop(key, None)
        self._by_user_code.pop(device.user_code, None)

    def waiting(self, user_code: str, now: datetime) -> Device | None:
        """Return the device that waits under a code that a person typed; dashes, spaces and case do not count."""
        plain = "".join(char for char in user_code.upper() if char not in "- ")
        with self._lock:
            device = self._by_user_code.get(plain)
            if device is None or self._is_over(device, now) or device.person or device.refused:
                return None
            return device

    def decide(self, device: Device, person: str, now: datetime) -> bool:
        """Let a device in for a person, or refuse it ("" for the person); False where somebody else was faster."""
        with self._lock:
            if device.person or device.refused or self._is_over(device, now):
                return False
            device.person, device.refused, device.signed_in = person, not person, now
            return True

    def poll(self, code: str, client: str, now: datetime) -> Device | str:
        """Say how a device stands: itself where it was let in, once; else OAuth's word for why it was not."""
        key = _hash(code)
        with self._lock:
            device = self._by_code.get(key)
            if device is None or device.asked.client != client:
                return "invalid_grant"
            if device.refused or self._is_over(device, now):
                self._drop(key, device)
                return "access_denied" if device.refused else "expired_token"
            if device.person:
                self._drop(key, device)
                return device
            last, device.polled = device.polled, now
            # half a second less, since a network delays one request more than the next
            least = timedelta(seconds=device.interval - 0.5)
            if last is not None and timedelta(0) <= now - last < least:
                device.interval += _SLOW_DOWN_SECONDS
                return "slow_down"
            return "authorization_pending"


def shown(user_code: str) -> str:
    """Write a user code for people: ``BCDF-GHJK``."""
    half = _USER_CODE_CHARS // 2
    return f"{user_code[:half]}-{user_code[half:]}"


def _hash(code: str) -> bytes:
    return sha256(code.encode("utf-8", "surrogatepass")).digest()


def _trim(items: "OrderedDict[K, V]", most: int) -> None:
    while len(items) > most:
        items.popitem(last=False)
