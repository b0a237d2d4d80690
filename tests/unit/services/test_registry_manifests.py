import json
from pathlib import Path
from typing import Any

import pytest

from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import Code, StorageError
from hosted_registry import (
    CONFIG,
    DOCKER_IMAGE,
    DOCKER_LIST,
    IMAGE,
    INDEX,
    LAYER,
    Body,
    HostedRegistry,
    descriptor,
    image,
    index,
)

MANIFEST = "/v2/app/manifests/"
ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


@pytest.fixture
def registry(tmp_path: Path) -> HostedRegistry:
    registry = HostedRegistry(str(tmp_path / "registry"))
    registry.push_blob("app", b"{}")
    registry.push_blob("app", b"layer")
    return registry


def test_push_and_pull_by_tag_and_digest(registry: HostedRegistry) -> None:
    content = image(b"layer").replace(b",", b",\n\t") + b"\n "
    digest = Digest.of(content)
    answer = registry.push_manifest("app", "latest", content)
    assert answer.status == 201
    assert answer.headers["location"] == f"{MANIFEST}{digest}"
    assert answer.headers["docker-content-digest"] == str(digest)
    for reference in ("latest", str(digest)):
        answer = registry.call("GET", MANIFEST + reference)
        assert (answer.status, answer.body) == (200, content)
        assert answer.headers["content-type"] == IMAGE
        assert answer.headers["docker-content-digest"] == str(digest)
        assert answer.headers["etag"] == f'"{digest}"'
        head = registry.call("HEAD", MANIFEST + reference)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == str(len(content))
        headers = {"if-none-match": f'"{digest}"'}
        assert registry.call("GET", MANIFEST + reference, headers=headers).status == 304


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-match": "now"}, 201),
        ({"if-match": "other, now"}, 201),
        ({"if-match": "*"}, 201),
        ({"if-match": "other"}, 412),
        ({"if-none-match": "other"}, 201),
        ({"if-none-match": "now"}, 412),
        ({"if-none-match": "*"}, 412),
    ],
)
def test_a_tag_is_moved_only_if_it_means_what_it_did(
    registry: HostedRegistry, headers: dict[str, str], status: int
) -> None:
    old, new = image(b"layer"), image(b"layer", annotations={"a": "b"})
    assert registry.push_manifest("app", "latest", old).status == 201
    words = {"now": f'"{Digest.of(old)}"', "other": f'"{Digest.of(b"")}"'}
    given = {
        name: ", ".join(words.get(word, word) for word in text.split(", "))
        for name, text in headers.items()
    }
    given["content-type"] = IMAGE
    answer = registry.call("PUT", f"{MANIFEST}latest", new, given)
    assert answer.status == status
    there = registry.call("GET", f"{MANIFEST}latest").body
    assert there == (new if status == 201 else old)
    if status == 412:
        assert answer.oci_code == "MANIFEST_INVALID"


def test_a_tag_that_is_not_there(registry: HostedRegistry) -> None:
    content = image(b"layer")
    for headers, status in (
        ({"if-match": "*"}, 412),
        ({"if-match": f'"{Digest.of(content)}"'}, 412),
        ({"if-none-match": "*"}, 201),
    ):
        headers["content-type"] = IMAGE
        assert registry.call("PUT", f"{MANIFEST}new", content, headers).status == status
        there = registry.call("GET", f"{MANIFEST}new").status
        assert there == (200 if status == 201 else 404)


def test_what_accept_says_changes_nothing(registry: HostedRegistry) -> None:
    child = image(b"layer")
    registry.push_manifest("app", str(Digest.of(child)), child)
    registry.push_manifest("app", "list", index(child), INDEX)
    answer = registry.call("GET", f"{MANIFEST}list", headers={"accept": DOCKER_IMAGE})
    assert (answer.status, answer.headers["content-type"]) == (200, INDEX)


def test_sha512(registry: HostedRegistry) -> None:
    content = image(b"layer")
    digest = Digest.of(content, "sha512")
    answer = registry.push_manifest("app", f"{digest}?tag=a", content)
    assert (answer.status, answer.headers["docker-content-digest"]) == (201, str(digest))
    answer = registry.call("GET", f"{MANIFEST}a")
    assert (answer.body, answer.headers["docker-content-digest"]) == (content, str(digest))
    assert registry.call("GET", MANIFEST + str(Digest.of(content))).status == 404


