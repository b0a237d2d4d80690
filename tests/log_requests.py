"""What is sent to a log: right requests of every kind of key, and wrong ones, each with its name."""

import json
import os
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha1, sha256, sha384, sha512
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.x509.oid import NameOID

from countermark.proofs import signing_keys

NAME = "alice@example.test"
KINDS = {
    "ecdsa-p256": ("PKIX_ECDSA_P256_SHA_256", sha256),
    "ecdsa-p384": ("PKIX_ECDSA_P384_SHA_384", sha384),
    "ecdsa-p521": ("PKIX_ECDSA_P521_SHA_512", sha512),
    "rsa-2048": ("PKIX_RSA_PKCS1V15_2048_SHA256", sha256),
    "rsa-3072": ("PKIX_RSA_PKCS1V15_3072_SHA256", sha256),
    "rsa-4096": ("PKIX_RSA_PKCS1V15_4096_SHA256", sha256),
    "ed25519": ("PKIX_ED25519_PH", sha512),
}
KEYS = {kind: signing_keys.generate(kind) for kind in KINDS}
Document = dict[str, Any]


def b64(content: bytes) -> str:
    return b64encode(content).decode()


def document(
    message: bytes | None = None, kind: str = "ecdsa-p256", *, certificate: bool = False
) -> Document:
    """A right request, over a message or over something new."""
    key = KEYS[kind]
    details, hashing = KINDS[kind]
    digest = hashing(os.urandom(16) if message is None else message).digest()
    own = {"publicKey": {"rawBytes": b64(key.public_der)}}
    if certificate:
        own = {"x509Certificate": {"rawBytes": b64(certificate_of(kind))}}
    signature = {
        "content": b64(key.sign_digest(digest)),
        "verifier": {**own, "keyDetails": details},
    }
    return {"hashedRekordRequestV002": {"digest": b64(digest), "signature": signature}}


def encoded(found: Document) -> bytes:
    return json.dumps(found).encode()


def certificate_of(kind: str, name: str = NAME) -> bytes:
    """A certificate for one of the keys, which signed it itself."""
    key = KEYS[kind].object
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
    builder = builder.public_key(key.public_key()).serial_number(7)
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(minutes=10))
    names = x509.SubjectAlternativeName([x509.RFC822Name(name)])
    builder = builder.add_extension(names, critical=True)
    hashing = None if kind == "ed25519" else hashes.SHA256()
    return builder.sign(key, hashing).public_bytes(serialization.Encoding.DER)


def bent(*path: str, value: object = None, base: Document | None = None) -> bytes:
    """A right request with one member another, or (None) gone."""
    whole = base or document()
    inner = whole["hashedRekordRequestV002"]
    for name in path[:-1]:
        inner = inner[name]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return encoded(whole)


class Case(NamedTuple):
    """A request and what Rekor answers to it."""

    body: bytes
    status: int
    text: str = ""  # of the message


INVALID, NO_TYPE = "invalid hashedrekord request", "invalid type, must be hashedrekord"
_VERIFIER = ("signature", "verifier")
_OTHER = rsa.generate_private_key(65537, 1024)
_P224 = ec.generate_private_key(ec.SECP224R1())


def _der(key: "rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey") -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _of(key: "rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey", details: str) -> bytes:
    """A request with a key that is too weak, yet signs."""
    digest = sha256(b"weak").digest()
    prehashed = Prehashed(hashes.SHA256())
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(digest, padding.PKCS1v15(), prehashed)
    else:
        signature = key.sign(digest, ec.ECDSA(prehashed))
    own = {"publicKey": {"rawBytes": b64(_der(key))}, "keyDetails": details}
    record = {"digest": b64(digest), "signature": {"content": b64(signature), "verifier": own}}
    return encoded({"hashedRekordRequestV002": record})


def _pure_ed25519() -> bytes:
    whole = document(kind="ed25519")
    signature = whole["hashedRekordRequestV002"]["signature"]
    signature["verifier"]["keyDetails"] = "PKIX_ED25519"
    return encoded(whole)


