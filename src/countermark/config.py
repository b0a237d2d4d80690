"""The config file as frozen values."""

from countermark.core.errors import ConfigError
from countermark.core.text import harmless
from countermark.core.value import Value
from countermark.policy.built_in import MOVED_TAG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from countermark.formats.strict_yaml import Item

    Setting = str | bool | int | tuple[str, ...]

DEFAULT = "default"

# Each key: what it may be (path, url, bucket, word, address, flag, count, texts), and what it means where nobody
# sets it.
KEYS: "dict[str, tuple[str, str]]" = {
    "policy": ("path", "the policy files, else content trust as docker has it"),
    "trustServer": ("url", "docker's choice, by the image's registry"),
    "dockerConfig": ("path", "~/.docker"),
    "movedTag": ("word", "deny"),
    "serve.data": ("path", "$XDG_DATA_HOME/countermark"),
    "serve.listen": ("address", "127.0.0.1:5443"),
    "serve.tlsNames": ("texts", "the address listened on"),
    "serve.tlsCert": ("path", "one from our own CA"),
    "serve.tlsKey": ("path", "that of our own certificate"),
    "serve.masterKeyFile": ("path", "master.key in the data folder"),
    "serve.htpasswd": ("path", "no users"),
    "serve.requireLogin": ("flag", "false"),
    "serve.allowAnonymousWrite": ("flag", "false"),
    "serve.acceptSparse": ("flag", "false"),
    "serve.sigstore": ("flag", "false"),
    "serve.issuers": ("path", "our own issuer alone"),
    "serve.logDatabaseFile": ("path", "log.db in the data folder"),
    "serve.logBucket": ("bucket", "folders in the data folder"),
    "serve.logBucketUrl": ("url", "AWS_ENDPOINT_URL_S3, else Amazon's"),
    "serve.serviceKeys": ("texts", "in the data folder"),
    "serve.witnesses": ("texts", "nobody"),
    "serve.witnessesNeeded": ("count", "all of them"),
}


class Serve(Value):
    """What ``countermark serve`` is told; "" and () where nobody says anything."""

    data: str = ""
    listen: str = ""
    tls_names: tuple[str, ...] = ()
    tls_cert: str = ""
    tls_key: str = ""
    master_key_file: str = ""
    htpasswd: str = ""
    require_login: bool = False
    allow_anonymous_write: bool = False
    accept_sparse: bool = False
    sigstore: bool = False
    issuers: str = ""
    log_database_file: str = ""
    log_bucket: str = ""
    log_bucket_url: str = ""
    service_keys: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    witnesses_needed: int | None = None


class Config(Value):
    """The settings that hold, and where each comes from; "" where nobody says anything.

    Attributes:
        policy: path of the one policy file to use.
        trust_server: URL of the trust server for all repositories.
        docker_config: docker's configuration folder.
        moved_tag: ``deny`` or ``useSigned``, for the built-in policy alone.
        serve: settings of the server.
        origins: for each key that someone set, who: a file, a flag, a variable.
    """

    policy: str = ""
    trust_server: str = ""
    docker_config: str = ""
    moved_tag: str = ""
    serve: Serve = Serve()
    origins: tuple[tuple[str, str], ...] = ()

    def lines(self) -> list[str]:
        """Say each setting, its value, and where the value comes from."""
        origins = dict(self.origins)
        found = []
        for key, (_, meaning) in KEYS.items():
            value = _shown(_value(self, key)) if key in origins else meaning
            found.append(harmless(f"{key}: {value}  ({origins.get(key, DEFAULT)})"))
        return found


class Source(Value):
    """What one place says: a file, a flag, a variable. Keys are those of KEYS."""

    origin: str
    settings: "tuple[tuple[str, Setting], ...]"

    def _check(self) -> None:
        for key, value in self.settings:
            if key not in KEYS:
                raise ConfigError(f"{self.origin}: there is no setting {key}")
            kinds: dict[str, type] = {"flag": bool, "texts": tuple, "count": int}
            if type(value) is not kinds.get(KEYS[key][0], str):
                raise ConfigError(f"{self.origin}: {key} cannot be {value!r}")


