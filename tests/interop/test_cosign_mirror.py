"""Copies keep signatures: between registries with and without referrers, through folders, ours and cosign's."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from countermark.adapters.progress import NoProgress
from countermark.adapters.saved_images import SavedImages, SavingImages
from countermark.core.errors import InputError
from countermark.core.reference import ImageReference
from countermark.mirror.look import Choice
from countermark.mirror.mirror import Mirror
from countermark.schemes.cosign import beside, cleaning
from interop.cosign_images import Image, Place, client_for, push
from interop.cosign_indexes import push_index
from interop.cosign_peers import Cosign
from interop.peers import OurServer, Registry
from interop.test_cosign_sign import OLD, ours, verified

Make = Callable[[str], Image]
CHECK = ("verify", "--key", "cosign.pub", "--insecure-ignore-tlog")


def signed(image: Image, reference: str = "") -> None:
    """Sign and attest it in both forms."""
    where = reference or image.reference
    predicate = image.cosign.folder / "p.json"
    predicate.write_text('{"ok": true}')
    attest = ("attest", "--key", "cosign.key", "--predicate", str(predicate), "--type", "vuln")
    for how in (image.cosign.key_only, OLD):
        image.run("sign", "--key", "cosign.key", *how, where).ok()
        image.run(*attest, *how, where).ok()


def mirror(image: Image) -> Mirror:
    return Mirror(image.place.client, NoProgress())


def moved(image: Image, name: str) -> str:
    """The image's name in another repository."""
    repository, _, _ = image.reference.rpartition("/")
    return f"{repository}/{name}:v1"


def kinds(image: Image, reference: str) -> list[str]:
    where = ImageReference.parse(reference)
    found = beside.listed(image.place.client, where.repository, image.digest)
    return sorted(each.kind for each in found)


def test_a_copy_keeps_everything(make_image: Make) -> None:
    image = make_image("one")
    signed(image)
    client, to = image.place.client, moved(image, "two")
    source = client.resolve(ImageReference.parse(image.reference))
    taken = mirror(image).copy(source, ImageReference.parse(to), Choice())
    assert taken.digest == image.digest
    assert len(taken.names) == 5
    assert kinds(image, to) == ["att", "referrer", "referrer", "sig"]
    image.run(*CHECK, to).ok()
    attested = ("verify-attestation", *CHECK[1:], "--type", "vuln", to)
    image.run(*attested).ok()
    found = {str(entry["critical"]) for entry in verified(ours(image, *CHECK, to))}
    assert len(found) == 2
    # what is there already stays, and what is new comes to it
    image.run("sign", "--key", "cosign.key", *OLD, "-a", "by=them", to).ok()
    image.run("sign", "--key", "cosign.key", *OLD, "-a", "by=us", image.reference).ok()
    mirror(image).copy(source, ImageReference.parse(to), Choice())
    for by in ("them", "us"):
        ours(image, *CHECK, "-a", f"by={by}", to).ok()


def test_a_copy_of_an_index_keeps_its_childrens_signatures(make_image: Make) -> None:
    image = make_image("one")
    index = push_index(image)
    ours(image, "sign", "-r", "--key", "cosign.key", *image.cosign.key_only, index).ok()
    client, to = image.place.client, moved(image, "two")
    source = client.resolve(ImageReference.parse(index))
    mirror(image).copy(source, ImageReference.parse(to), Choice())
    content, media_type = client.manifest(source.repository, source.digest)
    children = [entry["digest"] for entry in json.loads(content)["manifests"]]
    assert media_type.endswith("index.v1+json")
    name, _, _ = to.rpartition(":")
    for digest in (str(source.digest), *children):
        image.run(*CHECK, f"{name}@{digest}").ok()


def test_a_tag_that_means_something_else_is_not_moved(make_image: Make) -> None:
    image, other = make_image("one"), make_image("other")
    source = image.place.client.resolve(ImageReference.parse(image.reference))
    to = ImageReference.parse(other.reference)
    with pytest.raises(InputError, match="means another image there"):
        mirror(image).copy(source, to, Choice())
    mirror(image).copy(source, to, Choice(overwrite=True))
    assert image.place.client.resolve(to).digest == image.digest


