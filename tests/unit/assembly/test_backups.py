"""Backups of a server's folder while it works, and what restoring them gives: everything, and no second history."""

import json
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest

from countermark.adapters.blob_store import BlobStore
from countermark.adapters.blob_uploads import UploadStore
from countermark.adapters.database import migrate
from countermark.adapters.sqlite import SqliteDatabase
from countermark.assembly.log_stores import LogSettings
from countermark.assembly.server_tls import our_certificate
from countermark.core.digest import Digest
from countermark.core.errors import InputError
from countermark.formats import trusted_root
from countermark.formats.tlog import Checkpoint
from countermark.proofs import signing_keys
from countermark.proofs.cosignatures import WitnessKey
from hosted_sigstore import HostedSigstore, clock
from log_requests import document, encoded
from servers import closed_port

pytestmark = pytest.mark.slow

JSON = {"content-type": "application/json"}
FROZEN = "This log has been frozen"


def fill(box: HostedSigstore) -> None:
    """Make a folder what ``serve`` makes of it: a trust server's database, TLS, a registry with a shared blob."""
    database = SqliteDatabase(str(box.data / "trust.db"))
    migrate(database)
    database.close()
    our_certificate(str(box.data / "tls"), ["localhost"], clock())
    blobs = BlobStore(str(box.data / "registry"))
    uploads = UploadStore(str(box.data / "registry"), blobs)
    digest = Digest.parse(f"sha256:{sha256(b'a blob').hexdigest()}")
    uploads.take("one", iter([b"a blob"]), digest)
    assert blobs.mount("other", digest, "one")
    uploads.begin("unfinished")
    tags = box.data / "registry" / "repositories" / "one" / "_tags"
    tags.mkdir(parents=True)
    for name in ("latest", "x.lock", "_lock", "x.tmp"):
        (tags / name).write_text(str(digest))


@pytest.fixture
def box(tmp_path: Path) -> Iterator[HostedSigstore]:
    made = HostedSigstore(tmp_path)
    made.start()
    fill(made)
    yield made
    made.end()


def backup(box: HostedSigstore, name: str, *words: str) -> Path:
    file = box.folder / name
    box.ok("backup", "--data", box.data, "--to", file, *words)
    assert file.stat().st_mode & 0o777 == 0o600
    return file


def lose(box: HostedSigstore) -> Path:
    """Take the folder away, as a disk would; return what an operator kept: the master key."""
    box.stop()
    kept = box.folder / "kept.key"
    shutil.copy(box.data / "master.key", kept)
    box.data.rename(box.folder / f"lost{len(list(box.folder.glob('lost*')))}")
    return kept


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def meaning(found: dict[str, bytes]) -> set[str]:
    """The files that mean something to another process."""
    return {
        name
        for name in found
        if "/uploads/" not in name
        and ("/_tags/" in name or not name.endswith((".lock", "-wal", "-shm")))
    }


def test_everything_comes_back(box: HostedSigstore) -> None:
    box.sign("before")
    before = files(box.data)
    file = backup(box, "backup.tar")
    with tarfile.open(file) as archive:
        names = set(archive.getnames())
    assert not [name for name in names if "master.key" in name or name.endswith(("ca.key", "-wal"))]
    private = before["tls/ca.key"]
    assert private not in file.read_bytes()
    kept = lose(box)
    said = box.ok("restore", file, "--data", box.data, "--master-key-file", kept)
    assert "the transparency log ends" in said
    assert f"--master-key-file {kept}" in said
    after = files(box.data)
    databases = {"trust.db", "sigstore/log.db"}
    assert meaning(before) - {"master.key"} == meaning(after) - {"sigstore/restored.json"}
    for name in meaning(after) & set(before) - databases:
        assert after[name] == before[name], name
    blob = sha256(b"a blob").hexdigest()
    one, other = (box.data / "registry" / "repositories").rglob(blob)
    assert one.samefile(other)
    assert (box.data / "tls" / "ca.key").stat().st_mode & 0o777 == 0o600
    shutil.copy(kept, box.data / "master.key")
    box.start()
    box.sign("after")
    for name in ("before", "after"):
        box.verify(name)
    box.ok("log", "verify", box.data)


def checkpoint(box: HostedSigstore, path: str = "") -> Checkpoint:
    note = box.ask(f"{path}/api/v2/checkpoint").body.decode()
    return Checkpoint.parse(note.partition("\n\n")[0] + "\n")


