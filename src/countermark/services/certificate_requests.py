"""What is asked of a certificate authority: a token, a key, and the proof that whoever asks has it.

Fulcio's requests in both of its versions, and its words for what is wrong with one (specs: cosign-observed, 5.4).
"""

from countermark.core import limits
from countermark.core.errors import Code, EvidenceError, InputError, MalformedError
from countermark.core.ports_hosting import Request
from countermark.core.value import Value
from countermark.formats import gateway_json
from countermark.formats.gateway_json import Field, Fields, Message, Rules
from countermark.proofs import key_strength, public_keys, signatures, signing_requests, spki
from countermark.proofs.spki import PublicKey
from countermark.services import gateway

BAD_PROOF = "The signature supplied in the request could not be verified"
BAD_KEY = "The public key supplied in the request could not be parsed"
BAD_REQUEST = "The certificate signing request could not be parsed"
WEAK_KEY = "The public key supplied in the request is insecure"

_KEY_GROUP = "dev.sigstore.fulcio.v2.CreateSigningCertificateRequest.key"
_TOKEN_GROUP = "dev.sigstore.fulcio.v2.Credentials.credentials"  # noqa: S105 - a name
_ALGORITHMS = ("PUBLIC_KEY_ALGORITHM_UNSPECIFIED", "RSA_PSS", "ECDSA", "ED25519")
_TEXT, _BYTES = Field(kind="string"), Field(kind="bytes")
_FIELDS: Fields = {
    "credentials": Field(
        kind="message",
        fields={"oidcIdentityToken": Field(kind="string", one_of=_TOKEN_GROUP)},
    ),
    "publicKeyRequest": Field(
        kind="message",
        one_of=_KEY_GROUP,
        fields={
            "publicKey": Field(
                kind="message",
                fields={"algorithm": Field(kind="enum", words=_ALGORITHMS), "content": _TEXT},
            ),
            "proofOfPossession": _BYTES,
        },
    ),
    "certificateSigningRequest": Field(kind="bytes", one_of=_KEY_GROUP),
}
_FIELDS_V1: Fields = {
    "publicKey": Field(kind="message", fields={"algorithm": _TEXT, "content": _BYTES}),
    "signedEmailAddress": _BYTES,
    "certificateSigningRequest": _BYTES,
}
_GO_TYPES = {"ecdsa": "*ecdsa.PublicKey", "rsa": "*rsa.PublicKey", "ed25519": "ed25519.PublicKey"}


class RefusedError(Exception):
    """What to answer instead of a certificate."""

    def __init__(
        self, message: str, *, code: int = gateway.INVALID_ARGUMENT, cause: object = ""
    ) -> None:
        super().__init__(message)
        self.answer = gateway.failure(code, message, problem=str(cause))


class Asked(Value):
    """What somebody asks for: the key, or a signing request (PEM) that has it; ``proof`` is their signature."""

    token: str
    key: bytes
    proof: bytes
    signing_request: bytes

    def __repr__(self) -> str:
        return "Asked(token=…)"  # whoever reads the token can use it

    def proven_key(self, challenge: str) -> PublicKey:
        """Return the key, whose owner has signed the challenge, or the request.

        Raises:
            RefusedError: it is none, not good enough, or nobody proved to have it.
        """
        if self.signing_request:
            return _requested_key(self.signing_request)
        return _proven_key(self.key, self.proof, challenge)


def read(request: Request) -> Asked:
    """Read a request of version 2.

    Raises:
        RefusedError: it is none.
    """
    message = _read(request, _FIELDS, Rules(accept_unknown=True))
    given, credentials = _inner(message, "publicKeyRequest"), _inner(message, "credentials")
    return Asked(
        token=_text(credentials, "oidcIdentityToken") or _bearer(request),
        key=_text(_inner(given, "publicKey"), "content").encode(),
        proof=_raw(given, "proofOfPossession"),
        signing_request=_raw(message, "certificateSigningRequest"),
    )


def read_v1(request: Request) -> Asked:
    """Read a request of version 1.

    Raises:
        RefusedError: it is none.
    """
    message = _read(request, _FIELDS_V1, Rules(accept_unknown=True, accept_snake_case=False))
    return Asked(
        token=_bearer(request),
        key=_raw(_inner(message, "publicKey"), "content"),
        proof=_raw(message, "signedEmailAddress"),
        signing_request=_raw(message, "certificateSigningRequest"),
    )


def _read(request: Request, fields: Fields, rules: Rules) -> Message:
    try:
        body = request.body.read(limits.CERTIFICATE_REQUEST_BYTES)
        return gateway_json.read(
            body, fields, max_bytes=limits.CERTIFICATE_REQUEST_BYTES, rules=rules
        )
    except MalformedError as error:
        raise RefusedError(str(error)) from None
    except InputError as error:
        message = gateway.TOO_LARGE if error.code == Code.TOO_LARGE else "unexpected EOF"
        raise RefusedError(message, cause=error) from None


def _bearer(request: Request) -> str:
    """The token in the header; Fulcio takes it without the word before it, too."""
    return request.headers.get("authorization", "").replace("Bearer ", "", 1)


def _inner(message: Message, name: str) -> Message:
    value = message.get(name)
    return value if isinstance(value, dict) else {}


def _text(message: Message, name: str) -> str:
    value = message.get(name)
    return value if isinstance(value, str) else ""


def _raw(message: Message, name: str) -> bytes:
    value = message.get(name)
    return value if isinstance(value, bytes) else b""


# Keys ---------------------------------------------------------------------------------------------------


def _proven_key(content: bytes, proof: bytes, challenge: str) -> PublicKey:
    """Read a key whose owner has signed the challenge, over the hash that belongs to it."""
    try:
        key = _parsed_key(content)
        key_strength.check(key)
    except EvidenceError as error:
        weak = error.code in (Code.INSECURE, Code.NOT_SUPPORTED)
        raise RefusedError(WEAK_KEY if weak else BAD_KEY, cause=error) from None
    if not signatures.verify(key, challenge.encode(), proof):
        raise RefusedError(BAD_PROOF)
    return key


def _parsed_key(content: bytes) -> PublicKey:
    """Read PEM, else DER."""
    if b"-----BEGIN " in content:
        return public_keys.parse(content)
    return spki.parse(content)


def _requested_key(content: bytes) -> PublicKey:
    """Read the key of a signing request, which it must have signed over the hash that belongs to it."""
    try:
        request = signing_requests.parse(content)
    except EvidenceError as error:
        raise RefusedError(BAD_REQUEST, cause=error) from None
    key = request.key
    try:
        key_strength.check(key)
    except EvidenceError as error:
        raise RefusedError(WEAK_KEY, cause=error) from None
    try:
        signing_requests.check(request)
        hash_name = signing_requests.hash_name(request)
    except EvidenceError as error:
        raise RefusedError(BAD_PROOF, cause=error) from None
    if hash_name != ("" if key.kind == "ed25519" else signatures.hash_for(key)):
        name = f"SHA-{hash_name.removeprefix('sha')}"
        raise RefusedError(f"signing algorithm not permitted: {_GO_TYPES[key.kind]}, {name}")
    return key
