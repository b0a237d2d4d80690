"""The images that a Dockerfile uses, and the same Dockerfile with other names in their places.

Two parsers read these files: the classic builder's, and BuildKit's, which knows heredocs and picks a frontend by a
``syntax`` line. What they would read differently is refused, since an image that only one of them sees would be
fetched unchecked. All else stays byte for byte. Rules: moby/buildkit frontend/dockerfile/parser and instructions.
"""

import re
from collections.abc import Iterator

from countermark.core.errors import InputError
from countermark.core.reference import ImageReference
from countermark.core.value import Value
from countermark.enforce.dockerfile_words import Arguments, FlagWord, flag_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 1024 * 1024  # of a Dockerfile; BuildKit's own bound is 64 KiB a line
_SPACE = "\t\v\f\r "
_DIRECTIVE = re.compile(r"[\t\v\f\r ]*#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S+)(.*)")
_INSTRUCTIONS = frozenset(
    (
        *("add", "arg", "cmd", "copy", "entrypoint", "env", "expose", "from", "healthcheck"),
        *("label", "maintainer", "onbuild", "run", "shell", "stopsignal", "user", "volume"),
        "workdir",
    )
)
_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)")
_HEREDOC_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# white space to Go, invisible to a reader: a line that begins with it reads differently in each parser
_ODD_START = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
)


class ImageUse(Value):
    """An image that the build fetches: its name, and where the text stands that names it (bytes from, to)."""

    name: str
    line: int
    start: int
    end: int


class Dockerfile(Value):
    """A parsed Dockerfile: its bytes, the images it uses, and stage names to be written out where a variable was."""

    content: bytes
    uses: tuple[ImageUse, ...]
    stages: tuple[ImageUse, ...] = ()

    def rewritten(self, names: "Mapping[str, str]") -> bytes:
        """Return the file with each used image's name replaced by what ``names`` has for it."""
        new = bytearray(self.content)
        places = [(use, names.get(use.name, "")) for use in self.uses]
        places += [(stage, stage.name) for stage in self.stages]
        for use, name in sorted(places, key=lambda place: place[0].start, reverse=True):
            if name:
                new[use.start : use.end] = name.encode()
        return bytes(new)


def parse(
    content: bytes,
    build_arguments: "Mapping[str, str]",
    contexts: "frozenset[str]" = frozenset(),
    platform: str = "",
) -> Dockerfile:
    """Find the images of a Dockerfile.

    ``build_arguments`` are those of the command line, ``contexts`` the names (``context_key``) that stand for named
    build contexts instead of images, ``platform`` the one target platform, if there is exactly one.

    Raises:
        InputError: what cannot be understood for certain; the message says which line and why.
    """
    if len(content) > MAX_BYTES:
        raise InputError(f"the Dockerfile is longer than {MAX_BYTES} bytes")
    return _Parser(content, build_arguments, contexts, platform).parse()


def context_key(name: str) -> str:
    """The form in which BuildKit compares the names of images and of named contexts: familiar, without ``latest``."""
    try:
        return ImageReference.parse(name).with_default_tag().familiar.removesuffix(":latest")
    except InputError:
        return name


class _Line(Value):
    """A logical line: its text, one character a byte, the place of each byte in the file, and its number."""

    text: str
    places: tuple[int, ...]
    number: int


