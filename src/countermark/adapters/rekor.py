"""Clients of Rekor 1 and 2: a signature in, the log's entry out (specs: cosign, 2g)."""

from countermark.adapters.http_exchange import Answer
from countermark.adapters.sigstore_services import GOOD, JSON, Service
from countermark.core import limits
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    InputError,
    NotFoundError,
    RefusedError,
)
from countermark.core.light import datetime
from countermark.core.ports_sigstore import LogRequest
from countermark.formats import rekor
from countermark.formats.bundle import LogEntry
from countermark.proofs import pem, signatures, spki

_ENTRIES_1 = "/api/v1/log/entries"
_ENTRIES_2 = "/api/v2/log/entries"
_HEADERS = {"Content-Type": JSON, "Accept": JSON}
_SMALLER = "a Rekor 2 logs nothing but a digest, however large the attestation is"


class Rekor2(Service):
    """A transparency log of the second kind (port ``TransparencyLog`` of ``schemes/cosign/evidence.py``).

    It answers once a checkpoint has the entry: a second at best where it is the real one, eleven with its own flags.
    """

    name = "Rekor"
    is_first_kind = False

    def add(self, request: LogRequest, now: datetime) -> LogEntry:
        """See the port; of an envelope its encoding is logged as any message."""
        key = spki.parse(request.public_key)
        verifier = rekor.Verifier(
            key_details=signatures.key_details(key, prehashed=True),
            certificate=request.certificate,
            public_key=b"" if request.certificate else request.public_key,
        )
        body = rekor.encode_request_2(request.digest, request.signature, verifier)
        answer = self.post(_ENTRIES_2, _HEADERS, body)
        if answer.status not in GOOD:
            raise self.failed(answer, hint=_hint(answer))
        try:
            entry = rekor.parse_answer_2(answer.content)
        except EvidenceError as error:
            raise self.misunderstood(error, answer) from None
        wanted = rekor.encode_record_2(
            request.digest, request.signature, verifier, request.algorithm
        )
        if entry.body != wanted:
            raise _of_another(self.name)
        return entry


def _hint(answer: Answer) -> str:
    if answer.status == 409:
        return "this very signature is logged already; keys whose signatures are always the same meet that"
    return ""


class Rekor1(Service):
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
            body = rekor.encode_record_1(
                request.digest.hex(), request.signature, verifier, request.algorithm
            )
        if len(body) > limits.LOGGED_ENVELOPE_BYTES:
            raise InputError(
                f"{len(body)} bytes are more than the {limits.LOGGED_ENVELOPE_BYTES} that a Rekor 1 takes",
                code=Code.TOO_LARGE,
                hint=_SMALLER,
            )
        answer = self.post(_ENTRIES_1, _HEADERS, body, max_bytes=limits.JSON_BYTES)
        if answer.status == 409:
            answer = self._present(answer)
        if answer.status not in GOOD:
            raise self._too_large(answer, len(body))
        try:
            entry = rekor.parse_answer_1(answer.content)
            _, _, record = rekor.parse_record(entry.body)
        except EvidenceError as error:
            raise self.misunderstood(error, answer) from None
        if not _has(record, request):
            raise _of_another(self.name)
        return entry

    def _present(self, answer: Answer) -> Answer:
        """Fetch the entry that is there already, of which the answer names the place.

        Raises:
            RefusedError: it does not.
        """
        location = answer.headers.one("location").partition("?")[0]
        path, _, name = location.rpartition("/")
        if not path.endswith(_ENTRIES_1) or not name.isalnum():
            raise self.failed(answer)
        return self.get(f"{_ENTRIES_1}/{name}", max_bytes=limits.JSON_BYTES)

    def _too_large(self, answer: Answer, size: int) -> CountermarkError:
        """Say that it may be the size: proxies before a log answer 502 and the like, and never say so."""
        suspect = answer.status == 413 or (
            answer.status >= 500 and size > limits.LOGGED_ENVELOPE_USUAL_BYTES
        )
        error = self.failed(answer, hint=_SMALLER if suspect else "")
        if not suspect or isinstance(error, NotFoundError):
            return error
        text = f"{error}; the request has {size} bytes, which is probably more than this log takes"
        return RefusedError(text, status=answer.status, code=Code.TOO_LARGE, hint=_SMALLER)


def _has(record: rekor.Record, request: LogRequest) -> bool:
    """Say whether an entry is of this signature."""
    if isinstance(record, rekor.HashedRekord):
        return record.signature == request.signature
    return [signature for signature, _ in record.signatures] == [request.signature]


def _of_another(name: str) -> EvidenceError:
    return EvidenceError(f"{name} answered with the entry of another signature", code=Code.ENTRY)
