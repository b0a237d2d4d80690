"""Carry trust over: each image once, by the digest that was vouched for, and again from where it stopped."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest

from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    KeyAccessError,
    NotFoundError,
    UnavailableError,
)
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.migration import FAILED, MISSING, PRESENT, SIGNED, Carried, Migration
from countermark.schemes.interface import Receipt, Statement, VouchedTag
from world import GOOD, NOW, OLD, OTHER, REPOSITORY

OTHERS = ImageReference.parse("registry.example.test/team/web").repository


class Before:
    """What was vouched for (port ``TagList``)."""

    def __init__(self, *tags: VouchedTag) -> None:
        self.listed: Sequence[VouchedTag] = tags
        self.problem: dict[str, CountermarkError] = {}

    def tags(self, repository: Repository, now: datetime) -> Sequence[VouchedTag]:
        if repository.name in self.problem:
            raise self.problem[repository.name]
        return self.listed


class Images:
    """A registry's tags and images (port ``Registry``)."""

    def __init__(self, **tags: Digest) -> None:
        self.tags, self.gone = tags, set[Digest]()

    def resolve(self, reference: ImageReference) -> Subject:
        digest = reference.digest or self.tags.get(str(reference.tag))
        if digest is None or digest in self.gone:
            raise NotFoundError("no such image", status=404)
        return Subject(repository=reference.repository, digest=digest, tag=reference.tag, size=7)

    def manifest(self, repository: Repository, digest: Digest) -> tuple[bytes, str]:
        raise AssertionError("nothing of an image is read")


class Signer:
    """Signs, and knows what it signed; ``problem`` is raised for a digest instead."""

    def __init__(self) -> None:
        self.signed: dict[Digest, Statement] = {}
        self.problem: dict[Digest, CountermarkError] = {}

    def has_signed(self, subject: Subject, now: datetime) -> bool:
        return subject.digest in self.signed

    def sign(self, statement: Statement, now: datetime) -> Receipt:
        digest = statement.subject.digest
        if digest in self.problem:
            raise self.problem[digest]
        assert digest not in self.signed
        self.signed[digest] = statement
        return Receipt(scheme="cosign", location=f"at {digest}", signatories=("k",))


class World:
    def __init__(self, *tags: VouchedTag, **now: Digest) -> None:
        self.before, self.images, self.signer = Before(*tags), Images(**now), Signer()
        self.migration = Migration(self.before, self.images, self.signer, lambda: NOW)

    def carry(self, *, only_report: bool = False) -> Iterator[Carried]:
        return self.migration.carry([REPOSITORY], only_report=only_report)


def vouched(tag: str, digest: Digest = GOOD, *signers: str) -> VouchedTag:
    return VouchedTag(tag=tag, digest=digest, signers=signers or ("alice",))


def test_each_image_is_signed_once_and_says_who_vouched_before() -> None:
    world = World(
        vouched("v2", GOOD, "bob", "alice"), vouched("v1", GOOD, "carol"), vouched("old", OLD),
        v1=GOOD, v2=GOOD, old=OLD,
    )  # fmt: skip
    found = list(world.carry())
    assert [(each.state, each.tags, each.moved) for each in found] == [
        (SIGNED, ("old",), ()),
        (SIGNED, ("v1", "v2"), ()),
    ]
    assert found[1].location == f"at {GOOD}"
    assert all(each.is_done for each in found)
    assert dict(world.signer.signed[GOOD].annotations) == {
        "countermark.dct.signers": "alice,bob,carol",
        "countermark.dct.tags": "v1,v2",
    }
    assert world.signer.signed[GOOD].subject.size == 7


def test_what_is_there_is_not_made_again() -> None:
    world = World(vouched("a"), vouched("b", OTHER), a=GOOD, b=OTHER)
    first = next(world.carry())  # and then it is interrupted
    assert first.state == SIGNED
    assert [each.state for each in world.carry()] == [PRESENT, SIGNED]
    assert [each.state for each in world.carry()] == [PRESENT, PRESENT]


def test_the_digest_that_was_vouched_for_counts_and_not_the_tag() -> None:
    world = World(vouched("v1"), vouched("v2"), v1=OTHER)
    (found,) = world.carry()
    assert found.state == SIGNED
    assert found.moved == ("v1", "v2")
    assert set(world.signer.signed) == {GOOD}


def test_a_report_signs_nothing() -> None:
    world = World(vouched("v1"), v1=GOOD)
    (found,) = world.carry(only_report=True)
    assert (found.state, found.reason, found.is_done) == (MISSING, "it is not signed yet", False)
    assert not world.signer.signed


def test_an_image_that_is_gone_is_told_of_and_the_others_are_done() -> None:
    world = World(vouched("a"), vouched("b", OTHER), b=OTHER)
    world.images.gone.add(GOOD)
    one, two = world.carry()
    assert (one.state, one.reason) == (MISSING, "the registry has no such image any more")
    assert two.state == SIGNED


@pytest.mark.parametrize(
    "problem",
    [UnavailableError("the log does not answer"), EvidenceError("bent", code=Code.ENTRY)],
)
def test_one_failure_stops_nothing(problem: CountermarkError) -> None:
    world = World(vouched("a"), vouched("b", OTHER), a=GOOD, b=OTHER)
    world.signer.problem[GOOD] = problem
    one, two = world.carry()
    assert (one.state, one.reason) == (FAILED, str(problem))
    assert two.state == SIGNED


def test_a_key_that_does_not_open_stops_all() -> None:
    world = World(vouched("a"), vouched("b", OTHER), a=GOOD, b=OTHER)
    world.signer.problem[GOOD] = KeyAccessError("wrong passphrase")
    with pytest.raises(KeyAccessError):
        list(world.carry())


def test_a_repository_that_nobody_vouches_for_is_told_of() -> None:
    world = World(vouched("a"), a=GOOD)
    world.before.problem[OTHERS.name] = EvidenceError("no trust data", code=Code.UNSIGNED)
    one, two = world.migration.carry([OTHERS, REPOSITORY])
    assert (one.repository, one.state, one.digest) == (OTHERS.name, FAILED, None)
    assert two.state == SIGNED
