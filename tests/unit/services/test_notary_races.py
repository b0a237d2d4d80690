"""Many at once: on many repositories all succeed, on one repository one does, and nothing is torn."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from countermark.adapters.database import SqlTrustStore, migrate
from countermark.adapters.server_keys import SealedKeys
from countermark.adapters.sqlite import SqliteDatabase
from countermark.core.ports_hosting import Response
from countermark.formats.tuf import parse_snapshot, parse_timestamp
from countermark.proofs.keys import PrivateKey
from trust_server import GUN, HostedNotary, Owner

pytestmark = pytest.mark.slow


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[HostedNotary]:
    database = SqliteDatabase(str(tmp_path / "trust.db"))
    migrate(database)
    keys = SealedKeys(database, str(tmp_path / "master.key"), make=True)
    yield HostedNotary(store=SqlTrustStore(database), keys=keys)
    database.close()


def at_once(count: int, work: Callable[[int], object]) -> None:
    """Run ``work`` in threads that begin together; a failure in one is a failure."""
    barrier = threading.Barrier(count)
    problems: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait(20)
            work(number)
        except BaseException as error:  # noqa: BLE001 - told below
            problems.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def code(response: Response) -> str:
    if response.status == 200:
        return "OK"
    assert isinstance(response.body, bytes)
    return str(json.loads(response.body)["errors"][0]["code"])


def check_consistent(hosted: HostedNotary, gun: str = GUN) -> None:
    """What timestamp, snapshot and files say of each other is true."""
    snapshot = hosted.content("snapshot.json", gun)
    parse_timestamp(hosted.content("timestamp.json", gun)).body.meta["snapshot"].check(snapshot, "")
    for role, entry in parse_snapshot(snapshot).body.meta.items():
        entry.check(hosted.content(f"{role}.json", gun), role)


def test_sixteen_publish_to_sixteen_repositories(hosted: HostedNotary) -> None:
    def work(number: int) -> None:
        owner = hosted.published(gun=f"team/app{number}")
        for _ in range(5):
            assert hosted.publish({"targets": owner.targets()}, owner.gun).status == 200
        assert hosted.content("targets.json", owner.gun) == owner.files["targets"]

    at_once(16, work)
    for number in range(16):
        check_consistent(hosted, f"team/app{number}")
    counts = Counter(entry.gun for entry in hosted.store.changes("", 0, 1000))
    assert set(counts.values()) == {6}


def test_of_two_who_publish_the_same_version_one_wins(hosted: HostedNotary) -> None:
    owner = hosted.published()
    for version in range(2, 12):
        files = [owner.targets(version, names={f"by{n}": b"x"}) for n in range(2)]
        found: dict[int, str] = {}

        def work(number: int, files: list[bytes] = files, found: dict[int, str] = found) -> None:
            found[number] = code(hosted.publish({"targets": files[number]}))

        at_once(2, work)
        assert sorted(found.values()) == ["OK", "VERSION"]
        winner = next(number for number, said in found.items() if said == "OK")
        assert hosted.content("targets.json") == files[winner]
        check_consistent(hosted)
    assert parse_timestamp(hosted.content("timestamp.json")).body.version == 11


def test_of_many_who_begin_a_repository_one_owns_it(hosted: HostedNotary) -> None:
    owners = [hosted.owner() for _ in range(8)]
    found: dict[int, str] = {}

    def work(number: int) -> None:
        owner = owners[number]
        found[number] = code(hosted.publish({"root": owner.root(), "targets": owner.targets()}))

    at_once(8, work)
    assert Counter(found.values())["OK"] == 1
    assert set(found.values()) <= {"OK", "INVALID_UPDATE", "VERSION"}
    winner: Owner = owners[next(number for number, said in found.items() if said == "OK")]
    assert hosted.content("root.json") == winner.files["root"]
    assert hosted.content("targets.json") == winner.files["targets"]
    check_consistent(hosted)


def test_delegates_do_not_get_in_each_others_way(hosted: HostedNotary) -> None:
    owner = hosted.published()
    keys = [PrivateKey.generate() for _ in range(4)]
    names = [f"targets/d{n}" for n in range(4)]
    delegates = {name: [key] for name, key in zip(names, keys, strict=True)}
    assert hosted.publish({"targets": owner.targets(delegates=delegates)}).status == 200
    files = [owner.targets(role=name, key=key) for name, key in zip(names, keys, strict=True)]
    found: list[int] = []
    at_once(4, lambda n: found.append(hosted.publish({names[n]: files[n]}).status))
    assert found == [200] * 4
    for name, content in zip(names, files, strict=True):
        assert hosted.content(f"{name}.json") == content
    check_consistent(hosted)


def test_many_readers_of_an_old_timestamp_have_it_signed_once(hosted: HostedNotary) -> None:
    hosted.published()
    hosted.clock.move(days=10)
    seen: set[bytes] = set()
    at_once(12, lambda n: seen.add(hosted.content("timestamp.json")))
    assert len(seen) == 1
    assert parse_timestamp(seen.pop()).body.version == 2


def test_readers_never_see_half_of_a_publication(hosted: HostedNotary) -> None:
    owner = hosted.published()
    contents = [owner.targets() for _ in range(25)]
    done = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            try:
                for content in contents:
                    assert hosted.publish({"targets": content}).status == 200
            finally:
                done.set()
            return
        last = 0
        while not done.is_set():
            timestamp = parse_timestamp(hosted.content("timestamp.json")).body
            assert timestamp.version >= last
            last = timestamp.version
            name = timestamp.meta["snapshot"].hashes["sha256"].hex()
            snapshot = parse_snapshot(hosted.content(f"snapshot.{name}.json")).body
            for role, entry in snapshot.meta.items():
                found = hosted.content(f"{role}.{entry.hashes['sha256'].hex()}.json")
                entry.check(found, role)

    at_once(4, work)
    check_consistent(hosted)


def test_what_is_answered_from_memory_is_never_older_than_what_was_acknowledged(
    hosted: HostedNotary,
) -> None:
    owner = hosted.published()
    path = f"/v2/{GUN}/_trust/tuf/timestamp.json"
    acknowledged = [1]
    done = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            try:
                for version in range(2, 40):
                    assert hosted.publish({"targets": owner.targets()}).status == 200
                    acknowledged[0] = version
            finally:
                done.set()
            return
        while not done.is_set():
            least = acknowledged[0]
            hot = hosted.notary.hot(path, "")
            found = hot.body if hot else hosted.content("timestamp.json")
            assert parse_timestamp(found).body.version >= least

    at_once(4, work)
