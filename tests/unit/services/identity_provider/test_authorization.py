"""The browser's way to a code: what the page asks, what comes back, and who cannot do it in somebody's name."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest

from countermark.core.ports_sigstore import Account
from countermark.proofs import token_keys, tokens
from countermark.services.identity_provider.settings import SIGSTORE, Client, Settings
from identity import (
    ALICE,
    CALLBACK,
    CHALLENGE,
    FORM,
    ISSUER,
    OOB,
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


@pytest.fixture
def browser(issuer: Issuer) -> Browser:
    return Browser(issuer)


def begin(browser: Browser, **changes: str) -> int:
    return browser.open("/authorize", **request_of_cosign(**changes)).status


def redeem(issuer: Issuer, code: str, **changes: str) -> dict[str, str]:
    import json

    fields = {
        "grant_type": "authorization_code",
        "client_id": "sigstore",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    answer = issuer.post("/token", fields | changes)
    assert isinstance(answer.body, bytes)
    found: dict[str, str] = json.loads(answer.body)
    return found


def claims_of(issuer: Issuer, token: str) -> dict[str, object]:
    keys = token_keys.parse_key_set(issuer.provider.key_set())
    found: dict[str, object] = dict(tokens.check(token, keys, ISSUER, "sigstore", issuer.clock.now))
    return found


# the good way ---------------------------------------------------------------------------------------


def test_sign_in_and_get_a_token(issuer: Issuer, browser: Browser) -> None:
    assert begin(browser) == 200
    assert "The program <strong>sigstore</strong> on this machine asks" in browser.page
    given = redirected(browser.sign_in())
    assert given["state"] == "a-state"
    assert given["iss"] == ISSUER
    token = redeem(issuer, given["code"])
    assert token["token_type"] == "Bearer"
    assert token["access_token"] == token["id_token"]  # sigstore-python takes the former
    assert token["scope"] == "email openid"
    claims = claims_of(issuer, token["id_token"])
    assert claims["aud"] == "sigstore"
    assert (claims["sub"], claims["email"], claims["email_verified"]) == (ALICE, ALICE, True)
    assert claims["nonce"] == "a-nonce"
    assert claims["exp"] - claims["iat"] == 600  # type: ignore[operator]
    assert claims["auth_time"] == claims["iat"]
    assert claims["jti"]


def test_sigstore_python_sends_no_nonce_and_an_empty_secret(
    issuer: Issuer, browser: Browser
) -> None:
    assert begin(browser, nonce="", client_secret="", redirect_uri=OOB) == 200
    page = browser.sign_in()
    assert page.status == 200
    code = re.search(r'<output class="code">([^<]*)</output>', browser.page)
    assert code
    basic = {"authorization": "Basic c2lnc3RvcmU6"}  # sigstore:
    fields = {
        "grant_type": "authorization_code",
        "redirect_uri": OOB,
        "code": code[1],
        "code_verifier": VERIFIER,
    }
    answer = issuer.post("/token", fields, basic)
    assert answer.status == 200
    assert b"nonce" not in bytes(answer.body)  # type: ignore[arg-type]


def test_a_request_may_be_posted(issuer: Issuer) -> None:
    answer = issuer.post("/authorize", request_of_cosign())
    assert answer.status == 200
    assert b"Sign in" in bytes(answer.body)  # type: ignore[arg-type]


def test_without_the_scope_no_address(issuer: Issuer, browser: Browser) -> None:
    begin(browser, scope="openid")
    token = redeem(issuer, redirected(browser.sign_in())["code"])
    claims = claims_of(issuer, token["id_token"])
    assert "email" not in claims
    assert claims["sub"] == ALICE


def test_a_plain_name_of_an_htpasswd_file_has_no_address() -> None:
    import identity

    issuer = Issuer(htpasswd=f"bob:{identity.hashed('b')}\n")
    browser = Browser(issuer)
    begin(browser)
    token = redeem(issuer, redirected(browser.sign_in(name="bob", password="b"))["code"])
    claims = claims_of(issuer, token["id_token"])
    assert claims["sub"] == "bob"
    assert "email" not in claims


def test_cancel(browser: Browser) -> None:
    begin(browser)
    given = redirected(browser.send("/sign-in", decision="deny"))
    assert (given["error"], given["state"]) == ("access_denied", "a-state")
    begin(browser, redirect_uri=OOB)
    assert browser.send("/sign-in", decision="deny").status == 200
    assert "Refused" in browser.page


# what a program may get wrong -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"code_challenge": "", "code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": VERIFIER + "="}, "invalid_request"),
        ({"code_challenge": CHALLENGE[:-1]}, "invalid_request"),
        ({"code_challenge": CHALLENGE[:-1] + "!"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "email"}, "invalid_scope"),
        ({"request": "ey.."}, "request_not_supported"),
        ({"request_uri": "https://evil.example"}, "request_uri_not_supported"),
        ({"state": "x" * 2049}, "invalid_request"),
        ({"nonce": "ä"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_mistakes_that_the_program_is_told(
    browser: Browser, changes: dict[str, str], word: str
) -> None:
    begin(browser, **changes)
    given = redirected(browser.answer)
    assert given["error"] == word
    assert given["state"] == changes.get("state", "a-state")
    assert given["error_description"]
    assert "code" not in given


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": ""},
        {"client_id": "other"},
        {"client_id": "Sigstore"},
        {"redirect_uri": ""},
        {"redirect_uri": "https://evil.example/auth/callback"},
        {"redirect_uri": "http://localhost:41234/other"},
        {"redirect_uri": "http://localhost:41234@evil.example/auth/callback"},
        {"redirect_uri": "//evil.example"},
    ],
)
def test_what_only_the_person_is_told(browser: Browser, changes: dict[str, str]) -> None:
    """Nothing is redirected to a place that was not registered, and no password is asked for."""
    assert begin(browser, **changes) == 400
    assert header(browser.answer, "location") == ""
    assert "cannot go on" in browser.page
    assert "password" not in browser.page


def test_out_of_band_mistakes_are_shown(browser: Browser) -> None:
    assert begin(browser, redirect_uri=OOB, code_challenge="") == 400
    assert "PKCE" not in header(browser.answer, "location")
    assert "code_challenge" in browser.page


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "code_challenge"])
def test_a_parameter_that_comes_twice(issuer: Issuer, name: str) -> None:
    query = urlencode([*request_of_cosign().items(), (name, "http://localhost:1/auth/callback")])
    answer = issuer.ask("GET", "/authorize", query)
    assert answer.status == 400
    assert header(answer, "location") == ""


def test_a_query_that_cannot_be_read(issuer: Issuer) -> None:
    for query in ("client_id=%ff", "&".join(f"a{n}=1" for n in range(100)), "a=" + "x" * 9000):
        assert issuer.ask("GET", "/authorize", query).status == 400


# what people may get wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "password"),
    [
        (ALICE, "hunter3"),
        (ALICE, ""),
        (ALICE, PASSWORD + "x"),
        (ALICE.upper(), PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("", PASSWORD),
        ("alice@example.com:x", PASSWORD),
        ("#alice", PASSWORD),
        (ROBOT, SECRET),  # programs sign in on no page
        ("x" * 300, PASSWORD),
        ("a\nb", PASSWORD),
    ],
)
def test_who_does_not_get_in(browser: Browser, name: str, password: str) -> None:
    begin(browser)
    assert browser.sign_in(name=name, password=password).status == 403
    assert "The name or the password is wrong." in browser.page
    assert password not in browser.page or not password
    assert header(browser.answer, "location") == ""
    # the page is still good for another try
    assert redirected(browser.sign_in())["code"]


def test_a_name_with_spaces_around_it_is_the_name(browser: Browser) -> None:
    begin(browser)
    assert redirected(browser.sign_in(name=f" {ALICE} "))["code"]


def test_what_is_typed_comes_back_as_text(browser: Browser) -> None:
    begin(browser)
    browser.sign_in(name='"><script>alert(1)</script>\u202e')
    assert "<script" not in browser.page
    assert "&quot;&gt;&lt;script&gt;" in browser.page
    assert "\\u202e" in browser.page


def test_guessing_is_slowed_down_here_and_from_everywhere(issuer: Issuer) -> None:
    browser = Browser(issuer)
    begin(browser)
    for _ in range(20):
        assert browser.sign_in(password="wrong").status == 403
    assert browser.sign_in(password="wrong").status == 429
    assert browser.sign_in().status == 429  # the right one too, for a minute
    assert header(browser.answer, "retry-after")
    # from other addresses: all in all a hundred for one account in an hour
    for number in range(4):
        other = Browser(issuer, f"198.51.100.{number}")
        begin(other)
        for _ in range(20):
            assert other.sign_in(password="wrong").status == 403
    last = Browser(issuer, "203.0.113.1")
    begin(last)
    assert last.sign_in(password="wrong").status == 429
    assert last.sign_in().status == 429
    issuer.clock.forward(3_601)
    begin(last)
    assert last.sign_in().status == 303


def test_who_signed_in_lately_is_not_locked_out_by_others(issuer: Issuer) -> None:
    mine = Browser(issuer)
    begin(mine)
    assert mine.sign_in().status == 303
    for number in range(6):
        other = Browser(issuer, f"198.51.100.{number}")
        begin(other)
        for _ in range(20):
            other.sign_in(password="wrong")
    begin(mine)
    assert mine.sign_in().status == 303


def test_accounts_that_cannot_be_read_are_not_the_persons_fault() -> None:
    """A file that breaks while we run lets nobody in, and says so to the log only."""
    issuer = Issuer()
    browser = Browser(issuer)
    begin(browser)
    broken = Account(name="carol@example.com", password_hash="no bcrypt")
    issuer.users.kept["carol@example.com"] = broken
    issuer.clock.forward(3)
    answer = browser.sign_in()
    assert answer.status == 503
    assert "Nobody can sign in at the moment" in browser.page
    assert answer.problem == "the file of users is broken"
    fields = {"grant_type": "client_credentials", "client_id": ROBOT, "client_secret": SECRET}
    refused = issuer.post("/token", fields)
    assert (refused.status, b"temporarily_unavailable" in bytes(refused.body)) == (503, True)  # type: ignore[arg-type]


# who is signed in already ---------------------------------------------------------------------------


def signed_in(browser: Browser) -> None:
    begin(browser)
    assert browser.sign_in().status == 303


def test_no_password_is_needed_for_an_hour_but_a_yes_is(issuer: Issuer, browser: Browser) -> None:
    signed_in(browser)
    issuer.clock.forward(1_000)
    assert begin(browser) == 200
    assert f"Continue as {ALICE}" in browser.page
    token = redeem(issuer, redirected(browser.send("/sign-in", known="yes"))["code"])
    claims = claims_of(issuer, token["id_token"])
    assert claims["iat"] - claims["auth_time"] == 1_000  # type: ignore[operator]


def test_a_session_ends(issuer: Issuer, browser: Browser) -> None:
    signed_in(browser)
    issuer.clock.forward(3_600)
    begin(browser)
    assert "Continue as" not in browser.page


def test_a_session_that_ended_meanwhile(issuer: Issuer, browser: Browser) -> None:
    signed_in(browser)
    begin(browser)
    issuer.clock.forward(3_600 - 60)
    begin(browser)
    assert "Continue as" in browser.page
    issuer.clock.forward(60)
    assert browser.send("/sign-in", known="yes").status == 403
    assert "signed out meanwhile" in browser.page


def test_sign_out(browser: Browser) -> None:
    signed_in(browser)
    begin(browser)
    assert browser.send("/sign-in", decision="sign-out").status == 200
    assert "Continue as" not in browser.page
    assert browser.send("/sign-in", known="yes").status == 403


@pytest.mark.parametrize("changes", [{"prompt": "login"}, {"max_age": "10"}])
def test_a_program_may_ask_for_the_password(
    issuer: Issuer, browser: Browser, changes: dict[str, str]
) -> None:
    signed_in(browser)
    issuer.clock.forward(11)
    begin(browser, **changes)
    assert "Continue as" not in browser.page


def test_the_age_that_was_asked_for_holds_for_the_form_too(
    issuer: Issuer, browser: Browser
) -> None:
    signed_in(browser)
    begin(browser, max_age="10")
    assert "Continue as" in browser.page
    issuer.clock.forward(11)
    assert browser.send("/sign-in", known="yes").status == 403


def test_nothing_is_given_without_a_page(browser: Browser) -> None:
    signed_in(browser)
    begin(browser, prompt="none")
    assert redirected(browser.answer)["error"] == "interaction_required"


def test_an_account_that_is_gone_is_gone_at_once(issuer: Issuer, browser: Browser) -> None:
    signed_in(browser)
    begin(browser)
    code = redirected(browser.send("/sign-in", known="yes"))["code"]
    begin(browser)
    issuer.users.remove(ALICE)
    assert browser.send("/sign-in", known="yes").status == 403
    begin(browser)
    assert "Continue as" not in browser.page
    assert redeem(issuer, code)["error"] == "invalid_grant"


def test_signing_in_gives_the_browser_a_new_session(browser: Browser) -> None:
    """Nobody can give somebody a session beforehand, and then use what they sign in to."""
    signed_in(browser)
    first = dict(browser.cookies)
    begin(browser, prompt="login")
    browser.sign_in()
    changed = {n for n in first if browser.cookies[n] != first[n]}
    assert changed == {"__Host-countermark-session"}
    browser.cookies = first
    begin(browser)
    assert "Continue as" not in browser.page  # the old one is worth nothing any more


def test_a_hint_fills_the_name_in(browser: Browser) -> None:
    begin(browser, login_hint=ALICE)
    assert f'value="{ALICE}"' in browser.page


# other sites, other browsers ------------------------------------------------------------------------


def test_the_form_of_another_browser(issuer: Issuer, browser: Browser) -> None:
    begin(browser)
    other = Browser(issuer)
    other.page = browser.page
    assert other.sign_in().status == 403
    begin(other)
    other.page = browser.page
    assert other.sign_in().status == 403
    assert header(other.answer, "location") == ""


def test_a_form_of_one_s_own_making(browser: Browser) -> None:
    begin(browser)
    for wrong in ("", "x", "AAAA", "é", "A" * 400):
        browser.page = f'<input name="request" value="{wrong}">'
        assert browser.sign_in().status == 403


def test_a_request_that_was_changed(browser: Browser) -> None:
    begin(browser)
    found = re.search(r'name="request" value="([^"]*)"', browser.page)
    assert found
    sealed = unescape(found[1])
    for at in (0, 10, 60, len(sealed) - 6):
        other = "A" if sealed[at] != "A" else "B"
        browser.page = f'<input name="request" value="{sealed[:at] + other + sealed[at + 1 :]}">'
        assert browser.sign_in().status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://trust.example.com"},
        {"origin": "https://trust.example.com:444"},
        {"origin": "https://trust.example.com.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_form_that_another_site_sends(browser: Browser, headers: dict[str, str]) -> None:
    signed_in(browser)
    begin(browser)
    answer = browser.send("/sign-in", headers, known="yes")
    assert answer.status == 403
    assert "Another site" in browser.page


def test_a_form_of_our_own_page(browser: Browser) -> None:
    begin(browser)
    headers = {"origin": "https://Trust.example.com", "sec-fetch-site": "same-origin"}
    assert browser.send("/sign-in", headers, name=ALICE, password=PASSWORD).status == 303


def test_a_page_that_was_left_open_too_long(issuer: Issuer, browser: Browser) -> None:
    begin(browser)
    issuer.clock.forward(1_800)
    assert browser.sign_in().status == 403
    assert "too old" in browser.page


def test_the_form_of_the_device_page_is_for_devices(issuer: Issuer, browser: Browser) -> None:
    import json

    fields = {"client_id": "sigstore", "scope": "openid email"}
    begun = json.loads(bytes(issuer.post("/device/code", fields).body))  # type: ignore[arg-type]
    browser.open("/device", user_code=begun["user_code"])
    assert browser.sign_in("/sign-in").status == 403
    begin(browser)
    assert browser.sign_in("/device").status == 404


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("", b"request=x"),
        ("multipart/form-data; boundary=x", b"--x--"),
        (FORM, b"request=x&request=y"),
        (FORM, b"decision=allow"),
        (FORM, b"\xff"),
        (FORM, b"request=" + b"x" * 40_000),
    ],
    ids=range(7),
)
def test_what_is_no_form(issuer: Issuer, kind: str, body: bytes) -> None:
    assert issuer.ask("POST", "/sign-in", headers={"content-type": kind}, body=body).status == 403


def test_cookies_are_for_this_host_alone(browser: Browser) -> None:
    begin(browser)
    cookie = header(browser.answer, "set-cookie")
    assert cookie.startswith("__Host-countermark-browser=")
    for word in ("Path=/", "HttpOnly", "SameSite=Lax", "Secure"):
        assert f"; {word}" in cookie
    browser.sign_in()
    assert header(browser.answer, "set-cookie").startswith("__Host-countermark-session=")


def test_without_tls_on_loopback_cookies_work_too() -> None:
    issuer = Issuer(Settings(issuer="http://localhost:8080"))
    browser = Browser(issuer)
    begin(browser)
    assert "Secure" not in header(browser.answer, "set-cookie")
    assert redirected(browser.sign_in())["code"]


@pytest.mark.parametrize("value", ["", "a b", "x" * 42, "x" * 44, "!" * 43, "a"])
def test_cookies_that_are_not_of_our_making(issuer: Issuer, value: str) -> None:
    headers = {"cookie": f"__Host-countermark-browser={value}"}
    answer = issuer.ask("GET", "/authorize", urlencode(request_of_cosign()), headers)
    assert header(answer, "set-cookie")


def test_two_cookies_of_one_name_count_as_none(issuer: Issuer, browser: Browser) -> None:
    begin(browser)
    name, value = next(iter(browser.cookies.items()))
    browser.cookies = {name: f"{value}; {name}=other"}
    assert browser.sign_in().status == 403


# headers of pages -----------------------------------------------------------------------------------


def test_what_pages_forbid(browser: Browser) -> None:
    begin(browser)
    answer = browser.answer
    policy = header(answer, "content-security-policy")
    for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert part in policy
    assert "form-action 'self' http://localhost:41234;" in policy
    assert "unsafe" not in policy
    assert header(answer, "x-frame-options") == "DENY"
    assert header(answer, "cache-control") == "no-store"
    assert header(answer, "referrer-policy") == "same-origin"
    assert "<script" not in browser.page
    assert "http://" not in browser.page.replace("http://localhost:41234", "")


@pytest.mark.parametrize(
    ("redirect", "sources"),
    [
        (OOB, "'self'"),
        ("http://127.0.0.1:9/auth/callback", "'self' http://127.0.0.1:9"),
        ("http://[::1]:9/auth/callback", "'self' http:"),  # a policy cannot name an IPv6 address
        ("https://app.example.com/cb", "'self' https://app.example.com"),
    ],
)
def test_where_a_page_may_lead_to(redirect: str, sources: str) -> None:
    web = Client(id="sigstore", redirects=(*SIGSTORE.redirects, "https://app.example.com/cb"))
    browser = Browser(Issuer(Settings(issuer=ISSUER, clients=(web,))))
    assert begin(browser, redirect_uri=redirect) == 200
    assert f"form-action {sources};" in header(browser.answer, "content-security-policy")


def test_a_redirect_with_a_query_of_its_own() -> None:
    place = "https://app.example.com/cb?tenant=1"
    web = Client(id="web", redirects=(place,))
    issuer = Issuer(Settings(issuer=ISSUER, clients=(web,)))
    browser = Browser(issuer)
    begin(browser, client_id="web", redirect_uri=place)
    assert "<strong>web</strong> at app.example.com asks" in browser.page
    browser.sign_in()
    assert header(browser.answer, "location").startswith(f"{place}&code=")
    code = redirected(browser.answer)["code"]
    token = redeem(issuer, code, client_id="web", redirect_uri=place)
    # no certificate for this one
    assert tokens.unverified_claims(token["id_token"])["aud"] == "web"


def test_a_redirect_is_not_kept_and_says_nothing_of_us(browser: Browser) -> None:
    begin(browser)
    browser.sign_in()
    assert header(browser.answer, "cache-control") == "no-store"
    assert header(browser.answer, "referrer-policy") == "no-referrer"
