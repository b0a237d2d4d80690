import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from countermark.core.digest import Digest
from countermark.core.errors import InputError
from hosted_registry import Answer, Body, HostedRegistry

UPLOADS = "/v2/app/blobs/uploads/"


@pytest.fixture
def registry(tmp_path: Path) -> HostedRegistry:
    return HostedRegistry(str(tmp_path / "registry"))


def begin(registry: HostedRegistry, query: str = "") -> str:
    answer = registry.call("POST", UPLOADS + query)
    assert answer.status == 202
    assert answer.headers["range"] == "0-0"
    assert answer.headers["location"] == UPLOADS + answer.headers["docker-upload-uuid"]
    return answer.headers["location"]


def check_created(registry: HostedRegistry, answer: Answer, content: bytes, digest: Digest) -> None:
    assert answer.status == 201, answer.body
    assert answer.headers["location"] == f"/v2/app/blobs/{digest}"
    assert answer.headers["docker-content-digest"] == str(digest)
    assert registry.call("GET", answer.headers["location"]).body == content


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("content", [b"", b"content"])
def test_one_post(registry: HostedRegistry, content: bytes, algorithm: str) -> None:
    digest = Digest.of(content, algorithm)
    answer = registry.call("POST", f"{UPLOADS}?digest={digest}", content)
    check_created(registry, answer, content, digest)


@pytest.mark.parametrize("query", ["", "?digest-algorithm=sha256", "?digest-algorithm=sha512"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_post_then_put(registry: HostedRegistry, query: str, algorithm: str) -> None:
    digest = Digest.of(b"content", algorithm)
    answer = registry.call("PUT", f"{begin(registry, query)}?digest={digest}", b"content")
    check_created(registry, answer, b"content", digest)


def test_one_stream_as_docker_sends_it(registry: HostedRegistry) -> None:
    location = begin(registry)
    answer = registry.call("PATCH", location, Body([b"con", b"tent"]))
    assert (answer.status, answer.headers["range"]) == (202, "0-6")
    digest = Digest.of(b"content")
    answer = registry.call("PUT", f"{answer.headers['location']}?digest={digest}")
    check_created(registry, answer, b"content", digest)


def part(registry: HostedRegistry, method: str, path: str, content: bytes, start: int) -> Answer:
    headers = {
        "content-range": f"{start}-{start + len(content) - 1}",
        "content-length": str(len(content)),
    }
    return registry.call(method, path, content, headers)


@pytest.mark.parametrize("last", ["PATCH", "PUT"])
def test_parts(registry: HostedRegistry, last: str) -> None:
    location = begin(registry)
    digest = Digest.of(b"onetwothree")
    assert part(registry, "PATCH", location, b"one", 0).headers["range"] == "0-2"
    assert part(registry, "PATCH", location, b"two", 3).headers["range"] == "0-5"
    if last == "PATCH":
        assert part(registry, "PATCH", location, b"three", 6).headers["range"] == "0-10"
        answer = registry.call("PUT", f"{location}?digest={digest}")
    else:
        answer = part(registry, "PUT", f"{location}?digest={digest}", b"three", 6)
    check_created(registry, answer, b"onetwothree", digest)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("start", [0, 2, 4, 1000])
def test_a_part_out_of_order_is_told_where_to_go_on(
    registry: HostedRegistry, method: str, start: int
) -> None:
    location = begin(registry)
    part(registry, "PATCH", location, b"one", 0)
    digest = Digest.of(b"onetwo")
    answer = part(registry, method, f"{location}?digest={digest}", b"two", start)
    assert answer.refusal == (416, "BLOB_UPLOAD_INVALID")
    assert (answer.headers["location"], answer.headers["range"]) == (location, "0-2")
    state = registry.call("GET", location)
    assert (state.status, state.headers["range"]) == (204, "0-2")
    answer = part(registry, "PUT", f"{location}?digest={digest}", b"two", 3)
    check_created(registry, answer, b"onetwo", digest)


def test_an_upload_survives_a_restart(registry: HostedRegistry) -> None:
    location = begin(registry)
    part(registry, "PATCH", location, b"one", 0)
    restarted = HostedRegistry(registry.root)
    state = restarted.call("GET", location)
    assert (state.status, state.headers["range"]) == (204, "0-2")
    assert state.headers["location"] == location
    digest = Digest.of(b"onetwo")
    answer = part(restarted, "PUT", f"{location}?digest={digest}", b"two", 3)
    check_created(restarted, answer, b"onetwo", digest)


def test_two_servers_on_one_folder(registry: HostedRegistry) -> None:
    other = HostedRegistry(registry.root)
    location = begin(registry)
    part(registry, "PATCH", location, b"one", 0)
    part(other, "PATCH", location, b"two", 3)
    part(registry, "PATCH", location, b"three", 6)
    digest = Digest.of(b"onetwothree")
    check_created(
        registry, other.call("PUT", f"{location}?digest={digest}"), b"onetwothree", digest
    )


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("?digest={wrong}", (400, "DIGEST_INVALID")),
        ("?digest=sha256:short", (400, "DIGEST_INVALID")),
        ("?digest=sha384:{digits}", (400, "DIGEST_INVALID")),
        ("?digest=", (400, "DIGEST_INVALID")),
        ("", (400, "DIGEST_INVALID")),
    ],
)
def test_wrong_digests(registry: HostedRegistry, path: str, refusal: tuple[int, str]) -> None:
    query = path.format(wrong=Digest.of(b"other"), digits="0" * 96)
    assert registry.call("PUT", begin(registry) + query, b"content").refusal == refusal
    if query:
        assert registry.call("POST", UPLOADS + query, b"content").refusal == refusal
    for digest in (Digest.of(b"other"), Digest.of(b"content")):
        assert registry.call("GET", f"/v2/app/blobs/{digest}").status == 404


