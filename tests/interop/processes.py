"""Foreign programs: where they are, and servers that are started, awaited and stopped for sure."""

import atexit
import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

SEARCH = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/local/bin", "/usr/sbin", "/usr/bin"]
)
PACKAGES = {  # which Debian package brings each program
    "docker": "docker.io", "dockerd": "docker.io", "containerd": "containerd", "runc": "runc",
    "notary": "notary", "notary-server": "notary", "notary-signer": "notary", "docker-registry": "docker-registry",
    "skopeo": "skopeo", "initdb": "postgresql", "wrk": "wrk", "openssl": "openssl",
    "softhsm2-util": "softhsm2", "chromium": "chromium", "chromedriver": "chromium-driver",
}  # fmt: skip
RUN_SECONDS = 90.0  # no single command of a foreign program may take longer

Words = list[str | Path]


class MissingProgramError(Exception):
    """A foreign program is not on this machine; the text says which package brings it."""


class Outcome(NamedTuple):
    """What a command came to."""

    words: tuple[str, ...]
    exit: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything that it printed, as one failure message should show it."""
        return f"$ {' '.join(self.words)}\n[exit {self.exit}]\n{self.out}{self.err}"

    def ok(self) -> "Outcome":
        """Demand success."""
        assert self.exit == 0, self.text
        return self

    def refused(self, *texts: str, exit: int = 1) -> "Outcome":
        """Demand a failure, and that it says each of the texts."""
        assert self.exit == exit, self.text
        for text in texts:
            assert text in self.out + self.err, f"no {text!r} in\n{self.text}"
        return self


def find(program: str) -> Path:
    """Where a program is.

    Raises:
        MissingProgramError: it is not there.
    """
    places = SEARCH
    if program in ("initdb", "postgres", "pg_ctl", "psql"):
        versions = sorted(
            Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name)
        )
        places = os.pathsep.join([*map(str, reversed(versions)), SEARCH])
    found = shutil.which(program, path=places)
    if found is None:
        package = PACKAGES.get(program, program)
        raise MissingProgramError(
            f"{program} is missing: make peers installs it (Debian: {package})"
        )
    return Path(found)


def run(
    words: Sequence[str | Path],
    environment: Mapping[str, str],
    folder: Path | None = None,
    stdin: str | bytes = "",
) -> Outcome:
    """Run a command to its end; nothing of this process's environment but what is given reaches it."""
    given = stdin if isinstance(stdin, bytes) else stdin.encode()
    done = subprocess.run(
        [*map(str, words)], env=dict(environment), cwd=folder, input=given, capture_output=True, check=False,
        timeout=RUN_SECONDS,
    )  # fmt: skip
    decoded = [stream.decode("utf-8", "backslashreplace") for stream in (done.stdout, done.stderr)]
    return Outcome(tuple(map(str, words)), done.returncode, *decoded)


def free_port() -> int:
    """A port of the loopback interface that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Ask again and again whether something holds; foreign servers announce nothing that could be awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        select.select([], [], [], 0.05)


def listens(port: int) -> bool:
    """Whether something takes connections there."""
    with socket.socket() as client:
        client.settimeout(2)
        return client.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A server process in a process group of its own, with its log."""

    def __init__(
        self, name: str, words: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None,
        user: str | None = None, stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:  # fmt: skip
        """Start it."""
        self.name, self.log, self._stop_signal = name, log, stop_signal
        with log.open("ab") as sink:
            self.process = subprocess.Popen(
                [*map(str, words)], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True,
                env=dict(environment) if environment is not None else None, user=user, cwd="/",
            )  # fmt: skip
        atexit.register(self.stop)

    def ready(self, condition: Callable[[], bool], seconds: float = 60) -> "Server":
        """Wait until it is ready; its log is in the error when it ends or never is."""

        def ended_or_ready() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(
                    f"{self.name} ended with {self.process.returncode}:\n{self.tail()}"
                )
            return condition()

        try:
            until(ended_or_ready, seconds, f"{self.name} ready")
        except BaseException:
            self.stop()
            raise
        return self

    def tail(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-20:])

    def kill(self) -> None:
        """End the whole process group without warning."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        atexit.unregister(self.stop)

    def stop(self, seconds: float = 30) -> int:
        """Stop it and all that it started, politely and then not; its exit status."""
        atexit.unregister(self.stop)
        if self.process.poll() is None:
            self.process.send_signal(self._stop_signal)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # what it left behind, if anything
        return self.process.wait(seconds)
