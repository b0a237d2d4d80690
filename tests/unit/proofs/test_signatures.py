"""Signatures as Sigstore has them: which count, by which key, over which hash; by both implementations alike."""

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from countermark.core.errors import Code, MalformedError
from countermark.proofs import (
    der,
    ed25519ph,
    key_objects,
    libcrypto,
    public_keys,
    signatures,
    signing_keys,
    spki,
)
from countermark.proofs.signing_keys import LocalKey
from countermark.proofs.spki import PublicKey

MESSAGE = b"The quick brown fox"
KEYS: dict[str, LocalKey] = {
    name: signing_keys.generate(name)
    for name in ("ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048", "ed25519")
}
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RSA_PUBLIC = spki.parse(key_objects.public_der(RSA))
P224 = spki.parse(key_objects.public_der(ec.generate_private_key(ec.SECP224R1())))
METHODS = {"ecdsa": "ecdsa", "rsa": "rsapkcs1v15", "ed25519": "eddsa"}


def digest(name: str, message: bytes = MESSAGE) -> bytes:
    return hashlib.new(name, message).digest()


def small_rsa(bits: int) -> PublicKey:
    """A public key of a size; no private one belongs to it."""
    modulus = (1 << bits - 1) | 1
    return spki.parse(spki.encode_rsa(der.sequence(der.integer(modulus), der.integer(65537))))


# Over messages and digests -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KEYS)
def test_a_key_signs_a_message_and_a_digest(name: str) -> None:
    key = KEYS[name]
    own = signatures.hash_for(key.public)
    made = key.sign(MESSAGE)
    assert signatures.verify(key.public, MESSAGE, made)
    assert signatures.verify(key.public, MESSAGE, made, own)
    assert not signatures.verify(key.public, MESSAGE + b".", made)
    assert not signatures.verify(key.public, MESSAGE, made[:-1])
    over_digest = key.sign_digest(digest(own))
    assert signatures.verify_digest(key.public, digest(own), over_digest)
    assert not signatures.verify_digest(key.public, digest(own, b"x"), over_digest)
    assert not signatures.verify_digest(key.public, digest(own)[:-1], over_digest)
    assert not signatures.verify_digest(key.public, digest(own), over_digest[::-1])


@pytest.mark.parametrize("name", KEYS)
def test_who_signs_a_message_signs_its_digest_but_for_ed25519(name: str) -> None:
    key = KEYS[name]
    own = signatures.hash_for(key.public)
    same = key.public.kind != "ed25519"
    assert signatures.verify_digest(key.public, digest(own), key.sign(MESSAGE)) == same
    assert signatures.verify(key.public, MESSAGE, key.sign_digest(digest(own))) == same


@pytest.mark.parametrize("name", KEYS)
def test_another_key_of_the_kind(name: str) -> None:
    other = signing_keys.generate(name)
    assert not signatures.verify(other.public, MESSAGE, KEYS[name].sign(MESSAGE))


@pytest.mark.parametrize(
    ("curve", "asked", "good"),
    [
        ("ecdsa-p384", "sha256", True),  # as cosign 3 verifies keys
        ("ecdsa-p521", "sha256", True),
        ("ecdsa-p256", "sha384", True),  # an authority of P-256 may sign so
        ("ecdsa-p256", "sha1", False),
        ("ecdsa-p256", "SHA256", False),
        ("ed25519", "sha512", False),
    ],
)
def test_another_hash_counts_only_where_it_is_named(curve: str, asked: str, good: bool) -> None:
    key = KEYS[curve].object
    if isinstance(key, ec.EllipticCurvePrivateKey):
        hashing = key_objects.HASHES[asked if good else "sha384"]
        made = key.sign(MESSAGE, ec.ECDSA(hashing))
    else:
        made = KEYS[curve].sign_digest(digest("sha512"))
    public = KEYS[curve].public
    assert not signatures.verify(public, MESSAGE, made)
    assert signatures.verify(public, MESSAGE, made, asked) == good
    if good:
        assert signatures.verify_digest(public, digest(asked), made, asked)


