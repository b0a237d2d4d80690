"""The use cases, top to bottom: verify an image, sign an image, carry trust over."""

from countermark.core.claim import Finding, Rejection, Silence
from countermark.core.errors import (
    Code,
    ConfigError,
    EvidenceError,
    InputError,
    RefusedError,
    UnavailableError,
)
from countermark.core.light import Mapping, Sequence, datetime
from countermark.core.reference import ImageReference, Subject
from countermark.core.signer import TrustedSigner
from countermark.policy.decide import decide
from countermark.policy.match import choose
from countermark.policy.model import (
    Case,
    Choice,
    Decision,
    Policy,
    Reason,
    Remembered,
    signers_of,
)
from countermark.schemes.interface import Receipt, Signer, Statement, TagAuthority, Verifier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from countermark.core.ports import ClaimMemory, Clock, Registry
    from countermark.policy.last_good import LastGood


class Engine:
    """Verifies and signs images under one policy."""

    def __init__(  # noqa: PLR0913 - each is one thing from outside
        self,
        registry: "Registry",
        verifiers: Mapping[str, Verifier],
        policy: Policy,
        clock: "Clock",
        *,
        tag_authorities: Mapping[str, TagAuthority] | None = None,
        point: str = "cli",
        memory: "ClaimMemory | None" = None,
    ) -> None:
        """Take what verification needs: who answers for each scheme, and who knows what its tags mean, if anyone.

        Raises:
            ConfigError: the policy names a scheme that nobody answers for, or asks for what was not given: a memory
                (``lastGood``), an authority on tags (``useSigned``).
        """
        for signer in policy.signers:
            if signer.scheme not in verifiers:
                raise ConfigError(f"signer {signer.name!r}: there is no scheme {signer.scheme!r}")
        wanted = any(layer.last_good is not None for layer in policy.layers)
        if wanted and memory is None:
            raise ConfigError("onUnavailable: lastGood has no place to keep answers here")
        if not tag_authorities and any(la.moved_tag == "useSigned" for la in policy.layers):
            raise ConfigError("movedTag: useSigned has nobody here who knows what a tag means")
        self._registry, self._verifiers, self._policy = registry, verifiers, policy
        self._tag_authorities = tag_authorities or {}
        self._clock, self._point = clock, point
        self._last_good = _last_good(memory) if memory is not None and wanted else None

    def verify(self, reference: ImageReference, namespace: str = "") -> Decision:
        """Pin the reference, ask who vouches for it, decide.

        Raises:
            NotFoundError, RefusedError, UnavailableError, EvidenceError: the registry names no subject.
        """
        now = self._clock()
        subject = self.pin(reference)
        decision, choices = self._judge(reference, subject, namespace, now)
        signed = self._signed_instead(decision, choices, now)
        if signed is None:
            return decision
        again, _ = self._judge(reference, signed, namespace, now)
        text = f"the registry's tag points to {subject.digest}; taken is the signed {signed.digest}"
        return again.replace(warnings=(Reason(code=Code.MOVED_TAG, text=text), *again.warnings))

    def pin(self, reference: ImageReference) -> Subject:
        """Say which manifest a reference means now: the digest in it, else what the registry's tag points to.

        Raises:
            NotFoundError, RefusedError, UnavailableError, EvidenceError: the registry says so, or nothing usable.
        """
        if reference.digest is not None:
            return Subject(
                repository=reference.repository, digest=reference.digest, tag=reference.tag
            )
        reference = reference.with_default_tag()
        found = self._registry.resolve(reference)
        # by the name that was asked for, wherever its registry really is
        return found.replace(repository=reference.repository, tag=reference.tag)

    def sign(
        self, wanted: ImageReference | Statement, signers: Sequence[Signer]
    ) -> tuple[Receipt, ...]:
        """Have each signer vouch for what a reference means in the registry now, or for a statement.

        Raises:
            InputError: no signer, or the registry has another digest than the reference.
            KeyAccessError, RefusedError, UnavailableError: as a signer has it; earlier receipts are then lost.
        """
        if not signers:
            raise InputError("nobody is to sign")
        statement = wanted if isinstance(wanted, Statement) else self._statement(wanted)
        now = self._clock()
        return tuple(signer.sign(statement, now) for signer in signers)

    def _statement(self, reference: ImageReference) -> Statement:
        found = self._registry.resolve(reference.with_default_tag())
        if reference.digest is not None and found.digest != reference.digest:
            raise InputError(
                f"the registry has {found.digest}, not {reference.digest}", code=Code.WRONG_SUBJECT
            )
        tag = reference.with_default_tag().tag
        return Statement(subject=found.replace(repository=reference.repository, tag=tag))

    # One round: choose, ask, decide ------------------------------------------------------------------

    def _judge(
        self, reference: ImageReference, subject: Subject, namespace: str, now: datetime
    ) -> tuple[Decision, tuple[Choice, ...]]:
        choices = self._choose(reference, subject, namespace, now)
        findings: list[Finding] = []
        remembered: list[Remembered] = []
        for scheme, signers in _by_scheme(choices):
            found = self._ask(scheme, signers, subject, now)
            findings += found
            if self._last_good is not None:
                remembered += self._last_good.exchange(signers, subject, found, now)
        case = Case(reference=reference, subject=subject, point=self._point)
        return decide(choices, case, findings, now, remembered), choices

    def _choose(
        self, reference: ImageReference, subject: Subject, namespace: str, now: datetime
    ) -> tuple[Choice, ...]:
        """Find each layer's rule.

        A tag beside a digest is the words of whoever typed it. It chooses an exception only while the registry's tag
        points to that digest; else ``allow`` for ``pay:v*`` would take any digest that is called ``pay:v1@…``.
        """
        choices = [choose(layer, subject, now, namespace) for layer in self._policy.layers]
        if reference.digest is None or not any(_excepts_tag(choice) for choice in choices):
            return tuple(choices)
        if self._registry.resolve(reference.replace(digest=None)).digest == subject.digest:
            return tuple(choices)
        untagged = subject.replace(tag=None)
        return tuple(
            choose(c.layer, untagged, now, namespace) if _excepts_tag(c) else c for c in choices
        )

    def _ask(
        self, scheme: str, signers: Sequence[TrustedSigner], subject: Subject, now: datetime
    ) -> tuple[Finding, ...]:
        """Ask one scheme about its signers; one that cannot be asked makes a silence of each."""
        names = {signer.name for signer in signers}
        try:
            found = self._verifiers[scheme].findings(subject, signers, now)
        except (UnavailableError, RefusedError) as error:
            return tuple(
                Silence(signer=s.name, code=error.code, reason=str(error)) for s in signers
            )
        return tuple(finding for finding in found if finding.signer in names)

    # movedTag: useSigned ------------------------------------------------------------------------------

    def _signed_instead(
        self, decision: Decision, choices: Sequence[Choice], now: datetime
    ) -> Subject | None:
        """Say which subject to take in place of a moved tag's, None to leave the decision as it is.

        Only where every layer that requires something says ``useSigned``, and what is required is not met without.
        """
        reference = decision.reference.with_default_tag()
        demanding = [c for c in choices if c.rule is not None and c.rule.requirement is not None]
        moved = any(
            isinstance(f, Rejection) and f.code == Code.MOVED_TAG for f in decision.findings
        )
        if (
            decision.verdict == "allowed"
            or not moved
            or reference.digest is not None
            or any(choice.layer.moved_tag != "useSigned" for choice in demanding)
        ):
            return None
        for scheme, signers in _by_scheme(choices):
            tags = self._tag_authorities.get(scheme)
            if tags is None:
                continue
            try:
                digest = tags.digest_of(reference, signers, now)
            except (EvidenceError, UnavailableError, RefusedError):
                continue  # the decision that stands already says what was found wanting
            if digest != decision.subject.digest:
                return Subject(repository=reference.repository, digest=digest, tag=reference.tag)
        return None


def _excepts_tag(choice: Choice) -> bool:
    rule = choice.rule
    return (
        rule is not None
        and rule.effect == "allow"
        and rule.images.tag is not None
        and rule.images.digest is None
    )


def _by_scheme(choices: Sequence[Choice]) -> list[tuple[str, tuple[TrustedSigner, ...]]]:
    """Group the signers that the chosen rules name, so that each scheme is asked once."""
    grouped: dict[str, dict[TrustedSigner, None]] = {}
    for choice in choices:
        if choice.rule is not None and choice.rule.requirement is not None:
            for signer in signers_of(choice.rule.requirement):
                grouped.setdefault(signer.scheme, {})[signer] = None
    return [(scheme, tuple(signers)) for scheme, signers in grouped.items()]


def _last_good(memory: "ClaimMemory") -> "LastGood":
    from countermark.policy.last_good import LastGood  # noqa: PLC0415 - few policies ask

    return LastGood(memory)
