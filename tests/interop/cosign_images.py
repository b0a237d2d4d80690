"""Images in both kinds of registry, somebody with the real cosign, and ours at the other end."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from countermark.adapters import process
from countermark.adapters.conditions import CelConditions
from countermark.adapters.credentials import Logins
from countermark.adapters.docker_config import CaFolders
from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_tls import SystemRoots
from countermark.adapters.registry import RegistryClient
from countermark.adapters.registry_auth import Authenticator
from countermark.adapters.registry_map import RegistryMap
from countermark.core.digest import Digest
from countermark.core.errors import ConfigError
from countermark.core.reference import ImageReference
from countermark.engine import Engine
from countermark.formats import oci
from countermark.formats.trusted_root import TrustedRoot
from countermark.policy.model import Decision, Policy
from countermark.policy.parse import parse
from countermark.schemes.cosign.verifier import CosignVerifier
from interop.cosign_peers import Cosign
from interop.peers import OurServer, Registry
from interop.processes import Outcome
from world import NOW


class NoRoots:
    def trusted_root(self, name: str) -> TrustedRoot:
        raise ConfigError(f"no trusted root is configured ({name!r})")


class Place(NamedTuple):
    """A registry with an image: cosign's way there, and ours."""

    address: str
    client: RegistryClient
    environment: dict[str, str]
    has_api: bool


@contextmanager
def _client(roots: SystemRoots) -> Iterator[RegistryClient]:
    http = HttpClient(roots)
    try:
        yield RegistryClient(
            Authenticator(http, Logins((), process.run)), RegistryMap(), CaFolders(())
        )
    finally:
        http.close()


def client_for(ca: Path) -> AbstractContextManager[RegistryClient]:
    """A registry client that believes one CA."""
    return _client(SystemRoots(file=str(ca)))


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    server = OurServer(tmp_path_factory.mktemp("open"), "--allow-anonymous-write")
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(params=["docker-registry", "countermark-serve"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A registry without the referrers API, and ours that has it."""
    if request.param == "docker-registry":
        registry = request.getfixturevalue("registry")
        assert isinstance(registry, Registry)
        address, roots, environment = registry.address, SystemRoots(folders=("/nonexistent",)), {}
    else:
        server = request.getfixturevalue("open_server")
        assert isinstance(server, OurServer)
        address, roots = server.address, SystemRoots(file=str(server.ca))
        environment = {"SSL_CERT_FILE": str(server.ca)}
    with _client(roots) as client:
        yield Place(address, client, environment, request.param != "docker-registry")


class Image(NamedTuple):
    """An image in a registry, somebody with cosign, and us."""

    place: Place
    reference: str
    digest: Digest
    cosign: Cosign

    def run(self, *words: str | Path) -> Outcome:
        return self.cosign(*words, environment=self.place.environment)

    def verify(self, policy: str, reference: str = "") -> Decision:
        """Verify it under a policy whose files are cosign's."""

        def read(path: str) -> bytes | None:
            file = self.cosign.folder / path
            return file.read_bytes() if file.exists() else None

        layer = parse(f"version: 1\n{policy}".encode(), file="policy.yaml", read_file=read)
        rules = Policy(layers=(layer,))
        verifier = CosignVerifier(
            self.place.client,
            NoRoots(),
            place_of=rules.signatures_of,
            conditions=CelConditions(),
        )
        engine = Engine(self.place.client, {"cosign": verifier}, rules, lambda: NOW)
        return engine.verify(ImageReference.parse(reference or self.reference))


def push(client: RegistryClient, address: str, path: str, text: str) -> Digest:
    where = ImageReference.parse(f"{address}/{path}").repository
    layer, config = (
        text.encode(),
        b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}',
    )
    parts = []
    for content, kind in (
        (config, "application/vnd.oci.image.config.v1+json"),
        (layer, "application/vnd.oci.image.layer.v1.tar"),
    ):
        digest = Digest.of(content)
        client.put_blob(where, digest, len(content), iter((content,)))
        parts.append({"mediaType": kind, "digest": str(digest), "size": len(content)})
    manifest = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": parts[0],
        "layers": parts[1:],
    }
    return client.put_manifest(where, "v1", oci.OCI_MANIFEST, json.dumps(manifest).encode())  # fmt: skip


@pytest.fixture
def make_image(place: Place, cosign: Cosign, slug: str) -> Callable[[str], Image]:
    """Push images that no other test has."""

    def image(name: str) -> Image:
        path = f"{slug}/{name}"
        digest = push(place.client, place.address, path, f"{slug} {name}")
        return Image(place, f"{place.address}/{path}:v1", digest, cosign)

    cosign("generate-key-pair").ok()
    return image
