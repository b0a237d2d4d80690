"""What asking yields: claims, rejections, silences, and who signed."""

from countermark.core.digest import Digest
from countermark.core.errors import Code
from countermark.core.light import datetime
from countermark.core.value import Value


class Signatory(Value):
    """Who signed: a key holder, a certified identity, a role holder.

    Attributes:
        scheme: ``dct``, ``cosign`` or ``notation``.
        name: for people, as ``alice (targets/alice)``; an attacker may have chosen it.
        keys: what makes it the same one elsewhere: fingerprints of its public keys (sha256 of the
            SubjectPublicKeyInfo, hex) or its certified identity. Two signatories that share one are one,
            since whoever holds that key can speak as both.
        key_ids: how the scheme's own tools name those keys, for people to compare; "" nowhere decides anything.
    """

    scheme: str
    name: str
    keys: tuple[str, ...]
    key_ids: tuple[str, ...] = ()

    def is_same_as(self, other: "Signatory") -> bool:
        """Say whether the two may be one party."""
        return not set(self.keys).isdisjoint(other.keys)


class Claim(Value):
    """A verified statement: this signatory vouches for this digest.

    Attributes:
        signer: name of the trusted signer (in the policy) that this fulfils.
        signatory: who it was.
        digest: of the manifest vouched for.
        signed_at: when, where the scheme can say so; None where it cannot.
        proven_time: whether ``signed_at`` is proven by a third party rather than told by a server.
        expires: when the evidence ends, None for never.
        predicate: the predicate type for an attestation, "" for a signature.
        first_use: rests on a root that nobody pinned.
        stale: rests on cached evidence because no fresh one could be had.
        notes: further facts for people, in order: (label, text).
    """

    signer: str
    signatory: Signatory
    digest: Digest
    signed_at: datetime | None = None
    proven_time: bool = False
    expires: datetime | None = None
    predicate: str = ""
    first_use: bool = False
    stale: bool = False
    notes: tuple[tuple[str, str], ...] = ()


class Rejection(Value):
    """Evidence that was found and proves nothing, or its proven absence, with the reason.

    ``signed_digest`` is set on ``moved-tag``: the digest that the evidence does vouch for.
    ``signed_by`` names who vouches for that digest. ``path`` is the role, file or place inside it.
    """

    signer: str
    code: Code
    reason: str
    path: str = ""
    signed_digest: Digest | None = None
    signed_by: tuple[str, ...] = ()


class Silence(Value):
    """A trusted signer that could not be asked about, with the reason."""

    signer: str
    code: Code
    reason: str


Finding = Claim | Rejection | Silence
