"""A log's tree as this process knows it: grown in the index first, then in tiles that follow from it.

The order is what keeps the log one log. An entry is in it once the index says so, durably; tiles are written from
what the index has, so that whoever writes a tile writes the same bytes; full tiles are durable before the index lets
go of their bodies; a checkpoint is signed over what the index and the tiles have, and over nothing else. After a
crash the tiles that are missing are made again.
"""

from collections.abc import Sequence

from countermark.core.errors import EvidenceError, NotFoundError, StorageError, UnavailableError
from countermark.core.ports_sigstore import IndexedEntry, LogIndex, LogState, TileStore
from countermark.formats import tiles
from countermark.formats.tiles import ENTRIES, EXTRA, TilePlace
from countermark.proofs.log import leaf_hash
from countermark.proofs.log_tiles import Edge, FullTile, TileTree
from countermark.services.log_reading import LogFiles

Body = tuple[bytes, bytes]  # what is hashed, and what lies beside it


class LogTree:
    """The tree in a state. Whoever uses it keeps everybody else from adding meanwhile."""

    def __init__(self, state: LogState, index: LogIndex, store: TileStore) -> None:
        """Take up the log where the index says that it is; tiles that are missing are written.

        Raises:
            StorageError: index and tiles do not belong together. UnavailableError.
        """
        self.state = state
        self._index, self._store, self._files = index, store, LogFiles(store)
        self._tree = TileTree(self._read)
        self._bodies: list[Body] = []  # of the partial bundle
        try:
            self._edge = Edge(state.settled, self._settled_tiles(state.settled))
        except (NotFoundError, EvidenceError) as error:
            raise _broken(str(error)) from None
        found = index.unsettled(state.settled)
        full = [tile for body, _ in found for tile in self._edge.append(leaf_hash(body))]
        if (self._edge.size, self._edge.root()) != (state.size, state.root):
            raise _broken("they have different roots")
        self._write(full, list(found))

    def _settled_tiles(self, size: int) -> list[list[bytes]]:
        """Read the partial tiles of a size at which that of level 0 is empty."""
        found: list[list[bytes]] = [[]]
        level = 1
        while size >> level * tiles.HEIGHT:
            index, width = divmod(size >> level * tiles.HEIGHT, tiles.WIDTH)
            found.append(self._files.hashes(level, index, width) if width else [])
            level += 1
        return found

    def _read(self, level: int, index: int, width: int) -> Sequence[bytes]:
        edge = self._edge.tile(level, index)
        return self._files.hashes(level, index, width) if edge is None else edge

    # Proofs ---------------------------------------------------------------------------------------------

    def root_at(self, size: int) -> bytes:
        """The hash over the first entries."""
        return self._tree.root(size)

    def inclusion(self, place: int) -> tuple[bytes, ...]:
        """Prove that an entry is in the tree."""
        return self._tree.inclusion(place, self.state.size)

    def consistency(self, size: int) -> tuple[bytes, ...]:
        """Prove that the tree began as a smaller one."""
        return self._tree.consistency(size, self.state.size)

    # Growing --------------------------------------------------------------------------------------------

    def grow(self, entries: Sequence[IndexedEntry]) -> None:
        """Add entries: they are in the log once this returns. Whatever it raises, this tree is of no use any more.

        Raises:
            RefusedError: ``version-conflict``, somebody else has added meanwhile, so that nothing was.
            StorageError, UnavailableError: whether they were added is unknown.
        """
        full: list[FullTile] = []
        for entry in entries:
            full += self._edge.append(leaf_hash(entry.body))
        base, root = self.state, self._edge.root()
        settled = base.size - base.size % tiles.WIDTH
        self._index.append(base, entries, root, settled)
        self.state = LogState(size=self._edge.size, root=root, settled=settled)
        self._write(full, [*self._bodies, *((entry.body, entry.extra) for entry in entries)])

    def _write(self, full: Sequence[FullTile], bodies: list[Body]) -> None:
        """Write what has changed: full tiles and those above them durably, the partial ones at the bottom not.

        The latter are made again from the index should they be lost. ``bodies`` are those of the bundles that are not
        settled, from their first on.
        """
        for tile in full:
            if tile.level == 0:
                self._write_bundles(bodies[: tiles.WIDTH], tile.index, durable=True)
                bodies = bodies[tiles.WIDTH :]
            place = TilePlace(level=tile.level, index=tile.index)
            self._store.write(place.path, b"".join(tile.hashes))
        self._write_partial(above=bool(full))
        self._bodies = bodies
        if bodies:
            self._write_bundles(bodies, self.state.size // tiles.WIDTH, durable=False)
        for tile in full:
            self._remove_partial(tile)

    def _write_bundles(self, bodies: Sequence[Body], index: int, *, durable: bool) -> None:
        place = TilePlace(level=ENTRIES, index=index, width=len(bodies))
        content = tiles.encode_entries([body for body, _ in bodies])
        self._store.write(place.path, content, durable=durable)
        if any(extra for _, extra in bodies):
            place = place.replace(level=EXTRA)
            content = tiles.encode_entries([extra for _, extra in bodies])
            self._store.write(place.path, content, durable=durable)

    def _write_partial(self, *, above: bool) -> None:
        """Write the partial tiles; those above the lowest only where a full one below has changed them."""
        for level, hashes in enumerate(self._edge.partial()):
            if hashes and (level == 0 or above):
                index = self.state.size >> (level + 1) * tiles.HEIGHT
                place = TilePlace(level=level, index=index, width=len(hashes))
                self._store.write(place.path, b"".join(hashes), durable=level > 0)

    def _remove_partial(self, tile: FullTile) -> None:
        """Remove what the tile before was while it was not full: its last readers have had a tile's time."""
        if tile.index == 0:
            return
        for level in (0, ENTRIES, EXTRA) if tile.level == 0 else (tile.level,):
            try:
                self._store.remove_partial(TilePlace(level=level, index=tile.index - 1).path)
            except (StorageError, UnavailableError):
                return  # left lying: nothing depends on it


def _broken(reason: str) -> StorageError:
    return StorageError(
        f"the log's index and its tiles do not belong together: {reason}",
        hint="restore both from one backup; `log verify` says what is wrong",
    )
