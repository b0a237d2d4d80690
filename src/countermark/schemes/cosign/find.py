"""Where signatures of a digest lie: tag scheme and referrers.

Bundles are referrers of the image, by the registry's API or on its fallback tag; older signatures and attestations
are layers of an image under the tags ``sha256-….sig`` and ``sha256-….att`` (specs: cosign, 2a, 2b). Both are always
looked at: cosign 3.1.3 takes the first kind that it finds and never sees the other. What cannot be read is not left
out either: it comes back with the reason, so that nobody wonders where a signature went.
"""

from _thread import allocate_lock

from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    MalformedError,
    NotFoundError,
)
from countermark.core.light import Sequence, partial
from countermark.core.reference import Repository
from countermark.core.value import Value
from countermark.formats import oci
from countermark.schemes.cosign import material
from countermark.schemes.cosign.asking import all_answers
from countermark.schemes.cosign.material import Material

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
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
    """A registry, read for what lies beside an image, by several threads; errors as ``core/ports.py`` says."""

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
    threads: int = limits.SIGNATURE_THREADS,
) -> Found:
    """Fetch everything that may be a signature of a digest: all bundles, and the older kind under these suffixes.

    ``repository`` is where signatures are kept: the image's own, or another one (cosign: ``COSIGN_REPOSITORY``).

    No error is raised: what the registry refuses or cannot give now is a trouble that may pass.
    """
    return _Search(store, repository, subject, threads).everything(suffixes)


class _List(Value):
    """One list to ask for, and how."""

    name: str
    ask: "Callable[[], list[_Place]]"


class _Place(Value):
    """One thing to fetch: what to call it, where it lies, and how to get what is in it."""

    name: str
    path: str
    fetch: "Callable[[], Material | None]"


class _Search:
    """One look round, in two rounds of questions: what is there, then all of it at once."""

    def __init__(
        self, store: SignatureStore, repository: Repository, subject: Digest, threads: int
    ) -> None:
        self._store, self._repository, self._subject = store, repository, subject
        self._threads = threads
        self._troubles: list[Trouble] = []
        self._left, self._lock = limits.SIGNATURES_BYTES, allocate_lock()

    def everything(self, suffixes: Sequence[str]) -> Found:
        lists = [_List(name="referrers", ask=self._referrers)]
        for suffix in suffixes:
            tag = legacy_tag(self._subject, suffix)
            lists.append(_List(name=tag, ask=partial(self._tagged, tag)))
        places: list[_Place] = []
        answers = all_answers([each.ask for each in lists], self._threads)
        for each, answer in zip(lists, answers, strict=True):
            if isinstance(answer, CountermarkError):
                self._note(each.name, f"{self._repository.name} {each.name}", answer)
            else:
                places += answer
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
        found: list[Material] = []
        answers = all_answers([place.fetch for place in places], self._threads)
        for place, answer in zip(places, answers, strict=True):
            if isinstance(answer, CountermarkError):
                self._note(place.name, place.path, answer)
            elif answer is not None:
                found.append(answer)
        return Found(materials=tuple(found), troubles=tuple(self._troubles))

    def _note(self, name: str, path: str, error: CountermarkError) -> None:
        if isinstance(error, EvidenceError) and error.path:
            path = f"{path} {error.path}"
        # a manifest or blob that its list names and the registry has not is broken, and waiting does not mend it
        broken = isinstance(error, (EvidenceError, NotFoundError))
        trouble = Trouble(
            name=name, place=path, code=error.code, reason=str(error), may_pass=not broken
        )
        self._troubles.append(trouble)

    # Referrers --------------------------------------------------------------------------------------

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
                fetch=partial(self._referrer, digest),
            )
            for digest in dict.fromkeys(each.digest for each in listed)
        ]

    def _referrer(self, digest: Digest) -> Material | None:
        """Read one referrer; None for what is no signature (an SBOM, another scheme's signature).

        Of the variant that cosign wrote with COSIGN_EXPERIMENTAL=1 the first layer is read: it never had more.
        """
        content, media_type = self._store.manifest(self._repository, digest)
        document = oci.parse_document(content, media_type)
        layers = document.layers if isinstance(document, oci.Manifest) else ()
        kinds = [layer.media_type for layer in layers]
        path = f"{self._repository.name}@{digest}"
        if any(kind.startswith(BUNDLE_TYPE) for kind in kinds):
            if len(layers) != 1:
                raise MalformedError("a bundle is alone in its manifest", path="layers")
            name = f"bundle {digest.hex[:12]}"
            return material.of_bundle(self._blob(layers[0]), name, path)
        if any(kind in LEGACY_TYPES for kind in kinds):
            if len(layers) != 1:
                raise MalformedError(
                    "an attached signature is alone in its manifest", path="layers"
                )
            name = f"signature {digest.hex[:12]}"
            return material.of_layer(layers[0], self._blob(layers[0]), name, path)
        return None

    # Tags -------------------------------------------------------------------------------------------

    def _tagged(self, tag: str) -> list[_Place]:
        """List the layers under a tag."""
        try:
            content, media_type = self._store.tagged(self._repository, tag)
        except NotFoundError:
            return []
        manifest = oci.parse_manifest(content, media_type)
        found: list[_Place] = []
        for number, layer in enumerate(manifest.layers, 1):
            kind = "attestation" if tag.endswith(".att") else "signature"
            name = f"{kind} {number} under .{tag[-3:]}"
            path = f"{self._repository.name}:{tag} layer {number}"
            fetch = partial(self._layer, layer, name, path)
            found.append(_Place(name=name, path=path, fetch=fetch))
        return found

    def _layer(self, layer: oci.Descriptor, name: str, path: str) -> Material | None:
        if layer.media_type not in LEGACY_TYPES:
            return None
        return material.of_layer(layer, self._blob(layer), name, path)

    def _blob(self, layer: oci.Descriptor) -> bytes:
        """Fetch a layer, within what one may hold and what all together may."""
        with self._lock:
            self._left -= layer.size
            left = self._left
        if layer.size > limits.SIGNATURE_BYTES or left < 0:
            most = limits.SIGNATURE_BYTES if left >= 0 else limits.SIGNATURES_BYTES
            raise MalformedError(
                f"{layer.size} bytes, at most {most} are read", code=Code.TOO_LARGE
            )
        return self._store.blob(self._repository, layer.digest, layer.size)
