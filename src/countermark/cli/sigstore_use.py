"""Sign and verify with a Sigstore of one's own: its CA, its trust root and its services, in one step."""

from countermark.core.text import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Protocol

    from countermark.assembly.sigstore_files import InUse
    from countermark.cli.output import Output

    class Hosting(Protocol):
        """What this command asks about the server."""

        def use(self, data: str, *, replace: bool) -> InUse:
            """Use the Sigstore in a server's folder; see ``assembly/sigstore_files.py``."""
            ...

    class Program(Protocol):
        """What this command asks of the program."""

        @property
        def hosting(self) -> Hosting: ...


def use_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``sigstore use``."""
    parser.epilog = """examples:
  countermark sigstore use                       the server's, where it keeps its data unless told otherwise
  countermark sigstore use --data /srv/trust

the server must run, on this machine. cosign then uses its Sigstore too, where SSL_CERT_FILE names its tls/ca.crt.
on another machine, put its ca.crt into ~/.docker/tls/HOST:PORT/, and then:
  countermark cosign initialize --mirror https://HOST:PORT/tuf --root root.json
back to the public Sigstore: countermark cosign initialize"""
    parser.add_argument(
        "--data",
        metavar="DIR",
        default="",
        help="the server's folder (default: $XDG_DATA_HOME/countermark)",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="another CA that is believed for its address gives way",
    )


def use(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Believe the server's CA, fetch the trust root, and say what verifiers will name."""
    used = program.hosting.use(args.data, replace=args.replace)
    out.result(f"sign and verify with {harmless(used.url)} from now on")
    out.result(f"  its issuer is {harmless(used.issuer)}")
    if used.ca_file:
        out.result(f"  its CA is believed, in {harmless(used.ca_file)}")
    out.result(f"  its trust root is kept in {harmless(used.root_folder)}")
    return 0
