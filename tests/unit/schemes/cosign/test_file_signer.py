"""Files signed in memory: every kind of key, service and form verifies, and nothing comes out that would not."""

from hashlib import new
from typing import Any

import pytest

from countermark.core.errors import Code, EvidenceError, InputError
from countermark.core.signer import CosignSigner, Identity
from countermark.formats import legacy
from countermark.formats.bundle import MessageSignature
from countermark.formats.payloads import StatementSubject
from countermark.proofs import public_keys
from countermark.proofs.signing_keys import LocalKey
from countermark.schemes.cosign import artifacts, check, verifier
from countermark.schemes.cosign.blobs import FileSigner, SignedFile
from countermark.schemes.cosign.evidence import Services
from countermark.schemes.cosign.holders import KeyHolder
from countermark.schemes.cosign.material import Artifact, Material
from fake_sigstore import ALICE, ISSUER
from signing_world import World

CONTENT = b"what is signed"
KINDS = ("ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048", "ed25519")
TYPE = "https://x.test/y"


def artifact(content: bytes = CONTENT) -> Artifact:
    return Artifact(lambda name: new(name, content).digest(), lambda: content)


@pytest.fixture
def world() -> World:
    return World()


def services(world: World, which: str) -> Services:
    return {
        "none": Services(),
        "second": Services(log=world.log, stamper=world.stamps),
        "first": Services(log=world.first_log),
        "stamped": Services(stamper=world.stamps),
    }[which]


def by_key(key: LocalKey, which: str) -> CosignSigner:
    text = public_keys.encode(key.public).decode("ascii")
    logged = which in ("first", "second")
    return CosignSigner(name="key", key=text, accept_unlogged="" if logged else "a test")


def verify(
    world: World, material: Material, signer: CosignSigner, about: Artifact | None = None
) -> None:
    wanted = verifier.wanted_of(signer, about or artifact(), world.now, world.root)
    check.check(material, wanted)


def forms(signed: SignedFile, *, old: bool, is_attestation: bool = False) -> list[Material]:
    """The evidence as whoever gets it reads it."""
    if not old:
        return [artifacts.of_bundle(signed.bundle.encode(), artifact(), "x")]
    return [
        artifacts.of_blob_bundle(
            signed.old_bundle(), artifact(), "x", is_attestation=is_attestation
        )
    ]


@pytest.mark.parametrize("which", ["none", "second", "first", "stamped"])
@pytest.mark.parametrize("kind", KINDS)
def test_keys_in_bundles(world: World, kind: str, which: str) -> None:
    key = world.key(kind)
    given = services(world, which)
    signer = FileSigner(KeyHolder(lambda: key), given, world.root)
    signed = signer.sign(artifact(), world.now)
    assert signed.certificate == b""
    assert isinstance(signed.bundle.content, MessageSignature)
    for material in forms(signed, old=False):
        verify(world, material, by_key(key, which))
        with pytest.raises(EvidenceError):
            verify(world, material.replace(signed=artifact(b"other")), by_key(key, which))


@pytest.mark.parametrize("which", ["none", "first"])
@pytest.mark.parametrize("kind", KINDS)
def test_keys_in_the_old_form(world: World, kind: str, which: str) -> None:
    key = world.key(kind)
    signer = FileSigner(KeyHolder(lambda: key), services(world, which), world.root, old_form=True)
    signed = signer.sign(artifact(), world.now)
    assert legacy.parse_blob_bundle(signed.old_bundle()).certificate == b""
    for material in forms(signed, old=True):
        verify(world, material, by_key(key, which))
    if kind == "ed25519" and which == "none":  # the one way that cosign verifies
        assert signed.signature == key.sign(CONTENT)


@pytest.mark.parametrize("old", [False, True])
def test_attestations(world: World, old: bool) -> None:
    key = world.key()
    signer = FileSigner(KeyHolder(lambda: key), Services(), world.root, old_form=old)
    about = StatementSubject(name="x", digests={"sha256": artifact().digest("sha256").hex()})
    signed = signer.attest([about], artifact(), TYPE, b'{"a": 1}', world.now)
    believed = by_key(key, "none").replace(predicate=TYPE)
    for material in forms(signed, old=old, is_attestation=True):
        verify(world, material, believed)
        with pytest.raises(EvidenceError):
            verify(world, material, believed, artifact(b"other"))
        with pytest.raises(EvidenceError):
            verify(world, material, by_key(key, "none"))  # it is no signature
    again = signer.attest_whole(signed.statement, artifact(), world.now)
    assert again.statement == signed.statement


