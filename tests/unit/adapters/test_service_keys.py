"""A Sigstore's private keys in files: sealed, each for its own name, and never lost silently."""

from collections.abc import Callable
from pathlib import Path

import pytest

from countermark.adapters.service_keys import SealedFiles
from countermark.core import limits
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    KeyAccessError,
    MalformedError,
    StorageError,
)

SECRET = b"a private key in PKCS 8"


@pytest.fixture
def keys(tmp_path: Path) -> SealedFiles:
    return SealedFiles(str(tmp_path / "keys"), str(tmp_path / "master.key"), make=True)


def again(tmp_path: Path, *, make: bool = False) -> SealedFiles:
    return SealedFiles(str(tmp_path / "keys"), str(tmp_path / "master.key"), make=make)


def test_what_is_put_is_there_again(keys: SealedFiles, tmp_path: Path) -> None:
    assert (keys.names(), keys.get("fulcio-1")) == ([], None)
    keys.put("fulcio-1", SECRET)
    keys.put("ct-1", b"another")
    for each in (keys, again(tmp_path), again(tmp_path, make=True)):
        assert each.names() == ["ct-1", "fulcio-1"]
        assert (each.get("fulcio-1"), each.get("ct-1")) == (SECRET, b"another")


def test_files_are_private_and_sealed(keys: SealedFiles, tmp_path: Path) -> None:
    keys.put("fulcio-1", SECRET)
    file = tmp_path / "keys" / "fulcio-1.key"
    assert SECRET not in file.read_bytes()
    assert [
        path.stat().st_mode & 0o777 for path in (file, tmp_path / "keys", tmp_path / "master.key")
    ] == [
        0o600,
        0o700,
        0o600,
    ]


def test_a_key_is_never_replaced(keys: SealedFiles) -> None:
    keys.put("fulcio-1", SECRET)
    with pytest.raises(KeyAccessError) as caught:
        keys.put("fulcio-1", b"another")
    assert caught.value.code == Code.KEY_EXISTS
    assert keys.get("fulcio-1") == SECRET


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../a", "A", "a b", "a_b", "-a", "a.", "a" * 65]
)
def test_names(keys: SealedFiles, name: str) -> None:
    with pytest.raises(InputError):
        keys.put(name, SECRET)
    with pytest.raises(InputError):
        keys.get(name)


def test_other_files_are_no_keys(keys: SealedFiles, tmp_path: Path) -> None:
    keys.put("fulcio-1", SECRET)
    (tmp_path / "keys" / "Notes.key").write_bytes(b"x")
    (tmp_path / "keys" / "notes.txt").write_bytes(b"x")
    (tmp_path / "keys" / "old").mkdir()
    (tmp_path / "keys" / "old" / "fulcio-0.key").write_bytes(b"x")
    (tmp_path / "keys" / "link.key").symlink_to(tmp_path / "keys" / "fulcio-1.key")
    assert again(tmp_path).names() == ["fulcio-1"]


def _swapped(folder: Path) -> None:
    (folder / "keys" / "ct-1.key").write_bytes((folder / "keys" / "fulcio-1.key").read_bytes())


def _flipped(folder: Path) -> None:
    file = folder / "keys" / "ct-1.key"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def _emptied(folder: Path) -> None:
    (folder / "keys" / "ct-1.key").write_bytes(b"")


def _long(folder: Path) -> None:
    (folder / "keys" / "ct-1.key").write_bytes(bytes(limits.KEY_FILE_BYTES + 1))


def _another_master(folder: Path) -> None:
    (folder / "master.key").write_bytes(b"00" * 32 + b"\n")


def _no_master(folder: Path) -> None:
    (folder / "master.key").unlink()


def _bad_master(folder: Path) -> None:
    (folder / "master.key").write_bytes(b"secret")


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (_swapped, KeyAccessError),
        (_flipped, KeyAccessError),
        (_emptied, KeyAccessError),
        (_long, MalformedError),
        (_another_master, KeyAccessError),
        (_no_master, StorageError),
        (_bad_master, KeyAccessError),
    ],
)
def test_spoilt_files_are_noticed_at_the_start(
    keys: SealedFiles,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    error: type[CountermarkError],
) -> None:
    """Also with ``make``: a master key is never made where keys are sealed already."""
    keys.put("fulcio-1", SECRET)
    keys.put("ct-1", b"another")
    spoil(tmp_path)
    for make in (False, True):
        with pytest.raises(error) as caught:
            again(tmp_path, make=make)
        assert SECRET.decode() not in str(caught.value)


def test_no_master_key_is_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        again(tmp_path)
    assert not (tmp_path / "master.key").exists()


def test_two_that_start_at_once_share_a_master_key(tmp_path: Path) -> None:
    first, second = again(tmp_path, make=True), again(tmp_path, make=True)
    first.put("fulcio-1", SECRET)
    assert second.get("fulcio-1") == SECRET
