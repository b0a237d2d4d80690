"""What gets signed: simple signing, DSSE envelopes, in-toto statements.

Bytes are kept as they were received: a signature is over them, and over nothing that we write ourselves (specs:
cosign, 2a and 2b; secure-systems-lab/dsse, protocol.md; in-toto attestation framework, v1).
"""

from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import Code, InputError, MalformedError
from countermark.core.light import Mapping, Sequence
from countermark.core.value import Value
from countermark.formats import go_text, strict_json
from countermark.formats.go_text import to_base64
from countermark.formats.protojson import Message
from countermark.formats.strict_json import Json, Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SIMPLE_TYPE = "cosign container image signature"
SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
IN_TOTO = "application/vnd.in-toto+json"
STATEMENT_1 = "https://in-toto.io/Statement/v1"
STATEMENT_01 = "https://in-toto.io/Statement/v0.1"
CUSTOM_PREDICATE = "https://cosign.sigstore.dev/attestation/v1"

# cosign's --type, and the predicate type that each means
PREDICATE_TYPES: Mapping[str, str] = {
    "custom": CUSTOM_PREDICATE,
    "slsaprovenance": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance1": "https://slsa.dev/provenance/v1",
    "link": "https://in-toto.io/Link/v1",
    "spdx": "https://spdx.dev/Document",
    "spdxjson": "https://spdx.dev/Document",
    "cyclonedx": "https://cyclonedx.org/bom",
    "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1",
    "openvex": "https://openvex.dev/ns",
}


# Simple signing -------------------------------------------------------------------------------------------


class SimpleSigning(Value):
    """A simple-signing payload: what cosign's older signatures, and containers/image, sign.

    Attributes:
        content: the bytes as stored, over which signatures are.
        repository: how the image is called (``docker-reference``).
        digest: of the manifest.
        type: what kind of payload it says it is.
        optional: what is said besides: annotations.
    """

    content: bytes
    repository: str
    digest: Digest
    type: str
    optional: "Mapping[str, Any]"


def parse(content: bytes) -> SimpleSigning:
    """Read a simple-signing payload.

    Raises:
        MalformedError: it is none.
    """
    document = Reader(strict_json.parse(content, max_bytes=limits.SIMPLE_SIGNING_BYTES))
    _only(document, "critical", "optional")
    critical = document.object("critical")
    _only(critical, "identity", "image", "type")
    identity, image = critical.object("identity"), critical.object("image")
    digest = image.text("docker-manifest-digest")
    try:
        parsed = Digest.parse(digest)
    except InputError as error:
        path = "critical.image.docker-manifest-digest"
        raise MalformedError(f"{path}: {error}", path=path) from None
    optional: Json = document.value("optional") if document.has("optional") else {}
    if not isinstance(optional, dict):
        raise MalformedError("optional is not an object", path="optional")
    return SimpleSigning(
        content=content,
        repository=identity.text("docker-reference"),
        digest=parsed,
        type=critical.text("type"),
        optional=optional,
    )


def _only(reader: Reader, *names: str) -> None:
    """Demand that nothing else is there: a member that one reader sees and another does not is an attack's place."""
    for name in reader.names():
        if name not in names:
            where = f"{reader.path}.{name}" if reader.path else name
            raise MalformedError(f"unknown field {name[:80]!r}", path=where)


def encode(repository: str, digest: Digest, annotations: Mapping[str, str]) -> bytes:
    """Write a simple-signing payload as cosign does: its members' order, compact, Go's escapes, null for nothing."""
    critical = {
        "identity": {"docker-reference": repository},
        "image": {"docker-manifest-digest": str(digest)},
        "type": SIMPLE_TYPE,
    }
    optional = dict(sorted(annotations.items())) or None
    return go_text.encode_json({"critical": critical, "optional": optional})


# DSSE -----------------------------------------------------------------------------------------------------


class EnvelopeSignature(Value):
    """One signature of an envelope; the key's name is a hint and proves nothing."""

    value: bytes
    key_id: str = ""


class Envelope(Value):
    """A DSSE envelope: a payload of some type, and signatures over both."""

    payload: bytes
    payload_type: str
    signatures: tuple[EnvelopeSignature, ...]

    @classmethod
    def parse(cls, content: bytes) -> "Envelope":
        """Read an envelope.

        Raises:
            MalformedError: it is none.
        """
        return cls.of(
            Message(
                strict_json.parse(content, max_bytes=limits.SIGNATURE_BYTES),
                ENVELOPE_FIELDS,
            )
        )

    @classmethod
    def of(cls, message: Message) -> "Envelope":
        """Take an envelope that is part of another message (fields: ``ENVELOPE_FIELDS``).

        Raises:
            MalformedError: it is none, or has no signature, or not exactly one (cosign takes no other).
        """
        message.need("payload", "payloadType")
        found = message.messages("signatures", "sig", "keyid")
        if len(found) != 1:
            message.refuse("signatures", "exactly one signature is required")
        found[0].need("sig")
        one = EnvelopeSignature(value=found[0].raw("sig"), key_id=found[0].text("keyid"))
        return cls(
            payload=message.raw("payload"),
            payload_type=message.text("payloadType"),
            signatures=(one,),
        )

    @property
    def pae(self) -> bytes:
        """The bytes that its signatures are over."""
        return pae(self.payload_type, self.payload)

    def members(self) -> "dict[str, object]":
        """The envelope as an object, in the order in which cosign writes it."""
        return {
            "payload": to_base64(self.payload),
            "payloadType": self.payload_type,
            "signatures": [
                {"sig": to_base64(each.value)} | ({"keyid": each.key_id} if each.key_id else {})
                for each in self.signatures
            ],
        }

    def encode(self) -> bytes:
        """Write it, compact."""
        return strict_json.compact(self.members())


