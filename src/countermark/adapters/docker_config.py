"""Docker's configuration folder and its relatives: logins, contexts, and the CA folders of single servers.

Read, never written. Who can write these files decides whom we log in as, and which servers we believe.
"""

import os
from binascii import Error as Base64Error
from binascii import a2b_base64

from countermark.adapters import storage
from countermark.adapters.http_tls import HostTls
from countermark.core import limits
from countermark.core.errors import ConfigError, MalformedError
from countermark.core.reference import DOCKER_HUB
from countermark.core.value import Value
from countermark.formats.strict_json import Json, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HUB_KEY = "https://index.docker.io/v1/"  # under which docker keeps Docker Hub's login


class Login(Value):
    """Who we are at a registry: user and password, or an identity token that stands for both."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""

    def __repr__(self) -> str:
        return f"Login({self.username})"  # never the secrets

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing, as the entries that ``docker logout`` and credential stores leave."""
        return not ((self.username and self.password) or self.identity_token or self.registry_token)

    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return tuple(
            text for text in (self.password, self.identity_token, self.registry_token) if text
        )


class DockerConfig(Value):
    """A config.json, or podman's auth.json, which has the same form. Unknown members are left alone.

    Attributes:
        file: where it was read.
        logins: as written, by registry, or by registry and path (podman).
        helpers: the credential helper of single registries; ``store`` that of all others, or "".
        context: the name of the current context, or "".
        proxies: what docker puts into containers; by ``default`` or a daemon's address. Not used for our requests.
    """

    file: str = ""
    logins: "Mapping[str, Login]" = {}  # noqa: RUF012 - frozen, and never written to
    helpers: "Mapping[str, str]" = {}  # noqa: RUF012 - as above
    store: str = ""
    context: str = ""
    proxies: "Mapping[str, Mapping[str, str]]" = {}  # noqa: RUF012 - as above

    @classmethod
    def parse(cls, content: bytes, file: str = "") -> "DockerConfig":
        """Read the file's content.

        Raises:
            ConfigError: it is not JSON, or a member that we need is of another kind. No message has a secret in it.
        """
        try:
            document = (
                parse(content, max_bytes=limits.DOCKER_CONFIG_BYTES) if content.strip() else {}
            )
        except MalformedError as error:
            raise ConfigError(str(error), file=file) from None
        place = _Place(file, "", document)
        return cls(
            file=file,
            logins={key: _login(entry) for key, entry in place.member("auths").entries()},
            helpers=place.member("credHelpers").texts(),
            store=place.text("credsStore"),
            context=place.text("currentContext"),
            proxies={key: entry.texts() for key, entry in place.member("proxies").entries()},
        )

    def login_of(self, registry: str, path: str = "") -> Login | None:
        """Return what the file itself says about a registry; with a path the most specific entry (podman).

        A key may be written as an address (``https://host/v1/``), as docker has since 2013; it counts for its host.
        """
        names = [registry]
        for part in path.split("/") if path else ():
            names.append(f"{names[-1]}/{part}")
        wanted = [*reversed(names), HUB_KEY] if registry == DOCKER_HUB else [*reversed(names)]
        for name in wanted:
            found = self.logins.get(name)
            if found and not found.is_empty:
                return found
        for key, found in self.logins.items():
            if host_of_key(key) == registry and not found.is_empty and "://" in key:
                return found
        return None

    def username_of(self, registry: str) -> str:
        """The name in the file for a registry, "" where there is none: docker calls the first signer by it."""
        found = self.login_of(registry)
        return found.username if found else ""


