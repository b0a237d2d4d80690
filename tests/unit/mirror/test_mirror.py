"""Images taken elsewhere keep what vouches for them: all of it, once, the tag last, and looked for at the far end."""

import json
from pathlib import Path
from typing import Any

import pytest

import fake_sigstore as fake
from countermark.adapters.progress import NoProgress
from countermark.adapters.saved_images import SavedImages, SavingImages
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    InputError,
    NotFoundError,
    UnavailableError,
)
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.formats import oci, payloads
from countermark.formats.legacy import LegacySignature
from countermark.formats.oci import Descriptor, Platform
from countermark.mirror.look import LEVELS, Choice
from countermark.mirror.mirror import Mirror, Taken
from countermark.schemes.cosign import attach, attach_given, beside
from countermark.schemes.cosign.find import legacy_tag
from fake_registry import MemoryImages
from fake_sigstore import SIGNED_AT, SLSA

FROM, TO = "registry.example.test/team/pay:v1", "mirror.example.test/pay:v1"
KEY = fake.new_key()
HERE = ImageReference.parse(FROM).repository
THERE = ImageReference.parse(TO)


class World:
    """A registry with a signed image."""

    def __init__(self) -> None:
        self.registry = MemoryImages()
        self.image = self.registry.push("one", FROM)
        self.mirror = Mirror(self.registry, NoProgress())

    def copy(self, source: Subject | None = None, to: str = TO, **choice: Any) -> Taken:
        self.registry.puts.clear()
        return self.mirror.copy(source or self.image, ImageReference.parse(to), Choice(**choice))

    def bundle(
        self, subject: Digest, kind: str = payloads.SIGN_PREDICATE, place: Repository = HERE
    ) -> Digest:
        about = payloads.StatementSubject(digests={"sha256": subject.hex})
        content = fake.compact(fake.bundle(KEY, payloads.encode_attestation([about], kind, b"{}")))
        descriptor = Descriptor(media_type=oci.OCI_MANIFEST, digest=subject, size=7)
        return attach_given.bundle(self.registry, place, descriptor, content, SIGNED_AT)

    def older(self, subject: Digest, number: int = 1, place: Repository = HERE) -> None:
        content = payloads.encode(place.name, subject, {"n": str(number)})
        found = LegacySignature(payload=content, signature=bytes((number,)))
        attach.attach_legacy(self.registry, place, subject, found)

    def sbom(self, subject: Digest) -> None:
        attach_given.sbom(self.registry, HERE, subject, b"{}", "text/spdx+json")

    def fill(self) -> None:
        self.bundle(self.image.digest)
        self.bundle(self.image.digest, SLSA)
        self.older(self.image.digest)
        self.sbom(self.image.digest)

    def kinds(self, subject: Digest, place: Repository = THERE.repository) -> list[str]:
        found = beside.listed(self.registry, place, subject)
        return sorted(each.predicate_type or each.kind for each in found)


@pytest.fixture
def world() -> World:
    return World()


ALL = sorted(["sig", "sbom", payloads.SIGN_PREDICATE, SLSA])

# Copying ------------------------------------------------------------------------------------------------


def test_all_of_it_and_the_tag_last(world: World) -> None:
    world.fill()
    taken = world.copy()
    assert taken.digest == world.image.digest
    assert taken.names[0] == TO
    assert len(taken.names) == 5
    assert all(name.startswith("mirror.example.test/pay") for name in taken.names)
    assert world.kinds(world.image.digest) == ALL
    manifests = [put for put in world.registry.puts if not put.startswith("blob")]
    assert manifests[0] == str(world.image.digest)
    assert manifests[-1] == "v1"
    assert manifests.count("v1") == 1


def test_an_unsigned_image(world: World) -> None:
    assert world.copy().names == (TO,)
    assert world.registry.resolve(THERE).digest == world.image.digest


def test_what_is_there_is_not_sent_again(world: World) -> None:
    world.fill()
    world.copy()
    world.copy()
    assert not [put for put in world.registry.puts if put.startswith("blob")]


@pytest.mark.parametrize("mounts", [True, False])
def test_blobs_of_the_same_registry_are_had_from_there(world: World, mounts: bool) -> None:
    world.fill()
    world.registry.mounts = mounts
    world.copy(to="registry.example.test/other:v1")
    sent = [put for put in world.registry.puts if put.startswith("blob")]
    assert bool(sent) is not mounts


def test_what_refers_to_what_refers_to_it(world: World) -> None:
    first = world.bundle(world.image.digest)
    second = world.bundle(first)
    world.older(second)
    world.copy()
    assert world.kinds(first) == [payloads.SIGN_PREDICATE]
    assert world.kinds(second) == ["sig"]


def test_what_refers_to_each_other_without_end(world: World) -> None:
    """What refers to what refers to it, deeper than anybody signs: the rest stays where it is."""
    at = world.image.digest
    chain = []
    for _ in range(LEVELS + 2):
        at = world.bundle(at)
        chain.append(at)
    world.copy()
    there = [world.registry.manifests.get((THERE.repository.name, each)) for each in chain]
    assert [each is not None for each in there] == [True] * LEVELS + [False, False]


