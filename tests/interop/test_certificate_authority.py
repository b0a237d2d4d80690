"""Our certificate authority and log: cosign, sigstore-python and Fulcio use them, and Fulcio answers as ours does."""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

import identity
import mint
from countermark.adapters.http_client import HttpClient
from countermark.adapters.identity_accounts import AccountFile
from countermark.adapters.identity_issuer import IdentityIssuer
from countermark.formats import trusted_root
from countermark.proofs import pem, scts, signing_certificates
from countermark.proofs import x509 as our_x509
from countermark.proofs.spki import parse as parse_key
from countermark.services.sigstore_parts import Parts, signing_config
from identity import ALICE, PASSWORD
from interop.cosign_peers import Cosign, go_program
from interop.peers import answers
from interop.processes import Server, Words, free_port

pytestmark = pytest.mark.interop

TESTS = Path(__file__).parents[1]
SIGNING, SIGNING_V1 = "/api/v2/signingCert", "/api/v1/signingCert"


class Answer(NamedTuple):
    status: int
    kind: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    url: str, body: bytes | None = None, token: str = "", headers: dict[str, str] | None = None
) -> Answer:
    """Send a request, a POST where there is a body."""
    given = {"Content-Type": "application/json", **(headers or {})}
    if token:
        given["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, body, given)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Answer(answer.status, answer.headers["Content-Type"], answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers["Content-Type"], error.read())


class Ours:
    """Our authority as a process, with the log and the issuer."""

    def __init__(self, folder: Path, *words: str) -> None:
        folder.mkdir()
        self.folder = folder
        store = AccountFile(str(folder / "users"))
        for account in identity.users().accounts():
            assert store.put(account)
        port = free_port()
        self.url = f"http://localhost:{port}"
        search = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
        program = TESTS / "serve_certificates.py"
        self.server = Server(
            program.name,
            [sys.executable, program, str(port), folder, *words],
            folder / "log",
            {"PATH": os.environ["PATH"], "PYTHONPATH": search},
        ).ready(lambda: answers(f"{self.url}/api/v2/trustBundle"))

    @property
    def chain(self) -> list[bytes]:
        return [each.content for each in pem.parse((self.folder / "chain.pem").read_bytes())]

    @property
    def log_key(self) -> bytes:
        return pem.parse((self.folder / "ct.pub").read_bytes())[0].content

    def token(self) -> str:
        client = HttpClient()
        try:
            return IdentityIssuer(client, f"{self.url}/identity").token(ALICE, PASSWORD)
        finally:
            client.close()

    def trusted_root(self) -> trusted_root.TrustedRoot:
        start = datetime(2020, 1, 1, tzinfo=UTC)
        return trusted_root.TrustedRoot(
            authorities=(
                trusted_root.Authority(
                    organization="test",
                    common_name="test",
                    uri=self.url,
                    certificates=tuple(self.chain),
                    start=start,
                ),
            ),
            ct_logs=(
                trusted_root.Instance(
                    base_url=f"{self.url}/log",
                    key=self.log_key,
                    key_details="PKIX_ECDSA_P256_SHA_256",
                    log_id=hashlib.sha256(self.log_key).digest(),
                    start=start,
                ),
            ),
        )

    def stop(self) -> None:
        assert self.server.stop() == 0, self.server.tail()


class RealFulcio:
    """The real authority, with the certificates and the key of ours; it believes the same issuer and asks our log.

    A host has room for one: each listens on the same socket for its first version.
    """

    def __init__(self, folder: Path, ours: Ours) -> None:
        folder.mkdir()
        issuer = f"{ours.url}/identity"
        config = folder / "fulcio.json"
        believed = {"IssuerURL": issuer, "ClientID": "sigstore", "Type": "email"}
        config.write_text(json.dumps({"OIDCIssuers": {issuer: believed}}))
        key = serialization.load_der_private_key((ours.folder / "ca.key").read_bytes(), None)
        (folder / "ca.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"password"),
            )
        )
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        words: Words = [
            go_program("fulcio"), "serve", "--host", "127.0.0.1", "--port", str(port),
            "--grpc-host", "127.0.0.1", "--grpc-port", str(free_port()), "--metrics-port", str(free_port()),
            "--ca", "fileca", "--fileca-cert", ours.folder / "chain.pem", "--fileca-key", folder / "ca.key",
            "--fileca-key-passwd", "password", "--fileca-watch=false", "--config-path", config,
            f"--ct-log-url={ours.url}/log", f"--ct-log-public-key-path={ours.folder / 'ct.pub'}",
        ]  # fmt: skip
        self.server = Server("fulcio", words, folder / "log").ready(
            lambda: answers(f"{self.url}/healthz")
        )

    def stop(self) -> None:
        self.server.stop()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ours]:
    started = Ours(tmp_path_factory.mktemp("certificates") / "ours")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def fulcio(ours: Ours, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealFulcio]:
    started = RealFulcio(tmp_path_factory.mktemp("fulcio") / "fulcio", ours)
    yield started
    started.stop()


