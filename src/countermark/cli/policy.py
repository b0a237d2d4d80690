"""Check policies, and look at the configuration."""

from countermark.core.reference import ImageReference
from countermark.core.text import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.cli.output import Output

CHECK_EXAMPLES = """examples:
  countermark policy check policy.yaml           exit 0 if it is sound, 2 with file and line if not"""
ORDER_EXAMPLES = """examples:
  countermark policy order --policy policy.yaml registry.example.com/pay:v3"""


def check_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``policy check``."""
    parser.epilog = CHECK_EXAMPLES
    parser.add_argument("file", metavar="FILE", help="the policy file")


def check(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Parse a policy; say what is in it and which rules can never apply."""
    from countermark.policy.match import unreachable  # noqa: PLC0415 - not on the way of a verify

    layer = program.policy_layer(args.file, thoroughly=True)
    for line in unreachable(layer):
        out.warning(line)
    out.result(
        f"{harmless(args.file)}: {len(layer.signers)} signers, {len(layer.rules)} rules, no mistake found"
    )
    return 0


def order_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``policy order``."""
    parser.epilog = ORDER_EXAMPLES
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument("--policy", metavar="FILE", default="", help="the policy file")


def order(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """List the rules that match an image, the one that decides first."""
    reference = ImageReference.parse(args.image).with_default_tag()
    for line in program.policy_order(args.policy, reference):
        out.result(line)
    return 0


def config_show_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``config show``: none."""


def config_show(_args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Print each setting, its value, and where the value comes from."""
    for line in program.config_lines():
        out.result(line)
    return 0
