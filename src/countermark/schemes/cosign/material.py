"""One signature as it was found, in whichever form it lies.

A bundle says what it is; an older signature is a layer whose parts stand in annotations (specs: cosign, 2a to 2c).
From here on they are alike, and go through the same steps. Those of files are read in ``artifacts.py``.
"""

from countermark.core.errors import Code, EvidenceError, MalformedError
from countermark.core.light import Callable, Mapping, sha256, sha512
from countermark.core.value import Value
from countermark.formats import bundle as bundles
from countermark.formats.bundle import LogEntry
from countermark.formats.oci import Descriptor
from countermark.formats.payloads import Envelope


class Artifact:
    """A file that is signed: all of it, or only digests where it is elsewhere."""

    def __init__(
        self,
        hashed: "Callable[[str], bytes] | None" = None,
        content: "Callable[[], bytes] | None" = None,
        digests: "Mapping[str, bytes] | None" = None,
    ) -> None:
        """Take what is known.

        Args:
            hashed: hashes the file with an algorithm; called once for each.
            content: reads all of it, for the one kind of signature that needs that.
            digests: what it hashes to, by algorithm.
        """
        self._hashed, self._content = hashed, content
        self._digests = dict(digests or {})

    @property
    def is_here(self) -> bool:
        """Whether all of it can be read, and not only digests are known."""
        return self._content is not None

    def knows(self, algorithm: str) -> bool:
        """Say whether this digest can be had."""
        return self._hashed is not None or algorithm in self._digests

    def digest(self, algorithm: str) -> bytes:
        """The file's digest.

        Raises:
            EvidenceError: ``wrong-subject``, only others are known, so that nothing can be said.
        """
        if algorithm not in self._digests:
            if self._hashed is None:
                known = " and ".join(self._digests)
                raise EvidenceError(
                    f"only the file's {known} is known, and its {algorithm} is needed",
                    code=Code.WRONG_SUBJECT,
                )
            self._digests[algorithm] = self._hashed(algorithm)
        return self._digests[algorithm]

    def content(self) -> bytes | None:
        """All of it; None where it is elsewhere."""
        return None if self._content is None else self._content()


class Material(Value):
    """A signature, what it signs, and what is said to prove it.

    Attributes:
        name: what it is, in a few words for people: ``bundle 1a2b3c4d5e6f``.
        place: where it lies.
        signature: its bytes.
        signed: what it is over: a simple-signing payload, an envelope's pre-authentication encoding, a file.
        stamped: the bytes that its timestamps are over.
        payload: the statement: an in-toto statement, or a simple-signing payload where ``envelope`` is None.
        envelope: the envelope around a statement.
        certificates: DER, the leaf first; empty for a key.
        key_hint: which key made it, as it says itself; "" where it does not.
        entries: what transparency logs say about it.
        timestamps: RFC 3161 answers, DER.
        said_digest: of a file, what the signature says itself: algorithm and digest; "" where it does not.
    """

    name: str
    place: str
    signature: bytes
    signed: bytes | Artifact
    stamped: bytes
    payload: bytes
    envelope: Envelope | None = None
    certificates: tuple[bytes, ...] = ()
    is_chain: bool = False
    key_hint: str = ""
    entries: tuple[LogEntry, ...] = ()
    timestamps: tuple[bytes, ...] = ()
    said_digest: tuple[str, bytes] = ("", b"")

    def digest(self, algorithm: str) -> bytes:
        """The digest of what is signed: ``sha256``, ``sha384`` or ``sha512``.

        Raises:
            EvidenceError: as ``Artifact.digest``.
        """
        if isinstance(self.signed, Artifact):
            return self.signed.digest(algorithm)
        return hash_of(algorithm, self.signed)


def hash_of(algorithm: str, content: bytes) -> bytes:
    """Hash some bytes with ``sha256``, ``sha384`` or ``sha512``."""
    if algorithm == "sha384":
        from hashlib import sha384  # noqa: PLC0415 - rare, and it costs a cold start 2 ms

        return sha384(content).digest()
    return (sha256 if algorithm == "sha256" else sha512)(content).digest()


def of_bundle(content: bytes, name: str, place: str) -> Material:
    """Read a Sigstore bundle about an image.

    Raises:
        EvidenceError: it is none, or signs something else than a statement.
    """
    found = bundles.parse(content)
    if not isinstance(found.content, Envelope):
        # only its digest would be there, and not the statement that names an image
        raise MalformedError("a bundle without an envelope says nothing about an image")
    return of_envelope(found, found.content, name, place)


def of_envelope(found: bundles.Bundle, envelope: Envelope, name: str, place: str) -> Material:
    """Take a bundle that holds an envelope."""
    (signature,) = envelope.signatures
    return Material(
        name=name,
        place=place,
        signature=signature.value,
        signed=envelope.pae,
        stamped=signature.value,
        payload=envelope.payload,
        envelope=envelope,
        certificates=found.certificates,
        is_chain=found.is_chain and found.version == "0.3",
        key_hint=found.key_hint or signature.key_id,
        entries=found.entries,
        timestamps=found.timestamps,
    )


def of_layer(layer: Descriptor, content: bytes, name: str, place: str) -> Material:
    """Read a signature or attestation that lies as a layer, with its parts in annotations.

    Raises:
        EvidenceError: it is none.
    """
    from countermark.formats import legacy  # noqa: PLC0415 - most signatures are bundles now

    found = legacy.from_layer(layer.media_type, layer.annotations, content)
    envelope = Envelope.parse(content) if found.is_attestation else None
    return Material(
        name=name,
        place=place,
        signature=found.signature,
        signed=envelope.pae if envelope is not None else content,
        stamped=found.stamped,
        payload=envelope.payload if envelope is not None else content,
        envelope=envelope,
        certificates=certificates(found.certificate) + certificates(found.chain),
        key_hint=envelope.signatures[0].key_id if envelope is not None else "",
        entries=() if found.entry is None else (found.entry,),
        timestamps=(found.timestamp,) if found.timestamp else (),
    )


def certificates(text: str) -> tuple[bytes, ...]:
    """Read the certificates of a PEM text, DER; none where there is no text.

    Raises:
        MalformedError: there is something else.
    """
    if not text:
        return ()
    from countermark.proofs import pem  # noqa: PLC0415 - with legacy

    blocks = pem.parse(text.encode())
    if not blocks or any(block.type != "CERTIFICATE" for block in blocks):
        raise MalformedError("not a PEM text of certificates")
    return tuple(block.content for block in blocks)
