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


# Each scheme's kind of signer is added here when it comes.
TrustedSigner = DctSigner
