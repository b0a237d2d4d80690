"""Our registry client with real registries: docker-registry, and skopeo at the other end; and a real trust server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from countermark.adapters import process
from countermark.adapters.credentials import Logins
from countermark.adapters.docker_config import CaFolders
from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_tls import SystemRoots
from countermark.adapters.notary import NotaryServers
from countermark.adapters.registry import RegistryClient
from countermark.adapters.registry_auth import Authenticator
from countermark.adapters.registry_map import RegistryMap
from countermark.core.digest import Digest
from countermark.core.errors import Code, NotFoundError, RefusedError, UnavailableError
from countermark.core.reference import ImageReference, Repository
from countermark.formats import oci
from interop import images
from interop.peers import BASE_ENVIRONMENT, Authority, NotaryServer, Registry
from interop.processes import find, run


@pytest.fixture
def authenticator() -> Iterator[Authenticator]:
    http = HttpClient(SystemRoots(folders=("/nonexistent",)))
    yield Authenticator(http, Logins((), process.run))
    http.close()


@pytest.fixture
def client(authenticator: Authenticator) -> RegistryClient:
    """A client whose blobs above 100,000 bytes go in chunks."""
    places, certificates = RegistryMap(), CaFolders(())
    return RegistryClient(
        authenticator, places, certificates, whole_bytes=100_000, chunk_bytes=70_000
    )


def repository(registry: Registry, path: str) -> Repository:
    return ImageReference.parse(f"{registry.address}/{path}").repository


def pushed(client: RegistryClient, where: Repository, layer: bytes, **more: object) -> bytes:
    config = b"{}"
    parts = []
    for content in (config, layer):
        digest = Digest.of(content)
        client.put_blob(where, digest, len(content), iter((content[:10], content[10:])))
        parts.append({"mediaType": "x/y", "digest": str(digest), "size": len(content)})
    document = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": parts[0],
        "layers": parts[1:],
    }
    return json.dumps(document | more).encode()


@pytest.mark.parametrize("size", [1, 100_000, 300_001])
def test_push_and_pull(client: RegistryClient, registry: Registry, size: int) -> None:
    where = repository(registry, f"client/round{size}")
    layer = bytes(i % 251 for i in range(size))
    content = pushed(client, where, layer)
    digest = client.put_manifest(where, "v1", oci.OCI_MANIFEST, content)
    assert client.resolve(ImageReference(repository=where, tag="v1")).digest == digest
    assert client.manifest(where, digest) == (content, oci.OCI_MANIFEST)
    assert b"".join(client.open_blob(where, Digest.of(layer), size)) == layer
    assert list(client.tags(where)) == ["v1"]


def test_what_skopeo_pushes_we_pull(
    client: RegistryClient, registry: Registry, tmp_path: Path
) -> None:
    images.oci_layout(tmp_path / "image", "for the client")
    name = f"{registry.address}/client/skopeo:v1"
    environment = BASE_ENVIRONMENT | {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    words = ["copy", "--dest-tls-verify=false", f"oci:{tmp_path}/image", f"docker://{name}"]
    run([find("skopeo"), "--insecure-policy", *words], environment, tmp_path).ok()
    subject = client.resolve(ImageReference.parse(name))
    content, media_type = client.manifest(subject.repository, subject.digest)
    for child in oci.children(content, media_type):
        found = client.open_blob(subject.repository, child.digest, child.size)
        assert len(b"".join(found)) == child.size


def test_referrers_without_the_api(client: RegistryClient, registry: Registry) -> None:
    where = repository(registry, "client/referrers")
    content = pushed(client, where, b"layer")
    digest = client.put_manifest(where, "v1", oci.OCI_MANIFEST, content)
    assert client.referrers(where, digest) == ()
    subject = {"mediaType": oci.OCI_MANIFEST, "digest": str(digest), "size": len(content)}
    for text in ("1", "2"):
        other = pushed(client, where, text.encode(), subject=subject, artifactType=f"test/{text}")
        client.put_manifest(where, str(Digest.of(other)), oci.OCI_MANIFEST, other)
    assert {each.artifact_type for each in client.referrers(where, digest)} == {"test/1", "test/2"}
    assert len(client.referrers(where, digest, "test/2")) == 1


def test_mount_and_delete(client: RegistryClient, registry: Registry) -> None:
    where = repository(registry, "client/mounted")
    source = repository(registry, "client/source")
    content = pushed(client, source, b"layer of the source")
    layer = Digest.of(b"layer of the source")
    assert client.mount_blob(where, layer, source)
    assert client.has_blob(where, layer)
    assert not client.mount_blob(where, Digest.of(b"nowhere"), source)
    digest = client.put_manifest(source, "v1", oci.OCI_MANIFEST, content)
    client.delete_manifest(source, str(digest))
    with pytest.raises(NotFoundError):
        client.manifest(source, digest)


def test_pages_of_tags(client: RegistryClient, registry: Registry) -> None:
    where = repository(registry, "client/tags")
    content = pushed(client, where, b"layer")
    for number in range(5):
        client.put_manifest(where, f"v{number}", oci.OCI_MANIFEST, content)
    assert sorted(client.tags(where)) == [f"v{number}" for number in range(5)]


def test_a_manifest_whose_parts_are_missing(client: RegistryClient, registry: Registry) -> None:
    where = repository(registry, "client/missing")
    missing = {"mediaType": "x/y", "digest": str(Digest.of(b"missing")), "size": 7}
    content = pushed(client, where, b"layer", layers=[missing])
    with pytest.raises(RefusedError) as caught:
        client.put_manifest(where, "v1", oci.OCI_MANIFEST, content)
    assert caught.value.status in (400, 404)


def test_what_is_not_there(client: RegistryClient, registry: Registry) -> None:
    with pytest.raises(NotFoundError, match="manifest unknown") as caught:
        client.resolve(ImageReference.parse(f"{registry.address}/client/none:v1"))
    assert caught.value.code == Code.NOT_FOUND


def test_a_real_trust_server(
    authenticator: Authenticator, notary: NotaryServer, authority: Authority, tmp_path: Path
) -> None:
    url = notary.url
    place = tmp_path / url.removeprefix("https://")
    place.mkdir()
    gun = "localhost:5000/client/app"
    where = ImageReference.parse(gun).repository
    with pytest.raises(UnavailableError, match="certificate signed by unknown authority"):
        NotaryServers(authenticator, CaFolders(()), url).server_for(where).fetch(gun, "root", 100)
    (place / "ca.crt").write_bytes(authority.ca.read_bytes())
    server = NotaryServers(authenticator, CaFolders((str(tmp_path),)), url).server_for(where)
    with pytest.raises(NotFoundError, match="root trust data unavailable"):
        server.fetch(gun, "root", 100)
    key = json.loads(server.server_key(gun, "timestamp"))
    assert key["keytype"] in ("ecdsa", "ed25519")
    with pytest.raises(RefusedError, match="no pre-existing root and no root provided") as caught:
        server.publish(gun, {"targets": b"{}"})
    assert caught.value.status == 400
    server.delete(gun)
