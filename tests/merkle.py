"""Merkle trees as RFC 6962, 2.1, writes them down: slowly, over a list, and with nothing of ours."""

import hashlib
from collections.abc import Sequence


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return hashlib.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


def split(count: int) -> int:
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*path(index, leaves[:k]), root(leaves[k:])]
    return [*path(index - k, leaves[k:]), root(leaves[:k])]


def proof(first: int, leaves: Sequence[bytes]) -> list[bytes]:
    return _subproof(first, leaves, True)


def _subproof(first: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if whole else [root(leaves)]
    k = split(len(leaves))
    if first <= k:
        return [*_subproof(first, leaves[:k], whole), root(leaves[k:])]
    return [*_subproof(first - k, leaves[k:], False), root(leaves[:k])]
