"""Conditions on what an attestation states, in CEL, judged within a budget of time and memory.

The condition is the operator's, what it is judged on is a stranger's: a long list under ``all`` inside ``all`` may
take for ever, and no library for Python counts its steps. So each is judged in a process of its own, which is stopped
when its time is over (docs/adr/0011-conditions-in-cel.md).
"""

import os
import sys

from countermark.adapters import process
from countermark.core import limits
from countermark.core.errors import ConfigError, EvidenceError, UnavailableError
from countermark.core.light import sha256
from countermark.formats import strict_json

_JUDGE = os.path.join(os.path.dirname(__file__), "cel_judge.py")
_UNREADABLE, _NOT_INSTALLED = 2, 3
_ANSWERS = {"true": "", "false": "it is not so"}


class CelConditions:
    """Judges conditions (port ``Conditions``)."""

    def __init__(self, *, seconds: float = limits.CONDITION_SECONDS, judge: str = _JUDGE) -> None:
        """Take how long one may last, and the script that judges it."""
        self._seconds, self._judge_script = seconds, judge
        self._known: dict[tuple[str, bytes], str] = {}

    def check(self, condition: str) -> None:
        """Read a condition.

        Raises:
            ConfigError: it is no CEL, or too long. UnavailableError: nothing here can judge it.
        """
        self._judged(condition, b"")

    def objection(self, condition: str, statement: bytes) -> str:
        """Say why a statement (JSON) does not fulfil a condition, "" where it does.

        What is neither true nor false does not fulfil it, nor does what takes too long or too much memory.

        Raises:
            ConfigError: the condition is no CEL. UnavailableError: nothing here can judge it.
        """
        key = (condition, sha256(statement).digest())
        outcome = self._known.get(key) or self._judged(condition, statement)
        if outcome in _ANSWERS:  # of statement and condition alone, and the same for ever
            while len(self._known) >= limits.CONDITIONS_KNOWN:
                self._known.pop(next(iter(self._known)), None)
            self._known[key] = outcome
        return _ANSWERS.get(outcome, outcome)

    def _judged(self, condition: str, statement: bytes) -> str:
        if len(condition) > limits.CONDITION_CHARS:
            raise ConfigError(
                f"a condition of {len(condition)} characters, at most {limits.CONDITION_CHARS} are read"
            )
        asked = strict_json.compact({"condition": condition, "bytes": limits.CONDITION_BYTES})
        command = (sys.executable, "-I", self._judge_script)
        try:
            done = process.run(
                command, given=asked + b"\n" + statement, environment={}, seconds=self._seconds
            )
        except UnavailableError as error:
            if statement and "did not end" in str(error):
                return f"judging it takes longer than {self._seconds:g} s"
            raise
        except EvidenceError as error:
            return str(error)
        said = done.output.decode("utf-8", "replace")
        if done.status == _UNREADABLE:
            raise ConfigError(f"condition {condition[:200]!r} cannot be read: {said}")
        if done.status == _NOT_INSTALLED:
            raise UnavailableError(
                "conditions need the library common-expression-language",
                hint="install countermark with its dependencies",
            )
        return said if done.status == 0 and said else "judging it failed or took too much memory"
