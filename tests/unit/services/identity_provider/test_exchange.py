"""The token endpoint: codes once, with their verifier; passwords of programs; refusals in OAuth's words."""

import base64
import json
from typing import Any

import pytest

from countermark.core.ports_hosting import Response
from countermark.proofs import token_keys, tokens
from countermark.services.identity_provider.exchange import DEVICE_GRANT
from identity import (
    ALICE,
    CALLBACK,
    FORM,
    ISSUER,
    PASSWORD,
    ROBOT,
    SECRET,
    VERIFIER,
    Browser,
    Issuer,
    header,
    redirected,
    request_of_cosign,
)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


def code(issuer: Issuer, **changes: str) -> str:
    browser = Browser(issuer)
    browser.open("/authorize", **request_of_cosign(**changes))
    return redirected(browser.sign_in())["code"]


def redemption(code: str, **changes: str) -> dict[str, str]:
    fields = {
        "grant_type": "authorization_code",
        "client_id": "sigstore",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        "nonce": "cosign sends it again",
    }
    return {name: value for name, value in (fields | changes).items() if value}


def read(answer: Response) -> dict[str, Any]:
    assert isinstance(answer.body, bytes)
    assert header(answer, "content-type") == "application/json"
    assert header(answer, "cache-control") == "no-store"
    assert header(answer, "pragma") == "no-cache"
    found: dict[str, Any] = json.loads(answer.body)
    return found


def refused(answer: Response, word: str, status: int = 400) -> None:
    assert (answer.status, read(answer)["error"]) == (status, word)
    assert "id_token" not in read(answer)


def basic(name: str, secret: str) -> dict[str, str]:
    raw = base64.b64encode(f"{name}:{secret}".encode()).decode()
    return {"authorization": f"Basic {raw}"}


# codes ----------------------------------------------------------------------------------------------


def test_a_code_is_good_once_and_a_second_use_takes_back_what_it_gave(issuer: Issuer) -> None:
    sent = redemption(code(issuer))
    token = read(issuer.post("/token", sent))["id_token"]
    name = str(tokens.unverified_claims(token)["jti"])
    assert not issuer.provider.withdrawn(ISSUER, name)
    refused(issuer.post("/token", sent), "invalid_grant")
    assert issuer.provider.withdrawn(ISSUER, name)
    assert not issuer.provider.withdrawn("https://other.example.com", name)
    refused(issuer.post("/token", sent), "invalid_grant")


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": ""},
        {"code_verifier": VERIFIER[:-1] + "j"},
        {"code_verifier": VERIFIER[:42]},
        {"code_verifier": VERIFIER * 3},
        {"code_verifier": VERIFIER + "="},
        {"redirect_uri": ""},
        {"redirect_uri": "http://localhost:41235/auth/callback"},
        {"redirect_uri": "http://127.0.0.1:41234/auth/callback"},
        {"redirect_uri": "urn:ietf:wg:oauth:2.0:oob"},
    ],
)
def test_whatever_is_wrong_uses_the_code_up(issuer: Issuer, changes: dict[str, str]) -> None:
    given = code(issuer)
    refused(issuer.post("/token", redemption(given, **changes)), "invalid_grant")
    refused(issuer.post("/token", redemption(given)), "invalid_grant")


def test_the_challenge_itself_is_no_verifier(issuer: Issuer) -> None:
    """Were "plain" taken, whoever reads the browser's history could redeem the code."""
    from identity import CHALLENGE

    given = code(issuer)
    refused(issuer.post("/token", redemption(given, code_verifier=CHALLENGE)), "invalid_grant")


def test_a_code_lasts_a_minute_and_a_typed_one_five(issuer: Issuer) -> None:
    from identity import OOB

    given, typed = code(issuer), ""
    browser = Browser(issuer)
    browser.open("/authorize", **request_of_cosign(redirect_uri=OOB))
    browser.sign_in()
    typed = browser.page.partition('<output class="code">')[2].partition("<")[0]
    issuer.clock.forward(60)
    refused(issuer.post("/token", redemption(given)), "invalid_grant")
    issuer.clock.forward(239)
    assert issuer.post("/token", redemption(typed, redirect_uri=OOB)).status == 200


@pytest.mark.parametrize("wrong", ["x", "", "é", "a" * 5000])
def test_codes_that_were_never_given(issuer: Issuer, wrong: str) -> None:
    word = "invalid_grant" if wrong else "invalid_request"
    refused(issuer.post("/token", redemption(wrong)), word)


