"""Every way to break good content trust material: what is done, and the code that a client must answer with.

Each case tells of two clients: ``fresh`` has never seen the repository, ``seasoned`` has loaded a good version of it.
None means that the image is vouched for all the same, as docker has it. Cases are never removed: each is an attack or
a peer's mistake (specs: notary v1, 2, 6, 7; dct-observed, 7).
"""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from countermark.core.errors import Code
from countermark.formats.tuf import FileMeta
from world import GOOD, OTHER, RELEASES, Craft, TrustShelf, changed, key, sign

ALICE = "targets/alice"
ROLES = ("root", "timestamp", "snapshot", "targets", ALICE, RELEASES)
Make = Callable[[], TrustShelf]
Document = dict[str, Any]


class Case(NamedTuple):
    """A broken repository, made anew for each use.

    ``role`` is the one whose word is asked for ("": as docker); ``before`` is what the seasoned client has loaded.
    """

    name: str
    shelf: Make
    fresh: Code | None
    seasoned: Code | None
    role: str = ""
    before: Make = lambda: good().shelf()

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def good() -> Craft:
    """The repository as it was: alice has signed and released v1."""
    return Craft().released_by("alice")


def newer() -> Craft:
    """Its second version: everything but the root was signed again."""
    return good().next("targets", ALICE, RELEASES)


def _both(name: str, make: Make, code: Code | None) -> Case:
    return Case(name, make, code, code, ALICE if ALICE in name else "")


# Between server and client: the bytes change, and nobody signs anything -------------------------------


def flipped(content: bytes) -> bytes:
    """Change a letter of what is signed: still JSON, still valid, another meaning."""
    at = content.index(b'"expires":"2') + len(b'"expires":"2')
    return content[:at] + (b"1" if content[at : at + 1] == b"0" else b"0") + content[at + 1 :]


def in_transit(role: str, change: Callable[[bytes], bytes]) -> Make:
    """Change a role's file wherever it is served."""

    def make() -> TrustShelf:
        craft = newer()
        if role == "root":
            craft.roots[1] = craft.root()
            craft.next("root")
        shelf = craft.shelf()
        for name, content in shelf.files.items():
            if name.removesuffix(".json").split(".")[0] == role and isinstance(content, bytes):
                shelf.files[name] = change(content)
        return shelf

    return make


_CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "an empty file": lambda _: b"",
    "a web page": lambda _: b"<html>log in</html>",
    "half a file": lambda c: c[: len(c) // 2],
    "bytes that are no text": lambda c: c[:-1] + b"\xff",
    "deep nesting": lambda _: b"[" * 100,
    "a name in another case": lambda c: c.replace(b'"version"', b'"Version"'),
    "an integer that is none": lambda c: c.replace(b'"version":', b'"version":9' + b"9" * 20, 1),
}
_LONGER: dict[str, Callable[[bytes], bytes]] = {
    "a file and more": lambda c: c + b"{}",
    "a member twice": lambda c: c[:-1] + b',"signed":{}}',
    "a fraction": lambda c: c.replace(b'"version":2', b'"version":2.0'),
}


def _transit() -> Iterator[Case]:
    for role in ROLES:
        named = role not in ("root", "timestamp")  # another file says which bytes these are
        for what, change in _CHANGES.items():
            longer = what.startswith("an integer") and named
            code = Code.TOO_LARGE if longer else Code.CHECKSUM if named else Code.MALFORMED
            if what == "deep nesting" and not named:
                code = Code.TOO_LARGE
            yield _both(f"{role}: {what}", in_transit(role, change), code)
        for what, change in _LONGER.items():
            code = Code.TOO_LARGE if named else Code.MALFORMED
            yield _both(f"{role}: {what}", in_transit(role, change), code)
    for role in ROLES[2:]:
        yield _both(f"{role}: changed", in_transit(role, flipped), Code.CHECKSUM)
    changed_root = in_transit("root", flipped)
    yield Case("root: changed", changed_root, Code.BAD_CHAIN, Code.ROOT_ROTATION)
    yield _both("timestamp: changed", in_transit("timestamp", flipped), Code.BELOW_THRESHOLD)


