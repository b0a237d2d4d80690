"""What a verifier answers: a claim, a rejection that says why, or an error that becomes a silence."""

from datetime import timedelta
from typing import Any

import pytest

from countermark.core.claim import Claim, Finding, Rejection, Silence
from countermark.core.errors import (
    Code,
    CountermarkError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.core.reference import ImageReference
from countermark.core.signer import DctSigner
from countermark.proofs.keys import fingerprint
from countermark.proofs.trusted_set import USING_CACHE
from countermark.schemes.dct.repository import Loader
from countermark.schemes.dct.verifier import DctVerifier
from world import (
    GOOD,
    GUN,
    NOW,
    OLD,
    OTHER,
    RELEASES,
    Craft,
    MemoryCache,
    Servers,
    TrustShelf,
    key,
    subject,
)

ALICE, BOB = "targets/alice", "targets/bob"
ANY = DctSigner(name="any", first_use=True)
TAG = ImageReference.parse(f"{GUN}:v1")


def signer(name: str, role: str = "", **given: Any) -> DctSigner:
    given.setdefault("first_use", "roots" not in given)
    return DctSigner(name=name, role=role, **given)


class Client:
    def __init__(self, *shelves: Craft | TrustShelf) -> None:
        self.shelves = [s.shelf() if isinstance(s, Craft) else s for s in shelves]
        others = {f"s{n}": shelf for n, shelf in enumerate(self.shelves)}
        self.cache, self.warnings = MemoryCache(), list[str]()
        self.servers = Servers(self.shelves[0], **others)

    @property
    def verifier(self) -> DctVerifier:
        return DctVerifier(self.servers, Loader(self.cache, self.warnings.append))

    def ask(self, *signers: DctSigner, about: Any = None, now: Any = NOW) -> tuple[Finding, ...]:
        return self.verifier.findings(about or subject(), signers or (ANY,), now)


def claim(finding: Finding) -> Claim:
    assert isinstance(finding, Claim), finding
    return finding


def rejection(finding: Finding) -> Rejection:
    assert isinstance(finding, Rejection), finding
    return finding


def test_a_claim_says_all_there_is() -> None:
    craft = Craft().released_by("alice", "bob")
    craft.days["timestamp"] = 9
    client = Client(craft)
    shelf = client.shelves[0]
    shelf.modified = dict.fromkeys(shelf.files, NOW - timedelta(days=2))
    found = claim(*client.ask())
    assert found.signer == "any"
    assert found.digest == GOOD
    assert (found.signatory.scheme, found.signatory.name) == ("dct", "alice, bob")
    assert set(found.signatory.keys) == {fingerprint(key(n).public) for n in ("alice", "bob")}
    assert found.signed_at == NOW - timedelta(days=2)
    assert not found.proven_time, "a server's word proves nothing"
    assert found.expires == NOW + timedelta(days=9)
    assert (found.first_use, found.stale) == (True, False)
    root = craft.certificate("owner").id[:12]
    assert found.notes == (("role", RELEASES), ("tag", "v1"), ("root", root))


@pytest.mark.parametrize(
    ("role", "ends"),
    [("targets", 40), (RELEASES, 30), (ALICE, 20), (BOB, 40)],
)
def test_a_claim_ends_with_the_first_file_that_it_rests_on(role: str, ends: int) -> None:
    craft = Craft().released_by("alice", "bob").tag("targets", v1=GOOD)
    craft.days = {"timestamp": 90, "targets": 40, RELEASES: 30, ALICE: 20, "snapshot": 50}
    assert claim(*Client(craft).ask(signer("s", role))).expires == NOW + timedelta(days=ends)


def test_the_owner_has_dockers_name() -> None:
    assert claim(*Client(Craft()).ask()).signatory.name == "Repo Admin"


def test_signers_are_told_apart_and_fetched_for_once() -> None:
    client = Client(Craft().released_by("alice").delegate(BOB, "bob").tag(BOB, v1=OTHER))
    found = client.ask(ANY, signer("a", ALICE), signer("b", BOB), signer("c", "targets/carol"))
    assert [f.signer for f in found] == ["any", "a", "b", "c"]
    assert claim(found[0]).signatory.is_same_as(claim(found[1]).signatory)
    moved = rejection(found[2])
    assert (moved.code, moved.signed_digest, moved.signed_by) == (Code.MOVED_TAG, OTHER, ("bob",))
    assert rejection(found[3]).code == Code.UNSIGNED
    assert client.shelves[0].asked.count("timestamp") == 1


def test_a_moved_tag_names_both_digests_and_who_signed() -> None:
    found = rejection(*Client(Craft().released_by("alice")).ask(about=subject(OTHER)))
    assert found.code == Code.MOVED_TAG
    assert found.reason == "v1 is signed as another digest"
    assert (found.signed_digest, found.signed_by, found.path) == (GOOD, ("alice",), RELEASES)


# Without a tag -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("digest", "role", "code"),
    [
        (GOOD, "", None),
        (GOOD, ALICE, None),
        (OTHER, "", Code.UNSIGNED),
        (OTHER, ALICE, None),
        (OLD, "", Code.UNSIGNED),  # of targets, but the release role has another for this tag
        (OLD, "targets", None),
        (GOOD, BOB, Code.UNSIGNED),
    ],
)
def test_a_digest_counts_under_any_tag(digest: Any, role: str, code: Code | None) -> None:
    craft = Craft().released_by("alice").tag("targets", v1=OLD).tag(ALICE, v2=OTHER)
    (found,) = Client(craft).ask(signer("s", role), about=subject(digest, tag=None))
    assert getattr(found, "code", None) == code


