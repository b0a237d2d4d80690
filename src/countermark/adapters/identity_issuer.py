"""OpenID issuers asked over HTTP: their public documents, and a token for an account's name and password."""

from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_exchange import Answer, HttpRequest
from countermark.adapters.http_tls import HostTls
from countermark.adapters.http_url import Url, quote
from countermark.core import limits
from countermark.core.errors import (
    Code,
    EvidenceError,
    InputError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.formats import strict_json
from countermark.proofs import tokens

_DISCOVERY_PATH = "/.well-known/openid-configuration"  # OpenID Connect Discovery, 4
_JSON = {"Accept": "application/json"}


class FetchedDocuments:
    """The documents of issuers, over HTTPS (port ``IssuerDocuments``).

    Whoever answers for an issuer's name can sign in as anybody there: TLS is all that tells who it is.

    Args:
        client: with timeouts of a few seconds, since a request of a stranger's waits for it.
    """

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def fetch(self, url: str, max_bytes: int, ca_certificates: str = "") -> bytes:
        """See the port."""
        tls = HostTls(ca_texts=(ca_certificates,)) if ca_certificates else HostTls()
        try:
            request = HttpRequest(
                method="GET", url=Url.parse(url), headers=_JSON, max_bytes=max_bytes, tls=tls
            )
            answer = self._client.request(request)
        except InputError as error:  # an issuer's document led to no URL, or to plain http
            raise UnavailableError(f"{url[:200]}: {error}", code=error.code) from None
        if answer.status != 200:
            raise _failed(answer, url)
        return answer.content


class IdentityIssuer:
    """One issuer that gives tokens for a name and a password, as our own does.

    Args:
        client: HTTP.
        issuer: its URL.
        tls: what is believed besides the system's roots.
    """

    def __init__(self, client: HttpClient, issuer: str, tls: HostTls = HostTls()) -> None:  # noqa: B008 - frozen
        self._client, self._issuer, self._tls = client, issuer.rstrip("/"), tls

    def token(self, name: str, password: str) -> str:
        """Ask for an identity token (RFC 6749, 4.4).

        Raises:
            RefusedError: the name or the password is wrong. UnavailableError: the issuer does not answer, or no
            issuer does, or too many passwords were wrong. InputError: no https URL. EvidenceError: no token came.
        """
        place = self._token_endpoint()
        fields = {
            "grant_type": "client_credentials",
            "scope": "openid email",
            "client_id": name,
            "client_secret": password,
        }
        body = "&".join(f"{field}={quote(value)}" for field, value in fields.items()).encode()
        headers = {**_JSON, "Content-Type": "application/x-www-form-urlencoded"}
        answer = self._client.request(
            HttpRequest(
                method="POST",
                url=place,
                headers=headers,
                body=body,
                max_bytes=limits.TOKEN_BYTES,
                tls=self._tls,
            )
        )
        if answer.status == 401:
            raise RefusedError("the name or the password is wrong", status=401)
        if answer.status != 200:
            raise _failed(answer, place.shown)
        return self._checked(strict_json.Reader(strict_json.parse(answer.content)).text("id_token"))

    def _token_endpoint(self) -> Url:
        """Where tokens are; of the issuer's own origin, since a password goes there."""
        home = Url.parse(f"{self._issuer}{_DISCOVERY_PATH}")
        request = HttpRequest(
            method="GET",
            url=home,
            headers=_JSON,
            max_bytes=limits.DISCOVERY_BYTES,
            tls=self._tls,
        )
        answer = self._client.request(request)
        if answer.status != 200:
            raise _failed(answer, home.shown)
        try:
            found = strict_json.Reader(strict_json.parse(answer.content))
            issuer, place = found.text("issuer"), Url.parse(found.text("token_endpoint"))
        except (MalformedError, InputError) as error:
            raise UnavailableError(
                f"{home.shown}: not an issuer's document: {error}", code=Code.MALFORMED
            ) from None
        if issuer != self._issuer or place.origin != home.origin:
            raise UnavailableError(
                f"{home.shown} is the document of another issuer: {issuer[:200]}",
                code=Code.MALFORMED,
                hint="name the issuer as it names itself",
            )
        return place

    def _checked(self, token: str) -> str:
        if tokens.unverified_claims(token).get("iss") != self._issuer:
            raise EvidenceError("the issuer sent a token of another one", code=Code.TOKEN)
        return token


def _failed(answer: Answer, url: str) -> UnavailableError | RefusedError:
    message = f"{url[:200]}: HTTP status {answer.status}"
    if answer.status == 404:
        return NotFoundError(message, status=404)
    if answer.status == 429:
        return UnavailableError(
            f"{url[:200]}: too many wrong passwords", status=429, hint="wait, and try again"
        )
    if answer.status in (400, 401, 403):
        return RefusedError(message, status=answer.status, body=answer.content)
    return UnavailableError(message, status=answer.status)
