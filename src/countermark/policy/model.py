"""Policies, rules, requirements, decisions."""

from countermark.core.claim import Claim, Finding
from countermark.core.errors import Code, ConfigError
from countermark.core.light import datetime, timedelta
from countermark.core.reference import ImageReference, Repository, Subject
from countermark.core.signer import TrustedSigner
from countermark.core.value import Value
from countermark.policy.pattern import Pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Where decisions are made. One file serves all of them, so the name of each may stand in it.
POINTS = ("cli", "docker", "gateway", "admission", "daemon")


class Verdict(str):
    """What a policy says about a subject; only ``allowed`` lets an image pass."""

    __slots__ = ()

    DENIED: "Verdict"
    UNKNOWN: "Verdict"
    ALLOWED: "Verdict"

    @classmethod
    def all_of(cls, verdicts: "Iterator[Verdict]") -> "Verdict":
        """Kleene's conjunction: the worst of them, denied before unknown before allowed."""
        given = set(verdicts)
        if cls.DENIED in given:
            return cls.DENIED
        return cls.UNKNOWN if cls.UNKNOWN in given else cls.ALLOWED


Verdict.DENIED = Verdict("denied")
Verdict.UNKNOWN = Verdict("unknown")
Verdict.ALLOWED = Verdict("allowed")


# What is demanded -----------------------------------------------------------------------------------


class Vouched(Value):
    """This signer must vouch for the subject.

    Attributes:
        signer: who.
        predicate: the predicate type of an attestation that must say so; "" for a signature.
        until: from then on the signer is no longer believed.
    """

    signer: TrustedSigner
    predicate: str = ""
    until: datetime | None = None

    @property
    def ways(self) -> int:
        """How many sets of parts could fulfil it."""
        return 1


class AtLeast(Value):
    """So many of the parts must be fulfilled, each by other signatories than the rest.

    A list in a policy is all of its parts, ``any`` is at least one.
    """

    count: int
    parts: "tuple[Requirement, ...]"

    def _check(self) -> None:
        if not 1 <= self.count <= len(self.parts):
            raise ConfigError(f"at least {self.count} of {len(self.parts)} cannot be required")

    @property
    def ways(self) -> int:
        """How many sets of parts could fulfil it: a bound on what judging it costs."""
        sums = [1] + [0] * self.count  # elementary symmetric polynomials of the parts' ways
        for part in self.parts:
            for size in range(self.count, 0, -1):
                sums[size] += sums[size - 1] * part.ways
        return sums[self.count]


Requirement = Vouched | AtLeast


def signers_of(requirement: Requirement) -> tuple[TrustedSigner, ...]:
    """Every signer that a requirement names, each once, in the order written."""
    if isinstance(requirement, Vouched):
        return (requirement.signer,)
    found = [signer for part in requirement.parts for signer in signers_of(part)]
    return tuple(dict.fromkeys(found))


# Rules and layers -----------------------------------------------------------------------------------


class Modes(Value):
    """What a denial does, at each point: ``enforce`` it, ``warn`` about it, or only note it (``audit``)."""

    default: str = "enforce"
    points: tuple[tuple[str, str], ...] = ()

    def at(self, point: str) -> str:
        """The mode at one point."""
        return dict(self.points).get(point, self.default)


class Rule(Value):
    """Which images, and what about them.

    Attributes:
        images: which.
        effect: ``require``, ``allow`` or ``deny``.
        requirement: what ``require`` demands, None for the others.
        reason: why ``allow`` or ``deny``; "" for ``require``.
        until: when an ``allow`` ends; the next best rule decides from then on.
        priority: the higher goes first, before all specificity.
        namespaces: patterns of the namespaces that it is for; empty for all, and for points that know none.
        modes: overrides the layer's; None to leave them.
        line: where it stands in its file, 0 for one that we made.
    """

    images: Pattern
    effect: str
    requirement: Requirement | None = None
    reason: str = ""
    until: datetime | None = None
    priority: int = 0
    namespaces: tuple[str, ...] = ()
    modes: Modes | None = None
    line: int = 0

    def _check(self) -> None:
        if (self.effect == "require") != (self.requirement is not None):
            raise ConfigError("a requirement belongs to require, and to nothing else")
        if (self.effect in ("allow", "deny")) != bool(self.reason):
            raise ConfigError("allow and deny need a reason, require has none")

    @property
    def outcome(self) -> tuple[object, ...]:
        """What it says about its images: two rules with the same outcome need no order between them."""
        return (self.effect, self.requirement, self.reason, self.until, self.modes)


