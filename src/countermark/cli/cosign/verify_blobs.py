"""``cosign verify-blob`` and ``verify-blob-attestation``: cosign's texts over our own steps.

Bundles, signatures that lie by themselves and the bundles that there were before are told apart by what is in them.
Unlike cosign this takes no attestation for a signature, and believes a trusted root for older signatures too.
"""

from countermark.cli.cosign import failures, identities, roots
from countermark.cli.cosign.words import CosignError
from countermark.core.errors import Code, CountermarkError, EvidenceError, InputError
from countermark.core.value import Value
from countermark.formats import legacy
from countermark.formats.payloads import PREDICATE_TYPES
from countermark.schemes.cosign import artifacts, check, verifier
from countermark.schemes.cosign.material import Artifact, Material

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output
    from countermark.core.signer import CosignSigner

_HASHES = ("sha224", "sha256", "sha384", "sha512")
_WHO = (
    "provide a key with --key or --sk, a certificate to verify against with --certificate, "
    "or a bundle with --bundle"
)
# what may not stand beside a bundle, and what cosign says of it
_NOT_WITH_A_BUNDLE = {
    "certificate": "certificate must be in bundle and may not be provided using --certificate",
    "certificate-chain": "certificate chain must be in bundle and may not be provided using "
    "--certificate-chain",
    "ca-roots": "CA roots/intermediates must be provided using --trusted-root",
    "ca-intermediates": "CA roots/intermediates must be provided using --trusted-root",
    "timestamp-certificate-chain": "TSA certificate chain path may only be provided using "
    "--trusted-root",
    "rfc3161-timestamp": "RFC3161 timestamp may not be provided using --rfc3161-timestamp",
    "signature": "signature may not be provided using --signature",
}


class _Asked(Value):
    """What is to be verified.

    Attributes:
        file: the file's place, "" where there is none.
        is_attestation: an attestation is demanded, of the type ``predicate``, typed as ``typed``.
        compares: whether what is stated has to be about the file.
    """

    file: str
    is_attestation: bool = False
    typed: str = ""
    compares: bool = True


class _Given(Value):
    """The evidence: its bytes and where they come from; ``kind`` is ``bundle``, ``old-bundle`` or ``signature``."""

    kind: str
    content: bytes
    place: str

    @property
    def is_old(self) -> bool:
        """Whether it is of the time before bundles."""
        return self.kind != "bundle"


def verify(words: "Words", program: "Program", out: "Output") -> int:
    """Verify a file's signature."""
    _check_hash(words)
    identities.warn(words, out, "blob")
    _check_who(words)
    signer = identities.signer(words, program, out, "")
    _verify(words, program, signer, _Asked(file=words.arguments[0]))
    out.foreign_error("Verified OK")
    return 0


def verify_attestation(words: "Words", program: "Program", out: "Output") -> int:
    """Verify an attestation about a file."""
    _check_hash(words)
    file = words.arguments[0] if words.arguments else ""
    compares = words.on("check-claims")
    has_digest = words.text("digest") and words.text("digestAlg")
    if compares and not file and not has_digest:
        raise CosignError(
            "must provide path to blob or digest and digestAlg; "
            "run `cosign verify-blob-attestation -h` for more help"
        )
    identities.warn(words, out, "blob attestation")
    if not words.text("signature") and not words.text("bundle"):
        raise CosignError(
            "please specify path to the DSSE envelope signature via --signature or --bundle"
        )
    _check_who(words)
    typed = words.text("type")
    if not typed:
        raise CosignError("converting to consumable policy validation: missing predicate type")
    signer = identities.signer(words, program, out, "")
    if compares and file and words.text("digest"):
        out.foreign_error("WARNING: Ignoring provided --digest in favor of provided blob")
    asked = _Asked(file=file, is_attestation=True, typed=typed, compares=compares)
    _verify(words, program, signer.replace(predicate=PREDICATE_TYPES.get(typed, typed)), asked)
    out.foreign_error("Verified OK")
    return 0


# Flags ------------------------------------------------------------------------------------------------------


def _check_hash(words: "Words") -> None:
    """Read the one flag that says which hash a key's signature is over."""
    name = words.text("signature-digest-algorithm").strip().lower()
    if name not in (*_HASHES, ""):
        raise CosignError(
            f"unknown digest algorithm: {words.text('signature-digest-algorithm')[:80]}"
        )


def _check_who(words: "Words") -> None:
    named = [name for name in ("key", "certificate") if words.text(name)]
    if not named and not words.text("bundle"):
        raise CosignError(_WHO)
    if len(named) > 1:
        raise CosignError(
            "exactly one of: key reference (--key), certificate (--cert) or hardware token (--sk) "
            "must be provided"
        )