# What is asked ------------------------------------------------------------------------------------------


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def public_pem(key: mint.PrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def proof(key: mint.PrivateKey, text: str = ALICE, hashing: Any = None) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(text.encode(), ec.ECDSA(hashing or mint.hash_of(key)))  # type: ignore[arg-type]
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(text.encode(), padding.PKCS1v15(), hashing or hashes.SHA256())
    return key.sign(text.encode())


def asked(key: mint.PrivateKey | None = None, **changes: Any) -> dict[str, Any]:
    """A request of version 2, as cosign makes it."""
    key = key or mint.key()
    given: dict[str, Any] = {
        "publicKeyRequest": {
            "publicKey": {"algorithm": "ECDSA", "content": public_pem(key)},
            "proofOfPossession": b64(proof(key)),
        }
    }
    for name, value in changes.items():
        if name in ("algorithm", "content"):
            given["publicKeyRequest"]["publicKey"][name] = value
        else:
            given["publicKeyRequest"][name] = value
    return given


def signing_request(key: mint.PrivateKey, hashing: Any = None, name: str = "") -> dict[str, Any]:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    chosen: Any = hashing or mint.hash_of(key)
    made = builder.sign(key, chosen)
    return {"certificateSigningRequest": b64(made.public_bytes(serialization.Encoding.PEM))}


def encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def without(given: dict[str, Any], *path: str) -> dict[str, Any]:
    inner = given
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return given


BAD_CSR = b64(b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")
P256, P384 = mint.key(), mint.key("P-384")

P256_CERTIFICATE = mint.make("x").theirs.public_bytes(serialization.Encoding.PEM)

REQUESTS: dict[str, Callable[[], bytes]] = {
    "good": lambda: encoded(asked()),
    "P-384": lambda: encoded(asked(P384)),
    "P-521": lambda: encoded(asked(mint.key("P-521"))),
    "RSA 2048": lambda: encoded(asked(mint.key("rsa2048"))),
    "RSA 4096": lambda: encoded(asked(mint.key("rsa4096"))),
    "Ed25519": lambda: encoded(asked(mint.key("ed25519"))),
    "unknown field": lambda: encoded({**asked(), "zz": {"a": [1, "b"]}}),
    "no algorithm": lambda: encoded(without(asked(), "publicKeyRequest", "publicKey", "algorithm")),
    "unknown algorithm": lambda: encoded(asked(algorithm="NOPE")),
    "algorithm as number": lambda: encoded(asked(algorithm=2)),
    "algorithm is text in a list": lambda: encoded(asked(algorithm=["ECDSA"])),
    "wrong algorithm": lambda: encoded(asked(algorithm="ED25519")),
    "snake case": lambda: encoded(
        {
            "public_key_request": {
                "public_key": {"content": public_pem(P256)},
                "proof_of_possession": b64(proof(P256)),
            }
        }
    ),
    "base64 for URLs": lambda: encoded(
        asked(proofOfPossession=base64.urlsafe_b64encode(proof(P256)).decode().rstrip("="))
    ),
    "request in PKCS 10": lambda: encoded(signing_request(P256)),
    "its subject is nothing": lambda: encoded(signing_request(P256, name="mallory")),
    "PKCS 10, Ed25519": lambda: encoded(signing_request(mint.key("ed25519"))),
    "PKCS 10, RSA": lambda: encoded(signing_request(mint.key("rsa2048"))),
    "PKCS 10, P-384": lambda: encoded(signing_request(P384)),
    "PKCS 10, other hash": lambda: encoded(signing_request(P384, hashes.SHA256())),
    "PKCS 10, other hash of RSA": lambda: encoded(
        signing_request(mint.key("rsa2048"), hashes.SHA512())
    ),
    "PKCS 10, weak": lambda: encoded(signing_request(mint.key("P-224"), hashes.SHA256())),
    "PKCS 10, junk": lambda: encoded({"certificateSigningRequest": BAD_CSR}),
    "PKCS 10, no PEM": lambda: encoded({"certificateSigningRequest": b64(b"junk")}),
    "PKCS 10, a certificate": lambda: encoded({"certificateSigningRequest": b64(P256_CERTIFICATE)}),
    "PKCS 10, empty": lambda: encoded({"certificateSigningRequest": ""}),
    "proof of another text": lambda: encoded(
        asked(proofOfPossession=b64(proof(P256, "bob@x.test")))
    ),
    "proof by another key": lambda: encoded(
        asked(proofOfPossession=b64(proof(mint.key("P-256", 7))))
    ),
    "proof over another hash": lambda: encoded(
        asked(P384, proofOfPossession=b64(proof(P384, hashing=hashes.SHA256())))
    ),
    "proof empty": lambda: encoded(asked(proofOfPossession="")),
    "no proof": lambda: encoded(without(asked(), "publicKeyRequest", "proofOfPossession")),
    "proof null": lambda: encoded(asked(proofOfPossession=None)),
    "key unreadable": lambda: encoded(asked(content="junk")),
    "key empty": lambda: encoded(asked(content="")),
    "key cut off": lambda: encoded(asked(content=public_pem(P256)[:100])),
    "key of another type": lambda: encoded(
        asked(content=public_pem(P256).replace("PUBLIC KEY", "PRIVATE KEY"))
    ),
    "no key": lambda: encoded(without(asked(), "publicKeyRequest", "publicKey")),
    "nothing asked": lambda: b"{}",
    "null asked": lambda: b'{"publicKeyRequest":null}',
    "empty": lambda: b"",
    "P-224": lambda: encoded(asked(mint.key("P-224"), proofOfPossession="")),
    "RSA 1024": lambda: encoded(asked(mint.key("rsa1024"))),
    "RSA 2056": lambda: encoded(asked(mint.key("rsa2056"))),
    "key and PKCS 10": lambda: encoded({**asked(), **signing_request(P256)}),
    "PKCS 10 and null key": lambda: encoded({**signing_request(P256), "publicKeyRequest": None}),
    "no JSON": lambda: b"zzz",
    "JSON cut off": lambda: b'{"publicKeyRequest":{"publicKey":',
    "JSON without a name": lambda: b"{a:1}",
    "JSON without a colon": lambda: b'{"a" 1}',
    "JSON with a comma too much": lambda: b'{"a":1,}',
    "JSON with a bad literal": lambda: b'{"a":nul}',
    "JSON with a bad number": lambda: b'{"a":-}',
    "JSON with a bad fraction": lambda: b'{"a":1.}',
    "JSON with a bad exponent": lambda: b'{"a":1e}',
    "JSON with a leading zero": lambda: b'{"a":01}',
    "JSON with a bad escape": lambda: b'{"a":"\\x"}',
    "JSON with a bad \\u": lambda: b'{"a":"\\u12g4"}',
    "JSON with a control character": lambda: b'{"a":"\x01"}',
    "JSON with a line end in a text": lambda: b'{"a":"\n"}',
    "JSON list cut off": lambda: b'{"a":[1 2]}',
    "JSON with a quote": lambda: b"{'a':1}",
    "JSON with a backslash": lambda: b"\\",
    "JSON list": lambda: b"[]",
    "JSON text": lambda: b'"a"',
    "JSON number": lambda: b"5",
    "JSON null": lambda: b"null",
    "message is a list": lambda: b'{"publicKeyRequest":[]}',
    "message is a text": lambda: b'{ "zz": {}, \n "publicKeyRequest": "x"}',
    "bad base64": lambda: encoded(asked(proofOfPossession="!!")),
    "base64 is a number": lambda: encoded(asked(proofOfPossession=5)),
    "text is a number": lambda: encoded(asked(content=5)),
    "text is an object": lambda: encoded(asked(content={"a": 1})),
    "on the second line": lambda: b'{\n  "certificateSigningRequest": "!!"}',
    "after \u00e9": '{"zz": "\u00e9\u00e9", "certificateSigningRequest": "!!"}'.encode,
    "twice": lambda: b'{"certificateSigningRequest":"","certificate_signing_request":""}',
}


def compared(answer: Answer) -> tuple[int, str, object]:
    """What two answers must have in common: all of a refusal, the shape of a success."""
    if answer.status in (200, 201):
        return answer.status, answer.kind, "certificates"
    found = answer.json
    # protobuf's words have an unbreakable space in every other build
    found["message"] = found["message"].replace("\u00a0", " ")
    return answer.status, answer.kind, found


@pytest.mark.parametrize("name", REQUESTS)
def test_fulcio_answers_as_ours_does(name: str, ours: Ours, fulcio: RealFulcio, token: str) -> None:
    body = REQUESTS[name]()
    assert compared(ask(ours.url + SIGNING, body, token)) == compared(
        ask(fulcio.url + SIGNING, body, token)
    )


def ask_at_length(url: str, size: int) -> Answer:
    """Send more than a server wants; it may answer and hang up before the end."""
    place = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=30)
    try:
        connection.putrequest("POST", place.path)
        connection.putheader("Content-Length", str(size))
        connection.endheaders()
        with contextlib.suppress(OSError):
            connection.send(b'{"zz":"' + b"a" * (size - 9) + b'"}')
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers["Content-Type"], answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize(("size", "status"), [(4_000_000, 400), (5_000_000, 400)])
def test_long_requests(size: int, status: int, ours: Ours, fulcio: RealFulcio) -> None:
    mine, theirs = (ask_at_length(url + SIGNING, size) for url in (ours.url, fulcio.url))
    assert compared(mine) == compared(theirs)
    assert mine.status == status


@pytest.fixture(scope="module")
def token(ours: Ours) -> str:
    return ours.token()


TOKENS: dict[str, Callable[[str], dict[str, str]]] = {
    "none": lambda _: {},
    "junk": lambda _: {"Authorization": "Bearer junk"},
    "Basic": lambda _: {"Authorization": "Basic YTpi"},
    "without the word": lambda token: {"Authorization": token},
    "the word in small letters": lambda token: {"Authorization": f"bearer {token}"},
    "cut off": lambda token: {"Authorization": f"Bearer {token[:-5]}"},
    "alg none": lambda token: {"Authorization": f"Bearer {unsigned(token)}"},
}


def unsigned(token: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    return f"{header}.{token.split('.')[1]}."


@pytest.mark.parametrize("name", TOKENS)
def test_tokens(name: str, ours: Ours, fulcio: RealFulcio, token: str) -> None:
    headers = TOKENS[name](token)
    body = encoded(asked())
    assert compared(ask(ours.url + SIGNING, body, headers=headers)) == compared(
        ask(fulcio.url + SIGNING, body, headers=headers)
    )


def test_a_token_in_the_body(ours: Ours, fulcio: RealFulcio, token: str) -> None:
    body = encoded({**asked(), "credentials": {"oidcIdentityToken": token}})
    for url in (ours.url, fulcio.url):
        assert ask(url + SIGNING, body).status == 200
        assert ask(url + SIGNING, body, "the body's counts").status == 200


def v1(key: mint.PrivateKey, **changes: Any) -> bytes:
    der = mint.spki(key)
    given = {
        "publicKey": {"algorithm": "ecdsa", "content": b64(der)},
        "signedEmailAddress": b64(proof(key)),
    }
    return encoded(given | changes)


REQUESTS_V1: dict[str, Callable[[], bytes]] = {
    "good": lambda: v1(P256),
    "PEM": lambda: v1(P256, publicKey={"content": b64(public_pem(P256).encode())}),
    "PKCS 10": lambda: encoded(signing_request(P256)),
    "no key": lambda: b"{}",
    "junk key": lambda: v1(P256, publicKey={"content": b64(b"junk")}),
    "no proof": lambda: v1(P256, signedEmailAddress=""),
    "both": lambda: v1(P256, **signing_request(P256)),
    "algorithm is a number": lambda: v1(P256, publicKey={"algorithm": 1}),
    "snake case": lambda: b'{"public_key":{"content":"!!"}}',
    "no JSON": lambda: b"zzz",
}


def rest(answer: Answer) -> list[bytes]:
    """All lines after the leaf."""
    lines = answer.body.split(b"\n")
    return lines[lines.index(b"-----END CERTIFICATE-----") :]


@pytest.mark.parametrize("name", REQUESTS_V1)
def test_version_1(name: str, ours: Ours, fulcio: RealFulcio, token: str) -> None:
    body = REQUESTS_V1[name]()
    mine, theirs = (ask(url + SIGNING_V1, body, token) for url in (ours.url, fulcio.url))
    assert compared(mine) == compared(theirs)
    if mine.status == 201:
        # all but the leaf is the same, byte by byte
        assert rest(mine) == rest(theirs)


@pytest.mark.parametrize(
    "path",
    [SIGNING, SIGNING_V1, "/api/v2/nothing", "/api/v2/signingCert/", "/api/v1/rootCert/x"],
)
def test_what_is_not_there(path: str, ours: Ours, fulcio: RealFulcio) -> None:
    assert compared(ask(ours.url + path)) == compared(ask(fulcio.url + path))


@pytest.mark.parametrize("path", ["/api/v2/trustBundle", "/api/v2/configuration"])
def test_what_is_handed_out(path: str, ours: Ours, fulcio: RealFulcio) -> None:
    mine, theirs = ask(ours.url + path), ask(fulcio.url + path)
    assert (mine.status, mine.kind, mine.json) == (theirs.status, theirs.kind, theirs.json)


def test_the_chain_of_version_1(ours: Ours, fulcio: RealFulcio) -> None:
    assert ask(ours.url + "/api/v1/rootCert") == ask(fulcio.url + "/api/v1/rootCert")


# The certificate itself -----------------------------------------------------------------------------------


def leaf_of(answer: Answer) -> x509.Certificate:
    (kind,) = answer.json
    certificates = answer.json[kind]["chain"]["certificates"]
    assert kind == "signedCertificateEmbeddedSct"
    return x509.load_pem_x509_certificate(certificates[0].encode())


def shape(certificate: x509.Certificate) -> object:
    """What does not depend on the time, the log or chance."""
    chance = ("1.3.6.1.4.1.11129.2.4.2", "2.5.29.14")  # Fulcio names keys by SHA-1
    found = [
        (e.oid.dotted_string, e.critical, None if e.oid.dotted_string in chance else e.value)
        for e in certificate.extensions
    ]
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return sorted(found, key=lambda each: each[0]), life, certificate.subject, certificate.issuer


def test_certificates_say_what_fulcios_say(ours: Ours, fulcio: RealFulcio, token: str) -> None:
    body = encoded(asked())
    mine, theirs = (leaf_of(ask(url + SIGNING, body, token)) for url in (ours.url, fulcio.url))
    assert shape(mine) == shape(theirs)
    assert mine.signature_algorithm_oid == theirs.signature_algorithm_oid


def test_we_take_what_fulcio_made_with_our_log(ours: Ours, fulcio: RealFulcio, token: str) -> None:
    """Its precertificate went to our log over HTTP; the promise in what it issued is checked as a client does."""
    made = leaf_of(ask(fulcio.url + SIGNING, encoded(asked()), token))
    found = signing_certificates.parse(made.public_bytes(serialization.Encoding.DER))
    root = ours.trusted_root()
    path = signing_certificates.chain_to_authority(found, root.authorities, datetime.now(UTC))
    assert scts.check(found, path[1], root.ct_logs) is root.ct_logs[0]
    assert found.name == ALICE


def test_without_a_log(cosign: Cosign, tmp_path: Path) -> None:
    """The shape that Fulcio has then, and which cosign takes where it is told to."""
    ours = Ours(tmp_path / "ours", "--no-log")
    try:
        token = ours.token()
        answer = ask(ours.url + SIGNING, encoded(asked()), token)
        assert answer.status == 200
        assert list(answer.json) == ["signedCertificateDetachedSct"]
        assert list(answer.json["signedCertificateDetachedSct"]) == ["chain"]
        words = signed_by(cosign, ours, token)
        assert cosign(*words, str(cosign.folder / "document")).exit != 0
        words = (*words, "--insecure-ignore-sct")
        assert cosign(*words, str(cosign.folder / "document")).ok()
    finally:
        ours.stop()


# Clients --------------------------------------------------------------------------------------------------


def configured(cosign: Cosign, ours: Ours) -> tuple[str, str]:
    root = cosign.folder / "trusted-root.json"
    root.write_bytes(ours.trusted_root().encode())
    parts = Parts(operator="test", trusted=ours.trusted_root(), authority_url=ours.url)
    config = cosign.folder / "signing-config.json"
    config.write_bytes(signing_config(parts).encode())
    return str(root), str(config)


def signed_by(cosign: Cosign, ours: Ours, token: str) -> tuple[str, ...]:
    """Have cosign sign a document, and give the words with which it verifies that."""
    root, config = configured(cosign, ours)
    document, bundle = cosign.folder / "document", cosign.folder / "bundle.json"
    document.write_text("what is signed")
    # in a file, since cosign takes a token on the command line for one unless it is signed with RSA
    given = cosign.folder / "token"
    given.write_text(token)
    words = ("--signing-config", config, "--trusted-root", root, "--identity-token", str(given))
    cosign("sign-blob", "-y", *words, "--bundle", str(bundle), str(document)).ok()
    who = ("--certificate-identity", ALICE, "--certificate-oidc-issuer", f"{ours.url}/identity")
    return (
        "verify-blob", "--trusted-root", root, "--insecure-ignore-tlog", "--bundle", str(bundle), *who,
    )  # fmt: skip


def test_cosign_signs_and_verifies(cosign: Cosign, ours: Ours, token: str) -> None:
    """Keyless, without a log of signatures or timestamps: the certificate and its promise are all there is."""
    words = signed_by(cosign, ours, token)
    document = str(cosign.folder / "document")
    cosign(*words, document).ok()
    other = tuple("bob@example.com" if each == ALICE else each for each in words)
    assert "expected SAN value" in cosign(*other, document).text


def test_cosign_refuses_a_promise_of_another_log(cosign: Cosign, ours: Ours, token: str) -> None:
    words = signed_by(cosign, ours, token)
    root = ours.trusted_root().replace(ct_logs=())
    (cosign.folder / "trusted-root.json").write_bytes(root.encode())
    done = cosign(*words, str(cosign.folder / "document"))
    assert done.exit != 0
    assert "SCT" in done.text


PYTHON = """
import sys
from sigstore._internal.fulcio import FulcioClient
from sigstore.oidc import IdentityToken
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.generate_private_key(ec.SECP256R1())
request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
answer = FulcioClient(sys.argv[1]).signing_cert.post(request, IdentityToken(sys.argv[2]))
print("chain of", len(answer.chain), answer.cert.serial_number > 0)
"""


def test_sigstore_python_gets_a_certificate(ours: Ours, token: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PYTHON, ours.url, token],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    assert done.stdout == "chain of 2 True\n", done.stderr


# The log --------------------------------------------------------------------------------------------------


def test_the_log_shows_what_was_issued(ours: Ours, token: str) -> None:
    made = leaf_of(ask(ours.url + SIGNING, encoded(asked()), token))
    found = signing_certificates.parse(made.public_bytes(serialization.Encoding.DER))
    issuer = our_x509.parse(ours.chain[0])
    sct = scts.parse(found.scts[0])
    entry = scts.precertificate_entry(issuer.key.der, found.precertificate)
    leaf = b64(scts.signed_content(sct.time, b"", entry))
    log = f"{ours.url}/log/ct/v1"
    size = ask(f"{log}/get-sth").json["tree_size"]
    entries = ask(f"{log}/get-entries?start={max(0, size - 200)}&end={size}").json["entries"]
    assert leaf in [each["leaf_input"] for each in entries]
    assert parse_key(ours.log_key).kind == "ecdsa"
