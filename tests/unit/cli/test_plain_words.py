"""Names alone are read without a parser, and to the same effect."""

import pytest

from countermark.cli import arguments, plain_words
from countermark.cli.commands import find


@pytest.mark.parametrize("words", list(plain_words.PLAIN))
def test_they_say_what_the_parser_says(words: tuple[str, ...]) -> None:
    command, rest = find([*words, "a:b", "c"])
    assert command is not None
    _, parser = arguments.load(command, "countermark")
    parsed = parser.parse(rest)
    assert not isinstance(parsed, str)
    assert vars(plain_words.read(command, rest, "countermark")) == vars(parsed)


@pytest.mark.parametrize("rest", [[], ["-o", "json", "a"], ["a", "--"], [""], ["a", "-h"]])
def test_anything_else_is_the_parsers(rest: list[str]) -> None:
    command, _ = find(["verify"])
    assert command is not None
    assert plain_words.read(command, rest, "countermark") is None
