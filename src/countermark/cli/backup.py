"""Back up a server's folder while it runs, and restore it."""

from countermark.cli import serve
from countermark.core.text import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.cli.output import Output


def backup_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``backup``."""
    parser.epilog = """examples:
  countermark backup --data /srv/trust --to /backup/trust-2026-01-31.tar

safe beside a running server. everything is in it but the master key, which opens the keys in it: keep that elsewhere,
or say --with-master-key. logs in PostgreSQL or in a bucket are not in it. docs/operations.md says what to expect."""
    parser.add_argument(
        "--data", metavar="DIR", default="", help="the folder of serve (default: as serve has it)"
    )
    parser.add_argument("--to", metavar="FILE", required=True, help="the file, which is made")
    serve.master_key_argument(parser)
    parser.add_argument(
        "--with-master-key",
        action="store_true",
        help="put the master key into it too: whoever reads the file has every key then",
    )


def backup(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Make a backup, and say how large it is."""
    for line in program.hosting.backup(vars(args), args.to, with_master_key=args.with_master_key):
        out.result(harmless(line))
    return 0


def restore_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``restore``."""
    parser.epilog = """examples:
  countermark restore /backup/trust-2026-01-31.tar --data /srv/trust --master-key-file /safe/master.key

a Sigstore's logs end with the backup, since others may have seen more of them, and the next ones begin. where a
server was stopped before the backup and nothing came after it, bring the last checkpoints, and its logs go on:
  countermark restore last.tar --data NEW --expect-checkpoint OLD/sigstore/tiles/checkpoint \\
      --expect-checkpoint OLD/sigstore/certificate-tiles/checkpoint --master-key-file OLD/master.key"""
    parser.add_argument("file", metavar="FILE", help="the backup")
    parser.add_argument(
        "--data", metavar="DIR", default="", help="a folder with nothing in it (default: as serve)"
    )
    serve.master_key_argument(parser)
    parser.add_argument(
        "--expect-checkpoint",
        metavar="FILE",
        action="append",
        default=[],
        help="the last checkpoint that anybody has seen of a log, which then goes on; may repeat",
    )


def restore(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Restore a backup, and say what follows from it."""
    for line in program.hosting.restore(vars(args), args.file, args.expect_checkpoint):
        out.result(harmless(line))
    return 0