# Roots -----------------------------------------------------------------------------------------------------


def test_a_pinned_root_is_no_first_use() -> None:
    pins = (key("owner").id,)
    client = Client(Craft())
    assert not claim(*client.ask(signer("s", roots=pins))).first_use
    assert not claim(*client.ask(signer("s", roots=pins, first_use=True))).first_use
    assert claim(*client.ask(signer("s", roots=(key("x").id,), first_use=True))).first_use


def test_a_root_that_one_signer_does_not_mean() -> None:
    mine, hers = signer("mine", roots=(key("owner").id,)), signer("hers", roots=(key("x").id,))
    found = Client(Craft()).ask(mine, hers)
    assert claim(found[0]).signer == "mine"
    assert rejection(found[1]).code == Code.PIN
    (alone,) = Client(Craft()).ask(hers)
    assert rejection(alone).code == Code.PIN


def test_a_pin_of_trust_pin_counts_for_everybody() -> None:
    client = Client(Craft())
    loader = Loader(client.cache, client.warnings.append)
    loader.pin(GUN, loader.load(GUN, client.shelves[0], NOW))
    assert not claim(*client.ask()).first_use


# Servers -------------------------------------------------------------------------------------------------------


def test_each_server_is_asked_for_its_own_signers() -> None:
    client = Client(Craft(), TrustShelf())
    client.shelves[1].down = UnavailableError("connection refused")
    here, there = client.ask(signer("here"), signer("there", server="s1"))
    assert claim(here).signer == "here"
    assert not claim(here).stale
    assert claim(there).stale, "what the first one filled is the repository's cache"
    there, here = Client(*client.shelves[::-1]).ask(signer("there"), signer("here", server="s1"))
    assert there == Silence(signer="there", code=Code.UNAVAILABLE, reason="connection refused")
    assert claim(here).signer == "here"


def test_no_trust_data_at_all() -> None:
    found = rejection(*Client(TrustShelf()).ask())
    assert found.code == Code.UNSIGNED
    assert found.reason == f"trust.example.test does not have trust data for {GUN}"


def test_a_server_that_is_away() -> None:
    client = Client(Craft())
    client.ask()
    client.shelves[0].down = UnavailableError("connection refused")
    found = claim(*client.ask())
    assert found.stale
    assert client.warnings == [USING_CACHE]
    (late,) = client.ask(now=NOW + timedelta(days=15))
    assert late == Silence(signer="any", code=Code.UNAVAILABLE, reason="connection refused")


@pytest.mark.parametrize(
    "error",
    [
        RefusedError("server returned 401.", status=401),
        RefusedError("unable to reach trust server at this time: 403.", status=403),
        NotFoundError("timestamp trust data unavailable.", status=404),
    ],
)
def test_an_answer_is_no_absence(error: CountermarkError) -> None:
    client = Client(Craft())
    client.ask()
    client.shelves[0].files["timestamp"] = error
    assert client.ask() == (Silence(signer="any", code=error.code, reason=str(error)),)


def test_below_an_invalid_role_its_error_is_told() -> None:
    craft = Craft().delegate("targets/a", "alice").delegate("targets/a/x", "bob")
    craft.tag("targets/a", v1=GOOD).tag("targets/a/x", v1=GOOD)
    craft.signers["targets/a"] = ("mallory",)
    found = rejection(*Client(craft).ask(signer("s", "targets/a/x")))
    assert found.code == Code.BELOW_THRESHOLD


def test_an_invalid_release_role_does_not_silence_a_signers_own() -> None:
    craft = Craft().released_by("alice")
    craft.days[RELEASES] = -1
    found = Client(craft).ask(ANY, signer("a", ALICE))
    assert rejection(found[0]).code == Code.EXPIRED
    assert claim(found[1]).digest == GOOD


# Which digest a tag means (movedTag: useSigned) ------------------------------------------------------------------


def test_the_digest_of_a_tag() -> None:
    client = Client(Craft().released_by("alice"))
    assert client.verifier.digest_of(TAG, [ANY, signer("a", ALICE)], NOW) == GOOD
    assert client.shelves[0].asked.count("timestamp") == 1


@pytest.mark.parametrize(
    ("signers", "tag"),
    [
        ((ANY, signer("b", BOB)), "v1"),  # they differ
        ((ANY,), "v9"),
        ((signer("a", ALICE),), "v9"),
        ((signer("s", "targets/carol"),), "v1"),
        ((), "v1"),
    ],
)
def test_no_one_digest(signers: tuple[DctSigner, ...], tag: str) -> None:
    craft = Craft().released_by("alice").delegate(BOB, "bob").tag(BOB, v1=OTHER)
    reference = ImageReference.parse(f"{GUN}:{tag}")
    with pytest.raises(NotFoundError):
        Client(craft).verifier.digest_of(reference, signers, NOW)


def test_a_digest_under_another_root_is_not_said() -> None:
    both = [ANY, signer("s", roots=(key("x").id,))]
    assert Client(Craft()).verifier.digest_of(TAG, both, NOW) == GOOD
    pinned = signer("s", roots=(key("x").id,))
    with pytest.raises(CountermarkError):
        Client(Craft()).verifier.digest_of(TAG, [pinned], NOW)


def test_an_invalid_release_role_has_no_digest() -> None:
    craft = Craft().released_by("alice").tag("targets", v1=OLD)
    craft.days[RELEASES] = -1
    with pytest.raises(CountermarkError) as caught:
        Client(craft).verifier.digest_of(TAG, [ANY], NOW)
    assert caught.value.code == Code.EXPIRED
