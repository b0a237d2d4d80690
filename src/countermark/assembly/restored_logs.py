"""What becomes of a Sigstore's logs when its folder is restored from a backup: they end, and the next ones begin.

Whoever saw the log after the backup knows entries that it no longer has. To go on would put others in their places:
two histories under one key. So a restored log takes nothing more and signs nothing more, and the next one begins at
the server's first start. A log goes on only where somebody who knows its last checkpoint brings it, and the backup
has all that this says; or where nothing of it lies in the folder, so that no backup put it back.
"""

import os

from countermark.adapters import storage
from countermark.adapters.log_index import SqlLogIndex
from countermark.adapters.sqlite import SqliteDatabase
from countermark.adapters.tile_folder import TileFolder
from countermark.assembly.log_places import DATABASE, LogPlace, LogPlaces
from countermark.assembly.sigstore_trust import CERTIFICATE_LOG, LOG
from countermark.core import limits
from countermark.core.errors import ConfigError, EvidenceError, InputError
from countermark.formats import strict_json, trusted_root
from countermark.formats.tlog import Note
from countermark.formats.trusted_root import Instance
from countermark.proofs import checkpoints, spki
from countermark.services.log_tree import LogTree
from countermark.services.sigstore_parts import TRUSTED_ROOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = "restored.json"
_BOTH = (LOG, CERTIFICATE_LOG)


def pending(folder: str) -> tuple[str, ...]:
    """The logs of a restored folder that have to end yet: LOG, CERTIFICATE_LOG.

    Raises:
        ConfigError: the file that says so is damaged. StorageError.
    """
    path = os.path.join(folder, FILE)
    content = storage.read(path, limits.KIB)
    if content is None:
        return ()
    try:
        found = strict_json.Reader(strict_json.parse(content)).texts("ends")
    except EvidenceError as error:
        raise ConfigError(str(error), file=path) from None
    return tuple(each for each in _BOTH if each in found)


def remember(folder: str, services: "Sequence[str]") -> None:
    """Say which logs have to end yet, durably."""
    path = os.path.join(folder, FILE)
    if services:
        content = strict_json.pretty({"version": 1, "ends": list(services)})
        storage.write(path, f"{content}\n".encode())
    else:
        storage.remove(path)


def judge(folder: str, expected: "Sequence[str]") -> tuple[str, ...]:
    """Say which logs of a restored folder have to end; ``expected`` are checkpoints that are the last of theirs.

    Raises:
        InputError: an expected checkpoint is none of these logs', or says more than the backup has.
        StorageError: index and tiles do not belong together. ConfigError, MalformedError: what is there is damaged.
    """
    content = storage.read(os.path.join(folder, TRUSTED_ROOT), limits.TRUSTED_ROOT_BYTES)
    if content is None:
        return ()
    root, places = trusted_root.parse(content), LogPlaces(folder)
    newest = {LOG: root.logs[-1], CERTIFICATE_LOG: root.ct_logs[-1]}
    database = SqliteDatabase(os.path.join(folder, DATABASE))
    try:
        left, ends = list(expected), list(pending(folder))
        for service, log in newest.items():
            place = places.of(log.log_id)
            if place is None and service == LOG:
                place = LogPlace(name=log.origin)
            if place is not None and not place.is_here:
                continue
            goes_on = place is not None and _goes_on(folder, database, log, place, left)
            if not goes_on and service not in ends:
                ends.append(service)
    finally:
        database.close()
    if left:
        raise InputError(f"an expected checkpoint is not of this Sigstore's logs: {left[0][:80]!r}")
    return tuple(ends)


def _goes_on(
    folder: str, database: SqliteDatabase, log: Instance, place: LogPlace, expected: list[str]
) -> bool:
    """Whether one of the checkpoints is this log's and says no more than it has; that one is taken off the list."""
    if place.database or "://" in place.tiles:
        return False  # half of it was put back
    store = TileFolder(os.path.join(folder, place.tiles))
    index = SqlLogIndex(database, place.name)
    with index.exclusive():
        tree = LogTree(index.state(), index, store)
    name = log.origin if place.name.count("/certificates/") == 0 else place.name
    for text in list(expected):
        try:
            found = checkpoints.check_origin(Note.parse(text), name, spki.parse(log.key))
        except EvidenceError:
            continue
        if found.size > tree.state.size or tree.root_at(found.size) != found.root:
            raise InputError(
                f"the backup has {tree.state.size} entries of {name}, and the checkpoint says {found.size}, "
                "or others",
                hint="restore without it: the log ends then, and the next one begins",
            )
        expected.remove(text)
        return True
    return False
