"""Arguments to command, errors to exit codes."""

import sys

from countermark.cli import output
from countermark.cli.commands import COMMANDS, GROUPS, Command, find
from countermark.core.errors import CountermarkError, InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from countermark.assembly.program import Program
    from countermark.cli.output import Output

BUG = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
BROKEN_PIPE = 141  # 128 + SIGPIPE


def entry() -> None:
    """Run as the program: the installed command and ``python -m countermark`` come here."""
    sys.exit(main(sys.argv[1:]))


def main(argv: "Sequence[str]") -> int:
    """Run one command and return its exit status; nothing but the status leaves here."""
    from countermark.assembly.program import Program

    words, options = _global_options(list(argv))
    program = Program.of_process(config_file=options.get("--config", ""))
    program.is_debugging = "--debug" in options
    out = output.standard(colour=program.colour)
    try:
        status = _run(words, options, program, out)
        out.flush()
    except BrokenPipeError:
        return _broken_pipe()
    except KeyboardInterrupt:
        return INTERRUPTED
    except CountermarkError as error:
        out.error(str(error), error.hint)
        return _debug(error.exit_status, options)
    except Exception as error:
        out.error(
            f"this is a bug: {type(error).__name__}: {error}",
            "" if "--debug" in options else "countermark --debug ... shows where",
        )
        return _debug(BUG, options)
    return status


def _global_options(argv: list[str]) -> tuple[list[str], dict[str, str]]:
    """Take ``--debug`` and ``--config FILE`` from before the command's words."""
    options: dict[str, str] = {}
    while argv and argv[0].startswith("--"):
        name, equals, value = argv[0].partition("=")
        if name == "--config" and (equals or len(argv) > 1):
            options[name] = value if equals else argv[1]
            argv = argv[1:] if equals else argv[2:]
        elif argv[0] in ("--debug", "--help", "--version"):
            options[argv[0]] = ""
            argv = argv[1:]
        else:
            break
    return argv, options


def _run(argv: list[str], options: dict[str, str], program: "Program", out: "Output") -> int:
    if "--version" in options or argv[:1] == ["version"]:
        from countermark.version import VERSION

        out.result(f"countermark {VERSION}")
        return 0
    command, rest = find(argv)
    if command is None:
        return _help_or_refuse(argv, options, out)
    if "--help" in options:
        rest = ["--help", *rest]
    return run_command(command, rest, program, out)


def run_command(
    command: Command, rest: list[str], program: "Program", out: "Output", prog: str = "countermark"
) -> int:
    """Parse a command's words and run it; ``prog`` is how help calls the program."""
    from countermark.cli import arguments

    function, parser = arguments.load(command, prog)
    if command.docker_words:
        from countermark.cli import docker_words

        return docker_words.run(function, parser, rest, program, out)
    parsed = parser.parse(rest)
    if isinstance(parsed, str):
        out.written(parsed)
        return 0
    return function(parsed, program, out)


def _help_or_refuse(argv: list[str], options: dict[str, str], out: "Output") -> int:
    asked = [word for word in argv if word not in ("help", "-h", "--help")]
    wants_help = len(asked) != len(argv) or "--help" in options
    words = tuple(asked)
    command = find(list(words))[0] if words else None
    if command is not None and wants_help:
        from countermark.cli import arguments

        out.written(arguments.load(command, "countermark")[1].format_help())
        return 0
    if words and words not in GROUPS:
        known = " ".join(words[:-1])
        raise InputError(
            f"no such command: {' '.join(words)[:80]}",
            hint=f"countermark {known + ' ' if words[:-1] in GROUPS else ''}--help lists the commands",
        )
    out.written(overview(words))
    return 0


def overview(group: tuple[str, ...] = ()) -> str:
    """The commands of the program or of one group, a line each."""
    rows = [c for c in COMMANDS if not c.hidden and c.words[: len(group)] == group]
    width = max(len(" ".join(c.words)) for c in rows)
    title = GROUPS.get(group, "who vouches for a container image, before it runs")
    name = " ".join(("countermark", *group))
    lines = [f"{name}: {title}", "", f"Usage: {name} COMMAND [OPTIONS]", ""]
    lines += [f"  {' '.join(c.words):{width}}  {c.help}" for c in rows]
    lines += ["", "countermark COMMAND --help tells more, with examples."]
    lines += [
        "Before the command: --config FILE, --debug (show where an error comes from), --version."
    ]
    lines += [
        "Exit: 0 allowed or done, 1 denied, 2 bad input, 3 unknown, 4 our own key or login, 70 a bug."
    ]
    return "\n".join(lines) + "\n"


def _broken_pipe() -> int:
    """End quietly when whoever reads us has gone; the streams must not be flushed again at exit."""
    import os

    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    return BROKEN_PIPE


def _debug(status: int, options: dict[str, str]) -> int:
    if "--debug" in options:
        import traceback

        traceback.print_exc(file=sys.stderr)
    return status
