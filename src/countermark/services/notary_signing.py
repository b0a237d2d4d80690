"""What a trust server signs itself: snapshots where it holds their key, and timestamps.

Hashes are over the bytes that are stored. notary-server hashes what it would write itself, which are other bytes
where a client wrote otherwise, and then serves a repository that nobody can read (specs: notary v1, 0.1 and 4.6).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from countermark.core.errors import EvidenceError
from countermark.core.ports_hosting import StoredFile
from countermark.formats.tuf import (
    SNAPSHOT,
    TIMESTAMP,
    Body,
    FileMeta,
    Root,
    SignedSnapshot,
    SignedTimestamp,
    Snapshot,
    Timestamp,
    encode,
    envelope,
    format_time,
    parse_root,
    parse_snapshot,
    parse_timestamp,
)
from countermark.proofs.keys import PrivateKey, check_signatures
from countermark.services.notary_state import Lifetimes, NewFile, Publication, ServerSigner, Stored


def signing_key(root: Root, role: str, signer: ServerSigner) -> PrivateKey | None:
    """Return the key with which we alone can sign a role, None where we cannot."""
    found = root.roles[role]
    return signer(role, found) if found.threshold == 1 else None


def _signed(body: Body, key: PrivateKey) -> bytes:
    content = encode(body)
    return envelope(content, [key.sign(content)])


def make_snapshot(
    meta: Mapping[str, FileMeta], version: int, key: PrivateKey, now: datetime, life: timedelta
) -> NewFile:
    """Sign a snapshot."""
    body = Snapshot(version=version, expires=format_time(now + life), meta=meta)
    return NewFile(role=SNAPSHOT, version=version, content=_signed(body, key))


def make_timestamp(
    snapshot: bytes, version: int, key: PrivateKey, now: datetime, life: timedelta
) -> NewFile:
    """Sign a timestamp of a snapshot."""
    meta = {SNAPSHOT: FileMeta.of(snapshot)}
    body = Timestamp(version=version, expires=format_time(now + life), meta=meta)
    return NewFile(role=TIMESTAMP, version=version, content=_signed(body, key))


def snapshot_is_good(file: SignedSnapshot, root: Root, now: datetime, lifetimes: Lifetimes) -> bool:
    """Say whether a snapshot is signed as this root wants it, and not due to be signed anew."""
    if now >= lifetimes.refresh_at(SNAPSHOT, file.body.expires_at):
        return False
    return _verifies(file, root, SNAPSHOT)


def timestamp_is_good(
    file: SignedTimestamp, snapshot: bytes, root: Root, now: datetime, lifetimes: Lifetimes
) -> bool:
    """Say whether a timestamp is of this snapshot, signed as this root wants it, and not due to be signed anew."""
    if now >= lifetimes.refresh_at(TIMESTAMP, file.body.expires_at):
        return False
    try:
        file.body.meta[SNAPSHOT].check(snapshot, SNAPSHOT)
    except EvidenceError:
        return False
    return _verifies(file, root, TIMESTAMP)


def _verifies(file: SignedSnapshot | SignedTimestamp, root: Root, role: str) -> bool:
    try:
        check_signatures(file, root.roles[role], root.keys)
    except EvidenceError:
        return False
    return True


def refreshed(
    stored: Stored, signer: ServerSigner, lifetimes: Lifetimes, now: datetime
) -> Publication | None:
    """Sign snapshot and timestamp anew where they are due; None where they are not, or we cannot.

    Nothing is asked of the root's own dates: what is stored is served (notary-server answers 500 once it is expired).
    Reading only tells when something is due; so it is done then, and not in the background.

    Raises:
        EvidenceError: a stored file does not parse, which was imported then.
    """
    timestamp_file = stored.newest(TIMESTAMP)
    root_file, snapshot_file = stored.newest("root"), stored.newest(SNAPSHOT)
    if timestamp_file is None or root_file is None or snapshot_file is None:
        return None
    root = parse_root(root_file.content).body
    timestamp_key = signing_key(root, TIMESTAMP, signer)
    if timestamp_key is None:
        return None
    files: list[NewFile] = []
    snapshot = snapshot_file.content
    parsed = parse_snapshot(snapshot)
    snapshot_key = signing_key(root, SNAPSHOT, signer)
    if snapshot_key is not None and not snapshot_is_good(parsed, root, now, lifetimes):
        version = snapshot_file.version + 1
        new = make_snapshot(parsed.body.meta, version, snapshot_key, now, lifetimes.snapshot)
        files.append(new)
        snapshot = new.content
    old = parse_timestamp(timestamp_file.content)
    if timestamp_is_good(old, snapshot, root, now, lifetimes):
        return None
    version = timestamp_file.version + 1
    files.append(make_timestamp(snapshot, version, timestamp_key, now, lifetimes.timestamp))
    return Publication(files=tuple(files), base=timestamp_file.sha256, keys={})


def refresh_at(snapshot: StoredFile, timestamp: StoredFile, lifetimes: Lifetimes) -> datetime:
    """Say until when what is stored can be served without looking at it.

    Raises:
        EvidenceError: a stored file does not parse.
    """
    return min(
        lifetimes.refresh_at(SNAPSHOT, parse_snapshot(snapshot.content).body.expires_at),
        lifetimes.refresh_at(TIMESTAMP, parse_timestamp(timestamp.content).body.expires_at),
    )
