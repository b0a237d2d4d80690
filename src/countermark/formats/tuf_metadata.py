"""The Update Framework's metadata as python-tuf and go-tuf have it, for a repository of our own.

Version 1.0 of the specification: ECDSA keys under the identifiers that securesystemslib computes, signatures over
canonical JSON, in ASN.1 and hex. Notary's dialect is another one: ``formats/tuf.py``.
"""

from countermark.core import limits
from countermark.core.errors import MalformedError
from countermark.core.light import Mapping, Sequence, datetime, sha256
from countermark.core.value import Value
from countermark.formats import go_text, strict_json
from countermark.formats.strict_json import Json, Reader

ROOT, TARGETS, SNAPSHOT, TIMESTAMP = ROLES = ("root", "targets", "snapshot", "timestamp")
SPEC_VERSION = "1.0.31"
_TIME = "%Y-%m-%dT%H:%M:%SZ"  # python-tuf takes no decimals

Members = dict[str, Json]


class PublicKey(Value):
    """A role's public key: ECDSA on P-256, in PEM."""

    pem: str

    @property
    def id(self) -> str:
        """Its identifier: the sha256 of its canonical form."""
        return sha256(strict_json.canonical(self.members())).hexdigest()

    def members(self) -> Members:
        """The key as an object."""
        return {
            "keytype": "ecdsa",
            "scheme": "ecdsa-sha2-nistp256",
            "keyval": {"public": self.pem},
        }


class TargetFile(Value):
    """A file that the repository hands out: its bytes, and what is said of it besides."""

    content: bytes
    custom: Mapping[str, Json] = {}  # noqa: RUF012 - frozen, and never written to

    @property
    def sha256(self) -> str:
        """In hex: what it is called by."""
        return sha256(self.content).hexdigest()

    def members(self) -> Members:
        """What targets.json says of it."""
        found: Members = {"length": len(self.content), "hashes": {"sha256": self.sha256}}
        return found | ({"custom": dict(self.custom)} if self.custom else {})


class Metadata(Value):
    """A file of metadata, read and not believed.

    Attributes:
        role: of which role it says it is.
        signed: what the signatures are over, in canonical form. body: the same, to be read.
        signatures: by key identifier, in ASN.1.
    """

    role: str
    version: int
    expires: datetime
    signed: bytes
    body: Reader
    signatures: Mapping[str, bytes]


# Writing ----------------------------------------------------------------------------------------------------


def _begun(role: str, version: int, expires: datetime) -> Members:
    return {
        "_type": role,
        "spec_version": SPEC_VERSION,
        "version": version,
        "expires": expires.strftime(_TIME),
    }


def root(version: int, expires: datetime, keys: Mapping[str, Sequence[PublicKey]]) -> Members:
    """What a root says: the keys of each role, one of which is enough."""
    known: Members = {key.id: key.members() for role in ROLES for key in keys[role]}
    roles: Members = {
        role: {"keyids": [key.id for key in keys[role]], "threshold": 1} for role in ROLES
    }
    more: Members = {"consistent_snapshot": True, "keys": known, "roles": roles}
    return _begun(ROOT, version, expires) | more


def targets(version: int, expires: datetime, files: Mapping[str, Json]) -> Members:
    """What targets.json says of files, by their names (``TargetFile.members``)."""
    return _begun(TARGETS, version, expires) | {"targets": dict(files)}


def naming(role: str, version: int, expires: datetime, named: str, content: bytes) -> Members:
    """What a snapshot says of targets.json, or a timestamp of snapshot.json: ``content`` is that file."""
    found = parse(content, named)
    meta: Json = {
        "version": found.version,
        "length": len(content),
        "hashes": {"sha256": sha256(content).hexdigest()},
    }
    return _begun(role, version, expires) | {"meta": {f"{named}.json": meta}}


def encode(signed: Members, signatures: Mapping[str, bytes]) -> bytes:
    """Write a file of metadata and the signatures over it, which are over ``strict_json.canonical(signed)``."""
    listed = [{"keyid": key, "sig": value.hex()} for key, value in signatures.items()]
    return strict_json.pretty({"signatures": listed, "signed": signed}).encode() + b"\n"


# Reading ----------------------------------------------------------------------------------------------------


def parse(content: bytes, role: str) -> Metadata:
    """Read a role's file, as we write them and others too.

    Raises:
        MalformedError: it is none.
    """
    document = Reader(strict_json.parse(content, max_bytes=limits.TUF_FILE_BYTES))
    signed = document.object("signed")
    if signed.text("_type") != role:
        raise MalformedError(f"not TUF metadata of role {role}", path="signed._type")
    signatures: dict[str, bytes] = {}
    for each in document.objects("signatures"):
        try:
            signatures[each.text("keyid")] = bytes.fromhex(each.text("sig"))
        except ValueError:
            raise MalformedError("a TUF signature that is not hex", path="signatures") from None
    return Metadata(
        role=role,
        version=signed.integer("version"),
        expires=go_text.parse_time(signed.text("expires"), "signed.expires"),
        signed=strict_json.canonical(document.value("signed")),
        body=signed,
        signatures=signatures,
    )


def target_names(metadata: Metadata) -> Sequence[str]:
    """The names of the files that targets.json tells of."""
    return metadata.body.object("targets").names()


def target_members(metadata: Metadata) -> Mapping[str, Json]:
    """What targets.json says of files, by name, as it stands there."""
    found = metadata.body.object("targets")
    return {name: found.value(name) for name in found.names()}


def target_sha256(metadata: Metadata, name: str) -> str:
    """The hash of a file, in hex; "" where there is none of this name.

    Raises:
        MalformedError: the file has no such hash.
    """
    listed = metadata.body.object("targets")
    return listed.object(name).object("hashes").text("sha256") if listed.has(name) else ""


def named_version(metadata: Metadata, named: str) -> int:
    """The version of the file that a snapshot or a timestamp names.

    Raises:
        MalformedError: it names none.
    """
    return metadata.body.object("meta").object(f"{named}.json").integer("version")


def role_key_ids(metadata: Metadata, role: str) -> Sequence[str]:
    """The identifiers of the keys that a root gives to a role.

    Raises:
        MalformedError: it gives it none.
    """
    return metadata.body.object("roles").object(role).texts("keyids")
