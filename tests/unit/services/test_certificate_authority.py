"""Fulcio's API: who gets a certificate, who does not and why, and that nothing is left behind of those who do not."""

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509 as cx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

import mint
from certificate_services import ALICE, ISSUER, TOKEN, World, bearer
from countermark.core import limits
from countermark.core.errors import Code, InputError, KeyAccessError, StorageError, UnavailableError
from countermark.core.ports_hosting import Request
from countermark.core.ports_sigstore import BelievedIssuer
from countermark.proofs import pem, scts, signing_certificates
from countermark.proofs.certificate_paths import chain_at
from countermark.services.certificate_requests import Asked
from hosted_registry import Answer, Body
from hosted_services import ask
from mint import END, NOW

SIGNING, SIGNING_V1 = "/api/v2/signingCert", "/api/v1/signingCert"
KEY = mint.key()


def b64(content: bytes) -> str:
    return b64encode(content).decode()


def public_pem(key: mint.PrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def proof(key: mint.PrivateKey, text: str = ALICE.challenge, hashing: Any = None) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(text.encode(), ec.ECDSA(hashing or mint.hash_of(key)))  # type: ignore[arg-type]
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(text.encode(), padding.PKCS1v15(), hashing or hashes.SHA256())
    return key.sign(text.encode())


def asked(key: mint.PrivateKey = KEY, **changes: Any) -> bytes:
    given = {
        "publicKey": {"algorithm": "ECDSA", "content": public_pem(key)},
        "proofOfPossession": b64(proof(key)),
    }
    return json.dumps({"publicKeyRequest": given | changes}).encode()


def pkcs10(key: mint.PrivateKey, hashing: Any = None) -> bytes:
    builder = cx.CertificateSigningRequestBuilder().subject_name(mint.named("mallory"))
    chosen: Any = hashing or mint.hash_of(key)
    return builder.sign(key, chosen).public_bytes(serialization.Encoding.PEM)


def requested(text: bytes) -> bytes:
    return json.dumps({"certificateSigningRequest": b64(text)}).encode()


def v1(key: bytes = mint.spki(KEY), signature: bytes | None = None, **more: str) -> bytes:
    signature = proof(KEY) if signature is None else signature
    given = {"publicKey": {"content": b64(key)}, "signedEmailAddress": b64(signature)}
    return json.dumps(given | more).encode()


def post(
    world: World, body: bytes, path: str = SIGNING, headers: Mapping[str, str] | None = None
) -> Answer:
    return ask(world.authority, "POST", path, body, bearer() if headers is None else headers)


def certificates(answer: Answer, kind: str = "signedCertificateEmbeddedSct") -> list[bytes]:
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    texts = answer.json[kind]["chain"]["certificates"]
    assert not any(text.endswith("\n") for text in texts)
    return [pem.parse(text.encode())[0].content for text in texts]


# Who gets one -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "ed25519", "rsa2048", "rsa3072"])
@pytest.mark.parametrize("way", ["proof", "PKCS 10"])
def test_a_certificate_for_every_kind_of_key(kind: str, way: str) -> None:
    world, key = World(), mint.key(kind)
    leaf, middle, root = certificates(
        post(world, asked(key) if way == "proof" else requested(pkcs10(key)))
    )
    found = signing_certificates.parse(leaf)
    assert found.certificate.key.der == mint.spki(key)
    assert (found.name, found.issuer) == (ALICE.name, ISSUER)
    path = chain_at(found.certificate, [world.middle], [world.root], NOW)
    assert [each.der for each in path] == [leaf, middle, root]
    assert scts.check(found, path[1], [world.ct_log]) == world.ct_log
    assert len(world.entries.kept) == 1


def test_without_a_log_the_word_is_another() -> None:
    world = World(log=False)
    leaf = certificates(post(world, asked()), "signedCertificateDetachedSct")[0]
    assert signing_certificates.parse(leaf).scts == ()
    assert not world.entries.kept


def test_a_token_in_the_body_counts_before_one_in_the_header() -> None:
    world = World()
    body = json.loads(asked()) | {"credentials": {"oidcIdentityToken": TOKEN}}
    for headers in ({}, bearer("junk")):
        assert post(world, json.dumps(body).encode(), headers=headers).status == 200


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", TOKEN])
def test_a_token_in_the_header(header: str) -> None:
    assert post(World(), asked(), headers={"Authorization": header}).status == 200


def test_the_challenge_is_signed_and_not_the_name() -> None:
    world = World()
    world.tokens.known[TOKEN] = ALICE.replace(challenge="sub of alice")
    refused(world, asked(), 400, "The signature supplied in the request could not be verified")
    body = asked(proofOfPossession=b64(proof(KEY, "sub of alice")))
    assert post(world, body).status == 200


@pytest.mark.parametrize("content", [mint.spki(KEY), public_pem(KEY).encode()])
def test_version_1(content: bytes) -> None:
    answer = post(World(), v1(content), SIGNING_V1)
    assert answer.status == 201
    assert answer.headers["content-type"] == "application/pem-certificate-chain"
    assert len(pem.parse(answer.body)) == 3
    assert not answer.body.endswith(b"\n")
    assert b"\n\n" not in answer.body


def test_version_1_with_pkcs_10() -> None:
    assert post(World(), requested(pkcs10(KEY)), SIGNING_V1).status == 201


# Who does not -------------------------------------------------------------------------------------------


def refused(
    world: World,
    body: bytes,
    status: int,
    message: str,
    path: str = SIGNING,
    headers: Mapping[str, str] | None = None,
) -> None:
    answer = post(world, body, path, headers)
    code = {400: 3, 500: 13, 503: 14}[status]
    assert answer.json == {"code": code, "message": message, "details": []}
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert not world.entries.kept


BAD_TOKEN = "There was an error processing the identity token"
BAD_PROOF = "The signature supplied in the request could not be verified"
BAD_KEY = "The public key supplied in the request could not be parsed"
BAD_REQUEST = "The certificate signing request could not be parsed"
WEAK_KEY = "The public key supplied in the request is insecure"
P384 = mint.key("P-384")
OFF_CURVE = mint.spki(KEY)[:-1] + bytes([mint.spki(KEY)[-1] ^ 1])

BAD: list[tuple[str, bytes, str]] = [
    ("another's proof", asked(proofOfPossession=b64(proof(P384))), BAD_PROOF),
    ("proof of something else", asked(proofOfPossession=b64(proof(KEY, "bob"))), BAD_PROOF),
    ("no proof", asked(proofOfPossession=None), BAD_PROOF),
    (
        "proof over another hash",
        asked(P384, proofOfPossession=b64(proof(P384, hashing=hashes.SHA256()))),
        BAD_PROOF,
    ),
    ("junk for a key", asked(publicKey={"content": "junk"}), BAD_KEY),
    ("PEM of something else", asked(publicKey={"content": pkcs10(KEY).decode()}), BAD_KEY),
    ("no key", asked(publicKey=None), BAD_KEY),
    ("nothing", b"{}", BAD_KEY),
    ("empty", b"", BAD_KEY),
    ("P-224", asked(mint.key("P-224")), WEAK_KEY),
    ("RSA 1024", asked(mint.key("rsa1024")), WEAK_KEY),
    ("RSA 2056", asked(mint.key("rsa2056")), WEAK_KEY),
    ("junk for a request", requested(b"junk"), BAD_REQUEST),
    ("weak request", requested(pkcs10(mint.key("rsa1024"))), WEAK_KEY),
    (
        "request with another hash",
        requested(pkcs10(P384, hashes.SHA256())),
        "signing algorithm not permitted: *ecdsa.PublicKey, SHA-256",
    ),
    (
        "RSA request with another hash",
        requested(pkcs10(mint.key("rsa2048"), hashes.SHA384())),
        "signing algorithm not permitted: *rsa.PublicKey, SHA-384",
    ),
    ("no JSON", b"zzz", "invalid character 'z' looking for beginning of value"),
    ("too large", b" " * (limits.CERTIFICATE_REQUEST_BYTES + 1), "http: request body too large"),
]


@pytest.mark.parametrize(("body", "message"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_bad_requests(body: bytes, message: str) -> None:
    refused(World(), body, 400, message)


def test_a_request_that_its_own_key_did_not_sign() -> None:
    content = bytearray(pem.parse(pkcs10(KEY))[0].content)
    content[-1] ^= 1
    text = pem.Block(type="CERTIFICATE REQUEST", content=bytes(content)).encode()
    refused(World(), requested(text), 400, BAD_PROOF)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (v1(b"junk"), BAD_KEY),
        (v1(OFF_CURVE), BAD_KEY),
        (v1(signature=b""), BAD_PROOF),
        (b"{}", BAD_KEY),
        (b"zzz", "invalid character 'z' looking for beginning of value"),
    ],
)
def test_bad_requests_of_version_1(body: bytes, message: str) -> None:
    refused(World(), body, 400, message, SIGNING_V1)


@pytest.mark.parametrize("headers", [{}, bearer("junk"), {"Authorization": "Basic YTpi"}])
def test_tokens_that_are_not_believed(headers: Mapping[str, str]) -> None:
    refused(World(), asked(), 400, BAD_TOKEN, headers=headers)
    refused(World(), v1(), 400, BAD_TOKEN, SIGNING_V1, headers)


def test_the_reason_stays_with_us() -> None:
    world = World()
    request = Request(
        method="POST", path=SIGNING, query="", headers={"authorization": "x"}, body=Body((asked(),))
    )
    answer = world.authority.answer(request)
    assert answer.problem == "the identity token is not believed: unknown"


def test_an_issuer_whose_keys_cannot_be_had() -> None:
    world = World()
    world.tokens.problem = UnavailableError("down")
    refused(world, asked(), 503, BAD_TOKEN)


def test_a_body_that_breaks_off() -> None:
    broken = Body((b"{",), InputError("ended", code=Code.BAD_INPUT))
    request = Request(method="POST", path=SIGNING, query="", headers={}, body=broken)
    answer = Answer(World().authority.answer(request))
    assert (answer.status, answer.json["message"]) == (400, "unexpected EOF")


@pytest.mark.parametrize(
    "problem",
    [StorageError("full", code=Code.NO_SPACE), UnavailableError("busy"), KeyAccessError("sealed")],
)
def test_a_log_that_cannot_keep_it(problem: Exception) -> None:
    world = World()
    world.entries.problem = problem  # type: ignore[assignment]
    refused(world, asked(), 500, "Error entering certificate in CTL")


def test_an_authority_whose_time_is_over() -> None:
    world = World()
    world.clock.now = END + timedelta(days=1)
    refused(world, asked(), 500, "error communicating with CA backend")


def test_a_name_that_no_certificate_has() -> None:
    world = World()
    world.tokens.known[TOKEN] = ALICE.replace(name="ålice@example.test")
    reason = "certificate has a name that is not plain text"
    refused(world, asked(), 400, f"no certificate can name 'ålice@example.test': {reason}")


# What else there is -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "message"),
    [
        ("GET", SIGNING, 501, 12, "Method Not Allowed"),
        ("PUT", SIGNING, 501, 12, "Method Not Allowed"),
        ("GET", SIGNING_V1, 501, 12, "Method Not Allowed"),
        ("POST", "/api/v2/trustBundle", 501, 12, "Method Not Allowed"),
        ("GET", "/api/v2/nothing", 404, 5, "Not Found"),
    ],
)
def test_what_is_not_there(method: str, path: str, status: int, code: int, message: str) -> None:
    answer = ask(World().authority, method, path)
    assert answer.status == status
    assert answer.json == {"code": code, "message": message, "details": []}


