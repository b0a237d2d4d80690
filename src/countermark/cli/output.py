"""The rules of what we print, and where.

1. Results go to stdout, everything else to stderr: ``| jq`` and ``> file`` get results alone.
2. What we say on stderr begins with ``countermark: `` (then ``warning: `` or ``error: ``): no capital, no full stop.
3. A hint, the next thing to do, stands on its own line below, indented.
4. ``-o json`` prints one document with a ``version``; its members are only ever added to.
5. Colour is for terminals alone, and never the only carrier of a meaning; NO_COLOR turns it off.
6. Text that others chose (names, annotations, server errors) is shown with its control characters escaped.
7. A command that speaks docker's, notary's or cosign's words prints their texts as they do: no prefix.
"""

import os
import sys

from countermark.core.errors import InputError
from countermark.core.text import harmless
from countermark.formats import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

_STYLES = {"good": "32", "bad": "31;1", "warn": "33", "strong": "1", "faint": "2"}


class LostError(Exception):
    """What we print cannot be written: a full disk, a closed stream; the status is that of our own storage."""

    exit_status = 4


class Output:
    """Two streams and the rules above; ``colour`` says whether colour is wanted where a stream is a terminal."""

    def __init__(self, out: "TextIO", err: "TextIO", *, colour: bool = False) -> None:
        self._out, self._err, self.colour = out, err, colour

    def into(self, path: str) -> "Output":
        """The same with results going into a file, made or emptied now.

        Raises:
            InputError: it cannot be opened.
        """
        try:
            file = open(path, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open until ``close``
        except OSError as error:
            raise InputError(f"open {path}: {(error.strerror or '').lower()}") from None
        return Output(file, self._err, colour=self.colour)

    def close(self) -> None:
        """Close the file that results go into.

        Raises:
            LostError: what was written last cannot be.
        """
        self.flush()
        self._out.close()

    def result(self, line: str = "") -> None:
        """Print a line of the result; the caller has made foreign text harmless."""
        self.written(f"{line}\n", at_once=False)

    def written(self, text: str, *, at_once: bool = True) -> None:
        """Print a text of the result exactly as given.

        Raises:
            LostError: it cannot be written. BrokenPipeError: nobody reads it any more.
        """
        try:
            self._out.write(text)
            if at_once:
                self._out.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            self._write_error(f"countermark: error: cannot write the output: {error.strerror}")
            raise LostError from error

    def raw(self, content: bytes) -> None:
        """Print a result that is no text.

        Raises:
            As ``written``.
        """
        self.flush()
        try:
            self._out.buffer.write(content)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._write_error(f"countermark: error: cannot write the output: {error.strerror}")
            raise LostError from error
        self.flush()

    def document(self, value: "Any") -> None:
        """Print a JSON document for programs."""
        self.result(strict_json.pretty(value))

    def note(self, message: str) -> None:
        """Say on stderr what is going on."""
        self._say(f"countermark: {harmless(message)}")

    def warning(self, message: str) -> None:
        """Say on stderr what weakens or will soon fail."""
        word = self.styled("warning", "warn", err=True)
        self._say(f"countermark: {word}: {harmless(message)}")

    def error(self, message: str, hint: str = "") -> None:
        """Say on stderr what failed, and what to do next."""
        word = self.styled("error", "bad", err=True)
        lines = [f"countermark: {word}: {harmless(message)}"]
        self._say("\n".join(lines + [f"  {harmless(line)}" for line in hint.splitlines()]))

    def foreign_error(self, line: str) -> None:
        """Print an error in another tool's words: no prefix."""
        self._say(harmless(line, keep="\n\t"))

    def _say(self, text: str) -> None:
        """Print on stderr, after all results so far, so that both read in order where they meet."""
        self.flush()
        self._write_error(text)

    def _write_error(self, text: str) -> None:
        """Write to stderr; where that is full or closed there is nobody to tell."""
        try:
            self._err.write(f"{text}\n")
            self._err.flush()
        except BrokenPipeError:
            raise
        except OSError:
            _discard(self._err)

    def styled(self, text: str, style: str, *, err: bool = False) -> str:
        """Colour a text where its stream is a terminal that wants colour."""
        stream = self._err if err else self._out
        if not self.colour or not stream.isatty():
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    @property
    def err_is_terminal(self) -> bool:
        """Whether a person watches stderr, so that progress may be drawn."""
        return self._err.isatty()

    def flush(self) -> None:
        """Hand the results on, so that a full disk or a broken pipe shows here and not at exit."""
        self.written("")


def standard() -> Output:
    """The process's own streams; text that they cannot encode is escaped rather than fatal."""
    if sys.stdin is None:
        os.open(os.devnull, os.O_RDONLY)  # the lowest number that is free: 0
    sys.stdout, sys.stderr = _open(sys.stdout, 1), _open(sys.stderr, 2)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    return Output(sys.stdout, sys.stderr)


def _open(stream: "TextIO | None", descriptor: int) -> "TextIO":
    """Stand in for a stream that was closed before we began: no file of ours may get its number, and be written."""
    if stream is not None:
        return stream
    sink = os.open(os.devnull, os.O_RDONLY if descriptor == 1 else os.O_WRONLY)
    if sink != descriptor:
        os.dup2(sink, descriptor)
        os.close(sink)
    os.set_inheritable(descriptor, True)  # noqa: FBT003 - its only form
    return open(descriptor, "w", encoding="utf-8", closefd=False)


def discard() -> None:
    """Send what is still unwritten nowhere, so that the end of the process does not try again and complain."""
    for stream in (sys.stdout, sys.stderr):
        _discard(stream)


def _discard(stream: "TextIO") -> None:
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, stream.fileno())
    os.close(sink)
