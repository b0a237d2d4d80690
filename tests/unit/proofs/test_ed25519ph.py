"""Ed25519ph: the vector of RFC 8032, libsodium as a second opinion, and what must never verify."""

import hashlib
from types import ModuleType

import pytest
from nacl import bindings as sodium

from countermark.core.errors import Code, KeyAccessError
from countermark.proofs import ed25519ph

# RFC 8032, 7.3
SEED = bytes.fromhex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
PUBLIC = bytes.fromhex("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf")
SIGNATURE = bytes.fromhex(
    "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
    "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
)
DIGEST = hashlib.sha512(b"abc").digest()
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493


def little(value: int) -> bytes:
    return value.to_bytes(32, "little")


# points whose order divides 8, in their only encoding
SMALL = {
    "neutral": little(1),
    "order 2": little(P - 1),
    "order 4": little(0),
    "order 4, odd": little(1 << 255),
    "order 8": bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    "order 8, odd": bytes.fromhex(
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"
    ),
}


def test_the_vector_of_rfc_8032() -> None:
    assert ed25519ph.sign(SEED, DIGEST) == SIGNATURE
    assert ed25519ph.verify(PUBLIC, DIGEST, SIGNATURE)


@pytest.mark.parametrize("index", [0, 31, 32, 40, 63])
@pytest.mark.parametrize("bit", [0x01, 0x80])
def test_a_bit_is_another_signature(index: int, bit: int) -> None:
    bad = bytearray(SIGNATURE)
    bad[index] ^= bit
    assert not ed25519ph.verify(PUBLIC, DIGEST, bytes(bad))


def test_another_digest_or_key() -> None:
    assert not ed25519ph.verify(PUBLIC, hashlib.sha512(b"abd").digest(), SIGNATURE)
    other, _ = sodium.crypto_sign_seed_keypair(bytes(32))
    assert not ed25519ph.verify(other, DIGEST, SIGNATURE)


@pytest.mark.parametrize(
    ("public", "digest", "signature"),
    [
        (PUBLIC[:-1], DIGEST, SIGNATURE),
        (PUBLIC + b"\0", DIGEST, SIGNATURE),
        (PUBLIC, DIGEST[:-1], SIGNATURE),
        (PUBLIC, b"", SIGNATURE),
        (PUBLIC, DIGEST, SIGNATURE[:-1]),
        (PUBLIC, DIGEST, SIGNATURE + b"\0"),
    ],
)
def test_lengths(public: bytes, digest: bytes, signature: bytes) -> None:
    assert not ed25519ph.verify(public, digest, signature)


def test_a_number_has_one_encoding() -> None:
    number = int.from_bytes(SIGNATURE[32:], "little") + L
    assert not ed25519ph.verify(PUBLIC, DIGEST, SIGNATURE[:32] + little(number))


@pytest.mark.parametrize("name", SMALL)
def test_keys_of_small_order_sign_nothing(name: str) -> None:
    """With R and A neutral and S nought the equation holds for every message."""
    assert not ed25519ph.verify(SMALL[name], DIGEST, little(1) + little(0))


@pytest.mark.parametrize(
    "public",
    [
        little(P),  # nought, written larger
        little(P + 1),
        little(2),  # no x belongs to it
        little(1 | 1 << 255),  # x is nought and yet odd
        little(P - 1 | 1 << 255),
        b"\xff" * 32,
    ],
)
def test_what_is_no_point(public: bytes) -> None:
    assert not ed25519ph.verify(public, DIGEST, SIGNATURE)


def test_pure_signatures_are_others() -> None:
    pure = sodium.crypto_sign(DIGEST, sodium.crypto_sign_seed_keypair(SEED)[1])[:64]
    assert not ed25519ph.verify(PUBLIC, DIGEST, pure)


def test_a_libsodium_without_the_arithmetic() -> None:
    crippled = ModuleType("bindings")
    crippled.has_crypto_scalarmult_ed25519 = False  # type: ignore[attr-defined]
    with pytest.raises(KeyAccessError) as caught:
        ed25519ph.sign(SEED, DIGEST, crippled)
    assert caught.value.code == Code.NOT_SUPPORTED
