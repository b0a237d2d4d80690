"""Where evidence is put: however many write at once, nothing of ours is lost; and what others have made."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

import fake_sigstore as fake
from countermark.core.digest import Digest
from countermark.core.errors import Code, InputError, UnavailableError
from countermark.core.reference import Repository
from countermark.formats import legacy, oci, payloads
from countermark.formats.legacy import LegacySignature
from countermark.formats.oci import Descriptor
from countermark.schemes.cosign import attach, attach_given, beside, cleaning
from countermark.schemes.cosign.find import legacy_tag
from fake_registry import MemoryImages
from fake_sigstore import SIGNED_AT, SLSA, b64
from signing_world import IMAGE


class World:
    def __init__(self) -> None:
        self.registry = MemoryImages()
        self.subject = self.registry.push("one", IMAGE)
        self.place = self.subject.repository
        self.digest = self.subject.digest
        self.tag = legacy_tag(self.digest, "sig")

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor(media_type=oci.OCI_MANIFEST, digest=self.digest, size=7)

    def layers(self, suffix: str = "sig") -> list[str]:
        """What signatures lie under the tag, by their bytes."""
        found = beside.listed(self.registry, self.place, self.digest, (suffix,))
        return [
            each.annotations[legacy.SIGNATURE] for attached in found for each in attached.layers
        ]

    def attach(self, number: int) -> str:
        return attach.attach_legacy(self.registry, self.place, self.digest, self.made(number))

    def made(self, number: int) -> LegacySignature:
        content = payloads.encode("registry.example.test/team/pay", self.digest, {})
        return LegacySignature(payload=content, signature=bytes((number,)))

    def as_cosign_does(self, number: int) -> None:
        """Put a signature under the tag alone; whoever reads and writes in between loses it."""
        found = self.made(number)
        attach.put_blob(self.registry, self.place, found.payload)
        present = beside.listed(self.registry, self.place, self.digest, ("sig",))
        layers = [(each, each.annotations) for attached in present for each in attached.layers]
        own = Descriptor(
            media_type=found.media_type,
            digest=Digest.of(found.payload),
            size=len(found.payload),
        )
        manifest, config = legacy.encode_image([*layers, (own, found.annotations())])
        attach.put_blob(self.registry, self.place, config)
        hook, self.registry.before = self.registry.before, lambda _: None
        self.registry.put_manifest(self.place, self.tag, oci.OCI_MANIFEST, manifest)
        self.registry.before = hook

    def interrupt(self, *work: Callable[[], object]) -> None:
        """Have others do something just before our tag is put, each time once."""
        waiting = list(work)

        def before(name: str) -> None:
            if name == self.tag and waiting:
                waiting.pop(0)()

        self.registry.before = before


@pytest.fixture
def world() -> World:
    return World()


def b(*numbers: int) -> list[str]:
    return [b64(bytes((number,))) for number in numbers]


# Races ------------------------------------------------------------------------------------------------


def test_signatures_gather_under_the_tag(world: World) -> None:
    for number in range(3):
        assert world.attach(number) == world.tag
    assert world.layers() == b(0, 1, 2)
    own = world.registry.tags_beginning(world.place, oci.own_tags(world.digest))
    assert len(own) == 3


def test_two_of_ours_at_once(world: World) -> None:
    """The other one's tag of its own is there before it changes the shared one."""
    world.registry.conditions = False
    world.interrupt(lambda: world.attach(7))
    world.attach(1)
    assert sorted(world.layers()) == b(1, 7)


def test_ours_and_cosigns_at_once_where_the_registry_knows_conditions(world: World) -> None:
    world.as_cosign_does(3)
    world.interrupt(lambda: world.as_cosign_does(5), lambda: world.as_cosign_does(6))
    world.attach(1)
    assert sorted(world.layers()) == b(1, 3, 5, 6)


def test_one_that_cosign_overwrites_is_put_back(world: World) -> None:
    world.attach(1)
    del world.registry.tagged_[world.place.name, world.tag]
    world.as_cosign_does(2)
    assert world.layers() == b(2)
    assert attach.repair_legacy(world.registry, world.place, world.digest, "sig") == 1
    assert attach.repair_legacy(world.registry, world.place, world.digest, "sig") == 0
    assert world.layers() == b(2, 1)


def test_whoever_comes_next_repairs(world: World) -> None:
    world.attach(1)
    del world.registry.tagged_[world.place.name, world.tag]
    world.attach(2)
    assert sorted(world.layers()) == b(1, 2)


def test_others_that_never_stop(world: World) -> None:
    number = iter(range(1, 200))
    world.as_cosign_does(0)
    world.registry.before = lambda name: (
        world.as_cosign_does(next(number)) if name == world.tag else None
    )
    with pytest.raises(UnavailableError, match="other writers keep overwriting"):
        world.attach(199)


