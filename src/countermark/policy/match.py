"""Which rule decides about an image: the most specific of those that match."""

from countermark.core.light import datetime
from countermark.core.reference import ImageReference, Subject
from countermark.core.value import Value
from countermark.policy.model import Choice, Layer, Rule
from countermark.policy.pattern import glob_covers, globs_meet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Order(Value):
    """The rules of a layer that match an image, the one that decides first; ``ended`` no longer count."""

    candidates: tuple[Rule, ...]
    ended: tuple[Rule, ...]

    @property
    def winner(self) -> Rule | None:
        """The rule that decides, None where the layer's ``unmatched`` does."""
        return self.candidates[0] if self.candidates else None


def choose(
    layer: Layer, image: Subject | ImageReference, now: datetime, namespace: str = ""
) -> Choice:
    """Find what a layer has to say about an image, in a namespace where the point knows one."""
    found = order(layer, image, now, namespace)
    winner = found.winner
    ended = tuple(r for r in found.ended if winner is None or rank(r) < rank(winner))
    return Choice(layer=layer, rule=winner, ended=ended)


def order(
    layer: Layer, image: Subject | ImageReference, now: datetime, namespace: str = ""
) -> Order:
    """List the rules that match an image, best first."""
    found = sorted(
        (r for r in layer.rules if r.images.matches(image) and _is_for(r, namespace)), key=rank
    )
    return Order(
        candidates=tuple(r for r in found if not _has_ended(r, now)),
        ended=tuple(r for r in found if _has_ended(r, now)),
    )


def rank(rule: Rule) -> tuple[int, ...]:
    """The lower goes first: priority, then the pattern's specificity, then rules for some namespaces before all."""
    return (-rule.priority, *rule.images.specificity, int(not rule.namespaces))


def clashes(layer: Layer) -> "Iterator[tuple[Rule, Rule]]":
    """Find pairs of rules of equal rank that can meet on an image and say different things about it."""
    groups: dict[tuple[object, ...], list[Rule]] = {}
    for rule in layer.rules:
        # up to the first '**' the components of two rules of equal rank stand in the same places,
        # so rules with different literals there never meet: this keeps long policies fast to load
        parts = rule.images.parts
        head = parts[: parts.index("**")] if "**" in parts else parts
        key = (*rank(rule), *(part for part in head if "*" not in part))
        others = groups.setdefault(key, [])
        for other in others:
            if other.outcome != rule.outcome and _can_meet(other, rule):
                yield other, rule
        others.append(rule)


def unreachable(layer: Layer) -> list[str]:
    """Say which rules can never decide, because a better one matches all of their images."""
    found: list[tuple[Rule, Rule]] = []
    before: list[Rule] = []
    for rule in sorted(layer.rules, key=rank):  # among equals, the order written
        better = next((b for b in before if _hides(b, rule)), None)
        if better is not None:
            found.append((rule, better))
        elif rule.until is None:  # an exception makes way once it ends
            before.append(rule)
    return [
        f"{layer.name}:{rule.line}: the rule for {rule.images} never decides: "
        f"line {better.line} ({better.images}) goes before it"
        for rule, better in sorted(found, key=lambda pair: pair[0].line)
    ]


def _hides(better: Rule, rule: Rule) -> bool:
    return better.images.covers(rule.images) and _covers_namespaces(better, rule)


def _covers_namespaces(better: Rule, rule: Rule) -> bool:
    return not better.namespaces or (
        bool(rule.namespaces)
        and all(any(glob_covers(b, n) for b in better.namespaces) for n in rule.namespaces)
    )


def _can_meet(one: Rule, other: Rule) -> bool:
    # of equal rank either both name namespaces or neither does
    return one.images.meets(other.images) and (
        not one.namespaces
        or any(globs_meet(a, b) for a in one.namespaces for b in other.namespaces)
    )


def _is_for(rule: Rule, namespace: str) -> bool:
    return not rule.namespaces or any(glob_covers(n, namespace) for n in rule.namespaces)


def _has_ended(rule: Rule, now: datetime) -> bool:
    return rule.until is not None and now >= rule.until
