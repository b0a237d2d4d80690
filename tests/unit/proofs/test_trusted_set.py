"""The update rules: what is asked for and in which order, what is believed, and what of the memory is relied on."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from countermark.core import limits
from countermark.core.errors import (
    ChainError,
    Code,
    CountermarkError,
    EvidenceError,
    ExpiredError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.formats.tuf import envelope, parse_root
from countermark.proofs.trusted_set import USING_CACHE, Known, TrustedSet
from world import GOOD, GUN, NOW, OTHER, RELEASES, Craft, TrustShelf, key, meta, sign

ALICE = "targets/alice"
FILES = ("root", "timestamp", "snapshot", "targets", ALICE, RELEASES)
DOWN = UnavailableError("dial tcp: connection refused")
BUSY = UnavailableError("unable to reach trust server at this time: 503.", status=503)
GONE = NotFoundError("root trust data unavailable.", status=404)
FORBIDDEN = RefusedError("unable to reach trust server at this time: 403.", status=403)
OTHERS_ROOT = ChainError("not the pinned root", code=Code.PIN)
NO_ROTATION = (
    "could not rotate trust to a new trusted root: "
    "failed to validate data with current trusted certificates"
)
NO_LEAF = (
    "could not validate the path to a trusted root: unable to retrieve valid leaf certificates"
)


def anyone(*_: Any) -> None:
    """Believe whatever root comes first."""


class Folder:
    """What one client keeps between runs."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.known = Known(cached=self.files.get)

    def update(
        self,
        shelf: TrustShelf,
        now: datetime = NOW,
        accept: Callable[..., Any] = anyone,
        gun: str = GUN,
    ) -> TrustedSet:
        """Load a repository, and keep what was learnt, or raise what the rules raise."""
        shelf.asked.clear()
        trusted = TrustedSet(gun, self.known, accept, now)
        while wanted := trusted.wanted():
            assert wanted.max_bytes > 0
            try:
                got = shelf.fetch(GUN, wanted.name, wanted.max_bytes)
            except CountermarkError as error:
                trusted.failed(error)
            else:
                trusted.receive(got.content, got.modified)
        self.files.update(trusted.received)
        self.known = self.known.replace(
            versions=trusted.versions(), present=trusted.present(), judged=trusted.judged()
        )
        return trusted


def good() -> Craft:
    return Craft().released_by("alice")


def asked(shelf: TrustShelf) -> list[str]:
    """What was asked for, hashes left out."""
    return [name.partition(".")[0] if len(name) > 64 else name for name in shelf.asked]


def seasoned(craft: Craft | None = None) -> Folder:
    folder = Folder()
    folder.update((craft or good()).shelf())
    return folder


# The order of things ------------------------------------------------------------------------------------


def test_a_newcomer_asks_for_everything_in_notarys_order() -> None:
    shelf = good().shelf()
    trusted = Folder().update(shelf)
    assert asked(shelf) == ["root", "timestamp", "snapshot", "targets", ALICE, RELEASES]
    assert list(trusted.targets) == ["targets", ALICE, RELEASES]
    assert trusted.warnings == []
    assert trusted.versions() == dict.fromkeys(FILES, 1)
    assert trusted.present() == (ALICE, RELEASES)
    assert set(trusted.judged()) == set(FILES)


def test_who_knows_it_all_asks_for_the_timestamp_only() -> None:
    folder, shelf = seasoned(), good().shelf()
    folder.update(shelf)
    assert shelf.asked == ["timestamp"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ((), ["timestamp", "snapshot"]),
        (("targets",), ["timestamp", "snapshot", "targets"]),
        ((RELEASES,), ["timestamp", "snapshot", RELEASES]),
        ((ALICE, RELEASES), ["timestamp", "snapshot", ALICE, RELEASES]),
        (("root",), ["timestamp", "snapshot", "root", "timestamp", "snapshot"]),
    ],
)
def test_only_what_changed_is_fetched(changed: tuple[str, ...], expected: list[str]) -> None:
    craft = good()
    if "root" in changed:
        craft.roots[1] = craft.root()
    folder, shelf = seasoned(), craft.next(*changed).shelf()
    folder.update(shelf)
    assert asked(shelf) == expected


