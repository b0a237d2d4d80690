"""Issuers over HTTP: documents as they are, tokens for a password, and whom a password is never sent to."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

import servers
from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_connection import Timeouts
from countermark.adapters.http_tls import HostTls
from countermark.adapters.identity_issuer import FetchedDocuments, IdentityIssuer
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    InputError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.proofs import token_keys, tokens

KEY = token_keys.generate()


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(timeouts=Timeouts(connect=5, read=5, answer=10), pause=lambda _: None)
    yield made
    made.close()


# documents ------------------------------------------------------------------------------------------


def test_a_document(client: HttpClient) -> None:
    with servers.Server(servers.always(servers.answer(200, b"{}"))) as server:
        assert FetchedDocuments(client).fetch(f"{server.url}/keys", 10) == b"{}"
        assert server.asked[0].target == "/keys"
        assert server.asked[0].header("accept") == "application/json"


def test_an_issuers_own_ca(client: HttpClient, tmp_path: Path) -> None:
    authority = servers.Authority(tmp_path)
    with servers.Server(
        servers.always(servers.answer(200, b"{}")), tls=authority.context()
    ) as server:
        url = f"https://localhost:{server.port}/"
        documents = FetchedDocuments(client)
        with pytest.raises(UnavailableError, match="unknown authority"):
            documents.fetch(url, 10)
        assert documents.fetch(url, 10, authority.file.read_text()) == b"{}"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, NotFoundError),
        (401, RefusedError),
        (403, RefusedError),
        (500, UnavailableError),
        (302, UnavailableError),
        (204, UnavailableError),
    ],
)
def test_what_is_no_document(
    client: HttpClient, status: int, error: type[CountermarkError]
) -> None:
    elsewhere = [("Location", "http://127.0.0.1:1/")]
    with (
        servers.Server(servers.always(servers.answer(status, b"", elsewhere))) as server,
        pytest.raises(error),
    ):
        FetchedDocuments(client).fetch(server.url, 10)


def test_a_document_that_is_too_long(client: HttpClient) -> None:
    with (
        servers.Server(servers.always(servers.answer(200, b"x" * 11))) as server,
        pytest.raises(MalformedError) as caught,
    ):
        FetchedDocuments(client).fetch(server.url, 10)
    assert caught.value.code == Code.TOO_LARGE


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "http://192.0.2.1/", "ldap://x", "a b"])
def test_places_that_are_not_asked(client: HttpClient, url: str) -> None:
    """An issuer's document is a stranger's: where it leads to is no mistake of the caller's."""
    with pytest.raises(UnavailableError):
        FetchedDocuments(client).fetch(url, 10)


# tokens ---------------------------------------------------------------------------------------------


class FakeIssuer:
    """Answers with documents and tokens; ``token`` and ``about`` change what it says."""

    def __init__(self) -> None:
        self.token_answer: Callable[[str], bytes] = self.good
        self.about: dict[str, object] = {}
        self.server = servers.Server(servers.handling(self._handle))

    @property
    def url(self) -> str:
        return f"{self.server.url}/identity"

    def good(self, issuer: str) -> bytes:
        token = tokens.issue({"iss": issuer}, KEY)
        return servers.answer(200, json.dumps({"id_token": token}).encode())

    def _handle(self, asked: servers.Asked) -> bytes:
        if asked.path == "/identity/.well-known/openid-configuration":
            about = {"issuer": self.url, "token_endpoint": f"{self.url}/token"} | self.about
            return servers.answer(200, json.dumps(about).encode())
        if asked.path == "/identity/token":
            return self.token_answer(self.url)
        return servers.answer(404)