def test_ed25519_takes_no_other_hash() -> None:
    key = KEYS["ed25519"]
    made = key.sign(MESSAGE)
    assert signatures.verify(key.public, MESSAGE, made, "sha512")
    assert not signatures.verify(key.public, MESSAGE, made, "sha256")
    assert not signatures.verify_digest(key.public, digest("sha256"), made, "sha256")


# RSA -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("salt", [0, 20, 32, padding.PSS.MAX_LENGTH])
def test_pss_counts_only_where_it_is_asked_for(salt: int) -> None:
    made = RSA.sign(MESSAGE, padding.PSS(padding.MGF1(SHA256()), salt), SHA256())
    assert signatures.verify(RSA_PUBLIC, MESSAGE, made, pss=True)
    assert signatures.verify_digest(RSA_PUBLIC, digest("sha256"), made, pss=True)
    assert not signatures.verify(RSA_PUBLIC, MESSAGE, made)
    assert not signatures.verify_digest(RSA_PUBLIC, digest("sha256"), made)
    assert not signatures.verify(RSA_PUBLIC, MESSAGE, made, "sha384", pss=True)
    pkcs1 = RSA.sign(MESSAGE, padding.PKCS1v15(), SHA256())
    assert not signatures.verify(RSA_PUBLIC, MESSAGE, pkcs1, pss=True)


def test_rsa_over_another_hash() -> None:
    made = RSA.sign(MESSAGE, padding.PKCS1v15(), SHA384())
    assert signatures.verify(RSA_PUBLIC, MESSAGE, made, "sha384")
    assert not signatures.verify(RSA_PUBLIC, MESSAGE, made)


@pytest.mark.parametrize(
    ("bits", "accepted"), [(1024, False), (2047, False), (2048, True), (8192, True), (8193, False)]
)
def test_sizes_of_rsa(bits: int, accepted: bool) -> None:
    assert signatures.accepts(small_rsa(bits)) == accepted


def test_a_small_rsa_key_never_verifies() -> None:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    made = small.sign(MESSAGE, padding.PKCS1v15(), SHA256())
    assert not signatures.verify(spki.parse(key_objects.public_der(small)), MESSAGE, made)


@pytest.mark.parametrize("name", ["ecdsa-p256", "ed25519"])
def test_pss_is_of_rsa_only(name: str) -> None:
    key = KEYS[name]
    assert not signatures.verify(key.public, MESSAGE, key.sign(MESSAGE), pss=True)


# The encoding of ECDSA ------------------------------------------------------------------------------------


def _numbers() -> tuple[int, int]:
    return decode_dss_signature(KEYS["ecdsa-p256"].sign(MESSAGE))


R, S = _numbers()
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def signature(r: int = R, s: int = S) -> bytes:
    return der.sequence(der.integer(r), der.integer(s))


def padded(value: int) -> bytes:
    raw = value.to_bytes(40)
    return der.tlv(der.INTEGER, raw)


BAD_ENCODINGS = {
    "empty": b"",
    "raw": R.to_bytes(32) + S.to_bytes(32),
    "one number": der.sequence(der.integer(R)),
    "three numbers": der.sequence(der.integer(R), der.integer(S), der.integer(1)),
    "something after": signature() + b"\0",
    "a number padded": der.sequence(padded(R), der.integer(S)),
    "a long length": b"\x30\x81" + signature()[1:],
    "indefinite": b"\x30\x80" + signature()[2:] + b"\0\0",
    "a set": b"\x31" + signature()[1:],
    "zero r": signature(r=0),
    "zero s": signature(s=0),
    "negative": der.sequence(der.tlv(der.INTEGER, b"\xff"), der.integer(S)),
    "too large": signature(r=1 << 256),
    "r and the order": signature(r=R + ORDER),
    "s and the order": signature(s=S + ORDER),
    "cut off": signature()[:-1],
    "enormous": der.sequence(der.integer(1 << 8192), der.integer(S)),
}


@pytest.mark.parametrize("name", BAD_ENCODINGS)
def test_ecdsa_signatures_are_der_and_nothing_else(name: str) -> None:
    assert not signatures.verify(KEYS["ecdsa-p256"].public, MESSAGE, BAD_ENCODINGS[name])
    assert not signatures.verify_digest(
        KEYS["ecdsa-p256"].public, digest("sha256"), BAD_ENCODINGS[name]
    )