ENVELOPE_FIELDS = ("payload", "payloadType", "signatures")


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: type and payload with their lengths, so that neither can flow over."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


# in-toto --------------------------------------------------------------------------------------------------


class StatementSubject(Value):
    """What a statement is about: a name, digests by algorithm (lower-case hex), and annotations."""

    name: str = ""
    digests: Mapping[str, str] = {}  # noqa: RUF012 - frozen, and never written to
    annotations: Mapping[str, str] = {}  # noqa: RUF012 - as above


class InTotoStatement(Value):
    """An in-toto statement.

    Attributes:
        type: which version of the format it follows.
        subjects: what it is about.
        predicate_type: the kind of what is said.
        predicate: what is said, an object.
        content: the bytes as they were signed.
    """

    type: str
    subjects: tuple[StatementSubject, ...]
    predicate_type: str
    predicate: "Mapping[str, Any]"
    content: bytes

    @classmethod
    def parse(cls, content: bytes) -> "InTotoStatement":
        """Read a statement; any number may stand in its predicate.

        Raises:
            MalformedError: it is none; ``too-large``: more subjects or digests than are looked at.
        """
        value = strict_json.parse_any(content, max_bytes=limits.SIGNATURE_BYTES)
        message = Message(value, ("_type", "subject", "predicateType", "predicate"))
        message.need("_type", "subject", "predicateType")
        found = message.messages(
            "subject",
            *("name", "digest", "annotations", "uri", "content", "downloadLocation", "mediaType"),
        )
        if len(found) > limits.STATEMENT_SUBJECTS:
            raise MalformedError(
                f"{len(found)} subjects, at most {limits.STATEMENT_SUBJECTS} are allowed",
                code=Code.TOO_LARGE,
                path="subject",
            )
        predicate = value.get("predicate")
        if predicate is not None and not isinstance(predicate, dict):
            message.refuse("predicate", "not an object")
        return cls(
            type=message.text("_type"),
            subjects=tuple(_subject(each) for each in found),
            predicate_type=message.text("predicateType"),
            predicate=predicate or {},
            content=content,
        )


def _subject(message: Message) -> StatementSubject:
    return StatementSubject(
        name=message.text("name"),
        digests=_texts(message, "digest", limits.SUBJECT_DIGESTS),
        annotations=_texts(message, "annotations", limits.SUBJECT_ANNOTATIONS),
    )


def _texts(message: Message, name: str, most: int) -> dict[str, str]:
    """Read an object of strings."""
    value = message.value(name)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        message.refuse(name, "not an object of strings")
    if len(value) > most:
        raise MalformedError(
            f"{message.at(name)}: {len(value)} members, at most {most} are allowed",
            code=Code.TOO_LARGE,
            path=message.at(name),
        )
    return {key: text for key, text in value.items() if isinstance(text, str)}


def encode_signature(digest: Digest, annotations: Mapping[str, str]) -> bytes:
    """Write the statement that ``cosign sign`` makes: this image is signed, with these annotations."""
    subject = {
        "digest": {digest.algorithm: digest.hex},
        "annotations": dict(sorted(annotations.items())),
    }
    return strict_json.compact(
        {
            "_type": STATEMENT_1,
            "subject": [subject],
            "predicateType": SIGN_PREDICATE,
            "predicate": {},
        }
    )


def encode_attestation(
    subjects: Sequence[StatementSubject],
    predicate_type: str,
    predicate: bytes,
    statement_type: str = STATEMENT_01,
) -> bytes:
    """Write the statement of an attestation around a predicate, whose bytes stay as they are.

    Raises:
        InputError: the predicate is no JSON object.
    """
    try:
        value = strict_json.parse_any(predicate, max_bytes=limits.SIGNATURE_BYTES)
    except MalformedError as error:
        raise InputError(f"the predicate: {error}") from None
    if not isinstance(value, dict):
        raise InputError("the predicate is not a JSON object")
    head = strict_json.compact(
        {
            "_type": statement_type,
            "subject": [
                ({"name": each.name} if each.name else {}) | {"digest": dict(each.digests)}
                for each in subjects
            ],
            "predicateType": predicate_type,
        }
    )
    return head[:-1] + b',"predicate":' + predicate.strip() + b"}"
