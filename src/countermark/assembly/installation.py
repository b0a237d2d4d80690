"""Our own place in the system: how we are called, where our shims go, and which programs stand on PATH."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program


class Installation:
    """This program among the others of a machine."""

    def __init__(self, program: "Program") -> None:
        self._program = program

    @property
    def command(self) -> tuple[str, ...]:
        """How a script calls us: -P, or a countermark in the working directory would run; -c is faster than -m."""
        return (sys.executable, "-P", "-c", "from countermark.cli.start import entry; entry()")

    def shim_folder(self, *, plugins: bool) -> str:
        """Where a shim goes unless told otherwise: docker's plugin folder, or the user's programs."""
        if plugins:
            return os.path.join(self._program.docker_folder, "cli-plugins")
        return os.path.join(self._program.home, ".local", "bin")

    def first_on_path(self, name: str) -> str:
        """The program that a name means on PATH, "" for none."""
        from countermark.adapters import process

        return process.find(name, self._program.environment.get("PATH", "")) or ""

    def real_docker(self) -> str:
        """The docker on PATH that is not one of our shims, "" for none."""
        from countermark.adapters import process
        from countermark.assembly.drop_in import MARK

        search = self._program.environment.get("PATH", "")
        return process.find("docker", search, mark=MARK.encode()) or ""

    def docker_major_version(self) -> int | None:
        """Which docker command stands on PATH, None where there is none or it does not say."""
        import re

        from countermark.adapters import process

        path = self.real_docker()
        if not path:
            return None
        said = process.run((path, "--version"), environment=self._program.environment).output
        found = re.search(rb"version (\d{1,4})\.", said)
        return int(found[1]) if found else None

    def packaged(self, name: str) -> str | None:
        """A text that was made when the package was built."""
        return self._program.files.read(
            os.path.join(os.path.dirname(os.path.dirname(__file__)), name)
        )
