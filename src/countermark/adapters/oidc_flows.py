"""Signing in at an OpenID issuer for an identity token: in a browser, with a code on another device, as a program.

OAuth 2.0 with PKCE (RFC 6749, 7636, 8252), the device flow (RFC 8628), OpenID Connect Core; the texts that people see
are cosign's (specs: cosign observed, 5.2). The token comes over TLS from the issuer itself, which stands for its
signature (Core, 3.1.3.7); who is meant to believe it checks that anyway.
"""

import secrets
from binascii import b2a_base64
from hashlib import sha256

from countermark.adapters.http_exchange import Answer, HttpRequest
from countermark.adapters.http_tls import HostTls
from countermark.adapters.http_url import Url, is_loopback, quote
from countermark.adapters.redirect_listener import RedirectListener
from countermark.core import limits
from countermark.core.errors import (
    Code,
    EvidenceError,
    InputError,
    MalformedError,
    RefusedError,
    UnavailableError,
)
from countermark.core.text import harmless
from countermark.core.value import Value
from countermark.formats import strict_json
from countermark.formats.strict_json import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from countermark.adapters.http_client import HttpClient

    class Person(Protocol):
        """Whoever signs in."""

        def told(self, text: str) -> None:
            """Show a line among what is said to people."""
            ...

        def told_code(self, text: str) -> None:
            """Show a line about the code to enter, where cosign has it: on standard output."""
            ...

        def ask(self, prompt: str) -> str:
            """Ask for a line."""
            ...

        def open_browser(self, url: str) -> str:
            """Open a browser; say why there is none, "" where one opens."""
            ...


SCOPE = "openid email"
CLIENT = "sigstore"
_DISCOVERY = "/.well-known/openid-configuration"
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_SLOWER_SECONDS = 5  # RFC 8628, 3.5
_LEAST_SECONDS, _MOST_SECONDS = 1, 60  # between two questions
_MOST_EXPIRES = 1800
_SIGN_IN_SECONDS = 120.0  # sigstore: 120


class SignIn(Value):
    """Whom to ask, and as what.

    Attributes:
        issuer: the issuer's URL, as it names itself.
        client_id, client_secret: what we are to it.
        redirect_url: where a browser comes back to, with port 0 for any; "" for ``localhost``.
    """

    issuer: str
    client_id: str = CLIENT
    client_secret: str = ""
    redirect_url: str = ""

    def __repr__(self) -> str:
        return f"SignIn(issuer={self.issuer!r}, client_id={self.client_id!r})"  # never the secret


