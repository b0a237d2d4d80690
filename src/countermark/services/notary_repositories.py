"""The repositories of a trust server: read, published to, with keys of ours where they are wanted."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from countermark.core import limits
from countermark.core.errors import Code, RefusedError
from countermark.core.ports import Clock
from countermark.core.ports_hosting import HeldKey, ServerKeys, StoredFile, TrustStore
from countermark.formats.tuf import ROOT, SNAPSHOT, TIMESTAMP, Role, parse_root, parse_snapshot
from countermark.proofs.keys import PrivateKey
from countermark.services import notary_rules, notary_signing
from countermark.services.notary_state import Lifetimes, Publication, ServerSigner
from countermark.services.notary_uploads import StaleUpdateError, Upload

_OPEN_KEYS = 2_048  # private keys kept ready to sign with; each some 2 KiB


class Repository:
    """One repository's stored files (protocol ``Stored``)."""

    def __init__(self, store: TrustStore, gun: str) -> None:
        self._store = store
        self.gun = gun

    def newest(self, role: str) -> StoredFile | None:
        """Return the highest version of a role."""
        return self._store.newest(self.gun, role)


class Repositories:
    """All repositories of one server."""

    def __init__(
        self, store: TrustStore, keys: ServerKeys, clock: Clock, lifetimes: Lifetimes
    ) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._lifetimes = lifetimes
        self._open_keys: OrderedDict[tuple[str, str, str], PrivateKey] = OrderedDict()
        self._open_lock = threading.Lock()

    # reading ----------------------------------------------------------------------------------------

    def current(self, gun: str, role: str) -> StoredFile | None:
        """Return what a client should have of a role now; snapshot and timestamp signed anew if that is due."""
        if role in (SNAPSHOT, TIMESTAMP):
            self._refresh(gun)
            return self._store.newest(gun, role)
        snapshot = self._store.newest(gun, SNAPSHOT)
        if snapshot is None:
            return None
        entry = parse_snapshot(snapshot.content).body.meta.get(role)
        if entry is None or "sha256" not in entry.hashes:
            return None
        return self._store.by_hash(gun, role, entry.hashes["sha256"].hex())

    def _refresh(self, gun: str) -> None:
        for _ in range(limits.PUBLICATION_TRIES):
            new = notary_signing.refreshed(
                Repository(self._store, gun), self._signer(gun), self._lifetimes, self._clock()
            )
            if new is None or self._stored(gun, new):
                return

    # writing ----------------------------------------------------------------------------------------

    def publish(self, gun: str, uploads: Sequence[Upload]) -> None:
        """Take an update: all of it, durably, or nothing.

        Raises:
            InvalidUpdateError, StaleUpdateError: it is refused.
        """
        for _ in range(limits.PUBLICATION_TRIES):
            new = notary_rules.accept(
                Repository(self._store, gun),
                uploads,
                self._signer(gun),
                self._lifetimes,
                self._clock(),
            )
            if self._stored(gun, new):
                if any(file.role == ROOT for file in new.files):
                    for role, key_id in new.keys.items():
                        self._keys.used(gun, role, key_id)
                return
            # somebody else published: the same update may still fit (another delegation), or be stale
        raise StaleUpdateError(f"{gun} is published to all the time")

    def _stored(self, gun: str, new: Publication) -> bool:
        """Store a publication; say whether it still followed what is stored."""
        if not new.files:
            return True
        now = self._clock()
        try:
            self._store.publish([file.stored(gun, now) for file in new.files], new.base, now)
        except RefusedError as error:
            if error.code != Code.VERSION_CONFLICT:
                raise
            return False
        return True

    def delete(self, gun: str) -> bool:
        """Remove a repository; say whether there was one. Its keys stay: a copy of its root may come back."""
        return self._store.delete(gun, self._clock())

    # keys -------------------------------------------------------------------------------------------

    def public_key(self, gun: str, role: str, *, rotate: bool) -> bytes:
        """Return the public key (JSON) that the server has, or is to have, for a role.

        Without ``rotate`` the one that the root names, if it is ours; else one that waits for a root to name it.
        """
        root = self._store.newest(gun, ROOT)
        named = parse_root(root.content).body.roles[role] if root else None
        current = self._signer(gun)(role, named) if named else None
        if current is not None and not rotate:
            return current.public.encode_loose()
        if current is not None:  # named by a root, though we were stopped before we noted it
            self._keys.used(gun, role, current.id)
        pending = self._keys.pending(gun, role, self._clock())
        return self._opened(gun, role, pending).public.encode_loose()

    def _signer(self, gun: str) -> ServerSigner:
        def find(name: str, role: Role) -> PrivateKey | None:
            for key_id in role.key_ids:
                with self._open_lock:
                    key = self._open_keys.get((gun, name, key_id))
                if key is not None:
                    return key
            for held in self._keys.held(gun, name):
                if held.id in role.key_ids:
                    return self._opened(gun, name, held)
            return None

        return find

    def _opened(self, gun: str, role: str, held: HeldKey) -> PrivateKey:
        """Make a key ready to sign, and keep it so for its role of its repository."""
        key = PrivateKey.from_der(held.private)
        with self._open_lock:
            self._open_keys[gun, role, held.id] = key
            while len(self._open_keys) > _OPEN_KEYS:
                self._open_keys.popitem(last=False)
        return key
