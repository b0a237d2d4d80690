"""Docker Content Trust: sign a tag and publish it."""

from collections.abc import Callable, Sequence
from datetime import datetime

from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    EvidenceError,
    InputError,
    KeyAccessError,
    NotFoundError,
    RefusedError,
)
from countermark.core.ports import TrustPublisher, TrustServers
from countermark.core.reference import Repository
from countermark.core.value import Value
from countermark.formats.tuf import (
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    FileMeta,
    Key,
    is_delegation,
)
from countermark.proofs.keys import PrivateKey
from countermark.schemes.dct.key_ring import KeyRing
from countermark.schemes.dct.publish import Draft, RootKeys
from countermark.schemes.dct.repository import (
    RELEASED,
    RELEASES,
    Collection,
    Loader,
    canonical_id,
)
from countermark.schemes.interface import Receipt, Statement

_TRIES = 3  # when another publisher is faster
_MOST_VERSIONS = 10_000  # of a role that was given again


class Published(Value):
    """What came of a publication.

    Attributes:
        initialized: the repository is new.
        created_signer: the signer that was made for it, "".
        roles: those that were changed.
        left: roles that have what was to be removed and that we could not change.
        sent: whether anything was sent at all.
        warnings: what people should know.
    """

    initialized: bool = False
    created_signer: str = ""
    roles: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    sent: bool = True
    warnings: tuple[str, ...] = ()


