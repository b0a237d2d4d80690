"""Which requests go through a proxy."""

import pytest

from countermark.adapters.http_proxy import Proxies, Proxy
from countermark.adapters.http_url import Url
from countermark.core.errors import Code, ConfigError

PROXY = "http://proxy.test:3128"


@pytest.mark.parametrize(
    ("no_proxy", "url", "proxied"),
    [
        ("", "https://a.example.test/", True),
        ("*", "https://a.example.test/", False),
        ("example.test", "https://example.test/", False),
        ("example.test", "https://a.example.test/", False),
        ("example.test", "https://notexample.test/", True),
        (".example.test", "https://a.example.test/", False),
        (".example.test", "https://example.test/", True),
        ("*.example.test", "https://a.example.test/", False),
        ("other.test, A.Example.Test", "https://a.example.test/", False),
        ("example.test:8443", "https://example.test/", True),
        ("example.test:8443", "https://example.test:8443/", False),
        ("192.0.2.1", "https://192.0.2.1/", False),
        ("192.0.2.1", "https://192.0.2.10/", True),
        ("192.0.2.1:443", "https://192.0.2.1/", False),
        ("192.0.2.0/24", "https://192.0.2.7/", False),
        ("192.0.2.0/24", "https://192.0.3.7/", True),
        ("192.0.2.0/24", "https://example.test/", True),
        ("2001:db8::/32", "https://[2001:db8::5]/", False),
        ("2001:db8::5", "https://[2001:db8::5]/", False),
        ("[2001:db8::5]:443", "https://[2001:db8::5]/", False),
        ("not/a/network", "https://example.test/", True),
        ("", "https://localhost:5000/", False),
        ("", "https://127.0.0.2/", False),
        ("", "https://[::1]/", False),
        ("", "http://127.0.0.1/", False),
    ],
)
def test_no_proxy(no_proxy: str, url: str, proxied: bool) -> None:
    found = Proxies(https=PROXY, no_proxy=no_proxy).proxy_for(Url.parse(url))
    assert found == (Proxy(host="proxy.test", port=3128) if proxied else None)


def test_no_proxy_is_configured() -> None:
    assert Proxies().proxy_for(Url.parse("https://example.test/")) is None


def test_a_proxy_with_a_password() -> None:
    proxy = Proxy.parse("http://us%40er:p%3Aw@proxy.test:1")
    assert proxy.authorization == "Basic dXNAZXI6cDp3"
    assert "dXN" not in repr(proxy)
    assert Proxy.parse("proxy.test:8080") == Proxy(host="proxy.test", port=8080)


@pytest.mark.parametrize(
    "text",
    [
        "socks5://proxy.test",
        "https://proxy.test",
        "http://user:secret@",
        "http://user:secret%zz@proxy.test",
        "http://user:secret@proxy.test:x",
    ],
)
def test_what_is_no_proxy_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Proxy.parse(text)
    assert caught.value.code == Code.BAD_CONFIG
    assert "secret" not in str(caught.value)