def test_what_else_lies_under_the_tag_is_replaced(world: World) -> None:
    """An index there is no list of signatures, and nobody could read ours behind it."""
    index = oci.encode_index([])
    world.registry.put_manifest(world.place, world.tag, oci.OCI_INDEX, index)
    world.attach(1)
    assert world.layers() == b(1)


def test_the_same_signature_twice_is_one(world: World) -> None:
    world.attach(1)
    world.attach(1)
    assert world.layers() == b(1)


def test_what_the_tag_lists_is_not_read_one_by_one(world: World) -> None:
    for number in range(5):
        world.attach(number)
    asked: list[str] = []
    tagged = world.registry.tagged

    def noted(repository: Repository, tag: str) -> tuple[bytes, str]:
        asked.append(tag)
        return tagged(repository, tag)

    world.registry.tagged = noted  # type: ignore[method-assign]
    world.attach(5)
    assert set(asked) == {world.tag}


# Given --------------------------------------------------------------------------------------------------


def test_a_given_signature(world: World) -> None:
    found = world.made(1)
    assert attach_given.signature(world.registry, world.place, world.digest, found) == world.tag
    assert world.layers() == b(1)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"{}", Code.BAD_INPUT),
        (b"", Code.BAD_INPUT),
        (payloads.encode("x.test/y", Digest.of(b"other"), {}), Code.WRONG_SUBJECT),
    ],
)
def test_a_given_signature_of_something_else(world: World, payload: bytes, code: Code) -> None:
    found = LegacySignature(payload=payload, signature=b"s")
    with pytest.raises(InputError) as caught:
        attach_given.signature(world.registry, world.place, world.digest, found)
    assert caught.value.code == code
    assert not world.registry.puts


KEY = fake.new_key()


def envelope(content: bytes) -> bytes:
    signature = fake.sign(KEY, fake.pae(fake.IN_TOTO, content))
    return fake.compact(
        {
            "payloadType": fake.IN_TOTO,
            "payload": b64(content),
            "signatures": [{"keyid": "", "sig": b64(signature)}],
        }
    )


def stated(digest: Digest, predicate_type: str = SLSA) -> bytes:
    about = payloads.StatementSubject(name="x", digests={"sha256": digest.hex})
    return payloads.encode_attestation([about], predicate_type, b"{}")


def test_given_attestations_line_by_line(world: World) -> None:
    bundle = fake.compact(fake.bundle(KEY, stated(world.digest, "https://a.test/b")))
    given = envelope(stated(world.digest)) + b"\n\n" + bundle + b"\n"
    now = SIGNED_AT + timedelta(hours=1)
    places = list(
        attach_given.attestations(world.registry, world.place, world.descriptor, given, now)
    )
    assert places[0] == legacy_tag(world.digest, "att")
    found = beside.listed(world.registry, world.place, world.digest)
    (att,) = [each for each in found if each.kind == "att"]
    assert att.layers[0].annotations["predicateType"] == SLSA
    (referrer,) = [each for each in found if each.is_bundle]
    assert referrer.predicate_type == "https://a.test/b"
    assert str(referrer.digest) == places[1]


@pytest.mark.parametrize("bad", [b"", b"\n", b"{}", b"junk", b"[]", envelope(b"junk")])
def test_one_bad_line_and_nothing_is_attached(world: World, bad: bytes) -> None:
    given = b"" if not bad.strip() else envelope(stated(world.digest)) + b"\n" + bad
    with pytest.raises(InputError):
        list(
            attach_given.attestations(
                world.registry, world.place, world.descriptor, given, SIGNED_AT
            )
        )
    assert not world.registry.puts


def test_a_given_bundle(world: World) -> None:
    content = fake.compact(fake.bundle(KEY, stated(world.digest)))
    digest = attach_given.bundle(world.registry, world.place, world.descriptor, content, SIGNED_AT)
    (found,) = beside.listed(world.registry, world.place, world.digest)
    assert found.digest == digest
    ((_, kept),) = beside.bundles(world.registry, world.place, [found])
    assert kept == content


def test_given_bundles_of_something_else(world: World) -> None:
    other = fake.compact(fake.bundle(KEY, stated(Digest.of(b"other"))))
    file = json.loads(other)
    del file["dsseEnvelope"]
    file["messageSignature"] = {"messageDigest": {}, "signature": b64(b"s")}
    for content, code in (
        (other, Code.WRONG_SUBJECT),
        (fake.compact(file), Code.BAD_INPUT),
        (b"{}", Code.BAD_INPUT),
    ):
        with pytest.raises(InputError) as caught:
            attach_given.bundle(world.registry, world.place, world.descriptor, content, SIGNED_AT)
        assert caught.value.code == code
    assert not world.registry.puts


