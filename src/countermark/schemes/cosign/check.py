"""The steps that verify one signature, numbered as in the spec.

Specs: cosign, 3.3. Each step is a function that takes what the one before it has proven and returns what it proves
itself, so that none can be left out or taken out of its order; each fails with a code of its own. Bundles and older
signatures go the same way. Where cosign 3.1.3 accepts more than is sound this does not: a log entry has to say the
same everywhere that it says something, an attestation is no signature, and nothing is fetched for what is missing.
"""

from countermark.core.errors import Code, EvidenceError, NotLoggedError, SignatureError
from countermark.core.light import datetime, sha256, sha512
from countermark.core.reference import Subject
from countermark.core.signer import CosignSigner
from countermark.core.value import Value
from countermark.formats.payloads import SIGN_PREDICATE
from countermark.formats.trusted_root import TrustedRoot
from countermark.proofs import signatures
from countermark.proofs.spki import PublicKey
from countermark.schemes.cosign import statements
from countermark.schemes.cosign.material import Artifact, Material
from countermark.schemes.cosign.statements import Stated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.proofs import x509
    from countermark.proofs.cosignatures import WitnessKey
    from countermark.proofs.signing_certificates import SigningCertificate
    from countermark.schemes.cosign.entries import LogRecord

# What reads certificates, logs and timestamps is loaded where there are some: a key alone needs none of it.


class Wanted(Value):
    """What one signer's evidence is held against.

    Attributes:
        signer: whom the policy names.
        key: its public key, None where a certificate is demanded.
        authorities: its own certificate authorities, where it has such.
        root: the logs and authorities that are trusted, None where none are needed.
        subject: the image, or the file; None where an attestation may be about anything.
        now: the time of this verification.
        witnesses: those of whom ``signer.witnesses_needed`` have to have cosigned what a log says.
        accept_chain: a bundle of today's version may hold a chain of certificates, which it has no place for.
    """

    signer: CosignSigner
    key: PublicKey | None
    authorities: "tuple[x509.Certificate, ...]"
    root: TrustedRoot | None
    subject: Subject | Artifact | None
    now: datetime
    witnesses: "tuple[WitnessKey, ...]" = ()
    accept_chain: bool = False

    @property
    def image(self) -> Subject:
        """The image.

        Raises:
            TypeError: it is about a file; a mistake of the caller's code.
        """
        if not isinstance(self.subject, Subject):
            raise TypeError("not about an image")
        return self.subject


# 1 What is it signed with? ------------------------------------------------------------------------------


class Offered(Value):
    """A signature, and what it is said to be made with: a key that we know, or a certificate yet to be believed."""

    material: Material
    wanted: Wanted
    key: PublicKey
    certificate: "SigningCertificate | None" = None


def offered(material: Material, wanted: Wanted) -> Offered:
    """1. Parsing was done when it was found; here: the key material is of the kind that is demanded.

    A key's hint is compared where there is one (cosign does not): it tells who signed, and may not tell a lie.

    Raises:
        EvidenceError: ``key-material``; ``malformed``, a certificate that cannot be read.
    """
    if wanted.key is not None:
        if material.certificates:
            raise EvidenceError(
                "made with a certificate, expected is the signer's key", code=Code.KEY_MATERIAL
            )
        if not _is_hint_of(material.key_hint, wanted.key):
            raise EvidenceError(
                f"made with key {material.key_hint[:100]!r}, expected is {_hint(wanted.key)!r}",
                code=Code.KEY_MATERIAL,
            )
        return Offered(material=material, wanted=wanted, key=wanted.key)
    if not material.certificates:
        raise EvidenceError(
            "made with a bare key, expected is a certificate", code=Code.KEY_MATERIAL
        )
    if material.is_chain and not wanted.accept_chain and not wanted.signer.ca:
        raise EvidenceError(
            "verification material cannot be X.509 certificate chain (for bundle v0.3)",
            code=Code.KEY_MATERIAL,
            hint="cosign verify --allow-certificate-chain takes it",
        )
    from countermark.proofs import signing_certificates  # noqa: PLC0415

    certificate = signing_certificates.parse(material.certificates[0])
    return Offered(
        material=material, wanted=wanted, key=certificate.certificate.key, certificate=certificate
    )


