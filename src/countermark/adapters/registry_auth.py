"""Registry challenges and Docker credential helpers.

A request goes out as we know best; a 401 is answered once, with Basic or with a token from the realm that it names
(distribution-spec's token protocol: GET with Basic credentials or none, POST for identity tokens). Challenges and
tokens are remembered while the process lives, so that the next request is answered at once.

Logins go to the host that they are for: see ``registry_realms``. They are looked up when a server asks, not before.
"""

from _thread import allocate_lock
from binascii import b2a_base64
from time import monotonic

from countermark.adapters.http_challenge import Challenge, parse_challenges
from countermark.adapters.http_exchange import Answer, HttpRequest, Stream
from countermark.adapters.http_tls import HostTls
from countermark.adapters.http_url import Url, quote
from countermark.adapters.registry_realms import is_usable, may_see_login
from countermark.core import limits
from countermark.core.errors import (
    Code,
    ConfigError,
    InputError,
    MalformedError,
    RefusedError,
    StorageError,
    UnavailableError,
)
from countermark.core.value import Value
from countermark.formats.strict_json import Reader, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable, Sequence

    from countermark.adapters.credentials import Logins
    from countermark.adapters.docker_config import Login
    from countermark.adapters.http_client import HttpClient

_LEAST_SECONDS = 60  # that a token lasts when its server does not say (docker: the same)
_SHORT_SECRET = 4  # replacing shorter ones would leave no message

# What Docker Hub always answers, known beforehand: one round trip less for every image of it.
_HUB = (
    ("https", "registry-1.docker.io", 443),
    Challenge(
        scheme="bearer",
        parameters={"realm": "https://auth.docker.io/token", "service": "registry.docker.io"},
    ),
)


class Party(Value):
    """A server that may ask who we are.

    Attributes:
        url: the server; only its origin counts.
        registry: the registry whose login may be used with it, "" for none: then everything is anonymous.
        path: the repository, for logins that are for a part of a registry (podman).
        homes: hosts that the login belongs to, beside the server's own.
        realms: hosts that the configuration lets see the login.
        tls: as for the server.
    """

    url: Url
    registry: str = ""
    path: str = ""
    homes: tuple[str, ...] = ()
    realms: tuple[str, ...] = ()
    tls: HostTls = HostTls()


