"""The benchmark's own sums: turns, ratios, goals and the lines of its page; what it starts is really measured."""

import sys
from pathlib import Path

import pytest
from bench import page
from bench.measuring import Command, Launcher, Row, Sample, in_turns, median, paired_ratio


def sample(wall: float) -> Sample:
    return Sample(wall=wall, cpu=0, memory=0, exit=0)


def test_runs_stand_beside_each_other_and_the_first_rounds_only_warm() -> None:
    order: list[str] = []

    def one(name: str) -> Sample:
        order.append(name)
        return sample(len(order))

    ours, theirs = in_turns(2, 1, lambda: one("ours"), lambda: one("theirs"))
    assert order == ["ours", "theirs"] * 3
    assert [each.wall for each in ours] == [3, 5]
    assert [each.wall for each in theirs] == [4, 6]


def test_a_slow_phase_hits_both() -> None:
    """The ratio of the medians would be 10; in each pair ours took twice as long."""
    ours, theirs = [2.0, 20.0, 20.0], [1.0, 10.0, 10.0]
    assert paired_ratio(ours, theirs) == 2
    assert median([3.0, 1.0, 2.0]) == 2
    with pytest.raises(ValueError, match="shorter"):
        paired_ratio(ours, theirs[:2])


@pytest.mark.parametrize(
    ("ratio", "goal", "more_is_better", "met", "cells"),
    [
        (1.0, 1.0, False, True, "1.00 | ≤ 1 | met"),
        (1.004, 1.0, False, False, "1.00 | ≤ 1 | **missed**"),
        (10.0, 10.0, True, True, "10.00 | ≥ 10 | met"),
        (9.9, 10.0, True, False, "9.90 | ≥ 10 | **missed**"),
        (0.5, None, False, None, "0.50 |  | "),
        (None, 1.0, True, None, " | ≥ 1 | **missed**"),
    ],
)
def test_goals(
    ratio: float | None, goal: float | None, more_is_better: bool, met: bool | None, cells: str
) -> None:
    row = Row("what", "1 ms", "peer", "2 ms", ratio, goal, more_is_better)
    assert row.met is met
    assert page.section("Title", [row])[-2] == f"| what | 1 ms | peer | 2 ms | {cells} |"


def test_a_table_without_rows_is_left_out() -> None:
    assert page.section("Title", []) == []


def test_the_launcher_measures_what_it_starts(tmp_path: Path) -> None:
    launcher = Launcher(tmp_path)
    told: list[str] = []
    busy = "import time, pathlib; pathlib.Path('was-here').touch(); x = bytearray(60 << 20)\n" \
        "while time.process_time() < 0.2: pass"  # fmt: skip
    try:
        found = launcher.run(
            Command([sys.executable, "-c", busy], {}, lambda: told.append("before"))
        )
        with pytest.raises(RuntimeError, match=r"exit 3: .*SystemExit"):
            launcher.run(Command([sys.executable, "-c", "raise SystemExit(3)"], {}))
    finally:
        launcher.stop()
    assert told == ["before"]
    assert (tmp_path / "was-here").exists()
    assert 0.2 <= found.cpu <= found.wall + 0.05
    assert 60 < found.memory < 200
