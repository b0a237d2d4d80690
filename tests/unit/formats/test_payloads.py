"""What gets signed: simple signing, envelopes, statements."""

import json
from typing import Any

import pytest

import fake_sigstore as fake
from countermark.core import limits
from countermark.core.errors import Code, InputError, MalformedError
from countermark.formats import payloads
from countermark.formats.payloads import (
    Envelope,
    EnvelopeSignature,
    InTotoStatement,
    StatementSubject,
)
from countermark.formats.protojson import Message
from fake_sigstore import Document
from world import GOOD

# Simple signing ---------------------------------------------------------------------------------------------


def simple(**changes: Any) -> Document:
    made: Document = json.loads(fake.simple(GOOD))
    for name, value in changes.items():
        place: Document = made
        *path, last = name.split("__")
        for each in path:
            place = place[each]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return made


def test_simple_signing_is_read_and_written() -> None:
    content = fake.simple(GOOD, optional={"a": "1"})
    found = payloads.parse(content)
    assert (found.digest, found.content, dict(found.optional)) == (GOOD, content, {"a": "1"})
    assert payloads.encode(found.repository, GOOD, {"a": "1"}) == content
    assert payloads.encode("x", GOOD, {}).endswith(b'"optional":null}')
    assert dict(payloads.parse(fake.simple(GOOD, optional=None)).optional) == {}
    assert dict(payloads.parse(fake.simple(GOOD, optional={})).optional) == {}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (simple(more=1), "more"),
        (simple(critical__more=1), "critical.more"),
        (simple(critical=None), "critical"),
        (simple(critical__image=None), "critical.image"),
        (simple(critical__identity=None), "critical.identity"),
        (simple(critical__type=1), "critical.type"),
        (simple(optional=[1]), "optional"),
        (simple(critical__image={"docker-manifest-digest": "sha256:zz"}),
         "critical.image.docker-manifest-digest"),
        (simple(critical__image={"Docker-manifest-digest": str(GOOD)}), "critical.image.docker-manifest-digest"),
    ],
)  # fmt: skip
def test_simple_signing_that_is_refused(document: Document, path: str) -> None:
    with pytest.raises(MalformedError) as caught:
        payloads.parse(fake.compact(document))
    assert caught.value.path == path


def test_a_member_twice_is_refused() -> None:
    content = fake.simple(GOOD).replace(b'"type":', b'"type":"x","type":')
    with pytest.raises(MalformedError):
        payloads.parse(content)


# Envelopes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [  # the first is that of the protocol's specification
        ("http://example.com/HelloWorld", b"hello world",
         b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"),
        ("", b"", b"DSSEv1 0  0 "),
        ("é", b"\xff", b"DSSEv1 2 \xc3\xa9 1 \xff"),
    ],
)  # fmt: skip
def test_pre_authentication_encoding(kind: str, payload: bytes, expected: bytes) -> None:
    assert payloads.pae(kind, payload) == expected
    assert Envelope(payload=payload, payload_type=kind, signatures=()).pae == expected


def test_envelopes_are_read_and_written() -> None:
    one = EnvelopeSignature(value=b"\1\2", key_id="k")
    envelope = Envelope(payload=b"{}", payload_type="x/y", signatures=(one,))
    assert envelope.encode() == (
        b'{"payload":"e30=","payloadType":"x/y","signatures":[{"sig":"AQI=","keyid":"k"}]}'
    )
    assert Envelope.parse(envelope.encode()) == envelope
    bare = envelope.replace(signatures=(EnvelopeSignature(value=b"\1\2"),))
    assert b"keyid" not in bare.encode()


@pytest.mark.parametrize(
    "document",
    [
        {"payload": "e30=", "payloadType": "x"},
        {"payload": "e30=", "payloadType": "x", "signatures": [{}]},
        {"payload": "e30=", "payloadType": "x", "signatures": [{"sig": "AA=="}, {"sig": "AA=="}]},
        {"payload": "e30", "payloadType": "x", "signatures": [{"sig": "AA=="}]},
        {"payloadType": "x", "signatures": [{"sig": "AA=="}]},
        {"payload": "e30=", "signatures": [{"sig": "AA=="}]},
        {"payload": "e30=", "payloadType": "x", "signatures": [{"sig": "AA==", "cert": "x"}]},
    ],
)
def test_envelopes_that_are_refused(document: Document) -> None:
    with pytest.raises(MalformedError):
        Envelope.parse(fake.compact(document))
    with pytest.raises(MalformedError):
        Envelope.of(Message(document, payloads.ENVELOPE_FIELDS))


