"""Which rule decides: order, exceptions that end, clashes, rules that never decide."""

from datetime import timedelta

import pytest

from claims import NOW, vouched
from countermark.core.reference import ImageReference
from countermark.policy.match import choose, clashes, order, unreachable
from countermark.policy.model import Layer, Modes, Rule
from countermark.policy.pattern import Pattern

DAY = timedelta(days=1)
D = "@sha256:" + "a" * 64


def rule(images: str, who: str = "a", **fields: object) -> Rule:
    given: dict[str, object] = {"effect": "require", "requirement": vouched(who)}
    if fields.get("effect") in ("allow", "deny"):
        given = {"reason": "because"}
    return Rule(images=Pattern.parse(images), **(given | fields))  # type: ignore[arg-type]


def layer(*rules: Rule) -> Layer:
    return Layer(
        name="policy.yaml",
        rules=tuple(r.replace(line=number) for number, r in enumerate(rules, start=1)),
    )


def winner(found: Layer, image: str, namespace: str = "") -> int | None:
    chosen = choose(found, ImageReference.parse(image).with_default_tag(), NOW, namespace).rule
    return chosen.line if chosen else None


LADDER = layer(
    rule("**"),
    rule("docker.io/**"),
    rule("acme/**"),
    rule("acme/*"),
    rule("acme/pay"),
    rule("acme/pay:v*"),
    rule("acme/pay:v1"),
    rule(f"acme/pay{D}"),
)

WINNERS = [
    ("quay.io/x", 1),
    ("alpine", 2),
    ("acme/a/b", 3),
    ("acme/shop", 4),
    ("acme/pay", 5),
    ("acme/pay:v2", 6),
    ("acme/pay:v1", 7),
    (f"acme/pay:v1{D}", 8),
    (f"acme/pay{D}", 8),
]


@pytest.mark.parametrize(("image", "line"), WINNERS)
def test_the_most_specific_rule_decides(image: str, line: int) -> None:
    assert winner(LADDER, image) == line
    assert winner(layer(*LADDER.rules[::-1]), image) == len(LADDER.rules) + 1 - line


def test_no_rule_decides_where_none_matches() -> None:
    assert winner(layer(rule("acme/**")), "alpine") is None


def test_priority_goes_before_all_specificity() -> None:
    assert winner(layer(rule("**", priority=1), rule("acme/pay:v1")), "acme/pay:v1") == 1
    assert winner(layer(rule("**"), rule("acme/pay:v1", priority=-1)), "acme/pay:v1") == 1


def test_an_exception_that_ended_makes_way() -> None:
    found = layer(rule("acme/**"), rule("acme/pay", effect="allow", until=NOW))
    image = ImageReference.parse("acme/pay")
    before = choose(found, image, NOW - timedelta(seconds=1))
    assert (before.rule, before.ended) == (found.rules[1], ())
    after = choose(found, image, NOW)
    assert (after.rule, after.ended) == (found.rules[0], (found.rules[1],))


def test_an_exception_that_would_not_have_decided_is_not_named() -> None:
    found = layer(rule("acme/pay"), rule("acme/**", effect="allow", until=NOW))
    assert choose(found, ImageReference.parse("acme/pay"), NOW).ended == ()
    assert choose(found, ImageReference.parse("acme/shop"), NOW).ended == (found.rules[1],)


NAMESPACES = [
    ("prod-1", 1),
    ("prod-", 1),
    ("dev", 3),
    ("staging", 2),
    ("", 3),
]


@pytest.mark.parametrize(("namespace", "line"), NAMESPACES)
def test_rules_for_namespaces_go_before_those_for_all(namespace: str, line: int) -> None:
    found = layer(
        rule("acme/**", namespaces=("prod-*",)),
        rule("acme/**", namespaces=("staging", "test"), who="b"),
        rule("acme/**", who="c"),
    )
    assert winner(found, "acme/pay", namespace) == line
    assert list(clashes(found)) == []


def test_order_lists_candidates_best_first() -> None:
    found = order(LADDER, ImageReference.parse("acme/pay:v1"), NOW)
    assert [r.line for r in found.candidates] == [7, 6, 5, 4, 3, 2, 1]
    assert found.winner == LADDER.rules[6]
    nothing = order(layer(), ImageReference.parse("acme/pay"), NOW)
    assert (nothing.candidates, nothing.winner) == ((), None)


