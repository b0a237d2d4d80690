"""Readers in ``formats/``."""

import re
from contextlib import suppress
from pathlib import Path

import fake_blobs as blobs
import fake_sigstore as fake
import log_requests
from countermark.core.errors import ConfigError, EvidenceError
from countermark.formats import (
    bundle,
    gateway_json,
    go_text,
    legacy,
    log_records,
    oci,
    payloads,
    rekor,
    signing_config,
    strict_json,
    strict_yaml,
    tiles,
    trusted_root,
    tuf,
    tuf_metadata,
    tuf_values,
)
from countermark.formats.payloads import Envelope, InTotoStatement
from countermark.formats.tlog import Checkpoint, Note
from fuzz.target import Target, text
from world import GOOD

VECTORS = Path(__file__).parents[1] / "vectors"


def vectors(pattern: str) -> tuple[bytes, ...]:
    """The files below tests/vectors that a pattern matches."""
    found = tuple(path.read_bytes() for path in sorted(VECTORS.glob(pattern)))
    assert found, pattern
    return found


def metadata(role: str) -> tuple[bytes, ...]:
    return vectors(f"notary-v1/compat/**/metadata/{role}.json")


def _bundles() -> tuple[bytes, ...]:
    sigstore = fake.Sigstore()
    leaf = sigstore.authority.issue()
    made = blobs.bundle(leaf, log=sigstore.log, stamps=sigstore.stamps)
    return (*vectors("cosign/*sigstore.json"), *vectors("cosign/*v02.json"), fake.compact(made))


def _layer(content: bytes) -> object:
    """A signature's layer: its annotations are a stranger's, and stand in one object here."""
    given = strict_json.parse(content)
    members = given if isinstance(given, dict) else {}
    annotations = {name: value for name, value in members.items() if isinstance(value, str)}
    return legacy.from_layer(
        "application/vnd.dev.cosign.simplesigning.v1+json", annotations, fake.simple(GOOD)
    )


def _layers() -> tuple[bytes, ...]:
    sigstore = fake.Sigstore()
    layer = fake.legacy(
        sigstore.authority.issue(),
        fake.simple(GOOD),
        log=sigstore.first_log,
        stamps=sigstore.stamps,
    )
    key = fake.legacy(fake.new_key(), fake.simple(GOOD))
    return fake.compact(layer.annotations), fake.compact(key.annotations)


def _bodies() -> tuple[bytes, ...]:
    key = fake.new_key()
    leaf = fake.Sigstore().authority.issue()
    envelope = blobs.envelope_of(key, blobs.statement())
    return (
        fake.body_v1(key, b"x", b"y"),
        fake.body_v2(leaf, b"x", b"y"),
        fake.body_dsse(leaf, envelope),
    )


def _note() -> bytes:
    log = fake.Sigstore().log
    entry = log.add(b"{}", ("hashedrekord", "0.0.2"))
    note: str = entry["inclusionProof"]["checkpoint"]["envelope"]
    return note.encode()


def _answer() -> bytes:
    return fake.compact(fake.Sigstore().log.add(b"{}", ("hashedrekord", "0.0.2")))


def _trust_config() -> bytes:
    (root,), (config,) = vectors("cosign/trusted_root.json"), vectors("cosign/signing_config.json")
    parts = trusted_root.parse(root), signing_config.parse(config)
    return signing_config.TrustConfig(trusted_root=parts[0], signing_config=parts[1]).encode()


def _answers_1() -> bytes:
    """What Rekor 1 answers, made of an entry as bundles have it."""
    body = b'{"apiVersion":"0.0.1","kind":"x","spec":{}}'
    entry = fake.Sigstore().first_log.add(body, ("x", "0.0.1"))
    proof = {"checkpoint": "x", "hashes": ["aa"], "logIndex": 1, "rootHash": "bb", "treeSize": 2}
    members = {
        "body": entry["canonicalizedBody"],
        "integratedTime": int(entry["integratedTime"]),
        "logID": "ab" * 32,
        "logIndex": int(entry["logIndex"]),
        "verification": {"inclusionProof": proof} | entry["inclusionPromise"],
    }
    return fake.compact([{"a" * 64: members}])


