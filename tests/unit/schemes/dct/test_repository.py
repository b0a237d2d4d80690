"""A loaded repository: what docker would take, what it shows, and how what was learnt is kept."""

from datetime import timedelta
from typing import Any

import pytest

from countermark.core.digest import Digest
from countermark.core.errors import Code, EvidenceError, NotFoundError, StorageError
from countermark.formats.tuf import FileMeta, Key
from countermark.proofs.keys import fingerprint
from countermark.schemes.dct.memory import NAME, Memory
from countermark.schemes.dct.repository import Collection, Loader
from world import (
    GOOD,
    GUN,
    NOW,
    OLD,
    OTHER,
    RELEASES,
    Craft,
    MemoryCache,
    TrustShelf,
    key,
    meta,
)

ALICE = "targets/alice"


def load(craft: Craft | TrustShelf, cache: MemoryCache | None = None) -> Collection:
    shelf = craft.shelf() if isinstance(craft, Craft) else craft
    return Loader(cache or MemoryCache(), lambda _: None).load(GUN, shelf, NOW)


def refused(code: Code, text: str, call: Any) -> None:
    with pytest.raises(EvidenceError) as caught:
        call()
    assert (caught.value.code, str(caught.value)) == (code, text)


# Which digest a tag means ----------------------------------------------------------------------------------


def test_the_release_role_goes_before_targets() -> None:
    craft = Craft().released_by("alice").tag("targets", v1=OLD, v0=OLD)
    found = load(craft)
    assert (found.released("v1").digest, found.released("v1").role) == (GOOD, RELEASES)
    assert (found.released("v0").digest, found.released("v0").role) == (OLD, "targets")
    assert {r.tag: r.digest for r in found.released_tags()} == {"v1": GOOD, "v0": OLD}


def test_a_tag_that_only_somebody_else_names_is_not_released() -> None:
    """Docker has two texts for it, and takes neither digest."""
    craft = Craft().released_by("alice").tag(ALICE, v2=OTHER)
    refused(Code.UNSIGNED, "No trust data for v2", lambda: load(craft).released("v2"))
    refused(Code.UNSIGNED, "No valid trust data for v3", lambda: load(craft).released("v3"))


def test_what_releases_delegates_to_is_not_released_either() -> None:
    craft = Craft().released_by("alice").delegate(f"{RELEASES}/team", "bob")
    craft.tag(f"{RELEASES}/team", v2=OTHER)
    refused(Code.UNSIGNED, "No trust data for v2", lambda: load(craft).released("v2"))


def test_paths_are_prefixes_and_only_narrow() -> None:
    craft = Craft().delegate(RELEASES, "alice", paths=("v1", "rc-"))
    craft.delegate(f"{RELEASES}/x", "bob", paths=("v1.2", "w"))
    craft.tag(RELEASES, **{"v1": GOOD, "v10": GOOD, "rc-": GOOD, "v2": OTHER, "": OTHER})
    craft.tag(f"{RELEASES}/x", **{"v1.2.3": GOOD, "w1": OTHER})
    craft.tags["targets"] = {}
    found = load(craft)
    assert {r.tag for r in found.released_tags()} == {"v1", "v10", "rc-"}
    assert found.digest_in(f"{RELEASES}/x", "v1.2.3") == GOOD
    assert found.digest_in(f"{RELEASES}/x", "w1") is None
    assert found.named(RELEASES, "v2") is None
    assert found.tags_of(RELEASES, OTHER) == []


def test_a_broken_entry_hides_an_older_one() -> None:
    broken = FileMeta(length=1, hashes={"sha256": b"short"})
    craft = Craft().released_by("alice").tag("targets", v1=OLD)
    craft.tags[RELEASES] = {"v1": broken, "v2": meta(GOOD)}
    found = load(craft)
    refused(Code.MALFORMED, "no valid hash, expecting sha256", lambda: found.released("v1"))
    assert [r.tag for r in found.released_tags()] == ["v2"]
    assert [(r.tag, r.digest) for r in found.rows()] == [("v1", OLD), ("v2", GOOD)]
    assert found.named(RELEASES, "v1") is None


