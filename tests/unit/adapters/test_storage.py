"""Private files: whole or not at all, and locks that keep others out."""

import errno
import os
import resource
import signal
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from countermark.adapters import storage
from countermark.core.errors import Code, CountermarkError, StorageError, UnavailableError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fails(code: Code, work: Callable[[], object]) -> CountermarkError:
    with pytest.raises(CountermarkError) as caught:
        work()
    assert caught.value.code == code
    return caught.value


def test_written_files_and_folders_are_private(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    old = os.umask(0)
    try:
        storage.write(str(path), b"one")
    finally:
        os.umask(old)
    assert path.read_bytes() == b"one"
    assert (mode(path), mode(path.parent), mode(path.parent.parent)) == (0o600, 0o700, 0o700)


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o644)
    storage.write(str(path), b"new", durable=False)
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_mode_may_be_asked_for(tmp_path: Path) -> None:
    storage.write(str(tmp_path / "run"), b"#!", mode=0o755)
    assert mode(tmp_path / "run") == 0o755


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"untouched")
    (tmp_path / "link").symlink_to(other)
    storage.write(str(tmp_path / "link"), b"new")
    assert other.read_bytes() == b"untouched"
    assert not (tmp_path / "link").is_symlink()


def test_an_exception_in_the_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def broken() -> None:
        with storage.Replacement(str(path)) as new:
            new.write(b"half")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        broken()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """A bound on the size of files stands in for a full disk: the write fails half way."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        fails(Code.NO_SPACE, lambda: storage.write(str(path), b"x" * 5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, Code.NO_SPACE),
        (errno.EDQUOT, Code.NO_SPACE),
        (errno.EROFS, Code.REFUSED),
        (errno.EACCES, Code.REFUSED),
        (errno.EIO, Code.UNAVAILABLE),
    ],
)
def test_what_the_system_says_becomes_a_code(number: int, code: Code) -> None:
    error = storage.translated(OSError(number, "x"), "cannot write /a")
    assert isinstance(error, StorageError)
    assert error.code == code
    assert str(error).startswith("cannot write /a: ")


def test_a_folder_in_the_files_place(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "x").write_bytes(b"")
    with pytest.raises(StorageError):
        storage.write(str(tmp_path / "file"), b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert storage.read(str(path), 5) == b"12345"
    assert storage.read(str(tmp_path / "none"), 5) is None
    assert storage.read(str(path / "below"), 5) is None
    fails(Code.TOO_LARGE, lambda: storage.read(str(path), 4))


def test_read_takes_regular_files_only(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    fails(Code.INSECURE, lambda: storage.read(str(tmp_path / "pipe"), 5))
    fails(Code.INSECURE, lambda: storage.read(str(tmp_path), 5))


def test_links_are_followed_unless_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert storage.read(str(tmp_path / "link"), 5) == b"1"
    assert storage.read(str(tmp_path / "link"), 5, follow=False) is None


def test_remove(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    storage.remove(str(tmp_path / "file"))
    storage.remove(str(tmp_path / "file"))
    assert not list(tmp_path.iterdir())
    with pytest.raises(StorageError):
        storage.remove(str(tmp_path))


def test_a_file_in_a_folders_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    with pytest.raises(StorageError):
        storage.write(str(tmp_path / "file" / "below"), b"1")


def test_regular_files(tmp_path: Path) -> None:
    for name in ("b.key", "a.key", "c.txt", "sub/d.key"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "link.key").symlink_to(tmp_path / "a.key")
    (tmp_path / "folder.key").mkdir()
    found = [
        os.path.relpath(path, tmp_path) for path in storage.regular_files(str(tmp_path), ".key")
    ]
    assert sorted(found) == ["a.key", "b.key", "sub/d.key"]
    assert list(storage.regular_files(str(tmp_path / "none"), ".key")) == []


def test_is_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    path.chmod(0o600)
    assert storage.is_private(str(path))
    path.chmod(0o640)
    assert not storage.is_private(str(path))
    assert storage.is_private(str(tmp_path / "none"))


def test_a_lock_keeps_others_out_until_it_is_left(tmp_path: Path) -> None:
    path = str(tmp_path / "sub" / "lock")
    order: list[str] = []
    waiting = threading.Event()

    def other() -> None:
        waiting.set()
        with storage.Lock(path):
            order.append("other")

    with storage.Lock(path):
        thread = threading.Thread(target=other)
        thread.start()
        waiting.wait()
        fails(Code.UNAVAILABLE, lambda: storage.Lock(path, seconds=0.05).__enter__())
        order.append("first")
    thread.join()
    assert order == ["first", "other"]
    assert mode(Path(path)) == 0o600


def test_a_lock_that_is_held_too_long_says_so(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with (
        storage.Lock(path),
        pytest.raises(UnavailableError) as caught,
        storage.Lock(path, seconds=0),
    ):
        pass
    assert path in str(caught.value)
    with storage.Lock(path, seconds=0):
        pass


def test_a_folder_that_takes_no_files_is_not_locked() -> None:
    """The kernel's own file system refuses new files to everybody, as a read-only disk does."""
    with storage.Lock("/sys/kernel/countermark.lock"):
        fails(Code.REFUSED, lambda: storage.write("/sys/kernel/countermark", b""))
