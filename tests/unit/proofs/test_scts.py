"""Promises of certificate logs: which count, and how one is made."""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

import pytest

import fake_sigstore
from countermark.core.errors import Code, EvidenceError, MalformedError
from countermark.proofs import scts, signing_keys, x509
from countermark.proofs.scts import Sct
from countermark.proofs.signing_certificates import SigningCertificate, parse
from fake_sigstore import SIGNED_AT, Authority
from mint import NOW, leaf, make

MILLISECOND = timedelta(milliseconds=1)


class Log(NamedTuple):
    key: bytes
    log_id: bytes
    start: datetime | None = None
    end: datetime | None = None


def log_of(private: fake_sigstore.PrivateKey, **window: datetime) -> Log:
    key = fake_sigstore.spki(private)
    return Log(key, sha256(key).digest(), **window)


AUTHORITY = Authority()
ISSUER = x509.parse(AUTHORITY.chain[0])
LOG = log_of(AUTHORITY.ct_key)
STRANGER = log_of(fake_sigstore.new_key())


def issued(**changes: object) -> SigningCertificate:
    return parse(AUTHORITY.issue(**changes).der)  # type: ignore[arg-type]


def test_a_promise_of_a_known_log() -> None:
    assert scts.check(issued(), ISSUER, [STRANGER, LOG]) is LOG


def test_a_log_with_an_rsa_key() -> None:
    private = fake_sigstore.new_key("rsa")

    def with_rsa(sct: bytes) -> bytes:
        return sct[:43] + b"\4\1" + sct[45:]

    certificate = issued(ct_key=private, bend_sct=with_rsa)
    assert scts.check(certificate, ISSUER, [log_of(private)])


@pytest.mark.parametrize(
    "window",
    [
        {"start": SIGNED_AT},
        {"end": SIGNED_AT},
        {"start": SIGNED_AT, "end": SIGNED_AT},
    ],
)
def test_both_ends_of_a_logs_service_belong_to_it(window: dict[str, datetime]) -> None:
    assert scts.check(issued(), ISSUER, [log_of(AUTHORITY.ct_key, **window)])


def bent(place: int, value: bytes) -> Callable[[bytes], bytes]:
    return lambda sct: sct[:place] + value + sct[place + len(value) :]


def refused(
    certificate: SigningCertificate, match: str, *logs: Log, issuer: x509.Certificate = ISSUER
) -> None:
    with pytest.raises(EvidenceError, match=match) as caught:
        scts.check(certificate, issuer, logs)
    assert caught.value.code == Code.SCT


BENT: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("version 2", bent(0, b"\1"), "another version"),
    ("another log", bent(1, b"\0"), "no log that is known"),
    ("another time", bent(40, b"\xff"), "not its log's"),
    ("an extension that is not there", bent(42, b"\1"), "signed in a way|malformed|cut off"),
    ("another hash", bent(43, b"\5"), "way that does not count"),
    ("unknown signature", bent(44, b"\2"), "way that does not count"),
    ("RSA by an ECDSA key", bent(44, b"\1"), "key is of another kind"),
    ("signature too long", lambda sct: sct + b"\0", "malformed signature"),
    ("signature too short", lambda sct: sct[:-1], "malformed signature"),
    ("no signature", lambda sct: sct[:45] + b"\0\0", "malformed signature"),
    ("cut off", lambda sct: sct[:46], "cut off"),
    ("almost nothing", lambda sct: sct[:1], "cut off"),
    ("another signature", lambda sct: sct[:-1] + bytes([sct[-1] ^ 1]), "not its log's"),
    ("no DER", lambda sct: sct[:47] + b"\x31" + sct[48:], "not its log's"),
]  # fmt: skip


@pytest.mark.parametrize(("bend", "match"), [c[1:] for c in BENT], ids=[c[0] for c in BENT])
def test_promises_that_do_not_count(bend: Callable[[bytes], bytes], match: str) -> None:
    refused(issued(bend_sct=bend), match, LOG)


def test_a_certificate_without_promises() -> None:
    refused(issued(sct=False), "no certificate log has signed", LOG)


def test_no_known_logs() -> None:
    refused(issued(), "none of 1 SCTs counts: by no log that is known")
    refused(issued(), "by no log that is known", STRANGER)


def test_a_log_that_was_not_in_service() -> None:
    before = log_of(AUTHORITY.ct_key, start=SIGNED_AT + MILLISECOND)
    after = log_of(AUTHORITY.ct_key, end=SIGNED_AT - MILLISECOND)
    refused(issued(), "not in service", before, after)
    assert scts.check(issued(), ISSUER, [before, LOG, after]) is LOG


def test_a_log_whose_key_cannot_be_read() -> None:
    refused(issued(), "cannot be read", Log(b"junk", LOG.log_id))


def test_a_promise_for_another_issuer() -> None:
    refused(issued(), "not its log's", LOG, issuer=x509.parse(Authority().chain[0]))


def test_a_promise_for_another_certificate() -> None:
    one, other = issued(), issued()
    refused(one.replace(scts=other.scts), "not its log's", LOG)


def test_what_a_log_adds_is_signed_too() -> None:
    key = signing_keys.generate()
    log = Log(key.public_der, sha256(key.public_der).digest())
    certificate = issued(sct=False)
    entry = scts.precertificate_entry(ISSUER.key.der, certificate.precertificate)
    made = scts.issue(key, entry, SIGNED_AT, b"\0\0\5leaf7")
    assert scts.parse(made.encode()) == made
    assert scts.check(certificate.replace(scts=(made.encode(),)), ISSUER, [log]) is log
    other = made.replace(extensions=b"\0\0\5leaf8")
    refused(certificate.replace(scts=(other.encode(),)), "not its log's", log)


def test_one_good_promise_among_others_is_enough() -> None:
    certificate = issued()
    unknown = bytes([0]) + bytes(40)
    assert scts.check(certificate.replace(scts=(b"\1", unknown, *certificate.scts)), ISSUER, [LOG])


# Issuing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "rsa-2048"])
def test_promises_that_we_issue_are_good(algorithm: str) -> None:
    key = signing_keys.generate(algorithm)
    log = Log(key.public_der, sha256(key.public_der).digest())
    root = make("root")
    before = leaf(root)
    entry = scts.precertificate_entry(root.ours.key.der, before.ours.body)
    sct = scts.issue(key, entry, NOW)
    assert (sct.time, sct.log_id) == (int(NOW.timestamp() * 1000), log.log_id)
    rebuilt = parse(before.der).replace(scts=(sct.encode(),))
    assert scts.check(rebuilt, root.ours, [log]) is log


@pytest.mark.parametrize("algorithm", ["ecdsa-p384", "ed25519"])
def test_keys_that_no_log_may_have(algorithm: str) -> None:
    with pytest.raises(MalformedError) as caught:
        scts.issue(signing_keys.generate(algorithm), b"", NOW)
    assert caught.value.code == Code.NOT_SUPPORTED


def test_an_entry_of_a_finished_certificate() -> None:
    assert scts.certificate_entry(b"abc") == b"\0\0" + b"\0\0\3abc"


def test_the_signature_alone_as_a_logs_answer_has_it() -> None:
    sct = Sct(log_id=bytes(32), time=1, extensions=b"", kind="ecdsa", signature=b"s")
    assert sct.encode_signature() == b"\4\3\0\1s"
    assert sct.encode().endswith(sct.encode_signature())
