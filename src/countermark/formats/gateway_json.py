"""JSON requests as Sigstore's servers read them, and their words for what is wrong with one.

Fulcio and Rekor are gRPC servers behind grpc-gateway (2.29): Go's ``encoding/json`` looks at the syntax, then
protobuf's JSON reader at the members, which may be named in lowerCamelCase or snake_case. People and programs know
its words, so that a request that is refused is read again, slowly, to find them. Beyond what Go refuses, numbers with
a fraction, names that stand twice in one object and anything after the value are refused too.
"""

import re

from countermark.core.errors import MalformedError
from countermark.core.light import Mapping, Sequence
from countermark.core.value import Value
from countermark.formats import go_text, strict_json
from countermark.formats.strict_json import Json

_SPACE = b" \t\r\n"
_DEPTH = 64
_EXPLAINED_BYTES = 64 * 1024  # which takes 0.1 s; no request in use has more than some 8 KiB
_WORD = re.compile(rb"[-+._a-zA-Z0-9]+")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}
_TO_STANDARD = str.maketrans("-_+/", "+/  ")
_LITERALS = (b"true", b"false", b"null")

Message = dict[str, "str | bytes | int | Message | list[Message]"]


class Field(Value):
    """What a message may have under a name.

    Attributes:
        kind: ``string``, ``bytes``, ``enum``, ``int64`` or ``message``.
        fields: of a message, by their names in lowerCamelCase.
        words: of an enum, in the order of their numbers.
        one_of: the full name of the group of which only one may be there, "" for none.
        many: a list of such messages.
    """

    kind: str
    fields: "Mapping[str, Field] | None" = None
    words: Sequence[str] = ()
    one_of: str = ""
    many: bool = False


Fields = Mapping[str, Field]


class Rules(Value):
    """What a server does with members that it does not know, and whether names may be in snake_case too."""

    accept_unknown: bool = False
    accept_snake_case: bool = True


def read(
    content: bytes, fields: Fields, *, max_bytes: int, rules: "Rules | None" = None
) -> Message:
    """Read a message; nothing at all is an empty one. Absent members, and null, are left out.

    Raises:
        MalformedError: it is refused; the message is what grpc-gateway answers.
    """
    rules = rules or Rules()
    if not content.strip(_SPACE):
        return {}
    try:
        value = strict_json.parse(content, max_bytes=max_bytes)
        return _message(value, fields, rules)
    except MalformedError as error:
        raise MalformedError(_explain(content, fields, rules) or str(error)) from None


# The quick way: what is right ------------------------------------------------------------------------------


def _message(value: Json, fields: Fields, rules: Rules) -> Message:
    if not isinstance(value, dict):
        raise MalformedError("not an object")
    found: Message = {}
    groups: set[str] = set()
    for given, member in value.items():
        name = _name(given, fields, rules)
        field = fields.get(name)
        if field is None:
            if rules.accept_unknown:
                continue
            raise MalformedError(f"unknown field {given[:80]!r}")
        if name in found or (field.one_of in groups and member is not None):
            raise MalformedError(f"{given[:80]!r} is there already")
        if member is None:
            continue
        groups |= {field.one_of} - {""}
        found[name] = _member(member, field, rules)
    return found


def _member(
    value: Json, field: Field, rules: Rules
) -> "str | bytes | int | Message | list[Message]":
    if field.fields is not None and field.many:
        if not isinstance(value, list):
            raise MalformedError("not a list")
        return [_message(item, field.fields, rules) for item in value]
    if field.fields is not None:
        return _message(value, field.fields, rules)
    return _scalar(value, field, rules)


def _scalar(value: Json, field: Field, rules: Rules) -> str | bytes | int:
    if field.kind == "enum":
        return _word(value, field, rules)
    if field.kind == "int64":
        if isinstance(value, str) and re.fullmatch("-?(0|[1-9][0-9]{0,18})", value):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
            return value
    elif isinstance(value, str):
        return _bytes(value) if field.kind == "bytes" else value
    raise MalformedError(f"not of kind {field.kind}")


def _bytes(text: str) -> bytes:
    """Read base64 in either of its alphabets, with its padding or without, as ``protojson`` does."""
    plain = text.translate(_TO_STANDARD) if "-" in text or "_" in text else text
    if len(text) % 4:
        plain = plain.rstrip("=") + "=" * (-len(plain.rstrip("=")) % 4)
    return go_text.from_base64(plain, "")


