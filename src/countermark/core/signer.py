"""Trusted signers: whom a policy names, and how each scheme recognises them."""

from countermark.core.errors import ConfigError
from countermark.core.light import datetime
from countermark.core.value import Value


class DctSigner(Value):
    """A role holder of Docker Content Trust.

    Attributes:
        name: the name in the policy, or "" for one written in place.
        roots: who may have signed the root: key IDs (64 hex digits, of the certificate or of the bare key) or
            PEM texts of certificates, public keys or CAs. Empty only with ``first_use``.
        first_use: believe the first root that the server shows, and that one from then on.
        role: the delegation that must name the digest, as ``targets/alice``; "" means any signature that docker
            itself would accept (``targets/releases``, else ``targets``).
        server: URL of the trust server; "" for docker's own choice from the repository's registry.
        not_after: what was signed later, or at an unproven time, does not count.
    """

    name: str
    roots: tuple[str, ...] = ()
    first_use: bool = False
    role: str = ""
    server: str = ""
    not_after: datetime | None = None

    def _check(self) -> None:
        if not self.roots and not self.first_use:
            raise ConfigError(
                f"signer {self.name!r} has no root",
                hint="give root: a PEM file or key ID, or write root: first-use to believe the first one seen",
            )

    @property
    def scheme(self) -> str:
        """The scheme that answers for this signer."""
        return "dct"


class Identity(Value):
    """A certified identity that is believed: who, and who says so.

    A text is compared exactly; a pattern is RE2 and has to match the whole (cosign's searches, and so takes
    ``https://github.com/org-evil/`` for ``https://github.com/org``). Each of the two needs one of both.

    Attributes:
        subject, subject_pattern: the certificate's subject alternative name.
        issuer, issuer_pattern: the OpenID issuer in its Fulcio extensions.
        extensions: further Fulcio extensions that must have exactly this text: (last number of the OID, text).
    """

    subject: str = ""
    subject_pattern: str = ""
    issuer: str = ""
    issuer_pattern: str = ""
    extensions: tuple[tuple[int, str], ...] = ()

    def _check(self) -> None:
        for what, text, pattern in (
            ("subject", self.subject, self.subject_pattern),
            ("issuer", self.issuer, self.issuer_pattern),
        ):
            if bool(text) == bool(pattern):
                raise ConfigError(f"an identity needs its {what}, exactly or as a pattern")


class CosignSigner(Value):
    """A key holder or certified identity that signs with cosign; exactly one of ``key``, ``identity`` and ``ca``.

    Attributes:
        name: the name in the policy, or "" for one written in place.
        key: a public key, PEM.
        identity: who a certificate of the trusted root's authorities must be for.
        ca: PEM texts of the certificates of an own authority, without Fulcio; ``ca_subject`` is then the subject
            alternative name that the leaf must have ("" leaves it open: anyone whom that authority certified).
        trusted_root: a trusted_root.json of its own, as text; ``public`` for the public Sigstore's, "" for the
            configured one.
        annotations: what the signed statement must say besides: (name, value).
        predicate: the predicate type of the attestation demanded; "" for a signature.
        condition: CEL over the attestation's statement (``predicate``, ``predicateType``, ``subject``), "" for none.
        claims: what the signed statement must name beside the digest: ``repository`` (the image's), ``exact`` (its
            repository and tag), or ``ignore`` to leave it open (as cosign does).
        accept_unlogged: why no transparency log has to have it; "" demands one.
        accept_uncertified: why no certificate transparency log has to have the certificate; "" demands one.
        timestamped: a signed timestamp is demanded even where a log proves the time.
        threshold: of the evidence found, so many distinct logs have to have it.
        witnesses: verifier keys (C2SP signed-note) of witnesses of logs; ``witnesses_needed`` of them have to have
            cosigned the checkpoint of each log that counts.
        not_after: what was signed later, or at an unproven time, does not count.
    """

    name: str
    key: str = ""
    identity: Identity | None = None
    ca: tuple[str, ...] = ()
    ca_subject: str = ""
    trusted_root: str = ""
    annotations: tuple[tuple[str, str], ...] = ()
    predicate: str = ""
    condition: str = ""
    claims: str = "ignore"
    accept_unlogged: str = ""
    accept_uncertified: str = ""
    timestamped: bool = False
    threshold: int = 1
    witnesses: tuple[str, ...] = ()
    witnesses_needed: int = 0
    not_after: datetime | None = None

    def _check(self) -> None:
        named, needed = len(self.witnesses), self.witnesses_needed
        if not min(1, named) <= needed <= named:
            raise ConfigError(f"signer {self.name!r}: {needed} of {named} witnesses are needed")
        if self.witnesses_needed and self.accept_unlogged:
            raise ConfigError(
                f"signer {self.name!r}: witnesses of a log are needed, and no log is",
                hint="leave one of the two away",
            )
        if (bool(self.key), self.identity is not None, bool(self.ca)).count(True) != 1:
            raise ConfigError(
                f"signer {self.name!r} needs exactly one of a key, an identity and a certificate authority",
                hint="write cosign: {key: FILE}, {issuer: …, subject: …} or {ca: FILE}",
            )

    @property
    def scheme(self) -> str:
        """The scheme that answers for this signer."""
        return "cosign"


# Each scheme's kind of signer is added here when it comes.
TrustedSigner = DctSigner | CosignSigner
