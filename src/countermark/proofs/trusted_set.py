"""The Notary v1 update rules as a state machine that asks for bytes.

``wanted()`` names the next file, ``receive`` and ``failed`` say what became of it; no I/O happens here. The rules and
their order are notary's (specs: notary v1, 2.3 to 2.7), except where those let an attacker through:

- versions are remembered per role whether or not the old file still loads, so that none is ever rolled back;
- a delegation that the snapshot had may not vanish from it while somebody delegates to it;
- an invalid delegation is kept with its error, for whoever would otherwise fall back to ``targets``;
- a believed root that this machine lost is asked for again by its version, and known by its hash;
- an expired certificate of the cached root does not end everything: newer roots are fetched and judged by its keys.

A file whose sha256 is remembered as verified under the same root, and whose parent is remembered too, is not verified
again. That is sound where the memory lies beside the cached root, and the cached root is all that everything rests
on: whoever could write a false entry there could as well replace the root. It is not sound where the policy names the
root, which whoever writes in the trust folder cannot change: then no memory is given in (``Known.judged`` is empty),
and every signature is verified. Hashes, versions and dates are looked at each time.
"""

from countermark.core import limits
from countermark.core.errors import (
    ChainError,
    Code,
    CountermarkError,
    EvidenceError,
    ExpiredError,
    MalformedError,
    NotFoundError,
    RollbackError,
    SignatureError,
    ThresholdError,
    UnavailableError,
)
from countermark.core.light import datetime, sha256
from countermark.core.value import Value
from countermark.formats.go_text import near_expiry
from countermark.formats.tuf import (
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    FileMeta,
    Role,
    Signed,
    SignedRoot,
    SignedSnapshot,
    SignedTargets,
    SignedTimestamp,
    parent,
    parse_root,
    parse_snapshot,
    parse_targets,
    parse_timestamp,
)
from countermark.proofs.keys import check_signatures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from countermark.proofs.trusted_root import Accept, Standing

USING_CACHE = (
    "Error while downloading remote metadata, using cached timestamp - this might not be the latest"
    " version available remotely"
)
_FORGET = "countermark trust forget REPOSITORY removes what is remembered of it, pins included"


class Wanted(Value):
    """A file that is needed next: its name without ``.json``, and the most bytes that may come."""

    name: str
    max_bytes: int


class Received(Value):
    """A file that came, and when its server says that it was last changed."""

    content: bytes
    modified: datetime | None = None


class Known(Value):
    """What is known of a repository beforehand.

    Attributes:
        cached: returns the bytes of a role's cached file, None where there is none.
        versions: the highest version seen of each role.
        present: delegations that may not vanish from the snapshot.
        root_sha256: of the root that was believed last, in hex; "" for none.
        judged: sha256 (hex) of files that need no further look at their signatures, by role.
        root_until: until then the certificates of the judged root all count.
    """

    cached: "Callable[[str], bytes | None]"
    versions: "Mapping[str, int]" = {}  # noqa: RUF012 - frozen, and never written to
    present: tuple[str, ...] = ()
    root_sha256: str = ""
    judged: "Mapping[str, str]" = {}  # noqa: RUF012 - as above
    root_until: datetime | None = None


