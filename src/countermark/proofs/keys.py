"""Public and private keys, and the algorithms we accept.

What a method is, and to which types of key it belongs, is fixed here and never taken from the signature alone
(CVE-2015-9258). Source: notary v0.7.0 ``tuf/signed/verifiers.go``, ``verify.go`` (specs: notary v1, 1.4 to 1.6).
"""

from countermark.core.errors import (
    Code,
    InputError,
    MalformedError,
    SignatureError,
    ThresholdError,
)
from countermark.core.light import Mapping
from countermark.formats.tuf import Key, Role, Signature, Signed
from countermark.proofs import spki
from countermark.proofs.spki import PublicKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from countermark.proofs.libcrypto import LibCrypto

    Checker = Callable[[PublicKey, str, bytes, bytes], bool]
    AnyPrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey | RSAPrivateKey

# method -> types of key that it belongs to
METHODS = {
    "ecdsa": ("ecdsa", "ecdsa-x509"),
    "rsapss": ("rsa", "rsa-x509"),
    "rsapkcs1v15": ("rsa", "rsa-x509"),
    "pycrypto-pkcs#1 pss": ("rsa",),
    "eddsa": ("ed25519",),
}
MINIMUM_RSA_BITS = 2048  # notary: MinRSABitSize
_PEM_METHOD = "pycrypto-pkcs#1 pss"  # the public bytes are a PEM text
_KINDS = {"ecdsa": "ecdsa", "ecdsa-x509": "ecdsa", "rsa": "rsa", "rsa-x509": "rsa"}
_SIGNING_METHODS = {"ecdsa": "ecdsa", "rsa": "rsapss", "ed25519": "eddsa"}


# Which key ---------------------------------------------------------------------------------------------


def public_key(key: Key) -> PublicKey:
    """Read what a TUF key holds; of certificates the first one's key.

    Raises:
        MalformedError: an unknown type, other bytes than the type says, or a key that is not accepted.
    """
    if key.type == "ed25519":
        return spki.of_ed25519(key.raw)
    kind = _KINDS.get(key.type)
    if kind is None:
        raise MalformedError(f"unknown type of key: {key.type[:40]!r}")
    raw = key.raw
    if key.type.endswith("-x509"):
        from countermark.proofs import x509  # noqa: PLC0415 - not on a warm start

        found = x509.parse_first(raw).key
    elif is_pem(key):
        found = spki.parse(_unwrapped(raw))
    else:
        found = spki.parse(raw)
    if found.kind != kind:
        raise MalformedError(f"a key of type {key.type} holds another kind of key")
    return found


def is_pem(key: Key) -> bool:
    """Say whether an RSA key is kept as a PEM text, as Python's TUF clients once did."""
    return key.type == "rsa" and key.raw.startswith(b"-----BEGIN ")


def _unwrapped(text: bytes) -> bytes:
    from countermark.proofs import pem  # noqa: PLC0415 - rare

    blocks = pem.parse(text)
    if len(blocks) != 1 or blocks[0].type != "PUBLIC KEY":
        raise MalformedError("not one public key")
    return blocks[0].content


def from_spki(content: bytes) -> Key:
    """Make the TUF key of a SubjectPublicKeyInfo.

    Raises:
        MalformedError: not one, or of a kind that is not accepted.
    """
    found = spki.parse(content)
    return Key.of(found.kind, found.raw if found.kind == "ed25519" else content)


def canonical_id(key: Key) -> str:
    """Return the ID that does not depend on a certificate: what key files and passphrase prompts go by.

    Raises:
        MalformedError: the certificate does not parse.
    """
    if not key.type.endswith("-x509"):
        return key.id
    return Key.of(key.type.removesuffix("-x509"), public_key(key).der).id


def fingerprint(key: Key) -> str:
    """Return the sha256 of the SubjectPublicKeyInfo, in hex: one key pair has one, whatever it is wrapped in.

    Raises:
        MalformedError: see ``public_key``.
    """
    return public_key(key).fingerprint


# Verifying -----------------------------------------------------------------------------------------------


def verify(key: Key, method: str, message: bytes, signature: bytes) -> bool:
    """Say whether a key made a signature; False for keys, methods and lengths that are not accepted."""
    if key.type not in METHODS.get(method, ()):
        return False
    if is_pem(key) != (method == _PEM_METHOD):
        return False
    try:
        found = public_key(key)
    except MalformedError:
        return False
    return verify_with(found, "rsapss" if method == _PEM_METHOD else method, message, signature)


def verify_with(key: PublicKey, method: str, message: bytes, signature: bytes) -> bool:
    """Check a signature by a key that is read already; False for lengths that are not accepted."""
    if key.kind not in METHODS.get(method, ()):
        return False
    size = (key.bits + 7) // 8
    if key.kind == "rsa":
        # notary also wants 256 bytes of signature, which the key's size implies
        if key.bits < MINIMUM_RSA_BITS or len(signature) != size:
            return False
    elif len(signature) != 2 * size:
        return False
    return checker(_library())(key, method, message, signature)


