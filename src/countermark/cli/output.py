"""The rules of what we print, and where.

1. Results go to stdout, everything else to stderr: ``| jq`` and ``> file`` get results alone.
2. What we say on stderr begins with ``countermark: `` (then ``warning: `` or ``error: ``): no capital, no full stop.
3. A hint, the next thing to do, stands on its own line below, indented.
4. ``-o json`` prints one document with a ``version``; its members are only ever added to.
5. Colour is for terminals alone, and never the only carrier of a meaning; NO_COLOR turns it off.
6. Text that others chose (names, annotations, server errors) is shown with its control characters escaped.
7. A command that speaks docker's, notary's or cosign's words prints their texts as they do: no prefix.
"""

import sys

from countermark.core.text import harmless
from countermark.formats import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

_STYLES = {"good": "32", "bad": "31;1", "warn": "33", "strong": "1", "faint": "2"}


class Output:
    """Two streams and the rules above."""

    def __init__(self, out: "TextIO", err: "TextIO", *, colour: bool) -> None:
        """Take the streams; ``colour`` says whether colour is wanted where a stream is a terminal."""
        self._out, self._err, self._colour = out, err, colour

    def result(self, line: str = "") -> None:
        """Print a line of the result; the caller has made foreign text harmless."""
        print(line, file=self._out)

    def written(self, text: str) -> None:
        """Print a text of the result exactly as given."""
        self._out.write(text)
        self._out.flush()

    def document(self, value: "Any") -> None:
        """Print a JSON document for programs."""
        print(strict_json.pretty(value), file=self._out)

    def note(self, message: str) -> None:
        """Say on stderr what is going on."""
        print(f"countermark: {harmless(message)}", file=self._err)

    def warning(self, message: str) -> None:
        """Say on stderr what weakens or will soon fail."""
        print(f"{self.styled('warning', 'warn', err=True)}: {harmless(message)}", file=self._err)

    def error(self, message: str, hint: str = "") -> None:
        """Say on stderr what failed, and what to do next."""
        print(
            f"countermark: {self.styled('error', 'bad', err=True)}: {harmless(message)}",
            file=self._err,
        )
        for line in hint.splitlines():
            print(f"  {harmless(line)}", file=self._err)

    def foreign_error(self, line: str) -> None:
        """Print an error in another tool's words: no prefix."""
        print(harmless(line, keep="\n\t"), file=self._err)

    def styled(self, text: str, style: str, *, err: bool = False) -> str:
        """Colour a text where its stream is a terminal that wants colour."""
        stream = self._err if err else self._out
        if not self._colour or not stream.isatty():
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    @property
    def err_is_terminal(self) -> bool:
        """Whether a person watches stderr, so that progress may be drawn."""
        return self._err.isatty()

    def flush(self) -> None:
        """Hand everything on, so that a broken pipe shows here and not at exit."""
        self._out.flush()
        self._err.flush()


def standard(*, colour: bool) -> Output:
    """The process's own streams; text that they cannot encode is escaped rather than fatal."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    return Output(sys.stdout, sys.stderr, colour=colour)
