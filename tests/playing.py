"""Cosign's commands played in this process: their own home, no network, a clock that stands still."""

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from countermark.adapters.password_prompt import PasswordPrompt
from countermark.assembly.cosign import Cosign
from countermark.assembly.program import Program
from countermark.cli.main import main
from world import NOW

Play = Callable[..., tuple[int, str, str]]
NOBODY = os.open(os.devnull, os.O_RDONLY)
NOWHERE = "http://127.0.0.1:1"  # nobody answers there


class Alone(Program):
    """A program whose standard input is what the test gives."""

    source = NOBODY

    @property
    def cosign(self) -> Cosign:
        made = super().cosign
        made._made.setdefault(
            "prompt", PasswordPrompt(self.environment, self.source, lambda _: None)
        )
        return made

    @staticmethod
    def now() -> datetime:
        return NOW

    def standard_input(self, max_bytes: int) -> bytes:
        return os.read(self.source, max_bytes)


def playing(home: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Play]:
    """A function that runs a command and returns its status, and what it wrote to stdout and stderr."""
    descriptors: list[int] = []

    def run(
        *argv: str | Path, typed: bytes | None = None, **environment: str
    ) -> tuple[int, str, str]:
        folders = {"HOME": str(home), "DOCKER_CONFIG": str(home / "docker")}
        program = Alone(folders | {"TUF_MIRROR": NOWHERE} | environment)
        if typed is not None:
            source, to = os.pipe()
            descriptors.append(source)
            os.write(to, typed)
            os.close(to)
            program.source = source
        status = main(["cosign", *map(str, argv)], lambda _: program)
        program.http.close()
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    yield run
    for descriptor in descriptors:
        os.close(descriptor)


def both(text: str) -> str:
    """An error as cosign prints it."""
    return f"Error: {text}\nerror during command execution: {text}\n"
