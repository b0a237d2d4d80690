"""Role names of Notary v1: which exist, which delegate to which.

Source: notary v0.7.0 ``tuf/data/roles.go`` (specs: notary v1, 1.1). The alphabet has no dot, so that a name can
never climb out of a folder.
"""

from countermark.core import limits

ROOT = "root"
TARGETS = "targets"
SNAPSHOT = "snapshot"
TIMESTAMP = "timestamp"
BASE_ROLES = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)

_ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_/")


def is_base(name: str) -> bool:
    """Say whether a name is one of the four that every repository has."""
    return name in BASE_ROLES


def is_delegation(name: str) -> bool:
    """Say whether a name is a delegation's: ``targets/`` and clean parts of ``a-z 0-9 - _``."""
    return (
        name.startswith("targets/")
        and len(name) <= limits.ROLE_NAME_CHARS
        and _ALPHABET.issuperset(name)
        and not name.endswith("/")
        and "//" not in name
    )


def is_wild_delegation(name: str) -> bool:
    """Say whether a name stands for all children of a role, as ``targets/*``; only a purge of keys takes one."""
    above, _, last = name.rpartition("/")
    return last == "*" and (above == TARGETS or is_delegation(above))


def valid_role(name: str) -> bool:
    """Say whether a file may have this name."""
    return is_base(name) or is_delegation(name)


def parent(name: str) -> str:
    """Return the role that delegates to this one, "" for a base role."""
    return name.rpartition("/")[0]
