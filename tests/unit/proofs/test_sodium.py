"""scrypt and secretbox: known answers, and the same ones where libsodium is out of reach."""

from collections.abc import Iterator
from hashlib import scrypt

import pytest
from nacl.secret import SecretBox

from countermark.proofs import sodium

KEY, NONCE = bytes(range(32)), bytes(range(24))


@pytest.fixture(params=["libsodium", "without"], autouse=True)
def module(request: pytest.FixtureRequest) -> Iterator[str]:
    found = sodium._Module
    before = list(found.found)
    found.found[:] = [] if request.param == "libsodium" else [(None, None)]
    yield request.param
    found.found[:] = before


def test_the_known_answer() -> None:
    """RFC 7914, 12: the one with p = 1."""
    expected = (
        "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
        "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"
    )
    assert sodium.scrypt(b"", b"", 16, 1, 64).hex() == expected


@pytest.mark.parametrize("password", [b"", b"a", "päss\0word".encode(), b"x" * 1000])
def test_scrypt_is_that_of_openssl(password: bytes) -> None:
    salt = b"s" * 32
    expected = scrypt(password, salt=salt, n=1024, r=8, p=1, dklen=32)
    assert sodium.scrypt(password, salt, 1024, 8, 32) == expected


def test_it_is_libsodium(module: str) -> None:
    assert (sodium._Module.get()[0] is None) == (module == "without")


@pytest.mark.parametrize("rounds", [0, 3, 1000])
def test_rounds_that_scrypt_does_not_have(rounds: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        sodium.scrypt(b"p", b"s", rounds, 8, 32)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 500])
def test_a_box(size: int) -> None:
    content = bytes(size)
    sealed = sodium.seal(KEY, NONCE, content)
    assert sealed == SecretBox(KEY).encrypt(content, NONCE).ciphertext
    assert sodium.unseal(KEY, NONCE, sealed) == content


def test_a_box_that_was_changed() -> None:
    sealed = sodium.seal(KEY, NONCE, b"content")
    for place in range(len(sealed)):
        changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        assert sodium.unseal(KEY, NONCE, changed) is None
    for cut in range(len(sealed)):
        assert sodium.unseal(KEY, NONCE, sealed[:cut]) is None
    assert sodium.unseal(bytes(32), NONCE, sealed) is None
    assert sodium.unseal(KEY, bytes(24), sealed) is None


@pytest.mark.parametrize(
    ("key", "nonce"), [(KEY[:-1], NONCE), (KEY + b"x", NONCE), (KEY, b""), (KEY, NONCE * 2)]
)
def test_lengths_that_c_would_read_past(key: bytes, nonce: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        sodium.seal(key, nonce, b"x")
    with pytest.raises(ValueError, match="32 bytes"):
        sodium.unseal(key, nonce, bytes(40))
