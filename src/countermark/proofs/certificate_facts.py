"""What stands in a certificate, in the words of Go's programs; for people, and nothing is believed for it.

Source: Go ``crypto/x509`` and ``crypto/x509/pkix`` (names of algorithms, and how distinguished names are written).
"""

from countermark.core.errors import MalformedError
from countermark.proofs import certificate_extensions as extensions
from countermark.proofs import der, x509
from countermark.proofs.der import DerReader
from countermark.proofs.x509 import Certificate

KEY_IDENTIFIER = der.oid("2.5.29.14")[2:]
AUTHORITY_IDENTIFIER = der.oid("2.5.29.35")[2:]
COMMON_NAME, ORGANIZATION, COUNTRY = (der.oid(f"2.5.4.{n}")[2:] for n in (3, 10, 6))

_ALGORITHMS = {
    der.oid(dotted)[2:]: name
    for dotted, name in (
        ("1.2.840.113549.1.1.5", "SHA1-RSA"),
        ("1.2.840.113549.1.1.11", "SHA256-RSA"),
        ("1.2.840.113549.1.1.12", "SHA384-RSA"),
        ("1.2.840.113549.1.1.13", "SHA512-RSA"),
        ("1.2.840.10045.4.1", "ECDSA-SHA1"),
        ("1.2.840.10045.4.3.2", "ECDSA-SHA256"),
        ("1.2.840.10045.4.3.3", "ECDSA-SHA384"),
        ("1.2.840.10045.4.3.4", "ECDSA-SHA512"),
        ("1.3.101.112", "Ed25519"),
    )
}
_USAGES = (
    "Digital Signature",
    "Content Commitment",
    "Key Encipherment",
    "Data Encipherment",
    "Key Agreement",
    "Cert Sign",
    "CRL Sign",
    "Encipher Only",
    "Decipher Only",
)
_PURPOSES = {
    der.oid(dotted)[2:]: name
    for dotted, name in (
        ("2.5.29.37.0", "Any"),
        *(
            (f"1.3.6.1.5.5.7.3.{number}", name)
            for number, name in (
                (1, "Server Auth"),
                (2, "Client Auth"),
                (3, "Code Signing"),
                (4, "Email Protection"),
                (5, "IPSEC End System"),
                (6, "IPSEC Tunnel"),
                (7, "IPSEC User"),
                (8, "Time Stamping"),
                (9, "OCSP Signing"),
            )
        ),
    )
}
# in the order in which Go writes them
_ATTRIBUTES = {
    der.oid(f"2.5.4.{number}")[2:]: name
    for number, name in (
        (5, "SERIALNUMBER"),
        (3, "CN"),
        (17, "POSTALCODE"),
        (9, "STREET"),
        (8, "ST"),
        (7, "L"),
        (11, "OU"),
        (10, "O"),
        (6, "C"),
    )
}
_ESCAPED = ',+"\\<>;'


def algorithm(certificate: Certificate) -> str:
    """How it is signed, as ``ECDSA-SHA256``; a number where Go has no name either."""
    reader = DerReader(certificate.algorithm)
    kind = reader.sequence().take(der.OID)
    return _ALGORITHMS.get(kind) or dotted(kind)


def signature_bytes(certificate: Certificate) -> int:
    """How long its signature is."""
    return len(certificate.signature)


def name(distinguished: bytes) -> str:
    """Write a name as Go does: ``CN=…,O=…``; other attributes by their numbers.

    Raises:
        MalformedError: it is none.
    """
    found = x509.attributes(distinguished)
    parts = []
    for kind, label in _ATTRIBUTES.items():
        values = [f"{label}={_escaped(text)}" for each, text in found if each == kind]
        if values:
            parts.append("+".join(values))
    parts += [f"{dotted(kind)}={_escaped(t)}" for kind, t in found if kind not in _ATTRIBUTES]
    return ",".join(parts)


def values(distinguished: bytes, kind: bytes) -> "list[str]":
    """The values of one attribute in a name."""
    return [text for each, text in x509.attributes(distinguished) if each == kind]


def _escaped(text: str) -> str:
    out = "".join(f"\\{char}" if char in _ESCAPED else char for char in text)
    if out.startswith(("#", " ")):
        out = f"\\{out}"
    return f"{out[:-1]}\\ " if out.endswith(" ") and len(text) > 1 else out


def usages(certificate: Certificate) -> "list[str]":
    """What its key may be used for, in words."""
    found = extensions.key_usage(certificate) or frozenset()
    return [text for number, text in enumerate(_USAGES) if number in found]


def purposes(certificate: Certificate) -> "tuple[list[str], list[str]]":
    """Its extended key usages: those with a name, in words, and the numbers of the others."""
    found = extensions.purposes(certificate) or ()
    named = [_PURPOSES[kind] for kind in found if kind in _PURPOSES]
    return named, [dotted(kind) for kind in found if kind not in _PURPOSES]


def key_identifier(certificate: Certificate) -> bytes:
    """The subject key identifier, b"" where there is none."""
    extension = certificate.extension(KEY_IDENTIFIER)
    if extension is None:
        return b""
    return DerReader(extension.value).take(der.OCTET_STRING)


def authority_identifier(certificate: Certificate) -> bytes:
    """The authority key identifier, b"" where there is none."""
    extension = certificate.extension(AUTHORITY_IDENTIFIER)
    if extension is None:
        return b""
    inner = DerReader(extension.value).sequence()
    return inner.take(0x80) if inner.next_tag() == 0x80 else b""


def text_of(value: bytes) -> str:
    """The text that an extension holds: of one ASN.1 string, or as it stands."""
    try:
        tag, raw, _ = DerReader(value).element()
    except MalformedError:
        return value.decode("utf-8", "replace")
    return (raw if tag in (0x0C, 0x13, 0x16) else value).decode("utf-8", "replace")


def dotted(kind: bytes) -> str:
    """Write an object identifier's contents with dots."""
    numbers: list[int] = []
    number = 0
    for byte in kind:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    if not numbers:
        return ""
    first = min(numbers[0] // 40, 2)
    return ".".join(str(each) for each in (first, numbers[0] - 40 * first, *numbers[1:]))
