"""Clients of a Sigstore's services: Fulcio, Rekor 1 and 2, a timestamp authority.

Specs: cosign, 2e, 2g, 2h; what clients do when one misbehaves: observed, 5.3. Nothing that a service answers is
believed: whoever asked verifies it as everybody else will.
"""

from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_exchange import Answer, HttpRequest
from countermark.adapters.http_tls import HostTls
from countermark.adapters.http_url import Url
from countermark.core import limits
from countermark.core.errors import (
    Code,
    InputError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.core.light import Callable, datetime, sha256
from countermark.core.ports_sigstore import LogRequest
from countermark.formats import rekor, strict_json
from countermark.formats.bundle import LogEntry
from countermark.formats.go_text import to_base64
from countermark.formats.strict_json import Reader
from countermark.proofs import pem, signatures, spki, timestamp_queries

_JSON = "application/json"
_SHOWN_BYTES = 300

TlsFor = Callable[[str], HostTls]


class _Service:
    """What the clients share: one base URL, and answers turned into our errors."""

    name = ""

    def __init__(self, client: HttpClient, url: str, tls_for: TlsFor) -> None:
        """Take the HTTP client, the service's URL, and what is believed beside the system's roots for a host."""
        self._client, self._url, self._tls_for = client, Url.parse(url), tls_for

    def _post(self, path: str, headers: "dict[str, str]", body: bytes, most: int) -> Answer:
        url = Url.parse(str(self._url).rstrip("/") + path) if path else self._url
        request = HttpRequest(
            method="POST",
            url=url,
            headers=headers,
            body=body,
            max_bytes=most,
            tls=self._tls_for(url.authority),
        )
        return self._client.request(request)

    def _failed(self, answer: Answer) -> RefusedError | UnavailableError:
        """Say what a service answered instead, and with which status."""
        said = answer.content[:_SHOWN_BYTES].decode("utf-8", "replace").strip()
        text = f"{self.name} returned {answer.status}: {said}"
        if answer.status == 404:
            return NotFoundError(text, status=404, hint=f"is {self._url} the right address?")
        if answer.status == 413:
            return RefusedError(text, status=413, code=Code.TOO_LARGE)
        if answer.status == 409:
            return RefusedError(text, status=409, code=Code.DUPLICATE)
        if answer.status == 429 or answer.status >= 500:
            return UnavailableError(text, status=answer.status)
        return RefusedError(text, status=answer.status, body=answer.content)


# Certificates -------------------------------------------------------------------------------------------------


class Fulcio(_Service):
    """A certificate authority (port ``Certifier``)."""

    name = "Fulcio"

    def certify(self, token: str, public_key: bytes, proof: bytes) -> tuple[bytes, ...]:
        """See the port."""
        if not token.isascii() or not token.isprintable() or " " in token:
            raise InputError("the identity token is none: it has characters that no token has")
        text = pem.Block(type="PUBLIC KEY", content=public_key).encode().decode("ascii")
        kind = {"ecdsa": "ECDSA", "rsa": "RSA_PSS", "ed25519": "ED25519"}
        asked = {
            "publicKeyRequest": {
                "publicKey": {"algorithm": kind[spki.parse(public_key).kind], "content": text},
                "proofOfPossession": to_base64(proof),
            }
        }
        headers = {"Content-Type": _JSON, "Authorization": f"Bearer {token}"}
        answer = self._post(
            "/api/v2/signingCert", headers, strict_json.compact(asked), limits.TOKEN_BYTES
        )
        if answer.status not in (200, 201):
            raise self._failed(answer)
        return _chain(answer.content)


def _chain(content: bytes) -> tuple[bytes, ...]:
    document = Reader(strict_json.parse(content, max_bytes=limits.TOKEN_BYTES))
    for name in ("signedCertificateEmbeddedSct", "signedCertificateDetachedSct"):
        if document.has(name):
            texts = document.object(name).object("chain").texts("certificates")
            found = tuple(block.content for text in texts for block in pem.parse(text.encode()))
            if 0 < len(found) <= limits.BUNDLE_CERTIFICATES:
                return found
    raise MalformedError("Fulcio's answer has no chain of certificates")


# Logs -----------------------------------------------------------------------------------------------------------


class Rekor2(_Service):
    """A transparency log of the second kind (port ``TransparencyLog`` of ``schemes/cosign/evidence.py``)."""

    name = "Rekor"
    is_first_kind = False

    def add(self, request: LogRequest, now: datetime) -> LogEntry:
        """See the port; of an envelope its encoding is logged as any message."""
        key = spki.parse(request.public_key)
        details = signatures.key_details(key, prehashed=True)
        verifier = rekor.Verifier(
            key_details=details,
            certificate=request.certificate,
            public_key=b"" if request.certificate else request.public_key,
        )
        digest = _digest(request.message, signatures.hash_for(key))
        body = rekor.encode_request_2(digest, request.signature, verifier)
        headers = {"Content-Type": _JSON, "Accept": _JSON}
        answer = self._post("/api/v2/log/entries", headers, body, limits.TOKEN_BYTES)
        if answer.status != 201:
            raise self._failed(answer)
        return rekor.parse_answer_2(answer.content)


def _digest(message: bytes, name: str) -> bytes:
    import hashlib  # noqa: PLC0415 - signing only

    return hashlib.new(name, message).digest()


class Rekor1(_Service):
    """A transparency log of the first kind (port ``TransparencyLog`` of ``schemes/cosign/evidence.py``)."""

    name = "Rekor"
    is_first_kind = True

    def add(self, request: LogRequest, now: datetime) -> LogEntry:
        """See the port; an envelope is logged as such."""
        content = request.certificate or request.public_key
        label = "CERTIFICATE" if request.certificate else "PUBLIC KEY"
        verifier = pem.Block(type=label, content=content).encode()
        if request.envelope:
            body = rekor.encode_dsse_request(request.envelope, verifier)
        else:
            digest = sha256(request.message).hexdigest()
            body = rekor.encode_record_1(digest, request.signature, verifier)
        headers = {"Content-Type": _JSON, "Accept": _JSON}
        answer = self._post("/api/v1/log/entries", headers, body, limits.JSON_BYTES)
        if answer.status not in (200, 201):
            raise self._failed(answer)
        return rekor.parse_answer_1(answer.content)


# Time -------------------------------------------------------------------------------------------------------------


class TimestampAuthority(_Service):
    """A timestamp authority (port ``Stamper``); its URL is whole."""

    name = "timestamp authority"

    def stamp(self, message: bytes) -> bytes:
        """See the port."""
        headers = {
            "Content-Type": "application/timestamp-query",
            "Accept": "application/timestamp-reply",
        }
        body = timestamp_queries.encode(message)
        answer = self._post("", headers, body, limits.TOKEN_BYTES)
        if answer.status not in (200, 201):
            raise self._failed(answer)
        return answer.content
