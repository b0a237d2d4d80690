"""Client of an RFC 3161 timestamp authority, as Sigstore's answers over HTTP (specs: cosign, 2h)."""

from countermark.adapters.sigstore_services import GOOD, Service
from countermark.core import limits
from countermark.core.errors import MalformedError
from countermark.proofs import timestamp_queries

_REPLY = "application/timestamp-reply"


class TimestampAuthority(Service):
    """A timestamp authority (port ``Stamper``); its URL is whole."""

    name = "timestamp authority"

    def stamp(self, message: bytes) -> bytes:
        """See the port."""
        headers = {"Content-Type": "application/timestamp-query", "Accept": _REPLY}
        answer = self.post(
            "",
            headers,
            timestamp_queries.encode(message),
            max_bytes=limits.SIGNED_TIMESTAMP_BYTES,
            harmless_twice=True,
        )
        if answer.status not in GOOD:
            raise self.failed(answer)
        if not answer.content.startswith(b"\x30"):  # a SEQUENCE, as all of DER here
            raise self.misunderstood(MalformedError("no timestamp"), answer)
        return answer.content