class DctPublisher:
    """Publishes trust data with the keys of a trust folder.

    Each publication is one request that the server takes whole or not at all; if another publisher was faster, the
    change is made again on what is there then. Keys are never removed here.
    """

    def __init__(self, servers: TrustServers, loader: Loader, ring: KeyRing) -> None:
        self._servers, self._loader, self._ring = servers, loader, ring

    # What may be asked ------------------------------------------------------------------------------

    def load(self, repository: Repository, now: datetime) -> Collection:
        """Load a repository.

        Raises:
            EvidenceError: ``unsigned``: there are no trust data; another code: they are not to be believed.
            UnavailableError, RefusedError: as the server has it.
        """
        return self._loader.load(repository.name, self._servers.server_for(repository), now)

    def exists(self, repository: Repository, now: datetime) -> Collection | None:
        """Load a repository, None where it has no trust data.

        Raises:
            As ``load``, except for ``unsigned``.
        """
        try:
            return self.load(repository, now)
        except EvidenceError as error:
            if error.code == Code.UNSIGNED:
                return None
            raise

    # Signing ----------------------------------------------------------------------------------------

    def sign(
        self,
        repository: Repository,
        tag: str,
        digest: Digest,
        size: int,
        now: datetime,
        *,
        accept_lapsed: bool = False,
    ) -> Published:
        """Sign a tag, into every role that is ours to sign; a new repository is made where there is none.

        ``accept_lapsed`` continues a release role whose signature no longer counts, with all that it says.

        Raises:
            KeyAccessError: no key of ours may sign here, or one does not open.
            RefusedError, UnavailableError: as the server has it. EvidenceError: what is there is not to be believed.
        """
        meta = FileMeta(length=size, hashes={"sha256": digest.raw})
        collection = self.exists(repository, now)
        if collection is None:
            draft = self._initialised(repository, now)
            draft.add_target(TARGETS, tag, meta, now)
            self._begin(repository, draft, now)
            return Published(initialized=True, roles=(TARGETS,))

        def change(draft: Draft, current: Collection) -> None:
            for role in self.signable(current, tag):
                self._continue(draft, current, role, accept_lapsed=accept_lapsed)
                draft.add_target(role, tag, meta, now)

        return self._changed(repository, collection, change, now)

    def signable(self, collection: Collection, tag: str) -> tuple[str, ...]:
        """Where we may sign a tag: ``targets`` without delegations, else those whose key we have.

        Raises:
            KeyAccessError: nowhere (docker's words).
        """
        direct = collection.trusted.targets[TARGETS].body.delegations
        if not direct:
            return (TARGETS,)
        found = tuple(
            role.name
            for role in direct
            if any(tag.startswith(path) for path in role.paths)
            and any(self._ring.holds(key_id) for key_id in collection.canonical_ids(role))
        )
        if not found:
            raise KeyAccessError("no valid signing keys for delegation roles", code=Code.NO_KEY)
        return found

    def _continue(
        self, draft: Draft, collection: Collection, role: str, *, accept_lapsed: bool
    ) -> None:
        """Take over a role's file that does not count any more, where that is safe.

        Docker starts such a file anew, which loses its tags and is refused by the server for ever. What we verified
        ourselves once, or is merely expired, is safe to sign again; anything else could be an attacker's list. A
        signer's own file begins anew instead, as its next version: what an earlier holder of the name said is not his
        to repeat.
        """
        lapsed = collection.trusted.invalid.get(role)
        if lapsed is None or draft.body(role) is not None:
            return
        file, error = lapsed
        if file is None:
            raise error
        if role != RELEASES and error.code != Code.EXPIRED:
            return
        from hashlib import sha256  # noqa: PLC0415 - rare

        known = collection.memory.lapsed.get(role) == sha256(file.content).hexdigest()
        if not (known or accept_lapsed or error.code == Code.EXPIRED):
            tags = ", ".join(sorted(file.body.targets)[:20])
            raise EvidenceError(
                f"{role} is not validly signed any more ({error}); it lists: {tags}",
                code=error.code,
                hint="look at what it lists; --accept-lapsed signs all of it again as it is",
            )
        draft.take_over(role, file.body, file.content)

    # Revoking ---------------------------------------------------------------------------------------

    def revoke(self, repository: Repository, tags: Sequence[str], now: datetime) -> Published:
        """Remove tags from every role that has them and that we can sign.

        Raises:
            EvidenceError: ``unsigned``. KeyAccessError: no role that has them is ours to change.
        """
        collection = self.load(repository, now)
        left: set[str] = set()

        def change(draft: Draft, current: Collection) -> None:
            left.clear()
            left.update(
                name
                for name, (file, _) in current.trusted.invalid.items()
                if file is not None and any(tag in file.body.targets for tag in tags)
            )
            ours = [name for name in current.trusted.targets if self._is_ours(current, name)]
            for name, file in current.trusted.targets.items():
                if not any(tag in file.body.targets for tag in tags):
                    continue
                if name not in ours:
                    left.add(name)
                    continue
                for tag in tags:
                    draft.remove_target(name, tag)
            if not draft.changed:
                raise KeyAccessError("no valid signing keys for delegation roles", code=Code.NO_KEY)

        found = self._changed(repository, collection, change, now)
        return found.replace(left=tuple(sorted(left)))

    def _is_ours(self, collection: Collection, role: str) -> bool:
        if role == TARGETS:
            body = collection.trusted.root.body
            known = (body.keys[key_id] for key_id in body.roles[TARGETS].key_ids)
            return any(self._ring.holds(canonical_id(key)) for key in known)
        found = collection.delegation(role)
        return found is not None and any(
            self._ring.holds(key_id) for key_id in collection.canonical_ids(found)
        )

    # Signers ----------------------------------------------------------------------------------------

    def add_signer(
        self,
        repository: Repository,
        name: str,
        added: Sequence[Key],
        now: datetime,
        *,
        initializing: Callable[[], None],
    ) -> Published:
        """Add a signer, or keys of one, who may sign every tag and release it; a new repository is made if needed.

        Raises:
            InputError: a name that is no signer's. KeyAccessError: the targets key is not ours.
        """
        if name == RELEASES.rpartition("/")[2]:
            raise InputError("releases is a reserved keyword, use a different signer name")
        if not is_delegation(f"targets/{name}") or "/" in name:
            raise InputError(f"tuf: invalid role targets/{name}. invalid delegation role name")

        def change(draft: Draft, _current: Collection | None) -> None:
            for role in (f"targets/{name}", RELEASES):
                draft.add_delegation(role, added, ("",))

        collection = self.exists(repository, now)
        if collection is None:
            initializing()
            draft = self._initialised(repository, now)
            change(draft, None)
            self._begin(repository, draft, now)
            return Published(initialized=True, roles=(TARGETS,))
        return self._changed(repository, collection, change, now)

    def signer_keys(self, collection: Collection, name: str) -> tuple[str, ...]:
        """A signer's canonical key IDs.

        Raises:
            InputError: there is no such signer (docker's words).
        """
        for signer, key_ids in collection.signers():
            if signer == name:
                return key_ids
        raise InputError(f"no signer {name} for repository {collection.gun}")

    def is_last_signer(self, collection: Collection, name: str) -> bool:
        """Say whether the release role would not count any more without this signer's signature.

        Raises:
            EvidenceError: ``unsigned``: nothing is released (docker's words).
        """
        file = collection.trusted.targets.get(RELEASES)
        role = collection.delegation(RELEASES)
        if file is None or role is None:
            raise EvidenceError(
                "all signed tags are currently revoked, use docker trust sign to fix",
                code=Code.UNSIGNED,
            )
        own = self._only_theirs(collection, name)
        by_id = dict(zip(role.key_ids, collection.canonical_ids(role), strict=True))
        kept = {s.key_id for s in file.signatures if by_id.get(s.key_id, "") not in ("", *own)}
        return len(kept) < role.threshold

    def _only_theirs(self, collection: Collection, name: str) -> tuple[str, ...]:
        """A signer's keys that no other signer has too."""
        others = {k for signer, ids in collection.signers() if signer != name for k in ids}
        return tuple(k for k in self.signer_keys(collection, name) if k not in others)

    def remove_signer(self, repository: Repository, name: str, now: datetime) -> Published:
        """Remove a signer; the release role is signed again where one of its remaining keys is ours.

        Raises:
            InputError: there is no such signer. KeyAccessError: the targets key is not ours.
        """
        collection = self.load(repository, now)
        warnings: list[str] = []

        def change(draft: Draft, current: Collection) -> None:
            warnings.clear()
            own = self._only_theirs(current, name)
            unsigned = RELEASES in current.trusted.targets and self.is_last_signer(current, name)
            draft.remove_keys(RELEASES, own)
            draft.remove_delegation(f"targets/{name}")
            if not unsigned:
                return
            role = current.delegation(RELEASES)
            kept = [k for k in (current.canonical_ids(role) if role else ()) if k not in own]
            if any(self._ring.holds(key_id) for key_id in kept):
                draft.witness(RELEASES)
            else:
                warnings.append(
                    "nobody who may still release has signed what is released: until one of them signs, no tag can"
                    " be pulled"
                )

        found = self._changed(repository, collection, change, now)
        return found.replace(warnings=tuple(warnings))

    # Keys -------------------------------------------------------------------------------------------

    def rotate(
        self, repository: Repository, role: str, now: datetime, *, server_held: bool = False
    ) -> tuple[str, ...]:
        """Replace a base role's key, and return the new key's ID; old keys stay in the trust folder.

        Raises:
            InputError: a role that the server, or nobody but it, holds. KeyAccessError: the root key is not ours.
        """
        if role == TIMESTAMP or (role == SNAPSHOT and server_held):
            server_held = True
        elif server_held or role not in (ROOT, TARGETS, SNAPSHOT):
            raise InputError(f"the {role[:40]} key cannot be rotated so")
        collection = self.load(repository, now)
        new = self._new_key(repository, role, now, server_held=server_held)
        self._changed(repository, collection, lambda draft, _: draft.replace_keys(role, [new]), now)
        return (new.id,)

    def _new_key(
        self, repository: Repository, role: str, now: datetime, *, server_held: bool
    ) -> Key:
        gun = repository.name
        if server_held:
            return Key.parse_loose(
                self._servers.server_for(repository).server_key(gun, role, rotate=True)
            )
        private = self._ring.make(role, gun)
        return _root_certificate(private, gun, now) if role == ROOT else private.public

    # Together ---------------------------------------------------------------------------------------

    def _initialised(self, repository: Repository, now: datetime) -> Draft:
        """Begin a repository: the first root key or a new one, a new targets key, the server's own two keys."""
        gun = repository.name
        server = self._servers.server_for(repository)
        # asked first: no key is made in vain
        timestamp = Key.parse_loose(server.server_key(gun, TIMESTAMP))
        snapshot = Key.parse_loose(server.server_key(gun, SNAPSHOT))
        root = self._ring.root()
        targets = self._ring.make(TARGETS, gun)
        given = RootKeys(
            root=_root_certificate(root, gun, now),
            targets=targets.public,
            snapshot=snapshot,
            timestamp=timestamp,
        )
        return Draft.new(given, {}, now)

    def _begin(self, repository: Repository, draft: Draft, now: datetime) -> None:
        """Publish a new repository, and pin its root here."""
        files = self._send(repository, draft, now)
        self._loader.adopt(repository.name, files[ROOT])

    def _changed(
        self,
        repository: Repository,
        collection: Collection,
        change: "Callable[[Draft, Collection], None]",
        now: datetime,
    ) -> Published:
        """Change what is there, again if another publisher was faster."""
        versions = dict(collection.memory.versions)
        tries = _TRIES
        while True:
            tries -= 1
            draft = Draft.of(collection.trusted, versions)
            change(draft, collection)
            roles = draft.changed
            try:
                sent = self._send(repository, draft, now)
                return Published(roles=roles, sent=bool(sent))
            except RefusedError as error:
                if error.code != Code.VERSION_CONFLICT or not tries:
                    raise
            collection = self.load(repository, now)
            versions = dict(collection.memory.versions)
            for role in roles:
                if role not in collection.trusted.targets and role != ROOT:
                    last = self._last_version(repository, role)
                    versions[role] = max(versions.get(role, 0), last)

    def _last_version(self, repository: Repository, role: str) -> int:
        """Ask for the last version of a role that no snapshot names: an earlier holder's, before it was given again.

        What it says is not looked at, only which number comes next; docker begins at 1 and is refused for ever.
        """
        server = self._servers.server_for(repository)
        version = 0
        while version < _MOST_VERSIONS:
            try:
                server.fetch(repository.name, f"{version + 1}.{role}", limits.METADATA_BYTES)
            except NotFoundError:
                break
            version += 1
        return version

    def _send(self, repository: Repository, draft: Draft, now: datetime) -> dict[str, bytes]:
        """Sign and publish what changed; where nothing did nothing is sent."""
        files = draft.sign(self._ring, now)
        if files:
            server: TrustPublisher = self._servers.server_for(repository)
            server.publish(repository.name, files)
        return files


class DctSigner:
    """Signs what a statement names; fulfils Signer of schemes/interface."""

    def __init__(self, publisher: DctPublisher) -> None:
        self._publisher = publisher

    def sign(self, statement: Statement, now: datetime) -> Receipt:
        """Sign a subject's tag.

        Raises:
            InputError: it has no tag, or its size is not known. Else as ``DctPublisher.sign``.
        """
        subject = statement.subject
        if subject.tag is None or subject.size is None:
            raise InputError("content trust signs a tag, of a manifest whose size is known")
        done = self._publisher.sign(
            subject.repository, subject.tag, subject.digest, subject.size, now
        )
        return Receipt(
            scheme="dct", location=subject.repository.name, signatories=done.roles or RELEASED[1:]
        )


def _root_certificate(private: PrivateKey, gun: str, now: datetime) -> Key:
    from countermark.proofs import root_certificate  # noqa: PLC0415 - only new roots

    return root_certificate.issue(private, gun, now).key
