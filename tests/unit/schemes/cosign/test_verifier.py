"""Who vouches for a digest with cosign: claims, rejections and silences, and what each rests on."""

from base64 import b64decode
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

import fake_sigstore as fake
from claims import CASE
from countermark.core.claim import Claim, Finding, Rejection, Silence
from countermark.core.errors import Code, ConfigError, UnavailableError
from countermark.core.light import datetime
from countermark.core.reference import ImageReference, Repository
from countermark.core.signer import CosignSigner, DctSigner, Identity, TrustedSigner
from countermark.formats import trusted_root
from countermark.formats.trusted_root import TrustedRoot
from countermark.policy.decide import decide
from countermark.policy.model import (
    AtLeast,
    Case,
    Choice,
    Layer,
    Requirement,
    Rule,
    Verdict,
    Vouched,
)
from countermark.policy.pattern import Pattern
from countermark.schemes.cosign.verifier import CosignVerifier, needs_root
from fake_sigstore import ALICE, ISSUER, SIGNED_AT, SLSA
from world import GOOD, NOW, REPOSITORY, subject

SIGSTORE = fake.Sigstore()
KEY, OTHER_KEY = fake.new_key(), fake.new_key()
ROOT = trusted_root.parse(SIGSTORE.trusted_root())


class Roots:
    """Hands out one root, and remembers for whom."""

    def __init__(self, root: TrustedRoot | Exception = ROOT) -> None:
        self.root, self.asked = root, list[str]()

    def trusted_root(self, name: str) -> TrustedRoot:
        self.asked.append(name)
        if isinstance(self.root, Exception):
            raise self.root
        return self.root


class Judge:
    """Says of every condition what it was told (port ``Conditions``)."""

    def __init__(self, objection: str | Exception = "") -> None:
        self.objected, self.asked = objection, list[tuple[str, bytes]]()

    def objection(self, condition: str, statement: bytes) -> str:
        self.asked.append((condition, statement))
        if isinstance(self.objected, Exception):
            raise self.objected
        return self.objected


def holder(**fields: Any) -> CosignSigner:
    given = {"name": "holder", "key": fake.pem(KEY), "accept_unlogged": "a test"}
    return CosignSigner(**(given | fields))


def alice(**fields: Any) -> CosignSigner:
    given: dict[str, Any] = {"name": "alice", "identity": Identity(subject=ALICE, issuer=ISSUER)}
    return CosignSigner(**(given | fields))


def signed(*documents: fake.Document) -> fake.MemoryStore:
    store = fake.MemoryStore()
    for document in documents:
        store.attach(REPOSITORY, GOOD, document)
    return store


def by_key(key: fake.PrivateKey = KEY, predicate: str = fake.SIGN, **fields: Any) -> fake.Document:
    return fake.bundle(key, fake.statement(GOOD, predicate), **fields)


def by_alice(predicate: str = fake.SIGN, **fields: Any) -> fake.Document:
    given: dict[str, Any] = {"log": SIGSTORE.log, "stamps": SIGSTORE.stamps}
    leaf = fields.pop("leaf", None) or SIGSTORE.authority.issue()
    return fake.bundle(leaf, fake.statement(GOOD, predicate), **(given | fields))


def ask(
    store: fake.MemoryStore,
    *signers: TrustedSigner,
    roots: Roots | None = None,
    judge: Judge | None = None,
    now: datetime = NOW,
) -> tuple[Finding, ...]:
    verifier = CosignVerifier(store, roots or Roots(), conditions=judge)
    return verifier.findings(subject(), signers, now)


def claim(*findings: Finding) -> Claim:
    (found,) = findings
    assert isinstance(found, Claim), found
    return found


# What is claimed ----------------------------------------------------------------------------------------


def test_a_key_vouches() -> None:
    found = claim(*ask(signed(by_key()), holder()))
    fingerprint = sha256(fake.spki(KEY)).hexdigest()
    assert (found.signer, found.digest, found.predicate) == ("holder", GOOD, "")
    assert (found.signed_at, found.proven_time, found.expires) == (None, False, None)
    assert found.signatory.scheme == "cosign"
    assert found.signatory.keys == (fingerprint,)
    notes = dict(found.notes)
    assert notes["in no log,"] == "accepted: a test"
    assert notes["from"].startswith("bundle ")


