"""A timestamp authority (RFC 3161), with the API of sigstore's timestamp-server.

Statuses and bodies are those of timestamp-server 2.1.3 (specs: cosign-observed, 5.4); where that one is careless (a
query of another version, something left over in it, an ``Accept`` that makes it fail) ours refuses or does not care,
and docs/compatibility.md says so. The thief of its key stamps any time that he likes.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Sequence
from urllib.parse import quote

from countermark.core import limits
from countermark.core.errors import Code, CountermarkError, EvidenceError, InputError
from countermark.core.ports import Clock
from countermark.core.ports_hosting import Request, Response
from countermark.formats import go_text, strict_json
from countermark.proofs import der
from countermark.proofs.certificates import encode_pem
from countermark.proofs.timestamp_issuing import POLICY, Stamper
from countermark.proofs.timestamp_queries import UNREADABLE, Query, imprint_of, parse

PATH = "/api/v1/timestamp"
CERTIFICATES = f"{PATH}/certchain"
PING = "/ping"

_QUERY, _JSON = "application/timestamp-query", "application/json"
_REPLY, _PEM = "application/timestamp-reply", "application/pem-certificate-chain"
_TOO_LARGE = "timestamp request is too large"
_NO_POLICY = "OID should be comprised of at most 128 components"
_NO_BODY = {"code": 602, "message": "request in body is required"}
_NOT_KEPT = (
    ("Cache-Control", "no-cache, no-store, no-transform, must-revalidate, private, max-age=0"),
    ("Expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("Pragma", "no-cache"),
    ("X-Accel-Expires", "0"),
)
_STAMPED = (*_NOT_KEPT, ("Content-Type", _REPLY))
_HASHES = ("sha256", "sha384", "sha512", "sha1")
_OID = re.compile(r"[+-]?[0-9]{1,19}(\.[+-]?[0-9]{1,19}){0,128}")
_ANOTHER_POLICY = b"\0"
_FIELDS = {"artifacthash", "certificates", "hashalgorithm", "nonce", "tsapolicyoid"}


class TimestampAuthority:
    """A timestamp authority.

    Args:
        stamper: makes the timestamps.
        certificates: the authority's own, and those up to its root (DER).
        clock: the time that it tells.
        policy: under which ``stamper`` makes them.
    """

    def __init__(
        self,
        stamper: Stamper,
        certificates: Sequence[bytes],
        clock: Clock,
        policy: str = POLICY,
    ) -> None:
        self._stamper, self._clock = stamper, clock
        self._policy = [int(part) for part in policy.split(".")]
        self._policy_der = der.oid(policy)[2:]
        self._chain = b"".join(encode_pem(each) for each in certificates)

    def serves(self, path: str) -> bool:
        """Say whether a path is this service's."""
        return path.rstrip("/") in (PATH, CERTIFICATES) or path == PING

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        path = request.path.rstrip("/")
        if path == PATH:
            if request.method != "POST":
                return _wrong_method(request.method, "POST")
            return self._timestamp(request)
        if path == CERTIFICATES:
            if request.method != "GET":
                return _wrong_method(request.method, "GET")
            headers = (("Content-Type", _PEM), ("Cache-Control", "max-age=86400, immutable"))
            return Response(status=200, headers=headers, body=self._chain)
        if request.path == PING and request.method in ("GET", "HEAD"):
            return Response(status=200, headers=(("Content-Type", "text/plain"),), body=b".")
        return _failure(404, f"path {quote(request.path)} was not found")

    def _timestamp(self, request: Request) -> Response:
        try:
            body = request.body.read(limits.TIMESTAMP_QUERY_BYTES)
        except InputError:
            return _refused(UNREADABLE)
        if not body:
            return Response(
                status=422,
                headers=(*_NOT_KEPT, ("Content-Type", _JSON)),
                body=go_text.encode_json(_NO_BODY),
            )
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in (_QUERY, _JSON):
            kind = kind or "application/octet-stream"
            text = f'unsupported media type "{kind[:200]}", only [{_QUERY} {_JSON}] are allowed'
            return _failure(415, text, _NOT_KEPT)
        try:
            query = parse(body) if kind == _QUERY else self._parse_json(body)
            return Response(
                status=200, headers=_STAMPED, body=self._stamper.stamp(query, self._clock())
            )
        except InputError as error:
            return _refused(str(error))
        except CountermarkError as error:
            return _refused(UNREADABLE, status=500, problem=str(error))

    def _parse_json(self, body: bytes) -> Query:
        """Read a query in JSON as Go does: names in any case, null as absent; ours takes none of them twice.

        Raises:
            InputError: it is none; its words are those to answer with.
        """
        members = _members(body)
        hash_name = _text(members, "hashalgorithm").lower()
        if hash_name not in _HASHES:
            raise InputError(UNREADABLE)
        return Query(
            policy=self._policy_of(_text(members, "tsapolicyoid")),
            imprint=imprint_of(hash_name, _digest(_text(members, "artifacthash"))),
            nonce=_nonce(members.get("nonce")),
            wants_certificate=_flag(members.get("certificates", False)),
        )

    def _policy_of(self, text: str) -> bytes:
        if not text:
            return b""
        if not _OID.fullmatch(text):
            raise InputError(_NO_POLICY)
        ours = [int(part) for part in text.split(".")] == self._policy
        return self._policy_der if ours else _ANOTHER_POLICY


def _members(body: bytes) -> dict[str, object]:
    """Read a JSON object's known members, their names in lower case."""
    try:
        found = strict_json.parse_any(body, max_bytes=limits.TIMESTAMP_QUERY_JSON_BYTES)
    except EvidenceError as error:
        raise InputError(_TOO_LARGE if error.code == Code.TOO_LARGE else UNREADABLE) from None
    if not isinstance(found, dict):
        raise InputError(UNREADABLE)
    members = [(name.lower(), value) for name, value in found.items() if name.lower() in _FIELDS]
    known = dict(members)
    if len(known) != len(members):
        raise InputError(UNREADABLE)
    return {name: value for name, value in known.items() if value is not None}


def _text(members: dict[str, object], name: str) -> str:
    value = members.get(name, "")
    if not isinstance(value, str):
        raise InputError(UNREADABLE)
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise InputError(UNREADABLE)
    return value


def _nonce(value: object) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(UNREADABLE)
    return der.tlv(der.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def _digest(text: str) -> bytes:
    """Read base64 as Go does, which passes over line ends."""
    try:
        return a2b_base64(text.replace("\r", "").replace("\n", ""), strict_mode=True)
    except (Base64Error, ValueError):
        raise InputError(UNREADABLE) from None


def _refused(message: str, *, status: int = 400, problem: str = "") -> Response:
    """Answer as the operation does, whose content type stays that of a timestamp."""
    body = go_text.encode_json({"code": status, "message": message})
    return Response(status=status, headers=_STAMPED, body=body, problem=problem)


def _failure(status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Answer as the server around the operations does."""
    body = go_text.encode_json({"code": status, "message": message})
    return Response(status=status, headers=(*headers, ("Content-Type", _JSON)), body=body)


def _wrong_method(method: str, allowed: str) -> Response:
    return _failure(
        405, f"method {method[:20]} is not allowed, but [{allowed}] are", (("Allow", allowed),)
    )
