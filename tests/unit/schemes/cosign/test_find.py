"""Where signatures lie: both kinds are found, and what cannot be read is told of."""

import pytest

import fake_sigstore as fake
from countermark.core import limits
from countermark.core.digest import Digest
from countermark.core.errors import Code, NotFoundError, RefusedError, UnavailableError
from countermark.formats import oci
from countermark.schemes.cosign import find
from countermark.schemes.cosign.find import Found
from world import GOOD, OTHER, REPOSITORY

KEY = fake.new_key()
SIG = f"sha256-{GOOD.hex}.sig"
ATT = f"sha256-{GOOD.hex}.att"


def bundle(digest: Digest = GOOD) -> fake.Document:
    return fake.bundle(KEY, fake.statement(digest))


def layer(digest: Digest = GOOD) -> fake.Layer:
    return fake.legacy(KEY, fake.simple(digest))


def look(store: fake.MemoryStore, *suffixes: str) -> Found:
    return find.signatures(store, REPOSITORY, GOOD, suffixes or ("sig",))


def names(found: Found) -> list[str]:
    return [material.name for material in found.materials]


def test_nothing_lies_there() -> None:
    assert look(fake.MemoryStore()) == Found()


def test_both_kinds_are_found_and_only_what_is_asked_for() -> None:
    store = fake.MemoryStore()
    digest = store.attach(REPOSITORY, GOOD, bundle())
    store.attach_legacy(REPOSITORY, GOOD, layer(), layer())
    store.attach_legacy(
        REPOSITORY,
        GOOD,
        fake.legacy_attestation(KEY, fake.statement(GOOD, fake.SLSA)),
        suffix="att",
    )
    store.attach(REPOSITORY, OTHER, bundle(OTHER))
    found = look(store)
    assert names(found) == [
        f"bundle {digest.hex[:12]}",
        "signature 1 under .sig",
        "signature 2 under .sig",
    ]
    assert found.troubles == ()
    assert found.materials[0].place == f"{REPOSITORY.name}@{digest}"
    assert found.materials[2].place == f"{REPOSITORY.name}:{SIG} layer 2"
    assert ATT not in store.asked
    assert names(look(store, "att")) == [f"bundle {digest.hex[:12]}", "attestation 1 under .att"]
    assert len(look(store, "sig", "att").materials) == 4


def test_what_else_refers_to_an_image_is_passed_over() -> None:
    store = fake.MemoryStore()
    store.attach(REPOSITORY, GOOD, b"<spdx/>", media_type="application/spdx+json")
    index = oci.encode_index(())
    store.manifests[Digest.of(index)] = index
    assert look(store) == Found()


def test_the_variant_with_a_subject() -> None:
    """What cosign 2 attached with COSIGN_EXPERIMENTAL=1."""
    store, one = fake.MemoryStore(), layer()
    digest = store.attach(
        REPOSITORY, GOOD, one.content, media_type=one.media_type, annotations=one.annotations
    )
    assert names(look(store)) == [f"signature {digest.hex[:12]}"]


@pytest.mark.parametrize("version", ["v0.2+json", "v9+json", ""])
def test_the_version_of_the_layer_is_not_looked_at(version: str) -> None:
    store = fake.MemoryStore()
    store.attach(REPOSITORY, GOOD, bundle(), media_type=f"{find.BUNDLE_TYPE}.{version}")
    assert len(look(store).materials) == 1


def trouble(store: fake.MemoryStore, *suffixes: str) -> tuple[Code, bool]:
    (found,) = look(store, *suffixes).troubles
    assert found.name
    assert found.place.startswith(REPOSITORY.name)
    assert found.reason
    return found.code, found.may_pass


def test_what_cannot_be_read_is_told_of() -> None:
    store = fake.MemoryStore()
    store.attach(REPOSITORY, GOOD, b"junk")
    assert trouble(store) == (Code.MALFORMED, False)
    store.attach(REPOSITORY, GOOD, bundle())
    found = look(store)
    assert (len(found.materials), len(found.troubles)) == (1, 1)


def test_a_bundle_is_alone_in_its_manifest() -> None:
    store = fake.MemoryStore()
    store.attach(REPOSITORY, GOOD, bundle(), copies=2)
    assert trouble(store) == (Code.MALFORMED, False)
    store, one = fake.MemoryStore(), layer()
    store.attach(REPOSITORY, GOOD, one.content, media_type=one.media_type, copies=2)
    assert trouble(store) == (Code.MALFORMED, False)