class Authenticator:
    """Sends requests to servers that ask who we are; one per process."""

    def __init__(
        self, client: "HttpClient", logins: "Logins", ticks: "Callable[[], float]" = monotonic
    ) -> None:
        self._client, self._logins, self._ticks = client, logins, ticks
        self._challenges: dict[tuple[str, str, int], Challenge] = dict((_HUB,))
        self._tokens: dict[tuple[object, ...], tuple[str, float]] = {}
        self._notes: dict[tuple[str, str], str] = {}
        self._secrets: set[bytes] = set()  # of logins; tokens are in their own table
        self._locks: dict[tuple[object, ...], LockType] = {}

    def ask(self, request: HttpRequest, party: Party, *scopes: str) -> Stream:
        """Send a request, and once more if the server wants to know who we are.

        The answer may still be 401: there is no login, or it is not enough; ``hint`` then says more.

        Raises:
            RefusedError: the realm refuses our login. UnavailableError: no answer, from server or realm.
        """
        origin = party.url.origin
        known = self._challenges.get(origin)
        header = self._header(known, party, scopes) if known else ""
        stream = self._client.stream(_authorized(request, header))
        if stream.status != 401:
            return stream
        try:
            for challenge in _preferred(stream):
                self._forget(challenge, party, scopes, header)
                fresh = self._header(challenge, party, scopes)
                if fresh and fresh != header and isinstance(request.body, bytes):
                    self._challenges[origin] = challenge
                    stream.discard()
                    return self._client.stream(_authorized(request, fresh))
        except BaseException:
            stream.close()
            raise
        return stream

    def ahead(
        self, request: HttpRequest, targets: "Sequence[str]", party: Party, *scopes: str
    ) -> list[Answer]:
        """Put several questions at once, as ``HttpClient.ahead``, with what the server is known to want of us."""
        known = self._challenges.get(party.url.origin)
        try:
            header = self._header(known, party, scopes) if known else ""
        except (RefusedError, UnavailableError):  # told to whoever asks alone
            return []
        return self._client.ahead(_authorized(request, header), targets)

    def ask_anonymously(self, request: HttpRequest) -> Stream:
        """Send a request to a server that is none of the registry's own, with nothing of ours.

        Raises:
            UnavailableError, InputError: as ``HttpClient.stream``.
        """
        return self._client.stream(request)

    def hint(self, party: Party) -> str:
        """Say what to do about a refusal."""
        note = self._notes.get((party.url.host, party.registry))
        return note or (f"docker login {party.registry}" if party.registry else "")

    def redacted(self, content: bytes) -> bytes:
        """Take our secrets out of what a server said, which may repeat what it was sent."""
        tokens = [token.encode() for token, _ in tuple(self._tokens.values()) if token]
        for secret in (*tuple(self._secrets), *tokens):
            content = content.replace(secret, b"***")
        return content

    def _header(self, challenge: Challenge, party: Party, scopes: tuple[str, ...]) -> str:
        if challenge.scheme == "basic":
            login = self._login(party)
            return self._basic(login) if login and login.password else ""
        return self._bearer(challenge, party, scopes)

    def _login(self, party: Party) -> "Login | None":
        """Look the login up; where that fails, go on without and remember why: most images are public."""
        if not party.registry:
            return None
        try:
            login = self._logins.login_for(party.registry, party.path)
        except (UnavailableError, ConfigError, StorageError) as error:
            self._note(party, f"the login for {party.registry} could not be read: {error}")
            return None
        if login:
            self._secrets.update(
                secret.encode() for secret in login.secrets() if len(secret) >= _SHORT_SECRET
            )
        return login

    def _note(self, party: Party, note: str) -> None:
        self._notes[party.url.host, party.registry] = note

    def _basic(self, login: "Login") -> str:
        raw = f"{login.username}:{login.password}".encode()
        encoded = b2a_base64(raw, newline=False)
        self._secrets.add(encoded)
        return "Basic " + encoded.decode("ascii")

    # Tokens -----------------------------------------------------------------------------------------

    def _forget(
        self, challenge: Challenge, party: Party, scopes: tuple[str, ...], header: str
    ) -> None:
        if header.startswith("Bearer "):
            self._tokens.pop(_key(challenge, party, scopes), None)

    def _bearer(self, challenge: Challenge, party: Party, scopes: tuple[str, ...]) -> str:
        key = _key(challenge, party, scopes)
        with self._locks.setdefault(
            key, allocate_lock()
        ):  # one fetch for all threads that want this token
            token, expires = self._tokens.get(key, ("", 0.0))
            if not token or self._ticks() >= expires:
                self._drop_old()
                token, seconds = self._token(challenge, party, scopes)
                self._tokens[key] = (token, self._ticks() + seconds * 0.9)
        return f"Bearer {token}" if token else ""

    def _drop_old(self) -> None:
        """Keep the table small in a process that lives long."""
        if len(self._tokens) < limits.TOKENS:
            return
        now = self._ticks()
        for key, (_, expires) in tuple(self._tokens.items()):
            if expires <= now:
                self._tokens.pop(key, None)
                self._locks.pop(key, None)

    def _token(
        self, challenge: Challenge, party: Party, scopes: tuple[str, ...]
    ) -> tuple[str, float]:
        """Fetch a token and how many seconds it lasts; "" where the realm is none that we would ask."""
        try:
            realm = Url.parse(challenge.parameter("realm"))
        except InputError:
            self._note(party, f"{party.url.authority} names no token server that can be asked")
            return "", 0.0
        if not is_usable(realm, party.url):
            self._note(
                party, f"{party.url.authority} sends logins to {realm.shown}, which is not asked"
            )
            return "", 0.0
        login = self._login_for_realm(realm, party)
        if login and login.registry_token:
            return login.registry_token, float(_LEAST_SECONDS)
        tls = party.tls if realm.origin == party.url.origin else party.tls.without_client()
        service = challenge.parameter("service")
        if login and login.identity_token:
            request = _identity_request(realm, service, scopes, login)
        else:
            request = _token_request(realm, service, scopes, login.username if login else "")
            if login and login.password:
                request = _authorized(request, self._basic(login))
        answer = self._client.request(request.replace(tls=tls))
        return self._granted(answer, party)

    def _login_for_realm(self, realm: Url, party: Party) -> "Login | None":
        login = self._login(party)
        homes = (party.url.host, *party.homes)
        if login and not may_see_login(realm.host, homes, party.realms):
            self._note(
                party,
                f"the login for {party.registry} was not sent to {realm.host}, which {party.url.host} names: "
                f"allow it with `realms: [{realm.host}]` under `registries: {party.registry}:`",
            )
            return None
        return login

    def _granted(self, answer: Answer, party: Party) -> tuple[str, float]:
        where = answer.url.authority
        if answer.status in (400, 401, 403):
            raise RefusedError(
                f"{where} gives no token for {party.registry or party.url.authority}: "
                f"server returned {answer.status}",
                status=answer.status,
                body=self.redacted(answer.content),
                hint=self.hint(party),
            )
        if answer.status != 200:
            raise UnavailableError(
                f"token server {where}: server returned {answer.status}", status=answer.status
            )
        try:
            return _parse_token(answer.content)
        except MalformedError as error:
            raise UnavailableError(f"token server {where}: {error}", code=Code.MALFORMED) from None


