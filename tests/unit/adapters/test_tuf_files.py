"""A TUF repository's files in a folder: whole, private, and nowhere else."""

from pathlib import Path

import pytest

from countermark.adapters.tuf_files import TufFolder
from countermark.core import limits
from countermark.core.errors import InputError, MalformedError

NAMES = ("1.root.json", "timestamp.json", "targets/" + "a" * 64 + ".trusted_root.json")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    files = TufFolder(str(tmp_path / "tuf"))
    assert files.read(name) is None
    with files.locked():
        files.write(name, b"{}")
        files.write(name, b"[]")
    assert files.read(name) == b"[]"
    assert (tmp_path / "tuf" / name).stat().st_mode & 0o777 == 0o600
    assert not list((tmp_path / "tuf").rglob("*.tmp"))


@pytest.mark.parametrize(
    "name", ["", "../x", "targets/../x", "/x", "targets/", "a/b", ".lock", "x" * 300]
)
def test_names(tmp_path: Path, name: str) -> None:
    files = TufFolder(str(tmp_path))
    with pytest.raises(InputError):
        files.read(name)
    with pytest.raises(InputError):
        files.write(name, b"")


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "timestamp.json").symlink_to(tmp_path / "secret")
    assert TufFolder(str(tmp_path)).read("timestamp.json") is None


def test_too_long(tmp_path: Path) -> None:
    (tmp_path / "timestamp.json").write_bytes(bytes(limits.TUF_FILE_BYTES + 1))
    with pytest.raises(MalformedError):
        TufFolder(str(tmp_path)).read("timestamp.json")
