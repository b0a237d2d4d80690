"""Root certificates: which count, which chain to a CA, and those that we issue."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from countermark.core.errors import (
    ChainError,
    Code,
    EvidenceError,
    ExpiredError,
    InputError,
    KeyAccessError,
    MalformedError,
)
from countermark.formats import tuf
from countermark.formats.go_text import near_expiry
from countermark.formats.tuf import Key
from countermark.proofs import (
    certificates,
    der,
    keys,
    pem,
    root_certificate,
    tls_certificates,
    x509,
)
from countermark.proofs.certificates import Bundle
from countermark.proofs.keys import PrivateKey

VECTORS = Path(__file__).parents[2] / "vectors" / "notary-v1"
COMPAT = {
    "docker.com/notary0.1/samplerepo": VECTORS
    / "compat/notary0.1/tuf/docker.com/notary0.1/samplerepo/metadata",
    "docker.com/notary0.3/tst": VECTORS / "compat/notary0.3/tuf/docker.com/notary0.3/tst/metadata",
}
NOW = datetime(2020, 1, 1, tzinfo=UTC)
GUN = "example.test/a/repository"
EC = PrivateKey.generate()
RSA = PrivateKey.of(rsa.generate_private_key(public_exponent=65537, key_size=2048))
DAY = timedelta(days=1)


def vector(*names: str) -> bytes:
    return b"".join((VECTORS / name).read_bytes() for name in names)


def code_of(caught: "pytest.ExceptionInfo[Any]") -> Code:
    error = caught.value
    assert isinstance(error, EvidenceError)
    return error.code


# Reading --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "common_name", "is_ca", "kind", "bits"),
    [
        ("trustpinning/ca.crt", "Notary Testing CA", True, "rsa", 4096),
        ("trustpinning/root-ca.crt", "Notary Testing CA", True, "rsa", 4096),
        ("trustpinning/intermediate-ca.crt", "Notary Intermediate Testing CA", True, "rsa", 4096),
        ("trustpinning/secure.example.com.crt", "secure.example.com", False, "rsa", 2048),
        (
            "trustpinning/self-signed_secure.example.com.crt",
            "secure.example.com",
            False,
            "ecdsa",
            256,
        ),
        (
            "trustpinning/self-signed_docker.com-notary.crt",
            "docker.com/notary",
            False,
            "ecdsa",
            256,
        ),
        ("trustpinning/test.crt", "docker.com/notary", False, "rsa", 4096),
        ("rootcert/docker-wildcard.crt", "docker/*", False, "ecdsa", 256),
    ],
)
def test_vectors(name: str, common_name: str, kind: str, bits: int, *, is_ca: bool) -> None:
    [found] = x509.parse_pem(vector(name))
    assert (found.common_name, found.is_ca) == (common_name, is_ca)
    assert (found.key.kind, found.key.bits) == (kind, bits)
    assert not found.weak_hash
    assert found.not_before < found.not_after
    assert found.der == pem.parse(vector(name))[0].content


def test_a_garbled_date_is_refused() -> None:
    with pytest.raises(MalformedError, match="malformed time") as caught:
        x509.parse_pem(vector("rootcert/corrupt.crt"))
    assert code_of(caught) == Code.MALFORMED


def test_the_key_of_a_ca_signed_leaf() -> None:
    private = load_pem_private_key(vector("trustpinning/secure.example.com.key"), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    leaf = x509.parse_first(vector("trustpinning/secure.example.com.crt"))
    assert leaf.key == keys.public_key(PrivateKey.of(private).public)


CN = "2.5.4.3"


def name_of(*texts: str, tag: int = 0x0C, encoding: str = "utf-8") -> bytes:
    return der.sequence(
        *(
            der.tlv(der.SET, der.sequence(der.oid(CN), der.tlv(tag, text.encode(encoding))))
            for text in texts
        )
    )


ECDSA_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"))
BASIC = der.oid("2.5.29.19")


def extension(value: bytes, kind: bytes = BASIC) -> bytes:
    return der.sequence(kind, der.tlv(der.OCTET_STRING, value))


def certificate(
    *,
    subject: bytes = name_of("a"),
    algorithm: bytes = ECDSA_SHA256,
    outer: bytes = b"",
    dates: bytes = der.sequence(der.tlv(0x17, b"200101000000Z"), der.tlv(0x18, b"20510101000000Z")),
    extensions: bytes = b"",
    key: bytes = keys.public_key(EC.public).der,
    issuer: bytes = name_of("a"),
) -> bytes:
    body = der.sequence(
        der.tlv(0xA0, der.integer(2)),
        der.integer(1),
        algorithm,
        issuer,
        dates,
        subject,
        key,
        extensions,
    )
    return der.sequence(body, outer or algorithm, der.bits(b"sig"))


def with_extensions(*given: bytes) -> bytes:
    return certificate(extensions=der.tlv(0xA3, der.sequence(*given)))


def pss(parameters: bytes) -> bytes:
    return certificate(algorithm=der.sequence(der.oid("1.2.840.113549.1.1.10"), parameters))


def hash_of(dotted: str) -> bytes:
    return der.sequence(der.tlv(0xA0, der.sequence(der.oid(dotted))))


def signed(dotted: str) -> bytes:
    return certificate(algorithm=der.sequence(der.oid(dotted)))


@pytest.mark.parametrize(
    ("content", "weak"),
    [
        (signed("1.2.840.10045.4.3.2"), False),
        (signed("1.2.840.10045.4.3.4"), False),
        (signed("1.2.840.113549.1.1.11"), False),
        (signed("1.3.101.112"), False),
        (signed("1.2.840.113549.1.1.5"), True),
        (signed("1.2.840.113549.1.1.4"), True),
        (signed("1.2.840.10045.4.1"), True),
        (signed("1.2.3"), True),
        (pss(hash_of("2.16.840.1.101.3.4.2.1")), False),
        (pss(hash_of("1.3.14.3.2.26")), True),
        (pss(der.sequence()), True),
        (pss(b""), True),
    ],
)
def test_weak_hashes(content: bytes, *, weak: bool) -> None:
    found = x509.parse(content)
    assert found.weak_hash is weak
    if weak:
        with pytest.raises(ChainError, match="invalid SHA1 signature algorithm") as caught:
            certificates.check(found, NOW)
        assert code_of(caught) == Code.BAD_CHAIN


@pytest.mark.parametrize(
    ("content", "is_ca"),
    [
        (certificate(), False),
        (with_extensions(extension(der.sequence())), False),
        (with_extensions(extension(der.sequence(der.tlv(der.BOOLEAN, b"\xff")))), True),
        (with_extensions(extension(der.sequence(der.tlv(der.BOOLEAN, b"\0")))), False),
        (with_extensions(extension(b"?", der.oid("1.2.3"))), False),
    ],
)
def test_basic_constraints(content: bytes, *, is_ca: bool) -> None:
    assert x509.parse(content).is_ca is is_ca


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (name_of("a"), "a"),
        (name_of(), ""),
        (name_of("docker/*", tag=0x13), "docker/*"),
        (name_of("\u00fc", tag=0x14, encoding="latin-1"), "\u00fc"),
        (name_of("\u20ac", tag=0x1E, encoding="utf-16-be"), "\u20ac"),
    ],
)
def test_common_names(subject: bytes, expected: str) -> None:
    assert x509.parse(certificate(subject=subject)).common_name == expected


def dates(first: bytes, second: bytes = b"20510101000000Z") -> bytes:
    return certificate(dates=der.sequence(der.tlv(0x18, first), der.tlv(0x18, second)))


MALFORMED = {
    "empty": b"",
    "cut": certificate()[:-1],
    "more": certificate() + b"\0",
    "two names": certificate(subject=name_of("a", "b")),
    "name is no text": certificate(subject=name_of("a", tag=0x02)),
    "name is not utf-8": certificate(subject=name_of("\u00ff", encoding="latin-1")),
    "name is not ascii": certificate(subject=name_of("\u00ff", tag=0x13)),
    "two algorithms": certificate(outer=der.sequence(der.oid("1.2.3"))),
    "month 13": dates(b"20201301000000Z"),
    "zone": dates(b"20200101000000+0000"),
    "letters": dates(b"2020010100000aZ"),
    "local": dates(b"202001010000000"),
    "not a time": certificate(dates=der.sequence(der.integer(1), der.integer(2))),
    "three times": certificate(dates=der.sequence(*[der.tlv(0x17, b"200101000000Z")] * 3)),
    "key": certificate(key=der.sequence()),
    "twice": with_extensions(extension(der.sequence()), extension(der.sequence())),
    "after the extensions": certificate(extensions=der.tlv(0xA3, der.sequence()) + der.integer(1)),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_certificates(name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        x509.parse(MALFORMED[name])
    assert code_of(caught) == Code.MALFORMED


@pytest.mark.parametrize("text", [b"", b"hello", pem.Block(type="X", content=b"").encode()])
def test_no_certificates_in_pem(text: bytes) -> None:
    for parse in (x509.parse_pem, x509.parse_first):
        with pytest.raises(MalformedError) as caught:
            parse(text)
        assert code_of(caught) == Code.MALFORMED


# Rules ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "gun", "expected"),
    [
        (GUN, GUN, True),
        ("example.test/a/*", GUN, True),
        ("example.test/*", GUN, True),
        ("example.test/a/rep*", GUN, True),
        ("example.test/a/**", GUN, True),
        (GUN + "*", GUN, True),
        ("*", GUN, False),
        ("**", GUN, False),
        ("", GUN, False),
        ("", "", True),
        ("example.test/a", GUN, False),
        ("example.test/b*", GUN, False),
        ("*/a/repository", GUN, False),
        (GUN.upper(), GUN, False),
    ],
)
def test_whose_certificate(name: str, gun: str, *, expected: bool) -> None:
    found = x509.parse(certificate(subject=name_of(name)))
    assert certificates.is_for(found, gun) is expected


def window(start: datetime, end: datetime) -> x509.Certificate:
    return x509.parse(certificate()).replace(not_before=start, not_after=end)


@pytest.mark.parametrize(
    ("start", "end", "fits"),
    [
        (NOW - DAY, NOW + DAY, True),
        (NOW - DAY, NOW, True),
        (NOW - DAY, NOW - timedelta(seconds=1), False),
        (NOW + DAY, NOW + 9 * DAY, True),
        (NOW + DAY + timedelta(seconds=1), NOW + 9 * DAY, False),
    ],
)
def test_dates(start: datetime, end: datetime, *, fits: bool) -> None:
    found = window(start, end)
    certificates.check(found, None)
    if fits:
        certificates.check(found, NOW)
        return
    with pytest.raises(ExpiredError, match="certificate with CN a is expired") as caught:
        certificates.check(found, NOW)
    assert code_of(caught) == Code.EXPIRED


def test_a_window_that_is_none() -> None:
    with pytest.raises(ChainError, match="ends before it begins") as caught:
        certificates.check(window(NOW, NOW - DAY), None)
    assert code_of(caught) == Code.BAD_CHAIN


def short_rsa() -> bytes:
    private = PrivateKey.of(rsa.generate_private_key(public_exponent=65537, key_size=1024))
    return certificate(key=keys.public_key(private.public).der)


def test_short_rsa() -> None:
    content = short_rsa()
    with pytest.raises(ChainError, match="RSA key that is too short") as caught:
        certificates.check(x509.parse(content), None)
    assert code_of(caught) == Code.BAD_CHAIN
    key = Key.of("rsa-x509", certificates.encode_pem(content))
    with pytest.raises(ChainError) as again:
        certificates.check_delegation_key(key)
    assert code_of(again) == Code.BAD_CHAIN


def test_delegates_keys_that_count() -> None:
    certificates.check_delegation_key(EC.public)
    old = x509.parse_first(vector("trustpinning/test.crt"))
    certificates.check_delegation_key(Bundle(leaf=old).key)


@pytest.mark.parametrize(
    ("now", "end", "near"),
    [
        (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 6, 30, 23, 59, tzinfo=UTC), True),
        (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 7, 1, tzinfo=UTC), False),
        (datetime(2020, 8, 31, tzinfo=UTC), datetime(2021, 3, 2, 23, tzinfo=UTC), True),
        (datetime(2020, 8, 31, tzinfo=UTC), datetime(2021, 3, 3, tzinfo=UTC), False),
        (datetime(2020, 12, 15, 6, tzinfo=UTC), datetime(2021, 6, 15, 5, tzinfo=UTC), True),
        (datetime(2020, 12, 15, 6, tzinfo=UTC), datetime(2021, 6, 15, 6, tzinfo=UTC), False),
    ],
)
def test_near_expiry(now: datetime, end: datetime, *, near: bool) -> None:
    assert near_expiry(end, now) is near


# Bundles ----------------------------------------------------------------------------------------------------

LEAF = vector("trustpinning/secure.example.com.crt")
BETWEEN = vector("trustpinning/intermediate-ca.crt")
CA = vector("trustpinning/root-ca.crt")


def test_a_bundle_is_a_leaf_and_its_cas() -> None:
    bundle = certificates.parse_bundle(LEAF + BETWEEN)
    assert bundle.leaf.common_name == "secure.example.com"
    assert [c.common_name for c in bundle.intermediates] == ["Notary Intermediate Testing CA"]
    assert bundle.key.type == "rsa-x509"
    assert x509.parse_pem(bundle.key.raw) == (bundle.leaf, *bundle.intermediates)


@pytest.mark.parametrize("text", [BETWEEN + LEAF, LEAF + LEAF, CA, LEAF + BETWEEN + LEAF])
def test_no_bundles(text: bytes) -> None:
    with pytest.raises(ChainError) as caught:
        certificates.parse_bundle(text)
    assert code_of(caught) == Code.BAD_CHAIN


@pytest.mark.parametrize("gun", COMPAT)
def test_old_clients_roots(gun: str) -> None:
    body = tuf.parse_root((COMPAT[gun] / "root.json").read_bytes()).body
    found = certificates.valid_leaves(body, gun, datetime(2016, 8, 1, tzinfo=UTC))
    assert list(found) == list(body.roles["root"].key_ids)
    assert [bundle.leaf.common_name for bundle in found.values()] == [gun]
    late = datetime(2200, 1, 1, tzinfo=UTC)
    for wrong_gun, now in ((gun, late), (gun + "x", None), ("", None)):
        with pytest.raises(ChainError) as caught:
            certificates.valid_leaves(body, wrong_gun, now)
        assert code_of(caught) == Code.BAD_CHAIN
        assert str(caught.value) == (
            "could not validate the path to a trusted root: "
            "unable to retrieve valid leaf certificates"
        )
    assert certificates.valid_leaves(body, gun, None) == found


def root_with(*given: Key, ids: tuple[str, ...] | None = None) -> tuf.Root:
    body = tuf.parse_root((COMPAT["docker.com/notary0.3/tst"] / "root.json").read_bytes()).body
    names = ids if ids is not None else tuple(key.id for key in given)
    role = body.roles["root"].replace(key_ids=names)
    return body.replace(
        keys=dict(zip(names, given, strict=False)), roles=dict(body.roles) | {"root": role}
    )


def test_which_keys_of_a_root_count() -> None:
    good = root_certificate.issue(EC, GUN, NOW).key
    other_form = Key.of("ecdsa-x509", good.raw.replace(b"\n", b"\r\n"))
    weak = Bundle(leaf=x509.parse(signed("1.2.840.113549.1.1.5"))).key
    broken = Key.of("ecdsa-x509", b"broken")
    ca_first = Key.of("rsa-x509", CA)
    body = root_with(good, other_form, broken, ca_first, EC.public)
    assert list(certificates.bundles(body)) == [good.id]
    assert list(certificates.valid_leaves(body, GUN, NOW)) == [good.id]
    assert certificates.bundles(root_with(ids=("gone",))) == {}
    assert list(certificates.bundles(root_with(weak))) == [weak.id]
    with pytest.raises(ChainError) as caught:
        certificates.valid_leaves(root_with(weak), "a", NOW)
    assert code_of(caught) == Code.BAD_CHAIN


def test_an_intermediate_that_does_not_count_spoils_its_key() -> None:
    leaf = root_certificate.issue(EC, GUN, NOW).leaf
    good = x509.parse_first(BETWEEN)
    weak = x509.parse(
        certificate(
            algorithm=der.sequence(der.oid("1.2.840.113549.1.1.5")),
            extensions=der.tlv(
                0xA3, der.sequence(extension(der.sequence(der.tlv(der.BOOLEAN, b"\xff"))))
            ),
        )
    )
    first = Bundle(leaf=leaf, intermediates=(good,)).key
    second = Bundle(leaf=leaf, intermediates=(weak,)).key
    assert list(certificates.bundles(root_with(first, second))) == [first.id]


# Chains ------------------------------------------------------------------------------------------------------


def check_chain(bundle: Bundle, ca: bytes, now: datetime = NOW) -> None:
    certificates.check_chain(bundle, certificates.parse_cas(ca, now), now)


def test_a_leaf_leads_to_its_ca() -> None:
    check_chain(certificates.parse_bundle(LEAF + BETWEEN), CA)
    check_chain(certificates.parse_bundle(LEAF), BETWEEN)


@pytest.mark.parametrize(
    ("bundle", "ca", "now"),
    [
        (LEAF, CA, NOW),
        (LEAF + BETWEEN, vector("trustpinning/ca.crt"), NOW),
        (vector("trustpinning/self-signed_secure.example.com.crt") + BETWEEN, CA, NOW),
        (LEAF + BETWEEN, CA, datetime(2022, 1, 1, tzinfo=UTC)),
        (vector("trustpinning/test.crt"), CA, NOW),
        (vector("rootcert/docker-wildcard.crt"), CA, NOW),
    ],
)
def test_leaves_that_lead_nowhere(bundle: bytes, ca: bytes, now: datetime) -> None:
    with pytest.raises(ChainError) as caught:
        check_chain(certificates.parse_bundle(bundle), ca, now)
    assert code_of(caught) == Code.BAD_CHAIN


def test_cas_that_count_now() -> None:
    expired = vector("trustpinning/ca.crt")
    late = datetime(2026, 1, 1, tzinfo=UTC)
    assert len(certificates.parse_cas(CA + expired + LEAF, NOW)) == 2
    assert len(certificates.parse_cas(CA + expired, late)) == 1
    for text in (expired, LEAF):
        with pytest.raises(ChainError, match="invalid CA certs provided") as caught:
            certificates.parse_cas(text, late)
        assert code_of(caught) == Code.PIN


def code_signing_leaf(common_name: str, days: int = 30) -> tuple[bytes, bytes]:
    """A leaf as notary makes them, but issued by a CA, and that CA."""
    ca = tls_certificates.issue_ca(NOW)
    ca_key = load_pem_private_key(ca.private_key, None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    issuer = pyca.load_pem_x509_certificate(ca.certificate).subject.public_bytes()
    usage = der.sequence(der.oid("1.3.6.1.5.5.7.3.3"))
    [skeleton] = pem.parse(
        certificates.encode_pem(
            certificate(
                issuer=issuer,
                subject=name_of(common_name),
                dates=der.sequence(
                    *(
                        der.tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
                        for moment in (NOW - DAY, NOW + days * DAY)
                    )
                ),
                extensions=der.tlv(
                    0xA3,
                    der.sequence(
                        extension(usage, der.oid("2.5.29.37")),
                        extension(der.sequence(), BASIC),
                    ),
                ),
            )
        )
    )
    body = der.DerReader(skeleton.content).sequence().element()[2]
    signature = ca_key.sign(body, ec.ECDSA(hashes.SHA256()))
    leaf = der.sequence(body, ECDSA_SHA256, der.bits(signature))
    return certificates.encode_pem(leaf), ca.certificate


@pytest.mark.parametrize("name", [GUN, "x" * 200])
def test_a_leaf_for_signing_code_leads_to_its_ca(name: str) -> None:
    leaf, ca = code_signing_leaf(name)
    check_chain(certificates.parse_bundle(leaf), ca)
    with pytest.raises(ChainError) as caught:
        check_chain(certificates.parse_bundle(leaf), ca, NOW + 31 * DAY)
    assert code_of(caught) == Code.BAD_CHAIN


# Issuing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "private", [EC, RSA, PrivateKey.of(ec.generate_private_key(ec.SECP384R1()))]
)
def test_root_certificates(private: PrivateKey) -> None:
    bundle = root_certificate.issue(private, GUN, NOW)
    leaf = bundle.leaf
    assert leaf.common_name == GUN
    assert leaf.not_before == NOW
    assert leaf.not_after == NOW + timedelta(days=3650)
    assert not leaf.is_ca
    assert bundle.key.type == f"{private.public.type}-x509"
    assert keys.canonical_id(bundle.key) == private.id
    found = pyca.load_der_x509_certificate(leaf.der)
    found.verify_directly_issued_by(found)
    assert found.version == pyca.Version.v3
    usage, purposes, constraints = found.extensions
    assert (usage.critical, purposes.critical, constraints.critical) == (True, False, True)
    assert isinstance(usage.value, pyca.KeyUsage)
    assert usage.value.digital_signature
    assert usage.value.key_encipherment
    assert not usage.value.key_cert_sign
    assert purposes.value == pyca.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
    assert constraints.value == pyca.BasicConstraints(ca=False, path_length=None)


def test_a_root_certificate_for_a_long_name_and_a_late_time() -> None:
    gun = "registry.example.test/" + "x" * 233
    late = datetime(2049, 1, 1, tzinfo=UTC)
    leaf = root_certificate.issue(EC, gun, late).leaf
    assert (leaf.common_name, leaf.not_before) == (gun, late)
    assert leaf.not_after == late + timedelta(days=3650)
    other = root_certificate.issue(EC, gun, late).leaf
    assert other.der != leaf.der, "a serial number of its own"


@pytest.mark.parametrize(
    ("private", "gun"),
    [(PrivateKey.of(ed25519.Ed25519PrivateKey.generate()), GUN), (EC, "")],
)
def test_no_root_certificates(private: PrivateKey, gun: str) -> None:
    with pytest.raises(InputError) as caught:
        root_certificate.issue(private, gun, NOW)
    assert caught.value.code == Code.BAD_INPUT


def test_tls() -> None:
    ca = tls_certificates.issue_ca(NOW)
    names = ["localhost", "127.0.0.1", "::1", "*.example.test"]
    made = tls_certificates.issue_certificate(ca, names, NOW)
    assert made.private_key.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert repr(made) == "TlsCredentials(...)"
    store = pyca.verification.Store([pyca.load_pem_x509_certificate(ca.certificate)])
    leaf = pyca.load_pem_x509_certificate(made.certificate)
    for subject in (pyca.DNSName("localhost"), pyca.DNSName("a.example.test")):
        builder = pyca.verification.PolicyBuilder().store(store).time(NOW)
        assert builder.build_server_verifier(subject).verify(leaf, [])
    assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "localhost"
    key = load_pem_private_key(made.private_key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == leaf.public_key()
    assert x509.parse_first(ca.certificate).is_ca
    assert not x509.parse_first(made.certificate).is_ca


@pytest.mark.parametrize(
    ("names", "days", "good"),
    [
        (["localhost"], 0, True),
        (["localhost", "::1"], 500, True),
        (["localhost", "other"], 0, False),
        (["localhost"], 600, False),
        (["localhost"], -1, False),
    ],
)
def test_whether_a_certificate_still_serves(names: list[str], days: int, *, good: bool) -> None:
    ca = tls_certificates.issue_ca(NOW)
    made = tls_certificates.issue_certificate(ca, ["localhost", "::1"], NOW)
    now = NOW + timedelta(days=days)
    assert tls_certificates.is_good_for(made.certificate, names, now) is good


def test_what_is_no_certificate_serves_nobody() -> None:
    ca = tls_certificates.issue_ca(NOW)
    for text in (b"", ca.certificate):
        assert not tls_certificates.is_good_for(text, ["localhost"], NOW)


@pytest.mark.parametrize("names", [[], ["a b"], [""], ["a..b"], ["x" * 64], ["\u00fc.test"]])
def test_names_that_no_server_has(names: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        tls_certificates.issue_certificate(tls_certificates.issue_ca(NOW), names, NOW)
    assert caught.value.code == Code.BAD_INPUT


def test_a_ca_that_cannot_issue() -> None:
    ca = tls_certificates.issue_ca(NOW)
    wrong = PrivateKey.of(ed25519.Ed25519PrivateKey.generate())
    text = pem.Block(type="PRIVATE KEY", content=wrong.encode_der()).encode()
    for broken in (
        ca.replace(certificate=b""),
        ca.replace(private_key=b""),
        ca.replace(private_key=text),
    ):
        with pytest.raises(KeyAccessError) as caught:
            tls_certificates.issue_certificate(broken, ["localhost"], NOW)
        assert caught.value.code in (Code.NO_KEY, Code.MALFORMED)


def test_pem_is_gos() -> None:
    text = vector("trustpinning/secure.example.com.crt")
    assert (
        certificates.encode_pem(pyca.load_pem_x509_certificate(text).public_bytes(Encoding.DER))
        == text
    )
