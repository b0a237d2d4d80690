"""``log verify``, ``search`` and ``monitor`` on a folder of a server of ours, bare tiles, and a log over HTTP."""

import argparse
import io
import json
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

import log_requests
from countermark.adapters.http_client import HttpClient
from countermark.assembly.files import Files
from countermark.assembly.log_stores import LogSettings
from countermark.assembly.logs import Logs
from countermark.cli import log
from countermark.cli.output import Output
from countermark.core.errors import ConfigError, CountermarkError, InputError
from countermark.formats.tlog import Note
from countermark.formats.trusted_root import Instance, TrustedRoot
from countermark.proofs import checkpoints, public_keys, signing_keys
from countermark.proofs.cosignatures import WitnessKey, cosign
from countermark.services.transparency_log import ENTRIES_PATH, TransparencyLog
from hosted_services import ask, serving
from log_requests import NAME, document, encoded
from serve_log import HOST, shard
from servers import Server

WITNESS = WitnessKey(name="w.example.test", key=bytes(range(32))).encode()


class Log:
    """A log in a server's folder, with three entries: two by a certificate's owner, one by a key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "sigstore"
        self.shard = shard(self.folder)
        self.shard.sequencer.open()
        self.service = TransparencyLog([self.shard])
        key = public_keys.parse((self.folder / "log.pub").read_bytes())
        self.trusted = TrustedRoot(
            logs=(
                Instance(
                    base_url=f"https://{HOST}",
                    key=key.der,
                    key_details="PKIX_ED25519",
                    log_id=checkpoints.key_id(HOST, key),
                    start=datetime(2026, 1, 1, tzinfo=UTC),
                ),
            )
        )
        (self.folder / "trusted_root.json").write_bytes(self.trusted.encode())
        self.digests = [
            self.add(certificate=True),
            self.add("ecdsa-p384"),
            self.add(certificate=True),
        ]

    def add(self, kind: str = "ecdsa-p256", *, certificate: bool = False) -> str:
        whole = document(kind=kind, certificate=certificate)
        answer = ask(self.service, "POST", ENTRIES_PATH, encoded(whole))
        assert answer.status == 201
        return b64decode(whole["hashedRekordRequestV002"]["digest"]).hex()


@pytest.fixture
def made(tmp_path: Path) -> Log:
    return Log(tmp_path)


class Done:
    """What a command came to."""

    def __init__(self, exit_: int, out: str, err: str) -> None:
        self.exit, self.out, self.err = exit_, out, err


def run(name: str, *words: str | Path) -> Done:
    parser = argparse.ArgumentParser()
    getattr(log, f"{name}_arguments")(parser)
    args = parser.parse_args([str(word) for word in words])
    out, err = io.StringIO(), io.StringIO()
    client = HttpClient()
    program = SimpleNamespace(logs=Logs(client, LogSettings), files=Files())
    command: Callable[..., int] = getattr(log, name)
    try:
        status = command(args, program, Output(out, err))
    finally:
        program.logs.close()
        client.close()
    return Done(status, out.getvalue(), err.getvalue())


def test_verify_a_server_s_folder(made: Log) -> None:
    for folder in (made.folder, made.folder.parent):
        done = run("verify", folder)
        assert (done.exit, done.err) == (0, "")
        assert done.out == "localhost: 3 entries; entries, tiles, checkpoint and index are right\n"
    found = json.loads(run("verify", made.folder, "-o", "json").out)
    assert (found["version"], found["log"], found["size"], found["problems"]) == (1, HOST, 3, [])


def test_verify_what_is_broken(made: Log) -> None:
    path = made.folder / "tiles/tile/0/000.p/3"
    path.write_bytes(bytes(96))
    done = run("verify", made.folder)
    assert (done.exit, done.out) == (1, "")
    assert "error: tile/0/000.p/3 is not what its entries hash to" in done.err
    assert json.loads(run("verify", made.folder, "-o", "json").out)["problems"]


def test_verify_bare_tiles(made: Log, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    (made.folder / "tiles").rename(bare)
    root = ("--trusted-root", made.folder / "trusted_root.json")
    done = run("verify", bare, *root)
    assert done.out == "localhost: 3 entries; entries, tiles, checkpoint are right\n"
    with pytest.raises(InputError, match="nothing says by which key"):
        run("verify", bare)
    with pytest.raises(InputError, match="there is no file"):
        run("verify", bare, "--trusted-root", tmp_path / "nothing")
    with pytest.raises(InputError, match="there is no log"):
        run("verify", tmp_path / "nothing")
    (made.folder / "trusted_root.json").write_text("{}")
    with pytest.raises(ConfigError):
        run("verify", bare, *root)


def test_over_http(made: Log) -> None:
    with Server(serving(made.service)) as server:
        where = (f"http://{server.address}", "--trusted-root", made.folder / "trusted_root.json")
        assert run("verify", *where).exit == 0
        done = run("search", *where, "--identity", NAME)
        assert [line.partition(" ")[0] for line in done.out.splitlines()] == ["0", "2"]
    with Server(serving()) as server, pytest.raises(CountermarkError, match="no checkpoint"):
        run("verify", f"http://{server.address}", *where[1:])


@pytest.mark.parametrize("index", [True, False])
def test_search(index: bool, made: Log) -> None:
    where: tuple[str | Path, ...] = (made.folder,)
    if not index:
        where = (made.folder / "tiles", "--trusted-root", made.folder / "trusted_root.json")
    key = log_requests.KEYS["ecdsa-p384"].public.fingerprint
    for words, places in (
        (("--identity", NAME), [0, 2]),
        (("--digest", f"sha256:{made.digests[2]}"), [2]),
        (("--digest", made.digests[1].upper()), [1]),
        (("--key", key), [1]),
        (("--key", key, "--identity", NAME), []),
        (("--identity", NAME, "--issuer", "https://issuer.example.test"), []),
        (("--identity", "bob@example.test"), []),
        (("--digest", "0" * 64), []),
    ):
        done = run("search", *where, *words, "-o", "json")
        found = json.loads(done.out)
        assert [each["index"] for each in found["entries"]] == places
        assert done.exit == (0 if places else 1)
    done = run("search", *where, "--key", key)
    assert done.out == f"1  sha384:{made.digests[1]}  key {key}\n"
    done = run("search", *where, "--digest", made.digests[0])
    assert done.out == f"0  sha256:{made.digests[0]}  {NAME}\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "nothing is looked for"),
        (("--issuer", "https://issuer.example.test"), "nothing is looked for"),
        (("--digest", "abc"), "not a digest"),
        (("--digest", "x" * 64), "not a digest"),
        (("--key", "a" * 96), "not a key"),
        (("--identity", "a", "--witness", "junk"), "not base64|not a witness"),
        (("--identity", "a", "--witnesses", "1"), "--witnesses 1 of 0"),
        (("--identity", "a", "--witness", WITNESS, "--witness", WITNESS), "named twice"),
    ],
)
def test_search_for_what_nobody_can_find(words: tuple[str, ...], text: str, made: Log) -> None:
    with pytest.raises(InputError, match=text):
        run("search", made.folder, *words)


def test_monitor(made: Log, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    words = ("monitor", made.folder, "--identity", NAME, "--state", state)
    first = run(*words)
    assert (first.exit, first.out) == (0, "")
    assert "watching localhost from entry 3 on" in first.err
    assert run(*words).out == ""
    made.add("ecdsa-p384")
    digest = made.add(certificate=True)
    assert run(*words).out == f"4  sha256:{digest}  {NAME}\n"
    done = run(*words)
    assert (done.exit, done.out, done.err) == (0, "", "")
    assert json.loads(state.read_text())["checkpoint"].startswith("localhost\n5\n")


def test_monitor_from_the_start(made: Log, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    done = run("monitor", made.folder, "--identity", NAME, "--state", state, "--from-start")
    assert [line.partition(" ")[0] for line in done.out.splitlines()] == ["0", "2"]


def test_monitor_a_log_that_was_put_back(made: Log, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    words = ("monitor", made.folder, "--identity", NAME, "--state", state)
    run(*words)
    remembered = state.read_bytes()
    old = (made.folder / "tiles/checkpoint").read_bytes()
    made.add()
    run(*words)
    (made.folder / "tiles/checkpoint").write_bytes(old)
    with pytest.raises(CountermarkError, match="has 3 entries, and had 4 before"):
        run(*words)
    state.write_bytes(remembered)
    assert run(*words).exit == 0


@pytest.mark.parametrize("content", ["", "junk", "{}", '{"version":1,"checkpoint":"text"}'])
def test_monitor_with_a_state_that_is_none(content: str, made: Log, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text(content)
    with pytest.raises(InputError, match="not what was remembered"):
        run("monitor", made.folder, "--identity", NAME, "--state", state)
    assert state.read_text() == content


def test_witnesses_are_demanded(made: Log) -> None:
    key = signing_keys.generate("ed25519")
    witness = WitnessKey(name="w.example.test", key=key.public.raw).encode()
    words = ("verify", made.folder, "--witness", witness)
    with pytest.raises(CountermarkError, match="cosigned by 0 witnesses"):
        run(*words)
    assert run(*words, "--witnesses", "0").exit == 0
    path = made.folder / "tiles/checkpoint"
    note = Note.parse(path.read_text())
    line = cosign(note, "w.example.test", key, 1_700_000_000)
    path.write_text(note.replace(signatures=(*note.signatures, line)).encode())
    assert run(*words).exit == 0
