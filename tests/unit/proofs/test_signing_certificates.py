"""What a signer's certificate says: its one name, Fulcio's extensions, its promises; and which authority counts."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from cryptography import x509 as cx

import fake_sigstore
import mint
from countermark.core import limits
from countermark.core.errors import ChainError, Code, EvidenceError, ExpiredError, MalformedError
from countermark.proofs import der, x509
from countermark.proofs.signing_certificates import (
    SigningCertificate,
    chain_to_authority,
    parse,
    split,
)
from mint import NOW, Extra, leaf, make

ROOT = make("root")
MIDDLE = make("middle", ROOT, below=0)
FULCIO = "1.3.6.1.4.1.57264.1"
SCT_LIST = "1.3.6.1.4.1.11129.2.4.2"
SECOND = timedelta(seconds=1)


def other_name(oid: str, value: bytes) -> cx.GeneralName:
    return cx.OtherName(cx.ObjectIdentifier(oid), value)


def text(value: str) -> bytes:
    return der.tlv(0x0C, value.encode())


def user(value: str) -> cx.GeneralName:
    return other_name(f"{FULCIO}.7", text(value))


def email(value: str) -> cx.GeneralName:
    return cx.RFC822Name._init_without_validation(value)


def uri(value: str) -> cx.GeneralName:
    return cx.UniformResourceIdentifier._init_without_validation(value)


def dns(value: str) -> cx.GeneralName:
    return cx.DNSName._init_without_validation(value)


def fulcio(number: int, value: bytes) -> Extra:
    return Extra(f"{FULCIO}.{number}", False, value)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        (email("alice@example.test"), "email", "alice@example.test"),
        (uri("https://ci.test/o/r/.github/workflows/w.yml@refs/heads/m"), "uri",
         "https://ci.test/o/r/.github/workflows/w.yml@refs/heads/m"),
        (uri("spiffe://x.test/a"), "uri", "spiffe://x.test/a"),
        (user("alice!example.test"), "username", "alice!example.test"),
        (user("ålice!example.test"), "username", "ålice!example.test"),
        (dns("ci.example.test"), "dns", "ci.example.test"),
    ],
)  # fmt: skip
def test_the_one_name(name: cx.GeneralName, kind: str, expected: str) -> None:
    found = parse(leaf(MIDDLE, names=(name,)).der)
    assert (found.name_kind, found.name) == (kind, expected)


def test_a_certificate_without_a_name_names_nobody() -> None:
    found = parse(leaf(MIDDLE, "somebody", names=()).der)
    assert (found.name_kind, found.name, found.issuer) == ("", "", "")


def test_a_name_beside_a_subject_need_not_be_critical() -> None:
    assert parse(leaf(MIDDLE, "somebody", names_critical=False).der).name == "alice@example.test"


NAMES: list[tuple[str, tuple[cx.GeneralName, ...], str]] = [
    ("two", (mint.ALICE, cx.RFC822Name("bob@example.test")), "several subjects"),
    ("two kinds", (mint.ALICE, cx.UniformResourceIdentifier("https://x.test")), "several subjects"),
    ("address", (cx.IPAddress(__import__("ipaddress").ip_address("10.0.0.1")),), "unknown kind"),
    ("directory", (cx.DirectoryName(mint.named("x")),), "unknown kind"),
    ("another otherName", (other_name("1.2.3.4", text("a!b")),), "unknown kind"),
    ("otherName that is no text", (other_name(f"{FULCIO}.7", b"\x04\x01a"),), "tag 0x04"),
    ("otherName not in UTF-8", (other_name(f"{FULCIO}.7", b"\x0c\x01\xff"),), "not UTF-8"),
    ("user without domain", (user("alice"),), "without a domain"),
    ("user without name", (user("!example.test"),), "without a domain"),
    ("user with an empty domain", (user("alice!"),), "without a domain"),
    ("user with a line end", (user("alice!example.test\n"),), "without a domain"),
    ("address as URI", (uri("alice@example.test"),), "no uri"),
    ("URI as address", (email("https://a@example.test"),), "no email"),
    ("user as address", (email("alice"),), "no email"),
    ("user as host", (dns("alice!example.test"),), "no dns"),
    ("NUL", (email("alice@example.test\0.evil.test"),), "not plain text"),
    ("space", (email("alice@example.test "),), "not plain text"),
    ("line end", (uri("https://x.test/\n"),), "not plain text"),
    ("empty", (email(""),), "not plain text"),
]  # fmt: skip


@pytest.mark.parametrize(("names", "match"), [c[1:] for c in NAMES], ids=[c[0] for c in NAMES])
def test_names_that_are_refused(names: tuple[cx.GeneralName, ...], match: str) -> None:
    with pytest.raises(MalformedError, match=match):
        parse(leaf(MIDDLE, names=names).der)


def test_a_letter_beyond_ascii_in_an_address_is_refused() -> None:
    value = der.sequence(der.tlv(0x81, "ålice@example.test".encode()))
    with pytest.raises(MalformedError, match="not plain text"):
        parse(leaf(MIDDLE, names=(), extra=(Extra("2.5.29.17", True, value),)).der)


def test_the_only_name_must_be_critical() -> None:
    with pytest.raises(MalformedError, match="may be ignored"):
        parse(leaf(MIDDLE, names_critical=False).der)


def test_too_large_a_certificate() -> None:
    big = leaf(MIDDLE, extra=(Extra("1.2.3.4", False, b"\x04" * limits.CERTIFICATE_BYTES),))
    with pytest.raises(MalformedError) as caught:
        parse(big.der)
    assert caught.value.code == Code.TOO_LARGE


# Fulcio's extensions ------------------------------------------------------------------------------------


def test_extensions_bare_and_as_text() -> None:
    found = parse(
        leaf(
            MIDDLE,
            extra=(
                fulcio(1, b"https://issuer.test"),
                fulcio(2, b"push"),
                fulcio(3, b"\xff\xfe"),
                fulcio(8, text("https://issuer.test")),
                fulcio(24, text("repo:o/r")),
                fulcio(99, text("later")),
                Extra(f"{FULCIO}.8.1", False, b"not ours"),
                Extra("1.3.6.1.4.1.57264.2", False, b"not ours"),
                Extra(f"{FULCIO}.200", False, b"of two bytes, and not ours yet"),
            ),
        ).der
    )
    assert found.issuer == "https://issuer.test"
    assert found.extensions == {
        1: "https://issuer.test",
        2: "push",
        3: b"\xff\xfe",
        8: "https://issuer.test",
        24: "repo:o/r",
        99: "later",
    }


@pytest.mark.parametrize(
    ("extra", "issuer"),
    [
        ((), ""),
        ((fulcio(1, b"old"),), "old"),
        ((fulcio(8, text("new")),), "new"),
        ((fulcio(1, b"\xff"),), ""),
    ],
)
def test_the_issuer_stands_in_either_place(extra: tuple[Extra, ...], issuer: str) -> None:
    assert parse(leaf(MIDDLE, extra=extra).der).issuer == issuer


@pytest.mark.parametrize(
    ("extra", "match"),
    [
        ((fulcio(1, b"one"), fulcio(8, text("two"))), "two issuers"),
        ((fulcio(1, b"\xff"), fulcio(8, text("two"))), "two issuers"),
        ((fulcio(8, b"bare"),), "DER|tag"),
        ((fulcio(8, text("a") + b"\0"),), "left over"),
        ((fulcio(8, b"\x0c\x01\xff"),), "not UTF-8"),
        ((fulcio(8, b"\x13\x01a"),), "tag 0x13"),
    ],
)
def test_extensions_that_are_refused(extra: tuple[Extra, ...], match: str) -> None:
    with pytest.raises(MalformedError, match=match):
        parse(leaf(MIDDLE, extra=extra).der)


# Promises -----------------------------------------------------------------------------------------------


def scts(*promises: bytes, last: bytes = b"") -> Extra:
    listed = b"".join(len(each).to_bytes(2) + each for each in promises) + last
    return Extra(SCT_LIST, False, der.tlv(der.OCTET_STRING, len(listed).to_bytes(2) + listed))


def test_promises_in_their_order() -> None:
    assert parse(leaf(MIDDLE, extra=(scts(b"one", b"two"),)).der).scts == (b"one", b"two")
    assert parse(leaf(MIDDLE).der).scts == ()


@pytest.mark.parametrize(
    "extra",
    [
        scts(),
        scts(b""),
        scts(b"one", last=b"\0"),
        scts(b"one", last=b"\0\4two"),
        Extra(SCT_LIST, False, b""),
        Extra(SCT_LIST, False, der.tlv(der.OCTET_STRING, b"")),
        Extra(SCT_LIST, False, der.tlv(der.OCTET_STRING, b"\0")),
        Extra(SCT_LIST, False, der.tlv(der.OCTET_STRING, b"\0\4\0\1a")),
        Extra(SCT_LIST, False, der.tlv(der.OCTET_STRING, b"\0\3\0\1a") + b"\0"),
        Extra(SCT_LIST, False, b"\0\3\0\1a"),
        scts(*[b"x"] * (limits.SCTS_PER_CERTIFICATE + 1)),
    ],
    ids=range(11),
)
def test_lists_of_promises_that_are_refused(extra: Extra) -> None:
    with pytest.raises(MalformedError):
        parse(leaf(MIDDLE, extra=(extra,)).der)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_body_without_promises_is_what_cryptography_says(place: int) -> None:
    others: list[Extra] = [fulcio(1, b"i" * 200), fulcio(8, text("i" * 200))]
    authority = fake_sigstore.Authority()
    real = parse(authority.issue().der).scts[0]
    others.insert(place, scts(real))
    made = leaf(MIDDLE, extra=others)
    assert parse(made.der).precertificate == made.theirs.tbs_precertificate_bytes


def test_without_promises_it_is_the_body() -> None:
    made = leaf(MIDDLE)
    assert parse(made.der).precertificate == made.theirs.tbs_certificate_bytes


# Authorities --------------------------------------------------------------------------------------------


class Authority(NamedTuple):
    certificates: tuple[bytes, ...]
    start: datetime | None = None
    end: datetime | None = None


OURS = (MIDDLE.der, ROOT.der)
STRANGER = make("stranger")


def signer(**changes: Any) -> SigningCertificate:
    return parse(leaf(MIDDLE, **changes).der)


@pytest.mark.parametrize(
    "authorities",
    [
        [Authority(OURS)],
        [Authority(OURS, start=NOW, end=NOW)],
        [Authority((STRANGER.der,)), Authority(OURS)],
        [Authority(OURS, end=NOW - SECOND), Authority(OURS, start=NOW)],
        [Authority((MIDDLE.der,))],
        [Authority((b"junk",)), Authority(OURS)],
        [Authority(()), Authority(OURS)],
    ],
    ids=range(7),
)
def test_some_authority_that_was_in_service(authorities: list[Authority]) -> None:
    assert chain_to_authority(signer(), authorities, NOW)[1] == MIDDLE.ours


EXPIRED = make("middle", ROOT, private=MIDDLE.key, end=NOW - SECOND)


@pytest.mark.parametrize(
    ("authorities", "code", "match"),
    [
        ([], Code.BAD_CHAIN, "no authority"),
        ([Authority(OURS, end=NOW - SECOND)], Code.BAD_CHAIN, "in service"),
        ([Authority(OURS, start=NOW + SECOND)], Code.BAD_CHAIN, "in service"),
        ([Authority((STRANGER.der,))], Code.BAD_CHAIN, "does not lead"),
        ([Authority(())], Code.BAD_CHAIN, "no certificate"),
        ([Authority((b"junk",))], Code.MALFORMED, "DER"),
        ([Authority((EXPIRED.der, ROOT.der)), Authority((STRANGER.der,))], Code.EXPIRED, "until"),
        ([Authority((EXPIRED.der, ROOT.der)), Authority(())], Code.EXPIRED, "until"),
    ],
    ids=range(8),
)
def test_no_authority(authorities: list[Authority], code: Code, match: str) -> None:
    with pytest.raises(EvidenceError, match=match) as caught:
        chain_to_authority(signer(), authorities, NOW)
    assert caught.value.code == code


def test_what_is_brought_may_stand_between_and_not_at_the_end() -> None:
    alone = [Authority((ROOT.der,))]
    with pytest.raises(ChainError):
        chain_to_authority(signer(), alone, NOW)
    assert len(chain_to_authority(signer(), alone, NOW, (MIDDLE.ours,))) == 3
    with pytest.raises(ChainError):
        chain_to_authority(signer(), [Authority((STRANGER.der,))], NOW, (MIDDLE.ours, ROOT.ours))


def test_expired_at_the_proven_time() -> None:
    with pytest.raises(ExpiredError):
        chain_to_authority(signer(), [Authority(OURS)], NOW + timedelta(hours=1))


def test_an_own_authority_is_split_into_what_is_trusted_and_what_stands_between() -> None:
    assert split((MIDDLE.ours, ROOT.ours)) == ((MIDDLE.ours,), (ROOT.ours,))
    assert split((MIDDLE.ours,)) == ((), (MIDDLE.ours,))
    assert split(()) == ((), ())


def test_the_certificate_itself_is_kept() -> None:
    made = leaf(MIDDLE)
    assert parse(made.der).certificate == x509.parse(made.der)
