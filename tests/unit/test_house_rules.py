"""Two rules no linter has: the map cannot lie, and the public names are these."""

import ast
import re
from pathlib import Path

import countermark

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "countermark"


def first_line(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    return (doc or "").partition("\n")[0]


def tree() -> dict[str, str]:
    return {
        str(path.relative_to(SOURCE)): first_line(path)
        for path in sorted(SOURCE.rglob("*.py"))
        if path.name != "__init__.py" or path.parent == SOURCE
    }


def drawn() -> dict[str, str]:
    """Read the map: a folder's line ends in /, a module's line gives its name and its purpose."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    block = re.search(r"```\nsrc/countermark/\n(.*?)```", text, re.DOTALL)
    assert block, "docs/ARCHITECTURE.md has no map"
    found: dict[str, str] = {}
    folders: list[str] = []
    for line in block[1].splitlines():
        entry = re.match(r"( +)(\S+)\s*(.*)", line)
        if not entry:
            continue
        depth = len(entry[1]) // 2 - 1
        name = entry[2]
        if name.endswith("/"):
            folders[depth:] = [name]
        else:
            found["".join(folders[:depth]) + name] = entry[3]
    return found


def test_the_map_equals_the_tree() -> None:
    assert drawn() == tree()


def test_every_module_says_its_purpose_in_one_line() -> None:
    for name, line in tree().items():
        assert line.endswith((".", "?")), f"{name}: {line!r}"
        assert len(line) <= 118, f"{name}: {line!r}"


def test_the_public_names() -> None:
    assert countermark.__all__ == ["Decision", "Engine", "ImageReference", "Verdict"]
    for name in countermark.__all__:
        assert getattr(countermark, name).__name__ == name


def test_the_version_is_said_once() -> None:
    from countermark.version import VERSION

    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{VERSION}"' in project
