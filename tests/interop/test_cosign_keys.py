"""Keys go both ways between cosign and ours: the same files, the same signatures, the same words."""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import world
from countermark.adapters.http_client import HttpClient
from countermark.adapters.key_references import KeyReferences, Secrets
from countermark.core.errors import Code, CountermarkError
from countermark.proofs import cosign_keys, public_keys, signatures, signing_keys
from countermark.proofs.signing_keys import LocalKey
from interop.cosign_peers import PASSWORD, Cosign

BLOB = b"what is signed\n"
ALGORITHMS = ("ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048", "rsa-4096", "ed25519")


@pytest.fixture
def blob(cosign: Cosign) -> Path:
    path = cosign.folder / "blob"
    path.write_bytes(BLOB)
    return path


def handed_over(cosign: Cosign, algorithm: str) -> LocalKey:
    """A key of ours as files in cosign's folder: ours.key and ours.pub."""
    key = signing_keys.generate(algorithm)
    (cosign.folder / "ours.key").write_bytes(cosign_keys.encode(key, PASSWORD.encode()))
    (cosign.folder / "ours.pub").write_bytes(public_keys.encode(key.public))
    return key


def references(password: str = PASSWORD, **environment: str) -> KeyReferences:
    client, secrets = HttpClient(), Secrets(password.encode)
    return KeyReferences(client, environment, "/nonexistent", secrets, lambda: world.NOW)


def test_cosigns_key_signs_here(cosign: Cosign, blob: Path) -> None:
    cosign("generate-key-pair").ok()
    files = references()
    key = files.signing_key(str(cosign.folder / "cosign.key"))
    assert key.public_der == files.public_key(str(cosign.folder / "cosign.pub")).der
    signature = cosign.folder / "signature"
    signature.write_bytes(b64encode(key.sign(BLOB)))
    words = ("verify-blob", "--key", "cosign.pub", "--signature", "signature", *cosign.offline)
    cosign(*words, blob).ok()
    blob.write_bytes(BLOB + b".")
    cosign(*words, blob).refused("invalid signature when validating ASN.1 encoded signature")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_our_key_signs_there(cosign: Cosign, blob: Path, algorithm: str) -> None:
    key = handed_over(cosign, algorithm)
    shown = cosign("public-key", "--key", "ours.key").ok().out
    assert shown.encode() == public_keys.encode(key.public)
    flags = cosign.unchecked if algorithm == "ed25519" else cosign.key_only
    cosign("sign-blob", "--key", "ours.key", "--bundle", "bundle.json", *flags, blob).ok()
    found = json.loads((cosign.folder / "bundle.json").read_bytes())["messageSignature"]
    made = b64decode(found["signature"])
    assert signatures.verify(key.public, BLOB, made)
    assert not signatures.verify(key.public, BLOB + b".", made)
    if algorithm != "ed25519":
        digest = b64decode(found["messageDigest"]["digest"])
        assert signatures.verify_digest(key.public, digest, made)


@pytest.mark.parametrize(
    ("algorithm", "hash_name"),
    [("ecdsa-p256", ""), ("ecdsa-p384", "sha384"), ("ecdsa-p521", "sha512"), ("rsa-2048", "")],
)
def test_what_ours_signs_verifies_there(
    cosign: Cosign, blob: Path, algorithm: str, hash_name: str
) -> None:
    key = handed_over(cosign, algorithm)
    (cosign.folder / "signature").write_bytes(b64encode(key.sign(BLOB)))
    hashing = ("--signature-digest-algorithm", hash_name) if hash_name else ()
    words = ("verify-blob", "--key", "ours.pub", "--signature", "signature", *cosign.offline)
    cosign(*words, *hashing, blob).ok()
    if hash_name:  # without the flag it takes SHA-256 for every curve, and cannot verify its own
        cosign(*words, blob).refused("invalid signature")


def test_pure_ed25519_verifies_there(cosign: Cosign, blob: Path) -> None:
    key = handed_over(cosign, "ed25519")
    (cosign.folder / "signature").write_bytes(b64encode(key.sign(BLOB)))
    words = ("verify-blob", "--key", "ours.pub", "--signature", "signature", *cosign.offline)
    cosign(*words, blob).ok()


