"""Logins: from files, from credential helpers, in docker's order."""

import json
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import pytest

from countermark.adapters.credentials import Logins
from countermark.adapters.docker_config import HUB_KEY, Login
from countermark.adapters.process import Finished
from countermark.core.errors import Code, ConfigError, NotFoundError, UnavailableError


class Helpers:
    """Credential helpers that answer from a table."""

    def __init__(self, answers: dict[str, Finished | Exception]) -> None:
        self._answers = answers
        self.asked: list[tuple[str, str, bytes]] = []

    def __call__(self, command: Sequence[str], *, given: bytes) -> Finished:
        self.asked.append((command[0], command[1], given))
        found = self._answers[command[0]]
        if isinstance(found, Exception):
            raise found
        return found


def said(username: str, secret: str) -> Finished:
    text = json.dumps({"ServerURL": "x", "Username": username, "Secret": secret})
    return Finished(status=0, output=text.encode(), errors=b"")


def failed(text: bytes) -> Finished:
    return Finished(status=1, output=text, errors=b"")


def file(folder: Path, name: str, **members: object) -> str:
    path = folder / name
    path.write_text(json.dumps(members))
    return str(path)


def entry(user: str) -> dict[str, str]:
    return {"auth": b64encode(f"{user}:pass".encode()).decode()}


@pytest.mark.parametrize(
    ("registry", "asked", "user"),
    [
        ("a.test", [("docker-credential-one", "get", b"a.test")], "one"),
        ("b.test", [("docker-credential-store", "get", b"b.test")], "store"),
        ("docker.io", [("docker-credential-store", "get", HUB_KEY.encode())], "store"),
    ],
)
def test_a_helper_of_its_own_comes_before_the_store(
    tmp_path: Path, registry: str, asked: list[object], user: str
) -> None:
    helpers = Helpers(
        {"docker-credential-one": said("one", "x"), "docker-credential-store": said("store", "y")}
    )
    config = file(
        tmp_path,
        "config.json",
        credsStore="store",
        credHelpers={"a.test": "one"},
        auths={registry: entry("file")},
    )
    logins = Logins([config], helpers)
    assert logins.username(registry) == user
    assert logins.username(registry) == user
    assert helpers.asked == asked


def test_a_helper_for_docker_hub_under_its_long_key(tmp_path: Path) -> None:
    helpers = Helpers({"docker-credential-hub": said("hub", "x")})
    config = file(tmp_path, "config.json", credHelpers={HUB_KEY: "hub"})
    assert Logins([config], helpers).username("docker.io") == "hub"


def test_an_identity_token(tmp_path: Path) -> None:
    helpers = Helpers({"docker-credential-x": said("<token>", "refresh")})
    config = file(tmp_path, "config.json", credsStore="x")
    assert Logins([config], helpers).login_for("a.test") == Login(identity_token="refresh")


@pytest.mark.parametrize(
    "text",
    [
        b"credentials not found in native keychain\n",
        b"no credentials server URL",
        b"no credentials username",
    ],
)
def test_a_helper_that_has_none(tmp_path: Path, text: bytes) -> None:
    helpers = Helpers({"docker-credential-x": failed(text)})
    config = file(tmp_path, "config.json", credsStore="x")
    podman = file(tmp_path, "auth.json", auths={"a.test": entry("podman")})
    assert Logins([config], helpers).login_for("a.test") is None
    assert Logins([config, podman], helpers).username("a.test") == "podman"


@pytest.mark.parametrize(
    "answer",
    [
        failed(b"secret: the keyring is locked"),
        Finished(status=0, output=b"secret", errors=b""),
        Finished(status=0, output=b'{"Username": "secret"}', errors=b""),
        NotFoundError("no such program: docker-credential-x"),
        UnavailableError("docker-credential-x did not end within 60 s"),
    ],
)
def test_a_helper_that_fails_is_no_silence(tmp_path: Path, answer: Finished | Exception) -> None:
    config = file(tmp_path, "config.json", credsStore="x")
    logins = Logins([config], Helpers({"docker-credential-x": answer}))
    with pytest.raises(UnavailableError, match="error getting credentials") as caught:
        logins.login_for("a.test")
    assert caught.value.code == Code.UNAVAILABLE
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["../evil", "a b", "x/y", "a;b"])
def test_a_helper_that_is_no_name(tmp_path: Path, name: str) -> None:
    helpers = Helpers({})
    config = file(tmp_path, "config.json", credsStore=name)
    with pytest.raises(UnavailableError, match="not the name of a credential helper"):
        Logins([config], helpers).login_for("a.test")
    assert helpers.asked == []


def test_files_are_asked_in_order(tmp_path: Path) -> None:
    first = file(tmp_path, "1.json", auths={"a.test": entry("first"), "b.test": {}})
    second = file(tmp_path, "2.json", auths={"a.test": entry("second"), "b.test": entry("second")})
    logins = Logins([str(tmp_path / "absent.json"), first, second], Helpers({}))
    assert logins.username("a.test") == "first"
    assert logins.username("b.test") == "second"
    assert logins.login_for("c.test") is None
    assert logins.username("c.test") == ""


def test_logins_for_a_part_of_a_registry(tmp_path: Path) -> None:
    config = file(
        tmp_path, "auth.json", auths={"a.test/team": entry("team"), "a.test": entry("all")}
    )
    logins = Logins([config], Helpers({}))
    team = logins.login_for("a.test", "team/app")
    assert team
    assert team.username == "team"
    assert logins.username("a.test") == "all"


def test_a_file_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{")
    with pytest.raises(ConfigError) as caught:
        Logins([str(path)], Helpers({})).login_for("a.test")
    assert caught.value.code == Code.BAD_CONFIG
