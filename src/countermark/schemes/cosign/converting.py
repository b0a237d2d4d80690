"""Attestations beside an image, put there in the other form too; those that are there in it already stay as they are.

Nothing is verified: whoever verifies does. But what is about another image, and what does not read back as what it
was made from, is not put there.
"""

from countermark.core.digest import Digest
from countermark.core.errors import CountermarkError, EvidenceError, InputError
from countermark.core.light import Callable, Iterator, datetime
from countermark.core.reference import Repository
from countermark.core.value import Value
from countermark.formats import bundle as bundles
from countermark.formats import legacy
from countermark.formats.bundle import LogEntry
from countermark.formats.legacy import LegacySignature
from countermark.formats.oci import Descriptor
from countermark.formats.payloads import SIGN_PREDICATE, Envelope, InTotoStatement
from countermark.schemes.cosign import attach, attach_given, beside, conversions
from countermark.schemes.cosign.attach import SignatureRegistry

BUNDLE, LEGACY = "bundle", "legacy"
CONVERTED, PRESENT, LEFT = "converted", "present", "left"
Prove = Callable[[LogEntry], LogEntry]  # gives an entry with the log's proof of it
Attestation = bundles.Bundle | LegacySignature


class Converted(Value):
    """What became of one attestation.

    Attributes:
        state: ``converted``, ``present`` in that form already, or ``left``.
        type: of its predicate, "" where that could not be read.
        location: where it lies in the other form; "" where it does not.
        reason: why it was left.
    """

    state: str
    type: str
    location: str = ""
    reason: str = ""


class Converter:
    """Converts what lies beside images in one repository.

    Args:
        registry: where they are.
        place: where their signatures lie.
        prove: asks a log for the proof of an entry, which bundles need.
        hint: which key signed, for bundles without a certificate; "" where nobody says.
        now: the time, which stands in new manifests.
    """

    def __init__(
        self,
        registry: SignatureRegistry,
        place: Repository,
        prove: Prove,
        hint: str,
        now: datetime,
    ) -> None:
        self._registry, self._place = registry, place
        self._prove, self._hint, self._now = prove, hint, now

    def convert(self, subject: Descriptor, wanted: str) -> Iterator[Converted]:
        """Put each attestation about an image there in the form that is wanted, and tell of it.

        Raises:
            RefusedError, UnavailableError, EvidenceError: the registry's part.
        """
        registry, place = self._registry, self._place
        listed = beside.listed(registry, place, subject.digest, ("att", beside.REFERRER))
        older = tuple(beside.layers(registry, place, listed, "att"))
        newer = tuple(_parsed(content) for _, content in beside.bundles(registry, place, listed))
        sources: tuple[Attestation | None, ...] = newer if wanted == LEGACY else older
        known = {_identity(each) for each in (older if wanted == LEGACY else newer)}
        for each in sources:
            if each is None:
                yield Converted(state=LEFT, type="", reason="a bundle that cannot be read")
            elif _type(each) == SIGN_PREDICATE:
                continue  # an image's signature signs other bytes in each form
            elif _identity(each) in known:
                yield Converted(state=PRESENT, type=_type(each))
            else:
                yield self._one(subject, each)

    def _one(self, subject: Descriptor, found: Attestation) -> Converted:
        kind = ""
        try:
            envelope = _envelope(found)
            kind = attach_given.stated_about(envelope, subject.digest).predicate_type
            if isinstance(found, LegacySignature):
                location = self._to_bundle(subject, found, kind)
            else:
                location = self._to_layer(subject.digest, found)
        except (InputError, EvidenceError) as error:
            return Converted(state=LEFT, type=kind, reason=str(error))
        return Converted(state=CONVERTED, type=kind, location=location)

    def _to_bundle(self, subject: Descriptor, found: LegacySignature, kind: str) -> str:
        proven = None
        if found.entry is not None:
            try:
                proven = self._prove(found.entry)
            except CountermarkError as error:
                if error.exit_status == CountermarkError.exit_status:
                    raise
                raise InputError(f"its log gives no proof: {error}") from error
        made = conversions.to_bundle(found, proven, self._hint)
        content = made.encode()
        if bundles.parse(content) != made or _identity(made) != _identity(found):
            raise InputError("it does not read back as what it was made from")
        digest = attach.attach_bundle(
            self._registry, self._place, subject, content, kind, self._now
        )
        return f"{self._place.name}@{digest}"

    def _to_layer(self, subject: Digest, found: "bundles.Bundle") -> str:
        made = conversions.to_legacy(found)
        again = legacy.from_layer(made.media_type, made.annotations(), made.payload)
        if again != made or _identity(made) != _identity(found):
            raise InputError("it does not read back as what it was made from")
        tag = attach.attach_legacy(self._registry, self._place, subject, made)
        return f"{self._place.name}:{tag}"


def _parsed(content: bytes) -> "bundles.Bundle | None":
    try:
        return bundles.parse(content)
    except EvidenceError:
        return None


def _envelope(found: Attestation) -> Envelope:
    if isinstance(found, LegacySignature):
        return Envelope.parse(found.payload)
    if not isinstance(found.content, Envelope):
        raise InputError("it is no attestation")
    return found.content


def _type(found: Attestation) -> str:
    """The type of what is stated, "" where that cannot be read."""
    try:
        return InTotoStatement.parse(_envelope(found).payload).predicate_type
    except (InputError, EvidenceError):
        return ""


def _identity(found: Attestation | None) -> tuple[bytes, bytes]:
    """What makes an attestation this one: what is signed, and the signature."""
    try:
        envelope = _envelope(found) if found is not None else None
    except (InputError, EvidenceError):
        envelope = None
    return (b"", b"") if envelope is None else (envelope.payload, envelope.signatures[0].value)
