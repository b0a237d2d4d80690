"""Rotation, backup and restore, killed at every step that they take: old or new, and never half."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("what", "least"), [("ca", 100), ("log", 100), ("tuf", 100), ("backup", 40), ("restore", 100)]
)
def test_death_at_every_step(what: str, least: int, tmp_path: Path) -> None:
    done = subprocess.run(
        # in Python 3.12 and later a fork beside a server's thread is warned of; the child needs none of it
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", str(TESTS / "crash_sigstore.py"),
         str(tmp_path), what],
        env={"PYTHONPATH": str(TESTS), "PATH": os.defpath},
        capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    deaths, states = map(int, done.stdout.split())
    assert deaths >= least
    assert states >= 2
