"""``countermark serve --sigstore`` with sigstore-js, unmodified from npm: they sign and we verify, and back."""

import json
import os
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from interop.cosign_peers import Cosign
from interop.peers import BASE_ENVIRONMENT, OurServer
from interop.processes import MissingProgramError, Outcome, find, run

HERE = Path(__file__).parent / "sigstore_js"
ALICE, PASSWORD, TEXT = "alice@example.com", "a long password of hers", "what is signed"
TYPE = "application/vnd.in-toto+json"
DIGEST = "1f0a4fa5c8a6ab71ddfe6ee0dd9b1c31a2f9a1b1d52c0f1b0a9a8a7d6f5e4c3b"


def node() -> Path:
    """Where Node is; the packages must be there too, as ``make peers`` leaves them.

    Raises:
        MissingProgramError: either is missing.
    """
    if not (HERE / "node_modules" / "sigstore").is_dir():
        raise MissingProgramError("the npm packages of sigstore-js are missing: make peers")
    return find("node")


class Box:
    """A private Sigstore with an account; sigstore-js and ours as its clients."""

    def __init__(self, folder: Path) -> None:
        self.node = node()
        self.folder = folder
        data = ("--data", folder / "server" / "data")
        self.ca = folder / "server" / "data" / "tls" / "ca.crt"
        self.ours("sigstore", "user", "add", ALICE, *data, "--password-stdin", stdin=PASSWORD).ok()
        self.server = OurServer(folder / "server", "--sigstore", "--tls-name", "localhost")
        self.url, self.issuer = self.server.url, f"{self.server.url}/identity"
        self.trust = folder / "trust"
        self.ours("sigstore", "export", *data, "--to", self.trust).ok()
        self.config = self.trust / "signing_config.json"
        self.root = self.trust / "trusted_root.json"

    def stop(self) -> None:
        self.server.stop()

    def ours(self, *words: str | Path, stdin: str = "") -> Outcome:
        home = {name: str(self.folder) for name in ("HOME", "DOCKER_CONFIG")}
        home |= {"PATH": "/usr/bin:/bin", "SSL_CERT_FILE": str(self.ca)}
        return run([sys.executable, "-P", "-m", "countermark", *words], home, self.folder, stdin)

    def token(self) -> str:
        words = ("sigstore", "token", ALICE, "--password-stdin", "--data", self.server.data)
        return self.ours(*words, stdin=PASSWORD).ok().out.strip()

    def js(self, action: str, **request: Any) -> Outcome:
        """Have sigstore-js do something; it knows our server's CA by NODE_EXTRA_CA_CERTS only."""
        environment = BASE_ENVIRONMENT | {
            "HOME": str(self.folder),
            "NODE_EXTRA_CA_CERTS": str(self.ca),
        }
        words = [self.node, HERE / "peer.cjs"]
        return run(words, environment, self.folder, json.dumps({"action": action, **request}))

    def signed_by_js(self, **request: Any) -> dict[str, Any]:
        """A bundle with all that our signing config names."""
        words = {"data": TEXT, "token": self.token(), "config": str(self.config)} | request
        bundle: dict[str, Any] = json.loads(self.js("configured", **words).ok().out)
        return bundle

    def verified_by_js(self, bundle: object, data: str | None = TEXT, **options: Any) -> Outcome:
        trusting = {
            "tufMirrorURL": f"{self.url}/tuf",
            "tufRootPath": str(self.server.data / "sigstore" / "tuf" / "root.json"),
            "tufCachePath": str(self.folder / "tuf-js"),
            "certificateIdentityEmail": ALICE,
            "certificateIssuer": self.issuer,
        }
        given = {} if data is None else {"data": data}
        return self.js("verify", bundle=bundle, options=trusting | options, **given)

    def file(self, name: str, content: object) -> Path:
        made = self.folder / name
        made.write_text(content if isinstance(content, str) else json.dumps(content))
        return made

    def verified_by_ours(
        self, bundle: object, *words: str | Path, text: str = TEXT, who: str = ALICE
    ) -> Outcome:
        identity = ("--certificate-identity", who, "--certificate-oidc-issuer", self.issuer)
        given = ("--bundle", self.file("bundle.json", bundle), "--trusted-root", self.root)
        file = self.file("blob", text)
        return self.ours("cosign", "verify-blob", *given, *identity, *words, file)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    try:
        made = Box(tmp_path_factory.mktemp("box"))
    except MissingProgramError as missing:
        if os.environ.get("CI"):
            pytest.fail(f"{missing}; in CI every peer has to be there")
        pytest.skip(str(missing))
    try:
        yield made
    finally:
        made.stop()


