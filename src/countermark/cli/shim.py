"""The old commands go on working: install, remove and show the shims that lead to us."""

from countermark.assembly.drop_in import MARK
from countermark.core.errors import Code, InputError

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
    for name in _names(args.names, ("docker-trust",)):
        folder = _folder(name, args.dir, program)
        for file, words in SHIMS[name][0]:
            path = f"{folder}/{file}"
            existing = program.files.read(path)
            if existing is not None and MARK not in existing:
                raise InputError(
                    f"{path} exists and is not ours; nothing was written",
                    code=Code.KEY_EXISTS,
                    hint="choose another folder with --dir, or move that file away",
                )
            program.files.write_executable(path, script(program.own_command, words))
            out.result(f"installed {path}")
        if name == "docker" and program.first_on_path("docker") != f"{folder}/docker":
            out.warning(f"{folder} does not come first on PATH: put it before the real docker")
    return 0


def remove(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Take our shims away; other files stay."""
    for name in _names(args.names, tuple(SHIMS)):
        folder = _folder(name, args.dir, program)
        for file, _ in SHIMS[name][0]:
            path = f"{folder}/{file}"
            existing = program.files.read(path)
            if existing is None:
                continue
            if MARK not in existing:
                out.warning(f"{path} is not ours and stays")
                continue
            program.files.remove(path)
            out.result(f"removed {path}")
    return 0


def status(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Say which shims are there, and whether they come first."""
    for name in _names(args.names, tuple(SHIMS)):
        folder = _folder(name, args.dir, program)
        out.result(f"{name}: {SHIMS[name][1]}")
        for file, _ in SHIMS[name][0]:
            existing = program.files.read(f"{folder}/{file}")
            state = "not installed" if existing is None else "installed"
            if existing is not None and MARK not in existing:
                state = "another program's file"
            out.result(f"  {state:14} {folder}/{file}")
    real = program.real_docker()
    out.result(f"the real docker: {real or 'not found on PATH'}")
    return 0


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
