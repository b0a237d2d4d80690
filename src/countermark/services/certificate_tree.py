"""The tree over a certificate log's entries, in memory, grown as it is asked about.

Auditors ask for it, clients never do: so it is built when somebody first asks, and takes some 250 bytes for an entry.
"""

import threading
from collections.abc import Sequence

from countermark.core.errors import InputError
from countermark.core.ports_sigstore import CertificateEntries
from countermark.formats import tiles
from countermark.proofs.log import leaf_hash
from countermark.proofs.log_tiles import Edge, TileTree

_AT_ONCE = 1_000  # entries read


class CertificateTree:
    """The tree of all entries."""

    def __init__(self, entries: CertificateEntries) -> None:
        """Take where the entries lie."""
        self._entries = entries
        self._edge = Edge()
        self._full: dict[tuple[int, int], tuple[bytes, ...]] = {}
        self._places: dict[bytes, int] = {}
        self._tree = TileTree(self._tile)
        self._lock = threading.Lock()

    def head(self) -> tuple[int, bytes]:
        """Return how many entries there are now, and the hash over them."""
        with self._lock:
            self._grow()
            return self._edge.size, self._edge.root()

    def consistency(self, first: int, second: int) -> Sequence[bytes]:
        """Prove that the tree of so many entries began as that of fewer.

        Raises:
            InputError: there are not so many. EvidenceError: ``inclusion``, the first is not the smaller.
        """
        with self._lock:
            self._demand(second)
            return self._tree.consistency(first, second)

    def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """Prove that an entry is in the tree of so many.

        Raises:
            InputError: there are not so many. EvidenceError: ``inclusion``, it is not in it.
        """
        with self._lock:
            self._demand(size)
            return self._tree.inclusion(index, size)

    def proof_of(self, leaf: bytes, size: int) -> tuple[int, Sequence[bytes]]:
        """Find an entry by its leaf hash, and prove that it is in the tree of so many.

        Raises:
            InputError: there is none in it.
        """
        with self._lock:
            self._demand(size)
            index = self._places.get(leaf)
            if index is None or index >= size:
                raise InputError("there is no entry of this hash")
            return index, self._tree.inclusion(index, size)

    def _demand(self, size: int) -> None:
        if size > self._edge.size:
            self._grow()
        if size > self._edge.size:
            raise InputError(f"the tree has {self._edge.size} entries")

    def _grow(self) -> None:
        while True:
            found = self._entries.range(self._edge.size, self._edge.size + _AT_ONCE)
            for entry in found:
                leaf = leaf_hash(entry.leaf)
                self._places[leaf] = self._edge.size
                for tile in self._edge.append(leaf):
                    self._full[tile.level, tile.index] = tile.hashes
            if len(found) < _AT_ONCE:
                return

    def _tile(self, level: int, index: int, width: int) -> Sequence[bytes]:
        full = self._full.get((level, index))
        if full is not None:
            return full[:width] if width < tiles.WIDTH else full
        return self._edge.partial()[level]
