"""Whom ``cosign verify`` and its kin are told to believe: a key or an identity, and what weakens the proof."""

from countermark.cli.cosign.words import CosignError
from countermark.core.errors import ConfigError, CountermarkError
from countermark.core.signer import CosignSigner, Identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output

_BOTH = (
    "exactly one of: key reference (--key) or certificate identity (--certificate-identity or "
    "--certificate-identity-regexp), must be provided. To determine which to use, inspect the bundle's "
    "'verificationMaterial' field: if 'publicKey' is present, use key reference; if 'certificate' or "
    "'x509CertificateChain' is present, use certificate identity"
)
_NEEDED = "--certificate-{} or --certificate-{}-regexp is required for verification in keyless mode"
# the flag's last word, and the number of the Fulcio extension that it is about
_WORKFLOW = {"trigger": 2, "sha": 3, "name": 4, "repository": 5, "ref": 6}
_NO_LOG = (
    "WARNING: Skipping tlog verification is an insecure practice that lacks transparency and auditability "
    "verification for the {}."
)


def warn(words: "Words", out: "Output", what: str) -> None:
    """Warn of what weakens the proof, in cosign's words, with ``what`` it is about."""
    if words.on("insecure-ignore-tlog"):
        out.foreign_error(_NO_LOG.format(what))


def signer(
    words: "Words", program: "Program", out: "Output", what: str = "signature"
) -> CosignSigner:
    """Read whom to believe; ``warn`` first, unless there is nothing (``what``) to warn about.

    Raises:
        CosignError: neither a key nor an identity, or both; a key or annotation that cannot be read.
    """
    found = {
        "name": "cosign",
        "accept_unlogged": "--insecure-ignore-tlog" if _ignores_log(words) else "",
        "accept_uncertified": "--insecure-ignore-sct" if words.on("insecure-ignore-sct") else "",
        "timestamped": words.on("use-signed-timestamps"),
    }
    if what:
        warn(words, out, what)
    identified = bool(
        words.text("certificate-identity") or words.text("certificate-identity-regexp")
    )
    if words.text("key"):
        if identified:
            raise CosignError(_BOTH)
        return CosignSigner(key=_key(words.text("key"), program), **found)  # type: ignore[arg-type]
    return CosignSigner(identity=_identity(words), **found)  # type: ignore[arg-type]


def _ignores_log(words: "Words") -> bool:
    return words.on("insecure-ignore-tlog") or words.on("private-infrastructure")


def _key(reference: str, program: "Program") -> str:
    from countermark.proofs import public_keys  # noqa: PLC0415 - for keys only

    try:
        return public_keys.encode(program.cosign.keys.public_key(reference)).decode("ascii")
    except CountermarkError as error:
        if error.exit_status == CountermarkError.exit_status:
            raise
        text = f"loading verifier from key opts: loading public key: {error}"
        raise CosignError(text, hint=error.hint) from error


def _identity(words: "Words") -> Identity:
    for name in ("identity", "oidc-issuer"):
        if not words.text(f"certificate-{name}") and not words.text(f"certificate-{name}-regexp"):
            raise CosignError(_NEEDED.format(name, name))
    extensions = tuple(
        (number, words.text(f"certificate-github-workflow-{name}"))
        for name, number in _WORKFLOW.items()
        if words.text(f"certificate-github-workflow-{name}")
    )
    subject, issuer = words.text("certificate-identity"), words.text("certificate-oidc-issuer")
    try:
        return Identity(
            subject=subject,
            subject_pattern="" if subject else words.text("certificate-identity-regexp"),
            issuer=issuer,
            issuer_pattern="" if issuer else words.text("certificate-oidc-issuer-regexp"),
            extensions=extensions,
        )
    except ConfigError as error:
        raise CosignError(str(error)) from None


def annotations(words: "Words") -> tuple[tuple[str, str], ...]:
    """Read the pairs of ``-a``.

    Raises:
        CosignError: one is no pair.
    """
    found = []
    for pair in words.list("annotations"):
        name, equals, value = pair.partition("=")
        if not equals:
            raise CosignError(f"unable to parse annotation: {pair[:200]}")
        found.append((name, value))
    return tuple(dict(found).items())
