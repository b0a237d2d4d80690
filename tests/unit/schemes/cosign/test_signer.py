"""Cosign signs: with keys and identities, in each form; and nothing is published that we would refuse."""

import json
from datetime import timedelta
from typing import Any

import pytest

import fake_sigstore as fake
from countermark.core.errors import (
    Code,
    CountermarkError,
    InputError,
    KeyAccessError,
    RefusedError,
    UnavailableError,
)
from countermark.core.reference import ImageReference
from countermark.core.signer import CosignSigner, Identity
from countermark.formats import bundle as bundles
from countermark.formats import legacy, payloads
from countermark.proofs import public_keys
from countermark.proofs.signing_keys import ALGORITHMS, LocalKey
from countermark.schemes.cosign import beside, check, find, verifier
from countermark.schemes.cosign.check import Checked
from countermark.schemes.cosign.evidence import Services
from countermark.schemes.cosign.holders import CertifiedHolder, KeyHolder
from countermark.schemes.cosign.signer import Predicate
from countermark.schemes.interface import Statement
from fake_sigstore import ALICE, ISSUER, SIGNED_AT, SLSA
from signing_world import World, token

NOTES = (("a", "1"), ("b", "<&>"))
FORMS = ("bundle", "legacy", "both")


@pytest.fixture
def world() -> World:
    return World()


def statement(world: World) -> Statement:
    return Statement(subject=world.subject, annotations=NOTES)


def believed(world: World, signer: CosignSigner) -> list[Checked]:
    """Everything beside the image, which has to verify for a signer."""
    suffixes = ("att",) if signer.predicate else ("sig",)
    found = find.signatures(
        world.registry, world.subject.repository, world.subject.digest, suffixes
    )
    assert not found.troubles
    wanted = verifier.wanted_of(signer, world.subject, world.now + timedelta(days=9), world.root)
    return [check.check(each, wanted) for each in found.materials]


def by_key(key: LocalKey, **more: Any) -> CosignSigner:
    text = public_keys.encode(key.public).decode()
    return CosignSigner(name="k", key=text, **{"accept_unlogged": "a test", **more})


def by_alice(**more: Any) -> CosignSigner:
    return CosignSigner(name="a", identity=Identity(subject=ALICE, issuer=ISSUER), **more)


# Keys -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "kind", [each for each in ALGORITHMS if each not in ("rsa-3072", "rsa-4096")]
)
def test_a_key_signs_in_each_form(world: World, form: str, kind: str) -> None:
    key = world.key(kind)
    signer = world.signer(KeyHolder(lambda: key), format=form)
    receipt = signer.sign(statement(world), world.now)
    assert receipt.signatories == (key.public.fingerprint,)
    found = believed(world, by_key(key, annotations=NOTES))
    assert len(found) == (2 if form == "both" else 1)
    assert len(receipt.texts) == len(found)
    name, tag = world.subject.repository.name, find.legacy_tag(world.subject.digest, "sig")
    if form != "bundle":
        assert receipt.texts[0] == f"{name}:{tag}"
    if form != "legacy":
        assert receipt.location.startswith(f"{name}@sha256:")


def test_a_key_is_opened_once_and_late(world: World) -> None:
    opened: list[LocalKey] = []

    def open_key() -> LocalKey:
        opened.append(world.key())
        return opened[-1]

    signer = world.signer(KeyHolder(open_key))
    assert not opened
    for _ in range(2):
        signer.sign(statement(world), world.now)
    assert len(opened) == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384", "rsa-2048"])
def test_a_key_in_the_first_kind_of_log(world: World, form: str, kind: str) -> None:
    key = world.key(kind)
    services = Services(log=world.first_log, stamper=world.stamps)
    world.signer(KeyHolder(lambda: key), services, format=form).sign(statement(world), world.now)
    found = believed(world, by_key(key, accept_unlogged="", timestamped=True))
    for each in found:
        assert [record.origin for record in each.timed.logged.records] == ["rekor.example.test"]
    assert len(world.first_log.asked) == len(world.stamps.asked) == len(found)


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p521", "ed25519"])
def test_a_key_in_the_second_kind_of_log(world: World, kind: str) -> None:
    key = world.key(kind)
    services = Services(log=world.log)
    world.signer(KeyHolder(lambda: key), services).sign(statement(world), world.now)
    (found,) = believed(world, by_key(key, accept_unlogged=""))
    assert [record.origin for record in found.timed.logged.records] == ["log.example.test"]


def test_signatures_lie_where_they_are_wanted(world: World) -> None:
    place = ImageReference.parse("registry.example.test/signatures").repository
    signer = world.signer(KeyHolder(world.key), format="both", place=place)
    receipt = signer.sign(statement(world), world.now)
    assert all(text.startswith(place.name) for text in receipt.texts)
    assert not beside.listed(world.registry, world.subject.repository, world.subject.digest)
    assert len(beside.listed(world.registry, place, world.subject.digest)) == 2


