"""The people of a story, their commands, what came of them, and the server that they all ask."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_PASSPHRASES = {
    "DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE": "the demo's root passphrase",
    "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": "the demo's repository passphrase",
}
# what would make commands do something else here than for anybody else
_OTHERS = ("DOCKER_", "COUNTERMARK_", "COSIGN_", "SIGSTORE_", "TUF_", "XDG_", "SSL_CERT_")
_SHOWN_CHARS = 44  # of an expected text, in the table
_STARTS_IN = 30.0  # seconds


class Result(NamedTuple):
    """One step: what it was about, what was expected, what happened, and whether that is the same."""

    title: str
    expected: str
    happened: str
    agreed: bool


class Story:
    """What is told, line by line, and remembered for the table."""

    def __init__(self, folder: Path) -> None:
        """Take the folder in which everything happens."""
        self.folder = folder
        self.address = f"127.0.0.1:{_free_port()}"
        self._results: list[Result] = []
        self._programs = folder / "programs"
        self._programs.mkdir()
        program = self._programs / "countermark"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m countermark "$@"\n')
        program.chmod(0o755)

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        print(f"\n{_colour(title, '1;4')}")

    def say(self, text: str) -> None:
        """Tell what comes next."""
        print(f"\n{_colour(text, '1')}")

    def run(
        self, person: str, title: str, command: str, *, expected: int = 0, shows: str = ""
    ) -> None:
        """Let a person run a command line, and note whether its exit status and its words are as expected.

        Args:
            person: whose home, keys and beliefs it is run with.
            title: what it is about, for the table.
            command: for a shell; what is shown is what is run.
            expected: the exit status.
            shows: words that must be in what it prints.
        """
        print(f"  {_colour(person + '$', '36')} {command}")
        done = subprocess.run(
            ["/bin/sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            env=self._environment(person), cwd=self.folder, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        for line in done.stdout.replace(f"{self.folder}/", "").strip().splitlines():
            print(f"    {line}")
        agreed = done.returncode == expected and shows in done.stdout
        happened = f"exit {done.returncode}" + ("" if shows in done.stdout else f", no {shows!r}")
        if agreed:
            print(f"    {_colour('as expected', '32')}")
        else:
            print(f"    {_colour(f'NOT as expected: {happened}', '31')}")
        short = shows if len(shows) <= _SHOWN_CHARS else f"{shows[: _SHOWN_CHARS - 3]}..."
        wanted = f"exit {expected}" + (f", {short!r}" if shows else "")
        self._results.append(Result(title, wanted, happened, agreed))

    def _environment(self, person: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_OTHERS)}
        home = str(self.home(person))
        path = f"{self._programs}:{os.environ.get('PATH', '')}"
        return kept | _PASSPHRASES | {"HOME": home, "PATH": path}

    def home(self, person: str) -> Path:
        """A person's home, where docker's folder has the server's CA, as an administrator puts it there."""
        home = self.folder / "homes" / person
        ca = home / ".docker" / "tls" / self.address / "ca.crt"
        if not ca.exists():
            ca.parent.mkdir(parents=True)
            shutil.copy(self.folder / "server" / "tls" / "ca.crt", ca)
        return home

    def table(self) -> int:
        """Print the table; 0 only if everything was as expected."""
        columns = [("WHAT", "EXPECTED"), *((r.title, r.expected) for r in self._results)]
        first, second = (max(len(row[n]) for row in columns) for n in (0, 1))
        print(f"\n{'WHAT':{first}}   {'EXPECTED':{second}}   HAPPENED")
        for title, expected, happened, agreed in self._results:
            mark = _colour("ok", "32") if agreed else _colour("WRONG", "31")
            print(f"{title:{first}}   {expected:{second}}   {happened}  {mark}")
        wrong = sum(not result.agreed for result in self._results)
        print(f"\n{len(self._results) - wrong} as expected, {wrong} not")
        return 1 if wrong else 0


@contextmanager
def serving(story: Story) -> Iterator[None]:
    """Run the server while the story is played."""
    words = ["countermark", "serve", "--sigstore", "--data", "server", "--listen", story.address]
    print(f"  {_colour('server$', '36')} {' '.join(words)}")
    log = story.folder / "server.log"
    with log.open("wb") as written:
        server = subprocess.Popen(
            [sys.executable, "-m", *words], stdout=written, stderr=written, stdin=subprocess.DEVNULL,
            cwd=story.folder,
        )  # fmt: skip
    try:
        _wait_until_ready(story, server)
        for line in log.read_text().splitlines()[:1]:
            print(f"    {line.replace(f'{story.folder}/', '')}")
        yield
    finally:
        server.terminate()
        server.wait(20)


def _wait_until_ready(story: Story, server: "subprocess.Popen[bytes]") -> None:
    """Ask /readyz until it answers."""
    ends = time.monotonic() + _STARTS_IN
    ca = story.folder / "server" / "tls" / "ca.crt"
    while time.monotonic() < ends:
        if server.poll() is not None:
            raise SystemExit(f"the server ended: see {story.folder}/server.log")
        try:
            context = ssl.create_default_context(cafile=str(ca))
            url = f"https://{story.address}/readyz"
            with urllib.request.urlopen(url, context=context, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"the server did not become ready within {_STARTS_IN:.0f} s")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _colour(text: str, code: str) -> str:
    on_terminal = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return f"\x1b[{code}m{text}\x1b[0m" if on_terminal else text