def test_the_tree_is_walked_children_first() -> None:
    craft = Craft().delegate("targets/a", "alice").delegate("targets/b", "bob")
    craft.delegate("targets/a/x", "carol").delegate("targets/a/x/y", "dave")
    for role in ("targets/a", "targets/b", "targets/a/x", "targets/a/x/y"):
        craft.tag(role, v1=GOOD)
    trusted = Folder().update(craft.shelf())
    order = ["targets", "targets/a", "targets/a/x", "targets/a/x/y", "targets/b"]
    assert list(trusted.targets) == order


def test_a_delegation_that_was_never_signed_is_passed_over() -> None:
    craft = good().delegate("targets/bob", "bob")
    trusted = Folder().update(craft.shelf())
    assert "targets/bob" not in trusted.targets
    assert trusted.invalid == {}
    assert "targets/bob" not in trusted.present()


# The cache, good and bad (client_update matrix of notary's own tests) ---------------------------------------


@pytest.mark.parametrize("role", FILES[1:])
@pytest.mark.parametrize("broken", [None, b"", b"<html>", b"{}"])
def test_a_cached_file_that_is_lost_or_broken_is_replaced(role: str, broken: bytes | None) -> None:
    folder, shelf = seasoned(), good().shelf()
    if broken is None:
        del folder.files[role]
    else:
        folder.files[role] = broken
    trusted = folder.update(shelf)
    assert asked(shelf) == ["timestamp"] if role == "timestamp" else ["timestamp", role]
    assert folder.files[role] == shelf.files[role]
    assert trusted.targets["targets"].body.version == 1


@pytest.mark.parametrize("broken", [b"", b"{", b"<html>", b'{"signed":{},"signatures":[]}'])
def test_a_broken_cached_root_is_no_first_use(broken: bytes) -> None:
    folder = seasoned()
    folder.files["root"] = broken
    with pytest.raises(EvidenceError):
        folder.update(good().shelf())


def test_a_cached_root_that_is_not_signed_vouches_for_nothing() -> None:
    folder, craft = seasoned(), good()
    craft.signers["root"] = ("mallory",)
    folder.files["root"] = craft.root()
    with pytest.raises(ChainError, match="failed to validate integrity of roots"):
        folder.update(good().shelf())


@pytest.mark.parametrize("role", FILES)
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DOWN, UnavailableError),
        (BUSY, UnavailableError),
        (GONE, NotFoundError),
        (FORBIDDEN, RefusedError),
    ],
)
def test_a_newcomer_goes_without_nothing(
    role: str, error: CountermarkError, kind: type[CountermarkError]
) -> None:
    """Whatever cannot be had makes the whole unknown, never a smaller tree."""
    shelf = good().shelf()
    for name in list(shelf.files):
        if name == role or name.startswith(f"{role}."):
            shelf.files[name] = error
    with pytest.raises(kind) as caught:
        Folder().update(shelf)
    assert caught.value is error


@pytest.mark.parametrize("error", [DOWN, BUSY])
def test_a_server_that_is_away_leaves_the_cache(error: CountermarkError) -> None:
    folder, shelf = seasoned(), good().next("targets").shelf()
    shelf.down = error
    trusted = folder.update(shelf)
    assert trusted.stale
    assert trusted.offline is error
    assert trusted.warnings == [USING_CACHE]
    assert trusted.targets["targets"].body.version == 1


@pytest.mark.parametrize("error", [GONE, FORBIDDEN])
def test_an_answer_is_no_absence(error: CountermarkError) -> None:
    """Docker takes the cache here too, which lets whoever answers 404 freeze it."""
    folder, shelf = seasoned(), good().shelf()
    shelf.files["timestamp"] = error
    with pytest.raises(type(error)) as caught:
        folder.update(shelf)
    assert caught.value is error
    assert shelf.asked == ["timestamp"]


