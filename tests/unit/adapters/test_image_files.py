"""OCI layouts and docker archives: read strictly, written whole or not at all."""

import gzip
import io
import json
import stat
import tarfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from countermark.adapters import image_files
from countermark.adapters.image_files import FilePlace, checked
from countermark.core.digest import Digest
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    MalformedError,
    NotFoundError,
)
from countermark.core.ports import ImageSource, ImageTarget
from countermark.core.reference import ImageReference
from countermark.formats import oci

PAY = ImageReference.parse("localhost:5000/pay:v3")
LAYER = b"a layer, as it lies\n" * 100
CONFIG = json.dumps({"rootfs": {"type": "layers", "diff_ids": [str(Digest.of(LAYER))]}}).encode()


def fails(code: Code, work: Callable[[], object]) -> CountermarkError:
    with pytest.raises(CountermarkError) as caught:
        work()
    assert caught.value.code == code, str(caught.value)
    return caught.value


def described(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}


MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": described(CONFIG, "application/vnd.oci.image.config.v1+json"),
        "layers": [described(LAYER, "application/vnd.oci.image.layer.v1.tar")],
    }
).encode()
ROOT = Digest.of(MANIFEST)


def write_image(target: ImageTarget) -> None:
    for content in (CONFIG, LAYER):
        digest = Digest.of(content)
        if not target.has_blob(digest, len(content)):
            target.put_blob(digest, len(content), iter((content[:7], content[7:])))
    target.put_manifest(ROOT, oci.OCI_MANIFEST, MANIFEST)
    target.finish(ROOT)
    target.discard()


def blob(source: ImageSource, content: bytes) -> bytes:
    return b"".join(source.open_blob(Digest.of(content), len(content)))


# Places --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "path", "name"),
    [
        ("oci:a/b", "oci:", "a/b", ""),
        ("oci:/a:v3", "oci:", "/a", "v3"),
        ("oci:a:host:5/x:v3", "oci:", "a", "host:5/x:v3"),
        ("docker-archive:x.tar:pay:v3", "docker-archive:", "x.tar", "pay:v3"),
    ],
)
def test_places(text: str, kind: str, path: str, name: str) -> None:
    assert FilePlace.parse(text) == FilePlace(kind=kind, path=path, name=name)


@pytest.mark.parametrize(
    "text", ["", "x", "oci", "oci:", "oci::x", "docker://x", "OCI:x", "docker-archive:"]
)
def test_no_places(text: str) -> None:
    with pytest.raises(InputError):
        FilePlace.parse(text)


@pytest.mark.parametrize(
    ("pieces", "size"),
    [([b"ab", b"c"], 4), ([b"ab", b"cd"], 3), ([b"abd"], 3), ([], 3)],
)
def test_checked_bytes(pieces: list[bytes], size: int) -> None:
    digest = Digest.of(b"abc")
    assert b"".join(checked(iter((b"a", b"bc")), digest, 3)) == b"abc"
    sha512 = Digest.of(b"abc", "sha512")
    assert b"".join(checked(iter((b"abc",)), sha512, 3)) == b"abc"
    fails(Code.CHECKSUM, lambda: list(checked(iter(pieces), digest, size)))


# OCI layouts ---------------------------------------------------------------------------------------


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    folder = tmp_path / "layout"
    write_image(image_files.open_target(f"oci:{folder}", PAY))
    return folder


def source_of(folder: Path, name: str = "") -> ImageSource:
    return image_files.open_source(f"oci:{folder}{name and ':' + name}", "/tmp")