def test_a_timestamp_beside_an_old_attestation_is_over_the_envelope(world: World) -> None:
    key = world.key()
    holder = KeyHolder(lambda: key)
    signer = FileSigner(holder, services(world, "stamped"), world.root, old_form=True)
    about = StatementSubject(name="x", digests={"sha256": artifact().digest("sha256").hex()})
    signed = signer.attest([about], artifact(), TYPE, b"{}", world.now)
    material = artifacts.detached(
        signed.signature, artifact(), "x", is_attestation=True, timestamp=signed.timestamp
    )
    believed = by_key(key, "none").replace(predicate=TYPE, timestamped=True)
    verify(world, material, believed)
    with pytest.raises(EvidenceError):
        verify(world, material.replace(timestamps=signed.bundle.timestamps), believed)


@pytest.mark.parametrize("which", ["second", "first"])
def test_identities(world: World, which: str) -> None:
    signer = FileSigner(world.identity(), services(world, which), world.root)
    signer.ready(world.now)
    assert world.told == ["Generating ephemeral keys..."]
    first, second = signer.sign(artifact(), world.now), signer.sign(artifact(b"2"), world.now)
    assert len(world.tokens) == 1  # one certificate serves
    assert first.certificate == second.certificate != b""
    alice = CosignSigner(name="alice", identity=Identity(subject=ALICE, issuer=ISSUER))
    for material in forms(first, old=False):
        verify(world, material, alice)
        with pytest.raises(EvidenceError):
            verify(world, material, alice, artifact(b"2"))


# Nothing comes out that would not verify ----------------------------------------------------------------------


def _entry(**changes: Any) -> Any:
    return lambda entry: entry.replace(**changes)


@pytest.mark.parametrize(
    "bend",
    [
        _entry(body=b"{}"),
        _entry(log_index=7),
        _entry(log_id=b"\0" * 32),
        _entry(proof=None),
        _entry(kind="dsse"),
    ],
    ids=["body", "index", "log", "proof", "kind"],
)
@pytest.mark.parametrize("attests", [False, True])
def test_logs_that_lie(world: World, bend: Any, attests: bool) -> None:
    world.log.bend = bend
    key = world.key()
    signer = FileSigner(KeyHolder(lambda: key), services(world, "second"), world.root)
    about = StatementSubject(name="", digests={"sha256": artifact().digest("sha256").hex()})

    def made() -> SignedFile:
        if attests:
            return signer.attest([about], artifact(), TYPE, b"{}", world.now)
        return signer.sign(artifact(), world.now)

    with pytest.raises(InputError, match="does not verify, and nothing was published"):
        made()


def test_stamps_and_keys_that_lie(world: World) -> None:
    key, other = world.key(), world.key()

    class Lying:
        public_der = key.public_der
        sign, sign_digest = other.sign, other.sign_digest

    with pytest.raises(InputError) as caught:
        FileSigner(KeyHolder(Lying), Services(), world.root).sign(artifact(), world.now)
    assert caught.value.code == Code.BAD_SIGNATURE
    stamper = world.stamps

    class Elsewhere:
        @staticmethod
        def stamp(message: bytes) -> bytes:
            return stamper.stamp(message + b".")

    given = Services(log=world.log, stamper=Elsewhere())
    with pytest.raises(InputError):
        FileSigner(world.identity(), given, world.root).sign(artifact(), world.now)


@pytest.mark.parametrize(
    ("predicate", "statement"),
    [(b"[]", b""), (b"text", b""), (b"", b"{}"), (b"", b"[]"), (b"", b'{"_type":"x"}')],
)
def test_statements_that_are_none(world: World, predicate: bytes, statement: bytes) -> None:
    asked: list[str] = []

    def key() -> LocalKey:
        asked.append("key")
        return world.key()

    signer = FileSigner(KeyHolder(key), Services(), world.root)

    def made() -> SignedFile:
        if statement:
            return signer.attest_whole(statement, None, world.now)
        return signer.attest([], None, TYPE, predicate, world.now)

    with pytest.raises(InputError):
        made()
    assert asked == []


def test_a_statement_about_another_file(world: World) -> None:
    signer = FileSigner(KeyHolder(world.key), Services(), world.root)
    about = StatementSubject(name="x", digests={"sha256": "0" * 64})
    with pytest.raises(InputError) as caught:
        signer.attest([about], artifact(), TYPE, b"{}", world.now)
    assert caught.value.code == Code.WRONG_SUBJECT


def test_services_that_would_not_do(world: World) -> None:
    with pytest.raises(InputError, match="Rekor 1 alone"):
        FileSigner(world.identity(), services(world, "second"), world.root, old_form=True)
    with pytest.raises(InputError, match="timestamp authority must be provided"):
        FileSigner(world.identity(), Services(log=world.log), world.root)
    assert world.tokens == []