def test_tags_of_one_push(registry: HostedRegistry) -> None:
    content = image(b"layer")
    digest = Digest.of(content)
    answer = registry.push_manifest("app", f"{digest}?tag=1&tag=1.2&tag=latest", content)
    assert [v for k, v in answer.pairs if k == "oci-tag"] == ["1", "1.2", "latest"]
    for tag in ("1", "1.2", "latest"):
        found = registry.call("HEAD", MANIFEST + tag)
        assert found.headers["docker-content-digest"] == str(digest)
    many = "&".join(f"tag=t{n}" for n in range(limits.TAGS_PER_PUSH + 1))
    assert registry.push_manifest("app", f"{digest}?{many}", content).status == 414
    answer = registry.push_manifest("app", f"{digest}?tag=ok&tag=.bad", content)
    assert answer.refusal == (400, "TAG_INVALID")
    assert registry.call("GET", f"{MANIFEST}ok").status == 404
    answer = registry.push_manifest("app", "x?tag=y", content)  # by digest only
    assert (answer.status, "oci-tag" in answer.headers) == (201, False)
    assert registry.call("GET", f"{MANIFEST}y").status == 404


def test_a_tag_moves(registry: HostedRegistry) -> None:
    first, second = image(b"layer"), image(b"layer", annotations={"n": "2"})
    registry.push_manifest("app", "latest", first)
    registry.push_manifest("app", "latest", second)
    assert registry.call("GET", f"{MANIFEST}latest").body == second
    assert registry.call("GET", MANIFEST + str(Digest.of(first))).body == first


@pytest.mark.parametrize(
    ("media_type", "members"),
    [
        (IMAGE, {}),
        (IMAGE, {"layers": []}),
        (IMAGE, {"artifactType": "application/vnd.example"}),
        (IMAGE, {"x-custom": {"deep": [1, True, None, "x"]}}),
        (IMAGE, {"annotations": {}}),
        (DOCKER_IMAGE, {"mediaType": DOCKER_IMAGE}),
        (f"{IMAGE}; charset=utf-8", {}),
        ("application/json", {}),
        ("", {}),
        ("", {"mediaType": None}),
        (
            IMAGE,
            {
                "layers": [
                    {
                        "mediaType": FOREIGN,
                        "size": 1,
                        "urls": ["https://e/x"],
                        "digest": f"sha256:{'1' * 64}",
                    }
                ]
            },
        ),
    ],
)
def test_images(registry: HostedRegistry, media_type: str, members: dict[str, Any]) -> None:
    content = image(b"layer", **members)
    answer = registry.push_manifest("app", "x", content, media_type)
    assert answer.status == 201, answer.body
    stored = registry.call("GET", f"{MANIFEST}x")
    assert stored.body == content
    assert stored.headers["content-type"] == (members.get("mediaType") or IMAGE)


@pytest.mark.parametrize(
    ("media_type", "members", "path"),
    [
        (IMAGE, {"schemaVersion": 1}, None),
        (IMAGE, {"schemaVersion": 3}, "schemaVersion"),
        (IMAGE, {"schemaVersion": "2"}, "schemaVersion"),
        (IMAGE, {"schemaVersion": True}, "schemaVersion"),
        (IMAGE, {"mediaType": INDEX}, "mediaType"),
        (IMAGE, {"mediaType": 7}, "mediaType"),
        (INDEX, {}, "mediaType"),
        (IMAGE, {"config": None}, "config"),
        (IMAGE, {"config": {}}, "config.size"),
        (IMAGE, {"layers": None}, "layers"),
        (IMAGE, {"manifests": []}, "manifests"),
        (IMAGE, {"layers": {}}, "layers"),
        (IMAGE, {"layers": [7]}, "layers[0]"),
        (
            IMAGE,
            {"layers": [{"mediaType": LAYER, "size": 1, "digest": "sha256:x"}]},
            "layers[0].digest",
        ),
        (
            IMAGE,
            {"layers": [{"mediaType": LAYER, "size": -1, "digest": f"sha256:{'1' * 64}"}]},
            "layers[0].size",
        ),
        (
            IMAGE,
            {"layers": [{"mediaType": LAYER, "digest": f"sha256:{'1' * 64}"}]},
            "layers[0].size",
        ),
        (IMAGE, {"annotations": {"a": 1}}, "annotations.a"),
        (IMAGE, {"annotations": []}, "annotations"),
        (IMAGE, {"artifactType": 7}, "artifactType"),
        (IMAGE, {"subject": {"digest": "x"}}, "subject.size"),
        (IMAGE, {"subject": "x"}, "subject"),
        ("text/html", {"mediaType": None}, "mediaType"),
        ("application/x y", {"mediaType": None}, "mediaType"),
        ("application/x\r\nSet-Cookie: a", {"mediaType": None}, "mediaType"),
        (f"application/{'x' * 300}", {"mediaType": None}, "mediaType"),
        ("", {"mediaType": None, "config": None}, "config"),
        (
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            {"mediaType": None},
            None,
        ),
    ],
)
def test_bad_images(
    registry: HostedRegistry, media_type: str, members: dict[str, Any], path: str | None
) -> None:
    answer = registry.push_manifest("app", "x", image(b"layer", **members), media_type)
    assert answer.refusal == (400, "MANIFEST_INVALID")
    assert answer.json["errors"][0].get("detail") == path
    assert registry.call("GET", f"{MANIFEST}x").status == 404


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"[]", b"7", b"{", b'{"a":1,"a":2}', b'{"a":1.5}', b"{}{}", b"\xff", b"[" * 1000],
)
def test_no_json(registry: HostedRegistry, content: bytes) -> None:
    answer = registry.push_manifest("app", "x", content, "application/vnd.example+json")
    assert answer.refusal[1] == "MANIFEST_INVALID"
    assert answer.status in (400, 413)


