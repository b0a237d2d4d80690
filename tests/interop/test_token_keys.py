"""Keys on a PKCS#11 token: SoftHSM 2, driven through python-pkcs11 as a smart card would be."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from countermark.adapters.pkcs11_keys import Pkcs11Keys
from countermark.assembly.sigstore_keys import OutsideKeys
from countermark.core.errors import Code, KeyAccessError
from countermark.proofs import public_keys, signatures
from hosted_sigstore import ALICE, HostedSigstore
from interop.cosign_peers import Cosign
from interop.processes import MissingProgramError, find

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")
PIN, TOKEN = "1234", "countermark tests"
CURVES = {"p256": "secp256r1", "p384": "secp384r1", "p521": "secp521r1"}


def missing(text: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{text}; in CI every peer has to be there")
    pytest.skip(text)


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The module, with a token that has a key of each kind. SoftHSM reads where its tokens are from SOFTHSM2_CONF."""
    found = next((path for path in MODULES if Path(path).exists()), "")
    try:
        tool = find("softhsm2-util")
    except MissingProgramError as error:
        missing(str(error))
        raise
    if not found:
        missing("libsofthsm2.so is missing (Debian: softhsm2)")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    before = os.environ.get("SOFTHSM2_CONF")
    # the module is code in this process, and reads it itself
    os.environ["SOFTHSM2_CONF"] = str(conf)
    try:
        words = ["--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", "5678"]
        subprocess.run([tool, *words], check=True, capture_output=True)
        make_keys(found)
        yield found
    finally:
        pkcs11.unload(found)
        if before is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = before


def make_keys(path: str) -> None:
    token = pkcs11.lib(path).get_token(token_label=TOKEN)
    with token.open(user_pin=PIN, rw=True) as session:
        for number, (label, curve) in enumerate(CURVES.items(), 1):
            parameters = session.create_domain_parameters(
                KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}, local=True
            )
            parameters.generate_keypair(store=True, label=label, id=bytes([number]))
        session.generate_keypair(KeyType.RSA, 2048, store=True, label="rsa", id=b"\x10")
        session.generate_keypair(KeyType.RSA, 1024, store=True, label="small", id=b"\x11")
        edwards = session.create_domain_parameters(
            KeyType.EC_EDWARDS,
            {Attribute.EC_PARAMS: encode_named_curve_parameters("1.3.101.112")},
            local=True,
        )
        edwards.generate_keypair(
            mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label="ed25519", id=b"\x20"
        )
        for label in ("twin", "twin"):
            session.generate_keypair(KeyType.RSA, 2048, store=True, label=label, id=b"\x30")


def uri(path: str, key: str, pin: str = f"&pin-value={PIN}") -> str:
    return f"pkcs11:token=countermark%20tests;{key}?module-path={path}{pin}"


def keys(ask: Callable[[str], str] | None = None) -> Pkcs11Keys:
    def nobody(text: str) -> str:
        raise AssertionError(text)

    return Pkcs11Keys({}, ask or nobody)


@pytest.mark.parametrize("key", ["object=p256", "object=p384", "id=%03", "object=rsa;id=%10"])
def test_a_token_signs(module: str, key: str) -> None:
    found = keys().signing_key(uri(module, key))
    assert found.public == keys().public_key(uri(module, key, pin=""))
    made = found.sign(b"message")
    assert signatures.verify(found.public, b"message", made)
    digest = hashlib.new(signatures.hash_for(found.public), b"message").digest()
    assert signatures.verify_digest(found.public, digest, found.sign_digest(digest))


def test_ed25519_signs_messages_only(module: str) -> None:
    found = keys().signing_key(uri(module, "object=ed25519"))
    assert signatures.verify(found.public, b"message", found.sign(b"message"))
    with pytest.raises(KeyAccessError) as caught:
        found.sign_digest(bytes(64))
    assert caught.value.code == Code.NOT_SUPPORTED


def test_cosign_believes_the_token(module: str, cosign: Cosign) -> None:
    from base64 import b64encode

    found = keys().signing_key(uri(module, "object=p256"))
    (cosign.folder / "blob").write_bytes(b"message")
    (cosign.folder / "token.pub").write_bytes(public_keys.encode(found.public))
    (cosign.folder / "signature").write_bytes(b64encode(found.sign(b"message")))
    words = ("verify-blob", "--key", "token.pub", "--signature", "signature", *cosign.offline)
    cosign(*words, "blob").ok()


def test_the_pin_is_asked_for(module: str) -> None:
    asked: list[str] = []

    def ask(text: str) -> str:
        asked.append(text)
        return PIN

    found = keys(ask).signing_key(uri(module, "object=p256", pin=""))
    assert signatures.verify(found.public, b"m", found.sign(b"m"))
    assert asked == [f"Enter PIN for key 'p256' in PKCS11 token '{TOKEN}': "]
    keys().public_key(uri(module, "object=p256", pin=""))


