"""Words of a Dockerfile's instructions: their flags, and the variables that a FROM line may use."""

import re

from countermark.core.errors import InputError
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_WORD = re.compile(r"[^\t\v\f\r ]+")
_VARIABLE = re.compile(
    r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+?])((?:[^{}$]|\$\{[^{}]*\})*))?\})"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ARGUMENT = re.compile(
    r"""([A-Za-z_][A-Za-z0-9_]*)(?:=("(?:[^"\\`])*"|'[^'\\`]*'|[^\s"'\\`]*))?(?:\s+|$)"""
)


class FlagWord(Value):
    """A ``--flag`` word: its text, where it begins, and whether it is free of quotes, escapes and odd bytes."""

    text: str
    start: int
    is_plain: bool


def flag_words(text: str, start: int, number: int) -> tuple[list[FlagWord], int]:
    """Take the ``--`` words after an instruction, and say where the rest begins.

    Raises:
        InputError: a flag with quotes, escapes or unusual bytes that could hide an image or the flags' end.
    """
    words: list[FlagWord] = []
    place = start
    while True:
        while place < len(text) and text[place] in "\t\v\f\r ":
            place += 1
        if not text.startswith("--", place):
            return words, place
        found = _WORD.match(text, place)
        if found is None or found[0] == "--":
            return words, place + 2
        word = found[0]
        is_plain = word.isascii() and not set(word) & set("\"'\\`")
        if not is_plain:
            word, place_after = _quoted(text, place, number)
        else:
            place_after = found.end()
        words.append(FlagWord(text=word, start=place, is_plain=is_plain))
        place = place_after


def _quoted(text: str, start: int, number: int) -> tuple[str, int]:
    """Read a word with quotes and escapes as the builders do: quotes vanish, what is escaped stays."""
    found = re.compile(r"""(?:[^\t\v\f\r "'\\]|\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')+""").match(
        text, start
    )
    end = found.end() if found else start
    if (
        found is None
        or not found[0].isascii()
        or (end < len(text) and text[end] not in "\t\v\f\r ")
    ):
        raise InputError(f"line {number}: a flag with an open quote or unusual characters")
    return re.sub(r"""\\(.)|["']""", r"\1", found[0]), end


class Arguments:
    """The variables before the first FROM, which alone its lines may use, with what the command line gives them."""

    def __init__(self, given: "Mapping[str, str]", platform: str) -> None:
        self._given = given
        self._values: dict[str, str] = {}
        self._platform = _platform_values(platform)

    def declare(self, text: str, number: int) -> None:
        """Take an ARG line's words.

        Raises:
            InputError: quotes or escapes that are not understood.
        """
        rest = text.strip()
        while rest:
            found = _ARGUMENT.match(rest)
            if found is None:
                raise InputError(f"line {number}: an ARG that is not understood")
            name, default = found[1], found[2]
            rest = rest[found.end() :]
            if name in self._given:
                self._values[name] = self._given[name]
            elif default is not None and default[:1] == "'":
                self._values[name] = default[1:-1]
            elif default is not None:
                self._values[name] = self.expand(default.strip('"'), number)
            elif name in self._platform:
                self._values[name] = self._platform[name]

    def expand(self, text: str, number: int) -> str:
        """Put values in the places of variables, as docker does in a FROM line.

        Raises:
            InputError: a notation beyond ``$A``, ``${A}``, ``${A:-b}`` and ``${A:+b}``, or a variable of the
                platform while that is not known.
        """
        done: list[str] = []
        place = 0
        while (dollar := text.find("$", place)) >= 0:
            found = _VARIABLE.match(text, dollar)
            if found is None:
                raise InputError(
                    f"line {number}: a variable that is not understood in {text[:80]!r}"
                )
            done += text[place:dollar], self._value(found, number)
            place = found.end()
        return "".join(done) + text[place:]

    def _value(self, found: "re.Match[str]", number: int) -> str:
        name, operator, word = found[1] or found[2], found[3] or "", found[4] or ""
        value = self._values.get(name, self._platform.get(name))
        if value is None and _is_of_platform(name):
            raise InputError(
                f"line {number}: ${name} depends on a platform that is not known here",
                hint="give --platform, or --build-arg for it",
            )
        is_set = value is not None and (bool(value) or not operator.startswith(":"))
        kind = operator[-1:]
        if kind == "+":
            return self.expand(word, number) if is_set else ""
        if is_set or not kind:
            return value or ""
        if kind == "?":
            raise InputError(f"line {number}: {name}: {word[:80] or 'not set'}")
        return self.expand(word, number)


def _is_of_platform(name: str) -> bool:
    return name.startswith(("TARGET", "BUILD")) and name.removeprefix("TARGET").removeprefix(
        "BUILD"
    ) in ("PLATFORM", "OS", "ARCH", "VARIANT", "OSVERSION", "STAGE")


def _platform_values(platform: str) -> dict[str, str]:
    """The predefined variables of one target platform, ``linux/arm/v7``."""
    system, _, rest = platform.partition("/")
    machine, _, variant = rest.partition("/")
    if not machine or variant.count("/"):
        return {}
    return {
        "TARGETPLATFORM": platform,
        "TARGETOS": system,
        "TARGETARCH": machine,
        "TARGETVARIANT": variant,
    }
