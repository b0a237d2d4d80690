"""What is compared: ours as a user installs it, and the real programs."""

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from interop import peers  # noqa: E402 - the fixtures of the interop tests, from the path set above
from interop.people import DEBIAN_DOCKER, NEWER_DOCKER  # noqa: E402
from interop.processes import run  # noqa: E402


class Stoppable(Protocol):
    """A server of the stack."""

    def stop(self) -> object: ...


Peer = TypeVar("Peer", bound=Stoppable)


class Profile(NamedTuple):
    """How long to measure."""

    name: str
    client_runs: int
    rounds: int
    wrk_seconds: int
    publish_seconds: int
    blob_mebibytes: int


PROFILES = {
    "quick": Profile("quick", 12, 2, 3, 4, 64),
    "full": Profile("full", 40, 5, 6, 10, 256),
}


class Stack:
    """Servers of the comparison, each in a folder of its own, all stopped at the end."""

    def __init__(self, countermark: Path) -> None:
        """Take the program that is measured: an installation, not the source tree."""
        self.countermark = countermark
        self.folder = Path(tempfile.mkdtemp(prefix="countermark-bench-"))
        self.authority = peers.Authority(self.folder / "authority")
        self._running: list[Stoppable] = []

    def start(self, name: str, make: Callable[[Path], Peer]) -> Peer:
        """Start a server in a folder of that name."""
        peer = make(self.folder / name)
        self._running.append(peer)
        return peer

    def ours(self, name: str = "ours") -> peers.OurServer:
        """Start one of ours."""
        return self.start(
            name, lambda folder: peers.OurServer(folder, program=[str(self.countermark)])
        )

    def notary(self, name: str, database: peers.PostgreSQL | None = None) -> peers.NotaryServer:
        """Start a notary-server."""
        return self.start(name, lambda folder: peers.NotaryServer(folder, self.authority, database))

    def sql_notary(self, name: str) -> peers.NotaryServer:
        """Start a notary-server on a PostgreSQL of its own."""
        return self.notary(name, self.start(f"{name}-database", lambda _: peers.PostgreSQL()))

    def stop_last(self, count: int) -> None:
        """Stop the servers that were started last."""
        for _ in range(count):
            self._running.pop().stop()

    def stop(self) -> None:
        """Stop all of them, the last one first, and remove their files."""
        while self._running:
            self._running.pop().stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def docker() -> Path:
    """The docker that is compared with: the newer one that still has content trust, else Debian's."""
    if NEWER_DOCKER.exists() and re.match(r"Docker version 2[1-8]\.", version(NEWER_DOCKER)):
        return NEWER_DOCKER
    return DEBIAN_DOCKER


def version(program: Path) -> str:
    """What a program says of its version, in one line."""
    return run([program, "--version"], peers.BASE_ENVIRONMENT).out.strip().splitlines()[0]


def machine() -> str:
    """The machine in one line."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    gibibytes = int(memory[1]) / 1024**2 if memory else 0
    return (
        f"{os.cpu_count()} cores ({cpu[1] if cpu else platform.machine()}), {gibibytes:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )
