"""Carry trust over: what content trust vouches for is signed with cosign, by digest, resumably, with a report."""

from countermark.cli.signing_flags import signer_of, signing_arguments
from countermark.core.errors import InputError
from countermark.core.reference import ImageReference
from countermark.core.text import harmless
from countermark.migration import FAILED, MISSING, PRESENT, SIGNED

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.cli.output import Output
    from countermark.core.reference import Repository
    from countermark.migration import Carried

EXAMPLES = """examples:
  countermark migrate dct-to-cosign --key cosign.key --no-log registry.example.com/pay
  countermark migrate dct-to-cosign registry.example.com/pay registry.example.com/web      as yourself
  countermark migrate dct-to-cosign --key cosign.key --no-log --report registry.example.com/pay

Each image that a tag's trust data name is signed once, by its digest; who signed before, and the tags, go into the
annotations countermark.dct.signers and countermark.dct.tags. What is signed already is left as it is: run it again
after an interruption, or with --report to see what is still missing. Trust data stay as they are; a policy may ask
for either of both until a date, and then for cosign (docs/policy.md).

exit: 0 nothing is missing, 1 something is"""

_STYLES = {SIGNED: "good", PRESENT: "good", MISSING: "warn", FAILED: "bad"}


def dct_to_cosign_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``migrate dct-to-cosign``."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("repositories", nargs="+", metavar="REPOSITORY", help="a repository, without a tag")
    add("--report", action="store_true", help="sign nothing, and say what is missing")
    signing_arguments(parser)


def dct_to_cosign(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Sign what is vouched for and not signed yet; tell of each image as it is done."""
    repositories = [_repository(text) for text in args.repositories]
    migration = program.cosign.migration(signer_of(args, program, out))
    done: list[Carried] = []
    try:
        for each in migration.carry(repositories, only_report=args.report):
            done.append(each)
            if args.output == "text":
                _show(each, out)
    finally:
        if args.output == "json":
            out.document({"version": 1, "images": [_record(each) for each in done]})
    missing = sum(not each.is_done for each in done)
    if args.output == "text":
        out.result(f"{len(done)} images, {missing} missing" if done else "nothing is vouched for")
    return 1 if missing else 0


def _repository(text: str) -> "Repository":
    found = ImageReference.parse(text)
    if found.tag is not None or found.digest is not None:
        raise InputError(
            f"{text} is an image, and trust data belong to a repository",
            hint=f"say {found.repository.familiar}: all of its tags are looked at",
        )
    return found.repository


def _show(each: "Carried", out: "Output") -> None:
    name = harmless(each.repository)
    image = f"{name}@{each.digest}" if each.digest is not None else name
    out.result(f"{out.styled(each.state, _STYLES[each.state])}  {image}")
    if each.tags:
        out.result(f"  tags {harmless(', '.join(each.tags))}")
    if each.moved:
        out.result(f"  mean another image by now: {harmless(', '.join(each.moved))}")
    if each.reason:
        out.result(f"  {harmless(each.reason)}")
    if each.location:
        out.result(f"  {harmless(each.location)}")


def _record(each: "Carried") -> "dict[str, object]":
    return {
        "repository": each.repository,
        "digest": str(each.digest) if each.digest is not None else None,
        "state": each.state,
        "tags": list(each.tags),
        "moved": list(each.moved),
        "reason": each.reason,
        "location": each.location,
    }
