"""Small servers that send exact bytes, in threads, on loopback and a port of the kernel's choice.

A script is a function that is given each connection as a ``Peer`` and says what happens on it, byte by byte:
answers, lies about lengths, hanging, resets. Whoever starts a server stops it: ``with Server(script) as server``.
"""

import contextlib
import datetime
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

WAIT_SECONDS = 20.0  # the longest that anything here waits; tests that work never do
YEAR = datetime.timedelta(days=365)


class Asked:
    """One request as it came."""

    def __init__(
        self, method: str, target: str, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        self.method, self.target, self.headers, self.body = method, target, headers, body

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def header(self, name: str) -> str:
        return ", ".join(value for field, value in self.headers if field.lower() == name.lower())

    def __repr__(self) -> str:
        return f"{self.method} {self.target}"


class Peer:
    """One connection, seen from the server."""

    def __init__(self, server: "Server", sock: socket.socket) -> None:
        self.server, self._socket = server, sock
        self._held = b""

    def request(self) -> Asked | None:
        """Read a request, None where the client closed instead; it is noted in ``server.asked``."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = [
            (name, value.strip()) for name, _, value in (line.partition(":") for line in lines)
        ]
        asked = Asked(method, target, headers, b"")
        if asked.header("transfer-encoding"):
            while size := int((self._until(b"\r\n") or b"0").decode(), 16):
                asked.body += self._exactly(size)
                self._exactly(2)
            self._exactly(2)
        else:
            asked.body = self._exactly(int(asked.header("content-length") or "0"))
        self.server.asked.append(asked)
        return asked

    def head(self) -> bytes:
        """Read a request's head only and leave its body unread."""
        return self._until(b"\r\n\r\n") or b""

    def starts_with(self, start: bytes) -> bool:
        """Say whether the connection begins so; nothing is taken from it."""
        if not self._held:
            self._more()
        return self._held.startswith(start)

    def _more(self) -> bool:
        piece = self._socket.recv(65536)
        self._held += piece
        return bool(piece)

    def _until(self, end: bytes) -> bytes | None:
        while end not in self._held:
            if not self._more():
                return None
        found, _, self._held = self._held.partition(end)
        return found

    def _exactly(self, count: int) -> bytes:
        while len(self._held) < count:
            if not self._more():
                raise ConnectionError("the client stopped inside a request")
        found, self._held = self._held[:count], self._held[count:]
        return found

    def receive(self, count: int) -> bytes:
        return self._exactly(count)

    def send(self, content: bytes) -> None:
        self._socket.sendall(content)

    def drip(self, content: bytes, seconds: float) -> None:
        """Send byte by byte until the client has had enough."""
        for byte in content:
            self._socket.sendall(bytes((byte,)))
            if self.server.stopping.wait(seconds):
                return

    def hang(self) -> None:
        """Say nothing more until the client closes."""
        try:
            while self._socket.recv(65536):
                pass
        except OSError:
            pass

    def reset(self) -> None:
        """Close with a reset instead of an end."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def cut(self) -> None:
        """Close TCP below TLS, without TLS's goodbye."""
        raw = socket.socket(fileno=self._socket.detach())
        raw.shutdown(socket.SHUT_RDWR)
        raw.close()

    def tunnel(self, address: tuple[str, int]) -> None:
        """Carry bytes to and from another server until one side ends."""
        with socket.create_connection(address, timeout=WAIT_SECONDS) as other:
            there = threading.Thread(target=_carry, args=(other, self._socket))
            there.start()
            _carry(self._socket, other)
            there.join(WAIT_SECONDS)


def _carry(source: socket.socket, sink: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


Script = Callable[[Peer], None]


class Server:
    """Runs a script on each connection, one thread each.

    ``asked`` are the requests in the order they came, ``connections`` counts the connections.
    """

    def __init__(
        self, script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._script, self._tls = script, tls
        self.asked: list[Asked] = []
        self.connections = 0
        self.stopping = threading.Event()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.host, self.port = self._listener.getsockname()[:2]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.address}"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(WAIT_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            self._script(Peer(self, sock))
        except OSError:
            pass  # the client went away, which is its right
        finally:
            sock.close()

    def stop(self) -> None:
        self.stopping.set()
        # a listener that is only closed does not wake the thread that waits in accept
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(WAIT_SECONDS)
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join(WAIT_SECONDS)
        for sock in self._open:
            sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def answer(
    status: int = 200,
    body: bytes = b"",
    headers: Iterable[tuple[str, str]] = (),
    *,
    length: bool = True,
) -> bytes:
    """An answer as bytes; with its Content-Length unless told otherwise."""
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers)]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def always(*contents: bytes) -> Script:
    """Answer requests with these bytes, one after the other, over all connections; the last one for ever."""
    left = list(contents)

    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(left.pop(0) if len(left) > 1 else left[0])

    return script


def handling(handle: Callable[[Asked], bytes]) -> Script:
    """Answer each request with what a function says."""

    def script(peer: Peer) -> None:
        while asked := peer.request():
            peer.send(handle(asked))

    return script


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


class Authority:
    """A certificate authority for tests."""

    def __init__(self, folder: Path, name: str = "test ca") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self._name, self._key.public_key(), 0, 1)
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.certificate = builder.sign(self._key, hashes.SHA256())
        self.file = folder / f"{name.replace(' ', '-')}.crt"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, starts: int, ends: int
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + starts * YEAR - datetime.timedelta(hours=1))
            .not_valid_after(now + ends * YEAR)
        )

    def issue(
        self,
        *names: str,
        starts: int = 0,
        ends: int = 1,
        common_name: str = "server",
        client: bool = False,
    ) -> tuple[Path, Path]:
        """Issue a certificate for names and addresses; return the files of certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = self._builder(subject, key.public_key(), starts, ends)
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            general = [_general_name(name) for name in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        stem = self._folder / f"{certificate.serial_number:x}"
        cert_file, key_file = stem.with_suffix(".pem"), stem.with_suffix(".private")
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return cert_file, key_file

    def context(
        self, *names: str, ask_client: bool = False, starts: int = 0, ends: int = 1
    ) -> ssl.SSLContext:
        """A server's TLS context with a certificate for names (loopback's, where none are given)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        files = self.issue(*(names or ("localhost", "127.0.0.1", "::1")), starts=starts, ends=ends)
        context.load_cert_chain(*files)
        if ask_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cafile=self.file)
        return context


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
