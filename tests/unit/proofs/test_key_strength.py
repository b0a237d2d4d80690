"""Keys that are not good enough to be certified."""

from math import gcd

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import mint
from countermark.core.errors import Code, EvidenceError
from countermark.proofs import der, key_strength, spki

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "kind", ["P-256", "P-384", "P-521", "ed25519", "rsa2048", "rsa3072", "rsa4096"]
)
def test_good_ones(kind: str) -> None:
    key_strength.check(spki.parse(mint.spki(mint.key(kind))))


def rsa_key(modulus: int, exponent: int = 65537) -> spki.PublicKey:
    return spki.parse(spki.encode_rsa(der.sequence(der.integer(modulus), der.integer(exponent))))


def modulus_of(kind: str = "rsa2048") -> int:
    key = mint.key(kind)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.public_key().public_numbers().n


def next_prime(number: int) -> int:
    number |= 1
    while pow(2, number - 1, number) != 1:
        number += 2
    return number


def weak(key: spki.PublicKey, match: str) -> None:
    with pytest.raises(EvidenceError, match=match) as caught:
        key_strength.check(key)
    assert caught.value.code == Code.INSECURE


def test_sizes_and_exponents() -> None:
    weak(spki.parse(mint.spki(mint.key("P-224"))), "P-224")
    weak(spki.parse(mint.spki(mint.key("rsa1024"))), "1024 bits")
    weak(spki.parse(mint.spki(mint.key("rsa2056"))), "2056 bits")
    weak(rsa_key(modulus_of(), 3), "exponent 3")


def test_a_small_factor() -> None:
    divisible = modulus_of() // 751 * 751
    weak(rsa_key(divisible if divisible & 1 else divisible + 751), "small factor")


def test_primes_next_to_each_other() -> None:
    first = next_prime(2**1023 + 2**1022)
    second = next_prime(first + 2)
    weak(rsa_key(first * second), "too close")


def test_a_key_of_a_broken_chip() -> None:
    """A modulus that is a power of 65537 modulo each of the primes that are asked about."""
    product = 1
    for prime in key_strength._ROCA_PRIMES:
        product *= prime
    start = 2**2047 // product * product
    candidate = start + 65537 % product
    while gcd(candidate, key_strength._product_of_primes()) != 1:
        candidate += product
    assert candidate.bit_length() == 2048
    weak(rsa_key(candidate), "broken chip")


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521"])
def test_points_that_are_on_no_curve(kind: str) -> None:
    raw = (
        mint.key(kind)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    bent = raw[:-1] + bytes([raw[-1] ^ 1])
    with pytest.raises(EvidenceError, match="no point") as caught:
        key_strength.check(spki.parse(bent))
    assert caught.value.code == Code.MALFORMED


def test_numbers_beyond_the_field() -> None:
    good = spki.parse(mint.spki(mint.key()))
    beyond = spki.encode_ecdsa("P-256", b"\x04" + b"\xff" * 64)
    with pytest.raises(EvidenceError, match="no point"):
        key_strength.check(spki.parse(beyond))
    zero = spki.encode_ecdsa("P-256", good.raw[:33] + b"\xff" * 32)
    with pytest.raises(EvidenceError, match="no point"):
        key_strength.check(spki.parse(zero))
