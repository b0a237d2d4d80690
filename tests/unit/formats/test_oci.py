"""Manifests and indexes: what is read, what is refused."""

import json

import pytest

from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import Code, EvidenceError, InputError, MalformedError
from countermark.formats import oci
from countermark.formats.oci import Descriptor, Index, Manifest, Platform

A, B, C = (Digest.of(text) for text in (b"a", b"b", b"c"))


def entry(digest: Digest = A, size: int = 1, **more: object) -> dict[str, object]:
    return {"mediaType": oci.OCI_MANIFEST, "digest": str(digest), "size": size, **more}


def manifest(**more: object) -> bytes:
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": {"mediaType": "application/x", "digest": str(A), "size": 1},
        "layers": [{"mediaType": "application/y", "digest": str(B), "size": 2}],
    }
    return json.dumps({k: v for k, v in (document | more).items() if v is not None}).encode()


def index(*entries: object, **more: object) -> bytes:
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_INDEX,
        "manifests": list(entries),
    }
    return json.dumps({k: v for k, v in (document | more).items() if v is not None}).encode()


def platform(os: str, architecture: str, **more: str) -> dict[str, object]:
    return {"os": os, "architecture": architecture, **more}


@pytest.mark.parametrize("media_type", oci.MANIFESTS)
@pytest.mark.parametrize("given", [True, False])
def test_manifests(media_type: str, given: bool) -> None:
    content = manifest(mediaType=media_type, annotations={"a": "b"}, subject=entry(C, 3))
    found = oci.parse_manifest(content, media_type if given else "")
    assert found == Manifest(
        media_type=media_type,
        config=Descriptor(media_type="application/x", digest=A, size=1),
        layers=(Descriptor(media_type="application/y", digest=B, size=2),),
        subject=Descriptor(media_type=oci.OCI_MANIFEST, digest=C, size=3),
        artifact_type="application/x",
        annotations={"a": "b"},
    )


def test_an_artifact_type_comes_before_the_configs() -> None:
    assert oci.parse_manifest(manifest(artifactType="x/y")).artifact_type == "x/y"


@pytest.mark.parametrize("media_type", oci.INDEXES)
def test_indexes(media_type: str) -> None:
    amd = entry(A, platform=platform("linux", "amd64"), annotations={"a": "b"})
    arm = entry(B, platform=platform("linux", "arm", variant="v6"), artifactType="x/y")
    found = oci.parse_index(index(amd, arm, mediaType=media_type))
    assert [str(child.platform) for child in found.manifests] == ["linux/amd64", "linux/arm/v6"]
    assert found.manifests[0].annotations == {"a": "b"}
    assert found.manifests[1].artifact_type == "x/y"
    assert found.media_type == media_type


def test_a_document_without_media_type_is_what_its_members_say() -> None:
    assert isinstance(oci.parse_document(manifest(mediaType=None)), Manifest)
    assert isinstance(oci.parse_document(index(mediaType=None)), Index)
    assert oci.parse_document(index(mediaType=None), oci.DOCKER_LIST).media_type == oci.DOCKER_LIST


