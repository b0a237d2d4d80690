"""Ed25519ph, Ed25519 over a SHA-512 digest (RFC 8032, 5.1), which OpenSSL has from 3.2 on only.

Verifying is written out in Python here: everything in it is public, so that how long it takes tells nobody anything
(some milliseconds). Signing leaves all arithmetic with secrets to libsodium, which takes the same time for every key.
"""

from countermark.core.errors import Code, KeyAccessError
from countermark.core.light import sha512

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

DIGEST_BYTES = 64
KEY_BYTES = 32

# dom2: flag 1 for "ph", a context of no bytes
_PREFIX = b"SigEd25519 no Ed25519 collisions\x01\x00"
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493  # the order of the base point
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_WINDOW = 4  # bits of a scalar taken at once

Point = tuple[int, int, int, int]  # extended coordinates: x = X/Z, y = Y/Z, x*y = T/Z
_NEUTRAL: Point = (0, 1, 1, 0)


def verify(public: bytes, digest: bytes, signature: bytes) -> bool:
    """Say whether a raw public key signed what has this SHA-512 digest.

    Strictly: points and the number in their only encoding, no key of small order, and the equation without the
    cofactor, as Go and OpenSSL have it.
    """
    if (len(public), len(digest), len(signature)) != (KEY_BYTES, DIGEST_BYTES, 2 * KEY_BYTES):
        return False
    commitment, number = signature[:KEY_BYTES], int.from_bytes(signature[KEY_BYTES:], "little")
    point = _decoded(public)
    if point is None or number >= _L or _is_small(point):
        return False
    challenge = _challenge(commitment, public, digest)
    # S*B - k*A must be R, compared as it is written
    x, y, z, t = point
    negated: Point = (_P - x, y, z, _P - t)
    return _encoded(_sum_of_multiples(number, _BASE, challenge, negated)) == commitment


def sign(seed: bytes, digest: bytes, bindings: "ModuleType | None" = None) -> bytes:
    """Sign what has this SHA-512 digest with a private key's 32 bytes; ``bindings`` stand in for PyNaCl's.

    Raises:
        KeyAccessError: ``not-supported``, this machine's libsodium was built without what is needed.
    """
    sodium: Any = bindings or _bindings()
    if not sodium.has_crypto_scalarmult_ed25519 or not sodium.has_crypto_core_ed25519:
        raise KeyAccessError("libsodium lacks Ed25519's arithmetic", code=Code.NOT_SUPPORTED)
    hashed = sha512(seed).digest()
    clamped = bytearray(hashed[:KEY_BYTES])
    clamped[0] &= 0xF8
    clamped[31] = clamped[31] & 0x7F | 0x40
    reduce, base = (
        sodium.crypto_core_ed25519_scalar_reduce,
        sodium.crypto_scalarmult_ed25519_base_noclamp,
    )
    secret = reduce(bytes(clamped) + bytes(KEY_BYTES))
    public = base(secret)
    nonce = reduce(sha512(_PREFIX + hashed[KEY_BYTES:] + digest).digest())
    commitment = base(nonce)
    challenge = _challenge(commitment, public, digest).to_bytes(KEY_BYTES, "little")
    product = sodium.crypto_core_ed25519_scalar_mul(challenge, secret)
    return bytes(commitment + sodium.crypto_core_ed25519_scalar_add(nonce, product))


def _bindings() -> "ModuleType":
    from nacl import bindings  # noqa: PLC0415 - only where such a key signs

    return bindings


def _challenge(commitment: bytes, public: bytes, digest: bytes) -> int:
    hashed = sha512(_PREFIX + commitment + public + digest).digest()
    return int.from_bytes(hashed, "little") % _L


# The curve: RFC 8032, 5.1.3 and 5.1.4 -------------------------------------------------------------------


def _decoded(content: bytes) -> Point | None:
    """Read a point, None where it is none or not in its only encoding."""
    y = int.from_bytes(content, "little")
    odd, y = y >> 255, y & (1 << 255) - 1
    if y >= _P:
        return None
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if v * x * x % _P != u:
        x = x * _ROOT_OF_MINUS_ONE % _P
        if v * x * x % _P != u:
            return None
    if x == 0 and odd:
        return None
    if x & 1 != odd:
        x = _P - x
    return (x, y, 1, x * y % _P)


def _encoded(point: Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, _P)
    return (y * inverse % _P | (x * inverse % _P & 1) << 255).to_bytes(KEY_BYTES, "little")


def _add(p: Point, q: Point) -> Point:
    (x1, y1, z1, t1), (x2, y2, z2, t2) = p, q
    a, b = (y1 - x1) * (y2 - x2) % _P, (y1 + x1) * (y2 + x2) % _P
    c, d = 2 * t1 * t2 * _D % _P, 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _double(p: Point) -> Point:
    x, y, z, _ = p
    a, b = x * x % _P, y * y % _P
    h = a + b
    e, g = h - (x + y) * (x + y) % _P, a - b
    f = 2 * z * z % _P + g
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _is_small(point: Point) -> bool:
    """Say whether a point's order divides 8: such a key "signs" much that nobody signed."""
    x, y, z, _ = _double(_double(_double(point)))
    return x == 0 and (y - z) % _P == 0


def _sum_of_multiples(m: int, p: Point, n: int, q: Point) -> Point:
    """Return m*p + n*q, both at once (Straus)."""
    multiples_p, multiples_q = _multiples(p), _multiples(q)
    total = _NEUTRAL
    mask = (1 << _WINDOW) - 1
    for shift in range(256 - _WINDOW, -1, -_WINDOW):
        for _ in range(_WINDOW):
            total = _double(total)
        if digit := m >> shift & mask:
            total = _add(total, multiples_p[digit])
        if digit := n >> shift & mask:
            total = _add(total, multiples_q[digit])
    return total


def _multiples(point: Point) -> list[Point]:
    found = [_NEUTRAL]
    for _ in range((1 << _WINDOW) - 1):
        found.append(_add(found[-1], point))
    return found


_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE_Y = 4 * pow(5, -1, _P) % _P
_BASE: Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)
