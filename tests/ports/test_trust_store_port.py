"""The laws of a trust server's stores, for the real ones and for those of the tests."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from countermark.adapters.database import SqlTrustStore, migrate
from countermark.adapters.server_keys import SealedKeys
from countermark.adapters.sqlite import SqliteDatabase
from countermark.core.errors import Code, RefusedError
from countermark.core.ports_hosting import ServerKeys, StoredFile, TrustStore
from countermark.proofs.keys import PrivateKey
from trust_server import NOW, MemoryServerKeys, MemoryTrustStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TrustStore]:
    if request.param == "memory":
        yield MemoryTrustStore()
        return
    database = SqliteDatabase(str(tmp_path / "trust.db"))
    migrate(database)
    yield SqlTrustStore(database)
    database.close()


@pytest.fixture(params=["memory", "sqlite"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerKeys]:
    if request.param == "memory":
        yield MemoryServerKeys()
        return
    database = SqliteDatabase(str(tmp_path / "trust.db"))
    migrate(database)
    yield SealedKeys(database, str(tmp_path / "master.key"), make=True)
    database.close()


def file(role: str, version: int, gun: str = "app", text: str = "") -> StoredFile:
    content = f"{gun} {role} {version} {text}".encode()
    return StoredFile(
        gun=gun,
        role=role,
        version=version,
        sha256=sha256(content).hexdigest(),
        content=content,
        created=NOW + timedelta(seconds=version),
    )


def publish(store: TrustStore, version: int, *roles: str, gun: str = "app") -> StoredFile:
    """Publish a version of some roles on top of what is there."""
    newest = store.newest(gun, "timestamp")
    timestamp = file("timestamp", version, gun)
    others = [file(role, version, gun) for role in roles]
    store.publish([*others, timestamp], newest.sha256 if newest else "", NOW)
    return timestamp


def test_nothing(store: TrustStore) -> None:
    assert store.newest("app", "root") is None
    assert store.by_version("app", "root", 1) is None
    assert store.by_hash("app", "root", "0" * 64) is None
    assert store.peek("app", "root") is None
    assert list(store.changes("", 0, 10)) == []
    assert store.delete("app", NOW) is False
    store.check()


def test_all_versions_are_kept_and_the_highest_is_the_newest(store: TrustStore) -> None:
    for version in (1, 2, 10):
        publish(store, version, "targets", "targets/a")
    assert store.newest("app", "targets") == file("targets", 10)
    for version in (1, 2, 10):
        wanted = file("targets/a", version)
        assert store.by_version("app", "targets/a", version) == wanted
        assert store.by_hash("app", "targets/a", wanted.sha256) == wanted
    assert store.by_version("app", "targets/a", 3) is None


def test_a_file_is_read_only_under_its_own_repository_and_role(store: TrustStore) -> None:
    publish(store, 1, "targets", gun="app")
    publish(store, 1, "root", gun="other")
    digest = file("targets", 1).sha256
    for _ in range(2):  # the second time from memory, where there is one
        assert store.by_hash("app", "targets", digest) is not None
        assert store.by_hash("other", "targets", digest) is None
        assert store.by_hash("app", "root", digest) is None


def test_a_publish_that_others_came_before_adds_nothing(store: TrustStore) -> None:
    first = publish(store, 1, "targets")
    publish(store, 2, "targets")
    for base in ("", first.sha256, "0" * 64):
        with pytest.raises(RefusedError) as caught:
            store.publish([file("targets", 3), file("timestamp", 3)], base, NOW)
        assert caught.value.code == Code.VERSION_CONFLICT
    assert store.newest("app", "targets") == file("targets", 2)
    assert store.by_version("app", "targets", 3) is None
    assert len(store.changes("", 0, 10)) == 2


def test_a_version_is_never_replaced(store: TrustStore) -> None:
    newest = publish(store, 1, "targets")
    with pytest.raises(RefusedError) as caught:
        store.publish(
            [file("targets", 1, text="another"), file("timestamp", 2)], newest.sha256, NOW
        )
    assert caught.value.code == Code.VERSION_CONFLICT
    assert store.newest("app", "timestamp") == newest
    assert store.by_version("app", "targets", 1) == file("targets", 1)


def test_deleted_is_gone_and_may_come_back(store: TrustStore) -> None:
    publish(store, 1, "targets")
    publish(store, 1, "targets", gun="app2")
    assert store.newest("app", "targets") is not None
    assert store.delete("app", NOW) is True
    for name in ("targets", "timestamp"):
        assert store.newest("app", name) is None
        assert store.peek("app", name) is None
        assert store.by_hash("app", name, file(name, 1).sha256) is None
        assert store.by_version("app", name, 1) is None
    assert store.newest("app2", "targets") is not None  # not by prefix
    publish(store, 1, "targets")
    assert store.newest("app", "targets") == file("targets", 1)


def test_changes(store: TrustStore) -> None:
    publish(store, 1, "targets")
    publish(store, 1, gun="other")
    publish(store, 2, "targets")
    store.delete("other", NOW)
    found = store.changes("", 0, 10)
    assert [(e.id, e.gun, e.version, e.category) for e in found] == [
        (1, "app", 1, "update"),
        (2, "other", 1, "update"),
        (3, "app", 2, "update"),
        (4, "other", 0, "deletion"),
    ]
    assert found[2].sha256 == file("timestamp", 2).sha256
    assert found[3].sha256 == ""
    assert {entry.created for entry in found} == {NOW}

    def ids(gun: str, after: int, count: int) -> list[int]:
        return [entry.id for entry in store.changes(gun, after, count)]

    assert ids("", 1, 2) == [2, 3]
    assert ids("", 4, 2) == []
    assert ids("", 0, -2) == [3, 4]
    assert ids("", 3, -9) == [1, 2]
    assert ids("other", 0, 10) == [2, 4]
    assert ids("app", 3, -10) == [1]


def test_peek_is_what_newest_said_until_it_changes(store: TrustStore) -> None:
    publish(store, 1, "targets")
    newest = store.newest("app", "targets")
    assert store.peek("app", "targets") is newest
    publish(store, 2, "targets")
    assert store.peek("app", "targets") in (None, file("targets", 2))
    assert store.newest("app", "targets") == file("targets", 2)


def test_of_many_who_publish_on_the_same_base_one_succeeds(store: TrustStore) -> None:
    base = publish(store, 1, "targets").sha256
    won: list[int] = []
    lost: list[Code] = []

    def race(number: int) -> None:
        mine = file("targets", 2, text=str(number))
        try:
            store.publish([mine, file("timestamp", 2, text=str(number))], base, NOW)
        except RefusedError as error:
            lost.append(error.code)
        else:
            won.append(number)

    threads = [threading.Thread(target=race, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert lost == [Code.VERSION_CONFLICT] * 15
    assert store.newest("app", "targets") == file("targets", 2, text=str(won[0]))
    assert store.newest("app", "timestamp") == file("timestamp", 2, text=str(won[0]))


# Keys -----------------------------------------------------------------------------------------------


def test_a_key_is_pending_until_it_is_used(keys: ServerKeys) -> None:
    assert list(keys.held("app", "timestamp")) == []
    first = keys.pending("app", "timestamp", NOW)
    assert keys.pending("app", "timestamp", NOW) == first
    assert list(keys.held("app", "timestamp")) == [first]
    key = PrivateKey.from_der(first.private)
    assert (key.id, key.public.type) == (first.id, "ecdsa")
    keys.used("app", "timestamp", first.id)
    keys.used("app", "timestamp", first.id)
    second = keys.pending("app", "timestamp", NOW)
    assert second != first
    assert list(keys.held("app", "timestamp")) == [second, first]


def test_keys_are_of_one_role_of_one_repository(keys: ServerKeys) -> None:
    found = [
        keys.pending(gun, role, NOW) for gun in ("a", "b") for role in ("snapshot", "timestamp")
    ]
    assert len({key.id for key in found}) == 4
    keys.used("b", "snapshot", found[0].id)  # another's
    assert keys.pending("a", "snapshot", NOW) == found[0]


def test_many_who_ask_at_once_get_the_same_key(keys: ServerKeys) -> None:
    if isinstance(keys, MemoryServerKeys):
        pytest.skip("the tests' own store has no threads to fear")
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(keys.pending("app", "snapshot", NOW).id))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
