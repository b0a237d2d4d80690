"""TLS certificates for servers of our own: a CA, and what it issues."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from secrets import randbits

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from countermark.core.errors import InputError, KeyAccessError
from countermark.core.value import Value
from countermark.proofs.certificates import encode_pem
from countermark.proofs.key_objects import from_pkcs8, to_pkcs8
from countermark.proofs.pem import Block, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.proofs.keys import AnyPrivateKey

CA_DAYS = 3650
CERTIFICATE_DAYS = 825  # the longest that every platform takes from a private CA
_EARLY = timedelta(hours=1)  # clocks differ
_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class TlsCredentials(Value):
    """A certificate chain (PEM) and its private key (PEM, PKCS 8, not encrypted). Its thief can be the server."""

    certificate: bytes
    private_key: bytes

    def __repr__(self) -> str:
        return "TlsCredentials(...)"


def issue_ca(now: datetime, name: str = "countermark CA") -> TlsCredentials:
    """Issue a CA for our own servers' TLS. Whoever holds it can be any server to those who trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _begin(subject, subject, key, now - _EARLY, now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(identifier, critical=False)
    )
    return _credentials(builder.sign(key, SHA256()), key)


def issue_certificate(ca: TlsCredentials, names: Sequence[str], now: datetime) -> TlsCredentials:
    """Issue a server's certificate for host names and IP addresses, the first of which also names it.

    Raises:
        InputError: no names, or one that is neither a host name nor an address.
        KeyAccessError: the CA's key does not open.
    """
    if not names:
        raise InputError("a TLS certificate needs at least one name")
    alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
    issuer = _load_ca(ca)
    issuer_key = _load_key(ca.private_key)
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    builder = (
        _begin(
            _name(names[0]),
            issuer.subject,
            key,
            now - _EARLY,
            now + timedelta(days=CERTIFICATE_DAYS),
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(alternatives, critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(authority, critical=False)
    )
    return _credentials(builder.sign(issuer_key, SHA256()), key)


def is_good_for(certificate: bytes, names: Sequence[str], now: datetime) -> bool:
    """Say whether a certificate (PEM) has all these names and a third of its life still before it."""
    try:
        found = x509.load_pem_x509_certificate(certificate)
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, x509.ExtensionNotFound):
        return False
    has_all = all(_general_name(name) in list(extension.value) for name in names)
    early = timedelta(days=CERTIFICATE_DAYS // 3)
    return has_all and found.not_valid_before_utc <= now < found.not_valid_after_utc - early


def _name(text: str) -> x509.Name:
    # only people read it, and RFC 5280 allows it 64 characters
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _begin(
    subject: x509.Name, issuer: x509.Name, key: "AnyPrivateKey", start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(randbits(127) + 1)
        .not_valid_before(start.replace(microsecond=0))
        .not_valid_after(end.replace(microsecond=0))
    )


def _usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in allowed for use in _USES})


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name.strip("[]")))
    except ValueError:
        pass
    labels = name.removeprefix("*.").split(".")
    if not all(
        label.isascii() and label.replace("-", "").replace("_", "").isalnum() and len(label) < 64
        for label in labels
    ):
        raise InputError(f"not a host name or address: {name[:80]!r}")
    return x509.DNSName(name)


def _credentials(certificate: x509.Certificate, key: "AnyPrivateKey") -> TlsCredentials:
    private = Block(type="PRIVATE KEY", content=to_pkcs8(key))
    return TlsCredentials(
        certificate=encode_pem(certificate.public_bytes(serialization.Encoding.DER)),
        private_key=private.encode(),
    )


def _load_ca(ca: TlsCredentials) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(ca.certificate)
    except ValueError:
        raise KeyAccessError("the CA's certificate does not parse") from None


def _load_key(text: bytes) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    blocks = parse(text)
    key = from_pkcs8(blocks[0].content if blocks else b"")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raise KeyAccessError("the CA's key is not of type ecdsa or rsa")
    return key
