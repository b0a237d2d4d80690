"""The authorization endpoint: a program sends a browser here, and gets a code back (OpenID Connect Core, 3.1.2).

A request whose program or place to go back to is not known is told to the person, never redirected (RFC 6749,
4.1.2.1): what is redirected goes to places that were registered and nowhere else. Proof Key for Code Exchange with
S256 is required of everybody (RFC 7636; RFC 9700, 2.1.1).
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from countermark.core.errors import InputError
from countermark.core.ports import Clock
from countermark.core.ports_hosting import Request, Response
from countermark.services.identity_provider.browsers import Browsers
from countermark.services.identity_provider.forms import Fields, GrantError, read_form
from countermark.services.identity_provider.grants import CodeGrant, Codes
from countermark.services.identity_provider.settings import (
    LOOPBACK_HOSTS,
    OUT_OF_BAND,
    Client,
    Settings,
)
from countermark.services.identity_provider.signing_in import Outcome, SigningIn
from countermark.services.pages import sign_in as pages
from countermark.services.pages.sign_in import SignInForm

_ECHO = re.compile(r"[\x20-\x7e]{0,2048}")  # RFC 6749, A.5; what is given back as it came
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # RFC 7636, 4.2: SHA-256 in base64url
_KEPT = ("client_id", "redirect_uri", "state", "nonce", "code_challenge", "scope", "max_age")
_CSP_HOST = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?")  # what a policy can name: no IPv6 address


class Authorization:
    """Asks people who they are, and gives programs codes for it."""

    def __init__(
        self,
        settings: Settings,
        browsers: Browsers,
        signing_in: SigningIn,
        codes: Codes,
        clock: Clock,
    ) -> None:
        self._settings, self._clients = settings, settings.by_id
        self._browsers, self._signing_in, self._codes = browsers, signing_in, codes
        self._clock = clock

    # the page ---------------------------------------------------------------------------------------

    def begin(self, request: Request) -> Response:
        """Show the sign-in page for a program's request (GET or POST)."""
        try:
            is_form = request.method == "POST"
            fields = read_form(request) if is_form else Fields(request.query)
            client, redirect = self._whose(fields)
        except GrantError as error:
            return pages.problem(f"The program that sent you here made a mistake: {error}.")
        try:
            _check(fields)
            known = self._known(request, fields)
        except GrantError as error:
            return self._refuse(redirect, fields.get("state"), error.word, str(error))
        kept = fields.kept(*_KEPT)
        sealed, cookies = self._browsers.seal(request, kept, self._clock())
        shown = self._form(client, kept, sealed, known=known, name=fields.get("login_hint")[:254])
        return pages.sign_in(shown, headers=cookies)

    def _whose(self, fields: Fields) -> tuple[Client, str]:
        """Find the program, and where it may be told anything at all."""
        client = self._clients.get(fields.needed("client_id"))
        if client is None:
            raise GrantError("invalid_request", "no such client")
        redirect = fields.needed("redirect_uri")
        if not client.allows(redirect):
            raise GrantError("invalid_request", "codes may not go to that redirect_uri")
        return client, redirect

    def _known(self, request: Request, fields: Fields) -> str:
        """Who is signed in already, where that will do."""
        prompt = fields.words("prompt")
        session = self._signing_in.known(request, oldest=_max_age(fields.get("max_age")))
        if "none" in prompt:
            # nothing is given without somebody's consent: any program on the machine can ask (RFC 8252, 8.6)
            word = "interaction_required" if session else "login_required"
            raise GrantError(word, "somebody has to agree on a page")
        return session.person if session and "login" not in prompt else ""

    def _form(
        self,
        client: Client,
        kept: Mapping[str, str],
        sealed: str,
        *,
        known: str = "",
        name: str = "",
    ) -> SignInForm:
        return SignInForm(
            action=f"{self._settings.path}/sign-in",
            sealed=sealed,
            asker=client.id,
            place=_place(kept["redirect_uri"]),
            known=known,
            name=name,
            leads_to=_origin(kept["redirect_uri"]),
        )

    # what comes back --------------------------------------------------------------------------------

    def finish(self, request: Request) -> Response:
        """Take the sign-in form, and send the browser back with a code, or with a no."""
        now = self._clock()
        try:
            form = read_form(request)
            sealed = form.needed("request")
            kept = self._browsers.opened(request, sealed, now)
        except InputError as error:
            return pages.problem(str(error), status=403)
        client = self._clients.get(kept.get("client_id", ""))
        if client is None:  # a form of another page of ours
            return pages.problem("This form is for something else.", status=403)
        shown = self._form(client, kept, sealed)
        oldest = _max_age(kept.get("max_age", ""))
        outcome = self._signing_in.decide(request, form, shown, oldest=oldest)
        if outcome.page is not None:
            return outcome.page
        redirect, state = kept["redirect_uri"], kept.get("state", "")
        if outcome.person is None:
            return self._refuse(redirect, state, "access_denied", "refused on the page")
        return self._grant(client, kept, outcome)

    def _grant(self, client: Client, kept: Mapping[str, str], outcome: Outcome) -> Response:
        assert outcome.person is not None  # noqa: S101 - the caller has seen it
        redirect = kept["redirect_uri"]
        by_hand = redirect == OUT_OF_BAND
        life = self._settings.shown_code_seconds if by_hand else self._settings.code_seconds
        code = self._codes.add(
            CodeGrant(
                client=client.id,
                redirect=redirect,
                challenge=kept["code_challenge"],
                nonce=kept.get("nonce", ""),
                scope=frozenset(kept["scope"].split()),
                person=outcome.person.name,
                signed_in=outcome.at,
                expires=self._clock() + timedelta(seconds=life),
            )
        )
        if by_hand:
            return pages.show_code(code, headers=outcome.cookies)
        answer = self._redirect(redirect, kept.get("state", ""), {"code": code})
        return answer.replace(headers=(*answer.headers, *outcome.cookies))

    def _refuse(self, redirect: str, state: str, word: str, message: str) -> Response:
        if redirect == OUT_OF_BAND:
            if word == "access_denied":
                return pages.done("Refused", "The program gets nothing. You can close this page.")
            return pages.problem(f"The program that sent you here made a mistake: {message}.")
        return self._redirect(redirect, state, {"error": word, "error_description": message})

    def _redirect(self, redirect: str, state: str, more: Mapping[str, str]) -> Response:
        """Send a browser back; ``iss`` says by whom, so that answers of two issuers cannot be swapped (RFC 9207)."""
        pairs = {**more, **({"state": state} if state else {}), "iss": self._settings.issuer}
        joint = "&" if urlsplit(redirect).query else "?"
        return Response(
            status=303,
            headers=(
                ("Location", f"{redirect}{joint}{urlencode(pairs)}"),
                ("Cache-Control", "no-store"),
                ("Referrer-Policy", "no-referrer"),
            ),
        )


