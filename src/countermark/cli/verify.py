"""Say who vouches for images, and whether that is enough."""

from countermark.core.errors import CountermarkError, EvidenceError
from countermark.core.reference import ImageReference
from countermark.core.text import harmless
from countermark.policy import explain
from countermark.policy.model import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.cli.output import Output
    from countermark.engine import Engine
    from countermark.policy.model import Decision

_EXIT = {Verdict.ALLOWED: 0, Verdict.DENIED: 1, Verdict.UNKNOWN: 3}

# the options of cli/verify_flags.py, by their names in the parsed words
_POLICY_WORDS = (
    "key",
    "identity",
    "issuer",
    "threshold",
    "attestation",
    "annotations",
    "trusted_root",
    "offline",
    "accept_unlogged",
    "recursive",
)

EXAMPLES = """examples:
  countermark verify alpine:3                     is it vouched for? (Docker Content Trust, root on first use)
  countermark verify --policy policy.yaml registry.example.com/pay:v3
  countermark verify --require-pin -o json registry.example.com/pay:v3 | jq .decisions[0].verdict
  countermark verify registry.example.com/pay:v3@sha256:...     the signed digest must be this one
  countermark verify --key cosign.pub --accept-unlogged "our own key" registry.example.com/pay:v3
  countermark verify --identity ci@example.com --issuer https://trust.example.com/identity --offline \
    --trusted-root trusted_root.json --attestation slsaprovenance1 registry.example.com/pay:v3

exit: 0 all allowed, 1 any denied, else 3 any unknown"""


def policy_arguments(parser: "argparse.ArgumentParser") -> None:
    """The options of every command that judges images."""
    parser.add_argument(
        "--policy", metavar="FILE", default="", help="the policy file (default: see docs/policy.md)"
    )
    parser.add_argument(
        "--require-pin", action="store_true", help="refuse roots believed on first use"
    )


def verify_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``verify``."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="an image: name, tag, digest or both"
    )
    policy_arguments(parser)
    from countermark.cli import verify_flags  # noqa: PLC0415 - a cold start without options loads none of it

    verify_flags.arguments(parser)
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="how to show it"
    )


def verify(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Judge each image; 1 where any is denied, else 3 where any is unknown, else 0."""
    references = [ImageReference.parse(text).with_default_tag() for text in args.images]
    images = args.images
    if any(vars(args).get(name) for name in _POLICY_WORDS):
        from countermark.cli import verify_flags  # noqa: PLC0415 - as above

        engine = _engine(args, program)
        if args.recursive:
            references = verify_flags.with_children(references, program)
            images = [reference.familiar for reference in references]
    else:
        engine = program.engine(policy_file=args.policy, require_pin=args.require_pin)
    results: list[Decision | CountermarkError] = []
    for reference in references:
        try:
            results.append(engine.verify(reference))
        except CountermarkError as error:
            if error.exit_status not in (1, 3, 4):
                raise
            results.append(error)
    show(images, results, out, as_json=args.output == "json")
    statuses = [status_of(result) for result in results]
    return next((s for s in (1, 4, 3) if s in statuses), 0)


def _engine(args: "argparse.Namespace", program: "Program") -> "Engine":
    from countermark.cli import verify_flags  # noqa: PLC0415 - as above

    if verify_flags.given(args):
        return verify_flags.engine(args, program)
    return program.engine(policy_file=args.policy, require_pin=args.require_pin)


def status_of(result: "Decision | CountermarkError") -> int:
    """The exit status of one result: a decision's verdict, or why there could be none."""
    if isinstance(result, CountermarkError):
        return result.exit_status
    return 0 if result.passes else _EXIT[result.verdict]


def show(
    images: list[str], results: "list[Decision | CountermarkError]", out: "Output", *, as_json: bool
) -> None:
    """Print the results, each in its few lines or all in one document."""
    if as_json:
        out.document(
            {
                "version": 1,
                "decisions": [record(i, r) for i, r in zip(images, results, strict=True)],
            }
        )
        return
    for position, (image, result) in enumerate(zip(images, results, strict=True)):
        if position:
            out.result()
        if isinstance(result, CountermarkError):
            style = "bad" if isinstance(result, EvidenceError) else "warn"
            word = "denied" if isinstance(result, EvidenceError) else "unknown"
            out.result(f"{out.styled(word, style)}  {harmless(image)}")
            out.result(f"  {harmless(str(result))} ({result.code})")
            for line in result.hint.splitlines():
                out.result(f"  {harmless(line)}")
            continue
        show_decision(result, out)


def show_decision(decision: "Decision", out: "Output") -> None:
    """Print one decision, its first word coloured."""
    style = {Verdict.ALLOWED: "good", Verdict.DENIED: "bad", Verdict.UNKNOWN: "warn"}[
        decision.verdict
    ]
    first, *rest = explain.lines(decision)
    word, space, tail = first.partition(" ")
    out.result(out.styled(word, style) + space + tail)
    for line in rest:
        out.result(line)


def record(image: str, result: "Decision | CountermarkError") -> dict[str, object]:
    """One result for programs: the decision record, or why there was none."""
    if not isinstance(result, CountermarkError):
        return explain.as_json(result)
    verdict = "denied" if isinstance(result, EvidenceError) else "unknown"
    return {
        "image": image,
        "verdict": verdict,
        "error": {"code": str(result.code), "message": str(result), "hint": result.hint},
    }
