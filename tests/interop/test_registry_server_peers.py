"""The registry that we host beside docker-registry: the same requests, and skopeo and docker as clients."""

import hashlib
import http.client
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from interop import images
from interop.hosting import HostedServer
from interop.peers import BASE_ENVIRONMENT, Daemon, Registry
from interop.processes import Outcome, find, run
from interop.reading import layout_digest

DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedServer]:
    server = HostedServer(tmp_path_factory.mktemp("hosted"))
    yield server
    server.stop()


def skopeo(home: Path, *words: str | Path) -> Outcome:
    environment = BASE_ENVIRONMENT | {"HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    return run([find("skopeo"), "--insecure-policy", *words], environment, home)


# Skopeo -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_skopeo_pushes_and_pulls(
    registry: Registry, hosted: HostedServer, tmp_path: Path, form: str
) -> None:
    """An OCI layout to ours, and on to a docker archive; docker-registry gets the same digest."""
    images.oci_layout(tmp_path / "image", f"of {form}")
    name = f"{hosted.address}/skopeo/{form}:v1"
    plain = ("--dest-tls-verify=false", "--format", form)
    skopeo(tmp_path, "copy", *plain, f"oci:{tmp_path}/image", f"docker://{name}").ok()
    other = f"{registry.address}/skopeo/{form}:v1"
    skopeo(tmp_path, "copy", *plain, f"oci:{tmp_path}/image", f"docker://{other}").ok()
    found = [
        json.loads(skopeo(tmp_path, "inspect", "--tls-verify=false", f"docker://{place}").ok().out)
        for place in (name, other)
    ]
    assert found[0]["Digest"] == found[1]["Digest"]
    assert found[0]["RepoTags"] == ["v1"]
    archive = tmp_path / "archive.tar"
    target = f"docker-archive:{archive}:restored:v1"
    skopeo(tmp_path, "copy", "--src-tls-verify=false", f"docker://{name}", target).ok()
    with tarfile.open(archive) as opened:
        contents = opened.extractfile("manifest.json")
        assert contents is not None
        [entry] = json.loads(contents.read())
        layer = opened.extractfile(entry["Layers"][0])
        assert layer is not None
        assert layer.read() == images.tar(f"of {form}")


def test_skopeo_copies_an_index_whole(hosted: HostedServer, tmp_path: Path) -> None:
    digest = images.oci_layout(tmp_path / "image", "one platform")
    layout = json.loads((tmp_path / "image" / "index.json").read_text())
    platform = {"os": "linux", "architecture": "amd64"}
    inner = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [layout["manifests"][0] | {"platform": platform}],
        }
    ).encode()
    name = hashlib.sha256(inner).hexdigest()
    (tmp_path / "image" / "blobs" / "sha256" / name).write_bytes(inner)
    entry = {
        "mediaType": json.loads(inner)["mediaType"],
        "digest": f"sha256:{name}",
        "size": len(inner),
    }
    (tmp_path / "image" / "index.json").write_text(
        json.dumps({"schemaVersion": 2, "manifests": [entry]})
    )
    place = f"docker://{hosted.address}/skopeo/index"
    whole = ("copy", "--all", "--preserve-digests")
    skopeo(tmp_path, *whole, "--dest-tls-verify=false", f"oci:{tmp_path}/image", f"{place}:v1").ok()
    skopeo(tmp_path, *whole, "--src-tls-verify=false", f"{place}:v1", f"oci:{tmp_path}/back").ok()
    assert layout_digest(tmp_path / "back") == f"sha256:{name}"
    raw = skopeo(tmp_path, "inspect", "--raw", "--tls-verify=false", f"{place}@{digest}").ok()
    assert f"sha256:{hashlib.sha256(raw.out.encode()).hexdigest()}" == digest


