"""What is believed of a repository, and its keys: pin, forget, rotate."""

from countermark.core.errors import InputError
from countermark.core.reference import ImageReference, Repository
from countermark.core.text import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.cli.output import Output


_HEX = frozenset("0123456789abcdef")


def _repository(text: str) -> Repository:
    reference = ImageReference.parse(text)
    if reference.tag or reference.digest:
        raise InputError(
            f"this is about a whole repository: {text[:80]}", hint="leave out the tag or digest"
        )
    return reference.repository


def pin_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``trust pin``."""
    parser.epilog = """examples:
  countermark trust pin registry.example.com/pay                   the root that it has now
  countermark trust pin --root 4d2f... registry.example.com/pay    only if its root key is this one"""
    parser.add_argument("repository", metavar="REPOSITORY")
    parser.add_argument(
        "--root",
        action="append",
        default=[],
        metavar="KEYID",
        help="the root key that it must have",
    )


def pin(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Believe the root that a repository has now, and what it vouches for later; nothing else."""
    from countermark.schemes.dct.pinning import is_pinned  # noqa: PLC0415 - one command

    repository = _repository(args.repository)
    for key_id in args.root:
        if len(key_id) != 64 or not _HEX.issuperset(key_id):
            raise InputError(
                f"not a key ID: {key_id[:80]!r}",
                hint="it is 64 lower-case hex digits; trust inspect shows it",
            )
    server = program.dct.servers.server_for(repository)
    collection = program.dct.loader.load(repository.name, server, program.now())
    if args.root and not is_pinned(collection.trusted.root, args.root, program.now()):
        shown = ", ".join(collection.root_keys)
        raise InputError(
            f"the root of {repository.name} has another key: {shown}", hint="nothing was pinned"
        )
    program.dct.loader.pin(repository.name, collection)
    for key_id in collection.root_keys:
        out.result(f"pinned {harmless(repository.name)} to root key {key_id}")
    if not args.root:
        out.note("compare the key ID with what the repository's owner says it is")
    return 0


def forget_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``trust forget``."""
    parser.epilog = """examples:
  countermark trust forget registry.example.com/pay       its next use is a first use again"""
    parser.add_argument("repository", metavar="REPOSITORY")


def forget(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Forget what is cached, pinned and remembered of a repository; its keys stay."""
    repository = _repository(args.repository)
    names = program.dct.cache.names(repository.name)
    program.dct.loader.forget(repository.name, names)
    out.result(
        f"forgot {len(names)} files of {harmless(repository.name)}; its next use is a first use"
    )
    return 0


def rotate_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``trust rotate``."""
    parser.epilog = """examples:
  countermark trust rotate registry.example.com/pay targets          a new targets key, in the trust folder
  countermark trust rotate registry.example.com/pay snapshot -r      the server makes a new one and holds it
  countermark trust rotate registry.example.com/pay root             the old root key signs for the new one"""
    parser.add_argument("repository", metavar="REPOSITORY")
    parser.add_argument("role", choices=("root", "targets", "snapshot", "timestamp"))
    parser.add_argument(
        "-r", "--server-managed", action="store_true", help="the server makes and holds the key"
    )
    parser.add_argument(
        "-y", "--yes", action="store_true", help="do not ask before a root is rotated"
    )


def rotate(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Replace a key of a repository; the old private key stays in the trust folder."""
    repository = _repository(args.repository)
    question = f"The old root key must sign the new root of {repository.name}. Proceed?"
    if args.role == "root" and not args.yes and not program.terminal.confirm(question):
        return 0
    new = program.dct.publisher.rotate(
        repository, args.role, program.now(), server_held=args.server_managed
    )
    out.result(
        f"Successfully rotated {args.role} key for repository {harmless(repository.name)}: {', '.join(new)}"
    )
    return 0
