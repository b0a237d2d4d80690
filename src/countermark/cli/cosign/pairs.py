"""Services on the command line: ``url=…,start-time=…``, with Go's words for what is wrong with them."""

from countermark.cli.cosign.words import CosignError
from countermark.core.errors import MalformedError
from countermark.core.light import UTC, datetime
from countermark.formats import go_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_LAYOUT = "2006-01-02T15:04:05Z07:00"  # Go's name for RFC 3339
# its pieces: how Go calls each, and what each may hold
_PIECES = (
    ("2006", 4, "", 0, 9999),
    ("-", 0, "", 0, 0),
    ("01", 2, "month", 1, 12),
    ("-", 0, "", 0, 0),
    ("02", 2, "day", 1, 31),
    ("T", 0, "", 0, 0),
    ("15", 2, "hour", 0, 23),
    (":", 0, "", 0, 0),
    ("04", 2, "minute", 0, 59),
    (":", 0, "", 0, 0),
    ("05", 2, "second", 0, 59),
)


def parse(spec: str, needed: "Mapping[str, str]", known: tuple[str, ...]) -> "dict[str, str]":
    """Read pairs, commas between them.

    Args:
        spec: the pairs.
        needed: names that must be there, each with what is said where it is not.
        known: names that may be there (cosign passes over all others).

    Raises:
        CosignError: one is missing, empty, unknown or no pair.
    """
    found: dict[str, str] = {}
    for pair in spec.split(","):
        name, equals, value = pair.partition("=")
        if not equals:
            raise CosignError(f"invalid key-value pair: {pair[:200]}")
        found[name.strip()] = value.strip()
    for name, complaint in needed.items():
        if not found.get(name):
            raise CosignError(complaint)
    for name in found:
        if name not in needed and name not in known:
            raise CosignError(
                f"unknown key {name[:80]!r}", hint=f"known are: {', '.join((*needed, *known))}"
            )
    return found


def time(text: str) -> datetime:
    """Read a time (RFC 3339).

    Raises:
        CosignError: it is none, in Go's words.
    """
    try:
        found = go_text.parse_time(text)
    except MalformedError:
        raise CosignError(_complaint(text[:80])) from None
    return found.astimezone(UTC)


def _complaint(text: str) -> str:
    """What Go's time.Parse says of a text that is no such time."""
    start = f'parsing time "{text}"'
    rest, ranges = text, ""
    for piece, digits, unit, lowest, highest in _PIECES:
        got = rest[: digits or len(piece)]
        fits = (
            got == piece if not digits else len(got) == digits and got.isascii() and got.isdigit()
        )
        if not fits:
            return f'{start} as "{_LAYOUT}": cannot parse "{rest}" as "{piece}"'
        if digits and not lowest <= int(got) <= highest and not ranges:
            ranges = f"{start}: {unit} out of range"
        rest = rest[len(got) :]
    if ranges:
        return ranges
    if rest.startswith((".", ",")):
        rest = rest[1:].lstrip("0123456789")
    zone = "Z" if rest.startswith("Z") else rest[:6]
    if zone != "Z" and not (zone[:1] in ("+", "-") and len(zone) == 6 and zone[3] == ":"):
        return f'{start} as "{_LAYOUT}": cannot parse "{rest}" as "Z07:00"'
    if len(rest) > len(zone):
        return f'{start}: extra text: "{rest[len(zone) :]}"'
    return f"{start}: day out of range"


def number(text: str, what: str) -> int:
    """Read a uint32.

    Raises:
        CosignError: it is none, in Go's words, with ``what`` before them.
    """
    if not (text.isascii() and text.isdigit()):
        raise CosignError(f'{what}: strconv.ParseUint: parsing "{text[:80]}": invalid syntax')
    if len(text) > 19 or int(text) >= 1 << 32:
        raise CosignError(f'{what}: strconv.ParseUint: parsing "{text[:80]}": value out of range')
    return int(text)
