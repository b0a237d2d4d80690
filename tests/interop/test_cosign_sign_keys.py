"""Keys of each kind sign in each form, and the real cosign verifies it, as far as it verifies its own."""

from collections.abc import Callable

import pytest

from countermark.core.reference import ImageReference
from countermark.proofs import public_keys, signing_keys
from countermark.schemes.cosign.evidence import Services
from countermark.schemes.cosign.holders import KeyHolder
from countermark.schemes.cosign.signer import CosignImageSigner, Terms
from countermark.schemes.interface import Statement
from interop.cosign_images import Image
from interop.test_cosign_sign import ours, verified
from world import NOW

Make = Callable[[str], Image]
# what cosign has to be told, since it verifies with SHA-256 by itself (specs: cosign observed, 1, fact 7)
KINDS = {
    "ecdsa-p256": (),
    "ecdsa-p384": ("--signature-digest-algorithm", "sha384"),
    "ecdsa-p521": ("--signature-digest-algorithm", "sha512"),
    "rsa-2048": (),
    "rsa-4096": (),
}
SIGNATURES = {"bundle": 1, "legacy": 1, "both": 2}


def sign(image: Image, kind: str, form: str) -> None:
    """Sign an image with a new key of ours, whose public half is for cosign to read."""
    key = signing_keys.generate(kind)
    (image.cosign.folder / "ours.pub").write_bytes(public_keys.encode(key.public))
    signer = CosignImageSigner(
        image.place.client, KeyHolder(lambda: key), Services(), Terms(format=form)
    )
    subject = image.place.client.resolve(ImageReference.parse(image.reference))
    signer.sign(Statement(subject=subject, annotations=(("by", form),)), NOW)


@pytest.mark.parametrize("form", SIGNATURES)
@pytest.mark.parametrize("kind", KINDS)
def test_cosign_verifies_what_a_key_signs(make_image: Make, kind: str, form: str) -> None:
    image = make_image("one")
    sign(image, kind, form)
    check = ("verify", "--key", "ours.pub", "--insecure-ignore-tlog", "-a", f"by={form}")
    assert len(verified(image.run(*check, *KINDS[kind], image.reference))) == 1
    assert len(verified(ours(image, *check, image.reference))) == SIGNATURES[form]
    # who knows no bundles sees the older one
    old = image.run(*check, *KINDS[kind], "--new-bundle-format=false", image.reference)
    assert (old.exit == 0) is (form != "bundle"), old.text


@pytest.mark.parametrize("form", SIGNATURES)
def test_we_verify_what_cosign_cannot(make_image: Make, form: str) -> None:
    """It makes signatures with Ed25519 that it does not verify itself, and so does not verify ours."""
    image = make_image("one")
    sign(image, "ed25519", form)
    check = ("verify", "--key", "ours.pub", "--insecure-ignore-tlog", image.reference)
    assert image.run(*check).exit != 0
    assert len(verified(ours(image, *check))) == SIGNATURES[form]
