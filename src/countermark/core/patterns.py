"""Patterns in RE2: they match a whole text or not at all, in time linear in it."""

from countermark.core.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def check(pattern: str) -> None:
    """Say whether a pattern can be used.

    Raises:
        ConfigError: it is no RE2.
    """
    _compiled(pattern)


def matches(pattern: str, text: str) -> bool:
    """Say whether a pattern matches a text from its beginning to its end.

    Raises:
        ConfigError: it is no RE2.
    """
    return _compiled(pattern).fullmatch(text) is not None


def from_glob(text: str) -> str:
    """Turn a name with stars into RE2: ``*`` is anything but a slash, ``**`` is anything."""
    return ".*".join(
        "[^/]*".join("".join(map(_quoted, piece)) for piece in part.split("*"))
        for part in text.split("**")
    )


def _quoted(char: str) -> str:
    return char if char.isalnum() or not char.isascii() else f"\\{char}"


def _compiled(pattern: str) -> "Any":
    """Compile it."""
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415 - 5 ms, only where there is a pattern

    options = re2.Options()
    options.log_errors = False  # else it writes to standard error itself
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        words = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ConfigError(f"not a pattern of RE2: {pattern[:80]!r}: {words[:160]}") from None
