"""Clients of Fulcio, Rekor and a timestamp authority: what they send, take, refuse, and say of what misbehaves."""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest

import fake_sigstore as fake
from countermark.adapters.fulcio import Fulcio
from countermark.adapters.http_client import HttpClient
from countermark.adapters.rekor import Rekor1, Rekor2
from countermark.adapters.timestamp_client import TimestampAuthority
from countermark.core import limits
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.core.ports_sigstore import LogRequest
from countermark.formats.payloads import IN_TOTO
from fake_sigstore import SIGNED_AT, b64, compact
from servers import Asked, Server, answer, handling

TOKEN = ".".join(
    b64(part).rstrip("=")
    for part in (
        b'{"alg":"RS256"}',
        b'{"iss":"https://issuer.test","aud":"sigstore","sub":"x"}',
        b"signature",
    )
)
JSON = (("Content-Type", "application/json"),)
HTML = (("Content-Type", "text/html"),)


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(pause=lambda _: None)
    yield client
    client.close()


class Service:
    """A service that gives prepared answers; the last one for ever."""

    def __init__(self, *answers: bytes) -> None:
        self.left = list(answers)
        self.server = Server(handling(self._handle))

    def _handle(self, asked: Asked) -> bytes:
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]

    @property
    def asked(self) -> list[Asked]:
        return self.server.asked

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()


def good(document: object, status: int = 200) -> bytes:
    return answer(status, compact(document), JSON)


# What is asked for -----------------------------------------------------------------------------------


KEY = fake.new_key()
AUTHORITY = fake.Authority()
LEAF = AUTHORITY.issue(key=KEY)
CHAIN = [fake.pem_of(der) for der in (LEAF.der, *LEAF.chain)]
MESSAGE = b"what is signed"
SIGNATURE = fake.sign(KEY, MESSAGE)


def request(**other: Any) -> LogRequest:
    fields: dict[str, Any] = {
        "digest": sha256(MESSAGE).digest(),
        "algorithm": "sha256",
        "signature": SIGNATURE,
        "public_key": fake.spki(KEY),
    }
    return LogRequest(**(fields | other))


def answer_2(signature: bytes = SIGNATURE) -> fake.Document:
    body = fake.jcs(
        {
            "apiVersion": "0.0.2",
            "kind": "hashedrekord",
            "spec": {
                "hashedRekordV002": {
                    "data": {"algorithm": "SHA2_256", "digest": b64(sha256(MESSAGE).digest())},
                    "signature": {
                        "content": b64(signature),
                        "verifier": {
                            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                            "publicKey": {"rawBytes": b64(fake.spki(KEY))},
                        },
                    },
                }
            },
        }
    )
    entry = fake.Log().add(body, ("hashedrekord", "0.0.2"))
    return entry | {"inclusionPromise": None, "integratedTime": "0"}


def answer_1(body: bytes) -> fake.Document:
    return {
        "24296fb24b8ad77a": {
            "body": b64(body),
            "integratedTime": int(SIGNED_AT.timestamp()),
            "logID": "ab" * 32,
            "logIndex": 7,
            "verification": {
                "inclusionProof": {
                    "logIndex": 7,
                    "rootHash": "cd" * 32,
                    "treeSize": 8,
                    "hashes": ["ef" * 32],
                    "checkpoint": "x - 1\n",
                },
                "signedEntryTimestamp": b64(b"promise"),
            },
        }
    }


def certify(http: HttpClient, url: str) -> object:
    return Fulcio(http, url).certify(TOKEN, fake.spki(KEY), b"proof")


def stamp(http: HttpClient, url: str) -> object:
    return TimestampAuthority(http, f"{url}/api/v1/timestamp").stamp(b"signature")


def log_2(http: HttpClient, url: str) -> object:
    return Rekor2(http, url).add(request(), SIGNED_AT)


def log_1(http: HttpClient, url: str) -> object:
    return Rekor1(http, url).add(request(), SIGNED_AT)


Ask = Callable[[HttpClient, str], object]
ALL: dict[str, Ask] = {"Fulcio": certify, "timestamp authority": stamp, "Rekor": log_2}
every = pytest.mark.parametrize("name", ALL)

