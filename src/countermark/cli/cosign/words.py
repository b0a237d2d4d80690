"""cosign's words: its flags as pflag and viper read them, its errors, its exit codes.

Texts are cosign 3.1.3's. Not argparse, which costs a cold ``cosign verify`` 15 ms and says other things.
"""

from countermark.core.errors import CountermarkError
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TRUE = ("1", "t", "T", "TRUE", "true", "True")  # Go's strconv.ParseBool
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

# Other spellings that cosign takes for a flag.
ALIASES = {
    "cert": "certificate",
    "cert-email": "certificate-email",
    "cert-chain": "certificate-chain",
    "cert-oidc-issuer": "certificate-oidc-issuer",
    "cert-identity": "certificate-identity",
    "output-cert": "output-certificate",
}


class CosignError(CountermarkError):
    """A failure whose text is cosign's, whole, and its exit status."""

    def __init__(self, text: str, status: int = 1, *, hint: str = "") -> None:
        super().__init__(text, hint=hint)
        self.exit_status = status


class Failing:
    """Puts the words before an error that say what failed, as cosign chains them; a bug of ours goes through."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: "BaseException | None", trace: object) -> None:
        """Say what failed."""
        if not isinstance(error, CountermarkError):
            return
        if error.exit_status != CountermarkError.exit_status or isinstance(error, CosignError):
            raise CosignError(f"{self._prefix}{error}", hint=error.hint) from error


class Flag(Value):
    """A flag of a command.

    Attributes:
        name, letter: its names.
        kind: ``text``, ``bool``, ``texts`` (may repeat), ``pairs`` (may repeat, commas separate too), ``number``,
            ``seconds`` (a duration as Go writes it).
        default: as cosign's help shows it.
        help: what it is for, in our words.
        choices: what it may be, in the words of the error that names them.
        deprecated: what cosign says when it is used; such flags are not in the help.
        refused: why we do not take it; using it is an error.
    """

    name: str
    kind: str = "text"
    default: str = ""
    letter: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()
    deprecated: str = ""
    refused: str = ""


class Words(Value):
    """A command's words, read: each flag's value, which of them were given, the arguments, and what to say first."""

    texts: "Mapping[str, str]"
    lists: "Mapping[str, tuple[str, ...]]"
    switches: "Mapping[str, bool]"
    given: frozenset[str]
    arguments: tuple[str, ...]
    notices: tuple[str, ...] = ()
    wants_help: bool = False

    def text(self, name: str) -> str:
        """A flag's text, the default where it was not given."""
        return self.texts[name]

    def list(self, name: str) -> tuple[str, ...]:
        """A flag that may repeat."""
        return self.lists[name]

    def on(self, name: str) -> bool:
        """A switch."""
        return self.switches[name]

    def seconds(self, name: str) -> float:
        """A duration."""
        return duration(self.texts[name])

    def number(self, name: str) -> int:
        """A whole number."""
        return int(self.texts[name])


def parse(
    flags: "Sequence[Flag]", words: "Sequence[str]", environment: "Mapping[str, str]"
) -> Words:
    """Read a command's words as pflag does; a flag that is not given is taken from its variable, ``COSIGN_…``.

    Raises:
        CosignError: an unknown flag, a missing or wrong value, a flag that we do not take.
    """
    return _Parser(flags).read(words, environment)


