"""From a message to everything that proves it: signed, stamped, logged, and put together.

Specs: cosign, 2c, 2g, 2h. Who signs is a holder: of a key, or of a certificate for a key that lives as long as this
process.
"""

from countermark.core.light import datetime
from countermark.core.ports_sigstore import LogRequest, SigningKey, Stamper
from countermark.core.value import Value
from countermark.formats.bundle import Bundle, LogEntry
from countermark.formats.go_text import to_base64
from countermark.formats.payloads import IN_TOTO, Envelope, EnvelopeSignature, pae
from countermark.proofs import signatures, spki
from countermark.schemes.cosign.material import Artifact, hash_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class TransparencyLog(Protocol):
    """A log that takes signatures. It is believed in nothing: what it answers is verified."""

    @property
    def is_first_kind(self) -> bool:
        """Whether it is a Rekor 1, which promises and tells the time."""
        ...

    def add(self, request: LogRequest, now: datetime) -> "LogEntry":
        """Have a signature logged, and wait until that is proven.

        Raises:
            RefusedError: it does not take it. UnavailableError: no answer. EvidenceError: an answer that is none.
        """
        ...


class Held(Value):
    """A key that signs, and the certificates for it, DER, leaf first; none where the key is known by itself."""

    key: SigningKey
    certificates: tuple[bytes, ...] = ()


class Holder(Protocol):
    """Whoever signs."""

    @property
    def is_short_lived(self) -> bool:
        """Whether what certifies the key is over in minutes, so that something has to prove the time."""
        ...

    def hold(self, now: datetime) -> Held:
        """Have the key ready, and certified where it has to be.

        Raises:
            KeyAccessError: it does not open. RefusedError, UnavailableError: who certifies it says no, or nothing.
        """
        ...


class Services(Value):
    """What proves a signature besides: a log (``first_kind``: Rekor 1), a timestamp authority; None: not asked."""

    log: TransparencyLog | None = None
    stamper: Stamper | None = None


class Evidence(Value):
    """A signature over a message, and what proves it."""

    signature: bytes
    held: Held
    entries: tuple[LogEntry, ...]
    timestamps: tuple[bytes, ...]


def prove(
    message: "bytes | Artifact",
    held: Held,
    services: Services,
    now: datetime,
    envelope: Envelope | None = None,
    *,
    is_pure: bool = False,
) -> Evidence:
    """Sign a message, have the signature stamped, then logged; of an envelope the message is its encoding.

    Ed25519 keys sign as Ed25519ph, as cosign has them and as a log of the second kind wants it; a file that is not
    logged they may sign whole (``is_pure``), which is the one way in which cosign verifies such a key's signature.

    Raises:
        KeyAccessError, RefusedError, UnavailableError: as key, log or authority have it.
        InputError: ``too-large``, the envelope is more than a log takes.
    """
    key = spki.parse(held.key.public_der)
    algorithm = signatures.hash_for(key)
    if isinstance(message, Artifact):
        digest = message.digest(algorithm)
        whole = message.content() if is_pure and key.kind == "ed25519" else None
        signature = held.key.sign_digest(digest) if whole is None else held.key.sign(whole)
    else:
        digest = hash_of(algorithm, message)
        by_digest = key.kind == "ed25519"
        signature = held.key.sign_digest(digest) if by_digest else held.key.sign(message)
    sealed = b""
    if envelope is not None:
        sealed = envelope.replace(signatures=(EnvelopeSignature(value=signature),)).encode()
    timestamps = (services.stamper.stamp(signature),) if services.stamper is not None else ()
    entries: tuple[LogEntry, ...] = ()
    if services.log is not None:
        asked = LogRequest(
            digest=digest,
            algorithm=algorithm,
            signature=signature,
            public_key=held.key.public_der,
            certificate=held.certificates[0] if held.certificates else b"",
            envelope=sealed,
        )
        entries = (services.log.add(asked, now),)
    return Evidence(signature=signature, held=held, entries=entries, timestamps=timestamps)


def seal(
    statement: bytes, held: Held, services: Services, now: datetime
) -> tuple[Bundle, Envelope]:
    """Sign a statement in an envelope, and make the bundle of it.

    Raises:
        As ``prove``.
    """
    unsigned = Envelope(payload=statement, payload_type=IN_TOTO, signatures=())
    found = prove(pae(IN_TOTO, statement), held, services, now, unsigned)
    envelope = unsigned.replace(signatures=(EnvelopeSignature(value=found.signature),))
    return bundle_of(found, envelope), envelope


def bundle_of(found: Evidence, content: "Envelope | MessageSignature") -> Bundle:
    """Put a signature and what proves it into a bundle."""
    held = found.held
    return Bundle(
        version="0.3",
        certificates=held.certificates[:1],
        is_chain=False,
        key_hint="" if held.certificates else key_hint(held.key.public_der),
        entries=found.entries,
        timestamps=found.timestamps,
        content=content,
    )


def key_hint(public_der: bytes) -> str:
    """How cosign names a key in a bundle."""
    return to_base64(bytes.fromhex(spki.parse(public_der).fingerprint))


if TYPE_CHECKING:
    from countermark.formats.bundle import MessageSignature
