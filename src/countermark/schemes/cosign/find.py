"""Where signatures of a digest lie: tag scheme and referrers.

Bundles are referrers of the image, by the registry's API or on its fallback tag; older signatures and attestations
are layers of an image under the tags ``sha256-….sig`` and ``sha256-….att`` (specs: cosign, 2a, 2b). Both are always
looked at: cosign 3.1.3 takes the first kind that it finds and never sees the other. What cannot be read is not left
out either: it comes back with the reason, so that nobody wonders where a signature went.
"""

from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    MalformedError,
    NotFoundError,
)
from countermark.core.light import Sequence
from countermark.core.reference import Repository
from countermark.core.value import Value
from countermark.formats import oci
from countermark.schemes.cosign import material
from countermark.schemes.cosign.material import Material

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

# of a bundle's layer; the version in it is not looked at, the bundle itself says which one it is
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle"
# of older layers, as in formats/legacy.py, which is loaded only where there is one
LEGACY_TYPES = (
    "application/vnd.dev.cosign.simplesigning.v1+json",
    "application/vnd.dsse.envelope.v1+json",
)


class SignatureStore(Protocol):
    """A registry, read for what lies beside an image; errors as ``core/ports.py`` says."""

    def referrers(self, repository: Repository, subject: Digest) -> Sequence[oci.Descriptor]:
        """List what refers to a subject, by the registry's API or by the fallback tag; none is an empty list."""
        ...

    def tagged(self, repository: Repository, tag: str) -> tuple[bytes, str]:
        """Fetch the manifest that a tag points to now, and its media type."""
        ...

    def manifest(self, repository: Repository, digest: Digest) -> tuple[bytes, str]:
        """Fetch a manifest by digest: its bytes, hashed again by us, and its media type."""
        ...

    def blob(self, repository: Repository, digest: Digest, size: int) -> bytes:
        """Fetch a small blob whole; EvidenceError unless digest and size are right."""
        ...

    def many_manifests(
        self, repository: Repository, wanted: Sequence[tuple[Digest, int]], at_once: int
    ) -> "Sequence[tuple[bytes, str] | CountermarkError]":
        """Fetch several manifests, on so many connections at most: of each what ``manifest`` returns or raises.

        ``wanted`` are digests and what is said to be the sizes; nothing rests on these.
        """
        ...

    def many_blobs(
        self, repository: Repository, wanted: Sequence[tuple[Digest, int]], at_once: int
    ) -> "Sequence[bytes | CountermarkError]":
        """Fetch several small blobs, of which digest and size are given, in the same way."""
        ...


class Trouble(Value):
    """Something that lies with the signatures and could not be read.

    Attributes:
        name: what it is, in a few words for people.
        place: where it lies.
        code, reason: what is wrong with it.
        may_pass: it could not be had now, and may be had later.
    """

    name: str
    place: str
    code: Code
    reason: str
    may_pass: bool


class Found(Value):
    """What lies beside an image: signatures that can be checked, and what could not be read."""

    materials: tuple[Material, ...] = ()
    troubles: tuple[Trouble, ...] = ()


def legacy_tag(subject: Digest, suffix: str) -> str:
    """The tag of an image's older signatures (``sig``) or attestations (``att``)."""
    return f"{subject.algorithm}-{subject.hex}.{suffix}"


def signatures(
    store: SignatureStore,
    repository: Repository,
    subject: Digest,
    suffixes: Sequence[str] = ("sig",),
    at_once: int = limits.SIGNATURE_CONNECTIONS,
) -> Found:
    """Fetch everything that may be a signature of a digest: all bundles, and the older kind under these suffixes.

    ``repository`` is where signatures are kept: the image's own, or another one (cosign: ``COSIGN_REPOSITORY``);
    ``at_once`` is how many connections to it there may be.

    No error is raised: what the registry refuses or cannot give now is a trouble that may pass.
    """
    return _Search(store, repository, subject, at_once).everything(suffixes)


class _Place(Value):
    """One thing that may be a signature, what to call it and where it lies: a referrer, or a layer under a tag."""

    name: str
    path: str
    referrer: oci.Descriptor | None = None
    layer: oci.Descriptor | None = None


