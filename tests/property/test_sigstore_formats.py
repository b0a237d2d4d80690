"""Sigstore's documents: what is read is written the same, and whatever bytes come only evidence errors are raised."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fake_blobs as blobs
import fake_sigstore as fake
from countermark.core.errors import EvidenceError
from countermark.formats import (
    bundle,
    go_text,
    legacy,
    payloads,
    protojson,
    rekor,
    signing_config,
    trusted_root,
)
from countermark.formats.bundle import Bundle, InclusionProof, LogEntry, MessageSignature
from countermark.formats.payloads import (
    Envelope,
    EnvelopeSignature,
    InTotoStatement,
    StatementSubject,
)
from countermark.formats.signing_config import Selector, Service, SigningConfig
from countermark.formats.trusted_root import Authority, Instance, TrustedRoot
from world import GOOD

SIGSTORE = fake.Sigstore()
LEAF = SIGSTORE.authority.issue()
LAYER = fake.legacy(LEAF, fake.simple(GOOD), log=SIGSTORE.first_log, stamps=SIGSTORE.stamps)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
raws = st.binary(max_size=40)
filled = st.binary(min_size=1, max_size=40)
counts = st.integers(0, 2**63 - 1)
times = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


# Written and read -------------------------------------------------------------------------------------------


proofs = st.builds(
    InclusionProof,
    log_index=counts,
    root_hash=raws,
    tree_size=counts,
    hashes=st.lists(raws, max_size=3).map(tuple),
    checkpoint=texts.filter(bool),
)
entries = st.builds(
    LogEntry,
    log_index=counts,
    log_id=raws,
    kind=texts,
    version=texts,
    integrated_time=counts,
    promise=raws,
    proof=proofs,
    body=raws,
)
digests = st.sampled_from([("sha256", 32), ("sha384", 48), ("sha512", 64), ("", 0)])
messages = st.builds(
    lambda digest, signature: MessageSignature(
        algorithm=digest[0], digest=bytes(digest[1]), signature=signature
    ),
    digests,
    raws,
)
envelopes = st.builds(
    Envelope,
    payload=raws,
    payload_type=texts,
    signatures=st.builds(EnvelopeSignature, value=raws, key_id=texts).map(lambda one: (one,)),
)
materials: st.SearchStrategy[dict[str, object]] = st.one_of(
    st.builds(
        dict,
        certificates=filled.map(lambda der: (der,)),
        is_chain=st.just(False),
        key_hint=st.just(""),
    ),
    st.builds(
        dict,
        certificates=st.lists(filled, min_size=1, max_size=3).map(tuple),
        is_chain=st.just(True),
        key_hint=st.just(""),
    ),
    st.builds(dict, certificates=st.just(()), is_chain=st.just(False), key_hint=texts),
)


@given(
    materials,
    st.lists(entries, max_size=3, unique_by=lambda e: (e.log_id, e.log_index)).map(tuple),
    st.lists(raws, max_size=3).map(tuple),
    st.one_of(messages, envelopes),
)
def test_bundles(
    material: dict[str, object],
    logged: tuple[LogEntry, ...],
    stamps: tuple[bytes, ...],
    content: Envelope | MessageSignature,
) -> None:
    made = Bundle(version="0.3", entries=logged, timestamps=stamps, content=content, **material)  # type: ignore[arg-type]
    written = made.encode()
    assert bundle.parse(written) == made
    assert bundle.parse(written).encode() == written


@given(envelopes)
def test_envelopes(made: Envelope) -> None:
    assert Envelope.parse(made.encode()) == made


@given(st.text(max_size=5), raws, st.text(max_size=5), raws)
def test_no_two_contents_have_one_encoding(
    one: str, first: bytes, other: str, second: bytes
) -> None:
    one, other = (text.encode("utf-8", "replace").decode() for text in (one, other))
    same = payloads.pae(one, first) == payloads.pae(other, second)
    assert same == ((one, first) == (other, second))


@given(texts, st.dictionaries(texts, texts, max_size=4))
def test_simple_signing(repository: str, annotations: dict[str, str]) -> None:
    content = payloads.encode(repository, GOOD, annotations)
    found = payloads.parse(content)
    assert (found.repository, found.digest, dict(found.optional)) == (repository, GOOD, annotations)
    assert payloads.encode(repository, GOOD, found.optional) == content
    assert not {b"<", b">", b"&"} & {content[i : i + 1] for i in range(len(content))}


@given(
    st.lists(
        st.builds(StatementSubject, name=texts, digests=st.dictionaries(texts, texts, max_size=3)),
        max_size=3,
    ),
    texts,
)
def test_statements(subjects: list[StatementSubject], predicate_type: str) -> None:
    found = InTotoStatement.parse(payloads.encode_attestation(subjects, predicate_type, b'{"a":1}'))
    assert (list(found.subjects), found.predicate_type) == (subjects, predicate_type)


logs = st.builds(
    Instance,
    base_url=texts,
    key=filled,
    key_details=texts.filter(bool),
    log_id=filled,
    start=times,
    end=st.none() | times,
    hash_algorithm=st.just("SHA2_256"),
)
authorities = st.builds(
    Authority,
    organization=texts,
    common_name=texts,
    uri=texts,
    certificates=st.lists(filled, min_size=1, max_size=3).map(tuple),
    start=st.none() | times,
    end=st.none() | times,
)


def some(each: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(each, max_size=2).map(tuple)


@given(st.tuples(some(logs), some(authorities), some(logs), some(authorities)))
def test_trusted_roots(lists: tuple[object, ...]) -> None:
    names = ("logs", "authorities", "ct_logs", "timestamp_authorities")
    made = TrustedRoot(**dict(zip(names, lists, strict=True)))  # type: ignore[arg-type]
    assert trusted_root.parse(made.encode()) == made


services = st.builds(
    Service,
    url=texts.filter(bool),
    api_version=st.integers(0, 9),
    operator=texts,
    start=st.none() | times,
    end=st.none() | times,
)
selectors = st.sampled_from([Selector(), Selector(kind="ANY"), Selector(kind="EXACT", count=3)])


@given(st.tuples(*(some(services) for _ in range(4)), selectors, selectors))
def test_signing_configs(parts: tuple[object, ...]) -> None:
    made = SigningConfig(**dict(zip(SigningConfig._fields, parts, strict=True)))  # type: ignore[arg-type]
    assert signing_config.parse(made.encode()) == made


@given(times)
def test_times_are_read_as_they_are_written(moment: datetime) -> None:
    text = protojson.time(moment)
    assert go_text.parse_time(text) == moment
    assert len(text) in (20, 24, 27)


# Whatever bytes ---------------------------------------------------------------------------------------------


READERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "bundle": (
        bundle.parse,
        fake.compact(fake.bundle(LEAF, blobs.statement(), log=SIGSTORE.first_log, stamps=SIGSTORE.stamps)),
    ),
    "message": (bundle.parse, fake.compact(blobs.bundle(LEAF, log=SIGSTORE.log, stamps=SIGSTORE.stamps))),
    "old bundle": (legacy.parse_blob_bundle, fake.compact(blobs.old_bundle(LEAF, log=SIGSTORE.first_log))),
    "old attestation": (
        lambda content: legacy.parse_blob_bundle(content).envelope(),
        fake.compact(blobs.old_bundle(LEAF, attested=blobs.statement())),
    ),
    "layer entry": (
        lambda content: legacy.from_layer(
            LAYER.media_type,
            LAYER.annotations | {legacy.BUNDLE: content.decode("utf-8", "surrogateescape")},
            LAYER.content,
        ),
        LAYER.annotations[legacy.BUNDLE].encode(),
    ),
    "timestamp": (legacy.parse_timestamp, blobs.stamped(SIGSTORE.stamps, b"x")),
    "simple signing": (payloads.parse, fake.simple(GOOD, optional={"a": "b"})),
    "envelope": (Envelope.parse, fake.compact(blobs.envelope_of(LEAF.key, blobs.statement()))),
    "statement": (InTotoStatement.parse, blobs.statement()),
    "body 1": (rekor.parse_record, fake.body_v1(LEAF, b"x", b"y")),
    "body dsse": (rekor.parse_record, fake.body_dsse(LEAF, blobs.envelope_of(LEAF.key, blobs.statement()))),
    "trusted root": (trusted_root.parse, SIGSTORE.trusted_root()),
    "answers": (rekor.parse_answers_1, b'[{"a":{"body":"e30=","logID":"00","logIndex":1,"integratedTime":1}}]'),
}  # fmt: skip


@pytest.mark.parametrize("name", list(READERS))
@given(st.data())
def test_changed_bytes_raise_evidence_errors_only(name: str, data: st.DataObject) -> None:
    read, good = READERS[name]
    content = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"null", b"[]", b"-1", b'"', b"{}", b"1e9"])
        )
        content[place : place + data.draw(st.integers(0, 3))] = piece
    with suppress(EvidenceError):
        read(bytes(content))


@pytest.mark.parametrize("name", list(READERS))
@given(st.binary(max_size=200))
def test_any_bytes_raise_evidence_errors_only(name: str, content: bytes) -> None:
    read, _ = READERS[name]
    with suppress(EvidenceError):
        read(content)


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["mediaType", "payload", "spec", "kind", "critical", "tlogs", "signatures"]
            )
            | texts,
            below,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("name", list(READERS))
@given(documents)
def test_any_json_raises_evidence_errors_only(name: str, document: object) -> None:
    read, _ = READERS[name]
    with suppress(EvidenceError):
        read(fake.compact(document))
