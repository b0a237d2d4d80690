"""Cosign: who vouches for a digest, by key or by identity."""

from countermark.core.claim import Claim, Finding, Rejection, Signatory, Silence
from countermark.core.errors import (
    Code,
    ConfigError,
    EvidenceError,
    RefusedError,
    UnavailableError,
)
from countermark.core.light import Callable, Sequence, datetime
from countermark.core.reference import Repository, Subject
from countermark.core.signer import CosignSigner, TrustedSigner
from countermark.formats import trusted_root
from countermark.formats.trusted_root import TrustedRoot
from countermark.proofs import public_keys
from countermark.proofs.spki import PublicKey
from countermark.schemes.cosign import attestation, check, find
from countermark.schemes.cosign.check import Checked, Wanted
from countermark.schemes.cosign.find import Found, SignatureStore, Trouble
from countermark.schemes.cosign.material import Artifact, Material

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from countermark.core.ports_sigstore import Conditions
    from countermark.proofs import x509
    from countermark.proofs.cosignatures import WitnessKey
else:
    Protocol = object


class TrustedRoots(Protocol):
    """Where trusted roots come from that no policy file spells out."""

    def trusted_root(self, name: str) -> TrustedRoot:
        """Return the configured one (""), or the ``public`` Sigstore's.

        Raises:
            UnavailableError: it is not to be had now. ConfigError: there is none, or it is wrong.
        """
        ...


class CosignVerifier:
    """Asks registries for signatures and checks them; fulfils Verifier.

    A registry is believed in nothing: it can withhold signatures, and so deny, but not make one.
    """

    def __init__(
        self,
        store: SignatureStore,
        roots: TrustedRoots,
        *,
        place_of: Callable[[Repository], Repository] = lambda repository: repository,
        conditions: "Conditions | None" = None,
    ) -> None:
        """Take what verification needs.

        Args:
            store: the registries.
            roots: trusted roots, asked only for signers who need one and bring none.
            place_of: in which repository an image's signatures lie; its own unless told otherwise.
            conditions: judges the policy's conditions; without it none is fulfilled.
        """
        self._store, self._roots = store, roots
        self._place_of, self._conditions = place_of, conditions

    def findings(
        self, subject: Subject, signers: Sequence[TrustedSigner], now: datetime
    ) -> tuple[Finding, ...]:
        """Hold everything that lies beside an image against each signer; no signature stops the search for others."""
        ours = tuple(signer for signer in signers if isinstance(signer, CosignSigner))
        if not ours:
            return ()
        found = find.signatures(
            self._store,
            self._place_of(subject.repository),
            subject.digest,
            attestation.suffixes(ours),
        )
        roots: dict[str, TrustedRoot] = {}
        return tuple(
            finding
            for signer in ours
            for finding in self._about(signer, found, subject, now, roots)
        )

    def _about(
        self,
        signer: CosignSigner,
        found: Found,
        subject: Subject,
        now: datetime,
        roots: dict[str, TrustedRoot],
    ) -> "Iterator[Finding]":
        """What is found about one signer: of each signature why it counts or not, then what could not be read."""
        for trouble in found.troubles:
            yield _of_trouble(signer, trouble)
        if not found.materials and not found.troubles:
            kind = f"attestation of type {signer.predicate}" if signer.predicate else "signature"
            text = f"there is no {kind} of {subject.digest}"
            yield Rejection(signer=signer.name, code=Code.UNSIGNED, reason=text)
        if not found.materials:
            return
        try:
            wanted = self._wanted(signer, subject, now, roots)
        except (UnavailableError, RefusedError) as error:
            yield Silence(signer=signer.name, code=error.code, reason=str(error))
            return
        for material in found.materials:
            yield self._judged(material, wanted)

    def _judged(self, material: Material, wanted: Wanted) -> Finding:
        """Verify one signature for one signer."""
        signer, name = wanted.signer, material.name
        try:
            checked = check.check(material, wanted)
            attestation.check_condition(checked, signer, self._conditions)
        except EvidenceError as error:
            reason = f"{name}: {error}"
            return Rejection(
                signer=signer.name, code=error.code, reason=reason, path=material.place
            )
        except UnavailableError as error:  # its condition cannot be judged now
            return Silence(signer=signer.name, code=error.code, reason=f"{name}: {error}")
        return _claim(checked, signer, wanted.image)

    def _wanted(
        self,
        signer: CosignSigner,
        subject: Subject,
        now: datetime,
        roots: dict[str, TrustedRoot],
    ) -> Wanted:
        root = self._root(signer, roots) if needs_root(signer) else None
        return wanted_of(signer, subject, now, root)

    def _root(self, signer: CosignSigner, roots: dict[str, TrustedRoot]) -> TrustedRoot:
        """Take the signer's trusted root, read once for all that share it."""
        given = signer.trusted_root
        if given not in roots:
            if given in ("", "public"):
                roots[given] = self._roots.trusted_root(given)
            else:
                roots[given] = _own_root(signer)
        return roots[given]


