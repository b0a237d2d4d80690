"""The certificate log over HTTP: what it promises, what it shows, and that its proofs are good."""

import json
from base64 import b64decode, b64encode
from typing import Any
from urllib.parse import quote

import pytest

import mint
from certificate_services import ALICE, World
from countermark.core import limits
from countermark.core.errors import Code, KeyAccessError, StorageError, UnavailableError
from countermark.core.ports_sigstore import LoggedCertificate
from countermark.proofs import issuing, log, scts, signatures, signing_certificates, spki
from countermark.services.certificate_log import CertificateLogServer
from hosted_registry import Answer
from hosted_services import ask
from mint import NOW, Extra, leaf, make

ROOT = make("root", private=mint.key("P-384"))
MIDDLE = make("middle", ROOT)
POISON = Extra("1.3.6.1.4.1.11129.2.4.3", True, b"\x05\x00")
PREFIX = "/test/ct/v1"


def b64(content: bytes) -> str:
    return b64encode(content).decode()


class LogWorld(World):
    """A log that takes what leads to one root, and what tests ask it."""

    def __init__(self) -> None:
        super().__init__()
        self.log = CertificateLogServer(self.log_key, self.entries, [ROOT.der], self.clock, "/test")

    def get(self, what: str) -> Answer:
        return ask(self.log, "GET", f"{PREFIX}/{what}")

    def post(self, what: str, chain: object) -> Answer:
        return ask(self.log, "POST", f"{PREFIX}/{what}", json.dumps({"chain": chain}).encode())

    def add(self, made: mint.Made) -> dict[str, Any]:
        answer = self.post("add-chain", [b64(made.der), b64(MIDDLE.der)])
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.json
        return found

    def fill(self, count: int) -> list[bytes]:
        """Put entries there; return their leaf hashes."""
        for number in range(count):
            entry = LoggedCertificate(leaf=b"leaf %d" % number, extra=b"extra %d" % number)
            self.entries.add(b"%d" % number, entry)
        return [log.leaf_hash(each.leaf) for each in self.entries.range(0, count)]

    def signed(self, message: bytes, signature: str) -> bool:
        """Whether the log signed this, as the answer has it (RFC 5246, 4.7)."""
        raw = b64decode(signature)
        assert raw[:2] == b"\4\3"
        assert int.from_bytes(raw[2:4]) == len(raw) - 4
        return signatures.verify(spki.parse(self.log_key.public_der), message, raw[4:], "sha256")


# Taking -------------------------------------------------------------------------------------------------


def test_a_finished_certificate_over_http() -> None:
    world, made = LogWorld(), leaf(MIDDLE)
    found = world.add(made)
    assert (found["sct_version"], found["extensions"]) == (0, "")
    assert b64decode(found["id"]) == world.ct_log.log_id
    assert found["timestamp"] == int(NOW.timestamp() * 1000)
    entry = scts.certificate_entry(made.der)
    assert world.signed(scts.signed_content(found["timestamp"], b"", entry), found["signature"])


def test_a_certificate_to_be_over_http() -> None:
    world, made = LogWorld(), leaf(MIDDLE, extra=(POISON,))
    answer = world.post("add-pre-chain", [b64(made.der), b64(MIDDLE.der), b64(ROOT.der)])
    assert answer.status == 200
    (kept,) = world.entries.range(0, 9)
    assert world.signed(kept.leaf, answer.json["signature"])
    assert kept.extra.startswith(len(made.der).to_bytes(3) + made.der)


def test_the_same_certificate_gets_the_same_promise() -> None:
    world, made = LogWorld(), leaf(MIDDLE)
    first = world.add(made)
    world.clock.forward(hours=1)
    second = world.add(made)
    assert first["timestamp"] == second["timestamp"]
    assert world.entries.size() == 1


