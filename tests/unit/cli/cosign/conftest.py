"""What the tests of cosign's commands share."""

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from playing import Play, playing


@pytest.fixture
def play(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Play]:
    yield from playing(tmp_path, capsys)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder in which the commands run."""
    with chdir(tmp_path):
        yield tmp_path