class _Parser:
    def __init__(self, flags: "Sequence[Flag]") -> None:
        self._flags = {flag.name: flag for flag in flags}
        self._letters = {flag.letter: flag for flag in flags if flag.letter}
        self._values: dict[str, list[str]] = {}
        self._notices: list[str] = []
        self._wants_help = False

    def read(self, words: "Sequence[str]", environment: "Mapping[str, str]") -> Words:
        arguments: list[str] = []
        queue = list(words)
        while queue:
            word = queue.pop(0)
            if word == "--":
                arguments += queue
                break
            if word.startswith("--"):
                self._long(word, queue)
            elif word.startswith("-") and len(word) > 1:
                self._short(word, queue)
            else:
                arguments.append(word)
        given = frozenset(self._values)
        for flag in self._flags.values():
            variable = "COSIGN_" + flag.name.upper().replace("-", "_")
            if flag.name not in given and environment.get(variable):
                self._take(flag, environment[variable], announce=False)
        return self._finished(given, arguments)

    def _long(self, word: str, queue: "list[str]") -> None:
        name, equals, value = word[2:].partition("=")
        name = ALIASES.get(name, name)
        if name == "help":
            self._wants_help = True
            return
        flag = self._flags.get(name)
        if flag is None:
            raise CosignError(f"unknown flag: --{name[:200]}")
        if equals:
            self._take(flag, value)
        elif flag.kind == "bool":
            self._take(flag, "true")
        elif queue:
            self._take(flag, queue.pop(0))
        else:
            raise CosignError(f"flag needs an argument: --{name}")

    def _short(self, word: str, queue: "list[str]") -> None:
        whole = word[1:].partition("=")[0]
        if len(whole) > 1 and ALIASES.get(whole, whole) in self._flags:
            # cosign rewrites flags of one dash, as its first versions had them
            self._notices.append(
                f"WARNING: the -{whole} flag is deprecated and will be removed in a future release. "
                f"Please use the --{whole} flag instead."
            )
            self._long(f"-{word}", queue)
            return
        rest = word[1:]
        while rest:
            letter, rest = rest[0], rest[1:]
            if letter == "h" and "h" not in self._letters:
                self._wants_help = True
                continue
            flag = self._letters.get(letter)
            if flag is None:
                raise CosignError(f"unknown shorthand flag: '{letter}' in {word[:200]}")
            if flag.kind == "bool" and not rest.startswith("="):
                self._take(flag, "true")
                continue
            if rest:
                self._take(flag, rest.removeprefix("="))
            elif queue:
                self._take(flag, queue.pop(0))
            else:
                raise CosignError(f"flag needs an argument: '{letter}' in {word[:200]}")
            rest = ""

    def _take(self, flag: Flag, value: str, *, announce: bool = True) -> None:
        problem = _problem(flag, value)
        if problem:
            letter = f"-{flag.letter}, " if flag.letter else ""
            shown = value[:200].encode("unicode_escape").decode().replace('"', '\\"')
            raise CosignError(
                f'invalid argument "{shown}" for "{letter}--{flag.name}" flag: {problem}'
            )
        if flag.refused:
            raise CosignError(f"--{flag.name} is not taken by countermark: {flag.refused}")
        if flag.deprecated and announce:
            self._notices.append(f"Flag --{flag.name} has been deprecated, {flag.deprecated}")
        if flag.kind in ("texts", "pairs"):
            more = value.split(",") if flag.kind == "pairs" else [value]
            self._values.setdefault(flag.name, []).extend(more)
        else:
            self._values[flag.name] = [value]

    def _finished(self, given: frozenset[str], arguments: "list[str]") -> Words:
        texts, lists, switches = {}, {}, {}
        for flag in self._flags.values():
            found = self._values.get(flag.name)
            if flag.kind in ("texts", "pairs"):
                lists[flag.name] = tuple(found or ())
            elif flag.kind == "bool":
                switches[flag.name] = (found[0] if found else flag.default) in _TRUE
            else:
                texts[flag.name] = found[0] if found else flag.default
        return Words(
            texts=texts,
            lists=lists,
            switches=switches,
            given=given,
            arguments=tuple(arguments),
            notices=tuple(self._notices),
            wants_help=self._wants_help,
        )


def _problem(flag: Flag, value: str) -> str:
    """Go's words for what is wrong with a value, "" where nothing is."""
    quoted = '"' + value[:200].encode("unicode_escape").decode().replace('"', '\\"') + '"'
    if flag.kind == "bool" and value not in (*_TRUE, *_FALSE):
        return f"strconv.ParseBool: parsing {quoted}: invalid syntax"
    if flag.kind == "number" and not (
        value.isascii() and value.lstrip("+-").isdigit() and len(value) < 10
    ):
        return f"strconv.ParseInt: parsing {quoted}: invalid syntax"
    if flag.kind == "seconds":
        try:
            duration(value)
        except ValueError:
            return f"time: invalid duration {quoted}"
    if flag.choices and value not in flag.choices:
        return "must be one of " + ", ".join(f'"{choice}"' for choice in flag.choices)
    return ""


def duration(text: str) -> float:
    """Read a duration as Go's time.ParseDuration does: ``3m0s``, ``1.5h``; in seconds.

    Raises:
        ValueError: it is none.
    """
    sign, rest = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    if rest == "0":
        return 0.0
    total = 0.0
    while rest:
        number = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        rest = rest[len(number) :]
        unit = rest[: len(rest) - len(rest.lstrip("nuµmsh"))]
        if number.count(".") > 1 or number in ("", ".") or unit not in _UNITS:
            raise ValueError(text)
        total += float(number) * _UNITS[unit]
        rest = rest[len(unit) :]
    if not text or text in "+-":
        raise ValueError(text)
    return sign * total
