"""The keys that a trust server signs snapshots and timestamps with, sealed in its database.

A thief of the database alone wins nothing here: the keys are sealed (``proofs/sealing.py``) under a master key that
lies elsewhere. A thief of both, or of this process's memory, can sign snapshots and timestamps for every repository
that lets the server do so: hide newer publications, mix older ones, and freeze what clients see while its timestamps
last; never a tag's digest, since the keys of root, targets and delegations are not here. Whoever can only write the
database can make the server lose keys, but not put in the key of another repository or role: each is sealed for its
own.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from countermark.adapters import master_key
from countermark.adapters.database import SERVER_KEYS, TUF_FILES, Database, to_microseconds
from countermark.core import limits
from countermark.core.errors import UnavailableError
from countermark.core.ports_hosting import HeldKey
from countermark.proofs import sealing
from countermark.proofs.keys import PrivateKey


class SealedKeys:
    """Server-held keys in a database (port ``ServerKeys``).

    Args:
        database: where the sealed keys are.
        master_path: the master key's file.
        make: whether to make that file (0600) if it is missing; never where keys are sealed already.

    Raises:
        StorageError: the file is missing, or cannot be read or written.
        KeyAccessError: it holds no master key, or not the one that the database was sealed with.
    """

    def __init__(self, database: Database, master_path: str, *, make: bool) -> None:
        self._database = database
        with database.reading() as connection:
            row = connection.execute(sa.select(SERVER_KEYS).limit(1)).one_or_none()
        self._master = master_key.load(master_path, make=make and row is None)
        if row is not None:
            self._open(row)

    def held(self, gun: str, role: str) -> Sequence[HeldKey]:
        """See the port."""
        with self._database.reading() as connection:
            rows = connection.execute(_keys(gun, role)).all()
        return [self._open(row) for row in rows]

    def pending(self, gun: str, role: str, now: datetime) -> HeldKey:
        """See the port."""
        query = _keys(gun, role).where(SERVER_KEYS.c.pending.is_(True)).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is not None:
            return self._open(row)
        made = PrivateKey.generate("ecdsa")
        key = HeldKey(id=made.id, private=made.encode_der())
        with self._database.writing() as connection:
            row = connection.execute(query).one_or_none()  # another thread's may have come first
            if row is None:
                _make_room(connection, now)
                connection.execute(sa.insert(SERVER_KEYS).values(**self._row(key, gun, role, now)))
        return key if row is None else self._open(row)

    def used(self, gun: str, role: str, key_id: str) -> None:
        """See the port."""
        mine = sa.and_(
            SERVER_KEYS.c.gun == gun,
            SERVER_KEYS.c.role == role,
            SERVER_KEYS.c.key_id == key_id,
            SERVER_KEYS.c.pending.is_(True),
        )
        with self._database.reading() as connection:
            if connection.execute(sa.select(SERVER_KEYS.c.id).where(mine)).one_or_none() is None:
                return
        with self._database.writing() as connection:
            connection.execute(sa.update(SERVER_KEYS).where(mine).values(pending=False))

    def _row(self, key: HeldKey, gun: str, role: str, now: datetime) -> dict[str, object]:
        return {
            "key_id": key.id,
            "gun": gun,
            "role": role,
            "sealed": sealing.seal(self._master, key.private, _context(key.id, gun, role)),
            "created_us": to_microseconds(now),
            "pending": True,
        }

    def _open(self, row: "sa.Row[tuple[object, ...]]") -> HeldKey:
        context = _context(row.key_id, row.gun, row.role)
        private = sealing.unseal(self._master, bytes(row.sealed), context)
        return HeldKey(id=row.key_id, private=private)


def _context(key_id: str, gun: str, role: str) -> bytes:
    return "\0".join(("server key", key_id, role, gun)).encode()


def _keys(gun: str, role: str) -> "sa.Select[tuple[object, ...]]":
    found = sa.select(SERVER_KEYS).where(SERVER_KEYS.c.gun == gun, SERVER_KEYS.c.role == role)
    return found.order_by(SERVER_KEYS.c.id.desc())


def _make_room(connection: sa.Connection, now: datetime) -> None:
    """Bound the keys that nobody uses: whoever may write can ask for one for any name that comes to mind.

    Raises:
        UnavailableError: there are too many, all asked for lately.
    """
    pending = SERVER_KEYS.c.pending.is_(True)
    count = sa.select(sa.func.count()).select_from(SERVER_KEYS).where(pending)
    if (connection.scalar(count) or 0) < limits.PENDING_KEYS:
        return
    old = to_microseconds(now - timedelta(seconds=limits.PENDING_KEY_SECONDS))
    published = sa.select(TUF_FILES.c.id).where(TUF_FILES.c.gun == SERVER_KEYS.c.gun).exists()
    stale = sa.and_(pending, SERVER_KEYS.c.created_us < old, sa.not_(published))
    connection.execute(sa.delete(SERVER_KEYS).where(stale))
    if (connection.scalar(count) or 0) >= limits.PENDING_KEYS:
        raise UnavailableError("too many keys were asked for and not used", hint="try again later")
