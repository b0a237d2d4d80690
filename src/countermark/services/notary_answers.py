"""What a Notary server answers: error bodies, headers, the changefeed (specs: notary v1, 4.2, 4.4, 4.9)."""

from collections.abc import Sequence
from datetime import UTC, datetime

from countermark.core.errors import CountermarkError
from countermark.core.ports_hosting import FeedEntry, HotAnswer, Response, StoredFile
from countermark.formats import strict_json
from countermark.services.notary_uploads import HIERARCHY, InvalidUpdateError

_MESSAGES = {
    "NO_FILENAME": (400, "No file/role name provided."),
    "INVALID_ROLE": (400, "The role you are attempting to operate on is invalid."),
    "MALFORMED_JSON": (400, "JSON sent by the client could not be parsed by the server"),
    "UPDATING": (500, "An error has occurred while updating the TUF repository."),
    "VERSION": (400, "A newer version of metadata is already available."),
    "METADATA_NOT_FOUND": (404, "You have requested metadata that does not exist."),
    "INVALID_UPDATE": (400, "Update sent by the client is invalid."),
    "MALFORMED_UPLOAD": (400, "The body of your request is malformed."),
    "NO_CRYPTOSERVICE": (500, "The server does not have a signing service configured."),
    "INVALID_GUN": (400, "The server does not support actions on images of this name."),
    "INVALID_PARAMETERS": (400, "The parameters provided are not valid."),
    "UNKNOWN": (500, "unknown error"),
    "UNAUTHORIZED": (401, "authentication required"),
}
_CLIENT_READS = 1024  # bytes of an error body, no more (specs: notary v1, 0.8)
_TEXT = "text/plain; charset=utf-8"  # what Go guesses for all JSON that is no error
_JSON = "application/json; charset=utf-8"
_CURRENT = "public, max-age=300, s-maxage=300, must-revalidate"
_FIXED = "public, max-age=2592000, s-maxage=2592000"
_EVERYWHERE = ((b"server", b"countermark"), (b"x-content-type-options", b"nosniff"))
_ABSENT = object()


def failure(
    code: str,
    detail: object = _ABSENT,
    *,
    status: int = 0,
    headers: tuple[tuple[str, str], ...] = (),
    problem: str = "",
) -> Response:
    """Make an error answer; ``problem`` is for our log."""
    usual, message = _MESSAGES[code]
    error: dict[str, object] = {"code": code, "message": message}
    if detail is not _ABSENT:
        error["detail"] = detail
    return Response(
        status=status or usual,
        headers=(("Content-Type", _JSON), *headers),
        body=strict_json.compact({"errors": [error]}) + b"\n",
        problem=problem,
    )


def invalid_update(error: InvalidUpdateError) -> Response:
    """Say why an update is refused, in so many bytes as clients read."""
    message = str(error)
    while True:
        found = {"Missing": "snapshot"} if error.kind == HIERARCHY else {}
        detail = {"Name": error.kind, "Error": found | {"Msg": message}}
        response = failure("INVALID_UPDATE", detail)
        over = len(response.body) - _CLIENT_READS if isinstance(response.body, bytes) else 0
        if over <= 0:
            return response
        message = message[: max(0, len(message) - max(over, 8) // 4 - 4)].rstrip() + "..."


def our_fault(code: str, error: CountermarkError) -> Response:
    """Say that something failed here, and no more."""
    return failure(code, problem=f"{error.code}: {error}")


def unauthorized(
    challenge: tuple[tuple[str, str], ...], gun: str, actions: Sequence[str]
) -> Response:
    """Ask for a login."""
    kind, name = ("repository", gun) if gun else ("registry", "catalog")
    wanted = [{"Type": kind, "Class": "", "Name": name, "Action": action} for action in actions]
    return failure("UNAUTHORIZED", wanted, headers=challenge)


def text(body: bytes) -> Response:
    """Answer with JSON that is no metadata; Go's server names it plain text."""
    return Response(status=200, headers=(("Content-Type", _TEXT),), body=body)


def health(problems: dict[str, str]) -> Response:
    """Say whether all works: ``{}``, or what does not."""
    return Response(
        status=503 if problems else 200,
        headers=(("Content-Type", _JSON),),
        body=strict_json.compact(problems),
    )


def metadata(file: StoredFile, *, current: bool) -> Response:
    """Answer with a file as it was stored; ``current`` is not kept by caches for long."""
    return Response(
        status=200,
        headers=(
            ("Content-Type", _TEXT),
            ("Cache-Control", _CURRENT if current else _FIXED),
            ("Last-Modified", f"{file.created.astimezone(UTC):%a, %d %b %Y %H:%M:%S GMT}"),
        ),
        body=file.content,
    )


def hot(response: Response) -> HotAnswer:
    """Make a ready answer of one with a body in memory."""
    body = response.body if isinstance(response.body, bytes) else b""
    headers = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in response.headers]
    headers += [(b"content-length", b"%d" % len(body)), *_EVERYWHERE]
    return HotAnswer(status=response.status, headers=tuple(headers), body=body)


def changefeed(entries: Sequence[FeedEntry]) -> Response:
    """Write a page of the changefeed."""
    records = [
        {
            "ID": str(entry.id),
            "CreatedAt": _go_time(entry.created),
            "GUN": entry.gun,
            "Version": entry.version,
            "SHA256": entry.sha256,
            "Category": entry.category,
        }
        for entry in entries
    ]
    return text(strict_json.compact({"count": len(records), "records": records}))


def _go_time(moment: datetime) -> str:
    """Write RFC3339Nano, as Go does."""
    found = moment.astimezone(UTC).isoformat().removesuffix("+00:00")
    return (found.rstrip("0") if "." in found else found) + "Z"
