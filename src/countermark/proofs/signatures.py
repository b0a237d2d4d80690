"""Signatures as Sigstore has them, checked over messages and over digests.

ECDSA signatures are ASN.1 DER, RSA ones PKCS#1 v1.5 (or PSS where the caller says so), Ed25519 is pure over a message
and Ed25519ph (RFC 8032, 5.1) over a digest. Which method belongs to a key is fixed here and never taken from a
signature; which hash, the key says: SHA-256 for P-256 and RSA, SHA-384 for P-384, SHA-512 for P-521. Another one
counts only where the caller names it: cosign 3 verifies keys on every curve with SHA-256.

Source: sigstore ``pkg/signature/algorithm_registry.go``, protobuf-specs ``PublicKeyDetails`` (specs: cosign, 2d).
"""

from countermark.core.errors import Code, MalformedError
from countermark.core.light import Mapping
from countermark.core.value import Value
from countermark.proofs import der
from countermark.proofs.der import DerReader
from countermark.proofs.spki import PublicKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from countermark.proofs.libcrypto import LibCrypto

    class Checker(Protocol):
        """What checks signatures whose key, method and sizes are known to fit."""

        def verify_message(
            self, key: PublicKey, method: str, hash_name: str, message: bytes, signature: bytes
        ) -> bool:
            """See ``LibCrypto``."""
            ...

        def verify_digest(
            self, key: PublicKey, method: str, hash_name: str, digest: bytes, signature: bytes
        ) -> bool:
            """See ``LibCrypto``."""
            ...


HASH_BYTES = {"sha256": 32, "sha384": 48, "sha512": 64}
_CURVE_HASHES = {"P-256": "sha256", "P-384": "sha384", "P-521": "sha512"}
# sigstore demands 2048; beyond 8192 each check takes longer and longer
_RSA_BITS = range(2048, 8192 + 1)
_ED25519_BYTES = 64


# Verifying ---------------------------------------------------------------------------------------------


def verify(
    key: PublicKey, message: bytes, signature: bytes, hash_name: str = "", *, pss: bool = False
) -> bool:
    """Say whether a key signed a message; False for keys, hashes and encodings that are not accepted.

    ``hash_name`` is ``sha256``, ``sha384`` or ``sha512``, "" for the key's own (Ed25519 takes none but SHA-512).
    ``pss`` takes RSA signatures with that padding instead, never both.
    """
    method = _method(key, signature, pss=pss)
    chosen = hash_name or _own_hash(key)
    if not method or chosen not in HASH_BYTES or not _may_use(key, chosen):
        return False
    return _checker().verify_message(key, method, chosen, message, signature)


def verify_digest(
    key: PublicKey, digest: bytes, signature: bytes, hash_name: str = "", *, pss: bool = False
) -> bool:
    """Say whether a key signed what has this digest; as ``verify``, but Ed25519ph over SHA-512 for Ed25519 keys."""
    method = _method(key, signature, pss=pss)
    chosen = hash_name or _own_hash(key)
    if not method or HASH_BYTES.get(chosen) != len(digest) or not _may_use(key, chosen):
        return False
    if method == "eddsa":
        from countermark.proofs import ed25519ph  # noqa: PLC0415 - rare

        return ed25519ph.verify(key.raw, digest, signature)
    return _checker().verify_digest(key, method, chosen, digest, signature)


def accepts(key: PublicKey) -> bool:
    """Say whether any signature of a key can count: its curve, or its size, is one that Sigstore uses."""
    return key.bits in _RSA_BITS if key.kind == "rsa" else bool(_own_hash(key))


def hash_for(key: PublicKey) -> str:
    """Return the hash that belongs to a key: ``sha256``, ``sha384`` or ``sha512`` (Ed25519's, for Ed25519ph).

    Raises:
        MalformedError: ``not-supported``, a key on a curve that Sigstore does not use.
    """
    found = _own_hash(key)
    if not found:
        raise MalformedError(f"no hash belongs to keys on {key.curve}", code=Code.NOT_SUPPORTED)
    return found


def _own_hash(key: PublicKey) -> str:
    if key.kind == "ecdsa":
        return _CURVE_HASHES.get(key.curve, "")
    return "sha512" if key.kind == "ed25519" else "sha256"


def _may_use(key: PublicKey, hash_name: str) -> bool:
    return key.kind != "ed25519" or hash_name == "sha512"


def _method(key: PublicKey, signature: bytes, *, pss: bool) -> str:
    """The method of a key, "" where key or signature is not accepted."""
    if key.kind == "rsa":
        if not accepts(key) or len(signature) != (key.bits + 7) // 8:
            return ""
        return "rsapss-any" if pss else "rsapkcs1v15"
    if pss:
        return ""
    if key.kind == "ed25519":
        return "eddsa" if len(signature) == _ED25519_BYTES else ""
    return "ecdsa" if accepts(key) and _is_ecdsa(signature, key.bits) else ""


