"""Laws of the update rules: whatever is changed on the way, nobody vouches for another digest."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from countermark.core.claim import Claim, Rejection, Silence
from countermark.core.errors import EvidenceError
from countermark.core.signer import DctSigner
from countermark.schemes.dct.memory import NAME, Memory
from countermark.schemes.dct.repository import Loader
from countermark.schemes.dct.verifier import DctVerifier
from world import (
    GOOD,
    GUN,
    NOW,
    OTHER,
    RELEASES,
    Craft,
    MemoryCache,
    Servers,
    TrustShelf,
    key,
    subject,
)

SIGNERS = (
    DctSigner(name="any", first_use=True),
    DctSigner(name="alice", first_use=True, role="targets/alice"),
)
PINNED = tuple(DctSigner(name=s.name, role=s.role, roots=(key("owner").id,)) for s in SIGNERS)
FILES = ("root", "timestamp", "snapshot", "targets", "targets/alice", RELEASES)
GOOD_FILES = Craft().released_by("alice").files()
OLD_FILES = Craft().released_by("alice").tag(RELEASES, v1=OTHER).files()


@st.composite
def damage(draw: Any) -> tuple[str, int, int, bytes]:
    """A role, a place in its file, how many bytes go, and what comes instead."""
    role = draw(st.sampled_from(FILES))
    at = draw(st.integers(0, len(GOOD_FILES[role])))
    return role, at, draw(st.integers(0, 8)), draw(st.binary(max_size=8))


def damaged(content: bytes, at: int, gone: int, new: bytes) -> bytes:
    return content[:at] + new + content[at + gone :]


def ask(shelf: TrustShelf, cache: MemoryCache, signers: tuple[DctSigner, ...]) -> None:
    """Ask about the digest that nobody signed, and about the good one; only the latter may have claims."""
    verifier = DctVerifier(Servers(shelf), Loader(cache, lambda _: None))
    for about in (subject(OTHER), subject(OTHER, tag=None)):
        for finding in verifier.findings(about, signers, NOW):
            assert isinstance(finding, (Rejection, Silence)), finding
    for finding in verifier.findings(subject(GOOD), signers, NOW):
        assert isinstance(finding, (Claim, Rejection, Silence))
        if isinstance(finding, Claim):
            assert finding.digest == GOOD


@given(change=damage(), pinned=st.booleans(), seasoned=st.booleans())
@settings(deadline=None)
def test_damage_on_the_way_makes_no_claim(
    change: tuple[str, int, int, bytes], pinned: bool, seasoned: bool
) -> None:
    role, at, gone, new = change
    shelf, cache = TrustShelf(GOOD_FILES), MemoryCache()
    signers = PINNED if pinned else SIGNERS
    if seasoned:
        ask(TrustShelf(GOOD_FILES), cache, signers)
        for entry in [e for e in cache.files if e[1] not in ("root", NAME)]:
            del cache.files[entry]
    for name, content in GOOD_FILES.items():
        if content == GOOD_FILES[role]:
            shelf.files[name] = damaged(content, at, gone, new)
    ask(shelf, cache, signers)


@given(changes=st.lists(damage(), min_size=1, max_size=4))
@settings(deadline=None)
def test_damage_in_the_cache_makes_no_claim(changes: list[tuple[str, int, int, bytes]]) -> None:
    """And what is wrong in the cache but for the root is put right from the server."""
    cache = MemoryCache()
    ask(TrustShelf(GOOD_FILES), cache, PINNED)
    for role, at, gone, new in changes:
        cache.files[GUN, role] = damaged(cache.files[GUN, role], at, gone, new)
    ask(TrustShelf(GOOD_FILES), cache, PINNED)
    if all(role != "root" for role, *_ in changes):
        assert {r: cache.files[GUN, r] for r in FILES} == {r: GOOD_FILES[r] for r in FILES}


@given(picks=st.lists(st.booleans(), min_size=len(GOOD_FILES) * 2, max_size=len(GOOD_FILES) * 2))
@settings(deadline=None)
def test_any_mixture_of_two_publications(picks: list[bool]) -> None:
    """Files of two publications, both correctly signed: never something that neither of them says."""
    shelf = TrustShelf()
    names = sorted({*GOOD_FILES, *OLD_FILES})
    for name, pick in zip(names, picks, strict=False):
        first, second = (GOOD_FILES, OLD_FILES) if pick else (OLD_FILES, GOOD_FILES)
        shelf.files[name] = first.get(name) or second[name]
    verifier = DctVerifier(Servers(shelf), Loader(MemoryCache(), lambda _: None))
    for digest in (GOOD, OTHER):
        for finding in verifier.findings(subject(digest), SIGNERS, NOW):
            if isinstance(finding, Claim):
                assert finding.digest == digest


@given(content=st.binary(max_size=200) | damage().map(lambda d: damaged(Memory().encode(), *d[1:])))
def test_a_memory_is_read_or_refused(content: bytes) -> None:
    try:
        memory = Memory.parse(content)
    except EvidenceError:
        return
    assert Memory.parse(memory.encode()) == memory


@given(
    versions=st.lists(st.integers(1, 5), min_size=1, max_size=6),
)
@settings(deadline=None)
def test_versions_never_go_back(versions: list[int]) -> None:
    """Whatever a server shows in which order, what was believed last is the highest that was shown and believed."""
    cache, highest = MemoryCache(), 0
    for version in versions:
        craft = Craft()
        craft.versions = dict.fromkeys(("targets", "snapshot", "timestamp"), version)
        loader = Loader(cache, lambda _: None)
        try:
            found = loader.load(GUN, craft.shelf(), NOW)
        except EvidenceError:
            assert version < highest
            continue
        assert version >= highest
        highest = version
        assert found.trusted.versions()["targets"] == highest
