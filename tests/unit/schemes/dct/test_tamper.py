"""Every case of tests/tamper.py, for who has never seen the repository and for who has."""

import pytest

from countermark.core.claim import Claim, Rejection
from countermark.core.errors import Code
from countermark.core.signer import DctSigner
from countermark.schemes.dct.repository import Loader
from countermark.schemes.dct.verifier import DctVerifier
from tamper import CASES, Case
from world import GOOD, NOW, MemoryCache, Servers, TrustShelf, subject


def answer(shelf: TrustShelf, cache: MemoryCache, role: str) -> Code | None:
    """What a verifier says about v1: None for a claim, else the code of the rejection."""
    verifier = DctVerifier(Servers(shelf), Loader(cache, lambda _: None))
    signer = DctSigner(name="somebody", first_use=True, role=role)
    (finding,) = verifier.findings(subject(), [signer], NOW)
    assert finding.signer == "somebody"
    if isinstance(finding, Claim):
        assert finding.digest == GOOD
        return None
    assert isinstance(finding, Rejection)
    assert finding.reason
    return finding.code


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_newcomer(case: Case) -> None:
    cache = MemoryCache()
    assert answer(case.shelf(), cache, case.role) == case.fresh
    # a refusal leaves nothing behind that keeps the good repository from being believed
    if case.fresh is not None and case.fresh not in (Code.UNSIGNED, Code.MOVED_TAG):
        assert answer(case.before(), MemoryCache(cache.files), case.role) in (None, Code.ROLLBACK)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_seasoned_client(case: Case) -> None:
    cache = MemoryCache()
    assert answer(case.before(), cache, case.role) is None
    assert answer(case.shelf(), cache, case.role) == case.seasoned


def test_names_are_told_apart() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
