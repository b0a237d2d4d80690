"""Proofs of inclusion and consistency: the published examples, and everything that is not one."""

import pytest

import merkle
from countermark.core.errors import Code, EvidenceError
from countermark.proofs import log

# certificate-transparency's examples: entries, and the root after each
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    bytes.fromhex(text)
    for text in (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
LEAVES = [log.leaf_hash(entry) for entry in ENTRIES]


def test_the_published_roots() -> None:
    assert [merkle.root(LEAVES[: n + 1]) for n in range(8)] == ROOTS
    assert merkle.root([]) == log.EMPTY_ROOT
    assert log.leaf_hash(b"") == ROOTS[0]
    assert log.node_hash(LEAVES[0], LEAVES[1]) == ROOTS[1]


@pytest.mark.parametrize(
    ("index", "size", "hashes"),
    [
        (0, 1, []),
        (
            0,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    ],
)
def test_published_inclusions(index: int, size: int, hashes: list[str]) -> None:
    path = [bytes.fromhex(each) for each in hashes]
    log.check_inclusion(index, size, LEAVES[index], path, ROOTS[size - 1])


@pytest.mark.parametrize(
    ("first", "second", "hashes"),
    [
        (1, 1, []),
        (
            1,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
    ],
)
def test_published_consistencies(first: int, second: int, hashes: list[str]) -> None:
    path = [bytes.fromhex(each) for each in hashes]
    log.check_consistency(first, second, path, ROOTS[first - 1], ROOTS[second - 1])


SIZES = range(1, 33)
MANY = [log.leaf_hash(bytes([n])) for n in range(40)]


@pytest.mark.parametrize("size", SIZES)
def test_each_entry_of_each_size_is_proven_and_nothing_else(size: int) -> None:
    root = merkle.root(MANY[:size])
    for index in range(size):
        path = merkle.path(index, MANY[:size])
        log.check_inclusion(index, size, MANY[index], path, root)
        for other in range(size + 2):
            if other != index:
                refused_inclusion(other, size, MANY[index], path, root)
        refused_inclusion(index, size, MANY[index], [*path, path[0] if path else root], root)
        refused_inclusion(index, size, MANY[index], path[:-1] or [root, root, root], root)
        refused_inclusion(index, size, MANY[(index + 1) % 40], path, root)
        for at in range(len(path)):
            bent = [*path]
            bent[at] = bytes([bent[at][0] ^ 1]) + bent[at][1:]
            refused_inclusion(index, size, MANY[index], bent, root)


@pytest.mark.parametrize("second", SIZES)
def test_each_pair_of_sizes_is_proven_and_nothing_else(second: int) -> None:
    new = merkle.root(MANY[:second])
    for first in range(1, second + 1):
        old = merkle.root(MANY[:first])
        path = merkle.proof(first, MANY[:second])
        log.check_consistency(first, second, path, old, new)
        refused_consistency(first, second, path, new if old != new else MANY[39], new)
        refused_consistency(first, second, path, old, merkle.root(MANY[: second + 1]))
        refused_consistency(first, second, [*path, new], old, new)
        if path:
            refused_consistency(first, second, path[:-1], old, new)
            refused_consistency(first, second, path[1:], old, new)
        for at in range(len(path)):
            bent = [*path]
            bent[at] = bytes([bent[at][0] ^ 1]) + bent[at][1:]
            refused_consistency(first, second, bent, old, new)


def refused_inclusion(index: int, size: int, leaf: bytes, path: list[bytes], root: bytes) -> None:
    with pytest.raises(EvidenceError) as caught:
        log.check_inclusion(index, size, leaf, path, root)
    assert caught.value.code == Code.INCLUSION


def refused_consistency(first: int, second: int, path: list[bytes], old: bytes, new: bytes) -> None:
    with pytest.raises(EvidenceError) as caught:
        log.check_consistency(first, second, path, old, new)
    assert caught.value.code == Code.INCLUSION


@pytest.mark.parametrize(
    ("index", "size"), [(-1, 1), (0, 0), (1, 1), (5, 5), (2**64, 2**64), (0, -1)]
)
def test_places_that_are_none(index: int, size: int) -> None:
    refused_inclusion(index, size, MANY[0], [], MANY[0])


@pytest.mark.parametrize(("first", "second"), [(0, 1), (-1, 1), (2, 1), (0, 0)])
def test_sizes_that_are_none(first: int, second: int) -> None:
    refused_consistency(first, second, [], MANY[0], MANY[0])


@pytest.mark.parametrize("bad", [b"", b"\0" * 31, b"\0" * 33])
def test_hashes_of_another_length(bad: bytes) -> None:
    refused_inclusion(0, 2, bad, [MANY[1]], MANY[0])
    refused_inclusion(0, 2, MANY[0], [bad], MANY[0])
    refused_inclusion(0, 2, MANY[0], [MANY[1]], bad)
    refused_consistency(1, 2, [bad], MANY[0], MANY[1])
    refused_consistency(1, 2, [MANY[1]], bad, MANY[1])
    refused_consistency(1, 2, [MANY[1]], MANY[0], bad)
