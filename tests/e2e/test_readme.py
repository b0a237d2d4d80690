"""The tour of README.md, line by line, from a fresh home."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
# What each command must have said; those that are not here must only have succeeded.
SAYS = {
    "countermark trust key generate": "Successfully generated and loaded private key.",
    "countermark push": "Successfully signed {place}/pay:v1",
    "countermark trust signer add": "Successfully added signer: alice to {place}/pay",
    "countermark trust sign ": "Successfully signed {place}/pay:v1",
    "countermark trust inspect": "List of signers and their keys for {place}/pay",
    "countermark verify 127": "allowed  {place}/pay:v1",
    "countermark pull": " -> oci:pay",
    "countermark trust pin": "pinned {place}/pay to root key ",
    "countermark verify --require-pin": "allowed  {place}/pay:v1",
    "countermark sign": "signed  {place}/pay:v1",
    "countermark verify --key": "allowed  {place}/pay:v1",
    "countermark shim install": "docker",
}


def tour() -> list[str]:
    """The commands of the section, in order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"(?ms)^## Five minutes\n(.*?)^## ", text)
    assert section
    return [line[4:] for line in section[1].splitlines() if line.startswith("    ")]


def free_place() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


def test_the_tour(tmp_path: Path) -> None:
    place = free_place()
    bin_folder = tmp_path / "programs"
    bin_folder.mkdir()
    program = bin_folder / "countermark"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m countermark "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "COUNTERMARK_", "XDG_"))}  # fmt: skip
    environment = kept | {
        "HOME": str(tmp_path),
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "demo"),
        "DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE": "root passphrase",
        "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": "repository passphrase",
        "COSIGN_PASSWORD": "key password",
    }

    def run(command: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=tmp_path, env=environment, text=True, check=False, timeout=60,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    run(f"{sys.executable} -c \"import demo, pathlib; demo.image(pathlib.Path('layout'), 'pay')\"")
    first, *commands = tour()
    assert first == "countermark serve --data ./server"
    said = set()
    with subprocess.Popen(
        ["/bin/sh", "-c", f"exec {first} --listen {place}"], cwd=tmp_path, env=environment, text=True,
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as server:  # fmt: skip
        try:
            assert server.stderr is not None
            for line in server.stderr:
                if "keep a copy of the data folder" in line:
                    break
            for command in commands:
                # pay.tar is the reader's own image; the folder above stands in for it
                shown = command.replace("docker-archive:pay.tar", "oci:layout")
                printed = run(shown.replace("127.0.0.1:5443", place))
                for beginning, words in SAYS.items():
                    if command.startswith(beginning):
                        assert words.format(place=place) in printed, f"{command}\n{printed}"
                        said.add(beginning)
        finally:
            server.terminate()
    assert server.returncode == 0
    assert said == set(SAYS)
