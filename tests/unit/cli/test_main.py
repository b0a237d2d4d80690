"""The outer edge: words to commands, errors to exit statuses, streams that fail."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from countermark.assembly.program import Program
from countermark.cli.arguments import load, whole
from countermark.cli.commands import COMMANDS, Command
from countermark.cli.main import main, nearest, overview
from countermark.core.errors import (
    Code,
    ConfigError,
    ExpiredError,
    InputError,
    KeyAccessError,
    NotFoundError,
    RefusedError,
    StorageError,
    UnavailableError,
)

Play = Callable[..., tuple[int, str, str]]


class Failing(Program):
    """A program whose engine cannot be made."""

    def __init__(self, error: BaseException) -> None:
        super().__init__({"HOME": "/nonexistent"})
        self._error = error

    def engine(self, **_: object) -> NoReturn:
        raise self._error


@pytest.fixture
def play(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Play:
    def run(*argv: str, error: BaseException | None = None) -> tuple[int, str, str]:
        def make(config_file: str) -> Program:
            home = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path / "docker")}
            return Program(home, config_file) if error is None else Failing(error)

        status = main(argv, make)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


FAMILIES = [
    (InputError("no good"), 2, "countermark: error: no good\n"),
    (
        ConfigError("no good", file="p.yaml", line=3, path="rules[0]", hint="write another"),
        2,
        "countermark: error: p.yaml:3: rules[0]: no good\n  write another\n",
    ),
    (ExpiredError("too old"), 1, "countermark: error: too old\n"),
    (KeyAccessError("no key"), 4, "countermark: error: no key\n"),
    (StorageError("disk full", code=Code.NO_SPACE), 4, "countermark: error: disk full\n"),
    (RefusedError("may not", status=403), 4, "countermark: error: may not\n"),
    (UnavailableError("no answer"), 3, "countermark: error: no answer\n"),
    (NotFoundError("no such thing", status=404), 3, "countermark: error: no such thing\n"),
    (
        ValueError("oh\x1b[2J"),
        70,
        "countermark: error: this is a bug: ValueError: oh\\x1b[2J\n"
        "  countermark --debug COMMAND shows where; please report it\n",
    ),
    (KeyboardInterrupt(), 130, ""),
    (BrokenPipeError(), 141, ""),
]


@pytest.mark.parametrize(
    ("error", "status", "err"), FAMILIES[:-1], ids=lambda v: type(v).__name__ if isinstance(v, BaseException) else ""
)  # fmt: skip
def test_each_family_of_errors_has_its_status(
    play: Play, error: BaseException, status: int, err: str
) -> None:
    assert play("verify", "x", error=error) == (status, "", err)


def test_debug_shows_where(play: Play) -> None:
    status, out, err = play("--debug", "verify", "x", error=ValueError("oh"))
    assert (status, out) == (70, "")
    assert "this is a bug: ValueError: oh" in err
    assert "Traceback" in err
    assert "please report" not in err
    status, _, err = play("--debug", "verify", "x", error=InputError("wrong"))
    assert status == 2
    assert "Traceback" in err


VERIFY_HELP = "countermark verify --help shows the words and examples"
COMPLETION_HELP = "countermark completion --help shows the words and examples"
WRONG_WORDS = [
    (["verfy"], "no such command: verfy", "did you mean countermark verify?"),
    (["trust", "inspct", "x"], "no such command: trust inspct", "did you mean countermark trust inspect?"),
    (["trust", "key", "zzz"], "no such command: trust key zzz", "countermark trust key --help lists the commands"),
    (["qqqq"], "no such command: qqqq", "countermark --help lists the commands"),
    (["help", "qqqq"], "no such command: qqqq", "countermark --help lists the commands"),
    (["docker-shimm"], "no such command: docker-shimm", "countermark --help lists the commands"),
    (["a\x1bb"], "no such command: a\\x1bb", "countermark --help lists the commands"),
    (["--debg", "verify"], "no such option: --debg", "did you mean --debug?"),
    (["--zzz"], "no such option: --zzz", "options of a command stand after it"),
    (["--config"], "--config needs a value", "countermark --config FILE ..."),
    (["--config="], "--config needs a value", "countermark --config FILE ..."),
    (["--config", "/nonexistent/c.yaml", "config", "show"], "/nonexistent/c.yaml: there is no such file", ""),
    (["verify"], "IMAGE is missing", VERIFY_HELP),
    (["verify", "--polcy", "x"], "no such option: --polcy", VERIFY_HELP),
    (["verify", "--policy"], "--policy needs a value: --policy FILE", VERIFY_HELP),
    (["verify", "-o", "yaml", "x"], "--output cannot be 'yaml': it is one of text, json", VERIFY_HELP),
    (["verify", "--require-pin=1", "x"], "--require-pin takes no value", VERIFY_HELP),
    (["completion", "fish"], "shell cannot be 'fish': it is one of bash, zsh, tcsh", COMPLETION_HELP),
    (["config", "show", "x"], "one word too many: x", "countermark config show --help shows the words and examples"),
]  # fmt: skip


@pytest.mark.parametrize(("argv", "message", "hint"), WRONG_WORDS)
def test_wrong_words_say_what_and_what_next(
    play: Play, argv: list[str], message: str, hint: str
) -> None:
    expected = f"countermark: error: {message}\n" + (f"  {hint}\n" if hint else "")
    assert play(*argv) == (2, "", expected)


OVERVIEWS = [
    ([], ()),
    (["help"], ()),
    (["-h"], ()),
    (["--help"], ()),
    (["trust"], ("trust",)),
    (["trust", "--help"], ("trust",)),
    (["help", "trust"], ("trust",)),
    (["trust", "key"], ("trust", "key")),
    (["policy"], ("policy",)),
]


@pytest.mark.parametrize(("argv", "group"), OVERVIEWS)
def test_groups_show_their_commands(play: Play, argv: list[str], group: tuple[str, ...]) -> None:
    assert play(*argv) == (0, overview(group), "")
    assert f"countermark {' '.join(group)}".strip() + ": " in overview(group)
    assert "docker-shim" not in overview(group)


HELPS = [
    ["help", "trust", "key", "load"],
    ["trust", "key", "load", "--help"],
    ["trust", "key", "load", "-h"],
    ["--help", "trust", "key", "load"],
    ["trust", "help", "key", "load"],
    ["help", "trust", "key", "load", "x.key"],
]


@pytest.mark.parametrize("argv", HELPS)
def test_help_of_a_command(play: Play, argv: list[str]) -> None:
    status, out, err = play(*argv)
    assert (status, err) == (0, "")
    assert out.startswith("Usage: countermark trust key load [OPTIONS] KEYFILE\n")
    assert "examples:\n" in out


def test_the_version(play: Play) -> None:
    from countermark.version import VERSION

    for argv in (["--version"], ["version"]):
        assert play(*argv) == (0, f"countermark {VERSION}\n", "")


def test_nearest_guesses_only_what_is_near() -> None:
    assert nearest("verfy", ("verify", "pull")) == "did you mean verify?"
    assert nearest("verfy", ("verify",), before="x") == "did you mean x verify?"
    assert nearest("zzz", ("verify", "pull")) == ""


def test_json_is_one_document_with_a_version(play: Play) -> None:
    status, out, err = play("trust", "key", "list", "-o", "json")
    assert (status, err) == (0, "")
    assert json.loads(out)["version"] == 1
    status, out, err = play("trust", "key", "list")
    assert (status, out) == (0, "")  # nothing found is no result, and said beside it
    assert err.startswith("countermark: no private keys in ")


PROGRAM = f"{sys.executable} -m countermark"
STREAMS = [
    ("help | head -1", 0, "countermark: who vouches for a container image, before it runs\n"),
    ("help > /dev/full", 4, "countermark: error: cannot write the output: No space left on device\n"),
    ("help >&-", 4, "countermark: error: cannot write the output: Bad file descriptor\n"),
    ("qqqq 2> /dev/full", 2, ""),
    ("qqqq 2>&-", 2, ""),
    ("help <&- >&- 2>&-", 4, ""),
    ("trust key list <&-", 0, "countermark: no private keys in {HOME}/trust\n"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "status", "printed"), STREAMS)
def test_streams_that_are_closed_or_full(
    tmp_path: Path, words: str, status: int, printed: str
) -> None:
    environment = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path), "PATH": os.environ["PATH"]}  # fmt: skip
    done = subprocess.run(
        ["/bin/sh", "-c", f"{PROGRAM} {words}"], env=environment, text=True, check=False, timeout=60,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.stdout == printed.replace("{HOME}", str(tmp_path))
    assert done.returncode == status


def test_a_reader_that_leaves_ends_us_quietly(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "countermark", "help"], env={"HOME": str(tmp_path)}, check=False, timeout=60,
        stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


SHOWN = [command for command in COMMANDS if not command.hidden]


@pytest.mark.parametrize("command", SHOWN, ids=lambda command: "-".join(command.words))
def test_every_command_can_be_described(command: Command) -> None:
    """The manual page and the completion scripts are made of this when the package is built."""
    _, parser = load(command, "countermark")
    assert f"countermark {' '.join(command.words)}" in parser.format_usage()


def test_the_parser_of_all_commands_is_made() -> None:
    assert whole().parse_args(["cosign", "verify"]).words == ["verify"]
