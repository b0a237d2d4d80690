"""Publish for ever: ``crash_trust_store.py DATABASE [--limit BYTES]``, a program since it is killed.

Prints ``GUN:VERSION`` for each publication once it is acknowledged; four threads, a repository each. With a limit the
system lets no file grow beyond it; then it stops at the first error and prints its code.
"""

import resource
import sys
import threading

from countermark.adapters.database import SqlTrustStore, migrate
from countermark.adapters.sqlite import SqliteDatabase
from countermark.core.errors import CountermarkError
from countermark.core.ports_hosting import StoredFile
from trust_server import NOW


def file(role: str, version: int, gun: str) -> StoredFile:
    return StoredFile(
        gun=gun,
        role=role,
        version=version,
        sha256=f"{version:064x}",
        content=f"{role}{version}".encode().ljust(10, b"."),
        created=NOW,
    )


def main(arguments: list[str]) -> None:
    database = SqliteDatabase(arguments[0], busy_seconds=30)
    migrate(database)
    if "--limit" in arguments:
        limit = int(arguments[arguments.index("--limit") + 1])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    store = SqlTrustStore(database)
    lock = threading.Lock()
    failures: list[str] = []

    def work(gun: str) -> None:
        newest = store.newest(gun, "timestamp")
        version = newest.version if newest else 0
        while not failures:
            base = f"{version:064x}" if version else ""
            version += 1
            try:
                store.publish(
                    [file("targets", version, gun), file("timestamp", version, gun)], base, NOW
                )
            except CountermarkError as error:
                failures.append(error.code)
                return
            with lock:
                sys.stdout.write(f"{gun}:{version}\n")
                sys.stdout.flush()

    threads = [threading.Thread(target=work, args=(f"app{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(f"{failures[0]}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
