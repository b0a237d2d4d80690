"""Signatures and attestations of files: read in each form in which they lie, and what they state about the file.

A bundle holds a signature over the file, or an envelope around a statement that names its digest. Before bundles
both were a file of their own, beside which a certificate and a timestamp could lie, or a JSON with all of it (specs:
cosign, 2a and 2c; observed, 2.5). They go through the steps of ``check.py`` as images' signatures do.
"""

from countermark.core.errors import Code, EvidenceError, InputError, MalformedError
from countermark.formats import bundle as bundles
from countermark.formats import legacy, payloads
from countermark.formats.bundle import MessageSignature
from countermark.formats.payloads import Envelope
from countermark.proofs import pem, signatures
from countermark.proofs.spki import PublicKey
from countermark.schemes.cosign import material, statements
from countermark.schemes.cosign.material import Artifact, Material
from countermark.schemes.cosign.statements import Stated

# Digests instead of files -------------------------------------------------------------------------------------


def digest_named(place: str) -> Artifact | None:
    """Take ``sha256:…`` instead of a file; None where it is no digest.

    Raises:
        InputError: it is one of another algorithm or length.
    """
    algorithm, colon, text = place.partition(":")
    return of_digest(algorithm, text) if colon else None


def of_digest(algorithm: str, text: str) -> Artifact:
    """Take a digest in hex instead of a file.

    Raises:
        InputError: as ``digest_named``.
    """
    check_algorithm(algorithm)
    size = signatures.HASH_BYTES[algorithm]
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if digest.hex() != text.lower() or len(digest) != size:
        raise InputError(f"unable to decode provided digest: not a {algorithm} in hex")
    return Artifact(digests={algorithm: digest})


def check_algorithm(name: str) -> None:
    """Refuse an algorithm that no digest is taken with.

    Raises:
        InputError: it is one.
    """
    if name not in signatures.HASH_BYTES:
        known = ", ".join(signatures.HASH_BYTES)
        raise InputError(f'unsupported --digestAlg "{name[:40]}"; supported values are {known}')


# Reading ----------------------------------------------------------------------------------------------------


def of_bundle(
    content: bytes, artifact: Artifact | None, place: str, *, may_have_chain: bool = False
) -> Material:
    """Read a Sigstore bundle about a file; without one only an attestation can be read.

    Raises:
        EvidenceError: it is none; or, of version 0.3, it has a chain of certificates, and may have none.
    """
    found = bundles.parse(content)
    if found.is_chain and found.version == "0.3" and not may_have_chain:
        raise MalformedError(
            "validation error: verification material cannot be X.509 certificate chain (for bundle v0.3)",
            hint="cosign 3.1 writes such; --allow-certificate-chain takes them",
        )
    if isinstance(found.content, Envelope):
        return material.of_envelope(found, found.content, "bundle", place)
    return _of_message(found, found.content, artifact, place)


def _of_message(
    found: bundles.Bundle, message: MessageSignature, artifact: Artifact | None, place: str
) -> Material:
    if artifact is None:
        raise MalformedError("bundle does not contain a DSSE envelope")
    return Material(
        name="bundle",
        place=place,
        signature=message.signature,
        signed=artifact,
        stamped=message.signature,
        payload=b"",
        certificates=found.certificates,
        key_hint=found.key_hint,
        entries=found.entries,
        timestamps=found.timestamps,
        said_digest=(message.algorithm, message.digest),
    )


def detached(
    signature: bytes,
    artifact: Artifact | None,
    place: str,
    *,
    is_attestation: bool = False,
    certificates: tuple[bytes, ...] = (),
    timestamp: bytes = b"",
) -> Material:
    """Take a signature that lies by itself, or an envelope that does.

    Raises:
        EvidenceError: no such envelope.
    """
    envelope = Envelope.parse(signature) if is_attestation else None
    if envelope is None and artifact is None:
        raise MalformedError("a signature without its file")
    return Material(
        name="attestation" if envelope is not None else "signature",
        place=place,
        signature=envelope.signatures[0].value if envelope is not None else signature,
        signed=envelope.pae if envelope is not None else artifact or b"",
        stamped=signature,  # of an attestation the whole envelope, unlike in bundles
        payload=envelope.payload if envelope is not None else b"",
        envelope=envelope,
        certificates=certificates,
        key_hint=envelope.signatures[0].key_id if envelope is not None else "",
        timestamps=(timestamp,) if timestamp else (),
    )


