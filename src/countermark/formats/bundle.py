"""Sigstore bundles 0.1 to 0.3 and the log entries inside them (specs: cosign, 2c)."""

from countermark.core import limits
from countermark.core.errors import Code, MalformedError
from countermark.core.value import Value
from countermark.formats import strict_json
from countermark.formats.go_text import to_base64
from countermark.formats.payloads import ENVELOPE_FIELDS, Envelope
from countermark.formats.protojson import Message

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_OLD_TYPE = "application/vnd.dev.sigstore.bundle+json;version="
_VERSIONS = {f"{_OLD_TYPE}{v}": v for v in ("0.1", "0.2", "0.3")} | {MEDIA_TYPE: "0.3"}
_FIELDS = ("mediaType", "verificationMaterial", "messageSignature", "dsseEnvelope")
_MATERIAL = (
    "publicKey",
    "x509CertificateChain",
    "certificate",
    "tlogEntries",
    "timestampVerificationData",
)
ENTRY_FIELDS = (
    "logIndex",
    "logId",
    "kindVersion",
    "integratedTime",
    "inclusionPromise",
    "inclusionProof",
    "canonicalizedBody",
)
_PROOF_FIELDS = ("logIndex", "rootHash", "treeSize", "hashes", "checkpoint")
# names of protobuf's HashAlgorithm, and ours
_HASHES = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}
_HASH_NAMES = {name: algorithm for algorithm, name in _HASHES.items()}
_HASH_BYTES = {"sha256": 32, "sha384": 48, "sha512": 64}


class InclusionProof(Value):
    """That an entry is in a log: its place, the tree's size and root, the hashes between, the signed checkpoint."""

    log_index: int
    root_hash: bytes
    tree_size: int
    hashes: tuple[bytes, ...]
    checkpoint: str


class LogEntry(Value):
    """What a transparency log says of one entry.

    Attributes:
        log_index: its place; of a log in shards the place in all of them (the proof has the one that counts).
        log_id: which log: the key's id.
        kind, version: what the body is, as ``hashedrekord`` ``0.0.1``.
        integrated_time: when, seconds since 1970; 0 where the log does not say (Rekor 2).
        promise: the log's signature over body, time and place (signed entry timestamp); b"" without one.
        proof: that it is there; None without one.
        body: the canonical bytes that were logged.
    """

    log_index: int
    log_id: bytes
    kind: str
    version: str
    integrated_time: int
    promise: bytes
    proof: InclusionProof | None
    body: bytes


class MessageSignature(Value):
    """A signature over a message that is elsewhere; ``algorithm`` and ``digest`` say which, "" where absent."""

    algorithm: str
    digest: bytes
    signature: bytes