# Files that were signed, but not as they must be --------------------------------------------------------


def crafted(*changes: Callable[[Craft], object]) -> Make:
    """Sign a second version, after these changes to what it says."""

    def make() -> TrustShelf:
        craft = newer()
        for change in changes:
            change(craft)
        return craft.shelf()

    return make


def wire(role: str, change: Callable[[Document], object]) -> Make:
    """Change a file's JSON after it was signed; other files name the changed one."""
    return crafted(lambda craft: craft.wire.update({role: lambda c: changed(c, change)}))


def bent(role: str, change: Callable[[Any], Any]) -> Make:
    """Change what a role says before it is signed."""
    return crafted(lambda craft: craft.bend.update({role: change}))


def resigned(role: str, change: Callable[[Document], object]) -> Make:
    """Change a file's JSON in a way that our own types could not say, and sign the result."""
    return crafted(lambda craft: resign(craft, role, change))


def resign(craft: Craft, role: str, change: Callable[[Document], object]) -> None:
    """Have a role's file changed and signed again."""
    private = key(_holder(role))

    def alter(content: bytes) -> bytes:
        document = json.loads(content)
        change(document["signed"])
        signed = json.dumps(
            document["signed"], separators=(",", ":"), sort_keys=True, ensure_ascii=False
        ).encode()
        made = sign(private, signed)
        document["signatures"] = [
            {"keyid": made.key_id, "method": made.method, "sig": _base64(made.value)}
        ]
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()

    craft.wire[role] = alter


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _der(document: Document) -> None:
    for signature in document["signatures"]:
        raw = base64.b64decode(signature["sig"])
        r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
        signature["sig"] = _base64(encode_dss_signature(r, s))


def _pretty(content: bytes) -> bytes:
    return json.dumps(json.loads(content), indent=2, ensure_ascii=False).encode()


def _method(name: str) -> Callable[[Document], object]:
    return lambda document: [s.update(method=name) for s in document["signatures"]]


def _holder(role: str) -> str:
    return "alice" if "/" in role else f"owner {role}"


def _signed_by(role: str, *names: str) -> Make:
    return crafted(lambda craft: craft.signers.update({role: names}))


def _expired(role: str) -> Make:
    return crafted(lambda craft: craft.days.update({role: -1}))


def _signatures() -> Iterator[Case]:
    """Of every role but the root, whose refusals have words of their own."""
    below = Code.BELOW_THRESHOLD
    for role in ROLES[1:]:
        yield _both(f"{role}: signed by a stranger", _signed_by(role, "mallory"), below)
        yield _both(
            f"{role}: a stranger's signature beside a good one",
            _signed_by(role, "mallory", _holder(role)),
            None,
        )
        nobody = wire(role, lambda d: d.update(signatures=[]))
        yield _both(f"{role}: no signatures", nobody, Code.NO_SIGNATURES)
        nil = wire(role, lambda d: d.update(signatures=None))
        yield _both(f"{role}: signatures null", nil, Code.NO_SIGNATURES)
        yield _both(f"{role}: a signature in DER", wire(role, _der), below)
        yield _both(f"{role}: method of RSA", wire(role, _method("rsapss")), below)
        yield _both(f"{role}: method none", wire(role, _method("none")), below)
        yield _both(f"{role}: method in upper case", wire(role, _method("ECDSA")), None)
        pretty = crafted(lambda craft, role=role: craft.wire.update({role: _pretty}))  # type: ignore[misc]
        yield _both(f"{role}: laid out for people", pretty, None)
        yield _both(f"{role}: expired", _expired(role), Code.EXPIRED)
        extra = resigned(role, lambda d: d.update(remark="hello"))
        yield _both(f"{role}: a member that nobody knows", extra, None)