class OidcFlows:
    """Signs in, one way or another; each returns an identity token, which stands in no message."""

    def __init__(
        self,
        client: "HttpClient",
        sign_in: SignIn,
        person: "Person",
        pause: "Callable[[float], None]",
        tls_for: "Callable[[str], HostTls]" = lambda _: HostTls(),
    ) -> None:
        """Take what signing in needs; ``pause`` waits between two questions of the device flow."""
        self._client, self._sign_in, self._person = client, sign_in, person
        self._pause, self._tls_for = pause, tls_for

    # In a browser -------------------------------------------------------------------------------------

    def browser(self) -> str:
        """Have somebody sign in in a browser on this machine, or elsewhere, who then types a code.

        Raises:
            RefusedError: the issuer says no. UnavailableError: it cannot be asked, or nobody came.
            EvidenceError: what came back belongs to another request.
        """
        document = self._discovered()
        _need_pkce(document, self._sign_in.issuer)
        listener = RedirectListener(self._sign_in.redirect_url)
        try:
            request = _Request(redirect=listener.url)
            address = self._authorization(document, request)
            problem = self._person.open_browser(address)
            if problem:
                self._person.told(f"error opening browser: {problem}")
                return self._out_of_band(document)
            self._person.told(f"Your browser will now be opened to:\n{address}")
            found = listener.wait(_SIGN_IN_SECONDS)
        finally:
            listener.close()
        return self._redeemed(document, request, self._code(found, request))

    def _code(self, found: "Mapping[str, str]", request: "_Request") -> str:
        """Take the code that a browser came back with.

        Raises:
            EvidenceError: it belongs to another request, or is of another issuer (RFC 9207, 2.4).
            RefusedError: the issuer, or the person, said no.
        """
        state = found.get("state", "").encode("utf-8", "replace")
        if not secrets.compare_digest(state, request.state.encode()):
            raise EvidenceError(
                "the browser came back with another sign-in's state", code=Code.TOKEN
            )
        if "iss" in found and found["iss"].rstrip("/") != self._sign_in.issuer.rstrip("/"):
            raise EvidenceError("the browser came back from another issuer", code=Code.TOKEN)
        if not found.get("code"):
            said = found.get("error_description") or found.get("error") or "no code"
            raise RefusedError(
                f"the sign-in failed: {harmless(said)[:200]}", status=401, code=Code.TOKEN
            )
        return found["code"]

    def _out_of_band(self, document: Reader) -> str:
        request = _Request(redirect=_OUT_OF_BAND)
        address = self._authorization(document, request)
        self._person.told(f"Go to the following link in a browser:\n\n\t {address}")
        code = self._person.ask("Enter verification code: ").strip()
        if not code or not code.isascii() or not code.isprintable():
            raise RefusedError("no verification code was entered", status=401, code=Code.TOKEN)
        return self._redeemed(document, request, code)

    def _authorization(self, document: Reader, request: "_Request") -> str:
        endpoint = self._endpoint(document, "authorization_endpoint")
        if endpoint.scheme != "https" and not is_loopback(endpoint.host):
            raise UnavailableError(
                f"the issuer's sign-in page is not reached over TLS: {endpoint.shown}",
                code=Code.INSECURE,
            )
        return str(
            endpoint.with_query(
                ("access_type", "online"),
                ("client_id", self._sign_in.client_id),
                ("code_challenge", request.challenge),
                ("code_challenge_method", "S256"),
                ("nonce", request.nonce),
                ("redirect_uri", request.redirect),
                ("response_type", "code"),
                ("scope", SCOPE),
                ("state", request.state),
            )
        )

    def _redeemed(self, document: Reader, request: "_Request", code: str) -> str:
        """Give the code for a token (RFC 6749, 4.1.3; RFC 7636, 4.5)."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": request.redirect,
            "code_verifier": request.verifier,
        }
        answer = self._sent(self._endpoint(document, "token_endpoint"), fields)
        if answer.status != 200:
            raise _refused("the issuer gives no token", answer)
        return self._checked(answer, nonce=request.nonce)

    # On another device --------------------------------------------------------------------------------

    def device(self) -> str:
        """Show a code that somebody enters in a browser elsewhere, and wait for it.

        Raises:
            As ``browser``.
        """
        document = self._discovered()
        _need_pkce(document, self._sign_in.issuer)
        if not document.has("device_authorization_endpoint"):
            raise UnavailableError(
                "oidc: device authorization endpoint not returned by provider",
                hint="sign in with a browser: --fulcio-auth-flow normal",
            )
        request = _Request(redirect="")
        asked = {
            "code_challenge": request.challenge,
            "code_challenge_method": "S256",
            "scope": SCOPE,
        }
        answer = self._sent(self._endpoint(document, "device_authorization_endpoint"), asked)
        if answer.status != 200:
            raise _refused("the issuer begins no sign-in", answer)
        begun = _Device.of(_read(answer, limits.TOKEN_BYTES))
        self._person.told_code(
            f"Enter the verification code {begun.user_code} in your browser at: {begun.address}"
        )
        self._person.told_code(f"Code will be valid for {begun.expires} seconds")
        token = self._waited(document, begun, request)
        self._person.told_code("Token received!")
        return token

    def _waited(self, document: Reader, begun: "_Device", request: "_Request") -> str:
        fields = {
            "grant_type": _DEVICE_GRANT,
            "device_code": begun.device_code,
            "code_verifier": request.verifier,
            "scope": SCOPE,
        }
        endpoint = self._endpoint(document, "token_endpoint")
        waited, interval = 0, begun.interval
        while waited <= begun.expires:
            answer = self._sent(endpoint, fields)
            if answer.status == 200:
                return self._checked(answer)
            error = _error(answer)
            if error == "slow_down":
                interval = min(interval + _SLOWER_SECONDS, _MOST_SECONDS)
            elif error != "authorization_pending":
                raise _refused("the issuer gives no token", answer)
            self._pause(interval)
            waited += interval
        raise UnavailableError(
            "nobody entered the code in time", code=Code.TOKEN, hint="begin again"
        )

    # As a program ---------------------------------------------------------------------------------------

    def program(self) -> str:
        """Sign in with the client's own secret (RFC 6749, 4.4).

        Raises:
            InputError: there is none. Else as ``browser``.
        """
        if not self._sign_in.client_secret:
            raise InputError(
                "client credentials need a secret", hint="give it with --oidc-client-secret-file"
            )
        endpoint = self._endpoint(self._discovered(), "token_endpoint")
        answer = self._sent(endpoint, {"grant_type": "client_credentials", "scope": SCOPE})
        if answer.status != 200:
            raise _refused("the issuer gives no token", answer)
        token = self._checked(answer)
        self._person.told_code("Token received!")
        return token

    # Shared ---------------------------------------------------------------------------------------------

    def _discovered(self) -> Reader:
        """The issuer's document, which has to be its own (OpenID Connect Discovery, 4.3)."""
        issuer = self._sign_in.issuer.rstrip("/")
        url = Url.parse(issuer + _DISCOVERY)
        answer = self._asked(HttpRequest(method="GET", url=url, max_bytes=limits.DISCOVERY_BYTES))
        if answer.status != 200:
            raise UnavailableError(
                f"{url.shown}: HTTP status {answer.status}",
                status=answer.status,
                hint="is this the issuer's address?",
            )
        document = _read(answer, limits.DISCOVERY_BYTES)
        named = document.text("issuer")
        if named.rstrip("/") != issuer:
            raise UnavailableError(
                f"{url.shown} is the document of another issuer: {harmless(named[:200])}",
                code=Code.MALFORMED,
                hint="name the issuer as it names itself",
            )
        return document

    def _endpoint(self, document: Reader, name: str) -> Url:
        text = document.text(name)
        try:
            return Url.parse(text)
        except InputError as error:
            raise UnavailableError(
                f"the issuer's {name} is no URL: {error}", code=Code.MALFORMED
            ) from None

    def _sent(self, url: Url, fields: "Mapping[str, str]") -> Answer:
        """Send a form; a client with a secret shows it there (RFC 6749, 2.3.1)."""
        given = {"client_id": self._sign_in.client_id, **fields}
        if self._sign_in.client_secret:
            given["client_secret"] = self._sign_in.client_secret
        body = "&".join(f"{name}={quote(value)}" for name, value in sorted(given.items())).encode()
        return self._asked(
            HttpRequest(
                method="POST", url=url, headers=_FORM, body=body, max_bytes=limits.TOKEN_BYTES
            )
        )

    def _asked(self, request: HttpRequest) -> Answer:
        tls = self._tls_for(request.url.authority)
        try:
            return self._client.request(request.replace(tls=tls))
        except UnavailableError as error:
            text = f'{request.method.capitalize()} "{request.url.shown}": {error}'
            raise UnavailableError(text, code=error.code, hint=error.hint) from None

    def _checked(self, answer: Answer, nonce: str = "") -> str:
        """Take the identity token out of an answer; it has to be this issuer's, for us, and of this request.

        Raises:
            EvidenceError: ``token``.
        """
        from countermark.proofs import tokens  # noqa: PLC0415 - where there is a token

        token = _read(answer, limits.TOKEN_BYTES).text("id_token")
        claims = tokens.unverified_claims(token)
        issuer, audience = claims.get("iss"), claims.get("aud")
        if str(issuer).rstrip("/") != self._sign_in.issuer.rstrip("/"):
            raise EvidenceError("the issuer sent a token of another one", code=Code.TOKEN)
        mine = self._sign_in.client_id
        if audience != mine and not (isinstance(audience, list) and mine in audience):
            raise EvidenceError("the issuer sent a token for somebody else", code=Code.TOKEN)
        if nonce and not secrets.compare_digest(
            str(claims.get("nonce")).encode("utf-8", "replace"), nonce.encode()
        ):
            raise EvidenceError("nonce does not match value sent", code=Code.TOKEN)
        return token


