"""Challenges and tokens, and that logins go nowhere else."""

import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator

import pytest

from countermark.adapters.docker_config import Login
from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_url import Url
from countermark.adapters.registry_auth import Authenticator, Party
from countermark.core.errors import Code, RefusedError, UnavailableError
from servers import Asked, Server, always, answer, handling

SCOPE = "repository:x:pull"
ALICE = Login(username="alice", password="hunter2")
BASIC = "Basic " + b64encode(b"alice:hunter2").decode()


class Table:
    """Logins from a table; counts how often it is asked."""

    def __init__(self, logins: dict[str, Login | Exception]) -> None:
        self._logins = logins
        self.asked: list[str] = []

    def login_for(self, registry: str, path: str = "") -> Login | None:
        self.asked.append(registry)
        found = self._logins.get(registry)
        if isinstance(found, Exception):
            raise found
        return found


class World:
    """An authenticator with its clock, and a party."""

    def __init__(self) -> None:
        self.client = HttpClient(pause=lambda _: None)
        self.now = 0.0
        self.table = Table({})

    def authenticator(self, login: Login | Exception | None = None) -> Authenticator:
        self.table = Table({} if login is None else {"a.test": login})
        return Authenticator(self.client, self.table, lambda: self.now)  # type: ignore[arg-type]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.client.close()


def party(server: Server, registry: str = "a.test", **more: object) -> Party:
    fields: dict[str, object] = {"url": Url.parse(server.url), "registry": registry}
    return Party(**(fields | more))  # type: ignore[arg-type]


def ask(found: Authenticator, who: Party, *scopes: str, path: str = "/v2/") -> tuple[int, bytes]:
    request = HttpRequest(method="GET", url=who.url.replace(target=path))
    stream = found.ask(request, who, *(scopes or (SCOPE,)))
    return stream.status, stream.read()


def token(text: str, **more: object) -> bytes:
    return answer(200, json.dumps({"token": text, **more}).encode())


def guarded(challenge: str, *good: str) -> Callable[[Asked], bytes]:
    """A server that answers only to an Authorization."""

    def handle(asked: Asked) -> bytes:
        if asked.header("authorization") in good:
            return answer(200, b"in")
        return answer(401, b"out", [("WWW-Authenticate", challenge)])

    return handle


def bearer(realm: Server, service: str = "registry.test") -> str:
    return f'Bearer realm="{realm.url}/token",service="{service}",scope="repository:other:push"'


# Basic --------------------------------------------------------------------------------------------


def test_basic(world: World) -> None:
    with Server(handling(guarded('Basic realm="x"', BASIC))) as server:
        found = world.authenticator(ALICE)
        for _ in range(2):
            assert ask(found, party(server)) == (200, b"in")
    assert [asked.header("authorization") for asked in server.asked] == ["", BASIC, BASIC]


@pytest.mark.parametrize("login", [None, Login(identity_token="t"), Login(username="alice")])
def test_basic_without_a_password_stays_refused(world: World, login: Login | None) -> None:
    with Server(handling(guarded('Basic realm="x"', BASIC))) as server:
        assert ask(world.authenticator(login), party(server)) == (401, b"out")
    assert len(server.asked) == 1


def test_a_wrong_password_is_sent_once(world: World) -> None:
    with Server(handling(guarded("Basic", "Basic other"))) as server:
        found = world.authenticator(ALICE)
        assert ask(found, party(server)) == (401, b"out")
        assert found.hint(party(server)) == "docker login a.test"
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "challenge", ["", "Negotiate", "Bearer", 'Bearer realm="not a url"', "\x80"]
)
def test_challenges_that_cannot_be_met(world: World, challenge: str) -> None:
    with Server(handling(guarded(challenge, "x"))) as server:
        assert ask(world.authenticator(ALICE), party(server)) == (401, b"out")
    assert len(server.asked) == 1


def test_public_things_never_read_the_login(world: World) -> None:
    with Server(always(answer(200, b"in"))) as server:
        assert ask(world.authenticator(ALICE), party(server)) == (200, b"in")
    assert world.table.asked == []


# Tokens -------------------------------------------------------------------------------------------


def test_a_token_for_the_login(world: World) -> None:
    with (
        Server(always(token("t1"))) as realm,
        Server(handling(guarded(bearer(realm), "Bearer t1"))) as server,
    ):
        found = world.authenticator(ALICE)
        for _ in range(3):
            assert ask(found, party(server)) == (200, b"in")
    (asked,) = realm.asked
    assert asked.target == (
        "/token?account=alice&service=registry.test&scope=repository%3Ax%3Apull"
    )
    assert asked.header("authorization") == BASIC
    assert [each.header("authorization") for each in server.asked] == ["", *["Bearer t1"] * 3]


