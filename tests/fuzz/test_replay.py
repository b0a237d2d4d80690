"""Each fuzzed reader, in short: its seeds, seeds that are changed in the same way each time, and hostile bytes.

``make fuzz`` looks for more, led by coverage. What it finds lies in ``tests/vectors/fuzz/READER/FAULT`` for ever.
"""

import random
import time
from collections.abc import Iterator

import pytest

from fuzz.target import Target, hostile
from fuzz.targets import FAULTS, TARGETS, faults

pytestmark = pytest.mark.slow

CHANGED = 150  # of each seed at most
BYTES = 20_000  # of changed input a reader: what takes long to read is changed less often
SECONDS = 5.0  # of processor time for one call; hostile bytes are read in a tenth of it
PIECES = (
    b"",
    b"\0",
    b"\xff",
    b"null",
    b"[]",
    b"{}",
    b"-1",
    b"1e9",
    b'"',
    b"\n",
    b"\x80\x80",
    b"\\ud800",
)


def bounded(target: Target, content: bytes) -> bool:
    began = time.process_time()
    understood = target.feed(content)
    took = time.process_time() - began
    assert took < SECONDS, f"{took:.1f} s for {len(content)} bytes"
    return understood


def changed(seed: bytes, source: random.Random) -> Iterator[bytes]:
    for _ in range(min(CHANGED, 10 + BYTES * 10 // (len(seed) + 1))):
        content = bytearray(seed)
        for _ in range(source.randint(1, 3)):
            at = source.randrange(len(content) + 1)
            if source.random() < 0.4 and at < len(content):
                content[at] ^= 1 << source.randrange(8)
            else:
                content[at : at + source.randint(0, 4)] = source.choice(PIECES)
        yield bytes(content)


@pytest.mark.parametrize("target", TARGETS.values(), ids=str)
def test_seeds(target: Target) -> None:
    understood = [bounded(target, seed) for seed in target.seeds()]
    assert any(understood)


@pytest.mark.parametrize("target", TARGETS.values(), ids=str)
def test_changed_seeds(target: Target) -> None:
    source = random.Random(target.name)
    for seed in target.seeds():
        for content in changed(seed, source):
            bounded(target, content)


@pytest.mark.parametrize("target", TARGETS.values(), ids=str)
def test_hostile_bytes(target: Target) -> None:
    for _, content in hostile():
        bounded(target, content)


@pytest.mark.parametrize("target", TARGETS.values(), ids=str)
def test_what_went_wrong_once(target: Target) -> None:
    for content in faults(target).values():
        bounded(target, content)


def test_every_fault_belongs_to_a_reader() -> None:
    assert {path.name for path in FAULTS.glob("*/")} <= TARGETS.keys()
