"""What a log is asked to take: one kind of entry, read as strictly as Rekor 2 reads it, and its signature checked.

rekor-tiles 2.3, ``pkg/types/hashedrekord`` (specs: cosign, 2g; observed, 5.4). Another kind of entry is one more
function here and its member in the request. Where Rekor lets the name of an algorithm differ from the key, ours
demands the one that is the key's.
"""

from collections.abc import Callable, Mapping

from countermark.core import limits
from countermark.core.errors import Code, EvidenceError, InputError, MalformedError
from countermark.core.ports_hosting import Request, Response
from countermark.formats import gateway_json
from countermark.formats.gateway_json import Field, Fields, Message
from countermark.formats.log_records import Record
from countermark.formats.rekor import Verifier
from countermark.proofs import signatures, spki, x509
from countermark.proofs.spki import PublicKey
from countermark.services import gateway

INVALID = "invalid hashedrekord request"
NO_TYPE = "invalid type, must be hashedrekord"
INTERNAL = "internal server error"

_KEY_WORDS = (
    "PUBLIC_KEY_DETAILS_UNSPECIFIED", "PKCS1_RSA_PKCS1V5", "PKCS1_RSA_PSS", "PKIX_RSA_PKCS1V5", "PKIX_RSA_PSS",
    "PKIX_ECDSA_P256_SHA_256", "PKIX_ECDSA_P256_HMAC_SHA_256", "PKIX_ED25519", "PKIX_ED25519_PH",
    "PKIX_RSA_PKCS1V15_2048_SHA256", "PKIX_RSA_PKCS1V15_3072_SHA256", "PKIX_RSA_PKCS1V15_4096_SHA256",
    "PKIX_ECDSA_P384_SHA_384", "PKIX_ECDSA_P521_SHA_512", "LMS_SHA256", "LMOTS_SHA256", "PKIX_RSA_PSS_2048_SHA256",
    "PKIX_RSA_PSS_3072_SHA256", "PKIX_RSA_PSS_4096_SHA256", "PKIX_ECDSA_P384_SHA_256", "PKIX_ECDSA_P521_SHA_256",
    "ML_DSA_65", "ML_DSA_87", "ML_DSA_44",
)  # fmt: skip
_ACCEPTED = frozenset(
    (
        "PKIX_RSA_PKCS1V15_2048_SHA256",
        "PKIX_RSA_PKCS1V15_3072_SHA256",
        "PKIX_RSA_PKCS1V15_4096_SHA256",
        "PKIX_ECDSA_P256_SHA_256",
        "PKIX_ECDSA_P384_SHA_384",
        "PKIX_ECDSA_P521_SHA_512",
        "PKIX_ED25519_PH",
    )
)
_PURE_ED25519 = "PKIX_ED25519"

_BYTES = Field(kind="bytes")
_SPEC_GROUP = "dev.sigstore.rekor.v2.CreateEntryRequest.spec"
_VERIFIER_GROUP = "dev.sigstore.rekor.v2.Verifier.verifier"
_KEY_BYTES = Field(kind="message", one_of=_VERIFIER_GROUP, fields={"rawBytes": _BYTES})
_VERIFIER: Fields = {
    "publicKey": _KEY_BYTES,
    "x509Certificate": _KEY_BYTES,
    "keyDetails": Field(kind="enum", words=_KEY_WORDS),
}
_SIGNATURE: Fields = {"content": _BYTES, "verifier": Field(kind="message", fields=_VERIFIER)}
_ENVELOPE: Fields = {
    "payload": _BYTES,
    "payloadType": Field(kind="string"),
    "signatures": Field(
        kind="message", many=True, fields={"sig": _BYTES, "keyid": Field(kind="string")}
    ),
}
_HASHED, _DSSE = "hashedRekordRequestV002", "dsseRequestV002"
_FIELDS: Fields = {
    _HASHED: Field(
        kind="message",
        one_of=_SPEC_GROUP,
        fields={"digest": _BYTES, "signature": Field(kind="message", fields=_SIGNATURE)},
    ),
    _DSSE: Field(
        kind="message",
        one_of=_SPEC_GROUP,
        fields={
            "envelope": Field(kind="message", fields=_ENVELOPE),
            "verifiers": Field(kind="message", many=True, fields=_VERIFIER),
        },
    ),
}


class RefusedError(Exception):
    """What to answer instead of an entry."""

    def __init__(self, message: str, code: int = gateway.INVALID_ARGUMENT) -> None:
        super().__init__(message)
        self.answer: Response = gateway.failure(code, message)


def read(request: Request) -> Message:
    """Read a request.

    Raises:
        RefusedError: it is none.
    """
    try:
        body = request.body.read(limits.LOG_REQUEST_BYTES)
        return gateway_json.read(body, _FIELDS, max_bytes=limits.LOG_REQUEST_BYTES)
    except MalformedError as error:
        raise RefusedError(str(error)) from None
    except InputError as error:
        too_large = error.code == Code.TOO_LARGE
        raise RefusedError(gateway.TOO_LARGE if too_large else "unexpected EOF") from None


def record_of(message: Message) -> Record:
    """Take the entry that is asked for; its signature verifies.

    Raises:
        RefusedError: it is not to be logged.
    """
    for name, checked in _KINDS.items():
        if name in message:
            return checked(_inner(message, name))
    raise RefusedError(NO_TYPE)


def _hashed_record(asked: Message) -> Record:
    signature = _inner(asked, "signature")
    given = _inner(signature, "verifier")
    details = given.get("keyDetails")
    verifier = Verifier(
        key_details=str(details),
        certificate=_raw(_inner(given, "x509Certificate"), "rawBytes"),
        public_key=_raw(_inner(given, "publicKey"), "rawBytes"),
    )
    try:
        key = _key(verifier)
    except EvidenceError:
        raise RefusedError(INVALID) from None
    if details == _PURE_ED25519 and key.kind == "ed25519":
        # Rekor's words: it cannot verify it by a digest
        raise RefusedError(INTERNAL, gateway.INTERNAL)
    digest, content = _raw(asked, "digest"), _raw(signature, "content")
    if details not in _ACCEPTED or not _verifies(key, verifier.key_details, digest, content):
        raise RefusedError(INVALID)
    return Record(
        algorithm=signatures.hash_for(key), digest=digest, signature=content, verifier=verifier
    )


def _key(verifier: Verifier) -> PublicKey:
    if verifier.certificate:
        if len(verifier.certificate) > limits.CERTIFICATE_BYTES:
            raise MalformedError("certificate is too large", code=Code.TOO_LARGE)
        return x509.parse(verifier.certificate).key
    return spki.parse(verifier.public_key)


def _verifies(key: PublicKey, name: str, digest: bytes, signature: bytes) -> bool:
    details = signatures.DETAILS[name]
    return details.fits(key) and signatures.verify_digest(key, digest, signature, details.hash_name)


_KINDS: Mapping[str, Callable[[Message], Record]] = {_HASHED: _hashed_record}


def _inner(message: Message, name: str) -> Message:
    value = message.get(name)
    return value if isinstance(value, dict) else {}


def _raw(message: Message, name: str) -> bytes:
    value = message.get(name)
    return value if isinstance(value, bytes) else b""
