import stat
from pathlib import Path

import pytest

from countermark.core.digest import Digest
from hosted_registry import Body, HostedRegistry

CONTENT = bytes(range(100))
DIGEST = Digest.of(CONTENT)
BLOB = f"/v2/app/blobs/{DIGEST}"


@pytest.fixture
def registry(tmp_path: Path) -> HostedRegistry:
    registry = HostedRegistry(str(tmp_path / "registry"))
    registry.push_blob("app", CONTENT)
    return registry


def test_get(registry: HostedRegistry) -> None:
    answer = registry.call("GET", BLOB)
    assert answer.status == 200
    assert answer.body == CONTENT
    assert answer.headers == {
        "content-type": "application/octet-stream",
        "docker-content-digest": str(DIGEST),
        "etag": f'"{DIGEST}"',
        "accept-ranges": "bytes",
        "cache-control": "max-age=31536000",
        "docker-distribution-api-version": "registry/2.0",
    }


def test_head_has_the_length_and_no_body(registry: HostedRegistry) -> None:
    answer = registry.call("HEAD", BLOB)
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "100")
    assert answer.headers["docker-content-digest"] == str(DIGEST)


@pytest.mark.parametrize(
    ("given", "content", "place"),
    [
        ("bytes=0-9", CONTENT[:10], "bytes 0-9/100"),
        ("bytes=90-", CONTENT[90:], "bytes 90-99/100"),
        ("bytes=-5", CONTENT[95:], "bytes 95-99/100"),
    ],
)
def test_ranges(registry: HostedRegistry, given: str, content: bytes, place: str) -> None:
    answer = registry.call("GET", BLOB, headers={"range": given})
    assert (answer.status, answer.body) == (206, content)
    assert answer.headers["content-range"] == place


def test_a_range_that_is_not_there(registry: HostedRegistry) -> None:
    answer = registry.call("GET", BLOB, headers={"range": "bytes=100-"})
    assert answer.status == 416
    assert answer.headers["content-range"] == "bytes */100"


def test_a_range_of_another_version(registry: HostedRegistry) -> None:
    headers = {"range": "bytes=0-9", "if-range": '"other"'}
    assert registry.call("GET", BLOB, headers=headers).status == 200
    headers = {"range": "bytes=0-9", "if-range": f'"{DIGEST}"'}
    assert registry.call("GET", BLOB, headers=headers).status == 206


def test_what_the_client_has_is_not_sent(registry: HostedRegistry) -> None:
    answer = registry.call("GET", BLOB, headers={"if-none-match": f'"{DIGEST}"'})
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["etag"] == f'"{DIGEST}"'


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        f"/v2/app/blobs/{Digest.of(b'other')}",
        f"/v2/other/blobs/{DIGEST}",
        f"/v2/app/more/blobs/{DIGEST}",
        f"/v2/app/blobs/{Digest.of(CONTENT, 'sha512')}",
    ],
)
def test_what_is_not_there(registry: HostedRegistry, method: str, path: str) -> None:
    assert registry.call(method, path).refusal == (404, "BLOB_UNKNOWN")
    head = registry.call("HEAD", path)
    assert (head.status, head.body) == (404, b"")
    assert int(head.headers["content-length"]) > 0


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/v2/app/blobs/sha256:short", (400, "DIGEST_INVALID")),
        ("/v2/app/blobs/latest", (400, "DIGEST_INVALID")),
        (f"/v2/APP/blobs/{DIGEST}", (400, "NAME_INVALID")),
        (f"/v2/../app/blobs/{DIGEST}", (400, "NAME_INVALID")),
        (f"/v2//blobs/{DIGEST}", (400, "NAME_INVALID")),
        (f"/v2/app/_blobs/blobs/{DIGEST}", (400, "NAME_INVALID")),
    ],
)
def test_bad_words(registry: HostedRegistry, path: str, refusal: tuple[int, str]) -> None:
    assert registry.call("GET", path).refusal == refusal


def test_delete_here_only(registry: HostedRegistry) -> None:
    registry.push_blob("other", CONTENT)
    answer = registry.call("DELETE", BLOB)
    assert (answer.status, answer.body) == (202, b"")
    assert registry.call("GET", BLOB).refusal == (404, "BLOB_UNKNOWN")
    assert registry.call("DELETE", BLOB).refusal == (404, "BLOB_UNKNOWN")
    assert registry.call("GET", f"/v2/other/blobs/{DIGEST}").body == CONTENT


def test_whoever_reads_a_blob_reads_on_when_it_is_deleted(registry: HostedRegistry) -> None:
    found = registry.blobs.find("app", DIGEST)
    assert found is not None
    with Path(found.path).open("rb") as reader:
        reader.read(10)
        registry.call("DELETE", BLOB)
        assert reader.read() == CONTENT[10:]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v2/", "GET, HEAD"),
        ("/v2/_catalog", "GET"),
        ("/v2/app/tags/list", "GET"),
        (f"/v2/app/referrers/{DIGEST}", "GET"),
        ("/v2/app/manifests/x", "DELETE, GET, HEAD, PUT"),
        (BLOB, "DELETE, GET, HEAD"),
        ("/v2/app/blobs/uploads/", "POST"),
        ("/v2/app/blobs/uploads/x", "DELETE, GET, PATCH, PUT"),
    ],
)
def test_other_methods(registry: HostedRegistry, path: str, allowed: str) -> None:
    answer = registry.call("BREW", path)
    assert answer.refusal == (405, "UNSUPPORTED")
    assert answer.headers["allow"] == allowed


def test_the_root(registry: HostedRegistry) -> None:
    for path in ("/v2/", "/v2"):
        answer = registry.call("GET", path)
        assert (answer.status, answer.json) == (200, {})
        assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
    assert registry.call("GET", "/v3/").refusal == (404, "UNSUPPORTED")


def test_files_are_private(registry: HostedRegistry) -> None:
    registry.push_image("app", "latest")
    upload = registry.call("POST", "/v2/app/blobs/uploads/").headers["location"]
    registry.call("PATCH", upload, b"some")
    for path in Path(registry.root).rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_our_own_trouble_is_logged_and_says_no_path(registry: HostedRegistry) -> None:
    found = registry.blobs.find("app", DIGEST)
    assert found is not None
    tag = Path(registry.root) / "repositories/app/_tags/spoilt"
    tag.parent.mkdir()
    tag.write_text("not a digest")
    answer = registry.call("GET", "/v2/app/manifests/spoilt")
    assert answer.refusal == (500, "UNKNOWN")
    assert registry.root.encode() not in answer.body
    [line] = registry.logged
    assert str(tag) in line


def test_a_body_that_no_handler_reads_is_left_alone(registry: HostedRegistry) -> None:
    body = Body(breaks=AssertionError("read"))
    assert registry.call("GET", BLOB, body).status == 200
    assert registry.call("PUT", "/v2/app/manifests/.bad", body).refusal == (400, "TAG_INVALID")
