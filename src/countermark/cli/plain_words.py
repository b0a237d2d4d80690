"""Words that need no parser: names alone, for the commands that must start fast."""

from countermark.cli.commands import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

# Command -> the name under which its words are known, and its options as they are when nobody gives one. A test holds
# them against the parser, whose module costs a cold start 8 ms.
PLAIN: dict[tuple[str, ...], tuple[str, dict[str, object]]] = {
    ("verify",): (
        "images",
        {
            "policy": "",
            "require_pin": False,
            "output": "text",
            "key": [],
            "identity": [],
            "issuer": [],
            "threshold": 0,
            "attestation": "",
            "annotations": [],
            "trusted_root": "",
            "offline": False,
            "accept_unlogged": "",
            "recursive": False,
        },
    ),
    ("trust", "inspect"): ("images", {"pretty": False, "history": False}),
}


class Words:
    """What a parser would give, as attributes."""

    def __init__(self, members: dict[str, object]) -> None:
        self.__dict__.update(members)


def read(command: Command, rest: list[str], prog: str) -> "argparse.Namespace | None":
    """Read words that are names alone; None where they need the parser."""
    plain = PLAIN.get(command.words)
    if plain is None or not rest or any(word.startswith("-") or not word for word in rest):
        return None
    name, options = plain
    prog = " ".join((prog, *command.words))
    return Words({name: rest, "prog": prog, **options})  # type: ignore[return-value]  # it is used as one