def test_the_cache_does_not_outlive_its_timestamp() -> None:
    """Told is of the network, as docker does, since that is what has to be put right."""
    folder, shelf = seasoned(), good().shelf()
    shelf.down = DOWN
    assert folder.update(shelf, NOW + timedelta(days=14)).stale
    with pytest.raises(UnavailableError) as caught:
        folder.update(shelf, NOW + timedelta(days=14, seconds=1))
    assert caught.value is DOWN


def test_a_cached_timestamp_that_is_not_signed_is_not_taken_for_a_lost_server() -> None:
    folder, shelf = seasoned(), good().shelf()
    forged = good()
    forged.signers["timestamp"] = ("mallory",)
    folder.files["timestamp"] = forged.files()["timestamp"]
    shelf.down = DOWN
    with pytest.raises(
        EvidenceError, match="valid signatures did not meet threshold for timestamp"
    ):
        folder.update(shelf)


def test_a_cache_that_does_not_fit_together_needs_the_server() -> None:
    folder, shelf = seasoned(), good().shelf()
    del folder.files[RELEASES]
    shelf.down = DOWN
    with pytest.raises(UnavailableError):
        folder.update(shelf)


def test_without_a_cached_timestamp_a_lost_server_is_unknown() -> None:
    folder, shelf = seasoned(), good().shelf()
    del folder.files["timestamp"]
    shelf.down = DOWN
    with pytest.raises(UnavailableError):
        folder.update(shelf)


# Texts, as docker shows them ------------------------------------------------------------------------------

TEXTS: dict[str, tuple[Callable[[Craft], object], str]] = {
    "expired": (
        lambda c: c.days.update(timestamp=-3),
        "timestamp expired at Sun Nov 22 12:00:00 UTC 2026",
    ),
    "expired on the first days": (
        lambda c: c.days.update(snapshot=-20.5),
        "snapshot expired at Thu Nov 5 00:00:00 UTC 2026",
    ),
    "below threshold": (
        lambda c: c.signers.update(timestamp=("mallory",)),
        "valid signatures did not meet threshold for timestamp",
    ),
    "no signatures": (lambda c: c.signers.update(targets=()), "tuf: data has no signatures"),
    "root by nobody": (
        lambda c: c.signers.update(root=()),
        "could not validate the path to a trusted root: failed to validate integrity of roots",
    ),
    "no certificate": (
        lambda c: c.bend.update(
            root=lambda b: b.replace(roles={**b.roles, "root": b.roles["targets"]})
        ),
        NO_LEAF,
    ),
    "structure": (
        lambda c: c.bend.update(root=lambda b: b.replace(roles={"root": b.roles["root"]})),
        "root type metadata invalid: missing targets role specification",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_notarys(name: str) -> None:
    change, text = TEXTS[name]
    craft = good()
    change(craft)
    with pytest.raises(EvidenceError) as caught:
        Folder().update(craft.shelf())
    assert str(caught.value) == text


def test_the_text_of_a_rollback() -> None:
    folder = seasoned(good().next("targets"))
    with pytest.raises(EvidenceError) as caught:
        folder.update(good().shelf())
    assert str(caught.value) == "version 1 is lower than current version 2"


def test_the_text_of_a_wrong_checksum() -> None:
    shelf = good().shelf()
    (name,) = [n for n in shelf.files if n.startswith("snapshot.")]
    shelf.files[name] = good().next().files()["snapshot"][: len(shelf.files["snapshot"])]  # type: ignore[arg-type]
    with pytest.raises(EvidenceError) as caught:
        Folder().update(shelf)
    wanted = name.partition(".")[2]
    assert str(caught.value) == f"sha256 checksum for snapshot did not match: expected {wanted}"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda c: c.days.update({RELEASES: -1}),
            "targets/releases expired at Tue Nov 24 12:00:00 UTC 2026",
        ),
        (
            lambda c: c.signers.update({RELEASES: ("mallory",)}),
            "valid signatures did not meet threshold for targets/releases",
        ),
        (lambda c: c.signers.update({RELEASES: ()}), "tuf: data has no signatures"),
    ],
)
def test_an_invalid_delegation_is_told_of_and_kept_apart(
    change: Callable[[Craft], object], reason: str
) -> None:
    craft = good()
    change(craft)
    trusted = Folder().update(craft.shelf())
    assert trusted.warnings == [f"Error getting targets/releases: {reason}"]
    assert list(trusted.targets) == ["targets", ALICE]
    file, error = trusted.invalid[RELEASES]
    assert str(error) == reason
    assert file is not None
    assert file.body.targets == {"v1": meta(GOOD)}


