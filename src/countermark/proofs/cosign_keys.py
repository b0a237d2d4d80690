"""Private keys in cosign's files, and those that it imports from other programs' files."""

from countermark.core.errors import Code, KeyAccessError, MalformedError
from countermark.proofs import private_der, signing_keys
from countermark.proofs.cosign_key_files import encrypted, first_block, parse
from countermark.proofs.keys import public_key
from countermark.proofs.signing_keys import LocalKey

_IMPORTED_RSA_BITS = (2048, 3072, 4096)  # cosign's key policy, Let's Encrypt's


def of_pkcs8(content: bytes) -> LocalKey:
    """Read what is in a key file.

    Raises:
        KeyAccessError: it is no key that we accept.
    """
    try:
        return signing_keys.from_pkcs8(content)
    except KeyAccessError as error:
        raise KeyAccessError(f"parsing private key: {error}", code=error.code) from None


def open(text: bytes, password: bytes) -> LocalKey:
    """Read and decrypt a key file; takes a quarter of a second and 64 MB.

    Raises:
        KeyAccessError: it is none, the password is wrong, or what is inside is no key that we accept.
    """
    return of_pkcs8(parse(text).decrypted(password))


def encode(key: LocalKey, password: bytes) -> bytes:
    """Write a key file as ``cosign generate-key-pair`` does."""
    return encrypted(key.to_pkcs8(), password)


# Import ---------------------------------------------------------------------------------------------------

_READERS = {
    "PRIVATE KEY": ("pkcs #8", private_der.parse_pkcs8),
    "EC PRIVATE KEY": ("ecdsa", private_der.parse_sec1),
    "RSA PRIVATE KEY": ("rsa", private_der.parse_pkcs1),
}


def import_pem(text: bytes) -> LocalKey:
    """Read an unencrypted key of other programs: PKCS 8, SEC 1 or PKCS 1; cosign's words where it refuses.

    Raises:
        KeyAccessError: ``malformed``; ``not-supported``: another kind of key, or an RSA size that cosign refuses.
    """
    block = first_block(text)
    if block.type not in _READERS or block.headers:  # with headers: openssl's old encryption
        raise KeyAccessError("unsupported private key", code=Code.NOT_SUPPORTED)
    kind, read = _READERS[block.type]
    try:
        private = read(block.content)
    except MalformedError:
        raise KeyAccessError(f"error parsing {kind} private key", code=Code.MALFORMED) from None
    kind, bits = private.public.type, public_key(private.public).bits
    if kind == "rsa" and bits not in _IMPORTED_RSA_BITS:
        raise KeyAccessError(
            f"error validating rsa key: key size not supported: {bits}", code=Code.NOT_SUPPORTED
        )
    try:
        return LocalKey(private.object)
    except KeyAccessError as error:
        raise KeyAccessError(f"error validating {kind} key: {error}", code=error.code) from None
