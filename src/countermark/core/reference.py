"""Image references as people write them, and the subject they pin to.

The grammar and the short forms are those of docker (distribution/reference): ``alpine`` is
``docker.io/library/alpine``, and a first component is a registry when it has a dot, a colon or an upper-case
letter, or is ``localhost``.
"""

from countermark.core.digest import Digest
from countermark.core.errors import InputError
from countermark.core.value import Value

DOCKER_HUB = "docker.io"
_MAX_NAME = 255  # distribution/reference NameTotalLengthMax
_MAX_TAG = 128

# Sets of characters and not patterns: the module `re` costs a cold start 5 ms.
_DIGITS = frozenset("0123456789")
_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz") | _DIGITS
_ALNUM = _LOWER | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_HEX = _DIGITS | frozenset("abcdefABCDEF")
_TAG_FIRST = _ALNUM | {"_"}
_TAG_REST = _TAG_FIRST | {".", "-"}


def _is_component(text: str) -> bool:
    """``[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*``: runs of letters, one separator of a kind between them."""
    if not text or text[0] not in _LOWER or text[-1] not in _LOWER:
        return False
    separator = ""
    for char in text:
        if char in _LOWER:
            if separator and separator not in (".", "_", "__") and set(separator) != {"-"}:
                return False
            separator = ""
        else:
            separator += char
    return True


def _is_path(text: str) -> bool:
    return all(_is_component(part) for part in text.split("/"))


def _is_label(text: str) -> bool:
    return (
        bool(text)
        and _ALNUM.union("-").issuperset(text)
        and text[0] in _ALNUM
        and text[-1] in _ALNUM
    )


def _is_registry(text: str) -> bool:
    """A host name or an IPv6 address in brackets, and perhaps a port."""
    if text.startswith("["):
        address, bracket, port = text[1:].partition("]")
        if not bracket or not address or not _HEX.union(":").issuperset(address):
            return False
        return not port or (port[0] == ":" and _is_port(port[1:]))
    host, colon, port = text.partition(":")
    return all(_is_label(label) for label in host.split(".")) and (not colon or _is_port(port))


def _is_port(text: str) -> bool:
    return bool(text) and _DIGITS.issuperset(text)


def _is_tag(text: str) -> bool:
    return 0 < len(text) <= _MAX_TAG and text[0] in _TAG_FIRST and _TAG_REST.issuperset(text)


def _is_image_id(text: str) -> bool:
    return len(text) == 64 and _DIGITS.union("abcdef").issuperset(text)


class Repository(Value):
    """A registry and a path in it: ``docker.io`` and ``library/alpine``."""

    registry: str
    path: str

    def _check(self) -> None:
        if not _is_registry(self.registry):
            raise InputError(f"invalid reference format: registry {self.registry[:80]!r}")
        if not _is_path(self.path):
            hint = "repository name must be lowercase" if self.path.lower() != self.path else ""
            raise InputError(f"invalid reference format: {hint or repr(self.path[:80])}")
        if len(self.path) > _MAX_NAME:
            raise InputError(f"repository name must not be more than {_MAX_NAME} characters")

    @property
    def name(self) -> str:
        """The full name: what content trust calls the GUN."""
        return f"{self.registry}/{self.path}"

    @property
    def familiar(self) -> str:
        """The short name that docker shows: ``alpine`` for ``docker.io/library/alpine``."""
        if self.registry != DOCKER_HUB:
            return self.name
        head, _, tail = self.path.partition("/")
        return tail if head == "library" and "/" not in tail else self.path

    def __str__(self) -> str:
        return self.name


class ImageReference(Value):
    """What a person typed: a repository with a tag, a digest, both or neither."""

    repository: Repository
    tag: str | None = None
    digest: Digest | None = None

    def _check(self) -> None:
        if self.tag is not None and not _is_tag(self.tag):
            raise InputError(f"invalid reference format: tag {self.tag[:80]!r}")

    @classmethod
    def parse(cls, text: str) -> "ImageReference":
        """Read a reference in any of docker's forms; no tag is added.

        Raises:
            InputError: not a reference, a name in upper case, a bare image ID.
        """
        if _is_image_id(text):
            raise InputError(
                f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
            )
        rest, at, digest_text = text.partition("@")
        digest = _parse_digest(digest_text) if at else None
        head, slash, tail = rest.partition("/")
        if slash and ("." in head or ":" in head or head == "localhost" or head.lower() != head):
            registry, remainder = head, tail
        else:
            registry, remainder = DOCKER_HUB, rest
        path, colon, tag = remainder.partition(":")
        if registry == "index.docker.io":
            registry = DOCKER_HUB
        if registry == DOCKER_HUB and path and "/" not in path:
            path = f"library/{path}"
        return cls(
            repository=Repository(registry=registry, path=path),
            tag=tag if colon else None,
            digest=digest,
        )

    def with_default_tag(self) -> "ImageReference":
        """Add ``latest`` where neither a tag nor a digest was given."""
        return self if self.tag or self.digest else self.replace(tag="latest")

    @property
    def familiar(self) -> str:
        """The form that docker shows to people."""
        return self.repository.familiar + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.repository.name + self._suffix


def _parse_digest(text: str) -> Digest:
    try:
        return Digest.parse(text)
    except InputError as error:
        raise InputError(f"invalid reference format: {error}") from None


class Subject(Value):
    """The one manifest that a decision is about: repository, digest, perhaps the tag that led to it.

    ``size`` is the manifest's length in bytes and ``media_type`` its type, where they are known.
    """

    repository: Repository
    digest: Digest
    tag: str | None = None
    size: int | None = None
    media_type: str | None = None

    @property
    def pinned(self) -> ImageReference:
        """The reference by digest alone."""
        return ImageReference(repository=self.repository, digest=self.digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository.name}{tag}@{self.digest}"
