"""What a registry refuses, in the words of the distribution spec.

Codes and their statuses are those of distribution-spec 1.1 (error codes) and, where it is silent, of distribution 2.8
(registry/api/v2/errors.go). Answers of 5xx, which the spec leaves open, use distribution's UNAVAILABLE and UNKNOWN.
"""

from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    InputError,
    NotFoundError,
    StorageError,
    UnavailableError,
)
from countermark.core.ports_hosting import Response
from countermark.formats import strict_json

Headers = tuple[tuple[str, str], ...]

_JSON = ("Content-Type", "application/json; charset=utf-8")

# what the stores raise: their code -> HTTP status, OCI code
_STORE_CODES = {
    Code.OUT_OF_ORDER: (416, "BLOB_UPLOAD_INVALID"),
    Code.VERSION_CONFLICT: (409, "BLOB_UPLOAD_INVALID"),
    Code.CHECKSUM: (400, "DIGEST_INVALID"),
    Code.TOO_LARGE: (413, "SIZE_INVALID"),
}


class ApiError(InputError):
    """A request that is refused; ``oci_code`` is the spec's word for it.

    Attributes:
        status: of the answer.
        oci_code: as ``MANIFEST_UNKNOWN``.
        detail: JSON that lets a client act, or None.
        headers: further ones of the answer.
    """

    def __init__(
        self,
        status: int,
        oci_code: str,
        message: str,
        *,
        detail: strict_json.Json = None,
        headers: Headers = (),
    ) -> None:
        super().__init__(message)
        self.status, self.oci_code, self.detail, self.headers = status, oci_code, detail, headers


def is_answered_here(error: CountermarkError) -> bool:
    """Say whether an error is one that a registry has a word for; that a client left is the server's to know."""
    return isinstance(error, ApiError) or not (
        isinstance(error, InputError) and error.code not in _STORE_CODES
    )


def answer_to(error: CountermarkError) -> Response:
    """Answer a request that failed; what is our own trouble does not say where our files lie."""
    if isinstance(error, ApiError):
        return _answer(
            error.status, error.oci_code, str(error), detail=error.detail, headers=error.headers
        )
    if isinstance(error, EvidenceError):  # only manifests are read
        status = 413 if error.code == Code.TOO_LARGE else 400
        return _answer(status, "MANIFEST_INVALID", str(error), detail=error.path or None)
    if isinstance(error, InputError):
        status, word = _STORE_CODES[error.code]
        return _answer(status, word, str(error))
    return _our_trouble(error)


def _our_trouble(error: CountermarkError) -> Response:
    if isinstance(error, NotFoundError):  # only uploads are missed by the stores
        return _answer(404, "BLOB_UPLOAD_UNKNOWN", str(error))
    if isinstance(error, UnavailableError):
        return _answer(503, "UNAVAILABLE", "the registry is busy", headers=(("Retry-After", "5"),))
    if isinstance(error, StorageError) and error.code == Code.NO_SPACE:
        return _answer(507, "UNAVAILABLE", "the registry has no space left")
    return _answer(500, "UNKNOWN", "the registry cannot read or write its files")


def _answer(
    status: int,
    oci_code: str,
    message: str,
    *,
    detail: strict_json.Json = None,
    headers: Headers = (),
) -> Response:
    entry: dict[str, strict_json.Json] = {"code": oci_code, "message": message[:500]}
    if detail is not None:
        entry["detail"] = detail
    return Response(
        status=status,
        headers=(_JSON, *headers),
        body=strict_json.compact({"errors": [entry]}) + b"\n",
    )
