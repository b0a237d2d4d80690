"""Requests to one registry: where it is, http or https, who we are, and what its refusals mean.

Plain http only where docker's users have it: on literal loopback addresses and ``localhost``, tried after https as
docker does, and remembered. ``insecure-registries`` of a daemon's configuration is not obeyed.
"""

from countermark.adapters.http_errors import NotTlsError
from countermark.adapters.http_exchange import Answer, HttpRequest, Stream
from countermark.adapters.http_url import Url, is_loopback
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
from countermark.core.text import harmless
from countermark.core.value import Value
from countermark.formats.strict_json import Reader, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from countermark.adapters.docker_config import CaFolders
    from countermark.adapters.http_tls import HostTls
    from countermark.adapters.registry_map import RegistryMap, Target
    from countermark.core.reference import Repository

PULL, PUSH, DELETE = "pull", "pull,push", "delete"
_READS = ("GET", "HEAD")
# docker-registry's answer to who reads what another is writing; soon it is there
_WRITTEN_NOW = (500,)
_SHOWN_CHARS = 300  # of what a registry says
_SHOWN_ERRORS = 3
_HOMES_KEPT = 256  # of repositories; a gateway is asked about as many as its clients can name
# what GET would say; an answer to HEAD has no body
_UNKNOWN = ": manifest unknown: manifest unknown"


class Call(Value):
    """One request about one repository.

    Attributes:
        tail: the path below ``/v2/<repository>/``, with its query.
        at: a whole URL instead, as an upload's Location or a next page's Link gives it.
        actions: what the token must allow on the repository; ``also`` are further scopes.
        what: the thing asked about, for messages: ``manifest for alpine:3``.
        retry: statuses that mean "try again" here; of what is read 500 always does.
    """

    method: str
    tail: str = ""
    at: Url | None = None
    headers: "Mapping[str, str]" = {}  # noqa: RUF012 - frozen, and never written to
    body: "bytes | Iterator[bytes]" = b""
    length: int | None = None
    max_bytes: int = limits.MANIFEST_BYTES
    follow: bool = False
    actions: str = PULL
    also: tuple[str, ...] = ()
    what: str = ""
    retry: tuple[int, ...] = ()


class _Home:
    """The server that a repository is on, as it is asked; worked out once for all calls about the repository."""

    def __init__(self, target: "Target", tls: "HostTls") -> None:
        self.target, self.tls = target, tls
        self._parties: dict[str, Party] = {}

    def party(self, scheme: str) -> Party:
        """Who is asked, over https or http."""
        found = self._parties.get(scheme)
        if found is None:
            target = self.target
            home = Url.parse(f"https://{target.login_for}/").host if target.login_for else ""
            found = self._parties[scheme] = Party(
                url=Url.parse(f"{scheme}://{target.host}/"),
                registry=target.login_for,
                path=target.path,
                homes=(home,) if home else (),
                realms=target.place.realms,
                tls=self.tls,
            )
        return found


