"""What is said of certificates for people, as Go says it."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509 as peer
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

import fake_sigstore as fake
from countermark.core.errors import MalformedError
from countermark.proofs import certificate_facts as facts
from countermark.proofs import der, x509
from countermark.proofs.x509 import Certificate
from world import NOW

KEYS = {kind: fake.new_key(kind) for kind in ("P-256", "P-384", "P-521", "rsa", "ed25519")}


def made(
    attributes: list[tuple[ObjectIdentifier, str]] = [],  # noqa: B006 - never written to
    kind: str = "P-256",
    hash_: Any = None,
    *extensions: tuple[peer.ExtensionType, bool],
) -> Certificate:
    key = KEYS[kind]
    name = peer.Name([peer.NameAttribute(oid, text) for oid, text in attributes])
    builder = (
        peer.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
    )
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, is_critical)
    algorithm = None if kind == "ed25519" else hash_ or hashes.SHA256()
    content = builder.sign(key, algorithm).public_bytes(serialization.Encoding.DER)
    return x509.parse(content)


@pytest.mark.parametrize(
    ("kind", "hash_", "expected"),
    [
        ("P-256", hashes.SHA256(), "ECDSA-SHA256"),
        ("P-384", hashes.SHA384(), "ECDSA-SHA384"),
        ("P-521", hashes.SHA512(), "ECDSA-SHA512"),
        ("rsa", hashes.SHA256(), "SHA256-RSA"),
        ("rsa", hashes.SHA384(), "SHA384-RSA"),
        ("rsa", hashes.SHA512(), "SHA512-RSA"),
        ("ed25519", None, "Ed25519"),
        ("P-256", hashes.SHA224(), "1.2.840.10045.4.3.1"),
    ],
)
def test_algorithms(kind: str, hash_: Any, expected: str) -> None:
    found = made([], kind, hash_)
    assert facts.algorithm(found) == expected
    assert facts.signature_bytes(found) == len(found.signature)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ([], ""),
        ([(NameOID.COMMON_NAME, "a")], "CN=a"),
        (
            [
                (NameOID.COUNTRY_NAME, "DE"),
                (NameOID.ORGANIZATION_NAME, "o"),
                (NameOID.ORGANIZATIONAL_UNIT_NAME, "u"),
                (NameOID.COMMON_NAME, "c"),
            ],
            "CN=c,OU=u,O=o,C=DE",
        ),
        ([(NameOID.ORGANIZATION_NAME, "a"), (NameOID.ORGANIZATION_NAME, "b")], "O=a+O=b"),
        ([(NameOID.COMMON_NAME, 'a,b+"c"\\<>;')], 'CN=a\\,b\\+\\"c\\"\\\\\\<\\>\\;'),
        ([(NameOID.COMMON_NAME, "#a ")], "CN=\\#a\\ "),
        ([(NameOID.EMAIL_ADDRESS, "x@y")], "1.2.840.113549.1.9.1=x@y"),
    ],
)
def test_names(attributes: list[tuple[ObjectIdentifier, str]], expected: str) -> None:
    found = made(attributes)
    assert facts.name(found.subject) == expected
    kinds = [text for oid, text in attributes if oid == NameOID.ORGANIZATION_NAME]
    assert facts.values(found.subject, facts.ORGANIZATION) == kinds


def test_a_name_that_is_none() -> None:
    with pytest.raises(MalformedError):
        facts.name(b"\x30\x01\x00")


def test_extensions() -> None:
    leaf = x509.parse(fake.Sigstore().authority.issue().der)
    assert facts.usages(leaf) == ["Digital Signature"]
    assert facts.purposes(leaf) == (["Code Signing"], [])
    assert len(facts.key_identifier(leaf)) == len(facts.authority_identifier(leaf)) == 20
    bare = made()
    assert (facts.usages(bare), facts.purposes(bare)) == ([], ([], []))
    assert facts.key_identifier(bare) == facts.authority_identifier(bare) == b""
    own = ExtendedKeyUsageOID.TIME_STAMPING, ObjectIdentifier("1.3.6.1.4.1.99999.1")
    usages = made([], "P-256", None, (peer.ExtendedKeyUsage(own), False))
    assert facts.purposes(usages) == (["Time Stamping"], ["1.3.6.1.4.1.99999.1"])


@pytest.mark.parametrize(
    "dotted",
    ["1.2.840.113549.1.1.11", "2.5.29.15", "2.999.1", "0.9.2342.19200300.100.1.1", "1.3.101.112"],
)
def test_numbers_with_dots(dotted: str) -> None:
    assert facts.dotted(der.oid(dotted)[2:]) == dotted
    assert facts.dotted(b"") == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"bare", "bare"),
        (b"\x0c\x02ab", "ab"),
        (b"\x16\x01a", "a"),
        (b"", ""),
        (b"\xff", "\ufffd"),
        (b"\x04\x01a", "\x04\x01a"),
    ],
)
def test_texts_of_extensions(value: bytes, text: str) -> None:
    assert facts.text_of(value) == text