def _structure() -> Iterator[Case]:
    """Signed by the right keys, and yet not what such a file may say."""
    for role in ROLES[1:]:
        for what, change in {
            "type in lower case": lambda d: d.update(_type=d["_type"].lower()),
            "type of another role": lambda d: d.update(_type="Root"),
            "version 0": lambda d: d.update(version=0),
            "version as text": lambda d: d.update(version="2"),
            "expires without a zone": lambda d: d.update(expires="2027-01-01T00:00:00"),
            "expires is a number": lambda d: d.update(expires=1),
        }.items():
            yield _both(f"{role}: {what}", resigned(role, change), Code.MALFORMED)
    meta: dict[str, Callable[[Document], object]] = {
        "only sha512": lambda e: e["hashes"].pop("sha256"),
        "hash too short": lambda e: e["hashes"].update(sha256="AAAA"),
        "length negative": lambda e: e.update(length=-1),
        "length as text": lambda e: e.update(length="12"),
    }
    for what, change in meta.items():
        for role, entry in (
            ("timestamp", "snapshot"),
            ("snapshot", "root"),
            ("snapshot", "targets"),
        ):
            make = resigned(role, lambda d, c=change, e=entry: c(d["meta"][e]))  # type: ignore[misc]
            yield _both(f"{role}: {entry} with {what}", make, Code.MALFORMED)
    for role, entry in (("timestamp", "snapshot"), ("snapshot", "targets"), ("snapshot", RELEASES)):
        longer = resigned(role, lambda d, e=entry: d["meta"][e].update(length=99_999))  # type: ignore[misc]
        yield _both(f"{role}: {entry} said to be longer", longer, None)
        shorter = resigned(role, lambda d, e=entry: d["meta"][e].update(length=10))  # type: ignore[misc]
        yield _both(f"{role}: {entry} said to be shorter", shorter, Code.TOO_LARGE)
        only = resigned(role, lambda d, e=entry: d["meta"][e]["hashes"].pop("sha512"))  # type: ignore[misc]
        yield _both(f"{role}: {entry} with only sha256", only, None)
        huge = resigned(role, lambda d, e=entry: d["meta"][e].update(length=2**40))  # type: ignore[misc]
        yield _both(f"{role}: {entry} said to be enormous", huge, Code.TOO_LARGE)
    unhashed = resigned("snapshot", lambda d: d["meta"][RELEASES].update(hashes={"md5": "AAAA"}))
    yield _both("snapshot: releases with a hash that nobody knows", unhashed, Code.CHECKSUM)
    wrong_512 = resigned(
        "snapshot", lambda d: d["meta"][RELEASES]["hashes"].update(sha512=_base64(bytes(64)))
    )
    yield _both("snapshot: releases with another sha512", wrong_512, Code.CHECKSUM)
    for entry in ("root", "targets"):
        gone = resigned("snapshot", lambda d, e=entry: d["meta"].pop(e))  # type: ignore[misc]
        yield _both(f"snapshot: {entry} left out", gone, Code.MALFORMED)


# What targets and delegations say ------------------------------------------------------------------------


def _role_entry(change: Callable[[Document], object], name: str = RELEASES) -> Make:
    def find(document: Document) -> None:
        (found,) = [r for r in document["delegations"]["roles"] if r["name"] == name]
        change(found)

    return resigned("targets", find)


def _tag(role: str, **metas: Any) -> Make:
    return crafted(lambda craft: craft.tags.update({role: metas}))


