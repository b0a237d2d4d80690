"""URLs as the HTTP client needs them: parsed strictly, joined, never with secrets in them."""

from countermark.core.errors import InputError
from countermark.core.value import Value

try:
    from _socket import AF_INET, AF_INET6, inet_pton
except ImportError:  # another Python; the wrapper costs a cold start 6 ms
    from socket import AF_INET, AF_INET6, inet_pton

_DIGITS = frozenset("0123456789")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_UNRESERVED = _LETTERS | _DIGITS | frozenset("-._~")  # RFC 3986, 2.3
_PATH = _UNRESERVED | frozenset("/:@!$&'()*+,;=")  # 3.3
_HOST = _LETTERS | _DIGITS | frozenset("-._")  # a name that resolvers take; underscores do occur
_PORTS = {"https": 443, "http": 80}
_MAX_CHARS = 16_384  # signed addresses of blob stores have 2,000; Go: bounded by its header limit


class Url(Value):
    """An absolute http or https URL without user, password and fragment.

    ``host`` is lower case and without brackets, ``target`` the path and query as they go into a request.
    """

    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, text: str) -> "Url":
        """Read an absolute URL; a fragment is dropped.

        Raises:
            InputError: another scheme, a user or password, a host or port that is none, characters that no URL has.
        """
        if len(text) > _MAX_CHARS or not text.isascii() or not all("!" <= c <= "~" for c in text):
            raise InputError("not a URL: it is too long, or has characters that must be escaped")
        scheme, found, rest = text.partition("://")
        scheme = scheme.lower()
        if not found or scheme not in _PORTS:
            raise InputError(f"not an http or https URL: {_without_secrets(text)!r}")
        end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
        host, port = _authority(rest[:end], _PORTS[scheme])
        target = rest[end:].partition("#")[0]
        return cls(scheme=scheme, host=host, port=port, target=_rooted(target))

    def join(self, location: str) -> "Url":
        """Resolve a reference, as a Location or Link header has it, against this URL.

        Raises:
            InputError: as ``parse``.
        """
        if location.startswith("//"):
            return Url.parse(f"{self.scheme}:{location}")
        if "://" in location.partition("?")[0]:
            return Url.parse(location)
        path = self.target.partition("?")[0]
        if location.startswith("?"):
            target = path + location
        elif location.startswith("/"):
            target = location
        else:
            target = f"{path.rpartition('/')[0]}/{location}"
        return Url.parse(f"{self.scheme}://{self.authority}{target}")

    def with_query(self, *pairs: tuple[str, str]) -> "Url":
        """Add parameters to the query."""
        query = "&".join(f"{name}={quote(value)}" for name, value in pairs)
        return self.replace(target=f"{self.target}{'&' if '?' in self.target else '?'}{query}")

    @property
    def origin(self) -> tuple[str, str, int]:
        """Whom we talk to: scheme, host, port. Credentials never cross from one to another."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """``host[:port]``, the port where it is not the scheme's own: what Host says and people see."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def dialled(self) -> str:
        """``host:port``, always with the port: what CONNECT says."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def shown(self) -> str:
        """The URL for messages, without the query, which may hold a signature that opens a blob store."""
        return f"{self.scheme}://{self.authority}{self.target.partition('?')[0]}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def _rooted(target: str) -> str:
    return target if target.startswith("/") else f"/{target}"


def _without_secrets(text: str) -> str:
    return text.partition("?")[0].rpartition("@")[2][:200]


def _authority(text: str, default_port: int) -> tuple[str, int]:
    if "@" in text:
        raise InputError("a URL must not have a user or password in it")
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or not _is_address(AF_INET6, host) or (port and port[0] != ":"):
            raise InputError(f"not a host: {text[:200]!r}")
        port = port[1:]
    else:
        host, _, port = text.partition(":")
        if not host or not _HOST.issuperset(host) or ".." in host or host[0] in ".-":
            raise InputError(f"not a host: {text[:200]!r}")
    if not port:
        return host.lower().rstrip("."), default_port
    if not _DIGITS.issuperset(port) or len(port) > 5 or not 0 < int(port) < 65536:
        raise InputError(f"not a port: {port[:20]!r}")
    return host.lower().rstrip("."), int(port)


def quote(text: str, keep: str = "") -> str:
    """Percent-encode all but unreserved characters and those of ``keep``."""
    kept = _UNRESERVED.union(keep)
    if kept.issuperset(text):
        return text
    return "".join(
        chr(byte) if chr(byte) in kept else f"%{byte:02X}" for byte in text.encode("utf-8")
    )


def path_of(text: str) -> str:
    """Make a path of names that peers write unescaped, as a content trust GUN with its colon.

    Raises:
        InputError: a segment is empty, ``.`` or ``..``, which servers would resolve to another path.
    """
    if any(segment in ("", ".", "..") for segment in text.split("/")):
        raise InputError(f"not a path of names: {text[:200]!r}")
    return text if _PATH.issuperset(text) else quote(text, "/:@!$&'()*+,;=")


def _is_address(family: int, text: str) -> bool:
    try:
        inet_pton(family, text)
    except (OSError, ValueError):
        return False
    return True


def is_address(host: str) -> bool:
    """Say whether a host is an IP address."""
    return _is_address(AF_INET, host) or _is_address(AF_INET6, host)


def is_loopback(host: str) -> bool:
    """Say whether a host is a literal loopback address or ``localhost``; names are not looked up.

    docker also takes names that resolve to loopback, so that whoever answers DNS switches its checks off.
    """
    if host == "localhost":
        return True
    if _is_address(AF_INET, host):
        return inet_pton(AF_INET, host)[0] == 127
    return _is_address(AF_INET6, host) and inet_pton(AF_INET6, host) == b"\0" * 15 + b"\1"
