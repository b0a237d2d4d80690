"""Logs to look through: by URL, or in the folder of a server of ours."""

import os

from countermark.adapters import storage
from countermark.adapters.log_index import SqlLogIndex
from countermark.adapters.log_over_http import LogOverHttp
from countermark.adapters.sqlite import SqliteDatabase
from countermark.adapters.tile_folder import TileFolder
from countermark.assembly.log_places import DATABASE, TILES, LogPlace, LogPlaces
from countermark.assembly.log_stores import LogSettings, LogStores
from countermark.core import limits
from countermark.core.errors import ConfigError, EvidenceError, InputError
from countermark.core.ports_sigstore import LogIndex, TileReader
from countermark.core.value import Value
from countermark.formats import trusted_root
from countermark.formats.trusted_root import TrustedRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from countermark.adapters.http_client import HttpClient

_TRUSTED_ROOT = "trusted_root.json"


class OpenedLog(Value):
    """A log: its files, its index where it is ours, and what its folder says is to be trusted, if it does."""

    reader: TileReader
    index: LogIndex | None = None
    trusted: TrustedRoot | None = None


class Logs:
    """Opens logs.

    Args:
        client: HTTP, made when it is needed.
        settings: says how logs that lie elsewhere than in a server's folder are reached.
    """

    def __init__(self, client: "HttpClient", settings: "Callable[[], LogSettings]") -> None:
        self._client, self._settings = client, settings
        self._opened: list[SqliteDatabase | LogStores] = []

    def close(self) -> None:
        """Let go of what was opened."""
        while self._opened:
            self._opened.pop().close()

    def opened(self, place: str) -> OpenedLog:
        """Open a log at a URL, or in a folder: a server's data, the ``sigstore`` in it, or one of bare tiles.

        Raises:
            InputError: neither. ConfigError, StorageError: what is in the folder cannot be used.
        """
        if "://" in place:
            return OpenedLog(reader=LogOverHttp(self._client, place))
        for folder in (os.path.join(place, "sigstore"), place):
            if os.path.isfile(os.path.join(folder, "log.db")):
                return self._of_server(folder)
        for folder in (place, os.path.join(place, "tiles")):
            if os.path.isfile(os.path.join(folder, "checkpoint")):
                return OpenedLog(reader=TileFolder(folder))
        raise InputError(
            f"there is no log in {place[:200]}",
            hint="give a URL, or a folder with a checkpoint in it",
        )

    def _of_server(self, folder: str) -> OpenedLog:
        trusted = self.trusted_root(os.path.join(folder, _TRUSTED_ROOT))
        if not trusted.logs:
            return OpenedLog(reader=TileFolder(os.path.join(folder, TILES)), trusted=trusted)
        newest = trusted.logs[-1]
        place = LogPlaces(folder).of(newest.log_id) or LogPlace(name=newest.origin)
        stores = LogStores(folder, self._settings())
        self._opened.append(stores)
        stores.own = SqliteDatabase(os.path.join(folder, DATABASE))
        self._opened.append(stores.own)
        return OpenedLog(
            reader=stores.files(place),
            index=SqlLogIndex(stores.database(place), place.name),
            trusted=trusted,
        )

    def trusted_root(self, path: str) -> TrustedRoot:
        """Read a trusted root.

        Raises:
            InputError: there is no such file. ConfigError: it is none. StorageError.
        """
        content = storage.read(path, limits.TRUSTED_ROOT_BYTES)
        if content is None:
            raise InputError(f"there is no file {path[:200]}")
        try:
            return trusted_root.parse(content)
        except EvidenceError as error:
            raise ConfigError(str(error), file=path) from None
