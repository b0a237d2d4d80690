"""``download``, in cosign's words: signatures, attestations and SBOMs of an image, printed and not verified."""

from countermark.cli.cosign import named
from countermark.cli.cosign.registries import registry_access
from countermark.cli.cosign.words import CosignError
from countermark.core import limits
from countermark.core.errors import EvidenceError, InputError, MalformedError
from countermark.formats import bundle, oci, strict_json
from countermark.formats.go_text import to_base64
from countermark.formats.payloads import PREDICATE_TYPES, Envelope, InTotoStatement
from countermark.schemes.cosign import beside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output
    from countermark.core.digest import Digest
    from countermark.core.reference import Repository
    from countermark.formats.legacy import LegacySignature
    from countermark.schemes.cosign.attach import SignatureRegistry
    from countermark.schemes.cosign.beside import Attached

SBOMS = (
    "WARNING: SBOM attachments are deprecated and support will be removed in a Cosign release soon after 2024-02-22 "
    "(see https://github.com/sigstore/cosign/issues/2755). Instead, please use SBOM attestations."
)
_UNVERIFIED = (
    "WARNING: Downloading SBOMs this way does not ensure its authenticity. "
    "If you want to ensure a tamper-proof SBOM, download it using 'cosign download attestation <image uri>'."
)


class _Beside:
    """What lies beside the image that a command names."""

    def __init__(self, words: "Words", program: "Program") -> None:
        self.registry: SignatureRegistry = program.cosign.registry(registry_access(words))
        reference = named.reference(words.arguments[0])
        self.place: Repository = program.cosign.signatures_place(reference.repository)
        platform = words.texts.get("platform", "")
        if platform:
            self.digest: Digest = _for_platform(words, program, platform)
        else:
            self.digest = named.digest(words, program, reference)

    def listed(self, *kinds: str) -> "tuple[Attached, ...]":
        """List these kinds."""
        return beside.listed(self.registry, self.place, self.digest, kinds)

    def bundles(self) -> "Iterator[bytes]":
        """Yield the bundles, as they lie there."""
        for _, content in beside.bundles(self.registry, self.place, self.listed(beside.REFERRER)):
            yield content

    def older(self, suffix: str) -> "Iterator[LegacySignature]":
        """Yield older signatures (``sig``) or attestations (``att``)."""
        yield from beside.layers(self.registry, self.place, self.listed(suffix), suffix)


def _for_platform(words: "Words", program: "Program", text: str) -> "Digest":
    """Select an index's image for one platform."""
    access = registry_access(words)
    subject = named.subject(words, program, named.reference(words.arguments[0]))
    content, media_type = program.cosign.registry(access).manifest(
        subject.repository, subject.digest
    )
    document = oci.parse_document(content, media_type)
    if isinstance(document, oci.Manifest):
        raise CosignError("specified reference is not a multiarch image")
    try:
        return document.select(oci.Platform.parse(text)).digest
    except (InputError, EvidenceError) as error:
        raise CosignError(str(error), hint=error.hint) from None


def signature(words: "Words", program: "Program", out: "Output") -> int:
    """Print an image's signatures, a line of JSON each: bundles, then older ones (of which cosign hides these)."""
    found = _Beside(words, program)
    count = 0
    for content in found.bundles():
        _line(content, out)
        count += 1
    for each in found.older("sig"):
        out.result(beside.downloaded(each).decode())
        count += 1
    if not count:
        raise CosignError(f"{words.arguments[0]}: no signatures associated")
    return 0


def attestation(words: "Words", program: "Program", out: "Output") -> int:
    """Print the attestations about an image, a line of JSON each: bundles, then older ones."""
    asked = words.text("predicate-type")
    wanted = _predicate_type(asked) if asked else ""
    found = _Beside(words, program)
    count = 0
    for content in found.bundles():
        if not wanted or _type_in_bundle(content) == wanted:
            _line(content, out)
            count += 1
    for each in found.older("att"):
        envelope = Envelope.parse(each.payload)
        if not wanted or _type_in(envelope.payload) == wanted:
            out.result(_envelope_line(envelope))
            count += 1
    if wanted and not count:
        raise CosignError(f"no attestations with predicate type '{wanted}' found")
    return 0


def _predicate_type(asked: str) -> str:
    wanted = PREDICATE_TYPES.get(asked, asked)
    if wanted == asked and "://" not in asked and not asked.startswith("/"):
        raise CosignError(f"invalid predicate type: {asked}")
    return wanted


def _line(content: bytes, out: "Output") -> None:
    """Print a document on one line; what is no JSON cannot be."""
    try:
        document = strict_json.parse(content, max_bytes=limits.SIGNATURE_BYTES)
    except MalformedError as error:
        out.foreign_error(f"WARNING: left out a bundle that cannot be read: {error}")
        return
    out.result(strict_json.compact(document).decode())


def _envelope_line(envelope: "Envelope") -> str:
    """An envelope as cosign prints it, with key IDs even where there are none."""
    document = {
        "payloadType": envelope.payload_type,
        "payload": to_base64(envelope.payload),
        "signatures": [
            {"keyid": each.key_id, "sig": to_base64(each.value)} for each in envelope.signatures
        ],
    }
    return strict_json.compact(document).decode()


def _type_in_bundle(content: bytes) -> str:
    """The type of the predicate in a bundle, "" where there is none that can be read."""
    try:
        found = bundle.parse(content)
    except MalformedError:
        return ""
    return _type_in(found.content.payload) if isinstance(found.content, Envelope) else ""


def _type_in(payload: bytes) -> str:
    try:
        return InTotoStatement.parse(payload).predicate_type
    except MalformedError:
        return ""


def sbom(words: "Words", program: "Program", out: "Output") -> int:
    """Print the SBOM that was attached to an image, which nobody has signed."""
    out.foreign_error(SBOMS)
    out.foreign_error(_UNVERIFIED)
    found = _Beside(words, program)
    layers = [layer for each in found.listed("sbom") for layer in each.layers]
    if not layers:
        raise CosignError("no sbom attached to reference")
    out.foreign_error(f"Found SBOM of media type: {layers[0].media_type}")
    out.raw(beside.content_of(found.registry, found.place, layers[0]))
    return 0