class RegistryRequests:
    """Sends calls to the registries that repositories are in."""

    def __init__(
        self,
        client: Authenticator,
        places: "RegistryMap",
        certificates: "CaFolders",
    ) -> None:
        self._client, self._places, self._certificates = client, places, certificates
        self._schemes: dict[str, str] = {}  # of loopback registries that have answered
        self._homes: dict[Repository, _Home] = {}
        self._one_by_one: set[tuple[str, str]] = set()  # hosts and what they do not give ahead

    def target(self, repository: "Repository") -> "Target":
        """Say where a repository is."""
        return self._home(repository).target

    def base(self, repository: "Repository") -> Url:
        """The registry's address as far as it is known."""
        home = self._home(repository)
        return home.party(self._schemes.get(home.target.host, "https")).url

    def _home(self, repository: "Repository") -> _Home:
        found = self._homes.get(repository)
        if found is None:
            target = self._places.target(repository)
            tls = self._certificates.tls_for(
                repository.registry, target.host, ca_texts=target.place.ca_texts
            )
            if len(self._homes) >= _HOMES_KEPT:
                self._homes.clear()
            found = self._homes[repository] = _Home(target, tls)
        return found

    def answer(self, repository: "Repository", call: Call, *good: int) -> Answer:
        """Send a call and read the whole answer, whose status is one of ``good``.

        Raises:
            NotFoundError, RefusedError, UnavailableError: another status, or no answer.
            MalformedError: ``too-large``.
        """
        stream = self.stream(repository, call, *good)
        content = stream.read()
        return Answer(status=stream.status, headers=stream.headers, content=content, url=stream.url)

    def ahead(self, repository: "Repository", calls: "Sequence[Call]") -> "list[Answer | None]":
        """Send GETs that differ in their tails alone, without waiting for answers in between; no error is raised.

        The answers in their order; None for what was not simply there (200), which has to be asked for by itself.
        Of a registry that does not answer all of them, or sends on and on for such things, that is remembered.
        """
        home = self._home(repository)
        host, first = home.target.host, calls[0]
        scheme = self._schemes.get(host, "https")
        party = home.party(scheme)
        kind = (host, first.tail.partition("/")[0])
        if kind in self._one_by_one or (host not in self._schemes and is_loopback(party.url.host)):
            return [None] * len(calls)
        request = _request(home, first, party.url).replace(max_bytes=limits.AHEAD_ANSWER_BYTES)
        targets = [_target(home, call) for call in calls]
        came = self._client.ahead(request, targets, party, _scope(party, first))
        if len(came) < len(calls) or any(300 <= answer.status < 400 for answer in came):
            if len(self._one_by_one) >= _HOMES_KEPT:
                self._one_by_one.clear()
            self._one_by_one.add(kind)
        found = [
            answer if answer.status == 200 and len(answer.content) <= call.max_bytes else None
            for answer, call in zip(came, calls, strict=False)
        ]
        return found + [None] * (len(calls) - len(came))

    def stream(self, repository: "Repository", call: Call, *good: int) -> Stream:
        """Send a call and leave the body to the caller.

        Raises:
            As ``answer``.
        """
        home = self._home(repository)
        stream = self._sent(home, call)
        if stream.status in good:
            return stream
        raise self._refusal(stream, repository, home, call)

    def _sent(self, home: _Home, call: Call) -> Stream:
        target = home.target
        known = self._schemes.get(target.host)
        loopback = known is None and is_loopback(home.party("https").url.host)
        schemes = ("https", "http") if loopback else (known or "https",)
        for scheme in schemes:
            party = home.party(scheme)
            url = call.at or party.url.replace(target=_target(home, call))
            try:
                stream = self._asked(home, party, call, url)
            except NotTlsError as error:
                if scheme == schemes[-1]:
                    raise _said(error, call.method, url) from None
                continue
            except UnavailableError as error:
                raise _said(error, call.method, url) from None
            except InputError as error:  # plain http elsewhere, which a Location or Link named
                raise UnavailableError(
                    f"{target.host}: {error}", code=error.code, hint=error.hint
                ) from None
            if loopback:
                self._schemes[target.host] = scheme
            return stream
        raise AssertionError("the last scheme returns or raises")

    def _asked(self, home: _Home, party: Party, call: Call, url: Url) -> Stream:
        request = _request(home, call, url)
        if url.origin != party.url.origin:  # elsewhere we are nobody
            return self._client.ask_anonymously(request.replace(tls=home.tls.without_client()))
        return self._client.ask(request, party, _scope(party, call), *call.also)

    def _refusal(
        self, stream: Stream, repository: "Repository", home: _Home, call: Call
    ) -> CountermarkError:
        status, content = stream.status, self._client.redacted(stream.beginning())
        said = _said_by_registry(content)
        if not said and call.method == "HEAD" and call.tail.startswith("manifests/"):
            said = _UNKNOWN if status == 404 else ""
        what = call.what or f"{call.tail.partition('?')[0]} of {repository.name}"
        if status == 404:
            return NotFoundError(f"{what} not found{said}", status=404)
        if status in (401, 403):
            party = home.party(self._schemes.get(home.target.host, "https"))
            return RefusedError(
                f"access to {repository.name} denied{said or f': server returned {status}'}",
                status=status,
                body=content,
                hint=self._client.hint(party),
            )
        message = f"{what}: registry {home.target.host} returned {status}{said}"
        if status < 400 or status >= 500 or status in (408, 425, 429):
            return UnavailableError(message, status=status)
        return RefusedError(message, status=status, body=content)


def _target(home: _Home, call: Call) -> str:
    return f"/v2/{home.target.path}/{call.tail}"


def _scope(party: Party, call: Call) -> str:
    return f"repository:{party.path}:{call.actions}"


def _request(home: _Home, call: Call, url: Url) -> HttpRequest:
    return HttpRequest(
        method=call.method,
        url=url,
        headers=call.headers,
        body=call.body,
        length=call.length,
        max_bytes=call.max_bytes,
        follow=call.follow,
        tls=home.tls,
        retry=_WRITTEN_NOW if call.method in _READS else call.retry,
    )


def _said(error: UnavailableError, method: str, url: Url) -> UnavailableError:
    """Put in front what was asked, as Go does: ``Get "https://host/v2/": EOF``. Realms' errors say it themselves."""
    if error.status:
        return error
    message = f'{method.capitalize()} "{url.shown}": {error}'
    return UnavailableError(message, code=error.code, hint=error.hint)


def _said_by_registry(content: bytes) -> str:
    """``: manifest unknown: manifest unknown``, as docker shows a registry's error body; "" where it is none."""
    try:
        errors = Reader(parse(content)).objects("errors")[:_SHOWN_ERRORS]
        texts = [
            f"{entry.text('code').lower().replace('_', ' ')}: {entry.text('message')}"
            for entry in errors
        ]
    except MalformedError:
        return ""
    return f": {harmless(', '.join(texts))[:_SHOWN_CHARS]}" if texts else ""


def next_page(answer: Answer) -> Url | None:
    """The next page that a Link header names (RFC 8288, distribution-spec), None after the last.

    Raises:
        MalformedError: it is at another server, or no URL.
    """
    for value in answer.headers.all("link"):
        for part in value.split(","):
            address, _, parameters = part.strip().partition(">")
            relation = parameters.replace(" ", "").replace('"', "").lower()
            if not address.startswith("<") or "rel=next" not in relation.split(";"):
                continue
            try:
                url = answer.url.join(address[1:])
            except InputError as error:
                raise MalformedError(f"next page: {error}", path="Link") from None
            if url.origin != answer.url.origin or url == answer.url:
                raise MalformedError(
                    f"next page on {url.authority}", path="Link", code=Code.MALFORMED
                )
            return url
    return None
