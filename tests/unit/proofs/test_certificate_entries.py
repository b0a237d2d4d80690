"""What a certificate log takes from strangers."""

from hashlib import sha256

import pytest

import mint
from countermark.core import limits
from countermark.core.errors import Code, EvidenceError
from countermark.proofs import certificate_entries, der, x509
from countermark.proofs.certificate_entries import Entry
from mint import NOW, Extra, Made, leaf, make

ROOT = make("root", private=mint.key("P-384"))
MIDDLE = make("middle", ROOT)
POISON = Extra("1.3.6.1.4.1.11129.2.4.3", True, b"\x05\x00")
FINISHED, FUTURE = leaf(MIDDLE), leaf(MIDDLE, extra=(POISON,))


def of_chain(*chain: Made, poisoned: bool = False, roots: tuple[Made, ...] = (ROOT,)) -> Entry:
    trusted = [each.ours for each in roots]
    return certificate_entries.of_chain([each.der for each in chain], trusted, poisoned=poisoned)


def sized(content: bytes) -> bytes:
    return len(content).to_bytes(3) + content


def test_a_finished_certificate() -> None:
    entry = of_chain(FINISHED, MIDDLE, ROOT)
    assert entry.signed == b"\0\0" + sized(FINISHED.der)
    assert entry.extra == sized(sized(MIDDLE.der) + sized(ROOT.der))
    assert of_chain(FINISHED, MIDDLE) == entry
    assert entry.identity == sha256(entry.signed).digest()


def test_a_certificate_to_be() -> None:
    """RFC 6962, 3.2: the poison is not part of what is signed."""
    entry = of_chain(FUTURE, MIDDLE, poisoned=True)
    key = sha256(mint.spki(MIDDLE.key)).digest()
    assert entry.signed.startswith(b"\0\1" + key)
    stripped = entry.signed[2 + 32 + 3 :]
    assert int.from_bytes(entry.signed[34:37]) == len(stripped)
    assert b"\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x03" in FUTURE.ours.body
    assert b"\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x03" not in stripped
    assert entry.extra == sized(FUTURE.der) + sized(sized(MIDDLE.der) + sized(ROOT.der))


def test_a_leaf_of_a_root_and_a_root_itself() -> None:
    assert of_chain(leaf(ROOT)).extra == sized(sized(ROOT.der))
    assert of_chain(ROOT).extra == sized(b"")


def test_expired_certificates_are_shown_too() -> None:
    expired = leaf(MIDDLE, end=NOW)
    assert expired.der in of_chain(expired, MIDDLE).signed


OTHER = make("other")
STRANGER = make("middle", OTHER)


@pytest.mark.parametrize(
    ("chain", "poisoned", "match"),
    [
        ((), False, "0 certificates"),
        ((FINISHED,) * (limits.CHAIN_CERTIFICATES + 1), False, "9 certificates"),
        ((FUTURE, MIDDLE), False, "add-pre-chain"),
        ((FINISHED, MIDDLE), True, "add-pre-chain"),
        ((leaf(MIDDLE, extra=(POISON._replace(critical=False),)), MIDDLE), True, "add-pre-chain"),
        ((leaf(OTHER), OTHER), False, "does not end in a root"),
        ((FINISHED, STRANGER), False, "not signed by|does not end"),
        ((FINISHED, ROOT), False, "not issued by the next one"),
        ((FINISHED,), False, "does not end"),
        ((leaf(MIDDLE, sign_with=OTHER.key), MIDDLE), False, "not signed by"),
        ((leaf(ROOT, sign_with=OTHER.key),), False, "not signed by"),
    ],
    ids=range(11),
)  # fmt: skip
def test_what_is_not_taken(chain: tuple[Made, ...], poisoned: bool, match: str) -> None:
    with pytest.raises(EvidenceError, match=match):
        of_chain(*chain, poisoned=poisoned)


def test_a_leaf_is_no_ca() -> None:
    below = leaf(FINISHED, "below")
    with pytest.raises(EvidenceError, match="not issued by the next one"):
        of_chain(below, FINISHED, MIDDLE)


def test_a_poisoned_root_that_is_known_was_issued_by_nobody() -> None:
    poisoned = make("poisoned", extra=(POISON,))
    with pytest.raises(EvidenceError, match="nobody issued"):
        of_chain(poisoned, poisoned=True, roots=(poisoned,))


def test_too_large_and_junk() -> None:
    roots = [ROOT.ours]
    large = b"x" * (limits.CERTIFICATE_BYTES + 1)
    with pytest.raises(EvidenceError) as caught:
        certificate_entries.of_chain([large], roots, poisoned=False)
    assert caught.value.code == Code.TOO_LARGE
    with pytest.raises(EvidenceError):
        certificate_entries.of_chain([b"junk"], roots, poisoned=False)


def test_a_leaf_of_the_tree() -> None:
    content = certificate_entries.leaf(b"\0\0abc", 1234)
    assert content == b"\0\0" + (1234).to_bytes(8) + b"\0\0abc" + b"\0\0"


def test_a_tree_head() -> None:
    content = certificate_entries.tree_head(7, 1234, b"r" * 32)
    assert content == b"\0\1" + (1234).to_bytes(8) + (7).to_bytes(8) + b"r" * 32


def test_the_stripped_body_is_a_certificates_body() -> None:
    entry = of_chain(FUTURE, MIDDLE, poisoned=True)
    body = entry.signed[2 + 32 + 3 :]
    rebuilt = der.sequence(body, FUTURE.ours.algorithm, der.bits(FUTURE.ours.signature))
    assert len(x509.parse(rebuilt).extensions) == len(FUTURE.ours.extensions) - 1
