"""The password of a cosign key: from COSIGN_PASSWORD, a pipe, or a terminal, in cosign's words.

Source: cosign ``cmd/cosign/cli/generate/generate_key_pair.go`` as observed (specs: cosign observed, 2.1).
"""

import os
import stat

from countermark.core.errors import Code, KeyAccessError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLE = "COSIGN_PASSWORD"
PIN_VARIABLE = "COSIGN_PKCS11_PIN"
_MOST_BYTES = 64 * 1024
_PROMPT = "Enter password for private key: "
_AGAIN = "Enter password for private key again: "


class PasswordPrompt:
    """Gives passwords; ``source`` is the descriptor they are typed at, ``show`` prints on stderr at once."""

    def __init__(
        self, environment: "Mapping[str, str]", source: int, show: "Callable[[str], object]"
    ) -> None:
        self._environment, self._source, self._show = environment, source, show
        self._piped: bytes | None = None

    def password(self) -> bytes:
        """The password that opens a key; an empty one is one.

        Raises:
            KeyAccessError: ``passphrase``, nobody can be asked.
        """
        given = self._given()
        return self._typed(_PROMPT) if given is None else given

    def new_password(self) -> bytes:
        """The password for a new key, asked for twice.

        Raises:
            KeyAccessError: ``passphrase``, nobody can be asked, or the two differ.
        """
        given = self._given()
        if given is not None:
            return given
        first = self._typed(_PROMPT)
        if self._typed(_AGAIN) != first:
            raise KeyAccessError("passwords do not match", code=Code.PASSPHRASE)
        return first

    def pin(self, text: str) -> str:
        """The PIN of a token.

        Raises:
            KeyAccessError: ``passphrase``, nobody can be asked.
        """
        if PIN_VARIABLE in self._environment:
            return self._environment[PIN_VARIABLE]
        return self._typed(text).decode("utf-8", "replace")

    def hidden(self, prompt: str) -> str | None:
        """Ask for a secret that is no key's; None where nobody is at a terminal.

        Raises:
            KeyAccessError: ``passphrase``, what was typed is not UTF-8.
        """
        if not os.isatty(self._source):
            return None
        try:
            return self._typed(prompt).decode("utf-8")
        except UnicodeDecodeError:
            raise KeyAccessError("what was typed is not UTF-8", code=Code.PASSPHRASE) from None

    def confirm(self) -> bool:
        """Ask whether to go on, after a warning; no answer is a no."""
        answer = self.line("Are you sure you would like to continue? [y/N] ")
        return answer.strip().lower() in ("y", "yes")

    def line(self, prompt: str) -> str:
        """Ask for a line, which is shown as it is typed; "" where nobody answers."""
        self._show(prompt)
        answer = b""
        while len(answer) < _MOST_BYTES:
            byte = self._read(1)
            if not byte or byte == b"\n":
                break
            answer += byte
        return answer.decode("utf-8", "replace")

    def _given(self) -> bytes | None:
        """What the environment or a pipe gives; a pipe is the password whole."""
        if VARIABLE in self._environment:
            return self._environment[VARIABLE].encode()
        if self._piped is None and self._is_pipe():
            content = b""
            while len(content) <= _MOST_BYTES:
                piece = self._read(_MOST_BYTES)
                if not piece:
                    break
                content += piece
            if len(content) > _MOST_BYTES:
                raise KeyAccessError("the password is too long", code=Code.PASSPHRASE)
            self._piped = content
        return self._piped

    def _is_pipe(self) -> bool:
        try:
            return not stat.S_ISCHR(os.fstat(self._source).st_mode)
        except OSError:
            return False

    def _read(self, count: int) -> bytes:
        try:
            return os.read(self._source, count)
        except OSError:
            return b""

    def _typed(self, prompt: str) -> bytes:
        self._show(prompt)
        if not os.isatty(self._source):
            raise KeyAccessError(
                "inappropriate ioctl for device",
                code=Code.PASSPHRASE,
                hint=f"set {VARIABLE} where nobody can type it",
            )
        import termios  # noqa: PLC0415 - only on a terminal

        before = termios.tcgetattr(self._source)
        silent = [*before]
        silent[3] = before[3] & ~termios.ECHO
        try:
            termios.tcsetattr(self._source, termios.TCSADRAIN, silent)
            line = self._read(_MOST_BYTES)
        finally:
            termios.tcsetattr(self._source, termios.TCSADRAIN, before)
            self._show("\n")
        return line.rstrip(b"\r\n")