class _Parser:
    """Walks over the lines once; see ``parse``."""

    def __init__(
        self,
        content: bytes,
        build_arguments: "Mapping[str, str]",
        contexts: "frozenset[str]",
        platform: str,
    ) -> None:
        self._content = content
        self._text = content.decode("latin-1")  # one character a byte, so that places are bytes
        self._arguments = Arguments(build_arguments, platform)
        self._contexts = contexts
        self._escape = "\\"
        self._uses: list[ImageUse] = []
        self._written: list[ImageUse] = []
        self._stages: list[str] = []
        self._from_names: list[
            tuple[str, int]
        ] = []  # COPY --from and mounts that were taken for images
        self._onbuild: list[_Line] = []
        self._from_stage = False

    def parse(self) -> Dockerfile:
        raw = list(self._raw_lines())
        self._directives(raw)
        for line in self._logical_lines(raw):
            self._instruction(line)
        if not self._stages:
            raise InputError("the Dockerfile has no FROM")
        if self._from_stage:  # only then can an ONBUILD of this file run in this very build
            for line in self._onbuild:
                self._sources(line)
        for name, number in self._from_names:
            if name.lower() in self._stages:
                raise InputError(
                    f"line {number}: {name[:80]!r} is a later stage for one builder and an image for the other"
                )
        return Dockerfile(
            content=self._content, uses=tuple(self._uses), stages=tuple(self._written)
        )

    def _raw_lines(self) -> Iterator[_Line]:
        """Split at line feeds; a carriage return before one, and a byte order mark at the start, are no text."""
        start = 3 if self._content.startswith(b"\xef\xbb\xbf") else 0
        number = 0
        while start < len(self._text):
            number += 1
            end = self._text.find("\n", start)
            end = len(self._text) if end < 0 else end
            text = self._text[start:end].rstrip("\r")
            places = tuple(range(start, start + len(text)))
            yield _Line(text=text, places=places, number=number)
            start = end + 1

    def _directives(self, raw: list[_Line]) -> None:
        """Read the lines at the top that choose a frontend and the escape character."""
        first = raw[0].text.lstrip(_SPACE) if raw else ""
        if first.startswith(("//", "{")):
            raise InputError("line 1: a Dockerfile in another notation than Dockerfile's")
        shebang = first.startswith("#!")
        plain = not shebang  # whether every parser still looks for directives
        for line in raw[1:] if shebang else raw:
            found = _DIRECTIVE.fullmatch(line.text)
            if not found:
                break
            key, value = found[1].lower(), found[2]
            if key == "syntax":
                self._use(line, found.start(2), found.end(2), value)
            elif key == "escape":
                if value not in ("\\", "`") or (not plain and value != "\\"):
                    raise InputError(
                        f"line {line.number}: an escape directive that parsers differ on"
                    )
                self._escape = value
            if key not in ("syntax", "escape"):
                plain = False  # older parsers stop here, newer ones know ``check`` too

    def _logical_lines(self, raw: list[_Line]) -> Iterator[_Line]:
        """Join continued lines, leave out comments and the bodies of heredocs."""
        rest = iter(raw)
        for line in rest:
            text = line.text.lstrip(_SPACE)
            if not text or text.startswith("#"):
                continue
            skipped = len(line.text) - len(text)
            texts, places = [text], [line.places[skipped:]]
            self._check_start(line)
            more = self._is_continued(text, line.number)
            while more:
                texts[-1] = texts[-1].rstrip("\t ")[:-1]
                places[-1] = places[-1][: len(texts[-1])]
                following = self._following(rest)
                if following is None:
                    break
                more = self._is_continued(following.text, following.number)
                texts.append(following.text)
                places.append(following.places)
            whole = tuple(place for each in places for place in each)
            logical = _Line(text="".join(texts), places=whole, number=line.number)
            yield logical
            self._skip_heredocs(logical, rest)

    def _following(self, rest: Iterator[_Line]) -> _Line | None:
        """The line that a continued one goes on with: empty ones and comments in between do not count."""
        for line in rest:
            self._check_start(line)
            text = line.text.lstrip(_SPACE)
            if text and not text.startswith("#"):
                return line
        return None

    def _is_continued(self, text: str, number: int) -> bool:
        end = text.rstrip("\t ")
        if end.endswith(self._escape * 2):
            raise InputError(
                f"line {number}: builders differ on a line that ends in two {self._escape}"
            )
        return end.endswith(self._escape)

    def _check_start(self, line: _Line) -> None:
        text = line.text.lstrip(_SPACE).encode("latin-1")[:8].decode("utf-8", "replace")
        if _ODD_START.match(text):
            raise InputError(f"line {line.number}: begins with an invisible character")

    def _skip_heredocs(self, line: _Line, rest: Iterator[_Line]) -> None:
        command, _, arguments = _split(line.text)
        while command == "onbuild":
            command, _, arguments = _split(arguments)
        if command not in ("add", "copy", "run") or "<<" not in arguments:
            return
        for chomp, name in _heredocs(arguments, line.number):
            before = ""
            for body in rest:
                text = body.text.lstrip("\t") if chomp else body.text
                if text == name:
                    break
                before = body.text
            else:
                raise InputError(f"line {line.number}: the heredoc {name} does not end")
            if before.rstrip("\t ").endswith(self._escape):
                raise InputError(
                    f"line {line.number}: builders differ on where the heredoc {name} ends"
                )

    def _instruction(self, line: _Line) -> None:
        command, start, _ = _split(line.text)
        if command == "from":
            self._from(line, start)
        elif command == "arg" and not self._stages:
            self._arguments.declare(line.text[start:], line.number)
        elif command == "onbuild":
            self._onbuild.append(line)
        elif command in ("copy", "add", "run"):
            self._sources(line)
        elif command not in _INSTRUCTIONS:
            raise InputError(f"line {line.number}: unknown instruction {command[:40]!r}")

    def _from(self, line: _Line, start: int) -> None:
        place = flag_words(line.text, start, line.number)[1]
        if not line.text.isascii() or set(line.text) & set("\"'\\`"):
            raise InputError(f"line {line.number}: quotes or unusual characters in FROM")
        pieces = list(re.finditer(r"[^\t\v\f\r ]+", line.text[place:]))
        if len(pieces) not in (1, 3) or (len(pieces) == 3 and pieces[1][0].lower() != "as"):
            raise InputError(f"line {line.number}: FROM takes an image, and AS with a name")
        image = pieces[0]
        name = self._arguments.expand(image[0], line.number)
        first, last = place + image.start(), place + image.end()
        if name.lower() in self._stages:
            self._from_stage = True
            if name != image[0]:
                self._written.append(self._place(line, first, last, name))
        elif context_key(name) not in self._contexts and name != "scratch":
            self._use(line, first, last, name)
        self._stages.append(pieces[2][0].lower() if len(pieces) == 3 else "")

    def _sources(self, line: _Line) -> None:
        """Find the images that COPY --from and RUN --mount take files from."""
        command, start, _ = _split(line.text)
        if command == "onbuild":
            inner, offset, _ = _split(line.text[start:])
            command, start = inner, start + offset
        if command not in ("copy", "add", "run"):
            return
        for word in flag_words(line.text, start, line.number)[0]:
            name, equals, value = word.text.partition("=")
            if name in ("--from", "--mount") and not equals:
                raise InputError(f"line {line.number}: builders differ on {name} without =")
            if command in ("copy", "add") and name == "--from":
                self._source(line, word, word.start + len("--from="), value)
            elif command == "run" and name == "--mount":
                self._mount(line, word, value)

    def _mount(self, line: _Line, word: FlagWord, value: str) -> None:
        if "from" not in value.lower():
            return
        if '"' in value or not word.is_plain:
            raise InputError(f"line {line.number}: quotes in --mount with from")
        place = word.start + len("--mount=")
        for field in value.split(","):
            key, equals, image = field.partition("=")
            if key.lower() == "from" and equals and image:
                self._source(line, word, place + len(key) + 1, image)
            place += len(field) + 1

    def _source(self, line: _Line, word: FlagWord, start: int, name: str) -> None:
        if not word.is_plain or "$" in name or not name:
            raise InputError(
                f"line {line.number}: quotes or variables in {word.text[:80]!r};"
                " name the image in a FROM line of its own, and use that stage"
            )
        if name.isdigit() or name.lower() in self._stages or name == "scratch":
            return
        if context_key(name) not in self._contexts:
            self._from_names.append((name, line.number))
            self._use(line, start, start + len(name), name)

    def _use(self, line: _Line, start: int, end: int, name: str) -> None:
        self._uses.append(self._place(line, start, end, name))

    def _place(self, line: _Line, start: int, end: int, name: str) -> ImageUse:
        places = line.places[start:end]
        if not places or places[-1] - places[0] != end - start - 1:
            raise InputError(f"line {line.number}: the name of an image goes over two lines")
        if not name:
            raise InputError(f"line {line.number}: the name of the image is empty")
        return ImageUse(name=name, line=line.number, start=places[0], end=places[-1] + 1)