class RegistryPlace(Value):
    """Where the images of a registry, or of a part of it, really are.

    Attributes:
        scope: the logical name that rules match: a registry, or with the beginning of a path (``ghcr.io/acme``).
        at: the registry to ask, and perhaps a path to put before the image's: ``mirror.acme.test/hub``; "" for the
            scope's own.
        ca: PEM text of the CA certificates that vouch for that registry; "" for those of the system.
        login: ``docker-config`` where the logins of docker's configuration may be used, ``none`` where not; "" where
            it does not say.
        realms: hosts of token servers that may see the login, beside the registry's own.
        signatures: the repository where cosign's signatures of all these images lie; "" for each image's own.
        line: where it stands in its file.
    """

    scope: str
    at: str = ""
    ca: str = ""
    login: str = ""
    realms: tuple[str, ...] = ()
    signatures: str = ""
    line: int = 0

    def contains(self, repository: Repository) -> bool:
        """Say whether a repository is in the scope."""
        return f"{repository.name}/".startswith(f"{self.scope}/")

    def locate(self, repository: Repository) -> Repository:
        """Say where a repository of this scope really is: the scope's name gives way to ``at``."""
        if not self.at:
            return repository
        name = self.at + repository.name[len(self.scope) :]
        registry, _, path = name.partition("/")
        return Repository(registry=registry, path=path)


class Layer(Value):
    """One policy file.

    Attributes:
        name: the file, as given; ``content-trust`` for the built-in layer.
        rules: in the order written.
        unmatched: what about images that no rule matches: ``deny``, ``allow`` or ``warn``.
        modes: what a denial does.
        moved_tag: ``deny``, or ``useSigned``: take the signed digest where the tag points elsewhere.
        last_good: how long a last good answer counts while a signer is silent; None for not at all.
        accept_stale: claims from cached evidence count until they expire, as docker has it; built-in layer only.
        require_pin: claims that rest on a first use do not count.
        signers: the signers that the file names.
        registries: where things really are.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    unmatched: str = "deny"
    modes: Modes = Modes()
    moved_tag: str = "deny"
    last_good: timedelta | None = None
    accept_stale: bool = False
    require_pin: bool = False
    signers: tuple[TrustedSigner, ...] = ()
    registries: tuple[RegistryPlace, ...] = ()


class Policy(Value):
    """The layers that apply, all of which must agree.

    Signers are known by name once findings come back, so one name may not mean two parties.
    """

    layers: tuple[Layer, ...]

    def _check(self) -> None:
        if not self.layers:
            raise ConfigError("a policy needs at least one layer")
        signers: dict[str, tuple[TrustedSigner, str]] = {}
        places: dict[str, tuple[RegistryPlace, str]] = {}
        for layer in self.layers:
            for signer in _all_signers(layer):
                known, where = signers.setdefault(signer.name, (signer, layer.name))
                if known != signer:
                    raise ConfigError(
                        f"signer {signer.name!r} is another party than in {where}",
                        file=layer.name,
                        hint="files that apply together need different names for different signers",
                    )
            for place in layer.registries:
                there, where = places.setdefault(place.scope, (place, layer.name))
                if there.replace(line=0) != place.replace(line=0):
                    raise ConfigError(
                        f"registry {place.scope} is elsewhere in {where}",
                        file=layer.name,
                        line=place.line,
                    )

    @property
    def signers(self) -> tuple[TrustedSigner, ...]:
        """Every signer that some rule or file names, each once."""
        return tuple(dict.fromkeys(s for layer in self.layers for s in _all_signers(layer)))

    def with_pins_required(self) -> "Policy":
        """The same policy, except that no layer takes a claim that rests on a first use."""
        return Policy(layers=tuple(layer.replace(require_pin=True) for layer in self.layers))

    def place_of(self, repository: Repository) -> RegistryPlace | None:
        """Say where a repository really is; the longest scope decides. None where no file says so."""
        found = [p for layer in self.layers for p in layer.registries if p.contains(repository)]
        return max(found, key=lambda place: len(place.scope), default=None)

    def signatures_of(self, repository: Repository) -> Repository:
        """Say in which repository cosign's signatures of an image lie: its own, unless a file says otherwise."""
        found = [
            p
            for layer in self.layers
            for p in layer.registries
            if p.signatures and p.contains(repository)
        ]
        place = max(found, key=lambda place: len(place.scope), default=None)
        if place is None:
            return repository
        registry, _, path = place.signatures.partition("/")
        return Repository(registry=registry, path=path)


