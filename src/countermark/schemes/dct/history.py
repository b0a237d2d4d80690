"""When each tag got its digest: a walk through the versions that the server still has."""

from collections.abc import Iterator
from datetime import datetime

from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import EvidenceError, NotFoundError
from countermark.core.ports import TrustServer
from countermark.core.value import Value
from countermark.formats.tuf import TARGETS, SignedTargets, parent, parse_targets
from countermark.proofs.keys import check_signatures
from countermark.schemes.dct.repository import Collection

_MOST_VERSIONS = 1_000  # of one role, the newest: who signs a role chooses its version number


class Event(Value):
    """A version of a role in which a tag got a digest, or lost it (None).

    ``signed`` says whether the version is signed by keys that the role has today; old keys are not known any more.
    ``at`` is the server's word.
    """

    tag: str
    digest: Digest | None
    role: str
    version: int
    at: datetime | None
    signed: bool


def walk(collection: Collection, server: TrustServer) -> Iterator[Event]:
    """Yield the events of every role, oldest first; versions that the server no longer has are passed over.

    Of a role with very many versions, the newest thousand are looked at.

    Raises:
        UnavailableError, RefusedError: as the server has it.
    """
    for role, current in collection.trusted.targets.items():
        before: dict[str, Digest] = {}
        newest = current.body.version
        for version in range(max(1, newest - _MOST_VERSIONS + 1), newest + 1):
            try:
                got = server.fetch(collection.gun, f"{version}.{role}", limits.METADATA_BYTES)
                file = parse_targets(got.content, role)
            except (NotFoundError, EvidenceError):
                continue
            now = {
                tag: Digest.from_raw(meta.hashes["sha256"])
                for tag, meta in file.body.targets.items()
                if len(meta.hashes.get("sha256", b"")) == 32
            }
            signed = _is_signed(collection, role, file)
            for tag in sorted(before.keys() | now.keys()):
                if before.get(tag) != now.get(tag):
                    yield Event(
                        tag=tag,
                        digest=now.get(tag),
                        role=role,
                        version=version,
                        at=got.modified,
                        signed=signed,
                    )
            before = now


def _is_signed(collection: Collection, role: str, file: SignedTargets) -> bool:
    root = collection.trusted.root.body
    demanded = collection.delegation(role) or root.roles[TARGETS]
    known = root.keys
    if role != TARGETS:
        known = collection.trusted.targets[parent(role)].body.delegation_keys
    try:
        check_signatures(file, demanded, known)
    except EvidenceError:
        return False
    return True
