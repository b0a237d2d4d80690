"""``trust signer add`` and ``remove`` in docker's words."""

from countermark.cli.docker_words import (
    DockerError,
    at_least,
    notary_text,
)
from countermark.core.errors import CountermarkError, EvidenceError, InputError
from countermark.core.reference import ImageReference, Repository
from countermark.core.text import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from countermark.assembly.program import Program
    from countermark.cli.output import Output
    from countermark.formats.tuf import Key

# docker's usage lines, after the command's words
_ADD_USAGE = "OPTIONS NAME REPOSITORY [REPOSITORY...] "  # docker's own blank at the end
_REMOVE_USAGE = "[OPTIONS] NAME REPOSITORY [REPOSITORY...]"
_SIGNER_FIRST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_SIGNER_REST = _SIGNER_FIRST | frozenset("_-")


def signer_add_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``trust signer add``."""
    parser.usage = f"%(prog)s {_ADD_USAGE}"
    parser.epilog = """examples:
  countermark trust signer add --key alice.pub alice registry.example.com/pay registry.example.com/web"""
    parser.add_argument("words", nargs="*", metavar="NAME REPOSITORY...")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="FILE",
        help="path to the signer's public key file",
    )


def signer_add(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Add a signer to each repository; one that fails does not keep the others back."""
    at_least(args.words, 2, args.prog, _ADD_USAGE)
    name, *repositories = args.words
    check_signer_name(name, "signer")
    if name == "releases":
        raise DockerError("releases is a reserved keyword, use a different signer name")
    paths = [path for given in args.key for path in given.split(",") if path]
    if not paths:
        raise DockerError("path to a public key must be provided using the `--key` flag")
    keys = [_public_key(path, program) for path in paths]

    def add(repository: Repository, shown: str) -> None:
        def initializing() -> None:
            out.result(f"Initializing signed repository for {shown}...")

        out.result(f'Adding signer "{name}" to {shown}...')
        done = program.dct.publisher.add_signer(
            repository, name, keys, program.now(), initializing=initializing
        )
        if done.initialized:
            out.result(f'Successfully initialized "{shown}"')
        out.result(f"Successfully added signer: {name} to {shown}")
        out.result()

    return _for_each(repositories, add, "failed to add signer to", out)


def signer_remove_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``trust signer remove``."""
    parser.usage = f"%(prog)s {_REMOVE_USAGE}"
    parser.epilog = """examples:
  countermark trust signer remove alice registry.example.com/pay"""
    parser.add_argument("words", nargs="*", metavar="NAME REPOSITORY...")
    parser.add_argument(
        "-f",
        "--force",
        action="store_true",
        help="do not prompt before removing the most recent signer",
    )


def signer_remove(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Remove a signer from each repository; asks where that makes a repository unpullable."""
    at_least(args.words, 2, args.prog, _REMOVE_USAGE)
    name, *repositories = args.words

    def remove(repository: Repository, shown: str) -> None:
        out.result(f'Removing signer "{name}" from {shown}...')
        out.flush()
        if name == "releases":
            raise DockerError("releases is a reserved keyword and cannot be removed")
        try:
            collection = program.dct.publisher.load(repository, program.now())
        except CountermarkError as error:
            raise DockerError(f"error retrieving signers for {shown}: {error}") from error
        try:
            program.dct.publisher.signer_keys(collection, name)
        except InputError:
            raise DockerError(f"no signer {name} for repository {shown}") from None
        try:
            last = program.dct.publisher.is_last_signer(collection, name)
            sure = not last or args.force or program.terminal.confirm(_last_question(name, shown))
            if not sure:
                return
            done = program.dct.publisher.remove_signer(repository, name, program.now())
        except EvidenceError as error:
            raise DockerError(str(error)) from error  # docker adds nothing to these
        for warning in done.warnings:
            out.warning(warning)
        out.result(f"Successfully removed {name} from {shown}")
        out.result()

    return _for_each(repositories, remove, "error removing signer from", out)


def _last_question(name: str, shown: str) -> str:
    return (
        f'The signer "{name}" signed the last released version of {shown}. '
        f"Removing this signer will make {shown} unpullable. Are you sure you want to continue?"
    )


def _for_each(
    repositories: list[str],
    action: "Callable[[Repository, str], None]",
    summary: str,
    out: "Output",
) -> int:
    failed = []
    for text in repositories:
        try:
            action(ImageReference.parse(text).repository, text)
        except CountermarkError as error:
            if error.exit_status == CountermarkError.exit_status:
                raise
            out.flush()
            out.foreign_error(notary_text(error, text) + "\n")
            failed.append(text)
    if failed:
        raise DockerError(f"{summary}: {', '.join(failed)}")
    return 0


def _public_key(path: str, program: "Program") -> "Key":
    from countermark.proofs import key_files  # noqa: PLC0415 - not for inspect

    content = program.files.read_bytes(path)
    if content is None:
        raise DockerError(
            f"unable to read public key from file: open {path}: no such file or directory"
        )
    try:
        return key_files.parse_public_pem(content, program.now())
    except EvidenceError as error:
        raise DockerError(f"could not parse public key from file: {path}: {error}") from error


def check_signer_name(name: str, what: str) -> None:
    """Demand a name that can be a role's.

    Raises:
        DockerError: docker's text.
    """
    if not is_signer_name(name):
        raise DockerError(
            f'{what} name "{harmless(name)}" must start with lowercase alphanumeric characters and can include'
            ' "-" or "_" after the first character'
        )


def is_signer_name(name: str) -> bool:
    """Say whether a name can be a role's."""
    return bool(name) and name[0] in _SIGNER_FIRST and _SIGNER_REST.issuperset(name)
