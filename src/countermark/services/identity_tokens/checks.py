"""Identity tokens of believed issuers: checked, and read as a principal (port ``IdentityTokens``)."""

from collections.abc import Callable, Sequence
from datetime import datetime

from countermark.core.ports_sigstore import BelievedIssuer, Principal
from countermark.proofs import tokens
from countermark.proofs.tokens import UnverifiedToken
from countermark.services.identity_tokens.issuer_keys import IssuerKeys
from countermark.services.identity_tokens.issuers import Issuers
from countermark.services.identity_tokens.principals import principal, refused


def _nothing_withdrawn(_issuer: str, _token_id: str) -> bool:
    return False


class TokenChecks:
    """Checks tokens (port ``IdentityTokens``).

    Args:
        issuers: who is believed.
        keys: their keys.
        withdrawn: says of an issuer's URL and a token's ``jti`` whether it was taken back; our own issuer does that.
    """

    def __init__(
        self,
        issuers: Issuers,
        keys: IssuerKeys,
        withdrawn: Callable[[str, str], bool] = _nothing_withdrawn,
    ) -> None:
        self._issuers, self._keys, self._withdrawn = issuers, keys, withdrawn

    def check(self, token: str, now: datetime) -> Principal:
        """See the port."""
        read = UnverifiedToken(token)
        url = read.claims.get("iss")
        issuer = self._issuers.find(url) if isinstance(url, str) else None
        if not isinstance(url, str) or issuer is None:
            raise refused(f"issuer {str(url)[:200]!r} is not believed")
        keys = self._keys.keys(url, read.key_id, now, issuer.ca_certificates)
        claims = tokens.check(read, keys, url, issuer.audience, now)
        found = principal(issuer, claims)
        if found.token_id and self._withdrawn(url, found.token_id):
            raise refused("it was withdrawn")
        return found

    def issuers(self) -> Sequence[BelievedIssuer]:
        """See the port."""
        return self._issuers.listed()