def test_cosign_makes_ed25519ph_and_ours_verifies_it(cosign: Cosign, blob: Path) -> None:
    """cosign cannot verify it itself."""
    key = handed_over(cosign, "ed25519")
    (cosign.folder / "predicate").write_text("{}")
    words = ("attest-blob", "--key", "ours.key", "--predicate", "predicate", "--type", "custom")
    cosign(*words, "--bundle", "bundle.json", *cosign.unchecked, blob).ok()
    envelope = json.loads((cosign.folder / "bundle.json").read_bytes())["dsseEnvelope"]
    kind, payload = envelope["payloadType"].encode(), b64decode(envelope["payload"])
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    made = b64decode(envelope["signatures"][0]["sig"])
    digest = hashlib.sha512(encoded).digest()
    assert signatures.verify_digest(key.public, digest, made)
    assert not signatures.verify(key.public, encoded, made)
    assert len(key.sign_digest(digest)) == len(made)


def plain(key: LocalKey) -> bytes:
    return key.object.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("algorithm", ["ecdsa-p384", "rsa-3072", "ed25519"])
def test_imported_here_and_there(cosign: Cosign, algorithm: str) -> None:
    key = signing_keys.generate(algorithm)
    (cosign.folder / "plain.pem").write_bytes(plain(key))
    cosign("import-key-pair", "--key", "plain.pem").ok()
    theirs = references().signing_key(str(cosign.folder / "import-cosign.key"))
    ours = cosign_keys.import_pem((cosign.folder / "plain.pem").read_bytes())
    assert theirs.public_der == ours.public_der == key.public_der


def small_rsa() -> bytes:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return small.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def our_words(cosign: Cosign, verb: str, name: str) -> CountermarkError:
    """What ours says where cosign refuses."""
    path = cosign.folder / name
    reference = name if ":" in name else str(path)
    ask: dict[str, Callable[[], object]] = {
        "import": lambda: cosign_keys.import_pem(path.read_bytes()),
        "sign": lambda: references().signing_key(reference),
        "verify": lambda: references().public_key(reference),
    }
    with pytest.raises(CountermarkError) as caught:
        ask[verb]()
    return caught.value


@pytest.mark.parametrize(
    "name", ["wrong.key", "plain.pem", "ours.pub", "junk", "env://ABSENT", "foo://x"]
)
def test_the_words_where_a_key_does_not_sign(cosign: Cosign, name: str) -> None:
    key = handed_over(cosign, "ecdsa-p256")
    (cosign.folder / "wrong.key").write_bytes(cosign_keys.encode(key, b"another"))
    (cosign.folder / "plain.pem").write_bytes(plain(key))
    (cosign.folder / "junk").write_bytes(b"junk")
    error = our_words(cosign, "sign", name)
    cosign("public-key", "--key", name).refused(str(error))
    assert error.code in (
        Code.PASSPHRASE,
        Code.NOT_SUPPORTED,
        Code.MALFORMED,
        Code.NOT_FOUND,
        Code.BAD_INPUT,
    )


@pytest.mark.parametrize("name", ["ours.key", "junk", "env://ABSENT", "foo://x"])
def test_the_words_where_a_key_does_not_verify(cosign: Cosign, blob: Path, name: str) -> None:
    handed_over(cosign, "ecdsa-p256")
    (cosign.folder / "junk").write_bytes(b"junk")
    (cosign.folder / "signature").write_bytes(b"AAAA")
    words = ("verify-blob", "--key", name, "--signature", "signature", *cosign.offline)
    cosign(*words, blob).refused(str(our_words(cosign, "verify", name)))


@pytest.mark.parametrize("name", ["small.pem", "ours.key", "junk"])
def test_the_words_where_a_key_is_not_imported(cosign: Cosign, name: str) -> None:
    handed_over(cosign, "ecdsa-p256")
    (cosign.folder / "small.pem").write_bytes(small_rsa())
    (cosign.folder / "junk").write_bytes(b"junk")
    cosign("import-key-pair", "--key", name, "-y").refused(str(our_words(cosign, "import", name)))