# What they send and take ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["signedCertificateEmbeddedSct", "signedCertificateDetachedSct"])
@pytest.mark.parametrize("status", [200, 201])
def test_fulcio(http: HttpClient, kind: str, status: int) -> None:
    with Service(good({kind: {"chain": {"certificates": CHAIN}}}, status)) as service:
        found = Fulcio(http, service.server.url + "/").certify(TOKEN, fake.spki(KEY), b"proof")
    assert found == (LEAF.der, *LEAF.chain)
    (asked,) = service.asked
    assert (asked.method, asked.target) == ("POST", "/api/v2/signingCert")
    assert asked.header("authorization") == f"Bearer {TOKEN}"
    assert json.loads(asked.body) == {
        "publicKeyRequest": {
            "publicKey": {"algorithm": "ECDSA", "content": fake.pem(KEY)},
            "proofOfPossession": b64(b"proof"),
        }
    }


@pytest.mark.parametrize("status", [200, 201])
def test_the_second_kind_of_log(http: HttpClient, status: int) -> None:
    with Service(good(answer_2(), status)) as service:
        entry = Rekor2(http, service.server.url).add(request(), SIGNED_AT)
    assert (entry.kind, entry.version, entry.integrated_time) == ("hashedrekord", "0.0.2", 0)
    (asked,) = service.asked
    assert asked.target == "/api/v2/log/entries"
    assert json.loads(asked.body) == {
        "hashedRekordRequestV002": {
            "digest": b64(sha256(MESSAGE).digest()),
            "signature": {
                "content": b64(SIGNATURE),
                "verifier": {
                    "publicKey": {"rawBytes": b64(fake.spki(KEY))},
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                },
            },
        }
    }


def record_1(signature: bytes = SIGNATURE) -> bytes:
    return fake.jcs(
        {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": sha256(MESSAGE).hexdigest()}},
                "signature": {
                    "content": b64(signature),
                    "publicKey": {"content": b64(fake.pem(KEY).encode())},
                },
            },
        }
    )


def test_the_first_kind_of_log(http: HttpClient) -> None:
    with Service(good(answer_1(record_1()), 201)) as service:
        entry = Rekor1(http, service.server.url).add(request(), SIGNED_AT)
    assert (entry.log_index, entry.promise) == (7, b"promise")
    assert entry.integrated_time == int(SIGNED_AT.timestamp())
    (asked,) = service.asked
    assert asked.target == "/api/v1/log/entries"
    assert json.loads(asked.body) == json.loads(record_1())


def test_the_first_kind_of_log_hashes_as_the_key_does(http: HttpClient) -> None:
    """Rekor 1 verifies over the digest that it is given, so that it has to be that of the key's own hash."""
    key = fake.new_key("P-384")
    asked = request(public_key=fake.spki(key), algorithm="sha384", digest=b"\1" * 48)
    with Service(answer(400, b"{}", JSON)) as service, pytest.raises(RefusedError):
        Rekor1(http, service.server.url).add(asked, SIGNED_AT)
    sent = json.loads(service.asked[0].body)["spec"]["data"]["hash"]
    assert sent == {"algorithm": "sha384", "value": "01" * 48}


def envelope(payload: bytes = b"{}") -> bytes:
    return compact(
        {
            "payload": b64(payload),
            "payloadType": IN_TOTO,
            "signatures": [{"sig": b64(SIGNATURE)}],
        }
    )


def record_dsse(content: bytes, signature: bytes = SIGNATURE) -> bytes:
    return fake.jcs(
        {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": {"algorithm": "sha256", "value": sha256(content).hexdigest()},
                "payloadHash": {"algorithm": "sha256", "value": sha256(b"{}").hexdigest()},
                "signatures": [
                    {"signature": b64(signature), "verifier": b64(fake.pem(KEY).encode())}
                ],
            },
        }
    )


def test_an_envelope_in_the_first_kind_of_log(http: HttpClient) -> None:
    with Service(good(answer_1(record_dsse(envelope())), 201)) as service:
        Rekor1(http, service.server.url).add(request(envelope=envelope()), SIGNED_AT)
    sent = json.loads(service.asked[0].body)
    assert sent["kind"] == "dsse"
    assert sent["spec"]["proposedContent"] == {
        "envelope": envelope().decode(),
        "verifiers": [b64(fake.pem(KEY).encode())],
    }


