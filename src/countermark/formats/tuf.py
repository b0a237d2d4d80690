"""TUF roles as Notary v1 writes them.

A file is ``{"signed": body, "signatures": [...]}``. Signatures are over the canonical JSON of ``signed``, however the
file is laid out; but files name each other by the hash of their bytes, and Go programs compute those hashes by
writing again what they have read. So what we write is exactly what Go would write, and ``is_wire_exact`` says whether
somebody else's bytes are (specs: notary v1, 1.2 and 1.3).
"""

from countermark.core import limits
from countermark.core.errors import Code, EvidenceError, InputError, MalformedError
from countermark.core.light import Sequence
from countermark.core.value import Value
from countermark.formats import strict_json
from countermark.formats.go_text import format_time, is_go_time, parse_time
from countermark.formats.strict_json import Reader
from countermark.formats.tuf_names import (
    BASE_ROLES,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    is_base,
    is_delegation,
    is_wild_delegation,
    parent,
    valid_role,
)
from countermark.formats.tuf_values import (
    Body,
    FileMeta,
    Key,
    Role,
    Root,
    Signature,
    Snapshot,
    Targets,
    Timestamp,
    check_names,
)
from countermark.formats.tuf_wire import canonical, encode, envelope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "BASE_ROLES",
    "ROOT",
    "SNAPSHOT",
    "TARGETS",
    "TIMESTAMP",
    "Body",
    "FileMeta",
    "Key",
    "Role",
    "Root",
    "Signature",
    "Signed",
    "SignedRoot",
    "SignedSnapshot",
    "SignedTargets",
    "SignedTimestamp",
    "Snapshot",
    "Targets",
    "Timestamp",
    "encode",
    "envelope",
    "format_time",
    "is_base",
    "is_delegation",
    "is_wild_delegation",
    "is_wire_exact",
    "parent",
    "parse_role",
    "parse_root",
    "parse_snapshot",
    "parse_targets",
    "parse_time",
    "parse_timestamp",
    "valid_role",
]


class Signed(Value):
    """A file of some role as it was received, read but not yet believed.

    Attributes:
        role: the role that it was read as.
        content: the bytes received, which other files' hashes are over.
        signed: the canonical bytes of the body, which its signatures are over.
        signatures: in the order written.
        body: what it says.
    """

    role: str
    content: bytes
    signed: bytes
    signatures: tuple[Signature, ...]
    body: Body

    def is_canonical_wire(self) -> bool:
        """Say whether Go would write these very bytes, as ``is_wire_exact`` does."""
        return _writes_again(self)


class SignedRoot(Signed):
    """A root file."""

    body: Root


class SignedTargets(Signed):
    """A file of ``targets`` or of a delegation."""

    body: Targets


class SignedSnapshot(Signed):
    """A snapshot file."""

    body: Snapshot


class SignedTimestamp(Signed):
    """A timestamp file."""

    body: Timestamp


def parse_root(content: bytes, max_bytes: int = limits.METADATA_BYTES) -> SignedRoot:
    """Read a root.

    Raises:
        MalformedError: not a root; with notary's words where it is one that notary would refuse.
    """
    file, signed, signatures = _open(content, max_bytes)
    version, expires = _head(file, ROOT, "Root")
    names = ("_type", "consistent_snapshot", "expires", "keys", "roles", "version")
    check_names(file, names)
    roles = file.object("roles")
    body = Root(
        version=version,
        expires=expires,
        keys=_keys(file),
        roles={name: Role.parse(roles.object(name), name) for name in roles.names()},
        consistent_snapshot=(
            file.boolean("consistent_snapshot") if file.has("consistent_snapshot") else False
        ),
    )
    for name in BASE_ROLES:
        if name not in body.roles:
            raise _invalid(ROOT, f"missing {name} role specification", "signed.roles")
        _check_role(ROOT, body.roles[name], body.keys)
    return SignedRoot(role=ROOT, content=content, signed=signed, signatures=signatures, body=body)


def parse_targets(
    content: bytes, role: str = TARGETS, max_bytes: int = limits.METADATA_BYTES
) -> SignedTargets:
    """Read a file of ``targets`` or of a delegation.

    Raises:
        MalformedError: not such a file; with notary's words where it is one that notary would refuse.
    """
    file, signed, signatures = _open(content, max_bytes)
    version, expires = _head(file, role, "Targets")
    check_names(file, ("_type", "delegations", "expires", "targets", "version"))
    keys, delegations, nil = _delegations(file)
    body = Targets(
        version=version,
        expires=expires,
        targets=_entries(file, "targets") if file.has("targets") else {},
        delegation_keys=keys,
        delegations=delegations,
        nil_delegations=nil,
    )
    for child in body.delegations:
        if not is_delegation(child.name) or parent(child.name) != role:
            raise _invalid(
                role, f"delegation role {child.name} invalid", "signed.delegations", Code.BAD_ROLE
            )
        _check_role(role, child, keys)
    return SignedTargets(
        role=role, content=content, signed=signed, signatures=signatures, body=body
    )


def parse_snapshot(content: bytes, max_bytes: int = limits.METADATA_BYTES) -> SignedSnapshot:
    """Read a snapshot.

    Raises:
        MalformedError: not one; with notary's words where it is one that notary would refuse.
    """
    file, signed, signatures = _open(content, max_bytes)
    version, expires = _head(file, SNAPSHOT, "Snapshot")
    body = Snapshot(version=version, expires=expires, meta=_meta(file, SNAPSHOT, (ROOT, TARGETS)))
    return SignedSnapshot(
        role=SNAPSHOT, content=content, signed=signed, signatures=signatures, body=body
    )


