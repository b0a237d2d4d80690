"""Devices: their codes, how often they may ask, who lets them in, and what a stranger's code cannot do."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from countermark.core import limits
from countermark.core.errors import UnavailableError
from countermark.core.ports_hosting import Request, Response
from countermark.proofs import tokens
from countermark.services.identity_provider.browsers import Browsers
from countermark.services.identity_provider.device_flow import DeviceFlow
from countermark.services.identity_provider.exchange import DEVICE_GRANT
from countermark.services.identity_provider.forms import Fields
from countermark.services.identity_provider.grants import DeviceRequest, Devices, shown
from countermark.services.identity_provider.people import People, Person
from countermark.services.identity_provider.signing_in import Outcome, SigningIn
from countermark.services.pages.sign_in import SignInForm
from identity import (
    ALICE,
    CHALLENGE,
    FORM,
    ISSUER,
    NOW,
    VERIFIER,
    Body,
    Browser,
    Issuer,
    header,
    request_of_cosign,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def browser(issuer: Issuer) -> Browser:
    return Browser(issuer)


def read(answer: Response) -> dict[str, Any]:
    assert isinstance(answer.body, bytes)
    found: dict[str, Any] = json.loads(answer.body)
    return found


def begin(issuer: Issuer, client: str = "192.0.2.9", **changes: str) -> dict[str, Any]:
    """As cosign does."""
    fields = {
        "client_id": "sigstore",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "scope": "openid email",
    }
    sent = {name: value for name, value in (fields | changes).items() if value}
    answer = issuer.post("/device/code", sent, client=client)
    return read(answer) | {"status": answer.status}


def poll(issuer: Issuer, device: dict[str, Any], **changes: str) -> dict[str, Any]:
    fields = {
        "grant_type": DEVICE_GRANT,
        "client_id": "sigstore",
        "device_code": device["device_code"],
        "scope": "openid email",
        "code_verifier": VERIFIER,
    }
    sent = {name: value for name, value in (fields | changes).items() if value}
    answer = issuer.post("/token", sent)
    assert (answer.status == 200) == (b"id_token" in bytes(answer.body))  # type: ignore[arg-type]
    return read(answer)


def let_in(browser: Browser, device: dict[str, Any]) -> None:
    browser.open("/device", user_code=device["user_code"])
    assert browser.sign_in("/device").status == 200
    assert "is let in" in browser.page


def test_the_whole_way(issuer: Issuer, browser: Browser) -> None:
    device = begin(issuer)
    assert device["status"] == 200
    assert device["verification_uri"] == f"{ISSUER}/device"
    assert device["verification_uri_complete"] == f"{ISSUER}/device?user_code={device['user_code']}"
    assert (device["expires_in"], device["interval"]) == (600, 5)
    assert poll(issuer, device)["error"] == "authorization_pending"
    browser.open("/device")
    assert "Type the code" in browser.page
    let_in(browser, device)
    claims = tokens.unverified_claims(poll(issuer, device)["id_token"])
    assert (claims["email"], claims["aud"]) == (ALICE, "sigstore")
    assert poll(issuer, device)["error"] == "invalid_grant"  # once


def test_the_page_shows_the_code_and_who_asked(issuer: Issuer, browser: Browser) -> None:
    device = begin(issuer)
    browser.open("/device", user_code=device["user_code"])
    for text in (device["user_code"], "192.0.2.9", "2026-03-01 12:00:00 UTC", "sigstore"):
        assert text in browser.page


def test_codes_are_read_as_people_type_them(issuer: Issuer, browser: Browser) -> None:
    device = begin(issuer)
    plain = device["user_code"].replace("-", "")
    for typed in (plain, plain.lower(), f" {plain[:4]} {plain[4:]} ", "-".join(plain)):
        assert browser.open("/device", user_code=typed).status == 200


def test_refused(issuer: Issuer, browser: Browser) -> None:
    device = begin(issuer)
    browser.open("/device", user_code=device["user_code"])
    assert browser.send("/device", decision="deny").status == 200
    assert "Refused" in browser.page
    assert poll(issuer, device)["error"] == "access_denied"
    assert poll(issuer, device)["error"] == "invalid_grant"


def test_a_wrong_password_lets_nobody_in(issuer: Issuer, browser: Browser) -> None:
    device = begin(issuer)
    browser.open("/device", user_code=device["user_code"])
    assert browser.sign_in("/device", password="wrong").status == 403
    assert device["user_code"] in browser.page
    assert poll(issuer, device)["error"] == "authorization_pending"
    assert browser.sign_in("/device").status == 200


def test_who_is_signed_in_says_yes(issuer: Issuer, browser: Browser) -> None:
    browser.open("/authorize", **request_of_cosign())
    browser.sign_in()
    device = begin(issuer)
    browser.open("/device", user_code=device["user_code"])
    assert f"Let it in as {ALICE}" in browser.page
    assert browser.send("/device", known="yes").status == 200
    assert poll(issuer, device)["id_token"]


def test_a_code_alone_lets_nobody_in(issuer: Issuer, browser: Browser) -> None:
    """A stranger's link, opened by somebody who is signed in: nothing happens without a click there."""
    browser.open("/authorize", **request_of_cosign())
    browser.sign_in()
    device = begin(issuer)
    browser.open("/device", user_code=device["user_code"])
    assert poll(issuer, device)["error"] == "authorization_pending"


