"""Add to a log for ever: ``crash_log.py FOLDER NAME [--limit BYTES] [--count N]``, a program since it is killed.

Prints ``PLACE BODY NOTE`` for each entry once it is answered, body and note in base64; four threads. With a limit the
system lets no file grow beyond it; then it stops at the first error and prints its code.
"""

import resource
import sys
import threading
from base64 import b64encode
from pathlib import Path

from countermark.core.errors import CountermarkError
from countermark.core.ports_sigstore import IndexedEntry
from countermark.proofs.log import leaf_hash
from countermark.services.log_sequencer import Sequencer
from serve_log import shard


def given(arguments: list[str], name: str, default: int) -> int:
    return int(arguments[arguments.index(name) + 1]) if name in arguments else default


class Work:
    """What the threads share."""

    def __init__(self, sequencer: Sequencer, name: str, count: int) -> None:
        self.sequencer, self.name, self.count = sequencer, name, count
        self.failures: list[str] = []
        self._lock = threading.Lock()

    def run(self, thread: int) -> None:
        for number in range(self.count):
            if self.failures:
                return
            try:
                self.add(f"{self.name} {thread} {number} ".encode().ljust(400, b"."))
            except CountermarkError as error:
                self.failures.append(error.code)

    def add(self, body: bytes) -> None:
        leaf = leaf_hash(body)
        added = self.sequencer.add(IndexedEntry(identity=leaf, body=body, terms=(leaf[:16],)))
        note = b64encode(added.published.note.encode()).decode()
        with self._lock:
            sys.stdout.write(f"{added.place} {b64encode(body).decode()} {note}\n")
            sys.stdout.flush()


def main(arguments: list[str]) -> None:
    work = Work(
        shard(Path(arguments[0])).sequencer, arguments[1], given(arguments, "--count", 10**9)
    )
    if limit := given(arguments, "--limit", 0):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    threads = [threading.Thread(target=work.run, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if work.failures:
        sys.stdout.write(f"{work.failures[0]}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
