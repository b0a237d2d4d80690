"""Which request goes to which part of the registry."""

from collections.abc import Callable, Mapping

from countermark.core.errors import CountermarkError
from countermark.core.ports_hosting import Handler, Request, Response
from countermark.services.registry import blobs, manifests, referrers, tags, uploads, words
from countermark.services.registry.errors import ApiError, answer_to, is_answered_here
from countermark.services.registry.stores import Stores

_Part = Callable[[Stores, Request, str, str], Response]

# on every answer of a registry: docker's client asks for it
_VERSION = ("Docker-Distribution-API-Version", "registry/2.0")


def _root(_stores: Stores, _request: Request, _name: str, _rest: str) -> Response:
    """Say that this is a registry (distribution-spec, determining support)."""
    return Response(status=200, headers=(("Content-Type", "application/json"),), body=b"{}")


_PARTS: Mapping[str, Mapping[str, _Part]] = {
    "root": {"GET": _root, "HEAD": _root},
    "catalog": {"GET": tags.catalog},
    "tags": {"GET": tags.tags},
    "referrers": {"GET": referrers.get},
    "manifests": {
        "GET": manifests.get,
        "HEAD": manifests.head,
        "PUT": manifests.put,
        "DELETE": manifests.delete,
    },
    "blobs": {"GET": blobs.get, "HEAD": blobs.head, "DELETE": blobs.delete},
    "uploads": {"POST": uploads.post},
    "upload": {
        "GET": uploads.get,
        "PATCH": uploads.patch,
        "PUT": uploads.put,
        "DELETE": uploads.delete,
    },
}


def registry(stores: Stores, log: Callable[[str], None]) -> Handler:
    """Make the handler of everything under ``/v2/``; ``log`` is told what our own disk refused."""

    def answer(request: Request) -> Response:
        try:
            response = _answer(stores, request)
        except CountermarkError as error:
            if not is_answered_here(error):
                raise
            response = answer_to(error)
            if response.status >= 500:
                log(f"registry: {request.method} {request.path[:300]!r}: {error}")
        if request.method == "HEAD" and isinstance(response.body, bytes) and response.body:
            length = ("Content-Length", str(len(response.body)))
            response = response.replace(headers=(*response.headers, length), body=b"")
        return response.replace(headers=(*response.headers, _VERSION))

    return answer


def _answer(stores: Stores, request: Request) -> Response:
    kind, name, rest = route(request.path)
    methods = _PARTS[kind]
    part = methods.get(request.method)
    if part is None:
        raise ApiError(
            405,
            "UNSUPPORTED",
            "the operation is unsupported",
            headers=(("Allow", ", ".join(sorted(methods))),),
        )
    return part(stores, request, name if kind in ("root", "catalog") else words.name_of(name), rest)


def route(path: str) -> tuple[str, str, str]:  # noqa: PLR0911 - one arm per kind of path
    """Split a path into the kind of thing, the repository's name and what is named in it.

    Names may have the words of the API as components (``team/blobs``), so paths are read from their end.

    Raises:
        ApiError: no such path (404).
    """
    match path.split("/")[1:]:
        case ["v2"] | ["v2", ""]:
            return "root", "", ""
        case ["v2", "_catalog"]:
            return "catalog", "", ""
        case ["v2", *name, "tags", "list"] if name:
            return "tags", "/".join(name), ""
        case ["v2", *name, ("manifests" | "referrers") as kind, rest] if name and rest:
            return kind, "/".join(name), rest
        case ["v2", *name, "blobs", "uploads"] | ["v2", *name, "blobs", "uploads", ""] if name:
            return "uploads", "/".join(name), ""
        case ["v2", *name, "blobs", "uploads", rest] if name:
            return "upload", "/".join(name), rest
        case ["v2", *name, "blobs", rest] if name and rest:
            return "blobs", "/".join(name), rest
    raise ApiError(404, "UNSUPPORTED", "no such path", detail=path[:300])
