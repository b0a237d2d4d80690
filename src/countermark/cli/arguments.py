"""The words of one command: its parser, made only when that command was asked for."""

import argparse
import importlib

from countermark.cli.commands import COMMANDS, Command
from countermark.core.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from countermark.assembly.program import Program
    from countermark.cli.output import Output

    Function = Callable[[argparse.Namespace, Program, Output], int]


class HelpAsked(Exception):  # noqa: N818 - not an error: a request, carried out of argparse
    """``--help`` was among the words; the text is what to print."""


class _Help(argparse.Action):
    def __init__(self, option_strings: list[str], dest: str, **_: object) -> None:
        super().__init__(
            option_strings, dest, nargs=0, default=argparse.SUPPRESS, help="show this help"
        )

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        raise HelpAsked(parser.format_help())


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
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_argument("-h", "--help", action=_Help)

    def error(self, message: str) -> "NoReturn":
        """Refuse the words.

        Raises:
            InputError: always.
        """
        raise InputError(message, hint=f"{self.prog} --help shows the words and examples")

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
    getattr(module, f"{command.function}_arguments")(parser)
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
        getattr(module, f"{command.function}_arguments")(sub)
    return top


def _group(
    groups: "dict[tuple[str, ...], argparse._SubParsersAction[argparse.ArgumentParser]]",
    words: tuple[str, ...],
) -> None:
    for count in range(1, len(words) + 1):
        if words[:count] not in groups:
            parent = groups[words[: count - 1]].add_parser(words[count - 1])
            groups[words[:count]] = parent.add_subparsers(metavar="COMMAND")
