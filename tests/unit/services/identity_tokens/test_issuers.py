"""Issuers that are believed: what may be written, and whom a URL finds."""

from typing import Any

import pytest

from countermark.core.errors import ConfigError
from countermark.services.identity_tokens.issuers import KINDS, Issuer, Issuers
from countermark.services.identity_tokens.providers import PROVIDERS

EXACT = Issuer(url="https://accounts.example.com", audience="sigstore", kind="email")
EKS = Issuer(
    url="https://oidc.eks.*.amazonaws.com/id/*",
    audience="sigstore",
    kind="kubernetes",
    is_pattern=True,
)
EKS_TOO = EKS.replace(url="https://oidc.eks.us-west-2.amazonaws.com/id/*", audience="other")
ALL = Issuers([EXACT, EKS, EKS_TOO])


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://accounts.example.com", EXACT),
        ("https://oidc.eks.us-west-2.amazonaws.com/id/B02C93B6", EKS),  # the first that fits
        ("https://oidc.eks.eu_1.amazonaws.com/id/-x_", EKS),
        ("https://accounts.example.com/", None),
        ("https://ACCOUNTS.example.com", None),
        ("http://accounts.example.com", None),
        ("https://accounts.example.com.evil.example", None),
        ("https://oidc.eks..amazonaws.com/id/x", None),
        ("https://oidc.eks.us.west.amazonaws.com/id/x", None),
        ("https://oidc.eks.us-west-2.amazonaws.com/id/", None),
        ("https://oidc.eks.us-west-2.amazonaws.com/id/a/b", None),
        ("https://oidc.eks.us-west-2.amazonaws.com/id/x?y", None),
        ("https://oidc.eks.us-west-2.amazonaws.com/id/x\n", None),
        ("https://oidc.eks.evil.example/x.amazonaws.com/id/x", None),
        ("https://evil.example/?https://oidc.eks.us-west-2.amazonaws.com/id/x", None),
        ("https://oidcXeks.us-west-2.amazonaws.com/id/x", None),  # a dot is a dot
        ("", None),
    ],
)
def test_whom_a_url_finds(url: str, found: Issuer | None) -> None:
    assert ALL.find(url) == found


def issuer(**changes: Any) -> Issuer:
    return Issuer(**({"url": "https://ci.example.com", "audience": "a", "kind": "email"} | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://localhost:8080/dex"},
        {"url": "http://127.0.0.1:1"},
        {"url": "http://[::1]:1"},
        {"issuer_claim": ("federated_claims", "connector_id")},
        {"accept_unverified_email": True},
        {"kind": "spiffe", "trust_domain": "example.com"},
        {"kind": "uri", "subject_domain": "https://example.com"},
        {"kind": "uri", "subject_domain": "https://users.example.com"},
        {"kind": "username", "subject_domain": "example.com"},
        {"kind": "username", "subject_domain": "ci.example.com"},
        {"kind": "ci-provider", "provider": PROVIDERS["github-workflow"]},
        {"kind": "github-workflow", "challenge_claim": "email"},
    ],
)
def test_what_may_be_written(changes: dict[str, Any]) -> None:
    assert issuer(**changes).audience == "a"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "anything"}, "is none of"),
        ({"audience": ""}, "needs an audience"),
        ({"url": "http://ci.example.com"}, "https URL"),
        ({"url": "http://localhost.evil.example"}, "https URL"),
        ({"url": "ftp://ci.example.com"}, "https URL"),
        ({"url": "https://"}, "https URL"),
        ({"url": "https://[::1"}, "not a URL"),
        ({"url": "https://user@ci.example.com"}, "https URL"),
        ({"url": "https://ci.example.com?x"}, "no query"),
        ({"url": "https://ci.example.com#x"}, "no query"),
        ({"url": "https://ci.example.com/a b"}, "no query"),
        ({"url": "https://ci.example.com/ä"}, "no query"),
        ({"url": "https://*.example.com"}, "meta-issuers"),
        ({"is_pattern": True}, "has a '\\*'"),
        ({"url": "http://localhost:*", "is_pattern": True}, "https URL"),
        ({"kind": "uri", "issuer_claim": ("x",)}, "kind email"),
        ({"kind": "kubernetes", "accept_unverified_email": True}, "kind email"),
        ({"kind": "spiffe"}, "trust domain"),
        ({"kind": "spiffe", "trust_domain": "Example.com"}, "trust domain"),
        ({"kind": "spiffe", "trust_domain": "a/b"}, "trust domain"),
        (
            {"kind": "spiffe", "trust_domain": "a", "is_pattern": True, "url": "https://*.x.org"},
            "named exactly",
        ),
        ({"kind": "uri"}, "issuer's scheme"),
        ({"kind": "uri", "subject_domain": "example.com"}, "issuer's scheme"),
        ({"kind": "uri", "subject_domain": "http://example.com"}, "issuer's scheme"),
        ({"kind": "uri", "subject_domain": "https://[example"}, "issuer's scheme"),
        ({"kind": "uri", "subject_domain": "https://example.org"}, "does not speak for"),
        ({"kind": "uri", "subject_domain": "https://com"}, "does not speak for"),
        ({"kind": "username"}, "is a domain"),
        ({"kind": "username", "subject_domain": "https://example.com"}, "is a domain"),
        ({"kind": "username", "subject_domain": "a!b"}, "is a domain"),
        ({"kind": "username", "subject_domain": "evil.org"}, "does not speak for"),
        ({"kind": "ci-provider"}, "say which one"),
    ],
)
def test_what_may_not_be_written(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        issuer(**changes)


def test_an_issuer_comes_once() -> None:
    with pytest.raises(ConfigError, match="twice"):
        Issuers([EXACT, EXACT.replace(audience="other")])
    with pytest.raises(ConfigError, match="twice"):
        Issuers([EKS, EKS])
    with pytest.raises(ConfigError, match="twice"):
        ALL.and_also(EXACT)


def test_our_own_beside_others() -> None:
    own = issuer(url="https://own.example.com")
    both = ALL.and_also(own)
    assert both.find("https://own.example.com") == own
    assert both.find(EXACT.url) == EXACT
    assert [line.url for line in both.listed()] == [own.url, EXACT.url, EKS.url, EKS_TOO.url]


def test_what_clients_may_know() -> None:
    listed = Issuers(
        [
            EXACT.replace(accept_unverified_email=True, ca_certificates="secret"),
            EKS,
            issuer(kind="username", subject_domain="example.com", challenge_claim="x"),
            issuer(url="https://s.example.com", kind="spiffe", trust_domain="td"),
        ]
    ).listed()
    assert [line.challenge_claim for line in listed] == ["email", "sub", "x", "sub"]
    assert [line.is_pattern for line in listed] == [False, True, False, False]
    assert [line.accepts_unverified_email for line in listed] == [True, False, False, False]
    assert (listed[2].subject_domain, listed[3].trust_domain) == ("example.com", "td")
    assert "secret" not in repr(listed)


def test_each_kind_has_a_claim_that_is_signed() -> None:
    assert set(KINDS.values()) == {"email", "sub"}