def _check(fields: Fields) -> None:
    """Check what a program may be told by redirect."""
    for name in ("request", "request_uri"):
        if fields.get(name):
            raise GrantError(f"{name}_not_supported", "parameters come one by one")
    if fields.needed("response_type") != "code":
        raise GrantError("unsupported_response_type", "response_type must be code")
    if fields.get("response_mode") not in ("", "query"):
        raise GrantError("invalid_request", "response_mode must be query")
    if "openid" not in fields.words("scope"):
        raise GrantError("invalid_scope", "the scope must have openid in it")
    if not all(_ECHO.fullmatch(fields.get(name)) for name in ("state", "nonce")):
        raise GrantError("invalid_request", "state and nonce are at most 2048 ASCII characters")
    check_challenge(fields)
    if not fields.get("code_challenge"):
        raise GrantError("invalid_request", "PKCE is required: code_challenge is missing")
    _max_age(fields.get("max_age"))


def check_challenge(fields: Fields) -> None:
    """Check a PKCE challenge, where there is one.

    Raises:
        GrantError: ``invalid_request``, its method is not S256, or it is not what that method makes.
    """
    challenge, method = fields.get("code_challenge"), fields.get("code_challenge_method")
    if (challenge or method) and method != "S256":  # left out it would mean "plain" (RFC 7636, 4.3)
        raise GrantError("invalid_request", "code_challenge_method must be S256")
    if (challenge or method) and not CHALLENGE.fullmatch(challenge):
        raise GrantError("invalid_request", "code_challenge is not a SHA-256 in base64url")


def _max_age(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise GrantError("invalid_request", "max_age is a number of seconds")
    return int(text)


def _place(redirect: str) -> str:
    """Where a program is that a browser goes back to, for people."""
    if redirect == OUT_OF_BAND:
        return ""
    host = urlsplit(redirect).hostname or ""
    return "on this machine" if host in LOOPBACK_HOSTS else f"at {host}"


def _origin(redirect: str) -> str:
    """The origin that a form's answer leads to, as a policy can name it."""
    if redirect == OUT_OF_BAND:
        return ""
    parts = urlsplit(redirect)
    origin = f"{parts.scheme}://{parts.netloc}".lower()
    return origin if _CSP_HOST.fullmatch(origin) else f"{parts.scheme}:"
