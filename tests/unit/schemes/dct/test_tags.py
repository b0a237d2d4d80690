"""Every tag that content trust vouches for, and by whom, as a migration reads it."""

import pytest

from countermark.core.errors import Code, EvidenceError
from countermark.schemes.dct.repository import Loader
from countermark.schemes.dct.tags import DctTags
from world import GOOD, GUN, NOW, OLD, OTHER, REPOSITORY, Craft, MemoryCache, Servers, TrustShelf


def tags(craft: Craft | TrustShelf) -> DctTags:
    shelf = craft.shelf() if isinstance(craft, Craft) else craft
    return DctTags(Servers(shelf), Loader(MemoryCache(), lambda _: None))


def test_released_tags_and_their_signers() -> None:
    craft = Craft().released_by("alice", "bob").tag("targets", v0=OLD)
    craft.tag("targets/alice", lonely=OTHER)
    found = {each.tag: each for each in tags(craft).tags(REPOSITORY, NOW)}
    assert set(found) == {"v1", "v0"}
    assert (found["v1"].digest, found["v1"].signers) == (GOOD, ("alice", "bob"))
    assert (found["v0"].digest, found["v0"].signers) == (OLD, ("targets",))


def test_a_repository_without_trust_data() -> None:
    with pytest.raises(EvidenceError) as caught:
        tags(TrustShelf()).tags(REPOSITORY, NOW)
    assert caught.value.code == Code.UNSIGNED
    assert GUN in str(caught.value)
