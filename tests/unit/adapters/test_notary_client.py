"""The client of a Notary v1 server, against a server that answers anything."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest

from countermark.adapters.docker_config import CaFolders, Login
from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_tls import SystemRoots
from countermark.adapters.multipart import encode_files
from countermark.adapters.notary import NotaryServers
from countermark.adapters.registry_auth import Authenticator
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.core.reference import ImageReference, Repository
from servers import Asked, Authority, Server, always, answer, closed_port, handling

GUN = "localhost:5000/team/app"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


class Table:
    def __init__(self, logins: dict[str, Login]) -> None:
        self._logins = logins

    def login_for(self, registry: str, path: str = "") -> Login | None:
        return self._logins.get(registry)


class World:
    def __init__(self, authority: Authority, folder: Path) -> None:
        self.authority, self.folder = authority, folder
        self.client = HttpClient(SystemRoots(folders=("/nonexistent",)), pause=lambda _: None)
        self.logins: dict[str, Login] = {}

    def believe(self, server: Server) -> None:
        """Put the CA where docker wants it."""
        place = self.folder / "tls" / server.address
        place.mkdir(parents=True)
        (place / "ca.crt").write_bytes(self.authority.file.read_bytes())

    def servers(self, url: str = "") -> NotaryServers:
        login = Table(self.logins)
        authenticator = Authenticator(self.client, login)  # type: ignore[arg-type]
        return NotaryServers(authenticator, CaFolders([str(self.folder / "tls")]), url)


@pytest.fixture
def world(authority: Authority, tmp_path: Path) -> Iterator[World]:
    made = World(authority, tmp_path)
    yield made
    made.client.close()


def repository(text: str = GUN) -> Repository:
    return ImageReference.parse(text).repository


# Which server -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("configured", "url", "reference", "address"),
    [
        ("", "", "alpine", "notary.docker.io"),
        ("", "", "a.test/x", "a.test"),
        ("", "", "a.test:5000/x", "a.test:5000"),
        ("https://notary.test:4443", "", "alpine", "notary.test:4443"),
        ("https://notary.test:4443", "https://other.test", "alpine", "other.test"),
        ("HTTPS://notary.test/prefix/", "", "alpine", "notary.test"),
    ],
)
def test_the_server_that_docker_would_ask(
    world: World, configured: str, url: str, reference: str, address: str
) -> None:
    assert world.servers(configured).server_for(repository(reference), url).address == address


@pytest.mark.parametrize(
    "url", ["http://localhost:4443", "localhost:4443", "ftp://a.test", "notary", "http://127.0.0.1"]
)
def test_only_https_is_a_trust_server(world: World, url: str) -> None:
    with pytest.raises(InputError) as caught:
        world.servers(url).server_for(repository())
    assert str(caught.value) == f"valid https URL required for trust server, got {url}"
    assert caught.value.code == Code.BAD_INPUT


# Reading ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/", "/trust", "/trust/"])
def test_fetch(world: World, authority: Authority, prefix: str) -> None:
    fields = [("Last-Modified", "Sun, 22 Nov 2026 06:46:40 +0000")]
    with Server(always(answer(200, b"{}", fields)), tls=authority.context()) as server:
        world.believe(server)
        found = world.servers(server.url + prefix).server_for(repository())
        for name in ("timestamp", "targets/releases." + "a" * 64, "2.root"):
            fetched = found.fetch(GUN, name, 100)
            assert fetched.content == b"{}"
            assert fetched.modified == datetime(2026, 11, 22, 6, 46, 40, tzinfo=UTC)
        assert server.connections == 1
    base = prefix.rstrip("/") + "/v2/localhost:5000/team/app/_trust/tuf/"
    assert [asked.target for asked in server.asked] == [
        f"{base}timestamp.json",
        f"{base}targets/releases.{'a' * 64}.json",
        f"{base}2.root.json",
    ]


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (
            404,
            NotFoundError,
            "root trust data unavailable.  Has a notary repository been initialized?",
        ),
        (400, RefusedError, "trust server rejected operation."),
        (
            401,
            RefusedError,
            "you are not authorized to perform this operation: server returned 401.",
        ),
        (403, RefusedError, "unable to reach trust server at this time: 403."),
        (500, UnavailableError, "unable to reach trust server at this time: 500."),
        (503, UnavailableError, "unable to reach trust server at this time: 503."),
        (201, UnavailableError, "unable to reach trust server at this time: 201."),
        (204, UnavailableError, "unable to reach trust server at this time: 204."),
        (301, UnavailableError, "unable to reach trust server at this time: 301."),
        (429, UnavailableError, "unable to reach trust server at this time: 429."),
    ],
)
def test_statuses(
    world: World, authority: Authority, status: int, kind: type[CountermarkError], message: str
) -> None:
    raw = answer(status, b"", [("Location", "/elsewhere")], length=status != 204)
    with Server(always(raw), tls=authority.context()) as server:
        world.believe(server)
        with pytest.raises(kind) as caught:
            world.servers(server.url).server_for(repository()).fetch(GUN, "root", 100)
    assert str(caught.value) == message
    assert getattr(caught.value, "status", None) == status
    assert type(caught.value) is kind
    assert {asked.path for asked in server.asked} == {f"/v2/{GUN}/_trust/tuf/root.json"}


@pytest.mark.parametrize("length", [True, False])
def test_more_than_announced(world: World, authority: Authority, length: bool) -> None:
    raw = answer(200, b"x" * 101, [("Connection", "close")], length=length)
    if not length:
        raw = answer(200, b"", [("Transfer-Encoding", "chunked")], length=False)
        raw += b"65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n"
    with Server(always(raw), tls=authority.context()) as server:
        world.believe(server)
        with pytest.raises(
            MalformedError, match=r"trust server returned a bad response\."
        ) as caught:
            world.servers(server.url).server_for(repository()).fetch(GUN, "root", 100)
    assert caught.value.code == Code.TOO_LARGE


@pytest.mark.parametrize("name", ["../../x", "targets//x", "", "targets/../root"])
def test_names_that_lead_elsewhere(world: World, name: str) -> None:
    found = world.servers("https://127.0.0.1:1").server_for(repository())
    with pytest.raises(InputError):
        found.fetch(GUN, name, 100)
    with pytest.raises(InputError):
        found.fetch(name, "root", 100)


def test_a_server_that_is_down(world: World) -> None:
    port = closed_port()
    found = world.servers(f"https://127.0.0.1:{port}").server_for(repository())
    with pytest.raises(UnavailableError) as caught:
        found.fetch(GUN, "root", 100)
    assert str(caught.value) == f"dial tcp 127.0.0.1:{port}: connect: connection refused"


def test_tls_is_verified_also_where_the_registry_is_loopback(
    world: World, authority: Authority
) -> None:
    """docker verifies nothing here (specs: notary v1, 6, number 27)."""
    with (
        Server(always(answer(200)), tls=authority.context()) as server,
        pytest.raises(UnavailableError, match="certificate signed by unknown authority"),
    ):
        world.servers(server.url).server_for(repository()).fetch(GUN, "root", 100)
    assert server.asked == []


# Writing ------------------------------------------------------------------------------------------


def test_server_keys(world: World, authority: Authority) -> None:
    with Server(always(answer(200, b"key")), tls=authority.context()) as server:
        world.believe(server)
        found = world.servers(server.url).server_for(repository())
        assert found.server_key(GUN, "timestamp") == b"key"
        assert found.server_key(GUN, "snapshot", rotate=True) == b"key"
        found.delete(GUN)
    base = f"/v2/{GUN}/_trust/tuf/"
    assert list(map(repr, server.asked)) == [
        f"GET {base}timestamp.key",
        f"POST {base}snapshot.key",
        f"DELETE {base}",
    ]


def parts(content_type: str, body: bytes) -> list[tuple[str, str, str, bytes]]:
    """Read a multipart body with another parser than ours."""
    raw = f"Content-Type: {content_type}\r\n\r\n".encode() + body
    message = BytesParser().parsebytes(raw)
    found = []
    for part in message.get_payload():
        assert isinstance(part, Message)
        disposition = part["content-disposition"]
        name = part.get_param("name", header="content-disposition")
        filename = disposition.rpartition('filename="')[2].rstrip('"')
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        found.append((str(name), filename, part.get_content_type(), payload))
    return found


def test_publish(world: World, authority: Authority) -> None:
    files = {"root": b'{"a":1}', "targets": b"{}", "targets/releases": b"--countermark-000000"}
    with Server(always(answer(200)), tls=authority.context()) as server:
        world.believe(server)
        world.servers(server.url).server_for(repository()).publish(GUN, files)
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", f"/v2/{GUN}/_trust/tuf/")
    kind = "application/octet-stream"
    assert parts(asked.header("content-type"), asked.body) == [
        ("files", name, kind, content) for name, content in files.items()
    ]


@pytest.mark.parametrize("content", [b"", b"\r\n", b"--countermark-000000--", b"\r\n--x\r\n\r\n"])
def test_no_boundary_occurs_in_a_file(content: bytes) -> None:
    content_type, body = encode_files({"root": content, "targets": b"--countermark-000001"})
    boundary = content_type.rpartition("=")[2].encode()
    assert body.count(b"--" + boundary) == 3
    assert encode_files({"root": content, "targets": b"--countermark-000001"}) == (
        content_type,
        body,
    )


@pytest.mark.parametrize("name", ["", 'a"b', "a\r\nb", "a\\b", "a\0"])
def test_names_of_files_that_are_none(name: str) -> None:
    with pytest.raises(InputError) as caught:
        encode_files({name: b""})
    assert caught.value.code == Code.BAD_INPUT


def refusal(code: str, detail: object) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": "m", "detail": detail}]}).encode()


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (
            refusal("INVALID_UPDATE", {"Name": "ErrBadTargets", "Error": {"Msg": "xyz"}}),
            "The targets metadata is invalid: xyz",
            Code.REFUSED,
        ),
        (
            refusal("INVALID_UPDATE", {"Name": "ErrBadRoot", "Error": {"Msg": "a\x1b[2Jb"}}),
            "The root metadata is invalid: a\\x1b[2Jb",
            Code.REFUSED,
        ),
        (
            refusal(
                "INVALID_UPDATE",
                {"Name": "ErrBadHierarchy", "Error": {"Missing": "snapshot", "Msg": "no"}},
            ),
            "Metadata hierarchy is incomplete: no",
            Code.REFUSED,
        ),
        (refusal("VERSION", {}), "trust server rejected operation.", Code.VERSION_CONFLICT),
        (refusal("INVALID_UPDATE", None), "trust server rejected operation.", Code.REFUSED),
        (refusal("X", {"Name": "ErrOther"}), "trust server rejected operation.", Code.REFUSED),
        (b"", "trust server rejected operation.", Code.REFUSED),
        (b"<html>", "trust server rejected operation.", Code.REFUSED),
        (b'{"errors": []}', "trust server rejected operation.", Code.REFUSED),
        (
            refusal("INVALID_UPDATE", {"Name": "ErrBadRoot", "Error": {"Msg": "x" * 2000}}),
            "trust server rejected operation.",
            Code.REFUSED,
        ),
    ],
)
def test_why_an_update_was_refused(
    world: World, authority: Authority, body: bytes, message: str, code: Code
) -> None:
    with Server(always(answer(400, body)), tls=authority.context()) as server:
        world.believe(server)
        with pytest.raises(RefusedError) as caught:
            world.servers(server.url).server_for(repository()).publish(GUN, {"root": b"{}"})
    assert (str(caught.value), caught.value.code) == (message, code)
    assert (caught.value.status, caught.value.body) == (400, body[:1024])
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [201, 204, 409, 500, 502, 503])
def test_a_publish_is_good_with_200_only_and_never_sent_twice(
    world: World, authority: Authority, status: int
) -> None:
    with Server(always(answer(status, length=status != 204)), tls=authority.context()) as server:
        world.believe(server)
        with pytest.raises(CountermarkError, match=f"at this time: {status}"):
            world.servers(server.url).server_for(repository()).publish(GUN, {"root": b"{}"})
    assert len(server.asked) == 1


def test_a_publish_to_nowhere(world: World, authority: Authority) -> None:
    with Server(always(answer(404)), tls=authority.context()) as server:
        world.believe(server)
        with pytest.raises(NotFoundError) as caught:
            world.servers(server.url).server_for(repository()).publish(GUN, {"root": b"{}"})
    assert str(caught.value) == (
        "POST metadata endpoint trust data unavailable.  Has a notary repository been initialized?"
    )


# Who we are ---------------------------------------------------------------------------------------


def tokens(asked: Asked) -> bytes:
    """A trust server and its realm in one."""
    if asked.path == "/token":
        return answer(200, json.dumps({"token": asked.target.partition("scope=")[2]}).encode())
    if asked.header("authorization").startswith("Bearer "):
        return answer(200, b"{}")
    host = asked.header("host")
    challenge = f'Bearer realm="https://{host}/token",service="notary"'
    return answer(401, b"{}", [("WWW-Authenticate", challenge)])


def test_scopes(world: World, authority: Authority) -> None:
    world.logins["localhost:5000"] = Login(username="alice", password="hunter2")
    with Server(handling(tokens), tls=authority.context()) as server:
        world.believe(server)
        found = world.servers(server.url).server_for(repository())
        found.fetch(GUN, "root", 100)
        found.fetch(GUN, "timestamp", 100)
        found.server_key(GUN, "timestamp")
        found.publish(GUN, {"root": b"{}"})
        found.server_key(GUN, "timestamp", rotate=True)
        found.delete(GUN)
    asked = [each for each in server.asked if each.path == "/token"]
    scope = "repository%3Alocalhost%3A5000%2Fteam%2Fapp%3A"
    assert [each.target.rpartition("scope=")[2] for each in asked] == [
        f"{scope}pull",
        f"{scope}push%2Cpull",
        f"{scope}%2A",
    ]
    assert all("account=alice" in each.target for each in asked)
    assert all(each.header("authorization").startswith("Basic ") for each in asked)
    assert sum(each.method == "POST" and each.path.endswith("/tuf/") for each in server.asked) == 1


@pytest.mark.parametrize("configured", [True, False])
def test_the_registrys_own_and_the_configured_server_see_the_login(
    world: World, authority: Authority, configured: bool
) -> None:
    with Server(handling(tokens), tls=authority.context()) as server:
        world.believe(server)
        name = "registry.test" if configured else server.address
        world.logins[name] = Login(username="alice", password="hunter2")
        servers = world.servers(server.url if configured else "")
        servers.server_for(repository(f"{name}/team/app")).fetch(GUN, "root", 100)
    asked = next(each for each in server.asked if each.path == "/token")
    assert asked.header("authorization").startswith("Basic ")


def test_another_registrys_login_is_not_sent(world: World, authority: Authority) -> None:
    world.logins["other.test"] = Login(username="alice", password="hunter2")
    with Server(handling(tokens), tls=authority.context()) as server:
        world.believe(server)
        world.servers(server.url).server_for(repository()).fetch(GUN, "root", 100)
    assert not any(each.header("authorization").startswith("Basic") for each in server.asked)


def test_docker_hub_has_its_own_trust_server(world: World) -> None:
    found = world.servers().server_for(repository("alpine"))
    assert found._party.registry == "docker.io"


def test_a_login_does_not_go_to_a_foreign_realm(world: World, authority: Authority) -> None:
    world.logins["registry.test"] = Login(username="alice", password="hunter2")

    def handle(asked: Asked) -> bytes:
        challenge = 'Bearer realm="https://192.0.2.1:1/token"'
        return answer(401, b"", [("WWW-Authenticate", challenge)])

    with Server(handling(handle), tls=authority.context()) as server:
        world.believe(server)
        found = world.servers(server.url).server_for(repository("registry.test/app"))
        realm = found._authenticator._login_for_realm
        from countermark.adapters.http_url import Url

        assert realm(Url.parse("https://evil.test/token"), found._party) is None
        assert realm(Url.parse("https://registry.test/token"), found._party) is not None
        assert realm(Url.parse("https://127.0.0.1/token"), found._party) is not None
