"""UserStore: the same of the fake and of the file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from countermark.adapters.identity_accounts import AccountFile
from countermark.core.ports_sigstore import Account, UserStore
from identity import MemoryUsers

Make = Callable[[Path], UserStore]
ANNA = Account(name="anna@example.com", password_hash="$2b$04$x")
BERT = Account(name="bert@example.com", password_hash="$2b$04$y", is_program=True)


@pytest.fixture(
    params=[lambda _: MemoryUsers(), lambda path: AccountFile(str(path / "a" / "users"))]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> UserStore:
    make: Make = request.param
    return make(tmp_path)


def test_nobody_at_first(store: UserStore) -> None:
    assert list(store.accounts()) == []
    assert not store.remove("anna@example.com")


def test_put_list_remove(store: UserStore) -> None:
    assert store.put(BERT)
    assert store.put(ANNA)
    assert list(store.accounts()) == [ANNA, BERT]
    assert store.remove(ANNA.name)
    assert not store.remove(ANNA.name)
    assert list(store.accounts()) == [BERT]


def test_an_account_is_replaced_only_where_that_is_meant(store: UserStore) -> None:
    other = ANNA.replace(password_hash="$2b$04$z")
    assert store.put(ANNA)
    assert not store.put(other)
    assert list(store.accounts()) == [ANNA]
    assert store.put(other, replace=True)
    assert list(store.accounts()) == [other]


def test_names_in_other_capitals_are_the_same_to_a_reader(store: UserStore) -> None:
    assert store.put(ANNA)
    for replace in (False, True):
        assert not store.put(ANNA.replace(name="Anna@example.com"), replace=replace)
    assert list(store.accounts()) == [ANNA]
