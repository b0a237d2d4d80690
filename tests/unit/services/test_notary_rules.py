"""Which updates a Notary server accepts: notary-server's rules in its words, and ours beyond them."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from countermark.core import limits
from countermark.core.ports_hosting import Response
from countermark.formats.tuf import Key, Role, parse_snapshot, parse_targets, parse_timestamp
from countermark.proofs import root_certificate
from countermark.proofs.keys import PrivateKey
from trust_server import GUN, NOW, HostedNotary, Owner, Time

Files = dict[str, bytes]
Make = Callable[[HostedNotary, Owner], Files]


def told(response: Response) -> tuple[int, str, str, str]:
    """Status, code, name and message of an answer."""
    if response.status == 200:
        return 200, "", "", ""
    assert isinstance(response.body, bytes)
    (error,) = json.loads(response.body)["errors"]
    detail: Any = error.get("detail")
    if isinstance(detail, dict) and detail:
        return response.status, error["code"], detail["Name"], detail["Error"]["Msg"]
    return response.status, error["code"], "", ""


def invalid(name: str, message: str) -> tuple[int, str, str, str]:
    return 400, "INVALID_UPDATE", name, message


OK = (200, "", "", "")
VERSION = (400, "VERSION", "", "")
NOT_EXACT = "%s is not written as notary writes it (order, white space, escapes or unknown members)"


# A repository that is not there yet -----------------------------------------------------------------

FIRST: dict[str, tuple[Make, tuple[int, str, str, str]]] = {
    "root and targets": (lambda h, o: {"root": o.root(), "targets": o.targets()}, OK),
    "first root is 2, first targets 2": (
        lambda h, o: {"root": o.root(2), "targets": o.targets(2)},
        OK,
    ),
    "first root is 3": (
        lambda h, o: {"root": o.root(3), "targets": o.targets()},
        invalid("ErrBadRoot", "Root modifications must increment the version. Current 1, new 3"),
    ),
    "first targets is 3": (
        lambda h, o: {"root": o.root(), "targets": o.targets(3)},
        invalid("ErrBadTargets", "targets must increment the version by one. Current 0, new 3"),
    ),
    "no root": (
        lambda h, o: {"targets": o.targets()},
        invalid("ErrValidation", "no pre-existing root and no root provided in update."),
    ),
    "nothing": (
        lambda h, o: {},
        invalid("ErrValidation", "no pre-existing root and no root provided in update."),
    ),
    "no targets": (
        lambda h, o: {"root": o.root()},
        invalid("ErrValidation", "targets must be loaded first"),
    ),
    "root expired": (
        lambda h, o: {"root": o.root(days=-1), "targets": o.targets()},
        invalid("ErrBadRoot", "root expired at Sat Feb 28 12:00:00 UTC 2026"),
    ),
    "targets expired": (
        lambda h, o: {"root": o.root(), "targets": o.targets(days=-1)},
        invalid("ErrBadTargets", "targets expired at Sat Feb 28 12:00:00 UTC 2026"),
    ),
    "root of another repository": (
        lambda h, o: {"root": Owner(o.timestamp_public, gun="other/app").root()},
        invalid(
            "ErrBadRoot",
            "could not validate the path to a trusted root: "
            "unable to retrieve valid leaf certificates",
        ),
    ),
    "root signed by another key": (
        lambda h, o: {
            "root": o.root(signers=[(PrivateKey.generate(), o.certificate)]),
            "targets": o.targets(),
        },
        invalid(
            "ErrBadRoot",
            "could not validate the path to a trusted root: failed to validate integrity of roots",
        ),
    ),
    "targets signed by another key": (
        lambda h, o: {"root": o.root(), "targets": o.targets(key=PrivateKey.generate())},
        invalid("ErrBadTargets", "valid signatures did not meet threshold for targets"),
    ),
    "timestamp key that is not the server's": (
        lambda h, o: {
            "root": Owner.root(with_timestamp(o, PrivateKey.generate().public)),
            "targets": o.targets(),
        },
        invalid("ErrBadRoot", "no  timestamp keys exist on the server"),
    ),
    "no snapshot and a key that is not the server's": (
        lambda h, o: {"root": with_snapshot(o).root(), "targets": o.targets()},
        invalid(
            "ErrBadHierarchy",
            "no snapshot was included in update and server does not hold current snapshot key "
            "for repository",
        ),
    ),
    "a timestamp is ignored": (
        lambda h, o: {
            "root": o.root(),
            "targets": o.targets(),
            "timestamp": o.targets(role="targets/x"),
        },
        OK,
    ),
    "delegation without a parent's word": (
        lambda h, o: {
            "root": o.root(),
            "targets": o.targets(),
            "targets/releases": o.targets(role="targets/releases"),
        },
        invalid("ErrBadTargets", "tuf: invalid role targets/releases. delegation does not exist"),
    ),
    "root without one of its roles": (
        lambda h, o: {"root": o.root(roles={"root": Role(name="root", key_ids=(), threshold=1)})},
        invalid("ErrBadRoot", "root type metadata invalid: missing targets role specification"),
    ),
    "targets where a root belongs": (
        lambda h, o: {"root": o.targets()},
        invalid("ErrBadRoot", "root type metadata invalid: expected type Root, not Targets"),
    ),
    "threshold of the timestamp is two": (
        lambda h, o: {"root": with_threshold(o, "timestamp", 2), "targets": o.targets()},
        invalid("ErrBadRoot", "no  timestamp keys exist on the server"),
    ),
}


def with_timestamp(owner: Owner, key: Key) -> Owner:
    owner.timestamp_public = key
    return owner


def with_snapshot(owner: Owner) -> Owner:
    owner.snapshot_public = owner.snapshot_key.public
    return owner


def with_threshold(owner: Owner, role: str, threshold: int) -> bytes:
    keys = {"targets": owner.targets_key.public, "snapshot": owner.snapshot_public}
    keys |= {"root": owner.certificate, "timestamp": owner.timestamp_public}
    return owner.root(
        roles={
            name: Role(name=name, key_ids=(k.id,), threshold=threshold if name == role else 1)
            for name, k in keys.items()
        }
    )


@pytest.mark.parametrize("name", FIRST)
def test_first_publication(name: str) -> None:
    make, expected = FIRST[name]
    hosted = HostedNotary()
    assert told(hosted.publish(make(hosted, hosted.owner()))) == expected
    if expected != OK:  # all or nothing
        assert hosted.get("root.json").status == 404
        assert not hosted.store.changes("", 0, 10)


# A repository that is there -------------------------------------------------------------------------

LATER: dict[str, tuple[Make, tuple[int, str, str, str]]] = {
    "next targets": (lambda h, o: {"targets": o.targets()}, OK),
    "nothing at all": (lambda h, o: {}, OK),
    "the same bytes again": (
        lambda h, o: {"root": o.files["root"], "targets": o.files["targets"]},
        OK,
    ),
    "same root, next targets": (lambda h, o: {"root": o.files["root"], "targets": o.targets()}, OK),
    "the same version of targets": (
        lambda h, o: {"targets": o.targets(1, names={"x": b""})},
        VERSION,
    ),
    "the same version of root": (lambda h, o: {"root": o.root(1, days=1000)}, VERSION),
    "a jump of targets": (
        lambda h, o: {"targets": o.targets(2147483647)},
        invalid(
            "ErrBadTargets", "targets must increment the version by one. Current 1, new 2147483647"
        ),
    ),
    "a jump of root": (
        lambda h, o: {"root": o.root(3)},
        invalid("ErrBadRoot", "Root modifications must increment the version. Current 1, new 3"),
    ),
    "somebody else's root": (
        lambda h, o: {"root": Owner(o.timestamp_public, o.snapshot_public).root(2)},
        invalid(
            "ErrBadRoot",
            "could not rotate trust to a new trusted root: "
            "failed to validate data with current trusted certificates",
        ),
    ),
    "a snapshot that the owner may not sign": (
        lambda h, o: {"snapshot": o.snapshot(2)},
        invalid("ErrBadSnapshot", "valid signatures did not meet threshold for snapshot"),
    ),
    "white space": (
        lambda h, o: {"targets": o.targets().replace(b",", b", ", 1)},
        invalid("ErrBadTargets", NOT_EXACT % "targets"),
    ),
    "a newline at the end": (
        lambda h, o: {"targets": o.targets() + b"\n"},
        invalid("ErrBadTargets", NOT_EXACT % "targets"),
    ),
    "an unknown member beside signed": (  # Cure53 TUF-01-001
        lambda h, o: {"targets": o.targets()[:-1] + b',"abc":"xyz"}'},
        invalid("ErrBadTargets", NOT_EXACT % "targets"),
    ),
    "root with a newline": (
        lambda h, o: {"root": o.root() + b"\n"},
        invalid("ErrBadRoot", NOT_EXACT % "root"),
    ),
    "a role twice": (
        lambda h, o: [("targets", o.targets()), ("targets", o.files["targets"])],  # type: ignore[return-value, dict-item]
        invalid("ErrValidation", "role targets comes twice"),
    ),
    "a delegation whose parent was never published": (
        lambda h, o: {"targets/a/b": o.targets(role="targets/a/b")},
        invalid("ErrBadTargets", "tuf: invalid role targets/a/b. delegation does not exist"),
    ),
}


@pytest.mark.parametrize("name", LATER)
def test_later_publication(name: str) -> None:
    make, expected = LATER[name]
    hosted = HostedNotary()
    owner = hosted.published()
    before = hosted.content("timestamp.json")
    assert told(hosted.publish(make(hosted, owner))) == expected
    if expected != OK:
        assert hosted.content("timestamp.json") == before


def test_the_same_again_changes_nothing() -> None:
    hosted = HostedNotary()
    owner = hosted.published()
    before = hosted.content("timestamp.json")
    assert hosted.publish({}).status == 200
    assert hosted.publish({"targets": owner.files["targets"]}).status == 200
    assert hosted.content("timestamp.json") == before


def test_what_is_served_is_what_was_sent_and_all_of_it_fits() -> None:
    hosted = HostedNotary()
    owner = hosted.published()
    alice = PrivateKey.generate()
    files = {
        "targets": owner.targets(delegates={"targets/alice": [alice]}),
        "targets/alice": owner.targets(role="targets/alice", key=alice, names={"<&>é": b"x"}),
    }
    assert hosted.publish(files).status == 200
    snapshot = parse_snapshot(hosted.content("snapshot.json"))
    timestamp = parse_timestamp(hosted.content("timestamp.json"))
    timestamp.body.meta["snapshot"].check(snapshot.content, "snapshot")
    assert snapshot.body.version == timestamp.body.version == 2
    assert sorted(snapshot.body.meta) == ["root", "targets", "targets/alice"]
    for role, entry in snapshot.body.meta.items():
        content = hosted.content(f"{role}.json")
        assert content == owner.files[role]
        entry.check(content, role)
        assert hosted.content(f"{role}.{entry.hashes['sha256'].hex()}.json") == content


# Delegations ----------------------------------------------------------------------------------------


def delegating(*names: str) -> tuple[HostedNotary, Owner, PrivateKey]:
    hosted = HostedNotary()
    owner = hosted.published()
    key = PrivateKey.generate()
    files = {"targets": owner.targets(delegates={name: [key] for name in names})}
    files |= {name: owner.targets(role=name, key=key, names={name: b"1"}) for name in names}
    assert hosted.publish(files).status == 200
    return hosted, owner, key


def listed(hosted: HostedNotary) -> set[str]:
    return set(parse_snapshot(hosted.content("snapshot.json")).body.meta)


def test_a_removed_delegation_is_forgotten_with_all_below_it() -> None:
    hosted, owner, key = delegating("targets/a", "targets/b")
    below = owner.targets(role="targets/a", key=key, delegates={"targets/a/deep": [key]})
    deep = owner.targets(role="targets/a/deep", key=key)
    assert hosted.publish({"targets/a": below, "targets/a/deep": deep}).status == 200
    assert listed(hosted) == {"root", "targets", "targets/a", "targets/a/deep", "targets/b"}
    assert hosted.publish({"targets": owner.targets(delegates={"targets/b": [key]})}).status == 200
    assert listed(hosted) == {"root", "targets", "targets/b"}
    assert hosted.get("targets/a.json").status == 404


def test_a_delegation_given_back_to_its_key_goes_on_where_it_was() -> None:
    hosted, owner, key = delegating("targets/a")
    assert hosted.publish({"targets": owner.targets()}).status == 200
    assert listed(hosted) == {"root", "targets"}
    back = owner.targets(delegates={"targets/a": [key]})
    assert hosted.publish({"targets": back}).status == 200
    assert listed(hosted) == {"root", "targets", "targets/a"}
    assert hosted.publish({"targets/a": owner.targets(role="targets/a", key=key)}).status == 200
    assert parse_targets(hosted.content("targets/a.json"), "targets/a").body.version == 2


@pytest.mark.parametrize(("case", "lists"), [("another key", False), ("expired meanwhile", False)])
def test_what_no_longer_counts_is_not_listed_again(case: str, lists: bool) -> None:
    hosted, owner, key = delegating("targets/a")
    assert hosted.publish({"targets": owner.targets()}).status == 200
    if case == "expired meanwhile":
        hosted.clock.move(days=1100)
        owner.now = hosted.clock()
    else:
        key = PrivateKey.generate()
    assert hosted.publish({"targets": owner.targets(delegates={"targets/a": [key]})}).status == 200
    assert ("targets/a" in listed(hosted)) is lists


def test_a_delegate_publishes_alone() -> None:
    hosted, owner, key = delegating("targets/a")
    stranger = PrivateKey.generate()
    wrong = owner.targets(2, role="targets/a", key=stranger)
    assert told(hosted.publish({"targets/a": wrong})) == invalid(
        "ErrBadTargets", "valid signatures did not meet threshold for targets/a"
    )
    hosted.clock.move(days=1100)  # the stored targets is expired: that is its owner's affair
    owner.now = hosted.clock()
    good = owner.targets(2, role="targets/a", key=key)
    assert hosted.publish({"targets/a": good}).status == 200
    assert hosted.content("targets/a.json") == good


def test_two_delegates_who_read_the_same_state_both_succeed() -> None:
    hosted, owner, key = delegating("targets/a", "targets/b")
    for name in ("targets/a", "targets/b"):
        assert hosted.publish({name: owner.targets(role=name, key=key)}).status == 200
    snapshot = parse_snapshot(hosted.content("snapshot.json")).body.meta
    for name in ("targets/a", "targets/b"):
        snapshot[name].check(owner.files[name], name)


def test_too_many_delegations() -> None:
    hosted = HostedNotary()
    owner = hosted.published()
    key = PrivateKey.generate()
    names = [f"targets/{n}" for n in range(limits.DELEGATIONS + 1)]
    too_many = owner.targets(delegates={name: [key] for name in names})
    status, code, name, message = told(hosted.publish({"targets": too_many}))
    assert (status, code, name) == (400, "INVALID_UPDATE", "ErrBadTargets")
    assert "at most 1000" in message


# Snapshots that the owner signs ---------------------------------------------------------------------


def test_the_owner_signs_the_snapshot() -> None:
    hosted = HostedNotary()
    owner = hosted.published(snapshot=False)
    assert hosted.publish({"targets": owner.targets(), "snapshot": owner.snapshot()}).status == 200
    assert hosted.content("snapshot.json") == owner.files["snapshot"]
    assert hosted.publish({}).status == 200  # as docker does for a tag that is signed already


OWN_SNAPSHOT: dict[str, tuple[Make, tuple[int, str, str, str]]] = {
    "missing": (
        lambda h, o: {"targets": o.targets()},
        invalid(
            "ErrBadHierarchy",
            "no snapshot was included in update and server does not hold current snapshot key "
            "for repository",
        ),
    ),
    "of the targets before": (
        lambda h, o: {"snapshot": o.snapshot(), "targets": o.targets()},
        invalid("ErrBadSnapshot", "sha256 checksum for targets did not match: expected "),
    ),
    "of another root": (
        lambda h, o: {"snapshot": o.snapshot(meta={"root": b"", "targets": o.files["targets"]})},
        invalid("ErrBadSnapshot", "sha256 checksum for root did not match: expected "),
    ),
    "expired": (
        lambda h, o: {"snapshot": o.snapshot(days=-1)},
        invalid("ErrBadSnapshot", "snapshot expired at "),
    ),
    "not as notary writes it": (
        lambda h, o: {"snapshot": o.snapshot() + b" "},
        invalid("ErrBadSnapshot", NOT_EXACT % "snapshot"),
    ),
    "of a file that is not here": (
        lambda h, o: {"snapshot": o.snapshot(meta=o.files | {"targets/ghost": b"x"})},
        invalid("ErrBadSnapshot", "the snapshot names a version of "),
    ),
    "the same version, another content": (
        lambda h, o: {"snapshot": o.snapshot(1, days=9)},
        VERSION,
    ),
    "a jump": (
        lambda h, o: {"snapshot": o.snapshot(7)},
        invalid("ErrBadSnapshot", "snapshot must increment the version by one. Current 1, new 7"),
    ),
}


@pytest.mark.parametrize("name", OWN_SNAPSHOT)
def test_snapshots_of_the_owner(name: str) -> None:
    make, expected = OWN_SNAPSHOT[name]
    hosted = HostedNotary()
    owner = hosted.published(snapshot=False)
    found = told(hosted.publish(make(hosted, owner)))
    assert found[:3] == expected[:3]
    assert found[3].startswith(expected[3])


def test_a_snapshot_cannot_go_back_to_an_older_targets() -> None:
    hosted = HostedNotary()
    owner = hosted.published(snapshot=False)
    old = dict(owner.files)
    assert hosted.publish({"targets": owner.targets(), "snapshot": owner.snapshot()}).status == 200
    back = owner.snapshot(meta={"root": old["root"], "targets": old["targets"]})
    found = told(hosted.publish({"snapshot": back}))
    assert found[:3] == (400, "INVALID_UPDATE", "ErrBadSnapshot")


def test_the_snapshot_key_moves_to_the_server_and_back() -> None:
    hosted = HostedNotary()
    owner = hosted.published(snapshot=False)
    owner.snapshot_public = Key.parse_loose(hosted.content("snapshot.key"))
    assert hosted.publish({"root": owner.root(), "targets": owner.targets()}).status == 200
    assert parse_snapshot(hosted.content("snapshot.json")).body.version == 2
    owner.snapshot_public = owner.snapshot_key.public
    files = {"root": owner.root(), "snapshot": owner.snapshot(3)}
    assert hosted.publish(files).status == 200
    assert hosted.content("snapshot.json") == owner.files["snapshot"]


# Roots ----------------------------------------------------------------------------------------------


def test_a_new_root_is_signed_by_the_old_key_and_by_its_own() -> None:
    hosted = HostedNotary()
    owner = hosted.published()
    old = (owner.root_key, owner.certificate)
    owner.root_key = PrivateKey.generate()
    owner.certificate = root_certificate.issue(owner.root_key, GUN, NOW).key
    new = (owner.root_key, owner.certificate)
    only_new = owner.root(2, signers=[new])
    assert told(hosted.publish({"root": only_new}))[2] == "ErrBadRoot"
    only_old = owner.root(2, signers=[old])
    assert told(hosted.publish({"root": only_old}))[2] == "ErrBadRoot"
    assert hosted.publish({"root": owner.root(2, signers=[old, new])}).status == 200
    assert hosted.content("2.root.json") == hosted.content("root.json") == owner.files["root"]


def test_an_old_repository_can_be_given_a_new_root() -> None:
    """notary-server refuses every update once the certificate of the stored root is expired."""
    hosted = HostedNotary()
    owner = hosted.published()
    hosted.clock.move(days=3700)
    owner.now = hosted.clock()
    assert hosted.get("timestamp.json").status == 200  # served although the root is expired
    old = (owner.root_key, owner.certificate)
    owner.certificate = root_certificate.issue(owner.root_key, GUN, owner.now).key
    renewed = owner.root(2, signers=[old, (owner.root_key, owner.certificate)])
    files = {"root": renewed, "targets": owner.targets()}
    assert hosted.publish(files).status == 200


def test_a_rotated_timestamp_key_takes_effect_with_the_root_that_names_it() -> None:
    hosted = HostedNotary()
    owner = hosted.published()
    old = owner.timestamp_public
    answer = hosted.ask("POST", f"/v2/{GUN}/_trust/tuf/timestamp.key")
    assert isinstance(answer.body, bytes)
    new = Key.parse_loose(answer.body)
    assert new.id != old.id
    assert hosted.content("timestamp.key") == old.encode_loose()
    assert hosted.ask("POST", f"/v2/{GUN}/_trust/tuf/timestamp.key").body == answer.body
    owner.timestamp_public = new
    assert hosted.publish({"root": owner.root()}).status == 200
    signatures = parse_timestamp(hosted.content("timestamp.json")).signatures
    assert [signature.key_id for signature in signatures] == [new.id]
    third = hosted.ask("POST", f"/v2/{GUN}/_trust/tuf/timestamp.key").body
    assert third != answer.body


def test_lifetimes() -> None:
    hosted = HostedNotary(clock=Time(NOW))
    hosted.published()
    snapshot = parse_snapshot(hosted.content("snapshot.json")).body
    timestamp = parse_timestamp(hosted.content("timestamp.json")).body
    assert snapshot.expires_at == NOW + timedelta(days=1095)
    assert timestamp.expires_at == NOW + timedelta(days=14)
