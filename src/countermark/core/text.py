"""Foreign text made harmless for terminals and logs.

Names, identities, annotations and servers' messages are an attacker's text: an escape sequence in one rewrites a
terminal's lines, a line break forges a log entry, a bidirectional control shows a digest that is not there.
"""


def harmless(text: str, keep: str = "") -> str:
    r"""Escape what is not printable: control characters, line breaks, bidirectional and invisible marks, surrogates.

    An escape reads as in Python: ``\x1b``, ``\u202e``. Characters in ``keep`` stay as they are. A backslash that
    was there already stays too, so the result is for showing, not for reading back.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char in keep or char.isprintable() else _escaped(ord(char)) for char in text
    )


def _escaped(point: int) -> str:
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
