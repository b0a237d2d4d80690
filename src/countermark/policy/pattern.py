"""Image patterns: what one matches, which is more specific, whether two can meet.

A pattern is anchored on host, path, tag and digest separately. ``*`` stays inside one component; ``**`` is one
component or more; without a tag it means any tag or digest. Short names are completed as in references: ``alpine`` is
``docker.io/library/alpine``. Where a short name with a ``*`` could be read in two ways it is refused.
"""

from countermark.core.digest import Digest
from countermark.core.errors import InputError
from countermark.core.reference import DOCKER_HUB, ImageReference, Repository, Subject
from countermark.core.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SPAN = "**"
_MANY = "\0many"  # any number of components, also none; no component can be written so


class Pattern(Value):
    """Which images a rule is about.

    Attributes:
        parts: the host, then the path's components; each is a text with ``*`` in it or not, or ``**``.
        tag: a text with ``*`` in it or not; None for any tag, or none.
        digest: the only digest meant; None for any.
    """

    parts: tuple[str, ...]
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Read a pattern.

        Raises:
            InputError: no name that an image could have, or one that could be read in two ways.
        """
        name, at, digest = text.partition("@")
        slash = name.rfind("/") + 1
        last, colon, tag = name[slash:].partition(":")
        parts = _completed([*name[:slash].split("/")[:-1], last], text)
        pattern = cls(
            parts=tuple(parts),
            tag=tag if colon else None,
            digest=Digest.parse(digest) if at else None,
        )
        _check_name(pattern, text)
        return pattern

    @property
    def specificity(self) -> tuple[int, ...]:
        """The lower, the more specific; compared from the left, the first difference decides.

        For each component from the left: literal before one with ``*`` before ``**`` before none; then a digest
        before none; then a tag before a tag with ``*`` before none. Characters are not counted.
        """
        kinds = [2 if part == _SPAN else int("*" in part) for part in self.parts]
        tag = 2 if self.tag is None else int("*" in self.tag)
        return (*kinds, 3, int(self.digest is None), tag)

    def matches(self, image: ImageReference | Subject) -> bool:
        """Say whether an image is meant: its name, and its tag and digest as far as it has them."""
        name = (image.repository.registry, *image.repository.path.split("/"))
        return (
            _covers_parts(self.parts, name)
            and (self.digest is None or image.digest == self.digest)
            and (self.tag is None or (image.tag is not None and glob_covers(self.tag, image.tag)))
        )

    def covers(self, other: "Pattern") -> bool:
        """Say whether this one surely matches whatever the other matches."""
        return (
            _covers_parts(self.parts, other.parts)
            and self.digest in (None, other.digest)
            and (self.tag is None or (other.tag is not None and glob_covers(self.tag, other.tag)))
        )

    def meets(self, other: "Pattern") -> bool:
        """Say whether some image could match both."""
        return (
            (self.digest is None or other.digest is None or self.digest == other.digest)
            and (self.tag is None or other.tag is None or globs_meet(self.tag, other.tag))
            and _meet_sequences(_spread(self.parts), _spread(other.parts), _MANY, globs_meet)
        )

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return "/".join(self.parts) + tag + digest


def _completed(parts: list[str], text: str) -> list[str]:
    """Add the registry and ``library/`` where a short name leaves them out, as docker does."""
    first = parts[0]
    if first == _SPAN:
        return parts
    if len(parts) > 1 and (
        first == "*"
        or "." in first
        or ":" in first
        or first == "localhost"
        or first != first.lower()
    ):
        host, path = first, parts[1:]
    elif "*" in first or (len(parts) == 1 and "." in first):
        raise InputError(
            f"pattern {text!r} may mean a registry or an image of Docker Hub",
            hint=f"write {first}/** for a registry, {DOCKER_HUB}/{text} for an image, '**' for every image",
        )
    else:
        host, path = DOCKER_HUB, parts
    if host == "index.docker.io":
        host = DOCKER_HUB
    if host == DOCKER_HUB and len(path) == 1 and path[0] != _SPAN:
        path = ["library", *path]
    return [host, *path]


def _check_name(pattern: Pattern, text: str) -> None:
    """Refuse what no image could be called; a ``*`` stands for some character that fits anywhere."""
    if any(_SPAN in part and part != _SPAN for part in pattern.parts) or _SPAN in (
        pattern.tag or ""
    ):
        raise InputError(
            f"pattern {text!r}: '**' is a whole component of the path, '*' a piece of one"
        )
    host, *path = (part.replace(_SPAN, "1").replace("*", "1") for part in pattern.parts)
    try:
        ImageReference(
            repository=Repository(registry=host, path="/".join(path) or "1"),
            tag=None if pattern.tag is None else pattern.tag.replace("*", "1"),
        )
    except InputError as error:
        raise InputError(f"pattern {text!r}: {error}") from None


def _spread(parts: "Sequence[str]") -> list[str]:
    spread: list[str] = []
    for part in parts:
        spread += ("*", _MANY) if part == _SPAN else (part,)
    return spread


def _covers_parts(pattern: "Sequence[str]", name: "Sequence[str]") -> bool:
    if _SPAN not in pattern:
        return len(pattern) == len(name) and all(map(_covers_one, pattern, name))
    # '**' may take its one component from anywhere among those that it spans: hence many, one, many
    ours: list[str] = []
    for part in pattern:
        ours += (_MANY, "*", _MANY) if part == _SPAN else (part,)
    return _covers_sequences(ours, _spread(name), _MANY, _covers_one)


def _covers_one(pattern: str, part: str) -> bool:
    return part not in (_MANY, _SPAN) and glob_covers(pattern, part)


def glob_covers(pattern: str, text: str) -> bool:
    """Match a text; a ``*`` in the text itself is only covered by one in the pattern."""
    if "*" not in pattern:
        return pattern == text
    return _covers_sequences(pattern, text, "*", str.__eq__)


def _covers_sequences(
    pattern: "Sequence[str]", text: "Sequence[str]", star: str, fits: "Callable[[str, str], bool]"
) -> bool:
    """Match item by item, going back to the last star only: linear in each star's reach."""
    at = position = 0
    last_star, retry = -1, 0
    while position < len(text):
        if at < len(pattern) and pattern[at] == star:
            last_star, retry = at, position
            at += 1
        elif at < len(pattern) and fits(pattern[at], text[position]):
            at, position = at + 1, position + 1
        elif last_star >= 0:
            retry += 1
            at, position = last_star + 1, retry
        else:
            return False
    return all(item == star for item in pattern[at:])


def globs_meet(one: str, other: str) -> bool:
    """Say whether some text matches both."""
    if "*" not in one and "*" not in other:
        return one == other
    return _meet_sequences(one, other, "*", str.__eq__)


def _meet_sequences(
    one: "Sequence[str]", other: "Sequence[str]", star: str, meet: "Callable[[str, str], bool]"
) -> bool:
    """Say whether some sequence matches both: which pairs of places can be reached together?"""
    reached = {(0, 0)}
    for i in range(len(one) + 1):
        for j in range(len(other) + 1):
            if (i, j) not in reached:
                continue
            left = one[i] if i < len(one) else ""
            right = other[j] if j < len(other) else ""
            if star in (left, right):
                # a star ends here, or takes one more item of the other
                reached.update(((i + 1, j), (i, j + 1)))
            elif left and right and meet(left, right):
                reached.add((i + 1, j + 1))
    return (len(one), len(other)) in reached
