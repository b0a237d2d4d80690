"""The TUF repository of ours, as python-tuf sees it: through rotations, renewals, crashes and spoilt stores."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api import exceptions
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from countermark.core.errors import Code, KeyAccessError, StorageError
from countermark.core.ports_hosting import Request
from countermark.formats import tuf_metadata as tuf
from countermark.formats.tuf_metadata import ROLES, TargetFile
from countermark.services.trust_root import Lifetimes, TrustRoot
from countermark.services.trust_root_keys import RoleKeys, sign
from hosted_registry import Body
from hosted_services import ask
from identity import MemoryServiceKeys

START = datetime.now(UTC).replace(microsecond=0)  # python-tuf looks at the clock itself
FILES = {
    "trusted_root.json": TargetFile(content=b"{}"),
    "rekor.pub": TargetFile(content=b"key", custom={"sigstore": {"usage": "Rekor"}}),
}
LATER = {"trusted_root.json": TargetFile(content=b'{"a":1}')}


class MemoryFiles:
    """A store in memory that can break after so many writes."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.left = -1
        self.names: list[str] = []

    def read(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def write(self, name: str, content: bytes) -> None:
        if self.left == 0:
            raise StorageError("no space left", code=Code.NO_SPACE)
        self.left -= 1
        self.names.append(name)
        self.kept[name] = content

    def locked(self) -> AbstractContextManager[None]:
        return nullcontext()


class World:
    """A repository, its time, and clients of it."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.files, self.keys = MemoryFiles(), MemoryServiceKeys()
        self.folder = folder
        self.service = self.restarted()

    def restarted(self) -> TrustRoot:
        self.service = TrustRoot(self.files, self.keys, lambda: self.now)
        return self.service

    def client(self, name: str = "client") -> "Client":
        return Client(self, self.folder / name)


class Fetcher(FetcherInterface):
    """Asks the service directly."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _fetch(self, url: str) -> Iterator[bytes]:
        found = ask(self._world.service, "GET", url.removeprefix("http://box"))
        if found.status != 200:
            raise exceptions.DownloadHTTPError("refused", found.status)
        yield found.body


class Client:
    """python-tuf, which remembers what it saw."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world, self._folder = world, folder
        folder.mkdir()
        self._root = world.service.root()

    def get(self, name: str = "trusted_root.json") -> bytes | None:
        updater = Updater(
            str(self._folder),
            "http://box/tuf",
            str(self._folder),
            "http://box/tuf/targets",
            Fetcher(self._world),
            bootstrap=self._root,
        )
        updater.refresh()
        info = updater.get_targetinfo(name)
        return Path(updater.download_target(info)).read_bytes() if info else None


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# Publishing -------------------------------------------------------------------------------------------------


def test_published_files(world: World) -> None:
    assert world.service.publish(FILES)
    client = world.client()
    assert client.get() == b"{}"
    assert client.get("rekor.pub") == b"key"
    assert client.get("other") is None
    assert world.service.handed_out() == {name: file.content for name, file in FILES.items()}
    targets = json.loads(world.files.kept[f"{int(START.timestamp())}.targets.json"])
    assert targets["signed"]["targets"]["rekor.pub"]["custom"] == {"sigstore": {"usage": "Rekor"}}


def test_from_the_bottom_up(world: World) -> None:
    world.service.publish({"a": FILES["rekor.pub"]})
    number = int(START.timestamp())
    assert world.files.names == [
        "1.root.json",
        "root.json",
        f"targets/{FILES['rekor.pub'].sha256}.a",
        f"{number}.targets.json",
        f"{number}.snapshot.json",
        "timestamp.json",
    ]


def test_the_same_again_writes_nothing(world: World) -> None:
    world.service.publish(FILES)
    before = list(world.files.names)
    assert not world.restarted().publish(FILES)
    assert world.files.names == before


def test_later_files(world: World) -> None:
    world.service.publish(FILES)
    client = world.client()
    client.get()
    assert world.restarted().publish(LATER)
    assert client.get() == b'{"a":1}'
    assert client.get("rekor.pub") is None
    old = ask(world.service, "GET", f"/tuf/targets/{FILES['rekor.pub'].sha256}.rekor.pub")
    assert old.body == b"key"  # for a client in the middle of something


def test_names_of_files(world: World) -> None:
    for name in ("", "../a", "a/b", "A", ".a"):
        with pytest.raises(ValueError, match="target"):
            world.service.publish({name: FILES["rekor.pub"]})


def test_nothing_was_published(world: World) -> None:
    world.service.refresh()
    for action in (
        world.service.root,
        world.service.handed_out,
        lambda: world.service.rotate("root"),
    ):
        with pytest.raises(StorageError) as caught:
            action()
        assert caught.value.code == Code.NOT_FOUND
    assert ask(world.service, "GET", "/tuf/timestamp.json").status == 404
    assert not world.files.kept


def test_versions_grow_beyond_a_restored_backup(world: World) -> None:
    """A client that has seen more than the backup has still takes what comes after it."""
    world.service.publish(FILES)
    backup = dict(world.files.kept)
    client = world.client()
    world.now += timedelta(seconds=50)
    for n in range(5):
        world.service.publish({"a": TargetFile(content=b"%d" % n)})
    client.get("a")
    world.files.kept = backup
    world.now += timedelta(seconds=50)
    world.restarted().publish(LATER)
    assert client.get() == b'{"a":1}'


# Renewing -----------------------------------------------------------------------------------------------------


def at(world: World, days: float) -> None:
    """Publish so many days ago, and come back to the present."""
    world.now = START - timedelta(days=days)
    world.restarted().publish(FILES)
    world.now = START


def versions(world: World) -> list[int]:
    """Version of root, targets, snapshot and timestamp that are in force."""
    timestamp = tuf.parse(world.files.kept["timestamp.json"], "timestamp")
    number = tuf.named_version(timestamp, "snapshot")
    snapshot = tuf.parse(world.files.kept[f"{number}.snapshot.json"], "snapshot")
    root = tuf.parse(world.files.kept["root.json"], "root")
    return [root.version, tuf.named_version(snapshot, "targets"), number, timestamp.version]


@pytest.mark.parametrize(
    ("days", "renewed"),
    [
        (3.4, ""),
        (3.5, "timestamp"),
        (6, "timestamp"),
        (8, "timestamp"),
        (15, "snapshot timestamp"),
        (100, "snapshot timestamp"),
        (182.5, "root targets snapshot timestamp"),
        (400, "root targets snapshot timestamp"),
    ],
)
def test_what_is_half_over_is_signed_anew(world: World, days: float, renewed: str) -> None:
    """By itself, when somebody asks; also where it is expired already."""
    at(world, days)
    client, before = world.client(), versions(world)
    assert client.get() == b"{}"
    after = versions(world)
    pairs = zip(ROLES, before, after, strict=True)
    assert " ".join(role for role, old, new in pairs if old != new) == renewed
    assert client.get() == b"{}"
    assert versions(world) == after


def test_expired_without_us(world: World) -> None:
    """A client refuses what nobody signs any more: the test above is one that can fail."""
    at(world, 8)
    client = world.client()
    world.files.left = 0  # the disk is full
    with pytest.raises(exceptions.ExpiredMetadataError):
        client.get()


def test_full_disk_is_told_and_what_holds_is_handed_out(world: World) -> None:
    at(world, 5)
    client = world.client()
    world.files.left = 0
    found = ask(world.service, "GET", "/tuf/timestamp.json")
    assert found.status == 200
    assert client.get() == b"{}"
    problem = world.service.answer(request("/tuf/timestamp.json")).problem
    assert problem == "the trust root cannot be signed anew: no space left"


def request(path: str) -> Request:
    return Request(method="GET", path=path, query="", headers={}, body=Body())


def test_own_lifetimes(world: World) -> None:
    short = Lifetimes(timestamp=timedelta(hours=1))
    world.service = TrustRoot(world.files, world.keys, lambda: world.now, lifetimes=short)
    world.service.publish(FILES)
    expires = tuf.parse(world.files.kept["timestamp.json"], "timestamp").expires
    assert expires == START + timedelta(hours=1)


def test_quiet_while_nothing_is_due(world: World) -> None:
    world.service.publish(FILES)
    client = world.client()
    client.get()
    before = list(world.files.names)
    world.now += timedelta(days=1)
    client.get()
    assert world.files.names == before


# Rotating ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_new_key(world: World, role: str) -> None:
    world.service.publish(FILES)
    seen, unseen = world.client("seen"), world.client("unseen")
    seen.get()
    old = tuf.role_key_ids(tuf.parse(world.service.root(), "root"), role)
    world.restarted().rotate(role)
    new = tuf.role_key_ids(tuf.parse(world.service.root(), "root"), role)
    assert (len(new), set(old) & set(new)) == (1, set())
    for client in (seen, unseen, world.client("new")):
        assert client.get() == b"{}"
    world.service.publish(LATER)
    for client in (seen, unseen, world.client("newer")):
        assert client.get() == b'{"a":1}'


def test_all_keys_twice(world: World) -> None:
    """A client that was away finds its way along the roots."""
    world.service.publish(FILES)
    client = world.client()
    for role in ROLES * 2:
        world.restarted().rotate(role)
    assert client.get() == b"{}"
    assert tuf.parse(world.service.root(), "root").version == 9


def test_no_such_role(world: World) -> None:
    with pytest.raises(ValueError, match="role"):
        world.service.rotate("mirrors")


# Crashes -----------------------------------------------------------------------------------------------------


def rotating(role: str) -> Callable[[TrustRoot], object]:
    return lambda service: service.rotate(role)


ACTIONS: dict[str, Callable[[TrustRoot], object]] = {
    "publish": lambda service: service.publish(LATER),
    **{f"rotate {role}": rotating(role) for role in ROLES},
}


@pytest.mark.parametrize("action", ACTIONS)
def test_crash_anywhere(action: str, tmp_path: Path) -> None:
    """After each single write: old clients and new ones find what holds, and the next try succeeds."""
    done = False
    for writes in range(20):
        folder = tmp_path / str(writes)
        folder.mkdir()
        world = World(folder)
        world.service.publish(FILES)
        old = world.client("old")
        old.get()
        world.files.left = writes
        try:
            ACTIONS[action](world.service)
            done = True
        except StorageError:
            done = False
        world.files.left = -1
        world.restarted()
        for client in (old, world.client("new")):
            assert client.get() in (b"{}", b'{"a":1}')
        ACTIONS[action](world.service)
        expected = b'{"a":1}' if action == "publish" else b"{}"
        for client in (old, world.client("newer")):
            assert client.get() == expected
        if done:
            break
    assert done
    assert writes >= 2


@pytest.mark.parametrize("writes", range(7))
def test_crash_before_the_first_timestamp(world: World, writes: int) -> None:
    world.files.left = writes
    with pytest.raises(StorageError):
        world.service.publish(FILES)
    world.files.left = -1
    world.restarted().refresh()
    assert "timestamp.json" not in world.files.kept
    world.service.publish(FILES)
    assert world.client().get() == b"{}"


def test_root_that_a_crash_left_half_published(world: World) -> None:
    world.service.publish(FILES)
    client, first = world.client(), world.files.kept["root.json"]
    world.service.rotate("root")
    world.files.kept["root.json"] = first
    world.restarted().refresh()
    assert world.files.kept["root.json"] == world.files.kept["2.root.json"]
    del world.files.kept["root.json"]
    world.restarted().refresh()
    assert client.get() == b"{}"


# Spoilt stores ------------------------------------------------------------------------------------------------


def _foreign(world: World, name: str) -> None:
    """Put another repository's file in the place of ours."""
    other = World(world.folder)
    other.service.publish({"evil": TargetFile(content=b"evil")})
    world.files.kept[name] = other.files.kept[name]


def _altered(world: World, name: str) -> None:
    world.files.kept[name] = (
        world.files.kept[name].replace(b'"version"', b'"versioN"').replace(b'"1.0.31"', b'"1.0.30"')
    )


def _signed_bytes(world: World, name: str) -> None:
    world.files.kept[name] = world.files.kept[name].replace(b'"1.0.31"', b'"1.0.30"')


def _junk(world: World, name: str) -> None:
    world.files.kept[name] = b"junk"


def _gone(world: World, name: str) -> None:
    del world.files.kept[name]


NUMBER = int(START.timestamp())


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_foreign, Code.INSECURE),
        (_signed_bytes, Code.INSECURE),
        (_altered, Code.UNAVAILABLE),
        (_junk, Code.UNAVAILABLE),
        (_gone, Code.UNAVAILABLE),
    ],
)
@pytest.mark.parametrize(
    "name",
    ["root.json", "timestamp.json", f"{NUMBER}.snapshot.json", f"{NUMBER}.targets.json"],
    ids=["root", "timestamp", "snapshot", "targets"],
)
def test_what_is_not_ours_is_not_signed(
    world: World, name: str, spoil: Callable[[World, str], None], code: Code
) -> None:
    """Whoever writes the store gets nothing signed; what is missing at the top is made anew."""
    world.service.publish(FILES)
    spoil(world, name)
    before = dict(world.files.kept)
    if spoil is _gone and name in ("root.json", "timestamp.json"):
        world.restarted().publish(FILES)
        assert world.client().get() == b"{}"
        return
    actions: list[Callable[[TrustRoot], object]] = [
        lambda service: service.publish(LATER),
        lambda service: service.refresh(),
        lambda service: service.handed_out(),
    ]
    for action in actions:
        with pytest.raises(StorageError) as caught:
            action(world.restarted())
        assert caught.value.code == code
    assert world.files.kept == before


