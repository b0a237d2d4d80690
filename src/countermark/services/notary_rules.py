"""Which metadata updates a Notary server accepts.

The rules of notary-server v0.7.0 (``server/handlers/validation.go``; specs: notary v1, 4.6) in its order, and ours
where it accepts what breaks a repository: bytes that Go would not write are refused; versions rise by one; a client's
snapshot may only name files that are here; the server's own forgets delegations that were removed; the certificate of
a stored root does not expire, so that an old repository can still be given a new root. No I/O.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from countermark.core import limits
from countermark.core.errors import EvidenceError
from countermark.formats.tuf import (
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    FileMeta,
    Key,
    Role,
    Root,
    SignedSnapshot,
    SignedTargets,
    parent,
    parse_snapshot,
    parse_targets,
    parse_timestamp,
)
from countermark.proofs.keys import check_signatures
from countermark.services.notary_signing import (
    make_snapshot,
    make_timestamp,
    signing_key,
    snapshot_is_good,
    timestamp_is_good,
)
from countermark.services.notary_state import Lifetimes, NewFile, Publication, ServerSigner, Stored
from countermark.services.notary_update import Update, child_of
from countermark.services.notary_uploads import (
    BAD_ROOT,
    BAD_TARGETS,
    HIERARCHY,
    VALIDATION,
    InvalidUpdateError,
    Upload,
)


def accept(
    stored: Stored,
    uploads: Sequence[Upload],
    signer: ServerSigner,
    lifetimes: Lifetimes,
    now: datetime,
) -> Publication:
    """Check an update, and complete it with what the server signs.

    Raises:
        InvalidUpdateError: it is refused.
        StaleUpdateError: the server has something newer.
    """
    # first: whatever is published after it, the store will notice
    timestamp = stored.newest(TIMESTAMP)
    update = Update(stored, uploads, now)
    root = update.root()
    update.check_targets(root)
    update.check_snapshot(root)
    update.check_versions()
    files = list(update.new_files())
    keys: dict[str, str] = {}
    snapshot = update.snapshot_upload()
    if snapshot is None:
        made, content = _complete_snapshot(update, root, signer, lifetimes, keys)
        files += made
    else:
        update.check_entries(snapshot)
        content = snapshot.content
    key = signing_key(root, TIMESTAMP, signer)
    if key is None:  # two blanks, as notary-server has them
        raise InvalidUpdateError(BAD_ROOT, "no  timestamp keys exist on the server")
    keys[TIMESTAMP] = key.id
    old = parse_timestamp(timestamp.content) if timestamp else None
    if files or old is None or not timestamp_is_good(old, content, root, now, lifetimes):
        version = timestamp.version + 1 if timestamp else 1
        files.append(make_timestamp(content, version, key, now, lifetimes.timestamp))
    return Publication(files=tuple(files), base=timestamp.sha256 if timestamp else "", keys=keys)


def _complete_snapshot(
    update: Update,
    root: Root,
    signer: ServerSigner,
    lifetimes: Lifetimes,
    keys: dict[str, str],
) -> tuple[list[NewFile], bytes]:
    """Make the snapshot that was not sent, unless the newest one says all; return what is new, and its bytes."""
    stored = update.stored.newest(SNAPSHOT)
    old = parse_snapshot(stored.content) if stored else None
    meta = _snapshot_meta(update, old)
    key = signing_key(root, SNAPSHOT, signer)
    if old is not None and old.body.meta == meta:
        good = snapshot_is_good(old, root, update.now, lifetimes)
        if good or (key is None and _is_signed(old, root.roles[SNAPSHOT], root.keys)):
            return [], old.content
    if key is None:
        raise InvalidUpdateError(
            HIERARCHY,
            "no snapshot was included in update and server does not hold current snapshot key "
            "for repository",
        )
    keys[SNAPSHOT] = key.id
    version = stored.version + 1 if stored else 1
    made = make_snapshot(meta, version, key, update.now, lifetimes.snapshot)
    return [made], made.content


def _snapshot_meta(update: Update, old: SignedSnapshot | None) -> dict[str, FileMeta]:
    """Say what a snapshot of the repository after this update holds (rule 5)."""
    meta = dict(old.body.meta) if old else {}
    contents = update.contents()
    if TARGETS not in contents and TARGETS not in meta:
        targets = update.stored.newest(TARGETS)
        if targets is None:
            raise InvalidUpdateError(VALIDATION, "targets must be loaded first")
        contents[TARGETS] = targets.content
    meta |= {role: FileMeta.of(content) for role, content in contents.items()}
    kept = {role: entry for role, entry in meta.items() if not _is_removed(update, role)}
    _return_delegations(update, kept)
    if len(kept) > limits.DELEGATIONS:
        raise InvalidUpdateError(
            BAD_TARGETS, f"more than {limits.DELEGATIONS} roles in one repository"
        )
    return kept


def _is_removed(update: Update, role: str) -> bool:
    """Say whether a role above this one, which we have loaded, does not lead to it (any more)."""
    above = parent(role)
    while above:
        file = update.targets.get(above)
        if file is not None and child_of(file.body, role) is None:
            return True
        role, above = above, parent(above)
    return False


def _return_delegations(update: Update, meta: dict[str, FileMeta]) -> None:
    """List again what an earlier holder left, where it counts once more.

    A delegation that was removed and given back to the same key goes on from its last version, which its holder's
    docker cannot know of unless the snapshot names it: it would begin at 1, and be refused for ever.
    """
    waiting = [
        (file.body, child) for file in update.sent_targets() for child in file.body.delegations
    ]
    while waiting:
        body, role = waiting.pop()
        stored = None if role.name in meta else update.stored.newest(role.name)
        if stored is None:
            continue
        file = parse_targets(stored.content, role.name)
        if _is_signed(file, role, body.delegation_keys) and file.body.expires_at >= update.now:
            meta[role.name] = FileMeta.of(stored.content)
            waiting += [(file.body, child) for child in file.body.delegations]


def _is_signed(file: SignedSnapshot | SignedTargets, role: Role, keys: Mapping[str, Key]) -> bool:
    try:
        check_signatures(file, role, keys)
    except EvidenceError:
        return False
    return True
