"""Logs and witnesses over HTTP: what is asked, and what each answer means."""

from collections.abc import Iterator

import pytest

from countermark.adapters.http_client import HttpClient
from countermark.adapters.log_over_http import LogOverHttp, WitnessOverHttp
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    InputError,
    RefusedError,
    UnavailableError,
)
from servers import Asked, Server, answer, closed_port, handling


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(pause=lambda _: None)
    yield made
    made.close()


def serving(status: int, body: bytes = b"") -> Server:
    return Server(handling(lambda _: answer(status, body)))


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", "/api/v2/tile/0/x001/002.p/3"),
        ("/", "/api/v2/tile/0/x001/002.p/3"),
        ("/api/v2", "/api/v2/tile/0/x001/002.p/3"),
        ("/logs/one/", "/logs/one/tile/0/x001/002.p/3"),
    ],
)
def test_where_files_are(path: str, target: str, client: HttpClient) -> None:
    with serving(200, b"content") as server:
        log = LogOverHttp(client, f"http://{server.address}{path}")
        assert log.read("tile/0/x001/002.p/3", 7) == b"content"
        assert [asked.target for asked in server.asked] == [target]


@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_is_not_there(status: int, client: HttpClient) -> None:
    with serving(status) as server:
        assert LogOverHttp(client, f"http://{server.address}").read("checkpoint", 9) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, RefusedError), (403, RefusedError), (500, UnavailableError), (503, UnavailableError),
        (204, UnavailableError),
    ],
)  # fmt: skip
def test_trouble(status: int, kind: type[CountermarkError], client: HttpClient) -> None:
    with serving(status) as server, pytest.raises(kind):
        LogOverHttp(client, f"http://{server.address}").read("checkpoint", 9)


def test_what_is_too_long(client: HttpClient) -> None:
    with serving(200, b"1234567890") as server, pytest.raises(EvidenceError) as caught:
        LogOverHttp(client, f"http://{server.address}").read("checkpoint", 9)
    assert caught.value.code == Code.TOO_LARGE


def test_nobody_there(client: HttpClient) -> None:
    address = f"127.0.0.1:{closed_port()}"
    with pytest.raises(UnavailableError):
        LogOverHttp(client, f"http://{address}").read("checkpoint", 9)
    with pytest.raises(UnavailableError):
        WitnessOverHttp(client, f"http://{address}").add_checkpoint(b"x")


def test_urls_that_are_none(client: HttpClient) -> None:
    for make in (LogOverHttp, WitnessOverHttp):
        with pytest.raises(InputError):
            make(client, "ftp://example.test")
    with pytest.raises(InputError):
        LogOverHttp(client, "http://log.example.test").read("checkpoint", 9)


@pytest.mark.parametrize("status", [200, 403, 404, 409, 422])
def test_a_witness(status: int, client: HttpClient) -> None:
    seen: list[Asked] = []

    def handle(asked: Asked) -> bytes:
        seen.append(asked)
        return answer(status, b"body")

    with Server(handling(handle)) as server:
        witness = WitnessOverHttp(client, f"http://{server.address}/w/")
        assert witness.add_checkpoint(b"old 0\n\nnote") == (status, b"body")
    (asked,) = seen
    assert (asked.method, asked.target, asked.body) == (
        "POST",
        "/w/add-checkpoint",
        b"old 0\n\nnote",
    )
    assert asked.header("content-type").startswith("text/plain")
