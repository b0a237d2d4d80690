"""Builds: every image that a build fetches, in the Dockerfile and on the command line."""

from countermark.core.errors import InputError
from countermark.core.reference import ImageReference
from countermark.enforce import dockerfile
from countermark.enforce.docker_flags import Flag
from countermark.enforce.docker_plan import (
    Build,
    NamedImage,
    PassThrough,
    Settings,
    Understood,
    images_in,
    needs_check,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol
else:
    Protocol = object

_URLS = ("http://", "https://", "git://", "ssh://", "git@", "github.com/")
_ARCHIVES = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")  # gzip, bzip2, xz, zstd
_TAR_MAGIC = slice(257, 262)


class BuildFiles(Protocol):
    """The files that a build reads."""

    def read(self, path: str) -> bytes | None:
        """Return a file's content, None where there is none; longer than a Dockerfile may be is an InputError."""
        ...

    def is_folder(self, path: str) -> bool:
        """Say whether a path is a folder."""
        ...

    def standard_input(self) -> bytes:
        """Read standard input to its end; longer than a Dockerfile may be is an InputError."""
        ...


def plan_build(
    understood: Understood, settings: Settings, files: BuildFiles
) -> PassThrough | Build:
    """Plan a build: read its Dockerfile and find every image.

    Raises:
        InputError: a context, a Dockerfile or a flag that cannot be checked.
    """
    parsed = understood.parsed
    if len(parsed.arguments) != 1:
        return PassThrough(words=understood.words)  # docker says what is wrong
    context = understood.words[parsed.arguments[0]]
    content, file_name, ignore, from_input = _dockerfile(understood, context, files)
    words, places = understood.without("disable-content-trust", "file")
    contexts, images = _contexts(understood, words, places)
    images += _flag_images(understood, words, places)
    parsed_file = dockerfile.parse(
        content, _build_arguments(understood, settings), contexts, _platform(understood)
    )
    uses = tuple(use for use in parsed_file.uses if _needs_check(use, settings))
    return Build(
        words=words,
        images=tuple(image for image in images if needs_check(image.name, settings)),
        dockerfile=parsed_file.replace(uses=uses),
        place=-1 if from_input else understood.start,
        file_name=file_name,
        ignore=ignore,
    )


def _needs_check(use: dockerfile.ImageUse, settings: Settings) -> bool:
    try:
        return needs_check(use.name, settings)
    except InputError as error:
        raise InputError(f"line {use.line} of the Dockerfile: {error}", hint=error.hint) from None


def _dockerfile(
    understood: Understood, context: str, files: BuildFiles
) -> tuple[bytes, str, bytes | None, bool]:
    """The Dockerfile, its name, the ignore file of its own, and whether the build reads it from standard input."""
    flag = understood.parsed.last("file")
    path = (flag.value or "") if flag else ""
    if context == "-":
        content = files.standard_input()
        if path or content.startswith(_ARCHIVES) or content[_TAR_MAGIC] == b"ustar":
            raise InputError(
                "content trust is on, and a build context from standard input cannot be checked",
                hint="unpack it, and give the folder",
            )
        return content, "Dockerfile", None, True
    if not files.is_folder(context):
        raise InputError(
            f"content trust is on, and the build context {context[:80]!r} is no local folder",
            hint="fetch it, and give the folder",
        )
    if path == "-":
        return files.standard_input(), "Dockerfile", None, False
    if path.startswith(_URLS):
        raise InputError("content trust is on, and a Dockerfile from elsewhere cannot be checked")
    candidates = (path,) if path else (f"{context}/Dockerfile", f"{context}/dockerfile")
    for candidate in candidates:
        found = files.read(candidate)
        if found is not None:
            ignore = files.read(f"{candidate}.dockerignore")
            return found, candidate.rpartition("/")[2], ignore, False
    raise InputError(f"unable to prepare context: no such file: {candidates[0]}")


def _build_arguments(understood: Understood, settings: Settings) -> dict[str, str]:
    found: dict[str, str] = {}
    for flag in understood.parsed.all("build-arg"):
        name, equals, value = (flag.value or "").partition("=")
        if equals:
            found[name] = value
        elif name in settings.environment:
            found[name] = settings.environment[name]
    return found


def _platform(understood: Understood) -> str:
    given = [flag.value or "" for flag in understood.parsed.all("platform")]
    return given[0] if len(given) == 1 and "," not in given[0] else ""


def _contexts(
    understood: Understood, words: tuple[str, ...], places: "Mapping[int, int]"
) -> tuple[frozenset[str], list[NamedImage]]:
    """The names that stand for named contexts, and the images among those contexts."""
    names: set[str] = set()
    images: list[NamedImage] = []
    for flag in understood.parsed.all("build-context"):
        name, _, value = (flag.value or "").partition("=")
        names.add(dockerfile.context_key(name))
        scheme, _, image = value.partition("://")
        if scheme == "docker-image" and image:
            images.append(_at_end(flag, words, places, image))
        elif "://" in value or value.startswith(_URLS) or value.startswith("target:"):
            raise InputError(
                f"content trust is on, and the build context {name[:80]!r} cannot be checked",
                hint="a local folder or docker-image://IMAGE can",
            )
    return frozenset(names), images


def _flag_images(
    understood: Understood, words: tuple[str, ...], places: "Mapping[int, int]"
) -> list[NamedImage]:
    """The images that flags name: caches in registries, the frontend, the SBOM generator."""
    parsed = understood.parsed
    found: list[NamedImage] = []
    for flag in parsed.all("cache-from"):
        found += _cache(flag, words, places)
    for flag in parsed.all("build-arg"):
        name, equals, value = (flag.value or "").partition("=")
        if name == "BUILDKIT_SYNTAX" and equals and value:
            found.append(_at_end(flag, words, places, value.strip()))
        elif name == "BUILDKIT_SYNTAX":
            raise InputError("content trust is on: give --build-arg BUILDKIT_SYNTAX its value")
    for flag in (*parsed.all("sbom"), *parsed.all("attest")):
        found += _generator(flag, words, places)
    return found


def _cache(flag: Flag, words: tuple[str, ...], places: "Mapping[int, int]") -> list[NamedImage]:
    value = flag.value or ""
    if "=" in value:
        is_registry = "type=registry" in [field.strip().lower() for field in value.split(",")]
        return (
            images_in(flag, words, places, ("ref",)) if is_registry or "type=" not in value else []
        )
    word = places[flag.last]
    place = len(words[word]) - len(value)
    found: list[NamedImage] = []
    for name in value.split(","):
        if name:
            found.append(NamedImage(name=name, word=word, start=place, end=place + len(name)))
        place += len(name) + 1
    return found


def _generator(flag: Flag, words: tuple[str, ...], places: "Mapping[int, int]") -> list[NamedImage]:
    """The image that writes an SBOM: it runs beside the build, and a default one would come unchecked."""
    value = (flag.value or "").lower()
    if flag.name == "attest" and "type=sbom" not in value:
        return []
    if value in ("", "false", "0") or "disabled=true" in value:
        return []
    found = images_in(flag, words, places, ("generator",))
    if not found:
        raise InputError(
            f"content trust is on, and --{flag.name} runs a generator that is not named",
            hint="name it: generator=IMAGE",
        )
    return found


def _at_end(
    flag: Flag, words: tuple[str, ...], places: "Mapping[int, int]", name: str
) -> NamedImage:
    """An image that ends its flag's last word."""
    word = places[flag.last]
    end = len(words[word].rstrip())
    return NamedImage(name=name, word=word, start=end - len(name), end=end)


def reference_of(name: str) -> ImageReference:
    """Read the name of an image as builds take it: without a tag it is the latest.

    Raises:
        InputError: not a reference.
    """
    return ImageReference.parse(name).with_default_tag()
