"""The outside, in memory: fakes that fulfil core/ports, and an owner who signs whatever a test wants.

``Craft`` makes a repository of Docker Content Trust file by file; each can be bent before or after it is signed.
``TrustShelf`` serves such files as they are, ``HostedTrust`` is our own server without a network, which judges what
it is sent. Nothing here checks what the rules under test check.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    KeyAccessError,
    NotFoundError,
    RefusedError,
    StorageError,
    UnavailableError,
)
from countermark.core.ports import Fetched, PassphraseRequest, StoredKey, TrustPublisher
from countermark.core.ports_hosting import Response
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.formats.tuf import (
    BASE_ROLES,
    FileMeta,
    Key,
    Role,
    Root,
    Signature,
    Snapshot,
    Targets,
    Timestamp,
    encode,
    envelope,
    format_time,
)
from countermark.proofs import key_files, root_certificate
from countermark.proofs.keys import PrivateKey
from trust_server import HostedNotary, Time

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
GUN = "registry.example.test/team/pay"
REPOSITORY = ImageReference.parse(GUN).repository
ADDRESS = "trust.example.test"
GOOD, OTHER, OLD = (Digest.parse("sha256:" + letter * 64) for letter in "abc")
RELEASES = "targets/releases"


def subject(digest: Digest = GOOD, tag: str | None = "v1", gun: str = GUN) -> Subject:
    repository = ImageReference.parse(gun).repository
    return Subject(repository=repository, digest=digest, tag=tag, size=1234)


def meta(digest: Digest, length: int = 1234) -> FileMeta:
    """What docker signs about a tag."""
    return FileMeta(length=length, hashes={"sha256": digest.raw})


# Registry -------------------------------------------------------------------------------------------


class MemoryRegistry:
    """Tags in a dictionary (port ``Registry``)."""

    def __init__(self, tags: Mapping[str, Digest] | None = None) -> None:
        self.tags = dict(tags or {})

    def resolve(self, reference: ImageReference) -> Subject:
        digest = reference.digest or self.tags.get(f"{reference.repository.name}:{reference.tag}")
        if digest is None:
            raise NotFoundError(f"no such image: {reference}", status=404)
        return Subject(repository=reference.repository, digest=digest, tag=reference.tag, size=1234)

    def manifest(self, repository: Repository, digest: Digest) -> tuple[bytes, str]:
        raise NotFoundError(f"no such manifest: {repository}@{digest}", status=404)


# Trust servers --------------------------------------------------------------------------------------


class TrustShelf:
    """Serves files as they were put there (port ``TrustPublisher``), and remembers what it was asked for.

    Attributes:
        files: contents by name, ``targets.<sha256>`` and the like; an error is raised instead.
        modified: what it says about when a file, by name, was last changed.
        asked: every name, in order.
        down: raised for whatever is asked, if set.
    """

    address = ADDRESS

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.files: dict[str, bytes | CountermarkError] = dict(files or {})
        self.modified: dict[str, datetime] = {}
        self.asked: list[str] = []
        self.down: CountermarkError | None = None

    def fetch(self, gun: str, name: str, max_bytes: int) -> Fetched:
        assert gun == GUN
        self.asked.append(name)
        if self.down is not None:
            raise self.down
        found = self.files.get(name)
        if found is None:
            text = f"{name} trust data unavailable.  Has a notary repository been initialized?"
            raise NotFoundError(text, status=404)
        if isinstance(found, CountermarkError):
            raise found
        if len(found) > max_bytes:
            raise EvidenceError("trust server returned a bad response.", code=Code.TOO_LARGE)
        return Fetched(content=found, modified=self.modified.get(name))

    def server_key(self, gun: str, role: str, *, rotate: bool = False) -> bytes:
        raise NotFoundError("this server holds no keys", status=404)

    def publish(self, gun: str, files: Mapping[str, bytes]) -> None:
        raise RefusedError("trust server rejected operation.", status=400)

    def delete(self, gun: str) -> None:
        self.files.clear()


class HostedTrust:
    """Our own server, asked without a network (port ``TrustPublisher``).

    Attributes:
        sent: every publication that was taken, by role.
        before: called before each publication reaches the server; may raise, or publish something else meanwhile.
    """

    address = ADDRESS

    def __init__(self, clock: Time) -> None:
        self.hosted = HostedNotary(clock=clock)
        self.sent: list[dict[str, bytes]] = []
        self.asked: list[str] = []
        self.before: Callable[[], None] = lambda: None

    def fetch(self, gun: str, name: str, max_bytes: int) -> Fetched:
        self.asked.append(name)
        response = self._checked(self.hosted.get(f"{name}.json", gun), name)
        content = response.body
        assert isinstance(content, bytes)
        assert len(content) <= max_bytes
        return Fetched(content=content, modified=self.hosted.clock().replace(microsecond=0))

    def server_key(self, gun: str, role: str, *, rotate: bool = False) -> bytes:
        path = f"/v2/{gun}/_trust/tuf/{role}.key"
        response = self._checked(self.hosted.ask("POST" if rotate else "GET", path), role)
        assert isinstance(response.body, bytes)
        return response.body

    def publish(self, gun: str, files: Mapping[str, bytes]) -> None:
        self.before()
        self._checked(self.hosted.publish(files, gun), "POST metadata endpoint")
        self.sent.append(dict(files))

    def delete(self, gun: str) -> None:
        self._checked(self.hosted.ask("DELETE", f"/v2/{gun}/_trust/tuf/"), "DELETE")

    @staticmethod
    def _checked(response: Response, name: str) -> Response:
        if response.status == 200:
            return response
        if response.status == 404:
            text = f"{name} trust data unavailable.  Has a notary repository been initialized?"
            raise NotFoundError(text, status=404)
        body = response.body
        assert isinstance(body, bytes)
        if response.status == 400:
            conflict = json.loads(body)["errors"][0]["code"] == "VERSION"
            code = Code.VERSION_CONFLICT if conflict else Code.REFUSED
            raise RefusedError(body.decode(), status=400, body=body, code=code)
        raise UnavailableError(body.decode(), status=response.status)


class Servers:
    """Chooses servers by URL (port ``TrustServers``); "" is the one that is always there."""

    def __init__(self, server: TrustPublisher, **others: TrustPublisher) -> None:
        self._server, self._others = server, others

    def server_for(self, repository: Repository, url: str = "") -> TrustPublisher:
        return self._others[url] if url else self._server


# The trust folder -----------------------------------------------------------------------------------


class MemoryCache:
    """Cached metadata in a dictionary (port ``TrustCache``)."""

    def __init__(self, files: Mapping[tuple[str, str], bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.read_only = False
        self.order: list[str] = []
        self._held = False

    def read(self, gun: str, name: str) -> bytes | None:
        return self.files.get((gun, name))

    def write(self, gun: str, files: Mapping[str, bytes | None]) -> None:
        assert self._held, "written without the lock"
        for name, content in files.items():
            self.order.append(name)
            if content is None:
                self.files.pop((gun, name), None)
            else:
                self.files[(gun, name)] = content

    @contextmanager
    def locked(self, gun: str) -> Iterator[None]:
        if self.read_only:
            raise StorageError("read-only file system", code=Code.REFUSED)
        assert not self._held, "locked twice"
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def copy(self) -> "MemoryCache":
        return MemoryCache(self.files)


class MemoryKeys:
    """Private key files in a dictionary (port ``KeyFiles``)."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.removed: list[str] = []

    def list(self) -> Sequence[StoredKey]:
        found = [(i, key_files.KeyFile.parse(pem)) for i, pem in sorted(self.files.items())]
        return [StoredKey(id=i, role=file.role, gun=file.gun) for i, file in found]

    def read(self, key_id: str) -> bytes | None:
        return self.files.get(key_id)

    def write(self, key_id: str, pem: bytes) -> None:
        self.files[key_id] = pem

    def remove(self, key_id: str) -> None:
        self.removed.append(key_id)
        self.files.pop(key_id, None)

    def put(self, key: PrivateKey, role: str, gun: str = "", passphrase: str = "") -> str:
        """Store a key, plain unless told otherwise."""
        pem = key_files.encode_key(key, passphrase, role=role, gun=gun, iterations=1000)
        self.files[key.id] = pem
        return key.id


