"""Foreign text made harmless."""

import pytest

from countermark.core.text import harmless

CASES = [
    ("plain", "plain"),
    ("", ""),
    ("ünï 漢字 😀", "ünï 漢字 😀"),
    ("red \x1b[31m", r"red \x1b[31m"),
    ("one\ntwo\r\tthree", r"one\x0atwo\x0d\x09three"),
    ("nul\x00del\x7f", r"nul\x00del\x7f"),
    ("c1 \x9b2J", r"c1 \x9b2J"),
    ("bidi \u202eabc\u2066", r"bidi \u202eabc\u2066"),
    ("line\u2028sep", r"line\u2028sep"),
    ("zero\u200bwidth", r"zero\u200bwidth"),
    ("half \ud800", r"half \ud800"),
    ("tag \U000e0041", r"tag \U000e0041"),
    ("nbsp\xa0", r"nbsp\xa0"),
    ("back\\slash", "back\\slash"),
]


@pytest.mark.parametrize(("text", "shown"), CASES)
def test_what_is_not_printable_is_escaped(text: str, shown: str) -> None:
    assert harmless(text) == shown
    assert harmless(shown) == shown


def test_what_is_to_be_kept_stays() -> None:
    assert harmless("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"