def test_a_layout_is_what_the_spec_says(layout: Path) -> None:
    assert json.loads((layout / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((layout / "index.json").read_text())
    assert index["schemaVersion"] == 2
    entry = described(MANIFEST, oci.OCI_MANIFEST) | {
        "annotations": {"org.opencontainers.image.ref.name": "v3"}
    }
    assert index["manifests"] == [entry]
    files = {path.name for path in (layout / "blobs" / "sha256").iterdir()}
    assert files == {sha256(content).hexdigest() for content in (CONFIG, LAYER, MANIFEST)}
    assert stat.S_IMODE((layout / "index.json").stat().st_mode) == 0o644
    assert [path.name for path in layout.parent.iterdir()] == ["layout"]


def test_a_layout_is_read_back(layout: Path) -> None:
    for name in ("", "v3"):
        source = source_of(layout, name)
        assert source.root() == (MANIFEST, oci.OCI_MANIFEST)
        assert source.manifest(ROOT) == (MANIFEST, oci.OCI_MANIFEST)
        assert blob(source, LAYER) == LAYER


def test_names_are_added_and_replaced(layout: Path) -> None:
    for name in ("v4", "v3", "v4"):
        write_image(image_files.open_target(f"oci:{layout}:{name}", PAY))
    index = json.loads((layout / "index.json").read_text())
    names = [
        entry["annotations"]["org.opencontainers.image.ref.name"] for entry in index["manifests"]
    ]
    assert names == ["v3", "v4"]
    assert source_of(layout).root()[0] == MANIFEST  # several names of one image are no question


def test_an_unfinished_layout_vanishes(tmp_path: Path) -> None:
    target = image_files.open_target(f"oci:{tmp_path}/new", PAY)
    target.put_blob(Digest.of(LAYER), len(LAYER), iter((LAYER,)))
    target.discard()
    assert not list(tmp_path.iterdir())


def test_a_wrong_blob_is_not_kept(layout: Path) -> None:
    target = image_files.open_target(f"oci:{layout}", PAY)
    digest = Digest.of(b"other")
    fails(Code.CHECKSUM, lambda: target.put_blob(digest, 5, iter((b"wrong",))))
    assert not target.has_blob(digest, 5)
    assert len(list((layout / "blobs" / "sha256").iterdir())) == 3


def test_a_half_written_blob_is_no_blob(layout: Path) -> None:
    target = image_files.open_target(f"oci:{layout}", PAY)
    assert target.has_blob(Digest.of(LAYER), len(LAYER))
    assert not target.has_blob(Digest.of(LAYER), len(LAYER) + 1)


def test_a_folder_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = image_files.open_target(f"oci:{tmp_path}/new", PAY)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_bytes(b"")
    with pytest.raises(CountermarkError):
        write_image(target)
    target.discard()
    assert [path.name for path in tmp_path.rglob("*")] == ["new", "mine"]


def change(layout: Path, **changes: object) -> None:
    index = json.loads((layout / "index.json").read_text())
    index["manifests"][0].update(changes)
    (layout / "index.json").write_text(json.dumps(index))


def link_blobs(layout: Path) -> None:
    (layout / "blobs").rename(layout / "elsewhere")
    (layout / "blobs").symlink_to(layout / "elsewhere")


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda f: (f / "oci-layout").unlink(), Code.BAD_INPUT),
        (lambda f: (f / "oci-layout").write_text("{}"), Code.MALFORMED),
        (
            lambda f: (f / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}'),
            Code.NOT_SUPPORTED,
        ),
        (lambda f: (f / "index.json").unlink(), Code.MALFORMED),
        (lambda f: (f / "index.json").write_text("{"), Code.MALFORMED),
        (lambda f: change(f, digest="sha256:../../../etc/passwd"), Code.MALFORMED),
        (lambda f: change(f, digest=str(Digest.of(b"gone"))), Code.NOT_FOUND),
        (lambda f: change(f, size=-1), Code.MALFORMED),
        (lambda f: (f / "blobs" / "sha256" / ROOT.hex).write_bytes(b"{}"), Code.CHECKSUM),
        (link_blobs, Code.INSECURE),
    ],
)
def test_damaged_layouts_are_refused(
    layout: Path, damage: Callable[[Path], object], code: Code
) -> None:
    damage(layout)
    fails(code, lambda: source_of(layout).root())


