"""Remove what nothing names any more from a server's folder."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.cli.output import Output

EXAMPLES = """examples:
  countermark clean --data /srv/trust          safe beside a running server: what is younger than a day stays"""


def clean_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``clean``."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "--data", metavar="DIR", default="", help="the folder of serve (default: as serve has it)"
    )


def clean(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Remove blobs that no manifest names, and uploads that nobody finished."""
    from countermark.assembly import server_cleaning  # noqa: PLC0415 - one command

    for line in server_cleaning.clean(program.hosting.data(args.data), program.now()):
        out.result(line)
    return 0
