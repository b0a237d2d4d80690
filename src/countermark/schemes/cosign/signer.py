"""Cosign: sign with a key or an identity, log it, attach it."""

from countermark.core.errors import EvidenceError, InputError
from countermark.core.light import Callable, Mapping, datetime
from countermark.core.reference import Repository, Subject
from countermark.core.signer import CosignSigner, Identity
from countermark.core.value import Value
from countermark.formats import oci, payloads
from countermark.formats.bundle import Bundle
from countermark.formats.legacy import LegacySignature
from countermark.formats.payloads import SIGN_PREDICATE, Envelope, StatementSubject
from countermark.formats.trusted_root import TrustedRoot
from countermark.proofs import pem, public_keys, signing_certificates, spki
from countermark.schemes.cosign import attach, check, evidence, material, verifier
from countermark.schemes.cosign.attach import SignatureRegistry
from countermark.schemes.cosign.evidence import Held, Holder, Services
from countermark.schemes.cosign.material import Material
from countermark.schemes.interface import Receipt, Statement

BUNDLE, LEGACY, BOTH = "bundle", "legacy", "both"
FORMATS = (BUNDLE, LEGACY, BOTH)


class Terms(Value):
    """How is signed.

    Attributes:
        format: ``bundle``, ``legacy`` or ``both``, which signs twice, since each form signs other bytes.
        publish: whether the registry gets it.
        keep: takes each bundle that is made, for who wants it in a file.
        root: what the result is verified against before anybody sees it; None where neither log nor identity is used.
    """

    format: str = BUNDLE
    root: TrustedRoot | None = None
    publish: bool = True
    keep: Callable[[bytes], None] | None = None

    def _check(self) -> None:
        if self.format not in FORMATS:
            raise InputError(f"no format {self.format[:40]!r}: {', '.join(FORMATS)}")


