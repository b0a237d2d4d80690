"""The decision, case by case."""

from datetime import timedelta
from typing import Any

import pytest

from claims import (
    CASE,
    GOOD,
    NOW,
    OTHER,
    SIGNED,
    all_of,
    choice,
    claim,
    rejection,
    require,
    signer,
    silence,
    some,
    vouched,
)
from countermark.core.claim import Finding
from countermark.core.errors import Code, ConfigError
from countermark.policy.decide import decide
from countermark.policy.model import (
    AtLeast,
    Case,
    Choice,
    Decision,
    Judged,
    Layer,
    Modes,
    Remembered,
    Requirement,
    Rule,
    Verdict,
    Vouched,
)
from countermark.policy.pattern import Pattern

DAY = timedelta(days=1)
A, B, C = vouched("a"), vouched("b"), vouched("c")
YES, NO, MAYBE = claim, rejection, silence


def judge(requirement: Requirement, *found: Finding, **layer: Any) -> Decision:
    return decide([choice(requirement, **layer)], CASE, found, NOW)


def tree(decision: Decision) -> Judged:
    judged = decision.layers[0].requirement
    assert judged is not None
    return judged


KLEENE = [
    # one signer
    (A, [YES("a")], "allowed"),
    (A, [NO("a")], "denied"),
    (A, [MAYBE("a")], "unknown"),
    (A, [], "denied"),
    (A, [YES("a"), NO("a"), MAYBE("a")], "allowed"),
    (A, [NO("a"), MAYBE("a")], "unknown"),
    # all
    (all_of(A, B), [YES("a"), YES("b")], "allowed"),
    (all_of(A, B), [YES("a"), MAYBE("b")], "unknown"),
    (all_of(A, B), [YES("a"), NO("b")], "denied"),
    (all_of(A, B), [NO("a"), MAYBE("b")], "denied"),
    (all_of(A, B), [MAYBE("a"), MAYBE("b")], "unknown"),
    # any
    (some(1, A, B), [YES("a"), MAYBE("b")], "allowed"),
    (some(1, A, B), [YES("a"), NO("b")], "allowed"),
    (some(1, A, B), [NO("a"), MAYBE("b")], "unknown"),
    (some(1, A, B), [NO("a"), NO("b")], "denied"),
    # at least
    (some(2, A, B, C), [YES("a"), YES("b")], "allowed"),
    (some(2, A, B, C), [YES("a"), YES("c"), MAYBE("b")], "allowed"),
    (some(2, A, B, C), [YES("a"), MAYBE("b"), NO("c")], "unknown"),
    (some(2, A, B, C), [YES("a"), NO("b"), NO("c")], "denied"),
    (some(2, A, B, C), [MAYBE("b"), NO("a")], "denied"),
    # nested
    (all_of(A, some(1, B, C)), [YES("a"), YES("c")], "allowed"),
    (all_of(A, some(1, B, C)), [YES("b"), YES("c")], "denied"),
    (some(1, all_of(A, B), C), [YES("a"), YES("b")], "allowed"),
    (some(1, all_of(A, B), C), [YES("a"), MAYBE("b"), NO("c")], "unknown"),
]


@pytest.mark.parametrize(("requirement", "found", "verdict"), KLEENE)
def test_kleenes_logic(requirement: Requirement, found: list[Finding], verdict: str) -> None:
    assert judge(requirement, *found).verdict == verdict


SIGNATORIES = [
    # one key under two names is one signatory
    (all_of(A, B), [YES("a", "k"), YES("b", "k")], "denied"),
    (some(2, A, B, C), [YES("a", "k"), YES("b", "k"), YES("c", "k")], "denied"),
    (some(2, A, B, C), [YES("a", "k"), YES("b", "k"), YES("c", "l")], "allowed"),
    # sharing any key is enough to be the same
    (all_of(A, B), [YES("a", "k", "l"), YES("b", "l", "m")], "denied"),
    # a signer with two signatories can leave one of them to another
    (all_of(A, B), [YES("a", "k"), YES("a", "l"), YES("b", "k")], "allowed"),
    (all_of(A, B), [YES("a", "l"), YES("a", "k"), YES("b", "l")], "allowed"),
    # augmenting: the first choice has to make way twice
    (
        all_of(A, B, C),
        [YES("a", "k"), YES("a", "l"), YES("b", "l"), YES("b", "m"), YES("c", "k"), YES("c", "l")],
        "allowed",
    ),
    # three parts, two signatories
    (all_of(A, B, C), [YES(n, k) for n in "abc" for k in "kl"], "denied"),
    # one that links two others does not make them one
    (all_of(A, B), [YES("a", "k"), YES("b", "l"), YES("a", "k", "l")], "allowed"),
    # not in nested requirements either
    (all_of(A, some(1, A, B)), [YES("a", "k")], "denied"),
    (all_of(A, some(1, A, B)), [YES("a", "k"), YES("b", "l")], "allowed"),
    (all_of(A, all_of(B, C)), [YES("a", "k"), YES("b", "k"), YES("c", "l")], "denied"),
    # the nested part is not the only way
    (some(1, all_of(A, B), C), [YES("a", "k"), YES("b", "k"), YES("c", "k")], "allowed"),
    # a silent signer may be someone new
    (all_of(A, B), [YES("a", "k"), YES("b", "k"), MAYBE("b")], "unknown"),
    (all_of(A, B), [YES("a", "k"), MAYBE("b")], "unknown"),
    # the same claim twice is one
    (some(2, A, B), [YES("a", "k"), YES("a", "k")], "denied"),
    # without a key nobody can be told apart
    (A, [YES("a").replace(signatory=YES("a").signatory.replace(keys=()))], "denied"),
]


