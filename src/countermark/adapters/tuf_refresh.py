"""A TUF repository's newest files, fetched and verified with python-tuf.

Imported only where something is to be fetched: the library costs 300 ms. It works in a folder of its own, so that
processes never see each other's half-written files; what it says goes through our HTTP client.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from tuf.api import exceptions
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_url import Url
from countermark.adapters.sigstore_services import TlsFor, system_roots_only
from countermark.adapters.tuf_cache import Cached
from countermark.core import limits
from countermark.core.errors import (
    CountermarkError,
    EvidenceError,
    ExpiredError,
    RollbackError,
    SignatureError,
    UnavailableError,
)
from countermark.formats import tuf_metadata
from countermark.formats.tuf_metadata import ROLES, ROOT


class _Fetcher(FetcherInterface):
    """Fetches for python-tuf, and keeps the error that it hides."""

    def __init__(self, client: HttpClient, tls_for: TlsFor) -> None:
        self._client, self._tls_for = client, tls_for
        self.problem: CountermarkError | None = None

    def _fetch(self, url: str) -> Iterator[bytes]:
        place = Url.parse(url)
        request = HttpRequest(
            method="GET",
            url=place,
            max_bytes=limits.TUF_FILE_BYTES,
            follow=True,
            tls=self._tls_for(place.authority),
        )
        try:
            answer = self._client.request(request)
        except CountermarkError as error:
            self.problem = error
            raise exceptions.DownloadError(str(error)) from None
        if answer.status != 200:
            self.problem = UnavailableError(f"{url} answered {answer.status}", status=answer.status)
            raise exceptions.DownloadHTTPError(str(self.problem), answer.status)
        yield answer.content


def refresh(  # noqa: PLR0913 - each a choice of its own
    client: HttpClient,
    mirror: str,
    root: bytes,
    before: Mapping[str, bytes],
    names: Sequence[str],
    now: datetime,
    *,
    tls_for: TlsFor = system_roots_only,
) -> Cached:
    """Fetch a repository's newest metadata and some files; those that it does not have are left out.

    Args:
        client: asks.
        mirror: where it is.
        root: what is believed first.
        before: metadata that was seen before, by role, so that nothing older is taken.
        names: of the files.
        now: the time that is noted; python-tuf looks at the clock itself.
        tls_for: what is believed of a host besides the system's roots.

    Raises:
        UnavailableError: out of reach.
        EvidenceError: what is there does not verify, is expired, or older than what was seen before.
    """
    fetcher = _Fetcher(client, tls_for)
    try:
        with tempfile.TemporaryDirectory(prefix="countermark-tuf-") as folder:
            return _refreshed(fetcher, folder, mirror, root, before, names).replace(fetched=now)
    except exceptions.DownloadError as error:
        if isinstance(fetcher.problem, EvidenceError):
            raise fetcher.problem from None
        raise UnavailableError(f"{mirror}: {fetcher.problem or error}") from None
    except exceptions.ExpiredMetadataError as error:
        raise ExpiredError(f"{mirror}: {error}") from None
    except exceptions.BadVersionNumberError as error:
        raise RollbackError(f"{mirror}: {error}") from None
    except exceptions.UnsignedMetadataError as error:
        raise SignatureError(f"{mirror}: {error}") from None
    except (exceptions.RepositoryError, ValueError) as error:
        raise EvidenceError(f"{mirror}: {error}") from None
    except OSError as error:
        raise UnavailableError(f"cannot work in a temporary folder: {error}") from None


def _refreshed(
    fetcher: _Fetcher,
    folder: str,
    mirror: str,
    root: bytes,
    before: Mapping[str, bytes],
    names: Sequence[str],
) -> Cached:
    for role, content in before.items():
        if role != ROOT:
            with open(os.path.join(folder, f"{role}.json"), "wb") as file:
                file.write(content)
    places = os.path.join(folder, "targets")
    os.mkdir(places)
    config = UpdaterConfig(max_root_rotations=limits.TUF_ROTATIONS)
    base = mirror.rstrip("/")
    updater = Updater(folder, base, places, f"{base}/targets/", fetcher, config, bootstrap=root)
    updater.refresh()
    files: dict[str, bytes] = {}
    for name in names:
        info = updater.get_targetinfo(name)
        if info is not None:
            files[name] = _content(updater.download_target(info))
    metadata = {role: _content(os.path.join(folder, f"{role}.json")) for role in ROLES}
    expires = min(tuf_metadata.parse(metadata[role], role).expires for role in ROLES)
    return Cached(metadata=metadata, files=files, fetched=expires, expires=expires)


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
