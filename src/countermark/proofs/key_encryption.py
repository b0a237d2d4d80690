"""How key files are encrypted: PBES2 as notary writes it, and OpenSSL's old DEK-Info.

Source: notary v0.7.0 ``tuf/utils/pkcs8.go`` and Go's ``x509.DecryptPEMBlock`` (specs: notary v1, 3.3); RFC 8018.
A wrong passphrase shows in the padding or in what comes out, for neither form authenticates; what comes out is
therefore always parsed before it is believed.
"""

from hashlib import md5, pbkdf2_hmac
from os import urandom

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from countermark.core import limits
from countermark.core.errors import Code, KeyAccessError
from countermark.proofs import der
from countermark.proofs.der import DerReader

ITERATIONS = 600_000  # OWASP's number for PBKDF2; notary writes 2,048 and reads any number

_PBES2 = der.oid("1.2.840.113549.1.5.13")
_PBKDF2 = der.oid("1.2.840.113549.1.5.12")
_AES_256_CBC = der.oid("2.16.840.1.101.3.4.1.42")
_PRFS = {
    der.oid("1.2.840.113549.2.7"): "sha1",
    der.oid("1.2.840.113549.2.9"): "sha256",
    der.oid("1.2.840.113549.2.10"): "sha384",
    der.oid("1.2.840.113549.2.11"): "sha512",
}
_BLOCK = 16
_SALT_BYTES = 8
_KEY_BYTES = 32
# DEK-Info name -> bytes of key, bytes of block
_DEK = {
    "DES-CBC": (8, 8),
    "DES-EDE3-CBC": (24, 8),
    "AES-128-CBC": (16, 16),
    "AES-192-CBC": (24, 16),
    "AES-256-CBC": (32, 16),
}


def wrong_passphrase() -> KeyAccessError:
    """The error of a passphrase that does not open a key."""
    return KeyAccessError("passphrase is wrong", code=Code.PASSPHRASE)


def encrypt(content: bytes, passphrase: str, iterations: int = ITERATIONS) -> bytes:
    """Encrypt PKCS 8 as notary reads it: PBES2 with PBKDF2, HMAC-SHA1 and AES-256-CBC, and nothing else."""
    salt, start = urandom(_SALT_BYTES), urandom(_BLOCK)
    key = pbkdf2_hmac("sha1", passphrase.encode(), salt, iterations, _KEY_BYTES)
    padding = _BLOCK - len(content) % _BLOCK
    encryptor = Cipher(AES(key), CBC(start)).encryptor()
    encrypted = encryptor.update(content + bytes([padding]) * padding) + encryptor.finalize()
    derivation = der.sequence(
        _PBKDF2, der.sequence(der.tlv(der.OCTET_STRING, salt), der.integer(iterations))
    )
    cipher = der.sequence(_AES_256_CBC, der.tlv(der.OCTET_STRING, start))
    algorithm = der.sequence(_PBES2, der.sequence(derivation, cipher))
    return der.sequence(algorithm, der.tlv(der.OCTET_STRING, encrypted))


def decrypt(content: bytes, passphrase: str) -> bytes:
    """Decrypt EncryptedPrivateKeyInfo.

    The pseudo-random function named in it is obeyed (notary takes HMAC-SHA1 whatever is named).

    Raises:
        MalformedError: it does not parse.
        KeyAccessError: ``passphrase``, it is wrong; ``not-supported``; ``too-large``, more work than we do.
    """
    outer = DerReader(content)
    info = outer.sequence()
    outer.end()
    algorithm = info.sequence()
    encrypted = info.take(der.OCTET_STRING)
    info.end()
    _expect(algorithm, _PBES2, "pkcs8: only PBES2 supported")
    parameters = algorithm.sequence()
    derivation = parameters.sequence()
    cipher = parameters.sequence()
    _expect(derivation, _PBKDF2, "pkcs8: only PBKDF2 supported")
    _expect(cipher, _AES_256_CBC, "pkcs8: only AES-256-CBC supported")
    key = _derive(derivation.sequence(), passphrase)
    start = cipher.take(der.OCTET_STRING)
    if len(start) != _BLOCK:
        raise KeyAccessError("private key has a malformed IV", code=Code.MALFORMED)
    return _unpadded(Cipher(AES(key), CBC(start)), encrypted, _BLOCK)


def _expect(reader: DerReader, oid: bytes, otherwise: str) -> None:
    if reader.element()[2] != oid:
        raise KeyAccessError(otherwise, code=Code.NOT_SUPPORTED)


def _derive(parameters: DerReader, passphrase: str) -> bytes:
    salt = parameters.take(der.OCTET_STRING)
    iterations = parameters.integer()
    if not 0 < iterations <= limits.KDF_ITERATIONS:
        raise KeyAccessError(
            f"private key asks for {iterations} rounds of PBKDF2, "
            f"at most {limits.KDF_ITERATIONS} are allowed",
            code=Code.TOO_LARGE,
        )
    if parameters.next_tag() == der.INTEGER and parameters.integer() != _KEY_BYTES:
        raise KeyAccessError("private key has a malformed key length", code=Code.MALFORMED)
    function: str | None = "sha1"
    if parameters.next_tag() == der.SEQUENCE:
        function = _PRFS.get(parameters.sequence().element()[2])
    if function is None:
        raise KeyAccessError("pkcs8: unknown function of PBKDF2", code=Code.NOT_SUPPORTED)
    return pbkdf2_hmac(function, passphrase.encode(), salt, iterations, _KEY_BYTES)


def decrypt_legacy(content: bytes, dek_info: str, passphrase: str) -> bytes:
    """Decrypt a block with the header ``DEK-Info: <cipher>,<iv>`` (RFC 1423; key by MD5, as OpenSSL did).

    Raises:
        KeyAccessError: ``passphrase``, it is wrong; ``not-supported``; ``malformed``.
    """
    name, _, iv_text = dek_info.partition(",")
    if name not in _DEK:
        raise KeyAccessError(
            f"unknown encryption of a private key: {name[:40]!r}", code=Code.NOT_SUPPORTED
        )
    size, block = _DEK[name]
    try:
        start = bytes.fromhex(iv_text.strip())
    except ValueError:
        start = b""
    if len(start) != block:
        raise KeyAccessError("private key has a malformed IV", code=Code.MALFORMED)
    key = _bytes_to_key(passphrase.encode(), start[:8], size)
    if name == "DES-CBC":
        key *= 3  # three times with one key is once
    algorithm = AES(key) if name.startswith("AES") else TripleDES(key)
    return _unpadded(Cipher(algorithm, CBC(start)), content, block)


def _bytes_to_key(passphrase: bytes, salt: bytes, size: int) -> bytes:
    """OpenSSL's EVP_BytesToKey with MD5 and one round."""
    derived = last = b""
    while len(derived) < size:
        last = md5(last + passphrase + salt, usedforsecurity=False).digest()
        derived += last
    return derived[:size]


def _unpadded(cipher: "Cipher[CBC]", encrypted: bytes, block: int) -> bytes:
    if not encrypted or len(encrypted) % block:
        raise KeyAccessError("encrypted private key is cut off", code=Code.MALFORMED)
    decryptor = cipher.decryptor()
    content = decryptor.update(encrypted) + decryptor.finalize()
    padding = content[-1]
    if not 1 <= padding <= block or content[-padding:] != bytes([padding]) * padding:
        raise wrong_passphrase()
    return content[:-padding]
