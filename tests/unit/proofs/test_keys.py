"""Keys and signatures: which are accepted, and by both implementations alike."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from countermark.core.errors import (
    Code,
    InputError,
    KeyAccessError,
    MalformedError,
    SignatureError,
    ThresholdError,
)
from countermark.formats import tuf
from countermark.formats.tuf import Key, Role, Signature, Signed
from countermark.proofs import certificates, der, key_objects, keys, libcrypto, pem, spki
from countermark.proofs.keys import PrivateKey
from countermark.proofs.libcrypto import LibCrypto

VECTORS = Path(__file__).parents[2] / "vectors" / "notary-v1"
COMPAT = {
    "0.1": VECTORS / "compat/notary0.1/tuf/docker.com/notary0.1/samplerepo/metadata",
    "0.3": VECTORS / "compat/notary0.3/tuf/docker.com/notary0.3/tst/metadata",
}
RSA_FILE = VECTORS / "docker-cli/key-load"
MESSAGE = b"The quick brown fox"
P256 = PrivateKey.of(ec.generate_private_key(ec.SECP256R1()))
ED25519 = PrivateKey.of(ed25519.Ed25519PrivateKey.generate())
RSA = PrivateKey.of(rsa.generate_private_key(public_exponent=65537, key_size=2048))
EVERY_KEY = {
    "p224": PrivateKey.of(ec.generate_private_key(ec.SECP224R1())),
    "p256": P256,
    "p384": PrivateKey.of(ec.generate_private_key(ec.SECP384R1())),
    "p521": PrivateKey.of(ec.generate_private_key(ec.SECP521R1())),
    "ed25519": ED25519,
    "rsa": RSA,
}


def _library() -> LibCrypto:
    found = libcrypto.load()
    assert found is not None, "this Python's libcrypto must be found"
    return found


IMPLEMENTATIONS: dict[str, Callable[[spki.PublicKey, str, bytes, bytes], bool]] = {
    "libcrypto": _library().verify,
    "cryptography": key_objects.verify,
}


def file(role: str, folder: Path) -> Signed:
    return tuf.parse_role(role, (folder / f"{role}.json").read_bytes())


def root(folder: Path) -> tuf.SignedRoot:
    return tuf.parse_root((folder / "root.json").read_bytes())


# Verifying ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", COMPAT)
def test_old_clients_signatures_verify(version: str) -> None:
    folder = COMPAT[version]
    body = root(folder).body
    for role in tuf.BASE_ROLES:
        assert keys.check_signatures(file(role, folder), body.roles[role], body.keys)
    targets = tuf.parse_targets((folder / "targets.json").read_bytes()).body
    for delegation in targets.delegations:
        signed = file(delegation.name, folder)
        assert keys.check_signatures(signed, delegation, targets.delegation_keys)
    assert len(targets.delegations) == (version == "0.3")


def test_signatures_of_other_libraries() -> None:
    for entry in json.loads((VECTORS / "signatures.json").read_bytes()):
        text = entry.get("public_pem")
        raw = text.encode() if text else bytes.fromhex(entry["public_hex"])
        key = Key.of(entry["keytype"], raw)
        message, signature = entry["message"].encode(), bytes.fromhex(entry["sig_hex"])
        assert keys.verify(key, entry["method"], message, signature), entry["name"]
        flipped = bytes([signature[0] ^ 1]) + signature[1:]
        assert not keys.verify(key, entry["method"], message, flipped)
        assert not keys.verify(key, entry["method"], message + b".", signature)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("name", EVERY_KEY)
def test_both_implementations_agree(name: str, implementation: str) -> None:
    private = EVERY_KEY[name]
    public = keys.public_key(private.public)
    check = IMPLEMENTATIONS[implementation]
    made = private.sign(MESSAGE)
    assert check(public, made.method, MESSAGE, made.value)
    assert not check(public, made.method, MESSAGE + b"x", made.value)
    size = len(made.value)
    for bad in (bytes(size), b"\xff" * size, made.value[::-1], made.value[1:] + made.value[:1]):
        assert not check(public, made.method, MESSAGE, bad)
    assert not check(public, "unknown", MESSAGE, made.value)
    assert check(public, made.method, MESSAGE, made.value), "bad ones leave no trace"


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_pkcs1_signatures_are_verified_but_not_made(implementation: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256

    key = RSA.object
    assert isinstance(key, rsa.RSAPrivateKey)
    value = key.sign(MESSAGE, padding.PKCS1v15(), SHA256())
    public = keys.public_key(RSA.public)
    assert IMPLEMENTATIONS[implementation](public, "rsapkcs1v15", MESSAGE, value)
    assert not IMPLEMENTATIONS[implementation](public, "rsapss", MESSAGE, value)
    assert keys.verify(RSA.public, "rsapkcs1v15", MESSAGE, value)
    assert RSA.sign(MESSAGE).method == "rsapss"
    other_salt = key.sign(
        MESSAGE, padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=20), SHA256()
    )
    assert not IMPLEMENTATIONS[implementation](public, "rsapss", MESSAGE, other_salt)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_point_off_the_curve(implementation: str) -> None:
    public = keys.public_key(P256.public)
    bad = bytearray(public.der)
    bad[-1] ^= 1
    off = spki.parse(bytes(bad))
    signature = P256.sign(MESSAGE).value
    assert not IMPLEMENTATIONS[implementation](off, "ecdsa", MESSAGE, signature)


class _Module:
    def __init__(self, file: str) -> None:
        self.__file__ = file


@pytest.mark.parametrize(
    "modules",
    [
        {},
        {"_ssl": _Module("libc.so.6")},
        {"_ssl": _Module("/nonexistent/_ssl.so")},
        {"_hashlib": _Module("libc.so.6"), "_ssl": _Module("libm.so.6")},
    ],
)
def test_no_library_that_serves(modules: dict[str, object]) -> None:
    assert libcrypto.load(modules) is None
    assert keys.checker(None) is key_objects.verify


def test_the_library_is_at_least_3() -> None:
    assert _library().version >= 0x30000000
    assert libcrypto.load(least=0xFFFFFFFF) is None
    library = _library()
    assert keys.checker(library) == library.verify


def test_a_cold_start_loads_no_cryptography() -> None:
    code = f"""
