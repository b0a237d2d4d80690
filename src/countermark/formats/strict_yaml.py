"""YAML as policies need it: read strictly, with the line of everything.

Objects, lists and scalars only. What two readers could understand differently is refused: duplicate keys, aliases,
tags, merge keys, further documents. A plain scalar is ``null``, ``true``, ``false``, a decimal integer, or else a
text: YAML 1.1's other spellings (``yes``, ``012``, ``1:30``, dates) stay the texts that were written.
"""

from countermark.core import limits
from countermark.core.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, NoReturn

    Content = None | bool | int | str | list["Item"] | dict[str, "Item"]


_QUOTES = 'a text that begins with * & ! % @ or ` needs quotes: "**"'


class Item:
    """A value, and where it stands: file, line, and the path of keys to it."""

    __slots__ = ("content", "file", "line", "path")

    def __init__(self, content: "Content", file: str, line: int, path: str) -> None:
        self.content, self.file, self.line, self.path = content, file, line, path

    def refuse(self, message: str, hint: str = "") -> "NoReturn":
        """Say what is wrong with this value.

        Raises:
            ConfigError: always, with the place.
        """
        raise ConfigError(message, file=self.file, line=self.line, path=self.path, hint=hint)

    def text(self) -> str:
        """Take a text that is not empty."""
        if not isinstance(self.content, str) or not self.content:
            self.refuse(f"a text is expected, not {_kind(self.content)}", _quote(self.content))
        return self.content

    def word(self, words: "Iterable[str]") -> str:
        """Take one of some words."""
        text = self.text()
        known = list(words)
        if text not in known:
            self.refuse(f"{text[:80]!r} is none of: {', '.join(known)}", _suggestion(text, known))
        return text

    def integer(self, least: int, most: int) -> int:
        """Take an integer within bounds."""
        if not isinstance(self.content, int) or isinstance(self.content, bool):
            self.refuse(f"a number is expected, not {_kind(self.content)}")
        if not least <= self.content <= most:
            self.refuse(f"a number from {least} to {most} is expected, not {self.content}")
        return self.content

    def boolean(self) -> bool:
        """Take true or false."""
        if not isinstance(self.content, bool):
            self.refuse(f"true or false is expected, not {_kind(self.content)}")
        return self.content

    def items(self) -> "list[Item]":
        """Take a list that is not empty."""
        if not isinstance(self.content, list):
            self.refuse(f"a list is expected, not {_kind(self.content)}")
        if not self.content:
            self.refuse("an empty list; at least one thing is expected")
        return self.content

    def members(self) -> "dict[str, Item]":
        """Take an object whose keys are names of someone's choice."""
        if not isinstance(self.content, dict):
            self.refuse(f"keys and values are expected, not {_kind(self.content)}")
        return self.content

    def object(self, known: "Iterable[str]", later: "Iterable[str]" = ()) -> "dict[str, Item]":
        """Take an object with known keys only; ``later`` are keys that the language has and this version has not."""
        members = self.members()
        keys = list(known)
        for name, item in members.items():
            if name in later:
                item.refuse(
                    f"this version cannot do {name!r} yet, and does not ignore it",
                    "leave it out, or wait for a version that can",
                )
            if name not in keys:
                item.refuse(f"unknown key {name[:80]!r}", _suggestion(name, keys))
        return members


def parse(content: bytes, file: str) -> Item:
    """Read one document.

    Raises:
        ConfigError: not such YAML, or past a limit; with file and line.
    """
    found = _read(content, file, limits.POLICY_BYTES, limits.YAML_DEPTH)
    if not found:
        raise ConfigError("the file is empty", file=file)
    if len(found) > 1:
        raise ConfigError("a second document begins here", file=file, line=found[1][0])
    return found[0][1]


def parse_all(content: bytes, file: str) -> list[Item]:
    """Read all documents of a file, as manifests of Kubernetes have them.

    Raises:
        ConfigError: as ``parse``.
    """
    found = _read(content, file, limits.KUBERNETES_BYTES, limits.KUBERNETES_DEPTH)
    return [item for _, item in found]


