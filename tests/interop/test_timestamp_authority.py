"""Our timestamp authority beside sigstore's timestamp-server, input by input; and its timestamps before our eyes."""

import http.client
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from countermark.formats.signing_config import Selector, Service, SigningConfig
from countermark.formats.trusted_root import Authority, TrustedRoot
from countermark.proofs import der, signing_keys, timestamps
from countermark.proofs.timestamp_issuing import Stamper, issue_chain
from countermark.services.timestamp_authority import TimestampAuthority
from hosted_services import serving
from interop.cosign_peers import Cosign, go_program
from interop.timestamp_peers import TimestampServer
from servers import Server

MESSAGE = b"a signature"
PATH = "/api/v1/timestamp"
DER, JSON = "application/timestamp-query", "application/json"


class Ours:
    """Our service on loopback."""

    def __init__(self) -> None:
        key = signing_keys.generate()
        start = datetime.now(UTC).replace(microsecond=0)
        chain = issue_chain(key, "example", "stamps", start)
        service = TimestampAuthority(Stamper(key, chain), chain, lambda: datetime.now(UTC))
        self._server = Server(serving(service))
        self.address = self._server.address
        self.url = f"http://{self.address}{PATH}"
        self.authority = Authority(
            organization="example",
            common_name="stamps",
            uri=self.url,
            certificates=chain,
            start=start,
        )

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimestampServer]:
    program = go_program("timestamp-server")
    server = TimestampServer(program, tmp_path_factory.mktemp("timestamp-server"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def ours() -> Iterator[Ours]:
    server = Ours()
    yield server
    server.stop()


class Answer(NamedTuple):
    status: int
    kind: str
    cached: str
    body: bytes


def ask(address: str, method: str, path: str, body: bytes | None, kind: str | None) -> Answer:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request(method, path, body, {} if kind is None else {"Content-Type": kind})
        answer = connection.getresponse()
        told = answer.headers.get("Content-Type", ""), answer.headers.get("Cache-Control", "")
        return Answer(answer.status, *told, answer.read())
    finally:
        connection.close()


def told(answer: Answer) -> bytes:
    """Its body; with the kinds it would take in one order, as timestamp-server has one by chance for each start."""
    if answer.status != 415:
        return answer.body
    before, _, rest = answer.body.partition(b"only [")
    kinds, _, after = rest.partition(b"]")
    return b"%s|%s|%s" % (before, b" ".join(sorted(kinds.split(b" "))), after)


class Case(NamedTuple):
    body: bytes | None = None
    kind: str | None = DER
    method: str = "POST"
    path: str = PATH


def query(
    algorithm: str = "2.16.840.1.101.3.4.2.1",
    digest: bytes = sha256(MESSAGE).digest(),
    *,
    version: int = 1,
    parameters: bytes = b"\x05\x00",
    more: bytes = b"",
) -> bytes:
    imprint = der.sequence(
        der.sequence(der.oid(algorithm), parameters), der.tlv(der.OCTET_STRING, digest)
    )
    return der.sequence(der.integer(version), imprint, more)


def document(**members: object) -> bytes:
    usual = {
        "artifactHash": b64encode(sha256(MESSAGE).digest()).decode(),
        "hashAlgorithm": "sha256",
    }
    return json.dumps(usual | members).encode()


EXTENSION = der.tlv(0xA0, der.sequence(der.oid("1.2.3"), der.tlv(4, b"")))
SAME = {
    "plain": Case(query()),
    "without parameters": Case(query(parameters=b"")),
    "SHA-1": Case(query("1.3.14.3.2.26", bytes(20))),
    "SHA-1 of another length": Case(query("1.3.14.3.2.26", bytes(21))),
    "MD5": Case(query("1.2.840.113549.2.5", bytes(16))),
    "SHA-224": Case(query("2.16.840.1.101.3.4.2.4", bytes(28))),
    "digest too short": Case(query(digest=bytes(31))),
    "no digest": Case(query("2.16.840.1.101.3.4.2.4", b"")),
    "left over": Case(query() + b"\0"),
    "junk": Case(b"junk"),
    "2 MB": Case(bytes(2 << 20)),
    "no body": Case(b""),
    "no body, no kind": Case(None, None),
    "our policy": Case(query(more=der.oid("1.3.6.1.4.1.57264.2"))),
    "foreign policy": Case(query(more=der.oid("1.2.3.4"))),
    "negative nonce": Case(query(more=b"\x02\x01\xff")),
    "large nonce": Case(query(more=der.tlv(2, b"\x01" * 60))),
    "long nonce": Case(query(more=b"\x02\x02\x00\x01")),
    "certReq": Case(query(more=b"\x01\x01\xff")),
    "no certReq": Case(query(more=b"\x01\x01\x00")),
    "bad certReq": Case(query(more=b"\x01\x01\x01")),
    "extension": Case(query(more=EXTENSION)),
    "extension and foreign policy": Case(query(more=der.oid("1.2.3.4") + EXTENSION)),
    "no extensions": Case(query(more=der.tlv(0xA0))),
    "text": Case(query(), "text/plain"),
    "no kind": Case(query(), None),
    "empty kind": Case(query(), ""),
    "JSON": Case(document(certificates=True, nonce=123), JSON),
    "JSON in capitals": Case(document(hashAlgorithm="SHA256"), JSON),
    "JSON, SHA-1": Case(document(hashAlgorithm="sha1"), JSON),
    "JSON, MD5": Case(document(hashAlgorithm="md5"), JSON),
    "JSON, no algorithm": Case(b'{"artifactHash":"AAAA"}', JSON),
    "JSON, hex": Case(document(artifactHash=sha256(MESSAGE).hexdigest()), JSON),
    "JSON, no base64": Case(document(artifactHash="!!"), JSON),
    "JSON, no hash": Case(document(artifactHash=""), JSON),
    "JSON, our policy": Case(document(tsaPolicyOID="1.3.6.1.4.1.57264.2"), JSON),
    "JSON, foreign policy": Case(document(tsaPolicyOID="1.2.3"), JSON),
    "JSON, no policy": Case(document(tsaPolicyOID="a.b"), JSON),
    "JSON, policy of one": Case(document(tsaPolicyOID="1"), JSON),
    "JSON, long policy": Case(document(tsaPolicyOID=".".join(["1"] * 129)), JSON),
    "JSON, too long policy": Case(document(tsaPolicyOID=".".join(["1"] * 130)), JSON),
    "JSON, large nonce": Case(document(nonce=2**100), JSON),
    "JSON, nonce as text": Case(document(nonce="12"), JSON),
    "JSON, fraction": Case(document(nonce=1.5), JSON),
    "JSON, null": Case(document(nonce=None), JSON),
    "JSON, unknown member": Case(document(zz=1), JSON),
    "JSON, certificates as text": Case(document(certificates="yes"), JSON),
    "JSON, list": Case(b"[]", JSON),
    "JSON, nothing": Case(b"{}", JSON),
    "JSON, cut off": Case(b"{", JSON),
    "JSON, left over": Case(document() + b"x", JSON),
    "JSON, large": Case(document(zz="x" * 2000), JSON),
    "GET": Case(method="GET"),
    "PUT": Case(method="PUT"),
    "slash": Case(query(), path=f"{PATH}/"),
    "POST certchain": Case(path=f"{PATH}/certchain"),
    "ping": Case(method="GET", path="/ping"),
    "POST ping": Case(path="/ping"),
}
# what timestamp-server takes or breaks on, and ours does not: (theirs, ours)
DIFFERENT = {
    "another version": (Case(query(version=2)), 200, 400),
    "left over inside": (Case(query(more=der.tlv(4, b"x"))), 200, 400),
    "hash with parameters": (Case(query(parameters=b"\x04\x00")), 200, 400),
    "member twice": (Case(document(HASHALGORITHM="sha256"), JSON), 200, 400),
    "kind with a parameter": (Case(query(), f"{DER}; x=y"), 400, 200),
    "kind in capitals": (Case(query(), DER.upper()), 415, 200),
    "kind that is none": (Case(query(), "nonsense"), 400, 415),
}


@pytest.mark.parametrize("name", SAME)
def test_same_answer(name: str, theirs: TimestampServer, ours: Ours) -> None:
    case = SAME[name]
    expected = ask(theirs.address, case.method, case.path, case.body, case.kind)
    found = ask(ours.address, case.method, case.path, case.body, case.kind)
    assert found[:3] == expected[:3]
    if expected.status != 200 or case.path == "/ping":
        assert told(found) == told(expected)
        return
    one = timestamps.check(expected.body, MESSAGE, (theirs.authority,))
    other = timestamps.check(found.body, MESSAGE, (ours.authority,))
    assert one.nonce == other.nonce
    assert abs(one.time - other.time) < timedelta(seconds=60)
    has = [authority.certificates[0] for authority in (theirs.authority, ours.authority)]
    assert (has[0] in expected.body) == (has[1] in found.body)
    assert abs(len(expected.body) - len(found.body)) < 40


@pytest.mark.parametrize("name", DIFFERENT)
def test_other_answer(name: str, theirs: TimestampServer, ours: Ours) -> None:
    case, status, own = DIFFERENT[name]
    assert ask(theirs.address, case.method, case.path, case.body, case.kind).status == status
    assert ask(ours.address, case.method, case.path, case.body, case.kind).status == own


def test_certificates(theirs: TimestampServer, ours: Ours) -> None:
    found = [ask(each.address, "GET", f"{PATH}/certchain", None, None) for each in (theirs, ours)]
    assert found[0][:3] == found[1][:3]
    assert found[0].body.count(b"BEGIN CERTIFICATE") == found[1].body.count(b"BEGIN CERTIFICATE")


def test_cosign_stamps_and_verifies(cosign: Cosign, ours: Ours, tmp_path: Path) -> None:
    """cosign asks ours, believes what it says, and what it wrote is as good to us."""
    root, config = tmp_path / "trusted_root.json", tmp_path / "signing_config.json"
    root.write_bytes(TrustedRoot(timestamp_authorities=(ours.authority,)).encode())
    stamping = Service(url=ours.url, api_version=1, operator="example", start=ours.authority.start)
    config.write_bytes(
        SigningConfig(
            timestamp_authorities=(stamping,), timestamp_selector=Selector(kind="ANY")
        ).encode()
    )
    cosign("generate-key-pair").ok()
    blob, bundle = tmp_path / "blob", tmp_path / "bundle.json"
    blob.write_bytes(b"content")
    files = ("--key", "cosign.key", "--signing-config", config, "--trusted-root", root)
    cosign("sign-blob", *files, "--bundle", bundle, "-y", blob).ok()
    checks = ("--insecure-ignore-tlog", "--use-signed-timestamps", "--trusted-root", root)
    cosign("verify-blob", "--key", "cosign.pub", *checks, "--bundle", bundle, blob).ok()
    written = json.loads(bundle.read_text())
    (stamp,) = written["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    signature = b64decode(written["messageSignature"]["signature"])
    found = timestamps.check(b64decode(stamp["signedTimestamp"]), signature, (ours.authority,))
    assert found.nonce is None
