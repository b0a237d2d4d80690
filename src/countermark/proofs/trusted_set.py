"""The Notary v1 update rules as a state machine that asks for bytes.

``wanted()`` names the next file, ``receive`` and ``failed`` say what became of it; no I/O happens here. The rules and
their order are notary's (specs: notary v1, 2.3 to 2.7), except where those let an attacker through:

- versions are remembered per role whether or not the old file still loads, so that none is ever rolled back;
- a delegation that the snapshot had may not vanish from it while somebody delegates to it;
- an invalid delegation is kept with its error, for whoever would otherwise fall back to ``targets``;
- an expired certificate of the cached root does not end everything: newer roots are fetched and judged by its keys.

A file whose sha256 is remembered as verified under the same root, and whose parent is remembered too, is not verified
again: the memory lies in the user's own trust folder beside the root that everything rests on, so that whoever could
write a false entry there could as well replace the root. Expiry, versions and hashes are checked each time.
"""

from countermark.core import limits
from countermark.core.errors import (
    ChainError,
    Code,
    CountermarkError,
    EvidenceError,
    ExpiredError,
    NotFoundError,
    RollbackError,
    SignatureError,
    ThresholdError,
    UnavailableError,
)
from countermark.core.light import datetime, sha256
from countermark.core.value import Value
from countermark.formats.tuf import (
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    FileMeta,
    Key,
    Role,
    Signed,
    SignedRoot,
    SignedSnapshot,
    SignedTargets,
    SignedTimestamp,
    parse_root,
    parse_snapshot,
    parse_targets,
    parse_timestamp,
)
from countermark.proofs.keys import check_signatures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

