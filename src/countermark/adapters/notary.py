"""Client of a Notary v1 server."""

from countermark.adapters.http_date import parse_http_date
from countermark.adapters.http_exchange import Answer, HttpRequest
from countermark.adapters.http_url import Url, path_of
from countermark.adapters.registry_auth import Authenticator, Party
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
from countermark.core.ports import Fetched
from countermark.core.reference import DOCKER_HUB, Repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from countermark.adapters.docker_config import CaFolders

HUB_SERVER = "https://notary.docker.io"
PULL, PUSH, ADMIN = "pull", "push,pull", "*"
_FILE = "application/octet-stream"


class NotaryServers:
    """Chooses the trust server of a repository, as docker does (specs: notary v1, 5.2); fulfils TrustServers.

    A server sees the login of the image's registry only if it is on the registry's own host, or the one that the
    configuration or the policy names; docker shows it to any. TLS is verified by the trust server's own name; docker
    does not verify it where the *registry's* name resolves to loopback.
    """

    def __init__(
        self, authenticator: Authenticator, certificates: "CaFolders", server: str = ""
    ) -> None:
        """``server`` is DOCKER_CONTENT_TRUST_SERVER; ``certificates`` are docker's ``tls`` folder."""
        self._authenticator, self._certificates = authenticator, certificates
        self._server = server
        self._known: dict[tuple[str, str], NotaryServer] = {}

    def server_for(self, repository: Repository, url: str = "") -> "NotaryServer":
        """Return the server at ``url``, else the configured one, else the one docker would ask.

        Raises:
            InputError: the URL is not https. ConfigError: docker's CA folder of the server is wrong.
        """
        configured = url or self._server
        key = (configured, repository.registry)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._made(repository.registry, configured)
        return found

    def _made(self, registry: str, configured: str) -> "NotaryServer":
        own = HUB_SERVER if registry == DOCKER_HUB else f"https://{registry}"
        base = _https(configured or own)
        home = Url.parse(f"https://{registry}/").host
        tls = self._certificates.tls_for(base.authority)
        # base is the registry's own server or a configured one, so it may see the registry's login
        party = Party(url=base, registry=registry, homes=(home,), tls=tls)
        return NotaryServer(self._authenticator, party)


def _https(text: str) -> Url:
    if text.partition("://")[0].lower() != "https":
        raise InputError(f"valid https URL required for trust server, got {text[:200]}")
    url = Url.parse(text)
    if "?" in url.target:
        raise InputError(f"valid https URL required for trust server, got {url.shown}?...")
    # a trailing slash would make a double one, which servers answer with a redirect
    return url.replace(target=url.target.rstrip("/"))


class NotaryServer:
    """One Notary v1 server; fulfils TrustPublisher.

    Nothing that it says is believed: what it serves is signed. It can withhold, and serve old files till they expire.
    Requests are not redirected, as docker's are not. Who we are is asked only when the server wants to know.
    """

    def __init__(self, authenticator: Authenticator, party: Party) -> None:
        self._authenticator, self._party = authenticator, party

    @property
    def address(self) -> str:
        """``host[:port]``, as shown to people."""
        return self._party.url.authority

    def fetch(self, gun: str, name: str, max_bytes: int) -> Fetched:
        """Fetch ``name`` without ``.json``: ``timestamp``, ``targets/releases.<sha256 hex>``, ``2.root``.

        Raises:
            NotFoundError, RefusedError, UnavailableError, EvidenceError: see core/ports.
        """
        request = self._request("GET", gun, f"{path_of(name)}.json", max_bytes)
        answer = self._ask(request, gun, PULL, name)
        return Fetched(
            content=answer.content,
            modified=parse_http_date(",".join(answer.headers.all("last-modified"))),
        )

    def server_key(self, gun: str, role: str, *, rotate: bool = False) -> bytes:
        """Ask for the public key (JSON) that the server holds for timestamp or snapshot; or for a new one.

        Raises:
            NotFoundError, RefusedError, UnavailableError, EvidenceError: see core/ports.
        """
        method, actions = ("POST", ADMIN) if rotate else ("GET", PUSH)
        request = self._request(method, gun, f"{path_of(role)}.key", limits.KEY_RESPONSE_BYTES)
        return self._ask(request, gun, actions, f"{role} key").content

    def publish(self, gun: str, files: "Mapping[str, bytes]") -> None:
        """Send changed roles (name without ``.json`` to bytes): all are taken or none.

        Raises:
            RefusedError: status 400 and the body that says why (``version-conflict`` where another publish was
                faster); 401, 403. NotFoundError, UnavailableError: see core/ports.
        """
        from countermark.adapters.multipart import encode_files  # noqa: PLC0415 - only publishing

        for name in files:
            path_of(name)
        content_type, body = encode_files(files)
        request = self._request("POST", gun, "", limits.UNREAD_BYTES).replace(
            headers={"Content-Type": content_type}, body=body
        )
        self._ask(request, gun, PUSH, "POST metadata endpoint")

    def delete(self, gun: str) -> None:
        """Delete all metadata of a repository.

        Raises:
            NotFoundError, RefusedError, UnavailableError: see core/ports.
        """
        request = self._request("DELETE", gun, "", limits.UNREAD_BYTES)
        self._ask(request, gun, ADMIN, "DELETE metadata endpoint")

    def _request(self, method: str, gun: str, tail: str, max_bytes: int) -> HttpRequest:
        # the GUN stands unescaped in the path, colon included (specs: dct observed, 3)
        base = self._party.url
        url = base.replace(target=f"{base.target}/v2/{path_of(gun)}/_trust/tuf/{tail}")
        return HttpRequest(method=method, url=url, max_bytes=max_bytes, tls=self._party.tls)

    def _ask(self, request: HttpRequest, gun: str, actions: str, name: str) -> Answer:
        """Send a request whose only good answer is 200; ``name`` is what notary calls it in its messages."""
        stream = self._authenticator.ask(request, self._party, f"repository:{gun}:{actions}")
        if stream.status == 200:
            try:
                content = stream.read()
            except MalformedError as error:
                if error.code != Code.TOO_LARGE:
                    raise
                raise MalformedError(
                    "trust server returned a bad response.", code=error.code
                ) from None
            return Answer(status=200, headers=stream.headers, content=content, url=stream.url)
        body = self._authenticator.redacted(stream.beginning())
        raise self._refusal(stream.status, body, name)

    def _refusal(self, status: int, body: bytes, name: str) -> CountermarkError:
        """Notary's errors by status (specs: notary v1, 2.2)."""
        if status == 404:
            return NotFoundError(
                f"{name} trust data unavailable.  Has a notary repository been initialized?",
                status=404,
            )
        if status == 400:
            from countermark.adapters.notary_refusals import refused  # noqa: PLC0415 - rare

            return refused(body)
        if status == 401:
            return RefusedError(
                "you are not authorized to perform this operation: server returned 401.",
                status=401,
                body=body,
                hint=self._authenticator.hint(self._party),
            )
        message = f"unable to reach trust server at this time: {status}."
        if status == 403:
            return RefusedError(message, status=403, body=body)
        return UnavailableError(message, status=status)
