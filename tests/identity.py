"""Our issuer in memory: keys, accounts, a clock, a browser of sorts; shared by tests of it and of who believes it."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qsl, urlencode, urlsplit

import bcrypt

from countermark.core.errors import Code, NotFoundError, StorageError
from countermark.core.ports_hosting import Request, Response
from countermark.core.ports_sigstore import Account
from countermark.services.identity_provider.people import People
from countermark.services.identity_provider.provider import IdentityProvider
from countermark.services.identity_provider.settings import Settings

ISSUER = "https://trust.example.com/identity"
ALICE, PASSWORD = "alice@example.com", "correct horse battery"
ROBOT, SECRET = "build@ci.example.com", "a secret of programs"
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
# RFC 7636, appendix B
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
CALLBACK = "http://localhost:41234/auth/callback"
OOB = "urn:ietf:wg:oauth:2.0:oob"
FORM = "application/x-www-form-urlencoded"


def hashed(password: str) -> str:
    """Bcrypt at its cheapest."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class MemoryServiceKeys:
    """Private keys of services (port ``ServiceKeys``)."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.full = False

    def names(self) -> Sequence[str]:
        return sorted(self.kept)

    def get(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def put(self, name: str, private: bytes) -> None:
        if self.full:
            raise StorageError("no space left", code=Code.NO_SPACE)
        assert name not in self.kept
        self.kept[name] = private


class MemoryUsers:
    """Accounts (port ``UserStore``)."""

    def __init__(self, *accounts: Account) -> None:
        self.kept = {account.name: account for account in accounts}

    def accounts(self) -> Sequence[Account]:
        return [self.kept[name] for name in sorted(self.kept)]

    def put(self, account: Account, *, replace: bool = False) -> bool:
        same = [name for name in self.kept if name.lower() == account.name.lower()]
        if same and (same != [account.name] or not replace):
            return False
        self.kept[account.name] = account
        return True

    def remove(self, name: str) -> bool:
        return self.kept.pop(name, None) is not None


def users() -> MemoryUsers:
    return MemoryUsers(
        Account(name=ALICE, password_hash=hashed(PASSWORD)),
        Account(name=ROBOT, password_hash=hashed(SECRET), is_program=True),
    )


class Documents:
    """Documents of issuers (port ``IssuerDocuments``); ``asked`` is what was fetched."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.files: dict[str, bytes | Exception] = dict(files or {})
        self.asked: list[str] = []
        self.believed: list[str] = []

    def fetch(self, url: str, max_bytes: int, ca_certificates: str = "") -> bytes:
        self.asked.append(url)
        self.believed.append(ca_certificates)
        found = self.files.get(url)
        if isinstance(found, Exception):
            raise found
        if found is None:
            raise NotFoundError(f"{url}: HTTP status 404", status=404)
        assert len(found) <= max_bytes
        return found


class Body:
    """A request's body."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, max_bytes: int) -> bytes:
        from countermark.core.errors import InputError

        if len(self.content) > max_bytes:
            raise InputError("too large", code=Code.TOO_LARGE)
        return self.content

    def chunks(self):  # type: ignore[no-untyped-def]
        yield self.content


class Issuer:
    """Our issuer, and ways to ask it."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        accounts: MemoryUsers | None = None,
        htpasswd: str = "",
    ) -> None:
        self.clock = Time()
        self.keys = MemoryServiceKeys()
        self.users = accounts or users()
        self.settings = settings or Settings(issuer=ISSUER)
        people = People(self.users, self.clock, b"secret", lambda: htpasswd)
        self.provider = IdentityProvider(
            self.settings, self.keys, people, self.clock, b"another secret"
        )

    def ask(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        client: str = "192.0.2.1",
    ) -> Response:
        full = urlsplit(self.settings.issuer).path + path
        assert self.provider.serves(full), full
        return self.provider.answer(
            Request(
                method=method,
                path=full,
                query=query,
                headers=dict(headers or {}),
                body=Body(body),
                client=client,
            )
        )

    def post(
        self,
        path: str,
        fields: Mapping[str, str] | Sequence[tuple[str, str]],
        headers: Mapping[str, str] | None = None,
        client: str = "192.0.2.1",
    ) -> Response:
        return self.ask(
            "POST",
            path,
            headers={"content-type": FORM, **(headers or {})},
            body=urlencode(fields).encode(),
            client=client,
        )


def request_of_cosign(**changes: str) -> dict[str, str]:
    """The parameters with which cosign opens the page."""
    fields = {
        "access_type": "online",
        "client_id": "sigstore",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "nonce": "a-nonce",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid email",
        "state": "a-state",
    }
    return {name: value for name, value in {**fields, **changes}.items() if value}


class Browser:
    """Keeps cookies, reads the page, fills the form in; its ``page`` is the last one."""

    def __init__(self, issuer: Issuer, address: str = "192.0.2.1") -> None:
        self.issuer, self.address = issuer, address
        self.cookies: dict[str, str] = {}
        self.page = ""
        self.answer = Response(status=0)

    def open(self, path: str, **fields: str) -> Response:
        return self._took(
            self.issuer.ask("GET", path, urlencode(fields), self._headers(), client=self.address)
        )

    def send(self, path: str, headers: Mapping[str, str] | None = None, **fields: str) -> Response:
        """Send a form with what is hidden in the page."""
        hidden = re.search(r'name="request" value="([^"]*)"', self.page)
        given = {"request": unescape(hidden[1])} if hidden else {}
        given |= {"decision": "allow"} | fields
        sent = {**self._headers(), **(headers or {})}
        return self._took(self.issuer.post(path, given, sent, self.address))

    def sign_in(
        self, path: str = "/sign-in", name: str = ALICE, password: str = PASSWORD
    ) -> Response:
        return self.send(path, name=name, password=password)

    def _headers(self) -> dict[str, str]:
        if not self.cookies:
            return {}
        return {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def _took(self, answer: Response) -> Response:
        for name, value in answer.headers:
            if name == "Set-Cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        assert isinstance(answer.body, bytes)
        self.answer = answer
        if header(answer, "content-type").startswith("text/html"):
            self.page = answer.body.decode()
        return answer


def header(answer: Response, name: str) -> str:
    return next((value for key, value in answer.headers if key.lower() == name.lower()), "")


def redirected(answer: Response) -> dict[str, str]:
    """The parameters of the place that a browser is sent back to."""
    assert answer.status == 303, answer
    place = urlsplit(header(answer, "location"))
    return dict(parse_qsl(place.query, strict_parsing=True))
