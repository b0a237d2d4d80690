"""RFC 6962 hashing, inclusion and consistency.

RFC 6962, 2.1, and RFC 9162, 2.1.3.2 and 2.1.4.2, whose loops these are.
"""

from countermark.core.errors import Code, EvidenceError
from countermark.core.light import Sequence, sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry; the byte before it keeps entries and nodes apart."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees together."""
    return sha256(b"\1" + left + right).digest()


def _wrong(reason: str) -> EvidenceError:
    return EvidenceError(reason, code=Code.INCLUSION)


def check_inclusion(
    index: int, size: int, leaf: bytes, hashes: Sequence[bytes], root: bytes
) -> None:
    """Check that the entry at a place of a tree of some size has this leaf hash.

    Raises:
        EvidenceError: ``inclusion``.
    """
    if not 0 <= index < size:
        raise _wrong(f"index is beyond size: {index} >= {size}")
    if not all(len(each) == HASH_BYTES for each in (leaf, root, *hashes)):
        raise _wrong(f"a hash of another length than {HASH_BYTES}")
    wanted = _inner(index, size) + (index >> _inner(index, size)).bit_count()
    if len(hashes) != wanted:
        raise _wrong(f"wrong proof size {len(hashes)}, want {wanted}")
    first, second = index, size - 1
    found = leaf
    for each in hashes:
        if first & 1 or first == second:
            found = node_hash(each, found)
            while not first & 1 and first:
                first, second = first >> 1, second >> 1
        else:
            found = node_hash(found, each)
        first, second = first >> 1, second >> 1
    if found != root:
        raise _wrong("the proof does not lead to the root hash")


def _inner(index: int, size: int) -> int:
    """How many levels up the entry's path and the tree's right edge meet."""
    return (index ^ (size - 1)).bit_length()


def check_consistency(
    first: int, second: int, hashes: Sequence[bytes], first_root: bytes, second_root: bytes
) -> None:
    """Check that a tree of ``second`` entries begins with the one of ``first`` entries.

    Raises:
        EvidenceError: ``inclusion``.
    """
    if not 0 < first <= second:
        raise _wrong(f"no tree of {second} entries grew from one of {first}")
    if not all(len(each) == HASH_BYTES for each in (first_root, second_root, *hashes)):
        raise _wrong(f"a hash of another length than {HASH_BYTES}")
    if first == second:
        if hashes or first_root != second_root:
            raise _wrong("two trees of one size differ")
        return
    if not hashes:
        raise _wrong("the proof of consistency is empty")
    path = [*hashes] if first & (first - 1) else [first_root, *hashes]
    if _both_roots(first, second, path) != (first_root, second_root):
        raise _wrong("the proof of consistency does not lead to both root hashes")


def _both_roots(first: int, second: int, path: list[bytes]) -> tuple[bytes, bytes]:
    """Walk a consistency proof up both trees (RFC 9162, 2.1.4.2)."""
    low, high = first - 1, second - 1
    while low & 1:
        low, high = low >> 1, high >> 1
    old = new = path[0]
    for each in path[1:]:
        if high == 0:
            raise _wrong("the proof of consistency is too long")
        if low & 1 or low == high:
            old, new = node_hash(each, old), node_hash(each, new)
            while not low & 1 and low:
                low, high = low >> 1, high >> 1
        else:
            new = node_hash(new, each)
        low, high = low >> 1, high >> 1
    if high != 0:
        raise _wrong("the proof of consistency is too short")
    return old, new
