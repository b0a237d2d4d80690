"""A policy written as options of ``verify``: keys and identities of cosign's, how many of them, what they must state.

It stands in place of all policy files; what it says is decided and explained as theirs is.
"""

from countermark.core import patterns
from countermark.core.errors import EvidenceError, InputError
from countermark.core.signer import CosignSigner, Identity
from countermark.formats.payloads import PREDICATE_TYPES
from countermark.policy.model import AtLeast, Layer, Policy, Rule, Vouched
from countermark.policy.pattern import Pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.core.reference import ImageReference
    from countermark.engine import Engine

LAYER = "the command line"
# what makes ``verify`` take its policy from the options, by their names in the parsed words
_WHO = ("key", "identity")
_MORE = {
    "issuer": "--issuer",
    "threshold": "--threshold",
    "attestation": "--attestation",
    "annotations": "-a",
    "trusted_root": "--trusted-root",
    "offline": "--offline",
    "accept_unlogged": "--accept-unlogged",
    "witness": "--witness",
    "witnesses": "--witnesses",
}


def arguments(parser: "argparse.ArgumentParser") -> None:
    """The options."""
    add = parser.add_argument
    add(
        "--key",
        metavar="REF",
        action="append",
        default=[],
        help="believe this public key of cosign's: a file or a place",
    )
    add(
        "--identity",
        metavar="NAME",
        action="append",
        default=[],
        help="believe this identity; * stands for anything but /, ** for anything",
    )
    add(
        "--issuer",
        metavar="URL",
        action="append",
        default=[],
        help="who vouches for the identities: one for all, or one for each",
    )
    add(
        "--threshold",
        metavar="N",
        type=int,
        default=0,
        help="so many different ones of them (default: all)",
    )
    add(
        "--attestation",
        metavar="TYPE",
        default="",
        help="demand an attestation of this type, instead of a signature",
    )
    add(
        "-a",
        "--annotation",
        dest="annotations",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="demand that the signature says this too",
    )
    add(
        "--trusted-root",
        metavar="FILE",
        default="",
        help="the trusted root of a Sigstore (default: that of the one that is initialized)",
    )
    add(
        "--offline",
        action="store_true",
        help="ask nobody but the registry: take the trusted root as it was kept",
    )
    add(
        "--accept-unlogged",
        metavar="REASON",
        default="",
        help="why no transparency log has to have it",
    )
    add(
        "--witness",
        metavar="KEY",
        action="append",
        default=[],
        help="demand that this witness cosigned the log's checkpoint: NAME+HASH+KEY; may repeat",
    )
    add(
        "--witnesses",
        metavar="N",
        type=int,
        default=0,
        help="so many of the witnesses (default: all)",
    )
    add("-r", "--recursive", action="store_true", help="judge the images that an index names too")


def given(args: "argparse.Namespace") -> bool:
    """Say whether the options name a policy.

    Raises:
        InputError: only a part of one, or one besides a policy file.
    """
    words = vars(args)
    if not any(words.get(name) for name in _WHO):
        for name, flag in _MORE.items():
            if words.get(name):
                raise InputError(
                    f"{flag} needs somebody to believe",
                    hint="add --key, or --identity and --issuer",
                )
        return False
    for name, flag in (("policy", "--policy"), ("require_pin", "--require-pin")):
        if words.get(name):
            raise InputError(f"{flag} does not go with --key and --identity")
    return True


def engine(args: "argparse.Namespace", program: "Program") -> "Engine":
    """The engine under the policy of the options.

    Raises:
        InputError: the options make no policy. KeyAccessError, UnavailableError: a key or root cannot be had.
    """
    return program.engine(policy=policy(args, program))


def policy(args: "argparse.Namespace", program: "Program") -> Policy:
    """Make a policy of the options.

    Raises:
        As ``engine``.
    """
    signers = [*_keys(args, program), *_identities(args)]
    if len({signer.name for signer in signers}) != len(signers):
        raise InputError("a key or an identity is named twice")
    count = args.threshold or len(signers)
    if not 1 <= count <= len(signers):
        raise InputError(
            f"--threshold {args.threshold} of {len(signers)}",
            hint="name at least as many keys and identities",
        )
    root = _trusted_root(args, program)
    witnesses = _witnesses(args)
    demanded = {
        "witnesses": witnesses,
        "witnesses_needed": args.witnesses or len(witnesses),
        "trusted_root": root,
        "accept_unlogged": args.accept_unlogged,
        "annotations": pairs(args.annotations),
    }
    predicate = predicate_type(args.attestation) if args.attestation else ""
    parts = tuple(
        Vouched(signer=_attesting(signer.replace(**demanded), predicate), predicate=predicate)
        for signer in signers
    )
    requirement = parts[0] if len(parts) == 1 else AtLeast(count=count, parts=parts)
    rule = Rule(images=Pattern(parts=("**",)), effect="require", requirement=requirement)
    return Policy(layers=(Layer(name=LAYER, rules=(rule,)),))


