"""Where each log of a Sigstore lies: said when it is started, and kept in ``logs.json`` from then on.

A log that is not in that file is of an earlier version of the program: its tiles are in ``tiles``, its index in
``log.db``; of a certificate log, the entries are in a table there. Whoever can write the file can make the server
refuse to work, or show an empty log: it does not sign what contradicts what a log has shown.
"""

import os

from countermark.adapters import storage
from countermark.core import limits
from countermark.core.errors import ConfigError, EvidenceError
from countermark.core.value import Value
from countermark.formats import strict_json

FILE = "logs.json"
DATABASE = "log.db"
TILES, CERTIFICATE_TILES = "tiles", "certificate-tiles"
BUCKET = "s3://"


class LogPlace(Value):
    """Where a log lies.

    Attributes:
        name: of its index in the database; that of a certificate log names it in its checkpoints too.
        database: which one, without user and password; "" for ``log.db`` in the folder.
        tiles: a folder in the Sigstore's own, or ``s3://BUCKET/PREFIX``.
        path: what stands before its paths on the server's address.
        url: its own address, where it has one.
        is_restored: whether it ended because the folder was restored from a backup: others may have seen more of it.
    """

    name: str
    database: str = ""
    tiles: str = TILES
    path: str = ""
    url: str = ""
    is_restored: bool = False

    @property
    def is_here(self) -> bool:
        """Whether some of it lies in the server's folder, and so in its backups."""
        return not (self.database and self.tiles.startswith(BUCKET))

    def members(self) -> "dict[str, object]":
        """The place as an object."""
        return {
            "name": self.name,
            "database": self.database,
            "tiles": self.tiles,
            "path": self.path,
            "url": self.url,
            "restored": self.is_restored,
        }


class LogHome(Value):
    """Where new logs begin: a database (as ``LogPlace`` names it) and a bucket, ``s3://NAME/PREFIX``; "" for here."""

    database: str = ""
    bucket: str = ""

    def place(self, place: LogPlace, log_id: bytes) -> LogPlace:
        """The place of a log that would lie in the folder, here instead: others may have theirs here too."""
        tag = f"-{log_id.hex()[:16]}"
        if self.database:
            place = place.replace(database=self.database, name=f"{place.name}{tag}")
        if self.bucket:
            tiles = place.tiles if place.tiles.endswith(tag) else f"{place.tiles}{tag}"
            place = place.replace(tiles=f"{self.bucket}/{tiles}")
        return place


class LogPlaces:
    """The places of the logs in a Sigstore's folder, by their IDs; ``home`` is where new ones begin."""

    def __init__(self, folder: str, home: LogHome = LogHome()) -> None:  # noqa: B008 - frozen
        """Read them.

        Raises:
            ConfigError: the file is damaged. StorageError: it cannot be read.
        """
        self.path, self._home = os.path.join(folder, FILE), home
        self._places: dict[str, LogPlace] = {}
        content = storage.read(self.path, limits.POLICY_BYTES)
        if content is None:
            return
        try:
            self._places = _parsed(content)
        except EvidenceError as error:
            raise ConfigError(str(error), file=self.path) from None

    def of(self, log_id: bytes) -> LogPlace | None:
        """That of a log; None where nothing is said of it."""
        return self._places.get(log_id.hex())

    def check_home(self, log_id: bytes, service: str) -> None:
        """Demand that the log which takes entries is where new ones would begin: nobody is to be mistaken about that.

        Raises:
            ConfigError: it is elsewhere.
        """
        place = self._places.get(log_id.hex())
        database = "" if place is None else place.database
        bucket, slash, _ = ("" if place is None else place.tiles).rpartition("/")
        if (database, bucket if slash else "") == (self._home.database, self._home.bucket):
            return
        lies = f"{database or DATABASE} and {f'{bucket}/' if slash else 'a folder'}"
        raise ConfigError(
            f"the {service} lies in {lies}, not where the configuration has logs",
            file=self.path,
            hint="`countermark sigstore rotate` begins a new one there; if all of it was moved, change this file",
        )

    def begin(self, log_id: bytes, place: LogPlace) -> None:
        """Say where a new log lies, durably: where new ones begin.

        Raises:
            StorageError: it cannot be written.
        """
        self.put(log_id, self._home.place(place, log_id))

    def put(self, log_id: bytes, place: LogPlace) -> None:
        """Say where a log lies, durably.

        Raises:
            StorageError: it cannot be written.
        """
        places = self._places | {log_id.hex(): place}
        logs = {name: each.members() for name, each in places.items()}
        content = strict_json.pretty({"version": 1, "logs": logs})
        storage.write(self.path, f"{content}\n".encode())
        self._places = places


def _parsed(content: bytes) -> dict[str, LogPlace]:
    document = strict_json.Reader(strict_json.parse(content))
    if document.integer("version") != 1:
        raise EvidenceError("it is of a later version of the program")
    logs = document.object("logs")
    found: dict[str, LogPlace] = {}
    for name in logs.names():
        log = logs.object(name)
        found[name] = LogPlace(
            name=log.text("name"),
            database=log.text("database"),
            tiles=log.text("tiles"),
            path=log.text("path"),
            url=log.text("url"),
            is_restored=log.boolean("restored"),
        )
    return found
