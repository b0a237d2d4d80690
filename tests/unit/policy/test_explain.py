"""Decisions in words and in JSON, whole."""

from datetime import timedelta
from typing import Any

import pytest

from claims import (
    CASE,
    GOOD,
    IMAGE,
    NOW,
    OTHER,
    SUBJECT,
    all_of,
    choice,
    claim,
    rejection,
    silence,
    some,
    vouched,
)
from countermark.core.claim import Claim, Finding, Rejection
from countermark.core.errors import Code
from countermark.core.reference import ImageReference
from countermark.core.signer import CosignSigner
from countermark.formats import strict_json
from countermark.policy.built_in import built_in
from countermark.policy.decide import decide
from countermark.policy.explain import as_json, in_words, lines
from countermark.policy.model import (
    Case,
    Choice,
    Layer,
    Modes,
    Remembered,
    Requirement,
    Rule,
    Vouched,
)
from countermark.policy.pattern import Pattern

DAY = timedelta(days=1)
ALICE, CI, QA = vouched("alice"), vouched("ci"), vouched("qa")
KEY = "1a2b3c4d5e6f" + "0" * 52
KEY_2 = "77aa88bb99cc" + "0" * 52
BUILT_IN = built_in()


def said(requirement: Requirement, *found: Finding, **layer: Any) -> str:
    return "\n".join(lines(decide([choice(requirement, **layer)], CASE, found, NOW))) + "\n"


def test_allowed_says_who_when_and_with_which_key() -> None:
    text = said(
        all_of(ALICE, some(1, CI, QA)),
        claim("alice", KEY),
        claim("ci", KEY_2, proven_time=True, notes=(("build", "17"),)),
        rejection("qa"),
    )
    assert (
        text
        == f"""\
allowed  acme/pay:v1
  {GOOD}
  policy.yaml:7: allowed, requires alice and (any of ci, qa)
    alice: targets/alice, signed 2026-11-20 10:30 UTC (the server says), key 1a2b3c4d5e6f
    ci: targets/ci, signed 2026-11-20 10:30 UTC, key 77aa88bb99cc, build 17
"""
    )


def test_unknown_says_whom_nobody_could_ask() -> None:
    text = said(
        all_of(ALICE, some(1, CI, QA)),
        claim("alice", KEY, signed_at=None),
        rejection("ci", reason="no signature by ci"),
        silence("qa"),
    )
    assert (
        text
        == f"""\
unknown  acme/pay:v1
  {GOOD}
  policy.yaml:7: unknown, requires alice and (any of ci, qa)
    alice: targets/alice, key 1a2b3c4d5e6f
    ci: no signature by ci (unsigned)
    qa: the server cannot be reached (unavailable)
  next: try again once the trust server can be reached
"""
    )


def moved(signed_by: tuple[str, ...] = ("targets/alice",)) -> Rejection:
    return rejection(
        "alice",
        Code.MOVED_TAG,
        reason="v1 is signed for another digest",
        signed_digest=OTHER,
        signed_by=signed_by,
    )


def test_a_moved_tag_names_both_digests_and_the_way_to_the_signed_one() -> None:
    assert (
        said(ALICE, moved())
        == f"""\
denied  acme/pay:v1
  {GOOD}
  policy.yaml:7: denied, requires alice
    alice: v1 is signed for another digest (moved-tag)
  the tag points to  {GOOD}
  signed is          {OTHER} (by targets/alice)
  next: to get the signed image: countermark pull acme/pay@{OTHER}
"""
    )


def test_a_moved_tag_is_said_once() -> None:
    text = said(all_of(ALICE, CI), moved(), moved(()), rejection("ci"))
    assert text.count("the tag points to") == 1
    assert text.count("countermark pull") == 1


def test_a_moved_tag_that_another_signer_makes_up_for_is_not_said() -> None:
    text = said(some(1, ALICE, CI), moved(), claim("ci", KEY_2))
    assert "moved-tag" not in text
    assert "countermark pull" not in text


def test_a_digest_that_was_asked_for_is_not_the_tags() -> None:
    reference = IMAGE.replace(digest=GOOD)
    case = Case(reference=reference, subject=SUBJECT)
    text = lines(decide([choice(ALICE)], case, [moved(())], NOW))
    assert text[0] == f"denied  acme/pay:v1@{GOOD}"
    assert text[4:6] == [f"  you ask for        {GOOD}", f"  signed is          {OTHER}"]


