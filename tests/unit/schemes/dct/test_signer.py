"""What a publisher does, against our own server: signing, signers, revoking, rotation, and others who are faster."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    EvidenceError,
    InputError,
    KeyAccessError,
    RefusedError,
    UnavailableError,
)
from countermark.core.signer import DctSigner as Trusted
from countermark.formats.tuf import parse_role, parse_root, parse_targets
from countermark.proofs.keys import PrivateKey
from countermark.schemes.dct.key_ring import KeyRing
from countermark.schemes.dct.repository import Collection, Loader
from countermark.schemes.dct.signer import DctPublisher, DctSigner, Published
from countermark.schemes.dct.verifier import DctVerifier
from countermark.schemes.interface import Statement
from trust_server import Time
from world import (
    GOOD,
    GUN,
    NOW,
    OLD,
    OTHER,
    RELEASES,
    REPOSITORY,
    Craft,
    FixedPassphrases,
    HostedTrust,
    MemoryCache,
    MemoryKeys,
    Servers,
    key,
    subject,
)

ALICE, BOB = "targets/alice", "targets/bob"


class Person:
    """Somebody with a trust folder of his own."""

    def __init__(self, server: HostedTrust) -> None:
        self.server, self.cache, self.keys = server, MemoryCache(), MemoryKeys()
        self.warnings: list[str] = []
        self.passphrases = FixedPassphrases()

    @property
    def loader(self) -> Loader:
        return Loader(self.cache, self.warnings.append)

    @property
    def publisher(self) -> DctPublisher:
        ring = KeyRing(self.keys, self.passphrases)
        return DctPublisher(Servers(self.server), self.loader, ring)

    @property
    def now(self) -> object:
        return self.server.hosted.clock()

    def load(self) -> Collection:
        return self.loader.load(GUN, self.server, self.server.hosted.clock())

    def sign(self, tag: str = "v1", digest: Digest = GOOD, **given: bool) -> Published:
        now = self.server.hosted.clock()
        return self.publisher.sign(REPOSITORY, tag, digest, 1234, now, **given)

    def revoke(self, *tags: str) -> Published:
        return self.publisher.revoke(REPOSITORY, tags, self.server.hosted.clock())

    def add(self, name: str, *people: str) -> Published:
        added = [key(person).public for person in people or (name,)]
        return self.publisher.add_signer(
            REPOSITORY, name, added, self.server.hosted.clock(), initializing=lambda: None
        )

    def remove(self, name: str) -> Published:
        return self.publisher.remove_signer(REPOSITORY, name, self.server.hosted.clock())

    def has(self, name: str) -> "Person":
        self.keys.put(key(name), name)
        return self

    def knows(self, digest: Digest = GOOD, tag: str | None = "v1", role: str = "") -> Code | None:
        """What a verifier of this person's says."""
        verifier = DctVerifier(Servers(self.server), self.loader)
        signer = Trusted(name="s", first_use=True, role=role)
        (found,) = verifier.findings(subject(digest, tag), [signer], self.server.hosted.clock())
        return getattr(found, "code", None)


@pytest.fixture
def server() -> HostedTrust:
    return HostedTrust(Time(NOW))


@pytest.fixture
def owner(server: HostedTrust) -> Person:
    return Person(server)


@pytest.fixture
def reader(server: HostedTrust) -> Person:
    return Person(server)


def tags(collection: Collection) -> dict[str, tuple[Digest, str, tuple[str, ...]]]:
    return {r.tag: (r.digest, r.role, r.signers) for r in collection.released_tags()}


# The first publication -------------------------------------------------------------------------------------


def test_a_new_repository(owner: Person, reader: Person, server: HostedTrust) -> None:
    done = owner.sign()
    assert (done.initialized, done.roles, done.sent) == (True, ("targets",), True)
    (sent,) = server.sent
    assert set(sent) == {"root", "targets"}
    assert sorted(k.role for k in owner.keys.list()) == ["root", "targets"]
    assert {k.role: k.gun for k in owner.keys.list()} == {"root": "", "targets": GUN}
    assert tags(reader.load()) == {"v1": (GOOD, "targets", ())}
    assert reader.knows() is None


def test_a_new_repository_is_pinned_where_it_was_made(owner: Person, server: HostedTrust) -> None:
    """Else the server could answer its owner's own next command with another root."""
    owner.sign()
    assert owner.cache.read(GUN, "root") == server.sent[0]["root"]
    mallory = Person(HostedTrust(server.hosted.clock))
    mallory.sign(digest=OTHER)
    owner.server = mallory.server
    with pytest.raises(EvidenceError) as caught:
        owner.load()
    assert caught.value.code == Code.ROOT_ROTATION


