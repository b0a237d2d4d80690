"""Arguments to command, errors to exit codes."""

import gc
import sys

from countermark.cli import output
from countermark.cli.commands import COMMANDS, GROUPS, Command, find
from countermark.core.errors import CountermarkError, InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence
    from types import ModuleType

    from countermark.assembly.program import Program
    from countermark.cli.output import Output

BUG = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
BROKEN_PIPE = 141  # 128 + SIGPIPE

_FLAGS = ("--debug", "--help", "--version")
_BEFORE = "Before the command: --config FILE, --debug (show where an error comes from), --version."
_EXIT = (
    "Exit: 0 allowed or done, 1 denied, 2 bad input, 3 unknown, 4 our own key or login, 70 a bug."
)


def entry() -> int:
    """Run the words of this process, and return its exit status; ``cli/start.py`` comes here.

    What is made while modules load lives until the end, so looking for garbage meanwhile only costs time.
    """
    gc.disable()
    return main(sys.argv[1:])


def main(argv: "Sequence[str]", make_program: "Callable[[str], Program] | None" = None) -> int:
    """Run one command and return its exit status; nothing but the status leaves here.

    ``make_program`` makes what the command works with from the file of ``--config``; without it, this process's own.
    """
    try:
        return _main(list(argv), make_program)
    except BrokenPipeError:
        output.discard()
        return BROKEN_PIPE
    except output.LostError as error:
        output.discard()
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED


def _main(argv: list[str], make_program: "Callable[[str], Program] | None") -> int:
    from countermark.assembly.program import Program

    out = output.standard()
    debug = False
    try:
        words, options = _global_options(argv)
        debug = "--debug" in options
        program = (make_program or Program.of_process)(options.get("--config", ""))
        program.is_debugging = debug
        out.colour = program.colour
        status = _run(words, options, program, out)
        out.flush()
    except (BrokenPipeError, output.LostError):
        raise
    except CountermarkError as error:
        out.flush()
        out.error(str(error), error.hint)
        return _debug(error.exit_status, asked=debug)
    except Exception as error:
        out.flush()
        hint = "" if debug else "countermark --debug COMMAND shows where; please report it"
        out.error(f"this is a bug: {type(error).__name__}: {error}", hint)
        return _debug(BUG, asked=debug)
    return status


def _global_options(argv: list[str]) -> tuple[list[str], dict[str, str]]:
    """Take ``--debug`` and ``--config FILE`` from before the command's words.

    Raises:
        InputError: an option that is none of the program's, or ``--config`` without a file.
    """
    options: dict[str, str] = {}
    while argv and argv[0].startswith("--"):
        name, equals, value = argv[0].partition("=")
        if name == "--config":
            value, argv = (value, argv[1:]) if equals else ("".join(argv[1:2]), argv[2:])
            if not value:
                raise InputError("--config needs a value", hint="countermark --config FILE ...")
            options[name] = value
        elif argv[0] in _FLAGS:
            options[argv[0]] = ""
            argv = argv[1:]
        else:
            hint = nearest(name, ("--config", *_FLAGS)) or "options of a command stand after it"
            raise InputError(f"no such option: {name[:80]}", hint=hint)
    return argv, options


def _run(argv: list[str], options: dict[str, str], program: "Program", out: "Output") -> int:
    if "--version" in options or argv == ["version"]:
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
    if command.raw:
        module = import_named(f"countermark.cli.{command.module}")
        status: int = getattr(module, command.function)(rest, program, out)
        return status
    from countermark.cli import plain_words

    plain = plain_words.read(command, rest, prog)
    if plain is not None:
        return _run_plain(command, plain, program, out)
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


def _run_plain(
    command: Command, parsed: "argparse.Namespace", program: "Program", out: "Output"
) -> int:
    function = getattr(import_named(f"countermark.cli.{command.module}"), command.function)
    if command.docker_words:
        from countermark.cli import docker_words

        return docker_words.run_parsed(function, parsed, program, out)
    status: int = function(parsed, program, out)
    return status


def import_named(name: str) -> "ModuleType":
    """Import a module by name; ``importlib`` costs a cold start 1 ms more."""
    __import__(name)
    return sys.modules[name]


def _help_or_refuse(argv: list[str], options: dict[str, str], out: "Output") -> int:
    asked = [word for word in argv if word not in ("help", "-h", "--help")]
    wants_help = len(asked) != len(argv) or "--help" in options
    command = find(asked)[0]
    if command is not None and wants_help and not command.raw:
        from countermark.cli import arguments

        out.written(arguments.load(command, "countermark")[1].format_help())
        return 0
    if tuple(asked) not in {(), *GROUPS}:
        raise _no_such_command(asked)
    out.written(overview(tuple(asked)))
    return 0


def _no_such_command(words: list[str]) -> InputError:
    """Say which word leads nowhere, and what may have been meant."""
    known = 0
    while tuple(words[: known + 1]) in GROUPS:
        known += 1
    group = tuple(words[:known])
    here = [c.words[known] for c in COMMANDS if not c.hidden and c.words[:known] == group]
    whole = " ".join(("countermark", *group))
    hint = nearest(words[known], here, before=whole) or f"{whole} --help lists the commands"
    shown = " ".join(words[: known + 1])[:80]
    return InputError(f"no such command: {shown}", hint=hint)


def nearest(word: str, known: "Iterable[str]", before: str = "") -> str:
    """Guess what a mistyped word should have been: a hint, or "" where nothing comes near."""
    from difflib import get_close_matches

    found = get_close_matches(word[:40], list(dict.fromkeys(known)), n=1)
    return f"did you mean {' '.join(filter(None, (before, found[0])))}?" if found else ""


def overview(group: tuple[str, ...] = (), prog: str = "countermark") -> str:
    """The commands of the program or of one group, a line each."""
    rows = [c for c in COMMANDS if not c.hidden and c.words[: len(group)] == group]
    width = max(len(" ".join(c.words)) for c in rows)
    title = GROUPS.get(group, "who vouches for a container image, before it runs")
    name = " ".join((prog, *group))
    lines = [f"{name}: {title}", "", f"Usage: {name} COMMAND [OPTIONS]", ""]
    lines += [f"  {' '.join(c.words):{width}}  {c.help}" for c in rows]
    lines += ["", f"{prog} COMMAND --help tells more, with examples."]
    lines += [_BEFORE, _EXIT] if prog == "countermark" else []
    return "\n".join(lines) + "\n"


def _debug(status: int, *, asked: bool) -> int:
    if asked:
        import traceback

        traceback.print_exc(file=sys.stderr)
    return status