class Bundle(Value):
    """A signature with all that proves it.

    Attributes:
        version: 0.1, 0.2 or 0.3.
        certificates: DER, the leaf first; empty where a key signed.
        is_chain: they stand there as a chain, which 0.3 has only where it was asked for.
        key_hint: which key signed, "" where a certificate says it.
        entries: what logs say.
        timestamps: RFC 3161 answers, DER.
        content: what is signed.
    """

    version: str
    certificates: tuple[bytes, ...]
    is_chain: bool
    key_hint: str
    entries: tuple[LogEntry, ...]
    timestamps: tuple[bytes, ...]
    content: Envelope | MessageSignature

    def encode(self, media_type: str = MEDIA_TYPE) -> bytes:
        """Write it as 0.3, compact, in cosign's order; ``media_type`` is one that means 0.3."""
        material: dict[str, object] = {}
        if self.is_chain:
            chain = [{"rawBytes": to_base64(each)} for each in self.certificates]
            material["x509CertificateChain"] = {"certificates": chain}
        elif self.certificates:
            material["certificate"] = {"rawBytes": to_base64(self.certificates[0])}
        else:
            material["publicKey"] = {"hint": self.key_hint} if self.key_hint else {}
        if self.entries:
            material["tlogEntries"] = [encode_entry(entry) for entry in self.entries]
        if self.timestamps:
            stamps = [{"signedTimestamp": to_base64(each)} for each in self.timestamps]
            material["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
        return strict_json.compact(
            {
                "mediaType": media_type,
                "verificationMaterial": material,
                **_encode_content(self.content),
            }
        )


def _encode_content(content: Envelope | MessageSignature) -> "dict[str, object]":
    if isinstance(content, Envelope):
        return {"dsseEnvelope": content.members()}
    digest: dict[str, str] = {}
    if content.algorithm:
        digest = {"algorithm": _HASH_NAMES[content.algorithm], "digest": to_base64(content.digest)}
    return {
        "messageSignature": {"messageDigest": digest, "signature": to_base64(content.signature)}
    }


def encode_entry(entry: LogEntry) -> "dict[str, object]":
    """Write a log entry as an object, in cosign's order."""
    members: dict[str, object] = {
        "logIndex": str(entry.log_index),
        "logId": {"keyId": to_base64(entry.log_id)},
        "kindVersion": {"kind": entry.kind, "version": entry.version},
    }
    if entry.integrated_time:
        members["integratedTime"] = str(entry.integrated_time)
    if entry.promise:
        members["inclusionPromise"] = {"signedEntryTimestamp": to_base64(entry.promise)}
    if entry.proof is not None:
        members["inclusionProof"] = {
            "logIndex": str(entry.proof.log_index),
            "rootHash": to_base64(entry.proof.root_hash),
            "treeSize": str(entry.proof.tree_size),
            "hashes": [to_base64(each) for each in entry.proof.hashes],
            "checkpoint": {"envelope": entry.proof.checkpoint},
        }
    members["canonicalizedBody"] = to_base64(entry.body)
    return members


# Reading --------------------------------------------------------------------------------------------------


def parse(content: bytes) -> Bundle:
    """Read a bundle.

    Raises:
        MalformedError: it is none, or breaks a rule of its version; ``too-large``.
    """
    value = strict_json.parse(content, max_bytes=limits.SIGNATURE_BYTES)
    document = Message(value, _FIELDS)
    media_type = document.text("mediaType")
    version = _VERSIONS.get(media_type)
    if version is None:
        document.refuse("mediaType", f"unsupported media type {media_type[:100]!r}")
    material = document.message("verificationMaterial", *_MATERIAL)
    certificates, hint, is_chain = _key_material(material)
    entries = _entries(material)
    _check_version(version, entries, material)
    return Bundle(
        version=version,
        certificates=certificates,
        is_chain=is_chain,
        key_hint=hint,
        entries=entries,
        timestamps=_timestamps(material),
        content=_content(document),
    )


def _key_material(material: Message) -> tuple[tuple[bytes, ...], str, bool]:
    kind = material.one_of("publicKey", "x509CertificateChain", "certificate")
    if kind == "publicKey":
        return (), material.message(kind, "hint").text("hint"), False
    if kind == "certificate":
        found = [material.message(kind, "rawBytes")]
    else:
        chain = material.message(kind, "certificates")
        found = chain.messages("certificates", "rawBytes")
        if not 0 < len(found) <= limits.BUNDLE_CERTIFICATES:
            chain.refuse("certificates", f"{len(found)} certificates")
    certificates = tuple(each.raw("rawBytes") for each in found)
    if not all(certificates):
        material.refuse(kind, "an empty certificate")
    return certificates, "", kind != "certificate"


def _entries(material: Message) -> tuple[LogEntry, ...]:
    found = material.messages("tlogEntries", *ENTRY_FIELDS)
    if len(found) > limits.BUNDLE_ENTRIES:
        raise MalformedError(
            f"too many tlog entries: {len(found)}, at most {limits.BUNDLE_ENTRIES} are allowed",
            code=Code.TOO_LARGE,
            path=material.at("tlogEntries"),
        )
    entries = tuple(read_entry(each) for each in found)
    if len({(entry.log_id, entry.log_index) for entry in entries}) != len(entries):
        material.refuse("tlogEntries", "duplicate tlog entries found")
    return entries


def read_entry(message: Message) -> LogEntry:
    """Read a log entry that is part of another message, or an answer of Rekor 2 (fields: ``ENTRY_FIELDS``).

    Raises:
        MalformedError: it is none.
    """
    message.need("logId", "kindVersion", "canonicalizedBody")
    kind = message.message("kindVersion", "kind", "version")
    promise = b""
    if message.has("inclusionPromise"):
        given = message.message("inclusionPromise", "signedEntryTimestamp")
        given.need("signedEntryTimestamp")
        promise = given.raw("signedEntryTimestamp")
    return LogEntry(
        log_index=message.count("logIndex"),
        log_id=message.message("logId", "keyId").raw("keyId"),
        kind=kind.text("kind"),
        version=kind.text("version"),
        integrated_time=message.count("integratedTime"),
        promise=promise,
        proof=_proof(message),
        body=message.raw("canonicalizedBody"),
    )


def _proof(message: Message) -> InclusionProof | None:
    if not message.has("inclusionProof"):
        return None
    proof = message.message("inclusionProof", *_PROOF_FIELDS)
    hashes = proof.raws("hashes")
    if len(hashes) > limits.PROOF_HASHES:
        proof.refuse("hashes", f"{len(hashes)} hashes")
    checkpoint = ""
    if proof.has("checkpoint"):
        checkpoint = proof.message("checkpoint", "envelope").text("envelope")
    return InclusionProof(
        log_index=proof.count("logIndex"),
        root_hash=proof.raw("rootHash"),
        tree_size=proof.count("treeSize"),
        hashes=hashes,
        checkpoint=checkpoint,
    )


def _check_version(version: str, entries: tuple[LogEntry, ...], material: Message) -> None:
    """Demand of each entry what its version of the format does: a promise, later a proof with its checkpoint."""
    for number, entry in enumerate(entries):
        place = f"tlogEntries[{number}]"
        if version == "0.1" and not entry.promise:
            material.refuse(
                place, "inclusion promises missing in bundle (required for bundle v0.1)"
            )
        if version != "0.1" and entry.proof is None:
            material.refuse(
                place, f"inclusion proof missing in bundle (required for bundle v{version})"
            )
        if version != "0.1" and entry.proof is not None and not entry.proof.checkpoint:
            material.refuse(place, f"checkpoint missing in bundle (required for bundle v{version})")


def _timestamps(material: Message) -> tuple[bytes, ...]:
    if not material.has("timestampVerificationData"):
        return ()
    data = material.message("timestampVerificationData", "rfc3161Timestamps")
    found = data.messages("rfc3161Timestamps", "signedTimestamp")
    if len(found) > limits.BUNDLE_TIMESTAMPS:
        raise MalformedError(
            f"too many signed timestamps: {len(found)}, at most {limits.BUNDLE_TIMESTAMPS} are allowed",
            code=Code.TOO_LARGE,
            path=data.at("rfc3161Timestamps"),
        )
    for each in found:
        each.need("signedTimestamp")
    return tuple(each.raw("signedTimestamp") for each in found)


def _content(document: Message) -> Envelope | MessageSignature:
    if document.one_of("messageSignature", "dsseEnvelope") == "dsseEnvelope":
        return Envelope.of(document.message("dsseEnvelope", *ENVELOPE_FIELDS))
    message = document.message("messageSignature", "messageDigest", "signature")
    message.need("signature")
    algorithm, value = "", b""
    if message.has("messageDigest"):
        digest = message.message("messageDigest", "algorithm", "digest")
        if digest.has("algorithm") or digest.has("digest"):
            algorithm = _HASHES.get(digest.text("algorithm"), "")
            value = digest.raw("digest")
            if not algorithm or len(value) != _HASH_BYTES[algorithm]:
                digest.refuse("digest", "not a digest that we know")
    return MessageSignature(algorithm=algorithm, digest=value, signature=message.raw("signature"))
