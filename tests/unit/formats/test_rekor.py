"""Log entries as Rekor 1 and 2 canonicalise them."""

import json
from base64 import b64decode
from hashlib import sha256
from typing import Any

import pytest

import fake_blobs as blobs
import fake_sigstore as fake
from countermark.core.errors import MalformedError
from countermark.formats import bundle, rekor
from countermark.formats.rekor import DsseRecord, HashedRekord, IntotoRecord, Verifier
from countermark.proofs import signatures, spki
from fake_sigstore import Document

SIGSTORE = fake.Sigstore()
LEAF = SIGSTORE.authority.issue()
KEY = fake.new_key()
BLOB = blobs.BLOB
SIGNED = blobs.signature(KEY)
ENVELOPE = blobs.envelope_of(KEY, blobs.statement())
PEM = fake.pem(KEY).encode()


def intoto(**changes: Any) -> Document:
    """An entry as cosign 1 and 2 had attestations logged: base64 of base64."""
    signature = {
        "publicKey": fake.b64(PEM),
        "sig": fake.b64(ENVELOPE["signatures"][0]["sig"].encode()),
    }
    content = {
        "envelope": {"payloadType": fake.IN_TOTO, "signatures": [signature]},
        "hash": {"algorithm": "sha256", "value": "00"},
        "payloadHash": {"algorithm": "sha256", "value": "11"},
    }
    return {"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": content | changes}}


# Rekor 1 ----------------------------------------------------------------------------------------------------


def test_bodies_of_the_first_kind() -> None:
    body = fake.body_v1(KEY, BLOB, SIGNED)
    kind, version, found = rekor.parse_record(body)
    assert (kind, version) == ("hashedrekord", "0.0.1")
    digest = sha256(BLOB).hexdigest()
    assert found == HashedRekord(
        algorithm="sha256", digest=digest, signature=SIGNED, public_key=PEM
    )
    assert rekor.encode_record_1(digest, SIGNED, PEM) == body
    kind, _, dsse = rekor.parse_record(fake.body_dsse(KEY, ENVELOPE))
    assert (kind, type(dsse)) == ("dsse", DsseRecord)
    assert isinstance(dsse, DsseRecord)
    signature = b64decode(ENVELOPE["signatures"][0]["sig"])
    assert dsse.signatures == ((signature, PEM),)
    assert dsse.payload_hash == sha256(b64decode(ENVELOPE["payload"])).hexdigest()
    kind, _, older = rekor.parse_record(fake.compact(intoto()))
    assert isinstance(older, IntotoRecord)
    assert (kind, older.payload_hash, older.signatures) == ("intoto", "11", ((signature, PEM),))


def hashed(**changes: Any) -> Document:
    made: Document = json.loads(fake.body_v1(KEY, BLOB, SIGNED))
    return made | changes


@pytest.mark.parametrize(
    "document",
    [
        {},
        hashed(kind="rekord"),
        hashed(apiVersion="0.0.3"),
        hashed(spec={}),
        hashed(
            spec={
                "data": {"hash": {"algorithm": "sha256", "value": "00"}},
                "signature": {"content": "%"},
            }
        ),
        hashed(kind="dsse", spec={"payloadHash": {"algorithm": "sha512", "value": ""}}),
        intoto(payloadHash={"algorithm": "md5", "value": ""}),
        intoto(envelope={"signatures": [{"sig": "%", "publicKey": ""}]}),
        intoto(envelope={"signatures": [{"sig": fake.b64(b"%"), "publicKey": ""}]}),
    ],
)
def test_bodies_that_are_refused(document: Document) -> None:
    with pytest.raises(MalformedError):
        rekor.parse_record(fake.compact(document))


def test_what_asks_to_log_an_envelope() -> None:
    content = fake.compact(ENVELOPE)
    asked = json.loads(rekor.encode_dsse_request(content, PEM))
    proposed = asked["spec"]["proposedContent"]
    assert proposed["envelope"].encode() == content
    assert b64decode(proposed["verifiers"][0]) == PEM


