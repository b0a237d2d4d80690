"""Pull and run by verified digest, as a docker CLI plugin and a drop-in docker."""

from countermark.core.errors import CountermarkError, InputError
from countermark.core.reference import ImageReference, Repository
from countermark.core.text import harmless
from countermark.core.value import Value
from countermark.enforce import docker_plan
from countermark.enforce.docker_build import BuildFiles, plan_build, reference_of
from countermark.enforce.docker_flags import GLOBAL, parse_words
from countermark.enforce.docker_plan import (
    FAILED,
    USAGE,
    Build,
    Container,
    PassThrough,
    Pull,
    Push,
    Refusal,
    Settings,
    Understood,
)
from countermark.formats import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from countermark.policy.model import Decision
else:
    Protocol = object

Plan = PassThrough | Refusal | Pull | Push | Container | Build


class RealDocker(Protocol):
    """The docker that stands behind the drop-in.

    Where ours has spoken (``trusted``, and every ``call``) its own content trust is switched off, in its environment.
    """

    def become(self, words: "Sequence[str]", *, trusted: bool) -> int:
        """Turn into it; a test's fake returns an exit status instead."""
        ...

    def call(
        self, words: "Sequence[str]", *, given: bytes | None = None, hidden_line: str = ""
    ) -> int:
        """Run it with its content trust off, and return its exit status.

        ``given`` is its standard input, None for our own; ``hidden_line`` is a line of its output to leave out, where
        that does not go to a terminal.
        """
        ...


class DropInFiles(BuildFiles, Protocol):
    """The files that a build reads, and the one that is made for it."""

    def write_temporary(self, files: "Mapping[str, bytes]") -> str:
        """Write files into a new private folder, and return the folder's path."""
        ...

    def remove_temporary(self, folder: str) -> None:
        """Remove that folder with all that was written into it."""
        ...


class Judge(Protocol):
    """What decides about images, and signs them."""

    def verify(self, reference: ImageReference) -> "Decision":
        """Decide about an image, as ``Engine.verify``."""
        ...

    def lines(self, decision: "Decision") -> "Sequence[str]":
        """Say why an image is refused, in docker's words where it has some, or what weakens a decision to pass it."""
        ...

    def signed_tags(self, repository: Repository) -> "Sequence[str]":
        """List the tags of a repository that are vouched for."""
        ...

    def sign(self, reference: ImageReference) -> None:
        """Sign what the registry has under a tag that was just pushed, and say what docker says after it."""
        ...


class Screen(Value):
    """Where lines go: standard output and standard error, each at once."""

    result: "Callable[[str], object]"
    note: "Callable[[str], object]"


