"""Signing in at an OpenID issuer for an identity token: in a browser, with a code on another device, as a program.

OAuth 2.0 with PKCE (RFC 6749, 7636, 8252), the device flow (RFC 8628), OpenID Connect Core; the texts that people see
are cosign's (specs: cosign observed, 5.2).
"""

import secrets
from binascii import b2a_base64
from hashlib import sha256

from countermark.adapters.http_tls import HostTls
from countermark.adapters.http_url import is_loopback
from countermark.adapters.oidc_provider import OidcProvider, SignIn, error_of, read, refused
from countermark.adapters.redirect_listener import RedirectListener
from countermark.core import limits
from countermark.core.errors import (
    Code,
    EvidenceError,
    InputError,
    RefusedError,
    UnavailableError,
)
from countermark.core.text import harmless
from countermark.core.value import Value
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
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
_SLOWER_SECONDS = 5  # RFC 8628, 3.5
_LEAST_SECONDS, _MOST_SECONDS = 1, 60  # between two questions
_MOST_EXPIRES = 1800
_SIGN_IN_SECONDS = 120.0  # sigstore: 120


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
        self._provider = OidcProvider(client, sign_in, tls_for)
        self._sign_in, self._person, self._pause = sign_in, person, pause

    # In a browser -------------------------------------------------------------------------------------

    def browser(self) -> str:
        """Have somebody sign in in a browser on this machine, or elsewhere, who then types a code.

        Raises:
            RefusedError: the issuer says no. UnavailableError: it cannot be asked, or nobody came.
            EvidenceError: what came back belongs to another request.
        """
        document = self._with_pkce()
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

    def _with_pkce(self) -> Reader:
        document = self._provider.discovered()
        name = "code_challenge_methods_supported"
        if not document.has(name) or "S256" not in document.texts(name):
            raise UnavailableError(
                f"PKCE is not supported by OIDC provider '{self._sign_in.issuer}'",
                code=Code.NOT_SUPPORTED,
            )
        return document

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
        endpoint = self._provider.endpoint(document, "authorization_endpoint")
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
        answer = self._provider.sent(self._provider.endpoint(document, "token_endpoint"), fields)
        if answer.status != 200:
            raise refused("the issuer gives no token", answer)
        return self._provider.checked(answer, nonce=request.nonce)

    # On another device --------------------------------------------------------------------------------

    def device(self) -> str:
        """Show a code that somebody enters in a browser elsewhere, and wait for it.

        Raises:
            As ``browser``.
        """
        document = self._with_pkce()
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
        answer = self._provider.sent(
            self._provider.endpoint(document, "device_authorization_endpoint"), asked
        )
        if answer.status != 200:
            raise refused("the issuer begins no sign-in", answer)
        begun = _Device.of(read(answer, limits.TOKEN_BYTES))
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
        endpoint = self._provider.endpoint(document, "token_endpoint")
        waited, interval = 0, begun.interval
        while waited <= begun.expires:
            answer = self._provider.sent(endpoint, fields)
            if answer.status == 200:
                return self._provider.checked(answer)
            error = error_of(answer)
            if error == "slow_down":
                interval = min(interval + _SLOWER_SECONDS, _MOST_SECONDS)
            elif error != "authorization_pending":
                raise refused("the issuer gives no token", answer)
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
        endpoint = self._provider.endpoint(self._provider.discovered(), "token_endpoint")
        answer = self._provider.sent(endpoint, {"grant_type": "client_credentials", "scope": SCOPE})
        if answer.status != 200:
            raise refused("the issuer gives no token", answer)
        token = self._provider.checked(answer)
        self._person.told_code("Token received!")
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