class TrustedSet:
    """A repository's files as far as they are believed; complete once ``wanted()`` is None.

    Attributes:
        root, timestamp, snapshot: the files believed.
        targets: ``targets`` and each valid delegation, in the order of the tree.
        invalid: delegations that do not count, with the reason; a file comes with it where one was received.
        paths: under which prefixes each role of the tree may name something.
        stale: the server could not be reached, and the cached timestamp is used.
        offline: why the server could not be reached, where stale.
        warnings: what people should know, in notary's words.
        modified: when the server says that a role's file was last changed; only of files that came from it.
        received: the bytes of each file that was looked at, by role, for the cache.
        root_until: until then the root's certificates all count.
    """

    root: SignedRoot
    timestamp: SignedTimestamp
    snapshot: SignedSnapshot

    def __init__(self, gun: str, known: Known, accept_root: "Accept", now: datetime) -> None:
        """Begin; ``accept_root`` says which of a root's keys pins allow.

        Raises:
            EvidenceError: what is cached is already not to be believed.
        """
        self.gun = gun
        self.targets: dict[str, SignedTargets] = {}
        self.invalid: dict[str, tuple[SignedTargets | None, EvidenceError]] = {}
        self.paths: dict[str, tuple[str, ...]] = {}
        self.stale = False
        self.offline: CountermarkError | None = None
        self.warnings: list[str] = []
        self.modified: dict[str, datetime] = {}
        self.received: dict[str, bytes] = {}
        self.root_until: datetime | None = known.root_until
        self._known, self._accept_root, self._now = known, accept_root, now
        self._unchanged: set[str] = set()  # roles whose file, and whose judges, are the remembered
        self._steps = self._update()
        self._wanted: Wanted | None = None
        self._asked = ""
        self._go(lambda: next(self._steps))

    # Asking and answering ---------------------------------------------------------------------------

    def wanted(self) -> Wanted | None:
        """The file that is needed next, None when all is there."""
        return self._wanted

    def receive(self, content: bytes, modified: datetime | None = None) -> None:
        """Hand over the file that was wanted.

        Raises:
            EvidenceError: it, or what it leads to, is not to be believed; nothing more will be wanted.
        """
        self._go(lambda: self._steps.send(Received(content=content, modified=modified)))

    def failed(self, error: CountermarkError) -> None:
        """Say that the file that was wanted could not be had.

        Raises:
            CountermarkError: this one, or what it led to, where nothing can take the file's place.
        """
        self._go(lambda: self._steps.throw(error))

    def _go(self, step: "Callable[[], Wanted]") -> None:
        self._asked = self._wanted.name if self._wanted else ""
        self._wanted = None
        try:
            self._wanted = step()
        except StopIteration:
            return

    # The rules, in order (2.3, 2.4) -----------------------------------------------------------------

    def _update(self) -> "Generator[Wanted, Received, None]":
        """Root, timestamp, snapshot, targets; exactly once more with the newest root if anything fails."""
        yield from self._first_root()
        warnings = list(self.warnings)
        try:
            yield from self._files()
            return
        except (EvidenceError, NotFoundError) as error:
            # without a timestamp there is nothing that another root could put right
            if self.stale or (isinstance(error, NotFoundError) and self._asked == TIMESTAMP):
                raise
        self.warnings = warnings
        yield from self._newer_root()
        yield from self._files()

    def _files(self) -> "Generator[Wanted, Received, None]":
        self.targets.clear()
        self.invalid.clear()
        self.paths.clear()
        yield from self._timestamp()
        yield from self._snapshot()
        yield from self._tree()
        self._warn_of_expiry()

    # Root -------------------------------------------------------------------------------------------

    def _first_root(self) -> "Generator[Wanted, Received, None]":
        """Begin with the cached root, the pin; without one believe the server's as far as pins let us."""
        root = yield from self._believed_before()
        if root is None:
            got = yield Wanted(name=ROOT, max_bytes=limits.METADATA_BYTES)
            self.root = self._judged(parse_root(got.content), None)
            self._note(ROOT, got)
            return
        self.root = root
        self.received[ROOT] = root.content
        _check_version(root, self._known.versions.get(ROOT, 0))
        problem = self._problem_of(root)
        if problem is None:
            return
        vouches = problem.code not in (Code.PIN, Code.FIRST_USE)
        try:
            changed = yield from self._newer_root(vouches=vouches)
        except EvidenceError:
            if vouches:
                raise
            changed = False
        if not changed:
            raise problem

    def _believed_before(self) -> "Generator[Wanted, Received, SignedRoot | None]":
        """Return the cached root; where it was lost, but not its hash, ask for the very same one.

        Notary takes a lost root for a first use: docker deletes before it writes, and a crash then ends all pinning.
        """
        content = self._known.cached(ROOT)
        lost = "it is missing"
        if content is not None:
            try:
                return parse_root(content)
            except MalformedError as error:
                lost = str(error)
        elif not self._known.root_sha256:
            return None
        version = self._known.versions.get(ROOT, 0)
        if self._known.root_sha256 and version:
            try:
                got = yield Wanted(name=f"{version}.root", max_bytes=limits.METADATA_BYTES)
            except NotFoundError:
                got = Received(content=b"")
            if _hex(got.content) == self._known.root_sha256:
                return parse_root(got.content)
        raise EvidenceError(
            f"the root that was believed before is lost: {lost}",
            code=Code.MALFORMED if content is not None else Code.PIN,
            path=ROOT,
            hint=_FORGET,
        )

    def _problem_of(self, root: SignedRoot) -> EvidenceError | None:
        """Say why the root believed before cannot be used as it is, None where it can.

        Raises:
            ChainError: its own certificates did not sign it, whatever their dates, so that it vouches for nothing.
        """
        try:
            allowed = self._accept_root(root, None)
        except EvidenceError as error:
            return error
        own = set(root.body.roles[ROOT].key_ids)
        if self._is_judged(root) and (allowed is None or own.issubset(allowed)):
            self._unchanged.add(ROOT)
        until = self._known.root_until
        if ROOT not in self._unchanged or until is None or until < self._now:
            from countermark.proofs import trusted_root  # noqa: PLC0415 - not on a warm start

            try:
                self._stand(trusted_root.check(root, None, self.gun, self._now, allowed))
            except EvidenceError as error:
                trusted_root.check(root, None, self.gun, None, allowed)
                return error
        try:
            self._check_not_expired(root)
        except ExpiredError as error:
            return error
        return None

    def _newer_root(self, *, vouches: bool = True) -> "Generator[Wanted, Received, bool]":
        """Fetch the newest root and judge it by the one we have; False where it is the same.

        ``vouches``: the root we have was accepted, so that one that it signs may do without a pin of its own.
        """
        got = yield Wanted(name=ROOT, max_bytes=limits.METADATA_BYTES)
        self._unchanged.clear()
        if got.content == self.root.content:
            self._note(ROOT, got)
            return False
        newest = parse_root(got.content)
        try:
            judged = self._judged(newest, self.root, vouches=vouches)
        except SignatureError as error:  # root-rotation: our root's keys did not sign it
            yield from self._rotations(newest.body.version, error)
            judged = self._judged(newest, self.root, vouches=vouches)
        self.root = judged
        self._note(ROOT, got)
        return True

    def _rotations(self, newest: int, error: SignatureError) -> "Generator[Wanted, Received, None]":
        """Walk the roots between ours and the newest, each signed by the one before, whatever their dates."""
        from countermark.proofs import trusted_root  # noqa: PLC0415 - only where a root is new

        first = self.root.body.version + 1
        if newest - first > limits.ROOT_ROTATIONS:
            raise EvidenceError(f"{newest - first} root rotations at once", code=Code.TOO_LARGE)
        if newest <= first:
            raise error
        for version in range(first, newest):
            got = yield Wanted(name=f"{version}.root", max_bytes=limits.METADATA_BYTES)
            between = parse_root(got.content)
            trusted_root.check(between, self.root, self.gun, None)
            _check_version(between, version)
            self.root = between

    def _judged(
        self, new: SignedRoot, before: SignedRoot | None, *, vouches: bool = True
    ) -> SignedRoot:
        """Return a root that is the newest, once it is believed."""
        from countermark.proofs import trusted_root  # noqa: PLC0415 - only where a root is new

        allowed = self._accept_root(new, before if vouches else None)
        standing = trusted_root.check(new, before, self.gun, self._now, allowed)
        least = before.body.version if before else 0
        _check_version(new, max(least, self._known.versions.get(ROOT, 0)))
        self._check_not_expired(new)
        self._stand(standing)
        return new

    def _stand(self, standing: "Standing") -> None:
        self.root_until = standing.until
        self.warnings += standing.warnings

    # Timestamp and snapshot -------------------------------------------------------------------------

    def _timestamp(self) -> "Generator[Wanted, Received, None]":
        try:
            got = yield Wanted(name=TIMESTAMP, max_bytes=limits.TIMESTAMP_BYTES)
        except UnavailableError as error:
            cached = self._known.cached(TIMESTAMP)
            # 404 is an answer: what was there is withheld or deleted, which no cache may paper over
            if cached is None or isinstance(error, NotFoundError):
                raise
            self.stale, self.offline = True, error
            self.warnings.append(USING_CACHE)
            got = Received(content=cached)
        found = parse_timestamp(got.content)
        self._check_base(found)
        try:
            self._check_not_expired(found)
        except ExpiredError:
            if self.offline is not None:
                raise self.offline from None  # docker tells of the network, not of the time
            raise
        self.timestamp = found
        self._note(TIMESTAMP, got)

    def _snapshot(self) -> "Generator[Wanted, Received, None]":
        got = yield from self._file(SNAPSHOT, self.timestamp.body.meta[SNAPSHOT])
        found = parse_snapshot(got.content)
        self._check_base(found)
        self._check_not_expired(found)
        _check_content(found.body.meta[ROOT], self.root.content, ROOT)
        self.snapshot = found
        self._note(SNAPSHOT, got)

    # The tree of targets (2.4 to 2.6) ---------------------------------------------------------------

    def _tree(self) -> "Generator[Wanted, Received, None]":
        got = yield from self._file(TARGETS, self.snapshot.body.meta[TARGETS])
        found = parse_targets(got.content)
        self._check_base(found)
        self._check_not_expired(found)
        self._note(TARGETS, got)
        self.targets[TARGETS], self.paths[TARGETS] = found, ("",)
        queue = self._children(found)
        count = 0
        while queue:
            role = queue.pop(0)
            count += 1
            if count > limits.DELEGATIONS:
                raise EvidenceError(
                    f"more than {limits.DELEGATIONS} delegations", code=Code.TOO_LARGE
                )
            child = yield from self._delegation(role)
            if child is not None:
                queue[:0] = self._children(child)

    def _children(self, file: SignedTargets) -> list[Role]:
        for role in file.body.delegations:
            if role.name in self.paths:  # two entries would be two sets of keys for one file
                raise MalformedError(f"{role.name} has already been loaded", code=Code.BAD_ROLE)
            self.paths[role.name] = effective_paths(role, self.paths[file.role])
        return list(file.body.delegations)

    def _delegation(self, role: Role) -> "Generator[Wanted, Received, SignedTargets | None]":
        expected = self.snapshot.body.meta.get(role.name)
        if expected is None:
            if role.name in self._known.present:
                text = f"{role.name} was there before and is withheld now"
                self._set_aside(role.name, None, EvidenceError(text, code=Code.FREEZE))
            return None
        got = yield from self._file(role.name, expected)
        found = parse_targets(got.content, role.name)
        self._note(role.name, got)
        try:
            self._check_delegation(found, role)
        except (ThresholdError, ExpiredError, SignatureError, ChainError) as error:
            self._set_aside(role.name, found, error)
            return None
        self.targets[role.name] = found
        return found

    def _set_aside(self, name: str, found: SignedTargets | None, error: EvidenceError) -> None:
        self.warnings.append(f"Error getting {name}: {error}")
        self.invalid[name] = (found, error)

    def _check_delegation(self, found: SignedTargets, role: Role) -> None:
        """Signatures first: what nobody signed says nothing about versions, and a stranger's is merely invalid."""
        above = self.targets[parent(role.name)]
        if above.role in self._unchanged and self._is_judged(found):
            self._unchanged.add(found.role)
        else:
            from countermark.proofs import certificates  # noqa: PLC0415 - not on a warm start

            keys = above.body.delegation_keys
            for key_id in role.key_ids:
                try:
                    certificates.check_delegation_key(keys[key_id])
                except MalformedError as error:  # the role's trouble, not the repository's
                    raise ChainError(f"certificate of {role.name}: {error}") from None
            check_signatures(found, role, keys)
        _check_version(found, self._known.versions.get(role.name, 0))
        self._check_not_expired(found)

    # Steps that they share --------------------------------------------------------------------------

    def _file(self, role: str, expected: FileMeta) -> "Generator[Wanted, Received, Received]":
        """Take the cached file where it is the one described, else ask for it by its hash."""
        cached = self._known.cached(role)
        if cached is not None:
            try:
                _check_content(expected, cached, role)
                return Received(content=cached)
            except EvidenceError:
                pass  # another version: the server has the right one
        if "sha256" not in expected.hashes:
            raise EvidenceError(
                f"no checksums for supported algorithms were provided for {role}",
                code=Code.CHECKSUM,
            )
        size = expected.length
        if size > limits.METADATA_BYTES:
            raise EvidenceError(
                f"{role} of {size} bytes, at most {limits.METADATA_BYTES} are allowed",
                code=Code.TOO_LARGE,
            )
        got = yield Wanted(name=f"{role}.{expected.hashes['sha256'].hex()}", max_bytes=size)
        _check_content(expected, got.content, role)
        return got

    def _check_base(self, found: Signed) -> None:
        """A base role's signatures, by the root; then its version."""
        if ROOT in self._unchanged and self._is_judged(found):
            self._unchanged.add(found.role)
        else:
            role = self.root.body.roles[found.role]
            check_signatures(found, role, self.root.body.keys)
        _check_version(found, self._known.versions.get(found.role, 0))

    def _is_judged(self, found: Signed) -> bool:
        return self._known.judged.get(found.role) == _hex(found.content)

    def _check_not_expired(self, found: Signed) -> None:
        end = found.body.expires_at
        if end < self._now:
            shown = f"{end:%a %b} {end.day} {end:%H:%M:%S} UTC {end.year}"
            raise ExpiredError(f"{found.role} expired at {shown}", path=found.role)

    def _note(self, role: str, got: Received) -> None:
        self.received[role] = got.content
        if got.modified is not None:
            self.modified[role] = got.modified

    def _warn_of_expiry(self) -> None:
        for found in (self.root, *self.targets.values(), self.snapshot):
            if near_expiry(found.body.expires_at, self._now):
                text = f"{found.role} is" if found.role == ROOT else f"{found.role} metadata is"
                self.warnings.append(f"{text} nearing expiry, you should re-sign the role metadata")

    # What came of it --------------------------------------------------------------------------------

    def files(self) -> tuple[Signed, ...]:
        """Every file believed."""
        return (self.root, *self.targets.values(), self.snapshot, self.timestamp)

    def versions(self) -> dict[str, int]:
        """The highest version known of each role; a file that its role did not sign says nothing about it."""
        found = dict(self._known.versions)
        expired = [f for f, e in self.invalid.values() if f is not None and e.code == Code.EXPIRED]
        for file in (*self.files(), *expired):
            found[file.role] = max(found.get(file.role, 0), file.body.version)
        return found

    def present(self) -> tuple[str, ...]:
        """Delegations that may not vanish: those that the snapshot lists, that vanished, or are out of sight.

        Forgotten is only what its parent, whose file we have, does not delegate to any more.
        """
        listed = {name for name in self.paths if name in self.snapshot.body.meta}
        unseen = {
            name
            for name in self._known.present
            if name in self.paths or parent(name) not in self.targets
        }
        return tuple(sorted((listed | unseen) - {TARGETS}))

    def judged(self) -> dict[str, str]:
        """The sha256 of every file that has been verified, by role."""
        return {file.role: _hex(file.content) for file in self.files()}


def effective_paths(role: Role, above: tuple[str, ...]) -> tuple[str, ...]:
    """A delegation's paths, as far as they lie under its parent's (prefixes; "" is everything)."""
    return tuple(p for p in role.paths if any(p.startswith(prefix) for prefix in above))


def _check_content(expected: FileMeta, content: bytes, name: str) -> None:
    """Compare hashes; docker takes a length that is announced too large, and the hash says which bytes are meant."""
    expected.replace(length=len(content)).check(content, name)


def _check_version(found: Signed, least: int) -> None:
    if found.body.version < least:
        raise RollbackError(
            f"version {found.body.version} is lower than current version {least}", path=found.role
        )


def _hex(content: bytes) -> str:
    return sha256(content).hexdigest()