def test_a_link_in_a_blobs_place_is_not_followed(layout: Path) -> None:
    path = layout / "blobs" / "sha256" / Digest.of(LAYER).hex
    path.unlink()
    (layout / "copy").write_bytes(LAYER)
    path.symlink_to(layout / "copy")
    with pytest.raises(CountermarkError):
        blob(source_of(layout), LAYER)
    path.unlink()
    path.mkdir()
    fails(Code.INSECURE, lambda: blob(source_of(layout), LAYER))
    path.rmdir()
    fails(Code.NOT_FOUND, lambda: blob(source_of(layout), LAYER))


def test_a_blob_cut_short_is_refused(layout: Path) -> None:
    (layout / "blobs" / "sha256" / Digest.of(LAYER).hex).write_bytes(LAYER[:-1])
    fails(Code.CHECKSUM, lambda: blob(source_of(layout), LAYER))


def test_which_image_is_said(layout: Path) -> None:
    error = fails(Code.NOT_FOUND, lambda: source_of(layout, "v9"))
    assert "v3" in error.hint
    other = MANIFEST.replace(b'"schemaVersion"', b' "schemaVersion"')
    target = image_files.open_target(f"oci:{layout}:v4", PAY)
    target.put_manifest(Digest.of(other), oci.OCI_MANIFEST, other)
    target.finish(Digest.of(other))
    error = fails(Code.NOT_FOUND, lambda: source_of(layout))
    assert "v3, v4" in error.hint
    fails(Code.NOT_FOUND, lambda: source_of(layout / "none"))


# Docker archives -----------------------------------------------------------------------------------


class Tar:
    """A tar file that a test makes, member by member."""

    def __init__(self, path: Path, **how: object) -> None:
        self.path = path
        self.file = tarfile.open(path, "w", **how)  # type: ignore[call-overload]  # noqa: SIM115

    def add(self, name: str, content: bytes = b"", **fields: object) -> "Tar":
        info = tarfile.TarInfo(name)
        info.size = len(content)
        for field, value in fields.items():
            setattr(info, field, value)
        self.file.addfile(info, io.BytesIO(content))
        return self

    def done(self) -> Path:
        self.file.close()
        return self.path


def listed(layers: list[str], names: list[str] | None = None, config: str = "c.json") -> bytes:
    return json.dumps([{"Config": config, "RepoTags": names, "Layers": layers}]).encode()


def archive(path: Path) -> Path:
    tar = (
        Tar(path)
        .add("abc/", type=tarfile.DIRTYPE)
        .add("abc/layer.tar", LAYER)
        .add("c.json", CONFIG)
    )
    return tar.add("manifest.json", listed(["abc/layer.tar"], ["localhost:5000/pay:v3"])).done()


def opened(path: Path, name: str = "") -> ImageSource:
    return image_files.open_source(f"docker-archive:{path}{name and ':' + name}", str(path.parent))


@pytest.mark.parametrize("name", ["", "localhost:5000/pay:v3", "@0"])
def test_an_archive_becomes_an_image(tmp_path: Path, name: str) -> None:
    source = opened(archive(tmp_path / "a.tar"), name)
    content, media_type = source.root()
    manifest = oci.parse_manifest(content, media_type)
    assert (manifest.config.digest, manifest.config.size) == (Digest.of(CONFIG), len(CONFIG))
    assert [layer.digest for layer in manifest.layers] == [Digest.of(LAYER)]
    assert manifest.layers[0].media_type == "application/vnd.oci.image.layer.v1.tar"
    assert source.manifest(Digest.of(content)) == source.root()
    assert blob(source, CONFIG) == CONFIG
    assert blob(source, LAYER) == LAYER
    fails(Code.NOT_FOUND, lambda: source.manifest(ROOT))
    fails(Code.NOT_FOUND, lambda: blob(source, b"other"))
    source.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def test_a_written_archive_is_read_back_and_always_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_image(image_files.open_target(f"docker-archive:{tmp_path}/{name}.tar", PAY))
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    source = opened(tmp_path / "one.tar", "localhost:5000/pay:v3")
    assert blob(source, LAYER) == LAYER
    with tarfile.open(tmp_path / "one.tar") as tar:
        member = tar.extractfile("manifest.json")
        assert member
        entry = json.loads(member.read())[0]
        assert entry["RepoTags"] == ["localhost:5000/pay:v3"]
        assert {entry["Config"], *entry["Layers"]} <= set(tar.getnames())


