"""Words that need no parser: names, and the usual options, for the commands that must start fast.

Whatever is the least bit unusual is left to the parser, and so is every mistake. A test holds what is read here
against the parser, whose module costs a cold start 8 to 12 ms.
"""

from countermark.cli.commands import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    # how an option is read: ``switch``, ``text``, ``list`` (may repeat), ``count``, or the words that it may be
    Kind = str | tuple[str, ...]
    Options = dict[str, tuple[str, Kind]]

# Command -> the name under which its words are known, and its options as they are when nobody gives one.
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
    ("sign",): (
        "images",
        {
            "key": "",
            "identity_token": None,
            "sign_in": "",
            "format": "bundle",
            "recursive": False,
            "signing_config": "",
            "trusted_root": "",
            "no_log": False,
            "output": "text",
            "annotations": [],
        },
    ),
    ("trust", "inspect"): ("images", {"pretty": False, "history": False}),
}
# Command -> its options: the member that each sets, and how it is read.
OPTIONS: "dict[tuple[str, ...], Options]" = {
    ("verify",): {
        "--policy": ("policy", "text"),
        "--require-pin": ("require_pin", "switch"),
        "-o": ("output", ("text", "json")),
        "--output": ("output", ("text", "json")),
        "--key": ("key", "list"),
        "--identity": ("identity", "list"),
        "--issuer": ("issuer", "list"),
        "--threshold": ("threshold", "count"),
        "--attestation": ("attestation", "text"),
        "-a": ("annotations", "list"),
        "--annotation": ("annotations", "list"),
        "--trusted-root": ("trusted_root", "text"),
        "--offline": ("offline", "switch"),
        "--accept-unlogged": ("accept_unlogged", "text"),
        "-r": ("recursive", "switch"),
        "--recursive": ("recursive", "switch"),
    },
    ("sign",): {
        "--key": ("key", "text"),
        "--identity-token": ("identity_token", "text"),
        "--sign-in": ("sign_in", ("browser", "device")),
        "--format": ("format", ("bundle", "legacy", "both")),
        "-r": ("recursive", "switch"),
        "--recursive": ("recursive", "switch"),
        "--signing-config": ("signing_config", "text"),
        "--trusted-root": ("trusted_root", "text"),
        "--no-log": ("no_log", "switch"),
        "-o": ("output", ("text", "json")),
        "--output": ("output", ("text", "json")),
        "-a": ("annotations", "list"),
        "--annotation": ("annotations", "list"),
    },
    ("trust", "inspect"): {"--pretty": ("pretty", "switch"), "--history": ("history", "switch")},
}


class Words:
    """What a parser would give, as attributes."""

    def __init__(self, members: dict[str, object]) -> None:
        self.__dict__.update(members)


class _UnusualError(Exception):
    """Something that the parser has to read."""


def read(command: Command, rest: list[str], prog: str) -> "argparse.Namespace | None":
    """Read names, and options as they are usually written; None where they need the parser."""
    plain = PLAIN.get(command.words)
    if plain is None or any(not word or word == "-" for word in rest):
        return None
    name, defaults = plain
    members = {
        key: list(value) if isinstance(value, list) else value for key, value in defaults.items()
    }
    try:
        names = _read(rest, OPTIONS[command.words], members)
    except _UnusualError:
        return None
    prog = " ".join((prog, *command.words))
    return Words({**members, name: names, "prog": prog})  # type: ignore[return-value]  # it is used as one


def _read(rest: list[str], options: "Options", members: dict[str, object]) -> list[str]:
    """Set what the options say; return the names, which stand together."""
    names: list[str] = []
    words = iter(rest)
    last = ""
    for word in words:
        if not word.startswith("-"):
            if names and last.startswith("-"):
                raise _UnusualError
            names.append(word)
        else:
            _option(word, words, options, members)
        last = word
    if not names:
        raise _UnusualError
    return names


def _option(
    word: str, words: "Iterator[str]", options: "Options", members: dict[str, object]
) -> None:
    """Set what one option says, taking its value from the words that follow."""
    flag, equals, value = word.partition("=")
    if flag not in options or (equals and not flag.startswith("--")):
        raise _UnusualError
    member, kind = options[flag]
    if kind == "switch":
        if equals:
            raise _UnusualError
        members[member] = True
        return
    if not equals:
        value = next(words, "-")
        if value.startswith("-"):
            raise _UnusualError
    members[member] = _value(kind, value, members[member])


def _value(kind: "Kind", value: str, before: object) -> object:
    if kind == "list" and isinstance(before, list):
        return [*before, value]
    if kind == "count" and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if kind == "text" or (isinstance(kind, tuple) and value in kind):
        return value
    raise _UnusualError
