"""Signatures checked by the libcrypto that Python has loaded already.

``hashlib`` links OpenSSL's libcrypto, so it is in every process of ours; importing ``cryptography`` to check one
signature would cost a cold start some 30 ms more than calling it through ``ctypes`` (docs/adr/0009-libcrypto.md).
Where it is not to be had (another Python, statically linked without its symbols, older than 3.0) ``load`` returns
None and ``proofs/keys.py`` takes ``cryptography``.

Everything that C gets to see has been checked before: keys come from ``proofs/spki.py``, lengths are exact, sizes
bounded. Everything that is made is freed, but for the keys used last, and OpenSSL's queue of errors is left empty,
since ``ssl`` reads it.
"""

import sys
from _thread import allocate_lock

from countermark.core.light import Mapping
from countermark.proofs import der
from countermark.proofs.c_library import (
    CDLL,
    buffer_of,
    byref,
    c_char_p,
    c_int,
    c_long,
    c_size_t,
    c_ulong,
    c_void_p,
)
from countermark.proofs.spki import PublicKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LEAST = 0x30000000  # 3.0: the functions below are functions and not macros
_RSA_PKCS1_PADDING, _RSA_PKCS1_PSS_PADDING = 1, 6  # openssl/rsa.h
_PSS_SALT_AUTO = -2  # RSA_PSS_SALTLEN_AUTO: whatever length the signature says
_PSS_SALT_BYTES = 32
_KEYS_KEPT = 64  # decoding a key takes OpenSSL 3 longer than checking a signature with it

_FUNCTIONS: "dict[str, tuple[Any, tuple[Any, ...]]]" = {
    "OpenSSL_version_num": (c_ulong, ()),
    "ERR_clear_error": (None, ()),
    "d2i_PUBKEY": (c_void_p, (c_void_p, c_void_p, c_long)),
    "EVP_PKEY_free": (None, (c_void_p,)),
    "EVP_PKEY_up_ref": (c_int, (c_void_p,)),
    "EVP_MD_CTX_new": (c_void_p, ()),
    "EVP_MD_CTX_free": (None, (c_void_p,)),
    "EVP_sha256": (c_void_p, ()),
    "EVP_sha384": (c_void_p, ()),
    "EVP_sha512": (c_void_p, ()),
    "EVP_DigestVerifyInit": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "EVP_DigestVerify": (c_int, (c_void_p, c_char_p, c_size_t, c_char_p, c_size_t)),
    "EVP_PKEY_CTX_new": (c_void_p, (c_void_p, c_void_p)),
    "EVP_PKEY_CTX_free": (None, (c_void_p,)),
    "EVP_PKEY_verify_init": (c_int, (c_void_p,)),
    "EVP_PKEY_verify": (c_int, (c_void_p, c_char_p, c_size_t, c_char_p, c_size_t)),
    "EVP_PKEY_CTX_set_signature_md": (c_int, (c_void_p, c_void_p)),
    "EVP_PKEY_CTX_set_rsa_padding": (c_int, (c_void_p, c_int)),
    "EVP_PKEY_CTX_set_rsa_pss_saltlen": (c_int, (c_void_p, c_int)),
    "EVP_PKEY_CTX_set_rsa_mgf1_md": (c_int, (c_void_p, c_void_p)),
}


