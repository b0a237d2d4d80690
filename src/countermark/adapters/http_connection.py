"""One connection: dialled, perhaps through a proxy, perhaps TLS, every wait bounded."""

from time import monotonic

from countermark.adapters import http_errors, thin_sockets
from countermark.adapters.http_errors import malformed
from countermark.adapters.http_proxy import Proxy
from countermark.adapters.http_url import Url, is_loopback
from countermark.adapters.http_wire import AnswerReader, request_head
from countermark.core import limits
from countermark.core.errors import UnavailableError
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SEND_BYTES = 262_144
_LEAST_CONNECT_SECONDS = 2.0  # for each of several addresses, as Go


class Timeouts(Value):
    """Seconds: to connect (TLS included), between two reads or writes, and for one request as a whole."""

    connect: float = limits.CONNECT_SECONDS
    read: float = limits.READ_SECONDS
    answer: float = limits.ANSWER_SECONDS


class Waiting:
    """How long one request may still wait for its peer. Only waiting counts, not what we do in between.

    Each byte that comes or goes adds a little, so that gigabytes may take their time and a drip may not.
    """

    __slots__ = ("_left", "timeouts")

    def __init__(self, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        self._left = timeouts.answer

    def next(self, seconds: float) -> float:
        """How long the next wait may take, at most ``seconds``.

        Raises:
            UnavailableError: all time is used up.
        """
        if self._left <= 0:
            raise UnavailableError(
                f"no whole answer after waiting {self.timeouts.answer:g} s for it"
            )
        return min(seconds, self._left)

    def spent(self, since: float, count: int = 0) -> None:
        """Note a wait that began at ``since`` (monotonic) and moved ``count`` bytes."""
        self._left -= monotonic() - since
        self._left = min(self._left + count / limits.SLOWEST_BYTES_PER_SECOND, self.timeouts.answer)

    def allows(self, seconds: float) -> bool:
        """Say whether a pause fits in, and count it."""
        self._left -= seconds
        return self._left > 0


class Connection:
    """A connection to one origin, for one request at a time."""

    def __init__(self, sock: "Any", address: str, waiting: Waiting) -> None:
        self._socket = sock
        self._address = address
        self.waiting = waiting
        self.reader = AnswerReader(self._receive)
        self.used = False  # whether an answer has come over it: a reused connection may be stale
        self.idle_since = 0.0

    def _receive(self, max_bytes: int) -> bytes:
        begun = self.reader.begun
        # once the head is there the body is on its way
        start = monotonic()
        try:
            self._socket.settimeout(self.waiting.next(self.waiting.timeouts.read))
            piece: bytes = self._socket.recv(max_bytes)
        except OSError as error:
            raise http_errors.talking(error, self._address, "read", begun=begun) from None
        self.waiting.spent(start, len(piece))
        return piece

    def send(self, content: bytes | memoryview) -> None:
        """Send bytes.

        Raises:
            ResetError: the peer does not take them any more. UnavailableError: it takes them too slowly.
        """
        rest = memoryview(content)
        while rest:
            part = rest[:_SEND_BYTES]
            start = monotonic()
            try:
                self._socket.settimeout(self.waiting.next(self.waiting.timeouts.read))
                self._socket.sendall(part)
            except OSError as error:
                raise http_errors.talking(error, self._address, "write") from None
            self.waiting.spent(start, len(part))
            rest = rest[len(part) :]

    def is_fresh(self) -> bool:
        """Say whether an idle connection is still open and silent: whatever came meanwhile nobody asked for."""
        import select  # noqa: PLC0415 - loaded with socket; only connections used again need it

        try:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            return self.reader.at_rest and not poll.poll(0)
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        """Close at once; nothing is said to the peer."""
        try:
            self._socket.close()
        except OSError:
            pass  # it is gone in any case


def connect(url: Url, proxy: Proxy | None, context: "Any", waiting: Waiting) -> Connection:
    """Open a connection to a URL's origin; ``context`` where it is https.

    Raises:
        NotTlsError: what answers does not speak TLS. UnavailableError: anything else.
    """
    host, port = (proxy.host, proxy.port) if proxy else (url.host, url.port)
    start = monotonic()
    sock, address = _dial(host, port, waiting.next(waiting.timeouts.connect))
    try:
        sock.setsockopt(thin_sockets.IPPROTO_TCP, thin_sockets.TCP_NODELAY, 1)
        waiting.spent(start)
        if proxy:
            _tunnel(sock, address, url, proxy, waiting)
        if context is not None:
            sock = _secured(sock, context, url.host, address, waiting)
    except BaseException:
        sock.close()
        raise
    return Connection(sock, address, waiting)


def _dial(host: str, port: int, seconds: float) -> "tuple[Any, str]":
    try:
        found = thin_sockets.addresses(host, port)
    except (OSError, UnicodeError) as error:
        raise http_errors.resolving(
            error if isinstance(error, OSError) else OSError(), host
        ) from None
    addresses = [(family, where) for family, _, _, _, where in found]
    if host == "localhost":  # plain http is believed there, so it must be here (RFC 6761)
        addresses = [entry for entry in addresses if is_loopback(str(entry[1][0]))]
    deadline = monotonic() + seconds
    first: UnavailableError | None = None
    for place, (family, where) in enumerate(addresses):
        left = deadline - monotonic()
        share = max(left / (len(addresses) - place), min(left, _LEAST_CONNECT_SECONDS))
        address = (
            f"[{where[0]}]:{port}" if family == thin_sockets.AF_INET6 else f"{where[0]}:{port}"
        )
        sock = thin_sockets.new_socket(family)
        try:
            sock.settimeout(max(share, 0.001))
            sock.connect(where)
            return sock, address
        except OSError as error:
            sock.close()
            first = first or http_errors.dialling(error, address)
    raise first or UnavailableError(f"dial tcp: lookup {host}: no such host")


def _secured(sock: "Any", context: "Any", host: str, address: str, waiting: Waiting) -> "Any":
    start = monotonic()
    try:
        sock.settimeout(waiting.next(waiting.timeouts.connect))
        # an end without TLS's own goodbye is an error: somebody on the way may have cut the answer
        secured = thin_sockets.secured(sock, context, host)
    except OSError as error:
        raise http_errors.shaking_hands(error, host, address) from None
    except ValueError:
        raise UnavailableError(f"tls: {host} is no name that a certificate can have") from None
    waiting.spent(start)
    return secured


def _tunnel(sock: "Any", address: str, url: Url, proxy: Proxy, waiting: Waiting) -> None:
    fields = [("Host", url.dialled)]
    if proxy.authorization:
        fields.append(("Proxy-Authorization", proxy.authorization))
    connection = Connection(sock, address, waiting)
    connection.send(request_head("CONNECT", url.dialled, fields))
    head = connection.reader.head()
    if not 200 <= head.status < 300:
        reason = head.reason if head.reason.isprintable() else ""
        raise UnavailableError(
            f"proxyconnect tcp: {address}: {head.status} {reason[:80]}".rstrip(),
            status=head.status,
        )
    if not connection.reader.at_rest:
        raise malformed("the proxy sent something after its answer to CONNECT")