def test_through_a_folder(make_image: Make, tmp_path: Path) -> None:
    image = make_image("one")
    signed(image)
    client, to = image.place.client, moved(image, "two")
    source = client.resolve(ImageReference.parse(image.reference))
    mirror(image).save(source, SavingImages(str(tmp_path / "saved")))
    taken = mirror(image).load(SavedImages(str(tmp_path / "saved")), ImageReference.parse(to))
    assert len(taken.names) == 5
    assert kinds(image, to) == ["att", "referrer", "referrer", "sig"]
    image.run(*CHECK, to).ok()


def test_a_folder_of_cosigns(make_image: Make, tmp_path: Path) -> None:
    """cosign itself loses the bundles in it."""
    image = make_image("one")
    signed(image)
    to = moved(image, "two")
    image.run("save", image.reference, "--dir", str(tmp_path / "saved")).ok()
    mirror(image).load(SavedImages(str(tmp_path / "saved")), ImageReference.parse(to))
    assert kinds(image, to) == ["att", "referrer", "referrer", "sig"]
    image.run(*CHECK, to).ok()


def test_cosign_loads_a_folder_of_ours(make_image: Make, tmp_path: Path) -> None:
    image = make_image("one")
    signed(image)
    to = moved(image, "two")
    source = image.place.client.resolve(ImageReference.parse(image.reference))
    mirror(image).save(source, SavingImages(str(tmp_path / "saved")))
    image.run("load", "--dir", str(tmp_path / "saved"), to).ok()
    found = kinds(image, to)
    assert "sig" in found
    assert "att" in found
    image.run(*CHECK, to).ok()


def test_cleaning(make_image: Make) -> None:
    image = make_image("one")
    signed(image)
    ours(image, "sign", "--key", "cosign.key", *OLD, image.reference).ok()
    ours(image, "sign", "--key", "cosign.key", *image.cosign.key_only, image.reference).ok()
    where = ImageReference.parse(image.reference).repository
    gone = list(
        cleaning.remove(image.place.client, where, image.digest, cleaning.TYPES["referrer"])
    )
    assert len(gone) >= 3
    assert kinds(image, image.reference) == ["att", "sig"]
    list(cleaning.remove(image.place.client, where, image.digest, cleaning.TYPES["all"]))
    assert kinds(image, image.reference) == []
    assert not image.place.client.tags_beginning(where, f"sha256-{image.digest.hex}.")
    image.run(*CHECK, image.reference).refused("no signatures found", exit=10)
    ours(image, *CHECK, image.reference).refused("no signatures found", exit=10)


def test_from_a_registry_without_referrers_to_one_with_them_and_back(
    registry: Registry, open_server: OurServer, cosign: Cosign, slug: str
) -> None:
    """What lies in an index under a tag there is listed by the API here, and the reverse."""
    cosign("generate-key-pair").ok()
    with client_for(open_server.ca) as client:
        one, two, three = (
            ImageReference.parse(f"{address}/{slug}/{name}:v1")
            for address, name in (
                (registry.address, "one"),
                (open_server.address, "two"),
                (registry.address, "three"),
            )
        )
        digest = push(client, registry.address, f"{slug}/one", slug)
        image = Image(Place(registry.address, client, {}, False), str(one), digest, cosign)
        signed(image)
        for source, to in ((one, two), (two, three)):
            Mirror(client, NoProgress()).copy(client.resolve(source), to, Choice())
        trust = {"SSL_CERT_FILE": str(open_server.ca)}
        for reference in (two, three):
            found = beside.listed(client, reference.repository, digest)
            assert sorted(each.kind for each in found) == ["att", "referrer", "referrer", "sig"]
            cosign(*CHECK, str(reference), environment=trust).ok()
            cosign(*CHECK, "--new-bundle-format=false", str(reference), environment=trust).ok()
