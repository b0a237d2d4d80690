"""A log, and the trust server's stores, on the real PostgreSQL: the same laws as on SQLite."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import log_index_laws as laws
from countermark.adapters.database import SqlTrustStore, migrate
from countermark.adapters.log_index import SqlLogIndex
from countermark.adapters.postgresql import PostgresDatabase
from countermark.adapters.tile_folder import TileFolder
from countermark.assembly.log_stores import DATABASE_VARIABLE, LogSettings
from countermark.core.errors import (
    Code,
    ConfigError,
    InputError,
    RefusedError,
    StorageError,
    UnavailableError,
)
from countermark.core.ports_hosting import StoredFile
from hosted_sigstore import HostedSigstore
from interop.peers import PostgreSQL
from interop.processes import MissingProgramError, free_port
from logs import entry, opened, sequencer, whole
from trust_server import NOW

_COUNT = iter(range(1000))


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    try:
        started = PostgreSQL()
    except MissingProgramError as missing:
        if os.environ.get("CI"):
            pytest.fail(f"{missing}; in CI every peer has to be there")
        pytest.skip(str(missing))
    yield started
    started.stop()


@pytest.fixture
def url(server: PostgreSQL) -> str:
    """An empty database."""
    name = f"countermark{next(_COUNT)}"
    server._query("postgres", "postgres", f"CREATE DATABASE {name}")
    return f"postgresql://postgres@127.0.0.1:{server.port}/{name}"


@pytest.fixture
def database(url: str) -> Iterator[PostgresDatabase]:
    found = PostgresDatabase(url, busy_seconds=2.0)
    migrate(found)
    migrate(found)
    yield found
    found.close()


@pytest.mark.parametrize("law", laws.EACH, ids=lambda law: law.__name__)
def test_law(law: laws.Law, database: PostgresDatabase) -> None:
    law(SqlLogIndex(database, "log.example.test"))


def test_logs_of_one_database_are_apart(database: PostgresDatabase) -> None:
    laws.check_apart(SqlLogIndex(database, "one"), SqlLogIndex(database, "other"))


def test_a_log_of_two_processes(database: PostgresDatabase, url: str, tmp_path: Path) -> None:
    other = PostgresDatabase(url)
    store = TileFolder(str(tmp_path))
    both = [sequencer(SqlLogIndex(each, "log"), store) for each in (database, other)]
    places: list[int] = []

    def work(thread: int) -> None:
        for number in range(60):
            added = both[thread % 2].add(entry(thread * 100 + number))
            assert opened(added.published.note).size > added.place
            places.append(added.place)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert sorted(places) == list(range(360))
    assert len(whole(store)) == 360


def test_who_is_kept_out_too_long_is_told(database: PostgresDatabase, url: str) -> None:
    other = PostgresDatabase(url, busy_seconds=0.1)
    with database.exclusive("log"):
        with pytest.raises(UnavailableError), other.exclusive("log"):
            raise AssertionError
        with other.exclusive("another"), other.reading() as connection:
            assert connection.scalar(sa.text("SELECT 1")) == 1
    with database.writing(), pytest.raises(UnavailableError), other.writing():
        raise AssertionError
    with pytest.raises(UnavailableError), database.writing(), database.writing():
        raise AssertionError
    other.close()


def test_nobody_writes_where_we_read(database: PostgresDatabase) -> None:
    with pytest.raises(StorageError) as caught, database.reading() as connection:
        connection.execute(sa.text("DELETE FROM logs"))
    assert caught.value.code == Code.REFUSED


def test_what_fails_half_way_did_not_happen(database: PostgresDatabase) -> None:
    def half() -> None:
        with database.writing() as connection:
            connection.execute(sa.text("DELETE FROM alembic_version"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    with database.reading() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM alembic_version")) == 1


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("SELECT * FROM nowhere", StorageError),
        ("SELECT 1/0", StorageError),
        ("SELECT pg_terminate_backend(pg_backend_pid())", UnavailableError),
    ],
)
def test_trouble(statement: str, kind: type[Exception], database: PostgresDatabase) -> None:
    with pytest.raises(kind), database.writing() as connection:
        connection.execute(sa.text(statement))
    with database.reading() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1


def test_databases_that_are_none(server: PostgreSQL) -> None:
    with pytest.raises(StorageError) as caught:
        PostgresDatabase(f"postgresql://postgres:geheim@127.0.0.1:{server.port}/nowhere")
    assert "geheim" not in str(caught.value)
    with pytest.raises(UnavailableError) as away:
        PostgresDatabase(f"postgresql://postgres:geheim@127.0.0.1:{free_port()}/nowhere")
    assert "geheim" not in str(away.value)
    for text in ("", "junk", "sqlite:///x", "mysql://x/y"):
        with pytest.raises(InputError):
            PostgresDatabase(text)


def file(version: int) -> StoredFile:
    return StoredFile(
        gun="app",
        role="timestamp",
        version=version,
        sha256=f"{version:064x}",
        content=b"content",
        created=NOW,
    )


def test_the_trust_server_s_store(database: PostgresDatabase, url: str) -> None:
    other = PostgresDatabase(url)
    one, two = SqlTrustStore(database), SqlTrustStore(other)
    one.publish([file(1)], "", NOW)
    assert two.newest("app", "timestamp") == file(1)
    two.publish([file(2)], file(1).sha256, NOW)
    assert one.newest("app", "timestamp") == file(2)
    with pytest.raises(RefusedError) as caught:
        one.publish([file(3)], file(1).sha256, NOW)
    assert caught.value.code == Code.VERSION_CONFLICT
    assert [each.version for each in one.changes("", 0, 10)] == [1, 2]
    assert two.delete("app", NOW)
    assert one.newest("app", "timestamp") is None
    other.close()


def test_a_whole_sigstore_with_its_logs_here(server: PostgreSQL, url: str, tmp_path: Path) -> None:
    """Its indexes are in the database, whose URL is in the environment alone; the rest is in the folder."""
    box = HostedSigstore(tmp_path, logs=LogSettings(environment={DATABASE_VARIABLE: url}))
    try:
        box.start()
        box.sign("one")
        box.stop()
        box.ok("sigstore", "rotate", "log", "--data", box.data, **{DATABASE_VARIABLE: url})
        box.start()
        for name in ("two", "three"):
            box.sign(name)
        for name in ("one", "two", "three"):
            box.verify(name)
        said = box.ok("log", "verify", box.data, **{DATABASE_VARIABLE: url})
        assert "2 entries; entries, tiles, checkpoint and index are right" in said
        place = url.replace("postgres@", "")
        assert (box.own / "logs.json").read_text().count(f'"{place}"') == 3
        box.stop()
        # another database is not the log's, whatever is in it
        name = "postgres"
        other = f"{url.rpartition('/')[0]}/{name}"
        box.more["logs"] = LogSettings(environment={DATABASE_VARIABLE: other})
        with pytest.raises(ConfigError):
            box.start()
        box.stop()
        box.more["logs"] = LogSettings()
        with pytest.raises(ConfigError):
            box.start()
    finally:
        box.end()
