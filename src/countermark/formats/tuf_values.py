"""The parts of Notary v1's files: keys, signatures, roles, file entries, bodies.

Each is read by ``parse`` and given back by ``as_json`` with exactly the members that Go writes, including the traces
of its nil slices (``"roles":null``, ``"keyids":null``) and what ``omitempty`` leaves out; so what is read and written
again stays byte for byte the same. Sources: notary v0.7.0 ``tuf/data/*.go`` (specs: notary v1, 1.2 to 1.7).
"""

from binascii import a2b_base64

from countermark.core import limits
from countermark.core.errors import Code, EvidenceError, InputError, MalformedError
from countermark.core.light import Iterable, Mapping, datetime, sha256, sha512
from countermark.core.value import Value
from countermark.formats import strict_json
from countermark.formats.go_text import from_base64, parse_time, to_base64
from countermark.formats.strict_json import Json, Reader

_HASHES = {"sha256": (sha256, 32), "sha512": (sha512, 64)}
_GO_ESCAPES = frozenset("<>&\u2028\u2029")


class _Memo:
    """Room for a key's identifier once it is known."""

    __slots__ = ("_id",)
    _id: str


class Key(_Memo, Value):
    """A public key: its type and the base64 of its bytes (SPKI, certificates as PEM, or 32 raw bytes)."""

    type: str
    public: str

    @property
    def id(self) -> str:
        """The TUF key ID: sha256 of the canonical JSON, in hex."""
        try:
            found: str = self._id
        except AttributeError:
            found = sha256(strict_json.canonical(self.as_json())).hexdigest()
            object.__setattr__(self, "_id", found)
        return found

    @property
    def raw(self) -> bytes:
        """The public bytes."""
        return a2b_base64(self.public)

    @classmethod
    def of(cls, kind: str, raw: bytes) -> "Key":
        """Make a key of a type and its public bytes."""
        return cls(type=kind, public=to_base64(raw))

    @classmethod
    def parse(cls, reader: Reader) -> "Key":
        """Read ``{"keytype", "keyval": {"public"}}``; types that we do not know are kept and verify nothing.

        Raises:
            MalformedError: not such an object.
        """
        check_names(reader, ("keytype", "keyval"))
        inner = reader.object("keyval")
        check_names(inner, ("public", "private"))
        public = inner.text("public")
        from_base64(public, f"{inner.path}.public")
        return cls(type=reader.text("keytype"), public=public)

    @classmethod
    def parse_loose(cls, content: bytes) -> "Key":
        """Read a key by itself, as key endpoints answer.

        Raises:
            MalformedError: not such JSON, or more than a key has.
        """
        return cls.parse(Reader(strict_json.parse(content, max_bytes=limits.KEY_RESPONSE_BYTES)))

    def as_json(self) -> Json:
        """Return it as files have it."""
        return {"keytype": self.type, "keyval": {"private": None, "public": self.public}}

    def encode_loose(self) -> bytes:
        """Write it by itself, in the order of Go's struct, as key endpoints and change files have it."""
        kind, public = strict_json.canonical(self.type), strict_json.canonical(self.public)
        return b'{"keytype":%b,"keyval":{"public":%b,"private":null}}' % (kind, public)


class Signature(Value):
    """A signature, the method in lower case, and the TUF ID of the key that is said to have made it."""

    key_id: str
    method: str
    value: bytes

    @classmethod
    def parse(cls, reader: Reader) -> "Signature":
        """Read ``{"keyid", "method", "sig"}``.

        Raises:
            MalformedError: not such an object.
        """
        check_names(reader, ("keyid", "method", "sig"))
        return cls(
            key_id=reader.text("keyid"),
            method=reader.text("method").lower(),
            value=from_base64(reader.value("sig"), f"{reader.path}.sig"),
        )

    def as_json(self) -> Json:
        """Return it as files have it."""
        return {"keyid": self.key_id, "method": self.method, "sig": to_base64(self.value)}


class Role(Value):
    """Who may sign a role: key IDs and how many of them must; for a delegation also for which names.

    ``paths`` are prefixes, "" stands for every name. ``nil_keys``: Go wrote an empty list of keys as null.
    """

    name: str
    key_ids: tuple[str, ...]
    threshold: int
    paths: tuple[str, ...] = ()
    nil_keys: bool = False

    @classmethod
    def parse(cls, reader: Reader, name: str = "") -> "Role":
        """Read a role of the root (whose name stands outside of it), or a delegation.

        Raises:
            MalformedError: not such an object.
        """
        check_names(reader, ("keyids", "name", "paths", "threshold"))
        return cls(
            name=name or reader.text("name"),
            key_ids=reader.texts("keyids") if reader.has("keyids") else (),
            threshold=reader.integer("threshold"),
            paths=reader.texts("paths") if reader.has("paths") and not name else (),
            nil_keys=not reader.has("keyids"),
        )

    def as_json(self, *, named: bool) -> Json:
        """Return it as files have it: a delegation with its name, a role of the root without."""
        key_ids = None if self.nil_keys and not self.key_ids else list(self.key_ids)
        found: dict[str, Json] = {"keyids": list(key_ids) if key_ids is not None else None}
        found["threshold"] = self.threshold
        if named:
            found["name"] = self.name
            if self.paths:
                found["paths"] = list(self.paths)
        return found