def test_timestamp_without_a_snapshot(world: World) -> None:
    """Signed by us, and yet of the wrong shape: not from this program."""
    world.service.publish(FILES)
    key = RoleKeys(world.keys).of("timestamp")
    strange = tuf.targets(1, START, {}) | {"_type": "timestamp"}
    world.files.kept["timestamp.json"] = sign(strange, key)
    with pytest.raises(StorageError):
        world.restarted().refresh()


def test_spoilt_file(world: World) -> None:
    world.service.publish(FILES)
    world.files.kept[f"targets/{FILES['rekor.pub'].sha256}.rekor.pub"] = b"evil"
    with pytest.raises(StorageError) as caught:
        world.service.handed_out()
    assert caught.value.code == Code.CHECKSUM


def test_lost_keys(world: World) -> None:
    world.service.publish(FILES)
    kept = dict(world.keys.kept)
    del world.keys.kept["tuf-snapshot-1"]
    with pytest.raises((KeyAccessError, StorageError)):
        world.restarted().publish(LATER)
    world.keys.kept = kept
    assert world.restarted().publish(LATER)
    world.service.rotate("targets")
    del world.keys.kept["tuf-targets-2"]
    with pytest.raises(KeyAccessError):
        world.restarted().publish(FILES)


def test_key_that_vanishes_between_list_and_reading(world: World) -> None:
    class Vanishing(MemoryServiceKeys):
        def get(self, name: str) -> bytes | None:
            return None

    vanishing = Vanishing()
    vanishing.kept["tuf-root-1"] = b""
    with pytest.raises(KeyAccessError):
        TrustRoot(world.files, vanishing, lambda: START).publish(FILES)


