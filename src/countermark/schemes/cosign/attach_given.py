"""Attach what others have made: signatures, attestations, bundles and SBOMs that are given as files.

Nothing here makes or verifies a signature; but what says itself that it is about another image is not put beside this
one, and what could not be read there again is not put anywhere.
"""

from countermark.core.digest import Digest
from countermark.core.errors import Code, InputError, MalformedError
from countermark.core.light import Iterator, datetime
from countermark.core.reference import Repository
from countermark.formats import bundle as bundles
from countermark.formats import legacy, oci, payloads, strict_json
from countermark.formats.legacy import LegacySignature
from countermark.formats.oci import Descriptor
from countermark.formats.payloads import IN_TOTO, Envelope, InTotoStatement
from countermark.schemes.cosign import attach
from countermark.schemes.cosign.attach import SignatureRegistry
from countermark.schemes.cosign.find import legacy_tag

# cosign's --type and --input-format of SBOMs, and the media type of each
SBOM_TYPES = {
    ("spdx", "text"): "text/spdx",
    ("spdx", "json"): "text/spdx+json",
    ("cyclonedx", "json"): "application/vnd.cyclonedx+json",
    ("cyclonedx", "xml"): "application/vnd.cyclonedx+xml",
    ("syft", "json"): "application/vnd.syft+json",
}


def signature(
    registry: SignatureRegistry, place: Repository, subject: Digest, found: LegacySignature
) -> str:
    """Attach a signature over a simple-signing payload; returns the tag under which it lies.

    Raises:
        InputError: the payload is none, or about another image.
        RefusedError, UnavailableError, EvidenceError: as ``core/ports.py`` says.
    """
    try:
        payload = payloads.parse(found.payload)
    except MalformedError as error:
        raise InputError(f"the payload: {error}") from None
    if payload.digest != subject:
        raise _of_another(str(payload.digest), subject)
    return attach.attach_legacy(registry, place, subject, found)


def bundle(
    registry: SignatureRegistry,
    place: Repository,
    subject: Descriptor,
    content: bytes,
    now: datetime,
) -> Digest:
    """Attach a bundle, signature or attestation; returns the digest of the manifest that refers to the image.

    Raises:
        As ``signature``.
    """
    try:
        found = bundles.parse(content)
    except MalformedError as error:
        raise InputError(f"the bundle: {error}") from None
    if not isinstance(found.content, Envelope):
        raise InputError(
            "the bundle has no envelope, so that it says nothing about an image",
            hint="a bundle of a file's signature stays beside the file",
        )
    stated = stated_about(found.content, subject.digest)
    if found.version != "0.3":
        content = found.replace(version="0.3").encode()
    return attach.attach_bundle(registry, place, subject, content, stated.predicate_type, now)


def attestations(
    registry: SignatureRegistry,
    place: Repository,
    subject: Descriptor,
    content: bytes,
    now: datetime,
) -> Iterator[str]:
    """Attach each line of a file, a bundle or an envelope; all are read before any is attached.

    Yields where each lies.

    Raises:
        As ``signature``.
    """
    lines = (
        [content] if _is_json(content) else [each for each in content.splitlines() if each.strip()]
    )
    if not lines:
        raise InputError("there is no attestation in it")
    made = [(line, None if is_bundle(line) else _legacy(line, subject.digest)) for line in lines]
    for line, found in made:
        if found is None:
            yield str(bundle(registry, place, subject, line, now))
        else:
            yield attach.attach_legacy(registry, place, subject.digest, found)


def _legacy(line: bytes, subject: Digest) -> LegacySignature:
    try:
        envelope = Envelope.parse(line)
    except MalformedError as error:
        raise InputError(f"the attestation: {error}") from None
    return LegacySignature(
        payload=line,
        signature=envelope.signatures[0].value,
        is_attestation=True,
        predicate_type=stated_about(envelope, subject).predicate_type,
    )


def _is_json(content: bytes) -> bool:
    try:
        strict_json.parse_any(content, max_bytes=len(content))
    except MalformedError:
        return False
    return True


def is_bundle(line: bytes) -> bool:
    """Say whether this is a Sigstore bundle, sound or not."""
    try:
        value = strict_json.parse(line, max_bytes=len(line))
    except MalformedError:
        return False
    return isinstance(value, dict) and "verificationMaterial" in value


def stated_about(envelope: Envelope, subject: Digest) -> InTotoStatement:
    """Read the statement in an envelope, which has to be about the image.

    Raises:
        InputError: it is none, or about another.
    """
    if envelope.payload_type != IN_TOTO:
        raise InputError(f"invalid payloadType {envelope.payload_type[:80]!r} on envelope")
    try:
        stated = InTotoStatement.parse(envelope.payload)
    except MalformedError as error:
        raise InputError(f"the statement: {error}") from None
    named = [f"{a}:{h}" for each in stated.subjects for a, h in each.digests.items()]
    if str(subject) not in named:
        raise _of_another(named[0][:100] if named else "nothing", subject)
    return stated


def _of_another(named: str, subject: Digest) -> InputError:
    return InputError(f"it is about {named}, and not about {subject}", code=Code.WRONG_SUBJECT)


def sbom(
    registry: SignatureRegistry,
    place: Repository,
    subject: Digest,
    content: bytes,
    media_type: str,
) -> str:
    """Attach an SBOM, unsigned, in place of one that is there; returns the tag under which it lies.

    Raises:
        RefusedError, UnavailableError, EvidenceError: as ``core/ports.py`` says.
    """
    digest = attach.put_blob(registry, place, content)
    layer = Descriptor(media_type=media_type, digest=digest, size=len(content))
    manifest, config = legacy.encode_image([(layer, {})])
    attach.put_blob(registry, place, config)
    tag = legacy_tag(subject, "sbom")
    registry.put_manifest(place, tag, oci.OCI_MANIFEST, manifest)
    return tag