def test_the_order_minus_s_is_a_signature_too() -> None:
    """ECDSA has two for each, and Go takes both: never count signatures, count keys."""
    assert signatures.verify(KEYS["ecdsa-p256"].public, MESSAGE, signature())
    assert signatures.verify(KEYS["ecdsa-p256"].public, MESSAGE, signature(s=ORDER - S))


def test_raw_numbers_are_written_as_asn1() -> None:
    assert signatures.ecdsa_of_raw(R.to_bytes(32) + S.to_bytes(32)) == signature()


# Keys ------------------------------------------------------------------------------------------------------


def test_a_curve_that_sigstore_does_not_use() -> None:
    assert not signatures.accepts(P224)
    assert not signatures.verify(P224, MESSAGE, signature())
    assert not signatures.verify(P224, MESSAGE, signature(), "sha256")
    for ask in (signatures.hash_for, signatures.key_details):
        with pytest.raises(MalformedError) as caught:
            ask(P224)
        assert caught.value.code == Code.NOT_SUPPORTED


@pytest.mark.parametrize("check", [signatures.checker(libcrypto.load()), signatures.checker(None)])
def test_a_point_off_the_curve(check: "signatures.Checker") -> None:
    good = KEYS["ecdsa-p256"].public
    bad = good.replace(der=good.der[:-1] + bytes([good.der[-1] ^ 1]))
    made = KEYS["ecdsa-p256"].sign(MESSAGE)
    assert not check.verify_message(bad, "ecdsa", "sha256", MESSAGE, made)
    assert not check.verify_digest(bad, "ecdsa", "sha256", digest("sha256"), made)


# Both implementations --------------------------------------------------------------------------------------


@pytest.mark.parametrize("implementation", ["libcrypto", "cryptography"])
@pytest.mark.parametrize("name", KEYS)
def test_both_implementations_agree(name: str, implementation: str) -> None:
    check = signatures.checker(libcrypto.load() if implementation == "libcrypto" else None)
    key = KEYS[name]
    own, method = signatures.hash_for(key.public), METHODS[key.public.kind]
    made = key.sign(MESSAGE)
    assert check.verify_message(key.public, method, own, MESSAGE, made)
    assert not check.verify_message(key.public, method, own, MESSAGE + b"x", made)
    assert not check.verify_message(key.public, "unknown", own, MESSAGE, made)
    if method != "eddsa":
        assert check.verify_digest(key.public, method, own, digest(own), made)
        assert not check.verify_digest(key.public, method, own, digest(own, b"x"), made)
    assert not check.verify_digest(key.public, "unknown", own, digest(own), made)
    for bad in (b"", bytes(len(made)), b"\xff" * len(made), made[1:] + made[:1]):
        assert not check.verify_message(key.public, method, own, MESSAGE, bad)
        if method != "eddsa":
            assert not check.verify_digest(key.public, method, own, digest(own), bad)


@pytest.mark.parametrize("implementation", ["libcrypto", "cryptography"])
def test_both_implementations_know_pss(implementation: str) -> None:
    check = signatures.checker(libcrypto.load() if implementation == "libcrypto" else None)
    made = RSA.sign(MESSAGE, padding.PSS(padding.MGF1(SHA384()), 17), SHA384())
    assert check.verify_message(RSA_PUBLIC, "rsapss-any", "sha384", MESSAGE, made)
    assert check.verify_digest(RSA_PUBLIC, "rsapss-any", "sha384", digest("sha384"), made)
    assert not check.verify_message(RSA_PUBLIC, "rsapss-any", "sha256", MESSAGE, made)
    assert not check.verify_message(RSA_PUBLIC, "ecdsa", "sha384", MESSAGE, made)


def test_the_library_is_looked_for_once() -> None:
    assert libcrypto.shared() is libcrypto.shared()


def test_a_python_without_a_module() -> None:
    assert "_hashlib" in libcrypto.loaded(("_no_such_module", "_hashlib", "_neither"))
    assert libcrypto.loaded(()) is sys.modules


