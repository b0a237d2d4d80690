"""What is remembered: written as it is read, damaged loudly, and what is learnt from a repository."""

from datetime import UTC, datetime, timedelta

import pytest

from countermark.core.errors import Code, EvidenceError
from countermark.schemes.dct.memory import NAME, Memory
from countermark.schemes.dct.repository import Loader
from world import GUN, NOW, RELEASES, Craft, MemoryCache, TrustShelf

FULL = Memory(
    pins=("1" * 64,),
    versions={"root": 3, RELEASES: 7},
    present=(RELEASES,),
    judged={"root": "a" * 64},
    lapsed={RELEASES: "b" * 64},
    modified={"root": NOW},
    root_until=NOW + timedelta(days=1),
)


@pytest.mark.parametrize("memory", [Memory(), FULL, FULL.replace(root_until=None, lapsed={})])
def test_what_is_written_is_read(memory: Memory) -> None:
    assert Memory.parse(memory.encode()) == memory


def test_nothing_remembered() -> None:
    assert Memory.parse(None) == Memory()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        FULL.encode()[:-1],
        FULL.encode().replace(b'"version":1', b'"version":2'),
        FULL.encode().replace(b'"root":3', b'"root":"3"'),
        FULL.encode().replace(b"2026-11-25", b"2026-13-25"),
        FULL.encode().replace(b'"pins":["', b'"pins":[1,"'),
        b" " * (9 * 1024 * 1024),
    ],
)
def test_damage_is_told_and_not_forgotten(content: bytes) -> None:
    """A memory that is lost silently would let an old version, or another root, back in."""
    with pytest.raises(EvidenceError, match="in the trust folder is damaged") as caught:
        Memory.parse(content)
    assert caught.value.code == Code.MALFORMED
    assert "trust forget" in caught.value.hint


def test_an_older_memory_has_less() -> None:
    content = (
        b'{"version":1,"pins":[],"versions":{},"present":[],"judged":{},'
        b'"modified":{"root":"2026-11-25T12:00:00+00:00"}}'
    )
    assert Memory.parse(content) == Memory(modified={"root": NOW})


# What is learnt --------------------------------------------------------------------------------------------


def served(craft: Craft, at: datetime) -> TrustShelf:
    shelf = craft.shelf()
    shelf.modified = dict.fromkeys(shelf.files, at)
    return shelf


def load(cache: MemoryCache, shelf: TrustShelf, now: datetime = NOW) -> Memory:
    return Loader(cache, lambda _: None).load(GUN, shelf, now).memory


def test_when_each_role_was_signed_is_kept_with_the_file() -> None:
    cache, then = MemoryCache(), NOW - timedelta(days=3)
    load(cache, served(Craft().released_by("alice"), then))
    later = NOW - timedelta(hours=1)
    memory = load(cache, served(Craft().released_by("alice").next(RELEASES), later))
    assert memory.modified == {
        "root": then,
        "targets": then,
        "targets/alice": then,
        RELEASES: later,
        "snapshot": later,
        "timestamp": later,
    }
    assert Memory.parse(cache.read(GUN, NAME)) == memory


def test_a_time_is_not_told_of_another_file() -> None:
    """Docker has replaced the cached file meanwhile, and nobody told us when that one was signed."""
    cache = MemoryCache()
    load(cache, served(Craft(), NOW))
    newer = Craft().next("targets")
    for role in ("targets", "snapshot"):
        content = newer.files()[role]
        cache.files[GUN, role] = content
    memory = load(cache, newer.shelf())
    assert set(memory.modified) == {"root"}


def test_times_are_whole_seconds_of_utc() -> None:
    odd = datetime.fromisoformat("2026-11-25T13:00:00.987+01:00")
    assert load(MemoryCache(), served(Craft(), odd)).modified["targets"] == datetime(
        2026, 11, 25, 12, tzinfo=UTC
    )


def test_a_list_that_lapsed_is_remembered_as_verified_once() -> None:
    cache = MemoryCache()
    judged = load(cache, Craft().released_by("alice").shelf()).judged[RELEASES]
    removed = Craft().released_by("alice").next("targets")
    removed.delegates = [d for d in removed.delegates if d.name != RELEASES]
    removed.delegate(RELEASES, "bob")
    removed.signers[RELEASES] = ("alice",)
    for _ in range(2):
        memory = load(cache, removed.shelf())
        assert memory.lapsed == {RELEASES: judged}
        assert RELEASES not in memory.judged
    # another invalid list was never verified
    removed.next(RELEASES)
    assert load(cache, removed.shelf()).lapsed == {}


def test_a_strangers_version_is_not_remembered() -> None:
    """Else whoever could publish a file that nobody signed would lock the role for ever."""
    cache, craft = MemoryCache(), Craft().released_by("alice")
    load(cache, craft.shelf())
    forged = craft.next(RELEASES)
    forged.versions[RELEASES] = 2**40
    forged.signers[RELEASES] = ("mallory",)
    assert load(cache, forged.shelf()).versions[RELEASES] == 1


def test_an_expired_files_version_is_remembered() -> None:
    cache, craft = MemoryCache(), Craft().released_by("alice").next(RELEASES)
    craft.days[RELEASES] = -1
    assert load(cache, craft.shelf()).versions[RELEASES] == 2