class _Request:
    """What makes one request of ours recognisable when it comes back."""

    def __init__(self, redirect: str) -> None:
        self.redirect = redirect
        self.state, self.nonce = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.verifier = secrets.token_urlsafe(48)
        digest = b2a_base64(sha256(self.verifier.encode()).digest(), newline=False)
        self.challenge = digest.decode().rstrip("=").replace("+", "-").replace("/", "_")


class _Device(Value):
    """What the issuer says of a device that waits; times in seconds."""

    device_code: str
    user_code: str
    address: str
    expires: int
    interval: int

    @classmethod
    def of(cls, document: Reader) -> "_Device":
        complete = "verification_uri_complete"
        address = document.text(complete if document.has(complete) else "verification_uri")
        interval = document.integer("interval") if document.has("interval") else _SLOWER_SECONDS
        return cls(
            device_code=document.text("device_code"),
            user_code=harmless(document.text("user_code"))[:100],
            address=harmless(address)[:1000],
            expires=min(max(document.integer("expires_in"), 0), _MOST_EXPIRES),
            interval=min(max(interval, _LEAST_SECONDS), _MOST_SECONDS),
        )


def _need_pkce(document: Reader, issuer: str) -> None:
    name = "code_challenge_methods_supported"
    if not document.has(name) or "S256" not in document.texts(name):
        raise UnavailableError(
            f"PKCE is not supported by OIDC provider '{issuer}'", code=Code.NOT_SUPPORTED
        )


def _read(answer: Answer, most: int) -> Reader:
    try:
        return Reader(strict_json.parse(answer.content, max_bytes=most))
    except MalformedError as error:
        raise UnavailableError(
            f"{answer.url.shown} answers with no JSON: {error}", code=Code.MALFORMED
        ) from None


def _error(answer: Answer) -> str:
    try:
        document = Reader(strict_json.parse(answer.content, max_bytes=limits.TOKEN_BYTES))
        return document.text("error") if document.has("error") else ""
    except MalformedError:
        return ""


def _refused(text: str, answer: Answer) -> RefusedError | UnavailableError:
    said = harmless(_error(answer))[:100] or f"HTTP status {answer.status}"
    if answer.status == 429 or answer.status >= 500:
        return UnavailableError(f"{text}: {said}", status=answer.status)
    return RefusedError(f"{text}: {said}", status=answer.status, code=Code.TOKEN)
