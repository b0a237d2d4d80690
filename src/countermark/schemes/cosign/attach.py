"""Where evidence is put: a bundle as a referrer of the image, an older signature as a layer under the image's tag.

Specs: cosign, 2a and 2b; bytes in cosign's order (observed, 3). Whoever writes the older kind reads the tag, adds a
layer and puts it back, as cosign does, of whose six parallel signatures two are left; ours lie under tags of their
own too, and whoever writes last has seen those of all others.
"""

from countermark.core.digest import Digest
from countermark.core.errors import MalformedError, NotFoundError, UnavailableError
from countermark.core.light import Iterator, Sequence, datetime
from countermark.core.reference import Repository
from countermark.core.value import Value
from countermark.formats import bundle, go_text, legacy, oci, strict_json
from countermark.formats.legacy import LegacySignature
from countermark.formats.oci import Descriptor
from countermark.schemes.cosign.find import SignatureStore, legacy_tag

_EMPTY = b"{}"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_ROUNDS = 24  # each that another writer interrupts costs one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class SignatureRegistry(SignatureStore, Protocol):
    """A registry that takes signatures too; errors are as ``core/ports.py`` says."""

    def has_blob(self, repository: Repository, digest: Digest) -> bool:
        """Say whether a blob is there already."""
        ...

    def put_blob(
        self, repository: Repository, digest: Digest, size: int, content: Iterator[bytes]
    ) -> None:
        """Upload a blob of known digest and size."""
        ...

    def put_manifest(
        self, repository: Repository, name: str, media_type: str, content: bytes
    ) -> Digest:
        """Put a manifest; one that names a subject is listed among its referrers, however many write at once."""
        ...

    def replace_tag(
        self,
        repository: Repository,
        tag: str,
        media_type: str,
        content: bytes,
        before: Digest | None,
    ) -> bool:
        """Put a manifest under a tag that meant ``before``; False where it is known to mean another one now."""
        ...

    def tags_beginning(self, repository: Repository, prefix: str) -> Sequence[str]:
        """List the tags that begin with a prefix."""
        ...


def put_blob(registry: SignatureRegistry, repository: Repository, content: bytes) -> Digest:
    """Have a small blob in a repository."""
    digest = Digest.of(content)
    if not registry.has_blob(repository, digest):
        registry.put_blob(repository, digest, len(content), iter((content,)))
    return digest


# Bundles ----------------------------------------------------------------------------------------------------


def attach_bundle(
    registry: SignatureRegistry,
    repository: Repository,
    subject: Descriptor,
    content: bytes,
    predicate_type: str,
    now: datetime,
) -> Digest:
    """Put a bundle beside an image, as a manifest that refers to it; returns that manifest's digest.

    Raises:
        RefusedError, UnavailableError, EvidenceError: as ``core/ports.py`` says.
    """
    put_blob(registry, repository, _EMPTY)
    put_blob(registry, repository, content)
    manifest = encode_bundle_manifest(subject, content, predicate_type, now)
    name = str(Digest.of(manifest))
    return registry.put_manifest(repository, name, oci.OCI_MANIFEST, manifest)


def encode_bundle_manifest(
    subject: Descriptor, content: bytes, predicate_type: str, now: datetime
) -> bytes:
    """Write the manifest of a bundle, in cosign's order and with its non-standard member of the configuration."""
    return strict_json.compact(
        {
            "schemaVersion": 2,
            "mediaType": oci.OCI_MANIFEST,
            "config": {
                "mediaType": _EMPTY_TYPE,
                "size": len(_EMPTY),
                "digest": str(Digest.of(_EMPTY)),
                "artifactType": bundle.MEDIA_TYPE,
            },
            "layers": [
                {
                    "mediaType": bundle.MEDIA_TYPE,
                    "size": len(content),
                    "digest": str(Digest.of(content)),
                }
            ],
            "annotations": {
                "dev.sigstore.bundle.content": "dsse-envelope",
                "dev.sigstore.bundle.predicateType": predicate_type,
                "org.opencontainers.image.created": go_text.format_time(now.replace(microsecond=0)),
            },
            "subject": {
                "mediaType": subject.media_type,
                "size": subject.size,
                "digest": str(subject.digest),
            },
            "artifactType": bundle.MEDIA_TYPE,
        }
    )


# Older signatures and attestations -------------------------------------------------------------------------------


class _Layer(Value):
    """A layer with what stands beside it."""

    media_type: str
    digest: Digest
    size: int
    annotations: tuple[tuple[str, str], ...]


def attach_legacy(
    registry: SignatureRegistry, repository: Repository, subject: Digest, found: LegacySignature
) -> str:
    """Put an older signature or attestation beside an image; returns the tag under which it lies.

    Raises:
        RefusedError, UnavailableError, EvidenceError: as ``core/ports.py`` says.
    """
    digest = put_blob(registry, repository, found.payload)
    own = _Layer(
        media_type=found.media_type,
        digest=digest,
        size=len(found.payload),
        annotations=tuple(found.annotations().items()),
    )
    manifest, config = _encoded([own])
    put_blob(registry, repository, config)
    registry.put_manifest(repository, _own_tag(subject, own), oci.OCI_MANIFEST, manifest)
    suffix = "att" if found.is_attestation else "sig"
    _complete(registry, repository, subject, suffix, own)
    return legacy_tag(subject, suffix)


