"""Signed certificate timestamps: a certificate log's promise to show a certificate; checked and issued.

RFC 6962, 3.2 and 3.3, for what an authority embeds: the log signed the certificate's body without the list of
promises, and the hash of the key that signed the certificate (specs: cosign, 2f).
"""

from countermark.core.errors import Code, EvidenceError, MalformedError
from countermark.core.light import UTC, Sequence, datetime, sha256, timedelta
from countermark.core.value import Value
from countermark.proofs import signatures, spki, x509
from countermark.proofs.signing_certificates import SigningCertificate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, TypeVar

    class CertificateLog(Protocol):
        """A certificate log of a trusted root: its key, and when that was in service."""

        @property
        def key(self) -> bytes:
            """SubjectPublicKeyInfo, DER."""
            ...

        @property
        def log_id(self) -> bytes:
            """What its promises name it: the sha256 of the key."""
            ...

        @property
        def start(self) -> datetime | None:
            """Since when it counts; None for ever."""
            ...

        @property
        def end(self) -> datetime | None:
            """Until when it counts, that moment included; None for ever."""
            ...

    Log = TypeVar("Log", bound=CertificateLog)

    class SctKey(Protocol):
        """A log's key, which signs over SHA-256; see ``SigningKey``."""

        @property
        def public_der(self) -> bytes: ...
        def sign(self, message: bytes) -> bytes: ...


CERTIFICATE, PRECERTIFICATE = 0, 1  # types of log entries
_VERSION_1 = 0
_CERTIFICATE_TIMESTAMP = 0  # what is signed, as against a tree head
_SHA256 = 4
_KINDS = {1: "rsa", 3: "ecdsa"}  # RFC 5246, 7.4.1.4.1
_NUMBERS = {name: number for number, name in _KINDS.items()}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Sct(Value):
    """A promise as it stands.

    Attributes:
        log_id: which log it names.
        time: milliseconds since 1970.
        extensions: what the log added; signed, and nothing to us.
        kind: of key that signed: ``ecdsa`` or ``rsa``, over SHA-256.
        signature: the log's.
    """

    log_id: bytes
    time: int
    extensions: bytes
    kind: str
    signature: bytes

    def encode(self) -> bytes:
        """Write it as certificates have it (RFC 6962, 3.2)."""
        return b"".join(
            (
                bytes((_VERSION_1,)),
                self.log_id,
                self.time.to_bytes(8),
                _sized(self.extensions, 2),
                self.encode_signature(),
            )
        )

    def encode_signature(self) -> bytes:
        """Write the signature alone, as a log's answer has it."""
        return digitally_signed(self.kind, self.signature)


def digitally_signed(kind: str, signature: bytes) -> bytes:
    """Write a signature over SHA-256 by a kind of key, its algorithms before it (RFC 5246, 4.7)."""
    return bytes((_SHA256, _NUMBERS[kind])) + _sized(signature, 2)


def parse(content: bytes) -> Sct:
    """Read a promise of version 1.

    Raises:
        MalformedError: not one, of another version, or signed in another way.
    """
    size = int.from_bytes(content[41:43])
    head = 43 + size
    if len(content) < head + 4 or content[0] != _VERSION_1:
        raise MalformedError("SCT is cut off or of another version", code=Code.SCT)
    kind = _KINDS.get(content[head + 1])
    signature = content[head + 4 :]
    if content[head] != _SHA256 or kind is None:
        raise MalformedError("SCT is signed in a way that does not count", code=Code.SCT)
    if not signature or int.from_bytes(content[head + 2 : head + 4]) != len(signature):
        raise MalformedError("SCT has a malformed signature", code=Code.SCT)
    return Sct(
        log_id=content[1:33],
        time=int.from_bytes(content[33:41]),
        extensions=content[43:head],
        kind=kind,
        signature=signature,
    )


