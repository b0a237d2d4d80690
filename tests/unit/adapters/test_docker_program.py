"""The real docker behind the drop-in is run with its own content trust off, and with the files that it needs."""

import os
import stat
import sys
from pathlib import Path

import pytest

from countermark.adapters import process
from countermark.adapters.docker_program import BuildFolder
from countermark.core.errors import InputError

PRELUDE = "from countermark.adapters.docker_program import DockerProgram\nimport sys\n"


def program(tmp_path: Path) -> Path:
    """A docker that says how it was called."""
    path = tmp_path / "docker"
    path.write_text(
        '#!/bin/sh\necho "$# $* trust=$DOCKER_CONTENT_TRUST other=$OTHER"\ncat\nexit 7\n'
    )
    path.chmod(0o755)
    return path


def run(tmp_path: Path, text: str) -> process.Finished:
    """Run a script of ours in a Python of its own, since it becomes another program."""
    environment = "{'DOCKER_CONTENT_TRUST': '1', 'OTHER': 'x', 'PATH': '/bin:/usr/bin'}"
    made = f"docker = DockerProgram({str(program(tmp_path))!r}, {environment})\n"
    return process.run(
        [sys.executable, "-c", PRELUDE + made + text], given=b"ours\n", environment=dict(os.environ)
    )


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("docker.become(('ps', '-a b'), trusted=False)", b"2 ps -a b trust=1 other=x\nours\n"),
        ("docker.become(('run',), trusted=True)", b"1 run trust=0 other=x\nours\n"),
        ("sys.exit(docker.call(('pull', 'x')))", b"2 pull x trust=0 other=x\nours\n"),
        ("sys.exit(docker.call(('build',), given=b'theirs'))", b"1 build trust=0 other=x\ntheirs"),
        ("sys.exit(docker.call(('pull',), hidden_line='ours'))", b"1 pull trust=0 other=x\n"),
    ],
)
def test_how_docker_is_run(tmp_path: Path, text: str, output: bytes) -> None:
    done = run(tmp_path, text)
    assert (done.status, done.output, done.errors) == (7, output, b"")


def test_build_files(tmp_path: Path) -> None:
    files = BuildFolder(str(tmp_path))
    (tmp_path / "Dockerfile").write_bytes(b"FROM x")
    assert files.read(str(tmp_path / "Dockerfile")) == b"FROM x"
    assert files.read(str(tmp_path / "none")) is None
    assert files.is_folder(str(tmp_path))
    assert not files.is_folder(str(tmp_path / "Dockerfile"))
    (tmp_path / "large").write_bytes(b"x" * 2_000_000)
    with pytest.raises(InputError):
        files.read(str(tmp_path / "large"))


def test_the_temporary_folder_is_private_and_goes(tmp_path: Path) -> None:
    files = BuildFolder(str(tmp_path))
    folder = files.write_temporary({"Dockerfile": b"FROM x", "Dockerfile.dockerignore": b"y"})
    written = sorted(path.name for path in Path(folder).iterdir())
    assert written == ["Dockerfile", "Dockerfile.dockerignore"]
    assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
    files.remove_temporary(folder)
    files.remove_temporary(folder)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("size", "fits"), [(0, True), (1024 * 1024, True), (1024 * 1024 + 1, False)]
)
def test_standard_input_is_bounded(tmp_path: Path, size: int, fits: bool) -> None:
    (tmp_path / "input").write_bytes(b"x" * size)
    descriptor = os.open(tmp_path / "input", os.O_RDONLY)
    try:
        files = BuildFolder(str(tmp_path), descriptor)
        if fits:
            assert len(files.standard_input()) == size
        else:
            with pytest.raises(InputError):
                files.standard_input()
    finally:
        os.close(descriptor)
