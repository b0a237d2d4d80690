"""Trust in docker's words: inspect, sign, revoke, signers."""

from countermark.cli.docker_words import (
    DockerError,
    at_least,
    exactly,
    go_json,
    natural_key,
    notary_text,
    show_error,
    store_text,
    table,
)
from countermark.core.errors import Code, CountermarkError, EvidenceError, InputError
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.core.text import harmless

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from datetime import datetime
    from typing import TypeVar

    from countermark.assembly.program import Program
    from countermark.cli.output import Output
    from countermark.formats.tuf import Key
    from countermark.schemes.dct.repository import Collection, SignedTag
    from countermark.schemes.dct.signer import DctPublisher

    T = TypeVar("T")

# Docker's usage lines, after the command's words.
_INSPECT_USAGE = "IMAGE[:TAG] [IMAGE[:TAG]...]"
_SIGN_USAGE = "IMAGE:TAG"
_REVOKE_USAGE = "[OPTIONS] IMAGE[:TAG]"
_ADD_USAGE = "OPTIONS NAME REPOSITORY [REPOSITORY...] "  # docker's own blank at the end
_REMOVE_USAGE = "[OPTIONS] NAME REPOSITORY [REPOSITORY...]"
_OWNER = "Repo Admin"
_SIGNER_FIRST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_SIGNER_REST = _SIGNER_FIRST | frozenset("_-")


# inspect ---------------------------------------------------------------------------------------------


def inspect_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``trust inspect``."""
    parser.usage = f"%(prog)s {_INSPECT_USAGE}"
    parser.epilog = """examples:
  countermark trust inspect registry.example.com/pay               everything that is signed, as JSON
  countermark trust inspect --pretty registry.example.com/pay:v3   for people
  countermark trust inspect --history registry.example.com/pay     when each tag got its digest"""
    parser.add_argument("images", nargs="*", metavar="IMAGE[:TAG]", help="repositories or tags")
    parser.add_argument(
        "--pretty", action="store_true", help="print the information in a human friendly format"
    )
    parser.add_argument("--history", action="store_true", help="show when each tag got its digest")


def inspect(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Show what is signed, by whom, when, with which keys."""
    at_least(args.images, 1, args.prog, _INSPECT_USAGE)
    if args.history:
        from countermark.cli import trust_history  # noqa: PLC0415 - rare

        return trust_history.show(args.images, program, out)
    if args.pretty:
        return _inspect_pretty(args.images, program, out)
    found, failures = [], []
    for image in args.images:
        try:
            reference = ImageReference.parse(image)
            found.append(_record(image, reference, _collection(reference, image, program)))
        except CountermarkError as error:
            failures.append(_inspect_error(error, image, program))
    out.result(go_json(found))
    if not failures:
        return 0
    *others, last = failures
    for failure in others:  # docker names each that it could not show
        show_error(failure, out)
    raise last


def _inspect_pretty(images: list[str], program: "Program", out: "Output") -> int:
    for position, image in enumerate(images):
        if position:
            out.written("\n\n")
        try:
            reference = ImageReference.parse(image)
            collection = _collection(reference, image, program)
            lines = _pretty(image, collection, _rows(collection, reference.tag))
        except CountermarkError as error:
            raise _inspect_error(error, image, program) from error
        for line in lines:
            out.result(line)
    return 0


def _inspect_error(error: CountermarkError, image: str, program: "Program") -> DockerError:
    """Docker's line, which does not say why; a hint says it below, but for a repository that has no trust data."""
    if isinstance(error, InputError):
        return DockerError(str(error))
    cause = notary_text(error, image)
    program.debug(cause)
    told = DockerError(f"no signatures or cannot access {image}")
    if error.code != Code.UNSIGNED:
        told.hint = f"{cause}\n{error.hint}".rstrip()
    return told


def _collection(reference: ImageReference, _image: str, program: "Program") -> "Collection":
    server = program.servers.server_for(reference.repository)
    return program.loader.load(reference.repository.name, server, program.now())


def _rows(collection: "Collection", tag: str | None) -> "list[SignedTag]":
    rows = [row for row in collection.rows() if tag is None or row.tag == tag]
    return sorted(rows, key=lambda row: natural_key(row.tag))


