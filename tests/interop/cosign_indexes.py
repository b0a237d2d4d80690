"""Images for several platforms, beside those of ``cosign_images.py``."""

import json

from countermark.core.reference import ImageReference
from countermark.formats import oci
from interop.cosign_images import Image, push


def push_index(image: Image, platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64")) -> str:
    """Push an index with an image for each platform into an image's repository; the reference, by digest."""
    where = ImageReference.parse(image.reference).repository
    client = image.place.client
    children = []
    for platform in platforms:
        os, _, architecture = platform.partition("/")
        digest = push(client, where.registry, where.path, f"{where.path} for {platform}")
        content, media_type = client.manifest(where, digest)
        children.append(
            {
                "mediaType": media_type,
                "digest": str(digest),
                "size": len(content),
                "platform": {"os": os, "architecture": architecture},
            }
        )
    index = {"schemaVersion": 2, "mediaType": oci.OCI_INDEX, "manifests": children}
    found = client.put_manifest(where, "all", oci.OCI_INDEX, json.dumps(index).encode())
    return f"{where.registry}/{where.path}@{found}"
