"""A docker command line, understood: what to verify, and the same words with digests in the images' places.

Pure: nothing is run or fetched here. Commands that fetch or send images are understood, if content trust is on
(specs: notary v1, 5.1); all others are the real docker's, word for word.
"""

from countermark.core.errors import InputError
from countermark.core.reference import ImageReference
from countermark.core.value import Value
from countermark.enforce import docker_flags
from countermark.enforce.docker_flags import Flag, ParsedWords, parse_bool, parse_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from countermark.enforce.dockerfile import Dockerfile

# docker's status for words that it does not take, and for whatever keeps run from running
USAGE = 125
FAILED = 1
_HEX = frozenset("0123456789abcdef")

# words of a command -> what it is, as we treat it
_COMMANDS = {
    ("pull",): "pull",
    ("image", "pull"): "pull",
    ("push",): "push",
    ("image", "push"): "push",
    ("run",): "run",
    ("container", "run"): "run",
    ("create",): "create",
    ("container", "create"): "create",
    ("build",): "build",
    ("image", "build"): "build",
    ("builder", "build"): "build",
    ("buildx", "build"): "build",
    ("buildx", "b"): "build",
    ("buildx", "bake"): "bake",
    ("buildx", "f"): "bake",
    ("buildx", "debug"): "bake",
    ("buildx", "dap"): "bake",
}
_GROUPS = frozenset(words[0] for words in _COMMANDS if len(words) > 1)
_TABLES = {
    "pull": docker_flags.PULL,
    "push": docker_flags.PUSH,
    "run": docker_flags.CONTAINER,
    "create": docker_flags.CONTAINER,
    "build": docker_flags.BUILD,
    "bake": docker_flags.FlagTable(valued=frozenset(), plain=frozenset(), letters={}),
}
_GROUP_TABLE = docker_flags.FlagTable(
    valued=frozenset(("builder",)),
    plain=frozenset(("debug", "help")),
    letters={"D": "debug", "h": "help"},
    interspersed=False,
)


class Settings(Value):
    """What else decides how a command line is taken.

    Attributes:
        content_trust: the text of DOCKER_CONTENT_TRUST, "" where it is not set.
        has_policy: there is a policy file, so that images named by digest are judged too; docker lets those pass.
        environment: for ``--build-arg NAME`` without a value.
    """

    content_trust: str = ""
    has_policy: bool = False
    environment: "Mapping[str, str]"

    @property
    def trust_is_on(self) -> bool:
        """Whether content trust is on where no flag says otherwise: also where the text is no truth value."""
        return bool(self.content_trust) and parse_bool(self.content_trust) is not False


class NamedImage(Value):
    """An image that a word names: which word, and the part of it."""

    name: str
    word: int
    start: int
    end: int


class PassThrough(Value):
    """Nothing to verify: the real docker takes the words as they are."""

    words: tuple[str, ...]


class Refusal(Value):
    """What is said instead of running docker, and the exit status."""

    text: str
    status: int = FAILED
    command: str = ""
    hint: str = ""


class Pull(Value):
    """Fetch by digest, then tag: ``before`` are the words up to the command, ``flags`` those to pass on."""

    before: tuple[str, ...]
    reference: ImageReference
    flags: tuple[str, ...]
    all_tags: bool = False
    quiet: bool = False
    default_tag: bool = False


class Push(Value):
    """Send with the real docker, then sign; no reference where docker signs nothing (``--all-tags``)."""

    words: tuple[str, ...]
    reference: ImageReference | None


class Container(Value):
    """Run or create a container: the words, and the images among them that are to be digests."""

    command: str
    words: tuple[str, ...]
    images: tuple[NamedImage, ...]


class Build(Value):
    """Build: the words without the Dockerfile's flag, and where its flag goes back in.

    Attributes:
        words: with trust's own flags and ``--file`` taken out.
        images: among the words.
        dockerfile: parsed.
        place: of the word before which ``--file`` is put; -1 where the Dockerfile goes to standard input.
        file_name: the last part of the Dockerfile's name.
        ignore: the content of ``<Dockerfile>.dockerignore``, None where there is none.
    """

    words: tuple[str, ...]
    images: tuple[NamedImage, ...]
    dockerfile: "Dockerfile"
    place: int
    file_name: str = "Dockerfile"
    ignore: bytes | None = None