def _record(image: str, reference: ImageReference, collection: "Collection") -> dict[str, object]:
    """Docker's record, with additions: when, until when, pinned how."""
    ends = collection.expiries()
    signers = sorted(collection.signers(), key=lambda entry: entry[0], reverse=True)
    return {
        "Name": image,
        "SignedTags": [
            {
                "SignedTag": row.tag,
                "Digest": row.digest.hex,
                "Signers": list(row.signers) or [_OWNER],
                "Role": row.role,
            }
            for row in _rows(collection, reference.tag)
        ],
        "Signers": [
            {
                "Name": name,
                **({"Keys": [{"ID": key} for key in keys]} if keys else {}),
                "LastSigned": _when(collection, f"targets/{name}"),
                "Expires": _time(ends.get(f"targets/{name}")),
            }
            for name, keys in signers
        ],
        "AdministrativeKeys": [
            {"Name": "Root", "Keys": [{"ID": key} for key in collection.root_keys]},
            {"Name": "Repository", "Keys": [{"ID": key} for key in collection.repository_keys]},
        ],
        "Roles": {
            role: {"Expires": _time(end), "LastSigned": _when(collection, role)}
            for role, end in ends.items()
        },
        "Pinned": "pinned" if collection.is_pinned else "first-use",
        "Stale": collection.trusted.stale,
    }


def _when(collection: "Collection", role: str) -> str | None:
    moment = collection.signed_at(role)
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _time(moment: "datetime | None") -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _pretty(image: str, collection: "Collection", rows: "list[SignedTag]") -> list[str]:
    lines = [""]
    if rows:
        lines += [f"Signatures for {image}", ""]
        cells = [(r.tag, r.digest.hex, ", ".join(sorted(r.signers)) or f"({_OWNER})") for r in rows]
        lines += table(
            ("SIGNED TAG", "DIGEST", "SIGNERS"), [tuple(map(harmless, c)) for c in cells]
        )
    else:
        lines += [f"No signatures for {image}", ""]
    signers = sorted(collection.signers(), key=lambda entry: natural_key(entry[0]))
    if signers:
        lines += ["", f"List of signers and their keys for {image}", ""]
        short = [(name, ", ".join(sorted(key[:12] for key in keys))) for name, keys in signers]
        lines += table(("SIGNER", "KEYS"), short)
    lines += ["", f"Administrative keys for {image}", ""]
    lines.append(f"  Repository Key:\t{', '.join(sorted(collection.repository_keys))}")
    lines.append(f"  Root Key:\t{', '.join(sorted(collection.root_keys))}")
    return lines + _additions(collection)


def _additions(collection: "Collection") -> list[str]:
    """What docker does not tell: when each role was signed and ends, and why its root is believed."""
    rows = []
    for role, end in collection.expiries().items():
        signed = collection.signed_at(role)
        rows.append((role, f"{signed:%Y-%m-%d %H:%M} UTC" if signed else "-", f"{end:%Y-%m-%d}"))
    pinned = (
        "pinned"
        if collection.is_pinned
        else "believed on first use (countermark trust pin keeps it)"
    )
    return [
        "",
        "Roles",
        "",
        *table(("ROLE", "LAST SIGNED", "EXPIRES"), rows),
        "",
        f"Root: {pinned}",
    ]


# sign ------------------------------------------------------------------------------------------------


