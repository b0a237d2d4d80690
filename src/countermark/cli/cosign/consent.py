"""What cosign asks a person before anything of theirs is put into a public log, once in a process."""

from countermark.cli.cosign.words import CosignError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.assembly.program import Program
    from countermark.cli.cosign.words import Words
    from countermark.cli.output import Output

# cosign's text, which is the public instance's terms
STATEMENT = """
	The sigstore service, hosted by sigstore a Series of LF Projects, LLC, is provided pursuant to the Hosted \
Project Tools Terms of Use, available at https://lfprojects.org/policies/hosted-project-tools-terms-of-use/.
	Note that if your submission includes personal data associated with this signed artifact, it will be part of an \
immutable record.
	This may include the email address associated with the account with which you authenticate your contractual \
Agreement.
	This information will be used for signing this artifact and will be stored in public transparency logs and \
cannot be removed later, and is subject to the Immutable Record notice at \
https://lfprojects.org/policies/hosted-project-tools-immutable-records/.

By typing 'y', you attest that (1) you are not submitting the personal data of any other person; and (2) you \
understand and agree to the statement and the Agreement terms at the URLs listed above."""


def ask_before_logging(
    words: "Words", program: "Program", out: "Output", prefix: str = "upload to tlog: "
) -> None:
    """Ask where services are named one by one and a log is among them; ``--yes`` answers.

    Raises:
        CosignError: the answer is no.
    """
    with_config = words.on("use-signing-config") or bool(words.text("signing-config"))
    if not with_config and words.on("tlog-upload"):
        ask(words, program, out, prefix)


def ask(words: "Words", program: "Program", out: "Output", prefix: str = "") -> None:
    """Show the statement, and ask.

    Raises:
        CosignError: the answer is no.
    """
    if program.cosign.has_agreed:
        return
    out.foreign_error(STATEMENT)
    if not words.on("yes") and not program.cosign.prompt.confirm():
        raise CosignError(f"{prefix}user declined the prompt")
    program.cosign.has_agreed = True
