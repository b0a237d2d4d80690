"""Certificate signing requests (PKCS 10, RFC 2986): a key, and the proof that whoever asks has it.

Names and attributes in it are what somebody claims of himself, and are not looked at.
"""

from countermark.core import limits
from countermark.core.errors import Code, EvidenceError, MalformedError, SignatureError
from countermark.core.value import Value
from countermark.proofs import certificate_signatures, der, pem, signatures, spki
from countermark.proofs.der import DerReader
from countermark.proofs.spki import PublicKey

_TYPES = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")


class SigningRequest(Value):
    """A request: the key, the bytes that are signed, how (AlgorithmIdentifier), and the signature."""

    key: PublicKey
    body: bytes
    algorithm: bytes
    signature: bytes


def parse(text: bytes) -> SigningRequest:
    """Read the first block of a PEM text.

    Raises:
        MalformedError: it is no request; ``too-large``.
    """
    if len(text) > 2 * limits.CERTIFICATE_BYTES:
        raise MalformedError("signing request is too large", code=Code.TOO_LARGE)
    blocks = pem.parse(text)
    if not blocks or blocks[0].type not in _TYPES:
        raise MalformedError("no signing request in PEM form")
    outer = DerReader(blocks[0].content)
    whole = outer.sequence()
    outer.end()
    tag, contents, body = whole.element()
    if tag != der.SEQUENCE:
        raise MalformedError("signing request without a body")
    _, _, algorithm = whole.element()
    signature = whole.bits()
    whole.end()
    info = DerReader(contents)
    if info.integer() != 0:
        raise MalformedError("signing request of an unknown version")
    info.take(der.SEQUENCE)  # subject
    _, _, key = info.element()
    info.skip(der.context(0))  # attributes, which must be there, yet some leave them out
    info.end()
    return SigningRequest(key=spki.parse(key), body=body, algorithm=algorithm, signature=signature)


def hash_name(request: SigningRequest) -> str:
    """Name the hash that a request is signed over, "" for Ed25519.

    Raises:
        EvidenceError: ``not-supported``, an algorithm that does not count.
    """
    try:
        return certificate_signatures.algorithm(request.algorithm).hash_name
    except EvidenceError as error:
        raise EvidenceError(str(error), code=Code.NOT_SUPPORTED) from None


def check(request: SigningRequest) -> None:
    """Refuse a request that its own key did not sign.

    Raises:
        EvidenceError: ``bad-signature``; ``not-supported``, see ``hash_name``.
    """
    hash_name(request)
    how = certificate_signatures.algorithm(request.algorithm)
    if how.kind != request.key.kind or not signatures.verify(
        request.key, request.body, request.signature, how.hash_name, pss=how.pss
    ):
        raise SignatureError("the signing request is not signed by its own key")