CLASHES = [
    ([rule("acme/pay"), rule("acme/pay", "b")], [(1, 2)]),
    ([rule("acme/pay"), rule("acme/pay")], []),
    ([rule("acme/pay"), rule("acme/shop", "b")], []),
    ([rule("acme/a*"), rule("acme/*z", "b")], [(1, 2)]),
    ([rule("acme/a*b"), rule("acme/c*", "b")], []),
    ([rule("acme/pay:v*"), rule("acme/pay:*1", "b")], [(1, 2)]),
    ([rule("acme/pay:v*"), rule("acme/shop:v*", "b")], []),
    ([rule("acme/pay:v*"), rule("acme/pay:x*", "b")], []),
    ([rule("ghcr.io/**/x"), rule("ghcr.io/**/y", "b")], []),
    ([rule("ghcr.io/**/x*"), rule("ghcr.io/**/*y", "b")], [(1, 2)]),
    ([rule("acme/pay"), rule("acme/pay", effect="deny")], [(1, 2)]),
    ([rule("acme/pay"), rule("acme/pay", modes=Modes(default="warn"))], [(1, 2)]),
    ([rule("acme/pay", effect="deny"), rule("acme/pay", effect="deny", reason="else")], [(1, 2)]),
    ([rule("acme/pay"), rule("acme/pay", "b", priority=1)], []),
    ([rule("acme/pay", namespaces=("a*",)), rule("acme/pay", "b", namespaces=("*b",))], [(1, 2)]),
    ([rule("acme/pay", namespaces=("a",)), rule("acme/pay", "b", namespaces=("b",))], []),
    (
        [rule("acme/pay"), rule("acme/*"), rule("acme/pay", "b"), rule("acme/*", "b")],
        [(1, 3), (2, 4)],
    ),
]


@pytest.mark.parametrize(("rules", "pairs"), CLASHES)
def test_equal_rank_and_different_outcomes_clash(
    rules: list[Rule], pairs: list[tuple[int, int]]
) -> None:
    assert [(one.line, other.line) for one, other in clashes(layer(*rules))] == pairs


def test_a_long_policy_loads_fast() -> None:
    many = layer(*(rule(f"acme/p{number}", f"s{number}") for number in range(3000)))
    assert list(clashes(many)) == []


UNREACHABLE = [
    ([rule("acme/pay"), rule("acme/pay")], [2]),
    ([rule("acme/**", priority=1), rule("acme/pay")], [2]),
    ([rule("acme/pay"), rule("acme/**", priority=1)], [1]),
    ([rule("acme/pay", priority=1), rule("acme/**")], []),
    ([rule("ghcr.io/a/*/**"), rule("ghcr.io/a/**/b")], [2]),
    ([rule("acme/**", priority=1, namespaces=("prod-*",)), rule("acme/pay")], []),
    ([rule("acme/**", priority=1), rule("acme/pay", namespaces=("prod",))], [2]),
    (
        [
            rule("acme/**", priority=1, namespaces=("prod-*",)),
            rule("acme/pay", namespaces=("prod-a", "prod-b*")),
        ],
        [2],
    ),
    (
        [
            rule("acme/**", priority=1, namespaces=("prod-*",)),
            rule("acme/pay", namespaces=("prod-a", "dev")),
        ],
        [],
    ),
    # an exception makes way once it ends
    ([rule("acme/**", priority=1, effect="allow", until=NOW + DAY), rule("acme/pay")], []),
]


@pytest.mark.parametrize(("rules", "lines"), UNREACHABLE)
def test_rules_that_never_decide_are_reported(rules: list[Rule], lines: list[int]) -> None:
    found = unreachable(layer(*rules))
    assert [int(text.split(":")[1]) for text in found] == lines


def test_the_report_names_both_rules() -> None:
    assert unreachable(layer(rule("acme/**", priority=1), rule("acme/pay"))) == [
        "policy.yaml:2: the rule for docker.io/acme/pay never decides: line 1 (docker.io/acme/**) goes before it"
    ]
