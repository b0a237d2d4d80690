"""Kill a command about a server's folder at every step that it takes: ``crash_sigstore.py FOLDER WHAT``.

WHAT is a key to rotate (ca, log, ctlog, tsa, tuf), ``backup`` or ``restore``. The command runs in a child process
that dies at its first, second, third... call to the system, until one lives to the end. After each death the folder
is what it was or what it was to become: the server starts on it, signs, and what was signed before still verifies;
and the same command works. Prints how many deaths there were, and how many different folders they left.
"""

import re
import shutil
import sys
from hashlib import sha256
from pathlib import Path

from countermark.adapters.database import migrate
from countermark.adapters.sqlite import SqliteDatabase
from dying import die_at
from hosted_sigstore import HostedSigstore

CHANCE = re.compile(r"[0-9a-f]{8,}|(?<=-)[0-9A-Za-z_-]{8,}")  # what is drawn by lot in a name
PASSING = (".lock", ".tmp", "-wal", "-shm", "-journal")


def main(arguments: list[str]) -> None:
    folder, what = Path(arguments[0]), arguments[1]
    box = HostedSigstore(folder)
    try:
        box.start()
        database = SqliteDatabase(str(box.data / "trust.db"))
        migrate(database)
        database.close()
        box.sign("before")
        box.stop()
        if what == "backup":
            count, states = deaths(Backup(box))
        elif what == "restore":
            count, states = deaths(Restore(box))
        else:
            count, states = deaths(Rotation(box, what))
        sys.stdout.write(f"{count} {states}\n")
    finally:
        box.end()


class Rotation:
    """A key of the Sigstore's; the folder is changed in place."""

    def __init__(self, box: HostedSigstore, what: str) -> None:
        self.box, self.what = box, what
        self.kept = box.folder / "kept"
        shutil.copytree(box.data, self.kept)
        self.before = contents(self.kept)

    def prepare(self) -> None:
        shutil.rmtree(self.box.data)
        shutil.copytree(self.kept, self.box.data)

    def work(self) -> None:
        self.box.ok("sigstore", "rotate", self.what, "--data", self.box.data)

    def state(self) -> frozenset[tuple[str, bool]]:
        """The files that there are, and which of them are as they were."""
        found = contents(self.box.data)
        return frozenset(
            (CHANCE.sub("#", name), self.before.get(name) == found[name]) for name in found
        )

    def check(self, *, done: bool) -> None:
        count = self.use("during")
        each = 4 if self.what == "tuf" else 1  # a new root for each of TUF's roles
        assert count in (range(1 + each, 2 + each) if done else range(1, 2 + each)), count
        if not done:
            self.work()
            assert self.use("after") == count + each

    def use(self, name: str) -> int:
        """Sign with it, verify what was signed before and now, and say how many keys the service has had."""
        box = self.box
        box.start()
        box.sign(name)
        for each in ("before", name):
            box.verify(each)
        root = box.folder / "first-root.json"
        if not root.exists():  # in it clients believe that came long ago
            shutil.copy(self.kept / "sigstore" / "tuf" / "1.root.json", root)
        box.ok("cosign", "initialize", "--mirror", f"{box.url}/tuf", "--root", root)
        found = box.export()
        box.stop()
        if self.what == "tuf":
            return len(list((box.own / "tuf").glob("*.root.json")))
        parts = {
            "ca": found.authorities,
            "log": found.logs,
            "ctlog": found.ct_logs,
            "tsa": found.timestamp_authorities,
        }
        return len(parts[self.what])


class Backup:
    """A copy of the folder: whole, or not there; the folder stays as it is."""

    def __init__(self, box: HostedSigstore) -> None:
        self.box = box
        self.file = box.folder / "backup.tar"
        self.before = contents(box.data)

    def prepare(self) -> None:
        for path in self.box.folder.glob("backup.tar*"):
            path.unlink()

    def work(self) -> None:
        self.box.ok("backup", "--data", self.box.data, "--to", self.file)

    def state(self) -> frozenset[tuple[str, bool]]:
        assert contents(self.box.data) == self.before
        return frozenset({("backup.tar", True)} if self.file.exists() else ())

    def check(self, *, done: bool) -> None:
        assert self.file.exists() or not done
        if not self.file.exists():
            self.work()
        restored = self.box.folder / "restored"
        key = self.box.data / "master.key"
        self.box.ok("restore", self.file, "--data", restored, "--master-key-file", key)
        found = contents(restored)
        databases = {name for name in self.before if name.endswith(".db")}
        assert set(found) - {"sigstore/restored.json"} == set(self.before) - {"master.key"}
        for name in set(found) & set(self.before) - databases:
            assert found[name] == self.before[name], name
        shutil.rmtree(restored)


class Restore:
    """A folder from a backup: whole, or not there."""

    def __init__(self, box: HostedSigstore) -> None:
        self.box = box
        self.file = box.folder / "backup.tar"
        box.ok("backup", "--data", box.data, "--to", self.file, "--with-master-key")
        self.names = set(contents(box.data)) | {"sigstore/restored.json"}

    def prepare(self) -> None:
        for path in self.box.folder.glob("data*"):
            shutil.rmtree(path)

    def work(self) -> None:
        self.box.ok("restore", self.file, "--data", self.box.data)

    def state(self) -> frozenset[tuple[str, bool]]:
        return frozenset((name, True) for name in contents(self.box.data))

    def check(self, *, done: bool) -> None:
        box = self.box
        assert box.data.exists() or not done
        if not box.data.exists():
            self.work()
        assert set(contents(box.data)) == self.names
        box.start()
        box.sign("after")
        for name in ("before", "after"):
            box.verify(name)
        box.stop()


def deaths(command: Rotation | Backup | Restore) -> tuple[int, int]:
    """Kill the command at each of its steps, and look at each new kind of folder that this leaves."""
    seen: set[frozenset[tuple[str, bool]]] = set()
    for step in range(10_000):
        command.prepare()
        _, lived = die_at(step, lambda _: command.work())
        state = command.state()
        if lived or state not in seen:
            command.check(done=lived)
        seen.add(state)
        if lived:
            return step, len(seen)
    raise AssertionError("it never ends")


def contents(folder: Path) -> dict[str, bytes]:
    """The files that mean something to another process, by their names."""
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).digest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(PASSING)
    }


if __name__ == "__main__":
    main(sys.argv[1:])
