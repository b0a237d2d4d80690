"""The words of a request to a registry: names, tags, digests, queries, ranges."""

import re
from urllib.parse import parse_qs, quote

from countermark.core.digest import Digest
from countermark.core.errors import InputError
from countermark.services.registry.errors import ApiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_NAME_CHARS = 255  # distribution/reference NameTotalLengthMax; also the longest name of a folder
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_PART = re.compile(r"([0-9]{1,15})-([0-9]{1,15})")
_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")
_QUERY_FIELDS = 256


def name_of(text: str) -> str:
    """Check the name of a repository (distribution-spec, pulling manifests).

    Raises:
        ApiError: NAME_INVALID.
    """
    if len(text) > _NAME_CHARS or not _NAME.fullmatch(text):
        raise ApiError(400, "NAME_INVALID", "invalid repository name", detail=text[:_NAME_CHARS])
    return text


def digest_of(text: str) -> Digest:
    """Read a digest, sha256 or sha512.

    Raises:
        ApiError: DIGEST_INVALID.
    """
    try:
        return Digest.parse(text)
    except InputError as error:
        raise ApiError(400, "DIGEST_INVALID", str(error), detail=text[:200]) from None


def tag_of(text: str) -> str:
    """Check a tag.

    Raises:
        ApiError: TAG_INVALID (a legacy code that the spec leaves to those who know it).
    """
    if not _TAG.fullmatch(text):
        raise ApiError(400, "TAG_INVALID", "invalid tag", detail=text[:200])
    return text


def reference_of(text: str) -> str | Digest:
    """Read what names a manifest: a digest (it has a colon) or a tag.

    Raises:
        ApiError: DIGEST_INVALID, TAG_INVALID.
    """
    return digest_of(text) if ":" in text else tag_of(text)


class Query:
    """The parameters of a request."""

    __slots__ = ("_values",)

    def __init__(self, text: str) -> None:
        """Read them.

        Raises:
            ApiError: UNSUPPORTED, too many.
        """
        try:
            self._values = parse_qs(text, keep_blank_values=True, max_num_fields=_QUERY_FIELDS)
        except ValueError:
            raise ApiError(414, "UNSUPPORTED", "too many parameters") from None

    def one(self, name: str) -> str | None:
        """The first value of a parameter, None where it is not given."""
        return self._values.get(name, [None])[0]

    def all(self, name: str) -> list[str]:
        """All values of a parameter."""
        return self._values.get(name, [])

    def count(self, name: str, most: int, oci_code: str) -> int:
        """How many entries are asked for, at most (and by default) ``most``.

        Raises:
            ApiError: not a whole number from 0.
        """
        text = self.one(name)
        if text is None:
            return most
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            raise ApiError(400, oci_code, f"{name} is a whole number from 0", detail=text[:40])
        return min(int(text), most)


def next_link(path: str, **parameters: str) -> tuple[str, str]:
    """The header that leads to the next page (RFC 8288)."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    return "Link", f'<{path}?{query}>; rel="next"'


def part_of(content_range: str | None, content_length: str | None) -> int | None:
    """Where a part of an upload begins (Content-Range, as ``0-1023``), None where the client does not say.

    Raises:
        ApiError: BLOB_UPLOAD_INVALID, not of that form, or ending before it begins (416); SIZE_INVALID, not
            as long as the body says it is.
    """
    if content_range is None:
        return None
    found = _PART.fullmatch(content_range)
    if not found:
        raise ApiError(
            400, "BLOB_UPLOAD_INVALID", "Content-Range is <first>-<last>", detail=content_range[:80]
        )
    first, last = int(found[1]), int(found[2])
    if last < first:
        raise ApiError(
            416, "BLOB_UPLOAD_INVALID", "Content-Range ends before it begins", detail=content_range
        )
    if content_length is not None and content_length != str(last - first + 1):
        raise ApiError(400, "SIZE_INVALID", "Content-Length is not the length of Content-Range")
    return first


def byte_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Which bytes of a blob are wanted: (first, length), None for all of it (RFC 9110, 14).

    Several ranges are answered with the whole, as the RFC allows. As Go's ServeContent, and so distribution: a
    range that makes no sense is unsatisfiable rather than ignored, and an empty blob is whole in any range.

    Raises:
        ApiError: 416, no byte of it is there.
    """
    if text is None or not text.startswith("bytes=") or "," in text or size == 0:
        return None
    found = _RANGE.fullmatch(text.replace(" ", ""))
    first, last = (found[1], found[2]) if found else ("", "")
    if not first and last:  # the last so many
        length = min(int(last), size)
        if length:
            return size - length, length
    elif first and int(first) < size:
        end = min(int(last), size - 1) if last else size - 1
        if int(first) <= end:
            return int(first), end - int(first) + 1
    raise ApiError(
        416,
        "BLOB_UNKNOWN",
        "the blob has no such bytes",
        detail=text[:80],
        headers=(("Content-Range", f"bytes */{size}"),),
    )


def check_conditions(headers: "Mapping[str, str]", now: Digest | None) -> None:
    """Refuse to move a tag that does not mean what a client believes that it means.

    Raises:
        ApiError: 412.
    """
    demanded, excluded = headers.get("if-match"), headers.get("if-none-match")
    lost = demanded is not None and (now is None or not matches_etag(demanded, now))
    if lost or (now is not None and matches_etag(excluded, now)):
        raise ApiError(
            412, "MANIFEST_INVALID", "the tag means another manifest by now", detail=str(now or "")
        )


def matches_etag(condition: str | None, digest: Digest) -> bool:
    """Say whether If-None-Match names what the client would get; quotes may be missing, as docker sends them."""
    if condition is None:
        return False
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in condition.split(",")]
    return "*" in tags or str(digest) in tags