def test_other_keys_are_nobodys(world: World) -> None:
    world.keys.kept |= {"fulcio-1": b"x", "tuf-root-0": b"x", "tuf-mirrors-1": b"x"}
    world.service.publish(FILES)
    assert world.client().get() == b"{}"


def test_newest_key_of_a_first_root(world: World) -> None:
    """Keys may be there before the store is: as after a loss of the folder, but not of the keys."""
    world.service.publish(FILES)
    world.service.rotate("root")
    world.files.kept.clear()
    world.restarted().publish(FILES)
    root = tuf.parse(world.service.root(), "root")
    assert len(world.keys.kept) == 5
    assert world.client().get() == b"{}"
    assert root.version == 1


# Over HTTP ---------------------------------------------------------------------------------------------------


def test_headers(world: World) -> None:
    world.service.publish(FILES)
    lasting = "public, max-age=86400, immutable"
    for name, kind, cached in (
        ("timestamp.json", "application/json", "no-cache"),
        ("root.json", "application/json", "no-cache"),
        ("1.root.json", "application/json", lasting),
        (f"{NUMBER}.targets.json", "application/json", lasting),
        (f"targets/{FILES['rekor.pub'].sha256}.rekor.pub", "application/octet-stream", lasting),
    ):
        found = ask(world.service, "GET", f"/tuf/{name}")
        assert (found.status, found.headers) == (
            200,
            {"content-type": kind, "cache-control": cached},
        ), name
        assert ask(world.service, "HEAD", f"/tuf/{name}").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "",
        "2.root.json",
        "snapshot.json",
        "targets/rekor.pub",
        "../root.json",
        ".lock",
        "keys/x.key",
    ],
)
def test_nothing_else_is_there(world: World, path: str) -> None:
    world.service.publish(FILES)
    found = ask(world.service, "GET", f"/tuf/{path}")
    assert (found.status, found.headers["cache-control"]) == (404, "no-cache")


def test_reading_only(world: World) -> None:
    found = ask(world.service, "POST", "/tuf/root.json", b"{}")
    assert (found.status, found.headers["allow"]) == (405, "GET, HEAD")


def test_serves(world: World) -> None:
    assert world.service.serves("/tuf/root.json")
    assert not world.service.serves("/tufroot.json")


def test_broken_store(world: World) -> None:
    class Broken(MemoryFiles):
        def read(self, name: str) -> bytes | None:
            raise StorageError("broken")

    service = TrustRoot(Broken(), world.keys, lambda: START)
    assert ask(service, "GET", "/tuf/1.targets.json").status == 500
    assert ask(service, "GET", "/tuf/timestamp.json").status == 500