def _read(content: bytes, file: str, most: int, depth: int) -> list[tuple[int, Item]]:
    """The documents, each with the line where it begins."""
    if len(content) > most:
        raise ConfigError(f"{len(content)} bytes, at most {most} are allowed", file=file)
    import yaml  # noqa: PLC0415 - 30 ms, only where there is a file

    try:
        text = content.decode("utf-8")
        events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return list(_Builder(file, depth).documents(events))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError("not UTF-8", file=file, line=line) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
        raise ConfigError(
            f"not YAML: {problem.splitlines()[0]}",
            file=file,
            line=mark.line + 1 if mark is not None else 0,
            hint=_QUOTES,
        ) from None


class _Builder:
    """Turns the parser's events into items; recursive within the depth that is given."""

    def __init__(self, file: str, depth: int) -> None:
        self._file, self._depth = file, depth
        self._events: Any = iter(())

    def documents(self, events: "Any") -> "Iterator[tuple[int, Item]]":
        self._events = iter(events)
        next(self._events)  # the stream's start
        while type(start := next(self._events)).__name__ != "StreamEndEvent":
            yield start.start_mark.line + 1, self._item(next(self._events), "", 0)
            next(self._events)  # the document's end

    def _item(self, event: "Any", path: str, depth: int) -> Item:
        item = Item(None, self._file, event.start_mark.line + 1, path)
        kind = type(event).__name__
        if kind == "AliasEvent" or event.anchor is not None:
            item.refuse("anchors and aliases are not taken", _QUOTES)
        if event.tag is not None:
            item.refuse(f"tags are not taken: {event.tag[:80]}")
        if depth > self._depth:
            item.refuse(f"nested deeper than {self._depth} levels")
        if kind == "ScalarEvent":
            item.content = _plain(event.value, item) if event.implicit[0] else event.value
        elif kind == "SequenceStartEvent":
            item.content = self._list(path, depth)
        else:
            item.content = self._object(path, depth)
        return item

    def _list(self, path: str, depth: int) -> list[Item]:
        found: list[Item] = []
        while type(event := next(self._events)).__name__ != "SequenceEndEvent":
            found.append(self._item(event, f"{path}[{len(found)}]", depth + 1))
        return found

    def _object(self, path: str, depth: int) -> dict[str, Item]:
        found: dict[str, Item] = {}
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            key = self._item(event, path, depth + 1)
            if not isinstance(key.content, str):
                key.refuse(f"a key is a text, not {_kind(key.content)}", _quote(key.content))
            name = key.content
            if name in found:
                key.refuse(f"key {name[:80]!r} stands here again, first at line {found[name].line}")
            inner = f"{path}.{name}" if path else name
            found[name] = self._item(next(self._events), inner, depth + 1)
            found[name].line = key.line  # a block's own first line is one further down
        return found


def _plain(value: str, item: Item) -> "Content":
    if value in ("", "~", "null"):
        return None
    if value in ("true", "false"):
        return value == "true"
    digits = value[1:] if value[0] == "-" else value
    if digits.isascii() and digits.isdigit() and (digits[0] != "0" or digits == "0"):
        if len(digits) > 15:
            # too long for a number that anything here takes; a key ID may look like this
            return value
        return int(value)
    if value == "<<":
        item.refuse("merge keys are not taken", "write the keys out")
    return value


def _kind(content: "Content") -> str:
    if content is None or content == "":
        return "nothing"
    if isinstance(content, bool):
        return str(content).lower()
    if isinstance(content, (int, str)):
        return repr(content)[:80]
    return "a list" if isinstance(content, list) else "keys and values"


def _quote(content: "Content") -> str:
    if isinstance(content, (bool, int)):
        return "put it in quotes if it is a text"
    return ""


def _suggestion(name: str, known: list[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only where something is wrong

    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
