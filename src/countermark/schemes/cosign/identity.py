"""Whether a certified identity is the one that is meant: exactly, or by a pattern that matches the whole.

cosign 3.1.3 searches with its patterns, so that ``https://github.com/org`` also takes ``https://github.com/org-evil``;
here a pattern has to match from beginning to end (specs: cosign, 3.1).
"""

from countermark.core import patterns
from countermark.core.errors import Code, EvidenceError
from countermark.core.light import Mapping
from countermark.core.signer import Identity


def check(
    wanted: Identity, subject: str, issuer: str, extensions: "Mapping[int, str | bytes]"
) -> None:
    """Compare what a certificate says with what is wanted.

    Raises:
        EvidenceError: ``identity``, with what is expected and what is there. ConfigError: a pattern is no RE2.
    """
    _check_text("subject", wanted.subject, wanted.subject_pattern, subject)
    _check_text("issuer", wanted.issuer, wanted.issuer_pattern, issuer)
    for number, text in wanted.extensions:
        found = extensions.get(number, "")
        if found != text:
            raise EvidenceError(
                f"extension {number} is {found!r}, expected is {text!r}", code=Code.IDENTITY
            )


def _check_text(what: str, exact: str, pattern: str, found: str) -> None:
    if not found:
        raise EvidenceError(f"the certificate names no {what}", code=Code.IDENTITY)
    if exact:
        matches, expected = found == exact, repr(exact)
    else:
        matches, expected = patterns.matches(pattern, found), f"what matches {pattern!r}"
    if not matches:
        raise EvidenceError(f"{what} is {found!r}, expected is {expected}", code=Code.IDENTITY)