def test_a_bundle_for_a_file_alone(world: World) -> None:
    kept: list[bytes] = []
    signer = world.signer(KeyHolder(world.key), publish=False, keep=kept.append)
    assert signer.sign(statement(world), world.now).location == ""
    assert bundles.parse(kept[0]).version == "0.3"
    assert not world.registry.puts


# What lies in the registry (specs: cosign observed, 3) ------------------------------------------------


def test_the_bytes_of_a_bundle(world: World) -> None:
    key = world.key()
    world.signer(KeyHolder(lambda: key)).sign(statement(world), world.now)
    (found,) = beside.listed(world.registry, world.subject.repository, world.subject.digest)
    layer = found.layers[0]
    content = world.registry.blob(world.subject.repository, layer.digest, layer.size)
    kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
    empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert found.content.decode() == (
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        '"config":{"mediaType":"application/vnd.oci.empty.v1+json","size":2,'
        f'"digest":"{empty}","artifactType":"{kind}"}},'
        f'"layers":[{{"mediaType":"{kind}","size":{layer.size},"digest":"{layer.digest}"}}],'
        '"annotations":{"dev.sigstore.bundle.content":"dsse-envelope",'
        '"dev.sigstore.bundle.predicateType":"https://sigstore.dev/cosign/sign/v1",'
        '"org.opencontainers.image.created":"2026-11-20T10:30:01Z"},'
        '"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        f'"size":{world.subject.size},"digest":"{world.subject.digest}"}},'
        f'"artifactType":"{kind}"}}'
    )
    document = json.loads(content)
    assert list(document) == ["mediaType", "verificationMaterial", "dsseEnvelope"]
    hint = fake.b64(bytes.fromhex(key.public.fingerprint))
    assert document["verificationMaterial"] == {"publicKey": {"hint": hint}}
    parsed = bundles.parse(content)
    assert isinstance(parsed.content, payloads.Envelope)
    assert parsed.content.payload.decode() == (
        '{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"'
        f'{world.subject.digest.hex}"}},"annotations":{{"a":"1","b":"<&>"}}}}],'
        '"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}'
    )


def test_the_bytes_of_an_older_signature(world: World) -> None:
    key = world.key()
    for annotations in (NOTES, ()):
        signer = world.signer(KeyHolder(lambda: key), format="legacy")
        signer.sign(Statement(subject=world.subject, annotations=annotations), world.now)
    (found,) = beside.listed(world.registry, world.subject.repository, world.subject.digest)
    assert found.name == find.legacy_tag(world.subject.digest, "sig")
    document = json.loads(found.content)
    config = document["config"]
    assert config["mediaType"] == "application/vnd.oci.image.config.v1+json"
    payload = [
        world.registry.blob(world.subject.repository, each.digest, each.size).decode()
        for each in found.layers
    ]
    head = (
        '{"critical":{"identity":{"docker-reference":"registry.example.test/team/pay"},'
        f'"image":{{"docker-manifest-digest":"{world.subject.digest}"}},'
        '"type":"cosign container image signature"},"optional":'
    )
    assert payload == [
        head + r'{"a":"1","b":"\u003c\u0026\u003e"}}',
        head + "null}",
    ]
    for layer in document["layers"]:
        assert list(layer) == ["mediaType", "size", "digest", "annotations"]
        assert list(layer["annotations"]) == [legacy.SIGNATURE]


# Identities -------------------------------------------------------------------------------------------


def test_an_identity_signs_and_one_certificate_serves_all(world: World) -> None:
    services = Services(log=world.log, stamper=world.stamps)
    signer = world.signer(world.identity(), services)
    assert not world.tokens  # taken late
    for _ in range(3):
        assert signer.sign(statement(world), world.now).signatories == (ALICE,)
    found = believed(world, by_alice())
    assert len(found) == 3
    assert len({each.offered.key for each in found}) == len(world.certifier.asked) == 1
    assert len(world.tokens) == 1
    assert world.told == ["Generating ephemeral keys..."]
    (given, public, proof) = world.certifier.asked[0]
    assert given == world.tokens[0]
    key = found[0].offered.key
    assert key.der == public
    from countermark.proofs import signatures

    assert signatures.verify(key, ALICE.encode(), proof)


def test_a_certificate_that_is_nearly_over_is_not_used_again(world: World) -> None:
    services = Services(log=world.log, stamper=world.stamps)
    signer = world.signer(world.identity(), services)
    signer.sign(statement(world), world.now)
    world.certifier.at = world.stamps.at = SIGNED_AT + timedelta(minutes=9)
    signer.sign(statement(world), world.now + timedelta(minutes=9))
    assert len(world.certifier.asked) == 2
    assert len(believed(world, by_alice())) == 2