def test_skopeo_lists_and_deletes(hosted: HostedServer, tmp_path: Path) -> None:
    images.oci_layout(tmp_path / "image", "deleted")
    place = f"docker://{hosted.address}/skopeo/deleted"
    for tag in ("b", "a"):
        skopeo(
            tmp_path, "copy", "--dest-tls-verify=false", f"oci:{tmp_path}/image", f"{place}:{tag}"
        ).ok()
    listed = skopeo(tmp_path, "list-tags", "--tls-verify=false", place).ok()
    assert json.loads(listed.out)["Tags"] == ["a", "b"]
    skopeo(
        tmp_path, "delete", "--tls-verify=false", f"{place}:a"
    ).ok()  # the manifest, so both tags
    skopeo(tmp_path, "inspect", "--tls-verify=false", f"{place}:b").refused("manifest unknown")


# Docker -----------------------------------------------------------------------------------------------


def test_docker_pushes_mounts_and_pulls(
    hosted: HostedServer, daemon: Daemon, tmp_path: Path
) -> None:
    """Streams without Content-Range, mounts from another repository, pulls by tag and digest."""

    def docker(*words: str, stdin: bytes = b"") -> Outcome:
        environment = BASE_ENVIRONMENT | {"DOCKER_HOST": daemon.host, "HOME": str(tmp_path)}
        return run([find("docker"), *words], environment, tmp_path, stdin)

    first, second = f"{hosted.address}/docker/first:v1", f"{hosted.address}/docker/second:v1"
    docker("import", "-", first, stdin=images.tar("by docker")).ok()
    pushed = docker("push", first).ok()
    digest = re.search(r"digest: (sha256:[0-9a-f]{64})", pushed.out)
    assert digest, pushed.text
    docker("tag", first, second).ok()
    assert "Mounted from docker/first" in docker("push", second).ok().out
    assert "Layer already exists" in docker("push", second).ok().out
    for name in (first, second):
        docker("rmi", name).ok()
    docker("pull", second).ok()
    pulled = docker("pull", f"{first.removesuffix(':v1')}@{digest[1]}").ok()
    assert digest[1] in pulled.out


# The same requests to both --------------------------------------------------------------------------------


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def oci_code(self) -> str:
        errors = json.loads(self.body)["errors"] if self.status >= 400 and self.body else [{}]
        code: str = errors[0].get("code", "")
        return code


class Client:
    """Speaks to one registry, and remembers locations."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=30)
        self._address = address

    def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        self._connection.request(method, path, body, headers or {})
        response = self._connection.getresponse()
        content = response.read()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, content)

    def begin(self, name: str, query: str = "") -> str:
        answer = self.send("POST", f"/v2/{name}/blobs/uploads/{query}")
        assert answer.status == 202, answer
        return self.location(answer)

    def location(self, answer: Answer) -> str:
        """A location as a path; docker-registry's are whole addresses with a state in the query."""
        return re.sub(r"^https?://[^/]+", "", answer.headers["location"])

    def push(self, name: str, content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        answer = self.send("PUT", _ended(self.begin(name), digest), content)
        assert answer.status == 201, answer
        return digest

    def close(self) -> None:
        self._connection.close()


def _ended(location: str, digest: str) -> str:
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"


@pytest.fixture
def both(registry: Registry, hosted: HostedServer) -> Iterator[tuple[Client, Client]]:
    """Theirs and ours, each with an image ``shared/app:v1`` of one layer."""
    clients = (Client(registry.address), Client(hosted.address))
    for client in clients:
        client.push("shared/app", b"{}")
        client.push("shared/app", b"layer")
        answer = client.send(
            "PUT", "/v2/shared/app/manifests/v1", MANIFEST, {"Content-Type": DOCKER_IMAGE}
        )
        assert answer.status == 201, answer
    yield clients
    for client in clients:
        client.close()


def _descriptor(content: bytes, media_type: str) -> dict[str, object]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": media_type, "size": len(content), "digest": digest}


def _manifest(layer: bytes) -> bytes:
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_IMAGE,
            "config": _descriptor(b"{}", "application/vnd.docker.container.image.v1+json"),
            "layers": [_descriptor(layer, "application/vnd.docker.image.rootfs.diff.tar.gzip")],
        }
    ).encode()