def test_the_first_root_key_is_used_for_all_repositories(owner: Person) -> None:
    kept = owner.keys.put(key("the root key"), "root")
    owner.sign()
    assert sorted(k.role for k in owner.keys.list()) == ["root", "targets"]
    root = parse_root(owner.cache.read(GUN, "root") or b"")
    (key_id,) = root.body.roles["root"].key_ids
    from countermark.proofs.keys import canonical_id

    assert canonical_id(root.body.keys[key_id]) == kept


def test_no_key_is_made_in_vain(owner: Person) -> None:
    def away(*_: object, **__: object) -> bytes:
        raise UnavailableError("down")

    owner.server.server_key = away  # type: ignore[method-assign]
    with pytest.raises(UnavailableError):
        owner.sign()
    assert owner.keys.files == {}


# Further publications ---------------------------------------------------------------------------------------


def test_the_owner_signs_again(owner: Person, reader: Person, server: HostedTrust) -> None:
    owner.sign()
    owner.sign("v2", OTHER)
    assert set(server.sent[1]) == {"targets"}
    assert tags(reader.load()) == {"v1": (GOOD, "targets", ()), "v2": (OTHER, "targets", ())}
    owner.sign("v1", OTHER)
    assert reader.knows(OTHER) is None
    assert reader.knows(GOOD) == Code.MOVED_TAG


def test_nothing_new_is_not_sent_and_takes_no_key(owner: Person, server: HostedTrust) -> None:
    owner.sign()
    owner.keys.files.clear()
    done = owner.sign()
    assert (done.sent, done.roles) == (False, ())
    assert len(server.sent) == 1


def test_a_stranger_cannot_sign(owner: Person, server: HostedTrust) -> None:
    owner.sign()
    with pytest.raises(KeyAccessError) as caught:
        Person(server).sign("v2")
    assert str(caught.value).startswith(
        "could not find necessary signing keys, at least one of these keys must be available: "
    )
    assert len(server.sent) == 1


def test_once_there_are_signers_the_owner_signs_no_more(owner: Person, server: HostedTrust) -> None:
    owner.sign()
    owner.add("alice")
    with pytest.raises(KeyAccessError, match="no valid signing keys for delegation roles"):
        owner.sign("v2")
    done = Person(server).has("alice").sign("v2", OTHER)
    assert sorted(done.roles) == [ALICE, RELEASES]
    assert set(server.sent[-1]) == {ALICE, RELEASES}


def test_two_signers(owner: Person, reader: Person, server: HostedTrust) -> None:
    owner.add("alice")
    owner.add("bob")
    alice, bob = Person(server).has("alice"), Person(server).has("bob")
    alice.sign()
    assert tags(reader.load()) == {"v1": (GOOD, RELEASES, ("alice",))}
    bob.sign()
    assert tags(reader.load()) == {"v1": (GOOD, RELEASES, ("alice", "bob"))}
    assert set(server.sent[-1]) == {BOB}, "releases says it already"
    bob.sign(digest=OTHER)
    assert tags(reader.load()) == {"v1": (OTHER, RELEASES, ("bob",))}
    assert reader.knows(GOOD, role=ALICE) is None
    assert reader.knows(OTHER, role=ALICE) == Code.MOVED_TAG


def test_who_holds_two_signers_keys_signs_as_both(owner: Person, server: HostedTrust) -> None:
    owner.add("alice")
    owner.add("bob")
    done = Person(server).has("alice").has("bob").sign()
    assert sorted(done.roles) == [ALICE, BOB, RELEASES]


def test_a_signer_who_may_only_name_some_tags(owner: Person, server: HostedTrust) -> None:
    owner.sign()
    now = server.hosted.clock()
    collection = owner.load()
    from countermark.schemes.dct.publish import Draft

    draft = Draft.of(collection.trusted, collection.memory.versions)
    draft.add_delegation(ALICE, [key("alice").public], ("nightly-",))
    server.publish(GUN, draft.sign(KeyRing(owner.keys, owner.passphrases), now))
    alice = Person(server).has("alice")
    with pytest.raises(KeyAccessError, match="no valid signing keys for delegation roles"):
        alice.sign("v2")
    assert alice.sign("nightly-1").roles == (ALICE,)


