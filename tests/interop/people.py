"""People with a home each, who use docker, notary, skopeo and countermark."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from interop.peers import BASE_ENVIRONMENT, OURS
from interop.processes import Outcome, Words, find, run

ROOT_PASSPHRASE = "the root passphrase"
REPOSITORY_PASSPHRASE = "the repository passphrase"
DEBIAN_DOCKER, NEWER_DOCKER = Path("/usr/bin/docker"), Path("/usr/local/bin/docker")


class Person:
    """One person: DOCKER_CONFIG with keys and caches, and whom they ask."""

    def __init__(
        self, home: Path, trust_server: str, docker_host: str = "", cli: Path | None = None
    ) -> None:
        """Make the home; ``trust_server`` is a URL, ``cli`` the docker command that the person uses."""
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.trust_server, self.cli = home, trust_server, cli or find("docker")
        if not (home / "config.json").exists():
            (home / "config.json").write_text("{}")
        self.trust = home / "trust"
        self.environment = BASE_ENVIRONMENT | {
            "HOME": str(home), "XDG_CONFIG_HOME": str(home), "DOCKER_CONFIG": str(home),
            "DOCKER_CONTENT_TRUST_SERVER": trust_server, "DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE": ROOT_PASSPHRASE,
            "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": REPOSITORY_PASSPHRASE,
            "NOTARY_ROOT_PASSPHRASE": ROOT_PASSPHRASE,
            **{f"NOTARY_{r}_PASSPHRASE": REPOSITORY_PASSPHRASE for r in ("TARGETS", "SNAPSHOT", "DELEGATION")},
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }  # fmt: skip
        if docker_host:
            self.environment["DOCKER_HOST"] = docker_host

    def believes(self, address: str, ca: Path) -> "Person":
        """Put a CA where docker's trust client and ours look for it."""
        folder = self.home / "tls" / address
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(ca, folder / "ca.crt")
        return self

    def _with(self, changes: Mapping[str, str] | None) -> dict[str, str]:
        merged = self.environment | dict(changes or {})
        return {name: value for name, value in merged.items() if value or name == "PYTHONPATH"}

    def docker(
        self, *words: str | Path, trust: bool = True, stdin: str | bytes = "", **changes: str
    ) -> Outcome:
        """Run docker, with content trust unless told otherwise; an empty change unsets a variable."""
        switch = {"DOCKER_CONTENT_TRUST": "1" if trust else "0", "DOCKER_BUILDKIT": "0"}
        return run([self.cli, *words], self._with(switch | changes), self.home, stdin)

    def notary(self, *words: str | Path, stdin: str = "", **changes: str) -> Outcome:
        """Run notary on docker's trust folder."""
        address = self.trust_server.removeprefix("https://")
        ca = self.home / "tls" / address / "ca.crt"
        fixed: Words = [
            find("notary"),
            "-s",
            self.trust_server,
            "-d",
            self.trust,
            "--tlscacert",
            ca,
        ]
        return run([*fixed, *words], self._with(changes), self.home, stdin)

    def skopeo(self, *words: str | Path, **changes: str) -> Outcome:
        """Run skopeo, which knows nothing of content trust."""
        return run([find("skopeo"), "--insecure-policy", *words], self._with(changes), self.home)

    def countermark(self, *words: str | Path, stdin: str | bytes = "", **changes: str) -> Outcome:
        """Run ours."""
        return run([*OURS, *words], self._with(changes), self.home, stdin)

    def config(self, text: str) -> None:
        """Replace the docker configuration file."""
        (self.home / "config.json").write_text(text)

    def key_files(self) -> set[str]:
        """The names of the private key files."""
        return {path.name for path in (self.trust / "private").glob("*.key")}