def test_an_anonymous_token(world: World) -> None:
    with (
        Server(always(token("t1"))) as realm,
        Server(handling(guarded(bearer(realm), "Bearer t1"))) as server,
    ):
        assert ask(world.authenticator(), party(server)) == (200, b"in")
    (asked,) = realm.asked
    assert asked.target == "/token?service=registry.test&scope=repository%3Ax%3Apull"
    assert asked.header("authorization") == ""


def test_several_scopes(world: World) -> None:
    with (
        Server(always(token("t1"))) as realm,
        Server(handling(guarded(bearer(realm), "Bearer t1"))) as server,
    ):
        ask(world.authenticator(), party(server), "repository:a:push", "repository:b:pull")
    assert realm.asked[0].target.endswith(
        "&scope=repository%3Aa%3Apush&scope=repository%3Ab%3Apull"
    )


def test_an_identity_token_is_posted(world: World) -> None:
    with (
        Server(always(token("t1"))) as realm,
        Server(handling(guarded(bearer(realm, "s&s"), "Bearer t1"))) as server,
    ):
        found = world.authenticator(Login(username="a", identity_token="re fresh"))
        assert ask(found, party(server)) == (200, b"in")
    (asked,) = realm.asked
    assert (asked.method, asked.target) == ("POST", "/token")
    assert asked.header("content-type") == "application/x-www-form-urlencoded"
    assert asked.body.decode() == (
        "grant_type=refresh_token&service=s%26s&scope=repository%3Ax%3Apull"
        "&client_id=countermark&refresh_token=re%20fresh"
    )
    assert asked.header("authorization") == ""


def test_a_registry_token_is_used_as_it_is(world: World) -> None:
    with (
        Server(always(token("t1"))) as realm,
        Server(handling(guarded(bearer(realm), "Bearer mine"))) as server,
    ):
        found = world.authenticator(Login(registry_token="mine"))
        assert ask(found, party(server)) == (200, b"in")
    assert realm.asked == []


def test_bearer_comes_before_basic(world: World) -> None:
    with Server(always(token("t1"))) as realm:
        challenge = f'Basic realm="x", {bearer(realm)}'
        with Server(handling(guarded(challenge, "Bearer t1"))) as server:
            assert ask(world.authenticator(ALICE), party(server)) == (200, b"in")
    assert BASIC not in [asked.header("authorization") for asked in server.asked]


def test_tokens_are_per_scope(world: World) -> None:
    with (
        Server(always(token("t1"))) as realm,
        Server(handling(guarded(bearer(realm), "Bearer t1"))) as server,
    ):
        found = world.authenticator()
        for scope in ("repository:a:pull", "repository:b:pull", "repository:a:pull"):
            assert ask(found, party(server), scope) == (200, b"in")
    assert len(realm.asked) == 2
    assert len(server.asked) == 4  # only the first request had to be refused


@pytest.mark.parametrize(
    ("more", "seconds", "fetched"),
    [
        ({}, 50, 1),
        ({}, 61, 2),
        ({"expires_in": 300}, 200, 1),
        ({"expires_in": 300}, 301, 2),
        ({"expires_in": 1}, 50, 1),
        ({"expires_in": -5}, 50, 1),
        ({"expires_in": True}, 50, 1),
        ({"expires_in": "3600"}, 61, 2),
        ({"expires_in": None}, 61, 2),
    ],
)
def test_tokens_are_kept_until_they_expire(
    world: World, more: dict[str, object], seconds: float, fetched: int
) -> None:
    with (
        Server(always(token("t1", **more))) as realm,
        Server(handling(guarded(bearer(realm), "Bearer t1"))) as server,
    ):
        found = world.authenticator()
        ask(found, party(server))
        world.now += seconds
        assert ask(found, party(server)) == (200, b"in")
    assert len(realm.asked) == fetched


def test_a_token_that_is_refused_is_fetched_anew_once(world: World) -> None:
    with (
        Server(always(token("old"), token("new"), token("newer"))) as realm,
        Server(handling(guarded(bearer(realm), "Bearer new"))) as server,
    ):
        found = world.authenticator()
        assert ask(found, party(server)) == (401, b"out")
        assert ask(found, party(server)) == (200, b"in")
    assert len(realm.asked) == 2


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_both_names_of_a_token(world: World, name: str) -> None:
    with (
        Server(always(answer(200, json.dumps({name: "t1", "x": [1]}).encode()))) as realm,
        Server(handling(guarded(bearer(realm), "Bearer t1"))) as server,
    ):
        assert ask(world.authenticator(), party(server)) == (200, b"in")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[]",
        b'{"token": ""}',
        b'{"token": 5}',
        b'{"token": "a b"}',
        b'{"token": "a\\r\\nX: y"}',
        b'{"token": "\\u00e4"}',
    ],
)
def test_what_is_no_token(world: World, body: bytes) -> None:
    with (
        Server(always(answer(200, body))) as realm,
        Server(handling(guarded(bearer(realm), "x"))) as server,
        pytest.raises(UnavailableError, match="token server") as caught,
    ):
        ask(world.authenticator(), party(server))
    assert caught.value.code == Code.MALFORMED


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_realm_that_refuses_the_login(world: World, status: int) -> None:
    with (
        Server(always(answer(status, b"hunter2 is wrong, and so is " + BASIC.encode()))) as realm,
        Server(handling(guarded(bearer(realm), "x"))) as server,
        pytest.raises(RefusedError) as caught,
    ):
        ask(world.authenticator(ALICE), party(server))
    assert caught.value.status == status
    assert caught.value.code == Code.REFUSED
    assert caught.value.hint == "docker login a.test"
    assert b"hunter2" not in caught.value.body
    assert BASIC[6:].encode() not in caught.value.body


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_a_realm_in_trouble(world: World, status: int) -> None:
    with (
        Server(always(answer(status, b""))) as realm,
        Server(handling(guarded(bearer(realm), "x"))) as server,
        pytest.raises(UnavailableError) as caught,
    ):
        ask(world.authenticator(), party(server))
    assert caught.value.status == status


