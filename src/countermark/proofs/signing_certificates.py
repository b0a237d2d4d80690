"""Certificates of signers: whom they name, who vouches for the name, and what they say besides.

What Fulcio issues, and what an authority of one's own may. Each names exactly one subject: an e-mail address, a URI,
or a user of a domain; its extensions stand below 1.3.6.1.4.1.57264.1 (specs: cosign, 2e). Nothing here is believed
before ``chain_at`` has found a path to a trusted root.
"""

from countermark.core import limits
from countermark.core.errors import ChainError, Code, EvidenceError, ExpiredError, MalformedError
from countermark.core.light import Mapping, Sequence, datetime
from countermark.core.value import Value
from countermark.proofs import certificate_extensions as extensions
from countermark.proofs import der, x509
from countermark.proofs.certificate_extensions import Name
from countermark.proofs.certificate_paths import CODE_SIGNING, TIME_STAMPING, chain_at
from countermark.proofs.der import DerReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Authority(Protocol):
        """A certificate authority of a trusted root: its certificates up to its root, and when it was in service."""

        @property
        def certificates(self) -> Sequence[bytes]:
            """DER, the root last."""
            ...

        @property
        def start(self) -> datetime | None:
            """Since when it counts; None for ever."""
            ...

        @property
        def end(self) -> datetime | None:
            """Until when it counts, that moment included; None for ever."""
            ...


__all__ = [
    "CODE_SIGNING",
    "TIME_STAMPING",
    "SigningCertificate",
    "body_without",
    "chain_at",
    "chain_to_authority",
    "named",
    "parse",
    "scts_of",
    "split",
]

FULCIO = der.oid("1.3.6.1.4.1.57264.1")[2:]
USER_NAME = der.oid("1.3.6.1.4.1.57264.1.7")[2:]
SCT_LIST = der.oid("1.3.6.1.4.1.11129.2.4.2")[2:]
ISSUER, ISSUER_TEXT = 1, 8
_LAST_RAW = 6  # up to here values are bare bytes (Fulcio), from 8 on UTF8String
_UTF8_STRING = 0x0C
_EMPTY_NAME = b"\x30\x00"


class SigningCertificate(Value):
    """A signer's certificate as it stands.

    Attributes:
        certificate: all of it.
        name: whom it names; "" where it has no subject alternative name.
        name_kind: ``email``, ``uri``, ``username``, ``dns`` or "".
        issuer: who vouched for the name to the authority, "" where nobody is named.
        extensions: Fulcio's, by their number; bytes where they are no text.
        scts: signed certificate timestamps in it.
        precertificate: its body without those, which is what they are about.
    """

    certificate: x509.Certificate
    name: str
    name_kind: str
    issuer: str
    extensions: "Mapping[int, str | bytes]"
    scts: tuple[bytes, ...]
    precertificate: bytes


def parse(content: bytes) -> SigningCertificate:
    """Read a signer's certificate in DER.

    Raises:
        MalformedError: not one; several names; a name that could be taken for another; ``too-large``.
    """
    if len(content) > limits.CERTIFICATE_BYTES:
        raise MalformedError("certificate is too large", code=Code.TOO_LARGE)
    certificate = x509.parse(content)
    kind, name = _subject(certificate)
    found = _fulcio(certificate)
    listed = certificate.extension(SCT_LIST)
    return SigningCertificate(
        certificate=certificate,
        name=name,
        name_kind=kind,
        issuer=_issuer(found),
        extensions=found,
        scts=scts_of(certificate),
        precertificate=body_without(certificate.body, SCT_LIST)
        if listed is not None
        else certificate.body,
    )


# Who --------------------------------------------------------------------------------------------------


def _subject(certificate: x509.Certificate) -> tuple[str, str]:
    """Read the one name, and of which kind it is."""
    found = extensions.names(certificate)
    if not found:
        return "", ""
    if len(found) != 1:
        raise MalformedError("certificate names several subjects")
    extension = certificate.extension(extensions.ALTERNATIVE_NAMES)
    if certificate.subject == _EMPTY_NAME and extension is not None and not extension.critical:
        raise MalformedError("certificate's only name may be ignored")  # RFC 5280, 4.1.2.6
    return named(found[0])


def named(name: Name) -> tuple[str, str]:
    """Read whom a name means: of which kind it is, and its text.

    Raises:
        MalformedError: it is of another kind, or could be taken for a name of another kind.
    """
    if name.kind == extensions.OTHER:
        return "username", _user_name(name)
    kind = _KINDS.get(name.kind)
    if kind is None:
        raise MalformedError("certificate names a subject of an unknown kind")
    text = extensions.plain_text(name)
    # no text of one kind may read as one of another: they are compared without their kinds
    if not _SHAPES[kind](text):
        raise MalformedError(f"certificate has a name that is no {kind}")
    return kind, text


_KINDS = {extensions.EMAIL: "email", extensions.URI: "uri", extensions.DNS: "dns"}
_SHAPES = {
    "email": lambda text: "@" in text and "://" not in text,
    "uri": lambda text: ":" in text,
    "dns": lambda text: not set("@:!/").intersection(text),
}


