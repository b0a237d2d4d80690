"""Entries that a Rekor 1 has already: found by their place, or by what they are about.

Source: rekor ``openapi.yaml``, ``/api/v1/log/entries`` (specs: cosign, 2g). Nothing is believed for coming from
there: who asks compares it with what is sought, and who verifies checks the log's promise and proof.
"""

from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_url import Url
from countermark.core import limits
from countermark.core.errors import NotFoundError, RefusedError, UnavailableError
from countermark.formats import rekor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from countermark.adapters.http_client import HttpClient
    from countermark.formats.bundle import LogEntry


class RekorLookup:
    """Asks one log."""

    def __init__(self, client: "HttpClient", url: str) -> None:
        """Take the log's URL.

        Raises:
            InputError: it is none.
        """
        self._client, self._url = client, url.rstrip("/")
        Url.parse(self._url)

    def at(self, index: int) -> "LogEntry":
        """Fetch the entry at a place.

        Raises:
            NotFoundError, RefusedError, UnavailableError: the log says so. MalformedError: what it says is no entry.
        """
        return rekor.parse_answer_1(self._ask("GET", f"?logIndex={index}", b""))

    def about(self, proposals: "Sequence[bytes]") -> "tuple[LogEntry, ...]":
        """Find entries by what would be sent to have them logged (JSON).

        Raises:
            As ``at``.
        """
        body = b'{"entries":[' + b",".join(proposals) + b"]}"
        return rekor.parse_answers_1(self._ask("POST", "/retrieve", body))

    def _ask(self, method: str, path: str, body: bytes) -> bytes:
        headers = {"Accept": "application/json"}
        if body:
            headers["Content-Type"] = "application/json"
        url = Url.parse(f"{self._url}/api/v1/log/entries{path}")
        request = HttpRequest(
            method=method, url=url, headers=headers, body=body, max_bytes=limits.JSON_BYTES
        )
        answer = self._client.request(request)
        if answer.status == 200:
            return answer.content
        message = f"{url.shown}: HTTP {answer.status}"
        if answer.status == 404:
            raise NotFoundError(message, status=404)
        if answer.status == 429 or answer.status >= 500:
            raise UnavailableError(message, status=answer.status)
        raise RefusedError(message, status=answer.status)
