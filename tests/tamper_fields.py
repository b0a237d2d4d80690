"""Every part of every form of cosign's signatures: changed, missing, empty, another's, twice. Tables of what follows.

A column has the code that a verifier must answer with, ``ok`` where the image is vouched for all the same (each such
place says why below), and ``-`` where the part cannot be broken so: a bit in a list, a log's name that all share.
"""

import copy
import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, NamedTuple

import fake_blobs as blobs
import fake_sigstore as fake
from countermark.core.errors import Code, EvidenceError
from countermark.core.signer import CosignSigner
from countermark.formats import trusted_root
from countermark.schemes.cosign import artifacts, check
from countermark.schemes.cosign.material import Artifact
from countermark.schemes.cosign.verifier import wanted_of
from fake_sigstore import Document, Layer
from tamper_cosign import FORMS, KEY, SIGSTORE, Case, alice, flipped, holder, leaf
from world import NOW

WAYS = ("changed", "missing", "empty", "another's", "twice")
TEXTS = (
    "mediaType", "payloadType", "kind", "version", "algorithm", "logID", "_type", "predicateType", "env", "sha256",
    "type", "docker-reference", "docker-manifest-digest", "apiVersion", "value", "keyDetails", "organization",
    "commonName", "uri", "hashAlgorithm",
)  # fmt: skip
PEMS = ("dev.sigstore.cosign/certificate", "dev.sigstore.cosign/chain", "cert")
LOGGED = holder(accept_unlogged="")


# How a part is broken -------------------------------------------------------------------------------------------

Path = tuple[str | int, ...]


def parts(value: object, path: Path = ()) -> Iterator[Path]:
    """Every place in a document; of an inclusion proof's hashes the first, since how many there are is the log's."""
    inner: Any = value.items() if isinstance(value, dict) else ()
    for name, member in enumerate(value[:1]) if isinstance(value, list) else inner:
        yield (*path, name)
        yield from parts(member, (*path, name))


def member(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def changed(name: str | int, value: Any) -> Any:
    """The same with one bit, letter or unit different; None where there is nothing to change."""
    if isinstance(value, int):
        return value + 1
    if not isinstance(value, str) or not value:
        return None
    if name in TEXTS:
        return ("0" if value[0] != "0" else "1") + value[1:]
    if isinstance(name, str) and name in CHANGES:
        return CHANGES[name](value)
    if value.startswith("{"):  # a payload
        return value + " "
    return str(int(value) + 1) if value.isdecimal() else flipped(value)


def _other_certificate(text: str) -> str:
    """PEM, or base64 of it, with another bit in the first certificate's signature."""
    is_pem = text.startswith("-----")
    pem = text if is_pem else b64decode(text).decode()
    body, _, rest = pem.partition("-----END")
    der = b64decode("".join(body.splitlines()[1:]))
    bent = fake.pem_of(der[:-2] + bytes([der[-2] ^ 1]) + der[-1:])
    made = bent + rest.partition("-----\n")[2]
    return made if is_pem else fake.b64(made.encode())


CHANGES: dict[str, Callable[[str], str]] = {
    "envelope": lambda text: text.replace("\n", "\n1", 1),  # a checkpoint's size
    "baseUrl": lambda text: text.replace("example", "evil"),
    "start": lambda text: text.replace("2026", "2027"),  # after the signature
    **dict.fromkeys(PEMS, _other_certificate),
}


def broken(way: str, document: Document, foreign: Document, path: Path) -> Document | None:
    """A copy of which one part is broken in one way; None where it cannot be."""
    made = copy.deepcopy(document)
    inner, name = member(made, path[:-1]), path[-1]
    value = inner[name]
    if way == "missing":
        del inner[name]
        return made
    if way == "changed":
        inner[name] = changed(name, value)
    elif way == "empty":
        inner[name] = None if isinstance(value, int) else type(value)()
    elif way == "twice":
        inner[name] = [*value, value[0]] if isinstance(value, list) and value else None
    else:
        other = _foreign(foreign, path)
        inner[name] = other if other != value else None
    return made if inner[name] is not None and inner[name] != value else None


def _foreign(foreign: Document, path: Path) -> Any:
    try:
        return copy.deepcopy(member(foreign, path))
    except (KeyError, IndexError):
        return None


# Older signatures as documents ------------------------------------------------------------------------------------


def opened(layer: Layer) -> Document:
    """A layer as one document, so that the parts of its annotations are parts of it."""
    inner = {
        name: json.loads(text) if text.startswith("{") else text
        for name, text in layer.annotations.items()
    }
    return {"annotations": inner, "content": layer.content.decode()}


def closed(document: Document, like: Layer) -> Layer:
    inner = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in document.get("annotations", {}).items()
    }
    return like._replace(content=document.get("content", "").encode(), annotations=inner)


