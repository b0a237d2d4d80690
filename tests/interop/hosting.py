"""The registry that we host, as a process of its own without a trust server beside it."""

import os
import sys
from pathlib import Path

from interop.peers import BASE_ENVIRONMENT, Identity
from interop.processes import Server, Words

TESTS = Path(__file__).parents[1]


class HostedServer:
    """Our registry on a folder, over plain http, or over TLS when an identity is given."""

    def __init__(self, folder: Path, *words: str, identity: Identity | None = None) -> None:
        """Start it; ``address`` is what names of images begin with."""
        folder.mkdir(parents=True, exist_ok=True)
        command: Words = [sys.executable, TESTS / "serve_registry.py", folder / "data", *words]
        if identity:
            command += ["--tls", identity.certificate, identity.key]
        log = folder / "log"
        environment = BASE_ENVIRONMENT | {
            "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
        }

        def first_line() -> str:
            return log.read_text().partition("\n")[0]

        self.server = Server("serve_registry.py", command, log, environment).ready(
            lambda: first_line().isdigit()
        )
        self.port = int(first_line())
        self.address = f"localhost:{self.port}"
        self.url = f"{'https' if identity else 'http'}://{self.address}"

    def stop(self) -> None:
        """Stop it; it must end by itself, with status 0."""
        status = self.server.stop()
        assert status == 0, f"serve_registry.py ended with {status}:\n{self.server.tail()}"
