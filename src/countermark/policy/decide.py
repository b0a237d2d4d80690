"""The decision: a pure function of rule, subject, findings and time.

Total, three-valued (Kleene's logic), and monotone: a further claim never makes it worse, a rejection changes
nothing, a silence can turn a denial into not knowing and does nothing else. tests/property/test_decide.py has these
as laws.
"""

from countermark.core.claim import Claim, Finding, Silence
from countermark.core.errors import Code
from countermark.core.light import datetime, timedelta
from countermark.core.value import Value
from countermark.policy.model import (
    AtLeast,
    Case,
    Choice,
    Decision,
    Judged,
    Layer,
    LayerResult,
    Reason,
    Remembered,
    Requirement,
    Verdict,
    Vouched,
    counted,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class _Bench(Value):
    """What one layer's requirements are judged on."""

    layer: Layer
    case: Case
    findings: tuple[Finding, ...]
    remembered: tuple[Remembered, ...]
    now: datetime


def decide(
    choices: "Sequence[Choice]",
    case: Case,
    findings: "Sequence[Finding]",
    now: datetime,
    remembered: "Sequence[Remembered]" = (),
) -> Decision:
    """Judge a subject by what each layer says about it and by what was found; all layers must agree.

    ``remembered`` are claims that were fresh once, of signers that are silent now: a layer takes them only as long as
    its ``onUnavailable: {lastGood: …}`` says.
    """
    results = tuple(
        _layer(
            choice,
            _Bench(
                layer=choice.layer,
                case=case,
                findings=tuple(findings),
                remembered=tuple(remembered),
                now=now,
            ),
        )
        for choice in choices
    )
    objecting = [r for r in results if r.verdict != Verdict.ALLOWED] or results
    return Decision(
        reference=case.reference,
        subject=case.subject,
        time=now,
        point=case.point,
        # without any layer nobody has allowed anything
        verdict=Verdict.all_of(r.verdict for r in results) if results else Verdict.DENIED,
        mode=_strictest([r.mode for r in objecting]),
        layers=results,
        findings=tuple(findings),
        remembered=tuple(remembered),
        warnings=_warnings(results),
    )


def _strictest(modes: list[str]) -> str:
    return next((mode for mode in ("enforce", "warn", "audit") if mode in modes), "enforce")


# One layer ------------------------------------------------------------------------------------------


def _layer(choice: Choice, bench: _Bench) -> LayerResult:
    rule, layer = choice.rule, choice.layer
    ended = tuple(
        Reason(code=Code.ENDED, text=f"the exception at line {r.line} ended on {r.until:%Y-%m-%d}")
        for r in choice.ended
    )
    if rule is None:
        return _unmatched(layer, bench.case.point, ended)
    mode = (rule.modes or layer.modes).at(bench.case.point)
    if rule.requirement is not None:
        judged = _judge(rule.requirement, bench)
        verdict, reasons = judged.verdict, ended
    else:
        judged = None
        verdict = Verdict.ALLOWED if rule.effect == "allow" else Verdict.DENIED
        code = Code.EXCEPTION if rule.effect == "allow" else Code.FORBIDDEN
        reasons = (Reason(code=code, text=rule.reason), *ended)
    return LayerResult(
        layer=layer.name,
        effect=rule.effect,
        verdict=verdict,
        mode=mode,
        rule=rule,
        reasons=reasons,
        requirement=judged,
    )


def _unmatched(layer: Layer, point: str, ended: tuple[Reason, ...]) -> LayerResult:
    mode = layer.modes.at(point)
    allowed = layer.unmatched == "allow"
    reason = Reason(code=Code.NO_RULE, text="no rule matches this image")
    return LayerResult(
        layer=layer.name,
        effect="unmatched",
        verdict=Verdict.ALLOWED if allowed else Verdict.DENIED,
        mode="warn" if layer.unmatched == "warn" and mode == "enforce" else mode,
        reasons=(reason, *ended),
    )


# Requirements ---------------------------------------------------------------------------------------


def _judge(requirement: Requirement, bench: _Bench) -> Judged:
    if isinstance(requirement, Vouched):
        return _judge_signer(requirement, bench)
    parts = tuple(_judge(part, bench) for part in requirement.parts)
    reasons: tuple[Reason, ...] = ()
    if _can_be_met((_goal(requirement.count, parts, hoping=False),), frozenset(), set()):
        verdict = Verdict.ALLOWED
    else:
        hope = _can_be_met((_goal(requirement.count, parts, hoping=True),), frozenset(), set())
        verdict = Verdict.UNKNOWN if hope else Verdict.DENIED
        if sum(part.verdict == Verdict.ALLOWED for part in parts) >= requirement.count:
            text = (
                f"{requirement.count} different signatories are needed, and some here are the same"
            )
            reasons = (Reason(code=Code.SAME_SIGNATORY, text=text),)
    return Judged(requirement=requirement, verdict=verdict, reasons=reasons, parts=parts)


def _judge_signer(wanted: Vouched, bench: _Bench) -> Judged:
    """Judge by this signer's own findings, and by no other's."""
    name = wanted.signer.name
    if _is_over(wanted.until, bench.now):
        reason = Reason(code=Code.ENDED, text=f"{name} was believed until {wanted.until}")
        return Judged(requirement=wanted, verdict=Verdict.DENIED, reasons=(reason,))
    found = [(f, *_weigh(f, wanted, bench)) for f in bench.findings if f.signer == name]
    for memory in bench.remembered:
        if memory.claim.signer == name:
            found.append((memory.claim, *_weigh(memory.claim, wanted, bench, memory.seen_at)))
    claims = [f for f, objection, _ in found if objection is None and isinstance(f, Claim)]
    reasons = [objection for _, objection, _ in found if objection is not None]
    is_open = any(may_yet for _, _, may_yet in found)
    if not found:
        reasons = [Reason(code=Code.UNSIGNED, text=f"{name} does not vouch for it")]
    return Judged(
        requirement=wanted,
        verdict=Verdict.ALLOWED if claims else Verdict.UNKNOWN if is_open else Verdict.DENIED,
        reasons=tuple(dict.fromkeys(reasons)),
        claims=tuple(dict.fromkeys(claims)),
        open=is_open,
    )


def _weigh(
    finding: Finding, wanted: Vouched, bench: _Bench, seen_at: datetime | None = None
) -> tuple[Reason | None, bool]:
    """Say why a finding does not count (None: it does), and whether its signer may yet vouch."""
    if not isinstance(finding, Claim):
        return Reason(code=finding.code, text=finding.reason), isinstance(finding, Silence)
    objection = _objection(finding, wanted, bench)
    if objection is None and not _is_recent(finding, seen_at, bench):
        text = "no fresh answer is to be had, and the last one does not count"
        return Reason(code=Code.STALE, text=text), True
    return objection, False


def _objection(claim: Claim, wanted: Vouched, bench: _Bench) -> Reason | None:
    """Say why a claim does not count, however fresh it is."""
    signer = wanted.signer
    objections = (
        (
            claim.digest != bench.case.subject.digest,
            Code.WRONG_SUBJECT,
            f"vouches for {claim.digest}",
        ),
        (claim.signatory.scheme != signer.scheme, Code.WRONG_SUBJECT, "is of another scheme"),
        (
            not claim.signatory.keys,
            Code.MALFORMED,
            "names no key by which to tell signatories apart",
        ),
        (
            claim.predicate != wanted.predicate,
            Code.PREDICATE,
            f"is a statement {claim.predicate!r}",
        ),
        (_is_over(claim.expires, bench.now), Code.EXPIRED, f"expired at {claim.expires}"),
        (
            signer.not_after is not None and not _was_signed_by(claim, signer.not_after, bench.now),
            Code.WITHDRAWN,
            f"is not proven to be signed before {signer.not_after}",
        ),
        (
            claim.first_use and bench.layer.require_pin,
            Code.FIRST_USE,
            "rests on a root that nobody pinned, and a pin is required",
        ),
    )
    return next((Reason(code=code, text=text) for wrong, code, text in objections if wrong), None)


def _was_signed_by(claim: Claim, end: datetime, now: datetime) -> bool:
    if now <= end:  # whatever is there now was signed before now
        return True
    return claim.proven_time and claim.signed_at is not None and claim.signed_at <= end


def _is_recent(claim: Claim, seen_at: datetime | None, bench: _Bench) -> bool:
    if (
        seen_at is not None
    ):  # one from the future was written with another clock: its age is unknown
        age = bench.now - seen_at
        longest = bench.layer.last_good
        return longest is not None and timedelta(0) <= age <= longest
    return not claim.stale or (bench.layer.accept_stale and claim.expires is not None)


def _is_over(end: datetime | None, now: datetime) -> bool:
    return end is not None and now >= end


# Different signatories ------------------------------------------------------------------------------

# A goal is so many of some parts; a part is another goal, or the signatories that would do, each as its set of keys.
if TYPE_CHECKING:
    _Part = frozenset[frozenset[str]] | tuple[int, tuple["_Part", ...]]
    _Goal = tuple[int, tuple[_Part, ...]]


def _goal(count: int, parts: tuple[Judged, ...], *, hoping: bool) -> "_Goal":
    """Reduce a threshold to what the search needs. ``hoping`` counts each signer that is silent as someone new."""
    found: list[_Part] = []
    for part in parts:
        if isinstance(part.requirement, AtLeast):
            found.append(_goal(part.requirement.count, part.parts, hoping=hoping))
            continue
        signatories = {frozenset(claim.signatory.keys) for claim in part.claims}
        if hoping and part.open:
            signatories.add(frozenset())  # has no key in common with anyone
        if signatories:
            found.append(frozenset(signatories))
    return count, tuple(found)


def _can_be_met(
    goals: "tuple[_Goal, ...]", taken: frozenset[str], failed: "set[tuple[object, ...]]"
) -> bool:
    """Say whether all goals can be met by signatories of whom no two share a key.

    Whoever holds a key can speak as all that have it, so no key serves twice, not even in nested requirements.
    ``taken`` are the keys used so far, ``failed`` what was tried in vain. The search tries every choice of parts;
    parse bounds their number (limits.POLICY_WAYS).
    """
    if not goals:
        return True
    (count, parts), rest = goals[0], goals[1:]
    if count == 0:
        return _can_be_met(rest, taken, failed)
    if len(parts) < count or (goals, taken) in failed:
        return False
    first, others = parts[0], parts[1:]
    left = ((count - 1, others), *rest)
    if isinstance(first, tuple):
        met = _can_be_met((first, *left), taken, failed)
    else:
        free = [keys for keys in first if taken.isdisjoint(keys)]
        met = any(_can_be_met(left, taken | keys, failed) for keys in free)
    if met or _can_be_met(((count, others), *rest), taken, failed):
        return True
    failed.add((goals, taken))
    return False


# Warnings -------------------------------------------------------------------------------------------


def _warnings(results: tuple[LayerResult, ...]) -> tuple[Reason, ...]:
    found: list[Reason] = []
    for result in results:
        for claim in counted(result.requirement) if result.requirement else ():
            if claim.first_use:
                text = f"{claim.signer}: the root was believed on first use; nobody pinned it"
                found.append(Reason(code=Code.FIRST_USE, text=text))
            if claim.stale:
                text = f"{claim.signer}: no fresh answer was to be had; judged by the last one"
                found.append(Reason(code=Code.STALE, text=text))
        if result.verdict != Verdict.ALLOWED and result.passes:
            text = f"let pass, since {result.layer} only {_DOES[result.mode]}: it would be {result.verdict}"
            found.append(Reason(code=Code.LET_PASS, text=text))
    return tuple(dict.fromkeys(found))


_DOES = {"warn": "warns", "audit": "audits"}