def of_blob_bundle(
    content: bytes,
    artifact: Artifact | None,
    place: str,
    *,
    is_attestation: bool = False,
    certificates: tuple[bytes, ...] = (),
    timestamp: bytes = b"",
) -> Material:
    """Read what ``sign-blob --bundle`` wrote before bundles; certificates that were given count where it has none.

    Raises:
        EvidenceError: it is none; ``key-material``, it has another certificate than the one given.
    """
    found = legacy.parse_blob_bundle(content)
    own, key_hint = _key_material(found.certificate)
    if own and certificates and own[0] != certificates[0]:
        raise EvidenceError(
            "the cert passed in does not match the cert in the provided bundle",
            code=Code.KEY_MATERIAL,
        )
    made = detached(
        found.signature,
        artifact,
        place,
        is_attestation=is_attestation,
        certificates=own + certificates[1:] if own else certificates,
        timestamp=timestamp,
    )
    entries = () if found.entry is None else (found.entry,)
    return made.replace(name="bundle", entries=entries, key_hint=made.key_hint or key_hint)


def _key_material(text: bytes) -> tuple[tuple[bytes, ...], str]:
    """Read its certificate, or the key that stands there instead: certificates, the key's fingerprint."""
    if not text:
        return (), ""
    blocks = pem.parse(text)
    if len(blocks) == 1 and blocks[0].type == "PUBLIC KEY":
        return (), material.hash_of("sha256", blocks[0].content).hex()
    return material.certificates(text.decode("ascii", "replace")), ""


# Checking ---------------------------------------------------------------------------------------------------


def is_signed(key: PublicKey, artifact: Artifact, signature: bytes) -> bool:
    """Say whether a key signed a file, in one of the ways that ``check.is_signed`` takes.

    Raises:
        EvidenceError: ``wrong-subject``, too little is known of the file to say.
    """
    content = artifact.content() if key.kind == "ed25519" else None
    if content is not None and signatures.verify(key, content, signature):
        return True
    own = signatures.hash_for(key)
    hashes = (own,) if key.kind == "ed25519" else dict.fromkeys((own, "sha256"))
    known = [name for name in hashes if artifact.knows(name)]
    if not known and key.kind == "ed25519":
        raise EvidenceError(
            "message signatures with ed25519 signatures can only be verified with artifacts, "
            "and not just their digest",
            code=Code.WRONG_SUBJECT,
        )
    if any(signatures.verify_digest(key, artifact.digest(name), signature, name) for name in known):
        return True
    artifact.digest(own)  # says so where it is not known
    return False


def read(found: Material, artifact: Artifact | None) -> Stated:
    """Read what is stated about a file; without one about anything.

    Raises:
        EvidenceError: ``malformed``, it is no such statement; ``wrong-subject``, it is about other files.
    """
    if found.envelope is not None:
        return _attested(found, artifact)
    algorithm, digest = found.said_digest
    if algorithm and artifact is not None and artifact.digest(algorithm) != digest:
        raise EvidenceError(
            "artifact digest does not match message digest", code=Code.WRONG_SUBJECT
        )
    return Stated(
        predicate_type=payloads.SIGN_PREDICATE, annotations=(), image_name="", content=b""
    )


def _attested(found: Material, artifact: Artifact | None) -> Stated:
    statement = statements.in_toto(found)
    if artifact is not None and not any(_is_about(each, artifact) for each in statement.subjects):
        text = "digest does not match any digest"
        if artifact.is_here:
            text = "digests do not match digests"
        raise EvidenceError(f"provided artifact {text} in statement", code=Code.WRONG_SUBJECT)
    return Stated(
        predicate_type=statement.predicate_type,
        annotations=(),
        image_name="",
        content=found.payload,
    )


def _is_about(subject: payloads.StatementSubject, artifact: Artifact) -> bool:
    return any(
        artifact.knows(name) and artifact.digest(name).hex() == subject.digests[name]
        for name in signatures.HASH_BYTES
        if name in subject.digests
    )
