"""A real browser: Chromium without a window, driven through chromedriver (W3C WebDriver over HTTP)."""

import base64
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from interop.processes import Server, find, free_port, listens

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # W3C WebDriver, 12.1
# without them Chromium looks for its maker's servers at each start
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=900,900",
)  # fmt: skip


class Chromium:
    """One browser with an empty profile."""

    def __init__(self, folder: Path, *, dark: bool = False) -> None:
        folder.mkdir(parents=True)
        browser, driver = find("chromium"), find("chromedriver")
        port = free_port()
        self._base = f"http://127.0.0.1:{port}"
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
        self._server = Server(
            "chromedriver", [driver, f"--port={port}"], folder / "log", environment
        ).ready(lambda: listens(port))
        arguments = [*_QUIET, f"--user-data-dir={folder}/profile"]
        arguments.append(f"--blink-settings=preferredColorScheme={0 if dark else 1}")
        options = {"binary": str(browser), "args": arguments}
        wanted = {"alwaysMatch": {"goog:chromeOptions": options}}
        made = self._ask("POST", "/session", {"capabilities": wanted})
        self._session = f"/session/{made['sessionId']}"

    def _ask(self, method: str, path: str, content: object = None) -> Any:
        body = json.dumps(content).encode() if content is not None else None
        request = urllib.request.Request(self._base + path, body, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(error.read().decode()) from None

    def open(self, url: str) -> None:
        self._ask("POST", f"{self._session}/url", {"url": url})

    @property
    def url(self) -> str:
        return str(self._ask("GET", f"{self._session}/url"))

    def run(self, script: str) -> Any:
        return self._ask("POST", f"{self._session}/execute/sync", {"script": script, "args": []})

    def _find(self, selector: str) -> str:
        found = self._ask(
            "POST", f"{self._session}/element", {"using": "css selector", "value": selector}
        )
        return f"{self._session}/element/{found[_ELEMENT]}"

    def enter(self, selector: str) -> None:
        """Go on inside a frame."""
        element = self._find(selector).rpartition("/")[2]
        self._ask("POST", f"{self._session}/frame", {"id": {_ELEMENT: element}})

    def text(self, selector: str) -> str:
        return str(self._ask("GET", f"{self._find(selector)}/text"))

    def shows(self, text: str) -> bool:
        """Whether the page has a text; between two pages there is none to look at."""
        found = self.run("return document.querySelector('main')?.innerText ?? ''")
        return text in str(found)

    def type(self, selector: str, text: str) -> None:
        self._ask("POST", f"{self._find(selector)}/value", {"text": text})

    def click(self, selector: str) -> None:
        self._ask("POST", f"{self._find(selector)}/click", {})

    def picture(self) -> bytes:
        return base64.b64decode(self._ask("GET", f"{self._session}/screenshot"))

    def stop(self) -> None:
        self._ask("DELETE", self._session)
        self._server.stop()