def test_a_code_of_another_client() -> None:
    from countermark.services.identity_provider.settings import SIGSTORE, Client, Settings

    other = Client(id="other", redirects=SIGSTORE.redirects)
    issuer = Issuer(Settings(issuer=ISSUER, clients=(SIGSTORE, other)))
    given = code(issuer)
    refused(issuer.post("/token", redemption(given, client_id="other")), "invalid_grant")
    refused(issuer.post("/token", redemption(given)), "invalid_grant")


# clients --------------------------------------------------------------------------------------------


def test_go_tries_basic_with_an_empty_secret(issuer: Issuer) -> None:
    fields = redemption(code(issuer), client_id="")
    assert issuer.post("/token", fields, basic("sigstore", "")).status == 200
    # client_id beside it is the same client
    again = redemption(code(issuer))
    assert issuer.post("/token", again, basic("sigstore", "")).status == 200


@pytest.mark.parametrize(
    ("changes", "headers", "word", "status"),
    [
        ({"client_id": ""}, {}, "invalid_request", 400),
        ({"client_id": "other"}, {}, "invalid_client", 401),
        ({"client_secret": "x"}, {}, "invalid_client", 401),
        ({}, basic("sigstore", "secret"), "invalid_client", 401),
        ({}, basic("other", ""), "invalid_request", 400),
        ({"client_id": ""}, basic("other", ""), "invalid_client", 401),
        ({"client_secret": "x"}, basic("sigstore", ""), "invalid_request", 400),
        ({}, {"authorization": "Bearer x"}, "invalid_client", 401),
        ({}, {"authorization": "Basic !"}, "invalid_client", 401),
        ({"grant_type": ""}, {}, "invalid_request", 400),
        ({"grant_type": "password"}, {}, "unsupported_grant_type", 400),
        ({"grant_type": "refresh_token"}, {}, "unsupported_grant_type", 400),
        ({"grant_type": "implicit"}, {}, "unsupported_grant_type", 400),
        ({"grant_type": "AUTHORIZATION_CODE"}, {}, "unsupported_grant_type", 400),
    ],
)
def test_requests_that_are_refused_keep_the_code(
    issuer: Issuer, changes: dict[str, str], headers: dict[str, str], word: str, status: int
) -> None:
    given = code(issuer)
    answer = issuer.post("/token", redemption(given, **changes), headers)
    refused(answer, word, status)
    assert (header(answer, "www-authenticate") != "") == (status == 401)
    assert issuer.post("/token", redemption(given)).status == 200


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"grant_type":"authorization_code"}'),
        ("", b"grant_type=authorization_code"),
        (FORM, b""),
        (FORM, b"grant_type=client_credentials&grant_type=authorization_code"),
        (FORM, b"\xff=\xfe"),
        (FORM, b"grant_type=%ff"),
        (FORM, b"&".join(b"a%d=1" % number for number in range(100))),
    ],
    ids=range(7),
)
def test_what_is_no_form(issuer: Issuer, kind: str, body: bytes) -> None:
    headers = {"content-type": kind}
    refused(issuer.ask("POST", "/token", headers=headers, body=body), "invalid_request")


def test_a_charset_beside_the_type_is_fine(issuer: Issuer) -> None:
    headers = {"content-type": f"{FORM}; charset=utf-8"}
    answer = issuer.ask("POST", "/token", headers=headers, body=b"grant_type=x")
    refused(answer, "unsupported_grant_type")


# programs -------------------------------------------------------------------------------------------


def credentials(name: str, secret: str, **more: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_id": name,
        "client_secret": secret,
        "scope": "openid email",
        **more,
    }


@pytest.mark.parametrize(("name", "secret"), [(ROBOT, SECRET), (ALICE, PASSWORD)])
def test_a_name_and_a_password_make_a_token(issuer: Issuer, name: str, secret: str) -> None:
    token = read(issuer.post("/token", credentials(name, secret)))["id_token"]
    keys = token_keys.parse_key_set(issuer.provider.key_set())
    claims = tokens.check(token, keys, ISSUER, "sigstore", issuer.clock.now)
    # cosign's own check wants the client that it used among those whom the token is for
    assert claims["aud"] == ["sigstore", name]
    assert (claims["azp"], claims["sub"], claims["email"]) == (name, name, name)
    assert claims["email_verified"] is True
    assert "nonce" not in claims
    assert "auth_time" not in claims


