"""The laws of what is true of a log: in SQLite and in the tests' memory (PostgreSQL: tests/interop)."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import log_index_laws as laws
from countermark.adapters.database import migrate
from countermark.adapters.log_index import SqlLogIndex
from countermark.adapters.sqlite import SqliteDatabase
from countermark.core.errors import UnavailableError
from countermark.core.ports_sigstore import LogIndex
from logs import MemoryIndex


@pytest.fixture(params=["memory", "sqlite"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogIndex]:
    if request.param == "memory":
        yield MemoryIndex()
        return
    database = SqliteDatabase(str(tmp_path / "log.db"))
    migrate(database)
    yield SqlLogIndex(database, "log.example.test")
    database.close()


@pytest.mark.parametrize("law", laws.EACH, ids=lambda law: law.__name__)
def test_law(law: laws.Law, index: LogIndex) -> None:
    law(index)


def test_logs_of_one_database_are_apart(tmp_path: Path) -> None:
    database = SqliteDatabase(str(tmp_path / "log.db"))
    migrate(database)
    laws.check_apart(SqlLogIndex(database, "one"), SqlLogIndex(database, "other"))
    assert SqlLogIndex(database, "one").state().size == 2
    database.close()


def test_who_is_kept_out_too_long_is_told(tmp_path: Path) -> None:
    database = SqliteDatabase(str(tmp_path / "log.db"), busy_seconds=0.05)
    migrate(database)
    one, other = SqlLogIndex(database, "log"), SqlLogIndex(database, "log")
    with one.exclusive():
        with pytest.raises(UnavailableError), other.exclusive():
            raise AssertionError
        assert other.state().size == 0
    with other.exclusive():
        pass
    database.close()


def test_two_make_one_log(tmp_path: Path) -> None:
    database = SqliteDatabase(str(tmp_path / "log.db"))
    migrate(database)
    both = [SqlLogIndex(database, "log") for _ in range(8)]
    threads = [threading.Thread(target=index.state) for index in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({index._log() for index in both}) == 1
    database.close()