def serve_flags(flags: "Mapping[str, object]") -> Source:
    """What a command about a server was told, by its words: ``tls_name`` is ``serve.tlsNames``; others pass."""
    fields = {_field(key): key for key in KEYS if key.startswith("serve.")}
    fields |= {"tls_name": "serve.tlsNames", "witness": "serve.witnesses"}
    fields["service_key"] = "serve.serviceKeys"
    fields["witnesses"] = "serve.witnessesNeeded"
    settings = [
        (fields[name], tuple(value) if isinstance(value, list) else value)
        for name, value in flags.items()
        if name in fields and (value or type(value) is int)
    ]
    return Source(origin="flags", settings=tuple(settings))  # type: ignore[arg-type]


def merge(sources: "Iterable[Source]") -> Config:
    """Put places together: the later one wins, key by key."""
    values: dict[str, Setting] = {}
    origins: dict[str, str] = {}
    for source in sources:
        for key, value in source.settings:
            values[key], origins[key] = value, source.origin
    serve = {_field(key): value for key, value in values.items() if key.startswith("serve.")}
    rest = {_field(key): value for key, value in values.items() if not key.startswith("serve.")}
    ordered = tuple((key, origins[key]) for key in KEYS if key in origins)
    return Config(**rest, serve=Serve(**serve), origins=ordered)  # type: ignore[arg-type]


def load(paths: "Sequence[str]", read_file: "Callable[[str], bytes | None]") -> list[Source]:
    """Read the files that exist, in the order given.

    Raises:
        ConfigError: a mistake in one, with file, line and key.
    """
    found = []
    for path in paths:
        content = read_file(path)
        if content is not None:
            found.append(parse(content, path))
    return found


def parse(content: bytes, file: str) -> Source:
    """Read a config file; paths in it are relative to its folder.

    Raises:
        ConfigError: anything wrong or unknown, with file, line and key.
    """
    from countermark.formats.strict_yaml import parse as parse_yaml  # noqa: PLC0415 - only with a file

    document = parse_yaml(content, file)
    top = [key for key in KEYS if "." not in key]
    inner = [key.partition(".")[2] for key in KEYS if "." in key]
    members = dict(document.object([*top, "serve"]))
    if "serve" in members:
        for name, item in members.pop("serve").object(inner).items():
            members[f"serve.{name}"] = item
    return Source(
        origin=file, settings=tuple((key, _read(key, item)) for key, item in members.items())
    )


def _read(key: str, item: "Item") -> "Setting":
    from countermark.policy.parse_parties import url  # noqa: PLC0415 - only with a file

    readers: Mapping[str, Callable[[Item], Setting]] = {
        "path": _path,
        "url": url,
        "bucket": _bucket,
        "count": lambda it: it.integer(0, 100),
        "word": lambda it: it.word(MOVED_TAG),
        "address": _address,
        "flag": lambda it: it.boolean(),
        "texts": lambda it: tuple(part.text() for part in it.items()),
    }
    return readers[KEYS[key][0]](item)


def _path(item: "Item") -> str:
    path = item.text()
    if path.startswith("~"):
        item.refuse("~ is not expanded here", "write the whole path, or one relative to this file")
    folder, slash, _ = item.file.rpartition("/")
    return path if path.startswith("/") else f"{folder}{slash}{path}"


def _bucket(item: "Item") -> str:
    text = item.text()
    if not text.startswith("s3://"):
        item.refuse(f"{text[:80]!r} is no bucket", "write s3://NAME or s3://NAME/PREFIX")
    return text


def _address(item: "Item") -> str:
    text = item.text()
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and int(port[:6]) <= 65535):
        item.refuse(f"{text[:80]!r} is no address", "write HOST:PORT, as 127.0.0.1:5443")
    return text


def _field(key: str) -> str:
    """The field of a key: ``serve.tlsNames`` is ``tls_names``."""
    name = key.rpartition(".")[2]
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def _value(config: Config, key: str) -> "Setting":
    holder = config.serve if key.startswith("serve.") else config
    value: Setting = getattr(holder, _field(key))
    return value


def _shown(value: "Setting") -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value)