# Others who are faster --------------------------------------------------------------------------------------


def test_another_publisher_was_faster(owner: Person, reader: Person, server: HostedTrust) -> None:
    owner.sign()
    other = Person(server)
    other.keys.files = dict(owner.keys.files)
    raced: list[Published] = []

    def race() -> None:
        server.before = lambda: None
        raced.append(other.sign("v2", OTHER))

    server.before = race
    assert owner.sign("v3", OLD).sent
    assert raced
    assert tags(reader.load()).keys() == {"v1", "v2", "v3"}


def test_somebody_who_is_always_faster(owner: Person, server: HostedTrust) -> None:
    owner.sign()

    def conflict() -> None:
        raise RefusedError("newer", status=400, code=Code.VERSION_CONFLICT)

    server.before = conflict
    with pytest.raises(RefusedError) as caught:
        owner.sign("v2")
    assert caught.value.code == Code.VERSION_CONFLICT


def test_another_refusal_is_not_tried_again(owner: Person, server: HostedTrust) -> None:
    owner.sign()
    calls: list[int] = []

    def refuse() -> None:
        calls.append(1)
        raise RefusedError("trust server rejected operation.", status=400)

    server.before = refuse
    with pytest.raises(RefusedError):
        owner.sign("v2")
    assert calls == [1]


# Signers come and go ----------------------------------------------------------------------------------------


def test_a_signer_in_a_new_repository(owner: Person, reader: Person, server: HostedTrust) -> None:
    told: list[str] = []
    done = owner.publisher.add_signer(
        REPOSITORY, "alice", [key("alice").public], NOW, initializing=lambda: told.append("init")
    )
    assert told == ["init"]
    assert (done.initialized, done.roles) == (True, ("targets",))
    assert reader.load().signers() == [("alice", (key("alice").id,))]


def test_keys_are_added_to_a_signer(owner: Person, reader: Person) -> None:
    owner.add("alice")
    owner.add("alice", "alice at home")
    owner.add("alice")
    ids = (key("alice").id, key("alice at home").id)
    assert reader.load().signers() == [("alice", ids)]


@pytest.mark.parametrize(
    "name", ["", "Alice", "a/b", "../x", "a b", "alice@example.com", "releases"]
)
def test_names_that_are_no_signers(owner: Person, name: str) -> None:
    with pytest.raises(InputError):
        owner.add(name, "alice")
    assert owner.keys.files == {}


def test_only_the_owner_adds_signers(owner: Person, server: HostedTrust) -> None:
    owner.add("alice")
    with pytest.raises(KeyAccessError, match="could not find necessary signing keys"):
        Person(server).has("alice").add("mallory")


def test_a_signer_is_removed(owner: Person, reader: Person, server: HostedTrust) -> None:
    owner.add("alice")
    owner.add("bob")
    Person(server).has("alice").sign()
    Person(server).has("bob").sign("v2")
    collection = owner.load()
    assert not owner.publisher.is_last_signer(collection, "alice")
    done = owner.remove("alice")
    assert done.warnings == ()
    found = reader.load()
    assert found.signers() == [("bob", (key("bob").id,))]
    assert tags(found).keys() == {"v1", "v2"}
    assert found.trusted.invalid == {}


def test_the_last_signer_is_removed_and_another_key_is_here(
    owner: Person, reader: Person, server: HostedTrust
) -> None:
    """Docker leaves a repository that nobody can pull from or sign; ours signs the list again."""
    owner.add("alice")
    owner.add("bob")
    Person(server).has("alice").sign()
    owner.has("bob")
    assert owner.publisher.is_last_signer(owner.load(), "alice")
    assert owner.remove("alice").warnings == ()
    assert reader.knows() is None


def test_the_last_signer_is_removed_and_the_next_one_signs(
    owner: Person, reader: Person, server: HostedTrust
) -> None:
    """Docker's client starts targets/releases at version 1 here, and is refused for ever."""
    owner.add("alice")
    owner.add("bob")
    Person(server).has("alice").sign()
    bob = Person(server).has("bob")
    bob.load()
    (warning,) = owner.remove("alice").warnings
    assert "no tag can be pulled" in warning
    assert reader.knows() == Code.BELOW_THRESHOLD
    # he has verified alice's list while it counted, so that he can take it over
    bob.sign("v2", OTHER)
    assert tags(reader.load()) == {"v1": (GOOD, RELEASES, ()), "v2": (OTHER, RELEASES, ("bob",))}


