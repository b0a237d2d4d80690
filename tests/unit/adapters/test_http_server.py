"""The HTTP server over real sockets: what it refuses, bounds, streams, logs, counts, and how it ends."""

import contextlib
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from countermark.adapters.granian_server import listen
from countermark.adapters.http_bodies import SHORT_BYTES, with_short_file
from countermark.adapters.http_log import Metrics, Served, ServerLog
from countermark.adapters.http_paths import BadPathError, cleaned, decoded, quoted
from countermark.adapters.http_server import Bounds, HttpServer, Services
from countermark.core.errors import Code, ConfigError, InputError
from countermark.core.ports_hosting import FileRange, Response

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parents[2] / "serve_http.py"
WAIT = 20.0


class Running:
    """A server in a process of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        self.out = self.process.stdout
        self.port = int(self.out.readline())

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT)

    def raw(self, sent: bytes, *, half_close: bool = False) -> bytes:
        """Send bytes and read until the server closes."""
        with self.connect() as connection:
            connection.sendall(sent)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    def ask(
        self, target: str, method: str = "GET", headers: str = "", body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}"
        if body:
            head += f"Content-Length: {len(body)}\r\n"
        return parsed(self.raw(head.encode() + b"\r\n" + body))

    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(WAIT)
        self.out.close()


def read_all(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(1 << 20):
            received += part
    return received


def parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    if headers.get("transfer-encoding") == "chunked":
        body = dechunked(body)
    return int(first.split()[1]), headers, body


def dechunked(body: bytes) -> bytes:
    found = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        if int(size, 16) == 0:
            return found
        found += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    raise AssertionError("no last chunk")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("server"))
    yield running
    assert running.stop() == 0
    running.kill()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Running]:
    """A server for a test that ends or hinders it."""
    running = Running(tmp_path)
    yield running
    running.kill()


# What arrives ---------------------------------------------------------------------------------------


def test_a_request_arrives_as_it_was_sent(server: Running) -> None:
    status, headers, body = server.ask(
        "/echo/a%20b%2Fc?x=%20y", "POST", "X-One: 1\r\nX-One: 2\r\n", b"content"
    )
    assert status == 200
    assert body.decode().split("\n") == [
        "POST",
        "/echo/a b/c",
        "x=%20y",
        "content",
        "connection: close",
        "content-length: 7",
        "host: x",
        "x-one: 1, 2",
    ]
    assert headers["content-length"] == str(len(body))
    assert headers["server"] == "countermark"
    assert headers["x-content-type-options"] == "nosniff"


def test_head_has_the_headers_and_no_body(server: Running) -> None:
    get, head = server.ask("/stream?2"), server.ask("/stream?2", "HEAD")
    assert (get[0], head[0], head[2]) == (200, 200, b"")
    _, headers, body = server.ask("/echo", "HEAD")
    assert int(headers["content-length"]) > 0
    assert body == b""
    assert server.ask("/readyz", "HEAD")[2] == b""


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"GET /echo HTTP/1.1\r\n", 400, "BAD_REQUEST"),
        (b"GET /echo HTTP/1.1\r\nHost:\r\n", 400, "BAD_REQUEST"),
        (b"GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400, "BAD_REQUEST"),
        (b"GET /echo%00 HTTP/1.1\r\nHost: a\r\n", 400, "BAD_REQUEST"),
        (b"GET /echo%0a HTTP/1.1\r\nHost: a\r\n", 400, "BAD_REQUEST"),
        (b"GET /echo%zz HTTP/1.1\r\nHost: a\r\n", 400, "BAD_REQUEST"),
        (b"GET /echo%ff HTTP/1.1\r\nHost: a\r\n", 400, "BAD_REQUEST"),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n", 400, "BAD_REQUEST"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n", 400, "BAD_REQUEST"),
        (
            b"GET /echo HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\n",
            400,
            "BAD_REQUEST",
        ),
        (b"GET /v2/app/_trust/tuf/timestamp.json HTTP/1.1\r\n", 400, "BAD_REQUEST"),
        (b"GET /nothing HTTP/1.1\r\nHost: a\r\n", 404, "NOT_FOUND"),
        (
            b"GET /echo HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 66_000 + b"\r\n",
            431,
            "HEADERS_TOO_LARGE",
        ),
    ],
)
def test_refused(server: Running, request_: bytes, status: int, code: str) -> None:
    found, headers, body = parsed(server.raw(request_ + b"Connection: close\r\n\r\n"))
    assert found == status
    assert json.loads(body)["errors"][0]["code"] == code
    assert headers["content-type"] == "application/json; charset=utf-8"


def test_length_beside_chunks_cannot_smuggle(server: Running) -> None:
    """The chunks count, and the connection ends before what may be another request (RFC 9112, 6.3)."""
    smuggled = b"GET /echo/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    for order in (
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n",
    ):
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\n" + order % (5 + len(smuggled)) + b"\r\n"
        answer = server.raw(head + b"0\r\n\r\n" + smuggled)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"smuggled" not in answer
    two = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
    assert server.raw(two).startswith(b"HTTP/1.1 400 ")


def test_old_clients_need_no_host(server: Running) -> None:
    assert server.raw(b"GET /echo HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200 ")


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/echo//a", "/echo/a"),
        ("/echo/../fail?x=1", "/fail?x=1"),
        ("/echo/./a/", "/echo/a/"),
        ("/echo/%2e%2e/%2e%2e/etc", "/etc"),
        ("//evil.test/", "/evil.test/"),
        ("/echo/a%2F%2Fb%20c", "/echo/a/b%20c"),
    ],
)
def test_unclean_paths_are_sent_elsewhere(server: Running, target: str, location: str) -> None:
    status, headers, _ = server.ask(target)
    assert (status, headers["location"]) == (301, location)


# What a handler raises ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("input", 400, "BAD_INPUT"),
        ("busy", 503, "UNAVAILABLE"),
        ("bug", 500, "INTERNAL"),
        ("disk", 500, "INTERNAL"),
    ],
)
def test_errors_of_handlers(server: Running, query: str, status: int, code: str) -> None:
    found, headers, body = server.ask(f"/fail?{query}")
    assert found == status
    assert json.loads(body)["errors"][0]["code"] == code
    assert b"secret" not in body
    assert ("retry-after" in headers) is (status == 503)


def test_a_bug_is_logged_under_the_name_that_the_client_is_told(own: Running) -> None:
    _, _, body = own.ask("/fail?bug")
    own.ask("/fail?problem")
    own.stop()
    bug = json.loads(body)["errors"][0]["message"].rpartition(" ")[2]
    found = [line for line in own.log() if line["level"] == "error"]
    assert found[0]["bug"] == bug
    assert "secret of the house" in str(found[0]["trace"])
    assert "serve_http.py" in str(found[0]["trace"])
    assert found[1]["message"] == "secret of the house"


# Bodies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 262_144, 262_145, 10_000_000])
def test_bodies_of_any_size_arrive_whole_and_in_pieces(server: Running, size: int) -> None:
    _, _, body = server.ask("/count", "POST", body=b"x" * size)
    total, largest = map(int, body.split())
    assert total == size
    assert largest <= 1_000_000
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(part), part)
        for start in range(0, size, 70_000)
        if (part := b"x" * min(70_000, size - start))
    )
    head = b"POST /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
    answer = parsed(server.raw(head + b"\r\n" + chunks + b"0\r\n\r\n"))
    assert int(answer[2].split()[0]) == size


def test_a_body_beyond_what_the_handler_takes(server: Running) -> None:
    for size in (1001, 300_000):
        status, _, body = server.ask("/echo", "POST", body=b"x" * size)
        assert status == 413
        assert json.loads(body)["errors"][0]["code"] == "TOO_LARGE"


def test_a_body_that_ends_too_early(server: Running) -> None:
    for length in (10, 10_000_000):
        head = b"POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\nabc" % length
        status, _, body = parsed(server.raw(head, half_close=True))
        assert (status, json.loads(body)["errors"][0]["code"]) == (400, "INCOMPLETE")


def test_a_client_that_stands_still_is_cut_off(server: Running) -> None:
    for length in (10, 10_000_000):
        head = b"POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\nabc" % length
        status, headers, _ = parsed(server.raw(head))
        assert status == 408
        assert headers["connection"] == "close"


def test_continue_is_said_before_a_body_is_sent(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(
            b"POST /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n"
            b"Content-Length: 3\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"abc")
        assert parsed(read_all(connection))[2] == b"3 3"


# Answers --------------------------------------------------------------------------------------------


def test_streams(server: Running) -> None:
    status, headers, body = server.ask("/stream?20")
    assert (status, headers["transfer-encoding"]) == (200, "chunked")
    assert body == b"".join(bytes([n]) * 100_000 for n in range(20))


def test_a_stream_that_fails_does_not_look_whole(server: Running) -> None:
    answer = server.raw(b"GET /stream?3 HTTP/1.1\r\nHost: x\r\nX-Fail: 1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    with pytest.raises(AssertionError, match="no last chunk"):
        parsed(answer)
    # before the first piece it can still be told
    answer = server.raw(
        b"GET /stream?0 HTTP/1.1\r\nHost: x\r\nX-Fail: 1\r\nConnection: close\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 500 ")


def test_parts_of_files(server: Running, tmp_path: Path) -> None:
    path = tmp_path / "blob"
    content = bytes(range(256)) * 8000
    path.write_bytes(content)
    parts = [(0, len(content)), (5, 1_000_001), (0, 0), (len(content), 0), (7, 1)]
    parts += [
        (5, SHORT_BYTES),
        (5, SHORT_BYTES + 1),
    ]  # the first is read by the worker that found it
    for start, length in parts:
        status, headers, body = server.ask(f"/file?{path},{start},{length}")
        assert status == 206
        assert headers["content-length"] == str(length)
        assert body == content[start : start + length]
    assert server.ask(f"/file?{path},0,1", "HEAD")[1]["content-length"] == "1"
    assert server.ask(f"/file?{path},1,{len(content)}")[0] == 500
    assert server.ask(f"/file?{path},{len(content) - 3},4")[0] == 500
    for length in (1, SHORT_BYTES + 1):
        assert server.ask(f"/file?{path}.missing,0,{length}")[0] == 500


def test_a_request_without_a_body_is_not_waited_on(server: Running) -> None:
    """Nor one of no bytes; and the next request on the connection is another one."""
    asked = b"POST /count HTTP/1.1\r\nHost: x\r\n%b\r\n"
    last = b"GET /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = server.raw(asked % b"" + asked % b"Content-Length: 0\r\n" + last)
    assert answer.count(b"HTTP/1.1 200 ") == 3
    assert answer.count(b"\r\n\r\n0 0") == 3


def test_a_file_that_became_shorter_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"abc")
    response = Response(status=200, body=FileRange(path=str(path), start=1, length=2))
    assert with_short_file(response).body == b"bc"
    monkeypatch.setattr("os.pread", lambda *_: b"b")
    with pytest.raises(OSError, match="became shorter"):
        with_short_file(response)


def test_a_slow_reader_fills_no_memory_and_is_cut_off(own: Running) -> None:
    with own.connect() as connection:
        connection.sendall(b"GET /stream?20000 HTTP/1.1\r\nHost: x\r\n\r\n")  # 2 GB
        assert own.out.readline() == "stream closed\n"  # after a second in which nothing was read
        status = Path(f"/proc/{own.process.pid}/status").read_text()
        resident = int(status.partition("VmRSS:")[2].split()[0])
        assert resident < 150_000  # kB
        received = read_all(connection)
        assert len(received) < 50_000_000


# Load -----------------------------------------------------------------------------------------------


def test_who_finds_no_room_is_told_when_to_come_back(own: Running) -> None:
    """Two workers and two who wait: of eight at once four are sent away, the others served."""
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(own.ask("/wait?1")[0])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 4 + [503] * 4
    assert own.ask("/echo")[0] == 200


def test_answers_from_memory(server: Running) -> None:
    path = "/v2/app/_trust/tuf/timestamp.json"
    status, headers, body = server.ask(path)
    assert (status, body, headers["server"]) == (200, b"hot", "us")  # as it was made
    for other, extra in ((path, "Authorization: no\r\n"), (path.replace("a", "%61", 1), "")):
        assert server.ask(other, headers=extra)[2].startswith(
            b"GET\n/v2/app/_trust/tuf/timestamp.json"
        )
    assert server.ask(path, "POST", body=b"x")[2].startswith(b"POST")


# Health, counters, log ------------------------------------------------------------------------------


def test_health(own: Running) -> None:
    assert own.ask("/healthz")[::2] == (200, b'{"status":"alive"}\n')
    assert own.ask("/readyz")[::2] == (200, b'{"status":"ready"}\n')
    own.ask("/fail?unready")
    assert own.ask("/healthz")[0] == 200
    expected = b'{"status":"not ready","failed":{"store":"unavailable"}}\n'
    assert own.ask("/readyz")[::2] == (503, expected)
    own.ask("/fail?ready")
    assert own.ask("/readyz")[0] == 200
    assert own.ask("/readyz", "POST", body=b"x")[0] == 405


def test_counters(own: Running) -> None:
    own.ask("/echo")
    own.ask("/fail?bug")
    own.raw(b"ODD /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    status, headers, body = own.ask("/metrics")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    lines = body.decode().splitlines()
    assert 'countermark_http_requests_total{service="echo",method="GET",code="200"} 1' in lines
    assert 'countermark_http_requests_total{service="echo",method="other",code="200"} 1' in lines
    assert 'countermark_http_requests_total{service="fail",method="GET",code="500"} 1' in lines
    assert 'countermark_http_request_seconds_count{service="echo"} 2' in lines
    assert 'countermark_http_request_seconds_bucket{service="echo",le="+Inf"} 2' in lines
    assert "countermark_http_requests_active 1" in lines


def test_histograms_are_cumulative() -> None:
    metrics = Metrics()
    for seconds in (0.0005, 0.001, 0.002, 3.0, 1000.0):
        served = Served("GET", "c")
        served.route, served.status, served.seconds, served.size = "s", 200, seconds, 10
        metrics.served(served)
    lines = metrics.text().splitlines()
    buckets = [line.rpartition(" ")[2] for line in lines if "_bucket" in line]
    assert buckets == ["2", "3", "3", "3", "3", "3", "4", "4", "5"]
    assert 'countermark_http_response_bytes_total{service="s"} 50' in lines


def test_the_log_tells_who_asked_what_and_no_secrets(own: Running) -> None:
    own.ask(
        "/echo/a%C3%A9%22?token=hidden",
        "POST",
        "Authorization: Basic hidden\r\nCookie: hidden\r\nUser-Agent: try\x9b31m\r\n",
        b"hidden",
    )
    own.ask("/v2/app/_trust/tuf/timestamp.json", headers="User-Agent: fast\r\n")
    own.raw(b"GET /x%0a%1b[2Jforged HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    own.stop()
    first, fast, forged = own.log()
    assert first.keys() == {
        "time", "level", "message", "service", "method", "path", "status", "bytes", "ms", "client",
        "agent",
    }  # fmt: skip
    assert (first["method"], first["path"], first["status"]) == ("POST", '/echo/aé"', 200)
    assert (first["service"], first["client"]) == ("echo", "127.0.0.1")
    assert (fast["service"], fast["status"], fast["agent"]) == ("trust", 200, "fast")
    assert forged["path"] == "/x%0a%1b[2Jforged"
    raw = (own._log).read_bytes()
    assert b"hidden" not in raw
    assert not raw.translate(None, bytes(range(32, 127)) + b"\n")  # nothing that steers a terminal
    assert len(raw.splitlines()) == 3


def test_a_log_that_nobody_reads_holds_up_nobody() -> None:
    release = threading.Event()
    written: list[str] = []

    def write(text: str) -> None:
        release.wait(WAIT)
        written.append(text)

    log = ServerLog(write)
    for number in range(30_000):
        log.event("info", str(number), datetime(2026, 1, 1, tzinfo=UTC))
    release.set()
    log.close(WAIT)
    lines = "".join(written).splitlines()
    assert 20_000 <= len(lines) < 30_000
    assert any("lines dropped" in line for line in lines)


def test_a_log_that_is_closed_ends_quietly() -> None:
    def write(text: str) -> None:
        raise BrokenPipeError

    log = ServerLog(write)
    log.event("info", "x", datetime(2026, 1, 1, tzinfo=UTC))
    log.close(WAIT)


# The end --------------------------------------------------------------------------------------------


def test_what_is_being_answered_is_finished(own: Running) -> None:
    answers: list[tuple[int, dict[str, str], bytes]] = []
    with own.connect() as idle:
        idle.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(1000).startswith(b"HTTP/1.1 200")
        with own.connect() as busy:
            busy.sendall(b"GET /wait?0.7 HTTP/1.1\r\nHost: x\r\n\r\n")
            with own.connect() as probe:  # once this one is answered, the other is in its worker
                probe.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                read_all(probe)
            own.process.send_signal(signal.SIGTERM)
            answers.append(parsed(read_all(busy)))
        assert read_all(idle) == b""  # closed, not left hanging
    assert answers[0][0] == 200
    assert answers[0][2] == b"waited"
    assert own.process.wait(WAIT) == 0
    assert own.out.read() == "drained True\n"
    with pytest.raises(ConnectionRefusedError):
        own.connect()


def test_the_end_is_bounded(own: Running) -> None:
    with own.connect() as busy:
        busy.sendall(b"GET /wait?60 HTTP/1.1\r\nHost: x\r\n\r\n")
        own.ask("/echo")
        assert own.stop() == 1
        assert own.out.read() == "drained False\n"


def test_stopped_before_it_began() -> None:
    server = HttpServer(
        ("127.0.0.1", 0),
        None,
        Services(routes=()),
        Bounds(),
        lambda: datetime(2026, 1, 1, tzinfo=UTC),
        lambda line: None,
    )
    server.stop()
    program = (
        "from countermark.adapters.granian_server import leave\n"
        "from countermark.adapters.http_server import *\n"
        "server = HttpServer(('127.0.0.1', 0), None, Services(routes=()), Bounds(), None, print)\n"
        "server.stop()\n"
        "leave(0 if server.run(lambda address: None) else 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=WAIT)
    assert done.returncode == 0


# The beginning --------------------------------------------------------------------------------------


def make(address: tuple[str, int], tls: tuple[str, str] | None = None) -> HttpServer:
    clock = datetime(2026, 1, 1, tzinfo=UTC)
    return HttpServer(address, tls, Services(routes=()), Bounds(), lambda: clock, lambda line: None)


def never(address: tuple[str, int]) -> None:
    pytest.fail("it began")


def test_an_address_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{port}") as caught:
            make(("127.0.0.1", port)).run(never)
    assert "another port" in caught.value.hint


@pytest.mark.parametrize("host", ["192.0.2.1", "host.invalid", ""])
def test_an_address_that_is_not_ours(host: str) -> None:
    with pytest.raises(InputError) as caught:
        make((host or "0.0.0.0", 0)).run(never)
    assert caught.value.code == Code.BAD_INPUT


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_certificates_that_cannot_be_used(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "cert.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        make(("127.0.0.1", 0), (str(path), str(path))).run(never)
    assert str(path) in str(caught.value)


def test_tls(tmp_path: Path) -> None:
    from servers import Authority

    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    running = Running(tmp_path, "--tls", str(certificate), str(key))
    try:
        context = ssl.create_default_context(cafile=str(authority.file))
        with (
            running.connect() as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            assert secure.version() == "TLSv1.3"
            secure.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert read_all(secure).startswith(b"HTTP/1.1 200 ")
    finally:
        assert running.stop() == 0
        running.kill()


# Paths ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/", "/"),
        (b"/v2/a%2Fb/", "/v2/a/b/"),
        (b"/%E2%82%AC", "/€"),
        (b"/a+b;c=d:e", "/a+b;c=d:e"),
        (b"/%25", "/%"),
        (b"/%2525", "/%25"),  # once only
    ],
)
def test_decoded(raw: bytes, path: str) -> None:
    assert decoded(raw) == path


@pytest.mark.parametrize(
    "raw", [b"", b"*", b"a", b"/%", b"/%4", b"/%gg", b"/%ff", b"/%7f", b"/\x00"]
)
def test_not_paths(raw: bytes) -> None:
    with pytest.raises(BadPathError):
        decoded(raw)


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/", "/"),
        ("/a/b/", "/a/b/"),
        ("//", "/"),
        ("/a//b", "/a/b"),
        ("/a/./b/.", "/a/b"),
        ("/a/../../b/", "/b/"),
        ("/..", "/"),
        ("/a/.hidden", "/a/.hidden"),
        ("/a..b", "/a..b"),
        ("/a/..", "/"),
    ],
)
def test_cleaned(path: str, clean: str) -> None:
    assert cleaned(path) == clean
    assert cleaned(clean) == clean


def test_quoted() -> None:
    assert quoted("/a b/ü?#%:@") == "/a%20b/%C3%BC%3F%23%25:@"


def test_the_same_read_many_times_is_one_line() -> None:
    written: list[str] = []
    log = ServerLog(written.append)
    for path, method, status in (
        ("/a", "GET", 200),
        ("/b", "GET", 200),
        ("/a", "GET", 200),
        ("/a", "GET", 404),
        ("/a", "GET", 404),
        ("/a", "POST", 200),
        ("/a", "POST", 200),
        ("/a", "GET", 200),
    ):
        served = Served(method, "c")
        served.path, served.status, served.size = path, status, 10
        served.seconds = len(path) / 1000
        log.served(served)
    log.close(5.0)
    lines = [json.loads(line) for line in "".join(written).splitlines()]
    seen = [(x["path"], x["method"], x["status"], x["bytes"], x.get("count", 1)) for x in lines]
    assert sum(count for *_, count in seen) == 8  # nothing is left out
    assert ("/b", "GET", 200, 10, 1) in seen
    assert seen.count(("/a", "GET", 404, 10, 1)) == 2  # refusals and writes each have a line
    assert seen.count(("/a", "POST", 200, 10, 1)) == 2


def test_no_answer_waits_until_another_is_acknowledged() -> None:
    with listen(("127.0.0.1", 0), tls=False) as listener:
        listener.settimeout(5)
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as taken:
            assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