def statement() -> str:
    subject = [{"name": "blob", "digest": {"sha256": DIGEST}}]
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": subject,
            "predicateType": "https://example.test/p/v1",
            "predicate": {"by": "sigstore-js"},
        }
    )


def test_they_sign_files_and_both_verify(box: Box) -> None:
    bundle = box.signed_by_js()
    material = bundle["verificationMaterial"]
    (entry,) = material["tlogEntries"]
    assert entry["kindVersion"] == {"kind": "hashedrekord", "version": "0.0.2"}
    assert len(material["timestampVerificationData"]["rfc3161Timestamps"]) == 1
    assert json.loads(box.verified_by_js(bundle).ok().out) == {"subject": ALICE}
    box.verified_by_ours(bundle).ok()
    box.verified_by_ours(bundle, text="something else").refused("failed to verify")
    box.verified_by_ours(bundle, who="bob@example.com").refused("bob@example.com")


def test_logs_of_the_second_kind_take_no_envelope_of_theirs(box: Box) -> None:
    """They log it as ``dsse``, which rekor-tiles 2 refuses in the same words."""
    request = {"data": statement(), "type": TYPE, "token": box.token(), "config": str(box.config)}
    box.js("configured", **request).refused(
        "TLOG_CREATE_ENTRY_ERROR", "(400) invalid type, must be hashedrekord"
    )


def attested(box: Box, bundle: object, *words: str) -> Outcome:
    identity = ("--certificate-identity", ALICE, "--certificate-oidc-issuer", box.issuer)
    given = ("--bundle", box.file("attested.json", bundle), "--trusted-root", box.root)
    algorithm = ("--digestAlg", "sha256")
    return box.ours("cosign", "verify-blob-attestation", *given, *identity, *algorithm, *words)


def signing(box: Box, *words: str | Path, config: Path | None = None) -> dict[str, Any]:
    """What ours makes with the whole Sigstore, or another configuration of it."""
    return _signing(box, box.ours, *words, config=config or box.config)


def _signing(
    box: Box, program: Callable[..., Outcome], *words: str | Path, config: Path
) -> dict[str, Any]:
    bundle = box.folder / "made.json"
    token = ("--identity-token", box.file("token", box.token()))
    services = ("--signing-config", config, "--trusted-root", box.root)
    given = ("cosign", *words) if program == box.ours else words
    program(*given, *token, *services, "--bundle", bundle, "-y").ok()
    made: dict[str, Any] = json.loads(bundle.read_text())
    return made


def test_we_sign_and_they_verify(box: Box) -> None:
    bundle = signing(box, "sign-blob", box.file("blob", TEXT))
    assert json.loads(box.verified_by_js(bundle).ok().out) == {"subject": ALICE}
    box.verified_by_js(bundle, "something else").refused("verification failed")
    box.verified_by_js(bundle, certificateIdentityEmail="bob@example.com").refused(
        "UNTRUSTED_SIGNER_ERROR"
    )


def attesting(box: Box) -> tuple[str | Path, ...]:
    predicate = box.file("predicate.json", {"by": "ours"})
    kind = ("--type", "https://example.test/p/v1", "--predicate", predicate)
    return ("attest-blob", *kind, box.file("blob", TEXT))


