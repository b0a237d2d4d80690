"""Nothing is published that we would refuse: what was just made is verified as whoever gets it will.

And before anything is made: do the services that are at hand prove what will be asked for?
"""

from countermark.core.errors import Code, EvidenceError, InputError
from countermark.core.light import datetime
from countermark.core.reference import Subject
from countermark.core.signer import CosignSigner, Identity
from countermark.core.value import Value
from countermark.formats.payloads import SIGN_PREDICATE
from countermark.formats.trusted_root import TrustedRoot
from countermark.proofs import pem, public_keys, signing_certificates, spki
from countermark.schemes.cosign import check, verifier
from countermark.schemes.cosign.check import Wanted
from countermark.schemes.cosign.evidence import Held, Holder, Services
from countermark.schemes.cosign.material import Artifact, Material

_FIRST_KIND = "the legacy format holds entries of Rekor 1 alone"
_FIRST_KIND_HINT = "use the bundle format, or a signing config with a Rekor 1"


class Terms(Value):
    """What a result is held against.

    Attributes:
        services: what was asked to prove it.
        root: the logs and authorities that are trusted; None where neither log nor certificate is used.
        subject: what it has to be about.
        predicate_type: of an attestation; that of cosign's signatures, or "", for a signature.
    """

    services: Services
    root: TrustedRoot | None
    subject: Subject | Artifact | None
    predicate_type: str = ""


def demand(own: Material, held: Held, terms: Terms, now: datetime) -> None:
    """Verify what was made.

    Raises:
        InputError: it does not verify; with the code of the step that failed.
    """
    wanted = wanted_of(held, terms, now)
    if wanted.key is not None:
        own = own.replace(certificates=())  # a certificate that no chain came with proves nothing
    try:
        check.check(own, wanted)
    except EvidenceError as error:
        hint = "the trusted root has to know the services that were used"
        raise InputError(
            f"the signature just made does not verify, and nothing was published: {error}",
            code=Code.BAD_INPUT if error.code == Code.MALFORMED else error.code,
            hint=error.hint
            or (hint if terms.services.log is not None or held.certificates else ""),
        ) from error


def wanted_of(held: Held, terms: Terms, now: datetime) -> Wanted:
    """Say what a holder's own signature is held against."""
    predicate = "" if terms.predicate_type in ("", SIGN_PREDICATE) else terms.predicate_type
    believed = _believed(held, terms.services, predicate)
    return verifier.wanted_of(believed, terms.subject, now, terms.root)


def _believed(held: Held, services: Services, predicate: str) -> CosignSigner:
    """The trusted signer that would believe in a holder: by identity, by an own authority, or by key."""
    unlogged = "" if services.log is not None else "no log was asked"
    leaf = signing_certificates.parse(held.certificates[0]) if held.certificates else None
    if leaf is not None and leaf.issuer:
        return CosignSigner(
            name="ourselves",
            identity=Identity(subject=leaf.name, issuer=leaf.issuer),
            predicate=predicate,
            accept_unlogged=unlogged,
        )
    if leaf is not None and len(held.certificates) > 1:
        return CosignSigner(
            name="ourselves",
            ca=tuple(_pem(each) for each in held.certificates[1:]),
            ca_subject=leaf.name,
            predicate=predicate,
            accept_unlogged=unlogged,
            accept_uncertified="an authority of one's own has no public log",
        )
    return CosignSigner(
        name="ourselves",
        key=public_keys.encode(spki.parse(held.key.public_der)).decode("ascii"),
        predicate=predicate,
        accept_unlogged=unlogged,
    )


def _pem(certificate: bytes) -> str:
    return pem.Block(type="CERTIFICATE", content=certificate).encode().decode("ascii")


# Before anything is made ------------------------------------------------------------------------------------


def check_services(holder: Holder, services: Services, *, legacy: bool) -> None:
    """Refuse what could not be verified afterwards, before a token is used or a log written to.

    Raises:
        InputError: nothing would prove when it was signed; or the form from before bundles is wanted, and has no
            room for what the services give.
    """
    log = services.log
    first_kind = log is not None and log.is_first_kind
    if legacy and log is not None and not first_kind:
        raise InputError(f"{_FIRST_KIND}, and the log here is Rekor 2", hint=_FIRST_KIND_HINT)
    if not holder.is_short_lived:
        return
    if legacy and log is None:
        raise InputError(
            f"{_FIRST_KIND}, and without one nothing proves when an identity signed",
            hint=_FIRST_KIND_HINT,
        )
    if services.stamper is None and not first_kind:
        raise InputError(
            "a timestamp authority must be provided to request a short-lived certificate",
            hint="add one to the signing config: signing-config create --tsa … --tsa-config ANY",
        )
