"""Whoever signs in for an identity token: what they are shown and asked, and the browser that they have."""

import os

from countermark.adapters import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping

    from countermark.adapters.password_prompt import PasswordPrompt

# what opens a browser, the desktop's own choice first (github.com/pkg/browser has the same)
_OPENERS = ("xdg-open", "x-www-browser", "www-browser", "open")
_SECONDS = 3.0  # after which an opener that still runs is the browser itself


class SigningPerson:
    """A person at this terminal, or behind it (port ``Person`` of ``adapters/oidc_flows.py``)."""

    def __init__(
        self,
        environment: "Mapping[str, str]",
        prompt: "PasswordPrompt",
        told: "Callable[[str], None]",
        shown: "Callable[[str], None]",
    ) -> None:
        """``told`` and ``shown`` print a line: of what goes on, and of what has to be done elsewhere."""
        self._environment, self._prompt = environment, prompt
        self._told, self._shown = told, shown
        self._browsers: list[subprocess.Popen[bytes]] = []  # they outlive us

    def told(self, text: str) -> None:
        """See the port."""
        self._told(text)

    def told_code(self, text: str) -> None:
        """See the port."""
        self._shown(text)

    def ask(self, prompt: str) -> str:
        """See the port."""
        return self._prompt.line(prompt)

    def open_browser(self, url: str) -> str:
        """See the port."""
        import subprocess

        search = self._environment.get("PATH", "")
        path = next(filter(None, (process.find(name, search) for name in _OPENERS)), None)
        if path is None:
            return f'exec: "{",".join(_OPENERS)}": executable file not found in $PATH'
        nothing = subprocess.DEVNULL
        try:
            browser = subprocess.Popen(  # noqa: S603 - no shell, and a URL that we made
                [path, url],
                stdin=nothing,
                stdout=nothing,
                stderr=nothing,
                env=dict(self._environment),
                start_new_session=True,
            )
        except OSError as error:
            return f"{os.path.basename(path)}: {(error.strerror or '').lower()}"
        self._browsers.append(browser)
        try:
            status = browser.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            return ""
        return f"exit status {status}" if status else ""
