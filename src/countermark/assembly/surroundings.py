"""What one run of the program finds: its environment, the folders of its user and its system, its configuration."""

import os

from countermark.core.errors import ConfigError, InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self, TypeVar

    from countermark.assembly.files import Files
    from countermark.config import Config, Source

    T = TypeVar("T")

SYSTEM_FOLDER = "/etc/countermark"


class Surroundings:
    """The environment of one run, the folders that follow from it, and the configuration; each is read once."""

    def __init__(self, environment: "Mapping[str, str]", config_file: str = "") -> None:
        self.environment = environment
        self.system_folder = SYSTEM_FOLDER
        self._config_file = config_file
        self.is_debugging = False
        self._made: dict[str, object] = {}

    @classmethod
    def of_process(cls, config_file: str = "") -> "Self":
        """What this process runs in."""
        return cls(os.environ, config_file)

    def with_environment(self, changes: "Mapping[str, str]") -> "Self":
        """The same in an environment with changes; an empty value unsets a variable."""
        merged = {**self.environment, **changes}
        kept = {k: v for k, v in merged.items() if v or k not in changes}
        made = type(self)(kept, self._config_file)
        made.is_debugging, made.system_folder = self.is_debugging, self.system_folder
        return made

    def once(self, name: str, make: "Callable[[], T]") -> "T":
        """What a name stands for in this run, made when first asked for."""
        if name not in self._made:
            self._made[name] = make()
        found: T = self._made[name]  # type: ignore[assignment]
        return found

    @property
    def files(self) -> "Files":
        """Small files of people and programs."""
        from countermark.assembly.files import Files

        return self.once("files", Files)

    @property
    def colour(self) -> bool:
        """Whether colour is wanted where there is a terminal (no-color.org)."""
        return not self.environment.get("NO_COLOR") and self.environment.get("TERM") != "dumb"

    @property
    def content_trust_is_on(self) -> bool:
        """Whether DOCKER_CONTENT_TRUST is on, as docker reads it."""
        from countermark.enforce.docker_flags import parse_bool

        text = self.environment.get("DOCKER_CONTENT_TRUST", "")
        return bool(text) and parse_bool(text) is not False

    @property
    def home(self) -> str:
        """The user's home folder."""
        return self.environment.get("HOME") or os.path.expanduser("~")

    @property
    def user_folder(self) -> str:
        """Where this user's policy and configuration are."""
        base = self.environment.get("XDG_CONFIG_HOME") or os.path.join(self.home, ".config")
        return os.path.join(base, "countermark")

    @property
    def data_folder(self) -> str:
        """Where ``serve`` keeps its data unless told otherwise."""
        base = self.environment.get("XDG_DATA_HOME") or os.path.join(self.home, ".local", "share")
        return os.path.join(base, "countermark")

    @property
    def docker_folder(self) -> str:
        """Docker's configuration folder."""
        given = self.environment.get("DOCKER_CONFIG") or self.config.docker_config
        return given or os.path.join(self.home, ".docker")

    @property
    def config(self) -> "Config":
        """The configuration: the system's file, the user's, the one named by --config, then variables."""
        return self.once("config", lambda: self.config_with(()))

    def config_with(self, flags: "tuple[Source, ...]") -> "Config":
        """The configuration with a command's flags on top.

        Raises:
            ConfigError: a mistake in a file, or the file of --config is missing.
        """
        from countermark import config

        paths = [
            os.path.join(folder, "config.yaml") for folder in (self.system_folder, self.user_folder)
        ]
        sources = config.load(paths, self.files.read_bytes)
        if self._config_file:
            content = self.files.read_bytes(self._config_file)
            if content is None:
                raise ConfigError("there is no such file", file=self._config_file)
            sources.append(config.parse(content, self._config_file))
        sources += self._variables()
        return config.merge((*sources, *flags))

    def _variables(self) -> "list[Source]":
        from countermark.config import Source
        from countermark.policy.built_in import MOVED_TAG

        found = []
        for variable, key in (
            ("COUNTERMARK_POLICY", "policy"),
            ("DOCKER_CONTENT_TRUST_SERVER", "trustServer"),
            ("COUNTERMARK_MOVED_TAG", "movedTag"),
            ("DOCKER_CONFIG", "dockerConfig"),
        ):
            value = self.environment.get(variable, "")
            if variable == "COUNTERMARK_MOVED_TAG" and value and value not in MOVED_TAG:
                raise InputError(
                    f"COUNTERMARK_MOVED_TAG: not {' or '.join(MOVED_TAG)}: {value[:40]!r}"
                )
            if value:
                found.append(Source(origin=variable, settings=((key, value),)))
        return found

    def config_lines(self) -> list[str]:
        """Each setting, its value, and where the value comes from."""
        return self.config.lines()

    def absolute(self, path: str) -> str:
        """A path from the working directory, made absolute."""
        return os.path.abspath(path)
