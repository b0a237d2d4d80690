"""Docker's words: its argument errors, its texts for failures, its tables.

Texts and exit statuses are those of docker CLI 28.2.2 (docs/compatibility.md lists what differs on purpose).
"""

from countermark.core.errors import (
    Code,
    CountermarkError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from countermark.assembly.program import Program
    from countermark.cli.arguments import Function, Parser
    from countermark.cli.output import Output
    from countermark.core.reference import Repository

    T = TypeVar("T")

USAGE_STATUS = 1  # docker: wrong number of arguments
FLAG_STATUS = 125  # docker: unknown flag


class DockerError(CountermarkError):
    """A failure whose text is docker's, whole; ``exit_status`` is docker's too."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.exit_status = status


def run(
    function: "Function", parser: "Parser", words: list[str], program: "Program", out: "Output"
) -> int:
    """Run a command that speaks docker's words: errors as docker prints them, status 1 or 125."""
    from countermark.cli.arguments import WordsError  # noqa: PLC0415 - loaded already: it made the parser

    try:
        parsed = parser.parse(words)
    except WordsError as error:
        text, status = _usage_error(error.raw, parser)
        out.foreign_error(text)
        return status
    if isinstance(parsed, str):
        out.written(parsed)
        return 0
    return run_parsed(function, parsed, program, out)


def run_parsed(
    function: "Function", parsed: "argparse.Namespace", program: "Program", out: "Output"
) -> int:
    """Run it on words that are parsed already."""
    try:
        return function(parsed, program, out)
    except CountermarkError as error:
        if error.exit_status == CountermarkError.exit_status:
            raise  # a bug of ours is told as one
        show_error(error, out)
        return error.exit_status if isinstance(error, DockerError) else 1


def show_error(error: CountermarkError, out: "Output") -> None:
    """Print docker's text, and below it, indented, what to do next."""
    out.foreign_error(str(error))
    for line in error.hint.splitlines():
        out.foreign_error(f"  {line}")


def _usage_error(message: str, parser: "Parser") -> tuple[str, int]:
    """Docker's text for what argparse found wrong."""
    usage = (parser.usage or "%(prog)s [OPTIONS]") % {"prog": parser.prog}
    tail = f"\n\nUsage:  {usage}\n\nRun '{parser.prog} --help' for more information"
    import re  # noqa: PLC0415 - wrong words are rare, and it costs a cold start 5 ms

    unknown = re.match(r"unrecognized arguments: (-\S*)", message)
    if unknown:
        flag = unknown[1].partition("=")[0]
        kind = "unknown flag:" if flag.startswith("--") else "unknown shorthand flag: "
        shown = f" {flag}" if flag.startswith("--") else f"'{flag[1:2]}' in {flag}"
        return f"{kind}{shown}{tail}", FLAG_STATUS
    missing = re.match(r"argument (\S+): expected one argument", message)
    if missing:
        return f"flag needs an argument: {missing[1].split('/')[-1]}{tail}", FLAG_STATUS
    return f"{message}{tail}", USAGE_STATUS


def exactly(words: "Sequence[str]", count: int, prog: str, usage: str) -> None:
    """Demand a number of arguments.

    Raises:
        DockerError: docker's text for another number.
    """
    if len(words) != count:
        _wrong_count(f"requires {count} argument{'s' if count != 1 else ''}", prog, usage)


def at_least(words: "Sequence[str]", count: int, prog: str, usage: str) -> None:
    """Demand at least a number of arguments.

    Raises:
        DockerError: docker's text for fewer.
    """
    if len(words) < count:
        plural = "s" if count != 1 else ""
        _wrong_count(f"requires at least {count} argument{plural}", prog, usage, "See")


def _wrong_count(what: str, prog: str, usage: str, verb: str = "Run") -> None:
    program = prog.partition(" ")[0]
    raise DockerError(
        f"{program}: '{prog}' {what}\n\nUsage:  {prog} {usage}\n\n{verb} '{prog} --help' for more information",
        USAGE_STATUS,
    )


_PREFIXES: dict[Code, str] = {
    Code.EXPIRED: "Error: remote repository {name} out-of-date: ",
    Code.ROLLBACK: (
        "Warning: potential malicious behavior - trust data version is lower than expected"
        " for remote repository {name}: "
    ),
    Code.BELOW_THRESHOLD: (
        "Warning: potential malicious behavior - trust data has insufficient signatures"
        " for remote repository {name}: "
    ),
    Code.UNSIGNED: "Error: remote trust data does not exist for {name}: ",
}


_REFUSALS = {
    401: "you are not authorized to perform this operation: server returned 401.",
    403: "unable to reach trust server at this time: 403.",
}


def notary_text(error: CountermarkError, name: str) -> str:
    """Say a failure of the trust server or its data as docker's NotaryError does, for a repository.

    Source: notary-v1 5.6; what docker leaves unprefixed (a root that may not rotate, a pin) stays so.
    """
    text = str(error)
    prefix = _PREFIXES.get(error.code)
    if prefix:
        return prefix.format(name=name) + text
    if isinstance(error, NotFoundError):
        return f"Error: trust data missing for remote repository {name} or remote repository not found: {text}"
    if isinstance(error, UnavailableError) and error.status == 0:
        return f"Error: error contacting notary server: {text}"
    return store_text(error)


def store_text(error: CountermarkError) -> str:
    """Say it as docker does where it does not name the kind of failure first."""
    text = str(error)
    if isinstance(error, UnavailableError) and error.status:
        return f"unable to reach trust server at this time: {error.status}."
    if isinstance(error, RefusedError) and error.status in _REFUSALS:
        return _REFUSALS[error.status]
    return text


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Sort key of docker's natural order: digits compare as numbers (v3.2 before v3.10)."""
    parts: list[tuple[int, int, str]] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or text[end].isdecimal() != text[start].isdecimal():
            part = text[start:end]
            digits = part.isdecimal() and part.isascii()
            parts.append((0, int(part), part) if digits else (1, 0, part))
            start = end
    return parts


def table(header: "Sequence[str]", rows: "Sequence[Sequence[str]]") -> list[str]:
    """Docker's table: columns at least 10 wide, 3 blanks apart, the last one free (Go tabwriter 10, 3)."""
    widths = [
        max(10, *(len(row[i]) + 3 for row in (header, *rows))) for i in range(len(header) - 1)
    ]
    return [
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) + row[-1]
        for row in (header, *rows)
    ]


def go_json(value: object) -> str:
    """JSON as docker prints it: four blanks, HTML characters escaped as Go's encoder does."""
    from countermark.formats import strict_json  # noqa: PLC0415 - only when JSON is asked for

    text = strict_json.pretty(value, indent=4)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def told(repository: "Repository", action: "Callable[[], T]") -> "T":
    """Run an action on a repository; its failures in docker's words."""
    try:
        return action()
    except DockerError:
        raise
    except CountermarkError as error:
        raise DockerError(notary_text(error, repository.name)) from error