def sign_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``trust sign``."""
    parser.usage = f"%(prog)s {_SIGN_USAGE}"
    parser.epilog = """examples:
  countermark trust sign registry.example.com/pay:v3                     the local image, if it is what was pushed
  countermark trust sign registry.example.com/pay:v3@sha256:...          exactly this digest
  countermark trust sign --from-registry registry.example.com/pay:v3     what the registry has now"""
    parser.add_argument("images", nargs="*", metavar="IMAGE:TAG")
    parser.add_argument("--local", action="store_true", help="sign a locally tagged image")
    parser.add_argument(
        "--from-registry", action="store_true", help="sign what the registry's tag points to now"
    )
    parser.add_argument(
        "--accept-lapsed",
        action="store_true",
        help="continue a release role that lost its signatures",
    )


def sign(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Sign a tag; docker's way with a daemon, else by digest or from the registry."""
    exactly(args.images, 1, args.prog, _SIGN_USAGE)
    image = args.images[0]
    reference = ImageReference.parse(image)
    if reference.tag is None:
        if reference.digest is not None:
            raise DockerError("cannot use a digest reference for IMAGE:TAG")
        raise DockerError(f"no tag specified for {image}")
    repository, tag = reference.repository, reference.tag
    publisher = program.publisher
    collection = _told(repository, lambda: publisher.exists(repository, program.now()))
    if collection is None:
        _first_signer(repository, image, program, out, publisher)
        collection = _told(repository, lambda: publisher.exists(repository, program.now()))
    released = [row for row in collection.rows() if row.tag == tag] if collection else []
    if released and not args.local and not args.from_registry and reference.digest is None:
        row = _newest(collection, tag, released)
        out.result(f"Signing and pushing trust metadata for {image}")
        out.result(f"Existing signatures for tag {tag} digest {row.digest.hex} from:")
        out.result(", ".join(sorted(row.signers)))
        subject = Subject(repository=repository, digest=row.digest, tag=tag, size=row.length)
    else:
        subject = _subject(args, reference, program)
        out.foreign_error(
            f"Signing and pushing trust data for local image {image}, may overwrite remote trust data"
            if not args.from_registry and reference.digest is None
            else f"Signing {subject.digest} as {tag}"
        )
        out.result("Signing and pushing trust metadata")
    sign_tag(subject, reference, program, accept_lapsed=args.accept_lapsed)
    out.result(f"Successfully signed {repository.name}:{tag}")
    return 0


def _newest(collection: "Collection | None", tag: str, rows: "list[SignedTag]") -> "SignedTag":
    """The release that counts; docker takes a stale one of ``targets`` before that of ``targets/releases``."""
    try:
        return collection.released(tag) if collection else rows[0]
    except EvidenceError:
        return rows[0]


def _first_signer(
    repository: Repository, image: str, program: "Program", out: "Output", publisher: "DctPublisher"
) -> None:
    """Make a repository with its first signer, named as the user is at the registry, as docker does."""
    name = program.logins.username(repository.registry) or program.environment.get(
        "COUNTERMARK_SIGNER", ""
    )
    if not _is_signer_name(name):
        raise DockerError(
            "could not add signer to repo: targets: tuf: invalid role targets. invalid delegation role name\n"
            "  log in to the registry under a plain name, or set COUNTERMARK_SIGNER=name"
        )
    stored = program.ring.of_role(name)
    private = program.ring(stored.id) if stored else program.ring.make(name)
    if private is None:
        raise DockerError(f"signing keys for remote repository {repository.name} not found")
    key = private.public
    _told(
        repository,
        lambda: publisher.add_signer(
            repository, name, [key], program.now(), initializing=lambda: None
        ),
    )
    out.result(f"Created signer: {name}")
    out.result(f"Finished initializing signed repository for {image}")


def _subject(args: "argparse.Namespace", reference: ImageReference, program: "Program") -> Subject:
    """What is to be signed: a digest that was given, what the registry has, or the local image if they agree."""
    plain = reference.replace(digest=None)
    if args.from_registry or reference.digest is not None:
        wanted = reference.replace(tag=None) if reference.digest else plain
        found = program.registry(program.policy()).resolve(wanted)
        return found.replace(repository=reference.repository, tag=reference.tag)
    local = program.local_digests(plain)
    found = program.registry(program.policy()).resolve(plain)
    if found.digest not in local:
        shown = (
            ", ".join(str(digest) for digest in local)
            or "nothing that was pushed to this repository"
        )
        raise DockerError(
            f"the registry's {plain.familiar} is {found.digest}, the local image is {shown}\n"
            "  push it first, or sign --from-registry if the registry's is meant"
        )
    return found.replace(repository=reference.repository, tag=reference.tag)


