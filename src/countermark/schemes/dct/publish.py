"""A list of changes to new signed metadata."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from countermark.core.errors import Code, InputError, KeyAccessError
from countermark.core.value import Value
from countermark.formats.go_text import near_expiry
from countermark.formats.tuf import (
    BASE_ROLES,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    Body,
    FileMeta,
    Key,
    Role,
    Root,
    Signature,
    Snapshot,
    Targets,
    encode,
    envelope,
    format_time,
    parent,
)
from countermark.proofs.keys import PrivateKey
from countermark.proofs.trusted_set import TrustedSet
from countermark.schemes.dct.repository import canonical_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

# notary/const.go: what a new file may last, by role; delegations as targets
ROOT_LIFE, TARGETS_LIFE, SNAPSHOT_LIFE = (timedelta(days=d) for d in (3650, 1095, 1095))


class Unlock(Protocol):
    """Opens private keys."""

    def __call__(self, key_id: str) -> PrivateKey | None:
        """Return the private key of a canonical ID, None where we do not hold it.

        Raises:
            KeyAccessError: we hold it, and it does not open.
        """
        ...


class RootKeys(Value):
    """The keys of a new repository: the root's certificate, and those of the base roles."""

    root: Key
    targets: Key
    snapshot: Key
    timestamp: Key


