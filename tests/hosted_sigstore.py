"""A private Sigstore of ours in this process, on loopback, stopped and started on its folder; and whoever uses it."""

import contextlib
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from countermark.adapters.http_client import HttpClient
from countermark.adapters.http_tls import HostTls
from countermark.adapters.identity_accounts import AccountFile
from countermark.adapters.identity_issuer import IdentityIssuer
from countermark.assembly.program import Program
from countermark.assembly.sigstore import Sigstore, SigstoreSettings, accounts_path
from countermark.cli.main import main
from countermark.core.ports_hosting import Response
from countermark.formats import trusted_root
from countermark.formats.trusted_root import TrustedRoot
from countermark.services.identity_provider.accounts import new_account
from hosted_registry import Answer
from hosted_services import ask
from servers import Asked, Server, handling
from servers import answer as written

ALICE, PASSWORD = "alice@example.test", "a long password of hers"


def clock() -> datetime:
    return datetime.now(UTC)


class HostedSigstore:
    """A Sigstore in ``folder/data``; ``start`` serves it, on the same address each time.

    ``more`` are settings of it, as ``SigstoreSettings`` has them.
    """

    def __init__(self, folder: Path, **more: Any) -> None:
        self.folder, self.more = folder, more
        self.data = folder / "data"
        self.own = self.data / "sigstore"
        self._sigstore: Sigstore | None = None
        self._services: list[Any] = []
        self._server = Server(handling(self._answer))
        self.url = self._server.url
        self.own.mkdir(parents=True, exist_ok=True)
        AccountFile(accounts_path(str(self.own))).put(new_account(ALICE, PASSWORD))

    def _answer(self, asked: Asked) -> bytes:
        answer = self.ask(asked.target, asked.method, asked.body, dict(asked.headers))
        return written(answer.status, answer.body, answer.pairs)

    def ask(
        self,
        target: str,
        method: str = "GET",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask it as its server would."""
        path = unquote(target.partition("?")[0])
        for service in self._services:
            if service.serves(path):
                return ask(_Handled(service.handler), method, target, body, headers)
        return Answer(Response(status=404, body=b"nothing here"))

    @property
    def settings(self) -> SigstoreSettings:
        master = str(self.data / "master.key")
        return SigstoreSettings(
            folder=str(self.own), master_key=master, make_master=True, url=self.url, **self.more
        )

    def start(self) -> None:
        self._sigstore = Sigstore(self.settings, clock)
        self._services = list(self._sigstore.routes())

    def stop(self) -> None:
        self._services = []
        if self._sigstore is not None:
            self._sigstore.close()
            self._sigstore = None

    def end(self) -> None:
        self.stop()
        self._server.stop()

    def run(self, *words: str | Path, **environment: str) -> tuple[int, str]:
        """Run a command of ours at home in the folder; return its status and all that it said."""
        home = {"HOME": str(self.folder), "TUF_MIRROR": "http://127.0.0.1:1"} | environment
        said = io.StringIO()
        programs: list[Program] = []

        def make(config_file: str) -> Program:
            programs.append(Program(home, config_file))
            return programs[-1]

        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = main([str(word) for word in words], make)
        for program in programs:
            program.close()
        return status, said.getvalue()

    def ok(self, *words: str | Path, **environment: str) -> str:
        status, said = self.run(*words, **environment)
        assert status == 0, said
        return said

    # Whoever uses it ------------------------------------------------------------------------------------

    def export(self) -> TrustedRoot:
        """Write what clients need into ``folder/trust``."""
        self.ok("sigstore", "export", "--data", self.data, "--to", self.folder / "trust")
        return trusted_root.parse((self.folder / "trust" / "trusted_root.json").read_bytes())

    def token(self) -> str:
        client = HttpClient()
        try:
            issuer = IdentityIssuer(client, f"{self.url}/identity", HostTls())
            return issuer.token(ALICE, PASSWORD)
        finally:
            client.close()

    def sign(self, name: str) -> Path:
        """Have ALICE sign a file; return its bundle, in whose place nothing is where that fails."""
        self.export()
        file, bundle = self.folder / name, self.folder / f"{name}.json"
        file.write_text(name)
        trust = self.folder / "trust"
        self.ok(
            "cosign", "sign-blob", file, "--bundle", bundle, "-y", "--identity-token", self.token(),
            "--signing-config", trust / "signing_config.json",
            "--trusted-root", trust / "trusted_root.json",
        )  # fmt: skip
        return bundle

    def verify(self, name: str) -> None:
        """Demand that a file which was signed verifies, with what is handed out now."""
        self.export()
        self.ok(
            "cosign", "verify-blob", self.folder / name, "--bundle", self.folder / f"{name}.json",
            "--trusted-root", self.folder / "trust" / "trusted_root.json",
            "--certificate-identity", ALICE, "--certificate-oidc-issuer", f"{self.url}/identity",
        )  # fmt: skip


class _Handled:
    """A route's handler as ``hosted_services.ask`` calls it."""

    def __init__(self, handler: Any) -> None:
        self.answer = handler

    def serves(self, path: str) -> bool:
        return True
