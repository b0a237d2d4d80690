"""Private and public key files: every dialect read, notary's written, nothing swallowed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from countermark.core import limits
from countermark.core.errors import ChainError, Code, EvidenceError, KeyAccessError, MalformedError
from countermark.proofs import der, key_encryption, key_files, pem, private_der, root_certificate
from countermark.proofs.key_files import KeyFile
from countermark.proofs.keys import PrivateKey
from countermark.proofs.pem import Block

VECTORS = Path(__file__).parents[2] / "vectors" / "notary-v1"
NOW = datetime(2020, 1, 1, tzinfo=UTC)
INDEX = json.loads((VECTORS / "pkcs8" / "index.json").read_bytes())
EC = PrivateKey.generate()
ED25519 = PrivateKey.generate("ed25519")
RSA = PrivateKey.of(rsa.generate_private_key(public_exponent=65537, key_size=2048))
KINDS = {"ecdsa": EC, "ed25519": ED25519, "rsa": RSA}
GUN = "docker.com/notary"


def code_of(error: pytest.ExceptionInfo[KeyAccessError]) -> Code:
    return error.value.code


# The vectors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["file"])
def test_pkcs8(entry: dict[str, str]) -> None:
    plain = (VECTORS / "pkcs8" / entry["file"]).read_bytes()
    sealed = (VECTORS / "pkcs8" / entry["encrypted"]).read_bytes()
    for private in (
        key_files.open_key(plain, None),
        key_files.open_key(plain, "needless"),
        key_files.open_key(sealed, entry["password"]),
    ):
        assert private.public.type == entry["keytype"]
        assert private.public.public == entry["public"]
        assert private.id == entry["keyid"]
    for passphrase in ("wrong", "", None):
        with pytest.raises(KeyAccessError) as caught:
            key_files.open_key(sealed, passphrase)
        assert code_of(caught) == Code.PASSPHRASE


def test_pkcs8_and_pkcs1_of_one_key() -> None:
    first, second = (
        key_files.open_key((VECTORS / f"pkcs8/pem-to-pem.{form}.pem").read_bytes(), None)
        for form in ("pkcs1", "pkcs8")
    )
    assert first.id == second.id


@pytest.mark.parametrize(
    ("name", "role", "gun", "kind"),
    [
        ("ec-role-root", "root", "", "ecdsa"),
        ("ed25519-role-root", "root", "", "ed25519"),
        ("rsa-role-root", "root", "", "rsa"),
        ("pkcs8-gun-role-no-blank-line", "snapshot", GUN, "rsa"),
        ("rsa-gun-role-no-blank-line", "snapshot", GUN, "rsa"),
    ],
)
def test_legacy_pem(name: str, role: str, gun: str, kind: str) -> None:
    file = KeyFile.parse((VECTORS / f"legacy-pem/{name}.pem").read_bytes())
    assert (file.role, file.gun, file.encrypted) == (role, gun, False)
    assert file.open(None).public.type == kind
    assert file.key_id == file.open(None).id


@pytest.mark.parametrize(
    ("folder", "passphrase", "count"),
    [("notary0.1", "randompass", 3), ("notary0.3", "password", 4)],
)
def test_old_clients_keys(folder: str, passphrase: str, count: int) -> None:
    found = sorted((VECTORS / "compat" / folder).rglob("*.key"))
    assert len(found) == count
    for path in found:
        file = KeyFile.parse(path.read_bytes())
        assert file.encrypted
        assert file.open(passphrase).id == path.name[:64]
        with pytest.raises(KeyAccessError) as caught:
            file.open("wrong")
        assert code_of(caught) == Code.PASSPHRASE


def test_rsa_keys_are_named_by_their_ids() -> None:
    found = list((VECTORS / "rsa-keys").iterdir())
    assert len(found) == 6
    for path in found:
        assert key_files.open_key(path.read_bytes(), None).id == path.stem


def test_docker_key_load() -> None:
    folder = VECTORS / "docker-cli/key-load"
    for path in folder.glob("*.*.pem"):
        assert key_files.open_key(path.read_bytes(), None).id == path.name[:64]
    with pytest.raises(KeyAccessError, match="not a supported private key") as caught:
        key_files.open_key((folder / "pubkey.pem").read_bytes(), None)
    assert code_of(caught) == Code.MALFORMED


def test_root_keys_and_their_certificate() -> None:
    text = (VECTORS / "rootcert/docker-wildcard.crt").read_bytes()
    certificate = key_files.parse_public_pem(text, NOW)
    ids = {
        name: key_files.open_key((VECTORS / f"rootcert/{name}.enc.key").read_bytes(), "passphrase")
        for name in ("root-matching", "root-nonmatching")
    }
    from countermark.proofs import keys

    assert keys.canonical_id(certificate) == ids["root-matching"].id
    assert keys.canonical_id(certificate) != ids["root-nonmatching"].id


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_delegates_keys_and_certificates(number: int) -> None:
    from countermark.proofs import keys

    folder = VECTORS / "docker-cli/delegation-keys"
    private = key_files.open_key((folder / f"delgkey{number}.key").read_bytes(), None)
    text = (folder / f"delgkey{number}.crt").read_bytes()
    public = key_files.parse_public_pem(text, NOW)
    assert public.type == "rsa-x509"
    assert public.raw == text, "Go's own form"
    assert keys.canonical_id(public) == private.id
    with pytest.raises(ChainError, match=r"invalid certificate: .* is expired") as caught:
        key_files.parse_public_pem(text, datetime(2030, 1, 1, tzinfo=UTC))
    assert caught.value.code == Code.EXPIRED


# Written and read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_read_as_it_was_written(kind: str) -> None:
    private = KINDS[kind]
    text = key_files.encode_key(private, "secret", role="targets", gun=GUN, iterations=1_000)
    lines = text.decode().splitlines()
    assert lines[:4] == [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        f"gun: {GUN}",
        "role: targets",
        "",
    ]
    file = KeyFile.parse(text)
    assert file.open("secret").public == private.public
    assert file.encode() == text
    with pytest.raises(KeyAccessError) as caught:
        file.open("Secret")
    assert code_of(caught) == Code.PASSPHRASE
    plain = key_files.encode_key(private, "")
    assert plain.startswith(b"-----BEGIN PRIVATE KEY-----\nM")
    assert key_files.open_key(plain, None).public == private.public


@pytest.mark.parametrize("curve", [ec.SECP224R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_other_curves(curve: ec.EllipticCurve) -> None:
    private = PrivateKey.of(ec.generate_private_key(curve))
    assert key_files.open_key(key_files.encode_key(private, ""), None).public == private.public


def test_notarys_dialect() -> None:
    """Version 1 for EC, no NULL for RSA, no PRF: see specs, notary v1, 3.3."""
    assert private_der.encode_pkcs8(EC).index(b"\x02\x01\x01") == 3
    assert b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x04" in private_der.encode_pkcs8(
        RSA
    )
    sealed = key_encryption.encrypt(b"x" * 16, "p", 2048)
    assert b"\x30\x0e\x04\x08" in sealed, "salt of 8 bytes and the rounds, nothing more"
    assert len(sealed) < 130
    assert key_encryption.ITERATIONS >= 600_000


@pytest.mark.parametrize(
    ("role", "gun", "headers"),
    [
        ("root", GUN, {"role": "root"}),
        ("alice", GUN, {"role": "alice"}),
        ("targets/releases", GUN, {"role": "targets/releases"}),
        ("snapshot", GUN, {"role": "snapshot", "gun": GUN}),
        ("", "", {}),
    ],
)
def test_headers(role: str, gun: str, headers: dict[str, str]) -> None:
    text = key_files.encode_key(EC, "", role=role, gun=gun)
    assert pem.parse(text)[0].headers == headers


def test_a_header_cannot_be_smuggled() -> None:
    with pytest.raises(MalformedError) as caught:
        key_files.encode_key(EC, "", role="a\nrole: root")
    assert caught.value.code == Code.MALFORMED


def test_key_files_are_never_shown() -> None:
    file = KeyFile.parse(key_files.encode_key(EC, "", role="root"))
    assert repr(file) == "KeyFile(role='root', gun='', encrypted=False)"


# Other people's files ----------------------------------------------------------------------------------------


def pyca(private: PrivateKey, form: PrivateFormat, passphrase: bytes | None) -> bytes:
    secret = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return private.object.private_bytes(Encoding.PEM, form, secret)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("passphrase", [None, "other"])
def test_keys_of_other_programs(kind: str, passphrase: str | None) -> None:
    """Also those whose PBKDF2 names HMAC-SHA256, which notary cannot read."""
    text = pyca(KINDS[kind], PrivateFormat.PKCS8, (passphrase and passphrase.encode()) or None)
    assert key_files.open_key(text, passphrase).public == KINDS[kind].public


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_openssl_of_old(kind: str) -> None:
    text = pyca(KINDS[kind], PrivateFormat.TraditionalOpenSSL, b"other")
    assert b"DEK-Info" in text
    assert key_files.open_key(text, "other").public == KINDS[kind].public


def legacy(cipher: str, key_size: int, block: int, content: bytes, passphrase: bytes) -> bytes:
    """Encrypt as OpenSSL's PEM did, by other means than those under test."""
    from hashlib import md5

    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES

    start = bytes(range(block))
    derived = md5(passphrase + start[:8]).digest()
    derived += md5(derived + passphrase + start[:8]).digest()
    key = derived[:key_size]
    padding = block - len(content) % block
    algorithm = AES(key) if block == 16 else TripleDES(key * 3 if key_size == 8 else key)
    encryptor = Cipher(algorithm, CBC(start)).encryptor()
    sealed = encryptor.update(content + bytes([padding]) * padding) + encryptor.finalize()
    headers = {"Proc-Type": "4,ENCRYPTED", "DEK-Info": f"{cipher},{start.hex().upper()}"}
    return Block(type="EC PRIVATE KEY", content=sealed, headers=headers).encode()


