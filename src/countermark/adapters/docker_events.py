"""What a docker daemon tells while it works: a stream of JSON objects, a line each."""

from countermark.core import limits
from countermark.core.errors import (
    CountermarkError,
    EvidenceError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.core.value import Value
from countermark.formats import strict_json
from countermark.formats.strict_json import Json, Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE_BYTES = limits.MIB
# how errors begin that are answers of the registry, not trouble on the way to it
_NOT_FOUND = (
    "manifest for ",
    "an image does not exist locally",
    "repository does not exist",
    "name unknown",
)
_REFUSED = ("denied", "unauthorized", "pull access denied", "access to the resource is denied")


class Event(Value):
    """One line: what it is about, how many bytes of it are done, and perhaps a result (``aux``)."""

    id: str
    status: str
    current: int
    result: Json = None

    @property
    def has_result(self) -> bool:
        """Whether it says what came of the work."""
        return self.result is not None


def events(pieces: "Iterator[bytes]") -> "Iterator[Event]":
    """Yield events as they come.

    Raises:
        NotFoundError, RefusedError, UnavailableError: the daemon says that it failed, in its words.
        UnavailableError: ``malformed``, a line that is no event.
    """
    held = bytearray()  # what may come in many small pieces is not put together anew for each
    for piece in pieces:
        first, ended, rest = piece.partition(b"\n")
        held += first
        if len(held) > _LINE_BYTES:
            raise _malformed("a line is too long")
        if ended:
            *lines, left = rest.split(b"\n")
            for line in (bytes(held), *lines):
                if line.strip():
                    yield _event(line)
            held = bytearray(left)
    if held.strip():
        yield _event(bytes(held))


def _event(line: bytes) -> Event:
    try:
        found = Reader(strict_json.parse(line, max_bytes=_LINE_BYTES))
        if found.has("error"):
            raise failure(found.text("error"))
        current = 0
        if found.has("progressDetail"):
            detail = found.object("progressDetail")
            current = detail.integer("current") if detail.has("current") else 0
        return Event(
            id=found.text("id") if found.has("id") else "",
            status=found.text("status") if found.has("status") else "",
            current=max(current, 0),
            result=found.value("aux") if found.has("aux") else None,
        )
    except EvidenceError as error:
        raise _malformed(str(error)) from None


def _malformed(message: str) -> UnavailableError:
    return UnavailableError(f"the docker daemon's answer is not understood: {message[:200]}")


def failure(message: str) -> CountermarkError:
    """Turn the daemon's message into an error of the kind that it speaks of; the words stay docker's."""
    text = message[:1000]
    lower = text.lower()
    if lower.startswith(_NOT_FOUND) or "manifest unknown" in lower:
        return NotFoundError(text, status=404)
    if lower.startswith(_REFUSED) or "unauthorized" in lower:
        return RefusedError(text, status=401)
    return UnavailableError(text)
