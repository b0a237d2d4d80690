"""Run a registry and a trust server."""

from countermark.core.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.cli.output import Output

EXAMPLES = """examples:
  countermark serve                                    on 127.0.0.1:5443, data in ~/.local/share/countermark
  countermark serve --data /srv/trust --listen 0.0.0.0:443 --tls-name registry.example.com --htpasswd users
  countermark serve --sigstore --listen 0.0.0.0:443 --tls-name sigstore.example.com --htpasswd users
  htpasswd -B -c users alice                           makes a file of users (bcrypt only)

clients need nothing but the CA that it makes: the places are printed at the start.
backups, rotation of keys, databases and buckets for logs, witnesses: docs/operations.md."""


_OF_SIGSTORE = (
    "issuers",
    "log_database_file",
    "log_bucket",
    "log_bucket_url",
    "service_key",
    "witness",
    "witnesses",
)


def master_key_argument(parser: "argparse.ArgumentParser") -> None:
    """The word for the file of the master key."""
    parser.add_argument(
        "--master-key-file",
        metavar="FILE",
        default="",
        help="key that encrypts server-held keys (default: DIR/master.key)",
    )


def log_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words that say where a Sigstore's logs and keys lie, and who witnesses them."""
    add = parser.add_argument
    add(
        "--log-database-file",
        metavar="FILE",
        default="",
        help="file with the URL of a PostgreSQL database for the logs' index (or set COUNTERMARK_LOG_DATABASE)",
    )
    add(
        "--log-bucket",
        metavar="s3://NAME/PREFIX",
        default="",
        help="bucket for the logs' tiles; its keys come from where AWS has them",
    )
    add(
        "--log-bucket-url",
        metavar="URL",
        default="",
        help="where the bucket is (default: AWS_ENDPOINT_URL_S3, else Amazon's)",
    )
    add(
        "--service-key",
        metavar="SERVICE=REF",
        action="append",
        default=[],
        help="a key that lies elsewhere: ca, log, ctlog or tsa, and pkcs11:, awskms://, a file …; may repeat",
    )
    add(
        "--witness",
        metavar='"KEY URL"',
        action="append",
        default=[],
        help="a witness that cosigns the log's checkpoints: its verifier key and its address; may repeat",
    )
    add(
        "--witnesses",
        metavar="N",
        type=int,
        default=None,
        help="how many must have cosigned before a checkpoint is shown (default: all)",
    )


def serve_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``serve``."""
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add(
        "--data",
        metavar="DIR",
        default="",
        help="where everything is kept (default: $XDG_DATA_HOME/countermark)",
    )
    add(
        "--listen",
        metavar="HOST:PORT",
        default="",
        help="address to listen on (default: 127.0.0.1:5443)",
    )
    add(
        "--tls-cert",
        metavar="FILE",
        default="",
        help="certificate chain, PEM (default: one from our own CA)",
    )
    add("--tls-key", metavar="FILE", default="", help="its private key, PEM")
    add(
        "--tls-name",
        metavar="NAME",
        action="append",
        default=[],
        help="a name for our own certificate; may repeat",
    )
    master_key_argument(parser)
    add(
        "--htpasswd",
        metavar="FILE",
        default="",
        help="users who may write (bcrypt); readers need no login",
    )
    add("--require-login", action="store_true", help="readers need a login too (with --htpasswd)")
    add(
        "--accept-sparse",
        action="store_true",
        help="take manifests of which something was never pushed, as an index of one platform",
    )
    add(
        "--sigstore",
        action="store_true",
        help="a private Sigstore too: certificates, log, timestamps, trust root, identities",
    )
    add(
        "--issuers",
        metavar="FILE",
        default="",
        help="OpenID issuers whose identities are certified, in Fulcio's words (with --sigstore)",
    )
    log_arguments(parser)
    add(
        "--allow-anonymous-write",
        action="store_true",
        help="let anyone write on an address that is not loopback",
    )


def serve(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Serve until told to stop; print where clients want the CA once it is ready."""
    if bool(args.tls_cert) != bool(args.tls_key):
        raise InputError(
            "--tls-cert and --tls-key go together", hint="give both, or neither for our own CA"
        )
    for word in _OF_SIGSTORE:
        if getattr(args, word) not in ("", [], None) and not args.sigstore:
            raise InputError(f"--{word.replace('_', '-')} is for a Sigstore", hint="add --sigstore")
    if args.require_login and not args.htpasswd:
        raise InputError("--require-login needs users", hint="add --htpasswd FILE")
    server = program.hosting.server(vars(args))

    def ready() -> None:
        for line in server.directions():
            out.note(line)
        out.flush()

    return server.run(ready)
