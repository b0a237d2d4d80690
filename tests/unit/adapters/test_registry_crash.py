"""A registry that dies, or whose disk is full, has kept what it acknowledged and nothing half."""

import http.client
import itertools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from countermark.core.digest import Digest
from hosted_registry import IMAGE, image

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[2]


def run(program: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(TESTS / program), *words],
        env={"PYTHONPATH": str(TESTS), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def test_death_at_every_step(tmp_path: Path) -> None:
    assert int(run("crash_registry.py", str(tmp_path))) > 60


def test_a_full_disk(tmp_path: Path) -> None:
    assert run("full_registry.py", str(tmp_path)) == "well\n"


def test_killed_while_many_push(tmp_path: Path) -> None:
    """Over real connections: whatever a client was told is there after a restart."""
    acknowledged: dict[str, bytes] = {}
    for after in (1, 20, 60):
        with Serving(tmp_path) as server:
            target = len(acknowledged) + after
            enough = threading.Event()
            pushers = [
                threading.Thread(
                    target=push_until_dead, args=(server.port, number, acknowledged, target, enough)
                )
                for number in range(4)
            ]
            for pusher in pushers:
                pusher.start()
            assert enough.wait(60)
            server.process.kill()
            for pusher in pushers:
                pusher.join()
    with Serving(tmp_path) as server:
        assert len(acknowledged) >= 81
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for path, content in acknowledged.items():
            connection.request("GET", path)
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, content), path
        connection.close()
        assert list((tmp_path / "data" / "temporary").iterdir()) == []
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0


class Serving:
    """The registry as a process."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(TESTS / "serve_registry.py"), str(folder / "data")],
            env={"PYTHONPATH": str(TESTS), "PATH": os.defpath},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def __enter__(self) -> "Serving":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def push_until_dead(
    port: int, number: int, acknowledged: dict[str, bytes], target: int, enough: threading.Event
) -> None:
    """Push blobs, manifests and tags, each noted once the server has said 201."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    name = f"/v2/app{number}"

    def send(method: str, path: str, content: bytes, kind: str) -> bool:
        connection.request(method, path, content, {"Content-Type": kind})
        response = connection.getresponse()
        response.read()
        return response.status == 201

    try:
        for count in itertools.count():
            layer = os.urandom(5_000)
            for blob in (b"{}", layer):
                digest = Digest.of(blob)
                if send("POST", f"{name}/blobs/uploads/?digest={digest}", blob, "application/x"):
                    acknowledged[f"{name}/blobs/{digest}"] = blob
            manifest = image(layer)
            tag = f"t{target}-{count}"
            if send("PUT", f"{name}/manifests/{tag}", manifest, IMAGE):
                acknowledged[f"{name}/manifests/{tag}"] = manifest
            if len(acknowledged) >= target:
                enough.set()
    except (OSError, http.client.HTTPException):
        pass  # it is dead
    finally:
        connection.close()