def test_which_paths_are_ours() -> None:
    authority = World().authority
    assert authority.serves(SIGNING)
    assert authority.serves("/api/v1/rootCert")
    assert not authority.serves("/api/v1/timestamp")
    assert not authority.serves("/api/v2/log/entries")


def test_the_trust_bundle_has_former_chains_too() -> None:
    old = mint.make("old")
    world = World(former=[(old.der,)])
    answer = ask(world.authority, "GET", "/api/v2/trustBundle")
    chains = [
        [pem.parse(text.encode())[0].content for text in chain["certificates"]]
        for chain in answer.json["chains"]
    ]
    assert chains == [[world.middle.der, world.root.der], [old.der]]
    every = ask(world.authority, "GET", "/api/v1/rootCert")
    assert [each.content for each in pem.parse(every.body)] == [*chains[0], *chains[1]]
    assert every.headers["content-type"] == "application/pem-certificate-chain"


def test_the_configuration() -> None:
    world = World()
    world.tokens.listed = (
        *world.tokens.listed,
        BelievedIssuer(
            url="https://oidc.*.test/id/*",
            audience="sigstore",
            kind="spiffe",
            challenge_claim="sub",
            is_pattern=True,
            trust_domain="x.test",
        ),
    )
    assert ask(world.authority, "GET", "/api/v2/configuration").json == {
        "issuers": [
            {
                "issuerUrl": ISSUER,
                "audience": "sigstore",
                "challengeClaim": "email",
                "spiffeTrustDomain": "",
                "issuerType": "email",
                "subjectDomain": "",
                "skipEmailVerification": False,
            },
            {
                "wildcardIssuerUrl": "https://oidc.*.test/id/*",
                "audience": "sigstore",
                "challengeClaim": "sub",
                "spiffeTrustDomain": "x.test",
                "issuerType": "spiffe",
                "subjectDomain": "",
                "skipEmailVerification": False,
            },
        ]
    }


def test_what_was_asked_shows_no_token() -> None:
    asked_ = Asked(token=TOKEN, key=b"", proof=b"", signing_request=b"")
    assert TOKEN not in repr(asked_)