def _hint(key: PublicKey) -> str:
    """How cosign names a key: the sha256 of its SubjectPublicKeyInfo, in base64."""
    from binascii import b2a_base64  # noqa: PLC0415 - one name

    return b2a_base64(sha256(key.der).digest(), newline=False).decode()


def _is_hint_of(hint: str, key: PublicKey) -> bool:
    return hint in ("", _hint(key), key.fingerprint)


# 2 Is it in a log? ---------------------------------------------------------------------------------------


class Logged(Value):
    """A signature, and the logs that are proven to have it; none where the signer is accepted unlogged."""

    offered: Offered
    records: "tuple[LogRecord, ...]"


def logged(before: Offered) -> Logged:
    """2. Log entries: each of a log that we trust is about this very signature, and is proven.

    Entries of other logs count for nothing, nor do those of which too few witnesses know. Of those that count there
    are as many different logs as demanded.

    Raises:
        EvidenceError: ``not-logged``; ``entry``, ``promise``, ``inclusion``, ``checkpoint``: an entry of a trusted
            log that is not as it must be.
    """
    wanted, material = before.wanted, before.material
    signer = wanted.signer
    records: list[LogRecord] = []
    unwitnessed: EvidenceError | None = None
    for entry in material.entries if wanted.root is not None else ():
        from countermark.schemes.cosign import entries  # noqa: PLC0415

        try:
            record = entries.check(entry, material, before.key, wanted.root or TrustedRoot())
        except EvidenceError:
            if not signer.accept_unlogged:
                raise
            continue  # who accepts none at all does not refuse a bad one
        try:
            if record is not None:
                records.append(
                    entries.witnessed(record, entry, wanted.witnesses, signer.witnesses_needed)
                )
        except EvidenceError as error:
            unwitnessed = error
    count = len({record.log.key for record in records})
    if count < signer.threshold and unwitnessed is not None:
        raise unwitnessed
    if count < signer.threshold and not signer.accept_unlogged:
        there = len(material.entries)
        raise NotLoggedError(
            f"{count} of the logs that are trusted have it, expected are {signer.threshold}"
            f" ({there} {'entry' if there == 1 else 'entries'} with it)"
        )
    return Logged(offered=before, records=tuple(records))


# 3 When was it signed? -----------------------------------------------------------------------------------


class Timed(Value):
    """A signature, and the times at which others have seen it: (time, who says so), the earliest first."""

    logged: Logged
    times: tuple[tuple[datetime, str], ...]


def timed(before: Logged) -> Timed:
    """3. Observer times: what a log promises, and signed timestamps of different authorities that we trust.

    A certificate of ten minutes needs one; without one only who is accepted unlogged is judged by the present. A
    log's own key must have been in service: at its entry's time where the log states one, else at those proven here.

    Raises:
        EvidenceError: ``no-timestamp``; ``timestamp``, where one is needed and none verifies; ``not-logged``.
    """
    offered_ = before.offered
    signer = offered_.wanted.signer
    stamps, problem = _stamps(offered_)
    times = [(r.time, r.origin) for r in before.records if r.time is not None] + stamps
    needed = signer.timestamped and not stamps
    needed |= offered_.certificate is not None and not times and not signer.accept_unlogged
    if needed and problem is not None:
        raise problem
    if needed:
        what = (
            "a signed timestamp is demanded" if signer.timestamped else "the certificate needs one"
        )
        raise EvidenceError(
            f"nothing proves when it was signed, and {what}", code=Code.NO_TIMESTAMP
        )
    for record in before.records:
        if record.time is None and not all(record.is_in_service(time) for time, _ in times):
            raise NotLoggedError(f"log {record.origin} was not in service when it was signed")
    return Timed(logged=before, times=tuple(sorted(times)))


