"""What a pushed manifest must be, and what a registry must know of it.

Images and indexes are checked (OCI image-spec 1.1, docker's manifest v2 schema 2); a manifest of another type need
only be strict JSON. Its bytes are kept as they came whatever it is.
"""

import re

from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import InputError, MalformedError
from countermark.core.value import Value
from countermark.formats import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
_OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
_DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
_DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_IMAGES = frozenset((_OCI_IMAGE, _DOCKER_IMAGE))
_INDEXES = frozenset((OCI_INDEX, _DOCKER_LIST))
# docker's schema 1 is signed inside and has a digest of less than its bytes; nobody makes it any more
_SCHEMA_1 = re.compile(r"application/vnd\.docker\.distribution\.manifest\.v1\+(json|prettyjws)")
# layers that may be fetched from elsewhere and need not be here
_ELSEWHERE = re.compile(
    r"application/vnd\.(docker\.image\.rootfs\.foreign\.diff\.tar"
    r"|oci\.image\.layer\.nondistributable\.v1\.tar)([.+][a-z0-9]+)?"
)
# only `application`: a browser must never show what somebody pushed as a page of ours
_MEDIA_TYPE = re.compile(r"application/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*")
_UNSPECIFIC = frozenset(("", "application/json", "application/octet-stream"))


class PushedManifest(Value):
    """What a registry must know of a manifest.

    Attributes:
        media_type: as pushed, without parameters.
        blobs: that must be in the repository.
        manifests: children that must be in it; of a type that is no manifest's, a blob is as good.
        subject: whom it refers to.
        artifact_type: what referrers are filtered by, "" where there is none.
        annotations: copied into the list of referrers.
    """

    media_type: str
    blobs: tuple[Digest, ...] = ()
    manifests: tuple[Digest, ...] = ()
    subject: Digest | None = None
    artifact_type: str = ""
    annotations: "Mapping[str, str]"

    def descriptor(self, digest: Digest, size: int) -> bytes:
        """How the list of referrers shows it (distribution-spec, listing referrers)."""
        shown: dict[str, object] = {
            "mediaType": self.media_type,
            "size": size,
            "digest": str(digest),
        }
        if self.artifact_type:
            shown["artifactType"] = self.artifact_type
        if self.annotations:
            shown["annotations"] = dict(self.annotations)
        return strict_json.compact(shown)


def read(content: bytes, content_type: str) -> PushedManifest:
    """Check a manifest that was pushed with a Content-Type ("" for none).

    Raises:
        MalformedError: it is not what its type says, or past a limit (``too-large``).
    """
    reader = strict_json.Reader(strict_json.parse(content, max_bytes=limits.MANIFEST_BYTES))
    media_type = _media_type(reader, content_type)
    blobs: tuple[Digest, ...] = ()
    manifests: tuple[Digest, ...] = ()
    artifact_type = reader.text("artifactType") if reader.has("artifactType") else ""
    if media_type in _IMAGES:
        _check_version(reader)
        blobs = _image_blobs(reader)
        artifact_type = artifact_type or reader.object("config").text("mediaType")
    elif media_type in _INDEXES:
        _check_version(reader)
        children = _list(reader, "manifests", limits.INDEX_MANIFESTS)
        manifests = tuple(_digest(child) for child in children)
    return PushedManifest(
        media_type=media_type,
        blobs=blobs,
        manifests=manifests,
        subject=_digest(reader.object("subject")) if reader.has("subject") else None,
        artifact_type=artifact_type,
        annotations=_annotations(reader),
    )


def subject_of(content: bytes) -> Digest | None:
    """Whom a stored manifest refers to."""
    reader = strict_json.Reader(strict_json.parse(content, max_bytes=limits.MANIFEST_BYTES))
    return _digest(reader.object("subject")) if reader.has("subject") else None


def _media_type(reader: strict_json.Reader, content_type: str) -> str:
    """Settle the type: the header's and the manifest's own must agree where both are given."""
    given = content_type.partition(";")[0].strip()
    own = reader.text("mediaType") if reader.has("mediaType") else ""
    if given in _UNSPECIFIC:
        given = own or _guessed(reader)
    if own and own != given:
        raise MalformedError(
            f"mediaType is {own[:100]!r}, Content-Type {given[:100]!r}", path="mediaType"
        )
    if len(given) > limits.MEDIA_TYPE_CHARS or not _MEDIA_TYPE.fullmatch(given):
        raise MalformedError(f"not a manifest's media type: {given[:100]!r}", path="mediaType")
    if _SCHEMA_1.fullmatch(given):
        raise MalformedError("docker's manifests of schema 1 are not taken", path="schemaVersion")
    return given


def _guessed(reader: strict_json.Reader) -> str:
    """The type of a manifest that does not say it; ``mediaType`` may be missing (image-spec 1.0)."""
    if reader.has("manifests"):
        return OCI_INDEX
    if reader.has("config"):
        return _OCI_IMAGE
    raise MalformedError("the manifest's media type is not given", path="mediaType")


def _check_version(reader: strict_json.Reader) -> None:
    if reader.integer("schemaVersion") != 2:
        raise MalformedError("schemaVersion is not 2", path="schemaVersion")


def _image_blobs(reader: strict_json.Reader) -> tuple[Digest, ...]:
    layers = _list(reader, "layers", limits.LAYERS)
    here = [layer for layer in layers if not _is_elsewhere(layer)]
    return tuple(_digest(descriptor) for descriptor in (reader.object("config"), *here))


def _is_elsewhere(layer: strict_json.Reader) -> bool:
    return bool(_ELSEWHERE.fullmatch(layer.text("mediaType"))) and layer.has("urls")


def _list(reader: strict_json.Reader, name: str, most: int) -> list[strict_json.Reader]:
    """A list of descriptors; Go writes an empty one as null."""
    found = reader.objects(name) if reader.has(name) else []
    if len(found) > most:
        raise MalformedError(f"more than {most} {name}", path=name)
    return found


def _digest(descriptor: strict_json.Reader) -> Digest:
    """Check a descriptor and take its digest."""
    descriptor.text("mediaType")
    if descriptor.integer("size") < 0:
        raise MalformedError("a negative size", path=f"{descriptor.path}.size")
    try:
        return Digest.parse(descriptor.text("digest"))
    except InputError as error:
        raise MalformedError(str(error), path=f"{descriptor.path}.digest") from None


def _annotations(reader: strict_json.Reader) -> dict[str, str]:
    if not reader.has("annotations"):
        return {}
    annotations = reader.object("annotations")
    return {name: annotations.text(name) for name in annotations.names()}
