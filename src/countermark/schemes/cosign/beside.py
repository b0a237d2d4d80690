"""What lies beside an image, listed: for those who look at it, fetch it, remove it or take it elsewhere.

Nothing is verified here, and nothing is left out: what cannot be read is an error, since a copy without it would be
believed to be whole. Specs: cosign, 2a and 2b; observed, 2.6.
"""

from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import Code, CountermarkError, MalformedError, NotFoundError
from countermark.core.light import Iterator, Sequence
from countermark.core.reference import Repository
from countermark.core.value import Value
from countermark.formats import legacy, oci, strict_json
from countermark.formats.go_text import to_base64
from countermark.formats.oci import Descriptor
from countermark.proofs import pem
from countermark.schemes.cosign.find import BUNDLE_TYPE, LEGACY_TYPES, SignatureStore, legacy_tag

SUFFIXES = ("sig", "att", "sbom")
REFERRER = "referrer"
KINDS = (*SUFFIXES, REFERRER)
_CONTENT, _PREDICATE = "dev.sigstore.bundle.content", "dev.sigstore.bundle.predicateType"


class Attached(Value):
    """A manifest that lies beside an image.

    Attributes:
        kind: one of ``KINDS``: under which tag, or a referrer.
        name: how a registry is asked for it: a tag, or its digest.
        digest, media_type, content: of the manifest.
        artifact_type: what it says that it is.
        predicate_type: of a bundle with an attestation, as its manifest says; nobody has signed that.
        layers: what is in it; of an index nothing.
    """

    kind: str
    name: str
    digest: Digest
    media_type: str
    content: bytes
    artifact_type: str = ""
    predicate_type: str = ""
    layers: tuple[Descriptor, ...] = ()

    @property
    def is_bundle(self) -> bool:
        """Whether it holds a Sigstore bundle."""
        return any(layer.media_type.startswith(BUNDLE_TYPE) for layer in self.layers)

    @property
    def says(self) -> str:
        """What it is, for people: the predicate type of a bundle, else the artifact's type."""
        return self.predicate_type or self.artifact_type or self.media_type


def listed(
    registry: SignatureStore, place: Repository, subject: Digest, kinds: Sequence[str] = KINDS
) -> tuple[Attached, ...]:
    """List what lies beside an image: what is under its tags, then what refers to it, in the registry's order.

    ``place`` is where signatures are kept.

    Raises:
        RefusedError, UnavailableError, EvidenceError: as ``core/ports.py`` says.
    """
    found: list[Attached] = []
    for suffix in SUFFIXES:
        if suffix in kinds:
            found += _tagged(registry, place, subject, suffix)
    if REFERRER in kinds:
        found += _referrers(registry, place, subject)
    return tuple(found)


def _tagged(
    registry: SignatureStore, place: Repository, subject: Digest, suffix: str
) -> list[Attached]:
    tag = legacy_tag(subject, suffix)
    try:
        content, media_type = registry.tagged(place, tag)
    except NotFoundError:
        return []
    return [read(suffix, tag, content, media_type)]


def _referrers(registry: SignatureStore, place: Repository, subject: Digest) -> list[Attached]:
    try:
        entries = registry.referrers(place, subject)
    except NotFoundError:  # the repository that is to hold signatures does not exist
        return []
    wanted = list({each.digest: each.size for each in entries}.items())
    if len(wanted) > limits.SIGNATURES_PER_IMAGE:
        raise MalformedError(
            f"{len(wanted)} referrers of {subject}, at most {limits.SIGNATURES_PER_IMAGE} are looked at",
            code=Code.TOO_LARGE,
        )
    answers = registry.many_manifests(place, wanted, limits.SIGNATURE_CONNECTIONS)
    found: list[Attached] = []
    for (digest, _), answer in zip(wanted, answers, strict=True):
        if isinstance(answer, CountermarkError):
            raise answer
        found.append(read(REFERRER, str(digest), *answer))
    return found


def read(kind: str, name: str, content: bytes, media_type: str) -> Attached:
    """Take a manifest that lies beside an image.

    Raises:
        MalformedError: it is none.
    """
    document = oci.parse_document(content, media_type)
    says = document.annotations
    return Attached(
        kind=kind,
        name=name,
        digest=Digest.of(content),
        media_type=document.media_type,
        content=content,
        artifact_type=document.artifact_type,
        predicate_type=says.get(_PREDICATE, "") if says.get(_CONTENT) == "dsse-envelope" else "",
        layers=document.layers if isinstance(document, oci.Manifest) else (),
    )


# What is in it ------------------------------------------------------------------------------------------------


def content_of(registry: SignatureStore, place: Repository, layer: Descriptor) -> bytes:
    """Fetch what is in a layer.

    Raises:
        EvidenceError: ``too-large``; or, as RefusedError and UnavailableError, the registry's part.
    """
    if layer.size > limits.SIGNATURE_BYTES:
        raise MalformedError(
            f"{layer.size} bytes, at most {limits.SIGNATURE_BYTES} are read", code=Code.TOO_LARGE
        )
    return registry.blob(place, layer.digest, layer.size)


def bundles(
    registry: SignatureStore, place: Repository, attached: Sequence[Attached]
) -> Iterator[tuple[Attached, bytes]]:
    """Yield the bundles beside an image, as they lie there.

    Raises:
        As ``content_of``.
    """
    for each in attached:
        if each.kind == REFERRER and each.is_bundle:
            yield each, content_of(registry, place, each.layers[0])


def layers(
    registry: SignatureStore, place: Repository, attached: Sequence[Attached], suffix: str
) -> Iterator[legacy.LegacySignature]:
    """Yield older signatures (``sig``) or attestations (``att``).

    Raises:
        As ``content_of``; MalformedError: one is none.
    """
    for each in attached:
        for layer in each.layers if each.kind == suffix else ():
            if layer.media_type in LEGACY_TYPES:
                content = content_of(registry, place, layer)
                yield legacy.from_layer(layer.media_type, layer.annotations, content)


def downloaded(found: legacy.LegacySignature) -> bytes:
    """Write an older signature as ``download signature`` prints it: one line, named as Go names it.

    Of certificates only ``Raw`` is written, from which all that cosign writes can be read.
    """

    def certificates(text: str) -> "list[dict[str, object]]":
        blocks = pem.parse(text.encode()) if text else ()
        return [{"Raw": to_base64(block.content)} for block in blocks]

    certificate, chain = certificates(found.certificate), certificates(found.chain)
    says = found.annotations()
    return strict_json.compact(
        {
            "Base64Signature": to_base64(found.signature),
            "Payload": to_base64(found.payload),
            "Cert": certificate[0] if certificate else None,
            "Chain": chain or None,
            "Bundle": _parsed(says.get(legacy.BUNDLE)),
            "RFC3161Timestamp": _parsed(says.get(legacy.TIMESTAMP)),
        }
    )


def _parsed(text: str | None) -> "object":
    return strict_json.parse(text.encode("utf-8")) if text else None