def _stamps(before: Offered) -> "tuple[list[tuple[datetime, str]], EvidenceError | None]":
    """Check the timestamps; of several by one authority the first counts. Where none verifies, say why."""
    material, root = before.material, before.wanted.root
    if root is None or not material.timestamps:
        return [], None
    from countermark.proofs import timestamps  # noqa: PLC0415

    known = root.timestamp_authorities
    try:
        found = timestamps.check_all(material.timestamps, material.stamped, known)
    except EvidenceError as error:
        return [], error
    return [(stamp.time, known[stamp.authority].name) for stamp in found], None


# 4 Who certified the key? -----------------------------------------------------------------------------------


class Certified(Value):
    """A signature, and the chain of its certificate to a trusted authority, leaf first; none for a key of ours."""

    timed: Timed
    chain: "tuple[x509.Certificate, ...]" = ()


def certified(before: Timed) -> Certified:
    """4. Certificate: at every proven time some trusted authority vouches for it; at the present where there is none.

    Raises:
        EvidenceError: ``bad-chain``, ``expired``.
    """
    offered_ = before.logged.offered
    times = [time for time, _ in before.times] or [offered_.wanted.now]
    chains = [_chain(offered_, time) for time in times]
    return Certified(timed=before, chain=chains[0])


def _chain(before: Offered, at: datetime) -> "tuple[x509.Certificate, ...]":
    """Build the chain at one time. What comes with a signature may complete it, and is never what it ends in."""
    wanted, certificate = before.wanted, before.certificate
    if certificate is None:
        return ()
    from countermark.proofs import signing_certificates, x509  # noqa: PLC0415

    brought = tuple(x509.parse(der) for der in before.material.certificates[1:])
    if wanted.authorities:
        between, roots = signing_certificates.split(wanted.authorities)
        leaf = certificate.certificate
        return signing_certificates.chain_at(leaf, (*between, *brought), roots, at)
    authorities = wanted.root.authorities if wanted.root is not None else ()
    return signing_certificates.chain_to_authority(certificate, authorities, at, brought)


# 5 Was it issued in public? ---------------------------------------------------------------------------------


class Published(Value):
    """A signature whose certificate a transparency log has promised to show, unless the signer is accepted so."""

    certified: Certified


def published(before: Certified) -> Published:
    """5. SCT: at least one certificate transparency log that we trust has signed for the certificate.

    Raises:
        EvidenceError: ``sct``.
    """
    offered_ = before.timed.logged.offered
    wanted = offered_.wanted
    if offered_.certificate is not None and not wanted.signer.accept_uncertified:
        from countermark.proofs import scts  # noqa: PLC0415

        logs = wanted.root.ct_logs if wanted.root is not None else ()
        scts.check(offered_.certificate, before.chain[1], logs)
    return Published(certified=before)


# 6 Is it a signature? ---------------------------------------------------------------------------------------


class Signed(Value):
    """A signature that verifies: what it is over was said by who is certified, or who holds the key."""

    published: Published


def signed(before: Published) -> Signed:
    """6. Signature, by the key, over the bytes that were found.

    The hash is the one that belongs to the key; SHA-256 is taken with P-384 and P-521 too, as cosign 3.1.3 writes and
    reads it. Ed25519 is taken over the message and, as cosign makes it, over its SHA-512 (Ed25519ph).

    Raises:
        EvidenceError: ``bad-signature``.
    """
    offered_ = before.certified.timed.logged.offered
    material, key = offered_.material, offered_.key
    if not is_signed(key, material.signed, material.signature):
        raise SignatureError("the signature is not by this key over this content")
    return Signed(published=before)


def is_signed(key: PublicKey, message: bytes | Artifact, signature: bytes) -> bool:
    """Say whether a key signed a message in one of the ways that are taken.

    Raises:
        EvidenceError: ``wrong-subject``, too little is known of a file to say.
    """
    if isinstance(message, Artifact):
        from countermark.schemes.cosign import artifacts  # noqa: PLC0415 - files only

        return artifacts.is_signed(key, message, signature)
    if signatures.verify(key, message, signature):
        return True
    if key.kind == "ed25519":
        return signatures.verify_digest(key, sha512(message).digest(), signature)
    return signatures.hash_for(key) != "sha256" and signatures.verify(
        key, message, signature, "sha256"
    )