def test_we_attest_and_they_verify(box: Box) -> None:
    config = json.loads(box.config.read_text())
    del config["rekorTlogUrls"], config["rekorTlogConfig"]
    bundle = signing(box, *attesting(box), config=box.file("unlogged.json", config))
    found = box.verified_by_js(bundle, None, tlogThreshold=0)
    assert json.loads(found.ok().out) == {"subject": ALICE}
    bundle["dsseEnvelope"]["payload"] = b64encode(b"{}").decode()
    box.verified_by_js(bundle, None, tlogThreshold=0).refused("signature verification failed")


def test_they_verify_no_logged_envelope_of_ours_or_of_cosign(box: Box, cosign: Cosign) -> None:
    """They compare the digest that such an entry has with another one than cosign and we put there."""

    def theirs(*words: str | Path) -> Outcome:
        return cosign(*words, environment={"SSL_CERT_FILE": str(box.ca)})

    for program in (box.ours, theirs):
        bundle = _signing(box, program, *attesting(box), config=box.config)
        box.verified_by_js(bundle, None).refused("TLOG_BODY_ERROR: digest mismatch")
        kind = ("--type", "https://example.test/p/v1", "--check-claims=false")
        attested(box, bundle, *kind).ok()


@pytest.mark.parametrize("kind", ["file", "attestation"])
def test_their_own_sign_without_a_log(box: Box, kind: str) -> None:
    """``sign()`` knows no logs of the second kind: certificate and timestamp are what it gets from us."""
    options = {
        "fulcioURL": box.url,
        "tsaServerURL": f"{box.url}/api/v1/timestamp",
        "identityToken": box.token(),
        "tlogUpload": False,
    }
    request = {"data": TEXT} if kind == "file" else {"data": statement(), "type": TYPE}
    bundle = json.loads(box.js("simple", options=options, **request).ok().out)
    data = TEXT if kind == "file" else None
    box.verified_by_js(bundle, data, tlogThreshold=0).ok()
    box.verified_by_js(bundle, data).refused("expected 1 tlog entries, got 0")
    if kind == "file":
        box.verified_by_ours(bundle, "--insecure-ignore-tlog", "--use-signed-timestamps").ok()
        box.verified_by_ours(bundle).refused("failed to verify log inclusion")
    else:
        words = ("--type", "https://example.test/p/v1", "--digest", DIGEST)
        attested(box, bundle, *words, "--insecure-ignore-tlog", "--use-signed-timestamps").ok()
        attested(box, bundle, *words).refused("failed to verify log inclusion")


def test_their_own_sign_finds_no_log_of_the_first_kind(box: Box) -> None:
    options = {"fulcioURL": box.url, "rekorURL": box.url, "identityToken": box.token()}
    box.js("simple", data=TEXT, options=options).refused("TLOG_CREATE_ENTRY_ERROR")


def test_what_is_no_token_gets_no_certificate(box: Box) -> None:
    header, payload, signature = box.token().split(".")
    forged = f"{header}.{payload}.{signature[::-1]}"
    refused = box.js("configured", data=TEXT, token=forged, config=str(box.config))
    refused.refused("CA_CREATE_SIGNING_CERTIFICATE_ERROR")


@pytest.mark.parametrize("place", ["signature", "body", "stamp", "checkpoint"])
def test_what_is_changed_on_the_way_is_refused_by_both(box: Box, place: str) -> None:
    bundle = box.signed_by_js()
    material = bundle["verificationMaterial"]
    entry = material["tlogEntries"][0]
    where, name = {
        "signature": (bundle["messageSignature"], "signature"),
        "body": (entry, "canonicalizedBody"),
        "stamp": (material["timestampVerificationData"]["rfc3161Timestamps"][0], "signedTimestamp"),
        "checkpoint": (entry["inclusionProof"]["checkpoint"], "envelope"),
    }[place]
    if place == "checkpoint":
        where[name] = where[name].replace("\n", "\n1", 1)
    else:
        content = bytearray(b64decode(where[name]))
        content[-3] ^= 1
        where[name] = b64encode(content).decode()
    box.verified_by_js(bundle).refused()
    box.verified_by_ours(bundle).refused()
