"""Times in headers, read as Go's servers write them."""

from countermark.core.light import UTC, datetime, timedelta, timezone

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# minutes from UTC. Names that mean one thing only: CST, IST and BST are several zones each, so they are left out.
_ZONES = {
    "GMT": 0,
    "UTC": 0,
    "Z": 0,
    "EST": -300,
    "EDT": -240,
    "CDT": -300,
    "MST": -420,
    "MDT": -360,
    "PST": -480,
    "PDT": -420,
    "WET": 0,
    "WEST": 60,
    "CET": 60,
    "CEST": 120,
    "EET": 120,
    "EEST": 180,
    "JST": 540,
}


def parse_http_date(text: str) -> datetime | None:
    """Read ``Sun, 22 Nov 2026 06:46:40 GMT``, also with ``UTC``, ``+0000`` or a zone's name; None for anything else.

    notary-server writes Last-Modified in the zone of its database (specs: notary v1, 4.2). A name that could be
    several zones gives None: it did not say when.
    """
    parts = text.split()
    if len(parts) != 6 or not parts[0].endswith(","):
        return None
    _, day, month, year, clock, zone = parts
    minutes = _zone_minutes(zone)
    digits = [*clock.split(":"), day, year]
    if minutes is None or len(digits) != 5 or month not in _MONTHS:
        return None
    if not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in digits):
        return None
    hour, minute, second, day_number, year_number = map(int, digits)
    try:
        local = datetime(
            year_number,
            _MONTHS.index(month) + 1,
            day_number,
            hour,
            minute,
            min(second, 59),  # a leap second
            tzinfo=timezone(timedelta(minutes=minutes)),
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone_minutes(zone: str) -> int | None:
    if zone[:1] in ("+", "-"):
        digits = zone[1:]
        if len(digits) != 4 or not (digits.isascii() and digits.isdigit()):
            return None
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        return (-minutes if zone[0] == "-" else minutes) if minutes < 24 * 60 else None
    return _ZONES.get(zone)
