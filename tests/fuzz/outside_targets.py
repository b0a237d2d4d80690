"""Readers of what people, servers and clients send; and whole verifications, under their law."""

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import fake_sigstore as fake
import log_requests
from countermark import config
from countermark.adapters import docker_events, http_date, http_url, http_wire, pkcs11_uri
from countermark.adapters.docker_config import DockerConfig
from countermark.adapters.http_challenge import parse_challenges
from countermark.core.claim import Claim
from countermark.core.digest import Digest
from countermark.core.errors import (
    ConfigError,
    EvidenceError,
    InputError,
    KeyAccessError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from countermark.core.ports_hosting import Request
from countermark.core.reference import ImageReference
from countermark.core.signer import CosignSigner, Identity
from countermark.enforce import dockerfile
from countermark.formats import bundle as bundles
from countermark.formats.trusted_root import TrustedRoot
from countermark.policy.parse import parse as parse_policy
from countermark.policy.pattern import Pattern
from countermark.schemes.cosign.verifier import CosignVerifier
from countermark.services import certificate_requests, notary_uploads, passwords
from countermark.services import log_requests as log_service
from fuzz.format_targets import metadata
from fuzz.target import INPUT, Target, text
from identity import Body
from world import GOOD, NOW, REPOSITORY, subject

DOCS = Path(__file__).parents[2] / "docs"
SERVER = (UnavailableError, EvidenceError)
POST = "multipart/form-data; boundary=xx"


# What people write -----------------------------------------------------------------------------------------


@cache
def _files() -> dict[str, bytes]:
    sigstore = fake.Sigstore()
    key = fake.pem(fake.new_key()).encode()
    ca = fake.pem_of(sigstore.authority.chain[-1]).encode()
    return {"a.pub": key, "ca.pem": ca, "root.json": sigstore.trusted_root()}


def _read_file(path: str) -> bytes | None:
    """Whatever a policy names: a key, a certificate or a trusted root, by how its name ends."""
    return next((content for name, content in _files().items() if path.endswith(name[-4:])), None)


def _policies() -> tuple[bytes, ...]:
    found = re.findall(r"```yaml\n(.*?)```", (DOCS / "policy.md").read_text("utf-8"), re.DOTALL)
    assert found
    return tuple(each.encode() for each in found)


def _dockerfile(content: bytes) -> None:
    """What is understood is rewritten wholly, and nothing else in it."""
    found = dockerfile.parse(content, {"A": "x"})
    pinned = {use.name: f"pinned@sha256:{at % 10:064d}" for at, use in enumerate(found.uses)}
    again = dockerfile.parse(found.rewritten(pinned), {"A": "x"})
    assert [use.name for use in again.uses] == [pinned[use.name] for use in found.uses]


DOCKERFILE = b"""# syntax=docker/dockerfile:1
ARG BASE=alpine:3
FROM --platform=linux/amd64 ${BASE:-busybox} AS one
RUN --mount=type=bind,from=golang:1 <<EOF
make
EOF
COPY --from=one \\
  /a /b
FROM one
ONBUILD ADD x y
"""
DOCKER_CONFIG = (
    b'{"auths":{"r.test":{"auth":"YTpi"}},"credHelpers":{"a":"b"},"credsStore":"x","currentContext":"y",'
    b'"proxies":{"default":{"httpProxy":"http://p"}}}'
)


# What servers and clients send -------------------------------------------------------------------------------


def _answers(content: bytes) -> None:
    """All answers of a connection, in pieces of two sizes: how it is cut changes nothing."""
    assert _read(content, 7) == _read(content, 65536)


def _read(content: bytes, size: int) -> list[bytes]:
    places = iter(range(0, len(content), size))

    def receive(_: int) -> bytes:
        at = next(places, None)
        return b"" if at is None else content[at : at + size]

    reader = http_wire.AnswerReader(receive)
    bodies = []
    with suppress(UnavailableError, EvidenceError):
        while True:
            head = reader.head()
            bodies.append(b"".join(http_wire.bounded(reader.body(head, "GET"), head, 1 << 20)))
    return bodies


ANSWER = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: u\r\n\r\n"
    b"HTTP/1.0 404 No\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nab"
)
EVENTS = (
    b'{"status":"Pulling","id":"v1","progressDetail":{"current":1,"total":2}}\n{"aux":{"ID":"x"}}\n'
)


def _post(content: bytes) -> Request:
    headers = {"content-type": "application/json", "authorization": "Bearer x"}
    return Request(method="POST", path="/", query="", headers=headers, body=Body(content))


def _log_request(content: bytes) -> None:
    log_service.record_of(log_service.read(_post(content)))


def _log_requests() -> tuple[bytes, ...]:
    made = [log_requests.document(b"x", kind) for kind in ("ecdsa-p256", "rsa-2048", "ed25519")]
    made.append(log_requests.document(b"x", certificate=True))
    return tuple(map(log_requests.encoded, made))


def _certificate_request(content: bytes) -> None:
    for read in (certificate_requests.read, certificate_requests.read_v1):
        asked = read(_post(content))
        with suppress(certificate_requests.RefusedError):
            asked.proven_key("a challenge")


