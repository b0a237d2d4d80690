"""The last good answers: fresh claims kept for policies that let one count while a signer is silent."""

from countermark.core import limits
from countermark.core.claim import Claim, Finding, Signatory, Silence
from countermark.core.digest import Digest
from countermark.core.errors import InputError, MalformedError
from countermark.core.light import UTC, datetime, sha256
from countermark.core.ports import ClaimMemory
from countermark.core.reference import Subject
from countermark.core.signer import TrustedSigner
from countermark.formats import strict_json
from countermark.policy.model import Remembered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class LastGood:
    """Evidence kept, never decisions; how long it counts is for each layer to say when a decision is made.

    One answer is kept for each signer, as the policy defines it, and each tag: a newer answer, also one that takes
    back what was vouched for, replaces an older. (Without a tag, for each digest.)
    """

    def __init__(self, memory: ClaimMemory) -> None:
        self._memory = memory

    def exchange(
        self,
        signers: "Sequence[TrustedSigner]",
        subject: Subject,
        findings: "Sequence[Finding]",
        now: datetime,
    ) -> tuple[Remembered, ...]:
        """Keep what is fresh, forget what a fresh answer took back, recall what silent signers last said."""
        recalled: list[Remembered] = []
        for signer in signers:
            own = [f for f in findings if f.signer == signer.name]
            claims = [f for f in own if isinstance(f, Claim)]
            fresh = [c for c in claims if not c.stale and c.digest == subject.digest]
            name = _name(signer, subject)
            if fresh:
                content = _encode(fresh, now)
                fits = len(content) <= limits.CLAIM_MEMORY_BYTES
                self._memory.remember(name, content if fits else None)
            elif any(isinstance(f, Silence) for f in own) or any(c.stale for c in claims):
                recalled += _decode(self._memory.recall(name), signer.name)
            else:
                self._memory.remember(name, None)
        return tuple(recalled)


def _name(signer: TrustedSigner, subject: Subject) -> str:
    # the whole definition: another root, role or server is another party
    what = (repr(signer), subject.repository.name, subject.tag or str(subject.digest))
    return sha256(strict_json.canonical(what)).hexdigest()


def _encode(claims: "Sequence[Claim]", now: datetime) -> bytes:
    return strict_json.canonical(
        {"version": 1, "seen": now.isoformat(), "claims": [_members(claim) for claim in claims]}
    )


def _members(claim: Claim) -> dict[str, object]:
    return {
        "scheme": claim.signatory.scheme,
        "name": claim.signatory.name,
        "keys": claim.signatory.keys,
        "keyIds": claim.signatory.key_ids,
        "digest": str(claim.digest),
        "signed": claim.signed_at.isoformat() if claim.signed_at else None,
        "proven": claim.proven_time,
        "expires": claim.expires.isoformat() if claim.expires else None,
        "predicate": claim.predicate,
        "firstUse": claim.first_use,
    }


def _decode(content: bytes | None, signer: str) -> "Iterator[Remembered]":
    """Read what was kept; what cannot be read is as if nothing were."""
    if content is None:
        return
    try:
        document = strict_json.Reader(
            strict_json.parse(content, max_bytes=limits.CLAIM_MEMORY_BYTES)
        )
        if document.integer("version") != 1:
            return
        seen_at = _time(document.text("seen"))
        claims = [_claim(members, signer) for members in document.objects("claims")]
    except (MalformedError, InputError, ValueError, OverflowError):
        return
    for claim in claims:
        yield Remembered(claim=claim, seen_at=seen_at)


def _claim(members: strict_json.Reader, signer: str) -> Claim:
    return Claim(
        signer=signer,
        signatory=Signatory(
            scheme=members.text("scheme"),
            name=members.text("name"),
            keys=members.texts("keys"),
            key_ids=members.texts("keyIds") if members.has("keyIds") else (),
        ),
        digest=Digest.parse(members.text("digest")),
        signed_at=_time(members.text("signed")) if members.has("signed") else None,
        proven_time=members.boolean("proven"),
        expires=_time(members.text("expires")) if members.has("expires") else None,
        predicate=members.text("predicate"),
        first_use=members.boolean("firstUse"),
        stale=True,
    )


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("no time zone")
    return found.astimezone(UTC)
