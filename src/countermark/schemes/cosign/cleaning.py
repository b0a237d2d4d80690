"""Remove what lies beside an image: from its tags, its referrers, and the lists of both.

What has a tag of its own goes there first: whoever signs meanwhile would put it back from there. Registries that
cannot delete a tag delete the manifest (distribution-spec 1.1, "Content Management"); an index that nobody may delete
is emptied.
"""

from countermark.core.digest import Digest
from countermark.core.errors import NotFoundError, RefusedError
from countermark.core.light import Iterator, Sequence
from countermark.core.reference import Repository
from countermark.formats import oci
from countermark.schemes.cosign import beside
from countermark.schemes.cosign.attach import SignatureRegistry
from countermark.schemes.cosign.beside import REFERRER, Attached
from countermark.schemes.cosign.find import BUNDLE_TYPE, LEGACY_TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

# cosign's --type, and what each means here
TYPES = {
    "all": beside.KINDS,
    "signature": ("sig",),
    "attestation": ("att",),
    "sbom": ("sbom",),
    "referrer": (REFERRER,),
}


class CleanedRegistry(SignatureRegistry, Protocol):
    """A registry that things can be removed from."""

    def delete_manifest(self, repository: Repository, name: str) -> None:
        """Delete a manifest by digest, or a tag where the registry can."""
        ...


def remove(
    registry: CleanedRegistry, place: Repository, subject: Digest, kinds: Sequence[str]
) -> Iterator[str]:
    """Remove these kinds, and name each thing that is gone, as people ask for it.

    Of referrers only bundles go: what else refers to the image is not ours to remove.

    Raises:
        RefusedError, UnavailableError, EvidenceError: as ``core/ports.py`` says.
    """
    found = [
        each
        for each in beside.listed(registry, place, subject, kinds)
        if each.kind != REFERRER or each.is_bundle
    ]
    _remove_own(registry, place, subject, kinds)
    for each in found:
        if each.kind != REFERRER:
            _delete(registry, place, each.name, each.digest)
            yield f"{place.name}:{each.name}"
    bundles = [each for each in found if each.kind == REFERRER]
    if bundles:
        yield from _remove_bundles(registry, place, subject, bundles)


def _remove_own(
    registry: CleanedRegistry, place: Repository, subject: Digest, kinds: Sequence[str]
) -> None:
    """Remove what has a tag of its own and is of these kinds."""
    for tag in registry.tags_beginning(place, oci.own_tags(subject)):
        try:
            content, media_type = registry.tagged(place, tag)
        except NotFoundError:
            continue
        if _kind(content, media_type) in kinds:
            _delete(registry, place, tag, Digest.of(content))


def _kind(content: bytes, media_type: str) -> str:
    document = oci.parse_document(content, media_type)
    types = (
        [each.media_type for each in document.layers] if isinstance(document, oci.Manifest) else []
    )
    if document.subject is not None:
        own = any(kind.startswith(BUNDLE_TYPE) for kind in types)
        return REFERRER if own else ""
    for suffix, kind in zip(("sig", "att"), LEGACY_TYPES, strict=True):
        if kind in types:
            return suffix
    return ""


def _remove_bundles(
    registry: CleanedRegistry, place: Repository, subject: Digest, bundles: Sequence[Attached]
) -> Iterator[str]:
    gone = {each.digest for each in bundles}
    index = _fallback(registry, place, subject)
    if index is not None:
        digest, entries = index
        left = [entry for entry in entries if entry.digest not in gone]
        if left or _refusal(registry, place, str(digest)) is not None:
            content = oci.encode_index(left)
            registry.put_manifest(place, oci.fallback_tag(subject), oci.OCI_INDEX, content)
        yield f"{place.name}@{digest}"
    for each in bundles:
        _delete(registry, place, "", each.digest)
        yield f"{place.name}@{each.digest}"


def _fallback(
    registry: CleanedRegistry, place: Repository, subject: Digest
) -> tuple[Digest, tuple[oci.Descriptor, ...]] | None:
    """The index under the fallback tag, None where there is none."""
    try:
        content, media_type = registry.tagged(place, oci.fallback_tag(subject))
    except NotFoundError:
        return None
    document = oci.parse_document(content, media_type)
    return (Digest.of(content), document.manifests) if isinstance(document, oci.Index) else None


def _delete(registry: CleanedRegistry, place: Repository, tag: str, digest: Digest) -> None:
    """Delete a tag where the registry can, and the manifest; what is gone already is well."""
    if tag:
        _refusal(registry, place, tag)
    refusal = _refusal(registry, place, str(digest))
    if refusal is not None:
        raise refusal


def _refusal(registry: CleanedRegistry, place: Repository, name: str) -> RefusedError | None:
    """Delete something; return the answer of a registry that does not do such things."""
    try:
        registry.delete_manifest(place, name)
    except NotFoundError:
        return None
    except RefusedError as error:
        if error.status not in (400, 405):
            raise
        return error
    return None