CERTIFICATE_REQUEST = fake.compact(
    {
        "credentials": {"oidcIdentityToken": "a.b.c"},
        "publicKeyRequest": {
            "publicKey": {"algorithm": "ECDSA", "content": fake.pem(fake.new_key())},
            "proofOfPossession": "YWJj",
        },
    }
)


def _pieces(content: bytes) -> Iterator[bytes]:
    return (content[at : at + 11] for at in range(0, len(content), 11))


def _upload(content: bytes) -> None:
    notary_uploads.read_parts(POST, _pieces(content))


def _uploads() -> tuple[bytes, ...]:
    part = b'--xx\r\nContent-Disposition: form-data; name="files"; filename="%b.json"\r\n\r\n%b\r\n'
    parts = [part % (role.encode(), metadata(role)[0]) for role in ("root", "targets")]
    return (b"".join(parts) + b"--xx--\r\n",)


# Whole verifications -------------------------------------------------------------------------------------------


class _NoRoots:
    def trusted_root(self, name: str) -> TrustedRoot:
        raise ConfigError("no root is configured")


class _Judge:
    """Two people who signed an image, and whether whatever lies there instead still vouches for it."""

    def __init__(self) -> None:
        sigstore = fake.Sigstore()
        leaf, key = sigstore.authority.issue(), fake.new_key()
        stated = fake.statement(GOOD, annotations={})
        logged = fake.bundle(leaf, stated, log=sigstore.log, stamps=sigstore.stamps)
        first = fake.bundle(leaf, stated, log=sigstore.first_log)
        self.good = tuple(map(fake.compact, (logged, first, fake.bundle(key, stated))))
        self._contents = [bundles.parse(each).content for each in self.good]
        identity = Identity(subject=fake.ALICE, issuer=fake.ISSUER)
        root = sigstore.trusted_root().decode()
        self._signers = (
            CosignSigner(name="alice", identity=identity, trusted_root=root),
            CosignSigner(name="holder", key=fake.pem(key), accept_unlogged="a test"),
        )

    def __call__(self, content: bytes) -> None:
        """A claim is made for what was signed only."""
        store = fake.MemoryStore()
        store.attach(REPOSITORY, GOOD, content)
        found = CosignVerifier(store, _NoRoots()).findings(subject(), self._signers, NOW)
        if any(isinstance(each, Claim) for each in found):
            assert bundles.parse(content).content in self._contents


@cache
def _judge() -> _Judge:
    return _Judge()


def _judged(content: bytes) -> None:
    _judge()(content)


CONFIG = b"serve:\n  listen: 127.0.0.1:1\n"
PKCS11 = b"pkcs11:token=a;id=%01?module-path=/m&pin-value=1"
CHALLENGES = b'Bearer realm="a",service="b", Basic x="y"'
CERTIFYING = (certificate_requests.RefusedError,)
DAEMON = (NotFoundError, RefusedError, UnavailableError)
TARGETS = (
    Target("policy", lambda c: parse_policy(c, file="p", read_file=_read_file), _policies, INPUT),
    Target("config", lambda c: config.parse(c, "f"), lambda: (CONFIG,), INPUT),
    Target("dockerfile", _dockerfile, lambda: (DOCKERFILE,), INPUT),
    Target("docker_config", DockerConfig.parse, lambda: (DOCKER_CONFIG,), INPUT),
    Target("reference", text(ImageReference.parse), lambda: (b"r.test:1/a/b:v1@sha256:" + b"a" * 64,), INPUT),
    Target("digest", text(Digest.parse), lambda: (b"sha256:" + b"a" * 64,), (InputError, EvidenceError)),
    Target("pattern", text(Pattern.parse), lambda: (b"r.test/a/**:v*",), INPUT),
    Target("url", text(http_url.Url.parse), lambda: (b"https://h.test:1/a?b=c",), INPUT),
    Target("pkcs11_uri", text(lambda t: pkcs11_uri.parse(t, {})), lambda: (PKCS11,), (InputError, KeyAccessError)),
    Target("htpasswd", text(passwords.parse_users), lambda: (b"a:$2y$05$" + b"a" * 53 + b"\n",), INPUT),
    Target("http_answers", _answers, lambda: (ANSWER,), SERVER),
    Target("http_challenges", text(lambda t: parse_challenges([t])), lambda: (CHALLENGES,), ()),
    Target("http_date", text(http_date.parse_http_date), lambda: (b"Sun, 06 Nov 1994 08:49:37 GMT",), ()),
    Target("docker_events", lambda c: list(docker_events.events(_pieces(c))), lambda: (EVENTS,), DAEMON),
    Target("log_request", _log_request, _log_requests, (log_service.RefusedError,)),
    Target("certificate_request", _certificate_request, lambda: (CERTIFICATE_REQUEST,), CERTIFYING),
    Target("notary_upload", _upload, _uploads, INPUT),
    Target("verification", _judged, lambda: _judge().good),
)  # fmt: skip
