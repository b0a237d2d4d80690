"""What a cold ``verify`` loads: the list is pinned, since start-up is most of what it costs."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
before = set(sys.modules)
from countermark.cli.main import main
status = main({words!r})
print(sorted(set(sys.modules) - before), status, file=sys.stderr)
"""
# Of the standard library, in C or tiny; everything else is our own.
ALLOWED = {
    "_datetime", "_functools", "_json", "_sha256", "_sha512", "_sha2", "_socket", "_ssl", "binascii", "errno",
    "fcntl", "gc", "math", "array", "select", "_ctypes", "posixpath",
}  # fmt: skip
# What must stay away, with the milliseconds that each costs at a start.
HEAVY = {
    "re", "enum", "typing", "dataclasses", "argparse", "pathlib", "logging", "subprocess", "http.client", "urllib",
    "tempfile", "asyncio", "cryptography", "contextlib", "collections", "datetime", "hashlib", "ssl", "socket",
    "json", "yaml", "shutil", "importlib",
}  # fmt: skip


def loaded(words: list[str], home: Path) -> tuple[set[str], int]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n" + SCRIPT.format(words=words)],
        env={"HOME": str(home), "DOCKER_CONFIG": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    names, _, status = done.stderr.splitlines()[-1].rpartition(" ")
    return set(eval(names)), int(status)


@pytest.mark.parametrize(
    "words", [["verify", "127.0.0.1:1/a:b"], ["trust", "inspect", "127.0.0.1:1/a:b"]]
)
def test_a_cold_start_loads_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    modules, status = loaded(words, tmp_path)
    assert status in (1, 3)
    foreign = {name for name in modules if not name.startswith("countermark")}
    assert not foreign & HEAVY
    assert foreign <= ALLOWED
    assert 20 < len(modules - foreign) < 85
    assert not any(name.startswith("countermark.services") for name in modules)


SIGN = """
import sys
from countermark.proofs import signing_keys
key = signing_keys.generate()
assert key.public_der and key.sign(b"message")
print(sorted(sys.modules))
"""


def test_signing_with_an_identity_loads_nothing_of_ssh() -> None:
    """``serialization`` of ``cryptography`` brings it, and dataclasses and inspect with it: 25 ms."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{SIGN}"],
        capture_output=True,
        check=True,
    )
    modules = set(eval(done.stdout))
    assert "cryptography.hazmat.primitives.asymmetric.ec" in modules
    assert not modules & {"cryptography.hazmat.primitives.serialization", "dataclasses", "inspect"}
