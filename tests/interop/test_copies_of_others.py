"""Others take our signatures along, and show them: crane by their tags, oras as what refers to the image."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from interop.cosign_images import Image
from interop.cosign_peers import go_program
from interop.processes import Outcome, run
from interop.test_cosign_mirror import CHECK, kinds, moved
from interop.test_cosign_sign import OLD, ours

Make = Callable[[str], Image]
FORMS = (("bundle", ()), ("legacy", OLD))


def program(image: Image, name: str, *words: str | Path) -> Outcome:
    """Run one of them, in the image's folder and with what it needs to reach the registry."""
    given = {"PATH": "/usr/bin:/bin", "HOME": str(image.cosign.folder), **image.place.environment}
    return run([go_program(name), *words], given, image.cosign.folder)


def oras(image: Image, word: str, *words: str | Path) -> Outcome:
    """oras speaks plain HTTP with localhost unless it is told."""
    plain = "false" if image.place.has_api else "true"
    sides = ("from-", "to-") if word == "copy" else ("",)
    return program(image, "oras", word, *(f"--{side}plain-http={plain}" for side in sides), *words)


def signed_by_us(image: Image) -> None:
    """Sign it in both forms, and attest something."""
    (image.cosign.folder / "p.json").write_text('{"ok": true}')
    ours(image, "sign", "--key", "cosign.key", *image.cosign.key_only, image.reference).ok()
    ours(image, "sign", "--key", "cosign.key", *OLD, image.reference).ok()
    attest = ("attest", "--key", "cosign.key", "--predicate", "p.json", "--type", "vuln")
    ours(image, *attest, *image.cosign.key_only, image.reference).ok()


def test_oras_takes_bundles_along(make_image: Make) -> None:
    image = make_image("one")
    signed_by_us(image)
    shown = oras(image, "discover", "--format", "json", image.reference).ok()
    found = json.loads(shown.out)["referrers"]
    assert [each["artifactType"] for each in found] == [
        "application/vnd.dev.sigstore.bundle.v0.3+json"
    ] * 2
    to = moved(image, "two")
    oras(image, "copy", "-r", image.reference, to).ok()
    assert kinds(image, to) == ["referrer", "referrer"]
    for check in (CHECK, ("verify-attestation", *CHECK[1:], "--type", "vuln")):
        ours(image, *check, to).ok()
        image.run(*check, to).ok()


def test_what_oras_attaches_goes_along_with_ours(make_image: Make) -> None:
    """Other things that refer to the image are no signatures, and are kept."""
    image = make_image("one")
    signed_by_us(image)
    (image.cosign.folder / "notes.txt").write_text("well done")
    oras(
        image, "attach", "--artifact-type", "text/notes", image.reference, "notes.txt:text/plain"
    ).ok()
    to = moved(image, "two")
    ours(image, "copy", image.reference, to).ok()
    assert kinds(image, to) == ["referrer", "referrer", "referrer", "sig"]
    ours(image, *CHECK, to).ok()
    shown = oras(image, "discover", "--format", "json", "--artifact-type", "text/notes", to).ok()
    assert len(json.loads(shown.out)["referrers"]) == 1
    ours(image, "clean", "-f", to).ok()
    assert kinds(image, to) == ["referrer"]


def test_a_layout_of_oras(make_image: Make) -> None:
    """Out of the registry and back into it, through a folder, with what refers to the image."""
    image = make_image("one")
    signed_by_us(image)
    to = moved(image, "two")
    oras(image, "copy", "-r", image.reference, "--to-oci-layout", "layout:v1").ok()
    oras(image, "copy", "-r", "--from-oci-layout", "layout:v1", to).ok()
    ours(image, *CHECK, to).ok()


@pytest.mark.parametrize(("form", "how"), FORMS, ids=[form for form, _ in FORMS])
def test_crane_takes_tags_along(make_image: Make, form: str, how: tuple[str, ...]) -> None:
    """crane knows neither; with all tags it takes older signatures along, and bundles without the referrers API."""
    image = make_image("one")
    flags = how or image.cosign.key_only
    ours(image, "sign", "--key", "cosign.key", *flags, image.reference).ok()
    assert program(image, "crane", "digest", image.reference).ok().out.strip() == str(image.digest)
    name, _, _ = image.reference.rpartition(":")
    to, _, _ = moved(image, "two").rpartition(":")
    program(image, "crane", "copy", "--all-tags", name, to).ok()
    if form == "bundle" and image.place.has_api:
        ours(image, *CHECK, f"{to}:v1").refused("no signatures found", exit=10)
    else:
        ours(image, *CHECK, f"{to}:v1").ok()
