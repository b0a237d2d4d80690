"""Notary v1's files: read, refused in notary's words, written as Go writes them."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from countermark.core import limits
from countermark.core.errors import Code, EvidenceError, InputError, MalformedError
from countermark.formats import strict_json, tuf, tuf_wire
from countermark.formats.strict_json import Reader
from countermark.formats.tuf import FileMeta, Key, Role, Signature

VECTORS = Path(__file__).parents[2] / "vectors" / "notary-v1"
COMPAT = {
    "0.1": VECTORS / "compat/notary0.1/tuf/docker.com/notary0.1/samplerepo/metadata",
    "0.3": VECTORS / "compat/notary0.3/tuf/docker.com/notary0.3/tst/metadata",
}
FILES = [
    (path, str(path.relative_to(folder)).removesuffix(".json"))
    for folder in COMPAT.values()
    for path in sorted(folder.rglob("*.json"))
] + [(VECTORS / "root-2015/root.json", "root")]
GOOD_HASHES = {"sha256": "A" * 43 + "=", "sha512": "A" * 86 + "=="}
META = {"hashes": GOOD_HASHES, "length": 3}
KEY = {"keytype": "ecdsa", "keyval": {"private": None, "public": "AAAA"}}
KEY_ID = "k" * 64
ROLE = {"keyids": [KEY_ID], "threshold": 1}
EXPIRES = "2030-01-02T03:04:05.123456789Z"


def test_the_vectors_are_there() -> None:
    assert len(FILES) == 10


@pytest.mark.parametrize(("path", "role"), FILES, ids=str)
def test_old_clients_files_are_read_and_written_byte_for_byte(path: Path, role: str) -> None:
    content = path.read_bytes()
    file = tuf.parse_role(role, content)
    assert tuf.encode(file.body) == file.signed
    assert tuf.envelope(file.signed, file.signatures) == content
    assert file.is_canonical_wire()
    assert tuf.is_wire_exact(content, role)
    assert file.role == role
    assert file.signatures


@pytest.mark.parametrize("version", COMPAT)
def test_old_clients_files_name_each_other(version: str) -> None:
    folder = COMPAT[version]
    timestamp = tuf.parse_timestamp((folder / "timestamp.json").read_bytes())
    snapshot = tuf.parse_snapshot((folder / "snapshot.json").read_bytes())
    timestamp.body.meta["snapshot"].check(snapshot.content, "snapshot")
    for role, meta in snapshot.body.meta.items():
        meta.check((folder / f"{role}.json").read_bytes(), role)


def test_an_old_target() -> None:
    file = tuf.parse_targets((COMPAT["0.1"] / "targets.json").read_bytes())
    assert {name: meta.length for name, meta in file.body.targets.items()} == {"LICENSE": 11309}


def test_every_key_id() -> None:
    entries = json.loads((VECTORS / "keyids.json").read_bytes())
    assert len(entries) > 10
    for entry in entries:
        key = Key(type=entry["keytype"], public=entry["public"])
        assert key.id == entry["keyid"], entry["origin"]
        assert key.id == entry["keyid"], "from memory"


def test_private_keys_of_old_json_give_their_public_keys() -> None:
    for entry in json.loads((VECTORS / "tuf-private-keys.json").read_bytes()).values():
        content = json.dumps({"keytype": entry["keytype"], "keyval": entry["keyval"]}).encode()
        key = Key.parse_loose(content)
        assert (key.type, key.public) == (entry["keytype"], entry["keyval"]["public"])


def test_file_meta_of_foo() -> None:
    expected = json.loads((VECTORS / "filemeta.json").read_bytes())
    meta = FileMeta.of(expected["content"].encode())
    assert meta.length == expected["length"]
    assert {name: raw.hex() for name, raw in meta.hashes.items()} == {
        "sha256": expected["sha256"],
        "sha512": expected["sha512"],
    }


ROLES = json.loads((VECTORS / "roles.json").read_bytes())


@pytest.mark.parametrize(
    ("function", "name", "expected"),
    [
        (function, name, verdict == "true")
        for function, group in (
            (tuf.is_delegation, "is_delegation"),
            (tuf.is_wild_delegation, "is_wild_delegation"),
            (tuf.valid_role, "valid_role"),
        )
        for verdict, names in ROLES[group].items()
        for name in names
    ],
)
def test_role_names(function: Callable[[str], bool], name: str, *, expected: bool) -> None:
    assert function(name) is expected


@pytest.mark.parametrize(
    ("name", "above"),
    [("targets/a", "targets"), ("targets/a/b", "targets/a"), ("targets", ""), ("root", "")],
)
def test_parents(name: str, above: str) -> None:
    assert tuf.parent(name) == above


# Structure -----------------------------------------------------------------------------------------------


def root() -> dict[str, Any]:
    return {
        "_type": "Root",
        "consistent_snapshot": False,
        "expires": EXPIRES,
        "keys": {KEY_ID: KEY},
        "roles": {name: dict(ROLE) for name in tuf.BASE_ROLES},
        "version": 1,
    }


def targets() -> dict[str, Any]:
    return {
        "_type": "Targets",
        "delegations": {
            "keys": {KEY_ID: KEY},
            "roles": [ROLE | {"name": "targets/a", "paths": [""]}],
        },
        "expires": EXPIRES,
        "targets": {"latest": META},
        "version": 1,
    }


def snapshot() -> dict[str, Any]:
    return {
        "_type": "Snapshot",
        "expires": EXPIRES,
        "meta": {"root": META, "targets": META},
        "version": 1,
    }


def timestamp() -> dict[str, Any]:
    return {"_type": "Timestamp", "expires": EXPIRES, "meta": {"snapshot": META}, "version": 1}


BODIES = {"root": root, "targets": targets, "snapshot": snapshot, "timestamp": timestamp}
GONE = object()


def wire(signed: Any, signatures: Any = ()) -> bytes:
    """Write a file as Go does, by other means than those under test."""
    parts = (strict_json.canonical(signed), json.dumps(list(signatures), separators=(",", ":")))
    text = '{"signed":' + parts[0].decode() + ',"signatures":' + parts[1] + "}"
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode()


def changed(role: str, path: str, value: object) -> bytes:
    """The good file of a role with one member changed, which ``path`` names with slashes."""
    body: Any = json.loads(json.dumps(BODIES[role]()))
    *above, last = path.split("/")
    place = body
    for name in above:
        place = place[int(name)] if isinstance(place, list) else place[name]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return wire(body)


@pytest.mark.parametrize("role", BODIES)
def test_the_good_file_is_good(role: str) -> None:
    content = wire(BODIES[role]())
    assert tuf.parse_role(role, content).body.version == 1
    assert tuf.is_wire_exact(content, role)


BAD = [
    ("root", "_type", "root", "root type metadata invalid: expected type Root, not root"),
    ("root", "version", 0, "root type metadata invalid: version cannot be less than 1"),
    ("root", "version", "1", "signed.version is not an integer"),
    ("root", "version", True, "signed.version is not an integer"),
    ("root", "expires", "tomorrow", "signed.expires is not an RFC 3339 time: 'tomorrow'"),
    (
        "root",
        "roles/snapshot",
        GONE,
        "root type metadata invalid: missing snapshot role specification",
    ),
    ("root", "roles/targets", None, "signed.roles.targets is not an object"),
    (
        "root",
        "roles/targets/threshold",
        0,
        "root type metadata invalid: invalid threshold specified for targets: 0 ",
    ),
    (
        "root",
        "roles/targets/keyids",
        ["x"],
        "root type metadata invalid: key ID x specified in targets without corresponding key",
    ),
    ("root", "roles/targets/keyids", [1], "signed.roles.targets.keyids is not a list of strings"),
    ("root", "keys/x", {"keytype": "ecdsa"}, "signed.keys.x.keyval is missing"),
    (
        "root",
        f"keys/{KEY_ID}/keyval/public",
        "AAA",
        f"signed.keys.{KEY_ID}.keyval.public is not base64",
    ),
    ("root", "Version", 2, "signed.Version differs from a known member by case"),
    ("root", "ver\u017fion", 2, "signed.ver\u017fion differs from a known member by case"),
    ("targets", "_type", "Root", "targets type metadata invalid: expected type Targets, not Root"),
    ("targets", "version", -1, "targets type metadata invalid: version cannot be less than one"),
    ("targets", "targets/latest", None, "signed.targets.latest is not an object"),
    ("targets", "targets/latest/length", GONE, "signed.targets.latest.length is missing"),
    ("targets", "targets/latest/length", True, "signed.targets.latest.length is not an integer"),
    ("targets", "targets/latest/hashes", None, "signed.targets.latest.hashes is not an object"),
    ("targets", "targets/latest/hashes/sha256", None, "signed.targets.latest is not base64"),
    ("targets", "targets/latest/hashes/sha256", "AB==", "signed.targets.latest is not base64"),
    (
        "targets",
        "targets/latest/Length",
        1,
        "signed.targets.latest.Length differs from a known member by case",
    ),
    (
        "targets",
        "delegations/roles/0/name",
        "targets/a/b",
        "targets type metadata invalid: delegation role targets/a/b invalid",
    ),
    (
        "targets",
        "delegations/roles/0/name",
        "targets/A",
        "targets type metadata invalid: delegation role targets/A invalid",
    ),
    (
        "targets",
        "delegations/roles/0/threshold",
        0,
        "targets type metadata invalid: invalid threshold specified for targets/a: 0 ",
    ),
    (
        "targets",
        "delegations/keys",
        {},
        "targets type metadata invalid: "
        f"key ID {KEY_ID} specified in targets/a without corresponding key",
    ),
    ("snapshot", "version", 0, "snapshot type metadata invalid: version cannot be less than one"),
    (
        "snapshot",
        "meta/root",
        GONE,
        "snapshot type metadata invalid: missing root sha256 checksum information",
    ),
    (
        "snapshot",
        "meta",
        None,
        "snapshot type metadata invalid: missing root sha256 checksum information",
    ),
    (
        "snapshot",
        "meta/targets/hashes/sha256",
        "AAAA",
        "snapshot type metadata invalid: invalid targets checksum information, "
        "sha256 checksum invalid",
    ),
    (
        "snapshot",
        "meta/targets/hashes/sha512",
        "AAAA",
        "snapshot type metadata invalid: invalid targets checksum information, "
        "sha512 checksum invalid",
    ),
    (
        "snapshot",
        "meta/targets/length",
        -1,
        "snapshot type metadata invalid: negative length of targets",
    ),
    (
        "timestamp",
        "meta/snapshot/hashes",
        {"sha512": GOOD_HASHES["sha512"]},
        "timestamp type metadata invalid: missing snapshot sha256 checksum information",
    ),
]


@pytest.mark.parametrize(("role", "path", "value", "text"), BAD)
def test_wrong_structure_is_refused(role: str, path: str, value: object, text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        tuf.parse_role(role, changed(role, path, value))
    assert str(caught.value) == text
    expected = Code.BAD_ROLE if "delegation role" in text else Code.MALFORMED
    assert caught.value.code == expected


ACCEPTED = [
    # what docker accepts although Go would write it otherwise; the last column: Go would write it so
    ("root", "surprise", {"a": [1]}, False),
    ("root", "roles/extra", dict(ROLE), True),
    ("root", "roles/targets/keyids", None, True),
    ("root", "roles/targets/keyids", [], True),
    ("root", "roles/targets/threshold", 7, True),
    ("root", "consistent_snapshot", True, True),
    ("root", "consistent_snapshot", GONE, False),
    ("root", f"keys/{KEY_ID}/keyval/private", "AAAA", False),
    ("root", "expires", "2030-01-02T03:04:05.100Z", False),
    ("root", "expires", "2030-01-02T03:04:05+00:00", False),
    ("root", "expires", "2030-01-02T03:04:05-05:00", True),
    ("root", "expires", "2030-01-02T03:04:05Z", True),
    ("targets", "delegations/roles", None, True),
    ("targets", "delegations/roles", [], True),
    ("targets", "delegations", None, False),
    ("targets", "delegations", GONE, False),
    ("targets", "delegations/keys", {KEY_ID: KEY, "other": KEY | {"keytype": "new"}}, True),
    ("targets", "delegations/roles/0/keyids", None, True),
    ("targets", "delegations/roles/0/paths", GONE, True),
    ("targets", "delegations/roles/0/paths", [], False),
    ("targets", "delegations/roles/0/paths", None, False),
    ("targets", "targets", {}, True),
    ("targets", "targets", GONE, False),
    ("targets", "targets/latest/length", -5, True),
    ("targets", "targets/latest/hashes", {"md5": "AAAA"}, True),
    ("targets", "targets/latest/custom", {"b": [1, None], "a": "\u00e9"}, True),
    ("targets", "targets/latest/custom", None, False),
    ("targets", "targets/latest/custom", "a<b", False),
    ("targets", "targets/latest/more", 1, False),
    ("targets", "targets/\u00fcml\u00e4ut", META, True),
    ("snapshot", "meta/targets/hashes/sha512", GONE, True),
    ("snapshot", "meta/targets\\a", META, True),
]


@pytest.mark.parametrize(("role", "path", "value", "exact"), ACCEPTED)
def test_what_docker_accepts(role: str, path: str, value: object, *, exact: bool) -> None:
    content = changed(role, path, value)
    file = tuf.parse_role(role, content)
    assert tuf.is_wire_exact(content, role) is exact
    assert file.signed == strict_json.canonical(json.loads(content)["signed"])
    if exact:
        assert tuf.encode(file.body) == file.signed


LAYOUTS: dict[str, Callable[[bytes], bytes]] = {
    "newline": lambda c: c + b"\n",
    "pretty": lambda c: json.dumps(json.loads(c), indent=2).encode(),
    "reordered": lambda c: json.dumps(
        dict(reversed(json.loads(c).items())), separators=(",", ":")
    ).encode(),
    "escaped": lambda c: c.replace(b'"latest"', b'"\\u006catest"'),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_does_not_change_what_is_signed_but_is_not_gos(name: str) -> None:
    content = wire(targets())
    other = LAYOUTS[name](content)
    assert other != content
    assert tuf.parse_targets(other).signed == tuf.parse_targets(content).signed
    assert not tuf.is_wire_exact(other, "targets")


def test_html_is_escaped_on_the_wire_and_not_under_the_signature() -> None:
    body = targets()
    body["targets"] = {"<a>&\u2028\u2029": META}
    signed = strict_json.canonical(body)
    content = tuf.envelope(signed, ())
    assert b"\\u003ca\\u003e\\u0026\\u2028\\u2029" in content
    file = tuf.parse_targets(content)
    assert file.signed == signed
    assert tuf.is_wire_exact(content, "targets")
    assert not tuf.is_wire_exact(b'{"signed":' + signed + b',"signatures":[]}', "targets")


@pytest.mark.parametrize("name", ['"', "\\", "a\\b", "\x7f", "\U0001f600"])
def test_names_are_signed_as_they_are(name: str) -> None:
    body = targets()
    body["targets"] = {name: META}
    file = tuf.parse_targets(wire(body))
    assert file.signed == strict_json.canonical(body)
    assert list(file.body.targets) == [name]


def test_a_control_character_is_signed_raw_but_cannot_be_written() -> None:
    body = targets()
    body["targets"] = {"a\tb": META}
    file = tuf.parse_targets(json.dumps({"signed": body, "signatures": []}).encode())
    assert b"a\tb" in file.signed
    assert not file.is_canonical_wire()
    with pytest.raises(InputError) as caught:
        tuf.envelope(file.signed, ())
    assert caught.value.code == Code.BAD_INPUT


def test_custom_data_that_go_could_not_sign_again_is_not_written() -> None:
    meta = FileMeta(length=1, hashes={}, custom={"a": "&"})
    body = tuf.parse_targets(wire(targets())).body.replace(targets={"x": meta})
    with pytest.raises(InputError, match="custom data"):
        tuf.encode(body)


SIGNATURE = {"keyid": KEY_ID, "method": "ecdsa", "sig": "AAAA"}
BAD_SIGNATURES = [
    ({"keyid": KEY_ID, "method": "ecdsa"}, "signatures[0].sig is missing", Code.MALFORMED),
    (SIGNATURE | {"sig": "AAA"}, "signatures[0].sig is not base64", Code.MALFORMED),
    (SIGNATURE | {"sig": "AA\nAA"}, "signatures[0].sig is not base64", Code.MALFORMED),
    (SIGNATURE | {"sig": None}, "signatures[0].sig is not base64", Code.MALFORMED),
    (SIGNATURE | {"keyid": 1}, "signatures[0].keyid is not a string", Code.MALFORMED),
    (
        SIGNATURE | {"Sig": "AAAA"},
        "signatures[0].Sig differs from a known member by case",
        Code.MALFORMED,
    ),
    ("x", "signatures[0] is not an object", Code.MALFORMED),
]


@pytest.mark.parametrize(("signature", "text", "code"), BAD_SIGNATURES)
def test_a_malformed_signature_spoils_the_file(signature: Any, text: str, code: Code) -> None:
    content = json.dumps({"signed": root(), "signatures": [signature]}).encode()
    with pytest.raises(MalformedError) as caught:
        tuf.parse_root(content)
    assert (str(caught.value), caught.value.code) == (text, code)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", Code.MALFORMED),
        (b"[]", Code.MALFORMED),
        (b'{"signatures":[]}', Code.MALFORMED),
        (b'{"signed":[],"signatures":[]}', Code.MALFORMED),
        (b'{"signed":{},"signatures":[]}', Code.MALFORMED),
        (b'{"signed":{},"Signed":{},"signatures":[]}', Code.MALFORMED),
        (
            wire(root(), [SIGNATURE] * (limits.SIGNATURES_PER_FILE + 1)),
            Code.TOO_LARGE,
        ),
        (changed("root", "version", 2**53), Code.MALFORMED),
    ],
)
def test_no_file_at_all(content: bytes, code: Code) -> None:
    with pytest.raises(MalformedError) as caught:
        tuf.parse_root(content)
    assert caught.value.code == code


def test_no_signatures_is_a_file_all_the_same() -> None:
    for content in (
        json.dumps({"signed": root()}).encode(),
        json.dumps({"signed": root(), "signatures": None}).encode(),
    ):
        assert tuf.parse_root(content).signatures == ()


@pytest.mark.parametrize(("role", "limit"), [("root", 100), ("timestamp", 100)])
def test_size_limits(role: str, limit: int) -> None:
    parse: Any = {"root": tuf.parse_root, "timestamp": tuf.parse_timestamp}[role]
    with pytest.raises(MalformedError) as caught:
        parse(wire(BODIES[role]()), max_bytes=limit)
    assert caught.value.code == Code.TOO_LARGE


def test_too_many_delegations() -> None:
    roles = [ROLE | {"name": f"targets/n{i}"} for i in range(limits.DELEGATIONS + 1)]
    with pytest.raises(MalformedError) as caught:
        tuf.parse_targets(changed("targets", "delegations/roles", roles))
    assert caught.value.code == Code.TOO_LARGE


def test_a_role_that_cannot_be() -> None:
    with pytest.raises(MalformedError) as caught:
        tuf.parse_role("targets/../x", wire(targets()))
    assert caught.value.code == Code.BAD_ROLE
    assert not tuf.is_wire_exact(b"{}", "targets/../x")


def test_delegations_delegate_to_their_own_children() -> None:
    child = targets()
    child["delegations"]["roles"][0]["name"] = "targets/a/b"
    file = tuf.parse_targets(wire(child), "targets/a")
    assert [role.name for role in file.body.delegations] == ["targets/a/b"]
    with pytest.raises(MalformedError, match="targets/z type metadata invalid") as caught:
        tuf.parse_targets(wire(child), "targets/z")
    assert caught.value.code == Code.BAD_ROLE


# Parts -------------------------------------------------------------------------------------------------


def test_methods_are_lower_case() -> None:
    upper = Signature.parse(Reader({**SIGNATURE, "method": "EcDSA"}))
    assert upper.method == "ecdsa"
    assert not tuf.is_wire_exact(wire(root(), [SIGNATURE | {"method": "ECDSA"}]), "root")
    assert tuf.is_wire_exact(wire(root(), [SIGNATURE]), "root")


def test_a_loose_key_has_the_order_of_gos_struct() -> None:
    key = Key(type="ecdsa", public="AAAA")
    loose = b'{"keytype":"ecdsa","keyval":{"public":"AAAA","private":null}}'
    assert key.encode_loose() == loose
    assert Key.parse_loose(loose) == key
    assert key.raw == b"\0\0\0"
    with pytest.raises(MalformedError) as caught:
        Key.parse_loose(b" " * (limits.KEY_RESPONSE_BYTES + 1))
    assert caught.value.code == Code.TOO_LARGE


def test_a_root_knows_its_roles_keys() -> None:
    body = tuf.parse_root(wire(root())).body
    assert body.keys_of("targets") == (Key(type="ecdsa", public="AAAA"),)
    gone = body.replace(keys={})
    assert gone.keys_of("targets") == ()


FOO = FileMeta.of(b"foo")
CHECKS = [
    (FOO, b"bar", f"sha256 checksum for x did not match: expected {FOO.hashes['sha256'].hex()}"),
    (
        FOO.replace(hashes={"sha512": FOO.hashes["sha512"]}),
        b"bar",
        f"sha512 checksum for x did not match: expected {FOO.hashes['sha512'].hex()}",
    ),
    (
        FOO.replace(hashes=dict(FOO.hashes) | {"sha512": b"no"}),
        b"foo",
        "sha512 checksum for x did not match: expected 6e6f",
    ),
    (FOO.replace(length=4), b"foo", "length of x did not match: expected 4, got 3"),
    (
        FOO.replace(hashes={"md5": b"x"}),
        b"foo",
        "no checksums for supported algorithms were provided for x",
    ),
    (
        FOO.replace(hashes={}),
        b"foo",
        "no checksums for supported algorithms were provided for x",
    ),
]


@pytest.mark.parametrize(("meta", "content", "text"), CHECKS)
def test_bytes_that_are_not_the_described_ones(meta: FileMeta, content: bytes, text: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        meta.check(content, "x")
    assert (str(caught.value), caught.value.code) == (text, Code.CHECKSUM)


@pytest.mark.parametrize(
    "meta",
    [
        FOO,
        FOO.replace(hashes={"sha256": FOO.hashes["sha256"]}),
        FOO.replace(hashes=dict(FOO.hashes) | {"md5": b"?"}),
    ],
)
def test_bytes_that_are(meta: FileMeta) -> None:
    meta.check(b"foo", "x")


# Times -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-01-02T03:04:05Z", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2030-01-02T03:04:05.1Z", datetime(2030, 1, 2, 3, 4, 5, 100_000, tzinfo=UTC)),
        ("2030-01-02T03:04:05.123456789Z", datetime(2030, 1, 2, 3, 4, 5, 123_456, tzinfo=UTC)),
        ("2030-01-02T03:04:05+05:30", datetime(2030, 1, 1, 21, 34, 5, tzinfo=UTC)),
        ("2030-01-02T03:04:05.5-07:00", datetime(2030, 1, 2, 10, 4, 5, 500_000, tzinfo=UTC)),
        ("2028-02-29T00:00:00Z", datetime(2028, 2, 29, tzinfo=UTC)),
    ],
)
def test_times(text: str, moment: datetime) -> None:
    assert tuf.parse_time(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2030-01-02",
        "2030-01-02T03:04:05",
        "2030-01-02 03:04:05Z",
        "2030-01-02t03:04:05z",
        "2030-01-02T03:04:05.Z",
        "2030-01-02T03:04:05,5Z",
        "2030-1-2T03:04:05Z",
        "2030-13-02T03:04:05Z",
        "2030-02-30T03:04:05Z",
        "2030-01-02T24:00:00Z",
        "2030-01-02T03:04:60Z",
        "2030-01-02T03:04:05+0100",
        "2030-01-02T03:04:05+01:60",
        "2030-01-02T03:04:05+25:00",
        "2030-01-02T03:04:05ZZ",
        "2030-01-02T03:04:05Z\n",
        "\u0662030-01-02T03:04:05Z",
        "2030-01-02T03:04:05.\u0662Z",
        "0000-01-02T03:04:05Z",
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59-23:00",
        "-030-01-02T03:04:05Z",
    ],
)
def test_no_times(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        tuf.parse_time(text)
    assert caught.value.code == Code.MALFORMED


def test_our_own_times() -> None:
    start = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert tuf.format_time(start) == "2030-01-02T03:04:05Z"
    assert tuf.format_time(start + timedelta(microseconds=120)) == "2030-01-02T03:04:05.00012Z"
    for _ in range(50):
        moment = start + timedelta(microseconds=random.Random(_).randrange(10**12))
        text = tuf.format_time(moment)
        assert tuf.parse_time(text) == moment
        assert tuf.is_wire_exact(changed("timestamp", "expires", text), "timestamp")


def test_a_body_keeps_the_letters_of_its_time() -> None:
    body = tuf.parse_timestamp(changed("timestamp", "expires", EXPIRES)).body
    assert body.expires == EXPIRES
    assert body.expires_at == datetime(2030, 1, 2, 3, 4, 5, 123_456, tzinfo=UTC)
    with pytest.raises(MalformedError) as caught:
        body.replace(expires="soon")
    assert caught.value.code == Code.MALFORMED


def test_new_roles_are_written_without_traces_of_nil() -> None:
    role = Role(name="targets/a", key_ids=(), threshold=1)
    body = tuf.parse_targets(wire(targets())).body.replace(delegations=(role,))
    assert b'{"keyids":[],"name":"targets/a","threshold":1}' in tuf.encode(body)
    assert b'"roles":[]' in tuf.encode(body.replace(delegations=()))


def test_a_root_without_keys() -> None:
    with pytest.raises(MalformedError, match="without corresponding key") as caught:
        tuf.parse_root(changed("root", "keys", GONE))
    assert caught.value.code == Code.MALFORMED


def test_canonical_json_without_cpythons_encoder() -> None:
    body = strict_json.parse((COMPAT["0.3"] / "targets.json").read_bytes())
    assert tuf_wire.canonical(body, None) == tuf_wire.canonical(body)


def test_what_is_no_body_or_no_json() -> None:
    with pytest.raises(TypeError):
        tuf.encode(tuf.Body(version=1, expires=EXPIRES))
    with pytest.raises(TypeError):
        tuf_wire.canonical(object())  # type: ignore[arg-type]
