"""The conformance program of the OCI distribution spec against the registry that we host.

It is the newest version of it, with everything that it can ask for: each API, and each kind of data. The spec's text
makes nothing of it impossible. Only sparse manifests (of which something was never pushed) depend on a choice that it
leaves to registries: with ``accept_sparse`` they are taken, without it they are refused as distribution does.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from interop.hosting import HostedServer
from interop.peers import BASE_ENVIRONMENT, Authority, OurServer
from interop.processes import MissingProgramError, find

MODULE = "github.com/opencontainers/distribution-spec/conformance"
VERSION = "v0.0.0-20260831232431-97274622c111"
APIS = {
    "PING", "PULL", "PUSH", "BLOBS_ATOMIC", "BLOBS_DELETE", "BLOBS_DIGEST_HEADER", "BLOBS_MOUNT_ANONYMOUS",
    "BLOBS_UPLOAD_CANCEL", "MANIFESTS_ATOMIC", "MANIFESTS_DELETE", "MANIFESTS_DIGEST_HEADER", "MANIFESTS_TAG_PARAM",
    "TAGS_ATOMIC", "TAGS_DELETE", "TAGS_LIST", "REFERRER",
}  # fmt: skip
DATA = {
    "IMAGE", "INDEX", "INDEX_LIST", "SPARSE", "ARTIFACT", "SUBJECT", "SUBJECT_MISSING", "ARTIFACT_LIST",
    "SUBJECT_LIST", "DATA_FIELD", "NONDISTRIBUTABLE", "CUSTOM_FIELDS", "NO_LAYERS", "EMPTY_BLOB", "SHA512",
}  # fmt: skip
PASSES = 1_000  # it makes 1,032 checks with everything on; fewer means that it asked for less


@pytest.fixture(scope="session")
def conformance() -> Path:
    """The program, built once per version into the user's cache."""
    try:
        go = find("go")
    except MissingProgramError as missing:
        if os.environ.get("CI"):
            pytest.fail(f"{missing}; in CI every peer has to be there")
        pytest.skip(str(missing))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "countermark-tests"
    program = cache / f"oci-conformance-{VERSION}"
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            environment = dict(os.environ) | {"GOBIN": folder, "GOFLAGS": ""}
            built = subprocess.run(
                [go, "install", f"{MODULE}@{VERSION}"],
                env=environment,
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=600,
            )
            assert built.returncode == 0, built.stderr
            shutil.move(f"{folder}/conformance", program)
    return program


class Served(NamedTuple):
    """A registry under test; ``ca`` is None for plain http."""

    address: str
    ca: Path | None
    takes_sparse: bool


@pytest.fixture(params=["sparse, http", "complete, https", "countermark serve"])
def served(
    request: pytest.FixtureRequest, tmp_path: Path, authority: Authority
) -> Iterator[Served]:
    server: HostedServer | OurServer
    if request.param == "countermark serve":
        server = OurServer(tmp_path, "--accept-sparse")
        served = Served(server.address, server.ca, takes_sparse=True)
    elif request.param == "sparse, http":
        server = HostedServer(tmp_path, "--sparse")
        served = Served(server.address, None, takes_sparse=True)
    else:
        server = HostedServer(tmp_path, identity=authority.issue("hosted-registry"))
        served = Served(server.address, authority.ca, takes_sparse=False)
    yield served
    server.stop()


@pytest.mark.timeout(900)
def test_everything_of_the_spec(conformance: Path, served: Served, tmp_path: Path) -> None:
    on = {f"OCI_API_{name}" for name in APIS} | {f"OCI_DATA_{name}" for name in DATA}
    off = set() if served.takes_sparse else {"OCI_DATA_SPARSE"}
    environment = BASE_ENVIRONMENT | {
        "OCI_REGISTRY": served.address,
        "OCI_TLS": "enabled" if served.ca else "disabled",
        "SSL_CERT_FILE": str(served.ca or ""),
        "OCI_VERSION": "dev",  # 1.1, and with the parts of it that are optional
        "OCI_RESULTS_DIR": str(tmp_path / "results"),
        **{name: "false" if name in off else "true" for name in on},
    }
    done = subprocess.run(
        [conformance], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600
    )  # fmt: skip
    report = done.stdout
    assert done.returncode == 0, report[-6000:] + done.stderr[-2000:]
    counts = dict(re.findall(r"^  (\w+)\.+: +(\d+)$", report, re.MULTILINE))
    assert int(counts["Pass"]) >= (PASSES if served.takes_sparse else PASSES - 100), counts
    assert {counts[name] for name in ("Disabled", "Skip", "FAIL", "Error")} == {"0"}, report
    states = re.findall(
        r"^  (\w[\w -]*?)\.*: +(Pass|FAIL|Skip|Disabled|Error|Unknown)$", report, re.MULTILINE
    )
    assert len(states) >= 28 + 24
    assert {name for name, state in states if state != "Pass"} == (
        set() if served.takes_sparse else {"Sparse Manifests"}
    )
    settings = (tmp_path / "results" / "results.yaml").read_text()
    assert len(re.findall(r"^ +\w+: true$", settings, re.MULTILINE)) >= len(on) - len(off)
