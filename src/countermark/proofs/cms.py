"""Signed data of CMS, as far as timestamps need it: read strictly.

One content, one signer, DER throughout; what a signer says of itself is taken out and not believed. Importing a
library for this would cost a cold start 80 ms and more. Sources: RFC 5652, 5 and 11; RFC 5754; RFC 8419.
"""

from countermark.core.errors import Code, MalformedError
from countermark.core.light import Mapping
from countermark.core.value import Value
from countermark.proofs import der
from countermark.proofs.der import DerReader

SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")[2:]
CONTENT_TYPE = der.oid("1.2.840.113549.1.9.3")[2:]
MESSAGE_DIGEST = der.oid("1.2.840.113549.1.9.4")[2:]
SIGNING_CERTIFICATE_V2 = der.oid("1.2.840.113549.1.9.16.2.47")[2:]

HASHES = {
    der.oid(f"2.16.840.1.101.3.4.2.{n}")[2:]: f"sha{bits}"
    for n, bits in ((1, 256), (2, 384), (3, 512))
}
# signature algorithm -> kind of key, hash ("" where it is the signer's digest algorithm)
_SIGNATURES = {
    **{
        der.oid(f"1.2.840.10045.4.3.{n}")[2:]: ("ecdsa", f"sha{bits}")
        for n, bits in ((2, 256), (3, 384), (4, 512))
    },
    **{
        der.oid(f"1.2.840.113549.1.1.{n}")[2:]: ("rsa", f"sha{bits}")
        for n, bits in ((11, 256), (12, 384), (13, 512))
    },
    der.oid("1.2.840.113549.1.1.1")[2:]: ("rsa", ""),
    der.oid("1.2.840.10045.2.1")[2:]: ("ecdsa", ""),
    der.oid("1.3.101.112")[2:]: ("ed25519", ""),
}
_VERSIONS = range(3, 5 + 1)  # RFC 5652, 5.1: for a content that is no plain data
_ATTRIBUTES = 16  # of one signer; four are usual
_CERTIFICATES = 32


class SignerInfo(Value):
    """What one signer says, unchecked.

    Attributes:
        issuer, serial: the signer's certificate, by its issuer's name (DER) and its number.
        hash_name: of the content's digest: ``sha256``, ``sha384`` or ``sha512``.
        kind: of the key that the signature algorithm belongs to: ``ecdsa``, ``rsa`` or ``ed25519``.
        attributes: the signed ones by type (contents of the OID); each has one value, in DER.
        signed: what the signature is over.
    """

    issuer: bytes
    serial: int
    hash_name: str
    kind: str
    attributes: Mapping[bytes, bytes]
    signed: bytes
    signature: bytes


class SignedData(Value):
    """A content that somebody signed, and the certificates that came with it (DER)."""

    content_type: bytes
    content: bytes
    certificates: tuple[bytes, ...]
    signer: SignerInfo


def parse(content: bytes) -> SignedData:
    """Read a ContentInfo that holds signed data.

    Raises:
        MalformedError: not one; ``not-supported``, signed in a way that we do not know.
    """
    outer = DerReader(content)
    info = outer.sequence()
    outer.end()
    if info.take(der.OID) != SIGNED_DATA:
        raise MalformedError("not signed data of CMS")
    explicit = info.sequence(der.context(0))
    info.end()
    data = explicit.sequence()
    explicit.end()
    if data.integer() not in _VERSIONS:
        raise MalformedError("signed data of an unknown version", code=Code.NOT_SUPPORTED)
    announced = _hashes(data.sequence(der.SET))
    encapsulated = data.sequence()
    content_type = encapsulated.take(der.OID)
    wrapped = encapsulated.sequence(der.context(0))
    encapsulated.end()
    inner = wrapped.take(der.OCTET_STRING)
    wrapped.end()
    certificates = _certificates(data)
    # revocation lists: a timestamp is judged at its own time, by the operator's root
    data.skip(der.context(1))
    signers = data.sequence(der.SET)
    data.end()
    signer = _signer(signers.sequence())
    signers.end()
    if signer.hash_name not in announced:
        raise MalformedError("signer uses a hash that the signed data does not announce")
    return SignedData(
        content_type=content_type, content=inner, certificates=certificates, signer=signer
    )


def _hashes(reader: DerReader) -> "list[str]":
    found: list[str] = []
    while reader.next_tag() != -1:
        algorithm = reader.sequence()
        found.append(HASHES.get(algorithm.take(der.OID), ""))
        _no_parameters(algorithm)
    return found


def _certificates(data: DerReader) -> tuple[bytes, ...]:
    if data.next_tag() != der.context(0):
        return ()
    found: list[bytes] = []
    reader = data.sequence(der.context(0))
    while reader.next_tag() != -1:
        _, _, whole = reader.element()  # of another kind than X.509's: equals none of ours
        found.append(whole)
        if len(found) > _CERTIFICATES:
            raise MalformedError("signed data with too many certificates", code=Code.TOO_LARGE)
    return tuple(found)


def _signer(reader: DerReader) -> SignerInfo:
    version = reader.integer()
    if version != 1 or reader.next_tag() != der.SEQUENCE:
        raise MalformedError("signer named by its key", code=Code.NOT_SUPPORTED)
    name = reader.sequence()
    _, _, issuer = name.element()
    serial = name.integer()
    name.end()
    hash_name = hash_algorithm(reader.sequence())
    tag, attributes, whole = reader.element()
    if tag != der.context(0):
        raise MalformedError("signer without signed attributes")
    kind = _signature_kind(reader.sequence(), hash_name)
    signature = reader.take(der.OCTET_STRING)
    reader.skip(der.context(1))  # unsigned attributes, which anybody may add
    reader.end()
    return SignerInfo(
        issuer=issuer,
        serial=serial,
        hash_name=hash_name,
        kind=kind,
        attributes=_attributes(DerReader(attributes)),
        signed=bytes((der.SET,)) + whole[1:],  # RFC 5652, 5.4: as the SET OF that it is
        signature=signature,
    )


def hash_algorithm(reader: DerReader) -> str:
    """Read an AlgorithmIdentifier of a hash: ``sha256``, ``sha384`` or ``sha512``.

    Raises:
        MalformedError: not one; ``not-supported``, another hash.
    """
    found = HASHES.get(reader.take(der.OID))
    _no_parameters(reader)
    if found is None:
        raise MalformedError(
            "a hash other than SHA-256, SHA-384 or SHA-512", code=Code.NOT_SUPPORTED
        )
    return found


def _signature_kind(reader: DerReader, hash_name: str) -> str:
    kind, named = _SIGNATURES.get(reader.take(der.OID), ("", ""))
    if not kind:
        raise MalformedError("signed with an unknown algorithm", code=Code.NOT_SUPPORTED)
    _no_parameters(reader)
    if named not in ("", hash_name):
        raise MalformedError("signer names two different hashes")
    return kind


def _no_parameters(reader: DerReader) -> None:
    if reader.next_tag() == der.NULL and reader.take(der.NULL):
        raise MalformedError("DER null with contents")
    reader.end()


def _attributes(reader: DerReader) -> Mapping[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    while reader.next_tag() != -1:
        attribute = reader.sequence()
        kind = attribute.take(der.OID)
        values = attribute.sequence(der.SET)
        attribute.end()
        _, _, value = values.element()
        values.end()
        if kind in found or len(found) == _ATTRIBUTES:
            raise MalformedError("signer has an attribute twice, or too many")
        found[kind] = value
    return found
