"""What a log's entries can be found by: the digest of what was signed, whose key or certificate it was.

The index has hashes of these words only; whoever looks reads the entries themselves then, and decides by them.
"""

from hashlib import sha256

from countermark.core.errors import EvidenceError
from countermark.formats import log_records
from countermark.formats.log_records import Record
from countermark.proofs import signing_certificates
from countermark.proofs.signing_certificates import SigningCertificate

DIGEST, KEY, IDENTITY, LEAF = "digest", "key", "identity", "leaf"
_BYTES = 16


def term(kind: str, value: str) -> bytes:
    """Make the term for a word; ``value`` is hex for all but identities."""
    return sha256(f"{kind}\0{value}".encode("utf-8", "replace")).digest()[:_BYTES]


def signer_of(record: Record) -> SigningCertificate | None:
    """Read the certificate of an entry as a signer's; None where it is none."""
    if not record.verifier.certificate:
        return None
    try:
        return signing_certificates.parse(record.verifier.certificate)
    except EvidenceError:
        return None


def key_of(record: Record) -> str:
    """The sha256 of the public key (SubjectPublicKeyInfo) that verifies an entry, in hex; "" where there is none."""
    signer = signer_of(record)
    if signer is not None:
        return signer.certificate.key.fingerprint
    return sha256(record.verifier.public_key).hexdigest() if record.verifier.public_key else ""


def terms_of(record: Record) -> tuple[bytes, ...]:
    """The terms of an entry."""
    found = [term(DIGEST, record.digest.hex())]
    signer = signer_of(record)
    if signer is not None:
        found.append(term(KEY, signer.certificate.key.fingerprint))
        if signer.name:
            found.append(term(IDENTITY, signer.name))
    elif record.verifier.public_key:
        found.append(term(KEY, sha256(record.verifier.public_key).hexdigest()))
    return tuple(found)


def terms_of_body(body: bytes) -> tuple[bytes, ...]:
    """The terms of an entry as it lies in the log; none of one that we cannot read."""
    try:
        return terms_of(log_records.parse(body))
    except EvidenceError:
        return ()