@pytest.mark.parametrize(("requirement", "found", "verdict"), SIGNATORIES)
def test_thresholds_count_different_signatories(
    requirement: Requirement, found: list[Finding], verdict: str
) -> None:
    assert judge(requirement, *found).verdict == verdict


def test_the_same_signatory_at_two_places_is_said() -> None:
    judged = tree(judge(all_of(A, B), claim("a", "k"), claim("b", "k")))
    assert [part.verdict for part in judged.parts] == ["allowed", "allowed"]
    assert [reason.code for reason in judged.reasons] == [Code.SAME_SIGNATORY]


LATE = Vouched(signer=signer("a", not_after=SIGNED))
LAST = Vouched(signer=signer("a", not_after=NOW))
ENDED = vouched("a", until=NOW)

OBJECTIONS: list[tuple[str, Requirement, Finding, dict[str, Any], Code | None]] = [
    ("plain", A, claim("a"), {}, None),
    ("another digest", A, claim("a", digest=OTHER), {}, Code.WRONG_SUBJECT),
    ("another scheme", A, claim("a", scheme="cosign"), {}, Code.WRONG_SUBJECT),
    ("an attestation for a signature", A, claim("a", predicate="p"), {}, Code.PREDICATE),
    ("a signature for an attestation", vouched("a", predicate="p"), claim("a"), {}, Code.PREDICATE),
    ("an attestation", vouched("a", predicate="p"), claim("a", predicate="p"), {}, None),
    ("unexpired", A, claim("a", expires=NOW + DAY), {}, None),
    ("expired", A, claim("a", expires=NOW - DAY), {}, Code.EXPIRED),
    ("expiring this moment", A, claim("a", expires=NOW), {}, Code.EXPIRED),
    ("in time", LATE, claim("a", proven_time=True), {}, None),
    ("at an unproven time", LATE, claim("a"), {}, Code.WITHDRAWN),
    ("at no time", LATE, claim("a", proven_time=True, signed_at=None), {}, Code.WITHDRAWN),
    ("before the end, at any time", LAST, claim("a"), {}, None),
    ("at the end, at no time", LAST, claim("a", signed_at=None), {}, None),
    ("too late", LATE, claim("a", proven_time=True, signed_at=NOW), {}, Code.WITHDRAWN),
    ("still believed", vouched("a", until=NOW + DAY), claim("a"), {}, None),
    ("no longer believed", ENDED, claim("a"), {}, Code.ENDED),
    ("first use", A, claim("a", first_use=True), {}, None),
    (
        "first use, pin required",
        A,
        claim("a", first_use=True),
        {"require_pin": True},
        Code.FIRST_USE,
    ),
    ("pinned, pin required", A, claim("a"), {"require_pin": True}, None),
    ("a proven rejection", A, rejection("a", Code.BAD_SIGNATURE), {}, Code.BAD_SIGNATURE),
]


@pytest.mark.parametrize(
    ("requirement", "found", "layer", "code"),
    [case[1:] for case in OBJECTIONS],
    ids=[case[0] for case in OBJECTIONS],
)
def test_what_counts_and_what_does_not(
    requirement: Requirement, found: Finding, layer: dict[str, Any], code: Code | None
) -> None:
    decision = judge(requirement, found, **layer)
    assert decision.verdict == ("denied" if code else "allowed")
    assert [reason.code for reason in tree(decision).reasons] == ([code] if code else [])
    assert decision.claims == (() if code else (found,))


def test_a_signer_believed_no_longer_is_denied_even_if_silent() -> None:
    assert judge(ENDED, silence("a")).verdict == "denied"


def test_who_has_nothing_to_say_is_named() -> None:
    (reason,) = tree(judge(A)).reasons
    assert (reason.code, reason.text) == (Code.UNSIGNED, "a does not vouch for it")


