"""Who may sign in at our issuer, and how often a password may be wrong."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from countermark.core import limits
from countermark.core.errors import UnavailableError
from countermark.core.ports import Clock
from countermark.core.ports_sigstore import UserStore
from countermark.core.value import Value
from countermark.services.identity_tokens.principals import is_email
from countermark.services.passwords import TOO_MANY_WRONG, Passwords, parse_users

_NAME_CHARS = 254  # the longest e-mail address (RFC 5321, 4.5.3.1)
_COUNTED = 10_000  # names that wrong guesses are counted for at once


class Person(Value):
    """Somebody, or a program, with an account of ours."""

    name: str
    is_program: bool = False

    @property
    def email(self) -> str:
        """The name, where it is an address; whoever keeps the accounts says that it is theirs."""
        return self.name if is_email(self.name) else ""


def is_account_name(text: str) -> bool:
    """Say whether an account may have this name: it stands in a line of its own, before a colon."""
    return (
        0 < len(text) <= _NAME_CHARS
        and text.isprintable()
        and not text.startswith("#")
        and not set(text) & {" ", ":"}
    )


class TooManyError(UnavailableError):
    """Guessing has to wait."""


class Guesses:
    """Counts wrong guesses by name; at most so many in a span of time.

    Where more names are guessed at than are counted, those that were guessed at longest ago are forgotten.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._span = most, timedelta(seconds=seconds)
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, list[datetime]] = OrderedDict()

    def refuse(self, name: str, now: datetime) -> None:
        """Refuse to look at one more.

        Raises:
            TooManyError: there were too many wrong ones lately.
        """
        with self._lock:
            recent = [at for at in self._wrong.get(name, ()) if now - at < self._span]
        if len(recent) >= self._most:
            raise TooManyError("too many wrong guesses", hint="wait, and try again")

    def note(self, name: str, now: datetime) -> None:
        """Count a wrong one."""
        with self._lock:
            recent = self._wrong.pop(name, [])
            self._wrong[name] = [*recent[-self._most :], now]
            while len(self._wrong) > _COUNTED:
                self._wrong.popitem(last=False)


class People:
    """The accounts of our issuer: those that it keeps, and those of an htpasswd file.

    Args:
        store: the accounts that it keeps; of two of one name these count.
        htpasswd: gives the text of a further file as it is now.
        clock: for what is remembered.
        secret: a random key of this process.
    """

    def __init__(
        self,
        store: UserStore,
        clock: Clock,
        secret: bytes,
        htpasswd: Callable[[], str] = lambda: "",
    ) -> None:
        self._store, self._htpasswd, self._clock = store, htpasswd, clock
        self._passwords = Passwords(self._text, clock, secret)
        self._guesses = Guesses(limits.PASSWORD_GUESSES, limits.PASSWORD_GUESS_SECONDS)

    def _text(self) -> str:
        """All accounts as one htpasswd file, which is what passwords are checked against."""
        accounts = self._store.accounts()
        entries = {a.name: a.password_hash for a in accounts if is_account_name(a.name)}
        others = parse_users(self._htpasswd())
        lines = [f"{name}:{hashed}" for name, hashed in entries.items()]
        lines += [f"{n}:{hashed.decode()}" for n, hashed in others.items() if n not in entries]
        return "\n".join(lines)

    def find(self, name: str) -> Person | None:
        """Return who has an account, None where nobody has one of this name any more."""
        for account in self._store.accounts():
            if account.name == name:
                return Person(name=name, is_program=account.is_program)
        return Person(name=name) if name in parse_users(self._htpasswd()) else None

    def sign_in(self, name: str, password: str, address: str, *, page: bool) -> Person | None:
        """Check a password; None where it is wrong, or the account is a program's and this is a page.

        Args:
            name: the account's.
            password: as it was typed.
            address: the client's.
            page: whether a person types it on a page of ours.

        Raises:
            TooManyError: too many were wrong lately, here or for this account.
            UnavailableError: too many sign in at once, or the accounts cannot be read.
        """
        now = self._clock()
        if not is_account_name(name) or not password or len(password) > limits.FORM_FIELD_CHARS:
            return None
        if not self._passwords.known(name, password):
            self._guesses.refuse(name, now)
        if not self._right(name, password, address):
            self._guesses.note(name, now)
            return None
        person = self.find(name)
        return None if person is None or (page and person.is_program) else person

    def _right(self, name: str, password: str, address: str) -> bool:
        try:
            return self._passwords.right(name, password, address)
        except UnavailableError as error:
            if str(error) == TOO_MANY_WRONG:
                raise TooManyError(str(error), hint=error.hint) from None
            raise
