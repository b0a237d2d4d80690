"""A registry that dies, or whose disk is full, has kept what it acknowledged and nothing half."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]


def run(program: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(TESTS / program), *words],
        env={"PYTHONPATH": str(TESTS), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def test_death_at_every_step(tmp_path: Path) -> None:
    assert int(run("crash_registry.py", str(tmp_path))) > 60


def test_a_full_disk(tmp_path: Path) -> None:
    assert run("full_registry.py", str(tmp_path)) == "well\n"
