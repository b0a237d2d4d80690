"""Paths from a signer's certificate to a trusted one: what holds, what does not, and why."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509 as cx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

import mint
from countermark.core import limits
from countermark.core.errors import ChainError, Code, EvidenceError, ExpiredError
from countermark.proofs.certificate_paths import CODE_SIGNING, TIME_STAMPING, chain_at
from mint import ANY, CODE, END, NOW, SERVER, START, TIME, Extra, Made, leaf, make

ROOT = make("root", private=mint.key("P-384"))
MIDDLE = make("middle", ROOT, below=0, purposes=(CODE,))
SECOND = timedelta(seconds=1)


def found(
    signer: Made,
    between: tuple[Made, ...] = (MIDDLE,),
    roots: tuple[Made, ...] = (ROOT,),
    at: datetime = NOW,
    usage: str = CODE_SIGNING,
) -> tuple[bytes, ...]:
    path = chain_at(
        signer.ours, [each.ours for each in between], [each.ours for each in roots], at, usage
    )
    return tuple(each.der for each in path)


def refused(code: Code, match: str, *arguments: Any, **named: Any) -> None:
    with pytest.raises(EvidenceError, match=match) as caught:
        found(*arguments, **named)
    assert caught.value.code == code
    assert isinstance(caught.value, ExpiredError if code == Code.EXPIRED else EvidenceError)


def test_a_chain_is_given_from_leaf_to_root() -> None:
    signer = leaf(MIDDLE)
    assert found(signer) == (signer.der, MIDDLE.der, ROOT.der)


def test_a_root_may_issue_leaves_itself() -> None:
    signer = leaf(ROOT)
    assert found(signer, ()) == (signer.der, ROOT.der)


def test_a_trusted_certificate_need_not_be_self_signed() -> None:
    signer = leaf(MIDDLE)
    assert found(signer, (), (MIDDLE,)) == (signer.der, MIDDLE.der)


def test_the_signature_of_a_root_proves_nothing_and_is_not_looked_at() -> None:
    other = make("root", private=mint.key("P-384"), sign_with=mint.key("P-256", 5))
    signer = leaf(other)
    assert found(signer, (), (other,)) == (signer.der, other.der)


# What the leaf must be --------------------------------------------------------------------------------

LEAVES: list[tuple[str, dict[str, Any], Code, str]] = [
    ("a CA", {"is_ca": True}, Code.BAD_CHAIN, "is a CA's"),
    ("no purpose", {"purposes": None}, Code.BAD_CHAIN, "not for code signing"),
    ("other purpose", {"purposes": (SERVER,)}, Code.BAD_CHAIN, "not for code signing"),
    ("any purpose", {"purposes": (ANY,)}, Code.BAD_CHAIN, "not for code signing"),
    ("time stamping", {"purposes": (TIME,)}, Code.BAD_CHAIN, "not for code signing"),
    ("no signatures", {"uses": ("key_agreement",)}, Code.BAD_CHAIN, "not for signatures"),
    ("too early", {"start": NOW + SECOND, "end": END}, Code.EXPIRED, "from 2026-11-20T10:30:01Z"),
    ("too late", {"end": NOW - SECOND}, Code.EXPIRED, "until 2026-11-20T10:29:59Z"),
    ("weak curve", {"private": mint.key("P-224")}, Code.BAD_CHAIN, "not accepted: 224 bits"),
    ("weak RSA", {"private": mint.key("rsa1024")}, Code.BAD_CHAIN, "not accepted: 1024 bits"),
    (
        "unknown critical extension",
        {"extra": (Extra("1.2.3.4", True, b"\x05\x00"),)},
        Code.BAD_CHAIN,
        "critical extension that we do not know",
    ),
    (
        "poison",
        {"extra": (Extra("1.3.6.1.4.1.11129.2.4.3", True, b"\x05\x00"),)},
        Code.BAD_CHAIN,
        "critical extension that we do not know",
    ),
    ("SHA-224", {"hashing": hashes.SHA224()}, Code.BAD_CHAIN, "does not count"),
    (
        "another's signature",
        {"sign_with": mint.key("P-256", 7)},
        Code.BAD_CHAIN,
        "not signed by the CA that it names",
    ),
    (
        "another kind of signature",
        {"sign_with": mint.key("ed25519")},
        Code.BAD_CHAIN,
        "not signed by the CA that it names",
    ),
    (
        "unknown issuer",
        {"issuer_name": mint.named("nobody")},
        Code.BAD_CHAIN,
        "does not lead to a trusted authority",
    ),
    (
        "malformed key usage",
        {"uses": None, "extra": (Extra("2.5.29.15", True, b"\x03\x01\x00"),)},
        Code.MALFORMED,
        "malformed key usage",
    ),
]


@pytest.mark.parametrize(
    ("changes", "code", "match"), [case[1:] for case in LEAVES], ids=[c[0] for c in LEAVES]
)
def test_leaves_that_do_not_count(changes: dict[str, Any], code: Code, match: str) -> None:
    refused(code, match, leaf(MIDDLE, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"uses": None},
        {"is_ca": False},
        {"purposes": (CODE, SERVER)},
        {"start": NOW},
        {"end": NOW},
        {"extra": (Extra("1.2.3.4", False, b"\x05\x00"),)},
        {"extra": (Extra("2.5.29.32", True, bytes.fromhex("3006300406022a03")),)},
        {"private": mint.key("P-384")},
        {"private": mint.key("P-521")},
        {"private": mint.key("ed25519")},
        {"private": mint.key("rsa2048")},
        {"hashing": hashes.SHA512()},
    ],
    ids=range(12),
)
def test_leaves_that_count(changes: dict[str, Any]) -> None:
    assert len(found(leaf(MIDDLE, **changes))) == 3


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "ed25519", "rsa2048", "rsa4096"])
def test_every_kind_of_authority(kind: str) -> None:
    root = make("a root", private=mint.key(kind))
    assert len(found(leaf(root), (), (root,))) == 2


@pytest.mark.parametrize(
    ("hashing", "salt", "counts"),
    [
        (hashes.SHA256(), 32, True),
        (hashes.SHA384(), 48, True),
        (hashes.SHA512(), 64, True),
        (hashes.SHA256(), 20, False),
    ],
)
def test_pss_with_a_salt_as_long_as_its_hash(hashing: Any, salt: int, counts: bool) -> None:
    root = make("a root", private=mint.key("rsa2048"))
    pss = padding.PSS(mgf=padding.MGF1(hashing), salt_length=salt)
    signer = leaf(root, hashing=hashing, pss=pss)
    if counts:
        assert len(found(signer, (), (root,))) == 2
    else:
        refused(Code.BAD_CHAIN, "does not count", signer, (), (root,))


# What the CAs must be ---------------------------------------------------------------------------------

AUTHORITIES: list[tuple[str, dict[str, Any], Code, str]] = [
    ("no CA", {"is_ca": False}, Code.BAD_CHAIN, "no CA's"),
    ("no basic constraints", {"is_ca": None}, Code.BAD_CHAIN, "no CA's"),
    ("may not issue", {"uses": ("crl_sign",)}, Code.BAD_CHAIN, "may not issue any"),
    ("other purposes", {"purposes": (SERVER,)}, Code.BAD_CHAIN, "CA for other purposes"),
    ("expired", {"end": NOW - SECOND}, Code.EXPIRED, "valid until"),
    ("not yet", {"start": NOW + SECOND}, Code.EXPIRED, "valid from"),
    ("weak key", {"private": mint.key("P-224")}, Code.BAD_CHAIN, "not signed by|not accepted"),
    (
        "unknown critical extension",
        {"extra": (Extra("2.5.29.36", True, b"\x30\x03\x80\x01\x00"),)},
        Code.BAD_CHAIN,
        "critical extension that we do not know",
    ),
    (
        "malformed basic constraints",
        {"is_ca": None, "extra": (Extra("2.5.29.19", True, bytes.fromhex("30060101ff0201ff")),)},
        Code.MALFORMED,
        "impossible basic constraints",
    ),
]


@pytest.mark.parametrize(
    ("changes", "code", "match"),
    [case[1:] for case in AUTHORITIES],
    ids=[c[0] for c in AUTHORITIES],
)
@pytest.mark.parametrize("place", ["root", "middle"])
def test_authorities_that_do_not_count(
    place: str, changes: dict[str, Any], code: Code, match: str
) -> None:
    root = make("the root", **(changes if place == "root" else {}))
    middle = make("the middle", root, **(changes if place == "middle" else {}))
    refused(code, match, leaf(middle), (middle,), (root,))


@pytest.mark.parametrize(
    "changes",
    [
        {"uses": None},
        {"purposes": (CODE,)},
        {"purposes": (SERVER, CODE)},
        {"purposes": (ANY,)},
        {"below": 1},
        {"start": NOW},
        {"end": NOW},
    ],
    ids=repr,
)
@pytest.mark.parametrize("place", ["root", "middle"])
def test_authorities_that_count(place: str, changes: dict[str, Any]) -> None:
    root = make("the root", **(changes if place == "root" else {}))
    middle = make("the middle", root, **(changes if place == "middle" else {}))
    assert len(found(leaf(middle), (middle,), (root,))) == 3


def test_a_version_1_certificate_is_nobodys() -> None:
    signer = leaf(MIDDLE)
    old = signer.ours.replace(version=1)
    with pytest.raises(ChainError, match="version 1"):
        chain_at(old, [MIDDLE.ours], [ROOT.ours], NOW)


def test_one_that_ends_before_it_begins() -> None:
    signer = leaf(MIDDLE).ours
    bent = signer.replace(not_before=signer.not_after, not_after=signer.not_before)
    with pytest.raises(ChainError, match="ends before it begins"):
        chain_at(bent, [MIDDLE.ours], [ROOT.ours], NOW)


def test_how_many_cas_may_stand_below_one() -> None:
    root = make("root", below=1)
    first = make("first", root)
    second = make("second", first)
    assert len(found(leaf(first), (first,), (root,))) == 3
    refused(Code.BAD_CHAIN, "more CAs", leaf(second), (first, second), (root,))


def test_cas_that_a_ca_issued_to_itself_do_not_count() -> None:
    root = make("root", below=0)
    again = make("root", root, private=mint.key("P-256", 4))
    assert len(found(leaf(again), (again,), (root,))) == 3


def test_dates_to_the_fraction_of_a_second() -> None:
    signer = leaf(MIDDLE)
    end = signer.ours.not_after
    assert found(signer, at=end)
    refused(Code.EXPIRED, "until", signer, at=end + timedelta(microseconds=1))
    refused(Code.EXPIRED, "from", signer, at=signer.ours.not_before - timedelta(microseconds=1))


# Looking for it ---------------------------------------------------------------------------------------


def test_among_cas_of_one_name_the_right_one_is_found() -> None:
    wrong = [make("middle", ROOT, private=mint.key("P-256", n)) for n in range(20, 25)]
    signer = leaf(MIDDLE)
    assert found(signer, (*wrong, MIDDLE)) == (signer.der, MIDDLE.der, ROOT.der)


def test_a_way_that_leads_nowhere_is_left_again() -> None:
    other_root = make("other root")
    cross = make("middle", other_root, private=MIDDLE.key)
    signer = leaf(MIDDLE)
    assert found(signer, (cross, MIDDLE)) == (signer.der, MIDDLE.der, ROOT.der)


def test_an_expired_way_does_not_hide_a_good_one() -> None:
    old = make("middle", ROOT, private=MIDDLE.key, end=NOW - SECOND)
    signer = leaf(MIDDLE)
    assert found(signer, (old, MIDDLE)) == (signer.der, MIDDLE.der, ROOT.der)


def test_the_reason_is_that_of_the_way_that_came_closest() -> None:
    old = make("middle", ROOT, private=MIDDLE.key, end=NOW - SECOND)
    stranger = make("middle", ROOT, private=mint.key("P-256", 21))
    refused(Code.EXPIRED, "valid until", leaf(MIDDLE), (stranger, old))
    refused(Code.EXPIRED, "valid until", leaf(MIDDLE), (old, stranger))


def test_circles_end() -> None:
    one = make("one", private=mint.key("P-256", 1))
    two = make("two", one, private=mint.key("P-256", 2))
    one_again = make("one", two, private=mint.key("P-256", 1))
    refused(Code.BAD_CHAIN, "does not lead", leaf(two), (one_again, two))


def test_a_self_signed_leaf_is_its_own_authority_for_nobody() -> None:
    alone = make(
        "alone", is_ca=None, uses=("digital_signature",), purposes=(CODE,), names=(mint.ALICE,)
    )
    refused(Code.BAD_CHAIN, "does not lead", alone, (), (alone,))


def test_long_chains_end_at_the_limit() -> None:
    above, all_of_them = ROOT, []
    for number in range(limits.CHAIN_CERTIFICATES - 2):
        above = make(f"level {number}", above, private=mint.key("P-256", number))
        all_of_them.append(above)
    assert len(found(leaf(above), tuple(all_of_them))) == limits.CHAIN_CERTIFICATES
    above = make("one more", above)
    refused(Code.BAD_CHAIN, "does not lead", leaf(above), (*all_of_them, above))


def test_too_many_candidates_are_not_looked_at() -> None:
    many = (MIDDLE,) * limits.CHAIN_CANDIDATES
    refused(Code.TOO_LARGE, "too many certificates", leaf(MIDDLE), many)


def test_a_maze_of_cas_costs_no_more_than_the_limit() -> None:
    """Each of them certified by each other one, under one name: the ways through it grow without bound."""
    keys = [mint.key("P-256", n) for n in range(6)]
    maze = tuple(
        make("maze", private=mine, issuer_name=mint.named("maze"), sign_with=yours)
        for mine in keys
        for yours in keys
        if mine is not yours
    )
    refused(Code.TOO_LARGE, "of the same name", leaf(maze[0]), maze)


# Timestamps -------------------------------------------------------------------------------------------


def stamping(**changes: Any) -> Made:
    given: dict[str, Any] = {"purposes": (TIME,), "purposes_critical": True, "names": ()}
    return leaf(ROOT, "stamps", **(given | changes))


def test_a_timestamp_authority() -> None:
    signer = stamping()
    assert found(signer, (), usage=TIME_STAMPING) == (signer.der, ROOT.der)
    middle = make("middle", ROOT, purposes=(TIME,))
    below = leaf(middle, "stamps", purposes=(TIME,), purposes_critical=True, names=())
    assert len(found(below, (middle,), usage=TIME_STAMPING)) == 3


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"purposes_critical": False}, "for time stamping alone"),
        ({"purposes": (TIME, CODE)}, "for time stamping alone"),
        ({"purposes": (CODE,)}, "not for time stamping"),
        ({"purposes": None}, "not for time stamping"),
        ({"is_ca": True}, "is a CA's"),
    ],
)
def test_timestamp_authorities_that_do_not_count(changes: dict[str, Any], match: str) -> None:
    refused(Code.BAD_CHAIN, match, stamping(**changes), (), usage=TIME_STAMPING)


def test_a_ca_for_code_signing_issues_no_timestamp_authority() -> None:
    signer = leaf(MIDDLE, "stamps", purposes=(TIME,), purposes_critical=True, names=())
    refused(Code.BAD_CHAIN, "CA for other purposes", signer, usage=TIME_STAMPING)


# Name constraints -------------------------------------------------------------------------------------

Tree = Callable[[str], cx.GeneralName]


def constrained(
    permitted: list[cx.GeneralName] | None,
    excluded: list[cx.GeneralName] | None,
    *names: cx.GeneralName,
) -> tuple[Made, Made]:
    root = make("root", constraints=cx.NameConstraints(permitted, excluded))
    return leaf(root, names=names), root


def email(text: str) -> cx.GeneralName:
    return cx.RFC822Name._init_without_validation(text)


def uri(text: str) -> cx.GeneralName:
    return cx.UniformResourceIdentifier._init_without_validation(text)


CONSTRAINTS: list[
    tuple[str, list[cx.GeneralName] | None, list[cx.GeneralName] | None, cx.GeneralName, bool]
] = [
    ("host permits", [email("example.test")], None, email("a@example.test"), True),
    ("case is nothing", [email("Example.TEST")], None, email("a@eXample.test"), True),
    ("not below the host", [email("example.test")], None, email("a@sub.example.test"), False),
    ("below the dot", [email(".example.test")], None, email("a@sub.example.test"), True),
    ("not at the dot", [email(".example.test")], None, email("a@example.test"), False),
    ("mailbox", [email("a@example.test")], None, email("a@example.test"), True),
    ("another mailbox", [email("b@example.test")], None, email("a@example.test"), False),
    ("one of two", [email("b.test"), email("a.test")], None, email("a@a.test"), True),
    ("excluded host", None, [email("example.test")], email("a@example.test"), False),
    ("excluded below", None, [email("example.test")], email("a@sub.example.test"), False),
    ("excluded at the dot", None, [email(".example.test")], email("a@example.test"), False),
    ("not excluded", None, [email("example.test")], email("a@example.org"), True),
    ("both", [email("example.test")], [email("a@example.test")], email("a@example.test"), False),
    ("another kind", [email("example.test")], None, uri("https://example.org/x"), True),
    ("URI host", [uri("ci.test")], None, uri("https://ci.test/x"), True),
    ("URI port", [uri("ci.test")], None, uri("https://ci.test:8443/x"), True),
    ("URI user", [uri("ci.test")], None, uri("https://ci.test@evil.test/x"), False),
    ("URI query", [uri("ci.test")], None, uri("https://evil.test?@ci.test"), False),
    ("URI fragment", [uri("ci.test")], None, uri("https://evil.test#@ci.test/"), False),
    ("URI below", [uri(".ci.test")], None, uri("https://a.ci.test/x"), True),
    ("URI not below", [uri("ci.test")], None, uri("https://a.ci.test/x"), False),
    ("URI dot at the end", [uri("ci.test")], None, uri("https://ci.test./x"), True),
    ("URI address", [uri("10.0.0.1")], None, uri("https://10.0.0.1/x"), False),
    ("URI address 6", None, [uri("x.test")], uri("https://[::1]/x"), False),
    ("URI no host", None, [uri("x.test")], uri("urn:a:b"), False),
    ("URI excluded", None, [uri("ci.test")], uri("https://b.ci.test/x"), False),
]


@pytest.mark.parametrize(
    ("permitted", "excluded", "name", "holds"),
    [c[1:] for c in CONSTRAINTS],
    ids=[c[0] for c in CONSTRAINTS],
)
def test_name_constraints(
    permitted: list[cx.GeneralName] | None,
    excluded: list[cx.GeneralName] | None,
    name: cx.GeneralName,
    holds: bool,
) -> None:
    signer, root = constrained(permitted, excluded, name)
    if holds:
        assert len(found(signer, (), (root,))) == 2
    else:
        refused(Code.BAD_CHAIN, "CA above it|a CA constrains", signer, (), (root,))


@pytest.mark.parametrize(
    "kind", [cx.DNSName("example.test"), cx.DirectoryName(mint.named("x"))], ids=repr
)
def test_constraints_that_are_not_compared_forbid_such_names(kind: cx.GeneralName) -> None:
    root = make("root", constraints=cx.NameConstraints([kind], None))
    named = leaf(root, "x", names=(cx.DNSName("example.test"),))
    refused(Code.BAD_CHAIN, "kind that we do not compare", named, (), (root,))
    assert len(found(leaf(root), (), (root,))) == 2


def test_constraints_hold_for_the_cas_below_but_those_of_the_same_name() -> None:
    constraints = cx.NameConstraints([cx.DirectoryName(mint.named("x"))], None)
    root = make("root", constraints=constraints)
    again = make("root", root, private=mint.key("P-256", 4))
    assert len(found(leaf(again), (again,), (root,))) == 3
    middle = make("middle", root)
    refused(Code.BAD_CHAIN, "kind that we do not compare", leaf(middle), (middle,), (root,))


def test_start_and_end_of_the_fixture_are_what_the_tables_say() -> None:
    assert START < NOW < END
    assert NOW.tzinfo is UTC
