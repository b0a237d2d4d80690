"""What is asked of a timestamp authority (RFC 3161, 2.4.1): read and written."""

from countermark.core.errors import InputError, MalformedError
from countermark.core.value import Value
from countermark.proofs import cms, der, signatures
from countermark.proofs.der import DerReader
from countermark.proofs.timestamps import digest_of

# what sigstore's timestamp-server 2.1.3 says; whoever hosts an authority answers with these words
UNREADABLE = "Error generating timestamp response"
WEAK_HASH = "Weak hash algorithm in timestamp request"
WRONG_LENGTH = "Message digest has incorrect length for specified algorithm"

_SHA1 = der.oid("1.3.14.3.2.26")[2:]
_OIDS = {name: der.tlv(der.OID, kind) for kind, name in cms.HASHES.items()}
_NULL = b"\x05\x00"
_TRUE = b"\xff"


class Query(Value):
    """A request to stamp a digest.

    Attributes:
        imprint: hash and digest, DER, as the timestamp repeats them.
        policy: under which it shall be made (contents of the OID), b"" for whichever.
        nonce: an INTEGER in DER that the timestamp repeats, b"" for none.
        wants_certificate: the authority's certificate shall come with it.
        is_extended: it wants something that RFC 3161 does not know.
    """

    imprint: bytes
    policy: bytes = b""
    nonce: bytes = b""
    wants_certificate: bool = False
    is_extended: bool = False


def imprint_of(hash_name: str, digest: bytes) -> bytes:
    """Write a MessageImprint, as Go does.

    Raises:
        InputError: an unknown hash, or a digest of another length; its words are those to answer with.
    """
    if hash_name == "sha1":
        raise InputError(WEAK_HASH)
    if hash_name not in _OIDS:
        raise InputError(UNREADABLE)
    if len(digest) != signatures.HASH_BYTES[hash_name]:
        raise InputError(WRONG_LENGTH)
    return der.sequence(der.sequence(_OIDS[hash_name], _NULL), der.tlv(der.OCTET_STRING, digest))


def encode(
    message: bytes,
    hash_name: str = "sha256",
    *,
    nonce: int | None = None,
    certificate: bool = False,
) -> bytes:
    """Write a request to stamp a message (TimeStampReq, DER)."""
    return der.sequence(
        der.integer(1),
        imprint_of(hash_name, digest_of(hash_name, message)),
        b"" if nonce is None else der.integer(nonce),
        der.tlv(der.BOOLEAN, _TRUE) if certificate else b"",
    )


def parse(content: bytes) -> Query:
    """Read a TimeStampReq.

    Raises:
        InputError: it is none; its words are those to answer with.
    """
    try:
        return _parse(content)
    except MalformedError:
        raise InputError(UNREADABLE) from None


def _parse(content: bytes) -> Query:
    outer = DerReader(content)
    reader = outer.sequence()
    outer.end()
    if reader.integer() != 1:
        raise MalformedError("timestamp query of an unknown version")
    _, contents, imprint = reader.element()
    _check_imprint(DerReader(contents))
    policy = reader.take(der.OID) if reader.next_tag() == der.OID else b""
    nonce = b""
    if reader.next_tag() == der.INTEGER:
        _, _, nonce = reader.element()
        DerReader(nonce).integer()
    wants = False
    if reader.next_tag() == der.BOOLEAN:
        flag = reader.take(der.BOOLEAN)
        if flag not in (_TRUE, b"\0"):
            raise MalformedError("DER boolean that is neither true nor false")
        wants = flag == _TRUE
    extended = reader.next_tag() == der.context(0) and bool(reader.take(der.context(0)))
    reader.end()
    return Query(
        imprint=imprint,
        policy=policy,
        nonce=nonce,
        wants_certificate=wants,
        is_extended=extended,
    )


def _check_imprint(imprint: DerReader) -> None:
    algorithm = imprint.sequence()
    kind = algorithm.take(der.OID)
    algorithm.skip(der.NULL)
    algorithm.end()
    digest = imprint.take(der.OCTET_STRING)
    imprint.end()
    imprint_of("sha1" if kind == _SHA1 else cms.HASHES.get(kind, ""), digest)