def test_a_list_that_we_never_verified_is_not_taken_over_silently(
    owner: Person, reader: Person, server: HostedTrust
) -> None:
    owner.add("alice")
    owner.add("bob")
    Person(server).has("alice").sign()
    owner.remove("alice")
    bob = Person(server).has("bob")
    with pytest.raises(EvidenceError, match="it lists: v1") as caught:
        bob.sign("v2", OTHER)
    assert caught.value.code == Code.BELOW_THRESHOLD
    bob.sign("v2", OTHER, accept_lapsed=True)
    assert tags(reader.load()).keys() == {"v1", "v2"}


def test_a_lapsed_list_is_not_believed_because_it_once_was(
    owner: Person, server: HostedTrust
) -> None:
    owner.add("alice")
    owner.add("bob")
    Person(server).has("alice").sign()
    reader = Person(server)
    assert reader.knows() is None
    owner.remove("alice")
    for _ in range(3):
        assert reader.knows() == Code.BELOW_THRESHOLD


def test_a_signer_is_added_again_with_another_key(
    owner: Person, reader: Person, server: HostedTrust
) -> None:
    """Docker's client starts his file at version 1, and is refused for ever."""
    owner.add("alice")
    Person(server).has("alice").sign()
    owner.add("bob")
    Person(server).has("bob").sign("v2")
    owner.remove("alice")
    owner.add("alice", "alice's second key")
    alice = Person(server).has("alice's second key")
    alice.sign("v3", OLD)
    found = reader.load()
    assert found.trusted.targets[ALICE].body.version == 2
    assert set(found.trusted.targets[ALICE].body.targets) == {"v3"}


def test_a_shared_key_stays_with_the_other_signer(
    owner: Person, reader: Person, server: HostedTrust
) -> None:
    owner.add("alice")
    owner.add("bob", "alice")
    Person(server).has("alice").sign()
    owner.remove("alice")
    assert reader.knows() is None
    assert reader.load().signers() == [("bob", (key("alice").id,))]


def test_signers_who_are_not_there(owner: Person) -> None:
    owner.add("alice")
    with pytest.raises(InputError, match=f"no signer bob for repository {GUN}"):
        owner.remove("bob")
    with pytest.raises(EvidenceError, match="all signed tags are currently revoked"):
        owner.publisher.is_last_signer(owner.load(), "alice")


# Revoking ---------------------------------------------------------------------------------------------------


def test_a_tag_is_revoked_everywhere(owner: Person, reader: Person, server: HostedTrust) -> None:
    """Docker leaves the old entry in targets, which then counts again."""
    owner.sign()
    owner.add("alice")
    owner.has("alice").sign(digest=OTHER)
    done = owner.revoke("v1")
    assert done.left == ()
    assert sorted(done.roles) == ["targets", ALICE, RELEASES]
    assert reader.knows(OTHER) == reader.knows(GOOD) == Code.UNSIGNED


def test_what_is_not_ours_is_told_of(owner: Person, server: HostedTrust) -> None:
    owner.sign()
    owner.add("alice")
    alice = Person(server).has("alice")
    alice.sign()
    done = alice.revoke("v1")
    assert done.left == ("targets",)
    assert sorted(done.roles) == [ALICE, RELEASES]
    with pytest.raises(KeyAccessError, match="no valid signing keys for delegation roles"):
        Person(server).revoke("v1")


# Keys -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "server_held"),
    [
        ("targets", False),
        ("snapshot", False),
        ("snapshot", True),
        ("timestamp", True),
        ("root", False),
    ],
)
def test_a_key_is_rotated(owner: Person, server: HostedTrust, role: str, server_held: bool) -> None:
    owner.sign()
    seasoned = Person(server)
    seasoned.load()
    before = set(owner.keys.files)
    old = parse_root(server.sent[0]["root"]).body
    (new,) = owner.publisher.rotate(REPOSITORY, role, NOW, server_held=server_held)
    found = seasoned.load()
    assert found.trusted.root.body.version == 2
    assert found.trusted.root.body.roles[role].key_ids == (new,)
    assert old.roles[role].key_ids != (new,)
    assert before <= set(owner.keys.files), "old keys are never deleted"
    assert (old.roles[role].key_ids[0] in found.trusted.root.body.keys) == (role == "root")
    owner.sign("v2", OTHER)
    assert seasoned.knows(OTHER, "v2") is None
    assert Person(server).knows(OTHER, "v2") is None