def test_threads_that_want_the_same_token_fetch_it_once(world: World) -> None:
    with (
        Server(always(token("t1"))) as realm,
        Server(handling(guarded(bearer(realm), "Bearer t1"))) as server,
    ):
        found = world.authenticator()
        results: list[tuple[int, bytes]] = []
        threads = [
            threading.Thread(target=lambda: results.append(ask(found, party(server))))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [(200, b"in")] * 8
    assert len(realm.asked) == 1


# Where logins do not go ---------------------------------------------------------------------------


def test_a_login_is_not_for_another_realm(world: World) -> None:
    """The realm of a server that is not loopback, elsewhere: only an anonymous token is asked for."""
    with (
        Server(always(token("t1"))) as realm,
        Server(handling(guarded(bearer(realm), "Bearer t1"))) as server,
    ):
        found = world.authenticator(ALICE)
        who = party(server, homes=("a.test",))
        elsewhere = found._login_for_realm(Url.parse("https://evil.test/token"), who)  # rule only
        assert elsewhere is None
        assert "was not sent to evil.test" in found.hint(who)
        assert "realms: [evil.test]" in found.hint(who)
        allowed = party(server, realms=("evil.test",))
        assert found._login_for_realm(Url.parse("https://evil.test/token"), allowed) == ALICE


@pytest.mark.parametrize(
    "realm", ["http://auth.test/token", "ftp://127.0.0.1/", "https://u:p@a.test/"]
)
def test_a_realm_that_must_not_be_asked(world: World, realm: str) -> None:
    with Server(handling(guarded(f'Bearer realm="{realm}"', "x"))) as server:
        found = world.authenticator(ALICE)
        assert ask(found, party(server)) == (401, b"out")
        assert found.hint(party(server)) != "docker login a.test"
    assert world.table.asked == []


def test_a_realm_that_redirects_does_not_hand_the_login_on(world: World) -> None:
    with Server(always(token("t1"))) as other:
        moved = answer(307, b"", [("Location", f"{other.url}/token")])
        with (
            Server(always(moved)) as realm,
            Server(handling(guarded(bearer(realm), "Bearer t1"))) as server,
        ):
            assert ask(world.authenticator(ALICE), party(server)) == (200, b"in")
    assert realm.asked[0].header("authorization") == BASIC
    assert other.asked[0].header("authorization") == ""


def test_nobody_is_nobody(world: World) -> None:
    with Server(handling(guarded("Basic", BASIC))) as server:
        found = world.authenticator(ALICE)
        assert ask(found, party(server, registry="")) == (401, b"out")
        assert found.hint(party(server, registry="")) == ""
    assert world.table.asked == []


def test_a_login_that_cannot_be_read_is_said_when_it_matters(world: World) -> None:
    trouble = UnavailableError("error getting credentials: docker-credential-x ended with status 1")
    with Server(handling(guarded("Basic", "x"))) as server:
        found = world.authenticator(trouble)
        assert ask(found, party(server)) == (401, b"out")
        assert "docker-credential-x ended with status 1" in found.hint(party(server))


def test_what_servers_repeat_is_redacted(world: World) -> None:
    with (
        Server(always(token("tokentoken"))) as realm,
        Server(handling(guarded(bearer(realm), "Bearer tokentoken"))) as server,
    ):
        found = world.authenticator(ALICE)
        ask(found, party(server))
    assert found.redacted(b"you sent tokentoken and hunter2") == b"you sent *** and ***"


def test_a_body_that_can_be_read_once_is_not_sent_twice(world: World) -> None:
    with Server(handling(guarded("Basic", BASIC))) as server:
        found = world.authenticator(ALICE)
        request = HttpRequest(
            method="PUT", url=Url.parse(server.url), body=iter((b"abc",)), length=3
        )
        stream = found.ask(request, party(server), SCOPE)
        assert stream.status == 401
        stream.close()
    assert len(server.asked) == 1
