"""Make the completion scripts and the manual page when a wheel is built."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """Generates what is derived from the command line, so that it cannot be out of date."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the files into the build folder and put them into the wheel."""
        if self.target_name != "wheel" or version == "editable":
            return
        root = Path(self.root)
        sys.path.insert(0, str(root / "src"))
        sys.path.insert(0, str(root / "tools"))
        try:
            import shell_pages  # noqa: PLC0415 - needs the path set above
        finally:
            sys.path.pop(0)
        folder = root / "build" / "pages"
        for name, text in shell_pages.pages().items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        build_data["force_include"][str(folder / "completions")] = "countermark/completions"
        for name, place in {
            "countermark.1": "share/man/man1/countermark.1",
            "completions/countermark.bash": "share/bash-completion/completions/countermark",
            "completions/countermark.zsh": "share/zsh/site-functions/_countermark",
        }.items():
            build_data["shared_data"][str(folder / name)] = place
