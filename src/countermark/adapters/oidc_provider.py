"""An OpenID issuer as its clients ask it: its document, forms for its endpoints, the identity token that comes.

OAuth 2.0 (RFC 6749), OpenID Connect Core and Discovery. The token comes over TLS from the issuer itself, which stands
for its signature (Core, 3.1.3.7); who is meant to believe it checks that anyway.
"""

import secrets

from countermark.adapters.http_exchange import Answer, HttpRequest
from countermark.adapters.http_tls import HostTls
from countermark.adapters.http_url import Url, quote
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

    from countermark.adapters.http_client import HttpClient

CLIENT = "sigstore"
_DISCOVERY = "/.well-known/openid-configuration"
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


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


class OidcProvider:
    """An issuer, and what we are to it."""

    def __init__(
        self, client: "HttpClient", sign_in: SignIn, tls_for: "Callable[[str], HostTls]"
    ) -> None:
        """Take what asking needs; nothing is asked yet."""
        self._client, self._sign_in, self._tls_for = client, sign_in, tls_for

    def discovered(self) -> Reader:
        """Fetch the issuer's document, which has to be its own (OpenID Connect Discovery, 4.3).

        Raises:
            UnavailableError: it cannot be had, or is another's.
        """
        issuer = self._sign_in.issuer.rstrip("/")
        url = Url.parse(issuer + _DISCOVERY)
        answer = self._asked(HttpRequest(method="GET", url=url, max_bytes=limits.DISCOVERY_BYTES))
        if answer.status != 200:
            raise UnavailableError(
                f"{url.shown}: HTTP status {answer.status}",
                status=answer.status,
                hint="is this the issuer's address?",
            )
        document = read(answer, limits.DISCOVERY_BYTES)
        named = document.text("issuer")
        if named.rstrip("/") != issuer:
            raise UnavailableError(
                f"{url.shown} is the document of another issuer: {harmless(named[:200])}",
                code=Code.MALFORMED,
                hint="name the issuer as it names itself",
            )
        return document

    def endpoint(self, document: Reader, name: str) -> Url:
        """Take an address out of the issuer's document.

        Raises:
            UnavailableError: ``malformed``, it is none.
        """
        text = document.text(name)
        try:
            return Url.parse(text)
        except InputError as error:
            raise UnavailableError(
                f"the issuer's {name} is no URL: {error}", code=Code.MALFORMED
            ) from None

    def sent(self, url: Url, fields: "Mapping[str, str]") -> Answer:
        """Send a form; a client with a secret shows it there (RFC 6749, 2.3.1).

        Raises:
            UnavailableError: no answer came.
        """
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

    def checked(self, answer: Answer, nonce: str = "") -> str:
        """Take the identity token out of an answer; it has to be this issuer's, for us, and of this request.

        Raises:
            EvidenceError: ``token``.
        """
        from countermark.proofs import tokens  # noqa: PLC0415 - where there is a token

        token = read(answer, limits.TOKEN_BYTES).text("id_token")
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


def read(answer: Answer, most: int) -> Reader:
    """Read an answer's JSON, of at most so many bytes.

    Raises:
        UnavailableError: ``malformed``.
    """
    try:
        return Reader(strict_json.parse(answer.content, max_bytes=most))
    except MalformedError as error:
        raise UnavailableError(
            f"{answer.url.shown} answers with no JSON: {error}", code=Code.MALFORMED
        ) from None


def error_of(answer: Answer) -> str:
    """The code of an OAuth error (RFC 6749, 5.2), "" for none."""
    try:
        document = Reader(strict_json.parse(answer.content, max_bytes=limits.TOKEN_BYTES))
        return document.text("error") if document.has("error") else ""
    except MalformedError:
        return ""


def refused(text: str, answer: Answer) -> RefusedError | UnavailableError:
    """What an answer means that is none of those hoped for: it may be otherwise later, or the issuer says no."""
    said = harmless(error_of(answer))[:100] or f"HTTP status {answer.status}"
    if answer.status == 429 or answer.status >= 500:
        return UnavailableError(f"{text}: {said}", status=answer.status)
    return RefusedError(f"{text}: {said}", status=answer.status, code=Code.TOKEN)