def test_below_an_invalid_delegation_nothing_is_asked_for() -> None:
    craft = Craft().delegate("targets/a", "alice").delegate("targets/a/x", "bob")
    craft.tag("targets/a", v1=GOOD).tag("targets/a/x", v1=GOOD)
    craft.signers["targets/a"] = ("mallory",)
    shelf = craft.shelf()
    trusted = Folder().update(shelf)
    assert "targets/a/x" not in asked(shelf)
    assert list(trusted.targets) == ["targets"]


@pytest.mark.parametrize(
    ("role", "days", "texts"),
    [
        ("root", 100, ["root is nearing expiry, you should re-sign the role metadata"]),
        (
            "targets",
            100,
            ["targets metadata is nearing expiry, you should re-sign the role metadata"],
        ),
        (
            RELEASES,
            100,
            ["targets/releases metadata is nearing expiry, you should re-sign the role metadata"],
        ),
        (
            "snapshot",
            100,
            ["snapshot metadata is nearing expiry, you should re-sign the role metadata"],
        ),
        ("targets", 182, []),
        ("timestamp", 1, []),
    ],
)
def test_what_ends_within_six_months_is_told_of(role: str, days: float, texts: list[str]) -> None:
    craft = good()
    craft.days[role] = days
    assert Folder().update(craft.shelf()).warnings == texts


# Expiry, to the second --------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", FILES)
def test_a_file_counts_up_to_the_moment_that_it_names(role: str) -> None:
    craft = good()
    craft.days[role] = 1
    shelf = craft.shelf()
    end = NOW + timedelta(days=1)
    trusted = Folder().update(shelf, end)
    assert role in trusted.judged()
    late = end + timedelta(microseconds=1)
    if "/" in role:
        assert trusted.invalid == {}
        assert Folder().update(shelf, late).invalid[role][1].code == Code.EXPIRED
    else:
        with pytest.raises(ExpiredError, match=f"^{role} expired at"):
            Folder().update(shelf, late)


def test_an_expired_cached_root_is_replaced_by_a_newer_one() -> None:
    craft = good()
    craft.days["root"] = 10
    folder = seasoned(craft)
    craft.rotate("owner2").days["root"] = 3650
    craft.days["timestamp"] = 30
    trusted = folder.update(craft.shelf(), NOW + timedelta(days=11))
    assert trusted.root.body.version == 2


def test_an_expired_cached_root_with_no_newer_one_ends_it() -> None:
    craft = good()
    craft.days["root"] = 10
    craft.days["timestamp"] = 30
    with pytest.raises(ExpiredError, match="root expired at Sat Dec 5"):
        seasoned(craft).update(craft.shelf(), NOW + timedelta(days=11))


def test_an_expired_certificate_of_the_cached_root_does_not_end_everything() -> None:
    """Docker refuses every operation from then on, until somebody deletes its cache."""
    craft = good()
    craft.days = dict.fromkeys(FILES, 9000)
    folder = seasoned(craft)
    folder.known = folder.known.replace(judged={})
    late = NOW + timedelta(days=3650)  # the certificate was issued thirty days before NOW
    with pytest.raises(ChainError) as caught:
        Folder().update(craft.shelf(), late)
    assert str(caught.value) == NO_LEAF
    renewed = Craft(now=late).released_by("alice")
    renewed.roots[1] = craft.root()
    renewed.certified = ("renewed owner",)
    renewed.next("root", "targets", ALICE, RELEASES)
    renewed.wire["root"] = _also_by_the_owner
    assert folder.update(renewed.shelf(), late).root.body.version == 2


def _also_by_the_owner(root: bytes) -> bytes:
    file = parse_root(root)
    old = sign(key("owner"), file.signed, Craft().certificate("owner").id)
    return envelope(file.signed, (*file.signatures, old))


