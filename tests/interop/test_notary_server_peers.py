"""docker and notary on our trust server alone, without a daemon: what they do, and how they log in."""

import base64
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from interop.peers import OurServer
from interop.people import REPOSITORY_PASSPHRASE, Person

PASSWORD = "alice's password"


def server_with_users(folder: Path, *words: str) -> OurServer:
    users = folder / "users"
    folder.mkdir(parents=True, exist_ok=True)
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(5)).decode()
    users.write_text(f"alice:{hashed}\n")
    return OurServer(folder / "server", "--htpasswd", str(users), *words)


@pytest.fixture(scope="module")
def everybody_reads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    server = server_with_users(tmp_path_factory.mktemp("reads"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def users_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    server = server_with_users(tmp_path_factory.mktemp("users"), "--require-login")
    yield server
    server.stop()


def logged_in(server: OurServer) -> str:
    """A docker configuration with a login."""
    auth = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
    return f'{{"auths": {{"{server.address}": {{"auth": "{auth}"}}}}}}'


def test_docker_manages_signers_without_a_daemon(
    ours: OurServer, tmp_path: Path, docker_cli: Path
) -> None:
    gun = f"{ours.address}/{docker_cli.parent.parent.name}/signers"
    owner, bob, reader = (
        Person(tmp_path / name, ours.url, cli=docker_cli).believes(ours.address, ours.ca)
        for name in ("owner", "bob", "reader")
    )
    bob.docker("trust", "key", "generate", "bob").ok()
    public = bob.home / "bob.pub"
    owner.docker("trust", "signer", "add", "--key", public, "bob", gun).ok()
    shown = reader.docker("trust", "inspect", "--pretty", gun).ok().out
    assert "bob" in shown
    # bob's part of it is a notary command: docker signs what a registry has
    bob.notary("add", "-p", gun, "v1", public, "-r", "targets/bob", "-r", "targets/releases").ok()
    assert "v1" in reader.notary("list", gun, "-r", "targets/releases").ok().out
    assert "v1" in reader.docker("trust", "inspect", "--pretty", gun).ok().out
    owner.notary("delegation", "remove", "-y", "-p", gun, "targets/bob").ok()
    assert "targets/bob" not in reader.notary("delegation", "list", gun).ok().out
    # given back to the same key, bob goes on where he was
    owner.notary("delegation", "add", "-p", gun, "targets/bob", public, "--all-paths").ok()
    bob.notary("add", "-p", gun, "v2", public, "-r", "targets/bob").ok()
    listed = reader.notary("list", gun, "-r", "targets/bob").ok().out
    assert "v1" in listed
    assert "v2" in listed


@pytest.mark.parametrize("mode", ["everybody_reads", "users_only"])
def test_notary_logs_in(mode: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Reading without a login where everybody may; publishing, rotating and deleting with one."""
    server: OurServer = request.getfixturevalue(mode)
    gun = f"{server.address}/team/app"
    owner, reader = (
        Person(tmp_path / name, server.url).believes(server.address, server.ca)
        for name in ("owner", "reader")
    )
    login = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
    wrong = base64.b64encode(b"alice:wrong").decode()
    target = owner.home / "target"
    target.write_text("content")
    for auth in (wrong, ""):
        owner.notary("init", "-p", gun, NOTARY_AUTH=auth, stdin="\n\n\n\n").refused()
    owner.notary("init", "-p", gun, NOTARY_AUTH=login).ok()
    owner.notary("add", "-p", gun, "v1", target, NOTARY_AUTH=login).ok()
    owner.notary("key", "rotate", gun, "snapshot", "-r", NOTARY_AUTH=login).ok()
    owner.notary("key", "rotate", gun, "timestamp", "-r", NOTARY_AUTH=login).ok()
    owner.notary("add", "-p", gun, "v2", target, NOTARY_AUTH=login).ok()
    if mode == "everybody_reads":
        assert "v2" in reader.notary("list", gun).ok().out
    else:  # notary never logs in to read
        reader.notary("list", gun, NOTARY_AUTH=login).refused("no basic auth credentials")
    reader.notary("delete", gun, "--remote", stdin="\n\n").refused()
    owner.notary("add", "-p", gun, "v3", target, NOTARY_AUTH=login).ok()
    owner.notary("delete", gun, "--remote", NOTARY_AUTH=login).ok()
    owner.notary("add", "-p", gun, "v4", target).refused()


@pytest.mark.parametrize("mode", ["everybody_reads", "users_only"])
def test_docker_logs_in(
    mode: str, request: pytest.FixtureRequest, tmp_path: Path, docker_cli: Path
) -> None:
    """docker's trust client sends what ``docker login`` stored for the registry of the same name."""
    server: OurServer = request.getfixturevalue(mode)
    gun = f"{server.address}/{docker_cli.parent.parent.name}/app"
    owner, stranger = (
        Person(tmp_path / name, server.url, cli=docker_cli).believes(server.address, server.ca)
        for name in ("owner", "stranger")
    )
    owner.docker("trust", "key", "generate", "alice").ok()
    key = owner.home / "alice.pub"
    owner.docker("trust", "signer", "add", "--key", key, "alice", gun).refused()
    owner.config(logged_in(server))
    owner.docker("trust", "signer", "add", "--key", key, "alice", gun).ok()
    seen = stranger.docker("trust", "inspect", gun)
    if mode == "everybody_reads":
        assert "alice" in seen.ok().out
    else:
        seen.refused()
    assert "alice" in owner.docker("trust", "inspect", gun).ok().out
    assert REPOSITORY_PASSPHRASE not in owner.docker("trust", "inspect", gun).out