def test_an_identity_vouches() -> None:
    leaf = SIGSTORE.authority.issue()
    found = claim(*ask(signed(by_alice(leaf=leaf)), alice()))
    fingerprint = sha256(fake.spki(leaf.key)).hexdigest()
    assert found.signatory.name == ALICE
    assert found.signatory.keys == (f"{ISSUER} {ALICE}", fingerprint)
    assert (found.signed_at, found.proven_time) == (SIGNED_AT, True)
    notes = dict(found.notes)
    assert notes["issuer"] == ISSUER
    assert notes["log"].startswith("log.example.test ")
    assert notes["time"].startswith("2026-11-20T10:30:00Z by ")
    assert not [label for label in notes if "accepted" in notes[label]]


def test_of_several_times_the_latest_counts() -> None:
    """All have to be before a signer's last day, so that one authority alone cannot date back."""
    leaf = SIGSTORE.authority.issue()
    document = fake.bundle(
        leaf, fake.statement(GOOD), log=SIGSTORE.first_log, at=SIGNED_AT + timedelta(minutes=5)
    )
    signature = b64decode(document["dsseEnvelope"]["signatures"][0]["sig"])
    stamp = fake.b64(SIGSTORE.stamps.stamp(signature))
    document["verificationMaterial"]["timestampVerificationData"] = {
        "rfc3161Timestamps": [{"signedTimestamp": stamp}]
    }
    found = claim(*ask(signed(document), alice()))
    assert found.signed_at == SIGNED_AT + timedelta(minutes=5)
    assert len([label for label, _ in found.notes if label == "time"]) == 2  # fmt: skip


def test_every_signature_is_held_against_every_signer() -> None:
    store = signed(by_key(), by_key(OTHER_KEY), by_alice())
    store.attach_legacy(REPOSITORY, GOOD, fake.legacy(KEY, fake.simple(GOOD)))
    found = ask(store, holder(), alice(), DctSigner(name="releases", first_use=True))
    assert [f.signer for f in found] == ["holder"] * 4 + ["alice"] * 4
    kinds = [type(f) for f in found]
    assert kinds[:4] == [Claim, Rejection, Rejection, Claim]
    assert kinds[4:] == [Rejection, Rejection, Claim, Rejection]
    assert store.asked.count("referrers") == 1


def test_another_scheme_is_not_asked_about() -> None:
    store = fake.MemoryStore()
    assert ask(store, DctSigner(name="releases", first_use=True)) == ()
    assert store.asked == []


def test_nothing_is_there() -> None:
    (found,) = ask(fake.MemoryStore(), holder())
    assert isinstance(found, Rejection)
    assert found.code == Code.UNSIGNED
    (found,) = ask(fake.MemoryStore(), holder(predicate=SLSA))
    assert SLSA in str(found)


def test_a_reason_says_which_signature_and_what_was_expected() -> None:
    (found,) = ask(signed(by_alice()), alice(identity=Identity(subject="bob@x", issuer=ISSUER)))
    assert isinstance(found, Rejection)
    assert found.reason.startswith("bundle ")
    assert "expected is 'bob@x'" in found.reason
    assert ALICE in found.reason
    assert found.path.startswith(f"{REPOSITORY.name}@sha256:")


def test_signatures_lie_where_the_policy_says() -> None:
    store, elsewhere = fake.MemoryStore(), ImageReference.parse("sigs.test/all").repository
    store.attach(elsewhere, GOOD, by_key())
    asked: list[Repository] = []

    def place_of(repository: Repository) -> Repository:
        asked.append(repository)
        return elsewhere

    verifier = CosignVerifier(store, Roots(), place_of=place_of)
    claim(*verifier.findings(subject(), [holder()], NOW))
    assert asked == [REPOSITORY]


# Trusted roots --------------------------------------------------------------------------------------------