def test_a_rotated_root_is_signed_by_old_and_new(owner: Person, server: HostedTrust) -> None:
    owner.sign()
    owner.publisher.rotate(REPOSITORY, "root", NOW)
    root = parse_root(server.sent[-1]["root"])
    old = parse_root(server.sent[0]["root"]).body.roles["root"].key_ids
    assert {s.key_id for s in root.signatures} == {*root.body.roles["root"].key_ids, *old}


def test_without_the_old_root_key_there_is_no_rotation(owner: Person, server: HostedTrust) -> None:
    owner.sign()
    (root,) = [k.id for k in owner.keys.list() if k.role == "root"]
    del owner.keys.files[root]
    with pytest.raises(KeyAccessError):
        owner.publisher.rotate(REPOSITORY, "root", NOW)
    assert len(server.sent) == 1


@pytest.mark.parametrize(
    ("role", "server_held"), [("root", True), ("targets", True), (RELEASES, False), ("", False)]
)
def test_keys_that_cannot_be_rotated_so(owner: Person, role: str, server_held: bool) -> None:
    with pytest.raises(InputError):
        owner.publisher.rotate(REPOSITORY, role, NOW, server_held=server_held)


# Time -------------------------------------------------------------------------------------------------------


def _nearly_ten_years_pass(owner: Person) -> None:
    for year in range(1, 10):
        owner.server.hosted.clock.now = NOW + timedelta(days=365 * year)
        owner.sign(f"year-{year}")
        assert set(owner.server.sent[-1]) == {"targets"}
    owner.server.hosted.clock.now = NOW + timedelta(days=3650 - 100)


def test_who_holds_the_root_key_renews_the_root(owner: Person, server: HostedTrust) -> None:
    owner.sign()
    _nearly_ten_years_pass(owner)
    owner.sign("v2", OTHER)
    assert set(server.sent[-1]) == {"root", "targets"}
    assert parse_root(server.sent[-1]["root"]).body.version == 2


@pytest.mark.parametrize("has_file", [False, True])
def test_who_cannot_renew_the_root_signs_all_the_same(
    owner: Person, server: HostedTrust, has_file: bool
) -> None:
    """Notary's clients fail here, which stops every delegate half a year before the end."""
    owner.sign()
    _nearly_ten_years_pass(owner)
    (root,) = [k.id for k in owner.keys.list() if k.role == "root"]
    private = owner.keys.files.pop(root)
    if has_file:
        from countermark.proofs import key_files

        opened = key_files.open_key(private, None)
        owner.keys.put(opened, "root", passphrase="nobody knows it")
    owner.sign("v2", OTHER)
    assert set(server.sent[-1]) == {"targets"}


def test_an_expired_list_is_signed_again(
    owner: Person, reader: Person, server: HostedTrust
) -> None:
    owner.add("alice")
    alice = Person(server).has("alice")
    alice.sign()
    server.hosted.clock.now = NOW + timedelta(days=1000)
    owner.add("bob")  # so that targets goes on
    server.hosted.clock.now = NOW + timedelta(days=1100)
    assert Person(server).knows() == Code.EXPIRED
    Person(server).has("alice").sign("v2", OTHER)
    found = reader.load()
    assert tags(found).keys() == {"v1", "v2"}
    assert found.trusted.targets[RELEASES].body.version == 2


# The engine's signer ----------------------------------------------------------------------------------------


def test_the_engines_signer(owner: Person, reader: Person) -> None:
    signer = DctSigner(owner.publisher)
    receipt = signer.sign(Statement(subject=subject()), NOW)
    assert (receipt.scheme, receipt.location) == ("dct", GUN)
    assert receipt.signatories == ("targets",)
    assert reader.knows() is None
    assert signer.sign(Statement(subject=subject()), NOW).signatories == ("targets",)


@pytest.mark.parametrize("given", [subject(tag=None), subject().replace(size=None)])
def test_what_content_trust_cannot_sign(owner: Person, given: object) -> None:
    with pytest.raises(InputError, match="content trust signs a tag"):
        DctSigner(owner.publisher).sign(Statement(subject=given), NOW)  # type: ignore[arg-type]


