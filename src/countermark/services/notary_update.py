"""An update to a repository, checked against what is stored (rules 1 to 4 of ``notary_rules``)."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from countermark.core.errors import EvidenceError
from countermark.formats.tuf import (
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    FileMeta,
    Key,
    Role,
    Root,
    Signed,
    SignedRoot,
    SignedSnapshot,
    SignedTargets,
    Targets,
    parent,
    parse_root,
    parse_targets,
)
from countermark.proofs import certificates
from countermark.proofs.keys import check_signatures
from countermark.services.notary_state import NewFile, Stored
from countermark.services.notary_uploads import (
    BAD_ROOT,
    BAD_SNAPSHOT,
    BAD_TARGETS,
    VALIDATION,
    InvalidUpdateError,
    StaleUpdateError,
    Upload,
)

_NO_ROTATION = (
    "could not rotate trust to a new trusted root: "
    "failed to validate data with current trusted certificates"
)
_NO_INTEGRITY = (
    "could not validate the path to a trusted root: failed to validate integrity of roots"
)
_FIRST_VERSIONS = (1, 2)  # docker's first targets is version 2; a first root may be either


class Update:
    """One update as it is checked: what was sent, and what of the stored files it rests on.

    Attributes:
        stored: what is there.
        root_content: the root that holds after it, once ``root`` was called.
        targets: files of targets and delegations that are loaded, sent ones and stored ones that these need.
    """

    def __init__(self, stored: Stored, uploads: Sequence[Upload], now: datetime) -> None:
        self.stored = stored
        self.now = now
        self._uploads: dict[str, Upload] = {}
        for upload in uploads:
            if upload.role in self._uploads:
                raise InvalidUpdateError(VALIDATION, f"role {upload.role} comes twice")
            if upload.role != TIMESTAMP:  # the server makes its own, and ignores anybody else's
                self._uploads[upload.role] = upload
        self.root_content = b""
        self.targets: dict[str, SignedTargets] = {}  # loaded: sent, or stored and needed

    # 4.6 rules 1 and 2 ------------------------------------------------------------------------------

    def root(self) -> Root:
        """Return the root that holds after this update."""
        stored = self.stored.newest(ROOT)
        current = parse_root(stored.content) if stored else None
        upload = self._uploads.get(ROOT)
        if upload is None:
            if current is None:
                raise InvalidUpdateError(
                    VALIDATION, "no pre-existing root and no root provided in update."
                )
            self.root_content = current.content
            return current.body
        new = upload.file
        if not isinstance(new, SignedRoot):
            raise InvalidUpdateError(BAD_ROOT, upload.problem)
        version = current.body.version if current else 1
        if new.body.version not in (version, version + 1):
            raise InvalidUpdateError(
                BAD_ROOT,
                "Root modifications must increment the version. "
                f"Current {version}, new {new.body.version}",
            )
        try:
            check_root(new, current, self.stored.gun, self.now)
        except EvidenceError as error:
            raise InvalidUpdateError(BAD_ROOT, str(error)) from None
        _check_time(new, self.now, BAD_ROOT)
        _check_bytes(new, BAD_ROOT)
        self.root_content = new.content
        return new.body

    # rule 3 -----------------------------------------------------------------------------------------

    def check_targets(self, root: Root) -> None:
        """Check targets and delegations, parents first."""
        roles = [role for role in self._uploads if role not in (ROOT, SNAPSHOT)]
        for role in sorted(roles, key=lambda name: (name.count("/"), name)):
            upload = self._uploads[role]
            if not isinstance(upload.file, SignedTargets):
                raise InvalidUpdateError(BAD_TARGETS, upload.problem)
            self._check_signed(upload.file, root)
            _check_time(upload.file, self.now, BAD_TARGETS)
            _check_bytes(upload.file, BAD_TARGETS)
            self.targets[role] = upload.file

    def _check_signed(self, file: SignedTargets, root: Root) -> None:
        role, keys = (
            (root.roles[TARGETS], root.keys)
            if file.role == TARGETS
            else self._delegation(file.role, root)
        )
        try:
            check_signatures(file, role, keys)
        except EvidenceError as error:
            raise InvalidUpdateError(BAD_TARGETS, str(error)) from None

    def _delegation(self, name: str, root: Root) -> tuple[Role, Mapping[str, Key]]:
        """Find who may sign a delegation, in the file of the role that delegates to it."""
        above = self._loaded(parent(name), root)
        role = child_of(above.body, name) if above else None
        if above is None or role is None:
            raise InvalidUpdateError(
                BAD_TARGETS, f"tuf: invalid role {name}. delegation does not exist"
            )
        keys = above.body.delegation_keys
        try:
            for key_id in role.key_ids:
                certificates.check_delegation_key(keys[key_id])
        except EvidenceError as error:
            raise InvalidUpdateError(BAD_TARGETS, f"tuf: invalid role {name}. {error}") from None
        return role, keys

    def _loaded(self, name: str, root: Root) -> SignedTargets | None:
        """Return a targets file that was sent, or the stored one, whatever its dates."""
        if name not in self.targets:
            stored = self.stored.newest(name)
            if stored is None:
                return None
            file = parse_targets(stored.content, name)
            self._check_signed(file, root)
            self.targets[name] = file
        return self.targets[name]

    # rule 4 -----------------------------------------------------------------------------------------

    def snapshot_upload(self) -> SignedSnapshot | None:
        """Return the snapshot that was sent."""
        upload = self._uploads.get(SNAPSHOT)
        if upload is None:
            return None
        if not isinstance(upload.file, SignedSnapshot):
            raise InvalidUpdateError(BAD_SNAPSHOT, upload.problem)
        return upload.file

    def check_snapshot(self, root: Root) -> None:
        """Check a snapshot that was sent: its signature, and its hashes of all that we know."""
        snapshot = self.snapshot_upload()
        if snapshot is None:
            return
        unknown = FileMeta(length=0, hashes={})
        try:
            check_signatures(snapshot, root.roles[SNAPSHOT], root.keys)
            for role, content in self.contents().items():
                snapshot.body.meta.get(role, unknown).check(content, role)
        except EvidenceError as error:
            raise InvalidUpdateError(BAD_SNAPSHOT, str(error)) from None
        _check_time(snapshot, self.now, BAD_SNAPSHOT)
        _check_bytes(snapshot, BAD_SNAPSHOT)

    def check_entries(self, snapshot: SignedSnapshot) -> None:
        """Refuse a snapshot that names what is not here, or an older version than is (notary-server does not)."""
        for role, entry in snapshot.body.meta.items():
            upload = self._uploads.get(role)
            newest = self.stored.newest(role)
            content = upload.content if upload else newest.content if newest else b""
            try:
                entry.check(content, role)
            except EvidenceError:
                raise InvalidUpdateError(
                    BAD_SNAPSHOT,
                    f"the snapshot names a version of {role[:80]} that is not the newest here",
                ) from None

    # rule 7 and what notary-server leaves unchecked ----------------------------------------------------

    def check_versions(self) -> None:
        """Demand that each version is the one after the stored one; the same bytes again are nothing new."""
        for role, upload in self._uploads.items():
            stored = self.stored.newest(role)
            if upload.file is None or (stored is not None and stored.content == upload.content):
                continue
            new, current = upload.file.body.version, stored.version if stored else 0
            if stored is not None and new <= current:
                raise StaleUpdateError(f"version {new} of {role} is not newer than {current}")
            if new not in ((current + 1,) if stored else _FIRST_VERSIONS):
                raise InvalidUpdateError(
                    _KINDS.get(role, BAD_TARGETS),
                    f"{role} must increment the version by one. Current {current}, new {new}",
                )

    def new_files(self) -> Sequence[NewFile]:
        """Return what was sent and is not stored yet."""
        files: list[NewFile] = []
        for role, upload in self._uploads.items():
            stored = self.stored.newest(role)
            if upload.file is not None and (stored is None or stored.content != upload.content):
                version = upload.file.body.version
                files.append(NewFile(role=role, version=version, content=upload.content))
        return files

    def sent_targets(self) -> list[SignedTargets]:
        """Return the targets and delegations that were sent."""
        return [file for role, file in self.targets.items() if role in self._uploads]

    def contents(self) -> dict[str, bytes]:
        """Return the bytes of all that is loaded, by role."""
        contents = {ROOT: self.root_content}
        return contents | {role: file.content for role, file in self.targets.items()}


_KINDS = {ROOT: BAD_ROOT, SNAPSHOT: BAD_SNAPSHOT}


def check_root(new: SignedRoot, current: SignedRoot | None, gun: str, now: datetime) -> None:
    """Demand that a root is signed by its own certificates for this repository, and by the current root's.

    The current root's certificates may be expired (notary-server then refuses every update for ever).

    Raises:
        EvidenceError: it is not.
    """
    leaves = certificates.valid_leaves(new.body, gun, now)
    if current is not None:
        old = certificates.valid_leaves(current.body, gun, None)
        _check_by(new, current.body, list(old), _NO_ROTATION)
    _check_by(new, new.body, list(leaves), _NO_INTEGRITY)


def _check_by(file: SignedRoot, root: Root, key_ids: Sequence[str], problem: str) -> None:
    role = root.roles[ROOT].replace(key_ids=tuple(key_ids))
    try:
        check_signatures(file, role, root.keys)
    except EvidenceError as error:
        raise EvidenceError(problem, code=error.code) from None


def _check_time(file: Signed, now: datetime, kind: str) -> None:
    end = file.body.expires_at
    if end < now:
        raise InvalidUpdateError(kind, f"{file.role} expired at {end:%a %b %d %H:%M:%S UTC %Y}")


def _check_bytes(file: Signed, kind: str) -> None:
    """Refuse bytes that Go would not write: its clients would compute other hashes than ours (0.1)."""
    if not file.is_canonical_wire():
        raise InvalidUpdateError(
            kind,
            f"{file.role} is not written as notary writes it (order, white space, escapes or unknown members)",
        )


def child_of(body: Targets, name: str) -> Role | None:
    """Find a delegation in the file of the role that delegates to it."""
    return next((role for role in body.delegations if role.name == name), None)
