"""The file of bytecode that a start reads: used, kept up to date, and never in the way."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import countermark

SHOW = """
import sys
sys.path.insert(0, {folder!r})
sys.argv = ["countermark", *{words!r}]
from countermark.cli import start
import atexit
def show():
    kept = sys.meta_path[0]
    print(len(kept._index), len(kept._used), file=sys.stderr)
atexit.register(show)
start.entry()
"""
END = """
import sys
from countermark.cli import start
{before}
class Taken:
    def __del__(self):
        sys.stdout.write("taken apart")
taken = Taken()
sys.stdout.write("printed ")
start.leave(5)
"""


class Copy:
    """A copy of the package that the test may change, with Python's own bytecode folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        source = Path(countermark.__file__).parent
        shutil.copytree(
            source, folder / "countermark", ignore=shutil.ignore_patterns("__pycache__")
        )

    @property
    def file(self) -> Path:
        return (
            self.folder
            / "countermark"
            / "__pycache__"
            / f"start.{sys.implementation.cache_tag}.bin"
        )

    def run(self, *words: str, **environment: str) -> tuple[str, int, int]:
        """Run the program; what it printed, how many modules the file had, how many came from it."""
        done = subprocess.run(
            [sys.executable, "-c", SHOW.format(folder=str(self.folder), words=words or ("--version",))],
            env={"HOME": str(self.folder), "PATH": "", **environment},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        numbers = done.stderr.splitlines()[-1].split()
        return done.stdout, int(numbers[0]), int(numbers[1])


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_the_second_start_reads_from_the_file(copy: Copy) -> None:
    printed, known, used = copy.run()
    assert printed.startswith("countermark ")
    assert known == used == 0
    again, known, used = copy.run()
    assert again == printed
    assert known == used > 3


def test_the_file_grows_with_what_is_used(copy: Copy) -> None:
    copy.run()
    first = copy.run()[1]
    copy.run("completion", "bash")
    assert copy.run()[1] > first
    assert not list(copy.file.parent.glob("*.bin.*"))


def test_a_changed_source_is_what_runs(copy: Copy) -> None:
    copy.run()
    version = copy.folder / "countermark" / "version.py"
    version.write_text(version.read_text() + '\nVERSION = "changed"\n')
    assert copy.run()[0] == "countermark changed\n"
    # and what was kept in its place is good from then on
    printed, known, used = copy.run()
    assert (printed, known) == ("countermark changed\n", used)


def test_a_removed_source_is_not_kept(copy: Copy) -> None:
    copy.run("completion", "bash")
    copy.run()
    before = copy.run()[1]
    (copy.folder / "countermark" / "cli" / "completion.py").unlink()
    version = copy.folder / "countermark" / "version.py"
    os.utime(version, (1, 1))
    copy.run()
    assert copy.run()[1] < before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[:7],
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: content[:8] + b"\xff" * 8 + content[16:],
        lambda content: content[:8] + b"\0" * 8 + content[16:],
        lambda content: content.replace(content[16:32], b"0" * 16, 1),
    ],
    ids=["empty", "head", "cut", "longer", "index-too-long", "no-index", "index"],
)
def test_a_file_that_is_none_is_written_anew(copy: Copy, spoil: "object") -> None:
    copy.run()
    copy.file.write_bytes(spoil(copy.file.read_bytes()))  # type: ignore[operator]
    printed, known, used = copy.run()
    assert printed.startswith("countermark ")
    assert known == used == 0
    assert copy.run()[2] > 3


def test_nothing_is_written_where_python_writes_no_bytecode(copy: Copy) -> None:
    assert copy.run(PYTHONDONTWRITEBYTECODE="1")[0].startswith("countermark ")
    assert not copy.file.exists()


def test_a_folder_that_cannot_be_written_is_no_trouble(copy: Copy) -> None:
    copy.file.parent.write_text("in the way")
    assert copy.run()[0].startswith("countermark ")
    assert copy.run()[1] == 0


def test_the_exit_status_goes_through(copy: Copy) -> None:
    words = ["-c", SHOW.format(folder=str(copy.folder), words=("no-such-command",))]
    for _ in range(2):
        done = subprocess.run([sys.executable, *words], capture_output=True, check=False)
        assert done.returncode == 2


@pytest.mark.parametrize(
    ("before", "printed"),
    [
        ("", "printed "),
        (
            "import atexit; atexit.register(lambda: print('called', end=' '))",
            "printed called taken apart",
        ),
        ("import _sqlite3", "printed taken apart"),
        (
            "import threading, time; go = threading.Event()\n"
            "def work(): go.wait(); sys.stdout.write('worked ')\n"
            "threading.Thread(target=work).start(); threading._register_atexit(go.set)",
            "printed worked taken apart",
        ),
    ],
    ids=["nothing waits", "a function to be called", "a database", "a thread"],
)
def test_the_end_is_short_where_nothing_waits_for_it(before: str, printed: str) -> None:
    words = [sys.executable, "-c", END.format(before=before)]
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout) == (5, printed), done.stderr


def test_a_closed_output_is_no_trouble_at_the_end() -> None:
    script = "import sys; sys.stdout = None; from countermark.cli import start; start.leave(3)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (3, b"")
