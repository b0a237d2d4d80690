"""Signing in at an issuer that does what it likes, with a browser and a person who do too."""

import json
import threading
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

import servers
from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_connection import Timeouts
from countermark.adapters.oidc_flows import OidcFlows
from countermark.adapters.oidc_provider import SignIn
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    InputError,
    RefusedError,
    UnavailableError,
)
from countermark.proofs import token_keys, tokens

KEY = token_keys.generate()
SECRET = "the client's secret"
DEVICE = {
    "device_code": "device",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://issuer.test/device",
    "expires_in": 300,
    "interval": 5,
}
Answers = list[tuple[int, object]]


class Issuer:
    """An issuer on loopback; what it answers can be changed. ``forms`` are those that it was sent."""

    def __init__(self) -> None:
        self.server = servers.Server(servers.handling(self._answer))
        self.url = self.server.url.rstrip("/")
        self.document: dict[str, Any] = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/auth",
            "token_endpoint": f"{self.url}/token",
            "device_authorization_endpoint": f"{self.url}/device",
            "code_challenge_methods_supported": ["S256"],
        }
        self.claims: dict[str, Any] = {"iss": self.url, "aud": "sigstore", "sub": "alice"}
        self.device: tuple[int, object] = (200, DEVICE)
        self.pending: Answers = []
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.nonce = ""

    def token(self) -> str:
        nonce = {"nonce": self.nonce} if self.nonce else {}
        return tokens.issue({**nonce, **self.claims}, KEY)

    def _answer(self, asked: servers.Asked) -> bytes:
        if asked.path.endswith("/openid-configuration"):
            return _json(200, self.document)
        self.forms.append((asked.path, dict(parse_qsl(asked.body.decode(), strict_parsing=True))))
        if asked.path == "/device":
            return _json(*self.device)
        if self.pending:
            return _json(*self.pending.pop(0))
        return _json(200, {"id_token": self.token(), "token_type": "bearer"})


def _json(status: int, value: object) -> bytes:
    return servers.answer(
        status, json.dumps(value).encode(), [("Content-Type", "application/json")]
    )


