"""Public keys in PEM files, as signers hand them out.

Apart from ``proofs/key_files.py``, whose encryption would cost a cold start with a PEM pin 50 ms. Source: notary
v0.7.0 ``tuf/utils/x509.go`` ``ParsePEMPublicKey`` (specs: notary v1, 5.8).
"""

from datetime import datetime

from countermark.core import limits
from countermark.core.errors import ChainError, Code, EvidenceError, MalformedError
from countermark.formats.tuf import Key
from countermark.proofs import certificates, pem, spki, x509
from countermark.proofs.keys import public_key
from countermark.proofs.pem import Block


def parse_public_pem(text: bytes, now: datetime) -> Key:
    """Read the first block of a signer's public key file, in docker's words where docker would refuse it.

    Raises:
        MalformedError: it is none. ChainError: a certificate that does not count, now.
    """
    try:
        blocks = pem.parse(text[: limits.KEY_FILE_BYTES])
    except MalformedError:
        blocks = ()
    if not blocks:
        raise MalformedError("no valid public key found")
    first = blocks[0]
    if first.type == "CERTIFICATE":
        return _certified(first.content, now)
    if first.type != "PUBLIC KEY":
        raise MalformedError(
            f'unsupported PEM block type "{first.type[:40]}", expected CERTIFICATE or PUBLIC KEY'
        )
    try:
        found = spki.parse(first.content)
    except MalformedError as error:
        raise MalformedError(f"unable to parse public key: {error}") from None
    if found.kind == "ed25519":
        raise MalformedError("unknown public key format", code=Code.NOT_SUPPORTED)
    return Key.of(found.kind, found.der)


def _certified(content: bytes, now: datetime) -> Key:
    try:
        certificate = x509.parse(content)
    except MalformedError as error:
        raise MalformedError(f"could not parse provided certificate: {error}") from None
    try:
        certificates.check(certificate, now)
    except EvidenceError as error:
        raise ChainError(f"invalid certificate: {error}", code=error.code) from None
    if certificate.key.kind == "ed25519":
        raise MalformedError("unknown public key format", code=Code.NOT_SUPPORTED)
    return certificates.Bundle(leaf=certificate).key


def encode_public_pem(key: Key, role: str = "") -> bytes:
    """Write a public key file as ``docker trust key generate`` does.

    Raises:
        MalformedError: the key does not parse.
    """
    headers = {"role": role} if role else {}
    return Block(type="PUBLIC KEY", content=public_key(key).der, headers=headers).encode()