def cases() -> dict[str, Case]:
    """Everything that is refused, in the same words by Rekor and by us."""
    right = document()
    raw = right["hashedRekordRequestV002"]["signature"]["verifier"]
    both = {**raw, "x509Certificate": {"rawBytes": b64(certificate_of("ecdsa-p256"))}}
    other = b64(KEYS["ecdsa-p384"].public_der)
    envelope = {"payload": b64(b"{}"), "payloadType": "t", "signatures": [{"sig": "AAAA"}]}
    refused = {
        "another signature": bent("signature", "content", value=b64(b"0\x06\x02\x01\x01\x02\x01\x01")),
        "junk for a signature": bent("signature", "content", value="AAAA"),
        "empty signature": bent("signature", "content", value=""),
        "no signature": bent("signature"),
        "no content": bent("signature", "content"),
        "another digest": bent("digest", value=b64(bytes(32))),
        "short digest": bent("digest", value=b64(bytes(31))),
        "SHA-1": bent("digest", value=b64(sha1(b"").digest())),
        "no digest": bent("digest"),
        "no verifier": bent(*_VERIFIER),
        "no key": bent(*_VERIFIER, "publicKey"),
        "empty key": bent(*_VERIFIER, "publicKey", "rawBytes", value=""),
        "key without bytes": bent(*_VERIFIER, "publicKey", "rawBytes"),
        "junk for a key": bent(*_VERIFIER, "publicKey", "rawBytes", value="AAAA"),
        "another key": bent(*_VERIFIER, "publicKey", "rawBytes", value=other),
        "no key details": bent(*_VERIFIER, "keyDetails"),
        "key details of another curve": bent(*_VERIFIER, "keyDetails", value="PKIX_ECDSA_P384_SHA_384"),
        "key details of another kind": bent(*_VERIFIER, "keyDetails", value="PKIX_ED25519_PH"),
        "pure Ed25519 for another key": bent(*_VERIFIER, "keyDetails", value="PKIX_ED25519"),
        "LMS": bent(*_VERIFIER, "keyDetails", value="LMS_SHA256"),
        "old RSA": bent(*_VERIFIER, "keyDetails", value="PKIX_RSA_PKCS1V5", base=document(kind="rsa-2048")),
        "unspecified": bent(*_VERIFIER, "keyDetails", value=0),
        "unknown number": bent(*_VERIFIER, "keyDetails", value=99),
        "P-384 with SHA-256": bent(
            *_VERIFIER, "keyDetails", value="PKIX_ECDSA_P384_SHA_256", base=document(kind="ecdsa-p384")
        ),
        "junk for a certificate": bent(
            *_VERIFIER, "x509Certificate", "rawBytes", value="AAAA", base=document(certificate=True)
        ),
        "certificate of another key": bent(
            *_VERIFIER, "x509Certificate", "rawBytes", value=b64(certificate_of("rsa-2048")),
            base=document(certificate=True),
        ),
        "left over after a key": bent(
            *_VERIFIER, "publicKey", "rawBytes", value=b64(KEYS["ecdsa-p256"].public_der + b"\0")
        ),
        "RSA of 1024 bits": _of(_OTHER, "PKIX_RSA_PKCS1V15_2048_SHA256"),
        "P-224": _of(_P224, "PKIX_ECDSA_P256_SHA_256"),
    }  # fmt: skip
    found = {name: Case(body, 400, INVALID) for name, body in refused.items()}
    no_type = {
        "empty object": b"{}",
        "nothing": b"",
        "null": b'{"hashedRekordRequestV002":null}',
        "an envelope": encoded({"dsseRequestV002": {"envelope": envelope, "verifiers": [raw]}}),
    }
    found |= {name: Case(body, 400, NO_TYPE) for name, body in no_type.items()}
    unread = {
        "unknown member": bent("zz", value=1),
        "unknown member outside": encoded({**right, "zz": 1}),
        "unknown word": bent(*_VERIFIER, "keyDetails", value="NOPE"),
        "both kinds of key": bent(*_VERIFIER, value=both),
        "both kinds of entry": encoded({**right, "dsseRequestV002": {}}),
        "not base64": bent("digest", value="!!"),
        "number for bytes": bent("digest", value=5),
        "list for a message": bent("signature", value=[]),
        "not JSON": b"zz",
        "cut off": encoded(right)[:-5],
        "a list": b"[]",
        "5 MB": b" " * (5 << 20),
    }
    found |= {name: Case(body, 400) for name, body in unread.items()}
    found["pure Ed25519"] = Case(_pure_ed25519(), 500, "internal server error")
    return found