def test_what_is_there_already_stays(world: World) -> None:
    world.older(world.image.digest, 1)
    world.copy()
    world.older(world.image.digest, 7, THERE.repository)
    world.older(world.image.digest, 2)
    world.copy()
    found = beside.listed(world.registry, THERE.repository, world.image.digest, ("sig",))
    assert len(found[0].layers) == 3


@pytest.mark.parametrize(
    ("only", "left"),
    [
        (("sig",), ["sig", payloads.SIGN_PREDICATE]),
        (("att",), [SLSA]),
        (("sbom",), ["sbom"]),
        (("sig", "sbom"), ["sbom", "sig", payloads.SIGN_PREDICATE]),
        ((), ALL),
    ],
)
def test_only_some_of_it(world: World, only: tuple[str, ...], left: list[str]) -> None:
    world.fill()
    world.copy(only=only)
    assert world.kinds(world.image.digest) == sorted(left)


def test_only_what_there_is() -> None:
    with pytest.raises(InputError, match="unsupported value for --only: all"):
        Choice(only=("all",))


def test_signatures_that_lie_elsewhere(world: World) -> None:
    kept, keeps = (
        ImageReference.parse(f"{host}.example.test/signatures").repository
        for host in ("registry", "mirror")
    )
    world.bundle(world.image.digest, place=kept)
    places = {HERE: kept, THERE.repository: keeps}
    Mirror(world.registry, NoProgress(), places.__getitem__).copy(world.image, THERE, Choice())
    assert world.kinds(world.image.digest, keeps) == [payloads.SIGN_PREDICATE]
    assert world.kinds(world.image.digest) == []


# Indexes ------------------------------------------------------------------------------------------------


def test_an_index_with_its_images_and_their_signatures(world: World) -> None:
    index = world.registry.push_index(FROM, amd64="a", arm64="b")
    child = world.registry.resolve(ImageReference.parse(f"{HERE.name}:arm64"))
    for digest in (index.digest, child.digest):
        world.bundle(digest)
        world.older(digest)
    world.copy(index)
    for digest in (index.digest, child.digest):
        assert world.kinds(digest) == [payloads.SIGN_PREDICATE, "sig"]


def test_one_platform_of_an_index(world: World) -> None:
    index = world.registry.push_index(FROM, amd64="a", arm64="b")
    child = world.registry.resolve(ImageReference.parse(f"{HERE.name}:arm64"))
    world.bundle(index.digest)
    world.bundle(child.digest)
    taken = world.copy(index, platform=Platform.parse("linux/arm64"))
    assert taken.digest == child.digest
    assert len(taken.names) == 2
    with pytest.raises(EvidenceError) as caught:
        world.copy(index, platform=Platform.parse("linux/s390x"))
    assert caught.value.code == Code.NOT_FOUND


# Where it goes --------------------------------------------------------------------------------------------


def test_a_tag_that_means_another_image_is_left_alone(world: World) -> None:
    world.registry.push("other", TO)
    with pytest.raises(InputError, match="means another image there") as caught:
        world.copy()
    assert caught.value.hint
    assert not world.registry.puts
    world.copy(overwrite=True)
    assert world.registry.resolve(THERE).digest == world.image.digest


def test_to_a_digest(world: World) -> None:
    world.fill()
    name = THERE.repository.name
    taken = world.copy(to=f"{name}@{world.image.digest}")
    assert taken.names[0] == f"{name}@{world.image.digest}"
    assert world.kinds(world.image.digest) == ALL
    with pytest.raises(InputError, match="is the name of another image"):
        world.copy(to=f"{name}@{Digest.of(b'other')}")


# What goes wrong ------------------------------------------------------------------------------------------


def test_what_does_not_arrive_is_told_of(world: World) -> None:
    world.fill()
    lost = world.bundle(world.image.digest, "https://a.test/lost")

    def lose(name: str) -> None:
        if name == "v1":
            world.registry.manifests.pop((THERE.repository.name, lost), None)

    world.registry.before = lose
    with pytest.raises(UnavailableError, match=f"not there afterwards: {lost}"):
        world.copy()


def test_what_cannot_be_read_is_not_left_out(world: World) -> None:
    digest = world.bundle(world.image.digest)
    content, media_type = world.registry.manifests[HERE.name, digest]
    layer = oci.parse_manifest(content, media_type).layers[0]
    del world.registry.blobs[HERE.name, layer.digest]
    with pytest.raises(NotFoundError):
        world.copy()
    with pytest.raises(NotFoundError):
        world.registry.resolve(THERE)


def test_a_failure_moves_no_tag(world: World) -> None:
    world.fill()

    def fail(name: str) -> None:
        if name.endswith(".sig"):
            raise UnavailableError("gone")

    world.registry.before = fail
    with pytest.raises(UnavailableError, match="gone"):
        world.copy()
    with pytest.raises(NotFoundError):
        world.registry.resolve(THERE)


# Folders --------------------------------------------------------------------------------------------------


def saved(world: World, folder: Path, source: Subject | None = None) -> Path:
    world.mirror.save(source or world.image, SavingImages(str(folder)))
    return folder


