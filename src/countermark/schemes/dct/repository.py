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
from countermark.core.light import Callable, Iterator, Sequence, datetime
from countermark.core.ports import TrustCache, TrustServer
from countermark.core.signer import DctSigner
from countermark.core.value import Value
from countermark.formats.tuf import (
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    FileMeta,
    Key,
    Role,
    parent,
)
from countermark.proofs import keys
from countermark.proofs.trusted_set import Known, TrustedSet
from countermark.schemes.dct.memory import NAME, Memory
from countermark.schemes.dct.pinning import Acceptance, is_pinned, root_key_ids

RELEASES = "targets/releases"
RELEASED = (RELEASES, TARGETS)  # in docker's order
_SHA256_BYTES = 32


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
            EvidenceError: ``unsigned``: nobody signed it, or only a role that docker does not take; ``malformed``: it
                has no sha256; the error of ``targets/releases`` where that role is invalid, since falling back would
                be a downgrade.
        """
        self._check_releases()
        for role in RELEASED:
            found = self._first(role, tag)
            if found is not None:
                name, meta = found
                if name not in RELEASED:
                    raise EvidenceError(f"No trust data for {tag}", code=Code.UNSIGNED)
                digest = _digest(meta)
                if digest is None:
                    raise EvidenceError("no valid hash, expecting sha256", path=f"{name}: {tag}")
                return self._signed(tag, name, meta, digest)
        raise EvidenceError(f"No valid trust data for {tag}", code=Code.UNSIGNED)

    def released_tags(self) -> list[SignedTag]:
        """List every tag that ``released`` would find; those without a sha256 are passed over, as by docker.

        Raises:
            EvidenceError: as ``released``, about ``targets/releases``.
        """
        self._check_releases()
        found: dict[str, SignedTag | None] = {}
        for role in RELEASED:
            for tag, meta in self._named(role):
                if tag not in found:  # one without a sha256 hides an older entry all the same
                    digest = _digest(meta)
                    found[tag] = self._signed(tag, role, meta, digest) if digest else None
        return [row for row in found.values() if row is not None]

    def rows(self) -> list[SignedTag]:
        """List what ``trust inspect`` shows: each tag and digest of a released role, also where the two differ."""
        self._check_releases()
        found: dict[tuple[str, Digest], SignedTag] = {}
        for role in (TARGETS, RELEASES):
            for tag, meta in self._named(role):
                digest = _digest(meta)
                if digest is not None:
                    found[tag, digest] = self._signed(tag, role, meta, digest)
        return list(found.values())

    def named(self, role: str, tag: str) -> SignedTag | None:
        """Return what one role says about a tag, None where it says nothing that counts."""
        meta = self._meta(role, tag)
        digest = _digest(meta) if meta else None
        return self._signed(tag, role, meta, digest) if meta and digest else None

    def _named(self, role: str) -> Iterator[tuple[str, FileMeta]]:
        """Every tag that a role names and may name."""
        file = self.trusted.targets.get(role)
        for tag, meta in file.body.targets.items() if file else ():
            if self._may_name(role, tag):
                yield tag, meta

    def _meta(self, role: str, tag: str) -> FileMeta | None:
        file = self.trusted.targets.get(role)
        return file.body.targets.get(tag) if file and self._may_name(role, tag) else None

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
            meta = self._meta(name, tag)
            if meta is not None:
                return name, meta
            queue += [role.name for role in file.body.delegations]
        return None

    def _signed(self, tag: str, role: str, meta: FileMeta, digest: Digest) -> SignedTag:
        signers = tuple(
            name.removeprefix("targets/")
            for name in self.trusted.targets
            if name not in RELEASED and self._names(name, tag, digest)
        )
        return SignedTag(tag=tag, digest=digest, length=meta.length, role=role, signers=signers)

    def _names(self, role: str, tag: str, digest: Digest) -> bool:
        meta = self._meta(role, tag)
        return meta is not None and meta.hashes.get("sha256") == digest.raw

    def _may_name(self, role: str, tag: str) -> bool:
        """Say whether a role's paths, and those of all above it, allow a name."""
        return any(tag.startswith(path) for path in self.trusted.paths.get(role, ()))

    def tags_of(self, role: str, digest: Digest) -> list[str]:
        """List the tags under which a role names a digest."""
        return [tag for tag, _ in self._named(role) if self._names(role, tag, digest)]

    def digest_in(self, role: str, tag: str) -> Digest | None:
        """Return the digest that a role gives a tag, None for none."""
        meta = self._meta(role, tag)
        return _digest(meta) if meta else None

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
        above = self.trusted.targets[parent(role.name)].body.delegation_keys
        return tuple(canonical_id(above[key_id]) for key_id in role.key_ids)

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
        """What makes a role's holder the same one elsewhere: fingerprints of its keys that can sign."""
        body = self.trusted.root.body
        if role == TARGETS:
            own = [body.keys[key_id] for key_id in body.roles[TARGETS].key_ids]
        else:
            found = self.delegation(role)
            above = self.trusted.targets[parent(role)].body.delegation_keys
            own = [above[key_id] for key_id in found.key_ids] if found else []
        return tuple(text for text in map(_fingerprint, own) if text)

    def key_ids(self, role: str) -> tuple[str, ...]:
        """A role's key IDs as ``trust inspect`` shows them."""
        if role == TARGETS:
            return self.repository_keys
        found = self.delegation(role)
        return self.canonical_ids(found) if found else ()

    def expiries(self) -> dict[str, datetime]:
        """When each role's file ends."""
        return {file.role: file.body.expires_at for file in self.trusted.files()}

    def signed_at(self, role: str) -> datetime | None:
        """When a role's file was last changed, as the server said; None where it never said."""
        return self.memory.modified.get(role)

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
        cached: dict[str, bytes | None] = {}

        def read(role: str) -> bytes | None:
            if role not in cached:
                cached[role] = self._cache.read(gun, role)
            return cached[role]

        # see proofs/trusted_set: where the policy names the root, the trust folder is not relied on
        named = any(not signer.first_use for signer in signers)
        known = Known(
            cached=read,
            versions=memory.versions,
            present=memory.present,
            root_sha256=memory.judged.get(ROOT, ""),
            judged={} if named else memory.judged,
            root_until=None if named else memory.root_until,
        )
        acceptance = Acceptance(memory.pins, signers, now, require_pin=require_pin)
        trusted = TrustedSet(gun, known, acceptance, now)
        self._run(trusted, gun, server, is_new=read(ROOT) is None)
        for text in dict.fromkeys(trusted.warnings):
            self._warn(text)
        after = memory.learnt(trusted)
        files = {role: c for role, c in trusted.received.items() if read(role) != c}
        if files or after != memory:
            self._keep(gun, files, memory, after)
        return Collection(gun, trusted, after, server.address)

    def _run(self, trusted: TrustedSet, gun: str, server: TrustServer, *, is_new: bool) -> None:
        while wanted := trusted.wanted():
            try:
                fetched = server.fetch(gun, wanted.name, wanted.max_bytes)
            except NotFoundError as error:
                if wanted.name == ROOT and is_new:
                    raise EvidenceError(
                        f"{server.address} does not have trust data for {gun}", code=Code.UNSIGNED
                    ) from error
                trusted.failed(error)
            except (UnavailableError, RefusedError) as error:
                trusted.failed(error)
            else:
                trusted.receive(fetched.content, fetched.modified)

    def _keep(self, gun: str, files: dict[str, bytes], before: Memory, after: Memory) -> None:
        """Write what changed: files first, what we remember of them last.

        Others may have written since we read. What they know of newer versions is never taken back, nor a pin.
        """
        try:
            with self._cache.locked(gun):
                found = Memory.parse(self._cache.read(gun, NAME))
                if found != before:
                    files, after = ({}, found) if found.is_newer_than(after) else (files, after)
                    after = after.replace(
                        pins=found.pins if found.pins != before.pins else after.pins,
                        versions=found.highest(after),
                    )
                order = (ROOT, *[n for n in files if n not in (ROOT, SNAPSHOT, TIMESTAMP)])
                order = (*order, SNAPSHOT, TIMESTAMP)
                written: dict[str, bytes | None] = {n: files[n] for n in order if n in files}
                if after != found:
                    written[NAME] = after.encode()
                self._cache.write(gun, written)
        except (StorageError, UnavailableError) as error:
            self._warn(
                f"the trust folder cannot be written, so this will be fetched again: {error}"
            )

    def adopt(self, gun: str, root: bytes) -> None:
        """Believe the root of a repository that we have just made: its first use is ours, not a stranger's."""
        try:
            with self._cache.locked(gun):
                self._cache.write(gun, {ROOT: root})
        except (StorageError, UnavailableError) as error:
            self._warn(f"the trust folder cannot be written: {error}")

    def pin(self, gun: str, collection: Collection) -> None:
        """Believe the root that a repository has now, and no other that it does not vouch for."""
        with self._cache.locked(gun):
            found = Memory.parse(self._cache.read(gun, NAME))
            memory = found.replace(pins=collection.root_keys)
            self._cache.write(gun, {NAME: memory.encode()})

    def forget(self, gun: str, names: Sequence[str]) -> None:
        """Remove what is cached and remembered of a repository."""
        with self._cache.locked(gun):
            self._cache.write(gun, dict.fromkeys(names))


def _digest(meta: FileMeta) -> Digest | None:
    """The digest that a target means; None where it has no sha256, or one that is none."""
    raw = meta.hashes.get("sha256", b"")
    return Digest.from_raw(raw) if len(raw) == _SHA256_BYTES else None


def canonical_id(key: Key) -> str:
    """The ID under which a key file would hold this key."""
    try:
        return keys.canonical_id(key)
    except EvidenceError:  # a certificate that does not parse signs nothing, and must hide nobody
        return key.id


def _fingerprint(key: Key) -> str:
    try:
        return keys.fingerprint(key)
    except EvidenceError:  # as above, and types of key that we do not know
        return ""
