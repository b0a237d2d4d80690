"""A trust server in memory and the owner of a repository on it, for tests.

``MemoryTrustStore`` and ``MemoryServerKeys`` fulfil ports (``tests/ports`` keeps them honest). ``Owner`` makes what a
notary client would upload. ``HostedNotary`` asks the service without a network.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from countermark.core.errors import Code, RefusedError
from countermark.core.ports_hosting import (
    FeedEntry,
    HeldKey,
    Request,
    Response,
    ServerKeys,
    StoredFile,
    TrustStore,
)
from countermark.formats.tuf import (
    FileMeta,
    Key,
    Role,
    Root,
    Snapshot,
    Targets,
    encode,
    envelope,
    format_time,
)
from countermark.proofs import root_certificate
from countermark.proofs.keys import PrivateKey
from countermark.services.access import Access
from countermark.services.notary import Notary

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
GUN = "registry.example.test:5000/team/app"
BOUNDARY = "a7f3c1boundary"


class Time:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **span: float) -> None:
        self.now += timedelta(**span)


class MemoryTrustStore:
    """Metadata in a dictionary (port ``TrustStore``)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, list[StoredFile]] = {}
        self._feed: list[FeedEntry] = []

    def newest(self, gun: str, role: str) -> StoredFile | None:
        found = [file for file in self._files.get(gun, ()) if file.role == role]
        return max(found, key=lambda file: file.version, default=None)

    def by_hash(self, gun: str, role: str, sha256: str) -> StoredFile | None:
        found = (f for f in self._files.get(gun, ()) if (f.role, f.sha256) == (role, sha256))
        return next(found, None)

    def by_version(self, gun: str, role: str, version: int) -> StoredFile | None:
        found = (f for f in self._files.get(gun, ()) if (f.role, f.version) == (role, version))
        return next(found, None)

    def publish(self, files: Sequence[StoredFile], base: str, now: datetime) -> None:
        gun = files[0].gun
        timestamp = next(file for file in files if file.role == "timestamp")
        with self._lock:
            newest = self.newest(gun, "timestamp")
            if (newest.sha256 if newest else "") != base or any(
                self.by_version(gun, file.role, file.version) for file in files
            ):
                raise RefusedError("meanwhile", code=Code.VERSION_CONFLICT)
            self._files[gun] = [*self._files.get(gun, ()), *files]
            self._note(gun, timestamp.version, timestamp.sha256, "update", now)

    def delete(self, gun: str, now: datetime) -> bool:
        with self._lock:
            if self._files.pop(gun, None) is None:
                return False
            self._note(gun, 0, "", "deletion", now)
            return True

    def _note(self, gun: str, version: int, sha256: str, category: str, now: datetime) -> None:
        self._feed.append(
            FeedEntry(
                id=len(self._feed) + 1,
                gun=gun,
                version=version,
                sha256=sha256,
                category=category,
                created=now,
            )
        )

    def changes(self, gun: str, after: int, count: int) -> Sequence[FeedEntry]:
        found = [entry for entry in self._feed if gun in ("", entry.gun)]
        if count < 0:
            return [e for e in found if after <= 0 or e.id < after][count:]
        return [entry for entry in found if entry.id > after][:count]

    def peek(self, gun: str, role: str) -> StoredFile | None:
        return self.newest(gun, role)

    def check(self) -> None:
        pass


