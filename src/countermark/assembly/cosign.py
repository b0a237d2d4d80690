"""What cosign's commands are made of: keys by reference, passwords, and what more they ask of outside."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from countermark.adapters.key_references import KeyReferences
    from countermark.adapters.password_prompt import PasswordPrompt
    from countermark.adapters.process import Finished
    from countermark.assembly.program import Program


class Cosign:
    """Makes, once each, the things that a command of cosign's may ask for."""

    def __init__(self, program: "Program") -> None:
        self._program = program
        self._made: dict[str, object] = {}

    @property
    def prompt(self) -> "PasswordPrompt":
        """Where passwords come from."""
        from countermark.adapters.password_prompt import PasswordPrompt

        def show(text: str) -> None:
            sys.stderr.write(text)
            sys.stderr.flush()

        found = self._made.get("prompt")
        if not isinstance(found, PasswordPrompt):
            found = self._made["prompt"] = PasswordPrompt(self._program.environment, 0, show)
        return found

    @property
    def keys(self) -> "KeyReferences":
        """What ``--key`` means."""
        from countermark.adapters.key_references import KeyReferences, Secrets
        from countermark.assembly.program import clock

        program = self._program
        secrets = Secrets(self.prompt.password, self.prompt.pin)
        return KeyReferences(program.http, program.environment, program.home, secrets, clock)

    @property
    def docker_config_file(self) -> str:
        """Where docker keeps logins."""
        return os.path.join(self._program.docker_folder, "config.json")

    def log_in(self, registry: str, username: str, password: str) -> str:
        """Keep a login where docker does; the file where it lies in the clear, "" where a helper has it."""
        from countermark.adapters import docker_login, process

        def run(command: "Sequence[str]", *, given: bytes) -> "Finished":
            return process.run(command, given=given, environment=self._program.environment)

        return docker_login.remember(self.docker_config_file, registry, username, password, run)
