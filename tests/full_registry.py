"""Push to a registry whose disk takes no file of more than 100,000 bytes: ``full_registry.py FOLDER``.

A limit on the size of files is the one full disk that needs no privileges. It holds for the whole process, so this is
a program.
"""

import resource
import signal
import sys
from pathlib import Path

from countermark.core.digest import Digest
from hosted_registry import HostedRegistry, image

ROOM = 100_000
FULL = (507, "UNAVAILABLE")


def main(root: str) -> None:
    registry = HostedRegistry(root)
    registry.push_blob("app", b"{}")
    registry.push_blob("app", b"layer")
    old = image(b"layer")
    registry.push_manifest("app", "latest", old)
    before = files(root)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))
    large = b"x" * (2 * ROOM)
    digest = Digest.of(large)

    answer = registry.call("POST", f"/v2/app/blobs/uploads/?digest={digest}", large)
    assert answer.refusal == FULL, answer.body
    location = registry.call("POST", "/v2/app/blobs/uploads/").headers["location"]
    assert registry.call("PATCH", location, b"some").status == 202
    assert registry.call("PATCH", location, large).refusal == FULL
    assert registry.call("GET", location).headers["range"] == "0-3"
    assert registry.call("PUT", f"{location}?digest={digest}", large).refusal == FULL
    assert registry.call("GET", location).headers["range"] == "0-3"
    assert registry.call("GET", f"/v2/app/blobs/{digest}").status == 404
    end = f"{location}?digest={Digest.of(b'some more')}"
    assert registry.call("PUT", end, b" more").status == 201
    assert registry.call("DELETE", f"/v2/app/blobs/{Digest.of(b'some more')}").status == 202

    manifest = image(b"layer", annotations={"a": "x" * (2 * ROOM)})
    assert registry.push_manifest("app", "latest", manifest).refusal == FULL
    assert registry.call("GET", f"/v2/app/manifests/{Digest.of(manifest)}").status == 404
    assert registry.call("GET", "/v2/app/manifests/latest").body == old
    left = files(root) - before
    assert {path.split("/")[0] for path in left} <= {"pool"}, left
    assert all("no space" in line or "too large" in line for line in registry.logged)
    sys.stdout.write("well\n")


def files(root: str) -> set[str]:
    return {str(path.relative_to(root)) for path in Path(root).rglob("*") if path.is_file()}


if __name__ == "__main__":
    main(sys.argv[1])
