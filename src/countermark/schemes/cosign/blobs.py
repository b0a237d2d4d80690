"""Cosign: sign files, or attest things about them; as bundles, and in the forms from before bundles.

Specs: cosign, 2a and 2c; observed, 2.5. One signature serves all forms, and it is verified as whoever gets it will,
before anybody sees it. A file is hashed and never held, but for the one kind of signature that needs all of it.
"""

from countermark.core.errors import InputError, MalformedError
from countermark.core.light import Sequence, datetime
from countermark.core.value import Value
from countermark.formats import payloads
from countermark.formats.bundle import Bundle, MessageSignature
from countermark.formats.legacy import BlobBundle
from countermark.formats.payloads import Envelope, StatementSubject
from countermark.formats.trusted_root import TrustedRoot
from countermark.proofs import pem, signatures, spki
from countermark.schemes.cosign import evidence, material, self_check
from countermark.schemes.cosign.evidence import Held, Holder, Services
from countermark.schemes.cosign.material import Artifact, Material


class SignedFile(Value):
    """A signature of a file, or an attestation about one, to be written in whichever form is wanted.

    Attributes:
        bundle: as it is kept today.
        certificate: PEM; b"" where a bare key signed.
        timestamp: the RFC 3161 answer over what it is over in the form that is wanted, DER; b"" without one.
    """

    bundle: Bundle
    certificate: bytes = b""
    timestamp: bytes = b""

    @property
    def signature(self) -> bytes:
        """What a file of its own holds: the signature's bytes, or the envelope in JSON."""
        content = self.bundle.content
        return content.encode() if isinstance(content, Envelope) else content.signature

    @property
    def statement(self) -> bytes:
        """The statement in an attestation; b"" of a signature."""
        content = self.bundle.content
        return content.payload if isinstance(content, Envelope) else b""

    def old_bundle(self) -> bytes:
        """Write it as ``sign-blob --bundle`` did before bundles; made by a signer that was told of this form."""
        entry = self.bundle.entries[0].replace(proof=None) if self.bundle.entries else None
        return BlobBundle(
            signature=self.signature, certificate=self.certificate, entry=entry
        ).encode()


class FileSigner:
    """Signs files, and attests things about them."""

    def __init__(
        self,
        holder: Holder,
        services: Services,
        root: TrustedRoot | None = None,
        *,
        old_form: bool = False,
    ) -> None:
        """Take what signing needs; ``root`` is what the result is verified against.

        Raises:
            InputError: the holder needs other services, or the form from before bundles does, which is wanted too.
        """
        self_check.check_services(holder, services, legacy=old_form)
        self._holder, self._services, self._root = holder, services, root
        self._old_form = old_form

    def ready(self, now: datetime) -> None:
        """Have the key ready, and certified where it has to be, before any file is looked at.

        Raises:
            As ``Holder.hold``.
        """
        self._holder.hold(now)

    def sign(self, artifact: Artifact, now: datetime) -> SignedFile:
        """Sign a file.

        Raises:
            InputError: what was made would not verify.
            KeyAccessError, RefusedError, UnavailableError, EvidenceError: as key and services have it.
        """
        held = self._holder.hold(now)
        is_pure = self._old_form and self._services.log is None
        found = evidence.prove(artifact, held, self._services, now, is_pure=is_pure)
        algorithm = signatures.hash_for(spki.parse(held.key.public_der))
        message = MessageSignature(
            algorithm=algorithm, digest=artifact.digest(algorithm), signature=found.signature
        )
        bundle = evidence.bundle_of(found, message)
        own = Material(
            name="the signature",
            place="",
            signature=found.signature,
            signed=artifact,
            stamped=found.signature,
            payload=b"",
            certificates=held.certificates,
            entries=found.entries,
            timestamps=found.timestamps,
            said_digest=(algorithm, message.digest),
        )
        self._demand(own, held, artifact, "", now)
        return SignedFile(
            bundle=bundle,
            certificate=_certificate(held),
            timestamp=found.timestamps[0] if found.timestamps else b"",
        )

    def attest(
        self,
        subjects: Sequence[StatementSubject],
        artifact: Artifact | None,
        predicate_type: str,
        predicate: bytes,
        now: datetime,
    ) -> SignedFile:
        """State something about files; ``artifact`` is one of them, which the result is held against.

        Raises:
            As ``sign``; InputError also where the predicate is no JSON object.
        """
        content = payloads.encode_attestation(subjects, predicate_type, predicate)
        return self.attest_whole(content, artifact, now)

    def attest_whole(self, content: bytes, artifact: Artifact | None, now: datetime) -> SignedFile:
        """Sign a whole in-toto statement as it is; ``artifact`` is a file that it has to be about, if any.

        Raises:
            As ``attest``.
        """
        try:
            stated = payloads.InTotoStatement.parse(content)
        except MalformedError as error:
            raise InputError(f"invalid statement: {error}") from None
        held = self._holder.hold(now)
        bundle, envelope = evidence.seal(content, held, self._services, now)
        own = material.of_envelope(bundle, envelope, "the attestation", "")
        own = own.replace(certificates=held.certificates, is_chain=False)
        self._demand(own, held, artifact, stated.predicate_type, now)
        return SignedFile(
            bundle=bundle, certificate=_certificate(held), timestamp=self._stamp(bundle, envelope)
        )

    def _stamp(self, bundle: Bundle, envelope: Envelope) -> bytes:
        """The timestamp for a file beside it: of the old form over the whole envelope, unlike in bundles."""
        if self._services.stamper is not None and self._old_form:
            return self._services.stamper.stamp(envelope.encode())
        return bundle.timestamps[0] if bundle.timestamps else b""

    def _demand(
        self,
        own: Material,
        held: Held,
        artifact: Artifact | None,
        predicate_type: str,
        now: datetime,
    ) -> None:
        """Verify what was made, before anybody sees it."""
        terms = self_check.Terms(
            services=self._services,
            root=self._root,
            subject=artifact,
            predicate_type=predicate_type,
        )
        self_check.demand(own, held, terms, now)


def _certificate(held: Held) -> bytes:
    if not held.certificates:
        return b""
    return pem.Block(type="CERTIFICATE", content=held.certificates[0]).encode()