# Files ------------------------------------------------------------------------------------------------------------


def _chained(document: Document, version: str) -> Document:
    """As older bundles are: with the whole chain."""
    material = document["verificationMaterial"]
    first = material.pop("certificate")["rawBytes"]
    chain = [first, *map(fake.b64, SIGSTORE.authority.chain)]
    material["x509CertificateChain"] = {"certificates": [{"rawBytes": each} for each in chain]}
    document["mediaType"] = f"application/vnd.dev.sigstore.bundle+json;version={version}"
    return document


FILES: dict[str, tuple[Callable[[], Document], CosignSigner]] = {
    "file": (lambda: blobs.bundle(leaf(), log=SIGSTORE.log, stamps=SIGSTORE.stamps), alice()),
    "file in first log": (lambda: blobs.bundle(leaf(), log=SIGSTORE.first_log), alice()),
    "file in 0.2": (
        lambda: _chained(blobs.bundle(leaf(), log=SIGSTORE.first_log), "0.2"),
        alice(),
    ),
    "file in 0.1": (
        lambda: _chained(blobs.bundle(leaf(), log=SIGSTORE.first_log), "0.1"),
        alice(),
    ),
    "file by key": (lambda: blobs.bundle(KEY), holder()),
    "file before bundles": (lambda: blobs.old_bundle(leaf(), log=SIGSTORE.first_log), alice()),
    "file before bundles by key": (
        lambda: blobs.old_bundle(KEY, log=SIGSTORE.first_log),
        LOGGED,
    ),
}


def judged_file(content: bytes, signer: CosignSigner) -> Code | None:
    """What is said of a signed file: None where it counts."""
    file = Artifact(lambda name: sha256(blobs.BLOB).digest(), lambda: blobs.BLOB)
    root = trusted_root.parse(SIGSTORE.trusted_root())
    read = artifacts.of_bundle if b'"mediaType"' in content else artifacts.of_blob_bundle
    try:
        made = read(content, file, "x")
        check.check(made, wanted_of(signer, file, NOW, root).replace(accept_chain=True))
    except EvidenceError as error:
        return error.code
    return None


# Tables ------------------------------------------------------------------------------------------------------------
# part, changed, missing, empty, another's, twice. A word in capitals is what the form says that it is.

