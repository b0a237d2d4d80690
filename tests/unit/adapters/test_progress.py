"""Bars are drawn for long work only, on standard error, with foreign text as text."""

import sys

from countermark.adapters import process

SCRIPT = """
import sys
from countermark.adapters.progress import TerminalProgress
progress = TerminalProgress(wait_seconds=float(sys.argv[1]), colour=False)
for text in ("pushing [red]a", "pulling b"):
    progress.begin(text, 100)
    for _ in range(4):
        progress.advance(25)
    progress.finish()
progress.finish()
print("rich" in sys.modules)
"""


def run(wait: str) -> process.Finished:
    environment = {"TERM": "xterm", "COLUMNS": "100", "FORCE_COLOR": "1"}
    return process.run([sys.executable, "-c", SCRIPT, wait], environment=environment)


def test_long_work_is_drawn() -> None:
    done = run("0")
    assert done.output == b"True\n"
    assert b"pushing [red]a" in done.errors
    assert b"pulling b" in done.errors


def test_short_work_is_not_and_loads_nothing() -> None:
    done = run("60")
    assert (done.output, done.errors) == (b"False\n", b"")
