"""A log in a folder, by processes that are killed, run out of space, or share it: nothing answered is ever lost."""

import signal
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest

from countermark.adapters.tile_folder import TileFolder
from countermark.core.errors import CountermarkError
from countermark.formats.tlog import Checkpoint, Note
from countermark.proofs import checkpoints, log, public_keys
from countermark.proofs.log_tiles import TileTree
from countermark.services.log_reading import LogFiles
from serve_log import HOST, shard

pytestmark = pytest.mark.slow

CRASHER = Path(__file__).parents[2] / "crash_log.py"
PATHS = [str(CRASHER.parent), str(CRASHER.parents[1] / "src")]


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    script = f"import sys; sys.path[:0] = {PATHS!r}; import crash_log; crash_log.main(sys.argv[1:])"
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder), *words], stdout=subprocess.PIPE, text=True
    )


def answers(lines: list[str]) -> list[tuple[int, bytes, str]]:
    """What was answered: place, body, note; the last line may be cut off."""
    found = []
    for line in lines:
        words = line.split(" ")
        if line.endswith("\n") and len(words) == 3:
            found.append((int(words[0]), b64decode(words[1]), b64decode(words[2]).decode()))
    return found


def opened(folder: Path, text: str) -> Checkpoint:
    key = public_keys.parse((folder / "log.pub").read_bytes())
    return checkpoints.check_origin(Note.parse(text), HOST, key)


def check(folder: Path, answered: list[tuple[int, bytes, str]]) -> int:
    """Demand that the log has all that was answered, and is consistent with every checkpoint that was."""
    served = shard(folder)
    tree = opened(folder, served.sequencer.open().note)
    files = LogFiles(TileFolder(str(folder / "tiles")))
    assert files.checkpoint() is not None
    bodies = list(files.entries(0, tree.size, tree.size))
    hashes = TileTree(files.hashes)
    assert hashes.root(tree.size) == tree.root
    assert len(set(bodies)) == len(bodies) == tree.size
    seen: dict[int, bytes] = {}
    for place, body, note in answered:
        assert bodies[place] == body
        shown = opened(folder, note)
        assert place < shown.size <= tree.size
        assert seen.setdefault(shown.size, shown.root) == shown.root == hashes.root(shown.size)
        proof = hashes.inclusion(place, shown.size)
        log.check_inclusion(place, shown.size, log.leaf_hash(body), proof, shown.root)
    return tree.size


@pytest.mark.parametrize("after", [1, 2, 7, 41, 250])
def test_killed(after: int, tmp_path: Path) -> None:
    answered = []
    for run in range(4):
        process = start(tmp_path, f"run{run}")
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        answered += answers(lines + process.stdout.readlines())
        process.wait()
        process.stdout.close()
    assert len(answered) >= 4 * after
    assert check(tmp_path, answered) >= len(answered)


def test_two_processes_of_which_one_is_killed(tmp_path: Path) -> None:
    both = [start(tmp_path, name) for name in ("one", "other")]
    answered = []
    for process, count in zip(both, (150, 300), strict=True):
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(count)]
        process.kill()
        answered += answers(lines + process.stdout.readlines())
        process.wait()
        process.stdout.close()
    assert {body[:3] for _, body, _ in answered} == {b"one", b"oth"}
    assert len({place for place, _, _ in answered}) == len(answered)
    assert check(tmp_path, answered) >= len(answered)


@pytest.mark.parametrize("limit", [60_000, 300_000, 600_000])
def test_no_space(limit: int, tmp_path: Path) -> None:
    process = start(tmp_path, "first", "--count", "10")
    output, _ = process.communicate()
    answered = answers(output.splitlines(keepends=True))
    assert len(answered) == 40
    process = start(tmp_path, "second", "--limit", str(limit))
    output, _ = process.communicate()
    lines = output.splitlines(keepends=True)
    assert lines[-1] in ("no-space\n", "unavailable\n")
    answered += answers(lines)
    size = check(tmp_path, answered)
    third = start(tmp_path, "third", "--count", "10")
    output, _ = third.communicate()
    answered += answers(output.splitlines(keepends=True))
    assert check(tmp_path, answered) == size + 40


def test_a_key_that_is_another_is_told(tmp_path: Path) -> None:
    process = start(tmp_path, "first", "--count", "1")
    process.communicate()
    (tmp_path / "log.key").unlink()
    with pytest.raises(CountermarkError, match="not one of this log"):
        shard(tmp_path).sequencer.open()
