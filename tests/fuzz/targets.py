"""Every reader that is fuzzed, by name, and the bytes that once went wrong."""

from pathlib import Path

from fuzz import format_targets, outside_targets, proof_targets
from fuzz.target import Target

FAULTS = Path(__file__).parents[1] / "vectors" / "fuzz"
TARGETS: dict[str, Target] = {
    target.name: target
    for target in (*format_targets.TARGETS, *proof_targets.TARGETS, *outside_targets.TARGETS)
}


def faults(target: Target) -> dict[str, bytes]:
    """What fuzzing found wrong in a reader once, each under the name of the fault."""
    return {path.name: path.read_bytes() for path in sorted((FAULTS / target.name).glob("*"))}