NEEDS = [
    (holder(), False),
    (holder(accept_unlogged=""), True),
    (holder(timestamped=True), True),
    (holder(not_after=NOW), True),
    (holder(trusted_root=SIGSTORE.trusted_root().decode()), True),
    (alice(accept_unlogged="x", accept_uncertified="x"), True),
    (CosignSigner(name="f", ca=("x",), accept_unlogged="x"), True),
    (CosignSigner(name="f", ca=("x",), accept_unlogged="x", accept_uncertified="x"), False),
]


@pytest.mark.parametrize(("signer", "needs"), NEEDS)
def test_who_needs_a_trusted_root(signer: CosignSigner, *, needs: bool) -> None:
    assert needs_root(signer) is needs


def test_a_root_is_asked_for_once_and_only_where_it_is_needed() -> None:
    roots = Roots()
    ask(signed(by_key(log=SIGSTORE.log)), holder(), roots=roots)
    assert roots.asked == []
    two = (holder(accept_unlogged=""), holder(name="again", accept_unlogged=""))
    found = ask(signed(by_key(log=SIGSTORE.log)), *two, roots=roots)
    assert [type(f) for f in found] == [Claim, Claim]
    assert roots.asked == [""]
    ask(signed(by_alice()), alice(), alice(name="b", trusted_root="public"), roots=roots)
    assert roots.asked == ["", "", "public"]
    own = SIGSTORE.trusted_root().decode()
    claim(*ask(signed(by_alice()), alice(trusted_root=own), roots=roots))
    assert roots.asked == ["", "", "public"]


def test_without_signatures_no_root_is_asked_for() -> None:
    roots = Roots()
    ask(fake.MemoryStore(), alice(), roots=roots)
    assert roots.asked == []


def test_a_root_that_is_not_to_be_had_silences_those_who_need_it() -> None:
    roots = Roots(UnavailableError("the mirror is away"))
    found = ask(signed(by_key(), by_alice()), holder(), alice(), roots=roots)
    assert [type(f) for f in found] == [Claim, Rejection, Silence]
    assert found[2].signer == "alice"


