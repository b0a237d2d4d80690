"""Files that people name: by path, variable, URL, or as a pipe."""

import os
import threading
from collections.abc import Iterator
from hashlib import sha256, sha512
from pathlib import Path

import pytest

from countermark.adapters import given_files
from countermark.adapters.http_client import HttpClient
from countermark.core.errors import Code, InputError, MalformedError, StorageError, UnavailableError
from servers import Asked, Server, answer, handling


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient()
    yield made
    made.close()


def test_files_and_variables(client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    environment = {"VAR": "text"}
    assert given_files.load(str(tmp_path / "file"), client, environment, 5) == b"12345"
    assert given_files.load("env://VAR", client, environment, 5) == b"text"
    for place, code in (
        (str(tmp_path / "none"), Code.NOT_FOUND),
        ("a\0b", Code.NOT_FOUND),
        ("env://NONE", Code.NOT_FOUND),
        ("ftp://x", Code.BAD_INPUT),
    ):
        with pytest.raises(InputError) as caught:
            given_files.load(place, client, environment, 5)
        assert caught.value.code == code
    with pytest.raises(MalformedError) as large:
        given_files.load(str(tmp_path / "file"), client, environment, 4)
    assert large.value.code == Code.TOO_LARGE
    with pytest.raises(StorageError):
        given_files.load(str(tmp_path), client, environment, 5)


def test_urls(client: HttpClient) -> None:
    status = [200]

    def handle(asked: Asked) -> bytes:
        return answer(status[0], b"content")

    with Server(handling(handle)) as server:
        assert given_files.load(f"{server.url}/x", client, {}, 7) == b"content"
        status[0] = 404
        with pytest.raises(InputError, match="server returned HTTP 404") as missing:
            given_files.load(f"{server.url}/x", client, {}, 7)
        assert missing.value.code == Code.NOT_FOUND
        status[0] = 500
        with pytest.raises(UnavailableError):
            given_files.load(f"{server.url}/x", client, {}, 7)


def test_a_file_is_hashed_and_read_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    file = given_files.LocalFile(str(path))
    assert file.hashed("sha256") == sha256(b"one").digest()
    assert file.hashed("sha512") == sha512(b"one").digest()
    assert file.content() == b"one"
    path.unlink()
    with pytest.raises(StorageError):
        file.hashed("sha256")


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"one",))
    writer.start()
    file = given_files.LocalFile(str(path))
    writer.join()
    assert (file.hashed("sha256"), file.content()) == (sha256(b"one").digest(), b"one")


@pytest.mark.parametrize("name", ["none", "file/below", "a\0b"])
def test_files_that_are_not_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="no such file or directory"):
        given_files.LocalFile(str(tmp_path / name))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is a directory"):
        given_files.LocalFile(str(tmp_path))
