"""Measuring in turns, so that a slow phase of the machine hits both; then medians, and ratios pair by pair."""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Sample(NamedTuple):
    """What one run of a command took."""

    wall: float
    cpu: float
    memory: float
    exit: int


class Command(NamedTuple):
    """A command to measure, and what has to be done before each run of it."""

    words: Sequence[str]
    environment: Mapping[str, str]
    before: Callable[[], object] = lambda: None


class Row(NamedTuple):
    """A line of the page: a figure of ours beside a peer's.

    ``goal`` is the ratio that we want; with ``more_is_better`` at least that, else at most.
    """

    what: str
    ours: str
    peer: str
    theirs: str
    ratio: float | None
    goal: float | None
    more_is_better: bool

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None or self.ratio is None:
            return None
        return self.ratio >= self.goal if self.more_is_better else self.ratio <= self.goal


class Launcher:
    """The small process that starts what is measured."""

    def __init__(self, folder: Path) -> None:
        """Start it."""
        self._folder = folder
        script = Path(__file__).with_name("launcher.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, command: Command) -> Sample:
        """Run one command; it has to end with 0."""
        command.before()
        assert self._process.stdin
        assert self._process.stdout
        asked = {
            "words": list(command.words),
            "environment": dict(command.environment),
            "folder": str(self._folder),
        }
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        sample = Sample(**json.loads(self._process.stdout.readline()))
        if sample.exit != 0:
            raise RuntimeError(f"exit {sample.exit}: {' '.join(command.words)}")
        return sample

    def stop(self) -> None:
        """Let it end."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def in_turns(times: int, warm_up: int, *runs: Callable[[], Sample]) -> list[list[Sample]]:
    """Run each in turn, so many times; the first rounds only warm caches."""
    kept: list[list[Sample]] = [[] for _ in runs]
    for number in range(times + warm_up):
        for samples, one in zip(kept, runs, strict=True):
            sample = one()
            if number >= warm_up:
                samples.append(sample)
    return kept


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios, each of two runs that stood beside each other."""
    return statistics.median([a / b for a, b in zip(ours, theirs, strict=True)])


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, flush=True)
