"""Uploads of blobs: whole, in one stream, or in parts that go on where the last one ended.

There is no shortest part, so OCI-Chunk-Min-Length is not sent. Locations are paths, which are right behind any proxy.
"""

from countermark.core.digest import Digest
from countermark.core.errors import Code, InputError
from countermark.core.ports_hosting import Request, Response
from countermark.services.registry import words
from countermark.services.registry.errors import ApiError
from countermark.services.registry.stores import Stores

_ALGORITHMS = ("sha256", "sha512")


def post(stores: Stores, request: Request, name: str, _rest: str) -> Response:
    """Begin an upload; or mount a blob of another repository; or take a whole blob at once.

    Without ``from``, a mount takes the blob from whichever repository has it. That tells a client no more than it
    could find out by itself, since whoever may read here may read every repository.
    """
    query = words.Query(request.query)
    algorithm = query.one("digest-algorithm") or "sha256"
    mount = query.one("mount")
    if mount is not None:
        digest = words.digest_of(mount)
        source = query.one("from")
        if stores.blobs.mount(name, digest, words.name_of(source) if source else None):
            return _created(name, digest)
        algorithm = digest.algorithm  # not to be had: it will be sent
    whole = query.one("digest")
    if whole is not None and mount is None:
        digest = words.digest_of(whole)
        stores.uploads.take(name, request.body.chunks(), digest)
        return _created(name, digest)
    if algorithm not in _ALGORITHMS:
        raise ApiError(400, "DIGEST_INVALID", "unknown digest algorithm", detail=algorithm[:40])
    return _state(202, name, stores.uploads.begin(name, algorithm), 0)


def patch(stores: Stores, request: Request, name: str, upload: str) -> Response:
    """Append a part; without Content-Range wherever the last one ended, as docker's client sends it."""
    start = words.part_of(
        request.headers.get("content-range"), request.headers.get("content-length")
    )
    try:
        length = stores.uploads.receive(name, upload, request.body.chunks(), start)
    except InputError as error:
        raise _with_state(stores, name, upload, error) from None
    return _state(202, name, upload, length)


def put(stores: Stores, request: Request, name: str, upload: str) -> Response:
    """End an upload, perhaps with a last part; 201 once the blob is safe on disk."""
    text = words.Query(request.query).one("digest")
    if text is None:
        raise ApiError(400, "DIGEST_INVALID", "the parameter digest is missing")
    digest = words.digest_of(text)
    start = words.part_of(
        request.headers.get("content-range"), request.headers.get("content-length")
    )
    try:
        stores.uploads.finish(name, upload, request.body.chunks(), start, digest)
    except InputError as error:
        raise _with_state(stores, name, upload, error) from None
    return _created(name, digest)


def get(stores: Stores, _request: Request, name: str, upload: str) -> Response:
    """Say how much has come."""
    return _state(204, name, upload, stores.uploads.received(name, upload))


def delete(stores: Stores, _request: Request, name: str, upload: str) -> Response:
    """Forget an upload."""
    stores.uploads.cancel(name, upload)
    return Response(status=204, headers=(("Docker-Upload-UUID", upload),))


def _with_state(stores: Stores, name: str, upload: str, error: InputError) -> InputError:
    """Tell a client that sent the wrong part where to go on (distribution-spec, pushing a blob in chunks)."""
    if error.code != Code.OUT_OF_ORDER:
        return error
    state = _state(416, name, upload, stores.uploads.received(name, upload))
    return ApiError(416, "BLOB_UPLOAD_INVALID", str(error), headers=state.headers)


def _state(status: int, name: str, upload: str, length: int) -> Response:
    return Response(
        status=status,
        headers=(
            ("Location", f"/v2/{name}/blobs/uploads/{upload}"),
            # of nothing, too, distribution says 0-0
            ("Range", f"0-{max(length - 1, 0)}"),
            ("Docker-Upload-UUID", upload),
        ),
    )


def _created(name: str, digest: Digest) -> Response:
    return Response(
        status=201,
        headers=(
            ("Location", f"/v2/{name}/blobs/{digest}"),
            ("Docker-Content-Digest", str(digest)),
        ),
    )
