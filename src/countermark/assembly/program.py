"""One run of the program: what is made of its surroundings when asked for."""

import os
import sys

from countermark.assembly.surroundings import Surroundings
from countermark.core.errors import ConfigError, InputError, NotFoundError
from countermark.core.light import UTC, datetime
from countermark.core.reference import ImageReference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from countermark.adapters.credentials import Logins
    from countermark.adapters.docker_config import CaFolders
    from countermark.adapters.http_client import HttpClient
    from countermark.adapters.http_connection import Timeouts
    from countermark.adapters.registry import RegistryClient
    from countermark.adapters.registry_auth import Authenticator
    from countermark.adapters.registry_map import RegistryPlace
    from countermark.adapters.terminal import Terminal
    from countermark.assembly.cosign import Cosign
    from countermark.assembly.dct import Dct
    from countermark.assembly.hosting import Hosting
    from countermark.assembly.installation import Installation
    from countermark.assembly.log_stores import LogSettings
    from countermark.assembly.logs import Logs
    from countermark.core.digest import Digest
    from countermark.core.ports import Progress
    from countermark.engine import Engine
    from countermark.images import Images
    from countermark.policy.model import Layer, Policy
    from countermark.schemes.interface import TagAuthority, Verifier

    class Watched(Protocol):
        """Where progress goes; it is drawn where a person watches."""

        @property
        def err_is_terminal(self) -> bool: ...


# where docker and podman keep the CAs of single registries; docker's trust client has its own folder
_CERTIFICATE_FOLDERS = ("/etc/docker/certs.d", "/etc/containers/certs.d")


def clock() -> datetime:
    """The time now, aware, UTC: the one place where it is read."""
    return datetime.now(UTC)


def http_client(
    environment: "Mapping[str, str]", timeouts: "Timeouts | None" = None
) -> "HttpClient":
    """A client of HTTP as an environment has it: proxies, CAs; ``timeouts`` may be others than the usual."""
    from countermark.adapters.http_client import HttpClient
    from countermark.adapters.http_connection import Timeouts
    from countermark.adapters.http_proxy import Proxies
    from countermark.adapters.http_tls import SystemRoots

    get = environment.get
    return HttpClient(
        SystemRoots(
            file=get("SSL_CERT_FILE", ""),
            folders=tuple(f for f in get("SSL_CERT_DIR", "").split(os.pathsep) if f),
        ),
        Proxies(
            https=get("HTTPS_PROXY") or get("https_proxy", ""),
            no_proxy=get("NO_PROXY") or get("no_proxy", ""),
        ),
        timeouts=timeouts or Timeouts(),
    )