def test_more_keys_than_are_kept() -> None:
    library = libcrypto.load()
    assert library is not None
    made = [(key.public, key.sign(MESSAGE)) for key in (signing_keys.generate() for _ in range(70))]
    for _ in range(2):
        for public, value in made:
            assert library.verify_message(public, "ecdsa", "sha256", MESSAGE, value)
    assert not library.verify_message(made[0][0], "ecdsa", "sha256", MESSAGE, made[1][1])


def test_threads_share_the_library() -> None:
    """More keys than are kept, so that threads free what others use."""
    library = libcrypto.load()
    assert library is not None
    made = [(key.public, key.sign(MESSAGE)) for key in (signing_keys.generate() for _ in range(90))]

    def verify(start: int) -> int:
        turned = made[start:] + made[:start]
        return sum(
            library.verify_message(public, "ecdsa", "sha256", MESSAGE, value)
            and library.verify_digest(public, "ecdsa", "sha256", digest("sha256"), value)
            for public, value in turned * 5
        )

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(verify, range(0, 80, 10))) == [450] * 8


def test_verifying_loads_no_large_library() -> None:
    script = (
        f"import sys; sys.path[:0] = {sys.path!r}; before = set(sys.modules)\n"
        "from countermark.proofs import public_keys, signatures\n"
        f"key = public_keys.parse({public_keys.encode(KEYS['ecdsa-p256'].public)!r})\n"
        f"assert signatures.verify(key, {MESSAGE!r}, {signature()!r})\n"
        "loaded = set(sys.modules) - before\n"
        "print(sorted(n for n in loaded if n.split('.')[0] in "
        "{'cryptography', 'hashlib', 'typing', 're', 'nacl', 'datetime', 'collections', 'enum'}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


# Names ------------------------------------------------------------------------------------------------------

NAMES = {
    "ecdsa-p256": "PKIX_ECDSA_P256_SHA_256",
    "ecdsa-p384": "PKIX_ECDSA_P384_SHA_384",
    "ecdsa-p521": "PKIX_ECDSA_P521_SHA_512",
    "rsa-2048": "PKIX_RSA_PKCS1V15_2048_SHA256",
    "ed25519": "PKIX_ED25519",
}


@pytest.mark.parametrize("name", NAMES)
def test_keys_have_names(name: str) -> None:
    public = KEYS[name].public
    assert signatures.key_details(public) == NAMES[name]
    assert signatures.details_of(NAMES[name]).fits(public)
    ph = "PKIX_ED25519_PH" if name == "ed25519" else NAMES[name]
    assert signatures.key_details(public, prehashed=True) == ph


def test_what_names_say() -> None:
    for name, details in signatures.DETAILS.items():
        assert details.pss == ("PSS" in name)
        assert details.prehashed == name.endswith("_PH")
        assert details.hash_name in ("", *signatures.HASH_BYTES)
    assert signatures.details_of("PKIX_ECDSA_P384_SHA_256").hash_name == "sha256"
    assert signatures.details_of("PKIX_RSA_PKCS1V5").fits(small_rsa(2047))
    assert not signatures.details_of("PKIX_RSA_PSS_3072_SHA256").fits(small_rsa(2048))
    assert not signatures.details_of("PKIX_ED25519").fits(KEYS["ecdsa-p256"].public)


@pytest.mark.parametrize("bits", [2049, 8192])
def test_rsa_sizes_without_a_name(bits: int) -> None:
    with pytest.raises(MalformedError, match=f"of {bits} bits") as caught:
        signatures.key_details(small_rsa(bits))
    assert caught.value.code == Code.NOT_SUPPORTED


@pytest.mark.parametrize("name", ["", "PKIX_ML_DSA_65", "pkix_ed25519", "LMS_SHA256"])
def test_names_that_are_not_known(name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        signatures.details_of(name)
    assert caught.value.code == Code.NOT_SUPPORTED


def test_the_size_of_a_prehashed_signature() -> None:
    key = KEYS["ed25519"]
    made = ed25519ph.sign(key.object.private_bytes_raw(), digest("sha512"))  # type: ignore[union-attr]
    assert not signatures.verify_digest(key.public, digest("sha512"), made + b"\0")
