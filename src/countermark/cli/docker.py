"""The drop-in docker, and the docker CLI plugins ``docker trust`` and ``docker countermark``."""

from countermark.assembly import drop_in as wiring
from countermark.core.claim import Claim, Rejection
from countermark.core.errors import (
    Code,
    CountermarkError,
    EvidenceError,
    InputError,
    NotFoundError,
    UnavailableError,
)
from countermark.core.reference import DOCKER_HUB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from countermark.assembly.program import Program
    from countermark.cli.output import Output
    from countermark.core.claim import Finding
    from countermark.core.reference import ImageReference, Repository
    from countermark.engine import Engine
    from countermark.policy.model import Decision

_BROKEN = 125  # docker's status where docker itself cannot do its work
_TROUBLE_AT_SERVER = "unable to reach trust server at this time: "  # docker's text for 403 and 5xx
_HUB = (
    "  Docker is retiring notary.docker.io, the trust server of docker.io: certificates there have run out",
    "  DOCKER_CONTENT_TRUST_SERVER names another; --disable-content-trust leaves one image unchecked",
)
_NO_REPOSITORY = " does not have trust data for "


def drop_in(words: "Sequence[str]", program: "Program", out: "Output") -> int:
    """Be docker: hand over to the real one, after a check where content trust asks for one."""
    try:
        command = wiring.DockerCommand(words, program)
        if command.is_dockers_alone:
            out.flush()
            command.become()
        return _checked(command, out)
    except CountermarkError as error:
        if error.exit_status == CountermarkError.exit_status:
            raise
        out.foreign_error(f"docker: {error}")
        for line in error.hint.splitlines():
            out.foreign_error(f"  {line}")
        return _BROKEN


def _checked(command: wiring.DockerCommand, out: "Output") -> int:
    from countermark.enforce.docker import Screen  # noqa: PLC0415 - most command lines never come here

    def result(line: str) -> None:
        out.written(f"{line}\n")  # at once: the real docker writes to the same streams

    def note(line: str) -> None:
        out.flush()
        out.foreign_error(line)

    return command.run(Judge(command, out), Screen(result=result, note=note))


class Judge:
    """Decides about the images of one docker command line, and signs what it pushed, in docker's words."""

    def __init__(self, command: wiring.DockerCommand, out: "Output") -> None:
        self._command, self._out, self._program = command, out, command.program
        self._engine: Engine | None = None

    def verify(self, reference: "ImageReference") -> "Decision":
        """Decide about an image, under the policy that applies.

        Raises:
            As ``Engine.verify``.
        """
        if self._engine is None:
            self._engine = self._program.engine(point="docker")
        return self._engine.verify(reference)

    def lines(self, decision: "Decision") -> "Sequence[str]":
        """Say why an image is refused, or what weakens a decision to let it pass.

        Without a policy file it is docker's rule that refuses, in docker's text; a policy is explained in ours.
        """
        from countermark.policy import explain  # noqa: PLC0415 - most command lines never come here

        if decision.passes:
            # docker says nothing of a first use, and whoever used an old answer said so then
            quiet = {Code.STALE} if self._command.has_policy else {Code.STALE, Code.FIRST_USE}
            found = [reason for reason in decision.warnings if reason.code not in quiet]
            return [f"countermark: warning: {reason.text}" for reason in found]
        if self._command.has_policy:
            return explain.lines(decision)
        is_hub = decision.subject.repository.registry == DOCKER_HUB
        if is_hub and not self._program.config.trust_server:
            return [*refusal(decision), *_HUB]
        return refusal(decision)

    def signed_tags(self, repository: "Repository") -> "Sequence[str]":
        """List the tags that ``docker pull --all-tags`` takes, in docker's natural order.

        Raises:
            DockerError: docker's text for a failure of the trust server or its data.
        """
        from countermark.cli.docker_words import (  # noqa: PLC0415 - rare
            DockerError,
            natural_key,
            notary_text,
        )

        program, tags = self._program, set[str]()
        unsigned: CountermarkError | None = None
        try:
            for url in self._command.trust_servers(repository):
                server = program.dct.servers.server_for(repository, url)
                try:
                    collection = program.dct.loader.load(repository.name, server, program.now())
                except EvidenceError as error:
                    if error.code != Code.UNSIGNED:
                        raise
                    unsigned = error
                else:
                    tags.update(row.tag for row in collection.rows())
            if unsigned is not None and not tags:
                raise unsigned
        except CountermarkError as error:
            if error.exit_status == CountermarkError.exit_status:
                raise
            raise DockerError(notary_text(error, repository.name)) from error
        return sorted(tags, key=natural_key)

    def sign(self, reference: "ImageReference") -> None:
        """Sign what was just pushed, if the registry's tag still is what the daemon says it pushed.

        Raises:
            DockerError: with docker's text.
        """
        from countermark.cli import trust_sign  # noqa: PLC0415 - push only
        from countermark.cli.docker_words import DockerError  # noqa: PLC0415 - push only

        program, name = self._program, f"{reference.repository.name}:{reference.tag}"
        try:
            pushed = self._command.pushed(reference)
            found = program.registry(program.policy()).resolve(reference)
            if found.digest not in pushed:
                shown = ", ".join(map(str, pushed)) or "nothing of this repository"
                raise InputError(
                    f"the registry's tag is {found.digest} now, and what the daemon pushed is {shown}",
                    hint="someone else pushed this tag at the same time; push again",
                )
            subject = found.replace(repository=reference.repository, tag=reference.tag)
            new = trust_sign.sign_tag(subject, reference, program)
        except DockerError as error:
            error.hint = error.hint or "the image is in the registry; its tag is not signed"
            raise
        except CountermarkError as error:
            if error.exit_status == CountermarkError.exit_status:
                raise
            raise DockerError(f"failed to sign {name}: {error}\n  {error.hint}".rstrip()) from error
        if new:
            self._out.written(f'Finished initializing "{reference.repository.name}"\n')
        self._out.written(f"Successfully signed {name}\n")


