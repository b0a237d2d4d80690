"""Certificates that we issue: what they say, what they refuse to say, and that others read the same."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

import pytest
from cryptography import x509 as cx
from cryptography.x509.oid import ExtendedKeyUsageOID

import mint
from countermark.core.errors import Code, InputError, KeyAccessError, StorageError
from countermark.core.ports_sigstore import Principal
from countermark.proofs import issuing, scts, signing_certificates, signing_keys, spki, x509
from countermark.proofs.certificate_extensions import CODE_SIGNING, TIME_STAMPING
from countermark.proofs.certificate_paths import chain_at
from countermark.proofs.issuing import LeafIssuer, Signer
from countermark.proofs.signing_keys import LocalKey
from mint import END, NOW, START

ROOT_KEY, KEY, LOG_KEY = (signing_keys.generate(), signing_keys.generate(), signing_keys.generate())
ROOT = issuing.make_root(ROOT_KEY, issuing.subject("test", "root"), START, END)


def intermediate(key: LocalKey = KEY, purpose: bytes = CODE_SIGNING) -> x509.Certificate:
    name = issuing.subject("test", "intermediate")
    return issuing.make_intermediate(Signer(ROOT, ROOT_KEY), key.public, name, START, END, purpose)


MIDDLE = intermediate()
ISSUER = LeafIssuer(Signer(MIDDLE, KEY))
HOLDER = spki.parse(mint.spki(mint.key()))
ALICE = Principal(
    name="alice@example.test",
    kind="email",
    challenge="alice@example.test",
    issuer="https://issuer.test",
    extensions={1: "https://issuer.test", 8: "https://issuer.test", 24: "alice"},
)


class Log(NamedTuple):
    key: bytes
    log_id: bytes
    start: datetime | None = None
    end: datetime | None = None


LOG = Log(LOG_KEY.public_der, sha256(LOG_KEY.public_der).digest())


def promise(entry: bytes, _: bytes) -> bytes:
    return scts.issue(LOG_KEY, entry, NOW).encode()


def issued(principal: Principal = ALICE, key: spki.PublicKey = HOLDER, **changes: Any) -> bytes:
    return ISSUER.issue(principal, key, changes.get("now", NOW), changes.get("promise", promise))


def test_what_we_issue_is_what_we_take() -> None:
    found = signing_certificates.parse(issued())
    path = chain_at(found.certificate, [MIDDLE], [ROOT], NOW)
    assert [each.der for each in path[1:]] == [MIDDLE.der, ROOT.der]
    assert scts.check(found, path[1], [LOG]) is LOG
    assert (found.name, found.name_kind, found.issuer) == (ALICE.name, "email", ALICE.issuer)
    assert found.extensions == ALICE.extensions


def test_what_cryptography_reads() -> None:
    found = cx.load_der_x509_certificate(issued())
    assert found.subject == cx.Name([])
    assert found.not_valid_before_utc == NOW
    assert found.not_valid_after_utc == NOW + timedelta(minutes=10)
    assert found.serial_number.bit_length() == 159
    assert found.version is cx.Version.v3
    found.verify_directly_issued_by(cx.load_der_x509_certificate(MIDDLE.der))
    names = found.extensions.get_extension_for_class(cx.SubjectAlternativeName)
    assert names.critical
    assert list(names.value) == [cx.RFC822Name(ALICE.name)]
    uses = found.extensions.get_extension_for_class(cx.KeyUsage)
    assert uses.critical
    assert uses.value == mint.usage("digital_signature")
    purposes = found.extensions.get_extension_for_class(cx.ExtendedKeyUsage)
    assert not purposes.critical
    assert list(purposes.value) == [ExtendedKeyUsageOID.CODE_SIGNING]
    last = list(found.extensions)[-1]
    assert isinstance(last.value, cx.PrecertificateSignedCertificateTimestamps)
    assert len(list(last.value)) == 1
    above = cx.load_der_x509_certificate(MIDDLE.der).extensions
    own = above.get_extension_for_class(cx.SubjectKeyIdentifier).value.key_identifier
    key_id = found.extensions.get_extension_for_class(cx.AuthorityKeyIdentifier).value
    assert key_id.key_identifier == own


def test_serial_numbers_differ() -> None:
    first, second = (cx.load_der_x509_certificate(issued()).serial_number for _ in range(2))
    assert first != second


def test_what_a_log_is_shown_counts_nowhere() -> None:
    shown: list[tuple[bytes, bytes]] = []

    def keeping(entry: bytes, poisoned: bytes) -> bytes:
        shown.append((entry, poisoned))
        return promise(entry, poisoned)

    final = signing_certificates.parse(issued(promise=keeping))
    ((entry, poisoned),) = shown
    assert entry == scts.precertificate_entry(MIDDLE.key.der, final.precertificate)
    before = cx.load_der_x509_certificate(poisoned)
    poison = before.extensions.get_extension_for_class(cx.PrecertPoison)
    assert poison.critical
    after = cx.load_der_x509_certificate(final.certificate.der)
    assert before.serial_number == after.serial_number
    with pytest.raises(Exception, match="critical extension"):
        chain_at(x509.parse(poisoned), [MIDDLE], [ROOT], NOW)


def test_without_a_log() -> None:
    assert signing_certificates.parse(issued(promise=None)).scts == ()


def test_what_a_log_raises_comes_through() -> None:
    def full(_: bytes, __: bytes) -> bytes:
        raise StorageError("full", code=Code.NO_SPACE)

    with pytest.raises(StorageError):
        issued(promise=full)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("uri", "https://ci.test/o/r/.github/workflows/w.yml@refs/heads/main"),
        ("uri", "spiffe://x.test/a"),
        ("username", "alice!example.test"),
        ("username", "ålice!example.test"),
    ],
)
def test_names_of_other_kinds(kind: str, name: str) -> None:
    found = signing_certificates.parse(issued(ALICE.replace(kind=kind, name=name)))
    assert (found.name_kind, found.name) == (kind, name)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("email", "ålice@example.test"),
        ("email", "alice"),
        ("email", "alice@example.test\n"),
        ("email", ""),
        ("uri", "alice@example.test"),
        ("uri", "https://x.test/ö"),
        ("username", "alice"),
        ("username", "alice!x\0"),
        ("dns", "example.test"),
        ("", "alice@example.test"),
    ],
)
def test_names_that_nobody_gets(kind: str, name: str) -> None:
    """Nothing is shown to a log for them either."""
    shown: list[bytes] = []

    def keeping(entry: bytes, _: bytes) -> bytes:
        shown.append(entry)
        return b""

    for given in (keeping, None):
        with pytest.raises(InputError, match="no certificate can name"):
            issued(ALICE.replace(kind=kind, name=name), promise=given)
    assert not shown


def test_a_uri_with_an_address_in_it_stays_one() -> None:
    found = signing_certificates.parse(
        issued(ALICE.replace(kind="uri", name="mailto:alice@example.test"))
    )
    assert found.name_kind == "uri"


def test_extensions_bare_up_to_six_and_as_text_from_eight() -> None:
    words = {1: "i", 2: "push", 6: "refs/heads/main", 8: "i", 9: "https://signer", 24: "sub"}
    made = cx.load_der_x509_certificate(issued(ALICE.replace(issuer="i", extensions=words)))
    raw = {
        each.oid.dotted_string.rpartition(".")[2]: each.value.value
        for each in made.extensions
        if isinstance(each.value, cx.UnrecognizedExtension)
    }
    assert raw["2"] == b"push"
    assert raw["6"] == b"refs/heads/main"
    assert raw["9"] == b"\x0c\x0ehttps://signer"
    assert list(raw) == ["1", "2", "6", "8", "9", "24"]


def test_the_issuer_is_always_there_and_the_number_of_a_name_never() -> None:
    found = signing_certificates.parse(issued(ALICE.replace(extensions={7: "alice!x"})))
    assert found.extensions == {1: ALICE.issuer, 8: ALICE.issuer}


@pytest.mark.parametrize("moment", [START - timedelta(seconds=1), END + timedelta(seconds=1)])
def test_an_authority_out_of_its_time_issues_nothing(moment: datetime) -> None:
    with pytest.raises(KeyAccessError) as caught:
        issued(now=moment)
    assert caught.value.code == Code.EXPIRED


def test_at_both_ends_of_its_time_it_does() -> None:
    assert issued(now=START)
    assert issued(now=END + timedelta(microseconds=999_999))


@pytest.mark.parametrize("algorithm", ["ecdsa-p384", "ecdsa-p521", "ed25519", "rsa-2048"])
def test_authorities_with_keys_of_every_kind(algorithm: str) -> None:
    key = signing_keys.generate(algorithm)
    middle = intermediate(key)
    leaf = LeafIssuer(Signer(middle, key)).issue(ALICE, HOLDER, NOW, promise)
    found = signing_certificates.parse(leaf)
    path = chain_at(found.certificate, [middle], [ROOT], NOW)
    assert scts.check(found, path[1], [LOG]) is LOG


@pytest.mark.parametrize("kind", ["P-384", "P-521", "ed25519", "rsa2048"])
def test_holders_with_keys_of_every_kind(kind: str) -> None:
    key = spki.parse(mint.spki(mint.key(kind)))
    assert signing_certificates.parse(issued(key=key)).certificate.key == key


def test_a_key_that_is_anothers() -> None:
    with pytest.raises(KeyAccessError, match="not that of the authority"):
        Signer(MIDDLE, ROOT_KEY)


def test_an_authority_whose_certificate_does_not_name_its_key() -> None:
    nameless = MIDDLE.replace(extensions=())
    leaf = LeafIssuer(Signer(nameless, KEY)).issue(ALICE, HOLDER, NOW, None)
    found = cx.load_der_x509_certificate(leaf)
    key_id = found.extensions.get_extension_for_class(cx.AuthorityKeyIdentifier).value
    assert key_id.key_identifier == sha256(KEY.public.raw).digest()[:20]


# Authorities --------------------------------------------------------------------------------------------


def test_a_root() -> None:
    found = cx.load_der_x509_certificate(ROOT.der)
    found.verify_directly_issued_by(found)
    assert found.subject.rfc4514_string() == "CN=root,O=test"
    limits = found.extensions.get_extension_for_class(cx.BasicConstraints)
    assert limits.critical
    assert limits.value == cx.BasicConstraints(ca=True, path_length=None)
    uses = found.extensions.get_extension_for_class(cx.KeyUsage)
    assert uses.value == mint.usage("key_cert_sign", "crl_sign")


@pytest.mark.parametrize("purpose", [CODE_SIGNING, TIME_STAMPING])
def test_an_intermediate(purpose: bytes) -> None:
    found = cx.load_der_x509_certificate(intermediate(purpose=purpose).der)
    found.verify_directly_issued_by(cx.load_der_x509_certificate(ROOT.der))
    limits = found.extensions.get_extension_for_class(cx.BasicConstraints).value
    assert limits == cx.BasicConstraints(ca=True, path_length=0)
    purposes = found.extensions.get_extension_for_class(cx.ExtendedKeyUsage).value
    expected = {CODE_SIGNING: mint.CODE, TIME_STAMPING: mint.TIME}[purpose]
    assert list(purposes) == [expected]


def test_a_timestamp_authority() -> None:
    key = signing_keys.generate()
    middle = intermediate(key, TIME_STAMPING)
    name = issuing.subject("test", "stamps")
    leaf = issuing.make_timestamp_leaf(Signer(middle, key), HOLDER, name, START, END)
    assert len(chain_at(leaf, [middle], [ROOT], NOW, "time-stamping")) == 3
    found = cx.load_der_x509_certificate(leaf.der)
    assert found.extensions.get_extension_for_class(cx.ExtendedKeyUsage).critical


def test_dates_beyond_2049() -> None:
    late = datetime(2051, 1, 1, tzinfo=NOW.tzinfo)
    root = issuing.make_root(ROOT_KEY, issuing.subject("test", "root"), START, late)
    assert root.not_after == late
    assert cx.load_der_x509_certificate(root.der).not_valid_after_utc == late


@pytest.mark.parametrize(
    ("organization", "common_name"), [("", "x"), ("x", ""), ("x" * 65, "x"), ("x", "a\nb")]
)
def test_names_that_no_authority_gets(organization: str, common_name: str) -> None:
    with pytest.raises(InputError):
        issuing.subject(organization, common_name)
