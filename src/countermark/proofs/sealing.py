"""Secrets at rest: sealed under a master key and bound to what they are for.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits, good for 2^32 seals under one master key. The context
(what the secret is, whose it is) is authenticated with it: a sealed secret put in another's place does not open.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from countermark.core.errors import KeyAccessError

MASTER_BYTES = 32
_FORM = b"\x01"  # the first byte says how it was sealed, so that another way can come later
_NONCE_BYTES = 12


def new_master() -> bytes:
    """Make a master key."""
    return AESGCM.generate_key(bit_length=MASTER_BYTES * 8)


def encode_master(master: bytes) -> bytes:
    """Write a master key as its file holds it: hexadecimal, one line."""
    return master.hex().encode() + b"\n"


def parse_master(content: bytes) -> bytes:
    """Read a master key's file.

    Raises:
        KeyAccessError: it is not 64 hexadecimal digits; what it is instead is not said.
    """
    try:
        master = bytes.fromhex(content.decode("ascii").strip())
    except ValueError:  # UnicodeDecodeError is one
        master = b""
    if len(master) != MASTER_BYTES:
        raise KeyAccessError(
            "a master key is 64 hexadecimal digits", hint="openssl rand -hex 32 makes one"
        )
    return master


def seal(master: bytes, secret: bytes, context: bytes) -> bytes:
    """Seal a secret for a context."""
    nonce = os.urandom(_NONCE_BYTES)
    return _FORM + nonce + AESGCM(master).encrypt(nonce, secret, context)


def unseal(master: bytes, sealed: bytes, context: bytes) -> bytes:
    """Open a sealed secret.

    Raises:
        KeyAccessError: another master key, another context, or changed bytes; which of them cannot be told.
    """
    nonce, content = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    if sealed[:1] != _FORM or len(nonce) != _NONCE_BYTES:
        raise KeyAccessError("a sealed secret of a form that we do not know")
    try:
        return AESGCM(master).decrypt(nonce, content, context)
    except InvalidTag:
        raise KeyAccessError(
            "a sealed secret does not open with this master key",
            hint="restore the master key that belongs to this data",
        ) from None
