"""Paths from a certificate to a trusted one at a point in time, with the rules of Sigstore.

RFC 5280, 6.1, as Go's ``crypto/x509`` and so cosign apply it, and stricter: see docs/compatibility.md. Revocation
lists play no part: a signing certificate lives ten minutes. The trusted certificate is an anchor, whose own signature
proves nothing; its dates, purposes and limits count as those of the others do.
"""

from countermark.core import limits
from countermark.core.errors import ChainError, Code, EvidenceError, ExpiredError
from countermark.core.light import Sequence, datetime
from countermark.proofs import certificate_extensions as extensions
from countermark.proofs import certificate_names, certificate_signatures, signatures
from countermark.proofs.x509 import Certificate

CODE_SIGNING, TIME_STAMPING = "code-signing", "time-stamping"
_PURPOSES = {CODE_SIGNING: extensions.CODE_SIGNING, TIME_STAMPING: extensions.TIME_STAMPING}
# Extensions whose meaning is looked at here or elsewhere, or that say nothing about whether a certificate counts. A
# list of policies restricts nobody who demands none (RFC 5280, 6.1.1 c).
_UNDERSTOOD = frozenset(
    (
        extensions.SUBJECT_KEY_ID,
        extensions.KEY_USAGE,
        extensions.ALTERNATIVE_NAMES,
        extensions.BASIC_CONSTRAINTS,
        extensions.NAME_CONSTRAINTS,
        extensions.POLICIES,
        extensions.AUTHORITY_KEY_ID,
        extensions.PURPOSES,
    )
)


def chain_at(
    leaf: Certificate,
    intermediates: Sequence[Certificate],
    roots: Sequence[Certificate],
    at: datetime,
    usage: str = CODE_SIGNING,
) -> tuple[Certificate, ...]:
    """Find a path from a leaf to one of the roots that holds at a time.

    Args:
        leaf: who signed.
        intermediates: candidates that nobody has to trust.
        roots: those that are trusted; they need not be self-signed.
        at: the time; both ends of a certificate belong to its life.
        usage: what the leaf must be for: ``code-signing`` or ``time-stamping``.

    Returns:
        The path, from the leaf to the root, both included.

    Raises:
        ChainError: there is none; ``too-large``, it cannot be looked for within our limits.
        ExpiredError: there is one, but not at that time.
        MalformedError: the leaf's extensions cannot be read.
    """
    if len(intermediates) + len(roots) > limits.CHAIN_CANDIDATES:
        raise ChainError("too many certificates to find a chain among", code=Code.TOO_LARGE)
    _check_leaf(leaf, usage)
    _check_dates(leaf, at)
    return _Search(intermediates, roots, at, _PURPOSES[usage]).chain(leaf)


def _check_leaf(leaf: Certificate, usage: str) -> None:
    purpose = _PURPOSES[usage]
    _check_form(leaf)
    if extensions.ca_limits(leaf).is_ca:
        raise ChainError("the signer's certificate is a CA's")
    used_for = extensions.key_usage(leaf)
    if used_for is not None and extensions.DIGITAL_SIGNATURE not in used_for:
        raise ChainError("the signer's certificate is not for signatures")
    found = extensions.purposes(leaf)
    if found is None or purpose not in found:
        raise ChainError(f"the signer's certificate is not for {usage.replace('-', ' ')}")
    if usage == TIME_STAMPING:
        # RFC 3161, 2.3: that purpose alone, and critical
        extension = leaf.extension(extensions.PURPOSES)
        if found != (purpose,) or extension is None or not extension.critical:
            raise ChainError("the signer's certificate is not for time stamping alone")


def _check_form(certificate: Certificate) -> None:
    """Refuse what holds for no certificate of a path, whatever its place."""
    if certificate.version != 3:
        raise ChainError(f"certificate of version {certificate.version}")
    if certificate.not_before > certificate.not_after:
        raise ChainError("certificate ends before it begins")
    if not signatures.accepts(certificate.key):
        raise ChainError(f"certificate for a key that is not accepted: {certificate.key.bits} bits")
    for extension in certificate.extensions:
        if extension.critical and extension.kind not in _UNDERSTOOD:
            raise ChainError("certificate has a critical extension that we do not know")


