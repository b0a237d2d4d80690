"""The manual page and the completion scripts, made from the command line itself."""

import argparse

import shtab

from countermark.cli.arguments import whole
from countermark.cli.commands import COMMANDS
from countermark.version import VERSION


def pages() -> dict[str, str]:
    """Each file's name and text."""
    files = {
        f"completions/countermark.{shell}": shtab.complete(whole(), shell=shell)
        for shell in ("bash", "zsh", "tcsh")
    }
    files["countermark.1"] = manual()
    return files


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(
        "\\&" + line if line.startswith((".", "'")) else line for line in escaped.splitlines()
    )


def _options(parser: argparse.ArgumentParser) -> list[str]:
    lines = []
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        value = "|".join(action.choices or ()) or str(action.metavar or action.dest.upper())
        shown = f" {value}" if action.option_strings and action.nargs != 0 else ""
        lines += [".TP", f"\\fB{_roff(name)}\\fR{_roff(shown)}", _roff(action.help or "")]
    return lines


def manual() -> str:
    """The manual page in roff."""
    from countermark.cli import arguments  # noqa: PLC0415 - beside its one use

    lines = [
        f'.TH COUNTERMARK 1 "" "countermark {VERSION}" "User Commands"',
        ".SH NAME",
        "countermark \\- who vouches for a container image, before it runs",
        ".SH SYNOPSIS",
        ".B countermark",
        "[\\-\\-config FILE] [\\-\\-debug] COMMAND [OPTIONS]",
        ".SH COMMANDS",
    ]
    for command in COMMANDS:
        if command.hidden:
            continue
        _, parser = arguments.load(command, "countermark")
        lines += [
            f".SS {_roff(' '.join(command.words))}",
            _roff(command.help),
            ".PP",
            ".nf",
            _roff(parser.format_usage()),
            ".fi",
        ]
        lines += _options(parser)
        if parser.epilog:
            lines += [".PP", ".nf", _roff(parser.epilog), ".fi"]
    lines += [
        ".SH EXIT STATUS",
        "0 allowed or done, 1 denied, 2 bad input or configuration, 3 unknown, 4 our own key or login, 70 a bug.",
        "Commands in docker's words end as docker does: 1 for an error, 125 for an unknown flag.",
        ".SH FILES",
        ".TP",
        "\\fI~/.docker/trust\\fR",
        "keys and cached trust data, shared with docker (DOCKER_CONFIG moves it)",
        ".TP",
        "\\fI/etc/countermark/policy.yaml\\fR, \\fI$XDG_CONFIG_HOME/countermark/policy.yaml\\fR",
        "the policy",
    ]
    return "\n".join(lines) + "\n"
