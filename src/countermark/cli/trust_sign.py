"""``trust sign`` and ``trust revoke`` in docker's words."""

from countermark.cli.docker_words import (
    DockerError,
    exactly,
    store_text,
    told,
)
from countermark.cli.trust_signers import is_signer_name
from countermark.core.errors import CountermarkError, EvidenceError
from countermark.core.reference import ImageReference, Repository, Subject

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.cli.output import Output
    from countermark.schemes.dct.repository import Collection, SignedTag
    from countermark.schemes.dct.signer import DctPublisher

# docker's usage lines, after the command's words
_SIGN_USAGE = "IMAGE:TAG"
_REVOKE_USAGE = "[OPTIONS] IMAGE[:TAG]"


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
    publisher = program.dct.publisher
    collection = told(repository, lambda: publisher.exists(repository, program.now()))
    if collection is None:
        _first_signer(repository, image, program, out, publisher)
        collection = told(repository, lambda: publisher.exists(repository, program.now()))
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
    if not is_signer_name(name):
        raise DockerError(
            "could not add signer to repo: targets: tuf: invalid role targets. invalid delegation role name\n"
            "  log in to the registry under a plain name, or set COUNTERMARK_SIGNER=name"
        )
    stored = program.dct.ring.of_role(name)
    private = program.dct.ring(stored.id) if stored else program.dct.ring.make(name)
    if private is None:
        raise DockerError(f"signing keys for remote repository {repository.name} not found")
    key = private.public
    told(
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
        done = program.dct.publisher.sign(
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
        done = program.dct.publisher.revoke(reference.repository, tags, program.now())
    except CountermarkError as error:
        raise DockerError(f"could not remove signature for {image}: {store_text(error)}") from error
    out.result(f"Successfully deleted signature for {image}")
    if done.left:
        names = ", ".join(done.left)
        out.warning(f"{names} still vouch for it: only whoever holds their keys can change that")
    return 0


def _tags_to_revoke(reference: ImageReference, program: "Program") -> list[str]:
    collection = program.dct.publisher.load(reference.repository, program.now())
    released = {row.tag for row in collection.rows()}
    if reference.tag is None:
        if not released:
            raise DockerError("no signed tags to remove")
        return sorted(released)
    if reference.tag not in released:
        raise DockerError(f"No valid trust data for {reference.tag}")
    return [reference.tag]