def _check_dates(certificate: Certificate, at: datetime) -> None:
    if at < certificate.not_before:
        raise ExpiredError(
            f"certificate is valid from {certificate.not_before:%Y-%m-%dT%H:%M:%SZ} only"
        )
    if at > certificate.not_after:
        raise ExpiredError(
            f"certificate is valid until {certificate.not_after:%Y-%m-%dT%H:%M:%SZ} only"
        )


class _Search:
    """Looks for a path, depth first, the roots before the intermediates."""

    def __init__(
        self,
        intermediates: Sequence[Certificate],
        roots: Sequence[Certificate],
        at: datetime,
        purpose: bytes,
    ) -> None:
        self._intermediates, self._roots = intermediates, roots
        self._at, self._purpose = at, purpose
        self._checks_left = limits.CHAIN_SIGNATURE_CHECKS
        self._problem: EvidenceError | None = None

    def chain(self, leaf: Certificate) -> tuple[Certificate, ...]:
        found = self._from((leaf,))
        if found is not None:
            return found
        raise self._problem or ChainError("certificate does not lead to a trusted authority")

    def _from(self, below: tuple[Certificate, ...]) -> tuple[Certificate, ...] | None:
        for root in self._roots:
            if self._may_issue(root, below):
                return (*below, root)
        if len(below) + 2 > limits.CHAIN_CERTIFICATES:
            return None
        for candidate in self._intermediates:
            if self._may_issue(candidate, below):
                found = self._from((*below, candidate))
                if found is not None:
                    return found
        return None

    def _may_issue(self, issuer: Certificate, below: tuple[Certificate, ...]) -> bool:
        if issuer.subject != below[-1].issuer or _is_among(issuer, below):
            return False
        if self._checks_left == 0:
            raise ChainError("too many certificates of the same name", code=Code.TOO_LARGE)
        self._checks_left -= 1
        try:
            certificate_signatures.check(below[-1], issuer.key)
            _check_issuer(issuer, below, self._purpose)
            _check_dates(issuer, self._at)
        except EvidenceError as error:
            self._note(error)
            return False
        return True

    def _note(self, problem: EvidenceError) -> None:
        """Keep why a path failed; one that failed by its dates alone came closest."""
        if not isinstance(self._problem, ExpiredError):
            self._problem = problem


def _is_among(issuer: Certificate, below: tuple[Certificate, ...]) -> bool:
    return any(c.subject == issuer.subject and c.key.der == issuer.key.der for c in below)


def _check_issuer(issuer: Certificate, below: tuple[Certificate, ...], purpose: bytes) -> None:
    """Refuse an issuer that may not stand above what is below it.

    Raises:
        EvidenceError: ``bad-chain``, or ``malformed``.
    """
    _check_form(issuer)
    limit = extensions.ca_limits(issuer)
    if not limit.is_ca:
        raise ChainError("certificate was issued by one that is no CA's")
    used_for = extensions.key_usage(issuer)
    if used_for is not None and extensions.CERTIFICATE_SIGNING not in used_for:
        raise ChainError("certificate was issued by a CA that may not issue any")
    # RFC 5280, 4.2.1.9: those that a CA issued to itself, to change its key, do not count
    between = sum(c.subject != c.issuer for c in below[1:])
    if limit.below is not None and between > limit.below:
        raise ChainError("certificate has more CAs above it than one of them allows")
    found = extensions.purposes(issuer)
    if found is not None and not {purpose, extensions.ANY_PURPOSE}.intersection(found):
        raise ChainError("certificate was issued by a CA for other purposes")
    certificate_names.check(extensions.name_constraints(issuer), below)