# Statements -------------------------------------------------------------------------------------------------


def statement(**changes: Any) -> bytes:
    made = {
        "_type": payloads.STATEMENT_1,
        "subject": [{"name": "x", "digest": {"sha256": "00"}, "annotations": {"a": "b"}}],
        "predicateType": "p",
        "predicate": {"n": 1.5},
    }
    return fake.compact({k: v for k, v in (made | changes).items() if v is not ...})


def test_statements_are_read() -> None:
    found = InTotoStatement.parse(statement())
    assert (found.type, found.predicate_type, found.predicate) == (
        payloads.STATEMENT_1,
        "p",
        {"n": 1.5},
    )
    (subject,) = found.subjects
    assert (subject.name, subject.digests, subject.annotations) == (
        "x",
        {"sha256": "00"},
        {"a": "b"},
    )
    assert found.content == statement()
    assert InTotoStatement.parse(statement(predicate=...)).predicate == {}


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"_type": ...}, "_type", Code.MALFORMED),
        ({"subject": ...}, "subject", Code.MALFORMED),
        ({"predicateType": ...}, "predicateType", Code.MALFORMED),
        ({"more": 1}, "more", Code.MALFORMED),
        ({"predicate": "text"}, "predicate", Code.MALFORMED),
        ({"subject": {}}, "subject", Code.MALFORMED),
        ({"subject": [{"more": 1}]}, "subject[0].more", Code.MALFORMED),
        ({"subject": [{"digest": {"sha256": 1}}]}, "subject[0].digest", Code.MALFORMED),
        ({"subject": [{"digest": []}]}, "subject[0].digest", Code.MALFORMED),
        ({"subject": [{}] * (limits.STATEMENT_SUBJECTS + 1)}, "subject", Code.TOO_LARGE),
        ({"subject": [{"digest": dict.fromkeys(map(str, range(limits.SUBJECT_DIGESTS + 1)), "")}]},
         "subject[0].digest", Code.TOO_LARGE),
        ({"subject": [{"annotations": dict.fromkeys(map(str, range(limits.SUBJECT_ANNOTATIONS + 1)), "")}]},
         "subject[0].annotations", Code.TOO_LARGE),
    ],
)  # fmt: skip
def test_statements_that_are_refused(changes: dict[str, Any], path: str, code: Code) -> None:
    with pytest.raises(MalformedError) as caught:
        InTotoStatement.parse(statement(**changes))
    assert (caught.value.path, caught.value.code) == (path, code)


def test_a_signature_of_an_image() -> None:
    content = payloads.encode_signature(GOOD, {"b": "2", "a": "1"})
    found = InTotoStatement.parse(content)
    assert found.predicate_type == payloads.SIGN_PREDICATE
    (subject,) = found.subjects
    assert subject.digests == {"sha256": GOOD.hex}
    assert list(subject.annotations) == ["a", "b"]


def test_a_predicates_bytes_stay_as_they_are() -> None:
    subject = StatementSubject(name="x", digests={"sha256": "00"})
    content = payloads.encode_attestation([subject], "p", b' {"n": 1.50 } ')
    assert content.endswith(b',"predicate":{"n": 1.50 }}')
    assert InTotoStatement.parse(content).type == payloads.STATEMENT_01
    nameless = payloads.encode_attestation([subject.replace(name="")], "p", b"{}")
    assert InTotoStatement.parse(nameless).subjects[0].name == ""


@pytest.mark.parametrize("predicate", [b"", b"text", b"[]", b"{", b'{"a":1,"a":2}', b"{}x"])
def test_predicates_that_are_refused(predicate: bytes) -> None:
    with pytest.raises(InputError):
        payloads.encode_attestation([], "p", predicate)