def test_an_invalid_release_role_is_never_a_smaller_list() -> None:
    craft = Craft().released_by("alice").tag("targets", v1=OLD)
    craft.signers[RELEASES] = ("mallory",)
    found = load(craft)
    text = "valid signatures did not meet threshold for targets/releases"
    for ask in (lambda: found.released("v1"), found.released_tags, found.rows):
        refused(Code.BELOW_THRESHOLD, text, ask)


# What inspect shows ------------------------------------------------------------------------------------------


def test_rows_show_both_digests_and_who_else_vouches() -> None:
    craft = Craft().released_by("alice", "bob").tag("targets", v1=OLD).tag("targets/bob", v1=OTHER)
    found = [(r.tag, r.digest, r.role, r.signers) for r in load(craft).rows()]
    assert found == [("v1", OLD, "targets", ()), ("v1", GOOD, RELEASES, ("alice",))]


def test_signers_keys_and_ends() -> None:
    craft = Craft().released_by("alice").delegate("targets/bob", "bob", "bob at home")
    craft.days[RELEASES] = 30
    found = load(craft)
    assert found.signers() == [
        ("alice", (key("alice").id,)),
        ("bob", (key("bob").id, key("bob at home").id)),
    ]
    assert found.root_keys == (craft.certificate("owner").id,)
    assert found.repository_keys == (key("owner targets").id,)
    ends = found.expiries()
    assert ends[RELEASES] == NOW + timedelta(days=30)
    assert set(ends) == {"root", "targets", ALICE, RELEASES, "snapshot", "timestamp"}
    assert found.delegation("targets/carol") is None
    assert found.fingerprints("targets/carol") == ()
    assert found.fingerprints("targets") == (fingerprint(key("owner targets").public),)
    assert found.signed_at("targets") is None


def test_a_key_that_nobody_can_read_hides_nobody_else() -> None:
    craft = Craft().released_by("alice")
    odd = Key.of("ecdsa-x509", b"no certificate")

    def add(body: Any) -> Any:
        roles = tuple(r.replace(key_ids=(*r.key_ids, odd.id)) for r in body.delegations[1:])
        return body.replace(
            delegation_keys={**body.delegation_keys, odd.id: odd},
            delegations=(body.delegations[0], *roles),
        )

    craft.bend["targets"] = add
    found = load(craft)
    role = found.delegation(RELEASES)
    assert role is not None
    assert found.canonical_ids(role) == (key("alice").id, odd.id)
    assert found.fingerprints(RELEASES) == (fingerprint(key("alice").public),)
    # as notary has it, one broken certificate spoils its role; it must not spoil the others
    assert found.trusted.invalid[RELEASES][1].code == Code.BAD_CHAIN
    assert ALICE in found.trusted.targets


# Loading and keeping ---------------------------------------------------------------------------------------------


def test_a_repository_that_nobody_signed() -> None:
    text = f"trust.example.test does not have trust data for {GUN}"
    refused(Code.UNSIGNED, text, lambda: load(TrustShelf()))


def test_trust_data_that_were_here_and_are_gone_are_not_unsigned() -> None:
    cache = MemoryCache()
    load(Craft(), cache)
    with pytest.raises(NotFoundError):
        load(TrustShelf(), cache)


def test_files_first_and_the_memory_last() -> None:
    cache = MemoryCache()
    load(Craft().released_by("alice"), cache)
    expected = ["root", "targets", ALICE, RELEASES, "snapshot", "timestamp", NAME]
    assert cache.order == expected
    cache.order.clear()
    load(Craft().released_by("alice"), cache)
    assert cache.order == [], "nothing is written where nothing changed"
    load(Craft().released_by("alice").next(RELEASES), cache)
    assert cache.order == [RELEASES, "snapshot", "timestamp", NAME]