def _preferred(stream: Stream) -> list[Challenge]:
    """The challenges that we can answer, tokens before passwords."""
    found = parse_challenges(stream.headers.all("www-authenticate"))
    return sorted(
        (challenge for challenge in found if challenge.scheme in ("bearer", "basic")),
        key=lambda challenge: challenge.scheme == "basic",
    )


def _key(challenge: Challenge, party: Party, scopes: tuple[str, ...]) -> tuple[object, ...]:
    return (
        party.url.origin,
        party.registry,
        party.path,
        challenge.parameter("realm"),
        challenge.parameter("service"),
        scopes,
    )


def _authorized(request: HttpRequest, header: str) -> HttpRequest:
    if not header:
        return request
    return request.replace(headers={**request.headers, "Authorization": header})


def _token_request(realm: Url, service: str, scopes: tuple[str, ...], account: str) -> HttpRequest:
    pairs = [("account", account), ("service", service), *(("scope", scope) for scope in scopes)]
    url = realm.with_query(*((name, value) for name, value in pairs if value))
    return HttpRequest(method="GET", url=url, follow=True, max_bytes=limits.TOKEN_BYTES)


def _identity_request(
    realm: Url, service: str, scopes: tuple[str, ...], login: "Login"
) -> HttpRequest:
    pairs = (
        ("grant_type", "refresh_token"),
        ("service", service),
        ("scope", " ".join(scopes)),
        ("client_id", "countermark"),
        ("refresh_token", login.identity_token),
    )
    return HttpRequest(
        method="POST",
        url=realm,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body="&".join(f"{name}={quote(value)}" for name, value in pairs).encode("ascii"),
        max_bytes=limits.TOKEN_BYTES,
    )


def _parse_token(content: bytes) -> tuple[str, float]:
    reader = Reader(parse(content, max_bytes=limits.TOKEN_BYTES))
    token = ""
    for name in ("token", "access_token"):
        token = token or (reader.text(name) if reader.has(name) else "")
    if not token or not all("!" <= char <= "~" for char in token):
        raise MalformedError("an answer without a token")
    seconds = reader.value("expires_in") if reader.has("expires_in") else None
    lasts = seconds if isinstance(seconds, int) and not isinstance(seconds, bool) else 0
    return token, float(max(lasts, _LEAST_SECONDS))
