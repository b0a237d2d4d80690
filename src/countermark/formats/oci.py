"""Descriptors, manifests, indexes, media types.

OCI image-spec 1.1 and docker's schema 2, which say the same under different media types. Manifests are read for what
decisions and copies need (which digests are inside, for which platform, about which subject) and never written back:
the bytes received are what has the digest. Schema 1 is refused: its digest is not the digest of its bytes.
"""

from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import Code, InputError, MalformedError
from countermark.core.value import Value
from countermark.formats.strict_json import Json, Reader, compact, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from countermark.core.reference import Subject

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES = (OCI_INDEX, DOCKER_LIST)
MEDIA_TYPES = (*INDEXES, *MANIFESTS)  # all that we ask a registry for
EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"

_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1"  # +json, +prettyjws
_ANNOTATIONS = 1_024  # of one object; containerd and docker: bounded by the manifest's size


class Platform(Value):
    """What an image runs on: ``linux``, ``arm64``, ``v8``; variant and OS version may be empty."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    @classmethod
    def parse(cls, text: str) -> "Platform":
        """Read ``os/architecture[/variant]``, as ``--platform`` has it.

        Raises:
            InputError: another form.
        """
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(parts):
            raise InputError(f"not a platform (os/architecture[/variant]): {text[:80]!r}")
        os, architecture, variant = (*parts, "")[:3]
        return _normal(os.lower(), architecture.lower(), variant.lower())

    @property
    def is_known(self) -> bool:
        """Whether it is one that an image can run on; buildkit marks attestations as ``unknown/unknown``."""
        return "unknown" not in (self.os, self.architecture)

    def runs(self, other: "Platform") -> bool:
        """Say whether an image for ``other`` is one for this platform; an empty variant or version asks for none."""
        return (
            (self.os, self.architecture) == (other.os, other.architecture)
            and self.variant in ("", other.variant)
            and self.os_version in ("", other.os_version)
        )

    def __str__(self) -> str:
        variant = f"/{self.variant}" if self.variant else ""
        return f"{self.os}/{self.architecture}{variant}"


def _normal(os: str, architecture: str, variant: str, os_version: str = "") -> Platform:
    """Apply containerd's names (platforms.Normalize): aarch64 is arm64, whose only usual variant v8 is left out."""
    names = {
        "x86_64": "amd64",
        "x86-64": "amd64",
        "aarch64": "arm64",
        "armhf": "arm",
        "i386": "386",
    }
    known = names.get(architecture, architecture)
    if known == "arm64" and variant in ("8", "v8"):
        variant = ""
    if known == "arm" and not variant:
        variant = "v7"
    if known == "amd64" and variant == "v1":
        variant = ""
    return Platform(os=os, architecture=known, variant=variant, os_version=os_version)


class Descriptor(Value):
    """Points to content: its type, digest and length in bytes; more where it stands in an index."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    artifact_type: str = ""
    annotations: "Mapping[str, str]" = {}  # noqa: RUF012 - frozen, and never written to

    @property
    def is_manifest(self) -> bool:
        """Whether a registry serves it as a manifest rather than as a blob."""
        return self.media_type in MEDIA_TYPES

    def encode(self) -> "dict[str, object]":
        """Give it back as it stands in an index."""
        found: dict[str, object] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.platform:
            found["platform"] = _encoded(self.platform)
        if self.artifact_type:
            found["artifactType"] = self.artifact_type
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return found


def _encoded(platform: Platform) -> dict[str, str]:
    fields = (
        ("architecture", platform.architecture),
        ("os", platform.os),
        ("os.version", platform.os_version),
        ("variant", platform.variant),
    )
    return {name: value for name, value in fields if value}


class Manifest(Value):
    """One image, or artifact: its config and layers."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: "Mapping[str, str]" = {}  # noqa: RUF012 - frozen, and never written to


