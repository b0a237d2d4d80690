"""The SQL stores: what is acknowledged stays, whatever happens, and what others do is noticed."""

import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from countermark.adapters import database as tables
from countermark.adapters.database import SqlTrustStore, migrate
from countermark.adapters.server_keys import SealedKeys
from countermark.adapters.sqlite import SqliteDatabase
from countermark.adapters.trust_memory import TrustMemory
from countermark.core import limits
from countermark.core.errors import (
    Code,
    CountermarkError,
    KeyAccessError,
    RefusedError,
    StorageError,
    UnavailableError,
)
from countermark.core.ports_hosting import StoredFile
from countermark.proofs import sealing
from trust_server import NOW

pytestmark = pytest.mark.slow

CRASHER = Path(__file__).parents[2] / "crash_trust_store.py"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    opened = SqliteDatabase(str(tmp_path / "trust.db"), busy_seconds=0.3)
    migrate(opened)
    yield opened
    opened.close()


def file(role: str, version: int, gun: str = "app", size: int = 10) -> StoredFile:
    return StoredFile(
        gun=gun,
        role=role,
        version=version,
        sha256=f"{version:064x}",
        content=f"{role}{version}".encode().ljust(size, b"."),
        created=NOW,
    )


def publish(store: SqlTrustStore, version: int, gun: str = "app", size: int = 10) -> None:
    base = f"{version - 1:064x}" if version > 1 else ""
    store.publish([file("targets", version, gun, size), file("timestamp", version, gun)], base, NOW)


# Opening --------------------------------------------------------------------------------------------


def test_the_file_is_private_and_durable(database: SqliteDatabase) -> None:
    publish(SqlTrustStore(database), 1)
    for name in (database.path, database.path + "-wal", database.path + "-shm"):
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    with database.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA query_only").scalar() == 1


def test_migrating_again_changes_nothing_and_keeps_all(tmp_path: Path) -> None:
    path = str(tmp_path / "trust.db")
    for version in (1, 2, 3):
        opened = SqliteDatabase(path)
        migrate(opened)
        publish(SqlTrustStore(opened), version)
        opened.close()
    opened = SqliteDatabase(path)
    assert SqlTrustStore(opened).newest("app", "timestamp") == file("timestamp", 3)
    opened.close()


def test_the_tables_are_those_that_the_migrations_make(database: SqliteDatabase) -> None:
    import sqlalchemy as sa

    with database.reading() as connection:
        found = sa.inspect(connection)
        for table in (tables.TUF_FILES, tables.CHANGEFEED, tables.SERVER_KEYS):
            columns = {column["name"] for column in found.get_columns(table.name)}
            assert columns == {column.name for column in table.columns}
    steps = sorted((Path(tables.__file__).parent / "migrations/versions").glob("0*.py"))
    assert steps[-1].name.startswith(tables.SCHEMA_REVISION)


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (lambda path: path.write_bytes(b"no database, but long enough to be looked at" * 40), None),
        (lambda path: path.mkdir(), Code.REFUSED),
    ],
)
def test_what_cannot_be_opened(tmp_path: Path, prepare, code: Code | None) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "trust.db"
    prepare(path)
    with pytest.raises(StorageError) as caught:
        SqliteDatabase(str(path))
    assert str(path) in str(caught.value)
    assert code is None or caught.value.code == code


# Trouble --------------------------------------------------------------------------------------------


def test_a_locked_database_is_busy_and_nothing_is_added(database: SqliteDatabase) -> None:
    store = SqlTrustStore(database)
    publish(store, 1)
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError, match="is busy") as caught:
        publish(store, 2)
    assert caught.value.http_status == 503
    assert store.newest("app", "timestamp") == file("timestamp", 1)  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    publish(store, 2)
    assert store.newest("app", "timestamp") == file("timestamp", 2)


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    database = SqliteDatabase(str(tmp_path / "trust.db"), max_pages=60)
    migrate(database)
    store = SqlTrustStore(database)
    version = 1
    while store.by_version("app", "targets", version - 1) or version == 1:
        try:
            publish(store, version, size=20_000)
        except StorageError:
            break
        version += 1
    with pytest.raises(StorageError) as caught:
        publish(store, version, size=20_000)
    assert caught.value.code == Code.NO_SPACE
    assert version > 2
    for reader in (store, SqlTrustStore(database)):
        assert reader.newest("app", "timestamp") == file("timestamp", version - 1)
        assert reader.by_version("app", "targets", version) is None
        assert [e.version for e in reader.changes("", 0, 999)] == list(range(1, version))
    store.delete("app", NOW)  # which makes room
    publish(store, 1, size=20_000)
    database.close()


