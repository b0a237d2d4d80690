"""Why a signature or attestation of a file does not count, in the words that cosign has for it.

cosign's words say what was compared; ours, which say what was found, stand below them as a hint.
"""

from countermark.core.errors import Code, EvidenceError
from countermark.core.value import Value
from countermark.formats.payloads import InTotoStatement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.core.signer import Identity
    from countermark.proofs.signing_certificates import SigningCertificate
    from countermark.schemes.cosign.check import Wanted
    from countermark.schemes.cosign.material import Material

_NO_LOG = (
    "failed to verify log inclusion: not enough verified log entries from transparency log: 0 < 1"
)
_NO_TIME = "failed to verify timestamps: threshold not met for verified signed timestamps: 0 < 1"
_FIXED = {
    Code.NOT_LOGGED: _NO_LOG,
    Code.NO_TIMESTAMP: _NO_TIME,
    Code.TIMESTAMP: _NO_TIME,
    Code.BAD_CHAIN: "failed to verify leaf certificate: leaf certificate verification failed",
    Code.EXPIRED: "failed to verify leaf certificate: leaf certificate verification failed",
    Code.SCT: "failed to verify signed certificate timestamp: only able to verify 0 SCT entries; "
    "unable to meet threshold of 1",
}
_LOG_CODES = (Code.INCLUSION, Code.CHECKPOINT, Code.PROMISE, Code.ENTRY)
_WORKFLOW = {2: "Trigger", 3: "SHA", 4: "Name", 5: "Repository", 6: "Ref"}
# Go's words for a signature that does not verify
_BAD = {
    "ecdsa": "invalid signature when validating ASN.1 encoded signature",
    "rsa": "crypto/rsa: verification error",
    "ed25519": "failed to verify signature",
}


class Failure(Value):
    """What did not count.

    Attributes:
        error: which step failed, and why.
        material, wanted: the signature, and what it was held against.
        typed: the predicate type as it was typed, "" where a signature is demanded.
        is_old: it is of the time before bundles, of which cosign speaks in other words.
    """

    error: EvidenceError
    material: "Material"
    wanted: "Wanted"
    typed: str = ""
    is_old: bool = False


def text(failure: Failure) -> str:
    """Say it in cosign's words."""
    error, code = failure.error, failure.error.code
    told = _TOLD.get(code)
    if told is not None:
        return told(failure) or str(error)
    if code in _LOG_CODES:
        return f"failed to verify log inclusion: {error}"
    return str(error) if failure.is_old else _FIXED.get(code, str(error))


def hint(failure: Failure) -> str:
    """What cosign's words leave out: ours, where they say more."""
    error = failure.error
    return error.hint or (str(error) if error.code in _FIXED and not failure.is_old else "")


def _bad_signature(failure: Failure) -> str:
    if _names_another_digest(failure.material):
        return "failed to verify signature: artifact does not match digest"
    if failure.material.envelope is not None:
        core, what = "accepted signatures do not match threshold, Found: 0, Expected 1", "envelope"
    else:
        key = failure.wanted.key or _certificate(failure.material).certificate.key
        core, what = _BAD[key.kind], "message"
    return (
        core if failure.is_old else f"failed to verify signature: could not verify {what}: {core}"
    )


def _names_another_digest(material: "Material") -> bool:
    """Say whether a signature says itself that it is over another file than the one of which a digest is given."""
    algorithm, digest = material.said_digest
    file = material.signed
    return (
        not isinstance(file, bytes)
        and not file.is_here
        and file.knows(algorithm)
        and file.digest(algorithm) != digest
    )


def _predicate(failure: Failure) -> str:
    if not failure.typed:
        return ""
    found = InTotoStatement.parse(failure.material.payload).predicate_type
    return f"invalid predicate type, expected {failure.typed} got {found}"


def _key_material(failure: Failure) -> str:
    if failure.wanted.key is not None:
        return "expected key signature, not certificate" if failure.material.certificates else ""
    return "no certificate found on signature" if failure.is_old else ""


def _wrong_subject(failure: Failure) -> str:
    if failure.is_old:
        return "no matching subject digest found"
    return f"failed to verify signature: {failure.error}"


def _identity(failure: Failure) -> str:
    identity, found = failure.wanted.signer.identity, _certificate(failure.material)
    if failure.is_old:
        return (
            "none of the expected identities matched what was in the certificate, "
            f"got subjects [{found.name}] with issuer {found.issuer}"
        )
    last = (_difference(identity, found) if identity is not None else "") or str(failure.error)
    return (
        "failed to verify certificate identity: no matching CertificateIdentity found, "
        f"last error: {last}"
    )


_TOLD = {
    Code.BAD_SIGNATURE: _bad_signature,
    Code.PREDICATE: _predicate,
    Code.KEY_MATERIAL: _key_material,
    Code.WRONG_SUBJECT: _wrong_subject,
    Code.IDENTITY: _identity,
}


def _certificate(material: "Material") -> "SigningCertificate":
    from countermark.proofs import signing_certificates  # noqa: PLC0415 - failures with certificates

    return signing_certificates.parse(material.certificates[0])


def _difference(identity: "Identity", found: "SigningCertificate") -> str:
    """The first difference, in cosign's order."""
    from countermark.core import patterns  # noqa: PLC0415 - failures with identities

    for what, exact, pattern, there in (
        ("SAN", identity.subject, identity.subject_pattern, found.name),
        ("issuer", identity.issuer, identity.issuer_pattern, found.issuer),
    ):
        if exact and exact != there:
            return f'expected {what} value "{exact}", got "{there}"'
        if pattern and not patterns.matches(pattern, there):
            return f'expected {what} value to match regex "{pattern}", got "{there}"'
    for number, wanted in identity.extensions:
        there = str(found.extensions.get(number, ""))
        if there != wanted:
            return f'expected GithubWorkflow{_WORKFLOW[number]} to be "{wanted}", got "{there}"'
    return ""