STALE = [
    # a file says nothing about stale claims: nobody knows
    ({}, {"expires": NOW + DAY}, "unknown"),
    ({"last_good": DAY}, {"expires": NOW + DAY}, "unknown"),
    # the built-in layer takes them until they expire
    ({"accept_stale": True}, {"expires": NOW + DAY}, "allowed"),
    ({"accept_stale": True}, {"expires": NOW}, "denied"),
    ({"accept_stale": True}, {"expires": None}, "unknown"),
    # what does not count anyway does not make it unknown
    ({}, {"digest": OTHER}, "denied"),
]


@pytest.mark.parametrize(("layer", "fields", "verdict"), STALE)
def test_stale_claims(layer: dict[str, Any], fields: dict[str, Any], verdict: str) -> None:
    decision = judge(A, claim("a", stale=True, **fields), **layer)
    assert decision.verdict == verdict
    warned = [reason.code for reason in decision.warnings]
    assert warned == ([Code.STALE] if verdict == "allowed" else [])


REMEMBERED = [
    ({"last_good": DAY}, NOW - timedelta(hours=1), {}, "allowed"),
    ({"last_good": DAY}, NOW - DAY, {}, "allowed"),
    ({"last_good": DAY}, NOW, {}, "allowed"),
    ({"last_good": DAY}, NOW - DAY - timedelta(seconds=1), {}, "unknown"),
    # kept under a clock that was ahead: its age is unknown
    ({"last_good": DAY}, NOW + timedelta(seconds=1), {}, "unknown"),
    ({}, NOW, {}, "unknown"),
    ({"accept_stale": True}, NOW, {"expires": NOW + DAY}, "unknown"),
    ({"last_good": DAY}, NOW, {"digest": OTHER}, "unknown"),
    ({"last_good": DAY}, NOW, {"expires": NOW - DAY}, "unknown"),
    ({"last_good": DAY, "require_pin": True}, NOW, {"first_use": True}, "unknown"),
    ({"last_good": DAY}, NOW, {"signer": "b"}, "unknown"),
]


@pytest.mark.parametrize(("layer", "seen_at", "fields", "verdict"), REMEMBERED)
def test_last_good_answers_count_as_long_as_the_layer_says(
    layer: dict[str, Any], seen_at: Any, fields: dict[str, Any], verdict: str
) -> None:
    kept = Remembered(claim=claim("a", stale=True, **fields), seen_at=seen_at)
    decision = decide([choice(A, **layer)], CASE, [silence("a")], NOW, [kept])
    assert decision.verdict == verdict
    assert decision.remembered == (kept,)
    assert [r.code for r in decision.warnings] == ([Code.STALE] if verdict == "allowed" else [])


def test_first_use_is_a_warning() -> None:
    decision = judge(A, claim("a", first_use=True))
    assert [(r.code, r.text) for r in decision.warnings] == [
        (Code.FIRST_USE, "a: the root was believed on first use; nobody pinned it")
    ]


# Effects, modes, layers -----------------------------------------------------------------------------


def effect(name: str, **fields: Any) -> Rule:
    return Rule(images=Pattern.parse("acme/**"), effect=name, reason="because", line=3, **fields)


EFFECTS = [
    ("allow", {}, "allowed", "allow", Code.EXCEPTION),
    ("deny", {}, "denied", "deny", Code.FORBIDDEN),
    (None, {"unmatched": "deny"}, "denied", "unmatched", Code.NO_RULE),
    (None, {"unmatched": "allow"}, "allowed", "unmatched", Code.NO_RULE),
    (None, {"unmatched": "warn"}, "denied", "unmatched", Code.NO_RULE),
]


@pytest.mark.parametrize(("name", "layer", "verdict", "effect_", "code"), EFFECTS)
def test_rules_without_requirements(
    name: str | None, layer: dict[str, Any], verdict: str, effect_: str, code: Code
) -> None:
    rule = effect(name) if name else None
    # neither claims nor silences matter
    for found in ([], [claim("a")], [silence("a")]):
        decision = decide([Choice(layer=Layer(name="p", **layer), rule=rule)], CASE, found, NOW)
        (result,) = decision.layers
        assert (decision.verdict, result.effect, result.rule) == (verdict, effect_, rule)
        assert [reason.code for reason in result.reasons] == [code]
        assert decision.passes == (verdict == "allowed" or layer.get("unmatched") == "warn")


def test_an_exception_that_ended_is_named() -> None:
    gone = effect("allow", until=NOW - DAY)
    for rule in (None, effect("deny"), require(A)):
        decision = decide([Choice(layer=Layer(name="p"), rule=rule, ended=(gone,))], CASE, [], NOW)
        reason = decision.layers[0].reasons[-1]
        assert decision.verdict == "denied"
        assert reason.code == Code.ENDED
        assert reason.text == "the exception at line 3 ended on 2026-11-24"