def test_a_restored_log_is_not_continued(box: HostedSigstore) -> None:
    box.sign("one")
    file = backup(box, "backup.tar", "--with-master-key")
    box.sign("seen by others")
    lose(box)
    box.ok("restore", file, "--data", box.data)
    noted = (box.own / "tiles" / "checkpoint").read_bytes()
    box.start()
    # the former one shows what was in the backup, signs nothing anew and takes nothing
    assert box.ask("/api/v2/checkpoint").body == noted
    answer = box.ask("/api/v2/log/entries", "POST", b"{}", JSON)
    assert answer.status == 405
    assert FROZEN.encode() in answer.body
    box.sign("two")
    assert (checkpoint(box).size, checkpoint(box, "/log/2").size) == (1, 1)
    root = box.export()
    assert (len(root.logs), len(root.ct_logs), len(root.authorities)) == (2, 2, 1)
    # what the backup does not have still verifies, since its log is still believed
    for name in ("one", "two", "seen by others"):
        box.verify(name)
    box.stop()
    box.start()  # and once is enough
    assert len(box.export().logs) == 2
    assert box.ask("/api/v2/checkpoint").body == noted


def test_a_log_goes_on_where_its_last_checkpoint_is_brought(box: HostedSigstore) -> None:
    box.sign("one")
    box.stop()
    file = backup(box, "last.tar", "--with-master-key")
    lose(box)
    lost = box.folder / "lost0" / "sigstore"
    words = []
    for tiles in ("tiles", "certificate-tiles"):
        words += ["--expect-checkpoint", str(lost / tiles / "checkpoint")]
    said = box.ok("restore", file, "--data", box.data, *words)
    assert "ends" not in said
    box.start()
    box.sign("two")
    assert checkpoint(box).size == 2
    root = box.export()
    assert (len(root.logs), len(root.ct_logs)) == (1, 1)
    for name in ("one", "two"):
        box.verify(name)
    box.ok("log", "verify", box.data)


def test_a_log_does_not_go_on_where_others_saw_more(box: HostedSigstore) -> None:
    box.sign("one")
    file = backup(box, "backup.tar", "--with-master-key")
    box.sign("two")
    lose(box)
    seen = str(box.folder / "lost0" / "sigstore" / "tiles" / "checkpoint")
    status, said = box.run("restore", file, "--data", box.data, "--expect-checkpoint", seen)
    assert status == 2
    assert "the backup has 1 entries" in said
    assert not box.data.exists()
    other = box.folder / "another"
    other.write_text("log.example.test\n1\nAAAA\n\n")
    status, said = box.run("restore", file, "--data", box.data, "--expect-checkpoint", other)
    assert status == 2
    assert "not of this Sigstore's logs" in said
    assert not list(box.folder.glob("data*"))


class Writers:
    """Add to the log for ever, in eight threads; ``answered`` counts what was."""

    def __init__(self, box: HostedSigstore) -> None:
        self._box, self._stop = box, threading.Event()
        self.answered: list[int] = []
        self.problems: list[bytes] = []
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(8)]
        for thread in self._threads:
            thread.start()

    def _work(self, number: int) -> None:
        while not self._stop.is_set() and not self.problems:
            body = encoded(document(b"%d" % number))
            answer = self._box.ask("/api/v2/log/entries", "POST", body, JSON)
            if answer.status != 201:
                self.problems.append(answer.body)
            self.answered.append(number)
            number += 8

    def wait_for(self, count: int) -> None:
        while len(self.answered) < count and not self.problems:
            self._stop.wait(0.01)

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_while_it_is_written_to(box: HostedSigstore) -> None:
    """Entries come all the time: what was answered before a backup began is in it, and it fits together."""
    made = []
    writers = Writers(box)
    try:
        for number in (1, 2):
            writers.wait_for(140 * number)
            made.append((len(writers.answered), backup(box, f"{number}.tar", "--with-master-key")))
    finally:
        writers.end()
    assert not writers.problems
    assert len(writers.answered) > 256
    for least, file in made:
        lose(box)
        box.ok("restore", file, "--data", box.data)
        trust = trusted_root.parse((box.own / "trusted_root.json").read_bytes())
        assert len(trust.logs) == 1
        root = ("--trusted-root", box.own / "trusted_root.json")
        said = box.ok("log", "verify", box.own / "tiles", *root)
        assert int(said.partition(": ")[2].partition(" ")[0]) >= least
        box.start()
        box.sign("after")
        box.verify("after")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda content: content[: len(content) // 2], 1),
        (lambda content: b"", 1),
        (lambda content: b"no tar at all" * 100, 1),
        (lambda content: content.replace(b'"name"', b'"nAme"', 1), 1),
    ],
    ids=["cut off", "empty", "junk", "changed"],
)
def test_what_is_no_whole_backup_is_not_restored(
    change: Callable[[bytes], bytes], status: int, box: HostedSigstore
) -> None:
    file = backup(box, "backup.tar", "--with-master-key")
    file.write_bytes(change(file.read_bytes()))
    lose(box)
    found, said = box.run("restore", file, "--data", box.data)
    assert (found, "Traceback" in said) == (status, False)
    assert not list(box.folder.glob("data*"))


