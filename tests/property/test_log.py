"""Logs whatever their size: proofs prove what they are of and nothing else; bent notes raise what they should."""

import functools

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import merkle
from countermark.core.errors import EvidenceError
from countermark.formats import tiles
from countermark.formats.tiles import TilePlace
from countermark.formats.tlog import Checkpoint, Note
from countermark.formats.trusted_root import Instance
from countermark.proofs import checkpoints, log, signing_keys
from countermark.proofs.cosignatures import WitnessKey
from countermark.proofs.log_tiles import Edge, TileTree

LEAVES = [log.leaf_hash(b"%d" % n) for n in range(1200)]
SIZES = st.integers(1, 1200)
SETTLED: dict[tuple[int, int], tuple[bytes, ...]] = {}
EDGE = Edge()
for _leaf in LEAVES:
    for _full in EDGE.append(_leaf):
        SETTLED[_full.level, _full.index] = _full.hashes
for _level, _hashes in enumerate(EDGE.partial()):
    SETTLED[_level, (len(LEAVES) >> 8 * _level) // 256] = _hashes
root = functools.cache(lambda size: merkle.root(LEAVES[:size]))


def tree() -> TileTree:
    return TileTree(lambda level, index, width: SETTLED[level, index][:width])


@given(SIZES, SIZES, st.data())
def test_a_proof_for_one_size_fails_for_another(size: int, other: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = tree().inclusion(index, size)
    log.check_inclusion(index, size, LEAVES[index], path, root(size))
    assume(other != size)
    for wrong in (root(other), root(size)):
        if wrong == root(size) and _same_path(index, size, other):
            continue  # the sizes' trees have the same shape on the way to this entry
        with pytest.raises(EvidenceError):
            log.check_inclusion(index, other, LEAVES[index], path, wrong)


def _same_path(index: int, size: int, other: int) -> bool:
    return index < other and _sides(index, size) == _sides(index, other)


def _sides(index: int, size: int) -> list[bool]:
    """On which side each hash of a path stands."""
    found = []
    while size > 1:
        k = merkle.split(size)
        found.append(index < k)
        index, size = (index, k) if index < k else (index - k, size - k)
    return found


@given(SIZES, SIZES)
@example(1, 1)
@example(256, 512)
@example(255, 257)
def test_any_two_sizes_are_consistent(one: int, other: int) -> None:
    first, second = sorted((one, other))
    path = tree().consistency(first, second)
    assert list(path) == merkle.proof(first, LEAVES[:second])
    log.check_consistency(first, second, path, root(first), root(second))
    if first != second:
        with pytest.raises(EvidenceError):
            log.check_consistency(first, second, path, root(second), root(first))


@given(st.lists(st.integers(0, 400), max_size=6), st.booleans())
def test_a_tree_grown_in_any_batches_has_the_same_root(batches: list[int], again: bool) -> None:
    edge, size = Edge(), 0
    for batch in batches:
        for leaf in LEAVES[size : size + batch]:
            edge.append(leaf)
            size += 1
        if again:
            edge = Edge(edge.size, edge.partial())
        assert (edge.size, edge.root()) == (size, root(size))


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=12), SIZES, SIZES)
def test_no_path_proves_by_chance(path: list[bytes], one: int, other: int) -> None:
    first, second = sorted((one, other))
    assume(first < second)
    with pytest.raises(EvidenceError):
        log.check_inclusion(first, second, LEAVES[0], path, root(second))
    with pytest.raises(EvidenceError):
        log.check_consistency(first, second, path, root(first), root(second))


KEY = signing_keys.generate("ed25519")
LOG = Instance(
    base_url="https://log.example.test",
    key=KEY.public_der,
    key_details="PKIX_ED25519",
    log_id=b"\0" * 32,
    start=None,
)
SIGNED = checkpoints.sign(
    Checkpoint(origin="log.example.test", size=7, root=bytes(32), extensions=("more",)), KEY
).encode()


@given(st.integers(0, len(SIGNED) - 1), st.characters(), st.sampled_from(["put", "replace", "cut"]))
def test_a_bent_note_is_refused(place: int, char: str, how: str) -> None:
    end = place + (how != "put")
    bent = SIGNED[:place] + ("" if how == "cut" else char) + SIGNED[end:]
    assume(bent != SIGNED)
    with pytest.raises(EvidenceError):
        checkpoints.check(bent, LOG)


@given(st.text(max_size=300) | st.text(alphabet="— log.example+AZaz09=/\n", max_size=300))
def test_no_text_is_more_than_refused(text: str) -> None:
    for read in (Note.parse, Checkpoint.parse, WitnessKey.parse, TilePlace.parse):
        try:
            read(text)
        except EvidenceError:
            continue


@given(st.binary(max_size=700), st.integers(0, 256))
def test_no_bytes_are_more_than_refused(content: bytes, width: int) -> None:
    try:
        entries = tiles.parse_entries(content, width)
    except EvidenceError:
        return
    assert tiles.encode_entries(entries) == content


@given(st.lists(st.binary(max_size=300), max_size=256), st.data())
def test_bundles_there_and_back(entries: list[bytes], data: st.DataObject) -> None:
    content = tiles.encode_entries(entries)
    width = data.draw(st.integers(0, len(entries)))
    assert tiles.parse_entries(content, len(entries)) == entries
    assert tiles.encode_entries(entries[:width]) == tiles.cut(content, tiles.ENTRIES, width)


@given(st.integers(-2, 7), st.integers(0, 2**56 - 1), st.integers(1, 256))
def test_paths_there_and_back(level: int, index: int, width: int) -> None:
    place = TilePlace(level=level, index=index, width=width)
    assert TilePlace.parse(place.path) == place
