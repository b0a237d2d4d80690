"""Referrers: the manifests that name a subject (distribution-spec, listing referrers)."""

from collections.abc import Sequence

from countermark.core import limits
from countermark.core.ports_hosting import Request, Response
from countermark.formats import strict_json
from countermark.formats.oci import OCI_INDEX
from countermark.services.registry import words
from countermark.services.registry.stores import Stores

_HEAD = b'{"schemaVersion":2,"mediaType":"' + OCI_INDEX.encode() + b'","manifests":['
_TAIL = b"]}\n"
_ROOM = limits.MANIFEST_BYTES - len(_HEAD) - len(_TAIL)  # clients read no more of an index


def get(stores: Stores, request: Request, name: str, rest: str) -> Response:
    """List the referrers of a digest, which need not exist; never 404."""
    subject = words.digest_of(rest)
    query = words.Query(request.query)
    wanted = query.one("artifactType")
    entries = stores.manifests.referrers(name, subject)
    headers = [("Content-Type", OCI_INDEX)]
    if wanted:
        wanted = wanted.replace(" ", "+")  # no media type has a space: a plus that was not escaped
        entries = [entry for entry in entries if _member(entry, "artifactType") == wanted]
        headers.append(("OCI-Filters-Applied", "artifactType"))
    page, after = _page(entries, query.one("last"))
    if after:
        more = {"artifactType": wanted} if wanted else {}
        headers.append(words.next_link(f"/v2/{name}/referrers/{subject}", last=after, **more))
    return Response(status=200, headers=tuple(headers), body=_HEAD + b",".join(page) + _TAIL)


def _page(entries: Sequence[bytes], last: str | None) -> tuple[list[bytes], str]:
    """The entries that fit into one index, and the digest of the last one if more follow.

    Entries are in the order of their digests.
    """
    page: list[bytes] = []
    room = _ROOM
    for entry in entries:
        if last is not None and _member(entry, "digest") <= last:
            continue
        room -= len(entry) + 1
        if room < 0 and page:
            return page, _member(page[-1], "digest")
        page.append(entry)
    return page, ""


def _member(entry: bytes, name: str) -> str:
    reader = strict_json.Reader(strict_json.parse(entry, max_bytes=2 * limits.MANIFEST_BYTES))
    return reader.text(name) if reader.has(name) else ""
