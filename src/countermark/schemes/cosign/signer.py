"""Cosign: sign with a key or an identity, log it, attach it."""

from countermark.core.errors import InputError, UnavailableError
from countermark.core.light import Callable, Mapping, Sequence, datetime
from countermark.core.reference import Repository, Subject
from countermark.core.value import Value
from countermark.formats import oci, payloads
from countermark.formats.bundle import Bundle
from countermark.formats.legacy import LegacySignature
from countermark.formats.payloads import SIGN_PREDICATE, Envelope, StatementSubject
from countermark.formats.trusted_root import TrustedRoot
from countermark.proofs import pem, signing_certificates, spki
from countermark.schemes.cosign import attach, evidence, examination, material, self_check
from countermark.schemes.cosign.attach import SignatureRegistry
from countermark.schemes.cosign.evidence import Held, Holder, Services
from countermark.schemes.cosign.examination import is_older
from countermark.schemes.cosign.material import Material
from countermark.schemes.interface import Receipt, Statement

BUNDLE, LEGACY, BOTH = "bundle", "legacy", "both"
FORMATS = (BUNDLE, LEGACY, BOTH)

Publish = Callable[[], str]  # puts what was made into its place, and says where that is


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


class Predicate(Value):
    """What is to be stated about an image: its type, a URI, and a JSON object."""

    type: str
    content: bytes


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
        """Take what signing needs; ``place_of`` says in which repository an image's signatures lie.

        Raises:
            InputError: the format or the holder needs other services.
        """
        self_check.check_services(holder, services, legacy=terms.format != BUNDLE)
        self._registry, self._holder = registry, holder
        self._services, self._terms, self._place_of = services, terms, place_of

    def sign(self, statement: Statement, now: datetime) -> Receipt:
        """Sign an image, and put the signature beside it.

        Raises:
            InputError: what was made would not verify.
            KeyAccessError, RefusedError, UnavailableError, EvidenceError: as key, services and registry have it.
        """
        subject, annotations = statement.subject, dict(statement.annotations)
        made: list[Publish] = []
        if self._terms.format != BUNDLE:
            made.append(self._legacy_signature(subject, annotations, now))
        if self._terms.format != LEGACY:
            content = payloads.encode_signature(subject.digest, annotations)
            made.append(self._bundle(subject, content, SIGN_PREDICATE, now))
        return self._published(made, now)

    def has_signed(self, subject: Subject, now: datetime) -> bool:
        """Say whether this holder's signature lies beside an image already, in every form that is wanted.

        Raises:
            UnavailableError: something there could not be read now. Else as ``sign``.
        """
        held = self._holder.hold(now)
        wanted = self_check.wanted_of(held, self._self_check(subject, SIGN_PREDICATE), now)
        place = self._place_of(subject.repository)
        found = examination.examine(self._registry, place, wanted)
        for trouble in found.troubles:
            if trouble.may_pass:
                raise UnavailableError(f"{trouble.name}: {trouble.reason}", code=trouble.code)
        forms = {LEGACY if is_older(each.material) else BUNDLE for each in found.good}
        return forms >= ({BUNDLE, LEGACY} if self._terms.format == BOTH else {self._terms.format})

    def attest(
        self, subject: Subject, predicate_type: str, predicate: bytes, now: datetime
    ) -> Receipt:
        """State something about an image, and put the attestation beside it.

        Raises:
            As ``sign``; InputError also where the predicate is no JSON object.
        """
        return self.attest_all([subject], [Predicate(type=predicate_type, content=predicate)], now)

    def attest_all(
        self, subjects: Sequence[Subject], predicates: Sequence[Predicate], now: datetime
    ) -> Receipt:
        """State several things about each of several images: all is made and verified before any is published.

        Raises:
            As ``attest``.
        """
        made: list[Publish] = []
        for subject in subjects:
            for each in predicates:
                made += self._attestation(subject, each, now)
        return self._published(made, now)

    def _attestation(self, subject: Subject, predicate: Predicate, now: datetime) -> list[Publish]:
        """One attestation in each form: the same signature in both."""
        about = StatementSubject(
            name=str(subject.repository.name),
            digests={subject.digest.algorithm: subject.digest.hex},
        )
        content = payloads.encode_attestation([about], predicate.type, predicate.content)
        held = self._holder.hold(now)
        bundle, envelope = self._sealed(subject, content, predicate.type, now)
        made: list[Publish] = []
        if self._terms.format != BUNDLE:
            old = legacy_attestation(bundle, envelope, predicate.type, held)
            if self._services.stamper is not None:  # over the whole envelope, unlike in bundles
                old = old.replace(timestamp=self._services.stamper.stamp(old.stamped))
            made.append(lambda: self._attach_legacy(subject, old))
        if self._terms.format != LEGACY:
            made.append(lambda: self._attach_bundle(subject, bundle, predicate.type, now))
        return made

    def _published(self, made: Sequence[Publish], now: datetime) -> Receipt:
        """Publish everything, once all of it is made and verified."""
        places = tuple(publish() for publish in made)
        held = self._holder.hold(now)
        if held.certificates:
            who = signing_certificates.parse(held.certificates[0]).name
        else:
            who = spki.parse(held.key.public_der).fingerprint
        return Receipt(scheme="cosign", location=places[-1], signatories=(who,), texts=places)

    # Bundles ----------------------------------------------------------------------------------------

    def _bundle(
        self, subject: Subject, content: bytes, predicate_type: str, now: datetime
    ) -> Publish:
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
        digest = attach.attach_bundle(
            self._registry, place, oci.describe(subject), content, predicate_type, now
        )
        return f"{place.name}@{digest}"

    # The older form ---------------------------------------------------------------------------------

    def _legacy_signature(
        self, subject: Subject, annotations: Mapping[str, str], now: datetime
    ) -> Publish:
        held = self._holder.hold(now)
        content = payloads.encode(subject.repository.name, subject.digest, annotations)
        found = evidence.prove(content, held, self._services, now)
        certificate, chain = _texts(held)
        made = LegacySignature(
            payload=content,
            signature=found.signature,
            certificate=certificate,
            chain=chain,
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
        if not self._terms.publish:
            return ""
        tag = attach.attach_legacy(self._registry, place, subject.digest, found)
        return f"{place.name}:{tag}"

    def _demand(
        self, own: Material, held: Held, subject: Subject, predicate_type: str, now: datetime
    ) -> None:
        """Verify what was made, before anybody sees it."""
        self_check.demand(own, held, self._self_check(subject, predicate_type), now)

    def _self_check(self, subject: Subject, predicate_type: str) -> self_check.Terms:
        return self_check.Terms(
            services=self._services,
            root=self._terms.root,
            subject=subject,
            predicate_type=predicate_type,
        )


def legacy_attestation(
    bundle: Bundle, envelope: Envelope, predicate_type: str, held: Held
) -> LegacySignature:
    """The same attestation as it lay before bundles; without a timestamp, which is over other bytes there."""
    certificate, chain = _texts(held)
    return LegacySignature(
        payload=envelope.encode(),
        signature=envelope.signatures[0].value,
        is_attestation=True,
        certificate=certificate,
        chain=chain,
        entry=bundle.entries[0].replace(proof=None) if bundle.entries else None,
        predicate_type=predicate_type,
    )


def _texts(held: Held) -> tuple[str, str]:
    """The certificate and those above it, as PEM texts."""
    texts = [
        pem.Block(type="CERTIFICATE", content=each).encode().decode("ascii")
        for each in held.certificates
    ]
    return (texts[0], "".join(texts[1:])) if texts else ("", "")