def test_compressed_layers_stay_as_they_are(tmp_path: Path) -> None:
    packed = gzip.compress(LAYER, mtime=0)
    tar = Tar(tmp_path / "a.tar").add("l", packed).add("c.json", CONFIG)
    source = opened(tar.add("manifest.json", listed(["l"])).done())
    layer = oci.parse_manifest(*source.root()).layers[0]
    assert layer.media_type.endswith("tar+gzip")
    assert layer.digest == Digest.of(packed)
    assert blob(source, packed) == packed


def test_links_of_docker_save_are_followed_inside(tmp_path: Path) -> None:
    tar = Tar(tmp_path / "a.tar").add("one/layer.tar", LAYER).add("c.json", CONFIG)
    tar.add("two/layer.tar", type=tarfile.SYMTYPE, linkname="../one/layer.tar")
    source = opened(tar.add("manifest.json", listed(["two/layer.tar"])).done())
    assert blob(source, LAYER) == LAYER


def test_a_compressed_archive_is_unpacked_and_removed(tmp_path: Path) -> None:
    plain = archive(tmp_path / "a.tar")
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    source = opened(packed)
    assert blob(source, LAYER) == LAYER
    assert len(list(tmp_path.iterdir())) == 3
    source.close()
    source.close()
    assert len(list(tmp_path.iterdir())) == 2
    packed.write_bytes(packed.read_bytes()[:-30])
    fails(Code.MALFORMED, lambda: opened(packed))
    packed.write_bytes(gzip.compress(b"no tar"))
    fails(Code.MALFORMED, lambda: opened(packed))
    assert len(list(tmp_path.iterdir())) == 2


