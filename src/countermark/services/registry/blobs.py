"""Blobs: pull, look, delete."""

from countermark.core.digest import Digest
from countermark.core.ports_hosting import FileRange, Request, Response, StoredBlob
from countermark.services.registry import words
from countermark.services.registry.errors import ApiError
from countermark.services.registry.stores import Stores


def get(stores: Stores, request: Request, name: str, rest: str) -> Response:
    """Answer with a blob or a range of it (distribution-spec, pulling blobs)."""
    digest, blob = _find(stores, name, rest)
    if words.matches_etag(request.headers.get("if-none-match"), digest):
        return Response(status=304, headers=_headers(digest))
    wanted = None
    if request.headers.get("if-range") in (None, _etag(digest)):
        wanted = words.byte_range(request.headers.get("range"), blob.size)
    if wanted is None:
        body = FileRange(path=blob.path, start=0, length=blob.size)
        return Response(status=200, headers=_headers(digest), body=body)
    start, length = wanted
    place = ("Content-Range", f"bytes {start}-{start + length - 1}/{blob.size}")
    body = FileRange(path=blob.path, start=start, length=length)
    return Response(status=206, headers=(*_headers(digest), place), body=body)


def head(stores: Stores, _request: Request, name: str, rest: str) -> Response:
    """Say whether a blob is there, and how long it is; who asks before a push may then leave it out."""
    digest, blob = _find(stores, name, rest)
    stores.blobs.keep(name, digest)
    return Response(status=200, headers=(*_headers(digest), ("Content-Length", str(blob.size))))


def delete(stores: Stores, _request: Request, name: str, rest: str) -> Response:
    """Take a blob out of this repository; others keep theirs."""
    digest = words.digest_of(rest)
    if not stores.blobs.remove(name, digest):
        raise _unknown(digest)
    return Response(status=202, headers=(("Docker-Content-Digest", str(digest)),))


def _find(stores: Stores, name: str, rest: str) -> tuple[Digest, StoredBlob]:
    digest = words.digest_of(rest)
    blob = stores.blobs.find(name, digest)
    if blob is None:
        raise _unknown(digest)
    return digest, blob


def _unknown(digest: Digest) -> ApiError:
    return ApiError(404, "BLOB_UNKNOWN", "blob unknown to registry", detail={"digest": str(digest)})


def _etag(digest: Digest) -> str:
    return f'"{digest}"'


def _headers(digest: Digest) -> tuple[tuple[str, str], ...]:
    return (
        ("Content-Type", "application/octet-stream"),
        ("Docker-Content-Digest", str(digest)),
        ("ETag", _etag(digest)),
        ("Accept-Ranges", "bytes"),
        ("Cache-Control", "max-age=31536000"),  # it never changes; distribution says so too
    )
