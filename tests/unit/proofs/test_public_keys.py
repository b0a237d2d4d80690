"""Public keys in PEM: what cosign takes, and its words for what it does not."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from countermark.core.errors import Code, MalformedError
from countermark.proofs import der, public_keys, signing_keys, spki
from countermark.proofs.pem import Block

KEY = signing_keys.generate().public
PEM = public_keys.encode(KEY)


def test_a_key_file() -> None:
    assert PEM.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert public_keys.parse(PEM) == KEY
    assert public_keys.parse(b"# a comment\n" + PEM + PEM) == KEY


def test_the_bare_numbers_of_rsa() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key()
    pkcs1 = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    whole = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert public_keys.parse(pkcs1) == public_keys.parse(whole)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_a_point_becomes_a_key(curve: ec.EllipticCurve) -> None:
    public = ec.generate_private_key(curve).public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    name = {256: "P-256", 384: "P-384", 521: "P-521"}[curve.key_size]
    assert spki.encode_ecdsa(name, point) == public.public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def test_a_curve_without_a_name() -> None:
    with pytest.raises(MalformedError, match="unknown curve"):
        spki.encode_ecdsa("P-192", b"")


SMALL_RSA = spki.encode_rsa(der.sequence(der.integer((1 << 1023) | 1), der.integer(65537)))
P224 = ec.generate_private_key(ec.SECP224R1()).public_key()


@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        (b"", "PEM decoding failed", Code.MALFORMED),
        (b"not PEM", "PEM decoding failed", Code.MALFORMED),
        (
            Block(type="ENCRYPTED SIGSTORE PRIVATE KEY", content=b"x").encode(),
            "unknown Public key PEM file type: ENCRYPTED SIGSTORE PRIVATE KEY. "
            "Are you passing the correct public key?",
            Code.MALFORMED,
        ),
        (Block(type="PUBLIC KEY", content=b"x").encode(), "DER", Code.MALFORMED),
        (Block(type="RSA PUBLIC KEY", content=b"x").encode(), "DER", Code.MALFORMED),
        (
            Block(type="PUBLIC KEY", content=SMALL_RSA).encode(),
            "key size not supported: 1024",
            Code.NOT_SUPPORTED,
        ),
        (
            P224.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "unsupported curve",
            Code.NOT_SUPPORTED,
        ),
        (PEM[:-10], "PEM block ends under another name", Code.MALFORMED),
    ],
)
def test_what_is_no_public_key(text: bytes, words: str, code: Code) -> None:
    with pytest.raises(MalformedError) as caught:
        public_keys.parse(text)
    assert words in str(caught.value)
    assert caught.value.code == code