class Program(Surroundings):
    """Everything that a command may ask for; each thing is made once, when first asked for.

    The environment, the clock and the adapters enter here and nowhere else.
    """

    def close(self) -> None:
        """Let go of connections and databases; a process that ends need not."""
        for name in ("logs", "http"):
            made = self._made.pop(name, None)
            if made is not None:
                made.close()  # type: ignore[attr-defined]

    # The policy -------------------------------------------------------------------------------------

    def policy(self, policy_file: str = "", *, require_pin: bool = False) -> "Policy":
        """The layers that apply: the file named, else those that exist, else the built-in one.

        Raises:
            ConfigError: a mistake in a file; the file named is missing.
        """
        from countermark.policy.built_in import built_in
        from countermark.policy.model import Policy

        layers = [self.policy_layer(path) for path in self.policy_files(policy_file)]
        if not layers:
            layers = [built_in(moved_tag=self.config.moved_tag or "deny")]
        policy = Policy(layers=tuple(layers))
        return policy.with_pins_required() if require_pin else policy

    def policy_files(self, policy_file: str = "") -> list[str]:
        """The policy files that apply: the one named (flag, then configuration), else those that exist."""
        named = policy_file or self.config.policy
        if named:
            return [named]
        found = [
            os.path.join(folder, "policy.yaml") for folder in (self.system_folder, self.user_folder)
        ]
        return [path for path in found if os.path.exists(path)]

    def policy_layer(self, path: str, *, thoroughly: bool = False) -> "Layer":
        """Parse one policy file; ``thoroughly`` reads its conditions too, which a verify does where it needs them.

        Raises:
            ConfigError: it is missing or wrong. UnavailableError: nothing here can read a condition.
        """
        from countermark.policy import parse

        content = self.files.read_bytes(path)
        if content is None:
            raise ConfigError("there is no such file", file=path)
        folder = os.path.dirname(path)
        return parse.parse(
            content,
            file=path,
            read_file=lambda name: self.files.read_bytes(os.path.join(folder, name)),
            check_condition=self.cosign.conditions.check if thoroughly else None,
        )

    def policy_order(self, policy_file: str, reference: "ImageReference") -> list[str]:
        """Which rules of each layer match an image, the deciding one first."""
        from countermark.assembly.policy_order import lines

        return lines(self.policy(policy_file), reference)

    # The outside world ------------------------------------------------------------------------------

    @property
    def http(self) -> "HttpClient":
        """The one HTTP client."""
        return self.once("http", self._http)

    @property
    def logs(self) -> "Logs":
        """Transparency logs, by URL or folder."""
        from countermark.assembly.log_stores import settings_of
        from countermark.assembly.logs import Logs

        def settings() -> "LogSettings":
            return settings_of(self.config.serve, self.environment)

        return self.once("logs", lambda: Logs(self.http, settings))

    def _http(self) -> "HttpClient":
        return http_client(self.environment)

    @property
    def logins(self) -> "Logins":
        """Who we are at registries: docker's file and helpers, then podman's file."""
        return self.once("logins", self._logins)

    def _logins(self) -> "Logins":
        from countermark.adapters.credentials import Logins

        def run(command: "tuple[str, ...]", *, given: bytes) -> object:
            from countermark.adapters import process

            return process.run(command, given=given, environment=self.environment)

        get = self.environment.get
        files = [os.path.join(self.docker_folder, "config.json")]
        if get("REGISTRY_AUTH_FILE"):
            files.append(get("REGISTRY_AUTH_FILE", ""))
        elif get("XDG_RUNTIME_DIR"):
            files.append(os.path.join(get("XDG_RUNTIME_DIR", ""), "containers", "auth.json"))
        return Logins(files, run)  # type: ignore[arg-type]

    @property
    def authenticator(self) -> "Authenticator":
        """Answers servers that ask who we are."""
        from countermark.adapters.registry_auth import Authenticator

        return self.once("authenticator", lambda: Authenticator(self.http, self.logins))

    def registry(self, policy: "Policy | None" = None) -> "RegistryClient":
        """The registry client; a policy may say where registries really are."""
        from countermark.adapters.registry import RegistryClient
        from countermark.adapters.registry_map import RegistryMap

        places = {} if policy is None else self._places(policy)
        return RegistryClient(self.authenticator, RegistryMap(places), self.certificate_folders)

    @property
    def certificate_folders(self) -> "CaFolders":
        """Where the CAs of single registries are."""
        from countermark.adapters.docker_config import CaFolders

        folders = [
            os.path.join(self.docker_folder, "certs.d"),
            os.path.join(self.home, ".config", "containers", "certs.d"),
            *_CERTIFICATE_FOLDERS,
            # what docker's trust client is told about a host holds for its registry too
            os.path.join(self.docker_folder, "tls"),
        ]
        return self.once("certificate folders", lambda: CaFolders(folders))

    @staticmethod
    def _places(policy: "Policy") -> "dict[str, RegistryPlace]":
        from countermark.assembly.places import places

        return places(policy)

    @staticmethod
    def now() -> datetime:
        """The time now."""
        return clock()

    def debug(self, text: str) -> None:
        """Say a cause that is not shown otherwise, where --debug asks for it."""
        if self.is_debugging:
            sys.stderr.write(f"countermark: debug: {text}\n")

    def warn(self, text: str) -> None:
        """Say on stderr what people should know."""
        from countermark.core.text import harmless

        sys.stderr.write(f"countermark: warning: {harmless(text)}\n")

    def engine(
        self,
        *,
        policy_file: str = "",
        require_pin: bool = False,
        point: str = "cli",
        policy: "Policy | None" = None,
    ) -> "Engine":
        """The engine, under the policy that is given, or else the one that applies."""
        from countermark.engine import Engine

        if policy is None:
            policy = self.policy(policy_file, require_pin=require_pin)
        memory = None
        if any(layer.last_good is not None for layer in policy.layers):
            from countermark.adapters.claim_memory import FolderClaims

            memory = FolderClaims(os.path.join(self.dct.folder, "countermark-claims"))
        registry = self.registry(policy)
        schemes = {
            signer.scheme for signer in policy.signers
        }  # none else is loaded: a start costs each its time
        verifiers: dict[str, Verifier] = {}
        authorities: dict[str, TagAuthority] = {}
        if "dct" in schemes or any(layer.moved_tag == "useSigned" for layer in policy.layers):
            verifiers["dct"] = authorities["dct"] = self.dct.verifier()
        if "cosign" in schemes:
            verifiers["cosign"] = self.cosign.verifier(policy, registry)
        return Engine(
            registry,
            verifiers,
            policy,
            clock,
            tag_authorities=authorities,
            point=point,
            memory=memory,
        )

    @property
    def terminal(self) -> "Terminal":
        """What people type."""
        from countermark.adapters.terminal import Terminal

        def show(text: str) -> None:
            sys.stdout.write(text)
            sys.stdout.flush()

        return self.once("terminal", lambda: Terminal(self.environment, 0, show))

    def standard_input(self, max_bytes: int) -> bytes:
        """Read standard input whole.

        Raises:
            InputError: there is more of it.
        """
        content = sys.stdin.buffer.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise InputError(f"more than {max_bytes} bytes on standard input")
        return content

    @property
    def cosign(self) -> "Cosign":
        """What cosign's commands are made of."""
        from countermark.assembly.cosign import Cosign

        return self.once("cosign", lambda: Cosign(self))

    @property
    def dct(self) -> "Dct":
        """What docker's trust commands are made of."""
        from countermark.assembly.dct import Dct

        return self.once("dct", lambda: Dct(self))

    @property
    def hosting(self) -> "Hosting":
        """Servers of ours on this machine."""
        from countermark.assembly.hosting import Hosting

        return self.once("hosting", lambda: Hosting(self))

    @property
    def installation(self) -> "Installation":
        """Our own place in the system."""
        from countermark.assembly.installation import Installation

        return self.once("installation", lambda: Installation(self))

    # Images --------------------------------------------------------------------------

    def images(self, out: "Watched", policy_file: str = "") -> "Images":
        """Copies images between registries (where a policy says that they are), files and the docker daemon."""
        from countermark.adapters.image_places import ImagePlaces
        from countermark.assembly.daemon import docker_engine, own_platform
        from countermark.images import Images

        temporary = self.environment.get("TMPDIR") or "/tmp"  # noqa: S108 - the system's own
        places = ImagePlaces(lambda: docker_engine(self), temporary)
        registry = self.registry(self.policy(policy_file))
        return Images(registry, places, self.progress(out), own_platform())

    def progress(self, out: "Watched") -> "Progress":
        """Where the progress of long work is shown, if anybody watches."""
        from countermark.adapters.progress import NoProgress, TerminalProgress

        return TerminalProgress(colour=self.colour) if out.err_is_terminal else NoProgress()

    def local_digests(self, reference: "ImageReference") -> "tuple[Digest, ...]":
        """The manifest digests that the docker daemon knows a local image by, in its repository.

        Raises:
            NotFoundError: there is no such image. UnavailableError: there is no daemon.
        """
        from countermark.assembly.daemon import docker_engine

        image = docker_engine(self).inspect(reference.familiar)
        if image is None:
            raise NotFoundError(
                f"Error response from daemon: no such image: {reference.familiar}: "
                f"No such image: {reference.familiar}",
                hint="sign --from-registry, or by digest, where the image is not in the daemon",
            )
        return image.digests_in(reference.repository)

    @staticmethod
    def password_from_stdin() -> str:
        """A password that another program sends."""
        from countermark.adapters.typed_password import read_password

        return read_password(0)

    def typed_password(self, prompt: str) -> str | None:
        """A password that somebody types, unseen; None where nobody is at a terminal."""
        return self.cosign.prompt.hidden(prompt)
