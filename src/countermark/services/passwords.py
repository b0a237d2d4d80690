"""The users of an htpasswd file, and whether a password is theirs.

The file's thief wins what bcrypt leaves of its passwords. Passwords are never kept in memory: what was right a moment
ago is remembered as an HMAC under a key of this process, so that a client need not wait for bcrypt at each request.
Guessing is bounded: two checks at a time, and so many wrong ones a minute.
"""

import binascii
import hmac
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import bcrypt

from countermark.core.errors import ConfigError, UnavailableError
from countermark.core.ports import Clock

_VERIFIED_LIFE = timedelta(seconds=300)
_VERIFIED = 4_096  # logins remembered; each costs some 200 bytes
# How long those who are remembered may not notice a change of the file; everybody else is held against it as it is.
_RELOAD = timedelta(seconds=2)
_CHECKS_AT_ONCE = 2  # bcrypt takes 50 ms and more of a core each
_CHECK_WAIT_SECONDS = 5.0
_FAILURES = 20  # wrong passwords for one user from one address, in
_FAILURE_SPAN = timedelta(seconds=60)
_FAILURES_OF_CLIENT = 200  # from one address, which may be a whole company's
_FAILURES_KNOWN = 10_000  # addresses and users counted at once
TOO_MANY_WRONG = "too many wrong passwords"
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|1[0-5])\$[./A-Za-z0-9]{53}")  # cost 15 takes 2 s
# of random bytes: compared with where there is no user at all
_NOBODY = b"$2b$10$A40EtzpxTtRUlDaLlLJrGen5HeTDsKa.sEWpp18IzMRBs4iZ38GyW"


def parse_users(text: str, file: str = "htpasswd") -> dict[str, bytes]:
    """Read an htpasswd file: names and bcrypt hashes.

    Raises:
        ConfigError: a line is no entry, a hash is not bcrypt, or a name comes twice.
    """
    users: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        name, colon, hashed = entry.partition(":")
        if not colon or not name:
            raise ConfigError("not a line of name:hash", file=file, line=number)
        if not _BCRYPT.fullmatch(hashed):
            raise ConfigError(
                f"the hash of {name[:80]!r} is not bcrypt of cost 4 to 15",
                file=file,
                line=number,
                hint="make entries with htpasswd -B",
            )
        if name in users:
            raise ConfigError(f"user {name[:80]!r} comes twice", file=file, line=number)
        users[name] = hashed.encode()
    return users


class Passwords:
    """Checks passwords against an htpasswd file, a bounded number at once.

    Args:
        read: gives the file's text as it is now; asked before each check with bcrypt, else every two seconds.
        clock: for what is remembered.
        secret: a random key of this process.
    """

    def __init__(self, read: Callable[[], str], clock: Clock, secret: bytes) -> None:
        self._read = read
        self._clock = clock
        self._secret = secret
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(_CHECKS_AT_ONCE)
        self._verified: OrderedDict[bytes, datetime] = OrderedDict()
        self._failures: OrderedDict[str, list[datetime]] = OrderedDict()
        self._text = ""
        self._users: dict[str, bytes] = {}
        self._read_at: datetime | None = None
        self._current(clock())

    def _current(self, now: datetime, *, anew: bool = False) -> dict[str, bytes]:
        with self._lock:
            known = self._read_at is not None and timedelta(0) <= now - self._read_at < _RELOAD
            if anew or not known:
                text = self._read()
                if self._read_at is None or text != self._text:
                    self._users = self._parsed(text)
                    self._text = text
                self._read_at = now
            return self._users

    def _parsed(self, text: str) -> dict[str, bytes]:
        try:
            return parse_users(text)
        except ConfigError:
            if self._read_at is None:
                raise
            # being written, or broken since the start: nobody gets in who is not in a whole file
            raise UnavailableError("the file of users is broken") from None

    def known(self, user: str, password: str) -> bool:
        """Say whether this login was right a moment ago and the file still says so; fast, never bcrypt."""
        now = self._clock()
        hashed = self._current(now).get(user)
        if hashed is None:
            return False
        mark = self._mark(user, password, hashed)
        with self._lock:
            until = self._verified.get(mark)
        return until is not None and now < until

    def right(self, user: str, password: str, client: str) -> bool:
        """Say whether a password is the user's.

        Raises:
            UnavailableError: too many are being checked, or too many were wrong lately.
        """
        if self.known(user, password):
            return True
        now = self._clock()
        attempts = ((f"{client} {user}", _FAILURES), (client, _FAILURES_OF_CLIENT))
        self._refuse_guessing(attempts, now)
        if not self._slots.acquire(timeout=_CHECK_WAIT_SECONDS):
            raise UnavailableError("too many logins at once", hint="try again")
        try:
            # who was just given an account may use it at once
            users = self._current(now, anew=True)
            hashed = users.get(user)
            # an unknown user costs what a known one does, so that time does not tell
            matches = _matches(password, hashed or next(iter(users.values()), _NOBODY))
        finally:
            self._slots.release()
        if matches and hashed is not None:
            with self._lock:
                self._verified[self._mark(user, password, hashed)] = now + _VERIFIED_LIFE
                while len(self._verified) > _VERIFIED:
                    self._verified.popitem(last=False)
            return True
        self._note_failure(attempts, now)
        return False

    def _mark(self, user: str, password: str, hashed: bytes) -> bytes:
        """Stand for a login in memory; a changed entry in the file changes it."""
        content = b"\0".join((user.encode(), hashed, password.encode()))
        return hmac.digest(self._secret, content, "sha256")

    def _refuse_guessing(self, attempts: Sequence[tuple[str, int]], now: datetime) -> None:
        with self._lock:
            for name, most in attempts:
                recent = [at for at in self._failures.get(name, ()) if now - at < _FAILURE_SPAN]
                if len(recent) >= most:
                    raise UnavailableError(TOO_MANY_WRONG, hint="wait a minute")

    def _note_failure(self, attempts: Sequence[tuple[str, int]], now: datetime) -> None:
        with self._lock:
            for name, most in attempts:
                recent = self._failures.pop(name, [])
                self._failures[name] = [*recent[-most:], now]
            while len(self._failures) > _FAILURES_KNOWN:
                self._failures.popitem(last=False)


def _matches(password: str, hashed: bytes) -> bool:
    raw = password.encode()
    if b"\0" in raw:
        return False
    # bcrypt sees 72 bytes; the registry's and Apache's take longer passwords and ignore the rest, as here
    return bcrypt.checkpw(raw[:72], hashed)


def basic_login(authorization: str) -> tuple[str, str] | None:
    """Read HTTP Basic (RFC 7617); None for anything else."""
    if authorization[:6].lower() != "basic ":
        return None
    try:
        raw = binascii.a2b_base64(authorization[6:].strip(), strict_mode=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    user, colon, password = raw.partition(":")
    return (user, password) if colon and user else None
