"""``cosign verify-blob`` and ``verify-blob-attestation``: cosign's texts over our own steps.

Bundles, signatures that lie by themselves and the bundles that there were before are told apart by what is in them.
Unlike cosign this takes no attestation for a signature, and believes a trusted root for older signatures too.
"""

from countermark.cli.cosign import blob_evidence, failures, identities, roots
from countermark.cli.cosign.blob_evidence import Asked
from countermark.cli.cosign.words import CosignError
from countermark.core.errors import EvidenceError
from countermark.formats.payloads import PREDICATE_TYPES
from countermark.schemes.cosign import check, verifier

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


def verify(words: "Words", program: "Program", out: "Output") -> int:
    """Verify a file's signature."""
    _check_hash(words)
    identities.warn(words, out, "blob")
    _check_who(words)
    signer = identities.signer(words, program, out, "")
    _verify(words, program, signer, Asked(file=words.arguments[0]))
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
    asked = Asked(file=file, is_attestation=True, typed=typed, compares=compares)
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


def _verify(words: "Words", program: "Program", signer: "CosignSigner", asked: Asked) -> None:
    """Go all the way for one file.

    Raises:
        CosignError: it is not what it must be, or cannot be read.
    """
    signer = signer.replace(
        timestamped=signer.timestamped or bool(words.text("timestamp-certificate-chain"))
    )
    given = blob_evidence.given(words, program, asked)
    if given.is_old:
        _check_old(words, signer)
    root = roots.read(words, program) if verifier.needs_root(signer) else None
    if not given.is_old:
        _check_beside_bundle(words)
    artifact = blob_evidence.artifact(words, program, asked, given)
    wanted = verifier.wanted_of(signer, artifact, program.now(), root)
    _check_hash_of(words, wanted)
    try:
        material = blob_evidence.material(words, program, given, artifact, asked)
    except EvidenceError as error:
        raise CosignError(blob_evidence.unread(given, error), hint=error.hint) from error
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
