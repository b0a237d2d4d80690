"""Attestations in the other form: each once; what cannot be said there is left with the reason, signatures always."""

import pytest

import fake_sigstore as fake
from countermark.core.errors import UnavailableError
from countermark.core.reference import ImageReference
from countermark.formats import oci, payloads
from countermark.formats.bundle import LogEntry
from countermark.formats.legacy import LegacySignature
from countermark.formats.oci import Descriptor
from countermark.schemes.cosign import attach, attach_given, beside
from countermark.schemes.cosign.converting import CONVERTED, LEFT, PRESENT, Converted, Converter
from fake_registry import MemoryImages
from fake_sigstore import SIGNED_AT, SLSA

NAME = "registry.example.test/team/pay:v1"
HERE = ImageReference.parse(NAME).repository
KEY = fake.new_key()


class World:
    """A registry with an image, and what becomes of its attestations."""

    def __init__(self) -> None:
        self.registry = MemoryImages()
        self.image = self.registry.push("one", NAME)
        self.subject = Descriptor(
            media_type=oci.OCI_MANIFEST, digest=self.image.digest, size=self.image.size or 0
        )

    def statement(self, kind: str = SLSA, digest: str = "") -> bytes:
        about = payloads.StatementSubject(digests={"sha256": digest or self.image.digest.hex})
        return payloads.encode_attestation([about], kind, b"{}")

    def bundle(self, kind: str = SLSA) -> None:
        content = fake.compact(fake.bundle(KEY, self.statement(kind)))
        attach_given.bundle(self.registry, HERE, self.subject, content, SIGNED_AT)

    def layer(self, *, digest: str = "", entry: LogEntry | None = None, stamp: bytes = b"") -> None:
        message = self.statement(digest=digest)
        signed = payloads.Envelope(
            payload=message,
            payload_type=payloads.IN_TOTO,
            signatures=(payloads.EnvelopeSignature(value=b"signed"),),
        )
        found = LegacySignature(
            payload=signed.encode(),
            signature=b"signed",
            is_attestation=True,
            entry=entry,
            timestamp=stamp,
            predicate_type=SLSA,
        )
        attach.attach_legacy(self.registry, HERE, self.image.digest, found)

    def convert(self, wanted: str) -> list[Converted]:
        def unreachable(entry: LogEntry) -> LogEntry:
            raise UnavailableError("nobody answers")

        converter = Converter(self.registry, HERE, unreachable, "hint", SIGNED_AT)
        return list(converter.convert(self.subject, wanted))

    def kinds(self) -> list[str]:
        return sorted(each.kind for each in beside.listed(self.registry, HERE, self.image.digest))


@pytest.fixture
def world() -> World:
    return World()


def test_there_and_back(world: World) -> None:
    world.layer()
    (done,) = world.convert("bundle")
    assert (done.state, done.type, done.reason) == (CONVERTED, SLSA, "")
    assert done.location.startswith(f"{HERE.name}@sha256:")
    assert world.kinds() == ["att", "referrer"]
    assert [each.state for each in world.convert("bundle")] == [PRESENT]
    assert [each.state for each in world.convert("legacy")] == [PRESENT]


def test_signatures_are_passed_over(world: World) -> None:
    world.bundle(payloads.SIGN_PREDICATE)
    assert world.convert("legacy") == []
    assert world.kinds() == ["referrer"]


ENTRY = LogEntry(
    log_index=7, log_id=b"i" * 32, kind="dsse", version="0.0.1", integrated_time=1, promise=b"p",
    proof=None, body=b'{"kind": "dsse", "apiVersion": "0.0.1"}',
)  # fmt: skip


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"digest": "0" * 64}, "it is about sha256:0000"),
        ({"stamp": b"stamp"}, "its timestamp is over other bytes"),
        ({"entry": ENTRY}, "its log gives no proof: nobody answers"),
    ],
    ids=["another image", "stamped", "unproven"],
)
def test_what_cannot_be_said_is_left(world: World, more: dict[str, object], reason: str) -> None:
    world.layer(**more)  # type: ignore[arg-type]
    (done,) = world.convert("bundle")
    assert done.state == LEFT
    assert done.reason.startswith(reason)
    assert world.kinds() == ["att"]