MATERIAL = """
mediaType              malformed  malformed  malformed  -      -
verificationMaterial   -          malformed  malformed  ALIEN  -
"""
CERTIFICATE = """
certificate            -          malformed  malformed  entry  -
certificate rawBytes   entry      malformed  malformed  entry  -
"""
# The first certificate of a chain is whom it is by; those above are the trusted root's.
CHAIN = """
x509CertificateChain                           -      malformed  malformed  entry  -
x509CertificateChain certificates              -      malformed  malformed  entry  ok
x509CertificateChain certificates 0            -      entry      malformed  entry  -
x509CertificateChain certificates 0 rawBytes   entry  malformed  malformed  entry  -
"""
# A hint may be missing: what counts is whether the key verifies.
PUBLIC_KEY = """
publicKey        -             malformed  ok  -  -
publicKey hint   key-material  ok         ok  -  -
"""
# PLACE, BODY: what binds them. The hash beside an entry may be that of another's entry too.
ENTRIES = """
tlogEntries                                         -           not-logged  not-logged  entry      malformed
tlogEntries 0                                       -           not-logged  malformed   entry      -
tlogEntries 0 logIndex                              PLACE       PLACE       malformed   PLACE      -
tlogEntries 0 logId                                 -           malformed   not-logged  -          -
tlogEntries 0 logId keyId                           not-logged  not-logged  not-logged  -          -
tlogEntries 0 kindVersion                           -           malformed   entry       -          -
tlogEntries 0 kindVersion kind                      entry       entry       entry       -          -
tlogEntries 0 kindVersion version                   entry       entry       entry       -          -
tlogEntries 0 inclusionProof                        -           PROOFLESS   malformed   inclusion  -
tlogEntries 0 inclusionProof logIndex               inclusion   inclusion   malformed   inclusion  -
tlogEntries 0 inclusionProof rootHash               inclusion   inclusion   inclusion   inclusion  -
tlogEntries 0 inclusionProof treeSize               inclusion   inclusion   malformed   inclusion  -
tlogEntries 0 inclusionProof hashes                 -           inclusion   inclusion   inclusion  inclusion
tlogEntries 0 inclusionProof hashes 0               inclusion   inclusion   inclusion   -          -
tlogEntries 0 inclusionProof checkpoint             -           malformed   malformed   inclusion  -
tlogEntries 0 inclusionProof checkpoint envelope    checkpoint  malformed   malformed   inclusion  -
tlogEntries 0 canonicalizedBody                     BODY        malformed   BODY        BODY       -
"""
# TIMELESS: an entry without a promise proves that it is there, and no time.
PROMISED = """
tlogEntries 0 integratedTime                           promise  promise    malformed  -        -
tlogEntries 0 inclusionPromise                         -        TIMELESS   malformed  promise  -
tlogEntries 0 inclusionPromise signedEntryTimestamp    promise  malformed  TIMELESS   promise  -
"""
# The same timestamp twice counts once.
STAMPS = """
timestampVerificationData                                       -          no-timestamp  no-timestamp  timestamp  -
timestampVerificationData rfc3161Timestamps                     -          no-timestamp  no-timestamp  timestamp  ok
timestampVerificationData rfc3161Timestamps 0                   -          no-timestamp  malformed     timestamp  -
timestampVerificationData rfc3161Timestamps 0 signedTimestamp   timestamp  malformed     malformed     timestamp  -
"""
# BOUND: what notices first; where no log does, another signature by the same key over the same is as good: ALIEN.
ENVELOPE = """
dsseEnvelope                    -      malformed  malformed  ALIEN  -
dsseEnvelope payload            BOUND  malformed  BOUND      -      -
dsseEnvelope payloadType        TYPE   malformed  TYPE       -      -
dsseEnvelope signatures         -      malformed  malformed  ALIEN  malformed
dsseEnvelope signatures 0       -      malformed  malformed  ALIEN  -
dsseEnvelope signatures 0 sig   BOUND  malformed  BOUND      ALIEN  -
"""
# The digest is for whoever has no file at hand: where it is missing the signature is checked all the same
MESSAGE = """
messageSignature                           -              malformed  malformed  ALIEN  -
messageSignature messageDigest             -              ok         ok         -      -
messageSignature messageDigest algorithm   malformed      malformed  malformed  -      -
messageSignature messageDigest digest      wrong-subject  malformed  malformed  -      -
messageSignature signature                 BOUND          malformed  BOUND      ALIEN  -
"""
# All annotations of another's signature of the same image are just that.
LAYER = """
annotations                                      -      malformed  malformed  ok     -
annotations dev.cosignproject.cosign/signature   BOUND  malformed  BOUND      ALIEN  -
content                                          BOUND  BOUND      BOUND      -      -
"""
# The chain is for those who trust an authority of their own.
LAYER_CERTIFICATE = """
annotations dev.sigstore.cosign/certificate   entry  entry  entry  entry  -
annotations dev.sigstore.cosign/chain         ok     ok     ok     -      -
"""
OLD_ENTRY = """
BUNDLE                        -           not-logged  malformed   entry    -
BUNDLE SignedEntryTimestamp   promise     malformed   promise     promise  -
BUNDLE Payload                -           malformed   malformed   promise  -
BUNDLE Payload body           malformed   malformed   malformed   promise  -
BUNDLE Payload integratedTime promise     malformed   -           -        -
BUNDLE Payload logIndex       promise     malformed   -           promise  -
BUNDLE Payload logID          not-logged  malformed   not-logged  -        -
"""
OLD_FILE = """
base64Signature   entry  malformed  entry  entry  -
"""
OLD_CERTIFICATE = """
cert   entry  key-material  key-material  entry  -
"""

MINE = "verificationMaterial"
LAYER_ENTRY = OLD_ENTRY.replace("BUNDLE", "annotations dev.sigstore.cosign/bundle")
FILE_ENTRY = OLD_ENTRY.replace("BUNDLE", "rekorBundle")


def inside(table: str) -> str:
    """A table of parts of the verification material."""
    return "\n".join(f"{MINE} {row}" for row in table.splitlines() if row)


def form(*tables: str, **words: str) -> str:
    """All tables of a form, with what its words stand for."""
    text = "\n".join(tables)
    for name, code in words.items():
        text = text.replace(name, code)
    return text


