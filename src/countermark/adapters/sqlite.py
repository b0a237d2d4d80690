"""SQLite under our servers: durable, one writer, many readers, foreign errors translated.

Everything that only SQLite understands is here; what is above speaks SQLAlchemy Core. Whoever can write the file can
change all that is in it; whoever can read it reads it: secrets are sealed before they come here.
"""

import errno
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from countermark.adapters.turns import Turns
from countermark.core.errors import Code, CountermarkError, StorageError, UnavailableError

_READERS = 8  # connections kept; more are opened under load and closed after
_READERS_MORE = 56  # beyond the kept ones: a worker thread never waits for a connection
_POLL_SECONDS = 0.001  # between two tries to be the only one
# Result codes (sqlite.org/rescode.html) whose low byte tells the kind
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_TOOBIG)
_NOT_ALLOWED = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def translated(error: BaseException, path: str) -> CountermarkError:
    """Turn what SQLite or SQLAlchemy raised into ours."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", 0)
    what = f"database {path}: {cause}"
    if isinstance(error, sa.exc.TimeoutError) or code & 0xFF in _BUSY:
        return UnavailableError(f"database {path} is busy", hint="try again")
    if code in _FULL or code & 0xFF in _FULL:
        return StorageError(what, code=Code.NO_SPACE, hint="free some space, and try again")
    if code & 0xFF in _NOT_ALLOWED:
        return StorageError(what, code=Code.REFUSED)
    if code & 0xFF in _DAMAGED:
        return StorageError(what, hint="restore it from a backup")
    return StorageError(what)


def _of_system(error: OSError, path: str) -> StorageError:
    """Turn what the system says about a file beside the database into ours."""
    code = Code.NO_SPACE if error.errno in (errno.ENOSPC, errno.EDQUOT) else Code.UNAVAILABLE
    return StorageError(f"database {path}: {os.strerror(error.errno or 0).lower()}", code=code)


class SqliteDatabase:
    """One database file, opened for reading by many threads and for writing by one at a time.

    WAL with ``synchronous=FULL``: a commit that has returned is on the disk, so neither a killed process nor a power
    failure takes back what was acknowledged (sqlite.org/pragma.html#pragma_synchronous).

    Args:
        path: the file, made private (0600) if missing; its folder must exist.
        busy_seconds: the longest wait for another writer, here or in another process.
        max_pages: the most pages of 4 KiB that the file may have; None for no limit of ours.
    """

    def __init__(
        self, path: str, *, busy_seconds: float = 5.0, max_pages: int | None = None
    ) -> None:
        self.path = path
        self._busy_seconds = busy_seconds
        self._max_pages = max_pages
        self._write_lock = Turns()
        self._watch_lock = threading.Lock()
        self._watch_seen = -1
        try:
            _make_private(path)
            self._reader = self._engine(readers=True)
            self._writer = self._engine(readers=False)
            self._watch = self._connect(readers=True)
            self._watch.execute("PRAGMA busy_timeout = 0")
        except (OSError, sqlite3.Error, sa.exc.SQLAlchemyError) as error:
            raise translated(error, path) from None

    def _connect(self, *, readers: bool) -> sqlite3.Connection:
        # isolation_level None: the driver begins no transaction of its own, so that ours are what we say
        connection = sqlite3.connect(
            self.path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        pragmas = ["journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"]
        pragmas += ["trusted_schema = OFF", "temp_store = MEMORY", "cache_size = -8192"]
        pragmas += ["query_only = ON"] if readers else ["journal_size_limit = 67108864"]
        if self._max_pages is not None and not readers:
            pragmas.append(f"max_page_count = {self._max_pages:d}")
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _engine(self, *, readers: bool) -> sa.Engine:
        engine = sa.create_engine(
            "sqlite+pysqlite://",
            creator=lambda: self._connect(readers=readers),
            poolclass=QueuePool,
            pool_size=_READERS if readers else 1,
            max_overflow=_READERS_MORE if readers else 0,
            pool_timeout=self._busy_seconds,
        )
        begin = "BEGIN" if readers else "BEGIN IMMEDIATE"
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection in one consistent read transaction.

        Raises:
            UnavailableError, StorageError: see ``translated``.
        """
        try:
            with self._reader.connect() as connection:
                yield connection
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            raise translated(error, self.path) from None

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give the one writing connection in a transaction that commits at the end of the block, durably.

        Unique constraints raise ``sqlalchemy.exc.IntegrityError`` to the caller, who knows what they mean.

        Raises:
            UnavailableError, StorageError: see ``translated``.
        """
        if not self._write_lock.acquire(timeout=self._busy_seconds):
            raise UnavailableError(f"database {self.path} is busy", hint="try again")
        try:
            with self._writer.begin() as connection:
                yield connection
        except sa.exc.IntegrityError:
            raise
        except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
            raise translated(error, self.path) from None
        finally:
            self._write_lock.release()

    def watch(self, query: str, changed: Callable[[int], None]) -> None:
        """Once anybody, in any process, has committed since the last call: ask for one integer and hand it over.

        Takes a few microseconds (reading takes no lock in WAL). Calls wait for each other, so that what one of them
        has noticed is dealt with before another returns.

        Raises:
            UnavailableError, StorageError: see ``translated``.
        """
        try:
            with self._watch_lock:
                version = self._watch.execute("PRAGMA data_version").fetchone()[0]
                if version != self._watch_seen:
                    changed(self._watch.execute(query).fetchone()[0] or 0)
                    self._watch_seen = version
        except sqlite3.Error as error:
            raise translated(error, self.path) from None

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Keep everybody else who asks for the same name out, in any process; reading and writing go on.

        By a lock on a file beside the database, which the system lets go of when its holder ends, however that does.

        Raises:
            UnavailableError: somebody else has held it as long as we wait. StorageError: the file cannot be made.
        """
        try:
            descriptor = os.open(
                f"{self.path}.{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise _of_system(error, self.path) from None
        try:
            self._lock(descriptor, name)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int, name: str) -> None:
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise UnavailableError(
                        f"somebody else keeps {name} of {self.path}", hint="try again"
                    ) from None
                time.sleep(_POLL_SECONDS)
            except OSError as error:
                raise _of_system(error, self.path) from None
            else:
                return

    def close(self) -> None:
        """Close all connections."""
        self._reader.dispose()
        self._writer.dispose()
        with self._watch_lock:
            self._watch.close()


def _make_private(path: str) -> None:
    """Create the file 0600 before SQLite does; its -wal and -shm take the same mode from it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    os.close(descriptor)
    folder = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the name survives a power failure, as the content will
    finally:
        os.close(folder)


def copy(path: str, to: str) -> None:
    """Copy a database as it is at one moment, whoever writes it meanwhile; the copy is a whole file of its own.

    Raises:
        StorageError, UnavailableError: see ``translated``.
    """
    try:
        _make_private(to)
        source = sqlite3.connect(path, isolation_level=None)
        try:
            target = sqlite3.connect(to, isolation_level=None)
            try:
                source.backup(target)
            finally:
                target.close()
        finally:
            source.close()
    except (OSError, sqlite3.Error) as error:
        raise translated(error, path) from None
