"""The real cosign, and what else of Sigstore's programs the tests of this folder use.

Programs are looked for under the name in an environment variable (COSIGN), on the PATH, and where ``go install`` puts
them. No test lets them out to the public Sigstore: each gets an empty trusted root and an empty signing config.
"""

import json
import os
from pathlib import Path

import pytest

from interop.processes import MissingProgramError, Outcome, find, run

PASSWORD = "correct horse"


def find_go_program(name: str) -> Path:
    """Where a program is that Go builds.

    Raises:
        MissingProgramError: it is nowhere.
    """
    named = os.environ.get(name.upper().replace("-", "_"))
    if named:
        return Path(named)
    built = Path.home() / "go" / "bin" / name
    return built if built.exists() else find(name)


def go_program(name: str) -> Path:
    """The same for a fixture: a program that is missing skips on a person's machine and fails in CI."""
    try:
        return find_go_program(name)
    except MissingProgramError as missing:
        if os.environ.get("CI"):
            pytest.fail(f"{missing}; in CI every peer has to be there")
        pytest.skip(str(missing))


class Cosign:
    """cosign in a folder of its own, which is its home too.

    ``key_only`` are the flags that sign with a key and nothing else, ``unchecked`` the same where cosign would not
    verify what it has just signed (Ed25519), ``offline`` those that verify with a key and nothing else.
    """

    offline = ("--insecure-ignore-tlog",)

    def __init__(self, program: Path, folder: Path) -> None:
        self.program, self.folder = program, folder
        folder.mkdir(exist_ok=True)
        empty = folder / "empty-signing-config.json"
        empty.write_text(
            json.dumps({"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"})
        )
        root = folder / "empty-trusted-root.json"
        root.write_text(
            json.dumps({"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"})
        )
        self.unchecked = ("--signing-config", str(empty), "-y")
        self.key_only = (*self.unchecked, "--trusted-root", str(root))

    def __call__(
        self,
        *words: str | Path,
        stdin: str | bytes = "",
        password: str = PASSWORD,
        environment: dict[str, str] | None = None,
    ) -> Outcome:
        """Run a command to its end in the folder; nothing of this process's environment reaches it."""
        given = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "DOCKER_CONFIG": str(self.folder),
            "COSIGN_PASSWORD": password,
            "TUF_MIRROR": "http://127.0.0.1:1",  # nobody answers there
        }
        return run([self.program, *words], given | (environment or {}), self.folder, stdin)


@pytest.fixture
def cosign(tmp_path: Path) -> Cosign:
    """cosign 3, with a home that no other test has."""
    return Cosign(go_program("cosign"), tmp_path / "cosign")