# 7 Is it about this image? ----------------------------------------------------------------------------------


class About(Value):
    """A statement about the image, of the kind that is demanded, by whoever is certified or holds the key."""

    signed: Signed
    stated: Stated


def about(before: Signed) -> About:
    """7. Artifact: it is about this image or file, and is a signature, or the attestation that is demanded.

    cosign takes any attestation for a signature; a failing scan, signed by who scans, is none.

    Raises:
        EvidenceError: ``malformed``, ``wrong-subject``, ``predicate``.
    """
    offered_ = before.published.certified.timed.logged.offered
    if isinstance(offered_.wanted.subject, Subject):
        stated = statements.read(offered_.material, offered_.wanted.subject)
    else:
        from countermark.schemes.cosign import artifacts  # noqa: PLC0415 - files only

        stated = artifacts.read(offered_.material, offered_.wanted.subject)
    expected = offered_.wanted.signer.predicate or SIGN_PREDICATE
    if stated.predicate_type != expected:
        raise EvidenceError(
            f"states {_kind(stated.predicate_type)}, expected is {_kind(expected)}",
            code=Code.PREDICATE,
        )
    return About(signed=before, stated=stated)


def _kind(predicate_type: str) -> str:
    return "a signature" if predicate_type == SIGN_PREDICATE else repr(predicate_type)


# 8 Is it who is meant? --------------------------------------------------------------------------------------


class Vouched(Value):
    """A statement about the image by who is meant."""

    about: About


def by_whom(before: About) -> Vouched:
    """8. Identity: the certificate is for who is meant. A key was that already.

    Raises:
        EvidenceError: ``identity``.
    """
    offered_ = before.signed.published.certified.timed.logged.offered
    certificate, signer = offered_.certificate, offered_.wanted.signer
    if certificate is not None and signer.identity is not None:
        from countermark.schemes.cosign import identity  # noqa: PLC0415

        identity.check(
            signer.identity, certificate.name, certificate.issuer, certificate.extensions
        )
    elif certificate is not None and signer.ca_subject not in ("", certificate.name):
        raise EvidenceError(
            f"subject is {certificate.name!r}, expected is {signer.ca_subject!r}",
            code=Code.IDENTITY,
        )
    return Vouched(about=before)


# 9 Does it say what is demanded besides? --------------------------------------------------------------------


class Checked(Value):
    """A signature that has passed every step but the policy's condition, and what was proven on the way."""

    vouched: Vouched

    @property
    def stated(self) -> Stated:
        """What it states."""
        return self.vouched.about.stated

    @property
    def chain(self) -> "tuple[x509.Certificate, ...]":
        """Who certified the key, leaf first; empty for a key of ours."""
        return self.vouched.about.signed.published.certified.chain

    @property
    def timed(self) -> Timed:
        """When it was signed."""
        return self.vouched.about.signed.published.certified.timed

    @property
    def offered(self) -> Offered:
        """What it was signed with."""
        return self.timed.logged.offered


def claims(before: Vouched) -> Checked:
    """9. Claims: the annotations that are demanded are there, and the image's name where it has to be.

    Raises:
        EvidenceError: ``annotations``; ``wrong-subject``, for another name.
    """
    wanted = before.about.signed.published.certified.timed.logged.offered.wanted
    said = dict(before.about.stated.annotations)
    for name, text in wanted.signer.annotations:
        if said.get(name) != text:
            found = f"is {said[name]!r}" if name in said else "is missing"
            raise EvidenceError(
                f"annotation {name!r} {found}, expected is {text!r}", code=Code.ANNOTATIONS
            )
    if isinstance(wanted.subject, Subject):
        statements.check_name(before.about.stated, wanted.subject, wanted.signer.claims)
    return Checked(vouched=before)


def check(material: Material, wanted: Wanted) -> Checked:
    """Verify one signature for one signer: all the steps, in their order.

    Raises:
        EvidenceError: as the step that failed has it.
    """
    in_log = logged(offered(material, wanted))
    in_public = published(certified(timed(in_log)))
    return claims(by_whom(about(signed(in_public))))