@pytest.fixture
def fake() -> Iterator[FakeIssuer]:
    made = FakeIssuer()
    with made.server:
        yield made


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_token_for_a_password(client: HttpClient, fake: FakeIssuer, slash: str) -> None:
    token = IdentityIssuer(client, fake.url + slash).token("a+b@example.com", "p&=%ä w")
    assert tokens.unverified_claims(token) == {"iss": fake.url}
    sent = fake.server.asked[-1]
    assert sent.header("content-type") == "application/x-www-form-urlencoded"
    assert dict(parse_qsl(sent.body.decode())) == {
        "grant_type": "client_credentials",
        "scope": "openid email",
        "client_id": "a+b@example.com",
        "client_secret": "p&=%ä w",
    }


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (servers.answer(401, b'{"error":"invalid_client"}'), RefusedError),
        (servers.answer(400, b'{"error":"invalid_request"}'), RefusedError),
        (servers.answer(429, b"{}", [("Retry-After", "60")]), UnavailableError),
        (servers.answer(500), UnavailableError),
        (servers.answer(303, b"", [("Location", "/elsewhere")]), UnavailableError),
        (servers.answer(200, b"<html>"), EvidenceError),
        (servers.answer(200, b"{}"), EvidenceError),
        (servers.answer(200, b'{"id_token":"x"}'), EvidenceError),
        (
            servers.answer(
                200, json.dumps({"id_token": tokens.issue({"iss": "https://x"}, KEY)}).encode()
            ),
            EvidenceError,
        ),
    ],
    ids=range(9),
)
def test_what_is_no_token(
    client: HttpClient, fake: FakeIssuer, answer: bytes, error: type[CountermarkError]
) -> None:
    fake.token_answer = lambda _: answer
    with pytest.raises(error) as caught:
        IdentityIssuer(client, fake.url).token("a", "hunter3")
    assert "hunter3" not in f"{caught.value} {caught.value.hint}"
    assert [asked.method for asked in fake.server.asked] == ["GET", "POST"]  # never sent twice


@pytest.mark.parametrize(
    "about",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "https://evil.example/token"},
        {"token_endpoint": "http://localhost:1/token"},
        {"token_endpoint": "/token"},
        {"token_endpoint": None},
    ],
)
def test_a_password_goes_to_the_issuers_own_origin_only(
    client: HttpClient, fake: FakeIssuer, about: dict[str, object]
) -> None:
    fake.about = about
    with pytest.raises(UnavailableError):
        IdentityIssuer(client, fake.url).token("a", "b")
    assert [asked.method for asked in fake.server.asked] == ["GET"]


def test_a_password_does_not_go_to_another_server(client: HttpClient, fake: FakeIssuer) -> None:
    token = json.dumps({"id_token": tokens.issue({"iss": fake.url}, KEY)}).encode()
    with servers.Server(servers.always(servers.answer(200, token))) as other:
        fake.about = {"token_endpoint": f"{other.url}/token"}
        with pytest.raises(UnavailableError):
            IdentityIssuer(client, fake.url).token("a", "b")
        assert other.asked == []


def test_no_issuer_there(client: HttpClient, fake: FakeIssuer) -> None:
    with pytest.raises(NotFoundError):
        IdentityIssuer(client, fake.server.url).token("a", "b")
    with pytest.raises(InputError) as caught:
        IdentityIssuer(client, "http://192.0.2.1/identity").token("a", "b")
    assert caught.value.code == Code.INSECURE


def test_over_tls_with_its_ca(client: HttpClient, tmp_path: Path) -> None:
    authority = servers.Authority(tmp_path)
    made: list[str] = []

    def handle(asked: servers.Asked) -> bytes:
        url = made[0]
        if asked.method == "GET":
            about = {"issuer": url, "token_endpoint": f"{url}/token"}
            return servers.answer(200, json.dumps(about).encode())
        body = json.dumps({"id_token": tokens.issue({"iss": url}, KEY)}).encode()
        return servers.answer(200, body)

    with servers.Server(servers.handling(handle), tls=authority.context()) as server:
        made.append(f"https://localhost:{server.port}")
        tls = HostTls(ca_files=(str(authority.file),))
        assert IdentityIssuer(client, made[0], tls).token("a", "b")
        with pytest.raises(UnavailableError, match="unknown authority"):
            IdentityIssuer(client, made[0]).token("a", "b")
