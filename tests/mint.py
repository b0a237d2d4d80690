"""Certificates of every shape, good and bad, made with ``cryptography`` and nothing of ours."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from cryptography import x509 as cx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from countermark.proofs import x509

NOW = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
CODE = ExtendedKeyUsageOID.CODE_SIGNING
TIME = ExtendedKeyUsageOID.TIME_STAMPING
ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
UNKNOWN = cx.ObjectIdentifier("1.2.3.4.5")
ALICE = cx.RFC822Name("alice@example.test")
_OF_CA = object()

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@cache
def key(kind: str = "P-256", name: object = 0) -> PrivateKey:
    """A key; the same for the same words, since RSA's take long."""
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    curves: dict[str, ec.EllipticCurve] = {
        "P-224": ec.SECP224R1(),
        "P-256": ec.SECP256R1(),
        "P-384": ec.SECP384R1(),
        "P-521": ec.SECP521R1(),
    }
    return ec.generate_private_key(curves[kind])


def spki(private: PrivateKey) -> bytes:
    return private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def hash_of(private: PrivateKey) -> hashes.HashAlgorithm | None:
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return None
    if isinstance(private, ec.EllipticCurvePrivateKey):
        sizes: dict[int, hashes.HashAlgorithm] = {384: hashes.SHA384(), 521: hashes.SHA512()}
        return sizes.get(private.curve.key_size, hashes.SHA256())
    return hashes.SHA256()


class Made(NamedTuple):
    """A certificate, its key, and its name."""

    der: bytes
    key: PrivateKey
    name: cx.Name

    @property
    def ours(self) -> x509.Certificate:
        return x509.parse(self.der)

    @property
    def theirs(self) -> cx.Certificate:
        return cx.load_der_x509_certificate(self.der)


def named(text: str) -> cx.Name:
    return cx.Name([cx.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


def usage(*bits: str) -> cx.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return cx.KeyUsage(**{name: name in bits for name in every})


class Extra(NamedTuple):
    """An extension in bytes."""

    oid: str
    critical: bool
    value: bytes


def make(
    subject: str,
    issuer: Made | None = None,
    *,
    private: PrivateKey | None = None,
    is_ca: bool | None = True,
    below: int | None = None,
    uses: Sequence[str] | None = ("key_cert_sign",),
    purposes: Sequence[cx.ObjectIdentifier] | None = None,
    purposes_critical: bool = False,
    names: Sequence[cx.GeneralName] = (),
    names_critical: bool = True,
    constraints: cx.NameConstraints | None = None,
    start: datetime = START,
    end: datetime = END,
    extra: Sequence[Extra] = (),
    sign_with: PrivateKey | None = None,
    hashing: hashes.HashAlgorithm | object | None = _OF_CA,
    pss: padding.PSS | None = None,
    issuer_name: cx.Name | None = None,
) -> Made:
    """Make a certificate: self-issued without an issuer, signed by its key unless told otherwise."""
    private = private or key("P-256", subject)
    signer = sign_with or (issuer.key if issuer else private)
    above = issuer_name or (issuer.name if issuer else named(subject))
    builder = (
        cx.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(above)
        .public_key(private.public_key())
        .serial_number(cx.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(cx.SubjectKeyIdentifier.from_public_key(private.public_key()), False)
    )
    if issuer is not None:
        builder = builder.add_extension(
            cx.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False
        )
    if is_ca is not None:
        builder = builder.add_extension(cx.BasicConstraints(is_ca, below), critical=True)
    if uses is not None:
        builder = builder.add_extension(usage(*uses), critical=True)
    if purposes is not None:
        builder = builder.add_extension(cx.ExtendedKeyUsage(list(purposes)), purposes_critical)
    if names:
        builder = builder.add_extension(cx.SubjectAlternativeName(list(names)), names_critical)
    if constraints is not None:
        builder = builder.add_extension(constraints, critical=True)
    for oid, critical, value in extra:
        one: Any = cx.UnrecognizedExtension(cx.ObjectIdentifier(oid), value)
        builder = builder.add_extension(one, critical)
    chosen: Any = hash_of(signer) if hashing is _OF_CA else hashing
    made = builder.sign(signer, chosen, rsa_padding=pss)
    return Made(made.public_bytes(serialization.Encoding.DER), private, named(subject))


def leaf(issuer: Made, subject: str = "", **changes: Any) -> Made:
    """Make the certificate of a signer."""
    given: dict[str, Any] = {
        "private": key("P-256", 999),
        "is_ca": None,
        "uses": ("digital_signature",),
        "purposes": (CODE,),
        "names": (ALICE,),
        "start": NOW - timedelta(minutes=1),
        "end": NOW + timedelta(minutes=9),
    }
    return make(subject, issuer, **(given | changes))