@pytest.mark.parametrize(
    ("content", "media_type", "code"),
    [
        pytest.param(b"", "", Code.MALFORMED, id="nothing"),
        pytest.param(b"[]", "", Code.MALFORMED, id="a list"),
        pytest.param(b"{}", "", Code.MALFORMED, id="no version"),
        pytest.param(manifest(schemaVersion=3), "", Code.MALFORMED, id="version 3"),
        pytest.param(manifest(schemaVersion="2"), "", Code.MALFORMED, id="version as text"),
        pytest.param(manifest(schemaVersion=1), "", Code.NOT_SUPPORTED, id="schema 1"),
        pytest.param(manifest(mediaType="x/y"), "", Code.NOT_SUPPORTED, id="another type"),
        pytest.param(manifest(), "text/html", Code.MALFORMED, id="sent as HTML"),
        pytest.param(manifest(), oci.OCI_INDEX, Code.MALFORMED, id="sent as an index"),
        pytest.param(index(), oci.OCI_MANIFEST, Code.MALFORMED, id="an index as a manifest"),
        pytest.param(index(layers=[]), "", Code.MALFORMED, id="both, by layers"),
        pytest.param(manifest(manifests=[]), "", Code.MALFORMED, id="both, by manifests"),
        pytest.param(index(config={}), "", Code.MALFORMED, id="both, by config"),
        pytest.param(manifest(layers=None), "", Code.MALFORMED, id="no layers"),
        pytest.param(manifest(config=None), "", Code.MALFORMED, id="no config"),
        pytest.param(manifest(config=[]), "", Code.MALFORMED, id="config a list"),
        pytest.param(manifest(layers={}), "", Code.MALFORMED, id="layers an object"),
        pytest.param(manifest(layers=["x"]), "", Code.MALFORMED, id="a layer a text"),
        pytest.param(manifest(subject=5), "", Code.MALFORMED, id="subject a number"),
        pytest.param(manifest(artifactType=5), "", Code.MALFORMED, id="artifactType a number"),
        pytest.param(manifest(annotations={"a": 1}), "", Code.MALFORMED, id="annotation a number"),
        pytest.param(index(entry(size=-1)), "", Code.MALFORMED, id="negative size"),
        pytest.param(index(entry(size=True)), "", Code.MALFORMED, id="size true"),
        pytest.param(index({"size": 1, "mediaType": "x"}), "", Code.MALFORMED, id="no digest"),
        pytest.param(index(entry() | {"digest": "md5:" + "0" * 32}), "", Code.MALFORMED, id="md5"),
        pytest.param(
            index(entry() | {"digest": f"sha256:{A.hex.upper()}"}),
            "",
            Code.MALFORMED,
            id="upper case",
        ),
        pytest.param(index(entry(platform="linux")), "", Code.MALFORMED, id="platform a text"),
        pytest.param(
            index(entry(platform={"os": 5})), "", Code.MALFORMED, id="platform of numbers"
        ),
        pytest.param(manifest()[:-1] + b',"layers":[]}', "", Code.MALFORMED, id="a member twice"),
        pytest.param(
            manifest(layers=[entry()] * (limits.LAYERS + 1)), "", Code.TOO_LARGE, id="layers"
        ),
        pytest.param(
            index(*[entry()] * (limits.INDEX_MANIFESTS + 1)), "", Code.TOO_LARGE, id="children"
        ),
        pytest.param(
            manifest(annotations={str(i): "" for i in range(2000)}),
            "",
            Code.TOO_LARGE,
            id="annotations",
        ),
        pytest.param(manifest() + b" " * limits.MANIFEST_BYTES, "", Code.TOO_LARGE, id="bytes"),
    ],
)
def test_what_is_no_manifest(content: bytes, media_type: str, code: Code) -> None:
    with pytest.raises(EvidenceError) as caught:
        oci.parse_document(content, media_type)
    assert caught.value.code == code


def test_one_is_not_taken_for_the_other() -> None:
    with pytest.raises(MalformedError, match="an index where a manifest"):
        oci.parse_manifest(index())
    with pytest.raises(MalformedError, match="a manifest where an index"):
        oci.parse_index(manifest())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (oci.OCI_MANIFEST, oci.OCI_MANIFEST),
        (f"{oci.OCI_MANIFEST.upper()}; charset=utf-8", oci.OCI_MANIFEST),
        ("", ""),
        (";", ""),
    ],
)
def test_content_types(header: str, expected: str) -> None:
    assert oci.media_type_of(header) == expected


@pytest.mark.parametrize("kind", ["json", "prettyjws"])
def test_schema_1_is_refused_by_its_type(kind: str) -> None:
    with pytest.raises(MalformedError, match="schema 1") as caught:
        oci.media_type_of(f"application/vnd.docker.distribution.manifest.v1+{kind}")
    assert caught.value.code == Code.NOT_SUPPORTED
    assert caught.value.hint


