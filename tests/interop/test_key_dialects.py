"""Key files and root files that we and the real notary and docker write, each read by the other."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from countermark.formats import tuf
from countermark.proofs import certificates, key_files, keys, pem, private_der, root_certificate
from countermark.proofs.der import DerReader, context
from countermark.proofs.key_encryption import decrypt
from countermark.proofs.keys import PrivateKey

pytestmark = pytest.mark.interop

GUN = "example.test/a/repository"
PASSPHRASE = "correct horse"
ITERATIONS = 1_000  # enough to be told apart from notary's 2,048, and quick


def peer(name: str) -> str:
    """Find a foreign program; where it is missing, CI fails and others skip."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def run(*words: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Run a foreign program to its end and return what it said on both streams."""
    passphrases = {
        f"NOTARY_{role}_PASSPHRASE": PASSPHRASE
        for role in ("ROOT", "TARGETS", "SNAPSHOT", "DELEGATION")
    }
    done = subprocess.run(
        [str(word) for word in words],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **passphrases, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    text = done.stdout.decode()
    assert done.returncode == 0, text
    return text


def store(folder: Path, private: PrivateKey, role: str, gun: str = "") -> Path:
    file = folder / "private" / f"{private.id}.key"
    file.parent.mkdir(exist_ok=True)
    content = key_files.encode_key(private, PASSPHRASE, role=role, gun=gun, iterations=ITERATIONS)
    file.write_bytes(content)
    file.chmod(0o600)
    return file


@contextmanager
def trust_server(timestamp: PrivateKey) -> Iterator[str]:
    """As much of a trust server as a client asks while it initialises a repository."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            key = timestamp.public.encode_loose()
            known = {"/v2/": b"{}", f"/v2/{GUN}/_trust/tuf/timestamp.key": key}
            body = known.get(self.path, b"")
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_notary_opens_and_rewrites_our_key(kind: str, tmp_path: Path) -> None:
    notary = peer("notary")
    private = PrivateKey.generate(kind)
    file = store(tmp_path, private, "targets", GUN)
    assert private.id in run(notary, "-d", tmp_path, "key", "list")
    before = file.read_bytes()
    run(notary, "-d", tmp_path, "key", "passwd", private.id)
    after = file.read_bytes()
    assert after != before
    opened = key_files.KeyFile.parse(after)
    assert (opened.role, opened.gun) == ("targets", GUN)
    assert opened.open(PASSPHRASE).id == private.id
    inner = decrypt(opened.block.content, PASSPHRASE)
    assert inner == private_der.encode_pkcs8(private), "byte for byte what Go writes"


def test_notary_signs_with_our_root_key(tmp_path: Path) -> None:
    notary = peer("notary")
    root, timestamp = PrivateKey.generate(), PrivateKey.generate()
    store(tmp_path, root, "root")
    with trust_server(timestamp) as address:
        run(notary, "-s", address, "-d", tmp_path, "init", GUN)
    metadata = tmp_path / "tuf" / GUN / "metadata"
    content = (metadata / "root.json").read_bytes()
    file = tuf.parse_root(content)
    assert tuf.is_wire_exact(content, "root")
    signers = keys.check_signatures(file, file.body.roles["root"], file.body.keys)
    assert [keys.canonical_id(file.body.keys[i]) for i in signers] == [root.id]
    now = datetime.now(UTC)
    [bundle] = certificates.valid_leaves(file.body, GUN, now).values()
    assert bundle.leaf.common_name == GUN
    ours = root_certificate.issue(root, GUN, now).leaf
    assert extensions(ours.der) == extensions(bundle.leaf.der)
    assert file.body.roles["timestamp"].key_ids == (timestamp.id,)
    for role in ("targets", "snapshot"):
        content = (metadata / f"{role}.json").read_bytes()
        assert tuf.is_wire_exact(content, role)
        keys.check_signatures(tuf.parse_role(role, content), file.body.roles[role], file.body.keys)
    for path in (tmp_path / "private").iterdir():
        assert key_files.open_key(path.read_bytes(), PASSPHRASE).id == path.stem


def extensions(content: bytes) -> bytes:
    """A certificate's extensions, which say all but who and when."""
    body = DerReader(content).sequence().sequence()
    while body.next_tag() != context(3):
        body.element()
    return body.take(context(3))


def test_notary_exports_what_we_import(tmp_path: Path) -> None:
    notary = peer("notary")
    root, targets = PrivateKey.generate(), PrivateKey.generate("rsa")
    store(tmp_path, root, "root")
    store(tmp_path, targets, "targets", GUN)
    bundle = tmp_path / "bundle.pem"
    run(notary, "-d", tmp_path, "key", "export", "-o", bundle)
    found = {file.key_id: file for file in key_files.imports(bundle.read_bytes())}
    assert set(found) == {root.id, targets.id}
    assert (found[targets.id].role, found[targets.id].gun) == ("targets", GUN)
    for key_id, file in found.items():
        assert file.open(PASSPHRASE).id == key_id
        stored = (tmp_path / "private" / f"{key_id}.key").read_bytes()
        assert file.encode() == stored


def test_notary_imports_what_we_export(tmp_path: Path) -> None:
    notary = peer("notary")
    private = PrivateKey.generate()
    text = key_files.encode_key(private, PASSPHRASE, role="targets", gun=GUN, iterations=ITERATIONS)
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(key_files.KeyFile.parse(text).export(private.id))
    run(notary, "-d", tmp_path, "key", "import", bundle)
    assert (tmp_path / "private" / f"{private.id}.key").read_bytes() == text


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_docker_loads_our_plain_key(kind: str, tmp_path: Path) -> None:
    docker = peer("docker")
    private = PrivateKey.generate(kind)
    file = tmp_path / "plain.pem"
    file.write_bytes(key_files.encode_key(private, "", role="alice"))
    file.chmod(0o600)
    env = {
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": PASSPHRASE,
    }
    assert "Successfully imported key" in run(docker, "trust", "key", "load", file, env=env)
    stored = tmp_path / "docker" / "trust" / "private" / f"{private.id}.key"
    opened = key_files.KeyFile.parse(stored.read_bytes())
    assert opened.role == "alice"
    assert opened.open(PASSPHRASE).id == private.id


def test_we_read_the_keys_that_docker_generates(tmp_path: Path) -> None:
    docker = peer("docker")
    env = {
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": PASSPHRASE,
    }
    run(docker, "trust", "key", "generate", "alice", "--dir", tmp_path, env=env)
    [stored] = (tmp_path / "docker" / "trust" / "private").iterdir()
    private = key_files.open_key(stored.read_bytes(), PASSPHRASE)
    assert private.id == stored.stem
    text = (tmp_path / "alice.pub").read_bytes()
    assert key_files.parse_public_pem(text, datetime.now(UTC)) == private.public
    assert key_files.encode_public_pem(private.public, "alice") == text
    inner = decrypt(pem.parse(stored.read_bytes())[0].content, PASSPHRASE)
    assert inner == private_der.encode_pkcs8(private)
