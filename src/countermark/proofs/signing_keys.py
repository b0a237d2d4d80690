"""Private keys that sign for Sigstore and lie in our own memory.

They fulfil ``SigningKey`` of ``core/ports_sigstore.py``, as the keys of ``adapters/key_references.py`` do that lie
elsewhere.
"""

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from countermark.core.errors import Code, InputError, KeyAccessError, MalformedError
from countermark.proofs import ed25519ph, key_objects, public_keys, signatures, spki

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from countermark.proofs.key_objects import Hash
    from countermark.proofs.keys import AnyPrivateKey


class LocalKey:
    """A private key that signs. Never shown, never copied by pickling; its thief signs as its owner.

    Attributes:
        public: the public key.
    """

    __slots__ = ("_key", "public")

    def __init__(self, private: "AnyPrivateKey") -> None:
        """Take an object of ``cryptography``.

        Raises:
            KeyAccessError: ``not-supported``, a curve or size whose signatures do not count.
        """
        try:
            self.public = public_keys.accepted(spki.parse(key_objects.public_der(private)))
        except MalformedError as error:
            raise KeyAccessError(str(error), code=Code.NOT_SUPPORTED) from None
        self._key = private

    @property
    def public_der(self) -> bytes:
        """The public key, SubjectPublicKeyInfo in DER."""
        return self.public.der

    @property
    def object(self) -> "AnyPrivateKey":
        """The object of ``cryptography``, for those in ``proofs`` who issue certificates."""
        return self._key

    def to_pkcs8(self) -> bytes:
        """Write plain PKCS 8 (RFC 5958), for stores that encrypt it themselves."""
        return key_objects.to_pkcs8(self._key)

    def sign(self, message: bytes) -> bytes:
        """Sign a message over the hash that belongs to the key: ECDSA in ASN.1 DER, RSA PKCS#1 v1.5, Ed25519."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        return _signed(self._key, message, self._hash())

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign what has this digest under the hash that belongs to the key; Ed25519 keys make Ed25519ph.

        Raises:
            InputError: the digest has another length than that hash's.
            KeyAccessError: see ``ed25519ph.sign``.
        """
        name = signatures.hash_for(self.public)
        if len(digest) != signatures.HASH_BYTES[name]:
            raise InputError(f"not a digest of {name}: {len(digest)} bytes")
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return ed25519ph.sign(self._key.private_bytes_raw(), digest)
        return _signed(self._key, digest, Prehashed(self._hash()))

    def _hash(self) -> "Hash":
        return key_objects.HASHES[signatures.hash_for(self.public)]

    def __repr__(self) -> str:
        return f"LocalKey(public={self.public.fingerprint!r})"

    def __reduce__(self) -> "NoReturn":
        raise TypeError("a private key is not pickled")


def _signed(
    key: "ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey",
    content: bytes,
    hashing: "Hash | Prehashed",
) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(content, ec.ECDSA(hashing))
    return key.sign(content, padding.PKCS1v15(), hashing)


def from_pkcs8(content: bytes) -> LocalKey:
    """Read plain PKCS 8.

    Raises:
        KeyAccessError: not such a key, or (``not-supported``) one whose signatures do not count.
    """
    return LocalKey(key_objects.from_pkcs8(content))


def _ec(curve: ec.EllipticCurve) -> "Callable[[], AnyPrivateKey]":
    return lambda: ec.generate_private_key(curve)


def _rsa(bits: int) -> "Callable[[], AnyPrivateKey]":
    return lambda: rsa.generate_private_key(public_exponent=65537, key_size=bits)


_GENERATORS: "dict[str, Callable[[], AnyPrivateKey]]" = {
    "ecdsa-p256": _ec(ec.SECP256R1()),
    "ecdsa-p384": _ec(ec.SECP384R1()),
    "ecdsa-p521": _ec(ec.SECP521R1()),
    "rsa-2048": _rsa(2048),
    "rsa-3072": _rsa(3072),
    "rsa-4096": _rsa(4096),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}
# what cosign's --signing-algorithm calls them
COSIGN_ALGORITHMS = {
    "ecdsa-sha2-256-nistp256": "ecdsa-p256",
    "ecdsa-sha2-384-nistp384": "ecdsa-p384",
    "ecdsa-sha2-512-nistp521": "ecdsa-p521",
    "rsa-sign-pkcs1-2048-sha256": "rsa-2048",
    "rsa-sign-pkcs1-3072-sha256": "rsa-3072",
    "rsa-sign-pkcs1-4096-sha256": "rsa-4096",
    "ed25519": "ed25519",
    "ed25519-ph": "ed25519",
}
ALGORITHMS = tuple(_GENERATORS)


def generate(algorithm: str = "ecdsa-p256") -> LocalKey:
    """Make a new key: one of ``ALGORITHMS``, or in cosign's words one of ``COSIGN_ALGORITHMS``.

    Raises:
        InputError: another word.
    """
    generator = _GENERATORS.get(COSIGN_ALGORITHMS.get(algorithm, algorithm))
    if generator is None:
        raise InputError(
            f"unknown kind of key: {algorithm[:60]!r}", hint=f"one of {', '.join(ALGORITHMS)}"
        )
    return LocalKey(generator())