def test_the_authority_in_this_process() -> None:
    world = World()
    leaf_issuer = issuing.LeafIssuer(issuing.Signer(world.middle, world.key))

    def promise(entry: bytes, poisoned: bytes) -> bytes:
        return world.log.add(entry, (poisoned, world.middle.der, world.root.der), NOW)

    key = spki.parse(mint.spki(mint.key()))
    found = signing_certificates.parse(leaf_issuer.issue(ALICE, key, NOW, promise))
    assert scts.check(found, world.middle, [world.ct_log]) == world.ct_log
    (kept,) = world.entries.range(0, 9)
    assert found.precertificate in kept.leaf
    assert kept.extra.endswith(world.root.der)


BAD_CHAINS: list[tuple[str, object]] = [
    ("add-chain", []),
    ("add-chain", "x"),
    ("add-chain", [1]),
    ("add-chain", ["!!"]),
    ("add-chain", [b64(b"junk")]),
    ("add-chain", [b64(leaf(MIDDLE).der)]),
    ("add-chain", ["AAAA"] * (limits.CHAIN_CERTIFICATES + 1)),
    ("add-chain", [b64(leaf(make("stranger")).der)]),
    ("add-chain", [b64(leaf(MIDDLE, extra=(POISON,)).der), b64(MIDDLE.der)]),
    ("add-pre-chain", [b64(leaf(MIDDLE).der), b64(MIDDLE.der)]),
]


@pytest.mark.parametrize(("what", "chain"), BAD_CHAINS, ids=range(len(BAD_CHAINS)))
def test_what_it_does_not_take(what: str, chain: object) -> None:
    world = LogWorld()
    answer = world.post(what, chain)
    assert answer.status == 400
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert not world.entries.kept


@pytest.mark.parametrize("body", [b"", b"zzz", b"[]", b"{}", b'{"chain":null}'])
def test_bodies_that_are_no_chain(body: bytes) -> None:
    assert ask(LogWorld().log, "POST", f"{PREFIX}/add-chain", body).status == 400


def test_a_body_that_is_too_large() -> None:
    body = b" " * (limits.CERTIFICATE_CHAIN_BYTES + 1)
    assert ask(LogWorld().log, "POST", f"{PREFIX}/add-chain", body).status == 400


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (StorageError("full", code=Code.NO_SPACE), 500),
        (UnavailableError("busy"), 503),
        (KeyAccessError("sealed"), 500),
    ],
)
def test_what_cannot_be_kept_is_not_promised(problem: Exception, status: int) -> None:
    world = LogWorld()
    world.entries.problem = problem  # type: ignore[assignment]
    answer = world.post("add-chain", [b64(leaf(MIDDLE).der), b64(MIDDLE.der)])
    assert (answer.status, answer.body) == (status, b"the log cannot answer now\n")


# Showing ------------------------------------------------------------------------------------------------

SIZES = (0, 1, 2, 3, 7, 255, 256, 257, 600, 1000, 2345)


@pytest.mark.parametrize("size", SIZES)
def test_a_signed_tree_head(size: int) -> None:
    world = LogWorld()
    world.fill(size)
    found = world.get("get-sth").json
    root = b64decode(found["sha256_root_hash"])
    assert found["tree_size"] == size
    content = b"\0\1" + found["timestamp"].to_bytes(8) + size.to_bytes(8) + root
    assert world.signed(content, found["tree_head_signature"])


def test_a_tree_head_is_made_anew_when_the_tree_grows_and_every_hour() -> None:
    world = LogWorld()
    first = world.get("get-sth").body
    world.clock.forward(minutes=59)
    assert world.get("get-sth").body == first
    world.clock.forward(minutes=1)
    second = world.get("get-sth")
    assert second.json["timestamp"] == int(world.clock.now.timestamp() * 1000)
    world.fill(1)
    assert world.get("get-sth").json["tree_size"] == 1
    world.clock.forward(hours=-3)
    assert world.get("get-sth").json["timestamp"] == int(world.clock.now.timestamp() * 1000)


def head(world: LogWorld) -> tuple[int, bytes]:
    found = world.get("get-sth").json
    return found["tree_size"], b64decode(found["sha256_root_hash"])


