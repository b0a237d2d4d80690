"""Kill a registry at every step that it takes: ``crash_registry.py FOLDER``, a program since it forks.

A push of a whole image runs in a child process that dies at its first, second, third... call to the system, until one
lives to the end. After each death: what was acknowledged is there, nothing is half there, the next start removes what
was left, and the same push works. Prints how many deaths there were.
"""

import os
import shutil
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from countermark.adapters.registry_cleaning import clean_unfinished, collect_garbage
from countermark.core.digest import Digest
from dying import Acknowledge, die_at
from hosted_registry import IMAGE, HostedRegistry, descriptor, image

SUBJECT = descriptor(b"subject", IMAGE)
FIRST = image(b"layer", annotations={"n": "1"})
SECOND = image(b"layer", subject=SUBJECT)


def main(folder: str) -> None:
    origin = f"{folder}/origin"
    before = HostedRegistry(origin)
    before.push_blob("other", b"mounted")
    before.push_blob("app", b"{}")
    before.push_blob("app", b"layer")
    assert before.push_manifest("app", "latest", FIRST).status == 201
    for deaths in range(10_000):
        root = f"{folder}/{deaths}"
        # as good as a copy: files are replaced
        shutil.copytree(origin, root, copy_function=os.link)
        acknowledged, lived = die_at(deaths, partial(work, root))
        assert not lived or acknowledged[-1:] == ["deleted"], acknowledged
        check(root, acknowledged)
        if lived:
            sys.stdout.write(f"{deaths}\n")
            return
        shutil.rmtree(root)


def work(root: str, acknowledge: Acknowledge) -> None:
    registry = HostedRegistry(root)
    registry.blobs._link = os.link  # as it is now, when it counts
    push(registry, acknowledge)


def push(registry: HostedRegistry, acknowledge: Acknowledge) -> None:
    registry.push_blob("app", b"whole")
    acknowledge("whole")
    location = registry.call("POST", "/v2/app/blobs/uploads/").headers["location"]
    registry.call("PATCH", location, b"in ")
    end = f"{location}?digest={Digest.of(b'in parts')}"
    assert registry.call("PUT", end, b"parts").status == 201
    acknowledge("parts")
    path = f"/v2/app/blobs/uploads/?mount={Digest.of(b'mounted')}&from=other"
    assert registry.call("POST", path).status == 201
    acknowledge("mounted")
    assert registry.push_manifest("app", "latest", SECOND).status == 201
    acknowledge("manifest")
    assert registry.call("DELETE", f"/v2/app/manifests/{Digest.of(FIRST)}").status == 202
    acknowledge("deleted")


def check(root: str, acknowledged: list[str]) -> None:
    registry = HostedRegistry(root)
    clean_unfinished(root, datetime.now(UTC))
    assert list(Path(root, "temporary").glob("*")) == []
    blobs = {"whole": b"whole", "parts": b"in parts", "mounted": b"mounted"}
    for word, content in blobs.items():
        answer = registry.call("GET", f"/v2/app/blobs/{Digest.of(content)}")
        assert answer.status == 200 or word not in acknowledged, word
        assert answer.status == 404 or answer.body == content, word
    latest = registry.call("GET", "/v2/app/manifests/latest")
    assert latest.status == 200
    assert latest.body == SECOND if "manifest" in acknowledged else latest.body in (FIRST, SECOND)
    first = registry.call("GET", f"/v2/app/manifests/{Digest.of(FIRST)}")
    assert first.status == 200 or latest.body == SECOND
    assert first.status == 404 or "deleted" not in acknowledged
    second = registry.call("GET", f"/v2/app/manifests/{Digest.of(SECOND)}")
    listed = registry.call("GET", f"/v2/app/referrers/{SUBJECT['digest']}").json["manifests"]
    assert len(listed) == (second.status == 200)
    for tag in registry.call("GET", "/v2/app/tags/list").json["tags"]:
        assert registry.call("GET", f"/v2/app/manifests/{tag}").status == 200
    collect_garbage(root, datetime.now(UTC))
    if first.status == 404:
        assert registry.push_manifest("app", "again", FIRST).status == 201
    push(registry, lambda _: None)
    for content in blobs.values():
        assert registry.call("GET", f"/v2/app/blobs/{Digest.of(content)}").body == content
    assert registry.call("GET", "/v2/app/manifests/latest").body == SECOND


if __name__ == "__main__":
    main(sys.argv[1])
