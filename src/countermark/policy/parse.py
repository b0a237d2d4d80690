"""Policy text to policy, with the place of every mistake."""

from countermark.core import limits
from countermark.core.errors import ConfigError, InputError
from countermark.core.light import datetime, timedelta
from countermark.core.signer import TrustedSigner
from countermark.policy.built_in import MOVED_TAG
from countermark.policy.model import (
    POINTS,
    AtLeast,
    Layer,
    Modes,
    RegistryPlace,
    Requirement,
    Rule,
    Vouched,
)
from countermark.policy.pattern import Pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from countermark.formats.strict_yaml import Item
    from countermark.policy.parse_parties import Parties, ReadFile


_LAYER_KEYS = (
    "version",
    "unmatched",
    "mode",
    "movedTag",
    "onUnavailable",
    "requirePin",
    "signers",
    "rules",
    "registries",
    "trust",
)
_RULE_KEYS = ("images", "require", "allow", "deny", "until", "priority", "in", "mode")
_EFFECTS = ("require", "allow", "deny")
_MODES = ("enforce", "warn", "audit")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse(
    content: bytes,
    *,
    file: str,
    read_file: "ReadFile",
    knows_namespaces: bool = False,
    check_condition: "Callable[[str], None] | None" = None,
) -> Layer:
    """Read a policy file.

    Args:
        content: its bytes.
        file: its name, for messages and as the layer's name.
        read_file: reads another file that the policy names, by the path as written there; None: no such file.
        knows_namespaces: whether the point that loads it knows a namespace, so that ``in:`` can be obeyed.
        check_condition: raises ConfigError for a condition that cannot be read; without it who judges one finds out.

    Raises:
        ConfigError: anything that is wrong, unknown, or not implemented, with file, line and path.
    """
    # the heavy half, and YAML below it, only where there is a file
    from countermark.formats.strict_yaml import parse as parse_yaml  # noqa: PLC0415
    from countermark.policy.parse_parties import Parties  # noqa: PLC0415

    document = parse_yaml(content, file)
    reader = _FileParser(Parties(read_file), check_condition, knows_namespaces=knows_namespaces)
    return reader.layer(document)


class _FileParser:
    """Reads one file; the signers that it names are known to its rules."""

    def __init__(
        self,
        parties: "Parties",
        check_condition: "Callable[[str], None] | None",
        *,
        knows_namespaces: bool,
    ) -> None:
        self._parties, self._check_condition = parties, check_condition
        self._knows_namespaces = knows_namespaces
        self._signers: dict[str, TrustedSigner] = {}

    def layer(self, document: "Item") -> Layer:
        members = document.object(_LAYER_KEYS, ("platforms", "replaces"))
        if "version" not in members:
            document.refuse("version is missing", "begin the file with version: 1")
        if members["version"].content is True or members["version"].content != 1:
            members["version"].refuse("this program reads version: 1 of the language")
        if "trust" in members:
            self._parties.read_trust(members["trust"])
        for name, item in (members["signers"].members() if "signers" in members else {}).items():
            self._signers[name] = self._parties.signer(item, _name(item, name))
        layer = Layer(
            name=document.file,
            rules=self._rules(members["rules"]) if "rules" in members else (),
            unmatched=_word(members, "unmatched", ("deny", "allow", "warn")),
            modes=_modes(members["mode"]) if "mode" in members else Modes(),
            moved_tag=_word(members, "movedTag", MOVED_TAG),
            last_good=_last_good(members["onUnavailable"]) if "onUnavailable" in members else None,
            require_pin=members["requirePin"].boolean() if "requirePin" in members else False,
            signers=tuple(self._signers.values()),
            registries=self._registries(members["registries"]) if "registries" in members else (),
        )
        _check_order(layer)
        return layer

    def _registries(self, item: "Item") -> tuple[RegistryPlace, ...]:
        places = [self._parties.registry(inner, scope) for scope, inner in item.members().items()]
        if len({place.scope for place in places}) != len(places):
            item.refuse("docker.io and index.docker.io are the same registry")
        return tuple(places)

    # Rules ------------------------------------------------------------------------------------------

    def _rules(self, item: "Item") -> tuple[Rule, ...]:
        rules = item.items()
        if len(rules) > limits.POLICY_RULES:
            item.refuse(f"{len(rules)} rules, at most {limits.POLICY_RULES} are allowed")
        return tuple(self._rule(rule) for rule in rules)

    def _rule(self, item: "Item") -> Rule:
        members = item.object(_RULE_KEYS, ("platforms", "delegate", "claims"))
        if "images" not in members:
            item.refuse("a rule needs images")
        effects = [effect for effect in _EFFECTS if effect in members]
        if len(effects) != 1:
            item.refuse("a rule says exactly one of require, allow and deny")
        (effect,) = effects
        if "until" in members and effect != "allow":
            members["until"].refuse("only an exception ends: until belongs to allow")
        return Rule(
            images=_pattern(members["images"]),
            effect=effect,
            requirement=self._demand(members["require"]) if effect == "require" else None,
            reason="" if effect == "require" else members[effect].text(),
            until=_time(members["until"]) if "until" in members else None,
            priority=members["priority"].integer(-1000, 1000) if "priority" in members else 0,
            namespaces=self._namespaces(members["in"]) if "in" in members else (),
            modes=_modes(members["mode"]) if "mode" in members else None,
            line=item.line,
        )

    def _namespaces(self, item: "Item") -> tuple[str, ...]:
        members = item.object(("namespaces",), ("kinds", "labels"))
        if "namespaces" not in members:
            item.refuse("in: needs namespaces")
        if not self._knows_namespaces:
            item.refuse(
                "no namespace is known here, so this rule cannot be obeyed",
                "keep rules for namespaces in a file of its own, for a point that knows them",
            )
        return tuple(part.text() for part in members["namespaces"].items())

    # Requirements -----------------------------------------------------------------------------------

    def _demand(self, item: "Item") -> Requirement:
        """Read what a rule requires, and bound what judging it may cost."""
        requirement = self._requirement(item)
        if requirement.ways > limits.POLICY_WAYS:
            item.refuse(
                f"{requirement.ways} choices of signers could fulfil this, at most {limits.POLICY_WAYS} are allowed"
            )
        return requirement

    def _requirement(self, item: "Item") -> Requirement:
        if isinstance(item.content, list):
            return self._threshold(item, item, len(item.items()))
        if not isinstance(item.content, dict):
            return Vouched(signer=self._named(item))
        members = item.members()
        if "attested" in members or "by" in members or "where" in members:
            return self._attested(item)
        if "any" in members:
            return self._threshold(item.object(("any",))["any"], item, 1)
        if "atLeast" in members or "of" in members:
            members = item.object(("atLeast", "of"))
            if len(members) != 2:
                item.refuse("atLeast and of go together")
            parts = members["of"]
            return self._threshold(parts, item, members["atLeast"].integer(1, len(parts.items())))
        return self._vouched(item)

    def _vouched(self, item: "Item") -> Requirement:
        """Read ``{signer: NAME, until: …}``, or a signer written in place."""
        from countermark.policy.parse_parties import LATER_SCHEMES, SIGNER_KEYS  # noqa: PLC0415

        members = item.members()
        until = _time(members["until"]) if "until" in members else None
        if "signer" in members:
            return Vouched(
                signer=self._named(item.object(("signer", "until"))["signer"]), until=until
            )
        item.object((*SIGNER_KEYS, "until", "signer", "any", "atLeast", "of"), LATER_SCHEMES)
        signer = self._parties.signer(item, f"{item.file} {item.path}", also=("until",))
        return Vouched(signer=signer, until=until)

    def _attested(self, item: "Item") -> Requirement:
        """Read ``{attested: TYPE, by: SIGNER, where: CEL, until: …}``."""
        from countermark.policy.parse_cosign import attested  # noqa: PLC0415 - with the heavy half

        members = item.object(("attested", "by", "where", "until"))
        if "attested" not in members or "by" not in members:
            item.refuse("attested and by go together", "write {attested: URI, by: SIGNER}")
        until = _time(members["until"]) if "until" in members else None
        return attested(item, self._named(members["by"]), until, self._check_condition)

    def _threshold(self, parts: "Item", item: "Item", count: int) -> Requirement:
        found = tuple(self._requirement(part) for part in parts.items())
        # a signatory counts once, so the same signer twice could never both be met
        if len(set(found)) != len(found):
            item.refuse("the same part stands here twice")
        if 1 < count < len(found):
            from countermark.policy.parse_cosign import who_could_be_two  # noqa: PLC0415 - with the heavy half

            name = who_could_be_two(found)
            if name:
                item.refuse(
                    f"{name} alone could make two of these, by signing and attesting",
                    "let nobody stand here twice",
                )
        return found[0] if len(found) == 1 else AtLeast(count=count, parts=found)

    def _named(self, item: "Item") -> TrustedSigner:
        return self._signers[item.word(self._signers or ("(the file names no signers)",))]


