"""Proves random entries of a log from its tiles on disk, each proof from nothing: ``prover.py TILES COUNT``.

Run by the Python of the installation that is measured; prints the median of the seconds that a proof took.
"""

import random
import statistics
import sys
import time

from countermark.adapters.tile_folder import TileFolder
from countermark.formats.tlog import Checkpoint, Note
from countermark.proofs.log import check_inclusion
from countermark.proofs.log_tiles import TileTree
from countermark.services.log_reading import LogFiles


def main(folder: str, count: int) -> None:
    """Prove so many; each proof is checked, outside the clock, against the checkpoint that is shown."""
    files = LogFiles(TileFolder(folder))
    shown = Checkpoint.parse(Note.parse(files.checkpoint() or "").text)
    chosen = random.Random(1)
    took = []
    for _ in range(count):
        place = chosen.randrange(shown.size)
        began = time.perf_counter()
        hashes = TileTree(files.hashes).inclusion(place, shown.size)
        took.append(time.perf_counter() - began)
        index, at = divmod(place, 256)
        leaf = files.hashes(0, index, min(256, shown.size - index * 256))[at]
        check_inclusion(place, shown.size, leaf, hashes, shown.root)
    print(statistics.median(took))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
