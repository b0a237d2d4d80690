"""``countermark serve --sigstore`` with its unmodified clients: cosign, sigstore-python, and ours; all verify all."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from countermark.core.reference import ImageReference
from interop.cosign_images import Image, Place, client_for, push
from interop.cosign_peers import Cosign
from interop.peers import OurServer
from interop.processes import Outcome, run

ALICE, PASSWORD = "alice@example.com", "a long password of hers"
OURS = [sys.executable, "-P", "-m", "countermark"]


class Box:
    """A private Sigstore with an account, and whoever uses it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = folder / "server" / "data" / "tls" / "ca.crt"
        data = ("--data", folder / "server" / "data")
        # an account may be there before the server is
        self.ours("sigstore", "user", "add", ALICE, *data, "--password-stdin", stdin=PASSWORD).ok()
        self.server = OurServer(folder / "server", "--sigstore", "--tls-name", "localhost")
        self.issuer = f"{self.server.url}/identity"
        self.ours("sigstore", "export", *data, "--to", folder / "trust").ok()
        self.identity = (
            "--certificate-identity", ALICE, "--certificate-oidc-issuer", self.issuer,
        )  # fmt: skip
        root, config = (
            folder / "trust" / name for name in ("trusted_root.json", "signing_config.json")
        )
        self.signing = ("--signing-config", config, "--trusted-root", root)
        self.trusting = ("--trusted-root", root)

    def environment(self) -> dict[str, str]:
        ca = str(self.ca)
        return {"SSL_CERT_FILE": ca, "REQUESTS_CA_BUNDLE": ca, "COSIGN_PASSWORD": "x"}

    def ours(self, *words: str | Path, stdin: str = "") -> Outcome:
        home = {
            "HOME": str(self.folder),
            "DOCKER_CONFIG": str(self.folder),
            "PATH": "/usr/bin:/bin",
        }
        return run([*OURS, *words], home | self.environment(), self.folder, stdin)

    def python(self, *words: str | Path) -> Outcome:
        home = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin"}
        program = [sys.executable, "-W", "ignore", "-m", "sigstore"]
        return run([*program, *words], home | self.environment(), self.folder)

    def token(self) -> Path:
        """A file with a new token: cosign takes a long text for the name of a file, and fails."""
        words = ("sigstore", "token", ALICE, "--password-stdin", "--data", self.server.data)
        file = self.folder / "token"
        file.write_text(self.ours(*words, stdin=PASSWORD).ok().out.strip())
        return file


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    made = Box(tmp_path_factory.mktemp("box"))
    try:
        yield made
    finally:
        made.server.stop()


@pytest.fixture
def image(box: Box, cosign: Cosign, slug: str) -> Iterator[Image]:
    with client_for(box.server.ca) as client:
        digest = push(client, box.server.address, f"{slug}/one", slug)
        reference = f"{box.server.address}/{slug}/one:v1"
        yield Image(
            Place(box.server.address, client, box.environment(), True), reference, digest, cosign
        )


def test_images_with_an_identity(box: Box, image: Image) -> None:
    words = ("sign", "-y", "--identity-token", box.token(), *box.signing)
    image.run(*words, "-a", "by=cosign", image.reference).ok()
    box.ours("cosign", *words, "-a", "by=ours", image.reference).ok()
    check = ("verify", *box.identity, *box.trusting)
    for by in ("cosign", "ours"):
        image.run(*check, "-a", f"by={by}", image.reference).ok()
        box.ours("cosign", *check, "-a", f"by={by}", image.reference).ok()
    wrong = (
        "verify",
        "--certificate-identity",
        "bob@example.com",
        *box.identity[2:],
        *box.trusting,
    )
    image.run(*wrong, image.reference).refused("expected SAN value")
    box.ours("cosign", *wrong, image.reference).refused("expected is 'bob@example.com'")


def test_images_with_a_key(box: Box, image: Image) -> None:
    image.cosign("generate-key-pair", password="x").ok()
    key = image.cosign.folder
    words = ("sign", "-y", "--key", key / "cosign.key", *box.signing)
    image.cosign(*words, image.reference, environment=image.place.environment, password="x").ok()
    box.ours("cosign", *words, image.reference).ok()
    check = ("verify", "--key", key / "cosign.pub", *box.trusting, image.reference)
    for outcome in (image.run(*check), box.ours("cosign", *check)):
        assert outcome.ok().out.count("docker-manifest-digest") == 2
    # with the log demanded, a signature that no log has is none
    other = image.reference.replace("/one:", "/two:")
    where = ImageReference.parse(other)
    push(image.place.client, where.repository.registry, where.repository.path, "two")
    image.cosign(
        "sign", "-y", "--key", key / "cosign.key", *image.cosign.key_only[:2], other,
        environment=image.place.environment, password="x",
    ).ok()  # fmt: skip
    check = ("verify", "--key", key / "cosign.pub", *box.trusting, other)
    image.run(*check).refused("not enough verified log entries")
    box.ours("cosign", *check).refused("failed to verify log inclusion")


