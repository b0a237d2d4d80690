"""Protobuf's JSON, read as strictly as Go reads it."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from countermark.core.errors import Code, MalformedError
from countermark.formats import protojson
from countermark.formats.protojson import Message
from countermark.formats.strict_json import Json


def message(members: Json, *names: str) -> Message:
    return Message(members, names or ("name", "logIndex", "rawBytes", "list", "validFor"), "top")


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ([], "top"),
        ("x", "top"),
        (None, "top"),
        ({"nosuch": 1}, "top.nosuch"),
        ({"logIndex": 1, "log_index": 1}, "top.logIndex"),
        ({"LogIndex": 1}, "top.LogIndex"),
    ],
)
def test_what_is_no_message(members: Json, path: str) -> None:
    with pytest.raises(MalformedError) as caught:
        message(members)
    assert (caught.value.path, caught.value.code) == (path, Code.MALFORMED)


def test_names_in_both_spellings() -> None:
    for name in ("logIndex", "log_index"):
        assert message({name: "7"}).integer("logIndex") == 7


def test_null_is_absent() -> None:
    found = message(
        {"name": None, "logIndex": None, "rawBytes": None, "list": None, "validFor": None}
    )
    assert not found.has("name")
    assert (found.text("name"), found.integer("logIndex"), found.raw("rawBytes")) == ("", 0, b"")
    assert (found.texts("list"), found.messages("list"), found.time("name")) == ((), [], None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0),
        ("-1", -1),
        (5, 5),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
    ],
)
def test_integers(value: Json, expected: int) -> None:
    assert message({"logIndex": value}).integer("logIndex") == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "-",
        "+1",
        "1.0",
        " 1",
        "1e3",
        "\u0661",
        "9223372036854775808",
        "1" * 20,
        True,
        [],
        {},
        2**63,
    ],
)
def test_integers_that_are_none(value: Json) -> None:
    with pytest.raises(MalformedError) as caught:
        message({"logIndex": value}).integer("logIndex")
    assert caught.value.path == "top.logIndex"


Read = Callable[[Message], object]


@pytest.mark.parametrize(
    ("members", "read", "path"),
    [
        ({"logIndex": -1}, lambda m: m.count("logIndex"), "top.logIndex"),
        ({"name": 1}, lambda m: m.text("name"), "top.name"),
        ({"rawBytes": "%"}, lambda m: m.raw("rawBytes"), "top.rawBytes"),
        ({"rawBytes": "AA=="}, lambda m: m.need("name"), "top.name"),
        ({"rawBytes": "AB=="}, lambda m: m.raw("rawBytes"), "top.rawBytes"),
        ({"name": "yesterday"}, lambda m: m.time("name"), "top.name"),
        ({"list": {}}, lambda m: m.texts("list"), "top.list"),
        ({"list": ["a", 1]}, lambda m: m.texts("list"), "top.list"),
        ({"list": ["AA==", "%"]}, lambda m: m.raws("list"), "top.list[1]"),
        ({"list": [{}, 1]}, lambda m: m.messages("list", "x"), "top.list[1]"),
        ({"list": [{"y": 1}]}, lambda m: m.messages("list", "x"), "top.list[0].y"),
        ({}, lambda m: m.message("validFor", "start"), "top.validFor"),
        ({"validFor": []}, lambda m: m.message("validFor", "start"), "top.validFor"),
        ({}, lambda m: m.one_of("name", "list"), "top"),
        ({"name": "x", "list": []}, lambda m: m.one_of("name", "list"), "top"),
        ({}, lambda m: m.refuse("name", "why"), "top.name"),
        ({}, lambda m: m.refuse("", "why"), "top"),
    ],
)
def test_members_that_are_refused(members: Json, read: Read, path: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read(message(members))
    assert caught.value.path == path


def test_members() -> None:
    found = message({"name": "2026-01-01T00:00:00Z", "list": ["AA==", ""], "rawBytes": "AQI="})
    assert found.time("name") == datetime(2026, 1, 1, tzinfo=UTC)
    assert found.raws("list") == (b"\0", b"")
    assert found.raw("rawBytes") == b"\1\2"
    assert found.one_of("name", "logIndex") == "name"
    assert found.value("name") == "2026-01-01T00:00:00Z"
    inner = message({"validFor": {"start": "x"}}).message("validFor", "start")
    assert (inner.text("start"), inner.at("start")) == ("x", "top.validFor.start")


@pytest.mark.parametrize(
    ("micros", "text"),
    [(0, ""), (500_000, ".500"), (250_001, ".250001"), (1, ".000001"), (1000, ".001")],
)
def test_times_have_no_three_or_six_decimals(micros: int, text: str) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, micros, tzinfo=UTC)
    assert protojson.time(moment) == f"2026-01-02T03:04:05{text}Z"