class Understood(Value):
    """A command that is ours to check: its words, what it is, where its own words begin, and its flags."""

    words: tuple[str, ...]
    command: str
    start: int
    parsed: ParsedWords

    def without(self, *names: str) -> "tuple[tuple[str, ...], dict[int, int]]":
        """The words without some flags, and for each word that stays its new place.

        Raises:
            InputError: such a flag shares its word with other letters, as in ``-qf``.
        """
        gone: set[int] = set()
        for flag in self.parsed.flags:
            if flag.name not in names:
                continue
            if sum(other.first == flag.first for other in self.parsed.flags) > 1:
                raise InputError(
                    f"{self.words[flag.first][:40]!r} is not understood while content trust is on",
                    hint=f"write --{flag.name} apart from other flags",
                )
            gone.update(range(flag.first, flag.last + 1))
        kept = [place for place in range(len(self.words)) if place not in gone]
        return tuple(self.words[place] for place in kept), {
            place: index for index, place in enumerate(kept)
        }


def global_options(words: "Sequence[str]") -> dict[str, str]:
    """The values of docker's flags before the command, by long name: ``config``, ``context``, ``host``."""
    parsed = parse_words(docker_flags.GLOBAL, words, 0)
    return {flag.name: flag.value or "" for flag in parsed.flags}


def global_words(words: "Sequence[str]") -> tuple[str, ...]:
    """Docker's flags before the command, as they were given."""
    parsed = parse_words(docker_flags.GLOBAL, words, 0)
    end = parsed.flags[-1].last + 1 if parsed.flags else 0
    return tuple(words[:end])


def understand(words: "Sequence[str]", settings: Settings) -> PassThrough | Refusal | Understood:
    """Find the command and its flags, and whether content trust is on for it."""
    given = tuple(words)
    unchanged = PassThrough(words=given)
    start, command, trouble = _command(given)
    if trouble:
        return _not_understood(given, "", trouble) if _may_be_on(given, settings) else unchanged
    if not command:
        return unchanged
    parsed = parse_words(_TABLES[command], given, start)
    if parsed.is_on("help") or not _is_on(parsed, given[start:], settings):
        return unchanged
    if command == "bake":
        return Refusal(
            text=f"content trust is on, and docker {' '.join(given[start - 2 : start])} cannot be checked",
            hint="build each target with docker buildx build",
        )
    if parsed.trouble:
        return _not_understood(given, command, parsed.trouble)
    return Understood(words=given, command=command, start=start, parsed=parsed)


def _is_on(parsed: ParsedWords, words: tuple[str, ...], settings: Settings) -> bool:
    switch = parsed.last("disable-content-trust")
    if switch is not None:
        return parse_bool(switch.value) is False
    return _may_be_on(words, settings) if parsed.trouble else settings.trust_is_on


def _command(words: tuple[str, ...]) -> tuple[int, str, str]:
    """Where a command's own words begin, what it is ("" if not ours), and what was not understood before it."""
    parsed = parse_words(docker_flags.GLOBAL, words, 0)
    if parsed.trouble:
        return 0, "", parsed.trouble
    if not parsed.arguments or parsed.is_on("help") or parsed.is_on("version"):
        return 0, "", ""
    first = parsed.arguments[0]
    if words[first] not in _GROUPS or (words[first],) in _COMMANDS:
        return first + 1, _COMMANDS.get((words[first],), ""), ""
    inner = parse_words(_GROUP_TABLE, words, first + 1)
    if inner.trouble or not inner.arguments or inner.is_on("help"):
        return 0, "", inner.trouble
    second = inner.arguments[0]
    return second + 1, _COMMANDS.get((words[first], words[second]), ""), ""


def _may_be_on(words: tuple[str, ...], settings: Settings) -> bool:
    """Whether content trust could be on, for words that were not understood to their end."""
    return settings.trust_is_on or any(w.startswith("--disable-content-trust=") for w in words)


def _not_understood(words: tuple[str, ...], command: str, trouble: str) -> Refusal:
    return Refusal(
        text=f"content trust is on, and docker {command or words[0]} has words that are not understood: {trouble}",
        status=USAGE,
        command=command,
        hint="--disable-content-trust before them leaves the image unchecked",
    )


