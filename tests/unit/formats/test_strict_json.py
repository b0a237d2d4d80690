"""Strict reading and canonical writing of JSON."""

import contextlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermark.core import limits
from countermark.core.errors import Code, MalformedError
from countermark.formats.strict_json import Json, Reader, canonical, compact, parse

BAD = [
    (b"", Code.MALFORMED),
    (b"{", Code.MALFORMED),
    (b'{"a":1,"a":2}', Code.MALFORMED),
    (b'{"x":{"a":1,"b":2,"a":3}}', Code.MALFORMED),
    (b"1.5", Code.MALFORMED),
    (b"1e3", Code.MALFORMED),
    (b"-0", Code.MALFORMED),
    (b"NaN", Code.MALFORMED),
    (b"-Infinity", Code.MALFORMED),
    (b"9007199254740992", Code.MALFORMED),
    (b"9" * 5000, Code.MALFORMED),
    (b'"\\ud800"', Code.MALFORMED),
    (b'"\xff"', Code.MALFORMED),
    (b"\xef\xbb\xbf{}", Code.MALFORMED),
    (b"{} {}", Code.MALFORMED),
    (b'"a\nb"', Code.MALFORMED),
    (b"[" * 65 + b"]" * 65, Code.TOO_LARGE),
    (b'{"a":' * 100 + b"1" + b"}" * 100, Code.TOO_LARGE),
    (b"[" * 100_000, Code.TOO_LARGE),
    (b'["' + b"[" * 65 + b'"' + b',["x"]' * 70 + b"]" * 1 + b"]", Code.MALFORMED),
]


@pytest.mark.parametrize(("content", "code"), BAD)
def test_what_two_readers_could_read_differently_is_refused(content: bytes, code: Code) -> None:
    with pytest.raises(MalformedError) as caught:
        parse(content)
    assert caught.value.code == code


def test_brackets_inside_strings_are_no_depth() -> None:
    value = ["[{" * 80, 'quote " [[', "back \\ [["] * 3
    assert parse(compact(value)) == value


def test_depth_of_siblings_does_not_add_up() -> None:
    value: list[Json] = [[[1]] for _ in range(200)]
    assert parse(compact(value)) == value


def test_size_is_bounded() -> None:
    with pytest.raises(MalformedError) as caught:
        parse(b'"abcdef"', max_bytes=7)
    assert caught.value.code is Code.TOO_LARGE
    assert limits.JSON_BYTES > 1_000_000


CANONICAL = [
    ({"b": 1, "a": [True, False, None]}, b'{"a":[true,false,null],"b":1}'),
    ({"z<>&": 'q"\\\n\t'}, b'{"z<>&":"q\\"\\\\\n\t"}'),
    ({"\U0001f600": 1, "\uffff": 2, "é": 3}, '{"é":3,"\uffff":2,"\U0001f600":1}'.encode()),
    ((), b"[]"),
    ({}, b"{}"),
    (-5, b"-5"),
]


@pytest.mark.parametrize(("value", "expected"), CANONICAL)
def test_canonical_form(value: Json, expected: bytes) -> None:
    assert canonical(value) == expected


@pytest.mark.parametrize("value", [1.5, b"x", {1}, {"a": 2.0}])
def test_canonical_form_has_no_place_for_other_values(value: object) -> None:
    with pytest.raises(TypeError):
        canonical(value)


PLAIN = st.characters(exclude_categories=["Cs", "Cc"])
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(PLAIN),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(PLAIN), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_canonical_then_parse_gives_the_value_back(value: Json) -> None:
    assert parse(canonical(value)) == value
    assert parse(compact(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_evidence_of_nothing(content: bytes) -> None:
    with contextlib.suppress(MalformedError):
        parse(content)


def test_the_reader_names_the_place_of_a_mistake() -> None:
    reader = Reader(parse(b'{"a":{"b":[{"c":"x"}],"n":1,"t":true}}'))
    inner = reader.object("a")
    assert inner.objects("b")[0].text("c") == "x"
    assert inner.integer("n") == 1
    assert inner.boolean("t") is True
    assert inner.names() == ["b", "n", "t"]
    cases = [
        (lambda: inner.objects("b")[0].integer("c"), "a.b[0].c"),
        (lambda: inner.integer("t"), "a.t"),
        (lambda: inner.text("n"), "a.n"),
        (lambda: inner.boolean("n"), "a.n"),
        (lambda: inner.items("n"), "a.n"),
        (lambda: inner.object("n"), "a.n"),
        (lambda: inner.texts("b"), "a.b"),
        (lambda: inner.text("zz"), "a.zz"),
    ]
    for take, path in cases:
        with pytest.raises(MalformedError) as caught:
            take()  # type: ignore[no-untyped-call]
        assert caught.value.path == path
        assert path in str(caught.value)
    assert not inner.has("zz")
    assert Reader(parse(b'{"z":null,"l":["a"]}')).has("z") is False
    assert Reader(parse(b'{"l":["a"]}')).texts("l") == ("a",)


def test_what_is_no_json_is_refused_where_the_package_json_was_never_loaded() -> None:
    """CPython's scanner gives a SystemError then: the class of its own errors is not there."""
    program = (
        "import sys\n"
        "from countermark.core.errors import MalformedError\n"
        "from countermark.formats import strict_json\n"
        "assert 'json.decoder' not in sys.modules\n"
        "try:\n    strict_json.parse(b'{a}')\n"
        "except MalformedError:\n    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.stdout == b"refused\n", done.stderr