def test_asking_too_often(issuer: Issuer, browser: Browser) -> None:
    device = begin(issuer)
    words = []
    for seconds in (0, 5, 4, 5, 10, 5, 15):
        issuer.clock.forward(seconds)
        words.append(poll(issuer, device)["error"])
    pending, slow = "authorization_pending", "slow_down"
    # each time too soon makes it five seconds more
    assert words == [pending, pending, slow, slow, slow, slow, slow]
    issuer.clock.forward(30)
    assert poll(issuer, device)["error"] == pending
    let_in(browser, device)
    assert poll(issuer, device)["id_token"]  # what is ready is not made to wait


def test_too_late(issuer: Issuer, browser: Browser) -> None:
    device = begin(issuer)
    browser.open("/device", user_code=device["user_code"])
    issuer.clock.forward(600)
    assert browser.sign_in("/device").status == 404
    assert browser.open("/device", user_code=device["user_code"]).status == 404
    assert poll(issuer, device)["error"] == "expired_token"
    assert poll(issuer, device)["error"] == "invalid_grant"


def test_let_in_once(issuer: Issuer, browser: Browser) -> None:
    device = begin(issuer)
    late = Browser(issuer)
    late.open("/device", user_code=device["user_code"])
    let_in(browser, device)
    assert late.sign_in("/device").status == 404
    assert browser.open("/device", user_code=device["user_code"]).status == 404


@pytest.mark.parametrize("verifier", ["", "x" * 43, CHALLENGE])
def test_a_device_that_began_with_pkce_needs_its_verifier(
    issuer: Issuer, browser: Browser, verifier: str
) -> None:
    device = begin(issuer)
    let_in(browser, device)
    assert poll(issuer, device, code_verifier=verifier)["error"] == "invalid_grant"
    assert poll(issuer, device)["error"] == "invalid_grant"


def test_a_device_without_pkce(issuer: Issuer, browser: Browser) -> None:
    device = begin(issuer, code_challenge="", code_challenge_method="")
    let_in(browser, device)
    assert poll(issuer, device, code_verifier="")["id_token"]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"client_id": ""}, "invalid_request"),
        ({"client_id": "other"}, "invalid_client"),
        ({"client_secret": "x"}, "invalid_client"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "email"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
    ],
)
def test_what_a_device_may_get_wrong(issuer: Issuer, changes: dict[str, str], word: str) -> None:
    assert begin(issuer, **changes)["error"] == word


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"device_code": ""}, "invalid_request"),
        ({"device_code": "x"}, "invalid_grant"),
        ({"client_id": "other"}, "invalid_client"),
    ],
)
def test_what_it_may_get_wrong_later(issuer: Issuer, changes: dict[str, str], word: str) -> None:
    assert poll(issuer, begin(issuer), **changes)["error"] == word


def test_the_code_of_another_client() -> None:
    devices = Devices(600, 5)
    code, _ = devices.begin(asked())
    assert devices.poll(code, "other", NOW) == "invalid_grant"
    assert devices.poll(code, "sigstore", NOW) == "authorization_pending"


def test_an_account_that_is_gone(issuer: Issuer, browser: Browser) -> None:
    device = begin(issuer)
    let_in(browser, device)
    issuer.users.remove(ALICE)
    assert poll(issuer, device)["error"] == "invalid_grant"


