"""The eight laws of the decision, and what else must hold for every policy and all evidence."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain, combinations, product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import claims as words
import real_findings
from claims import CASE, GOOD, IMAGE, NOW, OTHER, all_of, choice, rejection, silence
from countermark.core.claim import Claim, Finding
from countermark.core.errors import Code
from countermark.core.signer import CosignSigner, TrustedSigner
from countermark.policy import explain
from countermark.policy.decide import decide
from countermark.policy.model import (
    AtLeast,
    Choice,
    Decision,
    Judged,
    Modes,
    Remembered,
    Requirement,
    Verdict,
    Vouched,
)
from examples import examples

SLSA = "https://slsa.dev/provenance/v1"
ATTESTS = f"dave (attested {SLSA})"
NAMES = (
    "alice",
    "bob",
    "carol",
    ATTESTS,
)  # two of content trust, two of cosign, of whom one has to attest
COSIGN = ("carol", ATTESTS)
KEYS = ("k1", "k2", "k3", "k4")
RANK = {Verdict.DENIED: 0, Verdict.UNKNOWN: 1, Verdict.ALLOWED: 2}
TIMES = (None, NOW - timedelta(days=1), NOW, NOW + timedelta(days=1))


def predicate_of(name: str) -> str:
    return SLSA if name == ATTESTS else ""


def scheme_of(name: str) -> str:
    return "cosign" if name in COSIGN else "dct"


def other_scheme(name: str) -> str:
    return "dct" if name in COSIGN else "cosign"


def signer(name: str, **fields: Any) -> TrustedSigner:
    if name in COSIGN:
        return CosignSigner(name=name, key="a key", predicate=predicate_of(name), **fields)
    return words.signer(name, **fields)


def leaf(name: str, until: datetime | None = None, **fields: Any) -> Vouched:
    return Vouched(signer=signer(name, **fields), predicate=predicate_of(name), until=until)


def claim(name: str, *keys: str, **fields: Any) -> Claim:
    """One of the scheme and kind that its signer has, unless told otherwise."""
    given = {"scheme": scheme_of(name), "predicate": predicate_of(name)}
    return words.claim(name, *keys, **(given | fields))


several = examples(300)

names = st.sampled_from(NAMES)
keys = st.lists(st.sampled_from(KEYS), min_size=1, max_size=2, unique=True)
times = st.sampled_from(TIMES)


@st.composite
def claims(draw: st.DrawFn, name: st.SearchStrategy[str] = names) -> Claim:
    who = draw(name)
    return claim(
        who,
        *draw(keys),
        digest=draw(st.sampled_from((GOOD, GOOD, GOOD, OTHER))),
        signed_at=draw(times),
        proven_time=draw(st.booleans()),
        expires=draw(times),
        first_use=draw(st.booleans()),
        stale=draw(st.booleans()),
        predicate=draw(st.sampled_from((predicate_of(who), predicate_of(who), "", SLSA))),
        scheme=draw(st.sampled_from((scheme_of(who), scheme_of(who), "dct", "cosign"))),
    )


# a fresh claim with nothing to object to
plain_claims = st.builds(lambda name, held: claim(name, *held), names, keys)
# and one with a single flaw, so that each flaw by itself is met often
flaws: tuple[dict[str, Any], ...] = (
    {"digest": OTHER},
    {"scheme": "cosign"},
    {"scheme": "dct"},
    {"predicate": SLSA},
    {"predicate": ""},
    {"expires": NOW},
    {"expires": NOW - timedelta(days=1)},
    {"first_use": True},
    {"stale": True},
    {"stale": True, "expires": NOW + timedelta(days=1)},
    {"proven_time": True},
    {"proven_time": True, "signed_at": NOW},
)
flawed_claims = st.builds(
    lambda name, held, flaw: claim(name, *held, **flaw), names, keys, st.sampled_from(flaws)
)
codes = st.sampled_from((Code.UNSIGNED, Code.MOVED_TAG, Code.STALE, Code.EXPIRED, Code.UNAVAILABLE))
# and what the real verifiers of both schemes find
CLAIMS, REJECTIONS, SILENCES = real_findings.told_apart(
    chain(real_findings.of_content_trust(*NAMES[:2]), real_findings.of_cosign(*NAMES[2:], SLSA))
)
rejections = st.one_of(st.builds(rejection, names, codes), st.sampled_from(REJECTIONS))
silences = st.one_of(st.builds(silence, names, codes), st.sampled_from(SILENCES))
findings = st.lists(
    st.one_of(plain_claims, flawed_claims, claims(), st.sampled_from(CLAIMS), rejections, silences),
    max_size=7,
)

leaves = st.builds(
    lambda name, not_after, until: leaf(name, until, not_after=not_after),
    names,
    st.sampled_from((None, None, None, NOW, NOW - timedelta(days=1))),
    st.sampled_from((None, None, None, *TIMES[1:])),
)


def thresholds(parts: st.SearchStrategy[Requirement]) -> st.SearchStrategy[AtLeast]:
    def build(some: list[Requirement], count: int) -> AtLeast:
        return AtLeast(count=min(count, len(some)), parts=tuple(some))

    return st.builds(
        build, st.lists(parts, min_size=1, max_size=4), st.integers(min_value=1, max_value=4)
    )


requirements: st.SearchStrategy[Requirement] = st.recursive(leaves, thresholds, max_leaves=6)
modes = st.sampled_from(("enforce", "warn", "audit"))
remembered = st.lists(
    st.builds(
        lambda seen, days: Remembered(
            claim=seen.replace(stale=True), seen_at=NOW + timedelta(days=days)
        ),
        st.one_of(plain_claims, flawed_claims, claims()),
        st.integers(min_value=-2, max_value=1),
    ),
    max_size=2,
)


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    return choice(
        draw(requirements),
        require_pin=draw(st.booleans()),
        accept_stale=draw(st.booleans()),
        last_good=draw(st.sampled_from((None, timedelta(days=1)))),
        modes=Modes(default=draw(modes)),
    )


layers = st.lists(choices(), min_size=1, max_size=3)


def judge(
    layers: Sequence[Choice], found: Sequence[Finding], kept: Sequence[Remembered] = ()
) -> Decision:
    return decide(layers, CASE, found, NOW, kept)


def mixed(
    data: st.DataObject, found: Sequence[Finding], further: Sequence[Finding]
) -> list[Finding]:
    return list(data.draw(st.permutations([*found, *further])))


@several
@given(st.data(), layers, findings, st.lists(rejections, min_size=1, max_size=3), remembered)
def test_law_1_rejected_evidence_changes_nothing(
    data: st.DataObject,
    layers: list[Choice],
    found: list[Finding],
    more: list[Finding],
    kept: list[Remembered],
) -> None:
    before, after = judge(layers, found, kept), judge(layers, mixed(data, found, more), kept)
    assert (after.verdict, after.mode) == (before.verdict, before.mode)
    assert set(after.claims) == set(before.claims)


@several
@given(layers, findings, remembered)
def test_law_2_losing_a_claim_never_helps(
    layers: list[Choice], found: list[Finding], kept: list[Remembered]
) -> None:
    before = RANK[judge(layers, found, kept).verdict]
    for lost in [f for f in found if isinstance(f, Claim)]:
        without = [f for f in found if f is not lost]
        assert RANK[judge(layers, without, kept).verdict] <= before
    for memory in kept:
        assert RANK[judge(layers, found, [m for m in kept if m is not memory]).verdict] <= before


@several
@given(st.data(), layers, findings, st.lists(silences, min_size=1, max_size=3), remembered)
def test_law_3_silence_never_allows_and_never_revokes(
    data: st.DataObject,
    layers: list[Choice],
    found: list[Finding],
    more: list[Finding],
    kept: list[Remembered],
) -> None:
    before, after = judge(layers, found, kept), judge(layers, mixed(data, found, more), kept)
    allowed = Verdict.ALLOWED
    assert (after.verdict == allowed) == (before.verdict == allowed)
    assert RANK[after.verdict] >= RANK[before.verdict]


@several
@given(layers, st.lists(st.one_of(rejections, silences), max_size=6))
def test_law_4_without_a_claim_nothing_is_allowed(
    layers: list[Choice], found: list[Finding]
) -> None:
    decision = judge(layers, found)
    assert decision.verdict != Verdict.ALLOWED
    assert all(result.verdict != Verdict.ALLOWED for result in decision.layers)


@several
@given(
    st.data(),
    layers,
    findings,
    st.lists(claims().map(lambda c: c.replace(digest=OTHER)), min_size=1),
)
def test_law_5_claims_on_other_digests_do_not_count(
    data: st.DataObject, layers: list[Choice], found: list[Finding], others: list[Finding]
) -> None:
    before, after = judge(layers, found), judge(layers, mixed(data, found, others))
    assert (after.verdict, set(after.claims)) == (before.verdict, set(before.claims))


@several
@given(thresholds(leaves), st.lists(names, min_size=1, max_size=8), st.lists(keys, max_size=8))
def test_law_6_the_same_signatory_counts_once(
    threshold: AtLeast, by: list[str], held: list[list[str]]
) -> None:
    """However many names it signs under, and whatever other keys it holds beside the one that all share."""
    held = [*held, *[["k1"]] * len(by)]
    found = [claim(name, "shared", *more) for name, more in zip(by, held, strict=False)]
    if threshold.count > 1:
        assert judge([choice(threshold)], found).verdict == Verdict.DENIED


@several
@given(st.data(), layers, findings, st.data())
def test_law_7_a_signer_the_rule_does_not_name_changes_nothing(
    data: st.DataObject, layers: list[Choice], found: list[Finding], more: st.DataObject
) -> None:
    strangers = st.sampled_from(("mallory", "", "alice2", "Alice"))
    named = st.one_of(
        claims(strangers), st.builds(rejection, strangers), st.builds(silence, strangers)
    )
    others = more.draw(st.lists(named, min_size=1, max_size=3))
    before, after = judge(layers, found), judge(layers, mixed(data, found, others))
    assert (after.verdict, after.mode, after.warnings) == (
        before.verdict,
        before.mode,
        before.warnings,
    )
    assert set(after.claims) == set(before.claims)


@several
@given(names, requirements, findings, remembered)
def test_law_8_a_signer_speaks_only_for_itself(
    name: str, rest: Requirement, found: list[Finding], kept: list[Remembered]
) -> None:
    """All others together cannot make up for one that is required, nor can another scheme speak in its name."""
    others: list[Finding] = [f for f in found if f.signer != name]
    kept = [m for m in kept if m.claim.signer != name]
    needed = all_of(leaf(name), rest)
    assert judge([choice(needed)], others, kept).verdict == Verdict.DENIED
    foreign = [claim(name, key, scheme=other_scheme(name)) for key in KEYS]
    assert judge([choice(needed)], [*others, *foreign], kept).verdict == Verdict.DENIED


def test_the_real_findings_are_of_all_kinds() -> None:
    for found in (CLAIMS, REJECTIONS, SILENCES):
        assert {f.signer for f in found} >= set(COSIGN)
    assert {f.signer for f in CLAIMS} == {"alice", *COSIGN}
    assert {scheme_of(f.signer) for f in SILENCES} == {"dct", "cosign"}


@several
@given(requirements, st.lists(st.sampled_from((*CLAIMS, *REJECTIONS, *SILENCES)), max_size=6))
def test_real_findings_decide_by_definition(requirement: Requirement, found: list[Finding]) -> None:
    """What is allowed is met by claims of different people, each by the signer that the rule names."""
    decision = judge([choice(requirement)], found)
    counting = [f for f in found if isinstance(f, Claim)]
    if decision.verdict == Verdict.ALLOWED:
        assert by_definition(requirement, counting)


# What else must hold --------------------------------------------------------------------------------


def leaf_sets(requirement: Requirement) -> Iterator[tuple[Vouched, ...]]:
    """Every set of signers that would fulfil a requirement: the definition, as slow as can be."""
    if isinstance(requirement, Vouched):
        yield (requirement,)
        return
    for parts in combinations(requirement.parts, requirement.count):
        for sets in product(*(list(leaf_sets(part)) for part in parts)):
            yield tuple(leaf for leaves_ in sets for leaf in leaves_)


def by_definition(requirement: Requirement, found: Sequence[Claim]) -> bool:
    for wanted in leaf_sets(requirement):
        options = [[c for c in found if c.signer == leaf.signer.name] for leaf in wanted]
        for chosen in product(*options):
            held = [key for c in chosen for key in set(c.signatory.keys)]
            if len(held) == len(set(held)):
                return True
    return False


plain_leaves = st.builds(leaf, names)


@examples(500)
@given(st.recursive(plain_leaves, thresholds, max_leaves=6), st.lists(plain_claims, max_size=7))
def test_the_search_finds_what_the_definition_says(
    requirement: Requirement, found: list[Claim]
) -> None:
    allowed = judge([choice(requirement)], found).verdict == Verdict.ALLOWED
    assert allowed == by_definition(requirement, found)


@several
@given(
    st.recursive(plain_leaves, thresholds, max_leaves=5),
    st.lists(plain_claims, max_size=5),
    st.lists(names, max_size=3, unique=True),
)
def test_unknown_is_what_some_answer_of_the_silent_could_allow(
    requirement: Requirement, found: list[Claim], silent: list[str]
) -> None:
    verdict = judge([choice(requirement)], [*found, *(silence(n) for n in silent)]).verdict
    # a signer that stands at several places is one signer: asked about again it may name several signatories
    hoped = [claim(name, f"new-{name}-{number}") for name in silent for number in range(5)]
    if by_definition(requirement, found):
        assert verdict == Verdict.ALLOWED
    elif by_definition(requirement, [*found, *hoped]):
        assert verdict == Verdict.UNKNOWN
    else:
        assert verdict == Verdict.DENIED


@several
@given(layers, findings, remembered)
def test_layers_are_anded_and_only_enforcing_ones_stop(
    layers: list[Choice], found: list[Finding], kept: list[Remembered]
) -> None:
    decision = judge(layers, found, kept)
    alone = [judge([layer], found, kept) for layer in layers]
    assert RANK[decision.verdict] == min(RANK[one.verdict] for one in alone)
    assert decision.passes == all(one.passes for one in alone)
    assert decision.passes == all(result.passes for result in decision.layers)
    if decision.verdict == Verdict.ALLOWED:
        assert decision.claims


@several
@given(layers, findings, remembered)
def test_every_decision_can_be_explained(
    layers: list[Choice], found: list[Finding], kept: list[Remembered]
) -> None:
    decision = judge(layers, found, kept)
    text = explain.lines(decision)
    assert text[0].startswith(f"{decision.verdict}  {IMAGE.familiar}")
    assert all(line.isprintable() for line in text)
    record = explain.as_json(decision)
    assert record["verdict"] == decision.verdict
    assert len(record["findings"]) == len(found)  # type: ignore[arg-type]


def leaves_of(judged: Judged) -> Iterator[Judged]:
    if not judged.parts:
        yield judged
    for part in judged.parts:
        yield from leaves_of(part)


@several
@given(choices(), findings, remembered)
def test_nothing_counts_that_has_anything_against_it(
    chosen: Choice, found: list[Finding], kept: list[Remembered]
) -> None:
    layer = chosen.layer
    (result,) = judge([chosen], found, kept).layers
    assert result.requirement is not None
    for leaf in leaves_of(result.requirement):
        wanted = leaf.requirement
        assert isinstance(wanted, Vouched)
        for counting in leaf.claims:
            ages = [NOW - m.seen_at for m in kept if m.claim == counting]
            recalled = layer.last_good and any(
                timedelta(0) <= age <= layer.last_good for age in ages
            )
            cached = layer.accept_stale and counting.expires is not None and counting in found
            assert counting.signer == wanted.signer.name
            assert counting.digest == GOOD
            assert counting.predicate == wanted.predicate
            assert counting.signatory.scheme == wanted.signer.scheme
            assert counting.expires is None or counting.expires > NOW
            assert wanted.until is None or wanted.until > NOW
            assert not (layer.require_pin and counting.first_use)
            assert recalled or cached or not counting.stale
            if wanted.signer.not_after is not None and wanted.signer.not_after < NOW:
                assert counting.proven_time
                assert counting.signed_at is not None
                assert counting.signed_at <= wanted.signer.not_after