def test_first_use_is_shown_as_such() -> None:
    decision = decide(
        [Choice(layer=BUILT_IN, rule=BUILT_IN.rules[0])],
        CASE,
        [claim("content-trust", KEY, first_use=True)],
        NOW,
    )
    assert (
        "\n".join(lines(decision))
        == f"""\
allowed  acme/pay:v1
  {GOOD}
  content-trust: allowed
    content-trust: targets/content-trust, signed 2026-11-20 10:30 UTC (the server says), \
key 1a2b3c4d5e6f, root believed on first use
  warning: content-trust: the root was believed on first use; nobody pinned it"""
    )


def test_a_pin_that_is_required_is_asked_for() -> None:
    assert (
        said(ALICE, claim("alice", KEY, first_use=True), require_pin=True)
        == f"""\
denied  acme/pay:v1
  {GOOD}
  policy.yaml:7: denied, requires alice
    alice: rests on a root that nobody pinned, and a pin is required (first-use)
  next: compare the root with its owner, then: countermark trust pin acme/pay
"""
    )


def test_stale_is_shown_as_such() -> None:
    stale = claim("alice", KEY, stale=True, expires=NOW + DAY)
    text = said(ALICE, stale, accept_stale=True)
    assert (
        text
        == f"""\
allowed  acme/pay:v1
  {GOOD}
  policy.yaml:7: allowed, requires alice
    alice: targets/alice, signed 2026-11-20 10:30 UTC (the server says), key 1a2b3c4d5e6f, \
from an earlier answer, until 2026-11-26 12:00 UTC
  warning: alice: no fresh answer was to be had; judged by the last one
"""
    )
    assert (
        said(ALICE, stale)
        == f"""\
unknown  acme/pay:v1
  {GOOD}
  policy.yaml:7: unknown, requires alice
    alice: no fresh answer is to be had, and the last one does not count (stale)
  next: try again once the trust server can be reached
"""
    )


def test_one_signatory_at_two_places() -> None:
    assert (
        said(all_of(ALICE, CI), claim("alice", KEY), claim("ci", KEY))
        == f"""\
denied  acme/pay:v1
  {GOOD}
  policy.yaml:7: denied, requires alice and ci
    alice: targets/alice, signed 2026-11-20 10:30 UTC (the server says), key 1a2b3c4d5e6f
    ci: targets/ci, signed 2026-11-20 10:30 UTC (the server says), key 1a2b3c4d5e6f
    2 different signatories are needed, and some here are the same (same-signatory)
  next: have someone else sign too, with a key of their own
"""
    )


def test_a_mode_that_lets_pass_is_said_first() -> None:
    assert (
        said(ALICE, modes=Modes(default="warn"))
        == f"""\
denied  acme/pay:v1  (let pass: warn)
  {GOOD}
  policy.yaml:7: denied, requires alice
    alice: alice does not vouch for it (unsigned)
  next: have it signed: countermark trust sign acme/pay:v1
"""
    )


def rule(effect: str, **fields: Any) -> Rule:
    return Rule(
        images=Pattern.parse("acme/**"), effect=effect, reason="see SEC-12", line=4, **fields
    )


EFFECTS = [
    (rule("allow"), {}, ["allowed  acme/pay:v1", "  p.yaml:4: allows it: see SEC-12"]),
    (rule("deny"), {}, ["denied  acme/pay:v1", "  p.yaml:4: denies it: see SEC-12"]),
    (
        None,
        {},
        [
            "denied  acme/pay:v1",
            "  p.yaml: denied by default: no rule matches this image",
            "  next: add a rule for it to the policy file: see docs/policy.md",
        ],
    ),
    (
        None,
        {"unmatched": "allow"},
        ["allowed  acme/pay:v1", "  p.yaml: allowed by default: no rule matches this image"],
    ),
    (
        None,
        {"unmatched": "warn"},
        [
            "denied  acme/pay:v1  (let pass: warn)",
            "  p.yaml: denied by default: no rule matches this image",
            "  next: add a rule for it to the policy file: see docs/policy.md",
        ],
    ),
]