def parse_timestamp(content: bytes, max_bytes: int = limits.TIMESTAMP_BYTES) -> SignedTimestamp:
    """Read a timestamp.

    Raises:
        MalformedError: not one; with notary's words where it is one that notary would refuse.
    """
    file, signed, signatures = _open(content, max_bytes)
    version, expires = _head(file, TIMESTAMP, "Timestamp")
    body = Timestamp(version=version, expires=expires, meta=_meta(file, TIMESTAMP, (SNAPSHOT,)))
    return SignedTimestamp(
        role=TIMESTAMP, content=content, signed=signed, signatures=signatures, body=body
    )


def parse_role(role: str, content: bytes) -> Signed:
    """Read a file of any role.

    Raises:
        MalformedError: not a file of this role, or no such role can be.
    """
    simple: Mapping[str, Callable[[bytes], Signed]] = {
        ROOT: parse_root,
        SNAPSHOT: parse_snapshot,
        TIMESTAMP: parse_timestamp,
    }
    if role in simple:
        return simple[role](content)
    if not valid_role(role):
        raise MalformedError(f"{role[:80]} is an invalid role", code=Code.BAD_ROLE)
    return parse_targets(content, role)


def _open(content: bytes, max_bytes: int) -> tuple[Reader, bytes, tuple[Signature, ...]]:
    """Read the envelope: the body, its canonical bytes, the signatures."""
    envelope_ = Reader(strict_json.parse(content, max_bytes=max_bytes))
    check_names(envelope_, ("signed", "signatures"))
    body = envelope_.object("signed")
    count = len(envelope_.items("signatures")) if envelope_.has("signatures") else 0
    if count > limits.SIGNATURES_PER_FILE:
        raise MalformedError(
            f"{count} signatures, at most {limits.SIGNATURES_PER_FILE} are allowed",
            code=Code.TOO_LARGE,
            path="signatures",
        )
    found = envelope_.objects("signatures") if count else []
    signatures = tuple(Signature.parse(reader) for reader in found)
    return body, canonical(envelope_.value("signed")), signatures


def _head(file: Reader, role: str, kind: str) -> tuple[int, str]:
    """Read what every body begins with: the type, the version, the end."""
    found = file.text("_type")
    if found != kind:
        raise _invalid(role, f"expected type {kind}, not {found[:80]}", "signed._type")
    version = file.integer("version")
    if version < 1:
        least = "1" if role == ROOT else "one"
        raise _invalid(role, f"version cannot be less than {least}", "signed.version")
    expires = file.text("expires")
    parse_time(expires, "signed.expires")
    return version, expires


def _keys(reader: Reader) -> dict[str, Key]:
    if not reader.has("keys"):
        return {}
    keys = reader.object("keys")
    return {name: Key.parse(keys.object(name)) for name in keys.names()}


def _delegations(file: Reader) -> tuple[dict[str, Key], tuple[Role, ...], bool]:
    if not file.has("delegations"):
        return {}, (), True
    inner = file.object("delegations")
    check_names(inner, ("keys", "roles"))
    roles = inner.objects("roles") if inner.has("roles") else []
    if len(roles) > limits.DELEGATIONS:
        raise MalformedError(
            f"{len(roles)} delegations, at most {limits.DELEGATIONS} are allowed",
            code=Code.TOO_LARGE,
            path=f"{inner.path}.roles",
        )
    return _keys(inner), tuple(Role.parse(role) for role in roles), not inner.has("roles")


def _entries(file: Reader, name: str) -> dict[str, FileMeta]:
    reader = file.object(name)
    path = reader.path
    return {
        entry: FileMeta.parse(reader.value(entry), f"{path}.{entry}") for entry in reader.names()
    }


def _meta(file: Reader, role: str, needed: Sequence[str]) -> dict[str, FileMeta]:
    check_names(file, ("_type", "expires", "meta", "version"))
    meta = _entries(file, "meta") if file.has("meta") else {}
    for name in needed:
        if name not in meta or "sha256" not in meta[name].hashes:
            raise _invalid(role, f"missing {name} sha256 checksum information", "signed.meta")
        if problem := meta[name].structure_error():
            raise _invalid(role, f"invalid {name} checksum information, {problem}", "signed.meta")
    for name, entry in meta.items():
        if entry.length < 0:  # notary would take it as a size to read up to
            raise _invalid(role, f"negative length of {name[:80]}", "signed.meta")
    return meta


def _check_role(file: str, role: Role, keys: "Mapping[str, Key]") -> None:
    """Refuse a role without a threshold, or one that names keys that are not there."""
    if role.threshold < 1:
        # notary's text ends with a space
        raise _invalid(file, f"invalid threshold specified for {role.name}: {role.threshold} ")
    for key_id in role.key_ids:
        if key_id not in keys:
            raise _invalid(
                file, f"key ID {key_id[:80]} specified in {role.name} without corresponding key"
            )


def _invalid(
    role: str, problem: str, path: str = "", code: Code = Code.MALFORMED
) -> MalformedError:
    return MalformedError(f"{role} type metadata invalid: {problem}", path=path, code=code)


def is_wire_exact(content: bytes, role: str) -> bool:
    """Say whether the bytes are exactly what Go would write for the file that it reads from them.

    Others are answered 200 by notary's server and break the repository: its hashes are then those of other bytes
    (specs: dct-observed, section 0 item 1). Not so: unknown or null members, another order, white space or a newline,
    raw ``<``, times with trailing zeros, methods in upper case.
    """
    try:
        return _writes_again(parse_role(role, content))
    except EvidenceError:
        return False


def _writes_again(file: Signed) -> bool:
    if not is_go_time(file.body.expires):
        return False
    try:
        return (
            encode(file.body) == file.signed
            and envelope(file.signed, file.signatures) == file.content
        )
    except InputError:
        return False
