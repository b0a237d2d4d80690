"""What commands that sign are told about who signs, and how: the words of ``sign``, ``attest`` and ``migrate``."""

from countermark.assembly.cosign_registry import RegistryAccess
from countermark.assembly.cosign_signing import SigningChoice, Talk
from countermark.core.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from countermark.assembly.program import Program
    from countermark.cli.output import Output
    from countermark.schemes.cosign.signer import CosignImageSigner


def signing_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words that say who signs, and how."""
    add = parser.add_argument
    add(
        "--key",
        metavar="REF",
        default="",
        help="private key: a file, env://, pkcs11:, awskms://, … (default: an identity)",
    )
    add(
        "--identity-token",
        metavar="TOKEN",
        default=None,
        help="an identity token, or a file that has one (default: the CI system's, or sign in)",
    )
    add(
        "--sign-in",
        choices=("browser", "device"),
        default="",
        help="how to sign in where nothing else gives a token",
    )
    add(
        "--format",
        choices=("bundle", "legacy", "both"),
        default="bundle",
        help="how signatures are kept: legacy is for cosign 1 and 2",
    )
    add(
        "--signing-config",
        metavar="FILE",
        default="",
        help="which services prove it (default: the initialized Sigstore's)",
    )
    add(
        "--trusted-root",
        metavar="FILE",
        default="",
        help="what the result is verified against (default: the initialized Sigstore's)",
    )
    add("--no-log", action="store_true", help="with --key: use no service at all")
    add("-o", "--output", choices=("text", "json"), default="text", help="how to show it")


def signer_of(args: "argparse.Namespace", program: "Program", out: "Output") -> "CosignImageSigner":
    """Who signs.

    Raises:
        InputError: options that contradict each other, or services that cannot prove it.
    """
    if args.identity_token == "":
        raise InputError(
            "the identity token is empty", hint="what should have given one has failed"
        )
    if args.no_log and not args.key:
        raise InputError(
            "--no-log goes with --key",
            hint="an identity is certified and logged, or proves nothing",
        )
    if args.no_log and args.signing_config:
        raise InputError("--no-log uses no service, and so needs no --signing-config")
    if args.key and (args.identity_token or args.sign_in):
        raise InputError("either a key signs or an identity", hint="leave one of them out")
    choice = SigningChoice(
        key=args.key,
        token=args.identity_token or "",
        flow={"": "", "browser": "normal", "device": "device"}[args.sign_in],
        config_file=args.signing_config,
        urls=args.no_log,
        root_file=args.trusted_root,
        format=args.format,
    )
    tell = teller(out)
    talk = Talk(told=tell, shown=tell)
    return program.cosign.signing(choice, talk).signer(RegistryAccess())


def teller(out: "Output") -> "Callable[[str], None]":
    """Print what whoever signs in is told: cosign's texts have several lines, and some of them are empty."""

    def tell(text: str) -> None:
        for line in filter(None, map(str.strip, text.splitlines())):
            out.note(line)

    return tell
