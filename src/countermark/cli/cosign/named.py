"""The image that a command of cosign's names: its reference, what it is now, cosign's words where it is not there."""

from countermark.cli.cosign.registries import registry_access
from countermark.cli.cosign.words import CosignError
from countermark.core.errors import InputError, NotFoundError
from countermark.core.reference import ImageReference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.core.digest import Digest
    from countermark.core.reference import Subject

TAG_WARNING = (
    "WARNING: Image reference {} uses a tag, not a digest, to identify the image to sign.\n"
    "    This can lead you to sign a different image than the intended one. Please use a\n"
    "    digest (example.com/ubuntu@sha256:abc123...) rather than tag\n"
    "    (example.com/ubuntu:latest) for the input to cosign. The ability to refer to\n"
    "    images by tag will be removed in a future release.\n"
)


def reference(image: str) -> ImageReference:
    """Read an image's name; without a tag it is ``latest``.

    Raises:
        CosignError: it is none.
    """
    try:
        return ImageReference.parse(image).with_default_tag()
    except InputError as error:
        raise CosignError(f"could not parse reference: {image}", hint=str(error)) from None


def subject(
    words: "Words", program: "Program", found: ImageReference, doing: str = ""
) -> "Subject":
    """What the image is now; ``doing`` stands before cosign's words where it is not there.

    Raises:
        CosignError: there is none. RefusedError, UnavailableError, EvidenceError: the registry's part.
    """
    try:
        return program.cosign.subject(registry_access(words), found)
    except NotFoundError as error:
        text = f"{doing}entity not found in registry, error: {error}"
        raise CosignError(text, hint=error.hint) from None


def digest(words: "Words", program: "Program", found: ImageReference) -> "Digest":
    """Which digest is meant: the one that is named, whether or not the image is there, else what the tag means.

    Raises:
        As ``subject``.
    """
    return found.digest or subject(words, program, found).digest
