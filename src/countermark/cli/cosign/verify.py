"""``cosign verify`` and ``verify-attestation``: cosign's texts, JSON and exit codes over our own steps."""

from countermark.cli.cosign import identities
from countermark.cli.cosign.registries import registry_access
from countermark.cli.cosign.words import CosignError
from countermark.core.errors import (
    Code,
    ConfigError,
    EvidenceError,
    InputError,
    NotFoundError,
)
from countermark.core.reference import ImageReference, Subject
from countermark.core.text import harmless
from countermark.formats import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output
    from countermark.core.signer import CosignSigner
    from countermark.schemes.cosign.examination import Examination, Examined

NOTHING_FOUND, NO_TAG, NO_MATCH = 10, 11, 12  # cosign's exit codes
_MOST_AT_ONCE = 64
_SIMPLE = "cosign container image signature"

# what cosign 3.1.3 says where a step of ours fails, where it has words of its own for that
_WORDS = {
    Code.NOT_LOGGED: "failed to verify log inclusion: {}",
    Code.INCLUSION: "failed to verify log inclusion: {}",
    Code.CHECKPOINT: "failed to verify log inclusion: {}",
    Code.PROMISE: "failed to verify log inclusion: {}",
    Code.ENTRY: "failed to verify log inclusion: {}",
    Code.NO_TIMESTAMP: "failed to verify timestamps: {}",
    Code.TIMESTAMP: "failed to verify timestamps: {}",
    Code.BAD_CHAIN: "failed to verify leaf certificate: {}",
    Code.EXPIRED: "failed to verify leaf certificate: {}",
    Code.SCT: "failed to verify signed certificate timestamp: {}",
    Code.BAD_SIGNATURE: "failed to verify signature: {}",
    Code.WRONG_SUBJECT: "failed to verify signature: {}",
    Code.IDENTITY: "failed to verify certificate identity: {}",
    Code.ANNOTATIONS: "missing or incorrect annotation: {}",
}


def verify(words: "Words", program: "Program", out: "Output") -> int:
    """Verify the signatures of images."""
    signer = identities.signer(words, program, out).replace(
        annotations=identities.annotations(words)
    )
    _check_flags(words)
    for image in words.arguments:
        reference = _reference(image)
        examination = _examined(words, program, reference, signer)
        _demand(examination, "signatures")
        _say(words, out, image, signer, examination)
        entries = [_entry(each, image) for each in examination.good]
        if words.text("output") == "text":
            for each, entry in zip(examination.good, entries, strict=True):
                legacy = each.material.envelope is None
                text = each.material.payload if legacy else strict_json.compact(entry)
                out.result(text.decode("utf-8", "replace"))
        else:
            out.result(f"\n{strict_json.compact(entries).decode()}")
    return 0


def verify_attestation(words: "Words", program: "Program", out: "Output") -> int:
    """Verify the attestations about images that are of the demanded type."""
    from countermark.formats.payloads import PREDICATE_TYPES  # noqa: PLC0415 - this command

    asked = words.text("type")
    wanted = PREDICATE_TYPES.get(asked, asked)
    signer = identities.signer(words, program, out, "attestation").replace(predicate=wanted)
    _check_flags(words)
    if words.list("policy"):
        raise CosignError(
            "--policy is not taken by countermark",
            hint="write the condition into a policy of ours: attested: TYPE, where: CEL (docs/policy.md)",
        )
    for image in words.arguments:
        reference = _reference(image)
        examination = _examined(words, program, reference, signer)
        others = _types(examination)
        if not examination.good and others and _all_are(examination, Code.PREDICATE):
            raise CosignError(
                f"none of the attestations matched the predicate type: {asked}, found: {','.join(others)}"
            )
        if not examination.signatures and not examination.troubles:
            raise CosignError("no matching attestations: ")
        _demand(examination, "attestations")
        _say(words, out, image, signer, examination)
        for each in examination.good:
            envelope = each.material.envelope
            if envelope is not None:
                out.result(envelope.encode().decode("utf-8"))
    return 0


def _check_flags(words: "Words") -> None:
    if not words.on("check-claims"):
        raise CosignError(
            "--check-claims=false is not taken by countermark",
            hint="a signature that is not compared with the image could be any other image's",
        )


