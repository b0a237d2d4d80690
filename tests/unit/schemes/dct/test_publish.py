"""Changes to a repository, and the files that they make; every one is checked as a client would."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from countermark.core.errors import Code, EvidenceError, InputError, KeyAccessError
from countermark.formats.tuf import (
    Snapshot,
    parse_root,
    parse_snapshot,
    parse_targets,
)
from countermark.proofs.keys import PrivateKey
from countermark.schemes.dct.publish import Draft, RootKeys
from countermark.schemes.dct.repository import Collection, Loader
from world import GOOD, GUN, NOW, OLD, OTHER, RELEASES, Craft, MemoryCache, key, meta

ALICE, BOB = "targets/alice", "targets/bob"
END = "2029-11-24T12:00:00Z"  # 1095 days after NOW


class ring:  # noqa: N801 - reads as a word
    """A key ring with these people's keys."""

    def __init__(self, *names: str) -> None:
        self._held = {key(name).id: key(name) for name in names}

    def __call__(self, key_id: str) -> PrivateKey | None:
        return self._held.get(key_id)


OWNER = ring("owner", "owner targets")
EVERYONE = ring("owner", "owner targets", "owner snapshot", "alice", "bob")


def loaded(craft: Craft) -> Collection:
    return Loader(MemoryCache(), lambda _: None).load(GUN, craft.shelf(), NOW)


def draft_of(craft: Craft) -> Draft:
    collection = loaded(craft)
    return Draft.of(collection.trusted, collection.memory.versions)


def alices() -> Craft:
    return Craft().released_by("alice")


def test_a_new_repository() -> None:
    public = {role: key(f"owner {role}").public for role in ("targets", "snapshot", "timestamp")}
    draft = Draft.new(RootKeys(root=Craft().certificate("owner"), **public), {}, NOW)
    draft.add_target("targets", "v1", meta(GOOD), NOW)
    files = draft.sign(OWNER, NOW)
    assert set(files) == {"root", "targets"}, "the server signs the others"
    root, targets = parse_root(files["root"]).body, parse_targets(files["targets"]).body
    assert (root.version, root.expires) == (1, "2036-11-22T12:00:00Z")
    assert (targets.version, targets.expires) == (1, END)
    assert {role: entry.threshold for role, entry in root.roles.items()} == dict.fromkeys(
        ("root", "targets", "snapshot", "timestamp"), 1
    )
    assert not root.consistent_snapshot
    assert targets.targets == {"v1": meta(GOOD)}


def test_whoever_holds_the_snapshot_key_signs_it() -> None:
    draft = draft_of(alices())
    draft.add_target(RELEASES, "v2", meta(OTHER), NOW)
    files = draft.sign(EVERYONE, NOW)
    assert set(files) == {RELEASES, "snapshot"}
    snapshot: Snapshot = parse_snapshot(files["snapshot"]).body
    assert snapshot.version == 2
    assert set(snapshot.meta) == {"root", "targets", ALICE, RELEASES}
    snapshot.meta[RELEASES].check(files[RELEASES], RELEASES)
    snapshot.meta["root"].check(alices().root(), "root")


def test_a_snapshot_forgets_whom_nobody_delegates_to() -> None:
    draft = draft_of(alices())
    draft.remove_delegation(ALICE)
    snapshot = parse_snapshot(draft.sign(EVERYONE, NOW)["snapshot"]).body
    assert set(snapshot.meta) == {"root", "targets", RELEASES}


def test_a_snapshot_keeps_what_is_below_a_role_that_does_not_count_now() -> None:
    craft = alices().delegate(f"{ALICE}/deep", "bob").tag(f"{ALICE}/deep", v1=GOOD)
    craft.days[ALICE] = -1
    draft = draft_of(craft)
    draft.add_target(RELEASES, "v2", meta(OTHER), NOW)
    snapshot = parse_snapshot(draft.sign(EVERYONE, NOW)["snapshot"]).body
    assert {ALICE, f"{ALICE}/deep"} <= set(snapshot.meta), "what we did not see is as it was"


