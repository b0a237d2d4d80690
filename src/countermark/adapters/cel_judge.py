"""A process of its own that judges one condition (CEL) on one statement, so that it can be stopped.

Run as a script: it imports nothing of ours. Standard input is a line ``{"condition": …, "bytes": …}`` and then
the statement; without a statement the condition is only read. Standard output is ``true``, or what else came out;
the exit status is 2 where the condition itself cannot be read, 3 where CEL is not installed.
"""

import json
import resource
import sys
import types

_VARIABLES = ("predicate", "predicateType", "subject")


def main() -> int:
    """Judge what stands on standard input."""
    asked = json.loads(sys.stdin.buffer.readline())  # noqa: TID251 - written by our own other half
    resource.setrlimit(resource.RLIMIT_AS, (asked["bytes"], asked["bytes"]))
    # the package imports its own command line, and that three libraries: 0.2 s
    sys.modules["cel.cli"] = types.ModuleType("cel.cli")
    try:
        import cel  # noqa: PLC0415 - after the line above
    except ImportError:
        return 3
    try:
        program = cel.compile(asked["condition"])
    except ValueError as error:
        sys.stdout.write(_short(error))
        return 2
    content = sys.stdin.buffer.read()
    sys.stdout.write(_outcome(program, content) if content else "true")
    return 0


def _outcome(program: object, content: bytes) -> str:
    # read strictly before it came here; fractions are allowed in a predicate
    statement = json.loads(content)  # noqa: TID251
    facts = {name: statement.get(name) for name in _VARIABLES}
    try:
        outcome = program.execute(facts)  # type: ignore[attr-defined]
    except (
        ArithmeticError,
        LookupError,
        MemoryError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        return _short(error)
    return str(outcome).lower() if isinstance(outcome, bool) else f"a {type(outcome).__name__}"


def _short(error: Exception) -> str:
    name = type(error).__name__
    return f"{name}: {' '.join(str(error).split())}"[:300]


if __name__ == "__main__":
    raise SystemExit(main())
