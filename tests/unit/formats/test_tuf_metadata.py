"""TUF metadata: python-tuf reads what we write, we read what others write, and nothing that is none of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Metadata as Theirs

from countermark.adapters import sigstore_root
from countermark.core import limits
from countermark.core.errors import Code, MalformedError
from countermark.formats import strict_json
from countermark.formats import tuf_metadata as tuf
from countermark.proofs import signatures, signing_keys, spki
from countermark.proofs.pem import Block, parse

NOW = datetime(2026, 11, 20, 10, 30, 5, 600_000, tzinfo=UTC)
KEY = signing_keys.generate()
PUBLIC = tuf.PublicKey(pem=Block(type="PUBLIC KEY", content=KEY.public_der).encode().decode())
FILE = tuf.TargetFile(content=b"content", custom={"sigstore": {"usage": "Fulcio"}})


def signed(members: tuf.Members) -> bytes:
    return tuf.encode(members, {PUBLIC.id: KEY.sign(strict_json.canonical(members))})


ROOT = signed(tuf.root(3, NOW, {role: [PUBLIC] for role in tuf.ROLES}))
TARGETS = signed(tuf.targets(4, NOW, {"a.json": FILE.members()}))
SNAPSHOT = signed(tuf.naming("snapshot", 5, NOW, "targets", TARGETS))
TIMESTAMP = signed(tuf.naming("timestamp", 6, NOW, "snapshot", SNAPSHOT))
ALL = dict(zip(tuf.ROLES, (ROOT, TARGETS, SNAPSHOT, TIMESTAMP), strict=True))


@pytest.mark.parametrize("role", tuf.ROLES)
def test_python_tuf_verifies_them(role: str) -> None:
    root: Any = Theirs.from_bytes(ROOT)
    found: Any = Theirs.from_bytes(ALL[role])
    root.verify_delegate(role, found)
    assert found.signed.expires == NOW.replace(microsecond=0)
    assert next(iter(root.signed.keys)) == PUBLIC.id


def test_python_tuf_reads_them() -> None:
    root: Any = Theirs.from_bytes(ROOT)
    assert (root.signed.version, root.signed.consistent_snapshot) == (3, True)
    targets: Any = Theirs.from_bytes(TARGETS)
    info = targets.signed.targets["a.json"]
    assert (info.length, info.hashes, info.custom) == (
        7,
        {"sha256": FILE.sha256},
        {"sigstore": {"usage": "Fulcio"}},
    )
    Theirs.from_bytes(SNAPSHOT).signed.meta["targets.json"].verify_length_and_hashes(TARGETS)  # type: ignore[attr-defined]
    Theirs.from_bytes(TIMESTAMP).signed.snapshot_meta.verify_length_and_hashes(SNAPSHOT)  # type: ignore[attr-defined]


@pytest.mark.parametrize("role", tuf.ROLES)
def test_what_is_written_is_read(role: str) -> None:
    found = tuf.parse(ALL[role], role)
    assert (found.role, found.version) == (role, tuf.ROLES.index(role) + 3)
    assert found.expires == NOW.replace(microsecond=0)
    assert signatures.verify(KEY.public, found.signed, found.signatures[PUBLIC.id])


def test_parts() -> None:
    targets = tuf.parse(TARGETS, "targets")
    assert tuf.target_names(targets) == ["a.json"]
    assert tuf.target_members(targets) == {"a.json": FILE.members()}
    assert tuf.target_sha256(targets, "a.json") == FILE.sha256
    assert tuf.target_sha256(targets, "b.json") == ""
    assert tuf.named_version(tuf.parse(TIMESTAMP, "timestamp"), "snapshot") == 5
    assert tuf.named_version(tuf.parse(SNAPSHOT, "snapshot"), "targets") == 4
    assert tuf.role_key_ids(tuf.parse(ROOT, "root"), "snapshot") == (PUBLIC.id,)


def test_public_sigstores_root() -> None:
    """The file that comes with us is read, and its own keys have signed it."""
    place = Path(sigstore_root.__file__).with_name("sigstore_public_root.json")
    found = tuf.parse(place.read_bytes(), "root")
    assert found.version == 15
    keys = found.body.object("keys")
    good = 0
    for key_id in tuf.role_key_ids(found, "root"):
        text = keys.object(key_id).object("keyval").text("public")
        key = spki.parse(parse(text.encode())[0].content)
        good += signatures.verify(key, found.signed, found.signatures[key_id])
    assert good >= found.body.object("roles").object("root").integer("threshold") == 3


def bent(change: Any) -> bytes:
    document = json.loads(ROOT)
    change(document)
    return json.dumps(document).encode()


BAD = {
    "junk": (b"junk", Code.MALFORMED),
    "a list": (b"[]", Code.MALFORMED),
    "nothing": (b"{}", Code.MALFORMED),
    "another role": (TARGETS, Code.MALFORMED),
    "no version": (bent(lambda d: d["signed"].pop("version")), Code.MALFORMED),
    "version that is true": (bent(lambda d: d["signed"].update(version=True)), Code.MALFORMED),
    "no time": (bent(lambda d: d["signed"].update(expires="soon")), Code.MALFORMED),
    "no hex": (bent(lambda d: d["signatures"][0].update(sig="zz")), Code.MALFORMED),
    "no signatures": (bent(lambda d: d.pop("signatures")), Code.MALFORMED),
    "too long": (ROOT + bytes(limits.TUF_FILE_BYTES), Code.TOO_LARGE),
}


@pytest.mark.parametrize("case", BAD)
def test_malformed(case: str) -> None:
    content, code = BAD[case]
    with pytest.raises(MalformedError) as caught:
        tuf.parse(content, "root")
    assert caught.value.code == code


def test_missing_parts() -> None:
    empty = tuf.parse(signed(tuf.targets(1, NOW, {"a": {}})), "targets")
    with pytest.raises(MalformedError):
        tuf.target_sha256(empty, "a")
    with pytest.raises(MalformedError):
        tuf.named_version(empty, "snapshot")
    with pytest.raises(MalformedError):
        tuf.role_key_ids(empty, "root")
