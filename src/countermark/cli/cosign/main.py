"""Runs one command of cosign's: words to function, errors to cosign's texts and exit codes."""

import _signal  # type: ignore[import-not-found]

from countermark.cli.cosign import words as cosign_words
from countermark.cli.cosign.commands import COMMANDS, Command, find
from countermark.cli.cosign.words import CosignError
from countermark.core.errors import CountermarkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.output import Output

_HELP = ("help", "--help", "-h")
# cosign 3.1.3 has these too, some of them deprecated or hidden: told from mistakes, and nobody else is asked
MISSING = frozenset(
    (
        "completion",
        "debug",
        "generate",
        "piv-tool",
        "pkcs11-tool",
        "upload",
    )
)


def cosign(words: "list[str]", program: "Program", out: "Output") -> int:
    """Run ``countermark cosign …``, which the drop-in ``cosign`` is too."""
    try:
        return _run(words, program, out)
    except CountermarkError as error:
        if error.exit_status == CountermarkError.exit_status:
            raise  # a bug of ours is told as one
        _show(error, out)
        return error.exit_status if isinstance(error, CosignError) else 1


def _run(words: "list[str]", program: "Program", out: "Output") -> int:
    words, moved = _globals_first(words)
    command, rest = find(words)
    asked = [word for word in words if word not in _HELP]
    if command is None:
        command = find(asked)[0]
        if not asked or (command is None and _is_group(asked)):
            out.written(overview(asked))
            return 0
        if command is None:
            raise _no_such_command(asked)
        rest = ["--help"]
    parsed = cosign_words.parse(command.flags, [*moved, *rest], program.environment)
    if parsed.wants_help:
        out.written(help_of(command))
        return 0
    if command.deprecated:
        out.foreign_error(f'Command "{command.words[-1]}" is deprecated, {command.deprecated}')
    for notice in parsed.notices:
        out.foreign_error(notice)
    _check_arguments(command, parsed.arguments)
    from countermark.cli.main import import_named  # noqa: PLC0415 - loaded already

    program.is_debugging = program.is_debugging or parsed.on("verbose")
    function = getattr(import_named(f"countermark.cli.cosign.{command.module}"), command.function)
    path = parsed.text("output-file")
    results = out.into(path) if path else out
    with Deadline(parsed.seconds("timeout")):
        status: int = function(parsed, program, results)
    if path:
        results.close()
    return status


def _no_such_command(asked: "list[str]") -> CosignError:
    """Name the word that leads nowhere, and say so where cosign itself knows it."""
    name, group = asked[0][:80], "cosign"
    if _is_group([asked[0]]) and len(asked) > 1:
        name, group = asked[1][:80], f"cosign {asked[0]}"
    elif name in MISSING:
        return CosignError(
            f'countermark does not have "cosign {name}"',
            hint="nothing was done; cosign --help lists the commands that are here",
        )
    return CosignError(f'unknown command "{name}" for "{group}"\nRun \'{group} --help\' for usage.')


class Deadline:
    """Ends a command that takes longer (Go's context); not ``signal``, whose enums cost a cold start 4 ms."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        """Begin to count; no time at all is no time, as in Go."""
        if self._seconds <= 0:
            _too_late()
        _signal.signal(_signal.SIGALRM, _too_late)
        _signal.setitimer(_signal.ITIMER_REAL, self._seconds)

    def __exit__(self, *_: object) -> None:
        """Stop counting."""
        _signal.setitimer(_signal.ITIMER_REAL, 0)


def _too_late(*_: object) -> None:
    raise CosignError("context deadline exceeded", hint="give it longer: --timeout 10m")


def _globals_first(words: "list[str]") -> "tuple[list[str], list[str]]":
    """Take global flags from before the command's words: cobra lets them stand there."""
    moved: list[str] = []
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] not in _HELP:
        word = rest.pop(0)
        moved.append(word)
        valued = word in ("--output-file", "--timeout", "-t")
        if valued and rest:
            moved.append(rest.pop(0))
    return rest, moved


def _check_arguments(command: Command, arguments: "tuple[str, ...]") -> None:
    """Count the words besides flags (cobra's ExactArgs, MinimumNArgs, RangeArgs)."""
    fewest, most = command.arguments
    count = len(arguments)
    if count >= fewest and (most < 0 or count <= most):
        return
    if most < 0:
        raise CosignError(f"requires at least {fewest} arg(s), only received {count}")
    if fewest == most:
        if most == 0:
            raise CosignError(
                f'unknown command "{arguments[0][:80]}" for "cosign {" ".join(command.words)}"'
            )
        raise CosignError(f"accepts {most} arg(s), received {count}")
    raise CosignError(f"accepts between {fewest} and {most} arg(s), received {count}")


def _show(error: CountermarkError, out: "Output") -> None:
    text = str(error)
    out.foreign_error(f"Error: {text}")
    out.foreign_error(f"error during command execution: {text}")
    for line in error.hint.splitlines():
        out.foreign_error(f"  {line}")


# Help --------------------------------------------------------------------------------------------------


def _is_group(words: "list[str]") -> bool:
    return len(words) == 1 and any(len(c.words) > 1 and c.words[0] == words[0] for c in COMMANDS)


def overview(group: "list[str]") -> str:
    """The commands, or those of one group, a line each."""
    rows = [c for c in COMMANDS if list(c.words[: len(group)]) == group]
    width = max(len(" ".join(c.words)) for c in rows)
    name = " ".join(("cosign", *group))
    lines = [
        f"{name}: cosign's commands, carried out by countermark",
        "",
        f"Usage: {name} COMMAND [FLAGS]",
        "",
    ]
    lines += [f"  {' '.join(c.words):{width}}  {c.help}" for c in rows]
    return "\n".join([*lines, "", "cosign COMMAND --help tells more."]) + "\n"


def help_of(command: Command) -> str:
    """A command's help: its flags, but those that cosign has deprecated or we do not take."""
    name = " ".join(("cosign", *command.words))
    lines = [f"{name}: {command.help}", "", f"Usage: {name} [FLAGS] {command.usage}".rstrip(), ""]
    shown = [f for f in command.flags if not f.deprecated and not f.refused]
    names = [
        (f"-{f.letter}, " if f.letter else "")
        + f"--{f.name}"
        + ("" if f.kind == "bool" else " VALUE")
        for f in shown
    ]
    width = max(map(len, names))
    for flag, text in zip(shown, names, strict=True):
        tail = f" (default {flag.default})" if flag.default else ""
        lines.append(f"  {text:{width}}  {flag.help}{tail}")
    lines += ["", "Each flag is a variable too: COSIGN_ and its name, as COSIGN_KEY."]
    return "\n".join(lines) + "\n"
