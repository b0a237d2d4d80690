"""Tags, the catalog, referrers: what is listed, in pages."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from countermark.core import limits
from countermark.core.digest import Digest
from hosted_registry import CONFIG, IMAGE, INDEX, Answer, HostedRegistry, descriptor, image, index

TAGS = ("1.0", "1.1", "A", "_", "a", "b", "z")


@pytest.fixture
def registry(tmp_path: Path) -> HostedRegistry:
    return HostedRegistry(str(tmp_path / "registry"))


def following(answer: Answer) -> str | None:
    link = answer.headers.get("link")
    if link is None:
        return None
    found = re.fullmatch(r'<(/v2/[^<>]+)>; rel="next"', link)
    assert found, link
    return found[1]


def pages(registry: HostedRegistry, path: str | None, member: str) -> list[list[Any]]:
    found = []
    while path is not None:
        answer = registry.call("GET", path)
        assert answer.status == 200
        found.append(answer.json[member])
        path = following(answer)
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [TAGS]),
        ("?n=100", [TAGS]),
        ("?n=7", [TAGS]),
        ("?n=3", [("1.0", "1.1", "A"), ("_", "a", "b"), ("z",)]),
        ("?n=0", [()]),
        ("?last=a", [("b", "z")]),
        ("?last=z", [()]),
        ("?last=aa", [("b", "z")]),  # need not exist
        ("?n=1&last=a", [("b",), ("z",)]),
    ],
)
def test_tags(registry: HostedRegistry, query: str, expected: list[tuple[str, ...]]) -> None:
    registry.push_image("app", "a")
    for tag in TAGS:
        registry.push_manifest("app", tag, image(b"layer"))
    found = pages(registry, f"/v2/app/tags/list{query}", "tags")
    assert [tuple(page) for page in found] == expected


def test_tags_of_whom(registry: HostedRegistry) -> None:
    assert registry.call("GET", "/v2/app/tags/list").refusal == (404, "NAME_UNKNOWN")
    registry.push_blob("app", b"x")
    assert registry.call("GET", "/v2/app/tags/list").json == {"name": "app", "tags": []}
    assert registry.call("GET", "/v2/app/tags/list?n=-1").refusal == (400, "UNSUPPORTED")


def test_the_catalog(registry: HostedRegistry) -> None:
    assert pages(registry, "/v2/_catalog", "repositories") == [[]]
    for name in ("b", "a/x", "a-x", "a"):
        registry.push_image(name, "latest")
    registry.push_blob("only-a-blob", b"x")
    assert pages(registry, "/v2/_catalog", "repositories") == [["a", "a-x", "a/x", "b"]]
    assert pages(registry, "/v2/_catalog?n=3", "repositories") == [["a", "a-x", "a/x"], ["b"]]
    assert pages(registry, "/v2/_catalog?last=a-x", "repositories") == [["a/x", "b"]]
    answer = registry.call("GET", "/v2/_catalog?n=x")
    assert answer.refusal == (400, "PAGINATION_NUMBER_INVALID")


# Referrers --------------------------------------------------------------------------------------------

SUBJECT = descriptor(b"subject", IMAGE)
REFERRERS = f"/v2/app/referrers/{SUBJECT['digest']}"


def push(registry: HostedRegistry, content: bytes, media_type: str = IMAGE) -> Answer:
    registry.push_blob("app", b"{}")
    registry.push_blob("app", b"layer")
    answer = registry.push_manifest("app", str(Digest.of(content)), content, media_type)
    assert answer.status == 201, answer.body
    return answer


def listed(registry: HostedRegistry, path: str = REFERRERS) -> list[dict[str, Any]]:
    answer = registry.call("GET", path)
    assert answer.status == 200
    assert answer.headers["content-type"] == INDEX
    found = answer.json
    assert (found["schemaVersion"], found["mediaType"]) == (2, INDEX)
    entries: list[dict[str, Any]] = found["manifests"]
    return entries


def test_nobody_refers(registry: HostedRegistry) -> None:
    assert listed(registry) == []  # of no repository at all, too: never 404
    push(registry, image(b"layer"))
    assert listed(registry) == []
    assert registry.call("GET", "/v2/app/referrers/latest").refusal == (400, "DIGEST_INVALID")


def test_a_referrer_is_described(registry: HostedRegistry) -> None:
    content = image(b"layer", subject=SUBJECT, artifactType="application/x", annotations={"a": "ä"})
    answer = push(registry, content)
    assert answer.headers["oci-subject"] == SUBJECT["digest"]
    expected = {
        "mediaType": IMAGE,
        "size": len(content),
        "digest": str(Digest.of(content)),
        "artifactType": "application/x",
        "annotations": {"a": "ä"},
    }
    assert listed(registry) == [expected]
    push(registry, content)  # again
    assert listed(registry) == [expected]
    assert registry.call("GET", REFERRERS.replace("app", "other")).json["manifests"] == []


@pytest.mark.parametrize(
    ("content", "media_type", "artifact_type"),
    [
        (image(b"layer", subject=SUBJECT), IMAGE, CONFIG),
        (image(b"layer", subject=SUBJECT, artifactType=""), IMAGE, CONFIG),
        (index(subject=SUBJECT), INDEX, None),
        (index(subject=SUBJECT, artifactType="application/x"), INDEX, "application/x"),
        (
            json.dumps({"subject": SUBJECT, "artifactType": "application/x"}).encode(),
            "application/vnd.example+json",
            "application/x",
        ),
    ],
)
def test_artifact_types(
    registry: HostedRegistry, content: bytes, media_type: str, artifact_type: str | None
) -> None:
    push(registry, content, media_type)
    [entry] = listed(registry)
    assert (entry.get("artifactType"), entry["mediaType"]) == (artifact_type, media_type)
    assert "annotations" not in entry


def test_filters(registry: HostedRegistry) -> None:
    for kind in ("application/a+json", "application/b"):
        push(registry, image(b"layer", subject=SUBJECT, artifactType=kind))
    for spelled in ("application%2Fa%2Bjson", "application/a+json"):
        [entry] = listed(registry, f"{REFERRERS}?artifactType={spelled}")
        assert entry["artifactType"] == "application/a+json"
    answer = registry.call("GET", f"{REFERRERS}?artifactType=application/c")
    assert (answer.json["manifests"], answer.headers["oci-filters-applied"]) == ([], "artifactType")
    assert "oci-filters-applied" not in registry.call("GET", REFERRERS).headers


def test_a_deleted_referrer_is_listed_no_more(registry: HostedRegistry) -> None:
    content = image(b"layer", subject=SUBJECT)
    push(registry, content)
    assert registry.call("DELETE", f"/v2/app/manifests/{Digest.of(content)}").status == 202
    assert listed(registry) == []
    entries = Path(registry.root) / "repositories/app/_referrers"
    assert [path for path in entries.rglob("*") if path.is_file()] == []


def test_a_crash_before_the_manifest_leaves_no_referrer(registry: HostedRegistry) -> None:
    content = image(b"layer", subject=SUBJECT)
    push(registry, content)
    stored = registry.root + f"/repositories/app/_manifests/sha256/{Digest.of(content).hex}"
    Path(stored).unlink()  # as if it had never been written
    assert listed(registry) == []


def test_many_referrers_come_in_pages(registry: HostedRegistry) -> None:
    big = "x" * (limits.MANIFEST_BYTES // 3)
    pushed = set()
    for number in range(5):
        kind = f"application/k{number % 2}"
        content = image(
            b"layer",
            subject=SUBJECT,
            artifactType=kind,
            annotations={"big": big, "n": str(number)},
        )
        push(registry, content)
        pushed.add(str(Digest.of(content)))
    found = pages(registry, REFERRERS, "manifests")
    assert [len(page) for page in found] == [2, 2, 1]
    assert {entry["digest"] for page in found for entry in page} == pushed
    first = registry.call("GET", f"{REFERRERS}?artifactType=application/k0")
    assert len(first.body) <= limits.MANIFEST_BYTES
    path = following(first)
    assert path is not None
    assert "artifactType=application/k0" in unquote(path)
    second = registry.call("GET", path)
    assert [len(a.json["manifests"]) for a in (first, second)] == [2, 1]
    assert following(second) is None


def test_a_referrer_that_fills_an_index_by_itself(registry: HostedRegistry) -> None:
    room = limits.MANIFEST_BYTES - len(image(b"layer", subject=SUBJECT, annotations={"b": ""}))
    content = image(b"layer", subject=SUBJECT, annotations={"b": "x" * room})
    push(registry, content)
    assert [entry["digest"] for entry in listed(registry)] == [str(Digest.of(content))]
