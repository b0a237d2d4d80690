"""Tiny images, made here without a network: as a tar for ``docker import``, and as an OCI layout."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def tar(text: str) -> bytes:
    """A file system with one file that holds the text; the same bytes each time."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        member = tarfile.TarInfo("message.txt")
        member.size = len(text.encode())
        archive.addfile(member, io.BytesIO(text.encode()))
    return sink.getvalue()


def oci_layout(folder: Path, text: str) -> str:
    """Write an OCI layout of an image whose one file holds the text; returns the manifest's digest."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(content: bytes, media_type: str) -> dict[str, object]:
        name = hashlib.sha256(content).hexdigest()
        (blobs / name).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(content)}

    plain = tar(text)
    layer = blob(gzip.compress(plain, mtime=0), LAYER)
    config = blob(
        json.dumps(
            {
                "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/message.txt"]},
                "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]},
            }
        ).encode(),
        CONFIG,
    )  # fmt: skip
    manifest = blob(
        json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        ).encode(),
        MANIFEST,
    )
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    return str(manifest["digest"])
