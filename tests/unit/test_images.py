"""Copies of images: all of it, in the right order, or nothing."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from countermark.adapters import image_files
from countermark.adapters.image_files import checked
from countermark.adapters.progress import NoProgress
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    MalformedError,
    NotFoundError,
    UnavailableError,
)
from countermark.core.ports import ImageSource, ImageTarget, Progress
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.formats import oci, strict_json
from countermark.images import Images, in_parallel

PAY = ImageReference.parse("localhost:5000/pay:v3")
AMD64 = oci.Platform.parse("linux/amd64")


class MemoryRegistry:
    """A registry in memory, which notes what came in which order."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.manifests: dict[Digest, tuple[bytes, str]] = {}
        self.tags: dict[str, Digest] = {}
        self.order: list[str] = []
        self.lies = False

    def resolve(self, reference: ImageReference) -> Subject:
        digest = reference.digest or self.tags[reference.tag or ""]
        return Subject(repository=reference.repository, digest=digest, tag=reference.tag)

    def manifest(self, repository: Repository, digest: Digest) -> tuple[bytes, str]:
        if digest not in self.manifests:
            raise NotFoundError(f"no {digest}")
        return self.manifests[digest]

    def open_blob(self, repository: Repository, digest: Digest, size: int) -> Iterator[bytes]:
        if digest not in self.blobs:
            raise NotFoundError(f"no {digest}")
        return checked(iter((self.blobs[digest],)), digest, size)

    def has_blob(self, repository: Repository, digest: Digest) -> bool:
        return digest in self.blobs

    def put_blob(
        self, repository: Repository, digest: Digest, size: int, content: Iterator[bytes]
    ) -> None:
        self.blobs[digest] = b"".join(content)
        self.order.append(f"blob {self.blobs[digest].decode()[:20]}")

    def put_manifest(
        self, repository: Repository, name: str, media_type: str, content: bytes
    ) -> Digest:
        digest = Digest.of(content)
        for child in oci.children(content, media_type):
            known = self.manifests if child.is_manifest else self.blobs
            assert child.digest in known or "foreign" in child.media_type
        self.manifests[digest] = (content, media_type)
        if not name.startswith("sha256:"):
            self.tags[name] = digest
        self.order.append(f"manifest {name[:10]}")
        return Digest.of(b"another") if self.lies else digest


class MemoryImage:
    """An image that a test makes: a source."""

    def __init__(self, registry: MemoryRegistry, root: Digest) -> None:
        self.registry, self.digest = registry, root
        self.closed = 0

    def root(self) -> tuple[bytes, str]:
        return self.manifest(self.digest)

    def manifest(self, digest: Digest) -> tuple[bytes, str]:
        return self.registry.manifest(PAY.repository, digest)

    def open_blob(self, digest: Digest, size: int) -> Iterator[bytes]:
        return self.registry.open_blob(PAY.repository, digest, size)

    def close(self) -> None:
        self.closed += 1