def test_a_full_file_system_loses_nothing(tmp_path: Path) -> None:
    """The kernel refuses to let the file grow (RLIMIT_FSIZE), in the middle of publishes."""
    path = str(tmp_path / "trust.db")
    done = subprocess.run(
        [sys.executable, str(CRASHER), path, "--limit", "400000"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *acknowledged, failure = done.stdout.split()
    assert failure == "no-space"
    check_survivors(path, acknowledged)


def test_killed_at_any_moment_all_that_was_acknowledged_is_there(tmp_path: Path) -> None:
    path = str(tmp_path / "trust.db")
    acknowledged: list[str] = []
    for round_ in range(6):
        with subprocess.Popen(
            [sys.executable, str(CRASHER), path], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            wanted = 5 + 17 * round_  # more lines each time, so that it dies at other places
            acknowledged += [process.stdout.readline().strip() for _ in range(wanted)]
            process.send_signal(signal.SIGKILL)
            acknowledged += process.stdout.read().split("\n")[:-1]
        check_survivors(path, acknowledged)
    assert len(acknowledged) > 100


def check_survivors(path: str, acknowledged: list[str]) -> None:
    database = SqliteDatabase(path)
    migrate(database)
    store = SqlTrustStore(database)
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    for line in acknowledged:
        gun, _, number = line.partition(":")
        found = store.by_version(gun, "timestamp", int(number))
        assert found == file("timestamp", int(number), gun), line
    for gun in {line.partition(":")[0] for line in acknowledged}:
        newest = store.newest(gun, "timestamp")
        assert newest is not None
        # whole publications only: each timestamp with its targets, and a line in the feed
        for version in range(1, newest.version + 1):
            assert store.by_version(gun, "targets", version) is not None
        assert store.by_version(gun, "targets", newest.version + 1) is None
        assert len(store.changes(gun, 0, 10_000)) == newest.version
    database.close()


def test_sixteen_threads_publish_to_sixteen_repositories(database: SqliteDatabase) -> None:
    store = SqlTrustStore(database)
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for version in range(1, 11):
                publish(store, version, gun=f"app{number}")
                newest = store.newest(f"app{number}", "timestamp")
                assert newest is not None
                assert newest.version == version
        except (AssertionError, CountermarkError) as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    feed = store.changes("", 0, 1000)
    assert [entry.id for entry in feed] == list(range(1, 161))


# Memory ---------------------------------------------------------------------------------------------


def test_own_publications_are_forgotten_one_repository_at_a_time(database: SqliteDatabase) -> None:
    store = SqlTrustStore(database)
    for gun in ("a", "b"):
        publish(store, 1, gun)
    kept = store.newest("b", "targets")
    store.newest("a", "targets")
    publish(store, 2, "a")
    assert store.peek("a", "targets") == file("targets", 2, "a")
    assert store.peek("b", "targets") is kept
    with pytest.raises(RefusedError):
        store.publish([file("timestamp", 9, "a")], "0" * 64, NOW)
    assert store.peek("b", "targets") is kept


def test_what_another_process_does_is_noticed(database: SqliteDatabase) -> None:
    ours = SqlTrustStore(database)
    other_database = SqliteDatabase(database.path)
    theirs = SqlTrustStore(other_database)
    publish(ours, 1)
    for version in (2, 4):
        assert ours.newest("app", "timestamp") == file("timestamp", version - 1)
        publish(theirs, version)
        assert ours.newest("app", "timestamp") == file("timestamp", version)
        publish(ours, version + 1)
        assert theirs.newest("app", "timestamp") == file("timestamp", version + 1)
    publish(theirs, 6)
    publish(ours, 7)  # with one of theirs in between
    assert ours.newest("app", "targets") == file("targets", 7)
    theirs.delete("app", NOW)
    assert ours.by_hash("app", "targets", file("targets", 7).sha256) is None
    assert ours.newest("app", "targets") is None
    other_database.close()


def test_a_publish_that_failed_half_way_leaves_no_trace_in_memory(
    tmp_path: Path,
) -> None:
    database = SqliteDatabase(str(tmp_path / "trust.db"), max_pages=40)
    migrate(database)
    store = SqlTrustStore(database)
    publish(store, 1)
    assert store.newest("app", "targets") is not None
    with pytest.raises(StorageError):
        publish(store, 2, size=500_000)
    assert store.newest("app", "targets") == file("targets", 1)
    other = SqliteDatabase(database.path)
    publish(SqlTrustStore(other), 2)  # takes the number that the failed one had
    assert store.newest("app", "targets") == file("targets", 2)
    other.close()
    database.close()


def test_memory_is_bounded_and_forgets_the_longest_unused() -> None:
    memory = TrustMemory(10_000)
    for number in range(100):
        memory.remember(file("targets", 1, f"app{number}", size=1000), memory.age, newest=True)
        memory.newest("app0", "targets")
    assert memory.newest("app0", "targets") is not None
    assert memory.newest("app99", "targets") is not None
    assert memory.newest("app1", "targets") is None
    memory.remember(file("targets", 1, "huge", size=20_000), memory.age, newest=True)
    assert memory.newest("huge", "targets") is None


def test_memory_does_not_take_what_was_read_before_a_change() -> None:
    memory = TrustMemory(10_000)
    age = memory.age
    memory.forget("app", ["targets"])
    memory.remember(file("targets", 1), age, newest=True)
    assert memory.newest("app", "targets") is None
    assert memory.by_hash("app", "targets", file("targets", 1).sha256) is None
    memory.remember(file("targets", 2), memory.age, newest=True)
    assert memory.newest("app", "targets") == file("targets", 2)
    memory.remember(file("root", 1), memory.age, newest=True)
    memory.forget("app", ["targets"])
    assert memory.newest("app", "targets") is None
    assert memory.newest("app", "root") == file("root", 1)
    assert memory.by_hash("app", "targets", file("targets", 2).sha256) is not None
    memory.forget("app", None)
    assert memory.by_hash("app", "targets", file("targets", 2).sha256) is None
    assert memory.newest("app", "root") is None


# Keys -----------------------------------------------------------------------------------------------


def test_keys_are_sealed_under_the_master_key(database: SqliteDatabase, tmp_path: Path) -> None:
    master = tmp_path / "master.key"
    keys = SealedKeys(database, str(master), make=True)
    assert stat.S_IMODE(master.stat().st_mode) == 0o600
    key = keys.pending("app", "timestamp", NOW)
    with database.reading() as connection:
        sealed = connection.exec_driver_sql("SELECT sealed FROM server_keys").scalar_one()
    assert key.private[-32:] not in sealed
    again = SealedKeys(database, str(master), make=False)
    assert list(again.held("app", "timestamp")) == [key]


def test_a_missing_or_wrong_master_key_stops_the_start(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    master = tmp_path / "master.key"
    with pytest.raises(StorageError, match="is missing"):
        SealedKeys(database, str(master), make=False)
    keys = SealedKeys(database, str(master), make=True)
    keys.pending("app", "timestamp", NOW)
    content = master.read_bytes()
    master.unlink()
    with pytest.raises(StorageError, match="is missing") as caught:
        SealedKeys(database, str(master), make=True)  # never a new one beside sealed keys
    assert "restore it from a backup" in caught.value.hint
    assert not master.exists()
    master.write_bytes(sealing.encode_master(sealing.new_master()))
    with pytest.raises(KeyAccessError) as refused:
        SealedKeys(database, str(master), make=True)
    assert refused.value.code == Code.NO_KEY
    master.write_bytes(b"not a key")
    with pytest.raises(KeyAccessError):
        SealedKeys(database, str(master), make=True)
    master.write_bytes(content)
    assert SealedKeys(database, str(master), make=True).held("app", "timestamp")


def test_a_sealed_key_does_not_open_in_another_place(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    keys = SealedKeys(database, str(tmp_path / "master.key"), make=True)
    keys.pending("app", "timestamp", NOW)
    for column, value in (("gun", "evil"), ("role", "snapshot"), ("key_id", "f" * 64)):
        with database.writing() as connection:
            before = connection.exec_driver_sql(f"SELECT {column} FROM server_keys").scalar_one()
            connection.exec_driver_sql(f"UPDATE server_keys SET {column} = ?", (value,))
        gun = value if column == "gun" else "app"
        role = value if column == "role" else "timestamp"
        with pytest.raises(KeyAccessError):
            keys.held(gun, role)
        with database.writing() as connection:
            connection.exec_driver_sql(f"UPDATE server_keys SET {column} = ?", (before,))
    assert keys.held("app", "timestamp")


def test_keys_that_nobody_uses_are_bounded(database: SqliteDatabase, tmp_path: Path) -> None:
    keys = SealedKeys(database, str(tmp_path / "master.key"), make=True)
    old = keys.pending("published", "timestamp", NOW)
    publish(SqlTrustStore(database), 1, "published")
    rows = [
        {
            "key_id": f"{number:064x}",
            "gun": f"never{number}",
            "role": "timestamp",
            "sealed": b"",
            "created_us": tables.to_microseconds(NOW),
            "pending": True,
        }
        for number in range(limits.PENDING_KEYS - 1)
    ]
    with database.writing() as connection:
        connection.execute(tables.SERVER_KEYS.insert(), rows)
    with pytest.raises(UnavailableError, match="too many keys"):
        keys.pending("another", "timestamp", NOW)
    later = NOW + timedelta(seconds=limits.PENDING_KEY_SECONDS + 1)
    keys.pending("another", "timestamp", later)
    assert list(keys.held("published", "timestamp")) == [old]
    assert list(keys.held("never1", "timestamp")) == []
