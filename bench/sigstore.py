"""Whoever signs and verifies here: with a Sigstore of ours or the real servers, and images in our registry."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.measuring import Command
from bench.stack import Stack
from interop.cosign_images import client_for, push
from interop.cosign_peers import PASSWORD, Cosign, find_go_program
from interop.peers import BASE_ENVIRONMENT, OurServer
from interop.processes import Outcome, Words, run
from interop.sigstore_stack import SigstoreStack
from interop.timestamp_peers import TimestampServer

ALICE, ACCOUNT_PASSWORD = "alice@example.com", "a long password of hers"


class Ours:
    """``countermark serve --sigstore`` with an account, a person with cosign's keys, and images.

    Attributes:
        folder: the person's home, where cosign's keys are too.
        root, config: the files of its trusted root and signing config.
        environment: what the person's programs are started with, ours and cosign alike.
    """

    def __init__(self, stack: Stack, name: str, *, peer: bool = True) -> None:
        """Start the server; ``peer``: the person has the real cosign, too, and a key made by it."""
        self._program = stack.countermark
        self.folder = stack.folder / f"{name}-person"
        self.folder.mkdir()
        data = stack.folder / name / "data"
        self.environment = (
            BASE_ENVIRONMENT
            | {
                "HOME": str(self.folder),
                "DOCKER_CONFIG": str(self.folder),
                "COSIGN_PASSWORD": PASSWORD,
                "SSL_CERT_FILE": str(data / "tls" / "ca.crt"),
                "TUF_MIRROR": "http://127.0.0.1:1",  # nobody answers there: none of it needs the public Sigstore
            }
        )
        words = ("sigstore", "user", "add", ALICE, "--data", data, "--password-stdin")
        self.run(*words, stdin=ACCOUNT_PASSWORD).ok()
        self.server: OurServer = stack.start(
            name,
            lambda folder: OurServer(
                folder,
                "--sigstore",
                "--tls-name",
                "localhost",
                program=[str(stack.countermark)],
            ),
        )
        trust = stack.folder / f"{name}-trust"
        self.run("sigstore", "export", "--data", data, "--to", trust).ok()
        self.root, self.config = trust / "trusted_root.json", trust / "signing_config.json"
        self.issuer = f"{self.server.url}/identity"
        self._numbers = itertools.count()
        if peer:
            self.cosign = Cosign(find_go_program("cosign"), self.folder)
            self.cosign("generate-key-pair").ok()

    def run(self, *words: str | Path, stdin: str = "") -> Outcome:
        """Run a command of ours."""
        return run([self._program, *words], self.environment, self.folder, stdin)

    def cosign_run(self, *words: str | Path) -> Outcome:
        """Run one of cosign's."""
        return self.cosign(*words, environment=self.environment)

    def token(self) -> str:
        """An identity token, good for ten minutes."""
        words = ("sigstore", "token", ALICE, "--password-stdin", "--data", self.server.data)
        return self.run(*words, stdin=ACCOUNT_PASSWORD).ok().out.strip()

    def image(self) -> str:
        """A new image in our registry."""
        path = f"bench/image-{next(self._numbers)}"
        with client_for(self.server.ca) as client:
            push(client, self.server.address, path, path)
        return f"{self.server.address}/{path}:v1"

    def ours(self, *words: str | Path) -> Command:
        """A command of ours, to be measured."""
        return Command([str(word) for word in (self._program, *words)], self.environment)

    def theirs(self, *words: str | Path) -> Command:
        """One of the real cosign."""
        return Command([str(word) for word in (self.cosign.program, *words)], self.environment)

    def on_new_images(self, program: str, words: Words, count: int) -> Iterator[Command]:
        """So many commands of ``ours`` or ``theirs``, each on an image that has no signature yet."""
        make = {"ours": self.ours, "theirs": self.theirs}[program]
        return iter([make(*words, self.image()) for _ in range(count)])


class RealServers(SigstoreStack):
    """Fulcio and Rekor 2, with an issuer and a certificate log of ours; no timestamp authority."""

    def __init__(self, folder: Path) -> None:
        """Start them; what was started is stopped where one of them does not start."""
        self.folder = folder
        self._started = []
        self.start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
        try:
            self.parts = self._parts()
            self.fulcio, self.rekor = self._fulcio(), self._rekor()
        except BaseException:
            self.stop()
            raise


def real(stack: Stack, name: str, kind: type[SigstoreStack] = SigstoreStack) -> SigstoreStack:
    """Start Fulcio and Rekor 2, and the timestamp authority, of which a machine can have one only.

    Raises:
        MissingProgramError: one of them is not on this machine.
    """
    for program in ("fulcio", "rekor-server", "timestamp-server"):
        find_go_program(program)

    def start(folder: Path) -> SigstoreStack:
        folder.mkdir()
        return kind(folder)

    return stack.start(name, start)


def real_timestamps(stack: Stack, name: str) -> TimestampServer:
    """Start the timestamp authority alone.

    Raises:
        MissingProgramError: it is not on this machine.
    """
    program = find_go_program("timestamp-server")

    def start(folder: Path) -> TimestampServer:
        folder.mkdir()
        return TimestampServer(program, folder)

    return stack.start(name, start)