def test_a_bundle_without_an_envelope_says_nothing_about_an_image() -> None:
    store, document = fake.MemoryStore(), bundle()
    del document["dsseEnvelope"]
    digest = {"algorithm": "SHA2_256", "digest": fake.b64(b"x" * 32)}
    document["messageSignature"] = {"messageDigest": digest, "signature": fake.b64(b"s")}
    store.attach(REPOSITORY, GOOD, document)
    assert trouble(store) == (Code.MALFORMED, False)


def test_what_is_listed_and_not_there() -> None:
    store = fake.MemoryStore()
    digest = store.attach(REPOSITORY, GOOD, bundle())
    manifest = store.manifests.pop(digest)
    assert trouble(store) == (Code.NOT_FOUND, False)
    store.manifests[digest] = manifest
    store.blobs.clear()
    assert trouble(store) == (Code.NOT_FOUND, False)


AWAY = UnavailableError("the registry is away")
FORBIDDEN = RefusedError("you may not", status=403)


@pytest.mark.parametrize("error", [AWAY, FORBIDDEN])
def test_what_cannot_be_had_now_may_be_had_later(error: Exception) -> None:
    store = fake.MemoryStore()
    digest = store.attach(REPOSITORY, GOOD, bundle())
    store.attach_legacy(REPOSITORY, GOOD, layer())
    code = getattr(error, "code", None)
    for what, left in ((str(digest), 1), ("referrers", 1), (SIG, 1)):
        store.down = {what: error}
        found = look(store)
        assert len(found.materials) == left
        assert [(t.code, t.may_pass) for t in found.troubles] == [(code, True)]
    store.down = {"referrers": error, SIG: error}
    assert len(look(store).troubles) == 2


def test_the_repository_of_signatures_need_not_exist() -> None:
    store = fake.MemoryStore()
    store.down = {"referrers": NotFoundError("no such repository", status=404)}
    assert look(store) == Found()


def test_a_tag_that_is_no_image() -> None:
    store = fake.MemoryStore()
    store.tags[REPOSITORY.name, SIG] = oci.encode_index(())
    assert trouble(store) == (Code.MALFORMED, False)
    store.tags[REPOSITORY.name, SIG] = b"{}"
    assert trouble(store) == (Code.MALFORMED, False)


def test_layers_of_other_kinds_are_passed_over() -> None:
    store = fake.MemoryStore()
    store.attach_legacy(REPOSITORY, GOOD, fake.Layer("text/spdx", b"x", {}), layer())
    assert names(look(store)) == ["signature 2 under .sig"]


def test_a_layer_that_is_too_large_is_not_fetched() -> None:
    store = fake.MemoryStore()
    big = {"mediaType": fake.BUNDLE_TYPE, "digest": str(OTHER), "size": limits.SIGNATURE_BYTES + 1}
    store.attach_layers(REPOSITORY, GOOD, [big])
    assert trouble(store) == (Code.TOO_LARGE, False)
    assert str(OTHER) not in store.asked


def test_more_than_are_looked_at_are_told_of() -> None:
    store = fake.MemoryStore()
    many = [layer()] * (limits.SIGNATURES_PER_IMAGE + 7)
    store.attach_legacy(REPOSITORY, GOOD, *many)
    found = look(store)
    assert len(found.materials) == limits.SIGNATURES_PER_IMAGE
    (told,) = found.troubles
    assert told.code == Code.TOO_LARGE
    assert told.reason.startswith("7 more")


def test_many_are_fetched_at_once() -> None:
    store = fake.MemoryStore()
    for _ in range(100):
        store.attach(REPOSITORY, GOOD, bundle())
    found = look(store)
    assert len(found.materials) == 100
    # in the order of the list, whoever came back first
    listed = store.lists[f"{REPOSITORY.name}@{GOOD}"]
    assert names(found) == [f"bundle {each.digest.hex[:12]}" for each in listed]


def test_all_together_have_a_bound_too() -> None:
    store = fake.MemoryStore()
    store.attach(REPOSITORY, GOOD, bundle())
    half = limits.SIGNATURE_BYTES // 2 + 1
    for number in range(2 * limits.SIGNATURES_BYTES // limits.SIGNATURE_BYTES):
        digest = str(Digest.of(b"%d" % number))
        big = {"mediaType": fake.BUNDLE_TYPE, "digest": digest, "size": half}
        store.attach_layers(REPOSITORY, GOOD, [big])
    store.attach(REPOSITORY, GOOD, bundle())
    found = look(store)
    codes = [each.code for each in found.troubles]
    assert Code.TOO_LARGE in codes
    assert set(codes) <= {Code.TOO_LARGE, Code.NOT_FOUND}
    assert len(found.materials) + len(found.troubles) == len(
        store.lists[f"{REPOSITORY.name}@{GOOD}"]
    )
