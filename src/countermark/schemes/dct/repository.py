"""One repository's trust data: loaded from server and cache, then asked about tags, signers and keys."""

from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    EvidenceError,
    NotFoundError,
    RefusedError,
    StorageError,
    UnavailableError,
)
from countermark.core.light import UTC, Callable, Iterator, Sequence, datetime, sha256
from countermark.core.ports import TrustCache, TrustServer
from countermark.core.signer import DctSigner
from countermark.core.value import Value
from countermark.formats.tuf import (
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    FileMeta,
    Role,
    SignedTargets,
)
from countermark.proofs import keys
from countermark.proofs.trusted_set import Known, TrustedSet, effective_paths
from countermark.schemes.dct.memory import NAME, Memory
from countermark.schemes.dct.pinning import Acceptance, is_pinned, root_key_ids

RELEASES = "targets/releases"
RELEASED = (RELEASES, TARGETS)  # in docker's order


class SignedTag(Value):
    """A released tag: the digest it means, by which role, and who else vouches for the same digest."""

    tag: str
    digest: Digest
    length: int
    role: str
    signers: tuple[str, ...] = ()


class Collection:
    """A repository as its trust data have it, believed."""

    def __init__(self, gun: str, trusted: TrustedSet, memory: Memory, server: str) -> None:
        self.gun, self.trusted, self.memory, self.server = gun, trusted, memory, server

    # Tags -------------------------------------------------------------------------------------------

    def released(self, tag: str) -> SignedTag:
        """Say which digest docker would take for a tag: ``targets/releases``, else ``targets``, and nobody else's.

        Raises:
            EvidenceError: ``unsigned``: nobody signed it, or only a role that docker does not take; the error of
                ``targets/releases`` where that role is invalid, since falling back would be a downgrade.
        """
        self._check_releases()
        for role in RELEASED:
            found = self._first(role, tag)
            if found is not None:
                name, meta = found
                if name not in RELEASED:
                    raise EvidenceError(f"No trust data for {tag}", code=Code.UNSIGNED)
                return self._signed(tag, name, meta)
        raise EvidenceError(f"No valid trust data for {tag}", code=Code.UNSIGNED)

    def released_tags(self) -> list[SignedTag]:
        """List every tag that ``released`` would find.

        Raises:
            EvidenceError: as ``released``, about ``targets/releases``.
        """
        self._check_releases()
        found: dict[str, SignedTag] = {}
        for role in RELEASED:
            file = self.trusted.targets.get(role)
            for tag, meta in (file.body.targets if file else {}).items():
                if tag not in found and "sha256" in meta.hashes and self._may_name(role, tag):
                    found[tag] = self._signed(tag, role, meta)
        return list(found.values())

    def rows(self) -> list[SignedTag]:
        """List what ``trust inspect`` shows: each tag and digest of a released role, also where the two differ."""
        self._check_releases()
        found: dict[tuple[str, Digest], SignedTag] = {}
        for role in (TARGETS, RELEASES):
            file = self.trusted.targets.get(role)
            for tag, meta in (file.body.targets if file else {}).items():
                if "sha256" in meta.hashes and self._may_name(role, tag):
                    row = self._signed(tag, role, meta)
                    found[(tag, row.digest)] = row
        return list(found.values())

    def _check_releases(self) -> None:
        problem = self.trusted.invalid.get(RELEASES)
        if problem is not None:
            raise problem[1]

    def _first(self, start: str, tag: str) -> tuple[str, FileMeta] | None:
        """Walk a role and what it delegates to, skipping the other released role, for the first that has the tag."""
        queue = [start]
        while queue:
            name = queue.pop(0)
            file = self.trusted.targets.get(name)
            if file is None or (name != start and name in RELEASED):
                continue
            meta = file.body.targets.get(tag)
            if meta is not None and "sha256" in meta.hashes and self._may_name(name, tag):
                return name, meta
            queue += [role.name for role in file.body.delegations]
        return None

    def _signed(self, tag: str, role: str, meta: FileMeta) -> SignedTag:
        digest = Digest.from_raw(meta.hashes["sha256"])
        signers = tuple(
            name.removeprefix("targets/")
            for name, file in self.trusted.targets.items()
            if name not in RELEASED and self._names(file, tag, digest)
        )
        return SignedTag(tag=tag, digest=digest, length=meta.length, role=role, signers=signers)

    def _names(self, file: SignedTargets, tag: str, digest: Digest) -> bool:
        meta = file.body.targets.get(tag)
        return (
            meta is not None
            and meta.hashes.get("sha256") == digest.raw
            and self._may_name(file.role, tag)
        )

    def _may_name(self, role: str, tag: str) -> bool:
        """Say whether a role's paths, and those of all above it, allow a name."""
        return role == TARGETS or any(tag.startswith(path) for path in self._paths(role))

    def _paths(self, name: str) -> tuple[str, ...]:
        if name == TARGETS:
            return ("",)
        role = self.delegation(name)
        return () if role is None else effective_paths(role, self._paths(name.rpartition("/")[0]))

    def tags_of(self, role: str, digest: Digest) -> list[str]:
        """List the tags under which a role names a digest."""
        file = self.trusted.targets.get(role)
        return (
            [] if file is None else [t for t in file.body.targets if self._names(file, t, digest)]
        )

    def digest_in(self, role: str, tag: str) -> Digest | None:
        """Return the digest that a role gives a tag, None for none."""
        file = self.trusted.targets.get(role)
        meta = file.body.targets.get(tag) if file and self._may_name(role, tag) else None
        if meta is None or "sha256" not in meta.hashes:
            return None
        return Digest.from_raw(meta.hashes["sha256"])

    # Signers and keys -------------------------------------------------------------------------------

    def delegations(self) -> Iterator[Role]:
        """Every delegation of the tree, parents first."""
        for file in self.trusted.targets.values():
            yield from file.body.delegations

    def delegation(self, name: str) -> Role | None:
        """The delegation of a name, None where nobody delegates to it."""
        return next((role for role in self.delegations() if role.name == name), None)

    def canonical_ids(self, role: Role) -> tuple[str, ...]:
        """A delegation's key IDs as key files have them."""
        above = self.trusted.targets[role.name.rpartition("/")[0]]
        return tuple(keys.canonical_id(above.body.delegation_keys[i]) for i in role.key_ids)

    def signers(self) -> list[tuple[str, tuple[str, ...]]]:
        """The named signers: ``targets/NAME`` except releases, with their canonical key IDs."""
        return [
            (role.name.removeprefix("targets/"), self.canonical_ids(role))
            for role in self.delegations()
            if role.name != RELEASES
        ]

    @property
    def root_keys(self) -> tuple[str, ...]:
        """The root's key IDs (of the certificates, as docker shows them)."""
        return root_key_ids(self.trusted.root)

    @property
    def repository_keys(self) -> tuple[str, ...]:
        """The key IDs of ``targets``."""
        return self.trusted.root.body.roles[TARGETS].key_ids

    def fingerprints(self, role: str) -> tuple[str, ...]:
        """What makes a role's holder the same one elsewhere: fingerprints of its public keys."""
        body = self.trusted.root.body
        if role == TARGETS:
            return tuple(keys.fingerprint(body.keys[i]) for i in body.roles[TARGETS].key_ids)
        found = self.delegation(role)
        if found is None:
            return ()
        above = self.trusted.targets[role.rpartition("/")[0]].body.delegation_keys
        return tuple(keys.fingerprint(above[i]) for i in found.key_ids)

    def expiries(self) -> dict[str, datetime]:
        """When each role's file ends."""
        trusted = self.trusted
        files = (trusted.root, *trusted.targets.values(), trusted.snapshot, trusted.timestamp)
        return {file.role: file.body.expires_at for file in files}

    def signed_at(self, role: str) -> datetime | None:
        """When a role's file was last changed, as the server said; None where it never said."""
        text = self.memory.modified.get(role, "")
        return datetime.fromisoformat(text) if text else None

    @property
    def is_pinned(self) -> bool:
        """Whether somebody pinned this root with ``trust pin``."""
        return bool(self.memory.pins)

    def meant_by(self, signer: DctSigner, now: datetime) -> bool:
        """Say whether a trusted signer's roots are this repository's root."""
        return is_pinned(self.trusted.root, signer.roots, now)


