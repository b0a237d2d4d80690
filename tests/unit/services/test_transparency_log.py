"""Rekor 2's API over a log in memory: statuses, words, files, shards, and what is told of trouble."""

import json
from base64 import b64decode

import pytest

import log_requests
from countermark.core import limits
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    KeyAccessError,
    StorageError,
    UnavailableError,
)
from countermark.core.ports_hosting import Request, Response
from countermark.formats import log_records, rekor
from countermark.formats.tiles import CHECKPOINT
from countermark.proofs import checkpoints, log
from countermark.services.log_publishing import Publisher
from countermark.services.log_sequencer import PUSHED_BACK, Sequencer
from countermark.services.log_terms import DIGEST, IDENTITY, KEY, term, terms_of_body
from countermark.services.log_witnesses import Witnesses
from countermark.services.transparency_log import ENTRIES_PATH, Shard, TransparencyLog
from hosted_registry import Answer, Body
from hosted_services import ask
from log_requests import document, encoded
from logs import KEY as LOG_KEY
from logs import ORIGIN, MemoryIndex, MemoryTiles, clock, opened, sequencer

CASES = log_requests.cases()


class World:
    """One log behind the service."""

    def __init__(self) -> None:
        self.index, self.store = MemoryIndex(), MemoryTiles()
        self.sequencer = sequencer(self.index, self.store)
        self.shard = Shard(origin=ORIGIN, sequencer=self.sequencer, files=self.store)
        self.service = TransparencyLog([self.shard])

    def add(self, body: bytes) -> Answer:
        return ask(self.service, "POST", ENTRIES_PATH, body)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("kind", log_requests.KINDS)
@pytest.mark.parametrize("certificate", [False, True])
def test_an_entry(kind: str, certificate: bool, world: World) -> None:
    body = encoded(document(kind=kind, certificate=certificate))
    for number in range(3):
        if number:
            body = encoded(document(kind=kind, certificate=certificate))
        answer = world.add(body)
        assert (answer.status, answer.headers) == (201, {"content-type": "application/json"})
        entry = rekor.parse_answer_2(answer.body)
        assert entry.log_index == number
        assert entry.proof is not None
        tree = opened(entry.proof.checkpoint)
        assert (tree.size, tree.root) == (entry.proof.tree_size, entry.proof.root_hash)
        leaf = log.leaf_hash(entry.body)
        log.check_inclusion(number, tree.size, leaf, entry.proof.hashes, tree.root)
        assert entry.log_id == checkpoints.key_id(ORIGIN, LOG_KEY.public)
        assert log_records.parse(entry.body).verifier.key_details == log_requests.KINDS[kind][0]
        assert world.index.entries[number].terms == terms_of_body(entry.body)


def test_all_members_are_there(world: World) -> None:
    answer = world.add(encoded(document())).json
    assert list(answer) == [
        "logIndex", "logId", "kindVersion", "integratedTime", "inclusionPromise", "inclusionProof",
        "canonicalizedBody",
    ]  # fmt: skip
    assert (answer["integratedTime"], answer["inclusionPromise"]) == ("0", None)
    assert answer["inclusionProof"]["hashes"] == []
    record = json.loads(b64decode(answer["canonicalizedBody"]))
    assert (record["kind"], record["apiVersion"]) == ("hashedrekord", "0.0.2")


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused_leaves_nothing(name: str, world: World) -> None:
    case = CASES[name]
    answer = world.add(case.body)
    assert answer.status == case.status
    assert list(answer.json) == ["code", "message", "details"]
    assert not case.text or answer.json["message"] == case.text
    assert world.index.entries == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("long", code=Code.TOO_LARGE), "http: request body too large"),
        (InputError("ends early"), "unexpected EOF"),
    ],
)
def test_a_body_that_breaks_off(error: InputError, words: str, world: World) -> None:
    request = Request(
        method="POST", path=ENTRIES_PATH, query="", headers={}, body=Body((b"{",), breaks=error)
    )
    answer = Answer(world.service.answer(request))
    assert (answer.status, answer.json["message"]) == (400, words)
    assert limits.LOG_REQUEST_BYTES == 4 << 20


def test_the_same_entry_again(world: World) -> None:
    body = encoded(document())
    world.add(encoded(document()))
    assert world.add(body).status == 201
    answer = world.add(body)
    assert answer.status == 409
    assert answer.headers["x-log-index"] == "1"
    assert answer.json == {
        "code": 6,
        "message": "an equivalent entry already exists in the transparency log with index 1",
        "details": [],
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", ENTRIES_PATH, 501),
        ("PUT", ENTRIES_PATH, 501),
        ("POST", "/api/v2/checkpoint", 501),
        ("DELETE", "/api/v2/tile/0/000", 501),
        ("HEAD", "/healthz", 501),
        ("GET", "/healthz", 200),
        ("GET", "/api/v2/checkpoint", 404),
        ("GET", "/api/v2/tile/0/000", 404),
        ("GET", "/api/v2/tile/x/000", 404),
        ("GET", "/api/v2/tile/../checkpoint", 404),
        ("GET", "/x", 404),
    ],
)
def test_methods_and_paths(method: str, path: str, status: int, world: World) -> None:
    answer = ask(world.service, method, path)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"


def test_which_paths_are_its_own(world: World) -> None:
    for path in (ENTRIES_PATH, "/api/v2/checkpoint", "/api/v2/tile/0/000", "/healthz"):
        assert world.service.serves(path)
    for path in ("/", "/api/v2/signingCert", "/api/v1/log/entries", "/checkpoint"):
        assert not world.service.serves(path)
    world.service.check()


