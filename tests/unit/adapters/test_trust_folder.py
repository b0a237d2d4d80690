"""Docker's trust folder: its layout, what is listed, what is refused, what is moved from the old layout."""

import os
import stat
from pathlib import Path

import pytest

from countermark.adapters.trust_folder import CachedMetadata, PrivateKeys, check_gun, pem_headers
from countermark.adapters.trust_folder_migration import with_headers
from countermark.core.errors import Code, InputError, StorageError
from countermark.core.ports import StoredKey

GUN = "localhost:5501/payment-api"
ONE, TWO, THREE = (digit * 64 for digit in "123")


def key(*headers: str, kind: str = "ENCRYPTED PRIVATE KEY", blank: bool = True) -> bytes:
    lines = [f"-----BEGIN {kind}-----", *headers]
    if headers and blank:
        lines.append("")
    return "\n".join([*lines, "AAAA", f"-----END {kind}-----", ""]).encode()


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# Metadata -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("root", "metadata/root.json"),
        ("timestamp", "metadata/timestamp.json"),
        ("targets/releases", "metadata/targets/releases.json"),
        ("targets/a/b-c_1", "metadata/targets/a/b-c_1.json"),
        ("countermark", "countermark.json"),
    ],
)
def test_the_layout_is_dockers(tmp_path: Path, name: str, path: str) -> None:
    CachedMetadata(str(tmp_path)).write(GUN, {name: b"{}"})
    written = tmp_path / "tuf" / "localhost:5501" / "payment-api" / path
    assert written.read_bytes() == b"{}"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert stat.S_IMODE(written.parent.stat().st_mode) == 0o700


def test_names_lists_what_can_be_forgotten(tmp_path: Path) -> None:
    cache = CachedMetadata(str(tmp_path))
    cache.write(GUN, {"targets/releases": b"1", "root": b"2", "countermark": b"3"})
    put(tmp_path / "tuf" / GUN / "metadata" / "Odd.json", b"")
    assert cache.names(GUN) == ("countermark", "root", "targets/releases")
    cache.write(GUN, dict.fromkeys(cache.names(GUN)))
    assert cache.names(GUN) == ()
    assert cache.names("never/seen") == ()


@pytest.mark.parametrize(
    "gun",
    [
        *("", "/", "a//b", "../a", "a/../b", "a/.", "/a", "a/", "a/\0", ".hidden/a"),
        *("a/countermark.json", "a/countermark.lock", "a/metadata/targets", "a/metadata/targets/b"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, gun: str) -> None:
    cache = CachedMetadata(str(tmp_path))
    with pytest.raises(InputError):
        cache.read(gun, "root")
    with pytest.raises(InputError):
        cache.write(gun, {"root": b""})
    with pytest.raises(InputError):
        cache.locked(gun)
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize(
    "gun", ["a/metadata", "a/changelist", "metadata/a", "docker.io/library/alpine", "h:5/targets"]
)
def test_other_names_are_repositories_as_any(gun: str) -> None:
    check_gun(gun)


def test_repositories_inside_each_other_do_not_meet(tmp_path: Path) -> None:
    cache = CachedMetadata(str(tmp_path))
    guns = ("a/b", "a/b/metadata", "a/b/changelist", "a/b/c")
    names = ("root", "targets/metadata", "countermark")
    for gun in guns:
        cache.write(gun, {name: f"{gun} {name}".encode() for name in names})
    for gun in guns:
        for name in names:
            assert cache.read(gun, name) == f"{gun} {name}".encode()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Root",
        "targets/",
        "targets//a",
        "targets/..",
        "targets/A",
        "targets/a/../b",
        "x",
        "root/x",
        "../root",
    ],
)
def test_role_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    cache = CachedMetadata(str(tmp_path))
    with pytest.raises(InputError):
        cache.read(GUN, name)
    with pytest.raises(InputError):
        cache.write(GUN, {"root": b"first", name: b""})
    assert cache.read(GUN, "root") is None


def test_the_lock_lies_beside_the_metadata(tmp_path: Path) -> None:
    with CachedMetadata(str(tmp_path)).locked(GUN):
        assert (tmp_path / "tuf" / GUN / "countermark.lock").is_file()


