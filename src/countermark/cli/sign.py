"""Sign images with cosign's signatures, and attest things about them, in our own few words."""

from countermark.cli.verify_flags import pairs, predicate_type
from countermark.core import limits
from countermark.core.errors import CountermarkError, InputError
from countermark.core.reference import ImageReference
from countermark.core.text import harmless
from countermark.schemes.interface import Statement

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from countermark.assembly.program import Program
    from countermark.cli.output import Output
    from countermark.core.reference import Subject
    from countermark.schemes.cosign.signer import CosignImageSigner, Predicate
    from countermark.schemes.interface import Receipt

    Make = Callable[[list[Subject]], list[Receipt]]

SIGN_EXAMPLES = """examples:
  countermark sign registry.example.com/pay:v3                         as yourself: in a browser, or as the CI job
  countermark sign --key cosign.key --no-log registry.example.com/pay:v3       with a key, and nothing else
  countermark sign --key cosign.key --format both -a build=17 registry.example.com/pay:v3
  countermark sign -r --signing-config config.json --trusted-root root.json registry.example.com/pay:v3

Trust data of content trust is signed by: countermark trust sign, countermark push --sign.
exit: 0 all signed; nothing that we would refuse is published"""

ATTEST_EXAMPLES = """examples:
  countermark attest --predicate provenance.json --type slsaprovenance1 registry.example.com/pay:v3
  countermark attest --key cosign.key --no-log --predicate sbom.json --type spdxjson registry.example.com/pay:v3
  countermark attest --predicate a.json --type vuln --predicate b.json --type https://example.com/review IMAGE

exit: 0 all attested; all is made and verified before any of it is published"""

_LETTERS = "what signatures say besides: NAME=VALUE"


def _signing_arguments(parser: "argparse.ArgumentParser") -> None:
    add = parser.add_argument
    add("images", nargs="+", metavar="IMAGE", help="an image: name, tag, digest or both")
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
    add("-r", "--recursive", action="store_true", help="the images that an index names too")
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


def sign_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``sign``."""
    parser.epilog = SIGN_EXAMPLES
    _signing_arguments(parser)
    parser.add_argument(
        "-a",
        "--annotation",
        dest="annotations",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help=_LETTERS,
    )


def attest_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``attest``."""
    parser.epilog = ATTEST_EXAMPLES
    _signing_arguments(parser)
    add = parser.add_argument
    add(
        "--predicate",
        metavar="FILE",
        action="append",
        default=[],
        help="what is stated, a JSON object; - for stdin; may repeat",
    )
    add(
        "--type",
        metavar="TYPE",
        action="append",
        default=[],
        help="its type: a URI, or a word as slsaprovenance1, spdxjson, vuln; one for each",
    )


def sign(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Sign each image by the digest that its name means now."""
    annotations = pairs(args.annotations)
    signer = _signer(args, program, out)

    def make(subjects: "list[Subject]") -> "list[Receipt]":
        return [
            signer.sign(Statement(subject=subject, annotations=annotations), program.now())
            for subject in subjects
        ]

    return _each(args, program, out, make, "signed")


def attest(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """State something about each image."""
    stated = _predicates(args, program)
    signer = _signer(args, program, out)

    def make(subjects: "list[Subject]") -> "list[Receipt]":
        return [signer.attest_all(subjects, stated, program.now())]

    return _each(args, program, out, make, "attested")


# Who, and how -----------------------------------------------------------------------------------------------


def _signer(args: "argparse.Namespace", program: "Program", out: "Output") -> "CosignImageSigner":
    """Who signs.

    Raises:
        InputError: options that contradict each other, or services that cannot prove it.
    """
    from countermark.assembly.cosign_registry import RegistryAccess  # noqa: PLC0415 - who signs
    from countermark.assembly.cosign_signing import SigningChoice, Talk  # noqa: PLC0415 - who signs

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


def _predicates(args: "argparse.Namespace", program: "Program") -> "list[Predicate]":
    """Read what is to be stated.

    Raises:
        InputError: nothing, another number of types, a file that is missing or no JSON object.
    """
    from countermark.cli.cosign import predicates  # noqa: PLC0415 - who attests
    from countermark.formats import strict_json  # noqa: PLC0415 - who attests
    from countermark.formats.payloads import CUSTOM_PREDICATE  # noqa: PLC0415 - who attests
    from countermark.schemes.cosign.signer import Predicate  # noqa: PLC0415 - who attests

    if not args.predicate or len(args.predicate) != len(args.type):
        raise InputError(
            f"{len(args.predicate)} predicates and {len(args.type)} types",
            hint="give --predicate FILE --type TYPE, as often as there is something to state",
        )
    if args.predicate.count("-") > 1:
        raise InputError("standard input is one predicate")
    found = []
    for file, name in zip(args.predicate, args.type, strict=True):
        kind = predicate_type(name)
        content = _content(file, program)
        if kind == CUSTOM_PREDICATE:
            content = predicates.custom(content, program.now())
        try:
            value = strict_json.parse_any(content, max_bytes=limits.SIGNATURE_BYTES)
        except CountermarkError as error:
            raise InputError(f"{file}: {error}") from None
        if not isinstance(value, dict):
            raise InputError(f"{file}: a predicate is a JSON object")
        found.append(Predicate(type=kind, content=content))
    return found


def _content(file: str, program: "Program") -> bytes:
    if file == "-":
        return program.standard_input(limits.SIGNATURE_BYTES)
    content = program.files.read_large(file, limits.SIGNATURE_BYTES)
    if content is None:
        raise InputError(f"{file}: there is no such file")
    return content


# What, and what came of it ----------------------------------------------------------------------------------


def _each(
    args: "argparse.Namespace", program: "Program", out: "Output", make: "Make", word: str
) -> int:
    """Do it to one image after the other; what was done is told even where a later one fails."""
    from countermark.assembly.cosign_registry import RegistryAccess  # noqa: PLC0415 - who signs

    references = [ImageReference.parse(text).with_default_tag() for text in args.images]
    done: list[dict[str, object]] = []
    try:
        for reference in references:
            subject = program.cosign.subject(RegistryAccess(), reference)
            subjects = [subject]
            if args.recursive:
                subjects += program.cosign.children(RegistryAccess(), subject)
            receipts = make(subjects)
            done.append(_record(reference, subjects, receipts))
            if args.output == "text":
                _show(reference, subjects, receipts, out, word)
    finally:
        if args.output == "json":
            out.document({"version": 1, word: done})
    return 0


def _show(
    reference: ImageReference,
    subjects: "list[Subject]",
    receipts: "list[Receipt]",
    out: "Output",
    word: str,
) -> None:
    name = harmless(reference.familiar.partition("@")[0])
    for subject in subjects:
        out.result(f"{out.styled(word, 'good')}  {name}@{subject.digest}")
    who = dict.fromkeys(who for receipt in receipts for who in receipt.signatories)
    out.result(f"  by {', '.join(map(harmless, who))}")
    for receipt in receipts:
        for place in receipt.texts:
            out.result(f"  {harmless(place)}")


def _record(
    reference: ImageReference, subjects: "list[Subject]", receipts: "list[Receipt]"
) -> dict[str, object]:
    return {
        "image": reference.familiar,
        "digests": [str(subject.digest) for subject in subjects],
        "signatories": list(dict.fromkeys(who for r in receipts for who in r.signatories)),
        "places": [place for receipt in receipts for place in receipt.texts],
    }