@pytest.mark.parametrize(("found", "layer", "text"), EFFECTS)
def test_rules_without_requirements(
    found: Rule | None, layer: dict[str, Any], text: list[str]
) -> None:
    decision = decide([Choice(layer=Layer(name="p.yaml", **layer), rule=found)], CASE, [], NOW)
    assert [line for line in lines(decision) if "sha256" not in line] == text


def test_an_exception_that_ended_is_said() -> None:
    gone = rule("allow", until=NOW - DAY)
    decision = decide([Choice(layer=Layer(name="p.yaml"), ended=(gone,))], CASE, [], NOW)
    assert "  the exception at line 4 ended on 2026-11-24" in lines(decision)
    required = choice(ALICE).replace(ended=(gone,))
    assert "  the exception at line 4 ended on 2026-11-24" in lines(
        decide([required], CASE, [], NOW)
    )


def test_every_layer_is_said_and_only_what_is_wanting_has_a_next_step() -> None:
    chosen = [choice(ALICE), choice(CI).replace(layer=Layer(name="user.yaml"))]
    text = lines(decide(chosen, CASE, [claim("alice", KEY), silence("ci", Code.REFUSED)], NOW))
    assert text[2] == "  policy.yaml:7: allowed, requires alice"
    assert text[4:] == [
        "  user.yaml:7: unknown, requires ci",
        "    ci: the server cannot be reached (refused)",
        "  next: log in to the registry, or ask for access to the repository's trust data",
    ]


def test_an_image_without_a_tag_is_named_as_such() -> None:
    reference = ImageReference.parse(f"acme/pay@{GOOD}")
    case = Case(reference=reference, subject=SUBJECT.replace(tag=None))
    text = lines(decide([choice(ALICE)], case, [], NOW))
    assert text[-1] == "  next: have it signed: countermark trust sign acme/pay"


def test_a_code_without_advice_has_no_next_step() -> None:
    assert "next" not in said(ALICE, rejection("alice", Code.BAD_SIGNATURE))


WORDS = [
    (ALICE, "alice"),
    (vouched("ci", predicate="https://slsa.dev/provenance/v1"), "https://slsa.dev/provenance/v1 by ci"),
    (all_of(ALICE, CI), "alice and ci"),
    (some(1, ALICE, CI), "any of alice, ci"),
    (some(2, ALICE, CI, QA), "at least 2 of alice, ci, qa"),
    (some(1, all_of(ALICE, CI), QA), "any of (alice and ci), qa"),
]  # fmt: skip


@pytest.mark.parametrize(("requirement", "words"), WORDS)
def test_requirements_in_words(requirement: Requirement, words: str) -> None:
    assert in_words(requirement) == words


EVIL = "x\x1b[2J\r\n\u202eallowed"
HARMLESS = r"x\x1b[2J\x0d\x0a\u202eallowed"


def test_foreign_text_cannot_touch_the_terminal() -> None:
    who = claim("alice", EVIL).signatory.replace(name=EVIL)
    found: list[Finding] = [
        claim("alice", signatory=who, notes=((EVIL, EVIL),)),
        rejection("ci", Code.MOVED_TAG, reason=EVIL, path=EVIL, signed_digest=OTHER, signed_by=(EVIL,)),
        silence("qa").replace(reason=EVIL),
    ]  # fmt: skip
    decision = decide([choice(all_of(ALICE, CI, QA))], CASE, found, NOW)
    text = lines(decision)
    assert all(line.isprintable() for line in text)
    assert sum(HARMLESS in line for line in text) == 4
    document = strict_json.pretty(as_json(decision), indent=0).replace("\n", "")
    assert document.isprintable()
    # the backslashes of the escapes are escaped once more by JSON itself
    assert document.count(HARMLESS.replace("\\", "\\\\")) == 10


# JSON -----------------------------------------------------------------------------------------------