def test_files(box: Box, cosign: Cosign) -> None:
    file = box.folder / "file"
    file.write_text("hello")
    root, config = (
        box.folder / "trust" / "trusted_root.json",
        box.folder / "trust" / "trust_config.json",
    )
    environment = box.environment()
    token = ("--identity-token", box.token())
    words = ("sign-blob", file, "--bundle", box.folder / "cosign.json", "-y", *token, *box.signing)
    cosign(*words, environment=environment).ok()
    box.python(
        "--trust-config", config, "sign", "--identity-token", box.token().read_text(),
        "--bundle", box.folder / "python.json", "--overwrite", file,
    ).ok()  # fmt: skip
    for name in ("cosign", "python"):
        bundle = box.folder / f"{name}.json"
        check = ("verify-blob", file, "--bundle", bundle, "--trusted-root", root, *box.identity)
        cosign(*check, environment=environment).ok()
        box.ours("cosign", *check).ok()
        box.python(
            "--trust-config", config, "verify", "identity", "--bundle", bundle, "--cert-identity", ALICE,
            "--cert-oidc-issuer", box.issuer, file,
        ).ok()  # fmt: skip


def test_clients_begin_with_the_trust_root(box: Box, cosign: Cosign, image: Image) -> None:
    mirror = f"{box.server.url}/tuf"
    root = box.server.data / "sigstore" / "tuf" / "root.json"
    words = ("initialize", "--mirror", mirror, "--root", root)
    environment = box.environment() | {"TUF_MIRROR": mirror}
    cosign(*words, environment=environment).ok()
    box.ours("cosign", *words).ok()
    token = box.token()
    cosign("sign", "-y", "--identity-token", token, image.reference, environment=environment).ok()
    cosign("verify", *box.identity, image.reference, environment=environment).ok()
    box.ours("cosign", "sign", "-y", "--identity-token", token, image.reference).ok()
    box.ours("cosign", "verify", *box.identity, image.reference).ok()
    box.python("--instance", mirror, "trust-instance", root).ok()


def test_what_we_use_cosign_uses(box: Box, cosign: Cosign, image: Image) -> None:
    assert box.issuer in box.ours("sigstore", "use", "--data", box.server.data).ok().out
    token = box.token()
    environment = box.environment() | {
        "TUF_ROOT": str(box.folder / ".sigstore" / "root"), "TUF_MIRROR": "",
    }  # fmt: skip
    box.ours("sign", "--identity-token", token, "-a", "by=ours", image.reference).ok()
    words = ("sign", "-y", "--identity-token", token, "-a", "by=cosign", image.reference)
    cosign(*words, environment=environment).ok()
    for by in ("ours", "cosign"):
        check = ("verify", *box.identity, "-a", f"by={by}", image.reference)
        cosign(*check, environment=environment).ok()
        who = ("--identity", ALICE, "--issuer", box.issuer, "-a", f"by={by}")
        assert "allowed" in box.ours("verify", *who, image.reference).ok().out


@pytest.mark.parametrize(
    ("token", "status"),
    [("eyJhbGciOiJub25lIn0.e30.", 1), ("a.b.c", 1)],
)
def test_what_is_no_token_is_refused(box: Box, image: Image, token: str, status: int) -> None:
    words = ("sign", "-y", "--identity-token", token, *box.signing, image.reference)
    assert image.run(*words).exit == status
    assert box.ours("cosign", *words).exit == status


def test_everything_is_there_after_a_restart(box: Box, image: Image) -> None:
    words = ("sign", "-y", "--identity-token", box.token(), *box.signing, image.reference)
    box.ours("cosign", *words).ok()
    box.server.kill()
    box.server.start()
    image.run("verify", *box.identity, *box.trusting, image.reference).ok()
    words = ("sign", "-y", "--identity-token", box.token(), *box.signing, image.reference)
    image.run(*words).ok()
    box.ours("cosign", "verify", *box.identity, *box.trusting, image.reference).ok()


def test_its_log_can_be_looked_into(box: Box, cosign: Cosign) -> None:
    file = box.folder / "another"
    file.write_text("another")
    words = ("sign-blob", file, "--bundle", box.folder / "another.json", "-y", "--identity-token")
    cosign(*words, box.token(), *box.signing, environment=box.environment()).ok()
    root = ("--trusted-root", box.folder / "trust" / "trusted_root.json")
    for place in ((box.server.data,), (box.server.url, *root)):
        assert "are right" in box.ours("log", "verify", *place).ok().out
        assert ALICE in box.ours("log", "search", *place, "--identity", ALICE).ok().out
