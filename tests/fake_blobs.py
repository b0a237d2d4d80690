"""Signatures and attestations of files as cosign makes them, in every form; see ``fake_sigstore``."""

from base64 import b64encode
from datetime import datetime
from hashlib import sha256, sha384, sha512
from typing import Any

import fake_sigstore as fake
from countermark.core.digest import Digest
from fake_sigstore import SIGNED_AT, Document, Leaf, Log, PrivateKey, TimestampAuthority

BLOB = b"what is signed\n"
CUSTOM = "https://cosign.sigstore.dev/attestation/v1"
_HASHES = {"sha256": sha256, "sha384": sha384, "sha512": sha512}


def statement(content: bytes = BLOB, predicate: str = CUSTOM, algorithm: str = "sha256") -> bytes:
    """A statement about a file."""
    digests = {algorithm: _HASHES[algorithm](content).hexdigest()}
    named = {"name": "blob", "digest": digests}
    return fake.statement(Digest.of(content), predicate, {"Data": "x"}, subject=[named])


def signature(signer: Leaf | PrivateKey, content: bytes = BLOB, hash_: Any = None) -> bytes:
    """A signature over a file."""
    return fake.sign(signer.key if isinstance(signer, Leaf) else signer, content, hash_)


def bundle(
    signer: Leaf | PrivateKey,
    content: bytes = BLOB,
    *,
    log: Log | None = None,
    stamps: TimestampAuthority | None = None,
    at: datetime = SIGNED_AT,
    hash_: Any = None,
    digest: Document | None = None,
) -> Document:
    """Sign a file and put everything that proves it into a bundle; ``digest`` replaces what it says of the file."""
    signed = signature(signer, content, hash_)
    made = fake.bundle(signer, b"{}", stamps=None)  # the key material
    material = made["verificationMaterial"]
    if log is not None and log.first_kind:
        material["tlogEntries"] = [
            log.add(fake.body_v1(signer, content, signed), ("hashedrekord", "0.0.1"), at)
        ]
    elif log is not None:
        material["tlogEntries"] = [
            log.add(fake.body_v2(signer, content, signed), ("hashedrekord", "0.0.2"), at)
        ]
    if stamps is not None:
        answer = fake.b64(stamps.stamp(signed, at))
        material["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": answer}]}
    own = {"algorithm": "SHA2_256", "digest": fake.b64(sha256(content).digest())}
    return {
        "mediaType": made["mediaType"],
        "verificationMaterial": material,
        "messageSignature": {"messageDigest": digest or own, "signature": fake.b64(signed)},
    }


def old_bundle(
    signer: Leaf | PrivateKey,
    content: bytes = BLOB,
    *,
    log: Log | None = None,
    at: datetime = SIGNED_AT,
    attested: bytes | None = None,
) -> Document:
    """The same as it was before bundles; with ``attested`` an envelope around that statement."""
    key = signer.key if isinstance(signer, Leaf) else signer
    if attested is None:
        signed = fake.sign(key, content)
        body = fake.body_v1(signer, content, signed)
    else:
        envelope = envelope_of(key, attested)
        signed = fake.compact(envelope)
        body = fake.body_dsse(signer, envelope)
    found: Document = {"base64Signature": fake.b64(signed)}
    if isinstance(signer, Leaf):
        found["cert"] = fake.b64(signer.pem.encode())
    if log is not None:
        kind = ("hashedrekord", "0.0.1") if attested is None else ("dsse", "0.0.1")
        entry = log.add(body, kind, at)
        found["rekorBundle"] = {
            "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
            "Payload": {
                "body": entry["canonicalizedBody"],
                "integratedTime": int(entry["integratedTime"]),
                "logIndex": int(entry["logIndex"]),
                "logID": log.id.hex(),
            },
        }
    return found


def envelope_of(key: PrivateKey, content: bytes) -> Document:
    """An envelope around a statement."""
    signed = fake.sign(key, fake.pae(fake.IN_TOTO, content))
    return {
        "payload": fake.b64(content),
        "payloadType": fake.IN_TOTO,
        "signatures": [{"sig": fake.b64(signed)}],
    }


def stamped(stamps: TimestampAuthority, message: bytes, at: datetime = SIGNED_AT) -> bytes:
    """A timestamp as ``sign-blob --rfc3161-timestamp`` wrote it."""
    answer = b64encode(stamps.stamp(message, at)).decode()
    return fake.compact({"SignedRFC3161Timestamp": answer})