SEC1 = EC.object.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())


@pytest.mark.parametrize(
    ("cipher", "key_size", "block"),
    [
        ("AES-128-CBC", 16, 16),
        ("AES-192-CBC", 24, 16),
        ("AES-256-CBC", 32, 16),
        ("DES-EDE3-CBC", 24, 8),
        ("DES-CBC", 8, 8),
    ],
)
def test_every_old_cipher(cipher: str, key_size: int, block: int) -> None:
    text = legacy(cipher, key_size, block, SEC1, b"old")
    assert text.startswith(b"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: ")
    assert key_files.open_key(text, "old").id == EC.id


def test_padding_that_looks_right_is_no_proof() -> None:
    text = legacy("AES-256-CBC", 32, 16, b"not a key", b"old")
    with pytest.raises(KeyAccessError) as caught:
        key_files.open_key(text, "old")
    assert code_of(caught) == Code.PASSPHRASE


def test_parameters_before_the_key_are_passed_over() -> None:
    parameters = Block(type="EC PARAMETERS", content=b"\x06\x00").encode()
    key = Block(type="EC PRIVATE KEY", content=SEC1).encode()
    assert key_files.open_key(parameters + key, None).id == EC.id


def test_carriage_returns_and_text_around() -> None:
    text = b"Bag Attributes\n" + key_files.encode_key(EC, "", role="root") + b"\nend\n"
    assert key_files.open_key(text.replace(b"\n", b"\r\n"), None).id == EC.id


