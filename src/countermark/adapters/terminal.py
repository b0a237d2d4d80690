"""What people type: passphrases, confirmations."""

import os

from countermark.core.errors import Code, KeyAccessError
from countermark.core.ports import PassphraseRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Texts, limits and attempts are notary's (specs: notary v1, 3.5), since people and scripts know them.
ROOT_VARIABLE = "DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE"
REPOSITORY_VARIABLE = "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE"
NEW_ATTEMPTS = 12
OPEN_ATTEMPTS = 4
ENVIRONMENT_ATTEMPTS = 2  # a second try with the same text, then docker gives up
MIN_LENGTH = 8  # bytes; of passphrases that are typed, not of those in the environment
_LINE_BYTES = 64 * 1024  # a line that is longer is no passphrase
_SHOWN_NAMES = {"targets": "repository", "snapshot": "repository"}

ROOT_WARNING = """\
You are about to create a new root signing key passphrase. This passphrase
will be used to protect the most sensitive key in your signing system. Please
choose a long, complex passphrase and be careful to keep the password and the
key file itself secure and backed up. It is highly recommended that you use a
password manager to generate the passphrase and keep it safe. There will be no
way to recover this key. You can find the key in your config directory.
"""
TOO_SHORT = (
    "Passphrase is too short. Please use a password manager to generate and store a good random"
    " passphrase.\n"
)
MISMATCH = "Passphrases do not match. Please retry.\n"
INCORRECT = "Passphrase incorrect. Please retry.\n"
GAVE_UP_NEW = "maximum number of passphrase attempts exceeded"
GAVE_UP_OPEN = "password invalid, operation has failed."


class Terminal:
    """Asks people, on a terminal or through a pipe: Passphrases, and confirmations.

    ``environment`` gives passphrases without asking; ``source`` is the descriptor that lines are read from, a byte
    at a time, so that several lines in one pipe serve several questions and what follows is left for whoever reads
    next; ``show`` prints on standard output, at once. What was typed is remembered per role as long as this object
    lives, as docker does it, and is shown nowhere.
    """

    def __init__(
        self, environment: "Mapping[str, str]", source: int, show: "Callable[[str], object]"
    ) -> None:
        self._given = {
            name: environment[name]
            for name in (ROOT_VARIABLE, REPOSITORY_VARIABLE)
            if environment.get(name)
        }
        self._source, self._show = source, show
        self._typed: dict[str, str] = {}

    def passphrase(self, request: PassphraseRequest) -> str:
        """Return a passphrase: from the environment, from an earlier answer for the role, or typed now.

        Raises:
            KeyAccessError: ``passphrase``; nothing more is to be had, or no further attempt is allowed.
        """
        variable = ROOT_VARIABLE if request.role == "root" else REPOSITORY_VARIABLE
        if given := self._given.get(variable):
            if request.attempt >= ENVIRONMENT_ATTEMPTS:
                raise _gave_up(
                    new=request.new, hint=f"{variable} is not the passphrase of this key"
                )
            return given
        if request.new:
            return self._choose(request)
        return self._open(request)

    def _choose(self, request: PassphraseRequest) -> str:
        if request.role == "root" and request.attempt == 0:
            self._show(ROOT_WARNING)
        if request.attempt == 0 and request.role in self._typed:
            return self._typed[request.role]
        name = _key_name(request)
        for _ in range(NEW_ATTEMPTS):
            first = self._ask_secret(f"Enter passphrase for new {name}: ", request)
            if len(first.encode()) < MIN_LENGTH:
                self._show(TOO_SHORT)
                continue
            if self._ask_secret(f"Repeat passphrase for new {name}: ", request) == first:
                self._typed[request.role] = first
                return first
            self._show(MISMATCH)
        raise _gave_up(new=True)

    def _open(self, request: PassphraseRequest) -> str:
        if request.attempt == 0 and request.role in self._typed:
            return self._typed[request.role]
        if request.attempt >= OPEN_ATTEMPTS:
            self._typed.pop(request.role, None)
            raise _gave_up(new=False)
        if request.attempt > 0:
            self._show(INCORRECT)
        answer = self._ask_secret(f"Enter passphrase for {_key_name(request)}: ", request)
        self._typed[request.role] = answer
        return answer

    def _ask_secret(self, prompt: str, request: PassphraseRequest) -> str:
        self._show(prompt)
        try:
            line = self._secret_line()
        finally:
            self._show("\n")
        if line is None:
            raise _gave_up(new=request.new, hint="the input ended")
        return line.strip()

    def confirm(self, text: str) -> bool:
        """Ask a question and say whether the answer was ``y`` or ``Y``, as docker has it; no answer is a no."""
        self._show(f"{text} [y/N] ")
        return self._line() in ("y", "Y")

    def _secret_line(self) -> str | None:
        if not os.isatty(self._source):
            return self._line()
        import termios  # noqa: PLC0415 - only on a terminal

        before = termios.tcgetattr(self._source)
        silent = [*before]
        silent[3] = before[3] & ~termios.ECHO
        try:
            termios.tcsetattr(self._source, termios.TCSADRAIN, silent)
            return self._line()
        finally:
            termios.tcsetattr(self._source, termios.TCSADRAIN, before)

    def _line(self) -> str | None:
        """Read a line without its end; None at the end of the input."""
        content = bytearray()
        while True:
            try:
                byte = os.read(self._source, 1)
            except OSError:
                byte = b""  # closed or gone: nobody answers
            if byte == b"\n" or not byte:
                break
            content += byte
            if len(content) > _LINE_BYTES:
                raise KeyAccessError("a line of input is too long", code=Code.PASSPHRASE)
        if not byte and not content:
            return None
        try:
            return content.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError:
            raise KeyAccessError("what was typed is not UTF-8", code=Code.PASSPHRASE) from None


def _key_name(request: PassphraseRequest) -> str:
    """Name a key as notary does: its role, and seven digits of its ID where there are more."""
    role = _SHOWN_NAMES.get(request.role, request.role)
    return f"{role} key" + (f" with ID {request.key_id[:7]}" if len(request.key_id) > 7 else "")


def _gave_up(*, new: bool, hint: str = "") -> KeyAccessError:
    return KeyAccessError(GAVE_UP_NEW if new else GAVE_UP_OPEN, code=Code.PASSPHRASE, hint=hint)
