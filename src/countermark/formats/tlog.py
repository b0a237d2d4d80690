"""Signed notes and checkpoints, as C2SP specifies them.

C2SP signed-note and tlog-checkpoint; specs: cosign, 2g. Rekor 1's checkpoints have the same form, with a tree's
number after the host in their first line. Base64 is taken in the one form in which Go writes it, so that nobody can
write a note anew in other letters.
"""

from countermark.core import limits
from countermark.core.errors import Code, MalformedError
from countermark.core.value import Value
from countermark.formats.go_text import from_base64, to_base64

_DASH = "\u2014 "
_KEY_ID_BYTES = 4
_ROOT_BYTES = 32
_LARGEST = 2**63  # trees of more entries do not fit the numbers of Go's clients


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
        if not _is_text(content):
            raise MalformedError("not a signed note: a control character, or no text")
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
    raw = from_base64(value, "a note's signature")
    if len(raw) <= _KEY_ID_BYTES:
        raise MalformedError(f"a note's signature without one: {line[:80]!r}")
    return NoteSignature(name=name, key_id=raw[:_KEY_ID_BYTES], value=raw[_KEY_ID_BYTES:])


def is_name(text: str) -> bool:
    """Say whether a text may be a signer's name: something, without spaces or a plus sign."""
    return bool(text) and "+" not in text and not any(char.isspace() for char in text)


def _is_text(content: str) -> bool:
    """Say whether there is no control character but the ends of lines, and nothing that UTF-8 cannot hold."""
    if any(ord(char) < 0x20 and char != "\n" for char in content):
        return False
    try:
        content.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


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
        raw = from_base64(root, "a checkpoint's root hash")
        if len(raw) != _ROOT_BYTES:
            raise MalformedError(f"not a checkpoint's root hash: {root[:80]!r}")
        return cls(origin=origin, size=_count(size), root=raw, extensions=tuple(extensions))

    def encode(self) -> str:
        """Write the text that is signed."""
        return "\n".join((self.origin, str(self.size), to_base64(self.root), *self.extensions, ""))


def _count(text: str) -> int:
    """Read a size: decimal, without zeros before it."""
    digits = text.isascii() and text.isdigit() and len(text) <= 19
    if not digits or str(int(text)) != text or int(text) >= _LARGEST:
        raise MalformedError(f"not a checkpoint's size: {text[:40]!r}")
    return int(text)
