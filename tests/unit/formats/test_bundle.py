"""Sigstore bundles: each rule of their versions, and what is written."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

import fake_blobs as blobs
import fake_sigstore as fake
from countermark.core import limits
from countermark.core.errors import Code, MalformedError
from countermark.formats import bundle
from countermark.formats.bundle import Bundle, MessageSignature
from countermark.formats.payloads import Envelope
from fake_sigstore import Document

SIGSTORE = fake.Sigstore()
LEAF = SIGSTORE.authority.issue()
OLD = "application/vnd.dev.sigstore.bundle+json;version="
FIRST = fake.bundle(LEAF, blobs.statement(), log=SIGSTORE.first_log, stamps=SIGSTORE.stamps)
SECOND = blobs.bundle(LEAF, log=SIGSTORE.log, stamps=SIGSTORE.stamps)
KEYED = blobs.bundle(fake.new_key())

Change = Callable[[Document], object]


def changed(change: Change, document: Document = FIRST) -> bytes:
    made = copy.deepcopy(document)
    change(made)
    return fake.compact(made)


def material(made: Document) -> Document:
    found: Document = made["verificationMaterial"]
    return found


def entry(made: Document) -> Document:
    found: Document = material(made)["tlogEntries"][0]
    return found


def chain(made: Document) -> None:
    leaf = material(made).pop("certificate")
    between = {"rawBytes": fake.b64(SIGSTORE.authority.chain[0])}
    material(made)["x509CertificateChain"] = {"certificates": [leaf, between]}


@pytest.mark.parametrize("document", [FIRST, SECOND, KEYED], ids=["first", "second", "keyed"])
def test_what_is_read_is_written_the_same(document: Document) -> None:
    found = bundle.parse(fake.compact(document))
    assert bundle.parse(found.encode()) == found
    assert found.version == "0.3"


def test_parts() -> None:
    found = bundle.parse(fake.compact(FIRST))
    assert found.certificates == (LEAF.der,)
    assert (found.is_chain, found.key_hint, len(found.timestamps)) == (False, "", 1)
    (logged,) = found.entries
    assert (logged.kind, logged.version, logged.log_id) == ("dsse", "0.0.1", SIGSTORE.first_log.id)
    assert logged.integrated_time == int(fake.SIGNED_AT.timestamp())
    assert logged.proof is not None
    assert isinstance(found.content, Envelope)
    second = bundle.parse(fake.compact(SECOND))
    assert (second.entries[0].integrated_time, second.entries[0].promise) == (0, b"")
    assert isinstance(second.content, MessageSignature)


@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3"])
def test_versions(version: str) -> None:
    found = bundle.parse(changed(lambda made: made.update(mediaType=OLD + version)))
    assert found.version == version
    assert found.encode(OLD + "0.3").startswith(b'{"mediaType":"' + OLD.encode() + b"0.3")


def test_a_chain_is_said_to_be_one() -> None:
    found = bundle.parse(changed(chain))
    assert (found.is_chain, len(found.certificates)) == (True, 2)
    assert bundle.parse(found.encode()) == found


@pytest.mark.parametrize("digest", [{}, None])
def test_a_digest_may_be_missing(digest: Document | None) -> None:
    content = changed(lambda made: made["messageSignature"].update(messageDigest=digest), KEYED)
    found = bundle.parse(content).content
    assert isinstance(found, MessageSignature)
    assert (found.algorithm, found.digest) == ("", b"")


def both_contents(made: Document) -> None:
    made["messageSignature"] = SECOND["messageSignature"]


def many(name: str, count: int) -> Change:
    def change(made: Document) -> None:
        one = entry(made)
        several = [{**one, "logIndex": str(n)} for n in range(count)]
        stamps = material(made)["timestampVerificationData"]["rfc3161Timestamps"] * count
        if name == "entries":
            material(made)["tlogEntries"] = several
        elif name == "stamps":
            material(made)["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
        elif name == "hashes":
            one["inclusionProof"]["hashes"] = ["AA=="] * count
        else:
            chain(made)
            certificates = material(made)["x509CertificateChain"]
            certificates["certificates"] = certificates["certificates"][:1] * count

    return change


def without(*path: str) -> Change:
    def change(made: Document) -> None:
        place: Any = made
        for name in path[:-1]:
            place = place[int(name)] if isinstance(place, list) else place[name]
        del place[path[-1]]

    return change


ENTRY = ("verificationMaterial", "tlogEntries", "0")


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        (lambda m: m.update(mediaType="x"), "mediaType", Code.MALFORMED),
        (lambda m: m.update(mediaType=OLD + "0.4"), "mediaType", Code.MALFORMED),
        (without("mediaType"), "mediaType", Code.MALFORMED),
        (lambda m: m.update(more=1), "more", Code.MALFORMED),
        (without("verificationMaterial"), "verificationMaterial", Code.MALFORMED),
        (without("dsseEnvelope"), "", Code.MALFORMED),
        (both_contents, "", Code.MALFORMED),
        (without("verificationMaterial", "certificate"), "verificationMaterial", Code.MALFORMED),
        (lambda m: material(m).update(publicKey={}), "verificationMaterial", Code.MALFORMED),
        (lambda m: material(m)["certificate"].update(rawBytes=""),
         "verificationMaterial.certificate", Code.MALFORMED),
        (lambda m: material(m)["certificate"].update(rawBytes="%"),
         "verificationMaterial.certificate.rawBytes", Code.MALFORMED),
        (many("certificates", 0), "verificationMaterial.x509CertificateChain.certificates", Code.MALFORMED),
        (many("certificates", limits.BUNDLE_CERTIFICATES + 1),
         "verificationMaterial.x509CertificateChain.certificates", Code.MALFORMED),
        (many("entries", limits.BUNDLE_ENTRIES + 1), "verificationMaterial.tlogEntries", Code.TOO_LARGE),
        (many("stamps", limits.BUNDLE_TIMESTAMPS + 1),
         "verificationMaterial.timestampVerificationData.rfc3161Timestamps", Code.TOO_LARGE),
        (many("hashes", limits.PROOF_HASHES + 1),
         "verificationMaterial.tlogEntries[0].inclusionProof.hashes", Code.MALFORMED),
        (lambda m: material(m)["tlogEntries"].append(entry(m)), "verificationMaterial.tlogEntries", Code.MALFORMED),
        (without(*ENTRY, "logId"), "verificationMaterial.tlogEntries[0].logId", Code.MALFORMED),
        (without(*ENTRY, "kindVersion"), "verificationMaterial.tlogEntries[0].kindVersion", Code.MALFORMED),
        (without(*ENTRY, "canonicalizedBody"),
         "verificationMaterial.tlogEntries[0].canonicalizedBody", Code.MALFORMED),
        (lambda m: entry(m).update(logIndex="-1"), "verificationMaterial.tlogEntries[0].logIndex", Code.MALFORMED),
        (without(*ENTRY, "inclusionProof"), "verificationMaterial.tlogEntries[0]", Code.MALFORMED),
        (without(*ENTRY, "inclusionProof", "checkpoint"),
         "verificationMaterial.tlogEntries[0]", Code.MALFORMED),
        (without(*ENTRY, "inclusionPromise", "signedEntryTimestamp"),
         "verificationMaterial.tlogEntries[0].inclusionPromise.signedEntryTimestamp", Code.MALFORMED),
        (lambda m: material(m)["timestampVerificationData"]["rfc3161Timestamps"].append({}),
         "verificationMaterial.timestampVerificationData.rfc3161Timestamps[1].signedTimestamp", Code.MALFORMED),
        (lambda m: m["dsseEnvelope"].update(signatures=[]), "dsseEnvelope.signatures", Code.MALFORMED),
        (lambda m: m["dsseEnvelope"]["signatures"].append({"sig": "AA=="}),
         "dsseEnvelope.signatures", Code.MALFORMED),
        (without("dsseEnvelope", "payload"), "dsseEnvelope.payload", Code.MALFORMED),
    ],
)  # fmt: skip
def test_bundles_that_are_refused(change: Change, path: str, code: Code) -> None:
    with pytest.raises(MalformedError) as caught:
        bundle.parse(changed(change))
    assert (caught.value.path, caught.value.code) == (path, code)


@pytest.mark.parametrize(
    "digest",
    [
        {"algorithm": "SHA2_256", "digest": "AA=="},
        {"algorithm": "SHA1", "digest": fake.b64(bytes(20))},
        {"algorithm": "SHA2_256"},
        {"digest": fake.b64(bytes(32))},
    ],
)
def test_digests_that_are_refused(digest: Document) -> None:
    with pytest.raises(MalformedError) as caught:
        bundle.parse(
            changed(lambda made: made["messageSignature"].update(messageDigest=digest), KEYED)
        )
    assert caught.value.path == "messageSignature.messageDigest.digest"


def test_what_each_version_demands_of_entries() -> None:
    def no_promise(made: Document) -> None:
        made["mediaType"] = f"{OLD}0.1"
        del entry(made)["inclusionPromise"]

    with pytest.raises(MalformedError, match="inclusion promises missing"):
        bundle.parse(changed(no_promise))

    def no_proof(made: Document) -> None:
        made["mediaType"] = f"{OLD}0.1"
        del entry(made)["inclusionProof"]

    assert bundle.parse(changed(no_proof)).entries[0].proof is None


def test_names_in_snake_case_are_read() -> None:
    made = fake.compact(KEYED).replace(b"verificationMaterial", b"verification_material")
    assert isinstance(bundle.parse(made), Bundle)


def test_size() -> None:
    with pytest.raises(MalformedError) as caught:
        bundle.parse(b" " * (limits.SIGNATURE_BYTES + 1))
    assert caught.value.code == Code.TOO_LARGE
