"""Public keys in PEM, as cosign reads and writes them.

Source: sigstore ``pkg/cryptoutils/publickey.go`` (specs: cosign, 2d; observed, 2.1).
"""

from countermark.core import limits
from countermark.core.errors import Code, MalformedError
from countermark.proofs import pem, signatures, spki
from countermark.proofs.pem import Block
from countermark.proofs.spki import PublicKey


def parse(text: bytes) -> PublicKey:
    """Read the first block of a PEM text, in cosign's words where cosign would refuse it.

    Raises:
        MalformedError: it is no public key, or (``not-supported``) one that makes no signatures that we accept.
    """
    blocks = pem.parse(text[: limits.KEY_FILE_BYTES])
    if not blocks:
        raise MalformedError("PEM decoding failed")
    first = blocks[0]
    if first.type == "PUBLIC KEY":
        content = first.content
    elif first.type == "RSA PUBLIC KEY":  # PKCS 1: the numbers alone
        content = spki.encode_rsa(first.content)
    else:
        raise MalformedError(
            f"unknown Public key PEM file type: {first.type[:60]}. Are you passing the correct public key?"
        )
    return accepted(spki.parse(content))


def accepted(key: PublicKey) -> PublicKey:
    """Return a key if its signatures can count at all.

    Raises:
        MalformedError: ``not-supported``, see ``signatures.accepts``.
    """
    if not signatures.accepts(key):
        what = f"key size not supported: {key.bits}" if key.kind == "rsa" else "unsupported curve"
        raise MalformedError(what, code=Code.NOT_SUPPORTED)
    return key


def encode(key: PublicKey) -> bytes:
    """Write PEM, as ``cosign.pub`` has it."""
    return Block(type="PUBLIC KEY", content=key.der).encode()