class FixedPassphrases:
    """Passphrases given beforehand (port ``Passphrases``): those to try in turn, "" for new keys unless told."""

    def __init__(self, *tries: str, new: str = "") -> None:
        self.tries, self.new = tries, new
        self.requests: list[PassphraseRequest] = []

    def passphrase(self, request: PassphraseRequest) -> str:
        self.requests.append(request)
        if request.new:
            return self.new
        if request.attempt >= len(self.tries):
            raise KeyAccessError("password invalid, operation has failed.", code=Code.PASSPHRASE)
        return self.tries[request.attempt]


# An owner who signs anything --------------------------------------------------------------------------

Body = Root | Targets | Snapshot | Timestamp
_KEYS: dict[str, PrivateKey] = {}
_CERTIFICATES: dict[tuple[str, str], Key] = {}
_SIGNED: dict[tuple[str, bytes], Signature] = {}


def key(name: str) -> PrivateKey:
    """A person's or role's key: the same for the same name, made once in a run."""
    if name not in _KEYS:
        _KEYS[name] = PrivateKey.generate("ecdsa")
    return _KEYS[name]


def sign(private: PrivateKey, message: bytes, key_id: str = "") -> Signature:
    """Sign, the same each time, so that a file which says the same has the same bytes."""
    wanted = (key_id or private.id, message)
    if wanted not in _SIGNED:
        _SIGNED[wanted] = private.sign(message, key_id)
    return _SIGNED[wanted]


