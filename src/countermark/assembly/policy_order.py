"""Which rules match an image, in words."""

from countermark.assembly.program import clock
from countermark.core.reference import ImageReference
from countermark.policy.match import order
from countermark.policy.model import Policy


def lines(policy: Policy, reference: ImageReference) -> list[str]:
    """A line for each layer, then its matching rules, the deciding one first."""
    found = []
    for layer in policy.layers:
        found.append(f"{layer.name}:")
        ranked = order(layer, reference, clock())
        for place, rule in enumerate(ranked.candidates):
            mark = "decides" if place == 0 else "hidden"
            found.append(f"  {mark:8} line {rule.line}: {rule.images}  ({rule.effect})")
        found += [f"  ended    line {rule.line}: {rule.images}" for rule in ranked.ended]
        if not ranked.candidates:
            found.append(f"  no rule matches: unmatched is {layer.unmatched}")
    return found