IN_SECOND = {"PLACE": "inclusion", "BODY": "entry", "PROOFLESS": "malformed"}
IN_FIRST = {"PLACE": "promise", "BODY": "promise", "PROOFLESS": "malformed"}
BY_LOG = {"BOUND": "entry", "ALIEN": "entry", "TYPE": "entry"}
BY_LOG_1 = BY_LOG | {
    "TYPE": "bad-signature"
}  # what the first kind logs of an envelope has no type in it
BY_KEY = {"BOUND": "bad-signature", "TYPE": "bad-signature"}
ONLY_KEY = form(MATERIAL, ALIEN="-") + inside(PUBLIC_KEY)
LOGS = inside(ENTRIES)
LOGS_1 = form(inside(ENTRIES), inside(PROMISED))
UNTIMED = IN_FIRST | {"TIMELESS": "no-timestamp"}
TABLES: dict[str, str] = {
    "second": form(
        MATERIAL, inside(CERTIFICATE), LOGS, inside(STAMPS), ENVELOPE, **IN_SECOND, **BY_LOG
    ),
    "first": form(MATERIAL, inside(CERTIFICATE), LOGS_1, ENVELOPE, **UNTIMED, **BY_LOG_1),
    "old": form(LAYER, LAYER_CERTIFICATE, LAYER_ENTRY, **BY_LOG),
    "key": form(ONLY_KEY, ENVELOPE, **BY_KEY, ALIEN="ok"),
    "logged key": form(MATERIAL, inside(PUBLIC_KEY), LOGS, ENVELOPE, **IN_SECOND, **BY_LOG),
    "key in first log": form(
        MATERIAL, inside(PUBLIC_KEY), LOGS_1, ENVELOPE, **IN_FIRST, **BY_LOG_1, TIMELESS="ok"
    ),
    "old key": form(LAYER, **BY_KEY, ALIEN="ok"),
    "old logged key": form(LAYER, LAYER_ENTRY, **BY_LOG),
    "file": form(
        MATERIAL, inside(CERTIFICATE), LOGS, inside(STAMPS), MESSAGE, **IN_SECOND, **BY_LOG
    ),
    "file in first log": form(
        MATERIAL, inside(CERTIFICATE), LOGS_1, MESSAGE, **UNTIMED, **BY_LOG_1
    ),
    "file in 0.2": form(MATERIAL, inside(CHAIN), LOGS_1, MESSAGE, **UNTIMED, **BY_LOG_1),
    "file in 0.1": form(
        MATERIAL, inside(CHAIN), LOGS_1, MESSAGE,
        **UNTIMED | {"PROOFLESS": "ok", "TIMELESS": "malformed"}, **BY_LOG_1,
    ),
    "file by key": form(ONLY_KEY, MESSAGE, **BY_KEY, ALIEN="ok"),
    "file before bundles": form(OLD_FILE, OLD_CERTIFICATE, FILE_ENTRY),
    "file before bundles by key": form(OLD_FILE, FILE_ENTRY),
}  # fmt: skip


def rows(name: str) -> Iterator[tuple[Path, str, Code | None]]:
    """Part, way and code of everything in a form's tables."""
    return read_table(TABLES[name])


def read_table(table: str) -> Iterator[tuple[Path, str, Code | None]]:
    """Part, way and code of everything in a table."""
    for line in filter(None, table.splitlines()):
        *words, changed_, missing, empty, anothers, twice = line.split()
        path = tuple(int(word) if word.isdigit() else word for word in words)
        codes = (changed_, missing, empty, anothers, twice)
        for way, code in zip(WAYS, codes, strict=True):
            if code != "-":
                yield path, way, None if code == "ok" else Code(code)


class FileCase(NamedTuple):
    """A broken signature of a file."""

    name: str
    make: Callable[[], bytes]
    code: Code | None
    signer: CosignSigner

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def document_of(made: Document | Layer) -> Document:
    return opened(made) if isinstance(made, Layer) else made


def remake(form: str, way: str, path: Path) -> Callable[[], Document | Layer | None]:
    """How the broken one is made, anew each time."""

    def make() -> Document | Layer | None:
        build = FORMS[form][0] if form in FORMS else FILES[form][0]
        good, other = build(), build()
        found = broken(way, document_of(good), document_of(other), path)
        return closed(found, good) if found is not None and isinstance(good, Layer) else found

    return make


def named(form_: str, way: str, path: Path) -> str:
    return f"{form_}: {way} {'.'.join(map(str, path))}"


def _demanded(make: Callable[[], Document | Layer | None]) -> Callable[[], Document | Layer]:
    def made() -> Document | Layer:
        found = make()
        assert found is not None, "this part cannot be broken so"
        return found

    return made


def _images() -> Iterator[Case]:
    for name, (_, signer) in FORMS.items():
        for path, way, code in rows(name):
            make = _demanded(remake(name, way, path))
            yield Case(named(name, way, path), make, code, signer)


def _files() -> Iterator[FileCase]:
    def written(make: Callable[[], Document | Layer]) -> Callable[[], bytes]:
        return lambda: fake.compact(make())

    for name, (_, signer) in FILES.items():
        for path, way, code in rows(name):
            make = written(_demanded(remake(name, way, path)))
            yield FileCase(named(name, way, path), make, code, signer)


IMAGE_CASES = tuple(_images())
FILE_CASES = tuple(_files())