def _delegations() -> Iterator[Case]:
    yield _both("nobody delegates to releases", resigned("targets", _no_releases), Code.UNSIGNED)
    yield _both("releases may name nothing", _role_entry(lambda r: r.pop("paths")), Code.UNSIGNED)
    yield _both(
        "releases may name other tags", _role_entry(lambda r: r.update(paths=["v2"])), Code.UNSIGNED
    )
    yield _both("releases may name this tag", _role_entry(lambda r: r.update(paths=["v"])), None)
    yield _both(
        "releases without keys", _role_entry(lambda r: r.update(keyids=[])), Code.BELOW_THRESHOLD
    )
    yield _both(
        "releases with keys null",
        _role_entry(lambda r: r.update(keyids=None)),
        Code.BELOW_THRESHOLD,
    )
    yield _both(
        "releases with an unknown key",
        _role_entry(lambda r: r.update(keyids=["0" * 64])),
        Code.MALFORMED,
    )
    yield _both(
        "releases with a threshold of two",
        _role_entry(lambda r: r.update(threshold=2)),
        Code.BELOW_THRESHOLD,
    )
    yield _both(
        "releases with a threshold of none",
        _role_entry(lambda r: r.update(threshold=0)),
        Code.MALFORMED,
    )
    for name in ("targets", "releases", "targets/Up", "targets/a/b", "targets/../x", "targets/x\n"):
        odd = _role_entry(lambda r, n=name: r.update(name=n))  # type: ignore[misc]
        yield _both(f"a delegation called {name!r}", odd, Code.BAD_ROLE)
    yield _both(
        "delegations null",
        resigned("targets", lambda d: d["delegations"].update(roles=None)),
        Code.UNSIGNED,
    )
    yield _both("a key under another ID", crafted(_foreign), Code.KEY_ID)
    yield _both("the same delegation twice", resigned("targets", _twice), Code.BAD_ROLE)
    yield _both("a threshold met by one key twice", crafted(_two_of_the_same), Code.BELOW_THRESHOLD)


def _no_releases(document: Document) -> None:
    roles = document["delegations"]["roles"]
    document["delegations"]["roles"] = [r for r in roles if r["name"] != RELEASES]


def _twice(document: Document) -> None:
    roles = document["delegations"]["roles"]
    roles.append(dict(roles[-1]))


def _foreign_id(document: Document) -> None:
    """Alice's key under an ID that somebody made up; signatures are said to be by it."""
    known = document["delegations"]["keys"]
    (real,) = [i for i in known if i == key("alice").id]
    known["f" * 64] = known.pop(real)
    for role in document["delegations"]["roles"]:
        role["keyids"] = ["f" * 64]


def _foreign(craft: Craft) -> None:
    resign(craft, "targets", _foreign_id)
    craft.wire[RELEASES] = lambda content: changed(
        content, lambda d: [signature.update(keyid="f" * 64) for signature in d["signatures"]]
    )


def _two_of_the_same(craft: Craft) -> None:
    craft.delegates = [d for d in craft.delegates if d.name != RELEASES]
    craft.delegate(RELEASES, "alice", "bob", threshold=2)
    craft.signers[RELEASES] = ("alice", "alice")


