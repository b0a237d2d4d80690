"""Rotation of a private Sigstore's keys: what was signed before still verifies; new keys sign from then on."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from countermark.adapters import storage
from countermark.formats import bundle as bundles
from countermark.formats.trusted_root import TrustedRoot
from hosted_sigstore import HostedSigstore

pytestmark = pytest.mark.slow

Part = Callable[[TrustedRoot], tuple[Any, ...]]
KINDS: dict[str, Part] = {
    "ca": lambda root: root.authorities,
    "log": lambda root: root.logs,
    "ctlog": lambda root: root.ct_logs,
    "tsa": lambda root: root.timestamp_authorities,
}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[HostedSigstore]:
    made = HostedSigstore(tmp_path)
    yield made
    made.end()


def rotate(box: HostedSigstore, *words: str) -> str:
    return box.ok("sigstore", "rotate", *words, "--data", box.data)


def log_id(bundle: Path) -> bytes:
    (entry,) = bundles.parse(bundle.read_bytes()).entries
    return entry.log_id


@pytest.mark.parametrize("kind", KINDS)
def test_before_and_after(kind: str, box: HostedSigstore) -> None:
    box.start()
    box.sign("before")
    box.stop()
    before = box.export()
    assert "counts until" in rotate(box, kind)
    after = box.export()
    for name, part in KINDS.items():
        if name != kind:
            assert part(before) == part(after)
    (old,), (ended, new) = KINDS[kind](before), KINDS[kind](after)
    assert old.end is None
    assert ended.end is not None
    assert new.end is None
    assert ended.replace(end=None) == old
    assert new.start <= ended.end
    box.verify("before")
    box.start()
    box.sign("after")
    box.verify("before")
    box.verify("after")
    # the former trust does not do for what is signed with the new key
    (box.folder / "trust" / "trusted_root.json").write_bytes(before.encode())
    words = ("--bundle", box.folder / "after.json", "--trusted-root")
    identity = ("--certificate-identity", "alice@example.test", "--certificate-oidc-issuer")
    status, _ = box.run(
        "cosign", "verify-blob", box.folder / "after", *words, box.folder / "trust" / "trusted_root.json",
        *identity, f"{box.url}/identity",
    )  # fmt: skip
    assert status != 0


def test_all_of_them_twice(box: HostedSigstore) -> None:
    box.start()
    box.sign("one")
    for name in ("two", "three"):
        box.stop()
        for kind in (*KINDS, "tuf"):
            rotate(box, kind)
        box.start()
        box.sign(name)
    for name in ("one", "two", "three"):
        box.verify(name)
    assert len({log_id(box.folder / f"{name}.json") for name in ("one", "two", "three")}) == 3
    assert "1 entries; entries, tiles, checkpoint and index are right" in box.ok(
        "log", "verify", box.data
    )
    root = box.folder / "trust" / "trusted_root.json"
    for tiles in box.own.glob("tiles*"):
        box.ok("log", "verify", tiles, "--trusted-root", root)


def test_a_former_log_shows_what_it_has_and_takes_nothing(box: HostedSigstore) -> None:
    box.start()
    box.sign("before")
    old_config = (box.folder / "trust" / "signing_config.json").read_bytes()
    box.stop()
    for kind in ("log", "ctlog"):
        rotate(box, kind)
    box.start()
    root = box.export()
    shown = {}
    for path, log in zip(("", "/log/2"), root.logs, strict=True):
        assert log.base_url == box.url + path
        said = box.ok(
            "log", "verify", f"{box.url}{path}/api/v2",
            "--trusted-root", box.folder / "trust" / "trusted_root.json",
        )  # fmt: skip
        shown[path] = said.partition(": ")[2].partition(" ")[0]
    assert shown == {"": "1", "/log/2": "0"}
    (box.folder / "trust" / "signing_config.json").write_bytes(old_config)
    status, said = box.run(
        "cosign", "sign-blob", box.folder / "before", "--bundle", box.folder / "late.json", "-y",
        "--identity-token", box.token(), "--signing-config", box.folder / "trust" / "signing_config.json",
        "--trusted-root", box.folder / "trust" / "trusted_root.json",
    )  # fmt: skip
    assert status != 0
    assert "This log has been frozen" in said
    assert not (box.folder / "late.json").exists()
    box.sign("after")  # with what is handed out now


def test_a_log_with_an_address_of_its_own(box: HostedSigstore) -> None:
    box.start()
    box.stop()
    rotate(box, "log", "--url", "https://log2.example.test")
    root = box.export()
    assert [log.origin for log in root.logs] == ["127.0.0.1", "log2.example.test"]
    config = json.loads((box.folder / "trust" / "signing_config.json").read_bytes())
    assert config["rekorTlogUrls"][0]["url"] == "https://log2.example.test"
    box.start()
    # it is told by the host that is asked for, at the same paths

    def checkpoint(host: str) -> str:
        answer = box.ask("/api/v2/checkpoint", headers={"Host": host})
        return answer.body.decode().partition("\n")[0]

    assert checkpoint("127.0.0.1:1") == "127.0.0.1"
    assert checkpoint("log2.example.test") == "log2.example.test"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("ca", "--url", "https://log2.example.test"), "--url is for a log"),
        (("log", "--url", "https://127.0.0.1"), "has a log already"),
        (("log", "--url", "https://log2.example.test/path"), "has no path"),
        (("log", "--url", "log2.example.test"), "not an http or https URL"),
    ],
)
def test_words_that_will_not_do_change_nothing(
    words: tuple[str, ...], reason: str, box: HostedSigstore
) -> None:
    box.start()
    box.stop()
    before = files(box.own)
    status, said = box.run("sigstore", "rotate", *words, "--data", box.data)
    assert status == 2
    assert reason in said
    assert files(box.own) == before


def test_where_it_cannot_be_done(box: HostedSigstore, tmp_path: Path) -> None:
    status, said = box.run("sigstore", "rotate", "ca", "--data", tmp_path / "nothing")
    assert status == 2
    assert "there is no Sigstore in" in said
    box.start()
    with storage.Lock(str(box.data / "serve.lock")):
        status, said = box.run("sigstore", "rotate", "ca", "--data", box.data)
        assert status == 2
        assert "another server runs" in said
        assert "stop it first" in said
    box.stop()
    (box.data / "master.key").rename(tmp_path / "elsewhere")
    status, said = box.run("sigstore", "rotate", "ca", "--data", box.data)
    assert status != 0
    assert "master key" in said


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith((".lock", "-shm", "-wal"))
    }


@pytest.mark.parametrize("kind", ["ca", "log"])
def test_every_state_that_a_crash_can_leave(kind: str, box: HostedSigstore, tmp_path: Path) -> None:
    """What rotation makes durable, in its order: at each step the folder is taken up, old or new."""
    box.start()
    box.sign("before")
    box.stop()
    kept = tmp_path / "kept"
    shutil.copytree(box.data, kept)
    rotate(box, kind)
    after = files(box.own)
    steps = [
        [
            name
            for name in after
            if name.startswith("keys/") and not (kept / "sigstore" / name).exists()
        ],
        ["logs.json"],
        ["trusted_root.json"],
    ]
    assert len(steps[0]) == 1
    for count in range(len(steps) + 1):
        shutil.rmtree(box.data)
        shutil.copytree(kept, box.data)
        for name in (name for step in steps[:count] for name in step):
            (box.own / name).write_bytes(after[name])
        box.start()
        assert len(KINDS[kind](box.export())) == (2 if count == len(steps) else 1)
        box.sign(f"step {count}")
        box.verify("before")
        box.verify(f"step {count}")
        box.stop()
        rotate(box, kind)  # and once more, over what was left
        box.start()
        box.sign("again")
        for name in ("before", f"step {count}", "again"):
            box.verify(name)
        box.stop()


def head(box: HostedSigstore, path: str = "") -> int:
    answer = box.ask(f"{path}/ct/v1/get-sth")
    assert answer.status == 200
    size: int = answer.json["tree_size"]
    return size


def test_a_folder_of_an_earlier_version(box: HostedSigstore) -> None:
    """The first version said nowhere where its logs are, and kept certificates in a table."""
    box.start()
    box.stop()
    (box.own / "logs.json").unlink()
    shutil.rmtree(box.own / "certificate-tiles")
    box.start()
    box.sign("before")
    assert head(box) == 1
    assert not (box.own / "certificate-tiles").exists()
    box.stop()
    rotate(box, "ctlog")
    rotate(box, "log")
    box.start()
    box.sign("after")
    box.verify("before")
    box.verify("after")
    assert (head(box), head(box, "/certificates/2")) == (1, 1)
    refused = box.ask("/ct/v1/add-chain", method="POST", body=b'{"chain": []}')
    assert refused.status == 400
    assert b"another has taken its place" in refused.body


def test_certificates_are_shown_after_a_restart(box: HostedSigstore) -> None:
    box.start()
    for name in ("one", "two"):
        box.sign(name)
    first = box.ask("/ct/v1/get-entries?start=0&end=5").json
    box.stop()
    box.start()
    assert box.ask("/ct/v1/get-entries?start=0&end=5").json == first
    assert (len(first["entries"]), head(box)) == (2, 2)
    box.sign("three")
    proof = box.ask("/ct/v1/get-sth-consistency?first=2&second=3").json
    assert len(proof["consistency"]) == 1