def test_sizes(registry: HostedRegistry) -> None:
    def padded(length: int) -> bytes:
        content = image(b"layer")
        return content + b" " * (length - len(content))

    most = limits.MANIFEST_BYTES
    assert registry.push_manifest("app", "x", padded(most)).status == 201
    assert registry.call("GET", f"{MANIFEST}x").body == padded(most)
    answer = registry.push_manifest("app", "y", padded(most + 1))
    assert answer.refusal == (413, "SIZE_INVALID")
    layers = [descriptor(b"layer", LAYER)] * (limits.LAYERS + 1)
    answer = registry.push_manifest("app", "y", image(layers=layers))
    assert answer.refusal == (413, "MANIFEST_INVALID")
    children = [descriptor(b"layer", IMAGE)] * (limits.INDEX_MANIFESTS + 1)
    answer = registry.push_manifest("app", "y", index(manifests=children), INDEX)
    assert answer.refusal == (413, "MANIFEST_INVALID")


@pytest.mark.parametrize("missing", ["config", "layer", "child"])
@pytest.mark.parametrize("accept_sparse", [False, True])
def test_what_is_not_in_the_repository(
    registry: HostedRegistry, missing: str, accept_sparse: bool
) -> None:
    registry = HostedRegistry(registry.root, accept_sparse=accept_sparse)
    registry.push_blob("other", b"absent")
    if missing == "config":
        content, media_type = image(b"layer", config=descriptor(b"absent", CONFIG)), IMAGE
    elif missing == "layer":
        content, media_type = image(b"layer", b"absent"), IMAGE
    else:
        content, media_type = index(b"absent"), INDEX
    answer = registry.push_manifest("app", "x", content, media_type)
    if accept_sparse:
        assert answer.status == 201
        assert registry.call("GET", f"{MANIFEST}x").body == content
        return
    assert answer.refusal == (400, "MANIFEST_BLOB_UNKNOWN")
    assert answer.json["errors"][0]["detail"] == [{"digest": str(Digest.of(b"absent"))}]
    assert registry.call("GET", f"{MANIFEST}x").status == 404
    assert registry.call("GET", MANIFEST + str(Digest.of(content))).status == 404


def test_indexes(registry: HostedRegistry) -> None:
    child = image(b"layer")
    registry.push_manifest("app", str(Digest.of(child)), child)
    inner = index(child)
    assert registry.push_manifest("app", str(Digest.of(inner)), inner, INDEX).status == 201
    outer = index(inner)
    assert registry.push_manifest("app", "outer", outer, INDEX).status == 201
    listed = index(child, mediaType=DOCKER_LIST)
    assert registry.push_manifest("app", "list", listed, DOCKER_LIST).status == 201
    assert registry.push_manifest("app", "empty", index(), INDEX).status == 201
    cache = index(manifests=[descriptor(b"layer", LAYER)])  # as buildkit exports its cache
    assert registry.push_manifest("app", "cache", cache, INDEX).status == 201