def test_only_what_changed_is_signed() -> None:
    draft = draft_of(alices())
    assert not draft.changed
    assert draft.sign(ring(), NOW) == {}
    draft.add_target(RELEASES, "v1", meta(GOOD), NOW)
    assert not draft.changed, "it says so already"
    assert not draft.remove_target(RELEASES, "v9")
    assert not draft.remove_target("targets/nobody", "v1")
    assert not draft.changed
    assert draft.remove_target(RELEASES, "v1")
    draft.add_target(ALICE, "v2", meta(OTHER), NOW)
    assert list(draft.changed) == [ALICE, RELEASES]
    files = draft.sign(ring("alice"), NOW)
    assert list(files) == [ALICE, RELEASES]
    assert parse_targets(files[RELEASES], RELEASES).body.targets == {}
    found = parse_targets(files[ALICE], ALICE).body
    assert (found.version, found.expires) == (2, END)
    assert found.targets == {"v1": meta(GOOD), "v2": meta(OTHER)}


@pytest.mark.parametrize("known", [0, 1, 41])
def test_a_version_is_the_one_after_the_highest_known(known: int) -> None:
    collection = loaded(alices())
    draft = Draft.of(collection.trusted, {RELEASES: known})
    draft.witness(RELEASES)
    content = draft.sign(ring("alice"), NOW)[RELEASES]
    assert parse_targets(content, RELEASES).body.version == max(known, 1) + 1


def test_a_name_that_was_given_again_goes_on_after_its_last_version() -> None:
    """Its old file is still there, not signed by who has the name now; docker begins at 1."""
    craft = alices()
    craft.versions[ALICE] = 7
    craft.signers[ALICE] = ("somebody before her",)
    draft = draft_of(craft)
    assert draft.body(ALICE) is None
    draft.add_target(ALICE, "v9", meta(OLD), NOW)
    found = parse_targets(draft.sign(ring("alice"), NOW)[ALICE], ALICE).body
    assert (found.version, set(found.targets)) == (8, {"v9"})


def test_a_list_that_lapsed_is_taken_over_with_all_it_says() -> None:
    craft = alices()
    craft.versions[RELEASES] = 7
    craft.days[RELEASES] = -1
    collection = loaded(craft)
    file, _ = collection.trusted.invalid[RELEASES]
    assert file is not None
    draft = Draft.of(collection.trusted, {})
    draft.take_over(RELEASES, file.body, file.content)
    draft.add_target(RELEASES, "v2", meta(OTHER), NOW)
    found = parse_targets(draft.sign(ring("alice"), NOW)[RELEASES], RELEASES).body
    assert (found.version, set(found.targets)) == (8, {"v1", "v2"})


def test_witnesses_sign_again_what_is_there() -> None:
    draft = draft_of(alices())
    with pytest.raises(InputError, match="this role is not known"):
        draft.witness(BOB)
    draft.witness(RELEASES)
    found = parse_targets(draft.sign(ring("alice"), NOW)[RELEASES], RELEASES).body
    assert (found.version, found.targets) == (2, {"v1": meta(GOOD)})


# Delegations ------------------------------------------------------------------------------------------------


def targets_after(change: Callable[[Draft], object], craft: Craft | None = None) -> Any:
    draft = draft_of(craft or alices())
    change(draft)
    return parse_targets(draft.sign(OWNER, NOW)["targets"]).body


def test_delegations_are_added_and_extended() -> None:
    body = targets_after(lambda d: d.add_delegation(BOB, [key("bob").public], ("",)))
    (bob,) = [r for r in body.delegations if r.name == BOB]
    assert (bob.key_ids, bob.paths, bob.threshold) == ((key("bob").id,), ("",), 1)
    assert set(body.delegation_keys) == {key("alice").id, key("bob").id}
    more = [key("alice").public, key("bob").public]
    body = targets_after(lambda d: d.add_delegation(RELEASES, more, ("", "v")))
    (releases,) = [r for r in body.delegations if r.name == RELEASES]
    assert (releases.key_ids, releases.paths) == ((key("alice").id, key("bob").id), ("", "v"))


def test_a_threshold_is_kept() -> None:
    craft = Craft().delegate(RELEASES, "alice", "bob", threshold=2).tag(RELEASES, v1=GOOD)
    body = targets_after(lambda d: d.add_delegation(RELEASES, [key("carol").public], ()), craft)
    assert body.delegations[0].threshold == 2