MANIFEST = fake.compact(
    {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": str(GOOD)},
        "layers": [{"mediaType": "a/b", "size": 1, "digest": str(GOOD), "annotations": {"a": "b"}}],
        "subject": {"mediaType": oci.OCI_MANIFEST, "size": 1, "digest": str(GOOD)},
    }
)  # fmt: skip
PLATFORM = {"os": "linux", "architecture": "arm"}
INDEX = fake.compact(
    {
        "schemaVersion": 2,
        "mediaType": oci.OCI_INDEX,
        "manifests": [
            {"mediaType": oci.OCI_MANIFEST, "size": 2, "digest": str(GOOD), "platform": PLATFORM}
        ],
    }
)  # fmt: skip
TUF_METADATA = (
    b'{"signatures":[{"keyid":"aa","sig":"00"}],"signed":{"_type":"timestamp","expires":"2030-01-01T00:00:00Z",'
    b'"meta":{"snapshot.json":{"version":1}},"spec_version":"1.0.31","version":1}}'
)
NOTARY_KEY = b'{"keytype":"ecdsa","keyval":{"private":null,"public":"YWJj"}}'
YAML = b"a: [1, {b: 'c'}]\n-x: |\n  y\n"
ENTRY_BUNDLE = b"\x00\x02{}" * 3


def _metadata(content: bytes) -> None:
    """With the role that the file says; who reads one asks for it beforehand."""
    said = re.search(rb'"_type": *"(\w+)"', content)
    found = tuf_metadata.parse(content, said[1].decode("utf-8", "replace") if said else "root")
    for ask in (
        tuf_metadata.target_names,
        tuf_metadata.target_members,
        lambda each: tuf_metadata.target_sha256(each, "a"),
        lambda each: tuf_metadata.named_version(each, "snapshot"),
        lambda each: tuf_metadata.role_key_ids(each, "root"),
    ):
        with suppress(EvidenceError):
            ask(found)


TARGETS = (
    Target("strict_json", strict_json.parse, lambda: vectors("cosign/*.json")),
    Target("strict_yaml", lambda c: strict_yaml.parse(c, "f"), lambda: (YAML,), (ConfigError,)),
    Target("go_text", text(go_text.parse_time), lambda: (b"2026-11-24T00:00:00.123456789+01:00",)),
    Target("bundle", bundle.parse, _bundles),
    Target("legacy_layer", _layer, _layers),
    Target("legacy_blob", lambda c: legacy.parse_blob_bundle(c).envelope(), lambda: vectors("cosign/legacy-*.json")),
    Target("legacy_timestamp", legacy.parse_timestamp, lambda: (b'{"SignedRFC3161Timestamp":"AAAA"}',)),
    Target("simple_signing", payloads.parse, lambda: vectors("cosign/payload*.json")),
    Target("envelope", Envelope.parse, lambda: vectors("cosign/envelope.json")),
    Target("statement", InTotoStatement.parse, lambda: (blobs.statement(),)),
    Target("rekor_body", rekor.parse_record, _bodies),
    Target("rekor_record", log_records.parse, _bodies),
    Target("rekor_answer_1", rekor.parse_answers_1, lambda: (_answers_1(),)),
    Target("rekor_answer_2", rekor.parse_answer_2, lambda: (_answer(),)),
    Target("note", text(Note.parse), lambda: (_note(),)),
    Target("checkpoint", text(lambda t: Checkpoint.parse(t.partition("\n\n")[0] + "\n")), lambda: (_note(),)),
    Target("tile", lambda c: tiles.parse_tile(c, len(c) // 32 or 1), lambda: (bytes(64),)),
    Target("entry_bundle", lambda c: tiles.parse_entries(c, 3), lambda: (ENTRY_BUNDLE,)),
    Target("tile_path", text(tiles.TilePlace.parse), lambda: (b"tile/0/x001/067", b"tile/entries/000.p/3")),
    Target("trusted_root", trusted_root.parse, lambda: vectors("cosign/trusted_root.json")),
    Target("signing_config", signing_config.parse, lambda: vectors("cosign/signing_config.json")),
    Target("trust_config", signing_config.parse_trust_config, lambda: (_trust_config(),)),
    Target("oci_document", oci.parse_document, lambda: (MANIFEST, INDEX)),
    Target("tuf_root", tuf.parse_root, lambda: metadata("root")),
    Target("tuf_targets", lambda c: tuf.parse_role("targets", c), lambda: metadata("targets")),
    Target("tuf_delegation", lambda c: tuf.parse_role("targets/releases", c), lambda: metadata("targets/releases")),
    Target("tuf_snapshot", tuf.parse_snapshot, lambda: metadata("snapshot")),
    Target("tuf_timestamp", tuf.parse_timestamp, lambda: metadata("timestamp")),
    Target("tuf_key", tuf_values.Key.parse_loose, lambda: (NOTARY_KEY,)),
    Target("tuf_metadata", _metadata, lambda: (TUF_METADATA,)),
    Target("gateway_json", lambda c: gateway_json.read(c, log_requests_fields(), max_bytes=1 << 20),
           lambda: (log_requests.encoded(log_requests.document()),)),
)  # fmt: skip


def log_requests_fields() -> gateway_json.Fields:
    """The deepest message that we know: an entry for a log."""
    from countermark.services.log_requests import _FIELDS

    return _FIELDS