def _reference(image: str) -> ImageReference:
    try:
        return ImageReference.parse(image)
    except InputError as error:
        raise CosignError(
            f"parsing reference: could not parse reference: {image}", hint=str(error)
        ) from None


def _examined(
    words: "Words", program: "Program", reference: ImageReference, signer: "CosignSigner"
) -> "Examination":
    access = registry_access(words)
    try:
        subject = program.cosign.subject(access, reference)
    except NotFoundError as error:
        if reference.digest is None:
            raise CosignError(f"image tag not found: {error}", NO_TAG) from None
        subject = Subject(repository=reference.repository, digest=reference.digest)
    found = program.cosign.examine(
        access,
        subject,
        signer,
        words.text("trusted-root"),
        at_once=max(1, min(words.number("max-workers"), _MOST_AT_ONCE)),
        accept_chain=words.on("allow-certificate-chain"),
    )
    return found if words.on("new-bundle-format") else found.older()


def _demand(examination: "Examination", what: str) -> None:
    """Demand one that counts; say of all others why they do not.

    Raises:
        CosignError: there is none.
    """
    if examination.good:
        return
    troubles = [f"{trouble.name}: {trouble.reason}" for trouble in examination.troubles]
    if not examination.signatures:
        raise CosignError(f"no {what} found", NOTHING_FOUND, hint="\n".join(troubles))
    reasons = [f"{material.name}: {_told(error)}" for material, error in examination.objections]
    is_legacy = all(material.envelope is None for material, _ in examination.objections)
    lines = "\n ".join([*reasons, *troubles])
    if is_legacy:
        raise CosignError(f"no matching signatures: {lines}", NO_MATCH)
    raise CosignError(f"no matching attestations: {lines}")


def _told(error: EvidenceError) -> str:
    return _WORDS.get(error.code, "{}").format(error)


def _types(examination: "Examination") -> list[str]:
    from countermark.core.errors import MalformedError  # noqa: PLC0415 - failures only
    from countermark.formats.payloads import InTotoStatement  # noqa: PLC0415 - failures only

    found = []
    for each in examination.signatures:
        try:
            found.append(InTotoStatement.parse(each.material.payload).predicate_type)
        except MalformedError:
            continue
    return found


def _all_are(examination: "Examination", code: Code) -> bool:
    return all(error.code == code for _, error in examination.objections)


# What is said ------------------------------------------------------------------------------------------------


def _say(
    words: "Words", out: "Output", image: str, signer: "CosignSigner", examination: "Examination"
) -> None:
    """Say on stderr what was checked, in cosign's words; no log is spoken of where none was asked (cosign does)."""
    lines = [
        "",
        f"Verification for {image} --",
        "The following checks were performed on each of these signatures:",
    ]
    if words.lists.get("annotations"):
        lines.append("  - The specified annotations were verified.")
    lines.append("  - The cosign claims were validated")
    if not signer.accept_unlogged:
        lines.append("  - Existence of the claims in the transparency log was verified offline")
    lines.append(
        "  - The signatures were verified against the specified public key"
        if signer.key
        else "  - The code-signing certificate was verified using trusted certificate authority certificates"
    )
    for line in lines:
        out.foreign_error(line)
    left = [f"{material.name}: {error}" for material, error in examination.objections]
    left += [f"{trouble.name}: {trouble.reason}" for trouble in examination.troubles]
    for text in left:
        out.foreign_error(f"  (passed over: {harmless(text)})")


def _entry(each: "Examined", image: str) -> "dict[str, object]":
    """What ``-o json`` has of one signature: cosign's members, then who signed, when, and which log has it."""
    proven = each.proven
    if proven is None:
        raise ConfigError("only what is proven is shown")  # never: the caller has chosen
    legacy = each.material.envelope is None
    stated = proven.stated
    optional: dict[str, object] = dict(stated.annotations)
    certificate = proven.offered.certificate
    if certificate is not None:
        optional |= {"Issuer": certificate.issuer, "Subject": certificate.name}
    digest = proven.offered.wanted.image.digest
    return {
        "critical": {
            "identity": {"docker-reference": stated.image_name if legacy else image},
            "image": {"docker-manifest-digest": str(digest)},
            "type": _SIMPLE if legacy else stated.predicate_type,
        },
        "optional": (optional or None) if legacy else optional,
    }
