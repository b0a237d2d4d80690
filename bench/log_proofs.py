"""Inclusion proofs of a log of a million entries beside those of a log of a thousand, and the memory that it takes.

The logs are filled through the program's own tree, index and tiles, in larger batches than clients would make; the
server that is then started on them is the one that is shipped.
"""

import os
import re
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from bench.load import Bodies, Load, wrk
from bench.measuring import Row, median, paired_ratio, say
from bench.requests import log_entries
from bench.sigstore import Ours
from bench.stack import Profile, Stack
from countermark.adapters.log_index import SqlLogIndex
from countermark.adapters.sqlite import SqliteDatabase
from countermark.adapters.tile_folder import TileFolder
from countermark.core.ports_sigstore import IndexedEntry
from countermark.formats import trusted_root
from countermark.proofs.log import leaf_hash
from countermark.services.log_tree import LogTree
from interop.peers import BASE_ENVIRONMENT
from interop.processes import run

SMALL, LARGE = 1_000, 1_000_000
BATCH = 16_384
BODY_BYTES = 500  # as long as an entry with a key
MOST_MEBIBYTES = 200.0
MOST_A_SECOND = 800  # by one client
PROOFS = 2_000


def rows(stack: Stack, profile: Profile) -> list[Row]:
    """One client adds entries to each in turn, whose answers are proofs; old entries are proven from the tiles.

    In the full profile only: to make a large log takes minutes.
    """
    if profile.name != "full":
        return []
    logs = {size: _filled(stack, f"log-of-{size}", size) for size in (SMALL, LARGE)}
    loads: dict[int, list[Load]] = {size: [] for size in logs}
    proofs: dict[int, list[float]] = {size: [] for size in logs}
    for number in range(profile.rounds * 2):
        say(f"  proofs, round {number + 1}")
        for size, log in logs.items():
            entries = log_entries(MOST_A_SECOND * profile.wrk_seconds)
            bodies = Bodies(stack.folder / "entries", entries, once=True, connections=1)
            url = f"{log.server.url}/api/v2/log/entries"
            loads[size].append(wrk(url, profile.wrk_seconds, connections=1, bodies=bodies))
            proofs[size].append(_proofs(stack, log.server.data / "sigstore" / "tiles"))
    waits = {size: [load.p50_milliseconds for load in loads[size]] for size in logs}
    memory = _peak_mebibytes(logs[LARGE].server.server.process.pid)
    peer = f"ours, {SMALL:,} entries"
    return [
        Row(
            f"an entry added to a log of {LARGE:,}, with its proof: p50", f"{median(waits[LARGE]):.1f} ms", peer,
            f"{median(waits[SMALL]):.1f} ms", paired_ratio(waits[LARGE], waits[SMALL]), 1.5, more_is_better=False,
        ),
        Row(
            "proof of an entry anywhere in it, from the tiles: p50", f"{median(proofs[LARGE]) * 1e6:.0f} µs", peer,
            f"{median(proofs[SMALL]) * 1e6:.0f} µs", paired_ratio(proofs[LARGE], proofs[SMALL]), None,
            more_is_better=False,
        ),
        Row(
            f"peak memory of the server of {LARGE:,} entries (MiB)", f"{memory:.0f} MiB", "", "", memory,
            MOST_MEBIBYTES, more_is_better=False,
        ),
    ]  # fmt: skip


class _Unsynced(TileFolder):
    """Tiles that are not synced one by one: what a crash loses of them is made again, or the whole log is."""

    def write(self, path: str, content: bytes, *, durable: bool = True) -> None:
        """Write as ever, and leave it to the system when it reaches the disk."""
        super().write(path, content, durable=False)


def _filled(stack: Stack, name: str, size: int) -> Ours:
    """A server of ours with a log of so many entries."""
    log = Ours(stack, name, peer=False)
    log.server.stop()
    folder = log.server.data / "sigstore"
    began = time.perf_counter()
    _fill(folder, size)
    say(f"  a log of {size:,} entries, made in {time.perf_counter() - began:.0f} s")
    log.server.start()
    return log


def _fill(folder: Path, size: int) -> None:
    origin = trusted_root.parse((folder / "trusted_root.json").read_bytes()).logs[-1].origin
    database = SqliteDatabase(str(folder / "log.db"))
    try:
        index = SqlLogIndex(database, origin)
        with index.exclusive():
            tree = LogTree(index.state(), index, _Unsynced(str(folder / "tiles")))
            while tree.state.size < size:
                tree.grow(list(_entries(min(BATCH, size - tree.state.size))))
    finally:
        database.close()


def _entries(count: int) -> Iterator[IndexedEntry]:
    """Entries as long as real ones, each found by a digest of its own and by one of a few keys."""
    for number in range(count):
        body = os.urandom(BODY_BYTES)
        terms = (body[:16], sha256(bytes([number % 16])).digest()[:16])
        yield IndexedEntry(identity=leaf_hash(body), body=body, terms=terms)


def _proofs(stack: Stack, tiles: Path) -> float:
    script = Path(__file__).with_name("prover.py")
    python = stack.countermark.with_name("python")
    return float(run([python, "-P", script, tiles, str(PROOFS)], BASE_ENVIRONMENT).ok().out)


def _peak_mebibytes(process: int) -> float:
    """The most memory that a process has had."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text())
    if not found:
        raise RuntimeError(f"no process {process}")
    return int(found[1]) / 1024
