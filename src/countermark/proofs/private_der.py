"""Private keys in DER as PKCS 1, SEC 1, PKCS 8 and notary's dialect of it have them: read and written.

Notary marks EC keys as version 1 without the public key that RFC 5958 wants then, leaves out RSA's NULL and has an
OID of its own for Ed25519; ``cryptography`` reads none of these (specs: notary v1, 3.3).
"""

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from countermark.core.errors import MalformedError
from countermark.proofs import der, key_objects
from countermark.proofs.der import DerReader
from countermark.proofs.keys import PrivateKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.proofs.keys import AnyPrivateKey

_EC = der.oid("1.2.840.10045.2.1")
_RSA = der.oid("1.2.840.113549.1.1.1")
_ED25519 = der.oid("1.3.101.112")  # RFC 8410
_NOTARY_ED25519 = der.oid("1.3.6.1.4.1.11591.15.1")
_CURVES: dict[bytes, ec.EllipticCurve] = {
    der.oid("1.3.132.0.33"): ec.SECP224R1(),
    der.oid("1.2.840.10045.3.1.7"): ec.SECP256R1(),
    der.oid("1.3.132.0.34"): ec.SECP384R1(),
    der.oid("1.3.132.0.35"): ec.SECP521R1(),
}
_RSA_BITS = 16_384  # checking a private key's primes takes long beyond
_ED25519_BYTES = 32


def parse_pkcs8(content: bytes) -> PrivateKey:
    """Read PKCS 8, by the book or in notary's dialect.

    Raises:
        MalformedError: not such a key, or of a kind that is not accepted.
    """
    outer = DerReader(content)
    info = outer.sequence()
    outer.end()
    if info.integer() not in (0, 1):
        raise MalformedError("private key of an unknown version")
    algorithm = info.sequence()
    _, _, kind = algorithm.element()
    key = info.take(der.OCTET_STRING)
    if kind == _EC:
        return parse_sec1(key, algorithm.element()[2])
    if kind == _RSA:
        return parse_pkcs1(key)
    if kind == _NOTARY_ED25519:
        return parse_ed25519(key)
    if kind == _ED25519:
        return _seed(DerReader(key).take(der.OCTET_STRING))
    raise MalformedError("private key of an unknown kind")


def parse_sec1(content: bytes, curve_oid: bytes | None = None) -> PrivateKey:
    """Read an EC key (RFC 5915), its curve told here or in it.

    Raises:
        MalformedError: not such a key, or its public part is another key's.
    """
    outer = DerReader(content)
    fields = outer.sequence()
    outer.end()
    if fields.integer() != 1:
        raise MalformedError("EC key of an unknown version")
    secret = fields.take(der.OCTET_STRING)
    if fields.next_tag() == der.context(0):
        inner = fields.sequence(der.context(0)).element()[2]
        if curve_oid not in (None, inner):
            raise MalformedError("EC key on two curves")
        curve_oid = inner
    curve = _CURVES.get(curve_oid or b"")
    if curve is None:
        raise MalformedError("EC key on an unknown curve")
    key = _made(lambda: ec.derive_private_key(int.from_bytes(secret), curve))
    if fields.next_tag() == der.context(1) and isinstance(key.object, ec.EllipticCurvePrivateKey):
        public = fields.sequence(der.context(1)).bits()
        if public != key_objects.point(key.object):
            raise MalformedError("EC key with another key's public part")
    return key


def parse_pkcs1(content: bytes) -> PrivateKey:
    """Read an RSA key (RFC 8017, A.1.2).

    Raises:
        MalformedError: not such a key, or a larger one than is in use.
    """
    numbers = DerReader(content).sequence()
    numbers.integer()  # version
    if numbers.integer().bit_length() > _RSA_BITS:
        raise MalformedError("RSA key is too large")
    return _made(lambda: _rsa(content))


def _rsa(content: bytes) -> rsa.RSAPrivateKey:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as ``key_objects``

    key = serialization.load_der_private_key(content, password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise MalformedError("not an RSA key")
    return key


def parse_ed25519(content: bytes) -> PrivateKey:
    """Read notary's 96 bytes: the public key, the seed, the public key again.

    Raises:
        MalformedError: other than that.
    """
    size = _ED25519_BYTES
    if len(content) != 3 * size:
        raise MalformedError("Ed25519 key is not of 96 bytes")
    key = _seed(content[size : 2 * size])
    if content[:size] != key.public.raw or content[2 * size :] != key.public.raw:
        raise MalformedError("Ed25519 key with another key's public part")
    return key


def _seed(seed: bytes) -> PrivateKey:
    return _made(lambda: ed25519.Ed25519PrivateKey.from_private_bytes(seed))


def _made(make: "Callable[[], AnyPrivateKey]") -> PrivateKey:
    try:
        return PrivateKey.of(make())
    except (ValueError, TypeError):  # cryptography's word for bad numbers
        raise MalformedError("private key has impossible numbers") from None


def encode_pkcs8(private: PrivateKey) -> bytes:
    """Write PKCS 8 as notary does, so that notary and docker read it."""
    key = private.object
    if isinstance(key, ec.EllipticCurvePrivateKey):
        curve_oid = next(o for o, curve in _CURVES.items() if curve.name == key.curve.name)
        algorithm, version, raw = der.sequence(_EC, curve_oid), 1, _sec1(key, curve_oid)
    elif isinstance(key, rsa.RSAPrivateKey):
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as ``key_objects``

        algorithm, version = der.sequence(_RSA), 0
        raw = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    else:
        algorithm, version = der.sequence(_NOTARY_ED25519), 0
        raw = private.public.raw + key.private_bytes_raw() + private.public.raw
    return der.sequence(der.integer(version), algorithm, der.tlv(der.OCTET_STRING, raw))


def _sec1(key: ec.EllipticCurvePrivateKey, curve_oid: bytes) -> bytes:
    size = (key.curve.key_size + 7) // 8
    return der.sequence(
        der.integer(1),
        der.tlv(der.OCTET_STRING, key.private_numbers().private_value.to_bytes(size)),
        der.tlv(der.context(0), curve_oid),
        der.tlv(der.context(1), der.bits(key_objects.point(key))),
    )