def signed_content(sct_time: int, extensions: bytes, entry: bytes) -> bytes:
    """Write what a log signs about an entry (RFC 6962, 3.2); see ``precertificate_entry``."""
    head = bytes((_VERSION_1, _CERTIFICATE_TIMESTAMP)) + sct_time.to_bytes(8)
    return head + entry + _sized(extensions, 2)


def precertificate_entry(issuer_key: bytes, body: bytes) -> bytes:
    """Write the entry of a certificate to be: the hash of its issuer's key (SPKI, DER), its body without promises."""
    return PRECERTIFICATE.to_bytes(2) + sha256(issuer_key).digest() + _sized(body, 3)


def certificate_entry(content: bytes) -> bytes:
    """Write the entry of a finished certificate (DER)."""
    return CERTIFICATE.to_bytes(2) + _sized(content, 3)


def check(
    certificate: SigningCertificate, issuer: x509.Certificate, ct_logs: "Sequence[Log]"
) -> "Log":
    """Refuse a certificate that no known log has promised to show; return the first log that has.

    Promises of logs that are not known, and such as cannot be read, count for nothing.

    Args:
        certificate: the signer's.
        issuer: who signed it, as the path says that was found for it.
        ct_logs: those that are trusted.

    Raises:
        EvidenceError: ``sct``.
    """
    if not certificate.scts:
        raise EvidenceError("no certificate log has signed for the certificate", code=Code.SCT)
    problem = "by no log that is known"
    entry = precertificate_entry(issuer.key.der, certificate.precertificate)
    for content in certificate.scts:
        try:
            sct = parse(content)
        except MalformedError as error:
            problem = str(error)
            continue
        for log in ct_logs:
            if log.log_id != sct.log_id:
                continue
            wrong = _problem(sct, log, entry)
            if not wrong:
                return log
            problem = wrong
    count = len(certificate.scts)
    raise EvidenceError(f"none of {count} SCTs counts: {problem}", code=Code.SCT)


def _problem(sct: Sct, log: "CertificateLog", entry: bytes) -> str:
    """Say why a log's promise does not count, "" where it does."""
    after_start = log.start is None or milliseconds(log.start) <= sct.time
    if not after_start or (log.end is not None and sct.time > milliseconds(log.end)):
        return "its log was not in service then"
    try:
        key = spki.parse(log.key)
    except MalformedError:
        return "its log's key cannot be read"
    if key.kind != sct.kind:
        return "its log's key is of another kind"
    content = signed_content(sct.time, sct.extensions, entry)
    return "" if signatures.verify(key, content, sct.signature, "sha256") else "it is not its log's"


def issue(key: "SctKey", entry: bytes, at: datetime, extensions: bytes = b"") -> Sct:
    """Promise for a log to show an entry.

    Args:
        key: the log's: on P-256, or RSA.
        entry: see ``precertificate_entry`` and ``certificate_entry``.
        at: when.
        extensions: what the log wants to say besides.

    Raises:
        MalformedError: ``not-supported``, another key. What signing raises.
    """
    return promise(key, signed_content(milliseconds(at), extensions, entry), extensions)


def promise(key: "SctKey", content: bytes, extensions: bytes = b"") -> Sct:
    """Promise to show what has been kept already: ``signed_content`` of an entry.

    Raises:
        As ``issue``.
    """
    public = spki.parse(key.public_der)
    if signatures.hash_for(public) != "sha256":
        raise MalformedError("a certificate log's key is on P-256, or RSA", code=Code.NOT_SUPPORTED)
    return Sct(
        log_id=sha256(key.public_der).digest(),
        time=int.from_bytes(content[2:10]),
        extensions=extensions,
        kind=public.kind,
        signature=key.sign(content),
    )


def milliseconds(moment: datetime) -> int:
    """Count milliseconds since 1970, as logs write times."""
    return (moment - _EPOCH) // _MILLISECOND


def _sized(content: bytes, length_bytes: int) -> bytes:
    return len(content).to_bytes(length_bytes) + content
