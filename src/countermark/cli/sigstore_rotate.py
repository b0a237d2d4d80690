"""New keys for the services of a private Sigstore."""

from countermark.cli import serve
from countermark.core.errors import InputError
from countermark.core.text import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from countermark.cli.output import Output

    class Hosting(Protocol):
        """What this command asks about the server."""

        def rotate(self, flags: Mapping[str, object], what: str, url: str) -> Sequence[str]:
            """Rotate in a server's folder; return what is to be told."""
            ...

    class Program(Protocol):
        """What this command asks of the program."""

        @property
        def hosting(self) -> Hosting: ...


def rotate_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``sigstore rotate``."""
    parser.epilog = """examples:
  countermark sigstore rotate ca --data /srv/trust      the certificate authority: a new key under a new root
  countermark sigstore rotate log --data /srv/trust     freezes the transparency log and begins another

no server may run meanwhile. what was signed before still verifies: the trusted root keeps what was believed, with
the time at which it ended. clients of the TUF repository follow by themselves; others need `sigstore export` again.
docs/operations.md says when to rotate what."""
    parser.add_argument(
        "what",
        metavar="WHAT",
        choices=("ca", "log", "ctlog", "tsa", "tuf"),
        help="ca, log, ctlog (the certificate log), tsa (timestamps) or tuf (the trust root's own keys)",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        default="",
        help="the server's folder (default: $XDG_DATA_HOME/countermark)",
    )
    serve.master_key_argument(parser)
    serve.log_arguments(parser)
    parser.add_argument(
        "--url",
        metavar="URL",
        default="",
        help="address of the new log, with a host of its own that leads here (default: a path under the server's)",
    )


def rotate(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Rotate a key, and say what holds from now on."""
    if args.url and args.what != "log":
        raise InputError("--url is for a log", hint="leave it away")
    for line in program.hosting.rotate(vars(args), args.what, args.url):
        out.result(harmless(line))
    out.note("files that were exported are to be exported again")
    return 0
