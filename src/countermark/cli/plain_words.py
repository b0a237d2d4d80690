"""Words that need no parser: names, and the usual options, for the commands that must start fast.

Whatever is the least bit unusual is left to the parser, and so is every mistake. A test holds what is read here
against the parser, whose module costs a cold start 8 to 12 ms.
"""

from countermark.cli.commands import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    # how an option is read: ``switch``, ``text``, ``given`` (a text, or None), ``list`` (may repeat), ``count``, or
    # the words that it may be, the first of which holds where nobody gives one
    Kind = str | tuple[str, ...]
    Options = dict[str, tuple[Kind, tuple[str, ...]]]

_OUTPUT = (("text", "json"), ("-o", "--output"))
_RECURSIVE = ("switch", ("-r", "--recursive"))
_ANNOTATIONS = ("list", ("-a", "--annotation"))
# Command -> the name under which its words are known, and its options: the member that each sets, how it is read, and
# how it is written.
PLAIN: "dict[tuple[str, ...], tuple[str, Options]]" = {
    ("verify",): (
        "images",
        {
            "policy": ("text", ("--policy",)),
            "require_pin": ("switch", ("--require-pin",)),
            "output": _OUTPUT,
            "key": ("list", ("--key",)),
            "identity": ("list", ("--identity",)),
            "issuer": ("list", ("--issuer",)),
            "threshold": ("count", ("--threshold",)),
            "attestation": ("text", ("--attestation",)),
            "annotations": _ANNOTATIONS,
            "trusted_root": ("text", ("--trusted-root",)),
            "offline": ("switch", ("--offline",)),
            "accept_unlogged": ("text", ("--accept-unlogged",)),
            "witness": ("list", ("--witness",)),
            "witnesses": ("count", ("--witnesses",)),
            "recursive": _RECURSIVE,
        },
    ),
    ("sign",): (
        "images",
        {
            "key": ("text", ("--key",)),
            "identity_token": ("given", ("--identity-token",)),
            "sign_in": (("", "browser", "device"), ("--sign-in",)),
            "format": (("bundle", "legacy", "both"), ("--format",)),
            "recursive": _RECURSIVE,
            "signing_config": ("text", ("--signing-config",)),
            "trusted_root": ("text", ("--trusted-root",)),
            "no_log": ("switch", ("--no-log",)),
            "output": _OUTPUT,
            "annotations": _ANNOTATIONS,
        },
    ),
    ("trust", "inspect"): (
        "images",
        {"pretty": ("switch", ("--pretty",)), "history": ("switch", ("--history",))},
    ),
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
    name, options = plain
    members = {member: _nothing(kind) for member, (kind, _) in options.items()}
    try:
        names = _read(rest, options, members)
    except _UnusualError:
        return None
    prog = " ".join((prog, *command.words))
    return Words({**members, name: names, "prog": prog})  # type: ignore[return-value]  # it is used as one


def _nothing(kind: "Kind") -> object:
    """What an option says that nobody gives."""
    if isinstance(kind, tuple):
        return kind[0]
    return {"switch": False, "text": "", "given": None, "count": 0}.get(kind, [])


def _read(rest: list[str], options: "Options", members: dict[str, object]) -> list[str]:
    """Set what the options say; return the names, which stand together."""
    written = {flag: (member, kind) for member, (kind, flags) in options.items() for flag in flags}
    names: list[str] = []
    words = iter(rest)
    last = ""
    for word in words:
        if not word.startswith("-"):
            if names and last.startswith("-"):
                raise _UnusualError
            names.append(word)
        else:
            _option(word, words, written, members)
        last = word
    if not names:
        raise _UnusualError
    return names


def _option(
    word: str,
    words: "Iterator[str]",
    options: "dict[str, tuple[str, Kind]]",
    members: dict[str, object],
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
    if kind in ("text", "given") or (isinstance(kind, tuple) and value and value in kind):
        return value
    raise _UnusualError