@pytest.mark.parametrize("form", FORMS)
def test_an_identity_with_the_first_kind_of_log(world: World, form: str) -> None:
    services = Services(log=world.first_log)
    world.signer(world.identity(), services, format=form).sign(statement(world), world.now)
    assert len(believed(world, by_alice())) == (2 if form == "both" else 1)


@pytest.mark.parametrize(
    ("services", "form", "text"),
    [
        (("log",), "bundle", "a timestamp authority must be provided"),
        ((), "bundle", "a timestamp authority must be provided"),
        (("log", "stamps"), "legacy", "the log here is Rekor 2"),
        (("log", "stamps"), "both", "the log here is Rekor 2"),
        (("stamps",), "legacy", "without one nothing proves when an identity signed"),
        (("stamps",), "both", "without one nothing proves when an identity signed"),
    ],
)
def test_services_that_would_not_do_are_told_before_a_token_is_used(
    world: World, services: tuple[str, ...], form: str, text: str
) -> None:
    given = Services(
        log=world.log if "log" in services else None,
        stamper=world.stamps if "stamps" in services else None,
    )
    with pytest.raises(InputError, match=text) as caught:
        world.signer(world.identity(), given, format=form)
    assert "signing config" in caught.value.hint
    assert not world.tokens


def test_a_key_in_the_old_form_needs_the_old_log_too(world: World) -> None:
    with pytest.raises(InputError, match="the log here is Rekor 2"):
        world.signer(KeyHolder(world.key), Services(log=world.log), format="both")


@pytest.mark.parametrize(
    ("claims", "text"),
    [
        ({"email_verified": False}, "not verified by identity provider"),
        ({"email_verified": None}, "not verified by identity provider"),
        ({"email": None, "sub": ""}, "the identity token names nobody"),
    ],
)
def test_tokens_that_name_nobody(world: World, claims: dict[str, object], text: str) -> None:
    holder = CertifiedHolder(world.certifier, lambda: token(**claims))
    services = Services(log=world.log, stamper=world.stamps)
    with pytest.raises(InputError, match=text):
        world.signer(holder, services).sign(statement(world), world.now)
    assert not world.certifier.asked


def test_a_program_proves_its_subject(world: World) -> None:
    holder = CertifiedHolder(world.certifier, lambda: token(email=None, sub="repo:x"))
    world.certifier.issued = {"subject": "https://ci.example.test/x"}
    services = Services(log=world.log, stamper=world.stamps)
    receipt = world.signer(holder, services).sign(statement(world), world.now)
    assert receipt.signatories == ("https://ci.example.test/x",)


def test_a_certificate_for_another_key(world: World) -> None:
    world.certifier.other_key = True
    services = Services(log=world.log, stamper=world.stamps)
    with pytest.raises(CountermarkError, match="for another key"):
        world.signer(world.identity(), services).sign(statement(world), world.now)
    assert not world.log.asked
    assert not world.registry.puts


# Nothing is published that we would refuse ---------------------------------------------------------------


def bend(world: World, what: str) -> None:
    if what == "log":
        world.log.log = fake.Log()
    elif what == "stamps":
        world.stamps.authority = fake.TimestampAuthority()
    elif what == "authority":
        world.certifier.authority = fake.Authority()
    elif what == "late":
        world.stamps.at = SIGNED_AT + timedelta(minutes=11)
    elif what == "entry":
        world.log.bend = lambda entry: entry.replace(log_index=entry.log_index + 1)
    elif what == "unpromised":
        world.certifier.issued = {"sct": False}


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("log", Code.NOT_LOGGED),
        ("stamps", Code.TIMESTAMP),
        ("authority", Code.BAD_CHAIN),
        ("late", Code.EXPIRED),
        ("entry", Code.INCLUSION),
        ("unpromised", Code.SCT),
    ],
)
def test_what_would_not_verify_is_not_published(world: World, what: str, code: Code) -> None:
    bend(world, what)
    services = Services(log=world.log, stamper=world.stamps)
    signer = world.signer(world.identity(), services)
    with pytest.raises(InputError, match="does not verify, and nothing was published") as caught:
        signer.sign(statement(world), world.now)
    assert caught.value.code == code
    assert caught.value.hint
    assert not world.registry.puts


def test_a_key_that_signs_with_another_one(world: World) -> None:
    """A key service that lies, say."""

    class Liar:
        public_der = world.key().public_der
        sign = staticmethod(world.key().sign)
        sign_digest = staticmethod(world.key().sign_digest)

    with pytest.raises(InputError) as caught:
        world.signer(KeyHolder(Liar)).sign(statement(world), world.now)
    assert caught.value.code == Code.BAD_SIGNATURE
    assert not world.registry.puts


