"""The SQL stores behind the services: SQLite, PostgreSQL.

The statements are SQLAlchemy Core without dialect. What differs between databases (opening, durability, how a commit
by somebody else is noticed) is behind ``Database``, which ``adapters/sqlite.py`` and ``adapters/postgresql.py``
fulfil, over the same tables.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from countermark.adapters.trust_memory import TrustMemory
from countermark.core.errors import Code, RefusedError
from countermark.core.ports_hosting import FeedEntry, StoredFile
from countermark.core.value import Value

SCHEMA_REVISION = "0003"
CACHE_BYTES = 64 * 1024 * 1024  # of one worker: some 40,000 repositories of a few tags
_NOTICE_SECONDS = 0.001
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_CHANGE = "SELECT max(id) FROM changefeed"

_metadata = sa.MetaData()
TUF_FILES = sa.Table(
    "tuf_files",
    _metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("gun", sa.String),
    sa.Column("role", sa.String),
    sa.Column("version", sa.BigInteger),
    sa.Column("sha256", sa.String),
    sa.Column("created_us", sa.BigInteger),
    sa.Column("data", sa.LargeBinary),
)
CHANGEFEED = sa.Table(
    "changefeed",
    _metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("created_us", sa.BigInteger),
    sa.Column("gun", sa.String),
    sa.Column("version", sa.BigInteger),
    sa.Column("sha256", sa.String),
    sa.Column("category", sa.String),
)
SERVER_KEYS = sa.Table(
    "server_keys",
    _metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("key_id", sa.String),
    sa.Column("gun", sa.String),
    sa.Column("role", sa.String),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("created_us", sa.BigInteger),
    sa.Column("pending", sa.Boolean),
)


class Database(Protocol):
    """A database as the stores need it; ``adapters/sqlite.py`` says what each method promises."""

    def reading(self) -> AbstractContextManager[sa.Connection]: ...

    def writing(self) -> AbstractContextManager[sa.Connection]: ...

    def watch(self, query: str, changed: Callable[[int], None]) -> None: ...


def to_microseconds(moment: datetime) -> int:
    """Give a moment as the tables hold it."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(count: int) -> datetime:
    """Take a moment from a table."""
    return _EPOCH + timedelta(microseconds=count)


def migrate(database: Database) -> None:
    """Bring the tables to what this version of the program needs, in one transaction.

    Raises:
        StorageError, UnavailableError: the database refuses.
    """
    with database.writing() as connection:
        if _revision(connection) == SCHEMA_REVISION:
            return
        # most starts end above: Alembic takes 150 ms to load
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option(
            "script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%")
        )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return revision


