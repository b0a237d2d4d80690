"""Who may do what to the registry: the same answers as the trust server beside it."""

from countermark.core.ports_hosting import Handler, Request, Response
from countermark.formats import strict_json
from countermark.services.access import Access
from countermark.services.registry import words
from countermark.services.registry.errors import ApiError
from countermark.services.registry.routes import route

_ACTIONS = {"GET": ("pull",), "HEAD": ("pull",), "DELETE": ("delete",)}
_WRITES = ("pull", "push")  # as docker asks for them


def guarded(handler: Handler, access: Access) -> Handler:
    """Let a registry's handler answer only those who may do what they ask."""

    def answer(request: Request) -> Response:
        try:
            kind, name, _ = route(request.path)
        except ApiError:
            return handler(request)  # there is nothing; that is no secret
        repository = "" if kind in ("root", "catalog") else name
        actions = () if kind == "root" else _ACTIONS.get(request.method, _WRITES)
        challenge = access.refusal(request, repository, actions)
        if challenge is None and kind == "uploads" and (source := _mounted_from(request)):
            challenge = access.refusal(request, source, ("pull",))
        return handler(request) if challenge is None else _unauthorized(challenge)

    return answer


def _mounted_from(request: Request) -> str:
    """The repository that a blob is to be mounted from, "" for none; read as the handler reads it."""
    try:
        return words.Query(request.query).one("from") or ""
    except ApiError:
        return ""  # the handler refuses it


def _unauthorized(challenge: tuple[tuple[str, str], ...]) -> Response:
    body = strict_json.compact(
        {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required", "detail": None}]}
    )
    headers = (
        ("Content-Type", "application/json"),
        ("Docker-Distribution-API-Version", "registry/2.0"),
        *challenge,
    )
    return Response(status=401, headers=headers, body=body)
