"""Answers as grpc-gateway gives them: JSON, and errors with a number, a message and no details."""

from countermark.core.ports_hosting import Response
from countermark.formats import strict_json

JSON = ("Content-Type", "application/json")
UNKNOWN, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS = 2, 3, 5, 6
UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 12, 13, 14
_STATUSES = {
    UNKNOWN: 500,
    ALREADY_EXISTS: 409,
    INVALID_ARGUMENT: 400,
    NOT_FOUND: 404,
    UNIMPLEMENTED: 501,
    INTERNAL: 500,
    UNAVAILABLE: 503,
}
TOO_LARGE = "http: request body too large"


def failure(code: int, message: str, *, problem: str = "") -> Response:
    """Refuse; ``code`` is gRPC's, ``problem`` for our own log."""
    return Response(
        status=_STATUSES[code],
        headers=(JSON,),
        body=strict_json.compact({"code": code, "message": message, "details": []}),
        problem=problem,
    )


def found(body: object) -> Response:
    """Answer with a message."""
    return Response(status=200, headers=(JSON,), body=strict_json.compact(body))


def wrong_method() -> Response:
    """Refuse a method."""
    return failure(UNIMPLEMENTED, "Method Not Allowed")


def unknown_path() -> Response:
    """Refuse a path."""
    return failure(NOT_FOUND, "Not Found")