def test_a_folder_that_takes_no_files_is_read_and_warned_about() -> None:
    """The kernel's own file system refuses new files to everybody, as a read-only disk does."""
    cache = CachedMetadata("/sys/kernel")
    with cache.locked(GUN):
        assert cache.read(GUN, "root") is None
        with pytest.raises(StorageError) as caught:
            cache.write(GUN, {"root": b"2"})
    assert caught.value.code == Code.REFUSED


# Keys -----------------------------------------------------------------------------------------------


def test_listing_reads_headers_only(tmp_path: Path) -> None:
    private = tmp_path / "private"
    put(private / f"{TWO}.key", key("role: root"))
    put(private / "deep" / "er" / f"{ONE}.key", key(f"gun: {GUN}", "role: targets", blank=False))
    put(
        private / f"{THREE}.key",
        key("Proc-Type: 4,ENCRYPTED", "DEK-Info: A,0", "role: alice", kind="EC PRIVATE KEY"),
    )
    put(
        private / f"{'4' * 64}.key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    )
    put(private / f"{'5' * 64}.key", b"x" * 2_000_000)
    put(private / f"{'6' * 64}.pem", key("role: root"))
    put(private / "alice.key", key("role: root"))
    (private / f"{'7' * 64}.key").symlink_to(private / f"{TWO}.key")
    keys = PrivateKeys(str(tmp_path))
    assert keys.list() == [
        StoredKey(id=ONE, role="targets", gun=GUN),
        StoredKey(id=TWO, role="root"),
        StoredKey(id=THREE, role="alice"),
    ]
    assert keys.read(ONE) == key(f"gun: {GUN}", "role: targets", blank=False)
    assert keys.read("7" * 64) is None


def test_no_folder_is_no_keys(tmp_path: Path) -> None:
    assert PrivateKeys(str(tmp_path)).list() == []
    assert PrivateKeys(str(tmp_path)).warnings() == ()
    assert not list(tmp_path.iterdir())


def test_write_read_remove(tmp_path: Path) -> None:
    keys = PrivateKeys(str(tmp_path))
    keys.write(ONE, key("role: root"))
    path = tmp_path / "private" / f"{ONE}.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.read(ONE) == key("role: root")
    put(tmp_path / "private" / "deep" / f"{ONE}.key", key("role: old"))
    keys.remove(ONE)
    keys.remove(ONE)
    assert keys.read(ONE) is None


@pytest.mark.parametrize(
    "key_id", ["", "x", "../../etc/passwd", "A" * 64, "1" * 63, "1" * 64 + "/"]
)
def test_only_key_ids_are_names(tmp_path: Path, key_id: str) -> None:
    keys = PrivateKeys(str(tmp_path))
    with pytest.raises(InputError):
        keys.read(key_id)
    with pytest.raises(InputError):
        keys.write(key_id, key())
    with pytest.raises(InputError):
        keys.remove(key_id)


def test_only_private_keys_are_stored(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        PrivateKeys(str(tmp_path)).write(ONE, b"no key")


def test_what_others_can_read_is_said(tmp_path: Path) -> None:
    keys = PrivateKeys(str(tmp_path))
    keys.write(ONE, key())
    assert keys.warnings() == ()
    (tmp_path / "private").chmod(0o755)
    (tmp_path / "private" / f"{ONE}.key").chmod(0o640)
    assert [text.partition(" can be ")[0] for text in keys.warnings()] == [
        str(tmp_path / "private"),
        str(tmp_path / "private" / f"{ONE}.key"),
    ]


@pytest.mark.parametrize(
    ("pem", "headers"),
    [
        (key(), {}),
        (key("role: root"), {"role": "root"}),
        (key("role:root", "gun:  a:5/b"), {"role": "root", "gun": "a:5/b"}),
        (b"junk\n" + key("role: x", kind="RSA PRIVATE KEY"), {"role": "x"}),
        (key("role: x", kind="PUBLIC KEY") + key("role: y"), {"role": "y"}),
        (key("role: x").replace(b"\n", b"\r\n"), {"role": "x"}),
        (key(kind="ED25519 PRIVATE KEY"), {}),
        (b"", None),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n", None),
        (key(kind="DSA PRIVATE KEY"), None),
        (key(kind="CERTIFICATE"), None),
    ],
)
def test_headers(pem: bytes, headers: dict[str, str] | None) -> None:
    assert pem_headers(pem) == headers


# The layout before notary 0.4 -----------------------------------------------------------------------


def old_layout(folder: Path) -> None:
    private = folder / "private"
    legacy = ("Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-256-CBC,00")
    put(private / "root_keys" / f"{ONE}_root.key", key(*legacy, kind="RSA PRIVATE KEY"))
    put(
        private / "tuf_keys" / "a" / "b" / f"{TWO}_targets.key", key(*legacy, kind="EC PRIVATE KEY")
    )
    put(private / "tuf_keys" / f"{THREE}.key", key("role: targets/releases"))
    put(private / "trusted_certificates" / "x.crt", b"certificate")


def test_old_keys_are_moved(tmp_path: Path) -> None:
    old_layout(tmp_path)
    assert PrivateKeys(str(tmp_path)).list() == [
        StoredKey(id=ONE, role="root"),
        StoredKey(id=TWO, role="targets", gun="a/b"),
        StoredKey(id=THREE, role="targets/releases"),
    ]
    private = tmp_path / "private"
    assert (private / f"{TWO}.key").read_text().splitlines()[:6] == [
        "-----BEGIN EC PRIVATE KEY-----",
        "Proc-Type: 4,ENCRYPTED",
        "DEK-Info: AES-256-CBC,00",
        "gun: a/b",
        "role: targets",
        "",
    ]
    assert not (private / "root_keys").exists()
    assert not (private / "tuf_keys").exists()
    assert (private / "trusted_certificates" / "x.crt").exists()


def test_what_cannot_be_moved_stays(tmp_path: Path) -> None:
    old_layout(tmp_path)
    private = tmp_path / "private"
    put(private / "root_keys" / "notes.txt", b"mine")
    put(private / "root_keys" / "strange.key", key())
    put(private / "tuf_keys" / "a" / "b" / f"{'4' * 64}.key", b"no key")
    put(private / f"{TWO}.key", key("role: other"))
    keys = PrivateKeys(str(tmp_path))
    assert StoredKey(id=TWO, role="other") in keys.list()
    left = {os.path.relpath(path, private) for path in private.rglob("*") if path.is_file()}
    assert left == {
        f"{ONE}.key",
        f"{TWO}.key",
        f"{THREE}.key",
        "root_keys/notes.txt",
        "root_keys/strange.key",
        f"tuf_keys/a/b/{'4' * 64}.key",
        f"tuf_keys/a/b/{TWO}_targets.key",
        "trusted_certificates/x.crt",
    }


def test_moving_again_after_a_crash_changes_nothing(tmp_path: Path) -> None:
    old_layout(tmp_path)
    first = PrivateKeys(str(tmp_path)).list()
    old_layout(tmp_path)  # as if the old files had not been removed yet
    assert PrivateKeys(str(tmp_path)).list() == first
    assert not (tmp_path / "private" / "root_keys").exists()


def test_a_file_in_the_new_places_way_keeps_the_old_key_readable(tmp_path: Path) -> None:
    """A folder where the new file would be makes writing fail, as a full or read-only disk does."""
    old_layout(tmp_path)
    put(tmp_path / "private" / f"{ONE}.key" / "x", b"")
    keys = PrivateKeys(str(tmp_path))
    assert StoredKey(id=ONE, role="root") in keys.list()
    assert (tmp_path / "private" / "root_keys" / f"{ONE}_root.key").exists()


def test_headers_are_added_not_replaced() -> None:
    assert with_headers(key("role: alice"), role="targets", gun="a") == key("role: alice")
    assert with_headers(key("gun: g", "role: snapshot", blank=False), role="", gun="a") == key(
        "gun: g", "role: snapshot"
    )
    assert with_headers(key(), role="", gun="") == key()
    assert with_headers(b"no key", role="x", gun="") is None