def refusal(decision: "Decision") -> list[str]:
    """Why docker's own rule refuses an image: docker's text, and ours for a tag that moved."""
    wanting = [f for f in decision.findings if not isinstance(f, Claim)]
    if not wanting:
        return []
    finding = wanting[0]
    if isinstance(finding, Rejection) and finding.signed_digest is not None:
        return _moved(decision, finding)
    return [_docker_text(finding, decision.subject.repository.name)]


def _moved(decision: "Decision", finding: Rejection) -> list[str]:
    """Docker takes the signed image and says nothing, which hides that the tag is not what it was."""
    reference, repository = decision.reference, decision.subject.repository.familiar
    by = f", by {', '.join(finding.signed_by)}" if finding.signed_by else ""
    return [
        f"{reference.familiar} is not the image that was signed",
        f"  {'you ask for' if reference.digest else 'the tag is'} {decision.subject.digest}",
        f"  signed is  {finding.signed_digest}{by}",
        f"  to get the signed one: docker pull {repository}@{finding.signed_digest}",
        "  to always take the signed one, with a warning: COUNTERMARK_MOVED_TAG=useSigned",
    ]


def _docker_text(finding: "Finding", name: str) -> str:
    from countermark.cli.docker_words import notary_text  # noqa: PLC0415 - refusals only

    if isinstance(finding, Claim):
        return ""
    text = finding.reason
    if isinstance(finding, Rejection):
        if finding.code == Code.UNSIGNED and _NO_REPOSITORY not in text:
            return text  # of a tag, where docker has no prefix
        return notary_text(EvidenceError(text, code=finding.code), name)
    if finding.code == Code.REFUSED or text.startswith(_TROUBLE_AT_SERVER):
        return text
    kind = NotFoundError if finding.code == Code.NOT_FOUND else UnavailableError
    return notary_text(kind(text), name)


# The docker CLI plugins -----------------------------------------------------------------------------

_DESCRIPTIONS = {
    "trust": "Manage trust on Docker images",
    "countermark": "Say who vouches for container images",
}


def plugin(words: "Sequence[str]", program: "Program", out: "Output") -> int:
    """Be the docker CLI plugin that the first word names, called as docker calls it."""
    from countermark.enforce import docker  # noqa: PLC0415 - the drop-in may do without
    from countermark.version import VERSION  # noqa: PLC0415 - once

    name, given = words[0] if words else "", list(words[1:])
    if name not in _DESCRIPTIONS:
        raise InputError(f"no such docker plugin: {name[:40]}")
    if given[:1] == ["docker-cli-plugin-metadata"]:
        out.written(docker.plugin_metadata(VERSION, _DESCRIPTIONS[name]) + "\n")
        return 0
    if given[:1] in (["__complete"], ["__completeNoDesc"]):
        out.written(":0\n")  # cobra's words for: nothing to offer
        return 0
    asks_help = given[:1] == ["help"]  # docker help trust
    options, rest = docker.plugin_words(name, given[1:] if asks_help else given)
    inside = program.with_environment(wiring.environment_of(options))
    inside.is_debugging = inside.is_debugging or "debug" in options
    help_word = ("--help",) if asks_help or "help" in options else ()
    if name == "trust":
        return _plugin_command(["trust", *rest, *help_word], inside, out, "docker")
    return _plugin_command([*rest, *help_word], inside, out, "docker countermark")


def _plugin_command(words: list[str], program: "Program", out: "Output", prog: str) -> int:
    """Run a command of ours that is called ``docker ...``, in help and errors too."""
    from countermark.cli import main  # noqa: PLC0415 - the drop-in does without
    from countermark.cli.commands import GROUPS, find  # noqa: PLC0415 - as main

    command, rest = find(words)
    if command is not None and not command.raw:
        return main.run_command(command, rest, program, out, prog)
    group = tuple(word for word in words if word not in ("-h", "--help"))
    if group in {(), *GROUPS}:
        out.written(main.overview(group, prog))
        return 0
    known = next(n for n in range(len(group), -1, -1) if group[:n] in {(), *GROUPS})
    shown, above = (" ".join((prog, *group[:count])) for count in (known + 1, known))
    out.foreign_error(
        f"docker: unknown command: {shown[:120]}\n\nUsage:  {above}\n\nRun '{above} --help' for more information"
    )
    return 1