def tars(tmp_path: Path) -> Iterator[tuple[str, Tar, Code]]:
    """Archives that must be refused."""

    def tar(**how: object) -> Tar:
        return Tar(tmp_path / "bad.tar", **how)

    good = listed(["l"])
    yield "absolute", tar().add("/l", LAYER), Code.INSECURE
    yield "above", tar().add("../l", LAYER), Code.INSECURE
    yield "above inside", tar().add("a/../../l", LAYER), Code.INSECURE
    yield (
        "link out",
        tar().add("l", type=tarfile.SYMTYPE, linkname="../../etc/passwd"),
        Code.INSECURE,
    )
    yield (
        "absolute link",
        tar().add("l", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        Code.INSECURE,
    )
    yield (
        "hard link out",
        tar().add("l", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
        Code.INSECURE,
    )
    yield "device", tar().add("l", type=tarfile.CHRTYPE), Code.INSECURE
    yield "pipe", tar().add("l", type=tarfile.FIFOTYPE), Code.INSECURE
    yield "twice", tar().add("l", LAYER).add("./l", LAYER), Code.MALFORMED
    yield (
        "link to a link",
        (
            tar()
            .add("l", type=tarfile.SYMTYPE, linkname="m")
            .add("m", type=tarfile.SYMTYPE, linkname="l")
        )
        .add("c.json", CONFIG)
        .add("manifest.json", good),
        Code.MALFORMED,
    )
    yield "empty", tar(), Code.MALFORMED
    yield "no list", tar().add("manifest.json", b"{}"), Code.MALFORMED
    yield "no json", tar().add("manifest.json", b"["), Code.MALFORMED
    yield "no image", tar().add("manifest.json", b"[]"), Code.NOT_FOUND
    yield "no config", tar().add("l", LAYER).add("manifest.json", good), Code.MALFORMED
    yield "no layer", tar().add("c.json", CONFIG).add("manifest.json", good), Code.MALFORMED
    yield (
        "too many layers",
        (tar().add("l", LAYER).add("c.json", CONFIG).add("manifest.json", listed(["l", "l"]))),
        Code.MALFORMED,
    )
    yield (
        "odd diff id",
        (
            tar()
            .add("l", LAYER)
            .add("c.json", b'{"rootfs":{"diff_ids":["md5:1"]}}')
            .add("manifest.json", good)
        ),
        Code.MALFORMED,
    )
    yield (
        "xz layer",
        (tar().add("l", b"\xfd7zXZ\x00..").add("c.json", CONFIG).add("manifest.json", good)),
        Code.NOT_SUPPORTED,
    )
    long_name = tar(format=tarfile.PAX_FORMAT, pax_headers={"comment": "x" * 2_000_000})
    yield "long header", long_name.add("l", LAYER), Code.TOO_LARGE


def test_archives_that_trick_are_refused(tmp_path: Path) -> None:
    for name, tar, code in tars(tmp_path):
        path = tar.done()
        with pytest.raises(CountermarkError) as caught:
            opened(path)
        assert caught.value.code == code, f"{name}: {caught.value}"


def test_a_layer_that_is_not_the_configs_is_refused(tmp_path: Path) -> None:
    tar = Tar(tmp_path / "a.tar").add("l", LAYER[::-1]).add("c.json", CONFIG)
    source = opened(tar.add("manifest.json", listed(["l"])).done())
    fails(Code.CHECKSUM, lambda: blob(source, LAYER))


def test_an_archive_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = archive(tmp_path / "a.tar").read_bytes()
    used = len(whole.rstrip(b"\0"))
    cut = tmp_path / "cut.tar"
    for length in (0, 1, 511, 512, 700, 1024, 2000, 3000, used - 200, used - 1):
        cut.write_bytes(whole[:length])
        with pytest.raises((MalformedError, NotFoundError)):
            opened(cut)


@pytest.mark.parametrize("name", ["other:1", "@7", "pay:v3", "localhost:5000/pay:v4"])
def test_names_that_are_not_there(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "a.tar")
    error = fails(Code.NOT_FOUND, lambda: opened(path, name))
    assert "localhost:5000/pay:v3" in error.hint


def test_several_images_need_a_name(tmp_path: Path) -> None:
    two = json.loads(listed(["l"], ["a:1"])) + json.loads(listed(["l"], ["b:1", "<none>"]))
    tar = Tar(tmp_path / "a.tar").add("l", LAYER).add("c.json", CONFIG)
    path = tar.add("manifest.json", json.dumps(two).encode()).done()
    error = fails(Code.NOT_FOUND, lambda: opened(path))
    assert "a:1, b:1" in error.hint
    assert opened(path, "b:1").root() == opened(path, "@1").root()


def test_files_that_are_none(tmp_path: Path) -> None:
    fails(Code.NOT_FOUND, lambda: opened(tmp_path / "none"))
    fails(Code.INSECURE, lambda: opened(tmp_path))


def test_an_unfinished_archive_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(b"old")
    target = image_files.open_target(f"docker-archive:{path}", PAY)
    target.put_blob(Digest.of(LAYER), len(LAYER), iter((LAYER,)))
    target.discard()
    target.discard()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_an_archive_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        image_files.open_target(f"docker-archive:{tmp_path}", PAY)
    with pytest.raises(InputError):
        image_files.open_target(f"docker-archive:{tmp_path}/a:x@{ROOT}", PAY)
    target = image_files.open_target(f"docker-archive:{tmp_path}/a.tar", PAY)
    index = oci.encode_index([])
    with pytest.raises(MalformedError):
        target.put_manifest(Digest.of(index), oci.OCI_INDEX, index)
    target.put_manifest(ROOT, oci.OCI_MANIFEST, MANIFEST)
    with pytest.raises(MalformedError, match="not to be had"):
        target.finish(ROOT)
    target.discard()
    assert not list(tmp_path.iterdir())
