"""The file of accounts: private, whole, and read strictly."""

import subprocess
import sys
from pathlib import Path

import pytest

from countermark.adapters.identity_accounts import AccountFile
from countermark.core.errors import ConfigError, StorageError
from countermark.core.ports_sigstore import Account

ANNA = Account(name="anna@example.com", password_hash="$2b$04$x")


def file(folder: Path, content: bytes | None = None) -> AccountFile:
    path = folder / "users"
    if content is not None:
        path.write_bytes(content)
    return AccountFile(str(path))


def test_it_is_private_and_looks_like_htpasswd(tmp_path: Path) -> None:
    store = file(tmp_path)
    store.put(ANNA)
    store.put(Account(name="build@example.com", password_hash="$2b$04$y", is_program=True))
    path = tmp_path / "users"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().splitlines()[1:] == [
        "anna@example.com:$2b$04$x",
        "build@example.com:$2b$04$y:program",
    ]
    assert [entry.name for entry in tmp_path.iterdir() if ".tmp" in entry.name] == []


def test_what_htpasswd_made_is_read(tmp_path: Path) -> None:
    store = file(tmp_path, b"# mine\n\nbob:$2y$05$abc\n  anna@example.com:$2b$04$x\r\n")
    assert [account.name for account in store.accounts()] == ["anna@example.com", "bob"]
    assert store.accounts()[0] == ANNA


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"anna", 1),
        (b"# ok\n:$2b$04$x", 2),
        (b"a:x:programs", 1),
        (b"a:x:program:more", 1),
        (b"a:x\nb:y\na:z", 3),
        (b"\xff", 0),
    ],
    ids=range(6),
)
def test_what_is_no_list_of_accounts(tmp_path: Path, content: bytes, line: int) -> None:
    store = file(tmp_path, content)
    with pytest.raises(ConfigError) as caught:
        store.accounts()
    assert caught.value.line == line
    with pytest.raises(ConfigError):  # and nothing is written over it
        store.put(ANNA)
    assert (tmp_path / "users").read_bytes() == content


@pytest.mark.parametrize("name", ["a:b", "a\nroot:x", "a\r", "#a"])
def test_names_that_would_break_a_line(tmp_path: Path, name: str) -> None:
    store = file(tmp_path)
    store.put(ANNA)
    with pytest.raises(ConfigError):
        store.put(Account(name=name, password_hash="x"))
    assert list(store.accounts()) == [ANNA]


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "users").mkdir()
    with pytest.raises(StorageError):
        AccountFile(str(tmp_path / "users")).accounts()


ADD = """
import sys
from countermark.adapters.identity_accounts import AccountFile
from countermark.core.ports_sigstore import Account
for number in range(20):
    AccountFile(sys.argv[1]).put(Account(name=f"{sys.argv[2]}{number}@x.org", password_hash="h"))
"""


def test_processes_that_add_at_once_lose_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "users")
    running = [
        subprocess.Popen([sys.executable, "-c", ADD, path, name]) for name in ("a", "b", "c")
    ]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(AccountFile(path).accounts()) == 60
