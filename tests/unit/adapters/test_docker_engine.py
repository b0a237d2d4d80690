"""The docker daemon as a client meets it: over a Unix socket, in docker's words, its answers bounded."""

import base64
import json
import socketserver
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from countermark.adapters.docker_config import Login
from countermark.adapters.docker_contexts import DockerEndpoint
from countermark.adapters.docker_daemon import Daemon, escaped
from countermark.adapters.docker_engine import DockerEngine, Pushed, check_pushed, login_header
from countermark.adapters.docker_events import events, failure
from countermark.adapters.image_places import ImagePlaces
from countermark.adapters.progress import NoProgress
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.core.reference import ImageReference

PAY = ImageReference.parse("localhost:5000/team/pay:v3")
DIGEST = Digest.of(b"manifest")


class Asked:
    """A request as the fake daemon saw it."""

    def __init__(self, line: str, headers: dict[str, str], body: bytes) -> None:
        self.line, self.headers, self.body = line, headers, body


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A server on a Unix socket whose clients may hang up when they have heard enough."""

    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class FakeDaemon:
    """A daemon on a Unix socket that gives one answer to everything and notes what it was asked."""

    def __init__(self, folder: str) -> None:
        self.path = f"{folder}/docker.sock"
        self.status, self.answer, self.chunked = 200, b"", True
        self.asked: list[Asked] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = b""
                if self.headers.get("Transfer-Encoding") == "chunked":
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.asked.append(Asked(f"{self.command} {self.path}", headers, body))
                self.send_response(outer.status)
                self.send_header("Api-Version", "1.41")
                if outer.chunked:
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    for line in outer.answer.splitlines(keepends=True):
                        self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
                    self.wfile.write(b"0\r\n\r\n")
                else:
                    self.send_header("Content-Length", str(len(outer.answer)))
                    self.end_headers()
                    self.wfile.write(outer.answer)

            do_POST = do_GET  # noqa: N815 - the name that the library calls

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def address_string(self) -> str:
                return "local"

        self.server = UnixServer(self.path, Handler)
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def engine(self, login: Login | None = None) -> DockerEngine:
        endpoint = DockerEndpoint(host=f"unix://{self.path}")
        return DockerEngine(Daemon(endpoint), lambda _: login)

    def says(self, *lines: object, status: int = 200) -> None:
        self.status = status
        self.answer = b"".join(json.dumps(line).encode() + b"\r\n" for line in lines)


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    with tempfile.TemporaryDirectory(prefix="dd") as folder:  # a socket's path is short
        fake = FakeDaemon(folder)
        yield fake
        fake.close()


class Counting(NoProgress):
    """Counts what it is told."""

    def __init__(self) -> None:
        self.done = self.ended = 0

    def advance(self, count: int) -> None:
        self.done += count

    def finish(self) -> None:
        self.ended += 1


def test_ping(daemon: FakeDaemon) -> None:
    assert daemon.engine().ping() == "1.41"
    assert daemon.asked[0].line == "GET /_ping"


def test_inspect(daemon: FakeDaemon) -> None:
    daemon.says(
        {
            "Id": "sha256:1",
            "RepoTags": ["localhost:5000/team/pay:v3"],
            "RepoDigests": [
                f"localhost:5000/team/pay@{DIGEST}",
                f"other@{DIGEST}",
                f"<none>@{DIGEST}",
            ],
            "Os": "linux",
            "Architecture": "arm",
            "Variant": "v7",
        }
    )
    image = daemon.engine().inspect(PAY.familiar)
    assert image is not None
    assert (image.id, image.names, image.platform) == ("sha256:1", (PAY.familiar,), "linux/arm/v7")
    assert image.digests_in(PAY.repository) == (DIGEST,)
    assert daemon.asked[0].line == "GET /images/localhost:5000/team/pay:v3/json"


def test_inspect_of_what_is_not_there(daemon: FakeDaemon) -> None:
    daemon.says({"message": "No such image: x"}, status=404)
    assert daemon.engine().inspect("x") is None


def test_pull_by_digest_with_a_login(daemon: FakeDaemon) -> None:
    daemon.says(
        {"status": "Pulling from team/pay", "id": str(DIGEST)},
        {"status": "Downloading", "progressDetail": {"current": 5, "total": 10}, "id": "a"},
        {"status": "Downloading", "progressDetail": {"current": 10, "total": 10}, "id": "a"},
        {"status": "Extracting", "progressDetail": {"current": 3, "total": 10}, "id": "a"},
        {"status": "Downloading", "progressDetail": {"current": 7, "units": "B"}, "id": "b"},
        {"status": "Digest: x", "progressDetail": {}},
    )
    progress = Counting()
    login = Login(username="u", password="p?>")
    daemon.engine(login).pull(PAY.repository, DIGEST, progress, platform="linux/arm64")
    asked = daemon.asked[0]
    hexed = str(DIGEST).replace(":", "%3A")
    assert asked.line == (
        f"POST /images/create?fromImage=localhost%3A5000%2Fteam%2Fpay&tag={hexed}&platform=linux%2Farm64"
    )
    auth = json.loads(base64.urlsafe_b64decode(asked.headers["x-registry-auth"]))
    assert auth == {"username": "u", "password": "p?>", "serveraddress": "localhost:5000"}
    assert (progress.done, progress.ended) == (17, 1)


def test_pull_that_the_daemon_fails(daemon: FakeDaemon) -> None:
    progress = Counting()
    daemon.says({"status": "x"}, {"errorDetail": {"message": "m"}, "error": "unexpected EOF"})
    with pytest.raises(UnavailableError, match="unexpected EOF"):
        daemon.engine().pull(PAY.repository, DIGEST, progress)
    assert progress.ended == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, NotFoundError),
        (401, RefusedError),
        (409, RefusedError),
        (400, RefusedError),
        (500, UnavailableError),
    ],
)
def test_errors_are_in_dockers_words(
    daemon: FakeDaemon, status: int, kind: type[CountermarkError]
) -> None:
    daemon.says({"message": "manifest for x not found"}, status=status)
    with pytest.raises(kind) as caught:
        daemon.engine().pull(PAY.repository, DIGEST, NoProgress())
    assert str(caught.value) == "Error response from daemon: manifest for x not found"
    assert getattr(caught.value, "status", 0) == status


def test_an_error_without_json(daemon: FakeDaemon) -> None:
    daemon.status, daemon.answer, daemon.chunked = 502, b"<html>bad</html>", False
    with pytest.raises(UnavailableError, match="Error response from daemon: <html>bad</html>"):
        daemon.engine().ping()


def test_push_returns_what_was_pushed(daemon: FakeDaemon) -> None:
    aux = {"Tag": "v3", "Digest": str(DIGEST), "Size": 523}
    daemon.says({"status": "v3: digest: x size: 523"}, {"progressDetail": {}, "aux": aux})
    pushed = daemon.engine().push(PAY, NoProgress())
    assert pushed == Pushed(tag="v3", digest=DIGEST, size=523)
    assert daemon.asked[0].line == "POST /images/localhost:5000/team/pay/push?tag=v3"
    assert daemon.asked[0].headers["x-registry-auth"] == "e30="


@pytest.mark.parametrize(
    "results",
    [
        [],
        [{"manifestPushedInsteadOfIndex": True}],
        [{"Tag": "other", "Digest": str(DIGEST), "Size": 1}],
        [{"Tag": "v3", "Digest": "md5:1", "Size": 1}],
        [
            {"Tag": "v3", "Digest": str(DIGEST), "Size": 1},
            {"Tag": "v3", "Digest": str(Digest.of(b"")), "Size": 1},
        ],
    ],
)
def test_an_unclear_push_is_none(daemon: FakeDaemon, results: list[dict[str, object]]) -> None:
    daemon.says(*({"aux": result} for result in results))
    assert daemon.engine().push(PAY, NoProgress()) is None


def test_push_wants_a_tag(daemon: FakeDaemon) -> None:
    with pytest.raises(InputError, match="cannot push a digest reference"):
        daemon.engine().push(PAY.replace(digest=DIGEST), NoProgress())
    assert not daemon.asked


def test_tag(daemon: FakeDaemon) -> None:
    daemon.status = 201
    daemon.engine().tag(ImageReference(repository=PAY.repository, digest=DIGEST), PAY)
    assert daemon.asked[0].line == (
        f"POST /images/localhost:5000/team/pay@{DIGEST}/tag?repo=localhost%3A5000%2Fteam%2Fpay&tag=v3"
    )


def test_save_and_load(daemon: FakeDaemon) -> None:
    daemon.answer = b"tar\n" * 1000
    assert b"".join(daemon.engine().save("pay:v3")) == daemon.answer
    assert daemon.asked[0].line == "GET /images/get?names=pay%3Av3"
    daemon.says({"stream": "Loaded image: pay:v3\n"})
    daemon.engine().load(iter((b"one", b"", b"two")))
    assert daemon.asked[1].line == "POST /images/load?quiet=1"
    assert daemon.asked[1].body == b"onetwo"
    daemon.says({"error": "invalid tar header"})
    with pytest.raises(UnavailableError, match="invalid tar header"):
        daemon.engine().load(iter((b"x",)))


def test_a_saved_image_is_a_source_and_leaves_nothing(daemon: FakeDaemon, tmp_path: Path) -> None:
    places = ImagePlaces(daemon.engine, str(tmp_path))
    daemon.answer = b"no tar\n"
    with pytest.raises(CountermarkError) as caught:
        places.open_source("docker-daemon:pay:v3")
    assert caught.value.code == Code.MALFORMED
    daemon.says({"message": "reference does not exist"}, status=404)
    with pytest.raises(NotFoundError):
        places.open_source("docker-daemon:pay:v3")
    with pytest.raises(InputError):
        places.open_source("docker-daemon:")
    assert not list(tmp_path.iterdir())
    daemon.says()
    assert places.daemon().ping() == "1.41"


# Where it is ---------------------------------------------------------------------------------------


def test_no_daemon(tmp_path: Path) -> None:
    engine = DockerEngine(
        Daemon(DockerEndpoint(host=f"unix://{tmp_path}/none.sock")), lambda _: None
    )
    with pytest.raises(UnavailableError) as caught:
        engine.ping()
    assert str(caught.value) == (
        f"Cannot connect to the Docker daemon at unix://{tmp_path}/none.sock. Is the docker daemon running?"
    )
    with pytest.raises(UnavailableError, match="Cannot connect to the Docker daemon"):
        DockerEngine(Daemon(DockerEndpoint(host="tcp://127.0.0.1:1")), lambda _: None).ping()


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("ssh://me@host", Code.NOT_SUPPORTED),
        ("npipe:////./pipe/docker_engine", Code.NOT_SUPPORTED),
        ("tcp://docker:2375", Code.INSECURE),
        ("tcp://10.0.0.1", Code.INSECURE),
        ("tcp://a b", Code.BAD_INPUT),
    ],
)
def test_addresses_that_are_not_spoken(host: str, code: Code) -> None:
    with pytest.raises(InputError) as caught:
        Daemon(DockerEndpoint(host=host))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "host", ["", "unix:///x", "tcp://127.0.0.1", "tcp://localhost:2375", "tcp://[::1]"]
)
def test_addresses_that_are(host: str) -> None:
    Daemon(DockerEndpoint(host=host))
    Daemon(DockerEndpoint(host="tcp://docker", ca_file="ca.pem"))


# Details -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "../x", "a/../b", "a//b", "/a", "."])
def test_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(InputError):
        escaped(name)


def test_names_in_paths() -> None:
    assert escaped("h:5/a/b:v@sha256:1") == "h:5/a/b:v@sha256:1"
    assert escaped("a?b c") == "a%3Fb%20c"


@pytest.mark.parametrize(
    ("login", "registry", "fields"),
    [
        (None, "x", {}),
        (Login(), "x", {}),
        (
            Login(username="u", password="p"),
            "docker.io",
            {"serveraddress": "https://index.docker.io/v1/"},
        ),
        (Login(identity_token="t"), "x:5", {"identitytoken": "t", "serveraddress": "x:5"}),
    ],
)
def test_login_headers(login: Login | None, registry: str, fields: dict[str, str]) -> None:
    found = json.loads(base64.urlsafe_b64decode(login_header(login, registry)))
    assert fields.items() <= found.items()
    assert bool(found) == bool(fields)


def test_lines_may_come_in_pieces() -> None:
    pieces = (b'{"id":"a","st', b'atus":"x"}\r\n\r\n{"id"', b':"b"}')
    assert [(e.id, e.status) for e in events(iter(pieces))] == [("a", "x"), ("b", "")]


@pytest.mark.parametrize(
    "content",
    [b"x\n", b"[1]\n", b'{"id": 5}', b'{"progressDetail": {"current": "x"}}', b"{" * 3_000_000],
)
def test_odd_events_are_refused(content: bytes) -> None:
    with pytest.raises(UnavailableError):
        list(events(iter((content,))))


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("manifest for x@y not found: manifest unknown: manifest unknown", NotFoundError),
        ("An image does not exist locally with the tag: x", NotFoundError),
        ("pull access denied for x, repository does not exist", RefusedError),
        ("unauthorized: authentication required", RefusedError),
        ("denied: requested access to the resource is denied", RefusedError),
        ("toomanyrequests: slow down", UnavailableError),
        ('Get "https://x/v2/": dial tcp: connection refused', UnavailableError),
    ],
)
def test_kinds_of_failure(message: str, kind: type[CountermarkError]) -> None:
    error = failure(message)
    assert type(error) is kind
    assert str(error) == message


def test_what_was_pushed_is_compared() -> None:
    pushed = Pushed(tag="v3", digest=DIGEST, size=1)
    check_pushed(pushed, DIGEST)
    check_pushed(None, DIGEST)
    with pytest.raises(RefusedError) as caught:
        check_pushed(pushed, Digest.of(b"other"))
    assert caught.value.code == Code.MOVED_TAG
