"""Image references as people write them, and the subject they pin to.

The grammar and the short forms are those of docker (distribution/reference): ``alpine`` is
``docker.io/library/alpine``, and a first component is a registry when it has a dot, a colon or an upper-case
letter, or is ``localhost``.
"""

import re

from countermark.core.digest import Digest
from countermark.core.errors import InputError
from countermark.core.value import Value

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_ID = re.compile(r"[0-9a-f]{64}")
_MAX_NAME = 255  # distribution/reference NameTotalLengthMax

DOCKER_HUB = "docker.io"


class Repository(Value):
    """A registry and a path in it: ``docker.io`` and ``library/alpine``."""

    registry: str
    path: str

    def _check(self) -> None:
        if not _REGISTRY.fullmatch(self.registry):
            raise InputError(f"invalid reference format: registry {self.registry[:80]!r}")
        if not _PATH.fullmatch(self.path):
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
        if self.tag is not None and not _TAG.fullmatch(self.tag):
            raise InputError(f"invalid reference format: tag {self.tag[:80]!r}")

    @classmethod
    def parse(cls, text: str) -> "ImageReference":
        """Read a reference in any of docker's forms; no tag is added.

        Raises:
            InputError: not a reference, a name in upper case, a bare image ID.
        """
        if _ID.fullmatch(text):
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
