"""Keys as objects of ``cryptography``: made, signing, and verifying where libcrypto is out of reach.

Its ``serialization`` is imported by those functions alone that need it: with it come the keys of SSH, dataclasses and
inspect, an eighth of what a signature with an identity would import.
"""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

from countermark.core.errors import Code, KeyAccessError
from countermark.proofs import spki
from countermark.proofs.spki import PublicKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.proofs.keys import AnyPrivateKey

_RSA_BITS = 3072  # of new keys; notary takes 2048 and more
_PSS = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)
_CURVES = {"secp224r1": "P-224", "secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
Hash = SHA256 | SHA384 | SHA512
HASHES: dict[str, Hash] = {"sha256": SHA256(), "sha384": SHA384(), "sha512": SHA512()}


def verify(key: PublicKey, method: str, message: bytes, signature: bytes) -> bool:
    """Check a signature as ``LibCrypto.verify`` does, under the same conditions."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above

    try:
        public = serialization.load_der_public_key(key.der)
        if method == "ecdsa" and isinstance(public, ec.EllipticCurvePublicKey):
            half = len(signature) // 2
            r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
            public.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
        elif method == "eddsa" and isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, message)
        elif method == "rsapss" and isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, message, _PSS, SHA256())
        elif method == "rsapkcs1v15" and isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, message, padding.PKCS1v15(), SHA256())
        else:
            return False
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def verify_message(
    key: PublicKey, method: str, hash_name: str, message: bytes, signature: bytes
) -> bool:
    """Check a signature as ``LibCrypto.verify_message`` does, under the same conditions."""
    return _verify_hashed(key, method, (hash_name, HASHES[hash_name]), message, signature)


def verify_digest(
    key: PublicKey, method: str, hash_name: str, digest: bytes, signature: bytes
) -> bool:
    """Check a signature as ``LibCrypto.verify_digest`` does, under the same conditions."""
    hashing = (hash_name, Prehashed(HASHES[hash_name]))
    return _verify_hashed(key, method, hashing, digest, signature)


def _verify_hashed(
    key: PublicKey,
    method: str,
    hashing: "tuple[str, Hash | Prehashed]",
    content: bytes,
    signature: bytes,
) -> bool:
    name, hasher = hashing
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above

    try:
        public = serialization.load_der_public_key(key.der)
        if method == "ecdsa" and isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, content, ec.ECDSA(hasher))
        elif method == "eddsa" and isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, content)
        elif method == "rsapss-any" and isinstance(public, rsa.RSAPublicKey):
            salted = padding.PSS(mgf=padding.MGF1(HASHES[name]), salt_length=padding.PSS.AUTO)
            public.verify(signature, content, salted, hasher)
        elif method == "rsapkcs1v15" and isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, content, padding.PKCS1v15(), hasher)
        else:
            return False
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def generate(kind: str) -> "AnyPrivateKey":
    """Make a new key of ``ecdsa``, ``ed25519`` or ``rsa``."""
    if kind == "ecdsa":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)


def public_der(key: "AnyPrivateKey") -> bytes:
    """Write the SubjectPublicKeyInfo of a private key."""
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return spki.encode_ecdsa(_CURVES[key.curve.name], point(key))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return spki.of_ed25519(key.public_key().public_bytes_raw()).der
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above

    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Write the public point of an EC key, uncompressed (SEC 1, 2.3.3)."""
    numbers, size = key.public_key().public_numbers(), (key.curve.key_size + 7) // 8
    return b"\x04" + numbers.x.to_bytes(size) + numbers.y.to_bytes(size)


def sign(key: "AnyPrivateKey", message: bytes) -> bytes:
    """Sign as Notary v1 encodes it: raw r and s of full length, PSS with a salt of 32, Ed25519."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.curve.key_size + 7) // 8
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(size) + s.to_bytes(size)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    return key.sign(message, _PSS, SHA256())


def sign_certificate(key: "AnyPrivateKey", body: bytes) -> bytes:
    """Sign a certificate's body over SHA-256, as X.509 encodes it: ECDSA in DER, RSA with PKCS 1 v1.5.

    Raises:
        KeyAccessError: an Ed25519 key.
    """
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(body, ec.ECDSA(SHA256()))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(body, padding.PKCS1v15(), SHA256())
    raise KeyAccessError("an Ed25519 key signs no certificates", code=Code.NOT_SUPPORTED)


def to_pkcs8(key: "AnyPrivateKey") -> bytes:
    """Write a key as plain PKCS 8."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above

    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def from_pkcs8(content: bytes) -> "AnyPrivateKey":
    """Read a plain PKCS 8 key.

    Raises:
        KeyAccessError: not one, or of another kind.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above

    try:
        key = serialization.load_der_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyAccessError("not a private key", code=Code.MALFORMED) from None
    if not isinstance(
        key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
    ):
        raise KeyAccessError("a private key of another kind", code=Code.NOT_SUPPORTED)
    return key