def test_half_of_both_is_not_published(world: World) -> None:
    """All is made and verified before any of it is published."""
    indexes = iter((0, 99))
    world.first_log.bend = lambda entry: entry.replace(log_index=entry.log_index + next(indexes))
    signer = world.signer(world.identity(), Services(log=world.first_log), format="both")
    with pytest.raises(InputError):
        signer.sign(statement(world), world.now)
    assert len(world.first_log.asked) == 2
    assert not world.registry.puts


@pytest.mark.parametrize("error", [RefusedError("no", status=401), UnavailableError("down")])
def test_what_services_refuse_goes_on(world: World, error: CountermarkError) -> None:
    def refuse(message: bytes) -> bytes:
        raise error

    world.stamps.stamp = refuse  # type: ignore[method-assign]
    signer = world.signer(KeyHolder(world.key), Services(stamper=world.stamps))
    with pytest.raises(type(error)):
        signer.sign(statement(world), world.now)
    assert not world.registry.puts


# Own authorities ----------------------------------------------------------------------------------------


def own_authority(world: World, *, chain: bool = True, other: bool = False) -> KeyHolder:
    from cryptography.hazmat.primitives import serialization

    key = world.key()
    private: Any = serialization.load_der_private_key(key.to_pkcs8(), None)
    life = timedelta(days=365)
    leaf = fake.Authority("own").issue("ci@own.test", "", key=private, life=life, sct=False)
    if other:
        key = world.key()
    certificates = (leaf.der, *leaf.chain) if chain else (leaf.der,)
    return KeyHolder(lambda: key, certificates)


@pytest.mark.parametrize("chain", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_a_certificate_of_an_own_authority(world: World, form: str, chain: bool) -> None:
    holder = own_authority(world, chain=chain)
    receipt = world.signer(holder, format=form).sign(statement(world), world.now)
    assert receipt.signatories == ("ci@own.test",)


def test_a_certificate_of_another_key(world: World) -> None:
    with pytest.raises(KeyAccessError, match="does not match the provided public key"):
        world.signer(own_authority(world, other=True)).sign(statement(world), world.now)


# Attestations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_attestations_are_the_same_in_each_form(world: World, form: str) -> None:
    services = Services(log=world.first_log, stamper=world.stamps)
    signer = world.signer(world.identity(), services, format=form)
    signer.attest(world.subject, SLSA, b' {"n": 1.50} ', world.now)
    found = believed(world, by_alice(predicate=SLSA, timestamped=True))
    assert len(found) == (2 if form == "both" else 1)
    assert len(world.first_log.asked) == 1
    for each in found:
        assert b'"predicate":{"n": 1.50}}' in each.stated.content
        assert b'"_type":"https://in-toto.io/Statement/v0.1"' in each.stated.content
        assert each.stated.image_name == world.subject.repository.name


def test_several_predicates_about_several_images_at_once(world: World) -> None:
    other = world.registry.push("two", "registry.example.test/team/pay:v2")
    signer = world.signer(world.identity(), Services(log=world.log, stamper=world.stamps))
    predicates = [Predicate(type=kind, content=b"{}") for kind in (SLSA, "https://x.test/y")]
    receipt = signer.attest_all([world.subject, other], predicates, world.now)
    assert len(receipt.texts) == 4
    assert len(world.certifier.asked) == 1
    for subject in (world.subject, other):
        found = beside.listed(world.registry, subject.repository, subject.digest)
        assert {each.predicate_type for each in found} == {SLSA, "https://x.test/y"}


def test_one_bad_predicate_and_none_is_published(world: World) -> None:
    predicates = [Predicate(type=SLSA, content=text) for text in (b"{}", b"[]")]
    with pytest.raises(InputError, match="not a JSON object"):
        world.signer(KeyHolder(world.key)).attest_all([world.subject], predicates, world.now)
    assert not world.registry.puts


# What is there already ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_it_knows_its_own_signatures_again(world: World, form: str) -> None:
    key, other = KeyHolder(world.key), KeyHolder(world.key)
    signer = world.signer(key, format=form)
    assert not signer.has_signed(world.subject, world.now)
    world.signer(other, format="both").sign(statement(world), world.now)
    assert not signer.has_signed(world.subject, world.now)
    signer.sign(statement(world), world.now)
    assert signer.has_signed(world.subject, world.now)
    both = world.signer(key, format="both")
    assert both.has_signed(world.subject, world.now) is (form == "both")


def test_no_other_format(world: World) -> None:
    with pytest.raises(InputError, match="bundle, legacy, both"):
        world.signer(KeyHolder(world.key), format="bundel")