class Daemon:
    """A docker daemon that notes what it is asked."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def pull(self, repository: Repository, digest: Digest, progress: Progress) -> None:
        self.done.append(f"pull {repository.familiar}@{digest}")

    def tag(self, source: ImageReference, name: ImageReference) -> None:
        self.done.append(f"tag {source.familiar} {name.familiar}")


class Places:
    """The other places: one source, real files as targets, a daemon."""

    def __init__(self, source: MemoryImage | None = None) -> None:
        self.source, self.store = source, Daemon()

    def open_source(self, text: str) -> ImageSource:
        assert self.source
        return self.source

    def open_target(self, text: str, reference: ImageReference) -> ImageTarget:
        return image_files.open_target(text, reference)

    def daemon(self) -> Daemon:
        return self.store


class Counting(NoProgress):
    """Counts what it is told."""

    def __init__(self) -> None:
        self.total = self.done = self.ended = 0
        self.lock = threading.Lock()

    def begin(self, text: str, total: int) -> None:
        self.total = total

    def advance(self, count: int) -> None:
        with self.lock:
            self.done += count

    def finish(self) -> None:
        self.ended += 1


def add_image(registry: MemoryRegistry, text: str, layer_type: str = "x/layer") -> Digest:
    """Put an image into a registry: a config and two layers, one of which all images share."""
    described = []
    for media_type, content in (
        ("x/config", text),
        (layer_type, f"layer of {text}"),
        ("x/layer", "shared"),
    ):
        digest = Digest.of(content.encode())
        registry.blobs[digest] = content.encode()
        size = len(content.encode())
        described.append(oci.Descriptor(media_type=media_type, digest=digest, size=size).encode())
    config, *layers = described
    manifest = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": config,
        "layers": layers,
    }
    return add_manifest(registry, strict_json.compact(manifest), oci.OCI_MANIFEST)


def add_manifest(registry: MemoryRegistry, content: bytes, media_type: str) -> Digest:
    registry.manifests[Digest.of(content)] = (content, media_type)
    return Digest.of(content)


def add_index(registry: MemoryRegistry, **children: Digest) -> Digest:
    described = [
        oci.Descriptor(
            media_type=registry.manifests[digest][1],
            digest=digest,
            size=len(registry.manifests[digest][0]),
            platform=oci.Platform.parse(f"linux/{name}"),
        )
        for name, digest in children.items()
    ]
    return add_manifest(registry, oci.encode_index(described), oci.OCI_INDEX)


def an_index(registry: MemoryRegistry) -> Digest:
    return add_index(registry, amd64=add_image(registry, "one"), arm64=add_image(registry, "two"))


def images(
    registry: MemoryRegistry, places: Places | None = None, progress: Progress | None = None
) -> Images:
    return Images(registry, places or Places(), progress or NoProgress(), AMD64)


# Push ----------------------------------------------------------------------------------------------


def test_push_sends_everything_and_the_tag_last() -> None:
    elsewhere, registry, progress = MemoryRegistry(), MemoryRegistry(), Counting()
    source = MemoryImage(elsewhere, an_index(elsewhere))
    subject = images(registry, Places(source), progress).push("oci:x", PAY)
    assert registry.blobs == elsewhere.blobs
    assert registry.manifests == elsewhere.manifests
    assert registry.tags == {"v3": source.digest}
    assert [step.split()[0] for step in registry.order] == ["blob"] * 5 + ["manifest"] * 3
    assert registry.order[-1] == "manifest v3"
    assert subject == Subject(
        repository=PAY.repository,
        digest=source.digest,
        tag="v3",
        size=len(elsewhere.manifests[source.digest][0]),
        media_type=oci.OCI_INDEX,
    )
    assert progress.done == progress.total == sum(map(len, registry.blobs.values()))
    assert (progress.ended, source.closed) == (1, 1)


def test_what_is_there_is_not_sent_again() -> None:
    elsewhere, registry, progress = MemoryRegistry(), MemoryRegistry(), Counting()
    source = MemoryImage(elsewhere, add_image(elsewhere, "one"))
    registry.blobs[Digest.of(b"shared")] = b"shared"
    images(registry, Places(source), progress).push("oci:x", PAY)
    assert sorted(step for step in registry.order if step[0] == "b") == [
        "blob layer of one",
        "blob one",
    ]
    assert progress.done == progress.total


def test_layers_that_stay_with_their_makers_are_left_out() -> None:
    elsewhere, registry = MemoryRegistry(), MemoryRegistry()
    kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    source = MemoryImage(elsewhere, add_image(elsewhere, "win", kind))
    images(registry, Places(source)).push("oci:x", PAY)
    assert Digest.of(b"layer of win") not in registry.blobs
    assert registry.tags == {"v3": source.digest}


def test_a_broken_blob_moves_no_tag() -> None:
    elsewhere, registry = MemoryRegistry(), MemoryRegistry()
    source = MemoryImage(elsewhere, add_image(elsewhere, "one"))
    elsewhere.blobs[Digest.of(b"shared")] = b"sharex"
    with pytest.raises(MalformedError) as caught:
        images(registry, Places(source)).push("oci:x", PAY)
    assert caught.value.code == Code.CHECKSUM
    assert not registry.manifests
    assert source.closed == 1


def test_a_missing_child_moves_no_tag() -> None:
    elsewhere, registry = MemoryRegistry(), MemoryRegistry()
    source = MemoryImage(elsewhere, an_index(elsewhere))
    gone = next(d for d, (_, kind) in elsewhere.manifests.items() if kind == oci.OCI_MANIFEST)
    del elsewhere.manifests[gone]
    with pytest.raises(NotFoundError):
        images(registry, Places(source)).push("oci:x", PAY)
    assert not registry.order


def test_a_registry_that_names_another_digest_is_not_believed() -> None:
    elsewhere, registry = MemoryRegistry(), MemoryRegistry()
    registry.lies = True
    source = MemoryImage(elsewhere, add_image(elsewhere, "one"))
    with pytest.raises(CountermarkError) as caught:
        images(registry, Places(source)).push("oci:x", PAY)
    assert caught.value.code == Code.CHECKSUM


@pytest.mark.parametrize("name", ["pay", f"pay@{Digest.of(b'')}", f"pay:1@{Digest.of(b'')}"])
def test_a_push_needs_a_tag(name: str) -> None:
    with pytest.raises(InputError):
        images(MemoryRegistry()).push("oci:x", ImageReference.parse(name))


def test_nesting_is_bounded() -> None:
    elsewhere = MemoryRegistry()
    root = add_image(elsewhere, "one")
    for _ in range(5):
        root = add_index(elsewhere, amd64=root)
    with pytest.raises(MalformedError) as caught:
        images(MemoryRegistry(), Places(MemoryImage(elsewhere, root))).push("oci:x", PAY)
    assert caught.value.code == Code.TOO_LARGE


def test_a_child_named_twice_goes_once() -> None:
    elsewhere, registry = MemoryRegistry(), MemoryRegistry()
    one = add_image(elsewhere, "one")
    source = MemoryImage(elsewhere, add_index(elsewhere, amd64=one, arm64=one))
    images(registry, Places(source)).push("oci:x", PAY)
    assert sum(step.startswith("manifest") for step in registry.order) == 2


# Pull ----------------------------------------------------------------------------------------------


def subject_of(digest: Digest) -> Subject:
    return Subject(repository=PAY.repository, digest=digest, tag="v3")


def test_pull_into_a_layout_and_push_it_again(tmp_path: Path) -> None:
    registry, other = MemoryRegistry(), MemoryRegistry()
    root = an_index(registry)
    place = f"oci:{tmp_path}/pay"
    assert images(registry).pull(subject_of(root), PAY, place) == place

    class Files(Places):
        def open_source(self, text: str) -> ImageSource:
            return image_files.open_source(text, str(tmp_path))

    subject = images(other, Files()).push(f"{place}:v3", PAY)
    assert subject.digest == root
    assert (other.blobs, other.manifests) == (registry.blobs, registry.manifests)


def test_pull_leaves_nothing_of_what_failed(tmp_path: Path) -> None:
    registry = MemoryRegistry()
    root = add_image(registry, "one")
    registry.blobs[Digest.of(b"shared")] = b"sharex"
    for place in (f"oci:{tmp_path}/pay", f"docker-archive:{tmp_path}/pay.tar"):
        with pytest.raises(MalformedError):
            images(registry).pull(subject_of(root), PAY, place)
    assert not list(tmp_path.iterdir())


def test_an_archive_gets_the_image_for_one_platform(tmp_path: Path) -> None:
    registry = MemoryRegistry()
    nested = add_index(registry, amd64=an_index(registry))
    images(registry).pull(subject_of(nested), PAY, f"docker-archive:{tmp_path}/pay.tar")
    content = (tmp_path / "pay.tar").read_bytes()
    assert b"layer of one" in content
    assert b"layer of two" not in content


def test_an_index_without_the_platform_is_refused(tmp_path: Path) -> None:
    registry = MemoryRegistry()
    root = add_index(registry, arm64=add_image(registry, "two"))
    with pytest.raises(MalformedError) as caught:
        images(registry).pull(subject_of(root), PAY, f"docker-archive:{tmp_path}/pay.tar")
    assert caught.value.code == Code.NOT_FOUND
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("to", "reference", "done", "where"),
    [
        (
            "",
            "localhost:5000/pay:v3",
            ["pull localhost:5000/pay@D", "tag localhost:5000/pay@D localhost:5000/pay:v3"],
            "docker-daemon:localhost:5000/pay:v3",
        ),
        (
            "docker-daemon:mine",
            "localhost:5000/pay:v3",
            ["pull localhost:5000/pay@D", "tag localhost:5000/pay@D mine:latest"],
            "docker-daemon:mine:latest",
        ),
        ("", "localhost:5000/pay@D", ["pull localhost:5000/pay@D"], "localhost:5000/pay@D"),
        (
            "",
            "localhost:5000/pay:v3@D",
            ["pull localhost:5000/pay@D", "tag localhost:5000/pay@D localhost:5000/pay:v3"],
            "docker-daemon:localhost:5000/pay:v3",
        ),
    ],
)
def test_pull_into_the_daemon(to: str, reference: str, done: list[str], where: str) -> None:
    digest = Digest.of(b"root")
    places = Places()
    parsed = ImageReference.parse(reference.replace("@D", f"@{digest}"))
    got = images(MemoryRegistry(), places).pull(subject_of(digest), parsed, to)
    assert got == where.replace("@D", f"@{digest}")
    assert places.store.done == [line.replace("@D", f"@{digest}") for line in done]


def test_destinations_are_checked_first(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    copier = images(MemoryRegistry())
    for place in (
        f"oci:{tmp_path}/new",
        f"docker-archive:{tmp_path}/new.tar",
        "",
        "docker-daemon:x",
    ):
        copier.check_destination(place, PAY)
    wrong = (
        "oci:",
        "ftp:x",
        f"docker-archive:{tmp_path}",
        f"oci:{tmp_path}",
        f"docker-daemon:x@{Digest.of(b'')}",
    )
    for place in wrong:
        with pytest.raises(InputError):
            copier.check_destination(place, PAY)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# In parallel ---------------------------------------------------------------------------------------


def blobs(count: int) -> list[oci.Descriptor]:
    return [
        oci.Descriptor(media_type="x", digest=Digest.of(str(number).encode()), size=number)
        for number in range(count)
    ]


def test_several_work_at_once_and_no_more() -> None:
    together = threading.Barrier(3, timeout=20)
    now, most = 0, 0
    lock = threading.Lock()

    def work(blob: oci.Descriptor) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait()
        with lock:
            now -= 1

    in_parallel(work, blobs(9), 3)
    assert most == 3


def test_the_first_failure_ends_it_and_is_raised() -> None:
    done: list[int] = []

    def work(blob: oci.Descriptor) -> None:
        done.append(blob.size)
        if blob.size == 2:
            raise UnavailableError("two")

    with pytest.raises(UnavailableError, match="two"):
        in_parallel(work, blobs(50), 1)
    assert done == [0, 1, 2]


def test_no_work_is_done_at_once() -> None:
    in_parallel(lambda _: None, [], 3)
