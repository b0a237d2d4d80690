"""Last good answers: what is kept, what is forgotten, what is recalled."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from claims import GOOD, NOW, OTHER, SUBJECT, claim, rejection, signer, silence
from countermark.core import limits
from countermark.core.claim import Claim, Finding
from countermark.core.reference import Repository, Subject
from countermark.core.signer import DctSigner
from countermark.policy.last_good import LastGood
from countermark.policy.model import Remembered

DAY = timedelta(days=1)
ALICE, BOB = signer("alice"), signer("bob")


class Memory:
    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def recall(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def remember(self, name: str, content: bytes | None) -> None:
        if content is None:
            self.kept.pop(name, None)
        else:
            self.kept[name] = content


def exchange(
    memory: Memory,
    *found: Finding,
    signers: Sequence[DctSigner] = (ALICE,),
    subject: Subject = SUBJECT,
    later: timedelta = timedelta(0),
) -> tuple[Remembered, ...]:
    return LastGood(memory).exchange(signers, subject, found, NOW + later)


FULL = claim(
    "alice",
    "k1",
    "k2",
    proven_time=True,
    expires=NOW + DAY,
    predicate="p",
    first_use=True,
)


@pytest.mark.parametrize("seen", [FULL, claim("alice", signed_at=None)])
def test_a_fresh_claim_comes_back_while_its_signer_is_silent(seen: Claim) -> None:
    memory = Memory()
    assert exchange(memory, seen) == ()
    found = exchange(memory, silence("alice"), later=DAY)
    assert found == (Remembered(claim=seen.replace(stale=True), seen_at=NOW),)


def test_a_stale_claim_is_a_silence() -> None:
    memory = Memory()
    exchange(memory, FULL)
    assert len(exchange(memory, claim("alice", stale=True))) == 1
    assert len(exchange(memory, rejection("alice"), claim("alice", stale=True))) == 1
    # and it is not kept itself
    assert exchange(Memory(), claim("alice", stale=True)) == ()


def test_nothing_comes_back_beside_a_fresh_answer() -> None:
    memory = Memory()
    exchange(memory, FULL)
    assert exchange(memory, FULL, silence("alice")) == ()
    assert exchange(memory, rejection("alice")) == ()


def test_a_fresh_answer_that_takes_it_back_is_remembered_as_such() -> None:
    for taken_back in ((rejection("alice"),), ()):
        memory = Memory()
        exchange(memory, FULL)
        exchange(memory, *taken_back)
        assert memory.kept == {}
        assert exchange(memory, silence("alice")) == ()


def test_a_newer_digest_of_a_tag_replaces_the_older() -> None:
    memory = Memory()
    newer = SUBJECT.replace(digest=OTHER)
    exchange(memory, FULL)
    exchange(memory, FULL.replace(digest=OTHER), subject=newer)
    (found,) = exchange(memory, silence("alice"))
    assert found.claim.digest == OTHER  # which does not vouch for the older


def test_without_a_tag_each_digest_is_on_its_own() -> None:
    memory = Memory()
    one, other = SUBJECT.replace(tag=None), SUBJECT.replace(tag=None, digest=OTHER)
    exchange(memory, FULL, subject=one)
    exchange(memory, FULL.replace(digest=OTHER), subject=other)
    (found,) = exchange(memory, silence("alice"), subject=one)
    assert found.claim.digest == GOOD


ELSEWHERE = [
    ((signer("alice", role="targets/alice"),), SUBJECT),
    ((signer("alice", server="https://other.test"),), SUBJECT),
    ((DctSigner(name="alice", roots=("a" * 64,)),), SUBJECT),
    ((ALICE,), SUBJECT.replace(tag="v2")),
    ((ALICE,), SUBJECT.replace(repository=Repository(registry="docker.io", path="acme/shop"))),
]


@pytest.mark.parametrize(("signers", "subject"), ELSEWHERE)
def test_another_signer_or_image_recalls_nothing(
    signers: Sequence[DctSigner], subject: Subject
) -> None:
    memory = Memory()
    exchange(memory, FULL)
    assert exchange(memory, silence("alice"), signers=signers, subject=subject) == ()


def test_each_signer_recalls_its_own() -> None:
    memory = Memory()
    both = (ALICE, BOB)
    exchange(memory, FULL, claim("bob"), signers=both)
    found = exchange(memory, silence("bob"), FULL, signers=both)
    assert [memory_.claim.signer for memory_ in found] == ["bob"]


def test_claims_on_other_digests_are_not_kept() -> None:
    memory = Memory()
    exchange(memory, FULL.replace(digest=OTHER))
    assert memory.kept == {}


def test_too_much_is_not_kept_and_what_was_kept_before_is_forgotten() -> None:
    memory = Memory()
    exchange(memory, FULL)
    exchange(memory, claim("alice", "k" * limits.CLAIM_MEMORY_BYTES))
    assert memory.kept == {}


def tampered(old: bytes, new: bytes) -> Memory:
    memory = Memory()
    exchange(memory, FULL)
    ((name, content),) = memory.kept.items()
    assert old in content
    memory.kept[name] = content.replace(old, new)
    return memory


TAMPERED = [
    (b'"version":1', b'"version":2'),
    (b'"version":1', b'"version":"1"'),
    (b'"claims":', b'"claim":'),
    (b"2026-11-25T12:00:00+00:00", b"2026-11-25T12:00:00"),
    (b"2026-11-25T12:00:00+00:00", b"yesterday"),
    (b"2026-11-25T12:00:00+00:00", b"0001-01-01T00:00:00+23:00"),
    (b"sha256:aa", b"sha256:AA"),
    (b'"firstUse":true', b'"firstUse":1'),
    (b"{", b"["),
]


@pytest.mark.parametrize(("old", "new"), TAMPERED)
def test_what_cannot_be_read_is_as_if_nothing_were_kept(old: bytes, new: bytes) -> None:
    assert exchange(tampered(old, new), silence("alice")) == ()


def test_a_large_file_is_not_read() -> None:
    memory = Memory()
    exchange(memory, FULL)
    (name,) = memory.kept
    memory.kept[name] = b" " * (limits.CLAIM_MEMORY_BYTES + 1)
    assert exchange(memory, silence("alice")) == ()
