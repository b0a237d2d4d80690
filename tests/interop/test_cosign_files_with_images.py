"""``manifest verify`` and ``dockerfile verify``: the same files, the real cosign's words beside ours."""

from collections.abc import Callable

import pytest

from interop.cosign_images import Image
from interop.processes import Outcome
from interop.test_cosign_sign import OLD, ours

Make = Callable[[str], Image]
KEY = ("--key", "cosign.pub", "--insecure-ignore-tlog")
MANIFEST = "m.yaml"
POD = "kind: Pod\nspec:\n  containers: [{{name: a, image: '{0}'}}]\n  initContainers: [{{name: b, image: '{1}'}}]\n"


def write(image: Image, name: str, text: str) -> None:
    (image.cosign.folder / name).write_text(text)


def said(outcome: Outcome) -> tuple[int, str, str]:
    return outcome.exit, outcome.out, outcome.err


@pytest.fixture
def signed(make_image: Make) -> Image:
    """An image that is signed in the older format, which alone the real cosign looks for here."""
    image = make_image("one")
    image.run("sign", "--key", "cosign.key", *OLD, image.reference).ok()
    return image


def test_each_image_of_a_manifest(signed: Image, make_image: Make) -> None:
    other = make_image("other")
    words = ("manifest", "verify", *KEY, MANIFEST)
    write(signed, MANIFEST, POD.format(signed.reference, signed.reference))
    theirs, mine = signed.run(*words).ok(), ours(signed, *words).ok()
    assert f"Extracted image(s): {signed.reference}" in theirs.err
    assert f"Extracted image(s): {signed.reference}\n" in mine.err
    write(signed, MANIFEST, POD.format(signed.reference, other.reference))
    theirs, mine = signed.run(*words), ours(signed, *words)
    assert theirs.exit == mine.exit == 10
    assert theirs.err.splitlines()[0] == mine.err.splitlines()[0]
    assert "no signatures found" in mine.err


def test_bundles_count_too(make_image: Make) -> None:
    """The real one knows older signatures only."""
    image = make_image("one")
    image.run("sign", "--key", "cosign.key", *image.cosign.key_only, image.reference).ok()
    write(image, MANIFEST, POD.format(image.reference, image.reference))
    image.run("manifest", "verify", *KEY, MANIFEST).refused("no signatures found", exit=10)
    ours(image, "manifest", "verify", *KEY, MANIFEST).ok()
    write(image, "Dockerfile", f"FROM {image.reference}\n")
    image.run("dockerfile", "verify", *KEY, "Dockerfile").refused("no signatures found", exit=10)
    ours(image, "dockerfile", "verify", *KEY, "Dockerfile").ok()


@pytest.mark.parametrize(
    ("what", "name", "text"),
    [
        ("manifest", "none.yaml", None),
        ("manifest", "m.json", "{}"),
        ("manifest", "empty.yaml", "kind: ConfigMap\n"),
        ("dockerfile", "none", None),
        ("dockerfile", "scratch", "FROM scratch\n"),
    ],
)
def test_the_same_refusals(make_image: Make, what: str, name: str, text: str | None) -> None:
    image = make_image("one")
    if text is not None:
        write(image, name, text)
    words = (what, "verify", *KEY, name)
    theirs, mine = image.run(*words), ours(image, *words)
    assert (mine.exit, mine.out) == (theirs.exit, theirs.out)
    assert mine.err == theirs.err.replace("- scratch image ignored\n", "")


def test_what_the_real_one_passes_over(make_image: Make) -> None:
    """Containers that it does not look for run all the same; docs/compatibility.md."""
    image, other = make_image("one"), make_image("other")
    image.run("sign", "--key", "cosign.key", *OLD, image.reference).ok()
    pod = POD.format(image.reference, image.reference)
    more = f"  ephemeralContainers: [{{name: c, image: '{other.reference}'}}]\n"
    write(image, MANIFEST, pod + more)
    words = ("manifest", "verify", *KEY, MANIFEST)
    image.run(*words).ok()
    ours(image, *words).refused("no signatures found", exit=10)
    write(image, "Dockerfile", f"from {other.reference} as x\nFROM {image.reference}\n")
    ours(image, "dockerfile", "verify", *KEY, "Dockerfile").refused(exit=10)


def test_dockerfiles(signed: Image, make_image: Make) -> None:
    other = make_image("other")
    name, _, tag = signed.reference.rpartition(":")
    write(
        signed,
        "Dockerfile",
        f"ARG NAME={name}\nARG TAG\nFROM {other.reference} AS build\nFROM ${{NAME}}:$TAG AS run\n"
        "COPY --from=build /a /a\nFROM build\n",
    )
    words = ("dockerfile", "verify", *KEY, "Dockerfile")
    environment = signed.place.environment | {"TAG": tag}
    theirs = signed.cosign(*words, environment=environment)
    mine = ours(signed, *words, TAG=tag)
    assert theirs.exit == mine.exit == 10
    extracted = f"Extracted image(s): {other.reference}, {signed.reference}"
    assert extracted in theirs.err
    assert extracted in mine.err
    base = ("dockerfile", "verify", "--base-image-only", *KEY, "Dockerfile")
    signed.cosign(*base, environment=environment).ok()
    ours(signed, *base, TAG=tag).ok()
    ours(signed, *base).refused("could not parse reference", exit=1)
