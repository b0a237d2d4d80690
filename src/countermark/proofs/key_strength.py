"""Whether a stranger's key is good enough to be certified.

Others will rely on it. Sizes and curves, points that are on them, RSA moduli that fall to a glance: the checks that
Fulcio takes from boulder's ``goodkey``.
"""

from math import gcd, isqrt

from countermark.core.errors import Code, EvidenceError
from countermark.proofs.der import DerReader
from countermark.proofs.spki import PublicKey

_RSA_BITS = (2048, 3072, 4096)
_RSA_EXPONENT = 65537
_FERMAT_ROUNDS = 100  # boulder's, in production
_SMALL_PRIMES = 752  # boulder's go so far
# p and b of y² = x³ - 3x + b (FIPS 186-4, D.1.2)
_CURVES = {
    "P-256": (
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    "P-384": (
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    ),
    "P-521": (
        2**521 - 1,
        0x0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
    ),
}
# Moduli of broken Infineon chips are powers of 65537 modulo each of these (CVE-2017-15361; titanous/rocacheck)
_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)


def check(key: PublicKey) -> None:
    """Refuse a key that is not good enough.

    Raises:
        EvidenceError: ``insecure``; ``malformed``, a point that is not on its curve.
    """
    if key.kind == "ecdsa":
        _check_point(key)
    elif key.kind == "rsa":
        _check_modulus(key)


def _check_point(key: PublicKey) -> None:
    if key.curve not in _CURVES:
        raise _weak(f"curve {key.curve} is not accepted")
    p, b = _CURVES[key.curve]
    half = len(key.raw) // 2
    x, y = int.from_bytes(key.raw[1 : 1 + half]), int.from_bytes(key.raw[1 + half :])
    if x >= p or y >= p or (y * y - x * x * x + 3 * x - b) % p:
        raise EvidenceError(f"the key is no point of {key.curve}")


def _check_modulus(key: PublicKey) -> None:
    numbers = DerReader(key.raw).sequence()
    modulus, exponent = numbers.integer(), numbers.integer()
    if key.bits not in _RSA_BITS or exponent != _RSA_EXPONENT:
        raise _weak(f"RSA of {key.bits} bits with exponent {exponent} is not accepted")
    if gcd(modulus, _product_of_primes()) != 1:
        raise _weak("the RSA modulus has a small factor")
    if all(modulus % prime in _powers(prime) for prime in _ROCA_PRIMES):
        raise _weak("the RSA key was made by a broken chip")
    root = isqrt(modulus) + 1
    for a in range(root, root + _FERMAT_ROUNDS):
        square = a * a - modulus
        if isqrt(square) ** 2 == square:
            raise _weak("the RSA primes are too close to each other")


def _weak(reason: str) -> EvidenceError:
    return EvidenceError(reason, code=Code.INSECURE)


def _powers(prime: int) -> set[int]:
    found, power = set(), 1
    while power not in found:
        found.add(power)
        power = power * _RSA_EXPONENT % prime
    return found


_product: list[int] = []


def _product_of_primes() -> int:
    """Multiply the small primes, once."""
    if not _product:
        primes = [2]
        for n in range(3, _SMALL_PRIMES, 2):
            if all(n % prime for prime in primes):
                primes.append(n)
        product = 1
        for prime in primes:
            product *= prime
        _product.append(product)
    return _product[0]