def test_proofs_that_entries_are_in_it() -> None:
    world = LogWorld()
    leaves = world.fill(600)
    size, root = head(world)
    for index in (0, 1, 255, 256, 511, 512, 598, 599):
        found = world.get(f"get-proof-by-hash?hash={quote(b64(leaves[index]))}&tree_size={size}")
        assert found.json["leaf_index"] == index
        path = [b64decode(each) for each in found.json["audit_path"]]
        log.check_inclusion(index, size, leaves[index], path, root)
        both = world.get(f"get-entry-and-proof?leaf_index={index}&tree_size={size}").json
        assert both["audit_path"] == found.json["audit_path"]
        assert log.leaf_hash(b64decode(both["leaf_input"])) == leaves[index]


@pytest.mark.parametrize("earlier", [1, 2, 200, 256, 300, 512, 599])
def test_proofs_that_it_only_grew(earlier: int) -> None:
    world = LogWorld()
    world.fill(earlier)
    old = head(world)
    world.fill(600)
    new = head(world)
    found = world.get(f"get-sth-consistency?first={old[0]}&second={new[0]}").json
    path = [b64decode(each) for each in found["consistency"]]
    log.check_consistency(old[0], new[0], path, old[1], new[1])


def test_proofs_in_a_tree_of_before() -> None:
    world = LogWorld()
    leaves = world.fill(300)
    old = head(world)
    world.fill(600)
    head(world)
    found = world.get(f"get-proof-by-hash?hash={quote(b64(leaves[290]))}&tree_size=300").json
    path = [b64decode(each) for each in found["audit_path"]]
    log.check_inclusion(290, 300, leaves[290], path, old[1])


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 0, range(1)), (3, 5, range(3, 6)), (590, 9999, range(590, 600)), (0, 599, range(256))],
)
def test_entries(start: int, end: int, expected: range) -> None:
    world = LogWorld()
    world.fill(600)
    found = world.get(f"get-entries?start={start}&end={end}").json["entries"]
    assert [b64decode(each["leaf_input"]) for each in found] == [b"leaf %d" % n for n in expected]
    assert [b64decode(each["extra_data"]) for each in found] == [b"extra %d" % n for n in expected]


def test_roots() -> None:
    assert LogWorld().get("get-roots").json == {"certificates": [b64(ROOT.der)]}


@pytest.mark.parametrize(
    "what",
    [
        "get-entries",
        "get-entries?start=0",
        "get-entries?start=a&end=1",
        "get-entries?start=-1&end=1",
        "get-entries?start=2&end=1",
        "get-entries?start=10&end=12",
        "get-entries?start=0&end=1&a=1&b=2&c=3",
        "get-entries?start",
        "get-proof-by-hash?tree_size=3",
        "get-proof-by-hash?hash=!!&tree_size=3",
        "get-proof-by-hash?hash=AAAA&tree_size=3",
        "get-proof-by-hash?hash=AAAA&tree_size=99",
        "get-sth-consistency?first=3&second=2",
        "get-sth-consistency?first=1&second=99",
        "get-entry-and-proof?leaf_index=3&tree_size=3",
        "get-entry-and-proof?leaf_index=0&tree_size=99",
    ],
)
def test_questions_that_have_no_answer(what: str) -> None:
    world = LogWorld()
    world.fill(3)
    assert world.get(what).status == 400


def test_an_entry_that_came_after_the_tree_of_before() -> None:
    world = LogWorld()
    leaves = world.fill(5)
    answer = world.get(f"get-proof-by-hash?hash={quote(b64(leaves[4]))}&tree_size=3")
    assert answer.status == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", f"{PREFIX}/get-sth", 405),
        ("GET", f"{PREFIX}/add-chain", 405),
        ("GET", f"{PREFIX}/nothing", 404),
        ("GET", "/ct/v1/get-sth", 404),
    ],
)
def test_what_is_not_there(method: str, path: str, status: int) -> None:
    world = LogWorld()
    assert ask(world.log, method, path).status == status


def test_which_paths_are_its_own() -> None:
    world = LogWorld()
    assert world.log.serves(f"{PREFIX}/get-sth")
    assert world.log.serves(f"{PREFIX}/add-pre-chain")
    assert not world.log.serves("/ct/v1/get-sth")
