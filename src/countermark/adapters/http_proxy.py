"""Proxies between us and a server: which requests go through one, and the tunnel.

The rules of NO_PROXY are Go's (golang.org/x/net/http/httpproxy), since docker follows them. HTTP_PROXY has nothing to
say here: plain http goes to loopback only, and loopback is never proxied.
"""

from binascii import b2a_base64

from countermark.adapters.http_url import Url, is_address, is_loopback
from countermark.core.errors import ConfigError, InputError
from countermark.core.value import Value


class Proxies(Value):
    """HTTPS_PROXY and NO_PROXY as the environment has them."""

    https: str = ""
    no_proxy: str = ""

    def proxy_for(self, url: Url) -> "Proxy | None":
        """Return the proxy that a URL is asked through, None for none.

        Raises:
            ConfigError: the proxy's own address is wrong.
        """
        if not self.https or url.scheme != "https" or is_loopback(url.host):
            return None
        if any(_matches(entry.strip().lower(), url) for entry in self.no_proxy.split(",")):
            return None
        return Proxy.parse(self.https)


class Proxy(Value):
    """One proxy that tunnels (CONNECT), and what it wants to know of us."""

    host: str
    port: int
    authorization: str = ""

    @classmethod
    def parse(cls, text: str) -> "Proxy":
        """Read ``http://user:password@host:port``; the scheme may be left out.

        Raises:
            ConfigError: another scheme, or no host. The message has no password in it.
        """
        scheme, found, rest = text.partition("://")
        if not found:
            scheme, rest = "http", text
        if scheme.lower() != "http":
            raise ConfigError(
                f"HTTPS_PROXY: a proxy of scheme {scheme[:20]!r} is not supported",
                hint="name a proxy that speaks http: http://host:port",
            )
        user, at, address = rest.rpartition("@")
        try:
            url = Url.parse(f"http://{address}")
        except InputError as error:
            raise ConfigError(f"HTTPS_PROXY: {error}") from None
        return cls(host=url.host, port=url.port, authorization=_basic(user) if at else "")

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"


def _basic(user: str) -> str:
    return "Basic " + b2a_base64(_unquoted(user), newline=False).decode("ascii")


def _unquoted(text: str) -> bytes:
    first, *rest = text.encode("utf-8").split(b"%")
    found = [first]
    for part in rest:
        try:
            found.append(bytes.fromhex(part[:2].decode("ascii")) + part[2:])
        except ValueError:
            raise ConfigError("HTTPS_PROXY: a percent sign that escapes nothing") from None
    return b"".join(found)


def _matches(entry: str, url: Url) -> bool:
    """Say whether a NO_PROXY entry takes in a host: ``*``, a name and those below, ``.below``, address, network."""
    if entry in ("", "*"):
        return entry == "*"
    if "/" in entry:
        return _in_network(entry, url.host)
    host, port = _split(entry)
    if port and port != str(url.port):
        return False
    if is_address(url.host):
        return host == url.host
    if host.startswith("*."):
        host = host[1:]
    if host.startswith("."):
        return url.host.endswith(host)
    return url.host == host or url.host.endswith(f".{host}")


def _split(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        host, _, port = entry[1:].partition("]")
        return host, port.lstrip(":")
    host, colon, port = entry.rpartition(":")
    return (host, port) if colon and ":" not in host else (entry, "")


def _in_network(entry: str, host: str) -> bool:
    import ipaddress  # noqa: PLC0415 - only where NO_PROXY names a network

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