@pytest.mark.parametrize(
    "signer",
    [
        holder(key="no key"),
        holder(key=fake.pem_of(SIGSTORE.authority.chain[0])),
        holder(key="-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
        CosignSigner(name="f", ca=("x",), accept_unlogged="x", accept_uncertified="x"),
        alice(trusted_root="{}"),
    ],
)
def test_what_the_policy_has_wrong_is_the_operators_to_mend(signer: CosignSigner) -> None:
    with pytest.raises(ConfigError):
        ask(signed(by_key()), signer)


# Troubles -----------------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_a_rejection_and_what_cannot_be_had_a_silence() -> None:
    store = signed(by_key())
    broken = store.attach(REPOSITORY, GOOD, b"junk")
    away = store.attach(REPOSITORY, GOOD, by_key(OTHER_KEY))
    store.down = {str(away): UnavailableError("away")}
    found = ask(store, holder())
    assert [type(f) for f in found] == [Rejection, Silence, Claim]
    first = found[0]
    assert isinstance(first, Rejection)
    assert first.code == Code.MALFORMED
    assert first.path == f"{REPOSITORY.name}@{broken}"


def test_a_registry_that_is_away_makes_silences() -> None:
    store = fake.MemoryStore()
    error = UnavailableError("away")
    store.down = {"referrers": error, f"sha256-{GOOD.hex}.sig": error}
    found = ask(store, holder(), alice())
    assert [type(f) for f in found] == [Silence] * 4
    # one kind away and the other signed by somebody else: it may yet be signed
    store = signed(by_key(OTHER_KEY))
    store.down = {f"sha256-{GOOD.hex}.sig": error}
    assert {type(f) for f in ask(store, holder())} == {Silence, Rejection}


# Attestations -------------------------------------------------------------------------------------------


def attests(**fields: Any) -> CosignSigner:
    return holder(**({"name": f"holder (attested {SLSA})", "predicate": SLSA} | fields))


def test_an_attestation_is_told_from_a_signature() -> None:
    store = signed(by_key(predicate=SLSA))
    (found,) = ask(store, holder())
    assert isinstance(found, Rejection)
    assert found.code == Code.PREDICATE
    attested = claim(*ask(store, attests()))
    assert attested.predicate == SLSA
    # whoever signs and attests counts once for each
    signature = claim(*ask(signed(by_key()), holder()))
    assert not attested.signatory.is_same_as(signature.signatory)


def test_a_condition_is_judged_last_and_on_what_was_signed() -> None:
    judge = Judge()
    store = signed(by_key(OTHER_KEY, SLSA), by_key(predicate=SLSA), by_key())
    found = ask(store, attests(condition="predicate.a == 1"), judge=judge)
    assert [type(f) for f in found] == [Rejection, Claim, Rejection]
    assert judge.asked == [("predicate.a == 1", fake.statement(GOOD, SLSA))]


def test_a_condition_that_is_not_fulfilled() -> None:
    signer = attests(condition="predicate.a == 1")
    (found,) = ask(signed(by_key(predicate=SLSA)), signer, judge=Judge("it is not so"))
    assert isinstance(found, Rejection)
    assert found.code == Code.CONDITION
    assert "it is not so" in found.reason
    (found,) = ask(signed(by_key(predicate=SLSA)), signer)
    assert isinstance(found, Rejection)
    assert found.code == Code.CONDITION
    (found,) = ask(signed(by_key(predicate=SLSA)), signer, judge=Judge(UnavailableError("no")))
    assert isinstance(found, Silence)
    with pytest.raises(ConfigError):
        ask(signed(by_key(predicate=SLSA)), signer, judge=Judge(ConfigError("no CEL")))


# Decisions ----------------------------------------------------------------------------------------------


def verdict(requirement: Requirement, *findings: Finding) -> Verdict:
    rule = Rule(images=Pattern.parse("**"), effect="require", requirement=requirement)
    layer = Layer(name="policy.yaml", rules=(rule,))
    case = Case(reference=CASE.reference, subject=subject())
    return decide([Choice(layer=layer, rule=rule)], case, findings, NOW).verdict


def test_a_threshold_counts_people_and_not_signatures() -> None:
    one, two = alice(), alice(name="anyone", identity=Identity(subject_pattern=".*", issuer=ISSUER))
    both = AtLeast(count=2, parts=(Vouched(signer=one), Vouched(signer=two)))
    by_bob = by_alice(leaf=SIGSTORE.authority.issue(subject="bob@example.test"))
    # twice by alice, with other keys: still one person
    assert verdict(both, *ask(signed(by_alice(), by_alice()), one, two)) == Verdict.DENIED
    assert verdict(both, *ask(signed(by_alice(), by_bob), one, two)) == Verdict.ALLOWED
    # one key under two names is one person too
    key = fake.new_key()
    as_alice = by_alice(leaf=SIGSTORE.authority.issue(key=key))
    as_bob = by_alice(leaf=SIGSTORE.authority.issue(subject="bob@example.test", key=key))
    assert verdict(both, *ask(signed(as_alice, as_bob), one, two)) == Verdict.DENIED


def test_one_may_sign_and_attest() -> None:
    wanted = AtLeast(
        count=2, parts=(Vouched(signer=holder()), Vouched(signer=attests(), predicate=SLSA))
    )
    everything = signed(by_key(), by_key(predicate=SLSA))
    assert verdict(wanted, *ask(everything, holder(), attests())) == Verdict.ALLOWED
    assert verdict(wanted, *ask(signed(by_key()), holder(), attests())) == Verdict.DENIED


def test_a_signer_that_was_withdrawn() -> None:
    after = SIGNED_AT + timedelta(days=1)
    before = SIGNED_AT - timedelta(days=1)
    for end, expected in ((after, Verdict.ALLOWED), (before, Verdict.DENIED)):
        signer = holder(not_after=end)
        logged = signed(by_key(log=SIGSTORE.first_log))
        assert verdict(Vouched(signer=signer), *ask(logged, signer)) == expected
        # at an unproven time: never
        assert verdict(Vouched(signer=signer), *ask(signed(by_key()), signer)) == Verdict.DENIED
        stamped = signed(by_key(stamps=SIGSTORE.stamps))
        assert verdict(Vouched(signer=signer), *ask(stamped, signer)) == expected
