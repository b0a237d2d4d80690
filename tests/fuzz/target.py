"""What is fuzzed: a reader of strangers' bytes, good bytes to begin with, and what it may raise."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from countermark.core.errors import EvidenceError, InputError, KeyAccessError

Reader = Callable[[bytes], object]
Seeds = Callable[[], tuple[bytes, ...]]
Raises = tuple[type[Exception], ...]

EVIDENCE: Raises = (EvidenceError,)
INPUT: Raises = (InputError,)  # texts of our own side: policies, Dockerfiles, references
KEYS: Raises = (KeyAccessError,)  # our own private keys


class Target(NamedTuple):
    """One reader. ``seeds`` makes the good bytes, so that keys are generated for who needs them only."""

    name: str
    read: Reader
    seeds: Seeds
    raises: Raises = EVIDENCE

    def __str__(self) -> str:
        return self.name

    def feed(self, content: bytes) -> bool:
        """Whether it was understood; what else than its errors comes out goes through."""
        try:
            self.read(content)
        except self.raises:
            return False
        return True


def text(read: Callable[[str], object]) -> Reader:
    """A reader of text, as one of bytes."""
    return lambda content: read(content.decode("utf-8", "replace"))


def hostile() -> Iterator[tuple[str, bytes]]:
    """Bytes that are hard on readers whose work grows faster than their input."""
    for name, piece in (
        ("nothing", b""),
        ("zeros", b"\0"),
        ("lists", b"["),
        ("objects", b'{"a":'),
        ("escapes", b'"\\u0000'),
        ("digits", b"9"),
        ("exponent", b"1e9"),
        ("lines", b"\n"),
        ("spaces", b" "),
        ("commas", b"a,"),
        ("equals", b"a="),
        ("dashes", b"-"),
        ("armour", b"-----BEGIN CERTIFICATE-----\n"),
        ("ends", b"-----END CERTIFICATE-----\n"),
        ("headers", b"Proc-Type: 4,ENCRYPTED\n"),
        ("sequences", b"\x30\x80"),
        ("lengths", b"\x30\x84\xff\xff\xff\xff"),
        ("object identifiers", b"\x06\x7f\xff"),
        ("anchors", b"&a [*a, "),
        ("keys", b"? "),
        ("signatures", "\n— a AAAAAAAA".encode()),
        ("dots", b"a."),
        ("dollars", b"${a:-"),
        ("continued", b"RUN \\\n"),
        ("here", b"RUN <<A <<B\n"),
        ("slashes", b"a/"),
        ("not UTF-8", b"\xff"),
    ):
        for size in (1, 3_000, 200_000):
            yield f"{name} {size}", piece * max(1, size // max(1, len(piece)))
