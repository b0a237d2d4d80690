"""One run of the program: its environment and configuration, and what is made of them when asked for."""

import os
import sys

from countermark.core.errors import ConfigError, InputError, NotFoundError
from countermark.core.light import UTC, datetime
from countermark.core.reference import ImageReference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol, TypeVar

    from countermark.adapters.credentials import Logins
    from countermark.adapters.docker_config import CaFolders
    from countermark.adapters.http_client import HttpClient
    from countermark.adapters.http_connection import Timeouts
    from countermark.adapters.identity_accounts import AccountFile
    from countermark.adapters.identity_issuer import IdentityIssuer
    from countermark.adapters.notary import NotaryServers
    from countermark.adapters.registry import RegistryClient
    from countermark.adapters.registry_auth import Authenticator
    from countermark.adapters.registry_map import RegistryPlace
    from countermark.adapters.terminal import Terminal
    from countermark.adapters.trust_folder import CachedMetadata, PrivateKeys
    from countermark.assembly.cosign import Cosign
    from countermark.assembly.files import Files
    from countermark.assembly.log_stores import LogSettings
    from countermark.assembly.logs import Logs
    from countermark.assembly.server import Server
    from countermark.assembly.sigstore_files import InUse
    from countermark.config import Config, Source
    from countermark.core.digest import Digest
    from countermark.core.ports import Progress
    from countermark.core.ports_sigstore import SigningKey
    from countermark.engine import Engine
    from countermark.images import Images
    from countermark.policy.model import Layer, Policy
    from countermark.schemes.dct.key_ring import KeyRing
    from countermark.schemes.dct.repository import Loader
    from countermark.schemes.dct.signer import DctPublisher
    from countermark.schemes.interface import TagAuthority, Verifier

    T = TypeVar("T")

    class Watched(Protocol):
        """Where progress goes; it is drawn where a person watches."""

        @property
        def err_is_terminal(self) -> bool: ...


SYSTEM_FOLDER = "/etc/countermark"
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


