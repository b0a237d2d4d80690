"""cosign's key files: opened, written, imported; and what is refused, in cosign's words.

Deriving a key takes a quarter of a second, so that most tables need none.
"""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from nacl.secret import SecretBox

from countermark.core.errors import Code, KeyAccessError
from countermark.proofs import cosign_key_files, cosign_keys, public_keys, signing_keys
from countermark.proofs.pem import Block

KEY = signing_keys.generate()
# made by cosign 3.1.3 generate-key-pair, with the password "secret"
COSIGN_FILE = b"""-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJsVTVHQ3JRdDJPajR4MUNrN2xKcm9QU1EwSytKV3Ro
Vm1KWTlqWFBEZnJrPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJjZDFRdjN5WWlPclFQdWtJblNZcmp1QzlrckN1b1ozaCJ9LCJj
aXBoZXJ0ZXh0IjoiMUNoNWFvM1p3S3JDMi9hUmsvb3FPTUQvc0UyMWFyckFWRGhi
NTlSQWVHNklCaUdPMGxndnhOZDdtMlF1QmlBbkJHc0hzY1dNdVJpeUdHZ1ovR0dk
VmtrSlROOGFwVTVIcDNZUWlWTFI3bTU4WEtPYkYzNGhKL0JxcWRVM0cyQ1NKRnRH
eVkxY1N5RVBmcGpKY0FucUxzTkRBQVNTaGIzSmlSYUZhbFkxVHAzdHNlUkRXZmF1
Q0R0ZC9tTHJpeGthcGdoUjNqYkRDUkFWRUE9PSJ9
-----END ENCRYPTED SIGSTORE PRIVATE KEY-----
"""
COSIGN_PUBLIC = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEcNt4G4Vnl8NMa1gBKTtZ0H3SBSPE
C8palOftODKEZPYPkjkhxTkVK1OuEdbgxSCwLCLaGY5mrNltuADPyym8Ag==
-----END PUBLIC KEY-----
"""


def sealed(
    content: bytes, password: bytes, rounds: int, kind: str = "ENCRYPTED SIGSTORE PRIVATE KEY"
) -> bytes:
    """A key file made apart from ours, with little salt."""
    salt, nonce = b"salt", bytes(24)
    key = hashlib.scrypt(password, salt=salt, n=rounds, r=8, p=1, maxmem=1 << 28, dklen=32)
    ciphertext = SecretBox(key).encrypt(content, nonce).ciphertext
    return written(document(rounds, salt, nonce, ciphertext), kind)


def document(
    rounds: object = 65536,
    salt: bytes = bytes(32),
    nonce: bytes = bytes(24),
    ciphertext: bytes = b"x" * 60,
) -> dict[str, object]:
    def text(value: bytes) -> str:
        return base64.b64encode(value).decode()

    params = {"N": rounds, "r": 8, "p": 1}
    return {
        "kdf": {"name": "scrypt", "params": params, "salt": text(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": text(nonce)},
        "ciphertext": text(ciphertext),
    }


def written(content: object, kind: str = "ENCRYPTED SIGSTORE PRIVATE KEY") -> bytes:
    return Block(type=kind, content=json.dumps(content).encode()).encode()


# Opening ----------------------------------------------------------------------------------------------------


def test_a_file_of_ours() -> None:
    text = cosign_keys.encode(KEY, b"secret")
    lines = text.decode().splitlines()
    assert lines[0] == "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"
    assert {len(line) for line in lines[1:-2]} == {64}
    body = base64.b64decode("".join(lines[1:-1])).decode()
    assert body.startswith('{"kdf":{"name":"scrypt","params":{"N":65536,"r":8,"p":1},"salt":"')
    assert '"},"cipher":{"name":"nacl/secretbox","nonce":"' in body
    assert cosign_keys.open(text, b"secret").public == KEY.public
    with pytest.raises(KeyAccessError, match=r"^decrypt: encrypted: decryption failed$") as caught:
        cosign_keys.open(text, b"")
    assert caught.value.code == Code.PASSPHRASE


def test_a_file_of_cosign() -> None:
    found = cosign_keys.open(COSIGN_FILE, b"secret")
    assert public_keys.encode(found.public) == COSIGN_PUBLIC


def test_no_two_files_are_the_same() -> None:
    first, second = (cosign_key_files.parse(cosign_keys.encode(KEY, b"")) for _ in range(2))
    assert first.salt != second.salt
    assert first.nonce != second.nonce
    assert (len(first.salt), len(first.nonce), first.rounds) == (32, 24, 65536)
    assert cosign_keys.of_pkcs8(first.decrypted(b"")).public == KEY.public


@pytest.mark.parametrize("rounds", [32768, 131072])
@pytest.mark.parametrize("kind", cosign_key_files.TYPES)
def test_files_of_other_years(rounds: int, kind: str) -> None:
    text = sealed(KEY.to_pkcs8(), b"\xff\x00", rounds, kind)
    assert cosign_keys.open(text, b"\xff\x00").public == KEY.public


def test_what_is_inside_is_no_key() -> None:
    text = sealed(b"hello", b"", 32768)
    with pytest.raises(KeyAccessError, match="parsing private key: not a private key") as caught:
        cosign_keys.open(text, b"")
    assert caught.value.code == Code.MALFORMED


def changed(*path: str, to: object) -> bytes:
    found = document()
    inner: dict[str, object] = found
    for name in path[:-1]:
        step = inner[name]
        assert isinstance(step, dict)
        inner = step
    inner[path[-1]] = to
    return written(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (changed("kdf", "name", to="argon2"), 'encrypted: unknown kdf name "argon2"'),
        (changed("cipher", "name", to="aes"), 'encrypted: unknown cipher name "aes"'),
        (changed("kdf", "params", "N", to=16384), "unsupported scrypt parameters"),
        (changed("kdf", "params", "N", to=1 << 30), "unsupported scrypt parameters"),
        (changed("kdf", "params", "r", to=9), "unsupported scrypt parameters"),
        (changed("kdf", "params", "p", to=2), "unsupported scrypt parameters"),
        (changed("kdf", "params", "p", to=True), "not an integer"),
        (changed("cipher", "nonce", to="AAAA"), "encrypted: incorrect nonce size"),
        (changed("kdf", "salt", to="A" * 1368), "encrypted: salt is too long"),
        (changed("kdf", "salt", to="A"), "salt is not base64"),
        (changed("ciphertext", to="=="), "ciphertext is not base64"),
        (changed("ciphertext", to="é"), "ciphertext is not base64"),
        (changed("ciphertext", to=1), "not a string"),
        (written([]), "not an object"),
        (Block(type=cosign_key_files.TYPES[0], content=b"{").encode(), "not JSON"),
        (Block(type=cosign_key_files.TYPES[0], content=b"\xff").encode(), "not UTF-8"),
    ],
)
def test_files_that_are_broken(text: bytes, words: str) -> None:
    with pytest.raises(KeyAccessError, match=r"^decrypt: ") as caught:
        cosign_key_files.parse(text)
    assert words in str(caught.value)
    assert caught.value.code == Code.MALFORMED


def plain(
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
    form: PrivateFormat = PrivateFormat.PKCS8,
) -> bytes:
    return private.private_bytes(Encoding.PEM, form, NoEncryption())


P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (plain(P256), "PRIVATE KEY"),
        (plain(P256, PrivateFormat.TraditionalOpenSSL), "EC PRIVATE KEY"),
        (Block(type="PUBLIC KEY", content=b"x").encode(), "PUBLIC KEY"),
        (Block(type="ENCRYPTED PRIVATE KEY", content=b"x").encode(), "ENCRYPTED PRIVATE KEY"),
    ],
)
def test_only_encrypted_keys_sign(text: bytes, kind: str) -> None:
    with pytest.raises(KeyAccessError) as caught:
        cosign_keys.open(text, b"")
    assert str(caught.value) == f"unsupported pem type: {kind}"
    assert caught.value.code == Code.NOT_SUPPORTED
    assert caught.value.hint


@pytest.mark.parametrize(
    "text", [b"", b"hello", cosign_key_files.TYPES[0].encode(), plain(P256)[:-5]]
)
@pytest.mark.parametrize("read", [cosign_key_files.parse, cosign_keys.import_pem])
def test_what_is_no_pem(read: object, text: bytes) -> None:
    assert callable(read)
    with pytest.raises(KeyAccessError, match=r"^invalid pem block$") as caught:
        read(text)
    assert caught.value.code == Code.MALFORMED


# Importing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "private",
    [
        P256,
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        RSA,
        ed25519.Ed25519PrivateKey.generate(),
    ],
)
def test_keys_of_other_programs(
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
) -> None:
    found = cosign_keys.import_pem(plain(private))
    assert found.public == signing_keys.LocalKey(private).public
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        text = plain(private, PrivateFormat.TraditionalOpenSSL)
        assert cosign_keys.import_pem(text).public == found.public


def test_openssl_writes_the_curve_first() -> None:
    text = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    text += plain(P256, PrivateFormat.TraditionalOpenSSL)
    assert cosign_keys.import_pem(text).public == signing_keys.LocalKey(P256).public


X25519 = x25519.X25519PrivateKey.generate().private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)
ODD = rsa.generate_private_key(public_exponent=65537, key_size=2560)
P224 = ec.generate_private_key(ec.SECP224R1())


@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        (
            plain(SMALL),
            "error validating rsa key: key size not supported: 1024",
            Code.NOT_SUPPORTED,
        ),
        (plain(ODD), "error validating rsa key: key size not supported: 2560", Code.NOT_SUPPORTED),
        (
            plain(SMALL, PrivateFormat.TraditionalOpenSSL),
            "error validating rsa key: key size not supported: 1024",
            Code.NOT_SUPPORTED,
        ),
        (plain(P224), "error validating ecdsa key: unsupported curve", Code.NOT_SUPPORTED),
        (X25519, "error parsing pkcs #8 private key", Code.MALFORMED),
        (
            Block(type="EC PRIVATE KEY", content=b"x").encode(),
            "error parsing ecdsa private key",
            Code.MALFORMED,
        ),
        (
            Block(type="RSA PRIVATE KEY", content=b"x").encode(),
            "error parsing rsa private key",
            Code.MALFORMED,
        ),
        (written(document()), "unsupported private key", Code.NOT_SUPPORTED),
        (
            P256.private_bytes(
                Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"x")
            ),
            "unsupported private key",
            Code.NOT_SUPPORTED,
        ),
        (
            Block(type="PUBLIC KEY", content=b"x").encode(),
            "unsupported private key",
            Code.NOT_SUPPORTED,
        ),
    ],
)
def test_keys_that_are_not_imported(text: bytes, words: str, code: Code) -> None:
    with pytest.raises(KeyAccessError) as caught:
        cosign_keys.import_pem(text)
    assert str(caught.value) == words
    assert caught.value.code == code
