"""Lists: the tags of a repository, the repositories of the registry."""

from collections.abc import Sequence

from countermark.core import limits
from countermark.core.ports_hosting import Request, Response
from countermark.formats import strict_json
from countermark.services.registry import words
from countermark.services.registry.errors import ApiError, Headers
from countermark.services.registry.stores import Stores

_JSON = ("Content-Type", "application/json; charset=utf-8")


def tags(stores: Stores, request: Request, name: str, _rest: str) -> Response:
    """List tags in the order of bytes, by pages (distribution-spec, listing tags)."""
    query = words.Query(request.query)
    count = query.count("n", limits.TAG_PAGE, "UNSUPPORTED")
    found = stores.tags.tags(name)
    if found is None:
        raise ApiError(404, "NAME_UNKNOWN", "repository name not known to registry", detail=name)
    page, link = _page(f"/v2/{name}/tags/list", found, query.one("last"), count)
    return Response(
        status=200,
        headers=(_JSON, *link),
        body=strict_json.compact({"name": name, "tags": page}) + b"\n",
    )


def catalog(stores: Stores, request: Request, _name: str, _rest: str) -> Response:
    """List repositories; distribution's API, which the spec does not have."""
    query = words.Query(request.query)
    count = query.count("n", limits.TAG_PAGE, "PAGINATION_NUMBER_INVALID")
    page, link = _page("/v2/_catalog", stores.tags.repositories(), query.one("last"), count)
    return Response(
        status=200,
        headers=(_JSON, *link),
        body=strict_json.compact({"repositories": page}) + b"\n",
    )


def _page(
    path: str, entries: Sequence[str], last: str | None, count: int
) -> tuple[list[str], Headers]:
    """The entries after ``last``, and the way to those after them; ``last`` itself need not exist any more."""
    rest = entries if last is None else [entry for entry in entries if entry > last]
    page = list(rest[:count])
    if not page or len(page) == len(rest):
        return page, ()
    return page, (words.next_link(path, last=page[-1], n=str(count)),)
