"""Tokens of believed issuers, from the text that was sent to the principal."""

from typing import Any

import pytest

from countermark.core.errors import Code, EvidenceError, UnavailableError
from countermark.formats import strict_json
from countermark.proofs import token_keys, tokens
from countermark.services.identity_tokens.checks import TokenChecks
from countermark.services.identity_tokens.issuer_keys import IssuerKeys
from countermark.services.identity_tokens.issuers import Issuer, Issuers
from identity import NOW, Documents

URL, OTHER = "https://issuer.example.com", "https://other.example.com"
PATTERN = "https://oidc.eks.*.amazonaws.com/id/*"
EKS = "https://oidc.eks.us-west-2.amazonaws.com/id/ABC"
KEYS = {url: token_keys.generate() for url in (URL, OTHER, EKS)}


def documents() -> Documents:
    files: dict[str, bytes] = {}
    for url, key in KEYS.items():
        about = {"issuer": url, "jwks_uri": f"{url}/keys"}
        files[f"{url}/.well-known/openid-configuration"] = strict_json.compact(about)
        files[f"{url}/keys"] = token_keys.encode_key_set([key])
    return Documents(files)


ISSUERS = Issuers(
    [
        Issuer(url=URL, audience="sigstore", kind="email"),
        Issuer(url=OTHER, audience="others", kind="email"),
        Issuer(url=PATTERN, audience="sigstore", kind="kubernetes", is_pattern=True),
    ]
)


def token(signer: str = URL, **changes: Any) -> str:
    seconds = int(NOW.timestamp())
    claims: dict[str, Any] = {
        "iss": signer,
        "sub": "alice",
        "aud": "sigstore",
        "iat": seconds,
        "exp": seconds + 60,
        "email": "alice@example.com",
        "email_verified": True,
        "jti": "an-id",
    }
    return tokens.issue(claims | changes, KEYS[signer])


def checks(withdrawn: str = "") -> TokenChecks:
    return TokenChecks(
        ISSUERS, IssuerKeys(documents()), lambda url, name: (url, name) == (URL, withdrawn)
    )


def refused(text: str, reason: str, by: TokenChecks | None = None) -> None:
    with pytest.raises(EvidenceError, match=reason) as caught:
        (by or checks()).check(text, NOW)
    assert caught.value.code == Code.TOKEN


def test_whom_a_token_names() -> None:
    found = checks().check(token(), NOW)
    assert (found.name, found.kind, found.issuer) == ("alice@example.com", "email", URL)


def test_an_issuer_that_a_pattern_finds_has_keys_of_its_own() -> None:
    claims = {"namespace": "a", "serviceaccount": {"name": "b"}}
    found = checks().check(
        token(EKS, sub="system:serviceaccount:a:b", **{"kubernetes.io": claims}), NOW
    )
    assert found.issuer == EKS


def test_who_is_not_believed() -> None:
    refused(token(iss="https://evil.example.com"), "is not believed")
    refused(token(iss=EKS + "/more"), "is not believed")
    refused(token(iss=None), "is not believed")
    refused(token(iss=[URL]), "is not believed")
    refused("no token", "three parts")


def test_one_issuer_cannot_speak_for_another() -> None:
    """The key is the first one's, the name the second's: its own keys count."""
    refused(token(URL, iss=OTHER, aud="others"), "no such key")
    refused(token(URL, iss=EKS), "no such key")


def test_each_issuer_has_its_own_audience() -> None:
    refused(token(OTHER), "another audience")
    assert checks().check(token(OTHER, aud="others"), NOW).issuer == OTHER


def test_a_name_that_this_kind_may_not_give() -> None:
    refused(token(email_verified=False), "not verified")


def test_a_token_that_was_withdrawn() -> None:
    refused(token(), "withdrawn", checks("an-id"))
    assert checks("other").check(token(), NOW).token_id == "an-id"
    assert checks("an-id").check(token(jti=""), NOW).token_id == ""
    assert TokenChecks(ISSUERS, IssuerKeys(documents())).check(token(), NOW).token_id == "an-id"


def test_keys_that_cannot_be_had() -> None:
    nothing = TokenChecks(ISSUERS, IssuerKeys(Documents()))
    with pytest.raises(UnavailableError):
        nothing.check(token(), NOW)


def test_nothing_is_fetched_for_who_is_not_believed() -> None:
    empty = Documents()
    refused(
        token(iss="https://evil.example.com"), "believed", TokenChecks(ISSUERS, IssuerKeys(empty))
    )
    assert empty.asked == []


def test_who_is_believed() -> None:
    assert [line.url for line in checks().issuers()] == [URL, OTHER, PATTERN]