def _user_name(name: Name) -> str:
    """Read ``user!domain`` from an otherName (Fulcio: ``pkg/identity/username``)."""
    reader = DerReader(name.content)
    kind = reader.take(der.OID)
    value = reader.sequence(der.context(0))
    reader.end()
    if kind != USER_NAME:
        raise MalformedError("certificate names a subject of an unknown kind")
    text = _utf8_string(value)
    if not text.isprintable() or not all(text.partition("!")):
        raise MalformedError("certificate has a user name without a domain")
    return text


def _utf8_string(reader: DerReader) -> str:
    raw = reader.take(_UTF8_STRING)
    reader.end()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise MalformedError("certificate has a text that is not UTF-8") from None


# Fulcio's extensions ------------------------------------------------------------------------------------


def _fulcio(certificate: x509.Certificate) -> "dict[int, str | bytes]":
    """Read the extensions whose identifiers are Fulcio's and one number more."""
    found: dict[int, str | bytes] = {}
    for extension in certificate.extensions:
        number = extension.kind[len(FULCIO) :]
        if extension.kind.startswith(FULCIO) and len(number) == 1 and number[0] < 0x80:
            found[number[0]] = _value(number[0], extension.value)
    return found


def _value(number: int, value: bytes) -> str | bytes:
    if number > _LAST_RAW:
        return _utf8_string(DerReader(value))
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value  # equal to no text


def _issuer(found: "Mapping[int, str | bytes]") -> str:
    """Read who vouched for the name, which may stand in two places, but not differently."""
    old, new = found.get(ISSUER, ""), found.get(ISSUER_TEXT, "")
    if old and new and old != new:
        raise MalformedError("certificate names two issuers")
    issuer = new or old
    return issuer if isinstance(issuer, str) else ""


# Certificate transparency -------------------------------------------------------------------------------


def scts_of(certificate: x509.Certificate) -> tuple[bytes, ...]:
    """Read the signed certificate timestamps in a certificate; none where it has no list of them.

    Raises:
        MalformedError: the list cannot be read.
    """
    listed = certificate.extension(SCT_LIST)
    return _scts(listed.value) if listed is not None else ()


def _scts(value: bytes) -> tuple[bytes, ...]:
    """Read a SignedCertificateTimestampList (RFC 6962, 3.3): lengths of two bytes, in an octet string."""
    reader = DerReader(value)
    content = reader.take(der.OCTET_STRING)
    reader.end()
    if len(content) < 2 or int.from_bytes(content[:2]) != len(content) - 2:
        raise MalformedError("certificate has a malformed list of SCTs")
    found: list[bytes] = []
    position = 2
    while position < len(content):
        start = position + 2
        position = start + int.from_bytes(content[position:start])
        if start > len(content) or position > len(content) or position == start:
            raise MalformedError("certificate has a malformed list of SCTs")
        found.append(content[start:position])
    if not 0 < len(found) <= limits.SCTS_PER_CERTIFICATE:
        raise MalformedError(f"certificate has {len(found)} SCTs", code=Code.TOO_LARGE)
    return tuple(found)


def body_without(body: bytes, kind: bytes) -> bytes:
    """Write a certificate's body without one of its extensions; all else stays as it is, byte by byte."""
    reader = DerReader(body).sequence()
    parts: list[bytes] = []
    while reader.next_tag() != -1:
        tag, contents, whole = reader.element()
        parts.append(_fewer(contents, kind) if tag == der.context(3) else whole)
    return der.sequence(*parts)


def _fewer(contents: bytes, kind: bytes) -> bytes:
    listed = DerReader(contents).sequence()
    kept: list[bytes] = []
    while listed.next_tag() != -1:
        _, extension, whole = listed.element()
        if DerReader(extension).take(der.OID) != kind:
            kept.append(whole)
    return der.tlv(der.context(3), der.sequence(*kept))


# Who certified it -----------------------------------------------------------------------------------------


def chain_to_authority(
    certificate: SigningCertificate,
    authorities: "Sequence[Authority]",
    at: datetime,
    brought: Sequence[x509.Certificate] = (),
) -> tuple[x509.Certificate, ...]:
    """Find a path to an authority of a trusted root that was in service at a time.

    ``brought`` are certificates that came with the signature: they may stand between, and are never what a path
    ends in.

    Raises:
        ChainError: no authority vouches for it. ExpiredError: one does, but not at that time.
        MalformedError: its extensions cannot be read.
    """
    problem: EvidenceError | None = None
    for authority in authorities:
        if not _is_in_service(authority, at):
            continue
        try:
            ours = [x509.parse(each) for each in authority.certificates]
            if not ours:
                raise ChainError("an authority of the trusted root has no certificate")
            return chain_at(certificate.certificate, (*ours[:-1], *brought), ours[-1:], at)
        except EvidenceError as error:
            if not isinstance(problem, ExpiredError):
                problem = error
    raise problem or ChainError("no authority of the trusted root was in service then")


def _is_in_service(authority: "Authority", at: datetime) -> bool:
    start, end = authority.start, authority.end
    return (start is None or start <= at) and (end is None or at <= end)


def split(
    certificates: Sequence[x509.Certificate],
) -> tuple[tuple[x509.Certificate, ...], tuple[x509.Certificate, ...]]:
    """Tell an own authority's certificates apart: those that may stand between, and the roots that are trusted.

    Where none is self-issued, whoever listed them trusts each of them.
    """
    roots = tuple(each for each in certificates if each.subject == each.issuer)
    if not roots:
        return (), tuple(certificates)
    return tuple(each for each in certificates if each.subject != each.issuer), roots