def sign_tag(
    subject: Subject, reference: ImageReference, program: "Program", *, accept_lapsed: bool = False
) -> bool:
    """Sign and publish; failures in docker's words. Say whether the repository is new."""
    tag = reference.tag or ""
    try:
        done = program.publisher.sign(
            reference.repository,
            tag,
            subject.digest,
            subject.size or 0,
            program.now(),
            accept_lapsed=accept_lapsed,
        )
    except CountermarkError as error:
        raise DockerError(
            f"failed to sign {reference.repository.name}:{tag}: {error}"
            + (f"\n  {error.hint}" if error.hint else "")
        ) from error
    return done.initialized


def sign_subject(
    subject: Subject, reference: ImageReference, program: "Program", out: "Output"
) -> None:
    """Sign what was just pushed, with docker's lines around it."""
    out.result("Signing and pushing trust metadata")
    try:
        new = sign_tag(subject, reference, program)
    except DockerError as error:
        error.hint = "the image itself is in the registry; its tag is not signed"
        raise
    if new:
        out.result(f'Finished initializing "{reference.repository.name}"')
    out.result(f"Successfully signed {reference.repository.name}:{reference.tag}")


# revoke ----------------------------------------------------------------------------------------------


def revoke_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``trust revoke``."""
    parser.usage = f"%(prog)s {_REVOKE_USAGE}"
    parser.epilog = """examples:
  countermark trust revoke registry.example.com/pay:v3        one tag
  countermark trust revoke -y registry.example.com/pay        all of them, without asking"""
    parser.add_argument("images", nargs="*", metavar="IMAGE[:TAG]")
    parser.add_argument("-y", "--yes", action="store_true", help="do not prompt for confirmation")


def revoke(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Remove signatures from every role of ours that has them; say where others remain."""
    exactly(args.images, 1, args.prog, _REVOKE_USAGE)
    image = args.images[0]
    reference = ImageReference.parse(image)
    if reference.digest is not None:
        raise DockerError("cannot use a digest reference for IMAGE:TAG")
    question = f"Confirm you would like to delete all signature data for {image}?"
    if reference.tag is None and not args.yes and not program.terminal.confirm(question):
        return 0
    try:
        tags = _tags_to_revoke(reference, program)
        done = program.publisher.revoke(reference.repository, tags, program.now())
    except CountermarkError as error:
        raise DockerError(f"could not remove signature for {image}: {store_text(error)}") from error
    out.result(f"Successfully deleted signature for {image}")
    if done.left:
        names = ", ".join(done.left)
        out.warning(f"{names} still vouch for it: only whoever holds their keys can change that")
    return 0


def _tags_to_revoke(reference: ImageReference, program: "Program") -> list[str]:
    collection = program.publisher.load(reference.repository, program.now())
    released = {row.tag for row in collection.rows()}
    if reference.tag is None:
        if not released:
            raise DockerError("no signed tags to remove")
        return sorted(released)
    if reference.tag not in released:
        raise DockerError(f"No valid trust data for {reference.tag}")
    return [reference.tag]


# signers ---------------------------------------------------------------------------------------------


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
        done = program.publisher.add_signer(
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
            collection = program.publisher.load(repository, program.now())
        except CountermarkError as error:
            raise DockerError(f"error retrieving signers for {shown}: {error}") from error
        try:
            program.publisher.signer_keys(collection, name)
        except InputError:
            raise DockerError(f"no signer {name} for repository {shown}") from None
        try:
            last = program.publisher.is_last_signer(collection, name)
            sure = not last or args.force or program.terminal.confirm(_last_question(name, shown))
            if not sure:
                return
            done = program.publisher.remove_signer(repository, name, program.now())
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
    if not _is_signer_name(name):
        raise DockerError(
            f'{what} name "{harmless(name)}" must start with lowercase alphanumeric characters and can include'
            ' "-" or "_" after the first character'
        )


def _is_signer_name(name: str) -> bool:
    return bool(name) and name[0] in _SIGNER_FIRST and _SIGNER_REST.issuperset(name)


def _told(repository: Repository, action: "Callable[[], T]") -> "T":
    """Run an action on a repository; its failures in docker's words."""
    try:
        return action()
    except DockerError:
        raise
    except CountermarkError as error:
        raise DockerError(notary_text(error, repository.name)) from error