# Rollback and freeze -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", FILES[1:])
def test_versions_are_remembered_when_the_file_is_lost(role: str) -> None:
    """Notary knows the old version only while the cached file still loads."""
    folder = seasoned(good().next("targets", ALICE, RELEASES))
    folder.files.pop(role)
    old = good().next("targets", ALICE, RELEASES)
    old.versions[role] = 1
    for other in ("snapshot", "timestamp"):
        if other != role:
            old.versions[other] = 3
    with pytest.raises(EvidenceError) as caught:
        folder.update(old.shelf())
    assert caught.value.code == Code.ROLLBACK
    assert caught.value.path == role


@pytest.mark.parametrize("role", FILES[1:])
def test_an_equal_version_is_no_rollback(role: str) -> None:
    folder, craft = seasoned(), good().next()
    craft.versions[role] = 1
    if role in ("targets", ALICE, RELEASES):
        craft.tag(role, v9=OTHER)
    assert folder.update(craft.shelf()).versions()[role] == 1


def test_a_delegation_may_not_vanish_from_the_snapshot() -> None:
    folder, craft = seasoned(), good().next()
    craft.withheld.add(RELEASES)
    trusted = folder.update(craft.shelf())
    file, error = trusted.invalid[RELEASES]
    assert (file, error.code) == (None, Code.FREEZE)
    assert RELEASES in trusted.present()
    # and it is still missed the next time
    assert folder.update(craft.shelf()).invalid[RELEASES][1].code == Code.FREEZE
    # until it comes back
    assert folder.update(good().next().next().shelf()).invalid == {}


def test_a_delegation_may_be_taken_back() -> None:
    folder, craft = seasoned(), good().next("targets")
    craft.delegates = [d for d in craft.delegates if d.name != ALICE]
    trusted = folder.update(craft.shelf())
    assert trusted.invalid == {}
    assert trusted.present() == (RELEASES,)


# Roots -------------------------------------------------------------------------------------------------------


def test_a_rotation_while_we_were_away_is_followed_step_by_step() -> None:
    folder, craft = seasoned(), good()
    craft.rotate("owner2").rotate("owner3").rotate("owner4")
    shelf = craft.shelf()
    trusted = folder.update(shelf)
    assert asked(shelf) == [
        "timestamp",
        "snapshot",
        "root",
        "2.root",
        "3.root",
        "timestamp",
        "snapshot",
    ]
    assert trusted.root.body.version == 4


def test_a_gap_that_the_old_key_signed_over_is_no_gap() -> None:
    folder, craft = seasoned(), good()
    craft.rotate("owner2").rotate("owner3", also=("owner3", "owner2", "owner"))
    shelf = craft.shelf()
    folder.update(shelf)
    assert "2.root" not in shelf.asked


def test_a_missing_step_is_unknown() -> None:
    folder, craft = seasoned(), good()
    craft.rotate("owner2").rotate("owner3")
    shelf = craft.shelf()
    del shelf.files["2.root"]
    with pytest.raises(NotFoundError):
        folder.update(shelf)


def test_too_many_steps_are_an_attack() -> None:
    folder, craft = seasoned(), good()
    craft.rotate("owner2", also=("owner2",))
    craft.versions["root"] = limits.ROOT_ROTATIONS + 4
    with pytest.raises(EvidenceError) as caught:
        folder.update(craft.shelf())
    assert caught.value.code == Code.TOO_LARGE


def test_a_root_two_versions_ahead_that_our_key_signed_will_do() -> None:
    folder, craft = seasoned(), good()
    craft.roots[1] = craft.root()
    craft.versions["root"] = 3
    assert folder.update(craft.next().shelf()).root.body.version == 3


def test_a_server_with_another_root_is_told_apart() -> None:
    folder = seasoned()
    other = Craft(owner="mallory").released_by("mallory").next("root", "targets", RELEASES)
    with pytest.raises(EvidenceError) as caught:
        folder.update(other.shelf())
    assert str(caught.value) == NO_ROTATION
    assert caught.value.code == Code.ROOT_ROTATION


