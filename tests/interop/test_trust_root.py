"""Our TUF repository with cosign and sigstore-python, and cosign's cache with us."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from countermark.adapters.http_client import HttpClient
from countermark.adapters.service_keys import SealedFiles
from countermark.adapters.sigstore_root import SigstoreRoot
from countermark.adapters.tuf_files import TufFolder
from countermark.formats import trusted_root
from countermark.formats.tuf_metadata import ROLES
from countermark.proofs import signing_keys
from countermark.proofs.timestamp_issuing import Stamper, issue_chain
from countermark.services import sigstore_parts
from countermark.services.sigstore_parts import Parts
from countermark.services.timestamp_authority import TimestampAuthority
from countermark.services.trust_root import TrustRoot
from fake_sigstore import Sigstore
from hosted_services import serving
from interop.cosign_peers import Cosign
from interop.processes import run
from servers import Server

FLAGS = ("--insecure-ignore-tlog", "--use-signed-timestamps")


def clock() -> datetime:
    return datetime.now(UTC)


class Box:
    """A timestamp authority and the repository that tells of it; its log and CA are there by name only."""

    def __init__(self, folder: Path) -> None:
        self.start = clock().replace(microsecond=0)
        key = signing_keys.generate()
        self.chain = issue_chain(key, "example", "stamps", self.start)
        authority = TimestampAuthority(Stamper(key, self.chain), self.chain, clock)
        keys = SealedFiles(str(folder / "keys"), str(folder / "master.key"), make=True)
        self.repository = TrustRoot(TufFolder(str(folder / "tuf")), keys, clock)
        self.server = Server(serving(self.repository, authority))
        self.mirror = f"{self.server.url}/tuf"
        self.root = folder / "root.json"
        self.publish("first")
        self.root.write_bytes(self.repository.root())

    def publish(self, operator: str) -> None:
        others = trusted_root.parse(Sigstore().trusted_root())
        url = f"{self.server.url}/api/v1/timestamp"
        authority = trusted_root.Authority(
            organization=operator,
            common_name="stamps",
            uri=url,
            certificates=self.chain,
            start=self.start,
        )
        trusted = others.replace(timestamp_authorities=(authority,))
        parts = Parts(operator=operator, trusted=trusted, timestamp_url=url)
        self.repository.publish(sigstore_parts.targets(parts, clock()))


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    made.server.stop()


def initialized(cosign: Cosign, box: Box) -> dict[str, str]:
    """Initialize cosign with a mirror; the environment in which it knows it."""
    environment = {"TUF_MIRROR": box.mirror}
    done = cosign("initialize", "--mirror", box.mirror, "--root", box.root, environment=environment)
    assert done.ok().out + done.err == ""
    return environment


def signs_and_verifies(cosign: Cosign, environment: dict[str, str], folder: Path) -> None:
    """Without a word about what is to be trusted."""
    blob, bundle = folder / "blob", folder / "bundle.json"
    blob.write_bytes(os.urandom(16))
    cosign(
        "sign-blob", "--key", "cosign.key", "--bundle", bundle, "-y", blob, environment=environment
    ).ok()
    words = ("verify-blob", "--key", "cosign.pub", *FLAGS, "--bundle", bundle, blob)
    cosign(*words, environment=environment).ok()
    assert "timestampVerificationData" in bundle.read_text()


def test_cosign(cosign: Cosign, box: Box, tmp_path: Path) -> None:
    cosign("generate-key-pair").ok()
    environment = initialized(cosign, box)
    asked = [each.path.rpartition("/")[2] for each in box.server.asked]
    assert {"2.root.json", "timestamp.json"} < set(asked)
    signs_and_verifies(cosign, environment, tmp_path)
    for role in ROLES:
        box.repository.rotate(role)
    box.publish("second")
    signs_and_verifies(cosign, environment, tmp_path)


def test_cosign_with_the_wrong_root(cosign: Cosign, box: Box, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Box(tmp_path / "other")
    other.server.stop()
    words = ("initialize", "--mirror", box.mirror, "--root", other.root)
    cosign(*words).refused("error updating to TUF remote mirror")


def test_sigstore_python(box: Box, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("sigstore")
    environment = {"HOME": str(tmp_path), "PATH": os.defpath}
    words: list[str | Path] = [program, "--instance", box.mirror, "trust-instance", box.root]
    run(words, environment).ok()
    cached = list((tmp_path / ".cache" / "sigstore-python").rglob("trusted_root.json"))
    assert [path.read_bytes() for path in cached] == [
        box.repository.handed_out()["trusted_root.json"]
    ]


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient()
    yield made
    made.close()


def source(client: HttpClient, *caches: Path, mirror: str = "", root: bytes = b"") -> SigstoreRoot:
    names = [str(each) for each in caches]
    return SigstoreRoot(client, clock, names, lambda text: None, mirror=mirror, root=root)


def test_cosigns_cache_serves_us(
    cosign: Cosign, box: Box, tmp_path: Path, client: HttpClient
) -> None:
    """cosign itself cannot do without the mirror."""
    cosign("generate-key-pair").ok()
    environment = initialized(cosign, box)
    signs_and_verifies(cosign, environment, tmp_path)
    box.server.stop()
    kept = cosign.folder / ".sigstore" / "root"
    found = source(client, tmp_path / "ours", kept)
    assert found.mirror == box.mirror
    assert found.trusted_root().timestamp_authorities[0].organization == "first"
    assert found.signing_config().timestamp_authorities[0].operator == "first"
    bundle = ("--bundle", tmp_path / "bundle.json", tmp_path / "blob")
    words = ("verify-blob", "--key", "cosign.pub", *FLAGS, *bundle)
    cosign(*words, environment=environment).refused("connection refused")
    box.server = Server(serving())  # for the fixture to stop


def test_our_cache_serves_cosign(
    cosign: Cosign, box: Box, tmp_path: Path, client: HttpClient
) -> None:
    cosign("generate-key-pair").ok()
    ours = tmp_path / "ours"
    source(client, ours, mirror=box.mirror, root=box.root.read_bytes()).initialize()
    signs_and_verifies(cosign, {"TUF_ROOT": str(ours), "TUF_MIRROR": box.mirror}, tmp_path)
    signs_and_verifies(cosign, {"TUF_ROOT": str(ours), "TUF_MIRROR": ""}, tmp_path)
