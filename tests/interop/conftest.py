"""The real stack, started once for all tests of this folder, and people to use it.

A program that is missing skips its tests on a person's machine and fails them in CI, where all of them belong.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from interop import images
from interop.cosign_images import make_image, open_server, place  # noqa: F401 - fixtures
from interop.cosign_peers import cosign  # noqa: F401 - a fixture
from interop.interceptor import Interceptor
from interop.peers import (
    BASE_ENVIRONMENT,
    Authority,
    Daemon,
    NotaryServer,
    OurServer,
    PostgreSQL,
    Registry,
)
from interop.people import DEBIAN_DOCKER, NEWER_DOCKER, Person
from interop.processes import MissingProgramError, find, run
from interop.sigstore_stack import sigstore  # noqa: F401 - a fixture; one for all, as its ports are

HERE = Path(__file__).parent


class Stoppable(Protocol):
    def stop(self) -> object: ...


Peer = TypeVar("Peer", bound=Stoppable)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder; none of them can run without foreign programs.

    Those of timestamp-server come first: it takes one port of the machine, and the Sigstore that all other tests
    share has one of its own until the end.
    """
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)
    items.sort(key=lambda item: not item.path.name.startswith("test_timestamp_"))


def _missing(missing: object) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{missing}; in CI every peer has to be there")
    pytest.skip(str(missing))


def _running(make: Callable[[], Peer]) -> Iterator[Peer]:
    """Start a peer, or skip (in CI: fail) where its program is missing; stop it afterwards."""
    try:
        peer = make()
    except MissingProgramError as missing:
        _missing(missing)
        raise
    try:
        yield peer
    finally:
        peer.stop()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    yield from _running(lambda: Registry(tmp_path_factory.mktemp("registry")))


@pytest.fixture(scope="session")
def notary(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[NotaryServer]:
    """notary-server that keeps everything in memory."""
    yield from _running(lambda: NotaryServer(tmp_path_factory.mktemp("notary"), authority))


@pytest.fixture(scope="session")
def database() -> Iterator[PostgreSQL]:
    yield from _running(PostgreSQL)


@pytest.fixture(scope="session")
def sql_notary(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, database: PostgreSQL
) -> Iterator[NotaryServer]:
    """notary-server on PostgreSQL, which re-serialises what it is given."""
    yield from _running(
        lambda: NotaryServer(tmp_path_factory.mktemp("sql-notary"), authority, database)
    )


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    yield from _running(Daemon)


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    """Our own registry and trust server."""
    yield from _running(lambda: OurServer(tmp_path_factory.mktemp("ours")))


@pytest.fixture(scope="session")
def session_interceptor(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, notary: NotaryServer
) -> Iterator[Interceptor]:
    folder = tmp_path_factory.mktemp("interceptor")
    yield from _running(lambda: Interceptor(folder, authority, notary.url, authority.ca))


@pytest.fixture
def interceptor(session_interceptor: Interceptor, notary: NotaryServer) -> Iterator[Interceptor]:
    """The attacker between client and notary-server; each test begins with one that changes nothing."""
    session_interceptor.reset()
    session_interceptor.upstream = notary.url
    yield session_interceptor
    session_interceptor.reset()


@pytest.fixture(params=["docker-20.10", "docker-28"])
def docker_cli(request: pytest.FixtureRequest) -> Path:
    """Both docker commands: Debian's, and the newer one where the machine has it."""
    if request.param == "docker-20.10":
        try:
            find("docker")
        except MissingProgramError as missing:
            _missing(missing)
        return DEBIAN_DOCKER
    return newer_docker_or_skip()


def newer_docker_or_skip() -> Path:
    """The newer docker, if the machine has one that still has content trust: 29 took it out."""
    if not NEWER_DOCKER.exists():
        pytest.skip(
            f"this machine has no newer docker at {NEWER_DOCKER}; no Debian package brings one"
        )
    version = run([NEWER_DOCKER, "--version"], BASE_ENVIRONMENT).ok().out
    if not re.match(r"Docker version 2[1-8]\.", version):
        pytest.skip(f"{NEWER_DOCKER} is {version.strip()}, which has no content trust")
    return NEWER_DOCKER


@pytest.fixture
def newer_docker() -> Path:
    """The docker whose words ours speaks: 28."""
    return newer_docker_or_skip()


@pytest.fixture
def slug(request: pytest.FixtureRequest) -> str:
    """A repository's path that no other test has."""
    return re.sub(
        r"[^a-z0-9]+", "-", f"{request.node.path.stem}-{request.node.name}".lower()
    ).strip("-")


class MakePerson(Protocol):
    def __call__(self, name: str, server: object, cli: Path | None = None) -> Person: ...


@pytest.fixture
def person(tmp_path: Path, daemon: Daemon) -> MakePerson:
    """Make people; each believes the CA of the server that they are given (``ca``, ``address``, ``url``)."""

    def make(name: str, server: object, cli: Path | None = None) -> Person:
        assert isinstance(server, (NotaryServer, OurServer, Interceptor))
        made = Person(tmp_path / name, server.url, daemon.host, cli or DEBIAN_DOCKER)
        return made.believes(server.address, server.ca)

    return make


@pytest.fixture
def build(daemon: Daemon, tmp_path: Path) -> Callable[[str, str], str]:
    """Make a tiny image in the daemon, named IMAGE, holding TEXT; returns IMAGE."""
    builder = Person(tmp_path / "builder", "", daemon.host)

    def make(image: str, text: str) -> str:
        builder.docker("import", "-", image, stdin=images.tar(text), trust=False).ok()
        return image

    return make


@pytest.fixture(params=["notary-in-memory", "notary-on-postgresql"])
def trust_server(request: pytest.FixtureRequest) -> NotaryServer:
    """Both kinds of notary-server; the one on PostgreSQL re-serialises what it is given."""
    name = {"notary-in-memory": "notary", "notary-on-postgresql": "sql_notary"}[request.param]
    server = request.getfixturevalue(name)
    assert isinstance(server, NotaryServer)
    return server


@pytest.fixture
def repository(registry: Registry, slug: str) -> str:
    """A repository on docker-registry that no other test has."""
    return f"{registry.address}/{slug}"
