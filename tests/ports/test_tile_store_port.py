"""The laws of where a log's tiles lie: in a folder, in a bucket, in the tests' memory."""

from collections.abc import Iterator
from pathlib import Path

import boto3  # type: ignore[import-untyped]
import pytest
from moto import mock_aws

from countermark.adapters.tile_bucket import TileBucket
from countermark.adapters.tile_folder import TileFolder
from countermark.core.errors import Code, EvidenceError, MalformedError
from countermark.core.ports_sigstore import TileStore
from countermark.formats.tiles import CHECKPOINT
from logs import MemoryIndex, MemoryTiles, entry, sequencer, whole

pytestmark = pytest.mark.slow

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "eu-west-1",
}


@pytest.fixture(params=["memory", "folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TileStore]:
    if request.param == "memory":
        yield MemoryTiles()
    elif request.param == "folder":
        yield TileFolder(str(tmp_path / "tiles"))
    else:
        with mock_aws():
            boto3.client(
                "s3", aws_access_key_id="a", aws_secret_access_key="b", region_name="eu-west-1"
            ).create_bucket(
                Bucket="our-tiles", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
            )
            yield TileBucket(ENVIRONMENT, "our-tiles", "/team/log/")


def test_what_is_not_there(store: TileStore) -> None:
    assert store.read(CHECKPOINT, 10) is None
    assert store.read("tile/0/000.p/1", 10) is None
    store.remove_partial("tile/0/000")


@pytest.mark.parametrize("durable", [True, False])
def test_what_is_written_is_read_and_replaced(durable: bool, store: TileStore) -> None:
    for content in (b"", b"one", b"another"):
        store.write("tile/0/x001/234.p/5", content, durable=durable)
        assert store.read("tile/0/x001/234.p/5", 7) == content
    store.write(CHECKPOINT, b"text", durable=durable)
    assert store.read(CHECKPOINT, 4) == b"text"


def test_partial_tiles_go_and_others_stay(store: TileStore) -> None:
    for path in (
        "tile/0/000.p/1",
        "tile/0/000.p/2",
        "tile/0/000",
        "tile/0/001.p/1",
        "tile/1/000.p/1",
    ):
        store.write(path, b"x")
    store.remove_partial("tile/0/000")
    store.remove_partial("tile/0/000")
    there = {
        path: store.read(path, 9) for path in ("tile/0/000.p/1", "tile/0/000.p/2", "tile/0/000")
    }
    assert there == {"tile/0/000.p/1": None, "tile/0/000.p/2": None, "tile/0/000": b"x"}
    assert store.read("tile/0/001.p/1", 9) == store.read("tile/1/000.p/1", 9) == b"x"


def test_a_log_lies_there(store: TileStore) -> None:
    one = sequencer(MemoryIndex(), store)
    for number in range(300):
        one.add(entry(number))
    assert whole(store) == [entry(number).body for number in range(300)]


def test_what_is_too_long(store: TileStore) -> None:
    store.write("tile/0/000", b"12345")
    with pytest.raises(EvidenceError) as caught:
        store.read("tile/0/000", 4)
    assert caught.value.code == Code.TOO_LARGE


@pytest.mark.parametrize("path", ["", "../x", "tile/0/../../x", "tile/0/0", "other", "/etc/passwd"])
def test_no_other_files_are_reached(path: str, store: TileStore) -> None:
    with pytest.raises(MalformedError):
        store.read(path, 9)
    with pytest.raises(MalformedError):
        store.write(path, b"x")
    with pytest.raises(MalformedError):
        store.remove_partial(path)