class _Place:
    """A part of the document, which may be missing, with its path for messages."""

    def __init__(self, file: str, path: str, value: Json) -> None:
        self._file, self._path = file, path
        if not isinstance(value, dict):
            raise ConfigError("not an object", file=file, path=path)
        self._members = value

    def _at(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def member(self, name: str) -> "_Place":
        value = self._members.get(name)
        return _Place(self._file, self._at(name), {} if value is None else value)

    def entries(self) -> "list[tuple[str, _Place]]":
        return [(name, self.member(name)) for name in self._members]

    def text(self, name: str) -> str:
        value = self._members.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise ConfigError("not a string", file=self._file, path=self._at(name))
        return value

    def texts(self) -> dict[str, str]:
        return {name: self.text(name) for name in self._members}

    def wrong(self, name: str, message: str) -> ConfigError:
        return ConfigError(message, file=self._file, path=self._at(name))


def _login(entry: _Place) -> Login:
    username, password = entry.text("username"), entry.text("password")
    encoded = entry.text("auth")
    if encoded:
        try:
            text = a2b_base64(encoded.encode("ascii"), strict_mode=True).decode("utf-8")
        except (Base64Error, ValueError):
            raise entry.wrong("auth", "not base64 of user:password") from None
        username, colon, password = text.partition(":")
        if not colon:
            raise entry.wrong("auth", "not base64 of user:password")
        password = password.rstrip("\0")  # docker strips it too: old versions padded
    return Login(
        username=username,
        password=password,
        identity_token=entry.text("identitytoken"),
        registry_token=entry.text("registrytoken"),
    )


def host_of_key(key: str) -> str:
    """The host that a key of ``auths`` is about: Docker Hub's is ``docker.io``."""
    if key == HUB_KEY:
        return DOCKER_HUB
    bare = key.removeprefix("https://").removeprefix("http://")
    return bare.partition("/")[0]


def read_docker_config(file: str) -> DockerConfig:
    """Read a file, an empty configuration where there is none.

    Raises:
        ConfigError: its content is wrong. StorageError: it cannot be read.
    """
    try:
        content = storage.read(file, limits.DOCKER_CONFIG_BYTES)
    except MalformedError as error:
        raise ConfigError(str(error), file=file) from None
    return DockerConfig(file=file) if content is None else DockerConfig.parse(content, file)


class CaFolders:
    """What docker's folders say about TLS with single servers: ``<folder>/<host[:port]>/*.crt`` and client pairs.

    For trust servers the folder is ``<docker config>/tls``; for registries ``/etc/docker/certs.d`` and its relatives.
    """

    def __init__(self, folders: "Sequence[str]", label: str = "") -> None:
        self._folders, self._label = tuple(folders), label
        self._known: dict[tuple[str, ...], HostTls] = {}

    def tls_for(self, *hosts: str, ca_texts: "Sequence[str]" = ()) -> HostTls:
        """Return what is there for a server, under any of its names; ``ca_texts`` (PEM) come on top.

        Raises:
            ConfigError: a certificate without its key, or the reverse, as docker refuses them.
        """
        key = (*hosts, "", *ca_texts)
        found = self._known.get(key)
        if found is None:
            places = [
                os.path.join(folder, host)
                for folder in self._folders
                for host in dict.fromkeys(hosts)
            ]
            material = [tls_material(place) for place in places]
            found = HostTls(
                ca_files=tuple(file for files, _ in material for file in files),
                ca_texts=tuple(ca_texts),
                client_pairs=tuple(pair for _, pairs in material for pair in pairs),
                label=self._label,
            )
            self._known[key] = found
        return found


def tls_material(folder: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """List the CA files (``*.crt``) and client pairs (``*.cert`` with ``*.key``) of a folder, both in order of names.

    Raises:
        ConfigError: a certificate without its key, or the reverse; a folder that cannot be listed.
    """
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return (), ()
    except OSError as error:
        raise ConfigError(f"cannot be listed: {error.strerror}", file=folder) from None
    pairs: list[tuple[str, str]] = []
    for name in names:
        stem, dot, kind = name.rpartition(".")
        if dot and kind == "cert":
            if f"{stem}.key" not in names:
                raise ConfigError(
                    f"missing key {stem}.key for client certificate {name}. "
                    "CA certificates must use the extension .crt",
                    file=folder,
                )
            pairs.append((os.path.join(folder, name), os.path.join(folder, f"{stem}.key")))
        elif dot and kind == "key" and f"{stem}.cert" not in names:
            raise ConfigError(f"missing client certificate {stem}.cert for key {name}", file=folder)
    return tuple(os.path.join(folder, name) for name in names if name.endswith(".crt")), tuple(
        pairs
    )
