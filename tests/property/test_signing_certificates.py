"""Bent certificates: whatever is done to their bytes, they are read or refused."""

import contextlib
from functools import cache
from hashlib import sha256
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

import fake_sigstore
from countermark.core.errors import EvidenceError
from countermark.proofs import scts, signing_certificates, signing_requests, x509
from fake_sigstore import SIGNED_AT, Authority

AUTHORITY = Authority()
MIDDLE, ROOT = (x509.parse(each) for each in AUTHORITY.chain)


class Log(NamedTuple):
    key: bytes
    log_id: bytes
    start: None = None
    end: None = None


KEY = fake_sigstore.spki(AUTHORITY.ct_key)
LOG = Log(KEY, sha256(KEY).digest())


@cache
def whole() -> tuple[bytes, ...]:
    """Certificates with all that there is in them."""
    words = {n: f"value {n}" for n in (1, 2, 3, 4, 5, 6, 9, 24)} | {1: fake_sigstore.ISSUER}
    return (
        AUTHORITY.issue(extensions=words).der,
        AUTHORITY.issue("https://ci.test/w@refs/heads/m").der,
        AUTHORITY.issue(key=fake_sigstore.new_key("rsa")).der,
        *AUTHORITY.chain,
    )


def judged(content: bytes) -> bool:
    """Whether it is taken; anything but a refusal is a failure of the test."""
    try:
        found = signing_certificates.parse(content)
        path = signing_certificates.chain_at(found.certificate, [MIDDLE], [ROOT], SIGNED_AT)
        scts.check(found, path[1], [LOG])
    except EvidenceError:
        return False
    return True


def test_unbent_ones_are_taken() -> None:
    assert [judged(each) for each in whole()] == [True, True, True, False, False]


@given(st.data())
@settings(deadline=None)
def test_one_byte_another(data: st.DataObject) -> None:
    original = data.draw(st.sampled_from(whole()))
    place = data.draw(st.integers(0, len(original) - 1))
    value = data.draw(st.integers(0, 255))
    bent = original[:place] + bytes([value]) + original[place + 1 :]
    assert not judged(bent) or bent == original


@given(st.data())
@settings(deadline=None)
def test_pieces_cut_out_doubled_and_put_elsewhere(data: st.DataObject) -> None:
    original = data.draw(st.sampled_from(whole()))
    places = data.draw(st.lists(st.integers(0, len(original)), min_size=3, max_size=3))
    first, second, third = sorted(places)
    ways = (
        original[:first] + original[second:],
        original[:second] + original[first:],
        original[:first] + original[second:third] + original[first:second] + original[third:],
        original[:first],
    )
    bent = data.draw(st.sampled_from(ways))
    assert not judged(bent) or bent == original


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_junk(content: bytes) -> None:
    assert not judged(content)
    for read in (scts.parse, signing_requests.parse):
        with contextlib.suppress(EvidenceError):
            read(content)


@given(st.data())
@settings(deadline=None)
def test_bent_authorities(data: st.DataObject) -> None:
    """A CA that came with a signature is a stranger's too."""
    original = data.draw(st.sampled_from(AUTHORITY.chain))
    place = data.draw(st.integers(0, len(original) - 1))
    value = data.draw(st.integers(0, 255))
    bent = original[:place] + bytes([value]) + original[place + 1 :]
    leaf = signing_certificates.parse(whole()[0]).certificate
    with contextlib.suppress(EvidenceError):
        path = signing_certificates.chain_at(leaf, [x509.parse(bent)], [ROOT], SIGNED_AT)
        assert path[1].der == AUTHORITY.chain[0]