MANIFEST = _manifest(b"layer")
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
LAYER = f"sha256:{hashlib.sha256(b'layer').hexdigest()}"
NOBODYS = f"sha256:{'0' * 64}"
ACCEPT = {"Accept": DOCKER_IMAGE}


@pytest.mark.parametrize(
    ("method", "path", "headers", "compared"),
    [
        ("GET", "/v2/", {}, {"docker-distribution-api-version", "body"}),
        ("GET", "/v2/shared/app/tags/list", {}, {"body", "content-type"}),
        ("GET", "/v2/shared/nobody/tags/list", {}, set()),
        ("GET", "/v2/shared/app/manifests/v1", ACCEPT, {"docker-content-digest", "etag", "content-type", "body"}),
        ("HEAD", "/v2/shared/app/manifests/v1", ACCEPT, {"docker-content-digest", "etag", "content-length"}),
        ("GET", f"/v2/shared/app/manifests/{DIGEST}", ACCEPT, {"docker-content-digest", "content-type", "body"}),
        ("GET", "/v2/shared/app/manifests/v1", ACCEPT | {"If-None-Match": DIGEST}, set()),
        ("GET", "/v2/shared/app/manifests/v1", ACCEPT | {"If-None-Match": f'"{DIGEST}"'}, set()),
        ("GET", "/v2/shared/app/manifests/none", ACCEPT, set()),
        ("HEAD", "/v2/shared/app/manifests/none", ACCEPT, set()),
        ("GET", f"/v2/shared/app/manifests/{NOBODYS}", ACCEPT, set()),
        ("GET", "/v2/shared/nobody/manifests/v1", ACCEPT, set()),
        ("DELETE", f"/v2/shared/app/manifests/{NOBODYS}", {}, set()),
        ("GET", f"/v2/shared/app/blobs/{LAYER}", {}, {
            "docker-content-digest", "etag", "content-type", "cache-control", "accept-ranges", "content-length",
            "body",
        }),
        ("HEAD", f"/v2/shared/app/blobs/{LAYER}", {}, {"docker-content-digest", "etag", "content-length"}),
        ("GET", f"/v2/shared/app/blobs/{LAYER}", {"Range": "bytes=1-3"}, {"content-range", "body"}),
        ("GET", f"/v2/shared/app/blobs/{LAYER}", {"Range": "bytes=-2"}, {"content-range", "body"}),
        # not a range that is not there: docker-registry announces the blob's length with 416, and sends less
        ("GET", f"/v2/shared/app/blobs/{LAYER}", {"If-None-Match": f'"{LAYER}"'}, set()),
        ("GET", f"/v2/shared/app/blobs/{NOBODYS}", {}, set()),
        ("GET", f"/v2/shared/nobody/blobs/{LAYER}", {}, set()),
        ("DELETE", f"/v2/shared/app/blobs/{NOBODYS}", {}, set()),
    ],
)  # fmt: skip
def test_answers_are_the_same(
    both: tuple[Client, Client], method: str, path: str, headers: dict[str, str], compared: set[str]
) -> None:
    theirs, ours = (client.send(method, path, headers=headers) for client in both)
    assert ours.status == theirs.status
    assert ours.oci_code == theirs.oci_code
    for name in compared - {"body"}:
        assert ours.headers.get(name) == theirs.headers.get(name), name
    if "body" in compared:
        assert ours.body.strip() == theirs.body.strip()


