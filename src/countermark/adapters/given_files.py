"""Files that a person names: by path, variable or URL, or as a pipe; read whole, or hashed without holding them.

Source: cosign ``pkg/blob/load.go`` (specs: cosign, 2d). What is read here is judged by whoever asked for it.
"""

import os
import stat

from countermark.adapters import storage
from countermark.core import limits
from countermark.core.errors import Code, InputError, MalformedError, UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from countermark.adapters.http_client import HttpClient


def load(
    place: str, client: "HttpClient", environment: "Mapping[str, str]", max_bytes: int
) -> bytes:
    """Read a file, ``env://VARIABLE`` or an URL.

    Raises:
        InputError: there is none, or no such kind of place. MalformedError: ``too-large``.
        StorageError, UnavailableError: it cannot be read, or not now.
    """
    scheme, found, rest = place.partition("://")
    if not found:
        return read(place, max_bytes)
    if scheme == "env":
        if rest not in environment:
            raise InputError(f"loading URL: env var ${rest[:80]} not found", code=Code.NOT_FOUND)
        return environment[rest].encode()
    if scheme in ("http", "https"):
        return _fetched(place, client, max_bytes)
    raise InputError(f"loading URL: unrecognized scheme: {scheme[:80]}://")


def _fetched(place: str, client: "HttpClient", max_bytes: int) -> bytes:
    from countermark.adapters.http_exchange import HttpRequest  # noqa: PLC0415 - URLs only
    from countermark.adapters.http_url import Url  # noqa: PLC0415 - as above

    url = Url.parse(place)
    answer = client.request(HttpRequest(method="GET", url=url, max_bytes=max_bytes, follow=True))
    if not 200 <= answer.status < 300:
        message = f"loading URL {url.shown}: server returned HTTP {answer.status}"
        if answer.status == 429 or answer.status >= 500:
            raise UnavailableError(message, status=answer.status)
        raise InputError(message, code=Code.NOT_FOUND)
    return answer.content


def read(path: str, max_bytes: int) -> bytes:
    """Read a file, which may be a pipe: shells hand over ``<(command)`` so.

    Raises:
        InputError: ``not-found``, there is none. MalformedError: ``too-large``. StorageError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(max_bytes + 1)
    except (FileNotFoundError, ValueError):  # ValueError: a name with a null
        raise _absent(path) from None
    except OSError as error:
        raise storage.translated(error, f"read {path}") from None
    if len(content) > max_bytes:
        raise MalformedError(f"{path} is longer than {max_bytes} bytes", code=Code.TOO_LARGE)
    return content


def _absent(path: str) -> InputError:
    return InputError(f"open {path}: no such file or directory", code=Code.NOT_FOUND)


class LocalFile:
    """A file that is hashed as often as it is asked, and never held; of a pipe, which can be read once, a copy."""

    def __init__(self, path: str) -> None:
        """Look at it.

        Raises:
            As ``read``.
        """
        self._path = path
        try:
            kind = os.stat(path).st_mode
        except (FileNotFoundError, NotADirectoryError, ValueError):
            raise _absent(path) from None
        except OSError as error:
            raise storage.translated(error, f"open {path}") from None
        self._copy = None
        if not stat.S_ISREG(kind):
            self._copy = read(path, limits.HELD_ARTIFACT_BYTES)

    def hashed(self, algorithm: str) -> bytes:
        """Hash it with ``sha256``, ``sha384`` or ``sha512``.

        Raises:
            StorageError: it cannot be read any more.
        """
        import hashlib  # noqa: PLC0415 - gigabytes go through OpenSSL

        if self._copy is not None:
            return hashlib.new(algorithm, self._copy).digest()
        try:
            with open(self._path, "rb") as file:
                return hashlib.file_digest(file, algorithm).digest()
        except OSError as error:
            raise storage.translated(error, f"read {self._path}") from None

    def content(self) -> bytes:
        """Read all of it.

        Raises:
            MalformedError: ``too-large``. StorageError: as ``hashed``.
        """
        return (
            self._copy if self._copy is not None else read(self._path, limits.HELD_ARTIFACT_BYTES)
        )
