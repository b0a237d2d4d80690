"""What signing is told by flags, and what people are told meanwhile."""

import io

from countermark.cli.output import Output
from countermark.cli.signing_flags import teller


def test_each_line_that_is_told_is_a_line() -> None:
    out, err = io.StringIO(), io.StringIO()
    tell = teller(Output(out, err))
    tell("Go to the following link in a browser:\n\n\t https://trust.test/a\x1b[2J")
    tell("Token received!")
    assert out.getvalue() == ""
    assert err.getvalue() == (
        "countermark: Go to the following link in a browser:\n"
        "countermark: https://trust.test/a\\x1b[2J\n"
        "countermark: Token received!\n"
    )
