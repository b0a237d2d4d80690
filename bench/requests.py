"""Requests to the services of a Sigstore, made beforehand, so that the load client only has to send.

Written apart from the program's own code on purpose: what is measured must not come from what measures.
"""

import json
import os
from base64 import b64encode
from hashlib import sha256

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

KEYS = 16
_IMPRINT = bytes.fromhex("3031300d060960864801650304020105000420")


def _text(content: bytes) -> str:
    return b64encode(content).decode()


def _keys(count: int) -> list[ec.EllipticCurvePrivateKey]:
    return [ec.generate_private_key(ec.SECP256R1()) for _ in range(count)]


def _public(key: ec.EllipticCurvePrivateKey, encoding: serialization.Encoding) -> bytes:
    return key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


def log_entries(count: int) -> list[bytes]:
    """So many entries for a log, no two alike, of a few keys."""
    prehashed = ec.ECDSA(Prehashed(hashes.SHA256()))
    keys = [(key, _text(_public(key, serialization.Encoding.DER))) for key in _keys(KEYS)]
    found = []
    for number in range(count):
        key, public = keys[number % KEYS]
        digest = os.urandom(32)
        verifier = {"publicKey": {"rawBytes": public}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
        signature = {"content": _text(key.sign(digest, prehashed)), "verifier": verifier}
        record = {"digest": _text(digest), "signature": signature}
        found.append(_json({"hashedRekordRequestV002": record}))
    return found


def certificate_requests(token: str, email: str, count: int) -> list[bytes]:
    """So many requests for a certificate, each for a key of its own that has signed the address."""
    found = []
    for key in _keys(count):
        public = _public(key, serialization.Encoding.PEM).decode()
        proof = key.sign(email.encode(), ec.ECDSA(hashes.SHA256()))
        asked = {
            "publicKey": {"algorithm": "ECDSA", "content": public},
            "proofOfPossession": _text(proof),
        }
        credentials = {"oidcIdentityToken": token}
        found.append(_json({"credentials": credentials, "publicKeyRequest": asked}))
    return found


def timestamp_queries(count: int) -> list[bytes]:
    """So many queries of RFC 3161 as cosign sends them: a SHA-256, a nonce, and the certificate wanted."""
    found = []
    for _ in range(count):
        # positive, and no longer than it has to be
        nonce = bytes([1 + os.urandom(1)[0] % 127]) + os.urandom(7)
        body = b"\x02\x01\x01" + _IMPRINT + sha256(os.urandom(8)).digest()
        body += b"\x02\x08" + nonce + b"\x01\x01\xff"
        found.append(b"\x30" + bytes([len(body)]) + body)
    return found


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
