"""Log entries as Rekor 1 and 2 canonicalise them: what is hashed into the log, and what a promise signs.

Specs: cosign, 2g. A body that comes with a signature is read only to be compared; where we know what was logged we
write the body ourselves. Canonical is RFC 8785, which for what stands here (ASCII names, strings, integers) is
sorted, compact JSON.
"""

from countermark.core.errors import MalformedError
from countermark.core.value import Value
from countermark.formats import bundle, strict_json
from countermark.formats.bundle import LogEntry
from countermark.formats.go_text import from_base64, to_base64
from countermark.formats.protojson import Message
from countermark.formats.strict_json import Reader

HASHEDREKORD = "hashedrekord"
VERSION_1, VERSION_2 = "0.0.1", "0.0.2"
_HASH_NAMES = {"sha256": "SHA2_256", "sha384": "SHA2_384", "sha512": "SHA2_512"}


class HashedRekord(Value):
    """``hashedrekord`` 0.0.1: a digest, a signature, and a certificate or public key in PEM."""

    algorithm: str
    digest: str
    signature: bytes
    public_key: bytes


class DsseRecord(Value):
    """``dsse`` 0.0.1: digests (sha256, hex) of an envelope and its payload, and each signature with its verifier."""

    envelope_hash: str
    payload_hash: str
    signatures: tuple[tuple[bytes, bytes], ...]


class IntotoRecord(Value):
    """``intoto`` 0.0.2: an envelope's payload digest (sha256, hex), and each signature with its verifier."""

    payload_hash: str
    signatures: tuple[tuple[bytes, bytes], ...]


Record = HashedRekord | DsseRecord | IntotoRecord


def parse_record(body: bytes) -> tuple[str, str, Record]:
    """Read a body of Rekor 1: its kind, its version, and what it says.

    Raises:
        MalformedError: it is none that we know.
    """
    document = Reader(strict_json.parse(body))
    kind, version = document.text("kind"), document.text("apiVersion")
    spec = document.object("spec")
    if (kind, version) == (HASHEDREKORD, VERSION_1):
        return kind, version, _hashed(spec)
    if (kind, version) == ("dsse", VERSION_1):
        return kind, version, _dsse(spec)
    if (kind, version) == ("intoto", VERSION_2):
        return kind, version, _intoto(spec)
    raise MalformedError(f"a log entry of kind {kind[:40]!r} {version[:20]!r}", path="kind")


def _base64(reader: Reader, name: str) -> bytes:
    return from_base64(reader.text(name), f"{reader.path}.{name}")


def _hashed(spec: Reader) -> HashedRekord:
    digest = spec.object("data").object("hash")
    signature = spec.object("signature")
    return HashedRekord(
        algorithm=digest.text("algorithm"),
        digest=digest.text("value"),
        signature=_base64(signature, "content"),
        public_key=_base64(signature.object("publicKey"), "content"),
    )


def _sha256(reader: Reader, name: str) -> str:
    digest = reader.object(name)
    if digest.text("algorithm") != "sha256":
        raise MalformedError(f"{digest.path} is no sha256", path=digest.path)
    return digest.text("value")


def _dsse(spec: Reader) -> DsseRecord:
    return DsseRecord(
        envelope_hash=_sha256(spec, "envelopeHash"),
        payload_hash=_sha256(spec, "payloadHash"),
        signatures=tuple(
            (_base64(each, "signature"), _base64(each, "verifier"))
            for each in spec.objects("signatures")
        ),
    )


def _intoto(spec: Reader) -> IntotoRecord:
    content = spec.object("content")
    found = content.object("envelope").objects("signatures")
    return IntotoRecord(
        payload_hash=_sha256(content, "payloadHash"),
        # the signature is base64 of its base64
        signatures=tuple(
            (
                from_base64(_base64(each, "sig").decode("latin-1"), f"{each.path}.sig"),
                _base64(each, "publicKey"),
            )
            for each in found
        ),
    )


# Rekor 1 ---------------------------------------------------------------------------------------------------


def encode_record_1(
    digest: str, signature: bytes, public_key: bytes, algorithm: str = "sha256"
) -> bytes:
    """Write ``hashedrekord`` 0.0.1; ``digest`` in hex, ``public_key`` PEM. It is also what is sent to be logged."""
    return strict_json.canonical(
        {
            "apiVersion": VERSION_1,
            "kind": HASHEDREKORD,
            "spec": {
                "data": {"hash": {"algorithm": algorithm, "value": digest}},
                "signature": {
                    "content": to_base64(signature),
                    "publicKey": {"content": to_base64(public_key)},
                },
            },
        }
    )


