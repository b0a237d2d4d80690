"""Witnesses are asked as C2SP says, believed in nothing, and hold up nobody."""

from base64 import b64decode
from datetime import datetime, timedelta

import pytest

from countermark.core import limits
from countermark.core.errors import Code, EvidenceError, InputError, UnavailableError
from countermark.formats.tiles import CHECKPOINT
from countermark.formats.tlog import Checkpoint, Note
from countermark.proofs import checkpoints, cosignatures, log, signing_keys
from countermark.proofs.cosignatures import WitnessKey
from countermark.services.log_witnesses import Witness, Witnesses
from logs import KEY, NOW, ORIGIN, MemoryIndex, MemoryTiles, entry, opened, sequencer


class Server:
    """A witness that keeps the rules (port ``WitnessServer``); ``bend`` changes what it answers."""

    def __init__(self, name: str = "w1.example.test") -> None:
        self._key = signing_keys.generate("ed25519")
        self.key = WitnessKey(name=name, key=self._key.public.raw)
        self.seen = Checkpoint(origin=ORIGIN, size=0, root=log.EMPTY_ROOT)
        self.asked: list[bytes] = []
        self.bend = ""
        self.answers: list[tuple[int, bytes]] = []  # before it thinks for itself

    def add_checkpoint(self, request: bytes) -> tuple[int, bytes]:
        self.asked.append(request)
        if self.bend == "away":
            raise UnavailableError("nobody there")
        if self.answers:
            return self.answers.pop(0)
        head, _, text = request.decode().partition("\n\n")
        old, *hashes = head.split("\n")
        note = Note.parse(text)
        new = checkpoints.check_origin(note, ORIGIN, KEY.public)
        if int(old.removeprefix("old ")) != self.seen.size:
            return 409, f"{self.seen.size}\n".encode()
        if self.seen.size:
            path = [b64decode(each) for each in hashes]
            log.check_consistency(self.seen.size, new.size, path, self.seen.root, new.root)
        else:
            assert not hashes
        self.seen = new
        line = cosignatures.cosign(note, self.key.name, self._key, 1_700_000_000)
        return 200, self._bent(line.encode(), note)

    def _bent(self, line: str, note: Note) -> bytes:
        if self.bend == "another's":
            other = signing_keys.generate("ed25519")
            return cosignatures.cosign(note, self.key.name, other, 1).encode().encode()
        if self.bend == "wrong":
            made = cosignatures.cosign(note, self.key.name, self._key, 1_700_000_000)
            return made.replace(value=made.value[:-1] + b"x").encode().encode()
        return {"": line.encode(), "nothing": b"", "junk": b"\xff\n"}[self.bend]


class Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def asking(*servers: Server, needed: int = 1, clock: Time | None = None) -> Witnesses:
    return Witnesses(
        [Witness(key=each.key, server=each) for each in servers], needed, clock or Time()
    )


def test_every_checkpoint_that_is_shown_is_cosigned() -> None:
    servers = [Server("w1.example.test"), Server("w2.example.test")]
    index, store = MemoryIndex(), MemoryTiles()
    witnesses = asking(*servers, needed=2)
    one = sequencer(index, store, witnesses)
    one.open()
    for number in range(5):
        note = Note.parse(one.add(entry(number)).published.note)
        assert opened(note.encode()).size == number + 1
        assert store.files[CHECKPOINT].decode() == note.encode()
        keys = [each.key for each in servers]
        assert cosignatures.check(note, keys, 2) == ("w1.example.test", "w2.example.test")
    assert [server.seen.size for server in servers] == [5, 5]
    assert all(len(server.asked) == 6 for server in servers)
    witnesses.close()


def test_a_witness_that_has_seen_more_or_less_than_we_think() -> None:
    server = Server()
    index, store = MemoryIndex(), MemoryTiles()
    first = asking(server)
    one = sequencer(index, store, first)
    for number in range(3):
        one.add(entry(number))
    first.close()
    again = asking(server)  # which knows nothing of what that witness has seen
    assert sequencer(index, store, again).add(entry(3)).place == 3
    assert server.seen.size == 4
    assert [request.partition(b"\n")[0] for request in server.asked[-2:]] == [b"old 0", b"old 3"]
    again.close()


@pytest.mark.parametrize(
    ("bend", "answers", "text"),
    [
        ("away", [], "nobody there"),
        ("another's", [], "no cosignature of its own"),
        ("wrong", [], "invalid cosignature"),
        ("nothing", [], "not a signed note"),
        ("junk", [], "not a note's signature"),
        ("", [(404, b"")], "answered 404"),
        ("", [(403, b"")], "answered 403"),
        ("", [(200, b"")], "not a signed note"),
        ("", [(409, b"")], "without a size"),
        ("", [(409, b"junk")], "without a size"),
        ("", [(409, b"9\n")], "has seen 9 entries of this log, which has 1"),
        ("", [(409, b"0\n"), (409, b"0\n")], "answered 409"),
    ],
)
def test_a_witness_that_does_not_do_its_work(
    bend: str, answers: list[tuple[int, bytes]], text: str
) -> None:
    server = Server()
    server.bend, server.answers = bend, answers
    index, store = MemoryIndex(), MemoryTiles()
    demanding = asking(server)
    with pytest.raises(UnavailableError, match=f"0 witnesses of 1 have cosigned: .*{text}"):
        sequencer(index, store, demanding).add(entry(0))
    assert CHECKPOINT not in store.files
    demanding.close()


def test_one_that_is_not_needed_holds_up_nobody() -> None:
    good, away = Server("good.example.test"), Server("away.example.test")
    away.bend = "away"
    clock = Time()
    index, store = MemoryIndex(), MemoryTiles()
    witnesses = asking(good, away, needed=1, clock=clock)
    one = sequencer(index, store, witnesses)
    for number in range(3):
        note = Note.parse(one.add(entry(number)).published.note)
        assert cosignatures.check(note, [good.key], 1)
    assert len(away.asked) == 1  # left in peace after that
    clock.now += timedelta(seconds=limits.WITNESS_PAUSE_SECONDS)
    away.bend = ""
    note = Note.parse(one.add(entry(3)).published.note)
    assert len(cosignatures.check(note, [good.key, away.key], 2)) == 2
    witnesses.close()


def test_who_was_not_cosigned_is_once_witnesses_are_back() -> None:
    server = Server()
    server.bend = "away"
    clock = Time()
    index, store = MemoryIndex(), MemoryTiles()
    witnesses = asking(server, clock=clock)
    one = sequencer(index, store, witnesses)
    with pytest.raises(UnavailableError):
        one.add(entry(0))
    server.bend = ""
    with pytest.raises(UnavailableError, match="left in peace"):
        one.add(entry(0))
    clock.now += timedelta(seconds=limits.WITNESS_PAUSE_SECONDS)
    assert one.add(entry(0)).is_duplicate
    assert opened(store.files[CHECKPOINT].decode()).size == 1
    witnesses.close()


def test_nobody_to_ask() -> None:
    note = checkpoints.sign(Checkpoint(origin=ORIGIN, size=0, root=log.EMPTY_ROOT), KEY)
    nobody = asking(needed=0)
    assert nobody.cosign(note, 0, lambda _: ()) == note
    nobody.close()
    with pytest.raises(InputError, match="1 witnesses are demanded, and 0 are known"):
        asking(needed=1)


def test_evidence_has_its_code() -> None:
    server = Server()
    with pytest.raises(EvidenceError) as caught:
        cosignatures.check(Note(text="a\n1\nb\n", signatures=()), [server.key], 1)
    assert caught.value.code == Code.CHECKPOINT
