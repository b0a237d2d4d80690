"""One request to a service of a Sigstore: sent, and everything else than the answer it should give said clearly.

What the services are: ``fulcio.py``, ``rekor.py``, ``timestamp_client.py`` (specs: cosign, 2e, 2g, 2h; what clients
do when one misbehaves: observed, 5.3). Nothing that a service answers is believed: whoever asked verifies it as
everybody else will.
"""

from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_exchange import Answer, HttpRequest
from countermark.adapters.http_tls import HostTls
from countermark.adapters.http_url import Url
from countermark.core import limits
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.core.light import Callable
from countermark.core.text import harmless
from countermark.formats import strict_json
from countermark.formats.strict_json import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = "application/json"
GOOD = (200, 201)  # servers differ: cosign takes 200 of one and 201 of another only
_SHOWN_BYTES = 300

TlsFor = Callable[[str], HostTls]


def system_roots_only(host: str) -> HostTls:
    """Believe in nothing besides the system's roots, at whichever host."""
    del host
    return HostTls()


class Service:
    """What the clients share: one base URL, and answers turned into our errors."""

    name = "the service"

    def __init__(self, client: HttpClient, url: str, tls_for: TlsFor = system_roots_only) -> None:
        """Take the HTTP client, the service's URL, and what is believed beside the system's roots for a host.

        Raises:
            InputError: no URL, or plain http to another host than this one.
        """
        try:
            self._url = Url.parse(url.rstrip("/"))
        except InputError as error:
            raise InputError(f"{self.name}: {error}", code=error.code) from None
        self._client, self._tls_for = client, tls_for

    @property
    def shown(self) -> str:
        """The service's address, for people."""
        return self._url.shown.rstrip("/")

    def post(
        self,
        path: str,
        headers: "Mapping[str, str]",
        body: bytes,
        *,
        max_bytes: int = limits.TOKEN_BYTES,
        harmless_twice: bool = False,
    ) -> Answer:
        """Send a request; ``path`` is below the base URL, "" where that is whole.

        ``max_bytes`` bounds the answer; ``harmless_twice``: it may be sent again after a failure that passes.

        Raises:
            UnavailableError: no answer, or none that is HTTP. MalformedError: ``too-large``.
        """
        return self._ask("POST", path, headers, body, max_bytes, harmless_twice=harmless_twice)

    def get(self, path: str, *, max_bytes: int = limits.TOKEN_BYTES, accept: str = JSON) -> Answer:
        """Ask for something below the base URL.

        Raises:
            As ``post``.
        """
        return self._ask("GET", path, {"Accept": accept}, b"", max_bytes, harmless_twice=True)

    def _ask(
        self,
        method: str,
        path: str,
        headers: "Mapping[str, str]",
        body: bytes,
        max_bytes: int,
        *,
        harmless_twice: bool,
    ) -> Answer:
        url = Url.parse(str(self._url).rstrip("/") + path) if path else self._url
        request = HttpRequest(
            method=method,
            url=url,
            headers=headers,
            body=body,
            max_bytes=max_bytes,
            tls=self._tls_for(url.authority),
            harmless_twice=harmless_twice,
            retry=(500,) if harmless_twice else (),
        )
        try:
            return self._client.request(request)
        except UnavailableError as error:
            text = f'{method.capitalize()} "{url.shown}": {error}'
            raise UnavailableError(text, code=error.code, hint=error.hint) from None
        except MalformedError as error:
            raise MalformedError(f"{self.name}'s answer: {error}", code=error.code) from None

    # What it answers instead --------------------------------------------------------------------------

    def failed(self, answer: Answer, *, secret: str = "", hint: str = "") -> CountermarkError:
        """Say what a service answered instead, and with which status; a secret in it is left out."""
        text = f"{self.name} returned {answer.status}: {_said(answer.content, secret)}"
        status = answer.status
        if status == 404:
            return NotFoundError(text, status=404, hint=f"is {self.shown} the right address?")
        if status == 413:
            return RefusedError(text, status=413, code=Code.TOO_LARGE, hint=hint)
        if status == 409:
            return RefusedError(text, status=409, code=Code.DUPLICATE, hint=hint)
        if status == 429 or status >= 500 or status < 400:
            return UnavailableError(text, status=status, hint=hint)
        return RefusedError(text, status=status, body=answer.content, hint=hint)

    def misunderstood(self, error: CountermarkError, answer: Answer) -> MalformedError:
        """Say that an answer is not what such a service says: HTML of a proxy, say."""
        kind = answer.headers.one("content-type").partition(";")[0].strip()
        of = f" (it is {kind})" if kind and kind != JSON else ""
        return MalformedError(
            f"{self.name}'s answer cannot be read{of}: {error}",
            code=error.code,
            hint=f"is {self.shown} the right address?",
        )


def _said(content: bytes, secret: str) -> str:
    """What people read of a refusal: the message of grpc-gateway's JSON, else the beginning of the text."""
    text = content[: 4 * _SHOWN_BYTES].decode("utf-8", "replace").strip()
    try:
        document = Reader(strict_json.parse(content, max_bytes=limits.TOKEN_BYTES))
        if document.has("message"):
            text = document.text("message")
    except MalformedError:
        pass
    if secret:
        text = text.replace(secret, "(the token)")
    return harmless(text)[:_SHOWN_BYTES] or "(nothing)"
