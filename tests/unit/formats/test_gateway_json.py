"""Requests as grpc-gateway reads them; its words were taken from Fulcio's answers (tests/interop)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermark.core.errors import MalformedError
from countermark.formats.gateway_json import Field, Fields, Message, Rules, read

INNER: Fields = {"proofOfPossession": Field(kind="bytes"), "content": Field(kind="string")}
FIELDS: Fields = {
    "publicKeyRequest": Field(kind="message", fields=INNER, one_of="dev.Key"),
    "certificateSigningRequest": Field(kind="bytes", one_of="dev.Key"),
    "algorithm": Field(kind="enum", words=("NONE", "RSA", "ECDSA")),
    "logIndex": Field(kind="int64"),
    "verifiers": Field(kind="message", fields=INNER, many=True),
}
LENIENT = Rules(accept_unknown=True)


def taken(text: str, rules: Rules = LENIENT) -> Message:
    return read(text.encode(), FIELDS, max_bytes=10_000, rules=rules)


GOOD: list[tuple[str, Message]] = [
    ("", {}),
    (" \n", {}),
    ("{}", {}),
    ('{"certificateSigningRequest":null,"publicKeyRequest":null}', {}),
    ('{"certificateSigningRequest":"YQ=="}', {"certificateSigningRequest": b"a"}),
    ('{"certificate_signing_request":"YQ"}', {"certificateSigningRequest": b"a"}),
    ('{"certificateSigningRequest":"_-8="}', {"certificateSigningRequest": b"\xff\xef"}),
    ('{"certificateSigningRequest":"_-8"}', {"certificateSigningRequest": b"\xff\xef"}),
    ('{"publicKeyRequest":{"content":"é"}}', {"publicKeyRequest": {"content": "é"}}),
    (
        '{"publicKeyRequest":null,"certificateSigningRequest":"YQ"}',
        {"certificateSigningRequest": b"a"},
    ),
    ('{"algorithm":"RSA"}', {"algorithm": "RSA"}),
    ('{"algorithm":2}', {"algorithm": "ECDSA"}),
    ('{"algorithm":7}', {"algorithm": "7"}),
    ('{"algorithm":"NOPE"}', {"algorithm": "NOPE"}),
    ('{"logIndex":"12"}', {"logIndex": 12}),
    ('{"logIndex":-12}', {"logIndex": -12}),
    ('{"logIndex":"9223372036854775807"}', {"logIndex": 2**63 - 1}),
    ('{"verifiers":[{"content":"a"},{}]}', {"verifiers": [{"content": "a"}, {}]}),
    ('{"verifiers":[]}', {"verifiers": []}),
    ('{"zz":[1,{"a":"]}"}],"yy":{"b":[]},"algorithm":"RSA"}', {"algorithm": "RSA"}),
]


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_what_is_taken(text: str, expected: Message) -> None:
    assert taken(text) == expected


BAD: list[tuple[str, str]] = [
    # encoding/json
    ("zzz", "invalid character 'z' looking for beginning of value"),
    ('{"a":', "unexpected EOF"),
    ('{"a', "unexpected EOF"),
    ("{", "unexpected EOF"),
    ("{a}", "invalid character 'a' looking for beginning of object key string"),
    ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
    ('{"a" 1}', "invalid character '1' after object key"),
    ('{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
    ('{"a":01}', "invalid character '1' after object key:value pair"),
    ('{"a":[1 2]}', "invalid character '2' after array element"),
    ('{"a":[],"b":["\\n"],"c":false,"d":tru}', "invalid character '}' in literal true (expecting 'e')"),
    ('{"a":[1,]}', "invalid character ']' looking for beginning of value"),
    ("{'a':1}", "invalid character '\\'' looking for beginning of object key string"),
    ("\\", "invalid character '\\\\' looking for beginning of value"),
    ("\x07", "invalid character '\\a' looking for beginning of value"),
    ("\x7f", "invalid character '\\x7f' looking for beginning of value"),
    ("é", "invalid character 'Ã' looking for beginning of value"),
    ("\u0085", "invalid character 'Â' looking for beginning of value"),
    ('{"a":nul}', "invalid character '}' in literal null (expecting 'l')"),
    ('{"a":tru', "unexpected EOF"),
    ('{"a":fx', "invalid character 'x' in literal false (expecting 'a')"),
    ('{"a":-}', "invalid character '}' in numeric literal"),
    ('{"a":1.}', "invalid character '}' after decimal point in numeric literal"),
    ('{"a":1e}', "invalid character '}' in exponent of numeric literal"),
    ('{"a":1.5e+}', "invalid character '}' in exponent of numeric literal"),
    ('{"a":"\\x"}', "invalid character 'x' in string escape code"),
    ('{"a":"\\u12g4"}', "invalid character 'g' in \\u hexadecimal character escape"),
    ('{"a":"\x01"}', "invalid character '\\x01' in string literal"),
    ('{"a":"\n"}', "invalid character '\\n' in string literal"),
    ('{"a":"\\', "unexpected EOF"),
    # protojson
    ("[]", "proto: syntax error (line 1:1): unexpected token ["),
    ('"a"', 'proto: syntax error (line 1:1): unexpected token "a"'),
    ("5", "proto: syntax error (line 1:1): unexpected token 5"),
    ("null", "proto: syntax error (line 1:1): unexpected token null"),
    ('{"publicKeyRequest":[]}', "proto: syntax error (line 1:21): unexpected token ["),
    (
        '{"zz":{"a":[1,{}]},"logIndex":5,"algorithm":null,"verifiers":[{"content":"a"}],"publicKeyRequest":5}',
        "proto: syntax error (line 1:99): unexpected token 5",
    ),
    (
        '{"verifiers":[{"content":"a","proofOfPossession":"YQ"}],"publicKeyRequest":[]}',
        "proto: syntax error (line 1:76): unexpected token [",
    ),
    ('{"verifiers":{}}', "proto: syntax error (line 1:14): unexpected token {"),
    ('{"verifiers":[{},5]}', "proto: syntax error (line 1:18): unexpected token 5"),
    (
        '{"certificateSigningRequest":"!!"}',
        'proto: (line 1:30): invalid value for bytes field certificateSigningRequest: "!!"',
    ),
    (
        ' {\n  "certificate_signing_request" : 5}',
        "proto: (line 2:35): invalid value for bytes field certificateSigningRequest: 5",
    ),
    (
        '{"z":"éé","publicKeyRequest":{"content":{"a":[]}}}',
        "proto: (line 1:41): invalid value for string field content: {",
    ),
    ('{"algorithm":["RSA"]}', "proto: (line 1:14): invalid value for enum field algorithm: ["),
    ('{"algorithm":true}', "proto: (line 1:14): invalid value for enum field algorithm: true"),
    ('{"logIndex":"x"}', 'proto: (line 1:13): invalid value for int64 field logIndex: "x"'),
    (
        '{"logIndex":"9223372036854775808"}',
        'proto: (line 1:13): invalid value for int64 field logIndex: "9223372036854775808"',
    ),
    ('{"logIndex":true}', "proto: (line 1:13): invalid value for int64 field logIndex: true"),
    (
        '{"publicKeyRequest":{},"certificateSigningRequest":""}',
        'proto: (line 1:24): error parsing "certificateSigningRequest", oneof dev.Key is already set',
    ),
    (
        '{"algorithm":"RSA","algorithm":"RSA"}',
        'proto: (line 1:20): duplicate field "algorithm"',
    ),
    (
        '{"certificateSigningRequest":"","certificate_signing_request":""}',
        'proto: (line 1:33): duplicate field "certificate_signing_request"',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(MalformedError) as caught:
        taken(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{} {}", "something follows"),
        ('{"zz":1.5}', "not an integer"),
        ('{"zz":1,"zz":2}', "duplicate member"),
        ("[" * 65 + "]" * 65, "exceeded max depth"),
        ('{"zz":' + "[" * 65 + "]" * 65 + "}", "exceeded max depth"),
        ('{"zz":"\\ud800"}', "surrogate"),
        ('{"zz":"' + "x" * 10_000 + '"}', "at most 10000"),
    ],
    ids=range(7),
)
def test_what_go_would_take_and_we_do_not(text: str, match: str) -> None:
    with pytest.raises(MalformedError, match=match):
        taken(text)


def test_what_is_long_is_refused_in_fewer_words() -> None:
    """To find the words takes a while, and whoever asks need not be known to us."""
    with pytest.raises(MalformedError, match="not JSON"):
        read(b"[" + b"1," * 40_000, FIELDS, max_bytes=100_000, rules=LENIENT)


def test_bytes_that_are_not_utf_8() -> None:
    with pytest.raises(MalformedError):
        read(b'{"zz":"\xff"}', FIELDS, max_bytes=100, rules=LENIENT)


STRICT: list[tuple[str, str]] = [
    ('{"zz":1}', 'proto: (line 1:2): unknown field "zz"'),
    ('{"publicKeyRequest":{"zz":1}}', 'proto: (line 1:22): unknown field "zz"'),
    ('{"algorithm":"NOPE"}', 'proto: (line 1:14): invalid value for enum field algorithm: "NOPE"'),
]


@pytest.mark.parametrize(("text", "message"), STRICT)
def test_servers_that_know_all_that_they_take(text: str, message: str) -> None:
    with pytest.raises(MalformedError) as caught:
        taken(text, Rules())
    assert str(caught.value) == message
    with pytest.raises(MalformedError) as caught:
        read(text.encode(), FIELDS, max_bytes=100)
    assert str(caught.value) == message


def test_servers_whose_names_have_no_other_form() -> None:
    rules = Rules(accept_unknown=True, accept_snake_case=False)
    assert taken('{"certificate_signing_request":"!!"}', rules) == {}


@given(st.binary(max_size=60))
def test_junk_is_refused(content: bytes) -> None:
    try:
        read(content, FIELDS, max_bytes=100, rules=LENIENT)
    except MalformedError as error:
        assert str(error)  # noqa: PT017 - that there are words


PIECES = ['{', '}', '[', ']', ':', ',', '"certificateSigningRequest"', '"publicKeyRequest"', '"YQ"', '"', "\\",
          "1", "-", ".", "e", "null", "true", "fals", " ", "\n", '"é"']  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_pieces_of_json_are_read_or_refused(text: str) -> None:
    for rules in (LENIENT, Rules()):
        try:
            taken(text, rules)
        except MalformedError as error:
            assert str(error)  # noqa: PT017 - that there are words
