"""Backups of a server's data folder, made while it runs, and restored into an empty one.

What points to something is copied before what it points to: checkpoints before databases before tiles, tags before
manifests before blobs. So whatever happens meanwhile, all that the copy names is in it. Databases are copied as
SQLite has them at one moment. Keys lie there sealed already; those of TLS, which do not, are sealed for the copy.
"""

import os
import shutil
from datetime import datetime
from uuid import uuid4

from countermark.adapters import backup_archive, master_key, sqlite, storage
from countermark.adapters.backup_archive import BackupWriter
from countermark.adapters.service_keys import SealedFiles
from countermark.assembly import restored_logs
from countermark.assembly.data_folder import maintained
from countermark.assembly.sigstore import FOLDER
from countermark.core import limits
from countermark.core.errors import Code, InputError, KeyAccessError, MalformedError, StorageError
from countermark.core.value import Value
from countermark.formats import strict_json
from countermark.proofs import sealing
from countermark.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MASTER = "master.key"
_DATABASE = "trust.db"
_POINTERS = ("trusted_root.json", "logs.json", "tuf/timestamp.json", "tuf/root.json")
_SEALED = ".sealed"
_OURS = (".lock", ".tmp", "-wal", "-shm", "-journal")


class BackupOrder(Value):
    """What a backup is made of, and how.

    Attributes:
        data: the server's folder.
        to: the file.
        master_key: the file of its master key.
        with_master_key: whether that goes into the backup, which then opens itself.
    """

    data: str
    to: str
    master_key: str
    with_master_key: bool


def backup(order: BackupOrder, now: datetime) -> list[str]:
    """Copy a server's folder, whether or not it runs; say in lines what was done.

    Raises:
        InputError: no server's folder, or the file is there already, or in it. KeyAccessError, StorageError: what is
            there cannot be read, or the backup not be written; there is none then.
    """
    data, to = order.data, order.to
    if not os.path.isfile(os.path.join(data, _DATABASE)):
        raise InputError(
            f"{data} is no folder of countermark serve", hint="give it with --data DIR"
        )
    if os.path.lexists(to):
        raise InputError(f"{to} is there already", hint="give another name")
    if os.path.commonpath([os.path.realpath(os.path.dirname(to)), os.path.realpath(data)]) == (
        os.path.realpath(data)
    ):
        raise InputError(f"{to} is in the folder itself", hint="put it elsewhere")
    master = master_key.load(order.master_key, make=False)
    head = {"version": 1, "program": VERSION, "made": now.isoformat(timespec="seconds")}
    with maintained(data), BackupWriter(to, strict_json.compact(head)) as archive:
        _fill(archive, order, master)
    kept = "with" if order.with_master_key else "without"
    return [
        f"{len(archive)} files, {archive.bytes} bytes in {to}, {kept} the master key",
    ]


def _fill(archive: BackupWriter, order: BackupOrder, master: bytes) -> None:
    data = order.data
    for name in filter(_points, _listed(data, FOLDER)):
        archive.add_file(name, os.path.join(data, name))
    for name in [*_listed(data, ""), *_listed(data, FOLDER, deep=False)]:
        if name.endswith(".db"):
            _add_database(archive, order, name)
    for _ in range(2):  # a manifest's children were there before it, if not when we looked
        _add_manifests(archive, data)
    for name in _all(data):
        if name not in archive and not name.endswith(".db"):
            _add(archive, order, master, name)
    if order.with_master_key:
        archive.add(MASTER, sealing.encode_master(master))


def _points(name: str) -> bool:
    return name.removeprefix(f"{FOLDER}/") in _POINTERS or name.endswith("/checkpoint")


def _add_manifests(archive: BackupWriter, data: str) -> None:
    """Add what the registry has besides blobs."""
    for name in _listed(data, "registry"):
        is_blob = "/_blobs/" in name or name.startswith("registry/pool/")
        if name not in archive and not is_blob:
            archive.add_file(name, os.path.join(data, name))


def _add(archive: BackupWriter, order: BackupOrder, master: bytes, name: str) -> None:
    path = os.path.join(order.data, name)
    if name == MASTER or os.path.realpath(path) == os.path.realpath(order.master_key):
        return
    if name.startswith("tls/") and name.endswith(".key"):
        content = storage.read(path, limits.KEY_FILE_BYTES)
        if content is not None:
            archive.add(name + _SEALED, sealing.seal(master, content, _context(name)))
        return
    archive.add_file(name, path)


def _context(name: str) -> bytes:
    return f"backup\0{name}".encode()


def _add_database(archive: BackupWriter, order: BackupOrder, name: str) -> None:
    copied = f"{order.to}.{uuid4().hex}.tmp"
    try:
        sqlite.copy(os.path.join(order.data, name), copied)
        archive.add_file(name, copied)
    finally:
        storage.remove(copied, durable=False)


