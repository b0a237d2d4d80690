"""``tree``, ``triangulate``, ``copy``, ``clean``, ``save`` and ``load``, in cosign's words.

Texts: cosign 3.1.3, as observed (specs: cosign-observed, 2.6). What lies beside an image is never left behind.
"""

from countermark.cli.cosign import named
from countermark.cli.cosign.registries import registry_access
from countermark.cli.cosign.words import CosignError, Failing
from countermark.core.errors import InputError, NotFoundError
from countermark.core.text import harmless
from countermark.schemes.cosign.find import legacy_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output
    from countermark.schemes.cosign.beside import Attached

_SUFFIXES = {"signature": "sig", "attestation": "att", "sbom": "sbom"}  # cosign's --type
_HEADS = {
    "sig": "🔐 Signatures for an image tag",
    "att": "💾 Attestations for an image tag",
    "sbom": "📦 SBOMs for an image tag",
}
_REMOVES = {
    "signature": "all signatures",
    "sbom": "all SBOMs",
    "attestation": "all attestations",
    "referrer": "all referrer attestations and/or signatures",
    "all": "all signatures, SBOMs and attestations",
}
_ARTEFACTS = "Supply Chain Security Related"


def tree(words: "Words", program: "Program", out: "Output") -> int:
    """Show what lies beside an image: under its tags, and what refers to it."""
    from countermark.schemes.cosign import beside  # noqa: PLC0415 - this command

    reference = named.reference(words.arguments[0])
    out.result(f"📦 {_ARTEFACTS} artifacts for an image: {words.arguments[0]}")
    subject = named.subject(words, program, reference)
    place = program.cosign.signatures_place(reference.repository)
    registry = program.cosign.registry(registry_access(words))
    kinds = beside.KINDS if words.on("experimental-oci11") else beside.SUFFIXES
    if words.text("registry-referrers-mode") == "oci-1-1":
        kinds = beside.KINDS
    found = beside.listed(registry, place, subject.digest, kinds)
    for each in found:
        out.result(f"└── {_head(each, place.name)}")
        for number, layer in enumerate(each.layers, 1):
            arm = "└──" if number == len(each.layers) else "├──"
            out.result(f"   {arm} 🍒 {layer.digest}")
    if not found:
        out.written(
            f"No {_ARTEFACTS} Artifacts found for image {words.arguments[0]},\n"
            " start creating one with simply running$ cosign sign <img>"
        )
    return 0


def _head(each: "Attached", place: str) -> str:
    if each.kind in _HEADS:
        return f"{_HEADS[each.kind]}: {place}:{each.name}"
    return f"🔗 {harmless(each.says)} artifacts via OCI referrer: {place}@{each.digest}"


def triangulate(words: "Words", program: "Program", out: "Output") -> int:
    """Print where something of an image's lies, by its tag."""
    asked = words.text("type")
    if asked == "sbom":
        from countermark.cli.cosign.downloads import SBOMS  # noqa: PLC0415 - this kind only

        out.foreign_error(SBOMS)
    if asked not in (*_SUFFIXES, "digest"):
        raise CosignError(f"unknown attachment type {asked}")
    reference = named.reference(words.arguments[0])
    digest = named.digest(words, program, reference)
    if asked == "digest":
        out.result(f"{reference.repository.name}@{digest}")
    else:
        place = program.cosign.signatures_place(reference.repository)
        out.result(f"{place.name}:{legacy_tag(digest, _SUFFIXES[asked])}")
    return 0


# Taking images elsewhere ------------------------------------------------------------------------------------


def copy(words: "Words", program: "Program", out: "Output") -> int:
    """Copy an image to another registry, with all that lies beside it."""
    from countermark.formats.oci import Platform  # noqa: PLC0415 - this command
    from countermark.mirror.look import Choice  # noqa: PLC0415 - this command

    source, to = (named.reference(image) for image in words.arguments)
    only = words.list("only")
    if words.on("sig-only"):
        out.foreign_error("--sig-only is deprecated, use --only=sig instead")
        only = tuple(dict.fromkeys((*only, "sig")))
    platform = words.text("platform")
    try:
        choice = Choice(
            only=only,
            platform=Platform.parse(platform) if platform else None,
            overwrite=words.on("force"),
        )
    except InputError as error:
        raise CosignError(str(error), hint=error.hint) from None
    subject = named.subject(words, program, source)
    out.foreign_error(f"Copying {subject.pinned} to {to.familiar}...")
    mirror = program.cosign.mirror(registry_access(words), out)
    for name in mirror.copy(subject, to, choice).names:
        out.foreign_error(f"Copied {name}")
    return 0


def save(words: "Words", program: "Program", out: "Output") -> int:
    """Save an image into a folder, with all that lies beside it."""
    path = _folder(words)
    reference = named.reference(words.arguments[0])
    subject = named.subject(words, program, reference, "signed entity: ")
    mirror = program.cosign.mirror(registry_access(words), out)
    mirror.save(subject, program.cosign.saving_folder(path))
    return 0


def load(words: "Words", program: "Program", out: "Output") -> int:
    """Bring an image from a folder to a registry, with all that lies beside it there."""
    path = _folder(words)
    to = named.reference(words.arguments[0])
    mirror = program.cosign.mirror(registry_access(words), out)
    try:
        folder = program.cosign.saved_folder(path)
    except NotFoundError as error:
        raise CosignError(f"signed image index: {error}", hint=error.hint) from None
    mirror.load(folder, to)
    return 0


def _folder(words: "Words") -> str:
    if not words.text("dir"):
        raise CosignError('required flag(s) "dir" not set')
    return words.text("dir")


# Removing ---------------------------------------------------------------------------------------------------


def clean(words: "Words", program: "Program", out: "Output") -> int:
    """Remove what lies beside an image: signatures, attestations, SBOMs, bundles; or one kind of them."""
    from countermark.schemes.cosign import beside, cleaning  # noqa: PLC0415 - this command

    kind = words.text("type")
    if not words.on("force"):
        out.foreign_error(f"WARNING: this will remove {_REMOVES[kind]} from the image")
        if not program.cosign.prompt.confirm():
            raise CosignError("user declined the prompt")
    image = words.arguments[0]
    reference = named.reference(image)
    digest = named.digest(words, program, reference)
    registry = program.cosign.registry(registry_access(words))
    place = program.cosign.signatures_place(reference.repository)
    if kind in ("signature", "attestation"):
        referring = beside.listed(registry, place, digest, (beside.REFERRER,))
        if any(each.is_bundle for each in referring):
            out.foreign_error("WARNING: image has referrers, consider using --type referrer")
    with Failing("could not delete all of it: "):
        for name in cleaning.remove(registry, place, digest, cleaning.TYPES[kind]):
            out.foreign_error(f"Removed {name} from {image}")
    return 0
