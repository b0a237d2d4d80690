r"""JSON as signers need it: read strictly, write canonically.

Reading refuses what two readers could understand differently: duplicate members, fractions, NaN, integers beyond
2^53 - 1, lone surrogates, nesting and sizes past the limits, bytes that are not UTF-8 and anything after the value.
Writing is the canonical form of docker/go's ``canonical/json`` (specs: notary v1, 1.3): members sorted by the bytes
of their names, no white space, only ``"`` and ``\`` escaped.
"""

from countermark.core import limits
from countermark.core.errors import Code, MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


def parse(content: bytes, *, max_bytes: int = limits.JSON_BYTES) -> Json:
    """Read one JSON value.

    Raises:
        MalformedError: not such JSON (code ``malformed``), or past a limit (``too-large``).
    """
    found: Json = _parse(content, max_bytes, _SCAN)
    return found


def parse_any(content: bytes, *, max_bytes: int = limits.JSON_BYTES) -> "Any":
    """Read one JSON value in which numbers are what JSON allows: what strangers state, as an SBOM.

    All else is as strict as in ``parse``. Fractions become floats, so that what is read cannot be written as it was.

    Raises:
        As ``parse``.
    """
    return _parse(content, max_bytes, _SCAN_ANY)


def _parse(content: bytes, max_bytes: int, scan: "Callable[[str, int], tuple[Any, int]]") -> "Any":
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
        value = _decode(text, scan)
        if (
            "\\u" in text
        ):  # a lone surrogate can only come from an escape: the text itself was UTF-8
            _check_encodable(value)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON: {_reason(error)}") from None
    return value


def _decode(text: str, scan: "Callable[[str, int], tuple[Any, int]]") -> "Any":
    start = len(text) - len(text.lstrip(_SPACE))
    try:
        value, end = _scanned(text, start, scan)
    except StopIteration as stop:
        raise ValueError(f"a value is expected at character {stop.value}") from None
    if text[end:].strip(_SPACE):
        raise ValueError(f"something follows the value at character {end}")
    return value


def _scanned(
    text: str, start: int, scan: "Callable[[str, int], tuple[Any, int]]"
) -> "tuple[Any, int]":
    """Scan a value. CPython's scanner finds the class of its errors in ``json.decoder``, if that is loaded at all."""
    try:
        return scan(text, start)
    except SystemError:
        __import__("json.decoder")  # only for what is no JSON
        return scan(text, start)


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "a lone surrogate in a string"
    return str(error)[:200]


def _check_encodable(value: Json) -> None:
    if isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, dict):
        for name, member in value.items():
            name.encode("utf-8")
            _check_encodable(member)
    elif isinstance(value, list):
        for item in value:
            _check_encodable(item)


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the recursive decoder meets it."""
    if text.count("[") + text.count("{") <= limits.JSON_DEPTH:
        return
    depth = 0
    # every second piece between unescaped quotes is the inside of a string
    outside = text.replace("\\\\", "").replace('\\"', "").split('"')[::2]
    for char in "".join(outside):
        if char in "[{":
            depth += 1
            if depth > limits.JSON_DEPTH:
                raise MalformedError(
                    f"JSON nested deeper than {limits.JSON_DEPTH} levels", code=Code.TOO_LARGE
                )
        elif char in "]}":
            depth -= 1


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


def _any_integer(text: str) -> "int | float":
    return int(text) if len(text) < _MOST_DIGITS else _fraction(text)


def _fraction(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"number out of range: {text[:40]}")
    return value


class _Rules:
    """What the scanner asks of its context (CPython's ``json.decoder.JSONDecoder`` has these names)."""

    strict = True
    object_hook = None
    object_pairs_hook = staticmethod(_pairs)
    parse_int = staticmethod(_integer)
    parse_float = staticmethod(_no_fraction)
    parse_constant = staticmethod(_no_fraction)


class _AnyRules(_Rules):
    """The same with all of JSON's numbers."""

    parse_int = staticmethod(_any_integer)  # type: ignore[assignment]
    parse_float = staticmethod(_fraction)  # type: ignore[assignment]


def _scanner(rules: type[_Rules]) -> "Callable[[str, int], tuple[Any, int]]":
    """The C scanner without the package ``json`` around it, whose patterns cost a cold start 7 ms."""
    try:
        from _json import make_scanner  # noqa: PLC0415 - absent from other Pythons
    except ImportError:
        import json  # noqa: PLC0415 - the same decoder, slower to load

        return json.JSONDecoder(  # type: ignore[attr-defined,no-any-return]
            object_pairs_hook=_pairs,
            parse_int=rules.parse_int,
            parse_float=rules.parse_float,
            parse_constant=_no_fraction,
        ).scan_once
    scan: Callable[[str, int], tuple[Any, int]] = make_scanner(rules)  # type: ignore[arg-type]
    return scan


_MOST_DIGITS = 400  # of a number; a float has less
_SCAN = _scanner(_Rules)
_SCAN_ANY = _scanner(_AnyRules)
_SPACE = " \t\n\r"


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
    if isinstance(value, dict):
        # UTF-8 order of bytes is the order of code points, which is Python's order of strings
        return (
            "{" + ",".join(f"{_canonical(k)}:{_canonical(value[k])}" for k in sorted(value)) + "}"
        )
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([_canonical(item) for item in value]) + "]"
    raise TypeError(f"no canonical JSON for {type(value).__name__}")


def compact(value: "Any") -> bytes:
    """Write compact JSON in the order given, for what is not signed.

    Raises:
        TypeError: a value that JSON has no form for.
    """
    return _compact(value).encode("utf-8")


def _compact(value: "Any") -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{_quoted(k)}:{_compact(v)}" for k, v in value.items()]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([_compact(item) for item in value]) + "]"
    if isinstance(value, float):
        import json  # noqa: PLC0415 - what others state; and it costs a cold start 7 ms

        return json.dumps(value, allow_nan=False)
    return _canonical(value)


def pretty(value: "Any", indent: int = 2) -> str:
    """Write JSON for people and their programs: indented, in the order given, as ``json.dumps`` does.

    Raises:
        TypeError: a value that JSON has no integer, string, list, object, true, false or null for.
    """
    return _pretty(value, "\n", " " * indent)


def _pretty(value: "Any", line: str, indent: str) -> str:
    inner = line + indent
    if isinstance(value, dict):
        items = [f"{_quoted(name)}: {_pretty(value[name], inner, indent)}" for name in value]
        brackets = "{}"
    elif isinstance(value, (list, tuple)):
        items = [_pretty(item, inner, indent) for item in value]
        brackets = "[]"
    else:
        return _quoted(value) if isinstance(value, str) else _canonical(value)
    if not items:
        return brackets
    return brackets[0] + inner + f",{inner}".join(items) + line + brackets[1]


def _quoted(text: str) -> str:
    """Write a string with the escapes that JSON needs."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    import json  # noqa: PLC0415 - rare, and it costs a cold start 7 ms

    return json.dumps(text, ensure_ascii=False)


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