# Refused ----------------------------------------------------------------------------------------------------

OCTETS = der.OCTET_STRING
PBES2, PBKDF2 = der.oid("1.2.840.113549.1.5.13"), der.oid("1.2.840.113549.1.5.12")
AES_256 = der.oid("2.16.840.1.101.3.4.1.42")


def sealed(
    *,
    scheme: bytes = PBES2,
    derivation: bytes = PBKDF2,
    cipher: bytes = AES_256,
    iterations: int = 1,
    more: bytes = b"",
    iv: bytes = bytes(16),
    content: bytes = bytes(16),
) -> bytes:
    parameters = der.sequence(
        der.sequence(
            derivation,
            der.sequence(der.tlv(OCTETS, b"salt"), der.integer(iterations), more),
        ),
        der.sequence(cipher, der.tlv(OCTETS, iv)),
    )
    info = der.sequence(der.sequence(scheme, parameters), der.tlv(OCTETS, content))
    return Block(type="ENCRYPTED PRIVATE KEY", content=info).encode()


def plain(content: bytes, kind: str = "PRIVATE KEY") -> bytes:
    return Block(type=kind, content=content).encode()


def pkcs8(*parts: bytes, version: int = 0) -> bytes:
    return plain(der.sequence(der.integer(version), *parts))


