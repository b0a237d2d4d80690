"""Times in headers, as Go's servers write them."""

from datetime import UTC, datetime

import pytest

from countermark.adapters.http_date import parse_http_date


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("Sun, 22 Nov 2026 06:46:40 GMT", 6),
        ("Sun, 22 Nov 2026 06:46:40 UTC", 6),
        ("Sun, 22 Nov 2026 06:46:40 +0000", 6),
        ("Sun, 22 Nov 2026 07:46:40 CET", 6),
        ("Sun, 22 Nov 2026 08:46:40 CEST", 6),
        ("Sun, 22 Nov 2026 01:46:40 EST", 6),
        ("Sun, 22 Nov 2026 01:16:40 -0530", 6),
    ],
)
def test_times_are_read_in_any_zone(text: str, hour: int) -> None:
    assert parse_http_date(text) == datetime(2026, 11, 22, hour, 46, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "never",
        "2026-11-22T06:46:40Z",
        "Sun, 22 Nov 2026 06:46:40",
        "Sun, 22 Nov 2026 06:46:40 CST",  # Chicago, Shanghai or Havana
        "Sun, 22 Nov 2026 06:46:40 XYZ",
        "Sun, 22 Nov 2026 06:46:40 +00",
        "Sun, 22 Nov 2026 06:46:40 +2400",
        "Sun, 31 Feb 2026 06:46:40 GMT",
        "Sun, 22 Nov 2026 25:46:40 GMT",
        "Sun, 22 Now 2026 06:46:40 GMT",
        "Sun, 22 Nov 20260 06:46:40 GMT",
        "Sun, ²² Nov 2026 06:46:40 GMT",
        "Mon, 01 Jan 0001 00:46:40 +0900",
        "Sun 22 Nov 2026 06:46:40 GMT",
    ],
)
def test_what_says_no_time_is_none(text: str) -> None:
    assert parse_http_date(text) is None