class Delegate:
    """A delegation as the owner means it."""

    def __init__(
        self, name: str, *signers: str, paths: Sequence[str] = ("",), threshold: int = 1
    ) -> None:
        self.name, self.signers, self.paths, self.threshold = name, signers, paths, threshold


class Craft:
    """A repository's files, made from what its attributes say.

    Attributes:
        owner: whose the root key is (a name for ``key``).
        versions, days: of each role, where they are not 1 and what notary has.
        tags: what each role names: ``{"targets": {"v1": meta(GOOD)}}``.
        delegates: the delegations, of any depth.
        signers: who signs a role, by name, where it is not who should.
        bend: changes a role's body before it is signed.
        wire: changes a file after it was signed; other files then name the changed one.
        withheld: roles that the snapshot does not list.
        roots: earlier roots by version, served as ``N.root``.
    """

    def __init__(self, gun: str = GUN, now: datetime = NOW, owner: str = "owner") -> None:
        self.gun, self.now, self.owner = gun, now, owner
        self.versions: dict[str, int] = {}
        self.days: dict[str, float] = {}
        self.tags: dict[str, dict[str, FileMeta]] = {"targets": {"v1": meta(GOOD)}}
        self.delegates: list[Delegate] = []
        self.signers: dict[str, Sequence[str]] = {}
        self.bend: dict[str, Callable[[Any], Any]] = {}
        self.wire: dict[str, Callable[[bytes], bytes]] = {}
        self.withheld: set[str] = set()
        self.roots: dict[int, bytes] = {}
        self.certified: tuple[str, ...] = (owner,)  # the root's keys; each has a certificate
        self.root_threshold = 1
        self.certificates: dict[str, Key] = {}  # others than those that everybody gets

    # What to change -----------------------------------------------------------------------------------

    def delegate(self, name: str, *signers: str, **given: Any) -> "Craft":
        self.delegates.append(Delegate(name, *signers, **given))
        return self

    def tag(self, role: str, **digests: Digest) -> "Craft":
        self.tags.setdefault(role, {}).update({t: meta(d) for t, d in digests.items()})
        return self

    def released_by(self, *signers: str) -> "Craft":
        """Signers as docker adds them, who have released v1."""
        for name in signers:
            self.delegate(f"targets/{name}", name)
        self.delegate(RELEASES, *signers)
        for role in (*(f"targets/{name}" for name in signers), RELEASES):
            self.tag(role, v1=GOOD)
        self.tags["targets"] = {}
        return self

    def next(self, *roles: str) -> "Craft":
        """Raise versions: of these, and of what then changes as well."""
        for role in dict.fromkeys((*roles, "snapshot", "timestamp")):
            self.versions[role] = self.versions.get(role, 1) + 1
        return self

    def rotate(self, *certified: str, also: Sequence[str] | None = None) -> "Craft":
        """Give the root other keys; the new root is signed by old and new ones, or by these."""
        self.roots[self.versions.get("root", 1)] = self.root()
        before = self.certified
        self.certified = certified
        self.signers["root"] = tuple(dict.fromkeys((*certified, *before))) if also is None else also
        return self.next("root")

    # What comes of it ---------------------------------------------------------------------------------

    def certificate(self, name: str) -> Key:
        if name in self.certificates:
            return self.certificates[name]
        if (name, self.gun) not in _CERTIFICATES:
            made = root_certificate.issue(key(name), self.gun, self.now - timedelta(days=30))
            _CERTIFICATES[name, self.gun] = made.key
        return _CERTIFICATES[name, self.gun]

    def root_body(self) -> Root:
        roots = [self.certificate(name) for name in self.certified]
        simple = {role: key(f"{self.owner} {role}").public for role in BASE_ROLES[1:]}
        known = {k.id: k for k in (*roots, *simple.values())}
        roles = {name: Role(name=name, key_ids=(k.id,), threshold=1) for name, k in simple.items()}
        roles["root"] = Role(
            name="root", key_ids=tuple(k.id for k in roots), threshold=self.root_threshold
        )
        return Root(
            version=self._version("root"), expires=self._end("root", 3650), keys=known, roles=roles
        )

    def root(self) -> bytes:
        names = self.signers.get("root", self.certified)
        return self._file(
            "root", self.root_body(), [(key(n), self.certificate(n).id) for n in names]
        )

    def targets(self, role: str) -> bytes:
        children = [d for d in self.delegates if d.name.rpartition("/")[0] == role]
        body = Targets(
            version=self._version(role),
            expires=self._end(role, 1095),
            targets=self.tags.get(role, {}),
            delegation_keys={key(n).id: key(n).public for d in children for n in d.signers},
            delegations=tuple(
                Role(
                    name=d.name,
                    key_ids=tuple(key(n).id for n in d.signers),
                    threshold=d.threshold,
                    paths=tuple(d.paths),
                )
                for d in children
            ),
        )
        return self._file(role, body, [(key(n), key(n).id) for n in self._who(role)])

    def files(self) -> dict[str, bytes]:
        """Every file under every name that the server has for it."""
        contents = {"root": self.root()}
        roles = ["targets", *(d.name for d in self.delegates if d.name in self.tags)]
        contents |= {role: self.targets(role) for role in dict.fromkeys(roles)}
        listed = {r: FileMeta.of(c) for r, c in contents.items() if r not in self.withheld}
        snapshot = Snapshot(
            version=self._version("snapshot"), expires=self._end("snapshot", 1095), meta=listed
        )
        contents["snapshot"] = self._base("snapshot", snapshot)
        timestamp = Timestamp(
            version=self._version("timestamp"),
            expires=self._end("timestamp", 14),
            meta={"snapshot": FileMeta.of(contents["snapshot"])},
        )
        contents["timestamp"] = self._base("timestamp", timestamp)
        return {
            **{f"{v}.root": c for v, c in self.roots.items()},
            **served(contents, self.versions),
        }

    def shelf(self) -> TrustShelf:
        return TrustShelf(self.files())

    def _base(self, role: str, body: Body) -> bytes:
        names = self.signers.get(role, (f"{self.owner} {role}",))
        return self._file(role, body, [(key(n), key(n).id) for n in names])

    def _who(self, role: str) -> Iterable[str]:
        if role in self.signers:
            return self.signers[role]
        if role == "targets":
            return (f"{self.owner} targets",)
        return next(d.signers for d in self.delegates if d.name == role)

    def _file(self, role: str, body: Body, by: Sequence[tuple[PrivateKey, str]]) -> bytes:
        if role in self.bend:
            body = self.bend[role](body)
        signed = encode(body)
        content = envelope(signed, [sign(private, signed, key_id) for private, key_id in by])
        return self.wire[role](content) if role in self.wire else content

    def _version(self, role: str) -> int:
        return self.versions.get(role, 1)

    def _end(self, role: str, days: float) -> str:
        return format_time(self.now + timedelta(days=self.days.get(role, days)))


def served(contents: Mapping[str, bytes], versions: Mapping[str, int]) -> dict[str, bytes]:
    """Name files as a server does: by role, by role and hash, by version and role."""
    found = dict(contents)
    for role, content in contents.items():
        found[f"{role}.{sha256(content).hexdigest()}"] = content
        found[f"{versions.get(role, 1)}.{role}"] = content
    return found


def changed(content: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Change a file's JSON in place, signatures as they are; written as Go would."""
    document = json.loads(content)
    change(document)
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
