"""Names and usual options are read without a parser, and to the same effect."""

import itertools

import pytest

from countermark.cli import arguments, plain_words
from countermark.cli.commands import find

VALUES = {"text": "one", "given": "four", "list": "two", "count": "3"}
OPTIONS = {
    words: {flag: kind for kind, flags in options.values() for flag in flags}
    for words, (_, options) in plain_words.PLAIN.items()
}


def both(words: list[str]) -> tuple[dict[str, object] | None, dict[str, object] | str]:
    """What is read here, and what the parser says."""
    command, rest = find(words)
    assert command is not None
    _, parser = arguments.load(command, "countermark")
    parsed = parser.parse(rest)
    plain = plain_words.read(command, rest, "countermark")
    return (None if plain is None else vars(plain)), (
        parsed if isinstance(parsed, str) else vars(parsed)
    )


@pytest.mark.parametrize("words", list(plain_words.PLAIN))
def test_they_say_what_the_parser_says(words: tuple[str, ...]) -> None:
    plain, parsed = both([*words, "a:b", "c"])
    assert plain == parsed


@pytest.mark.parametrize("words", list(OPTIONS))
def test_each_option_says_what_the_parser_says(words: tuple[str, ...]) -> None:
    options = OPTIONS[words]
    for flag, kind in options.items():
        value = kind[-1] if isinstance(kind, tuple) else VALUES.get(kind, "")
        forms = [[flag]] if kind == "switch" else [[flag, value], [f"{flag}={value}"]]
        for form in forms:
            plain, parsed = both([*words, *form, "a:b"])
            assert parsed == (plain if plain is not None else parsed)
            assert plain is not None or flag[1] != "-"
            assert both([*words, "a:b", *form])[0] == plain
    every = itertools.chain.from_iterable(
        [flag]
        if kind == "switch"
        else [flag, kind[-1] if isinstance(kind, tuple) else VALUES[kind]]
        for flag, kind in options.items()
    )
    plain, parsed = both([*words, "a", "b", *every])
    assert plain == parsed


def test_all_options_are_known() -> None:
    """A new option of a command that must start fast is read fast too."""
    for words, options in OPTIONS.items():
        command, _ = find(list(words))
        assert command is not None
        _, parser = arguments.load(command, "countermark")
        known = {flag for action in parser._actions for flag in action.option_strings}
        assert set(options) == known - {"-h", "--help"}


@pytest.mark.parametrize(
    "rest",
    [
        [],
        ["a", "--"],
        [""],
        ["a", "-h"],
        ["a", "--key", "k", "b"],
        ["--ke", "k", "a"],
        ["--key"],
        ["--key", "-x", "a"],
        ["--key", "-", "a"],
        ["--offline=yes", "a"],
        ["-o=json", "a"],
        ["-ojson", "a"],
        ["-o", "yaml", "a"],
        ["--threshold", "two", "a"],
        ["--threshold=-1", "a"],
        ["--key", "", "a"],
        ["-or", "a"],
        ["--nosuch", "a"],
    ],
)
def test_anything_else_is_the_parsers(rest: list[str]) -> None:
    command, _ = find(["verify"])
    assert command is not None
    assert plain_words.read(command, rest, "countermark") is None
