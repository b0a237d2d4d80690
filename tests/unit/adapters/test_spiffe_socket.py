"""A SPIFFE agent on its socket: what it is asked, and everything that it may answer."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from countermark.adapters import spiffe_socket
from countermark.core.errors import (
    CountermarkError,
    InputError,
    MalformedError,
    RefusedError,
    UnavailableError,
)

TOKEN = "header.claims.signature"


def field(number: int, content: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + varint(len(content)) + content


def varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes((number & 0x7F | 0x80,))
        number >>= 7
    return found + bytes((number,))


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + content


def message(token: str = TOKEN) -> bytes:
    return field(1, field(1, b"spiffe://x.test/y") + field(2, token.encode()))


def framed(content: bytes) -> bytes:
    return b"\0" + len(content).to_bytes(4) + content


HEADERS, TRAILERS = frame(1, 4, 1, b"\x88"), frame(1, 5, 1, b"\x88")
GOOD = HEADERS + frame(0, 0, 1, framed(message())) + TRAILERS


class Agent:
    """Answers one call with exact bytes; ``asked`` is what came."""

    def __init__(self, path: Path, answer: bytes) -> None:
        self.address, self.asked = f"unix://{path}", b""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._answer = answer
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(20)
            while b"spiffe.io" not in self.asked or not self.asked.endswith(b"sigstore"):
                self.asked += connection.recv(4096)
            try:
                connection.sendall(self._answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass
            except OSError:
                pass  # it has heard enough

    def stop(self) -> None:
        self._listener.close()
        self._thread.join(20)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Callable[[bytes], Agent]]:
    made: list[Agent] = []

    def start(answer: bytes) -> Agent:
        made.append(Agent(tmp_path / "agent.sock", answer))
        return made[-1]

    yield start
    for each in made:
        each.stop()


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        frame(4, 0, 0, b"") + frame(4, 1, 0, b"") + frame(6, 0, 0, b"12345678") + GOOD,
        HEADERS + frame(0, 8, 1, b"\x02" + framed(message()) + b"\0\0") + TRAILERS,
        HEADERS + b"".join(frame(0, 0, 1, bytes((b,))) for b in framed(message())[:20])
        + frame(0, 1, 1, framed(message())[20:]),
        frame(8, 0, 0, b"\0\0\xff\xff") + GOOD,
        HEADERS + frame(0, 0, 1, framed(message() + field(1, field(2, b"another")))) + TRAILERS,
    ],
    ids=["plain", "settings and ping", "padded", "in pieces", "window", "two"],
)  # fmt: skip
def test_a_token(agent: Callable[[bytes], Agent], answer: bytes) -> None:
    made = agent(answer)
    assert spiffe_socket.token(made.address, "sigstore") == TOKEN
    assert made.asked.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert b"/SpiffeWorkloadAPI/FetchJWTSVID" in made.asked


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", UnavailableError),
        (GOOD[:20], UnavailableError),
        (TRAILERS, RefusedError),
        (HEADERS + frame(3, 0, 1, b"\0\0\0\1"), UnavailableError),
        (frame(7, 0, 0, b"\0" * 8), UnavailableError),
        (HEADERS + frame(0, 1, 1, framed(message())[:-1]), MalformedError),
        (HEADERS + frame(0, 1, 1, b"\1" + framed(message())[1:]), MalformedError),
        (HEADERS + frame(0, 1, 1, framed(b"")), MalformedError),
        (HEADERS + frame(0, 1, 1, framed(b"\x08\x01")), MalformedError),
        (HEADERS + frame(0, 1, 1, framed(b"\x0a\xff\xff\xff\xff\xff\xff")), MalformedError),
        (HEADERS + frame(0, 1, 1, framed(b"\x0a\x7f")), MalformedError),
        (HEADERS + frame(0, 9, 1, b"\x09\0"), MalformedError),
        (b"\x7f\xff\xff\x00\x00\x00\x00\x00\x01", MalformedError),
        (HEADERS + frame(0, 0, 1, b"\0" * 16_384) * 40, MalformedError),
        (frame(4, 1, 0, b"") * 100, MalformedError),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", CountermarkError),
    ],
)
def test_what_is_no_token(
    agent: Callable[[bytes], Agent], answer: bytes, error: type[CountermarkError]
) -> None:
    made = agent(answer)
    with pytest.raises(error):
        spiffe_socket.token(made.address, "sigstore")


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("unix:///nowhere/agent.sock", UnavailableError),
        ("tcp://127.0.0.1:1", UnavailableError),
        ("http://127.0.0.1:1", InputError),
        ("agent.sock", InputError),
        ("unix:relative", InputError),
        ("tcp://127.0.0.1", InputError),
    ],
)
def test_addresses(address: str, error: Any) -> None:
    with pytest.raises(error):
        spiffe_socket.token(address, "sigstore")
