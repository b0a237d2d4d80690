"""Docker's configuration folder: logins, contexts, CA folders."""

import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from countermark.adapters.docker_config import (
    HUB_KEY,
    CaFolders,
    DockerConfig,
    Login,
    read_docker_config,
    tls_material,
)
from countermark.adapters.docker_contexts import DockerEndpoint, context_endpoint
from countermark.core.errors import Code, ConfigError, NotFoundError


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def config(**members: object) -> DockerConfig:
    return DockerConfig.parse(json.dumps(members).encode(), "config.json")


ALICE = {"auth": encoded("alice:secret")}


@pytest.mark.parametrize(
    ("entry", "login"),
    [
        (ALICE, Login(username="alice", password="secret")),
        ({"auth": encoded("a:b:c")}, Login(username="a", password="b:c")),
        ({"auth": encoded("a:b\0\0")}, Login(username="a", password="b")),
        ({"username": "a", "password": "b"}, Login(username="a", password="b")),
        ({"username": "a", "identitytoken": "t"}, Login(username="a", identity_token="t")),
        ({"registrytoken": "t"}, Login(registry_token="t")),
        ({"auth": encoded("a:"), "identitytoken": "t"}, Login(username="a", identity_token="t")),
        ({}, None),
        (None, None),
        ({"email": "x"}, None),
        ({"username": "a"}, None),
    ],
)
def test_logins(entry: object, login: Login | None) -> None:
    assert config(auths={"a.test": entry}).login_of("a.test") == login


@pytest.mark.parametrize(
    ("key", "registry", "path", "found"),
    [
        ("a.test", "a.test", "", True),
        ("a.test:5000", "a.test:5000", "", True),
        ("a.test:5000", "a.test", "", False),
        ("a.test", "a.test:5000", "", False),
        ("https://a.test/v1/", "a.test", "", True),
        ("https://a.test", "a.test", "", True),
        ("http://a.test/v2/", "a.test", "", True),
        ("https://a.test.evil.test/", "a.test", "", False),
        (HUB_KEY, "docker.io", "library/x", True),
        ("docker.io", "docker.io", "", True),
        ("https://index.docker.io/v1/", "index.docker.io", "", False),
        ("a.test/team", "a.test", "team/app", True),
        ("a.test/team", "a.test", "other/app", False),
        ("a.test/team/app", "a.test", "team/app", True),
        ("a.test/te", "a.test", "team/app", False),
        ("a.test", "a.test", "team/app", True),
        ("a.test/team", "a.test", "", False),
    ],
)
def test_whose_login_it_is(key: str, registry: str, path: str, found: bool) -> None:
    login = config(auths={key: ALICE}).login_of(registry, path)
    assert (login is not None) is found


def test_the_most_specific_login_counts() -> None:
    bob = {"auth": encoded("bob:x")}
    found = config(auths={"a.test": ALICE, "a.test/team": bob})
    assert found.username_of("a.test") == "alice"
    login = found.login_of("a.test", "team/app")
    assert login
    assert login.username == "bob"