class LibCrypto:
    """OpenSSL 3's public-key verification; one per process, safe to share between threads."""

    def __init__(self, library: CDLL) -> None:
        """Take a loaded library.

        Raises:
            AttributeError: it lacks a function that we need.
        """
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        self._library = library
        self._keys: dict[
            bytes, int
        ] = {}  # SubjectPublicKeyInfo -> EVP_PKEY, the one used last at the end
        self._lock = allocate_lock()

    @property
    def version(self) -> int:
        """OpenSSL's version number, as ``0x300000d0``."""
        return int(self._library.OpenSSL_version_num())

    def verify(self, key: PublicKey, method: str, message: bytes, signature: bytes) -> bool:
        """Check a signature as Notary v1 has them: over SHA-256, ECDSA's as raw r and s, PSS with a salt of 32 bytes.

        The caller has matched the method to the kind of key, and the signature's length to its size.
        """
        if method == "ecdsa":
            half = len(signature) // 2
            signature = der.sequence(
                der.integer(int.from_bytes(signature[:half])),
                der.integer(int.from_bytes(signature[half:])),
            )
        return self.verify_message(key, method, "sha256", message, signature)

    def verify_message(
        self, key: PublicKey, method: str, hash_name: str, message: bytes, signature: bytes
    ) -> bool:
        """Check a signature over a message that is hashed here.

        Methods are ``ecdsa`` (DER), ``rsapkcs1v15``, ``rsapss``, ``rsapss-any`` (a salt of any length) and ``eddsa``;
        hashes ``sha256``, ``sha384`` and ``sha512``. The caller has matched both to the kind of key.
        """
        lib = self._library
        handle = self._key(key)
        context = lib.EVP_MD_CTX_new()
        try:
            if not handle or not context:
                return False
            digest = None if method == "eddsa" else self._hash(hash_name)
            options = c_void_p()  # belongs to the context
            if lib.EVP_DigestVerifyInit(context, byref(options), digest, None, handle) != 1:
                return False
            given = (signature, len(signature), message, len(message))
            return self._padded(options, method, digest) and bool(
                lib.EVP_DigestVerify(context, *given) == 1
            )
        finally:
            lib.EVP_MD_CTX_free(context)
            lib.EVP_PKEY_free(handle)
            lib.ERR_clear_error()

    def verify_digest(
        self, key: PublicKey, method: str, hash_name: str, digest: bytes, signature: bytes
    ) -> bool:
        """Check a signature over a message whose hash is given; as ``verify_message``, but for ``eddsa``."""
        lib = self._library
        handle = self._key(key)
        context = lib.EVP_PKEY_CTX_new(handle, None) if handle else None
        try:
            if not context or lib.EVP_PKEY_verify_init(context) != 1:
                return False
            kind = self._hash(hash_name)
            given = (signature, len(signature), digest, len(digest))
            return bool(
                lib.EVP_PKEY_CTX_set_signature_md(context, kind) > 0
                and self._padded(c_void_p(context), method, kind)
                and lib.EVP_PKEY_verify(context, *given) == 1
            )
        finally:
            lib.EVP_PKEY_CTX_free(context)
            lib.EVP_PKEY_free(handle)
            lib.ERR_clear_error()

    def _key(self, key: PublicKey) -> int | None:
        """Make OpenSSL's key, to be freed by the caller; a point that is not on its curve gives none."""
        lib = self._library
        with self._lock:
            handle = self._keys.pop(key.der, None)
            if handle is None:
                _kept, address = buffer_of(key.der)
                position = c_void_p(address)
                handle = lib.d2i_PUBKEY(None, byref(position), len(key.der))
            if not handle:
                return None
            while len(self._keys) >= _KEYS_KEPT:
                lib.EVP_PKEY_free(self._keys.pop(next(iter(self._keys))))
            self._keys[key.der] = handle
            lib.EVP_PKEY_up_ref(handle)
            return int(handle)

    def _hash(self, name: str) -> int:
        """OpenSSL's object for a hash, which is static."""
        functions = {
            "sha256": self._library.EVP_sha256,
            "sha384": self._library.EVP_sha384,
            "sha512": self._library.EVP_sha512,
        }
        return int(functions[name]())

    def _padded(self, options: c_void_p, method: str, digest: int | None) -> bool:
        """Set what a method needs beside the hash."""
        lib = self._library
        if method in ("rsapss", "rsapss-any"):
            salt = _PSS_SALT_BYTES if method == "rsapss" else _PSS_SALT_AUTO
            return bool(
                lib.EVP_PKEY_CTX_set_rsa_padding(options, _RSA_PKCS1_PSS_PADDING) > 0
                and lib.EVP_PKEY_CTX_set_rsa_pss_saltlen(options, salt) > 0
                and lib.EVP_PKEY_CTX_set_rsa_mgf1_md(options, digest) > 0
            )
        if method == "rsapkcs1v15":
            return bool(lib.EVP_PKEY_CTX_set_rsa_padding(options, _RSA_PKCS1_PADDING) > 0)
        return method in ("ecdsa", "eddsa")


_LINKED = ("_ssl", "_hashlib")  # CPython's modules that are linked with libcrypto


def loaded(names: tuple[str, ...] = _LINKED) -> Mapping[str, object]:
    """Load the first of some modules that is there, and return all that are loaded."""
    for name in names:
        try:
            __import__(name)
        except ImportError:
            continue
        break
    return sys.modules


def load(modules: Mapping[str, object] | None = None, least: int = LEAST) -> LibCrypto | None:
    """Find the libcrypto of this process, None where there is none that serves.

    ``modules`` are those loaded; by default what a connection loads anyway is loaded now. A handle of Python's
    own extension module finds what it was linked with, whether beside it or into it; a Python that has the module
    built in has the symbols in the program itself, if it exports them.
    """
    if modules is None:
        modules = loaded()
    for name in _LINKED:
        module = modules.get(name)
        if module is None:
            continue
        try:
            found = LibCrypto(CDLL(getattr(module, "__file__", None)))
        except (OSError, AttributeError):
            continue
        if found.version >= least:
            return found
    return None


_shared: list[LibCrypto | None] = []


def shared() -> LibCrypto | None:
    """Look for this process's libcrypto once; None where there is none that serves."""
    if not _shared:
        _shared.append(load())
    return _shared[0]