def plan_pull(understood: Understood, settings: Settings) -> PassThrough | Refusal | Pull:
    """Plan ``docker pull``.

    Raises:
        InputError: not a reference.
    """
    parsed, words = understood.parsed, understood.words
    if len(parsed.arguments) != 1:
        return PassThrough(words=words)  # docker says what is wrong
    all_tags = parsed.is_on("all-tags")
    reference = ImageReference.parse(words[parsed.arguments[0]])
    if all_tags and (reference.tag or reference.digest):
        return Refusal(text="tag can't be used with --all-tags/-a")
    if reference.digest and not settings.has_policy:
        return PassThrough(words=words)
    platform = parsed.last("platform")
    return Pull(
        before=words[: understood.start],
        reference=reference if all_tags else reference.with_default_tag(),
        flags=("--platform", platform.value or "") if platform else (),
        all_tags=all_tags,
        quiet=parsed.is_on("quiet"),
        default_tag=not (all_tags or reference.tag or reference.digest),
    )


def plan_push(understood: Understood) -> PassThrough | Refusal | Push:
    """Plan ``docker push``.

    Raises:
        InputError: not a reference.
    """
    parsed, words = understood.parsed, understood.words
    if len(parsed.arguments) != 1:
        return PassThrough(words=words)
    all_tags = parsed.is_on("all-tags")
    reference = ImageReference.parse(words[parsed.arguments[0]])
    if reference.digest:
        return Refusal(text="cannot push a digest reference")
    if all_tags and reference.tag:
        return Refusal(text="tag can't be used with --all-tags/-a")
    kept, _ = understood.without("disable-content-trust")
    return Push(words=kept, reference=None if all_tags else reference.with_default_tag())


def plan_container(understood: Understood, settings: Settings) -> PassThrough | Refusal | Container:
    """Plan ``docker run`` and ``docker create``.

    Raises:
        InputError: not a reference.
    """
    parsed = understood.parsed
    if not parsed.arguments:
        return PassThrough(words=understood.words)
    kept, places = understood.without("disable-content-trust")
    word = places[parsed.arguments[0]]
    name = kept[word]
    images = [NamedImage(name=name, word=word, start=0, end=len(name))]
    for flag in parsed.all("mount"):
        fields = [field.partition("=") for field in (flag.value or "").split(",")]
        if ("type", "=", "image") in [(k.lower(), e, v.lower()) for k, e, v in fields]:
            images += images_in(flag, kept, places, ("source", "src"))
    wanted = [image for image in images if needs_check(image.name, settings)]
    return Container(command=understood.command, words=kept, images=tuple(wanted))


def images_in(
    flag: Flag, words: tuple[str, ...], places: "Mapping[int, int]", keys: tuple[str, ...]
) -> list[NamedImage]:
    """Find the images in a flag's comma-separated ``key=value`` list, under some keys.

    Raises:
        InputError: quotes in the list.
    """
    value = flag.value or ""
    if '"' in value:
        raise InputError(f"--{flag.name} with quotes is not understood while content trust is on")
    word = places[flag.last]
    place = len(words[word]) - len(value)
    found: list[NamedImage] = []
    for field in value.split(","):
        key, equals, name = field.partition("=")
        if equals and key.strip().lower() in keys:
            start = place + len(key) + 1
            found.append(NamedImage(name=name, word=word, start=start, end=start + len(name)))
        place += len(field) + 1
    return found


def needs_check(name: str, settings: Settings) -> bool:
    """Say whether an image is to be verified: all by tag, those by digest where there is a policy file.

    Raises:
        InputError: an image ID, which no policy can judge, while there is a policy file.
    """
    identifier = name.removeprefix("sha256:")
    if len(identifier) == 64 and _HEX.issuperset(identifier):
        if settings.has_policy:
            raise InputError(
                f"{name[:19]}… is an image ID, which says nothing of where it comes from",
                hint="name the image by repository and digest",
            )
        return False  # docker looks an ID up locally, and does not check it
    return settings.has_policy or ImageReference.parse(name).digest is None


def with_names(
    words: tuple[str, ...], images: "Sequence[NamedImage]", names: "Mapping[str, str]"
) -> tuple[str, ...]:
    """The words with each image replaced by what ``names`` has for it."""
    new = list(words)
    for image in sorted(images, key=lambda image: image.start, reverse=True):
        if image.name in names:
            word = new[image.word]
            new[image.word] = word[: image.start] + names[image.name] + word[image.end :]
    return tuple(new)
