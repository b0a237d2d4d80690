"""The TUF repository that hands out a private Sigstore's trusted root and signing config.

Snapshots are consistent, files are named by their hashes and never removed, so that a client in the middle of
something finds all that belongs together (specs: cosign, 2k). Everything is signed anew by itself, in time. What is
published lies there from the bottom up: files, targets, snapshot, and the timestamp last, so that a crash leaves the
repository as it was.

The keys of all roles are the server's own. Their thief hands out another trusted root to those who fetch it.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from countermark.core.errors import Code, CountermarkError, MalformedError, StorageError
from countermark.core.ports import Clock
from countermark.core.ports_hosting import Request, Response
from countermark.core.ports_sigstore import ServiceKeys, TufFiles
from countermark.core.value import Value
from countermark.formats import tuf_metadata as tuf
from countermark.formats.strict_json import Json
from countermark.formats.tuf_metadata import (
    ROLES,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    Metadata,
    TargetFile,
)
from countermark.services.trust_root_keys import RoleKey, RoleKeys, sign

_CURRENT = ("root.json", "timestamp.json")
_FIXED = re.compile(
    r"[1-9][0-9]{0,15}\.(root|targets|snapshot)\.json|targets/[0-9a-f]{64}\.[a-z0-9._]+"
)
_NAME = re.compile(r"[a-z0-9][a-z0-9._]{0,99}")
_LASTING = ("Cache-Control", "public, max-age=86400, immutable")
_FLEETING = ("Cache-Control", "no-cache")


class Lifetimes(Value):
    """How long what is signed holds; it is signed anew when half of that is over."""

    root: timedelta = timedelta(days=365)
    targets: timedelta = timedelta(days=365)
    snapshot: timedelta = timedelta(days=30)
    timestamp: timedelta = timedelta(days=7)

    def of(self, role: str) -> timedelta:
        """That of a role."""
        found: timedelta = getattr(self, role)
        return found


class _State(Value):
    """What lies in the store: the newest root, and what its timestamp leads to; None before the first time."""

    root: Metadata | None
    targets: Metadata | None = None
    snapshot: Metadata | None = None
    timestamp: Metadata | None = None

    def of(self, role: str) -> Metadata | None:
        found: Metadata | None = getattr(self, role)
        return found


class TrustRoot:
    """A TUF repository of ours.

    Args:
        files: where its files lie.
        keys: where its keys are.
        clock: the time.
        lifetimes: how long what it signs holds.
        prefix: where it is: what stands before a file's name in a path.
    """

    def __init__(
        self,
        files: TufFiles,
        keys: ServiceKeys,
        clock: Clock,
        *,
        lifetimes: Lifetimes | None = None,
        prefix: str = "/tuf/",
    ) -> None:
        self._files, self._keys, self._clock = files, RoleKeys(keys), clock
        self._lifetimes = lifetimes or Lifetimes()
        self._prefix = prefix
        self._due: datetime | None = None  # when something is to be signed anew; None: not known

    # publishing -------------------------------------------------------------------------------------------

    def publish(self, files: Mapping[str, TargetFile]) -> bool:
        """Hand out these files from now on, and no others; say whether anything changed.

        Raises:
            KeyAccessError, StorageError: it cannot be signed, or not be written; what was there is still handed out.
        """
        for name in files:
            if not _NAME.fullmatch(name):
                raise ValueError(f"not a name for a target: {name!r}")
        members: dict[str, Json] = {name: file.members() for name, file in sorted(files.items())}
        with self._files.locked():
            state = self._load()
            root = state.root or self._first_root()
            if state.targets is not None and tuf.target_members(state.targets) == members:
                self._renew(state.replace(root=root))
                return False
            for name, file in files.items():
                self._files.write(f"targets/{file.sha256}.{name}", file.content)
            self._sign_from(TARGETS, state.replace(root=root), self._signers(root), members)
            return True

    def refresh(self) -> None:
        """Sign anew whatever is due; nothing happens before anything was published.

        Raises:
            As ``publish``.
        """
        with self._files.locked():
            state = self._load()
            if state.root is not None:
                self._renew(state)

    def rotate(self, role: str) -> None:
        """Give a role a new key. Clients follow by themselves.

        Until the new root is there the old key counts, and from then on the new one: what the role has signed is
        signed by both before, so that there is no moment in which a client finds nothing that holds.

        Raises:
            As ``publish``; StorageError also where nothing was published yet.
        """
        if role not in ROLES:
            raise ValueError(f"no such role: {role}")
        with self._files.locked():
            state = self._load()
            if state.root is None or state.targets is None:
                raise StorageError("no trust root was published yet", code=Code.NOT_FOUND)
            signers = self._signers(state.root)
            made = self._keys.make(role)
            if role != ROOT:
                both = signers | {role: (*signers[role], made)}
                self._sign_from(role, state, both, tuf.target_members(state.targets))
            self._next_root(state.root, signers | {role: (made,)})
            self._due = None

    def root(self) -> bytes:
        """Return the newest root, which clients begin with.

        Raises:
            StorageError: there is none.
        """
        content = self._files.read("root.json")
        if content is None:
            raise StorageError("no trust root was published yet", code=Code.NOT_FOUND)
        return content

    def handed_out(self) -> Mapping[str, bytes]:
        """Return the files that are handed out now, by name.

        Raises:
            StorageError: there are none yet, or one is damaged.
        """
        targets = self._load().targets
        if targets is None:
            raise StorageError("no trust root was published yet", code=Code.NOT_FOUND)
        found: dict[str, bytes] = {}
        for name in tuf.target_names(targets):
            digest = tuf.target_sha256(targets, name)
            found[name] = self._needed(f"targets/{digest}.{name}")
            if sha256(found[name]).hexdigest() != digest:
                raise StorageError(f"the trust root's file {name} is damaged", code=Code.CHECKSUM)
        return found

    # signing ----------------------------------------------------------------------------------------------

    def _signers(self, root: Metadata) -> dict[str, Sequence[RoleKey]]:
        return {role: self._keys.named(root, role) for role in ROLES}

    def _first_root(self) -> Metadata:
        signers = {
            role: list(self._keys.of(role))[-1:] or [self._keys.make(role)] for role in ROLES
        }
        return self._write_root(1, signers, signers[ROOT])

    def _next_root(self, old: Metadata, signers: Mapping[str, Sequence[RoleKey]]) -> Metadata:
        """Write the next root, for which the old one's keys vouch."""
        vouching = {key.id: key for key in (*self._keys.named(old, ROOT), *signers[ROOT])}
        return self._write_root(old.version + 1, signers, list(vouching.values()))

    def _write_root(
        self, version: int, signers: Mapping[str, Sequence[RoleKey]], vouching: Sequence[RoleKey]
    ) -> Metadata:
        named = {role: [key.public for key in keys] for role, keys in signers.items()}
        content = sign(tuf.root(version, self._expiry(ROOT), named), vouching)
        self._files.write(f"{version}.root.json", content)
        self._files.write("root.json", content)
        return tuf.parse(content, ROOT)

    def _expiry(self, role: str) -> datetime:
        return self._clock() + self._lifetimes.of(role)

    def _is_due(self, metadata: Metadata | None) -> bool:
        return metadata is None or self._clock() >= self._renewal(metadata)

    def _renewal(self, metadata: Metadata) -> datetime:
        return metadata.expires - self._lifetimes.of(metadata.role) / 2

    def _renew(self, state: _State) -> None:
        if state.root is None or state.targets is None:
            return
        root = state.root
        if self._is_due(root):
            root = self._next_root(root, self._signers(root))
        signers = self._signers(root)
        for role in (TARGETS, SNAPSHOT, TIMESTAMP):
            found = state.of(role)
            if self._is_due(found) or not _is_signed(found, signers[role]):
                self._sign_from(role, state, signers, tuf.target_members(state.targets))
                return
        parts = (root, state.targets, state.snapshot, state.timestamp)
        self._due = min(self._renewal(part) for part in parts if part is not None)

    def _sign_from(
        self,
        role: str,
        state: _State,
        signers: Mapping[str, Sequence[RoleKey]],
        members: Mapping[str, Json],
    ) -> None:
        """Sign a role's file anew, and those that name it; the timestamp is written last."""
        self._due = None
        names = {r: _name(state.of(r)) for r in (TARGETS, SNAPSHOT)}
        if role == TARGETS:
            number = self._next(state.targets)
            names[TARGETS] = f"{number}.targets.json"
            signed = tuf.targets(number, self._expiry(TARGETS), members)
            self._files.write(names[TARGETS], sign(signed, signers[TARGETS]))
        if role in (TARGETS, SNAPSHOT) or state.snapshot is None:
            number = self._next(state.snapshot)
            names[SNAPSHOT] = f"{number}.snapshot.json"
            named = self._needed(names[TARGETS])
            signed = tuf.naming(SNAPSHOT, number, self._expiry(SNAPSHOT), TARGETS, named)
            self._files.write(names[SNAPSHOT], sign(signed, signers[SNAPSHOT]))
        number, named = self._next(state.timestamp), self._needed(names[SNAPSHOT])
        signed = tuf.naming(TIMESTAMP, number, self._expiry(TIMESTAMP), SNAPSHOT, named)
        self._files.write("timestamp.json", sign(signed, signers[TIMESTAMP]))

    def _next(self, metadata: Metadata | None) -> int:
        """The next version: clients take no smaller one than they have seen, from a restored backup neither."""
        last = 0 if metadata is None else metadata.version
        return max(last + 1, int(self._clock().timestamp()))

    # reading ------------------------------------------------------------------------------------------------

    def _load(self) -> _State:
        """Read what lies in the store. What our keys have not signed is not signed anew.

        Raises:
            StorageError: ``insecure``, a file is not ours; or the store fails.
        """
        root = self._newest_root()
        if root is None or self._files.read("timestamp.json") is None:
            return _State(root=root)
        timestamp = self._read("timestamp.json", TIMESTAMP)
        snapshot = self._read(f"{_named(timestamp, SNAPSHOT)}.snapshot.json", SNAPSHOT)
        targets = self._read(f"{_named(snapshot, TARGETS)}.targets.json", TARGETS)
        return _State(root=root, targets=targets, snapshot=snapshot, timestamp=timestamp)

    def _newest_root(self) -> Metadata | None:
        content = self._files.read("root.json") or self._files.read("1.root.json")
        if content is None:
            return None
        found = self._ours(content, ROOT, "root.json")
        version = found.version
        while (following := self._files.read(f"{version + 1}.root.json")) is not None:
            found, version = self._ours(following, ROOT, f"{version + 1}.root.json"), version + 1
            content = following
        if self._files.read("root.json") != content:  # a crash came between the two
            self._files.write("root.json", content)
        return found

    def _read(self, name: str, role: str) -> Metadata:
        return self._ours(self._needed(name), role, name)

    def _needed(self, name: str) -> bytes:
        content = self._files.read(name)
        if content is None:
            raise StorageError(
                f"the trust root's {name} is missing", hint="restore it from a backup"
            )
        return content

    def _ours(self, content: bytes, role: str, name: str) -> Metadata:
        try:
            found = tuf.parse(content, role)
        except MalformedError as error:
            raise StorageError(f"the trust root's {name} is damaged: {error}") from None
        if not self._keys.has_signed(found):
            raise StorageError(
                f"the trust root's {name} was not signed by this server",
                code=Code.INSECURE,
                hint="restore the files, or the keys that belong to them, from a backup",
            )
        return found

    # serving ------------------------------------------------------------------------------------------------

    def serves(self, path: str) -> bool:
        """Say whether a path is this service's."""
        return path.startswith(self._prefix)

    def answer(self, request: Request) -> Response:
        """Answer a request for a file; whatever is due is signed before."""
        if request.method not in ("GET", "HEAD"):
            return Response(status=405, headers=(("Allow", "GET, HEAD"),))
        name = request.path.removeprefix(self._prefix)
        fixed = _FIXED.fullmatch(name)
        if not fixed and name not in _CURRENT:
            return Response(status=404, headers=(_FLEETING,))
        problem = ""
        if name == "timestamp.json" or name.endswith("root.json"):
            problem = self._refreshed()
        try:
            content = self._files.read(name)
        except CountermarkError as error:
            return Response(status=500, problem=str(error))
        if content is None:
            return Response(status=404, headers=(_FLEETING,), problem=problem)
        kind = "application/octet-stream" if "/" in name else "application/json"
        headers = (("Content-Type", kind), _LASTING if fixed else _FLEETING)
        return Response(status=200, headers=headers, body=content, problem=problem)

    def _refreshed(self) -> str:
        """Sign what is due; what went wrong, while what was signed before may still hold, is for our log."""
        if self._due is not None and self._clock() < self._due:
            return ""
        try:
            self.refresh()
        except CountermarkError as error:
            return f"the trust root cannot be signed anew: {error}"
        return ""


def _is_signed(metadata: Metadata | None, keys: Sequence[RoleKey]) -> bool:
    return metadata is not None and any(key.id in metadata.signatures for key in keys)


def _name(metadata: Metadata | None) -> str:
    return "" if metadata is None else f"{metadata.version}.{metadata.role}.json"


def _named(metadata: Metadata, role: str) -> int:
    try:
        return tuf.named_version(metadata, role)
    except MalformedError as error:
        raise StorageError(f"the trust root is damaged: {error}") from None
