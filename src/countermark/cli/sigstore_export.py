"""What hosts without a network need to trust a private Sigstore, and to sign with it."""

from countermark.core.text import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from typing import Protocol

    from countermark.cli.output import Output

    class Hosting(Protocol):
        """What this command asks about the server."""

        def exported(self, data: str) -> Mapping[str, bytes]:
            """Return the files of the Sigstore in a server's folder; the address in them is its own.

            Raises:
                StorageError: there is none yet.
            """
            ...

        def write_files(self, folder: str, files: Mapping[str, bytes]) -> None:
            """Put files into a folder, each as a whole; the folder is made."""
            ...

    class Program(Protocol):
        """What this command asks of the program."""

        @property
        def hosting(self) -> Hosting: ...


def export_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``sigstore export``."""
    parser.epilog = """examples:
  countermark sigstore export --data /srv/trust --to trust
  cosign verify --trusted-root trust/trusted_root.json ...    then nothing is fetched to verify
  sigstore --trust-config trust/trust_config.json sign FILE"""
    parser.add_argument(
        "--data",
        metavar="DIR",
        default="",
        help="the server's folder (default: $XDG_DATA_HOME/countermark)",
    )
    parser.add_argument("--to", metavar="FOLDER", required=True, help="where the files go")


def export(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Write trusted_root.json, signing_config.json, both in one as trust_config.json, and the TUF root.json."""
    files = program.hosting.exported(args.data)
    program.hosting.write_files(args.to, files)
    for name in files:
        out.result(f"wrote {harmless(args.to)}/{name}")
    out.note("after keys of the Sigstore were rotated, export them again")
    return 0
