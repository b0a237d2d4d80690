"""Signing in for an identity token with our client: each way that cosign has, at our own issuer.

The certificate is the real Fulcio's. Where a person reads something, ours says what the real program says there.
"""

import re
import stat
import sys
from pathlib import Path

import pytest

from identity import ALICE, ROBOT, SECRET
from interop.cosign_peers import Cosign
from interop.processes import until
from interop.sigstore_stack import SigstoreStack
from interop.test_identity_provider import Person, Signing, names

OURS = [sys.executable, "-P", "-m", "countermark", "cosign"]


class OurSigning(Signing):
    """Our client in the place of cosign, on the whole stack."""

    def __init__(self, cosign: Cosign, stack: SigstoreStack, *words: str) -> None:
        super().__init__(cosign, stack.issuer, stack.fulcio)
        document = self.words[-1]
        self.words = [
            *OURS, "sign-blob", "-y", *stack.signing, "--bundle", str(self.bundle), *words, document,
        ]  # fmt: skip


def verified(signing: Signing, cosign: Cosign, stack: SigstoreStack, who: str) -> None:
    """Demand that it ended well, and that the real program believes the result."""
    assert names(signing.certificate()) == [who]
    identity = ("--certificate-identity", who, *stack.identity[2:])
    words = ("verify-blob", *identity, *stack.trusting, "--bundle", signing.bundle)
    cosign(*words, signing.words[-1]).ok()


def test_device_flow(cosign: Cosign, sigstore: SigstoreStack) -> None:
    with OurSigning(cosign, sigstore) as signing:
        found = signing.says(r"Enter the verification code (\S+) in your browser at: (\S+)\n")
        assert "Non-interactive mode detected, using device flow." in signing.text
        assert re.search(r"Code will be valid for \d+ seconds\n", signing.text)
        assert "is let in" in Person().sign_in(found[2])
        verified(signing, cosign, sigstore, ALICE)
    assert "Token received!\n" in signing.text


def test_a_refused_device(cosign: Cosign, sigstore: SigstoreStack) -> None:
    with OurSigning(cosign, sigstore, "--fulcio-auth-flow", "device") as signing:
        found = signing.says(r"verification code (\S+) in your browser at: (\S+)\n")
        person = Person()
        _, page = person.open(found[2])
        hidden = re.search(r'name="request" value="([^"]*)"', page)
        assert hidden
        form = {"request": hidden[1].replace("&amp;", "&"), "decision": "deny"}
        assert "Refused" in person.open(f"{sigstore.issuer}/device", form)[1]
        signing.says("access_denied")
        assert signing.process.wait(30) == 1
        assert not signing.bundle.exists()


def test_out_of_band_flow(cosign: Cosign, sigstore: SigstoreStack) -> None:
    with OurSigning(cosign, sigstore, "--fulcio-auth-flow", "normal") as signing:
        found = signing.says(r"Go to the following link in a browser:\s+(\S+)\s")
        assert "redirect_uri=urn%3Aietf%3Awg%3Aoauth%3A2.0%3Aoob" in found[1]
        signing.says("Enter verification code: ")
        page = Person().sign_in(found[1])
        code = re.search(r'<output class="code">([^<]*)</output>', page)
        assert code, page
        signing.type(code[1])
        verified(signing, cosign, sigstore, ALICE)
    assert "error opening browser: exec: " in signing.text


def test_browser_flow(cosign: Cosign, sigstore: SigstoreStack) -> None:
    asked = with_browser(cosign)
    with OurSigning(cosign, sigstore, "--fulcio-auth-flow", "normal") as signing:
        until(lambda: asked.exists() and asked.read_text().endswith("\n"), 30, "the browser")
        signing.says(r"Your browser will now be opened to:\n")
        assert "signed in" in Person().sign_in(asked.read_text().strip())
        verified(signing, cosign, sigstore, ALICE)


def test_a_browser_that_comes_back_with_another_state(
    cosign: Cosign,
    sigstore: SigstoreStack,
) -> None:
    asked = with_browser(cosign)
    with OurSigning(cosign, sigstore, "--fulcio-auth-flow", "normal") as signing:
        until(lambda: asked.exists() and asked.read_text().endswith("\n"), 30, "the browser")
        redirect = re.search(r"redirect_uri=([^&]*)", asked.read_text())
        assert redirect
        place = redirect[1].replace("%3A", ":").replace("%2F", "/")
        Person().open(f"{place}?code=stolen&state=another")
        signing.says("another sign-in's state")
        assert signing.process.wait(30) == 1
        assert not signing.bundle.exists()


def with_browser(cosign: Cosign) -> Path:
    """Have a browser that only writes down where it was sent."""
    asked = cosign.folder / "asked"
    opener = cosign.folder / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" > {asked}\n')
    opener.chmod(opener.stat().st_mode | stat.S_IXUSR)
    return asked


def test_client_credentials(cosign: Cosign, sigstore: SigstoreStack) -> None:
    secret = cosign.folder / "secret"
    secret.write_text(SECRET + "\n")
    words = ("--oidc-client-id", ROBOT, "--oidc-client-secret-file", str(secret))
    flow = ("--fulcio-auth-flow", "client_credentials")
    with OurSigning(cosign, sigstore, *flow, *words) as signing:
        verified(signing, cosign, sigstore, ROBOT)
    assert SECRET not in signing.text
    secret.write_text("wrong")
    with OurSigning(cosign, sigstore, *flow, *words) as signing:
        assert signing.process.wait(30) == 1
        signing.says("the issuer gives no token")
    assert "wrong" not in signing.text


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"GITHUB_ACTIONS": "true"}, "permissions: {id-token: write}"),
        ({"GITLAB_CI": "true"}, "id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}"),
        ({"CI": "true"}, "this runs in a CI system (CI is set) that gives no identity token"),
    ],
)
def test_a_ci_system_without_a_token_fails_at_once(
    cosign: Cosign,
    sigstore: SigstoreStack,
    variables: dict[str, str],
    said: str,
) -> None:
    signing = OurSigning(cosign, sigstore)
    signing.environment |= variables
    with signing:
        assert signing.process.wait(30) == 1
        signing.says(re.escape(said))
        assert "verification code" not in signing.text


def test_ambient_tokens(cosign: Cosign, sigstore: SigstoreStack) -> None:
    signing = OurSigning(cosign, sigstore)
    signing.environment["SIGSTORE_ID_TOKEN"] = sigstore.token()
    with signing:
        verified(signing, cosign, sigstore, ALICE)
    assert signing.environment["SIGSTORE_ID_TOKEN"] not in signing.text
    signing = OurSigning(cosign, sigstore, "--oidc-provider", "filesystem")
    with signing:
        signing.says("there is no filesystem here that gives identity tokens")
        assert signing.process.wait(30) == 1
    signing = OurSigning(cosign, sigstore, "--fulcio-auth-flow", "zz")
    with signing:
        signing.says("unsupported oauth flow: zz")
        assert signing.process.wait(30) == 1
