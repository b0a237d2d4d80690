"""What the extensions of a certificate mean: uses, purposes, limits of a CA, names (RFC 5280, 4.2.1).

Read strictly where they stand; what follows from them is for ``proofs/certificate_paths.py`` to say.
"""

from countermark.core.errors import MalformedError
from countermark.core.value import Value
from countermark.proofs import der
from countermark.proofs.der import DerReader
from countermark.proofs.x509 import Certificate

SUBJECT_KEY_ID = der.oid("2.5.29.14")[2:]
KEY_USAGE = der.oid("2.5.29.15")[2:]
ALTERNATIVE_NAMES = der.oid("2.5.29.17")[2:]
BASIC_CONSTRAINTS = der.oid("2.5.29.19")[2:]
NAME_CONSTRAINTS = der.oid("2.5.29.30")[2:]
POLICIES = der.oid("2.5.29.32")[2:]
AUTHORITY_KEY_ID = der.oid("2.5.29.35")[2:]
PURPOSES = der.oid("2.5.29.37")[2:]

CODE_SIGNING = der.oid("1.3.6.1.5.5.7.3.3")[2:]
TIME_STAMPING = der.oid("1.3.6.1.5.5.7.3.8")[2:]
ANY_PURPOSE = der.oid("2.5.29.37.0")[2:]

# bits of a key usage, counted as RFC 5280 does: 0 is the first
DIGITAL_SIGNATURE, CERTIFICATE_SIGNING = 0, 5

# kinds of names: the tags of GeneralName
OTHER, EMAIL, DNS, DIRECTORY, URI, ADDRESS = 0xA0, 0x81, 0x82, 0xA4, 0x86, 0x87

_PRINTABLE = frozenset(range(0x21, 0x7F))


class Name(Value):
    """A subject alternative name: the tag of its kind, and its contents."""

    kind: int
    content: bytes


class CaLimits(Value):
    """Basic constraints: whether it is a CA, and how many CAs may stand below it (None: any number)."""

    is_ca: bool = False
    below: int | None = None


class NameConstraints(Value):
    """Subtrees in which the names below a CA have to lie, and in which they must not."""

    permitted: tuple[Name, ...] = ()
    excluded: tuple[Name, ...] = ()


def key_usage(certificate: Certificate) -> frozenset[int] | None:
    """Read which bits are set; None where the extension is not there, and so nothing is forbidden.

    Raises:
        MalformedError: it is not a bit string of the nine that there are.
    """
    extension = certificate.extension(KEY_USAGE)
    if extension is None:
        return None
    outer = DerReader(extension.value)
    raw = outer.take(der.BIT_STRING)
    outer.end()
    unused = raw[0] if raw else 8
    if not 2 <= len(raw) <= 3 or unused > 7 or raw[-1] & ((1 << unused) - 1):
        raise MalformedError("certificate has a malformed key usage")
    return frozenset(n for n in range(8 * (len(raw) - 1)) if raw[1 + n // 8] & (0x80 >> n % 8))


def purposes(certificate: Certificate) -> tuple[bytes, ...] | None:
    """Read the extended key usage; None where it is not there.

    Raises:
        MalformedError: it is not a list of at least one.
    """
    extension = certificate.extension(PURPOSES)
    if extension is None:
        return None
    outer = DerReader(extension.value)
    listed = outer.sequence()
    outer.end()
    found = [listed.take(der.OID)]
    while listed.next_tag() != -1:
        found.append(listed.take(der.OID))
    return tuple(found)


def ca_limits(certificate: Certificate) -> CaLimits:
    """Read the basic constraints.

    Raises:
        MalformedError: they are not such; a length without a CA.
    """
    extension = certificate.extension(BASIC_CONSTRAINTS)
    if extension is None:
        return CaLimits()
    outer = DerReader(extension.value)
    inner = outer.sequence()
    outer.end()
    is_ca = inner.next_tag() == der.BOOLEAN and inner.take(der.BOOLEAN) != b"\0"
    below = inner.integer() if inner.next_tag() == der.INTEGER else None
    inner.end()
    if is_ca != certificate.is_ca or (below is not None and (below < 0 or not is_ca)):
        raise MalformedError("certificate has impossible basic constraints")
    return CaLimits(is_ca=is_ca, below=below)


def names(certificate: Certificate) -> tuple[Name, ...]:
    """Read the subject alternative names; none where the extension is not there.

    Raises:
        MalformedError: it is not a list of at least one.
    """
    extension = certificate.extension(ALTERNATIVE_NAMES)
    if extension is None:
        return ()
    outer = DerReader(extension.value)
    listed = outer.sequence()
    outer.end()
    found = [_name(listed)]
    while listed.next_tag() != -1:
        found.append(_name(listed))
    return tuple(found)


def name_constraints(certificate: Certificate) -> NameConstraints:
    """Read a CA's name constraints (RFC 5280, 4.2.1.10).

    Raises:
        MalformedError: they are not such; they have a minimum or maximum, which the RFC forbids.
    """
    extension = certificate.extension(NAME_CONSTRAINTS)
    if extension is None:
        return NameConstraints()
    outer = DerReader(extension.value)
    inner = outer.sequence()
    outer.end()
    permitted = _subtrees(inner, der.context(0))
    excluded = _subtrees(inner, der.context(1))
    inner.end()
    if not permitted and not excluded:
        raise MalformedError("certificate has empty name constraints")
    return NameConstraints(permitted=permitted, excluded=excluded)


def _subtrees(reader: DerReader, tag: int) -> tuple[Name, ...]:
    if reader.next_tag() != tag:
        return ()
    listed = reader.sequence(tag)
    found = []
    while listed.next_tag() != -1:
        subtree = listed.sequence()
        found.append(_name(subtree))
        subtree.end()
    return tuple(found)


def _name(reader: DerReader) -> Name:
    kind, content, _ = reader.element()
    return Name(kind=kind, content=content)


def plain_text(name: Name) -> str:
    """Read an e-mail address, host or URI: visible ASCII only, which leaves nothing to hide in.

    Raises:
        MalformedError: it is something else, or empty.
    """
    if not name.content or not _PRINTABLE.issuperset(name.content):
        raise MalformedError("certificate has a name that is not plain text")
    return name.content.decode("ascii")
