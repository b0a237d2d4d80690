"""The engine: pin, ask, decide; sign."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from claims import (
    GOOD,
    IMAGE,
    NOW,
    OTHER,
    SUBJECT,
    all_of,
    claim,
    rejection,
    require,
    silence,
    some,
    vouched,
)
from countermark.core.claim import Finding
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    ConfigError,
    CountermarkError,
    ExpiredError,
    InputError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.core.signer import TrustedSigner
from countermark.engine import Engine
from countermark.policy.built_in import built_in
from countermark.policy.model import Layer, Policy, Requirement, Rule
from countermark.policy.pattern import Pattern
from countermark.schemes.interface import Receipt, Signer, Statement

ALICE, CI = vouched("alice"), vouched("ci")


class Registry:
    """Tags and what they point to; the names of repositories here are those of a mirror."""

    def __init__(self, **tags: Digest) -> None:
        self.tags = tags
        self.asked: list[str] = []

    def resolve(self, reference: ImageReference) -> Subject:
        self.asked.append(str(reference))
        digest = reference.digest or self.tags.get(reference.tag or "")
        if digest is None:
            raise NotFoundError(f"no such tag: {reference}")
        mirror = Repository(registry="mirror.test", path="x")
        return Subject(repository=mirror, digest=digest, size=512, media_type="m")

    def manifest(self, repository: Repository, digest: Digest) -> tuple[bytes, str]:
        raise AssertionError("a decision needs no manifest")


Answer = Callable[[Subject, str], Sequence[Finding]]


class Verifier:
    """Answers for a signer what it is told to, or raises."""

    def __init__(self, answer: Answer | Exception) -> None:
        self.answer = answer
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.times: list[datetime] = []

    def findings(
        self, subject: Subject, signers: Sequence[TrustedSigner], now: datetime
    ) -> tuple[Finding, ...]:
        self.asked.append((str(subject), tuple(s.name for s in signers)))
        self.times.append(now)
        if isinstance(self.answer, Exception):
            raise self.answer
        return tuple(f for s in signers for f in self.answer(subject, s.name))


class Tags:
    def __init__(self, answer: Digest | Exception) -> None:
        self.answer = answer
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def digest_of(
        self, reference: ImageReference, signers: Sequence[TrustedSigner], now: datetime
    ) -> Digest:
        self.asked.append((str(reference), tuple(s.name for s in signers)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Memory:
    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def recall(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def remember(self, name: str, content: bytes | None) -> None:
        self.kept[name] = content or b""


def signed(digest: Digest) -> Answer:
    """Every signer vouches for this digest, under every tag."""

    def answer(subject: Subject, name: str) -> Sequence[Finding]:
        if subject.digest == digest:
            return [claim(name, digest=digest)]
        return [rejection(name, Code.MOVED_TAG, signed_digest=digest, signed_by=(name,))]

    return answer


def layer(*rules: Rule | Requirement, name: str = "policy.yaml", **fields: Any) -> Layer:
    made = tuple(r if isinstance(r, Rule) else require(r) for r in rules)
    return Layer(name=name, rules=made, **fields)


def engine(
    verifier: Verifier,
    *layers: Layer,
    registry: Registry | None = None,
    tags: Tags | None = None,
    memory: Memory | None = None,
    point: str = "cli",
) -> Engine:
    return Engine(
        registry or Registry(v1=GOOD, latest=GOOD),
        {"dct": verifier},
        Policy(layers=layers),
        lambda: NOW,
        tag_authorities={"dct": tags} if tags else None,
        memory=memory,
        point=point,
    )


# Pin --------------------------------------------------------------------------------------------------

PINNED = [
    ("acme/pay:v1", "docker.io/acme/pay:v1", GOOD, "v1", 512),
    ("acme/pay", "docker.io/acme/pay:latest", GOOD, "latest", 512),
    (f"acme/pay@{OTHER}", None, OTHER, None, None),
    (f"acme/pay:v1@{OTHER}", None, OTHER, "v1", None),
]


@pytest.mark.parametrize(("image", "asked", "digest", "tag", "size"), PINNED)
def test_a_reference_is_pinned_once(
    image: str, asked: str | None, digest: Digest, tag: str | None, size: int | None
) -> None:
    registry, verifier = Registry(v1=GOOD, latest=GOOD), Verifier(signed(digest))
    decision = engine(verifier, layer(ALICE), registry=registry).verify(ImageReference.parse(image))
    assert decision.verdict == "allowed"
    # under the name that was asked for, wherever its registry is
    assert decision.subject.repository == IMAGE.repository
    assert (decision.subject.digest, decision.subject.tag) == (digest, tag)
    assert decision.subject.size == size
    assert registry.asked == ([asked] if asked else [])
    assert decision.reference == ImageReference.parse(image)


def test_a_digest_beside_a_tag_must_be_the_signed_one() -> None:
    reference = IMAGE.replace(digest=OTHER)
    decision = engine(Verifier(signed(GOOD)), layer(ALICE)).verify(reference)
    assert decision.verdict == "denied"
    assert decision.subject.digest == OTHER


def test_without_a_subject_there_is_no_decision() -> None:
    with pytest.raises(NotFoundError):
        engine(Verifier(signed(GOOD)), layer(ALICE), registry=Registry()).verify(IMAGE)


# Ask --------------------------------------------------------------------------------------------------


def test_a_scheme_is_asked_once_about_all_signers_of_the_rules_that_decide() -> None:
    verifier = Verifier(signed(GOOD))
    elsewhere = require(vouched("zoe")).replace(images=Pattern.parse("other/**"))
    found = engine(
        verifier, layer(all_of(ALICE, CI), elsewhere), layer(some(1, CI, vouched("qa")), name="b")
    ).verify(IMAGE)
    assert verifier.asked == [(str(found.subject), ("alice", "ci", "qa"))]
    assert verifier.times == [NOW]
    assert (found.verdict, found.time, found.point) == ("allowed", NOW, "cli")
    assert [result.layer for result in found.layers] == ["policy.yaml", "b"]


ALLOW = Rule(images=Pattern.parse("acme/pay"), effect="allow", reason="because", line=1)
DENY = Rule(images=Pattern.parse("acme/pay"), effect="deny", reason="because", line=1)

WITHOUT = [(layer(ALLOW), "allowed"), (layer(DENY), "denied"), (layer(), "denied")]


@pytest.mark.parametrize(("found", "verdict"), WITHOUT)
def test_rules_without_requirements_ask_nobody_and_pin_all_the_same(
    found: Layer, verdict: str
) -> None:
    verifier = Verifier(signed(GOOD))
    decision = engine(verifier, found).verify(IMAGE)
    assert (decision.verdict, decision.subject.digest) == (verdict, GOOD)
    assert verifier.asked == []


OUT_OF_REACH = [
    (UnavailableError("no route to host"), Code.UNAVAILABLE),
    (NotFoundError("no trust data"), Code.NOT_FOUND),
    (RefusedError("401", status=401), Code.REFUSED),
]


@pytest.mark.parametrize(("error", "code"), OUT_OF_REACH)
def test_a_server_that_cannot_be_asked_is_a_silence_of_each_signer(
    error: CountermarkError, code: Code
) -> None:
    decision = engine(Verifier(error), layer(some(1, ALICE, CI))).verify(IMAGE)
    assert decision.verdict == "unknown"
    assert decision.findings == (
        silence("alice", code).replace(reason=str(error)),
        silence("ci", code).replace(reason=str(error)),
    )


def test_a_verifier_speaks_only_of_those_it_was_asked_about() -> None:
    verifier = Verifier(lambda _, __: [claim("mallory"), claim("alice")])
    decision = engine(verifier, layer(ALICE)).verify(IMAGE)
    assert decision.findings == (claim("alice"),)


def test_bugs_are_not_answers() -> None:
    with pytest.raises(ZeroDivisionError):
        engine(Verifier(ZeroDivisionError()), layer(ALICE)).verify(IMAGE)


def test_the_point_is_the_engines() -> None:
    decision = engine(Verifier(signed(GOOD)), layer(ALICE), point="docker").verify(IMAGE)
    assert decision.point == "docker"


def test_a_namespace_chooses_rules() -> None:
    rules = (
        require(ALICE, namespaces=("prod-*",)),
        Rule(images=Pattern.parse("acme/**"), effect="deny", reason="not here", line=2),
    )
    found = engine(Verifier(signed(GOOD)), layer(*rules))
    assert found.verify(IMAGE, "prod-1").verdict == "allowed"
    assert found.verify(IMAGE, "dev").verdict == "denied"
    assert found.verify(IMAGE).verdict == "denied"


# A rule about a digest decides about the tag that points to it -------------------------------------------


def test_a_digest_that_is_denied_is_denied_under_every_tag() -> None:
    bad = Rule(images=Pattern.parse(f"acme/pay@{GOOD}"), effect="deny", reason="SEC-12", line=1)
    decision = engine(Verifier(signed(GOOD)), layer(ALICE, bad)).verify(IMAGE)
    assert (decision.verdict, decision.layers[0].rule) == ("denied", bad)


BY_TAG = Rule(images=Pattern.parse("acme/pay:v*"), effect="allow", reason="because", line=1)
TYPED = [
    # the registry's tag points there: the exception holds
    (f"acme/pay:v1@{GOOD}", [BY_TAG, DENY], "allowed", 1),
    # the tag is only words: the exception is not for this digest
    (f"acme/pay:v1@{OTHER}", [BY_TAG, DENY], "denied", 1),
    (f"acme/pay:v1@{OTHER}", [BY_TAG], "denied", 1),
    # not asked where it makes no difference
    ("acme/pay:v1", [BY_TAG], "allowed", 1),
    (f"acme/pay:v1@{OTHER}", [ALLOW], "allowed", 0),
    (f"acme/pay@{OTHER}", [BY_TAG, ALLOW], "allowed", 0),
    (
        f"acme/pay:v1@{OTHER}",
        [BY_TAG.replace(images=Pattern.parse(f"acme/pay:v*@{OTHER}"))],
        "allowed",
        0,
    ),
]


@pytest.mark.parametrize(("image", "rules", "verdict", "asked"), TYPED)
def test_a_tag_beside_a_digest_is_only_words(
    image: str, rules: list[Rule], verdict: str, asked: int
) -> None:
    registry = Registry(v1=GOOD)
    found = engine(Verifier(signed(GOOD)), layer(*rules), registry=registry)
    decision = found.verify(ImageReference.parse(image))
    assert decision.verdict == verdict
    assert len(registry.asked) == asked


def test_a_tag_that_is_only_words_still_meets_the_rules_that_demand() -> None:
    strict = require(ALICE).replace(images=Pattern.parse("acme/pay:v1"))
    found = engine(
        Verifier(signed(GOOD)), layer(BY_TAG, DENY), layer(strict, unmatched="allow", name="b")
    )
    decision = found.verify(IMAGE.replace(digest=OTHER))
    assert [result.rule for result in decision.layers] == [DENY, strict]


# movedTag: useSigned ------------------------------------------------------------------------------------

MOVED = Registry(v1=OTHER)


def use_signed(*rules: Rule | Requirement, **fields: Any) -> Layer:
    return layer(*rules, moved_tag="useSigned", **fields)


def test_a_moved_tag_is_denied_unless_the_policy_says_otherwise() -> None:
    decision = engine(Verifier(signed(GOOD)), layer(ALICE), registry=MOVED, tags=Tags(GOOD)).verify(
        IMAGE
    )
    assert (decision.verdict, decision.subject.digest) == ("denied", OTHER)


def test_the_signed_digest_is_taken_with_a_warning() -> None:
    verifier, tags = Verifier(signed(GOOD)), Tags(GOOD)
    decision = engine(verifier, use_signed(ALICE), registry=MOVED, tags=tags).verify(IMAGE)
    assert decision.verdict == "allowed"
    assert (decision.reference, decision.subject) == (IMAGE, SUBJECT)
    assert [(r.code, r.text) for r in decision.warnings] == [
        (Code.MOVED_TAG, f"the registry's tag points to {OTHER}; taken is the signed {GOOD}")
    ]
    assert tags.asked == [("docker.io/acme/pay:v1", ("alice",))]
    assert len(verifier.asked) == 2


def test_a_reference_without_a_tag_means_latest() -> None:
    tags = Tags(GOOD)
    found = engine(
        Verifier(signed(GOOD)), use_signed(ALICE), registry=Registry(latest=OTHER), tags=tags
    )
    assert found.verify(ImageReference.parse("acme/pay")).subject == SUBJECT.replace(tag="latest")
    assert tags.asked[0][0] == "docker.io/acme/pay:latest"


def test_what_the_signed_digest_lacks_is_said_of_it() -> None:
    def answer(subject: Subject, name: str) -> Sequence[Finding]:
        return signed(GOOD)(subject, name) if name == "alice" else [rejection(name)]

    found = engine(Verifier(answer), use_signed(all_of(ALICE, CI)), registry=MOVED, tags=Tags(GOOD))
    decision = found.verify(IMAGE)
    assert (decision.verdict, decision.subject.digest) == ("denied", GOOD)


def test_rules_about_the_signed_digest_hold() -> None:
    bad = Rule(images=Pattern.parse(f"acme/pay@{GOOD}"), effect="deny", reason="SEC-12", line=1)
    found = engine(Verifier(signed(GOOD)), use_signed(ALICE, bad), registry=MOVED, tags=Tags(GOOD))
    assert found.verify(IMAGE).verdict == "denied"


LEFT_ALONE = [
    # another signer meets the requirement on what the tag points to
    ("met", (use_signed(some(1, ALICE, CI)),), IMAGE, GOOD, "allowed"),
    # one layer that requires something says no
    ("one says no", (use_signed(ALICE), layer(ALICE, name="b")), IMAGE, GOOD, "denied"),
    # a digest was asked for
    ("digest", (use_signed(ALICE),), IMAGE.replace(digest=OTHER), GOOD, "denied"),
    # the authority knows no better
    ("same", (use_signed(ALICE),), IMAGE, OTHER, "denied"),
    ("unsigned", (use_signed(ALICE),), IMAGE, NotFoundError("unsigned"), "denied"),
    ("away", (use_signed(ALICE),), IMAGE, UnavailableError("away"), "denied"),
    ("refused", (use_signed(ALICE),), IMAGE, RefusedError("401"), "denied"),
    ("expired", (use_signed(ALICE),), IMAGE, ExpiredError("expired"), "denied"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("layers", "image", "authority", "verdict"),
    [case[1:] for case in LEFT_ALONE],
    ids=[case[0] for case in LEFT_ALONE],
)
def test_when_the_first_decision_stands(
    layers: tuple[Layer, ...], image: ImageReference, authority: Digest | Exception, verdict: str
) -> None:
    def answer(subject: Subject, name: str) -> Sequence[Finding]:
        return [claim("ci", digest=OTHER)] if name == "ci" else signed(GOOD)(subject, name)

    found = engine(Verifier(answer), *layers, registry=MOVED, tags=Tags(authority)).verify(image)
    assert (found.verdict, found.subject.digest, found.warnings) == (verdict, OTHER, ())


def test_layers_that_require_nothing_have_no_say_in_it() -> None:
    found = engine(
        Verifier(signed(GOOD)),
        use_signed(ALICE),
        layer(unmatched="allow", name="b"),
        layer(ALLOW, name="c"),
        registry=MOVED,
        tags=Tags(GOOD),
    )
    assert found.verify(IMAGE).verdict == "allowed"


def test_what_is_not_a_moved_tag_is_left_alone() -> None:
    tags = Tags(GOOD)
    verifier = Verifier(lambda _, name: [rejection(name, Code.BAD_SIGNATURE)])
    assert engine(verifier, use_signed(ALICE), tags=tags).verify(IMAGE).verdict == "denied"
    assert tags.asked == []


def test_a_scheme_without_tags_has_no_signed_digest() -> None:
    found = Engine(
        MOVED,
        {"dct": Verifier(signed(GOOD))},
        Policy(layers=(use_signed(ALICE),)),
        lambda: NOW,
        tag_authorities={"other": Tags(GOOD)},
    )
    assert found.verify(IMAGE).verdict == "denied"


# onUnavailable: lastGood ---------------------------------------------------------------------------------


def test_a_last_good_answer_counts_while_the_server_is_away() -> None:
    verifier, clock = Verifier(signed(GOOD)), [NOW]
    day = layer(ALICE, last_good=timedelta(hours=24))
    hour = layer(ALICE, name="b", last_good=timedelta(hours=1))
    found = Engine(
        Registry(v1=GOOD),
        {"dct": verifier},
        Policy(layers=(day, hour)),
        lambda: clock[0],
        memory=Memory(),
    )
    assert found.verify(IMAGE).verdict == "allowed"
    verifier.answer = UnavailableError("away")
    yes, maybe = "allowed", "unknown"
    for hours, verdicts in ((1, [yes, yes]), (24, [yes, maybe]), (25, [maybe, maybe])):
        clock[0] = NOW + timedelta(hours=hours)
        decision = found.verify(IMAGE)
        assert [result.verdict for result in decision.layers] == verdicts
        assert len(decision.remembered) == 1


def test_nothing_is_kept_for_a_policy_that_does_not_ask_for_it() -> None:
    memory = Memory()
    engine(Verifier(signed(GOOD)), layer(ALICE), memory=memory).verify(IMAGE)
    assert memory.kept == {}


# What an engine is not made from ---------------------------------------------------------------------------


def test_a_policy_asks_for_nothing_that_is_not_there() -> None:
    policy = Policy(layers=(layer(ALICE),))
    with pytest.raises(ConfigError, match="there is no scheme 'dct'"):
        Engine(Registry(), {}, policy, lambda: NOW)
    with pytest.raises(ConfigError, match="lastGood has no place to keep answers"):
        engine(Verifier(signed(GOOD)), layer(ALICE, last_good=timedelta(hours=1)))
    with pytest.raises(ConfigError, match="useSigned has nobody here who knows"):
        engine(Verifier(signed(GOOD)), use_signed(ALICE))


def test_the_built_in_layer_needs_no_file() -> None:
    decision = engine(Verifier(signed(GOOD)), built_in()).verify(
        ImageReference.parse("acme/pay:v1")
    )
    assert decision.verdict == "allowed"
    assert [c.signer for c in decision.claims] == ["content-trust"]


# Sign ---------------------------------------------------------------------------------------------------


class Hand:
    def __init__(self, name: str) -> None:
        self.name = name
        self.signed: list[tuple[Statement, datetime]] = []

    def sign(self, statement: Statement, now: datetime) -> Receipt:
        self.signed.append((statement, now))
        return Receipt(scheme="dct", location=str(statement.subject), signatories=(self.name,))


def sign(wanted: ImageReference | Statement, *signers: Signer) -> tuple[Receipt, ...]:
    registry = Registry(v1=GOOD, latest=GOOD)
    return engine(Verifier(signed(GOOD)), layer(), registry=registry).sign(wanted, signers)


TO_SIGN = [
    ("acme/pay:v1", "v1"),
    ("acme/pay", "latest"),
    (f"acme/pay@{GOOD}", None),
    (f"acme/pay:v1@{GOOD}", "v1"),
]


@pytest.mark.parametrize(("image", "tag"), TO_SIGN)
def test_what_the_registry_has_now_is_signed_by_each(image: str, tag: str | None) -> None:
    one, other = Hand("alice"), Hand("bob")
    receipts = sign(ImageReference.parse(image), one, other)
    assert [receipt.signatories for receipt in receipts] == [("alice",), ("bob",)]
    subject = SUBJECT.replace(tag=tag, size=512, media_type="m")
    assert one.signed == other.signed == [(Statement(subject=subject), NOW)]


def test_a_statement_is_signed_as_it_is() -> None:
    hand = Hand("alice")
    statement = Statement(subject=SUBJECT.replace(size=3), annotations=(("a", "b"),))
    sign(statement, hand)
    assert hand.signed == [(statement, NOW)]


class LyingRegistry(Registry):
    def resolve(self, reference: ImageReference) -> Subject:
        return super().resolve(reference).replace(digest=OTHER)


def test_another_digest_than_the_one_asked_for_is_not_signed() -> None:
    found = engine(Verifier(signed(GOOD)), layer(), registry=LyingRegistry())
    with pytest.raises(InputError) as caught:
        found.sign(IMAGE.replace(digest=GOOD), [Hand("alice")])
    assert caught.value.code == Code.WRONG_SUBJECT


def test_somebody_has_to_sign() -> None:
    with pytest.raises(InputError, match="nobody is to sign"):
        sign(IMAGE)
