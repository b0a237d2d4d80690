"""``attach``, in cosign's words: signatures, attestations and SBOMs that others made, put beside an image.

Nothing here is verified, as with cosign; but what says that it is about another image is not attached.
"""

from countermark.cli.cosign import named
from countermark.cli.cosign.downloads import SBOMS
from countermark.cli.cosign.registries import registry_access
from countermark.cli.cosign.words import CosignError, Failing
from countermark.core import limits
from countermark.core.errors import MalformedError
from countermark.formats import legacy, oci, payloads
from countermark.formats.go_text import from_base64
from countermark.schemes.cosign import attach_given
from countermark.schemes.cosign.find import legacy_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output
    from countermark.core.digest import Digest
    from countermark.core.reference import Repository
    from countermark.formats.legacy import LegacySignature

_UNSIGNED = (
    "WARNING: Attaching SBOMs this way does not sign them. "
    "To sign them, use 'cosign attest --predicate {} --key <key path>'."
)
_FORMS = {"spdx": ("text", "json"), "cyclonedx": ("xml", "json"), "syft": ("json",)}


def signature(words: "Words", program: "Program", out: "Output") -> int:
    """Put a signature that is given beside an image: its parts, or a bundle."""
    del out
    place = words.text("bundle") or words.text("payload")
    content = program.cosign.given(place) if place else b""
    subject = named.subject(words, program, named.reference(words.arguments[0]))
    registry = program.cosign.registry(registry_access(words))
    where = program.cosign.signatures_place(subject.repository)
    if words.text("bundle") or (content and attach_given.is_bundle(content)):
        attach_given.bundle(registry, where, oci.describe(subject), content, program.now())
        return 0
    found = _older(words, program, content or _payload(subject.repository, subject.digest))
    attach_given.signature(registry, where, subject.digest, found)
    return 0


def _payload(repository: "Repository", digest: "Digest") -> bytes:
    return payloads.encode(repository.name, digest, {})


def _given(program: "Program", place: str) -> bytes:
    """Read a file, or standard input where that is asked for."""
    if place == "-":
        return program.standard_input(limits.SIGNATURE_BYTES)
    return program.cosign.given(place)


def _older(words: "Words", program: "Program", payload: bytes) -> "LegacySignature":
    """Put an older signature together from its parts."""
    place = words.text("signature")
    if not place:
        raise CosignError("empty signature", hint="give its file with --signature")
    given = _given(program, place)
    if not given.strip():
        raise CosignError("empty signature")

    def text(flag: str) -> str:
        path = words.text(flag)
        return program.cosign.given(path).decode("utf-8", "replace") if path else ""

    response = words.text("rekor-response")
    stamp = words.text("tsr")
    try:
        return legacy.LegacySignature(
            payload=payload,
            signature=from_base64(given.decode("ascii", "replace").strip(), "--signature"),
            certificate=text("certificate"),
            chain=text("certificate-chain"),
            entry=legacy.parse_blob_bundle(program.cosign.given(response)).entry
            if response
            else None,
            timestamp=program.cosign.given(stamp) if stamp else b"",
        )
    except MalformedError as error:
        raise CosignError(str(error), hint=error.hint) from None


def attestation(words: "Words", program: "Program", out: "Output") -> int:
    """Put attestations that are given beside an image, bundles or envelopes, one each line of a file."""
    files = words.list("attestation")
    if not files:
        raise CosignError('required flag(s) "attestation" not set')
    reference = named.reference(words.arguments[0])
    subject = named.subject(words, program, reference)
    registry = program.cosign.registry(registry_access(words))
    place = program.cosign.signatures_place(subject.repository)
    for file in files:
        out.foreign_error(f"Using payload from: {file}")
        if reference.digest is None:
            out.foreign_error(named.TAG_WARNING.format(words.arguments[0]))
        content = program.cosign.given(file)
        with Failing(f"attaching payload from {file}: "):
            list(
                attach_given.attestations(
                    registry, place, oci.describe(subject), content, program.now()
                )
            )
    return 0


def sbom(words: "Words", program: "Program", out: "Output") -> int:
    """Put an SBOM beside an image, unsigned; in place of one that is there."""
    out.foreign_error(SBOMS)
    media_type = _sbom_type(words)
    path = words.text("sbom")
    out.foreign_error(_UNSIGNED.format(path))
    if not path:
        raise CosignError("open : no such file or directory", hint="give its file with --sbom")
    content = _given(program, path)
    reference = named.reference(words.arguments[0])
    subject = named.subject(words, program, reference)
    registry = program.cosign.registry(registry_access(words))
    place = program.cosign.signatures_place(subject.repository)
    where = f"{place.name}:{legacy_tag(subject.digest, 'sbom')}"
    name = reference.repository.name
    image = f"{name}:{reference.tag}" if reference.tag else f"{name}@{reference.digest}"
    out.foreign_error(
        f"Uploading SBOM file for [{image}] to [{where}] with mediaType [{media_type}].\n"
    )
    attach_given.sbom(registry, place, subject.digest, content, media_type)
    return 0


def _sbom_type(words: "Words") -> str:
    """The SBOM's media type, from what its flags say it is, or its name does."""
    kind, form = words.text("type"), words.text("input-format")
    if kind not in _FORMS:
        raise CosignError(f'unknown SBOM type: "{kind}", expected (spdx|cyclonedx|syft)')
    forms = _FORMS[kind]
    if form and form not in forms:
        raise CosignError(
            f'invalid SBOM input format: "{form}", expected ({"|".join(sorted(forms))})'
        )
    is_json = form == "json" or words.text("sbom").endswith(".json")
    return attach_given.SBOM_TYPES[kind, "json" if is_json else forms[0]]