def _all(data: str) -> "Iterator[str]":
    """All files: those of the registry's blobs by their pool's name first, so that the others are links to it."""
    yield from _listed(data, "")
    for top in sorted(os.listdir(data)):
        if os.path.isdir(os.path.join(data, top)):
            yield from _listed(data, top)


def _listed(data: str, below: str, *, deep: bool = True) -> "Iterator[str]":
    """The files below a folder in the data folder, by their names from there; of the data folder only its own.

    Raises:
        StorageError: a link, or what is neither file nor folder: it would be lost, or lead elsewhere.
    """
    for above, folders, names in os.walk(os.path.join(data, below)):
        folders[:] = sorted(each for each in folders if deep and below)
        inside = os.path.relpath(above, data)
        if inside in ("registry/uploads", "registry/temporary"):
            folders[:] = []
            continue
        for name in sorted(names):
            place = name if inside == "." else f"{inside}/{name}"
            if _is_passing(place):
                continue
            path = os.path.join(above, name)
            if os.path.islink(path) or (os.path.exists(path) and not os.path.isfile(path)):
                raise StorageError(f"{path} is no regular file, and not backed up")
            yield place
        for name in folders:
            if os.path.islink(os.path.join(above, name)):
                raise StorageError(f"{os.path.join(above, name)} is a link, and not backed up")


def _is_passing(place: str) -> bool:
    """Say whether a file means nothing once its process has ended: locks, halves. A tag may have such a name."""
    *above, name = place.split("/")
    if above and above[-1] in ("_tags", "_manifests", "_blobs"):
        return False
    return name == "_lock" or name.endswith(_OURS)


# Restoring ----------------------------------------------------------------------------------------------


class RestoreOrder(Value):
    """What is restored, and how.

    Attributes:
        file: the backup.
        data: the folder; nothing is in it yet.
        master_key: the file of the master key, "" where the backup has it.
        expected: checkpoints that are known to be the last of their logs.
    """

    file: str
    data: str
    master_key: str
    expected: tuple[str, ...] = ()


def restore(order: RestoreOrder) -> list[str]:
    """Put a backup into an empty folder, whole or not at all; say in lines what follows.

    Raises:
        InputError: something is in the folder, or an expected checkpoint says more than the backup has.
        KeyAccessError: no master key, or another. MalformedError: no backup, or damaged. StorageError.
    """
    data = order.data
    if os.path.lexists(data) and not (os.path.isdir(data) and not os.listdir(data)):
        raise InputError(f"{data} is not empty", hint="restore into a new folder")
    staging = f"{data}.{uuid4().hex}.tmp"
    storage.make_folder(staging)
    try:
        lines = _restored(order, staging)
        try:
            for folder, _, _ in os.walk(staging):
                storage.sync_folder(folder)
            os.replace(staging, data)
            storage.sync_folder(os.path.dirname(data) or ".")
        except OSError as error:
            raise storage.translated(error, f"cannot restore into {data}") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return lines


def _restored(order: RestoreOrder, folder: str) -> list[str]:
    head = strict_json.Reader(strict_json.parse(backup_archive.unpack(order.file, folder)))
    if head.integer("version") != 1:
        raise MalformedError("a backup of a later version of the program", code=Code.NOT_SUPPORTED)
    own = os.path.join(folder, MASTER)
    if not (os.path.isfile(own) or order.master_key):
        raise KeyAccessError(
            "the backup is without its master key", hint="give --master-key-file FILE"
        )
    master_file = order.master_key or own
    _unseal(folder, master_key.load(master_file, make=False))
    lines = [f"restored the backup of {head.text('made')} into {order.data}"]
    sigstore = os.path.join(folder, FOLDER)
    if os.path.isdir(os.path.join(sigstore, "keys")):
        SealedFiles(os.path.join(sigstore, "keys"), master_file, make=False)
        ends = restored_logs.judge(sigstore, order.expected)
        restored_logs.remember(sigstore, ends)
        words = {"log": "transparency log", "certificate-log": "certificate log"}
        lines += [
            f"the {words[each]} ends; the server's first start begins the next" for each in ends
        ]
    elif order.expected:
        raise InputError("there is no log in this backup, whatever checkpoint is expected")
    if not os.path.isfile(own):
        lines.append(f"serve it with --master-key-file {order.master_key}, or put that at {MASTER}")
    return lines


def _unseal(folder: str, master: bytes) -> None:
    """Open the keys that were sealed for the copy; another master key is found out here."""
    for path in list(storage.regular_files(os.path.join(folder, "tls"), _SEALED)):
        content = storage.read(path, limits.KEY_FILE_BYTES)
        name = os.path.relpath(path, folder).removesuffix(_SEALED)
        opened = sealing.unseal(master, content or b"", _context(name))
        storage.write(os.path.join(folder, name), opened)
        storage.remove(path)