import sys
from countermark.formats import tuf
from countermark.proofs import certificates, keys, public_files
with open({str(COMPAT["0.3"] / "root.json")!r}, "rb") as file:
    root = tuf.parse_root(file.read())
assert keys.check_signatures(root, root.body.roles["root"], root.body.keys)
assert certificates.valid_leaves(root.body, "docker.com/notary0.3/tst", None)
heavy = {{"cryptography", "typing", "re", "json", "enum", "dataclasses", "pathlib", "base64", "contextlib"}}
print(*sorted(heavy.intersection(sys.modules)))
"""
    # -S: an installed .pth file may load whatever it likes
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(Path(tuf.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []


def x509_key(private: PrivateKey, gun: str = "example.test/a") -> Key:
    from datetime import UTC, datetime

    from countermark.proofs import root_certificate

    return root_certificate.issue(private, gun, datetime(2026, 1, 1, tzinfo=UTC)).key


def pem_key(private: PrivateKey) -> Key:
    content = keys.public_key(private.public).der
    return Key.of("rsa", pem.Block(type="PUBLIC KEY", content=content).encode())


SHORT_RSA = PrivateKey.of(rsa.generate_private_key(public_exponent=65537, key_size=1024))
METHODS = [
    # key, method, made by, whether it is accepted
    (P256.public, "ecdsa", P256, True),
    (x509_key(P256), "ecdsa", P256, True),
    (EVERY_KEY["p521"].public, "ecdsa", EVERY_KEY["p521"], True),
    (RSA.public, "rsapss", RSA, True),
    (x509_key(RSA), "rsapss", RSA, True),
    (pem_key(RSA), "pycrypto-pkcs#1 pss", RSA, True),
    (ED25519.public, "eddsa", ED25519, True),
    (P256.public, "eddsa", P256, False),
    (P256.public, "rsapss", P256, False),
    (P256.public, "ECDSA", P256, False),
    (P256.public, "", P256, False),
    (ED25519.public, "ecdsa", ED25519, False),
    (RSA.public, "rsapkcs1v15", RSA, False),
    (RSA.public, "pycrypto-pkcs#1 pss", RSA, False),
    (pem_key(RSA), "rsapss", RSA, False),
    (x509_key(RSA), "pycrypto-pkcs#1 pss", RSA, False),
    (SHORT_RSA.public, "rsapss", SHORT_RSA, False),
    (RSA.public.replace(type="ecdsa"), "ecdsa", RSA, False),
    (P256.public.replace(type="rsa"), "rsapss", P256, False),
    (P256.public.replace(type="ecdsa-x509"), "ecdsa", P256, False),
    (P256.public.replace(type="new"), "ecdsa", P256, False),
    (x509_key(P256).replace(type="ecdsa"), "ecdsa", P256, False),
    (Key.of("ed25519", b"short"), "eddsa", ED25519, False),
    (Key.of("rsa", b"-----BEGIN nothing"), "pycrypto-pkcs#1 pss", RSA, False),
]


@pytest.mark.parametrize(("key", "method", "private", "accepted"), METHODS)
def test_methods_belong_to_types_of_keys(
    key: Key, method: str, private: PrivateKey, *, accepted: bool
) -> None:
    assert keys.verify(key, method, MESSAGE, private.sign(MESSAGE).value) is accepted


@pytest.mark.parametrize("name", EVERY_KEY)
def test_signatures_of_another_length(name: str) -> None:
    private = EVERY_KEY[name]
    made = private.sign(MESSAGE)
    for value in (b"", made.value[:-1], made.value + b"\0", b"\0" + made.value):
        assert not keys.verify(private.public, made.method, MESSAGE, value)
    assert keys.verify(private.public, made.method, MESSAGE, made.value)


def test_der_signatures_are_refused() -> None:
    key = P256.object
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    from cryptography.hazmat.primitives.hashes import SHA256

    assert not keys.verify(P256.public, "ecdsa", MESSAGE, key.sign(MESSAGE, ec.ECDSA(SHA256())))


# Thresholds ----------------------------------------------------------------------------------------------


def signed_by(*signatures: Signature) -> Signed:
    original = root(COMPAT["0.1"])
    return original.replace(signed=MESSAGE, signatures=signatures)


def role_of(*keys_: Key, threshold: int = 1) -> Role:
    return Role(name="targets", key_ids=tuple(key.id for key in keys_), threshold=threshold)


def known(*keys_: Key) -> dict[str, Key]:
    return {key.id: key for key in keys_}


A, B = P256, EVERY_KEY["p384"]
CERTIFIED = x509_key(A)
CERTIFIED_AGAIN = x509_key(A)
GOOD_A, GOOD_B = A.sign(MESSAGE), B.sign(MESSAGE)


def test_who_signed() -> None:
    both = role_of(A.public, B.public)
    found = keys.check_signatures(signed_by(GOOD_B, GOOD_A), both, known(A.public, B.public))
    assert found == (B.id, A.id)
    two = both.replace(threshold=2)
    assert keys.check_signatures(signed_by(GOOD_A, GOOD_B), two, known(A.public, B.public))


def test_a_bad_signature_beside_a_good_one_does_not_matter() -> None:
    bad = GOOD_B.replace(value=GOOD_A.value)
    unknown = GOOD_B.replace(method="new")
    for other in (bad, unknown, GOOD_A.replace(key_id="f" * 64), GOOD_A.replace(value=b"")):
        found = keys.check_signatures(
            signed_by(other, GOOD_A), role_of(A.public, B.public), known(A.public, B.public)
        )
        assert found == (A.id,)


THRESHOLDS = [
    ("one of two", role_of(A.public, B.public, threshold=2), (GOOD_A,)),
    ("one twice", role_of(A.public, B.public, threshold=2), (GOOD_A, A.sign(MESSAGE))),
    ("not in the role", role_of(B.public), (GOOD_A,)),
    ("a role without keys", role_of(), (GOOD_A,)),
    ("a role without a threshold", role_of(A.public, threshold=0), (GOOD_A,)),
    ("bad", role_of(A.public), (GOOD_A.replace(value=GOOD_A.value[::-1]),)),
    (
        "one pair under two certificates",
        role_of(CERTIFIED, CERTIFIED_AGAIN, threshold=2),
        (A.sign(MESSAGE, CERTIFIED.id), A.sign(MESSAGE, CERTIFIED_AGAIN.id)),
    ),
    (
        "one pair with and without a certificate",
        role_of(CERTIFIED, A.public, threshold=2),
        (A.sign(MESSAGE, CERTIFIED.id), GOOD_A),
    ),
]


@pytest.mark.parametrize(("name", "role", "signatures"), THRESHOLDS, ids=[t[0] for t in THRESHOLDS])
def test_too_few(name: str, role: Role, signatures: tuple[Signature, ...]) -> None:
    everything = known(A.public, B.public, CERTIFIED, CERTIFIED_AGAIN)
    with pytest.raises(ThresholdError) as caught:
        keys.check_signatures(signed_by(*signatures), role, everything)
    assert caught.value.code == Code.BELOW_THRESHOLD
    assert str(caught.value) == "valid signatures did not meet threshold for targets"


def test_one_certificate_and_another_pair_are_two() -> None:
    role = role_of(CERTIFIED, B.public, threshold=2)
    signed = signed_by(A.sign(MESSAGE, CERTIFIED.id), GOOD_B)
    assert len(keys.check_signatures(signed, role, known(CERTIFIED, B.public))) == 2


def test_no_signatures() -> None:
    with pytest.raises(SignatureError) as caught:
        keys.check_signatures(signed_by(), role_of(A.public), known(A.public))
    assert caught.value.code == Code.NO_SIGNATURES
    assert str(caught.value) == "tuf: data has no signatures"


def test_a_key_under_an_id_that_is_not_its_own() -> None:
    with pytest.raises(SignatureError) as caught:
        keys.check_signatures(signed_by(GOOD_A), role_of(A.public), {A.id: B.public})
    assert caught.value.code == Code.KEY_ID
    assert str(caught.value) == "key ID is not valid for key content"


# Which key ------------------------------------------------------------------------------------------------


def test_identifiers() -> None:
    assert keys.canonical_id(CERTIFIED) == A.id != CERTIFIED.id
    assert keys.canonical_id(A.public) == A.id
    assert CERTIFIED.id != CERTIFIED_AGAIN.id
    assert keys.fingerprint(CERTIFIED) == keys.fingerprint(A.public)
    assert keys.fingerprint(pem_key(RSA)) == keys.fingerprint(RSA.public)
    assert keys.canonical_id(x509_key(RSA)) == RSA.id
    with pytest.raises(MalformedError) as caught:
        keys.fingerprint(Key(type="new", public="AAAA"))
    assert caught.value.code == Code.MALFORMED


@pytest.mark.parametrize("name", EVERY_KEY)
def test_spki_and_back(name: str) -> None:
    private = EVERY_KEY[name]
    content = private.object.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    assert keys.from_spki(content) == private.public
    assert keys.public_key(private.public).der == content


EC_OID, RSA_OID = der.oid("1.2.840.10045.2.1"), der.oid("1.2.840.113549.1.1.1")
CURVE = der.oid("1.2.840.10045.3.1.7")
NULL = der.tlv(der.NULL)
POINT = b"\x04" + bytes(64)


def made(algorithm: bytes, key: bytes) -> bytes:
    return der.sequence(algorithm, der.bits(key))


def rsa_key(modulus: int, exponent: int, parameters: bytes = NULL) -> bytes:
    numbers = der.sequence(der.integer(modulus), der.integer(exponent))
    return made(der.sequence(RSA_OID, parameters), numbers)


GOOD_SPKI = made(der.sequence(EC_OID, CURVE), POINT)
BAD_SPKI = [
    b"",
    GOOD_SPKI[:-1],
    GOOD_SPKI + b"\0",
    b"\x30\x80" + GOOD_SPKI[2:] + b"\0\0",
    b"\x30\x81" + GOOD_SPKI[1:],
    b"\x30\x82\x00" + GOOD_SPKI[1:],
    b"\x3f" + GOOD_SPKI[1:],
    made(der.sequence(EC_OID, CURVE), b"\x02" + bytes(32)),
    made(der.sequence(EC_OID, CURVE), b"\x02" + bytes(64)),
    made(der.sequence(EC_OID, CURVE), POINT + b"\0"),
    made(der.sequence(EC_OID, der.oid("1.3.132.0.10")), POINT),
    made(der.sequence(EC_OID, CURVE, NULL), POINT),
    made(der.sequence(EC_OID), POINT),
    made(der.sequence(der.oid("1.2.3")), POINT),
    made(der.sequence(der.oid("1.3.101.112")), bytes(31)),
    made(der.sequence(der.oid("1.3.101.112"), NULL), bytes(32)),
    der.sequence(der.sequence(EC_OID, CURVE), der.tlv(der.BIT_STRING, b"\x01", POINT)),
    der.sequence(der.sequence(EC_OID, CURVE), der.tlv(der.BIT_STRING)),
    rsa_key(2**2048 - 1, 65537, b""),
    rsa_key(2**2048 - 1, 65537, der.tlv(der.NULL, b"x")),
    rsa_key(2**2048, 65537),
    rsa_key(2**16384 + 1, 65537),
    rsa_key(2**2048 - 1, 1),
    rsa_key(2**2048 - 1, 4),
    rsa_key(2**2048 - 1, 2**31 + 1),
    rsa_key(0, 65537),
    made(der.sequence(RSA_OID, NULL), der.sequence(der.tlv(der.INTEGER, b"\xff"), der.integer(3))),
    made(der.sequence(RSA_OID, NULL), der.sequence(der.tlv(der.INTEGER), der.integer(3))),
    made(der.sequence(RSA_OID, NULL), der.sequence(der.tlv(2, b"\0\x01"), der.integer(3))),
]


@pytest.mark.parametrize("content", BAD_SPKI)
def test_public_keys_that_openssl_never_sees(content: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        keys.from_spki(content)
    assert caught.value.code == Code.MALFORMED


def test_the_good_one_parses() -> None:
    assert spki.parse(GOOD_SPKI).curve == "P-256"
    assert spki.parse(rsa_key(2**2048 - 1, 3)).bits == 2048


# Private keys ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519", "rsa"])
def test_new_keys(kind: str) -> None:
    private = PrivateKey.generate(kind)
    assert private.public.type == kind
    assert private.id == private.public.id == keys.canonical_id(private.public)
    signature = private.sign(MESSAGE)
    assert signature.key_id == private.id
    assert keys.verify(private.public, signature.method, MESSAGE, signature.value)
    again = PrivateKey.from_der(private.encode_der())
    assert again.public == private.public


def test_a_signature_may_name_the_key_by_its_certificate() -> None:
    assert A.sign(MESSAGE, CERTIFIED.id).key_id == CERTIFIED.id


def test_private_keys_are_never_shown() -> None:
    assert repr(P256) == f"PrivateKey(id={P256.id!r})"
    with pytest.raises(TypeError):
        pickle.dumps(P256)


def test_no_such_kind() -> None:
    with pytest.raises(InputError) as caught:
        PrivateKey.generate("dsa")
    assert caught.value.code == Code.BAD_INPUT


def _other_kind() -> bytes:
    from cryptography.hazmat.primitives.asymmetric import x25519

    return x25519.X25519PrivateKey.generate().private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", Code.MALFORMED), (b"garbage", Code.MALFORMED), (_other_kind(), Code.NOT_SUPPORTED)],
)
def test_no_private_keys(content: bytes, code: Code) -> None:
    with pytest.raises(KeyAccessError) as caught:
        PrivateKey.from_der(content)
    assert caught.value.code == code


def test_a_curve_that_notary_does_not_know() -> None:
    with pytest.raises(MalformedError) as caught:
        PrivateKey.of(ec.generate_private_key(ec.SECP256K1()))
    assert caught.value.code == Code.MALFORMED


def test_a_root_of_2015() -> None:
    file_ = tuf.parse_root((VECTORS / "root-2015/root.json").read_bytes())
    assert [key_id for key_id, key in file_.body.keys.items() if key.id != key_id] == []
    signers = keys.check_signatures(file_, file_.body.roles["root"], file_.body.keys)
    assert signers == file_.body.roles["root"].key_ids
    [bundle] = certificates.bundles(file_.body).values()
    assert bundle.leaf.common_name == "expire"


def test_ed25519_signs_no_certificates() -> None:
    with pytest.raises(KeyAccessError) as caught:
        key_objects.sign_certificate(ED25519.object, b"")
    assert caught.value.code == Code.NOT_SUPPORTED
