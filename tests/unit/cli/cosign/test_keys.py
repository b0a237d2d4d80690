"""Key pairs that are made elsewhere: in a key service, by a program, in Kubernetes."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from countermark.proofs import cosign_keys, public_keys, signing_keys
from playing import Play, both
from servers import Asked, Server, answer, handling

PLUGIN_KEY = signing_keys.generate()
CONFIG = """\
apiVersion: v1
kind: Config
current-context: here
contexts:
- {{name: here, context: {{cluster: here, user: me}}}}
clusters:
- {{name: here, cluster: {{server: "{url}"}}}}
users:
- {{name: me, user: {{token: secret}}}}
"""


@pytest.fixture
def program(folder: Path) -> dict[str, str]:
    """The environment in which a program keeps keys for ``here://…``."""
    said = {"defaultAlgorithm": {"defaultAlgorithm": "ecdsa-sha2-256-nistp256"}}
    pem = public_keys.encode(PLUGIN_KEY.public)
    made = {"createKey": {"publicKeyPEM": base64.b64encode(pem).decode()}}
    script = folder / "sigstore-kms-here"
    script.write_text(
        f"#!/bin/sh\ncase \"$2\" in\n*createKey*) echo '{json.dumps(made)}' ;;\n"
        f"*) echo '{json.dumps(said)}' ;;\nesac\n"
    )
    script.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_a_program_makes_a_key(play: Play, folder: Path, program: dict[str, str]) -> None:
    words = ("generate-key-pair", "--kms", "here://release")
    told = (0, "", "Public key written to cosign.pub\n")
    assert play(*words, **program) == told
    assert (folder / "cosign.pub").read_bytes() == public_keys.encode(PLUGIN_KEY.public)
    assert not (folder / "cosign.key").exists()
    assert play(*words, **program) == told  # the same key again is nothing to ask about
    (folder / "cosign.pub").write_text("another")
    status, _, err = play(*words, typed=b"n\n", **program)
    assert status == 1
    assert "WARNING: File cosign.pub already exists. Overwrite?\n" in err
    assert (folder / "cosign.pub").read_text() == "another"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("foo",), "could not parse scheme, use <scheme>://<ref> format"),
        (("gitlab://project",), "undefined provider: gitlab"),
        (("--kms", "foo"), "could not parse scheme, use <scheme>://<ref> format"),
        (("--kms", "foo://x"), "no kms provider found for key reference: foo://x: "
                               'exec: "sigstore-kms-foo": executable file not found in $PATH'),
        (("k8s://here",), "kubernetes specification should be in the format k8s://<namespace>/<secret>"),
        (("--kms", "foo://x", "k8s://a/b"), "a key pair is made in one place: --kms, k8s://… or files"),
    ],
)  # fmt: skip
def test_places_where_no_key_is_made(
    play: Play, folder: Path, words: tuple[str, ...], text: str
) -> None:
    status, out, err = play("generate-key-pair", *words, COSIGN_PASSWORD="p", PATH=str(folder))
    assert (status, out) == (1, "")
    assert err.startswith(both(text))
    assert list(folder.iterdir()) == []


class Secrets:
    """The secrets of one namespace."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, object]] = {}

    def handle(self, asked: Asked) -> bytes:
        folder = "/api/v1/namespaces/ci/secrets"
        if asked.header("authorization") != "Bearer secret":
            return answer(401, b'{"kind":"Status","message":"Unauthorized"}')
        if asked.method == "POST" and asked.path == folder:
            found = json.loads(asked.body)
            self.stored[found["metadata"]["name"]] = found
            return answer(201, asked.body)
        name = asked.path.removeprefix(f"{folder}/")
        if name not in self.stored:
            return answer(404, b'{"kind":"Status","message":"not found"}')
        return answer(200, json.dumps(self.stored[name]).encode())


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture
def cluster(secrets: Secrets, folder: Path) -> Iterator[dict[str, str]]:
    with Server(handling(secrets.handle)) as running:
        path = folder / "kubeconfig"
        path.write_text(CONFIG.format(url=running.url))
        yield {"KUBECONFIG": str(path), "COSIGN_PASSWORD": "p"}


def test_a_key_in_a_secret_signs(
    play: Play, folder: Path, secrets: Secrets, cluster: dict[str, str]
) -> None:
    status, out, err = play("generate-key-pair", "k8s://ci/release", **cluster)
    assert (status, out) == (0, "")
    assert err == (
        "Successfully created secret release in namespace ci\nPublic key written to cosign.pub\n"
    )
    stored = secrets.stored["release"]
    assert stored["immutable"] is True
    data = stored["data"]
    assert isinstance(data, dict)
    members = {name: base64.b64decode(text) for name, text in data.items()}
    key = cosign_keys.open(members["cosign.key"], members["cosign.password"])
    assert (folder / "cosign.pub").read_bytes() == members["cosign.pub"]
    assert public_keys.encode(key.public) == members["cosign.pub"]
    public = play("public-key", "--key", "k8s://ci/release", **cluster)
    assert public == (0, members["cosign.pub"].decode(), "")
    status, _, err = play("generate-key-pair", "k8s://ci/release", **cluster)
    assert (status, secrets.stored["release"]) == (1, stored)
    assert "k8s://ci/release exists already" in err