def test_children() -> None:
    assert [each.digest for each in oci.children(manifest(subject=entry(C)))] == [A, B]
    assert [each.digest for each in oci.children(index(entry(A), entry(C)))] == [A, C]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", Platform(os="linux", architecture="amd64")),
        ("linux/x86_64", Platform(os="linux", architecture="amd64")),
        ("Linux/AArch64", Platform(os="linux", architecture="arm64")),
        ("linux/arm64/v8", Platform(os="linux", architecture="arm64")),
        ("linux/arm", Platform(os="linux", architecture="arm", variant="v7")),
        ("linux/arm/v6", Platform(os="linux", architecture="arm", variant="v6")),
    ],
)
def test_platforms(text: str, expected: Platform) -> None:
    assert Platform.parse(text) == expected


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux//v8"])
def test_platforms_that_are_none(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Platform.parse(text)
    assert caught.value.code == Code.BAD_INPUT


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("linux/amd64", A), ("linux/arm64", B), ("linux/arm64/v8", B), ("linux/arm/v7", C)],
)
def test_a_platform_is_selected(wanted: str, found: Digest) -> None:
    content = index(
        entry(A, platform=platform("linux", "amd64")),
        entry(B, platform=platform("linux", "arm64", variant="v8")),
        entry(C, platform=platform("linux", "arm", variant="v7")),
        entry(C, platform=platform("unknown", "unknown")),
    )
    assert oci.parse_index(content).select(Platform.parse(wanted)).digest == found


@pytest.mark.parametrize("wanted", ["linux/s390x", "windows/amd64", "linux/arm/v6"])
def test_a_platform_that_is_not_there(wanted: str) -> None:
    content = index(entry(A, platform=platform("linux", "amd64")), entry(B))
    with pytest.raises(MalformedError, match=f"no image for platform {wanted}") as caught:
        oci.parse_index(content).select(Platform.parse(wanted))
    assert caught.value.code == Code.NOT_FOUND


def test_attestations_do_not_run() -> None:
    content = index(
        entry(A, platform=platform("linux", "amd64")),
        entry(B, platform=platform("unknown", "unknown")),
        entry(C, annotations={"vnd.docker.reference.type": "attestation-manifest"}),
    )
    assert [each.digest for each in oci.parse_index(content).runnable()] == [A]


def test_an_index_written_is_read_back() -> None:
    descriptors = (
        Descriptor(media_type=oci.OCI_MANIFEST, digest=A, size=1, artifact_type="x/y"),
        Descriptor(media_type=oci.OCI_MANIFEST, digest=B, size=2, annotations={"ä": "ö"}),
        Descriptor(
            media_type=oci.OCI_MANIFEST,
            digest=C,
            size=3,
            platform=Platform(os="linux", architecture="arm", variant="v6", os_version="1"),
        ),
    )
    assert oci.parse_index(oci.encode_index(descriptors), oci.OCI_INDEX).manifests == descriptors


def test_fallback_tags() -> None:
    assert oci.fallback_tag(A) == f"sha256-{A.hex}"
    assert (
        oci.fallback_tag(Digest.of(b"a", "sha512"))
        == f"sha512-{Digest.of(b'a', 'sha512').hex[:64]}"
    )


def test_referrers() -> None:
    content = manifest(subject=entry(C, 3), annotations={"a": "b"}, artifactType="x/y")
    assert oci.referrer_of(content, oci.OCI_MANIFEST) == (
        C,
        Descriptor(
            media_type=oci.OCI_MANIFEST,
            digest=Digest.of(content),
            size=len(content),
            artifact_type="x/y",
            annotations={"a": "b"},
        ),
    )
    assert oci.referrer_of(manifest(), oci.OCI_MANIFEST) is None