def test_all_that_is_read() -> None:
    found = config(
        auths={"a.test": {}},
        credsStore="desktop",
        credHelpers={"b.test": "ecr-login"},
        currentContext="remote",
        proxies={"default": {"httpProxy": "http://p"}},
        HttpHeaders={"X": "1"},
        plugins={"x": {"y": "z"}},
    )
    assert (found.store, found.context) == ("desktop", "remote")
    assert found.helpers == {"b.test": "ecr-login"}
    assert found.proxies == {"default": {"httpProxy": "http://p"}}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"{", "config.json: "),
        (b"[]", "config.json: "),
        (b'{"auths": []}', "config.json: auths"),
        (b'{"auths": {"a": 1}}', "config.json: auths.a"),
        (b'{"auths": {"a": {"auth": "%%%"}}}', "config.json: auths.a.auth"),
        (b'{"auths": {"a": {"auth": "c2VjcmV0"}}}', "config.json: auths.a.auth"),
        (b'{"auths": {"a": {"auth": 5}}}', "config.json: auths.a.auth"),
        (b'{"credsStore": 5}', "config.json: credsStore"),
        (b'{"credHelpers": {"a": 5}}', "config.json: credHelpers.a"),
        (b'{"credsStore": "a", "credsStore": "b"}', "config.json: "),
    ],
)
def test_what_is_wrong_is_said_without_secrets(content: bytes, place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DockerConfig.parse(content, "config.json")
    assert caught.value.code == Code.BAD_CONFIG
    assert str(caught.value).startswith(place)
    assert "c2VjcmV0" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_login_does_not_show_itself() -> None:
    login = Login(username="alice", password="secret", identity_token="token")
    assert "secret" not in repr(login)
    assert "token" not in repr(login)
    assert "secret" not in repr(config(auths={"a.test": ALICE}))


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    assert read_docker_config(str(file)) == DockerConfig(file=str(file))
    file.write_text("")
    assert read_docker_config(str(file)).logins == {}
    file.write_text(json.dumps({"auths": {"a.test": ALICE}}))
    assert read_docker_config(str(file)).username_of("a.test") == "alice"
    file.write_bytes(b" " * 2_000_000)
    with pytest.raises(ConfigError, match="longer than"):
        read_docker_config(str(file))


def place(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("x")
    return folder


def test_tls_folders(tmp_path: Path) -> None:
    host = place(tmp_path / "a.test:5000", "ca.crt", "b.crt", "client.cert", "client.key", "README")
    cas, pairs = tls_material(str(host))
    assert cas == (str(host / "b.crt"), str(host / "ca.crt"))
    assert pairs == ((str(host / "client.cert"), str(host / "client.key")),)
    assert tls_material(str(tmp_path / "absent")) == ((), ())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "client.cert",
            "missing key client.key for client certificate client.cert. "
            "CA certificates must use the extension .crt",
        ),
        ("client.key", "missing client certificate client.cert for key client.key"),
    ],
)
def test_half_a_pair_is_refused(tmp_path: Path, name: str, message: str) -> None:
    place(tmp_path, name)
    with pytest.raises(ConfigError) as caught:
        tls_material(str(tmp_path))
    assert str(caught.value) == f"{tmp_path}: {message}"


def test_ca_folders_of_a_server(tmp_path: Path) -> None:
    first = place(tmp_path / "1" / "a.test", "ca.crt")
    second = place(tmp_path / "2" / "mirror.test", "ca.crt")
    folders = CaFolders([str(tmp_path / "1"), str(tmp_path / "2")], "registry")
    found = folders.tls_for("a.test", "mirror.test", ca_texts=["a PEM text"])
    assert found.ca_files == (str(first / "ca.crt"), str(second / "ca.crt"))
    assert found.ca_texts == ("a PEM text",)
    assert found.label == "registry"
    assert folders.tls_for("b.test").ca_files == ()


def test_contexts(tmp_path: Path) -> None:
    identifier = sha256(b"remote").hexdigest()
    meta = tmp_path / "contexts" / "meta" / identifier
    meta.mkdir(parents=True)
    endpoint: dict[str, object] = {"Host": "tcp://a.test:2376", "SkipTLSVerify": False}
    document = {"Name": "remote", "Metadata": {}, "Endpoints": {"docker": endpoint}}
    (meta / "meta.json").write_text(json.dumps(document))
    found = context_endpoint(str(tmp_path), "remote")
    assert found == DockerEndpoint(host="tcp://a.test:2376")
    tls = place(
        tmp_path / "contexts" / "tls" / identifier / "docker", "ca.pem", "cert.pem", "key.pem"
    )
    found = context_endpoint(str(tmp_path), "remote")
    assert (found.ca_file, found.key_file) == (str(tls / "ca.pem"), str(tls / "key.pem"))


@pytest.mark.parametrize("content", ["{", "{}", '{"Endpoints": {"docker": {"Host": 5}}}'])
def test_contexts_that_are_wrong(tmp_path: Path, content: str) -> None:
    meta = tmp_path / "contexts" / "meta" / sha256(b"x").hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(content)
    with pytest.raises(ConfigError, match=r"meta\.json") as caught:
        context_endpoint(str(tmp_path), "x")
    assert caught.value.code == Code.BAD_CONFIG


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="context 'x': context not found") as caught:
        context_endpoint(str(tmp_path), "x")
    assert caught.value.code == Code.NOT_FOUND
