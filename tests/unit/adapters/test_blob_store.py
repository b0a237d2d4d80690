"""What the ports' laws leave open: collection beside pushes, and files that the disk refuses."""

import errno
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from countermark.adapters.blob_store import BlobStore
from countermark.adapters.blob_uploads import UploadStore
from countermark.adapters.registry_cleaning import collect_garbage
from countermark.core.digest import Digest
from countermark.core.errors import Code, StorageError

CONTENT = b"shared by all" * 1000
DIGEST = Digest.of(CONTENT)


def test_collection_beside_pushes_that_share_a_blob(tmp_path: Path) -> None:
    """The pool's name comes and goes all the time; no push may end without its blob."""
    root = str(tmp_path)
    blobs = BlobStore(root)
    uploads = UploadStore(root, blobs)
    rounds = 40
    missing: list[str] = []
    pushed: list[str] = []
    stop = threading.Event()

    def push(name: str) -> None:
        for number in range(rounds):
            if number % 2 or not blobs.mount(name, DIGEST, None):
                uploads.take(name, iter([CONTENT]), DIGEST)
            found = blobs.find(name, DIGEST)
            if found is None or Path(found.path).read_bytes() != CONTENT:
                missing.append(f"{name} {number}")
            blobs.remove(name, DIGEST)
            pushed.append(name)

    collector = threading.Thread(target=collect_until, args=(root, stop))
    collector.start()
    threads = [threading.Thread(target=push, args=(f"app{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    collector.join()
    assert missing == []
    assert len(pushed) == 3 * rounds
    collect_garbage(root, datetime.now(UTC), timedelta(0))
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "_lock"]
    assert left == []


def collect_until(root: str, stop: threading.Event) -> None:
    while not stop.is_set():
        collect_garbage(root, datetime.now(UTC), timedelta(hours=1))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES])
def test_a_disk_that_refuses_a_name(tmp_path: Path, number: int) -> None:
    def refuse(_source: str, target: str) -> None:
        raise OSError(number, "refused", target)

    root = str(tmp_path)
    UploadStore(root, BlobStore(root)).take("from", iter([CONTENT]), DIGEST)
    blobs = BlobStore(root, refuse)
    with pytest.raises(StorageError) as caught:
        UploadStore(root, blobs).take("app", iter([CONTENT]), DIGEST)
    assert (caught.value.code == Code.NO_SPACE) == (number in (errno.ENOSPC, errno.EDQUOT))
    with pytest.raises(StorageError):
        blobs.mount("app", DIGEST, "from")
    assert blobs.find("app", DIGEST) is None
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    blobs = BlobStore(str(tmp_path))
    (tmp_path / "repositories").write_text("not a folder")
    assert blobs.find("app", DIGEST) is None
    with pytest.raises(StorageError):
        UploadStore(str(tmp_path), blobs).take("app", iter([CONTENT]), DIGEST)
