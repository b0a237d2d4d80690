"""A decision in words and in JSON.

Names, reasons and notes may be an attacker's text; all text leaves here with control characters escaped.
"""

from countermark.core.claim import Claim, Finding, Rejection, Silence
from countermark.core.errors import Code
from countermark.core.light import UTC, datetime
from countermark.core.text import harmless
from countermark.policy.model import (
    Decision,
    Judged,
    LayerResult,
    Reason,
    Requirement,
    Verdict,
    Vouched,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_KEY_CHARS = 12  # of a fingerprint, shown to people; JSON has all of it
_SHOWN_REASONS = 12  # of one signer, shown to people; JSON has all of them

_NEXT = {
    Code.UNSIGNED: "have it signed: countermark trust sign {tagged}",
    Code.FIRST_USE: "compare the root with its owner, then: countermark trust pin {repository}",
    Code.PIN: "ask the owner whether the root was replaced; only then: countermark trust forget {repository}",
    Code.SAME_SIGNATORY: "have someone else sign too, with a key of their own",
    Code.NO_RULE: "add a rule for it to the policy file: see docs/policy.md",
    Code.UNAVAILABLE: "try again once the trust server can be reached",
    Code.STALE: "try again once the trust server can be reached",
    Code.NOT_FOUND: "the trust server has nothing about this repository; ask its owner where it is signed",
    Code.REFUSED: "log in to the registry, or ask for access to the repository's trust data",
}
# the same for those who sign with cosign
_NEXT_COSIGN = {
    Code.UNSIGNED: "have it signed: countermark sign {tagged}",
    Code.PREDICATE: "have it signed or attested in the way that is demanded; both are told apart",
    Code.IDENTITY: "ask its owner who signs it; only if that is right, correct the policy",
    Code.KEY_MATERIAL: "ask its owner with which key it is signed; only if that is right, correct the policy",
    Code.BAD_SIGNATURE: "ask its owner with which key it is signed; only if that is right, correct the policy",
    Code.NOT_LOGGED: "sign it again into a log of the trusted root, or accept it unlogged: docs/policy.md",
    Code.SCT: "have its authority ask a certificate log, or accept it uncertified: docs/policy.md",
    Code.NO_TIMESTAMP: "sign it again with a timestamp",
    Code.UNAVAILABLE: "try again once the registry can be reached",
    Code.NOT_FOUND: "the registry lists signatures that it has not; have them copied again",
    Code.REFUSED: "log in to the registry that holds the signatures",
}


def lines(decision: Decision) -> list[str]:
    """Say it to people in a few lines: the verdict, what it rests on or what is wanting, what to do next."""
    let_pass = decision.verdict != Verdict.ALLOWED and decision.passes
    note = f"  (let pass: {decision.mode})" if let_pass else ""
    found = [f"{decision.verdict}  {decision.reference.familiar}{note}"]
    found.append(f"  {decision.subject.digest}")
    for result in decision.layers:
        found += [f"  {line}" for line in _layer(result)]
    found += [f"  {line}" for line in _moved(decision)]
    found += [
        f"  warning: {reason.text}" for reason in decision.warnings if reason.code != Code.LET_PASS
    ]
    if decision.verdict != Verdict.ALLOWED:
        found += [f"  next: {line}" for line in _next(decision)]
    return [harmless(line) for line in found]


def _layer(result: LayerResult) -> "Iterator[str]":
    """What one layer says, and why."""
    place = result.layer
    rule = result.rule
    if rule is not None and rule.line:
        place += f":{rule.line}"
    if result.requirement is None:
        words = {
            "allow": "allows it",
            "deny": "denies it",
            "unmatched": f"{result.verdict} by default",
        }
        yield f"{place}: {words[result.effect]}: {result.reasons[0].text}"
        yield from (reason.text for reason in result.reasons[1:])
        return
    demand = (
        f", requires {in_words(result.requirement.requirement)}" if place != result.layer else ""
    )
    yield f"{place}: {result.verdict}{demand}"
    yield from (reason.text for reason in result.reasons)
    yield from (f"  {line}" for line in _judged(result.requirement))


def in_words(requirement: Requirement) -> str:
    """Say what is demanded: ``alice and (any of ci, qa)``."""
    if isinstance(requirement, Vouched):
        name, predicate = requirement.signer.name, requirement.predicate
        # cosign's signers have a name of their own for what they have to attest
        return f"{predicate} by {name}" if predicate not in name else name
    parts = [
        in_words(part) if isinstance(part, Vouched) else f"({in_words(part)})"
        for part in requirement.parts
    ]
    if requirement.count == len(parts):
        return " and ".join(parts)
    count = "any" if requirement.count == 1 else f"at least {requirement.count}"
    return f"{count} of {', '.join(parts)}"


def _judged(judged: Judged) -> "Iterator[str]":
    """Who vouches for it; and for a demand that is not met, what was found wanting."""
    wanted = judged.requirement
    if isinstance(wanted, Vouched):
        if judged.verdict != Verdict.ALLOWED:
            yield from _reasons(wanted.signer.name, judged.reasons)
        yield from (_vouches(claim) for claim in judged.claims)
        return
    for part in judged.parts:
        # what another part made up for is not wanting
        if part.verdict == Verdict.ALLOWED or judged.verdict != Verdict.ALLOWED:
            yield from _judged(part)
    yield from (_wanting(reason) for reason in judged.reasons)


def _reasons(name: str, reasons: "Sequence[Reason]") -> "Iterator[str]":
    """What was found wanting with each piece of evidence; of very many the first ones."""
    yield from (f"{name}: {_wanting(reason)}" for reason in reasons[:_SHOWN_REASONS])
    if len(reasons) > _SHOWN_REASONS:
        yield f"{name}: and {len(reasons) - _SHOWN_REASONS} more, which -o json shows"


def _wanting(reason: Reason) -> str:
    return f"{reason.text} ({reason.code})"


def _vouches(claim: Claim) -> str:
    """Who, in which of the policy's names, when, with which keys."""
    name = claim.signatory.name
    who = name if claim.signer in ("", name) else f"{claim.signer}: {name}"
    when = f", signed {_minute(claim.signed_at)}" if claim.signed_at else ""
    if when and not claim.proven_time:
        when += " (the server says)"
    # a certified identity is its name; only what is written without a space is a key
    keys = claim.signatory.key_ids or [k for k in claim.signatory.keys if " " not in k]
    certified = any(" " in key for key in claim.signatory.keys) and not claim.signatory.key_ids
    by = "" if certified else f", key {', '.join(key[:_KEY_CHARS] for key in keys)}"
    first = ", root believed on first use" if claim.first_use else ""
    stale = ", from an earlier answer" if claim.stale else ""
    until = f", until {_minute(claim.expires)}" if claim.expires and claim.stale else ""
    notes = "".join(f", {label} {text}" for label, text in claim.notes)
    return f"{who}{when}{by}{first}{stale}{until}{notes}"


def _minute(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _moved(decision: Decision) -> "Iterator[str]":
    """Name both digests of a moved tag, who signed, and how to get the signed image."""
    if decision.verdict == Verdict.ALLOWED:
        return
    seen = set()
    for finding in decision.findings:
        if not isinstance(finding, Rejection) or finding.signed_digest is None:
            continue
        if finding.code != Code.MOVED_TAG or finding.signed_digest in seen:
            continue
        seen.add(finding.signed_digest)
        by = f" (by {', '.join(finding.signed_by)})" if finding.signed_by else ""
        asked = "you ask for" if decision.reference.digest else "the tag points to"
        yield f"{asked:18} {decision.subject.digest}"
        yield f"{'signed is':18} {finding.signed_digest}{by}"


def _next(decision: Decision) -> list[str]:
    """Say what to do, one line for each kind of thing that is wanting."""
    repository = decision.reference.repository
    tag = decision.reference.with_default_tag().tag or decision.subject.tag
    words = {
        "repository": repository.familiar,
        "tagged": f"{repository.familiar}:{tag}" if tag else repository.familiar,
    }
    found: dict[str, None] = {}
    for finding in decision.findings:
        if (
            isinstance(finding, Rejection)
            and finding.signed_digest
            and finding.code == Code.MOVED_TAG
        ):
            pinned = f"{repository.familiar}@{finding.signed_digest}"
            found[f"to get the signed image: countermark pull {pinned}"] = None
    for code, scheme in _wanting_codes(decision):
        texts = _NEXT_COSIGN if scheme == "cosign" else _NEXT
        if code in texts:
            found[texts[code].format(**words)] = None
    return list(found)


def _wanting_codes(decision: Decision) -> "Iterator[tuple[Code, str]]":
    """What is wanting, and of which scheme, "" where it is none's."""
    for result in decision.layers:
        if result.verdict == Verdict.ALLOWED:
            continue
        yield from ((reason.code, "") for reason in result.reasons)
        if result.requirement is not None:
            yield from _codes(result.requirement)


def _codes(judged: Judged) -> "Iterator[tuple[Code, str]]":
    """What is wanting where it decides: while a signer is silent, its answer is what to wait for."""
    if judged.verdict != Verdict.ALLOWED:
        wanted = judged.requirement
        scheme = wanted.signer.scheme if isinstance(wanted, Vouched) else ""
        yield from ((reason.code, scheme) for reason in judged.reasons)
        for part in judged.parts:
            if judged.verdict in (part.verdict, Verdict.DENIED):
                yield from _codes(part)


# JSON -----------------------------------------------------------------------------------------------


def as_json(decision: Decision) -> dict[str, object]:
    """Give the decision record for programs: docs/policy.md says what its members mean; they are only added to."""
    subject = decision.subject
    record: dict[str, object] = {
        "version": 1,
        "image": str(decision.reference),
        "repository": subject.repository.name,
        "tag": subject.tag,
        "digest": str(subject.digest),
        "verdict": str(decision.verdict),
        "passes": decision.passes,
        "mode": decision.mode,
        "point": decision.point,
        "time": _time(decision.time),
        "layers": [_layer_json(result) for result in decision.layers],
        "findings": [_finding_json(finding, decision.claims) for finding in decision.findings],
        "remembered": [
            {"seenAt": _time(m.seen_at), **_finding_json(m.claim, decision.claims)}
            for m in decision.remembered
        ],
        "warnings": [_reason_json(reason) for reason in decision.warnings],
        "next": _next(decision) if decision.verdict != Verdict.ALLOWED else [],
    }
    found = _clean(record)
    return found if isinstance(found, dict) else record


def _layer_json(result: LayerResult) -> dict[str, object]:
    rule = result.rule
    return {
        "layer": result.layer,
        "verdict": str(result.verdict),
        "mode": result.mode,
        "effect": result.effect,
        "rule": None if rule is None else {"images": str(rule.images), "line": rule.line},
        "reasons": [_reason_json(reason) for reason in result.reasons],
        "requirement": None if result.requirement is None else _judged_json(result.requirement),
    }


def _judged_json(judged: Judged) -> dict[str, object]:
    wanted = judged.requirement
    members: dict[str, object] = {"verdict": str(judged.verdict)}
    if isinstance(wanted, Vouched):
        members["signer"] = wanted.signer.name
        if wanted.predicate:
            members["predicate"] = wanted.predicate
        if wanted.until is not None:
            members["until"] = _time(wanted.until)
    else:
        members["atLeast"] = wanted.count
        members["of"] = [_judged_json(part) for part in judged.parts]
    members["reasons"] = [_reason_json(reason) for reason in judged.reasons]
    return members


def _reason_json(reason: Reason) -> dict[str, object]:
    return {"code": str(reason.code), "text": reason.text}


def _finding_json(finding: Finding, claims: "Sequence[Claim]") -> dict[str, object]:
    if isinstance(finding, Claim):
        return {"kind": "claim", "counts": finding in claims, **_claim_json(finding)}
    members: dict[str, object] = {
        "kind": "silence" if isinstance(finding, Silence) else "rejection",
        "signer": finding.signer,
        "code": str(finding.code),
        "text": finding.reason,
    }
    if isinstance(finding, Rejection):
        members["path"] = finding.path
        if finding.signed_digest is not None:
            members["signedDigest"] = str(finding.signed_digest)
            members["signedBy"] = list(finding.signed_by)
    return members


def _claim_json(claim: Claim) -> dict[str, object]:
    return {
        "signer": claim.signer,
        "signatory": {
            "scheme": claim.signatory.scheme,
            "name": claim.signatory.name,
            "keys": list(claim.signatory.keys),
            "keyIds": list(claim.signatory.key_ids),
        },
        "digest": str(claim.digest),
        "signedAt": _time(claim.signed_at),
        "provenTime": claim.proven_time,
        "expires": _time(claim.expires),
        "predicate": claim.predicate,
        "pinned": "first-use" if claim.first_use else "pinned",
        "stale": claim.stale,
        "notes": [{"label": label, "text": text} for label, text in claim.notes],
    }


def _time(when: datetime | None) -> str | None:
    return None if when is None else f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _clean(value: object) -> object:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {name: _clean(member) for name, member in value.items()}
    return value