def _word(value: Json, field: Field, rules: Rules) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return field.words[value] if 0 <= value < len(field.words) else str(value)
    if isinstance(value, str) and (value in field.words or rules.accept_unknown):
        return value
    raise MalformedError("not one of the words")


def _name(given: str, fields: Fields, rules: Rules) -> str:
    """The name in lowerCamelCase of what was given."""
    if given in fields or not rules.accept_snake_case:
        return given
    first, *rest = given.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


# The slow way: what is wrong -------------------------------------------------------------------------------


def _explain(content: bytes, fields: Fields, rules: Rules) -> str:
    """Find the words for what is wrong, "" where Go would find nothing, or where it would take us too long."""
    if len(content) > _EXPLAINED_BYTES:
        return ""
    text = content.lstrip(_SPACE)
    problem = _Syntax(text).problem()
    return problem or _Members(text, rules).problem(fields)


class _FoundError(Exception):
    """What is wrong has been found."""


class _Syntax:
    """Reads as ``encoding/json`` does (``scanner.go``), for its words."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def problem(self) -> str:
        try:
            self._value(0, 0)
        except _FoundError as found:
            return str(found)
        return ""

    def _at(self, position: int) -> int:
        if position >= len(self._text):
            raise _FoundError("unexpected EOF")
        return self._text[position]

    def _skip(self, position: int) -> int:
        while position < len(self._text) and self._text[position] in _SPACE:
            position += 1
        return position

    def _bad(self, position: int, where: str) -> _FoundError:
        return _FoundError(f"invalid character '{_quoted(self._at(position))}' {where}")

    def _value(self, position: int, depth: int) -> int:
        """Pass over a value; return where it ends."""
        position = self._skip(position)
        first = self._at(position)
        if first in b"{[" and depth == _DEPTH:
            raise _FoundError("exceeded max depth")
        if first == 0x7B:
            return self._object(position + 1, depth + 1)
        if first == 0x5B:
            return self._array(position + 1, depth + 1)
        if first == 0x22:
            return self._string(position + 1)
        if first in b"-0123456789":
            return self._number(position)
        for literal in _LITERALS:
            if first == literal[0]:
                return self._literal(position, literal)
        raise self._bad(position, "looking for beginning of value")

    def _object(self, position: int, depth: int) -> int:
        position = self._skip(position)
        if self._at(position) == 0x7D:
            return position + 1
        while True:
            position = self._skip(position)
            if self._at(position) != 0x22:
                raise self._bad(position, "looking for beginning of object key string")
            position = self._skip(self._string(position + 1))
            if self._at(position) != 0x3A:
                raise self._bad(position, "after object key")
            position = self._skip(self._value(position + 1, depth))
            if self._at(position) == 0x7D:
                return position + 1
            if self._at(position) != 0x2C:
                raise self._bad(position, "after object key:value pair")
            position += 1

    def _array(self, position: int, depth: int) -> int:
        position = self._skip(position)
        if self._at(position) == 0x5D:
            return position + 1
        while True:
            position = self._skip(self._value(position, depth))
            if self._at(position) == 0x5D:
                return position + 1
            if self._at(position) != 0x2C:
                raise self._bad(position, "after array element")
            position += 1

    def _string(self, position: int) -> int:
        while True:
            char = self._at(position)
            if char == 0x22:
                return position + 1
            if char < 0x20:
                raise self._bad(position, "in string literal")
            if char == 0x5C:
                position = self._escape(position + 1)
            else:
                position += 1

    def _escape(self, position: int) -> int:
        if self._at(position) in b'bfnrt\\/"':
            return position + 1
        if self._at(position) != 0x75:
            raise self._bad(position, "in string escape code")
        for digit in range(position + 1, position + 5):
            if self._at(digit) not in b"0123456789abcdefABCDEF":
                raise self._bad(digit, "in \\u hexadecimal character escape")
        return position + 5

    def _number(self, position: int) -> int:
        start = position + (self._at(position) == 0x2D)
        if self._at(start) not in b"0123456789":
            raise self._bad(start, "in numeric literal")
        found = _NUMBER.match(self._text, position)
        end = found.end() if found else start + 1
        if self._text[end : end + 1] == b"." and b"." not in self._text[position:end]:
            raise self._bad(end + 1, "after decimal point in numeric literal")
        if self._text[end : end + 1] in (b"e", b"E"):
            after = end + 1 + (self._text[end + 1 : end + 2] in (b"+", b"-"))
            raise self._bad(after, "in exponent of numeric literal")
        return end

    def _literal(self, position: int, literal: bytes) -> int:
        for offset, expected in enumerate(literal):
            if self._at(position + offset) != expected:
                where = f"in literal {literal.decode()} (expecting {chr(expected)!r})"
                raise self._bad(position + offset, where)
        return position + len(literal)


class _Members:
    """Reads as protobuf's ``protojson`` does, for its words and places; the syntax has been found right."""

    def __init__(self, text: bytes, rules: Rules) -> None:
        self._text, self._position, self._rules = text, 0, rules

    def problem(self, fields: Fields) -> str:
        try:
            self._message(fields)
        except _FoundError as found:
            return str(found)
        return ""

    def _peek(self) -> bytes:
        while self._text[self._position] in b" \t\r\n,:":
            self._position += 1
        return self._text[self._position : self._position + 1]

    def _token(self) -> tuple[int, bytes]:
        """Take the next token: where it begins, and its bytes."""
        first = self._peek()
        start = self._position
        found = (
            _STRING.match(self._text, start) if first == b'"' else _WORD.match(self._text, start)
        )
        self._position = found.end() if found else start + 1
        return start, self._text[start : self._position]

    def _refuse(self, start: int, reason: str, kind: str = "") -> _FoundError:
        before = self._text[:start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1
        return _FoundError(f"proto: {kind}(line {line}:{column}): {reason}")

    def _unexpected(self, start: int, raw: bytes) -> _FoundError:
        return self._refuse(start, f"unexpected token {_shown(raw)}", "syntax error ")

    def _message(self, fields: Fields) -> None:
        start, raw = self._token()
        if raw != b"{":
            raise self._unexpected(start, raw)
        seen: set[str] = set()
        groups: set[str] = set()
        while self._peek() != b"}":
            start, raw = self._token()
            given = _parsed(raw)
            name = _name(given, fields, self._rules)
            field = fields.get(name)
            if field is None:
                if not self._rules.accept_unknown:
                    raise self._refuse(start, f"unknown field {_shown(raw)}")
                self._skip_value()
                continue
            if name in seen:
                raise self._refuse(start, f"duplicate field {_shown(raw)}")
            seen.add(name)
            if self._peek() == b"n":
                self._token()
                continue
            if field.one_of in groups:
                already = f"oneof {field.one_of} is already set"
                raise self._refuse(start, f"error parsing {_shown(raw)}, {already}")
            groups |= {field.one_of} - {""}
            self._member(name, field)
        self._token()

    def _member(self, name: str, field: Field) -> None:
        if field.fields is None:
            self._scalar(name, field)
        elif not field.many:
            self._message(field.fields)
        else:
            start, raw = self._token()
            if raw != b"[":
                raise self._unexpected(start, raw)
            while self._peek() != b"]":
                self._message(field.fields)
            self._token()

    def _scalar(self, name: str, field: Field) -> None:
        start, raw = self._token()
        try:
            _scalar(_value(raw), field, self._rules)
        except MalformedError:
            reason = f"invalid value for {field.kind} field {name}: {_shown(raw)}"
            raise self._refuse(start, reason) from None

    def _skip_value(self) -> None:
        depth = 0
        while True:
            _, raw = self._token()
            depth += (raw in (b"{", b"[")) - (raw in (b"}", b"]"))
            if depth == 0:
                return


def _quoted(char: int) -> str:
    """Write a byte as Go's ``quoteChar`` does."""
    if 0x20 <= char < 0x7F or char >= 0xA0:
        return {0x27: "\\'", 0x5C: "\\\\"}.get(char) or chr(char)
    return _ESCAPES.get(char) or (f"\\x{char:02x}" if char < 0x80 else f"\\u{char:04x}")


def _value(raw: bytes) -> Json:
    """Read one token; a bracket is no scalar, as little as null."""
    try:
        return strict_json.parse(raw)
    except MalformedError:
        return None


def _parsed(raw: bytes) -> str:
    value = _value(raw)
    return value if isinstance(value, str) else ""


def _shown(raw: bytes) -> str:
    return raw.decode(errors="replace")
