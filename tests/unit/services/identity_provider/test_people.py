"""Accounts of two kinds in one place, and new ones."""

import bcrypt
import pytest

from countermark.core.errors import Code, ConfigError, InputError
from countermark.core.ports_hosting import Request
from countermark.core.ports_sigstore import Account
from countermark.services.identity_provider.accounts import new_account
from countermark.services.identity_provider.browsers import Browsers, Session
from countermark.services.identity_provider.grants import CodeGrant, Codes
from countermark.services.identity_provider.people import Guesses, People, Person, is_account_name
from countermark.services.identity_provider.settings import Settings
from identity import (
    ALICE,
    ISSUER,
    NOW,
    PASSWORD,
    ROBOT,
    SECRET,
    Body,
    MemoryUsers,
    Time,
    hashed,
    users,
)


def people(htpasswd: str = "", store: MemoryUsers | None = None) -> People:
    return People(store or users(), Time(), b"secret", lambda: htpasswd)


def test_accounts_of_both_kinds() -> None:
    both = people(f"bob:{hashed('b')}\n# a comment\n")
    assert both.find("bob") == Person(name="bob")
    assert both.find(ALICE) == Person(name=ALICE)
    assert both.find(ROBOT) == Person(name=ROBOT, is_program=True)
    assert both.find("nobody") is None
    assert both.sign_in("bob", "b", "a", page=True) == Person(name="bob")
    assert both.sign_in(ALICE, PASSWORD, "a", page=True) == Person(name=ALICE)


def test_a_program_signs_in_on_no_page() -> None:
    assert people().sign_in(ROBOT, SECRET, "a", page=True) is None
    assert people().sign_in(ROBOT, SECRET, "a", page=False) == Person(name=ROBOT, is_program=True)


def test_of_two_of_one_name_the_kept_one_counts() -> None:
    both = people(f"{ALICE}:{hashed('other')}\n{ROBOT}:{hashed('other')}\n")
    assert both.sign_in(ALICE, "other", "a", page=True) is None
    assert both.sign_in(ALICE, PASSWORD, "a", page=True) is not None
    assert both.find(ROBOT) == Person(name=ROBOT, is_program=True)


def test_an_account_that_would_write_lines_of_its_own() -> None:
    """The names of a store become lines of one text: none may bring another line with it."""
    evil = Account(name=f"x:{hashed('x')}\nroot@example.com", password_hash=hashed("evil"))
    store = MemoryUsers(evil)
    assert people(store=store).sign_in("root@example.com", "evil", "a", page=True) is None


def test_a_file_that_is_broken_stops_the_start() -> None:
    with pytest.raises(ConfigError):
        people("bob:plain\n")


@pytest.mark.parametrize("name", ["a", "a@b.org", "ä", "x" * 254])
def test_names(name: str) -> None:
    assert is_account_name(name)


@pytest.mark.parametrize(
    "name", ["", "a:b", "a b", " a", "#a", "a\n", "a\x00", "\u202ea", "x" * 255]
)
def test_what_is_no_name(name: str) -> None:
    assert not is_account_name(name)


def test_an_address_is_one_where_the_name_is() -> None:
    assert Person(name="a@b.org").email == "a@b.org"
    assert Person(name="bob").email == ""


def test_a_new_account() -> None:
    account = new_account("carol@example.com", "long enough", is_program=True)
    assert account.is_program
    assert account.password_hash.startswith("$2b$12$")
    assert bcrypt.checkpw(b"long enough", account.password_hash.encode())
    assert new_account("carol@example.com", "ä" * 36).name == "carol@example.com"


@pytest.mark.parametrize(
    ("name", "password", "code"),
    [
        ("carol", "long enough", Code.BAD_INPUT),
        ("carol@", "long enough", Code.BAD_INPUT),
        ("#carol@example.com", "long enough", Code.BAD_INPUT),
        ("carol@example.com", "seven 7", Code.PASSPHRASE),
        ("carol@example.com", "", Code.PASSPHRASE),
        ("carol@example.com", "x" * 73, Code.PASSPHRASE),
        ("carol@example.com", "ä" * 37, Code.PASSPHRASE),
        ("carol@example.com", "long enough\0", Code.PASSPHRASE),
    ],
)
def test_what_makes_no_account(name: str, password: str, code: Code) -> None:
    with pytest.raises(InputError) as caught:
        new_account(name, password)
    assert caught.value.code == code
    assert not password or password not in str(caught.value)


def test_guesses_are_counted_for_so_many_names() -> None:
    guesses = Guesses(1, 60)
    guesses.note("first", NOW)
    for number in range(10_000):
        guesses.note(str(number), NOW)
    guesses.refuse("first", NOW)  # forgotten
    assert len(guesses._wrong) == 10_000


def grant(number: int = 0) -> CodeGrant:
    from datetime import timedelta

    return CodeGrant(
        client="c",
        redirect="r",
        challenge="x",
        nonce="",
        scope=frozenset(),
        person=str(number),
        signed_in=NOW,
        expires=NOW + timedelta(seconds=60),
    )


def test_codes_are_bounded() -> None:
    from countermark.core import limits

    codes = Codes()
    first = codes.add(grant())
    for number in range(limits.CODES):
        codes.add(grant(number))
    assert codes.take(first, "t", NOW, NOW) is None
    assert len(codes._waiting) == limits.CODES
    assert not any(first.encode() in key for key in codes._waiting)


def test_used_codes_and_withdrawn_tokens_are_bounded() -> None:
    codes = Codes()
    for number in range(10_001):
        code = codes.add(grant(number))
        assert codes.take(code, f"t{number}", NOW, NOW) is not None
        assert codes.take(code, "again", NOW, NOW) is None
    assert len(codes._redeemed) == len(codes._withdrawn) == 10_000
    assert not codes.is_withdrawn("t0")
    assert codes.is_withdrawn("t10000")
    assert not codes.is_withdrawn("again")


def test_sessions_are_bounded() -> None:
    browsers = Browsers(Settings(issuer=ISSUER), b"secret")
    asked = Request(method="GET", path="", query="", headers={}, body=Body(b""))
    cookies = [browsers.remember(asked, Session(person="p", at=NOW))[0][1] for _ in range(10_001)]
    known = [
        browsers.signed_in(asked.replace(headers={"cookie": cookie.partition(";")[0]}), NOW)
        for cookie in (cookies[0], cookies[-1])
    ]
    assert known == [None, Session(person="p", at=NOW)]
