"""The drop-in docker, wired: one docker command line, the real docker behind it, and ours under the same flags."""

from countermark.core.errors import Code, InputError, NotFoundError, UnavailableError
from countermark.enforce import docker_plan
from countermark.enforce.docker_flags import parse_bool
from countermark.enforce.docker_plan import PassThrough, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from countermark.assembly.program import Program
    from countermark.core.digest import Digest
    from countermark.core.reference import ImageReference, Repository
    from countermark.enforce.docker import Judge, Screen

# Every shim of ours has this near its beginning, so that none is taken for the program that it stands for.
MARK = "# countermark shim"

_CERTIFICATES = ("tlscacert", "tlscert", "tlskey")


class DockerCommand:
    """One docker command line.

    Most of them are the real docker's alone: what only the others need is imported by them.
    """

    def __init__(self, words: "Sequence[str]", program: "Program") -> None:
        """Take the words after ``docker``, and the program as its environment has it."""
        self._words = tuple(words)
        self._environment = program.environment
        self.program = program.with_environment(folder_of(docker_plan.global_options(self._words)))
        self._settings = Settings(
            content_trust=program.environment.get("DOCKER_CONTENT_TRUST", ""),
            environment=program.environment,
        )
        self._understood = docker_plan.understand(self._words, self._settings)

    @property
    def is_dockers_alone(self) -> bool:
        """Whether there is nothing to verify or sign."""
        return isinstance(self._understood, PassThrough)

    @property
    def real_docker(self) -> str:
        """The docker that stands behind us.

        Raises:
            NotFoundError: there is none on PATH.
        """
        found = self.program.installation.real_docker()
        if not found:
            raise NotFoundError(
                "there is no other docker on PATH behind this one of countermark's",
                hint="install docker, or put its folder on PATH; countermark shim remove docker takes this one away",
            )
        return found

    def become(self) -> None:
        """Turn into the real docker, with the same words and environment; what we printed must have been flushed.

        Raises:
            NotFoundError, InputError: it cannot be run; else this never returns.
        """
        from countermark.adapters import process

        process.become(self.real_docker, ("docker", *self._words), self._environment)

    def run(self, judge: "Judge", screen: "Screen") -> int:
        """Verify, run the real docker with digests in place of tags, sign; return the exit status.

        Raises:
            NotFoundError: there is no real docker. ConfigError: ours is configured wrongly.
        """
        from countermark.adapters.docker_program import BuildFolder, DockerProgram
        from countermark.enforce.docker import DropIn

        settings = self._settings.replace(has_policy=self.has_policy)
        docker = DockerProgram(self.real_docker, self._environment)
        temporary = self._environment.get("TMPDIR") or "/tmp"  # noqa: S108 - the system's own
        return DropIn(settings, judge, docker, BuildFolder(temporary), screen).run(self._words)

    @property
    def has_policy(self) -> bool:
        """Whether there is a policy file, in place of the rule that docker has."""
        return bool(self.program.policy_files())

    def trust_servers(self, repository: "Repository") -> tuple[str, ...]:
        """Where the policy's rules about a repository look for who vouches for its tags; "" is docker's choice."""
        from countermark.core.reference import ImageReference
        from countermark.core.signer import DctSigner
        from countermark.policy.model import signers_of

        image = ImageReference(repository=repository)
        rules = [rule for layer in self.program.policy().layers for rule in layer.rules]
        signers = [
            signer
            for rule in rules
            if rule.requirement and rule.images.replace(tag=None, digest=None).matches(image)
            for signer in signers_of(rule.requirement)
        ]
        return tuple(dict.fromkeys(s.server for s in signers if isinstance(s, DctSigner)))

    def pushed(self, reference: "ImageReference") -> "tuple[Digest, ...]":
        """Ask the daemon that this command line talks to by which digests it knows a local image in its repository.

        Raises:
            NotFoundError: there is no real docker. UnavailableError: it does not say.
        """
        from countermark.adapters import process
        from countermark.formats import strict_json

        words = ("image", "inspect", "--format", "{{json .RepoDigests}}", reference.familiar)
        done = process.run(
            (self.real_docker, *docker_plan.global_words(self._words), *words),
            environment=self._environment,
        )
        if done.status:
            text = done.errors.decode("utf-8", "replace").strip() or f"status {done.status}"
            raise UnavailableError(f"docker does not say what it pushed: {text[:500]}")
        names = strict_json.parse(done.output)
        if not isinstance(names, list):
            return ()
        return tuple(_digests(names, reference))


def _digests(names: "Sequence[object]", reference: "ImageReference") -> "list[Digest]":
    from countermark.core.reference import ImageReference

    found = []
    for name in names:
        try:
            parsed = ImageReference.parse(str(name))
        except InputError:
            continue  # docker names what it built itself <none>@...
        if parsed.digest is not None and parsed.repository == reference.repository:
            found.append(parsed.digest)
    return found


def folder_of(options: "Mapping[str, str]") -> dict[str, str]:
    """What docker's ``--config`` is in the environment."""
    return {"DOCKER_CONFIG": options["config"]} if options.get("config") else {}


def environment_of(options: "Mapping[str, str]") -> dict[str, str]:
    """What docker's flags before the command are in the environment; an empty value unsets a variable.

    Raises:
        InputError: flags that only docker itself can obey.
    """
    changes = folder_of(options)
    if "host" in options and "context" in options:
        raise InputError("conflicting options: cannot specify both --host and --context")
    if "host" in options:
        changes["DOCKER_HOST"] = options["host"]
    if "context" in options:
        changes.update(DOCKER_CONTEXT=options["context"], DOCKER_HOST="")
    if _is_on(options, "tlsverify"):
        changes["DOCKER_TLS_VERIFY"] = "1"
    if _is_on(options, "tls") or any(name in options for name in _CERTIFICATES):
        raise InputError(
            "docker's --tls and its files are not understood here",
            code=Code.NOT_SUPPORTED,
            hint="set DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, or use a context",
        )
    return changes


def _is_on(options: "Mapping[str, str]", name: str) -> bool:
    return name in options and parse_bool(options[name] or None) is not False
