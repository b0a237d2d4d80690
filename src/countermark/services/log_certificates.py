"""A certificate log's entries in a log of ours: durable in batches, in tiles, under signed checkpoints.

Auditors then read proofs from tiles: nothing of the tree is in memory, however large it is.
"""

from collections.abc import Sequence

from countermark.core.errors import Code, InputError, MalformedError
from countermark.core.ports_sigstore import (
    IndexedEntry,
    LoggedCertificate,
    LogIndex,
    TileReader,
)
from countermark.formats import tiles
from countermark.proofs.log import leaf_hash
from countermark.proofs.log_tiles import TileTree
from countermark.services.log_reading import LogFiles
from countermark.services.log_sequencer import Sequencer
from countermark.services.log_terms import LEAF, term


class LoggedCertificates:
    """The entries (port ``CertificateEntries``) and the tree over them (as ``CertificateTree``).

    Args:
        sequencer: the way into the log.
        index: the log's.
        reader: its files.
    """

    def __init__(self, sequencer: Sequencer, index: LogIndex, reader: TileReader) -> None:
        self._sequencer, self._index, self._files = sequencer, index, LogFiles(reader)

    # Entries --------------------------------------------------------------------------------------------

    def add(self, identity: bytes, entry: LoggedCertificate) -> LoggedCertificate:
        """See the port."""
        if max(len(entry.leaf), len(entry.extra)) > tiles.ENTRY_BYTES:
            raise MalformedError("certificates too large for a log's entry", code=Code.TOO_LARGE)
        new = IndexedEntry(
            identity=identity,
            body=entry.leaf,
            extra=entry.extra,
            terms=(term(LEAF, leaf_hash(entry.leaf).hex()),),
        )
        added = self._sequencer.add(new)
        return self.range(added.place, added.place + 1)[0] if added.is_duplicate else entry

    def size(self) -> int:
        """See the port."""
        return self._index.state().size

    def range(self, start: int, end: int) -> Sequence[LoggedCertificate]:
        """See the port."""
        size = self._shown_size()
        found: list[LoggedCertificate] = []
        last = min(end, size)
        for number in range(start // tiles.WIDTH, -(-last // tiles.WIDTH)):
            width = tiles.width_in(tiles.ENTRIES, number, size)
            both = zip(
                self._files.bundle(number, width), self._files.extras(number, width), strict=True
            )
            first = number * tiles.WIDTH
            found += [
                LoggedCertificate(leaf=leaf, extra=extra)
                for place, (leaf, extra) in enumerate(both, first)
                if start <= place < last
            ]
        return found

    def _shown_size(self) -> int:
        """How many entries lie in tiles for sure: those under the checkpoint that is shown."""
        return self._sequencer.shown().checkpoint.size

    # The tree -------------------------------------------------------------------------------------------

    def head(self) -> tuple[int, bytes]:
        """Return how many entries there are now, and the hash over them."""
        checkpoint = self._sequencer.shown().checkpoint
        return checkpoint.size, checkpoint.root

    def consistency(self, first: int, second: int) -> Sequence[bytes]:
        """Prove that the tree of so many entries began as that of fewer.

        Raises:
            InputError: there are not so many. EvidenceError: ``inclusion``, the first is not the smaller.
        """
        self._demand(second)
        return self._tree().consistency(first, second)

    def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """Prove that an entry is in the tree of so many.

        Raises:
            InputError: there are not so many. EvidenceError: ``inclusion``, it is not in it.
        """
        self._demand(size)
        return self._tree().inclusion(index, size)

    def proof_of(self, leaf: bytes, size: int) -> tuple[int, Sequence[bytes]]:
        """Find an entry by its leaf hash, and prove that it is in the tree of so many.

        Raises:
            InputError: there is none in it.
        """
        self._demand(size)
        for place in self._index.search([term(LEAF, leaf.hex())], 2):
            if place < size and leaf_hash(self.range(place, place + 1)[0].leaf) == leaf:
                return place, self._tree().inclusion(place, size)
        raise InputError("there is no entry of this hash")

    def _tree(self) -> TileTree:
        return TileTree(self._files.hashes)  # threads share none

    def _demand(self, size: int) -> None:
        if size > self._shown_size():
            raise InputError(f"the tree has {self._shown_size()} entries")
