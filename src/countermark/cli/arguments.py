"""The words of one command: its parser, made only when that command was asked for."""

import argparse
import importlib

from countermark.cli.commands import COMMANDS, Command
from countermark.core.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any, NoReturn

    from countermark.assembly.program import Program
    from countermark.cli.output import Output

    Function = Callable[[argparse.Namespace, Program, Output], int]


class HelpAsked(Exception):  # noqa: N818 - not an error: a request, carried out of argparse
    """``--help`` was among the words; the text is what to print."""


class WordsError(InputError):
    """The words of a command are wrong; ``raw`` is what argparse says of them, for commands in docker's words."""

    def __init__(self, message: str, *, raw: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.raw = raw


class _Help(argparse.Action):
    def __init__(self, option_strings: list[str], dest: str, **_: object) -> None:
        super().__init__(
            option_strings, dest, nargs=0, default=argparse.SUPPRESS, help="show this help"
        )

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        raise HelpAsked(parser.format_help())


class _Layout(argparse.RawDescriptionHelpFormatter):
    """Help as the rest of the program looks: no capital where none belongs, each option said once."""

    def __init__(self, prog: str, **more: "Any") -> None:
        super().__init__(prog, max_help_position=28, **more)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return super()._format_action_invocation(action)
        value = "|".join(action.choices or ()) or action.metavar or action.dest.upper()
        names = ", ".join(action.option_strings)
        return f"{names} {value}" if action.nargs != 0 else names

    def add_usage(
        self, usage: str | None, actions: "Any", groups: "Any", prefix: str | None = None
    ) -> None:
        super().add_usage(usage, actions, groups, "Usage: " if prefix is None else prefix)


class Parser(argparse.ArgumentParser):
    """An argument parser that raises our errors instead of ending the process."""

    def __init__(self, prog: str, description: str = "", epilog: str = "") -> None:
        """Make one; abbreviations of options are not taken, since they break when options are added."""
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            add_help=False,
            formatter_class=_Layout,
        )
        self.color = False  # Python 3.14 colours help on its own; ours is for the first words of results alone
        self._positionals.title, self._optionals.title = "words", "options"
        self.add_argument("-h", "--help", action=_Help)

    def error(self, message: str) -> "NoReturn":
        """Refuse the words.

        Raises:
            WordsError: always.
        """
        hint = f"{self.prog} --help shows the words and examples"
        raise WordsError(self._own_words(message), raw=message, hint=hint)

    def _own_words(self, message: str) -> str:
        """Say in our words what argparse found; its texts differ between versions of Python."""
        if message.startswith("unrecognized arguments: "):
            word = message.partition(": ")[2].partition(" ")[0]
            return (
                f"no such option: {word}" if word.startswith("-") else f"one word too many: {word}"
            )
        if message.startswith("the following arguments are required: "):
            return f"{message.partition(': ')[2]} is missing"
        subject, _, problem = message.removeprefix("argument ").partition(": ")
        name = subject.split("/")[-1]
        for action in self._actions:
            if name in (action.dest, action.metavar, *action.option_strings):
                return self._about(action, name, problem)
        return message

    @staticmethod
    def _about(action: argparse.Action, name: str, problem: str) -> str:
        if action.choices is not None and problem.startswith("invalid choice: "):
            given = problem.removeprefix("invalid choice: ").partition(" (")[0]
            return (
                f"{name} cannot be {given[:80]}: it is one of {', '.join(map(str, action.choices))}"
            )
        if problem.startswith("expected "):
            return (
                f"{name} needs a value: {name} {action.metavar or '|'.join(action.choices or ())}"
            )
        if problem.startswith("ignored explicit argument"):
            return f"{name} takes no value"
        return f"{name}: {problem}"

    def parse(self, words: list[str]) -> argparse.Namespace | str:
        """Parse; a text comes back where help was asked for."""
        try:
            return self.parse_args(words)
        except HelpAsked as asked:
            return str(asked)


def load(command: Command, prog: str) -> "tuple[Function, Parser]":
    """Import a command's module and make its parser."""
    module = importlib.import_module(f"countermark.cli.{command.module}")
    parser = Parser(f"{prog} {' '.join(command.words)}", description=command.help)
    parser.set_defaults(prog=parser.prog)
    _add_arguments(command, module, parser)
    if parser.epilog and prog != "countermark":
        parser.epilog = parser.epilog.replace("  countermark ", f"  {prog} ")  # docker's plugins
    function: Function = getattr(module, command.function)
    return function, parser


def whole(prog: str = "countermark") -> argparse.ArgumentParser:
    """The parser of all commands, as completion scripts and the manual page need it."""
    top = argparse.ArgumentParser(prog=prog, description="who vouches for a container image")
    groups: dict[tuple[str, ...], argparse._SubParsersAction[argparse.ArgumentParser]] = {}
    groups[()] = top.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        if command.hidden:
            continue
        _group(groups, command.words[:-1])
        sub = groups[command.words[:-1]].add_parser(
            command.words[-1], help=command.help, description=command.help, add_help=True
        )
        module = importlib.import_module(f"countermark.cli.{command.module}")
        _add_arguments(command, module, sub)
    return top


def _add_arguments(command: Command, module: "ModuleType", parser: argparse.ArgumentParser) -> None:
    """Let a command's module say its words; a raw command's are another program's."""
    if command.raw:
        parser.add_argument("words", nargs="*", metavar="WORD", help="its words: see its --help")
    else:
        getattr(module, f"{command.function}_arguments")(parser)


def _group(
    groups: "dict[tuple[str, ...], argparse._SubParsersAction[argparse.ArgumentParser]]",
    words: tuple[str, ...],
) -> None:
    for count in range(1, len(words) + 1):
        if words[:count] not in groups:
            parent = groups[words[: count - 1]].add_parser(words[count - 1])
            groups[words[:count]] = parent.add_subparsers(metavar="COMMAND")
