"""Print a shell completion script."""

from countermark.core.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from countermark.assembly.program import Program
    from countermark.cli.output import Output

SHELLS = ("bash", "zsh", "tcsh")
EXAMPLES = """examples:
  countermark completion bash > /etc/bash_completion.d/countermark
  countermark completion zsh > "${fpath[1]}/_countermark\""""


def completion_arguments(parser: "argparse.ArgumentParser") -> None:
    """The words of ``completion``."""
    parser.epilog = EXAMPLES
    parser.add_argument("shell", choices=SHELLS)


def completion(args: "argparse.Namespace", program: "Program", out: "Output") -> int:
    """Print the script that was made when the package was built."""
    text = program.installation.packaged(f"completions/countermark.{args.shell}")
    if text is None:
        raise InputError(
            "this installation has no completion scripts",
            hint="install the wheel, or run make build",
        )
    out.written(text)
    return 0