class _Search:
    """One look round, in three rounds of questions: what is there, manifests, what their layers hold."""

    def __init__(
        self, store: SignatureStore, repository: Repository, subject: Digest, at_once: int
    ) -> None:
        self._store, self._repository, self._subject = store, repository, subject
        self._at_once = at_once
        self._troubles: list[Trouble] = []

    def everything(self, suffixes: Sequence[str]) -> Found:
        places: list[_Place] = []
        for name in ("referrers", *(legacy_tag(self._subject, suffix) for suffix in suffixes)):
            try:
                places += self._referrers() if name == "referrers" else self._tagged(name)
            except CountermarkError as error:
                self._note(name, f"{self._repository.name} {name}", error)
        return self._fetched(self._bounded(places))

    def _bounded(self, places: list[_Place]) -> list[_Place]:
        """Take no more than so many; the rest is told of, not forgotten."""
        if len(places) > limits.SIGNATURES_PER_IMAGE:
            left = len(places) - limits.SIGNATURES_PER_IMAGE
            error = MalformedError(
                f"{left} more than the {limits.SIGNATURES_PER_IMAGE} that are looked at",
                code=Code.TOO_LARGE,
            )
            self._note("further signatures", self._repository.name, error)
        return places[: limits.SIGNATURES_PER_IMAGE]

    def _fetched(self, places: list[_Place]) -> Found:
        outcomes: dict[int, Material | CountermarkError] = {}
        layers = self._affordable(self._layers(places, outcomes), outcomes)
        wanted = [(layer.digest, layer.size) for layer in layers.values()]
        contents = self._store.many_blobs(self._repository, wanted, self._at_once)
        for (number, layer), content in zip(layers.items(), contents, strict=True):
            try:
                outcomes[number] = _material(places[number], layer, content)
            except CountermarkError as error:
                outcomes[number] = error
        found: list[Material] = []
        for number in sorted(outcomes):
            outcome = outcomes[number]
            if isinstance(outcome, CountermarkError):
                self._note(places[number].name, places[number].path, outcome)
            else:
                found.append(outcome)
        return Found(materials=tuple(found), troubles=tuple(self._troubles))

    def _layers(
        self, places: list[_Place], outcomes: "dict[int, Material | CountermarkError]"
    ) -> dict[int, oci.Descriptor]:
        """The layers to read, by the places' numbers; those of referrers stand in their manifests."""
        referrers = {n: place.referrer for n, place in enumerate(places) if place.referrer}
        wanted = [(each.digest, each.size) for each in referrers.values()]
        found = self._store.many_manifests(self._repository, wanted, self._at_once)
        manifests = dict(zip(referrers, found, strict=True))
        layers: dict[int, oci.Descriptor] = {}
        for number, place in enumerate(places):
            try:
                layer = _signature_in(manifests[number]) if place.referrer else place.layer
            except CountermarkError as error:
                outcomes[number] = error
            else:
                if layer is not None:
                    layers[number] = layer
        return layers

    def _affordable(
        self,
        layers: dict[int, oci.Descriptor],
        outcomes: "dict[int, Material | CountermarkError]",
    ) -> dict[int, oci.Descriptor]:
        """Those that are within what one may hold, and what all together may."""
        left = limits.SIGNATURES_BYTES
        affordable: dict[int, oci.Descriptor] = {}
        for number, layer in layers.items():
            if layer.size > min(limits.SIGNATURE_BYTES, left):
                alone = layer.size > limits.SIGNATURE_BYTES
                most = limits.SIGNATURE_BYTES if alone else limits.SIGNATURES_BYTES
                outcomes[number] = MalformedError(
                    f"{layer.size} bytes, at most {most} are read", code=Code.TOO_LARGE
                )
            else:
                affordable[number] = layer
                left -= layer.size
        return affordable

    def _note(self, name: str, path: str, error: CountermarkError) -> None:
        if isinstance(error, EvidenceError) and error.path:
            path = f"{path} {error.path}"
        # a manifest or blob that its list names and the registry has not is broken, and waiting does not mend it
        broken = isinstance(error, (EvidenceError, NotFoundError))
        trouble = Trouble(
            name=name, place=path, code=error.code, reason=str(error), may_pass=not broken
        )
        self._troubles.append(trouble)

    def _referrers(self) -> list[_Place]:
        """List the referrers. All of them: their descriptors say little that can be relied on.

        Fallback tags have been written without artifact types and annotations (go-containerregistry before 0.22.1),
        and cosign looks at layers alone.
        """
        try:
            listed = self._store.referrers(self._repository, self._subject)
        except NotFoundError:  # the repository that is to hold signatures does not exist yet
            return []
        return [
            _Place(
                name=f"referrer {digest.hex[:12]}",
                path=f"{self._repository.name}@{digest}",
                referrer=descriptor,
            )
            for digest, descriptor in {each.digest: each for each in listed}.items()
        ]

    def _tagged(self, tag: str) -> list[_Place]:
        """List the layers under a tag."""
        try:
            content, media_type = self._store.tagged(self._repository, tag)
        except NotFoundError:
            return []
        kind = "attestation" if tag.endswith(".att") else "signature"
        manifest = oci.parse_manifest(content, media_type)
        return [
            _Place(
                name=f"{kind} {number} under .{tag[-3:]}",
                path=f"{self._repository.name}:{tag} layer {number}",
                layer=layer,
            )
            for number, layer in enumerate(manifest.layers, 1)
            if layer.media_type in LEGACY_TYPES
        ]


def _signature_in(manifest: "tuple[bytes, str] | CountermarkError") -> oci.Descriptor | None:
    """The layer that holds a referrer's signature; None in what is none (an SBOM, another scheme's signature).

    Of the variant that cosign wrote with COSIGN_EXPERIMENTAL=1 the first layer is read: it never had more.

    Raises:
        MalformedError: there are several. Whatever the manifest could not be had for.
    """
    if isinstance(manifest, CountermarkError):
        raise manifest
    document = oci.parse_document(*manifest)
    layers = document.layers if isinstance(document, oci.Manifest) else ()
    kinds = [layer.media_type for layer in layers]
    if any(kind.startswith(BUNDLE_TYPE) for kind in kinds):
        what = "a bundle"
    elif any(kind in LEGACY_TYPES for kind in kinds):
        what = "an attached signature"
    else:
        return None
    if len(layers) != 1:
        raise MalformedError(f"{what} is alone in its manifest", path="layers")
    return layers[0]


def _material(
    place: _Place, layer: oci.Descriptor, content: "bytes | CountermarkError"
) -> Material:
    """Read a signature.

    Raises:
        MalformedError: it is none. Whatever its content could not be had for.
    """
    if isinstance(content, CountermarkError):
        raise content
    if place.referrer is None:
        return material.of_layer(layer, content, place.name, place.path)
    if layer.media_type.startswith(BUNDLE_TYPE):
        return material.of_bundle(content, f"bundle {place.referrer.digest.hex[:12]}", place.path)
    name = f"signature {place.referrer.digest.hex[:12]}"
    return material.of_layer(layer, content, name, place.path)
