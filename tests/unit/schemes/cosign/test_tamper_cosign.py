"""Every case of tests/tamper_cosign.py."""

import pytest

import fake_sigstore as fake
from countermark.core.claim import Claim, Rejection
from countermark.core.errors import Code, ConfigError
from countermark.core.signer import CosignSigner
from countermark.formats.trusted_root import TrustedRoot
from countermark.schemes.cosign.verifier import CosignVerifier
from tamper_cosign import CASES, SIGSTORE, Case
from world import GOOD, NOW, REPOSITORY, subject


class NoRoots:
    def trusted_root(self, name: str) -> TrustedRoot:
        raise ConfigError("no root is configured")


def answer(case: Case) -> Code | None:
    """What a verifier says about v1: None for a claim, else the code of the rejection."""
    store, made = fake.MemoryStore(), case.make()
    if isinstance(made, fake.Layer):
        store.attach_legacy(REPOSITORY, GOOD, made, suffix=case.suffix)
    else:
        store.attach(REPOSITORY, GOOD, made)
    signer = case.signer
    if signer.identity is not None or not signer.accept_unlogged or signer.timestamped:
        signer = signer.replace(trusted_root=SIGSTORE.trusted_root(case.root).decode())
    (finding,) = CosignVerifier(store, NoRoots()).findings(subject(), [signer], NOW)
    assert finding.signer == case.signer.name
    if isinstance(finding, Claim):
        assert finding.digest == GOOD
        assert finding.signatory.keys
        return None
    assert isinstance(finding, Rejection)
    assert finding.reason
    assert finding.path.startswith(REPOSITORY.name)
    return finding.code


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_broken_signature(case: Case) -> None:
    assert answer(case) == case.code


def test_names_are_told_apart() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", [c for c in CASES if c.code is not None], ids=str)
def test_a_broken_signature_does_not_hide_a_good_one(case: Case) -> None:
    signer = CosignSigner(name="good", key=fake.pem(KEY), accept_unlogged="a test")
    store, made = fake.MemoryStore(), case.make()
    if isinstance(made, fake.Layer):
        store.attach_legacy(REPOSITORY, GOOD, made, suffix=case.suffix)
    else:
        store.attach(REPOSITORY, GOOD, made)
    store.attach(REPOSITORY, GOOD, fake.bundle(KEY, fake.statement(GOOD)))
    found = CosignVerifier(store, NoRoots()).findings(subject(), [signer], NOW)
    assert [f.digest for f in found if isinstance(f, Claim)] == [GOOD]


KEY = fake.new_key()