class Draft:
    """A repository's files while they are changed; ``sign`` makes new files of what changed.

    Nothing here is sent. Bodies that are not changed are not written again.
    """

    def __init__(self, root: Root, versions: Mapping[str, int]) -> None:
        """Begin empty; see ``of`` and ``new``."""
        self.root = root
        self._bodies: dict[str, Targets] = {}
        self._snapshot: Snapshot | None = None
        self._contents: dict[str, bytes] = {}
        self._versions = dict(versions)
        self._changed: set[str] = set()
        self._before: Root | None = None  # the root that must vouch for a changed one

    @classmethod
    def of(cls, trusted: TrustedSet, versions: Mapping[str, int]) -> "Draft":
        """Begin with what is believed of a repository.

        A file that does not count any more says at least which version comes next: the server has no lower one.
        """
        draft = cls(trusted.root.body, versions)
        for name, (lapsed, _) in trusted.invalid.items():
            known = max(draft._versions.get(name, 0), lapsed.body.version if lapsed else 0)
            draft._versions[name] = known
        draft._before = trusted.root.body
        draft._contents[ROOT] = trusted.root.content
        draft._snapshot = trusted.snapshot.body
        for name, file in trusted.targets.items():
            draft._bodies[name] = file.body
            draft._contents[name] = file.content
        return draft

    @classmethod
    def new(cls, given: RootKeys, versions: Mapping[str, int], now: datetime) -> "Draft":
        """Begin a repository: a root, and empty targets."""
        by_role = {ROOT: given.root, TARGETS: given.targets}
        by_role |= {SNAPSHOT: given.snapshot, TIMESTAMP: given.timestamp}
        root = Root(
            version=0,
            expires=format_time(now + ROOT_LIFE),
            keys={key.id: key for key in by_role.values()},
            roles={
                name: Role(name=name, key_ids=(by_role[name].id,), threshold=1)
                for name in BASE_ROLES
            },
        )
        draft = cls(root, versions)
        draft._bodies[TARGETS] = _empty(now)
        draft._changed |= {ROOT, TARGETS}
        return draft

    # Changes ----------------------------------------------------------------------------------------

    @property
    def changed(self) -> tuple[str, ...]:
        """The roles that need signing."""
        return tuple(sorted(self._changed))

    def body(self, role: str) -> Targets | None:
        """What a role's file says now, None where it has none that counts."""
        return self._bodies.get(role)

    def take_over(self, role: str, body: Targets, content: bytes) -> None:
        """Continue a file that does not count any more; its next version is signed by whoever may now."""
        self._bodies[role], self._contents[role] = body, content
        self._changed.add(role)

    def witness(self, role: str) -> None:
        """Sign a role's file again as it is."""
        if role not in self._bodies:
            raise InputError(f"tuf: invalid role {role}. this role is not known")
        self._changed.add(role)

    def add_target(self, role: str, tag: str, meta: FileMeta, now: datetime) -> None:
        """Have a role name a digest under a tag; nothing changes where it does already."""
        body = self._bodies.get(role) or _empty(now)
        if body.targets.get(tag) != meta:
            self._put(role, body.replace(targets={**body.targets, tag: meta}))

    def remove_target(self, role: str, tag: str) -> bool:
        """Take a tag out of a role; False where it is not there."""
        body = self._bodies.get(role)
        if body is None or tag not in body.targets:
            return False
        self._put(role, body.replace(targets={t: m for t, m in body.targets.items() if t != tag}))
        return True

    def add_delegation(
        self, name: str, added: Sequence[Key], paths: Sequence[str], above: str = TARGETS
    ) -> None:
        """Delegate to a role, or give it more keys and paths."""
        body = self._known(above)
        old = next((r for r in body.delegations if r.name == name), None)
        ids = [] if old is None else list(old.key_ids)
        ids += [key.id for key in added if key.id not in ids]
        found = [] if old is None else list(old.paths)
        found += [path for path in paths if path not in found]
        role = Role(
            name=name,
            key_ids=tuple(ids),
            threshold=1 if old is None else old.threshold,
            paths=tuple(found),
        )
        others = {key.id: key for key in added}
        roles = [role if r.name == name else r for r in body.delegations]
        if old is None:
            roles.append(role)
        self._delegate(above, body, roles, {**body.delegation_keys, **others})

    def remove_delegation(self, name: str, above: str = TARGETS) -> None:
        """Delegate to a role no more."""
        body = self._known(above)
        roles = [role for role in body.delegations if role.name != name]
        self._delegate(above, body, roles, body.delegation_keys)
        self._bodies.pop(name, None)
        self._changed.discard(name)

    def remove_keys(self, name: str, canonical_ids: Sequence[str], above: str = TARGETS) -> None:
        """Take keys away from a delegation."""
        body = self._known(above)

        def kept(role: Role) -> Role:
            ids = [
                key_id
                for key_id in role.key_ids
                if canonical_id(body.delegation_keys[key_id]) not in canonical_ids
            ]
            return role.replace(key_ids=tuple(ids))

        roles = [kept(role) if role.name == name else role for role in body.delegations]
        self._delegate(above, body, roles, body.delegation_keys)

    def replace_keys(self, role: str, new: Sequence[Key]) -> None:
        """Give a base role other keys; whoever held the old ones may sign it no more.

        Old root keys stay listed, so that a later root can still be signed for those who only know these.
        """
        root = self.root
        named = root.roles[role].replace(key_ids=tuple(key.id for key in new))
        roles = {**root.roles, role: named}
        used = {key_id for found in roles.values() for key_id in found.key_ids}
        gone = set() if role == ROOT else set(root.roles[role].key_ids) - used
        kept = {key_id: key for key_id, key in root.keys.items() if key_id not in gone}
        self.root = root.replace(keys={**kept, **{key.id: key for key in new}}, roles=roles)
        self._changed.add(ROOT)
        if role == TARGETS:
            self._changed.add(TARGETS)

    def _delegate(
        self, above: str, body: Targets, roles: Sequence[Role], known: Mapping[str, Key]
    ) -> None:
        used = {key_id for role in roles for key_id in role.key_ids}
        self._put(
            above,
            body.replace(
                delegations=tuple(roles),
                delegation_keys={i: key for i, key in known.items() if i in used},
            ),
        )

    def _known(self, role: str) -> Targets:
        body = self._bodies.get(role)
        if body is None:
            raise InputError(f"tuf: invalid role {role}. no valid delegated role exists")
        return body

    def _put(self, role: str, body: Targets) -> None:
        self._bodies[role] = body
        self._changed.add(role)

    # Signing ----------------------------------------------------------------------------------------

    def sign(self, unlock: Unlock, now: datetime) -> dict[str, bytes]:
        """Sign what changed: each role's next version, by those of its keys that we hold.

        A root that ends within six months is renewed if we hold its key; nobody else has to. A snapshot is made where
        we hold its key; elsewhere the server makes it.

        Raises:
            KeyAccessError: too few keys of a role are ours, or one does not open.
        """
        files: dict[str, bytes] = {}
        if ROOT in self._changed or (self._changed and self._renews_root(unlock, now)):
            files[ROOT] = self._sign_root(unlock, now)
        for role in sorted(self._changed - {ROOT}, key=lambda name: (name.count("/"), name)):
            body = self._next(role, self._bodies[role], now + TARGETS_LIFE)
            files[role] = self._signed(role, body, unlock)
        if files and self._can_sign(SNAPSHOT, unlock):
            files[SNAPSHOT] = self._sign_snapshot(files, unlock, now)
        return files

    def _renews_root(self, unlock: Unlock, now: datetime) -> bool:
        """Say whether the root should be renewed, and can be; that it cannot keeps nobody from signing a tag.

        Notary's clients fail in a root's last six months wherever they do not hold its key.
        """
        if self._before is None or not near_expiry(self._before.expires_at, now):
            return False
        try:
            return self._can_sign(ROOT, unlock)
        except KeyAccessError:
            return False

    def _next(self, role: str, body: Targets, end: datetime) -> Targets:
        known = max(self._versions.get(role, 0), body.version)
        return body.replace(version=known + 1, expires=format_time(end))

    def _signed(self, role: str, body: Body, unlock: Unlock) -> bytes:
        content = encode(body)
        return envelope(content, self._signatures(role, content, unlock))

    def _signatures(self, role: str, content: bytes, unlock: Unlock) -> list[Signature]:
        demanded, known = self._keys_of(role)
        found = []
        for key_id in demanded.key_ids:
            private = unlock(canonical_id(known[key_id]))
            if private is not None:
                found.append(private.sign(content, key_id))
        if len(found) < demanded.threshold:
            ids = ", ".join(canonical_id(known[i]) for i in demanded.key_ids)
            raise KeyAccessError(
                "could not find necessary signing keys, at least one of these keys must be"
                f" available: {ids}",
                code=Code.NO_KEY,
            )
        return found

    def _can_sign(self, role: str, unlock: Unlock) -> bool:
        demanded, known = self._keys_of(role)
        held = [i for i in demanded.key_ids if unlock(canonical_id(known[i])) is not None]
        return len(held) >= demanded.threshold

    def _keys_of(self, role: str) -> tuple[Role, Mapping[str, Key]]:
        root = self.root
        if role in root.roles:
            return root.roles[role], root.keys
        above = self._known(role.rpartition("/")[0])
        found = next((r for r in above.delegations if r.name == role), None)
        if found is None:
            raise InputError(f"tuf: invalid role {role}. delegation does not exist")
        return found, above.delegation_keys

    def _sign_root(self, unlock: Unlock, now: datetime) -> bytes:
        """Sign the root with its own keys, and with the old root's where those are others (notary: SignRoot)."""
        root = self.root
        known = max(self._versions.get(ROOT, 0), root.version)
        root = root.replace(version=known + 1, expires=format_time(now + ROOT_LIFE))
        content = encode(root)
        self.root = root
        signatures = self._signatures(ROOT, content, unlock)
        before = self._before
        if before is not None and before.roles[ROOT] != root.roles[ROOT]:
            done = {signature.key_id for signature in signatures}
            old = before.roles[ROOT]
            more = 0
            for key_id in old.key_ids:
                private = unlock(canonical_id(before.keys[key_id]))
                if private is not None:
                    more += 1
                    if key_id not in done:
                        signatures.append(private.sign(content, key_id))
            if more < old.threshold:
                raise KeyAccessError(
                    "the old root key must sign the new root, and it is not here", code=Code.NO_KEY
                )
        self._contents[ROOT] = envelope(content, signatures)
        return self._contents[ROOT]

    def _sign_snapshot(self, files: Mapping[str, bytes], unlock: Unlock, now: datetime) -> bytes:
        """List what belongs together; what nobody delegates to any more is left out."""
        delegated = {r.name for body in self._bodies.values() for r in body.delegations}

        def listed(name: str) -> bool:
            # below a role that does not count now there may be some that will count again
            return name in (ROOT, TARGETS) or name in delegated or parent(name) not in self._bodies

        old = self._snapshot.meta if self._snapshot else {}
        meta = {name: entry for name, entry in old.items() if listed(name)}
        contents = self._contents | dict(files)
        meta |= {name: FileMeta.of(content) for name, content in contents.items() if listed(name)}
        version = max(
            self._versions.get(SNAPSHOT, 0), self._snapshot.version if self._snapshot else 0
        )
        body = Snapshot(version=version + 1, expires=format_time(now + SNAPSHOT_LIFE), meta=meta)
        return self._signed(SNAPSHOT, body, unlock)


def _empty(now: datetime) -> Targets:
    return Targets(
        version=0,
        expires=format_time(now + TARGETS_LIFE),
        targets={},
        delegation_keys={},
        delegations=(),
    )
