"""A certificate log's entries on the disk: order, threads, processes, and what goes wrong."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from countermark.adapters.certificate_entries import CertificateEntryTable
from countermark.adapters.database import migrate
from countermark.adapters.sqlite import SqliteDatabase
from countermark.core.errors import Code, StorageError, UnavailableError
from countermark.core.ports_sigstore import CertificateEntries, LoggedCertificate


def entry(number: int) -> LoggedCertificate:
    return LoggedCertificate(leaf=b"leaf %d" % number, extra=b"extra %d" % number)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    opened = SqliteDatabase(str(tmp_path / "entries.db"))
    migrate(opened)
    yield opened
    opened.close()


def test_in_their_order(database: SqliteDatabase) -> None:
    table: CertificateEntries = CertificateEntryTable(database)
    assert table.size() == 0
    assert list(table.range(0, 10)) == []
    for number in range(5):
        assert table.add(b"%d" % number, entry(number)) == entry(number)
    assert table.size() == 5
    assert list(table.range(1, 3)) == [entry(1), entry(2)]
    assert list(table.range(3, 99)) == [entry(3), entry(4)]


def test_the_first_of_an_identity_stays(database: SqliteDatabase) -> None:
    table = CertificateEntryTable(database)
    table.add(b"same", entry(1))
    assert table.add(b"same", entry(2)) == entry(1)
    assert table.size() == 1


def test_they_outlive_us(tmp_path: Path) -> None:
    path = str(tmp_path / "entries.db")
    first = SqliteDatabase(path)
    migrate(first)
    CertificateEntryTable(first).add(b"1", entry(1))
    first.close()
    second = SqliteDatabase(path)
    table = CertificateEntryTable(second)
    table.add(b"2", entry(2))
    assert list(table.range(0, 9)) == [entry(1), entry(2)]
    second.close()


def test_many_threads_of_two_processes_leave_no_gaps(tmp_path: Path) -> None:
    """Two tables on one file are what two processes have."""
    path = str(tmp_path / "entries.db")
    databases = [SqliteDatabase(path, busy_seconds=30) for _ in range(2)]
    migrate(databases[0])
    tables = [CertificateEntryTable(each) for each in databases]
    outcomes: list[LoggedCertificate] = []

    def add(number: int) -> None:
        # every tenth comes twice
        identity = b"%d" % (number - number % 10 if number % 10 == 1 else number)
        for _ in range(5):
            outcomes.append(tables[number % 2].add(identity, entry(number)))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(40)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert len(outcomes) == 200
    kept = tables[0].range(0, 1000)
    assert tables[1].size() == len(kept) == 36
    assert set(outcomes) == set(kept)
    for database in databases:
        database.close()


class Broken:
    """A database whose writing fails once it is asked to."""

    def __init__(self, inner: SqliteDatabase) -> None:
        self.inner, self.problem = inner, None

    problem: BaseException | None

    def reading(self) -> AbstractContextManager[sa.Connection]:
        return self.inner.reading()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        if self.problem is not None:
            raise self.problem
        with self.inner.writing() as connection:
            yield connection

    def watch(self, query: str, changed: object) -> None:
        raise NotImplementedError

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        return self.inner.exclusive(name)

    def close(self) -> None:
        self.inner.close()


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (StorageError("full", code=Code.NO_SPACE), StorageError),
        (UnavailableError("busy"), UnavailableError),
        (sa.exc.IntegrityError("", None, ValueError()), UnavailableError),
    ],
)
def test_what_cannot_be_written(
    database: SqliteDatabase, problem: Exception, expected: type[Exception]
) -> None:
    broken = Broken(database)
    table = CertificateEntryTable(broken)
    broken.problem = problem
    with pytest.raises(expected):
        table.add(b"1", entry(1))
    broken.problem = None
    assert table.add(b"1", entry(1)) == entry(1)


def test_nobody_waits_for_ever_when_writing_ends_in_a_bug(database: SqliteDatabase) -> None:
    broken = Broken(database)
    table = CertificateEntryTable(broken)
    broken.problem = RuntimeError("a bug")
    with pytest.raises(RuntimeError):
        table.add(b"1", entry(1))
    broken.problem = None
    assert table.add(b"2", entry(2)) == entry(2)
    assert table.size() == 1


class Waiting(Broken):
    """A database whose next writing waits until it is let go, and then fails."""

    def __init__(self, inner: SqliteDatabase) -> None:
        super().__init__(inner)
        self.begun, self.go = threading.Event(), threading.Event()
        self.armed = False

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        if self.armed:
            self.begun.set()
            self.go.wait(30)
        with super().writing() as connection:
            yield connection


def test_those_who_wait_for_another_are_told_too(database: SqliteDatabase) -> None:
    waiting = Waiting(database)
    table = CertificateEntryTable(waiting)
    waiting.armed = True
    outcomes: list[object] = []

    def add(number: int) -> None:
        try:
            outcomes.append(table.add(b"%d" % number, entry(number)))
        except UnavailableError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    threads[0].start()
    assert waiting.begun.wait(30)
    for each in threads[1:]:
        each.start()
    waiting.problem = UnavailableError("busy")
    waiting.go.set()
    for each in threads:
        each.join(60)
    assert outcomes == [Code.UNAVAILABLE] * 4
