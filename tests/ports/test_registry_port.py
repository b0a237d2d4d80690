"""Registry, BlobSource and RegistryWriter: laws that each registry of ours keeps.

``REGISTRIES`` names those that are held to them; a fake that stands in for a registry belongs there too.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

import pytest

from countermark.adapters.docker_config import CaFolders
from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_tls import SystemRoots
from countermark.adapters.registry import RegistryClient
from countermark.adapters.registry_auth import Authenticator
from countermark.adapters.registry_map import RegistryMap
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    InputError,
    NotFoundError,
    RefusedError,
)
from countermark.core.ports import BlobSource, Registry, RegistryWriter
from countermark.core.ports_hosting import Request
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.formats import oci
from hosted_registry import Answer, Body, HostedRegistry
from servers import Asked, Server, answer, handling

if TYPE_CHECKING:
    from countermark.schemes.cosign.find import SignatureStore

    class Whole(Registry, BlobSource, RegistryWriter, SignatureStore, Protocol):
        """A registry that can be read and written; ports are no protocols at run time."""


class NoLogins:
    def login_for(self, registry: str, path: str = "") -> None:
        return None


def over_http(hosted: HostedRegistry) -> Callable[[Asked], bytes]:
    def handle(asked: Asked) -> bytes:
        path, _, query = asked.target.partition("?")
        headers = {name.lower(): value for name, value in asked.headers}
        body = Body([asked.body])
        request = Request(
            method=asked.method, path=unquote(path), query=query, headers=headers, body=body
        )
        found = Answer(hosted.handler(request))
        fields = [pair for pair in found.pairs if pair[0] != "content-length"]
        length = found.headers.get("content-length", str(len(found.body)))
        whole = answer(found.status, b"", [*fields, ("Content-Length", length)], length=False)
        return whole if asked.method == "HEAD" else whole + found.body

    return handle


@contextmanager
def client_of_our_server(folder: Path) -> "Iterator[tuple[Whole, Repository]]":
    hosted = HostedRegistry(str(folder))
    http = HttpClient(SystemRoots(folders=("/nonexistent",)), pause=lambda _: None)
    with Server(handling(over_http(hosted))) as server:
        client = RegistryClient(
            Authenticator(http, NoLogins()),  # type: ignore[arg-type]
            RegistryMap(),
            CaFolders(()),
            whole_bytes=1000,
            chunk_bytes=400,
        )
        # the server speaks no TLS, which the client is told here as it would find out
        client._requests._schemes[server.address] = "http"
        yield client, Repository(registry=server.address, path="team/app")
        http.close()


Maker = Callable[[Path], AbstractContextManager[tuple["Whole", Repository]]]
REGISTRIES: tuple[Maker, ...] = (client_of_our_server,)


@pytest.fixture(params=REGISTRIES, ids=lambda maker: maker.__name__)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[tuple[Whole, Repository]]":
    with request.param(tmp_path / "registry") as found:
        yield found


def put(registry: "Whole", repository: Repository, content: bytes) -> Digest:
    digest = Digest.of(content)
    registry.put_blob(repository, digest, len(content), iter((content[:3], content[3:])))
    return digest


def image(registry: "Whole", repository: Repository, text: str) -> bytes:
    config, layer = f"config {text}".encode(), f"layer {text}".encode()
    parts = [
        {"mediaType": "x/y", "digest": str(put(registry, repository, part)), "size": len(part)}
        for part in (config, layer)
    ]
    document = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": parts[0],
        "layers": parts[1:],
    }
    return json.dumps(document).encode()


def tagged(repository: Repository, tag: str) -> ImageReference:
    return ImageReference(repository=repository, tag=tag)


def test_what_was_put_is_what_is_found(place: "tuple[Whole, Repository]") -> None:
    registry, repository = place
    content = image(registry, repository, "one")
    digest = registry.put_manifest(repository, "v1", oci.OCI_MANIFEST, content)
    assert digest == Digest.of(content)
    assert registry.resolve(tagged(repository, "v1")) == Subject(
        repository=repository,
        digest=digest,
        tag="v1",
        size=len(content),
        media_type=oci.OCI_MANIFEST,
    )
    assert registry.manifest(repository, digest) == (content, oci.OCI_MANIFEST)


def test_a_digest_resolves_to_itself(place: "tuple[Whole, Repository]") -> None:
    registry, repository = place
    content = image(registry, repository, "one")
    digest = registry.put_manifest(repository, "v1", oci.OCI_MANIFEST, content)
    found = registry.resolve(ImageReference(repository=repository, digest=digest))
    assert (found.digest, found.tag) == (digest, None)


def test_a_tag_moves_and_its_digests_stay(place: "tuple[Whole, Repository]") -> None:
    registry, repository = place
    contents = [image(registry, repository, text) for text in ("one", "two")]
    digests = [registry.put_manifest(repository, "v1", oci.OCI_MANIFEST, each) for each in contents]
    assert registry.resolve(tagged(repository, "v1")).digest == digests[1]
    assert [registry.manifest(repository, each)[0] for each in digests] == contents


def test_what_is_not_there_is_not_found(place: "tuple[Whole, Repository]") -> None:
    registry, repository = place
    missing = Digest.of(b"missing")
    for ask in (
        lambda: registry.resolve(tagged(repository, "missing")),
        lambda: registry.resolve(ImageReference(repository=repository, digest=missing)),
        lambda: registry.manifest(repository, missing),
        lambda: list(registry.open_blob(repository, missing, 7)),
    ):
        with pytest.raises(NotFoundError) as caught:
            ask()
        assert caught.value.code == Code.NOT_FOUND
    assert not registry.has_blob(repository, missing)


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 5000])
def test_blobs_come_back(place: "tuple[Whole, Repository]", size: int) -> None:
    registry, repository = place
    content = bytes(i % 251 for i in range(size))
    digest = put(registry, repository, content)
    assert registry.has_blob(repository, digest)
    assert b"".join(registry.open_blob(repository, digest, size)) == content


@pytest.mark.parametrize("size", [3, 5])
def test_a_blob_of_another_size_is_refused(place: "tuple[Whole, Repository]", size: int) -> None:
    registry, repository = place
    digest = put(registry, repository, b"four")
    with pytest.raises(EvidenceError) as caught:
        list(registry.open_blob(repository, digest, size))
    assert caught.value.code in (Code.CHECKSUM, Code.TOO_LARGE)


@pytest.mark.parametrize("size", [10, 2000])
def test_a_blob_that_is_another_is_not_kept(place: "tuple[Whole, Repository]", size: int) -> None:
    registry, repository = place
    digest = Digest.of(b"x" * size)
    with pytest.raises(CountermarkError) as caught:
        registry.put_blob(repository, digest, size, iter((b"y" * size,)))
    assert isinstance(caught.value, EvidenceError | RefusedError | InputError)
    assert not registry.has_blob(repository, digest)


def test_blobs_are_read_more_than_once(place: "tuple[Whole, Repository]") -> None:
    registry, repository = place
    digest = put(registry, repository, b"again")
    for _ in range(2):
        assert b"".join(registry.open_blob(repository, digest, 5)) == b"again"


def test_repositories_are_apart(place: "tuple[Whole, Repository]") -> None:
    registry, repository = place
    content = image(registry, repository, "one")
    digest = registry.put_manifest(repository, "v1", oci.OCI_MANIFEST, content)
    other = repository.replace(path="team/other")
    with pytest.raises(NotFoundError):
        registry.manifest(other, digest)


# What signatures are read with ------------------------------------------------------------------------


def test_what_a_tag_points_to_comes_whole(place: "tuple[Whole, Repository]") -> None:
    registry, repository = place
    content = image(registry, repository, "tagged")
    registry.put_manifest(repository, "sha256-ab.sig", oci.OCI_MANIFEST, content)
    assert registry.tagged(repository, "sha256-ab.sig") == (content, oci.OCI_MANIFEST)
    with pytest.raises(NotFoundError):
        registry.tagged(repository, "sha256-ab.att")


def test_a_small_blob_comes_whole_and_checked(place: "tuple[Whole, Repository]") -> None:
    registry, repository = place
    digest = put(registry, repository, b"a small blob")
    assert registry.blob(repository, digest, 12) == b"a small blob"
    for size, code in ((11, Code.TOO_LARGE), (13, Code.CHECKSUM)):
        with pytest.raises(EvidenceError) as caught:
            registry.blob(repository, digest, size)
        assert caught.value.code == code
    with pytest.raises(NotFoundError):
        registry.blob(repository, Digest.of(b"another"), 7)


def test_several_at_once_are_what_each_is_alone(place: "tuple[Whole, Repository]") -> None:
    registry, repository = place
    contents = [image(registry, repository, str(number)) for number in range(20)]
    digests = [registry.put_manifest(repository, "v1", oci.OCI_MANIFEST, each) for each in contents]
    blobs = [b"blob %d" % number for number in range(20)]
    wanted = [(put(registry, repository, each), len(each)) for each in blobs]
    missing = Digest.of(b"missing")
    registry.resolve(tagged(repository, "v1"))
    for at_once in (1, 3):
        said = [(digest, 1000) for digest in (*digests, missing)]
        *manifests, none = registry.many_manifests(repository, said, at_once)
        assert manifests == [(each, oci.OCI_MANIFEST) for each in contents]
        assert isinstance(none, NotFoundError)
        nothing, *found = registry.many_blobs(repository, [(missing, 7), *wanted], at_once)
        assert found == blobs
        assert isinstance(nothing, NotFoundError)
    assert list(registry.many_blobs(repository, [], 3)) == []


def test_referrers_are_listed(place: "tuple[Whole, Repository]") -> None:
    registry, repository = place
    content = image(registry, repository, "subject")
    digest = registry.put_manifest(repository, "v1", oci.OCI_MANIFEST, content)
    assert list(registry.referrers(repository, digest)) == []
    document = json.loads(image(registry, repository, "referrer"))
    document |= {"mediaType": oci.OCI_MANIFEST, "artifactType": "x/signature"}
    document["subject"] = {
        "mediaType": oci.OCI_MANIFEST,
        "digest": str(digest),
        "size": len(content),
    }
    raw = json.dumps(document).encode()
    referrer = registry.put_manifest(repository, str(Digest.of(raw)), oci.OCI_MANIFEST, raw)
    (found,) = registry.referrers(repository, digest)
    assert (found.digest, found.size, found.artifact_type) == (referrer, len(raw), "x/signature")
