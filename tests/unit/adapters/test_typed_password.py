"""A password through standard input."""

import os

import pytest

from countermark.adapters.typed_password import read_password
from countermark.core.errors import CountermarkError, InputError, KeyAccessError


def sent(content: bytes) -> str:
    reading, writing = os.pipe()
    try:
        os.write(writing, content)
        os.close(writing)
        return read_password(reading)
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b" with spaces ", " with spaces "),
        ("pässwörd\n".encode(), "pässwörd"),
        (b"x" * 4096, "x" * 4096),
    ],
    ids=range(6),
)
def test_what_is_read(content: bytes, password: str) -> None:
    assert sent(content) == password


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", InputError),
        (b"\n", InputError),
        (b"one\ntwo\n", InputError),
        (b"one\rtwo", InputError),
        (b"one\n\n", InputError),
        (b"x" * 4097, InputError),
        (b"\xff\n", KeyAccessError),
    ],
    ids=range(7),
)
def test_what_is_refused(content: bytes, error: type[CountermarkError]) -> None:
    with pytest.raises(error):
        sent(content)


def test_input_that_cannot_be_read() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    with pytest.raises(KeyAccessError, match="no password"):
        read_password(reading)
