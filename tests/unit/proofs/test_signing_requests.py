"""Certificate signing requests: read, and checked with their own keys."""

from typing import Any

import pytest
from cryptography import x509 as cx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

import mint
from countermark.core import limits
from countermark.core.errors import Code, EvidenceError, MalformedError
from countermark.proofs import der, pem, signing_requests


def made(key: mint.PrivateKey, hashing: Any = None, pss: padding.PSS | None = None) -> bytes:
    builder = cx.CertificateSigningRequestBuilder().subject_name(mint.named("x"))
    chosen: Any = hashing or mint.hash_of(key)
    request = builder.sign(key, chosen, rsa_padding=pss)
    return request.public_bytes(serialization.Encoding.PEM)


KINDS = {
    "P-256": "sha256",
    "P-384": "sha384",
    "P-521": "sha512",
    "ed25519": "",
    "rsa2048": "sha256",
}


@pytest.mark.parametrize("kind", KINDS)
def test_good_ones(kind: str) -> None:
    found = signing_requests.parse(made(mint.key(kind)))
    signing_requests.check(found)
    assert found.key.der == mint.spki(mint.key(kind))
    assert signing_requests.hash_name(found) == KINDS[kind]


def test_pss_and_the_older_label() -> None:
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    text = made(mint.key("rsa2048"), pss=pss).replace(b"CERTIFICATE REQ", b"NEW CERTIFICATE REQ")
    signing_requests.check(signing_requests.parse(text))


def test_without_attributes() -> None:
    content = pem.parse(made(mint.key()))[0].content
    whole = der.DerReader(content).sequence()
    _, body, _ = whole.element()
    _, _, algorithm = whole.element()
    signature = whole.bits()
    shorter = der.sequence(der.sequence(body[:-2]), algorithm, der.bits(signature))
    text = pem.Block(type="CERTIFICATE REQUEST", content=shorter).encode()
    assert signing_requests.parse(text).key.der == mint.spki(mint.key())


GOOD = pem.parse(made(mint.key()))[0].content


def wrapped(content: bytes, label: str = "CERTIFICATE REQUEST") -> bytes:
    return pem.Block(type=label, content=content).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"junk",
        wrapped(GOOD, "CERTIFICATE"),
        wrapped(GOOD[:-1]),
        wrapped(GOOD + b"\0"),
        wrapped(b"\x30\x00"),
        wrapped(der.sequence(der.tlv(der.SET, b""), der.sequence(), der.bits(b""))),
        wrapped(GOOD.replace(b"\x02\x01\x00", b"\x02\x01\x01", 1)),
    ],
    ids=range(8),
)
def test_what_is_none(text: bytes) -> None:
    with pytest.raises(MalformedError):
        signing_requests.parse(text)


def test_too_large() -> None:
    with pytest.raises(MalformedError) as caught:
        signing_requests.parse(b"x" * (2 * limits.CERTIFICATE_BYTES + 1))
    assert caught.value.code == Code.TOO_LARGE


def refused(request: signing_requests.SigningRequest, code: Code) -> None:
    with pytest.raises(EvidenceError) as caught:
        signing_requests.check(request)
    assert caught.value.code == code


def test_signed_by_another_key_or_in_another_way() -> None:
    request = signing_requests.parse(made(mint.key()))
    other = signing_requests.parse(made(mint.key("P-256", "other")))
    refused(request.replace(signature=other.signature), Code.BAD_SIGNATURE)
    refused(request.replace(key=other.key), Code.BAD_SIGNATURE)
    of_rsa = signing_requests.parse(made(mint.key("rsa2048")))
    refused(request.replace(algorithm=of_rsa.algorithm), Code.BAD_SIGNATURE)


def test_a_weak_hash() -> None:
    request = signing_requests.parse(made(mint.key("rsa2048"), hashes.SHA224()))
    refused(request, Code.NOT_SUPPORTED)