def test_an_sbom_replaces_the_one_before(world: World) -> None:
    kind = attach_given.SBOM_TYPES["spdx", "json"]
    for content in (b"{}", b'{"n":2}'):
        tag = attach_given.sbom(world.registry, world.place, world.digest, content, kind)
        assert tag == legacy_tag(world.digest, "sbom")
    (found,) = beside.listed(world.registry, world.place, world.digest)
    assert (found.kind, found.layers[0].media_type) == ("sbom", "text/spdx+json")
    assert beside.content_of(world.registry, world.place, found.layers[0]) == b'{"n":2}'


# Looked at, and removed --------------------------------------------------------------------------------------


def test_what_is_printed_of_an_older_signature(world: World) -> None:
    leaf = fake.Authority().issue()
    found = world.made(1).replace(certificate=leaf.pem, chain="", timestamp=b"t")
    attach.attach_legacy(world.registry, world.place, world.digest, found)
    attached = beside.listed(world.registry, world.place, world.digest)
    (one,) = beside.layers(world.registry, world.place, attached, "sig")
    assert json.loads(beside.downloaded(one)) == {
        "Base64Signature": b64(b"\1"),
        "Payload": b64(found.payload),
        "Cert": {"Raw": b64(leaf.der)},
        "Chain": None,
        "Bundle": None,
        "RFC3161Timestamp": {"SignedRFC3161Timestamp": b64(b"t")},
    }


def filled(world: World) -> None:
    """Everything that may lie beside an image, and an SBOM of somebody else's that refers to it."""
    world.attach(1)
    list(
        attach_given.attestations(
            world.registry, world.place, world.descriptor, envelope(stated(world.digest)), SIGNED_AT
        )
    )
    attach_given.sbom(world.registry, world.place, world.digest, b"{}", "text/spdx")
    content = fake.compact(fake.bundle(KEY, stated(world.digest)))
    attach_given.bundle(world.registry, world.place, world.descriptor, content, SIGNED_AT)
    foreign = fake.compact(
        {
            "schemaVersion": 2,
            "mediaType": oci.OCI_MANIFEST,
            "artifactType": "application/vnd.example.sbom",
            "config": {
                "mediaType": oci.EMPTY_CONFIG,
                "digest": str(Digest.of(b"{}")),
                "size": 2,
            },
            "layers": [],
            "subject": {"mediaType": oci.OCI_MANIFEST, "digest": str(world.digest), "size": 7},
        }
    )
    name = str(Digest.of(foreign))
    world.registry.put_manifest(world.place, name, oci.OCI_MANIFEST, foreign)


def kinds(world: World) -> list[str]:
    return [
        f"{each.kind}{'' if each.is_bundle or each.kind != 'referrer' else ' of others'}"
        for each in beside.listed(world.registry, world.place, world.digest)
    ]


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        ("signature", ["att", "sbom", "referrer", "referrer of others"]),
        ("attestation", ["sig", "sbom", "referrer", "referrer of others"]),
        ("sbom", ["sig", "att", "referrer", "referrer of others"]),
        ("referrer", ["sig", "att", "sbom", "referrer of others"]),
        ("all", ["referrer of others"]),
    ],
)
@pytest.mark.parametrize("api", [True, False])
def test_what_is_removed_is_not_put_back(
    world: World, kind: str, left: list[str], api: bool
) -> None:
    world.registry.api = api
    filled(world)
    gone = list(cleaning.remove(world.registry, world.place, world.digest, cleaning.TYPES[kind]))
    assert gone
    assert all(name.startswith(world.place.name) for name in gone)
    assert kinds(world) == left
    for suffix in ("sig", "att"):
        if suffix not in left:
            repaired = attach.repair_legacy(world.registry, world.place, world.digest, suffix)
            assert repaired == 0


def test_an_empty_list_of_referrers_goes_too(world: World) -> None:
    world.registry.api = False
    content = fake.compact(fake.bundle(KEY, stated(world.digest)))
    attach_given.bundle(world.registry, world.place, world.descriptor, content, SIGNED_AT)
    list(cleaning.remove(world.registry, world.place, world.digest, cleaning.TYPES["referrer"]))
    assert [tag for _, tag in world.registry.tagged_] == ["v1"]
    assert list(world.registry.manifests) == [(world.place.name, world.digest)]


def test_nothing_to_remove(world: World) -> None:
    assert not list(
        cleaning.remove(world.registry, world.place, world.digest, cleaning.TYPES["all"])
    )


def test_a_registry_that_removes_nothing(world: World) -> None:
    from countermark.core.errors import RefusedError

    filled(world)
    world.registry.keeps = True
    before = kinds(world)
    with pytest.raises(RefusedError) as caught:
        list(cleaning.remove(world.registry, world.place, world.digest, cleaning.TYPES["all"]))
    assert caught.value.status == 405
    assert kinds(world) == before