def test_an_entry_that_is_there_already_is_fetched(http: HttpClient) -> None:
    place = (("Location", "/api/v1/log/entries/24296fb2"),)
    with Service(answer(409, b"{}", place), good(answer_1(record_1()))) as service:
        entry = Rekor1(http, service.server.url).add(request(), SIGNED_AT)
    assert entry.log_index == 7
    assert [(asked.method, asked.target) for asked in service.asked] == [
        ("POST", "/api/v1/log/entries"),
        ("GET", "/api/v1/log/entries/24296fb2"),
    ]


@pytest.mark.parametrize("location", ["", "/api/v1/log/entries/../x", "http://x.test/steal/1"])
def test_a_place_elsewhere_is_not_followed(http: HttpClient, location: str) -> None:
    with (
        Service(answer(409, b"{}", (("Location", location),))) as service,
        pytest.raises(RefusedError) as caught,
    ):
        log_1(http, service.server.url)
    assert caught.value.code == Code.DUPLICATE
    assert len(service.asked) == 1


def test_a_timestamp(http: HttpClient) -> None:
    reply = b"\x30\x03\x02\x01\x00"
    with Service(answer(201, reply, (("Content-Type", "application/timestamp-reply"),))) as service:
        assert stamp(http, service.server.url) == reply
    (asked,) = service.asked
    assert asked.target == "/api/v1/timestamp"
    assert asked.header("content-type") == "application/timestamp-query"
    assert sha256(b"signature").digest() in asked.body


# What misbehaves --------------------------------------------------------------------------------------


REFUSALS: list[tuple[int, bytes, type[CountermarkError], Code, str]] = [
    (400, b'{"code":3,"message":"no","details":[]}', RefusedError, Code.REFUSED, "400: no"),
    (401, b"who are you", RefusedError, Code.REFUSED, "401: who are you"),
    (404, b"<h1>nothing</h1>", NotFoundError, Code.NOT_FOUND, "404: <h1>nothing</h1>"),
    (409, b'{"message":"again"}', RefusedError, Code.DUPLICATE, "409: again"),
    (413, b"", RefusedError, Code.TOO_LARGE, "413: (nothing)"),
    (429, b"slow", UnavailableError, Code.UNAVAILABLE, "429: slow"),
    (500, b"\x1b[2Joops", UnavailableError, Code.UNAVAILABLE, "500: \\x1b[2Joops"),
    (503, b"later", UnavailableError, Code.UNAVAILABLE, "503: later"),
    (302, b"", UnavailableError, Code.UNAVAILABLE, "302: (nothing)"),
]


@every
@pytest.mark.parametrize(("status", "body", "kind", "code", "text"), REFUSALS)
def test_refusals(
    http: HttpClient,
    name: str,
    status: int,
    body: bytes,
    kind: type[CountermarkError],
    code: Code,
    text: str,
) -> None:
    with Service(answer(status, body)) as service, pytest.raises(kind) as caught:
        ALL[name](http, service.server.url)
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert str(caught.value) == f"{name} returned {text}"


@pytest.mark.parametrize(
    ("name", "again"), [("Fulcio", 3), ("timestamp authority", 3), ("Rekor", 1)]
)
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_only_what_is_harmless_is_asked_again(
    http: HttpClient, name: str, again: int, status: int
) -> None:
    """An entry that was taken and not answered would be a duplicate the second time."""
    with Service(answer(status)) as service, pytest.raises(UnavailableError):
        ALL[name](http, service.server.url)
    assert len(service.asked) == again


def test_a_failure_that_passes(http: HttpClient) -> None:
    right = good({"signedCertificateEmbeddedSct": {"chain": {"certificates": CHAIN}}})
    with Service(answer(503), right) as service:
        assert certify(http, service.server.url)


@every
def test_nobody_there(http: HttpClient, name: str) -> None:
    with Service(answer(200)) as service:
        url = service.server.url
    with pytest.raises(UnavailableError) as caught:
        ALL[name](http, url)
    assert str(caught.value).startswith(f'Post "{url}/api/')
    assert str(caught.value).endswith("connect: connection refused")