class Index(Value):
    """Several manifests: one for each platform, or the referrers of a subject."""

    media_type: str
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: "Mapping[str, str]" = {}  # noqa: RUF012 - frozen, and never written to

    def select(self, platform: Platform) -> Descriptor:
        """Return the child for a platform: the first that says so, as docker takes it.

        Raises:
            MalformedError: ``not-found``, it has none.
        """
        for child in self.manifests:
            if child.platform and platform.runs(child.platform):
                return child
        raise MalformedError(f"no image for platform {platform}", code=Code.NOT_FOUND)

    def runnable(self) -> tuple[Descriptor, ...]:
        """The children that are images for a platform, and not attestations about them."""
        return tuple(
            child
            for child in self.manifests
            if (child.platform is None or child.platform.is_known)
            and "vnd.docker.reference.type" not in child.annotations
        )


def media_type_of(content_type: str) -> str:
    """Take the media type out of a Content-Type header, "" where it names none.

    Raises:
        MalformedError: ``not-supported``, it is a schema 1 manifest.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith(_SCHEMA1):
        raise _schema1()
    return media_type


def _schema1() -> MalformedError:
    return MalformedError(
        "a schema 1 manifest: docker gave the format up in 2019, and its digest does not cover its bytes",
        code=Code.NOT_SUPPORTED,
        hint="push the image again with a current docker",
    )


def parse_document(content: bytes, media_type: str = "") -> "Manifest | Index":
    """Read a manifest or an index of any known type.

    Args:
        content: the bytes.
        media_type: what the registry says it is; where the bytes say something too, it must be the same
            (CVE-2021-41190: one document must not be a manifest to one reader and an index to another).

    Raises:
        MalformedError: it is none, or breaks a limit.
    """
    document = Reader(parse(content, max_bytes=limits.MANIFEST_BYTES))
    version = document.integer("schemaVersion")
    if version == 1:
        raise _schema1()
    if version != 2:
        raise MalformedError(f"schemaVersion {version}", path="schemaVersion")
    media_type = _own_type(document, media_type)
    if media_type in MANIFESTS:
        return _manifest(document, media_type)
    if media_type in INDEXES:
        return _index(document, media_type)
    raise MalformedError(
        f"unknown manifest type {media_type[:120]!r}", code=Code.NOT_SUPPORTED, path="mediaType"
    )


def _own_type(document: Reader, given: str) -> str:
    stated = document.text("mediaType") if document.has("mediaType") else ""
    has_manifests = document.has("manifests")
    if has_manifests and (document.has("layers") or document.has("config")):
        raise MalformedError("both an index and a manifest", path="manifests")
    found = given or stated or (OCI_INDEX if has_manifests else OCI_MANIFEST)
    if stated and stated != found:
        raise MalformedError(
            f"says that it is {stated[:120]}, and was sent as {found[:120]}", path="mediaType"
        )
    return found


def parse_manifest(content: bytes, media_type: str = "") -> Manifest:
    """Read an image manifest.

    Raises:
        MalformedError: it is none, or breaks a limit.
    """
    document = parse_document(content, media_type)
    if not isinstance(document, Manifest):
        raise MalformedError("an index where a manifest is expected")
    return document


def parse_index(content: bytes, media_type: str = "") -> Index:
    """Read an index (docker: manifest list).

    Raises:
        MalformedError: it is none, or breaks a limit.
    """
    document = parse_document(content, media_type)
    if not isinstance(document, Index):
        raise MalformedError("a manifest where an index is expected")
    return document


def children(content: bytes, media_type: str = "") -> tuple[Descriptor, ...]:
    """Everything that a manifest or index names as part of itself: config and layers, or manifests. Not its subject.

    Raises:
        MalformedError: it is neither, or breaks a limit.
    """
    document = parse_document(content, media_type)
    if isinstance(document, Index):
        return document.manifests
    return (document.config, *document.layers)


def _manifest(document: Reader, media_type: str) -> Manifest:
    layers = document.objects("layers")
    if len(layers) > limits.LAYERS:
        raise _too_many("layers", len(layers), limits.LAYERS)
    config = _descriptor(document.object("config"))
    stated = document.text("artifactType") if document.has("artifactType") else ""
    return Manifest(
        media_type=media_type,
        config=config,
        layers=tuple(map(_descriptor, layers)),
        subject=_subject(document),
        # image-spec 1.1: an artifact without artifactType is of its config's type
        artifact_type=stated or config.media_type,
        annotations=_annotations(document),
    )


def _index(document: Reader, media_type: str) -> Index:
    manifests = document.objects("manifests")
    if len(manifests) > limits.INDEX_MANIFESTS:
        raise _too_many("manifests", len(manifests), limits.INDEX_MANIFESTS)
    return Index(
        media_type=media_type,
        manifests=tuple(map(_descriptor, manifests)),
        subject=_subject(document),
        artifact_type=document.text("artifactType") if document.has("artifactType") else "",
        annotations=_annotations(document),
    )


def _too_many(what: str, count: int, most: int) -> MalformedError:
    return MalformedError(
        f"{count} {what}, at most {most} are allowed", code=Code.TOO_LARGE, path=what
    )


def _subject(document: Reader) -> Descriptor | None:
    return _descriptor(document.object("subject")) if document.has("subject") else None


def _descriptor(reader: Reader) -> Descriptor:
    size = reader.integer("size")
    if size < 0:
        raise MalformedError(f"{reader.path}.size is negative", path=f"{reader.path}.size")
    try:
        digest = Digest.parse(reader.text("digest"))
    except InputError as error:
        raise MalformedError(
            f"{reader.path}.digest: {error}", path=f"{reader.path}.digest"
        ) from None
    return Descriptor(
        media_type=reader.text("mediaType"),
        digest=digest,
        size=size,
        platform=_platform(reader.object("platform")) if reader.has("platform") else None,
        artifact_type=reader.text("artifactType") if reader.has("artifactType") else "",
        annotations=_annotations(reader),
    )


def _platform(reader: Reader) -> Platform:
    def text(name: str) -> str:
        return reader.text(name) if reader.has(name) else ""

    return _normal(text("os"), text("architecture"), text("variant"), text("os.version"))


def _annotations(reader: Reader) -> dict[str, str]:
    if not reader.has("annotations"):
        return {}
    found = reader.object("annotations")
    names = found.names()
    if len(names) > _ANNOTATIONS:
        raise _too_many("annotations", len(names), _ANNOTATIONS)
    return {name: found.text(name) for name in names}


def encode_index(manifests: "Sequence[Descriptor]") -> bytes:
    """Write an OCI index, as the fallback tag of a subject's referrers holds it (distribution-spec 1.1)."""
    entries: list[Json | dict[str, object]] = [entry.encode() for entry in manifests]
    return compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})


