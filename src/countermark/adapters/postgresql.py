"""PostgreSQL under our servers, through psycopg 3: one writer, many readers, foreign errors translated.

It is the extra ``postgresql``. Everything that only PostgreSQL understands is here; what is above speaks SQLAlchemy
Core. Whoever can write the database can change all that is in it; whoever can read it reads it: secrets are sealed
before they come here.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256

import sqlalchemy as sa

from countermark.adapters.turns import Turns
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    StorageError,
    UnavailableError,
)

_READERS, _READERS_MORE = 8, 24  # connections kept, and opened under load
_CONNECT_SECONDS = 10
# Error codes (postgresql.org/docs/15/errcodes-appendix.html), or the classes that they begin with
_FULL = ("53100", "53400", "54")
_BUSY = ("55P03", "57014", "40", "53", "57P", "08")
_NOT_ALLOWED = ("28", "42501", "25006", "3D", "3F")
_REFUSED = ("authentication failed", "does not exist", "permission denied", "no pg_hba.conf entry")
_WRITER = "countermark writer"


def translated(error: BaseException, place: str) -> CountermarkError:
    """Turn what psycopg or SQLAlchemy raised into ours; ``place`` names the database, without a password."""
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None) or ""
    reason = str(cause).strip().partition("\n")[0][:300]
    what = f"database {place}: {reason}"
    if state.startswith(_FULL):
        return StorageError(what, code=Code.NO_SPACE, hint="free some space, and try again")
    refused = not state and any(words in reason for words in _REFUSED)
    if state.startswith(_NOT_ALLOWED) or refused:
        return StorageError(what, code=Code.REFUSED)
    if not state or state.startswith(_BUSY):  # no state: no connection, or it broke
        return UnavailableError(what, hint="try again")
    return StorageError(what)


def _parsed(url: str) -> sa.URL:
    try:
        address = sa.engine.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise InputError("not the URL of a database") from None
    if address.get_backend_name() != "postgresql":
        raise InputError(f"not the URL of a PostgreSQL database: {address.get_backend_name()}")
    return address


def place_of(url: str) -> str:
    """Where a database is, without who opens it and how: ``postgresql://HOST:PORT/NAME``.

    Raises:
        InputError: no such URL.
    """
    found = _parsed(url)
    place = sa.URL.create("postgresql", host=found.host, port=found.port, database=found.database)
    return place.render_as_string()


class PostgresDatabase:
    """One database, read by many threads and written by one at a time, whoever of us it is.

    One writer is what the stores rely on: numbers are in the order of the commits. ``synchronous_commit``: a commit
    that has returned is on the server's disk.

    Args:
        url: ``postgresql://USER:PASSWORD@HOST:PORT/NAME``; parameters after ``?`` are libpq's, as ``sslmode``.
        busy_seconds: the longest wait for another writer.
    """

    def __init__(self, url: str, *, busy_seconds: float = 5.0) -> None:
        """Open it.

        Raises:
            InputError: no such URL, or psycopg is not installed. UnavailableError, StorageError: see ``translated``.
        """
        address = _parsed(url).set(drivername="postgresql+psycopg")
        self._place = address.set(password=None, query={}).render_as_string()
        milliseconds = int(busy_seconds * 1000)
        settings = {
            "lock_timeout": milliseconds,
            "idle_in_transaction_session_timeout": 60_000,
            "synchronous_commit": "on",
            "timezone": "UTC",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        try:
            self._engine = sa.create_engine(
                address,
                pool_size=_READERS,
                max_overflow=_READERS_MORE,
                pool_timeout=busy_seconds,
                pool_pre_ping=True,
                hide_parameters=True,
                connect_args={"options": options, "connect_timeout": _CONNECT_SECONDS},
            )
        except ImportError:
            raise InputError(
                "PostgreSQL needs psycopg", hint="install countermark[postgresql]"
            ) from None
        self._write_lock, self._watch_lock = Turns(), threading.Lock()
        self._busy_seconds = busy_seconds
        self._watch_seen: int | None = None
        with self.reading() as connection:
            connection.execute(sa.text("SELECT 1"))

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection in one consistent read transaction.

        Raises:
            UnavailableError, StorageError: see ``translated``.
        """
        try:
            with self._engine.connect() as connection:
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise translated(error, self._place) from None

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that commits at the end of the block, durably; nobody else writes then.

        Unique constraints raise ``sqlalchemy.exc.IntegrityError`` to the caller, who knows what they mean.

        Raises:
            UnavailableError, StorageError: see ``translated``.
        """
        # ours wait here rather than each with a connection
        if not self._write_lock.acquire(timeout=self._busy_seconds):
            raise UnavailableError(f"database {self._place} is busy", hint="try again")
        try:
            with self._engine.begin() as connection:
                _lock(connection, _WRITER)
                yield connection
        except sa.exc.IntegrityError:
            raise
        except sa.exc.SQLAlchemyError as error:
            raise translated(error, self._place) from None
        finally:
            self._write_lock.release()

    def watch(self, query: str, changed: Callable[[int], None]) -> None:
        """Ask for one integer that every commit changes, and hand it over where it is another than last time.

        Calls wait for each other, so that what one of them has noticed is dealt with before another returns.

        Raises:
            UnavailableError, StorageError: see ``translated``.
        """
        with self._watch_lock:
            with self.reading() as connection:
                found = connection.scalar(sa.text(query)) or 0
            if found != self._watch_seen:
                changed(found)
                self._watch_seen = found

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Keep everybody else who asks for the same name out, on any host; reading and writing go on.

        By an advisory lock, which the server lets go of when its holder ends, or is out of reach.

        Raises:
            UnavailableError: somebody else has held it as long as we wait. StorageError.
        """
        try:
            with self._engine.begin() as connection:
                # a batch may take as long as its witnesses do
                connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                _lock(connection, f"countermark {name}")
                yield
        except sa.exc.SQLAlchemyError as error:
            raise translated(error, self._place) from None

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _lock(connection: sa.Connection, name: str) -> None:
    number = int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
