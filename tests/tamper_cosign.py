"""Every way to break what cosign's signatures rest on: what is done, and the code that a verifier must answer with.

None means that the image is vouched for all the same. Cases are never removed: each is an attack or a peer's mistake
(specs: cosign, 3 and 6; cosign-observed, 4).
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

import fake_sigstore as fake
from countermark.core.errors import Code
from countermark.core.signer import CosignSigner, Identity
from fake_sigstore import ALICE, ISSUER, SIGNED_AT, SLSA, Document, Layer, Leaf, Sigstore
from world import GOOD, OTHER

SIGSTORE = Sigstore()
KEY = fake.new_key()
OTHER_KEY = fake.new_key()
UNLOGGED = "a test"
Root = Callable[[Document], object]


def leaf(**fields: Any) -> Leaf:
    return SIGSTORE.authority.issue(**fields)


def alice(**fields: Any) -> CosignSigner:
    given: dict[str, Any] = {"name": "alice", "identity": Identity(subject=ALICE, issuer=ISSUER)}
    return CosignSigner(**(given | fields))


def holder(**fields: Any) -> CosignSigner:
    given: dict[str, Any] = {"name": "holder", "key": fake.pem(KEY), "accept_unlogged": UNLOGGED}
    return CosignSigner(**(given | fields))


class Case(NamedTuple):
    """A broken signature, how it lies there, whom it should be by, and what must come of it."""

    name: str
    make: Callable[[], Document | bytes | Layer]
    code: Code | None
    signer: CosignSigner = alice()
    root: Root = lambda root: None
    suffix: str = "sig"

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


# What is good ------------------------------------------------------------------------------------------------


def statement(**fields: Any) -> bytes:
    return fake.statement(GOOD, **({"annotations": {}} | fields))


def second(**fields: Any) -> Document:
    """A bundle as cosign makes it today: certificate, log of the second kind, timestamp."""
    given: dict[str, Any] = {"log": SIGSTORE.log, "stamps": SIGSTORE.stamps}
    return fake.bundle(fields.pop("signer", None) or leaf(), statement(), **(given | fields))


def first(**fields: Any) -> Document:
    """The same in a log of the first kind, which says itself when."""
    return fake.bundle(
        fields.pop("signer", None) or leaf(), statement(), **({"log": SIGSTORE.first_log} | fields)
    )


def by_key(**fields: Any) -> Document:
    return fake.bundle(fields.pop("signer", KEY), statement(), **fields)


def old(**fields: Any) -> Layer:
    given: dict[str, Any] = {"log": SIGSTORE.first_log}
    return fake.legacy(fields.pop("signer", None) or leaf(), fake.simple(GOOD), **(given | fields))


def old_by_key(**fields: Any) -> Layer:
    return fake.legacy(fields.pop("signer", KEY), fake.simple(GOOD), **fields)


FORMS: dict[str, tuple[Callable[[], Document | Layer], CosignSigner]] = {
    "second": (second, alice()),
    "first": (first, alice()),
    "old": (old, alice()),
    "key": (by_key, holder()),
    "logged key": (lambda: by_key(log=SIGSTORE.log), holder(accept_unlogged="")),
    "key in first log": (lambda: by_key(log=SIGSTORE.first_log), holder(accept_unlogged="")),
    "old key": (old_by_key, holder()),
    "old logged key": (lambda: old_by_key(log=SIGSTORE.first_log), holder(accept_unlogged="")),
}


def _good() -> Iterator[Case]:
    for form, (make, signer) in FORMS.items():
        yield Case(f"{form}: as it was made", make, None, signer)


# Changed on the way -------------------------------------------------------------------------------------------


def at(document: Document, path: str) -> tuple[Any, Any]:
    """The container of a member, and its name or number: ``a.0.b``."""
    *way, last = path.split(".")
    inner: Any = document
    for step in way:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    return inner, int(last) if isinstance(inner, list) else last


def change(
    make: Callable[[], Document], path: str, with_: Callable[[Any], Any]
) -> Callable[[], Document]:
    def changed() -> Document:
        document = make()
        inner, name = at(document, path)
        inner[name] = with_(inner[name])
        return document

    return changed


def drop(make: Callable[[], Document], path: str) -> Callable[[], Document]:
    def changed() -> Document:
        document = make()
        inner, name = at(document, path)
        del inner[name]
        return document

    return changed


def flipped(text: str) -> str:
    """Change one bit of what base64 stands for, near its end."""
    content = bytearray(b64decode(text))
    content[-2] ^= 1
    return b64encode(content).decode()


def other_payload(text: str) -> str:
    return b64encode(b64decode(text).replace(b"predicate", b"predicatf", 1)).decode()


def other_note(text: str) -> str:
    return text[:-9] + ("A" if text[-9] != "A" else "B") + text[-8:]


def more(text: str) -> str:
    return str(int(text) + 1)


LOG = "verificationMaterial.tlogEntries.0"
PROOF = f"{LOG}.inclusionProof"
STAMP = "verificationMaterial.timestampVerificationData.rfc3161Timestamps.0.signedTimestamp"
CERTIFICATE = "verificationMaterial.certificate.rawBytes"
SIGNATURE = "dsseEnvelope.signatures.0.sig"


def with_text(old_: str, new: str) -> Callable[[str], str]:
    def replaced(text: str) -> str:
        assert old_ in text
        return text.replace(old_, new, 1)

    return replaced


def _flips() -> Iterator[Case]:
    """A bit in each field, for the form that has it."""
    fields: list[tuple[str, str, Callable[[Any], Any], Code]] = [
        # what is signed is bound to the log entry, and that is looked at before the signature
        ("signature", SIGNATURE, flipped, Code.ENTRY),
        ("payload", "dsseEnvelope.payload", other_payload, Code.ENTRY),
        ("payload type", "dsseEnvelope.payloadType", lambda t: t + "x", Code.ENTRY),
        ("log index", f"{LOG}.logIndex", more, Code.INCLUSION),
        ("log body", f"{LOG}.canonicalizedBody", flipped, Code.ENTRY),
        ("proof index", f"{PROOF}.logIndex", more, Code.INCLUSION),
        ("proof size", f"{PROOF}.treeSize", more, Code.INCLUSION),
        ("proof root", f"{PROOF}.rootHash", flipped, Code.INCLUSION),
        ("proof hash", f"{PROOF}.hashes.0", flipped, Code.INCLUSION),
        ("checkpoint size", f"{PROOF}.checkpoint.envelope", lambda t: t.replace("\n", "\n1", 1), Code.CHECKPOINT),
        ("checkpoint signature", f"{PROOF}.checkpoint.envelope", other_note, Code.CHECKPOINT),
        ("kind", f"{LOG}.kindVersion.kind", lambda t: "intoto", Code.ENTRY),
        ("version", f"{LOG}.kindVersion.version", lambda t: "0.0.9", Code.ENTRY),
    ]  # fmt: skip
    for name, path, with_, code in fields:
        yield Case(f"second: {name} changed", change(second, path, with_), code)
        if name == "payload type":
            continue  # what the first kind logs of an envelope does not have it
        first_code = Code.PROMISE if name in ("log index", "log body") else code
        first_code = Code.BAD_SIGNATURE if name == "nothing" else first_code
        yield Case(f"first: {name} changed", change(first, path, with_), first_code)
    yield Case("second: timestamp changed", change(second, STAMP, flipped), Code.TIMESTAMP)
    yield Case("second: certificate changed", change(second, CERTIFICATE, flipped), Code.ENTRY)
    yield Case(
        "second: log id changed", change(second, f"{LOG}.logId.keyId", flipped), Code.NOT_LOGGED
    )
    promise = f"{LOG}.inclusionPromise.signedEntryTimestamp"
    yield Case("first: promise changed", change(first, promise, flipped), Code.PROMISE)
    yield Case("first: time changed", change(first, f"{LOG}.integratedTime", more), Code.PROMISE)
    yield Case(
        "key: signature changed", change(by_key, SIGNATURE, flipped), Code.BAD_SIGNATURE, holder()
    )
    hint = "verificationMaterial.publicKey.hint"
    yield Case("key: hint changed", change(by_key, hint, flipped), Code.KEY_MATERIAL, holder())


# Foreign, swapped, missing and doubled parts --------------------------------------------------------------------


def swapped(
    make: Callable[[], Document], other: Callable[[], Document], path: str
) -> Callable[[], Document]:
    """Take one part from another good bundle."""

    def changed() -> Document:
        document, foreign = make(), other()
        inner, name = at(document, path)
        source, _ = at(foreign, path)
        inner[name] = source[name]
        return document

    return changed


def doubled(make: Callable[[], Document], path: str) -> Callable[[], Document]:
    return change(make, path, lambda items: [*items, items[0]])


def _bytes(content: bytes) -> bytes:
    return content


ENTRIES = "verificationMaterial.tlogEntries"
STAMPS = "verificationMaterial.timestampVerificationData"


def _parts() -> Iterator[Case]:
    yield Case("second: another's entry", swapped(second, second, ENTRIES), Code.ENTRY)
    yield Case("first: another's entry", swapped(first, first, ENTRIES), Code.ENTRY)
    yield Case(
        "second: another's body", swapped(second, second, f"{LOG}.canonicalizedBody"), Code.ENTRY
    )
    yield Case("second: another's proof", swapped(second, second, PROOF), Code.INCLUSION)
    yield Case("second: another's timestamp", swapped(second, second, STAMPS), Code.TIMESTAMP)
    yield Case("second: another's certificate", swapped(second, second, CERTIFICATE), Code.ENTRY)
    yield Case("second: another's signature", swapped(second, second, SIGNATURE), Code.ENTRY)
    yield Case("second: no entry", drop(second, ENTRIES), Code.NOT_LOGGED)
    yield Case("second: no proof", drop(second, PROOF), Code.MALFORMED)
    yield Case("second: no checkpoint", drop(second, f"{PROOF}.checkpoint"), Code.MALFORMED)
    yield Case("second: no body", drop(second, f"{LOG}.canonicalizedBody"), Code.MALFORMED)
    yield Case("second: no timestamp", drop(second, STAMPS), Code.NO_TIMESTAMP)
    yield Case("first: no promise", drop(first, f"{LOG}.inclusionPromise"), Code.NO_TIMESTAMP)
    yield Case(
        "second: no signature",
        change(second, "dsseEnvelope.signatures", lambda _: []),
        Code.MALFORMED,
    )
    yield Case("second: no envelope", drop(second, "dsseEnvelope"), Code.MALFORMED)
    yield Case(
        "second: no key material", drop(second, "verificationMaterial.certificate"), Code.MALFORMED
    )
    yield Case("second: entry twice", doubled(second, ENTRIES), Code.MALFORMED)
    yield Case(
        "second: signature twice", doubled(second, "dsseEnvelope.signatures"), Code.MALFORMED
    )
    timestamps = f"{STAMPS}.rfc3161Timestamps"
    yield Case("second: timestamp twice", doubled(second, timestamps), None)
    yield Case(
        "second: 33 timestamps", change(second, timestamps, lambda t: t * 33), Code.TOO_LARGE
    )
    yield Case("second: 33 entries", change(second, ENTRIES, lambda t: t * 33), Code.TOO_LARGE)
    yield Case(
        "second: unknown member", change(second, "mediaType", lambda t: t + ";x=1"), Code.MALFORMED
    )
    yield Case(
        "second: version to come",
        change(second, "mediaType", with_text("v0.3", "v0.4")),
        Code.MALFORMED,
    )
    yield Case(
        "key: no signature bytes",
        change(by_key, SIGNATURE, lambda _: ""),
        Code.BAD_SIGNATURE,
        holder(),
    )
    for name, content in (
        ("an empty file", b""),
        ("a web page", b"<html>"),
        ("a list", b"[]"),
        ("an empty object", b"{}"),
    ):
        yield Case(f"bundle: {name}", partial(_bytes, content), Code.MALFORMED)
    yield Case("bundle: deep", lambda: b"[" * 100_000, Code.TOO_LARGE)


# Made in another way --------------------------------------------------------------------------------------------


def _signers() -> Iterator[Case]:
    """Signed, certified and logged as it should be, but not what is wanted."""
    yield Case(
        "who: another subject",
        lambda: second(signer=leaf(subject="bob@example.test")),
        Code.IDENTITY,
    )
    yield Case(
        "who: another issuer",
        lambda: second(signer=leaf(issuer="https://other.test")),
        Code.IDENTITY,
    )
    yield Case("who: no issuer", lambda: second(signer=leaf(issuer="")), Code.IDENTITY)
    yield Case(
        "who: an address that is a URI",
        lambda: second(signer=leaf(subject=f"https://{ALICE}")),
        Code.IDENTITY,
    )
    wanted = Identity(subject=ALICE, issuer=ISSUER, extensions=((20, "push"),))
    pushed = alice(identity=wanted)
    yield Case("who: extension", lambda: second(signer=leaf(extensions={20: "push"})), None, pushed)
    yield Case("who: no extension", second, Code.IDENTITY, pushed)
    yield Case(
        "who: another extension",
        lambda: second(signer=leaf(extensions={20: "pull"})),
        Code.IDENTITY,
        pushed,
    )
    old_style = leaf(issuer="", extensions={1: ISSUER})
    yield Case("who: issuer in the older extension", lambda: second(signer=old_style), None)
    yield Case("key: another key", lambda: by_key(signer=OTHER_KEY), Code.KEY_MATERIAL, holder())
    yield Case(
        "key: another key without a hint",
        lambda: by_key(signer=OTHER_KEY, hint=""),
        Code.BAD_SIGNATURE,
        holder(),
    )
    own = b64encode(sha256(fake.spki(KEY)).digest()).decode()
    yield Case(
        "key: another key by this one's name",
        lambda: by_key(signer=OTHER_KEY, hint=own),
        Code.BAD_SIGNATURE,
        holder(),
    )
    yield Case("key: a certificate instead", second, Code.KEY_MATERIAL, holder())
    yield Case("who: a key instead", by_key, Code.KEY_MATERIAL)
    yield Case(
        "key: a certificate for the same key",
        lambda: second(signer=leaf(key=KEY)),
        Code.KEY_MATERIAL,
        holder(),
    )
    yield Case(
        "old key: another key", lambda: old_by_key(signer=OTHER_KEY), Code.BAD_SIGNATURE, holder()
    )
    yield Case("old key: a certificate instead", old, Code.KEY_MATERIAL, holder())
    yield Case("key: not in a log", by_key, Code.NOT_LOGGED, holder(accept_unlogged=""))
    yield Case("key: not stamped", by_key, Code.NO_TIMESTAMP, holder(timestamped=True))
    yield Case(
        "key: stamped", lambda: by_key(stamps=SIGSTORE.stamps), None, holder(timestamped=True)
    )
    two = alice(threshold=2)
    yield Case("two logs wanted: one has it", second, Code.NOT_LOGGED, two)
    yield Case("two logs wanted: both have it", _in_both, None, two)
    yield Case("two logs wanted: one has it twice", _twice_in_one, Code.NOT_LOGGED, two)
    stamped = alice(timestamped=True)
    yield Case("stamp wanted: only a log says when", first, Code.NO_TIMESTAMP, stamped)
    yield Case("stamp wanted: it is there", second, None, stamped)
    yield Case("every time counts: stamped too late", _stamped_later, Code.EXPIRED)


WITNESSES = (fake.Witness("a.test"), fake.Witness("b.test"))


def _witnessed(
    *by: fake.Witness, document: Document | None = None, entry: int = 0, over: str = ""
) -> Document:
    """A bundle whose log entry has cosignatures on its checkpoint."""
    found = document or second()
    proof = found["verificationMaterial"]["tlogEntries"][entry]["inclusionProof"]
    for witness in by:
        note = proof["checkpoint"]["envelope"]
        proof["checkpoint"]["envelope"] = witness.cosigned(note, over=over)
    return found


def _cosigned_by_another() -> Document:
    """A line with a witness's name and key identifier, by somebody else's key."""
    forger = fake.Witness(WITNESSES[0].name)
    forger.key_id = WITNESSES[0].key_id
    return _witnessed(forger)


def _witnesses() -> Iterator[Case]:
    one, two = WITNESSES
    both = alice(witnesses=(one.verifier_key, two.verifier_key), witnesses_needed=2)
    either, first_one = (
        both.replace(witnesses_needed=1),
        alice(witnesses=(one.verifier_key,), witnesses_needed=1),
    )
    missing = Code.CHECKPOINT
    yield Case("witness wanted: none", second, missing, first_one)
    yield Case("witness wanted: it cosigned", lambda: _witnessed(one), None, first_one)
    yield Case("witness wanted: another did", lambda: _witnessed(two), missing, first_one)
    yield Case("witness wanted: forged", _cosigned_by_another, missing, first_one)
    other = "log.example.test\n1\n" + fake.b64(bytes(32)) + "\n"
    yield Case(
        "witness wanted: of another checkpoint",
        lambda: _witnessed(one, over=other),
        missing,
        first_one,
    )
    yield Case("two witnesses wanted: both", lambda: _witnessed(one, two), None, both)
    yield Case("two witnesses wanted: one", lambda: _witnessed(two), missing, both)
    yield Case("two witnesses wanted: one twice", lambda: _witnessed(one, one), missing, both)
    yield Case("one of two witnesses wanted", lambda: _witnessed(two), None, either)
    yield Case("witness wanted: a log only promises", old, missing, first_one)
    in_two = first_one.replace(threshold=2)
    yield Case(
        "witness and two logs wanted: one of them seen",
        lambda: _witnessed(one, document=_in_both()), missing, in_two,
    )  # fmt: skip
    yield Case(
        "witness and two logs wanted: both seen",
        lambda: _witnessed(one, document=_witnessed(one, document=_in_both()), entry=1), None, in_two,
    )  # fmt: skip
    yield Case(
        "witness and one log wanted: of two that one sees",
        lambda: _witnessed(one, document=_in_both(), entry=1), None, first_one,
    )  # fmt: skip


def _twice_in_one() -> Document:
    signer = leaf()
    document = second(signer=signer)
    envelope = document["dsseEnvelope"]
    signature = b64decode(envelope["signatures"][0]["sig"])
    body = fake.body_v2(signer, fake.pae(fake.IN_TOTO, b64decode(envelope["payload"])), signature)
    entry = SIGSTORE.log.add(body, ("hashedrekord", "0.0.2"))
    document["verificationMaterial"]["tlogEntries"].append(entry)
    return document


def _stamped_later() -> Document:
    """Logged while the certificate held, and stamped when it did not."""
    document = first()
    signature = b64decode(document["dsseEnvelope"]["signatures"][0]["sig"])
    stamp = fake.b64(SIGSTORE.stamps.stamp(signature, SIGNED_AT + fake.LIFE))
    data = {"rfc3161Timestamps": [{"signedTimestamp": stamp}]}
    document["verificationMaterial"]["timestampVerificationData"] = data
    return document


def _in_both() -> Document:
    signer = leaf()
    document = second(signer=signer)
    envelope = document["dsseEnvelope"]
    entry = SIGSTORE.first_log.add(fake.body_dsse(signer, envelope), ("dsse", "0.0.1"))
    document["verificationMaterial"]["tlogEntries"].append(entry)
    return document


def _certificates() -> Iterator[Case]:
    stranger = fake.Authority("stranger")
    yield Case(
        "certificate: by a stranger", lambda: second(signer=stranger.issue()), Code.BAD_CHAIN
    )
    yield Case(
        "certificate: of the log's time", lambda: second(at=SIGNED_AT + fake.LIFE), Code.EXPIRED
    )
    yield Case(
        "certificate: too early", lambda: second(at=SIGNED_AT - timedelta(minutes=2)), Code.EXPIRED
    )
    last = SIGNED_AT + fake.LIFE - timedelta(minutes=1)
    yield Case("certificate: in its last second", lambda: second(at=last), None)
    yield Case(
        "certificate: a second later", lambda: second(at=last + timedelta(seconds=1)), Code.EXPIRED
    )
    yield Case(
        "certificate: first log after its end",
        lambda: first(at=SIGNED_AT + fake.LIFE),
        Code.EXPIRED,
    )
    yield Case(
        "certificate: may issue others", lambda: second(signer=leaf(is_ca=True)), Code.BAD_CHAIN
    )
    yield Case(
        "certificate: without a purpose", lambda: second(signer=leaf(usages=None)), Code.BAD_CHAIN
    )
    server = (ExtendedKeyUsageOID.SERVER_AUTH,)
    yield Case(
        "certificate: for servers", lambda: second(signer=leaf(usages=server)), Code.BAD_CHAIN
    )
    stamping = (ExtendedKeyUsageOID.TIME_STAMPING,)
    yield Case(
        "certificate: for time stamps", lambda: second(signer=leaf(usages=stamping)), Code.BAD_CHAIN
    )
    yield Case(
        "certificate: authority not yet in service",
        second,
        Code.BAD_CHAIN,
        root=_window("certificateAuthorities", 1),
    )
    yield Case(
        "certificate: authority retired before",
        second,
        Code.BAD_CHAIN,
        root=_window("certificateAuthorities", -1),
    )
    yield Case(
        "certificate: no authority",
        second,
        Code.BAD_CHAIN,
        root=lambda r: r.update(certificateAuthorities=[]),
    )
    yield Case("sct: none", lambda: second(signer=leaf(sct=False)), Code.SCT)
    yield Case(
        "sct: none, and accepted",
        lambda: second(signer=leaf(sct=False)),
        None,
        alice(accept_uncertified=UNLOGGED),
    )
    yield Case("sct: of an unknown log", lambda: second(signer=leaf(ct_key=OTHER_KEY)), Code.SCT)
    bend = lambda sct: sct[:-1] + bytes([sct[-1] ^ 1])  # noqa: E731 - a row of a table
    yield Case("sct: changed", lambda: second(signer=leaf(bend_sct=bend)), Code.SCT)
    late = lambda sct: sct[:40] + bytes([sct[40] ^ 1]) + sct[41:]  # noqa: E731
    yield Case("sct: another time", lambda: second(signer=leaf(bend_sct=late)), Code.SCT)
    yield Case("sct: no log is trusted", second, Code.SCT, root=lambda r: r.update(ctlogs=[]))
    yield Case("sct: log not yet in service", second, Code.SCT, root=_window("ctlogs", 1))


def _window(part: str, days: int) -> Root:
    """Let the trusted root's parts begin after, or end before, the signature."""
    when = (SIGNED_AT + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    start = fake.START.strftime("%Y-%m-%dT%H:%M:%SZ")
    window = {"start": when} if days > 0 else {"start": start, "end": when}

    def bent(root: Document) -> None:
        for each in root[part]:
            each.get("publicKey", each)["validFor"] = window

    return bent


def _logs() -> Iterator[Case]:
    stranger = fake.Log("log.stranger.test")
    yield Case("log: a stranger's", lambda: second(log=stranger), Code.NOT_LOGGED)
    yield Case("log: none is trusted", second, Code.NOT_LOGGED, root=lambda r: r.update(tlogs=[]))
    impostor = fake.Log()  # by the same name, with another key
    yield Case("log: an impostor's", lambda: second(log=impostor), Code.NOT_LOGGED)
    yield Case(
        "log: an impostor's by the right id",
        lambda: _as(second(log=impostor), SIGSTORE.log),
        Code.CHECKPOINT,
    )
    other = fake.Log("other.example.test")
    other.key = SIGSTORE.log.key
    yield Case(
        "log: a checkpoint by another name",
        lambda: _as(second(log=other), SIGSTORE.log),
        Code.CHECKPOINT,
    )
    yield Case("first log: not yet in service", first, Code.PROMISE, root=_window("tlogs", 1))
    yield Case("first log: retired before", first, Code.PROMISE, root=_window("tlogs", -1))
    yield Case("log: not yet in service", second, Code.NOT_LOGGED, root=_window("tlogs", 1))
    yield Case("log: retired before", second, Code.NOT_LOGGED, root=_window("tlogs", -1))
    yield Case("log: an entry for another key", _entry_for_another, Code.ENTRY)
    yield Case(
        "first log: an entry for another key",
        lambda: _entry_for_another(log=SIGSTORE.first_log),
        Code.ENTRY,
    )
    yield Case("log: an entry of another content", _entry_of_another_content, Code.ENTRY)
    stamps = fake.TimestampAuthority("stranger")
    yield Case("timestamp: a stranger's", lambda: second(stamps=stamps), Code.TIMESTAMP)
    bad = fake.TimestampAuthority("bad", usages=(ExtendedKeyUsageOID.CODE_SIGNING,))
    trusting: Root = lambda r: r.update(timestampAuthorities=[Sigstore.tsa(bad)])  # noqa: E731
    yield Case(
        "timestamp: by who may not stamp", lambda: second(stamps=bad), Code.TIMESTAMP, root=trusting
    )
    yield Case(
        "timestamp: authority not yet in service",
        second,
        Code.TIMESTAMP,
        root=_window("timestampAuthorities", 1),
    )
    yield Case(
        "timestamp: authority retired before",
        second,
        Code.TIMESTAMP,
        root=_window("timestampAuthorities", -1),
    )
    yield Case(
        "timestamp: none is trusted",
        second,
        Code.TIMESTAMP,
        root=lambda r: r.update(timestampAuthorities=[]),
    )


def _as(document: Document, log: fake.Log) -> Document:
    document["verificationMaterial"]["tlogEntries"][0]["logId"]["keyId"] = fake.b64(log.id)
    return document


def _entry_for_another(log: fake.Log | None = None) -> Document:
    """CVE-2022-36056: a log entry that is sound, of a signature by somebody else over the same content."""
    document = by_key(log=log or SIGSTORE.log)
    theirs = by_key(signer=OTHER_KEY, log=log or SIGSTORE.log)
    document = second() if log is None else first()
    document["verificationMaterial"]["tlogEntries"] = theirs["verificationMaterial"]["tlogEntries"]
    return document


def _entry_of_another_content() -> Document:
    signer = leaf()
    document = second(signer=signer)
    theirs = fake.bundle(signer, fake.statement(OTHER), log=SIGSTORE.log)
    document["verificationMaterial"]["tlogEntries"] = theirs["verificationMaterial"]["tlogEntries"]
    return document


def _entries() -> Iterator[Case]:
    """Entries that no log should have made, and some that look odd and are sound."""
    logged = holder(accept_unlogged="")
    yield Case(
        "entry: of the second kind with a time",
        _with(second, f"{LOG}.integratedTime", "1764000000"),
        Code.PROMISE,
    )
    epoch = SIGNED_AT.fromtimestamp(0, SIGNED_AT.tzinfo)
    yield Case(
        "entry: promised at no time",
        lambda: old_by_key(log=SIGSTORE.first_log, at=epoch),
        Code.PROMISE,
        logged,
    )
    unpromised = lambda: _promised(old_by_key(log=SIGSTORE.first_log), "")  # noqa: E731 - a row of a table
    yield Case("entry: an empty promise", unpromised, Code.PROMISE, logged)
    yield Case(
        "entry: of the second kind without a proof", _second_in_first, Code.MALFORMED, logged
    )
    yield Case("entry: over a weak hash", lambda: _recorded("sha256", "sha1"), Code.ENTRY, logged)
    own = fake.pem(KEY)
    for what, text in (
        ("no key", "hello"),
        ("half a key", own.replace("BEGIN PUBLIC", "BEGIN RUBLIC")),
        ("two keys", own * 2),
        ("a private key", own.replace("PUBLIC", "PRIVATE")),
        ("another key", fake.pem(OTHER_KEY)),
    ):
        verifiers = fake.b64(own.encode()), fake.b64(text.encode())
        yield Case(f"entry: of {what}", partial(_recorded, *verifiers), Code.ENTRY, logged)
    yield Case(
        "entry: of another kind of record",
        lambda: _recorded('"hashedrekord"', '"rekord"'),
        Code.ENTRY,
        logged,
    )
    unlogged = alice(accept_unlogged=UNLOGGED)
    promise = f"{LOG}.inclusionPromise.signedEntryTimestamp"
    stamped = lambda: first(stamps=SIGSTORE.stamps)  # noqa: E731
    yield Case(
        "unlogged accepted: a bad entry is passed over",
        change(stamped, promise, flipped),
        None,
        unlogged,
    )
    yield Case(
        "unlogged accepted: and only the present is left",
        change(first, promise, flipped),
        Code.EXPIRED,
        unlogged,
    )

    def again(root: Document) -> None:
        later = json.loads(json.dumps(root["tlogs"][1]))
        later["publicKey"]["validFor"] = {"start": "2026-11-24T00:00:00Z"}
        root["tlogs"].insert(0, later)

    yield Case("log: its key was in service twice", first, None, root=again)
    for kind in ("P-384", "P-521", "rsa"):
        key = fake.new_key(kind)
        signer = logged.replace(key=fake.pem(key))
        yield Case(
            f"key: {kind} in the second log",
            partial(by_key, signer=key, log=SIGSTORE.log),
            None,
            signer,
        )
        yield Case(
            f"key: {kind} in the first log",
            partial(old_by_key, signer=key, log=SIGSTORE.first_log),
            None,
            signer,
        )
        yield Case(f"who: {kind} in the second log", partial(second, signer=leaf(key=key)), None)
    for kind in ("P-384", "P-521"):  # as cosign signs with --key where it is told so, and verifies
        key = fake.new_key(kind)
        signer = holder(key=fake.pem(key))
        yield Case(
            f"key: {kind} over SHA-256",
            partial(by_key, signer=key, hash_=hashes.SHA256()),
            None,
            signer,
        )
        yield Case(
            f"key: {kind} over SHA-224",
            partial(by_key, signer=key, hash_=hashes.SHA224()),
            Code.BAD_SIGNATURE,
            signer,
        )
    key = fake.new_key("ed25519")
    yield Case("key: ed25519", partial(by_key, signer=key), None, holder(key=fake.pem(key)))
    yield Case(
        "key: another ed25519",
        partial(by_key, signer=fake.new_key("ed25519"), hint=""),
        Code.BAD_SIGNATURE,
        holder(key=fake.pem(key)),
    )
    rsa = fake.new_key("rsa")
    yield Case("key: rsa", partial(by_key, signer=rsa), None, holder(key=fake.pem(rsa)))


def _with(make: Callable[[], Document], path: str, value: object) -> Callable[[], Document]:
    """Add a member that was not there."""

    def changed() -> Document:
        document = make()
        inner, name = at(document, path)
        inner[name] = value
        return document

    return changed


def _promised(layer: Layer, promise: str) -> Layer:
    said = json.loads(layer.annotations["dev.sigstore.cosign/bundle"])
    said["SignedEntryTimestamp"] = promise
    return _written(layer, "dev.sigstore.cosign/bundle", json.dumps(said))


def _in_first_log(body: bytes, layer: Layer) -> Layer:
    """Have the first log promise any body at all."""
    kind = json.loads(body)
    said = (kind.get("kind", ""), kind.get("apiVersion", ""))
    entry = SIGSTORE.first_log.add(body, said)
    promised = {
        "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
        "Payload": {
            "body": fake.b64(body),
            "integratedTime": int(entry["integratedTime"]),
            "logIndex": int(entry["logIndex"]),
            "logID": SIGSTORE.first_log.id.hex(),
        },
    }
    return _written(layer, "dev.sigstore.cosign/bundle", json.dumps(promised))


def _second_in_first() -> Layer:
    layer = old_by_key()
    signature = b64decode(layer.annotations["dev.cosignproject.cosign/signature"])
    return _in_first_log(fake.body_v2(KEY, layer.content, signature), layer)


def _recorded(before: str, after: str) -> Layer:
    """A record that says something else."""
    layer = old_by_key()
    signature = b64decode(layer.annotations["dev.cosignproject.cosign/signature"])
    body = fake.body_v1(KEY, layer.content, signature).decode()
    assert before in body
    return _in_first_log(body.replace(before, after, 1).encode(), layer)


# Statements -------------------------------------------------------------------------------------------------------


def _stated(content: bytes, **fields: Any) -> Callable[[], Document]:
    return lambda: fake.bundle(KEY, content, **fields)


def _digest(text: str) -> Document:
    return {"digest": {"sha256": text}}


def _statements() -> Iterator[Case]:
    key = holder()
    rows: list[tuple[str, bytes, Code | None]] = [
        ("another image", fake.statement(OTHER), Code.WRONG_SUBJECT),
        ("no subject", statement(subject=[]), Code.WRONG_SUBJECT),
        ("a digest of another kind", statement(subject=[{"digest": {"sha512": GOOD.hex}}]), Code.WRONG_SUBJECT),
        ("a digest in upper case", statement(subject=[_digest(GOOD.hex.upper())]), Code.WRONG_SUBJECT),
        ("a digest and its kind", statement(subject=[_digest(str(GOOD))]), Code.WRONG_SUBJECT),
        ("one of two images", statement(subject=[_digest(OTHER.hex), _digest(GOOD.hex)]), None),
        ("an attestation", statement(predicate_type=SLSA), Code.PREDICATE),
        ("no kind", statement(predicateType=""), Code.PREDICATE),
        ("the older statement", statement(_type="https://in-toto.io/Statement/v0.1"), None),
        ("a statement to come", statement(_type="https://in-toto.io/Statement/v9"), Code.MALFORMED),
        ("no JSON", b"hello", Code.MALFORMED),
        ("a member twice", statement()[:-1] + b',"predicateType":"x"}', Code.MALFORMED),
    ]  # fmt: skip
    for name, content, code in rows:
        yield Case(f"statement: {name}", _stated(content), code, key)
    yield Case(
        "statement: in another envelope",
        _stated(statement(), payload_type="text/plain"),
        Code.MALFORMED,
        key,
    )
    said = _stated(statement(annotations={"env": "prod", "n": "1"}))
    for annotations, code in (
        ((("env", "prod"),), None),
        ((("env", "prod"), ("n", "1")), None),
        ((("env", "test"),), Code.ANNOTATIONS),
        ((("team", "pay"),), Code.ANNOTATIONS),
        ((("ENV", "prod"),), Code.ANNOTATIONS),
    ):
        yield Case(f"annotations: {annotations}", said, code, holder(annotations=annotations))
    yield Case(
        "claims: a bundle names no image", by_key, Code.WRONG_SUBJECT, holder(claims="repository")
    )
    slsa = holder(predicate=SLSA)
    yield Case("attestation: of the kind", _stated(statement(predicate_type=SLSA)), None, slsa)
    yield Case(
        "attestation: of another kind",
        _stated(statement(predicate_type=SLSA + "1")),
        Code.PREDICATE,
        slsa,
    )
    yield Case("attestation: a signature", by_key, Code.PREDICATE, slsa)
    yield Case(
        "attestation: of another image",
        _stated(fake.statement(OTHER, SLSA)),
        Code.WRONG_SUBJECT,
        slsa,
    )


def _legacy() -> Iterator[Case]:
    key = holder()
    here = "registry.example.test/team/pay"
    payloads: list[tuple[str, bytes, Code | None]] = [
        ("another image", fake.simple(OTHER), Code.WRONG_SUBJECT),
        ("another type", fake.simple(GOOD).replace(b"cosign container", b"some other"), Code.MALFORMED),
        ("the specification's type", fake.simple(GOOD).replace(b"cosign container image", b"atomic container"), None),
        ("no digest", fake.simple(GOOD).replace(b"docker-manifest-digest", b"digest"), Code.MALFORMED),
        ("no JSON", b"hello", Code.MALFORMED),
        ("podman's words", fake.simple(GOOD, optional={"creator": "podman", "timestamp": 1764000000}), None),
    ]  # fmt: skip
    for name, content, code in payloads:
        yield Case(f"payload: {name}", partial(fake.legacy, KEY, content), code, key)
    for name, repository, claims, code in (
        ("its repository", here, "repository", None),
        ("its repository, with a tag", f"{here}:v2", "repository", None),
        ("another repository", f"{here}/x", "repository", Code.WRONG_SUBJECT),
        ("another registry", here.replace("example", "evil"), "repository", Code.WRONG_SUBJECT),
        ("no name", "", "repository", Code.WRONG_SUBJECT),
        ("its tag", f"{here}:v1", "exact", None),
        ("another tag", f"{here}:v2", "exact", Code.WRONG_SUBJECT),
        ("no tag", here, "exact", Code.WRONG_SUBJECT),
        ("anything", "elsewhere.test/x", "ignore", None),
    ):
        payload = fake.simple(GOOD, repository)
        signer = holder(claims=claims)
        yield Case(
            f"claims {claims}: {name}",
            partial(fake.legacy, KEY, payload),
            code,
            signer,
        )
    yield Case(
        "old: payload changed",
        lambda: old()._replace(content=fake.simple(GOOD, "x.test/y")),
        Code.ENTRY,
    )
    yield Case(
        "old key: payload changed",
        lambda: old_by_key()._replace(content=fake.simple(GOOD, "x.test/y")),
        Code.BAD_SIGNATURE,
        key,
    )
    yield Case(
        "old: another's entry",
        lambda: _annotated(old(), "dev.sigstore.cosign/bundle", old()),
        Code.ENTRY,
    )
    yield Case(
        "old: another's certificate",
        lambda: _annotated(old(), "dev.sigstore.cosign/certificate", old()),
        Code.ENTRY,
    )
    yield Case(
        "old: no entry",
        lambda: _annotated(old(), "dev.sigstore.cosign/bundle", None),
        Code.NOT_LOGGED,
    )
    yield Case("old: no chain", lambda: _annotated(old(), "dev.sigstore.cosign/chain", None), None)
    yield Case(
        "old: no signature",
        lambda: _annotated(old(), "dev.cosignproject.cosign/signature", None),
        Code.MALFORMED,
    )
    yield Case(
        "old: entry is no JSON",
        lambda: _written(old(), "dev.sigstore.cosign/bundle", "{"),
        Code.MALFORMED,
    )
    yield Case(
        "old: certificate is no PEM",
        lambda: _written(old(), "dev.sigstore.cosign/certificate", "x"),
        Code.MALFORMED,
    )
    yield Case("old: time changed", lambda: _integrated(old(), 1), Code.PROMISE)
    yield Case("old: log id changed", lambda: _log_id(old()), Code.NOT_LOGGED)
    yield Case("old: certificate long over", lambda: old(at=SIGNED_AT + fake.LIFE), Code.EXPIRED)
    yield Case(
        "old: stamped, and in no log",
        lambda: old(log=None, stamps=SIGSTORE.stamps),
        None,
        alice(accept_unlogged=UNLOGGED),
    )
    yield Case(
        "old: neither stamped nor in a log",
        lambda: old(log=None),
        Code.EXPIRED,
        alice(accept_unlogged=UNLOGGED),
    )
    slsa, content = holder(predicate=SLSA), statement(predicate_type=SLSA)

    def attested(**fields: Any) -> Layer:
        return fake.legacy_attestation(KEY, content, **fields)

    yield Case("old attestation: by a key", attested, None, slsa, suffix="att")
    logged = holder(predicate=SLSA, accept_unlogged="")
    yield Case(
        "old attestation: logged",
        lambda: attested(log=SIGSTORE.first_log),
        None,
        logged,
        suffix="att",
    )
    stamped = holder(predicate=SLSA, timestamped=True)
    yield Case(
        "old attestation: stamped",
        lambda: attested(stamps=SIGSTORE.stamps),
        None,
        stamped,
        suffix="att",
    )
    yield Case("old attestation: not logged", attested, Code.NOT_LOGGED, logged, suffix="att")
    by_alice = alice(predicate=SLSA)
    yield Case(
        "old attestation: by an identity",
        lambda: fake.legacy_attestation(leaf(), content, log=SIGSTORE.first_log),
        None,
        by_alice,
        suffix="att",
    )


def _annotated(layer: Layer, name: str, other: Layer | None) -> Layer:
    if other is None:
        del layer.annotations[name]
    else:
        layer.annotations[name] = other.annotations[name]
    return layer


def _written(layer: Layer, name: str, text: str) -> Layer:
    layer.annotations[name] = text
    return layer


def _integrated(layer: Layer, seconds: int) -> Layer:
    said = json.loads(layer.annotations["dev.sigstore.cosign/bundle"])
    said["Payload"]["integratedTime"] += seconds
    return _written(layer, "dev.sigstore.cosign/bundle", json.dumps(said))


def _log_id(layer: Layer) -> Layer:
    said = json.loads(layer.annotations["dev.sigstore.cosign/bundle"])
    said["Payload"]["logID"] = "0" * 64
    return _written(layer, "dev.sigstore.cosign/bundle", json.dumps(said))


def _own_authority() -> Iterator[Case]:
    """An authority without Fulcio: certificates that last, no certificate log, no transparency log."""
    own = fake.Authority("own")
    ca = fake.pem_of(own.chain[-1])
    signer = CosignSigner(
        name="factory",
        ca=(ca,),
        ca_subject=ALICE,
        accept_unlogged=UNLOGGED,
        accept_uncertified=UNLOGGED,
    )
    year = timedelta(days=365)

    def made(**fields: Any) -> Document:
        return fake.bundle(own.issue(issuer="", life=year, sct=False, **fields), statement())

    intermediate = signer.replace(ca=(fake.pem_of(own.chain[0]), ca))
    yield Case("own authority: its leaf", lambda: _chained(made(), own), None, signer)
    yield Case("own authority: its intermediate is known", made, None, intermediate)
    yield Case("own authority: its intermediate is missing", made, Code.BAD_CHAIN, signer)
    yield Case(
        "own authority: somebody else",
        lambda: _chained(made(subject="bob@example.test"), own),
        Code.IDENTITY,
        signer,
    )
    yield Case(
        "own authority: anybody",
        lambda: _chained(made(subject="bob@example.test"), own),
        None,
        signer.replace(ca_subject=""),
    )
    yield Case(
        "own authority: over",
        lambda: _chained(made(at=SIGNED_AT - year), own),
        Code.EXPIRED,
        signer,
    )
    yield Case(
        "own authority: another one",
        lambda: _chained(made(), fake.Authority("x")),
        Code.BAD_CHAIN,
        signer,
    )
    yield Case(
        "own authority: unlogged",
        lambda: _chained(made(), own),
        Code.NOT_LOGGED,
        signer.replace(accept_unlogged=""),
    )
    stranger = fake.Authority("own")

    def theirs() -> Document:
        leaf_ = stranger.issue(issuer="", life=year, sct=False)
        return _chained(fake.bundle(leaf_, statement()), stranger)

    yield Case("own authority: one by the same name", theirs, Code.BAD_CHAIN, signer)


def _chained(document: Document, authority: fake.Authority) -> Document:
    """Carry the intermediate too, as version 0.2 of bundles can."""
    material = document["verificationMaterial"]
    der = material.pop("certificate")["rawBytes"]
    chain = [{"rawBytes": der}, {"rawBytes": fake.b64(authority.chain[0])}]
    material["x509CertificateChain"] = {"certificates": chain}
    document["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2"
    return document


CASES: tuple[Case, ...] = (
    *_good(),
    *_flips(),
    *_parts(),
    *_signers(),
    *_witnesses(),
    *_certificates(),
    *_logs(),
    *_entries(),
    *_statements(),
    *_legacy(),
    *_own_authority(),
)
