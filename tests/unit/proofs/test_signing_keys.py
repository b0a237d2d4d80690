"""Keys of our own: made, stored, never shown."""

import hashlib
import pickle

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from countermark.core.errors import Code, InputError, KeyAccessError
from countermark.core.ports_sigstore import SigningKey
from countermark.proofs import public_keys, signatures, signing_keys
from countermark.proofs.signing_keys import LocalKey

SIZES = {
    "ecdsa-p256": ("ecdsa", 256),
    "ecdsa-p384": ("ecdsa", 384),
    "ecdsa-p521": ("ecdsa", 521),
    "rsa-2048": ("rsa", 2048),
    "rsa-3072": ("rsa", 3072),
    "rsa-4096": ("rsa", 4096),
    "ed25519": ("ed25519", 256),
}


def test_every_kind_is_listed() -> None:
    assert set(signing_keys.ALGORITHMS) == set(SIZES)
    assert set(signing_keys.COSIGN_ALGORITHMS.values()) == set(SIZES)


@pytest.mark.parametrize("algorithm", SIZES)
def test_a_new_key(algorithm: str) -> None:
    key = signing_keys.generate(algorithm)
    port: SigningKey = key
    assert (key.public.kind, key.public.bits) == SIZES[algorithm]
    assert port.public_der == key.public.der
    again = signing_keys.from_pkcs8(key.to_pkcs8())
    assert again.public == key.public
    assert signatures.verify(key.public, b"m", again.sign(b"m"))
    assert signing_keys.generate(algorithm).public != key.public


def test_the_names_that_cosign_has() -> None:
    key = signing_keys.generate("ecdsa-sha2-384-nistp384")
    assert key.public.curve == "P-384"
    assert signing_keys.generate().public.curve == "P-256"


@pytest.mark.parametrize("algorithm", ["", "rsa-1024", "dsa", "ECDSA-P256"])
def test_other_words(algorithm: str) -> None:
    with pytest.raises(InputError, match="unknown kind of key"):
        signing_keys.generate(algorithm)


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "ed25519"])
def test_a_digest_of_another_length(algorithm: str) -> None:
    key = signing_keys.generate(algorithm)
    good = hashlib.new(signatures.hash_for(key.public), b"m").digest()
    assert key.sign_digest(good)
    for bad in (good[:-1], good + b"\0", b""):
        with pytest.raises(InputError, match="not a digest of"):
            key.sign_digest(bad)


@pytest.mark.parametrize(
    "private",
    [
        ec.generate_private_key(ec.SECP224R1()),
        rsa.generate_private_key(public_exponent=65537, key_size=1024),
    ],
)
def test_keys_whose_signatures_do_not_count(
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
) -> None:
    with pytest.raises(KeyAccessError) as caught:
        LocalKey(private)
    assert caught.value.code == Code.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", Code.MALFORMED),
        (b"\x30\x03\x02\x01\x00", Code.MALFORMED),
        (
            x25519.X25519PrivateKey.generate().private_bytes(
                Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
            ),
            Code.NOT_SUPPORTED,
        ),
    ],
)
def test_what_is_no_key(content: bytes, code: Code) -> None:
    with pytest.raises(KeyAccessError) as caught:
        signing_keys.from_pkcs8(content)
    assert caught.value.code == code


def test_a_key_is_never_shown() -> None:
    key = LocalKey(ed25519.Ed25519PrivateKey.generate())
    secret = key.object.private_bytes_raw().hex()  # type: ignore[union-attr]
    assert secret not in repr(key)
    assert repr(key) == f"LocalKey(public={key.public.fingerprint!r})"
    with pytest.raises(TypeError):
        pickle.dumps(key)
    assert public_keys.parse(public_keys.encode(key.public)) == key.public


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "rsa-2048"])
def test_public_keys_are_written_as_cryptography_writes_them(kind: str) -> None:
    key = signing_keys.generate(kind)
    public = key.object.public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    assert key.public_der == public.public_bytes(serialization.Encoding.DER, form)