@every
@pytest.mark.parametrize(
    ("body", "headers", "of"),
    [
        (b"<html>sign in first</html>", HTML, " (it is text/html)"),
        (b"", JSON, ""),
        (b"{}", JSON, ""),
        (b"[]", JSON, ""),
    ],
)
def test_other_answers(
    http: HttpClient, name: str, body: bytes, headers: tuple[tuple[str, str], ...], of: str
) -> None:
    with Service(answer(200, body, headers)) as service, pytest.raises(MalformedError) as caught:
        ALL[name](http, service.server.url)
    assert str(caught.value).startswith(f"{name}'s answer cannot be read{of}: ")
    assert caught.value.hint.endswith(" the right address?")


@every
def test_too_long(http: HttpClient, name: str) -> None:
    with (
        Service(answer(200, b" " * (limits.TOKEN_BYTES + 1), JSON)) as service,
        pytest.raises(MalformedError) as caught,
    ):
        ALL[name](http, service.server.url)
    assert caught.value.code == Code.TOO_LARGE


def test_what_does_not_belong_into_a_chain(http: HttpClient) -> None:
    for texts in ([], [fake.pem(KEY)], ["junk"], CHAIN[:1] * (limits.BUNDLE_CERTIFICATES + 1)):
        found = good({"signedCertificateEmbeddedSct": {"chain": {"certificates": texts}}})
        with Service(found) as service, pytest.raises(MalformedError):
            certify(http, service.server.url)


def test_a_refused_token_is_explained_and_not_shown(http: HttpClient) -> None:
    said = compact({"code": 3, "message": f"bad token {TOKEN}"})
    with Service(answer(400, said, JSON)) as service, pytest.raises(RefusedError) as caught:
        certify(http, service.server.url)
    assert str(caught.value) == "Fulcio returned 400: bad token (the token)"
    assert "of issuer https://issuer.test for audience sigstore" in caught.value.hint


@pytest.mark.parametrize("token", ["a b", "a\nb", "ä", "a\r\nX: y"])
def test_no_token_at_all(http: HttpClient, token: str) -> None:
    with Service(answer(200)) as service, pytest.raises(InputError):
        Fulcio(http, service.server.url).certify(token, fake.spki(KEY), b"proof")
    assert not service.asked


@pytest.mark.parametrize(
    ("ask", "found"),
    [
        (log_2, answer_2(fake.sign(KEY, b"else"))),
        (log_1, answer_1(record_1(fake.sign(KEY, b"else")))),
        (log_1, answer_1(record_dsse(b"", fake.sign(KEY, b"else")))),
    ],
)
def test_the_entry_of_another_signature(http: HttpClient, ask: Ask, found: object) -> None:
    with Service(good(found, 201)) as service, pytest.raises(CountermarkError) as caught:
        ask(http, service.server.url)
    assert caught.value.code == Code.ENTRY


@pytest.mark.parametrize("status", [413, 500, 502, 504])
def test_an_attestation_that_is_too_large_for_a_log(http: HttpClient, status: int) -> None:
    """Proxies before the public log answer 502, and do not say why."""
    large = envelope(b"x" * limits.LOGGED_ENVELOPE_USUAL_BYTES)
    with Service(answer(status)) as service, pytest.raises(RefusedError) as caught:
        Rekor1(http, service.server.url).add(request(envelope=large), SIGNED_AT)
    assert caught.value.code == Code.TOO_LARGE
    assert "which is probably more than this log takes" in str(caught.value)
    assert "Rekor 2" in caught.value.hint
    assert len(service.asked) == 1


def test_an_attestation_that_is_too_large_for_any(http: HttpClient) -> None:
    large = envelope(b"x" * limits.LOGGED_ENVELOPE_BYTES)
    with Service(answer(201)) as service, pytest.raises(InputError) as caught:
        Rekor1(http, service.server.url).add(request(envelope=large), SIGNED_AT)
    assert caught.value.code == Code.TOO_LARGE
    assert not service.asked


def test_no_plain_http_elsewhere(http: HttpClient) -> None:
    for ask in ALL.values():
        with pytest.raises(InputError) as caught:
            ask(http, "http://sigstore.example.test")
        assert caught.value.code == Code.INSECURE


@pytest.mark.parametrize("made", [Fulcio, Rekor1, Rekor2, TimestampAuthority])
def test_no_url(http: HttpClient, made: type[Fulcio]) -> None:
    with pytest.raises(InputError, match=f"{made.name}: "):
        made(http, "ftp://x")