class CosignImageSigner:
    """Signs images and attests things about them; nothing is published that we would refuse."""

    def __init__(
        self,
        registry: SignatureRegistry,
        holder: Holder,
        services: Services,
        terms: Terms,
        place_of: Callable[[Repository], Repository] = lambda repository: repository,
    ) -> None:
        """Take what signing needs; ``place_of`` says in which repository an image's signatures lie."""
        self._registry, self._holder = registry, holder
        self._services, self._terms, self._place_of = services, terms, place_of

    def sign(self, statement: Statement, now: datetime) -> Receipt:
        """Sign an image, and put the signature beside it.

        Raises:
            InputError: the format needs another log, or what was made would not verify.
            KeyAccessError, RefusedError, UnavailableError, EvidenceError: as key, services and registry have it.
        """
        subject, annotations = statement.subject, dict(statement.annotations)
        made: list[Callable[[], str]] = []
        if self._terms.format != BUNDLE:
            made.append(self._legacy_signature(subject, annotations, now))
        if self._terms.format != LEGACY:
            content = payloads.encode_signature(subject.digest, annotations)
            made.append(self._bundle(subject, content, SIGN_PREDICATE, now))
        places = tuple(publish() for publish in made)  # only once everything is made and verified
        return self._receipt(places, now)

    def attest(
        self, subject: Subject, predicate_type: str, predicate: bytes, now: datetime
    ) -> Receipt:
        """State something about an image, and put the attestation beside it.

        Raises:
            As ``sign``; InputError also where the predicate is no JSON object.
        """
        about = StatementSubject(
            name=str(subject.repository.name),
            digests={subject.digest.algorithm: subject.digest.hex},
        )
        content = payloads.encode_attestation([about], predicate_type, predicate)
        made: list[Callable[[], str]] = []
        bundle, envelope = self._sealed(subject, content, predicate_type, now)
        if self._terms.format != BUNDLE:
            found = legacy_attestation(bundle, envelope, predicate_type)
            made.append(lambda: self._attach_legacy(subject, found))
        if self._terms.format != LEGACY:
            made.append(lambda: self._attach_bundle(subject, bundle, predicate_type, now))
        return self._receipt(tuple(publish() for publish in made), now)

    def _receipt(self, places: tuple[str, ...], now: datetime) -> Receipt:
        held = self._holder.hold(now)
        if held.certificates:
            who = signing_certificates.parse(held.certificates[0]).name
        else:
            who = spki.parse(held.key.public_der).fingerprint
        return Receipt(scheme="cosign", location=places[-1], signatories=(who,), texts=places)

    # Bundles ----------------------------------------------------------------------------------------

    def _bundle(
        self, subject: Subject, content: bytes, predicate_type: str, now: datetime
    ) -> Callable[[], str]:
        bundle, _ = self._sealed(subject, content, predicate_type, now)
        return lambda: self._attach_bundle(subject, bundle, predicate_type, now)

    def _sealed(
        self, subject: Subject, content: bytes, predicate_type: str, now: datetime
    ) -> tuple[Bundle, Envelope]:
        held = self._holder.hold(now)
        bundle, envelope = evidence.seal(content, held, self._services, now)
        own = material.of_envelope(bundle, envelope, "the signature", "")
        self._demand(own, held, subject, predicate_type, now)
        return bundle, envelope

    def _attach_bundle(
        self, subject: Subject, bundle: Bundle, predicate_type: str, now: datetime
    ) -> str:
        content = bundle.encode()
        if self._terms.keep is not None:
            self._terms.keep(content)
        place = self._place_of(subject.repository)
        if not self._terms.publish:
            return ""
        descriptor = oci.Descriptor(
            media_type=subject.media_type or oci.OCI_MANIFEST,
            digest=subject.digest,
            size=subject.size or 0,
        )
        digest = attach.attach_bundle(
            self._registry, place, descriptor, content, predicate_type, now
        )
        return f"{place.name}@{digest}"

    # The older form ---------------------------------------------------------------------------------

    def _legacy_signature(
        self, subject: Subject, annotations: Mapping[str, str], now: datetime
    ) -> Callable[[], str]:
        held = self._holder.hold(now)
        if self._services.log is not None and not self._services.log.is_first_kind:
            raise InputError(
                "the legacy format holds entries of Rekor 1 alone, and the log here is Rekor 2",
                hint="sign --format bundle, or use a signing config with a Rekor 1",
            )
        content = payloads.encode(subject.repository.name, subject.digest, annotations)
        found = evidence.prove(content, held, self._services, now)
        certificates = [_pem(each) for each in held.certificates]
        made = LegacySignature(
            payload=content,
            signature=found.signature,
            certificate=certificates[0] if certificates else "",
            chain="".join(certificates[1:]),
            entry=found.entries[0].replace(proof=None) if found.entries else None,
            timestamp=found.timestamps[0] if found.timestamps else b"",
        )
        own = Material(
            name="the signature",
            place="",
            signature=made.signature,
            signed=content,
            stamped=made.signature,
            payload=content,
            certificates=held.certificates,
            entries=() if made.entry is None else (made.entry,),
            timestamps=found.timestamps,
        )
        self._demand(own, held, subject, SIGN_PREDICATE, now)
        return lambda: self._attach_legacy(subject, made)

    def _attach_legacy(self, subject: Subject, found: LegacySignature) -> str:
        place = self._place_of(subject.repository)
        tag = attach.attach_legacy(self._registry, place, subject.digest, found)
        return f"{place.name}:{tag}"

    # Before anybody sees it ----------------------------------------------------------------------------

    def _demand(
        self, own: Material, held: Held, subject: Subject, predicate_type: str, now: datetime
    ) -> None:
        """Verify what was made as whoever gets it will.

        Raises:
            InputError: it does not verify.
        """
        predicate = "" if predicate_type == SIGN_PREDICATE else predicate_type
        believed = believed_as(held, self._services, predicate)
        wanted = verifier.wanted_of(believed, subject, now, self._terms.root)
        try:
            check.check(own, wanted)
        except EvidenceError as error:
            raise evidence.refused("the signature just made", error) from error


def believed_as(held: Held, services: Services, predicate: str = "") -> CosignSigner:
    """The trusted signer that would believe in a holder, for verifying what it has just signed."""
    more = {
        "name": "ourselves",
        "predicate": predicate,
        "accept_unlogged": "" if services.log is not None else "no log was asked",
    }
    if not held.certificates:
        key = public_keys.encode(spki.parse(held.key.public_der)).decode("ascii")
        return CosignSigner(key=key, **more)  # type: ignore[arg-type]
    leaf = signing_certificates.parse(held.certificates[0])
    identity = Identity(subject=leaf.name, issuer=leaf.issuer)
    return CosignSigner(identity=identity, **more)  # type: ignore[arg-type]


def legacy_attestation(bundle: Bundle, envelope: Envelope, predicate_type: str) -> LegacySignature:
    """The same attestation as it lay before bundles.

    Raises:
        InputError: its log entry is Rekor 2's, for which that form has no room.
    """
    entry = bundle.entries[0] if bundle.entries else None
    if entry is not None and not entry.promise:
        raise InputError(
            "the legacy format holds entries of Rekor 1 alone, and the log here is Rekor 2",
            hint="attest --format bundle, or use a signing config with a Rekor 1",
        )
    certificates = [_pem(each) for each in bundle.certificates]
    return LegacySignature(
        payload=envelope.encode(),
        signature=envelope.signatures[0].value,
        is_attestation=True,
        certificate=certificates[0] if certificates else "",
        chain="".join(certificates[1:]),
        entry=entry.replace(proof=None) if entry is not None else None,
        predicate_type=predicate_type,
    )


def _pem(certificate: bytes) -> str:
    return pem.Block(type="CERTIFICATE", content=certificate).encode().decode("ascii")
