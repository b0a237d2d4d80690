"""Our own ``sign``, ``attest`` and ``verify`` beside the real cosign: each believes what the other makes."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from interop.cosign_images import Image
from interop.cosign_indexes import push_index
from interop.cosign_peers import PASSWORD
from interop.processes import Outcome, run
from interop.sigstore_stack import SigstoreStack
from interop.test_cosign_sign import FORMS, verified

Make = Callable[[str], Image]
UNLOGGED = ("--accept-unlogged", "our own key")


def ours(image: Image, *words: str | Path, stdin: str = "") -> Outcome:
    """Run ``countermark`` where the real cosign runs."""
    folder = image.cosign.folder
    given = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "DOCKER_CONFIG": str(folder),
        "COSIGN_PASSWORD": PASSWORD,
        "TUF_MIRROR": "http://127.0.0.1:1",
        **image.place.environment,
    }
    return run([sys.executable, "-P", "-m", "countermark", *words], given, folder, stdin)


@pytest.mark.parametrize("form", [*FORMS, "both"])
def test_cosign_verifies_what_we_sign(make_image: Make, form: str) -> None:
    image = make_image("one")
    words = ("sign", "--key", "cosign.key", "--no-log", "--format", form, "-a", "by=ours")
    outcome = ours(image, *words, image.reference).ok()
    assert outcome.out.startswith("signed  ")
    check = ("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", image.reference)
    found = verified(image.run(*check))
    assert [entry["optional"] for entry in found] == [{"by": "ours"}]
    ours(image, "verify", "--key", "cosign.pub", *UNLOGGED, "-a", "by=ours", image.reference).ok()
    ours(image, "verify", "--key", "cosign.pub", *UNLOGGED, "-a", "by=x", image.reference).refused()


@pytest.mark.parametrize("form", [*FORMS, "both"])
def test_cosign_verifies_what_we_attest(make_image: Make, form: str) -> None:
    image = make_image("one")
    (image.cosign.folder / "predicate.json").write_text('{"failed": false}')
    key = ("--key", "cosign.key", "--no-log", "--format", form)
    stated = ("--predicate", "predicate.json", "--type")
    ours(image, "attest", *key, *stated, "vuln", *stated, "https://x.test/y", image.reference).ok()
    for kind in ("vuln", "https://x.test/y"):
        check = ("verify-attestation", "--key", "cosign.pub", "--insecure-ignore-tlog")
        image.run(*check, "--type", kind, image.reference).ok()
        words = ("verify", "--key", "cosign.pub", *UNLOGGED, "--attestation", kind)
        ours(image, *words, image.reference).ok()
    for wanted in ((), ("--attestation", "spdx")):  # an attestation is no signature
        words = ("verify", "--key", "cosign.pub", *UNLOGGED, *wanted)
        ours(image, *words, image.reference).refused()


def test_we_verify_what_cosign_signs(make_image: Make) -> None:
    image = make_image("one")
    image.run("generate-key-pair", "--output-key-prefix", "second").ok()
    for name in ("cosign", "second"):
        image.run("sign", "--key", f"{name}.key", *image.cosign.key_only, image.reference).ok()
    both = ("verify", "--key", "cosign.pub", "--key", "second.pub", *UNLOGGED, "-o", "json")
    found = json.loads(ours(image, *both, image.reference).ok().out)
    assert found["decisions"][0]["verdict"] == "allowed"
    image.run("generate-key-pair", "--output-key-prefix", "third").ok()
    three = (*both, "--key", "third.pub")
    ours(image, *three, image.reference).refused()
    ours(image, *three, "--threshold", "2", image.reference).ok()
    ours(image, *three, "--threshold", "3", image.reference).refused()


def test_identities_on_the_real_services(make_image: Make, sigstore: SigstoreStack) -> None:
    image = make_image("one")
    token = ("--identity-token", sigstore.token_file())
    outcome = ours(image, "sign", *sigstore.signing, *token, "-o", "json", image.reference).ok()
    who = sigstore.identity[1]
    assert json.loads(outcome.out)["signed"][0]["signatories"] == [who]
    image.run("verify", *sigstore.identity, *sigstore.trusting, image.reference).ok()
    believed = ("--identity", who, "--issuer", sigstore.issuer)
    check = ("verify", *sigstore.trusting, "--offline")
    ours(image, *check, *believed, image.reference).ok()
    ours(image, *check, "--identity", "*@example.com", *believed[2:], image.reference).ok()
    for wrong in (
        ("--identity", "eve@example.com", "--issuer", sigstore.issuer),
        ("--identity", who, "--issuer", "https://evil.test"),
        ("--identity", "alice", "--issuer", sigstore.issuer),
    ):
        ours(image, *check, *wrong, image.reference).refused()
    # a key in the log and an identity, both demanded
    ours(image, "sign", "--key", "cosign.key", *sigstore.signing, image.reference).ok()
    ours(image, *check, *believed, "--key", "cosign.pub", image.reference).ok()


def test_an_index_and_what_it_names(make_image: Make) -> None:
    image = make_image("one")
    index = push_index(image)
    key = ("--key", "cosign.key", "--no-log")
    words = ("verify", "--key", "cosign.pub", *UNLOGGED)
    ours(image, "sign", *key, index).ok()
    ours(image, *words, index).ok()
    ours(image, *words, "-r", index).refused()
    ours(image, "sign", "-r", *key, index).ok()
    outcome = ours(image, *words, "-r", index).ok()
    assert outcome.out.count("allowed  ") == 3
