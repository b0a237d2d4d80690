"""A Sigstore of the real servers: Fulcio, Rekor 2, the timestamp authority; issuer and certificate log are ours.

The real Rekor serves none of its tiles itself, and nobody here reads them. Its checkpoints come once a second, so
each signature takes about that long.
"""

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

import identity
from countermark.adapters.http_client import HttpClient
from countermark.adapters.identity_accounts import AccountFile
from countermark.adapters.identity_issuer import IdentityIssuer
from countermark.formats import trusted_root
from countermark.formats.signing_config import Selector, Service, SigningConfig
from countermark.proofs import checkpoints, pem, public_keys, signing_keys
from identity import ALICE, PASSWORD
from interop.cosign_peers import go_program
from interop.peers import answers
from interop.processes import Server, Words, free_port
from interop.timestamp_peers import TimestampServer

TESTS = Path(__file__).parents[1]
HOST = "localhost"  # what Rekor calls itself, and so what its address has to be in a trusted root


class SigstoreStack:
    """The servers, and what their clients need.

    Attributes:
        root, config: the files of a trusted root and a signing config.
        issuer: who vouches for ALICE.
    """

    def __init__(self, folder: Path) -> None:
        """Start them all; what was started is stopped where one of them does not start."""
        self.folder = folder
        self._started: list[Server | TimestampServer] = []
        self.start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
        try:
            self.parts = self._parts()
            self.fulcio = self._fulcio()
            self.rekor = self._rekor()
            self.stamps = TimestampServer(go_program("timestamp-server"), folder)
            self._started.append(self.stamps)
        except BaseException:
            self.stop()
            raise
        self.issuer = f"{self.parts}/identity"
        self.identity = (
            "--certificate-identity", ALICE, "--certificate-oidc-issuer", self.issuer,
        )  # fmt: skip
        self.root, self.config = folder / "trusted_root.json", folder / "signing_config.json"
        self.root.write_bytes(self.trusted_root().encode())
        self.config.write_bytes(self.signing_config().encode())
        self.signing = ("--signing-config", str(self.config), "--trusted-root", str(self.root))
        self.trusting = ("--trusted-root", str(self.root))

    def _started_with(self, name: str, words: Words, url: str, at: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
            "HOME": str(self.folder),
        }
        server = Server(name, words, self.folder / f"{name}.log", environment)
        self._started.append(server)
        server.ready(lambda: answers(url + at))
        return url

    def _parts(self) -> str:
        """Our issuer, with ALICE's account, and our certificate log."""
        folder = self.folder / "parts"
        folder.mkdir()
        store = AccountFile(str(folder / "users"))
        for account in identity.users().accounts():
            assert store.put(account)
        port = free_port()
        words: Words = [sys.executable, TESTS / "serve_certificates.py", str(port), folder]
        return self._started_with("parts", words, f"http://{HOST}:{port}", "/api/v2/trustBundle")

    def _fulcio(self) -> str:
        parts, issuer = self.folder / "parts", f"{self.parts}/identity"
        config = self.folder / "fulcio.json"
        believed = {"IssuerURL": issuer, "ClientID": "sigstore", "Type": "email"}
        config.write_text(json.dumps({"OIDCIssuers": {issuer: believed}}))
        key = serialization.load_der_private_key((parts / "ca.key").read_bytes(), None)
        (self.folder / "ca.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"password"),
            )
        )
        port = free_port()
        words: Words = [
            go_program("fulcio"), "serve", "--host", "127.0.0.1", "--port", str(port),
            "--grpc-host", "127.0.0.1", "--grpc-port", str(free_port()), "--metrics-port", str(free_port()),
            "--ca", "fileca", "--fileca-cert", parts / "chain.pem", "--fileca-key", self.folder / "ca.key",
            "--fileca-key-passwd", "password", "--fileca-watch=false", "--config-path", config,
            f"--ct-log-url={self.parts}/log", f"--ct-log-public-key-path={parts / 'ct.pub'}",
            "--legacy-unix-domain-socket", f"@countermark-{port}",  # one per machine otherwise
        ]  # fmt: skip
        return self._started_with("fulcio", words, f"http://127.0.0.1:{port}", "/healthz")

    def _rekor(self) -> str:
        self.log_key = signing_keys.generate("ed25519")
        key = self.folder / "rekor.key"
        key.write_bytes(pem.Block(type="PRIVATE KEY", content=self.log_key.to_pkcs8()).encode())
        port = free_port()
        words: Words = [
            go_program("rekor-server"), "serve", "--http-address", "127.0.0.1", "--http-port", str(port),
            "--grpc-address", "127.0.0.1", "--grpc-port", str(free_port()),
            "--http-metrics-port", str(free_port()), "--hostname", HOST,
            "--storage-dir", self.folder / "tiles", "--signer-filepath", key,
            "--checkpoint-interval=1s", "--batch-max-age=100ms", "--persistent-antispam",
        ]  # fmt: skip
        return self._started_with("rekor", words, f"http://{HOST}:{port}", "/healthz")

    # What clients need --------------------------------------------------------------------------------

    def trusted_root(self) -> trusted_root.TrustedRoot:
        """All that the servers made."""
        parts = self.folder / "parts"
        chain = tuple(each.content for each in pem.parse((parts / "chain.pem").read_bytes()))
        ct_key = public_keys.parse((parts / "ct.pub").read_bytes())
        log = self.log_key.public
        return trusted_root.TrustedRoot(
            logs=(
                trusted_root.Instance(
                    base_url=self.rekor,
                    key=log.der,
                    key_details="PKIX_ED25519",
                    log_id=checkpoints.key_id(HOST, log),
                    start=self.start,
                ),
            ),
            authorities=(
                trusted_root.Authority(
                    organization="test",
                    common_name="test",
                    uri=self.fulcio,
                    certificates=chain,
                    start=self.start,
                ),
            ),
            ct_logs=(
                trusted_root.Instance(
                    base_url=f"{self.parts}/log",
                    key=ct_key.der,
                    key_details="PKIX_ECDSA_P256_SHA_256",
                    log_id=sha256(ct_key.der).digest(),
                    start=self.start,
                ),
            ),
            timestamp_authorities=(self.stamps.authority,),
        )

    def signing_config(self) -> SigningConfig:
        """Where they are."""

        def service(url: str, version: int = 1) -> tuple[Service]:
            return (Service(url=url, api_version=version, operator="test", start=self.start),)

        return SigningConfig(
            authorities=service(self.fulcio),
            issuers=service(f"{self.parts}/identity"),
            logs=service(self.rekor, 2),
            timestamp_authorities=service(self.stamps.url),
            log_selector=Selector(kind="ANY"),
            timestamp_selector=Selector(kind="ANY"),
        )

    def token(self) -> str:
        """An identity token for ALICE."""
        client = HttpClient()
        try:
            return IdentityIssuer(client, f"{self.parts}/identity").token(ALICE, PASSWORD)
        finally:
            client.close()

    def token_file(self) -> str:
        """The same in a file."""
        file = self.folder / "token"
        file.write_text(self.token())
        return str(file)

    def stop(self) -> None:
        """Stop all that was started."""
        for each in reversed(self._started):
            each.stop()


@pytest.fixture(scope="session")
def sigstore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigstoreStack]:
    """The real Sigstore."""
    stack = SigstoreStack(tmp_path_factory.mktemp("sigstore"))
    yield stack
    stack.stop()