def _check_hash_of(words: "Words", wanted: check.Wanted) -> None:
    """Refuse to verify over a hash that does not belong to the key: such a signature counts nowhere else.

    SHA-256, which cosign means unless it is told, is the key's own or taken besides.
    """
    name = words.text("signature-digest-algorithm").strip().lower()
    if wanted.key is None or "signature-digest-algorithm" not in words.given:
        return
    from countermark.proofs import signatures  # noqa: PLC0415 - this flag only

    if name not in ("", "sha256", signatures.hash_for(wanted.key)):
        raise CosignError(
            f"--signature-digest-algorithm {name} does not belong to this key",
            hint=f"its signatures are over {signatures.hash_for(wanted.key)}; leave the flag out",
        )


def _check_beside_bundle(words: "Words") -> None:
    for name, why in _NOT_WITH_A_BUNDLE.items():
        if words.text(name):
            raise CosignError(f"unsupported: {why} when using --new-bundle-format")


def _check_old(words: "Words", signer: "CosignSigner") -> None:
    stamp = words.text("rfc3161-timestamp")
    if stamp and not signer.timestamped:
        raise CosignError(
            "when specifying --rfc3161-timestamp-path, you must also specify "
            "--use-signed-timestamps or --timestamp-certificate-chain"
        )
    if signer.timestamped and not stamp:
        raise CosignError(
            "when specifying --use-signed-timestamps or --timestamp-certificate-chain, "
            "you must also specify --rfc3161-timestamp-path"
        )


# Evidence ---------------------------------------------------------------------------------------------------


def _verify(words: "Words", program: "Program", signer: "CosignSigner", asked: _Asked) -> None:
    """Go all the way for one file.

    Raises:
        CosignError: it is not what it must be, or cannot be read.
    """
    signer = signer.replace(
        timestamped=signer.timestamped or bool(words.text("timestamp-certificate-chain"))
    )
    given = _given(words, program, asked)
    if given.is_old:
        _check_old(words, signer)
    root = roots.read(words, program) if verifier.needs_root(signer) else None
    if not given.is_old:
        _check_beside_bundle(words)
    artifact = _artifact(words, program, asked, given)
    wanted = verifier.wanted_of(signer, artifact, program.now(), root)
    _check_hash_of(words, wanted)
    try:
        material = _material(words, program, given, artifact, asked)
    except EvidenceError as error:
        raise CosignError(_unread(given, error), hint=error.hint) from error
    try:
        check.check(material, wanted)
    except EvidenceError as error:
        failure = failures.Failure(
            error=error,
            material=material,
            wanted=wanted,
            typed=asked.typed,
            is_old=given.is_old,
        )
        raise CosignError(failures.text(failure), hint=failures.hint(failure)) from error


def _given(words: "Words", program: "Program", asked: _Asked) -> _Given:
    """Read the evidence, and tell what it is."""
    path = words.text("bundle")
    if path:
        content = _read(program, path, f"reading {path}: ")
        is_new = words.on("new-bundle-format") and not legacy.is_blob_bundle(content)
        if asked.is_attestation or is_new or not words.text("signature"):
            return _Given(kind="bundle" if is_new else "old-bundle", content=content, place=path)
    place = words.text("signature")
    if not place:
        raise CosignError("missing flag '--signature'")
    if asked.is_attestation:
        content = _read(program, place, f"reading {place}: ")
        return _Given(kind="signature", content=content, place=place)
    try:
        content = program.cosign.given(place)
    except InputError as error:
        if error.code != Code.NOT_FOUND:
            raise
        content = place.encode()  # the signature itself
        place = "--signature"
    return _Given(kind="signature", content=_decoded(content), place=place)


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


def _artifact(words: "Words", program: "Program", asked: _Asked, given: _Given) -> Artifact | None:
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


def _file(program: "Program", asked: _Asked, given: _Given, algorithm: str) -> Artifact:
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


def _material(
    words: "Words", program: "Program", given: _Given, artifact: Artifact | None, asked: _Asked
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


def _of_bundle(words: "Words", given: _Given, artifact: Artifact | None, asked: _Asked) -> Material:
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


def _unread(given: _Given, error: EvidenceError) -> str:
    """Say that the evidence cannot be read."""
    if error.code in (Code.PREDICATE, Code.KEY_MATERIAL) or "DSSE" in str(error):
        return str(error)
    return f"{given.place}: {error}"