_NO_ROTATION = (
    "could not rotate trust to a new trusted root: "
    "failed to validate data with current trusted certificates"
)
_NO_INTEGRITY = (
    "could not validate the path to a trusted root: failed to validate integrity of roots"
)
USING_CACHE = (
    "Error while downloading remote metadata, using cached timestamp - this might not be the latest"
    " version available remotely"
)
_WARN_MONTHS = 6


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
        judged: sha256 of files whose signatures were verified before, by role.
    """

    cached: "Callable[[str], bytes | None]"
    versions: "Mapping[str, int]" = {}  # noqa: RUF012 - frozen, and never written to
    present: tuple[str, ...] = ()
    judged: "Mapping[str, str]" = {}  # noqa: RUF012 - as above


class TrustedSet:
    """A repository's files as far as they are believed; complete once ``wanted()`` is None.

    Attributes:
        root, timestamp, snapshot: the files believed.
        targets: ``targets`` and each valid delegation, in the order of the tree.
        invalid: delegations that do not count, with the reason; a file comes with it where one was received.
        stale: the server could not be reached, and the cached timestamp is used.
        warnings: what people should know, in notary's words.
        modified: when the server says that a role's file was last changed.
        offline: why the server could not be reached, where stale.
    """

    root: SignedRoot
    timestamp: SignedTimestamp
    snapshot: SignedSnapshot

    def __init__(
        self,
        gun: str,
        known: Known,
        accept_root: "Callable[[SignedRoot], None]",
        now: datetime,
    ) -> None:
        """Begin; ``accept_root`` refuses (EvidenceError, ``pin``) a root that is not the pinned one."""
        self.gun = gun
        self.targets: dict[str, SignedTargets] = {}
        self.invalid: dict[str, tuple[SignedTargets | None, EvidenceError]] = {}
        self.stale = False
        self.offline: CountermarkError | None = None
        self.warnings: list[str] = []
        self.modified: dict[str, datetime] = {}
        self.received: dict[str, bytes] = {}
        self._known, self._accept_root, self._now = known, accept_root, now
        self._verified: set[str] = set()  # roles that need no further look at their signatures
        self._steps = self._update()
        self._wanted: Wanted | None = None
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
            The error, where nothing can take the file's place.
        """
        self._go(lambda: self._steps.throw(error))

    def _go(self, step: "Callable[[], Wanted]") -> None:
        self._wanted = None
        try:
            self._wanted = step()
        except StopIteration:
            return

    # The rules, in order ----------------------------------------------------------------------------

    def _update(self) -> "Generator[Wanted, Received, None]":
        """Root, timestamp, snapshot, targets; once more with the newest root if anything fails."""
        fresh = yield from self._first_root()
        try:
            yield from self._files()
            return
        except EvidenceError as error:
            if fresh or self.stale:
                raise
            first = error
        if not (yield from self._newer_root()):
            raise first
        self._verified.clear()
        yield from self._files()

    def _files(self) -> "Generator[Wanted, Received, None]":
        self.targets.clear()
        self.invalid.clear()
        yield from self._timestamp()
        yield from self._snapshot()
        yield from self._tree()
        self._warn_of_expiry()

    # Root -------------------------------------------------------------------------------------------

    def _first_root(self) -> "Generator[Wanted, Received, bool]":
        """Load the cached root, the pin; without one believe the server's. Say whether it is the server's newest."""
        cached = self._known.cached(ROOT)
        if cached is None:
            got = yield Wanted(name=ROOT, max_bytes=limits.METADATA_BYTES)
            self._judge_root(got.content, None, final=True)
            self._note(ROOT, got)
            return True
        self.root = parse_root(cached)
        if self._known.judged.get(ROOT) == _hex(cached):
            self._verified.add(ROOT)
        else:
            self._check_self(self.root, None)
        self._accept_root(self.root)
        if self.root.body.expires_at < self._now or not self._has_valid_leaf():
            if not (yield from self._newer_root()):
                self._check_not_expired(self.root)
                self._check_self(self.root, self._now)
            return True
        return False

    def _has_valid_leaf(self) -> bool:
        if ROOT in self._verified:
            return True  # judged with its certificate; dates of that are looked at when it changes
        try:
            self._check_self(self.root, self._now)
        except EvidenceError:
            return False
        return True

    def _newer_root(self) -> "Generator[Wanted, Received, bool]":
        """Fetch the newest root and judge it by the one we have; False where it is the same."""
        got = yield Wanted(name=ROOT, max_bytes=limits.METADATA_BYTES)
        if got.content == self.root.content:
            return False
        newest = parse_root(got.content)
        try:
            self._judge_root(got.content, self.root, final=True)
        except SignatureError as error:
            if error.code != Code.ROOT_ROTATION:
                raise
            yield from self._rotations(newest.body.version)
            self._judge_root(got.content, self.root, final=True)
        self._note(ROOT, got)
        self._verified.discard(ROOT)
        return True

    def _rotations(self, newest: int) -> "Generator[Wanted, Received, None]":
        """Walk the roots between ours and the newest, each signed by the one before."""
        first = self.root.body.version + 1
        if newest - first > limits.ROOT_ROTATIONS:
            raise EvidenceError(f"{newest - first} root rotations at once", code=Code.TOO_LARGE)
        if newest <= first:
            raise SignatureError(_NO_ROTATION, code=Code.ROOT_ROTATION)
        for version in range(first, newest):
            got = yield Wanted(name=f"{version}.root", max_bytes=limits.METADATA_BYTES)
            self._judge_root(got.content, self.root, final=False)

    def _judge_root(self, content: bytes, before: SignedRoot | None, *, final: bool) -> None:
        """Notary's ValidateRoot: leaves, the old root's signatures, the pin, its own signatures, version, time."""
        from countermark.proofs import certificates  # noqa: PLC0415 - only where a root is new

        new = parse_root(content)
        leaves = certificates.valid_leaves(new.body, self.gun, self._now if final else None)
        if before is not None:
            old = certificates.valid_leaves(before.body, self.gun, None)
            _check_by(new, before, tuple(old), _NO_ROTATION, Code.ROOT_ROTATION)
        elif final:
            self._accept_root(new)  # a rotated one is vouched for by the one before
        _check_by(new, new, tuple(leaves), _NO_INTEGRITY, Code.BAD_CHAIN)
        least = self._known.versions.get(ROOT, 0) if final else 0
        _check_version(new, max(least, before.body.version if before else 0))
        if final:
            self._check_not_expired(new)
        self.root = new

    def _check_self(self, root: SignedRoot, now: datetime | None) -> None:
        from countermark.proofs import certificates  # noqa: PLC0415 - only where a root is judged anew

        leaves = certificates.valid_leaves(root.body, self.gun, now)
        _check_by(root, root, tuple(leaves), _NO_INTEGRITY, Code.BAD_CHAIN)

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
        expected = self.timestamp.body.meta[SNAPSHOT]
        got = yield from self._file(SNAPSHOT, expected)
        found = parse_snapshot(got.content)
        self._check_base(found)
        self._check_not_expired(found)
        found.body.meta[ROOT].check(self.root.content, ROOT)
        self.snapshot = found
        self._note(SNAPSHOT, got)

    # The tree of targets ----------------------------------------------------------------------------

    def _tree(self) -> "Generator[Wanted, Received, None]":
        got = yield from self._file(TARGETS, self.snapshot.body.meta[TARGETS])
        found = parse_targets(got.content)
        self._check_base(found)
        self._check_not_expired(found)
        self._note(TARGETS, got)
        self.targets[TARGETS] = found
        queue = _children(found, ("",))
        count = 0
        while queue:
            role, above, paths = queue.pop(0)
            count += 1
            if count > limits.DELEGATIONS:
                raise EvidenceError(
                    f"more than {limits.DELEGATIONS} delegations", code=Code.TOO_LARGE
                )
            child = yield from self._delegation(role, above)
            if child is not None:
                queue[:0] = _children(child, paths)

    def _delegation(
        self, role: Role, above: SignedTargets
    ) -> "Generator[Wanted, Received, SignedTargets | None]":
        expected = self.snapshot.body.meta.get(role.name)
        if expected is None:
            if role.name in self._known.present:
                self.invalid[role.name] = (
                    None,
                    EvidenceError(
                        f"{role.name} was there before and is withheld now", code=Code.FREEZE
                    ),
                )
            return None
        got = yield from self._file(role.name, expected)
        found = parse_targets(got.content, role.name)
        _check_version(found, self._known.versions.get(role.name, 0))
        self._note(role.name, got)
        try:
            self._check_delegation(found, role, above)
        except (ThresholdError, ExpiredError, SignatureError, ChainError) as error:
            self.warnings.append(f"Error getting {role.name}: {error}")
            self.invalid[role.name] = (found, error)
            return None
        self.targets[role.name] = found
        return found

    def _check_delegation(self, found: SignedTargets, role: Role, above: SignedTargets) -> None:
        keys: Mapping[str, Key] = above.body.delegation_keys
        if above.role in self._verified and self._is_judged(found):
            self._verified.add(found.role)
        else:
            from countermark.proofs import certificates  # noqa: PLC0415 - not on a warm start

            for key_id in role.key_ids:
                certificates.check_delegation_key(keys[key_id])
            check_signatures(found, role, keys)
        self._check_not_expired(found)

    # Steps that they share --------------------------------------------------------------------------

    def _file(self, role: str, expected: FileMeta) -> "Generator[Wanted, Received, Received]":
        """Take the cached file where it is the one described, else ask for it by its hash."""
        cached = self._known.cached(role)
        if cached is not None:
            try:
                expected.check(cached, role)
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
        # docker takes a length that is announced too large; the hash says which bytes are meant
        expected.replace(length=len(got.content)).check(got.content, role)
        return got

    def _check_base(self, found: Signed) -> None:
        """A base role's signatures, by the root; then its version."""
        if ROOT in self._verified and self._is_judged(found):
            self._verified.add(found.role)
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
        from countermark.proofs.certificates import near_expiry  # noqa: PLC0415 - see below

        for found in (self.root, *self.targets.values(), self.snapshot):
            if near_expiry(found.body.expires_at, self._now):
                what = "re-sign the role metadata"
                text = f"{found.role} is" if found.role == ROOT else f"{found.role} metadata is"
                self.warnings.append(f"{text} nearing expiry, you should {what}")

    # What came of it --------------------------------------------------------------------------------

    def versions(self) -> dict[str, int]:
        """The highest version known of each role."""
        found = dict(self._known.versions)
        files: list[Signed] = [self.root, self.timestamp, self.snapshot, *self.targets.values()]
        files += [file for file, _ in self.invalid.values() if file is not None]
        for file in files:
            found[file.role] = max(found.get(file.role, 0), file.body.version)
        return found

    def present(self) -> tuple[str, ...]:
        """Delegations that the snapshot lists and that somebody delegates to."""
        delegated = {r.name for file in self.targets.values() for r in file.body.delegations}
        kept = [name for name, (_, e) in self.invalid.items() if e.code == Code.FREEZE]
        return tuple(sorted((delegated & set(self.snapshot.body.meta)) | set(kept)))

    def judged(self) -> dict[str, str]:
        """The sha256 of every file that has been verified, by role."""
        files: tuple[Signed, ...] = (
            self.root,
            self.timestamp,
            self.snapshot,
            *self.targets.values(),
        )
        return {file.role: _hex(file.content) for file in files}