def describe(subject: "Subject") -> Descriptor:
    """What an image is, as manifests that refer to it have it."""
    return Descriptor(
        media_type=subject.media_type or OCI_MANIFEST,
        digest=subject.digest,
        size=subject.size or 0,
    )


def fallback_tag(subject: Digest) -> str:
    """The tag under which registries without the referrers API keep a subject's referrers (distribution-spec 1.1)."""
    return f"{subject.algorithm[:32]}-{subject.hex[:64]}"


def own_tags(subject: Digest) -> str:
    """What the tags begin with under which each referrer of a subject lies by itself, where there is no API."""
    return f"{subject.algorithm}-{subject.hex[:64]}.cm-"


def own_tag(subject: Digest, referrer: Digest) -> str:
    """The tag of one referrer: whatever becomes of the index, it is found again."""
    return own_tags(subject) + referrer.hex[:16]


def referrer_of(content: bytes, media_type: str) -> tuple[Digest, Descriptor] | None:
    """The subject that a manifest names, and the descriptor under which the subject's referrers list it.

    None where it names none.

    Raises:
        MalformedError: it is no manifest.
    """
    document = parse_document(content, media_type)
    if document.subject is None:
        return None
    descriptor = Descriptor(
        media_type=document.media_type,
        digest=Digest.of(content),
        size=len(content),
        artifact_type=document.artifact_type,
        annotations=document.annotations,
    )
    return document.subject.digest, descriptor
