"""The ports of a trust folder, TrustCache and KeyFiles: laws that every implementation keeps."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from countermark.adapters.trust_folder import CachedMetadata, PrivateKeys
from countermark.core.errors import InputError
from countermark.core.ports import KeyFiles, StoredKey, TrustCache

GUN, OTHER = "localhost:5000/team/pay", "localhost:5000/team"
NAMES = (
    "root",
    "timestamp",
    "snapshot",
    "targets",
    "targets/releases",
    "targets/a/b",
    "countermark",
)
ONE, TWO = "1" * 64, "2" * 64

# each makes an implementation that shares what it holds with others made for the same place
CACHES: list[Callable[[str], TrustCache]] = [CachedMetadata]
KEYS: list[Callable[[str], KeyFiles]] = [PrivateKeys]


@pytest.fixture(params=CACHES)
def make_cache(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], TrustCache]:
    return lambda: request.param(str(tmp_path))


@pytest.fixture(params=KEYS)
def make_keys(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], KeyFiles]:
    return lambda: request.param(str(tmp_path))


def pem(role: str) -> bytes:
    return (
        f"-----BEGIN PRIVATE KEY-----\nrole: {role}\n\nAAAA\n-----END PRIVATE KEY-----\n".encode()
    )


def test_nothing_is_there_at_first(make_cache: Callable[[], TrustCache]) -> None:
    assert [make_cache().read(GUN, name) for name in NAMES] == [None] * len(NAMES)


def test_what_was_written_is_read_by_everybody(make_cache: Callable[[], TrustCache]) -> None:
    files = {name: f"content of {name}".encode() for name in NAMES}
    make_cache().write(GUN, files)
    reader = make_cache()
    assert {name: reader.read(GUN, name) for name in NAMES} == files
    assert [reader.read(OTHER, name) for name in NAMES] == [None] * len(NAMES)


def test_files_are_replaced_and_removed_one_by_one(make_cache: Callable[[], TrustCache]) -> None:
    cache = make_cache()
    cache.write(GUN, {"root": b"1", "targets": b"1", "countermark": b"1"})
    cache.write(GUN, {"targets": b"22", "countermark": None, "snapshot": None})
    assert [cache.read(GUN, name) for name in ("root", "targets", "countermark")] == [
        b"1",
        b"22",
        None,
    ]


@pytest.mark.parametrize("gun", ["", "../x", "a//b", "/a"])
def test_odd_repositories_are_the_callers_mistake(
    make_cache: Callable[[], TrustCache], gun: str
) -> None:
    with pytest.raises(InputError):
        make_cache().read(gun, "root")


@pytest.mark.parametrize("name", ["", "Root", "targets/", "targets/../root", "other"])
def test_odd_names_are_the_callers_mistake(make_cache: Callable[[], TrustCache], name: str) -> None:
    with pytest.raises(InputError):
        make_cache().write(GUN, {name: b""})


def test_the_lock_is_one_repositorys(make_cache: Callable[[], TrustCache]) -> None:
    """Two that take it count up without losing a step; another repository's lock is not in their way."""
    cache = make_cache()
    cache.write(GUN, {"countermark": b"0"})

    def count() -> None:
        mine = make_cache()
        for _ in range(20):
            with mine.locked(GUN):
                value = int(mine.read(GUN, "countermark") or b"")
                mine.write(GUN, {"countermark": str(value + 1).encode()})

    threads = [threading.Thread(target=count) for _ in range(3)]
    with cache.locked(OTHER):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert cache.read(GUN, "countermark") == b"60"


def test_the_lock_is_given_back_after_a_failure(make_cache: Callable[[], TrustCache]) -> None:
    def broken() -> None:
        with make_cache().locked(GUN):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the one raised above
        broken()
    with make_cache().locked(GUN):
        pass


def test_keys_are_listed_in_order(make_keys: Callable[[], KeyFiles]) -> None:
    keys = make_keys()
    assert list(keys.list()) == []
    keys.write(TWO, pem("root"))
    keys.write(ONE, pem("alice"))
    assert list(make_keys().list()) == [
        StoredKey(id=ONE, role="alice"),
        StoredKey(id=TWO, role="root"),
    ]


def test_keys_are_read_replaced_and_removed(make_keys: Callable[[], KeyFiles]) -> None:
    keys = make_keys()
    assert keys.read(ONE) is None
    keys.write(ONE, pem("alice"))
    keys.write(ONE, pem("bob"))
    assert make_keys().read(ONE) == pem("bob")
    keys.remove(ONE)
    keys.remove(ONE)
    assert make_keys().read(ONE) is None
    assert list(keys.list()) == []
