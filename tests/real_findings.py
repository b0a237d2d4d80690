"""What the real verifiers of both schemes find, for tests of the policy: claims, rejections and silences."""

from collections.abc import Iterator

import fake_sigstore as fake
from countermark.core.claim import Claim, Finding, Rejection, Silence
from countermark.core.errors import ConfigError, UnavailableError
from countermark.core.signer import CosignSigner, DctSigner
from countermark.formats.trusted_root import TrustedRoot
from countermark.schemes.cosign.verifier import CosignVerifier
from countermark.schemes.dct.repository import Loader
from countermark.schemes.dct.verifier import DctVerifier
from world import GOOD, NOW, OTHER, REPOSITORY, Craft, MemoryCache, Servers, TrustShelf, subject


class _NoRoots:
    def trusted_root(self, name: str) -> TrustedRoot:
        raise ConfigError("no root is configured")


def of_content_trust(*names: str) -> Iterator[Finding]:
    """A repository in which the first signs, one whose tag has moved, and one whose server is away."""
    signers = [DctSigner(name=n, first_use=True, role=f"targets/{n}") for n in names]
    good = Craft().released_by(names[0]).shelf()
    away = TrustShelf()
    away.down = UnavailableError("the server cannot be reached")
    for shelf, digest in ((good, GOOD), (good, OTHER), (away, GOOD)):
        verifier = DctVerifier(Servers(shelf), Loader(MemoryCache(), lambda _: None))
        yield from verifier.findings(subject(digest), signers, NOW)


def of_cosign(signs: str, attests: str, predicate: str) -> Iterator[Finding]:
    """One signs with a key, one attests with another; and somebody with both, and somebody else."""
    one, other = fake.new_key(), fake.new_key()
    signers = (
        CosignSigner(name=signs, key=fake.pem(one), accept_unlogged="a test"),
        CosignSigner(
            name=attests, key=fake.pem(other), accept_unlogged="a test", predicate=predicate
        ),
    )
    for key in (one, other):
        for digest in (GOOD, OTHER):
            for kind in (fake.SIGN, predicate):
                store = fake.MemoryStore()
                store.attach(REPOSITORY, GOOD, fake.bundle(key, fake.statement(digest, kind)))
                store.attach_legacy(REPOSITORY, GOOD, fake.legacy(key, fake.simple(digest)))
                yield from CosignVerifier(store, _NoRoots()).findings(subject(), signers, NOW)
    store = fake.MemoryStore()
    yield from CosignVerifier(store, _NoRoots()).findings(subject(), signers, NOW)
    store.down = {"referrers": UnavailableError("the registry cannot be reached")}
    yield from CosignVerifier(store, _NoRoots()).findings(subject(), signers, NOW)


def told_apart(
    findings: Iterator[Finding],
) -> tuple[tuple[Claim, ...], tuple[Rejection, ...], tuple[Silence, ...]]:
    found = list(dict.fromkeys(findings))
    return (
        tuple(f for f in found if isinstance(f, Claim)),
        tuple(f for f in found if isinstance(f, Rejection)),
        tuple(f for f in found if isinstance(f, Silence)),
    )
