"""Serve a transparency log on loopback: ``serve_log.py FOLDER [--port N] [--origin HOST] [--limit BYTES]``.

In the folder are ``log.pub`` for clients, ``log.key``, ``log.db`` and ``tiles``; several processes may share it. With
a limit the system lets no file grow beyond it. Prints its URL once it takes connections; its log goes to stderr.
"""

import resource
import sys
from datetime import UTC, datetime
from pathlib import Path

from countermark.adapters import storage
from countermark.adapters.database import migrate
from countermark.adapters.granian_server import leave
from countermark.adapters.http_server import Bounds, HttpServer, Route, Services
from countermark.adapters.log_index import SqlLogIndex
from countermark.adapters.sqlite import SqliteDatabase
from countermark.adapters.tile_folder import TileFolder
from countermark.proofs import public_keys, signing_keys
from countermark.services.log_publishing import Publisher
from countermark.services.log_sequencer import Sequencer
from countermark.services.log_witnesses import Witnesses
from countermark.services.transparency_log import Shard, TransparencyLog

HOST = "localhost"


def clock() -> datetime:
    return datetime.now(UTC)


def shard(folder: Path, origin: str = HOST) -> Shard:
    """The log in a folder; its key is made where there is none."""
    folder.mkdir(exist_ok=True)
    with storage.Lock(str(folder / "key.lock")):
        if not (folder / "log.key").exists():
            made = signing_keys.generate("ed25519")
            storage.write(str(folder / "log.pub"), public_keys.encode(made.public))
            storage.write(str(folder / "log.key"), made.to_pkcs8())
    key = signing_keys.from_pkcs8((folder / "log.key").read_bytes())
    database = SqliteDatabase(str(folder / "log.db"), busy_seconds=30)
    migrate(database)
    index, files = SqlLogIndex(database, origin), TileFolder(str(folder / "tiles"))
    publisher = Publisher(origin, [key], files, Witnesses((), 0, clock), clock)
    return Shard(origin=origin, sequencer=Sequencer(index, files, publisher), files=files)


def main(arguments: list[str]) -> None:
    def given(name: str, default: str) -> str:
        return arguments[arguments.index(name) + 1] if name in arguments else default

    served = shard(Path(arguments[0]), given("--origin", HOST))
    if limit := int(given("--limit", "0")):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    served.sequencer.open()
    log = TransparencyLog([served])
    server = HttpServer(
        ("127.0.0.1", int(given("--port", "0"))),
        None,
        Services(routes=[Route(name="log", serves=lambda _: True, handler=log.answer)]),
        Bounds(),
        clock,
        sys.stderr.write,
    )

    def ready(address: tuple[str, int]) -> None:
        sys.stdout.write(f"http://{HOST}:{address[1]}\n")
        sys.stdout.flush()

    leave(0 if server.run(ready) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