def encode_dsse_request(envelope: bytes, verifier: bytes) -> bytes:
    """Write what asks Rekor 1 to log an envelope; ``verifier`` PEM."""
    content = {"envelope": envelope.decode("utf-8"), "verifiers": [to_base64(verifier)]}
    return strict_json.compact(
        {"apiVersion": VERSION_1, "kind": "dsse", "spec": {"proposedContent": content}}
    )


def promised(entry: LogEntry) -> bytes:
    """The bytes that a signed entry timestamp signs: body, time, log and place, canonically."""
    return strict_json.canonical(
        {
            "body": to_base64(entry.body),
            "integratedTime": entry.integrated_time,
            "logID": entry.log_id.hex(),
            "logIndex": entry.log_index,
        }
    )


def parse_answer_1(content: bytes) -> LogEntry:
    """Read what Rekor 1 answers: one entry under its identifier.

    Raises:
        MalformedError: it is none.
    """
    found = _entries(Reader(strict_json.parse(content)))
    if len(found) != 1:
        raise MalformedError(f"{len(found)} entries, expected is one")
    return found[0]


def parse_answers_1(content: bytes) -> tuple[LogEntry, ...]:
    """Read what Rekor 1 answers to a search: a list of answers with one entry each.

    Raises:
        MalformedError: it is none.
    """
    document = Reader({"found": strict_json.parse(content)})
    return tuple(each for one in document.objects("found") for each in _entries(one))


def _entries(document: Reader) -> list[LogEntry]:
    return [_entry(document.object(name)) for name in document.names()]


def _entry(entry: Reader) -> LogEntry:
    body = _base64(entry, "body")
    outer = Reader(strict_json.parse(body))
    verification = entry.object("verification")
    proof = verification.object("inclusionProof")
    return LogEntry(
        log_index=entry.integer("logIndex"),
        log_id=_hex(entry, "logID"),
        kind=outer.text("kind"),
        version=outer.text("apiVersion"),
        integrated_time=entry.integer("integratedTime"),
        promise=_base64(verification, "signedEntryTimestamp"),
        proof=bundle.InclusionProof(
            log_index=proof.integer("logIndex"),
            root_hash=_hex(proof, "rootHash"),
            tree_size=proof.integer("treeSize"),
            hashes=tuple(_unhexed(each, f"{proof.path}.hashes") for each in proof.texts("hashes")),
            checkpoint=proof.text("checkpoint"),
        ),
        body=body,
    )


def _hex(reader: Reader, name: str) -> bytes:
    return _unhexed(reader.text(name), f"{reader.path}.{name}")


def _unhexed(text: str, path: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise MalformedError(f"{path} is not hexadecimal", path=path) from None


# Rekor 2 ---------------------------------------------------------------------------------------------------


class Verifier(Value):
    """Who can verify an entry of Rekor 2: a certificate or a public key (DER), and its algorithm's name."""

    key_details: str
    certificate: bytes = b""
    public_key: bytes = b""

    def members(self) -> "dict[str, object]":
        """The verifier as an object."""
        if self.certificate:
            return {
                "x509Certificate": {"rawBytes": to_base64(self.certificate)},
                "keyDetails": self.key_details,
            }
        return {
            "publicKey": {"rawBytes": to_base64(self.public_key)},
            "keyDetails": self.key_details,
        }


def encode_record_2(
    digest: bytes, signature: bytes, verifier: Verifier, algorithm: str = "sha256"
) -> bytes:
    """Write ``hashedrekord`` 0.0.2, of which an envelope's digest is that of its pre-authentication encoding."""
    return strict_json.canonical(
        {
            "apiVersion": VERSION_2,
            "kind": HASHEDREKORD,
            "spec": {
                "hashedRekordV002": {
                    "data": {"algorithm": _HASH_NAMES[algorithm], "digest": to_base64(digest)},
                    "signature": {"content": to_base64(signature), "verifier": verifier.members()},
                }
            },
        }
    )


def encode_request_2(digest: bytes, signature: bytes, verifier: Verifier) -> bytes:
    """Write what asks Rekor 2 to log a signature."""
    return strict_json.compact(
        {
            "hashedRekordRequestV002": {
                "digest": to_base64(digest),
                "signature": {"content": to_base64(signature), "verifier": verifier.members()},
            }
        }
    )


def parse_answer_2(content: bytes) -> LogEntry:
    """Read what Rekor 2 answers.

    Raises:
        MalformedError: it is no log entry.
    """
    return bundle.read_entry(Message(strict_json.parse(content), bundle.ENTRY_FIELDS))
