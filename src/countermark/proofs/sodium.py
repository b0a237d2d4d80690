"""scrypt and secretbox (XSalsa20 and Poly1305) by libsodium, as PyNaCl brings it.

Its scrypt takes two thirds of the time of OpenSSL's (220 and 330 ms for cosign's key files), and PyNaCl's own modules
around it cost a start 35 ms, most of it for ``typing``: so its C module is asked directly. Where that is another one
than today the same is done by ``hashlib`` and PyNaCl as everybody calls it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SPARE_BYTES = 1024 * 1024  # of scrypt's memory beside 128 * N * r, for OpenSSL's limit
_TAG_BYTES = 16
_ENOMEM = 12
_FUNCTIONS = (
    "sodium_init",
    "crypto_pwhash_scryptsalsa208sha256_ll",
    "crypto_secretbox_easy",
    "crypto_secretbox_open_easy",
)


class _Module:
    """PyNaCl's C module, found once: its functions, and its way of calling C; None each where it does not serve."""

    found: "list[tuple[Any, Any]]" = []  # noqa: RUF012 - one for the process

    @classmethod
    def get(cls) -> "tuple[Any, Any]":
        if not cls.found:
            cls.found.append(_module())
        return cls.found[0]


def _module() -> "tuple[Any, Any]":
    try:
        from nacl._sodium import (  # type: ignore[import-not-found]  # noqa: PLC0415 - key files only
            ffi,
            lib,
        )
    except ImportError:
        return None, None
    # -1 says that it cannot be used; it looks here which of its implementations this processor can run
    serves = all(hasattr(lib, name) for name in _FUNCTIONS) and lib.sodium_init() >= 0
    return (lib, ffi) if serves else (None, None)


def scrypt(password: bytes, salt: bytes, rounds: int, block_size: int, size: int) -> bytes:
    """Derive a key of so many bytes (RFC 7914, with p = 1); needs 128 * rounds * block_size bytes of memory.

    Raises:
        MemoryError: they are not to be had. ValueError: parameters that scrypt does not have.
    """
    if rounds < 2 or rounds & (rounds - 1):
        raise ValueError("scrypt's rounds are a power of two")
    lib, ffi = _Module.get()
    if lib is None:
        from hashlib import scrypt as derive  # noqa: PLC0415 - where libsodium is out of reach

        most = 128 * block_size * (rounds + 1) + _SPARE_BYTES
        return derive(password, salt=salt, n=rounds, r=block_size, p=1, maxmem=most, dklen=size)
    derived = ffi.new("uint8_t[]", size)
    given = (password, len(password), salt, len(salt), rounds, block_size, 1, derived, size)
    if lib.crypto_pwhash_scryptsalsa208sha256_ll(*given) != 0:
        if ffi.errno == _ENOMEM:
            raise MemoryError
        raise ValueError("parameters that scrypt does not have")
    return bytes(ffi.buffer(derived))


def seal(key: bytes, nonce: bytes, content: bytes) -> bytes:
    """Encrypt and authenticate; key of 32 bytes, nonce of 24."""
    _check(key, nonce)
    lib, ffi = _Module.get()
    if lib is None:
        return bytes(_box(key).encrypt(content, nonce).ciphertext)
    sealed = ffi.new("unsigned char[]", len(content) + _TAG_BYTES)
    if lib.crypto_secretbox_easy(sealed, content, len(content), nonce, key) != 0:
        raise ValueError("too long to be sealed")
    return bytes(ffi.buffer(sealed))


def unseal(key: bytes, nonce: bytes, sealed: bytes) -> bytes | None:
    """Decrypt what ``seal`` gave; None where it was not sealed with this key and nonce, or was changed since."""
    _check(key, nonce)
    if len(sealed) < _TAG_BYTES:
        return None
    lib, ffi = _Module.get()
    if lib is None:
        from nacl.exceptions import CryptoError  # noqa: PLC0415 - where libsodium is out of reach

        try:
            return bytes(_box(key).decrypt(sealed, nonce))
        except CryptoError:
            return None
    content = ffi.new("unsigned char[]", max(1, len(sealed) - _TAG_BYTES))
    if lib.crypto_secretbox_open_easy(content, sealed, len(sealed), nonce, key) != 0:
        return None
    return bytes(ffi.buffer(content))[: len(sealed) - _TAG_BYTES]


def _check(key: bytes, nonce: bytes) -> None:
    """Demand what C reads without asking."""
    if len(key) != 32 or len(nonce) != 24:
        raise ValueError("a key has 32 bytes and a nonce 24")


def _box(key: bytes) -> "Any":
    from nacl.secret import SecretBox  # noqa: PLC0415 - where libsodium is out of reach

    return SecretBox(key)
