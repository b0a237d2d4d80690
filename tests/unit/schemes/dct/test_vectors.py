"""Repositories that notary 0.1 and 0.3 made: they must be believed for ever, under a fixed clock."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from countermark.core.errors import ChainError, UnavailableError
from countermark.core.ports import Fetched
from countermark.formats.tuf import parse_role
from countermark.schemes.dct.repository import Collection, Loader
from world import MemoryCache, TrustShelf

COMPAT = Path(__file__).parents[3] / "vectors" / "notary-v1" / "compat"
REPOSITORIES = {
    "docker.com/notary0.1/samplerepo": (
        COMPAT / "notary0.1" / "tuf",
        datetime(2016, 3, 1, tzinfo=UTC),
    ),
    "docker.com/notary0.3/tst": (COMPAT / "notary0.3" / "tuf", datetime(2016, 8, 1, tzinfo=UTC)),
}


class Shelf(TrustShelf):
    """A shelf for repositories of any name."""

    def fetch(self, gun: str, name: str, max_bytes: int) -> Fetched:
        assert gun in REPOSITORIES
        return super().fetch("registry.example.test/team/pay", name, max_bytes)


def files(gun: str) -> dict[str, bytes]:
    folder = REPOSITORIES[gun][0] / gun / "metadata"
    found = {
        str(path.relative_to(folder)).removesuffix(".json"): path.read_bytes()
        for path in folder.rglob("*.json")
    }
    return found | {f"{r}.{sha256(c).hexdigest()}": c for r, c in found.items()}


def load(gun: str, now: datetime, cache: MemoryCache | None = None) -> Collection:
    return Loader(cache or MemoryCache(), lambda _: None).load(gun, Shelf(files(gun)), now)


@pytest.mark.parametrize("gun", REPOSITORIES)
def test_they_are_believed(gun: str) -> None:
    found = load(gun, REPOSITORIES[gun][1])
    assert found.trusted.invalid == {}
    assert "LICENSE" in {row.tag for row in found.released_tags()}
    assert found.released("LICENSE").role == "targets"


def test_the_one_of_notary_0_1() -> None:
    gun = "docker.com/notary0.1/samplerepo"
    (row,) = load(gun, REPOSITORIES[gun][1]).released_tags()
    assert (row.tag, row.length) == ("LICENSE", 11309)


def test_the_one_of_notary_0_3_has_a_delegate() -> None:
    gun = "docker.com/notary0.3/tst"
    found = load(gun, REPOSITORIES[gun][1])
    assert list(found.trusted.targets) == ["targets", "targets/releases"]
    role = found.delegation("targets/releases")
    assert role is not None
    (canonical,) = found.canonical_ids(role)
    # the delegate's private key lies beside it, under this name
    assert (COMPAT / "notary0.3" / "private" / "tuf_keys" / f"{canonical}.key").exists()


@pytest.mark.parametrize("gun", REPOSITORIES)
def test_what_their_clients_cached_is_enough_while_the_server_is_away(gun: str) -> None:
    contents = files(gun)
    roles = [name for name in contents if len(name) < 64]
    cache = MemoryCache({(gun, role): contents[role] for role in roles})
    shelf = Shelf()
    shelf.down = UnavailableError("connection refused")
    found = Loader(cache, lambda _: None).load(gun, shelf, REPOSITORIES[gun][1])
    assert found.trusted.stale
    assert shelf.asked == ["timestamp"]


def test_a_certificate_ends_before_its_root() -> None:
    """The files of notary 0.3 last a hundred years, its certificate ten: notary itself refuses them after that."""
    with pytest.raises(ChainError, match="unable to retrieve valid leaf certificates"):
        load("docker.com/notary0.3/tst", datetime(2027, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("gun", REPOSITORIES)
def test_another_repository_is_not_theirs(gun: str) -> None:
    other = next(name for name in REPOSITORIES if name != gun)
    shelf = Shelf(files(gun))
    loader = Loader(MemoryCache(), lambda _: None)
    with pytest.raises(ChainError, match="unable to retrieve valid leaf certificates"):
        loader.load(other, shelf, REPOSITORIES[gun][1])


@pytest.mark.parametrize("gun", REPOSITORIES)
def test_every_role_is_written_as_go_does(gun: str) -> None:
    for name, content in files(gun).items():
        if len(name) < 64:
            assert parse_role(name, content).is_canonical_wire(), name