class FileMeta(Value):
    """What is signed about a file: its length in bytes and its hashes (algorithm to raw bytes)."""

    length: int
    hashes: Mapping[str, bytes]
    custom: Json = None

    @classmethod
    def of(cls, content: bytes) -> "FileMeta":
        """Describe some bytes, with both hashes that notary writes."""
        return cls(
            length=len(content),
            hashes={name: hash_(content).digest() for name, (hash_, _) in _HASHES.items()},
        )

    @classmethod
    def parse(cls, value: Json, path: str) -> "FileMeta":
        """Read ``{"custom"?, "hashes", "length"}``.

        Raises:
            MalformedError: not such an object.
        """
        # Without a Reader where all is well: a file may have thousands of these.
        if (
            isinstance(value, dict)
            and type(length := value.get("length")) is int
            and isinstance(hashes := value.get("hashes"), dict)
        ):
            if len(value) > 2:
                check_names(Reader(value, path), ("custom", "hashes", "length"))
            raw = {name: from_base64(text, path) for name, text in hashes.items()}
            return cls(length=length, hashes=raw, custom=value.get("custom"))
        reader = Reader(value, path)  # which says what is wrong
        return cls(
            length=reader.integer("length"),
            hashes=dict.fromkeys(reader.object("hashes").names(), b""),
        )

    def as_json(self) -> Json:
        """Return it as files have it.

        Raises:
            InputError: ``custom`` holds what a Go client could not sign again (specs: notary v1, 1.3).
        """
        found: dict[str, Json] = {
            "hashes": {name: to_base64(raw) for name, raw in self.hashes.items()},
            "length": self.length,
        }
        if self.custom is not None:
            if not _GO_ESCAPES.isdisjoint(strict_json.canonical(self.custom).decode()):
                raise InputError("custom data of a target must not contain < > & U+2028 U+2029")
            found["custom"] = self.custom
        return found

    def check(self, content: bytes, name: str) -> None:
        """Refuse bytes that are not the described ones.

        Raises:
            EvidenceError: ``checksum``: another hash or length, or no hash that we know.
        """
        known = [algorithm for algorithm in _HASHES if algorithm in self.hashes]
        if not known:
            raise EvidenceError(
                f"no checksums for supported algorithms were provided for {name}",
                code=Code.CHECKSUM,
            )
        for algorithm in known:
            expected = self.hashes[algorithm]
            if _HASHES[algorithm][0](content).digest() != expected:
                raise EvidenceError(
                    f"{algorithm} checksum for {name} did not match: expected {expected.hex()}",
                    code=Code.CHECKSUM,
                )
        if len(content) != self.length:
            raise EvidenceError(
                f"length of {name} did not match: expected {self.length}, got {len(content)}",
                code=Code.CHECKSUM,
            )

    def structure_error(self) -> str:
        """Say what is wrong with the hashes' sizes, "" for nothing; notary asks this of metadata entries only."""
        for algorithm, (_, size) in _HASHES.items():
            if algorithm in self.hashes and len(self.hashes[algorithm]) != size:
                return f"{algorithm} checksum invalid"
        return ""


class Body(Value):
    """What is signed: one version of one role's file. ``expires`` keeps the letters in which it was written."""

    version: int
    expires: str

    def _check(self) -> None:
        parse_time(self.expires)

    @property
    def expires_at(self) -> datetime:
        """When it ends (UTC)."""
        return parse_time(self.expires)


class Root(Body):
    """The root's body: every key, and which of them stand for which base role."""

    keys: Mapping[str, Key]
    roles: Mapping[str, Role]
    consistent_snapshot: bool = False

    def keys_of(self, role: str) -> tuple[Key, ...]:
        """Return a role's keys; key IDs without a key are left out."""
        return tuple(self.keys[i] for i in self.roles[role].key_ids if i in self.keys)


class Targets(Body):
    """The body of ``targets`` or of a delegation: names vouched for, and to whom it delegates.

    ``nil_delegations``: Go wrote an empty list of delegations as null.
    """

    targets: Mapping[str, FileMeta]
    delegation_keys: Mapping[str, Key]
    delegations: tuple[Role, ...]
    nil_delegations: bool = False


class Snapshot(Body):
    """The snapshot's body: which bytes of root, targets and delegations belong together."""

    meta: Mapping[str, FileMeta]


class Timestamp(Body):
    """The timestamp's body: which snapshot is the newest."""

    meta: Mapping[str, FileMeta]


def check_names(reader: Reader, known: Iterable[str]) -> None:
    """Refuse a member whose name Go would take for a known one although its letters differ.

    Go matches names without regard to case, so ``Version`` beside ``version`` would mean one thing here and another
    there. Other unknown members are let pass, as docker does.

    Raises:
        MalformedError: there is such a member.
    """
    for name in set(reader.names()).difference(known):
        if name.casefold() in known:
            path = f"{reader.path}.{name}" if reader.path else name
            raise MalformedError(f"{path} differs from a known member by case", path=path)