def _all_signers(layer: Layer) -> "Iterator[TrustedSigner]":
    yield from layer.signers
    for rule in layer.rules:
        if rule.requirement is not None:
            yield from signers_of(rule.requirement)


# Decisions ------------------------------------------------------------------------------------------


class Case(Value):
    """What is to be decided: what was asked for, the subject that it was pinned to, and at which point."""

    reference: ImageReference
    subject: Subject
    point: str = "cli"


class Choice(Value):
    """What a layer has to say about a subject: the rule that decides, None where none matches.

    ``ended`` are rules that would have decided, had their time not run out.
    """

    layer: Layer
    rule: Rule | None = None
    ended: tuple[Rule, ...] = ()


class Remembered(Value):
    """A claim that was fresh when it was seen, for a signer that is silent now."""

    claim: Claim
    seen_at: datetime


class Reason(Value):
    """Why, as a code for programs and a text for people (which others may have chosen)."""

    code: Code
    text: str


class Judged(Value):
    """A requirement and what became of it.

    Attributes:
        requirement: what was demanded.
        verdict: of this part alone.
        reasons: what was found wanting.
        claims: those that count, for a Vouched.
        parts: as in an AtLeast.
        open: whether its signer is silent, so that it may yet vouch.
    """

    requirement: Requirement
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    claims: tuple[Claim, ...] = ()
    parts: "tuple[Judged, ...]" = ()
    open: bool = False


class LayerResult(Value):
    """What one layer says: its verdict, by which rule, in which mode, and why.

    ``effect`` is the rule's, or ``unmatched``. ``requirement`` is there where the effect is ``require``.
    """

    layer: str
    effect: str
    verdict: Verdict
    mode: str
    rule: Rule | None = None
    reasons: tuple[Reason, ...] = ()
    requirement: Judged | None = None

    @property
    def passes(self) -> bool:
        """Whether the image passes, as far as this layer is concerned."""
        return self.verdict == Verdict.ALLOWED or self.mode != "enforce"


class Decision(Value):
    """A verdict on a subject, with all that it rests on.

    Attributes:
        reference: what was asked for.
        subject: the manifest decided on; who lets it pass must use this digest.
        time: when, by the clock read once for it.
        point: where: one of POINTS.
        verdict: what the policy says, whatever its mode.
        mode: the strictest mode among the layers that do not allow, or among all where all allow.
        layers: each layer's result.
        findings: everything that was found.
        remembered: what signers that are silent now said last, where a layer may take it.
        warnings: what weakens this decision, or was let pass.
    """

    reference: ImageReference
    subject: Subject
    time: datetime
    point: str
    verdict: Verdict
    mode: str
    layers: tuple[LayerResult, ...]
    findings: tuple[Finding, ...]
    remembered: tuple[Remembered, ...] = ()
    warnings: tuple[Reason, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether the image may be used: it is allowed, or no layer that objects is enforced."""
        return self.verdict == Verdict.ALLOWED or self.mode != "enforce"

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The claims that count for a requirement, each once: what an allowed decision rests on."""
        found = [
            c for layer in self.layers if layer.requirement for c in counted(layer.requirement)
        ]
        return tuple(dict.fromkeys(found))


def counted(judged: Judged) -> "Iterator[Claim]":
    """Every claim that counts for a requirement or a part of it."""
    yield from judged.claims
    for part in judged.parts:
        yield from counted(part)
