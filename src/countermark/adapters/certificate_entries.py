"""A certificate log's entries in a database.

Many threads add at once, and each waits until its entry is on the disk: so whoever comes first writes for all that
wait, in one transaction. Other processes take turns with us, so that the numbers have no gaps.
"""

import threading
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from countermark.adapters.log_index import LogDatabase
from countermark.core.errors import CountermarkError, UnavailableError
from countermark.core.ports_sigstore import LoggedCertificate

_AT_ONCE = 256  # entries in one transaction
_LOCK = "certificate-entries"

_metadata = sa.MetaData()
ENTRIES = sa.Table(
    "certificate_entries",
    _metadata,
    sa.Column("place", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("identity", sa.LargeBinary),
    sa.Column("leaf", sa.LargeBinary),
    sa.Column("extra", sa.LargeBinary),
)


class _Waiting:
    """An entry that somebody waits for: its outcome is the one that is kept, or why none is."""

    def __init__(self, identity: bytes, entry: LoggedCertificate) -> None:
        self.identity, self.entry = identity, entry
        self.outcome: LoggedCertificate | CountermarkError | None = None


class CertificateEntryTable:
    """Entries of a certificate log (port ``CertificateEntries``).

    All of it is public. Whoever can write it can break the log's promises, and can be seen to.
    """

    def __init__(self, database: LogDatabase) -> None:
        """Take a database whose tables are there (``migrate``)."""
        self._database = database
        self._waiting: list[_Waiting] = []
        self._turn = threading.Condition()
        self._is_writing = False

    def add(self, identity: bytes, entry: LoggedCertificate) -> LoggedCertificate:
        """See the port."""
        mine = _Waiting(identity, entry)
        with self._turn:
            self._waiting.append(mine)
            while mine.outcome is None:
                if self._is_writing:
                    self._turn.wait()
                else:
                    self._write_some()
        if isinstance(mine.outcome, LoggedCertificate):
            return mine.outcome
        raise mine.outcome

    def size(self) -> int:
        """See the port."""
        with self._database.reading() as connection:
            return _size(connection)

    def range(self, start: int, end: int) -> Sequence[LoggedCertificate]:
        """See the port."""
        query = sa.select(ENTRIES.c.leaf, ENTRIES.c.extra).order_by(ENTRIES.c.place)
        query = query.where(ENTRIES.c.place >= start, ENTRIES.c.place < end)
        with self._database.reading() as connection:
            return [_entry(row) for row in connection.execute(query)]

    def _write_some(self) -> None:
        """Write what waits and tell each how it went; others may add meanwhile, but not write."""
        batch, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
        unknown = UnavailableError("nobody knows whether the certificate log has the entry")
        outcomes: Sequence[LoggedCertificate | CountermarkError] = [unknown] * len(batch)
        self._is_writing = True
        self._turn.release()
        try:
            outcomes = self._outcomes(batch)
        finally:
            self._turn.acquire()
            for each, outcome in zip(batch, outcomes, strict=True):
                each.outcome = outcome
            self._is_writing = False
            self._turn.notify_all()

    def _outcomes(
        self, batch: Sequence[_Waiting]
    ) -> Sequence[LoggedCertificate | CountermarkError]:
        try:
            kept = self._written(batch)
        except CountermarkError as error:
            return [error] * len(batch)
        except sa.exc.IntegrityError:
            return [UnavailableError("somebody else wrote to the certificate log")] * len(batch)
        return [kept[each.identity] for each in batch]

    def _written(self, batch: Sequence[_Waiting]) -> dict[bytes, LoggedCertificate]:
        """Write what is not there yet, and return what is there of each identity then."""
        with self._database.exclusive(_LOCK), self._database.writing() as connection:
            query = sa.select(ENTRIES.c.identity, ENTRIES.c.leaf, ENTRIES.c.extra)
            query = query.where(ENTRIES.c.identity.in_([each.identity for each in batch]))
            kept = {bytes(row.identity): _entry(row) for row in connection.execute(query)}
            place = _size(connection)
            rows: list[dict[str, object]] = []
            for each in batch:
                if each.identity in kept:
                    continue
                kept[each.identity] = each.entry
                rows.append(
                    {
                        "place": place + len(rows),
                        "identity": each.identity,
                        "leaf": each.entry.leaf,
                        "extra": each.entry.extra,
                    }
                )
            if rows:
                connection.execute(sa.insert(ENTRIES), rows)
        return kept


def _size(connection: sa.Connection) -> int:
    last: int | None = connection.scalar(sa.select(sa.func.max(ENTRIES.c.place)))
    return 0 if last is None else last + 1


def _entry(row: Any) -> LoggedCertificate:  # a row of those two columns, and perhaps others
    return LoggedCertificate(leaf=bytes(row.leaf), extra=bytes(row.extra))
