r"""JSON as signers need it: read strictly, write canonically.

Reading refuses what two readers could understand differently: duplicate members, fractions, NaN, integers beyond
2^53 - 1, lone surrogates, nesting and sizes past the limits, bytes that are not UTF-8 and anything after the value.
Writing is the canonical form of docker/go's ``canonical/json`` (specs: notary v1, 1.3): members sorted by the bytes
of their names, no white space, only ``"`` and ``\`` escaped.
"""

import json
import re
from collections.abc import Mapping

from countermark.core import limits
from countermark.core.errors import Code, MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


def parse(content: bytes, *, max_bytes: int = limits.JSON_BYTES) -> Json:
    """Read one JSON value.

    Raises:
        MalformedError: not such JSON (code ``malformed``), or past a limit (``too-large``).
    """
    if len(content) > max_bytes:
        raise MalformedError(
            f"JSON of {len(content)} bytes, at most {max_bytes} are allowed", code=Code.TOO_LARGE
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"JSON is not UTF-8 at byte {error.start}") from None
    _check_depth(text)
    try:
        value: Json = _DECODER.decode(text)
        if "\\" in text:  # a lone surrogate can only come from an escape: the text itself was UTF-8
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON: {_reason(error)}") from None
    return value


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "a lone surrogate in a string"
    return str(error)[:200]


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the recursive decoder meets it."""
    if text.count("[") + text.count("{") <= limits.JSON_DEPTH:
        return
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > limits.JSON_DEPTH:
            raise MalformedError(
                f"JSON nested deeper than {limits.JSON_DEPTH} levels", code=Code.TOO_LARGE
            )


def _pairs(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"duplicate member {name[:80]!r}")
            seen.add(name)
    return members


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > limits.JSON_INTEGER or text == "-0":
        raise ValueError(f"integer out of range: {text[:40]}")
    return int(text)


def _no_fraction(text: str) -> int:
    raise ValueError(f"not an integer: {text[:40]}")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs,
    parse_int=_integer,
    parse_float=_no_fraction,
    parse_constant=_no_fraction,
)


def canonical(value: "Any") -> bytes:
    """Write the canonical form that is signed.

    Raises:
        TypeError: a value that JSON has no integer, string, list, object, true, false or null for.
    """
    return _canonical(value).encode("utf-8")


def _canonical(value: "Any") -> str:  # noqa: PLR0911 - one arm per kind of JSON value
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        # UTF-8 order of bytes is the order of code points, which is Python's order of strings
        return (
            "{" + ",".join(f"{_canonical(k)}:{_canonical(value[k])}" for k in sorted(value)) + "}"
        )
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([_canonical(item) for item in value]) + "]"
    raise TypeError(f"no canonical JSON for {type(value).__name__}")


def compact(value: "Any") -> bytes:
    """Write compact JSON in the order given, for what is not signed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


class Reader:
    """Takes members out of a parsed object, each of the right kind, with the place of every mistake.

    ``Reader(parse(content)).object("signed").integer("version")`` says ``signed.version: not an integer``.
    """

    __slots__ = ("_members", "path")

    def __init__(self, value: Json, path: str = "") -> None:
        """Take an object.

        Raises:
            MalformedError: it is not one.
        """
        if not isinstance(value, dict):
            raise MalformedError(f"{path or 'the document'} is not an object", path=path)
        self._members = value
        self.path = path

    def _at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def names(self) -> list[str]:
        """The members' names in the order written."""
        return list(self._members)

    def has(self, name: str) -> bool:
        """Say whether a member is there and not null."""
        return self._members.get(name) is not None

    def value(self, name: str) -> Json:
        """Take a member of any kind.

        Raises:
            MalformedError: it is missing.
        """
        if name not in self._members:
            raise MalformedError(f"{self._at(name)} is missing", path=self._at(name))
        return self._members[name]

    def text(self, name: str) -> str:
        """Take a string."""
        value = self.value(name)
        if not isinstance(value, str):
            raise MalformedError(f"{self._at(name)} is not a string", path=self._at(name))
        return value

    def integer(self, name: str) -> int:
        """Take an integer; true and false are none."""
        value = self.value(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise MalformedError(f"{self._at(name)} is not an integer", path=self._at(name))
        return value

    def boolean(self, name: str) -> bool:
        """Take true or false."""
        value = self.value(name)
        if not isinstance(value, bool):
            raise MalformedError(f"{self._at(name)} is not true or false", path=self._at(name))
        return value

    def object(self, name: str) -> "Reader":
        """Take an object."""
        return Reader(self.value(name), self._at(name))

    def items(self, name: str) -> list[Json]:
        """Take a list."""
        value = self.value(name)
        if not isinstance(value, list):
            raise MalformedError(f"{self._at(name)} is not a list", path=self._at(name))
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Take a list of strings."""
        items = self.items(name)
        if not all(isinstance(item, str) for item in items):
            raise MalformedError(f"{self._at(name)} is not a list of strings", path=self._at(name))
        return tuple(item for item in items if isinstance(item, str))

    def objects(self, name: str) -> "list[Reader]":
        """Take a list of objects."""
        return [Reader(v, f"{self._at(name)}[{i}]") for i, v in enumerate(self.items(name))]
