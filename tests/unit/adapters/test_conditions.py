"""Conditions in CEL: what holds, what does not, and what a stranger's statement cannot do to us."""

import json
import time
from pathlib import Path

import pytest

from countermark.adapters.conditions import CelConditions
from countermark.core import limits
from countermark.core.errors import ConfigError, UnavailableError

pytestmark = pytest.mark.slow

STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "predicateType": "https://slsa.dev/provenance/v1",
    "subject": [{"name": "acme/pay", "digest": {"sha256": "ab"}}],
    "predicate": {"type": "build", "score": 7.5, "count": 3, "items": [{"n": 1}, {"n": 2}], "none": None, "é": "ü"},
}  # fmt: skip
CONTENT = json.dumps(STATEMENT).encode()

OUTCOMES = [
    ('predicateType == "https://slsa.dev/provenance/v1"', ""),
    ('predicate.type.startsWith("bu") && predicate.count > 2', ""),
    ("predicate.score >= 7.5", ""),
    ("predicate.items.all(i, i.n > 0)", ""),
    ('subject[0].digest["sha256"] == "ab"', ""),
    ('predicate["é"] == "ü"', ""),
    ("has(predicate.type) && !has(predicate.other)", ""),
    ("predicate.count > 3", "it is not so"),
    ("predicate.other == 1", "KeyError"),
    ("predicate.items[7].n == 1", "IndexError"),
    ("predicate.type == 1", "it is not so"),
    ("predicate.count", "a int"),
    ('"true"', "a str"),
    ("predicate.none", "a NoneType"),
    ("1 / 0 == 1", "ZeroDivisionError"),
    ("_type == 'x'", "RuntimeError"),
    ("payload == 'x'", "RuntimeError"),
]


@pytest.mark.parametrize(("condition", "objection"), OUTCOMES)
def test_only_what_is_true_is_fulfilled(condition: str, objection: str) -> None:
    found = CelConditions().objection(condition, CONTENT)
    assert found.startswith(objection)
    assert (found == "") == (objection == "")


@pytest.mark.parametrize("condition", ["a ==", "", "((", "x.all(", "a b", "x" * 10_000])
def test_what_cannot_be_read_is_the_operators_mistake(condition: str) -> None:
    judge = CelConditions()
    with pytest.raises(ConfigError):
        judge.check(condition)
    with pytest.raises(ConfigError):
        judge.objection(condition, CONTENT)


def test_a_condition_can_be_read_without_a_statement() -> None:
    CelConditions().check("predicate.anything.at.all == 1")


THRICE = "predicate.all(a, predicate.all(b, predicate.all(c, a + b + c > 0)))"
# multiplied by itself until it does not fit
HUGE = "predicate.map(a, predicate.map(b, predicate.map(c, predicate))).size() > 0"


@pytest.mark.parametrize("condition", [THRICE, HUGE])
def test_a_long_list_does_not_hold_us_up(condition: str) -> None:
    content = json.dumps({"predicate": list(range(1, 5_000))}).encode()
    judge, start = CelConditions(seconds=1.0), time.monotonic()
    assert "longer than 1 s" in judge.objection(condition, content) or condition == HUGE
    assert time.monotonic() - start < 1.0 + 10.0


def test_memory_is_bounded() -> None:
    content = json.dumps({"predicate": ["x" * 1_000_000] * 30}).encode()
    condition = "predicate.map(a, predicate.map(b, a + b)).size() == 0"
    assert CelConditions().objection(condition, content) != ""


def test_a_statement_far_larger_than_a_pipe() -> None:
    content = json.dumps({"predicate": {"text": "x" * (8 * limits.MIB)}}).encode()
    assert CelConditions().objection("size(predicate.text) > 1000", content) == ""


@pytest.mark.parametrize(
    ("script", "objection"),
    [
        ("raise SystemExit(1)", "judging it failed"),
        ("", "judging it failed"),
        ("print('x' * 2_000_000)", "printed more than"),
        ("import os; os.kill(os.getpid(), 9)", "judging it failed"),
        ("import time; time.sleep(30)", "takes longer than"),
    ],
)
def test_a_judge_that_fails_has_not_said_true(script: str, objection: str, tmp_path: Path) -> None:
    path = tmp_path / "judge.py"
    path.write_text(f"import sys\nsys.stdin.buffer.read()\n{script}\n")
    judge = CelConditions(judge=str(path), seconds=2.0)
    assert objection in judge.objection("true", CONTENT)


def test_nobody_can_judge(tmp_path: Path) -> None:
    path = tmp_path / "judge.py"
    path.write_text("raise SystemExit(3)")
    with pytest.raises(UnavailableError, match="common-expression-language"):
        CelConditions(judge=str(path)).objection("true", CONTENT)
    path.write_text("import time; time.sleep(30)")
    with pytest.raises(UnavailableError):
        CelConditions(judge=str(path), seconds=0.5).check("true")


def test_copies_of_a_statement_are_judged_once(tmp_path: Path) -> None:
    path, count = tmp_path / "judge.py", tmp_path / "count"
    path.write_text(
        "import sys\nsys.stdin.buffer.read()\n"
        f"open({str(count)!r}, 'a').write('x')\nsys.stdout.write('true')\n"
    )
    judge = CelConditions(judge=str(path))
    for _ in range(3):
        assert judge.objection("a", CONTENT) == ""
    assert count.read_text() == "x"
    judge.objection("b", CONTENT)
    judge.objection("a", CONTENT + b" ")
    assert count.read_text() == "xxx"


def test_what_is_remembered_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "judge.py"
    path.write_text("import sys\nsys.stdin.buffer.read()\nsys.stdout.write('false')\n")
    judge = CelConditions(judge=str(path))
    for number in range(limits.CONDITIONS_KNOWN):
        judge._known["a", bytes(number)] = "true"
    assert judge.objection("b", CONTENT) == "it is not so"
    assert len(judge._known) == limits.CONDITIONS_KNOWN
