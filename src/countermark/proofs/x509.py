"""What a certificate says, read without asking who says it.

As much of RFC 5280 as is looked at: names, dates, whether it is a CA, how it was signed, key and extensions. Read
by hand: ``cryptography`` costs a cold start 80 ms and refuses certificates in use, such as one for ``docker/*`` (a
PrintableString has no asterisk). Nothing here is believed; ``proofs/certificates.py`` has the rules of Notary v1,
``proofs/certificate_paths.py`` those of Sigstore.
"""

from countermark.core.errors import MalformedError
from countermark.core.light import UTC, datetime
from countermark.core.value import Value
from countermark.proofs import der, pem, spki
from countermark.proofs.der import DerReader

_COMMON_NAME = der.oid("2.5.4.3")[2:]
_BASIC_CONSTRAINTS = der.oid("2.5.29.19")[2:]
_PSS = der.oid("1.2.840.113549.1.1.10")[2:]
_STRONG_HASHES = {der.oid(f"2.16.840.1.101.3.4.2.{n}")[2:] for n in (1, 2, 3)}  # SHA-256, 384, 512
_STRONG_SIGNATURES = {
    der.oid(dotted)[2:]
    for dotted in (
        *(f"1.2.840.113549.1.1.{n}" for n in (11, 12, 13)),  # RSA with SHA-256, 384, 512
        *(f"1.2.840.10045.4.3.{n}" for n in (1, 2, 3, 4)),  # ECDSA with SHA-224 to SHA-512
        "1.3.101.112",  # Ed25519
    )
}
_TEXTS = {0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii", 0x14: "latin-1", 0x1E: "utf-16-be"}
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_TRUE = b"\xff"
_BOOLEANS = (_TRUE, b"\0")
_DIGITS = frozenset(b"0123456789")


class Extension(Value):
    """One extension: its object identifier's contents, whether who does not know it has to refuse, and its value."""

    kind: bytes
    critical: bool
    value: bytes


class Certificate(Value):
    """A certificate as it stands.

    Attributes:
        der: all of its bytes.
        body: those that are signed (TBSCertificate).
        algorithm: how (AlgorithmIdentifier). signature: by whoever ``issuer`` names.
        version: 1 to 3.
        issuer, subject: the names, as DER.
        common_name: the subject's, "" where it has none.
        not_before, not_after: when it holds, both included (UTC).
        is_ca: basic constraints say that it may issue others.
        weak_hash: it is signed over a hash that is not trusted any more, or in a way that we do not know.
        key: the public key that it is about.
        extensions: in their order, no kind twice.
    """

    der: bytes
    body: bytes
    algorithm: bytes
    signature: bytes
    version: int
    issuer: bytes
    subject: bytes
    common_name: str
    not_before: datetime
    not_after: datetime
    is_ca: bool
    weak_hash: bool
    key: spki.PublicKey
    extensions: tuple[Extension, ...]

    def extension(self, kind: bytes) -> Extension | None:
        """Find an extension by its object identifier's contents."""
        return next((each for each in self.extensions if each.kind == kind), None)


def parse(content: bytes) -> Certificate:
    """Read a certificate in DER.

    Raises:
        MalformedError: not one, or with a key that is not accepted.
    """
    outer = DerReader(content)
    whole = outer.sequence()
    outer.end()
    tag, contents, body = whole.element()
    if tag != der.SEQUENCE:
        raise MalformedError("certificate has no body where it belongs")
    tbs = DerReader(contents)
    _, _, algorithm = whole.element()
    signature = whole.bits()
    whole.end()
    version = _version(tbs)
    tbs.integer()  # serial number
    _, _, inner_algorithm = tbs.element()
    if algorithm != inner_algorithm:
        raise MalformedError("certificate names two signature algorithms")
    _, _, issuer = tbs.element()
    validity_and_names = tbs.sequence()
    not_before, not_after = _time(validity_and_names), _time(validity_and_names)
    validity_and_names.end()
    _, _, subject = tbs.element()
    _, _, key = tbs.element()
    extensions = _extensions(tbs)
    return Certificate(
        der=content,
        body=body,
        algorithm=algorithm,
        signature=signature,
        version=version,
        issuer=issuer,
        subject=subject,
        common_name=_common_name(subject),
        not_before=not_before,
        not_after=not_after,
        is_ca=_is_ca(extensions),
        weak_hash=_is_weak(algorithm),
        key=spki.parse(key),
        extensions=extensions,
    )


def parse_pem(text: bytes) -> tuple[Certificate, ...]:
    """Read the certificates of a PEM text in their order.

    Raises:
        MalformedError: there is none, one is broken, or something else is among them.
    """
    return tuple(parse(block.content) for block in _blocks(text))


def parse_first(text: bytes) -> Certificate:
    """Read the first certificate of a PEM text, whatever the others may be.

    Raises:
        MalformedError: see ``parse_pem``.
    """
    return parse(_blocks(text)[0].content)


def _blocks(text: bytes) -> tuple[pem.Block, ...]:
    blocks = pem.parse(text)
    if not blocks or any(block.type != "CERTIFICATE" for block in blocks):
        raise MalformedError("not a PEM text of certificates")
    return blocks


def _time(reader: DerReader) -> datetime:
    tag, raw, _ = reader.element()
    if tag == _UTC_TIME and len(raw) == 13:
        raw = (b"19" if raw[:2] >= b"50" else b"20") + raw
    elif tag != _GENERALIZED_TIME:
        raise MalformedError("certificate has no time where one belongs")
    if len(raw) != 15 or raw[14:] != b"Z" or not _DIGITS.issuperset(raw[:14]):
        raise MalformedError("certificate has a malformed time")
    try:
        year, *rest = int(raw[:4]), *(int(raw[i : i + 2]) for i in range(4, 14, 2))
        month, day, hour, minute, second = rest
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise MalformedError("certificate has an impossible time") from None


def _common_name(name: bytes) -> str:
    found = [_text(tag, raw) for kind, tag, raw in _attributes(name) if kind == _COMMON_NAME]
    if len(found) > 1:  # Go takes the last, others the first
        raise MalformedError("certificate has several common names")
    return found[0] if found else ""


def attributes(name: bytes) -> "list[tuple[bytes, str]]":
    """Read a name's attributes: each one's object identifier (contents), and its text.

    Raises:
        MalformedError: it is no name, or one of them is no text.
    """
    return [(kind, _text(tag, raw)) for kind, tag, raw in _attributes(name)]


def _attributes(name: bytes) -> "list[tuple[bytes, int, bytes]]":
    found: list[tuple[bytes, int, bytes]] = []
    outer = DerReader(name)
    parts = outer.sequence()
    while parts.next_tag() != -1:
        several = parts.sequence(der.SET)
        while several.next_tag() != -1:
            attribute = several.sequence()
            kind = attribute.take(der.OID)
            tag, raw, _ = attribute.element()
            found.append((kind, tag, raw))
    return found


def _text(tag: int, raw: bytes) -> str:
    if tag not in _TEXTS:
        raise MalformedError("certificate has a name that is no text")
    try:
        return raw.decode(_TEXTS[tag])
    except UnicodeDecodeError:
        raise MalformedError("certificate has a malformed name") from None


def _version(tbs: DerReader) -> int:
    if tbs.next_tag() != der.context(0):
        return 1
    explicit = tbs.sequence(der.context(0))
    number = explicit.integer()
    explicit.end()
    if not 0 <= number <= 2:
        raise MalformedError("certificate of an unknown version")
    return number + 1


def _extensions(tbs: DerReader) -> tuple[Extension, ...]:
    """Read the extensions, which end the certificate's body."""
    tbs.skip(0x81)  # unique identifiers, which nobody uses
    tbs.skip(0x82)
    if tbs.next_tag() == -1:
        return ()
    explicit = tbs.sequence(der.context(3))
    tbs.end()
    listed = explicit.sequence()
    explicit.end()
    found: dict[bytes, Extension] = {}
    while listed.next_tag() != -1:
        extension = _extension(listed.sequence())
        if extension.kind in found:
            raise MalformedError("certificate has an extension twice")
        found[extension.kind] = extension
    return tuple(found.values())


def _extension(reader: DerReader) -> Extension:
    kind = reader.take(der.OID)
    critical = False
    if reader.next_tag() == der.BOOLEAN:
        flag = reader.take(der.BOOLEAN)
        if flag not in _BOOLEANS:
            raise MalformedError("certificate has a boolean that is neither true nor false")
        critical = flag == _TRUE  # an explicit FALSE is no DER, yet in use; Go takes it too
    value = reader.take(der.OCTET_STRING)
    reader.end()
    return Extension(kind=kind, critical=critical, value=value)


def _is_ca(extensions: tuple[Extension, ...]) -> bool:
    for extension in extensions:
        if extension.kind == _BASIC_CONSTRAINTS:
            constraints = DerReader(extension.value).sequence()
            return constraints.next_tag() == der.BOOLEAN and constraints.take(der.BOOLEAN) != b"\0"
    return False


def _is_weak(algorithm: bytes) -> bool:
    """Say whether a signature algorithm is none of those with a strong hash."""
    inner = DerReader(algorithm).sequence()
    kind = inner.take(der.OID)
    if kind != _PSS or inner.next_tag() != der.SEQUENCE:
        return kind not in _STRONG_SIGNATURES
    parameters = inner.sequence()
    if parameters.next_tag() != der.context(0):
        return True  # the default is SHA-1
    return parameters.sequence(der.context(0)).sequence().take(der.OID) not in _STRONG_HASHES