def _is_ecdsa(signature: bytes, bits: int) -> bool:
    """Say whether a signature is two numbers of a curve's size, in DER and in no other form (RFC 3279, 2.2.3)."""
    try:
        outer = DerReader(signature)
        numbers = outer.sequence()
        outer.end()
        r, s = numbers.integer(), numbers.integer()
        numbers.end()
    except MalformedError:
        return False
    return 0 < r < 1 << bits and 0 < s < 1 << bits


def ecdsa_of_raw(raw: bytes) -> bytes:
    """Write r and s, which tokens and clouds put beside each other, as ASN.1."""
    half = len(raw) // 2
    return der.sequence(
        der.integer(int.from_bytes(raw[:half])), der.integer(int.from_bytes(raw[half:]))
    )


def checker(library: "LibCrypto | None") -> "Checker":
    """Choose what checks signatures: this process's libcrypto, else ``cryptography``."""
    if library is not None:
        return library
    from countermark.proofs import key_objects  # noqa: PLC0415 - loads cryptography

    return key_objects


def _checker() -> "Checker":
    from countermark.proofs import libcrypto  # noqa: PLC0415 - ctypes, only where something is verified

    return checker(libcrypto.shared())


# Names ---------------------------------------------------------------------------------------------------


class KeyDetails(Value):
    """What a name of protobuf-specs' ``PublicKeyDetails`` says.

    Attributes:
        kind: ``ecdsa``, ``rsa`` or ``ed25519``.
        hash_name: the hash that signatures are over, "" for pure Ed25519 and where the name leaves it open.
        curve: of ECDSA. bits: of RSA, 0 where the name leaves it open.
        pss: RSA signatures are PSS. prehashed: Ed25519ph.
    """

    kind: str
    hash_name: str = ""
    curve: str = ""
    bits: int = 0
    pss: bool = False
    prehashed: bool = False

    def fits(self, key: PublicKey) -> bool:
        """Say whether a key is such a key."""
        return key.kind == self.kind and key.curve == self.curve and self.bits in (0, key.bits)


_RSA_SIZES = (2048, 3072, 4096)
DETAILS: Mapping[str, KeyDetails] = {
    "PKIX_ECDSA_P256_SHA_256": KeyDetails(kind="ecdsa", curve="P-256", hash_name="sha256"),
    "PKIX_ECDSA_P384_SHA_384": KeyDetails(kind="ecdsa", curve="P-384", hash_name="sha384"),
    "PKIX_ECDSA_P521_SHA_512": KeyDetails(kind="ecdsa", curve="P-521", hash_name="sha512"),
    "PKIX_ED25519": KeyDetails(kind="ed25519"),
    "PKIX_ED25519_PH": KeyDetails(kind="ed25519", hash_name="sha512", prehashed=True),
    **{
        f"PKIX_RSA_PKCS1V15_{bits}_SHA256": KeyDetails(kind="rsa", bits=bits, hash_name="sha256")
        for bits in _RSA_SIZES
    },
    **{
        f"PKIX_RSA_PSS_{bits}_SHA256": KeyDetails(
            kind="rsa", bits=bits, hash_name="sha256", pss=True
        )
        for bits in _RSA_SIZES
    },
    # deprecated, yet in trusted roots and bundles in use
    "PKIX_ECDSA_P384_SHA_256": KeyDetails(kind="ecdsa", curve="P-384", hash_name="sha256"),
    "PKIX_ECDSA_P521_SHA_256": KeyDetails(kind="ecdsa", curve="P-521", hash_name="sha256"),
    "PKIX_RSA_PKCS1V5": KeyDetails(kind="rsa"),
    "PKIX_RSA_PSS": KeyDetails(kind="rsa", pss=True),
}


def key_details(key: PublicKey, *, prehashed: bool = False) -> str:
    """Name a key and how it signs, as ``PKIX_ECDSA_P256_SHA_256``; ``prehashed`` matters for Ed25519 only.

    Raises:
        MalformedError: ``not-supported``, there is no name for such a key.
    """
    wanted = _own_hash(key) if key.kind != "ed25519" or prehashed else ""
    for name, details in DETAILS.items():
        if details.fits(key) and details.hash_name == wanted:
            return name
    size = f" of {key.bits} bits" if key.kind == "rsa" else f" on {key.curve}"
    raise MalformedError(f"no name for {key.kind} keys{size}", code=Code.NOT_SUPPORTED)


def details_of(name: str) -> KeyDetails:
    """Say what a name means.

    Raises:
        MalformedError: ``not-supported``, an unknown name, or one of keys that are not accepted.
    """
    found = DETAILS.get(name)
    if found is None:
        raise MalformedError(f"unknown kind of key: {name[:40]!r}", code=Code.NOT_SUPPORTED)
    return found
