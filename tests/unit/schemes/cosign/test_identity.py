"""Certified identities: exactly, or by patterns that match the whole."""

from typing import Any

import pytest

from countermark.core.errors import Code, ConfigError, EvidenceError
from countermark.core.signer import Identity
from countermark.schemes.cosign import identity

ISSUER = "https://token.actions.example.test"
WORKFLOW = "https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/v1"


def wanted(**fields: Any) -> Identity:
    return Identity(**({"issuer": ISSUER} | fields))


GOOD = [
    (wanted(subject=WORKFLOW), {}),
    (wanted(subject_pattern=r"https://github\.com/acme/[^/]+/.*"), {}),
    (Identity(subject=WORKFLOW, issuer_pattern=r"https://.*\.example\.test"), {}),
    (wanted(subject_pattern="a|https.*"), {}),
    (wanted(subject=WORKFLOW, extensions=((20, "push"),)), {20: "push", 21: "x"}),
    (wanted(subject=WORKFLOW, extensions=((20, "push"), (11, "hosted"))), {20: "push", 11: "hosted"}),
]  # fmt: skip


@pytest.mark.parametrize(("demand", "extensions"), GOOD)
def test_who_is_meant(demand: Identity, extensions: dict[int, str | bytes]) -> None:
    identity.check(demand, WORKFLOW, ISSUER, extensions)


BAD = [
    (wanted(subject=WORKFLOW + "0"), "subject is"),
    (wanted(subject=WORKFLOW.upper()), "subject is"),
    # cosign searches, and takes all of these
    (wanted(subject_pattern="https://github.com/acme"), "subject is"),
    (wanted(subject_pattern="github.com/acme/.*"), "subject is"),
    (wanted(subject_pattern=".*refs/tags/v"), "subject is"),
    (wanted(subject_pattern="acme|shop"), "subject is"),
    (Identity(subject=WORKFLOW, issuer="https://other.test"), "issuer is"),
    (Identity(subject=WORKFLOW, issuer_pattern="example"), "issuer is"),
    (wanted(subject=WORKFLOW, extensions=((20, "pull_request"),)), "extension 20 is 'push'"),
    (wanted(subject=WORKFLOW, extensions=((12, "x"),)), "extension 12 is ''"),
]


@pytest.mark.parametrize(("demand", "message"), BAD)
def test_who_is_not(demand: Identity, message: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        identity.check(demand, WORKFLOW, ISSUER, {20: "push"})
    assert caught.value.code == Code.IDENTITY
    assert message in str(caught.value)
    assert "expected is" in str(caught.value)


@pytest.mark.parametrize(("subject", "issuer"), [("", ISSUER), (WORKFLOW, "")])
def test_a_certificate_without_names_is_nobodys(subject: str, issuer: str) -> None:
    everyone = Identity(subject_pattern=".*", issuer_pattern=".*")
    with pytest.raises(EvidenceError) as caught:
        identity.check(everyone, subject, issuer, {})
    assert caught.value.code == Code.IDENTITY


def test_what_is_no_pattern_is_the_operators_mistake(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="not a pattern of RE2"):
        identity.check(wanted(subject_pattern="("), WORKFLOW, ISSUER, {})
    assert capfd.readouterr() == ("", "")  # the library would write there itself
