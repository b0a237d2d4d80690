"""Sealed secrets open with their master key, in their place, unchanged; and not otherwise."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from countermark.core.errors import Code, KeyAccessError
from countermark.proofs import sealing

MASTER = bytes(range(32))


@pytest.mark.parametrize("secret", [b"", b"x", b"key" * 1000])
def test_round_trip(secret: bytes) -> None:
    sealed = sealing.seal(MASTER, secret, b"context")
    assert sealing.unseal(MASTER, sealed, b"context") == secret
    assert sealed != sealing.seal(MASTER, secret, b"context")  # never the same nonce


def test_the_form_is_aes_256_gcm_behind_a_byte_and_the_nonce() -> None:
    nonce = bytes(range(12))
    sealed = b"\x01" + nonce + AESGCM(MASTER).encrypt(nonce, b"secret", b"context")
    assert sealing.unseal(MASTER, sealed, b"context") == b"secret"


SEALED = sealing.seal(MASTER, b"secret", b"context")


@pytest.mark.parametrize(
    ("master", "sealed", "context"),
    [
        (MASTER[::-1], SEALED, b"context"),
        (MASTER, SEALED, b"another"),
        (MASTER, SEALED[:-1], b"context"),
        (MASTER, SEALED[:-1] + bytes([SEALED[-1] ^ 1]), b"context"),
        (MASTER, b"\x02" + SEALED[1:], b"context"),
        (MASTER, b"", b"context"),
        (MASTER, b"\x01short", b"context"),
        (MASTER, SEALED[:13], b"context"),
    ],
    ids=range(8),  # the sealed bytes are others in each process
)
def test_refused(master: bytes, sealed: bytes, context: bytes) -> None:
    with pytest.raises(KeyAccessError) as caught:
        sealing.unseal(master, sealed, context)
    assert caught.value.code == Code.NO_KEY
    assert "secret" not in str(caught.value).replace("sealed secret", "")


def test_master_key_files() -> None:
    master = sealing.new_master()
    assert len(master) == sealing.MASTER_BYTES
    assert sealing.parse_master(sealing.encode_master(master)) == master
    assert sealing.parse_master(b"  " + master.hex().upper().encode() + b"\r\n") == master


@pytest.mark.parametrize("content", [b"", b"00" * 31, b"00" * 33, b"zz" * 32, b"\xff" * 64])
def test_no_master_keys(content: bytes) -> None:
    with pytest.raises(KeyAccessError, match="64 hexadecimal digits"):
        sealing.parse_master(content)