def test_a_wrong_digest_drops_the_upload_and_a_bad_word_does_not(registry: HostedRegistry) -> None:
    location = begin(registry)
    registry.call("PATCH", location, b"content")
    assert registry.call("PUT", f"{location}?digest=bad").status == 400
    assert registry.call("GET", location).status == 204
    assert registry.call("PUT", f"{location}?digest={Digest.of(b'other')}").status == 400
    assert registry.call("GET", location).refusal == (404, "BLOB_UPLOAD_UNKNOWN")


def test_cancel(registry: HostedRegistry) -> None:
    location = begin(registry)
    registry.call("PATCH", location, b"content")
    assert registry.call("DELETE", location).status == 204
    for method in ("GET", "PATCH", "DELETE"):
        assert registry.call(method, location).refusal == (404, "BLOB_UPLOAD_UNKNOWN")
    end = f"{location}?digest={Digest.of(b'content')}"
    assert registry.call("PUT", end).refusal == (404, "BLOB_UPLOAD_UNKNOWN")
    assert list((Path(registry.root) / "uploads").iterdir()) == []


def test_an_upload_belongs_to_its_repository(registry: HostedRegistry) -> None:
    location = begin(registry).replace("/app/", "/other/")
    assert registry.call("PATCH", location, b"x").refusal == (404, "BLOB_UPLOAD_UNKNOWN")


def test_unknown_algorithms(registry: HostedRegistry) -> None:
    answer = registry.call("POST", f"{UPLOADS}?digest-algorithm=md5")
    assert answer.refusal == (400, "DIGEST_INVALID")


def test_a_body_that_breaks_off(registry: HostedRegistry) -> None:
    location = begin(registry)
    broken = Body([b"half"], breaks=InputError("the body ended early"))
    with pytest.raises(
        InputError, match="ended early"
    ):  # the server's to answer: it knows who left
        registry.call("PATCH", location, broken)
    assert registry.call("GET", location).headers["range"] == "0-3"
    digest = Digest.of(b"half done")
    answer = part(registry, "PUT", f"{location}?digest={digest}", b" done", 4)
    check_created(registry, answer, b"half done", digest)
    broken = Body([b"half"], breaks=InputError("the body ended early"))
    with pytest.raises(InputError, match="ended early"):
        registry.call("POST", f"{UPLOADS}?digest={Digest.of(b'half')}", broken)
    assert registry.call("GET", f"/v2/app/blobs/{Digest.of(b'half')}").status == 404


def test_a_full_disk(registry: HostedRegistry) -> None:
    full = Body([b"half"], breaks=OSError(errno.ENOSPC, "No space left on device"))
    location = begin(registry)
    assert registry.call("PATCH", location, full).refusal == (507, "UNAVAILABLE")
    assert registry.call("GET", location).headers["range"] == "0-0"
    digest = Digest.of(b"half")
    assert registry.call("POST", f"{UPLOADS}?digest={digest}", full).refusal == (507, "UNAVAILABLE")
    assert registry.call("GET", f"/v2/app/blobs/{digest}").status == 404
    assert list((Path(registry.root) / "temporary").iterdir()) == []
    assert len(registry.logged) == 2


def test_somebody_else_is_sending(registry: HostedRegistry) -> None:
    location = begin(registry)
    answers: list[Answer] = []

    def meanwhile() -> Iterator[bytes]:
        yield b"mine"
        answers.append(registry.call("PATCH", location, b"theirs"))

    assert registry.call("PATCH", location, Body(meanwhile())).headers["range"] == "0-3"
    assert answers[0].refusal == (409, "BLOB_UPLOAD_INVALID")


# Mounting ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("source", ["&from=team/source", "", "&from="])
def test_mount(registry: HostedRegistry, source: str, algorithm: str) -> None:
    digest = registry.push_blob("team/source", b"content", algorithm)
    answer = registry.call("POST", f"{UPLOADS}?mount={digest}{source}")
    check_created(registry, answer, b"content", digest)


@pytest.mark.parametrize("source", ["&from=other", ""])
def test_a_mount_of_what_is_not_there_begins_an_upload(
    registry: HostedRegistry, source: str
) -> None:
    digest = registry.push_blob("team/source", b"content")
    if not source:
        registry.call("DELETE", f"/v2/team/source/blobs/{digest}")
    location = begin(registry, f"?mount={digest}{source}")
    assert registry.call("GET", f"/v2/app/blobs/{digest}").status == 404
    answer = registry.call("PUT", f"{location}?digest={digest}", b"content")
    check_created(registry, answer, b"content", digest)


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("?mount=bad&from=other", (400, "DIGEST_INVALID")),
        (f"?mount={Digest.of(b'x')}&from=../other", (400, "NAME_INVALID")),
        (f"?mount={Digest.of(b'x')}&from=OTHER", (400, "NAME_INVALID")),
    ],
)
def test_bad_mounts(registry: HostedRegistry, query: str, refusal: tuple[int, str]) -> None:
    assert registry.call("POST", UPLOADS + query).refusal == refusal
