"""Signed notes, checkpoints and tiles, as C2SP specifies them.

C2SP signed-note, tlog-checkpoint and tlog-tiles; specs: cosign, 2g. Rekor 1's checkpoints have the same form, with a
tree's number after the host in their first line.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64

from countermark.core import limits
from countermark.core.errors import Code, MalformedError
from countermark.core.value import Value
from countermark.formats.go_text import to_base64

_DASH = "\u2014 "
_KEY_ID_BYTES = 4
_ROOT_BYTES = 32
TILE_HEIGHT = 8  # levels of hashes in one tile
TILE_WIDTH = 1 << TILE_HEIGHT


class NoteSignature(Value):
    """A line below a note: who signs, the first bytes of the key's identifier, the signature."""

    name: str
    key_id: bytes
    value: bytes

    def encode(self) -> str:
        """Write the line."""
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.value)}\n"


class Note(Value):
    """A text and its signatures; the text ends with a newline, and all of it is signed."""

    text: str
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, content: str) -> "Note":
        """Read a note.

        Raises:
            MalformedError: it is none.
        """
        if len(content) > limits.NOTE_BYTES:
            raise MalformedError(f"a note of {len(content)} characters", code=Code.TOO_LARGE)
        text, blank, below = content.rpartition("\n\n")
        if not blank or not below.endswith("\n"):
            raise MalformedError("not a signed note: its signatures stand below an empty line")
        if any(ord(char) < 0x20 and char != "\n" for char in content):
            raise MalformedError("not a signed note: a control character")
        lines = below[:-1].split("\n")
        if len(lines) > limits.NOTE_SIGNATURES:
            raise MalformedError(f"a note with {len(lines)} signatures", code=Code.TOO_LARGE)
        return cls(text=f"{text}\n", signatures=tuple(_signature(line) for line in lines))

    def encode(self) -> str:
        """Write the note."""
        return self.text + "\n" + "".join(each.encode() for each in self.signatures)


def _signature(line: str) -> NoteSignature:
    name, space, value = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not is_name(name):
        raise MalformedError(f"not a note's signature: {line[:80]!r}")
    try:
        raw = a2b_base64(value, strict_mode=True)
    except (Base64Error, ValueError):
        raise MalformedError(f"not a note's signature: {line[:80]!r}") from None
    if len(raw) <= _KEY_ID_BYTES:
        raise MalformedError(f"a note's signature without one: {line[:80]!r}")
    return NoteSignature(name=name, key_id=raw[:_KEY_ID_BYTES], value=raw[_KEY_ID_BYTES:])


def is_name(text: str) -> bool:
    """Say whether a text may be a signer's name: something, without spaces or a plus sign."""
    return bool(text) and "+" not in text and not any(char.isspace() for char in text)


class Checkpoint(Value):
    """A log's state: whose it is, how many entries it has, the hash over all of them, and further lines."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read the text of a note.

        Raises:
            MalformedError: it is no checkpoint.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] != "" or not lines[0] or not all(lines[1:-1]):
            raise MalformedError("not a checkpoint: origin, size and root hash are expected")
        origin, size, root, *extensions = lines[:-1]
        if not size.isascii() or not size.isdigit() or len(size) > 19 or str(int(size)) != size:
            raise MalformedError(f"not a checkpoint's size: {size[:40]!r}")
        try:
            raw = a2b_base64(root, strict_mode=True)
        except (Base64Error, ValueError):
            raw = b""
        if len(raw) != _ROOT_BYTES:
            raise MalformedError(f"not a checkpoint's root hash: {root[:80]!r}")
        return cls(origin=origin, size=int(size), root=raw, extensions=tuple(extensions))

    def encode(self) -> str:
        """Write the text that is signed."""
        return "\n".join((self.origin, str(self.size), to_base64(self.root), *self.extensions, ""))


# Tiles ------------------------------------------------------------------------------------------------------


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Where a tile of hashes lies; ``width`` says how many of its 256 are there."""
    return f"tile/{level}/{_number(index)}{_partial(width)}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Where a bundle of entries lies."""
    return f"tile/entries/{_number(index)}{_partial(width)}"


def _number(index: int) -> str:
    """Write a number in groups of three digits, all but the last marked: ``x001/x234/067``."""
    found = f"{index % 1000:03}"
    while index := index // 1000:
        found = f"x{index % 1000:03}/{found}"
    return found


def _partial(width: int) -> str:
    return f".p/{width}" if width != TILE_WIDTH else ""


def encode_entries(entries: "list[bytes]") -> bytes:
    """Write a bundle of entries: the length of each in two bytes, and its bytes.

    Raises:
        MalformedError: ``too-large``: one is longer than the form allows.
    """
    for entry in entries:
        if len(entry) > 0xFFFF:
            raise MalformedError(f"an entry of {len(entry)} bytes", code=Code.TOO_LARGE)
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def parse_entries(content: bytes) -> "list[bytes]":
    """Read a bundle of entries.

    Raises:
        MalformedError: it is cut off, or has more than a tile holds.
    """
    found: list[bytes] = []
    position = 0
    while position < len(content):
        length = int.from_bytes(content[position : position + 2], "big")
        start, position = position + 2, position + 2 + length
        if position > len(content) or len(found) == TILE_WIDTH:
            raise MalformedError("not a bundle of entries")
        found.append(content[start:position])
    return found
