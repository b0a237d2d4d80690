"""The browser that comes back: only the one that is waited for, whatever else knocks."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from countermark.adapters.redirect_listener import RedirectListener
from countermark.core.errors import InputError, StorageError, UnavailableError


@contextmanager
def listening(wanted: str = "") -> Iterator[RedirectListener]:
    listener = RedirectListener(wanted)
    try:
        yield listener
    finally:
        listener.close()


def knock(listener: RedirectListener, request: bytes) -> bytes:
    """Send a request, and take the whole answer."""
    port = int(listener.url.rpartition(":")[2].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        found = b""
        with suppress(OSError):  # what is too long is not read to its end
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(4096):
                found += piece
    return found


def visits(listener: RedirectListener, *requests: bytes) -> tuple[dict[str, str], list[bytes]]:
    """Wait for the browser while these come, one after the other."""
    answers: list[bytes] = []

    def send() -> None:
        for request in requests:
            answers.append(knock(listener, request))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        return listener.wait(20), answers
    finally:
        thread.join(20)


def get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


GOOD = get("/auth/callback?code=a%20b&state=s")


def test_the_one_that_is_waited_for() -> None:
    with listening() as listener:
        assert listener.url.startswith("http://localhost:")
        assert listener.url.endswith("/auth/callback")
        found, answers = visits(listener, GOOD)
    assert found == {"code": "a b", "state": "s"}
    assert answers[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"You are signed in" in answers[0]
    assert b"a b" not in answers[0]


def test_what_else_knocks() -> None:
    others = (
        get("/favicon.ico"),
        get("/auth/callbacks?code=x"),
        b"POST /auth/callback?code=x HTTP/1.1\r\n\r\n",
        b"GET",
        b"",
        b"\x16\x03\x01" + b"\0" * 100,
        get("/auth/callback?" + "x" * 100_000),
    )
    with listening() as listener:
        found, answers = visits(listener, *others, GOOD)
    assert found["code"] == "a b"
    assert all(b"404 Not Found" in each for each in answers[:-2])
    assert b"200 OK" not in answers[-2]


@pytest.mark.parametrize(
    "query", ["state=s&state=t&code=c", "&".join(f"a{n}=1" for n in range(40))]
)
def test_parameters_that_could_be_read_both_ways_are_none(query: str) -> None:
    with listening() as listener:
        found, _ = visits(listener, get(f"/auth/callback?{query}"))
    assert found == {}


def test_nobody_comes() -> None:
    with listening() as listener, pytest.raises(UnavailableError, match="nobody signed in in time"):
        listener.wait(0.01)


@pytest.mark.parametrize(
    ("wanted", "start", "path"),
    [
        ("http://127.0.0.1:0/x", "http://127.0.0.1:", "/x"),
        ("http://localhost/cb", "http://localhost:", "/cb"),
        ("http://localhost:0/auth/callback", "http://localhost:", "/auth/callback"),
    ],
)
def test_a_place_that_is_asked_for(wanted: str, start: str, path: str) -> None:
    with listening(wanted) as listener:
        assert listener.url.startswith(start)
        assert listener.url.endswith(path)
        assert not listener.url.startswith(f"{start}0")
        found, _ = visits(listener, get(f"{path}?code=1"))
    assert found == {"code": "1"}


def test_a_port_that_is_asked_for_is_the_one_or_none() -> None:
    with listening() as first:
        with pytest.raises(StorageError, match="cannot listen on port"):
            RedirectListener(first.url)
        port = first.url
    with listening(port) as again:
        assert again.url == port


@pytest.mark.parametrize(
    "wanted",
    [
        "https://localhost/x",
        "http://example.test/x",
        "http://0.0.0.0:80/x",
        "urn:x",
        "http://[::1]/x",
    ],
)
def test_only_this_machine(wanted: str) -> None:
    with pytest.raises(InputError):
        RedirectListener(wanted)