def needs_root(signer: CosignSigner) -> bool:
    """Say whether anything about a signer rests on logs and authorities: else none is asked for, and none fetched."""
    return (
        bool(signer.trusted_root)
        or signer.identity is not None
        or not signer.accept_unlogged
        or signer.timestamped
        or signer.not_after is not None
        or (bool(signer.ca) and not signer.accept_uncertified)
    )


def wanted_of(
    signer: CosignSigner,
    subject: Subject | Artifact | None,
    now: datetime,
    root: TrustedRoot | None,
) -> Wanted:
    """Say what a signer's evidence about an image or a file is held against.

    Raises:
        ConfigError: the signer's key or authority cannot be read.
    """
    return Wanted(
        signer=signer,
        key=_key(signer) if signer.key else None,
        authorities=_authorities(signer),
        witnesses=_witnesses(signer),
        root=root,
        subject=subject,
        now=now,
    )


def _key(signer: CosignSigner) -> PublicKey:
    try:
        return public_keys.parse(signer.key.encode())
    except EvidenceError as error:
        raise ConfigError(f"signer {signer.name!r}: {error}") from None


def _authorities(signer: CosignSigner) -> "tuple[x509.Certificate, ...]":
    if not signer.ca:
        return ()
    from countermark.proofs import x509  # noqa: PLC0415 - few have an authority of their own

    try:
        return tuple(each for text in signer.ca for each in x509.parse_pem(text.encode()))
    except EvidenceError as error:
        raise ConfigError(f"signer {signer.name!r}: its authority: {error}") from None


def _witnesses(signer: CosignSigner) -> "tuple[WitnessKey, ...]":
    if not signer.witnesses_needed:
        return ()
    from countermark.proofs.cosignatures import WitnessKey  # noqa: PLC0415 - few demand them

    try:
        return tuple(WitnessKey.parse(text) for text in signer.witnesses)
    except EvidenceError as error:
        raise ConfigError(f"signer {signer.name!r}: {error}") from None


def _own_root(signer: CosignSigner) -> TrustedRoot:
    try:
        return trusted_root.parse(signer.trusted_root.encode())
    except EvidenceError as error:
        raise ConfigError(f"signer {signer.name!r}: its trusted root: {error}") from None


def _of_trouble(signer: CosignSigner, trouble: Trouble) -> Finding:
    reason = f"{trouble.name}: {trouble.reason}"
    if trouble.may_pass:
        return Silence(signer=signer.name, code=trouble.code, reason=reason)
    return Rejection(signer=signer.name, code=trouble.code, reason=reason, path=trouble.place)


# What is claimed --------------------------------------------------------------------------------------


def _claim(checked: Checked, signer: CosignSigner, subject: Subject) -> Claim:
    """Say who vouches, and since when that is proven: of several times the latest, on which all agree."""
    times = checked.timed.times
    return Claim(
        signer=signer.name,
        signatory=_signatory(checked, signer),
        digest=subject.digest,
        signed_at=times[-1][0] if times else None,
        proven_time=bool(times),
        predicate=signer.predicate,
        notes=tuple(_notes(checked, signer)),
    )


def _signatory(checked: Checked, signer: CosignSigner) -> Signatory:
    """Name who signed by the key and, where it is certified, by the identity: who shares one of them is the same.

    What is attested counts beside what is signed, so the names in ``keys`` begin with the kind of statement.
    """
    offered = checked.offered
    kind = f"{signer.predicate} " if signer.predicate else ""
    certificate = offered.certificate
    if certificate is None:
        return Signatory(
            scheme="cosign",
            name="key holder",
            keys=(f"{kind}{offered.key.fingerprint}",),
            key_ids=(offered.key.fingerprint,),
        )
    # an own authority speaks for names that another one may give to somebody else
    issuer = certificate.issuer or f"ca:{checked.chain[-1].key.fingerprint}"
    return Signatory(
        scheme="cosign",
        name=certificate.name or "nobody by name",
        keys=(f"{kind}{issuer} {certificate.name}", f"{kind}{offered.key.fingerprint}"),
    )


def _notes(checked: Checked, signer: CosignSigner) -> "Iterator[tuple[str, str]]":
    """What people want to know besides: who certified it, which logs have it, who says when, what was let pass."""
    certificate = checked.offered.certificate
    records = checked.timed.logged.records
    if certificate is not None and certificate.issuer:
        yield "issuer", certificate.issuer
    for record in records:
        yield "log", f"{record.origin} {record.index}"
        for name in record.witnesses:
            yield "witness", f"{name} of {record.origin}"
    for time, by in checked.timed.times:
        yield "time", f"{time:%Y-%m-%dT%H:%M:%SZ} by {by}"
    if not records and signer.accept_unlogged:
        yield "in no log,", f"accepted: {signer.accept_unlogged}"
    if certificate is not None and signer.accept_uncertified:
        yield "no certificate log asked,", f"accepted: {signer.accept_uncertified}"
    yield "from", checked.offered.material.name
