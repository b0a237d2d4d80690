"""The index of a log in a database: its state, its entries' identities and terms, bodies that are not settled.

An entry is in the log once the transaction of ``append`` has committed, and not before. That only succeeds on the
state it was made for, so that two processes never add two entries at one place, whatever locks do.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import sqlalchemy as sa

from countermark.adapters.database import Database
from countermark.core.errors import Code, RefusedError
from countermark.core.ports_sigstore import IndexedEntry, LogState
from countermark.proofs.log import EMPTY_ROOT

_AT_ONCE = 500  # identities or terms in one question
_metadata = sa.MetaData()
LOGS = sa.Table(
    "logs",
    _metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("name", sa.String),
    sa.Column("size", sa.BigInteger),
    sa.Column("root", sa.LargeBinary),
    sa.Column("settled", sa.BigInteger),
    sa.Column("frozen", sa.Boolean),
)
ENTRIES = sa.Table(
    "log_entries",
    _metadata,
    sa.Column("log", sa.BigInteger),
    sa.Column("place", sa.BigInteger),
    sa.Column("identity", sa.LargeBinary),
)
TERMS = sa.Table(
    "log_terms",
    _metadata,
    sa.Column("log", sa.BigInteger),
    sa.Column("term", sa.LargeBinary),
    sa.Column("place", sa.BigInteger),
)
BODIES = sa.Table(
    "log_bodies",
    _metadata,
    sa.Column("log", sa.BigInteger),
    sa.Column("place", sa.BigInteger),
    sa.Column("body", sa.LargeBinary),
    sa.Column("extra", sa.LargeBinary),
)
# made once: to build a statement costs more than to run it
_LOG: sa.BindParameter[int] = sa.bindparam("of_log")
_OF: sa.BindParameter[bytes] = sa.bindparam("wanted", expanding=True)
_STATE = sa.select(LOGS.c.size, LOGS.c.root, LOGS.c.settled, LOGS.c.frozen)
_STATE = _STATE.where(LOGS.c.id == _LOG)
_FIND = sa.select(ENTRIES.c.identity, ENTRIES.c.place)
# not by the log, which SQLite would take for the rarer of the two, and read all of it
_FIND = _FIND.where(ENTRIES.c.log + 0 == _LOG, ENTRIES.c.identity.in_(_OF))
_GROW = sa.update(LOGS).where(
    LOGS.c.id == _LOG,
    LOGS.c.size == sa.bindparam("old_size"),
    LOGS.c.root == sa.bindparam("old_root"),
    LOGS.c.frozen.is_(False),
)
_GROW = _GROW.values(
    size=sa.bindparam("new_size"), root=sa.bindparam("new_root"), settled=sa.bindparam("done")
)
_DROP = sa.delete(BODIES).where(BODIES.c.log == _LOG, BODIES.c.place < sa.bindparam("done"))


class LogDatabase(Database, Protocol):
    """A database in which several processes can agree who works on something."""

    def exclusive(self, name: str) -> AbstractContextManager[None]: ...


class SqlLogIndex:
    """The index of one log (port ``LogIndex``).

    Args:
        database: where it is; its tables are there (``migrate``).
        name: the log's; several may share a database.
    """

    def __init__(self, database: LogDatabase, name: str) -> None:
        self._database, self._name = database, name
        self._number = 0

    def exclusive(self) -> AbstractContextManager[None]:
        """See the port."""
        return self._database.exclusive(f"log-{self._log()}")

    def _log(self) -> int:
        """The log's number; it is made where there is none."""
        if not self._number:
            query = sa.select(LOGS.c.id).where(LOGS.c.name == self._name)
            with self._database.reading() as connection:
                number = connection.scalar(query)
            if number is None:
                number = self._make(query)
            self._number = number
        return self._number

    def _make(self, query: "sa.Select[int]") -> int:
        new = {"name": self._name, "size": 0, "root": EMPTY_ROOT, "settled": 0, "frozen": False}
        try:
            with self._database.writing() as connection:
                connection.execute(sa.insert(LOGS).values(**new))
        except sa.exc.IntegrityError:
            pass  # somebody else has made it meanwhile
        with self._database.reading() as connection:
            return connection.scalars(query).one()

    def state(self) -> LogState:
        """See the port."""
        with self._database.reading() as connection:
            row = connection.execute(_STATE, {"of_log": self._log()}).one()
        return LogState(
            size=row.size, root=bytes(row.root), settled=row.settled, is_frozen=bool(row.frozen)
        )

    def find(self, identities: Sequence[bytes]) -> Mapping[bytes, int]:
        """See the port."""
        found: dict[bytes, int] = {}
        log = self._log()
        with self._database.reading() as connection:
            for start in range(0, len(identities), _AT_ONCE):
                wanted = list(identities[start : start + _AT_ONCE])
                rows = connection.execute(_FIND, {"of_log": log, "wanted": wanted})
                found |= {bytes(row.identity): row.place for row in rows}
        return found

    def append(
        self, base: LogState, entries: Sequence[IndexedEntry], root: bytes, settled: int
    ) -> None:
        """See the port."""
        log = self._log()
        places = range(base.size, base.size + len(entries))
        change = {
            "of_log": log,
            "old_size": base.size,
            "old_root": base.root,
            "new_size": places.stop,
            "new_root": root,
            "done": settled,
        }
        try:
            with self._database.writing() as connection:
                if connection.execute(_GROW, change).rowcount != 1:
                    raise _conflict()
                self._insert(connection, log, zip(places, entries, strict=True))
                if settled > base.settled:
                    connection.execute(_DROP, {"of_log": log, "done": settled})
        except sa.exc.IntegrityError:
            raise _conflict() from None

    def _insert(
        self, connection: sa.Connection, log: int, entries: "zip[tuple[int, IndexedEntry]]"
    ) -> None:
        rows, bodies, terms = [], [], []
        for place, entry in entries:
            rows.append({"log": log, "place": place, "identity": entry.identity})
            bodies.append({"log": log, "place": place, "body": entry.body, "extra": entry.extra})
            terms += [{"log": log, "place": place, "term": each} for each in set(entry.terms)]
        connection.execute(sa.insert(ENTRIES), rows)
        connection.execute(sa.insert(BODIES), bodies)
        if terms:
            connection.execute(sa.insert(TERMS), terms)

    def unsettled(self, start: int) -> Sequence[tuple[bytes, bytes]]:
        """See the port."""
        query = sa.select(BODIES.c.body, BODIES.c.extra).order_by(BODIES.c.place)
        query = query.where(BODIES.c.log == self._log(), BODIES.c.place >= start)
        with self._database.reading() as connection:
            return [(bytes(row.body), bytes(row.extra)) for row in connection.execute(query)]

    def freeze(self) -> None:
        """See the port."""
        frozen = sa.update(LOGS).where(LOGS.c.id == self._log()).values(frozen=True)
        with self._database.writing() as connection:
            connection.execute(frozen)

    def search(self, terms: Sequence[bytes], limit: int) -> Sequence[int]:
        """See the port."""
        found: set[int] = set()
        with self._database.reading() as connection:
            for start in range(0, len(terms), _AT_ONCE):
                wanted = list(terms[start : start + _AT_ONCE])
                query = sa.select(TERMS.c.place).order_by(TERMS.c.place).limit(limit)
                query = query.where(TERMS.c.log + 0 == self._log(), TERMS.c.term.in_(wanted))
                found.update(connection.scalars(query))
        return sorted(found)[:limit]

    def listed(self, start: int, count: int) -> Sequence[tuple[int, bytes, frozenset[bytes]]]:
        """See the port."""
        log, end = self._log(), start + count
        entries = sa.select(ENTRIES.c.place, ENTRIES.c.identity).order_by(ENTRIES.c.place)
        entries = entries.where(
            ENTRIES.c.log == log, ENTRIES.c.place >= start, ENTRIES.c.place < end
        )
        terms = sa.select(TERMS.c.place, TERMS.c.term)
        terms = terms.where(TERMS.c.log == log, TERMS.c.place >= start, TERMS.c.place < end)
        with self._database.reading() as connection:
            rows = connection.execute(entries).all()
            of_place: dict[int, set[bytes]] = {}
            for place, term in connection.execute(terms):
                of_place.setdefault(place, set()).add(bytes(term))
        return [
            (place, bytes(identity), frozenset(of_place.get(place, ()))) for place, identity in rows
        ]


def _conflict() -> RefusedError:
    return RefusedError("somebody else has added to the log meanwhile", code=Code.VERSION_CONFLICT)
