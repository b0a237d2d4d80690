"""JSON as Sigstore's messages are written: protobuf's JSON form, read as strictly as Go reads it.

Names in lowerCamelCase, and in snake_case when read; 64-bit integers as text or numbers; bytes in base64; null is
absent; a member that nobody knows is refused, since Go's clients and servers refuse it too (specs: cosign, 2).
"""

from countermark.core.errors import MalformedError
from countermark.core.light import datetime
from countermark.formats import go_text
from countermark.formats.strict_json import Json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_DIGITS = frozenset("0123456789")
_MICROS = 1_000
_INT64 = 2**63


_snakes: dict[str, str] = {}  # of the names that our messages have, and no others


def _snake(name: str) -> str:
    known = _snakes.get(name)
    if known is None:
        known = _snakes[name] = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
    return known


def time(moment: datetime) -> str:
    """Write a time: UTC, with no decimals, three or six of them."""
    text = go_text.format_time(moment.replace(microsecond=0)).removesuffix("Z")
    micros = moment.microsecond
    if micros % _MICROS:
        return f"{text}.{micros:06d}Z"
    return f"{text}.{micros // _MICROS:03d}Z" if micros else f"{text}Z"


class Message:
    """One message: a JSON object that has no other members than its type knows."""

    __slots__ = ("_members", "path")

    def __init__(self, value: Json, names: tuple[str, ...], path: str = "") -> None:
        """Take an object.

        Raises:
            MalformedError: it is none, or has a member besides ``names``, or one under both of its names.
        """
        self.path = path
        if not isinstance(value, dict):
            raise MalformedError(f"{path or 'the document'} is not an object", path=path)
        known = {name: name for name in names} | {_snake(name): name for name in names}
        self._members: dict[str, Json] = {}
        for given, member in value.items():
            name = known.get(given)
            if name is None:
                raise MalformedError(f"unknown field {given[:80]!r}", path=self.at(given))
            if name in self._members:
                raise MalformedError(f"{name} stands there twice", path=self.at(name))
            self._members[name] = member

    def at(self, name: str) -> str:
        """The place of a member."""
        return f"{self.path}.{name}" if self.path else name

    def refuse(self, name: str, reason: str) -> "NoReturn":
        """Say what is wrong with a member.

        Raises:
            MalformedError: always.
        """
        place = self.at(name) if name else self.path
        raise MalformedError(f"{place}: {reason}" if place else reason, path=place)

    def has(self, name: str) -> bool:
        """Say whether a member is there and not null."""
        return self._members.get(name) is not None

    def one_of(self, *names: str) -> str:
        """Which of these members is there.

        Raises:
            MalformedError: none, or more than one.
        """
        found = [name for name in names if self.has(name)]
        if len(found) != 1:
            what = "there is none" if not found else f"there are {' and '.join(found)}"
            self.refuse("", f"exactly one of {', '.join(names)} is needed, {what}")
        return found[0]

    def need(self, *names: str) -> None:
        """Demand members.

        Raises:
            MalformedError: one is missing.
        """
        for name in names:
            if not self.has(name):
                self.refuse(name, "is missing")

    def value(self, name: str) -> Json:
        """A member of any kind, None where it is absent."""
        return self._members.get(name)

    def text(self, name: str) -> str:
        """A string, "" where it is absent."""
        value = self._members.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.refuse(name, "not a string")
        return value

    def integer(self, name: str) -> int:
        """An int64, 0 where it is absent."""
        value = self._members.get(name)
        if value is None:
            return 0
        if isinstance(value, str):
            digits = value.removeprefix("-")
            if not digits or len(digits) > 19 or not _DIGITS.issuperset(digits):
                self.refuse(name, f"not an integer: {value[:40]!r}")
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(name, "not an integer")
        if not -_INT64 <= value < _INT64:
            self.refuse(name, "out of range")
        return value

    def count(self, name: str) -> int:
        """An int64 that is not negative."""
        value = self.integer(name)
        if value < 0:
            self.refuse(name, "negative")
        return value

    def raw(self, name: str) -> bytes:
        """Bytes in base64, b"" where they are absent."""
        return go_text.from_base64(self.text(name), self.at(name))

    def time(self, name: str) -> datetime | None:
        """A time (RFC 3339), None where it is absent."""
        return go_text.parse_time(self.text(name), self.at(name)) if self.has(name) else None

    def message(self, name: str, *names: str) -> "Message":
        """A message in it.

        Raises:
            MalformedError: it is missing, or no such message.
        """
        if not self.has(name):
            self.refuse(name, "is missing")
        return Message(self._members[name], names, self.at(name))

    def messages(self, name: str, *names: str) -> "list[Message]":
        """The messages of a list, none where it is absent."""
        return [
            Message(item, names, f"{self.at(name)}[{number}]")
            for number, item in enumerate(self._list(name))
        ]

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        found = tuple(item for item in self._list(name) if isinstance(item, str))
        if len(found) != len(self._list(name)):
            self.refuse(name, "not a list of strings")
        return found

    def raws(self, name: str) -> tuple[bytes, ...]:
        """A list of bytes in base64."""
        return tuple(
            go_text.from_base64(text, f"{self.at(name)}[{number}]")
            for number, text in enumerate(self.texts(name))
        )

    def _list(self, name: str) -> "list[Json]":
        value = self._members.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(name, "not a list")
        return value
