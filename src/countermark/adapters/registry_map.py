"""Where registries really are: the logical name that policies match, and the server that is asked."""

from countermark.adapters.http_url import Url
from countermark.core.errors import ConfigError, InputError
from countermark.core.reference import DOCKER_HUB, Repository
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

HUB_SERVER = "registry-1.docker.io"
DOCKER_LOGIN = "docker-config"  # the login is docker's own for the place
NO_LOGIN = "none"


class RegistryPlace(Value):
    """Where the images of a registry, or of a part of one, are.

    Attributes:
        at: ``host[:port][/path]``, "" for the registry itself. The path comes before the repository's own.
        ca_texts: CAs (PEM) that its certificate may lead to, beside the system's and docker's.
        login: ``docker-config`` or ``none``.
        realms: hosts of token servers that may see the login (see ``registry_realms``).
    """

    at: str = ""
    ca_texts: tuple[str, ...] = ()
    login: str = DOCKER_LOGIN
    realms: tuple[str, ...] = ()

    def _check(self) -> None:
        if self.login not in (DOCKER_LOGIN, NO_LOGIN):
            raise ConfigError(f"login {self.login[:40]!r} is neither {DOCKER_LOGIN} nor {NO_LOGIN}")
        if self.at:
            host, _, path = self.at.partition("/")
            _server(host)
            if path:
                Repository(registry="localhost", path=path)


class Target(Value):
    """One repository as its server knows it.

    Attributes:
        host: the server's ``host[:port]``.
        path: the repository's path there.
        login_for: the registry whose login is used, "" for none.
        place: what the map says beyond that.
    """

    host: str
    path: str
    login_for: str
    place: RegistryPlace


class RegistryMap:
    """Logical names (``docker.io``, ``ghcr.io/acme``) to places; the longest name that fits counts.

    Raises:
        ConfigError: a name is neither a registry nor a repository.
    """

    def __init__(self, places: "Mapping[str, RegistryPlace] | None" = None) -> None:
        self._places: dict[tuple[str, ...], RegistryPlace] = {}
        for name, place in (places or {}).items():
            registry, slash, path = name.partition("/")
            try:
                Repository(registry=registry, path=path if slash else "x")
            except InputError as error:
                raise ConfigError(f"registries: {name!r}: {error}") from None
            parts = tuple(path.split("/")) if slash else ()
            self._places[(registry, *parts)] = place

    def target(self, repository: Repository) -> Target:
        """Say where a repository is."""
        parts = repository.path.split("/")
        for count in range(len(parts), -1, -1):
            place = self._places.get((repository.registry, *parts[:count]))
            if place and place.at:
                return _moved(place, parts[count:], repository)
            if place:
                return _as_named(repository, place)
        return _as_named(repository, RegistryPlace())


def _as_named(repository: Repository, place: RegistryPlace) -> Target:
    registry = repository.registry
    return Target(
        host=HUB_SERVER if registry == DOCKER_HUB else registry,
        path=repository.path,
        login_for=registry if place.login == DOCKER_LOGIN else "",
        place=place,
    )


def _moved(place: RegistryPlace, rest: list[str], repository: Repository) -> Target:
    registry, _, before = place.at.partition("/")
    # a name that is a whole repository, moved: its last component stays
    path = "/".join(
        (*(part for part in (before,) if part), *(rest or [repository.path.rpartition("/")[2]]))
    )
    return _as_named(Repository(registry=registry, path=path), place)


def _server(host: str) -> None:
    try:
        url = Url.parse(f"https://{host}/")
    except InputError as error:
        raise ConfigError(f"registries: at: {error}") from None
    if url.host != host.partition(":")[0].lower() and not host.startswith("["):
        raise ConfigError(f"registries: at: not a host: {host[:80]!r}")