def test_a_threshold_of_two_root_keys() -> None:
    craft = good()
    craft.certified, craft.root_threshold = ("owner", "owner2"), 2
    assert Folder().update(craft.shelf()).root.body.version == 1
    craft.signers["root"] = ("owner",)
    with pytest.raises(ChainError, match="failed to validate integrity of roots"):
        Folder().update(craft.shelf())


def test_a_first_root_is_shown_to_whoever_accepts_it() -> None:
    def nobody(*_: Any) -> None:
        raise OTHERS_ROOT

    with pytest.raises(ChainError) as caught:
        Folder().update(good().shelf(), accept=nobody)
    assert caught.value is OTHERS_ROOT


@pytest.mark.parametrize("name", [f"{GUN}x", "registry.example.test/team/pa", "pay"])
def test_a_root_for_another_repository_is_nobodys(name: str) -> None:
    with pytest.raises(ChainError) as caught:
        Folder().update(good().shelf(), gun=name)
    assert str(caught.value) == NO_LEAF


# What the memory of judged files spares, and what it does not -------------------------------------------------


def test_what_was_judged_under_the_same_root_is_not_judged_again() -> None:
    """The memory lies beside the root; who could write the one could write the other."""
    folder, forged = seasoned(), good()
    forged.signers = dict.fromkeys(("timestamp", "snapshot", "targets"), ("mallory",))
    shelf = forged.shelf()
    fake = Folder()
    fake.files |= {role: c for role, c in shelf.files.items() if role in FILES}  # type: ignore[misc]
    fake.known = folder.known.replace(cached=fake.files.get, judged=_hashes(fake.files))
    assert fake.update(shelf).targets["targets"].body.version == 1
    for role in ("root", "timestamp", "snapshot", "targets"):
        fake.known = folder.known.replace(
            cached=fake.files.get,
            judged={r: h for r, h in _hashes(fake.files).items() if r != role},
        )
        with pytest.raises(EvidenceError) as caught:
            fake.update(shelf)
        assert caught.value.code == Code.BELOW_THRESHOLD


def _hashes(files: dict[str, bytes]) -> dict[str, str]:
    from hashlib import sha256

    return {role: sha256(content).hexdigest() for role, content in files.items()}


def test_a_delegation_is_judged_again_when_its_parent_changed() -> None:
    """Her key was replaced, and her old file is still there."""
    folder, craft = seasoned(), good().next("targets")
    craft.delegates = []
    craft.delegate(ALICE, "bob").delegate(RELEASES, "alice")
    craft.signers[ALICE] = ("alice",)
    trusted = folder.update(craft.shelf())
    assert trusted.invalid[ALICE][1].code == Code.BELOW_THRESHOLD


@pytest.mark.parametrize("role", ["snapshot", "targets", RELEASES])
def test_dates_are_looked_at_each_time(role: str) -> None:
    craft = good()
    craft.days |= {role: 5, "timestamp": 30}
    folder, shelf = seasoned(craft), craft.shelf()
    late = NOW + timedelta(days=6)
    if role == RELEASES:
        assert folder.update(shelf, late).invalid[role][1].code == Code.EXPIRED
    else:
        with pytest.raises(ExpiredError):
            folder.update(shelf, late)


# Exactly one retry ---------------------------------------------------------------------------------------------


def test_a_failure_is_tried_once_more_after_the_root() -> None:
    folder, craft = seasoned(), good()
    craft.rotate("owner2").next("targets")
    craft.signers["targets"] = ("mallory",)
    shelf = craft.shelf()
    with pytest.raises(EvidenceError) as caught:
        folder.update(shelf)
    assert caught.value.code == Code.BELOW_THRESHOLD
    assert shelf.asked.count("timestamp") == 2
    assert shelf.asked.count("root") == 1


def test_modified_is_kept_of_what_came() -> None:
    folder, shelf = Folder(), good().shelf()
    shelf.modified["timestamp"] = NOW - timedelta(hours=1)
    (targets,) = [n for n in shelf.files if n.startswith("targets.")]
    shelf.modified[targets] = NOW - timedelta(days=2)
    trusted = folder.update(shelf)
    assert trusted.modified == {
        "timestamp": NOW - timedelta(hours=1),
        "targets": NOW - timedelta(days=2),
    }
    assert set(folder.update(shelf).modified) == {"timestamp"}