def test_keys_that_nobody_uses_are_forgotten() -> None:
    body = targets_after(lambda d: d.remove_keys(RELEASES, [key("alice").id]))
    (releases,) = [r for r in body.delegations if r.name == RELEASES]
    assert releases.key_ids == ()
    assert set(body.delegation_keys) == {key("alice").id}, "targets/alice still has it"
    draft = draft_of(alices())
    draft.remove_keys(RELEASES, [key("alice").id])
    draft.remove_delegation(ALICE)
    body = parse_targets(draft.sign(OWNER, NOW)["targets"]).body
    assert body.delegation_keys == {}


def test_a_certified_key_goes_by_the_keys_own_id() -> None:
    certificate = Craft().certificate("alice")
    draft = draft_of(alices())
    draft.add_delegation(RELEASES, [certificate], ())
    draft.remove_keys(RELEASES, [key("alice").id])
    body = parse_targets(draft.sign(OWNER, NOW)["targets"]).body
    assert [r.key_ids for r in body.delegations if r.name == RELEASES] == [()]


def test_a_parent_that_is_not_there() -> None:
    draft = draft_of(alices())
    above = "targets/x"
    with pytest.raises(InputError, match="no valid delegated role exists"):
        draft.add_delegation("targets/x/y", [], (), above=above)
    with pytest.raises(InputError, match="no valid delegated role exists"):
        draft.remove_delegation("targets/x/y", above=above)
    with pytest.raises(InputError, match="no valid delegated role exists"):
        draft.remove_keys("targets/x/y", [], above=above)
    draft.add_target("targets/nobody", "v1", meta(GOOD), NOW)
    with pytest.raises(InputError, match="delegation does not exist"):
        draft.sign(EVERYONE, NOW)


# Keys --------------------------------------------------------------------------------------------------------


def test_without_the_key_nothing_is_signed() -> None:
    draft = draft_of(alices())
    draft.add_target(RELEASES, "v2", meta(OTHER), NOW)
    with pytest.raises(KeyAccessError) as caught:
        draft.sign(ring("bob"), NOW)
    assert caught.value.code == Code.NO_KEY
    assert str(caught.value) == (
        "could not find necessary signing keys, at least one of these keys must be available: "
        + key("alice").id
    )


@pytest.mark.parametrize(("names", "enough"), [(("alice",), False), (("alice", "bob"), True)])
def test_as_many_as_the_role_demands(names: tuple[str, ...], enough: bool) -> None:
    craft = Craft().delegate(RELEASES, "alice", "bob", threshold=2).tag(RELEASES, v1=GOOD)
    draft = draft_of(craft)
    draft.witness(RELEASES)
    if enough:
        assert len(parse_targets(draft.sign(ring(*names), NOW)[RELEASES], RELEASES).signatures) == 2
    else:
        with pytest.raises(KeyAccessError):
            draft.sign(ring(*names), NOW)


def test_a_key_that_does_not_open_stops_it() -> None:
    def locked(key_id: str) -> PrivateKey | None:
        raise KeyAccessError("password invalid, operation has failed.", code=Code.PASSPHRASE)

    draft = draft_of(alices())
    draft.witness(RELEASES)
    with pytest.raises(KeyAccessError, match="password invalid"):
        draft.sign(locked, NOW)


@pytest.mark.parametrize(
    ("role", "also", "signed"),
    [
        ("targets", (), {"root", "targets"}),
        ("snapshot", (), {"root"}),
        ("snapshot", ("new",), {"root", "snapshot"}),
        ("timestamp", (), {"root"}),
    ],
)
def test_a_base_roles_key_is_replaced(role: str, also: tuple[str, ...], signed: set[str]) -> None:
    draft = draft_of(alices())
    draft.replace_keys(role, [key("new").public])
    names = ("owner", *also, *(("new",) if role == "targets" else ()))
    files = draft.sign(ring(*names), NOW)
    assert set(files) == signed
    root = parse_root(files["root"])
    assert root.body.version == 2
    assert root.body.roles[role].key_ids == (key("new").id,)
    assert key(f"owner {role}").id not in root.body.keys
    assert len(root.signatures) == 1


