"""Send and fetch images: push signs on request, pull takes only what is vouched for."""

from countermark.cli.verify import policy_arguments, show_decision, status_of
from countermark.core.errors import InputError
from countermark.core.reference import ImageReference
from countermark.core.text import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.cli.output import Output

PLACES = """places (SOURCE, DEST), in skopeo's notation:
  oci:DIR[:NAME]              an OCI layout folder
  docker-archive:FILE[:REF]   a file of docker save
  docker-daemon:IMAGE         the docker daemon's store"""

PUSH_EXAMPLES = f"""{PLACES}

examples:
  countermark push oci:build registry.example.com/pay:v3 --sign
  countermark push docker-daemon:pay:v3 registry.example.com/pay:v3
  DOCKER_CONTENT_TRUST=1 countermark push docker-archive:pay.tar registry.example.com/pay:v3"""

PULL_EXAMPLES = f"""{PLACES}

examples:
  countermark pull registry.example.com/pay:v3                    into the docker daemon, tagged
  countermark pull registry.example.com/pay:v3 --to oci:pay       into a folder
  countermark pull --policy policy.yaml registry.example.com/pay@sha256:... --to docker-archive:pay.tar

exit: 0 fetched, 1 denied, 3 unknown; nothing is fetched unless it is vouched for"""


def push_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``push``."""
    parser.epilog = PUSH_EXAMPLES
    parser.add_argument("source", metavar="SOURCE", help="where the image is")
    parser.add_argument("image", metavar="IMAGE:TAG", help="the name that it gets")
    parser.add_argument(
        "--sign", action="store_true", help="sign the tag (also with DOCKER_CONTENT_TRUST=1)"
    )


def push(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Copy an image to a registry, every part of it; then sign its tag if asked to."""
    reference = ImageReference.parse(args.image)
    if reference.digest is not None:
        raise InputError("cannot push a digest reference", hint="give the name with a tag")
    reference = reference.with_default_tag()
    subject = program.images(out).push(args.source, reference)
    out.result(f"{reference.familiar}@{subject.digest}")
    if args.sign or program.content_trust_is_on:
        from countermark.cli import trust_sign  # noqa: PLC0415 - only who signs needs the keys' code

        trust_sign.sign_subject(subject, reference, program, out)
    return 0


def pull_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``pull``."""
    parser.epilog = PULL_EXAMPLES
    parser.add_argument("image", metavar="IMAGE", help="the image: name, tag, digest or both")
    parser.add_argument(
        "--to", metavar="DEST", default="", help="where to put it (default: the docker daemon)"
    )
    policy_arguments(parser)


def pull(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Judge an image as ``verify`` does, then fetch the digest that was judged."""
    reference = ImageReference.parse(args.image).with_default_tag()
    images = program.images(out, args.policy)
    images.check_destination(args.to, reference)
    decision = program.engine(policy_file=args.policy, require_pin=args.require_pin).verify(
        reference
    )
    show_decision(decision, out)
    if not decision.passes:
        return status_of(decision)
    where = images.pull(decision.subject, reference, args.to)
    out.result(
        f"{harmless(reference.familiar.partition('@')[0])}@{decision.subject.digest} -> {where}"
    )
    return 0
