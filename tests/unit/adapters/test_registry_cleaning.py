import fcntl
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from countermark.adapters.registry_cleaning import (
    Cleaned,
    clean_unfinished,
    collect_garbage,
    named_digests,
)
from countermark.core.digest import Digest
from countermark.core.errors import MalformedError
from countermark.formats.strict_json import Json
from hosted_registry import INDEX, HostedRegistry, image, index

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OLD = (NOW - 2 * DAY).timestamp()


@pytest.fixture
def registry(tmp_path: Path) -> HostedRegistry:
    return HostedRegistry(str(tmp_path / "registry"))


def files(registry: HostedRegistry, below: str) -> list[Path]:
    return [path for path in (Path(registry.root) / below).rglob("*") if path.is_file()]


def age(registry: HostedRegistry, when: float = OLD) -> None:
    """Make everything that old."""
    for path in files(registry, "."):
        os.utime(path, (when, when))


def has(registry: HostedRegistry, name: str, content: bytes) -> bool:
    return registry.call("GET", f"/v2/{name}/blobs/{Digest.of(content)}").status == 200


def test_nothing_to_clean(registry: HostedRegistry) -> None:
    assert clean_unfinished(registry.root, NOW) == Cleaned()
    assert collect_garbage(registry.root, NOW) == Cleaned()


def test_old_uploads_go_and_young_ones_stay(registry: HostedRegistry) -> None:
    def begin(content: bytes) -> str:
        location = registry.call("POST", "/v2/app/blobs/uploads/").headers["location"]
        registry.call("PATCH", location, content)
        return location

    old = begin(b"old")
    age(registry)
    young = begin(b"young")
    recent = (NOW - timedelta(hours=1)).timestamp()
    for path in files(registry, "uploads"):
        if path.read_bytes() == b"young":
            os.utime(path, (recent, recent))
    assert clean_unfinished(registry.root, NOW) == Cleaned(uploads=1, bytes=3)
    assert registry.call("GET", old).status == 404
    assert registry.call("GET", young).status == 204
    assert clean_unfinished(registry.root, NOW, timedelta(minutes=1)).uploads == 1


def test_a_server_cleans_now_and_then(registry: HostedRegistry) -> None:
    location = registry.call("POST", "/v2/app/blobs/uploads/").headers["location"]
    [path] = files(registry, "uploads")
    os.utime(path, (0, 0))
    registry.call("POST", "/v2/app/blobs/uploads/")
    assert registry.call("GET", location).status == 204  # it has just looked
    restarted = HostedRegistry(registry.root)
    restarted.call("POST", "/v2/app/blobs/uploads/")
    assert restarted.call("GET", location).status == 404
    assert len(files(registry, "uploads")) == 2


def test_an_old_upload_that_goes_on_stays(registry: HostedRegistry) -> None:
    location = registry.call("POST", "/v2/app/blobs/uploads/").headers["location"]
    age(registry)
    [path] = files(registry, "uploads")
    with path.open("rb+") as sender:
        fcntl.flock(sender, fcntl.LOCK_EX)
        assert clean_unfinished(registry.root, NOW) == Cleaned()
    assert registry.call("GET", location).status == 204


def test_what_a_crash_left_goes_and_what_is_being_written_stays(registry: HostedRegistry) -> None:
    folder = Path(registry.root) / "temporary"
    folder.mkdir(parents=True)
    for name in ("left", "written"):
        (folder / name).write_bytes(b"1234")
    with (folder / "written").open("rb+") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert clean_unfinished(registry.root, NOW) == Cleaned(broken=1, bytes=4)
    assert [path.name for path in files(registry, "temporary")] == ["written"]


def test_what_manifests_name_stays(registry: HostedRegistry) -> None:
    registry.push_image("app", "latest")
    registry.push_image("app", "untagged", "other layer")
    registry.call("DELETE", "/v2/app/manifests/untagged")
    registry.push_blob("app", b"nobody's")
    registry.push_blob("app", b"nobody's either", "sha512")
    age(registry)
    assert collect_garbage(registry.root, NOW) == Cleaned(blobs=2, bytes=23)
    assert not has(registry, "app", b"nobody's")
    for content in (b"{}", b"layer", b"other layer"):
        assert has(registry, "app", content)
    assert len(files(registry, "pool")) == 3
    assert collect_garbage(registry.root, NOW) == Cleaned()