@pytest.mark.parametrize("name", ["files/../x", "/etc/x", "files//x", "files/a/../../x", "x"])
def test_nothing_is_restored_elsewhere(name: str, box: HostedSigstore) -> None:
    file = box.folder / "forged.tar"
    with tarfile.open(file, "w") as archive:
        for each, content in (("countermark-backup.json", b"{}"), (name, b"content")):
            info = tarfile.TarInfo(each)
            info.size = len(content)
            archive.addfile(info, BytesIO(content))
    status, said = box.run("restore", file, "--data", box.folder / "new")
    assert status == 1
    assert "not a place in a backup" in said
    assert not list(box.folder.glob("new*"))
    assert not (box.folder / "x").exists()


def test_words_that_will_not_do(box: HostedSigstore, tmp_path: Path) -> None:
    file = backup(box, "backup.tar")

    def refused(*words: str | Path) -> str:
        status, said = box.run(*words)
        assert status in (2, 4), said
        return said

    assert "is there already" in refused("backup", "--data", box.data, "--to", file)
    assert "in the folder itself" in refused("backup", "--data", box.data, "--to", box.data / "b")
    assert "no folder of" in refused("backup", "--data", tmp_path, "--to", tmp_path / "b")
    assert "is not empty" in refused("restore", file, "--data", box.data)
    new = tmp_path / "new"
    assert "without its master key" in refused("restore", file, "--data", new)
    other = tmp_path / "other.key"
    other.write_text("00" * 32 + "\n")
    refused("restore", file, "--data", new, "--master-key-file", other)
    (box.data / "registry" / "repositories" / "link").symlink_to(tmp_path)
    status, said = box.run("backup", "--data", box.data, "--to", tmp_path / "c.tar")
    assert status != 0
    assert "is a link" in said
    assert not list(tmp_path.glob("c.tar*"))
    assert not list(tmp_path.glob("new*"))


def test_an_empty_folder_is_restored_into(box: HostedSigstore) -> None:
    file = backup(box, "backup.tar", "--with-master-key")
    lose(box)
    box.data.mkdir()
    box.ok("restore", file, "--data", box.data)
    assert json.loads((box.own / "restored.json").read_text())["ends"] == ["log", "certificate-log"]


def test_a_restored_log_with_witnesses_needs_a_host_of_its_own(box: HostedSigstore) -> None:
    box.sign("one")
    file = backup(box, "backup.tar", "--with-master-key")
    lose(box)
    box.ok("restore", file, "--data", box.data)
    key = WitnessKey(name="w.example.test", key=signing_keys.generate("ed25519").public.raw)
    witness = f"{key.encode()} http://127.0.0.1:{closed_port()}"
    box.more["logs"] = LogSettings(witnesses=(witness,), needed=0)
    with pytest.raises(InputError, match="restored from a backup"):
        box.start()
    box.stop()
    words = ("--url", "https://log2.example.test", "--witness", witness, "--witnesses", "0")
    box.ok("sigstore", "rotate", "log", "--data", box.data, *words)
    assert not (box.own / "restored.json").exists()  # the certificate log has ended by the way
    noted = (box.own / "tiles" / "checkpoint").read_bytes()
    box.start()
    root = box.export()
    assert [log.origin for log in root.logs] == ["127.0.0.1", "log2.example.test"]
    assert len(root.ct_logs) == 2
    shown = box.ask("/api/v2/checkpoint", headers={"Host": "127.0.0.1"})
    assert shown.body == noted  # and nothing was signed for it
