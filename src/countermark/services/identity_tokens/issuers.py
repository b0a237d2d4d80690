"""Which issuers of identity tokens are believed, for which audience, and what their tokens name."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from countermark.core.errors import ConfigError
from countermark.core.ports_sigstore import BelievedIssuer
from countermark.core.value import Value
from countermark.services.identity_tokens.providers import PROVIDERS, Provider

# what each kind's tokens name, in Fulcio's words, and the claim whose text their holders sign
KINDS: Mapping[str, str] = {
    "email": "email",
    "uri": "sub",
    "username": "sub",
    "spiffe": "sub",
    "kubernetes": "sub",
    "github-workflow": "sub",
    "gitlab-pipeline": "sub",
    "buildkite-job": "sub",
    "codefresh-workflow": "sub",
    "chainguard-identity": "sub",
    "ci-provider": "sub",
}
_STAR = "[-_a-zA-Z0-9]+"  # Fulcio: one part of a host name or path
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")  # SPIFFE-ID, 2.1
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Issuer(Value):
    """One issuer, or all that fit a pattern.

    Attributes:
        url: exactly as ``iss`` has it; with ``*`` for parts of names where ``is_pattern``.
        audience: what tokens must be for.
        kind: one of ``KINDS``.
        challenge_claim: whose text holders sign; "" for what goes with the kind.
        issuer_claim: names that lead to the claim with the true issuer, where this one only passes logins on (Dex).
        subject_domain: for ``uri`` the scheme and host of subjects, for ``username`` what follows their ``!``.
        trust_domain: for ``spiffe``, of its identifiers.
        accept_unverified_email: a weakening: names are believed that the issuer does not say it has verified.
        provider: for CI systems, what their claims become.
        ca_certificates: PEM, believed besides the system's for this issuer's own server.
    """

    url: str
    audience: str
    kind: str
    is_pattern: bool = False
    challenge_claim: str = ""
    issuer_claim: tuple[str, ...] = ()
    subject_domain: str = ""
    trust_domain: str = ""
    accept_unverified_email: bool = False
    provider: Provider | None = None
    ca_certificates: str = ""

    def _check(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"{self.kind[:80]!r} is none of: {', '.join(KINDS)}")
        if not self.audience:
            raise ConfigError("an issuer needs an audience (client-id)")
        _check_url(self.url, is_pattern=self.is_pattern)
        if self.issuer_claim and self.kind != "email":
            raise ConfigError("only issuers of kind email take the issuer from a claim")
        if self.accept_unverified_email and self.kind != "email":
            raise ConfigError("only issuers of kind email have addresses to verify")
        self._check_domains()
        if self.kind == "ci-provider" and self.provider is None:
            raise ConfigError("a ci-provider needs to say which one")

    def _check_domains(self) -> None:
        if self.kind == "spiffe":
            if self.is_pattern:  # many issuers would speak for one trust domain
                raise ConfigError("spiffe issuers are named exactly")
            if not _TRUST_DOMAIN.fullmatch(self.trust_domain):
                raise ConfigError("a spiffe issuer needs its trust domain (spiffe-trust-domain)")
        if self.kind == "uri":
            scheme, host = _split(self.subject_domain)
            own_scheme, own_host = _split(self.url)
            if not scheme or scheme != own_scheme:
                raise ConfigError(
                    "subject-domain needs the issuer's scheme, as https://example.com"
                )
            _check_related(host, own_host)
        if self.kind == "username":
            if not _DOMAIN.fullmatch(self.subject_domain):
                raise ConfigError("subject-domain is a domain, as example.com")
            _check_related(self.subject_domain, _split(self.url)[1])

    @property
    def claims_provider(self) -> Provider | None:
        """What a CI system's claims become; None for issuers that are none."""
        return self.provider or PROVIDERS.get(self.kind)

    @property
    def challenge(self) -> str:
        """The claim whose text holders sign."""
        return self.challenge_claim or KINDS[self.kind]


class Issuers:
    """All issuers that are believed."""

    def __init__(self, issuers: Sequence[Issuer]) -> None:
        """Take them; the first of several patterns that fit counts.

        Raises:
            ConfigError: an issuer comes twice.
        """
        self._all = tuple(issuers)
        self._exact = {issuer.url: issuer for issuer in issuers if not issuer.is_pattern}
        self._patterns = [(_pattern(i.url), i) for i in issuers if i.is_pattern]
        if len(self._exact) + len({p for p, _ in self._patterns}) != len(self._all):
            raise ConfigError("an issuer comes twice")

    def find(self, url: str) -> Issuer | None:
        """Return what is known of an issuer; None where it is not believed."""
        if url in self._exact:
            return self._exact[url]
        for pattern, issuer in self._patterns:
            if pattern.fullmatch(url):
                return issuer
        return None

    def listed(self) -> tuple[BelievedIssuer, ...]:
        """List them as clients may know them."""
        return tuple(
            BelievedIssuer(
                url=issuer.url,
                audience=issuer.audience,
                kind=issuer.kind,
                challenge_claim=issuer.challenge,
                is_pattern=issuer.is_pattern,
                subject_domain=issuer.subject_domain,
                trust_domain=issuer.trust_domain,
                accepts_unverified_email=issuer.accept_unverified_email,
            )
            for issuer in self._all
        )

    def and_also(self, *more: Issuer) -> "Issuers":
        """These and some more: our own issuer beside those of a file."""
        return Issuers((*more, *self._all))


def _pattern(url: str) -> "re.Pattern[str]":
    return re.compile(re.escape(url).replace(re.escape("*"), _STAR))


def _check_url(url: str, *, is_pattern: bool) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise ConfigError(f"not a URL: {url[:200]!r}") from None
    plain = not is_pattern and parts.scheme == "http" and host in _LOOPBACK
    if (parts.scheme != "https" and not plain) or not host or parts.username is not None:
        raise ConfigError(f"an issuer has an https URL, not {url[:200]!r}")
    if parts.query or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigError(f"an issuer's URL has no query, fragment or spaces: {url[:200]!r}")
    if is_pattern != ("*" in url):
        raise ConfigError(
            "a pattern has a '*'" if is_pattern else "patterns are meta-issuers, not issuers"
        )


def _split(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or ""
    except ValueError:
        return "", ""


def _check_related(domain: str, issuer_host: str) -> None:
    """An issuer speaks for its own domain only: the same host, or one below the same two last labels (Fulcio)."""
    if domain == issuer_host:
        return
    mine, theirs = domain.split("."), issuer_host.split(".")
    if len(mine) < 2 or len(theirs) < 2 or mine[-2:] != theirs[-2:]:
        raise ConfigError(f"{issuer_host!r} does not speak for {domain[:200]!r}")
