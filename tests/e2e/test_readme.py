"""The tour of README.md, line by line, from a fresh home, at a terminal of its own."""

import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
SERVE = "countermark serve --sigstore"
KEYLESS, CONTENT_TRUST, HABITS = (
    "## Sign as yourself, in five lines",
    "## Content trust, in five minutes",
    "## Keep old habits",
)
PASSWORD = "a long password"
# What each command must have said; those that are not here must only have succeeded.
SAYS = {
    "countermark sigstore use ": "its issuer is https://{place}/identity",
    "countermark push": "{place}/pay:v1@sha256:",
    "countermark sigstore user add": "added you@example.com",
    "countermark sign --identity": "  by you@example.com",
    "countermark verify --identity": "allowed  {place}/pay:v1",
    "countermark log search": "you@example.com (https://{place}/identity)",
    "countermark sign --key": "signed  {place}/pay:v1",
    "countermark verify --key": "allowed  {place}/pay:v1",
    "countermark trust key generate": "Successfully generated and loaded private key.",
    "countermark push docker-archive:pay.tar 127.0.0.1:5443/pay:v1 --sign": "Successfully signed {place}/pay:v1",
    "countermark trust signer add": "Successfully added signer: alice to {place}/pay",
    "countermark trust sign ": "Successfully signed {place}/pay:v1",
    "countermark trust inspect": "List of signers and their keys for {place}/pay",
    "countermark verify 127": "allowed  {place}/pay:v1",
    "countermark pull": " -> oci:pay",
    "countermark trust pin": "pinned {place}/pay to root key ",
    "countermark verify --require-pin": "allowed  {place}/pay:v1",
    "countermark shim install": "installed ",
}
# What is typed, each a line.
TYPED = {"countermark sigstore user add": 2, "countermark sign --identity": 1}


def commands_of(section: str) -> list[str]:
    """The commands of a section, in order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"(?ms)^{re.escape(section)}\n(.*?)^## ", text)
    assert found, section
    return [line[4:] for line in found[1].splitlines() if line.startswith("    ")]


class Reader:
    """Whoever follows the tour: a home, a terminal, and the program on PATH."""

    def __init__(self, home: Path, place: str) -> None:
        self.home, self.place = home, place
        self.said = set[str]()
        programs = home / "programs"
        programs.mkdir()
        program = programs / "countermark"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m countermark "$@"\n')
        program.chmod(0o755)
        others = ("DOCKER_", "COUNTERMARK_", "COSIGN_", "SIGSTORE_", "TUF_", "XDG_", "SSL_CERT_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(others)}
        self.environment = kept | {
            "HOME": str(home),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "demo"),
            "DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE": "root passphrase",
            "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": "repository passphrase",
            "COSIGN_PASSWORD": "key password",
        }

    def run(self, command: str, typed: str = "") -> str:
        """Run a command line at a terminal at which this was typed already; it must succeed."""
        far, near = pty.openpty()
        try:
            os.write(far, typed.encode())
            done = subprocess.run(
                ["/bin/sh", "-c", command], cwd=self.home, env=self.environment, text=True, check=False,
                timeout=60, stdin=near, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        finally:
            os.close(far)
            os.close(near)
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    def follow(self, command: str) -> None:
        """Run a line of the tour on this server, with the image that stands in for the reader's own."""
        shown = command.replace("docker-archive:pay.tar", "oci:layout")
        lines = next((n for beginning, n in TYPED.items() if command.startswith(beginning)), 0)
        printed = self.run(shown.replace("127.0.0.1:5443", self.place), f"{PASSWORD}\n" * lines)
        assert PASSWORD not in printed
        for beginning, words in SAYS.items():
            if f"{command} ".startswith(beginning):
                assert words.format(place=self.place) in printed, f"{command}\n{printed}"
                self.said.add(beginning)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run the tour's first line meanwhile."""
        with subprocess.Popen(
            ["/bin/sh", "-c", f"exec {SERVE} --listen {self.place}"], cwd=self.home, env=self.environment,
            text=True, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as server:  # fmt: skip
            try:
                assert server.stderr is not None
                for line in server.stderr:
                    if "keep a copy of the data folder" in line:
                        break
                yield
            finally:
                server.terminate()
        assert server.returncode == 0


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        made = Reader(tmp_path, f"127.0.0.1:{listener.getsockname()[1]}")
    image = "import demo, pathlib; demo.image(pathlib.Path('layout'), 'pay')"
    made.run(f'{sys.executable} -c "{image}"')
    return made


def test_the_tour(reader: Reader) -> None:
    first, *keyless = commands_of(KEYLESS)
    assert first == SERVE
    with reader.serving():
        for command in (*keyless, *commands_of(CONTENT_TRUST), *commands_of(HABITS)):
            reader.follow(command)
    assert reader.said == set(SAYS)


def test_five_lines_and_an_image() -> None:
    lines = commands_of(KEYLESS)
    wanted = next(n for n, line in enumerate(lines) if line.startswith("countermark verify"))
    assert len([line for line in lines[: wanted + 1] if " push " not in line]) == 5