MODES = [
    ("enforce", "cli", False),
    ("warn", "cli", True),
    ("audit", "cli", True),
]


@pytest.mark.parametrize(("mode", "point", "passes"), MODES)
@pytest.mark.parametrize("found", [rejection("a"), silence("a")])
def test_modes_let_pass_and_say_so(mode: str, point: str, passes: bool, found: Finding) -> None:
    decision = judge(A, found, modes=Modes(default=mode))
    assert (decision.mode, decision.passes) == (mode, passes)
    assert decision.verdict in ("denied", "unknown")
    said = [reason.code for reason in decision.warnings]
    assert said == ([Code.LET_PASS] if passes else [])


def test_a_mode_may_hold_at_one_point_only() -> None:
    layer = {"modes": Modes(default="enforce", points=(("docker", "warn"),))}
    for point, passes in (("docker", True), ("cli", False), ("gateway", False)):
        case = Case(reference=CASE.reference, subject=CASE.subject, point=point)
        decision = decide([choice(A, **layer)], case, [], NOW)
        assert (decision.point, decision.passes) == (point, passes)


def test_a_rule_overrides_the_layers_mode() -> None:
    lax = require(A, modes=Modes(default="warn"))
    assert decide([Choice(layer=Layer(name="p"), rule=lax)], CASE, [], NOW).passes
    strict = require(A, modes=Modes(default="enforce"))
    layer = Layer(name="p", modes=Modes(default="audit"))
    assert not decide([Choice(layer=layer, rule=strict)], CASE, [], NOW).passes


def test_warn_about_the_unmatched_does_not_soften_an_audit() -> None:
    layer = Layer(name="p", unmatched="warn", modes=Modes(default="audit"))
    assert decide([Choice(layer=layer)], CASE, [], NOW).mode == "audit"


LAYERS = [
    (["enforce", "enforce"], "ab", "allowed", True, "enforce"),
    (["enforce", "enforce"], "a", "denied", False, "enforce"),
    (["enforce", "warn"], "a", "denied", True, "warn"),
    (["enforce", "warn"], "b", "denied", False, "enforce"),
    (["audit", "warn"], "", "denied", True, "warn"),
    (["enforce", "audit"], "a", "denied", True, "audit"),
    (["audit", "audit"], "ab", "allowed", True, "audit"),
]


@pytest.mark.parametrize(("modes", "vouching", "verdict", "passes", "mode"), LAYERS)
def test_all_layers_must_agree(
    modes: list[str], vouching: str, verdict: str, passes: bool, mode: str
) -> None:
    chosen = [
        choice(requirement, modes=Modes(default=one))
        for requirement, one in zip((A, B), modes, strict=True)
    ]
    decision = decide(chosen, CASE, [claim(name) for name in vouching], NOW)
    assert (decision.verdict, decision.passes, decision.mode) == (verdict, passes, mode)


def test_a_denial_outweighs_not_knowing() -> None:
    decision = decide([choice(A), choice(B)], CASE, [silence("a")], NOW)
    assert [r.verdict for r in decision.layers] == ["unknown", "denied"]
    assert decision.verdict == "denied"
    assert (
        decide([choice(A), choice(B)], CASE, [silence("a"), claim("b")], NOW).verdict == "unknown"
    )


def test_without_a_layer_nothing_is_allowed() -> None:
    decision = decide([], CASE, [claim("a")], NOW)
    assert (decision.verdict, decision.passes) == ("denied", False)


def test_a_decision_is_complete() -> None:
    found = (claim("a"), rejection("b"), silence("c"))
    decision = judge(some(1, A, B), *found)
    assert decision.reference == CASE.reference
    assert decision.subject.digest == GOOD
    assert decision.time == NOW
    assert decision.findings == found
    assert decision.claims == (claim("a"),)
    assert [part.verdict for part in tree(decision).parts] == [Verdict.ALLOWED, Verdict.DENIED]


@pytest.mark.parametrize(("count", "parts"), [(0, (A,)), (2, (A,)), (0, ()), (1, ())])
def test_impossible_thresholds_cannot_be_made(count: int, parts: tuple[Requirement, ...]) -> None:
    with pytest.raises(ConfigError, match="cannot be required"):
        AtLeast(count=count, parts=parts)


def test_many_signatories_of_many_signers_cost_little() -> None:
    """Twelve signers that share eleven keys: every choice fails, and each failure is met once."""
    parts = [vouched(f"s{i}") for i in range(12)]
    found = [claim(f"s{i}", f"k{j}") for i in range(12) for j in range(11)]
    assert judge(all_of(*parts), *found).verdict == "denied"