def test_a_deleted_manifest_frees_its_blobs(registry: HostedRegistry) -> None:
    digest = registry.push_image("app", "latest")
    registry.push_image("app", "other", "other layer")
    registry.call("DELETE", f"/v2/app/manifests/{digest}")
    age(registry)
    assert collect_garbage(registry.root, NOW) == Cleaned(blobs=1, bytes=5)
    assert not has(registry, "app", b"layer")
    assert has(registry, "app", b"other layer")


def test_what_another_repository_has_takes_no_room_back(registry: HostedRegistry) -> None:
    registry.push_image("one", "latest")
    registry.push_blob("two", b"layer")
    registry.push_blob("two", b"{}")
    age(registry)
    assert collect_garbage(registry.root, NOW) == Cleaned(blobs=2, bytes=0)
    assert has(registry, "one", b"layer")
    assert not has(registry, "two", b"layer")


def test_a_blob_that_was_deleted_leaves_the_pool(registry: HostedRegistry) -> None:
    digest = registry.push_blob("app", b"layer")
    registry.call("DELETE", f"/v2/app/blobs/{digest}")
    assert len(files(registry, "pool")) == 1
    assert collect_garbage(registry.root, NOW) == Cleaned(bytes=5)
    assert files(registry, "pool") == []


@pytest.mark.parametrize("keeps", ["push", "push again", "head", "mount"])
def test_a_push_under_way_keeps_its_blobs(registry: HostedRegistry, keeps: str) -> None:
    """Its manifest has not come yet."""
    registry.push_blob("other", b"layer")
    if keeps != "push":
        registry.push_blob("app", b"layer")
    age(registry)
    digest = Digest.of(b"layer")
    if keeps == "head":
        assert registry.call("HEAD", f"/v2/app/blobs/{digest}").status == 200
    elif keeps == "mount":
        path = f"/v2/app/blobs/uploads/?mount={digest}&from=other"
        assert registry.call("POST", path).status == 201
    else:
        registry.push_blob("app", b"layer")
    now = datetime.fromtimestamp(
        (Path(registry.root) / "repositories/app/_blobs/sha256" / digest.hex).stat().st_mtime, UTC
    )
    assert collect_garbage(registry.root, now + timedelta(hours=1)).blobs == 0
    assert has(registry, "app", b"layer")
    assert collect_garbage(registry.root, now + 2 * DAY).blobs == 2


def test_what_is_being_read_is_read_to_its_end(registry: HostedRegistry) -> None:
    digest = registry.push_blob("app", b"layer")
    found = registry.blobs.find("app", digest)
    assert found is not None
    with Path(found.path).open("rb") as reader:
        age(registry)
        assert collect_garbage(registry.root, NOW).blobs == 1
        assert reader.read() == b"layer"


def test_blobs_of_kinds_that_we_do_not_know_stay(registry: HostedRegistry) -> None:
    digest = registry.push_blob("app", b"part")
    content = b'{"parts":[{"what":[{"digest":"%s"}]}]}' % str(digest).encode()
    registry.push_manifest("app", "x", content, "application/vnd.example+json")
    cache = index(
        manifests=[{"mediaType": "application/x", "size": 5, "digest": str(Digest.of(b"layer"))}]
    )
    registry.push_blob("app", b"layer")
    registry.push_manifest("app", "cache", cache, INDEX)
    age(registry)
    assert collect_garbage(registry.root, NOW) == Cleaned()


def test_a_spoilt_manifest_keeps_everything(registry: HostedRegistry) -> None:
    registry.push_image("app", "latest")
    registry.push_blob("app", b"nobody's")
    age(registry)
    [manifest] = files(registry, "repositories/app/_manifests")
    manifest.write_bytes(b"application/x\n{")
    with pytest.raises(MalformedError):
        collect_garbage(registry.root, NOW)
    assert has(registry, "app", b"nobody's")


def test_digests_anywhere() -> None:
    document: Json = {
        "digest": "a",
        "x": [{"digest": "b", "y": {"digest": 7}}, "digest"],
        "z": None,
    }
    assert named_digests(document) == {"a", "b"}


def test_a_spoilt_pool_is_not_handed_on(registry: HostedRegistry) -> None:
    digest = registry.push_blob("one", b"layer")
    [pooled] = files(registry, "pool")
    pooled.write_bytes(b"spoil")  # as long, on the disk: the blob of `one` too
    registry.push_blob("two", b"layer")
    assert registry.call("GET", f"/v2/two/blobs/{digest}").body == b"layer"
    registry.push_blob("one", b"layer")  # a push heals
    assert registry.call("GET", f"/v2/one/blobs/{digest}").body == b"layer"
    registry.push_image("one", "x")
    assert registry.call("GET", f"/v2/one/manifests/{Digest.of(image(b'layer'))}").status == 200