def test_uploads_go_the_same_way(both: tuple[Client, Client]) -> None:
    """As docker's client does it: POST, one stream in a PATCH, PUT."""
    content = b"x" * 100_000
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    for client in both:
        begun = client.send("POST", "/v2/shared/app/blobs/uploads/")
        assert (begun.status, begun.headers["range"]) == (202, "0-0")
        assert begun.headers["docker-upload-uuid"] in begun.headers["location"]
        patched = client.send("PATCH", client.location(begun), content)
        assert (patched.status, patched.headers["range"]) == (202, "0-99999")
        state = client.send("GET", client.location(patched))
        assert (state.status, state.headers["range"]) == (204, "0-99999")
        ended = client.send("PUT", _ended(client.location(patched), digest))
        assert (ended.status, ended.headers["docker-content-digest"]) == (201, digest)
        assert client.location(ended) == f"/v2/shared/app/blobs/{digest}"


def test_mounts_go_the_same_way(both: tuple[Client, Client]) -> None:
    for client in both:
        path = f"/v2/shared/mounted/blobs/uploads/?mount={LAYER}&from=shared/app"
        mounted = client.send("POST", path)
        assert (mounted.status, mounted.headers["docker-content-digest"]) == (201, LAYER)
        assert client.location(mounted) == f"/v2/shared/mounted/blobs/{LAYER}"
        client.begin("shared/mounted", f"?mount={NOBODYS}&from=shared/app")


def test_refusals_are_the_same(both: tuple[Client, Client]) -> None:
    def refusal(answer: Answer) -> tuple[int, str]:
        return answer.status, answer.oci_code

    def manifest(client: Client, reference: str, content: bytes) -> Answer:
        path = f"/v2/shared/app/manifests/{reference}"
        return client.send("PUT", path, content, {"Content-Type": DOCKER_IMAGE})

    found = [
        [
            refusal(client.send("PUT", _ended(client.begin("shared/app"), NOBODYS), b"x")),
            refusal(client.send("PUT", _ended(client.begin("shared/app"), "sha256:x"), b"x")),
            refusal(client.send("PUT", client.begin("shared/app"), b"x")),
            refusal(manifest(client, "v2", _manifest(b"absent"))),
            refusal(manifest(client, NOBODYS, MANIFEST)),
            refusal(manifest(client, "v2", b"{")),
        ]
        for client in both
    ]
    assert found[1] == found[0]
    assert found[1] == [
        (400, "DIGEST_INVALID"),
        (400, "DIGEST_INVALID"),
        (400, "DIGEST_INVALID"),
        (400, "MANIFEST_BLOB_UNKNOWN"),
        (400, "DIGEST_INVALID"),
        (400, "MANIFEST_INVALID"),
    ]


def test_pages_are_the_same(both: tuple[Client, Client]) -> None:
    """Distribution 2.8 has pages of its catalog only."""
    for client in both:
        for name in ("pages/a", "pages/b", "pages/c"):
            client.push(name, b"{}")
            client.push(name, b"layer")
            client.send("PUT", f"/v2/{name}/manifests/v1", MANIFEST, {"Content-Type": DOCKER_IMAGE})
    theirs, ours = (client.send("GET", "/v2/_catalog?n=2&last=pages/") for client in both)
    assert (
        json.loads(ours.body) == json.loads(theirs.body) == {"repositories": ["pages/a", "pages/b"]}
    )
    assert ours.headers["link"].partition(">")[2] == theirs.headers["link"].partition(">")[2]
    following = re.match("<([^>]*)>", ours.headers["link"])
    assert following
    answer = both[1].send("GET", following[1])
    assert json.loads(answer.body)["repositories"][0] == "pages/c"


def test_deletes_go_the_same_way(both: tuple[Client, Client]) -> None:
    for client in both:
        assert client.send("DELETE", f"/v2/shared/app/manifests/{DIGEST}").status == 202
        assert client.send("GET", "/v2/shared/app/manifests/v1", headers=ACCEPT).status == 404
        assert client.send("DELETE", f"/v2/shared/app/blobs/{LAYER}").status == 202
        assert client.send("GET", f"/v2/shared/app/blobs/{LAYER}").status == 404