class MemoryServerKeys:
    """Keys in a dictionary (port ``ServerKeys``)."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str], list[HeldKey]] = {}
        self._used: set[str] = set()

    def held(self, gun: str, role: str) -> Sequence[HeldKey]:
        return self._keys.get((gun, role), [])[::-1]

    def pending(self, gun: str, role: str, now: datetime) -> HeldKey:
        keys = self._keys.setdefault((gun, role), [])
        waiting = [key for key in keys if key.id not in self._used]
        if not waiting:
            made = PrivateKey.generate("ecdsa")
            waiting = [HeldKey(id=made.id, private=made.encode_der())]
            keys += waiting
        return waiting[0]

    def used(self, gun: str, role: str, key_id: str) -> None:
        if any(key.id == key_id for key in self.held(gun, role)):
            self._used.add(key_id)


class Owner:
    """Makes a repository's metadata as a notary client would, one version after the other.

    ``timestamp`` and ``snapshot`` are the keys that the server said it has; without the latter the owner signs
    snapshots as well.
    """

    def __init__(
        self,
        timestamp: Key,
        snapshot: Key | None = None,
        *,
        gun: str = GUN,
        now: datetime = NOW,
        issued: datetime | None = None,
    ) -> None:
        self.gun, self.now = gun, now
        self.root_key = PrivateKey.generate("ecdsa")
        self.certificate = root_certificate.issue(self.root_key, gun, issued or now).key
        self.targets_key = PrivateKey.generate("ecdsa")
        self.snapshot_key = PrivateKey.generate("ecdsa")
        self.snapshot_public = snapshot or self.snapshot_key.public
        self.timestamp_public = timestamp
        self.versions: dict[str, int] = {}
        self.files: dict[str, bytes] = {}

    def next(self, role: str, version: int | None = None) -> int:
        self.versions[role] = version or self.versions.get(role, 0) + 1
        return self.versions[role]

    def expires(self, days: float) -> str:
        return format_time(self.now + timedelta(days=days))

    def root(
        self,
        version: int | None = None,
        *,
        days: float = 3650,
        signers: Sequence[tuple[PrivateKey, Key]] | None = None,
        **changes: object,
    ) -> bytes:
        keys = [self.certificate, self.targets_key.public, self.snapshot_public]
        keys.append(self.timestamp_public)
        roles = dict(zip(("root", "targets", "snapshot", "timestamp"), keys, strict=True))
        body = Root(
            version=self.next("root", version),
            expires=self.expires(days),
            keys={key.id: key for key in keys},
            roles={
                name: Role(name=name, key_ids=(key.id,), threshold=1) for name, key in roles.items()
            },
        )
        return self._sign(
            "root", body.replace(**changes), signers or [(self.root_key, self.certificate)]
        )

    def targets(
        self,
        version: int | None = None,
        *,
        role: str = "targets",
        key: PrivateKey | None = None,
        names: Mapping[str, bytes] | None = None,
        delegates: Mapping[str, Sequence[PrivateKey]] | None = None,
        days: float = 1095,
    ) -> bytes:
        delegates = delegates or {}
        body = Targets(
            version=self.next(role, version),
            expires=self.expires(days),
            targets={name: FileMeta.of(content) for name, content in (names or {}).items()},
            delegation_keys={k.id: k.public for keys in delegates.values() for k in keys},
            delegations=tuple(
                Role(name=name, key_ids=tuple(k.id for k in keys), threshold=1, paths=("",))
                for name, keys in delegates.items()
            ),
        )
        key = key or self.targets_key
        return self._sign(role, body, [(key, key.public)])

    def snapshot(
        self,
        version: int | None = None,
        *,
        meta: Mapping[str, bytes] | None = None,
        days: float = 1095,
        key: PrivateKey | None = None,
    ) -> bytes:
        files = {r: c for r, c in self.files.items() if r not in ("snapshot", "timestamp")}
        body = Snapshot(
            version=self.next("snapshot", version),
            expires=self.expires(days),
            meta={role: FileMeta.of(c) for role, c in (files if meta is None else meta).items()},
        )
        key = key or self.snapshot_key
        return self._sign("snapshot", body, [(key, key.public)])

    def _sign(
        self,
        role: str,
        body: Root | Targets | Snapshot,
        signers: Sequence[tuple[PrivateKey, Key]],
    ) -> bytes:
        signed = encode(body)
        content = envelope(signed, [key.sign(signed, public.id) for key, public in signers])
        self.files[role] = content
        return content


def multipart(files: Sequence[tuple[str, bytes]] | Mapping[str, bytes]) -> bytes:
    """Write an upload as Go's ``mime/multipart`` does."""
    parts = files.items() if isinstance(files, Mapping) else files
    out = b""
    for name, content in parts:
        out += f"--{BOUNDARY}\r\n".encode()
        disposition = f'form-data; name="files"; filename="{name}"'
        out += f"Content-Disposition: {disposition}\r\n".encode()
        out += b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n"
    # Go begins the last boundary with one, which ends a part otherwise
    first = b"" if out else b"\r\n"
    return out + first + f"--{BOUNDARY}--\r\n".encode()


class Body:
    """A request body in memory (port ``RequestBody``)."""

    def __init__(self, content: bytes, piece: int = 1 << 20) -> None:
        self._content, self._piece = content, piece

    def read(self, max_bytes: int) -> bytes:
        assert len(self._content) <= max_bytes
        return self._content

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), self._piece):
            yield self._content[start : start + self._piece]


class HostedNotary:
    """The service, asked without a network."""

    def __init__(
        self,
        *,
        store: TrustStore | None = None,
        keys: ServerKeys | None = None,
        access: Access | None = None,
        clock: Time | None = None,
        gun_prefixes: Sequence[str] = (),
    ) -> None:
        self.clock = clock or Time()
        self.store: TrustStore = store or MemoryTrustStore()
        self.keys: ServerKeys = keys or MemoryServerKeys()
        self.access = access or Access(None, self.clock, b"secret", everybody_reads=True)
        self.notary = Notary(
            self.store, self.keys, self.access, self.clock, gun_prefixes=gun_prefixes
        )

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        sent = {"host": "trust.example.test"} | dict(headers or {})
        return self.notary.answer(
            Request(method=method, path=path, query=query, headers=sent, body=Body(body))
        )

    def get(self, name: str, gun: str = GUN) -> Response:
        return self.ask("GET", f"/v2/{gun}/_trust/tuf/{name}")

    def content(self, name: str, gun: str = GUN) -> bytes:
        response = self.get(name, gun)
        assert response.status == 200, response
        assert isinstance(response.body, bytes)
        return response.body

    def publish(
        self, files: Mapping[str, bytes] | Sequence[tuple[str, bytes]], gun: str = GUN
    ) -> Response:
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return self.ask(
            "POST", f"/v2/{gun}/_trust/tuf/", multipart(files), headers={"content-type": kind}
        )

    def owner(self, *, snapshot: bool = True, gun: str = GUN, **settings: object) -> Owner:
        """Begin a repository: an owner who knows the server's keys; nothing is published yet."""
        timestamp = Key.parse_loose(self.content("timestamp.key", gun))
        ours = Key.parse_loose(self.content("snapshot.key", gun)) if snapshot else None
        return Owner(timestamp, ours, gun=gun, now=self.clock(), **settings)  # type: ignore[arg-type]

    def published(self, *, snapshot: bool = True, gun: str = GUN) -> Owner:
        """Begin a repository and publish its first version."""
        owner = self.owner(snapshot=snapshot, gun=gun)
        files = {"root": owner.root(), "targets": owner.targets(names={"v1": b"one"})}
        if not snapshot:
            files["snapshot"] = owner.snapshot()
        assert self.publish(files, gun).status == 200
        return owner
