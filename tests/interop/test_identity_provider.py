"""Our issuer and the real clients: cosign's flows, sigstore-python's, and the real Fulcio that believes it."""

import http.cookiejar
import json
import os
import re
import ssl
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest
from cryptography import x509

import identity
from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_tls import HostTls
from countermark.adapters.identity_accounts import AccountFile
from countermark.adapters.identity_issuer import FetchedDocuments, IdentityIssuer
from countermark.services.identity_tokens.checks import TokenChecks
from countermark.services.identity_tokens.issuer_keys import IssuerKeys
from countermark.services.identity_tokens.issuers import Issuer, Issuers
from identity import ALICE, PASSWORD, ROBOT, SECRET
from interop.cosign_peers import Cosign, go_program
from interop.peers import Authority, Identity, answers
from interop.processes import Server, Words, free_port, until

pytestmark = pytest.mark.interop

TESTS = Path(__file__).parents[1]


class OurIssuer:
    """Our issuer as a process, with alice and a program."""

    def __init__(self, folder: Path, identity_files: Identity | None = None) -> None:
        folder.mkdir()
        tls = [*identity_files] if identity_files else []
        ca = folder.parent / "ca.crt" if identity_files else None
        store = AccountFile(str(folder / "users"))
        for account in identity.users().accounts():
            assert store.put(account)
        port = free_port()
        self.url = f"{'https' if tls else 'http'}://localhost:{port}/identity"
        search = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
        self.server = Server(
            "serve_identity.py",
            [sys.executable, TESTS / "serve_identity.py", str(port), folder, *tls],
            folder / "log",
            {"PATH": os.environ["PATH"], "PYTHONPATH": search},
        ).ready(lambda: answers(f"{self.url}/.well-known/openid-configuration", ca))

    def stop(self) -> None:
        assert self.server.stop() == 0, self.server.tail()


class RealFulcio:
    """The real certificate authority, with a CA in memory, that believes one issuer."""

    def __init__(self, folder: Path, issuer: str, ca: Path | None = None) -> None:
        folder.mkdir()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "fulcio.json"
        config.write_text(
            json.dumps(
                {
                    "OIDCIssuers": {
                        issuer: {"IssuerURL": issuer, "ClientID": "sigstore", "Type": "email"}
                    }
                }
            )
        )
        words: Words = [
            go_program("fulcio"), "serve", "--host", "127.0.0.1", "--port", str(port),
            "--grpc-host", "127.0.0.1", "--grpc-port", str(free_port()), "--metrics-port", str(free_port()),
            "--ca", "ephemeralca", "--config-path", config, "--ct-log-url=",
            "--legacy-unix-domain-socket", f"@countermark-{port}",  # one per machine otherwise
        ]  # fmt: skip
        environment = {"SSL_CERT_FILE": str(ca)} if ca else {}
        self.server = Server("fulcio", words, folder / "log", environment).ready(
            lambda: answers(f"{self.url}/healthz")
        )

    def stop(self) -> None:
        self.server.stop()


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurIssuer]:
    ours = OurIssuer(tmp_path_factory.mktemp("identity") / "issuer")
    yield ours
    ours.stop()


@pytest.fixture(scope="module")
def fulcio(issuer: OurIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealFulcio]:
    real = RealFulcio(tmp_path_factory.mktemp("fulcio") / "fulcio", issuer.url)
    yield real
    real.stop()


class Person:
    """Somebody with a browser of the simplest kind, over real HTTP."""

    def __init__(self, ca: Path | None = None) -> None:
        jar = http.cookiejar.CookieJar()
        context = ssl.create_default_context(cafile=str(ca)) if ca else None
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(jar), urllib.request.HTTPSHandler(context=context)
        )

    def open(self, url: str, form: dict[str, str] | None = None) -> tuple[str, str]:
        """Open a page, or send a form; return where it led to, and the page there."""
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        with self._opener.open(url, data, timeout=20) as answer:
            return answer.geturl(), answer.read().decode()

    def sign_in(self, url: str) -> str:
        """Open a sign-in page and send its form; return the page that this led to."""
        _, page = self.open(url)
        hidden = re.search(r'name="request" value="([^"]*)"', page)
        action = re.search(r'action="([^"]*)"', page)
        assert hidden, page
        assert action
        form = {"request": unescape(hidden[1]), "name": ALICE, "password": PASSWORD}
        form["decision"] = "allow"
        return self.open(urllib.parse.urljoin(url, unescape(action[1])), form)[1]


