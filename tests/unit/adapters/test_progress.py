"""Bars are drawn for long work only, on standard error, with foreign text as text."""

import io
import sys

from countermark.adapters import process
from countermark.adapters.progress import NoProgress, TerminalProgress

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
    environment = {"TERM": "xterm", "COLUMNS": "100"}
    return process.run([sys.executable, "-c", SCRIPT, wait], environment=environment)


def test_long_work_is_drawn() -> None:
    done = run("0")
    assert done.output == b"True\n"
    assert b"pushing [red]a" in done.errors
    assert b"pulling b" in done.errors


def test_short_work_is_not_and_loads_nothing() -> None:
    done = run("60")
    assert (done.output, done.errors) == (b"False\n", b"")


def test_what_is_drawn() -> None:
    file = io.StringIO()
    progress = TerminalProgress(wait_seconds=0, colour=False, file=file)
    progress.begin("pulling [b]x", 2_000_000)
    progress.advance(1_000_000)
    progress.advance(1_000_000)
    progress.finish()
    assert "pulling [b]x" in file.getvalue()
    assert "2.0/2.0 MB" in file.getvalue()


def test_how_much_it_will_be_may_be_unknown() -> None:
    file = io.StringIO()
    progress = TerminalProgress(wait_seconds=0, file=file)
    progress.begin("pulling", 0)
    progress.advance(5)
    progress.finish()
    assert "5/? bytes" in file.getvalue()


def test_nothing_is_shown_where_nobody_looks() -> None:
    progress = NoProgress()
    progress.begin("x", 1)
    progress.advance(1)
    progress.finish()