def effective_paths(role: Role, above: tuple[str, ...]) -> tuple[str, ...]:
    """A delegation's paths, as far as they lie under its parent's (prefixes; "" is everything)."""
    return tuple(p for p in role.paths if any(p.startswith(prefix) for prefix in above))


def _children(
    file: SignedTargets, paths: tuple[str, ...]
) -> list[tuple[Role, SignedTargets, tuple[str, ...]]]:
    return [(role, file, effective_paths(role, paths)) for role in file.body.delegations]


def _check_by(
    file: SignedRoot, by: SignedRoot, key_ids: tuple[str, ...], text: str, code: Code
) -> None:
    """Demand that a root is signed by the given keys of (another) root, as many as that demands."""
    role = by.body.roles[ROOT].replace(key_ids=key_ids)
    try:
        check_signatures(file, role, by.body.keys)
    except (ThresholdError, SignatureError) as error:
        if code == Code.ROOT_ROTATION:
            raise SignatureError(text, code=code) from error
        raise ChainError(text, code=code) from error


def _check_version(found: Signed, least: int) -> None:
    if found.body.version < least:
        raise RollbackError(
            f"version {found.body.version} is lower than current version {least}", path=found.role
        )


def _hex(content: bytes) -> str:
    return sha256(content).hexdigest()
