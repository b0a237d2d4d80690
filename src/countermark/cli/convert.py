"""``convert`` puts attestations there in the other form too, so that older or newer programs see them."""

from countermark.assembly.cosign_registry import RegistryAccess
from countermark.core.reference import ImageReference
from countermark.core.text import harmless
from countermark.formats import oci
from countermark.schemes.cosign.converting import BUNDLE, LEFT, LEGACY

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.cli.output import Output
    from countermark.schemes.cosign.converting import Converted

EXAMPLES = """examples:
  countermark convert --to bundle registry.example.com/pay:v3
  countermark convert --to legacy --key cosign.pub registry.example.com/pay:v3

Signature, statement, certificate and log entry stay as they are; the attestations that are there stay too. What the
other form cannot hold is left, with the reason: an entry of Rekor 2 in the older form, a timestamp in either. Images'
signatures sign other bytes in each form: sign again, with --format both.

exit: 0 all are there in that form, 1 some are not"""


def convert_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``convert``."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("image", metavar="IMAGE", help="the image: name, tag, digest or both")
    add("--to", choices=(BUNDLE, LEGACY), required=True, help="the form that is wanted")
    add(
        "--key",
        metavar="REF",
        default="",
        help="the public key that signed, which bundles without a certificate name",
    )
    add(
        "--rekor-url",
        metavar="URL",
        default="https://rekor.sigstore.dev",
        help="the Rekor 1 that has the entries: bundles need its proof",
    )
    add("-o", "--output", choices=("text", "json"), default="text", help="how to show it")


def convert(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Convert what lies beside an image, and beside the images that an index names."""
    reference = ImageReference.parse(args.image).with_default_tag()
    access = RegistryAccess()
    manifests = program.cosign.manifests(access, reference)
    converter = program.cosign.converter(access, reference.repository, args.key, args.rekor_url)
    done: list[Converted] = []
    try:
        for each in manifests:
            for one in converter.convert(oci.describe(each), args.to):
                done.append(one)
                if args.output == "text":
                    _show(one, out)
    finally:
        if args.output == "json":
            out.document({"version": 1, "attestations": [_record(one) for one in done]})
    if not done and args.output == "text":
        out.result("there is no attestation in the other form")
    return 1 if any(one.state == LEFT for one in done) else 0


def _show(one: "Converted", out: "Output") -> None:
    what = one.type or "an attestation"
    out.result(
        f"{out.styled(one.state, 'warn' if one.state == LEFT else 'good')}  {harmless(what)}"
    )
    for line in (one.location, one.reason):
        if line:
            out.result(f"  {harmless(line)}")


def _record(one: "Converted") -> "dict[str, str]":
    return {
        "state": one.state,
        "predicateType": one.type,
        "location": one.location,
        "reason": one.reason,
    }
