"""The timestamp authority over HTTP: each status and body that timestamp-server has, and what ours does better."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import new, sha256
from typing import Any

import pytest

from countermark.core import limits
from countermark.core.ports_sigstore import SigningKey
from countermark.formats.trusted_root import Authority
from countermark.proofs import der, signing_keys, timestamps
from countermark.proofs import timestamp_queries as queries
from countermark.proofs.timestamp_issuing import Stamper, issue_chain
from countermark.services.timestamp_authority import TimestampAuthority
from hosted_services import ask

NOW = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
MESSAGE = b"a signature"
KEY = signing_keys.generate()
CHAIN = issue_chain(KEY, "example", "stamps", NOW)
SERVICE = TimestampAuthority(Stamper(KEY, CHAIN), CHAIN, lambda: NOW)
TRUSTED = (
    Authority(organization="", common_name="", uri="", certificates=CHAIN, start=NOW, end=NOW),
)
DER, JSON = "application/timestamp-query", "application/json"
REPLY = "application/timestamp-reply"
UNREADABLE = "Error generating timestamp response"
LENGTH = "Message digest has incorrect length for specified algorithm"
POLICY = "unaccepted policy: requested TSA policy is not supported by the TSA"
OID = "OID should be comprised of at most 128 components"
PATH = "/api/v1/timestamp"


def post(
    body: bytes, kind: str = DER, service: TimestampAuthority = SERVICE, path: str = PATH
) -> Any:
    return ask(service, "POST", path, body, {"Content-Type": kind})


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


def document(**members: Any) -> bytes:
    usual = {
        "artifactHash": b64encode(sha256(MESSAGE).digest()).decode(),
        "hashAlgorithm": "sha256",
    }
    return json.dumps(usual | members).encode()


EXTENSION = der.sequence(der.oid("1.2.3"), der.tlv(4, b""))
BAD: dict[str, tuple[bytes, str]] = {
    "SHA-1": (query("1.3.14.3.2.26", bytes(20)), "Weak hash algorithm in timestamp request"),
    "SHA-1 of another length": (
        query("1.3.14.3.2.26", bytes(21)),
        "Weak hash algorithm in timestamp request",
    ),
    "MD5": (query("1.2.840.113549.2.5", bytes(16)), UNREADABLE),
    "SHA-224": (query("2.16.840.1.101.3.4.2.4", bytes(28)), UNREADABLE),
    "digest too short": (query(digest=bytes(31)), LENGTH),
    "left over": (query() + b"\0", UNREADABLE),
    "junk": (b"junk", UNREADABLE),
    "foreign policy": (query(more=der.oid("1.2.3.4")), POLICY),
    "nonce not in its shortest form": (query(more=b"\x02\x02\x00\x01"), UNREADABLE),
    "certReq neither true nor false": (query(more=b"\x01\x01\x01"), UNREADABLE),
    "extension": (
        query(more=der.tlv(0xA0, EXTENSION)),
        "unaccepted extension: requested extensions are not supported by the TSA",
    ),
    "extension and foreign policy": (
        query(more=der.oid("1.2.3.4") + der.tlv(0xA0, EXTENSION)),
        POLICY,
    ),
    "too large": (bytes(limits.TIMESTAMP_QUERY_BYTES + 1), UNREADABLE),
    # timestamp-server takes these
    "another version": (query(version=2), UNREADABLE),
    "left over inside": (query(more=der.tlv(4, b"x")), UNREADABLE),
    "hash with parameters": (query(parameters=b"\x04\x00"), UNREADABLE),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_queries(case: str) -> None:
    body, text = BAD[case]
    found = post(body)
    assert (found.status, found.json) == (400, {"code": 400, "message": text})
    assert found.headers["content-type"] == REPLY


GOOD = {
    "plain": query(),
    "without parameters": query(parameters=b""),
    "our policy": query(more=der.oid("1.3.6.1.4.1.57264.2")),
    "no certificate": query(more=b"\x01\x01\x00"),
    "no extensions": query(more=der.tlv(0xA0)),
    "negative nonce": query(more=b"\x02\x01\xff"),
}


@pytest.mark.parametrize("case", GOOD)
def test_good_queries(case: str) -> None:
    found = post(GOOD[case])
    assert found.status == 200
    assert found.pairs == [
        (
            "cache-control",
            "no-cache, no-store, no-transform, must-revalidate, private, max-age=0",
        ),
        ("expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("pragma", "no-cache"),
        ("x-accel-expires", "0"),
        ("content-type", REPLY),
    ]
    stamp = timestamps.check(found.body, MESSAGE, TRUSTED)
    assert stamp.time == NOW
    assert stamp.nonce == (-1 if case == "negative nonce" else None)


def test_certificate_comes_where_it_is_wanted() -> None:
    assert CHAIN[0] in post(query(more=b"\x01\x01\xff")).body
    assert CHAIN[0] not in post(query()).body


BAD_JSON: dict[str, tuple[bytes, str]] = {
    "SHA-1": (
        document(hashAlgorithm="sha1", artifactHash=b64encode(bytes(20)).decode()),
        "Weak hash algorithm in timestamp request",
    ),
    "MD5": (document(hashAlgorithm="md5"), UNREADABLE),
    "no algorithm": (document(hashAlgorithm=None), UNREADABLE),
    "hex": (document(artifactHash=sha256(MESSAGE).hexdigest()), LENGTH),
    "no hash": (document(artifactHash=None), LENGTH),
    "no base64": (document(artifactHash="!!"), UNREADABLE),
    "no text": (document(artifactHash=5), UNREADABLE),
    "base64 for URLs": (document(artifactHash="_" * 43 + "="), UNREADABLE),
    "foreign policy": (document(tsaPolicyOID="1.2.3"), POLICY),
    "policy of one number": (document(tsaPolicyOID="1"), POLICY),
    "negative policy": (document(tsaPolicyOID="1.-2"), POLICY),
    "no policy": (document(tsaPolicyOID="a.b"), OID),
    "policy with a hole": (document(tsaPolicyOID="1..2"), OID),
    "long policy": (document(tsaPolicyOID=".".join(["1"] * 130)), OID),
    "nonce as text": (document(nonce="12"), UNREADABLE),
    "nonce with a fraction": (document(nonce=1.5), UNREADABLE),
    "nonce that is true": (document(nonce=True), UNREADABLE),
    "certificates as text": (document(certificates="yes"), UNREADABLE),
    "a list": (b"[]", UNREADABLE),
    "null": (b"null", UNREADABLE),
    "nothing": (b"{}", UNREADABLE),
    "cut off": (b"{", UNREADABLE),
    "left over": (document() + b"x", UNREADABLE),
    "not UTF-8": (b"\xff", UNREADABLE),
    "more than a KiB": (document(zz="x" * 2000), "timestamp request is too large"),
    # timestamp-server takes the last
    "a member twice": (document(HASHALGORITHM="sha512"), UNREADABLE),
}


@pytest.mark.parametrize("case", BAD_JSON)
def test_bad_json(case: str) -> None:
    body, text = BAD_JSON[case]
    found = post(body, JSON)
    assert (found.status, found.json) == (400, {"code": 400, "message": text})
    assert found.headers["content-type"] == REPLY


GOOD_JSON: dict[str, tuple[bytes, int | None]] = {
    "plain": (document(), None),
    "nonce": (document(nonce=123), 123),
    "nonce 0": (document(nonce=0), 0),
    "nonce 128": (document(nonce=128), 128),
    "negative nonce": (document(nonce=-129), -129),
    "large nonce": (document(nonce=2**100), 2**100),
    "null": (document(nonce=None, certificates=None, tsaPolicyOID=None), None),
    "capitals": (document(hashAlgorithm="SHA256"), None),
    "unknown member": (document(zz=1), None),
    "our policy": (document(tsaPolicyOID="1.3.6.1.4.1.57264.2"), None),
    "line ends in base64": (
        document(
            artifactHash=b64encode(sha256(MESSAGE).digest()).decode()[:10]
            + "\r\n"
            + b64encode(sha256(MESSAGE).digest()).decode()[10:]
        ),
        None,
    ),
    "blanks": (b" " + document() + b"\n", None),
    "names in capitals": (document().replace(b"artifactHash", b"ARTIFACTHASH"), None),
}


@pytest.mark.parametrize("case", GOOD_JSON)
def test_good_json(case: str) -> None:
    body, nonce = GOOD_JSON[case]
    found = post(body, JSON)
    assert found.status == 200, found.body
    assert timestamps.check(found.body, MESSAGE, TRUSTED).nonce == nonce


def test_json_wants_a_certificate() -> None:
    assert CHAIN[0] in post(document(certificates=True), JSON).body


@pytest.mark.parametrize("name", ["sha384", "sha512"])
def test_json_of_other_hashes(name: str) -> None:
    digest = b64encode(new(name, MESSAGE).digest()).decode()
    found = post(document(hashAlgorithm=name, artifactHash=digest), JSON)
    assert timestamps.check(found.body, MESSAGE, TRUSTED).time == NOW


@pytest.mark.parametrize("kind", [DER, JSON, "text/plain"])
def test_no_body(kind: str) -> None:
    found = post(b"", kind)
    assert (found.status, found.body) == (
        422,
        b'{"code":602,"message":"request in body is required"}',
    )
    assert found.headers["content-type"] == JSON


@pytest.mark.parametrize(
    ("kind", "told"),
    [("text/plain", "text/plain"), ("", "application/octet-stream"), ("a&b", "a\\u0026b")],
)
def test_other_kinds_of_body(kind: str, told: str) -> None:
    found = post(query(), kind)
    text = f'{{"code":415,"message":"unsupported media type \\"{told}\\", only [{DER} {JSON}] are allowed"}}'
    assert (found.status, found.body) == (415, text.encode())
    assert found.headers["content-type"] == JSON
    assert found.headers["pragma"] == "no-cache"


@pytest.mark.parametrize("kind", [f"{DER}; x=y", DER.upper()])
def test_spellings_of_a_kind(kind: str) -> None:
    """timestamp-server 2.1.3 fails here; media types have parameters, and any case."""
    assert post(query(), kind).status == 200


@pytest.mark.parametrize("path", [PATH, f"{PATH}/", f"{PATH}?x=1"])
def test_addresses(path: str) -> None:
    assert post(query(), path=path).status == 200


def test_certificates() -> None:
    found = ask(SERVICE, "GET", f"{PATH}/certchain")
    assert found.status == 200
    assert found.pairs == [
        ("content-type", "application/pem-certificate-chain"),
        ("cache-control", "max-age=86400, immutable"),
    ]
    from countermark.proofs import x509

    assert tuple(each.der for each in x509.parse_pem(found.body)) == CHAIN


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", PATH, "POST"), ("HEAD", PATH, "POST"), ("POST", f"{PATH}/certchain", "GET")],
)
def test_wrong_methods(method: str, path: str, allowed: str) -> None:
    found = ask(SERVICE, method, path)
    text = f"method {method} is not allowed, but [{allowed}] are"
    assert (found.status, found.json) == (405, {"code": 405, "message": text})
    assert found.headers["allow"] == allowed
    assert "cache-control" not in found.headers


def test_ping() -> None:
    found = ask(SERVICE, "GET", "/ping")
    assert (found.status, found.body, found.headers["content-type"]) == (200, b".", "text/plain")


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "/x", "/x"),
        ("POST", "/ping", "/ping"),
        ("GET", "/api/v1/x%3Cy&z", "/api/v1/x%3Cy%26z"),
    ],
)
def test_nothing_there(method: str, path: str, told: str) -> None:
    found = ask(SERVICE, method, path)
    assert (found.status, found.json) == (
        404,
        {"code": 404, "message": f"path {told} was not found"},
    )


def test_serves() -> None:
    assert [
        path
        for path in ("/", "/ping", PATH, f"{PATH}/", f"{PATH}/certchain", f"{PATH}x", "/v2/")
        if SERVICE.serves(path)
    ] == ["/ping", PATH, f"{PATH}/", f"{PATH}/certchain"]


def test_our_own_trouble() -> None:
    """What is wrong with us is for our log; the asker learns that there is no timestamp."""
    late = TimestampAuthority(Stamper(KEY, CHAIN), CHAIN, lambda: NOW + timedelta(days=5000))
    found = post(query(), service=late)
    assert (found.status, found.json) == (500, {"code": 500, "message": UNREADABLE})


def test_key_of_any_keeper() -> None:
    key: SigningKey = KEY
    assert (
        post(
            queries.encode(MESSAGE),
            service=TimestampAuthority(Stamper(key, CHAIN), CHAIN, lambda: NOW),
        ).status
        == 200
    )
