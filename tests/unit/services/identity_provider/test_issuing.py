"""The issuer's own keys: made once, published before they sign and after, and what a full disk does to them."""

from datetime import timedelta

import pytest

from countermark.core.errors import Code, KeyAccessError, StorageError
from countermark.proofs import token_keys, tokens
from countermark.proofs.tokens import UnverifiedToken
from countermark.services.identity_provider.issuing import Tokens
from countermark.services.identity_provider.people import Person
from countermark.services.identity_provider.settings import Settings
from identity import ISSUER, NOW, MemoryServiceKeys, Time

DAY = 86_400
SETTINGS = Settings(issuer=ISSUER)
ALICE = Person(name="alice@example.com")


class World:
    def __init__(self) -> None:
        self.store, self.clock = MemoryServiceKeys(), Time()
        self.tokens = Tokens(SETTINGS, self.store, self.clock)

    def again(self) -> Tokens:
        """What another process would see, or this one after a restart."""
        return Tokens(SETTINGS, self.store, self.clock)

    def published(self, by: Tokens | None = None) -> list[str]:
        return [key.id for key in token_keys.parse_key_set((by or self.tokens).key_set())]

    def token(self, by: Tokens | None = None) -> str:
        maker = by or self.tokens
        made = maker.issue(maker.plan(), ALICE, ("sigstore",), frozenset({"email"}), {})
        return made.token

    def signer(self, by: Tokens | None = None) -> str:
        return UnverifiedToken(self.token(by)).key_id

    def is_good(self, token: str) -> bool:
        keys = token_keys.parse_key_set(self.tokens.key_set())
        return bool(tokens.check(token, keys, ISSUER, "sigstore", self.clock.now))


def test_the_first_key_signs_at_once_and_stays() -> None:
    world = World()
    first = world.signer()
    assert world.published() == [first]
    assert world.published(world.again()) == [first]
    assert world.signer(world.again()) == first
    assert len(world.store.kept) == 1
    assert world.is_good(world.token())


def test_rotation_overlaps_on_both_sides() -> None:
    world = World()
    first = world.signer()
    world.clock.forward(90 * DAY)
    published = world.published()
    assert len(published) == 2
    assert world.signer() == first  # the new one is published only
    world.clock.forward(DAY - 1)
    assert world.signer() == first
    last = world.token()
    world.clock.forward(1)
    assert world.signer() == published[1] != first
    assert world.published() == published  # what the old one signed is still good
    assert world.is_good(last)
    world.clock.forward(600 + DAY - 1)
    assert world.published() == published
    world.clock.forward(1)
    assert world.published() == published[1:]


def test_years_of_rotation_keep_two_keys_published() -> None:
    world = World()
    for _ in range(3 * 365):
        world.clock.forward(DAY)
        before = world.published()
        assert world.signer() in before
        assert len(before) <= 2
    assert len(world.store.kept) == 13


def test_two_processes_see_each_others_keys_within_a_minute() -> None:
    world, other = World(), None
    world.published()
    other = world.again()
    other.key_set()
    world.clock.forward(90 * DAY)
    world.published()
    other.key_set()
    assert len(world.store.kept) == 2
    assert world.published(other) == world.published()


def test_old_keys_that_cannot_be_opened_any_more_do_no_harm() -> None:
    world = World()
    world.published()
    world.clock.forward(100 * DAY)
    world.published()
    oldest = min(world.store.kept)
    world.store.kept[oldest] = b"broken"
    world.clock.forward(10 * DAY)
    assert world.published(world.again())


def test_keys_of_others_in_the_same_store() -> None:
    world = World()
    world.store.kept["certificate-authority-1"] = b"another service's"
    world.store.kept["identity-provider-x"] = b"not ours either"
    assert len(world.published()) == 1


def test_a_key_that_is_broken_or_gone() -> None:
    world = World()
    world.published()
    name = next(iter(world.store.kept))
    world.store.kept[name] = b"broken"
    with pytest.raises(KeyAccessError):
        world.again().key_set()

    class Forgetful(MemoryServiceKeys):
        def get(self, name: str) -> bytes | None:
            return None

    with pytest.raises(KeyAccessError, match="is gone"):
        Tokens(SETTINGS, Forgetful(), world.clock).key_set()


def test_a_full_disk_stops_a_new_issuer_and_not_an_old_one() -> None:
    world = World()
    world.store.full = True
    with pytest.raises(StorageError) as caught:
        world.published()
    assert caught.value.code == Code.NO_SPACE
    world.store.full = False
    first = world.signer()
    world.clock.forward(200 * DAY)
    world.store.full = True
    assert world.signer() == first
    world.store.full = False
    assert len(world.published()) == 2


def test_a_clock_that_is_set_back() -> None:
    world = World()
    world.published()
    world.clock.forward(-10 * DAY)
    assert world.is_good(world.token())
    assert len(world.store.kept) == 1


def test_a_name_says_when_it_was_made() -> None:
    world = World()
    world.published()
    assert next(iter(world.store.kept)).startswith("identity-provider-20260301t120000z-")


def test_a_plan_is_what_is_made() -> None:
    world = World()
    plan = world.tokens.plan()
    assert plan.until == NOW + timedelta(seconds=600)
    made = world.tokens.issue(plan, ALICE, ("sigstore",), frozenset(), {})
    claims = tokens.unverified_claims(made.token)
    assert (made.id, made.until) == (plan.id, plan.until)
    assert (claims["jti"], claims["exp"]) == (plan.id, int(plan.until.timestamp()))
    assert world.tokens.plan().id != plan.id
