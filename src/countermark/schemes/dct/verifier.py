"""Docker Content Trust: which digest a tag means, and who says so."""

from countermark.core.claim import Claim, Finding, Rejection, Signatory, Silence
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    EvidenceError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.core.light import Sequence, datetime
from countermark.core.ports import TrustServers
from countermark.core.reference import ImageReference, Subject
from countermark.core.signer import DctSigner, TrustedSigner
from countermark.formats.tuf import TARGETS
from countermark.schemes.dct.repository import RELEASED, RELEASES, Collection, Loader, SignedTag

_OWNER = "Repo Admin"  # docker's name for a signature that no named signer made


class DctVerifier:
    """Asks trust servers; fulfils Verifier and TagAuthority."""

    def __init__(self, servers: TrustServers, loader: Loader) -> None:
        self._servers, self._loader = servers, loader

    def findings(
        self, subject: Subject, signers: Sequence[TrustedSigner], now: datetime
    ) -> tuple[Finding, ...]:
        """Ask about signers of one repository; those of the same server share what is fetched.

        A server that gives no answer, where the cache may not stand for it, makes silences of its own signers only.
        """
        found: list[Finding] = []
        ours = _ours(signers)
        for url in dict.fromkeys(signer.server for signer in ours):
            group = [signer for signer in ours if signer.server == url]
            found += self._group(subject, url, group, now)
        return tuple(found)

    def _group(
        self, subject: Subject, url: str, signers: list[DctSigner], now: datetime
    ) -> list[Finding]:
        gun = subject.repository.name
        server = self._servers.server_for(subject.repository, url)
        try:
            collection = self._loader.load(gun, server, now, signers)
        except EvidenceError as error:
            return [_rejection(signer, error) for signer in signers]
        except (UnavailableError, RefusedError) as error:
            return [Silence(signer=s.name, code=error.code, reason=str(error)) for s in signers]
        return [_about(collection, subject, signer, now) for signer in signers]

    def digest_of(
        self, reference: ImageReference, signers: Sequence[TrustedSigner], now: datetime
    ) -> Digest:
        """Say which digest these signers vouch for under a tag; where they differ none does.

        Raises:
            NotFoundError: under none of them the tag is signed, or they say different things.
            EvidenceError, UnavailableError, RefusedError: as their evidence has it.
        """
        digests: set[Digest] = set()
        ours = _ours(signers)
        for url in dict.fromkeys(signer.server for signer in ours):
            group = [signer for signer in ours if signer.server == url]
            server = self._servers.server_for(reference.repository, url)
            collection = self._loader.load(reference.repository.name, server, now, group)
            for signer in group:
                if signer.first_use or collection.meant_by(signer, now):
                    digest = _signed_digest(collection, reference.tag or "", signer)
                    digests |= {digest} if digest else set()
        if len(digests) != 1:
            raise NotFoundError(f"no one digest is signed for {reference.familiar}")
        return digests.pop()


def _ours(signers: Sequence[TrustedSigner]) -> list[DctSigner]:
    return [signer for signer in signers if isinstance(signer, DctSigner)]


def _about(collection: Collection, subject: Subject, signer: DctSigner, now: datetime) -> Finding:
    """What one signer's roles say about a subject."""
    meant = bool(signer.roots) and collection.meant_by(signer, now)
    if not meant and not signer.first_use:
        return Rejection(
            signer=signer.name, code=Code.PIN, reason="the repository has another root", path="root"
        )
    try:
        found = _word_of(collection, subject, signer)
    except EvidenceError as error:
        return _rejection(signer, error)
    if found.digest != subject.digest:
        return Rejection(
            signer=signer.name,
            code=Code.MOVED_TAG,
            reason=f"{found.tag} is signed as another digest",
            path=found.role,
            signed_digest=found.digest,
            signed_by=_names_of(found),
        )
    return _claim(collection, signer, found, pinned=meant or collection.is_pinned)


def _word_of(collection: Collection, subject: Subject, signer: DctSigner) -> SignedTag:
    """Find what speaks for a signer about a subject: under its tag, or under any where it has none.

    Raises:
        EvidenceError: ``unsigned``, or the error of a role that does not count.
    """
    for role in sorted(_lineage(signer.role or RELEASES)):
        problem = collection.trusted.invalid.get(role)
        if problem is not None:
            raise problem[1]
    if subject.tag is None:
        return _any_tag(collection, subject.digest, signer.role)
    if not signer.role:
        return collection.released(subject.tag)
    found = collection.named(signer.role, subject.tag)
    if found is None:
        raise EvidenceError(f"{signer.role} has not signed {subject.tag}", code=Code.UNSIGNED)
    return found


def _any_tag(collection: Collection, digest: Digest, role: str) -> SignedTag:
    """Find a tag under which a digest is signed; what ``targets/releases`` has replaced in ``targets`` is not."""
    if role:
        found = (collection.named(role, tag) for tag in collection.tags_of(role, digest))
    else:
        found = (row for row in collection.released_tags() if row.digest == digest)
    row = next(found, None)
    if row is not None:
        return row
    raise EvidenceError(f"nobody signed {digest} in {collection.gun}", code=Code.UNSIGNED)


def _signed_digest(collection: Collection, tag: str, signer: DctSigner) -> Digest | None:
    if signer.role:
        return collection.digest_in(signer.role, tag)
    try:
        return collection.released(tag).digest
    except EvidenceError as error:
        if error.code == Code.UNSIGNED:
            return None
        raise


def _names_of(found: SignedTag) -> tuple[str, ...]:
    if found.role in RELEASED:
        return found.signers or (_OWNER,)
    return (found.role.removeprefix("targets/"),)


def _claim(collection: Collection, signer: DctSigner, found: SignedTag, *, pinned: bool) -> Claim:
    ends = collection.expiries()
    return Claim(
        signer=signer.name,
        signatory=Signatory(
            scheme="dct",
            name=", ".join(_names_of(found)),
            keys=collection.fingerprints(found.role),
            key_ids=collection.key_ids(found.role),
        ),
        digest=found.digest,
        signed_at=collection.signed_at(found.role),
        expires=min(ends[name] for name in ends if name in _lineage(found.role)),
        first_use=not pinned,
        stale=collection.trusted.stale,
        notes=(
            ("role", found.role),
            ("tag", found.tag),
            ("root", ", ".join(key[:12] for key in collection.root_keys)),
        ),
    )


def _lineage(role: str) -> set[str]:
    """The roles whose files a role's word rests on."""
    found = {"root", "timestamp", "snapshot", TARGETS}
    while role != TARGETS:
        found.add(role)
        role = role.rpartition("/")[0]
    return found


def _rejection(signer: DctSigner, error: EvidenceError) -> Rejection:
    return Rejection(signer=signer.name, code=error.code, reason=str(error), path=error.path)