EC_ID = der.oid("1.2.840.10045.2.1")
P256, P384 = der.oid("1.2.840.10045.3.1.7"), der.oid("1.3.132.0.34")
OTHER_POINT = der.tlv(der.context(1), der.bits(b"\x04" + bytes(64)))


def sec1(*rest: bytes, secret: bytes = b"\x01", version: int = 1) -> bytes:
    return der.sequence(der.integer(version), der.tlv(OCTETS, secret), *rest)


P256_IN = der.tlv(der.context(0), P256)
DSA = dsa.generate_private_key(1024).private_bytes(
    Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
)
WRONG: dict[str, tuple[bytes, Code]] = {
    "empty": (b"", Code.MALFORMED),
    "text": (b"hello", Code.MALFORMED),
    "public": (plain(b"", "PUBLIC KEY"), Code.MALFORMED),
    "openssh": (plain(b"", "OPENSSH PRIVATE KEY"), Code.MALFORMED),
    "no end": (b"-----BEGIN PRIVATE KEY-----\nAAAA\n", Code.MALFORMED),
    "other end": (
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END KEY-----\n",
        Code.MALFORMED,
    ),
    "no base64": (
        b"-----BEGIN PRIVATE KEY-----\n!!!\n-----END PRIVATE KEY-----\n",
        Code.MALFORMED,
    ),
    "no text": (
        b"-----BEGIN PRIVATE KEY-----\n\xff: x\n-----END PRIVATE KEY-----\n",
        Code.MALFORMED,
    ),
    "only headers": (
        b"-----BEGIN PRIVATE KEY-----\nrole: x\n-----END PRIVATE KEY-----\n",
        Code.MALFORMED,
    ),
    "too many": (plain(b"") * 1001, Code.MALFORMED),
    "too large": (b" " * (limits.KEY_FILE_BYTES + 1), Code.TOO_LARGE),
    "no der": (plain(b"\x30"), Code.MALFORMED),
    "version 2": (pkcs8(version=2), Code.MALFORMED),
    "unknown kind": (pkcs8(der.sequence(der.oid("1.2.3")), der.tlv(OCTETS)), Code.MALFORMED),
    "unknown curve": (
        pkcs8(der.sequence(EC_ID, der.oid("1.3.132.0.10")), der.tlv(OCTETS, sec1())),
        Code.MALFORMED,
    ),
    "two curves": (
        pkcs8(der.sequence(EC_ID, P384), der.tlv(OCTETS, sec1(P256_IN))),
        Code.MALFORMED,
    ),
    "no curve": (plain(sec1(), "EC PRIVATE KEY"), Code.MALFORMED),
    "version of sec1": (plain(sec1(P256_IN, version=2), "EC PRIVATE KEY"), Code.MALFORMED),
    "zero": (plain(sec1(P256_IN, secret=b"\0"), "EC PRIVATE KEY"), Code.MALFORMED),
    "too big": (plain(sec1(P256_IN, secret=b"\xff" * 32), "EC PRIVATE KEY"), Code.MALFORMED),
    "other public": (plain(sec1(P256_IN, OTHER_POINT), "EC PRIVATE KEY"), Code.MALFORMED),
    "short ed25519": (plain(bytes(95), "ED25519 PRIVATE KEY"), Code.MALFORMED),
    "mixed ed25519": (plain(bytes(96), "ED25519 PRIVATE KEY"), Code.MALFORMED),
    "seed": (
        pkcs8(der.sequence(der.oid("1.3.101.112")), der.tlv(OCTETS, der.tlv(OCTETS, b"x"))),
        Code.MALFORMED,
    ),
    "rsa numbers": (
        plain(
            der.sequence(*(der.integer(n) for n in (0, 15, 3, 3, 3, 5, 1, 1, 1))), "RSA PRIVATE KEY"
        ),
        Code.MALFORMED,
    ),
    "rsa kind": (
        plain(der.sequence(der.integer(0), der.integer(1)), "RSA PRIVATE KEY"),
        Code.MALFORMED,
    ),
    "dsa as rsa": (plain(DSA, "RSA PRIVATE KEY"), Code.MALFORMED),
    "ec as rsa": (plain(SEC1, "RSA PRIVATE KEY"), Code.MALFORMED),
    "rsa size": (
        plain(der.sequence(der.integer(0), der.integer(2**20000)), "RSA PRIVATE KEY"),
        Code.MALFORMED,
    ),
    "pbes1": (sealed(scheme=der.oid("1.2.840.113549.1.5.3")), Code.NOT_SUPPORTED),
    "scrypt": (sealed(derivation=der.oid("1.3.6.1.4.1.11591.4.11")), Code.NOT_SUPPORTED),
    "3des": (sealed(cipher=der.oid("1.2.840.113549.3.7")), Code.NOT_SUPPORTED),
    "prf": (sealed(more=der.sequence(der.oid("1.2.3"))), Code.NOT_SUPPORTED),
    "no rounds": (sealed(iterations=0), Code.TOO_LARGE),
    "rounds": (sealed(iterations=limits.KDF_ITERATIONS + 1), Code.TOO_LARGE),
    "key length": (sealed(more=der.integer(16)), Code.MALFORMED),
    "iv": (sealed(iv=bytes(8)), Code.MALFORMED),
    "cut off": (sealed(content=bytes(15)), Code.MALFORMED),
    "nothing": (sealed(content=b""), Code.MALFORMED),
    "passphrase": (sealed(), Code.PASSPHRASE),
    "passphrase and key length": (sealed(more=der.integer(32)), Code.PASSPHRASE),
    "no structure": (plain(b"", "ENCRYPTED PRIVATE KEY"), Code.MALFORMED),
    "old cipher": (
        Block(type="EC PRIVATE KEY", content=bytes(16), headers={"DEK-Info": "RC4,00"}).encode(),
        Code.NOT_SUPPORTED,
    ),
    "old iv": (
        Block(
            type="EC PRIVATE KEY", content=bytes(16), headers={"DEK-Info": "AES-256-CBC,xx"}
        ).encode(),
        Code.MALFORMED,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_key_files(name: str) -> None:
    text, code = WRONG[name]
    with pytest.raises(KeyAccessError) as caught:
        key_files.open_key(text, "x")
    assert code_of(caught) == code


# Import ---------------------------------------------------------------------------------------------------

ID = "ab" * 32
SEALED = Block(type="ENCRYPTED PRIVATE KEY", content=b"x")


def block(**headers: str) -> bytes:
    return SEALED.replace(headers=headers).encode()


IMPORTS = [
    # block, options, (name, role, gun)
    (block(path=ID, role="root"), {}, (ID, "root", "")),
    (block(path=ID, role="root", gun=GUN), {}, (ID, "root", "")),
    (block(path=ID), {}, (ID, "delegation", "")),
    (block(path=ID), {"role": "alice"}, (ID, "alice", "")),
    (block(path=ID, role="bob"), {"role": "alice"}, (ID, "bob", "")),
    (block(path=ID, role="targets", gun=GUN), {"gun": "other"}, (ID, "targets", GUN)),
    (block(path=ID, role="snapshot"), {"gun": GUN}, (ID, "snapshot", GUN)),
    (block(path=f"tuf_keys/{GUN}/{ID}", role="targets"), {}, (ID, "targets", GUN)),
    (block(path=f"private/tuf_keys/{GUN}/{ID}_snapshot"), {}, (ID, "snapshot", GUN)),
    (block(path=f"root_keys/{ID}_root"), {}, (ID, "root", "")),
    (block(role="alice"), {}, ("", "alice", "")),
    (key_files.encode_key(EC, "", role="alice"), {}, (EC.id, "alice", "")),
]


@pytest.mark.parametrize(("text", "options", "expected"), IMPORTS)
def test_imports(text: bytes, options: dict[str, str], expected: tuple[str, str, str]) -> None:
    [file] = key_files.imports(text, **options)
    assert (file.key_id, file.role, file.gun) == expected
    headers = pem.parse(file.encode())[0].headers
    assert "path" not in headers
    assert headers["role"] == expected[1]


def test_several_keys_in_one_file() -> None:
    text = block(path=ID, role="root") + key_files.encode_key(ED25519, "", role="alice")
    assert [file.role for file in key_files.imports(text)] == ["root", "alice"]


@pytest.mark.parametrize(
    "text",
    [
        block(path=ID, role="targets"),
        block(path="../../x", role="root"),
        block(path="x", role="root"),
        block(path=ID.upper(), role="root"),
        block(path=f"tuf_keys/{GUN}/..", role="root"),
        block(path=ID, role="root") + plain(b"", "PUBLIC KEY"),
        b"",
    ],
)
def test_imports_that_are_refused(text: bytes) -> None:
    with pytest.raises(KeyAccessError) as caught:
        key_files.imports(text)
    assert code_of(caught) == Code.MALFORMED


def test_an_export_is_imported() -> None:
    text = key_files.encode_key(EC, "p", role="targets", gun=GUN, iterations=1)
    exported = KeyFile.parse(text).export(EC.id)
    assert pem.parse(exported)[0].headers == {"gun": GUN, "path": EC.id, "role": "targets"}
    [file] = key_files.imports(exported)
    assert file.encode() == text
    assert file.key_id == EC.id


# Public keys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_public_keys_as_docker_writes_them(kind: str) -> None:
    public = KINDS[kind].public
    text = key_files.encode_public_pem(public, "alice")
    assert text.startswith(b"-----BEGIN PUBLIC KEY-----\nrole: alice\n\n")
    assert key_files.parse_public_pem(text, NOW) == public
    assert key_files.parse_public_pem(key_files.encode_public_pem(public), NOW) == public


def test_a_certificate_is_a_key_of_its_own_type() -> None:
    key = root_certificate.issue(EC, "alice", NOW).key
    assert key_files.parse_public_pem(key.raw, NOW) == key
    with pytest.raises(ChainError) as caught:
        key_files.parse_public_pem(key.raw, datetime(2019, 1, 1, tzinfo=UTC))
    assert caught.value.code == Code.EXPIRED


PUBLIC: list[tuple[bytes, str, Code]] = [
    (b"", "no valid public key found", Code.MALFORMED),
    (b"-----BEGIN PUBLIC KEY-----\n", "no valid public key found", Code.MALFORMED),
    (
        Block(type="EC PRIVATE KEY", content=b"x").encode(),
        'unsupported PEM block type "EC PRIVATE KEY", expected CERTIFICATE or PUBLIC KEY',
        Code.MALFORMED,
    ),
    (
        key_files.encode_public_pem(ED25519.public),
        "unknown public key format",
        Code.NOT_SUPPORTED,
    ),
    (
        Block(type="PUBLIC KEY", content=b"x").encode(),
        "unable to parse public key: DER ends too early or has a long tag",
        Code.MALFORMED,
    ),
    (
        Block(type="CERTIFICATE", content=b"x").encode(),
        "could not parse provided certificate: DER ends too early or has a long tag",
        Code.MALFORMED,
    ),
]


@pytest.mark.parametrize(("text", "words", "code"), PUBLIC)
def test_public_keys_that_docker_refuses(text: bytes, words: str, code: Code) -> None:
    with pytest.raises(EvidenceError) as caught:
        key_files.parse_public_pem(text, NOW)
    assert (str(caught.value), caught.value.code) == (words, code)


def test_only_the_first_key_counts() -> None:
    both = key_files.encode_public_pem(EC.public) + key_files.encode_public_pem(RSA.public)
    assert key_files.parse_public_pem(both, NOW) == EC.public


def test_an_ec_key_without_its_public_part() -> None:
    one = key_files.open_key(plain(sec1(P256_IN), "EC PRIVATE KEY"), None)
    key = one.object
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.private_numbers().private_value == 1


def test_a_certificate_of_an_ed25519_key() -> None:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW)
        .sign(key, None)
    )
    with pytest.raises(MalformedError, match="unknown public key format") as caught:
        key_files.parse_public_pem(made.public_bytes(Encoding.PEM), NOW)
    assert caught.value.code == Code.NOT_SUPPORTED


def test_every_dialect_is_tested() -> None:
    forms: tuple[Callable[[bytes], PrivateKey], ...] = (
        private_der.parse_pkcs8,
        private_der.parse_pkcs1,
        private_der.parse_sec1,
        private_der.parse_ed25519,
    )
    for form in forms:
        with pytest.raises(MalformedError) as caught:
            form(b"")
        assert caught.value.code == Code.MALFORMED