@pytest.mark.parametrize(
    ("token", "key", "pin", "code"),
    [
        (TOKEN, "object=p256", "9999", Code.PASSPHRASE),
        (TOKEN, "object=absent", PIN, Code.NOT_FOUND),
        (TOKEN, "object=p256;id=%02", PIN, Code.NOT_FOUND),
        (TOKEN, "object=twin", PIN, Code.NOT_FOUND),
        (TOKEN, "object=small", PIN, Code.NOT_SUPPORTED),
        ("another", "object=p256", PIN, Code.NOT_FOUND),
        (f"{TOKEN};model=Other", "object=p256", PIN, Code.NOT_FOUND),
        (f"{TOKEN};slot-id=999999", "object=p256", PIN, Code.NOT_FOUND),
    ],
)
def test_keys_that_are_not_to_be_had(
    module: str, token: str, key: str, pin: str, code: Code
) -> None:
    text = f"pkcs11:token={token.replace(' ', '%20')};{key}?module-path={module}&pin-value={pin}"
    with pytest.raises(KeyAccessError) as caught:
        keys().signing_key(text)
    assert caught.value.code == code
    assert pin not in str(caught.value)


def test_without_a_pin_the_private_key_does_not_sign(module: str) -> None:
    found = keys(lambda _: "").signing_key(uri(module, "object=p256", pin=""))
    with pytest.raises(KeyAccessError) as caught:
        found.sign(b"m")
    assert caught.value.code in (Code.NOT_FOUND, Code.REFUSED)


def test_a_certificate_stands_in_for_the_public_key(module: str) -> None:
    from countermark.proofs import signing_keys

    with token_session(module) as session:  # somebody else in the process is logged in
        wanted = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: b"\x02"}
        pair = list(session.get_objects(wanted))
        public = keys().public_key(uri(module, "id=%02"))
        certificate = self_signed(signing_keys.generate())
        pair[0].destroy()
        with pytest.raises(KeyAccessError) as caught:
            keys().public_key(uri(module, "id=%02"))
        assert caught.value.code == Code.NOT_FOUND
        session.create_object(certificate | {Attribute.ID: b"\x02"})
        assert keys().public_key(uri(module, "id=%02")) != public
        wrong = keys().signing_key(uri(module, "id=%02"))
        with pytest.raises(KeyAccessError) as caught:
            wrong.sign(b"m")
        assert caught.value.code == Code.BAD_SIGNATURE


def token_session(path: str) -> Any:
    return pkcs11.lib(path).get_token(token_label=TOKEN).open(user_pin=PIN, rw=True)


def self_signed(key: Any) -> dict[Attribute, Any]:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "token")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.object.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key.object, hashes.SHA384())
    )
    return {
        Attribute.CLASS: ObjectClass.CERTIFICATE,
        Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
        Attribute.TOKEN: True,
        Attribute.SUBJECT: name.public_bytes(),
        Attribute.VALUE: certificate.public_bytes(Encoding.DER),
    }


def test_threads_share_a_token(module: str) -> None:
    found = keys().signing_key(uri(module, "object=p521"))
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(found.sign, [b"%d" % i for i in range(16)]))
    for i, value in enumerate(made):
        assert signatures.verify(found.public, b"%d" % i, value)


def test_a_sigstore_signs_with_the_token(module: str, cosign: Cosign, tmp_path: Path) -> None:
    """All of its services do, each with another kind of key, and the real cosign believes them."""
    places = {"ca": "p521", "log": "ed25519", "ctlog": "p256", "tsa": "rsa"}
    texts = [f"{word}={uri(module, f'object={label}')}" for word, label in places.items()]
    box = HostedSigstore(tmp_path / "box", outside=OutsideKeys(texts, keys().signing_key).of)
    try:
        box.start()
        box.sign("blob")
        box.verify("blob")
        kept = {path.stem.partition("-")[0] for path in (box.own / "keys").glob("*.key")}
        assert kept == {"tuf", "identity"}
        words = (
            "verify-blob", "--certificate-identity", ALICE, "--certificate-oidc-issuer", f"{box.url}/identity",
            "--trusted-root", box.folder / "trust" / "trusted_root.json", "--bundle",
        )  # fmt: skip
        cosign(*words, box.folder / "blob.json", box.folder / "blob").ok()
        box.stop()
        box.start()
        box.sign("more")
        cosign(*words, box.folder / "more.json", box.folder / "more").ok()
    finally:
        box.end()