class Loader:
    """Loads repositories from their server and the cache, and keeps what was learnt."""

    def __init__(self, cache: TrustCache, warn: Callable[[str], object]) -> None:
        """``warn`` is told what people should know."""
        self._cache, self._warn = cache, warn

    def load(
        self,
        gun: str,
        server: TrustServer,
        now: datetime,
        signers: Sequence[DctSigner] = (),
        *,
        require_pin: bool = False,
    ) -> Collection:
        """Bring a repository's trust data up to date and believe them.

        Raises:
            EvidenceError: ``unsigned``: there are none; another code: they are not to be believed.
            UnavailableError, RefusedError: the server gives no answer, and the cache may not stand for it.
        """
        memory = Memory.parse(self._cache.read(gun, NAME))
        known = Known(
            cached=lambda role: self._cache.read(gun, role),
            versions=memory.versions,
            present=memory.present,
            judged=memory.judged,
        )
        acceptance = Acceptance(memory.pins, signers, now, require_pin=require_pin)
        trusted = TrustedSet(gun, known, acceptance, now)
        self._run(trusted, gun, server)
        for text in trusted.warnings:
            self._warn(text)
        return Collection(gun, trusted, self._keep(gun, trusted, memory), server.address)

    def _run(self, trusted: TrustedSet, gun: str, server: TrustServer) -> None:
        while wanted := trusted.wanted():
            try:
                fetched = server.fetch(gun, wanted.name, wanted.max_bytes)
            except NotFoundError as error:
                if wanted.name == ROOT and self._cache.read(gun, ROOT) is None:
                    raise EvidenceError(
                        f"{server.address} does not have trust data for {gun}", code=Code.UNSIGNED
                    ) from error
                trusted.failed(error)
            except (UnavailableError, RefusedError) as error:
                trusted.failed(error)
            else:
                trusted.receive(fetched.content, fetched.modified)

    def _keep(self, gun: str, trusted: TrustedSet, before: Memory) -> Memory:
        """Write what changed: files first, what we remember of them last."""
        memory = before.replace(
            versions=trusted.versions(),
            present=trusted.present(),
            judged=trusted.judged(),
            modified={**before.modified, **{r: _text(m) for r, m in trusted.modified.items()}},
            pins=root_key_ids(trusted.root) if before.pins else (),
        )
        files: dict[str, bytes | None] = {
            role: content
            for role, content in trusted.received.items()
            if before.judged.get(role) != sha256(content).hexdigest()
            or self._cache.read(gun, role) != content
        }
        if memory != before:
            files[NAME] = memory.encode()
        if files:
            order = (ROOT, *[n for n in files if n not in (ROOT, SNAPSHOT, TIMESTAMP, NAME)])
            order = (*order, SNAPSHOT, TIMESTAMP, NAME)
            self._write(gun, {name: files[name] for name in order if name in files})
        return memory

    def _write(self, gun: str, files: dict[str, bytes | None]) -> None:
        try:
            with self._cache.locked(gun):
                self._cache.write(gun, files)
        except (StorageError, UnavailableError) as error:
            self._warn(
                f"the trust folder cannot be written, so this will be fetched again: {error}"
            )

    def pin(self, gun: str, collection: Collection) -> None:
        """Believe the root that a repository has now, and no other that it does not vouch for."""
        memory = collection.memory.replace(pins=collection.root_keys)
        with self._cache.locked(gun):
            self._cache.write(gun, {NAME: memory.encode()})

    def forget(self, gun: str, names: Sequence[str]) -> None:
        """Remove what is cached and remembered of a repository."""
        with self._cache.locked(gun):
            self._cache.write(gun, dict.fromkeys(names))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()