class Person:
    """Somebody whose browser comes back with ``back``, made of what it was sent to."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.lines: list[str] = []
        self.codes: list[str] = []
        self.sent: dict[str, str] = {}
        self.back: Callable[[dict[str, str]], Mapping[str, str] | list[tuple[str, str]]] = (
            lambda asked: {"code": "the code", "state": asked["state"]}
        )
        self.problem, self.typed = "", "the code\n"

    def told(self, text: str) -> None:
        self.lines.append(text)

    def told_code(self, text: str) -> None:
        self.codes.append(text)

    def ask(self, prompt: str) -> str:
        self.lines.append(prompt)
        self._seen(self.lines[-2].rpartition("\t ")[2])
        return self.typed

    def open_browser(self, url: str) -> str:
        if self.problem:
            return self.problem
        self._seen(url)
        place = f"{self.sent['redirect_uri']}?{urlencode(self.back(self.sent))}"
        threading.Thread(target=self._visit, args=(place,), daemon=True).start()
        return ""

    def _seen(self, url: str) -> None:
        self.sent = {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}
        self.issuer.nonce = self.issuer.nonce or self.sent["nonce"]

    @staticmethod
    def _visit(place: str) -> None:
        with urllib.request.urlopen(place, timeout=servers.WAIT_SECONDS) as answer:
            answer.read()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    with made.server:
        yield made


@pytest.fixture
def person(issuer: Issuer) -> Person:
    return Person(issuer)


@pytest.fixture
def flows(issuer: Issuer, person: Person) -> Iterator[OidcFlows]:
    client = HttpClient(timeouts=Timeouts(connect=5, read=5, answer=10), pause=lambda _: None)
    yield OidcFlows(client, SignIn(issuer=issuer.url), person, PAUSES.append)
    client.close()


PAUSES: list[float] = []


@pytest.fixture(autouse=True)
def _no_pauses() -> None:
    PAUSES.clear()


# In a browser -------------------------------------------------------------------------------------------


def test_a_browser(flows: OidcFlows, issuer: Issuer, person: Person) -> None:
    token = flows.browser()
    assert tokens.unverified_claims(token)["sub"] == "alice"
    ((path, form),) = issuer.forms
    assert path == "/token"
    challenge = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).decode()
    assert person.sent["code_challenge"] == challenge.rstrip("=")
    assert person.sent["code_challenge_method"] == "S256"
    assert form["redirect_uri"] == person.sent["redirect_uri"]
    assert urlsplit(form["redirect_uri"]).hostname == "localhost"
    assert len(person.sent["state"]) >= 32
    assert len(person.sent["nonce"]) >= 32
    assert person.sent["state"] != person.sent["nonce"]
    assert form["code_verifier"] not in "".join(person.lines)
    assert token not in "".join(person.lines + person.codes)


def test_nobody_can_open_a_browser(flows: OidcFlows, issuer: Issuer, person: Person) -> None:
    person.problem = "no browser"
    assert flows.browser()
    assert person.sent["redirect_uri"] == "urn:ietf:wg:oauth:2.0:oob"
    assert issuer.forms[0][1]["redirect_uri"] == "urn:ietf:wg:oauth:2.0:oob"
    assert person.lines[0] == "error opening browser: no browser"
    assert person.lines[1].startswith("Go to the following link in a browser:\n\n\t http://")
    assert person.lines[2] == "Enter verification code: "


@pytest.mark.parametrize("typed", ["", "\n", "two\nlines", "\x1b[31m"])
def test_codes_that_are_none(flows: OidcFlows, issuer: Issuer, person: Person, typed: str) -> None:
    person.problem, person.typed = "no browser", typed
    with pytest.raises(RefusedError) as caught:
        flows.browser()
    assert caught.value.code == Code.TOKEN
    assert issuer.forms == []


@pytest.mark.parametrize(
    ("back", "error"),
    [
        (lambda asked: {"code": "stolen", "state": "another"}, EvidenceError),
        (lambda asked: {"code": "stolen", "state": asked["state"] + "x"}, EvidenceError),
        (lambda asked: {"code": "stolen", "state": "ü"}, EvidenceError),
        (lambda asked: {"code": "stolen"}, EvidenceError),
        (
            lambda asked: [("code", "stolen"), ("state", asked["state"]), ("state", "x")],
            EvidenceError,
        ),
        (
            lambda asked: {"code": "x", "state": asked["state"], "iss": "https://evil.test"},
            EvidenceError,
        ),
        (lambda asked: {"error": "access_denied", "state": asked["state"]}, RefusedError),
        (lambda asked: {"state": asked["state"]}, RefusedError),
    ],
    ids=[
        "state",
        "longer state",
        "odd state",
        "no state",
        "two states",
        "mix-up",
        "denied",
        "no code",
    ],
)
def test_browsers_that_come_back_wrong(
    flows: OidcFlows, issuer: Issuer, person: Person, back: Any, error: type[CountermarkError]
) -> None:
    person.back = back
    with pytest.raises(error) as caught:
        flows.browser()
    assert caught.value.code == Code.TOKEN
    assert issuer.forms == []  # the code went nowhere


def test_the_issuer_named_beside_the_code(flows: OidcFlows, issuer: Issuer, person: Person) -> None:
    person.back = lambda asked: {"code": "c", "state": asked["state"], "iss": issuer.url}
    assert flows.browser()


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": "ü"},
        {"iss": "https://evil.test"},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": None},
    ],
)
def test_tokens_of_another_sign_in(
    flows: OidcFlows, issuer: Issuer, change: dict[str, Any]
) -> None:
    issuer.claims |= change
    with pytest.raises(EvidenceError) as caught:
        flows.browser()
    assert caught.value.code == Code.TOKEN


def test_a_token_for_several(flows: OidcFlows, issuer: Issuer) -> None:
    issuer.claims["aud"] = ["another", "sigstore"]
    assert flows.browser()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"issuer": "https://evil.test"}, Code.MALFORMED),
        ({"code_challenge_methods_supported": ["plain"]}, Code.NOT_SUPPORTED),
        ({"code_challenge_methods_supported": []}, Code.NOT_SUPPORTED),
        ({"authorization_endpoint": "http://evil.test/auth"}, Code.INSECURE),
        ({"authorization_endpoint": "file:///etc/passwd"}, Code.MALFORMED),
    ],
)
def test_documents_that_lead_astray(
    flows: OidcFlows, issuer: Issuer, person: Person, change: dict[str, Any], code: Code
) -> None:
    issuer.document |= change
    with pytest.raises(UnavailableError) as caught:
        flows.browser()
    assert caught.value.code == code
    assert person.sent == {}


def test_a_token_endpoint_without_tls(flows: OidcFlows, issuer: Issuer) -> None:
    issuer.document["token_endpoint"] = "http://evil.test/token"
    with pytest.raises(InputError) as caught:
        flows.browser()
    assert caught.value.code == Code.INSECURE


@pytest.mark.parametrize(
    "redirect", ["https://evil.test/x", "http://evil.test/x", "http://192.0.2.1:1/"]
)
def test_redirects_elsewhere(issuer: Issuer, person: Person, redirect: str) -> None:
    client = HttpClient()
    flows = OidcFlows(
        client, SignIn(issuer=issuer.url, redirect_url=redirect), person, PAUSES.append
    )
    with pytest.raises(InputError, match="this machine only"):
        flows.browser()
    client.close()


def test_a_redirect_of_ones_own(issuer: Issuer, person: Person) -> None:
    client = HttpClient()
    sign_in = SignIn(issuer=issuer.url, redirect_url="http://127.0.0.1:0/here")
    assert OidcFlows(client, sign_in, person, PAUSES.append).browser()
    assert urlsplit(person.sent["redirect_uri"]).path == "/here"
    client.close()


# On another device ------------------------------------------------------------------------------------------


def test_a_device(flows: OidcFlows, issuer: Issuer, person: Person) -> None:
    issuer.pending = [
        (400, {"error": "authorization_pending"}),
        (400, {"error": "slow_down"}),
        (400, {"error": "authorization_pending"}),
    ]
    assert flows.device()
    assert PAUSES == [5, 10, 10]  # RFC 8628, 3.5
    assert person.codes == [
        "Enter the verification code ABCD-EFGH in your browser at: https://issuer.test/device",
        "Code will be valid for 300 seconds",
        "Token received!",
    ]
    (_, begun), (_, asked) = issuer.forms[:2]
    challenge = urlsafe_b64encode(sha256(asked["code_verifier"].encode()).digest()).decode()
    assert begun["code_challenge"] == challenge.rstrip("=")
    assert asked["device_code"] == "device"


def test_a_device_that_nobody_lets_in(flows: OidcFlows, issuer: Issuer) -> None:
    issuer.device = (200, DEVICE | {"expires_in": 20})
    issuer.pending = [(400, {"error": "authorization_pending"})] * 100
    with pytest.raises(UnavailableError, match="in time"):
        flows.device()
    assert sum(PAUSES) <= 30


def test_a_slow_issuer_does_not_hold_us_for_ever(flows: OidcFlows, issuer: Issuer) -> None:
    issuer.device = (200, DEVICE | {"expires_in": 10**6, "interval": 10**6})
    issuer.pending = [(400, {"error": "slow_down"})] * 10_000
    with pytest.raises(UnavailableError):
        flows.device()
    assert max(PAUSES) <= 60
    assert sum(PAUSES) <= 1900


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, {"error": "access_denied"}), RefusedError),
        ((400, {"error": "expired_token"}), RefusedError),
        ((400, {"error": "\x1b[31m"}), RefusedError),
        ((400, {}), RefusedError),
        ((503, {}), UnavailableError),
        ((200, {"access_token": "x"}), CountermarkError),
        ((200, {"id_token": "no token"}), EvidenceError),
    ],
)
def test_answers_to_a_device(
    flows: OidcFlows, issuer: Issuer, answer: tuple[int, object], error: type[CountermarkError]
) -> None:
    issuer.pending = [answer]
    with pytest.raises(error) as caught:
        flows.device()
    assert "\x1b" not in str(caught.value)


def test_an_issuer_without_devices(flows: OidcFlows, issuer: Issuer) -> None:
    del issuer.document["device_authorization_endpoint"]
    with pytest.raises(UnavailableError, match="device authorization endpoint not returned"):
        flows.device()


# As a program -----------------------------------------------------------------------------------------------


def test_a_program(issuer: Issuer, person: Person) -> None:
    client = HttpClient()
    sign_in = SignIn(issuer=issuer.url, client_id="robot", client_secret=SECRET)
    issuer.claims["aud"] = ["sigstore", "robot"]
    assert SECRET not in repr(sign_in)
    flows = OidcFlows(client, sign_in, person, PAUSES.append)
    assert flows.program()
    ((_, form),) = issuer.forms
    assert (form["grant_type"], form["client_secret"]) == ("client_credentials", SECRET)
    issuer.pending = [(401, {"error": "invalid_client", "error_description": SECRET})]
    with pytest.raises(RefusedError) as caught:
        flows.program()
    assert SECRET not in str(caught.value)
    client.close()


def test_a_program_without_a_secret(flows: OidcFlows, issuer: Issuer) -> None:
    with pytest.raises(InputError):
        flows.program()
    assert issuer.forms == []