def test_basic_is_escaped_as_the_standard_has_it(issuer: Issuer) -> None:
    fields = {"grant_type": "client_credentials"}
    go = basic("build%40ci.example.com", "a+secret+of+programs")
    assert read(issuer.post("/token", fields, go))["scope"] == "email openid"
    plain = basic(ROBOT, "a secret of programs")
    assert issuer.post("/token", fields, plain).status == 200


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        (ROBOT, "wrong"),
        (ROBOT, PASSWORD),
        ("nobody@example.com", SECRET),
        (ROBOT, "x" * 5000),
        ("a:b", SECRET),
        ("#x", SECRET),
        ("a\nb", SECRET),
    ],
)
def test_wrong_passwords(issuer: Issuer, name: str, secret: str) -> None:
    refused(issuer.post("/token", credentials(name, secret)), "invalid_client", 401)


def test_no_password_at_all(issuer: Issuer) -> None:
    refused(issuer.post("/token", credentials(ROBOT, "")), "invalid_client", 401)


def test_guessing_is_slowed_down(issuer: Issuer) -> None:
    for _ in range(20):
        refused(issuer.post("/token", credentials(ROBOT, "wrong")), "invalid_client", 401)
    answer = issuer.post("/token", credentials(ROBOT, SECRET))
    refused(answer, "temporarily_unavailable", 429)
    assert header(answer, "retry-after")
    issuer.clock.forward(61)
    assert issuer.post("/token", credentials(ROBOT, SECRET)).status == 200


# the service ----------------------------------------------------------------------------------------


def test_it_says_whether_it_can_make_tokens(issuer: Issuer) -> None:
    from countermark.core.errors import StorageError

    issuer.keys.full = True
    with pytest.raises(StorageError):
        issuer.provider.check()
    issuer.keys.full = False
    issuer.provider.check()


def test_methods_and_paths(issuer: Issuer) -> None:
    answer = issuer.ask("GET", "/token")
    assert (answer.status, header(answer, "allow")) == (405, "POST")
    assert issuer.ask("DELETE", "/device").status == 405
    assert issuer.ask("HEAD", "/keys").status == 200
    for path in ("/identity", "/identity/", "/identity/x", "/token", "/identity/token/"):
        assert not issuer.provider.serves(path)


def test_a_path_that_is_not_ours_is_not_found(issuer: Issuer) -> None:
    from countermark.core.ports_hosting import Request
    from identity import Body

    asked = Request(method="GET", path="/other", query="", headers={}, body=Body(b""))
    assert issuer.provider.answer(asked).status == 404


def test_discovery_says_what_clients_look_for(issuer: Issuer) -> None:
    answer = issuer.ask("GET", "/.well-known/openid-configuration")
    assert isinstance(answer.body, bytes)
    found = json.loads(answer.body)
    assert found["issuer"] == ISSUER
    assert found["code_challenge_methods_supported"] == ["S256"]
    for name in ("authorization", "token", "device_authorization"):
        place = found[f"{name}_endpoint"]
        assert issuer.provider.serves(place.removeprefix("https://trust.example.com")), place
    assert issuer.provider.serves(found["jwks_uri"].removeprefix("https://trust.example.com"))
    assert DEVICE_GRANT in found["grant_types_supported"]
    assert found["id_token_signing_alg_values_supported"] == ["ES256"]
    assert "max-age" in header(answer, "cache-control")


def test_the_certificate_authority_beside_it_believes_it(issuer: Issuer) -> None:
    from countermark.services.identity_tokens.checks import TokenChecks
    from countermark.services.identity_tokens.issuer_keys import IssuerKeys
    from countermark.services.identity_tokens.issuers import Issuers
    from identity import Documents

    keys = IssuerKeys(Documents(), {ISSUER: issuer.provider.key_set})
    checks = TokenChecks(Issuers([issuer.provider.believed()]), keys, issuer.provider.withdrawn)
    sent = redemption(code(issuer))
    token = read(issuer.post("/token", sent))["id_token"]
    assert checks.check(token, issuer.clock.now).name == ALICE
    refused(issuer.post("/token", sent), "invalid_grant")
    from countermark.core.errors import EvidenceError

    with pytest.raises(EvidenceError, match="withdrawn"):
        checks.check(token, issuer.clock.now)
