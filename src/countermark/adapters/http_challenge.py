"""What a server wants before it answers: WWW-Authenticate, read whatever is in it."""

from countermark.core import limits
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


class Challenge(Value):
    """One way to authenticate: ``bearer`` or ``basic``, with its parameters; names are lower case."""

    scheme: str
    parameters: "Mapping[str, str]" = {}  # noqa: RUF012 - frozen, and never written to

    def parameter(self, name: str) -> str:
        """A parameter, "" where there is none."""
        return self.parameters.get(name, "")


def parse_challenges(values: "Iterable[str]") -> tuple[Challenge, ...]:
    """Read the challenges of all WWW-Authenticate headers (RFC 9110, 11.6.1) in the order sent.

    It never fails: what cannot be understood is left out, since a server may offer schemes that we do not know beside
    one that we do. Of a parameter sent twice the first counts.
    """
    found: list[Challenge] = []
    for value in values:
        for item in _items(value):
            scheme, parameter = _scheme(item)
            if scheme:
                if len(found) == limits.CHALLENGES:
                    return tuple(found)
                found.append(Challenge(scheme=scheme.lower(), parameters={}))
            name, equals, text = parameter.partition("=")
            name = name.strip().lower()
            if found and equals and name and _TOKEN.issuperset(name):
                before = dict(found[-1].parameters)
                before.setdefault(name, _unquoted(text.strip()))
                found[-1] = found[-1].replace(parameters=before)
    return tuple(found)


def _items(value: str) -> "Iterator[str]":
    """Split at commas outside quotes."""
    start, quoted, escaped = 0, False, False
    for at, char in enumerate(value):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            yield value[start:at].strip()
            start = at + 1
    yield value[start:].strip()


def _scheme(item: str) -> tuple[str, str]:
    """Split ``Bearer realm="x"`` into scheme and first parameter; a parameter alone has no scheme."""
    word, space, rest = item.partition(" ")
    if word and _TOKEN.issuperset(word) and "=" not in word and not rest.lstrip().startswith("="):
        return word, rest.strip() if space else ""
    return "", item


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    found: list[str] = []
    escaped = False
    for char in text[1:]:
        if escaped or char not in '\\"':
            found.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            break
    return "".join(found)
