"""The old commands go on working: install, remove and show the shims that lead to us."""

from countermark.assembly.drop_in import MARK
from countermark.core.errors import Code, EvidenceError, InputError, StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.cli.output import Output

# Each shim, which is a file of its name: the command of ours that it runs, and what it is for.
SHIMS: dict[str, tuple[str, str]] = {
    "docker-countermark": (
        "docker-plugin countermark",
        "docker countermark ..., a docker CLI plugin",
    ),
    "docker-trust": ("docker-plugin trust", "docker trust ..., for docker 29, which has none"),
    "docker": (
        "docker-shim",
        "a docker that obeys DOCKER_CONTENT_TRUST, and hands all else to the real one",
    ),
    "cosign": ("cosign", "a cosign whose commands are carried out here, and by no other program"),
}
_PROGRAMS = ("docker", "cosign")  # found on PATH, where the first of a name is run
_TRUST_LEFT_DOCKER = 29
_ABSENT, _OURS, _FOREIGN = "not installed", "installed", "not ours"

EXAMPLES = """examples:
  countermark shim install                       the plugins, into docker's plugin folder
  countermark shim install --dir ~/bin docker    a drop-in docker; put ~/bin before the real one on PATH
  countermark shim install --dir ~/bin cosign    a drop-in cosign; commands of cosign's that are not here are errors
  countermark shim status"""


def _arguments(parser: "argparse.ArgumentParser") -> None:
    parser.epilog = EXAMPLES
    parser.add_argument(
        "--dir",
        metavar="DIR",
        default="",
        help="the folder (default: where docker looks for plugins; ~/.local/bin for the others)",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(SHIMS)}")


install_arguments = remove_arguments = status_arguments = _arguments


def install(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Write the shims that were asked for; files that are not ours are never replaced."""
    names = _names(args.names, ()) or _plugins(program, out)
    for name in names:
        path = _path(name, args.dir, program)
        if _state(path, program) == _FOREIGN:
            raise InputError(
                f"{path} exists and is not ours; nothing was written",
                code=Code.KEY_EXISTS,
                hint="choose another folder with --dir, or move that file away",
            )
    for name in names:
        path = _path(name, args.dir, program)
        program.files.write_executable(path, script(program.installation.command, SHIMS[name][0]))
        out.result(f"installed {path}")
        _warn_of_others(name, path, program, out)
    return 0


def _warn_of_others(name: str, path: str, program: "Program", out: "Output") -> None:
    """Tell where a program of ours would not be the one that is run."""
    if name not in _PROGRAMS or program.installation.first_on_path(name) == path:
        return
    folder = path.rpartition("/")[0]
    if name == "docker" or program.installation.first_on_path(name):
        out.warning(f"{folder} does not come first on PATH: put it before the real {name}")
    else:
        out.warning(f"{folder} is not on PATH: put it there")


def _plugins(program: "Program", out: "Output") -> tuple[str, ...]:
    """The plugins that this docker can use: one with its own ``docker trust`` calls ours an invalid plugin."""
    major = program.installation.docker_major_version()
    if major is None or major >= _TRUST_LEFT_DOCKER:
        return ("docker-countermark", "docker-trust")
    out.note(f"docker {major} has a docker trust of its own, so ours is left out: 29 needs it")
    return ("docker-countermark",)


def remove(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Take our shims away; other files stay."""
    for name in _names(args.names, tuple(SHIMS)):
        path = _path(name, args.dir, program)
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
        path = _path(name, args.dir, program)
        state = _state(path, program)
        out.result(f"{name}: {SHIMS[name][1]}")
        out.result(f"  {state:14} {path}")
        if name in _PROGRAMS and state == _OURS:
            first = program.installation.first_on_path(name)
            if first != path:
                out.result(f"  {'':14} but {name} is {first or 'nothing'} on PATH, and not this")
    out.result(f"the real docker: {program.installation.real_docker() or 'not found on PATH'}")
    return 0


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


def _path(name: str, folder: str, program: "Program") -> str:
    if folder:
        return f"{program.absolute(folder)}/{name}"
    return f"{program.installation.shim_folder(plugins=name not in _PROGRAMS)}/{name}"