def repair_legacy(
    registry: SignatureRegistry, repository: Repository, subject: Digest, suffix: str
) -> int:
    """Put back under the tag what has a tag of its own and is not there; say how many those were.

    Raises:
        RefusedError, UnavailableError, EvidenceError: as ``core/ports.py`` says.
    """
    return _complete(registry, repository, subject, suffix, None)


def merge_legacy(
    registry: SignatureRegistry, repository: Repository, tag: str, content: bytes, media_type: str
) -> None:
    """Have a tag hold the layers of a manifest from elsewhere, besides those that it holds; all blobs are there.

    Raises:
        As ``repair_legacy``.
    """
    wanted = _layers_in(content, media_type)
    for _ in range(_ROUNDS):
        present, before = _tagged(registry, repository, tag)
        missing = [layer for layer in wanted if layer not in present]
        if not missing and (present or not wanted):
            return
        if present:
            _replace(registry, repository, tag, [*present, *missing], before)
        else:
            registry.replace_tag(repository, tag, media_type, content, before)
    raise _interrupted(repository, tag)


def _complete(
    registry: SignatureRegistry,
    repository: Repository,
    subject: Digest,
    suffix: str,
    own: _Layer | None,
) -> int:
    """Have the tag hold every layer that has a tag of its own, however many write at once."""
    tag = legacy_tag(subject, suffix)
    media_type = legacy.ATTESTATION_TYPE if suffix == "att" else legacy.SIGNATURE_TYPE
    own_tags: dict[str, tuple[_Layer, ...]] = {}
    if own is not None:
        own_tags[_own_tag(subject, own)] = (own,)
    added: set[_Layer] = set()
    for _ in range(_ROUNDS):
        present, before = _tagged(registry, repository, tag)
        own_tags.update({_own_tag(subject, layer): (layer,) for layer in present})
        _read_own_tags(registry, repository, subject, own_tags)
        wanted = [each for layers in own_tags.values() for each in layers]
        wanted = list(dict.fromkeys(each for each in wanted if each.media_type == media_type))
        missing = [layer for layer in wanted if layer not in present]
        if not missing:
            return len(added)
        added |= {*missing}
        _replace(registry, repository, tag, [*present, *missing], before)
    raise _interrupted(repository, tag)


def _replace(
    registry: SignatureRegistry,
    repository: Repository,
    tag: str,
    layers: Sequence[_Layer],
    before: Digest | None,
) -> None:
    """Put all layers under a tag, unless somebody else has changed it meanwhile; then the next round sees theirs."""
    manifest, config = _encoded(layers)
    put_blob(registry, repository, config)
    registry.replace_tag(repository, tag, oci.OCI_MANIFEST, manifest, before)


def _interrupted(repository: Repository, tag: str) -> UnavailableError:
    return UnavailableError(
        f"{repository.name}: other writers keep overwriting {tag}", hint="try again"
    )


def _encoded(layers: Sequence[_Layer]) -> tuple[bytes, bytes]:
    return legacy.encode_image(
        [
            (
                Descriptor(media_type=each.media_type, digest=each.digest, size=each.size),
                dict(each.annotations),
            )
            for each in layers
        ]
    )


def _own_tag(subject: Digest, layer: _Layer) -> str:
    """The tag under which a layer lies by itself."""
    manifest, _ = _encoded([layer])
    return oci.own_tag(subject, Digest.of(manifest))


def _read_own_tags(
    registry: SignatureRegistry,
    repository: Repository,
    subject: Digest,
    known: dict[str, tuple[_Layer, ...]],
) -> None:
    """Read what lies under tags of its own and is not known yet."""
    for tag in registry.tags_beginning(repository, oci.own_tags(subject)):
        if tag not in known:
            known[tag] = tuple(_tagged(registry, repository, tag)[0])


def _tagged(
    registry: SignatureRegistry, repository: Repository, tag: str
) -> tuple[list[_Layer], Digest | None]:
    """Read the layers under a tag with what stands beside them, and what it means; none where that is no image."""
    try:
        content, media_type = registry.tagged(repository, tag)
    except NotFoundError:
        return [], None
    try:
        return _layers_in(content, media_type), Digest.of(content)
    except MalformedError:
        return [], Digest.of(content)


def _layers_in(content: bytes, media_type: str) -> list[_Layer]:
    return [
        _Layer(
            media_type=each.media_type,
            digest=each.digest,
            size=each.size,
            annotations=tuple(each.annotations.items()),
        )
        for each in oci.parse_manifest(content, media_type).layers
    ]
