"""Signatures of certificates: which algorithms count, and whether an issuer's key signed.

SHA-1 and MD5 do not count, nor what an algorithm's parameters say beyond what the RFCs have (3279, 4055, 5758, 8410).
"""

from countermark.core.errors import ChainError, MalformedError
from countermark.core.value import Value
from countermark.proofs import der, signatures
from countermark.proofs.der import DerReader
from countermark.proofs.spki import PublicKey
from countermark.proofs.x509 import Certificate

_NULL = der.tlv(der.NULL)
_MGF1 = der.oid("1.2.840.113549.1.1.8")[2:]
_PSS = der.oid("1.2.840.113549.1.1.10")
_HASHES = {
    der.oid(f"2.16.840.1.101.3.4.2.{n}"): name
    for n, name in ((1, "sha256"), (2, "sha384"), (3, "sha512"))
}


class Algorithm(Value):
    """How something is signed: the kind of key, the hash ("" for the key's own), RSA's padding."""

    kind: str
    hash_name: str = ""
    pss: bool = False


def _known() -> dict[bytes, Algorithm]:
    found = {der.sequence(der.oid("1.3.101.112")): Algorithm(kind="ed25519")}
    for n, hash_name in ((1, "sha256"), (2, "sha384"), (3, "sha512")):
        ecdsa = der.sequence(der.oid(f"1.2.840.10045.4.3.{n + 1}"))
        found[ecdsa] = Algorithm(kind="ecdsa", hash_name=hash_name)
        rsa = der.sequence(der.oid(f"1.2.840.113549.1.1.{n + 10}"), _NULL)
        found[rsa] = Algorithm(kind="rsa", hash_name=hash_name)
    return found


_KNOWN = _known()


def algorithm(identifier: bytes) -> Algorithm:
    """Read an AlgorithmIdentifier.

    Raises:
        ChainError: it names one that does not count.
    """
    found = _KNOWN.get(identifier)
    if found is not None:
        return found
    try:
        hash_name = _pss_hash(identifier)
    except MalformedError:
        hash_name = ""
    if not hash_name:
        raise ChainError("certificate is signed in a way that does not count")
    return Algorithm(kind="rsa", hash_name=hash_name, pss=True)


def identifier(key: PublicKey) -> bytes:
    """Write how a key signs certificates: over the hash that belongs to it.

    Raises:
        MalformedError: ``not-supported``, a key on a curve that Sigstore does not use.
    """
    hash_name = "" if key.kind == "ed25519" else signatures.hash_for(key)
    wanted = Algorithm(kind=key.kind, hash_name=hash_name)
    return next(each for each, how in _KNOWN.items() if how == wanted)


def _pss_hash(identifier: bytes) -> str:
    """Read RSASSA-PSS parameters (RFC 4055, 3.1): one strong hash for both of their places, "" where it is not so."""
    inner = DerReader(identifier).sequence()
    _, _, kind = inner.element()
    if kind != _PSS:
        return ""
    parameters = inner.sequence()
    inner.end()
    found = _hash(parameters.sequence(der.context(0)))
    mask = parameters.sequence(der.context(1)).sequence()
    if mask.take(der.OID) != _MGF1 or _hash(mask) != found:
        return ""
    salt = parameters.sequence(der.context(2)).integer()
    parameters.end()
    # the salt is as long as the hash, in all that Go makes and takes
    return found if salt == signatures.HASH_BYTES.get(found) else ""


def _hash(reader: DerReader) -> str:
    inner = reader.sequence()
    _, _, kind = inner.element()
    if inner.next_tag() == der.NULL:
        inner.element()
    inner.end()
    return _HASHES.get(kind, "")


def check(certificate: Certificate, issuer: PublicKey) -> None:
    """Refuse a certificate that this key did not sign.

    Raises:
        ChainError: it did not, or in a way that does not count.
    """
    how = algorithm(certificate.algorithm)
    if how.kind != issuer.kind or not signatures.verify(
        issuer, certificate.body, certificate.signature, how.hash_name, pss=how.pss
    ):
        raise ChainError("certificate was not signed by the CA that it names")