def _split(text: str) -> tuple[str, int, str]:
    """Split off the first word: it in lower case, the place of the rest, the rest."""
    found = re.match(r"[\t\v\f\r ]*([^\t\v\f\r ]*)[\t\v\f\r ]*", text)
    word, end = (found[1], found.end()) if found else ("", 0)
    return (word.lower() if word.isascii() else word), end, text[end:]


def _heredocs(arguments: str, number: int) -> list[tuple[bool, str]]:
    """Find the heredocs that a line begins: whether tabs are cut, and the word that ends it."""
    if re.search(r"\$\{[^}]*[\s\"'\\]", arguments):
        raise InputError(f"line {number}: a heredoc beside an involved variable")
    after_flags = arguments[flag_words(arguments, 0, number)[1] :]
    if after_flags.startswith("["):
        raise InputError(f"line {number}: a heredoc in a list")
    found: list[tuple[bool, str]] = []
    for word in _shell_words(after_flags, number):
        heredoc = _HEREDOC.fullmatch(word)
        if not heredoc:
            continue
        name = heredoc[2]
        if name[0] in "\"'" and name[-1] == name[0]:
            name = name[1:-1]
        if not _HEREDOC_NAME.fullmatch(name) or name.lower() in _INSTRUCTIONS:
            raise InputError(f"line {number}: builders may differ on the heredoc {word[:40]!r}")
        found.append((bool(heredoc[1]), name))
    return found


def _shell_words(text: str, number: int) -> list[str]:
    """Split at white space outside quotes; quotes and escapes stay in the words."""
    words = re.findall(r"""(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+""", text, re.DOTALL)
    if sum(map(len, words)) != len(re.sub(r"""("(?:[^"\\]|\\.)*"|'[^']*'|\\.)|\s""", r"\1", text)):
        raise InputError(f"line {number}: a heredoc beside an open quote")
    return words