def _witnesses(args: "argparse.Namespace") -> tuple[str, ...]:
    """The witnesses that are demanded, by their verifier keys.

    Raises:
        InputError: one is no key, or stands there twice; more are demanded than are named; no log is asked for.
    """
    if not args.witness and not args.witnesses:
        return ()
    from countermark.cli.witness_flags import witnesses  # noqa: PLC0415 - few demand them

    witnesses(args.witness, args.witnesses or None)
    if args.accept_unlogged:
        raise InputError("--witness is about a log, and --accept-unlogged asks for none")
    return tuple(args.witness)


def _attesting(signer: CosignSigner, predicate: str) -> CosignSigner:
    """The same signer, of whom an attestation is demanded; named as a policy file's would be."""
    if not predicate:
        return signer
    return signer.replace(name=f"{signer.name} (attested {predicate})", predicate=predicate)


def _keys(args: "argparse.Namespace", program: "Program") -> "list[CosignSigner]":
    return [CosignSigner(name=each, key=_key(each, program)) for each in args.key]


def _key(reference: str, program: "Program") -> str:
    from countermark.proofs import public_keys  # noqa: PLC0415 - where there are keys

    try:
        found = program.cosign.keys.public_key(reference)
    except EvidenceError as error:  # what was given is wrong, and not what is judged
        raise InputError(f"{reference}: {error}", hint=error.hint) from None
    return public_keys.encode(found).decode("ascii")


def _identities(args: "argparse.Namespace") -> "list[CosignSigner]":
    names, issuers = args.identity, args.issuer
    if names and not issuers:
        raise InputError(
            "an identity needs its issuer: anybody can be called so elsewhere",
            hint="add --issuer URL",
        )
    if issuers and len(issuers) not in (1, len(names)):
        raise InputError(
            f"{len(issuers)} issuers for {len(names)} identities",
            hint="give one --issuer for all, or one for each --identity in their order",
        )
    every = issuers * len(names) if len(issuers) == 1 else issuers
    return [
        CosignSigner(name=f"{name} of {issuer}", identity=_identity(name, issuer))
        for name, issuer in zip(names, every, strict=True)
    ]


def _identity(name: str, issuer: str) -> Identity:
    subject_is_pattern, issuer_is_pattern = "*" in name, "*" in issuer
    return Identity(
        subject="" if subject_is_pattern else name,
        subject_pattern=patterns.from_glob(name) if subject_is_pattern else "",
        issuer="" if issuer_is_pattern else issuer,
        issuer_pattern=patterns.from_glob(issuer) if issuer_is_pattern else "",
    )


def _trusted_root(args: "argparse.Namespace", program: "Program") -> str:
    """The trusted root's text; "" for the initialized Sigstore's, as it is when it is needed."""
    from countermark.formats import trusted_root  # noqa: PLC0415 - where there is one

    if args.trusted_root:
        content = program.files.read_bytes(args.trusted_root)
        if content is None:
            raise InputError(f"{args.trusted_root}: there is no such file")
        try:
            trusted_root.parse(content)
        except EvidenceError as error:
            raise InputError(f"{args.trusted_root} is no trusted root: {error}") from None
        return content.decode("utf-8")
    if args.offline and (args.identity or not args.accept_unlogged):
        found: bytes = program.cosign.sigstore(offline=True).trusted_root().encode()
        return found.decode("utf-8")
    return ""


def pairs(texts: "list[str]") -> tuple[tuple[str, str], ...]:
    """Read ``NAME=VALUE`` words.

    Raises:
        InputError: one is none, or a name comes twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"not NAME=VALUE: {text[:80]!r}")
        if name in found:
            raise InputError(f"{name[:80]!r} has two values")
        found[name] = value
    return tuple(found.items())


def predicate_type(text: str) -> str:
    """Take a predicate type: a URI, or one of cosign's words.

    Raises:
        InputError: it is neither.
    """
    found = PREDICATE_TYPES.get(text, text)
    if "://" not in found or not found.isprintable() or " " in found:
        raise InputError(
            f"no predicate type: {text[:80]!r}",
            hint=f"write a URI, or one of: {', '.join(PREDICATE_TYPES)}",
        )
    return found


def with_children(references: "list[ImageReference]", program: "Program") -> "list[ImageReference]":
    """Each image, and after it by digest what its index names.

    Raises:
        NotFoundError, RefusedError, UnavailableError, EvidenceError: a registry says so.
    """
    from countermark.assembly.cosign_registry import RegistryAccess  # noqa: PLC0415 - -r only

    found = []
    for reference in references:
        subject = program.cosign.subject(RegistryAccess(), reference)
        # by the digest that was looked at, so that what is judged is what names the others
        found.append(reference.replace(digest=subject.digest))
        found += [
            reference.replace(tag=None, digest=child.digest)
            for child in program.cosign.children(RegistryAccess(), subject)
        ]
    return found