def _name(item: "Item", name: str) -> str:
    if not name.isprintable() or len(name) > 128 or name.strip() != name or not name:
        item.refuse(
            "a signer's name is printable, has at most 128 characters, and no space around it"
        )
    return name


def _check_order(layer: Layer) -> None:
    from countermark.policy.match import clashes  # noqa: PLC0415 - with the heavy half

    for one, other in clashes(layer):
        raise ConfigError(
            f"line {one.line} ({one.images}) and line {other.line} ({other.images}) say different things "
            "about the same images, and neither is more specific",
            file=layer.name,
            line=other.line,
            path="rules",
            hint="make one pattern more specific, or give one a priority",
        )


def _pattern(item: "Item") -> Pattern:
    try:
        return Pattern.parse(item.text())
    except InputError as error:
        item.refuse(str(error), error.hint)


def _word(members: "dict[str, Item]", name: str, words: tuple[str, ...]) -> str:
    return members[name].word(words) if name in members else words[0]


def _modes(item: "Item") -> Modes:
    """Read a mode, or one for each point: ``{default: enforce, gateway: warn}``."""
    if not isinstance(item.content, dict):
        return Modes(default=item.word(_MODES))
    members = item.object(("default", *POINTS))
    return Modes(
        default=_word(members, "default", _MODES),
        points=tuple((p, members[p].word(_MODES)) for p in POINTS if p in members),
    )


def _last_good(item: "Item") -> timedelta | None:
    if not isinstance(item.content, dict):
        item.word(("deny",))
        return None
    members = item.object(("lastGood",))
    if "lastGood" not in members:
        item.refuse("lastGood is missing", "write {lastGood: 24h}, or deny")
    inner = members["lastGood"]
    text = inner.text()
    number, unit = text[:-1], text[-1]
    if not (number.isascii() and number.isdigit() and len(number) < 8 and unit in _UNITS):
        inner.refuse(f"{text[:80]!r} is no length of time", "write 90s, 30m, 24h or 7d")
    seconds = int(number) * _UNITS[unit]
    if not 0 < seconds <= limits.LAST_GOOD_SECONDS:
        days = int(limits.LAST_GOOD_SECONDS // 86400)
        inner.refuse(f"a last good answer counts for more than nothing and at most {days} days")
    return timedelta(seconds=seconds)


def _time(item: "Item") -> datetime:
    from countermark.policy.parse_parties import time  # noqa: PLC0415 - with the heavy half

    return time(item)
