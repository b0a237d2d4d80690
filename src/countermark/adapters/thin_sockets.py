"""Sockets and TLS straight from CPython's C modules, whose wrappers cost a cold start 14 ms.

``socket`` and ``ssl`` define some forty enums and import what we never use (``selectors``, ``re``, ``base64``). What
they do with the C objects for a plain client connection is little, and it is here: the same OpenSSL, the same checks.
The names used have been there since Python 3.7; where one is missing, the wrappers are loaded and do the same.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _modules(*, thin: bool) -> "tuple[Any, Any, bool]":
    """The two modules to use, and whether they are the C ones."""
    if thin:
        try:
            import _socket  # noqa: PLC0415 - one of two
            import _ssl  # noqa: PLC0415 - one of two

            wanted = ("_SSLContext", "PROTOCOL_TLS_CLIENT", "HOSTFLAG_NEVER_CHECK_SUBJECT")
            if all(hasattr(_ssl, name) for name in wanted):
                return _socket, _ssl, True
        except ImportError:
            pass
    import socket  # noqa: PLC0415 - the slower of two
    import ssl  # noqa: PLC0415 - the slower of two

    return socket, ssl, False


_socket, _ssl, IS_THIN = _modules(thin=True)

AF_INET6: int = _socket.AF_INET6
SOCK_STREAM: int = _socket.SOCK_STREAM
IPPROTO_TCP: int = _socket.IPPROTO_TCP
TCP_NODELAY: int = _socket.TCP_NODELAY
NO_SUCH_HOST = (_socket.EAI_NONAME, getattr(_socket, "EAI_NODATA", _socket.EAI_NONAME))
gaierror: type[OSError] = _socket.gaierror
SSLError: type[OSError] = _ssl.SSLError

_TLS_1_2 = 0x0303
_PARTIAL_CHAIN = 0x80000  # X509_V_FLAG_PARTIAL_CHAIN
_ALPN = b"\x08http/1.1"


class _Weak:
    """Room for a weak reference, which OpenSSL's object keeps to its socket."""

    __slots__ = ("__weakref__",)


class _CSocket(_socket.socket, _Weak):  # type: ignore[misc,name-defined]
    __slots__ = ()


def new_socket(family: int) -> "Any":
    """Make a stream socket."""
    return (_CSocket if IS_THIN else _socket.socket)(family, SOCK_STREAM)


def addresses(host: str, port: int) -> "list[tuple[Any, ...]]":
    """Resolve a name, as ``socket.getaddrinfo``; bytes keep the codec for IDNA, which is slow to load, away."""
    name = host.encode("ascii") if host.isascii() else host
    found: list[tuple[Any, ...]] = _socket.getaddrinfo(name, port, 0, SOCK_STREAM)
    return found


def new_context() -> "Any":
    """Make a TLS client context that verifies chain and name; TLS 1.2 and up, HTTP/1.1 alone.

    A root in the store is believed also where it is not self-signed, as Go does; names are those of the
    certificate's extension alone, as Go since 1.15.
    """
    if not IS_THIN:
        return _standard_context(_ssl)
    context = _ssl._SSLContext(_ssl.PROTOCOL_TLS_CLIENT)  # noqa: SLF001 - see the module
    context.verify_mode = _ssl.CERT_REQUIRED
    context.check_hostname = True
    context.minimum_version = _TLS_1_2
    context.verify_flags |= _PARTIAL_CHAIN
    context._host_flags |= _ssl.HOSTFLAG_NEVER_CHECK_SUBJECT  # noqa: SLF001 - as above
    context._set_alpn_protocols(_ALPN)  # noqa: SLF001 - as above
    return context


def _standard_context(ssl: "Any") -> "Any":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.hostname_checks_common_name = False
    context.set_alpn_protocols(["http/1.1"])
    return context


def secured(sock: "Any", context: "Any", host: str) -> "Any":
    """Agree on TLS over a connected socket with a host of this name.

    An end without TLS's own goodbye stays an error: somebody on the way may have cut the answer.

    Raises:
        OSError, ValueError: as ``ssl.SSLContext.wrap_socket`` does.
    """
    if not IS_THIN:
        return context.wrap_socket(sock, server_hostname=host, suppress_ragged_eofs=False)
    tls = context._wrap_socket(sock, False, server_hostname=host)  # noqa: FBT003, SLF001 - see the module
    tls.do_handshake()
    return TlsSocket(sock, tls)


class TlsSocket:
    """The part of a socket that a connection needs, over TLS."""

    def __init__(self, sock: "Any", tls: "Any") -> None:
        self._socket, self._tls = sock, tls

    def settimeout(self, seconds: float) -> None:
        """Bound the next waits."""
        self._socket.settimeout(seconds)

    def recv(self, max_bytes: int) -> bytes:
        """Read what is there, b"" at TLS's own end."""
        content: bytes = self._tls.read(max_bytes)
        return content

    def sendall(self, content: "memoryview | bytes") -> None:
        """Write everything."""
        rest = memoryview(content)
        while rest:
            rest = rest[self._tls.write(rest) :]

    def fileno(self) -> int:
        """The descriptor, for polling."""
        number: int = self._socket.fileno()
        return number

    def close(self) -> None:
        """Close at once."""
        self._socket.close()


def default_roots() -> tuple[str, str]:
    """OpenSSL's own file and folder of roots."""
    found = _ssl.get_default_verify_paths()
    return (found[1], found[3]) if IS_THIN else (found.openssl_cafile, found.openssl_capath)
