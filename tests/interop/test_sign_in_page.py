"""The sign-in page in a real browser: people can use it, and other sites can do nothing with it."""

import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

import servers
from identity import ALICE, CHALLENGE, PASSWORD
from interop.chromium import Chromium
from interop.processes import MissingProgramError, until
from interop.test_identity_provider import OurIssuer

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurIssuer]:
    ours = OurIssuer(tmp_path_factory.mktemp("page") / "issuer")
    yield ours
    ours.stop()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    import os

    try:
        made = Chromium(tmp_path / "chromium")
    except MissingProgramError as missing:
        if os.environ.get("CI"):
            pytest.fail(f"{missing}; in CI every peer has to be there")
        pytest.skip(str(missing))
    yield made
    made.stop()


@pytest.fixture
def program() -> Iterator[servers.Server]:
    """A program on this machine that a browser comes back to; also what another site would be."""
    page = b"<!doctype html><title>program</title><p id=done>the program's own page"
    html = [("Content-Type", "text/html")]
    with servers.Server(servers.always(servers.answer(200, page, html))) as server:
        yield server


def asked(issuer: OurIssuer, redirect: str, **more: str) -> str:
    fields = {
        "client_id": "sigstore",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "redirect_uri": redirect,
        "response_type": "code",
        "scope": "openid email",
        "state": "a state & more",
        **more,
    }
    return f"{issuer.url}/authorize?{urllib.parse.urlencode(fields)}"


def came_back(browser: Chromium, program: servers.Server) -> dict[str, str]:
    until(lambda: browser.url.startswith(program.url), 20, "the browser at the program")
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(browser.url).query))


def test_sign_in_then_continue_then_sign_out(
    browser: Chromium, issuer: OurIssuer, program: servers.Server
) -> None:
    redirect = f"{program.url}/auth/callback"
    browser.open(asked(issuer, redirect))
    assert browser.run("return document.activeElement.id") == "name"
    browser.type("#name", ALICE)
    browser.type("#password", "wrong\ue007")  # Enter
    until(lambda: browser.shows("wrong"), 20, "the refusal")
    assert browser.text("[role=alert]") == "The name or the password is wrong."
    assert browser.run("return document.activeElement.id") == "password"
    browser.type("#password", PASSWORD)
    browser.click("button[value=allow]")
    given = came_back(browser, program)
    assert given["state"] == "a state & more"
    assert given["iss"] == issuer.url
    assert given["code"]

    browser.open(asked(issuer, redirect))
    assert browser.text("button[value=allow]") == f"Continue as {ALICE}"
    browser.click("button[value=allow]")
    assert came_back(browser, program)["code"] != given["code"]

    browser.open(asked(issuer, redirect))
    browser.click("button[value=sign-out]")
    until(lambda: browser.run("return !!document.querySelector('#name')"), 20, "signed out")
    browser.open(asked(issuer, redirect))
    assert browser.text("button[value=allow]") == "Sign in"


def test_cancel_needs_no_password(
    browser: Chromium, issuer: OurIssuer, program: servers.Server
) -> None:
    browser.open(asked(issuer, f"{program.url}/auth/callback"))
    browser.click("button[value=deny]")
    assert came_back(browser, program)["error"] == "access_denied"


def test_a_device_is_let_in_by_typing_its_code(browser: Chromium, issuer: OurIssuer) -> None:
    import json
    import urllib.request

    body = urllib.parse.urlencode({"client_id": "sigstore", "scope": "openid email"}).encode()
    with urllib.request.urlopen(f"{issuer.url}/device/code", body, timeout=20) as answer:
        device = json.load(answer)
    browser.open(device["verification_uri"])
    browser.type("#user_code", device["user_code"].lower().replace("-", " ") + "\ue007")
    until(lambda: browser.run("return !!document.querySelector('output')"), 20, "the device")
    assert browser.text("output") == device["user_code"]
    browser.type("#name", ALICE)
    browser.type("#password", PASSWORD)
    browser.click("button[value=allow]")
    until(lambda: browser.shows("is let in"), 20, "done")
    fields = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": "sigstore",
        "device_code": device["device_code"],
    }
    body = urllib.parse.urlencode(fields).encode()
    with urllib.request.urlopen(f"{issuer.url}/token", body, timeout=20) as answer:
        assert json.load(answer)["id_token"]


def other_site(page: str) -> servers.Server:
    html = [("Content-Type", "text/html")]
    return servers.Server(servers.always(servers.answer(200, page.encode(), html)))


def test_another_site_cannot_frame_it(browser: Chromium, issuer: OurIssuer) -> None:
    place = asked(issuer, "http://localhost:1/auth/callback").replace("&", "&amp;")
    with other_site(f'<!doctype html><iframe src="{place}"></iframe>') as evil:
        browser.open(evil.url)
        browser.enter("iframe")
        script = "return document.URL"
        until(lambda: browser.run(script) != "about:blank", 20, "something in the frame")
        assert browser.run(script) == "chrome-error://chromewebdata/"
        assert not browser.run("return !!document.querySelector('input')")


def test_another_site_cannot_send_its_form(
    browser: Chromium, issuer: OurIssuer, program: servers.Server
) -> None:
    """Even with what is hidden in a page of its own, and the cookie of somebody who is signed in."""
    browser.open(asked(issuer, f"{program.url}/auth/callback"))
    browser.type("#name", ALICE)
    browser.type("#password", PASSWORD)
    browser.click("button[value=allow]")
    came_back(browser, program)
    browser.open(asked(issuer, f"{program.url}/auth/callback"))
    sealed = browser.run("return document.querySelector('input[name=request]').value")
    form = (
        f'<!doctype html><form method=post action="{issuer.url}/sign-in">'
        f'<input name=request value="{sealed}"><input name=known value=yes>'
        "<button name=decision value=allow>x</button></form>"
    )
    with other_site(form) as evil:
        browser.open(evil.url)
        browser.click("button")
        until(lambda: browser.url.startswith(issuer.url), 20, "the form's answer")
        assert "cannot go on" in browser.text("main")


def test_nothing_in_it_runs_or_loads(browser: Chromium, issuer: OurIssuer) -> None:
    """A name that is typed comes back as text; the policy would stop it if it did not."""
    browser.open(asked(issuer, "http://localhost:1/auth/callback"))
    browser.type("#name", '"><script>document.title="run"</script>')
    browser.type("#password", "wrong")
    browser.click("button[value=allow]")
    until(lambda: browser.shows("wrong"), 20, "the refusal")
    assert browser.run("return document.title") == "Sign in · Countermark"
    assert browser.run("return document.scripts.length") == 0
    assert browser.run("return performance.getEntriesByType('resource').length") == 0
    colour = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert colour == "rgb(244, 244, 241)"  # the style sheet is let through


def test_dark_mode(tmp_path: Path, issuer: OurIssuer, browser: Chromium) -> None:
    dark = Chromium(tmp_path / "dark", dark=True)
    try:
        dark.open(asked(issuer, "http://localhost:1/auth/callback"))
        colour = dark.run("return getComputedStyle(document.body).backgroundColor")
        assert colour == "rgb(22, 22, 20)"
        assert dark.picture().startswith(b"\x89PNG")
    finally:
        dark.stop()
