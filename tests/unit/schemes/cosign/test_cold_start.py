"""What verifying a signature loads: no library, and nothing that costs a cold start more than it is worth."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import fake_sigstore as fake
from world import GOOD, REPOSITORY

SCRIPT = """
import sys
before = set(sys.modules)
from countermark.core.digest import Digest
from countermark.core.errors import NotFoundError
from countermark.core.light import UTC, datetime
from countermark.core.reference import ImageReference, Subject
from countermark.core.signer import CosignSigner, Identity
from countermark.formats import oci, strict_json
from countermark.schemes.cosign.verifier import CosignVerifier

with open({path!r}, "rb") as file:
    held = strict_json.parse(file.read())


class Store:
    def referrers(self, repository, subject):
        return [
            oci.Descriptor(media_type=oci.OCI_MANIFEST, digest=Digest.parse(d), size=len(c))
            for d, c in held["manifests"].items()
        ]

    def tagged(self, repository, tag):
        raise NotFoundError("none")

    def manifest(self, repository, digest):
        return held["manifests"][str(digest)].encode(), oci.OCI_MANIFEST

    def blob(self, repository, digest, size):
        return held["blobs"][str(digest)].encode()

    def many_manifests(self, repository, wanted, at_once):
        return [self.manifest(repository, digest) for digest, _ in wanted]

    def many_blobs(self, repository, wanted, at_once):
        return [self.blob(repository, *each) for each in wanted]


key = CosignSigner(name="holder", key=held["key"], accept_unlogged="a test")
identity = Identity(subject=held["subject"], issuer=held["issuer"])
person = CosignSigner(name="alice", identity=identity, trusted_root=held["root"])
image = ImageReference.parse(held["image"])
subject = Subject(repository=image.repository, digest=image.digest)
now = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
signer = {{"key": key, "identity": person}}[{kind!r}]
(finding,) = CosignVerifier(Store(), None).findings(subject, [signer], now)
print(sorted(set(sys.modules) - before), type(finding).__name__, file=sys.stderr)
"""
ALLOWED = {
    "_datetime", "_json", "_sha256", "_sha512", "_sha2", "binascii", "math", "_ctypes",
    "itertools", "_functools", "types", "_socket", "_ssl",
}  # fmt: skip


@pytest.mark.parametrize("kind", ["key", "identity"])
def test_verifying_loads_nothing_heavy(kind: str, tmp_path: Path) -> None:
    sigstore, key = fake.Sigstore(), fake.new_key()
    store, stated = fake.MemoryStore(), fake.statement(GOOD)
    if kind == "key":
        store.attach(REPOSITORY, GOOD, fake.bundle(key, stated))
    else:
        leaf = sigstore.authority.issue()
        document = fake.bundle(leaf, stated, log=sigstore.log, stamps=sigstore.stamps)
        store.attach(REPOSITORY, GOOD, document)
    held = {
        "manifests": {str(d): content.decode() for d, content in store.manifests.items()},
        "blobs": {str(d): content.decode() for d, content in store.blobs.items()},
        "key": fake.pem(key),
        "root": sigstore.trusted_root().decode(),
        "subject": fake.ALICE,
        "issuer": fake.ISSUER,
        "image": f"{REPOSITORY.name}@{GOOD}",
    }
    path = tmp_path / "held.json"
    path.write_text(json.dumps(held))
    script = f"import sys; sys.path[:0] = {sys.path!r}\n" + SCRIPT.format(path=str(path), kind=kind)
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True
    )
    names, _, finding = done.stderr.splitlines()[-1].rpartition(" ")
    assert finding == "Claim"
    foreign = {name for name in eval(names) if not name.startswith("countermark")}
    assert foreign <= ALLOWED