def test_the_record_is_complete() -> None:
    found: list[Finding] = [
        claim("alice", KEY, first_use=True, expires=NOW + DAY, notes=(("build", "17"),)),
        claim("alice", KEY, digest=OTHER, signed_at=None),
        moved().replace(signer="ci"),
        silence("qa"),
    ]
    wanted = all_of(ALICE, some(1, CI, vouched("qa", until=NOW + DAY)))
    decision = decide([choice(wanted)], CASE, found, NOW)
    assert as_json(decision) == {
        "version": 1,
        "image": "docker.io/acme/pay:v1",
        "repository": "docker.io/acme/pay",
        "tag": "v1",
        "digest": str(GOOD),
        "verdict": "unknown",
        "passes": False,
        "mode": "enforce",
        "point": "cli",
        "time": "2026-11-25T12:00:00Z",
        "layers": [
            {
                "layer": "policy.yaml",
                "verdict": "unknown",
                "mode": "enforce",
                "effect": "require",
                "rule": {"images": "docker.io/acme/**", "line": 7},
                "reasons": [],
                "requirement": {
                    "verdict": "unknown",
                    "atLeast": 2,
                    "of": [
                        {
                            "verdict": "allowed",
                            "signer": "alice",
                            "reasons": [{"code": "wrong-subject", "text": f"vouches for {OTHER}"}],
                        },
                        {
                            "verdict": "unknown",
                            "atLeast": 1,
                            "of": [
                                {
                                    "verdict": "denied",
                                    "signer": "ci",
                                    "reasons": [
                                        {
                                            "code": "moved-tag",
                                            "text": "v1 is signed for another digest",
                                        }
                                    ],
                                },
                                {
                                    "verdict": "unknown",
                                    "signer": "qa",
                                    "until": "2026-11-26T12:00:00Z",
                                    "reasons": [
                                        {
                                            "code": "unavailable",
                                            "text": "the server cannot be reached",
                                        }
                                    ],
                                },
                            ],
                            "reasons": [],
                        },
                    ],
                    "reasons": [],
                },
            }
        ],
        "findings": [
            {
                "kind": "claim",
                "counts": True,
                "signer": "alice",
                "signatory": {
                    "scheme": "dct",
                    "name": "targets/alice",
                    "keys": [KEY],
                    "keyIds": [],
                },
                "digest": str(GOOD),
                "signedAt": "2026-11-20T10:30:00Z",
                "provenTime": False,
                "expires": "2026-11-26T12:00:00Z",
                "predicate": "",
                "pinned": "first-use",
                "stale": False,
                "notes": [{"label": "build", "text": "17"}],
            },
            {
                "kind": "claim",
                "counts": False,
                "signer": "alice",
                "signatory": {
                    "scheme": "dct",
                    "name": "targets/alice",
                    "keys": [KEY],
                    "keyIds": [],
                },
                "digest": str(OTHER),
                "signedAt": None,
                "provenTime": False,
                "expires": None,
                "predicate": "",
                "pinned": "pinned",
                "stale": False,
                "notes": [],
            },
            {
                "kind": "rejection",
                "signer": "ci",
                "code": "moved-tag",
                "text": "v1 is signed for another digest",
                "path": "",
                "signedDigest": str(OTHER),
                "signedBy": ["targets/alice"],
            },
            {
                "kind": "silence",
                "signer": "qa",
                "code": "unavailable",
                "text": "the server cannot be reached",
            },
        ],
        "remembered": [],
        "warnings": [
            {
                "code": "first-use",
                "text": "alice: the root was believed on first use; nobody pinned it",
            }
        ],
        "next": [
            f"to get the signed image: countermark pull acme/pay@{OTHER}",
            "try again once the trust server can be reached",
        ],
    }


def test_the_record_of_an_exception() -> None:
    chosen = Choice(layer=Layer(name="p.yaml"), rule=rule("allow"))
    record = as_json(decide([chosen], CASE, [], NOW))
    assert record["verdict"] == "allowed"
    assert record["next"] == []
    assert record["layers"] == [
        {
            "layer": "p.yaml",
            "verdict": "allowed",
            "mode": "enforce",
            "effect": "allow",
            "rule": {"images": "docker.io/acme/**", "line": 4},
            "reasons": [{"code": "exception", "text": "see SEC-12"}],
            "requirement": None,
        }
    ]
    unmatched = as_json(decide([Choice(layer=Layer(name="p.yaml"))], CASE, [], NOW))
    assert unmatched["layers"][0]["rule"] is None  # type: ignore[index]


