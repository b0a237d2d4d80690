"""Whatever bytes lie beside an image: a verifier answers, and takes nothing for a signature that nobody made."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import fake_sigstore as fake
from countermark.core.claim import Claim, Rejection
from countermark.core.errors import ConfigError
from countermark.core.signer import CosignSigner, Identity
from countermark.formats import bundle as bundles
from countermark.formats.trusted_root import TrustedRoot
from countermark.schemes.cosign.verifier import CosignVerifier
from examples import examples
from world import GOOD, NOW, OTHER, REPOSITORY, subject

SIGSTORE = fake.Sigstore()
KEY = fake.new_key()
ALICE = CosignSigner(
    name="alice",
    identity=Identity(subject=fake.ALICE, issuer=fake.ISSUER),
    trusted_root=SIGSTORE.trusted_root().decode(),
)
HOLDER = CosignSigner(name="holder", key=fake.pem(KEY), accept_unlogged="a test")
STATED = fake.statement(GOOD, annotations={})


def made(content: bytes = STATED, subject_: str = fake.ALICE) -> bytes:
    leaf = SIGSTORE.authority.issue(subject=subject_)
    return fake.compact(fake.bundle(leaf, content, log=SIGSTORE.log, stamps=SIGSTORE.stamps))


BUNDLES = {
    "alice": made(),
    "holder": fake.compact(fake.bundle(KEY, STATED)),
}
OTHERS = (
    made(fake.statement(OTHER)),
    made(subject_="bob@example.test"),
    fake.compact(fake.bundle(KEY, fake.statement(OTHER))),
    fake.compact(fake.bundle(fake.new_key(), STATED)),
)
SIGNERS = {"alice": ALICE, "holder": HOLDER}
several = examples(300)


class NoRoots:
    def trusted_root(self, name: str) -> TrustedRoot:
        raise ConfigError("no root is configured")


def judged(name: str, content: bytes) -> Claim | Rejection:
    store = fake.MemoryStore()
    store.attach(REPOSITORY, GOOD, content)
    (found,) = CosignVerifier(store, NoRoots()).findings(subject(), [SIGNERS[name]], NOW)
    assert isinstance(found, (Claim, Rejection))
    return found


def holds(name: str, content: bytes) -> None:
    """If it counts, then it says what was signed, by the one who signed it, and where it is logged."""
    if isinstance(judged(name, content), Claim):
        before, after = bundles.parse(BUNDLES[name]), bundles.parse(content)
        assert after.content == before.content
        assert after.certificates == before.certificates
        assert after.entries == before.entries


names = st.sampled_from(sorted(BUNDLES))


@several
@given(names, st.data())
def test_a_changed_byte(name: str, data: st.DataObject) -> None:
    content = bytearray(BUNDLES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    holds(name, bytes(content))


@several
@given(names, st.data())
def test_a_piece_that_is_missing_or_there_twice(name: str, data: st.DataObject) -> None:
    content = BUNDLES[name]
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    holds(name, content[:start] + content[end:])
    holds(name, content[:end] + content[start:])


def paths(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a document."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [at, *(path for name, member in inner for path in paths(member, (*at, name)))]


def member(document: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=20),
    st.just([]),
    st.just({}),
    st.binary(max_size=80).map(fake.b64),
)


@several
@given(names, st.data())
def test_another_value_somewhere(name: str, data: st.DataObject) -> None:
    document = json.loads(BUNDLES[name])
    *way, last = data.draw(st.sampled_from([path for path in paths(document) if path]))
    member(document, tuple(way))[last] = data.draw(values)
    holds(name, fake.compact(document))


@several
@given(names, st.sampled_from(OTHERS), st.data())
def test_a_part_of_another_bundle(name: str, other: bytes, data: st.DataObject) -> None:
    document, foreign = json.loads(BUNDLES[name]), json.loads(other)
    shared = [path for path in paths(document) if path and path in paths(foreign)]
    for path in data.draw(st.lists(st.sampled_from(shared), min_size=1, max_size=3)):
        if path in paths(document) and path in paths(foreign):
            *way, last = path
            member(document, tuple(way))[last] = member(foreign, path)
    holds(name, fake.compact(document))


@several
@given(names, st.binary(max_size=300))
def test_any_bytes(name: str, content: bytes) -> None:
    assert isinstance(judged(name, content), Rejection)