def test_a_new_root_is_signed_by_old_and_new_keys() -> None:
    draft = draft_of(alices())
    new = Craft().certificate("owner2")
    draft.replace_keys("root", [new])
    root = parse_root(draft.sign(ring("owner", "owner2"), NOW)["root"])
    old = Craft().certificate("owner").id
    assert [s.key_id for s in root.signatures] == [new.id, old]
    assert old in root.body.keys, "a later root can be signed for those who know only this one"
    for missing in ("owner", "owner2"):
        draft = draft_of(alices())
        draft.replace_keys("root", [new])
        with pytest.raises(KeyAccessError):
            draft.sign(ring({"owner": "owner2", "owner2": "owner"}[missing]), NOW)


def test_one_of_several_old_root_keys_is_enough_where_one_is_demanded() -> None:
    craft = alices()
    craft.certified = ("spare", "owner")
    draft = draft_of(craft)
    new = Craft().certificate("owner2")
    draft.replace_keys("root", [new])
    root = parse_root(draft.sign(ring("owner", "owner2"), NOW)["root"])
    assert [s.key_id for s in root.signatures] == [new.id, Craft().certificate("owner").id]


def test_a_second_root_key_beside_the_first() -> None:
    both = [Craft().certificate("owner"), Craft().certificate("owner2")]
    draft = draft_of(alices())
    draft.replace_keys("root", both)
    root = parse_root(draft.sign(ring("owner", "owner2"), NOW)["root"])
    assert [s.key_id for s in root.signatures] == [k.id for k in both], "each signs once"


def test_a_certificate_is_renewed_for_the_same_key() -> None:
    """Trust is pinned to the certificate, so the key signs for both."""
    from countermark.proofs import root_certificate

    renewed = root_certificate.issue(key("owner"), GUN, NOW).key
    draft = draft_of(alices())
    draft.replace_keys("root", [renewed])
    root = parse_root(draft.sign(ring("owner"), NOW)["root"])
    assert {s.key_id for s in root.signatures} == {renewed.id, Craft().certificate("owner").id}


@pytest.mark.parametrize(("days", "renewed"), [(100, True), (181, False)])
def test_a_root_near_its_end_is_renewed_by_who_can(days: int, renewed: bool) -> None:
    craft = alices()
    craft.days["root"] = days
    draft = draft_of(craft)
    assert draft.sign(EVERYONE, NOW) == {}, "not without an occasion"
    draft.witness(RELEASES)
    assert ("root" in draft.sign(EVERYONE, NOW)) == renewed
    draft = draft_of(craft)
    draft.witness(RELEASES)
    assert set(draft.sign(ring("alice"), NOW)) == {RELEASES}


def test_names_that_json_cannot_carry() -> None:
    draft = draft_of(Craft())
    draft.add_target("targets", "v\n1", meta(GOOD), NOW)
    with pytest.raises(InputError, match="control character"):
        draft.sign(OWNER, NOW)


def test_what_is_published_is_believed() -> None:
    """Whatever a draft makes, a client of the version before takes it."""
    craft, cache = alices(), MemoryCache()
    loader = Loader(cache, lambda _: None)
    collection = loader.load(GUN, craft.shelf(), NOW)
    draft = Draft.of(collection.trusted, collection.memory.versions)
    draft.add_target(RELEASES, "v2", meta(OTHER), NOW)
    draft.add_delegation(BOB, [key("bob").public], ("",))
    draft.replace_keys("root", [Craft().certificate("owner2")])
    files = draft.sign(ring("owner", "owner2", "owner targets", "owner snapshot", "alice"), NOW)
    craft.next()
    for role, content in files.items():
        craft.wire[role] = lambda _, content=content: content  # type: ignore[misc]
    after = loader.load(GUN, craft.shelf(), NOW + timedelta(days=1))
    assert after.released("v2").digest == OTHER
    assert [name for name, _ in after.signers()] == ["alice", "bob"]
    with pytest.raises(EvidenceError):
        loader.load(GUN, alices().shelf(), NOW)
