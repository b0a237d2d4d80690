"""What shows that a browser's user means what its request says: sealed requests, cookies, and who signed in.

A form of ours carries what it is about, sealed under a key of this process together with a random cookie of the
browser that it was shown to. So no other site can send it (it knows neither), and the request was checked when the
page was shown. What a browser says of where a form came from (Origin, Sec-Fetch-Site) is believed where it is bad.
"""

import binascii
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256

from countermark.core.errors import Code, InputError
from countermark.core.ports_hosting import Request
from countermark.core.value import Value
from countermark.formats import strict_json
from countermark.services.identity_provider.settings import Settings

_SESSIONS = 10_000
_TO_URL = str.maketrans("+/", "-_")
_FROM_URL = str.maketrans("-_", "+/")
_COOKIE_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

_COOKIE_BYTES = 32
_COOKIE_LENGTH = 43  # of so many bytes in base64url

Cookie = tuple[str, str]


class Session(Value):
    """Who signed in with a browser, and when."""

    person: str
    at: datetime


class Browsers:
    """Seals requests for browsers, and remembers who signed in with them.

    Args:
        settings: the issuer's.
        secret: a random key; another one makes all pages that are open worthless.
    """

    def __init__(self, settings: Settings, secret: bytes) -> None:
        self._settings = settings
        self._secret = hmac.digest(secret, b"sealed requests", "sha256")
        self._lock = threading.Lock()
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    # sealed requests --------------------------------------------------------------------------------

    def seal(
        self, request: Request, content: Mapping[str, str], now: datetime
    ) -> tuple[str, tuple[Cookie, ...]]:
        """Seal a request for the browser that asks; return the form's field, and a cookie where it has none yet."""
        name = self._cookie_name("browser")
        known = _cookie(request, name)
        browser = known or secrets.token_urlsafe(_COOKIE_BYTES)
        until = int(now.timestamp()) + self._settings.sign_in_seconds
        raw = strict_json.compact({"until": until, "content": dict(content)})
        mark = self._mark(browser, raw)
        sealed = binascii.b2a_base64(mark + raw, newline=False).decode().translate(_TO_URL)
        return sealed, () if known else (self._set_cookie(name, browser),)

    def opened(self, request: Request, sealed: str, now: datetime) -> Mapping[str, str]:
        """Open a request that came back in a form.

        Raises:
            InputError: another site, or another browser, sent it; or it is too old.
        """
        self._check_origin(request)
        browser = _cookie(request, self._cookie_name("browser"))
        try:
            raw = binascii.a2b_base64(sealed.translate(_FROM_URL), strict_mode=True)
        except (binascii.Error, ValueError):
            raise _unknown() from None
        mark, content = raw[:32], raw[32:]
        if not browser or not hmac.compare_digest(mark, self._mark(browser, content)):
            raise _unknown()
        read = strict_json.Reader(strict_json.parse(content))  # ours, unchanged
        if now.timestamp() >= read.integer("until"):
            raise InputError("This page is too old.", code=Code.EXPIRED)
        inner = read.object("content")
        return {name: inner.text(name) for name in inner.names()}

    def _mark(self, browser: str, content: bytes) -> bytes:
        return hmac.digest(self._secret, b"\0".join((browser.encode(), content)), "sha256")

    def _check_origin(self, request: Request) -> None:
        origin = request.headers.get("origin", "")
        site = request.headers.get("sec-fetch-site", "")
        if (origin and origin.lower() != self._settings.origin) or site not in (
            "",
            "same-origin",
            "none",
        ):
            raise InputError("Another site sent this form.", code=Code.REFUSED)

    # who signed in ----------------------------------------------------------------------------------

    def signed_in(self, request: Request, now: datetime) -> Session | None:
        """Return who signed in with this browser a while ago; None where nobody did."""
        key = _key(_cookie(request, self._cookie_name("session")))
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                return None
            age = now - session.at
            if not timedelta(0) <= age < timedelta(seconds=self._settings.session_seconds):
                del self._sessions[key]
                return None
            return session

    def remember(self, request: Request, session: Session) -> tuple[Cookie, ...]:
        """Remember who signed in with this browser, under a new name (so that nobody can give it one beforehand)."""
        self.forget(request)
        name = secrets.token_urlsafe(_COOKIE_BYTES)
        with self._lock:
            self._sessions[_key(name)] = session
            while len(self._sessions) > _SESSIONS:
                self._sessions.popitem(last=False)
        return (self._set_cookie(self._cookie_name("session"), name),)

    def forget(self, request: Request) -> None:
        """Forget who signed in with this browser."""
        key = _key(_cookie(request, self._cookie_name("session")))
        with self._lock:
            self._sessions.pop(key, None)

    # cookies ----------------------------------------------------------------------------------------

    def _cookie_name(self, what: str) -> str:
        """With ``__Host-`` no other host, and no page without TLS, can set it (RFC 6265bis, 4.1.3.2)."""
        return f"{'__Host-' if self._settings.is_secure else ''}countermark-{what}"

    def _set_cookie(self, name: str, value: str) -> Cookie:
        """Lax, since the program that asks opens our page from elsewhere."""
        secure = "; Secure" if self._settings.is_secure else ""
        return "Set-Cookie", f"{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}"


def _cookie(request: Request, name: str) -> str:
    """Take a cookie of ours; "" where there is none, or more than one, or it is not of our making."""
    found = []
    for pair in request.headers.get("cookie", "").replace(",", ";").split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            found.append(value)
    if len(found) != 1 or len(found[0]) != _COOKIE_LENGTH:
        return ""
    if not _COOKIE_CHARS.issuperset(found[0]):
        return ""
    return found[0]


def _key(name: str) -> bytes:
    return sha256(name.encode()).digest()


def _unknown() -> InputError:
    return InputError(
        "This form was not made for this browser. Are cookies off?", code=Code.REFUSED
    )
