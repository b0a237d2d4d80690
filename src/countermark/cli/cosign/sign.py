"""``cosign sign`` and ``attest``, in cosign's words."""

from countermark.cli.cosign import consent, identities, named
from countermark.cli.cosign.registries import registry_access
from countermark.cli.cosign.signing import parts
from countermark.cli.cosign.words import CosignError, Failing
from countermark.core.errors import InputError
from countermark.core.reference import ImageReference
from countermark.schemes.interface import Statement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output
    from countermark.core.reference import Subject
    from countermark.schemes.cosign.signer import CosignImageSigner

    Make = Callable[[Subject], str]


def sign(words: "Words", program: "Program", out: "Output") -> int:
    """Sign images, and put the signatures beside them."""
    annotations = _annotations(words)
    publish = words.on("upload")
    _check_referrers_mode(words, program)
    image = words.arguments[0]
    recursively = "" if "@" in image else "recursively signing: "
    prefix = f"signing [{image}]: {recursively}signing digest: should upload to tlog: "
    consent.ask_before_logging(words, program, out, prefix)
    signer = _signer(words, program, out, publish=publish)

    def one(subject: "Subject") -> str:
        out.foreign_error("Signing artifact...")
        statement = Statement(subject=subject, annotations=annotations)
        receipt = signer.sign(statement, program.now())
        if publish:
            out.foreign_error(f"Pushing signature to: {subject.repository.name}")
        return receipt.location

    for image in words.arguments:
        _each(image, words, program, out, one)
    return 0


def _signer(
    words: "Words", program: "Program", out: "Output", *, publish: bool
) -> "CosignImageSigner":
    """Who signs, and where the result goes.

    Raises:
        CosignError: nowhere, or several results into one file (of which cosign keeps the last).
    """
    form, file = "bundle" if words.on("new-bundle-format") else "legacy", words.text("bundle")
    if not publish and (not file or form == "legacy"):
        raise CosignError(
            "must enable upload to the OCI registry or specify a local --bundle path with --new-bundle-format"
        )
    if file and form == "legacy":
        raise CosignError("--bundle is for the new bundle format")
    if file and (len(words.arguments) > 1 or words.switches.get("recursive")):
        raise CosignError("--bundle takes the bundle of one image", hint="sign one image at a time")
    made = parts(words, program, out, form)
    return made.signer(registry_access(words), publish=publish, file=file)


def _check_referrers_mode(words: "Words", program: "Program") -> None:
    if words.text("registry-referrers-mode") != "oci-1-1":
        return
    flag = 'invalid argument "oci-1-1" for "--registry-referrers-mode" flag'
    if program.environment.get("COSIGN_EXPERIMENTAL") != "1":
        raise CosignError(
            f'{flag}: in order to use  mode "oci-1-1", you must set COSIGN_EXPERIMENTAL=1'
        )
    raise CosignError(f"{flag}: bundles are what refers to images here", hint="leave the flag out")


def _annotations(words: "Words") -> tuple[tuple[str, str], ...]:
    try:
        return identities.annotations(words)
    except CosignError as error:
        image = words.arguments[0]
        raise CosignError(f"signing [{image}]: getting annotations: {error}") from None


def _each(image: str, words: "Words", program: "Program", out: "Output", make: "Make") -> None:
    """Do something to an image, and to what its index names where that was asked for."""
    try:
        reference = ImageReference.parse(image)
    except InputError as error:
        raise CosignError(
            f"signing [{image}]: parsing reference: {error}", hint=error.hint
        ) from None
    if reference.digest is None:
        out.foreign_error(named.TAG_WARNING.format(image))
    doing = f"signing [{image}]: "
    subject = named.subject(words, program, reference, f"{doing}accessing entity: ")
    with Failing(doing):
        make(subject)
        for child in _children(words, program, subject):
            make(child)


def _children(words: "Words", program: "Program", subject: "Subject") -> "list[Subject]":
    """What an index names, down to the images."""
    if not words.switches.get("recursive"):
        return []
    return program.cosign.children(registry_access(words), subject)


def attest(words: "Words", program: "Program", out: "Output") -> int:
    """State something about images, and put the attestations beside them."""
    from countermark.cli.cosign import predicates  # noqa: PLC0415 - this command

    stated = predicates.read(words, program, out)
    signer = _signer(words, program, out, publish=not words.on("no-upload"))

    def one(subject: "Subject") -> str:
        out.foreign_error("Signing artifact...")
        return signer.attest(subject, stated.type, stated.predicate, program.now()).location

    for image in words.arguments:
        _each(image, words, program, out, one)
    return 0
