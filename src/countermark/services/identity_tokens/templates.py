"""Templates that turn the claims of a CI system into texts of a certificate.

The part of Go's ``text/template`` that Fulcio's own configuration uses: ``{{ .claim }}``, ``{{ index . "claim" }}``,
``{{ if eq .claim "text" }}...{{ else }}...{{ end }}``. Anything else is refused when the file is read. A text without
``{{`` is the name of one claim, as in Fulcio.
"""

import re
from collections.abc import Mapping

from countermark.core.errors import Code, EvidenceError, InputError
from countermark.core.value import Value

_WORD = re.compile(r'\s*(?:([()]|\.(?![A-Za-z_]))|\.([A-Za-z_]\w*)|"([^"\\{}]*)"|([a-z]+))')
_DEPTH = 8


class Literal(Value):
    """A text that stands for itself."""

    text: str


class Claim(Value):
    """The value of a claim."""

    name: str


class Choice(Value):
    """One part or another, as a claim equals a text or not."""

    claim: str
    text: str
    then: "tuple[Part, ...]"
    otherwise: "tuple[Part, ...]"


Part = Literal | Claim | Choice


class Template(Value):
    """A template as it was written, and its parts."""

    text: str
    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Read a template.

        Raises:
            InputError: it is empty, broken, or uses what is not taken here.
        """
        if not text.strip():
            raise InputError("an empty template")
        if "{{" not in text:
            return cls(text=text, parts=(Claim(name=text),))
        reader = _Parts(text)
        parts = reader.until("", 0)
        return cls(text=text, parts=tuple(parts))

    def render(self, values: Mapping[str, str]) -> str:
        """Put values in.

        Raises:
            EvidenceError: ``token``, a claim is missing.
        """
        return _rendered(self.parts, values)


def _rendered(parts: tuple[Part, ...], values: Mapping[str, str]) -> str:
    texts: list[str] = []
    for part in parts:
        if isinstance(part, Literal):
            texts.append(part.text)
        elif isinstance(part, Claim):
            texts.append(_value(part.name, values))
        else:
            same = _value(part.claim, values) == part.text
            texts.append(_rendered(part.then if same else part.otherwise, values))
    return "".join(texts)


def _value(name: str, values: Mapping[str, str]) -> str:
    if name not in values:
        raise EvidenceError(
            f"the identity token is not believed: no claim {name!r}", code=Code.TOKEN
        )
    return values[name]


class _Parts:
    """Reads the parts one after the other; recursive within _DEPTH."""

    def __init__(self, text: str) -> None:
        self._left = text
        self.ended_with = ""

    def until(self, block: str, depth: int) -> list[Part]:
        """Read up to what ends a block (``else`` or ``end``, "" for the end of the text)."""
        if depth > _DEPTH:
            raise InputError("blocks inside blocks, too deep")
        found: list[Part] = []
        while (words := self._action(found)) is not None:
            if words in (["else"], ["end"]):
                if not block or (words == ["else"] and block == "else"):
                    raise InputError(f"{words[0]!r} without 'if'")
                self.ended_with = words[0]
                return found
            found.append(self._choice(words[1:], depth) if words[:1] == ["if"] else _claim(words))
        if block:
            raise InputError("'if' without 'end'")
        return found

    def _action(self, found: list[Part]) -> list[str] | None:
        """Take the text before the next action, and the action's words; None where there is none any more."""
        literal, opens, rest = self._left.partition("{{")
        if literal:
            found.append(Literal(text=literal))
        if not opens:
            self._left = ""
            return None
        action, closes, self._left = rest.partition("}}")
        if not closes:
            raise InputError("'{{' without '}}'")
        return _words(action)

    def _choice(self, condition: list[str], depth: int) -> Choice:
        swapped = condition[:1] == ["ne"]
        if condition[:1] not in (["eq"], ["ne"]) or not condition[-1].startswith('"'):
            raise InputError('a condition is: eq .claim "text", or ne .claim "text"')
        claim, text = _claim(condition[1:-1]), condition[-1][1:]
        then = tuple(self.until("if", depth + 1))
        otherwise: tuple[Part, ...] = ()
        if self.ended_with == "else":
            otherwise = tuple(self.until("else", depth + 1))
        if swapped:
            then, otherwise = otherwise, then
        return Choice(claim=claim.name, text=text, then=then, otherwise=otherwise)


def _words(action: str) -> list[str]:
    """Split an action; a text keeps its first quote, a claim its dot."""
    words: list[str] = []
    at = 0
    action = action.rstrip()
    while at < len(action):
        found = _WORD.match(action, at)
        if found is None:
            raise InputError(f"not taken in a template: {action.strip()[:80]!r}")
        mark, claim, text, word = found.groups()
        words.append(mark or word or (f".{claim}" if claim is not None else f'"{text}'))
        at = found.end()
    return words


def _claim(words: list[str]) -> Claim:
    """Read ``.name``, ``index . "name"``, or either in brackets."""
    while len(words) > 2 and words[0] == "(" and words[-1] == ")":
        words = words[1:-1]
    if len(words) == 1 and words[0][:1] == "." and len(words[0]) > 1:
        return Claim(name=words[0][1:])
    if len(words) == 3 and words[:2] == ["index", "."] and words[2][:1] == '"':
        return Claim(name=words[2][1:])
    raise InputError(f"not taken in a template: {' '.join(words)[:80]!r}")
