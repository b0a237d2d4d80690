"""Manifests: pull, look, push under a tag or a digest, delete.

The bytes and the media type served are those pushed, whatever Accept says: a converted manifest would have another
digest than the signed one.
"""

from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.ports_hosting import Request, Response, StoredManifest
from countermark.services.registry import manifest_rules, words
from countermark.services.registry.errors import ApiError
from countermark.services.registry.manifest_rules import PushedManifest
from countermark.services.registry.stores import Stores


def get(stores: Stores, request: Request, name: str, rest: str) -> Response:
    """Answer with a manifest (distribution-spec, pulling manifests)."""
    manifest = _find(stores, name, words.reference_of(rest))
    if words.matches_etag(request.headers.get("if-none-match"), manifest.digest):
        return Response(status=304, headers=_headers(manifest))
    return Response(status=200, headers=_headers(manifest), body=manifest.content)


def head(stores: Stores, _request: Request, name: str, rest: str) -> Response:
    """Say whether a manifest is there, its digest, type and length."""
    manifest = _find(stores, name, words.reference_of(rest))
    length = ("Content-Length", str(len(manifest.content)))
    return Response(status=200, headers=(*_headers(manifest), length))


def put(stores: Stores, request: Request, name: str, rest: str) -> Response:
    """Store a manifest (distribution-spec, pushing manifests); 201 once it and its tags are safe on disk.

    By digest, ``tag`` parameters name tags to point to it. A tag is moved only if it means what If-Match and
    If-None-Match say (RFC 9110, 13.1), so that of two who change an index at once none loses what the other wrote.
    """
    reference = words.reference_of(rest)
    tags = _tags(request, reference)
    content = request.body.read(limits.MANIFEST_BYTES)
    digest = reference if isinstance(reference, Digest) else Digest.of(content)
    if not digest.matches(content):
        raise ApiError(400, "DIGEST_INVALID", "the manifest has another digest", detail=str(digest))
    pushed = manifest_rules.read(content, request.headers.get("content-type", ""))
    manifest = StoredManifest(digest=digest, media_type=pushed.media_type, content=content)
    referrer = None
    if pushed.subject is not None:
        referrer = pushed.subject, pushed.descriptor(digest, len(content))
    with stores.manifests.locked(name):
        if isinstance(reference, str):
            words.check_conditions(request.headers, stores.tags.tagged(name, reference))
        if not stores.accept_sparse:
            _check_complete(stores, name, pushed)
        stores.manifests.put(name, manifest, referrer)
        for tag in tags:
            stores.tags.tag(name, tag, digest)
    return _created(name, digest, pushed.subject, tags if reference == digest else ())


def delete(stores: Stores, _request: Request, name: str, rest: str) -> Response:
    """Remove a tag; or a manifest, with all tags that point to it."""
    reference = words.reference_of(rest)
    if stores.tags.tags(name) is None:  # no such repository: a lock would make its folder
        raise _unknown(rest)
    with stores.manifests.locked(name):
        if isinstance(reference, Digest):
            manifest = _find(stores, name, reference)
            subject = manifest_rules.subject_of(manifest.content)
            stores.manifests.remove(name, reference, subject)
        elif not stores.tags.untag(name, reference):
            raise _unknown(rest)
    return Response(status=202)


def _tags(request: Request, reference: str | Digest) -> tuple[str, ...]:
    if isinstance(reference, str):
        return (reference,)
    given = words.Query(request.query).all("tag")
    if len(given) > limits.TAGS_PER_PUSH:
        raise ApiError(414, "UNSUPPORTED", f"more than {limits.TAGS_PER_PUSH} tags")
    return tuple(words.tag_of(tag) for tag in given)


def _check_complete(stores: Stores, name: str, pushed: PushedManifest) -> None:
    """Refuse a manifest of which something is not in the repository; its subject may come later."""
    missing = [d for d in pushed.blobs if stores.blobs.find(name, d) is None]
    missing += [
        d
        for d in pushed.manifests
        # buildkit's cache is an index of layers
        if not stores.manifests.has(name, d) and stores.blobs.find(name, d) is None
    ]
    if missing:
        raise ApiError(
            400,
            "MANIFEST_BLOB_UNKNOWN",
            "the manifest names what is not in this repository",
            detail=[{"digest": str(d)} for d in missing[:100]],
        )


def _find(stores: Stores, name: str, reference: str | Digest) -> StoredManifest:
    digest = reference if isinstance(reference, Digest) else stores.tags.tagged(name, reference)
    manifest = stores.manifests.find(name, digest) if digest is not None else None
    if manifest is None:
        raise _unknown(str(reference))
    return manifest


def _unknown(reference: str) -> ApiError:
    return ApiError(404, "MANIFEST_UNKNOWN", "manifest unknown", detail={"reference": reference})


def _headers(manifest: StoredManifest) -> tuple[tuple[str, str], ...]:
    return (
        ("Content-Type", manifest.media_type),
        ("Docker-Content-Digest", str(manifest.digest)),
        ("ETag", f'"{manifest.digest}"'),
    )


def _created(name: str, digest: Digest, subject: Digest | None, tags: tuple[str, ...]) -> Response:
    headers = [
        ("Location", f"/v2/{name}/manifests/{digest}"),
        ("Docker-Content-Digest", str(digest)),
    ]
    if subject is not None:
        headers.append(("OCI-Subject", str(subject)))
    headers += [("OCI-Tag", tag) for tag in tags]
    return Response(status=201, headers=tuple(headers))