def load(world: World, folder: Path) -> Taken:
    return world.mirror.load(SavedImages(str(folder)), THERE)


def test_through_a_folder(world: World, tmp_path: Path) -> None:
    world.fill()
    second = world.bundle(world.bundle(world.image.digest))
    folder = saved(world, tmp_path / "saved")
    assert len(load(world, folder).names) == 7
    assert world.kinds(world.image.digest) == sorted([*ALL, payloads.SIGN_PREDICATE])
    assert (THERE.repository.name, second) in world.registry.manifests


def test_an_index_through_a_folder(world: World, tmp_path: Path) -> None:
    index = world.registry.push_index(FROM, amd64="a", arm64="b")
    child = world.registry.resolve(ImageReference.parse(f"{HERE.name}:arm64"))
    for digest in (index.digest, child.digest):
        world.bundle(digest)
        world.older(digest)
    assert load(world, saved(world, tmp_path / "saved", index)).digest == index.digest
    for digest in (index.digest, child.digest):
        assert world.kinds(digest) == [payloads.SIGN_PREDICATE, "sig"]


def test_the_index_of_a_folder_is_cosigns_with_more_in_it(world: World, tmp_path: Path) -> None:
    world.fill()
    folder = saved(world, tmp_path / "saved")
    index = json.loads((folder / "index.json").read_bytes())
    marks = [each["annotations"]["kind"] for each in index["manifests"]]
    assert marks[0] == "dev.cosignproject.cosign/image"
    assert sorted(marks[1:]) == [
        "dev.cosignproject.cosign/sigs",
        "dev.countermark/referrer",
        "dev.countermark/referrer",
        "dev.countermark/sbom",
    ]
    assert index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] == "v1"


def test_what_cosign_leaves_out_of_the_index_is_found(world: World, tmp_path: Path) -> None:
    world.fill()
    folder = saved(world, tmp_path / "saved")
    index = json.loads((folder / "index.json").read_bytes())
    kept = [e for e in index["manifests"] if e["annotations"]["kind"].startswith("dev.cosign")]
    for entry in kept:
        entry["annotations"] = {"kind": entry["annotations"]["kind"]}
    (folder / "index.json").write_text(json.dumps(index | {"manifests": kept}))
    load(world, folder)
    assert world.kinds(world.image.digest) == [e for e in ALL if e != "sbom"]


def bend(folder: Path, world: World, how: str) -> None:
    index = json.loads((folder / "index.json").read_bytes())
    blobs = folder / "blobs" / "sha256"
    if how == "no image":
        index["manifests"] = index["manifests"][1:]
    elif how == "two images":
        index["manifests"][1]["annotations"] = index["manifests"][0]["annotations"]
    elif how == "no layout":
        (folder / "oci-layout").unlink()
    elif how == "another image":
        (blobs / world.image.digest.hex).write_bytes(b"{}")
    elif how == "a link":
        other = folder.parent / "elsewhere"
        (blobs / world.image.digest.hex).rename(other)
        (blobs / world.image.digest.hex).symlink_to(other)
    elif how == "a blob that is cut off":
        layer = blobs / Digest.of(b"one").hex
        layer.write_bytes(b"on")
    (folder / "index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("no image", InputError),
        ("two images", InputError),
        ("no layout", InputError),
        ("another image", EvidenceError),
        ("a link", NotFoundError),
        ("a blob that is cut off", EvidenceError),
    ],
)
def test_broken_folders(
    world: World, tmp_path: Path, how: str, kind: type[CountermarkError]
) -> None:
    world.fill()
    folder = saved(world, tmp_path / "saved")
    bend(folder, world, how)
    with pytest.raises(kind):
        load(world, folder)
    with pytest.raises(NotFoundError):
        world.registry.resolve(THERE)


def test_no_folder(world: World, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        load(world, tmp_path / "nothing")


def test_a_folder_that_cannot_be_finished_is_not_there(world: World, tmp_path: Path) -> None:
    world.fill()
    digest = Digest.of(b"one")
    world.registry.blobs[HERE.name, digest] = b"two"
    with pytest.raises(EvidenceError):
        saved(world, tmp_path / "saved")
    assert not list(tmp_path.iterdir())


def test_the_tags_that_a_folder_names(world: World, tmp_path: Path) -> None:
    """A tag in it is one of those beside an image, or none: nothing else is written there."""
    world.older(world.image.digest)
    folder = saved(world, tmp_path / "saved")
    index = json.loads((folder / "index.json").read_bytes())
    entry = index["manifests"][1]
    for name in ("latest", "sha256-x.sig", "../x.sig", f"sha256-{'a' * 64}.sig"):
        entry["annotations"] = {"org.opencontainers.image.ref.name": name, "kind": "x"}
        (folder / "index.json").write_text(json.dumps(index))
        assert load(world, folder).names == (TO,)
    tags = {tag for name, tag in world.registry.tagged_ if name == THERE.repository.name}
    assert tags == {"v1"}
    assert legacy_tag(world.image.digest, "sig") not in tags