def test_what_a_promise_signs() -> None:
    made = fake.bundle(LEAF, blobs.statement(), log=SIGSTORE.first_log)
    (entry,) = bundle.parse(fake.compact(made)).entries
    key = spki.parse(fake.spki(SIGSTORE.first_log.key))
    assert signatures.verify(key, rekor.promised(entry), entry.promise)
    assert list(json.loads(rekor.promised(entry))) == [
        "body",
        "integratedTime",
        "logID",
        "logIndex",
    ]


def answered(log: fake.Log | None = None, **changes: Any) -> Document:
    log = log or fake.Log("rekor.example.test", first_kind=True)
    body = fake.body_v1(KEY, BLOB, SIGNED)
    entry = log.add(body, ("hashedrekord", "0.0.1"))
    proof = entry["inclusionProof"]
    said = {
        "body": entry["canonicalizedBody"],
        "integratedTime": int(entry["integratedTime"]),
        "logID": log.id.hex(),
        "logIndex": int(entry["logIndex"]),
        "verification": {
            "inclusionProof": {
                "checkpoint": proof["checkpoint"]["envelope"],
                "hashes": [b64decode(each).hex() for each in proof["hashes"]],
                "logIndex": int(proof["logIndex"]),
                "rootHash": b64decode(proof["rootHash"]).hex(),
                "treeSize": int(proof["treeSize"]),
            },
            "signedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
        },
    }
    return said | changes


def test_answers() -> None:
    said = answered()
    found = rekor.parse_answer_1(fake.compact({"id": said}))
    assert (found.log_index, found.kind, found.version) == (3, "hashedrekord", "0.0.1")
    assert found.body == b64decode(said["body"])
    assert found.proof is not None
    assert (found.proof.tree_size, len(found.proof.hashes)) == (5, 3)
    listed = rekor.parse_answers_1(fake.compact([{"a": said}, {"b": said}]))
    assert listed == (found, found)
    assert rekor.parse_answers_1(b"[]") == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        fake.compact({"a": answered(), "b": answered()}),
        fake.compact({"a": answered(body="%")}),
        fake.compact({"a": answered(logID="zz")}),
        fake.compact({"a": answered(logIndex="3")}),
        fake.compact({"a": answered(verification={})}),
        fake.compact({"a": answered(body=fake.b64(b"no"))}),
    ],
)
def test_answers_that_are_refused(content: bytes) -> None:
    with pytest.raises(MalformedError):
        rekor.parse_answer_1(content)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'[{"a":{}}]', b'[],"x":[1]'])
def test_lists_of_answers_that_are_refused(content: bytes) -> None:
    with pytest.raises(MalformedError):
        rekor.parse_answers_1(content)


# Rekor 2 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("P-256", "sha256"), ("P-384", "sha384"), ("P-521", "sha512")]
)
def test_bodies_of_the_second_kind(kind: str, algorithm: str) -> None:
    key = fake.new_key(kind)
    leaf = SIGSTORE.authority.issue(key=key)
    digest = b64decode(
        json.loads(fake.body_v2(key, BLOB, b"x"))["spec"]["hashedRekordV002"]["data"]["digest"]
    )
    details = fake.key_details(key)
    by_key = Verifier(key_details=details, public_key=fake.spki(key))
    by_leaf = Verifier(key_details=details, certificate=leaf.der)
    assert rekor.encode_record_2(digest, b"x", by_key, algorithm) == fake.body_v2(key, BLOB, b"x")
    assert rekor.encode_record_2(digest, b"x", by_leaf, algorithm) == fake.body_v2(leaf, BLOB, b"x")
    asked = json.loads(rekor.encode_request_2(digest, b"x", by_leaf))["hashedRekordRequestV002"]
    assert b64decode(asked["digest"]) == digest
    assert asked["signature"]["verifier"]["keyDetails"] == details
    assert b64decode(asked["signature"]["verifier"]["x509Certificate"]["rawBytes"]) == leaf.der


def test_answers_of_the_second_kind() -> None:
    entry = fake.Log().add(b"{}", ("hashedrekord", "0.0.2"))
    found = rekor.parse_answer_2(fake.compact(entry))
    assert (found.body, found.promise, found.integrated_time) == (b"{}", b"", 0)
    for content in (b"", b"{}", fake.compact(entry | {"more": 1})):
        with pytest.raises(MalformedError):
            rekor.parse_answer_2(content)
