"""What a Sigstore's logs may be built on: databases, folders and buckets for tiles, and the witnesses that are asked.

A database's password comes from a file or the environment, a bucket's keys from where AWS puts them; neither is ever
shown, nor written down.
"""

import os
import re
from types import MappingProxyType

from countermark.adapters import storage
from countermark.adapters.database import migrate
from countermark.adapters.http_connection import Timeouts
from countermark.adapters.log_index import LogDatabase
from countermark.adapters.log_over_http import WitnessOverHttp
from countermark.adapters.sqlite import SqliteDatabase
from countermark.adapters.tile_folder import TileFolder
from countermark.assembly.log_places import BUCKET, LogHome, LogPlace
from countermark.assembly.program import http_client
from countermark.core import limits
from countermark.core.errors import ConfigError, EvidenceError, InputError
from countermark.core.ports import Clock
from countermark.core.ports_sigstore import TileStore
from countermark.core.value import Value
from countermark.proofs.cosignatures import WitnessKey
from countermark.services.log_witnesses import Witness, Witnesses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from countermark.adapters.postgresql import PostgresDatabase
    from countermark.config import Serve

DATABASE_VARIABLE = "COUNTERMARK_LOG_DATABASE"
_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9._-]{1,100}){0,8})/?")
_TIMEOUTS = Timeouts(connect=2.0, read=limits.WITNESS_SECONDS, answer=limits.WITNESS_SECONDS)


class LogSettings(Value):
    """Where logs are kept, and who witnesses them.

    Attributes:
        environment: where secrets are looked for.
        database_file: holds the URL of a PostgreSQL database; "" for COUNTERMARK_LOG_DATABASE, or for none.
        bucket: ``s3://NAME/PREFIX``; "" for folders.
        bucket_url: where the bucket is; "" for Amazon's, or where the environment says.
        witnesses: each ``KEY URL``, a verifier key and where to ask.
        needed: how many must have cosigned before a checkpoint is shown; None: all.
    """

    environment: "Mapping[str, str]" = MappingProxyType({})
    database_file: str = ""
    bucket: str = ""
    bucket_url: str = ""
    witnesses: tuple[str, ...] = ()
    needed: int | None = None


def settings_of(serve: "Serve", environment: "Mapping[str, str]") -> LogSettings:
    """Those that a configuration has."""
    return LogSettings(
        environment=environment,
        database_file=serve.log_database_file,
        bucket=serve.log_bucket,
        bucket_url=serve.log_bucket_url,
        witnesses=serve.witnesses,
        needed=serve.witnesses_needed,
    )


class LogStores:
    """Databases and tiles, opened once each.

    ``own`` is the database in the folder, once it is open.

    Args:
        folder: the Sigstore's.
        settings: what else there is.
    """

    own: SqliteDatabase

    def __init__(self, folder: str, settings: LogSettings) -> None:
        self._folder, self._settings = folder, settings
        self._other: PostgresDatabase | None = None
        self._client = http_client(settings.environment, _TIMEOUTS)

    def home(self) -> LogHome:
        """Where new logs begin.

        Raises:
            InputError, ConfigError: what the configuration says is none.
        """
        url = self._database_url()
        database = ""
        if url:
            from countermark.adapters import postgresql

            database = postgresql.place_of(url)
        bucket = self._settings.bucket
        if bucket and not _BUCKET.fullmatch(bucket):
            raise InputError(f"not a bucket: {bucket[:200]!r}", hint="write s3://NAME/PREFIX")
        if self._settings.bucket_url and not bucket:
            raise InputError("a bucket's URL without a bucket", hint="give --log-bucket too")
        return LogHome(database=database, bucket=bucket.rstrip("/"))

    def _database_url(self) -> str:
        path = self._settings.database_file
        if not path:
            return self._settings.environment.get(DATABASE_VARIABLE, "")
        content = storage.read(path, limits.POLICY_BYTES)
        if content is None:
            raise ConfigError("there is no such file", file=path)
        url = content.decode("utf-8", "replace").strip()
        if not url:
            raise ConfigError("the file is empty", file=path)
        return url

    def database(self, place: LogPlace) -> LogDatabase:
        """The database in which a log's index is.

        Raises:
            ConfigError: the configuration has another. UnavailableError, StorageError: it cannot be opened.
        """
        if not place.database:
            return self.own
        from countermark.adapters import postgresql

        url = self._database_url()
        if not url or postgresql.place_of(url) != place.database:
            raise ConfigError(
                f"nothing says how to reach {place.database}, where {place.name} is",
                hint=f"give --log-database-file, or set {DATABASE_VARIABLE}",
            )
        if self._other is None:
            self._other = postgresql.PostgresDatabase(url)
            migrate(self._other)
        return self._other

    def files(self, place: LogPlace) -> TileStore:
        """Where a log's tiles are.

        Raises:
            InputError, KeyAccessError: the bucket cannot be reached as the configuration has it.
        """
        if not place.tiles.startswith(BUCKET):
            return TileFolder(os.path.join(self._folder, place.tiles))
        from countermark.adapters.tile_bucket import TileBucket

        found = _BUCKET.fullmatch(place.tiles)
        if found is None:
            raise ConfigError(f"not a bucket: {place.tiles[:200]!r}")
        settings = self._settings
        return TileBucket(settings.environment, found[1], found[2], settings.bucket_url)

    def witnesses(self, clock: Clock) -> Witnesses:
        """The witnesses that the configuration names.

        Raises:
            InputError: what it says of one is wrong, or more are needed than there are.
        """
        found = [self._witness(text) for text in self._settings.witnesses]
        needed = len(found) if self._settings.needed is None else self._settings.needed
        return Witnesses(found, needed, clock)

    def _witness(self, text: str) -> Witness:
        key, _, url = text.strip().partition(" ")
        if not url:
            raise InputError(
                f"not a witness: {text[:200]!r}",
                hint="write its key and its address: NAME+HASH+KEY https://HOST",
            )
        try:
            known = WitnessKey.parse(key)
        except EvidenceError as error:
            raise InputError(str(error)) from None
        return Witness(key=known, server=WitnessOverHttp(self._client, url.strip()))

    def close(self) -> None:
        """Let go of the database that is not in the folder, and of connections."""
        self._client.close()
        if self._other is not None:
            self._other.close()
