"""Cosign: sign files, or attest things about them; as bundles, and in the forms from before bundles.

Specs: cosign, 2a and 2c; observed, 2.5. One signature serves all forms, and it is verified as whoever gets it will,
before anybody sees it. A file is hashed and never held, but for the one kind of signature that needs all of it.
"""

from countermark.core.light import Sequence, datetime
from countermark.core.value import Value
from countermark.formats import payloads
from countermark.formats.bundle import Bundle, MessageSignature
from countermark.formats.legacy import BlobBundle
from countermark.formats.payloads import Envelope, StatementSubject
from countermark.formats.trusted_root import TrustedRoot
from countermark.proofs import pem, public_keys, signatures, spki
from countermark.schemes.cosign import evidence, material, self_check
from countermark.schemes.cosign.evidence import Held, Holder, Services
from countermark.schemes.cosign.material import Artifact, Material


class SignedFile(Value):
    """A signature of a file, or an attestation about one, to be written in whichever form is wanted.

    Attributes:
        bundle: as it is kept today.
        signer: the certificate, or else the public key, PEM.
    """

    bundle: Bundle
    signer: bytes

    @property
    def signature(self) -> bytes:
        """What a file of its own holds: the signature's bytes, or the envelope in JSON."""
        content = self.bundle.content
        return content.encode() if isinstance(content, Envelope) else content.signature

    @property
    def timestamp(self) -> bytes:
        """The RFC 3161 answer over the signature, DER; b"" without one."""
        return self.bundle.timestamps[0] if self.bundle.timestamps else b""

    def old_bundle(self) -> bytes:
        """Write it as ``sign-blob --bundle`` did before bundles; made by a signer that was told of this form."""
        entry = self.bundle.entries[0].replace(proof=None) if self.bundle.entries else None
        return BlobBundle(signature=self.signature, certificate=self.signer, entry=entry).encode()


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

    def sign(self, artifact: Artifact, now: datetime) -> SignedFile:
        """Sign a file.

        Raises:
            InputError: what was made would not verify.
            KeyAccessError, RefusedError, UnavailableError, EvidenceError: as key and services have it.
        """
        held = self._holder.hold(now)
        found = evidence.prove(artifact, held, self._services, now)
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
        return SignedFile(bundle=bundle, signer=_signer(held))

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
        held = self._holder.hold(now)
        bundle, envelope = evidence.seal(content, held, self._services, now)
        own = material.of_envelope(bundle, envelope, "the attestation", "")
        own = own.replace(certificates=held.certificates, is_chain=False)
        self._demand(own, held, artifact, predicate_type, now)
        return SignedFile(bundle=bundle, signer=_signer(held))

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


def _signer(held: Held) -> bytes:
    if held.certificates:
        return pem.Block(type="CERTIFICATE", content=held.certificates[0]).encode()
    return public_keys.encode(spki.parse(held.key.public_der))