def test_what_is_remembered_is_in_the_record() -> None:
    kept = Remembered(claim=claim("alice", KEY, stale=True), seen_at=NOW - timedelta(hours=2))
    chosen = choice(ALICE, last_good=DAY)
    record = as_json(decide([chosen], CASE, [silence("alice")], NOW, [kept]))
    memory = record["remembered"][0]  # type: ignore[index]
    assert memory["seenAt"] == "2026-11-25T10:00:00Z"
    assert (memory["counts"], memory["stale"]) == (True, True)


def test_an_attestation_is_named() -> None:
    wanted = vouched("ci", predicate="https://slsa.dev/provenance/v1")
    record = as_json(decide([choice(wanted)], CASE, [], NOW))
    judged = record["layers"][0]["requirement"]  # type: ignore[index]
    assert judged["predicate"] == "https://slsa.dev/provenance/v1"


def test_a_rejection_names_a_signed_digest_only_where_there_is_one() -> None:
    record = as_json(decide([choice(ALICE)], CASE, [rejection("alice", path="targets/a")], NOW))
    assert record["findings"] == [
        {
            "kind": "rejection",
            "signer": "alice",
            "code": "unsigned",
            "text": "unsigned evidence",
            "path": "targets/a",
        }
    ]


# Cosign -----------------------------------------------------------------------------------------------

SLSA = "https://slsa.dev/provenance/v1"


def cosign(name: str, **fields: Any) -> Vouched:
    signer = CosignSigner(name=name, key="a key", **fields)
    return Vouched(signer=signer, predicate=signer.predicate)


def by_identity(name: str, **fields: Any) -> Claim:
    who = "https://github.com/acme/pay/ci.yml"
    made = claim(name, f"https://issuer.test {who}", KEY, scheme="cosign", **fields)
    return made.replace(signatory=made.signatory.replace(name=who))


def test_a_certified_identity_is_a_name_and_not_a_key() -> None:
    ci, qa = cosign("ci"), cosign("qa")
    by_qa = claim("qa", KEY_2, scheme="cosign", signed_at=None)
    text = said(
        all_of(ci, qa),
        by_identity("ci", proven_time=True, notes=(("issuer", "https://issuer.test"),)),
        by_qa.replace(signatory=by_qa.signatory.replace(name="key holder", key_ids=(KEY_2,))),
    )
    assert (
        text
        == f"""\
allowed  acme/pay:v1
  {GOOD}
  policy.yaml:7: allowed, requires ci and qa
    ci: https://github.com/acme/pay/ci.yml, signed 2026-11-20 10:30 UTC, issuer https://issuer.test
    qa: key holder, key 77aa88bb99cc
"""
    )


def test_an_attestation_is_demanded_by_its_name() -> None:
    wanted = cosign(f"ci (attested {SLSA})", predicate=SLSA)
    assert in_words(wanted) == f"ci (attested {SLSA})"
    assert f"requires ci (attested {SLSA})" in said(wanted)


NEXT = [
    (Code.UNSIGNED, "have it signed: countermark sign acme/pay:v1"),
    (Code.IDENTITY, "ask its owner who signs it"),
    (Code.BAD_SIGNATURE, "ask its owner with which key"),
    (Code.NOT_LOGGED, "accept it unlogged: docs/policy.md"),
    (Code.PREDICATE, "have it signed or attested"),
    (Code.UNAVAILABLE, "once the registry can be reached"),
]


@pytest.mark.parametrize(("code", "words"), NEXT)
def test_what_to_do_about_cosigns_signatures(code: Code, words: str) -> None:
    found = silence("ci") if code == Code.UNAVAILABLE else rejection("ci", code)
    assert words in said(cosign("ci"), found).rpartition("next: ")[2]


def test_of_very_many_reasons_the_first_are_told() -> None:
    many = [rejection("ci", Code.IDENTITY, reason=f"bundle {n}: another") for n in range(40)]
    text = said(cosign("ci"), *many)
    assert "bundle 11: another (identity)" in text
    assert "bundle 12" not in text
    assert "ci: and 28 more, which -o json shows" in text
    decision = decide([choice(cosign("ci"))], CASE, many, NOW)
    assert len(as_json(decision)["findings"]) == 40  # type: ignore[arg-type]