def test_an_expired_cached_root_and_a_newer_one_of_somebody_else() -> None:
    """Then the stranger is what is told of, not the expiry."""
    craft = good()
    craft.days["root"] = 10
    folder = seasoned(craft)
    other = Craft(owner="mallory", now=NOW + timedelta(days=11)).released_by("mallory")
    with pytest.raises(EvidenceError) as caught:
        folder.update(other.next("root", "targets", RELEASES).shelf(), NOW + timedelta(days=11))
    assert caught.value.code == Code.ROOT_ROTATION


def test_a_lost_root_is_asked_for_by_its_version_and_known_by_its_hash() -> None:
    folder, shelf = seasoned(), good().shelf()
    folder.known = folder.known.replace(root_sha256=folder.known.judged["root"])
    root = folder.files.pop("root")
    folder.update(shelf)
    assert shelf.asked[0] == "1.root"
    assert folder.files["root"] == root
    for stranger in (Craft(owner="mallory").shelf(), TrustShelf()):
        del folder.files["root"]
        with pytest.raises(
            EvidenceError, match="the root that was believed before is lost"
        ) as caught:
            folder.update(stranger)
        assert caught.value.code == Code.PIN
        assert "trust forget" in caught.value.hint
        folder.files["root"] = root


def test_a_lost_root_is_not_looked_for_while_the_server_is_away() -> None:
    folder, shelf = seasoned(), good().shelf()
    folder.known = folder.known.replace(root_sha256=folder.known.judged["root"])
    del folder.files["root"]
    shelf.down = DOWN
    with pytest.raises(UnavailableError) as caught:
        folder.update(shelf)
    assert caught.value is DOWN


def test_pins_that_mean_a_certificate_which_does_not_count() -> None:
    craft = good()
    craft.certified = ("owner", "elsewhere")
    craft.certificates["elsewhere"] = Craft("registry.example.test/other").certificate("elsewhere")
    allowed = {craft.certificates["elsewhere"].id}
    with pytest.raises(ChainError, match="unable to match any certificates") as caught:
        Folder().update(craft.shelf(), accept=lambda *_: allowed)
    assert caught.value.code == Code.PIN


def test_more_delegations_than_anybody_has() -> None:
    craft = Craft()
    for group in range(2):
        name = f"targets/{group}"
        craft.delegate(name, "alice").tag(name, v1=GOOD)
        for number in range(limits.DELEGATIONS - 100):
            craft.delegate(f"{name}/{number}", "alice")
    with pytest.raises(EvidenceError) as caught:
        Folder().update(craft.shelf())
    assert caught.value.code == Code.TOO_LARGE


def test_what_is_not_the_next_root_is_not_believed_for_its_version() -> None:
    folder, craft = seasoned(), good()
    craft.rotate("owner2", also=("owner2",))
    shelf = craft.shelf()
    with pytest.raises(EvidenceError) as caught:
        folder.update(shelf)
    assert str(caught.value) == NO_ROTATION
    assert "2.root" not in shelf.asked


def test_an_older_cached_root_than_the_one_seen() -> None:
    folder = seasoned(good().rotate("owner2"))
    folder.files["root"] = good().root()
    with pytest.raises(EvidenceError) as caught:
        folder.update(good().rotate("owner2").shelf())
    assert caught.value.code == Code.ROLLBACK


def test_a_judged_root_that_pinned_keys_did_not_sign_is_judged_again() -> None:
    """It was believed before there was a pin, and lists the pinned certificate beside the one that signed it."""
    craft = good()
    craft.certified = ("owner", "mallory")
    craft.signers["root"] = ("mallory",)
    folder = seasoned(craft)
    folder.known = folder.known.replace(root_until=NOW + timedelta(days=1))
    folder.update(craft.shelf())
    pinned = {craft.certificate("owner").id}
    with pytest.raises(ChainError, match="failed to validate integrity of roots"):
        folder.update(craft.shelf(), accept=lambda *_: pinned)