def _targets() -> Iterator[Case]:
    no_hash = FileMeta(length=1, hashes={"sha512": bytes(64)})
    short = FileMeta(length=1, hashes={"sha256": b"short"})
    hexadecimal = FileMeta(length=1, hashes={"sha256": GOOD.hex.encode()})
    for what, entry in (("no", no_hash), ("a short", short), ("a hexadecimal", hexadecimal)):
        yield _both(f"releases with {what} sha256", _tag(RELEASES, v1=entry), Code.MALFORMED)
        hidden = crafted(_downgrade, lambda c, e=entry: c.tags.update({RELEASES: {"v1": e}}))  # type: ignore[misc]
        yield _both(f"releases with {what} sha256 over an old entry", hidden, Code.MALFORMED)
        alone = _tag(ALICE, v1=entry)
        yield _both(f"{ALICE} with {what} sha256", alone, Code.UNSIGNED)
    odd = FileMeta(length=-5, hashes={"sha256": GOOD.raw})
    yield _both("a length that is wrong", _tag(RELEASES, v1=odd), None)
    elsewhere = FileMeta(length=1, hashes={"sha256": OTHER.raw})
    yield _both("another digest", _tag(RELEASES, v1=elsewhere), Code.MOVED_TAG)
    yield _both(f"another digest by {ALICE}", _tag(ALICE, v1=elsewhere), Code.MOVED_TAG)
    yield _both(
        "another tag",
        _tag(RELEASES, v2=FileMeta(length=1, hashes={"sha256": GOOD.raw})),
        Code.UNSIGNED,
    )
    yield _both(
        "a tag in another case",
        _tag(RELEASES, V1=FileMeta(length=1, hashes={"sha256": GOOD.raw})),
        Code.UNSIGNED,
    )
    yield _both("a role that is not released", crafted(_only_alice), Code.UNSIGNED)
    with_custom = FileMeta(length=1, hashes={"sha256": GOOD.raw}, custom={"a": [1, "b"]})
    yield _both("custom data", _tag(RELEASES, v1=with_custom), None)


def _only_alice(craft: Craft) -> None:
    craft.tags[RELEASES] = {}


# An attacker who holds the server's keys, or plays old files again ------------------------------------------


def _downgrade(craft: Craft) -> None:
    """Before there were signers the owner signed v1 himself; that entry is still in targets."""
    craft.tag("targets", v1=GOOD)


def _attacks() -> Iterator[Case]:
    yield Case(
        "releases withheld by the snapshot",
        crafted(lambda c: c.withheld.add(RELEASES)),
        Code.UNSIGNED,
        Code.FREEZE,
    )
    for name, broken in {
        "withheld": lambda c: c.withheld.add(RELEASES),
        "expired": lambda c: c.days.update({RELEASES: -1}),
        "signed by a stranger": lambda c: c.signers.update({RELEASES: ("mallory",)}),
    }.items():
        fresh = {"expired": Code.EXPIRED, "signed by a stranger": Code.BELOW_THRESHOLD}.get(name)
        yield Case(
            f"releases {name} so that an old entry in targets counts",
            crafted(broken, _downgrade),
            fresh,
            fresh or Code.FREEZE,
        )
    for role in ("timestamp", "snapshot", "targets", RELEASES, ALICE):
        yield Case(
            f"an older version of {role}",
            _older(role),
            None,
            Code.ROLLBACK,
            ALICE if role == ALICE else "",
            lambda: newer().shelf(),
        )
    yield Case(
        "everything of an older day",
        lambda: good().shelf(),
        None,
        Code.ROLLBACK,
        before=lambda: newer().shelf(),
    )
    yield _both("the snapshot of another publication", _mixed("snapshot"), Code.CHECKSUM)
    yield _both("the targets of another publication", _mixed("targets"), Code.CHECKSUM)
    yield Case("a root that the snapshot does not name", _other_root, Code.CHECKSUM, None)
    yield Case("another's root", lambda: _mallorys().shelf(), None, Code.ROOT_ROTATION)
    yield _both("another repository's files", _other_gun, Code.BAD_CHAIN)


def _older(role: str) -> Make:
    """A role in its first version again, correctly signed, though a second is known: the others go on."""

    def make() -> TrustShelf:
        craft = newer().next("targets", RELEASES, ALICE)
        craft.versions[role] = 1
        return craft.shelf()

    return make


def _mixed(role: str) -> Make:
    def make() -> TrustShelf:
        new, old = newer().shelf(), good().shelf()
        for name in new.files:
            if name.startswith(f"{role}."):
                new.files[name] = old.files[role]
        return new

    return make


def _other_root() -> TrustShelf:
    craft = newer()
    shelf = craft.shelf()
    craft.next("root")
    shelf.files["root"] = shelf.files["2.root"] = craft.root()
    return shelf


