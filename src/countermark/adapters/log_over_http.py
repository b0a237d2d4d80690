"""Logs asked over HTTP: their files (C2SP tlog-tiles), and witnesses of ours (C2SP tlog-witness).

Neither is believed: checkpoints are signed, tiles lead to them, cosignatures verify.
"""

from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_tls import HostTls
from countermark.adapters.http_url import Url
from countermark.core import limits
from countermark.core.errors import RefusedError, UnavailableError

_PREFIX = "/api/v2"  # Rekor 2's


class LogOverHttp:
    """The files of one log (port ``TileReader``).

    Args:
        client: HTTP.
        url: where the log is; its path, where it has one, stands before those of the files, else Rekor 2's does.
        tls: what is believed besides the system's roots.
    """

    def __init__(self, client: HttpClient, url: str, tls: HostTls = HostTls()) -> None:  # noqa: B008 - frozen
        found = Url.parse(url.rstrip("/"))
        self._client, self._tls = client, tls
        self._base = url.rstrip("/") + ("" if found.target.strip("/") else _PREFIX)

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """See the port."""
        request = HttpRequest(
            method="GET",
            url=Url.parse(f"{self._base}/{path}"),
            max_bytes=max_bytes,
            follow=True,
            tls=self._tls,
        )
        answer = self._client.request(request)
        if answer.status == 200:
            return answer.content
        if answer.status in (404, 410):
            return None
        message = f"{self._base}/{path}: HTTP status {answer.status}"
        if answer.status in (401, 403):
            raise RefusedError(message, status=answer.status, body=answer.content)
        raise UnavailableError(message, status=answer.status)


class WitnessOverHttp:
    """One witness (port ``WitnessServer``).

    Args:
        client: with timeouts of a few seconds, since a batch of entries waits for it.
        url: its prefix, as ``https://witness.example.com``.
        tls: what is believed besides the system's roots.
    """

    def __init__(self, client: HttpClient, url: str, tls: HostTls = HostTls()) -> None:  # noqa: B008 - frozen
        self._client, self._tls = client, tls
        self._url = Url.parse(f"{url.rstrip('/')}/add-checkpoint")

    def add_checkpoint(self, request: bytes) -> tuple[int, bytes]:
        """See the port."""
        answer = self._client.request(
            HttpRequest(
                method="POST",
                url=self._url,
                headers={"Content-Type": "text/plain; charset=utf-8"},
                body=request,
                max_bytes=limits.WITNESS_ANSWER_BYTES,
                tls=self._tls,
                harmless_twice=True,
            )
        )
        return answer.status, answer.content
