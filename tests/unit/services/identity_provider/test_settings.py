"""Where codes may go, and what an issuer's URL may be."""

from typing import Any

import pytest

from countermark.core.errors import ConfigError
from countermark.services.identity_provider.settings import OUT_OF_BAND, SIGSTORE, Client, Settings

WEB = Client(
    id="web", redirects=("https://app.example.com/callback?tenant=1", "http://localhost/x")
)


@pytest.mark.parametrize(
    "redirect",
    [
        OUT_OF_BAND,
        "http://localhost:1/auth/callback",
        "http://localhost:65535/auth/callback",
        "http://127.0.0.1:41234/auth/callback",
        "http://[::1]:41234/auth/callback",
        "http://localhost:8080",
        "http://localhost:8080/",
    ],
)
def test_where_codes_of_sigstores_clients_may_go(redirect: str) -> None:
    assert SIGSTORE.allows(redirect)


@pytest.mark.parametrize(
    "redirect",
    [
        "",
        "urn:ietf:wg:oauth:2.0:oob:auto",
        "URN:ietf:wg:oauth:2.0:oob",
        "http://localhost/auth/callback",  # nobody of ours listens at port 80
        "http://localhost:0/auth/callback",
        "http://localhost:080/auth/callback",
        "http://localhost:65536/auth/callback",
        "http://localhost:99999/auth/callback",
        "http://localhost:1/auth/callback/",
        "http://localhost:1/auth/callback/../evil",
        "http://localhost:1/./auth/callback",
        "http://localhost:1/auth//callback",
        "http://localhost:1/auth/callback?x=y",
        "http://localhost:1/auth/callback#x",
        "http://localhost:1/other",
        "http://localhost:1/auth%2Fcallback",
        "http://localhost:1/auth/callback\n",
        "http://localhost:1\\@evil.example/auth/callback",
        "http://localhost:1@evil.example/auth/callback",
        "http://user@localhost:1/auth/callback",
        "http://localhost.evil.example:1/auth/callback",
        "http://evil.example:1/auth/callback",
        "http://LOCALHOST:1/auth/callback",
        "http://127.0.0.2:1/auth/callback",
        "http://127.1:1/auth/callback",
        "http://[::ffff:127.0.0.1]:1/auth/callback",
        "https://localhost:1/auth/callback",
        "//localhost:1/auth/callback",
        "javascript:alert(1)",
        "data:text/html,x",
    ],
)
def test_where_they_may_not(redirect: str) -> None:
    assert not SIGSTORE.allows(redirect)


def test_others_are_compared_as_texts() -> None:
    assert WEB.allows("https://app.example.com/callback?tenant=1")
    assert WEB.allows("http://localhost:9/x")
    for wrong in (
        "https://app.example.com/callback",
        "https://app.example.com/callback?tenant=2",
        "https://app.example.com/callback?tenant=1&x",
        "https://app.example.com:443/callback?tenant=1",
        "https://APP.example.com/callback?tenant=1",
        OUT_OF_BAND,
        "http://localhost:9/y",
    ):
        assert not WEB.allows(wrong)


def test_a_redirect_to_this_machine_is_named_without_port() -> None:
    with pytest.raises(ConfigError, match="without port"):
        Client(id="x", redirects=("http://localhost:8080/x",))


@pytest.mark.parametrize(
    ("issuer", "origin", "path"),
    [
        ("https://trust.example.com/identity", "https://trust.example.com", "/identity"),
        ("https://Trust.example.com:5443/a/b", "https://trust.example.com:5443", "/a/b"),
        ("https://trust.example.com", "https://trust.example.com", ""),
        ("http://localhost:8080/x", "http://localhost:8080", "/x"),
        ("http://[::1]:8080", "http://[::1]:8080", ""),
    ],
)
def test_an_issuers_url(issuer: str, origin: str, path: str) -> None:
    settings = Settings(issuer=issuer)
    assert (settings.origin, settings.path) == (origin, path)
    assert settings.is_secure == issuer.startswith("https")


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "trust.example.com",
        "http://trust.example.com",
        "http://localhost.example.com",
        "ftp://trust.example.com",
        "https://",
        "https://trust.example.com/",
        "https://trust.example.com/a/",
        "https://trust.example.com/a?b",
        "https://trust.example.com/a#b",
        "https://user@trust.example.com/a",
        "https://trust.example.com/a b",
        "https://trust.example.com/%41",
    ],
)
def test_what_is_none(issuer: str) -> None:
    with pytest.raises(ConfigError):
        Settings(issuer=issuer)


def test_a_client_is_found_by_its_name() -> None:
    given: dict[str, Any] = {"issuer": "https://x.org", "clients": (SIGSTORE, WEB)}
    assert Settings(**given).by_id == {"sigstore": SIGSTORE, "web": WEB}
