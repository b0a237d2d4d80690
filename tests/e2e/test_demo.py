"""``make demo``: what is expected happens, and the table says so where something else does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e
DEMO = Path(__file__).parents[2] / "demo"

# What a step comes to that did not go as it was told to.
BROKEN = """
import pathlib, sys
from story import Story
folder = pathlib.Path(sys.argv[1])
(folder / "server" / "tls").mkdir(parents=True)
(folder / "server" / "tls" / "ca.crt").write_text("")
story = Story(folder)
story.run("carol", "first", "echo denied; exit 1", expected=1, shows="denied")
story.run("carol", "second", "echo denied; exit 1", expected=0)
story.run("carol", "third", "echo denied", shows="allowed")
sys.exit(story.table())
"""


@pytest.mark.timeout(300)  # some hundred commands
def test_both_stories(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, DEMO / "demo.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
        env=os.environ | {"TMPDIR": str(tmp_path)}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in (
        "alice$ countermark trust key generate alice\n",
        "content-trust: v3.1.0 is signed as another digest (moved-tag)\n",
        "subject is 'mallory@example.com', expected is 'alice@example.com' (identity)\n",
        "3 entries; entries, tiles, checkpoint and index are right\n",
    ):
        assert shown in done.stdout
    assert " as expected, 0 not\n" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_what_did_not_happen_as_expected(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BROKEN, tmp_path], capture_output=True, text=True, check=False, timeout=60,
        env=os.environ | {"PYTHONPATH": str(DEMO)},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    _, *rows = [line.split("   ") for line in done.stdout.splitlines() if "   " in line.strip()]
    assert [[cell.strip() for cell in row if cell.strip()] for row in rows[-3:]] == [
        ["first", "exit 1, 'denied'", "exit 1  ok"],
        ["second", "exit 0", "exit 1  WRONG"],
        ["third", "exit 0, 'allowed'", "exit 0, no 'allowed'  WRONG"],
    ]
    assert done.stdout.endswith("1 as expected, 2 not\n")
