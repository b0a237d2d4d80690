"""Draw the map of docs/ARCHITECTURE.md anew from the tree and its docstrings."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "countermark"
PAGE = ROOT / "docs" / "ARCHITECTURE.md"
# The rows of the picture, from the bottom up; modules and folders stand in this order.
ORDER = ["core", "formats", "proofs", "schemes", "policy", "adapters", "services", "enforce", "cli"]


def purpose(path: Path) -> str:
    """The first line of a module's docstring."""
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    return (doc or "").partition("\n")[0]


def lines(folder: Path, depth: int) -> list[str]:
    """A folder's modules, then its folders."""
    pad = "  " * (depth + 1)
    found = []
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py" or folder == SOURCE:
            found.append(f"{pad}{path.name:<{32 - len(pad)}}  {purpose(path)}")
    folders = [p for p in folder.iterdir() if (p / "__init__.py").exists()]
    for sub in sorted(
        folders, key=lambda p: (ORDER.index(p.name) if p.name in ORDER else 99, p.name)
    ):
        if depth == 0:
            found.append("")
        title = purpose(sub / "__init__.py")
        found.append(f"{pad}{sub.name + '/':<{32 - len(pad)}}  {title}")
        found += lines(sub, depth + 1)
    return found


def main() -> None:
    """Replace the block of the page."""
    text = PAGE.read_text(encoding="utf-8")
    block = "```\nsrc/countermark/\n" + "\n".join(lines(SOURCE, 0)) + "\n```"
    PAGE.write_text(
        re.sub(r"```\nsrc/countermark/\n.*?```", lambda _: block, text, flags=re.DOTALL),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
