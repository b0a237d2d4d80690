"""The registry that we host, on a folder, called without sockets; and small images to push into it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from countermark.adapters.blob_store import BlobStore
from countermark.adapters.blob_uploads import UploadStore
from countermark.adapters.manifest_store import ManifestStore
from countermark.core.digest import Digest
from countermark.core.errors import Code, InputError
from countermark.core.ports_hosting import FileRange, Handler, Request, Response
from countermark.services.registry.routes import registry
from countermark.services.registry.stores import Stores

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Body:
    """A request's body in pieces; it breaks off at the end when told so."""

    def __init__(self, pieces: Iterable[bytes] = (), breaks: Exception | None = None) -> None:
        self._pieces, self._breaks = pieces, breaks

    def chunks(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._breaks is not None:
            raise self._breaks

    def read(self, max_bytes: int) -> bytes:
        content = b"".join(self.chunks())
        if len(content) > max_bytes:
            raise InputError("too long", code=Code.TOO_LARGE)
        return content


class Answer:
    """A response, with its body read."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.pairs = [(name.lower(), value) for name, value in response.headers]
        self.headers = dict(self.pairs)
        if isinstance(response.body, FileRange):
            with Path(response.body.path).open("rb") as file:
                file.seek(response.body.start)
                self.body = file.read(response.body.length)
        else:
            self.body = cast(bytes, response.body)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def oci_code(self) -> str:
        """The spec's word for what was refused."""
        [error] = self.json["errors"]
        assert set(error) <= {"code", "message", "detail"}
        return cast(str, error["code"])

    @property
    def refusal(self) -> tuple[int, str]:
        return self.status, self.oci_code


class HostedRegistry:
    """A registry to be called; each instance on the same folder is a restart."""

    def __init__(self, root: str, *, accept_sparse: bool = False) -> None:
        self.root = root
        self.blobs = BlobStore(root)
        self.uploads = UploadStore(root, self.blobs)
        self.manifests = ManifestStore(root)
        self.logged: list[str] = []
        self.handler: Handler = registry(
            Stores(
                blobs=self.blobs,
                uploads=self.uploads,
                manifests=self.manifests,
                tags=self.manifests,
                accept_sparse=accept_sparse,
            ),
            self.logged.append,
        )

    def call(
        self,
        method: str,
        path: str,
        content: bytes | Body = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        path, _, query = path.partition("?")
        body = content if isinstance(content, Body) else Body([content] if content else [])
        request = Request(
            method=method, path=path, query=query, headers=dict(headers or {}), body=body
        )
        return Answer(self.handler(request))

    def push_blob(self, name: str, content: bytes, algorithm: str = "sha256") -> Digest:
        digest = Digest.of(content, algorithm)
        answer = self.call("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", content)
        assert answer.status == 201, answer.body
        return digest

    def push_manifest(
        self, name: str, reference: str, manifest: bytes, media_type: str = IMAGE
    ) -> Answer:
        return self.call(
            "PUT", f"/v2/{name}/manifests/{reference}", manifest, {"content-type": media_type}
        )

    def push_image(self, name: str, tag: str, text: str = "layer", **members: Any) -> Digest:
        """Push a small image, all of it."""
        layer = text.encode()
        self.push_blob(name, b"{}")
        self.push_blob(name, layer)
        manifest = image(layer, **members)
        answer = self.push_manifest(name, tag, manifest, members.get("mediaType", IMAGE))
        assert answer.status == 201, answer.body
        return Digest.of(manifest)


def descriptor(content: bytes, media_type: str, algorithm: str = "sha256") -> dict[str, Any]:
    return {
        "mediaType": media_type,
        "digest": str(Digest.of(content, algorithm)),
        "size": len(content),
    }


def image(*layers: bytes, **members: Any) -> bytes:
    """An image manifest whose config is ``{}``."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": descriptor(b"{}", CONFIG),
            "layers": [descriptor(layer, LAYER) for layer in layers],
            **members,
        }
    ).encode()


def index(*children: bytes, **members: Any) -> bytes:
    """An index of image manifests."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [descriptor(child, IMAGE) for child in children],
            **members,
        }
    ).encode()
