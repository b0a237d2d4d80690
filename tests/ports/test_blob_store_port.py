"""The ports of the registry that we host, each law on a file system with hard links and on one without."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from countermark.adapters.blob_store import BlobStore
from countermark.adapters.blob_uploads import UploadStore
from countermark.adapters.manifest_store import ManifestStore
from countermark.core.digest import Digest
from countermark.core.errors import Code, InputError, NotFoundError
from countermark.core.ports_hosting import (
    HostedBlobs,
    HostedManifests,
    HostedTags,
    HostedUploads,
    StoredManifest,
)


def _no_links(source: str, target: str) -> None:
    Path(source).stat()  # what is not there is missed first, as the system call does
    if Path(target).exists():
        raise FileExistsError(errno.EEXIST, "File exists", target)
    raise OSError(errno.EPERM, "Operation not permitted")


def _too_many_links(source: str, target: str) -> None:
    if Path(source).stat().st_nlink > 1:
        raise OSError(errno.EMLINK, "Too many links")
    os.link(source, target)


class Folder:
    def __init__(self, root: str, link: Callable[[str, str], None]) -> None:
        store = BlobStore(root, link)
        self.blobs: HostedBlobs = store
        self.uploads: HostedUploads = UploadStore(root, store, max_bytes=1_000_000)
        manifests = ManifestStore(root)
        self.manifests: HostedManifests = manifests
        self.tags: HostedTags = manifests

    def put(self, repository: str, content: bytes) -> Digest:
        digest = Digest.of(content)
        self.uploads.take(repository, iter([content]), digest)
        return digest


@pytest.fixture(params=[os.link, _no_links, _too_many_links], ids=["links", "copies", "full"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "registry"), request.param)


def content_of(blobs: HostedBlobs, repository: str, digest: Digest) -> bytes | None:
    found = blobs.find(repository, digest)
    if found is None:
        return None
    content = Path(found.path).read_bytes()
    assert len(content) == found.size
    return content


# Blobs ------------------------------------------------------------------------------------------------


def test_a_blob_is_readable_only_where_it_was_put(folder: Folder) -> None:
    digest = folder.put("team/app", b"layer")
    assert content_of(folder.blobs, "team/app", digest) == b"layer"
    assert folder.blobs.find("team", digest) is None
    assert folder.blobs.find("team/app/more", digest) is None
    assert folder.blobs.find("team/app", Digest.of(b"layer", "sha512")) is None


def test_a_mounted_blob_outlives_its_source(folder: Folder) -> None:
    digest = folder.put("from", b"layer")
    assert folder.blobs.mount("to", digest, "from")
    assert folder.blobs.mount("to", digest, "from")  # again: nothing changes
    assert folder.blobs.remove("from", digest)
    assert folder.blobs.find("from", digest) is None
    assert content_of(folder.blobs, "to", digest) == b"layer"


def test_only_what_the_source_has_is_mounted(folder: Folder) -> None:
    digest = folder.put("from", b"layer")
    assert not folder.blobs.mount("to", digest, "other")
    assert not folder.blobs.mount("to", Digest.of(b"nobody's"), "from")
    assert not folder.blobs.mount("to", Digest.of(b"nobody's"), None)
    assert folder.blobs.find("to", digest) is None


def test_what_nobody_has_any_more_is_not_mounted(folder: Folder) -> None:
    digest = folder.put("from", b"layer")
    assert folder.blobs.remove("from", digest)
    assert not folder.blobs.mount("to", digest, None)
    assert not folder.blobs.mount("to", digest, "from")


def test_removing_says_whether_there_was_one(folder: Folder) -> None:
    digest = folder.put("app", b"layer")
    assert folder.blobs.remove("app", digest)
    assert not folder.blobs.remove("app", digest)
    folder.blobs.keep("app", digest)  # of nothing: nothing happens
    assert folder.blobs.find("app", digest) is None


def test_the_same_blob_twice_and_again_after_removal(folder: Folder) -> None:
    digest = folder.put("one", b"layer")
    for name in ("one", "two"):
        assert folder.put(name, b"layer") == digest
    assert folder.blobs.remove("one", digest)
    folder.put("one", b"layer")
    assert content_of(folder.blobs, "one", digest) == b"layer"
    assert content_of(folder.blobs, "two", digest) == b"layer"


def test_one_blob_pushed_by_many_at_once(folder: Folder) -> None:
    done: list[int] = []

    def push(number: int) -> None:
        folder.put(f"app{number % 2}", b"x" * 100_000)
        done.append(number)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(8))
    digest = Digest.of(b"x" * 100_000)
    for name in ("app0", "app1"):
        assert content_of(folder.blobs, name, digest) == b"x" * 100_000


# Uploads ----------------------------------------------------------------------------------------------


def test_parts_become_a_blob(folder: Folder) -> None:
    upload = folder.uploads.begin("app")
    assert folder.uploads.received("app", upload) == 0
    assert folder.uploads.receive("app", upload, iter([b"one", b"two"]), None) == 6
    assert folder.uploads.receive("app", upload, iter([b"three"]), 6) == 11
    digest = Digest.of(b"onetwothreefour")
    folder.uploads.finish("app", upload, iter([b"four"]), 11, digest)
    assert content_of(folder.blobs, "app", digest) == b"onetwothreefour"
    with pytest.raises(NotFoundError):
        folder.uploads.received("app", upload)


@pytest.mark.parametrize("announced", ["sha256", "sha512"])
@pytest.mark.parametrize("used", ["sha256", "sha512"])
def test_any_digest_may_end_an_upload(folder: Folder, announced: str, used: str) -> None:
    upload = folder.uploads.begin("app", announced)
    folder.uploads.receive("app", upload, iter([b"content"]), None)
    digest = Digest.of(b"content", used)
    folder.uploads.finish("app", upload, iter(()), None, digest)
    assert content_of(folder.blobs, "app", digest) == b"content"


def test_the_empty_blob(folder: Folder) -> None:
    upload = folder.uploads.begin("app")
    folder.uploads.finish("app", upload, iter(()), None, Digest.of(b""))
    assert content_of(folder.blobs, "app", Digest.of(b"")) == b""


def test_parts_come_in_order(folder: Folder) -> None:
    upload = folder.uploads.begin("app")
    folder.uploads.receive("app", upload, iter([b"one"]), 0)
    for start in (0, 2, 4):
        with pytest.raises(InputError) as caught:
            folder.uploads.receive("app", upload, iter([b"x"]), start)
        assert caught.value.code == Code.OUT_OF_ORDER
        with pytest.raises(InputError) as caught:
            folder.uploads.finish("app", upload, iter([b"x"]), start, Digest.of(b"onex"))
        assert caught.value.code == Code.OUT_OF_ORDER
    assert folder.uploads.received("app", upload) == 3
    folder.uploads.finish("app", upload, iter(()), 3, Digest.of(b"one"))


def test_what_came_before_a_connection_broke_is_kept(folder: Folder) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise InputError("the body ended early")

    upload = folder.uploads.begin("app")
    with pytest.raises(InputError, match="ended early"):
        folder.uploads.receive("app", upload, broken(), 0)
    assert folder.uploads.received("app", upload) == 4
    folder.uploads.finish("app", upload, iter([b" done"]), 4, Digest.of(b"half done"))
    assert content_of(folder.blobs, "app", Digest.of(b"half done")) == b"half done"


def test_what_came_before_the_disk_was_full_is_dropped(folder: Folder) -> None:
    def full() -> Iterator[bytes]:
        yield b"half"
        raise OSError(errno.ENOSPC, "No space left on device")  # as the write of it would

    upload = folder.uploads.begin("app")
    folder.uploads.receive("app", upload, iter([b"one "]), 0)
    for attempt in (
        lambda: folder.uploads.receive("app", upload, full(), None),
        lambda: folder.uploads.finish("app", upload, full(), None, Digest.of(b"one half")),
        lambda: folder.uploads.take("app", full(), Digest.of(b"half")),
    ):
        with pytest.raises(Exception, match="no space") as caught:
            attempt()
        assert getattr(caught.value, "code", None) == Code.NO_SPACE
    assert folder.uploads.received("app", upload) == 4
    folder.uploads.finish("app", upload, iter([b"two"]), 4, Digest.of(b"one two"))
    assert folder.blobs.find("app", Digest.of(b"half")) is None


def test_another_digest_ends_in_nothing(folder: Folder) -> None:
    wrong = Digest.of(b"other")
    upload = folder.uploads.begin("app")
    with pytest.raises(InputError) as caught:
        folder.uploads.finish("app", upload, iter([b"content"]), None, wrong)
    assert caught.value.code == Code.CHECKSUM
    with pytest.raises(InputError) as caught:
        folder.uploads.take("app", iter([b"content"]), wrong)
    assert caught.value.code == Code.CHECKSUM
    for digest in (wrong, Digest.of(b"content")):
        assert folder.blobs.find("app", digest) is None


def test_a_blob_has_a_greatest_size(folder: Folder) -> None:
    large = [b"x" * 600_000, b"x" * 600_000]
    upload = folder.uploads.begin("app")
    for attempt in (
        lambda: folder.uploads.receive("app", upload, iter(large), None),
        lambda: folder.uploads.take("app", iter(large), Digest.of(b"".join(large))),
    ):
        with pytest.raises(InputError) as caught:
            attempt()
        assert caught.value.code == Code.TOO_LARGE


@pytest.mark.parametrize(
    "upload", ["", ".", "..", "x" * 36, "../../../../etc/passwd", "0" * 36, "0" * 35, "\0" * 36]
)
def test_an_unknown_upload(folder: Folder, upload: str) -> None:
    for attempt in (
        lambda: folder.uploads.received("app", upload),
        lambda: folder.uploads.receive("app", upload, iter([b"x"]), None),
        lambda: folder.uploads.finish("app", upload, iter([b"x"]), None, Digest.of(b"x")),
        lambda: folder.uploads.cancel("app", upload),
    ):
        with pytest.raises(NotFoundError) as caught:
            attempt()
        assert caught.value.code == Code.NOT_FOUND


def test_another_repository_has_no_part_in_an_upload(folder: Folder) -> None:
    upload = folder.uploads.begin("app")
    with pytest.raises(NotFoundError):
        folder.uploads.receive("other", upload, iter([b"x"]), None)
    with pytest.raises(NotFoundError):
        folder.uploads.cancel("other", upload)
    assert folder.uploads.received("app", upload) == 0


def test_two_never_send_one_upload_at_once(folder: Folder) -> None:
    upload = folder.uploads.begin("app")

    def meanwhile() -> Iterator[bytes]:
        yield b"mine"
        for attempt in (
            lambda: folder.uploads.receive("app", upload, iter([b"theirs"]), None),
            lambda: folder.uploads.finish("app", upload, iter([]), None, Digest.of(b"mine")),
            lambda: folder.uploads.cancel("app", upload),
        ):
            with pytest.raises(InputError) as caught:
                attempt()
            assert caught.value.code == Code.VERSION_CONFLICT
        assert folder.uploads.received("app", upload) == 4

    assert folder.uploads.receive("app", upload, meanwhile(), 0) == 4
    folder.uploads.cancel("app", upload)
    with pytest.raises(NotFoundError):
        folder.uploads.received("app", upload)


# Manifests and tags -----------------------------------------------------------------------------------


def manifest(content: bytes, media_type: str = "application/example") -> StoredManifest:
    return StoredManifest(digest=Digest.of(content), media_type=media_type, content=content)


def test_a_manifest_keeps_its_bytes_and_type(folder: Folder) -> None:
    stored = manifest(b'{\n "a":\t1}\n\n')
    folder.manifests.put("app", stored, None)
    assert folder.manifests.find("app", stored.digest) == stored
    assert folder.manifests.has("app", stored.digest)
    assert folder.manifests.find("other", stored.digest) is None
    retyped = stored.replace(media_type="application/other")
    folder.manifests.put("app", retyped, None)
    assert folder.manifests.find("app", stored.digest) == retyped


def test_tags_move_and_go(folder: Folder) -> None:
    first, second = manifest(b"1"), manifest(b"2")
    for stored in (first, second):
        folder.manifests.put("app", stored, None)
    assert folder.tags.tags("app") == ()
    for tag in ("b", "A", "a", "_", "1.0"):
        folder.tags.tag("app", tag, first.digest)
    folder.tags.tag("app", "a", second.digest)
    assert folder.tags.tags("app") == ("1.0", "A", "_", "a", "b")
    assert folder.tags.tagged("app", "a") == second.digest
    assert folder.tags.tagged("app", "b") == first.digest
    assert folder.tags.tagged("app", "c") is None
    assert folder.tags.untag("app", "b")
    assert not folder.tags.untag("app", "b")
    assert folder.tags.tags("app") == ("1.0", "A", "_", "a")
    assert folder.tags.tags("other") is None


def test_removing_a_manifest_removes_its_tags_only(folder: Folder) -> None:
    first, second = manifest(b"1"), manifest(b"2")
    for stored in (first, second):
        folder.manifests.put("app", stored, None)
    folder.tags.tag("app", "a", first.digest)
    folder.tags.tag("app", "b", first.digest)
    folder.tags.tag("app", "c", second.digest)
    folder.manifests.remove("app", first.digest, None)
    assert folder.manifests.find("app", first.digest) is None
    assert folder.tags.tags("app") == ("c",)


def test_referrers_are_those_that_are_there(folder: Folder) -> None:
    subject = Digest.of(b"subject")
    first, second = manifest(b"1"), manifest(b"2")
    assert folder.manifests.referrers("app", subject) == ()
    folder.manifests.put("app", first, (subject, b'{"n":1}'))
    folder.manifests.put("app", second, (subject, b'{"n":2}'))
    found = [b'{"n":1}', b'{"n":2}']
    if str(second.digest) < str(first.digest):
        found.reverse()
    assert list(folder.manifests.referrers("app", subject)) == found
    assert folder.manifests.referrers("other", subject) == ()
    folder.manifests.remove("app", first.digest, subject)
    assert list(folder.manifests.referrers("app", subject)) == [b'{"n":2}']


def test_repositories_are_those_with_a_manifest(folder: Folder) -> None:
    assert folder.tags.repositories() == ()
    for name in ("b", "a/b", "a", "a-b", "a/b/c"):
        folder.manifests.put(name, manifest(b"1"), None)
    folder.put("only/blobs", b"layer")
    assert folder.tags.repositories() == ("a", "a-b", "a/b", "a/b/c", "b")
    assert folder.tags.tags("only/blobs") == ()
    folder.manifests.remove("b", manifest(b"1").digest, None)
    assert folder.tags.repositories() == ("a", "a-b", "a/b", "a/b/c")


def test_one_writes_a_repository_at_a_time(folder: Folder) -> None:
    inside = 0
    most = 0

    def write(number: int) -> None:
        nonlocal inside, most
        with folder.manifests.locked("app"):
            inside += 1
            most = max(most, inside)
            folder.tags.tag("app", f"t{number}", Digest.of(b"1"))
            inside -= 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert folder.tags.tags("app") is None  # tags alone are no repository