def _mallorys() -> Craft:
    craft = Craft(owner="mallory").released_by("mallory")
    return craft.next("root", "targets", RELEASES)


def _other_gun() -> TrustShelf:
    """The same owner's, the same keys, but another repository's certificate."""
    craft = Craft("registry.example.test/team/other").released_by("alice")
    return craft.next("root", "targets", ALICE, RELEASES).shelf()


# Roots ------------------------------------------------------------------------------------------------------


def rooted(*changes: Callable[[Craft], object]) -> Make:
    """Publish a second root, after these changes."""

    def make() -> TrustShelf:
        craft = newer()
        craft.roots[1] = craft.root()
        craft.next("root")
        for change in changes:
            change(craft)
        return craft.shelf()

    return make


def _bent_root(change: Callable[[Any], Any]) -> Make:
    return rooted(lambda craft: craft.bend.update(root=change))


def _root_wire(change: Callable[[Document], object]) -> Make:
    return rooted(lambda craft: craft.wire.update(root=lambda c: changed(c, change)))


def _rekeyed(body: Any, *keys: Any) -> Any:
    role = body.roles["root"].replace(key_ids=tuple(k.id for k in keys))
    return body.replace(
        keys={**body.keys, **{k.id: k for k in keys}}, roles={**body.roles, "root": role}
    )


def _roots() -> Iterator[Case]:
    chain, rotation = Code.BAD_CHAIN, Code.ROOT_ROTATION
    yield _both("root: the next version", rooted(), None)
    unsigned = _root_wire(lambda d: d.update(signatures=[]))
    yield Case("root: no signatures", unsigned, chain, rotation)
    stranger = rooted(lambda c: c.signers.update(root=("mallory",)))
    yield Case("root: signed by a stranger", stranger, chain, rotation)
    yield Case("root: method none", _root_wire(_method("none")), chain, rotation)
    yield _both("root: expired", rooted(lambda c: c.days.update(root=-1)), Code.EXPIRED)
    bare = _bent_root(lambda body: _rekeyed(body, key("owner").public))
    yield _both("root: a bare key instead of a certificate", bare, chain)
    for role in ("root", "targets", "snapshot", "timestamp"):
        missing = _bent_root(
            lambda body, r=role: body.replace(roles={n: v for n, v in body.roles.items() if n != r})  # type: ignore[misc]
        )
        yield _both(f"root: no role {role}", missing, Code.MALFORMED)
    no_threshold = _bent_root(
        lambda body: body.replace(
            roles={**body.roles, "targets": body.roles["targets"].replace(threshold=0)}
        )
    )
    yield _both("root: threshold of none", no_threshold, Code.MALFORMED)
    unknown = _bent_root(
        lambda body: body.replace(
            roles={**body.roles, "targets": body.roles["targets"].replace(key_ids=("0" * 64,))}
        )
    )
    yield _both("root: a key that is not there", unknown, Code.MALFORMED)
    yield _both("root: rotated, signed by old and new", crafted(lambda c: c.rotate("owner2")), None)
    yield Case(
        "root: rotated, signed by the new one only",
        crafted(lambda c: c.rotate("owner2", also=("owner2",))),
        None,
        rotation,
    )
    yield _both(
        "root: rotated, signed by the old one only",
        crafted(lambda c: c.rotate("owner2", also=("owner",))),
        chain,
    )
    yield _both(
        "root: rotated three times",
        crafted(lambda c: c.rotate("owner2").rotate("owner3").rotate("owner4")),
        None,
    )
    yield Case(
        "root: rotated three times, one step signed by nobody before",
        crafted(lambda c: c.rotate("owner2").rotate("owner3", also=("owner3",)).rotate("owner4")),
        None,
        rotation,
    )


CASES: tuple[Case, ...] = (
    *_transit(),
    *_signatures(),
    *_structure(),
    *_delegations(),
    *_targets(),
    *_attacks(),
    *_roots(),
)
