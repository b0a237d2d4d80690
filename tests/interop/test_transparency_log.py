"""Our transparency log beside rekor-tiles, input by input; the tiles of both before our rules; cosign on ours."""

import http.client
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import log_requests
from countermark.adapters.tile_folder import TileFolder
from countermark.formats import rekor
from countermark.formats.bundle import LogEntry
from countermark.formats.signing_config import Selector, Service, SigningConfig
from countermark.formats.trusted_root import Instance, TrustedRoot
from countermark.proofs import checkpoints, log, public_keys, signatures, signing_keys, spki
from countermark.proofs.log_tiles import TileTree
from countermark.proofs.pem import Block
from countermark.services.log_reading import LogFiles
from countermark.services.transparency_log import ENTRIES_PATH, TransparencyLog
from hosted_services import serving
from interop import processes
from interop.cosign_peers import Cosign, go_program
from log_requests import document, encoded
from serve_log import HOST, shard
from servers import Server

CASES = log_requests.cases()


class Answer(NamedTuple):
    status: int
    kind: str
    place: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    address: str, method: str, path: str, body: bytes | None = None, kind: str = "application/json"
) -> Answer:
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": kind} if kind else {})
        answer = connection.getresponse()
        told = answer.headers.get("Content-Type", ""), answer.headers.get("X-Log-Index", "")
        return Answer(answer.status, *told, answer.read())
    finally:
        connection.close()


class Log:
    """A log: where it is, how it is trusted, where its files lie."""

    def __init__(self, address: str, key: bytes, folder: Path) -> None:
        self.address, self.folder = address, folder
        public = spki.parse(key)
        self.instance = Instance(
            base_url=f"http://{HOST}:{address.rpartition(':')[2]}",
            key=key,
            key_details=signatures.key_details(public),
            log_id=checkpoints.key_id(HOST, public),
            start=datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1),
        )

    def add(self, body: bytes) -> LogEntry:
        answer = ask(self.address, "POST", ENTRIES_PATH, body)
        assert answer.status == 201, answer
        return rekor.parse_answer_2(answer.body)


class Theirs(Log):
    """rekor-server on a folder, with a checkpoint a second."""

    def __init__(self, program: Path, folder: Path) -> None:
        key = signing_keys.generate("ed25519")
        (folder / "key.pem").write_bytes(Block(type="PRIVATE KEY", content=key.to_pkcs8()).encode())
        ports = [processes.free_port() for _ in range(3)]
        words: list[str | Path] = [
            program,
            "serve",
            "--hostname",
            HOST,
            "--storage-dir",
            folder / "tiles",
        ]
        words += ["--http-address", "127.0.0.1", "--http-port", str(ports[0])]
        words += ["--grpc-address", "127.0.0.1", "--grpc-port", str(ports[1])]
        words += ["--http-metrics-port", str(ports[2]), "--signer-filepath", folder / "key.pem"]
        words += ["--checkpoint-interval=1s", "--batch-max-age=50ms", "--persistent-antispam"]
        self._server = processes.Server("rekor-server", words, folder / "log", {"HOME": "/"})
        self._server.ready(lambda: processes.listens(ports[0]) and processes.listens(ports[1]))
        super().__init__(f"127.0.0.1:{ports[0]}", key.public_der, folder / "tiles")

    def stop(self) -> None:
        self._server.stop()


class Alone(TransparencyLog):
    """Our service with nothing beside it, so that every path is its own."""

    def serves(self, path: str) -> bool:
        return True


class Ours(Log):
    """Our service on loopback."""

    def __init__(self, folder: Path) -> None:
        served = shard(folder)
        served.sequencer.open()
        self._server = Server(serving(Alone([served])))
        key = public_keys.parse((folder / "log.pub").read_bytes())
        super().__init__(self._server.address, key.der, folder / "tiles")

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theirs]:
    server = Theirs(go_program("rekor-server"), tmp_path_factory.mktemp("rekor"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ours]:
    server = Ours(tmp_path_factory.mktemp("log"))
    yield server
    server.stop()


def unspaced(text: str) -> str:
    """Go's JSON has blanks at random, and words for what is wrong with one likewise."""
    return re.sub(r"[ \u00a0]+", " ", text)


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused_is_refused_in_the_same_words(
    name: str, ours: Ours, theirs: Theirs
) -> None:
    case = CASES[name]
    answers = [ask(each.address, "POST", ENTRIES_PATH, case.body) for each in (theirs, ours)]
    for answer in answers:
        assert (answer.status, answer.kind) == (case.status, "application/json")
        assert list(answer.json) == ["code", "message", "details"]
    assert unspaced(answers[0].json["message"]) == unspaced(answers[1].json["message"])
    assert answers[0].json["code"] == answers[1].json["code"]
    if case.text:
        assert answers[1].json["message"] == case.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ENTRIES_PATH),
        ("PUT", ENTRIES_PATH),
        ("DELETE", "/api/v2/checkpoint"),
        ("POST", "/api/v2/tile/entries/000"),
        ("POST", "/healthz"),
        ("GET", "/healthz"),
        ("GET", "/api/v2/log/entries/"),
        ("GET", "/"),
        ("GET", "/api/v1/log/entries"),
    ],
)
def test_methods_and_paths(method: str, path: str, ours: Ours, theirs: Theirs) -> None:
    here, there = (ask(each.address, method, path) for each in (ours, theirs))
    assert (here.status, here.kind, here.json) == (there.status, there.kind, there.json)


