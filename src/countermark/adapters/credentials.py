"""Logins for registries: from docker's and podman's files, and from credential helpers.

Passwords stay in memory while the process lives and go nowhere else. Whoever can write the files, or put a program
called docker-credential-... on the PATH, decides whom we log in as.
"""

from countermark.adapters.docker_config import HUB_KEY, DockerConfig, Login, read_docker_config
from countermark.core import limits
from countermark.core.errors import CountermarkError, UnavailableError
from countermark.core.reference import DOCKER_HUB
from countermark.formats.strict_json import Reader, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from countermark.adapters.process import Finished

    class Run(Protocol):
        """Runs a program with some bytes on its standard input (``process.run``)."""

        def __call__(self, command: Sequence[str], *, given: bytes) -> Finished: ...


_IDENTITY = "<token>"  # the user name under which helpers keep identity tokens
_NOTHING_FOUND = (
    b"credentials not found",
    b"no credentials server URL",
    b"no credentials username",
)
_HELPER_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


class Logins:
    """Finds the login for a registry, read when first asked for.

    The files are asked in order; each is a docker config.json or a podman auth.json. Within one, as docker does it:
    the registry's own helper, else the store, else what the file itself has.
    """

    def __init__(self, files: "Sequence[str]", run: "Run") -> None:
        self._files, self._run = tuple(files), run
        self._configs: tuple[DockerConfig, ...] | None = None
        self._known: dict[tuple[str, str], Login | None] = {}

    def login_for(self, registry: str, path: str = "") -> Login | None:
        """Return the login for a registry (``docker.io``, ``host:port``), None where there is none.

        Raises:
            ConfigError: a file is wrong. StorageError: one cannot be read.
            UnavailableError: a credential helper fails.
        """
        key = (registry, path)
        if key not in self._known:
            self._known[key] = self._find(registry, path)
        return self._known[key]

    def username(self, registry: str) -> str:
        """Return the user name at a registry, "" where there is none.

        Raises:
            As ``login_for``.
        """
        login = self.login_for(registry)
        return login.username if login else ""

    def _find(self, registry: str, path: str) -> Login | None:
        if self._configs is None:
            self._configs = tuple(read_docker_config(file) for file in self._files)
        server = HUB_KEY if registry == DOCKER_HUB else registry
        for config in self._configs:
            helper = config.helpers.get(registry) or config.helpers.get(server) or config.store
            login = self._ask(helper, server) if helper else config.login_of(registry, path)
            if login:
                return login
        return None

    def _ask(self, helper: str, server: str) -> Login | None:
        """Run ``docker-credential-<helper> get`` (docker/docker-credential-helpers): the server in, JSON out."""
        program = helper_program(helper)
        try:
            finished = self._run((program, "get"), given=server.encode("utf-8"))
            if finished.status:
                said = finished.output + finished.errors
                if any(text in said for text in _NOTHING_FOUND):
                    return None
                raise UnavailableError(f"{program} ended with status {finished.status}")
            return _helped(finished.output)
        except CountermarkError as error:
            # never what it printed: that may be half a secret
            raise UnavailableError(f"error getting credentials: {error}") from None


def helper_program(helper: str) -> str:
    """The program of a credential helper, by the name that a configuration file has for it.

    Raises:
        UnavailableError: it is no such name.
    """
    if not _HELPER_CHARS.issuperset(helper):
        raise UnavailableError(f"not the name of a credential helper: {helper[:80]!r}")
    return f"docker-credential-{helper}"


def _helped(output: bytes) -> Login | None:
    reader = Reader(parse(output, max_bytes=limits.TOKEN_BYTES), "answer of the credential helper")
    username, secret = reader.text("Username"), reader.text("Secret")
    if username == _IDENTITY:
        return Login(identity_token=secret) if secret else None
    login = Login(username=username, password=secret)
    return None if login.is_empty else login
