"""What a pushed manifest must be, and what a registry must know of it.

Images and indexes are checked (``formats/oci.py``); a manifest of another type need only be strict JSON. Whatever it
is, its bytes are kept as they came.
"""

import re

from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import InputError, MalformedError
from countermark.core.value import Value
from countermark.formats import oci, strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# layers that may be fetched from elsewhere and need not be here
_ELSEWHERE = (
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
)
# only `application`: a browser must never show what somebody pushed as a page of ours
_MEDIA_TYPE = re.compile(r"application/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*")
_UNSPECIFIC = ("", "application/json", "application/octet-stream")


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
        entry = oci.Descriptor(
            media_type=self.media_type,
            digest=digest,
            size=size,
            artifact_type=self.artifact_type,
            annotations=self.annotations,
        )
        return strict_json.compact(entry.encode())


def read(content: bytes, content_type: str) -> PushedManifest:
    """Check a manifest that was pushed with a Content-Type ("" for none).

    Raises:
        MalformedError: it is not what its type says, or past a limit (``too-large``).
    """
    reader = _reader(content)
    given = content_type.partition(";")[0].strip()
    if given in _UNSPECIFIC:
        given = reader.text("mediaType") if reader.has("mediaType") else ""
    known = oci.media_type_of(given)
    if known and known not in oci.MEDIA_TYPES:
        return _other(reader, given)
    document = oci.parse_document(content, known)
    blobs: tuple[oci.Descriptor, ...] = ()
    manifests: tuple[oci.Descriptor, ...] = ()
    if isinstance(document, oci.Index):
        manifests = document.manifests
    else:
        here = [layer for layer in document.layers if not layer.media_type.startswith(_ELSEWHERE)]
        blobs = (document.config, *here)
    return PushedManifest(
        media_type=document.media_type,
        blobs=tuple(blob.digest for blob in blobs),
        manifests=tuple(child.digest for child in manifests),
        subject=document.subject.digest if document.subject else None,
        artifact_type=document.artifact_type,
        annotations=document.annotations,
    )


def subject_of(content: bytes) -> Digest | None:
    """Whom a stored manifest refers to."""
    return _subject(_reader(content))


def _reader(content: bytes) -> strict_json.Reader:
    return strict_json.Reader(strict_json.parse(content, max_bytes=limits.MANIFEST_BYTES))


def _other(reader: strict_json.Reader, media_type: str) -> PushedManifest:
    """A manifest of a kind that we do not know: a subject is a subject, all else is its own affair."""
    if len(media_type) > limits.MEDIA_TYPE_CHARS or not _MEDIA_TYPE.fullmatch(media_type):
        raise MalformedError(f"not a manifest's media type: {media_type[:100]!r}", path="mediaType")
    if reader.has("mediaType") and reader.text("mediaType") != media_type:
        raise MalformedError("mediaType is not Content-Type", path="mediaType")
    annotations = reader.object("annotations") if reader.has("annotations") else None
    return PushedManifest(
        media_type=media_type,
        subject=_subject(reader),
        artifact_type=reader.text("artifactType") if reader.has("artifactType") else "",
        annotations={n: annotations.text(n) for n in annotations.names()} if annotations else {},
    )


def _subject(reader: strict_json.Reader) -> Digest | None:
    if not reader.has("subject"):
        return None
    try:
        return Digest.parse(reader.object("subject").text("digest"))
    except InputError as error:
        raise MalformedError(str(error), path="subject.digest") from None