class SqlTrustStore:
    """The trust server's metadata in a database (port ``TrustStore``).

    Its thief wins what the server serves to everybody anyway. Whoever can write it can withhold publications or serve
    old ones while their timestamp lasts, and delete; not sign: that takes the keys.
    """

    def __init__(self, database: Database, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._database = database
        self._memory = TrustMemory(cache_bytes)
        self._last_change = -1  # the newest changefeed entry that the memory knows of
        self._noticed_at = -1.0
        self._own: dict[
            int, _OwnChange
        ] = {}  # by the entry before it; ours, perhaps not yet committed

    # reading --------------------------------------------------------------------------------------

    def peek(self, gun: str, role: str) -> StoredFile | None:
        """See the port.

        Our own publishes are noticed before they are acknowledged; those of another process after a millisecond at
        most, since to ask each time would cost a tenth of what such a read costs in all.
        """
        moment = time.monotonic()
        if not 0 <= moment - self._noticed_at < _NOTICE_SECONDS:
            self._notice()
            self._noticed_at = moment
        return self._memory.newest(gun, role)

    def newest(self, gun: str, role: str) -> StoredFile | None:
        """See the port."""
        self._notice()
        known = self._memory.newest(gun, role)
        if known is not None:
            return known
        age = self._memory.age
        query = _files(gun, role).order_by(TUF_FILES.c.version.desc()).limit(1)
        file = self._one(query)
        return file and self._memory.remember(file, age, newest=True)

    def by_hash(self, gun: str, role: str, sha256: str) -> StoredFile | None:
        """See the port."""
        self._notice()
        known = self._memory.by_hash(gun, role, sha256)
        if known is not None:
            return known
        age = self._memory.age
        # two versions cannot have the same bytes, since the version is among them
        file = self._one(_files(gun, role).where(TUF_FILES.c.sha256 == sha256).limit(1))
        return file and self._memory.remember(file, age)

    def by_version(self, gun: str, role: str, version: int) -> StoredFile | None:
        """See the port."""
        return self._one(_files(gun, role).where(TUF_FILES.c.version == version))

    def changes(self, gun: str, after: int, count: int) -> Sequence[FeedEntry]:
        """See the port."""
        column = CHANGEFEED.c.id
        query = sa.select(CHANGEFEED).limit(abs(count))
        if gun:
            query = query.where(CHANGEFEED.c.gun == gun)
        if count < 0:
            query = query.order_by(column.desc())
            query = query.where(column < after) if after > 0 else query
        else:
            query = query.order_by(column).where(column > after)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [_feed_entry(row) for row in (reversed(rows) if count < 0 else rows)]

    def check(self) -> None:
        """See the port."""
        with self._database.reading() as connection:
            connection.execute(sa.select(CHANGEFEED.c.id).limit(1))

    def _one(self, query: "sa.Select[tuple[object, ...]]") -> StoredFile | None:
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _stored_file(row)

    def _notice(self) -> None:
        """Forget what has changed since we last looked."""
        self._database.watch(_LAST_CHANGE, self._changed)

    def _changed(self, last: int) -> None:
        """Forget the repositories that we changed ourselves, and everything where somebody else was in between."""
        while self._last_change != last:
            own = self._own.pop(self._last_change, None)
            if own is None:
                self._own = {before: own for before, own in self._own.items() if before >= last}
                self._last_change = last
                self._memory.forget_all()
            else:
                self._last_change = own.change
                self._memory.forget(own.gun, own.roles)

    # writing --------------------------------------------------------------------------------------

    def publish(self, files: Sequence[StoredFile], base: str, now: datetime) -> None:
        """See the port."""
        gun = files[0].gun
        timestamp = next(file for file in files if file.role == "timestamp")
        conflict = RefusedError(
            f"{gun} was published by somebody else meanwhile", code=Code.VERSION_CONFLICT
        )
        newest = sa.select(TUF_FILES.c.sha256)
        newest = newest.where(TUF_FILES.c.gun == gun, TUF_FILES.c.role == "timestamp")
        newest = newest.order_by(TUF_FILES.c.version.desc()).limit(1)

        def add(connection: sa.Connection) -> dict[str, object]:
            if (connection.scalar(newest) or "") != base:
                raise conflict
            connection.execute(sa.insert(TUF_FILES), [_row(file) for file in files])
            return _entry("update", gun, now, timestamp)

        try:
            self._change(add, frozenset(file.role for file in files))
        except (
            sa.exc.IntegrityError
        ):  # the unique (gun, role, version): a version is never replaced
            raise conflict from None
        # whoever publishes after us makes it another before it is acknowledged
        age = self._memory.age
        for file in files:
            self._memory.remember(file, age, newest=True)

    def delete(self, gun: str, now: datetime) -> bool:
        """See the port."""

        def remove(connection: sa.Connection) -> dict[str, object] | None:
            removed = connection.execute(sa.delete(TUF_FILES).where(TUF_FILES.c.gun == gun))
            return _entry("deletion", gun, now) if removed.rowcount else None

        return self._change(remove, None)

    def _change(
        self,
        work: "Callable[[sa.Connection], dict[str, object] | None]",
        roles: frozenset[str] | None,
    ) -> bool:
        """Do some work and add the entry that it returns to the changefeed, all in one transaction.

        Returns whether there was an entry. Before we return the memory knows of the change.
        """
        before = None
        try:
            with self._database.writing() as connection:
                entry = work(connection)
                if entry is None:
                    return False
                before = connection.scalar(sa.select(sa.func.max(CHANGEFEED.c.id))) or 0
                added = connection.execute(sa.insert(CHANGEFEED).values(**entry))
                key = added.inserted_primary_key
                change = int(str(key[0])) if key else 0
                self._own[before] = _OwnChange(change=change, gun=str(entry["gun"]), roles=roles)
        except BaseException:
            if before is not None:  # nobody knows whether it was committed, or under whose number
                self._own.pop(before, None)
                self._memory.forget_all()
            raise
        self._notice()
        return True


class _OwnChange(Value):
    """What we committed ourselves: its entry in the changefeed, and the roles that changed (None: all are gone)."""

    change: int
    gun: str
    roles: frozenset[str] | None


def _entry(
    category: str, gun: str, now: datetime, timestamp: StoredFile | None = None
) -> dict[str, object]:
    return {
        "gun": gun,
        "category": category,
        "created_us": to_microseconds(now),
        "version": timestamp.version if timestamp else 0,
        "sha256": timestamp.sha256 if timestamp else "",
    }


def _files(gun: str, role: str) -> "sa.Select[tuple[object, ...]]":
    return sa.select(TUF_FILES).where(TUF_FILES.c.gun == gun, TUF_FILES.c.role == role)


def _row(file: StoredFile) -> dict[str, object]:
    return {
        "gun": file.gun,
        "role": file.role,
        "version": file.version,
        "sha256": file.sha256,
        "created_us": to_microseconds(file.created),
        "data": file.content,
    }


def _stored_file(row: "sa.Row[tuple[object, ...]]") -> StoredFile:
    return StoredFile(
        gun=row.gun,
        role=row.role,
        version=row.version,
        sha256=row.sha256,
        content=bytes(row.data),
        created=from_microseconds(row.created_us),
    )


def _feed_entry(row: "sa.Row[tuple[object, ...]]") -> FeedEntry:
    return FeedEntry(
        id=row.id,
        gun=row.gun,
        version=row.version,
        sha256=row.sha256,
        category=row.category,
        created=from_microseconds(row.created_us),
    )
