"""``countermark serve`` as a process: what it says, keeps and survives."""

import base64
import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import bcrypt
import pytest

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
READY = "keep a copy of the data folder"
PASSPHRASES = {
    "DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE": "root passphrase",
    "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": "repository passphrase",
}


def environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "COUNTERMARK_", "XDG_"))}  # fmt: skip
    return kept | PASSPHRASES | {"HOME": str(home), "DOCKER_CONFIG": str(home)}


class Serving:
    """One server process; ``said`` is what it printed until it was ready."""

    def __init__(self, data: Path, *options: str, listen: str = "127.0.0.1:0") -> None:
        self.data = data
        self.process = subprocess.Popen(
            [sys.executable, "-m", "countermark", "serve", "--data", str(data), "--listen", listen, *options],
            env=environment(data.parent), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.said = self._until_ready()
        found = re.search(r"serving https://(\S+)", self.said)
        assert found, self.said
        self.address = found[1]
        self.port = int(self.address.rpartition(":")[2])

    def _until_ready(self) -> str:
        assert self.process.stderr is not None
        said, ends = b"", time.monotonic() + 60
        while READY not in said.decode():
            ready, _, _ = select.select([self.process.stderr], [], [], max(0, ends - time.monotonic()))  # fmt: skip
            more = os.read(self.process.stderr.fileno(), 65536) if ready else b""
            assert more, f"it did not become ready:\n{said.decode()}"
            said += more
        return said.decode()

    def end(self, how: signal.Signals) -> int:
        """Send a signal and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.communicate(timeout=60)
        return self.process.returncode

    def connect(self) -> ssl.SSLSocket:
        """Open a connection that trusts the server's own CA."""
        context = ssl.create_default_context(cafile=str(self.data / "tls" / "ca.crt"))
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return context.wrap_socket(raw, server_hostname="127.0.0.1")


class Person:
    """A home that trusts a server's CA, and commands run from it."""

    def __init__(self, home: Path, login: tuple[str, str] | None = None) -> None:
        self.home = home
        home.mkdir()
        self._login = login

    def knows(self, server: Serving) -> None:
        folder = self.home / "tls" / server.address
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(server.data / "tls" / "ca.crt", folder / "ca.crt")
        auths = {}
        if self._login:
            auth = base64.b64encode(":".join(self._login).encode()).decode()
            auths = {server.address: {"auth": auth}}
        (self.home / "config.json").write_text(json.dumps({"auths": auths}), encoding="utf-8")

    def run(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "countermark", *words], cwd=self.home, env=environment(self.home), text=True,
            check=False, timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.returncode, done.stdout


Serve = Callable[..., Serving]


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[Serving] = []

    def start(data: Path, *options: str, listen: str = "127.0.0.1:0") -> Serving:
        running.append(Serving(data, *options, listen=listen))
        return running[-1]

    yield start
    for server in running:
        server.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image") / "layout"
    done = subprocess.run(
        [sys.executable, "-c", f"import demo, pathlib; demo.image(pathlib.Path({str(folder)!r}), 'x')"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "demo")}, check=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    return folder


def modes(folder: Path, names: Sequence[str]) -> dict[str, str]:
    return {name: f"{(folder / name).stat().st_mode & 0o777:o}" for name in names}


def test_it_says_where_clients_want_its_ca_and_keeps_its_keys_to_itself(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve(tmp_path / "d")
    place, data = server.address, server.data
    assert server.said == (
        f"countermark: serving https://{place} (registry and trust server), data in {data}\n"
        f"countermark: clients trust it through {data}/tls/ca.crt, copied to\n"
        f"countermark:   ~/.docker/tls/{place}/ca.crt           docker's trust client, notary, countermark\n"
        f"countermark:   /etc/docker/certs.d/{place}/ca.crt     the docker daemon, skopeo, podman\n"
        "countermark: keep a copy of the data folder; master.key in it opens the server's own keys\n"
    )
    kept = ["tls/ca.crt", "tls/server.crt", "tls/ca.key", "tls/server.key", "master.key"]
    assert modes(data, kept) == {
        "tls/ca.crt": "644", "tls/server.crt": "644", "tls/ca.key": "600", "tls/server.key": "600",
        "master.key": "600",
    }  # fmt: skip
    assert server.end(signal.SIGTERM) == 0


def test_the_certificate_follows_its_names_and_the_ca_stays(serve: Serve, tmp_path: Path) -> None:
    def certificates(*options: str) -> tuple[bytes, bytes]:
        server = serve(tmp_path / "d", *options)
        assert server.end(signal.SIGTERM) == 0
        return tuple((server.data / "tls" / f"{n}.crt").read_bytes() for n in ("ca", "server"))  # type: ignore[return-value]

    ca, first = certificates()
    assert certificates() == (ca, first)
    same_ca, second = certificates("--tls-name", "registry.example.test")
    assert same_ca == ca
    assert second != first
    server = serve(tmp_path / "d", "--tls-name", "registry.example.test")
    assert f"serving https://registry.example.test:{server.port} " in server.said
    context = ssl.create_default_context(cafile=str(server.data / "tls" / "ca.crt"))
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    with context.wrap_socket(raw, server_hostname="registry.example.test") as connection:
        assert connection.version() == "TLSv1.3"


def test_sigterm_lets_a_request_finish(serve: Serve, tmp_path: Path) -> None:
    server = serve(tmp_path / "d")
    body = b"x" * 1000
    with server.connect() as connection:
        connection.sendall(
            b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: r\r\nContent-Length: 0\r\n\r\n"
        )
        answer = connection.recv(65536).decode()
        location = re.search(r"(?mi)^location: (?:https://[^/]+)?(\S+)", answer)
        assert location, answer
        head = f"PATCH {location[1]} HTTP/1.1\r\nHost: r\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[:500])
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.5)  # it waits for the rest
        connection.sendall(body[500:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 202 ")
    assert server.end(signal.SIGTERM) == 0


def test_what_was_acknowledged_survives_a_kill(serve: Serve, tmp_path: Path, image: Path) -> None:
    server = serve(tmp_path / "d")
    listen, alice = server.address, Person(tmp_path / "alice")
    alice.knows(server)
    tag = f"{listen}/pay:v1"
    status, printed = alice.run("push", f"oci:{image}", tag, "--sign")
    assert (status, printed.splitlines()[-1]) == (0, f"Successfully signed {tag}")
    assert server.end(signal.SIGKILL) == -signal.SIGKILL
    assert alice.run("push", f"oci:{image}", f"{listen}/pay:v2")[0] == 3

    again = serve(tmp_path / "d", listen=listen)
    carol = Person(tmp_path / "carol")
    carol.knows(again)
    status, printed = carol.run("pull", tag, "--to", "oci:copy")
    assert (status, printed.splitlines()[0]) == (0, f"allowed  {tag}")
    status, printed = alice.run("push", f"oci:{image}", f"{listen}/pay:v2", "--sign")
    assert (status, printed.splitlines()[-1]) == (0, f"Successfully signed {listen}/pay:v2")


def users(tmp_path: Path) -> Path:
    file = tmp_path / "users"
    secret = bcrypt.hashpw(b"alice's secret", bcrypt.gensalt(10)).decode()
    file.write_text(f"alice:{secret}\n", encoding="utf-8")
    return file


def test_only_who_has_a_login_may_write(serve: Serve, tmp_path: Path, image: Path) -> None:
    server = serve(tmp_path / "d", "--htpasswd", str(users(tmp_path)))
    alice = Person(tmp_path / "alice", ("alice", "alice's secret"))
    mallory = Person(tmp_path / "mallory", ("alice", "a guess"))
    carol = Person(tmp_path / "carol")
    for person in (alice, mallory, carol):
        person.knows(server)
    tag = f"{server.address}/pay:v1"
    for person in (mallory, carol):
        status, printed = person.run("push", f"oci:{image}", tag, "--sign")
        assert status == 4, printed
        assert printed.startswith("countermark: error: "), printed
    status, printed = alice.run("push", f"oci:{image}", tag, "--sign")
    assert status == 0, printed
    status, printed = carol.run("pull", tag, "--to", "oci:copy")
    assert (status, printed.splitlines()[0]) == (0, f"allowed  {tag}")
    # trust data need the login too, not only images
    assert carol.run("trust", "key", "generate", "carol")[0] == 0
    other = f"{server.address}/other"
    status, printed = carol.run("trust", "signer", "add", "--key", "carol.pub", "carol", other)
    assert status == 1, printed
    assert "you are not authorized to perform this operation: server returned 401." in printed
    assert printed.splitlines()[-1] == f"failed to add signer to: {other}"


def test_readers_need_a_login_where_it_is_required(
    serve: Serve, tmp_path: Path, image: Path
) -> None:
    server = serve(tmp_path / "d", "--htpasswd", str(users(tmp_path)), "--require-login")
    alice, carol = Person(tmp_path / "alice", ("alice", "alice's secret")), Person(tmp_path / "carol")  # fmt: skip
    for person in (alice, carol):
        person.knows(server)
    tag = f"{server.address}/pay:v1"
    assert alice.run("push", f"oci:{image}", tag, "--sign")[0] == 0
    assert alice.run("verify", tag)[0] == 0
    status, printed = carol.run("verify", tag)
    assert status == 4, printed
    assert "(refused)" in printed


REFUSED = [
    (["--listen", "0.0.0.0:0"], 2, "anybody who reaches 0.0.0.0 could publish there"),
    (["--listen", "[::]:0"], 2, "anybody who reaches :: could publish there"),
    (["--listen", "127.0.0.1"], 2, "not an address: '127.0.0.1'"),
    (["--listen", "127.0.0.1:99999"], 2, "not an address: '127.0.0.1:99999'"),
    (["--tls-cert", "x"], 2, "--tls-cert and --tls-key go together"),
    (["--tls-key", "x"], 2, "--tls-cert and --tls-key go together"),
    (["--require-login"], 2, "--require-login needs users"),
    (["--htpasswd", "missing"], 2, "missing: there is no such file"),
    (["--master-key-file", "missing"], 4, "the master key missing is missing"),
]


@pytest.mark.parametrize(("options", "status", "message"), REFUSED)
def test_it_does_not_start(tmp_path: Path, options: list[str], status: int, message: str) -> None:
    person = Person(tmp_path / "p")
    listen = [] if "--listen" in options else ["--listen", "127.0.0.1:0"]
    ended, printed = person.run("serve", "--data", "d", *listen, *options)
    assert (ended, printed.splitlines()[0]) == (status, f"countermark: error: {message}")


def test_one_folder_one_server(serve: Serve, tmp_path: Path) -> None:
    server = serve(tmp_path / "d")
    person = Person(tmp_path / "p")
    second = person.run("serve", "--data", str(server.data), "--listen", "127.0.0.1:0")
    assert second == (
        2, f"countermark: error: another server runs on {server.data}\n  stop it, or choose another --data\n"
    )  # fmt: skip
    third = person.run("serve", "--data", "other", "--listen", server.address)
    assert third[0] == 2
    assert third[1].startswith(f"countermark: error: cannot listen on {server.address}: ")
    assert server.end(signal.SIGINT) == 0
