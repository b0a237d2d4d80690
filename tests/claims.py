"""Claims, silences and layers for tests of the policy, in few words."""

from datetime import UTC, datetime
from typing import Any

from countermark.core.claim import Claim, Rejection, Signatory, Silence
from countermark.core.digest import Digest
from countermark.core.errors import Code
from countermark.core.reference import ImageReference, Subject
from countermark.core.signer import DctSigner
from countermark.policy.model import (
    AtLeast,
    Case,
    Choice,
    Layer,
    Requirement,
    Rule,
    Vouched,
)
from countermark.policy.pattern import Pattern

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SIGNED = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
GOOD = Digest.parse("sha256:" + "a" * 64)
OTHER = Digest.parse("sha256:" + "b" * 64)
IMAGE = ImageReference.parse("acme/pay:v1")
SUBJECT = Subject(repository=IMAGE.repository, digest=GOOD, tag="v1")


def signer(name: str, **fields: Any) -> DctSigner:
    return DctSigner(name=name, first_use=True, **fields)


def vouched(name: str, **fields: Any) -> Vouched:
    return Vouched(signer=signer(name), **fields)


def all_of(*parts: Requirement) -> AtLeast:
    return AtLeast(count=len(parts), parts=parts)


def some(count: int, *parts: Requirement) -> AtLeast:
    return AtLeast(count=count, parts=parts)


def claim(name: str, *keys: str, **fields: Any) -> Claim:
    """A claim on GOOD by the holder of some keys (by default one of his own)."""
    who = Signatory(
        scheme=fields.pop("scheme", "dct"), name=f"targets/{name}", keys=keys or (f"key-{name}",)
    )
    given: dict[str, Any] = {"signer": name, "signatory": who, "digest": GOOD, "signed_at": SIGNED}
    return Claim(**(given | fields))


def rejection(name: str, code: Code = Code.UNSIGNED, **fields: Any) -> Rejection:
    return Rejection(**({"signer": name, "code": code, "reason": f"{code} evidence"} | fields))


def silence(name: str, code: Code = Code.UNAVAILABLE) -> Silence:
    return Silence(signer=name, code=code, reason="the server cannot be reached")


def require(requirement: Requirement, line: int = 7, **fields: Any) -> Rule:
    return Rule(
        images=Pattern.parse("acme/**"),
        effect="require",
        requirement=requirement,
        line=line,
        **fields,
    )


def choice(requirement: Requirement, **fields: Any) -> Choice:
    """A layer, with ``fields`` of its own, whose rule requires this."""
    rule = require(requirement)
    return Choice(layer=Layer(**({"name": "policy.yaml", "rules": (rule,)} | fields)), rule=rule)


CASE = Case(reference=IMAGE, subject=SUBJECT)
