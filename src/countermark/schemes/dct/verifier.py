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
from countermark.schemes.dct.repository import RELEASED, RELEASES, Collection, Loader

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
        for url in dict.fromkeys(signer.server for signer in signers):
            group = [signer for signer in signers if signer.server == url]
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
        for signer in signers:
            server = self._servers.server_for(reference.repository, signer.server)
            collection = self._loader.load(reference.repository.name, server, now, [signer])
            if not signer.first_use and not collection.meant_by(signer, now):
                continue
            digest = _signed_digest(collection, reference.tag or "", signer)
            if digest is not None:
                digests.add(digest)
        if len(digests) != 1:
            raise NotFoundError(f"no one digest is signed for {reference.familiar}")
        return digests.pop()


def _about(collection: Collection, subject: Subject, signer: DctSigner, now: datetime) -> Finding:
    """What one signer's roles say about a subject."""
    if signer.roots and not signer.first_use and not collection.meant_by(signer, now):
        return Rejection(
            signer=signer.name, code=Code.PIN, reason="the repository has another root", path="root"
        )
    try:
        role, tag = _role_for(collection, subject, signer)
    except EvidenceError as error:
        return _rejection(signer, error)
    signed = collection.digest_in(role, tag)
    if signed is None or signed != subject.digest:
        row = _names_of(collection, role, tag)
        return Rejection(
            signer=signer.name,
            code=Code.MOVED_TAG,
            reason=f"{tag} is signed as another digest",
            path=role,
            signed_digest=signed,
            signed_by=row,
        )
    return _claim(collection, signer, role, tag, signed)


def _role_for(collection: Collection, subject: Subject, signer: DctSigner) -> tuple[str, str]:
    """Find the role that speaks for a signer about a subject, and under which tag.

    Raises:
        EvidenceError: ``unsigned``, or the error of an invalid role.
    """
    problem = collection.trusted.invalid.get(signer.role or RELEASES)
    if problem is not None:
        raise problem[1]
    roles = (signer.role,) if signer.role else RELEASED
    if subject.tag is None:
        for role in roles:
            for tag in collection.tags_of(role, subject.digest):
                return role, tag
        raise EvidenceError(
            f"nobody signed {subject.digest} in {collection.gun}", code=Code.UNSIGNED
        )
    if not signer.role:
        found = collection.released(subject.tag)
        return found.role, found.tag
    if collection.digest_in(signer.role, subject.tag) is None:
        raise EvidenceError(f"{signer.role} has not signed {subject.tag}", code=Code.UNSIGNED)
    return signer.role, subject.tag


def _signed_digest(collection: Collection, tag: str, signer: DctSigner) -> Digest | None:
    if signer.role:
        return collection.digest_in(signer.role, tag)
    try:
        return collection.released(tag).digest
    except EvidenceError as error:
        if error.code == Code.UNSIGNED:
            return None
        raise


def _names_of(collection: Collection, role: str, tag: str) -> tuple[str, ...]:
    for row in collection.rows() if role in RELEASED else ():
        if row.tag == tag and row.role == role:
            return row.signers or (_OWNER,)
    return (role.removeprefix("targets/"),)


def _claim(collection: Collection, signer: DctSigner, role: str, tag: str, digest: Digest) -> Claim:
    names = ", ".join(_names_of(collection, role, tag))
    pinned = collection.is_pinned or bool(signer.roots and not signer.first_use)
    ends = collection.expiries()
    return Claim(
        signer=signer.name,
        signatory=Signatory(scheme="dct", name=names, keys=collection.fingerprints(role)),
        digest=digest,
        signed_at=collection.signed_at(role),
        expires=min(ends[name] for name in ends if name in _lineage(role)),
        first_use=not pinned,
        stale=collection.trusted.stale,
        notes=(
            ("role", role),
            ("tag", tag),
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