def test_what_docker_cached_is_taken() -> None:
    craft, cache = Craft().released_by("alice"), MemoryCache()
    roles = ("root", "targets", ALICE, RELEASES, "snapshot", "timestamp")
    files = craft.files()
    cache.files = {(GUN, role): files[role] for role in roles}
    shelf = craft.shelf()
    load(shelf, cache)
    assert shelf.asked == ["timestamp"]
    assert cache.order == [NAME]


def test_a_folder_that_cannot_be_written_is_a_warning() -> None:
    cache, warnings = MemoryCache(), list[str]()
    cache.read_only = True
    found = Loader(cache, warnings.append).load(GUN, Craft().shelf(), NOW)
    assert found.released("v1").digest == GOOD
    assert warnings == [
        "the trust folder cannot be written, so this will be fetched again: read-only file system"
    ]
    Loader(cache, warnings.append).adopt(GUN, b"root")
    assert warnings[1:] == ["the trust folder cannot be written: read-only file system"]
    with pytest.raises(StorageError):
        Loader(cache, warnings.append).pin(GUN, found)


def test_nothing_is_kept_of_what_was_refused() -> None:
    cache = MemoryCache()
    load(Craft().next("targets"), cache)
    before = dict(cache.files)
    with pytest.raises(EvidenceError):
        load(Craft(), cache)
    assert cache.files == before


class Racing(TrustShelf):
    """Another process of ours loads something else while we are waiting for the timestamp."""

    def __init__(self, craft: Craft, other: Any) -> None:
        super().__init__(craft.files())
        self._other = other

    def fetch(self, gun: str, name: str, max_bytes: int) -> Any:
        got = super().fetch(gun, name, max_bytes)
        if name == "timestamp":
            self._other()
        return got


def test_what_another_process_learnt_is_not_taken_back() -> None:
    cache = MemoryCache()
    load(Craft(), cache)
    newest = Craft().next("targets").next("targets")
    load(Racing(Craft().next("targets"), lambda: load(newest, cache)), cache)
    memory = Memory.parse(cache.read(GUN, NAME))
    assert memory.versions["targets"] == 3
    assert cache.read(GUN, "targets") == newest.files()["targets"]
    with pytest.raises(EvidenceError, match="version 2 is lower than current version 3"):
        load(Craft().next("targets"), cache)


def test_a_pin_set_meanwhile_is_not_taken_back() -> None:
    cache = MemoryCache()
    found = load(Craft(), cache)
    loader = Loader(cache, lambda _: None)
    load(Racing(Craft().next("targets"), lambda: loader.pin(GUN, found)), cache)
    memory = Memory.parse(cache.read(GUN, NAME))
    assert memory.pins == found.root_keys
    assert memory.versions["targets"] == 2


def test_what_is_forgotten_is_a_first_use_again() -> None:
    cache = MemoryCache()
    found = load(Craft().next("targets"), cache)
    loader = Loader(cache, lambda _: None)
    loader.pin(GUN, found)
    loader.forget(GUN, [name for _, name in list(cache.files)])
    assert cache.files == {}
    assert load(Craft(owner="somebody else"), cache).released("v1").digest == GOOD


def test_a_damaged_memory_stops_it() -> None:
    cache = MemoryCache()
    load(Craft(), cache)
    cache.files[GUN, NAME] = b"{}"
    with pytest.raises(EvidenceError, match="is damaged"):
        load(Craft(), cache)


def test_five_thousand_tags() -> None:
    craft = Craft().released_by("alice")
    many = {f"v{n}": meta(Digest.of(str(n).encode())) for n in range(5000)}
    craft.tags |= {RELEASES: many, ALICE: many}
    found = load(craft)
    assert len(found.released_tags()) == len(found.rows()) == 5000
    assert found.released("v4999").signers == ("alice",)
