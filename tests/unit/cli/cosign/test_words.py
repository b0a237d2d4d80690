"""cosign's words: flags as pflag reads them, variables, texts for what is wrong."""

import pytest

from countermark.cli.cosign.commands import COMMANDS, find
from countermark.cli.cosign.words import CosignError, Flag, Words, duration, parse

FLAGS = (
    Flag(name="key"),
    Flag(name="annotations", kind="pairs", letter="a"),
    Flag(name="policy", kind="texts"),
    Flag(name="recursive", kind="bool", letter="r"),
    Flag(name="yes", kind="bool", letter="y"),
    Flag(name="upload", kind="bool", default="true"),
    Flag(name="output", letter="o", default="json"),
    Flag(name="max-workers", kind="number", default="10"),
    Flag(name="timeout", kind="seconds", default="3m0s", letter="t"),
    Flag(name="mode", default="legacy", choices=("legacy", "oci-1-1")),
    Flag(name="certificate", deprecated="use a bundle"),
    Flag(name="sk", kind="bool", refused="use PKCS#11"),
)


def read(*words: str, **environment: str) -> Words:
    return parse(FLAGS, words, environment)


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (("--key", "a"), "key", "a"),
        (("--key=a=b",), "key", "a=b"),
        (("--key=",), "key", ""),
        (("--key", "-"), "key", "-"),
        (("--key", "a", "--key", "b"), "key", "b"),
        (("-o", "text"), "output", "text"),
        (("-otext",), "output", "text"),
        (("-o=text",), "output", "text"),
        ((), "output", "json"),
        (("--cert", "c"), "certificate", "c"),
        (("-ro", "text"), "output", "text"),
    ],
)
def test_texts(words: tuple[str, ...], name: str, value: str) -> None:
    assert read(*words).text(name) == value


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        ((), "recursive", False),
        ((), "upload", True),
        (("-r",), "recursive", True),
        (("-ry",), "yes", True),
        (("--recursive",), "recursive", True),
        (("--recursive=false",), "recursive", False),
        (("-r=0",), "recursive", False),
        (("--upload=F",), "upload", False),
        (("--upload", "false"), "upload", True),  # a switch takes no next word
    ],
)
def test_switches(words: tuple[str, ...], name: str, value: bool) -> None:
    assert read(*words).on(name) is value


def test_what_may_repeat() -> None:
    found = read("-a", "x=1,y=2", "--annotations", "z=3", "--policy", "a,b", "--policy", "c")
    assert found.list("annotations") == ("x=1", "y=2", "z=3")
    assert found.list("policy") == ("a,b", "c")
    assert read().list("policy") == ()


def test_arguments_stand_anywhere() -> None:
    found = read("one", "--key", "k", "two", "--", "--key", "-x")
    assert found.arguments == ("one", "two", "--key", "-x")
    assert found.given == {"key"}
    assert read("-").arguments == ("-",)


def test_help_is_noticed() -> None:
    assert read("--help").wants_help
    assert read("-h").wants_help
    assert read("-rh").wants_help
    assert not read().wants_help


def test_numbers_and_durations() -> None:
    found = read("--max-workers", "3", "-t", "90s")
    assert (found.number("max-workers"), found.seconds("timeout")) == (3, 90.0)
    assert read().seconds("timeout") == 180.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("3m0s", 180), ("1.5h", 5400), ("-1s", -1), ("+2s", 2), ("100ms", 0.1), ("1h2m3s", 3723),
     ("5µs", 5e-6)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "-", "5", "s", "1x", "1..5s", ".s", "1 s", "1sm"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        duration(text)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--nosuch",), "unknown flag: --nosuch"),
        (("--nosuch=1",), "unknown flag: --nosuch"),
        (("--key",), "flag needs an argument: --key"),
        (("-o",), "flag needs an argument: 'o' in -o"),
        (("-z",), "unknown shorthand flag: 'z' in -z"),
        (("-rz",), "unknown shorthand flag: 'z' in -rz"),
        (
            ("--recursive=maybe",),
            'invalid argument "maybe" for "-r, --recursive" flag: '
            'strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        (
            ("--max-workers", "many"),
            'invalid argument "many" for "--max-workers" flag: '
            'strconv.ParseInt: parsing "many": invalid syntax',
        ),
        (
            ("--timeout", "soon"),
            'invalid argument "soon" for "-t, --timeout" flag: time: invalid duration "soon"',
        ),
        (
            ("--mode", "new"),
            'invalid argument "new" for "--mode" flag: must be one of "legacy", "oci-1-1"',
        ),
        (("--sk",), "--sk is not taken by countermark: use PKCS#11"),
    ],
)
def test_what_is_wrong(words: tuple[str, ...], text: str) -> None:
    with pytest.raises(CosignError) as caught:
        read(*words)
    assert str(caught.value) == text
    assert caught.value.exit_status == 1


def test_a_flag_is_a_variable_too() -> None:
    found = read(COSIGN_KEY="k", COSIGN_MAX_WORKERS="2", COSIGN_RECURSIVE="true")
    assert (found.text("key"), found.number("max-workers"), found.on("recursive")) == ("k", 2, True)
    assert found.given == frozenset()
    assert read("--key", "other", COSIGN_KEY="k").text("key") == "other"
    assert read(COSIGN_KEY="").text("key") == ""
    with pytest.raises(CosignError, match=r"strconv\.ParseBool"):
        read(COSIGN_RECURSIVE="maybe")


def test_a_deprecated_flag_says_so_where_it_was_typed() -> None:
    assert read("--certificate", "c").notices == (
        "Flag --certificate has been deprecated, use a bundle",
    )
    assert read(COSIGN_CERTIFICATE="c").notices == ()


def test_long_flags_of_one_dash() -> None:
    found = read("-key", "k", "-recursive")
    assert (found.text("key"), found.on("recursive")) == ("k", True)
    assert found.notices[0] == (
        "WARNING: the -key flag is deprecated and will be removed in a future release. "
        "Please use the --key flag instead."
    )


def test_no_command_has_a_flag_or_a_letter_twice() -> None:
    for command in COMMANDS:
        names = [flag.name for flag in command.flags]
        letters = [flag.letter for flag in command.flags if flag.letter]
        assert len(set(names)) == len(names), command.words
        assert len(set(letters)) == len(letters), command.words


def test_commands_are_found() -> None:
    command, rest = find(["public-key", "--key", "k"])
    assert command is not None
    assert (command.words, rest) == (("public-key",), ["--key", "k"])
    assert find(["public"])[0] is None
    assert find([])[0] is None