class Signing:
    """cosign that signs a file with a certificate, while a person waits for what it says."""

    def __init__(self, cosign: Cosign, issuer: str, fulcio: str, *words: str) -> None:
        self.bundle = cosign.folder / "bundle.json"
        config = cosign.folder / "signing-config.json"
        service = {
            "majorApiVersion": 1,
            "validFor": {"start": "2020-01-01T00:00:00Z"},
            "operator": "test",
        }
        config.write_text(
            json.dumps(
                {
                    "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                    "caUrls": [{"url": fulcio, **service}],
                    "oidcUrls": [{"url": issuer, **service}],
                }
            )
        )
        document = cosign.folder / "document"
        document.write_text("what is signed")
        self.words = [
            str(cosign.program), "sign-blob", "-y", "--signing-config", str(config),
            "--bundle", str(self.bundle), "--oidc-disable-ambient-providers", *words, str(document),
        ]  # fmt: skip
        self.environment = {
            "PATH": f"{cosign.folder}/bin:/nowhere",
            "HOME": str(cosign.folder),
            "TUF_MIRROR": "http://127.0.0.1:1",
        }
        self._text: list[str] = []

    def __enter__(self) -> "Signing":
        self.process = subprocess.Popen(
            self.words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            text=True,
            bufsize=1,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self.process.stdout is not None
        while char := self.process.stdout.read(1):
            self._text.append(char)

    @property
    def text(self) -> str:
        return "".join(self._text)

    def says(self, pattern: str) -> "re.Match[str]":
        until(lambda: re.search(pattern, self.text) is not None, 30, f"{pattern!r} in {self.text}")
        found = re.search(pattern, self.text)
        assert found
        return found

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def certificate(self) -> x509.Certificate:
        """Wait for its end, and read the certificate that it got."""
        assert self.process.wait(60) == 0, self.text
        bundle = json.loads(self.bundle.read_text())
        import base64

        raw = bundle["verificationMaterial"]["certificate"]["rawBytes"]
        return x509.load_der_x509_certificate(base64.b64decode(raw))

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(30)
        self._reader.join(30)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def names(certificate: x509.Certificate) -> list[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return found.value.get_values_for_type(x509.RFC822Name)


def issuer_in(certificate: x509.Certificate) -> bytes:
    oid = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
    value = certificate.extensions.get_extension_for_oid(oid).value
    assert isinstance(value, x509.UnrecognizedExtension)
    return value.value


def test_cosign_device_flow(cosign: Cosign, issuer: OurIssuer, fulcio: RealFulcio) -> None:
    with Signing(cosign, issuer.url, fulcio.url) as signing:
        found = signing.says(r"verification code (\S+) in your browser at: (\S+)\n")
        assert found[2] == f"{issuer.url}/device?user_code={found[1]}"
        assert "is let in" in Person().sign_in(found[2])
        certificate = signing.certificate()
    assert names(certificate) == [ALICE]
    assert issuer_in(certificate) == issuer.url.encode()
    assert "Token received!" in signing.text


def test_cosign_device_flow_over_tls(cosign: Cosign, tmp_path: Path) -> None:
    """As it is served in earnest: cookies are for this host alone, the CA is our own."""
    authority = Authority(tmp_path / "tls")
    issuer = OurIssuer(tmp_path / "tls" / "issuer", authority.issue("issuer"))
    fulcio = RealFulcio(tmp_path / "fulcio", issuer.url, authority.ca)
    try:
        signing = Signing(cosign, issuer.url, fulcio.url)
        signing.environment["SSL_CERT_FILE"] = str(authority.ca)
        with signing:
            found = signing.says(r"verification code (\S+) in your browser at: (\S+)\n")
            assert "is let in" in Person(authority.ca).sign_in(found[2])
            assert names(signing.certificate()) == [ALICE]
        client = HttpClient()
        tls = HostTls(ca_files=(str(authority.ca),))
        assert IdentityIssuer(client, issuer.url, tls).token(ROBOT, SECRET)
        client.close()
    finally:
        fulcio.stop()
        issuer.stop()


def test_cosign_is_told_that_the_device_was_refused(
    cosign: Cosign, issuer: OurIssuer, fulcio: RealFulcio
) -> None:
    with Signing(cosign, issuer.url, fulcio.url, "--fulcio-auth-flow", "device") as signing:
        found = signing.says(r"verification code (\S+) in your browser at: (\S+)\n")
        person = Person()
        _, page = person.open(found[2])
        hidden = re.search(r'name="request" value="([^"]*)"', page)
        assert hidden
        form = {"request": unescape(hidden[1]), "decision": "deny"}
        assert "Refused" in person.open(f"{issuer.url}/device", form)[1]
        signing.says("error obtaining token: access_denied")
        assert signing.process.wait(30) == 1


def test_cosign_out_of_band_flow(cosign: Cosign, issuer: OurIssuer, fulcio: RealFulcio) -> None:
    with Signing(cosign, issuer.url, fulcio.url, "--fulcio-auth-flow", "normal") as signing:
        found = signing.says(r"Go to the following link in a browser:\s+(\S+)\s")
        assert "redirect_uri=urn%3Aietf%3Awg%3Aoauth%3A2.0%3Aoob" in found[1]
        page = Person().sign_in(found[1])
        code = re.search(r'<output class="code">([^<]*)</output>', page)
        assert code, page
        signing.type(code[1])
        assert names(signing.certificate()) == [ALICE]


def test_cosign_browser_flow(cosign: Cosign, issuer: OurIssuer, fulcio: RealFulcio) -> None:
    """With a browser: it comes back to the port that cosign listens on, nonce and state included."""
    asked = cosign.folder / "asked"
    opener = cosign.folder / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" > {asked}\n')
    opener.chmod(opener.stat().st_mode | stat.S_IXUSR)
    with Signing(cosign, issuer.url, fulcio.url, "--fulcio-auth-flow", "normal") as signing:
        until(lambda: asked.exists() and asked.read_text().endswith("\n"), 30, "the browser")
        page = Person().sign_in(asked.read_text().strip())
        assert "sigstore" in page.lower()  # cosign's own page
        assert names(signing.certificate()) == [ALICE]


def test_cosign_client_credentials_flow(
    cosign: Cosign, issuer: OurIssuer, fulcio: RealFulcio
) -> None:
    secret = cosign.folder / "secret"
    secret.write_text(SECRET)
    words = ("--oidc-client-id", ROBOT, "--oidc-client-secret-file", str(secret))
    flow = ("--fulcio-auth-flow", "client_credentials")
    with Signing(cosign, issuer.url, fulcio.url, *flow, *words) as signing:
        assert names(signing.certificate()) == [ROBOT]


def test_cosign_takes_a_token_of_ours(
    cosign: Cosign, issuer: OurIssuer, fulcio: RealFulcio
) -> None:
    client = HttpClient()
    token = IdentityIssuer(client, issuer.url).token(ALICE, PASSWORD)
    client.close()
    file = cosign.folder / "token"
    file.write_text(token)
    with Signing(cosign, issuer.url, fulcio.url, "--identity-token", str(file)) as signing:
        assert names(signing.certificate()) == [ALICE]


def test_our_checks_fetch_the_keys_over_http(issuer: OurIssuer) -> None:
    client = HttpClient()
    try:
        token = IdentityIssuer(client, issuer.url).token(ROBOT, SECRET)
        believed = Issuers([Issuer(url=issuer.url, audience="sigstore", kind="email")])
        checks = TokenChecks(believed, IssuerKeys(FetchedDocuments(client)))
        assert checks.check(token, datetime.now(UTC)).name == ROBOT
    finally:
        client.close()


SIGSTORE = """
import sys
from sigstore.oidc import Issuer
token = Issuer(sys.argv[1]).identity_token(force_oob=True)
print("identity", token.identity, token.issuer)
"""


def test_sigstore_python_out_of_band(issuer: OurIssuer, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SIGSTORE, issuer.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        text=True,
    )
    with process:
        assert process.stderr
        assert process.stdin
        lines = [process.stderr.readline() for _ in range(3)]
        url = lines[2].strip()
        assert url.startswith(f"{issuer.url}/authorize?"), lines
        assert "client_secret=" in url
        page = Person().sign_in(url)
        code = re.search(r'<output class="code">([^<]*)</output>', page)
        assert code, page
        out, err = process.communicate(code[1] + "\n", timeout=60)
        assert process.returncode == 0, err
    assert f"identity {ALICE} {issuer.url}" in out
