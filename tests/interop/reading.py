"""What outcomes say, taken out of them."""

import json
import re
from pathlib import Path
from typing import Any

from interop.processes import Outcome

HEX_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def pushed_digest(outcome: Outcome) -> str:
    """The digest that ``docker push`` names."""
    found = re.search(r"digest: (sha256:[0-9a-f]{64}) size", outcome.out)
    assert found, outcome.text
    return found[1]


def decision(outcome: Outcome) -> dict[str, Any]:
    """The one decision of ``verify -o json``."""
    document = json.loads(outcome.out)
    assert document["version"] == 1
    assert len(document["decisions"]) == 1, outcome.text
    found: dict[str, Any] = document["decisions"][0]
    return found


def codes(found: dict[str, Any]) -> set[str]:
    """Every code that a decision, or the error that came instead, names."""
    return set(re.findall(r'"code": "([a-z-]+)"', json.dumps(found)))


def inspected(outcome: Outcome) -> Any:
    """The JSON of ``trust inspect``."""
    return json.loads(outcome.ok().out)


def signed_tags(outcome: Outcome) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Of ``trust inspect``: each tag's digest and its signers, sorted."""
    return {
        row["SignedTag"]: (f"sha256:{row['Digest']}", tuple(sorted(row["Signers"])))
        for row in inspected(outcome)[0]["SignedTags"]
    }


def layout_digest(folder: Path) -> str:
    """The digest of the one image in an OCI layout."""
    manifests = json.loads((folder / "index.json").read_text())["manifests"]
    assert len(manifests) == 1
    digest: str = manifests[0]["digest"]
    return digest


def listed(outcome: Outcome) -> dict[str, tuple[str, str]]:
    """Of ``notary list``: each target's SHA-256 and the role that names it."""
    rows = [line.split() for line in outcome.ok().out.splitlines()]
    return {row[0]: (row[1], row[3]) for row in rows if len(row) == 4 and len(row[1]) == 64}


# What ours says in ``trust inspect`` beyond docker: members of its JSON, and a section of its text.
ADDED_MEMBERS = ("Role", "Roles", "Pinned", "Stale", "LastSigned", "Expires")
_ADDED_SECTION = re.compile(r"\nRoles\n\nROLE .*\n(?:.+\n)*\nRoot: .*\n")


def without_additions(text: str) -> str:
    """Our ``trust inspect`` as docker would have printed it: what ours adds is taken out."""
    if not text.startswith("["):
        return _ADDED_SECTION.sub("", text)
    document = json.loads(text)
    for member in document:
        for row in (member, *member["SignedTags"], *member["Signers"]):
            for name in ADDED_MEMBERS:
                row.pop(name, None)
    return go_json(document)


def go_json(value: object) -> str:
    """JSON as docker prints it."""
    text = json.dumps(value, indent=4, ensure_ascii=False)
    for character, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(character, escape)
    return text + "\n"
