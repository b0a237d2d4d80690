"""What the clients of key services share."""

from collections.abc import Callable

import pytest

from countermark.adapters import key_services
from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_exchange import HttpRequest
from countermark.adapters.http_url import Url
from countermark.adapters.key_services import RemoteKey
from countermark.core.errors import Code, KeyAccessError, MalformedError
from countermark.proofs import signing_keys
from servers import Server, always, answer


@pytest.mark.parametrize(
    ("algorithm", "by_digest"), [("ed25519", bytes), ("ed25519", None), ("ecdsa-p256", None)]
)
def test_a_keeper_that_signs_no_messages(
    algorithm: str, by_digest: Callable[[bytes], bytes] | None
) -> None:
    key = RemoteKey(signing_keys.generate(algorithm).public, "somebody", by_digest)
    with pytest.raises(KeyAccessError, match="somebody signs no messages") as caught:
        key.sign(b"m")
    assert caught.value.code == Code.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"error": "invalid_grant", "error_description": "never told"}', ": invalid_grant"),
        (b'{"error": {"code": 1, "message": "told"}}', ": told"),
        (b'{"errors": ["one", 2, "three"]}', ": one; three"),
        (b'{"message": "' + b"x" * 300 + b'"}', ": " + "x" * 200),
        (b'{"error": {"message": 1}}', ""),
        (b'{"error": [[]]}', ""),
        (b"[]", ""),
        (b"<html>", ""),
        (b'{"message": "you sent s3cr3t"}', ""),
        (b'{"message": "a\\u0007b"}', ": a b"),
    ],
)
def test_reasons(content: bytes, reason: str) -> None:
    client = HttpClient()
    with Server(always(answer(400, content))) as server:
        headers = {"Authorization": "Bearer s3cr3t", "X-Empty": ""}
        request = HttpRequest(method="GET", url=Url.parse(server.url), headers=headers)
        with pytest.raises(KeyAccessError) as caught:
            key_services.ask(client, request, "somebody")
        client.close()
    assert str(caught.value) == f"somebody: HTTP 400{reason}"


@pytest.mark.parametrize("content", [b"", b"\0", b"\xfb\xff\xfe", b"hello"])
def test_base64(content: bytes) -> None:
    assert key_services.of_base64(key_services.to_base64(content)) == content
    text = key_services.url_base64(content)
    assert not set(text) & set("+/=")
    assert key_services.of_url_base64(text) == content


@pytest.mark.parametrize("text", ["+w", "a/", "é", "A", "AA=A"])
def test_what_is_no_base64url(text: str) -> None:
    with pytest.raises(MalformedError):
        key_services.of_url_base64(text)


def test_a_form() -> None:
    assert key_services.form({"a": "b c&d", "e": "é"}) == b"a=b%20c%26d&e=%C3%A9"
