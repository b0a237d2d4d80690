"""What a public key is: its kind, size and numbers, read from a SubjectPublicKeyInfo.

Read by hand and strictly (RFC 5280, 4.1.2.7; RFC 5480; RFC 8410), so that nothing malformed reaches OpenSSL and a
cold start does not load a library for 80 bytes.
"""

from countermark.core.errors import MalformedError
from countermark.core.light import sha256
from countermark.core.value import Value
from countermark.proofs import der
from countermark.proofs.der import DerReader

_EC = der.oid("1.2.840.10045.2.1")[2:]
_RSA = der.oid("1.2.840.113549.1.1.1")[2:]
_ED25519 = der.oid("1.3.101.112")[2:]

# The curves that Go has: name, bits.
CURVES = {
    der.oid("1.3.132.0.33")[2:]: ("P-224", 224),
    der.oid("1.2.840.10045.3.1.7")[2:]: ("P-256", 256),
    der.oid("1.3.132.0.34")[2:]: ("P-384", 384),
    der.oid("1.3.132.0.35")[2:]: ("P-521", 521),
}
# the largest that OpenSSL verifies with; above, each check takes longer and longer
_RSA_BITS = 16_384
_RSA_EXPONENT = 2**31 - 1  # Go refuses larger ones
_ED25519_BYTES = 32


class PublicKey(Value):
    """A public key of a kind that Notary v1 knows.

    Attributes:
        kind: ``ecdsa``, ``rsa`` or ``ed25519``.
        der: the whole SubjectPublicKeyInfo.
        bits: the size: of the curve, of the modulus, 256.
        curve: ``P-256`` and so on, "" where there is none.
        raw: the point (uncompressed), the RSAPublicKey, or the 32 bytes.
    """

    kind: str
    der: bytes
    bits: int
    raw: bytes
    curve: str = ""

    @property
    def fingerprint(self) -> str:
        """The sha256 of the SubjectPublicKeyInfo, in hex: the same whatever the key is wrapped in."""
        return sha256(self.der).hexdigest()


def parse(content: bytes) -> PublicKey:
    """Read a SubjectPublicKeyInfo.

    Raises:
        MalformedError: not one, or of a kind, curve or size that is not accepted.
    """
    outer = DerReader(content)
    inner = outer.sequence()
    outer.end()
    algorithm = inner.sequence()
    raw = inner.bits()
    inner.end()
    kind = algorithm.take(der.OID)
    if kind == _EC:
        return _ecdsa(content, algorithm, raw)
    if kind == _RSA:
        if algorithm.take(der.NULL):
            raise MalformedError("RSA key with parameters")
        algorithm.end()
        return _rsa(content, raw)
    if kind == _ED25519:
        algorithm.end()
        if len(raw) != _ED25519_BYTES:
            raise MalformedError("Ed25519 key is not of 32 bytes")
        return PublicKey(kind="ed25519", der=content, bits=256, raw=raw)
    raise MalformedError("public key of an unknown kind")


def _ecdsa(content: bytes, algorithm: DerReader, raw: bytes) -> PublicKey:
    found = CURVES.get(algorithm.take(der.OID))
    algorithm.end()
    if found is None:
        raise MalformedError("ECDSA key on an unknown curve")
    curve, bits = found
    # Go takes uncompressed points only (elliptic.Unmarshal)
    if len(raw) != 1 + 2 * ((bits + 7) // 8) or raw[0] != 0x04:
        raise MalformedError(f"ECDSA key is not an uncompressed point of {curve}")
    return PublicKey(kind="ecdsa", der=content, bits=bits, raw=raw, curve=curve)


def _rsa(content: bytes, raw: bytes) -> PublicKey:
    outer = DerReader(raw)
    numbers = outer.sequence()
    outer.end()
    modulus, exponent = numbers.integer(), numbers.integer()
    numbers.end()
    bits = modulus.bit_length()
    if modulus <= 0 or not modulus & 1 or bits > _RSA_BITS:
        raise MalformedError("RSA modulus is not an odd number of a size in use")
    if not 3 <= exponent <= _RSA_EXPONENT or not exponent & 1:
        raise MalformedError("RSA exponent is not an odd number in use")
    return PublicKey(kind="rsa", der=content, bits=bits, raw=raw)


def of_ed25519(raw: bytes) -> PublicKey:
    """Make the key of 32 raw bytes, as TUF stores it.

    Raises:
        MalformedError: not 32 bytes.
    """
    return parse(der.sequence(der.sequence(der.tlv(der.OID, _ED25519)), der.bits(raw)))


def encode_ecdsa(curve: str, point: bytes) -> bytes:
    """Write a SubjectPublicKeyInfo of a curve's name and an uncompressed point; ``parse`` says whether it is good.

    Raises:
        MalformedError: an unknown curve.
    """
    for oid, (name, _) in CURVES.items():
        if name == curve:
            algorithm = der.sequence(der.tlv(der.OID, _EC), der.tlv(der.OID, oid))
            return der.sequence(algorithm, der.bits(point))
    raise MalformedError("ECDSA key on an unknown curve")


def encode_rsa(numbers: bytes) -> bytes:
    """Write a SubjectPublicKeyInfo of an RSAPublicKey (RFC 8017, A.1.1); ``parse`` says whether it is good."""
    return der.sequence(der.sequence(der.tlv(der.OID, _RSA), der.tlv(der.NULL)), der.bits(numbers))
