"""Which root is believed: its certificates, the root before it, the pins, its own signatures.

Notary's ValidateRoot, step by step (specs: notary v1, 2.7). Two things differ on purpose: certificates with the
common name ``*`` are nobody's (``certificates.is_for``), and key pairs are counted rather than key IDs.
"""

from countermark.core.errors import ChainError, Code, SignatureError, ThresholdError
from countermark.core.light import datetime
from countermark.core.value import Value
from countermark.formats.go_text import near_expiry
from countermark.formats.tuf import ROOT, SignedRoot
from countermark.proofs import certificates
from countermark.proofs.keys import check_signatures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Protocol
else:
    Protocol = object

NO_ROTATION = (
    "could not rotate trust to a new trusted root: "
    "failed to validate data with current trusted certificates"
)
NO_PATH = "could not validate the path to a trusted root: "
NO_INTEGRITY = NO_PATH + "failed to validate integrity of roots"
NO_MATCH = NO_PATH + "unable to match any certificates to trust_pinning config"


class Accept(Protocol):
    """Says which keys of a root may make it believed."""

    def __call__(self, root: SignedRoot, before: SignedRoot | None) -> "Collection[str] | None":
        """Return the IDs of the keys that pins allow, None for all of them.

        ``before`` is a root, itself accepted, whose keys signed this one; None where none did.

        Raises:
            EvidenceError: ``pin`` or ``first-use``, none of its keys will do.
        """
        ...


class Standing(Value):
    """How a root stood when it was judged.

    Attributes:
        until: as long as its certificates all count; afterwards it must be judged again.
        warnings: certificates that end soon.
    """

    until: datetime
    warnings: tuple[str, ...] = ()


def check(
    new: SignedRoot,
    before: SignedRoot | None,
    gun: str,
    now: datetime | None,
    allowed: "Collection[str] | None" = None,
) -> Standing:
    """Refuse a root that is not signed as it must be; ``now`` None: whatever the dates of its certificates.

    Args:
        new: the root (step 1, its structure, was done by whoever parsed it).
        before: the root whose keys must have signed it too.
        gun: the repository, whose name its certificates bear.
        now: the time of their dates.
        allowed: IDs of the keys that pins allow; None for all.

    Raises:
        ChainError: ``bad-chain``; no certificate counts, or too few signatures by those that do; ``pin``.
        SignatureError: ``root-rotation``; the root before does not vouch for it.
    """
    leaves = certificates.valid_leaves(new.body, gun, now)  # step 2
    if before is not None:  # step 3
        old = certificates.valid_leaves(before.body, gun, None)
        if not _is_signed(new, before, old):
            raise SignatureError(NO_ROTATION, code=Code.ROOT_ROTATION, path=ROOT)
    if allowed is not None:  # step 4
        leaves = {key_id: bundle for key_id, bundle in leaves.items() if key_id in allowed}
        if not leaves:
            raise ChainError(NO_MATCH, code=Code.PIN, path=ROOT)
    if not _is_signed(new, new, leaves):  # step 5
        raise ChainError(NO_INTEGRITY, path=ROOT)
    return _standing(leaves, now)


def _standing(leaves: "Mapping[str, certificates.Bundle]", now: datetime | None) -> Standing:
    near = (
        f"certificate with CN {bundle.leaf.common_name} is near expiry"
        for bundle in leaves.values()
        if now is not None and near_expiry(bundle.leaf.not_after, now)
    )
    until = min(bundle.leaf.not_after for bundle in leaves.values())
    return Standing(until=until, warnings=tuple(dict.fromkeys(near)))


def _is_signed(file: SignedRoot, by: SignedRoot, key_ids: "Collection[str]") -> bool:
    """Say whether a root is signed by these keys of (another) root, by as many as that demands."""
    role = by.body.roles[ROOT].replace(key_ids=tuple(key_ids))
    try:
        check_signatures(file, role, by.body.keys)
    except (ThresholdError, SignatureError):
        return False
    return True