def checker(library: "LibCrypto | None") -> "Checker":
    """Choose what checks signatures: this process's libcrypto, else ``cryptography``."""
    if library is not None:
        return library.verify
    from countermark.proofs import key_objects  # noqa: PLC0415 - loads cryptography

    return key_objects.verify


def _library() -> "LibCrypto | None":
    from countermark.proofs import libcrypto  # noqa: PLC0415 - ctypes, only where something is verified

    return libcrypto.shared()


def check_signatures(signed: Signed, role: Role, keys: Mapping[str, Key]) -> tuple[str, ...]:
    """Return the key IDs of a role that signed a file, in the order of the file.

    Where more than one signature is needed, key pairs are counted and not key IDs: one pair under two certificates
    is one (notary counts two).

    Raises:
        SignatureError: ``no-signatures``; ``key-id``, a key that lies under an ID which is not its own.
        ThresholdError: fewer than the role demands.
    """
    if not signed.signatures:
        raise SignatureError("tuf: data has no signatures", code=Code.NO_SIGNATURES)
    good: dict[str, Key] = {}
    for signature in signed.signatures if role.threshold >= 1 else ():
        key = keys.get(signature.key_id)
        if key is None or signature.key_id not in role.key_ids or signature.key_id in good:
            continue
        if key.id != signature.key_id:
            raise SignatureError("key ID is not valid for key content", code=Code.KEY_ID)
        if verify(key, signature.method, signed.signed, signature.value):
            good[signature.key_id] = key
    count = len(good)
    if role.threshold > 1:
        count = len({fingerprint(key) for key in good.values()})
    if role.threshold < 1 or count < role.threshold:
        raise ThresholdError(f"valid signatures did not meet threshold for {role.name}")
    return tuple(good)


# Signing ------------------------------------------------------------------------------------------------


class PrivateKey:
    """A private key that signs. Never shown, never copied by pickling; its thief signs whatever its role may."""

    __slots__ = ("_key", "public")

    def __init__(self, key: "AnyPrivateKey", public: Key) -> None:
        """Take an object of ``cryptography`` and the TUF key that belongs to it; see ``generate``, ``from_der``."""
        self._key = key
        self.public = public

    @classmethod
    def generate(cls, kind: str = "ecdsa") -> "PrivateKey":
        """Make a new key: ``ecdsa`` (P-256, as notary's clients), ``ed25519`` or ``rsa`` (3072 bits).

        Raises:
            InputError: another kind.
        """
        from countermark.proofs import key_objects  # noqa: PLC0415 - loads cryptography

        if kind not in _SIGNING_METHODS:
            raise InputError(f"unknown kind of key: {kind[:40]!r}")
        return cls.of(key_objects.generate(kind))

    @classmethod
    def of(cls, key: "AnyPrivateKey") -> "PrivateKey":
        """Take an object of ``cryptography``.

        Raises:
            MalformedError: its public key is not accepted.
        """
        from countermark.proofs import key_objects  # noqa: PLC0415 - loads cryptography

        return cls(key, from_spki(key_objects.public_der(key)))

    @classmethod
    def from_der(cls, content: bytes) -> "PrivateKey":
        """Read PKCS 8 as ``encode_der`` writes it; key files in other people's dialects: ``proofs/key_files.py``.

        Raises:
            KeyAccessError: not such a key.
        """
        from countermark.proofs import key_objects  # noqa: PLC0415 - loads cryptography

        return cls.of(key_objects.from_pkcs8(content))

    def encode_der(self) -> bytes:
        """Write plain PKCS 8 (RFC 5958), for stores that encrypt it themselves."""
        from countermark.proofs import key_objects  # noqa: PLC0415 - loads cryptography

        return key_objects.to_pkcs8(self._key)

    @property
    def id(self) -> str:
        """The canonical key ID."""
        return self.public.id

    @property
    def object(self) -> "AnyPrivateKey":
        """The object of ``cryptography``, for those in ``proofs`` who issue certificates or write key files."""
        return self._key

    def sign(self, message: bytes, key_id: str = "") -> Signature:
        """Sign; ``key_id`` names the key where the file knows it by another ID (a root's certificate)."""
        from countermark.proofs import key_objects  # noqa: PLC0415 - loads cryptography

        value = key_objects.sign(self._key, message)
        method = _SIGNING_METHODS[self.public.type]
        return Signature(key_id=key_id or self.id, method=method, value=value)

    def __repr__(self) -> str:
        return f"PrivateKey(id={self.id!r})"

    def __reduce__(self) -> "NoReturn":
        raise TypeError("a private key is not pickled")