def test_files(world: World) -> None:
    for _ in range(3):
        world.add(encoded(document()))
    answer = ask(world.service, "GET", "/api/v2/checkpoint")
    assert answer.headers == {
        "content-type": "text/plain; charset=utf-8",
        "cache-control": "no-cache",
    }
    assert opened(answer.body.decode()).size == 3
    for path in ("tile/0/000.p/3", "tile/entries/000.p/3"):
        found = ask(world.service, "GET", f"/api/v2/{path}")
        assert (found.status, found.body) == (200, world.store.files[path])
        assert found.headers["content-type"] == "application/octet-stream"
        assert "immutable" in found.headers["cache-control"]
        assert ask(world.service, "HEAD", f"/api/v2/{path}").status == 200
    assert ask(world.service, "GET", "/api/v2/tile/0/000.p/4").status == 404


def test_a_partial_tile_that_has_become_full(world: World) -> None:
    world.store.files |= {"tile/0/000": bytes(range(32)) * 256, "tile/entries/000": b"\0\1a" * 256}
    assert ask(world.service, "GET", "/api/v2/tile/0/000.p/2").body == bytes(range(32)) * 2
    assert ask(world.service, "GET", "/api/v2/tile/entries/000.p/2").body == b"\0\1a\0\1a"
    world.store.files["tile/0/000"] = b"cut off"
    answer = ask(world.service, "GET", "/api/v2/tile/0/000.p/2")
    assert (answer.status, answer.json["code"]) == (500, 2)


def respond(world: World, body: bytes) -> Response:
    request = Request(method="POST", path=ENTRIES_PATH, query="", headers={}, body=Body((body,)))
    return world.service.answer(request)


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (UnavailableError(PUSHED_BACK), 503, 14, PUSHED_BACK),
        (UnavailableError("the database"), 503, 14, "the log cannot answer now; retry"),
        (StorageError("disk", code=Code.NO_SPACE), 500, 2, "failed to integrate entry"),
        (KeyAccessError("key"), 500, 2, "failed to integrate entry"),
    ],
)
def test_trouble(
    error: CountermarkError, status: int, code: int, message: str, world: World
) -> None:
    world.index.fail_before = error
    response = respond(world, encoded(document()))
    answer = Answer(response)
    assert (answer.status, answer.json) == (
        status,
        {"code": code, "message": message, "details": []},
    )
    assert response.problem == f"{error.code}: {error}"


def test_shards(world: World) -> None:
    old_index, old_store = MemoryIndex(), MemoryTiles()
    host = "old.example.test"
    shown = Publisher(host, [LOG_KEY], old_store, Witnesses((), 0, clock), clock)
    old = Sequencer(old_index, old_store, shown)
    both = TransparencyLog([world.shard, Shard(origin=host, sequencer=old, files=old_store)])
    first = encoded(document())
    at_old = {"Host": f"{host.upper()}:8443"}
    assert ask(both, "POST", ENTRIES_PATH, first, at_old).status == 201
    old.freeze()
    for body in (first, encoded(document()), b"{}"):
        answer = ask(both, "POST", ENTRIES_PATH, body, at_old)
        assert answer.status == 405
        assert answer.body == b"This log has been frozen, please switch to the latest log.\n"
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    for headers in ({}, {"Host": "127.0.0.1:80"}, {"Host": ORIGIN}, {"Host": "[::1]:80"}):
        assert ask(both, "POST", ENTRIES_PATH, encoded(document()), headers).status == 201
    assert len(world.index.entries) == 4
    text = ask(both, "GET", "/api/v2/checkpoint", headers={"Host": host}).body.decode()
    assert text.startswith(f"{host}\n1\n")
    assert "Log frozen — " in text
    assert ask(both, "GET", "/api/v2/tile/0/000.p/1", headers={"Host": host}).status == 200
    assert ask(both, "GET", "/api/v2/checkpoint").body.startswith(f"{ORIGIN}\n4\n".encode())


def test_a_checkpoint_that_is_no_text(world: World) -> None:
    world.store.files[CHECKPOINT] = b"\xff"
    assert ask(world.service, "GET", "/api/v2/checkpoint").status == 500


def test_terms() -> None:
    whole = document(b"message", certificate=True)
    body = World().add(encoded(whole)).json["canonicalizedBody"]
    digest = b64decode(whole["hashedRekordRequestV002"]["digest"]).hex()
    key = log_requests.KEYS["ecdsa-p256"].public.fingerprint
    assert set(terms_of_body(b64decode(body))) == {
        term(DIGEST, digest), term(KEY, key), term(IDENTITY, log_requests.NAME),
    }  # fmt: skip
    assert terms_of_body(b"{}") == ()
    assert len({term(KEY, "a"), term(DIGEST, "a"), term(KEY, "b")}) == 3


@pytest.mark.parametrize(
    "change",
    [(b'"0.0.2"', b'"0.0.1"'), (b"SHA2_256", b"SHA2_999"), (b'{"api', b'{ "api'), (b"ECDSA", b'"')],
)
def test_a_body_that_is_not_canonical(change: tuple[bytes, bytes], world: World) -> None:
    body = b64decode(world.add(encoded(document())).json["canonicalizedBody"])
    assert log_records.parse(body).encode() == body
    with pytest.raises(CountermarkError) as caught:
        log_records.parse(body.replace(*change, 1))
    assert caught.value.code == Code.MALFORMED
