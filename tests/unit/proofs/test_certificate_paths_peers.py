"""Our verdict on hundreds of chains, good and bad, beside those of ``cryptography`` and of OpenSSL."""

import random
import subprocess
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple

import pytest
from cryptography import x509 as cx
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

import mint
from countermark.core.errors import EvidenceError
from countermark.proofs.certificate_paths import chain_at
from mint import ANY, CODE, NOW, SERVER, Extra, Made, leaf, make

SECOND = timedelta(seconds=1)
# one defect, or something unusual and good, of a CA and of a leaf
CA_CHANGES: list[dict[str, Any]] = [
    {},
    {},
    {},
    {"below": 0},
    {"below": 1},
    {"is_ca": False},
    {"is_ca": None},
    {"uses": ("crl_sign",)},
    {"uses": ("key_cert_sign", "crl_sign")},
    {"purposes": (CODE,)},
    {"purposes": (SERVER,)},
    {"purposes": (SERVER, CODE)},
    {"purposes": (ANY,)},
    {"end": NOW - SECOND},
    {"end": NOW},
    {"start": NOW},
    {"start": NOW + SECOND},
    {"extra": (Extra("1.2.3.4", True, b"\x05\x00"),)},
    {"extra": (Extra("1.2.3.4", False, b"\x05\x00"),)},
    {"private": mint.key("P-384")},
    {"private": mint.key("rsa2048")},
]
LEAF_CHANGES: list[dict[str, Any]] = [
    {},
    {},
    {"uses": None},
    {"uses": ("key_agreement",)},
    {"purposes": None},
    {"purposes": (SERVER,)},
    {"purposes": (CODE, SERVER)},
    {"is_ca": False},
    {"is_ca": True},
    {"end": NOW - SECOND},
    {"end": NOW},
    {"start": NOW + SECOND},
    {"extra": (Extra("1.2.3.4", True, b"\x05\x00"),)},
    {"sign_with": mint.key("P-256", "stranger")},
    {"issuer_name": mint.named("stranger")},
    {"private": mint.key("P-384")},
    {"private": mint.key("rsa2048")},
]


class Case(NamedTuple):
    """A leaf, the certificates that come with it, and the trusted one; ``text`` says how it was made."""

    leaf: Made
    between: tuple[Made, ...]
    root: Made
    text: str


def case(seed: int) -> Case:
    chance = random.Random(seed)
    changes = [chance.choice(CA_CHANGES) for _ in range(chance.choice((1, 2, 2, 2, 3)))]
    if chance.random() < 0.5:  # half of the chains have one defect at most
        kept = chance.randrange(len(changes))
        changes = [each if n == kept else {} for n, each in enumerate(changes)]
    of_leaf = chance.choice(LEAF_CHANGES) if chance.random() < 0.6 else {}
    authorities = [make("level 0", **changes[0])]
    for number, given in enumerate(changes[1:], 1):
        authorities.append(make(f"level {number}", authorities[-1], **given))
    between = authorities[1:]
    chance.shuffle(between)
    signer = leaf(authorities[-1], **of_leaf)
    return Case(signer, tuple(between), authorities[0], f"{changes} {of_leaf}")


def ours(given: Case) -> bool:
    try:
        chain_at(given.leaf.ours, [each.ours for each in given.between], [given.root.ours], NOW)
    except EvidenceError:
        return False
    return True


# cryptography -------------------------------------------------------------------------------------------


def _ca_purposes(_: Policy, __: cx.Certificate, found: cx.ExtendedKeyUsage | None) -> None:
    if found is not None and CODE not in found and ANY not in found:
        raise ValueError("another purpose")


def _leaf_purposes(_: Policy, __: cx.Certificate, found: cx.ExtendedKeyUsage) -> None:
    if CODE not in found:
        raise ValueError("another purpose")


def _leaf_uses(_: Policy, __: cx.Certificate, found: cx.KeyUsage | None) -> None:
    if found is not None and not found.digital_signature:
        raise ValueError("another use")


def _leaf_constraints(_: Policy, __: cx.Certificate, found: cx.BasicConstraints | None) -> None:
    if found is not None and found.ca:
        raise ValueError("a CA")


BOTH = Criticality.AGNOSTIC
CA_POLICY = (
    ExtensionPolicy.webpki_defaults_ca()
    .may_be_present(cx.ExtendedKeyUsage, BOTH, _ca_purposes)
    .may_be_present(cx.AuthorityKeyIdentifier, BOTH, None)
)
LEAF_POLICY = (
    ExtensionPolicy.permit_all()
    .require_present(cx.ExtendedKeyUsage, BOTH, _leaf_purposes)
    .may_be_present(cx.KeyUsage, BOTH, _leaf_uses)
    .may_be_present(cx.BasicConstraints, BOTH, _leaf_constraints)
    .require_present(cx.SubjectAlternativeName, BOTH, None)
)


def theirs(given: Case) -> bool:
    verifier = (
        PolicyBuilder()
        .store(Store([given.root.theirs]))
        .time(NOW)
        .max_chain_depth(8)
        .extension_policies(ca_policy=CA_POLICY, ee_policy=LEAF_POLICY)
        .build_client_verifier()
    )
    try:
        verifier.verify(given.leaf.theirs, [each.theirs for each in given.between])
    except VerificationError:
        return False
    return True


def test_cryptography_agrees() -> None:
    verdicts: list[bool] = []
    for seed in range(400):
        given = case(seed)
        verdicts.append(ours(given))
        assert verdicts[-1] == theirs(given), (seed, given.text)
    assert 80 < sum(verdicts) < 320


# OpenSSL ------------------------------------------------------------------------------------------------


def _pem(made: Iterable[Made]) -> str:
    return "".join(each.theirs.public_bytes(serialization.Encoding.PEM).decode() for each in made)


def openssl(given: Case, folder: Path) -> bool:
    """Ask ``openssl verify``, which has other rules about purposes and uses."""
    words = ["openssl", "verify", "-no-CApath", "-no-CAstore", "-attime", str(int(NOW.timestamp()))]
    files = {"-CAfile": [given.root], "-untrusted": given.between}
    for option, certificates in files.items():
        if certificates:
            (folder / option).write_text(_pem(certificates))
            words += [option, str(folder / option)]
    (folder / "leaf").write_text(_pem([given.leaf]))
    words.append(str(folder / "leaf"))
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


_NOT_ASKED = ("purposes", "uses", "'is_ca': True", f"'end': {NOW!r}")


def test_openssl_agrees_about_all_but_purposes(tmp_path: Path) -> None:
    if which("openssl") is None:
        pytest.skip("openssl is not here")
    verdicts: list[bool] = []
    for seed in range(1000, 1120):
        given = case(seed)
        # what we demand of purposes and uses, and of leaves that are CAs, OpenSSL does not; and to it a certificate
        # is over at its last second, which RFC 5280 and Go count as part of it
        if any(word in given.text for word in _NOT_ASKED):
            continue
        verdicts.append(ours(given))
        assert verdicts[-1] == openssl(given, tmp_path), (seed, given.text)
    assert len(verdicts) > 40
    assert 10 < sum(verdicts) < len(verdicts) - 10
