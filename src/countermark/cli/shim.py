"""The old commands go on working: install, remove and show the shims that lead to us."""

from countermark.assembly.drop_in import MARK
from countermark.core.errors import Code, EvidenceError, InputError, StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.cli.output import Output

# Each shim: the files it consists of, the hidden command that they run, and what it is for.
SHIMS: dict[str, tuple[tuple[tuple[str, str], ...], str]] = {
    "docker-trust": (
        (
            ("docker-trust", "docker-plugin trust"),
            ("docker-countermark", "docker-plugin countermark"),
        ),
        "docker trust … and docker countermark … as docker CLI plugins",
    ),
    "docker": (
        (("docker", "docker-shim"),),
        "a docker that obeys DOCKER_CONTENT_TRUST, and hands all else to the real one",
    ),
}

_ABSENT, _OURS, _FOREIGN = "not installed", "installed", "not ours"

EXAMPLES = """examples:
  countermark shim install                       docker-trust, into docker's plugin folder
  countermark shim install --dir ~/bin docker    a drop-in docker; put ~/bin before the real one on PATH
  countermark shim status"""


def _arguments(parser: "argparse.ArgumentParser") -> None:
    parser.epilog = EXAMPLES
    parser.add_argument(
        "--dir", metavar="DIR", default="", help="the folder (default: where docker looks)"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(SHIMS)}")


install_arguments = remove_arguments = status_arguments = _arguments


def install(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Write the shims that were asked for; files that are not ours are never replaced."""
    wanted = _files(_names(args.names, ("docker-trust",)), args.dir, program)
    for path, _ in wanted:
        if _state(path, program) == _FOREIGN:
            raise InputError(
                f"{path} exists and is not ours; nothing was written",
                code=Code.KEY_EXISTS,
                hint="choose another folder with --dir, or move that file away",
            )
    for path, words in wanted:
        program.files.write_executable(path, script(program.own_command, words))
        out.result(f"installed {path}")
    for path, words in wanted:
        if words == "docker-shim" and program.first_on_path("docker") != path:
            folder = path.rpartition("/")[0]
            out.warning(f"{folder} does not come first on PATH: put it before the real docker")
    return 0


def remove(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Take our shims away; other files stay."""
    for path, _ in _files(_names(args.names, tuple(SHIMS)), args.dir, program):
        state = _state(path, program)
        if state == _FOREIGN:
            out.warning(f"{path} is not ours and stays")
        elif state == _OURS:
            program.files.remove(path)
            out.result(f"removed {path}")
    return 0


def status(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Say which shims are there, and whether they come first."""
    for name in _names(args.names, tuple(SHIMS)):
        out.result(f"{name}: {SHIMS[name][1]}")
        for path, words in _files((name,), args.dir, program):
            state = _state(path, program)
            out.result(f"  {state:14} {path}")
            first = program.first_on_path("docker")
            if words == "docker-shim" and state == _OURS and first != path:
                out.result(f"  {'':14} but docker is {first or 'nothing'} on PATH, and not this")
    out.result(f"the real docker: {program.real_docker() or 'not found on PATH'}")
    return 0


def _files(names: tuple[str, ...], folder: str, program: "Program") -> list[tuple[str, str]]:
    """The files of some shims, and what each runs."""
    return [
        (f"{_folder(name, folder, program)}/{file}", words)
        for name in names
        for file, words in SHIMS[name][0]
    ]


def _state(path: str, program: "Program") -> str:
    """Whose a file is; what is too large to be a shim, or no file at all, is another's."""
    try:
        content = program.files.read(path)
    except EvidenceError:
        return _FOREIGN
    except StorageError:
        if program.files.exists(path):
            return _FOREIGN
        raise
    if content is None:
        return _FOREIGN if program.files.exists(path) else _ABSENT
    return _OURS if MARK in content else _FOREIGN


def script(command: tuple[str, ...], words: str) -> str:
    """The shim's text: hand everything over to us, with the name it was called by."""
    quoted = " ".join("'" + part.replace("'", "'\\''") + "'" for part in command)
    return f'#!/bin/sh\n{MARK}: made by "countermark shim install"\nexec {quoted} {words} "$@"\n'


def _names(given: list[str], default: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in given if name not in SHIMS]
    if unknown:
        raise InputError(f"no such shim: {unknown[0][:80]}", hint=f"there are: {', '.join(SHIMS)}")
    return tuple(given) or default


def _folder(name: str, given: str, program: "Program") -> str:
    if given:
        return program.absolute(given)
    return program.default_shim_folder(plugins=name == "docker-trust")