@pytest.mark.parametrize("certificate", [False, True])
@pytest.mark.parametrize("kind", log_requests.KINDS)
def test_what_is_taken_is_the_same_entry(
    kind: str, certificate: bool, ours: Ours, theirs: Theirs
) -> None:
    body = encoded(document(kind=kind, certificate=certificate))
    here, there = (
        ask(ours.address, "POST", ENTRIES_PATH, body),
        ask(theirs.address, "POST", ENTRIES_PATH, body),
    )
    assert (here.status, here.kind) == (there.status, there.kind) == (201, "application/json")
    assert list(here.json) == list(there.json)
    for name in ("kindVersion", "integratedTime", "inclusionPromise", "canonicalizedBody"):
        assert here.json[name] == there.json[name]
    assert list(here.json["inclusionProof"]) == list(there.json["inclusionProof"])
    for each, answer in ((ours, here), (theirs, there)):
        check(each, rekor.parse_answer_2(answer.body))


def check(where: Log, entry: LogEntry) -> None:
    """Demand what a client demands of an answer."""
    assert entry.log_id == where.instance.log_id
    assert entry.proof is not None
    tree = checkpoints.check(entry.proof.checkpoint, where.instance)
    assert (tree.size, tree.root) == (entry.proof.tree_size, entry.proof.root_hash)
    assert entry.proof.log_index == entry.log_index
    leaf = log.leaf_hash(entry.body)
    log.check_inclusion(entry.log_index, tree.size, leaf, entry.proof.hashes, tree.root)


def test_the_same_entry_again(ours: Ours, theirs: Theirs) -> None:
    body = encoded(document())
    for each in (ours, theirs):
        place = str(each.add(body).log_index)
        again = ask(each.address, "POST", ENTRIES_PATH, body)
        text = f"an equivalent entry already exists in the transparency log with index {place}"
        assert (again.status, again.place) == (409, place)
        assert again.json == {"code": 6, "message": text, "details": []}


def test_names_in_the_other_style_and_no_content_type(ours: Ours, theirs: Theirs) -> None:
    whole = document()["hashedRekordRequestV002"]
    verifier = whole["signature"]["verifier"]
    verifier = {"public_key": {"raw_bytes": verifier["publicKey"]["rawBytes"]}, "key_details": 5}
    whole["signature"]["verifier"] = verifier
    body = encoded({"hashed_rekord_request_v002": whole})
    for each in (ours, theirs):
        answer = ask(each.address, "POST", ENTRIES_PATH, body, "")
        assert answer.status == 201, answer


def test_both_lay_their_tiles_alike(ours: Ours, theirs: Theirs) -> None:
    for each in (ours, theirs):
        for _ in range(2):
            each.add(encoded(document()))
        files = LogFiles(TileFolder(str(each.folder)))
        text = files.checkpoint()
        assert text is not None
        tree = checkpoints.check(text, each.instance)
        bodies = list(files.entries(0, tree.size, tree.size))
        hashes = TileTree(files.hashes)
        assert hashes.root(tree.size) == tree.root
        for place, body in enumerate(bodies):
            proof = hashes.inclusion(place, tree.size)
            log.check_inclusion(place, tree.size, log.leaf_hash(body), proof, tree.root)


def test_ours_can_be_read(ours: Ours) -> None:
    entry = ours.add(encoded(document()))
    assert entry.proof is not None
    size = entry.proof.tree_size
    shown = ask(ours.address, "GET", "/api/v2/checkpoint")
    assert (shown.status, shown.kind) == (200, "text/plain; charset=utf-8")
    assert checkpoints.check(shown.body.decode(), ours.instance).size >= size
    tile = ask(ours.address, "GET", f"/api/v2/tile/0/000.p/{size}")
    assert (tile.status, tile.kind, len(tile.body)) == (200, "application/octet-stream", 32 * size)
    assert tile.body[-32:] == log.leaf_hash(entry.body)
    bundle = ask(ours.address, "GET", f"/api/v2/tile/entries/000.p/{size}")
    assert bundle.body.endswith(entry.body)


# Clients --------------------------------------------------------------------------------------------------


def configured(cosign: Cosign, where: Log) -> tuple[str, ...]:
    """Have cosign trust a log and sign with it alone."""
    trusted = TrustedRoot(logs=(where.instance,))
    root, config = cosign.folder / "trusted.json", cosign.folder / "config.json"
    root.write_bytes(trusted.encode())
    service = Service(
        url=f"http://{where.address}", api_version=2, operator="test", start=where.instance.start
    )
    signing = SigningConfig(logs=(service,), log_selector=Selector(kind="ANY"))
    config.write_bytes(signing.encode())
    return "--trusted-root", str(root), "--signing-config", str(config)


@pytest.mark.parametrize("kind", ["ecdsa-p256", "rsa-2048"])
def test_cosign_logs_and_verifies(kind: str, cosign: Cosign, ours: Ours) -> None:
    cosign("generate-key-pair").ok()
    trust = configured(cosign, ours)
    files = [cosign.folder / name for name in ("document", "bundle.json")]
    files[0].write_text(f"what is signed, {kind}")
    key = ("--key", str(cosign.folder / "cosign.key"))
    cosign("sign-blob", "-y", *trust, *key, "--bundle", str(files[1]), str(files[0])).ok()
    bundle = json.loads(files[1].read_text())
    (entry,) = bundle["verificationMaterial"]["tlogEntries"]
    assert b64decode(entry["logId"]["keyId"]) == ours.instance.log_id
    public = ("--key", str(cosign.folder / "cosign.pub"), "--bundle", str(files[1]))
    cosign("verify-blob", *trust[:2], *public, str(files[0])).ok()
    checkpoint = entry["inclusionProof"]["checkpoint"]
    checkpoint["envelope"] = checkpoint["envelope"].replace(f"\n\u2014 {HOST}", f"x\n\u2014 {HOST}")
    files[1].write_text(json.dumps(bundle))
    assert cosign("verify-blob", *trust[:2], *public, str(files[0])).exit != 0