class Program:
    """Everything that a command may ask for; each thing is made once, when first asked for.

    The environment, the clock and the adapters enter here and nowhere else.
    """

    def __init__(self, environment: "Mapping[str, str]", config_file: str = "") -> None:
        self.environment = environment
        self.system_folder = SYSTEM_FOLDER
        self._config_file = config_file
        self.is_debugging = False
        self._made: dict[str, object] = {}

    @classmethod
    def of_process(cls, config_file: str = "") -> "Program":
        """The program that this process runs."""
        return cls(os.environ, config_file)

    def with_environment(self, changes: "Mapping[str, str]") -> "Program":
        """The same program in an environment with changes; an empty value unsets a variable."""
        merged = {**self.environment, **changes}
        kept = {k: v for k, v in merged.items() if v or k not in changes}
        made = type(self)(kept, self._config_file)
        made.is_debugging, made.system_folder = self.is_debugging, self.system_folder
        return made

    def _once(self, name: str, make: "Callable[[], T]") -> "T":
        if name not in self._made:
            self._made[name] = make()
        found: T = self._made[name]  # type: ignore[assignment]
        return found

    def close(self) -> None:
        """Let go of connections and databases; a process that ends need not."""
        for name in ("logs", "http"):
            made = self._made.pop(name, None)
            if made is not None:
                made.close()  # type: ignore[attr-defined]

    # Environment and configuration ------------------------------------------------------------------

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
        return self._once("config", lambda: self.config_with(()))

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
    def files(self) -> "Files":
        """Small files of people and programs."""
        from countermark.assembly.files import Files

        return self._once("files", Files)

    @property
    def http(self) -> "HttpClient":
        """The one HTTP client."""
        return self._once("http", self._http)

    @property
    def logs(self) -> "Logs":
        """Transparency logs, by URL or folder."""
        from countermark.assembly.log_stores import settings_of
        from countermark.assembly.logs import Logs

        def settings() -> "LogSettings":
            return settings_of(self.config.serve, self.environment)

        return self._once("logs", lambda: Logs(self.http, settings))

    def _http(self) -> "HttpClient":
        return http_client(self.environment)

    @property
    def logins(self) -> "Logins":
        """Who we are at registries: docker's file and helpers, then podman's file."""
        return self._once("logins", self._logins)

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

        return self._once("authenticator", lambda: Authenticator(self.http, self.logins))

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
        return self._once("certificate folders", lambda: CaFolders(folders))

    @staticmethod
    def _places(policy: "Policy") -> "dict[str, RegistryPlace]":
        from countermark.assembly.places import places

        return places(policy)

    # Docker Content Trust ---------------------------------------------------------------------------

    @property
    def trust_folder(self) -> str:
        """Docker's trust folder."""
        return os.path.join(self.docker_folder, "trust")

    @property
    def cache(self) -> "CachedMetadata":
        """Cached metadata, pins and remembered versions."""
        from countermark.adapters.trust_folder import CachedMetadata

        return self._once("cache", lambda: CachedMetadata(self.trust_folder))

    @property
    def keys(self) -> "PrivateKeys":
        """The private keys of the trust folder."""
        from countermark.adapters.trust_folder import PrivateKeys

        return self._once("keys", lambda: PrivateKeys(self.trust_folder))

    @property
    def servers(self) -> "NotaryServers":
        """The trust servers."""
        return self._once("servers", self._servers)

    def _servers(self) -> "NotaryServers":
        from countermark.adapters.docker_config import CaFolders
        from countermark.adapters.notary import NotaryServers

        folders = [os.path.join(self.docker_folder, "tls")]
        return NotaryServers(self.authenticator, CaFolders(folders), self.config.trust_server)

    @property
    def loader(self) -> "Loader":
        """Loads repositories' trust data."""
        from countermark.schemes.dct.repository import Loader

        return self._once("loader", lambda: Loader(self.cache, self.warn))

    @property
    def ring(self) -> "KeyRing":
        """The private keys, opened when needed."""
        from countermark.schemes.dct.key_ring import KeyRing

        return self._once("ring", lambda: KeyRing(self.keys, self.terminal))

    @property
    def publisher(self) -> "DctPublisher":
        """Publishes trust data with the keys of the trust folder."""
        from countermark.schemes.dct.signer import DctPublisher

        return self._once("publisher", lambda: DctPublisher(self.servers, self.loader, self.ring))

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

            memory = FolderClaims(os.path.join(self.trust_folder, "countermark-claims"))
        registry = self.registry(policy)
        schemes = {
            signer.scheme for signer in policy.signers
        }  # none else is loaded: a start costs each its time
        verifiers: dict[str, Verifier] = {}
        authorities: dict[str, TagAuthority] = {}
        if "dct" in schemes or any(layer.moved_tag == "useSigned" for layer in policy.layers):
            from countermark.schemes.dct.verifier import DctVerifier

            verifiers["dct"] = authorities["dct"] = DctVerifier(self.servers, self.loader)
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

        return self._once("terminal", lambda: Terminal(self.environment, 0, show))

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

        return self._once("cosign", lambda: Cosign(self))

    # Images and services --------------------------------------------------------------------------

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

    def server_data(self, given: str) -> str:
        """The folder of ``serve``: the one given, else the configuration's, else the usual one."""
        return self.absolute(given or self.config.serve.data or self.data_folder)

    def server(self, flags: "Mapping[str, object]") -> "Server":
        """A registry and trust server, as the configuration and these flags have it."""
        from countermark.assembly.server import Server

        return Server(
            self._serving(flags), self.data_folder, clock, self.environment, self._open_key
        )

    def _open_key(self, reference: str) -> "SigningKey":
        return self.cosign.keys.signing_key(reference)

    def _serving(self, flags: "Mapping[str, object]") -> "Config":
        """The configuration with the flags of a command about a server."""
        from countermark.config import serve_flags

        return self.config_with((serve_flags(flags),))

    def backup(
        self, flags: "Mapping[str, object]", to: str, *, with_master_key: bool
    ) -> "Sequence[str]":
        """Copy a server's folder into a file; say what was done."""
        from countermark.assembly import backups

        serve = self._serving(flags).serve
        data = self.absolute(serve.data or self.data_folder)
        order = backups.BackupOrder(
            data=data,
            to=self.absolute(to),
            master_key=serve.master_key_file or os.path.join(data, backups.MASTER),
            with_master_key=with_master_key,
        )
        return backups.backup(order, self.now())

    def restore(
        self, flags: "Mapping[str, object]", file: str, expected: "Sequence[str]"
    ) -> "Sequence[str]":
        """Put a copy of a server's folder into an empty one; say what follows."""
        from countermark.assembly import backups

        serve = self._serving(flags).serve
        texts = []
        for path in expected:
            text = self.files.read(path)
            if text is None:
                raise InputError(f"there is no file {path}")
            texts.append(text)
        order = backups.RestoreOrder(
            file=file,
            data=self.absolute(serve.data or self.data_folder),
            master_key=serve.master_key_file,
            expected=tuple(texts),
        )
        return backups.restore(order)

    # A private Sigstore -------------------------------------------------------------------------------

    @staticmethod
    def password_from_stdin() -> str:
        """A password that another program sends."""
        from countermark.adapters.typed_password import read_password

        return read_password(0)

    def typed_password(self, prompt: str) -> str | None:
        """A password that somebody types, unseen; None where nobody is at a terminal."""
        return self.cosign.prompt.hidden(prompt)

    def accounts(self, data: str) -> "AccountFile":
        """The accounts of the issuer in a server's folder."""
        from countermark.assembly import sigstore_files

        return sigstore_files.accounts(self.server_data(data))

    def identity_issuer(self, issuer: str, ca: str, data: str) -> "IdentityIssuer":
        """An issuer of identity tokens: at an address, or of a server's folder."""
        from countermark.assembly import sigstore_files

        return sigstore_files.issuer(self, issuer, ca, self.server_data(data))

    def exported_sigstore(self, data: str) -> "Mapping[str, bytes]":
        """What hosts without a network need of the Sigstore in a server's folder."""
        from countermark.assembly import sigstore_files

        folder = self.server_data(data)
        own = os.path.join(folder, "master.key")
        return sigstore_files.exported(folder, self.config.serve.master_key_file or own)

    def use_sigstore(self, data: str, *, replace: bool) -> "InUse":
        """Sign and verify with the Sigstore in a server's folder from now on."""
        from countermark.assembly import sigstore_files

        return sigstore_files.use(self, self.server_data(data), replace=replace)

    def rotate_sigstore(
        self, flags: "Mapping[str, object]", what: str, url: str
    ) -> "Sequence[str]":
        """Give a service of the Sigstore in a server's folder a new key; say what holds from now on."""
        from countermark.assembly import sigstore_files, sigstore_rotation
        from countermark.assembly.sigstore_keys import OutsideKeys

        serve = self._serving(flags).serve
        data = self.absolute(serve.data or self.data_folder)
        outside = OutsideKeys(serve.service_keys, self._open_key).of
        settings = sigstore_files.settings(data, serve, self.environment).replace(outside=outside)
        return sigstore_rotation.rotate(settings, clock, what, url)

    @staticmethod
    def write_files(folder: str, files: "Mapping[str, bytes]") -> None:
        """Put files into a folder."""
        from countermark.assembly import sigstore_files

        sigstore_files.write_files(folder, files)

    # Our own place in the system --------------------------------------------------------------------

    @property
    def own_command(self) -> tuple[str, ...]:
        """How a script calls us: -P, or a countermark in the working directory would run; -c is faster than -m."""
        return (sys.executable, "-P", "-c", "from countermark.cli.start import entry; entry()")

    def absolute(self, path: str) -> str:
        """A path from the working directory, made absolute."""
        return os.path.abspath(path)

    def default_shim_folder(self, *, plugins: bool) -> str:
        """Where a shim goes unless told otherwise: docker's plugin folder, or the user's programs."""
        if plugins:
            return os.path.join(self.docker_folder, "cli-plugins")
        return os.path.join(self.home, ".local", "bin")

    def first_on_path(self, name: str) -> str:
        """The program that a name means on PATH, "" for none."""
        from countermark.adapters import process

        return process.find(name, self.environment.get("PATH", "")) or ""

    def real_docker(self) -> str:
        """The docker on PATH that is not one of our shims, "" for none."""
        from countermark.adapters import process
        from countermark.assembly.drop_in import MARK

        search = self.environment.get("PATH", "")
        return process.find("docker", search, mark=MARK.encode()) or ""

    def docker_major_version(self) -> int | None:
        """Which docker command stands on PATH, None where there is none or it does not say."""
        import re

        from countermark.adapters import process

        path = self.real_docker()
        if not path:
            return None
        said = process.run((path, "--version"), environment=self.environment).output
        found = re.search(rb"version (\d{1,4})\.", said)
        return int(found[1]) if found else None

    def packaged(self, name: str) -> str | None:
        """A text that was made when the package was built."""
        return self.files.read(os.path.join(os.path.dirname(os.path.dirname(__file__)), name))