def test_guessing_user_codes(issuer: Issuer, browser: Browser) -> None:
    device = begin(issuer)
    for _ in range(limits.USER_CODE_GUESSES):
        assert browser.open("/device", user_code="BBBB-BBBB").status == 404
    assert browser.open("/device", user_code=device["user_code"]).status == 429
    assert (
        Browser(issuer, "198.51.100.1").open("/device", user_code=device["user_code"]).status == 200
    )
    issuer.clock.forward(limits.USER_CODE_GUESS_SECONDS)
    assert browser.open("/device", user_code=device["user_code"]).status == 200


@pytest.mark.parametrize("query", ["user_code=%ff", "user_code=a&user_code=b"])
def test_a_broken_link(issuer: Issuer, query: str) -> None:
    assert issuer.ask("GET", "/device", query).status == 400


def test_what_is_typed_comes_back_as_text(browser: Browser) -> None:
    browser.open("/device", user_code='"><script>')
    assert "<script" not in browser.page
    assert "&quot;&gt;&lt;script&gt;" in browser.page


def test_forms_of_other_sites(issuer: Issuer, browser: Browser) -> None:
    device = begin(issuer)
    browser.open("/device", user_code=device["user_code"])
    answer = browser.send("/device", {"origin": "https://evil.example"}, name=ALICE, password="x")
    assert answer.status == 403
    browser.page = ""
    assert browser.send("/device").status == 403
    assert header(browser.answer, "location") == ""


# bounds ---------------------------------------------------------------------------------------------


def asked(address: str = "192.0.2.1", **changes: Any) -> DeviceRequest:
    given: dict[str, Any] = {
        "client": "sigstore",
        "scope": frozenset({"openid"}),
        "challenge": "",
        "at": NOW,
    }
    return DeviceRequest(**(given | {"address": address} | changes))


def test_so_many_devices_wait_at_one_address(issuer: Issuer) -> None:
    for _ in range(limits.DEVICES_PER_CLIENT):
        assert begin(issuer)["status"] == 200
    refused = begin(issuer)
    assert (refused["status"], refused["error"]) == (503, "temporarily_unavailable")
    assert begin(issuer, client="198.51.100.1")["status"] == 200
    issuer.clock.forward(600)
    assert begin(issuer)["status"] == 200


def test_so_many_devices_wait_all_in_all() -> None:
    devices = Devices(600, 5)
    for number in range(limits.DEVICES):
        devices.begin(asked(f"a{number // limits.DEVICES_PER_CLIENT}"))
    with pytest.raises(UnavailableError, match="too many devices"):
        devices.begin(asked("another"))


def test_a_user_code_is_not_given_twice() -> None:
    numbers = iter([0] * 8 + [0] * 8 + [1] * 8)
    devices = Devices(600, 5, lambda _: next(numbers))
    first, second = devices.begin(asked())[1], devices.begin(asked())[1]
    assert (shown(first.user_code), shown(second.user_code)) == ("BBBB-BBBB", "CCCC-CCCC")


def test_two_people_at_once() -> None:
    devices = Devices(600, 5)
    _, device = devices.begin(asked())
    assert devices.decide(device, "alice", NOW)
    assert not devices.decide(device, "bob", NOW)
    assert device.person == "alice"


def test_somebody_else_was_faster(issuer: Issuer, browser: Browser) -> None:
    """Between the look at the device and the decision: the first one counts."""
    devices = Devices(600, 5)
    _, device = devices.begin(asked())

    class Slow(SigningIn):
        def decide(
            self, request: Request, form: Fields, shown: SignInForm, *, oldest: int | None
        ) -> Outcome:
            devices.decide(device, "somebody else", NOW)
            return Outcome(person=Person(name=ALICE), at=NOW)

    browsers = Browsers(issuer.settings, b"secret")
    people = People(issuer.users, issuer.clock, b"secret")
    slow = Slow(people, browsers, issuer.clock)
    flow = DeviceFlow(issuer.settings, browsers, slow, devices, issuer.clock)
    opening = Request(method="GET", path="", query="", headers={}, body=Body(b""))
    sealed, cookies = browsers.seal(opening, {"user_code": device.user_code}, NOW)
    headers = {"content-type": FORM, "cookie": cookies[0][1].partition(";")[0]}
    sent = opening.replace(headers=headers, body=Body(f"request={quote(sealed)}".encode()))
    assert flow.finish(sent).status == 404
    assert device.person == "somebody else"