def test_whatever_we_send_is_what_go_would_write(owner: Person, server: HostedTrust) -> None:
    owner.sign()
    owner.add("alice")
    owner.has("alice").sign("v2", OTHER)
    owner.publisher.rotate(REPOSITORY, "snapshot", NOW)
    owner.remove("alice")
    for sent in server.sent:
        for role, content in sent.items():
            assert parse_role(role, content).is_canonical_wire(), role
    targets = parse_targets(server.sent[0]["targets"]).body
    assert targets.targets["v1"].as_json() == {
        "hashes": {"sha256": "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo="},
        "length": 1234,
    }


def test_types(owner: Person) -> None:
    assert isinstance(key("alice"), PrivateKey)
    assert owner.publisher.exists(REPOSITORY, NOW) is None
    owner.sign()
    assert owner.publisher.exists(REPOSITORY, NOW) is not None
    made: Callable[[], object] = owner.load
    assert made()


def test_what_cannot_be_believed_is_no_new_repository(owner: Person, server: HostedTrust) -> None:
    """Else a server that shows rubbish would have its owner begin anew, with another root."""
    owner.sign()
    owner.cache.files[GUN, "root"] = b"rubbish"
    owner.cache.files.pop((GUN, "countermark"), None)
    with pytest.raises(EvidenceError):
        owner.sign("v2")
    assert len(server.sent) == 1


def test_a_list_that_is_withheld_is_not_begun_anew() -> None:
    """The server's keys could hide it, and have it replaced by an empty one."""
    craft, keys, cache = Craft().released_by("alice"), MemoryKeys(), MemoryCache()
    keys.put(key("alice"), "alice")
    ring = KeyRing(keys, FixedPassphrases())
    loader = Loader(cache, lambda _: None)
    loader.load(GUN, craft.shelf(), NOW)
    craft.next().withheld.add(RELEASES)
    publisher = DctPublisher(Servers(craft.shelf()), loader, ring)
    with pytest.raises(EvidenceError) as caught:
        publisher.sign(REPOSITORY, "v2", OTHER, 1234, NOW)
    assert caught.value.code == Code.FREEZE


def test_a_name_that_was_given_again_begins_anew(owner: Person) -> None:
    """On notary's server the file of the last holder is still listed, and is not hers to repeat."""
    craft, keys = Craft().released_by("alice"), MemoryKeys()
    craft.versions[ALICE] = 7
    craft.signers[ALICE] = ("the last holder",)
    keys.put(key("alice"), "alice")
    sent: dict[str, bytes] = {}
    shelf = craft.shelf()
    shelf.publish = lambda gun, files: sent.update(files)  # type: ignore[method-assign]
    loader = Loader(MemoryCache(), lambda _: None)
    publisher = DctPublisher(Servers(shelf), loader, KeyRing(keys, FixedPassphrases()))
    publisher.sign(REPOSITORY, "v2", OTHER, 1234, NOW)
    found = parse_targets(sent[ALICE], ALICE).body
    assert (found.version, set(found.targets)) == (8, {"v2"})
    assert set(parse_targets(sent[RELEASES], RELEASES).body.targets) == {"v1", "v2"}


def test_revoking_tells_of_roles_that_do_not_count_now(server: HostedTrust) -> None:
    craft, keys = Craft().released_by("alice", "bob"), MemoryKeys()
    craft.days[BOB] = -1
    keys.put(key("alice"), "alice")
    shelf = craft.shelf()
    shelf.publish = lambda gun, files: None  # type: ignore[method-assign]
    loader = Loader(MemoryCache(), lambda _: None)
    publisher = DctPublisher(Servers(shelf), loader, KeyRing(keys, FixedPassphrases()))
    assert publisher.revoke(REPOSITORY, ["v1"], NOW).left == (BOB,)


def test_a_folder_full_of_versions_is_not_walked_for_ever(
    owner: Person, server: HostedTrust
) -> None:
    from countermark.core.ports import Fetched
    from countermark.schemes.dct import signer as module

    owner.add("alice")
    alice = Person(server).has("alice")
    fetch = server.fetch

    def endless(gun: str, name: str, max_bytes: int) -> Fetched:
        return Fetched(content=b"") if name.endswith(f".{ALICE}") else fetch(gun, name, max_bytes)

    def conflict() -> None:
        raise RefusedError("newer", status=400, code=Code.VERSION_CONFLICT)

    server.fetch, server.before = endless, conflict  # type: ignore[method-assign]
    with pytest.raises(RefusedError):
        alice.sign()
    assert len(server.asked) < 3 * module._MOST_VERSIONS