class DropIn:
    """A docker that obeys content trust: it verifies, then runs the real one with digests in place of tags."""

    def __init__(
        self,
        settings: Settings,
        judge: Judge,
        docker: RealDocker,
        files: DropInFiles,
        screen: Screen,
    ) -> None:
        self._settings, self._judge, self._docker = settings, judge, docker
        self._files, self._screen = files, screen

    def run(self, words: "Sequence[str]") -> int:
        """Run a docker command line (without the program's name) and return its exit status.

        Every refusal is printed as docker prints its errors; a bug's exception passes.
        """
        understood = docker_plan.understand(words, self._settings)
        try:
            return self._execute(plan(understood, self._settings, self._files))
        except CountermarkError as error:
            if error.exit_status == CountermarkError.exit_status:
                raise  # a bug of ours is told as one
            command = understood.command if isinstance(understood, Understood) else ""
            return self._refuse(
                Refusal(text=str(error), status=_status(command), command=command, hint=error.hint)
            )

    def _execute(self, planned: Plan) -> int:
        if isinstance(planned, PassThrough):
            return self._docker.become(planned.words, trusted=False)
        if isinstance(planned, Refusal):
            return self._refuse(planned)
        if isinstance(planned, Pull):
            return self._pull(planned)
        if isinstance(planned, Push):
            return self._push(planned)
        if isinstance(planned, Build):
            return self._build(planned)
        return self._container(planned)

    def _refuse(self, refusal: Refusal) -> int:
        """Say no as docker says its errors: ``run`` has a prefix, and a line on help below."""
        prefix = "docker: " if refusal.command == "run" else ""
        self._screen.note(prefix + harmless(refusal.text, keep="\n"))
        if refusal.hint:
            for line in refusal.hint.splitlines():
                self._screen.note(f"  {harmless(line)}")
        if refusal.command == "run":
            self._screen.note("\nRun 'docker run --help' for more information")
        return refusal.status

    def _pinned(self, reference: ImageReference) -> str | Refusal:
        """Verify an image, and name it by the digest that was decided on; or say why not."""
        decision = self._judge.verify(reference)
        lines = tuple(self._judge.lines(decision))
        if not decision.passes:
            return Refusal(text="\n".join(lines) or f"{reference.familiar} is not vouched for")
        for line in lines:
            self._screen.note(harmless(line))
        subject = decision.subject
        return f"{reference.repository.familiar}@{subject.digest}"

    def _names(self, wanted: "Sequence[str]", command: str) -> dict[str, str] | Refusal:
        """Verify images by name, each once; the first refusal ends it."""
        names: dict[str, str] = {}
        for name in dict.fromkeys(wanted):
            pinned = self._pinned(reference_of(name))
            if isinstance(pinned, Refusal):
                return pinned.replace(command=command, status=_status(command))
            names[name] = pinned
        return names

    def _pull(self, planned: Pull) -> int:
        """Pull as docker prints it (specs: notary v1, 5.4): verify, fetch by digest, tag, show the reference."""
        if planned.default_tag and not planned.quiet:
            self._screen.result(f"Using default tag: {planned.reference.tag}")
        repository = planned.reference.repository
        references = [planned.reference]
        if planned.all_tags:
            tags = self._judge.signed_tags(repository)
            if not tags:
                return self._refuse(Refusal(text=f"No trusted tags for {repository.name}"))
            references = [ImageReference(repository=repository, tag=tag) for tag in tags]
        for number, reference in enumerate(references, 1):
            pinned = self._pinned(reference)
            if isinstance(pinned, Refusal):
                return self._refuse(pinned)
            status = self._fetch(planned, reference, pinned, f"{number} of {len(references)}")
            if status:
                return status
        self._screen.result(str(planned.reference))
        return 0

    def _fetch(self, planned: Pull, reference: ImageReference, pinned: str, count: str) -> int:
        familiar = reference.replace(digest=None).familiar
        self._screen.result(f"Pull ({count}): {familiar}@{pinned.partition('@')[2]}")
        quiet = ("--quiet",) if planned.quiet else ()
        full = f"{reference.repository.name}@{pinned.partition('@')[2]}"
        status = self._docker.call(
            (*planned.before, *planned.flags, *quiet, pinned), hidden_line=full
        )
        if status or not reference.tag:
            return status
        self._screen.note(f"Tagging {pinned} as {familiar}")
        before = planned.before[:-1]
        if before and before[-1] == "image":
            before = before[:-1]
        return self._docker.call((*before, "tag", pinned, familiar))

    def _push(self, planned: Push) -> int:
        """Push with the real docker, then sign (specs: notary v1, 5.5)."""
        status = self._docker.call(planned.words)
        if status:
            return status
        if planned.reference is None:
            self._screen.note("No tag specified, skipping trust metadata push")
            return 0
        self._screen.result("Signing and pushing trust metadata")
        self._judge.sign(planned.reference)
        return 0

    def _container(self, planned: Container) -> int:
        names = self._names([image.name for image in planned.images], planned.command)
        if isinstance(names, Refusal):
            return self._refuse(names)
        words = docker_plan.with_names(planned.words, planned.images, names)
        return self._docker.become(words, trusted=True)

    def _build(self, planned: Build) -> int:
        wanted = [image.name for image in planned.images]
        wanted += [use.name for use in planned.dockerfile.uses]
        names = self._names(wanted, "build")
        if isinstance(names, Refusal):
            return self._refuse(names)
        words = docker_plan.with_names(planned.words, planned.images, names)
        content = planned.dockerfile.rewritten(names)
        if planned.place < 0:
            return self._docker.call(words, given=content)
        files = {planned.file_name: content}
        if planned.ignore is not None:
            files[f"{planned.file_name}.dockerignore"] = planned.ignore
        folder = self._files.write_temporary(files)
        try:
            flag = ("--file", f"{folder}/{planned.file_name}")
            return self._docker.call((*words[: planned.place], *flag, *words[planned.place :]))
        finally:
            self._files.remove_temporary(folder)


def plan(
    understood: PassThrough | Refusal | Understood, settings: Settings, files: BuildFiles
) -> Plan:
    """Say what is to be done for an understood command line.

    Raises:
        InputError: a reference, a flag or a Dockerfile that cannot be checked.
    """
    if not isinstance(understood, Understood):
        return understood
    if understood.command == "pull":
        return docker_plan.plan_pull(understood, settings)
    if understood.command == "push":
        return docker_plan.plan_push(understood)
    if understood.command == "build":
        return plan_build(understood, settings, files)
    return docker_plan.plan_container(understood, settings)


def _status(command: str) -> int:
    """Docker's exit status for a command that it could not begin."""
    return USAGE if command == "run" else FAILED


# The docker CLI plugin ------------------------------------------------------------------------------


def plugin_metadata(version: str, description: str) -> str:
    """Answer ``docker-cli-plugin-metadata``; older docker takes this schema version only (docker/cli < 28.4.1)."""
    return strict_json.pretty(
        {
            "SchemaVersion": "0.1.0",
            "Vendor": "Countermark",
            "Version": version,
            "ShortDescription": description,
        }
    )


def plugin_words(name: str, words: "Sequence[str]") -> tuple[dict[str, str], tuple[str, ...]]:
    """Split what docker hands to a plugin: its own flags, which come before the plugin's name, and the rest.

    Raises:
        InputError: the plugin's name is not where docker puts it.
    """
    parsed = parse_words(GLOBAL, words, 0)
    if parsed.trouble or not parsed.arguments or words[parsed.arguments[0]] != name:
        raise InputError(f"not called by docker as its plugin {name!r}")
    options = {flag.name: flag.value or "" for flag in parsed.flags}
    return options, tuple(words[parsed.arguments[0] + 1 :])
