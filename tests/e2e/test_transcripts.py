"""Transcripts: commands and what a person sees, run against the program as a process.

Each ``*.txt`` beside this file is played in a home of its own against one server. A line ``$ COMMAND`` runs a command
(through a shell), the lines below are its standard output and standard error together, and ``[N]`` is its exit status
when not 0. ``...`` stands for anything within a line, and alone on a line for any lines. ``<name>`` is 64 hex digits:
the first time any, from then on the same ones, in commands too; ``<name.12>`` is their beginning. ``countermark`` as
a word of a command is the program; ``{REG}`` (a repository of the transcript's own), ``{HOST}``, ``{HOME}`` and
``{PY}`` are filled in. Empty lines at the end of what is printed do not count.
"""

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COMMAND = f"{sys.executable} -m countermark"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    data = tmp_path_factory.mktemp("server")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    log = (data / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "countermark", "serve", "--data", str(data / "d"), "--listen", address],
        stdout=log, stderr=log, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    ca = data / "d" / "tls" / "ca.crt"
    try:
        for _ in range(300):
            assert process.poll() is None, (data / "log").read_text()
            try:
                context = ssl.create_default_context(cafile=str(ca))
                with urllib.request.urlopen(
                    f"https://{address}/readyz", context=context, timeout=5
                ):
                    break
            except OSError:
                process_wait(process)
        else:
            pytest.fail("the server did not become ready")
        yield address, ca
    finally:
        process.terminate()
        assert process.wait(30) == 0
        log.close()


def process_wait(process: "subprocess.Popen[bytes]") -> None:
    """Wait a tenth of a second, or until the process ends."""
    try:
        process.wait(0.1)
    except subprocess.TimeoutExpired:
        return


def steps(text: str) -> Iterator[tuple[int, str, list[str], int]]:
    """Yield each command with its line number, the lines expected, and the status expected."""
    command, number, expected, status = "", 0, list[str](), 0
    for line_number, line in enumerate(text.splitlines(), 1):
        if line.startswith("$ "):
            if command:
                yield number, command, expected, status
            command, number, expected, status = line[2:], line_number, [], 0
        elif ended := re.fullmatch(r"\[(\d+)\]", line):
            status = int(ended[1])
        elif command and not line.startswith("#"):
            expected.append(line)
    if command:
        yield number, command, expected, status


def _digits(known: dict[str, str], found: "re.Match[str]") -> str:
    return known[found[1]][: int(found[2] or 64)]


HEX = re.compile(r"<(\w+)(?:\\?\.(\d+))?>")  # with the backslash of re.escape


def pattern(lines: list[str], known: dict[str, str]) -> str:
    """The expression that the output must match; names that are not known yet become its groups."""
    parts, new = [], set[str]()

    def named(found: "re.Match[str]") -> str:
        name, digits = found[1], int(found[2] or 64)
        if name in known:
            return known[name][:digits]
        if name in new:
            assert digits == 64, f"{found[0]} comes before <{name}>"
            return f"(?P={name})"
        assert digits == 64, f"{found[0]} comes before <{name}>"
        new.add(name)
        return f"(?P<{name}>[0-9a-f]{{64}})"

    while lines and not lines[-1]:
        lines.pop()
    for line in lines:
        if line == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            pieces = [re.escape(piece) for piece in line.split("...")]
            parts.append(HEX.sub(named, ".*?".join(pieces)) + r"\n")
    return "".join(parts)


@pytest.mark.parametrize("path", sorted(HERE.glob("*.txt")), ids=lambda p: p.stem)
def test_transcript(path: Path, server: tuple[str, Path], tmp_path: Path) -> None:
    address, ca = server
    home = tmp_path / "home"
    folder = home / "tls" / address
    folder.mkdir(parents=True)
    shutil.copy(ca, folder / "ca.crt")
    (home / "config.json").write_text("{}")
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "COUNTERMARK_"))
    }
    environment |= {
        "HOME": str(home),
        "DOCKER_CONFIG": str(home),
        "XDG_CONFIG_HOME": str(home),
        "DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE": "root passphrase",
        "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": "repository passphrase",
        "PYTHONPATH": str(ROOT / "demo"),
    }
    values = {
        "{REG}": f"{address}/{path.stem}",
        "{HOST}": address,
        "{HOME}": str(home),
        "{PY}": sys.executable,
    }

    def filled(text: str) -> str:
        for name, value in values.items():
            text = text.replace(name, value)
        return text

    played, known = 0, dict[str, str]()
    for number, command, expected, status in steps(path.read_text(encoding="utf-8")):
        shell = re.sub(r"(?<![\w/.-])countermark(?=\s|$)", COMMAND, filled(command))
        shell = HEX.sub(partial(_digits, known), shell)
        done = subprocess.run(
            ["/bin/sh", "-c", shell], cwd=home, env=environment, text=True, check=False, timeout=60,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        printed = done.stdout.rstrip("\n") + "\n" if done.stdout.strip("\n") else ""
        where = f"{path.name}:{number}: {command}\n--- printed (exit {done.returncode})\n{printed}"
        assert done.returncode == status, where
        matched = re.fullmatch(pattern([filled(line) for line in expected], known), printed)
        assert matched, where + "\n--- expected\n" + "\n".join(expected)
        known |= matched.groupdict()
        played += 1
    assert played, f"{path.name} has no command"
