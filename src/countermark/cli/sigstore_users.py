"""The accounts of a private Sigstore's issuer, and identity tokens for them."""

from countermark.core.errors import Code, InputError, KeyAccessError, NotFoundError
from countermark.core.text import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Protocol

    from countermark.cli.output import Output
    from countermark.core.ports_sigstore import UserStore

    class TokenSource(Protocol):
        """An issuer that gives tokens for a name and a password."""

        def token(self, name: str, password: str) -> str: ...

    class Hosting(Protocol):
        """What these commands ask about the server."""

        def accounts(self, data: str) -> UserStore: ...

        def identity_issuer(self, issuer: str, ca: str, data: str) -> TokenSource: ...

    class Program(Protocol):
        """What these commands ask of the program."""

        def password_from_stdin(self) -> str: ...

        def typed_password(self, prompt: str) -> str | None: ...

        @property
        def hosting(self) -> Hosting: ...


def _data_argument(parser: "argparse.ArgumentParser") -> None:
    parser.add_argument(
        "--data",
        metavar="DIR",
        default="",
        help="the server's folder (default: $XDG_DATA_HOME/countermark)",
    )


def _password_argument(parser: "argparse.ArgumentParser") -> None:
    parser.add_argument(
        "--password-stdin",
        action="store_true",
        help="read the password from standard input (default: ask for it at the terminal)",
    )


def _password(args: "argparse.Namespace", program: "Program", *, new: bool) -> str:
    """A password, sent or typed; a new one is typed twice.

    Raises:
        InputError: nobody can type it. KeyAccessError: it was typed in two ways.
    """
    if args.password_stdin:
        return program.password_from_stdin()
    name = harmless(args.name)
    found = program.typed_password(f"{'New password' if new else 'Password'} of {name}: ")
    if found is None:
        raise InputError(
            "a password is needed, and nobody is here to type it",
            hint="send it through standard input, and say --password-stdin",
        )
    if new and program.typed_password("And again: ") != found:
        raise KeyAccessError("the passwords are not the same", code=Code.PASSPHRASE)
    return found


def user_add_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``sigstore user add``."""
    parser.epilog = """examples:
  countermark sigstore user add alice@example.com                      asks for a password
  pass show sigstore | countermark sigstore user add alice@example.com --data /srv/trust --password-stdin
  pass show ci | countermark sigstore user add build@ci.example.com --program --data /srv/trust --password-stdin

a server that runs knows of it at once."""
    parser.add_argument("name", metavar="NAME", help="an e-mail address; certificates will name it")
    _data_argument(parser)
    _password_argument(parser)
    parser.add_argument(
        "--program",
        action="store_true",
        help="an account of a program: it cannot sign in on a page",
    )
    parser.add_argument(
        "--replace", action="store_true", help="give an account that is there a new password"
    )


def user_add(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Give somebody, or a program, an account."""
    from countermark.services.identity_provider.accounts import (  # noqa: PLC0415 - loads bcrypt
        new_account,
    )

    account = new_account(args.name, _password(args, program, new=True), is_program=args.program)
    if not program.hosting.accounts(args.data).put(account, replace=args.replace):
        raise InputError(
            f"there is an account {args.name} already, perhaps in other capitals",
            code=Code.KEY_EXISTS,
            hint="say --replace to give it a new password",
        )
    out.result(f"{'replaced' if args.replace else 'added'} {harmless(args.name)}")
    return 0


def user_list_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``sigstore user list``."""
    _data_argument(parser)
    parser.add_argument(
        "-o",
        "--output",
        choices=("text", "json"),
        default="text",
        help="for people, or for programs",
    )


def user_list(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """List the accounts."""
    accounts = program.hosting.accounts(args.data).accounts()
    if args.output == "json":
        users = [{"name": account.name, "program": account.is_program} for account in accounts]
        out.document({"version": 1, "users": users})
        return 0
    for account in accounts:
        out.result(harmless(account.name) + (" (program)" if account.is_program else ""))
    return 0


def user_remove_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``sigstore user remove``."""
    parser.epilog = (
        """what was signed stays signed; tokens that were given end within ten minutes."""
    )
    parser.add_argument("name", metavar="NAME")
    _data_argument(parser)


def user_remove(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Take an account away."""
    if not program.hosting.accounts(args.data).remove(args.name):
        raise NotFoundError(f"there is no account {args.name}")
    out.result(f"removed {harmless(args.name)}")
    return 0


def token_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``sigstore token``."""
    parser.epilog = """examples:
  countermark sign --identity-token "$(countermark sigstore token alice@example.com)" IMAGE
  countermark sigstore token build@ci.example.com --password-stdin --issuer https://sigstore.example.com/identity \\
      --ca ca.crt < password > token
  cosign sign --identity-token "$token" registry.example.com/app@sha256:...

it is good for ten minutes, for whoever has it."""
    parser.add_argument("name", metavar="NAME", help="of the account, an e-mail address")
    _password_argument(parser)
    parser.add_argument("--issuer", metavar="URL", default="", help="the issuer (with --ca)")
    parser.add_argument(
        "--ca", metavar="FILE", default="", help="believe this CA too (PEM), for --issuer"
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        default="",
        help="the folder of a server on this machine, which says where its issuer and its CA are",
    )


def token(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Print an identity token, without an end of line: cosign takes none in a file."""
    if args.issuer and args.data:
        raise InputError("--issuer and --data are two ways to name an issuer", hint="give one")
    if args.ca and not args.issuer:
        raise InputError("--ca goes with --issuer")
    password = _password(args, program, new=False)
    issuer = program.hosting.identity_issuer(args.issuer, args.ca, args.data)
    out.written(issuer.token(args.name, password))
    if out.err_is_terminal:
        out.foreign_error("")
    return 0
