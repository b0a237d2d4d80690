"""Base64, times and JSON as Go writes them."""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from countermark.core.errors import MalformedError
from countermark.core.light import UTC, datetime, timedelta, timezone
from countermark.formats.strict_json import Json

_DIGITS = frozenset("0123456789")
_TIME_PARTS = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))


def to_base64(raw: bytes) -> str:
    """Write standard base64 with padding, as Go writes bytes in JSON."""
    return b2a_base64(raw, newline=False).decode()


def from_base64(text: Json, path: str) -> bytes:
    """Read standard base64 in the one form that Go writes.

    Raises:
        MalformedError: anything else; two spellings of one key would have two key IDs.
    """
    if isinstance(text, str):
        try:
            raw = a2b_base64(text, strict_mode=True)
        except (Base64Error, ValueError):
            pass
        else:
            if b2a_base64(raw, newline=False) == text.encode():
                return raw
    raise MalformedError(f"{path} is not base64", path=path)


def parse_time(text: str, path: str = "expires") -> datetime:
    """Read RFC 3339 with any number of decimals, as Go does; what is under a microsecond is dropped.

    Raises:
        MalformedError: not such a time.
    """
    zone = 20 if text[19:20] == "." else 19
    while zone > 19 and text[zone : zone + 1] in _DIGITS:
        zone += 1
    fraction = text[20:zone]
    try:
        if zone == 20 or not _has_shape(text[:19], "0000-00-00T00:00:00"):
            raise ValueError
        year, month, day, hour, minute, second = (int(text[a:b]) for a, b in _TIME_PARTS)
        micro = int(fraction[:6].ljust(6, "0"))
        moment = datetime(year, month, day, hour, minute, second, micro, _zone(text[zone:]))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedError(f"{path} is not an RFC 3339 time: {text[:40]!r}", path=path) from None


def _has_shape(text: str, shape: str) -> bool:
    return len(text) == len(shape) and all(
        char in _DIGITS if like == "0" else char == like
        for char, like in zip(text, shape, strict=True)
    )


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    if text[:1] not in ("+", "-") or not _has_shape(text[1:], "00:00"):
        raise ValueError
    hours, minutes = int(text[1:3]), int(text[4:6])
    if minutes > 59:
        raise ValueError
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(offset if text[0] == "+" else -offset)


def is_go_time(text: str) -> bool:
    """Say whether Go would write a time that it read here in the same letters (RFC3339Nano)."""
    fraction = text[20:].partition("Z")[0].partition("+")[0].partition("-")[0]
    if text[19:20] == "." and fraction.endswith("0"):
        return False
    return not text.endswith(("+00:00", "-00:00"))


def format_time(moment: datetime) -> str:
    """Write a time as we do in new files: RFC 3339, UTC, no trailing zeros."""
    text = moment.astimezone(UTC).isoformat().removesuffix("+00:00")
    return (text.rstrip("0") if "." in text else text) + "Z"


_NEAR_MONTHS = 6


def near_expiry(end: datetime, now: datetime) -> bool:
    """Say whether something ends within six months, as notary counts them (``AddDate(0, 6, 0)``)."""
    months = now.month - 1 + _NEAR_MONTHS
    first = now.replace(year=now.year + months // 12, month=months % 12 + 1, day=1)
    # the 31st of a short month is in the next, as in Go
    return end < first + timedelta(days=now.day - 1)


_ESCAPED: "dict[str, int | str | None]" = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


def encode_json(value: object) -> bytes:
    """Write compact JSON in the order given, with what HTML could misread escaped, as Go's encoding/json does."""
    from countermark.formats import strict_json  # noqa: PLC0415 - who writes only

    text = strict_json.compact(value).decode("utf-8")
    return text.translate(str.maketrans(_ESCAPED)).encode("utf-8")
