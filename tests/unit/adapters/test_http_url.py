"""URLs: parsed strictly, joined, shown without secrets."""

import pytest

from countermark.adapters.http_url import Url, is_loopback, path_of, quote
from countermark.core.errors import Code, InputError


@pytest.mark.parametrize(
    ("text", "origin", "target"),
    [
        ("https://Example.Test", ("https", "example.test", 443), "/"),
        ("HTTPS://example.test:5000/v2/?a=b#part", ("https", "example.test", 5000), "/v2/?a=b"),
        ("http://127.0.0.1:80/x", ("http", "127.0.0.1", 80), "/x"),
        ("https://[::1]:4443/", ("https", "::1", 4443), "/"),
        ("https://[::1]", ("https", "::1", 443), "/"),
        ("https://example.test.?q", ("https", "example.test", 443), "/?q"),
    ],
)
def test_urls_are_read(text: str, origin: tuple[str, str, int], target: str) -> None:
    url = Url.parse(text)
    assert (url.origin, url.target) == (origin, target)
    assert Url.parse(str(url)) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.test",
        "ftp://example.test",
        "//example.test/",
        "https://",
        "https:///path",
        "https://user:secret@example.test/",
        "https://secret@example.test/",
        "https://exa mple.test/",
        "https://example.test/a b",
        "https://example.test/a\r\nHost: x",
        "https://example.test/ä",
        "https://example.test:/x:y",
        "https://example.test:0/",
        "https://example.test:65536/",
        "https://example.test:port/",
        "https://example.test:+1/",
        "https://example..test/",
        "https://-example.test/",
        "https://[::1/",
        "https://[x]/",
        "https://[::1]5/",
        "https://example.test/" + "x" * 20_000,
    ],
)
def test_what_is_no_url_is_refused(text: str) -> None:
    if text == "https://example.test:/x:y":  # RFC 3986 allows an empty port
        assert Url.parse(text).port == 443
        return
    with pytest.raises(InputError) as caught:
        Url.parse(text)
    assert caught.value.code == Code.BAD_INPUT
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/b?c", "https://a.test:1/b?c"),
        ("b", "https://a.test:1/x/b"),
        ("?n=2", "https://a.test:1/x/y?n=2"),
        ("//b.test/z", "https://b.test/z"),
        ("http://b.test/z", "http://b.test/z"),
        ("/v2?next=http://b.test", "https://a.test:1/v2?next=http://b.test"),
    ],
)
def test_references_are_joined(location: str, expected: str) -> None:
    assert str(Url.parse("https://a.test:1/x/y?q=/r").join(location)) == expected


@pytest.mark.parametrize(
    "location", ["javascript://x", "https://u:p@b.test/", "/a b", "file:///etc"]
)
def test_references_elsewhere_than_the_web_are_refused(location: str) -> None:
    with pytest.raises(InputError):
        Url.parse("https://a.test/").join(location)


def test_what_is_shown_has_no_query() -> None:
    url = Url.parse("https://a.test/blob?X-Amz-Signature=secret")
    assert url.shown == "https://a.test/blob"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("0:0:0:0:0:0:0:1", True),
        ("128.0.0.1", False),
        ("127.1", False),
        ("localhost.example.test", False),
        ("127.0.0.1.example.test", False),
        ("::ffff:127.0.0.1", False),
        ("0.0.0.0", False),
        ("example.test", False),
    ],
)
def test_only_literal_addresses_are_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:5000/team/app", "localhost:5000/team/app"),
        ("docker.io/library/x", "docker.io/library/x"),
        ("a b/ä?", "a%20b/%C3%A4%3F"),
    ],
)
def test_names_become_paths(text: str, expected: str) -> None:
    assert path_of(text) == expected


@pytest.mark.parametrize("text", ["", "a//b", "../etc", "a/../b", "a/.", "/a"])
def test_names_that_lead_elsewhere_are_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        path_of(text)
    assert caught.value.code == Code.BAD_INPUT


def test_queries_are_quoted() -> None:
    assert quote("repository:a/b:pull,push") == "repository%3Aa%2Fb%3Apull%2Cpush"
    url = Url.parse("https://a.test/token?x=1").with_query(("scope", "a b"))
    assert url.target == "/token?x=1&scope=a%20b"