def test_other_kinds_of_manifests(registry: HostedRegistry) -> None:
    content = json.dumps({"mediaType": ARTIFACT, "blobs": [], "anything": {"x": 1}}).encode()
    assert registry.push_manifest("app", "x", content, ARTIFACT).status == 201
    answer = registry.call("GET", f"{MANIFEST}x")
    assert (answer.body, answer.headers["content-type"]) == (content, ARTIFACT)


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"mediaType": "application/vnd.other"}, "mediaType"),
        ({"subject": "x"}, "subject"),
        ({"subject": {}}, "subject.digest"),
        ({"subject": {"digest": "sha256:x"}}, "subject.digest"),
        ({"annotations": {"a": 1}}, "annotations.a"),
        ({"artifactType": []}, "artifactType"),
    ],
)
def test_bad_manifests_of_other_kinds(
    registry: HostedRegistry, members: dict[str, Any], path: str
) -> None:
    content = json.dumps({"anything": 1, **members}).encode()
    answer = registry.push_manifest("app", "x", content, ARTIFACT)
    assert answer.refusal == (400, "MANIFEST_INVALID")
    assert answer.json["errors"][0]["detail"] == path


def test_wrong_digests(registry: HostedRegistry) -> None:
    content = image(b"layer")
    wrong = str(Digest.of(b"other"))
    assert registry.push_manifest("app", wrong, content).refusal == (400, "DIGEST_INVALID")
    for method in ("GET", "DELETE", "PUT"):
        answer = registry.call(method, f"{MANIFEST}sha256:baddigeststring", content)
        assert answer.refusal == (400, "DIGEST_INVALID")
    assert registry.call("GET", MANIFEST + wrong).refusal == (404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("name", ["app", "nobody"])
@pytest.mark.parametrize("reference", ["none", str(Digest.of(b"none"))])
def test_what_is_not_there(
    registry: HostedRegistry, method: str, name: str, reference: str
) -> None:
    path = f"/v2/{name}/manifests/{reference}"
    assert registry.call(method, path).refusal == (404, "MANIFEST_UNKNOWN")
    assert registry.call("HEAD", path).status == 404
    assert not (Path(registry.root) / "repositories/nobody").exists()


def test_a_tag_is_deleted_alone(registry: HostedRegistry) -> None:
    digest = registry.push_image("app", "a")
    registry.push_image("app", "b")
    assert registry.call("DELETE", f"{MANIFEST}a").status == 202
    assert registry.call("DELETE", f"{MANIFEST}a").refusal == (404, "MANIFEST_UNKNOWN")
    assert registry.call("GET", f"{MANIFEST}a").status == 404
    for reference in ("b", str(digest)):
        assert registry.call("GET", MANIFEST + reference).status == 200


def test_a_manifest_is_deleted_with_its_tags(registry: HostedRegistry) -> None:
    digest = registry.push_image("app", "a")
    registry.push_image("app", "b")
    registry.push_image("app", "c", annotations={"n": "2"})
    assert registry.call("DELETE", MANIFEST + str(digest)).status == 202
    for reference in ("a", "b", str(digest)):
        assert registry.call("GET", MANIFEST + reference).refusal == (404, "MANIFEST_UNKNOWN")
    assert registry.call("GET", "/v2/app/tags/list").json == {"name": "app", "tags": ["c"]}
    assert registry.call("GET", f"/v2/app/blobs/{Digest.of(b'layer')}").status == 200


def test_a_manifest_is_no_blob_and_a_blob_no_manifest(registry: HostedRegistry) -> None:
    digest = registry.push_image("app", "a")
    assert registry.call("GET", f"/v2/app/blobs/{digest}").status == 404
    assert registry.call("GET", f"{MANIFEST}{Digest.of(b'layer')}").status == 404


def test_a_full_disk(registry: HostedRegistry) -> None:
    class Full:
        def __getattr__(self, name: str) -> Any:
            return getattr(registry.manifests, name)

        def tag(self, _repository: str, _tag: str, _digest: Digest) -> None:
            raise StorageError("cannot write: no space left on device", code=Code.NO_SPACE)

    from countermark.core.ports_hosting import Request
    from countermark.services.registry.routes import registry as serve
    from countermark.services.registry.stores import Stores

    full = Full()
    stores = Stores(blobs=registry.blobs, uploads=registry.uploads, manifests=full, tags=full)
    request = Request(
        method="PUT",
        path=f"{MANIFEST}x",
        query="",
        headers={"content-type": IMAGE},
        body=Body([image(b"layer")]),
    )
    assert serve(stores, registry.logged.append)(request).status == 507
    assert registry.call("GET", f"{MANIFEST}x").status == 404
