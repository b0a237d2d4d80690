"""What ``verify-blob`` and ``verify-blob-attestation`` are given: the file, and its signature in one of its forms."""

from countermark.cli.cosign.words import CosignError
from countermark.core.errors import Code, CountermarkError, EvidenceError, InputError
from countermark.core.value import Value
from countermark.formats import legacy
from countermark.schemes.cosign import artifacts
from countermark.schemes.cosign.material import Artifact, Material

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words


class Asked(Value):
    """What is to be verified.

    Attributes:
        file: the file's place, "" where there is none.
        is_attestation: an attestation is demanded, of the type that was typed as ``typed``.
        compares: whether what is stated has to be about the file.
    """

    file: str
    is_attestation: bool = False
    typed: str = ""
    compares: bool = True


class Given(Value):
    """The evidence: its bytes and where they come from; ``kind`` is ``bundle``, ``old-bundle`` or ``signature``."""

    kind: str
    content: bytes
    place: str

    @property
    def is_old(self) -> bool:
        """Whether it is of the time before bundles."""
        return self.kind != "bundle"


def given(words: "Words", program: "Program", asked: Asked) -> Given:
    """Read the evidence, and tell what it is."""
    path = words.text("bundle")
    if path:
        content = _read(program, path, f"reading {path}: ")
        is_new = words.on("new-bundle-format") and not legacy.is_blob_bundle(content)
        if asked.is_attestation or is_new or not words.text("signature"):
            return Given(kind="bundle" if is_new else "old-bundle", content=content, place=path)
    place = words.text("signature")
    if not place:
        raise CosignError("missing flag '--signature'")
    if asked.is_attestation:
        content = _read(program, place, f"reading {place}: ")
        return Given(kind="signature", content=content, place=place)
    try:
        content = program.cosign.given(place)
    except InputError as error:
        if error.code != Code.NOT_FOUND:
            raise
        content = place.encode()  # the signature itself
        place = "--signature"
    return Given(kind="signature", content=_decoded(content), place=place)


def _read(program: "Program", place: str, prefix: str = "") -> bytes:
    try:
        return program.cosign.given(place)
    except CountermarkError as error:
        raise CosignError(f"{prefix}{error}", hint=error.hint) from error


def _decoded(content: bytes) -> bytes:
    """Decode a signature, which may lie there as it is, or in base64."""
    from binascii import Error, a2b_base64  # noqa: PLC0415 - old signatures only

    try:
        return a2b_base64(content.strip(), strict_mode=True)
    except (Error, ValueError):
        return content


def artifact(words: "Words", program: "Program", asked: Asked, given: Given) -> Artifact | None:
    """Take the file, or its digest; None where nothing is compared with it."""
    if not asked.compares:
        return None
    algorithm = words.text("digestAlg") if asked.is_attestation else ""
    try:
        if not asked.file:
            return artifacts.of_digest(algorithm, words.text("digest"))
        if algorithm:
            artifacts.check_algorithm(algorithm)
        return _file(program, asked, given, algorithm)
    except InputError as error:
        raise CosignError(str(error), hint=error.hint) from error


def _file(program: "Program", asked: Asked, given: Given, algorithm: str) -> Artifact:
    """Take the file; of attestations before bundles only the digest that is asked for counts (cosign: SHA-256)."""
    try:
        found = program.cosign.artifact(asked.file)
    except InputError as error:
        named = None
        may_be_digest = not given.is_old and not asked.is_attestation and "://" not in asked.file
        if may_be_digest and error.code == Code.NOT_FOUND:
            named = artifacts.digest_named(asked.file)
        if named is None:
            raise
        return named
    if asked.is_attestation and given.is_old:
        name = algorithm or "sha256"
        return Artifact(digests={name: found.digest(name)})
    return found


def material(
    words: "Words", program: "Program", given: Given, artifact: Artifact | None, asked: Asked
) -> Material:
    """Read the evidence.

    Raises:
        EvidenceError: it is none.
    """
    if not given.is_old:
        return _of_bundle(words, given, artifact, asked)
    beside = {
        "is_attestation": asked.is_attestation,
        "certificates": _certificates(words, program),
        "timestamp": _timestamp(words, program),
    }
    if given.kind == "old-bundle":
        return artifacts.of_blob_bundle(given.content, artifact, given.place, **beside)  # type: ignore[arg-type]
    return artifacts.detached(given.content, artifact, given.place, **beside)  # type: ignore[arg-type]


def _of_bundle(words: "Words", given: Given, artifact: Artifact | None, asked: Asked) -> Material:
    chained = words.on("allow-certificate-chain")
    found = artifacts.of_bundle(given.content, artifact, given.place, may_have_chain=chained)
    if asked.is_attestation and found.envelope is None:
        raise EvidenceError("bundle does not contain a DSSE envelope", code=Code.PREDICATE)
    return found


def _certificates(words: "Words", program: "Program") -> tuple[bytes, ...]:
    """Take the certificate that is given, and what lies between it and its root."""
    if not words.text("certificate"):
        return ()
    from countermark.proofs import x509  # noqa: PLC0415 - certificates only

    place = words.text("certificate")
    try:
        leaf = x509.parse_first(_decoded(_read(program, place)))
    except EvidenceError as error:
        text = f"loading verifier from key opts: loading cert: {error}"
        raise CosignError(text, hint=error.hint) from error
    return (leaf.der,)


def _timestamp(words: "Words", program: "Program") -> bytes:
    """Read the timestamp as ``sign-blob`` wrote it: JSON around an RFC 3161 answer."""
    place = words.text("rfc3161-timestamp")
    if not place:
        return b""
    return legacy.parse_timestamp(_read(program, place))


def unread(given: Given, error: EvidenceError) -> str:
    """Say that the evidence cannot be read."""
    if error.code in (Code.PREDICATE, Code.KEY_MATERIAL) or "DSSE" in str(error):
        return str(error)
    return f"{given.place}: {error}"
